/*
 * Footprints against values by hand, against all windows counted one by one, and the miss ratios that
 * follow from them against an exact LRU.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesses.h"
#include "mpc_footprint.h"

static struct mpc_footprint *
footprint_of(const struct accesses *t, double rate, uint32_t lines, uint64_t seed)
{
	struct mpc_footprint_options o = { .rate = rate, .lines = lines, .seed = seed };
	struct nfv_err err = { "" };
	struct mpc_footprint *f = NULL;

	assert_int_equal(mpc_footprint_create(&o, &f, &err), 0);
	/* In uneven pieces, which must not matter. */
	for (size_t at = 0, piece = 1; at < t->n; at += piece, piece = piece % 100 + 7) {
		piece = piece < t->n - at ? piece : t->n - at;
		assert_int_equal(mpc_footprint_add(f, t->a + at, piece, &err), 0);
	}
	mpc_footprint_end(f);
	return f;
}

static struct mpc_curve
curve_of(const struct mpc_footprint *f, uint32_t class, enum mpc_clock clock, enum mpc_model model)
{
	struct nfv_err err = { "" };
	struct mpc_curve c;

	assert_int_equal(mpc_footprint_curve(f, class, clock, model, &c, &err), 0);
	return c;
}

/* Of all together, and the footprint is let go. */
static struct mpc_curve
curve(const struct accesses *t, double rate, enum mpc_model model)
{
	struct mpc_footprint *f = footprint_of(t, rate, 0, 1);
	struct mpc_curve c = curve_of(f, MPC_TOGETHER, MPC_TRACE_TIME, model);

	mpc_footprint_destroy(f);
	return c;
}

static void
near(const char *what, double got, double expected, double by)
{
	if (!(fabs(got - expected) <= by))
		fail_msg("%s: %.9g, not %.9g within %g", what, got, expected, by);
}

static void
golden_values(void **state)
{
	/* By hand: all windows of a length, their distinct letters, averaged. */
	static const struct {
		const char *text;
		double fp[7];
	} golden[] = {
		{ "abcabc", { 0, 1, 2, 3, 3, 3, 3 } },
		{ "aabbcc", { 0, 1, 7.0 / 5, 2, 7.0 / 3, 3, 3 } },
		{ "aaaaaa", { 0, 1, 1, 1, 1, 1, 1 } },
		{ "abcdef", { 0, 1, 2, 3, 4, 5, 6 } },
		{ "abaab", { 0, 1, 7.0 / 4, 2, 2, 2 } },
		{ "a", { 0, 1 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
		struct accesses t = { .n = 0 };
		struct mpc_curve c;

		for (const char *p = golden[i].text; *p != '\0'; p++)
			accesses_add(&t, 0, (uint64_t)*p);
		c = curve(&t, 1, MPC_HOTL);
		for (size_t w = 0; w <= t.n; w++)
			near(golden[i].text, mpc_curve_at(&c, (double)w), golden[i].fp[w], 1e-12);
		near("beyond the trace", mpc_curve_at(&c, 1e9), golden[i].fp[t.n], 1e-12);
		mpc_curve_fini(&c);
		free(t.a);
	}
}

static void
inverse_and_slope(void **state)
{
	struct accesses t = { .n = 0 };
	struct mpc_curve c;

	(void)state;
	for (const char *p = "aabbcc"; *p != '\0'; p++)
		accesses_add(&t, 0, (uint64_t)*p);
	c = curve(&t, 1, MPC_HOTL);
	near("fill 1", mpc_curve_fill(&c, 1), 1, 1e-12);
	near("fill 6/5", mpc_curve_fill(&c, 1.2), 1.5, 1e-12);
	near("fill 3", mpc_curve_fill(&c, 3), 5, 1e-12);
	assert_true(isinf(mpc_curve_fill(&c, 3.1)));
	near("slope at 1", mpc_curve_slope(&c, 1), 2.0 / 5, 1e-12);
	near("slope at 2", mpc_curve_slope(&c, 2), 3.0 / 5, 1e-12);
	near("miss in one line", mpc_curve_miss(&c, 1), 2.0 / 5, 1e-12);
	near("miss in nothing", mpc_curve_miss(&c, 0), 1, 1e-12);
	near("miss where all fits", mpc_curve_miss(&c, 3.1), 0, 0);
	mpc_curve_fini(&c);
	free(t.a);
}

/* Distinct lines in all windows of length w, averaged, of one class or all. */
static double
brute(const struct accesses *t, size_t w, uint32_t class, uint64_t lines)
{
	uint32_t *in = calloc(lines, sizeof(*in));
	uint64_t distinct = 0, sum = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (class == MPC_TOGETHER || t->a[i].class == class)
			distinct += in[t->a[i].line]++ == 0;
		if (i >= w && (class == MPC_TOGETHER || t->a[i - w].class == class))
			distinct -= --in[t->a[i - w].line] == 0;
		if (i + 1 >= w)
			sum += distinct;
	}
	free(in);
	return (double)sum / (double)(t->n - w + 1);
}

/* Some structure, some chance; even lines are of class 0, odd ones of class 1. */
static void
mix(struct accesses *t, size_t n, uint32_t lines)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t kind = accesses_below(t, 4);
		uint32_t line = kind == 0 ? (uint32_t)(i % lines) :
			kind == 1         ? accesses_below(t, lines) :
					    accesses_below(t, lines / 4 + 1);

		accesses_add(t, line & 1, line);
	}
}

