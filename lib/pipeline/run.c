/*
 * The data path. A burst is received, judged by l3, run through the chain's segments in its
 * direction, routed out and queued for sending, all before the next is looked at. What a stage
 * originates runs through the rest of the chain at once, one level deeper, while the burst that
 * caused it waits.
 */
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "away.h"
#include "chain.h"
#include "records.h"
#include "spread.h"
#include "watch.h"

/* Where l3 originates: behind either end of the chain, as the direction says. */
#define ENDS (-2)

static void originate(
	struct nfv_chain *c, struct nfv_out *out, int from, uint64_t tsc, unsigned int depth);

static inline void
tap(_Atomic(struct nfv_tap *) *at, const struct nfv_pkt *pkt, unsigned int n, enum nfv_dir dir)
{
	struct nfv_tap *t = atomic_load_explicit(at, memory_order_acquire);

	if (__builtin_expect(t != NULL, 0))
		nfv_tap_burst(t, pkt, n, dir);
}

void
chain_sweep(struct nfv_burst *b, uint64_t *drop, unsigned int n_drops, uint64_t *consumed)
{
	struct rte_mbuf *dead[NFV_BURST_MAX];
	unsigned int n_dead = 0, kept = 0, any = 0;

	for (unsigned int i = 0; i < b->n; i++)
		any |= b->pkt[i].verdict;
	if (__builtin_expect(any == 0, 1))
		return;
	for (unsigned int i = 0; i < b->n; i++) {
		struct nfv_pkt *p = &b->pkt[i];
		unsigned int reason = p->verdict - (unsigned int)NFV_DROP_BASE;

		if (p->verdict == NFV_KEEP) {
			if (kept != i)
				b->pkt[kept] = *p;
			kept++;
			continue;
		}
		if (p->verdict == NFV_CONSUMED)
			(*consumed)++;
		else
			drop[reason < n_drops ? reason : n_drops - 1]++;
		dead[n_dead++] = p->buf;
	}
	b->n = (uint16_t)kept;
	rte_pktmbuf_free_bulk(dead, n_dead);
}

static void
flush(struct nfv_chain *c, unsigned int port)
{
	struct txq *q = &c->tx[port];
	uint16_t sent;

	if (q->n == 0)
		return;
	sent = rte_eth_tx_burst(q->port, c->queue, q->m, q->n);
	c->stats.tx[port] += sent;
	if (sent < q->n) {
		c->stats.loop_drop[NFV_LOOP_TX_FULL] += (uint64_t)(q->n - sent);
		rte_pktmbuf_free_bulk(q->m + sent, (unsigned int)(q->n - sent));
	}
	q->n = 0;
}

/* Queue a finished frame: the mbuf learns what has become of its packet. */
static inline void
emit(struct nfv_chain *c, const struct nfv_pkt *p, unsigned int port)
{
	struct rte_mbuf *m = p->buf;
	struct txq *q = &c->tx[port];

	tap(&c->port_tap[port], p, 1, port == 1 ? NFV_OUTWARD : NFV_INWARD);
	m->data_off = (uint16_t)(p->data - (uint8_t *)m->buf_addr);
	m->data_len = p->len;
	m->pkt_len = p->len;
	if (__builtin_expect(q->n == TX_MAX, 0))
		flush(c, port);
	q->m[q->n++] = m;
}

/* Frames that l3 has written itself go straight to their port. */
void
chain_send_wire(struct nfv_chain *c)
{
	struct nfv_out *w = &c->wire;

	for (uint16_t i = 0; i < w->n; i++)
		emit(c, &w->pkt[i], w->dir[i] == NFV_OUTWARD);
	c->stats.loop_drop[NFV_LOOP_NO_BUFFER] += w->starved;
	w->starved = 0;
	if (w->n > 0)
		chain_arm(c, w);
}

