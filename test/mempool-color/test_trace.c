/* Traces from recorder to reader, and what of a file is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <unistd.h>

#include <cmocka.h>

#include "accesses.h"
#include "mpc_trace.h"
#include "trace_format.h"

static struct mpc_trace_info
a_machine(void)
{
	struct mpc_trace_info info = { .line = 64, .hz = 2600000000, .classes = 3 };

	info.caches.n = 2;
	info.caches.cache[0] = (struct mpc_cache){ .level = 1, .line = 64, .ways = 8, .sets = 64 };
	info.caches.cache[1] = (struct mpc_cache){
		.level = 2, .type = MPC_CACHE_UNIFIED, .line = 64, .ways = 16, .sets = 1024
	};
	for (int i = 0; i < 2; i++)
		mpc_cache_complete(&info.caches.cache[i], NULL);
	strcpy(info.class[0].name, "packets");
	strcpy(info.class[1].name, "nat.table");
	strcpy(info.class[2].name, "sip");
	info.class[1].pages = 300;
	return info;
}

struct file {
	char name[32];
};

static struct file
file_new(void)
{
	struct file f = { "/tmp/test_trace.XXXXXX" };
	int fd = mkstemp(f.name);

	assert_true(fd >= 0);
	close(fd);
	return f;
}

/* Accesses of all kinds: near and far, forwards and back, time that stands and that leaps. */
static void
make(struct accesses *t, size_t n)
{
	uint64_t time = 1000;

	for (size_t i = 0; i < n; i++) {
		uint64_t line = accesses_below(t, 5) == 0 ?
			nfv_hash_mix(t->random, 77) >> accesses_below(t, 60) >> 6 :
			0x7f0012340000u / 64 + accesses_below(t, 4000);

		accesses_add(t, accesses_below(t, 3), line);
		time += accesses_below(t, 10) != 0 ? 0 : nfv_hash_mix(t->random, 5) >> 40;
		t->a[i].time = time;
	}
}

/* Record all of it, drained every so many accesses; the file's size. */
static long
record(const struct accesses *t, const char *name, uint32_t blocks, size_t every, uint64_t bytes,
	struct mpc_trace_info *info)
{
	struct mpc_recorder *r = NULL;
	struct mpc_trace_writer *w = NULL;
	struct nfv_err err = { "" };
	long size;
	FILE *f;

	*info = a_machine();
	assert_int_equal(mpc_recorder_create(blocks, 64, &r, &err), 0);
	assert_int_equal(mpc_trace_create(name, info, r, bytes, &w, &err), 0);
	for (size_t i = 0; i < t->n; i++) {
		mpc_record(r, t->a[i].class, t->a[i].line << 6 | (i & 63), t->a[i].time);
		if (i % every == every - 1)
			mpc_trace_drain(w);
	}
	mpc_recorder_stop(r);
	assert_int_equal(mpc_trace_finish(w, info, &err), 0);
	mpc_recorder_destroy(r);
	f = fopen(name, "re");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	fclose(f);
	return size;
}

static void
what_is_recorded_is_read(void **state)
{
	struct accesses t = { .random = 8 };
	struct file f = file_new();
	struct mpc_trace_info written;
	const struct mpc_trace_info *info;
	struct mpc_trace_reader *r = NULL;
	struct mpc_access a[1000];
	struct nfv_err err = { "" };
	size_t at = 0;
	int n;

	(void)state;
	make(&t, 200000);
	print_message("%.2f bytes an access\n",
		(double)record(&t, f.name, 4, 5000, UINT64_MAX, &written) / (double)t.n);
	assert_int_equal(written.accesses, t.n);
	assert_int_equal(written.lost, 0);
	assert_int_equal(mpc_trace_open(f.name, &written.caches, &r, &err), 0);
	info = mpc_trace_info(r);
	assert_memory_equal(info, &written, sizeof(written));
	while ((n = mpc_trace_read(r, a, 1 + at % 1000, &err)) > 0)
		for (int i = 0; i < n; i++, at++)
			if (at >= t.n || memcmp(&a[i].line, &t.a[at].line, 8) != 0 ||
				a[i].time != t.a[at].time || a[i].class != t.a[at].class)
				fail_msg("access %zu is another", at);
	assert_int_equal(n, 0);
	assert_int_equal(at, t.n);
	assert_int_equal(mpc_trace_read(r, a, 1, &err), 0);
	mpc_trace_close(r);
	unlink(f.name);
	free(t.a);
}

