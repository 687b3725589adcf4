/* Flow records through a chain: made, found, shared, translated, cut and ended. */
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
send_udp(struct rig *r, int side, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	struct mk m;
	struct nfv_pkt p = mk_udp(&m, src, sport, dst, dport, "hello", 5);

	rig_send(r, side, &p);
}

static uint32_t
live(const struct rig *r)
{
	return nfv_chain_flow_stats(r->chain).live;
}

static void
returns_find_the_slot_and_are_replies(void **state)
{
	static const char *const host[2][2] = { { HOST_IN, HOST_OUT },
		{ "fd00:1::2", "fd00:2::2" } };
	struct rig *r = probe_rig(2, (struct rig_conf){ 0 });

	(void)state;
	for (unsigned int f = 0; f < 2; f++) {
		const struct probe_note *n = &probe[0].note[f * 3];

		send_udp(r, INSIDE, host[f][0], 1000, host[f][1], 2000);
		rig_run(r);
		send_udp(r, OUTSIDE, host[f][1], 2000, host[f][0], 1000);
		rig_run(r);
		send_udp(r, INSIDE, host[f][0], 1000, host[f][1], 2000);
		rig_run(r);
		assert_non_null(n[0].flow);
		assert_true(n[0].flags & NFV_PKT_NEW);
		assert_false(n[0].flags & NFV_PKT_REPLY);
		assert_ptr_equal(n[1].flow, n[0].flow);
		assert_false(n[1].flags & NFV_PKT_NEW);
		assert_true(n[1].flags & NFV_PKT_REPLY);
		assert_ptr_equal(n[2].flow, n[0].flow);
		assert_false(n[2].flags & (NFV_PKT_NEW | NFV_PKT_REPLY));
		assert_int_equal(n[2].packets, 2);
		assert_int_equal(live(r), f + 1);
	}
	rig_close(r);
	assert_int_equal(probe[0].ends, 2);
	assert_int_equal(probe[1].ends, 2);
}

/* What a stage has rewritten, the return packet carries; nobody registered anything. */
static void
translated_returns_find_the_slot(void **state)
{
	struct rig *r = probe_rig(3, (struct rig_conf){ 0 });
	struct nfv_udp *u;
	struct nfv_pkt p;

	(void)state;
	probe[1].act = probe_nat;
	send_udp(r, INSIDE, HOST_IN, 1000, HOST_OUT, 53);
	rig_run(r);
	p = rig_got(r, OUTSIDE, 0);
	u = nfv_pkt_l4(&p);
	assert_int_equal(be16toh(u->be_sport), 2000);
	send_udp(r, OUTSIDE, HOST_OUT, 53, PORT_OUT, 2000);
	rig_run(r);
	p = rig_got(r, INSIDE, 0);
	u = nfv_pkt_l4(&p);
	assert_int_equal(be16toh(u->be_dport), 1000);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(probe[i].n_notes, 2);
		assert_ptr_equal(probe[i].note[0].flow, probe[i].note[1].flow);
		assert_true(probe[i].note[1].flags & NFV_PKT_REPLY);
	}
	assert_true(probe[2].note[1].flags & NFV_PKT_LOCAL);
	assert_int_equal(live(r), 1);
	rig_close(r);
	for (int i = 0; i < 3; i++)
		assert_int_equal(probe[i].ends, 1);
}

/* Two flows that a stage maps onto one tuple: the answers are the first one's; it is counted. */
static void
a_tuple_that_is_taken_is_counted(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });

	(void)state;
	probe[0].act = probe_nat;
	send_udp(r, INSIDE, HOST_IN, 1000, HOST_OUT, 53);
	send_udp(r, INSIDE, "10.1.0.3", 1000, HOST_OUT, 53);
	rig_run(r);
	assert_int_equal(r->n_got[OUTSIDE], 2);
	assert_int_equal(r->stats->key_taken, 1);
	send_udp(r, OUTSIDE, HOST_OUT, 53, PORT_OUT, 2000);
	rig_run(r);
	assert_ptr_equal(probe[0].note[2].flow, probe[0].note[0].flow);
	rig_close(r);
	assert_int_equal(probe[0].ends, 2);
}

