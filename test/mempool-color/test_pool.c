/* Pools of mbufs in pages of made-up colours, beside each other in one region. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "eal.h"
#include "made_up.h"
#include "mpc_pool.h"

#define EVEN 0x55555555u
#define ODD  0xaaaaaaaau
#define MANY 1500

static struct made_up it;

static struct mpc_pool_conf
conf_of(const char *name, mpc_colours colours, uint16_t data_room)
{
	return (struct mpc_pool_conf){ .name = name,
		.arena = it.arena,
		.colours = colours,
		.mbufs = 200,
		.cache = 64,
		.data_room = data_room,
		.socket = SOCKET_ID_ANY };
}

static struct mpc_pool *
pool_of(const struct mpc_pool_conf *conf)
{
	struct mpc_pool *p;
	struct nfv_err err = { "" };

	if (mpc_pool_create(conf, &p, &err) < 0)
		fail_msg("%s", err.text);
	return p;
}

static int
by_address(const void *a, const void *b)
{
	const struct rte_mbuf *const *x = a, *const *y = b;

	return ((*x)->buf_addr > (*y)->buf_addr) - ((*x)->buf_addr < (*y)->buf_addr);
}

/* All mbufs of the pool at once: each whole in one page of its colours, none over another. */
static void
check_all(struct rte_mempool *mp, uint32_t n, mpc_colours colours, uint16_t data_room)
{
	struct rte_mbuf **m = malloc(n * sizeof(*m));

	assert_int_equal(mp->size, n);
	assert_int_equal(rte_pktmbuf_alloc_bulk(mp, m, n), 0);
	assert_null(rte_pktmbuf_alloc(mp));
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *at = m[i]->buf_addr;
		const char *why;

		assert_in_range(at - it.region.base, 0, it.region.size - data_room);
		assert_int_equal(
			(uintptr_t)at / MPC_PAGE, (uintptr_t)(at + data_room - 1) / MPC_PAGE);
		assert_int_equal((uintptr_t)at % 64, 0);
		if (colours != MPC_ALL_COLOURS)
			assert_true(colours >> made_up_colour(&it, at) & 1);
		assert_int_equal(m[i]->buf_len, data_room);
		assert_int_equal(rte_pktmbuf_headroom(m[i]), RTE_PKTMBUF_HEADROOM);
		assert_int_equal(rte_pktmbuf_tailroom(m[i]), data_room - RTE_PKTMBUF_HEADROOM);
		assert_int_equal(rte_mbuf_iova_get(m[i]), (uintptr_t)at);
		assert_int_equal(rte_mbuf_check(m[i], 1, &why), 0);
		memset(at, (int)i, data_room);
	}
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < data_room; k += data_room / 8)
			assert_int_equal(((uint8_t *)m[i]->buf_addr)[k], i & 0xff);
	qsort(m, n, sizeof(*m), by_address);
	for (uint32_t i = 1; i < n; i++)
		assert_true((uint8_t *)m[i - 1]->buf_addr + data_room <= (uint8_t *)m[i]->buf_addr);
	rte_pktmbuf_free_bulk(m, n);
	assert_int_equal(rte_mempool_avail_count(mp), n);
	free(m);
}

