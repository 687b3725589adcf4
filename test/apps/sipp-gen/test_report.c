#include "report_run.h"

#include <jansson.h>

#define SECOND 1000000000ull

static json_t *
summary(const struct report_run *run, const struct report_moment *m)
{
	struct nfv_err err;
	json_error_t where;
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	json_t *o;

	assert_non_null(f);
	assert_int_equal(report_json(f, run, m, &err), 0);
	fclose(f);
	o = json_loads(text, JSON_REJECT_DUPLICATES, &where);
	assert_non_null(o);
	free(text);
	return o;
}

static double
number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_number(v))
		fail_msg("%s is no number", key);
	return json_number_value(v);
}

static void
json_has_its_keys_and_adds_up(void **state)
{
	static const char *const key[] = { "program", "version", "scenario", "file", "roles",
		"local", "remote", "load", "start", "elapsed_s", "workers", "parameters",
		"warnings", "attempts", "attempts_out", "attempts_in", "successful", "failed",
		"open", "open_max", "success_ratio", "causes", "closed_loop", "users",
		"target_rate", "offered", "offered_rate", "skipped", "limited", "sent",
		"achieved_rate", "answered", "generator_limited", "messages_sent",
		"messages_received", "retransmissions", "absorbed", "reordered", "out_of_call",
		"dead_call", "unexpected", "timeouts", "auto_answered", "garbage", "call_warnings",
		"fatal", "on_purpose", "frames", "loopback_floor_us", "latency_us",
		"response_time_us", "call_length_us", "steps" };
	struct report_run run = a_run();
	struct stats *now = new_stats(), *zero = new_stats();
	struct report_moment m = { 10 * SECOND, 9 * SECOND, now, zero };
	const char *name;
	json_t *o, *v;
	double sum = 0;

	(void)state;
	have_calls(now, 10000);
	o = summary(&run, &m);
	for (unsigned int i = 0; i < sizeof(key) / sizeof(key[0]); i++)
		if (json_object_get(o, key[i]) == NULL)
			fail_msg("no %s", key[i]);
	assert_int_equal(json_object_size(o), sizeof(key) / sizeof(key[0]));
	json_object_foreach(json_object_get(o, "causes"), name, v) sum += json_number_value(v);
	assert_int_equal(json_object_size(json_object_get(o, "causes")), 2);
	assert_true(sum == number(o, "failed"));
	assert_true(number(o, "failed") == 100);
	assert_true(number(o, "attempts") ==
		number(o, "successful") + number(o, "failed") + number(o, "open"));
	assert_true(number(o, "offered") == number(o, "sent") + number(o, "skipped"));
	assert_true(number(o, "achieved_rate") == 1000);
	assert_true(number(o, "answered") == 10000 - 67);
	assert_true(number(o, "loopback_floor_us") == 12);
	v = json_object_get(json_object_get(o, "latency_us"), "srd");
	assert_true(number(v, "n") == 10000);
	assert_true(number(v, "p50") <= number(v, "p90") && number(v, "p90") <= number(v, "p99") &&
		number(v, "p99") <= number(v, "p999") && number(v, "p999") <= number(v, "max"));
	assert_true(json_is_null(
		json_object_get(json_object_get(json_object_get(o, "latency_us"), "rrd"), "p99")));
	assert_non_null(json_object_get(json_object_get(o, "response_time_us"), "setup"));
	assert_non_null(json_object_get(json_object_get(o, "response_time_us"), "2"));
	assert_int_equal(json_array_size(json_object_get(o, "steps")), run_scenario.n_steps);
	json_decref(o);
	free(now);
	free(zero);
}

