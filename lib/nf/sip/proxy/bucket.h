/**
 * @file
 * A token bucket by the clock: a rate, and a second's worth of it at most at once. Threads: one.
 */
#ifndef BUCKET_H
#define BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct sip_bucket {
	uint64_t credit, max, cost, tsc; /* in ticks of the clock */
};

/** `burst`: how much may come at once, in seconds of the rate. */
static inline struct sip_bucket
sip_bucket(uint64_t tsc_hz, double rate, double burst)
{
	uint64_t max = (uint64_t)((double)tsc_hz * burst), cost = (uint64_t)((double)tsc_hz / rate);

	return (struct sip_bucket){
		.credit = max > cost ? max : cost, .max = max > cost ? max : cost, .cost = cost
	};
}

/** The clock fills the bucket. */
static inline void
sip_bucket_fill(struct sip_bucket *b, uint64_t tsc)
{
	uint64_t passed = tsc > b->tsc ? tsc - b->tsc : 0;

	b->tsc = tsc;
	b->credit = passed >= b->max - b->credit ? b->max : b->credit + passed;
}

static inline bool
sip_bucket_take(struct sip_bucket *b)
{
	if (b->credit < b->cost)
		return false;
	b->credit -= b->cost;
	return true;
}

#endif