static void
all_windows_one_by_one(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct accesses t = { .random = seed };
		uint32_t lines = 2 + accesses_below(&t, 200);
		struct mpc_footprint *f;
		struct mpc_curve c, of[2];

		mix(&t, 1 + accesses_below(&t, 254), lines); /* short: a bucket for each length */
		f = footprint_of(&t, 1, 0, seed);
		c = curve_of(f, MPC_TOGETHER, MPC_TRACE_TIME, MPC_HOTL);
		of[0] = curve_of(f, 0, MPC_TRACE_TIME, MPC_HOTL);
		of[1] = curve_of(f, 1, MPC_TRACE_TIME, MPC_HOTL);
		for (size_t w = 1; w <= t.n; w++) {
			near("all", mpc_curve_at(&c, (double)w), brute(&t, w, MPC_TOGETHER, lines),
				1e-9);
			for (uint32_t k = 0; k < 2; k++)
				near("a class", mpc_curve_at(&of[k], (double)w),
					brute(&t, w, k, lines), 1e-9);
		}
		mpc_curve_fini(&c);
		mpc_curve_fini(&of[0]);
		mpc_curve_fini(&of[1]);
		mpc_footprint_destroy(f);
		free(t.a);
	}
}

/* The stated error: none at bounds of buckets, and little between. */
static void
buckets_cost_what_they_say(void **state)
{
	struct accesses t = { .random = 5 };
	struct mpc_curve c;

	(void)state;
	mix(&t, 6000, 1500);
	c = curve(&t, 1, MPC_HOTL);
	for (size_t w = 1; w <= t.n; w += w < 300 ? 1 : 13) {
		double exact = brute(&t, w, MPC_TOGETHER, 1500), at = mpc_curve_at(&c, (double)w);
		double width = w < 256 ? 0 : pow(2, floor(log2((double)w)) - 7);
		double bend = mpc_curve_slope(&c, (double)w - 2 * width) -
			mpc_curve_slope(&c, (double)w + 2 * width);

		if (!(fabs(at - exact) <= width * fabs(bend) + 1e-4))
			fail_msg("w %zu: %.9g, exactly %.9g", w, at, exact);
		if (w == 257 || w == 511 || w == 515 || w == 1023)
			near("at a bound", at, exact, 1e-9);
	}
	mpc_curve_fini(&c);
	free(t.a);
}

