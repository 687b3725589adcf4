#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pace.h"

#define HZ    2399999937ull
#define START 1234567890123ull
#define HOUR  3600

static struct pace p;

static void
start(const struct pace_conf *conf)
{
	struct pace_conf c = *conf;

	if (c.workers == 0)
		c.workers = 1;
	assert_int_equal(pace_init(&p, &c, HZ, START, NULL), 0);
}

static uint64_t
tsc(double s)
{
	return START + (uint64_t)(s * HZ);
}

/* Calls until then, in steps of an odd length; none must be told early, or out of order. */
static uint64_t
count(double seconds, double step)
{
	uint64_t to = tsc(seconds), total = 0, last = 0, intended[64];
	uint64_t now = START, by = (uint64_t)(step * HZ);
	uint32_t n;

	for (;;) {
		do {
			n = pace_take(&p, now, intended, 64);
			for (uint32_t i = 0; i < n; i++) {
				assert_true(intended[i] <= now);
				assert_true(intended[i] >= last);
				last = intended[i];
			}
			total += n;
		} while (n > 0);
		assert_true(pace_next(&p) > now);
		if (now == to)
			return total;
		now = to - now < by ? to : now + by;
	}
}

static void
assert_close(double a, double b, double by)
{
	if (fabs(a - b) > by)
		print_error("%.9g is not %.9g\n", a, b);
	assert_true(fabs(a - b) <= by);
}

static void
an_hour_has_every_call(void **state)
{
	static const double rates[] = { 0.1, 1.0 / 3, 1, 7, 999.9, 12345.678 };

	(void)state;
	for (unsigned int i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		start(&(struct pace_conf){ .shape = PACE_FIXED, .rate = rates[i] });
		assert_close((double)count(HOUR, 0.77), rates[i] * HOUR, 1);
	}
	start(&(struct pace_conf){ .shape = PACE_FIXED, .rate = 10e6 });
	assert_close((double)count(3, 0.001), 30e6, 1);
	/* Far away: the integral at a given time is still exact. */
	start(&(struct pace_conf){ .shape = PACE_FIXED, .rate = 150000 });
	p.made = 150000ull * HOUR * 24 - 2;
	p.at = (unsigned __int128)p.made << 64;
	assert_int_equal(pace_take(&p, PACE_NEVER - 1, NULL, 1), 1);
	assert_close(((double)(pace_next(&p) - START)) / HZ, HOUR * 24, 1e-8);
}

static void
gaps_are_even(void **state)
{
	uint64_t t[1000];

	(void)state;
	start(&(struct pace_conf){ .shape = PACE_FIXED, .rate = 1000 });
	assert_int_equal(pace_next(&p), tsc(0.001) + 1);
	assert_int_equal(pace_take(&p, tsc(5), t, 1000), 1000);
	for (unsigned int i = 0; i < 1000; i++)
		assert_close((double)(t[i] - START), (i + 1) * (HZ / 1000.0), 1.01);
	assert_int_equal(pace_take(&p, tsc(5), NULL, 100000), 4000);
	start(&(struct pace_conf){ .shape = PACE_FIXED, .rate = 0 });
	assert_int_equal(pace_next(&p), PACE_NEVER);
	assert_int_equal(pace_take(&p, UINT64_MAX, t, 1), 0);
}

static void
a_ramp_makes_its_integral(void **state)
{
	static const double at[] = { 0.5, 1, 10, 100, 599, 600, 601, 1000 };

	(void)state;
	for (unsigned int down = 0; down < 2; down++) {
		double a = down ? 2000 : 0, b = down ? 0 : 2000;

		for (unsigned int i = 0; i < sizeof(at) / sizeof(*at); i++) {
			double t = at[i] < 600 ? at[i] : 600;

			start(&(struct pace_conf){ PACE_RAMP, a, b, .seconds = 600 });
			assert_close((double)count(at[i], 0.1),
				a * t + (b - a) / 600 * t * t / 2 + b * (at[i] - t), 1);
		}
	}
	start(&(struct pace_conf){ PACE_RAMP, 100, 300, .seconds = 10 });
	count(5, 0.1);
	assert_close(pace_rate(&p), 200, 0.2);
	count(20, 0.1);
	assert_close(pace_rate(&p), 300, 0);
	start(&(struct pace_conf){ PACE_RAMP, 0, 10e6, .seconds = 1 });
	assert_close((double)count(1, 0.01), 5e6, 1);
}