/* Behind the chain's end: route, send. */
static void
leave(struct nfv_chain *c, struct nfv_burst *b, unsigned int depth)
{
	struct nfv_out *back = &c->back[depth];
	uint64_t t0 = rte_rdtsc();

	if (__builtin_expect(back->room < NFV_BURST_MAX, 0))
		chain_arm(c, back);
	c->stats.part[NFV_L3_OUT].packets += b->n;
	nfv_l3_output(c->l3, b, &c->wire, back);
	chain_sweep(b, c->stats.l3_drop, NFV_L3_REASONS, &c->stats.l3_consumed);
	if (nfv_watched())
		watch_sent(c, b);
	for (uint16_t i = 0; i < b->n; i++)
		emit(c, &b->pkt[i], b->pkt[i].port);
	chain_send_wire(c);
	c->stats.part[NFV_L3_OUT].cycles += rte_rdtsc() - t0;
	if (back->n > 0 || back->starved > 0)
		originate(c, back, ENDS, b->tsc, depth);
}

/* Places in `wire` for a packet of this length to leave by a port, and for a question to go before. */
static uint16_t
arm_of(const struct nfv_chain *c, uint32_t len, unsigned int port)
{
	uint16_t n = (uint16_t)(nfv_l3_pieces(len, c->mtu[port]) + 1);

	return n < NFV_BURST_MAX ? NFV_BURST_MAX : n < NFV_OUT_MAX ? n : NFV_OUT_MAX;
}

/* Packets that leave in pieces take many of the places in `wire`, or more than it usually has: they go
 * one by one, so that it is emptied between them. */
static void
leave_apart(struct nfv_chain *c, const struct nfv_burst *b, unsigned int depth)
{
	struct nfv_burst one = { .tsc = b->tsc, .dir = b->dir };

	for (uint16_t i = 0; i < b->n; i++) {
		one.n = 1;
		one.pkt[0] = b->pkt[i];
		chain_arm_for(c, &c->wire, arm_of(c, b->pkt[i].len, b->dir == NFV_OUTWARD));
		leave(c, &one, depth);
	}
}

static bool
has_larger(const struct nfv_burst *b, uint16_t mtu)
{
	int excess = 0;

	for (uint16_t i = 0; i < b->n; i++)
		excess |= (int)mtu - (b->pkt[i].len - b->pkt[i].l3);
	return excess < 0;
}

/* What a stage that ends flows has written anew is read anew. */
static void
reread(struct nfv_chain *c, struct nfv_burst *b)
{
	uint64_t none = 0;

	for (uint16_t i = 0; i < b->n; i++)
		if (b->pkt[i].flags & NFV_PKT_OWN && nfv_pkt_parse_ip(&b->pkt[i]) != NFV_PARSE_OK)
			b->pkt[i].verdict = NFV_DROP(NFV_LOOP_BAD_ORIGIN);
	chain_sweep(b, c->stats.loop_drop, NFV_LOOP_DROPS, &none);
}

static void
run_stage(struct nfv_chain *c, const struct segment *seg, int at, struct nfv_burst *b,
	unsigned int depth)
{
	struct stage *s = &c->stage[at];
	struct nfv_stage_stats *stats = &c->stats.stage[at];
	struct nfv_out *out = &c->out[depth];
	uint64_t t0;

	for (uint16_t i = 0; i < b->n; i++) {
		struct nfv_pkt *p = &b->pkt[i];

		p->flow = p->rec != NULL && s->ops->flow_size > 0 ?
			(uint8_t *)nfv_flow_slot(seg->table[p->family == 6], p->rec) + s->flow_off :
			NULL;
	}
	if (__builtin_expect(out->room < NFV_BURST_MAX, 0))
		chain_arm(c, out);
	b->idle = c->idle;
	if (nfv_watched())
		watch_stage(s, b);
	stats->packets += b->n;
	stats->bursts++;
	t0 = rte_rdtsc();
	s->ops->process(s->state, b, out);
	stats->cycles += rte_rdtsc() - t0;
	if (out->n > 0 || out->starved > 0) {
		stats->originated += out->n;
		/* Answers to a new flow have to find its record already. */
		if (seg->table[0] != NULL)
			records_alias(seg->table, &c->stats.key_taken, b, true);
		originate(c, out, at, b->tsc, depth);
	}
	chain_sweep(b, stats->drop, NFV_STAGE_DROPS, &stats->consumed);
	if (s->ops->ends_flows)
		reread(c, b);
}