/* A class by its own clock is as if the other classes were not there. */
static void
own_time_is_being_alone(void **state)
{
	struct accesses t = { .random = 9 }, alone = { .random = 0 };
	struct mpc_footprint *f;
	struct mpc_curve own, c;

	(void)state;
	mix(&t, 5000, 700);
	for (size_t i = 0; i < t.n; i++)
		if (t.a[i].class == 1)
			accesses_add(&alone, 0, t.a[i].line);
	f = footprint_of(&t, 1, 0, 1);
	own = curve_of(f, 1, MPC_OWN_TIME, MPC_HOTL);
	c = curve(&alone, 1, MPC_HOTL);
	assert_int_equal(mpc_footprint_accesses(f, 1), alone.n);
	assert_int_equal(mpc_footprint_count(f).shared, 0);
	near("accesses", own.accesses, (double)alone.n, 0);
	assert_int_equal(own.points, c.points);
	assert_memory_equal(own.fp, c.fp, c.points * sizeof(*c.fp));
	mpc_curve_fini(&own);
	own = curve_of(f, 17, MPC_OWN_TIME, MPC_HOTL);
	near("a class that is not there", mpc_curve_miss(&own, 10), 0, 0);
	mpc_curve_fini(&own);
	mpc_curve_fini(&c);
	mpc_footprint_destroy(f);
	free(t.a);
	free(alone.a);
}

struct pattern {
	const char *name;
	uint64_t lines;
	void (*make)(struct accesses *t);
	size_t warm; /* accesses before which LRU's misses are not counted */
	uint64_t size[4];
	double bound;
};

static void
make_zipf(struct accesses *t)
{
	struct zipf z = zipf_new(1000, 0.9);

	for (int i = 0; i < 40000; i++)
		accesses_add(t, 0, zipf_next(&z, t));
	free(z.sum);
}

static void
make_scan(struct accesses *t)
{
	for (uint32_t i = 0; i < 40000; i++)
		accesses_add(t, 0, i);
}

static void
make_loop(struct accesses *t)
{
	for (uint32_t i = 0; i < 100000; i++)
		accesses_add(t, 0, i % 1000);
}

/* A table looked into at random beside a stream, and a loop: as packets and state. */
static void
make_mixed(struct accesses *t)
{
	struct zipf z = zipf_new(4000, 0.8);

	for (uint32_t i = 0; i < 60000; i++) {
		accesses_add(t, 0, zipf_next(&z, t));
		accesses_add(t, 1, 4000 + i % 3000);
		accesses_add(t, 0, 7000 + i / 7 % 200);
	}
	free(z.sum);
}

static void
miss_ratios_are_those_of_lru(void **state)
{
	static const struct pattern pattern[] = {
		{ "zipf", 1000, make_zipf, 0, { 50, 300, 600, 900 }, 0.02 },
		{ "scan", 40000, make_scan, 0, { 1, 10, 1000, 30000 }, 1e-9 },
		{ "loop", 1000, make_loop, 1000, { 10, 500, 990, 1004 }, 1e-9 },
		{ "mixed", 7200, make_mixed, 30000, { 100, 1000, 3000, 6000 }, 0.02 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pattern) / sizeof(pattern[0]); i++) {
		const struct pattern *p = &pattern[i];
		struct accesses t = { .random = 3 };
		struct mpc_curve c, aet;
		struct lru l;

		p->make(&t);
		l = lru_of(&t, p->lines, p->warm);
		c = curve(&t, 1, MPC_HOTL);
		aet = curve(&t, 1, MPC_AET);
		near("lines", c.lines, (double)p->lines, 0.01 * (double)p->lines);
		for (int k = 0; k < 4; k++) {
			double size = (double)p->size[k];

			print_message("%-6s %5.0f lines: LRU %.3f, HOTL %.3f, AET %.3f\n", p->name,
				size, lru_miss(&l, p->size[k]), mpc_curve_miss(&c, size),
				mpc_curve_miss(&aet, size));
			near(p->name, mpc_curve_miss(&c, size), lru_miss(&l, p->size[k]), p->bound);
			near("AET", mpc_curve_miss(&aet, size), lru_miss(&l, p->size[k]),
				p->bound + 0.02);
		}
		mpc_curve_fini(&c);
		mpc_curve_fini(&aet);
		lru_free(&l);
		free(t.a);
	}
}