static void
json_of_nothing_and_of_too_much(void **state)
{
	struct report_run run = a_run(), empty = { 0 };
	struct stats *s = new_stats(), *zero = new_stats();
	struct report_moment m = { 0, 0, zero, zero };
	struct report_param param = { "a\xff\x01", "\xc3\xa9<&\"" };
	json_t *o = summary(&empty, &m);

	(void)state;
	assert_true(number(o, "failed") == 0);
	assert_true(number(o, "achieved_rate") == 0);
	assert_true(json_is_null(json_object_get(o, "success_ratio")));
	assert_true(json_is_null(json_object_get(o, "loopback_floor_us")));
	assert_true(json_is_false(json_object_get(o, "closed_loop")));
	assert_true(json_is_null(json_object_get(o, "users")));
	json_decref(o);
	run.users = 40;
	run.warning = &(struct nfv_err){ "ports <run> out" };
	run.n_warnings = 1;
	o = summary(&run, &m);
	assert_true(json_is_true(json_object_get(o, "closed_loop")));
	assert_true(number(o, "users") == 40);
	assert_string_equal(json_string_value(json_array_get(json_object_get(o, "warnings"), 0)),
		"ports <run> out");
	assert_true(json_is_null(json_object_get(o, "target_rate")));
	json_decref(o);
	memset(s, 0xff, offsetof(struct stats, latency));
	run.users = 0;
	run.target_rate = 1e308 * 10;
	run.param = &param;
	run.n_params = 1;
	run_scenario.name = NFV_SV("a\xed\xa0\x80z");
	m = (struct report_moment){ 1, 0, s, zero };
	o = summary(&run, &m);
	assert_true(json_integer_value(json_object_get(o, "offered")) == INT64_MAX);
	assert_true(json_is_null(json_object_get(o, "target_rate")));
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(o, "parameters"), "a\xef\xbf\xbd\xef\xbf\xbd")),
		"\xc3\xa9<&\"");
	json_decref(o);
	free(s);
	free(zero);
}

static void
merge_adds_up_and_agrees_with_itself(void **state)
{
	struct stats *a = new_stats(), *b = new_stats(), *sum = new_stats();

	(void)state;
	have_calls(a, 1000);
	have_calls(b, 500);
	b->failed++; /* seen between two increments */
	b->step[SCENARIO_STEPS - 1].lost = 7;
	stats_merge(sum, a);
	stats_merge(sum, b);
	assert_int_equal(sum->created_out, 1500);
	assert_int_equal(sum->failed, 15);
	assert_int_equal(sum->rtd[2].n, 1500);
	assert_int_equal(sum->step[0].messages, 1500);
	assert_int_equal(sum->step[SCENARIO_STEPS - 1].lost, 7);
	for (unsigned int i = 0; i < CAUSES; i++)
		assert_non_null(cause_name[i]);
	free(a);
	free(b);
	free(sum);
}

/* Intervals of growing numbers: whatever the series' length, nothing gets lost. */
static void
series_keeps_the_totals(void **state)
{
	static const uint32_t length[] = { 1, 2, 599, 600, 601, 1200, 1201, 5000 };
	struct report_series *s = calloc(1, sizeof(*s));
	struct stats *now = new_stats(), *before = new_stats();

	(void)state;
	assert_non_null(s);
	for (unsigned int k = 0; k < sizeof(length) / sizeof(length[0]); k++) {
		uint64_t attempts = 0, failed = 0, srd = 0, highest = 0;

		memset(s, 0, sizeof(*s));
		memset(now, 0, sizeof(*now));
		memset(before, 0, sizeof(*before));
		for (uint32_t i = 0; i < length[k]; i++) {
			struct report_moment m = { (i + 1) * SECOND, i * SECOND, now, before };

			before->created_in = now->created_in;
			before->cause[CAUSE_TEST] = now->cause[CAUSE_TEST];
			now->created_in += i;
			now->cause[CAUSE_TEST] += i / 2;
			now->open = i;
			if (i == 0 || i % 100 == 0) {
				before->latency[LATENCY_SRD] = now->latency[LATENCY_SRD];
				hist_add(&now->latency[LATENCY_SRD], 1000 + i);
				report_series_add(s, &m);
				before->latency[LATENCY_SRD] = now->latency[LATENCY_SRD];
			} else {
				report_series_add(s, &m);
			}
		}
		assert_in_range(s->n, 1, REPORT_POINTS);
		assert_true(length[k] < REPORT_POINTS || s->n >= REPORT_POINTS / 2);
		for (uint32_t i = 0; i < s->n; i++) {
			const struct report_point *p = &s->point[i];

			attempts += p->attempts;
			failed += p->failed;
			srd += p->n[LATENCY_SRD];
			highest = p->open > highest ? p->open : highest;
			assert_true(p->from_ns == (i > 0 ? s->point[i - 1].to_ns : 0));
		}
		assert_int_equal(attempts, now->created_in);
		assert_int_equal(failed, now->cause[CAUSE_TEST]);
		assert_int_equal(srd, now->latency[LATENCY_SRD].n);
		assert_int_equal(highest, length[k] - 1);
		assert_true(s->point[s->n - 1].to_ns == length[k] * SECOND);
	}
	/* The rest of a second is no point of its own. */
	report_series_add(
		s, &(struct report_moment){ 5000 * SECOND + 1000, 5000 * SECOND, now, before });
	assert_true(s->point[s->n - 1].to_ns - s->point[s->n - 1].from_ns > SECOND);
	free(s);
	free(now);
	free(before);
}

