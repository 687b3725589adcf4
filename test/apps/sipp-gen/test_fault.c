#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fault.h"

#define N 1000000

static const struct fault_conf all = {
	.chance = { [FAULT_LOSS] = 0.01,
		[FAULT_DELAY] = 0.1,
		[FAULT_DUPLICATE] = 0.02,
		[FAULT_SWAP] = 0.05 },
	.delay_min = 10,
	.delay_max = 30,
	.seed = 42,
};

/* Within five standard deviations of a binomial count. */
static void
assert_share(uint64_t got, double of, double chance)
{
	double off = fabs((double)got - of * chance), sd = sqrt(of * chance * (1 - chance));

	if (off > 5 * sd)
		print_error("%llu of %g\n", (unsigned long long)got, of);
	assert_true(off <= 5 * sd);
}

static void
rates_are_those_asked_for(void **state)
{
	uint64_t drop = 0, dup = 0, swap = 0, delay = 0, both = 0;
	double sum = 0;
	struct faults f;

	(void)state;
	assert_int_equal(fault_init(&f, &all, NULL), 0);
	assert_true(fault_any(&f));
	for (unsigned int i = 0; i < N; i++) {
		struct fault is = fault_decide(&f);

		drop += is.drop;
		dup += is.dup;
		swap += is.swap;
		delay += is.delay_ms > 0;
		both += is.dup && is.delay_ms > 0;
		sum += is.delay_ms;
		assert_false(is.drop && (is.dup || is.swap || is.delay_ms > 0));
		if (is.delay_ms > 0)
			assert_in_range(is.delay_ms, 10, 30);
	}
	assert_share(drop, N, 0.01);
	assert_share(dup, N * 0.99, 0.02);
	assert_share(swap, N * 0.99, 0.05);
	assert_share(delay, N * 0.99, 0.1);
	assert_share(both, N * 0.99, 0.002); /* nothing to do with each other */
	assert_true(fabs(sum / (double)delay - 20) < 0.2);
	assert_int_equal(f.packets, N);
	assert_int_equal(f.count[FAULT_LOSS], drop);
	assert_int_equal(f.count[FAULT_DELAY], delay);
	assert_int_equal(f.count[FAULT_DUPLICATE], dup);
	assert_int_equal(f.count[FAULT_SWAP], swap);
}

static void
the_seed_decides(void **state)
{
	struct fault_conf conf = all;
	struct faults a, b, other, half;
	unsigned int differ = 0;

	(void)state;
	fault_init(&a, &all, NULL);
	fault_init(&b, &all, NULL);
	conf.stream = 1;
	fault_init(&other, &conf, NULL);
	conf = all;
	conf.chance[FAULT_LOSS] = 0;
	conf.chance[FAULT_SWAP] = 0.5;
	fault_init(&half, &conf, NULL);
	for (unsigned int i = 0; i < 10000; i++) {
		struct fault x = fault_decide(&a), y = fault_decide(&b), z = fault_decide(&other),
			     u = fault_decide(&half);

		assert_true(x.drop == y.drop && x.dup == y.dup && x.swap == y.swap &&
			x.delay_ms == y.delay_ms);
		differ += x.delay_ms != z.delay_ms;
		/* Other rates leave what is not theirs alone. */
		if (!x.drop)
			assert_true(x.dup == u.dup && x.delay_ms == u.delay_ms);
	}
	assert_in_range(differ, 1000, 3000);
}

static void
none_and_all(void **state)
{
	struct fault_conf conf = { .seed = 1 };
	struct faults f;

	(void)state;
	fault_init(&f, &conf, NULL);
	assert_false(fault_any(&f));
	for (unsigned int i = 0; i < 1000; i++) {
		struct fault is = fault_decide(&f);

		assert_false(is.drop || is.dup || is.swap || is.delay_ms > 0);
		assert_true(fault_decide_lost(&f, 1).drop);
	}
	conf.chance[FAULT_LOSS] = 1;
	fault_init(&f, &conf, NULL);
	for (unsigned int i = 0; i < 1000; i++) {
		assert_true(fault_decide(&f).drop);
		assert_true(fault_decide_lost(&f, -1).drop);
		assert_false(fault_decide_lost(&f, 0).drop);
	}
}

static void
no_chance_is_refused(void **state)
{
	static const double bad[] = { -0.1, 1.5, NAN, INFINITY };
	struct fault_conf conf;
	struct nfv_err err;
	struct faults f;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		conf = all;
		conf.chance[i] = bad[i];
		assert_int_equal(fault_init(&f, &conf, &err), -ERANGE);
	}
	conf = all;
	conf.delay_min = 31;
	assert_int_equal(fault_init(&f, &conf, &err), -ERANGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_those_asked_for),
		cmocka_unit_test(the_seed_decides),
		cmocka_unit_test(none_and_all),
		cmocka_unit_test(no_chance_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
