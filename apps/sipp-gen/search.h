/**
 * @file
 * The highest rate of calls at which none fails (RFC 7502, the session establishment rate), found by
 * trials that somebody else makes; and what loads an overload curve asks for.
 *
 * From the first rate on it goes up by a factor while trials succeed, then halves the interval between
 * the highest rate proven and the lowest that failed, down to the resolution. A trial that the
 * generator itself could not keep up with says nothing about the peer: it is made once more, and then
 * bounds the search as a failure would, but the result says whose limit that was.
 *
 * Threads: none are made; whoever calls waits for all trials.
 */
#ifndef SEARCH_H
#define SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#define SEARCH_TRIALS 64 /* at most; halving needs far fewer */

struct search_trial {
	double rate, achieved; /* calls/s: asked for, and begun */
	double goodput;        /* calls/s that succeeded while the load was on */
	uint64_t good, failed; /* calls, of all that the trial began */
	uint64_t skipped;      /* due, but never begun */
	bool generator_limited;
};

struct search_conf {
	double start, min, max; /* calls/s */
	double factor;          /* > 1: on the way up */
	double resolution;      /* part of the rate: 0.02 is 2 % */
};

struct search_result {
	double rate;            /* highest proven; 0: none */
	double bound;           /* lowest rate that was too much; 0: none was */
	uint32_t trials;        /* made */
	bool generator_limited; /* `bound` is this program's own, not the peer's */
};

/** One trial: 0, or -errno, which ends the search with what it knows. */
typedef int search_try(void *ctx, double rate, struct search_trial *out);

/** Not one call failed, and the generator kept up. */
bool search_passed(const struct search_trial *t);

/** Returns 0 or what the trial returned; the result is filled in either way. Errors: -EINVAL. */
int search_ser(
	const struct search_conf *conf, search_try *trial, void *ctx, struct search_result *out);

/** What an overload curve offers, as multiples of the knee. */
#define SEARCH_CURVE 8
extern const double search_curve[SEARCH_CURVE];

#endif
