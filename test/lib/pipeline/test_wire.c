/* A chain's ports as hosts: what l3 does where stages and buffers are real. */
#include <string.h>

#include <rte_cycles.h>

#include "eal.h"
#include "probe.h"

static const char *const host[2][2] = { { HOST_IN, HOST_OUT }, { "fd00:1::2", "fd00:2::2" } };
static const char *const own[2][2] = { { PORT_IN, PORT_OUT }, { "fd00:1::1", "fd00:2::1" } };

static int
setup(void **state)
{
	(void)state;
	probe_reset();
	return 0;
}

static struct nfv_icmp *
icmp_of(struct nfv_pkt *p)
{
	assert_int_equal(p->proto, p->family == 4 ? NFV_PROTO_ICMP : NFV_PROTO_ICMP6);
	return nfv_pkt_l4(p);
}

static void
ports_answer_ping(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });

	(void)state;
	for (int f = 0; f < 2; f++) {
		for (int side = 0; side < 2; side++) {
			struct mk m;
			struct nfv_pkt p = mk_icmp(&m, host[f][side], own[f][side],
				f == 0 ? NFV_ICMP_ECHO : NFV_ICMP6_ECHO, 0, 0x12340001, "ping", 4);

			rig_send(r, side, &p);
			rig_run(r);
			p = rig_got(r, side, (unsigned int)f);
			assert_int_equal(icmp_of(&p)->type,
				f == 0 ? NFV_ICMP_ECHO_REPLY : NFV_ICMP6_ECHO_REPLY);
			assert_int_equal(icmp_of(&p)->be_rest, htobe32(0x12340001));
		}
	}
	assert_int_equal(probe[0].n_notes, 0);
	rig_close(r);
}

static void
pings_pass(void **state)
{
	struct rig *r = probe_rig(2, (struct rig_conf){ 0 });

	(void)state;
	for (int f = 0; f < 2; f++) {
		struct mk m;
		struct nfv_pkt p = mk_icmp(&m, host[f][0], host[f][1],
			f == 0 ? NFV_ICMP_ECHO : NFV_ICMP6_ECHO, 0, 0x00070001, "ping", 4);

		rig_send(r, INSIDE, &p);
		p = mk_icmp(&m, host[f][1], host[f][0],
			f == 0 ? NFV_ICMP_ECHO_REPLY : NFV_ICMP6_ECHO_REPLY, 0, 0x00070001, "ping",
			4);
		rig_send(r, OUTSIDE, &p);
		rig_run(r);
		p = rig_got(r, OUTSIDE, (unsigned int)f);
		assert_int_equal(f == 0 ? nfv_pkt_ip4(&p)->ttl : nfv_pkt_ip6(&p)->hops, 63);
		rig_got(r, INSIDE, (unsigned int)f);
		assert_ptr_equal(probe[0].note[2 * f].flow, probe[0].note[2 * f + 1].flow);
		assert_true(probe[0].note[2 * f + 1].flags & NFV_PKT_REPLY);
	}
	rig_close(r);
}

/* Nobody is known yet: the packet waits for the answer, then goes, on either side. */
static void
packets_wait_for_their_neighbour(void **state)
{
	(void)state;
	for (int f = 0; f < 2; f++) {
		struct nfv_stage_use use = { .ops = &probe[0].ops };
		struct rig_conf conf = { .stage = &use, .n_stages = 1 };
		struct rig *r = calloc(1, sizeof(*r));
		struct nfv_err err;

		assert_int_equal(rig_try(r, &conf, &err), 0);
		for (int side = 0; side < 2; side++) {
			struct mk m;
			struct nfv_pkt p = mk_udp(&m, host[f][side], 1, host[f][!side], 2, "x", 1);

			rig_send(r, side, &p);
			rig_run(r);
			p = rig_got(r, !side, 0);
			assert_memory_equal((uint8_t *)nfv_pkt_l4(&p) + NFV_UDP_LEN, "x", 1);
		}
		/* Meanwhile it was copied: its own buffer went back. */
		assert_int_equal(r->stats->l3_drop[NFV_L3_QUEUE_FULL], 0);
		rig_close(r);
	}
}

static void
who_does_not_answer_is_given_up(void **state)
{
	static const char *const nobody[2] = { "10.2.0.77", "fd00:2::77" };

	(void)state;
	for (int f = 0; f < 2; f++) {
		struct rig *r = probe_rig(1, (struct rig_conf){ 0 });
		uint64_t tsc = rte_rdtsc();
		struct nfv_pkt p;
		struct mk m;

		p = mk_udp(&m, host[f][0], 1, nobody[f], 2, "x", 1);
		rig_send(r, INSIDE, &p);
		rig_run(r);
		/* Asked, and asked again. */
		assert_int_equal(r->n_got[OUTSIDE], 1);
		for (int s = 0; s < 10; s++) {
			tsc += RIG_HZ;
			nfv_chain_tick(r->chain, tsc);
			rig_run(r);
		}
		assert_true(r->n_got[OUTSIDE] > 1);
		/* The error has come back through the chain. */
		p = rig_got(r, INSIDE, 0);
		assert_int_equal(
			icmp_of(&p)->type, f == 0 ? NFV_ICMP_UNREACHABLE : NFV_ICMP6_UNREACHABLE);
		assert_int_equal(probe[0].n_notes, 2);
		assert_true(probe[0].note[1].flags & NFV_PKT_RELATED);
		assert_ptr_equal(probe[0].note[1].flow, probe[0].note[0].flow);
		rig_close(r);
		probe_reset();
	}
}