static void
steps_go_up_and_down(void **state)
{
	(void)state;
	start(&(struct pace_conf){ PACE_STEPS, 10, 45, .step = 10, .seconds = 5 });
	assert_close((double)count(5, 0.1), 50, 1);
	start(&(struct pace_conf){ PACE_STEPS, 10, 45, .step = 10, .seconds = 5 });
	assert_close((double)count(100, 0.1), 5 * (10 + 20 + 30 + 40) + 80 * 45, 1);
	assert_close(pace_rate(&p), 45, 0);
	start(&(struct pace_conf){ PACE_STEPS, 100, 0, .step = -30, .seconds = 1 });
	assert_close((double)count(100, 0.1), 100 + 70 + 40 + 10, 1);
	assert_int_equal(pace_next(&p), PACE_NEVER);
	/* nobody looks for long */
	start(&(struct pace_conf){ PACE_STEPS, 0, 100, .step = 1, .seconds = 0.1 });
	assert_close((double)count(100, 100), 0.1 * 100 * 99 / 2 + 90 * 100, 1);
}

static void
poisson_has_its_mean_and_variance(void **state)
{
	enum { CELLS = 20000 };
	double sum = 0, squares = 0, rate = 3000;
	uint64_t first = 0;

	(void)state;
	for (unsigned int again = 0; again < 2; again++) {
		start(&(struct pace_conf){
			PACE_POISSON, rate, .seed = 5, .workers = 3, .worker = 1 });
		if (again == 0)
			first = pace_next(&p);
		assert_int_equal(pace_next(&p), first); /* the seed decides */
	}
	for (unsigned int i = 1; i <= CELLS; i++) {
		double n = pace_take(&p, tsc(i * 0.01), NULL, 10000);

		sum += n;
		squares += n * n;
	}
	/* A third of 3000, in cells of 10 ms: 10 each, and the variance is the same. */
	assert_close(sum / CELLS, 10, 0.1);
	assert_close(squares / CELLS - sum / CELLS * sum / CELLS, 10, 0.4);
	start(&(struct pace_conf){ PACE_POISSON, rate, .seed = 6, .workers = 3, .worker = 1 });
	assert_int_not_equal(pace_next(&p), first);
	start(&(struct pace_conf){ PACE_POISSON, rate, .seed = 5, .workers = 3, .worker = 2 });
	assert_int_not_equal(pace_next(&p), first);
}

static void
bursts_come_together(void **state)
{
	uint64_t t[1000];
	uint64_t total = 0;

	(void)state;
	start(&(struct pace_conf){ PACE_BURST, .burst = 100, .seconds = 3 });
	assert_int_equal(pace_take(&p, START, t, 1000), 100);
	assert_int_equal(pace_take(&p, tsc(3) - 5, t, 1000), 0);
	assert_int_equal(pace_take(&p, tsc(3) + 5, t, 1000), 100);
	assert_int_equal(t[0], t[99]);
	assert_int_equal(pace_take(&p, tsc(HOUR) + 5, NULL, 1000000), 100 * (HOUR / 3 - 1));
	/* twice as often from 1.5 s after a burst on: halfway, so half of what is left */
	assert_int_equal(pace_change(&p, tsc(HOUR + 1.5), 200.0 / 3, NULL), 0);
	assert_close(((double)(pace_next(&p) - START)) / HZ, HOUR + 2.25, 1e-6);
	for (uint32_t i = 0; i < 7; i++) {
		start(&(struct pace_conf){
			PACE_BURST, .burst = 100, .seconds = 3, .worker = i, .workers = 7 });
		total += pace_take(&p, START, t, 1000);
	}
	assert_int_equal(total, 100);
}

static void
workers_take_turns(void **state)
{
	enum { WORKERS = 5, EACH = 2000 };
	uint64_t t[WORKERS][EACH], whole[WORKERS * EACH];

	(void)state;
	for (unsigned int ramp = 0; ramp < 2; ramp++) {
		struct pace_conf c = { .shape = ramp ? PACE_RAMP : PACE_FIXED,
			.rate = 1000,
			.rate_to = 3000,
			.seconds = 2,
			.workers = 1 };

		start(&c);
		assert_int_equal(pace_take(&p, tsc(100), whole, WORKERS * EACH), WORKERS * EACH);
		c.workers = WORKERS;
		for (c.worker = 0; c.worker < WORKERS; c.worker++) {
			start(&c);
			assert_int_equal(pace_take(&p, tsc(100), t[c.worker], EACH), EACH);
			for (unsigned int i = 0; i < EACH; i++)
				assert_int_equal(t[c.worker][i], whole[i * WORKERS + c.worker]);
		}
	}
}