static void
a_burst_shares_the_record_it_makes(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });

	(void)state;
	for (int i = 0; i < 3; i++)
		send_udp(r, INSIDE, HOST_IN, 1000, HOST_OUT, 2000);
	send_udp(r, INSIDE, HOST_IN, 1001, HOST_OUT, 2000);
	send_udp(r, INSIDE, "fd00:1::2", 1000, "fd00:2::2", 2000);
	rig_run(r);
	assert_int_equal(probe[0].note[0].n, 5);
	for (unsigned int i = 0; i < 3; i++) {
		assert_ptr_equal(probe[0].note[i].flow, probe[0].note[0].flow);
		assert_true(probe[0].note[i].flags & NFV_PKT_NEW);
		assert_int_equal(probe[0].note[i].packets, i);
	}
	assert_int_equal(probe[0].note[3].packets, 0);
	assert_int_equal(probe[0].note[4].packets, 0);
	assert_int_equal(live(r), 3);
	rig_close(r);
	assert_int_equal(probe[0].ends, 3);
}

static void
records_of_what_is_dropped_vanish(void **state)
{
	struct rig *r = probe_rig(3, (struct rig_conf){ 0 });

	(void)state;
	probe[1].act = probe_drop;
	probe[1].arg = NFV_DROP(0);
	send_udp(r, INSIDE, HOST_IN, 1000, HOST_OUT, 2000);
	rig_run(r);
	assert_int_equal(live(r), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(probe[i].ends, 1);
	/* The third has never seen it: its slot is as it was. */
	assert_int_equal(probe[0].untouched_ends, 0);
	assert_int_equal(probe[1].untouched_ends, 0);
	assert_int_equal(probe[2].untouched_ends, 1);
	/* The next one is new again; and once one has passed, a drop changes nothing. */
	probe[1].act = NULL;
	send_udp(r, INSIDE, HOST_IN, 1000, HOST_OUT, 2000);
	rig_run(r);
	assert_true(probe[0].note[1].flags & NFV_PKT_NEW);
	assert_int_equal(probe[0].note[1].packets, 0);
	probe[1].act = probe_drop;
	send_udp(r, INSIDE, HOST_IN, 1000, HOST_OUT, 2000);
	rig_run(r);
	assert_int_equal(live(r), 1);
	assert_int_equal(probe[0].ends, 1);
	rig_close(r);
	assert_int_equal(probe[0].ends, 2);
}

static void
drop_the_first(struct probe *p, struct nfv_burst *b, struct nfv_out *out)
{
	(void)p;
	(void)out;
	b->pkt[0].verdict = NFV_DROP(0);
}

/* The packet that made the record is dropped, its companion passes: the record is needed. */
static void
one_of_a_burst_is_enough(void **state)
{
	struct rig *r = probe_rig(2, (struct rig_conf){ 0 });

	(void)state;
	probe[0].act = drop_the_first;
	send_udp(r, INSIDE, HOST_IN, 1000, HOST_OUT, 2000);
	send_udp(r, INSIDE, HOST_IN, 1000, HOST_OUT, 2000);
	rig_run(r);
	assert_int_equal(live(r), 1);
	send_udp(r, OUTSIDE, HOST_OUT, 2000, HOST_IN, 1000);
	rig_run(r);
	assert_true(probe[1].note[1].flags & NFV_PKT_REPLY);
	assert_int_equal(probe[0].ends, 0);
	rig_close(r);
	assert_int_equal(probe[0].ends, 1);
}

/* An ICMP error about `quoted`, from the host at `side` to `dst`. */
static void
send_error(struct rig *r, int side, const char *src, const char *dst, const struct nfv_pkt *quoted)
{
	bool v6 = quoted->family == 6;
	struct mk m;
	struct nfv_pkt p = mk_icmp(&m, src, dst, v6 ? NFV_ICMP6_UNREACHABLE : NFV_ICMP_UNREACHABLE,
		v6 ? 4 : 3, 0, quoted->data + quoted->l3, (size_t)(quoted->len - quoted->l3));

	rig_send(r, side, &p);
}

static void
errors_find_the_flow_they_are_about(void **state)
{
	static const char *const host[2][2] = { { HOST_IN, HOST_OUT },
		{ "fd00:1::2", "fd00:2::2" } };
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });
	struct nfv_pkt p;

	(void)state;
	for (unsigned int f = 0; f < 2; f++) {
		const struct probe_note *n = &probe[0].note[2 * f];

		send_udp(r, INSIDE, host[f][0], 1000, host[f][1], 2000);
		rig_run(r);
		p = rig_got(r, OUTSIDE, f);
		send_error(r, OUTSIDE, host[f][1], host[f][0], &p);
		rig_run(r);
		assert_ptr_equal(n[1].flow, n[0].flow);
		assert_true(n[1].flags & NFV_PKT_RELATED);
		assert_true(n[1].flags & NFV_PKT_REPLY);
		assert_false(n[1].flags & NFV_PKT_NEW);
		assert_int_equal(r->n_got[INSIDE], f + 1);
		assert_int_equal(live(r), f + 1);
	}
	rig_close(r);
}

