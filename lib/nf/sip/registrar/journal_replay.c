/* What stands in a journal's file, put back. Nothing in the file is believed before it is checked. */
#include "journal_file.h"

#define FAR_MS (30ull * 24 * 3600 * 1000) /* no binding lives longer */

int
journal_head_check(const uint8_t *map, size_t n, const char *path, struct nfv_err *err)
{
	struct journal_head h;
	uint32_t crc;

	if (n < JOURNAL_HEAD)
		return nfv_fail(err, EINVAL, "%s is no journal of bindings; move it away", path);
	memcpy(&h, map, sizeof(h));
	if (h.magic != JOURNAL_MAGIC)
		return nfv_fail(err, EINVAL, "%s is no journal of bindings; move it away", path);
	if (h.version != JOURNAL_VERSION)
		return nfv_fail(err, EINVAL,
			"%s is a journal of version %u, and this program reads version %u; use the "
			"program that wrote it, or move it away",
			path, h.version, JOURNAL_VERSION);
	crc = h.crc;
	h.crc = 0;
	if (crc != journal_crc(0, &h, sizeof(h)))
		return nfv_fail(err, EINVAL,
			"%s is damaged: its head has a wrong checksum; move it away", path);
	if (h.half < sizeof(struct journal_half) || h.half % 8 != 0 ||
		h.half > (SIZE_MAX - JOURNAL_HEAD) / 2 || n < JOURNAL_HEAD + 2 * h.half)
		return nfv_fail(err, EINVAL, "%s is cut short; move it away", path);
	return 0;
}

/* --- one record --- */

struct replay {
	const struct sip_journal_conf *conf;
	struct sip_location *l;
	struct sip_replay *out;
	struct sip_change change[2 * SIP_PER_AOR_MAX];
};

static bool
harmless(struct nfv_sv s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
			return false;
	return true;
}

static uint8_t
own_index(const struct sip_journal_conf *conf, const struct journal_item *item)
{
	struct nfv_addr a = { .family = item->own_family };

	memcpy(a.b, item->own, sizeof(a.b));
	for (uint32_t i = 0; i < conf->n_own && i < SIP_NO_OWN && item->own_family != 0; i++)
		if (nfv_addr_eq(&conf->own[i].prefix.addr, &a))
			return (uint8_t)i;
	return SIP_NO_OWN;
}

/* Cut an item's texts off `rest`; false if they are not there, or nonsense. */
static bool
read_item(const struct replay *r, const struct journal_item *item, struct nfv_sv *rest,
	struct sip_binding *b)
{
	size_t n = (size_t)item->n_uri + item->n_params + item->n_path;
	struct nfv_sv text = nfv_sv(rest->p, n);

	if (n > rest->n || n > SIP_BINDING_TEXT_MAX || item->n_uri == 0 || item->q > SIP_Q_MAX ||
		item->dir > 1 || (item->to_family != NFV_IPV4 && item->to_family != NFV_IPV6) ||
		!harmless(text))
		return false;
	*b = (struct sip_binding){ .uri = { text.p, item->n_uri },
		.params = { text.p + item->n_uri, item->n_params },
		.path = { text.p + item->n_uri + item->n_params, item->n_path },
		.call_id = item->call_id,
		.flow = item->flow,
		.to = { { .family = item->to_family }, item->port },
		.cseq = item->cseq,
		.q = item->q,
		.own = own_index(r->conf, item),
		.dir = item->dir };
	memcpy(b->to.addr.b, item->to, sizeof(item->to));
	*rest = nfv_sv(rest->p + n, rest->n - n);
	return true;
}

/* How long it has to live, in cycles from now; 0: it has lived. */
static uint64_t
life(const struct sip_journal_conf *conf, uint64_t expires_ms)
{
	uint64_t ms = expires_ms > conf->wall_ms ? expires_ms - conf->wall_ms : 0;

	ms = ms < FAR_MS ? ms : FAR_MS;
	return ms / 1000 * conf->tsc_hz + ms % 1000 * conf->tsc_hz / 1000;
}

