#define _GNU_SOURCE /* sched_setaffinity */

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ground.h"

#define TRIES 3
#define WIDTH 40 /* of the progress bar */

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static const struct mpc_cache *
last_level(const struct mpc_caches *caches)
{
	const struct mpc_cache *last = NULL;

	for (unsigned int level = 1; level <= MPC_CACHES; level++)
		if (mpc_cache_level(caches, level) != NULL)
			last = mpc_cache_level(caches, level);
	return last;
}

int
ground_init(struct ground *g, const struct options *o, struct nfv_err *err)
{
	const struct mpc_cache *cache;
	cpu_set_t one;
	int rc;

	*g = (struct ground){ .cpu = o->cpu >= 0 ? o->cpu : sched_getcpu(), .region.fd = -1 };
	_Static_assert(sizeof(cpu_set_t) == sizeof(g->allowed), "room for a set of CPUs");
	sched_getaffinity(0, sizeof(g->allowed), (cpu_set_t *)(void *)g->allowed);
	CPU_ZERO(&one);
	CPU_SET(g->cpu < CPU_SETSIZE ? (unsigned int)g->cpu : 0, &one);
	if (g->cpu >= CPU_SETSIZE || sched_setaffinity(0, sizeof(one), &one) < 0)
		return nfv_fail(err, EINVAL,
			"CPU %d is not ours to run on; give another with --cpu", g->cpu);
	rc = mpc_cache_read("/sys", g->cpu, &g->caches, err);
	if (rc < 0)
		return rc;
	cache = o->level != 0 ? mpc_cache_level(&g->caches, o->level) : last_level(&g->caches);
	if (cache == NULL)
		return nfv_fail(err, ENOENT, "this machine tells of no level %u cache", o->level);
	g->cache = *cache;
	return 0;
}

void
ground_unpin(const struct ground *g)
{
	sched_setaffinity(0, sizeof(g->allowed), (const cpu_set_t *)(const void *)g->allowed);
}

int
ground_region(struct ground *g, const struct options *o, struct nfv_err *err)
{
	int rc = mpc_region_create(o->size, o->pages, &g->region, err);

	if (rc < 0)
		return rc;
	if (o->pages == MPC_PAGES_ANY && g->region.kind != MPC_PAGES_HUGE && !o->json)
		fputs("no huge pages are free: using pages of 4 KiB\n", stderr);
	g->frame = malloc(g->region.pages * sizeof(*g->frame));
	if (g->frame != NULL && !mpc_region_frames(&g->region, g->frame)) {
		free(g->frame);
		g->frame = NULL; /* the usual case: the kernel keeps them to itself */
	}
	return 0;
}

void
ground_fini(struct ground *g)
{
	mpc_region_destroy(&g->region);
	free(g->frame);
	g->frame = NULL;
}

static void
draw_progress(void *arg, uint32_t done, uint32_t pages)
{
	double *last = arg, t = now();
	int filled = (int)((uint64_t)done * WIDTH / pages);

	if (t - *last < 0.05 && done < pages)
		return;
	*last = t;
	fprintf(stderr, "\r[%.*s%*s] %3u %%", filled, "########################################",
		WIDTH - filled, "", (unsigned int)((uint64_t)done * 100 / pages));
}

/* Three tries for a confident map; `inner`: of the cache before, or NULL. */
static int
attempt(struct mpc_calibration *what, const struct mpc_map *inner, struct ground_run *run,
	struct nfv_err *err)
{
	struct mpc_probe machine = mpc_probe_machine();
	int rc = 0;

	run->map = (struct mpc_map){ .pages = 0 };
	for (unsigned int i = 0; i < TRIES && !run->map.confident; i++) {
		what->seed = (uint64_t)(1e9 * now());
		free(run->map.colour);
		run->map = (struct mpc_map){ .pages = 0 };
		rc = inner != NULL ? mpc_calibrate_within(what, inner, &machine, &run->map, err) :
				     mpc_calibrate(what, &machine, &run->map, err);
		run->refused += rc == -EAGAIN || (rc == 0 && !run->map.confident);
		if (rc < 0 && rc != -EAGAIN)
			break;
	}
	return rc;
}

static int
calibrate_inner(
	struct ground *g, struct mpc_calibration *what, struct ground_run *run, struct nfv_err *err)
{
	const struct mpc_cache *cache = mpc_cache_level(&g->caches, g->cache.level - 1u);
	int rc;

	if (cache == NULL)
		return nfv_fail(err, ENOENT, "this machine tells of no level %u cache",
			g->cache.level - 1u);
	what->cache = *cache;
	rc = attempt(what, NULL, run, err);
	if (rc == 0 && !run->map.confident) {
		rc = nfv_fail(err, EAGAIN, "%s", run->map.why);
		free(run->map.colour);
		run->map.colour = NULL;
	}
	what->cache = g->cache;
	return rc < 0 ? nfv_fail_in(err, rc, "the level %u cache comes first", cache->level) : 0;
}

int
ground_calibrate(struct ground *g, struct ground_run *out, struct nfv_err *err)
{
	bool terminal = isatty(STDERR_FILENO);
	struct mpc_calibration what = { .cache = g->cache,
		.page = g->region.page,
		.pages = g->region.pages,
		.frame = g->frame };
	struct ground_run run = { .seconds = 0 }, inner = { .seconds = 0 };
	double begin = now(), last = 0;
	int rc;

	if (terminal) {
		what.progress = draw_progress;
		what.arg = &last;
	}
	if (g->cache.level > 2) {
		rc = calibrate_inner(g, &what, &inner, err);
		if (rc == 0)
			rc = attempt(&what, &inner.map, &run, err);
		free(inner.map.colour);
		inner.map.colour = NULL;
	} else {
		rc = attempt(&what, NULL, &run, err);
	}
	if (terminal)
		fputs("\r\033[K", stderr);
	if (rc < 0)
		return g->cache.level > 2 ?
			nfv_fail_in(err, rc, "the level %u cache cannot be calibrated here",
				g->cache.level) :
			rc;
	run.seconds = now() - begin;
	*out = run;
	return 0;
}