static void
errors_find_the_translated_flow(void **state)
{
	struct rig *r = probe_rig(2, (struct rig_conf){ 0 });
	struct nfv_pkt p;

	(void)state;
	probe[0].act = probe_nat;
	send_udp(r, INSIDE, HOST_IN, 1000, HOST_OUT, 53);
	rig_run(r);
	p = rig_got(r, OUTSIDE, 0);
	send_error(r, OUTSIDE, HOST_OUT, PORT_OUT, &p);
	rig_run(r);
	assert_ptr_equal(probe[0].note[1].flow, probe[0].note[0].flow);
	assert_true(probe[1].note[1].flags & NFV_PKT_RELATED);
	rig_close(r);
}

static void
errors_about_nothing_make_no_record(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });
	struct mk m;
	struct nfv_pkt p = mk_udp(&m, HOST_IN, 9, HOST_OUT, 9, "x", 1);

	(void)state;
	send_error(r, OUTSIDE, HOST_OUT, HOST_IN, &p);
	rig_run(r);
	assert_null(probe[0].note[0].flow);
	assert_true(probe[0].note[0].flags & NFV_PKT_RELATED);
	/* A quote that is cut off in its IP header. */
	p.len = (uint16_t)(p.l3 + 12);
	send_error(r, OUTSIDE, HOST_OUT, HOST_IN, &p);
	/* Neither does a protocol without ports. */
	p = mk_ip(&m, HOST_IN, HOST_OUT, 47, "0123456789", 10);
	rig_send(r, INSIDE, &p);
	rig_run(r);
	assert_int_equal(probe[0].n_notes, 3);
	assert_null(probe[0].note[1].flow);
	assert_null(probe[0].note[2].flow);
	assert_int_equal(live(r), 0);
	assert_int_equal(r->n_got[OUTSIDE], 1);
	rig_close(r);
}

static void
without_a_record_packets_are_the_stages_to_judge(void **state)
{
	enum { FLOWS = 4, SENT = 10 };
	struct rig *r = probe_rig(1, (struct rig_conf){ .flows = FLOWS });
	unsigned int with = 0;

	(void)state;
	for (uint16_t i = 0; i < SENT; i++)
		send_udp(r, INSIDE, HOST_IN, (uint16_t)(1000 + i), HOST_OUT, 2000);
	rig_run(r);
	for (unsigned int i = 0; i < SENT; i++)
		with += probe[0].note[i].flow != NULL;
	assert_int_equal(with, FLOWS);
	assert_int_equal(live(r), FLOWS);
	assert_int_equal(nfv_chain_flow_stats(r->chain).refused, SENT - FLOWS);
	assert_int_equal(r->n_got[OUTSIDE], SENT);
	rig_close(r);
	assert_int_equal(probe[0].ends, FLOWS);
}

