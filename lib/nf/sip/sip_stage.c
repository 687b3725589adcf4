/*
 * The SIP stage: takes the datagrams that are addressed to the chain at the SIP port, asks the
 * proxy what becomes of them, and writes that: in place where it travels on, into `out` where it
 * turns back. docs/sip.md says what the proxy does and what it does not.
 */
#include "nfv_csum.h"
#include "nfv_stage.h"
#include "server.h"
#include "sip_conf.h"

#define UDP_PAYLOAD_MAX (65535 - NFV_IP4_LEN - NFV_UDP_LEN)
#define TIMERS          24 /* a millisecond or a burst; each may send a message, of which 32 have room */

struct sip_count {
	uint64_t requests[NFV_SIP_METHODS];
	uint64_t responses[7]; /* by class; 0: not a status */
	uint64_t answers[700]; /* by status */
	uint64_t forwarded, keepalives, stun;
};

struct sip_state {
	struct sip_server server;
	bool stateful;
	uint16_t be_port;
	uint16_t ip_id;
	struct sip_count count;
	struct sip_txns_pages pages;
	/* Where goes what the server sends at the moment. */
	struct nfv_pkt *pkt; /* in place, if it travels in direction `dir`; NULL: used, or none */
	enum nfv_dir dir;
	struct nfv_out *out;
};

static const char *const drops[] = {
	[SIP_DROP_UDP_CHECKSUM] = "udp-checksum",
	[SIP_DROP_NOT_SIP] = "not-sip",
	[SIP_DROP_MALFORMED] = "malformed",
	[SIP_DROP_RESPONSE_STRAY] = "response-stray",
	[SIP_DROP_ACK_UNROUTABLE] = "ack-unroutable",
	[SIP_DROP_NO_NEXT_HOP] = "no-next-hop",
	[SIP_DROP_TOO_LARGE] = "too-large",
	[SIP_DROP_ERROR_LIMITED] = "error-limited",
	[SIP_DROPS] = NULL,
};

/* Two words of key from a seed, or from a text that several workers or machines share. */
static struct siphash_key
make_key(uint64_t seed, const char *text)
{
	struct siphash_key from = { { text == NULL ? seed : 0, 0 } }, key;

	for (uint64_t i = 0; i < 2; i++) {
		struct siphash h;

		siphash_init(&h, &from);
		siphash_add(&h, &i, sizeof(i));
		if (text != NULL)
			siphash_add(&h, text, strlen(text));
		key.k[i] = siphash_end(&h);
	}
	return key;
}

static bool send_datagram(void *ctx, enum nfv_dir dir, const struct nfv_endpoint *from,
	const struct nfv_endpoint *to, struct nfv_sv text);

static int
init_txns(struct sip_state *s, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	const struct sip_conf *conf = ctx->conf;
	const struct sip_txns_conf tc = { .max = conf->transactions,
		.timer_c = conf->ring_time,
		.tsc_hz = ctx->tsc_hz,
		.now = ctx->tsc };
	struct sip_txns_pages *p = &s->pages;
	size_t slots, buckets, texts;

	sip_txns_need(tc.max, &slots, &buckets, &texts);
	p->slots = nfv_pages_alloc(slots);
	p->buckets = nfv_pages_alloc(buckets);
	p->texts = nfv_pages_alloc(texts);
	if (p->slots.page == NULL || p->buckets.page == NULL || p->texts.page == NULL)
		return nfv_fail(err, ENOMEM,
			"sip: no memory for %u transactions: %zu MiB with their messages", tc.max,
			(slots + buckets + texts) / 256);
	sip_txns_init(&s->server.txns, &tc, p, (uint32_t)(s->server.px.key.k[0] >> 17));
	s->server.failover_ms = conf->failover_time;
	s->server.probe_every = conf->probe_interval * ctx->tsc_hz;
	s->server.px.overload = &s->server.overload;
	sip_overload_init(
		&s->server.overload, ctx->tsc_hz, conf->call_rate, conf->call_burst / 1000.0);
	s->server.sink = (struct sip_sink){ s, send_datagram };
	return 0;
}

static int
add_trunk(struct sip_proxy *px, const struct nfv_stage_ctx *ctx, const struct nfv_endpoint *to,
	uint32_t weight, uint32_t priority, struct nfv_err *err)
{
	if (sip_is_self(px, to))
		return nfv_conf_fail(ctx->doc, to, err, "the trunk is the proxy itself");
	if (px->trunks.n == SIP_TRUNKS_MAX)
		return nfv_conf_fail(
			ctx->doc, to, err, "more than %d trunks are not supported", SIP_TRUNKS_MAX);
	if (sip_trunk_find(&px->trunks, to) >= 0)
		return nfv_conf_fail(ctx->doc, to, err, "this trunk is there twice");
	px->trunks.trunk[px->trunks.n++] = (struct sip_trunk){
		.to = *to, .weight = (uint16_t)weight, .priority = (uint16_t)priority
	};
	return 0;
}

