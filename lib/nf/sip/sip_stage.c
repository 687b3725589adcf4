/*
 * The SIP stage: takes the datagrams that are addressed to the chain at the SIP port, asks the
 * proxy what becomes of them, and writes that: in place where it travels on, into `out` where it
 * turns back. docs/sip.md says what the proxy does and what it does not.
 */
#include "nfv_csum.h"
#include "nfv_stage.h"
#include "proxy.h"

#define UDP_PAYLOAD_MAX (65535 - NFV_IP4_LEN - NFV_UDP_LEN)

struct sip_conf {
	uint32_t port, error_rate;
	bool record_route, relay;
	struct nfv_conf_list domains;
	struct nfv_endpoint trunk;
	const char *key;
};

struct sip_count {
	uint64_t requests[NFV_SIP_METHODS];
	uint64_t responses[7]; /* by class; 0: not a status */
	uint64_t answers[700]; /* by status */
	uint64_t forwarded, keepalives, stun;
};

struct sip_state {
	struct sip_proxy px;
	uint16_t be_port;
	uint16_t ip_id;
	/* Token bucket in ticks of the clock: an answer costs `cost`, at most a second's worth lies
	 * in it. */
	uint64_t credit, credit_max, cost, tsc;
	struct sip_count count;
	struct sip_work work;
	char buf[UDP_PAYLOAD_MAX];
};

#define FIELD(name_, member, type_, def_, help_, ...)                                              \
	{                                                                                          \
		.name = name_, .help = help_, .def = def_, .type = type_,                          \
		.offset = offsetof(struct sip_conf, member), __VA_ARGS__                           \
	}

static const struct nfv_conf_field fields[] = {
	FIELD("port", port, NFV_CONF_UINT, "5060", "UDP port of the proxy", .min = 1, .max = 65535),
	FIELD("domains", domains, NFV_CONF_STRING, "", "host names that are the proxy's own",
		.list = true, .min = 1, .max = 253),
	FIELD("trunk", trunk, NFV_CONF_ENDPOINT, "",
		"where requests go whose target has no address"),
	FIELD("record-route", record_route, NFV_CONF_BOOL, "true", "stay in the path of dialogs"),
	FIELD("relay", relay, NFV_CONF_BOOL, "false", "forward requests from outside to outside"),
	FIELD("error-rate", error_rate, NFV_CONF_UINT, "1000",
		"answers of its own a second at most", .min = 1, .max = 1000000),
	FIELD("key", key, NFV_CONF_STRING, "",
		"secret of branches, shared by all that may see a response; random if left out",
		.min = 8, .max = 128),
	{ 0 },
};

