/**
 * @file
 * Cycles of the time stamp counter to take mbufs and put them back, bursts of 32 on one core: a
 * pool in pages of given colours against DPDK's default pool.
 *
 *   bench_pool [--json] [--rounds N] [--mbufs N]
 *
 * Three ways: mbufs by rte_pktmbuf_alloc_bulk and _free_bulk; bare elements by rte_mempool_get_bulk
 * and _put_bulk; and mbufs of which half of the pool is held, first in first out, so that none is
 * in the first-level cache when it comes up. Packet data is not touched: where it lies does not
 * count here. The pools take turns, who begins changes from round to round, and what one takes more
 * than another is the median of the rounds' differences.
 *
 * Without huge pages DPDK puts each of the default pool's mbufs into a page of its own, all at the
 * same offset, so that they crowd a few sets of the first-level cache. So there are two more to
 * compare with: `huge`, a default pool in transparent huge pages where there are any, packed as it
 * is wherever DPDK has huge pages; and `dense`, one with hardly any data, its mbufs as near each
 * other as the coloured pool's.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

#include "eal.h"
#include "mpc_pool.h"

#define BURST  32
#define CACHE  256
#define BURSTS 20000 /* a round has of each way */
#define ROUNDS 99
#define ROOM   2048

enum arm { DEFAULT, COLOURED, DENSE, HUGE, ARMS };
enum way { MBUFS, ELEMENTS, HELD, WAYS };

static const char *const arm_name[ARMS] = { "default", "coloured", "dense", "huge" };
static const char *const way_name[WAYS] = { "alloc+free", "get+put", "held" };

struct result {
	double cycles[ROUNDS]; /* an mbuf */
	double median, min, max;
	double more, more_huge; /* than the default pool, and than it in huge pages */
};

struct bench {
	struct rte_mempool *pool[ARMS];
	struct rte_mbuf **held;
	uint32_t mbufs, rounds;
	bool json;
	struct result result[ARMS][WAYS];
};

static void
give_up(const char *why)
{
	fprintf(stderr, "bench: %s\n", why);
	exit(1);
}

static void
need(bool good)
{
	if (!good)
		give_up("a pool ran dry");
}

static uint64_t
mbufs(struct rte_mempool *mp)
{
	struct rte_mbuf *m[BURST];
	uint64_t begin = rte_rdtsc_precise();

	for (int i = 0; i < BURSTS; i++) {
		need(rte_pktmbuf_alloc_bulk(mp, m, BURST) == 0);
		rte_pktmbuf_free_bulk(m, BURST);
	}
	return rte_rdtsc_precise() - begin;
}

static uint64_t
elements(struct rte_mempool *mp)
{
	void *e[BURST];
	uint64_t begin = rte_rdtsc_precise();

	for (int i = 0; i < BURSTS; i++) {
		need(rte_mempool_get_bulk(mp, e, BURST) == 0);
		rte_mempool_put_bulk(mp, e, BURST);
	}
	return rte_rdtsc_precise() - begin;
}

static uint64_t
held(struct rte_mempool *mp, struct rte_mbuf **m, uint32_t n)
{
	uint64_t begin, cycles;

	for (uint32_t at = 0; at < n; at += BURST)
		need(rte_pktmbuf_alloc_bulk(mp, m + at, BURST) == 0);
	begin = rte_rdtsc_precise();
	for (uint32_t i = 0, at = 0; i < BURSTS; i++) {
		rte_pktmbuf_free_bulk(m + at, BURST);
		need(rte_pktmbuf_alloc_bulk(mp, m + at, BURST) == 0);
		at = at + BURST < n ? at + BURST : 0;
	}
	cycles = rte_rdtsc_precise() - begin;
	for (uint32_t at = 0; at < n; at += BURST)
		rte_pktmbuf_free_bulk(m + at, BURST);
	return cycles;
}