/* All bindings that the AOR has go; `n` of them. */
static unsigned int
remove_all(struct replay *r, uint32_t aor)
{
	static const struct sip_change none = { .kind = SIP_REMOVE };
	char key[SIP_AOR_TEXT_MAX], text[SIP_BINDING_TEXT_MAX];
	struct sip_binding b;
	struct sip_aor a;
	unsigned int n = 0;

	if (aor == SIP_NONE || !sip_location_aor_at(r->l, aor, &a, key))
		return 0;
	for (uint32_t i = a.first; i != SIP_NONE && n < SIP_PER_AOR_MAX;) {
		r->change[n] = none;
		r->change[n++].at = i;
		i = sip_location_binding(r->l, i, &b, text);
	}
	return n;
}

static void
apply_record(struct replay *r, const struct journal_record *rec, const uint8_t *p)
{
	const uint8_t *item = p + sizeof(*rec);
	struct nfv_sv rest = nfv_sv((const char *)item, rec->bytes - sizeof(*rec)), key;
	size_t items = rec->n * sizeof(struct journal_item);
	uint32_t aor;
	unsigned int n, expired = 0;

	if (rec->n > SIP_PER_AOR_MAX || rec->key_n == 0 || rec->key_n > SIP_AOR_TEXT_MAX ||
		rest.n < items + rec->key_n) {
		r->out->bad++;
		return;
	}
	key = nfv_sv(rest.p + items, rec->key_n);
	rest = nfv_sv(key.p + key.n, rest.n - items - key.n);
	aor = sip_location_open(r->l, key, r->conf->now);
	n = remove_all(r, aor);
	/* A new binding comes first in its AOR: backwards, for the same order. */
	for (unsigned int i = 0; i < rec->n; i++) {
		struct sip_change *c = &r->change[n + rec->n - 1 - i];
		struct journal_item it;

		memcpy(&it, item + i * sizeof(it), sizeof(it));
		*c = (struct sip_change){ .kind = SIP_ADD };
		if (!read_item(r, &it, &rest, &c->to)) {
			r->out->bad++;
			return;
		}
		c->to.expires = r->conf->now + life(r->conf, it.expires_ms);
		if (c->to.expires <= r->conf->now) {
			c->kind = SIP_KEEP;
			expired++;
		}
	}
	r->out->expired += expired;
	r->out->refused +=
		sip_location_apply(r->l, key, &aor, r->change, n + rec->n) != SIP_REFUSED_NOT;
}

/* --- one half --- */

uint64_t
journal_first(const uint8_t *half)
{
	struct journal_half h;

	memcpy(&h, half, sizeof(h));
	return h.crc == journal_crc(0, &h.first, sizeof(h.first)) ? h.first : 0;
}

static void
replay_half(struct replay *r, const uint8_t *half, size_t n)
{
	uint64_t seq = journal_first(half);
	size_t at = sizeof(struct journal_half);

	for (; seq != 0 && n - at >= sizeof(uint64_t); seq++) {
		struct journal_record rec = { 0 };
		uint32_t crc;

		memcpy(&rec, half + at, n - at < sizeof(rec) ? n - at : sizeof(rec));
		if (rec.bytes == 0 && rec.crc == 0)
			return;
		if (rec.bytes < sizeof(rec) || rec.bytes % 8 != 0 || rec.bytes > n - at ||
			rec.seq != seq) {
			r->out->torn++;
			return;
		}
		crc = journal_crc(0, &rec.bytes, sizeof(rec.bytes));
		if (journal_crc(crc, half + at + 8, rec.bytes - 8) != rec.crc) {
			r->out->torn++;
			return;
		}
		r->out->records++;
		apply_record(r, &rec, half + at);
		at += rec.bytes;
	}
}

void
journal_replay(const uint8_t *map, const struct sip_journal_conf *conf, struct sip_location *l,
	struct sip_replay *out)
{
	struct replay r = { .conf = conf, .l = l, .out = out };
	struct journal_head head;
	const uint8_t *half[2];
	bool swap;

	memcpy(&head, map, sizeof(head));
	half[0] = map + JOURNAL_HEAD;
	half[1] = half[0] + head.half;
	swap = journal_first(half[0]) > journal_first(half[1]);
	replay_half(&r, half[swap], head.half);
	replay_half(&r, half[!swap], head.half);
	out->bindings = sip_location_stats(l).bindings;
}
