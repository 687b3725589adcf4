/**
 * @file
 * Page → colour by measurement: which pages evict each other from a cache is found out by timing, so
 * it needs no privilege, no page map, and no formula, and works where addresses say nothing.
 *
 * 1. Sets (sets.h). Random pools of pages that fill the cache are walked, and of every other page of
 *    a sample it is noted which pools push it out. Pages of one colour are pushed out by the same
 *    pools, so their notes agree: each group of agreeing pages becomes the *eviction set* of a colour.
 * 2. Sorting. Every page is asked against the sets of all colours, and belongs where exactly one of
 *    them evicts it, twice in a row. There is no threshold to tune: what counts is how a page differs
 *    from its neighbours under the same walk.
 * 3. Validation on fresh rounds tells how often a set evicts its own pages and others'.
 *
 * Where frame numbers are known and the sample obeys a formula (formula.h), sorting is left out.
 *
 * The cache is reached through `struct mpc_probe`, so that the same code runs on the machine and on
 * a simulated cache where the truth is known. Assumed is that the pages of a colour cover the same
 * sets, in whatever order of lines, as they do where every index bit is a parity of address bits
 * (docs/assumptions.md: linear-index); nothing of the replacement but that walking somewhat more
 * pages than there are ways clears a set of older lines.
 *
 * Threads: one calibration at a time on a cache; the caller pins itself to a CPU before.
 */
#ifndef MPC_CALIBRATE_H
#define MPC_CALIBRATE_H

#include <stdbool.h>
#include <stdint.h>

#include "mpc_cache.h"

/** How pages are touched and timed. */
struct mpc_probe {
	void *ctx;
	/** Load every line of all pages, forwards and then backwards, several times. */
	void (*walk)(void *ctx, uint8_t *const *page, unsigned int n);
	/**
	 * Load some lines of each page, the same in every call, page after page; cycles[i] is what
	 * page[i] took. False: the thread was moved to another CPU meanwhile, so the times mean nothing.
	 */
	bool (*time)(void *ctx, uint8_t *const *page, unsigned int n, uint32_t *cycles);
};

/** The machine's own: rdtscp between fences, sixteen loads a page that wait for each other. */
struct mpc_probe mpc_probe_machine(void);

#define MPC_NO_COLOUR UINT16_MAX

struct mpc_map {
	uint32_t pages, classified, classes;
	uint16_t *colour;   /* per page, or MPC_NO_COLOUR */
	uint32_t hit, miss; /* cycles a page took: in the cache, and just out of it */
	double true_positive, false_positive; /* on fresh rounds, as fractions */
	uint64_t timings;
	uint32_t repeated; /* rounds lost to migration between CPUs, and done again */
	bool formula;      /* the frame numbers' formula was confirmed and used */
	bool confident;    /* exactly the expected classes, nearly all pages, rates within limits */
	char why[128];     /* what confidence lacks, else empty */
};

struct mpc_calibration {
	struct mpc_cache cache; /* the cache whose colours are asked for */
	uint8_t *const *page;   /* MPC_PAGE bytes each, present in memory */
	uint32_t pages;
	const uint64_t
		*frame; /* per page its number in memory, 0: unknown; NULL if none is known */
	uint64_t seed;
	/** Called now and then with the pages done so far, of `pages`; may be NULL. */
	void (*progress)(void *arg, uint32_t done, uint32_t pages);
	void *arg;
};

/** Pages that a calibration of this cache needs at least. */
uint32_t mpc_calibrate_min(const struct mpc_cache *cache);

/**
 * Measure. A map that is not confident is still returned, and says why. Errors: -EINVAL: a cache of
 * one colour, or too few pages; -EAGAIN: hits and misses cannot be told apart now, a neighbour may
 * be at work; -EFAULT: the memory went away meanwhile; -ENOMEM. The caller frees map->colour.
 */
int mpc_calibrate(const struct mpc_calibration *what, const struct mpc_probe *probe,
	struct mpc_map *out, struct nfv_err *err);

/**
 * The same for a cache further out, whose colours refine those of `inner`, a confident map of the
 * same pages: within each colour of the inner cache, one after the other. Walking pages of one inner
 * colour keeps them out of the inner cache, so that they are timed in the outer one; a cache that is
 * filled by what falls out of the inner one is filled by the same walk, and no second core is needed
 * to pull lines into it. Stops at the first colour that cannot be told: the outer cache of a virtual
 * machine often is shared with strangers. Errors as above; -EINVAL also where colours do not refine.
 */
int mpc_calibrate_within(const struct mpc_calibration *what, const struct mpc_map *inner,
	const struct mpc_probe *probe, struct mpc_map *out, struct nfv_err *err);

/** Fraction of pages, of those both maps classify, that both put together with the same others. */
double mpc_agreement(const struct mpc_map *a, const struct mpc_map *b);

#endif
