/* Which instance of a stage a packet goes to, of several side by side. */
#include <rte_cycles.h>

#include "lanes_rig.h"

/* Up and down under traffic: each flow has one lane, its packets stay in order, none is lost. */
static void
flows_keep_to_their_lane(void **state)
{
	static const uint32_t dealt[] = { 3, 1, 4, 2, 1, 4 };
	uint32_t sum, used = 0;

	(void)state;
	mock_tracks = true;
	lanes_up(1, 1024, HZ);
	sum = lanes_traffic(1, 0, 10, 200);
	for (uint32_t i = 1; i < LANES; i++)
		lanes_open(i);
	for (uint32_t k = 0; k < sizeof(dealt) / sizeof(dealt[0]); k++) {
		int was[FLOWS];

		nfv_lanes_deal(lanes, dealt[k]);
		assert_int_equal(nfv_lanes_dealt(lanes), dealt[k]);
		memcpy(was, mock_lane_of, sizeof(was));
		sum += lanes_traffic(k, 0, 20 + 8 * k, 300);
		/* Only new ones go to those that are dealt to, and not all to one. */
		used = 0;
		for (uint32_t f = 0; f < FLOWS; f++)
			if (was[f] < 0 && mock_lane_of[f] >= 0) {
				assert_true(mock_lane_of[f] < (int)dealt[k]);
				used |= 1u << mock_lane_of[f];
			}
		assert_int_equal((used & (used - 1)) != 0, dealt[k] > 1);
	}
	lanes_settle();
	assert_int_equal(lanes_live(), 20 + 8 * 5);
	for (uint32_t i = 0; i < LANES; i++) {
		struct nfv_lane_stats s = nfv_lane_stats(lanes, i);

		assert_int_equal(s.packets, s.returned);
		assert_true(s.packets > 0);
		assert_true(s.first >= s.joined);
		sum -= (uint32_t)s.packets;
	}
	assert_int_equal(sum, 0);
	assert_int_equal(nfv_lanes_key_taken(lanes), 0);
}

/* Both sides of a flow may begin it at once. */
static void
two_beginnings_meet(void **state)
{
	struct mk m[2];
	uint32_t used = 0;

	(void)state;
	for (int steers = 0; steers < 2; steers++) {
		lanes_ops.steer = steers ? lanes_no_steer : NULL;
		lanes_up(LANES, 1024, HZ);
		for (uint16_t f = 0; f < FLOWS; f++) {
			lanes_send(NFV_OUTWARD, &m[0], "10.1.0.2", 1000 + f, OUTSIDE, 80);
			lanes_send(NFV_INWARD, &m[1], OUTSIDE, 80, "10.1.0.2", 1000 + f);
			used |= 1u << lanes_seen_by();
			lanes_collect_all(NULL);
		}
		assert_int_equal(used, (1u << LANES) - 1);
		lanes_down(NULL);
	}
}

/* An inside endpoint has one lane, whoever it talks to; and so has the one outside that stands for it. */
static void
answers_and_strangers_find_the_translator(void **state)
{
	struct mk m[2];
	struct nfv_pkt last[2];
	uint32_t used = 0;

	(void)state;
	lanes_ops.steer = lanes_no_steer;
	lanes_up(1, 1024, HZ);
	for (uint32_t i = 0; i < LANES; i++)
		mock[i].translates = true;
	for (uint32_t i = 1; i < LANES; i++)
		lanes_open(i);
	for (uint32_t f = 0; f < FLOWS; f++) {
		uint16_t in = (uint16_t)(1000 + f), ext;
		uint32_t lane;

		/* Half of them are there when lanes are added. */
		nfv_lanes_deal(lanes, f < FLOWS / 2 ? 1 : LANES);
		lanes_send(NFV_OUTWARD, &m[0], "10.1.0.2", in, OUTSIDE, 80);
		lane = lanes_seen_by();
		used |= 1u << lane;
		assert_int_equal(lanes_collect_all(last), 1);
		ext = be16toh(((struct nfv_udp *)nfv_pkt_l4(&last[NFV_OUTWARD]))->be_sport);
		nfv_lanes_deal(lanes, 1 + f % LANES);
		lanes_send(NFV_INWARD, &m[0], OUTSIDE, 80, EXT, ext);
		assert_int_equal(lanes_seen_by(), lane);
		lanes_send(NFV_INWARD, &m[1], "10.2.0.77", 4711, EXT, ext);
		assert_int_equal(lanes_seen_by(), lane);
		assert_int_equal(lanes_collect_all(last), 2);
		lanes_send(NFV_OUTWARD, &m[0], "10.1.0.2", in, "10.2.0.77", 4711);
		assert_int_equal(lanes_seen_by(), lane);
		lanes_send(NFV_OUTWARD, &m[1], "10.1.0.2", in, "10.2.0.99", 53);
		assert_int_equal(lanes_seen_by(), lane);
		lanes_collect_all(NULL);
	}
	assert_int_equal(used, (1u << LANES) - 1);
	assert_int_equal(lanes_live(), 3 * FLOWS);
	assert_int_equal(nfv_lanes_key_taken(lanes), 0);
}

