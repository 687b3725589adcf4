#include <string.h>

#include "probe.h"

char probe_trace[PROBE_MAX];

static void
visit(struct probe *p, struct nfv_burst *b, struct nfv_out *out)
{
	size_t at = strlen(probe_trace);

	if (at + 1 < sizeof(probe_trace))
		probe_trace[at] = (char)((b->dir == NFV_OUTWARD ? '0' : 'a') + (p - probe));
	for (uint16_t i = 0; i < b->n; i++) {
		struct nfv_pkt *k = &b->pkt[i];
		struct probe_slot *s = k->flow;

		assert_int_equal(k->verdict, NFV_KEEP);
		if (p->n_notes < PROBE_MAX)
			p->note[p->n_notes++] = (struct probe_note){ k->flow, k->flags, b->n,
				b->dir, s != NULL ? s->packets : UINT64_MAX };
		if (s == NULL)
			continue;
		/* Zeroed when the flow begins, nobody else's afterwards. */
		if (s->owner == 0)
			assert_int_equal(s->packets, 0);
		else
			assert_int_equal(s->owner, 1 + (p - probe));
		s->owner = (uint64_t)(1 + (p - probe));
		s->packets++;
	}
	if (p->act != NULL)
		p->act(p, b, out);
}

static void
end(struct probe *p, void *slot)
{
	const struct probe_slot *s = slot;

	p->ends++;
	if (s->owner == 0)
		p->untouched_ends++;
	else
		assert_int_equal(s->owner, 1 + (p - probe));
}

/* The state is a real allocation, so that one that is lost is seen. */
struct state {
	void *memory;
};

static int
start(struct probe *p, struct state *s, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	p->inits++;
	p->ctx = *ctx;
	s->memory = malloc(100);
	if (p->init_error != 0)
		return nfv_fail(err, p->init_error, "the probe was told to fail");
	return 0;
}

static void
stop(struct probe *p, struct state *s)
{
	p->finis++;
	free(s->memory);
}

#define PROBE(i)                                                                                   \
	static int init##i(void *s, const struct nfv_stage_ctx *ctx, struct nfv_err *err)          \
	{                                                                                          \
		return start(&probe[i], s, ctx, err);                                              \
	}                                                                                          \
	static void process##i(void *s, struct nfv_burst *b, struct nfv_out *out)                  \
	{                                                                                          \
		(void)s;                                                                           \
		visit(&probe[i], b, out);                                                          \
	}                                                                                          \
	static void tick##i(void *s, uint64_t tsc, struct nfv_out *out)                            \
	{                                                                                          \
		(void)s;                                                                           \
		if (probe[i].on_tick != NULL)                                                      \
			probe[i].on_tick(&probe[i], tsc, out);                                     \
	}                                                                                          \
	static void end##i(void *s, void *slot)                                                    \
	{                                                                                          \
		(void)s;                                                                           \
		end(&probe[i], slot);                                                              \
	}                                                                                          \
	static void fini##i(void *s)                                                               \
	{                                                                                          \
		stop(&probe[i], s);                                                                \
	}

PROBE(0)
PROBE(1)
PROBE(2)
PROBE(3)

