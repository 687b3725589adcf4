#define _GNU_SOURCE /* CPU affinity */

#include <cpuid.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "bench_layout.h"

#define MIN_DEPTH 256 /* the helper is up to half as far ahead */

struct run {
	struct bench_options o;
	struct layout layout;
	double *cycles; /* [arm][repetition] */
	double *burst;  /* room for the work */
	double *ratio;  /* room for one arm's */
	struct plan plan[BENCH_ARMS];
	unsigned int plans;
};

const char *
bench_case_name(enum bench_case which)
{
	static const char *const name[] = { "same-core", "other-core", "retention" };

	return name[which];
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct bench_spread
bench_spread(double *v, uint32_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	return (struct bench_spread){ n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2, v[0],
		v[n - 1] };
}

struct bench_spread
bench_paired(const double *a, const double *b, uint32_t n, double *ratio)
{
	for (uint32_t i = 0; i < n; i++)
		ratio[i] = a[i] / b[i];
	return bench_spread(ratio, n);
}

struct bench_options
bench_defaults(const struct mpc_cache *cache)
{
	struct bench_options o = { .cache = *cache,
		.table = cache->size / 4 * 3,
		.lookups = 6,
		.lines = 12,
		.depth = { 1024, 2048, 4096, 8192 },
		.depths = 4,
		.repetitions = 15,
		.packets = 30000,
		.cpu = -1,
		.helper = -1,
		.cases = (1u << BENCH_CASES) - 1,
		.seed = 1 };

	/* Fewer than a sixteenth would crowd the buffers of the next cache as well, and take twice the
	 * memory. */
	for (uint32_t i = 0; i < 5; i++) {
		static const uint32_t sixteenths[] = { 1, 2, 4, 6, 8 };
		uint32_t k = cache->colours * sixteenths[i] / 16;

		if (k > (o.shares > 0 ? o.share[o.shares - 1] : 0))
			o.share[o.shares++] = k;
	}
	return o;
}

static int
check(const struct bench_options *o, struct nfv_err *err)
{
	if (o->map->classes < 2 || o->map->classes > 64 || o->map->classes != o->cache.colours)
		return nfv_fail(err, EINVAL,
			"the map has %u colours and the cache %u; both must have the same 2 to 64",
			o->map->classes, o->cache.colours);
	if (o->packets == 0 || o->repetitions == 0)
		return nfv_fail(err, EINVAL,
			"there is nothing to measure in %u repetitions of %u packets",
			o->repetitions, o->packets);
	if (o->table < WORK_LINE || o->lookups == 0)
		return nfv_fail(err, EINVAL,
			"a table of %u bytes and %u look-ups a packet measure nothing", o->table,
			o->lookups);
	if (o->lines == 0 || o->lines > WORK_BUFFER / WORK_LINE)
		return nfv_fail(err, EINVAL,
			"%u lines a packet are asked for; a buffer has 1 to %u", o->lines,
			WORK_BUFFER / WORK_LINE);
	if ((o->cases & ((1u << BENCH_CASES) - 1)) == 0)
		return nfv_fail(err, EINVAL, "no case is asked for");
	if (o->depths == 0 || o->depths > BENCH_DEPTHS || o->shares == 0 ||
		o->shares > BENCH_SHARES)
		return nfv_fail(err, EINVAL,
			"%u depths and %u shares are asked for; up to %u and %u can be", o->depths,
			o->shares, BENCH_DEPTHS, BENCH_SHARES);
	for (unsigned int i = 0; i < o->depths; i++)
		if (o->depth[i] < MIN_DEPTH)
			return nfv_fail(err, EINVAL, "%u buffers do not rotate; give at least %u",
				o->depth[i], MIN_DEPTH);
	for (unsigned int i = 0; i < o->shares; i++)
		if (o->share[i] == 0 || o->share[i] >= o->map->classes)
			return nfv_fail(err, EINVAL,
				"%u of %u colours for the buffers leave one side without any; give 1 to %u",
				o->share[i], o->map->classes, o->map->classes - 1);
	return 0;
}

/* The thread's CPU and another one. */
static int
place(struct bench_options *o, const cpu_set_t *may, struct nfv_err *err)
{
	cpu_set_t one;

	if (o->cpu < 0)
		o->cpu = sched_getcpu();
	CPU_ZERO(&one);
	CPU_SET(o->cpu, &one); /* nothing where there is no such CPU */
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		return nfv_fail(err, EINVAL, "this program may not run on CPU %d", o->cpu);
	for (int i = 0; i < CPU_SETSIZE && o->helper < 0; i++)
		if (i != o->cpu && CPU_ISSET(i, may))
			o->helper = i;
	if (o->helper == o->cpu || (o->helper >= 0 && !CPU_ISSET(o->helper, may)))
		return nfv_fail(err, EINVAL, "the helper cannot run on CPU %d; give another one",
			o->helper);
	return 0;
}

static int
run_arm(struct run *r, const struct bench_row *row, const struct plan *p, struct work_done *out,
	struct nfv_err *err)
{
	struct work w = { .which = row->which,
		.streaming = p->streaming,
		.table = r->layout.page,
		.buffer = r->layout.buffer,
		.receive = r->layout.receive,
		.table_lines = r->o.table / WORK_LINE,
		.depth = row->depth,
		.lookups = r->o.lookups,
		.lines = r->o.lines,
		.packets = r->o.packets,
		.burst = r->burst,
		.helper = r->o.helper };
	int rc = layout_take(&r->layout, &r->o, p, row->depth, err);

	if (rc < 0)
		return rc;
	/* Until the buffers have gone round and most of the table has been asked for. */
	w.warm_up = row->depth + 2 * w.table_lines / w.lookups;
	w.warm_up -= w.warm_up % WORK_BURST;
	work_fill(&w);
	rc = work_run(&w, out, err);
	layout_give(&r->layout);
	return rc;
}

/* All arms take turns within a repetition. */
static int
run_row(struct run *r, const struct bench_row *row, unsigned int before, unsigned int all,
	struct nfv_err *err)
{
	for (uint32_t i = 0; i < r->o.repetitions; i++) {
		struct work_done first = { 0 }, done;

		/* None is always the first, behind the same other one. */
		for (unsigned int k = 0; k < r->plans; k++) {
			unsigned int a = (k + i) % r->plans;
			int rc = run_arm(r, row, &r->plan[a], &done, err);

			if (rc < 0)
				return rc;
			r->cycles[a * r->o.repetitions + i] = done.cycles;
			if (k == 0)
				first = done;
			if (done.sum != first.sum)
				return nfv_fail(err, EIO,
					"%s and %s came to different results; the memory was changed meanwhile",
					r->plan[i % r->plans].name, r->plan[a].name);
		}
		if (r->o.progress != NULL)
			r->o.progress(r->o.arg, before + i + 1, all);
	}
	return 0;
}

/* Cycles for now; packets a second come when the clock is known. */
static void
sum_up(const struct run *r, struct bench_row *row)
{
	uint32_t n = r->o.repetitions;

	for (unsigned int i = 0; i < r->plans; i++) {
		const struct plan *p = &r->plan[i];
		struct bench_arm *a = &row->arm[i];

		snprintf(a->name, sizeof(a->name), "%s", p->name);
		a->colours = p->colours;
		a->ratio = bench_paired(r->cycles, r->cycles + (size_t)i * n, n, r->ratio);
		for (uint32_t k = 0; k < n; k++)
			a->won += r->ratio[k] > 1;
	}
	/* Sorting would undo the pairs: only now. */
	for (unsigned int i = 0; i < r->plans; i++)
		row->arm[i].cycles = bench_spread(r->cycles + (size_t)i * n, n);
	row->arms = r->plans;
	row->first_static = r->plans - r->o.shares;
	row->best = row->first_static;
	for (unsigned int i = row->best; i < row->arms; i++)
		if (row->arm[i].ratio.median > row->arm[row->best].ratio.median)
			row->best = i;
}

static int
run_rows(struct run *r, struct bench_result *out, struct nfv_err *err)
{
	unsigned int all = 0, before = 0;

	for (int c = 0; c < BENCH_CASES; c++)
		for (unsigned int d = 0; d < r->o.depths && (r->o.cases >> c & 1); d++) {
			struct bench_row *row = &out->row[out->rows++];

			row->which = (enum bench_case)c;
			row->depth = r->o.depth[d];
			if (c == BENCH_OTHER_CORE && r->o.helper < 0)
				snprintf(row->skipped, sizeof(row->skipped),
					"there is no other CPU that this program may run on");
			else
				all += r->o.repetitions;
		}
	for (unsigned int i = 0; i < out->rows; i++) {
		struct bench_row *row = &out->row[i];
		int rc;

		if (row->skipped[0] != '\0')
			continue;
		r->plans = layout_plans(&r->o, row->which, r->plan);
		rc = run_row(r, row, before, all, err);
		if (rc < 0)
			return nfv_fail_in(err, rc, "%s", bench_case_name(row->which));
		sum_up(r, row);
		before += r->o.repetitions;
	}
	return 0;
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
count_packets(struct bench_result *out)
{
	for (unsigned int i = 0; i < out->rows; i++)
		for (unsigned int k = 0; k < out->row[i].arms; k++) {
			struct bench_arm *a = &out->row[i].arm[k];

			a->pps = (struct bench_spread){ out->tsc_hz / a->cycles.median,
				out->tsc_hz / a->cycles.max, out->tsc_hz / a->cycles.min };
		}
}

static void
cpu_model(char model[64])
{
	unsigned int word[3][4] = { { 0 } };
	const char *from = (const char *)word;

	for (unsigned int i = 0; i < 3; i++)
		if (!__get_cpuid(
			    0x80000002u + i, &word[i][0], &word[i][1], &word[i][2], &word[i][3]))
			break;
	while (*from == ' ')
		from++;
	snprintf(model, 64, "%.*s", (int)(sizeof(word) - 1), from);
}

static int
measure(struct run *r, struct bench_result *res, struct nfv_err *err)
{
	double since = seconds();
	uint64_t tsc = __rdtsc();
	int rc = run_rows(r, res, err);

	if (rc < 0)
		return rc;
	res->tsc_hz = (double)(__rdtsc() - tsc) / (seconds() - since);
	count_packets(res);
	cpu_model(res->model);
	res->options = r->o;
	res->options.arena = NULL;
	res->options.map = NULL;
	res->confident = r->o.map->confident;
	return 0;
}

int
bench_run(const struct bench_options *o, struct bench_result *out, struct nfv_err *err)
{
	struct run r = { .o = *o };
	struct bench_result *res = NULL;
	cpu_set_t before;
	int rc = check(o, err);

	if (rc < 0)
		return rc;
	r.plans = layout_plans(o, BENCH_RETENTION, r.plan);
	rc = layout_check(o, r.plan, r.plans, err);
	if (rc < 0)
		return rc;
	rc = layout_init(&r.layout, o, err);
	if (rc < 0)
		goto done;
	res = calloc(1, sizeof(*res));
	r.cycles = calloc(o->repetitions, BENCH_ARMS * sizeof(*r.cycles));
	r.burst = calloc(o->packets / WORK_BURST + 1, sizeof(*r.burst));
	r.ratio = calloc(o->repetitions, sizeof(*r.ratio));
	if (res == NULL || r.cycles == NULL || r.burst == NULL || r.ratio == NULL) {
		rc = nfv_fail(err, ENOMEM, "out of memory");
		goto done;
	}
	sched_getaffinity(0, sizeof(before), &before);
	rc = place(&r.o, &before, err);
	if (rc == 0)
		rc = measure(&r, res, err);
	sched_setaffinity(0, sizeof(before), &before);
	if (rc == 0)
		*out = *res;
done:
	free(res);
	free(r.cycles);
	free(r.burst);
	free(r.ratio);
	layout_fini(&r.layout);
	return rc;
}
