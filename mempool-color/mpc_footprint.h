/**
 * @file
 * From accesses to footprints, and from these to miss ratios, without a run for each cache size.
 *
 * The *footprint* fp(w) is the number of distinct lines in a window of w accesses, averaged over all
 * windows. It takes one pass: with the gaps between accesses to the same line, the time before its
 * first and after its last access being gaps too, so that those of a line add up to n + 1 for a trace
 * of n,
 *
 *     fp(w) = m − Σ max(gap − w, 0) / (n − w + 1)        m: distinct lines
 *
 * (Xiang et al., "Linear-time modeling of program working set in shared cache", PACT 2011). From it,
 * for a fully associative LRU cache of c lines ("HOTL", ASPLOS 2013): fill time ft(c) = fp⁻¹(c), miss
 * ratio mr(c) = fp(w + 1) − fp(w) at w = ft(c), and footprints of disjoint data add. These are figures
 * of a warm cache: a cache that all lines fit in has no misses.
 *
 * Memory: 32 bytes a line of the sample, times two to four, and 472 KiB a class. Lines are sampled by
 * a hash of their number (Waldspurger et al., SHARDS, FAST 2015) while time goes on counting all
 * accesses, so gaps are exact and only counts are scaled: class by class to the number of its distinct
 * lines, which a million bits tell up to eight million lines (linear counting: Whang et al., 1990), so
 * that where a loop or a stream begins to fit is not left to chance. Misses are divided by all accesses
 * and not by those sampled, so hot lines that the sample has too many or too few of do no harm. Where
 * even so more lines are sampled than were allowed for, the rate is halved.
 *
 * Gaps are kept in buckets, one each below 256 and 128 per octave above: fp is exact at the buckets'
 * upper bounds, and in between, where it is drawn straight, off by at most a quarter of the bucket's
 * width (under 0.8 % of w) times what the slope changes across it.
 *
 * Ownership: whoever creates it destroys it. Threads: one at a time; curves are plain data.
 */
#ifndef MPC_FOOTPRINT_H
#define MPC_FOOTPRINT_H

#include <stddef.h>

#include "mpc_access.h"
#include "nfv_err.h"

struct mpc_footprint;

struct mpc_footprint_options {
	double rate;    /* of the lines, the fraction sampled, at the beginning; 0: all */
	uint32_t lines; /* sampled at once, at most; 0: four million */
	uint64_t seed;  /* of the hash */
};

/** Errors: -EINVAL: a rate that is none; -ENOMEM. */
int mpc_footprint_create(
	const struct mpc_footprint_options *o, struct mpc_footprint **out, struct nfv_err *err);
void mpc_footprint_destroy(struct mpc_footprint *f);

/**
 * The next accesses of the trace. Errors: -EINVAL: a class beyond MPC_CLASSES, more than 2^48
 * accesses, or after mpc_footprint_end; -ENOMEM. What has been counted stays.
 */
int mpc_footprint_add(
	struct mpc_footprint *f, const struct mpc_access *a, size_t n, struct nfv_err *err);

/** The trace is complete; only now there are curves. A second time changes nothing. */
void mpc_footprint_end(struct mpc_footprint *f);

struct mpc_footprint_count {
	uint64_t accesses; /* of all classes */
	uint64_t sampled;
	/* Sampled accesses under another class than the line's first: footprints of classes only add
	 * where this is zero. They count for the first class. */
	uint64_t shared;
	double rate; /* as it came to be */
};

struct mpc_footprint_count mpc_footprint_count(const struct mpc_footprint *f);

/** Accesses by this class. */
uint64_t mpc_footprint_accesses(const struct mpc_footprint *f, uint32_t class);

#define MPC_TOGETHER UINT32_MAX

enum mpc_clock {
	MPC_OWN_TIME, /* counts the class's own accesses: exact for the class alone */
	MPC_TRACE_TIME /* counts those of all: curves of the classes add up to that of all together */
};

enum mpc_model {
	MPC_HOTL, /* the above */
	/* Average eviction time (Hu et al., ATC 2016), to check against: from reuse times alone, as
	 * if the trace went on for ever; first accesses count as misses. */
	MPC_AET
};

/** A footprint by window length. */
struct mpc_curve {
	double n;        /* accesses on the clock it was taken by: the longest window */
	double accesses; /* its own: the same but for a class in trace time */
	double lines;    /* distinct, m; estimated where sampled */
	double *fp;      /* at the buckets' bounds */
	unsigned int points;
};

/**
 * Of a class, or of MPC_TOGETHER, which is in trace time always. A class never seen has no points and
 * answers zero. Errors: -EINVAL: the trace is not at its end; -ENOMEM.
 */
int mpc_footprint_curve(const struct mpc_footprint *f, uint32_t class, enum mpc_clock clock,
	enum mpc_model model, struct mpc_curve *out, struct nfv_err *err);
/** Accepts a zeroed one. */
void mpc_curve_fini(struct mpc_curve *c);

/** fp(w), w ≥ 0. */
double mpc_curve_at(const struct mpc_curve *c, double w);
/** Lines that are new to a window of w per access that is added to it. */
double mpc_curve_slope(const struct mpc_curve *c, double w);
/** The window that has so many lines on average; INFINITY if none has. */
double mpc_curve_fill(const struct mpc_curve *c, double lines);
/** Misses per access of its own, alone in a cache of so many lines. */
double mpc_curve_miss(const struct mpc_curve *c, double lines);

/** Who runs in a cache that several share, and what it got. */
struct mpc_member {
	const struct mpc_curve *curve;
	double rate; /* of the curve's clock, per unit of time */
	double share; /* of its lines, the fraction that belongs into this cache (or colour) at all */
	double lines; /* out: that it occupies */
	double miss;  /* out: per access of its own that goes there */
};

/**
 * Members with disjoint data in one LRU cache of so many lines: the time that it takes them to fill
 * it, INFINITY if all fits. Traces of one core have the rates of their accesses, or, taken in trace
 * time, all the same.
 */
double mpc_corun(struct mpc_member *m, unsigned int n, double lines);

#endif
