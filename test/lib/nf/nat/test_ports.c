#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ports.h"

static struct nat_ports pool;

static void
only_the_range_is_given(void **state)
{
	(void)state;
	nat_ports_init(&pool, 1000, 1002);
	assert_int_equal(pool.n_free, 3);
	assert_false(nat_ports_take(&pool, 999));
	assert_false(nat_ports_take(&pool, 1003));
	assert_false(nat_ports_take(&pool, 0));
	assert_false(nat_ports_take(&pool, 65535));
	assert_true(nat_ports_take(&pool, 1001));
	assert_false(nat_ports_take(&pool, 1001));
	assert_int_equal(nat_ports_take_from(&pool, 1001), 1002);
	assert_int_equal(nat_ports_take_from(&pool, 1001), 1000); /* round the corner */
	assert_int_equal(nat_ports_take_from(&pool, 1001), -1);
	nat_ports_give(&pool, 5);
	assert_int_equal(nat_ports_take_from(&pool, 0), -1);
	nat_ports_give(&pool, 1002);
	nat_ports_give(&pool, 1002); /* giving twice does not make two of it */
	assert_int_equal(pool.n_free, 1);
	assert_int_equal(nat_ports_take_from(&pool, 65535), 1002);
	assert_int_equal(pool.n_free, 0);
}

static void
whole_range_is_exhausted_exactly(void **state)
{
	static bool seen[65536];

	(void)state;
	nat_ports_init(&pool, 0, 65535);
	for (uint32_t i = 0; i < 65536; i++) {
		int32_t port = nat_ports_take_from(&pool, (uint16_t)(i * 40503u));

		assert_in_range(port, 0, 65535);
		assert_false(seen[port]);
		seen[port] = true;
	}
	assert_int_equal(nat_ports_take_from(&pool, 0), -1);
	for (uint32_t i = 0; i < 65536; i += 4097) { /* alone in an empty pool, from everywhere */
		nat_ports_give(&pool, (uint16_t)i);
		assert_int_equal(nat_ports_take_from(&pool, (uint16_t)(i + 1)), i);
	}
}

/* The next free port by walking, as against by words. */
static void
next_free_is_the_nearest(void **state)
{
	static bool is_free[65536];

	(void)state;
	srand(7);
	nat_ports_init(&pool, 300, 50000);
	for (uint32_t i = 300; i <= 50000; i++)
		is_free[i] = true;
	for (int round = 0; round < 20000; round++) {
		uint16_t from = (uint16_t)(rand() % 65536);
		uint32_t want = from;

		if (rand() % 8 == 0) { /* blocks, so that whole words and summaries run empty */
			for (uint32_t i = from; i < 65536 && i < from + 5000u; i++) {
				assert_int_equal(nat_ports_take(&pool, (uint16_t)i), is_free[i]);
				is_free[i] = false;
			}
		}
		if (rand() % 3 != 0) {
			nat_ports_give(&pool, from);
			is_free[from] = from >= 300 && from <= 50000;
			continue;
		}
		for (int steps = 0; steps < 65536 && !is_free[want]; steps++)
			want = (want + 1) % 65536;
		if (!is_free[want]) {
			assert_int_equal(nat_ports_take_from(&pool, from), -1);
			continue;
		}
		assert_int_equal(nat_ports_take_from(&pool, from), want);
		is_free[want] = false;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_range_is_given),
		cmocka_unit_test(whole_range_is_exhausted_exactly),
		cmocka_unit_test(next_free_is_the_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
