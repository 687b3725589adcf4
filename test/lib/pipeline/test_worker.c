/* The poll loop on an lcore of its own, with a chain that runs while the test looks on. */
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "nfv_tap.h"
#include "probe.h"

#define LCORE 1

static _Atomic unsigned int ticks;

static void
count_tick(struct probe *p, uint64_t tsc, struct nfv_out *out)
{
	(void)p;
	(void)tsc;
	(void)out;
	ticks++;
}

static int
setup(void **state)
{
	(void)state;
	probe_reset();
	ticks = 0;
	return 0;
}

static struct nfv_worker
worker_of(struct rig *r, enum nfv_worker_state state)
{
	struct nfv_worker w = { .name = "w0",
		.lcore = LCORE,
		.tsc_hz = rte_get_tsc_hz(),
		.chain = { r->chain },
		.n_chains = 1,
		.state = state };

	return w;
}

static void
start(struct nfv_worker *w)
{
	struct nfv_err err = { "" };

	if (nfv_worker_start(w, &err) < 0)
		fail_msg("%s", err.text);
}

static void
feed(struct rig *r, int n)
{
	struct mk m;
	struct nfv_pkt p = mk_udp(&m, HOST_IN, 1, HOST_OUT, 2, "x", 1);

	for (int i = 0; i < n; i++)
		rig_send(r, INSIDE, &p);
}

static int
where(void *arg)
{
	*(unsigned int *)arg = rte_lcore_id();
	return -7;
}

static void
calls_run_on_the_lcore(void **state)
{
	struct nfv_worker w = { .lcore = LCORE };
	unsigned int id = 99;

	(void)state;
	assert_int_equal(nfv_worker_call(&w, where, &id), -7);
	assert_int_equal(id, LCORE);
	w.lcore = rte_lcore_id();
	assert_int_equal(nfv_worker_call(&w, where, &id), -7);
	assert_int_equal(id, w.lcore);
}

static void
runs_waits_and_goes_on(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });
	struct nfv_worker w = worker_of(r, NFV_WORKER_STOPPED);
	unsigned int before;

	(void)state;
	probe[0].on_tick = count_tick;
	feed(r, 20);
	start(&w);
	nfv_worker_sync(&w);
	/* Told to wait from the start: nothing is taken, timers run. */
	while (ticks < 3)
		rte_pause();
	assert_int_equal(rte_ring_count(r->in[INSIDE]), 20);
	atomic_store(&w.state, NFV_WORKER_RUNNING);
	while (rte_ring_count(r->out[OUTSIDE]) < 20)
		rte_pause();
	atomic_store(&w.state, NFV_WORKER_STOPPED);
	nfv_worker_sync(&w);
	feed(r, 5);
	before = ticks;
	while (ticks < before + 3)
		rte_pause();
	assert_int_equal(rte_ring_count(r->in[INSIDE]), 5);
	/* What still waits is taken and sent before it ends. */
	nfv_worker_stop(&w);
	assert_int_equal(rte_ring_count(r->in[INSIDE]), 0);
	rig_run(r);
	assert_int_equal(r->n_got[OUTSIDE], 25);
	rig_close(r);
}

static void
ends_with_thousands_still_queued(void **state)
{
	enum { SENT = 400 };
	struct rig *r = probe_rig(1, (struct rig_conf){ .tx_ring = 1024 });
	struct nfv_worker w = worker_of(r, NFV_WORKER_QUIT);

	(void)state;
	feed(r, SENT);
	start(&w);
	nfv_worker_stop(&w);
	assert_int_equal(rte_ring_count(r->in[INSIDE]), 0);
	assert_true(rte_ring_count(r->out[OUTSIDE]) >= SENT);
	rig_close(r);
}

/* Stopped and started anew, as often as one likes; to wait for it is not to wait for long. */
static void
starts_again(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });
	struct nfv_worker w = worker_of(r, NFV_WORKER_RUNNING);

	(void)state;
	for (int i = 0; i < 3; i++) {
		uint64_t round;

		/* As after a long run. */
		w.round += 1ull << 40;
		w.state = NFV_WORKER_RUNNING;
		start(&w);
		round = w.round;
		assert_true(round >= 1ull << 40);
		nfv_worker_sync(&w);
		assert_true(w.round > round);
		feed(r, 3);
		while (rte_ring_count(r->out[OUTSIDE]) < 3)
			rte_pause();
		nfv_worker_stop(&w);
		rig_run(r);
	}
	/* Nobody runs: there is nothing to wait for. */
	nfv_worker_sync(&w);
	nfv_worker_stop(&w);
	rig_close(r);
}

