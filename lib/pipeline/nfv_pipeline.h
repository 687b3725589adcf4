/**
 * @file
 * Chains of stages between two ports, and the workers that run them.
 *
 * A chain owns its stages' state, its flow tables, its l3 and its counters. A worker is one lcore
 * that polls its chains' ports to completion: receive, l3 input, stages, l3 output, transmit. It is
 * the only one that touches them while it runs; the control thread reads counters, which have one
 * writer and are plain 64-bit words, and swaps pointers that the worker picks up at a burst's
 * boundary.
 *
 * Threads: create and destroy a chain on its worker's lcore (nfv_worker_call does that), so that
 * memory is local; everything else on the control thread.
 */
#ifndef NFV_PIPELINE_H
#define NFV_PIPELINE_H

#include <stdatomic.h>

#include "nfv_away.h"
#include "nfv_flow.h"
#include "nfv_l3.h"
#include "nfv_lender.h"
#include "nfv_spread.h"
#include "nfv_stage.h"

#define NFV_STAGES_MAX  16
#define NFV_CHAINS_MAX  16 /* a worker */
#define NFV_STAGE_DROPS 32

struct rte_mempool;
struct nfv_chain;
struct nfv_tap;

struct nfv_stage_use {
	const struct nfv_stage_ops *ops;
	const void *conf; /* the filled struct of ops->conf */
	/** Start it elsewhere, told what it would be told here; NULL: it runs in the loop. The chain closes
	 * what it gets. */
	int (*send_away)(void *arg, const struct nfv_stage_ops *ops,
		const struct nfv_stage_ctx *ctx, struct nfv_away *out, struct nfv_err *err);
	void *arg;
	/** To see whether its configuration will do for so many that share what there is; 0 and 1: for one. */
	uint32_t parts;
};

struct nfv_chain_conf {
	const char *name;
	const struct nfv_stage_use *stage; /* inside first */
	uint32_t n_stages;
	uint16_t port[2];         /* DPDK port ids, inside and outside */
	struct rte_mempool *pool; /* for what is originated */
	/* Few buffers with NFV_FRAME_MAX bytes of data room, for what is put together and for what stages
	 * write that is longer than the others; NULL: there are none. May be shared like `pool`. */
	struct rte_mempool *large_pool;
	/** For the pages of all tables of the chain and its stages; NULL: plain ones. Outlives the chain. */
	const struct nfv_lender *lender;
	/** For what stages elsewhere look into, the chain's pinholes: its pages they read, its pieces they write.
	 * NULL: there is none of those. Outlives the chain. */
	const struct nfv_lender *shared;
	struct nfv_l3_conf l3;
	uint32_t flows; /* at most, of each family */
	struct nfv_flow_timeouts timeouts;
	const struct nfv_conf *doc; /* for nfv_conf_fail, the stages' too; may be NULL */
	const void *at;             /* what of `doc` the chain was read into */
	uint64_t tsc_hz;
	uint64_t seed;
	struct nfv_spread
		*spread; /* of which it is one shard, on queue `shard` of its ports; or NULL */
	uint32_t shard;
	int socket;
};

struct nfv_stage_stats {
	uint64_t packets, bursts, cycles;
	uint64_t consumed, originated;
	uint64_t drop[NFV_STAGE_DROPS];
	uint64_t lost[NFV_AWAY_LOSSES]; /* of a stage that runs elsewhere */
};

/** The parts of the loop that are not stages. */
enum nfv_part { NFV_RX, NFV_L3_IN, NFV_FLOW, NFV_L3_OUT, NFV_TX, NFV_PARTS };
extern const char *const nfv_part_name[NFV_PARTS];

/** Drops that are nobody's but the loop's; names in nfv_loop_drop_name. */
enum nfv_loop_drop {
	NFV_LOOP_SEGMENTED, /* a received packet does not lie in one buffer: larger than the MTU allows */
	NFV_LOOP_NO_BUFFER,     /* a stage wanted to originate and there was no buffer */
	NFV_LOOP_BAD_ORIGIN,    /* what a stage wrote does not parse */
	NFV_LOOP_DEPTH,         /* answers to answers to answers */
	NFV_LOOP_TX_FULL,       /* the device took no more */
	NFV_LOOP_HANDOVER_FULL, /* too many are on their way to another shard */
	NFV_LOOP_DROPS
};
extern const char *const nfv_loop_drop_name[NFV_LOOP_DROPS];

struct nfv_chain_stats {
	uint64_t rx[2], tx[2]; /* packets by port */
	struct {
		uint64_t packets, cycles;
	} part[NFV_PARTS];
	uint64_t l3_drop[NFV_L3_REASONS], l3_consumed;
	uint64_t loop_drop[NFV_LOOP_DROPS];
	uint64_t key_taken; /* flows whose return tuple another flow holds */
	/* Of a shard: packets it gave to others and took from them; what it told them, and what it could
	 * not for want of room. */
	uint64_t handed, taken, told, untold;
	struct nfv_stage_stats stage[NFV_STAGES_MAX];
};

