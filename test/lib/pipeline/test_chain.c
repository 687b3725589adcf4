/* The order of stages, verdicts, what stages originate, and a chain's beginning and end. */
#include <string.h>

#include <rte_cycles.h>

#include "eal.h"
#include "probe.h"

static int
setup(void **state)
{
	(void)state;
	probe_reset();
	return 0;
}

static void
send_udp(struct rig *r, int side, uint16_t sport, uint16_t dport)
{
	struct mk m;
	struct nfv_pkt p = side == INSIDE ?
		mk_udp(&m, HOST_IN, sport, HOST_OUT, dport, "hello", 5) :
		mk_udp(&m, HOST_OUT, sport, HOST_IN, dport, "hello", 5);

	rig_send(r, side, &p);
}

static void
goes_first_to_last_outward_and_back_inward(void **state)
{
	struct rig *r = probe_rig(4, (struct rig_conf){ 0 });
	struct nfv_pkt p;

	(void)state;
	send_udp(r, INSIDE, 1000, 2000);
	rig_run(r);
	assert_string_equal(probe_trace, "0123");
	p = rig_got(r, OUTSIDE, 0);
	assert_int_equal(nfv_pkt_ip4(&p)->ttl, 63);
	assert_int_equal(p.len, NFV_ETH_LEN + NFV_IP4_LEN + NFV_UDP_LEN + 5);
	send_udp(r, OUTSIDE, 2000, 1000);
	rig_run(r);
	assert_string_equal(probe_trace, "0123dcba");
	assert_int_equal(r->n_got[INSIDE], 1);
	assert_int_equal(r->n_got[OUTSIDE], 1);
	for (int side = 0; side < 2; side++) {
		assert_int_equal(r->stats->rx[side], r->n_sent[side]);
		assert_int_equal(r->stats->tx[side], r->n_taken[side]);
	}
	for (int i = 0; i < 4; i++) {
		assert_int_equal(r->stats->stage[i].packets, 2);
		assert_int_equal(r->stats->stage[i].bursts, 2);
	}
	rig_close(r);
}

static void
works_without_any_stage(void **state)
{
	struct rig *r = probe_rig(0, (struct rig_conf){ 0 });

	(void)state;
	send_udp(r, INSIDE, 1, 2);
	send_udp(r, OUTSIDE, 1, 2);
	rig_run(r);
	assert_int_equal(r->n_got[INSIDE], 1);
	assert_int_equal(r->n_got[OUTSIDE], 1);
	assert_int_equal(nfv_chain_flow_stats(r->chain).max, 0);
	rig_close(r);
}

/* The last is for reasons past the table's end: 40, and all that a byte can say. */
static void
counts_each_verdict_in_its_place(void **state)
{
	static const struct {
		unsigned int verdict, place;
	} row[] = { { NFV_DROP(0), 0 }, { NFV_DROP(1), 1 }, { NFV_DROP(31), 31 },
		{ NFV_DROP(40), 31 }, { 255, 31 } };
	struct rig *r = probe_rig(3, (struct rig_conf){ 0 });
	uint64_t drop[NFV_STAGE_DROPS] = { 0 };

	(void)state;
	probe[1].act = probe_drop;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		probe[1].arg = row[i].verdict;
		drop[row[i].place]++;
		send_udp(r, INSIDE, 1, 2);
		rig_run(r);
		assert_memory_equal(r->stats->stage[1].drop, drop, sizeof(drop));
	}
	probe[1].arg = NFV_CONSUMED;
	send_udp(r, OUTSIDE, 1, 2);
	rig_run(r);
	assert_memory_equal(r->stats->stage[1].drop, drop, sizeof(drop));
	assert_int_equal(r->stats->stage[1].consumed, 1);
	assert_int_equal(r->stats->stage[2].packets, 1);
	assert_int_equal(r->stats->stage[0].packets, 5);
	assert_int_equal(r->n_got[INSIDE] + r->n_got[OUTSIDE], 0);
	rig_close(r);
}

static void
drop_every_other(struct probe *p, struct nfv_burst *b, struct nfv_out *out)
{
	(void)p;
	(void)out;
	for (uint16_t i = 1; i < b->n; i += 2)
		b->pkt[i].verdict = NFV_DROP(3);
}