static void
buffers_lie_in_pages_of_their_colours(void **state)
{
	static const struct {
		uint16_t room;
		uint32_t at_most;
		struct mpc_pool_fit fit;
	} t[] = {
		{ 256, 0, { 16, 256, 0 } },
		{ 1024, 0, { 4, 1024, 0 } },
		{ 1024, 3, { 3, 1024, 16 } },
		{ 1646, 0, { 2, 1664, 12 } },
		{ 1984, 0, { 2, 1984, 2 } },
		{ 2048, 0, { 2, 2048, 0 } },
		{ 2048, 1, { 1, 2048, 32 } },
		{ 2176, 0, { 1, 2176, 30 } },
		{ 4096, 5, { 1, 4096, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct mpc_pool_fit fit = mpc_pool_fit(t[i].room, t[i].at_most);
		struct mpc_pool_conf conf = conf_of("sizes", EVEN, t[i].room);
		struct mpc_pool_usage u;
		struct mpc_pool *p;

		conf.per_page = t[i].at_most;
		conf.mbufs = 199;
		assert_memory_equal(&fit, &t[i].fit, sizeof(fit));
		p = pool_of(&conf);
		u = mpc_pool_usage(p);
		assert_int_equal(
			u.pages, (uint64_t)(199 + fit.per_page - 1) / fit.per_page * MPC_PAGE);
		assert_int_equal(u.pages, mpc_arena_usage(it.arena).used);
		assert_int_equal(u.data, 199 * t[i].room);
		assert_int_equal(u.stagger, u.pages / 64 * fit.spare);
		assert_int_equal(u.pages, u.data + u.stagger + u.rest);
		check_all(mpc_pool_mempool(p), 199, EVEN, t[i].room);
		mpc_pool_destroy(p);
		assert_int_equal(mpc_arena_usage(it.arena).used, 0);
	}
}

static void
complements_share_a_region(void **state)
{
	struct mpc_pool_conf conf[] = { conf_of("even", EVEN, 2048), conf_of("odd", ODD, 2048),
		conf_of("rest", MPC_ALL_COLOURS, 2048) };
	struct mpc_pool *p[3];
	struct mpc_arena_usage u;

	(void)state;
	conf[0].mbufs = 2 * made_up_pages(&it, EVEN);
	conf[1].mbufs = 2 * made_up_pages(&it, ODD);
	conf[2].mbufs = 2 * (it.map.pages - made_up_pages(&it, EVEN | ODD));
	for (int i = 0; i < 3; i++)
		p[i] = pool_of(&conf[i]);
	u = mpc_arena_usage(it.arena);
	assert_int_equal(u.used, u.reserved);
	for (int i = 0; i < 3; i++)
		check_all(mpc_pool_mempool(p[i]), conf[i].mbufs, conf[i].colours, 2048);
	for (int i = 0; i < 3; i++)
		mpc_pool_destroy(p[i]);
	assert_int_equal(mpc_arena_usage(it.arena).used, 0);
}

static void
bursts_come_and_go(void **state)
{
	struct mpc_pool_conf conf = conf_of("bursts", EVEN, 2048);
	struct mpc_pool *p = pool_of(&conf);
	struct rte_mempool *mp = mpc_pool_mempool(p);
	struct rte_mbuf *m[6][32];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int slot = i % 6;

		if (i >= 6)
			rte_pktmbuf_free_bulk(m[slot], 32);
		assert_int_equal(rte_pktmbuf_alloc_bulk(mp, m[slot], 32), 0);
		for (int k = 0; k < 32; k++) {
			assert_int_equal(m[slot][k]->pkt_len, 0);
			assert_non_null(rte_pktmbuf_append(m[slot][k], 64));
			assert_non_null(rte_pktmbuf_prepend(m[slot][k], 64));
		}
	}
	for (int slot = 0; slot < 6; slot++)
		for (int k = 0; k < 32; k++)
			rte_pktmbuf_free(m[slot][k]);
	assert_int_equal(rte_mempool_avail_count(mp), conf.mbufs);
	mpc_pool_destroy(p);
}

/*
 * With as many pages of each colour as there are starts, packets of each colour begin on all lines
 * they can; the numbers of colours are such that counting pages of all colours would not do.
 */
static void
starts_are_spread_over_the_page(void **state)
{
	static const struct {
		uint16_t room;
		uint32_t colours, positions;
	} t[] = { { 2176, 31, 31 }, { 1646, 13, 26 }, { 1984, 3, 6 }, { 2048, 8, 2 } };

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct mpc_pool_conf conf =
			conf_of("spread", (1ull << t[i].colours) - 1, t[i].room);
		struct mpc_pool_fit fit = mpc_pool_fit(t[i].room, 0);
		uint64_t begin[CLASSES] = { 0 };
		struct rte_mbuf *m[MANY];
		struct mpc_pool *p;

		conf.mbufs = (fit.spare + 1u) * fit.per_page * t[i].colours;
		conf.cache = 0;
		p = pool_of(&conf);
		assert_int_equal(rte_pktmbuf_alloc_bulk(mpc_pool_mempool(p), m, conf.mbufs), 0);
		for (uint32_t k = 0; k < conf.mbufs; k++) {
			uint8_t *at = rte_pktmbuf_mtod(m[k], uint8_t *);

			begin[made_up_colour(&it, at)] |= 1ull << ((uintptr_t)at % MPC_PAGE / 64);
		}
		for (uint32_t c = 0; c < t[i].colours; c++)
			assert_int_equal(__builtin_popcountll(begin[c]), t[i].positions);
		rte_pktmbuf_free_bulk(m, conf.mbufs);
		mpc_pool_destroy(p);
	}
}

