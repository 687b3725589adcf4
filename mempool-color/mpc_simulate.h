/**
 * @file
 * A cache to try things on: sets of ways, replacement by true LRU or by the tree pseudo-LRU of real
 * ones, and pages that lie in it by colour. For tests, predictions that are to be checked, and plans
 * that are to be compared; only which lines are there is simulated, not time.
 *
 * Ownership: whoever creates it destroys it. Threads: one at a time.
 */
#ifndef MPC_SIMULATE_H
#define MPC_SIMULATE_H

#include <stdbool.h>
#include <stddef.h>

#include "mpc_access.h"
#include "mpc_cache.h"

enum mpc_policy {
	MPC_LRU,
	MPC_PLRU /* a bit per inner node of a tree of ways, their number being a power of two */
};

struct mpc_sim;

/**
 * Of the cache, line, ways and sets count. A fully associative one has one set. Errors: -EINVAL:
 * not a cache, no pages in it, or ways that make no tree; -ENOMEM.
 */
int mpc_sim_create(const struct mpc_cache *cache, enum mpc_policy policy, struct mpc_sim **out,
	struct nfv_err *err);
void mpc_sim_destroy(struct mpc_sim *s);

/** Load a line, named by any number but 0, in a set; whether it was there. */
bool mpc_sim_load(struct mpc_sim *s, uint32_t set, uint64_t tag);
/** Throw out what a way of a set holds, as a neighbour would. */
void mpc_sim_drop(struct mpc_sim *s, uint32_t set, uint32_t way);

/** Which colour a page of a class has: below the cache's colours, and always the same. */
struct mpc_place {
	uint32_t (*colour)(void *arg, uint32_t class, uint64_t page);
	void *arg;
};

/** Colours by class, as a set of 1 << colour each; pages are spread over them by a hash. */
struct mpc_palette {
	uint64_t colours[MPC_CLASSES]; /* 0: none, such pages are put in colour 0 */
};

struct mpc_place mpc_place_palette(struct mpc_palette *palette);

struct mpc_sim_count {
	uint64_t accesses, misses;
	uint64_t evicted[2]; /* lines that it lost: to itself, to other classes */
};

/**
 * The next accesses of a trace; `count` goes on counting. Pages have MPC_PAGE bytes; a line lies
 * where its place in the page is within the sets of the page's colour. Classes are below MPC_CLASSES;
 * a line is of the class that touched it last.
 */
void mpc_sim_run(struct mpc_sim *s, const struct mpc_access *a, size_t n,
	const struct mpc_place *place, struct mpc_sim_count count[MPC_CLASSES]);

#endif
