/* Responses of a stateful proxy (RFC 3261 §16.7, RFC 6026 §7.3). */
#include "server.h"

static enum sip_event
event_of(unsigned int status)
{
	return status < 200 ? SIP_1XX : status < 300 ? SIP_2XX : SIP_3XX;
}

/* Whose response it is: by what our branch says, and by the method, since a CANCEL has the branch of its
 * INVITE (§17.1.3). */
static uint32_t
client_of(const struct sip_server *s, uint32_t i, uint32_t generation)
{
	const struct sip_txn *x = sip_txn_at(&s->txns, i);

	if (x->state == SIP_FREE || x->machine <= SIP_SERVER || x->generation != generation)
		return SIP_NO_TXN;
	if (x->server != SIP_NO_TXN)
		sip_txn_prefetch(&s->txns, x->server);
	if (x->machine == SIP_INVITE_CLIENT &&
		nfv_sv_eq(
			s->work.core.cseq.method, nfv_sv_str(nfv_sip_method_name[NFV_SIP_CANCEL])))
		return x->cancel != SIP_NO_TXN && sip_txn_at(&s->txns, x->cancel)->cancel == i ?
			x->cancel :
			SIP_NO_TXN;
	return i;
}

static void
accepted(struct sip_server *s, uint32_t client, bool first)
{
	uint32_t server = sip_txn_at(&s->txns, client)->server;
	struct sip_txn *x = sip_txn_at(&s->txns, server);

	if (!first)
		return;
	x->open--;
	x->flags |= SIP_CANCELLED;
	sip_cancel_others(s, server, client);
}

static void
carry_on(struct sip_server *s, uint32_t client, bool first, struct sip_outcome *out)
{
	struct sip_txn *x = sip_txn_at(&s->txns, client), *server;
	struct nfv_sip_writer w = nfv_sip_writer(s->reply, sizeof(s->reply));
	unsigned int status = s->work.msg.status;
	struct nfv_sv text = { 0 };

	/* A provisional one that was waited for: now it can be cancelled. */
	if (status < 200 && (x->flags & SIP_CANCELLED))
		sip_cancel(s, client);
	if (status == 100)
		return;
	out->action = SIP_FORWARD;
	server = sip_txn_at(&s->txns, x->server);
	sip_store_prefetch(&s->txns.texts, status < 200 ? server->response : server->request);
	sip_response_oc(&s->work);
	if (sip_edit_body(&s->work, &server->peer, server->own,
		    nfv_dir_back((enum nfv_dir)server->dir)) &&
		sip_response_write(&s->work, &w))
		text = nfv_sip_written(&w, 0);
	if (status >= 300) {
		sip_branch_failed(s, client, status, text);
		return;
	}
	if (text.n > 0)
		sip_reply_send(s, x->server, status, text);
	if (status >= 200)
		accepted(s, client, first);
}

void
sip_reply_take(struct sip_server *s, struct sip_outcome *out)
{
	struct sip_work *work = &s->work;
	uint32_t i = SIP_NO_TXN, generation;
	unsigned int acts, vias;
	const char *text;
	bool first, topped, ours;

	/* Found before the rest is read, so that it has come from memory by then. */
	topped = nfv_sip_read_top(&work->msg, &work->core);
	ours = topped && sip_branch_txn_read(&s->px, work->core.via.branch, &i, &generation) &&
		i < s->txns.max;
	if (ours)
		sip_txn_prefetch(&s->txns, i);
	out->action = SIP_DROP;
	if (nfv_sip_validate_used(&work->msg, &work->core, topped, &text) != 0) {
		out->drop = SIP_DROP_MALFORMED;
		return;
	}
	out->drop = SIP_DROP_RESPONSE_STRAY;
	vias = sip_response_vias(work);
	if (vias == 0)
		return;
	i = ours ? client_of(s, i, generation) : SIP_NO_TXN;
	if (i == SIP_NO_TXN) {
		struct sip_result r = { 0 };

		/* To what went through here statelessly. */
		sip_response(work, s->buf, sizeof(s->buf), &r);
		if (r.action == SIP_FORWARD &&
			!s->sink.send(s->sink.ctx, r.dir, &r.from, &r.to, r.text))
			s->count.unsent++;
		*out = (struct sip_outcome){ r.action, r.drop, 0 };
		return;
	}
	if (vias < 2 && sip_txn_at(&s->txns, i)->server != SIP_NO_TXN)
		return; /* nobody below us could get it */
	out->action = SIP_ABSORB;
	first = sip_txn_at(&s->txns, i)->state < SIP_ACCEPTED;
	acts = sip_txn_event(&s->txns, i, event_of(work->msg.status), s->now);
	s->count.absorbed += acts == 0;
	if (sip_txn_at(&s->txns, i)->flags & (SIP_PROBE | SIP_FAILOVER))
		sip_probe_seen(s, &sip_txn_at(&s->txns, i)->peer, true);
	if (acts & SIP_ACK_IT)
		sip_ack_it(s, i, work->core.to.text);
	if ((acts & SIP_PASS) && sip_txn_at(&s->txns, i)->server != SIP_NO_TXN)
		carry_on(s, i, first, out);
}

/* What may have to be said again. */
static void
keep(struct sip_server *s, struct sip_txn *x, unsigned int status, struct nfv_sv text)
{
	if (status < 200 && x->status >= 300)
		return; /* there is a better one, which will be said at the end */
	sip_store_drop(&s->txns.texts, x->response);
	x->response = SIP_NO_TEXT;
	x->status = (uint16_t)status;
	if (x->machine == SIP_SERVER || status / 100 != 2)
		x->response = sip_store_keep(&s->txns.texts, text);
}

void
sip_reply_send(struct sip_server *s, uint32_t server, unsigned int status, struct nfv_sv text)
{
	struct sip_txn *x = sip_txn_at(&s->txns, server);

	if (!(sip_txn_event(&s->txns, server, event_of(status), s->now) & SIP_PASS))
		return;
	keep(s, x, status, text);
	sip_send(s, nfv_dir_back((enum nfv_dir)x->dir), x->own, &x->peer, text);
	if (status < 200)
		return;
	sip_store_drop(&s->txns.texts, x->targets);
	x->targets = SIP_NO_TEXT;
	/* Nothing more will be made of the request; but for refusals, which have to be acknowledged. */
	if (x->clients <= 1 && (x->machine == SIP_SERVER || status < 300)) {
		sip_store_drop(&s->txns.texts, x->request);
		x->request = SIP_NO_TEXT;
	}
}

void
sip_reply_own(struct sip_server *s, uint32_t server, unsigned int status)
{
	struct sip_txn *x = sip_txn_at(&s->txns, server);
	struct sip_work *work = NULL;
	struct sip_result r = { 0 };

	/* A non-INVITE request is not answered late (RFC 4320 §4.2). */
	if (x->machine != SIP_SERVER || status != 408)
		work = sip_reopen(s, x);
	if (work != NULL && s->media != NULL && x->machine == SIP_INVITE_SERVER && status >= 300)
		sip_media_end(s->media, &work->core);
	if (work != NULL)
		sip_answer(work, status, NULL, nfv_sv(NULL, 0), s->reply, sizeof(s->reply), &r);
	if (r.action == SIP_ANSWER && work != NULL)
		sip_reply_send(s, server, status, r.text);
	else
		sip_txn_end(&s->txns, server);
}
