/**
 * @file
 * Which pages the arms of the bench put their table and buffers on. Ownership: pages that are taken
 * go back to the arena before the next arm takes its own. Threads: one at a time.
 */
#ifndef BENCH_LAYOUT_H
#define BENCH_LAYOUT_H

#include <stdbool.h>

#include "bench_work.h"

/** An arm: on pages of which colours it puts what. */
struct plan {
	const char *name;
	uint32_t colours;           /* for the buffers; 0: not confined */
	bool random;                /* any pages, not even spread evenly */
	bool streaming;             /* struct work */
	mpc_colours table, buffers; /* unless random */
};

/** The arms of a case, `off` first and those of the shares last; how many. */
unsigned int layout_plans(
	const struct bench_options *o, enum bench_case which, struct plan plan[BENCH_ARMS]);

/** Errors: -ENOSPC: an arm will not get its pages. */
int layout_check(const struct bench_options *o, const struct plan *plan, unsigned int n,
	struct nfv_err *err);

struct layout {
	struct mpc_arena *arena;
	uint8_t **page;   /* room for all of the arena: the table's, then the others */
	uint8_t **buffer; /* room for the deepest rotation: starts of buffers */
	uint8_t *receive[WORK_RECEIVE];
	uint64_t random;
	uint32_t taken; /* pages */
};

/** Errors: -ENOSPC; -ENOMEM. Accepted by layout_fini either way. */
int layout_init(struct layout *l, const struct bench_options *o, struct nfv_err *err);
void layout_fini(struct layout *l);

/**
 * Pages for an arm, other ones each time, and in an order of addresses that is as random in one arm
 * as in another.
 */
int layout_take(struct layout *l, const struct bench_options *o, const struct plan *p,
	uint32_t depth, struct nfv_err *err);
void layout_give(struct layout *l);

#endif
