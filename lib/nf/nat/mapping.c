#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "nfv_addr.h"
#include "nat_table.h"

const char *const nat_proto_name[NAT_PROTOS] = { "udp", "tcp", "icmp" };

static const char *const refusal_text[NAT_REFUSALS] = { "table full", "no port", "host limit" };

/* splitmix64: turns any seed, even 0, into words that look random. */
static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

struct nat_mapping *
nat_mapping_by_id(const struct nat_table *t, uint32_t id)
{
	struct nat_mapping *m =
		(struct nat_mapping *)(void *)t->mappings.page[id / MAPPINGS] + id % MAPPINGS;

	nfv_watch(m, sizeof(*m));
	return m;
}

struct nat_mapping *
nat_find_inside(const struct nat_table *t, enum nat_proto proto, struct nat_endpoint in)
{
	struct nat_mapping *m;

	for (uint32_t i = *bucket(t, BY_IN, proto, in); i != 0; i = m->next_in) {
		m = nat_mapping_by_id(t, i);
		if (same(m->in, in) && m->proto == proto)
			return m;
	}
	return NULL;
}

struct nat_mapping *
nat_find_external(const struct nat_table *t, enum nat_proto proto, struct nat_endpoint ext)
{
	struct nat_mapping *m;

	for (uint32_t i = *bucket(t, BY_EXT, proto, ext); i != 0; i = m->next_ext) {
		m = nat_mapping_by_id(t, i);
		if (same(m->ext, ext) && m->proto == proto)
			return m;
	}
	return NULL;
}

bool
nat_table_has(const struct nat_table *t, uint32_t be_addr)
{
	for (uint32_t i = 0; i < t->n_pool; i++)
		if (t->be_addr[i] == be_addr)
			return true;
	return false;
}

uint32_t
table_find_host(const struct nat_table *t, uint32_t be_addr)
{
	uint32_t i = *head_at(t, BY_HOST, hash(t, be_addr));

	while (i != 0 && host_at(t, i)->be_addr != be_addr)
		i = host_at(t, i)->next;
	return i;
}

/* There is one for every mapping, so there is one left where a mapping is. */
static uint32_t
add_host(struct nat_table *t, uint32_t be_addr, uint16_t pool)
{
	uint32_t i = t->counts->free_host, *head = head_at(t, BY_HOST, hash(t, be_addr));

	t->counts->free_host = host_at(t, i)->next;
	*host_at(t, i) = (struct host){ .be_addr = be_addr, .pool = pool, .next = *head };
	*head = i;
	return i;
}

static void
drop_host(struct nat_table *t, uint32_t i)
{
	uint32_t *at = head_at(t, BY_HOST, hash(t, host_at(t, i)->be_addr));

	while (*at != i)
		at = &host_at(t, *at)->next;
	*at = host_at(t, i)->next;
	host_at(t, i)->next = t->counts->free_host;
	t->counts->free_host = i;
}

/* The external address of an inside address that has none: the same one every time it comes back,
 * as long as that has a port to give. */
static uint16_t
choose_pool(const struct nat_table *t, enum nat_proto proto, uint32_t be_addr)
{
	uint32_t first = hash(t, ~(uint64_t)be_addr) % t->n_pool;

	for (uint32_t i = 0; i < t->n_pool; i++) {
		uint32_t at = (first + i) % t->n_pool;

		if (ports_of(t, at, proto)->n_free > 0)
			return (uint16_t)at;
	}
	return (uint16_t)first;
}

struct nat_mapping *
table_enter(struct nat_table *t, uint32_t i, const struct nat_mapping *what)
{
	uint32_t *in_head = bucket(t, BY_IN, what->proto, what->in);
	uint32_t *ext_head = bucket(t, BY_EXT, what->proto, what->ext);
	struct nat_mapping *m = nat_mapping_by_id(t, i);

	*m = *what;
	m->id = i;
	m->refs = 1;
	m->next_in = *in_head;
	m->next_ext = *ext_head;
	if (m->host == 0)
		m->host = add_host(t, m->in.be_addr, m->pool);
	*in_head = *ext_head = i;
	host_at(t, m->host)->mappings++;
	host_at(t, m->host)->dynamic += !m->is_static;
	t->counts->dynamic += !m->is_static;
	t->counts->used[m->proto]++;
	return m;
}

