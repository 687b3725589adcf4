/**
 * @file
 * The proof that colours keep out of each other's way: a hot set of one colour, timed alone, after a
 * stream through pages of the same colour, and after a stream through all the others. Threads: on
 * the CPU that was calibrated.
 */
#ifndef VERIFY_H
#define VERIFY_H

#include "mpc_arena.h"

#define VERIFY_COLOURS 64

struct verify_latency {
	double alone, same, others; /* cycles a page of the hot set, medians */
};

struct verify_result {
	struct verify_latency colour[VERIFY_COLOURS], all; /* all: medians over the colours */
	uint32_t colours, hot, stream_same, stream_others; /* pages */
	double kept; /* of the slowdown by the same colour, the fraction that the others do not cause */
	bool good;
};

/**
 * Pages are taken from the arena and given back. Errors: -ENOSPC: the region is too small; -EINVAL:
 * fewer than two colours.
 */
int verify_run(struct mpc_arena *arena, const struct mpc_cache *cache, uint32_t colours,
	const struct mpc_probe *probe, struct verify_result *out, struct nfv_err *err);

#endif
