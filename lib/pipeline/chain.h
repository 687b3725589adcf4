/** @file  The inside of a chain, shared by its set-up, its data path and its views. */
#ifndef CHAIN_H
#define CHAIN_H

#include <rte_mbuf.h>

#include "nfv_pipeline.h"
#include "nfv_tap.h"

#define DEPTH_MAX 4 /* an answer to an answer to an answer is where it ends */
#define TX_MAX    64

/* A run of stages that share a flow record; a stage that ends flows is a segment of its own. */
struct segment {
	struct nfv_chain *chain;
	int first, last;
	uint16_t slots;                  /* bytes of its stages' slots */
	struct nfv_flow_table *table[2]; /* IPv4, IPv6; NULL if no stage keeps anything */
	struct nfv_pages pages[2];
};

struct stage {
	const struct nfv_stage_ops *ops;
	void *state;
	bool started;         /* init was called: fini is due */
	struct nfv_away away; /* where it is if it is not here: then it has no state */
	uint16_t flow_off;
	int segment;
};

struct shard; /* spread.c's */

struct txq {
	uint16_t port, n;
	struct rte_mbuf *m[TX_MAX];
};

struct nfv_chain {
	struct nfv_l3 *l3;
	struct rte_mempool *pool, *large_pool; /* the second may be NULL */
	int n;                                 /* stages */
	uint16_t rx_port[2], mtu[2];
	bool copies[2]; /* this core copies what the port receives and sends */
	struct stage stage[NFV_STAGES_MAX];
	struct segment segment[NFV_STAGES_MAX];
	int n_segments;
	bool sends_away;               /* one of its stages at least is elsewhere */
	struct nfv_pinholes *pinholes; /* NULL if no stage opens any */
	struct nfv_pages pinhole_pages;
	const struct nfv_lender *lender;
	const struct nfv_lender *shared;              /* of the pinholes; or the same */
	uint8_t *marks;                               /* and their marks; NULL: the table's own */
	struct nfv_pinhole_set own_set, *pinhole_set; /* the second is the first, or all shards' */
	struct shard *shard;                          /* NULL: the chain runs on one worker */
	uint16_t queue;                               /* of both ports */
	struct nfv_toward *toward;
	uint32_t n_toward;
	struct nfv_prefix *own[2];
	struct nfv_stage_ctx told;       /* what is the same for all stages */
	uint64_t tsc_zero, tsc_per_tick; /* flow ticks */
	uint64_t idle;                   /* cycles, of the worker */
	struct txq tx[2];
	struct nfv_large large;         /* for all that follow */
	struct nfv_out wire;            /* frames that l3 sends by itself */
	struct nfv_out out[DEPTH_MAX];  /* for the stages, by depth */
	struct nfv_out back[DEPTH_MAX]; /* for l3's errors, by depth */
	_Atomic(struct nfv_tap *) seam[NFV_STAGES_MAX + 1], port_tap[2];
	struct nfv_chain_stats stats;
	char name[32];
};

/* Fill up what was taken of `out`, and of the large ones, with empty buffers, so that there are
 * NFV_BURST_MAX; less room if there are none. */
void chain_arm(struct nfv_chain *c, struct nfv_out *out);
/* The same, so that there are `n` of them. */
void chain_arm_for(struct nfv_chain *c, struct nfv_out *out, uint16_t n);
/* An empty packet with room for a frame of `len` bytes; false: there is no buffer. */
bool chain_alloc(struct nfv_chain *c, uint32_t len, struct nfv_pkt *out);

/* What a stage at this place is told when it starts, but for `conf` and `doc`; and started. */
void chain_context(const struct nfv_chain *c, int at, struct nfv_stage_ctx *ctx);
int chain_start(struct stage *s, const struct nfv_stage_ctx *ctx, struct nfv_err *err);

/*
 * run.c, for those who take packets from the burst's way and put them back on it.
 */
/* Take out what got a verdict: count it in drop[] (or *consumed), free its buffer, close the gaps.
 * Verdicts past the table's end are counted in its last place. */
void chain_sweep(struct nfv_burst *b, uint64_t *drop, unsigned int n_drops, uint64_t *consumed);
/* A packet written here becomes one like any other, if it holds what it must. */
bool chain_adopt(struct nfv_pkt *p);
/* From stage `at` to the chain's end and out. */
void chain_run(struct nfv_chain *c, int at, struct nfv_burst *b, unsigned int depth);
/* A burst goes on from stage `at`, in a segment that is its own. */
void chain_resume(struct nfv_chain *c, int at, struct nfv_burst *b, unsigned int depth);
void chain_send_wire(struct nfv_chain *c);

static inline bool
is_away(const struct stage *s)
{
	return s->away.ops != NULL;
}

static inline uint32_t
chain_tick_of(const struct nfv_chain *c, uint64_t tsc)
{
	return (uint32_t)((tsc - c->tsc_zero) / c->tsc_per_tick);
}

#endif