/* Through the stages of one segment from `at` on; returns the stage that comes next. */
static int
run_segment(struct nfv_chain *c, int at, struct nfv_burst *b, unsigned int depth)
{
	const struct segment *seg = &c->segment[c->stage[at].segment];
	int step = b->dir == NFV_OUTWARD ? 1 : -1;
	uint32_t now = chain_tick_of(c, b->tsc);
	uint64_t t0 = rte_rdtsc();
	struct fresh fresh;

	records_attach(seg->table, b, now, &fresh);
	if (seg->table[0] != NULL) {
		c->stats.part[NFV_FLOW].packets += b->n;
		c->stats.part[NFV_FLOW].cycles += rte_rdtsc() - t0;
	}
	for (; at >= seg->first && at <= seg->last && b->n > 0; at += step) {
		tap(&c->seam[step > 0 ? at : at + 1], b->pkt, b->n, b->dir);
		if (__builtin_expect(is_away(&c->stage[at]), 0))
			away_process(c, at, b, depth);
		else
			run_stage(c, seg, at, b, depth);
	}
	if (seg->table[0] != NULL) {
		t0 = rte_rdtsc();
		records_settle(seg->table, &c->stats.key_taken, b, &fresh, now);
		c->stats.part[NFV_FLOW].cycles += rte_rdtsc() - t0;
	}
	return at;
}

/* From stage `at`, where its segment is known to be this shard's, to the chain's end and out. */
void
chain_resume(struct nfv_chain *c, int at, struct nfv_burst *b, unsigned int depth)
{
	while (at >= 0 && at < c->n && b->n > 0) {
		at = run_segment(c, at, b, depth);
		if (__builtin_expect(c->shard != NULL, 0) && at >= 0 && at < c->n)
			spread_sort(c, at, b, depth);
	}
	if (b->n == 0)
		return;
	tap(&c->seam[b->dir == NFV_OUTWARD ? c->n : 0], b->pkt, b->n, b->dir);
	if (__builtin_expect(has_larger(b, c->mtu[b->dir == NFV_OUTWARD]), 0))
		leave_apart(c, b, depth);
	else
		leave(c, b, depth);
}

void
chain_run(struct nfv_chain *c, int at, struct nfv_burst *b, unsigned int depth)
{
	if (__builtin_expect(c->shard != NULL, 0) && at >= 0 && at < c->n)
		spread_sort(c, at, b, depth);
	chain_resume(c, at, b, depth);
}

bool
chain_adopt(struct nfv_pkt *p)
{
	p->flags = NFV_PKT_OWN;
	p->verdict = NFV_KEEP;
	if (nfv_watched())
		watch_written(p);
	if (nfv_pkt_parse_ip(p) != NFV_PARSE_OK)
		return false;
	/* No addresses yet, but captures and their filters want to know what it is. */
	*(struct nfv_eth *)p->data =
		(struct nfv_eth){ .be_type = htobe16(p->family == 4 ? NFV_ETH_IP4 : NFV_ETH_IP6) };
	return true;
}

