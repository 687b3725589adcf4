#include "sip_carry.h"
#include "media_carry.h"
#include "txn_carry.h"

_Static_assert(sizeof(struct carry_counts) <= NFV_CARRY_MAX, "records are as long as they may be");
_Static_assert(sizeof(struct carry_users) <= NFV_CARRY_MAX, "records are as long as they may be");

enum kind { KIND_TXNS, KIND_USERS, KIND_CALLS, KINDS };

struct nfv_items *
sip_items(void *state, uint32_t kind)
{
	struct sip_state *s = state;
	struct nfv_items *items = NULL;

	if (kind >= KINDS)
		return NULL;
	if (kind == KIND_TXNS)
		items = &s->server.txns.items;
	else if (kind == KIND_USERS && s->server.users != NULL)
		items = sip_users_items(s->server.users);
	else if (kind == KIND_CALLS && s->server.media != NULL)
		items = sip_media_items(s->server.media);
	return items != NULL ? items : &s->none;
}

size_t
sip_export_item(const void *state, uint32_t kind, uint32_t i, uint8_t *to)
{
	const struct sip_state *s = state;

	switch (kind) {
	case KIND_TXNS:
		return sip_txn_export(&s->server.txns, i, to);
	case KIND_USERS:
		return sip_users_export(s->server.users, i, to);
	default:
		return sip_media_export(s->server.media, i, to);
	}
}

int
sip_import_item(
	void *state, uint32_t version, uint32_t kind, uint32_t i, const void *bytes, size_t n)
{
	struct sip_state *s = state;

	(void)version; /* there has been no other yet */
	if (kind == KIND_TXNS && s->stateful)
		return sip_server_import(&s->server, i, bytes, n);
	if (kind == KIND_USERS && s->server.users != NULL)
		return sip_users_import(s->server.users, i, bytes, n);
	if (kind == KIND_CALLS && s->server.media != NULL)
		return sip_media_import(s->server.media, i, bytes, n);
	return -EINVAL;
}

/* --- counters ------------------------------------------------------------------------------------- */

struct counters {
	uint64_t *at;
	uint32_t n;
};

/* In this order from now on; new ones at the end. */
static uint32_t
counters_of(struct sip_state *s, struct counters out[8])
{
	struct sip_count *c = &s->count;
	struct sip_server_count *v = &s->server.count;
	uint32_t n = 0;

	out[n++] = (struct counters){ c->requests, NFV_SIP_METHODS };
	out[n++] = (struct counters){ c->responses, 7 };
	out[n++] = (struct counters){ c->answers, 700 };
	out[n++] = (struct counters){ &c->forwarded, 1 };
	out[n++] = (struct counters){ &c->keepalives, 2 };
	out[n++] = (struct counters){ &v->absorbed, sizeof(*v) / sizeof(uint64_t) };
	if (s->server.media != NULL)
		out[n++] = (struct counters){ sip_media_counts(s->server.media), SIP_MEDIA_COUNTS };
	if (s->relay != NULL)
		out[n++] = (struct counters){ sip_relay_counts(s->relay), SIP_RELAY_COUNTS };
	return n;
}

static int
export_counts(struct sip_state *s, const struct nfv_put *to)
{
	struct counters all[8];
	uint32_t n = counters_of(s, all);
	int rc = 0;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0, part; rc == 0 && k < all[i].n; k += part) {
			struct carry_counts c = { CARRY_COUNTS, (uint16_t)i, (uint16_t)k, { 0 } };

			part = all[i].n - k < 96 ? all[i].n - k : 96;
			memcpy(c.n, all[i].at + k, part * sizeof(*c.n));
			rc = to->put(to->arg, &c,
				offsetof(struct carry_counts, n) + part * sizeof(*c.n));
		}
	return rc;
}

static int
import_counts(struct sip_state *s, const struct carry_counts *c, size_t n)
{
	struct counters all[8];
	uint32_t known = counters_of(s, all);

	n -= offsetof(struct carry_counts, n);
	if (n % sizeof(*c->n) != 0 || c->which >= known)
		return -EINVAL;
	n /= sizeof(*c->n);
	if (c->first + n > all[c->which].n)
		return -EINVAL;
	memcpy(all[c->which].at + c->first, c->n, n * sizeof(*c->n));
	return 0;
}

