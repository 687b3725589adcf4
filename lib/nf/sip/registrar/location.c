#include <stdlib.h>

#include "location_slots.h"

const char *const sip_refusal_name[SIP_REFUSALS] = {
	[SIP_REFUSED_NOT] = "none",
	[SIP_REFUSED_PER_AOR] = "too many for one user",
	[SIP_REFUSED_AORS] = "users full",
	[SIP_REFUSED_BINDINGS] = "bindings full",
	[SIP_REFUSED_CHUNKS] = "texts full",
	[SIP_REFUSED_TEXT] = "text too long",
};

/* --- keys and hashes --- */

/* The length first: a hash that is not small has to stand behind every word. */
static uint64_t
hash_text(const struct nfv_hash_key *key, uint64_t before, struct nfv_sv s)
{
	uint64_t w[2], h = nfv_hash2(key, s.n, before);

	for (; s.n > sizeof(w); s = nfv_sv(s.p + sizeof(w), s.n - sizeof(w))) {
		memcpy(w, s.p, sizeof(w));
		h = nfv_hash2_more(key, h, w[0], w[1]);
	}
	w[0] = w[1] = 0;
	if (s.n > 0)
		memcpy(w, s.p, s.n);
	return nfv_hash2_more(key, h, w[0], w[1]);
}

uint64_t
location_hash_key(const struct sip_location *l, struct nfv_sv key)
{
	return hash_text(&l->key, 0, key);
}

uint64_t
sip_location_identity(const struct sip_location *l, struct nfv_sv a, struct nfv_sv b)
{
	uint64_t h = hash_text(&l->identity, hash_text(&l->identity, 0, a), b);

	return h != 0 ? h : 1;
}

struct nfv_hash_key
sip_location_get_identity(const struct sip_location *l)
{
	return l->identity;
}