static struct nat_mapping *
add_mapping(struct nat_table *t, const struct nat_mapping *what)
{
	uint32_t i = t->counts->free_mapping;

	t->counts->free_mapping = nat_mapping_by_id(t, i)->next_in;
	return table_enter(t, i, what);
}

static struct nat_mapping *
refuse(struct nat_table *t, enum nat_proto proto, enum nat_refusal reason, enum nat_refusal *why)
{
	t->counts->refused[reason][proto]++;
	*why = reason;
	return NULL;
}

struct nat_mapping *
nat_map_outward(
	struct nat_table *t, enum nat_proto proto, struct nat_endpoint in, enum nat_refusal *why)
{
	struct nat_mapping *m = nat_find_inside(t, proto, in);
	struct nat_endpoint ext;
	struct nat_ports *ports;
	uint32_t host;
	uint16_t pool;

	if (m != NULL) {
		m->refs++;
		return m;
	}
	if (t->counts->dynamic == t->limit)
		return refuse(t, proto, NAT_TABLE_FULL, why);
	host = table_find_host(t, in.be_addr);
	if (host != 0 && t->ports_per_host > 0 && host_at(t, host)->dynamic >= t->ports_per_host)
		return refuse(t, proto, NAT_HOST_LIMIT, why);
	pool = host != 0 ? host_at(t, host)->pool : choose_pool(t, proto, in.be_addr);
	ports = ports_of(t, pool, proto);
	ext = (struct nat_endpoint){ t->be_addr[pool], in.be_port };
	if (!nat_ports_take(ports, be16toh(in.be_port))) {
		uint32_t from = ports->lo +
			(uint32_t)(next_random(&t->counts->random) % (ports->hi - ports->lo + 1));
		int32_t port = nat_ports_take_from(ports, (uint16_t)from);

		if (port < 0)
			return refuse(t, proto, NAT_NO_PORT, why);
		ext.be_port = htobe16((uint16_t)port);
	}
	return add_mapping(t,
		&(struct nat_mapping){ .proto = (uint8_t)proto,
			.in = in,
			.ext = ext,
			.pool = pool,
			.host = host });
}

int
table_enter_static(struct nat_table *t, const struct static_mapping *s)
{
	uint16_t pool = 0;

	while (pool < t->n_pool && t->be_addr[pool] != s->ext.be_addr)
		pool++;
	if (pool == t->n_pool)
		return -EADDRNOTAVAIL;
	if (nat_find_external(t, s->proto, s->ext) != NULL)
		return -EEXIST;
	if (nat_table_used(t) - t->counts->dynamic == t->n_entries - t->limit)
		return -ENOSPC;
	nat_ports_take(ports_of(t, pool, s->proto), be16toh(s->ext.be_port));
	add_mapping(t,
		&(struct nat_mapping){ .proto = (uint8_t)s->proto,
			.in = s->in,
			.ext = s->ext,
			.pool = pool,
			.host = table_find_host(t, s->in.be_addr),
			.is_static = true });
	return 0;
}

int
nat_map_static(
	struct nat_table *t, enum nat_proto proto, struct nat_endpoint in, struct nat_endpoint ext)
{
	struct static_mapping s = { proto, in, ext };
	int rc = table_enter_static(t, &s);

	if (rc == 0)
		t->statics[t->n_statics++] = s;
	return rc;
}

struct nat_mapping *
nat_map_exact(struct nat_table *t, enum nat_proto proto, struct nat_endpoint in,
	struct nat_endpoint ext, bool is_static)
{
	struct nat_mapping *m = nat_find_external(t, proto, ext);
	uint16_t pool = 0;