static void
the_spent_are_reported(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });

	(void)state;
	for (int f = 0; f < 2; f++) {
		struct mk m;
		struct nfv_pkt p = mk_udp(&m, host[f][0], 1, host[f][1], 2, "x", 1);

		if (f == 0) {
			nfv_pkt_ip4(&p)->ttl = 1;
			nfv_csum_ip4_set(nfv_pkt_ip4(&p));
		} else {
			nfv_pkt_ip6(&p)->hops = 1;
		}
		rig_send(r, INSIDE, &p);
		rig_run(r);
		p = rig_got(r, INSIDE, (unsigned int)f);
		assert_int_equal(icmp_of(&p)->type,
			f == 0 ? NFV_ICMP_TIME_EXCEEDED : NFV_ICMP6_TIME_EXCEEDED);
	}
	assert_int_equal(r->stats->l3_drop[NFV_L3_TTL], 2);
	assert_int_equal(probe[0].n_notes, 0);
	rig_close(r);
}

/* No stage took it: the sender is told, by a packet that goes back through the chain. */
static void
what_nobody_listens_for_is_refused(void **state)
{
	struct rig *r = probe_rig(2, (struct rig_conf){ 0 });

	(void)state;
	for (int f = 0; f < 2; f++) {
		struct mk m;
		struct nfv_pkt p = mk_udp(&m, host[f][1], 1, own[f][1], 9, "x", 1);

		memset(probe_trace, 0, sizeof(probe_trace));
		rig_send(r, OUTSIDE, &p);
		rig_run(r);
		assert_string_equal(probe_trace, "ba01");
		p = rig_got(r, OUTSIDE, (unsigned int)f);
		assert_int_equal(
			icmp_of(&p)->type, f == 0 ? NFV_ICMP_UNREACHABLE : NFV_ICMP6_UNREACHABLE);
		assert_int_equal(icmp_of(&p)->code, f == 0 ? 3 : 4);
	}
	assert_int_equal(r->stats->l3_drop[NFV_L3_NO_LISTENER], 2);
	rig_close(r);
}

static void
where_no_route_leads_is_refused(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });
	struct mk m;
	struct nfv_pkt p = mk_udp(&m, HOST_IN, 1, "192.0.2.1", 2, "x", 1);

	(void)state;
	rig_send(r, INSIDE, &p);
	rig_run(r);
	p = rig_got(r, INSIDE, 0);
	assert_int_equal(icmp_of(&p)->type, NFV_ICMP_UNREACHABLE);
	assert_int_equal(icmp_of(&p)->code, 0);
	assert_int_equal(r->stats->l3_drop[NFV_L3_NO_ROUTE], 1);
	rig_close(r);
}

static void
what_is_too_big_is_cut_or_refused(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ .mtu = 1280 });
	static uint8_t data[1400];
	struct mk m;
	struct nfv_pkt p = mk_udp(&m, HOST_IN, 1, HOST_OUT, 2, data, sizeof(data));

	(void)state;
	nfv_pkt_ip4(&p)->be_frag = htobe16(NFV_IP4_DF);
	nfv_csum_ip4_set(nfv_pkt_ip4(&p));
	rig_send(r, INSIDE, &p);
	rig_run(r);
	p = rig_got(r, INSIDE, 0);
	assert_int_equal(icmp_of(&p)->code, 4);
	assert_int_equal(be32toh(icmp_of(&p)->be_rest), 1280);

	p = mk_udp(&m, HOST_IN, 1, HOST_OUT, 2, data, sizeof(data));
	nfv_pkt_ip4(&p)->be_frag = 0;
	nfv_csum_ip4_set(nfv_pkt_ip4(&p));
	rig_send(r, INSIDE, &p);
	rig_run(r);
	assert_int_equal(r->n_got[OUTSIDE], 2);
	assert_true(r->got[OUTSIDE][0].len <= NFV_ETH_LEN + 1280);

	p = mk_udp(&m, "fd00:1::2", 1, "fd00:2::2", 2, data, sizeof(data));
	rig_send(r, INSIDE, &p);
	rig_run(r);
	p = rig_got(r, INSIDE, 1);
	assert_int_equal(icmp_of(&p)->type, NFV_ICMP6_TOO_BIG);
	rig_close(r);
}

static void
a_whole_burst_can_be_cut(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ .mtu = 1280 });
	static uint8_t data[1400];
	struct mk m;
	struct nfv_pkt p = mk_udp(&m, HOST_IN, 1, HOST_OUT, 2, data, sizeof(data));

	(void)state;
	for (int i = 0; i < NFV_BURST_MAX; i++)
		rig_send(r, INSIDE, &p);
	rig_run(r);
	assert_int_equal(r->n_got[OUTSIDE], 2 * NFV_BURST_MAX);
	assert_int_equal(r->stats->l3_drop[NFV_L3_NO_BUFFER], 0);
	rig_close(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(ports_answer_ping, setup),
		cmocka_unit_test_setup(pings_pass, setup),
		cmocka_unit_test_setup(packets_wait_for_their_neighbour, setup),
		cmocka_unit_test_setup(who_does_not_answer_is_given_up, setup),
		cmocka_unit_test_setup(the_spent_are_reported, setup),
		cmocka_unit_test_setup(what_nobody_listens_for_is_refused, setup),
		cmocka_unit_test_setup(where_no_route_leads_is_refused, setup),
		cmocka_unit_test_setup(what_is_too_big_is_cut_or_refused, setup),
		cmocka_unit_test_setup(a_whole_burst_can_be_cut, setup),
	};

	test_eal("256");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