static void
run_round(struct bench *b, uint32_t round)
{
	for (int way = 0; way < WAYS; way++)
		for (uint32_t i = 0; i < ARMS; i++) {
			uint32_t arm = (i + round) % ARMS;
			struct rte_mempool *mp = b->pool[arm];
			uint64_t cycles = way == MBUFS ? mbufs(mp) :
				way == ELEMENTS        ? elements(mp) :
							 held(mp, b->held, b->mbufs / 2);

			b->result[arm][way].cycles[round] = (double)cycles / BURSTS / BURST;
		}
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(const double *v, uint32_t n)
{
	double sorted[ROUNDS];

	memcpy(sorted, v, n * sizeof(*v));
	qsort(sorted, n, sizeof(*sorted), by_value);
	return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

static double
more(const struct bench *b, int way, int arm, int than)
{
	double v[ROUNDS];

	for (uint32_t i = 0; i < b->rounds; i++)
		v[i] = b->result[arm][way].cycles[i] - b->result[than][way].cycles[i];
	return median(v, b->rounds);
}

static void
evaluate(struct bench *b, int arm, int way)
{
	struct result *r = &b->result[arm][way];

	r->median = median(r->cycles, b->rounds);
	r->min = r->max = r->cycles[0];
	for (uint32_t i = 1; i < b->rounds; i++) {
		r->min = r->cycles[i] < r->min ? r->cycles[i] : r->min;
		r->max = r->cycles[i] > r->max ? r->cycles[i] : r->max;
	}
	r->more = more(b, way, arm, DEFAULT);
	r->more_huge = more(b, way, arm, HUGE);
}

static void
print_table(const struct bench *b, FILE *to)
{
	fprintf(to, "%u mbufs, cache %u, bursts of %u, %u rounds, TSC %.0f MHz; cycles an mbuf\n",
		b->mbufs, CACHE, BURST, b->rounds, (double)rte_get_tsc_hz() / 1e6);
	fprintf(to, "%-12s %-10s %8s %8s %8s %8s %13s %10s\n", "way", "pool", "a burst", "median",
		"min", "max", "over default", "over huge");
	for (int way = 0; way < WAYS; way++)
		for (int arm = 0; arm < ARMS; arm++) {
			const struct result *r = &b->result[arm][way];

			fprintf(to, "%-12s %-10s %8.1f %8.2f %8.2f %8.2f %+13.2f %+10.2f\n",
				way_name[way], arm_name[arm], r->median * BURST, r->median, r->min,
				r->max, r->more, r->more_huge);
		}
}

static void
print_json(const struct bench *b)
{
	json_t *ways = json_object(), *all;

	for (int way = 0; way < WAYS; way++) {
		json_t *arms = json_object();

		for (int arm = 0; arm < ARMS; arm++) {
			const struct result *r = &b->result[arm][way];

			json_object_set_new(arms, arm_name[arm],
				json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "median", r->median,
					"min", r->min, "max", r->max, "burst", r->median * BURST,
					"over_default", r->more, "over_huge", r->more_huge));
		}
		json_object_set_new(ways, way_name[way], arms);
	}
	all = json_pack("{s:f, s:i, s:i, s:i, s:o}", "tsc_mhz", (double)rte_get_tsc_hz() / 1e6,
		"rounds", (int)b->rounds, "mbufs", (int)b->mbufs, "burst", BURST, "cycles", ways);
	json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(5));
	putchar('\n');
	json_decref(all);
}

static void
parse_options(int argc, char **argv, struct bench *b)
{
	static const struct option longs[] = { { "json", no_argument, NULL, 'j' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "mbufs", required_argument, NULL, 'm' }, { NULL, 0, NULL, 0 } };
	int c;

	*b = (struct bench){ .rounds = 15, .mbufs = 8192 };
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'j')
			b->json = true;
		else if (c == 'r')
			b->rounds = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'm')
			b->mbufs = (uint32_t)strtoul(optarg, NULL, 10);
		else
			exit(2);
	}
	b->mbufs = b->mbufs / (2 * BURST) * (2 * BURST);
	if (b->rounds == 0 || b->rounds > ROUNDS || b->mbufs < 4 * CACHE || b->mbufs > 1 << 17) {
		fprintf(stderr, "bench: --rounds takes 1 to %d, --mbufs %d to %d\n", ROUNDS,
			4 * CACHE, 1 << 17);
		exit(2);
	}
}

