/* A chain in shards, all polled by one thread: whose a packet is, how it gets there, what is told. */
#include <string.h>

#include <rte_cycles.h>
#include <rte_thash.h>

#include "eal.h"
#include "rig.h"

#define SHARDS 3

struct slot {
	uint32_t packets, shard;
};

/* A stage of which each shard has one: it notes what it meets and steers as it is told. */
struct watch {
	uint32_t shard, shards;
	const struct nfv_tell *tell;
	unsigned int met[2], replies, strays; /* strays: of flows that another shard had begun */
	unsigned int told, met_before_told;
	char heard[16];
	uint64_t group_seed;
};

static struct watch *watch[2][RIG_SHARDS]; /* by place */
static int (*steer)(const struct watch *w, const struct nfv_pkt *p, enum nfv_dir dir);
static void (*act)(struct watch *w, struct nfv_burst *b, struct nfv_out *out);

static int
start(void *state, const struct nfv_stage_ctx *ctx, unsigned int place)
{
	struct watch *w = state;

	*w = (struct watch){ .shard = ctx->shard,
		.shards = ctx->shards,
		.tell = ctx->tell,
		.group_seed = ctx->group_seed };
	watch[place][ctx->shard] = w;
	return 0;
}

static int
start0(void *state, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	(void)err;
	return start(state, ctx, 0);
}

static int
start1(void *state, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	(void)err;
	return start(state, ctx, 1);
}

static void
process(void *state, struct nfv_burst *b, struct nfv_out *out)
{
	struct watch *w = state;

	for (uint16_t i = 0; i < b->n; i++) {
		struct slot *s = b->pkt[i].flow;

		w->met[b->dir]++;
		w->replies += (b->pkt[i].flags & NFV_PKT_REPLY) != 0;
		if (s == NULL)
			continue;
		if (s->packets++ == 0)
			s->shard = w->shard;
		w->strays += s->shard != w->shard;
	}
	if (act != NULL)
		act(w, b, out);
}

static int
steer_it(const void *state, const struct nfv_pkt *p, enum nfv_dir dir)
{
	return steer != NULL ? steer(state, p, dir) : -1;
}

static void
told(void *state, const void *bytes, size_t n, uint64_t tsc)
{
	struct watch *w = state;

	(void)tsc;
	assert_in_range(n, 0, sizeof(w->heard) - 1);
	memcpy(w->heard, bytes, n);
	w->told++;
	w->met_before_told = w->met[NFV_OUTWARD] + w->met[NFV_INWARD];
}

static struct nfv_stage_ops keeper = { .name = "keeper",
	.access = NFV_WRITES,
	.state_size = sizeof(struct watch),
	.flow_size = sizeof(struct slot),
	.init = start0,
	.process = process,
	.steer = steer_it,
	.told = told };

/* A proxy's place: an end of flows, a segment of its own without a table. */
static struct nfv_stage_ops proxy = { .name = "proxy",
	.access = NFV_WRITES,
	.ends_flows = true,
	.state_size = sizeof(struct watch),
	.init = start1,
	.process = process,
	.steer = steer_it,
	.told = told };

static struct rig *
open_rig(uint32_t stages, uint32_t slots)
{
	static const struct nfv_stage_use use[] = { { .ops = &keeper }, { .ops = &proxy } };

	return rig_open(&(struct rig_conf){
		.stage = use, .n_stages = stages, .shards = SHARDS, .slots = slots });
}

static int
setup(void **state)
{
	(void)state;
	steer = NULL;
	act = NULL;
	return 0;
}

static uint64_t
total(struct rig *r, size_t member)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < r->shards; i++)
		n += *(const uint64_t *)(const void *)((const uint8_t *)nfv_chain_stats(
							       r->shard[i]) +
			member);
	return n;
}
#define TOTAL(r, member) total(r, offsetof(struct nfv_chain_stats, member))

/* --- the hash --- */

