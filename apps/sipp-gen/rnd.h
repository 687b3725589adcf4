/**
 * @file
 * Random numbers that a seed determines: a Weyl sequence, each term mixed (Steele, Lea, Flood:
 * splittable generators, 2014). Any seed will do. Not for secrets. Threads: one each.
 */
#ifndef RND_H
#define RND_H

#include <stdint.h>

struct rnd {
	uint64_t at;
};

/** Streams of one seed have nothing to do with each other. */
static inline struct rnd
rnd_init(uint64_t seed, uint64_t stream)
{
	return (struct rnd){ (seed ^ (stream + 1) * 0xd1342543de82ef95u) * 0x2545f4914f6cdd1du };
}

static inline uint64_t
rnd_u64(struct rnd *r)
{
	uint64_t z = r->at += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/** Below `n`, which is not 0; even to within n/2^64. */
static inline uint64_t
rnd_below(struct rnd *r, uint64_t n)
{
	return (uint64_t)((unsigned __int128)rnd_u64(r) * n >> 64);
}

/** In (0, 1]: its logarithm is finite. */
static inline double
rnd_unit(struct rnd *r)
{
	return (double)((rnd_u64(r) >> 11) + 1) * 0x1p-53;
}

#endif
