/* Profiles: whose a line is, bounded when the control thread sleeps, and how they are asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "app.h"
#include "profile_tap.h"

static char file[] = "/tmp/test_profile.XXXXXX";
static struct nfv_pages pages;

static int
setup(void **state)
{
	int fd = mkstemp(file);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	pages = nfv_pages_alloc(4096);
	return pages.page != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	nfv_pages_free(&pages);
	unlink(file);
	return 0;
}

static struct profile_tap *
tap_new(uint32_t blocks, uint64_t bytes)
{
	struct profile_tap_conf conf = {
		.file = file, .bytes = bytes, .hz = 1000000000, .blocks = blocks
	};
	struct profile_tap *t = NULL;
	struct nfv_err err = { "" };

	if (profile_tap_create(&conf, &t, &err) < 0)
		fail_msg("%s", err.text);
	return t;
}

/* Tell the tap as the data path would. */
static void
touch(struct profile_tap *t, const void *p, size_t n)
{
	nfv_watching = profile_tap_watcher(t);
	nfv_watch(p, n);
	nfv_watching = NULL;
}

struct line {
	uint64_t line;
	const char *class;
};

static void
expect_lines(const struct line *want, unsigned int n)
{
	struct mpc_access a[64];
	struct mpc_trace_reader *r = NULL;
	struct nfv_err err = { "" };
	int got;

	if (mpc_trace_open(file, NULL, &r, &err) < 0)
		fail_msg("%s", err.text);
	got = mpc_trace_read(r, a, 64, &err);
	assert_int_equal(got, n);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(a[i].line, want[i].line);
		assert_string_equal(mpc_trace_info(r)->class[a[i].class].name, want[i].class);
		assert_true(i == 0 || a[i].time >= a[i - 1].time);
	}
	mpc_trace_close(r);
}

static uint64_t
line_of(const void *p)
{
	return (uint64_t)(uintptr_t)p >> 6;
}

static void
lines_are_their_pages_owners(void **state)
{
	struct profile_tap *t = tap_new(0, 1 << 20);
	uint32_t table = profile_tap_class(t, "edge.flow4"),
		 packets = profile_tap_class(t, "w0.packets");
	struct mpc_trace_info info;
	struct nfv_err err = { "" };
	const struct line want[] = {
		{ line_of(pages.page[0]), "edge.flow4" },
		{ line_of(pages.page[1]) - 1, "edge.flow4" },
		{ line_of(pages.page[1]), "w0.packets" }, /* across a page, and another's */
		{ line_of(pages.page[1]) + 1, "w0.packets" },
		{ line_of(pages.page[2]), "other" },
		{ line_of(pages.page[1]) + 1, "w0.packets" },
	};

	(void)state;
	assert_int_equal(profile_tap_class(t, "edge.flow4"), table);
	assert_int_not_equal(table, packets);
	assert_int_equal(profile_tap_own(t, table, pages.page[0], 2ul * NFV_PAGE), 0);
	assert_int_equal(
		profile_tap_own(t, packets, pages.page[1] + 100, 200), 0); /* the last says */
	assert_int_equal(profile_tap_open(t, &err), 0);
	touch(t, pages.page[0] + 1, 8);
	touch(t, pages.page[0] + 9, 8); /* the same line again counts once */
	touch(t, pages.page[1] - 4, 64 + 8);
	touch(t, pages.page[1] + 64, 0);
	touch(t, pages.page[2], 64);
	touch(t, pages.page[1] + 64, 64);
	assert_int_equal(profile_tap_close(t, &info, &err), 0);
	assert_int_equal(info.accesses, 6);
	assert_int_equal(info.lost, 0);
	assert_int_equal(info.class[table].pages, 1);
	assert_int_equal(info.class[packets].pages, 1);
	assert_int_equal(info.class[PROFILE_OTHER].pages, 0);
	expect_lines(want, 6);
}

/* All of many pages are found again. */
static void
many_pages(void **state)
{
	struct profile_tap *t = tap_new(0, 1 << 20);
	struct mpc_access a[4096];
	struct mpc_trace_reader *r = NULL;
	struct nfv_err err = { "" };
	uint32_t class[8];
	char name[16];

	(void)state;
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "c.%d", i);
		class[i] = profile_tap_class(t, name);
	}
	for (uint32_t i = 0; i < 4096; i++)
		assert_int_equal(profile_tap_own(t, class[i % 8], pages.page[i], 1), 0);
	assert_int_equal(profile_tap_open(t, &err), 0);
	for (uint32_t i = 0; i < 4096; i++)
		touch(t, pages.page[i] + (size_t)(i % 64) * 64, 8);
	assert_int_equal(profile_tap_close(t, NULL, &err), 0);
	assert_int_equal(mpc_trace_open(file, NULL, &r, &err), 0);
	assert_int_equal(mpc_trace_read(r, a, 4096, &err), 4096);
	for (uint32_t i = 0; i < 4096; i++)
		assert_int_equal(a[i].class, class[i % 8]);
	assert_int_equal(mpc_trace_info(r)->class[class[3]].pages, 512);
	mpc_trace_close(r);
}