static void
flows_of_which_nothing_passes_are_forgotten(void **state)
{
	struct mk m[3];

	(void)state;
	lanes_ops.steer = lanes_no_steer;
	lanes_up(2, 1024, HZ);
	mock[0].drops = mock[1].drops = true;
	for (int i = 0; i < 3; i++)
		lanes_send(NFV_INWARD, &m[i], OUTSIDE, 80, "10.1.0.2", 1000);
	assert_int_equal(lanes_live(), 1);
	lanes_collect_all(NULL);
	assert_int_equal(lanes_live(), 0);
	/* If only the first is dropped, the flow goes on. */
	for (int i = 0; i < 2; i++)
		lanes_send(NFV_INWARD, &m[i], OUTSIDE, 80, "10.1.0.2", 1000);
	mock[0].drop_first = mock[1].drop_first = true;
	mock[0].drops = mock[1].drops = false;
	lanes_collect_all(NULL);
	assert_int_equal(lanes_live(), 1);
}

/* A packet comes back when its flow's record is another's. */
static void
a_record_that_is_anothers_is_left_alone(void **state)
{
	enum { MAX = 64 };
	static struct mk m[2 * MAX];
	struct nfv_pkt last[2];
	struct mk one;

	(void)state;
	lanes_ops.steer = lanes_no_steer;
	lanes_up(LANES, MAX, HZ);
	for (uint32_t i = 0; i < LANES; i++)
		mock[i].translates = true;
	for (uint32_t f = 0; f < MAX; f++)
		lanes_send(NFV_OUTWARD, &m[f], "10.1.0.2", (uint16_t)(1000 + f), OUTSIDE, 80);
	assert_int_equal(lanes_live(), MAX);
	/* Nobody has answered any of them: they give way, in the next tick. */
	for (uint32_t f = MAX; f < 2 * MAX; f++) {
		struct nfv_pkt p =
			lanes_udp(&m[f], "10.1.0.2", (uint16_t)(1000 + f), OUTSIDE, 80, 0);
		struct nfv_burst b = { .tsc = rte_rdtsc() + HZ, .n = 1, .pkt = { p } };

		lanes_away.ops->process(lanes_away.arg, &b);
	}
	assert_int_equal(lanes_live(), MAX);
	assert_int_equal(lanes_collect_all(last), 2 * MAX);
	assert_int_equal(lanes_live(), MAX);
	/* The answer to each that has a record still finds its lane: mocks know their ports only. */
	for (uint32_t i = 0; i < LANES; i++)
		for (uint32_t k = 0; k < mock[i].n_ports; k++) {
			if (mock[i].in_port[k] < 1000 + MAX)
				continue;
			mock[i].seen = 0;
			lanes_send(NFV_INWARD, &one, OUTSIDE, 80, EXT,
				(uint16_t)(10000 + 1000 * i + k));
			assert_int_equal(mock[i].seen, 1);
			lanes_collect_all(NULL);
		}
}

/* What an instance lets pass goes on at once, whole and in its flows' order; its flows are known by then. */
static void
what_passes_by_goes_on(void **state)
{
	static struct mk m[NFV_BURST_MAX];
	struct nfv_pkt p[NFV_BURST_MAX];
	struct nfv_burst b;
	uint32_t next[8] = { 0 };

	(void)state;
	lanes_up(3, 1024, HZ);
	for (uint32_t i = 0; i < 3; i++)
		mock[i].passes = true;
	for (uint32_t i = 0; i < NFV_BURST_MAX; i++)
		p[i] = lanes_udp(&m[i], "10.1.0.2", (uint16_t)(1000 + i % 8), OUTSIDE, 80,
			(i % 8) << 16 | i / 8);
	lanes_give(NFV_OUTWARD, p, NFV_BURST_MAX, &b);
	assert_int_equal(b.n, NFV_BURST_MAX);
	for (uint16_t i = 0; i < b.n; i++) {
		uint32_t word = mock_word(&b.pkt[i]);

		assert_null(b.pkt[i].rec);
		assert_int_equal(word & 0xffff, next[word >> 16]++);
	}
	for (uint32_t i = 0; i < 3; i++)
		mock[i].passes = false;
	assert_int_equal(lanes_live(), 8);
	lanes_send(NFV_INWARD, &m[0], OUTSIDE, 80, "10.1.0.2", 1000);
	assert_int_equal(lanes_live(), 8);
}

/* IPv6 in its table, and a stage that makes an IPv4 packet one. */
static void
families_do_not_mix(void **state)
{
	struct mk m[2];
	struct nfv_pkt p;

	(void)state;
	lanes_up(2, 1024, HZ);
	lanes_send(NFV_OUTWARD, &m[0], "fd00:1::2", 1000, "fd00:2::2", 80);
	lanes_collect_all(NULL);
	lanes_send(NFV_INWARD, &m[0], "fd00:2::2", 80, "fd00:1::2", 1000);
	assert_int_equal(lanes_live(), 1);
	mock[0].turns = mock[1].turns = true;
	lanes_send(NFV_OUTWARD, &m[1], "10.1.0.2", 1000, OUTSIDE, 80);
	lanes_collect_all(NULL);
	assert_int_equal(lanes_live(), 2);
	mock[0].seen = mock[1].seen = 0;
	/* What belongs to no flow goes to the first. */
	p = mk_ip(&m[0], "10.1.0.2", OUTSIDE, 47, "12345678", 8);
	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
	lanes_give1(NFV_OUTWARD, &p);
	assert_int_equal(lanes_seen_by(), 0);
	assert_int_equal(lanes_live(), 2);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, lanes_setup, lanes_down)
	const struct CMUnitTest tests[] = {
		TEST(flows_keep_to_their_lane),
		TEST(two_beginnings_meet),
		TEST(answers_and_strangers_find_the_translator),
		TEST(flows_of_which_nothing_passes_are_forgotten),
		TEST(a_record_that_is_anothers_is_left_alone),
		TEST(what_passes_by_goes_on),
		TEST(families_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