static void
refused(const struct mpc_pool_conf *conf, int code, const char *word)
{
	struct mpc_pool *p = NULL;
	struct nfv_err err = { "" };

	assert_int_equal(mpc_pool_create(conf, &p, &err), -code);
	assert_null(p);
	if (strstr(err.text, word) == NULL || strstr(err.text, conf->name) == NULL)
		fail_msg("not told what and where: %s", err.text);
}

static void
what_cannot_be_is_refused(void **state)
{
	struct mpc_pool_conf good = conf_of("good", EVEN, 2048), c;
	struct mpc_pool *p = pool_of(&good);
	uint64_t used = mpc_arena_usage(it.arena).used;

	(void)state;
	refused(&good, EEXIST, "of this name");
	c = conf_of("odd", ODD, 4097);
	refused(&c, EINVAL, "4097");
	c = conf_of("odd", ODD, RTE_PKTMBUF_HEADROOM);
	refused(&c, EINVAL, "headroom");
	c = conf_of("odd", ODD, 2048);
	c.mbufs = 2 * made_up_pages(&it, ODD) + 1;
	refused(&c, ENOSPC, "are free");
	c.mbufs = 0;
	refused(&c, EINVAL, "no mbufs");
	c = conf_of("odd", ODD, 2048);
	c.cache = 150;
	refused(&c, EINVAL, "cache");
	c.cache = 0;
	c.priv = 12;
	refused(&c, EINVAL, "private");
	c = conf_of("a-name-longer-than-mempools-names-can-be", ODD, 2048);
	refused(&c, ENAMETOOLONG, "long");
	c = conf_of("odd", ODD, 256);
	c.mbufs = 6000;
	c.priv = 16384; /* more than there is of DPDK's memory */
	refused(&c, ENOMEM, "memory");
	assert_int_equal(mpc_arena_usage(it.arena).used, used);
	mpc_pool_destroy(p);
	mpc_pool_destroy(NULL);
}

/* A packet kept for later: its clone holds the buffer, and both go home with the last of them. */
static void
clones_hold_the_packet(void **state)
{
	struct mpc_pool_conf conf = conf_of("cloned", EVEN, 2048);
	struct mpc_pool *p = pool_of(&conf);
	struct rte_mempool *mp = mpc_pool_mempool(p);
	struct rte_mempool *plain = rte_pktmbuf_pool_create("plain", 64, 0, 0, 2176, SOCKET_ID_ANY);
	struct rte_mbuf *m = rte_pktmbuf_alloc(mp), *one, *two, *copy;

	(void)state;
	memcpy(rte_pktmbuf_append(m, 5), "hello", 5);
	one = rte_pktmbuf_clone(m, plain);
	two = rte_pktmbuf_clone(one, plain);
	assert_ptr_equal(rte_pktmbuf_mtod(two, void *), rte_pktmbuf_mtod(m, void *));
	rte_pktmbuf_free(m);
	assert_int_equal(rte_mempool_avail_count(mp), conf.mbufs - 1);
	rte_pktmbuf_free(one);
	assert_int_equal(rte_mempool_avail_count(mp), conf.mbufs - 1);
	assert_memory_equal(rte_pktmbuf_mtod(two, void *), "hello", 5);
	/* A copy, not a clone, may well be made into the coloured pool. */
	copy = rte_pktmbuf_copy(two, mp, 0, UINT32_MAX);
	rte_pktmbuf_free(two);
	assert_int_equal(rte_mempool_avail_count(plain), 64);
	assert_memory_equal(rte_pktmbuf_mtod(copy, void *), "hello", 5);
	assert_true(made_up_colour(&it, copy->buf_addr) % 2 == 0);
	rte_pktmbuf_free(copy);
	assert_int_equal(rte_mempool_avail_count(mp), conf.mbufs);

	/* Held twice by its reference count. */
	m = rte_pktmbuf_alloc(mp);
	rte_pktmbuf_refcnt_update(m, 1);
	rte_pktmbuf_free(m);
	assert_int_equal(rte_mempool_avail_count(mp), conf.mbufs - 1);
	rte_pktmbuf_free(m);
	/* In a chain. */
	m = rte_pktmbuf_alloc(mp);
	assert_int_equal(rte_pktmbuf_chain(m, rte_pktmbuf_alloc(mp)), 0);
	rte_pktmbuf_free_bulk(&m, 1);
	check_all(mp, conf.mbufs, EVEN, 2048);
	rte_mempool_free(plain);
	mpc_pool_destroy(p);
}

