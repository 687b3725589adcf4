/* From a trace to a plan: predictions against a simulated cache, what is refused, what is written. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "accesses.h"
#include "mpc_plan_file.h"
#include "plan_report.h"

#define COLOURS 16
#define TABLE   200 /* pages */
#define STREAM  600
#define STATE   40

static char file[] = "/tmp/test_plan_report.XXXXXX";

/* 1 MiB of 16 ways. */
static struct plan_machine
machine(void)
{
	struct plan_machine m = { .cache = { .level = 2, .line = 64, .ways = 16, .sets = 1024 },
		.sockets = 1,
		.miss = 1,
		.worthwhile = 0.02 };

	m.cache.type = MPC_CACHE_UNIFIED;
	assert_int_equal(mpc_cache_complete(&m.cache, NULL), 0);
	return m;
}

static void
write_trace(const struct accesses *t, uint64_t hz, const struct plan_machine *m)
{
	static const char *const name[] = { "edge/table", "edge/packets", "peer/state", "other",
		"edge/idle" };
	struct mpc_trace_info info = { .line = 64, .classes = 5, .hz = hz };
	struct mpc_trace_writer *w = NULL;
	struct mpc_recorder *r = NULL;
	struct nfv_err err = { "" };

	for (int i = 0; i < 5; i++)
		strcpy(info.class[i].name, name[i]);
	info.class[1].pages = STREAM;
	info.class[4].pages = 7;
	if (m != NULL) {
		info.caches.n = 1;
		info.caches.cache[0] = m->cache;
	}
	assert_int_equal(mpc_recorder_create(4, 64, &r, &err), 0);
	assert_int_equal(mpc_trace_create(file, &info, r, UINT64_MAX, &w, &err), 0);
	for (size_t i = 0; i < t->n; i++) {
		mpc_record(r, t->a[i].class, t->a[i].line << 6, 1 + i);
		mpc_trace_drain(w);
	}
	mpc_recorder_stop(r);
	assert_int_equal(mpc_trace_finish(w, NULL, &err), 0);
	mpc_recorder_destroy(r);
}

/* A table looked into by Zipf, packets that stream, a state that is hot, and what has no place. */
static struct accesses
mixed(uint32_t packets)
{
	struct accesses t = { .random = 9 };
	struct zipf z = zipf_new(TABLE * 64, 0.7);

	for (uint32_t i = 0; i < packets; i++) {
		for (int k = 0; k < 3; k++)
			accesses_add(&t, 0, 1 << 20 | zipf_next(&z, &t) * 7919u % (TABLE * 64));
		for (uint32_t k = 0; k < 6; k++)
			accesses_add(&t, 1, 2 << 20 | (i * 6 + k) % (STREAM * 64));
		accesses_add(&t, 2, 3 << 20 | accesses_below(&t, STATE * 64));
		if (i % 20 == 0)
			accesses_add(&t, 3, 4 << 20);
	}
	free(z.sum);
	return t;
}

static int
setup(void **state)
{
	struct plan_machine m = machine();
	struct plan_report_options o = { .simulate = true };
	struct plan_report *r = calloc(1, sizeof(*r));
	struct nfv_err err = { "" };
	struct accesses t = mixed(30000);
	int fd = mkstemp(file);

	if (fd < 0 || r == NULL)
		return -1;
	close(fd);
	write_trace(&t, 100000, &m);
	free(t.a);
	*state = r;
	if (plan_report_make(file, &m, &o, r, &err) == 0)
		return 0;
	print_error("%s\n", err.text);
	return -1;
}

static int
teardown(void **state)
{
	plan_report_fini(*state);
	free(*state);
	unlink(file);
	return 0;
}

