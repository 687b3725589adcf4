/**
 * @file
 * Trace files. The first byte says what the rest is: a file or text as it stands, a header's contents,
 * or a block's, which are given right sums, for else no input would come past those. Whatever is read
 * must be accesses, and have a footprint.
 */
#include <stdlib.h>
#include <string.h>

#include "mpc_footprint.h"
#include "trace_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t file[TRACE_HEADER_MAX + MPC_TRACE_BLOCK + 2 * TRACE_MARK];

static size_t
end(size_t n, uint64_t accesses, uint64_t blocks)
{
	struct trace_mark m = { TRACE_END, 0, accesses, blocks, 0 };

	trace_put_mark(file + n, &m, file);
	return n + TRACE_MARK;
}

/* A header of these contents, and no accesses. */
static size_t
header(const uint8_t *data, size_t size)
{
	struct trace_bytes b = { file, file + sizeof(file), false };

	size = size < TRACE_HEADER_MAX - TRACE_START - 8 ? size :
							   TRACE_HEADER_MAX - TRACE_START - 8;
	trace_put(&b, TRACE_MAGIC, 8);
	trace_put(&b, TRACE_VERSION, 4);
	trace_put(&b, size + 8, 4);
	memcpy(b.at, data, size);
	b.at += size;
	trace_put(&b, trace_sum(0, file, TRACE_START + size), 8);
	return end(TRACE_START + size + 8, 0, 0);
}

/* A block of these contents; the first two bytes say how many accesses. */
static size_t
block(const uint8_t *data, size_t size)
{
	struct mpc_trace_info info = { .line = 64, .classes = 3 };
	struct trace_mark m = { .what = TRACE_BLOCK };
	size_t n;

	if (size < 2)
		return 0;
	for (unsigned int i = 0; i < 3; i++)
		info.class[i].name[0] = (char)('a' + i);
	m.accesses = data[0] | (uint64_t)data[1] << 8;
	m.bytes = (uint32_t)(size - 2 < MPC_TRACE_BLOCK ? size - 2 : MPC_TRACE_BLOCK);
	n = trace_put_header(file, &info);
	trace_put_mark(file + n, &m, data + 2);
	memcpy(file + n + TRACE_MARK, data + 2, m.bytes);
	return end(n + TRACE_MARK + m.bytes, m.accesses, 1);
}

static void
check_footprint(struct mpc_footprint *f)
{
	struct mpc_curve c;
	double last = 0;

	mpc_footprint_end(f);
	if (mpc_footprint_curve(f, MPC_TOGETHER, MPC_TRACE_TIME, MPC_HOTL, &c, NULL) < 0)
		abort();
	for (unsigned int i = 0; i < c.points; i++) {
		if (!(c.fp[i] >= last &&
			    (c.fp[i] <= c.n + 1e-6 || mpc_footprint_count(f).rate < 1)))
			abort();
		last = c.fp[i];
	}
	mpc_curve_miss(&c, c.lines / 2);
	mpc_curve_fini(&c);
}

static void
read_all(struct mpc_trace_reader *r)
{
	struct mpc_footprint_options o = { .rate = 1, .lines = 64 };
	struct mpc_footprint *f = NULL;
	struct mpc_access a[37];
	uint64_t time = 0;
	int n;

	if (mpc_footprint_create(&o, &f, NULL) < 0)
		abort();
	while ((n = mpc_trace_read(r, a, 37, NULL)) > 0) {
		for (int i = 0; i < n; i++) {
			if (a[i].class >= mpc_trace_info(r)->classes || a[i].line > MPC_LINE_MAX ||
				a[i].time < time)
				abort();
			time = a[i].time;
		}
		if (mpc_footprint_add(f, a, (size_t)n, NULL) < 0)
			abort();
	}
	if (n == 0 && mpc_footprint_count(f).accesses != mpc_trace_info(r)->accesses)
		abort();
	check_footprint(f);
	mpc_footprint_destroy(f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mpc_trace_reader *r = NULL;
	struct nfv_err err;
	const void *bytes = data + 1;
	size_t n = size - 1;
	FILE *from;

	if (size < 2)
		return 0;
	if (data[0] % 3 > 0) {
		n = data[0] % 3 == 1 ? header(data + 1, size - 1) : block(data + 1, size - 1);
		bytes = file;
	}
	if (n == 0)
		return 0;
	from = fmemopen((void *)(uintptr_t)bytes, n, "r");
	if (from == NULL)
		abort();
	if (mpc_trace_open_stream(from, "fuzz", NULL, &r, &err) == 0)
		read_all(r);
	mpc_trace_close(r);
	fclose(from);
	return 0;
}