/* Sizes that are no multiple of the alignment, and a stage in the middle that keeps nothing. */
static void
slots_do_not_overlap(void **state)
{
	struct rig *r;

	(void)state;
	probe[0].ops.flow_size = sizeof(struct probe_slot) + 1;
	probe[1].ops.flow_size = 0;
	probe[2].ops.flow_size = sizeof(struct probe_slot) + 7;
	r = probe_rig(4, (struct rig_conf){ 0 });
	send_udp(r, INSIDE, HOST_IN, 1000, HOST_OUT, 2000);
	rig_run(r);
	assert_null(probe[1].note[0].flow);
	for (int i = 0; i < 4; i++) {
		const uint8_t *a = probe[i].note[0].flow;

		assert_int_equal((uintptr_t)a % 8, 0);
		for (int j = 0; a != NULL && j < i; j++) {
			const uint8_t *b = probe[j].note[0].flow;

			if (b != NULL)
				assert_true(b + probe[j].ops.flow_size <= a);
		}
	}
	rig_close(r);
}

static void
records_end_where_flows_end(void **state)
{
	struct rig *r;

	(void)state;
	probe[1].ops.ends_flows = true;
	probe[1].act = probe_proxy;
	r = probe_rig(3, (struct rig_conf){ 0 });
	send_udp(r, INSIDE, HOST_IN, 5060, PORT_IN, 5060);
	rig_run(r);
	assert_int_equal(r->n_got[OUTSIDE], 1);
	assert_int_equal(live(r), 3);
	assert_true(probe[2].note[0].flags & NFV_PKT_OWN);
	assert_true(probe[2].note[0].flags & NFV_PKT_NEW);
	/* On both sides the answer belongs to what there is. */
	send_udp(r, OUTSIDE, HOST_OUT, 5060, PORT_OUT, 5060);
	rig_run(r);
	assert_int_equal(r->n_got[INSIDE], 1);
	for (int i = 0; i < 3; i += 2) {
		assert_ptr_equal(probe[i].note[1].flow, probe[i].note[0].flow);
		assert_true(probe[i].note[1].flags & NFV_PKT_REPLY);
	}
	rig_close(r);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			probe[i].ends, probe[i].note[1].flow == probe[i].note[0].flow ? 1 : 2);
}

static void
cut_short(struct probe *p, struct nfv_burst *b, struct nfv_out *out)
{
	(void)p;
	(void)out;
	b->pkt[0].flags |= NFV_PKT_OWN;
	b->pkt[0].len = (uint16_t)(b->pkt[0].l3 + 10);
}

static void
what_an_end_of_flows_writes_is_checked(void **state)
{
	struct rig *r;

	(void)state;
	probe[0].ops.ends_flows = true;
	probe[0].act = cut_short;
	r = probe_rig(2, (struct rig_conf){ 0 });
	send_udp(r, INSIDE, HOST_IN, 1, HOST_OUT, 2);
	rig_run(r);
	assert_int_equal(r->stats->loop_drop[NFV_LOOP_BAD_ORIGIN], 1);
	assert_int_equal(probe[1].n_notes, 0);
	assert_int_equal(live(r), 0);
	rig_close(r);
}

/* The answer to a flow's first packet meets the neighbours while that packet is still here. */
static void
answers_to_new_flows_find_the_record(void **state)
{
	struct rig *r = probe_rig(3, (struct rig_conf){ 0 });

	(void)state;
	probe[0].act = probe_nat;
	probe[1].act = probe_answer;
	send_udp(r, INSIDE, HOST_IN, 1000, HOST_OUT, 53);
	rig_run(r);
	assert_int_equal(probe[0].n_notes, 2);
	assert_ptr_equal(probe[0].note[1].flow, probe[0].note[0].flow);
	assert_true(probe[0].note[1].flags & NFV_PKT_REPLY);
	/* Turned back by what the first packet left in the slot. */
	struct nfv_pkt p = rig_got(r, INSIDE, 0);

	assert_int_equal(be16toh(((struct nfv_udp *)nfv_pkt_l4(&p))->be_dport), 1000);
	rig_close(r);
	assert_int_equal(probe[0].ends, 1);
}