static void
demands(void **state)
{
	const struct plan_report *r = *state;

	assert_int_equal(r->classes, 4); /* not "other" */
	assert_string_equal(r->class[0].name, "edge/table");
	assert_int_equal(r->class[0].pages, TABLE);  /* seen */
	assert_int_equal(r->class[1].pages, STREAM); /* told */
	assert_int_equal(r->class[3].pages, 7);      /* told, never touched */
	assert_int_equal(r->class_accesses[3], 0);
	assert_int_equal(r->class[0].flow, r->class[1].flow);
	assert_int_equal(r->class[0].flow, r->class[3].flow);
	assert_int_not_equal(r->class[0].flow, r->class[2].flow);
	assert_int_equal(r->other, 1500);
	assert_int_equal(r->accesses, 301500);
	assert_true(fabs(r->seconds - 3.015) < 0.001);
	assert_true(fabs(r->class[1].rate - 180000 / 3.015) < 100);
}

static uint32_t
pages_of(const struct plan_report *r, enum mpc_plan_arm arm, uint32_t class)
{
	uint32_t sum = 0;

	for (uint32_t k = 0; k < COLOURS; k++)
		sum += r->arm[arm].pages[class * COLOURS + k];
	return sum;
}

static void
arms(void **state)
{
	const struct plan_report *r = *state;

	for (int a = 0; a < MPC_PLAN_ARMS; a++) {
		const struct mpc_plan_cost *c = &r->arm[a].cost;
		double misses = 0;

		for (uint32_t i = 0; i < r->classes; i++) {
			assert_int_equal(pages_of(r, (enum mpc_plan_arm)a, i), r->class[i].pages);
			misses += plan_report_misses(r, (enum mpc_plan_arm)a, i);
		}
		/* A miss costs one, nothing is remote: the cost is the misses, class by class. */
		assert_true(fabs(misses / r->seconds - c->total) < 1e-6 * c->total);
		assert_true(fabs(c->alone + c->intra + c->inter + c->remote - c->total) <
			1e-9 * c->total);
	}
	assert_true(r->arm[MPC_PLAN_OFF].cost.intra > 0);
	assert_true(r->arm[MPC_PLAN_OFF].cost.inter > 0);
	assert_true(r->arm[MPC_PLAN_STATIC].cost.inter < 1e-9);
	assert_int_equal(r->chosen, MPC_PLAN_MCMF);
	assert_true(r->arm[MPC_PLAN_MCMF].cost.total < 0.9 * r->arm[MPC_PLAN_OFF].cost.total);
}

/* Classes are disjoint, so each arm's misses are foretold within 5 %, class by class where they are
 * more than a trifle. */
static void
predicted_as_simulated(void **state)
{
	const struct plan_report *r = *state;

	for (int a = 0; a < MPC_PLAN_ARMS; a++) {
		double predicted = 0, simulated = 0;

		for (uint32_t i = 0; i < r->classes; i++) {
			double p = plan_report_misses(r, (enum mpc_plan_arm)a, i);
			double s = (double)r->arm[a].count[i].misses;

			print_message("%s, %s: %.0f predicted, %.0f simulated\n",
				mpc_plan_arm_name[a], r->class[i].name, p, s);
			assert_int_equal(r->arm[a].count[i].accesses, r->class_accesses[i]);
			if (s > 0.1 * (double)r->class_accesses[i])
				assert_true(fabs(p - s) < 0.05 * s);
			predicted += p;
			simulated += s;
		}
		assert_true(fabs(predicted - simulated) < 0.05 * simulated);
	}
}

static char *
text_of(void (*show)(const struct plan_report *, FILE *), const struct plan_report *r)
{
	char *text = NULL;
	size_t n;
	FILE *to = open_memstream(&text, &n);

	assert_non_null(to);
	show(r, to);
	fclose(to);
	if (text == NULL)
		abort();
	return text;
}

static void
has(const char *text, const char *what)
{
	if (strstr(text, what) == NULL)
		fail_msg("\"%s\" is not in\n%s", what, text);
}

/* What saves a third of the misses is not worth it where hardly anything misses. */
static void
off_where_it_saves_no_time(void **state)
{
	struct plan_machine m = machine();
	struct plan_report_options o = { .rate = 0 };
	struct plan_report *r = calloc(1, sizeof(*r));
	struct nfv_err err = { "" };
	char *text;

	(void)state;
	assert_non_null(r);
	m.latency = 20;
	assert_int_equal(plan_report_make(file, &m, &o, r, &err), 0);
	assert_int_equal(r->chosen, MPC_PLAN_OFF);
	assert_true(r->trifle);
	text = text_of(plan_report_table, r);
	has(text, "the plan is off: it would save");
	free(text);
	plan_report_fini(r);
	m.latency = 1e6;
	assert_int_equal(plan_report_make(file, &m, &o, r, &err), 0);
	assert_int_equal(r->chosen, MPC_PLAN_MCMF);
	plan_report_fini(r);
	free(r);
}

