#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "mapping.h"
#include "nfv_addr.h"
#include "nfv_hash.h"
#include "nfv_watch.h"
#include "ports.h"

const char *const nat_proto_name[NAT_PROTOS] = { "udp", "tcp", "icmp" };

static const char *const refusal_text[NAT_REFUSALS] = { "table full", "no port", "host limit" };

/* An inside address that has mappings: it keeps one external address for all of them. */
struct host {
	uint32_t be_addr;
	uint16_t pool;
	uint32_t mappings, dynamic; /* all of them, and those that count against the limit */
	uint32_t next;              /* in its bucket, or among the free */
};

struct pool {
	uint32_t be_addr;
	struct nat_ports ports[NAT_PROTOS];
};

/* Of the hashes; their heads stand one hash behind the other. */
enum by { BY_IN, BY_EXT, BY_HOST, HASHES };

#define MAPPINGS (NFV_PAGE / sizeof(struct nat_mapping)) /* a page */
#define HOSTS    (NFV_PAGE / sizeof(struct host))
#define HEADS    (NFV_PAGE / sizeof(uint32_t))

/* Mapping 0 and host 0 are nobody's, so that 0 can mean none. */
struct nat_table {
	const struct nfv_lender *lender;
	struct nfv_pages mappings, hosts, heads;
	struct pool *pool;
	uint32_t n_pool, n_entries, mask;
	uint32_t free_mapping, free_host;
	uint32_t limit, ports_per_host; /* limit: of dynamic mappings */
	uint32_t used[NAT_PROTOS], dynamic;
	uint64_t refused[NAT_REFUSALS][NAT_PROTOS];
	struct nfv_hash_key key;
	uint64_t random;
};

/* splitmix64: turns any seed, even 0, into words that look random. */
static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Without the key nobody can tell which endpoints meet in a bucket. */
static uint32_t
hash(const struct nat_table *t, uint64_t x)
{
	return (uint32_t)nfv_hash2(&t->key, x, 0) & t->mask;
}

static uint32_t *
head_at(const struct nat_table *t, enum by by, uint32_t hash)
{
	uint32_t i = (uint32_t)by * (t->mask + 1) + hash;
	uint32_t *head = (uint32_t *)(void *)t->heads.page[i / HEADS] + i % HEADS;

	nfv_watch(head, sizeof(*head));
	return head;
}

static uint32_t *
bucket(const struct nat_table *t, enum by by, enum nat_proto proto, struct nat_endpoint e)
{
	return head_at(
		t, by, hash(t, (uint64_t)e.be_addr << 32 | (uint64_t)e.be_port << 16 | proto));
}

static struct host *
host_at(const struct nat_table *t, uint32_t i)
{
	struct host *h = (struct host *)(void *)t->hosts.page[i / HOSTS] + i % HOSTS;

	nfv_watch(h, sizeof(*h));
	return h;
}

struct nat_mapping *
nat_mapping_by_id(const struct nat_table *t, uint32_t id)
{
	struct nat_mapping *m =
		(struct nat_mapping *)(void *)t->mappings.page[id / MAPPINGS] + id % MAPPINGS;

	nfv_watch(m, sizeof(*m));
	return m;
}

static bool
same(struct nat_endpoint a, struct nat_endpoint b)
{
	return a.be_addr == b.be_addr && a.be_port == b.be_port;
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
		if (t->pool[i].be_addr == be_addr)
			return true;
	return false;
}

static uint32_t
find_host(const struct nat_table *t, uint32_t be_addr)
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
	uint32_t i = t->free_host, *head = head_at(t, BY_HOST, hash(t, be_addr));

	t->free_host = host_at(t, i)->next;
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
	host_at(t, i)->next = t->free_host;
	t->free_host = i;
}

/* The external address of an inside address that has none: the same one every time it comes back,
 * as long as that has a port to give. */
static uint16_t
choose_pool(const struct nat_table *t, enum nat_proto proto, uint32_t be_addr)
{
	uint32_t first = hash(t, ~(uint64_t)be_addr) % t->n_pool;

	for (uint32_t i = 0; i < t->n_pool; i++) {
		uint32_t at = (first + i) % t->n_pool;

		if (t->pool[at].ports[proto].n_free > 0)
			return (uint16_t)at;
	}
	return (uint16_t)first;
}

static struct nat_mapping *
add_mapping(struct nat_table *t, enum nat_proto proto, struct nat_endpoint in,
	struct nat_endpoint ext, uint16_t pool, uint32_t host, bool is_static)
{
	uint32_t *in_head = bucket(t, BY_IN, proto, in);
	uint32_t *ext_head = bucket(t, BY_EXT, proto, ext);
	uint32_t i = t->free_mapping;
	struct nat_mapping *m = nat_mapping_by_id(t, i);