/* Colours are made up, half of them asked for: which they are makes no difference here. */
static struct mpc_pool *
make_coloured(struct bench *b, struct mpc_region *region, struct mpc_arena **arena)
{
	struct mpc_pool_conf conf = { .name = "coloured",
		.colours = 0xffff,
		.mbufs = b->mbufs,
		.cache = CACHE,
		.data_room = ROOM,
		.socket = SOCKET_ID_ANY };
	struct mpc_map map = { .classes = 32 };
	struct mpc_pool *p;
	struct nfv_err err;

	if (mpc_region_create((size_t)b->mbufs * ROOM * 5 / 2, MPC_PAGES_ANY, region, &err) < 0)
		give_up(err.text);
	map.pages = region->pages;
	map.colour = malloc(map.pages * sizeof(*map.colour));
	if (map.colour == NULL)
		give_up("out of memory");
	for (uint32_t i = 0; i < map.pages; i++)
		map.colour[i] = (uint16_t)(i % map.classes);
	if (mpc_arena_create(region, &map, arena, &err) < 0)
		give_up(err.text);
	free(map.colour);
	conf.arena = *arena;
	if (mpc_pool_create(&conf, &p, &err) < 0)
		give_up(err.text);
	return p;
}

/*
 * What rte_pktmbuf_pool_create does, but in memory of our own; the flag lets mbufs lie across 4 KiB
 * pages, as they may in huge ones.
 */
static struct rte_mempool *
make_huge(const struct bench *b, struct mpc_region *region)
{
	struct rte_mempool *mp = rte_mempool_create_empty("huge", b->mbufs,
		sizeof(struct rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE, CACHE,
		sizeof(struct rte_pktmbuf_pool_private), SOCKET_ID_ANY,
		RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	struct nfv_err err;

	if (mpc_region_create((size_t)b->mbufs * 2560, MPC_PAGES_THP, region, &err) < 0)
		give_up(err.text);
	if (mp == NULL || rte_mempool_set_ops_byname(mp, rte_mbuf_best_mempool_ops(), NULL) < 0)
		return NULL;
	rte_pktmbuf_pool_init(mp, NULL);
	if (rte_mempool_populate_virt(mp, (char *)region->base, region->size, 2 << 20, NULL, NULL) <
		(int)b->mbufs)
		return NULL;
	rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
	return mp;
}

int
main(int argc, char **argv)
{
	static struct bench b;
	struct mpc_region region, huge;
	struct mpc_arena *arena;
	struct mpc_pool *p;

	parse_options(argc, argv, &b);
	test_eal("1024");
	p = make_coloured(&b, &region, &arena);
	b.pool[COLOURED] = mpc_pool_mempool(p);
	b.pool[DEFAULT] = rte_pktmbuf_pool_create(
		"default", b.mbufs, CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	b.pool[DENSE] = rte_pktmbuf_pool_create("dense", b.mbufs, CACHE, 0, 64, SOCKET_ID_ANY);
	b.pool[HUGE] = make_huge(&b, &huge);
	b.held = calloc(b.mbufs, sizeof(struct rte_mbuf *));
	if (b.pool[DEFAULT] == NULL || b.pool[DENSE] == NULL || b.pool[HUGE] == NULL ||
		b.held == NULL)
		give_up("no memory for the pools");
	run_round(&b, 0); /* for nothing: page tables and clock frequency settle */
	for (uint32_t r = 0; r < b.rounds; r++)
		run_round(&b, r);
	for (int arm = 0; arm < ARMS; arm++)
		for (int way = 0; way < WAYS; way++)
			evaluate(&b, arm, way);
	print_table(&b, b.json ? stderr : stdout);
	if (b.json)
		print_json(&b);
	rte_mempool_free(b.pool[DEFAULT]);
	rte_mempool_free(b.pool[DENSE]);
	rte_mempool_free(b.pool[HUGE]);
	free(b.held);
	mpc_pool_destroy(p);
	mpc_arena_destroy(arena);
	mpc_region_destroy(&region);
	mpc_region_destroy(&huge);
	return 0;
}
