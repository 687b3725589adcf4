/*
 * The SIP stage: takes the datagrams that are addressed to the chain at the SIP port, asks the
 * proxy what becomes of them, and writes that: in place where it travels on, into `out` where it
 * turns back. docs/sip.md says what the proxy does and what it does not.
 */
#include "nfv_csum.h"
#include "nfv_object.h"
#include "nfv_watch.h"
#include "sip_carry.h"

#define UDP_PAYLOAD_MAX (65535 - NFV_IP4_LEN - NFV_UDP_LEN)
#define AHEAD           3    /* packets that are fetched before their turn */
#define MOST            1024 /* bytes of each */
#define TIMERS          24 /* a millisecond or a burst; each may send a message, of which 32 have room */

static const char *const drops[] = {
	[SIP_DROP_UDP_CHECKSUM] = "udp-checksum",
	[SIP_DROP_NOT_SIP] = "not-sip",
	[SIP_DROP_MALFORMED] = "malformed",
	[SIP_DROP_RESPONSE_STRAY] = "response-stray",
	[SIP_DROP_ACK_UNROUTABLE] = "ack-unroutable",
	[SIP_DROP_NO_NEXT_HOP] = "no-next-hop",
	[SIP_DROP_TOO_LARGE] = "too-large",
	[SIP_DROP_ERROR_LIMITED] = "error-limited",
	SIP_RELAY_DROP_NAMES(SIP_DROPS),
	[SIP_DROPS + SIP_RELAY_DROPS] = NULL,
};

/* Messages by their Call-ID, media by the port; what is not for us is anybody's. */
static int
sip_steer(const void *state, const struct nfv_pkt *p, enum nfv_dir dir)
{
	const struct sip_state *s = state;
	const struct sip_share *share = &s->server.share;
	const struct nfv_udp *udp = nfv_pkt_l4(p);
	struct nfv_addr to;
	uint16_t port;

	(void)dir;
	if (share->shards <= 1 || p->family == 0 || p->proto != NFV_PROTO_UDP ||
		(p->flags & NFV_PKT_FRAGMENT))
		return -1;
	port = be16toh(udp->be_dport);
	if (port != s->server.px.port && (port < share->rtp_lo || port > share->rtp_hi))
		return -1;
	to = p->family == 4 ? nfv_addr4(nfv_pkt_ip4(p)->be_dst) : nfv_addr6(nfv_pkt_ip6(p)->dst);
	if (sip_own_find(&s->server.px, &to) < 0)
		return -1;
	if (port != s->server.px.port)
		return (int)sip_share_of_port(share, port);
	return (int)sip_share_of_text(
		share, nfv_sv((const char *)(udp + 1), be16toh(udp->be_len) - (size_t)NFV_UDP_LEN));
}

static void
sip_told(void *state, const void *bytes, size_t n, uint64_t tsc)
{
	struct sip_state *s = state;

	if (s->server.users != NULL)
		sip_users_told(s->server.users, bytes, n, tsc);
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
	nfv_watch(text.p, text.n);
	memcpy(udp + 1, text.p, text.n);
	nfv_csum_l4_set(p);
	p->flags = NFV_PKT_OWN;
	return true;
}

/* In place where it travels on and fits, else into `out`. */
bool
sip_stage_send(void *ctx, enum nfv_dir dir, const struct nfv_endpoint *from,
	const struct nfv_endpoint *to, struct nfv_sv text)
{
	struct sip_state *s = ctx;
	struct nfv_pkt *o;

	if (s->pkt != NULL && s->dir == dir && write_packet(s, s->pkt, from, to, text)) {
		nfv_watch(s->pkt->data, s->pkt->len);
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
		if (sip_stage_send(s, r->dir, &r->from, &r->to, r->text))
			return;
		if (v->work.msg.response || v->work.msg.method == NFV_SIP_ACK)
			sip_drop(r, SIP_DROP_TOO_LARGE);
		else
			sip_answer(&v->work, 513, NULL, nfv_sv(NULL, 0), v->buf, sizeof(v->buf), r);
	}
	if (r->action == SIP_ANSWER) {
		if (!sip_bucket_take(&v->refusals))
			sip_drop(r, SIP_DROP_ERROR_LIMITED);
		else if (!sip_stage_send(s, r->dir, &r->from, &r->to, r->text))
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

	if (s->relay != NULL && sip_relay(s->relay, p, burst->dir, burst->tsc, s->out))
		return;
	if (!is_ours(s, p, &in))
		return;
	n = be16toh(udp->be_len);
	nfv_pkt_resize(p, (int)n - (int)nfv_pkt_l4_len(p));
	if (!nfv_csum_l4_ok(p)) {
		p->verdict = NFV_DROP(SIP_DROP_UDP_CHECKSUM);
		return;
	}
	in.text = nfv_sv((const char *)(udp + 1), n - NFV_UDP_LEN);
	nfv_watch(udp, n);
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

/* Of a message as long as most are. */
static inline void
prefetch(const struct nfv_pkt *p)
{
	for (unsigned int at = p->l4; at < p->len && at < MOST; at += 64)
		__builtin_prefetch(p->data + at);
}

static void
sip_process(void *state, struct nfv_burst *burst, struct nfv_out *out)
{
	struct sip_state *s = state;

	if (__builtin_expect(s->given, 0))
		sip_works(s);
	sip_bucket_fill(&s->server.refusals, burst->tsc);
	sip_overload_note(&s->server.overload, burst->idle, burst->tsc);
	s->dir = burst->dir;
	s->out = out;
	for (uint16_t i = 0; i < AHEAD && i < burst->n; i++)
		prefetch(&burst->pkt[i]);
	for (uint16_t i = 0; i < burst->n; i++) {
		if (i + AHEAD < burst->n)
			prefetch(&burst->pkt[i + AHEAD]);
		one(s, burst, &burst->pkt[i]);
	}
}

static void
sip_tick(void *state, uint64_t tsc, struct nfv_out *out)
{
	struct sip_state *s = state;

	if (!s->stateful)
		return;
	if (__builtin_expect(s->given, 0))
		sip_works(s);
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

static bool
sip_on_disk(const void *state)
{
	const struct sip_state *s = state;

	return s->server.users != NULL && sip_users_on_disk(s->server.users);
}

static struct nfv_stage_ops sip_ops = {
	.name = "sip",
	.access = NFV_WRITES,
	.ends_flows = true,
	.state_size = sizeof(struct sip_state),
	.pinholes = true,
	.conf = &sip_conf_schema,
	.drops = drops,
	.init = sip_setup,
	.process = sip_process,
	.steer = sip_steer,
	.told = sip_told,
	.tick = sip_tick,
	.upkeep = sip_upkeep,
	.on_disk = sip_on_disk,
	.fini = sip_teardown,
	.show = sip_show,
	.state_version = SIP_CARRY_VERSION,
	.state_since = 1,
	.items = sip_items,
	.export_item = sip_export_item,
	.import_item = sip_import_item,
	.export_ = sip_export,
	.import = sip_import,
};

NFV_STAGE_REGISTER(sip_ops)
NFV_STAGE_OBJECT(sip_ops, 1, "1")