/* Read all; the accesses, or the error. */
static int64_t
read_all(const void *bytes, size_t n, struct mpc_trace_info *info, struct nfv_err *err)
{
	FILE *from = fmemopen((void *)(uintptr_t)bytes, n, "r");
	struct mpc_trace_reader *r = NULL;
	struct mpc_access a[64];
	int64_t sum = 0;
	int got;

	assert_non_null(from);
	got = mpc_trace_open_stream(from, "a", NULL, &r, err);
	while (got >= 0 && (got = mpc_trace_read(r, a, 64, err)) > 0)
		sum += got;
	if (r != NULL && info != NULL)
		*info = *mpc_trace_info(r);
	if (got < 0 && r != NULL) /* and it stays so */
		assert_int_equal(mpc_trace_read(r, a, 64, err), got);
	mpc_trace_close(r);
	fclose(from);
	return got < 0 ? got : sum;
}

/* Nobody drains: what does not fit is counted, and what was recorded is whole. */
static void
what_is_lost_is_counted(void **state)
{
	struct accesses t = { .random = 8 };
	struct file f = file_new();
	struct mpc_trace_info info, again;
	struct mpc_trace_reader *r = NULL;
	struct nfv_err err = { "" };
	struct mpc_access a[64];
	uint64_t sum = 0;
	long size;
	int n;

	(void)state;
	make(&t, 200000);
	record(&t, f.name, 2, 1000000, UINT64_MAX, &info);
	assert_true(info.accesses > 20000 && info.lost > 20000);
	assert_int_equal(info.accesses + info.lost, t.n);
	record(&t, f.name, 2, 80000, UINT64_MAX, &again); /* gaps in the middle */
	assert_true(again.accesses > info.accesses);
	assert_int_equal(again.accesses + again.lost, t.n);
	size = record(&t, f.name, 4, 5000, 300000, &info); /* a file that may not grow */
	assert_true(size < 300000);
	assert_true(info.accesses > 40000);
	assert_int_equal(info.accesses + info.lost, t.n);
	assert_int_equal(mpc_trace_open(f.name, NULL, &r, &err), 0);
	while ((n = mpc_trace_read(r, a, 64, &err)) > 0)
		sum += (unsigned int)n;
	assert_int_equal(n, 0);
	assert_int_equal(sum, info.accesses);
	assert_int_equal(mpc_trace_info(r)->lost, info.lost);
	mpc_trace_close(r);
	unlink(f.name);
	free(t.a);
}

struct watched {
	struct mpc_recorder *r;
	const struct accesses *t;
	int done;
};

