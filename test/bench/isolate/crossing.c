#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "crossing.h"

#define BUFFERS 131071u
#define STRIDE  2048u
#define MEET_S  10u

static const char *const stages[CROSSING_STAGES] = { "firewall", "nat", "sip" };
static const struct nfv_flow_timeouts timeouts = { 300, 7440, 240, 60, 600 };

/* --- the chain ------------------------------------------------------------------------------------ */

static struct nfv_prefix
prefix(const char *text)
{
	struct nfv_prefix p = { 0 };

	party_need(nfv_prefix_parse(nfv_sv_str(text), &p) == 0, text);
	return p;
}

static void
open_port(struct crossing *x, const char *device, struct nfv_port *out)
{
	const struct nfv_port_conf conf = { .name = device,
		.device = device,
		.mtu = 1500,
		.descriptors = 1024,
		.pool = x->pool.mp };
	struct nfv_err err;

	party_need(nfv_port_open(&conf, out, &err) == 0, err.text);
}

static int
send_away(void *arg, const struct nfv_stage_ops *ops, const struct nfv_stage_ctx *ctx,
	struct nfv_away *out, struct nfv_err *err)
{
	struct crossing *x = arg;
	struct nfv_isolated_conf conf = { .ops = ops,
		.ctx = ctx,
		.file = nfv_conf_name(x->doc),
		.text = nfv_conf_text(x->doc),
		.flows = 65536,
		.timeouts = timeouts,
		.pool = nfv_isolate_pool_of(&x->pool),
		.argv = x->argv,
		.object = x->conf->object,
		.cpu = x->conf->cpu,
		.ring = x->conf->ring,
		.idle_us = x->conf->idle_us,
		.on_failure = NFV_FAIL_HOLD,
		.beat_ms = 5000,
		.progress_ms = 5000,
		.probation_ms = x->conf->probation_ms };
	int rc = nfv_isolated_create(&conf, &x->iso, err);

	if (rc == 0)
		*out = nfv_isolated_away(x->iso);
	return rc;
}

static void
read_sections(struct crossing *x, struct nfv_stage_use use[CROSSING_STAGES])
{
	struct nfv_err err;

	party_need(nfv_conf_open(x->conf->config, &x->doc, &err) == 0, err.text);
	for (int i = 0; i < CROSSING_STAGES; i++) {
		const struct nfv_stage_ops *ops = nfv_stage_find(stages[i]);

		party_need(ops != NULL, stages[i]);
		x->section[i] = calloc(1, ops->conf->size);
		party_need(x->section[i] != NULL, "out of memory");
		party_need(nfv_conf_read(x->doc, stages[i], ops->conf, x->section[i], &err) == 0,
			err.text);
		use[i] = (struct nfv_stage_use){ .ops = ops, .conf = x->section[i] };
		if (strcmp(stages[i], x->conf->stage) == 0) {
			use[i].send_away = send_away;
			use[i].arg = x;
		}
	}
}

static void
create_chain(struct crossing *x)
{
	const struct nfv_prefix own[2] = { prefix("10.1.0.1/24"), prefix("10.2.0.1/24") };
	struct nfv_stage_use use[CROSSING_STAGES];
	struct nfv_chain_conf conf = { .name = "edge",
		.stage = use,
		.n_stages = CROSSING_STAGES,
		.port = { x->near[0].id, x->near[1].id },
		.pool = x->pool.mp,
		.flows = 65536,
		.timeouts = timeouts,
		.tsc_hz = x->hz,
		.seed = 12345,
		.socket = (int)rte_socket_id(),
		.l3 = { .port = { { .mtu = 1500, .addr = &own[0], .n_addr = 1 },
				{ .mtu = 1500, .addr = &own[1], .n_addr = 1 } },
			.neighbours = 64,
			.icmp_rate = 1000,
			.tsc_hz = x->hz,
			.seed = 12345,
			.socket = (int)rte_socket_id() } };
	struct nfv_err err;

	for (int i = 0; i < 2; i++)
		memcpy(conf.l3.port[i].mac, x->near[i].mac, 6);
	read_sections(x, use);
	conf.doc = x->doc;
	party_need(nfv_chain_create(&conf, &x->chain, &err) == 0, err.text);
	party_need(x->iso != NULL, "no stage of this name is in the chain");
}