static const struct nfv_conf_schema schema = {
	.size = sizeof(struct sip_conf),
	.help = "stateless record-routing SIP proxy",
	.fields = fields,
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

static int
sip_init(void *state, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	const struct sip_conf *conf = ctx->conf;
	struct sip_state *s = state;
	int rc;

	s->px.port = (uint16_t)conf->port;
	s->px.record_route = conf->record_route;
	s->px.relay = conf->relay;
	s->px.trunk = conf->trunk;
	s->px.domains = conf->domains.item;
	s->px.n_domains = conf->domains.n;
	s->px.key = make_key(ctx->seed, conf->key);
	s->be_port = htobe16(s->px.port);
	s->cost = ctx->tsc_hz / conf->error_rate;
	s->credit_max = s->credit = ctx->tsc_hz;
	rc = sip_proxy_init(&s->px, ctx, err);
	if (rc < 0)
		return rc;
	if (conf->trunk.addr.family != NFV_NO_ADDR && sip_is_self(&s->px, &conf->trunk))
		return nfv_conf_fail(ctx->doc, &conf->trunk, err, "the trunk is the proxy itself");
	return 0;
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
	in->dst.port = s->px.port;
	return sip_own_find(&s->px, &in->dst.addr) >= 0;
}

/* Write the result as an IP packet into p, whatever lay there; false, and p untouched, if it has
 * not the room. A packet that is full at its end begins further in front. */
static bool
write_packet(struct sip_state *s, struct nfv_pkt *p, const struct sip_result *r)
{
	size_t hlen = r->to.addr.family == NFV_IPV4 ? NFV_IP4_LEN : NFV_IP6_LEN;
	size_t udp_len = NFV_UDP_LEN + r->text.n, need = NFV_ETH_LEN + hlen + udp_len;
	size_t have = (size_t)p->len + p->tailroom, more = need > have ? need - have : 0;
	struct nfv_udp *udp;

	if (more > p->headroom || need > UINT16_MAX)
		return false;
	memmove(p->data - more, p->data, NFV_ETH_LEN);
	p->data -= more;
	p->headroom = (uint16_t)(p->headroom - more);
	p->len = (uint16_t)(p->len + more);
	p->l3 = NFV_ETH_LEN;
	nfv_pkt_ip_header(p, r->to.addr.family, r->from.addr.b, r->to.addr.b, NFV_PROTO_UDP,
		(uint16_t)udp_len);
	if (r->to.addr.family == NFV_IPV4) {
		/* A router may fragment it, so it needs a number (RFC 6864 §4). */
		nfv_pkt_ip4(p)->be_id = htobe16(++s->ip_id);
		nfv_csum_ip4_set(nfv_pkt_ip4(p));
	}
	udp = nfv_pkt_l4(p);
	*udp = (struct nfv_udp){ htobe16(r->from.port), htobe16(r->to.port),
		htobe16((uint16_t)udp_len), 0 };
	memcpy(udp + 1, r->text.p, r->text.n);
	nfv_csum_l4_set(p);
	p->flags = NFV_PKT_OWN;
	return true;
}

static bool
send_result(struct sip_state *s, struct nfv_burst *burst, struct nfv_pkt *p, struct nfv_out *out,
	const struct sip_result *r)
{
	struct nfv_pkt *o;

	if (r->dir == burst->dir)
		return write_packet(s, p, r);
	p->verdict = NFV_CONSUMED;
	o = nfv_out_take(out, r->dir);
	if (o == NULL)
		return true; /* the runtime counts it */
	if (write_packet(s, o, r))
		return true;
	out->n--;
	return false;
}

/* The clock fills the bucket. */
static void
refill(struct sip_state *s, uint64_t tsc)
{
	uint64_t passed = tsc > s->tsc ? tsc - s->tsc : 0;

	s->tsc = tsc;
	s->credit = passed >= s->credit_max - s->credit ? s->credit_max : s->credit + passed;
}

static bool
may_answer(struct sip_state *s)
{
	if (s->credit < s->cost)
		return false;
	s->credit -= s->cost;
	return true;
}

/* Forward or answer; what has grown too large for its packet is answered with 513 if it can be. */
static void
act(struct sip_state *s, struct nfv_burst *burst, struct nfv_pkt *p, struct nfv_out *out,
	struct sip_result *r)
{
	if (r->action == SIP_FORWARD) {
		if (send_result(s, burst, p, out, r)) {
			s->count.forwarded++;
			return;
		}
		if (s->work.msg.response || s->work.msg.method == NFV_SIP_ACK)
			sip_drop(r, SIP_DROP_TOO_LARGE);
		else
			sip_answer(&s->work, 513, NULL, nfv_sv(NULL, 0), s->buf, sizeof(s->buf), r);
	}
	if (r->action == SIP_ANSWER) {
		if (!may_answer(s))
			sip_drop(r, SIP_DROP_ERROR_LIMITED);
		else if (!send_result(s, burst, p, out, r))
			sip_drop(r, SIP_DROP_TOO_LARGE);
		else
			s->count.answers[r->status]++;
	}
	if (r->action == SIP_DROP)
		p->verdict = NFV_DROP(r->drop);
}

static void
count_message(struct sip_state *s, const struct sip_result *r, struct nfv_pkt *p)
{
	const struct nfv_sip_msg *m = &s->work.msg;

	if (r->action == SIP_KEEPALIVE || r->action == SIP_STUN) {
		s->count.keepalives += r->action == SIP_KEEPALIVE;
		s->count.stun += r->action == SIP_STUN;
		p->verdict = NFV_CONSUMED;
	} else if (r->action == SIP_DROP && r->drop == SIP_DROP_NOT_SIP) {
		return;
	} else if (m->response) {
		s->count.responses[m->status / 100]++;
	} else {
		s->count.requests[m->method]++;
	}
}

static void
one(struct sip_state *s, struct nfv_burst *burst, struct nfv_pkt *p, struct nfv_out *out)
{
	const struct nfv_udp *udp = nfv_pkt_l4(p);
	struct sip_in in = { .dir = burst->dir };
	struct sip_result r;
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
	sip_proxy(&s->px, &in, &s->work, s->buf, sizeof(s->buf), &r);
	count_message(s, &r, p);
	act(s, burst, p, out, &r);
}

static void
sip_process(void *state, struct nfv_burst *burst, struct nfv_out *out)
{
	struct sip_state *s = state;

	refill(s, burst->tsc);
	for (uint16_t i = 0; i < burst->n; i++)
		for (size_t line = 0; line < 4; line++)
			__builtin_prefetch(burst->pkt[i].data + burst->pkt[i].l4 + 64 * line);
	for (uint16_t i = 0; i < burst->n; i++)
		one(s, burst, &burst->pkt[i], out);
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
}

static struct nfv_stage_ops sip_ops = {
	.name = "sip",
	.access = NFV_WRITES,
	.ends_flows = true,
	.state_size = sizeof(struct sip_state),
	.conf = &schema,
	.drops = drops,
	.init = sip_init,
	.process = sip_process,
	.show = sip_show,
};

NFV_STAGE_REGISTER(sip_ops)