/* Nobody takes blocks away: the rest is lost, and counted. */
static void
a_full_ring_loses_and_says_so(void **state)
{
	enum { N = 1 << 18 };
	struct profile_tap *t = tap_new(2, 1 << 30);
	struct mpc_trace_info info;
	struct nfv_err err = { "" };

	(void)state;
	assert_int_equal(profile_tap_open(t, &err), 0);
	for (uint32_t i = 0; i < N; i++)
		touch(t, pages.page[i % 4096] + (size_t)(i % 64) * 64, 8);
	assert_int_equal(profile_tap_close(t, &info, &err), 0);
	assert_true(info.lost > 0);
	assert_true(info.accesses > 0);
	assert_int_equal(info.accesses + info.lost, N);
}

static void
a_file_has_an_end(void **state)
{
	struct profile_tap *t = tap_new(4, 300 << 10);
	struct mpc_trace_info info;
	struct nfv_err err = { "" };
	struct stat st;

	(void)state;
	assert_int_equal(profile_tap_open(t, &err), 0);
	for (uint32_t i = 0; i < 1 << 18; i++) {
		touch(t, pages.page[i % 4096] + (size_t)(i % 64) * 64, 8);
		profile_tap_drain(t);
	}
	assert_int_equal(profile_tap_close(t, &info, &err), 0);
	assert_true(info.lost > 0);
	assert_int_equal(info.accesses + info.lost, 1 << 18);
	assert_int_equal(stat(file, &st), 0);
	assert_true(st.st_size <= 300 << 10);
}

static void
names_without_room_are_others(void **state)
{
	struct profile_tap *t = tap_new(2, 1 << 20);
	char name[100];

	(void)state;
	assert_int_equal(profile_tap_class(t, ""), PROFILE_OTHER);
	memset(name, 'x', sizeof(name));
	name[99] = '\0';
	assert_int_equal(profile_tap_class(t, name), PROFILE_OTHER);
	for (int i = 1; i < MPC_CLASSES; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		assert_int_equal(profile_tap_class(t, name), i);
	}
	assert_int_equal(profile_tap_class(t, "one more"), PROFILE_OTHER);
	assert_int_equal(profile_tap_close(t, NULL, NULL), 0);
	assert_int_equal(profile_tap_close(NULL, NULL, NULL), 0);
}

static void
what_is_asked_for(void **state)
{
	static const struct {
		const char *text;
		uint32_t seconds;
		uint64_t bytes;
	} good[] = {
		{ "x", 1, 256 << 20 },
		{ "x,seconds=9", 9, 256 << 20 },
		{ "x,bytes=1M", 1, 1 << 20 },
		{ "x,bytes=300000,seconds=3600", 3600, 300000 },
	};
	static const char *const bad[] = { "", ",seconds=1", "x,", "x,seconds=", "x,seconds=0",
		"x,seconds=3601", "x,minutes=1", "x,bytes=", "x,bytes=1", "x,bytes=1T", "x,bytes=M",
		"x,seconds=1,", "x,bytes=99999999999999999999G" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct profile_spec s;

		assert_int_equal(profile_parse(good[i].text, &s, NULL), 0);
		assert_string_equal(s.file, "x");
		assert_int_equal(s.seconds, good[i].seconds);
		assert_int_equal(s.bytes, good[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct profile_spec s = { .seconds = 77 };
		struct nfv_err err = { "" };

		if (profile_parse(bad[i], &s, &err) != -EINVAL)
			fail_msg("\"%s\" is taken", bad[i]);
		assert_int_equal(s.seconds, 77);
		assert_int_not_equal(err.text[0], '\0');
	}
}

/* Arrays that are lent are noted and forgotten; the lender behind has the last word. */
static void
lenders(void **state)
{
	static struct app app;
	struct nfv_err err = { "" };
	const struct nfv_lender *l;
	struct nfv_pages p;

	(void)state;
	l = profile_lender(&app, "edge", &app.worker[0], NULL);
	assert_non_null(l);
	p = nfv_lender_take(l, "flow4", 3);
	assert_int_equal(p.n, 3);
	assert_int_equal(profile_stop(&app, &err), -ENOENT);
	assert_int_equal(profile_start(&app, &(struct profile_spec){ .file = "x" }, &err), -EAGAIN);
	nfv_lender_give(l, &p);
	assert_null(p.page);
	profile_tick(&app);
	profile_end(&app);
	profile_close(&app);
	assert_null(app.profile);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_their_pages_owners),
		cmocka_unit_test(many_pages),
		cmocka_unit_test(a_full_ring_loses_and_says_so),
		cmocka_unit_test(a_file_has_an_end),
		cmocka_unit_test(names_without_room_are_others),
		cmocka_unit_test(what_is_asked_for),
		cmocka_unit_test(lenders),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