/* Let what was written into `out` by stage `from` go its ways. */
static void
originate(struct nfv_chain *c, struct nfv_out *out, int from, uint64_t tsc, unsigned int depth)
{
	struct nfv_burst b[2];

	b[NFV_OUTWARD].n = b[NFV_INWARD].n = 0;
	for (uint16_t i = 0; i < out->n; i++) {
		struct nfv_burst *to = &b[out->dir[i]];

		if (depth + 1 < DEPTH_MAX && chain_adopt(&out->pkt[i])) {
			to->pkt[to->n++] = out->pkt[i];
			continue;
		}
		c->stats.loop_drop[depth + 1 < DEPTH_MAX ? NFV_LOOP_BAD_ORIGIN : NFV_LOOP_DEPTH]++;
		rte_pktmbuf_free(out->pkt[i].buf);
	}
	c->stats.loop_drop[NFV_LOOP_NO_BUFFER] += out->starved;
	out->starved = 0;
	chain_arm(c, out);
	for (int dir = NFV_OUTWARD; dir <= NFV_INWARD; dir++) {
		int at = dir == NFV_OUTWARD ? from + 1 : from - 1;

		if (b[dir].n == 0)
			continue;
		if (from == ENDS)
			at = dir == NFV_OUTWARD ? 0 : c->n - 1;
		b[dir].tsc = tsc;
		b[dir].dir = (enum nfv_dir)dir;
		chain_run(c, at, &b[dir], depth + 1);
	}
}

/* Frames as packets; one that does not lie in a single buffer goes no further. */
static void
take(struct nfv_chain *c, struct rte_mbuf **m, uint16_t n, unsigned int port, struct nfv_burst *b)
{
	b->n = 0;
	for (uint16_t i = 0; i < n; i++)
		__builtin_prefetch(rte_pktmbuf_mtod(m[i], void *));
	for (uint16_t i = 0; i < n; i++) {
		if (__builtin_expect(m[i]->nb_segs != 1, 0)) {
			c->stats.loop_drop[NFV_LOOP_SEGMENTED]++;
			rte_pktmbuf_free(m[i]);
			continue;
		}
		b->pkt[b->n++] = (struct nfv_pkt){ .data = rte_pktmbuf_mtod(m[i], uint8_t *),
			.buf = m[i],
			.len = m[i]->data_len,
			.headroom = rte_pktmbuf_headroom(m[i]),
			.tailroom = rte_pktmbuf_tailroom(m[i]),
			.port = (uint8_t)port };
	}
}

/* Datagrams whose fragments have all come run behind the burst that brought the last of them, in
 * bursts of one: there are few, and they are long. */
static void
run_whole(struct nfv_chain *c, enum nfv_dir dir, uint64_t tsc)
{
	struct nfv_burst b = { .tsc = tsc, .dir = dir };
	uint32_t len;

	while ((len = nfv_l3_whole(c->l3)) > 0) {
		b.n = 1;
		/* Without a buffer it has no room, and is dropped for that. */
		if (!chain_alloc(c, len, &b.pkt[0]))
			b.pkt[0] = (struct nfv_pkt){ .buf = NULL };
		chain_arm_for(c, &c->wire, arm_of(c, len, dir == NFV_INWARD));
		nfv_l3_take_whole(c->l3, &b.pkt[0], &c->wire);
		chain_sweep(&b, c->stats.l3_drop, NFV_L3_REASONS, &c->stats.l3_consumed);
		chain_send_wire(c);
		if (b.n > 0)
			chain_run(c, dir == NFV_OUTWARD ? 0 : c->n - 1, &b, 0);
	}
}

static unsigned int
poll_port(struct nfv_chain *c, unsigned int port)
{
	uint64_t t0 = rte_rdtsc(), t1;
	struct rte_mbuf *m[NFV_BURST_MAX];
	unsigned int whole;
	struct nfv_burst b;
	uint16_t n = rte_eth_rx_burst(c->rx_port[port], c->queue, m, NFV_BURST_MAX);

	if (n == 0)
		return 0;
	b.dir = port == 0 ? NFV_OUTWARD : NFV_INWARD;
	take(c, m, n, port, &b);
	if (nfv_watched())
		watch_received(c, &b, port);
	b.tsc = t1 = rte_rdtsc();
	if (__builtin_expect(c->shard != NULL, 0))
		spread_hear(c, t1);
	c->stats.rx[port] += n;
	c->stats.part[NFV_RX].packets += n;
	c->stats.part[NFV_RX].cycles += t1 - t0;
	tap(&c->port_tap[port], b.pkt, b.n, b.dir);
	c->stats.part[NFV_L3_IN].packets += b.n;
	whole = nfv_l3_input(c->l3, &b, &c->wire);
	chain_sweep(&b, c->stats.l3_drop, NFV_L3_REASONS, &c->stats.l3_consumed);
	chain_send_wire(c);
	c->stats.part[NFV_L3_IN].cycles += rte_rdtsc() - t1;
	if (b.n > 0)
		chain_run(c, b.dir == NFV_OUTWARD ? 0 : c->n - 1, &b, 0);
	if (__builtin_expect(whole > 0, 0))
		run_whole(c, b.dir, b.tsc);
	return n;
}

