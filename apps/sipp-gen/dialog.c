/* Where the scenario has no word: what was seen before, what comes late, what does not belong. */
#include "call.h"

static struct nfv_sv
lines_of(const struct nfv_sip_msg *m, const struct nfv_sip_hdr *h)
{
	return h != NULL ? nfv_sv(m->p + h->at, (size_t)(h->end - h->at)) : nfv_sv(NULL, 0);
}

/* All Via lines, or the first, and then From, To, Call-ID as they stand. */
static void
copy_headers(struct nfv_sip_writer *w, const struct nfv_sip_msg *m, bool all_vias)
{
	static const enum nfv_sip_field field[] = { NFV_SIP_H_FROM, NFV_SIP_H_TO,
		NFV_SIP_H_CALL_ID };
	const struct nfv_sip_hdr *via = nfv_sip_first_hdr(m, NFV_SIP_H_VIA);

	for (; via != NULL; via = all_vias ? nfv_sip_next_hdr(m, via) : NULL)
		nfv_sip_put(w, lines_of(m, via));
	for (size_t i = 0; i < sizeof(field) / sizeof(field[0]); i++)
		nfv_sip_put(w, lines_of(m, nfv_sip_first_hdr(m, field[i])));
}

static uint8_t
cseq_method(const struct nfv_sip_msg *m, uint32_t *number)
{
	uint8_t method = NFV_SIP_OTHER;

	*number = 0;
	match_cseq(m, number, &method);
	return method;
}

static void
finish(struct agent *a, struct call *c, struct nfv_sip_writer *w)
{
	nfv_sip_put_str(w, "Content-Length: 0\r\n\r\n");
	if (w->full) {
		net_abandon(a->net);
		return;
	}
	a->stats.sent++;
	net_commit(a->net, w->n, a->conf.local.port, &c->peer);
}

static bool
start(struct agent *a, const struct call *c, struct nfv_sip_writer *w)
{
	char *room = net_begin(a->net, c->peer.addr.family, NET_PAYLOAD);

	if (room == NULL)
		return false;
	*w = nfv_sip_writer(room, NET_PAYLOAD);
	return true;
}

static void
answer(struct agent *a, struct call *c, const struct nfv_sip_msg *m, const char *status)
{
	struct nfv_sip_writer w;

	if (!start(a, c, &w))
		return;
	nfv_sip_put_str(&w, status);
	copy_headers(&w, m, true);
	nfv_sip_put(&w, lines_of(m, nfv_sip_first_hdr(m, NFV_SIP_H_CSEQ)));
	finish(a, c, &w);
}

/* Our INVITE as it was sent, put together again: what belongs to its transaction or its dialog takes
 * its headers from there. NULL: there was none. */
static const struct nfv_sip_msg *
own_invite(struct agent *a, struct call *c)
{
	size_t n;

	if (!c->caller || c->invite == 0)
		return NULL;
	n = send_render(a, c, (uint16_t)(c->invite - 1), a->scratch, sizeof(a->scratch));
	return n > 0 && nfv_sip_parse(&a->own, a->scratch, n) == NFV_SIP_MESSAGE_OK ? &a->own :
										      NULL;
}

static void
put_start(struct nfv_sip_writer *w, const char *method, struct nfv_sv uri)
{
	nfv_sip_put_str(w, method);
	nfv_sip_put_str(w, " ");
	nfv_sip_put(w, uri);
	nfv_sip_put_str(w, " SIP/2.0\r\n");
}

static void
put_cseq(struct nfv_sip_writer *w, uint32_t number, const char *method)
{
	nfv_sip_put_str(w, "CSeq: ");
	nfv_sip_put_u64(w, number);
	nfv_sip_put_str(w, " ");
	nfv_sip_put_str(w, method);
	nfv_sip_put_str(w, "\r\nMax-Forwards: 70\r\n");
}

/* ACK of a final answer that is no 2xx, and CANCEL, belong to the INVITE's transaction: its URI, its
 * Via, its number (RFC 3261 §9.1, §17.1.1.3); the ACK has the answer's To. */
static void
in_transaction(struct agent *a, struct call *c, const char *method, const struct nfv_sip_msg *to)
{
	const struct nfv_sip_msg *invite = own_invite(a, c);
	struct nfv_sip_writer w;
	uint32_t number;

	if (invite == NULL || !start(a, c, &w))
		return;
	cseq_method(invite, &number);
	put_start(&w, method, invite->uri);
	nfv_sip_put(&w, lines_of(invite, nfv_sip_first_hdr(invite, NFV_SIP_H_VIA)));
	nfv_sip_put(&w, lines_of(invite, nfv_sip_first_hdr(invite, NFV_SIP_H_FROM)));
	nfv_sip_put(&w,
		lines_of(to != NULL ? to : invite,
			nfv_sip_first_hdr(to != NULL ? to : invite, NFV_SIP_H_TO)));
	nfv_sip_put(&w, lines_of(invite, nfv_sip_first_hdr(invite, NFV_SIP_H_CALL_ID)));
	put_cseq(&w, number, method);
	finish(a, c, &w);
}