static void
closes_the_gaps_in_order(void **state)
{
	struct rig *r = probe_rig(2, (struct rig_conf){ 0 });

	(void)state;
	probe[0].act = drop_every_other;
	for (uint16_t i = 0; i < NFV_BURST_MAX; i++)
		send_udp(r, INSIDE, (uint16_t)(100 + i), 9);
	rig_run(r);
	assert_int_equal(probe[1].note[0].n, NFV_BURST_MAX / 2);
	assert_int_equal(r->n_got[OUTSIDE], NFV_BURST_MAX / 2);
	for (unsigned int i = 0; i < r->n_got[OUTSIDE]; i++) {
		struct nfv_pkt p = rig_got(r, OUTSIDE, i);

		assert_int_equal(
			be16toh(((struct nfv_udp *)nfv_pkt_l4(&p))->be_sport), 100 + 2 * i);
	}
	assert_int_equal(r->stats->stage[0].drop[3], NFV_BURST_MAX / 2);
	rig_close(r);
}

/* An answer goes on from the stage's own place, through its neighbours, as the runtime's own. */
static void
answers_pass_the_neighbours_only(void **state)
{
	struct rig *r = probe_rig(3, (struct rig_conf){ 0 });
	struct nfv_pkt p;

	(void)state;
	probe[1].act = probe_answer;
	send_udp(r, INSIDE, 1000, 2000);
	rig_run(r);
	assert_string_equal(probe_trace, "01a");
	assert_int_equal(r->stats->stage[1].consumed, 1);
	assert_int_equal(r->stats->stage[1].originated, 1);
	assert_true(probe[0].note[1].flags & NFV_PKT_OWN);
	assert_int_equal(r->n_got[OUTSIDE], 0);
	p = rig_got(r, INSIDE, 0);
	assert_int_equal(nfv_pkt_ip4(&p)->ttl, 64);
	assert_memory_equal((uint8_t *)nfv_pkt_l4(&p) + NFV_UDP_LEN, "answer", 6);

	memset(probe_trace, 0, sizeof(probe_trace));
	send_udp(r, OUTSIDE, 3000, 4000);
	rig_run(r);
	assert_string_equal(probe_trace, "cb2");
	assert_int_equal(r->n_got[OUTSIDE], 1);
	rig_close(r);
}

/* From the chain's last stage on the wire at once, and IPv6 as IPv4. */
static void
answers_at_the_ends_leave_at_once(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });
	struct mk m;
	struct nfv_pkt p = mk_udp(&m, "fd00:1::2", 7, "fd00:2::2", 8, "x", 1);

	(void)state;
	probe[0].act = probe_answer;
	rig_send(r, INSIDE, &p);
	send_udp(r, OUTSIDE, 7, 8);
	rig_run(r);
	p = rig_got(r, INSIDE, 0);
	assert_int_equal(p.family, 6);
	p = rig_got(r, OUTSIDE, 0);
	assert_int_equal(p.family, 4);
	rig_close(r);
}

static void
originate_outward(struct probe *p, uint64_t tsc, struct nfv_out *out)
{
	struct nfv_pkt *a = nfv_out_take(out, NFV_OUTWARD);
	uint8_t src[16], dst[16];

	(void)p;
	(void)tsc;
	mk_addr(HOST_IN, src);
	mk_addr(HOST_OUT, dst);
	if (a != NULL && nfv_pkt_ip_header(a, 4, src, dst, NFV_PROTO_UDP, NFV_UDP_LEN)) {
		*(struct nfv_udp *)nfv_pkt_l4(a) =
			(struct nfv_udp){ htobe16(5), htobe16(6), htobe16(NFV_UDP_LEN), 0 };
		nfv_csum_l4_set(a);
	}
}

static void
timers_originate(void **state)
{
	struct rig *r = probe_rig(3, (struct rig_conf){ 0 });
	struct nfv_pkt p;

	(void)state;
	probe[1].on_tick = originate_outward;
	nfv_chain_tick(r->chain, rte_rdtsc());
	rig_run(r);
	assert_string_equal(probe_trace, "2");
	p = rig_got(r, OUTSIDE, 0);
	assert_int_equal(nfv_pkt_ip4(&p)->ttl, 64);
	assert_int_equal(r->stats->stage[1].originated, 1);
	assert_non_null(probe[2].note[0].flow);
	rig_close(r);
}

