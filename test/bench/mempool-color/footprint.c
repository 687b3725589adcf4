/*
 * What traces cost: to record, to read, to simulate, and to take footprints of, all and sampled; and
 * how far samples of several seeds are off, over the sizes of caches from 1 MiB on. Seconds are those
 * of the processor, so that neighbours take less away. One line of JSON a trace.
 *
 *     bench_footprint [accesses, 8000000]
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "../../mempool-color/accesses.h"
#include "mpc_footprint.h"
#include "mpc_simulate.h"
#include "mpc_trace.h"

#define SEEDS 5
#define LEAST 16384 /* lines: 1 MiB */

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void
demand(int rc, const struct nfv_err *err)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "bench_footprint: %s\n", err->text);
	exit(1);
}

static void
make_zipf(struct accesses *t, size_t n)
{
	struct zipf z = zipf_new(1 << 20, 0.9);

	/* Scattered, as the hot lines of a table are. */
	while (t->n < n)
		accesses_add(t, 0, (uint64_t)zipf_next(&z, t) * 0x9e3779b1u % (1 << 20));
	free(z.sum);
}

static void
make_uniform(struct accesses *t, size_t n)
{
	while (t->n < n)
		accesses_add(t, 0, accesses_below(t, 1 << 21));
}

/* Packets through 8,192 buffers, each followed by look-ups in a table of 6 MiB. */
static void
make_packets(struct accesses *t, size_t n)
{
	struct zipf z = zipf_new(100000, 0.6);

	for (uint64_t packet = 0; t->n < n; packet++) {
		for (uint32_t k = 0; k < 12; k++)
			accesses_add(t, 0, 1 << 20 | (packet % 8192 * 32 + k));
		for (int k = 0; k < 6; k++)
			accesses_add(t, 1, zipf_next(&z, t));
	}
	free(z.sum);
}

static struct mpc_curve
footprint(const struct accesses *t, double rate, uint64_t seed, double *speed)
{
	struct mpc_footprint_options o = { .rate = rate, .seed = seed };
	struct mpc_footprint *f = NULL;
	struct nfv_err err = { "" };
	double begin = now();
	struct mpc_curve c;

	demand(mpc_footprint_create(&o, &f, &err), &err);
	demand(mpc_footprint_add(f, t->a, t->n, &err), &err);
	mpc_footprint_end(f);
	demand(mpc_footprint_curve(f, MPC_TOGETHER, MPC_TRACE_TIME, MPC_HOTL, &c, &err), &err);
	*speed = (double)t->n / (now() - begin);
	mpc_footprint_destroy(f);
	return c;
}

/* Over the sizes of caches from LEAST on: the mean, and the worst so far. */
static double
compare(const struct mpc_curve *c, const struct mpc_curve *exact, double *worst)
{
	double sum = 0;
	int sizes = 0;

	for (uint64_t size = LEAST; size < (uint64_t)exact->lines; size += size / 10, sizes++) {
		double off =
			fabs(mpc_curve_miss(c, (double)size) - mpc_curve_miss(exact, (double)size));

		*worst = fmax(*worst, off);
		sum += off;
	}
	return sizes > 0 ? sum / sizes : 0;
}

static json_t *
footprints(const struct accesses *t)
{
	static const double rate[] = { 1, 0.1, 0.01 };
	json_t *all = json_array();
	struct mpc_curve exact;
	double speed;

	exact = footprint(t, 1, 1, &speed); /* once to warm up */
	for (int i = 0; i < 3; i++) {
		double worst = 0, mean = 0, seconds = 0;

		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			struct mpc_curve c = footprint(t, rate[i], seed, &speed);

			mean += compare(&c, &exact, &worst) / SEEDS;
			seconds += 1 / speed;
			mpc_curve_fini(&c);
		}
		json_array_append_new(all,
			json_pack("{s:f, s:f, s:f, s:f}", "rate", rate[i], "accesses_per_second",
				SEEDS / seconds, "mean", mean, "worst", worst));
	}
	mpc_curve_fini(&exact);
	return all;
}

static double
simulate(const struct accesses *t, enum mpc_policy policy)
{
	struct mpc_cache cache = { .level = 2, .line = 64, .ways = 16, .sets = 1024 };
	struct mpc_sim_count count[MPC_CLASSES] = { { 0 } };
	struct mpc_palette all = { { 0xffff, 0xffff } };
	struct mpc_place place = mpc_place_palette(&all);
	struct nfv_err err = { "" };
	struct mpc_sim *s = NULL;
	double begin = now();

	demand(mpc_sim_create(&cache, policy, &s, &err), &err);
	mpc_sim_run(s, t->a, t->n, &place, count);
	mpc_sim_destroy(s);
	return (double)t->n / (now() - begin);
}

/* Recorded as fast as can be, into a ring that has room for half of it: nobody drains meanwhile. */
static json_t *
record(const struct accesses *t)
{
	char name[] = "/tmp/bench_footprint.XXXXXX";
	struct mpc_trace_info info = {
		.line = 64, .classes = 2, .class = { { "a", 0 }, { "b", 0 } }
	};
	struct mpc_trace_reader *reader = NULL;
	struct mpc_trace_writer *w = NULL;
	struct mpc_recorder *r = NULL;
	struct mpc_access a[1024];
	struct nfv_err err = { "" };
	double begin, taken, read;
	int fd = mkstemp(name), got;
	FILE *f;

	demand(mpc_recorder_create(512, 64, &r, &err), &err);
	demand(mpc_trace_create(name, &info, r, UINT64_MAX, &w, &err), &err);
	begin = now();
	for (size_t i = 0; i < t->n; i++)
		mpc_record(r, t->a[i].class, t->a[i].line << 6, t->a[i].time >> 6 << 6);
	mpc_recorder_stop(r);
	taken = now() - begin;
	demand(mpc_trace_finish(w, &info, &err), &err);
	mpc_recorder_destroy(r);
	begin = now();
	demand(mpc_trace_open(name, NULL, &reader, &err), &err);
	while ((got = mpc_trace_read(reader, a, 1024, &err)) > 0)
		;
	demand(got, &err);
	mpc_trace_close(reader);
	read = now() - begin;
	f = fdopen(fd, "r");
	fseek(f, 0, SEEK_END);
	json_t *j = json_pack("{s:f, s:I, s:f, s:f}", "nanoseconds", 1e9 * taken / (double)t->n,
		"lost", (json_int_t)info.lost, "bytes", (double)ftell(f) / (double)info.accesses,
		"read_per_second", (double)info.accesses / read);
	fclose(f);
	unlink(name);
	return j;
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*make)(struct accesses *t, size_t n);
	} trace[] = { { "zipf", make_zipf }, { "uniform", make_uniform },
		{ "packets", make_packets } };
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 8000000;

	for (size_t i = 0; i < sizeof(trace) / sizeof(trace[0]); i++) {
		struct accesses t = { .random = 17 };

		trace[i].make(&t, n);
		json_t *j = json_pack("{s:s, s:I, s:o, s:f, s:f, s:o}", "trace", trace[i].name,
			"accesses", (json_int_t)t.n, "footprint", footprints(&t), "lru_per_second",
			simulate(&t, MPC_LRU), "plru_per_second", simulate(&t, MPC_PLRU), "record",
			record(&t));

		json_dumpf(j, stdout, JSON_COMPACT | JSON_REAL_PRECISION(4));
		putchar('\n');
		json_decref(j);
		free(t.a);
	}
	return 0;
}
