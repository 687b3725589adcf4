/**
 * @file
 * Ways to run that are made of trials: the search for the session establishment rate, and the overload
 * curve. A trial sets the rate, waits, sets it to nothing and waits until its calls have ended; the
 * agents stay as they are.
 * Threads: the control thread.
 */
#ifndef MODES_H
#define MODES_H

#include "options.h"
#include "report_trials.h"
#include "stats.h"

/** The run that trials are made on. */
struct modes_run {
	void *ctx;
	void (*set_rate)(void *ctx, double rate); /* of all callers together */
	const struct stats *(*sum)(void *ctx);    /* of all callers, now */
	const struct report_run *report;          /* what it is */
	FILE *csv;                                /* for the trials; NULL: none is wanted */
};

/** Returns 0, or 1 if no rate could be proven; writes the reports that are asked for; prints trials and results, or one JSON object:
 * {trials: [{rate, achieved, goodput, good, failed, skipped, generator_limited}], search: {rate, bound,
 * generator_limited, complete} or null, overload: [the same as trials, and factor] or null}.
 * Errors: with a sentence. */
int modes_go(const struct options *o, const struct modes_run *run, struct nfv_err *err);

#endif