static void
private_room_is_the_applications(void **state)
{
	struct mpc_pool_conf conf = conf_of("private", EVEN, 1984);
	struct mpc_pool *p;
	struct rte_mbuf *m, *again;

	(void)state;
	conf.priv = 40;
	conf.mbufs = 1;
	conf.cache = 0;
	p = pool_of(&conf);
	m = rte_pktmbuf_alloc(mpc_pool_mempool(p));
	assert_int_equal(m->priv_size, 40);
	memset(rte_mbuf_to_priv(m), 0xff, 40);
	rte_pktmbuf_free(m);
	again = rte_pktmbuf_alloc(mpc_pool_mempool(p));
	assert_ptr_equal(again, m);
	rte_pktmbuf_free(again);
	mpc_pool_destroy(p);
}

/* Through a driver: what it receives lies in the colours asked, what it sends comes home. */
static void
a_port_takes_the_pool(void **state)
{
	struct mpc_pool_conf conf = conf_of("port", ODD, 2048);
	struct rte_eth_conf eth = { 0 };
	struct rte_mbuf *m[32];
	struct nfv_err err = { "" };
	struct mpc_pool *p;
	uint16_t port;

	(void)state;
	assert_int_equal(mpc_pool_region_map(&it.region, 0, &err), -ENODEV);
	assert_int_equal(rte_dev_probe("net_null0"), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name("net_null0", &port), 0);
	assert_true(mpc_pool_region_map(&it.region, port, &err) < 0); /* not attached */
	assert_non_null(strstr(err.text, "net_null0"));
	for (int i = 0; i < 2; i++)
		assert_int_equal(mpc_pool_region_attach(&it.region, &err), 0);
	p = pool_of(&conf);
	assert_int_equal(mpc_pool_region_map(&it.region, port, &err), 0);
	assert_int_equal(rte_eth_dev_configure(port, 1, 1, &eth), 0);
	assert_int_equal(rte_eth_rx_queue_setup(port, 0, 64, 0, NULL, mpc_pool_mempool(p)), 0);
	assert_int_equal(rte_eth_tx_queue_setup(port, 0, 64, 0, NULL), 0);
	assert_int_equal(rte_eth_dev_start(port), 0);
	assert_int_equal(rte_eth_rx_burst(port, 0, m, 32), 32);
	for (int i = 0; i < 32; i++) {
		assert_int_equal(made_up_colour(&it, m[i]->buf_addr) % 2, 1);
		assert_true(RTE_MBUF_HAS_PINNED_EXTBUF(m[i]));
	}
	assert_int_equal(rte_eth_tx_burst(port, 0, m, 32), 32);
	assert_int_equal(rte_mempool_avail_count(mpc_pool_mempool(p)), conf.mbufs);
	mpc_pool_region_unmap(&it.region, port);
	assert_int_equal(rte_eth_dev_stop(port), 0);
	assert_int_equal(rte_eth_dev_close(port), 0);
	mpc_pool_destroy(p);
	mpc_pool_region_detach(&it.region);
	/* Gone, so it can be attached anew. */
	assert_int_equal(mpc_pool_region_attach(&it.region, &err), 0);
	mpc_pool_region_detach(&it.region);
}

