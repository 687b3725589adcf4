/* Whether trunks are there: OPTIONS to each (RFC 3261 §11), as transactions of the proxy's own. */
#include "server.h"

/* One of which the answer comes back here, where proxies are several: a number more, until it does. */
static struct nfv_sv
make_call_id(const struct sip_server *s, uint32_t i, char room[32])
{
	enum { TRIES = 1 << 16 };
	struct nfv_sv id = { NULL, 0 };

	for (uint32_t k = 0; k < TRIES; k++) {
		struct nfv_sip_writer w = nfv_sip_writer(room, 32);

		nfv_sip_put_hex(&w, s->now, 16);
		nfv_sip_put_hex(&w, i, 8);
		if (k > 0)
			nfv_sip_put_hex(&w, k, 8);
		id = nfv_sip_written(&w, 0);
		if (s->share.shards <= 1 || sip_share_of_call(&s->share, id) == s->share.shard)
			break;
	}
	return id;
}

static void
write_probe(struct sip_server *s, const struct sip_trunk *t, uint32_t i, struct nfv_sip_writer *w)
{
	const struct sip_txn *x = sip_txn_at(&s->txns, i);
	struct nfv_endpoint us = { s->px.own[x->own].prefix.addr, s->px.port };
	char call_id[32];

	nfv_sip_put_str(w, "OPTIONS sip:");
	nfv_sip_put_hostport(w, &t->to);
	nfv_sip_put_str(w, " SIP/2.0\r\nVia: SIP/2.0/UDP ");
	nfv_sip_put_hostport(w, &us);
	nfv_sip_put_str(w, ";branch=");
	sip_branch_txn(&s->px, NULL, i, x->generation, w);
	nfv_sip_put_str(w, "\r\nMax-Forwards: 70\r\nFrom: <sip:");
	nfv_sip_put_hostport(w, &us);
	nfv_sip_put_str(w, ">;tag=");
	nfv_sip_put_hex(w, x->generation, 8);
	nfv_sip_put_str(w, "\r\nTo: <sip:");
	nfv_sip_put_hostport(w, &t->to);
	nfv_sip_put_str(w, ">\r\nCall-ID: ");
	nfv_sip_put(w, make_call_id(s, i, call_id));
	nfv_sip_put_str(w, "\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n");
}

static void
probe(struct sip_server *s, const struct sip_trunk *t)
{
	enum nfv_dir dir = sip_dir_of(&s->px, &t->to.addr);
	int own = sip_own_toward(&s->px, dir, &t->to.addr);
	struct nfv_sip_writer w = nfv_sip_writer(s->buf, sizeof(s->buf));
	uint32_t i = own >= 0 ? sip_txn_client(&s->txns, false, SIP_NO_TXN) : SIP_NO_TXN;
	struct sip_txn *x;

	if (i == SIP_NO_TXN)
		return;
	x = sip_txn_at(&s->txns, i);
	x->peer = t->to;
	x->own = (uint8_t)own;
	x->dir = (uint8_t)dir;
	x->method = NFV_SIP_OPTIONS;
	x->flags = SIP_PROBE;
	write_probe(s, t, i, &w);
	x->request = sip_store_keep(&s->txns.texts, nfv_sip_written(&w, 0));
	sip_txn_start(&s->txns, i, s->now);
	sip_txn_end_at(&s->txns, i, s->now + 2ull * s->failover_ms * s->txns.ms);
	sip_send(s, x->dir, x->own, &x->peer, nfv_sip_written(&w, 0));
}

void
sip_probe_tick(struct sip_server *s)
{
	if (s->probe_every == 0 || s->now < s->probe_next)
		return;
	s->probe_next = s->now + s->probe_every;
	for (uint32_t i = 0; i < s->px.trunks.n; i++)
		probe(s, &s->px.trunks.trunk[i]);
}

void
sip_probe_seen(struct sip_server *s, const struct nfv_endpoint *to, bool there)
{
	int i = sip_trunk_find(&s->px.trunks, to);

	if (i < 0)
		return;
	s->px.trunks.trunk[i].absences += !there;
	s->px.trunks.trunk[i].dead = !there;
}
