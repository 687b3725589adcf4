/* Every trial stands in the page and in the file, whatever became of it. */
#include "report_run.h"

#include "page.h"
#include "report_trials.h"

#define SECOND 1000000000ull

static char *
page(const struct report_trials *t)
{
	struct report_run run = a_run();
	struct nfv_err err;
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	assert_int_equal(report_trials_html(f, &run, t, &err), 0);
	fclose(f);
	return text;
}

static unsigned int
count(const char *text, const char *what)
{
	unsigned int n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

/* A search of 9 trials, one of them this program's fault, and a curve of 8 points. */
static const struct report_trials *
a_search(void)
{
	static struct report_trial trial[17];
	static struct report_trials t = { .what = "Session establishment rate (RFC 7502)",
		.unit = "calls",
		.bad = "failed",
		.bad_name = "Failed",
		.searched = true,
		.found = 800,
		.bound = 812.5,
		.complete = true,
		.ns = 100 * SECOND,
		.trial = trial,
		.n = 17 };

	for (unsigned int i = 0; i < t.n; i++) {
		bool limited = i == 4, bad = i % 3 == 2;

		trial[i] = (struct report_trial){ .rate = 1001 + 100.0 * i,
			.achieved = 1001 + 99.0 * i,
			.goodput = bad ? 500 : 1001 + 98.0 * i,
			.good = 10010 + i,
			.bad = bad ? 20020 + i : 0,
			.factor = i >= 9 ? 0.25 * (i - 8) : 0,
			.generator_limited = limited,
			.passed = !bad && !limited };
	}
	return &t;
}

static void
every_trial_stands_in_the_page(void **state)
{
	const struct report_trials *t = a_search();
	char *text = page(t), row[80];

	(void)state;
	is_sound(text);
	for (uint32_t i = 0; i < t->n; i++) {
		snprintf(row, sizeof(row), "<tr><td>%u</td><td>%s", i + 1,
			t->trial[i].factor > 0 ? "" : "search");
		assert_int_equal(count(text, row), 1);
	}
	/* A dot for each trial of the search, and two for what came of each trial. */
	assert_int_equal(count(text, "<circle"), 9 + 2 * 17);
	assert_int_equal(count(text, "<circle class=\"fm\""), 1);
	assert_int_equal(count(text, "<circle class=\"fb\""), 3);
	assert_int_equal(count(text, "<circle class=\"fg\""), 5);
	assert_int_equal(count(text, "generator limited</td>"), 1);
	assert_non_null(strstr(text, "RFC 7502"));
	assert_null(strstr(text, "cut short"));
	free(text);
}

static void
every_trial_is_a_line(void **state)
{
	const struct report_trials *t = a_search();
	char *text = NULL, *line, *rest = NULL;
	unsigned int n = 0, number, passed, limited;
	size_t room = 0;
	FILE *f = open_memstream(&text, &room);

	(void)state;
	assert_non_null(f);
	assert_int_equal(report_trials_csv(f, t), 0);
	fclose(f);
	for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		const struct report_trial *r = &t->trial[n - 1];
		double factor, rate, achieved, goodput;
		unsigned long good, bad, skipped;
		char kind[16];

		assert_int_equal(count(line, ";"), 11);
		if (n++ == 0) {
			assert_non_null(strstr(line, ";Failed;"));
			continue;
		}
		assert_int_equal(sscanf(line, "%u;%15[a-z];%lf;%lf;%lf;%lf;%lu;%lu;%lu;%u;%u;",
					 &number, kind, &factor, &rate, &achieved, &goodput, &good,
					 &bad, &skipped, &limited, &passed),
			11);
		assert_int_equal(number, n - 1);
		assert_string_equal(kind, r->factor > 0 ? "overload" : "search");
		assert_true(rate == r->rate && achieved == r->achieved && goodput == r->goodput);
		assert_int_equal(good, r->good);
		assert_int_equal(bad, r->bad);
		assert_int_equal(limited, r->generator_limited);
		assert_int_equal(passed, r->passed);
	}
	assert_int_equal(n, 1 + t->n);
	free(text);
}

static void
odd_searches_are_told(void **state)
{
	struct report_trials t = *a_search();
	struct report_trial odd[2] = { { .rate = 0 },
		{ .rate = 1e308, .goodput = 1e308, .bad = UINT64_MAX } };
	char *text;

	(void)state;
	t.found = t.bound = 0;
	t.complete = false;
	t.n = 0;
	text = page(&t);
	is_sound(text);
	assert_non_null(strstr(text, "cut short"));
	assert_non_null(strstr(text, "none was proven"));
	free(text);
	t.trial = odd;
	t.n = 2;
	t.limited = true;
	t.bound = 1;
	t.what = "<script>&";
	text = page(&t);
	is_sound(text);
	assert_non_null(strstr(text, "fell behind"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_trial_stands_in_the_page),
		cmocka_unit_test(every_trial_is_a_line),
		cmocka_unit_test(odd_searches_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
