/**
 * @file
 * A region and its map, measured. Apart from colour.h, since what measures has names of its own.
 */
#ifndef COLOUR_GROUND_H
#define COLOUR_GROUND_H

#include "mpc_arena.h"

struct colour_ground {
	struct mpc_region region;
	struct mpc_map map;
	uint32_t level;
	double seconds;
};

/**
 * Measure `size` bytes on the CPU at hand, with progress on standard error. `level`: 2, or 0 for the
 * last. Errors: no memory, a cache that cannot be measured, -EAGAIN: the map is not confident.
 */
int colour_ground_make(
	size_t size, unsigned int level, struct colour_ground *out, struct nfv_err *err);
void colour_ground_free(struct colour_ground *g);

#endif
