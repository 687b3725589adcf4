#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nfv_wheel.h"

#define HZ 2000000000ull /* a tick is 2^20 cycles, 0.52 ms */
#define MS (HZ / 1000)
#define N  2000

#define PAGES ((N * sizeof(struct item) + NFV_PAGE - 1) / NFV_PAGE)

struct item {
	uint64_t expected; /* 0: not running */
	char name[3];
	struct nfv_wheel_timer timer;
};

static struct item item[N] __attribute__((aligned(NFV_PAGE)));
static bool paged;
static uint8_t *page[PAGES];
static const struct nfv_pages pages = { page, PAGES };
static struct nfv_wheel wheel;
static uint64_t seed;

static uint64_t
rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void
fresh(uint64_t now)
{
	memset(item, 0, sizeof(item));
	if (!paged) {
		nfv_wheel_init(&wheel, item, sizeof(*item), offsetof(struct item, timer), HZ, now);
		return;
	}
	for (size_t i = 0; i < PAGES; i++)
		page[i] = (uint8_t *)item + i * NFV_PAGE;
	nfv_wheel_init_pages(&wheel, &pages, sizeof(*item), offsetof(struct item, timer), HZ, now);
}

/* Up to `now` in bursts; every one that comes must be due, and all that are due must come. */
static uint32_t
advance(uint64_t now, uint32_t burst)
{
	uint32_t out[64], n, total = 0, still = 0;

	do {
		n = nfv_wheel_advance(&wheel, now, out, burst);
		for (uint32_t i = 0; i < n; i++) {
			assert_in_range(out[i], 0, N - 1);
			assert_int_not_equal(item[out[i]].expected, 0);
			assert_true(item[out[i]].expected <= now);
			assert_false(nfv_wheel_running(&wheel, out[i]));
			item[out[i]].expected = 0;
		}
		total += n;
	} while (!nfv_wheel_done(&wheel, now));
	for (uint32_t i = 0; i < N; i++) {
		still += item[i].expected != 0;
		if (item[i].expected != 0)
			assert_true(item[i].expected >> wheel.shift >= now >> wheel.shift);
		assert_int_equal(item[i].expected != 0, nfv_wheel_running(&wheel, i));
	}
	assert_int_equal(still, wheel.n);
	return total;
}

static void
add(uint32_t i, uint64_t when)
{
	nfv_wheel_add(&wheel, i, when);
	item[i].expected = when;
}

static void
a_timer_comes_once_and_not_early(void **state)
{
	static const uint64_t ms[] = { 0, 1, 2, 127, 255, 256, 257, 5000, 65536, 100000, 3600000,
		20000000, 600000000 };
	uint64_t start = 123456789;

	(void)state;
	for (unsigned int i = 0; i < sizeof(ms) / sizeof(*ms); i++) {
		uint64_t due = start + ms[i] * MS;

		fresh(start);
		add(7, due);
		if (ms[i] > 0) {
			assert_int_equal(advance(due - 1, 1), 0);
			assert_true(nfv_wheel_running(&wheel, 7));
		}
		/* A millisecond later it has come. */
		assert_int_equal(advance(due + MS, 1), 1);
		assert_int_equal(advance(due + 1000 * MS, 1), 0);
	}
}

static void
cancelled_timers_do_not_come(void **state)
{
	(void)state;
	fresh(0);
	nfv_wheel_cancel(&wheel, 3);
	add(1, 10 * MS);
	add(2, 10 * MS);
	add(3, 10 * MS);
	nfv_wheel_cancel(&wheel, 2);
	nfv_wheel_cancel(&wheel, 2);
	item[2].expected = 0;
	add(3, 5000 * MS); /* another time in place of the first */
	assert_int_equal(advance(20 * MS, 8), 1);
	assert_int_equal(advance(6000 * MS, 8), 1);
	assert_int_equal(wheel.n, 0);
}