#define OPS(i)                                                                                     \
	[i] = { .ops = { .name = "probe" #i,                                                       \
			.access = NFV_WRITES,                                                      \
			.state_size = sizeof(struct state),                                        \
			.flow_size = sizeof(struct probe_slot),                                    \
			.init = init##i,                                                           \
			.process = process##i,                                                     \
			.tick = tick##i,                                                           \
			.flow_end = end##i,                                                        \
			.fini = fini##i } }

struct probe probe[PROBES] = { OPS(0), OPS(1), OPS(2), OPS(3) };

/* Not in the order of their names: the registry sorts. */
__attribute__((constructor)) static void
register_probes(void)
{
	static const int order[PROBES] = { 2, 0, 3, 1 };

	for (int i = 0; i < PROBES; i++)
		nfv_stage_register(&probe[order[i]].ops);
}

void
probe_reset(void)
{
	memset(probe_trace, 0, sizeof(probe_trace));
	for (int i = 0; i < PROBES; i++) {
		struct nfv_stage_ops ops = probe[i].ops;

		memset(&probe[i], 0, sizeof(probe[i]));
		ops.flow_size = sizeof(struct probe_slot);
		ops.ends_flows = false;
		probe[i].ops = ops;
	}
}

struct rig *
probe_rig(uint32_t n, struct rig_conf conf)
{
	static struct nfv_stage_use use[PROBES];

	for (uint32_t i = 0; i < n; i++)
		use[i] = (struct nfv_stage_use){ .ops = &probe[i].ops };
	conf.stage = use;
	conf.n_stages = n;
	return rig_open(&conf);
}

void
probe_drop(struct probe *p, struct nfv_burst *b, struct nfv_out *out)
{
	(void)out;
	for (uint16_t i = 0; i < b->n; i++)
		b->pkt[i].verdict = (uint8_t)p->arg;
}

/* A UDP packet with addresses and ports of `k` turned around. */
static void
write_answer(const struct nfv_pkt *k, struct nfv_pkt *a)
{
	const struct nfv_udp *u = nfv_pkt_l4(k);
	const uint8_t *src, *dst;
	struct nfv_udp *v;

	if (k->family == 4) {
		src = (const uint8_t *)&nfv_pkt_ip4(k)->be_src;
		dst = (const uint8_t *)&nfv_pkt_ip4(k)->be_dst;
	} else {
		src = nfv_pkt_ip6(k)->src;
		dst = nfv_pkt_ip6(k)->dst;
	}
	assert_true(nfv_pkt_ip_header(a, k->family, dst, src, NFV_PROTO_UDP, NFV_UDP_LEN + 6));
	v = nfv_pkt_l4(a);
	*v = (struct nfv_udp){ u->be_dport, u->be_sport, htobe16(NFV_UDP_LEN + 6), 0 };
	memcpy(v + 1, "answer", 6);
	nfv_csum_l4_set(a);
}

void
probe_echo(struct probe *p, struct nfv_burst *b, struct nfv_out *out)
{
	(void)p;
	for (uint16_t i = 0; i < b->n; i++) {
		struct nfv_pkt *a = nfv_out_take(out, nfv_dir_back(b->dir));

		if (a != NULL)
			write_answer(&b->pkt[i], a);
	}
}

void
probe_answer(struct probe *p, struct nfv_burst *b, struct nfv_out *out)
{
	probe_echo(p, b, out);
	for (uint16_t i = 0; i < b->n; i++)
		b->pkt[i].verdict = NFV_CONSUMED;
}

/* Source to PORT_OUT and a port 1000 above, outward; back again what answers it. UDP only. */
void
probe_nat(struct probe *p, struct nfv_burst *b, struct nfv_out *out)
{
	(void)p;
	(void)out;
	for (uint16_t i = 0; i < b->n; i++) {
		struct nfv_pkt *k = &b->pkt[i];
		struct nfv_ip4 *ip = nfv_pkt_ip4(k);
		struct nfv_udp *u = nfv_pkt_l4(k);
		struct probe_slot *s = k->flow;

		if (k->proto != NFV_PROTO_UDP || s == NULL)
			continue;
		if (b->dir == NFV_OUTWARD) {
			if (s->be_nat_port == 0) {
				s->be_addr = ip->be_src;
				s->be_port = u->be_sport;
				s->be_nat_port = htobe16((uint16_t)(be16toh(u->be_sport) + 1000));
			}
			inet_pton(AF_INET, PORT_OUT, &ip->be_src);
			u->be_sport = s->be_nat_port;
		} else if (s->be_nat_port != 0) {
			ip->be_dst = s->be_addr;
			u->be_dport = s->be_port;
		}
		nfv_csum_ip4_set(ip);
		nfv_csum_l4_set(k);
	}
}

/* The packet becomes one from the port it leaves by to the host there. UDP over IPv4 only. */
void
probe_proxy(struct probe *p, struct nfv_burst *b, struct nfv_out *out)
{
	(void)p;
	(void)out;
	for (uint16_t i = 0; i < b->n; i++) {
		struct nfv_pkt *k = &b->pkt[i];
		struct nfv_ip4 *ip = nfv_pkt_ip4(k);
		struct nfv_udp *u = nfv_pkt_l4(k);

		inet_pton(AF_INET, b->dir == NFV_OUTWARD ? PORT_OUT : PORT_IN, &ip->be_src);
		inet_pton(AF_INET, b->dir == NFV_OUTWARD ? HOST_OUT : HOST_IN, &ip->be_dst);
		u->be_sport = htobe16(5060);
		nfv_csum_ip4_set(ip);
		nfv_csum_l4_set(k);
		k->flags |= NFV_PKT_OWN;
	}
}

void
probe_garbage(struct probe *p, struct nfv_burst *b, struct nfv_out *out)
{
	for (uint16_t i = 0; i < b->n; i++) {
		struct nfv_pkt *a = nfv_out_take(out, b->dir);

		if (a == NULL)
			return;
		memset(a->data + a->l3, 0xa5, 100);
		a->len = (uint16_t)(NFV_ETH_LEN + p->arg);
	}
}

void
probe_flood(struct probe *p, struct nfv_burst *b, struct nfv_out *out)
{
	struct nfv_pkt *a;

	(void)p;
	while (b->n > 0 && (a = nfv_out_take(out, b->dir)) != NULL)
		write_answer(&b->pkt[0], a);
}
