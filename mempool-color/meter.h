/**
 * @file
 * The one measurement everything else is made of: bring pages in, walk a set, and see which of them
 * it has pushed out of the cache. Threads: one meter a thread.
 */
#ifndef METER_H
#define METER_H

#include "mpc_calibrate.h"

#define METER_BATCH 32 /* pages asked at once, at most */

struct meter {
	const struct mpc_probe *probe;
	uint64_t random;
	uint32_t hit, miss; /* cycles */
	uint64_t timings;
	uint32_t repeated;
	void *scratch; /* one block, freed by whoever made the meter */
};

/** A random number below n, by xorshift. */
uint32_t meter_below(struct meter *m, uint32_t n);
void meter_shuffle(struct meter *m, uint32_t *v, uint32_t n);

/**
 * Take the times of a hit and of the nearest miss, which clock and neighbours change from hour to
 * hour. `room` has space for three times the cache's pages. Errors: -EAGAIN: they are too close.
 */
int meter_init(struct meter *m, const struct mpc_calibration *what, const struct mpc_probe *probe,
	uint8_t **room, struct nfv_err *err);

/** Load the pages, walk the set, time the pages. */
void meter_ask(struct meter *m, uint8_t *const *page, unsigned int n, uint8_t *const *set,
	unsigned int n_set, uint32_t *cycles);

/**
 * What tells pushed-out pages from the others in one round of times: half the way from hit to miss
 * above the `part` quantile, which is a hit where enough of the pages are not pushed out; it takes
 * with it what slows all pages of a round alike.
 */
uint32_t meter_threshold(
	const struct meter *m, const uint32_t *cycles, unsigned int n, double part);

/** How many pages of so many colours fit beside each other with room to spare: 1 … METER_BATCH. */
unsigned int meter_batch(const struct mpc_cache *cache, uint32_t colours);

/**
 * Whether the set evicts this page, by majority of `votes`. Random other pages are asked beside it,
 * to compare with.
 */
bool meter_evicts(struct meter *m, const struct mpc_calibration *what, uint8_t *page,
	uint8_t *const *set, unsigned int n_set, int votes);

#endif
