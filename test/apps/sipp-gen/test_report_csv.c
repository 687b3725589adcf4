#include "report_run.h"

#include <unistd.h>

#define SECOND 1000000000ull
#define FIELDS 128

static char *
csv(const struct report_run *run, const struct report_moment *m)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	assert_int_equal(m == NULL ? report_csv_names(f, run) : report_csv_line(f, run, m), 0);
	fclose(f);
	return text;
}

/* Where fields begin; each ends with a semicolon. */
static unsigned int
split(char *line, char *field[FIELDS])
{
	unsigned int n = 0;

	for (char *end; (end = strchr(line, ';')) != NULL; line = end + 1) {
		*end = '\0';
		assert_true(n < FIELDS);
		field[n++] = line;
	}
	assert_string_equal(line, "\n");
	return n;
}

struct table {
	char *text[2], *name[FIELDS], *value[FIELDS];
	unsigned int n;
};

static void
make_table(struct table *t, const struct report_run *run, const struct report_moment *m)
{
	t->text[0] = csv(run, NULL);
	t->text[1] = csv(run, m);
	t->n = split(t->text[0], t->name);
	assert_int_equal(split(t->text[1], t->value), t->n);
}

static void
drop_table(struct table *t)
{
	free(t->text[0]);
	free(t->text[1]);
}

static const char *
get(const struct table *t, const char *name)
{
	for (unsigned int i = 0; i < t->n; i++)
		if (strcmp(t->name[i], name) == 0)
			return t->value[i];
	fail_msg("no column %s", name);
	return NULL;
}

static void
names_are_those_of_sipp(void **state)
{
	char dir[] = "/tmp/sipp-report-XXXXXX", path[64], command[512];
	struct report_run run = a_run();
	char *ours = csv(&run, NULL), *theirs = NULL;
	size_t room = 0;
	FILE *f;

	(void)state;
	if (system("command -v sipp timeout >/dev/null 2>&1") != 0) {
		free(ours);
		skip();
	}
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x.xml", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(run_xml, f);
	assert_int_equal(fclose(f), 0);
	snprintf(command, sizeof(command),
		"cd %s && timeout 20 sipp -sf x.xml 127.0.0.1:9 -i 127.0.0.1 -m 1 -trace_stat "
		"-stf stat.csv -fd 1 </dev/null >out 2>&1",
		dir);
	/* What becomes of its call is no matter: the names are written first. */
	if (system(command) == -1)
		fail();
	snprintf(path, sizeof(path), "%s/stat.csv", dir);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(getline(&theirs, &room, f) > 0);
	fclose(f);
	assert_string_equal(ours, theirs);
	free(ours);
	free(theirs);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

static void
values_are_of_interval_and_run(void **state)
{
	struct report_run run = a_run();
	struct stats *now = new_stats(), *before = new_stats();
	struct report_moment m = { 5 * SECOND / 2, SECOND / 2, now, before };
	struct table t;

	(void)state;
	setenv("TZ", "UTC", 1);
	have_calls(before, 1000);
	have_calls(now, 1000);
	have_calls(now, 4000);
	make_table(&t, &run, &m);
	assert_string_equal(get(&t, "StartTime"), "2023-11-14\t22:13:20.250000\t1700000000.250000");
	assert_string_equal(
		get(&t, "LastResetTime"), "2023-11-14\t22:13:20.750000\t1700000000.750000");
	assert_string_equal(
		get(&t, "CurrentTime"), "2023-11-14\t22:13:22.750000\t1700000002.750000");
	assert_string_equal(get(&t, "ElapsedTime(P)"), "00:00:02");
	assert_string_equal(get(&t, "TargetRate"), "1000");
	assert_string_equal(get(&t, "CallRate(P)"), "2000");
	assert_string_equal(get(&t, "CallRate(C)"), "2000");
	assert_string_equal(get(&t, "OutgoingCall(P)"), "4000");
	assert_string_equal(get(&t, "OutgoingCall(C)"), "5000");
	assert_string_equal(get(&t, "TotalCallCreated"), "5000");
	assert_string_equal(get(&t, "FailedCall(P)"), "40");
	assert_string_equal(get(&t, "FailedTimeoutOnRecv(C)"), "34");
	assert_string_equal(get(&t, "FailedUnexpectedMessage(C)"), "16");
	assert_string_equal(get(&t, "FailedCallRejected(C)"), "0");
	assert_string_equal(get(&t, "GenericCounter1(P)"), "4000");
	assert_string_equal(get(&t, "GenericCounter2(C)"), "5000");
	assert_memory_equal(get(&t, "ResponseTimesetup(C)"), "00:00:00:0", 10);
	drop_table(&t);
	free(now);
	free(before);
}

static void
repartitions_count_every_call(void **state)
{
	static const uint64_t ms[] = { 0, 1, 9, 11, 49, 51, 199, 201, 5000000000 };
	struct report_run run = a_run();
	struct stats *now = new_stats(), *zero = new_stats();
	struct report_moment m = { SECOND, 0, now, zero };
	struct table t;

	(void)state;
	for (unsigned int i = 0; i < sizeof(ms) / sizeof(ms[0]); i++)
		hist_add(&now->rtd[1], ms[i] * 1000000);
	make_table(&t, &run, &m);
	assert_string_equal(get(&t, "ResponseTimeRepartitionsetup"), "");
	assert_string_equal(get(&t, "ResponseTimeRepartitionsetup_<10"), "3");
	assert_string_equal(get(&t, "ResponseTimeRepartitionsetup_<50"), "2");
	assert_string_equal(get(&t, "ResponseTimeRepartitionsetup_<200"), "2");
	assert_string_equal(get(&t, "ResponseTimeRepartitionsetup_>=200"), "2");
	assert_string_equal(get(&t, "ResponseTimeRepartition2_>=200"), "0");
	drop_table(&t);
	free(now);
	free(zero);
}

static void
hostile_names_and_huge_numbers_keep_the_columns(void **state)
{
	struct report_run run = a_run(), empty = { 0 };
	struct stats *now = new_stats(), *zero = new_stats();
	struct report_moment m = { UINT64_MAX, 0, now, zero };
	struct table t;

	(void)state;
	run_scenario.rtd_name[1] = NFV_SV("a;b\nc\xff");
	memset(now, 0xff, offsetof(struct stats, latency));
	run.start.tv_sec = INT64_MAX / 4;
	make_table(&t, &run, &m);
	get(&t, "ResponseTimea_b?c?(P)");
	assert_string_equal(get(&t, "OutgoingCall(C)"), "18446744073709551615");
	drop_table(&t);
	m.now_ns = 0;
	m.now = zero;
	make_table(&t, &empty, &m);
	assert_string_equal(get(&t, "CallRate(C)"), "0");
	drop_table(&t);
	free(now);
	free(zero);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_those_of_sipp),
		cmocka_unit_test(values_are_of_interval_and_run),
		cmocka_unit_test(repartitions_count_every_call),
		cmocka_unit_test(hostile_names_and_huge_numbers_keep_the_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
