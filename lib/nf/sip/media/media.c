/* What a message means for its call's media, and what time does. Who a call is, is media_table.c. */
#include <string.h>

#include "media_call.h"

#define BYE_SECONDS 32 /* 64 times T1: who asks gives up by then (RFC 3261 §17.1.2.2) */

/* What steps below hand to each other about a message. */
struct step {
	const struct sip_media_in *in;
	struct nfv_sip_edits *edits;
	struct nfv_sip_writer *ins;
	uint32_t call;   /* 0: not known yet */
	uint8_t sender;  /* party: 0 is who began the call */
	uint64_t other;  /* of the tag of party 1 */
	uint64_t answer; /* of its description */
	enum nfv_sip_method method;
	struct nfv_sdp sdp;
};

void
media_rearm(struct sip_media *m, uint32_t i, uint64_t now)
{
	struct call *c = media_call(m, i);
	uint64_t when = (c->answered || c->established) && !c->ending ?
		media_after(m, now, m->conf.idle) / 2 + now / 2 :
		c->until;

	nfv_wheel_add(&m->wheel, i - 1, when < c->until ? when : c->until);
}

/* SIP has been heard of the call. */
static void
touch(struct sip_media *m, uint32_t i, uint64_t now)
{
	struct call *c = media_call(m, i);

	if (c->ending)
		return;
	c->fresh = now;
	if (c->holes != 0)
		nfv_pinhole_refresh(m->conf.pinholes, c->holes, now);
	c->until = media_after(m, now, c->established ? m->conf.max : m->conf.setup);
	media_rearm(m, i, now);
}

/* Where the sides of relayed streams are, by what this message says. */
static void
place(struct sip_media *m, struct call *c, const struct step *s)
{
	c->party[s->sender] = s->in->from;
	c->party[1 - s->sender] = s->in->to;
	for (uint32_t i = 0; i < SIP_MEDIA_STREAMS; i++)
		for (uint32_t p = 0; p < 2; p++)
			if (c->relay[i] != 0)
				sip_relay_place(m->conf.relay, c->relay[i], p, &c->party[p].own,
					c->party[p].dir);
}

static void
announce(struct sip_media *m, const struct call *c, uint32_t party,
	const struct media_stream stream[SIP_MEDIA_STREAMS])
{
	for (uint32_t i = 0; i < SIP_MEDIA_STREAMS; i++)
		if (c->relay[i] != 0)
			sip_relay_announce(m->conf.relay, c->relay[i], party, stream[i].want,
				&c->party[party].peer, stream[i].clock);
}

static void
edit(const struct sip_media *m, const struct call *c, const struct step *s,
	const struct media_stream *stream)
{
	if (m->conf.relay != NULL)
		media_edit(s->in->msg, &s->sdp, stream, m->conf.relay, c->relay, 1u - s->sender,
			s->edits, s->ins);
}

/* A relay's stream for each that is offered; false, and none more than before, if there is no room. */
static bool
open_streams(
	struct sip_media *m, uint32_t call, const struct media_stream stream[SIP_MEDIA_STREAMS])
{
	struct call *c = media_call(m, call);
	uint32_t opened = 0;

	for (uint32_t i = 0; m->conf.relay != NULL && i < SIP_MEDIA_STREAMS; i++) {
		if (c->relay[i] != 0 || !stream[i].anchor)
			continue;
		c->relay[i] = sip_relay_open(m->conf.relay);
		if (c->relay[i] != 0) {
			opened |= 1u << i;
			sip_relay_owned(m->conf.relay, c->relay[i], &m->items, call);
			continue;
		}
		for (uint32_t j = 0; j < i; j++)
			if (opened & 1u << j)
				media_close_stream(m, c, j);
		return false;
	}
	return true;
}

static int
offer(struct sip_media *m, struct step *s)
{
	struct media_stream stream[SIP_MEDIA_STREAMS];
	uint32_t i = s->call != 0 ? s->call : media_new(m, s->in->core);
	struct call *c;

	media_read(&m->rules, &s->sdp, s->in->from.dir, stream);
	if (i == 0 || !open_streams(m, i, stream)) {
		if (i != 0 && s->call == 0)
			media_end(m, i);
		m->stats.refused++;
		return -ENOSPC;
	}
	s->call = i;
	c = media_call(m, i);
	place(m, c, s);
	memcpy(c->offer, stream, sizeof(c->offer));
	/* Until an answer takes a later one up, the endpoints agreed on hold (RFC 3264 §8). */
	if (!c->answered)
		announce(m, c, s->sender, stream);
	c->offerer = s->sender;
	c->offer_cseq = s->in->core->cseq.number;
	if (s->method == NFV_SIP_INVITE)
		c->invite_cseq = c->offer_cseq;
	c->pending = true;
	c->answer = 0;
	m->stats.offers++;
	edit(m, c, s, stream);
	return 0;
}

