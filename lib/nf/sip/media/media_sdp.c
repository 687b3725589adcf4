#include <string.h>

#include "media_sdp.h"

#define PORT_LEAST 1024 /* below are services, not media */

static bool
is_own(const struct media_rules *rules, const struct nfv_addr *a)
{
	for (int d = 0; d < 2; d++)
		for (uint32_t i = 0; i < rules->n_own[d]; i++)
			if (nfv_addr_eq(&rules->own[d][i].addr, a))
				return true;
	return false;
}

/* One that can be sent to: not of this network or host alone, and not of many. */
static bool
is_host(const struct nfv_addr *a)
{
	static const uint8_t low[15], mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (a->family == NFV_IPV4)
		return a->b[0] != 0 && a->b[0] != 127 && a->b[0] < 224;
	return a->b[0] != 0xff && memcmp(a->b, mapped, sizeof(mapped)) != 0 &&
		!(memcmp(a->b, low, sizeof(low)) == 0 && a->b[15] <= 1);
}

/* What of an announced endpoint is believed; false if media do not go there. */
static bool
believe(const struct media_rules *rules, enum nfv_dir dir, const struct nfv_endpoint *said,
	struct nfv_endpoint *out)
{
	if (!is_host(&said->addr))
		return false;
	if (said->port < PORT_LEAST) {
		(*rules->foreign)++;
		return false;
	}
	*out = *said;
	/* An own address is a mapping of the NAT here, so somebody inside. */
	if (dir == NFV_OUTWARD &&
		(is_own(rules, &said->addr) ||
			nfv_stage_toward(rules->toward, rules->n_toward, &said->addr,
				NFV_OUTWARD) == NFV_INWARD)) {
		(*rules->foreign)++;
		out->addr = (struct nfv_addr){ .family = NFV_NO_ADDR };
		return rules->relay != NULL;
	}
	return true;
}

/* The relay's own endpoint: this description has passed here before, and its media with it. */
static bool
passed_before(const struct media_rules *rules, const struct nfv_endpoint *e)
{
	return rules->relay != NULL && sip_relay_has_port(rules->relay, e->port) &&
		is_own(rules, &e->addr);
}

static void
read_stream(const struct media_rules *rules, const struct nfv_sdp *sdp, uint32_t i,
	enum nfv_dir dir, struct media_stream *s)
{
	const struct nfv_sdp_media *m = &sdp->media[i];
	struct nfv_endpoint rtp, rtcp;

	s->offered = m->port != 0;
	s->mux = m->rtcp_mux;
	s->clock = m->clock;
	if (!m->udp || m->ports != 1 || !nfv_sdp_rtp(sdp, i, &rtp) || passed_before(rules, &rtp))
		return;
	/* A place for the relay's `c=` must be there, and what is on hold by its address stays so. */
	s->anchor = is_host(&rtp.addr) && (m->conn.text.p != NULL || m->conn_at.p != NULL);
	if (believe(rules, dir, &rtp, &s->want[0]) && nfv_sdp_rtcp(sdp, i, &rtcp))
		believe(rules, dir, &rtcp, &s->want[1]);
}

void
media_read(const struct media_rules *rules, const struct nfv_sdp *sdp, enum nfv_dir dir,
	struct media_stream stream[SIP_MEDIA_STREAMS])
{
	memset(stream, 0, SIP_MEDIA_STREAMS * sizeof(stream[0]));
	for (uint32_t i = 0; i < SIP_MEDIA_STREAMS && i < sdp->n_media; i++)
		read_stream(rules, sdp, i, dir, &stream[i]);
}

static void
put_conn(struct nfv_sip_writer *w, const struct nfv_addr *a)
{
	char text[NFV_ADDR_TEXT];

	nfv_sip_put_str(w, a->family == NFV_IPV4 ? "IP4 " : "IP6 ");
	nfv_sip_put_str(w, nfv_addr_text(a, text));
}

struct edit {
	const struct nfv_sip_msg *msg;
	struct nfv_sip_edits *edits;
	struct nfv_sip_writer *ins;
};

static void
edit_conn(struct edit *e, struct nfv_sv text, const struct nfv_addr *own)
{
	size_t from = e->ins->n;

	put_conn(e->ins, own);
	nfv_sip_edit_view(e->edits, e->msg, text, nfv_sip_written(e->ins, from));
}

static void
edit_number(struct edit *e, struct nfv_sv text, uint64_t number)
{
	size_t from = e->ins->n;

	nfv_sip_put_u64(e->ins, number);
	nfv_sip_edit_view(e->edits, e->msg, text, nfv_sip_written(e->ins, from));
}

static void
insert_conn(struct edit *e, struct nfv_sv at, const struct nfv_addr *own)
{
	size_t from = e->ins->n;

	nfv_sip_put_str(e->ins, "c=IN ");
	put_conn(e->ins, own);
	nfv_sip_put_str(e->ins, "\r\n");
	nfv_sip_edit_view(e->edits, e->msg, at, nfv_sip_written(e->ins, from));
}

/* Whether every stream that the session's `c=` holds for is relayed, so that it can be replaced. */
static bool
all_anchored(const struct nfv_sdp *sdp, const struct media_stream *stream, const uint32_t *id)
{
	if (sdp->conn.text.p == NULL)
		return false;
	for (uint32_t i = 0; i < sdp->n_media; i++) {
		bool anchored = i < SIP_MEDIA_STREAMS && id[i] != 0 && stream[i].anchor;

		if (sdp->media[i].port != 0 && sdp->media[i].conn.text.p == NULL && !anchored)
			return false;
	}
	return true;
}

/* Content-Length by what the edits of the body have added and taken away. */
static void
edit_length(struct edit *e)
{
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(e->msg, NFV_SIP_H_CONTENT_LENGTH);
	size_t n = e->msg->body_n;

	for (uint16_t i = 0; i < e->edits->n; i++)
		if (e->edits->e[i].at >= e->msg->body)
			n += e->edits->e[i].ins.n - e->edits->e[i].del;
	if (h != NULL && n != e->msg->body_n)
		edit_number(e, nfv_sip_value(e->msg, h), n);
}

void
media_edit(const struct nfv_sip_msg *msg, const struct nfv_sdp *sdp,
	const struct media_stream stream[SIP_MEDIA_STREAMS], const struct sip_relay *relay,
	const uint32_t id[SIP_MEDIA_STREAMS], unsigned int side, struct nfv_sip_edits *edits,
	struct nfv_sip_writer *ins)
{
	struct edit e = { msg, edits, ins };
	bool session = all_anchored(sdp, stream, id), session_done = false;

	for (uint32_t i = 0; i < SIP_MEDIA_STREAMS && i < sdp->n_media; i++) {
		const struct nfv_sdp_media *m = &sdp->media[i];
		const struct sip_relay_side *s;

		if (id[i] == 0 || !stream[i].anchor)
			continue;
		s = &sip_relay_stream(relay, id[i])->side[side];
		if (m->conn.text.p != NULL)
			edit_conn(&e, m->conn.text, &s->own);
		else if (!session)
			insert_conn(&e, m->conn_at, &s->own);
		else if (!session_done)
			edit_conn(&e, sdp->conn.text, &s->own);
		session_done |= session && m->conn.text.p == NULL;
		edit_number(&e, m->port_text, s->port);
		if (m->rtcp.p != NULL)
			edit_number(&e, m->rtcp, s->port + (m->rtcp_port != m->port));
	}
	edit_length(&e);
}