static void
reject(struct probe *p, struct nfv_burst *b, struct nfv_out *out)
{
	probe_echo(p, b, out);
	probe_drop(p, b, out);
}

/* The answer finds the record on its way, yet it does not make a flow of what was refused. */
static void
what_is_refused_with_an_answer_leaves_no_record(void **state)
{
	struct rig *r = probe_rig(2, (struct rig_conf){ 0 });

	(void)state;
	probe[1].act = reject;
	probe[1].arg = NFV_DROP(0);
	send_udp(r, INSIDE, HOST_IN, 1000, HOST_OUT, 53);
	rig_run(r);
	assert_int_equal(r->n_got[INSIDE], 1);
	assert_ptr_equal(probe[0].note[1].flow, probe[0].note[0].flow);
	assert_int_equal(live(r), 0);
	assert_int_equal(probe[0].ends, 1);
	rig_close(r);
}

static void
silent_flows_are_ended_once(void **state)
{
	enum { FLOWS = 200 };
	struct rig *r = probe_rig(2, (struct rig_conf){ 0 });
	uint64_t then = rte_rdtsc() + 301 * RIG_HZ;

	(void)state;
	for (uint16_t i = 0; i < FLOWS; i++) {
		send_udp(r, INSIDE, HOST_IN, (uint16_t)(1000 + i), HOST_OUT, 2000);
		rig_run(r);
	}
	assert_int_equal(live(r), FLOWS);
	nfv_chain_tick(r->chain, then);
	assert_true(live(r) > 0); /* not all at once: packets wait meanwhile */
	for (int i = 0; i < 20; i++)
		nfv_chain_tick(r->chain, then);
	assert_int_equal(live(r), 0);
	assert_int_equal(probe[0].ends, FLOWS);
	assert_int_equal(probe[1].ends, FLOWS);
	rig_close(r);
	assert_int_equal(probe[0].ends, FLOWS);
}

/* Taken and given back: what the last flow left in a slot is gone. Probes look at it themselves. */
static void
slots_begin_zeroed_again(void **state)
{
	struct rig *r = probe_rig(2, (struct rig_conf){ .flows = 8 });

	(void)state;
	for (uint16_t i = 0; i < 400; i++) {
		probe[1].act = i % 3 == 0 ? probe_drop : NULL;
		probe[1].arg = NFV_DROP(0);
		send_udp(r, i % 2, i % 2 ? HOST_OUT : HOST_IN, (uint16_t)(1000 + i),
			i % 2 ? HOST_IN : HOST_OUT, 2000);
		rig_run(r);
	}
	rig_close(r);
	assert_int_equal(probe[0].ends, probe[1].ends);
}

static void
shows_what_there_is(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	probe[0].act = probe_nat;
	for (uint16_t i = 0; i < 5; i++)
		send_udp(r, INSIDE, HOST_IN, (uint16_t)(1000 + i), HOST_OUT, 53);
	rig_run(r);
	nfv_chain_show_flows(r->chain, to, 3);
	nfv_chain_show_l3(r->chain, to);
	nfv_chain_show_stage(r->chain, 0, to);
	fclose(to);
	assert_non_null(strstr(text, "5 of 2048 flows; 5 added"));
	assert_non_null(strstr(text, HOST_IN ":1000 -> " HOST_OUT ":53"));
	assert_non_null(strstr(text, HOST_OUT ":53 <- " PORT_OUT ":2000"));
	assert_non_null(strstr(text, "and 2 more"));
	assert_non_null(strstr(text, HOST_OUT));
	assert_non_null(strstr(text, "probe0"));
	free(text);
	rig_close(r);
}

