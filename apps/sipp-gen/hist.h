/**
 * @file
 * Latencies as a log-linear histogram, after HdrHistogram: values in nanoseconds, up to 18 minutes,
 * told apart to better than 1 %. Recording is one increment; histograms of several lcores add up.
 * Threads: one writer; a reader beside it sees counts that may lag.
 */
#ifndef HIST_H
#define HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 7 /* 128 steps to each power of two, so 1/128 at worst */
#define HIST_MAX_BITS 40
#define HIST_BUCKETS  ((HIST_MAX_BITS - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

struct hist {
	uint64_t n, sum, min, max; /* nanoseconds; min and max exact */
	uint64_t bucket[HIST_BUCKETS];
};

static inline unsigned int
hist_index(uint64_t ns)
{
	unsigned int bits;

	if (ns >> HIST_SUB_BITS == 0)
		return (unsigned int)ns;
	if (ns >> HIST_MAX_BITS != 0)
		return HIST_BUCKETS - 1;
	bits = 63u - (unsigned int)__builtin_clzll(ns) - HIST_SUB_BITS;
	return ((bits + 1) << HIST_SUB_BITS) +
		(unsigned int)((ns >> bits) & ((1u << HIST_SUB_BITS) - 1));
}

static inline void
hist_add(struct hist *h, uint64_t ns)
{
	h->bucket[hist_index(ns)]++;
	h->sum += ns;
	if (h->n++ == 0 || ns < h->min)
		h->min = ns;
	if (ns > h->max)
		h->max = ns;
}

/** Value that the fraction `q` of all do not exceed, in nanoseconds; 0 if there is none. */
uint64_t hist_quantile(const struct hist *h, double q);
double hist_mean(const struct hist *h);
double hist_stdev(const struct hist *h); /* from the buckets' middles */
void hist_merge(struct hist *into, const struct hist *h);
/** What came since an earlier copy. */
void hist_since(const struct hist *now, const struct hist *before, struct hist *out);

#endif
