/**
 * @file
 * A stage's state on its way from one process to another that takes its place: flows while the old one still
 * works, and what has changed since when it has stopped.
 *
 * The stream, in records of a pipe (nfv_pipe.h), in this machine's byte order:
 *
 *   BEGIN  nfv_handover_begin     once, first: whose state, of which version
 *   FLOW   nfv_handover_flow      a flow, new or as it is now; behind it what the stage keeps of it
 *   GONE   nfv_handover_gone      a flow that has come before is over
 *   AGAIN                         all that has come is void; it comes once more
 *   ITEM   nfv_handover_item      a part of a record of the stage's own, new, or as it is now; the whole
 *                                 behind the last part counts; one of no bytes: it is no more
 *   STATE  the stage's own bytes  when all flows and items have come
 *   END    nfv_handover_end       once, last: how many flows there are, and items
 *
 * The giver keeps a bit for each record that has changed since it was written, and goes round them, a few
 * each time it is asked to; a flow that ends is told at once, so that the taker never meets two flows
 * with the same key. Items are the stage's to sort out. The taker believes nothing: what is no record of these, or does not add up in the end,
 * is refused with a sentence. Flows and items that its stage does not take are counted.
 *
 * Memory is taken by init alone. Threads: each end, its own.
 */
#ifndef NFV_HANDOVER_H
#define NFV_HANDOVER_H

#include "nfv_flow.h"
#include "nfv_items.h"
#include "nfv_pipe.h"
#include "nfv_stage.h"

#define NFV_HANDOVER_FORMAT 2u

enum nfv_handover_type {
	NFV_HANDOVER_BEGIN = 1,
	NFV_HANDOVER_FLOW,
	NFV_HANDOVER_GONE,
	NFV_HANDOVER_AGAIN,
	NFV_HANDOVER_ITEM,
	NFV_HANDOVER_STATE,
	NFV_HANDOVER_END,
};

struct nfv_handover_begin {
	uint32_t format, version; /* the second: state_version */
	char stage[64];
};

struct nfv_handover_flow {
	struct nfv_flow_carried flow;
	uint32_t index, n; /* the giver's number of it; bytes of the stage that follow */
};

struct nfv_handover_gone {
	uint32_t family, index;
};

struct nfv_handover_item {
	uint32_t kind, index;
	uint32_t n, at; /* bytes of all of it; where in it the part lies that follows */
};

struct nfv_handover_end {
	uint64_t flows, items;
};

/** Of either end: whose state it is. Tables are a pair as in records.h; NULL: the stage has no flows. */
struct nfv_handover_of {
	const struct nfv_stage_ops *ops;
	void *state;
	struct nfv_flow_table *const *table;
	uint32_t max; /* records of each table */
};

static inline uint32_t
nfv_handover_flows(const struct nfv_handover_of *of)
{
	return of->table != NULL && of->table[0] != NULL ? of->max : 0;
}

struct nfv_giver {
	struct nfv_handover_of of;
	struct nfv_pipe_end out;
	uint64_t *dirty[2], *sent[2]; /* a bit for each record */
	uint32_t words;               /* of each of them */
	uint32_t at, rounds;          /* where it is, of both tables; how often it came by here */
	struct nfv_items_out items;
	bool on, again;
};

int nfv_giver_init(struct nfv_giver *g, const struct nfv_handover_of *of, struct nfv_err *err);
void nfv_giver_fini(struct nfv_giver *g);
/** Begin; ends what was begun before. */
void nfv_giver_start(struct nfv_giver *g, struct nfv_pipe *pipe, uint32_t use);
static inline void
nfv_giver_stop(struct nfv_giver *g)
{
	g->on = false;
	nfv_items_stop(&g->items);
}
/** A packet of this flow has passed. */
static inline void
nfv_giver_touch(struct nfv_giver *g, unsigned int six, uint32_t index)
{
	g->dirty[six][index / 64] |= 1ull << index % 64;
}
/** A flow is over; to be called before its record is another's. */
void nfv_giver_gone(struct nfv_giver *g, unsigned int six, uint32_t index);
/** Write down what has changed, looking at `budget` records at most. True: little is left. */
bool nfv_giver_step(struct nfv_giver *g, uint32_t now, uint32_t budget);
/** There will be no packet any more: write down the rest, and wait for the reader meanwhile, as long as
 * `patience` says yes. -ETIMEDOUT; or what the stage's own export says. */
int nfv_giver_finish(struct nfv_giver *g, uint32_t now, bool (*patience)(void *arg), void *arg);

struct nfv_taker {
	struct nfv_handover_of of;
	struct nfv_pipe_end in;
	uint32_t *record[2]; /* by the giver's numbers: ours, and 1 more; 0: none */
	uint64_t *item[NFV_ITEM_KINDS],
		*lost[NFV_ITEM_KINDS];  /* that have come; that were not taken */
	uint32_t items[NFV_ITEM_KINDS]; /* how many numbers there may be */
	uint8_t *whole;                 /* an item, as far as it has come */
	struct nfv_handover_item part;  /* what is to come of it next */
	uint32_t version, refused;
	bool begun;
	uint8_t room[NFV_PIPE_RECORD];
};

int nfv_taker_init(struct nfv_taker *t, const struct nfv_handover_of *of, struct nfv_err *err);
void nfv_taker_fini(struct nfv_taker *t);
/** Take one record: 1; 0 after the last one; -EAGAIN: none yet; -errno with a sentence: it cannot be. */
int nfv_taker_step(struct nfv_taker *t, uint32_t now, struct nfv_err *err);

#endif
