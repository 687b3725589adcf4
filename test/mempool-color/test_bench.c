#define _GNU_SOURCE /* CPU affinity */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "plot.h"

#define COLOURS 4

/* 4 MiB whose pages are said to be of four colours; one in 64 is said to have none. */
struct rig {
	struct mpc_region region;
	struct mpc_map map;
	struct mpc_arena *arena;
	struct bench_options o;
	unsigned int done, all;
};

static void
progress(void *arg, unsigned int done, unsigned int all)
{
	struct rig *g = arg;

	assert_int_equal(done, g->done + 1);
	g->done = done;
	g->all = all;
}

static int
setup(void **state)
{
	struct mpc_cache cache = { .level = 2, .line = 64, .ways = 4, .sets = 256, .shared = 1 };
	struct rig *g = calloc(1, sizeof(*g));

	if (g == NULL || mpc_cache_complete(&cache, NULL) < 0 ||
		mpc_region_create(4 << 20, MPC_PAGES_4K, &g->region, NULL) < 0)
		return -1;
	g->map = (struct mpc_map){ .pages = g->region.pages, .classes = COLOURS };
	g->map.confident = true;
	g->map.colour = malloc(g->map.pages * sizeof(*g->map.colour));
	for (uint32_t i = 0; i < g->map.pages; i++)
		g->map.colour[i] = i % 64 == 7 ? MPC_NO_COLOUR : (uint16_t)(i % COLOURS);
	if (mpc_arena_create(&g->region, &g->map, &g->arena, NULL) < 0)
		return -1;
	g->o = bench_defaults(&cache);
	g->o.arena = g->arena;
	g->o.map = &g->map;
	g->o.depth[0] = 256;
	g->o.depth[1] = 301;
	g->o.depths = 2;
	g->o.repetitions = 3;
	g->o.packets = 70;
	g->o.progress = progress;
	g->o.arg = g;
	*state = g;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *g = *state;

	mpc_arena_destroy(g->arena);
	mpc_region_destroy(&g->region);
	free(g->map.colour);
	free(g);
	return 0;
}

static void
spreads_are_medians_between_extremes(void **state)
{
	double odd[] = { 5, 1, 9 }, even[] = { 4, 1, 2, 8 }, one[] = { 3 };
	struct bench_spread s = bench_spread(odd, 3);

	(void)state;
	assert_true(s.median == 5 && s.min == 1 && s.max == 9);
	s = bench_spread(even, 4);
	assert_true(s.median == 3 && s.min == 1 && s.max == 8);
	s = bench_spread(one, 1);
	assert_true(s.median == 3 && s.min == 3 && s.max == 3);
}

/* Where both slow down together, the ratio of the pairs is steady; that of medians would not be. */
static void
ratios_are_of_pairs(void **state)
{
	const double a[] = { 10, 100, 40 }, b[] = { 5, 50, 10 };
	double ratio[3];
	struct bench_spread s = bench_paired(a, b, 3, ratio);

	(void)state;
	assert_true(s.median == 2 && s.min == 2 && s.max == 4);
	assert_true(a[0] == 10 && b[2] == 10); /* left as they are */
}

static void
memory_grows_as_shares_shrink(void **state)
{
	struct rig *g = *state;
	struct bench_options o = g->o;
	uint64_t half, quarter;

	o.depths = o.shares = 1;
	o.depth[0] = 4096; /* 8 MiB of buffers */
	o.share[0] = 2;
	half = bench_memory(&o);
	o.share[0] = 1;
	quarter = bench_memory(&o);
	assert_in_range(half, 16 << 20, 20 << 20);
	assert_in_range(quarter, 32 << 20, 36 << 20);
	/* The other way round: all but one colour for the buffers leave one for the table. */
	o.share[0] = 3;
	o.table = 16 << 20;
	assert_in_range(bench_memory(&o), 64 << 20, 70 << 20);
	/* Shares that make no sense do no harm. */
	o.share[0] = 0;
	assert_in_range(bench_memory(&o), 24 << 20, 32 << 20);
	o.depth[0] = UINT32_MAX;
	assert_true(bench_memory(&o) > 8ull << 40);
}