static void
a_table(void **state)
{
	char *text = text_of(plan_report_table, *state);

	has(text, "301500 accesses in 3.015 s to 841 pages");
	assert_int_equal(plan_flow_length("edge.sip.messages"), 4);
	assert_int_equal(plan_flow_length("a.b/sip.messages"), 3);
	assert_int_equal(plan_flow_length("table"), 5);
	has(text, "intra-flow");
	has(text, "inter-flow");
	has(text, "simulated");
	has(text, "the plan is mcmf: it saves");
	has(text, "0.5 % of the accesses are to memory that has no place");
	assert_null(strstr(text, "nan"));
	free(text);
}

/* The shape that is loaded again. */
static void
json(void **state)
{
	const struct plan_report *r = *state;
	json_t *j = plan_report_json(r), *c;
	struct nfv_err err = { "" };
	struct mpc_plan_file p;
	uint32_t sum = 0;
	char *text;

	assert_non_null(j);
	text = json_dumps(j, 0);
	assert_non_null(text);
	assert_int_equal(mpc_plan_file_parse(text, strlen(text), "plan", &p, &err), 0);
	assert_int_equal(p.level, 2);
	assert_int_equal(p.colours, COLOURS);
	assert_int_equal(p.arm, MPC_PLAN_MCMF);
	assert_int_equal(p.classes, 4);
	for (size_t k = 0; k < COLOURS; k++)
		sum += mpc_plan_file_find(&p, "edge/packets")->pages[k];
	assert_int_equal(sum, STREAM);
	mpc_plan_file_free(&p);
	free(text);
	c = json_array_get(json_object_get(j, "classes"), 1);
	assert_string_equal(json_string_value(json_object_get(c, "flow")), "edge");
	c = json_object_get(json_object_get(c, "simulated"), "off");
	assert_int_equal(json_integer_value(c), r->arm[MPC_PLAN_OFF].count[1].misses);
	json_decref(j);
}

static void
a_picture(void **state)
{
	char *text = text_of(plan_report_svg, *state);

	has(text, "before: off");
	has(text, "after: mcmf");
	has(text, "peer/state");
	has(text, "</svg>");
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "inf"));
	free(text);
}

static void
refused(const char *name, const struct plan_machine *m, uint64_t memory, int rc, const char *says)
{
	struct plan_report_options o = { .memory = memory };
	struct plan_report *r = calloc(1, sizeof(*r));
	struct nfv_err err = { "" };

	assert_non_null(r);
	assert_int_equal(plan_report_make(name, m, &o, r, &err), rc);
	has(err.text, says);
	has(err.text, name);
	free(r);
}

static void
what_cannot_be_planned_is_refused(void **state)
{
	struct plan_machine m = machine(), other = machine();
	char name[] = "/tmp/test_plan_report.XXXXXX";
	int fd = mkstemp(name);
	FILE *to;
	long n;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	refused("/nowhere", &m, 0, -EIO, "No such file");
	refused(name, &m, 0, -EINVAL, "empty");
	to = fopen(name, "we");
	assert_non_null(to);
	fputs("# nothing\n", to);
	fclose(to);
	refused(name, &m, 0, -EINVAL, "no accesses");
	to = fopen(name, "we");
	assert_non_null(to);
	fputs("other 64\n", to);
	fclose(to);
	refused(name, &m, 0, -EINVAL, "nothing in it could be laid out");
	refused(file, &m, 100 * MPC_PAGE, -ENOSPC, "want 847 pages, and there are 96");
	other.cache.ways = 8;
	refused(file, &other, 0, -EINVAL, "another machine");
	other = m;
	other.cache.line = 128;
	refused(file, &other, 0, -EINVAL, "lines of 64 bytes");
	to = fopen(file, "r+e");
	assert_non_null(to);
	assert_int_equal(fseek(to, 0, SEEK_END), 0);
	n = ftell(to);
	fclose(to);
	assert_int_equal(truncate(file, n - 9), 0);
	refused(file, &m, 0, -EINVAL, "cut off");
	unlink(name);
}

