#include "report_run.h"

#include "page.h"

#define SECOND 1000000000ull

static char *
page(const struct report_run *run, const struct report_moment *m, const struct report_series *s)
{
	struct nfv_err err;
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	assert_int_equal(report_html(f, run, m, s, &err), 0);
	fclose(f);
	return text;
}

static void
pages_are_sound(void **state)
{
	struct report_run run = a_run();
	struct report_series *s = calloc(1, sizeof(*s));
	struct stats *now = new_stats(), *before = new_stats();
	struct report_moment m = { 0, 0, now, before };
	char *text;

	(void)state;
	assert_non_null(s);
	for (unsigned int i = 0; i < 20; i++) {
		memcpy(before, now, sizeof(*before));
		/* A second in which nothing happened too. */
		if (i != 7)
			have_calls(now, 500 + i);
		m.before_ns = m.now_ns;
		m.now_ns += SECOND;
		report_series_add(s, &m);
	}
	text = page(&run, &m, s);
	is_sound(text);
	assert_non_null(strstr(text, "timeout recv"));
	assert_non_null(strstr(text, "prefers-color-scheme"));
	assert_null(strstr(text, "fell behind"));
	free(text);
	run.generator_limited = true;
	text = page(&run, &m, s);
	assert_non_null(strstr(text, "fell behind"));
	free(text);
	free(s);
	free(now);
	free(before);
}

static void
hostile_text_is_only_text(void **state)
{
	static char file[2 * 512];
	struct report_param param = { "<b>", "</td><script>alert(1)</script>\x01\xff" };
	struct report_run run = a_run();
	struct report_series *s = calloc(1, sizeof(*s));
	struct stats *now = new_stats(), *zero = new_stats();
	struct report_moment m = { SECOND, 0, now, zero };
	char *text;

	(void)state;
	assert_non_null(s);
	have_calls(now, 100);
	report_series_add(s, &m);
	memset(file, '&', sizeof(file) - 1);
	run.scenario = &run_scenario;
	run_scenario.name = NFV_SV("x</title><script>alert(\"1\")</script>");
	run_scenario.file = file;
	run_scenario.rtd_name[1] = nfv_sv(file, sizeof(file) - 1);
	run_step[0].method_name = NFV_SV("<INVITE onload='x'>");
	run.param = &param;
	run.n_params = 1;
	text = page(&run, &m, s);
	is_sound(text);
	assert_null(strstr(text, "<script"));
	free(text);
	run_scenario.file = "report.xml";
	free(s);
	free(now);
	free(zero);
}

static void
nothing_and_too_much(void **state)
{
	struct report_run run = a_run(), empty = { 0 };
	struct report_series *s = calloc(1, sizeof(*s));
	struct stats *now = new_stats(), *zero = new_stats();
	struct report_moment m = { 0, 0, zero, zero };
	char *text;

	(void)state;
	assert_non_null(s);
	text = page(&empty, &m, s);
	is_sound(text);
	free(text);
	report_series_add(s, &m); /* an interval of no length */
	text = page(&run, &m, s);
	is_sound(text);
	free(text);
	memset(now, 0xff, offsetof(struct stats, latency));
	for (unsigned int i = 0; i < 3; i++)
		hist_add(&now->latency[LATENCY_SDD], i == 0 ? UINT64_MAX : 0);
	m = (struct report_moment){ UINT64_MAX, 0, now, zero };
	report_series_add(s, &m);
	text = page(&run, &m, s);
	is_sound(text);
	free(text);
	free(s);
	free(now);
	free(zero);
}

static void
size_does_not_grow_with_the_run(void **state)
{
	struct report_run run = a_run();
	struct report_series *s = calloc(1, sizeof(*s));
	struct stats *now = new_stats(), *before = new_stats();
	struct report_moment m = { 0, 0, now, before };
	char *text;

	(void)state;
	assert_non_null(s);
	for (unsigned int i = 0; i < 3000; i++) {
		before->created_out = now->created_out;
		now->created_out += 1000 + i * 37 % 101;
		m.before_ns = m.now_ns;
		m.now_ns += SECOND;
		report_series_add(s, &m);
	}
	text = page(&run, &m, s);
	is_sound(text);
	assert_true(strlen(text) < 300000);
	free(text);
	free(s);
	free(now);
	free(before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_sound),
		cmocka_unit_test(hostile_text_is_only_text),
		cmocka_unit_test(nothing_and_too_much),
		cmocka_unit_test(size_does_not_grow_with_the_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