static char *
drawn(struct report_live *l, const struct report_run *run, const struct report_moment *m)
{
	char *text = NULL;
	size_t n = 0;

	l->to = open_memstream(&text, &n);
	assert_non_null(l->to);
	assert_int_equal(report_live(l, run, m), 0);
	fclose(l->to);
	return text;
}

/* The longest line on the screen, escape sequences apart, and how many there are. */
static size_t
widest(const char *text, unsigned int *lines)
{
	size_t most = 0, at = 0;

	*lines = 0;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\033') {
			p += strcspn(p, "mKJA");
		} else if (*p == '\n') {
			most = at > most ? at : most;
			at = 0;
			++*lines;
		} else if (*p != '\r') {
			assert_in_range(*p, 0x20, 0x7e);
			at++;
		}
	}
	return most;
}

static void
live_fits_its_terminal(void **state)
{
	static const uint16_t size[][2] = { { 80, 24 }, { 40, 10 }, { 1, 1 }, { 300, 200 },
		{ 80, 3 } };
	struct report_run run = a_run();
	struct stats *now = new_stats(), *zero = new_stats();
	struct report_moment m = { 10 * SECOND, 9 * SECOND, now, zero };

	(void)state;
	have_calls(now, 10000);
	for (unsigned int i = 0; i < CAUSES; i++)
		now->cause[i] = UINT64_MAX / 64;
	run.generator_limited = true;
	run_scenario.name = NFV_SV("\033]0;title\007\xc2\x9b");
	for (unsigned int i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		struct report_live l = { .terminal = true, .colour = i % 2 == 0 };
		unsigned int lines;

		l.columns = size[i][0];
		l.rows = size[i][1];
		for (unsigned int k = 0; k < 2; k++) {
			char *text = drawn(&l, &run, &m);

			assert_true(widest(text, &lines) <= l.columns);
			assert_true(lines < l.rows || l.rows <= 1);
			assert_int_equal(lines, l.drawn);
			assert_int_equal(strstr(text, "\033[3") != NULL, l.colour && lines > 1);
			assert_null(strstr(text, "\033]"));
			free(text);
		}
	}
	free(now);
	free(zero);
}

static void
live_is_a_line_without_terminal(void **state)
{
	struct report_run run = a_run();
	struct stats *now = new_stats(), *zero = new_stats();
	struct report_moment m = { 10 * SECOND, 9 * SECOND, now, zero };
	FILE *f = tmpfile();
	struct report_live l;
	char *text;

	(void)state;
	assert_non_null(f);
	report_live_init(&l, f);
	assert_false(l.terminal || l.colour);
	fclose(f);
	have_calls(now, 10000);
	text = drawn(&l, &run, &m);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_null(strchr(text, '\033'));
	assert_non_null(strstr(text, "begun 10000/s"));
	assert_non_null(strstr(text, "(rejected 33, timeout_recv 67)"));
	free(text);
	m = (struct report_moment){ 0, 0, zero, zero };
	text = drawn(&l, &run, &m);
	assert_non_null(strstr(text, "0 failed"));
	free(text);
	free(now);
	free(zero);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_has_its_keys_and_adds_up),
		cmocka_unit_test(json_of_nothing_and_of_too_much),
		cmocka_unit_test(merge_adds_up_and_agrees_with_itself),
		cmocka_unit_test(series_keeps_the_totals),
		cmocka_unit_test(live_fits_its_terminal),
		cmocka_unit_test(live_is_a_line_without_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
