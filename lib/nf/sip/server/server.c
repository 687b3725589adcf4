/* Requests of a stateful proxy (RFC 3261 §16.2–16.6, 17.2), and time. */
#include "server.h"

#define RETRY_AFTER "Retry-After: 5\r\n"

static struct nfv_sv
none(void)
{
	return nfv_sv(NULL, 0);
}

bool
sip_send(struct sip_server *s, uint8_t dir, uint8_t own, const struct nfv_endpoint *to,
	struct nfv_sv text)
{
	struct nfv_endpoint from = { s->px.own[own].prefix.addr, s->px.port };

	if (text.n == 0) /* there was no room to keep it */
		return false;
	if (s->sink.send(s->sink.ctx, (enum nfv_dir)dir, &from, to, text))
		return true;
	s->count.unsent++;
	return false;
}

void
sip_say(struct sip_server *s, struct sip_work *work, unsigned int status, const char *text,
	struct nfv_sv lines, struct sip_result *r)
{
	sip_answer(work, status, text, lines, s->buf, sizeof(s->buf), r);
	if (r->action == SIP_ANSWER &&
		!s->sink.send(s->sink.ctx, r->dir, &r->from, &r->to, r->text))
		s->count.unsent++;
}

struct sip_work *
sip_reopen(struct sip_server *s, const struct sip_txn *x)
{
	struct sip_work *w = &s->kept;
	const char *text;

	if (x->request == SIP_NO_TEXT)
		return NULL;
	s->kept_in = (struct sip_in){ .text = sip_store_text(&s->txns.texts, x->request, s->text),
		.src = x->peer,
		.dst = { s->px.own[x->own].prefix.addr, s->px.port },
		.dir = (enum nfv_dir)x->dir };
	sip_work_begin(w, &s->px, &s->kept_in);
	if (nfv_sip_parse(&w->msg, s->kept_in.text.p, s->kept_in.text.n) != NFV_SIP_MESSAGE_OK ||
		sip_request_check(w, false, &text) != 0)
		return NULL;
	return w;
}

static void
outcome(struct sip_outcome *out, const struct sip_result *r)
{
	*out = (struct sip_outcome){ r->action, r->drop, r->status };
}

static void
refuse(struct sip_server *s, unsigned int status, const char *text, struct nfv_sv lines,
	struct sip_outcome *out)
{
	struct sip_result r = { 0 };

	sip_bucket_fill(&s->refusals, s->now);
	if (s->work.msg.method == NFV_SIP_ACK) {
		sip_drop(&r, status == 400 ? SIP_DROP_MALFORMED : SIP_DROP_ACK_UNROUTABLE);
	} else if (!sip_bucket_take(&s->refusals)) {
		sip_drop(&r, SIP_DROP_ERROR_LIMITED);
	} else {
		s->work.refusing = true;
		sip_say(s, &s->work, status, text, lines, &r);
		s->work.refusing = false;
	}
	outcome(out, &r);
}

/* What belongs to no transaction of ours travels on as it would through a stateless proxy. */
static void
pass_statelessly(struct sip_server *s, struct sip_outcome *out)
{
	struct sip_result r = { 0 };

	sip_request_pass(&s->work, s->buf, sizeof(s->buf), &r);
	if ((r.action == SIP_FORWARD || r.action == SIP_ANSWER) &&
		!s->sink.send(s->sink.ctx, r.dir, &r.from, &r.to, r.text))
		s->count.unsent++;
	outcome(out, &r);
}

/* The request has come before: say again what was said last. */
static void
again(struct sip_server *s, uint32_t i, struct sip_outcome *out)
{
	struct sip_txn *x = sip_txn_at(&s->txns, i);
	struct sip_result r;

	s->count.absorbed++;
	out->action = SIP_ABSORB;
	if (!(sip_txn_event(&s->txns, i, SIP_AGAIN, s->now) & SIP_RESEND))
		return;
	s->count.resent++;
	/* A final one that waits for better ones is not for saying yet. */
	if (x->response != SIP_NO_TEXT && (x->state != SIP_PROCEEDING || x->status < 200))
		sip_send(s, nfv_dir_back((enum nfv_dir)x->dir), x->own, &x->peer,
			sip_store_text(&s->txns.texts, x->response, s->text));
	else if (x->state == SIP_PROCEEDING)
		sip_say(s, &s->work, 100, NULL, none(), &r);
}

