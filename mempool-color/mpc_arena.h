/**
 * @file
 * A region's pages, sorted by colour, to be handed out: whoever asks names the colours it may have.
 * Takers of complementary colours share the same huge pages, so nothing is wasted but what has no
 * colour. Ownership: the arena uses the region and copies the map's colours; the region outlives
 * it. Threads: one at a time.
 */
#ifndef MPC_ARENA_H
#define MPC_ARENA_H

#include "mpc_calibrate.h"
#include "mpc_region.h"
#include "nfv_pages.h"

/** Colours as a set: bit c is class c of the map. */
typedef uint64_t mpc_colours;

#define MPC_ALL_COLOURS UINT64_MAX

struct mpc_arena;

struct mpc_arena_usage {
	uint64_t reserved; /* bytes of the region */
	uint64_t used;     /* bytes of pages handed out */
	uint64_t free;     /* bytes that can still be */
	uint64_t wasted;   /* bytes of pages without a colour: only MPC_ALL_COLOURS is given them */
};

/**
 * NULL for `map`: no page has a colour, so only MPC_ALL_COLOURS can be asked for. Errors: -EINVAL:
 * the map is of another region (number of pages), has more colours than a set can name, or
 * contradicts itself; -ENOMEM.
 */
int mpc_arena_create(const struct mpc_region *region, const struct mpc_map *map,
	struct mpc_arena **out, struct nfv_err *err);
void mpc_arena_destroy(struct mpc_arena *a);

/**
 * Take `n` pages of these colours, spread evenly over them, in a random order of addresses. With
 * MPC_ALL_COLOURS pages without a colour come first: they are of use for nothing else. Errors:
 * -ENOSPC: fewer are free (the sentence says how many, and of how many); then none is taken.
 */
int mpc_arena_take(
	struct mpc_arena *a, mpc_colours colours, uint32_t n, uint8_t **page, struct nfv_err *err);

/** Give back pages that were taken; one that is not out any more is passed over. */
void mpc_arena_give(struct mpc_arena *a, uint8_t *const *page, uint32_t n);

/**
 * The same as an array of pages, zeroed, for tables that live in such. Errors: as mpc_arena_take,
 * and -ENOMEM. They go back with mpc_pages_give, which accepts an array of none.
 */
int mpc_pages_take(struct mpc_arena *a, mpc_colours colours, uint32_t n, struct nfv_pages *out,
	struct nfv_err *err);
void mpc_pages_give(struct mpc_arena *a, struct nfv_pages *pages);

/** The colour of a page of the region: its class in the map, or MPC_NO_COLOUR. */
uint16_t mpc_arena_colour(const struct mpc_arena *a, const uint8_t *page);

/** Pages of these colours that are free. */
uint32_t mpc_arena_free(const struct mpc_arena *a, mpc_colours colours);

struct mpc_arena_usage mpc_arena_usage(const struct mpc_arena *a);
const struct mpc_region *mpc_arena_region(const struct mpc_arena *a);

#endif