static void
one_in_the_past_comes_next(void **state)
{
	(void)state;
	fresh(5000 * MS);
	add(1, 1);
	assert_int_equal(advance(5000 * MS, 8), 1);
	advance(6000 * MS, 8);
	add(1, 5500 * MS);
	add(2, 5999 * MS);
	assert_int_equal(advance(6000 * MS, 8), 2);
	/* Time that stands or goes back does no harm. */
	add(1, 6001 * MS);
	assert_int_equal(advance(5000 * MS, 8), 0);
	assert_int_equal(advance(6002 * MS, 8), 1);
}

static void
one_too_far_away_comes_at_the_end_of_the_range(void **state)
{
	uint64_t range = (1ull << 31) << 20;

	(void)state;
	fresh(0);
	nfv_wheel_add(&wheel, 0, UINT64_MAX);
	item[0].expected = range - (1 << 20);
	assert_int_equal(advance(range - (2 << 20), 8), 0);
	assert_int_equal(advance(range, 8), 1);
}

/* Most are near, some far away; every now and then time jumps. */
static void
like_a_list(uint64_t start, unsigned int rounds, uint64_t span)
{
	uint64_t now = start;

	fresh(now);
	for (unsigned int round = 0; round < rounds; round++) {
		uint64_t step = rnd() % 50;

		for (unsigned int k = rnd() % 60; k > 0; k--) {
			uint32_t i = (uint32_t)(rnd() % N);
			uint64_t far = 1ull << rnd() % span;

			if (rnd() % 4 == 0) {
				nfv_wheel_cancel(&wheel, i);
				item[i].expected = 0;
			} else {
				add(i, now + rnd() % (far * MS) + 1);
			}
		}
		step = step == 0 ? rnd() % (300000 * MS) : rnd() % (step * MS);
		now += step;
		advance(now, 1 + (uint32_t)(rnd() % 64));
	}
}

static void
it_does_what_a_list_would(void **state)
{
	(void)state;
	seed = 42;
	like_a_list(0, 3000, 12);
	like_a_list(987654321987654321u, 3000, 24);
	/* over the 2^32nd tick */
	like_a_list(((1ull << 32) - 100000) << 20, 3000, 20);
}

static void
a_call_does_a_bounded_amount(void **state)
{
	uint32_t out[4], n, got = 0, calls = 0;

	(void)state;
	fresh(0);
	for (uint32_t i = 0; i < N; i++)
		add(i, 90000 * MS + i % 3 * MS);
	/* All at once after a jump: every call gives at most four, and moves at most 16. */
	while (!nfv_wheel_done(&wheel, 100000 * MS)) {
		n = nfv_wheel_advance(&wheel, 100000 * MS, out, 4);
		assert_in_range(n, 0, 4);
		got += n;
		calls++;
	}
	assert_int_equal(got, N);
	assert_in_range(calls, N / 4, N);
}

/* No tick has to move a whole coarse slot of timers. */
static void
moving_is_spread_over_time(void **state)
{
	uint32_t out[64], most = 0, near, before;

	(void)state;
	fresh(0);
	for (uint32_t i = 0; i < N; i++)
		add(i, 120000 * MS + i % 3 * MS);
	before = 0;
	for (uint64_t now = 0; now < 119000 * MS; now += 1 << 20) {
		assert_int_equal(nfv_wheel_advance(&wheel, now, out, 64), 0);
		near = 0;
		for (unsigned int i = 0; i < 2 * NFV_WHEEL_SLOTS; i++)
			near += wheel.slot[i].n;
		if (near > before && near - before > most)
			most = near - before;
		before = near;
	}
	assert_int_equal(before, N);
	assert_in_range(most, 1, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_comes_once_and_not_early),
		cmocka_unit_test(cancelled_timers_do_not_come),
		cmocka_unit_test(one_in_the_past_comes_next),
		cmocka_unit_test(one_too_far_away_comes_at_the_end_of_the_range),
		cmocka_unit_test(it_does_what_a_list_would),
		cmocka_unit_test(a_call_does_a_bounded_amount),
		cmocka_unit_test(moving_is_spread_over_time),
	};

	int failed = cmocka_run_group_tests_name("array", tests, NULL, NULL);

	paged = true;
	return failed + cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
