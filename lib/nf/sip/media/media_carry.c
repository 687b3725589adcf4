#include "media_carry.h"
#include "media_call.h"

_Static_assert(sizeof(struct media_record) % 8 == 0, "records are whole words");

struct nfv_items *
sip_media_items(struct sip_media *m)
{
	return &m->items;
}

struct siphash_key *
sip_media_key(struct sip_media *m)
{
	return &m->key;
}

void
sip_media_given(struct sip_media *m, bool given)
{
	m->given = given;
}

size_t
sip_media_export(const struct sip_media *m, uint32_t i, uint8_t *to)
{
	const struct call *c = media_call(m, i + 1);
	uint8_t *at = to + sizeof(struct media_record);
	struct media_record r;

	if (c->id == 0)
		return 0;
	r = (struct media_record){ .id = c->id,
		.other = c->other,
		.answer = c->answer,
		.until = c->until,
		.fresh = c->fresh,
		.invite_cseq = c->invite_cseq,
		.offer_cseq = c->offer_cseq,
		.offerer = c->offerer,
		.pending = c->pending,
		.answered = c->answered,
		.established = c->established,
		.ending = c->ending };
	for (int k = 0; k < 2; k++)
		r.party[k] = (struct media_record_party){ .peer = c->party[k].peer,
			.own = c->party[k].own,
			.dir = (uint8_t)c->party[k].dir };
	for (uint32_t k = 0; k < SIP_MEDIA_STREAMS; k++) {
		const struct media_stream *s = &c->offer[k];

		r.stream[k] = (struct media_record_stream){ .want = { s->want[0], s->want[1] },
			.clock = s->clock,
			.offered = s->offered,
			.mux = s->mux,
			.anchor = s->anchor,
			.relayed = c->relay[k] != 0 };
		if (c->relay[k] == 0)
			continue;
		relay_export(m->conf.relay, c->relay[k], (struct relay_record *)(void *)at);
		at += sizeof(struct relay_record);
	}
	if (c->holes != 0 && nfv_pinhole_lives(m->conf.pinholes, c->holes)) {
		r.holes = c->holes;
		r.n_holes = (uint8_t)nfv_pinhole_list(m->conf.pinholes, c->holes,
			(struct nfv_pinhole *)(void *)at, NFV_PINHOLES_PER_OWNER);
	}
	memcpy(to, &r, sizeof(r));
	return (size_t)(at - to) + r.n_holes * sizeof(struct nfv_pinhole);
}

/* --- reading -------------------------------------------------------------------------------------- */

/* Free ones are chained both ways while calls come; `invite_cseq` is the one before. */
static void
chain_back(struct sip_media *m, uint32_t i, uint32_t before)
{
	if (i != 0)
		media_call(m, i)->invite_cseq = before;
}

static void
take_free(struct sip_media *m, uint32_t i)
{
	const struct call *c = media_call(m, i);

	if (m->free == i)
		m->free = c->next;
	else
		media_call(m, c->invite_cseq)->next = c->next;
	chain_back(m, c->next, c->invite_cseq);
}

static void
drop(struct sip_media *m, uint32_t i)
{
	struct call *c = media_call(m, i);
	uint32_t free = m->free;

	for (uint32_t k = 0; k < SIP_MEDIA_STREAMS; k++) {
		if (c->relay[k] != 0)
			relay_forget(m->conf.relay, c->relay[k]);
		c->relay[k] = 0;
	}
	if (c->holes != 0 && !m->shares) /* else they are the other version's still */
		nfv_pinhole_close(m->conf.pinholes, c->holes);
	c->holes = 0;
	media_end(m, i);
	chain_back(m, free, i);
}

static bool
is_family(uint8_t family)
{
	return family == NFV_IPV4 || family == NFV_IPV6 || family == NFV_NO_ADDR;
}

static bool
is_sound(const struct sip_media *m, const struct media_record *r, size_t n)
{
	uint64_t now = m->wheel.tick << m->wheel.shift, far = 3600ull + m->conf.max + m->conf.setup;
	size_t streams = 0;

	if (r->id == 0 ||
		(r->offerer | r->pending | r->answered | r->established | r->ending) > 1 ||
		(r->until > now && r->until - now > far * m->tsc_hz))
		return false;
	for (int k = 0; k < 2; k++)
		if (r->party[k].dir > 1 || !is_family(r->party[k].peer.family) ||
			!is_family(r->party[k].own.family))
			return false;
	for (uint32_t k = 0; k < SIP_MEDIA_STREAMS; k++) {
		const struct media_record_stream *s = &r->stream[k];

		if ((s->offered | s->mux | s->anchor | s->relayed) > 1 ||
			!is_family(s->want[0].addr.family) || !is_family(s->want[1].addr.family))
			return false;
		streams += s->relayed;
	}
	return r->n_holes <= NFV_PINHOLES_PER_OWNER &&
		n ==
		streams * sizeof(struct relay_record) + r->n_holes * sizeof(struct nfv_pinhole) &&
		(streams == 0 || m->conf.relay != NULL);
}