/* Refuses port 1 with an answer, lets others pass. */
static void
reject_one(struct probe *p, struct nfv_burst *b, struct nfv_out *out)
{
	struct nfv_burst one = { .tsc = b->tsc, .dir = b->dir, .n = 1 };

	for (uint16_t i = 0; i < b->n; i++) {
		const struct nfv_udp *u = nfv_pkt_l4(&b->pkt[i]);

		if (b->dir != NFV_OUTWARD || be16toh(u->be_sport) != 1)
			continue;
		one.pkt[0] = b->pkt[i];
		probe_echo(p, &one, out);
		b->pkt[i].verdict = NFV_DROP(0);
	}
}

static void
a_rejection_harms_no_neighbour(void **state)
{
	struct rig *r = probe_rig(2, (struct rig_conf){ 0 });

	(void)state;
	probe[0].act = reject_one;
	probe[1].act = probe_nat;
	send_udp(r, INSIDE, HOST_IN, 1, HOST_OUT, 53);
	send_udp(r, INSIDE, HOST_IN, 1000, HOST_OUT, 53);
	rig_run(r);
	assert_int_equal(live(r), 1);
	rig_forget(r);
	send_udp(r, OUTSIDE, HOST_OUT, 53, PORT_OUT, 2000);
	rig_run(r);
	assert_int_equal(live(r), 1);
	rig_close(r);
}

/* A full table, and a burst in which new flows alternate with packets of old, unanswered ones. */
static void
eviction_spares_the_burst(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ .flows = 8 });
	unsigned int n;

	(void)state;
	for (uint16_t i = 0; i < 8; i++)
		send_udp(r, INSIDE, HOST_IN, (uint16_t)(1000 + i), HOST_OUT, 2000);
	rig_run(r);
	assert_int_equal(live(r), 8);
	rte_delay_us_sleep(400000);
	n = probe[0].n_notes;
	for (uint16_t i = 0; i < 8; i++) {
		send_udp(r, INSIDE, HOST_IN, (uint16_t)(3000 + i), HOST_OUT, 2000);
		send_udp(r, INSIDE, HOST_IN, (uint16_t)(1000 + i), HOST_OUT, 2000);
	}
	rig_run(r);
	for (unsigned int i = n; i < probe[0].n_notes; i++)
		for (unsigned int j = n; j < i; j++)
			if (probe[0].note[i].flow != NULL)
				assert_ptr_not_equal(probe[0].note[i].flow, probe[0].note[j].flow);
	rig_close(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(returns_find_the_slot_and_are_replies, setup),
		cmocka_unit_test_setup(translated_returns_find_the_slot, setup),
		cmocka_unit_test_setup(a_tuple_that_is_taken_is_counted, setup),
		cmocka_unit_test_setup(a_burst_shares_the_record_it_makes, setup),
		cmocka_unit_test_setup(records_of_what_is_dropped_vanish, setup),
		cmocka_unit_test_setup(one_of_a_burst_is_enough, setup),
		cmocka_unit_test_setup(errors_find_the_flow_they_are_about, setup),
		cmocka_unit_test_setup(errors_find_the_translated_flow, setup),
		cmocka_unit_test_setup(errors_about_nothing_make_no_record, setup),
		cmocka_unit_test_setup(without_a_record_packets_are_the_stages_to_judge, setup),
		cmocka_unit_test_setup(slots_do_not_overlap, setup),
		cmocka_unit_test_setup(records_end_where_flows_end, setup),
		cmocka_unit_test_setup(what_an_end_of_flows_writes_is_checked, setup),
		cmocka_unit_test_setup(answers_to_new_flows_find_the_record, setup),
		cmocka_unit_test_setup(what_is_refused_with_an_answer_leaves_no_record, setup),
		cmocka_unit_test_setup(a_rejection_harms_no_neighbour, setup),
		cmocka_unit_test_setup(eviction_spares_the_burst, setup),
		cmocka_unit_test_setup(silent_flows_are_ended_once, setup),
		cmocka_unit_test_setup(slots_begin_zeroed_again, setup),
		cmocka_unit_test_setup(shows_what_there_is, setup),
	};

	test_eal("256");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
