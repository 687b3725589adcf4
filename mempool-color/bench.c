#define _GNU_SOURCE /* CPU affinity */

#include <cpuid.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "bench_work.h"

#define RECEIVE_PAGES (WORK_RECEIVE * WORK_BUFFER / MPC_PAGE)
#define MIN_DEPTH     256 /* the helper is up to half as far ahead */

/* An arm: on pages of which colours it puts what. */
struct plan {
	const char *name;
	uint32_t colours; /* for the buffers; 0: not confined */
	bool random;      /* any pages, not even spread evenly */
	bool streaming;
	mpc_colours table, buffers; /* unless random */
};

struct run {
	struct bench_options o;
	uint64_t random;
	uint16_t fullest[64]; /* colours by number of pages, most first */
	uint8_t **page;       /* room for all pages: the table's, receive buffers', then others */
	uint8_t **buffer;     /* of the deepest rotation */
	uint8_t *receive[WORK_RECEIVE];
	double *cycles; /* [arm][repetition] */
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

static uint32_t
table_pages(const struct bench_options *o)
{
	return (o->table + MPC_PAGE - 1) / MPC_PAGE;
}

static uint32_t
buffer_pages(uint32_t depth)
{
	return (depth + 1) / 2;
}

static uint32_t
deepest(const struct bench_options *o)
{
	uint32_t most = 0;

	for (unsigned int i = 0; i < o->depths; i++)
		most = o->depth[i] > most ? o->depth[i] : most;
	return most;
}

/* Pages a region needs for `n` of them to be of `k` colours: colours are not equally frequent. */
static uint64_t
pages_for(uint32_t n, uint32_t k, uint32_t colours)
{
	double each = (double)n / k;

	return (uint64_t)((each + 4 * sqrt(each) + 16) * colours);
}

uint64_t
bench_memory(const struct bench_options *o)
{
	uint32_t table = table_pages(o) + RECEIVE_PAGES, buffers = buffer_pages(deepest(o));
	uint32_t colours = o->cache.colours;
	uint64_t need = pages_for(table + buffers, colours, colours);

	for (unsigned int i = 0; i < o->shares; i++) {
		uint32_t k = o->share[i];
		uint64_t a, b;

		if (k == 0 || k >= colours)
			continue;
		a = pages_for(buffers, k, colours);
		b = pages_for(table, colours - k, colours);
		need = a > need ? a : need;
		need = b > need ? b : need;
	}
	return need * MPC_PAGE;
}

static int
check(const struct bench_options *o, struct nfv_err *err)
{
	if (o->map->classes < 2)
		return nfv_fail(err, EINVAL, "the map has %u colours; nothing can be kept apart",
			o->map->classes);
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
	CPU_SET(o->cpu, &one);
	if (o->cpu >= CPU_SETSIZE || sched_setaffinity(0, sizeof(one), &one) < 0)
		return nfv_fail(err, EINVAL, "this program may not run on CPU %d", o->cpu);
	for (int i = 0; i < CPU_SETSIZE && o->helper < 0; i++)
		if (i != o->cpu && CPU_ISSET(i, may))
			o->helper = i;
	if (o->helper == o->cpu || (o->helper >= 0 && !CPU_ISSET(o->helper, may)))
		return nfv_fail(err, EINVAL, "the helper cannot run on CPU %d; give another one",
			o->helper);
	return 0;
}

/* Colours that hold most pages go to the buffers, which need most. */
static void
rank_colours(struct run *r)
{
	uint32_t n = r->o.map->classes;

	for (uint16_t c = 0; c < n; c++) {
		uint32_t pages = mpc_arena_free(r->o.arena, 1ull << c), at = c;

		while (at > 0 && mpc_arena_free(r->o.arena, 1ull << r->fullest[at - 1]) < pages) {
			r->fullest[at] = r->fullest[at - 1];
			at--;
		}
		r->fullest[at] = c;
	}
}

/* The arms of a case, `off` first. Another way to lay pages out is another line here. */
static void
make_plans(struct run *r, enum bench_case which)
{
	uint32_t n = r->o.map->classes;
	mpc_colours all = n < 64 ? (1ull << n) - 1 : MPC_ALL_COLOURS;

	r->plans = 0;
	r->plan[r->plans++] = (struct plan){ .name = "off", .random = true };
	r->plan[r->plans++] = (struct plan){ .name = "even", .table = all, .buffers = all };
	if (which == BENCH_RETENTION)
		r->plan[r->plans++] =
			(struct plan){ .name = "nt", .random = true, .streaming = true };
	for (unsigned int i = 0; i < r->o.shares; i++) {
		struct plan p = { .name = "static", .colours = r->o.share[i] };

		for (uint32_t k = 0; k < p.colours; k++)
			p.buffers |= 1ull << r->fullest[k];
		p.table = all & ~p.buffers;
		r->plan[r->plans++] = p;
	}
}

static int
check_room(const struct run *r, struct nfv_err *err)
{
	uint32_t table = table_pages(&r->o) + RECEIVE_PAGES, buffers = buffer_pages(deepest(&r->o));
	unsigned int need = (unsigned int)(bench_memory(&r->o) >> 20) + 1;

	if (mpc_arena_free(r->o.arena, MPC_ALL_COLOURS) < table + buffers)
		return nfv_fail(err, ENOSPC,
			"a table of %u pages and buffers of %u are more than the region's %u; give a region of "
			"%u MiB",
			table, buffers, mpc_arena_free(r->o.arena, MPC_ALL_COLOURS), need);
	for (unsigned int i = 0; i < r->plans; i++) {
		const struct plan *p = &r->plan[i];
		uint32_t a = mpc_arena_free(r->o.arena, p->buffers),
			 b = mpc_arena_free(r->o.arena, p->table);

		if (p->colours > 0 && (a < buffers || b < table))
			return nfv_fail(err, ENOSPC,
				"with %u of %u colours for the buffers, these have %u pages of %u and the table "
				"%u of %u; give a region of %u MiB, fewer buffers or other shares",
				p->colours, r->o.map->classes, a, buffers, b, table, need);
	}
	return 0;
}

static uint32_t
below(struct run *r, uint32_t n)
{
	r->random = r->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((r->random >> 32) * n >> 32);
}

/*
 * Pages for an arm, others each time: first the table's and the receive buffers', then the rotating
 * buffers'. What is free is shuffled, so that order in memory is as random in one arm as in another.
 */
static int
take_pages(struct run *r, const struct plan *p, uint32_t hot, uint32_t buffers, struct nfv_err *err)
{
	uint32_t n = mpc_arena_free(r->o.arena, MPC_ALL_COLOURS);
	int rc = mpc_arena_take(r->o.arena, MPC_ALL_COLOURS, n, r->page, err);

	if (rc < 0)
		return rc;
	for (uint32_t i = n; i > 1; i--) {
		uint32_t k = below(r, i);
		uint8_t *x = r->page[i - 1];

		r->page[i - 1] = r->page[k];
		r->page[k] = x;
	}
	if (p->random) {
		mpc_arena_give(r->o.arena, r->page + hot + buffers, n - hot - buffers);
		return 0;
	}
	mpc_arena_give(r->o.arena, r->page, n);
	rc = mpc_arena_take(r->o.arena, p->table, hot, r->page, err);
	if (rc < 0)
		return rc;
	rc = mpc_arena_take(r->o.arena, p->buffers, buffers, r->page + hot, err);
	if (rc < 0)
		mpc_arena_give(r->o.arena, r->page, hot);
	return rc;
}

/*
 * A buffer starts somewhere in its half of a page, as those of a pool do whose size is no power of
 * two: else all first lines would meet in a few sets, and spare the others.
 */
static void
lay_buffers(struct run *r, uint8_t **buffer, uint8_t *const *page, uint32_t n)
{
	uint32_t spare = WORK_BUFFER / WORK_LINE - r->o.lines + 1;

	for (uint32_t i = 0; i < n; i++)
		buffer[i] = page[i / 2] + (size_t)(i % 2) * WORK_BUFFER +
			(size_t)below(r, spare) * WORK_LINE;
}

static int
run_arm(struct run *r, enum bench_case which, uint32_t depth, const struct plan *p,
	struct work_done *out, struct nfv_err *err)
{
	uint32_t table = table_pages(&r->o), hot = table + RECEIVE_PAGES,
		 buffers = buffer_pages(depth);
	struct work w = { .which = which,
		.streaming = p->streaming,
		.table = r->page,
		.buffer = r->buffer,
		.receive = r->receive,
		.table_lines = r->o.table / WORK_LINE,
		.depth = depth,
		.lookups = r->o.lookups,
		.lines = r->o.lines,
		.packets = r->o.packets,
		.helper = r->o.helper };
	int rc = take_pages(r, p, hot, buffers, err);

