/* mempool-color: the colours of this machine's caches, measured, shown, and put to the proof. */
#define _GNU_SOURCE /* sched_getcpu */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mpc_dimacs.h"
#include "report.h"
#include "verify.h"

static int
calibrate(struct ground *g, const struct options *o, struct nfv_err *err)
{
	struct ground_run run[2];
	bool confident;
	int rc = ground_calibrate(g, &run[0], err);

	if (rc < 0)
		return rc;
	rc = ground_calibrate(g, &run[1], err);
	if (rc < 0) {
		free(run[0].map.colour);
		return rc;
	}
	report_calibration(g, run, o->json);
	confident = run[0].map.confident && run[1].map.confident;
	free(run[0].map.colour);
	free(run[1].map.colour);
	return confident ? 0 : 1;
}

static int
show(struct ground *g, const struct options *o, struct nfv_err *err)
{
	struct ground_run run;
	int rc;

	if (o->caches_only) {
		report_caches(g, NULL, o->json);
		return 0;
	}
	rc = ground_calibrate(g, &run, err);
	if (rc < 0)
		return rc;
	report_caches(g, &run.map, o->json);
	if (!o->json && o->svg == NULL)
		report_picture(stdout, &run.map);
	if (o->svg != NULL)
		rc = report_svg(o->svg, g, &run.map, err);
	if (rc == 0 && !run.map.confident) {
		nfv_fail(err, EAGAIN, "the picture is not to be relied on: %s", run.map.why);
		rc = -EAGAIN;
	}
	free(run.map.colour);
	return rc;
}

static int
verify(struct ground *g, const struct options *o, struct nfv_err *err)
{
	struct mpc_probe machine = mpc_probe_machine();
	struct mpc_arena *arena = NULL;
	struct verify_result result = { .good = false };
	struct ground_run run;
	int rc = ground_calibrate(g, &run, err);

	if (rc < 0)
		return rc;
	if (!run.map.confident)
		rc = nfv_fail(err, EAGAIN, "the colours are not certain: %s", run.map.why);
	if (rc == 0)
		rc = mpc_arena_create(&g->region, &run.map, &arena, err);
	if (rc == 0)
		rc = verify_run(arena, &g->cache, run.map.classes, &machine, &result, err);
	if (rc == 0)
		report_verification(g, &result, o->json);
	mpc_arena_destroy(arena);
	free(run.map.colour);
	return rc < 0 ? rc : result.good ? 0 : 1;
}

/* What the command line says, over what suits the cache. */
static struct bench_options
bench_options(const struct ground *g, const struct options *o)
{
	struct bench_options b = bench_defaults(&g->cache);

	b.cpu = g->cpu;
	b.helper = o->helper;
	if (o->table > 0)
		b.table = o->table < UINT32_MAX ? (uint32_t)o->table : UINT32_MAX;
	if (o->lookups > 0)
		b.lookups = o->lookups;
	if (o->repetitions > 0)
		b.repetitions = o->repetitions;
	if (o->packets > 0)
		b.packets = o->packets;
	if (o->cases > 0)
		b.cases = o->cases;
	if (o->depths > 0)
		memcpy(b.depth, o->depth, sizeof(o->depth));
	if (o->depths > 0)
		b.depths = o->depths;
	if (o->shares > 0)
		memcpy(b.share, o->share, sizeof(o->share));
	if (o->shares > 0)
		b.shares = o->shares;
	return b;
}

static void
draw_progress(void *arg, unsigned int done, unsigned int all)
{
	(void)arg;
	fprintf(stderr, "\r%3u %% of the measurement", 100 * done / all);
}

static int
bench(struct ground *g, const struct options *o, struct nfv_err *err)
{
	struct bench_options b = bench_options(g, o);
	struct bench_result *result = calloc(1, sizeof(*result));
	struct mpc_arena *arena = NULL;
	struct ground_run run = { .seconds = 0 };
	FILE *svg = NULL;
	int rc = result != NULL ? ground_calibrate(g, &run, err) :
				  nfv_fail(err, ENOMEM, "out of memory");

	if (rc == 0 && !run.map.confident)
		rc = nfv_fail(err, EAGAIN, "the colours are not certain: %s", run.map.why);
	if (rc == 0)
		rc = mpc_arena_create(&g->region, &run.map, &arena, err);
	b.arena = arena;
	b.map = &run.map;
	if (isatty(STDERR_FILENO))
		b.progress = draw_progress;
	if (rc == 0 && o->svg != NULL && (svg = fopen(o->svg, "we")) == NULL)
		rc = nfv_fail(err, EIO, "%s: %s", o->svg, strerror(errno));
	ground_unpin(g);
	if (rc == 0)
		rc = bench_run(&b, result, err);
	if (b.progress != NULL)
		fputs("\r\033[K", stderr);
	if (rc == 0)
		report_bench(result, o->json);
	if (rc == 0 && svg != NULL)
		bench_svg(result, svg);
	if (svg != NULL && fclose(svg) != 0 && rc == 0)
		rc = nfv_fail(err, EIO, "%s: it could not be written", o->svg);
	mpc_arena_destroy(arena);
	free(run.map.colour);
	free(result);
	return rc;
}