static void *
watch(void *arg)
{
	struct watched *w = arg;

	for (size_t i = 0; i < w->t->n; i++)
		mpc_record(w->r, w->t->a[i].class, w->t->a[i].line << 6, w->t->a[i].time);
	mpc_recorder_stop(w->r);
	__atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void
two_threads(void **state)
{
	struct accesses t = { .random = 8 };
	struct mpc_trace_info info = a_machine();
	struct watched watched = { .t = &t };
	struct mpc_trace_writer *w = NULL;
	struct file f = file_new();
	struct nfv_err err = { "" };
	pthread_t thread;

	(void)state;
	make(&t, 500000);
	assert_int_equal(mpc_recorder_create(2, 64, &watched.r, &err), 0);
	assert_int_equal(mpc_trace_create(f.name, &info, watched.r, UINT64_MAX, &w, &err), 0);
	assert_int_equal(pthread_create(&thread, NULL, watch, &watched), 0);
	while (__atomic_load_n(&watched.done, __ATOMIC_ACQUIRE) == 0)
		mpc_trace_drain(w);
	pthread_join(thread, NULL);
	assert_int_equal(mpc_trace_finish(w, &info, &err), 0);
	assert_int_equal(info.accesses + info.lost, t.n);
	mpc_recorder_destroy(watched.r);
	unlink(f.name);
	free(t.a);
}

static void
bytes_are_lines(void **state)
{
	struct mpc_trace_info info = a_machine();
	struct mpc_trace_writer *w = NULL;
	struct mpc_trace_reader *reader = NULL;
	struct mpc_recorder *r = NULL;
	struct file f = file_new();
	struct nfv_err err = { "" };
	struct mpc_access a[8];

	(void)state;
	assert_int_equal(mpc_recorder_create(2, 64, &r, &err), 0);
	assert_int_equal(mpc_trace_create(f.name, &info, r, UINT64_MAX, &w, &err), 0);
	mpc_record_bytes(r, 2, 0x103f, 2, 5);   /* the end of one, the beginning of the next */
	mpc_record_bytes(r, 1, 0x2000, 128, 4); /* time does not go back */
	mpc_record(r, 0, UINT64_MAX, 5);
	mpc_recorder_stop(r);
	mpc_recorder_stop(r);
	assert_int_equal(mpc_trace_finish(w, NULL, &err), 0);
	assert_int_equal(mpc_trace_open(f.name, NULL, &reader, &err), 0);
	assert_int_equal(mpc_trace_read(reader, a, 8, &err), 5);
	assert_int_equal(a[0].line, 0x40);
	assert_int_equal(a[1].line, 0x41);
	assert_int_equal(a[2].line, 0x80);
	assert_int_equal(a[3].line, 0x81);
	assert_int_equal(a[3].time, 5);
	assert_int_equal(a[3].class, 1);
	assert_int_equal(a[4].line, UINT64_MAX >> 6);
	mpc_trace_close(reader);
	mpc_recorder_destroy(r);
	unlink(f.name);
}

/* A trace as bytes. */
static size_t
bytes_of(size_t accesses, uint8_t *bytes, size_t room)
{
	struct accesses t = { .random = 8 };
	struct mpc_trace_info info;
	struct file f = file_new();
	FILE *from;
	size_t n;

	make(&t, accesses);
	record(&t, f.name, 4, 1000, UINT64_MAX, &info);
	from = fopen(f.name, "re");
	assert_non_null(from);
	n = fread(bytes, 1, room, from);
	fclose(from);
	unlink(f.name);
	free(t.a);
	return n;
}

static void
says(int64_t rc, const struct nfv_err *err, const char *what)
{
	assert_int_equal(rc, -EINVAL);
	if (strstr(err->text, what) == NULL || strncmp(err->text, "a: ", 3) != 0)
		fail_msg("\"%s\" does not say \"%s\"", err->text, what);
}

static void
what_is_no_whole_trace_is_refused(void **state)
{
	static uint8_t bytes[200000], bad[200000];
	size_t n = bytes_of(30000, bytes, sizeof(bytes));
	struct nfv_err err = { "" };

	(void)state;
	assert_true(n > 2 * (size_t)MPC_TRACE_BLOCK && n < sizeof(bytes));
	assert_int_equal(read_all(bytes, n, NULL, &err), 30000);
	for (size_t cut = 8; cut < n; cut += cut < 400 || n - cut < 100 ? 1 : 997)
		says(read_all(bytes, cut, NULL, &err), &err, "cut off");
	/* A bit that fell over, wherever: only the caches, of which nothing depends, have no say. */
	for (size_t at = 0; at < n; at += at < 400 || n - at < 100 ? 1 : 997) {
		memcpy(bad, bytes, n);
		bad[at] ^= 0x10;
		assert_int_equal(read_all(bad, n, NULL, &err), -EINVAL);
	}
	/* Blocks that changed places, or that are there twice. */
	memcpy(bad, bytes, n);
	memmove(bad + n - 40, bad + n - 41, 40);
	assert_int_equal(read_all(bad, n, NULL, &err), -EINVAL);
	memcpy(bad, bytes, n);
	bad[n] = 0;
	says(read_all(bad, n + 1, NULL, &err), &err, "cut off");
	says(read_all("\177ELF\2\1\1\0\0\0\0\0\0\0\0\0", 16, NULL, &err), &err, "no trace");
	memcpy(bad, bytes, n);
	bad[8] = 2;
	says(read_all(bad, n, NULL, &err), &err, "version");
	memcpy(bad, bytes, n);
	bad[14] = 1;
	says(read_all(bad, n, NULL, &err), &err, "larger");
}

/* Headers and blocks whose sums are right and whose contents are not. */
static void
what_cannot_be_is_refused(void **state)
{
	static const struct {
		uint8_t data[16];
		uint32_t bytes, accesses;
		const char *says; /* NULL: it is good */
	} block[] = {
		{ { 8, 8 }, 2, 2, NULL },
		{ { 8, 8 }, 2, 1, "damaged" },  /* bytes too many */
		{ { 8, 8 }, 2, 3, "damaged" },  /* too few */
		{ { 0x84 }, 1, 1, "damaged" },  /* that end in the middle */
		{ { 10 }, 1, 1, "damaged" },    /* a class that is not there */
		{ { 10, 3 }, 2, 1, "damaged" }, /* nor this one */
		{ { 10, 2 }, 2, 1, NULL },
		{ { 12 }, 1, 1, "damaged" }, /* line −2 */
		{ { 9 }, 1, 1, "damaged" },  /* time that is missing */
		{ { 9, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 }, 11, 1,
			"damaged" }, /* and that ends the world */
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2 }, 10, 1, "damaged" },
		{ { 0 }, 0, 0, "damaged" },
		{ { 0 }, MPC_TRACE_BLOCK + 1, 1, "larger" },
	};
	struct mpc_trace_info info = a_machine();
	uint8_t bytes[TRACE_HEADER_MAX + 200];
	struct nfv_err err = { "" };

	(void)state;
	for (size_t i = 0; i < sizeof(block) / sizeof(block[0]); i++) {
		size_t n = trace_put_header(bytes, &info), data = block[i].bytes & 15;
		struct trace_mark m = { TRACE_BLOCK, block[i].bytes & 15, block[i].accesses, 9, 0 };
		struct trace_mark end = { TRACE_END, 0, block[i].accesses, 1, 0 };
		int64_t got;

		m.bytes = block[i].bytes < 16 ? block[i].bytes : 0;
		trace_put_mark(bytes + n, &m, block[i].data);
		if (block[i].bytes >= 16)
			bytes[n + 6] = 2; /* the sum does not matter any more */
		memcpy(bytes + n + TRACE_MARK, block[i].data, data);
		n += TRACE_MARK + data;
		trace_put_mark(bytes + n, &end, bytes);
		got = read_all(bytes, n + TRACE_MARK, NULL, &err);
		if (block[i].says == NULL)
			assert_int_equal(got, block[i].accesses);
		else
			says(got, &err, block[i].says);
	}
	for (int i = 0; i < 6; i++) {
		struct mpc_trace_info odd = a_machine();
		struct trace_mark end = { .what = TRACE_END };
		static const char *const what[] = { "lines of 48 bytes", "name of its class 1",
			"name of its class 1", "caches", "classes", "not one" };
		size_t n;

		odd.line = i == 0 ? 48 : 64;
		odd.class[1].name[0] = i == 1 ? '\0' : i == 2 ? '\n' : 'x';
		odd.caches.cache[1].type = i == 5 ? 7 : 2;
		n = trace_put_header(bytes, &odd);
		if (i == 3 || i == 4) {
			struct trace_bytes sum = { bytes + n - 8, bytes + n, false };

			bytes[i == 3 ? TRACE_START + 12 : TRACE_START + 16 + 48] = 200;
			trace_put(&sum, trace_sum(0, bytes, n - 8), 8);
		}
		trace_put_mark(bytes + n, &end, bytes);
		says(read_all(bytes, n + TRACE_MARK, NULL, &err), &err, what[i]);
	}
}

