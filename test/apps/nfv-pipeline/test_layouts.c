/*
 * A chain whose tables and packets lie in made-up colours, laid out in every way there is while NAT has
 * flows and SIP has calls: nobody notices.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_mbuf.h>

#include "../../mempool-color/made_up.h"
#include "config.h"
#include "eal.h"
#include "mpc_layout.h"
#include "mpc_pool.h"
#include "rig.h"

#define FLOWS 40
#define CALLS 10
#define MBUFS 700

static const char yaml[] =
	"ports:\n"
	"  - {name: inside, device: net_null0, addresses: [10.1.0.1/24]}\n"
	"  - {name: outside, device: net_null1, addresses: [10.2.0.1/24]}\n"
	"workers: [{name: w0, lcore: 1}]\n"
	"chains:\n"
	"  - {name: edge, worker: w0, inside: inside, outside: outside, stages: [nat, sip]}\n"
	"nat: {addresses: [10.2.0.1], ports: 40000-41000}\n"
	"sip: {port: 5060, transactions: 256, registrations: 64}\n";

static struct config config;
static struct made_up it;
static struct mpc_layout *layout;
static struct mpc_pool *pool;
static struct rig *r;
static uint16_t external[FLOWS];
static uint64_t flows; /* begun in all */
static char text_of[CALLS][MK_ROOM];

static struct nfv_pages
lend(void *arg, const char *class_name, size_t n)
{
	struct nfv_pages pages;
	char name[64];

	snprintf(name, sizeof(name), "edge.%s", class_name);
	if (mpc_layout_take(layout, name, arg, (uint32_t)n, &pages, NULL) < 0)
		fail_msg("%s: no pages", name);
	return pages;
}

static void
take_back(void *arg, struct nfv_pages *pages)
{
	(void)arg;
	if (pages->page != NULL)
		assert_true(mpc_layout_give(layout, pages));
}

static const struct nfv_lender lender = { .take = lend, .give = take_back };

static void
pool_have(void *arg, uint32_t have[MPC_LAYOUT_COLOURS])
{
	mpc_pool_have(arg, have);
}

static uint32_t
pool_move(void *arg, const uint32_t want[MPC_LAYOUT_COLOURS], mpc_colours aside)
{
	return mpc_pool_recolour(arg, want, aside, 64);
}

static void
bring_up(void)
{
	struct mpc_pool_conf pc = { .name = "w0",
		.arena = it.arena,
		.colours = ((mpc_colours)1 << CLASSES) - 1,
		.mbufs = MBUFS,
		.data_room = RTE_MBUF_DEFAULT_BUF_SIZE,
		.socket = SOCKET_ID_ANY };
	struct mpc_layout_mover mover = { .have = pool_have, .move = pool_move };
	static const char *const name[] = { "nat", "sip" };
	struct nfv_stage_use use[2] = { { .ops = NULL } };
	struct rig_conf conf = {
		.stage = use, .n_stages = 2, .lender = &lender, .buffers = MBUFS, .flows = 256
	};

	assert_int_equal(mpc_layout_create(it.arena, CLASSES, 2, &layout, NULL), 0);
	assert_int_equal(mpc_pool_create(&pc, &pool, NULL), 0);
	mover.arg = pool;
	assert_int_equal(mpc_layout_add(layout, "w0.packets", &mover, NULL), 0);
	for (int i = 0; i < 2; i++) {
		use[i].ops = nfv_stage_find(name[i]);
		use[i].conf = config_section(&config, use[i].ops);
	}
	conf.pool = mpc_pool_mempool(pool);
	conf.hz = rte_get_tsc_hz();
	r = rig_open(&conf);
}

static void
take_down(void)
{
	rig_close(r);
	mpc_layout_forget(layout, pool);
	mpc_pool_destroy(pool);
	mpc_layout_destroy(layout);
	assert_int_equal(mpc_arena_usage(it.arena).used, 0);
}

static void
sip_send(int side, const char *from, const char *text)
{
	struct mk m;
	struct nfv_pkt p = mk_udp(
		&m, from, 5060, side == INSIDE ? PORT_IN : PORT_OUT, 5060, text, strlen(text));

	rig_send(r, side, &p);
	rig_run(r);
}

/* The text of the i-th packet a host has got. */
static const char *
text_got(int side, unsigned int i)
{
	static char text[MK_ROOM];
	struct nfv_pkt p = rig_got(r, side, i);
	size_t n = nfv_pkt_l4_len(&p) - NFV_UDP_LEN;

	memcpy(text, (uint8_t *)nfv_pkt_l4(&p) + NFV_UDP_LEN, n);
	text[n] = '\0';
	return text;
}

static void
invite(int call)
{
	char text[1024];

	snprintf(text, sizeof(text),
		"INVITE sip:b@" HOST_OUT " SIP/2.0\r\nVia: SIP/2.0/UDP " HOST_IN
		":5060;branch=z9hG4bK%d\r\nMax-Forwards: 70\r\nFrom: <sip:a@x>;tag=a\r\n"
		"To: <sip:b@y>\r\nCall-ID: c%d\r\nCSeq: 1 INVITE\r\nContact: <sip:a@" HOST_IN
		">\r\nContent-Length: 0\r\n\r\n",
		call, call);
	sip_send(INSIDE, HOST_IN, text);
}