/* What a worker carries is of the only flow it serves, and nobody's if there are several. */
static void
packets_are_of_the_only_flow(void **state)
{
	static const char *const text[] = {
		"w0.packets 64\nedge.flow4 8192\nedge.sip.messages 16384\n",
		"w0.packets 64\nedge.flow4 8192\ncore.flow4 16384\n"
	};
	struct plan_machine m = machine();
	struct plan_report_options o = { .rate = 0 };
	struct plan_report *r = calloc(1, sizeof(*r));

	(void)state;
	assert_non_null(r);
	for (int i = 0; i < 2; i++) {
		FILE *to = fopen(file, "we");

		assert_non_null(to);
		fputs(text[i], to);
		fclose(to);
		assert_int_equal(plan_report_make(file, &m, &o, r, NULL), 0);
		assert_int_equal(r->class[0].flow, i == 0 ? 1 : 0);
		assert_int_equal(r->class[1].flow, 1);
		assert_int_equal(r->class[2].flow, i == 0 ? 1 : 2);
		plan_report_fini(r);
	}
	free(r);
}

/* Packets that begin where their buffers do crowd a few lines of each page: that is foreseen. */
static void
crowded_pages_are_foreseen(void **state)
{
	struct plan_machine m = machine();
	struct plan_report_options o = { .memory = 16 << 20, .simulate = true };
	struct plan_report *r = calloc(1, sizeof(*r));
	struct nfv_err err = { "" };
	FILE *to = fopen(file, "we");
	uint32_t lines = m.cache.size / 64, random = 1;

	(void)state;
	assert_non_null(to);
	assert_non_null(r);
	for (unsigned int p = 0; p < 20000; p++) {
		for (int i = 0; i < 6; i++) {
			random = random * 1664525 + 1013904223;
			fprintf(to, "table %u\n", 64 * ((random >> 8) % (lines * 3 / 4)));
		}
		for (unsigned int i = 0; i < 12; i++)
			fprintf(to, "buffers %u\n",
				(1u << 30) + 2048 * (p % (lines / 16)) + 64 * i);
	}
	fclose(to);
	assert_int_equal(plan_report_make(file, &m, &o, r, &err), 0);
	assert_true(fabs(r->class[0].crowding - 1) < 0.01);
	assert_true(fabs(r->class[1].crowding - 64. / 24) < 0.01);
	assert_int_equal(r->chosen, MPC_PLAN_MCMF);
	for (uint32_t i = 0; i < 2; i++) {
		double told = plan_report_misses(r, MPC_PLAN_MCMF, i);

		assert_true(fabs((double)r->arm[MPC_PLAN_MCMF].count[i].misses - told) <=
			0.05 * told + 100);
	}
	plan_report_fini(r);
	free(r);
}

/* Of two that take turns each could have all of the cache; the model knows averages only. */
static void
off_where_simulation_disproves(void **state)
{
	struct plan_machine m = machine();
	struct plan_report_options o = { .memory = 16 << 20 };
	struct plan_report *r = calloc(1, sizeof(*r));
	struct nfv_err err = { "" };
	FILE *to = fopen(file, "we");
	uint32_t lines = m.cache.size / 64;
	char *text;

	(void)state;
	assert_non_null(to);
	assert_non_null(r);
	for (int turn = 0; turn < 2; turn++)
		for (int round = 0; round < 6; round++)
			for (uint32_t i = 0; i < lines * 3 / 4; i++)
				fprintf(to, "%s %u\n", turn == 0 ? "first" : "second",
					((unsigned int)turn << 30) + 64 * i);
	fclose(to);
	assert_int_equal(plan_report_make(file, &m, &o, r, &err), 0);
	assert_int_equal(r->chosen, MPC_PLAN_MCMF);
	plan_report_fini(r);
	o.simulate = true;
	assert_int_equal(plan_report_make(file, &m, &o, r, &err), 0);
	assert_int_equal(r->chosen, MPC_PLAN_OFF);
	assert_true(r->disproved);
	text = text_of(plan_report_table, r);
	has(text, "the plan is off: in the simulated cache");
	free(text);
	plan_report_fini(r);
	free(r);
}