static uint32_t
as_a_card(const uint8_t *bytes, unsigned int words)
{
	uint8_t key[40];
	uint32_t tuple[10];

	for (unsigned int i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(NFV_SPREAD_KEY >> (i % 2 == 0 ? 8 : 0));
	for (unsigned int i = 0; i < words; i++)
		tuple[i] = (uint32_t)bytes[4 * i] << 24 | (uint32_t)bytes[4 * i + 1] << 16 |
			(uint32_t)bytes[4 * i + 2] << 8 | bytes[4 * i + 3];
	return rte_softrss(tuple, words, key);
}

static void
the_hash_is_a_cards(void **state)
{
	static const uint8_t tcp[12] = { 10, 1, 0, 2, 10, 2, 0, 2, 0x30, 0x39, 0, 80 };
	uint8_t ip6[36];
	struct nfv_pkt p, back, quote;
	struct mk m, m2, m3;

	(void)state;
	p = mk_tcp(&m, HOST_IN, 0x3039, HOST_OUT, 80, NFV_TCP_SYN);
	back = mk_tcp(&m2, HOST_OUT, 80, HOST_IN, 0x3039, NFV_TCP_SYN);
	assert_int_equal(nfv_spread_hash(&p, NFV_OUTWARD), as_a_card(tcp, 3));
	assert_int_equal(nfv_spread_hash(&back, NFV_INWARD), nfv_spread_hash(&p, NFV_OUTWARD));
	/* An error goes where the packet went that it quotes. */
	quote = mk_icmp(&m3, "10.2.0.9", HOST_IN, NFV_ICMP_TIME_EXCEEDED, 0, 0, p.data + p.l3,
		NFV_IP4_LEN + 8);
	assert_int_equal(nfv_spread_hash(&quote, NFV_INWARD), nfv_spread_hash(&p, NFV_OUTWARD));
	/* An echo's is that of its addresses. */
	p = mk_icmp(&m, HOST_IN, HOST_OUT, NFV_ICMP_ECHO, 0, 0x12345678, "x", 1);
	assert_int_equal(nfv_spread_hash(&p, NFV_OUTWARD), as_a_card(tcp, 2));
	p = mk_udp(&m, "fd00:1::2", 7, "fd00:2::2", 9, "x", 1);
	memcpy(ip6, nfv_pkt_ip6(&p)->src, 32);
	memcpy(ip6 + 32, nfv_pkt_l4(&p), 4);
	assert_int_equal(nfv_spread_hash(&p, NFV_OUTWARD), as_a_card(ip6, 9));
}

/* --- handing over --- */

/* Whichever queue its packets come by, a flow has one record, in one shard. */
static void
a_flow_is_one_shards(void **state)
{
	struct rig *r = open_rig(1, 0);
	unsigned int met = 0, replies = 0, shards = 0;
	struct nfv_pkt p;
	struct mk m;

	(void)state;
	for (uint16_t port = 1; port <= 40; port++) {
		for (r->queue = 0; r->queue < SHARDS; r->queue++) {
			p = mk_udp(&m, HOST_IN, port, HOST_OUT, 53, "x", 1);
			rig_send(r, INSIDE, &p);
			rig_run(r);
			p = mk_udp(&m, HOST_OUT, 53, HOST_IN, port, "x", 1);
			rig_send(r, OUTSIDE, &p);
			rig_run(r);
		}
	}
	assert_int_equal(r->n_got[OUTSIDE], 40 * SHARDS);
	assert_int_equal(r->n_got[INSIDE], 40 * SHARDS);
	for (uint32_t i = 0; i < SHARDS; i++) {
		struct nfv_flow_stats s = nfv_chain_flow_stats(r->shard[i]);

		assert_int_equal(watch[0][i]->strays, 0);
		met += watch[0][i]->met[0] + watch[0][i]->met[1];
		replies += watch[0][i]->replies;
		shards += s.added > 0;
		assert_int_equal(watch[0][i]->shards, SHARDS);
		assert_int_equal(watch[0][i]->group_seed, 7);
	}
	assert_int_equal(shards, SHARDS); /* nor are all in one */
	assert_int_equal(met, 80 * SHARDS);
	assert_int_equal(replies, 40 * SHARDS);
	/* Each flow's packets came by all queues, so two of three by another's. */
	assert_int_equal(TOTAL(r, handed), 80 * (SHARDS - 1));
	assert_int_equal(TOTAL(r, taken), 80 * (SHARDS - 1));
	assert_int_equal(TOTAL(r, loop_drop[NFV_LOOP_HANDOVER_FULL]), 0);
	rig_close(r);
}

/* By the destination's port, if that is below 100. */
static int
by_port(const struct watch *w, const struct nfv_pkt *p, enum nfv_dir dir)
{
	const struct nfv_udp *udp = nfv_pkt_l4(p);
	uint16_t port = be16toh(dir == NFV_OUTWARD ? udp->be_dport : udp->be_sport);

	(void)w;
	return port < 100 ? port : -1;
}

static void
a_stage_says_whose(void **state)
{
	struct rig *r = open_rig(2, 0);
	struct nfv_pkt p;
	struct mk m;

	(void)state;
	steer = by_port;
	for (uint16_t to = 0; to < SHARDS; to++) {
		for (r->queue = 0; r->queue < SHARDS; r->queue++) {
			p = mk_udp(&m, HOST_IN, 1000, HOST_OUT, to, "x", 1);
			rig_send(r, INSIDE, &p);
		}
		r->queue = 0;
		rig_run(r);
		for (uint32_t i = 0; i < SHARDS; i++)
			assert_int_equal(watch[0][i]->met[0], i <= to ? SHARDS : 0);
	}
	/* Nobody says so, and nothing is kept there: it stays where it came. What is out of range, too. */
	steer = NULL;
	p = mk_udp(&m, HOST_OUT, 1, HOST_IN, 2000, "x", 1);
	r->queue = 1;
	rig_send(r, OUTSIDE, &p);
	rig_run(r);
	assert_int_equal(watch[1][1]->met[NFV_INWARD], 1);
	steer = by_port;
	p = mk_udp(&m, HOST_OUT, 77, HOST_IN, 2000, "x", 1);
	rig_send(r, OUTSIDE, &p);
	rig_run(r);
	assert_int_equal(watch[1][1]->met[NFV_INWARD], 2);
	assert_int_equal(r->n_got[OUTSIDE], SHARDS * SHARDS);
	assert_int_equal(r->n_got[INSIDE], 2);
	rig_close(r);
}

/* More than a ring takes is dropped under its own name; what it takes arrives, in order. */
static void
a_full_ring_is_counted(void **state)
{
	struct rig *r = open_rig(1, 32);
	struct nfv_pkt p;
	struct mk m;
	uint8_t last = 0;

	(void)state;
	steer = by_port;
	for (int i = 0; i < 100; i++) {
		uint8_t n = (uint8_t)i;

		p = mk_udp(&m, HOST_IN, 1000, HOST_OUT, 1, &n, 1);
		rig_send(r, INSIDE, &p);
	}
	for (int i = 0; i < 5; i++)
		nfv_chain_poll(r->shard[0]);
	assert_int_equal(nfv_chain_stats(r->shard[0])->handed, 31);
	assert_int_equal(nfv_chain_stats(r->shard[0])->loop_drop[NFV_LOOP_HANDOVER_FULL], 100 - 31);
	rig_run(r);
	assert_int_equal(r->n_got[OUTSIDE], 31);
	for (unsigned int i = 0; i < 31; i++) {
		p = rig_got(r, OUTSIDE, i);
		assert_true(i == 0 || p.data[p.l4 + NFV_UDP_LEN] > last);
		last = p.data[p.l4 + NFV_UDP_LEN];
	}
	rig_close(r);
}

/* At the end what is in the rings is dealt with; or given back, if nobody comes for it. */
static void
what_is_on_its_way_is_settled(void **state)
{
	struct rig *r = open_rig(1, 0);
	struct nfv_pkt p;
	struct mk m;

	(void)state;
	steer = by_port;
	p = mk_udp(&m, HOST_IN, 1000, HOST_OUT, 2, "x", 1);
	rig_send(r, INSIDE, &p);
	assert_int_equal(nfv_chain_poll(r->shard[0]), 1);
	assert_int_equal(nfv_chain_settle(r->shard[0]), 0);
	assert_int_equal(nfv_chain_settle(r->shard[2]), 1);
	assert_int_equal(nfv_chain_settle(r->shard[2]), 0);
	rig_run(r);
	assert_int_equal(r->n_got[OUTSIDE], 1);
	rig_send(r, INSIDE, &p);
	assert_int_equal(nfv_chain_poll(r->shard[0]), 1);
	rig_close(r);
}

/* Two that answer each other, each in another shard: the loop ends as it does in one. */
static void
answer(struct watch *w, struct nfv_burst *b, struct nfv_out *out)
{
	for (uint16_t i = 0; i < b->n; i++) {
		bool first = w == watch[0][w->shard] && !(b->pkt[i].flags & NFV_PKT_OWN);
		struct nfv_pkt *o = first ? NULL : nfv_out_take(out, nfv_dir_back(b->dir));
		uint8_t udp[8] = { 0, 1, 0, 1, 0, 8, 0, 0 };

		if (first)
			continue;
		b->pkt[i].verdict = NFV_CONSUMED;
		if (o == NULL)
			continue;
		nfv_pkt_ip_header(o, 4, &nfv_pkt_ip4(&b->pkt[i])->be_dst,
			&nfv_pkt_ip4(&b->pkt[i])->be_src, NFV_PROTO_UDP, sizeof(udp));
		memcpy(nfv_pkt_l4(o), udp, sizeof(udp));
		nfv_csum_l4_set(o);
	}
}

static int
elsewhere(const struct watch *w, const struct nfv_pkt *p, enum nfv_dir dir)
{
	(void)p;
	(void)dir;
	return (int)((w->shard + 1) % SHARDS);
}

static void
answers_do_not_go_round_for_ever(void **state)
{
	struct rig *r = open_rig(2, 0);
	struct nfv_pkt p;
	struct mk m;

	(void)state;
	steer = elsewhere;
	p = mk_udp(&m, HOST_IN, 1000, HOST_OUT, 2, "x", 1);
	rig_send(r, INSIDE, &p);
	act = answer;
	rig_run(r);
	assert_int_equal(TOTAL(r, loop_drop[NFV_LOOP_DEPTH]), 1);
	assert_int_equal(TOTAL(r, handed), TOTAL(r, taken));
	rig_close(r);
}

/* --- telling --- */

static void
stages_tell_each_other(void **state)
{
	struct rig *r = open_rig(2, 0);
	const struct nfv_tell *tell = watch[1][0]->tell;
	struct nfv_pkt p;
	struct mk m;

	(void)state;
	steer = by_port;
	/* A packet was there before, and is looked at after what was told. */
	p = mk_udp(&m, HOST_IN, 1000, HOST_OUT, 1, "x", 1);
	r->queue = 1;
	rig_send(r, INSIDE, &p);
	assert_true(tell->room(tell->arg, 6));
	assert_int_equal(watch[1][1]->told, 0);
	tell->tell(tell->arg, "hello", 6);
	rig_run(r);
	assert_int_equal(watch[1][1]->told, 1);
	assert_string_equal(watch[1][1]->heard, "hello");
	assert_int_equal(watch[1][1]->met[0], 1);
	assert_int_equal(watch[1][1]->met_before_told, 0);
	/* Who has nothing to do hears it with the clock; who told it does not, nor another place. */
	nfv_chain_tick(r->shard[2], rte_rdtsc());
	assert_int_equal(watch[1][2]->told, 1);
	nfv_chain_tick(r->shard[0], rte_rdtsc());
	assert_int_equal(watch[1][0]->told + watch[0][1]->told + watch[0][2]->told, 0);
	assert_int_equal(TOTAL(r, told) - TOTAL(r, untold), TOTAL(r, told));
	rig_close(r);
}

static void
who_cannot_tell_knows_before(void **state)
{
	struct rig *r = open_rig(2, 0);
	const struct nfv_tell *tell = watch[1][0]->tell;
	unsigned int n = 0;

	(void)state;
	assert_false(tell->room(tell->arg, NFV_FRAME_MAX)); /* there are no large buffers */
	while (tell->room(tell->arg, 100)) {
		tell->tell(tell->arg, "x", 2);
		n++;
	}
	/* Buffers run out before places do; room that was not used is no loss. */
	assert_in_range(n, 100, 1023);
	assert_int_equal(nfv_chain_stats(r->shard[0])->untold, 2);
	for (uint32_t i = 1; i < SHARDS; i++)
		nfv_chain_tick(r->shard[i], rte_rdtsc());
	assert_int_equal(watch[1][1]->told, n);
	assert_int_equal(watch[1][2]->told, n);
	assert_true(tell->room(tell->arg, 100));
	rig_close(r);
}

/* The rig's hosts have asked by queue 0 alone, and from then on nobody answers: all shards know them. */
static void
neighbours_are_told(void **state)
{
	struct rig *r = open_rig(1, 0);
	struct nfv_pkt p;
	struct mk m;

	(void)state;
	steer = by_port;
	r->deaf = true;
	for (uint16_t to = 0; to < SHARDS; to++) {
		p = mk_udp(&m, HOST_IN, 1000, HOST_OUT, to, "x", 1);
		rig_send(r, INSIDE, &p);
		p = mk_udp(&m, "fd00:1::2", 1000, "fd00:2::2", to, "x", 1);
		rig_send(r, INSIDE, &p);
	}
	rig_run(r);
	assert_int_equal(r->n_got[OUTSIDE], 2 * SHARDS);
	rig_forget(r);
	/* Who asks is answered once. */
	assert_int_equal(r->n_got[INSIDE], 0);
	rig_close(r);
}

/* An answer comes by one queue, and what waits in another shard leaves. */
static void
an_answer_elsewhere_lets_go(void **state)
{
	struct rig *r = open_rig(1, 0);
	struct nfv_pkt p;
	struct mk m;

	(void)state;
	steer = by_port;
	r->deaf = true;
	r->queue = 2;
	p = mk_udp(&m, HOST_IN, 1000, "10.2.0.77", 1, "x", 1);
	rig_send(r, INSIDE, &p);
	rig_run(r);
	assert_int_equal(r->n_got[OUTSIDE], 1); /* the question */
	{
		static const uint8_t arp[28] = { 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 2, 77, 10, 2,
			0, 77, 2, 0, 0, 0, 2, 1, 10, 2, 0, 1 };
		static const uint8_t mac[6] = { 2, 0, 0, 0, 2, 77 };

		p = mk_empty(&m);
		memcpy(p.data + NFV_ETH_LEN, arp, sizeof(arp));
		p.len = NFV_ETH_LEN + sizeof(arp);
		memcpy(p.data, rig_port_mac[OUTSIDE], 6);
		memcpy(p.data + 6, mac, 6);
		((struct nfv_eth *)p.data)->be_type = htobe16(NFV_ETH_ARP);
		rig_send_raw(r, OUTSIDE, &p, 1);
		rig_run(r);
		for (uint32_t i = 0; i < SHARDS; i++)
			nfv_chain_tick(r->shard[i], rte_rdtsc());
		rig_run(r);
		assert_int_equal(r->n_got[OUTSIDE], 2);
		assert_memory_equal(r->got[OUTSIDE][1].bytes, mac, 6);
		assert_int_equal(r->got[OUTSIDE][1].bytes[NFV_ETH_LEN], 0x45);
	}
	rig_close(r);
}

static void
odd_numbers_are_refused(void **state)
{
	struct nfv_err err = { "" };
	struct nfv_spread *s;

	(void)state;
	assert_int_equal(nfv_spread_create(0, 0, 1, SOCKET_ID_ANY, &s, &err), -EINVAL);
	assert_int_equal(nfv_spread_create(65, 0, 1, SOCKET_ID_ANY, &s, &err), -EINVAL);
	assert_int_equal(nfv_spread_create(2, 33, 1, SOCKET_ID_ANY, &s, &err), -ENOMEM);
	assert_int_equal(nfv_spread_create(1, 0, 1, SOCKET_ID_ANY, &s, &err), 0);
	nfv_spread_destroy(s);
	nfv_spread_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hash_is_a_cards),
		cmocka_unit_test_setup(a_flow_is_one_shards, setup),
		cmocka_unit_test_setup(a_stage_says_whose, setup),
		cmocka_unit_test_setup(a_full_ring_is_counted, setup),
		cmocka_unit_test_setup(what_is_on_its_way_is_settled, setup),
		cmocka_unit_test_setup(answers_do_not_go_round_for_ever, setup),
		cmocka_unit_test_setup(stages_tell_each_other, setup),
		cmocka_unit_test_setup(who_cannot_tell_knows_before, setup),
		cmocka_unit_test_setup(neighbours_are_told, setup),
		cmocka_unit_test_setup(an_answer_elsewhere_lets_go, setup),
		cmocka_unit_test(odd_numbers_are_refused),
	};

	test_eal("512");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
