/* Two stages that answer each other's answers: it ends after as many in processes of their own as in the loop. */
#include <signal.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>

#include "eal.h"
#include "nfv_isolate_pool.h"
#include "rig.h"
#include "stages.h"

#define PATIENCE_S 60

static struct nfv_isolate_pool pool;
static struct nfv_isolated *iso[2];

static int
send_away(void *arg, const struct nfv_stage_ops *ops, const struct nfv_stage_ctx *ctx,
	struct nfv_away *out, struct nfv_err *err)
{
	static const char *const argv[] = { GUEST_PROGRAM, "stage", NULL };
	const struct nfv_isolated_conf conf = { .ops = ops,
		.ctx = ctx,
		.flows = 64,
		.timeouts = { 300, 7440, 240, 60, 600 },
		.pool = nfv_isolate_pool_of(&pool),
		.argv = argv,
		.cpu = -1,
		.ring = 256,
		.idle_us = 100,
		.beat_ms = 10000,
		.progress_ms = 10000 };
	struct nfv_isolated **to = arg;
	int rc = nfv_isolated_create(&conf, to, err);

	if (rc == 0)
		*out = nfv_isolated_away(*to);
	return rc;
}

/* Until a counter has come so far, and nothing is on its way. */
static void
until(struct rig *r, const uint64_t *counter, uint64_t least)
{
	time_t t0 = time(NULL);
	uint32_t waiting = 1;

	while (*counter < least || waiting > 0) {
		waiting = 0;
		rig_run(r);
		for (int i = 0; i < 2; i++) {
			struct nfv_away away = nfv_isolated_away(iso[i]);

			if (iso[i] == NULL)
				continue;
			nfv_isolated_control(iso[i], 1);
			waiting += away.ops->waiting(away.arg);
		}
		if (time(NULL) - t0 > PATIENCE_S)
			fail_msg("only %lu of %lu have come", (unsigned long)*counter,
				(unsigned long)least);
	}
	rig_run(r);
}

static void
hand_in(struct rig *r, const char *data)
{
	struct mk m;
	struct nfv_pkt p = mk_udp(&m, HOST_IN, 1000, HOST_OUT, 2000, data, strlen(data));

	rig_send(r, INSIDE, &p);
}

/* `apart`: a bit for each stage. */
static void
ping_pong(const struct nfv_stage_ops *ops, unsigned int apart)
{
	enum { N = 20 };
	static const uint32_t conf[1] = { 7 };
	struct nfv_stage_use use[2];
	struct rig *r;

	memset(iso, 0, sizeof(iso));
	for (int i = 0; i < 2; i++)
		use[i] = (struct nfv_stage_use){ .ops = ops,
			.conf = conf,
			.send_away = apart >> i & 1 ? send_away : NULL,
			.arg = &iso[i] };
	r = rig_open(&(struct rig_conf){
		.stage = use, .n_stages = 2, .pool = pool.mp, .hz = rte_get_tsc_hz() });
	for (uint64_t n = 1; n <= N; n++) {
		hand_in(r, "E.....");
		until(r, &r->stats->loop_drop[NFV_LOOP_DEPTH], n);
	}
	/* Both answer the packet, then each other: the fourth one deep is not written any more. */
	assert_int_equal(r->stats->loop_drop[NFV_LOOP_DEPTH], N);
	assert_int_equal(r->stats->stage[0].originated, 3 * N);
	assert_int_equal(r->stats->stage[1].originated, 2 * N);
	assert_int_equal(r->stats->stage[0].consumed, 2 * N);
	assert_int_equal(r->stats->stage[1].consumed, N);
	assert_int_equal(r->n_got[INSIDE], N);
	assert_int_equal(r->n_got[OUTSIDE], N);
	/* Many at once are as deep, whatever else is in their bursts. */
	rig_forget(r);
	for (int i = 0; i < N; i++) {
		hand_in(r, "E.....");
		hand_in(r, "k.....");
	}
	until(r, &r->stats->loop_drop[NFV_LOOP_DEPTH], 2 * N);
	assert_int_equal(r->stats->loop_drop[NFV_LOOP_DEPTH], 2 * N);
	assert_int_equal(r->n_got[INSIDE], N);
	assert_int_equal(r->n_got[OUTSIDE], 2 * N);
	assert_int_equal(r->stats->loop_drop[NFV_LOOP_NO_BUFFER], 0);
	rig_close(r);
	assert_int_equal(rte_mempool_avail_count(pool.mp), pool.buffers);
}

static void
in_the_loop(void **state)
{
	ping_pong(*state, 0);
}

static void
one_of_them_elsewhere(void **state)
{
	ping_pong(*state, 1);
	ping_pong(*state, 2);
}

static void
both_elsewhere(void **state)
{
	ping_pong(*state, 3);
}

static int
open_pool(void **state)
{
	struct nfv_err err;

	(void)state;
	if (nfv_isolate_pool_init(&pool, "answers", 2047, 2176, 0, true, SOCKET_ID_ANY, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static int
close_pool(void **state)
{
	(void)state;
	nfv_isolate_pool_fini(&pool);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(in_the_loop, &stage_mirror),
		cmocka_unit_test_prestate(one_of_them_elsewhere, &stage_mirror),
		cmocka_unit_test_prestate(both_elsewhere, &stage_mirror),
		cmocka_unit_test_prestate(both_elsewhere, &stage_look),
	};

	signal(SIGPIPE, SIG_IGN);
	test_eal("256");
	return cmocka_run_group_tests(tests, open_pool, close_pool);
}