/** Stages' init errors are passed on with the chain's and the stage's name before them. */
int nfv_chain_create(
	const struct nfv_chain_conf *conf, struct nfv_chain **out, struct nfv_err *err);
void nfv_chain_destroy(struct nfv_chain *chain);

const char *nfv_chain_name(const struct nfv_chain *chain);
uint32_t nfv_chain_stages(const struct nfv_chain *chain);
const struct nfv_stage_ops *nfv_chain_stage(const struct nfv_chain *chain, uint32_t i);
/** The live counters. */
const struct nfv_chain_stats *nfv_chain_stats(const struct nfv_chain *chain);
/** All flow tables of the chain added up. */
struct nfv_flow_stats nfv_chain_flow_stats(const struct nfv_chain *chain);
void nfv_chain_show_flows(const struct nfv_chain *chain, FILE *to, uint32_t at_most);
void nfv_chain_show_l3(const struct nfv_chain *chain, FILE *to);
void nfv_chain_show_stage(const struct nfv_chain *chain, uint32_t i, FILE *to);

/**
 * Watch packets: at seam i, between stage i-1 and stage i (0: before the first, n: behind the
 * last), or, with nfv_chain_tap_port, at a port, as they are received and sent. NULL ends it. The
 * old tap may be destroyed once the worker has passed a burst's boundary (nfv_worker_sync).
 */
void nfv_chain_tap_seam(struct nfv_chain *chain, uint32_t seam, struct nfv_tap *tap);
void nfv_chain_tap_port(struct nfv_chain *chain, unsigned int port, struct nfv_tap *tap);

/**
 * Give back the empty buffers that the chain keeps ready for what it may originate, so that none stays
 * away from the pool for good; it takes others when it needs them. On the worker, between bursts.
 */
void nfv_chain_disarm(struct nfv_chain *chain);

/** Receive once from each port, run to completion, send. Returns packets received, and those that other
 * shards have handed over. */
unsigned int nfv_chain_poll(struct nfv_chain *chain);
/** The worker has had nothing to do for so many cycles; stages learn of it (nfv_burst.idle). */
void nfv_chain_idled(struct nfv_chain *chain, uint64_t cycles);
/** The end of a chain or shard that polls no more: deal with what other shards, or stages elsewhere, have
 * still handed over. Returns how many packets; to be called for all shards in turn, until none has any. */
unsigned int nfv_chain_settle(struct nfv_chain *chain);
/** Timers; about once a millisecond. */
void nfv_chain_tick(struct nfv_chain *chain, uint64_t tsc);

/** The stages' upkeep; on the control thread, every few milliseconds while the chain's worker runs. */
void nfv_chain_upkeep(struct nfv_chain *chain, uint64_t tsc);

enum nfv_worker_state {
	NFV_WORKER_STOPPED, /* does not receive; timers run */
	NFV_WORKER_RUNNING,
	NFV_WORKER_QUIT, /* takes what is still queued, sends it, returns */
};

/** Something to be done once between two bursts. */
struct nfv_errand {
	void (*run)(void *arg);
	void *arg;
};

struct nfv_worker {
	char name[32];
	unsigned int lcore;
	uint64_t tsc_hz;
	struct nfv_chain *chain[NFV_CHAINS_MAX];
	uint32_t n_chains;
	_Atomic int state;      /* enum nfv_worker_state; the control thread's to set */
	_Atomic uint64_t round; /* polls so far; the worker's to set */
	_Atomic(struct nfv_errand *)
		errand;       /* the control thread's to set, the worker's to clear */
	uint64_t busy_cycles; /* spent on rounds that received something */
	uint64_t start_tsc;
};

/** Run `fn(arg)` on the worker's lcore and wait for it; for set-up, while nothing runs there. */
int nfv_worker_call(const struct nfv_worker *w, int (*fn)(void *), void *arg);
/** Start the poll loop on the worker's lcore, in the state it is set to. */
int nfv_worker_start(struct nfv_worker *w, struct nfv_err *err);
/** Wait until the worker has passed a burst's boundary: what was swapped out is no longer in use. */
void nfv_worker_sync(const struct nfv_worker *w);
/**
 * Have the worker run `fn(arg)` between two bursts, and wait until it has; while it does not run, the
 * caller does. For what is short: packets wait meanwhile.
 */
void nfv_worker_between(struct nfv_worker *w, void (*fn)(void *arg), void *arg);
/** Ask it to quit and wait. */
void nfv_worker_stop(struct nfv_worker *w);

#endif
