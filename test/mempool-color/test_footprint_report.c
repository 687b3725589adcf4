/* What the footprint command makes of traces, as text, as JSON and as a plot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "footprint_report.h"

/* A loop over 512 lines of class "loop" beside one over 128 of "hot", in a file. */
static void
write_trace(const char *name, unsigned int rounds)
{
	struct mpc_trace_info info = { .line = 64, .classes = 2 };
	struct mpc_trace_writer *w = NULL;
	struct mpc_recorder *r = NULL;
	struct nfv_err err = { "" };

	strcpy(info.class[0].name, "loop");
	strcpy(info.class[1].name, "hot");
	info.class[0].pages = 8;
	info.caches.n = 1;
	info.caches.cache[0] = (struct mpc_cache){
		.level = 2, .type = MPC_CACHE_UNIFIED, .line = 64, .ways = 6, .sets = 64
	};
	mpc_cache_complete(&info.caches.cache[0], NULL);
	assert_int_equal(mpc_recorder_create(4, 64, &r, &err), 0);
	assert_int_equal(mpc_trace_create(name, &info, r, UINT64_MAX, &w, &err), 0);
	for (unsigned int i = 0; i < rounds * 512; i++) {
		mpc_record(r, 0, 0x100000 + i % 512 * 64, i);
		mpc_record(r, 1, 0x200000 + i % 128 * 64, i);
	}
	mpc_recorder_stop(r);
	assert_int_equal(mpc_trace_finish(w, &info, &err), 0);
	assert_int_equal(info.lost, 0);
	mpc_recorder_destroy(r);
}

struct rig {
	char name[40];
	struct footprint_report r;
};

static int
setup(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));
	int fd;

	if (g == NULL)
		return -1;
	strcpy(g->name, "/tmp/test_footprint_report.XXXXXX");
	fd = mkstemp(g->name);
	if (fd < 0)
		return -1;
	close(fd);
	write_trace(g->name, 40);
	*state = g;
	return footprint_report_read(g->name, 0, &g->r, NULL);
}

static int
teardown(void **state)
{
	struct rig *g = *state;

	unlink(g->name);
	footprint_report_fini(&g->r);
	free(g);
	return 0;
}

static char *
text_of(void (*show)(const struct footprint_report *, FILE *), const struct footprint_report *r)
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

static void
a_table(void **state)
{
	struct rig *g = *state;
	char *text = text_of(footprint_report_table, &g->r);

	has(text, "40960 accesses to lines of 64 bytes");
	has(text, "loop                        8        20480   50 %        512         32");
	has(text, "hot                         -        20480   50 %        128          8");
	/* Alone, 16 KiB hold the one and not the other; the cache of 24 KiB is the machine's. */
	has(text, "            16       1.0000       0.0000\n");
	has(text, "level 2     24       1.0000       0.0000\n");
	/* Together, the hot lines come round every 256 accesses, to 128 of each class. */
	has(text, "             8       1.0000       1.0000       1.0000\n");
	has(text, "level 2     24       1.0000       0.0000       0.5000\n");
	has(text, "            64       0.0000       0.0000       0.0000\n");
	assert_null(strstr(text, "lost"));
	assert_null(strstr(text, "disjoint"));
	free(text);
}

static void
json(void **state)
{
	struct rig *g = *state;
	json_t *j = footprint_report_json(&g->r), *c, *one;
	size_t i, at = SIZE_MAX;
	json_t *size;

	assert_non_null(j);
	assert_int_equal(json_integer_value(json_object_get(j, "accesses")), 40960);
	json_array_foreach(json_object_get(j, "size"), i,
		size) if (json_integer_value(size) == 24 << 10) at = i;
	assert_int_not_equal(at, SIZE_MAX);
	c = json_array_get(json_object_get(j, "classes"), 1);
	assert_string_equal(json_string_value(json_object_get(c, "name")), "hot");
	one = json_array_get(json_object_get(c, "together"), at);
	assert_true(json_real_value(json_object_get(one, "miss")) < 1e-6);
	assert_true(json_real_value(json_object_get(one, "lines")) > 127);
	assert_int_equal(json_array_size(json_object_get(c, "alone")),
		json_array_size(json_object_get(j, "size")));
	json_decref(j);
}

static void
plot(void **state)
{
	struct rig *g = *state;
	char *text;

	strcpy(g->r.info.class[1].name, "<hot&>");
	text = text_of(footprint_report_svg, &g->r);
	has(text, "<svg");
	has(text, "</svg>");
	has(text, ">L2<");
	has(text, "&#60;hot&#38;&#62;");
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "inf"));
	free(text);
}

static void
what_is_amiss_is_told(void **state)
{
	struct rig *g = *state;
	struct footprint_report r;
	struct nfv_err err = { "" };
	char *text;
	FILE *to;

	assert_int_equal(footprint_report_read(g->name, 1e-6, &r, &err), -EINVAL);
	has(err.text, "higher --rate");
	assert_int_equal(footprint_report_read("/nowhere", 0, &r, &err), -EIO);
	to = fopen(g->name, "we");
	assert_non_null(to);
	fputs("# nothing\n", to);
	fclose(to);
	assert_int_equal(footprint_report_read(g->name, 0, &r, &err), -EINVAL);
	has(err.text, "no accesses");
	to = fopen(g->name, "we");
	assert_non_null(to);
	for (int i = 0; i < 90; i++) /* of more classes than the table has columns */
		fprintf(to, "class%d %d\n", i % 9, i % 10 * 64);
	fclose(to);
	assert_int_equal(footprint_report_read(g->name, 0, &r, &err), 0);
	r.info.lost = 7;
	text = text_of(footprint_report_table, &r);
	has(text, "1 classes more");
	has(text, "7 accesses were lost");
	has(text, "80 accesses were to another class's lines");
	free(text);
	footprint_report_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table),
		cmocka_unit_test(json),
		cmocka_unit_test(plot),
		cmocka_unit_test(what_is_amiss_is_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