/* BYE, in the dialog that the 2xx has made. */
static void
hang_up(struct agent *a, struct call *c)
{
	const struct nfv_sip_msg *invite = own_invite(a, c);
	struct nfv_sv target = call_text(c, TEXT_NEXT_URL), routes = call_text(c, TEXT_ROUTES), to;
	struct nfv_sip_writer w;
	uint32_t number;

	if (invite == NULL || !start(a, c, &w))
		return;
	cseq_method(invite, &number);
	put_start(&w, "BYE", target.n > 0 ? target : invite->uri);
	nfv_sip_put_str(&w, "Via: SIP/2.0/UDP ");
	nfv_sip_put_hostport(&w, &a->conf.local);
	nfv_sip_put_str(&w, ";branch=" NFV_SIP_COOKIE "-");
	nfv_sip_put_hex(&w, call_index(a, c), 8);
	nfv_sip_put_str(&w, "-");
	nfv_sip_put_hex(&w, a->now, 16);
	nfv_sip_put_str(&w, "-bye\r\n");
	if (routes.n > 0)
		nfv_sip_put_header(&w, "Route", routes);
	nfv_sip_put(&w, lines_of(invite, nfv_sip_first_hdr(invite, NFV_SIP_H_FROM)));
	to = lines_of(invite, nfv_sip_first_hdr(invite, NFV_SIP_H_TO));
	nfv_sip_put(&w, nfv_sv(to.p, to.n > 2 ? to.n - 2 : 0));
	nfv_sip_put_str(&w, ";tag=");
	nfv_sip_put(&w, call_text(c, TEXT_PEER_TAG));
	nfv_sip_put_str(&w, "\r\n");
	nfv_sip_put(&w, lines_of(invite, nfv_sip_first_hdr(invite, NFV_SIP_H_CALL_ID)));
	put_cseq(&w, number + 1 + (uint32_t)(c->cseq > c->invite_cseq), "BYE");
	finish(a, c, &w);
}

void
dialog_abandon(struct agent *a, struct call *c)
{
	if (c->established && c->method != NFV_SIP_BYE)
		hang_up(a, c);
	else if (!c->established && c->method == NFV_SIP_INVITE && c->answered)
		in_transaction(a, c, "CANCEL", NULL);
}

/* An answer of before: to the request at hand, or to one that has been dealt with. */
static void
late_response(struct agent *a, struct call *c, const struct nfv_sip_msg *m, uint8_t method)
{
	if (m->status >= 200 && method == NFV_SIP_INVITE && c->ack != 0) {
		/* Its ACK was lost: the 2xx comes until it has one (§13.2.2.4). */
		a->stats.absorbed++;
		if (send_step(a, c, (uint16_t)(c->ack - 1), NULL, true)) {
			a->stats.retransmitted++;
			a->stats.step[c->ack - 1].retransmissions++;
		}
	} else if (m->status < 200) {
		a->stats.reordered++;
	} else {
		a->stats.absorbed++;
	}
}

static void
unexpected_response(struct agent *a, struct call *c, const struct nfv_sip_msg *m)
{
	uint32_t number;
	uint8_t method = cseq_method(m, &number);
	const struct step *last = c->last_recv != 0 ? &a->sc->step[c->last_recv - 1] : NULL;
	bool seen = last != NULL && !last->request && last->status == m->status &&
		c->answer_cseq == number && a->answers[c->last_recv - 1] == method;
	bool rejected = m->status >= 300;

	/* To an earlier request, seen already, or overtaken by the final one. */
	if (number < c->cseq || seen || (m->status < 200 && (c->resend == 0 || c->ack != 0)) ||
		(method == NFV_SIP_INVITE && c->ack != 0)) {
		late_response(a, c, m, method);
		return;
	}
	a->stats.step[c->pc < a->sc->n_steps ? c->pc : 0].unexpected++;
	if (rejected && method == NFV_SIP_INVITE)
		in_transaction(a, c, "ACK", m);
	else
		dialog_abandon(a, c);
	call_fail(a, c, rejected ? CAUSE_REJECTED : CAUSE_UNEXPECTED);
}

static bool
has_auto_answer(const struct agent *a, const struct nfv_sip_msg *m)
{
	return a->conf.auto_answer &&
		(m->method == NFV_SIP_INFO || m->method == NFV_SIP_UPDATE ||
			m->method == NFV_SIP_NOTIFY || m->method == NFV_SIP_OPTIONS);
}

bool
dialog_out_of_call(struct agent *a, const struct nfv_sip_msg *m, const struct net_datagram *d)
{
	struct call nobody = { .peer = d->from };

	if (m->response || !has_auto_answer(a, m))
		return false;
	answer(a, &nobody, m, "SIP/2.0 200 OK\r\n");
	a->stats.auto_answered++;
	return true;
}

static void
unexpected_request(struct agent *a, struct call *c, const struct nfv_sip_msg *m)
{
	uint32_t number;

	cseq_method(m, &number);
	if (c->last_recv != 0 && c->peer_method == m->method && c->peer_cseq == number) {
		a->stats.absorbed++;
		if (m->method != NFV_SIP_ACK)
			send_again(a, c, m); /* its answer was lost */
		return;
	}
	if (m->method == NFV_SIP_ACK) {
		a->stats.absorbed++;
		return;
	}
	if (has_auto_answer(a, m)) {
		answer(a, c, m, "SIP/2.0 200 OK\r\n");
		a->stats.auto_answered++;
		return;
	}
	a->stats.step[c->pc < a->sc->n_steps ? c->pc : 0].unexpected++;
	if (m->method == NFV_SIP_BYE || m->method == NFV_SIP_CANCEL)
		answer(a, c, m, "SIP/2.0 200 OK\r\n");
	else
		dialog_abandon(a, c);
	call_fail(a, c, CAUSE_UNEXPECTED);
}

void
dialog_unexpected(
	struct agent *a, struct call *c, const struct nfv_sip_msg *m, const struct net_datagram *d)
{
	(void)d;
	if (m->response)
		unexpected_response(a, c, m);
	else
		unexpected_request(a, c, m);
}
