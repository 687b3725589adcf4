/**
 * @file
 * Made-up traces, and an exact LRU to compare with: of every access the number of other lines since
 * its line was touched last (Mattson's stack distance, by a Fenwick tree), which gives the misses of
 * caches of all sizes at once.
 */
#ifndef ACCESSES_H
#define ACCESSES_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mpc_access.h"
#include "nfv_hash.h"

struct accesses {
	struct mpc_access *a;
	size_t n, room;
	uint64_t random;
};

static inline void
accesses_add(struct accesses *t, uint32_t class, uint64_t line)
{
	if (t->n == t->room) {
		t->room = t->room > 0 ? 2 * t->room : 1024;
		t->a = realloc(t->a, t->room * sizeof(*t->a));
		if (t->a == NULL)
			abort();
	}
	t->a[t->n++] = (struct mpc_access){ .line = line, .time = t->n, .class = class };
}

static inline uint32_t
accesses_below(struct accesses *t, uint32_t n)
{
	t->random = nfv_hash_mix(t->random ^ 0x9e3779b97f4a7c15u, 0xd1b54a32d192ed03u + n) + 1;
	return (uint32_t)((t->random >> 32) * n >> 32);
}

struct zipf {
	double *sum;
	uint32_t n;
};

static inline struct zipf
zipf_new(uint32_t n, double exponent)
{
	struct zipf z = { malloc(n * sizeof(double)), n };
	double sum = 0;

	if (z.sum == NULL)
		abort();
	for (uint32_t i = 0; i < n; i++)
		z.sum[i] = sum += pow(i + 1.0, -exponent);
	return z;
}

/** A number below n: 0 the most often. */
static inline uint32_t
zipf_next(const struct zipf *z, struct accesses *t)
{
	double at = z->sum[z->n - 1] * (accesses_below(t, UINT32_MAX) + 0.5) / UINT32_MAX;
	uint32_t lo = 0, hi = z->n - 1;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (z->sum[mid] < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct lru {
	uint64_t *hits; /* [d]: accesses with d other lines since; there are n */
	uint64_t *hits_of[2];
	uint64_t first, accesses, accesses_of[2];
	size_t n;
};

static inline void
fenwick_add(uint32_t *tree, size_t n, size_t i, uint32_t v)
{
	for (i++; i <= n; i += i & -i)
		tree[i] += v;
}

static inline uint32_t
fenwick_sum(const uint32_t *tree, size_t i)
{
	uint32_t sum = 0;

	for (; i > 0; i -= i & -i)
		sum += tree[i];
	return sum;
}

/** Lines are below `lines`. Counted are accesses from `warm` on, apart for classes 0 and 1. */
static inline struct lru
lru_of(const struct accesses *t, uint64_t lines, size_t warm)
{
	uint32_t *tree = calloc(t->n + 1, sizeof(*tree));
	size_t *last = calloc(lines, sizeof(*last));
	struct lru l = { .n = t->n };

	l.hits = calloc(t->n + 1, sizeof(*l.hits));
	l.hits_of[0] = calloc(t->n + 1, sizeof(*l.hits));
	l.hits_of[1] = calloc(t->n + 1, sizeof(*l.hits));
	if (tree == NULL || last == NULL || l.hits == NULL || !l.hits_of[0] || !l.hits_of[1])
		abort();
	for (size_t i = 0; i < t->n; i++) {
		uint64_t line = t->a[i].line;
		unsigned int class = t->a[i].class & 1;

		l.accesses += i >= warm;
		l.accesses_of[class] += i >= warm;
		if (last[line] != 0) {
			size_t was = last[line] - 1;
			uint32_t between = fenwick_sum(tree, i) - fenwick_sum(tree, was + 1);

			fenwick_add(tree, t->n, was, UINT32_MAX);
			l.hits[between] += i >= warm;
			l.hits_of[class][between] += i >= warm;
		} else {
			l.first += i >= warm;
		}
		fenwick_add(tree, t->n, i, 1);
		last[line] = i + 1;
	}
	free(tree);
	free(last);
	return l;
}

static inline double
lru_miss_of(const uint64_t *hits, uint64_t accesses, uint64_t lines)
{
	uint64_t sum = 0;

	for (uint64_t d = 0; d < lines; d++)
		sum += hits[d];
	return accesses > 0 ? 1 - (double)sum / (double)accesses : 0;
}

/** Misses per access in a cache of so many lines. */
static inline double
lru_miss(const struct lru *l, uint64_t lines)
{
	return lru_miss_of(l->hits, l->accesses, lines < l->n ? lines : l->n);
}

static inline void
lru_free(struct lru *l)
{
	free(l->hits);
	free(l->hits_of[0]);
	free(l->hits_of[1]);
}

#endif