/* n pages in proportion to what the colours have, so that it fits. */
static void
want_in(mpc_colours colours, uint32_t n, uint32_t want[MPC_POOL_COLOURS])
{
	memset(want, 0, MPC_POOL_COLOURS * sizeof(*want));
	while (n > 0)
		for (uint32_t c = 0; c < CLASSES && n > 0; c++)
			if (colours >> c & 1) {
				want[c]++;
				n--;
			}
}

static void
buffers_move_to_other_colours(void **state)
{
	struct mpc_pool_conf conf = conf_of("moved", EVEN, 1646);
	struct mpc_pool *p = pool_of(&conf);
	struct rte_mempool *mp = mpc_pool_mempool(p);
	uint32_t want[MPC_POOL_COLOURS], have[MPC_POOL_COLOURS];
	uint64_t used = mpc_arena_usage(it.arena).used;
	struct rte_mbuf *held[3];

	(void)state;
	mpc_pool_have(p, have);
	assert_int_equal(mpc_pool_recolour(p, have, 0, 1000), 0); /* all is well */
	want_in(ODD, 100, want);
	assert_int_equal(rte_pktmbuf_alloc_bulk(mp, held, 3), 0);
	for (int i = 0; i < 3; i++)
		memset(rte_pktmbuf_append(held[i], 1500), 7 + i, 1500);
	rte_mempool_cache_flush(rte_mempool_default_cache(mp, rte_lcore_id()), mp);
	/* A budget is kept to: ten mbufs have at most ten pages' worth of them moved. */
	assert_in_range(mpc_pool_recolour(p, want, 0, 10), 90, 100);
	for (int i = 0; i < 20; i++)
		mpc_pool_recolour(p, want, 0, 100);
	/* What holds a packet lies still, with its pages. */
	assert_in_range(mpc_pool_recolour(p, want, 0, 100), 1, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(made_up_colour(&it, held[i]->buf_addr) % 2, 0);
		for (int k = 0; k < 1500; k++)
			assert_int_equal(rte_pktmbuf_mtod(held[i], uint8_t *)[k], 7 + i);
	}
	rte_pktmbuf_free_bulk(held, 3);
	rte_mempool_cache_flush(rte_mempool_default_cache(mp, rte_lcore_id()), mp);
	for (int i = 0; i < 20; i++)
		mpc_pool_recolour(p, want, 0, 100);
	assert_int_equal(mpc_pool_recolour(p, want, 0, 100), 0);
	mpc_pool_have(p, have);
	assert_memory_equal(have, want, sizeof(have));
	check_all(mp, conf.mbufs, ODD, 1646);
	assert_int_equal(mpc_arena_usage(it.arena).used, used);
	mpc_pool_destroy(p);
	assert_int_equal(mpc_arena_usage(it.arena).used, 0);
}

/* Two pools that fill two colours change places, through the one page that is free elsewhere. */
static void
pools_change_places(void **state)
{
	uint32_t n[2] = { made_up_pages(&it, 1), made_up_pages(&it, 2) };
	uint32_t least = n[0] < n[1] ? n[0] : n[1], left = 1;
	struct mpc_pool_conf conf[] = { conf_of("first", 1, 2048), conf_of("second", 2, 2048) };
	struct mpc_pool *p[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		conf[i].mbufs = 2 * n[i]; /* full; the larger one keeps what has no place */
		p[i] = pool_of(&conf[i]);
	}
	for (int steps = 0; left > 0; steps++) {
		left = 0;
		for (int i = 0; i < 2; i++) {
			uint32_t want[MPC_POOL_COLOURS] = { 0 };

			want[1 - i] = least;
			want[i] = n[i] - least;
			left += mpc_pool_recolour(p[i], want, 3, 1000);
		}
		assert_true(steps < 1000);
	}
	for (int i = 0; i < 2; i++) {
		check_all(mpc_pool_mempool(p[i]), conf[i].mbufs, 3, 2048);
		mpc_pool_destroy(p[i]);
	}
	assert_int_equal(mpc_arena_usage(it.arena).used, 0);
}