static void
another_machine_is_told(void **state)
{
	static uint8_t bytes[20000];
	size_t n = bytes_of(1000, bytes, sizeof(bytes));
	struct mpc_trace_info info = a_machine();
	struct mpc_trace_reader *r = NULL;
	struct nfv_err err = { "" };

	(void)state;
	for (int i = 0; i < 4; i++) {
		FILE *from = fmemopen(bytes, n, "r");
		int rc;

		assert_non_null(from);
		info.caches.cache[1].sets = i == 1 ? 2048 : 1024;
		info.caches.n = i == 2 ? 1 : i == 3 ? 3 : 2;
		r = NULL;
		rc = mpc_trace_open_stream(from, "a", &info.caches, &r, &err);
		if (i > 0)
			says(rc, &err, "another machine");
		else
			assert_int_equal(rc, 0);
		if (rc == 0)
			mpc_trace_close(r);
		if (i == 1)
			assert_non_null(strstr(err.text, "2048 sets"));
		fclose(from);
	}
}

static void
text_is_read(void **state)
{
	static const char text[] = "# from elsewhere\n"
				   "table 0x7f0012345678\r\n"
				   "\n"
				   "packets\t128\n"
				   "  table  0x7F0012345678\n"
				   "table 64";
	static const struct {
		const char *text, *says;
	} wrong[] = {
		{ "table\n", "line 1 is not a class and an address" },
		{ "table 1\ntable x\n", "line 2 is not" },
		{ "table -1\n", "line 1 is not" },
		{ "table 0x\n", "line 1 is not" },
		{ "table 0x1g\n", "line 1 is not" },
		{ "table 1\ntable 2\ntable 0x\020\n", "line 3 is not" },
		{ "table 0x1Z\n", "line 1 is not" },
		{ "table 0x1`\n", "line 1 is not" },
		{ "table 0x10000000000000000\n", "line 1 is not" },
		{ "table 18446744073709551616\n", "line 1 is not" },
		{ "table 1 2\n", "line 1 is not" },
		{ "# of another make\n\nt\303\244ble-of-flows 1\n",
			"line 3 has a class whose name" },
		{ "a-name-that-is-longer-than-the-name-of-a-class-may-be 1\n",
			"line 1 has a class whose name" },
	};
	struct mpc_trace_info info = { .line = 0 };
	struct nfv_err err = { "" };
	char many[2000] = "";
	size_t n = 0;

	(void)state;
	assert_int_equal(read_all(text, sizeof(text) - 1, &info, &err), 4);
	assert_int_equal(info.classes, 2);
	assert_string_equal(info.class[0].name, "table");
	assert_string_equal(info.class[1].name, "packets");
	assert_int_equal(info.accesses, 4);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		says(read_all(wrong[i].text, strlen(wrong[i].text), NULL, &err), &err,
			wrong[i].says);
	for (int i = 0; i < 65; i++)
		n += (size_t)sprintf(many + n, "c%d 1\n", i);
	says(read_all(many, n, NULL, &err), &err, "line 65 has a class too many");
	memset(many, 'x', sizeof(many));
	says(read_all(many, sizeof(many), NULL, &err), &err, "line 1 is too long");
}