/* Without a clock, by access; where nothing can be gained, off. */
static void
off_where_nothing_is_gained(void **state)
{
	struct plan_machine m = machine();
	struct plan_report_options o = { .memory = 4 << 20 };
	struct plan_report *r = calloc(1, sizeof(*r));
	struct nfv_err err = { "" };
	FILE *to = fopen(file, "we");
	char *text;

	(void)state;
	assert_non_null(to);
	assert_non_null(r);
	for (int i = 0; i < 20000; i++)
		fprintf(to, "a %d\nb %d\n", i * 64 % (20 << 12), (1 << 30) + i * 64 % (10 << 12));
	fclose(to);
	assert_int_equal(plan_report_make(file, &m, &o, r, &err), 0);
	assert_int_equal(r->chosen, MPC_PLAN_OFF);
	assert_int_equal(r->machine.pages, 64);
	assert_true(r->seconds == 0);
	text = text_of(plan_report_table, r);
	has(text, "misses an access");
	has(text, "the plan is off: all that was touched fits");
	free(text);
	text = text_of(plan_report_svg, r);
	has(text, "colours stay off");
	assert_null(strstr(text, "nan"));
	free(text);
	plan_report_fini(r);
	free(r);
}

static void
machines(void **state)
{
	static const struct {
		const char *text, *says; /* says: NULL: it is taken */
	} c[] = {
		{ "{\"ways\":16,\"sets\":2048}", NULL },
		{ "{\"ways\":16,\"sets\":2048,\"sockets\":2,\"pages\":9,\"miss\":80,\"remote\":1.5,"
		  "\"worthwhile\":0}",
			NULL },
		{ "{\"sets\":2048}", "lacks \"ways\"" },
		{ "{\"ways\":\"x\",\"sets\":2048}", "\"ways\" must be a whole number" },
		{ "{\"ways\":16.5,\"sets\":2048}", "\"ways\" must be a whole number" },
		{ "{\"ways\":16,\"sets\":2048,\"miss\":-1}", "\"miss\" must be a number from 0" },
		{ "{\"ways\":16,\"sets\":64}", "no whole number of colours" },
		{ "{\"ways\":16,\"sets\":100}", "no whole number of colours" },
		{ "{\"ways\":16,\"sets\":2048,\"size\":3}", "no \"size\"" },
		{ "[]", "an object" },
		{ "{", ": " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		struct plan_machine m = { .pages = 77 };
		struct nfv_err err = { "" };
		FILE *to = fopen(file, "we");

		assert_non_null(to);
		fputs(c[i].text, to);
		fclose(to);
		assert_int_equal(
			plan_machine_read(file, &m, &err), c[i].says != NULL ? -EINVAL : 0);
		if (c[i].says != NULL) {
			has(err.text, c[i].says);
			assert_int_equal(m.pages, 77);
		} else {
			assert_int_equal(m.cache.colours, 32);
			assert_int_equal(m.sockets, 1 + i);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(demands),
		cmocka_unit_test(arms),
		cmocka_unit_test(off_where_it_saves_no_time),
		cmocka_unit_test(predicted_as_simulated),
		cmocka_unit_test(a_table),
		cmocka_unit_test(json),
		cmocka_unit_test(a_picture),
		cmocka_unit_test(
			what_cannot_be_planned_is_refused), /* the file is cut off from here */
		cmocka_unit_test(packets_are_of_the_only_flow),
		cmocka_unit_test(off_where_nothing_is_gained),
		cmocka_unit_test(crowded_pages_are_foreseen),
		cmocka_unit_test(off_where_simulation_disproves),
		cmocka_unit_test(machines),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