static int
mcmf(const struct options *o, struct nfv_err *err)
{
	struct mpc_mcmf_answer a = { .flow = NULL };
	struct timespec begin, end;
	struct mpc_mcmf p;
	int rc = mpc_dimacs_read(o->file, &p, err);

	if (rc < 0)
		return rc;
	a.flow = malloc(((size_t)p.arcs + 1) * sizeof(*a.flow));
	a.potential = malloc(((size_t)p.nodes + 1) * sizeof(*a.potential));
	if (a.flow == NULL || a.potential == NULL)
		rc = nfv_fail(err, ENOMEM, "%s: out of memory", o->file);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	if (rc == 0)
		rc = mpc_mcmf_solve(&p, &a, err);
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (rc == 0 && o->check)
		rc = mpc_mcmf_verify(&p, &a, err);
	if (rc < 0)
		nfv_fail_in(err, rc, "%s", o->file);
	else
		report_flow(&p, &a, o,
			(double)(end.tv_sec - begin.tv_sec) +
				(double)(end.tv_nsec - begin.tv_nsec) / 1e9);
	free(a.flow);
	free(a.potential);
	mpc_dimacs_free(&p);
	return rc;
}

static int
footprint(const struct options *o, struct nfv_err *err)
{
	struct footprint_report *r = calloc(1, sizeof(*r));
	FILE *svg = NULL;
	int rc = r != NULL ? footprint_report_read(o->file, o->rate, r, err) :
			     nfv_fail(err, ENOMEM, "out of memory");

	if (rc == 0 && o->svg != NULL && (svg = fopen(o->svg, "we")) == NULL)
		rc = nfv_fail(err, EIO, "%s: %s", o->svg, strerror(errno));
	if (rc == 0)
		report_footprint(r, o->json);
	if (rc == 0 && svg != NULL)
		footprint_report_svg(r, svg);
	if (svg != NULL && fclose(svg) != 0 && rc == 0)
		rc = nfv_fail(err, EIO, "%s: it could not be written", o->svg);
	if (r != NULL)
		footprint_report_fini(r);
	free(r);
	return rc;
}

static int
plan(const struct options *o, struct nfv_err *err)
{
	struct plan_report_options how = { o->rate, o->memory, o->simulate };
	struct plan_report *r = calloc(1, sizeof(*r));
	struct plan_machine machine;
	FILE *svg = NULL;
	int cpu = o->cpu >= 0 ? o->cpu : sched_getcpu(), rc;

	if (r == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	rc = o->machine != NULL ? plan_machine_read(o->machine, &machine, err) :
				  plan_machine_here("/sys", cpu, o->level, &machine, err);
	if (rc == 0)
		rc = plan_report_make(o->file, &machine, &how, r, err);
	if (rc == 0 && o->svg != NULL && (svg = fopen(o->svg, "we")) == NULL)
		rc = nfv_fail(err, EIO, "%s: %s", o->svg, strerror(errno));
	if (rc == 0)
		report_plan(r, o->json);
	if (rc == 0 && svg != NULL)
		plan_report_svg(r, svg);
	if (svg != NULL && fclose(svg) != 0 && rc == 0)
		rc = nfv_fail(err, EIO, "%s: it could not be written", o->svg);
	plan_report_fini(r);
	free(r);
	return rc;
}

/* Bytes that the command needs if it is not told. */
static size_t
default_size(const struct ground *g, const struct options *o)
{
	struct bench_options b = bench_options(g, o);
	size_t least = 64u << 20, need = o->command == BENCH ? bench_memory(&b) : 0;

	return need > least ? need : least;
}

int
main(int argc, char **argv)
{
	static int (*const run[COMMANDS])(
		struct ground *, const struct options *, struct nfv_err *) = {
		[CALIBRATE] = calibrate,
		[SHOW] = show,
		[VERIFY] = verify,
		[BENCH] = bench,
	};
	static int (*const of_file[COMMANDS])(const struct options *, struct nfv_err *) = {
		[MCMF] = mcmf,
		[FOOTPRINT] = footprint,
		[PLAN] = plan,
	};
	struct nfv_err err = { "" };
	struct options o;
	struct ground g;
	int rc;

	if (options_parse(argc, argv, &o, &err) < 0) {
		fprintf(stderr, "mempool-color: %s\n", err.text);
		return 2;
	}
	if (o.help) {
		options_help(stdout, o.command);
		return 0;
	}
	if (of_file[o.command] != NULL) { /* needs no memory to measure */
		rc = of_file[o.command](&o, &err);
		if (rc < 0)
			fprintf(stderr, "mempool-color: %s\n", err.text);
		return rc == 0 ? 0 : 1;
	}
	rc = ground_init(&g, &o, &err);
	if (rc == 0 && !o.size_given)
		o.size = default_size(&g, &o);
	if (rc == 0 && !o.caches_only)
		rc = ground_region(&g, &o, &err);
	if (rc == 0)
		rc = run[o.command](&g, &o, &err);
	ground_fini(&g);
	if (rc < 0)
		fprintf(stderr, "mempool-color: %s\n", err.text);
	return rc == 0 ? 0 : 1;
}