static void
corun_adds_footprints(void **state)
{
	struct accesses t = { .random = 3 };
	struct mpc_footprint *f;
	struct mpc_curve own[2], whole[2];
	struct mpc_member m[2], w[2];
	struct lru l;

	(void)state;
	make_mixed(&t);
	f = footprint_of(&t, 1, 0, 1);
	l = lru_of(&t, 7200, 30000);
	for (uint32_t k = 0; k < 2; k++) {
		own[k] = curve_of(f, k, MPC_OWN_TIME, MPC_HOTL);
		whole[k] = curve_of(f, k, MPC_TRACE_TIME, MPC_HOTL);
		m[k] = (struct mpc_member){ &own[k], own[k].accesses / (double)t.n, 1, 0, 0 };
		w[k] = (struct mpc_member){ &whole[k], 1, 1, 0, 0 };
	}
	for (uint64_t c = 250; c < 7000; c *= 2) {
		double time = mpc_corun(m, 2, (double)c);

		near("time", time, mpc_corun(w, 2, (double)c), 0.01 * time);
		near("occupied", m[0].lines + m[1].lines, (double)c, 1e-6);
		for (int k = 0; k < 2; k++) {
			double lru = lru_miss_of(l.hits_of[k], l.accesses_of[k], c);

			print_message("%4d lines, class %d: LRU %.3f, composed %.3f, %4.0f lines\n",
				(int)c, k, lru, m[k].miss, m[k].lines);
			near("composed", m[k].miss, lru, 0.03);
			near("in trace time", w[k].miss, lru, 0.03);
		}
	}
	assert_true(isinf(mpc_corun(m, 2, 7200)));
	near("all fits", m[0].miss + m[1].miss, 0, 0);
	near("all is there", m[0].lines, 4200, 50);
	/* Half of the lines in half of the cache: nothing else changes. */
	mpc_corun(w, 2, 3000);
	m[0].share = m[1].share = 0.5;
	mpc_corun(m, 2, 1500);
	near("half", m[1].miss, w[1].miss, 0.01);
	near("half the lines", m[1].lines, w[1].lines / 2, 10);
	for (int k = 0; k < 2; k++) {
		mpc_curve_fini(&own[k]);
		mpc_curve_fini(&whole[k]);
	}
	lru_free(&l);
	mpc_footprint_destroy(f);
	free(t.a);
}

/* How far a sample's curve is off, over the sizes from 1 MiB on: on average, and at worst. */
static void
compare(const struct mpc_curve *c, const struct mpc_curve *all, double *mean, double *worst)
{
	double sum = 0;
	int n = 0;

	for (uint32_t size = 16384; size < 700000; size += size / 5, n++) {
		double off = fabs(mpc_curve_miss(c, size) - mpc_curve_miss(all, size));

		sum += off;
		*worst = fmax(*worst, off);
	}
	*mean += sum / n;
}