void
sip_location_set_identity(struct sip_location *l, const struct nfv_hash_key *key)
{
	l->identity = *key;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Names whose last character is a digit, and those with a colon, may be addresses. */
static struct nfv_sv
address_text(struct nfv_sv domain, char buf[NFV_ADDR_TEXT])
{
	struct nfv_addr a;
	char last = domain.n > 0 ? domain.p[domain.n - 1] : 'x';

	if (((last < '0' || last > '9') && memchr(domain.p, ':', domain.n) == NULL) ||
		nfv_addr_parse(domain, &a) < 0)
		return domain;
	return nfv_sv_str(nfv_addr_text(&a, buf));
}

struct nfv_sv
sip_aor_key(struct nfv_sv user, struct nfv_sv domain, char buf[SIP_AOR_TEXT_MAX])
{
	char addr[NFV_ADDR_TEXT];
	size_t n = 0;

	if (domain.n > 0)
		domain = address_text(domain, addr);
	if (user.n == 0 || domain.n == 0 || user.n + domain.n >= SIP_AOR_TEXT_MAX)
		return nfv_sv(NULL, 0);
	for (size_t i = 0; i < user.n; i++) {
		int hi = -1, lo = -1;

		if (user.p[i] == '%' && i + 2 < user.n) {
			hi = hex(user.p[i + 1]);
			lo = hex(user.p[i + 2]);
		}
		if (hi >= 0 && lo >= 0)
			i += 2;
		buf[n++] = hi >= 0 && lo >= 0 ? (char)(hi << 4 | lo) : user.p[i];
	}
	buf[n++] = '@';
	for (size_t i = 0; i < domain.n; i++) {
		char c = domain.p[i];

		buf[n++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	return nfv_sv(buf, n);
}

/* --- reading --- */

struct nfv_sv
location_text(const struct sip_location *l, const char *in_place, size_t room, uint32_t chunk,
	size_t n, char *buf, size_t max)
{
	size_t at = room;

	if (n <= room)
		return nfv_sv(in_place, n);
	if (n > max)
		return nfv_sv(NULL, 0);
	memcpy(buf, in_place, room);
	while (at < n && chunk < l->chunks.n) {
		const struct chunk *c = chunk_at(l, chunk);
		size_t part = n - at < sizeof(c->text) ? n - at : sizeof(c->text);

		memcpy(buf + at, c->text, part);
		at += part;
		chunk = c->next;
	}
	return nfv_sv(buf, at);
}

static struct nfv_sv
key_of(const struct sip_location *l, const struct aor *a, char buf[SIP_AOR_TEXT_MAX])
{
	return location_text(l, a->key, sizeof(a->key), a->chunk, a->key_n, buf, SIP_AOR_TEXT_MAX);
}

uint32_t
location_lookup(const struct sip_location *l, struct nfv_sv key, uint64_t hash)
{
	char buf[SIP_AOR_TEXT_MAX];
	const struct aor *a;
	uint32_t i;

	for (i = *head_at(l, hash); i != SIP_NONE; i = a->next) {
		a = aor_at(l, i);
		if (a->hash == (uint32_t)(hash >> 32) && a->key_n == key.n &&
			nfv_sv_eq(key_of(l, a, buf), key))
			return i;
	}
	return SIP_NONE;
}

/* What is cut off a text, but not beyond its end, as it may be read while it changes. */
static struct nfv_sv
cut(struct nfv_sv *s, size_t n)
{
	struct nfv_sv part = { s->p, n < s->n ? n : s->n };

	*s = nfv_sv(s->p + part.n, s->n - part.n);
	return part;
}

void
location_view(const struct sip_location *l, const struct binding *b, struct sip_binding *out,
	char buf[SIP_BINDING_TEXT_MAX])
{
	uint16_t n_uri = b->n_uri, n_params = b->n_params, n_path = b->n_path;
	struct nfv_sv all = location_text(l, b->text, sizeof(b->text), b->chunk,
		(size_t)n_uri + n_params + n_path, buf, SIP_BINDING_TEXT_MAX);

	*out = (struct sip_binding){ .expires = b->expires,
		.call_id = b->call_id,
		.flow = b->flow,
		.to = { { .family = b->family }, b->port },
		.cseq = b->cseq,
		.q = b->q,
		.own = b->own,
		.dir = b->dir };
	memcpy(out->to.addr.b, b->addr, sizeof(b->addr));
	out->uri = cut(&all, n_uri);
	out->params = cut(&all, n_params);
	out->path = cut(&all, n_path);
}

unsigned int
sip_location_find(struct sip_location *l, struct nfv_sv user, struct nfv_sv domain, uint64_t now,
	struct sip_target *out, unsigned int max)
{
	struct nfv_sv key = sip_aor_key(user, domain, l->aor_key);
	const struct binding *best[SIP_PER_AOR_MAX], *b;
	uint32_t i = SIP_NONE;
	unsigned int n = 0, k;

	if (key.n > 0)
		i = location_lookup(l, key, location_hash_key(l, key));
	if (i != SIP_NONE)
		i = aor_at(l, i)->first;
	for (; i != SIP_NONE; i = b->next) {
		b = binding_at(l, i);
		if (b->expires <= now)
			continue;
		for (k = n; k > 0 && best[k - 1]->q < b->q; k--)
			best[k] = best[k - 1];
		best[k] = b;
		n++;
	}
	n = n < max ? n : max;
	for (k = 0; k < n; k++) {
		struct sip_binding v;

		location_view(l, best[k], &v, l->text + (size_t)k * SIP_BINDING_TEXT_MAX);
		out[k] = (struct sip_target){ v.uri, v.path, v.to, v.q, v.own, v.dir };
	}
	return n;
}

uint64_t
sip_location_hash(struct sip_location *l, struct nfv_sv user, struct nfv_sv domain)
{
	uint64_t hash = location_hash_key(l, sip_aor_key(user, domain, l->aor_key));

	__builtin_prefetch(head_at(l, hash));
	return hash;
}

void
sip_location_prefetch(const struct sip_location *l, uint64_t hash)
{
	uint32_t i = *head_at(l, hash);

	if (i != SIP_NONE)
		__builtin_prefetch(aor_at(l, i));
}

void
sip_location_prefetch_binding(const struct sip_location *l, uint64_t hash)
{
	uint32_t i = *head_at(l, hash);
	const uint8_t *b;

	if (i == SIP_NONE || aor_at(l, i)->first == SIP_NONE)
		return;
	b = (const uint8_t *)binding_at(l, aor_at(l, i)->first);
	for (size_t line = 0; line < sizeof(struct binding); line += 64)
		__builtin_prefetch(b + line);
}

uint32_t
sip_location_slots(const struct sip_location *l)
{
	return l->aors.fresh;
}

bool
sip_location_aor_at(
	const struct sip_location *l, uint32_t i, struct sip_aor *out, char buf[SIP_AOR_TEXT_MAX])
{
	const struct aor *a = aor_at(l, i);

	if (a->key_n == 0)
		return false;
	*out = (struct sip_aor){ key_of(l, a, buf), a->first, a->n, a->mark };
	return true;
}

uint32_t
sip_location_binding(const struct sip_location *l, uint32_t i, struct sip_binding *out,
	char buf[SIP_BINDING_TEXT_MAX])
{
	const struct binding *b;

	*out = (struct sip_binding){ 0 };
	if (i >= l->bindings.n)
		return SIP_NONE;
	b = binding_at(l, i);
	location_view(l, b, out, buf);
	return b->next;
}

struct sip_location_stats
sip_location_stats(const struct sip_location *l)
{
	struct sip_location_stats s = { .aors = l->aors.used,
		.bindings = l->bindings.used,
		.chunks = l->chunks.used,
		.max_aors = l->aors.n,
		.max_bindings = l->bindings.n,
		.max_chunks = l->chunks.n,
		.added = l->added,
		.updated = l->updated,
		.removed = l->removed,
		.expired = l->expired };

	memcpy(s.refused, l->refused, sizeof(s.refused));
	return s;
}

void
sip_location_counted(struct sip_location *l, const uint64_t count[4])
{
	l->added = count[0];
	l->updated = count[1];
	l->removed = count[2];
	l->expired = count[3];
}

uint32_t
sip_location_per_aor(const struct sip_location *l)
{
	return l->per_aor;
}

size_t
sip_location_text_max(const struct sip_location *l)
{
	return l->aors.n * sizeof(((struct aor *)0)->key) +
		l->bindings.n * sizeof(((struct binding *)0)->text) +
		l->chunks.n * sizeof(((struct chunk *)0)->text);
}

/* --- the whole --- */

static const struct {
	const char *name;
	uint16_t size, link;
} part_is[SIP_LOCATION_PARTS] = {
	[SIP_LOCATION_HEADS] = { "heads", sizeof(uint32_t), 0 },
	[SIP_LOCATION_AORS] = { "users", sizeof(struct aor), offsetof(struct aor, next) },
	[SIP_LOCATION_BINDINGS] = { "bindings", sizeof(struct binding),
		offsetof(struct binding, next) },
	[SIP_LOCATION_CHUNKS] = { "texts", sizeof(struct chunk), offsetof(struct chunk, next) },
};

/* Heads, or slots of a part; at most 2^28, so that no product below overflows. */
static uint32_t
part_n(const struct sip_location_conf *conf, enum sip_location_part part)
{
	uint32_t heads = NFV_PAGE / sizeof(uint32_t);

	switch (part) {
	case SIP_LOCATION_HEADS:
		while (heads < conf->aors)
			heads *= 2;
		return heads;
	case SIP_LOCATION_AORS:
		return conf->aors;
	case SIP_LOCATION_BINDINGS:
		return conf->bindings;
	default:
		return conf->chunks;
	}
}

size_t
sip_location_pages(const struct sip_location_conf *conf, enum sip_location_part part)
{
	size_t per_page = NFV_PAGE / part_is[part].size;

	return (part_n(conf, part) + per_page - 1) / per_page;
}

static void
slots_init(struct slots *s, const struct nfv_pages *pages, enum sip_location_part part)
{
	*s = (struct slots){ .page = pages->page,
		.free = SIP_NONE,
		.size = part_is[part].size,
		.link = part_is[part].link };
	s->n = (uint32_t)(pages->n * (NFV_PAGE / part_is[part].size));
}

static int
check(const struct sip_location_conf *conf, const struct nfv_pages part[SIP_LOCATION_PARTS],
	struct nfv_err *err)
{
	const uint32_t most = 1u << 28;

	if (conf->aors == 0 || conf->bindings == 0 || conf->aors > most || conf->bindings > most ||
		conf->chunks > most)
		return nfv_fail(err, EINVAL, "users and bindings must be 1 to %u", most);
	if (conf->per_aor == 0 || conf->per_aor > SIP_PER_AOR_MAX)
		return nfv_fail(err, EINVAL, "bindings of a user must be 1 to %u", SIP_PER_AOR_MAX);
	if (conf->tsc_hz < 1000)
		return nfv_fail(err, EINVAL, "a clock of less than 1 kHz cannot time bindings");
	for (int i = 0; i < SIP_LOCATION_PARTS; i++)
		if (part[i].n != sip_location_pages(conf, i))
			return nfv_fail(err, EINVAL, "%zu pages for %s, but %zu are needed",
				part[i].n, part_is[i].name, sip_location_pages(conf, i));
	return 0;
}

int
sip_location_create(const struct sip_location_conf *conf,
	const struct nfv_pages part[SIP_LOCATION_PARTS], struct sip_location **out,
	struct nfv_err *err)
{
	struct sip_location *l;
	int rc = check(conf, part, err);

	if (rc < 0)
		return rc;
	l = nfv_lender_alloc(conf->lender, sizeof(*l));
	if (l == NULL)
		goto fail;
	l->lender = conf->lender;
	l->text = malloc((size_t)conf->per_aor * SIP_BINDING_TEXT_MAX);
	if (l->text == NULL)
		goto fail;
	slots_init(&l->heads, &part[SIP_LOCATION_HEADS], SIP_LOCATION_HEADS);
	slots_init(&l->aors, &part[SIP_LOCATION_AORS], SIP_LOCATION_AORS);
	slots_init(&l->bindings, &part[SIP_LOCATION_BINDINGS], SIP_LOCATION_BINDINGS);
	slots_init(&l->chunks, &part[SIP_LOCATION_CHUNKS], SIP_LOCATION_CHUNKS);
	for (size_t i = 0; i < part[SIP_LOCATION_HEADS].n; i++)
		memset(part[SIP_LOCATION_HEADS].page[i], 0xff, NFV_PAGE); /* SIP_NONE */
	l->mask = l->heads.n - 1;
	l->items.n = l->aors.n;
	l->per_aor = conf->per_aor;
	l->key = nfv_hash_key(conf->seed);
	l->identity = nfv_hash_key(conf->identity);
	nfv_wheel_init_pages(&l->wheel, &part[SIP_LOCATION_BINDINGS], sizeof(struct binding),
		offsetof(struct binding, timer), conf->tsc_hz, conf->now);
	*out = l;
	return 0;
fail:
	sip_location_destroy(l);
	return nfv_fail(err, ENOMEM, "no memory for the location service");
}

void
sip_location_destroy(struct sip_location *l)
{
	if (l == NULL)
		return;
	free(l->text);
	nfv_lender_free(l->lender, l);
}
