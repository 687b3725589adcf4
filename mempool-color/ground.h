/**
 * @file
 * What every command stands on: a CPU, its caches, a region of memory, and its colours.
 */
#ifndef GROUND_H
#define GROUND_H

#include "mpc_calibrate.h"
#include "mpc_region.h"
#include "options.h"

struct ground {
	int cpu;
	_Alignas(8) uint8_t
		allowed[128]; /* a cpu_set_t: where the thread might run before it was pinned */
	struct mpc_caches caches;
	struct mpc_cache cache; /* the one whose colours are meant */
	struct mpc_region region;
	uint64_t *frame; /* or NULL */
};

/** Pin the thread, read the caches. Errors: a CPU that may not be used, a cache not described. */
int ground_init(struct ground *g, const struct options *o, struct nfv_err *err);

/** Let the thread run where it might before ground_init: the bench pins its threads itself. */
void ground_unpin(const struct ground *g);

/** Get the memory; a note about its pages goes to standard error unless `json`. */
int ground_region(struct ground *g, const struct options *o, struct nfv_err *err);

void ground_fini(struct ground *g);

struct ground_run {
	struct mpc_map map;
	double seconds;
	unsigned int refused; /* tries that were not confident, and repeated */
};

/**
 * Calibrate, at most three times until a map is confident, with a progress bar on standard error if
 * that is a terminal. A map that never is confident is returned all the same.
 */
int ground_calibrate(struct ground *g, struct ground_run *out, struct nfv_err *err);

#endif