	if (host == 0)
		host = add_host(t, in.be_addr, pool);
	t->free_mapping = m->next_in;
	*m = (struct nat_mapping){ .id = i,
		.in = in,
		.ext = ext,
		.proto = proto,
		.is_static = is_static,
		.pool = pool,
		.host = host,
		.refs = 1,
		.next_in = *in_head,
		.next_ext = *ext_head };
	*in_head = *ext_head = i;
	host_at(t, host)->mappings++;
	host_at(t, host)->dynamic += !is_static;
	t->dynamic += !is_static;
	t->used[proto]++;
	return m;
}

static struct nat_mapping *
refuse(struct nat_table *t, enum nat_proto proto, enum nat_refusal reason, enum nat_refusal *why)
{
	t->refused[reason][proto]++;
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
	if (t->dynamic == t->limit)
		return refuse(t, proto, NAT_TABLE_FULL, why);
	host = find_host(t, in.be_addr);
	if (host != 0 && t->ports_per_host > 0 && host_at(t, host)->dynamic >= t->ports_per_host)
		return refuse(t, proto, NAT_HOST_LIMIT, why);
	pool = host != 0 ? host_at(t, host)->pool : choose_pool(t, proto, in.be_addr);
	ports = &t->pool[pool].ports[proto];
	ext = (struct nat_endpoint){ t->pool[pool].be_addr, in.be_port };
	if (!nat_ports_take(ports, be16toh(in.be_port))) {
		uint32_t from = ports->lo +
			(uint32_t)(next_random(&t->random) % (ports->hi - ports->lo + 1));
		int32_t port = nat_ports_take_from(ports, (uint16_t)from);

		if (port < 0)
			return refuse(t, proto, NAT_NO_PORT, why);
		ext.be_port = htobe16((uint16_t)port);
	}
	return add_mapping(t, proto, in, ext, pool, host, false);
}

int
nat_map_static(
	struct nat_table *t, enum nat_proto proto, struct nat_endpoint in, struct nat_endpoint ext)
{
	uint16_t pool = 0;

	while (pool < t->n_pool && t->pool[pool].be_addr != ext.be_addr)
		pool++;
	if (pool == t->n_pool)
		return -EADDRNOTAVAIL;
	if (nat_find_external(t, proto, ext) != NULL)
		return -EEXIST;
	if (nat_table_used(t) - t->dynamic == t->n_entries - t->limit)
		return -ENOSPC;
	nat_ports_take(&t->pool[pool].ports[proto], be16toh(ext.be_port));
	add_mapping(t, proto, in, ext, pool, find_host(t, in.be_addr), true);
	return 0;
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
	nat_ports_give(&t->pool[m->pool].ports[m->proto], be16toh(m->ext.be_port));
	t->used[m->proto]--;
	t->dynamic--;
	host_at(t, m->host)->dynamic--;
	if (--host_at(t, m->host)->mappings == 0)
		drop_host(t, m->host);
	m->next_in = t->free_mapping;
	t->free_mapping = i;
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
	return t->used[NAT_UDP] + t->used[NAT_TCP] + t->used[NAT_ICMP];
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
		fprintf(to, "%-4s in use %u", nat_proto_name[p], t->used[p]);
		for (int r = 0; r < NAT_REFUSALS; r++)
			fprintf(to, ", refused (%s) %llu", refusal_text[r],
				(unsigned long long)t->refused[r][p]);
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
take_memory(struct nat_table *t)
{
	size_t n = (size_t)t->n_entries + 1, heads = HASHES * ((size_t)t->mask + 1);

	t->mappings = nfv_lender_take(t->lender, "nat.mappings", (n + MAPPINGS - 1) / MAPPINGS);
	t->hosts = nfv_lender_take(t->lender, "nat.hosts", (n + HOSTS - 1) / HOSTS);
	t->heads = nfv_lender_take(t->lender, "nat.buckets", (heads + HEADS - 1) / HEADS);
	t->pool = calloc(t->n_pool, sizeof(*t->pool));
	return t->mappings.page != NULL && t->hosts.page != NULL && t->heads.page != NULL &&
		t->pool != NULL;
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
	t->limit = conf->mappings;
	t->n_entries = conf->mappings + conf->statics;
	t->ports_per_host = conf->ports_per_host;
	t->mask = 1;
	while (t->mask < t->n_entries)
		t->mask = t->mask << 1 | 1;
	if (!take_memory(t)) {
		nat_table_destroy(t);
		return nfv_fail(err, ENOMEM,
			"no memory for a table of %u mappings; lower `mappings`", conf->mappings);
	}
	t->key = nfv_hash_key(next_random(&seed));
	t->random = next_random(&seed);
	for (uint32_t i = 0; i < conf->n_addr; i++) {
		t->pool[i].be_addr = conf->be_addr[i];
		for (int p = 0; p < NAT_PROTOS; p++)
			nat_ports_init(&t->pool[i].ports[p], conf->lo, conf->hi);
	}
	/* Lowest numbers first. */
	for (uint32_t i = t->n_entries; i > 0; i--) {
		nat_mapping_by_id(t, i)->next_in = t->free_mapping;
		t->free_mapping = i;
		host_at(t, i)->next = t->free_host;
		t->free_host = i;
	}
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
	free(t->pool);
	free(t);
}
