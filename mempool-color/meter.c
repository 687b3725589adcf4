#include <stdlib.h>
#include <string.h>

#include "meter.h"

#define RETRIES    16 /* rounds in a row that may be lost to migration */
#define ROUNDS     8  /* of hits and misses each, for their typical times */
#define COMPARISON 7  /* pages asked beside one */
#define SAMPLE     1024

uint32_t
meter_below(struct meter *m, uint32_t n)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return (uint32_t)((m->random >> 11) % n);
}

void
meter_shuffle(struct meter *m, uint32_t *v, uint32_t n)
{
	for (uint32_t i = n; i > 1; i--) {
		uint32_t j = meter_below(m, i), x = v[i - 1];

		v[i - 1] = v[j];
		v[j] = x;
	}
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The element that `part` of n are smaller than. */
static uint32_t
quantile(const uint32_t *v, unsigned int n, double part)
{
	uint32_t sorted[SAMPLE];

	n = n < SAMPLE ? n : SAMPLE;
	memcpy(sorted, v, n * sizeof(*v));
	qsort(sorted, n, sizeof(*v), by_value);
	return sorted[(unsigned int)(part * n)];
}

/* The first timing brings the pages in: it touches just the lines that the second one times. */
void
meter_ask(struct meter *m, uint8_t *const *page, unsigned int n, uint8_t *const *set,
	unsigned int n_set, uint32_t *cycles)
{
	const struct mpc_probe *p = m->probe;

	for (int i = 0; i < RETRIES; i++) {
		bool stayed = p->time(p->ctx, page, n, cycles);

		p->walk(p->ctx, set, n_set);
		m->timings += n;
		if (p->time(p->ctx, page, n, cycles) && stayed)
			return;
		m->repeated++;
	}
}

uint32_t
meter_threshold(const struct meter *m, const uint32_t *cycles, unsigned int n, double part)
{
	uint32_t gap = m->miss - m->hit, hit = quantile(cycles, n, part);

	/* All of a round may be pushed out. */
	return (hit < m->hit + gap / 3 ? hit : m->hit) + gap / 2;
}

unsigned int
meter_batch(const struct mpc_cache *cache, uint32_t colours)
{
	uint32_t n = colours * cache->ways / 8;

	return n < 1 ? 1 : n < METER_BATCH ? n : METER_BATCH;
}

bool
meter_evicts(struct meter *m, const struct mpc_calibration *what, uint8_t *page,
	uint8_t *const *set, unsigned int n_set, int votes)
{
	uint8_t *asked[COMPARISON + 1] = { page };
	uint32_t cycles[COMPARISON + 1];
	int gone = 0;

	for (int v = 0; v < votes; v++) {
		for (unsigned int i = 1; i <= COMPARISON; i++)
			asked[i] = what->page[meter_below(m, what->pages)];
		meter_ask(m, asked, COMPARISON + 1, set, n_set, cycles);
		gone += cycles[0] > meter_threshold(m, cycles + 1, COMPARISON, 0.25);
	}
	return 2 * gone > votes;
}

/*
 * Hits: pages that were walked among others, a quarter of what the cache holds, so that they come
 * from this cache and not from a smaller one before it. Misses: after a walk over three times what
 * it holds, over the same pages each time: they come from the next cache then, not from memory.
 */
int
meter_init(struct meter *m, const struct mpc_calibration *what, const struct mpc_probe *probe,
	uint8_t **room, struct nfv_err *err)
{
	uint32_t fits = what->cache.colours * what->cache.ways, hit[SAMPLE], miss[SAMPLE];
	unsigned int n = fits / 4 < METER_BATCH ? fits / 4 : METER_BATCH;

	*m = (struct meter){ .probe = probe, .random = what->seed * 0x9e3779b97f4a7c15u | 1 };
	for (uint32_t i = 0; i < 3 * fits; i++)
		room[i] = what->page[meter_below(m, what->pages)];
	for (unsigned int i = 0; i < ROUNDS; i++) {
		meter_ask(m, room, n, room, fits / 4, hit + (size_t)i * n);
		meter_ask(m, room, n, room + n, 3 * fits - n, miss + (size_t)i * n);
	}
	m->hit = quantile(hit, ROUNDS * n, 0.5);
	m->miss = quantile(miss, ROUNDS * n, 0.25);
	if (m->miss <= m->hit + m->hit / 6 || quantile(hit, ROUNDS * n, 0.9) >= m->miss)
		return nfv_fail(err, EAGAIN,
			"hits (%u cycles) and misses (%u cycles) of the level %u cache cannot be told apart now; "
			"try again when the machine is quieter",
			m->hit, m->miss, what->cache.level);
	return 0;
}
