/**
 * @file
 * What is timed: packets whose bytes stream through rotating buffers, each followed by look-ups in a
 * table that is to stay in the cache. The work does not know which layout of pages it runs on, so it
 * is the same in all of them; its checksum says so. Threads: one at a time; a helper thread of its
 * own lives only during the call.
 */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include <stdbool.h>

#include "bench.h"

#define WORK_BURST   32 /* packets between two looks at the clock */
#define WORK_RECEIVE 32 /* buffers that retention copies from */
#define WORK_LINE    64
#define WORK_BUFFER  2048 /* bytes a buffer, two a page */

struct work {
	enum bench_case which;
	bool streaming;         /* retention: copy by stores that go around the cache */
	uint8_t *const *table;  /* its pages */
	uint8_t *const *buffer; /* `depth` starts of buffers, used in turn */
	uint8_t *const *receive;
	uint32_t table_lines, depth, lookups, lines;
	uint32_t warm_up, packets; /* first so many that are not timed, then so many that are */
	double *burst;             /* room for the cycles of each burst that is timed */
	int helper;                /* CPU of who writes the buffers; other-core only */
};

struct work_done {
	/* Of the time stamp counter, a packet, in the median burst: what interrupts the thread, or runs
	 * in its place for a while, is not counted. */
	double cycles;
	uint64_t sum; /* over all that was looked up */
};

/** Fill the table with what the look-ups follow. */
void work_fill(const struct work *w);

/** Errors: -EAGAIN: the helper cannot be started on its CPU. */
int work_run(const struct work *w, struct work_done *out, struct nfv_err *err);

#endif