static void
open_hole(struct sip_media *m, uint64_t owner, const struct nfv_endpoint *to,
	const struct nfv_addr *from)
{
	static const struct nfv_addr anybody;
	struct nfv_pinhole hole = {
		.to = to->addr, .from = *from, .port = to->port, .proto = NFV_PROTO_UDP
	};

	if (to->port == 0 || to->addr.family == NFV_NO_ADDR)
		return;
	if (m->conf.any_source)
		hole.from = anybody;
	/* Of the other family it can come from nobody. */
	if (hole.from.family != NFV_NO_ADDR && hole.from.family != hole.to.family)
		return;
	if (nfv_pinhole_open(m->conf.pinholes, owner, &hole) < 0)
		m->stats.unopened++;
}

/* Between a party and the relay: what the party sends, from wherever (the relay looks), and what the
 * relay sends it. */
static void
open_to_relay(struct sip_media *m, uint64_t owner, uint32_t id, uint32_t party,
	const struct media_stream *stream, bool rtcp)
{
	const struct sip_relay_side *side = &sip_relay_stream(m->conf.relay, id)->side[party];
	struct nfv_endpoint own = { side->own, (uint16_t)(side->port + rtcp) };
	static const struct nfv_addr anybody;

	open_hole(m, owner, &own, &anybody);
	open_hole(m, owner, &stream->want[rtcp], &own.addr);
}

static void
open_direct(struct sip_media *m, uint64_t owner, const struct nfv_endpoint *a,
	const struct nfv_endpoint *b)
{
	if (a->addr.family != NFV_NO_ADDR)
		open_hole(m, owner, b, &a->addr);
	if (b->addr.family != NFV_NO_ADDR)
		open_hole(m, owner, a, &b->addr);
}

/* `stream` is the answerer's. The new owner goes before the old: a pinhole of both is never missing. */
static void
open_holes(struct sip_media *m, struct call *c, const struct media_stream *stream, uint64_t now)
{
	uint64_t owner;

	if (m->conf.pinholes == NULL)
		return;
	owner = nfv_pinhole_owner(m->conf.pinholes, m->conf.idle, now);
	if (owner == 0)
		m->stats.unopened++;
	for (uint32_t i = 0; owner != 0 && i < SIP_MEDIA_STREAMS; i++) {
		const struct media_stream *a = &c->offer[i], *b = &stream[i];
		int ports = a->mux && b->mux ? 1 : 2;

		for (int k = 0; a->offered && b->offered && k < ports; k++) {
			if (c->relay[i] == 0) {
				open_direct(m, owner, &a->want[k], &b->want[k]);
				continue;
			}
			open_to_relay(m, owner, c->relay[i], c->offerer, a, k == 1);
			open_to_relay(m, owner, c->relay[i], 1u - c->offerer, b, k == 1);
		}
	}
	media_close_holes(m, c);
	c->holes = owner;
}

static void
answer(struct sip_media *m, struct step *s)
{
	struct media_stream stream[SIP_MEDIA_STREAMS];
	struct call *c = media_call(m, s->call);
	uint64_t now = s->in->tsc;

	media_read(&m->rules, &s->sdp, s->in->from.dir, stream);
	/* The same once more, in a 200 after a 183: nothing of it is new but that it is heard. */
	if (c->answer != s->answer || c->other != s->other || m->conf.pinholes == NULL ||
		!nfv_pinhole_refresh(m->conf.pinholes, c->holes, now)) {
		place(m, c, s);
		announce(m, c, s->sender, stream);
		announce(m, c, c->offerer, c->offer);
		open_holes(m, c, stream, now);
	}
	edit(m, c, s, stream);
	for (uint32_t i = 0; i < SIP_MEDIA_STREAMS; i++)
		if (!c->offer[i].offered || !stream[i].offered)
			media_close_stream(m, c, i);
	c->answer = s->answer;
	c->other = s->other;
	c->pending = false;
	c->answered = true;
	m->stats.answers++;
}

/* Whether the description of this message answers the call's offer. */
static bool
is_answer(const struct call *c, const struct step *s)
{
	if (s->sender == c->offerer)
		return false;
	if (s->in->msg->response || s->method == NFV_SIP_ACK)
		return s->in->core->cseq.number == c->offer_cseq;
	return s->method == NFV_SIP_PRACK && c->pending;
}

static int
describe(struct sip_media *m, struct step *s)
{
	struct nfv_sv text;
	int rc = nfv_sdp_find(s->in->msg, &text);

	if (rc == 0)
		return 0;
	if (rc < 0 || nfv_sdp_parse(text, &s->sdp) < 0) {
		m->stats.unreadable++;
		return -EINVAL;
	}
	s->answer = media_hash(m, text, nfv_sv(NULL, 0));
	if (s->call != 0 && is_answer(media_call(m, s->call), s)) {
		answer(m, s);
		return 0;
	}
	/* An ACK has nothing to offer, nor has what refuses. */
	if (s->method == NFV_SIP_ACK || (s->in->msg->response && s->in->msg->status >= 300))
		return 0;
	if (s->method != NFV_SIP_INVITE && s->method != NFV_SIP_UPDATE &&
		s->method != NFV_SIP_PRACK)
		return 0;
	return offer(m, s);
}