/* To one of our own refusals, which are many when there is too much of everything. */
static bool
is_ack_to_us(const struct sip_server *s)
{
	const struct nfv_sip_msg *m = &s->work.msg;
	const struct nfv_sip_hdr *to = nfv_sip_first_hdr(m, NFV_SIP_H_TO);

	return m->method == NFV_SIP_ACK && to != NULL &&
		sip_is_refusal(&s->px, nfv_sip_value(m, to));
}

static void
take_ack(struct sip_server *s, uint32_t i, struct sip_outcome *out)
{
	if (i != SIP_NO_TXN && !(sip_txn_event(&s->txns, i, SIP_ACKED, s->now) & SIP_PASS))
		out->action = SIP_ABSORB;
	else
		pass_statelessly(s, out);
}

/* §9.2, 16.10: the request is given up, whatever its branches answer by now. */
static void
take_cancel(struct sip_server *s, uint32_t i, struct sip_outcome *out)
{
	struct sip_result r = { 0 };
	struct sip_txn *x;

	if (i == SIP_NO_TXN) {
		pass_statelessly(s, out);
		return;
	}
	x = sip_txn_at(&s->txns, i);
	sip_say(s, &s->work, 200, NULL, none(), &r);
	outcome(out, &r);
	if (x->state != SIP_PROCEEDING)
		return;
	x->flags |= SIP_CANCELLED;
	sip_txn_touch(&s->txns, i);
	sip_cancel_others(s, i, SIP_NO_TXN);
}

/* A server transaction for the request at hand; SIP_NO_TXN: there is no room for it. */
static uint32_t
open_server(struct sip_server *s, const uint64_t key[2])
{
	const struct nfv_sip_msg *m = &s->work.msg;
	bool invite = m->method == NFV_SIP_INVITE;
	/* Room for its client as well. */
	uint32_t i = s->txns.n_free >= 2 ? sip_txn_server(&s->txns, invite, key) : SIP_NO_TXN;
	struct sip_txn *x;

	if (i == SIP_NO_TXN)
		return i;
	x = sip_txn_at(&s->txns, i);
	x->method = m->method;
	x->own = (uint8_t)sip_own_find(&s->px, &s->work.in->dst.addr);
	x->dir = (uint8_t)s->work.in->dir;
	x->peer = sip_via_back(&s->work);
	x->request = sip_store_keep(&s->txns.texts, nfv_sv(m->p, m->n));
	if (x->request == SIP_NO_TEXT) {
		sip_txn_end(&s->txns, i);
		return SIP_NO_TXN;
	}
	return i;
}

/* Who may not go on, and who registers, is answered statelessly. True: it has been. */
static bool
take_user(struct sip_server *s, const struct sip_course *course, struct sip_outcome *out)
{
	struct nfv_sip_writer lines = nfv_sip_writer(s->lines, sizeof(s->lines));
	struct sip_work *work = &s->work;
	const char *text = NULL;
	struct sip_result r = { 0 };
	unsigned int status = sip_users_may(s->users, work, s->now, &lines, &text);

	if (status == 0 && work->msg.method == NFV_SIP_REGISTER && course->route.text.n == 0 &&
		sip_users_register(s->users) && sip_uri_is_self(&s->px, &course->target, true))
		status = sip_users_take(s->users, work, s->now, &lines, &text);
	if (status == 0)
		return false;
	if (status == 200) {
		sip_say(s, work, status, text, nfv_sip_written(&lines, 0), &r);
		outcome(out, &r);
	} else {
		refuse(s, status, text, nfv_sip_written(&lines, 0), out);
	}
	return true;
}

