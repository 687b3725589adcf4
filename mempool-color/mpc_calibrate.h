/**
 * @file
 * Page → colour by measurement: which pages evict each other from a cache is found out by timing, so
 * it needs no privilege, no page map, and no formula, and works where addresses say nothing.
 *
 * An *eviction set* is a handful of pages of one colour that, walked over, push any other page of
 * that colour out. One is found for some page, then a whole batch of pages is tested against it at
 * once: load them, walk the set, time them again; those that have gone are of its colour. Votes are
 * sequential: a page is asked again until its answers have a clear lead.
 *
 * The cache is reached through `struct mpc_probe`, so that the same code runs on the machine and on
 * a simulated cache where the truth is known. Nothing is assumed of the replacement but that a set
 * walked often enough is cleared of older lines.
 *
 * Threads: one calibration at a time on a cache; the caller pins itself to a CPU before.
 */
#ifndef MPC_CALIBRATE_H
#define MPC_CALIBRATE_H

#include <stdbool.h>
#include <stdint.h>

#include "mpc_cache.h"

/**
 * How pages are touched and timed. A page stands for some lines at fixed places in it, at most
 * MPC_PROBE_LINES, that are all of its colour: one alone tells too little where the clock is coarse.
 */
struct mpc_probe {
	void *ctx;
	/** Load the lines of all pages, forwards and then backwards, several times. */
	void (*walk)(void *ctx, uint8_t *const *page, unsigned int n);
	/** Load the lines of each page once, page after page; cycles[i] is what page[i] took. */
	void (*time)(void *ctx, uint8_t *const *page, unsigned int n, uint32_t *cycles);
};

/** The machine's own: rdtscp between fences, sixteen loads that wait for each other. */
struct mpc_probe mpc_probe_machine(void);

#define MPC_PROBE_LINES 16 /* of a page that are touched and timed together */

#define MPC_NO_COLOUR UINT16_MAX

struct mpc_map {
	uint32_t pages, classified, classes;
	uint16_t *colour;                     /* per page, or MPC_NO_COLOUR */
	uint32_t hit, miss, threshold;        /* cycles */
	double true_positive, false_positive; /* on fresh rounds, as fractions */
	uint64_t timings;
	bool confident; /* exactly the expected classes, nearly all pages, rates within limits */
};

struct mpc_calibration {
	struct mpc_cache cache; /* the cache whose colours are asked for */
	uint8_t *const *page;   /* MPC_PAGE bytes each, present in memory */
	uint32_t pages;
	uint64_t seed;
	/** Called now and then with the pages classified so far; may be NULL. */
	void (*progress)(void *arg, uint32_t classified, uint32_t pages);
	void *arg;
};

/**
 * Measure. A map that is not confident is still returned, and says so. Errors: -EINVAL: a cache of
 * one colour, or too few pages to hold a set of each; -EAGAIN: hits and misses cannot be told apart
 * now, a neighbour may be at work; -ENOMEM. The caller frees map->colour.
 */
int mpc_calibrate(const struct mpc_calibration *what, const struct mpc_probe *probe,
	struct mpc_map *out, struct nfv_err *err);

/** Fraction of pages, of those both maps classify, that both put together with the same others. */
double mpc_agreement(const struct mpc_map *a, const struct mpc_map *b);

#endif