/* --- wires ---------------------------------------------------------------------------------------- */

static void
send_all(struct crossing *x, const struct nfv_port *port, struct rte_mbuf **m, uint16_t n)
{
	uint16_t k = n > 0 ? rte_eth_tx_burst(port->id, 0, m, n) : 0;

	x->wire_full += n - k;
	rte_pktmbuf_free_bulk(m + k, (unsigned int)(n - k));
}

/* From an agent to the chain. */
static void
carry_in(struct crossing *x, int side)
{
	struct rte_mbuf *m[NFV_BURST_MAX], *copy[NFV_BURST_MAX];
	uint16_t n = rte_eth_rx_burst(x->agents[side].id, 0, m, NFV_BURST_MAX), k = 0;

	for (uint16_t i = 0; i < n; i++) {
		copy[k] = rte_pktmbuf_copy(m[i], x->pool.mp, 0, UINT32_MAX);
		if (copy[k] != NULL)
			k++;
	}
	rte_pktmbuf_free_bulk(m, n);
	x->wire_full += n - k;
	send_all(x, &x->far[side], copy, k);
}

/* What comes out of the chain: plain packets end here, the rest is the agent's. */
static void
carry_out(struct crossing *x, int side)
{
	enum nfv_dir dir = side == 1 ? NFV_OUTWARD : NFV_INWARD;
	struct rte_mbuf *m[NFV_BURST_MAX], *theirs[NFV_BURST_MAX], *plain[NFV_BURST_MAX];
	uint16_t n;

	do {
		uint16_t k = 0, own = 0;

		n = rte_eth_rx_burst(x->far[side].id, 0, m, NFV_BURST_MAX);
		for (uint16_t i = 0; i < n; i++)
			if (flows_see(&x->flows, m[i], dir))
				plain[own++] = m[i];
			else
				theirs[k++] = m[i];
		rte_pktmbuf_free_bulk(plain, own);
		send_all(x, &x->agents[side], theirs, k);
	} while (n == NFV_BURST_MAX);
}

void
crossing_send(struct crossing *x, uint32_t n)
{
	struct rte_mbuf *m[2][NFV_BURST_MAX];
	uint16_t k[2];

	flows_make(&x->flows, n, m, k);
	send_all(x, &x->far[0], m[NFV_OUTWARD], k[NFV_OUTWARD]);
	send_all(x, &x->far[1], m[NFV_INWARD], k[NFV_INWARD]);
}

static void
turn_wires(struct crossing *x, uint64_t now)
{
	/* All but its own work is idleness to the chain: the networks would be elsewhere. */
	nfv_chain_idled(x->chain, now - x->polled);
	x->polled = nfv_chain_poll(x->chain) > 0 ? rte_rdtsc() : now;
	if (now >= x->next_tick) {
		nfv_chain_tick(x->chain, now);
		x->next_tick = now + x->hz / 1000;
	}
	for (int side = 0; side < 2; side++) {
		carry_out(x, side);
		carry_in(x, side);
	}
}

void
crossing_turn(struct crossing *x)
{
	uint64_t now = rte_rdtsc();

	turn_wires(x, now);
	agent_turn(x->party[0].agent, now);
	agent_turn(x->party[1].agent, now);
}

/* --- begin and end -------------------------------------------------------------------------------- */

static void
nobody(void *ctx, const struct net_datagram *d)
{
	(void)ctx;
	(void)d;
}

/* As party_meet, with the chain between them on the same thread. */
static void
meet(struct crossing *x)
{
	uint64_t end = rte_rdtsc() + MEET_S * x->hz, tick = 0;
	int waits = 1;

	while (waits > 0) {
		uint64_t now = rte_rdtsc();

		party_need(now < end, "nobody answers at the other end of a port");
		waits = 0;
		for (int i = 0; i < 2; i++) {
			waits += net_reach(x->party[i].net, &x->party[i].next, now) != 0;
			net_poll(x->party[i].net, now, nobody, NULL);
			if (now >= tick)
				net_tick(x->party[i].net, now);
		}
		if (now >= tick)
			tick = now + x->hz / 1000;
		turn_wires(x, now);
		nfv_isolated_control(x->iso, 0);
	}
}