	if (m != NULL) {
		if (!same(m->in, in) || m->is_static != is_static)
			return NULL;
		m->refs++;
		return m;
	}
	while (pool < t->n_pool && t->be_addr[pool] != ext.be_addr)
		pool++;
	m = nat_find_inside(t, proto, in);
	if (is_static || (m != NULL && !m->is_static) || pool == t->n_pool ||
		t->counts->dynamic == t->limit ||
		!nat_ports_take(ports_of(t, pool, proto), be16toh(ext.be_port)))
		return NULL;
	return add_mapping(t,
		&(struct nat_mapping){ .proto = (uint8_t)proto,
			.in = in,
			.ext = ext,
			.pool = pool,
			.host = table_find_host(t, in.be_addr) });
}

void
nat_hold(struct nat_mapping *m)
{
	m->refs++;
}

static void
unlink_mapping(struct nat_table *t, uint32_t i)
{
	struct nat_mapping *m = nat_mapping_by_id(t, i);
	uint32_t *at = bucket(t, BY_IN, m->proto, m->in);

	while (*at != i)
		at = &nat_mapping_by_id(t, *at)->next_in;
	*at = m->next_in;
	at = bucket(t, BY_EXT, m->proto, m->ext);
	while (*at != i)
		at = &nat_mapping_by_id(t, *at)->next_ext;
	*at = m->next_ext;
}

/* Static mappings never come here with their last reference: they hold one themselves. */
void
nat_release(struct nat_table *t, struct nat_mapping *m)
{
	uint32_t i = nat_mapping_id(t, m);

	if (--m->refs > 0)
		return;
	unlink_mapping(t, i);
	nat_ports_give(ports_of(t, m->pool, m->proto), be16toh(m->ext.be_port));
	t->counts->used[m->proto]--;
	t->counts->dynamic--;
	host_at(t, m->host)->dynamic--;
	if (--host_at(t, m->host)->mappings == 0)
		drop_host(t, m->host);
	m->next_in = t->counts->free_mapping;
	t->counts->free_mapping = i;
}

uint32_t
nat_mapping_id(const struct nat_table *t, const struct nat_mapping *m)
{
	(void)t;
	return m->id;
}

uint32_t
nat_table_used(const struct nat_table *t)
{
	return t->counts->used[NAT_UDP] + t->counts->used[NAT_TCP] + t->counts->used[NAT_ICMP];
}

uint64_t (*nat_table_refused(struct nat_table *t))[NAT_PROTOS]
{
	return t->counts->refused;
}

static const char *
endpoint_text(struct nat_endpoint e, char buf[NFV_ADDR_TEXT])
{
	struct nfv_endpoint wide = { nfv_addr4(e.be_addr), be16toh(e.be_port) };

	return nfv_endpoint_text(&wide, buf);
}

void
nat_table_show(const struct nat_table *t, FILE *to, uint32_t n)
{
	char in[NFV_ADDR_TEXT], ext[NFV_ADDR_TEXT];

	fprintf(to, "mappings %u of %u\n", nat_table_used(t), t->n_entries);
	for (int p = 0; p < NAT_PROTOS; p++) {
		fprintf(to, "%-4s in use %u", nat_proto_name[p], t->counts->used[p]);
		for (int r = 0; r < NAT_REFUSALS; r++)
			fprintf(to, ", refused (%s) %llu", refusal_text[r],
				(unsigned long long)t->counts->refused[r][p]);
		fputc('\n', to);
	}
	for (uint32_t i = 1; i <= t->n_entries && n > 0; i++) {
		const struct nat_mapping *m = nat_mapping_by_id(t, i);

		if (m->refs == 0)
			continue;
		fprintf(to, "%-4s %s -> %s%s, flows %u\n", nat_proto_name[m->proto % NAT_PROTOS],
			endpoint_text(m->in, in), endpoint_text(m->ext, ext),
			m->is_static ? " (static)" : "", m->refs - m->is_static);
		n--;
	}
}

