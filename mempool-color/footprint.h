/**
 * @file
 * Buckets of gaps, shared by those who fill them and those who read curves from them: bucket g for a
 * gap g below 2 × PARTS, then PARTS buckets an octave. Threads: pure functions.
 */
#ifndef FOOTPRINT_H
#define FOOTPRINT_H

#include <stdint.h>

#define BUCKET_BITS  7
#define BUCKET_PARTS (1u << BUCKET_BITS)
#define GAP_BITS     48 /* traces are shorter than 2^48: half a year at twenty million a second */
#define BUCKETS      ((GAP_BITS - BUCKET_BITS + 1ul) * BUCKET_PARTS)

static inline unsigned int
bucket_of(uint64_t gap)
{
	unsigned int shift =
		gap < 2 * BUCKET_PARTS ? 0 : 63 - BUCKET_BITS - (unsigned int)__builtin_clzll(gap);

	return shift * BUCKET_PARTS + (unsigned int)(gap >> shift);
}

/** The longest gap of a bucket. */
static inline uint64_t
bucket_end(unsigned int i)
{
	unsigned int shift = i < 2 * BUCKET_PARTS ? 0 : i / BUCKET_PARTS - 1;

	return ((uint64_t)(i - shift * BUCKET_PARTS + 1) << (shift & 63)) - 1;
}

#endif