static void
changes_neither_lose_nor_add_calls(void **state)
{
	(void)state;
	start(&(struct pace_conf){ .shape = PACE_FIXED, .rate = 0.1 });
	/* 8 s of 0.1/s are 0.8 of a call; of 1000/s the rest takes 0.2 ms. */
	assert_int_equal(pace_change(&p, tsc(8), 1000, NULL), 0);
	assert_close((double)pace_next(&p), (double)tsc(8.0002), 500);
	assert_close(pace_rate(&p), 1000, 0);
	assert_close((double)count(9, 0.1), 1000, 1);
	/* Told late, for a worker that has calls to make up for: they keep their times. */
	start(&(struct pace_conf){ .shape = PACE_FIXED, .rate = 100 });
	assert_int_equal(pace_change(&p, tsc(10), 10, NULL), 0);
	assert_close((double)count(20, 20), 1000 + 100, 1);
	/* for a time that is over */
	start(&(struct pace_conf){ .shape = PACE_FIXED, .rate = 100 });
	assert_int_equal(pace_change(&p, 5, 10, NULL), 0);
	assert_close((double)count(20, 20), 200, 1);
	/* in the midst of a ramp: it goes no further */
	start(&(struct pace_conf){ PACE_RAMP, 0, 1000, .seconds = 10 });
	count(5, 0.1);
	assert_int_equal(pace_change(&p, tsc(5), 20, NULL), 0);
	assert_close((double)count(15, 0.1), 200, 1);
	/* stop, and go on */
	assert_int_equal(pace_change(&p, tsc(15), 0, NULL), 0);
	assert_int_equal(pace_next(&p), PACE_NEVER);
	assert_int_equal(pace_change(&p, tsc(50), 1, NULL), 0);
	assert_close((double)count(100, 0.1), 50, 1);
	assert_int_equal(pace_change(&p, tsc(100), 1e9, NULL), -ERANGE);
	assert_int_equal(pace_change(&p, tsc(100), -1, NULL), -ERANGE);
}

static void
frequent_changes_keep_the_sum(void **state)
{
	uint64_t total = 0;

	(void)state;
	start(&(struct pace_conf){ .shape = PACE_FIXED, .rate = 100 });
	for (unsigned int i = 0; i < 100000; i++) {
		total += pace_take(&p, tsc(i * 0.01), NULL, 1000);
		assert_int_equal(pace_change(&p, tsc(i * 0.01), i % 2 ? 150 : 50, NULL), 0);
	}
	assert_close((double)total, 50000 * 0.5 + 49999 * 1.5, 1);
}

static void
shapes_that_make_no_sense_are_refused(void **state)
{
	static const struct pace_conf bad[] = {
		{ .shape = PACE_FIXED, .rate = 1 },
		{ .shape = PACE_FIXED, .rate = 1, .worker = 2, .workers = 2 },
		{ .shape = PACE_FIXED, .rate = -1, .workers = 1 },
		{ .shape = PACE_FIXED, .rate = 1e8, .workers = 1 },
		{ .shape = PACE_FIXED, .rate = NAN, .workers = 1 },
		{ .shape = PACE_RAMP, .rate = 1, .rate_to = 2, .workers = 1 },
		{ .shape = PACE_RAMP, .rate = 1, .rate_to = 1e9, .seconds = 1, .workers = 1 },
		{ .shape = PACE_RAMP, .rate = 1, .rate_to = 2, .seconds = NAN, .workers = 1 },
		{ .shape = PACE_STEPS, .rate = 1, .rate_to = 2, .seconds = 1, .workers = 1 },
		{ .shape = PACE_STEPS, 1, 2, .step = -1, .seconds = 1, .workers = 1 },
		{ .shape = PACE_BURST, .seconds = 1, .workers = 1 },
		{ .shape = PACE_BURST, .burst = 1, .workers = 1 },
		{ .shape = PACE_BURST, .burst = 1000000, .seconds = 0.001, .workers = 1 },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct nfv_err err = { "" };

		assert_true(pace_init(&p, &bad[i], HZ, START, &err) < 0);
		assert_true(err.text[0] != '\0');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_hour_has_every_call),
		cmocka_unit_test(gaps_are_even),
		cmocka_unit_test(a_ramp_makes_its_integral),
		cmocka_unit_test(steps_go_up_and_down),
		cmocka_unit_test(poisson_has_its_mean_and_variance),
		cmocka_unit_test(bursts_come_together),
		cmocka_unit_test(workers_take_turns),
		cmocka_unit_test(changes_neither_lose_nor_add_calls),
		cmocka_unit_test(frequent_changes_keep_the_sum),
		cmocka_unit_test(shapes_that_make_no_sense_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