static bool
take_memory(struct nat_table *t, uint32_t statics)
{
	size_t n = (size_t)t->n_entries + 1, heads = HASHES * ((size_t)t->mask + 1);

	t->mappings = nfv_lender_take(t->lender, "nat.mappings", (n + MAPPINGS - 1) / MAPPINGS);
	t->hosts = nfv_lender_take(t->lender, "nat.hosts", (n + HOSTS - 1) / HOSTS);
	t->heads = nfv_lender_take(t->lender, "nat.buckets", (heads + HEADS - 1) / HEADS);
	t->counts = nfv_lender_alloc(t->lender, sizeof(*t->counts));
	t->ports = nfv_lender_alloc(t->lender, (size_t)t->n_pool * NAT_PROTOS * sizeof(*t->ports));
	t->be_addr = calloc(t->n_pool, sizeof(*t->be_addr));
	t->statics = calloc((size_t)statics + 1, sizeof(*t->statics));
	return t->mappings.page != NULL && t->hosts.page != NULL && t->heads.page != NULL &&
		t->counts != NULL && t->ports != NULL && t->be_addr != NULL && t->statics != NULL;
}

void
table_free_list(struct nat_table *t)
{
	t->counts->free_mapping = 0;
	for (uint32_t i = t->n_entries; i > 0; i--) {
		struct nat_mapping *m = nat_mapping_by_id(t, i);

		if (m->refs > 0)
			continue;
		m->next_in = t->counts->free_mapping;
		t->counts->free_mapping = i;
	}
}

void
table_clear(struct nat_table *t)
{
	struct counts *c = t->counts;

	for (size_t i = 0; i < t->heads.n; i++)
		memset(t->heads.page[i], 0, NFV_PAGE);
	c->free_host = c->dynamic = 0;
	memset(c->used, 0, sizeof(c->used));
	for (uint32_t i = t->n_entries; i > 0; i--) {
		*nat_mapping_by_id(t, i) = (struct nat_mapping){ .id = i };
		*host_at(t, i) = (struct host){ .next = c->free_host };
		c->free_host = i;
	}
	table_free_list(t);
	for (uint32_t i = 0; i < t->n_pool; i++)
		for (int p = 0; p < NAT_PROTOS; p++)
			nat_ports_init(ports_of(t, i, p), t->lo, t->hi);
}

int
nat_table_create(const struct nat_table_conf *conf, struct nat_table **out, struct nfv_err *err)
{
	struct nat_table *t = calloc(1, sizeof(*t));
	uint64_t seed = conf->seed;

	if (t == NULL)
		return nfv_fail(err, ENOMEM, "no memory for the table of mappings");
	t->lender = conf->lender;
	t->n_pool = conf->n_addr;
	t->lo = conf->lo;
	t->hi = conf->hi;
	t->limit = conf->mappings;
	t->n_entries = conf->mappings + conf->statics;
	t->ports_per_host = conf->ports_per_host;
	t->mask = 1;
	while (t->mask < t->n_entries)
		t->mask = t->mask << 1 | 1;
	if (!take_memory(t, conf->statics)) {
		nat_table_destroy(t);
		return nfv_fail(err, ENOMEM,
			"no memory for a table of %u mappings; lower `mappings`", conf->mappings);
	}
	t->key = nfv_hash_key(next_random(&seed));
	t->counts->random = next_random(&seed);
	memcpy(t->be_addr, conf->be_addr, t->n_pool * sizeof(*t->be_addr));
	table_clear(t);
	*out = t;
	return 0;
}

void
nat_table_destroy(struct nat_table *t)
{
	if (t == NULL)
		return;
	nfv_lender_give(t->lender, &t->mappings);
	nfv_lender_give(t->lender, &t->hosts);
	nfv_lender_give(t->lender, &t->heads);
	nfv_lender_free(t->lender, t->counts);
	nfv_lender_free(t->lender, t->ports);
	free(t->be_addr);
	free(t->statics);
	free(t);
}