static int
add_trunks(struct sip_proxy *px, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	const struct sip_conf *conf = ctx->conf;
	const struct sip_conf_trunk *t = conf->trunks.item;
	int rc = 0;

	if (conf->trunk.addr.family != NFV_NO_ADDR)
		rc = add_trunk(px, ctx, &conf->trunk, 1, 0, err);
	for (uint32_t i = 0; i < conf->trunks.n && rc == 0; i++)
		rc = add_trunk(px, ctx, &t[i].to, t[i].weight, t[i].priority, err);
	return rc;
}

static int
init_users(struct sip_state *s, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	const struct sip_conf *conf = ctx->conf;
	struct sip_proxy *px = &s->server.px;
	const struct sip_users_conf uc = { .registrations = conf->registrations,
		.contacts = conf->contacts,
		.min_expires = conf->min_expires,
		.default_expires = conf->default_expires,
		.max_expires = conf->max_expires,
		.journal = conf->journal != NULL ? conf->journal : "",
		.sync_ms = conf->journal_sync,
		.credentials = conf->credentials != NULL ? conf->credentials : "",
		.authenticate = (enum sip_authenticate)conf->authenticate,
		.own = px->own,
		.n_own = px->n_own,
		.tsc_hz = ctx->tsc_hz,
		.now = ctx->tsc,
		.seed = ctx->seed };
	int rc;

	if (conf->registrations == 0 && uc.journal[0] != '\0')
		return nfv_conf_fail(ctx->doc, &conf->journal, err,
			"a journal is for registrations, and there are none: set `registrations`");
	if (conf->registrations == 0 && uc.credentials[0] == '\0')
		return 0;
	rc = sip_users_create(&uc, &s->server.users, err);
	if (rc == 0 && conf->registrations > 0) {
		px->locate = sip_users_locate;
		px->locate_ctx = s->server.users;
	}
	return rc;
}

static int
sip_init(void *state, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	const struct sip_conf *conf = ctx->conf;
	struct sip_state *s = state;
	struct sip_proxy *px = &s->server.px;
	int rc;

	px->port = (uint16_t)conf->port;
	px->record_route = conf->record_route;
	px->relay = conf->relay;
	px->domains = conf->domains.item;
	px->n_domains = conf->domains.n;
	px->key = make_key(ctx->seed, conf->key);
	s->stateful = conf->mode == SIP_STATEFUL;
	s->be_port = htobe16(px->port);
	s->server.refusals = sip_bucket(ctx->tsc_hz, conf->error_rate, 1);
	rc = sip_proxy_init(px, ctx, err);
	if (rc < 0)
		return rc;
	rc = add_trunks(px, ctx, err);
	if (rc < 0)
		return rc;
	if (s->stateful) {
		rc = init_txns(s, ctx, err);
		return rc < 0 ? rc : init_users(s, ctx, err);
	}
	if (conf->registrations > 0 || (conf->credentials != NULL && conf->credentials[0] != '\0'))
		return nfv_conf_fail(ctx->doc, &conf->mode, err,
			"registrations and credentials want `mode: stateful`");
	return 0;
}

static void
sip_fini(void *state)
{
	struct sip_state *s = state;

	sip_users_destroy(s->server.users);
	nfv_pages_free(&s->pages.slots);
	nfv_pages_free(&s->pages.buckets);
	nfv_pages_free(&s->pages.texts);
}

/* Source and destination of the packet, and whether it is for the proxy. */
static bool
is_ours(const struct sip_state *s, const struct nfv_pkt *p, struct sip_in *in)
{
	const struct nfv_udp *udp = nfv_pkt_l4(p);

	if (p->verdict != NFV_KEEP || p->family == 0 || p->proto != NFV_PROTO_UDP ||
		(p->flags & (NFV_PKT_FRAGMENT | NFV_PKT_RELATED)) || udp->be_dport != s->be_port)
		return false;
	if (p->family == 4) {
		in->src.addr = nfv_addr4(nfv_pkt_ip4(p)->be_src);
		in->dst.addr = nfv_addr4(nfv_pkt_ip4(p)->be_dst);
	} else {
		in->src.addr = nfv_addr6(nfv_pkt_ip6(p)->src);
		in->dst.addr = nfv_addr6(nfv_pkt_ip6(p)->dst);
	}
	in->src.port = be16toh(udp->be_sport);
	in->dst.port = s->server.px.port;
	return sip_own_find(&s->server.px, &in->dst.addr) >= 0;
}

/* Write a datagram as an IP packet into p, whatever lay there; false, and p untouched, if it has
 * not the room. A packet that is full at its end begins further in front. */