static void
refuse(const struct rig *g, const struct bench_options *o, int rc, const char *why)
{
	struct nfv_err err = { "" };
	struct bench_result res = { .rows = 77 };

	assert_int_equal(bench_run(o, &res, &err), rc);
	if (strstr(err.text, why) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", why, err.text);
	assert_int_equal(res.rows, 77);
	assert_int_equal(mpc_arena_usage(g->arena).used, 0);
}

static void
what_cannot_be_measured_is_refused(void **state)
{
	struct rig *g = *state;
	struct mpc_map few = g->map;
	struct bench_options o;

#define REFUSE(change, rc, why)                                                                    \
	do {                                                                                       \
		o = g->o;                                                                          \
		change;                                                                            \
		refuse(g, &o, rc, why);                                                            \
	} while (0)
	REFUSE(o.packets = 0, -EINVAL, "nothing to measure");
	REFUSE(o.repetitions = 0, -EINVAL, "nothing to measure");
	REFUSE(o.lookups = 0, -EINVAL, "0 look-ups");
	REFUSE(o.table = 63, -EINVAL, "63 bytes");
	REFUSE(o.lines = 0, -EINVAL, "1 to 32");
	REFUSE(o.lines = 33, -EINVAL, "1 to 32");
	REFUSE(o.cases = 0, -EINVAL, "no case");
	REFUSE(o.cases = 1u << BENCH_CASES, -EINVAL, "no case");
	REFUSE(o.depths = 0, -EINVAL, "0 depths");
	REFUSE(o.depths = BENCH_DEPTHS + 1, -EINVAL, "9 depths");
	REFUSE(o.shares = 0, -EINVAL, "0 shares");
	REFUSE(o.depth[1] = 255, -EINVAL, "at least 256");
	REFUSE(o.share[0] = 0, -EINVAL, "give 1 to 3");
	REFUSE(o.share[0] = COLOURS, -EINVAL, "give 1 to 3");
	REFUSE(o.cpu = 100000, -EINVAL, "CPU 100000");
	REFUSE(o.helper = 100000, -EINVAL, "CPU 100000");
	REFUSE(o.table = 5 << 20, -ENOSPC, "smaller table");
	REFUSE(o.depth[0] = 600, -ENOSPC, "with 1 of 4 colours");
	REFUSE(o.depth[0] = UINT32_MAX, -ENOSPC, "give a region");
	few.classes = 1;
	REFUSE(o.map = &few, -EINVAL, "1 colours");
	few.classes = 3;
	REFUSE(o.map = &few, -EINVAL, "3 colours");
#undef REFUSE
	assert_int_equal(g->done, 0);
}

static void
check_arms(const struct bench_result *r, const struct bench_row *row)
{
	unsigned int rivals = row->which == BENCH_RETENTION ? 2 : 1;

	assert_int_equal(row->arms, 1 + rivals + r->options.shares);
	assert_int_equal(row->first_static, 1 + rivals);
	assert_in_range(row->best, row->first_static, row->arms - 1);
	assert_string_equal(row->arm[0].name, "off");
	assert_true(row->arm[0].ratio.min == 1 && row->arm[0].ratio.max == 1);
	assert_string_equal(row->arm[1].name, "even");
	for (unsigned int i = 0; i < row->arms; i++) {
		const struct bench_arm *a = &row->arm[i];

		assert_true(a->cycles.min > 0 && a->cycles.min <= a->cycles.median &&
			a->cycles.median <= a->cycles.max);
		assert_true(a->pps.min > 0 && a->pps.min <= a->pps.median &&
			a->pps.median <= a->pps.max);
		assert_true(a->ratio.min <= a->ratio.median && a->ratio.median <= a->ratio.max);
		assert_true(a->ratio.median <= row->arm[row->best].ratio.median ||
			i < row->first_static);
		assert_int_equal(a->colours,
			i < row->first_static ? 0 : r->options.share[i - row->first_static]);
	}
}

/* Enough of XML to see that every tag ends and nothing is unescaped. */
static void
check_xml(const char *s)
{
	unsigned int open = 0, tags = 0;
	bool opened = false;

	assert_non_null(strstr(s, "<svg "));
	while (*s != '\0') {
		bool closes, text;

		if (*s == '&')
			assert_true(s[1] == '#');
		if (*s != '<') {
			assert_int_not_equal(*s++, '>');
			continue;
		}
		closes = s[1] == '/';
		text = s[1] == '?';
		for (s++; *s != '>'; s++) {
			assert_true(*s != '\0' && *s != '<');
			if (*s == '"')
				for (s++; *s != '"'; s++)
					assert_true(*s != '\0' && *s != '<' && *s != '&');
		}
		if (closes)
			assert_true(open-- > 0);
		else if (!text && s[-1] != '/')
			open++;
		opened |= open > 0;
		tags++;
		s++;
	}
	assert_true(opened);
	assert_int_equal(open, 0);
	assert_true(tags > 10);
}

/* What a writer writes, as text to be freed. */
static char *
written(void (*write)(const struct bench_result *, FILE *), const struct bench_result *r)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	write(r, f);
	fclose(f);
	return text;
}