	if (rc < 0)
		return nfv_fail_in(err, rc, "%s", p->name);
	/* Until the buffers have gone round and most of the table has been asked for. */
	w.warm_up = depth + 2 * w.table_lines / w.lookups;
	w.warm_up -= w.warm_up % WORK_BURST;
	lay_buffers(r, r->receive, r->page + table, WORK_RECEIVE);
	lay_buffers(r, r->buffer, r->page + hot, depth);
	work_fill(&w);
	rc = work_run(&w, out, err);
	mpc_arena_give(r->o.arena, r->page, hot + buffers);
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
			int rc = run_arm(r, row->which, row->depth, &r->plan[a], &done, err);

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
		make_plans(r, row->which);
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
	unsigned int word[12] = { 0 };
	const char *from = (const char *)word;

	for (unsigned int i = 0; i < 3; i++)
		if (!__get_cpuid(0x80000002u + i, &word[4 * i], &word[4 * i + 1], &word[4 * i + 2],
			    &word[4 * i + 3]))
			break;
	while (*from == ' ')
		from++;
	snprintf(model, 64, "%.*s", (int)(sizeof(word) - 1), from);
}

int
bench_run(const struct bench_options *o, struct bench_result *out, struct nfv_err *err)
{
	struct run r = { .o = *o, .random = o->seed };
	struct bench_result *res = NULL;
	cpu_set_t before;
	double since;
	uint64_t tsc;
	int rc = check(o, err);

	if (rc < 0)
		return rc;
	sched_getaffinity(0, sizeof(before), &before);
	rank_colours(&r);
	make_plans(&r, BENCH_RETENTION);
	rc = check_room(&r, err);
	if (rc < 0)
		return rc;
	res = calloc(1, sizeof(*res));
	r.page = malloc(mpc_arena_region(o->arena)->pages * sizeof(*r.page));
	r.buffer = malloc(deepest(o) * sizeof(*r.buffer));
	r.cycles = calloc((size_t)BENCH_ARMS * o->repetitions, sizeof(*r.cycles));
	r.ratio = malloc(o->repetitions * sizeof(*r.ratio));
	if (res == NULL || r.page == NULL || r.buffer == NULL || r.cycles == NULL ||
		r.ratio == NULL) {
		rc = nfv_fail(err, ENOMEM, "out of memory");
		goto done;
	}
	rc = place(&r.o, &before, err);
	if (rc < 0)
		goto done;
	since = seconds();
	tsc = __rdtsc();
	rc = run_rows(&r, res, err);
	sched_setaffinity(0, sizeof(before), &before);
	if (rc < 0)
		goto done;
	res->tsc_hz = (double)(__rdtsc() - tsc) / (seconds() - since);
	count_packets(res);
	cpu_model(res->model);
	res->options = r.o;
	res->options.arena = NULL;
	res->options.map = NULL;
	res->confident = o->map->confident;
	*out = *res;
done:
	free(res);
	free(r.page);
	free(r.buffer);
	free(r.cycles);
	free(r.ratio);
	return rc;
}