static void
fill(struct sip_media *m, uint32_t i, const struct media_record *r)
{
	struct call *c = media_call(m, i);

	*c = (struct call){ .other = r->other,
		.answer = r->answer,
		.until = r->until,
		.fresh = r->fresh,
		.invite_cseq = r->invite_cseq,
		.offer_cseq = r->offer_cseq,
		.offerer = r->offerer,
		.pending = r->pending,
		.answered = r->answered,
		.established = r->established,
		.ending = r->ending };
	for (int k = 0; k < 2; k++)
		c->party[k] = (struct sip_media_leg){ .peer = r->party[k].peer,
			.own = r->party[k].own,
			.dir = (enum nfv_dir)r->party[k].dir };
	for (uint32_t k = 0; k < SIP_MEDIA_STREAMS; k++) {
		const struct media_record_stream *s = &r->stream[k];

		c->offer[k] = (struct media_stream){ .want = { s->want[0], s->want[1] },
			.clock = s->clock,
			.offered = s->offered,
			.mux = s->mux,
			.anchor = s->anchor };
	}
}

static void
fill_holes(struct sip_media *m, struct call *c, const struct media_record *r, const uint8_t *at)
{
	struct nfv_pinholes *t = m->conf.pinholes;

	if (t == NULL)
		return;
	if (m->shares && nfv_pinhole_lives(t, r->holes))
		c->holes = r->holes;
	if (m->shares || r->n_holes == 0)
		return;
	c->holes = nfv_pinhole_owner(t, m->conf.idle, m->wheel.tick << m->wheel.shift);
	m->stats.unopened += c->holes == 0;
	for (uint32_t i = 0; i < r->n_holes && c->holes != 0; i++) {
		struct nfv_pinhole hole;

		memcpy(&hole, at + i * sizeof(hole), sizeof(hole));
		if (!is_family(hole.to.family) || hole.to.family == NFV_NO_ADDR ||
			!is_family(hole.from.family) || nfv_pinhole_open(t, c->holes, &hole) < 0)
			m->stats.unopened++;
	}
}

/* Whoever has its ports is of before. */
static bool
fill_relay(struct sip_media *m, uint32_t i, const struct media_record *r, const uint8_t **next)
{
	const uint8_t *at = *next;
	struct call *c = media_call(m, i);

	for (uint32_t k = 0; k < SIP_MEDIA_STREAMS; k++) {
		struct relay_record rec;

		if (!r->stream[k].relayed)
			continue;
		memcpy(&rec, at, sizeof(rec));
		at += sizeof(rec);
		for (int side = 0; side < 2; side++) {
			uint32_t owner = relay_owner(m->conf.relay, rec.side[side].port);

			if (owner != 0 && owner != i)
				drop(m, owner);
		}
		c->relay[k] = relay_import(m->conf.relay, &rec);
		if (c->relay[k] == 0)
			return false;
		sip_relay_owned(m->conf.relay, c->relay[k], &m->items, i);
	}
	*next = at;
	return true;
}

int
sip_media_import(struct sip_media *m, uint32_t i, const uint8_t *bytes, size_t n)
{
	const uint8_t *at = bytes + sizeof(struct media_record);
	struct media_record r;

	if (i++ >= m->conf.calls)
		return -EINVAL;
	if (media_call(m, i)->id != 0)
		drop(m, i);
	if (n == 0)
		return 0;
	if (n < sizeof(r))
		return -EINVAL;
	memcpy(&r, bytes, sizeof(r));
	if (!is_sound(m, &r, n - sizeof(r)))
		return -EINVAL;
	take_free(m, i);
	fill(m, i, &r);
	media_put(m, i, r.id);
	if (!fill_relay(m, i, &r, &at)) {
		drop(m, i);
		return -ENOSPC;
	}
	fill_holes(m, media_call(m, i), &r, at);
	media_rearm(m, i, m->wheel.tick << m->wheel.shift);
	return 0;
}

uint64_t *
sip_media_counts(struct sip_media *m)
{
	return &m->stats.offers;
}

void
sip_media_settle(struct sip_media *m)
{
	if (m->conf.relay != NULL)
		relay_settle(m->conf.relay);
}