static double
number(json_t *j, const char *name)
{
	assert_true(json_is_number(json_object_get(j, name)));
	return json_number_value(json_object_get(j, name));
}

static void
check_json(const struct bench_result *r)
{
	json_t *j = bench_json(r), *cases = json_object_get(j, "cases"), *l2, *options;

	assert_non_null(j);
	l2 = json_object_get(j, "l2");
	assert_true(number(l2, "size") == 65536 && number(l2, "ways") == 4);
	assert_true(number(l2, "colours") == COLOURS && number(j, "cpu") >= 0);
	options = json_object_get(j, "options");
	assert_true(number(options, "table_bytes") == 49152 && number(options, "packets") == 70);
	assert_int_equal(json_array_size(json_object_get(options, "depths")), 2);
	assert_int_equal(json_array_size(cases), r->rows);
	for (unsigned int i = 0; i < r->rows; i++) {
		json_t *c = json_array_get(cases, i), *off = json_object_get(c, "off"), *s;

		assert_string_equal(json_string_value(json_object_get(c, "name")),
			bench_case_name(r->row[i].which));
		assert_true(number(c, "depth") == r->row[i].depth);
		if (r->row[i].skipped[0] != '\0') {
			assert_true(json_is_string(json_object_get(c, "skipped")) && off == NULL);
			continue;
		}
		assert_true(number(off, "min") <= number(off, "median"));
		assert_true(number(off, "median") <= number(off, "max"));
		s = json_object_get(c, "static");
		assert_int_equal(json_array_size(s), r->options.shares);
		assert_true(number(json_array_get(s, 1), "colours") == 2);
		assert_true(number(json_array_get(s, 1), "ratio") > 0);
		assert_int_equal(json_array_size(json_object_get(c, "rivals")),
			r->row[i].which == BENCH_RETENTION ? 2 : 1);
		assert_true(number(c, "ratio") >= number(json_array_get(s, 0), "ratio"));
		assert_true(number(c, "best_share") >= 1);
	}
	json_decref(j);
}

static void
check_shown(const struct bench_result *r, const char *has)
{
	char *table = written(bench_table, r), *svg = written(bench_svg, r);

	assert_non_null(strstr(table, has));
	assert_non_null(strstr(table, "same-core"));
	assert_non_null(strstr(svg, "same-core"));
	check_xml(svg);
	check_json(r);
	free(table);
	free(svg);
}

static void
a_run_measures_all_cases(void **state)
{
	struct rig *g = *state;
	struct nfv_err err = { "" };
	struct bench_result *r = calloc(1, sizeof(*r));
	cpu_set_t before, after;

	assert_non_null(r);
	sched_getaffinity(0, sizeof(before), &before);
	if (bench_run(&g->o, r, &err) < 0)
		fail_msg("%s", err.text);
	sched_getaffinity(0, sizeof(after), &after);
	assert_true(CPU_EQUAL(&before, &after));
	assert_int_equal(mpc_arena_usage(g->arena).used, 0);
	assert_int_equal(r->rows, 6);
	assert_int_equal(g->done, g->all);
	assert_int_equal(g->all, CPU_COUNT(&before) > 1 ? 18 : 12);
	assert_true(r->tsc_hz > 1e6 && r->confident);
	for (unsigned int i = 0; i < r->rows; i++) {
		assert_int_equal(r->row[i].depth, i % 2 == 0 ? 256 : 301);
		if (r->row[i].skipped[0] == '\0')
			check_arms(r, &r->row[i]);
	}
	check_shown(r, "retention, 301 buffers: with ");
	free(r);
}