static bool
write_packet(struct sip_state *s, struct nfv_pkt *p, const struct nfv_endpoint *from,
	const struct nfv_endpoint *to, struct nfv_sv text)
{
	size_t hlen = to->addr.family == NFV_IPV4 ? NFV_IP4_LEN : NFV_IP6_LEN;
	size_t udp_len = NFV_UDP_LEN + text.n, need = NFV_ETH_LEN + hlen + udp_len;
	size_t have = (size_t)p->len + p->tailroom, more = need > have ? need - have : 0;
	struct nfv_udp *udp;

	if (more > p->headroom || need > UINT16_MAX)
		return false;
	memmove(p->data - more, p->data, NFV_ETH_LEN);
	p->data -= more;
	p->headroom = (uint16_t)(p->headroom - more);
	p->len = (uint16_t)(p->len + more);
	p->l3 = NFV_ETH_LEN;
	nfv_pkt_ip_header(
		p, to->addr.family, from->addr.b, to->addr.b, NFV_PROTO_UDP, (uint16_t)udp_len);
	if (to->addr.family == NFV_IPV4) {
		/* A router may fragment it, so it needs a number (RFC 6864 §4). */
		nfv_pkt_ip4(p)->be_id = htobe16(++s->ip_id);
		nfv_csum_ip4_set(nfv_pkt_ip4(p));
	}
	udp = nfv_pkt_l4(p);
	*udp = (struct nfv_udp){ htobe16(from->port), htobe16(to->port), htobe16((uint16_t)udp_len),
		0 };
	memcpy(udp + 1, text.p, text.n);
	nfv_csum_l4_set(p);
	p->flags = NFV_PKT_OWN;
	return true;
}

/* In place where it travels on and fits, else into `out`. */
static bool
send_datagram(void *ctx, enum nfv_dir dir, const struct nfv_endpoint *from,
	const struct nfv_endpoint *to, struct nfv_sv text)
{
	struct sip_state *s = ctx;
	struct nfv_pkt *o;

	if (s->pkt != NULL && s->dir == dir && write_packet(s, s->pkt, from, to, text)) {
		s->pkt = NULL;
		return true;
	}
	o = nfv_out_take_for(s->out, dir, NFV_IP6_LEN + NFV_UDP_LEN + text.n);
	if (o == NULL)
		return true; /* the runtime counts it */
	if (write_packet(s, o, from, to, text))
		return true;
	s->out->n--;
	return false;
}

/* Forward or answer; what has grown too large for any packet is answered with 513 if it can be. */
static void
act(struct sip_state *s, struct sip_result *r)
{
	struct sip_server *v = &s->server;

	if (r->action == SIP_FORWARD) {
		if (send_datagram(s, r->dir, &r->from, &r->to, r->text))
			return;
		if (v->work.msg.response || v->work.msg.method == NFV_SIP_ACK)
			sip_drop(r, SIP_DROP_TOO_LARGE);
		else
			sip_answer(&v->work, 513, NULL, nfv_sv(NULL, 0), v->buf, sizeof(v->buf), r);
	}
	if (r->action == SIP_ANSWER) {
		if (!sip_bucket_take(&v->refusals))
			sip_drop(r, SIP_DROP_ERROR_LIMITED);
		else if (!send_datagram(s, r->dir, &r->from, &r->to, r->text))
			sip_drop(r, SIP_DROP_TOO_LARGE);
	}
}

static void
count_message(struct sip_state *s, const struct sip_outcome *o)
{
	const struct nfv_sip_msg *m = &s->server.work.msg;

	s->count.forwarded += o->action == SIP_FORWARD;
	if (o->action == SIP_ANSWER)
		s->count.answers[o->status]++;
	if (o->action == SIP_DROP && o->drop == SIP_DROP_NOT_SIP)
		return;
	if (o->action == SIP_KEEPALIVE || o->action == SIP_STUN) {
		s->count.keepalives += o->action == SIP_KEEPALIVE;
		s->count.stun += o->action == SIP_STUN;
	} else if (m->response) {
		s->count.responses[m->status / 100]++;
	} else {
		s->count.requests[m->method]++;
	}
}

static void
one(struct sip_state *s, struct nfv_burst *burst, struct nfv_pkt *p)
{
	const struct nfv_udp *udp = nfv_pkt_l4(p);
	struct sip_server *v = &s->server;
	struct sip_in in = { .dir = burst->dir };
	struct sip_outcome o;
	unsigned int n;

	if (!is_ours(s, p, &in))
		return;
	n = be16toh(udp->be_len);
	nfv_pkt_resize(p, (int)n - (int)nfv_pkt_l4_len(p));
	if (!nfv_csum_l4_ok(p)) {
		p->verdict = NFV_DROP(SIP_DROP_UDP_CHECKSUM);
		return;
	}
	in.text = nfv_sv((const char *)(udp + 1), n - NFV_UDP_LEN);
	s->pkt = p;
	if (s->stateful) {
		sip_server_take(v, &in, burst->tsc, &o);
	} else {
		struct sip_result r;

		sip_proxy(&v->px, &in, &v->work, v->buf, sizeof(v->buf), &r);
		act(s, &r);
		o = (struct sip_outcome){ r.action, r.drop, r.status };
	}
	count_message(s, &o);
	if (o.action == SIP_DROP)
		p->verdict = NFV_DROP(o.drop);
	else if (s->pkt != NULL)
		p->verdict = NFV_CONSUMED;
}