/* A BYE, or what is said to one. True: the call is over. */
static bool
hang_up(struct sip_media *m, const struct step *s)
{
	const struct nfv_sip_msg *msg = s->in->msg;
	struct call *c = media_call(m, s->call);

	if (c->other != 0 && c->other != s->other)
		return false; /* another branch's */
	if (msg->response)
		return msg->status >= 200 && msg->status != 401 && msg->status != 407;
	if (!c->ending) {
		uint64_t until = media_after(m, s->in->tsc, BYE_SECONDS);

		c->ending = true;
		c->until = until < c->until ? until : c->until;
		media_rearm(m, s->call, s->in->tsc);
	}
	return false;
}

/* A final response to an INVITE. True: the call has failed. */
static bool
conclude(struct call *c, const struct step *s)
{
	uint32_t cseq = s->in->core->cseq.number;

	if (s->in->msg->status < 300) {
		c->established = true;
		c->other = s->other;
		return false;
	}
	if (!c->established)
		return cseq == c->invite_cseq;
	if (cseq == c->offer_cseq)
		c->pending = false; /* refused: what was agreed on before holds (§14.1) */
	return false;
}

int
sip_media(struct sip_media *m, const struct sip_media_in *in, struct nfv_sip_edits *edits,
	struct nfv_sip_writer *ins)
{
	struct step s = { .in = in, .edits = edits, .ins = ins };
	bool by_from, over = false;
	int rc;

	s.method = in->msg->response ? nfv_sip_method(in->core->cseq.method) :
				       (enum nfv_sip_method)in->msg->method;
	if (in->core->from.tag.n == 0)
		return 0; /* RFC 2543: no dialog to speak of */
	s.call = media_find(m, in->core, &by_from);
	s.sender = in->msg->response == by_from;
	s.other = media_tag_hash(m, by_from ? in->core->to.tag : in->core->from.tag);
	rc = describe(m, &s);
	if (s.call == 0)
		return rc;
	nfv_item_touch(&m->items, s.call - 1);
	if (s.method == NFV_SIP_BYE)
		over = hang_up(m, &s);
	else if (s.method == NFV_SIP_INVITE && in->msg->response && in->msg->status >= 200)
		over = conclude(media_call(m, s.call), &s);
	if (over) {
		media_end(m, s.call);
		m->stats.ended++;
	} else if (rc == 0) {
		touch(m, s.call, in->tsc);
	}
	return rc;
}

int
sip_media_again(struct sip_media *m, const struct sip_media_in *in, struct nfv_sip_edits *edits,
	struct nfv_sip_writer *ins)
{
	struct step s = { .in = in, .edits = edits, .ins = ins };
	struct media_stream stream[SIP_MEDIA_STREAMS];
	struct nfv_sv text;
	bool by_from;
	uint32_t i = media_find(m, in->core, &by_from);
	int rc = nfv_sdp_find(in->msg, &text);

	if (i == 0 || rc == 0)
		return 0;
	if (rc < 0 || nfv_sdp_parse(text, &s.sdp) < 0)
		return -EINVAL;
	s.sender = in->msg->response == by_from;
	media_read(&m->rules, &s.sdp, in->from.dir, stream);
	edit(m, media_call(m, i), &s, stream);
	return 0;
}

void
sip_media_end(struct sip_media *m, const struct nfv_sip_core *core)
{
	bool by_from;
	uint32_t i = media_find(m, core, &by_from);

	if (i == 0 || media_call(m, i)->established)
		return;
	media_end(m, i);
	m->stats.ended++;
}

/* Whether media have been heard within the idle time, by the relay or by the firewall. */
static bool
is_heard(struct sip_media *m, const struct call *c, uint64_t now)
{
	bool relayed = false;

	if (now - c->fresh < m->conf.idle * m->tsc_hz)
		return true;
	for (uint32_t i = 0; i < SIP_MEDIA_STREAMS; i++) {
		const struct sip_relay_stream *s;

		if (c->relay[i] == 0)
			continue;
		relayed = true;
		s = sip_relay_stream(m->conf.relay, c->relay[i]);
		if (s->heard != 0 && now - s->heard < m->conf.idle * m->tsc_hz)
			return true;
	}
	return !relayed && (c->holes == 0 || nfv_pinhole_lives(m->conf.pinholes, c->holes));
}

static void
expire(struct sip_media *m, uint32_t i, uint64_t now)
{
	struct call *c = media_call(m, i);

	if (now >= c->until || (c->established && !is_heard(m, c, now))) {
		media_end(m, i);
		m->stats.expired++;
		return;
	}
	/* What the relay hears, and an answer that is not accepted yet, keep the pinholes. */
	if (c->holes != 0 && (!c->established || m->conf.relay != NULL))
		nfv_pinhole_refresh(m->conf.pinholes, c->holes, now);
	media_rearm(m, i, now);
}

void
sip_media_tick(struct sip_media *m, uint64_t now)
{
	enum { AT_ONCE = 32 };
	uint32_t due[AT_ONCE], n = nfv_wheel_advance(&m->wheel, now, due, AT_ONCE);

	for (uint32_t i = 0; i < n; i++)
		expire(m, due[i] + 1, now);
}
