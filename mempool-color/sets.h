/**
 * @file
 * Eviction sets for all colours at once, without knowing a single one to begin with.
 *
 * Of a sample of pages, random pools as large as the cache are walked; whatever the colour, a pool
 * holds too many of its pages half of the time. Which of 64 pools push a page out is its *signature*,
 * and pages of one colour share it.
 */
#ifndef SETS_H
#define SETS_H

#include "meter.h"

#define SETS_MEMBERS 96 /* pages of a set, at most */

/* Pages of one colour. The first `walk`, more than the cache has ways, are its eviction set: they
 * evict each other and all the rest. */
struct set {
	uint8_t *page[SETS_MEMBERS];
	uint32_t index[SETS_MEMBERS]; /* the same pages as places in the region */
	unsigned int n, walk;
};

bool set_has(const struct set *s, uint32_t page);

/** Pages that a sample needs for so many colours. */
uint32_t sets_sample(const struct mpc_cache *cache, uint32_t colours);

/**
 * Look for the sets of `colours` colours among the `n` pages of `todo`, of which a random sample is
 * taken (todo is shuffled for that). Returns how many were found, at most `max`, or -ENOMEM.
 */
int sets_find(struct meter *m, const struct mpc_calibration *what, uint32_t *todo, uint32_t n,
	uint32_t colours, struct set *out, uint32_t max);

#endif