/* 800,000 lines, of which one in a hundred is looked at; and a table that has no room for them. */
static void
samples_tell_the_same(void **state)
{
	enum { SEEDS = 4 };
	static const struct {
		double rate;
		uint32_t lines;
		double mean, worst;
	} sample[] = { { 0.1, 0, 0.003, 0.01 }, { 0.01, 0, 0.01, 0.03 }, { 1, 8000, 0.01, 0.03 } };
	struct zipf z = zipf_new(500000, 0.7);
	struct accesses t = { .random = 11 };
	struct mpc_curve all;

	(void)state;
	for (uint32_t i = 0; i < 1500000; i++) {
		accesses_add(&t, 0, zipf_next(&z, &t));
		if (i % 2 == 0)
			accesses_add(&t, 1, 500000 + i / 2 % 300000);
	}
	all = curve(&t, 1, MPC_HOTL);
	for (size_t i = 0; i < sizeof(sample) / sizeof(sample[0]); i++) {
		double mean = 0, worst = 0;

		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			struct mpc_footprint *f =
				footprint_of(&t, sample[i].rate, sample[i].lines, seed);
			struct mpc_curve c = curve_of(f, MPC_TOGETHER, MPC_TRACE_TIME, MPC_HOTL);

			compare(&c, &all, &mean, &worst);
			near("lines", c.lines, all.lines, 0.005 * all.lines);
			assert_int_equal(mpc_footprint_count(f).accesses, t.n);
			assert_true(mpc_footprint_count(f).sampled < t.n / 5);
			if (sample[i].lines > 0)
				assert_true(mpc_footprint_count(f).rate < 8000.0 / 400000);
			mpc_curve_fini(&c);
			mpc_footprint_destroy(f);
		}
		print_message("rate %.3g, %u lines: %.4f off on average, %.4f at worst\n",
			sample[i].rate, sample[i].lines, mean / SEEDS, worst);
		near("sampled, on average", mean / SEEDS, 0, sample[i].mean);
		near("sampled, at worst", worst, 0, sample[i].worst);
	}
	mpc_curve_fini(&all);
	free(z.sum);
	free(t.a);
}

static void
what_is_wrong_is_refused(void **state)
{
	static const double bad[] = { -1, 1.5, 1e-9, NAN, INFINITY };
	struct mpc_access one = { .class = MPC_CLASSES };
	struct mpc_footprint_options o = { .rate = 0 };
	struct mpc_footprint *f = NULL;
	struct nfv_err err = { "" };
	struct mpc_curve c;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		o.rate = bad[i];
		assert_int_equal(mpc_footprint_create(&o, &f, &err), -EINVAL);
		assert_null(f);
		assert_non_null(strstr(err.text, "rate"));
	}
	o.rate = 0;
	assert_int_equal(mpc_footprint_create(&o, &f, &err), 0);
	assert_int_equal(mpc_footprint_add(f, &one, 1, &err), -EINVAL);
	assert_int_equal(mpc_footprint_curve(f, 0, MPC_OWN_TIME, MPC_HOTL, &c, &err), -EINVAL);
	mpc_footprint_end(f);
	one.class = 0;
	assert_int_equal(mpc_footprint_add(f, &one, 1, &err), -EINVAL);
	c = curve_of(f, MPC_TOGETHER, MPC_TRACE_TIME, MPC_HOTL); /* of nothing */
	near("of nothing", mpc_curve_at(&c, 5) + mpc_curve_miss(&c, 5), 0, 0);
	mpc_curve_fini(&c);
	mpc_footprint_destroy(f);
	mpc_footprint_destroy(NULL);
}

/* A line under two classes is told of, and all together are right nevertheless. */
static void
lines_of_two_classes_are_told(void **state)
{
	struct accesses t = { .random = 2 };
	struct mpc_footprint *f;
	struct mpc_curve c;

	(void)state;
	for (int i = 0; i < 200; i++)
		accesses_add(&t, (uint32_t)i & 1, accesses_below(&t, 20));
	f = footprint_of(&t, 1, 0, 1);
	assert_true(mpc_footprint_count(f).shared > 50);
	c = curve_of(f, MPC_TOGETHER, MPC_TRACE_TIME, MPC_HOTL);
	for (size_t w = 1; w <= t.n; w++)
		near("together", mpc_curve_at(&c, (double)w), brute(&t, w, MPC_TOGETHER, 20), 1e-9);
	mpc_curve_fini(&c);
	mpc_footprint_destroy(f);
	free(t.a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_values),
		cmocka_unit_test(inverse_and_slope),
		cmocka_unit_test(all_windows_one_by_one),
		cmocka_unit_test(buckets_cost_what_they_say),
		cmocka_unit_test(own_time_is_being_alone),
		cmocka_unit_test(miss_ratios_are_those_of_lru),
		cmocka_unit_test(corun_adds_footprints),
		cmocka_unit_test(samples_tell_the_same),
		cmocka_unit_test(what_is_wrong_is_refused),
		cmocka_unit_test(lines_of_two_classes_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