unsigned int
nfv_chain_poll(struct nfv_chain *c)
{
	unsigned int n, queued;
	uint64_t t0;

	if (__builtin_expect(c->wire.room < NFV_BURST_MAX, 0))
		chain_arm(c, &c->wire);
	n = poll_port(c, 0) + poll_port(c, 1);
	if (__builtin_expect(c->sends_away, 0))
		n += away_collect(c);
	if (__builtin_expect(c->shard != NULL, 0)) {
		n += spread_take(c);
		spread_flush(c);
	}
	queued = (unsigned int)(c->tx[0].n + c->tx[1].n);
	if (queued > 0) {
		t0 = rte_rdtsc();
		c->stats.part[NFV_TX].packets += queued;
		flush(c, 0);
		flush(c, 1);
		c->stats.part[NFV_TX].cycles += rte_rdtsc() - t0;
	}
	return n;
}

void
nfv_chain_idled(struct nfv_chain *c, uint64_t cycles)
{
	c->idle += cycles;
}

unsigned int
nfv_chain_settle(struct nfv_chain *c)
{
	unsigned int n = 0;

	if (c->sends_away)
		n += away_settle(c);
	if (c->shard != NULL) {
		n += spread_take(c);
		spread_flush(c);
	}
	flush(c, 0);
	flush(c, 1);
	return n;
}

/* Timers of stages and of l3 originate like packets do, but from nowhere: depth 0. */
static void
tick_stage(struct nfv_chain *c, int at, uint64_t tsc)
{
	const struct nfv_stage_ops *ops = c->stage[at].ops;
	struct nfv_out *out = &c->out[0];

	if (ops->tick == NULL || is_away(&c->stage[at]))
		return;
	if (out->room < NFV_BURST_MAX)
		chain_arm(c, out);
	ops->tick(c->stage[at].state, tsc, out);
	if (out->n > 0 || out->starved > 0) {
		c->stats.stage[at].originated += out->n;
		originate(c, out, at, tsc, 0);
	}
}

void
nfv_chain_tick(struct nfv_chain *c, uint64_t tsc)
{
	enum { FLOWS_A_TICK = 64, PINHOLES_A_TICK = 32 };
	struct nfv_out *back = &c->back[0];

	for (int i = 0; i < c->n_segments; i++)
		for (int f = 0; f < 2; f++)
			if (c->segment[i].table[f] != NULL)
				nfv_flow_expire(c->segment[i].table[f], chain_tick_of(c, tsc),
					FLOWS_A_TICK);
	if (c->pinholes != NULL)
		nfv_pinholes_expire(c->pinholes, tsc, PINHOLES_A_TICK);
	/* A worker that has never received has armed nothing yet. */
	if (c->wire.room < NFV_BURST_MAX)
		chain_arm(c, &c->wire);
	if (back->room < NFV_BURST_MAX)
		chain_arm(c, back);
	nfv_l3_tick(c->l3, tsc, &c->wire, back);
	chain_send_wire(c);
	if (back->n > 0 || back->starved > 0)
		originate(c, back, ENDS, tsc, 0);
	for (int i = 0; i < c->n; i++)
		tick_stage(c, i, tsc);
	if (c->shard != NULL) {
		spread_hear(c, tsc);
		spread_flush(c);
	}
	flush(c, 0);
	flush(c, 1);
}
