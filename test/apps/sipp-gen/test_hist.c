#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hist.h"
#include "rnd.h"

#define N 100000

static struct hist h, other, out;
static uint64_t value[N];

static int
fresh(void **state)
{
	(void)state;
	memset(&h, 0, sizeof(h));
	memset(&other, 0, sizeof(other));
	memset(&out, 0xff, sizeof(out));
	return 0;
}

static int
by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void
assert_near(double a, double b, double part)
{
	if (fabs(a - b) > b * part)
		print_error("%.10g is not %.10g\n", a, b);
	assert_true(fabs(a - b) <= b * part);
}

/* Against the sorted values themselves. */
static void
compare(const struct hist *with, uint64_t *v, size_t n)
{
	static const double q[] = { 0, 0.001, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 0.9999, 1 };
	double sum = 0, squares = 0, mean;

	qsort(v, n, sizeof(*v), by_size);
	for (size_t i = 0; i < n; i++)
		sum += (double)v[i];
	mean = sum / (double)n;
	for (size_t i = 0; i < n; i++)
		squares += ((double)v[i] - mean) * ((double)v[i] - mean);
	for (unsigned int i = 0; i < sizeof(q) / sizeof(*q); i++) {
		size_t rank = (size_t)ceil(q[i] * (double)n);
		uint64_t exact = v[rank > 0 ? rank - 1 : 0], got = hist_quantile(with, q[i]);

		assert_near((double)got, (double)exact, 0.01);
		assert_true(got >= exact);
	}
	assert_near(hist_mean(with), mean, 1e-9);
	assert_near(hist_stdev(with), sqrt(squares / (double)n), 0.01);
	assert_int_equal(with->n, n);
}

static void
quantiles_are_within_one_percent(void **state)
{
	struct rnd rnd = rnd_init(1, 0);

	(void)state;
	for (unsigned int kind = 0; kind < 4; kind++) {
		fresh(NULL);
		for (size_t i = 0; i < N; i++) {
			double u = rnd_unit(&rnd);

			switch (kind) {
			case 0: /* 20 ms in the mean, far outliers */
				value[i] = (uint64_t)(-log(u) * 20e6);
				break;
			case 1: /* every power of two alike */
				value[i] = 1ull << (uint64_t)(u * 39);
				value[i] += rnd_below(&rnd, value[i]);
				break;
			case 2:
				value[i] = 1000 + rnd_below(&rnd, 100);
				break;
			default:
				value[i] = rnd_below(&rnd, 300);
			}
			hist_add(&h, value[i]);
		}
		compare(&h, value, N);
		assert_int_equal(h.min, value[0]);
		assert_int_equal(h.max, value[N - 1]);
		assert_int_equal(hist_quantile(&h, 1), h.max);
	}
}

static void
every_bucket_begins_where_the_last_ends(void **state)
{
	(void)state;
	for (uint64_t ns = 1; ns < 1 << 20; ns++)
		assert_in_range(hist_index(ns) - hist_index(ns - 1), 0, 1);
	assert_int_equal(hist_index((1ull << HIST_MAX_BITS) - 1), HIST_BUCKETS - 1);
	assert_int_equal(hist_index(UINT64_MAX), HIST_BUCKETS - 1);
}

static void
none_one_and_too_large(void **state)
{
	(void)state;
	assert_int_equal(hist_quantile(&h, 0.5), 0);
	assert_true(hist_mean(&h) == 0);
	assert_true(hist_stdev(&h) == 0);
	hist_add(&h, 123456789);
	assert_int_equal(hist_quantile(&h, 0), 123456789);
	assert_int_equal(hist_quantile(&h, 0.5), 123456789);
	assert_int_equal(hist_quantile(&h, NAN), 123456789);
	hist_add(&h, 1ull << 50);
	assert_int_equal(hist_quantile(&h, 1), 1ull << 50);
}

static void
merged_is_as_if_recorded_together(void **state)
{
	struct rnd rnd = rnd_init(2, 0);

	(void)state;
	hist_merge(&h, &other);
	assert_int_equal(h.n, 0);
	for (size_t i = 0; i < N; i++) {
		value[i] = 1000 + rnd_below(&rnd, 1 << 30);
		hist_add(i % 3 == 0 ? &h : &other, value[i]);
	}
	memset(&out, 0, sizeof(out));
	hist_merge(&out, &h);
	hist_merge(&out, &other);
	compare(&out, value, N);
	assert_int_equal(out.min, value[0]);
	assert_int_equal(out.max, value[N - 1]);
}

static void
what_came_since(void **state)
{
	struct rnd rnd = rnd_init(3, 0);

	(void)state;
	for (size_t i = 0; i < 5000; i++)
		hist_add(&h, rnd_below(&rnd, 1ull << 38));
	other = h;
	hist_since(&h, &other, &out);
	assert_int_equal(out.n, 0);
	assert_int_equal(out.max, 0);
	assert_int_equal(hist_quantile(&out, 0.5), 0);
	for (size_t i = 0; i < N; i++) {
		value[i] = 5000000 + rnd_below(&rnd, 1000000);
		hist_add(&h, value[i]);
	}
	hist_since(&h, &other, &out);
	compare(&out, value, N);
	assert_near((double)out.min, (double)value[0], 0.01);
	assert_near((double)out.max, (double)value[N - 1], 0.01);
	/* in place of the copy, as one would do every second */
	hist_since(&h, &other, &other);
	assert_memory_equal(&other, &out, sizeof(out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(quantiles_are_within_one_percent, fresh),
		cmocka_unit_test_setup(every_bucket_begins_where_the_last_ends, fresh),
		cmocka_unit_test_setup(none_one_and_too_large, fresh),
		cmocka_unit_test_setup(merged_is_as_if_recorded_together, fresh),
		cmocka_unit_test_setup(what_came_since, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