static void
what_cannot_be_written_is_refused(void **state)
{
	struct mpc_trace_info info = a_machine();
	struct mpc_trace_writer *w = NULL;
	struct mpc_recorder *r = NULL;
	struct nfv_err err = { "" };

	(void)state;
	assert_int_equal(mpc_recorder_create(1, 64, &r, &err), -EINVAL);
	assert_int_equal(mpc_recorder_create(2, 65, &r, &err), -EINVAL);
	assert_int_equal(mpc_recorder_create(2, 64, &r, &err), 0);
	assert_int_equal(mpc_trace_create("/nowhere/x", &info, r, 1, &w, &err), -EIO);
	assert_non_null(strstr(err.text, "/nowhere/x"));
	strcpy(info.class[2].name, "a b");
	assert_int_equal(mpc_trace_create("/tmp/x", &info, r, 1, &w, &err), -EINVAL);
	assert_non_null(strstr(err.text, "class 2"));
	info = a_machine();
	info.line = 128;
	assert_int_equal(mpc_trace_create("/tmp/x", &info, r, 1, &w, &err), -EINVAL);
	info.line = 64;
	assert_int_equal(mpc_trace_create("/dev/full", &info, r, UINT64_MAX, &w, &err), 0);
	for (uint64_t i = 0; i < 10; i++)
		mpc_record(r, 0, i << 6, i);
	mpc_recorder_stop(r);
	assert_int_equal(mpc_trace_finish(w, &info, &err), -EIO);
	assert_non_null(strstr(err.text, "/dev/full"));
	mpc_recorder_destroy(r);
	mpc_recorder_destroy(NULL);
	mpc_trace_close(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_recorded_is_read),
		cmocka_unit_test(what_is_lost_is_counted),
		cmocka_unit_test(two_threads),
		cmocka_unit_test(bytes_are_lines),
		cmocka_unit_test(what_is_no_whole_trace_is_refused),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(another_machine_is_told),
		cmocka_unit_test(text_is_read),
		cmocka_unit_test(what_cannot_be_written_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
