/* The search for the rate without loss, on devices made up. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ndr.h"

struct device {
	double capacity;  /* packets/s; what is more is lost */
	double generator; /* packets/s; what is more cannot be sent */
	uint32_t tried, told, fails_at;
	double last;
};

static int
one_second(void *ctx, struct ndr_trial *t)
{
	struct device *d = ctx;

	if (++d->tried == d->fails_at)
		return -EINTR;
	d->last = t->rate;
	t->limited = t->rate > d->generator;
	t->sent = (uint64_t)(t->limited ? d->generator : t->rate);
	t->lost = (double)t->sent > d->capacity ? t->sent - (uint64_t)d->capacity : 0;
	return 0;
}

static void
count(void *ctx, const struct ndr_trial *t)
{
	struct device *d = ctx;

	d->told++;
	assert_true(t->rate == d->last);
}

static struct ndr_result
search(struct device *d, double tolerance)
{
	const struct ndr_conf c = { .rate = 1e6, .resolution = 0.01, .tolerance = tolerance };
	struct ndr_result r;

	assert_int_equal(ndr_search(&c, one_second, count, d, &r), 0);
	assert_int_equal(d->told, r.trials);
	return r;
}

static void
finds_the_rate_without_loss(void **state)
{
	(void)state;
	for (double capacity = 20e3; capacity < 1e6; capacity += 31e3) {
		struct device d = { .capacity = capacity, .generator = INFINITY };
		struct ndr_result r = search(&d, 0);

		assert_true(r.rate <= capacity && r.rate >= capacity - 10e3);
		assert_true(r.lost == 0);
		assert_false(r.limited);
		assert_in_range(r.trials, 7, 9);
	}
}

static void
takes_the_highest_at_once(void **state)
{
	struct device d = { .capacity = 1e6, .generator = INFINITY };
	struct ndr_result r = search(&d, 0);

	(void)state;
	assert_true(r.rate == 1e6);
	assert_int_equal(r.trials, 1);
}

static void
tolerates_what_it_may(void **state)
{
	struct device d = { .capacity = 500e3, .generator = INFINITY };
	struct ndr_result r = search(&d, 0.1);

	(void)state;
	/* A tenth is lost at 555,556 packets/s. */
	assert_true(r.rate <= 555556 && r.rate >= 545555);
	assert_true(r.lost > 0 && r.lost <= 0.1);
}

static void
finds_nothing_where_all_is_lost(void **state)
{
	struct device d = { .capacity = 0, .generator = INFINITY };
	struct ndr_result r = search(&d, 0.005);

	(void)state;
	assert_true(r.rate == 0);
	assert_false(r.limited);
}

static void
says_that_the_generator_is_the_limit(void **state)
{
	struct device d = { .capacity = INFINITY, .generator = 300e3 };
	struct ndr_result r;

	(void)state;
	d.capacity = 1e9;
	r = search(&d, 0);
	assert_true(r.rate <= 300e3 && r.rate >= 290e3);
	assert_true(r.limited);
	/* Too fast for the generator at first, but it is the device that the result is of. */
	d = (struct device){ .capacity = 200e3, .generator = 300e3 };
	r = search(&d, 0);
	assert_true(r.rate <= 200e3 && r.rate >= 190e3);
	assert_false(r.limited);
}

static void
ends_by_an_error(void **state)
{
	const struct ndr_conf c = { .rate = 1e6, .resolution = 0.01 };
	struct device d = { .capacity = 1e5, .generator = INFINITY, .fails_at = 3 };
	struct ndr_result r = { .rate = 42 };

	(void)state;
	assert_int_equal(ndr_search(&c, one_second, NULL, &d, &r), -EINTR);
	assert_true(r.rate == 42);
	assert_int_equal(d.tried, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_rate_without_loss),
		cmocka_unit_test(takes_the_highest_at_once),
		cmocka_unit_test(tolerates_what_it_may),
		cmocka_unit_test(finds_nothing_where_all_is_lost),
		cmocka_unit_test(says_that_the_generator_is_the_limit),
		cmocka_unit_test(ends_by_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
