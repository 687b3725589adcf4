/* Datagrams longer than a frame: in fragments in, whole through the stages, in fragments out. */
#include <string.h>

#include <rte_cycles.h>
#include <rte_mbuf.h>

#include "eal.h"
#include "probe.h"

#define LARGE 16

static const char *const host[2][2] = { { HOST_IN, HOST_OUT }, { "fd00:1::2", "fd00:2::2" } };
static const char *const own[2][2] = { { PORT_IN, PORT_OUT }, { "fd00:1::1", "fd00:2::1" } };
static const uint32_t sizes[] = { 1500, 2100, 9000, 30000, 65000, NFV_FRAME_MAX - 62 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static uint8_t mem[NFV_FRAME_MAX], got[NFV_FRAME_MAX];
static uint32_t met; /* bytes of transport the stage has seen of the last packet */

static const struct rig_conf conf = { .large = LARGE, .reassembly = 8 };

static int
setup(void **state)
{
	(void)state;
	probe_reset();
	met = 0;
	return 0;
}

/* A packet of any length, as nobody could send it but in pieces; `n` bytes from its transport on. */
static struct nfv_pkt
mk_large(const char *src, const char *dst, uint8_t proto, uint32_t n)
{
	struct nfv_pkt p = { .data = mem, .l3 = NFV_ETH_LEN, .tailroom = NFV_FRAME_MAX };
	uint8_t s[16], d[16], family = strchr(src, ':') == NULL ? 4 : 6;
	struct nfv_udp udp = { htobe16(7), htobe16(5060), htobe16((uint16_t)n), 0 };
	struct nfv_icmp echo = { .type = family == 4 ? NFV_ICMP_ECHO : NFV_ICMP6_ECHO };

	mk_addr(src, s);
	mk_addr(dst, d);
	assert_true(nfv_pkt_ip_header(&p, family, s, d, proto, (uint16_t)n));
	for (uint32_t i = 8; i < n; i++)
		mem[p.l4 + i] = (uint8_t)(i * 11 + i / 251);
	memcpy(nfv_pkt_l4(&p), proto == NFV_PROTO_UDP ? (void *)&udp : (void *)&echo, 8);
	nfv_csum_l4_set(&p);
	((struct nfv_eth *)mem)->be_type = htobe16(family == 4 ? NFV_ETH_IP4 : NFV_ETH_IP6);
	return p;
}

/* Answers with all that came; consumes it. */
static void
answer_all(struct probe *p, struct nfv_burst *b, struct nfv_out *out)
{
	for (uint16_t i = 0; i < b->n; i++) {
		struct nfv_pkt *k = &b->pkt[i], *o;
		unsigned int n = nfv_pkt_l4_len(k), hlen = k->family == 4 ? 20 : 40;
		uint8_t *ip = k->data + k->l3;

		met = n;
		k->verdict = NFV_CONSUMED;
		assert_true(k->flags & NFV_PKT_LOCAL);
		assert_false(k->flags & NFV_PKT_FRAGMENT);
		assert_true(nfv_csum_l4_ok(k));
		o = nfv_out_take_for(out, nfv_dir_back(b->dir), hlen + n + p->arg);
		if (o == NULL)
			continue;
		if (!nfv_pkt_ip_header(o, k->family, ip + (hlen == 20 ? 16 : 24),
			    ip + (hlen == 20 ? 12 : 8), NFV_PROTO_UDP, (uint16_t)n)) {
			out->n--;
			continue;
		}
		memcpy(nfv_pkt_l4(o), nfv_pkt_l4(k), n);
		nfv_csum_l4_set(o);
	}
}

static struct rig *
answering_rig(struct rig_conf c)
{
	struct rig *r;

	probe[0].act = answer_all;
	r = probe_rig(1, c);
	for (int side = 0; side < 2; side++) /* neighbours are asked for when first used */
		for (int f = 0; f < 2; f++) {
			struct mk m;
			struct nfv_pkt p = mk_udp(&m, host[f][side], 7, own[f][side], 5060, "x", 1);

			rig_send(r, side, &p);
		}
	rig_run(r);
	rig_forget(r);
	return r;
}

static void
datagrams_of_any_length_are_answered(void **state)
{
	struct rig *r = answering_rig(conf);

	(void)state;
	for (uint32_t i = 0; i < 4 * SIZES; i++) {
		uint32_t n = sizes[i / 4];
		int side = i & 1, f = i >> 1 & 1;
		struct nfv_pkt p = mk_large(host[f][side], own[f][side], NFV_PROTO_UDP, n);

		rig_send_pieces(r, side, &p, (uint16_t)i, (uint16_t)(i % 3 == 0 ? 1400 : 1448));
		rig_run(r);
		assert_int_equal(met, n);
		assert_int_equal(r->n_got[!side], 0);
		assert_int_equal(rig_gather(r, side, got), n);
		assert_memory_equal(got + 8, mem + p.l4 + 8, n - 8);
		rig_forget(r);
	}
	rig_close(r);
}

static void
pings_of_any_length_are_answered(void **state)
{
	struct rig *r = answering_rig(conf);

	(void)state;
	for (uint32_t i = 0; i < 4 * SIZES; i++) {
		uint32_t n = sizes[i / 4];
		int side = i & 1, f = i >> 1 & 1;
		struct nfv_pkt p = mk_large(
			host[f][side], own[f][side], f == 0 ? NFV_PROTO_ICMP : NFV_PROTO_ICMP6, n);

		met = 0;
		rig_send_pieces(r, side, &p, (uint16_t)i, 1400);
		rig_run(r);
		assert_int_equal(met, 0);
		assert_int_equal(rig_gather(r, side, got), n);
		assert_int_equal(got[0], f == 0 ? NFV_ICMP_ECHO_REPLY : NFV_ICMP6_ECHO_REPLY);
		assert_memory_equal(got + 4, mem + p.l4 + 4, n - 4);
		rig_forget(r);
	}
	rig_close(r);
}

/* Many at once, each in its own time through the chain. */
static void
many_at_once(void **state)
{
	struct rig *r = answering_rig((struct rig_conf){ .large = LARGE, .reassembly = 64 });

	(void)state;
	for (uint16_t id = 0; id < 12; id++) {
		struct nfv_pkt p = mk_large(host[0][0], own[0][0], NFV_PROTO_UDP, 4000);

		rig_send_pieces(r, INSIDE, &p, id, 1400);
	}
	rig_run(r);
	assert_int_equal(r->n_got[INSIDE], 12 * 3);
	rig_close(r);
}

/* What is only to be forwarded is no datagram of ours: not a byte of it passes, and no stage, so no
 * firewall, is asked what it has not seen the ports of. */
static void
others_fragments_are_dropped(void **state)
{
	struct rig *r = probe_rig(1, conf);
	uint64_t before = r->stats->l3_drop[NFV_L3_FRAGMENT];

	(void)state;
	for (int f = 0; f < 2; f++) {
		struct nfv_pkt p = mk_large(host[f][0], host[f][1], NFV_PROTO_UDP, 4000);

		rig_send_pieces(r, INSIDE, &p, 1, 1400);
	}
	rig_run(r);
	assert_int_equal(r->stats->l3_drop[NFV_L3_FRAGMENT] - before, 6);
	assert_int_equal(probe[0].n_notes, 0);
	assert_int_equal(r->n_got[OUTSIDE], 0);
	rig_close(r);
}

/* Nothing is left to put it into, or to write the answer into: counted, and all goes on. */
static void
without_large_buffers(void **state)
{
	static const struct {
		uint32_t large;
		bool sees;
	} cases[] = { { 0, false }, { 4, false }, { 5, true } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig *r = answering_rig(
			(struct rig_conf){ .large = cases[i].large, .reassembly = 8 });
		struct nfv_pkt p;

		/* Those that find room in a usual buffer need no other. */
		p = mk_large(host[0][0], own[0][0], NFV_PROTO_UDP, 1900);
		rig_send_pieces(r, INSIDE, &p, 1, 1400);
		rig_run(r);
		assert_int_equal(met, 1900);
		assert_int_equal(rig_gather(r, INSIDE, got), 1900);
		rig_forget(r);
		met = 0;
		p = mk_large(host[0][0], own[0][0], NFV_PROTO_UDP, 5000);
		rig_send_pieces(r, INSIDE, &p, 2, 1400);
		rig_run(r);
		assert_int_equal(met, cases[i].sees ? 5000 : 0);
		assert_int_equal(r->stats->l3_drop[NFV_L3_NO_BUFFER], !cases[i].sees);
		assert_int_equal(r->n_got[INSIDE], cases[i].sees ? 4 : 0);
		rig_close(r);
		setup(NULL);
	}
}

/* All that is lent is taken: one more is told that there is none. */
static void
take_all(struct probe *p, struct nfv_burst *b, struct nfv_out *out)
{
	(void)p;
	for (int i = 0; i < NFV_LARGE_MAX + 1; i++) {
		struct nfv_pkt *o = nfv_out_take_for(out, NFV_OUTWARD, 60000);
		uint8_t addr[16];

		assert_int_equal(o != NULL, i < NFV_LARGE_MAX);
		if (o == NULL)
			continue;
		assert_int_equal(o->tailroom, NFV_FRAME_MAX - NFV_ETH_LEN);
		mk_addr(HOST_OUT, addr);
		assert_true(nfv_pkt_ip_header(o, 4, addr, addr, 200, 100));
	}
	b->pkt[0].verdict = NFV_CONSUMED;
}

static void
large_buffers_are_few(void **state)
{
	struct rig *r;
	struct nfv_pkt p;
	struct mk m;

	(void)state;
	probe[0].act = take_all;
	r = probe_rig(1, conf);
	for (unsigned int i = 1; i < 4; i++) {
		p = mk_udp(&m, HOST_IN, 1, HOST_OUT, 2, "x", 1);
		rig_send(r, INSIDE, &p);
		rig_run(r);
		assert_int_equal(r->stats->loop_drop[NFV_LOOP_NO_BUFFER], i);
		assert_int_equal(r->n_got[OUTSIDE], NFV_LARGE_MAX);
		rig_forget(r);
	}
	rig_close(r);
}

/* Taken down while datagrams are half there. */
static void
ends_in_the_midst(void **state)
{
	struct rig *r = answering_rig(conf);

	(void)state;
	for (uint16_t id = 0; id < 20; id++) {
		struct nfv_pkt p = mk_large(host[0][0], own[0][0], NFV_PROTO_UDP, 40000);

		p.len = (uint16_t)(p.len - id * 1400);
		rig_send_pieces(r, INSIDE, &p, id, 1400);
		nfv_chain_poll(r->chain);
	}
	rig_close(r);
}

/* As time passes, those that miss a part are given up and told of. */
static void
late_ones(void **state)
{
	struct rig *r = answering_rig(conf);
	uint64_t now = rte_rdtsc();
	struct nfv_pkt p = mk_large(host[0][0], own[0][0], NFV_PROTO_UDP, 4000);

	(void)state;
	p.len -= 1400;
	rig_send_pieces(r, INSIDE, &p, 1, 1400);
	/* The last piece there is was made to look like the last: the sender says more. */
	rig_run(r);
	rig_forget(r);
	p = mk_large(host[0][0], own[0][0], NFV_PROTO_UDP, 1400);
	p.data[NFV_ETH_LEN + 6] = NFV_IP4_MF >> 8;
	nfv_pkt_ip4(&p)->be_id = htobe16(2);
	nfv_csum_ip4_set(nfv_pkt_ip4(&p));
	rig_send(r, INSIDE, &p);
	rig_run(r);
	assert_int_equal(r->n_got[INSIDE], 0);
	nfv_chain_tick(r->chain, now + 40 * RIG_HZ);
	rig_run(r);
	p = rig_got(r, INSIDE, 0);
	assert_int_equal(((struct nfv_icmp *)nfv_pkt_l4(&p))->type, NFV_ICMP_TIME_EXCEEDED);
	assert_int_equal(((struct nfv_icmp *)nfv_pkt_l4(&p))->code, 1);
	rig_close(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(datagrams_of_any_length_are_answered, setup),
		cmocka_unit_test_setup(pings_of_any_length_are_answered, setup),
		cmocka_unit_test_setup(many_at_once, setup),
		cmocka_unit_test_setup(others_fragments_are_dropped, setup),
		cmocka_unit_test_setup(without_large_buffers, setup),
		cmocka_unit_test_setup(large_buffers_are_few, setup),
		cmocka_unit_test_setup(ends_in_the_midst, setup),
		cmocka_unit_test_setup(late_ones, setup),
	};

	test_eal("256");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
