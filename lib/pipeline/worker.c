#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_pause.h>

#include "nfv_pipeline.h"

/* On quitting: at most so many more polls that still find something. */
#define LAST_POLLS 1000

static unsigned int
poll_all(const struct nfv_worker *w)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < w->n_chains; i++)
		n += nfv_chain_poll(w->chain[i]);
	return n;
}

static void
idled(const struct nfv_worker *w, uint64_t cycles)
{
	for (uint32_t i = 0; i < w->n_chains; i++)
		nfv_chain_idled(w->chain[i], cycles);
}

static inline void
run_errand(struct nfv_worker *w)
{
	struct nfv_errand *e = atomic_load_explicit(&w->errand, memory_order_acquire);

	if (__builtin_expect(e == NULL, 1))
		return;
	e->run(e->arg);
	atomic_store_explicit(&w->errand, NULL, memory_order_release);
}

static int
loop(void *arg)
{
	struct nfv_worker *w = arg;
	uint64_t tick = w->tsc_hz / 1000, next = rte_rdtsc(), now = next;
	uint64_t round = atomic_load_explicit(&w->round, memory_order_relaxed);
	int state;

	while ((state = atomic_load_explicit(&w->state, memory_order_acquire)) != NFV_WORKER_QUIT) {
		uint64_t then = now;

		if (state == NFV_WORKER_RUNNING) {
			bool busy = poll_all(w) > 0;

			now = rte_rdtsc();
			if (busy)
				w->busy_cycles += now - then;
			else
				idled(w, now - then);
		} else {
			rte_pause();
			now = rte_rdtsc();
		}
		if (now >= next) {
			for (uint32_t i = 0; i < w->n_chains; i++)
				nfv_chain_tick(w->chain[i], now);
			next = now + tick;
		}
		run_errand(w);
		atomic_store_explicit(&w->round, ++round, memory_order_release);
	}
	for (int i = 0; i < LAST_POLLS && poll_all(w) > 0; i++)
		;
	return 0;
}

int
nfv_worker_call(const struct nfv_worker *w, int (*fn)(void *), void *arg)
{
	int rc;

	if (w->lcore == rte_lcore_id())
		return fn(arg);
	rc = rte_eal_remote_launch(fn, arg, w->lcore);
	return rc < 0 ? rc : rte_eal_wait_lcore(w->lcore);
}

int
nfv_worker_start(struct nfv_worker *w, struct nfv_err *err)
{
	int rc;

	w->start_tsc = rte_rdtsc();
	rc = rte_eal_remote_launch(loop, w, w->lcore);
	if (rc < 0)
		return nfv_fail(
			err, -rc, "worker %s: lcore %u cannot be started", w->name, w->lcore);
	return 0;
}

void
nfv_worker_sync(const struct nfv_worker *w)
{
	uint64_t from = atomic_load_explicit(&w->round, memory_order_acquire);

	/* The round in progress may have read the old pointer; the next cannot. */
	while (rte_eal_get_lcore_state(w->lcore) == RUNNING &&
		atomic_load_explicit(&w->round, memory_order_acquire) < from + 2)
		rte_pause();
}

void
nfv_worker_between(struct nfv_worker *w, void (*fn)(void *arg), void *arg)
{
	struct nfv_errand e = { fn, arg };

	if (rte_eal_get_lcore_state(w->lcore) != RUNNING) {
		fn(arg);
		return;
	}
	atomic_store_explicit(&w->errand, &e, memory_order_release);
	while (atomic_load_explicit(&w->errand, memory_order_acquire) != NULL)
		rte_pause();
}

void
nfv_worker_stop(struct nfv_worker *w)
{
	atomic_store_explicit(&w->state, NFV_WORKER_QUIT, memory_order_release);
	rte_eal_wait_lcore(w->lcore);
}