/* A worker that has been told to wait runs timers only: they find what they need. */
static void
timers_originate_before_the_first_poll(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct nfv_stage_use use = { .ops = &probe[0].ops };
	struct rig_conf conf = { .stage = &use, .n_stages = 1 };
	struct nfv_err err;

	(void)state;
	probe[0].on_tick = originate_outward;
	assert_int_equal(rig_try(r, &conf, &err), 0);
	nfv_chain_tick(r->chain, rte_rdtsc());
	assert_int_equal(r->stats->loop_drop[NFV_LOOP_NO_BUFFER], 0);
	/* It waits for its neighbour's answer; the question is out. */
	assert_int_equal(r->stats->l3_consumed, 1);
	assert_int_equal(r->stats->tx[OUTSIDE], 1);
	rig_run(r);
	assert_int_equal(r->n_got[OUTSIDE], 1);
	rig_close(r);
}

static void
garbage_is_counted_and_goes_nowhere(void **state)
{
	static const unsigned int len[] = { 0, 1, 19, 20, 100 };
	struct rig *r = probe_rig(2, (struct rig_conf){ 0 });

	(void)state;
	probe[0].act = probe_garbage;
	for (size_t i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		probe[0].arg = len[i];
		send_udp(r, INSIDE, 1, 2);
		rig_run(r);
		assert_int_equal(r->stats->loop_drop[NFV_LOOP_BAD_ORIGIN], i + 1);
	}
	/* What caused it goes its way. */
	assert_int_equal(r->n_got[OUTSIDE], 5);
	assert_int_equal(r->stats->stage[1].packets, 5);
	rig_close(r);
}

/* Two stages that answer each other's answers: it ends, and is counted. */
static void
answers_to_answers_end(void **state)
{
	struct rig *r = probe_rig(2, (struct rig_conf){ 0 });

	(void)state;
	probe[0].act = probe[1].act = probe_answer;
	for (int i = 0; i < 3; i++) {
		probe[0].act = NULL;
		send_udp(r, INSIDE, 1, 2);
		rig_run(r);
	}
	assert_int_equal(r->n_got[INSIDE], 3);
	assert_int_equal(r->stats->loop_drop[NFV_LOOP_DEPTH], 0);
	rig_forget(r);
	probe[1].act = probe[0].act = probe_echo;
	send_udp(r, OUTSIDE, 1, 2);
	rig_run(r);
	assert_true(r->stats->loop_drop[NFV_LOOP_DEPTH] > 0);
	assert_true(strlen(probe_trace) < 64);
	rig_close(r);
}

static void
more_answers_than_room_are_counted(void **state)
{
	struct rig *r = probe_rig(2, (struct rig_conf){ 0 });

	(void)state;
	probe[0].act = probe_flood;
	send_udp(r, INSIDE, 1, 2);
	rig_run(r);
	assert_int_equal(r->stats->stage[0].originated, NFV_BURST_MAX);
	assert_int_equal(r->stats->loop_drop[NFV_LOOP_NO_BUFFER], 1);
	rig_close(r);
}

static void
a_second_stage_that_fails_takes_the_first_down(void **state)
{
	struct nfv_stage_use use[3] = { { .ops = &probe[0].ops }, { .ops = &probe[1].ops },
		{ .ops = &probe[2].ops } };
	struct rig_conf conf = { .stage = use, .n_stages = 3 };
	struct rig *r = calloc(1, sizeof(*r));
	struct nfv_err err = { "" };

	(void)state;
	probe[1].init_error = EPERM;
	assert_int_equal(rig_try(r, &conf, &err), -EPERM);
	assert_null(r->chain);
	assert_int_equal(probe[0].finis, 1);
	assert_int_equal(probe[1].inits, 1);
	assert_int_equal(probe[1].finis, 1);
	assert_int_equal(probe[2].inits, 0);
	assert_int_equal(probe[2].finis, 0);
	/* Whose it is, and what it said. */
	assert_non_null(strstr(err.text, "edge"));
	assert_non_null(strstr(err.text, "probe1"));
	assert_non_null(strstr(err.text, "told to fail"));
	rig_close(r);
}

static void
too_many_stages_are_refused(void **state)
{
	struct nfv_stage_use use[NFV_STAGES_MAX + 1];
	struct rig_conf conf = { .stage = use, .n_stages = NFV_STAGES_MAX + 1 };
	struct rig *r = calloc(1, sizeof(*r));
	struct nfv_err err = { "" };

	(void)state;
	for (int i = 0; i <= NFV_STAGES_MAX; i++)
		use[i] = (struct nfv_stage_use){ .ops = &probe[0].ops };
	assert_int_equal(rig_try(r, &conf, &err), -EINVAL);
	assert_non_null(strstr(err.text, "16"));
	rig_close(r);
	nfv_chain_destroy(NULL);

	conf.n_stages = NFV_STAGES_MAX;
	r = rig_open(&conf);
	send_udp(r, INSIDE, 1, 2);
	rig_run(r);
	assert_int_equal(r->n_got[OUTSIDE], 1);
	assert_int_equal(probe[0].n_notes, NFV_STAGES_MAX);
	rig_close(r);
}

