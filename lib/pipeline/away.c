/* Stages that run elsewhere, as the data path meets them: bursts go out, and come back in later rounds. */
#include <rte_cycles.h>

#include "away.h"
#include "chain.h"

void
away_process(struct nfv_chain *c, int at, struct nfv_burst *b, unsigned int depth)
{
	struct stage *s = &c->stage[at];
	struct nfv_stage_stats *stats = &c->stats.stage[at];
	uint64_t t0 = rte_rdtsc();

	stats->packets += b->n;
	stats->bursts++;
	for (uint16_t i = 0; i < b->n; i++)
		b->pkt[i].depth = (uint8_t)depth;
	s->away.ops->process(s->away.arg, b);
	stats->cycles += rte_rdtsc() - t0;
}

/* Packets go on in bursts of one depth, as they were handed over. */
static void
run_on(struct nfv_chain *c, int at, struct nfv_burst *b)
{
	struct nfv_burst same;
	uint8_t mixed = 0;

	for (uint16_t i = 1; i < b->n; i++)
		mixed |= b->pkt[i].depth ^ b->pkt[0].depth;
	if (b->n > 0 && mixed == 0)
		chain_run(c, at, b, b->pkt[0].depth);
	if (mixed == 0)
		return;
	same.n = 0;
	for (uint16_t i = 0; i < b->n; i++) {
		same.tsc = b->tsc;
		same.dir = b->dir;
		same.pkt[same.n++] = b->pkt[i];
		if (i + 1 < b->n && b->pkt[i + 1].depth == b->pkt[i].depth)
			continue;
		chain_run(c, at, &same, b->pkt[i].depth);
		same.n = 0;
	}
}

/* What it has originated is as deep as it says, at least an answer; one that lies could as well originate
 * unasked. */
static void
run_origins(struct nfv_chain *c, int at, struct nfv_burst *b)
{
	uint64_t none = 0;

	for (uint16_t k = 0; k < b->n; k++) {
		struct nfv_pkt *p = &b->pkt[k];

		p->depth = p->depth > 0 ? p->depth : 1;
		if (p->depth >= DEPTH_MAX)
			p->verdict = NFV_DROP(NFV_LOOP_DEPTH);
		else if (!chain_adopt(p))
			p->verdict = NFV_DROP(NFV_LOOP_BAD_ORIGIN);
	}
	chain_sweep(b, c->stats.loop_drop, NFV_LOOP_DROPS, &none);
	run_on(c, at, b);
}

/* What a stage elsewhere has given back goes on, behind what it has originated before. Returns how many
 * packets it was. */
static unsigned int
collect_one(struct nfv_chain *c, int at)
{
	enum { BURSTS = 4 }; /* for each that a poll may have handed over */
	struct stage *s = &c->stage[at];
	struct nfv_stage_stats *stats = &c->stats.stage[at];
	struct nfv_burst back[2], origin[2];
	unsigned int sum = 0;

	for (int i = 0; i < BURSTS; i++) {
		uint64_t t0 = rte_rdtsc();
		uint32_t n = s->away.ops->collect(s->away.arg, back, origin);

		stats->cycles += n > 0 ? rte_rdtsc() - t0 : 0;
		if (n == 0)
			break;
		sum += n;
		for (int dir = NFV_OUTWARD; dir <= NFV_INWARD; dir++) {
			int next = dir == NFV_OUTWARD ? at + 1 : at - 1;

			stats->originated += origin[dir].n;
			run_origins(c, next, &origin[dir]);
			chain_sweep(&back[dir], stats->drop, NFV_STAGE_DROPS, &stats->consumed);
			run_on(c, next, &back[dir]);
		}
	}
	s->away.ops->lost(s->away.arg, stats->lost);
	return sum;
}

unsigned int
away_collect(struct nfv_chain *c)
{
	unsigned int n = 0;

	for (int i = 0; i < c->n; i++)
		if (is_away(&c->stage[i]))
			n += collect_one(c, i);
	return n;
}

/* Those who do not hurry are not waited for: what they have then is counted as lost with them. */
unsigned int
away_settle(struct nfv_chain *c)
{
	enum { PATIENCE_MS = 50 };
	uint64_t until = rte_rdtsc() + PATIENCE_MS * (rte_get_tsc_hz() / 1000);
	unsigned int sum = 0;
	uint32_t waiting;

	do {
		waiting = 0;
		sum += away_collect(c);
		for (int i = 0; i < c->n; i++)
			if (is_away(&c->stage[i]))
				waiting += c->stage[i].away.ops->waiting(c->stage[i].away.arg);
	} while (waiting > 0 && rte_rdtsc() < until);
	return sum;
}
