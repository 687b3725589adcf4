#include <stdlib.h>
#include <string.h>

#include "party.h"
#include "windows.h"

#define CALLS        1000u /* at least */
#define LENGTH_S     0.02  /* at least */
#define SETTLE_S     0.25  /* before the first */
#define GENERATOR_US 50
#define WORKER_US    150

void
windows_init(struct windows *w, const struct hist *hist, const struct nfv_worker *worker,
	uint64_t hz, uint64_t tsc, double seconds)
{
	*w = (struct windows){ .hist = hist,
		.worker = worker,
		.hz = hz,
		.until = tsc + (uint64_t)(SETTLE_S * (double)hz),
		.last = tsc,
		.moved = tsc,
		.max = (uint32_t)(seconds / LENGTH_S) };
	w->done = calloc(w->max + 1u, sizeof(*w->done));
	party_need(w->done != NULL, "out of memory");
}

void
windows_fini(struct windows *w)
{
	free(w->done);
}

static bool
is_disturbed(const struct window *w)
{
	return w->generator || w->worker;
}

/* The window is over. What came before the first had to settle. */
static void
next(struct windows *w, uint64_t tsc)
{
	static struct hist came;

	hist_since(w->hist, &w->before, &came);
	w->before = *w->hist;
	w->until = tsc + (uint64_t)(LENGTH_S * (double)w->hz);
	if (w->settled) {
		w->now.calls = came.n;
		w->now.p50 = hist_quantile(&came, 0.5);
		w->now.p99 = hist_quantile(&came, 0.99);
		w->now.quiet = !w->paused && !is_disturbed(&w->now);
		if (w->now.quiet)
			hist_merge(&w->quiet, &came);
		w->done[w->n++] = w->now;
	}
	w->paused = !w->settled || is_disturbed(&w->now);
	w->settled = true;
	w->now = (struct window){ 0 };
}

void
windows_turn(struct windows *w, uint64_t tsc)
{
	uint64_t us = w->hz / 1000000, round;

	if (tsc - w->last > GENERATOR_US * us) {
		w->now.generator = true;
		w->moved = tsc; /* nobody has looked at the worker */
	}
	w->last = tsc;
	if (w->worker != NULL) {
		round = atomic_load_explicit(&w->worker->round, memory_order_relaxed);
		if (round != w->round)
			w->moved = tsc;
		else if (tsc - w->moved > WORKER_US * us)
			w->now.worker = true;
		w->round = round;
	}
	if (tsc >= w->until && w->n < w->max && w->hist->n >= w->before.n + CALLS)
		next(w, tsc);
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Of the values that lie at `at` in each window. */
static uint64_t
median(const struct windows *w, size_t at)
{
	uint64_t *v = calloc(w->n + 1u, sizeof(*v)), m;

	party_need(v != NULL, "out of memory");
	for (uint32_t i = 0; i < w->n; i++)
		memcpy(&v[i], (const char *)&w->done[i] + at, sizeof(v[i]));
	qsort(v, w->n, sizeof(*v), compare);
	m = v[w->n / 2];
	free(v);
	return m;
}

static double
us(uint64_t ns)
{
	return (double)ns / 1000;
}

json_t *
windows_json(const struct windows *w)
{
	const struct hist *q = &w->quiet;
	unsigned int generator = 0, worker = 0, disturbed = 0, quiet = 0;
	double n = w->n > 0 ? w->n : 1;

	for (uint32_t i = 0; i < w->n; i++) {
		generator += w->done[i].generator;
		worker += w->done[i].worker;
		disturbed += is_disturbed(&w->done[i]);
		quiet += w->done[i].quiet;
	}
	return json_pack("{s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:{s:i, s:I, s:f, s:f, s:f}}", "n",
		(int)w->n, "calls", (json_int_t)median(w, offsetof(struct window, calls)), "p50_us",
		us(median(w, offsetof(struct window, p50))), "p99_us",
		us(median(w, offsetof(struct window, p99))), "generator", generator / n, "worker",
		worker / n, "disturbed", disturbed / n, "quiet", "n", (int)quiet, "calls",
		(json_int_t)q->n, "p50_us", us(hist_quantile(q, 0.5)), "p99_us",
		us(hist_quantile(q, 0.99)), "p999_us", us(hist_quantile(q, 0.999)));
}
