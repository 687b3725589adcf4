/* ACK and CANCEL, hop by hop, made from the request as it was sent (RFC 3261 §9.1, 17.1.1.3). */
#include "server.h"

#define T1_64 32000u /* ms */

static void
copy_all(struct nfv_sip_writer *w, const struct nfv_sip_msg *m, enum nfv_sip_field field,
	const char *name)
{
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(m, field);

	for (; h != NULL; h = nfv_sip_next_hdr(m, h))
		nfv_sip_put_header(w, name, nfv_sip_value(m, h));
}

static void
copy(struct nfv_sip_writer *w, const struct nfv_sip_msg *m, enum nfv_sip_field field,
	const char *name)
{
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(m, field);

	if (h != NULL)
		nfv_sip_put_header(w, name, nfv_sip_value(m, h));
}

/* The same Request-URI, topmost Via, Route, From, Call-ID and CSeq number. `to` n == 0: the same. */
static struct nfv_sv
make(struct sip_server *s, uint32_t client, enum nfv_sip_method method, struct nfv_sv to)
{
	struct nfv_sip_writer w = nfv_sip_writer(s->buf, sizeof(s->buf));
	struct nfv_sv text = sip_branch_request(s, client, s->made);
	const struct nfv_sip_msg *m = &s->sent;
	struct nfv_sip_cseq cseq;

	if (text.n == 0 || nfv_sip_parse(&s->sent, text.p, text.n) != NFV_SIP_MESSAGE_OK ||
		nfv_sip_first_hdr(m, NFV_SIP_H_CSEQ) == NULL ||
		nfv_sip_cseq(nfv_sip_value(m, nfv_sip_first_hdr(m, NFV_SIP_H_CSEQ)), &cseq) < 0)
		return nfv_sv(NULL, 0);
	nfv_sip_put_str(&w, nfv_sip_method_name[method]);
	nfv_sip_put_str(&w, " ");
	nfv_sip_put(&w, m->uri);
	nfv_sip_put_str(&w, " SIP/2.0\r\n");
	copy(&w, m, NFV_SIP_H_VIA, "Via");
	nfv_sip_put_str(&w, "Max-Forwards: 70\r\n");
	copy_all(&w, m, NFV_SIP_H_ROUTE, "Route");
	copy(&w, m, NFV_SIP_H_FROM, "From");
	if (to.n > 0)
		nfv_sip_put_header(&w, "To", to);
	else
		copy(&w, m, NFV_SIP_H_TO, "To");
	copy(&w, m, NFV_SIP_H_CALL_ID, "Call-ID");
	nfv_sip_put_str(&w, "CSeq: ");
	nfv_sip_put_u64(&w, cseq.number);
	nfv_sip_put_str(&w, " ");
	nfv_sip_put_str(&w, nfv_sip_method_name[method]);
	nfv_sip_put_str(&w, "\r\nContent-Length: 0\r\n\r\n");
	return w.full ? nfv_sv(NULL, 0) : nfv_sip_written(&w, 0);
}

void
sip_ack_it(struct sip_server *s, uint32_t client, struct nfv_sv to)
{
	struct sip_txn *x = sip_txn_at(&s->txns, client);
	struct nfv_sv text = make(s, client, NFV_SIP_ACK, to);

	if (text.n == 0)
		return;
	s->count.acks++;
	sip_send(s, x->dir, x->own, &x->peer, text);
}

void
sip_cancel(struct sip_server *s, uint32_t client)
{
	struct sip_txn *x = sip_txn_at(&s->txns, client), *c;
	struct nfv_sv text;
	uint32_t i;

	x->flags |= SIP_CANCELLED;
	sip_txn_touch(&s->txns, client);
	if (x->state != SIP_PROCEEDING || x->cancel != SIP_NO_TXN)
		return;
	sip_txn_end_at(&s->txns, client, s->now + T1_64 * s->txns.ms);
	text = make(s, client, NFV_SIP_CANCEL, nfv_sv(NULL, 0));
	i = text.n > 0 ? sip_txn_client(&s->txns, false, SIP_NO_TXN) : SIP_NO_TXN;
	if (i == SIP_NO_TXN)
		return;
	s->count.cancels++;
	c = sip_txn_at(&s->txns, i);
	c->peer = x->peer;
	c->own = x->own;
	c->dir = x->dir;
	c->method = NFV_SIP_CANCEL;
	c->request = sip_store_keep(&s->txns.texts, text);
	c->cancel = client;
	x->cancel = i;
	sip_txn_start(&s->txns, i, s->now);
	sip_send(s, c->dir, c->own, &c->peer, text);
}

void
sip_cancel_others(struct sip_server *s, uint32_t server, uint32_t except)
{
	uint32_t i = sip_txn_at(&s->txns, server)->sibling;

	while (i != SIP_NO_TXN) {
		const struct sip_txn *x = sip_txn_at(&s->txns, i);
		uint32_t next = x->sibling;

		if (i != except && x->machine == SIP_INVITE_CLIENT && x->state <= SIP_PROCEEDING)
			sip_cancel(s, i);
		i = next;
	}
}