static void
stages_are_told_about_the_chain(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });
	const struct nfv_stage_ctx *c = &probe[0].ctx;
	struct nfv_addr in, out, far;

	(void)state;
	assert_string_equal(nfv_chain_name(r->chain), "edge");
	assert_int_equal(nfv_chain_stages(r->chain), 1);
	assert_ptr_equal(nfv_chain_stage(r->chain, 0), &probe[0].ops);
	assert_string_equal(c->chain, "edge");
	assert_int_equal(c->n_own[NFV_OUTWARD], 2);
	assert_int_equal(c->tsc_hz, RIG_HZ);
	nfv_addr_parse(NFV_SV(HOST_IN), &in);
	nfv_addr_parse(NFV_SV(HOST_OUT), &out);
	nfv_addr_parse(NFV_SV("192.0.2.1"), &far);
	assert_int_equal(nfv_stage_toward(c->toward, c->n_toward, &in, NFV_OUTWARD), NFV_INWARD);
	assert_int_equal(nfv_stage_toward(c->toward, c->n_toward, &out, NFV_INWARD), NFV_OUTWARD);
	assert_int_equal(nfv_stage_toward(c->toward, c->n_toward, &far, NFV_INWARD), NFV_INWARD);
	rig_close(r);
}

static void
the_registry_is_sorted(void **state)
{
	const struct nfv_stage_ops *o = NULL, *last = NULL;
	unsigned int n = 0;

	(void)state;
	while ((o = nfv_stage_next(o)) != NULL) {
		if (last != NULL)
			assert_true(strcmp(last->name, o->name) < 0);
		last = o;
		n++;
	}
	assert_int_equal(n, PROBES);
	assert_ptr_equal(nfv_stage_find("probe2"), &probe[2].ops);
	assert_null(nfv_stage_find("probe"));
	assert_null(nfv_stage_find(""));
}

/* One table for the chain, if one of its stages opens any; the chain's clock ends them. */
static void
pinholes_are_the_chains(void **state)
{
	struct nfv_pinholes *holes;
	struct rig *r = probe_rig(2, (struct rig_conf){ 0 });
	uint64_t tsc = rte_rdtsc();

	(void)state;
	assert_null(probe[0].ctx.pinholes);
	rig_close(r);
	probe[1].ops.pinholes = true;
	r = probe_rig(2, (struct rig_conf){ 0 });
	holes = probe[0].ctx.pinholes;
	assert_non_null(holes);
	assert_ptr_equal(probe[1].ctx.pinholes, holes);
	assert_int_not_equal(nfv_pinhole_owner(holes, 60, tsc), 0);
	nfv_chain_tick(r->chain, tsc);
	assert_int_equal(holes->stats.owners, 1);
	/* Moving timers has its bound, so a jump of time takes a few. */
	for (int i = 0; i < 100; i++)
		nfv_chain_tick(r->chain, tsc + 61 * RIG_HZ);
	assert_int_equal(holes->stats.owners, 0);
	rig_close(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(goes_first_to_last_outward_and_back_inward, setup),
		cmocka_unit_test_setup(works_without_any_stage, setup),
		cmocka_unit_test_setup(pinholes_are_the_chains, setup),
		cmocka_unit_test_setup(counts_each_verdict_in_its_place, setup),
		cmocka_unit_test_setup(closes_the_gaps_in_order, setup),
		cmocka_unit_test_setup(answers_pass_the_neighbours_only, setup),
		cmocka_unit_test_setup(answers_at_the_ends_leave_at_once, setup),
		cmocka_unit_test_setup(timers_originate, setup),
		cmocka_unit_test_setup(timers_originate_before_the_first_poll, setup),
		cmocka_unit_test_setup(garbage_is_counted_and_goes_nowhere, setup),
		cmocka_unit_test_setup(answers_to_answers_end, setup),
		cmocka_unit_test_setup(more_answers_than_room_are_counted, setup),
		cmocka_unit_test_setup(a_second_stage_that_fails_takes_the_first_down, setup),
		cmocka_unit_test_setup(too_many_stages_are_refused, setup),
		cmocka_unit_test_setup(stages_are_told_about_the_chain, setup),
		cmocka_unit_test_setup(the_registry_is_sorted, setup),
	};

	test_eal("256");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