void
crossing_create(struct crossing *x, const struct crossing_conf *conf)
{
	static const char *const near[2] = { "pair:inside:a", "pair:outside:a" };
	static const char *const far[2] = { "pair:inside:b", "pair:outside:b" };
	static const char *const agents[2] = { "pair:caller:b", "pair:callee:b" };
	static const char *const theirs[2] = { "pair:caller:a", "pair:callee:a" };
	const uint8_t *mac[4];
	struct nfv_err err;

	*x = (struct crossing){
		.conf = conf, .hz = rte_get_tsc_hz(), .argv = { conf->program, "--fd", "3" }
	};
	party_need(nfv_isolate_pool_init(&x->pool, "bench", BUFFERS, STRIDE, 512, true,
			   (int)rte_socket_id(), &err) == 0,
		err.text);
	for (int side = 0; side < 2; side++) {
		const struct party_conf pc = { .device = theirs[side],
			.scenario = side == 0 ? conf->caller : NULL,
			.callee = side == 1,
			.rate = conf->calls,
			.open = 16384 };

		open_port(x, near[side], &x->near[side]);
		open_port(x, far[side], &x->far[side]);
		open_port(x, agents[side], &x->agents[side]);
		party_create(&x->party[side], &pc);
	}
	create_chain(x);
	for (int side = 0; side < 2; side++) {
		mac[2 * side] = x->agents[side].mac;
		mac[2 * side + 1] = x->near[side].mac;
	}
	flows_init(&x->flows, conf->flows, x->pool.mp, mac);
	meet(x);
}

uint64_t
crossing_lost(const struct crossing *x)
{
	const struct nfv_chain_stats *s = nfv_chain_stats(x->chain);
	uint64_t lost = x->wire_full;

	for (int i = 0; i < NFV_LOOP_DROPS; lost += s->loop_drop[i++])
		if (s->loop_drop[i] > 0)
			fprintf(stderr, "  %s %lu\n", nfv_loop_drop_name[i], s->loop_drop[i]);
	for (int i = 0; i < NFV_L3_REASONS; lost += s->l3_drop[i++])
		if (s->l3_drop[i] > 0)
			fprintf(stderr, "  l3 %s %lu\n", nfv_l3_drop_name[i], s->l3_drop[i]);
	for (uint32_t k = 0; k < CROSSING_STAGES; k++) {
		const struct nfv_stage_ops *ops = nfv_chain_stage(x->chain, k);

		for (int i = 0; i < NFV_AWAY_LOSSES; lost += s->stage[k].lost[i++])
			if (s->stage[k].lost[i] > 0)
				fprintf(stderr, "  %s %s %lu\n", ops->name, nfv_away_lost_name[i],
					s->stage[k].lost[i]);
		for (int i = 0; ops->drops != NULL && ops->drops[i] != NULL;
			lost += s->stage[k].drop[i++])
			if (s->stage[k].drop[i] > 0)
				fprintf(stderr, "  %s %s %lu\n", ops->name, ops->drops[i],
					s->stage[k].drop[i]);
	}
	return lost;
}

uint32_t
crossing_destroy(struct crossing *x)
{
	uint32_t lost;

	nfv_chain_destroy(x->chain);
	for (int side = 0; side < 2; side++)
		party_destroy(&x->party[side]);
	for (int side = 0; side < 2; side++) {
		struct rte_mbuf *m;

		/* What nobody has taken. */
		while (rte_eth_rx_burst(x->far[side].id, 0, &m, 1) > 0 ||
			rte_eth_rx_burst(x->near[side].id, 0, &m, 1) > 0 ||
			rte_eth_rx_burst(x->agents[side].id, 0, &m, 1) > 0)
			rte_pktmbuf_free(m);
		nfv_port_close(&x->near[side]);
		nfv_port_close(&x->far[side]);
		nfv_port_close(&x->agents[side]);
	}
	flows_fini(&x->flows);
	for (int i = 0; i < CROSSING_STAGES; i++)
		free(x->section[i]);
	nfv_conf_close(x->doc);
	lost = BUFFERS - rte_mempool_avail_count(x->pool.mp);
	nfv_isolate_pool_fini(&x->pool);
	return lost;
}