/* --- the rest ------------------------------------------------------------------------------------- */

static int
export_trunks(const struct sip_state *s, const struct nfv_put *to)
{
	const struct sip_trunks *t = &s->server.px.trunks;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < t->n; i++) {
		struct carry_trunk c = { .what = CARRY_TRUNK,
			.dead = t->trunk[i].dead,
			.absences = t->trunk[i].absences,
			.to = t->trunk[i].to };

		rc = to->put(to->arg, &c, sizeof(c));
	}
	return rc;
}

int
sip_export(void *state, const struct nfv_put *to)
{
	struct sip_state *s = state;
	struct carry_keys k = { .what = CARRY_KEYS,
		.ip_id = s->ip_id,
		.proxy = { s->server.px.key.k[0], s->server.px.key.k[1] },
		.probe_next = s->server.probe_next };
	struct carry_users u = { .what = CARRY_USERS };
	int rc;

	if (s->server.media != NULL) {
		const struct siphash_key *key = sip_media_key(s->server.media);

		memcpy(k.media, key->k, sizeof(k.media));
		sip_media_given(s->server.media, true);
	}
	s->given = true;
	rc = to->put(to->arg, &k, sizeof(k));
	if (rc == 0)
		rc = export_trunks(s, to);
	if (rc == 0)
		rc = export_counts(s, to);
	if (rc < 0 || s->server.users == NULL)
		return rc;
	sip_users_give(s->server.users, s->server.now, &u.users);
	return to->put(to->arg, &u, sizeof(u));
}

static int
import_keys(struct sip_state *s, const struct carry_keys *k)
{
	uint64_t first = s->server.txns.wheel.tick << s->server.txns.wheel.shift;

	memcpy(s->server.px.key.k, k->proxy, sizeof(k->proxy));
	if (s->server.media != NULL)
		memcpy(sip_media_key(s->server.media)->k, k->media, sizeof(k->media));
	s->ip_id = k->ip_id;
	/* Not later than if it began to ask now. */
	s->server.probe_next = k->probe_next < first + s->server.probe_every ?
		k->probe_next :
		first + s->server.probe_every;
	return 0;
}

/* One that is no trunk any more is none of ours. */
static int
import_trunk(struct sip_state *s, const struct carry_trunk *c)
{
	int i = sip_trunk_find(&s->server.px.trunks, &c->to);

	if (i < 0)
		return 0;
	s->server.px.trunks.trunk[i].dead = c->dead != 0;
	s->server.px.trunks.trunk[i].absences = c->absences;
	return 0;
}

int
sip_import(void *state, uint32_t version, const void *bytes, size_t n)
{
	struct sip_state *s = state;
	union {
		uint32_t what;
		struct carry_keys keys;
		struct carry_trunk trunk;
		struct carry_counts counts;
		struct carry_users users;
	} r;

	(void)version;
	if (n == 0) {
		s->lost += s->stateful ? sip_txns_settle(&s->server.txns) : 0;
		if (s->server.media != NULL)
			sip_media_settle(s->server.media);
		return 0;
	}
	if (n < sizeof(r.what) || n > sizeof(r))
		return -EINVAL;
	memcpy(&r, bytes, n);
	if (r.what == CARRY_KEYS && n == sizeof(r.keys))
		return import_keys(s, &r.keys);
	if (r.what == CARRY_TRUNK && n == sizeof(r.trunk))
		return import_trunk(s, &r.trunk);
	if (r.what == CARRY_COUNTS && n > offsetof(struct carry_counts, n))
		return import_counts(s, &r.counts, n);
	if (r.what == CARRY_USERS && n == sizeof(r.users))
		return s->server.users != NULL ?
			sip_users_take_over(s->server.users, &r.users.users) :
			0;
	return -EINVAL;
}

void
sip_works(struct sip_state *s)
{
	s->given = false;
	if (s->server.media != NULL)
		sip_media_given(s->server.media, false);
}