static void
take_request(struct sip_server *s, struct sip_outcome *out)
{
	struct sip_work *work = &s->work;
	struct sip_hop hop[SIP_HOPS_MAX];
	struct sip_course course;
	struct sip_result r;
	bool acts = work->msg.method == NFV_SIP_ACK || work->msg.method == NFV_SIP_CANCEL;
	bool topped = nfv_sip_read_top(&work->msg, &work->core);
	const char *text = NULL;
	unsigned int status = topped ? 0 : sip_request_check(work, false, &text), n = 0;
	uint64_t key[2];
	uint32_t i;

	if (status != 0) {
		refuse(s, status, text, none(), out);
		return;
	}
	sip_txn_key(work, key);
	i = sip_txn_find(&s->txns, key);
	if (!acts && i != SIP_NO_TXN) {
		again(s, i, out);
		return;
	}
	/* What is not of a call that goes on, and not worth more than this look if it is too much. */
	if (!acts && work->core.to.tag.n == 0 && !sip_overload_admit(&s->overload, s->now)) {
		s->count.shed++;
		refuse(s, 503, NULL, NFV_SV(RETRY_AFTER), out);
		return;
	}
	if (topped)
		status = sip_request_check(work, true, &text);
	if (status != 0) {
		refuse(s, status, text, none(), out);
		return;
	}
	if (acts) {
		(work->msg.method == NFV_SIP_ACK ? take_ack : take_cancel)(s, i, out);
		return;
	}
	text = sip_request_course(work, &course);
	status = text != NULL ? 400 : 0;
	if (status == 0 && s->users != NULL && take_user(s, &course, out))
		return;
	if (status == 0)
		status = sip_request_hops(work, &course, hop, &n);
	if (status == 0 && sip_is_loop(work)) {
		s->count.loops++;
		status = 482;
	}
	if (status == 0) {
		struct nfv_endpoint back = sip_via_back(work);

		if (sip_is_self(&s->px, &back))
			status = 482;
	}
	if (status != 0) {
		refuse(s, status, text, none(), out);
		return;
	}
	i = open_server(s, key);
	if (i == SIP_NO_TXN) {
		s->count.full++;
		sip_edits_reset(work);
		/* A call that goes on does so, also when others have filled the table. */
		if (work->core.to.tag.n > 0)
			pass_statelessly(s, out);
		else
			refuse(s, 503, NULL, NFV_SV(RETRY_AFTER), out);
		return;
	}
	out->action = SIP_FORWARD;
	if (work->msg.method == NFV_SIP_INVITE)
		sip_say(s, work, 100, NULL, none(), &r);
	sip_edits_reset(work);
	sip_fork(s, i, work, &course, hop, n);
}

void
sip_server_take(
	struct sip_server *s, const struct sip_in *in, uint64_t now, struct sip_outcome *out)
{
	struct sip_work *work = &s->work;

	s->now = now;
	*out = (struct sip_outcome){ 0 };
	sip_work_begin(work, &s->px, in);
	switch (nfv_sip_parse(&work->msg, in->text.p, in->text.n)) {
	case NFV_SIP_MESSAGE_OK:
		if (work->msg.response)
			sip_reply_take(s, out);
		else if (is_ack_to_us(s))
			out->action = SIP_ABSORB;
		else
			take_request(s, out);
		return;
	case NFV_SIP_KEEPALIVE:
		out->action = SIP_KEEPALIVE;
		return;
	case NFV_SIP_STUN:
		out->action = SIP_STUN;
		return;
	case NFV_SIP_NOT_SIP:
		out->action = SIP_DROP;
		out->drop = SIP_DROP_NOT_SIP;
		return;
	}
}

static void
expired(struct sip_server *s, uint32_t i)
{
	struct sip_txn *x = sip_txn_at(&s->txns, i);
	unsigned int acts = sip_txn_event(&s->txns, i, sip_txn_due(x, s->now), s->now);

	if (acts & SIP_RESEND) {
		s->count.resent++;
		if (x->machine > SIP_SERVER)
			sip_branch_resend(s, i);
		else
			sip_send(s, nfv_dir_back((enum nfv_dir)x->dir), x->own, &x->peer,
				sip_store_text(&s->txns.texts, x->response, s->text));
	}
	if (acts & SIP_TIMEOUT)
		sip_branch_timeout(s, i);
	if (acts & SIP_END)
		sip_txn_end(&s->txns, i);
}

bool
sip_server_tick(struct sip_server *s, uint64_t now, unsigned int max)
{
	enum { AT_ONCE = 16 };
	uint32_t due[AT_ONCE], n;

	s->now = now;
	sip_probe_tick(s);
	if (s->users != NULL)
		sip_users_tick(s->users, now);
	if (s->media != NULL)
		sip_media_tick(s->media, now);
	for (; max > 0; max -= n) {
		n = sip_txns_expired(&s->txns, now, due, max < AT_ONCE ? max : AT_ONCE);
		if (n == 0)
			return true;
		for (uint32_t k = 0; k < n; k++)
			expired(s, due[k]);
	}
	return false;
}