struct user {
	struct rte_mempool *mp;
	_Atomic bool stop;
	_Atomic uint64_t rounds;
	uint64_t failed, damaged;
};

/* Takes packets, writes them, holds them for a while, and looks whether they are what they were. */
static void *
use(void *arg)
{
	enum { HELD = 8, BURST = 16 };
	struct user *u = arg;
	struct rte_mbuf *m[HELD][BURST];
	uint32_t full = 0;

	rte_thread_register();
	for (uint32_t at = 0; !u->stop; at = (at + 1) % HELD, u->rounds++) {
		if (full == HELD) {
			for (int i = 0; i < BURST; i++) {
				const uint64_t *w = rte_pktmbuf_mtod(m[at][i], const uint64_t *);

				for (int k = 0; k < 100; k++)
					u->damaged += w[k] != (uintptr_t)m[at][i] + (uint64_t)k;
			}
			rte_pktmbuf_free_bulk(m[at], BURST);
			full--;
			/* Every packet is home at one of these moments: 5 and 8 have no divisor. */
			if (u->rounds % 5 == 0)
				rte_mempool_cache_flush(
					rte_mempool_default_cache(u->mp, rte_lcore_id()), u->mp);
		}
		if (rte_pktmbuf_alloc_bulk(u->mp, m[at], BURST) < 0) {
			u->failed++;
			break;
		}
		full++;
		for (int i = 0; i < BURST; i++)
			for (uint64_t k = 0; k < 100; k++)
				rte_pktmbuf_mtod(m[at][i], uint64_t *)[k] = (uintptr_t)m[at][i] + k;
	}
	for (uint32_t at = 0; at < HELD; at++)
		if (at < full || full == HELD)
			rte_pktmbuf_free_bulk(m[at], BURST);
	rte_mempool_cache_flush(rte_mempool_default_cache(u->mp, rte_lcore_id()), u->mp);
	rte_thread_unregister();
	return NULL;
}

static void
buffers_move_under_use(void **state)
{
	struct mpc_pool_conf conf = conf_of("used", EVEN, 2048);
	uint32_t want[2][MPC_POOL_COLOURS], turns = 0;
	struct user user = { .stop = false };
	struct mpc_pool *p;
	pthread_t thread;

	(void)state;
	conf.mbufs = 800;
	p = pool_of(&conf);
	user.mp = mpc_pool_mempool(p);
	want_in(EVEN, 400, want[0]);
	want_in(ODD, 400, want[1]);
	assert_int_equal(pthread_create(&thread, NULL, use, &user), 0);
	while (turns < 6 || user.rounds < 1000)
		turns += mpc_pool_recolour(p, want[1 - turns % 2], 0, 64) == 0;
	user.stop = true;
	pthread_join(thread, NULL);
	while (mpc_pool_recolour(p, want[1], 0, 64) > 0)
		;
	assert_int_equal(user.failed, 0);
	assert_int_equal(user.damaged, 0);
	check_all(user.mp, conf.mbufs, ODD, 2048);
	mpc_pool_destroy(p);
	assert_int_equal(mpc_arena_usage(it.arena).used, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers_lie_in_pages_of_their_colours),
		cmocka_unit_test(complements_share_a_region),
		cmocka_unit_test(bursts_come_and_go),
		cmocka_unit_test(starts_are_spread_over_the_page),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(clones_hold_the_packet),
		cmocka_unit_test(private_room_is_the_applications),
		cmocka_unit_test(a_port_takes_the_pool),
		cmocka_unit_test(buffers_move_to_other_colours),
		cmocka_unit_test(pools_change_places),
		cmocka_unit_test(buffers_move_under_use),
	};
	int rc;

	test_eal("64");
	made_up_init(&it, 8 << 20);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	made_up_fini(&it);
	return rc;
}