/* Packets of all flows, outward and back: each has the external port that it had. */
static void
traffic(bool first)
{
	for (uint16_t i = 0; i < FLOWS; i++) {
		struct nfv_pkt p;
		struct mk m;
		uint16_t be_port;

		rig_forget(r);
		p = mk_udp(&m, HOST_IN, (uint16_t)(3000 + i), HOST_OUT, 9, "out", 3);
		rig_send(r, INSIDE, &p);
		rig_run(r);
		assert_int_equal(r->n_got[OUTSIDE], 1);
		p = rig_got(r, OUTSIDE, 0);
		memcpy(&be_port, nfv_pkt_l4(&p), 2);
		if (first)
			external[i] = be16toh(be_port);
		assert_int_equal(be16toh(be_port), external[i]);
		p = mk_udp(&m, HOST_OUT, 9, PORT_OUT, external[i], "back", 4);
		rig_send(r, OUTSIDE, &p);
		rig_run(r);
		assert_int_equal(r->n_got[INSIDE], 1);
		p = rig_got(r, INSIDE, 0);
		memcpy(&be_port, (uint8_t *)nfv_pkt_l4(&p) + 2, 2);
		assert_int_equal(be16toh(be_port), 3000 + i);
	}
	if (!first)
		assert_int_equal(nfv_chain_flow_stats(r->chain).added, flows);
}

/* An INVITE that comes again belongs to its transaction, and is not sent on. */
static void
calls_are_known(void)
{
	for (int i = 0; i < CALLS; i++) {
		rig_forget(r);
		invite(i);
		assert_int_equal(r->n_got[OUTSIDE], 0);
		assert_int_equal(r->n_got[INSIDE], 1);
		assert_memory_equal(text_got(INSIDE, 0), "SIP/2.0 180", 11);
	}
}

static void
begin_calls(void)
{
	for (int i = 0; i < CALLS; i++) {
		char answer[sizeof(text_of[0]) + 32];

		rig_forget(r);
		invite(i);
		assert_int_equal(r->n_got[OUTSIDE], 1);
		snprintf(text_of[i], MK_ROOM, "%s", strstr(text_got(OUTSIDE, 0), "\r\n"));
		snprintf(answer, sizeof(answer), "SIP/2.0 180 Ringing%.3000s", text_of[i]);
		rig_forget(r);
		sip_send(OUTSIDE, HOST_OUT, answer);
		assert_int_equal(r->n_got[INSIDE], 1);
	}
}

static void
end_calls(void)
{
	for (int i = 0; i < CALLS; i++) {
		char answer[sizeof(text_of[0]) + 32];

		snprintf(answer, sizeof(answer), "SIP/2.0 200 OK%.3000s", text_of[i]);
		rig_forget(r);
		sip_send(OUTSIDE, HOST_OUT, answer);
		assert_int_equal(r->n_got[INSIDE], 1);
		assert_memory_equal(text_got(INSIDE, 0), "SIP/2.0 200", 11);
	}
}

/* Until all lies where it should, with traffic in every step. */
static unsigned int
settle(void)
{
	unsigned int steps = 0;

	while (mpc_layout_left(layout) > 0) {
		nfv_chain_disarm(r->chain);
		mpc_layout_step(layout, 1, NULL);
		if (steps++ % 8 == 0) {
			traffic(false);
			calls_are_known();
		}
		rig_forget(r);
		assert_true(steps < 10000);
	}
	return steps;
}

/* Where the packets are that are received now. */
static void
packets_lie_in(const char *class_name)
{
	struct mpc_layout_class c;
	struct rte_mbuf *m[300];
	uint32_t i = 0;

	while (mpc_layout_get(layout, i++, &c) && strcmp(c.name, class_name) != 0)
		;
	assert_string_equal(c.name, class_name);
	assert_memory_equal(c.want, c.have, sizeof(c.want));
	assert_int_equal(rte_pktmbuf_alloc_bulk(r->pool, m, 300), 0);
	for (int k = 0; k < 300; k++)
		assert_true(c.want[made_up_colour(&it, m[k]->buf_addr)] > 0);
	rte_pktmbuf_free_bulk(m, 300);
}

static void
nobody_notices(void **state)
{
	uint32_t pages[2][CLASSES] = { { 0 } };
	struct mpc_plan_file_class class[2] = { { "w0.packets", pages[0] },
		{ "edge.sip.messages", pages[1] } };
	struct mpc_plan_file plan = { 2, CLASSES, MPC_PLAN_MCMF, "made up", 2, class };
	uint64_t no_buffer;

	(void)state;
	for (uint32_t k = 0; k < CLASSES; k++)
		pages[k < 20][k] = 1 + k % 3;
	bring_up();
	traffic(true);
	begin_calls();
	flows = nfv_chain_flow_stats(r->chain).added;
	no_buffer = r->stats->loop_drop[NFV_LOOP_NO_BUFFER];
	for (int turn = 0; turn < 2; turn++) {
		static const enum mpc_plan_arm arm[] = { MPC_PLAN_STATIC, MPC_PLAN_MCMF,
			MPC_PLAN_OFF };

		for (int i = 0; i < 3; i++) {
			struct nfv_err err = { "" };

			if (mpc_layout_set(
				    layout, arm[i], arm[i] == MPC_PLAN_MCMF ? &plan : NULL, &err))
				fail_msg("%s", err.text);
			assert_true(settle() > 8);
			packets_lie_in("w0.packets");
			traffic(false);
			calls_are_known();
		}
	}
	end_calls();
	traffic(false);
	assert_int_equal(r->stats->loop_drop[NFV_LOOP_NO_BUFFER], no_buffer);
	rig_forget(r);
	take_down();
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(nobody_notices) };
	char path[] = "/tmp/test-layouts-XXXXXX";
	int fd = mkstemp(path), rc;
	struct nfv_err err;

	if (fd < 0 || write(fd, yaml, sizeof(yaml) - 1) != sizeof(yaml) - 1 ||
		config_load(path, &config, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	test_eal("64");
	made_up_init(&it, 16 << 20);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	made_up_fini(&it);
	config_free(&config);
	close(fd);
	unlink(path);
	return rc;
}