static void
an_lcore_has_one_worker(void **state)
{
	struct rig *r = probe_rig(0, (struct rig_conf){ 0 });
	struct nfv_worker w = worker_of(r, NFV_WORKER_RUNNING),
			  second = worker_of(r, NFV_WORKER_RUNNING);
	struct nfv_err err = { "" };

	(void)state;
	start(&w);
	snprintf(second.name, sizeof(second.name), "other");
	assert_int_equal(nfv_worker_start(&second, &err), -EBUSY);
	assert_non_null(strstr(err.text, "other"));
	assert_non_null(strstr(err.text, "1"));
	nfv_worker_stop(&w);
	rig_close(r);
}

/* Taps are put in and taken out under a worker that is busy; after a sync nobody uses the old. */
static void
taps_are_swapped_under_way(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });
	struct nfv_worker w = worker_of(r, NFV_WORKER_RUNNING);
	uint64_t matched = 0;
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "/tmp/test_worker.%d.pcapng", (int)getpid());
	feed(r, 1); /* neighbours get to know each other */
	rig_run(r);
	start(&w);
	for (int i = 0; i < 50; i++) {
		struct nfv_tap_conf conf = { .file = path,
			.filter = "udp",
			.port = r->port[0],
			.snaplen = 128,
			.socket = SOCKET_ID_ANY };
		struct nfv_tap *tap;
		struct nfv_err err;

		assert_int_equal(nfv_tap_open(&conf, &tap, &err), 0);
		nfv_chain_tap_port(r->chain, INSIDE, tap);
		nfv_chain_tap_seam(r->chain, 1, tap);
		feed(r, 8);
		while (rte_ring_count(r->out[OUTSIDE]) < 8)
			nfv_tap_drain(tap);
		nfv_chain_tap_port(r->chain, INSIDE, NULL);
		nfv_chain_tap_seam(r->chain, 1, NULL);
		nfv_worker_sync(&w);
		matched += nfv_tap_stats(tap).matched;
		nfv_tap_close(tap);
		for (void *m; rte_ring_dequeue(r->out[OUTSIDE], &m) == 0;)
			rte_pktmbuf_free(m);
	}
	nfv_worker_stop(&w);
	unlink(path);
	assert_int_equal(matched, 50 * 16);
	rig_close(r);
}

static void
note_lcore(void *arg)
{
	*(unsigned int *)arg = rte_lcore_id();
}

static void
errands_run_between_bursts(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });
	struct nfv_worker w = worker_of(r, NFV_WORKER_RUNNING);
	unsigned int at = 99;

	(void)state;
	nfv_worker_between(&w, note_lcore, &at); /* it does not run: here */
	assert_int_equal(at, rte_lcore_id());
	start(&w);
	for (int i = 0; i < 100; i++) {
		at = 99;
		nfv_worker_between(&w, note_lcore, &at);
		assert_int_equal(at, LCORE);
	}
	atomic_store(&w.state, NFV_WORKER_STOPPED);
	at = 99;
	nfv_worker_between(&w, note_lcore, &at);
	assert_int_equal(at, LCORE);
	nfv_worker_stop(&w);
	rig_close(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(calls_run_on_the_lcore, setup),
		cmocka_unit_test_setup(runs_waits_and_goes_on, setup),
		cmocka_unit_test_setup(ends_with_thousands_still_queued, setup),
		cmocka_unit_test_setup(starts_again, setup),
		cmocka_unit_test_setup(an_lcore_has_one_worker, setup),
		cmocka_unit_test_setup(taps_are_swapped_under_way, setup),
		cmocka_unit_test_setup(errands_run_between_bursts, setup),
	};
	/* Both where there is one CPU only. */
	const char *argv[] = { "test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"--log-level=error", "--lcores=0@0,1@0", "-m", "512" };

	if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
		argv[6] = "--lcores=0@0,1@1";
	if (rte_eal_init(sizeof(argv) / sizeof(argv[0]), (char **)(uintptr_t)argv) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