static void
sip_process(void *state, struct nfv_burst *burst, struct nfv_out *out)
{
	struct sip_state *s = state;

	sip_bucket_fill(&s->server.refusals, burst->tsc);
	sip_overload_burst(&s->server.overload, burst->dir, burst->n, NFV_BURST_MAX, burst->tsc);
	s->dir = burst->dir;
	s->out = out;
	for (uint16_t i = 0; i < burst->n; i++)
		for (size_t line = 0; line < 4; line++)
			__builtin_prefetch(burst->pkt[i].data + burst->pkt[i].l4 + 64 * line);
	for (uint16_t i = 0; i < burst->n; i++)
		one(s, burst, &burst->pkt[i]);
}

static void
sip_tick(void *state, uint64_t tsc, struct nfv_out *out)
{
	struct sip_state *s = state;

	if (!s->stateful)
		return;
	s->pkt = NULL;
	s->out = out;
	sip_server_tick(&s->server, tsc, TIMERS);
}

static void
sip_upkeep(void *state, uint64_t tsc)
{
	struct sip_state *s = state;

	if (s->server.users != NULL)
		sip_users_upkeep(s->server.users, tsc);
}

static void
show_server(const struct sip_state *s, FILE *to)
{
	static const char *const names[] = { "invite-server", "server", "invite-client", "client" };
	const struct sip_server_count *c = &s->server.count;
	const struct sip_txns *t = &s->server.txns;

	for (int i = 0; i < SIP_MACHINES; i++)
		fprintf(to, "transactions %s %u\n", names[i], t->live[i]);
	fprintf(to, "transactions free %u of %u\nmessages free %u of %u\n", t->n_free, t->max,
		t->texts.n_free, t->texts.blocks);
	fprintf(to, "absorbed %lu\nresent %lu\ntimeouts %lu\nacks %lu\ncancels %lu\n", c->absorbed,
		c->resent, c->timeouts, c->acks, c->cancels);
	if (s->server.users != NULL)
		sip_users_show(s->server.users, to);
	fprintf(to, "shed %lu\nadmitted %u%%\n", c->shed,
		100 - sip_overload_loss(&s->server.overload));
	for (uint32_t i = 0; i < s->server.px.trunks.n; i++) {
		const struct sip_trunk *k = &s->server.px.trunks.trunk[i];
		char text[NFV_ADDR_TEXT];

		nfv_endpoint_text(&k->to, text);
		fprintf(to, "trunk %s %s absences %lu\n", text, k->dead ? "gone" : "there",
			k->absences);
	}
	fprintf(to, "refused-full %lu\nloops %lu\nforks %lu\nfailovers %lu\nunsent %lu\n", c->full,
		c->loops, c->forks, c->failovers, c->unsent);
}

static void
sip_show(const void *state, FILE *to)
{
	const struct sip_state *s = state;

	for (int i = 0; i < NFV_SIP_METHODS; i++)
		if (s->count.requests[i] > 0)
			fprintf(to, "request %s %lu\n", nfv_sip_method_name[i],
				s->count.requests[i]);
	for (int i = 0; i < 7; i++)
		if (s->count.responses[i] > 0)
			fprintf(to, "response %dxx %lu\n", i, s->count.responses[i]);
	fprintf(to, "forwarded %lu\n", s->count.forwarded);
	for (unsigned int i = 0; i < sizeof(s->count.answers) / sizeof(s->count.answers[0]); i++)
		if (s->count.answers[i] > 0)
			fprintf(to, "answered %u %s %lu\n", i, nfv_sip_reason(i),
				s->count.answers[i]);
	fprintf(to, "keepalives %lu\nstun %lu\n", s->count.keepalives, s->count.stun);
	if (s->stateful)
		show_server(s, to);
}

static struct nfv_stage_ops sip_ops = {
	.name = "sip",
	.access = NFV_WRITES,
	.ends_flows = true,
	.state_size = sizeof(struct sip_state),
	.conf = &sip_conf_schema,
	.drops = drops,
	.init = sip_init,
	.process = sip_process,
	.tick = sip_tick,
	.upkeep = sip_upkeep,
	.fini = sip_fini,
	.show = sip_show,
};

NFV_STAGE_REGISTER(sip_ops)