static void
without_another_cpu_its_case_is_skipped(void **state)
{
	struct rig *g = *state;
	struct bench_result *r = calloc(1, sizeof(*r));
	cpu_set_t before, one;
	int cpu = sched_getcpu();

	assert_non_null(r);
	g->o.cases = 1u << BENCH_SAME_CORE | 1u << BENCH_OTHER_CORE;
	sched_getaffinity(0, sizeof(before), &before);
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(bench_run(&g->o, r, NULL), 0);
	sched_setaffinity(0, sizeof(before), &before);
	assert_int_equal(r->rows, 4);
	assert_int_equal(r->options.helper, -1);
	assert_int_equal(g->done, 6);
	assert_int_equal(r->row[1].skipped[0], '\0');
	assert_string_not_equal(r->row[2].skipped, "");
	check_shown(r, "skipped: there is no other CPU");
	free(r);
}

static void
verdicts_need_nine_pairs_in_ten(void **state)
{
	struct bench_result r = { .options = { .repetitions = 11 } };
	struct bench_arm a = { .won = 10 };

	(void)state;
	assert_string_equal(bench_verdict(&r, &a), "gains");
	a.won = 9;
	assert_string_equal(bench_verdict(&r, &a), "undecided");
	a.won = 2;
	assert_string_equal(bench_verdict(&r, &a), "undecided");
	a.won = 1;
	assert_string_equal(bench_verdict(&r, &a), "loses");
}

static void
ticks_are_round(void **state)
{
	struct plot_scale s = { .lo = 0, .hi = 2.5, .from = 100, .to = 0 };
	double t[PLOT_TICKS];

	(void)state;
	assert_int_equal(plot_ticks(&s, 8, t), 6);
	assert_true(t[0] == 0 && t[1] == 0.5 && t[5] == 2.5);
	assert_true(plot_at(&s, 0) == 100 && plot_at(&s, 2.5) == 0);
	s = (struct plot_scale){ .lo = -3, .hi = 47 };
	assert_int_equal(plot_ticks(&s, 5, t), 5);
	assert_true(t[0] == 0 && t[4] == 40);
	s = (struct plot_scale){ .lo = 3, .hi = 300, .to = 1, .log = true };
	assert_int_equal(plot_ticks(&s, 8, t), 6);
	assert_true(t[0] == 5 && t[1] == 10 && t[5] == 200);
	assert_true(plot_at(&s, 30) > 0.49 && plot_at(&s, 30) < 0.51);
	s = (struct plot_scale){ .lo = 1e-9, .hi = 1e9, .log = true };
	assert_int_equal(plot_ticks(&s, 8, t), PLOT_TICKS);
	s = (struct plot_scale){ .lo = 1, .hi = 1 };
	assert_int_equal(plot_ticks(&s, 8, t), 0);
}

static void
pictures_escape_their_text(void **state)
{
	struct plot_scale y = { .lo = 0, .hi = 1, .from = 90, .to = 10 };
	struct plot_scale x = { .lo = 0, .hi = 1, .from = 10, .to = 90 };
	char *text = NULL, hue[8], other[8];
	size_t n;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	assert_non_null(f);
	plot_open(f, 100, 100, "a < b & c > d");
	plot_axis_y(f, &y, 10, 90, "<y>");
	plot_axis_x(f, &x, 10, 90, "x & \"x\"");
	plot_whisker(f, &y, 50, -1, 2, PLOT_INK);
	plot_dot(f, 50, plot_at(&y, 0.5), 3, plot_hue(3, hue));
	plot_close(f);
	fclose(f);
	check_xml(text);
	assert_non_null(strstr(text, "&#60;y&#62;"));
	assert_int_equal(strlen(hue), 7);
	assert_string_not_equal(hue, plot_hue(4, other));
	assert_string_equal(plot_colour(0), plot_colour(7));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spreads_are_medians_between_extremes),
		cmocka_unit_test(ratios_are_of_pairs),
		cmocka_unit_test_setup_teardown(memory_grows_as_shares_shrink, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_cannot_be_measured_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_run_measures_all_cases, setup, teardown),
		cmocka_unit_test_setup_teardown(
			without_another_cpu_its_case_is_skipped, setup, teardown),
		cmocka_unit_test(verdicts_need_nine_pairs_in_ten),
		cmocka_unit_test(ticks_are_round),
		cmocka_unit_test(pictures_escape_their_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
