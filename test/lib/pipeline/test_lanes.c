/* Instances of a stage side by side: made-up ones, that hand packets back when the test says so. */
#include <stdlib.h>

#include <rte_cycles.h>

#include "mock_away.h"
#include "nfv_hash.h"
#include "nfv_lanes.h"

#define HZ      2000000000ull
#define OUTSIDE "10.2.0.2"

static struct nfv_lanes *lanes;
static struct nfv_away away; /* of all of them */
static struct nfv_stage_ops ops;
static struct nfv_err err;

/* What has to be in order: a flow's packets, in each direction. */
static uint32_t next_out[FLOWS][2], next_back[FLOWS][2];

static int
no_steer(const void *state, const struct nfv_pkt *p, enum nfv_dir dir)
{
	(void)state, (void)p, (void)dir;
	return -1;
}

static void
open_lane(uint32_t i)
{
	nfv_lanes_open(lanes, i, (struct nfv_away){ &mock_ops, &mock[i] }, 0);
}

/* `n` lanes of LANES. */
static void
up(uint32_t n, uint32_t flows, uint64_t hz)
{
	struct nfv_lanes_conf conf = { .ops = &ops,
		.most = LANES,
		.flows = flows,
		.timeouts = { 300, 7440, 240, 60, 600 },
		.tsc_hz = hz,
		.tsc = rte_rdtsc(),
		.seed = 7 };

	assert_int_equal(nfv_lanes_create(&conf, &lanes, &err), 0);
	away = nfv_lanes_away(lanes);
	for (uint32_t i = 0; i < n; i++)
		open_lane(i);
	nfv_lanes_deal(lanes, n);
}

static int
setup(void **state)
{
	(void)state;
	memset(mock, 0, sizeof(mock));
	memset(next_out, 0, sizeof(next_out));
	memset(next_back, 0, sizeof(next_back));
	memset(mock_lane_of, 0xff, sizeof(mock_lane_of));
	mock_tracks = false;
	for (uint32_t i = 0; i < LANES; i++)
		mock[i].number = i;
	ops = (struct nfv_stage_ops){ .name = "mock", .access = NFV_WRITES };
	return 0;
}

static int
down(void **state)
{
	(void)state;
	if (lanes != NULL)
		away.ops->close(away.arg);
	lanes = NULL;
	return 0;
}

/* --- traffic --- */

static struct nfv_pkt
udp(struct mk *m, const char *src, uint16_t sport, const char *dst, uint16_t dport, uint32_t word)
{
	struct nfv_pkt p = mk_udp(m, src, sport, dst, dport, &word, sizeof(word));

	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
	return p;
}

static void
give(enum nfv_dir dir, const struct nfv_pkt *p, uint16_t n, struct nfv_burst *b)
{
	*b = (struct nfv_burst){ .tsc = rte_rdtsc(), .dir = dir, .n = n };
	memcpy(b->pkt, p, n * sizeof(*p));
	away.ops->process(away.arg, b);
}

static void
give1(enum nfv_dir dir, const struct nfv_pkt *p)
{
	struct nfv_burst b;

	give(dir, p, 1, &b);
}

/* The lane that has got a packet since the last time asked; one only. */
static uint32_t
seen_by(void)
{
	uint32_t who = LANES;

	for (uint32_t i = 0; i < LANES; i++) {
		if (mock[i].seen > 0)
			assert_int_equal(who, LANES);
		if (mock[i].seen > 0)
			who = i;
		mock[i].seen = 0;
	}
	assert_true(who < LANES);
	return who;
}

static void
send_udp(enum nfv_dir dir, struct mk *m, const char *src, uint16_t sport, const char *dst,
	uint16_t dport)
{
	struct nfv_pkt p = udp(m, src, sport, dst, dport, 0);

	give1(dir, &p);
}

/* All that is on its way; the last packet of each direction is in last[]. */
static uint32_t
collect_all(struct nfv_pkt last[2])
{
	struct nfv_burst back[2], origin[2];
	uint32_t sum = 0, n;

	while ((n = away.ops->collect(away.arg, back, origin)) > 0) {
		sum += n;
		for (int d = 0; d < 2; d++) {
			for (uint16_t i = 0; i < back[d].n; i++)
				assert_null(back[d].pkt[i].rec);
			if (back[d].n > 0 && last != NULL)
				last[d] = back[d].pkt[back[d].n - 1];
		}
	}
	return sum;
}

static uint32_t
live(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < LANES; i++)
		n += nfv_lane_stats(lanes, i).flows;
	return n;
}

/* --- flows --- */

static uint32_t
collect_in_order(void)
{
	struct nfv_burst back[2], origin[2];
	uint32_t n = away.ops->collect(away.arg, back, origin);

	for (int d = 0; n > 0 && d < 2; d++)
		for (uint16_t i = 0; i < back[d].n; i++) {
			uint32_t word = mock_word(&back[d].pkt[i]);

			assert_int_equal(word & 0xffff, next_back[word >> 16][d]++);
		}
	return n;
}

/* Every other flow begins inside. Nobody answers before the first packet has come through. */
static bool
may_go(uint32_t f, enum nfv_dir dir)
{
	return (f & 1) == (uint32_t)dir || next_back[f][f & 1] > 0;
}

/* Bursts of flows from..to - 1 in either direction; packets come back now and then. Returns how many. */
static uint32_t
traffic(uint64_t seed, uint32_t from, uint32_t to, uint32_t rounds)
{
	static struct mk m[1024]; /* more than may be on their way */
	uint32_t sum = 0;

	for (uint32_t r = 0; r < rounds; r++) {
		uint64_t bits = seed = nfv_hash_mix(seed + r, 0x9e3779b97f4a7c15u);
		struct nfv_burst b = { .tsc = rte_rdtsc(),
			.n = (uint16_t)(1 + bits % 16),
			.dir = bits & 1 << 8 ? NFV_INWARD : NFV_OUTWARD };

		for (uint16_t i = 0; i < b.n; i++, sum++) {
			uint32_t f = from + (uint32_t)(nfv_hash_mix(bits, i + 3u) % (to - from));
			struct mk *at = &m[sum % 1024];
			uint32_t word;
			uint16_t port;

			f = may_go(f, b.dir) ? f : f ^ 1;
			port = (uint16_t)(1000 + f);
			word = f << 16 | next_out[f][b.dir]++;
			b.pkt[i] = b.dir == NFV_OUTWARD ?
				udp(at, "10.1.0.2", port, OUTSIDE, 80, word) :
				udp(at, OUTSIDE, 80, "10.1.0.2", port, word);
		}
		away.ops->process(away.arg, &b);
		assert_int_equal(b.n, 0);
		for (uint64_t k = bits >> 16 & 3; k > 0; k--)
			collect_in_order();
		while (away.ops->waiting(away.arg) > ON_WAY / 2)
			collect_in_order();
	}
	return sum;
}

static void
settle(void)
{
	while (collect_in_order() > 0)
		;
	assert_int_equal(away.ops->waiting(away.arg), 0);
	for (uint32_t f = 0; f < FLOWS; f++)
		assert_memory_equal(next_out[f], next_back[f], sizeof(next_out[f]));
}

/* Up and down under traffic: each flow has one lane, its packets stay in order, none is lost. */
static void
flows_keep_to_their_lane(void **state)
{
	static const uint32_t dealt[] = { 3, 1, 4, 2, 1, 4 };
	uint32_t sum, used = 0;

	(void)state;
	mock_tracks = true;
	up(1, 1024, HZ);
	sum = traffic(1, 0, 10, 200);
	for (uint32_t i = 1; i < LANES; i++)
		open_lane(i);
	for (uint32_t k = 0; k < sizeof(dealt) / sizeof(dealt[0]); k++) {
		int was[FLOWS];

		nfv_lanes_deal(lanes, dealt[k]);
		assert_int_equal(nfv_lanes_dealt(lanes), dealt[k]);
		memcpy(was, mock_lane_of, sizeof(was));
		sum += traffic(k, 0, 20 + 8 * k, 300);
		/* Only new ones go to those that are dealt to, and not all to one. */
		used = 0;
		for (uint32_t f = 0; f < FLOWS; f++)
			if (was[f] < 0 && mock_lane_of[f] >= 0) {
				assert_true(mock_lane_of[f] < (int)dealt[k]);
				used |= 1u << mock_lane_of[f];
			}
		assert_int_equal((used & (used - 1)) != 0, dealt[k] > 1);
	}
	settle();
	assert_int_equal(live(), 20 + 8 * 5);
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
		ops.steer = steers ? no_steer : NULL;
		up(LANES, 1024, HZ);
		for (uint16_t f = 0; f < FLOWS; f++) {
			send_udp(NFV_OUTWARD, &m[0], "10.1.0.2", 1000 + f, OUTSIDE, 80);
			send_udp(NFV_INWARD, &m[1], OUTSIDE, 80, "10.1.0.2", 1000 + f);
			used |= 1u << seen_by();
			collect_all(NULL);
		}
		assert_int_equal(used, (1u << LANES) - 1);
		down(NULL);
	}
}

/* Those of lanes that are to end are forgotten and begin anew elsewhere; what was on its way comes back,
 * and changes nothing. */
static void
purged_flows_begin_anew(void **state)
{
	struct nfv_away out;
	uint32_t n = 0;

	(void)state;
	up(3, 1024, HZ);
	traffic(5, 0, FLOWS, 30);
	assert_true(away.ops->waiting(away.arg) > 0);
	nfv_lanes_deal(lanes, 1);
	assert_false(nfv_lanes_close(lanes, 2, true, &out));
	for (uint32_t i = 1; i < 3; i++)
		n += nfv_lane_stats(lanes, i).flows;
	assert_true(n > 0);
	assert_int_equal(nfv_lanes_purge(lanes), n);
	assert_int_equal(nfv_lane_stats(lanes, 1).flows, 0);
	assert_int_equal(nfv_lane_stats(lanes, 2).flows, 0);
	n = nfv_lane_stats(lanes, 0).flows;
	settle();
	assert_true(nfv_lane_stats(lanes, 0).flows <= n);
	mock[0].seen = mock[1].seen = mock[2].seen = 0;
	traffic(6, 0, FLOWS, 300);
	assert_int_equal(seen_by(), 0);
	/* A few twice: neither side waited for the other. */
	assert_in_range(live(), FLOWS, FLOWS + FLOWS / 4);
	settle();
	assert_false(nfv_lanes_close(lanes, 0, true, &out));
	assert_false(nfv_lanes_close(lanes, 3, true, &out));
	assert_true(nfv_lanes_close(lanes, 2, false, &out));
	assert_ptr_equal(out.arg, &mock[2]);
	assert_false(nfv_lane_stats(lanes, 2).open);
	/* It may come again. */
	open_lane(2);
	assert_true(nfv_lane_stats(lanes, 2).open);
}

/* The clock runs a million times as fast: flows are over soon, and with them what a lane is kept for. */
static void
lanes_end_with_their_flows(void **state)
{
	struct nfv_away out;

	(void)state;
	ops.steer = no_steer; /* endpoints, too */
	up(2, 1024, 8000);
	traffic(9, 0, FLOWS, 300);
	nfv_lanes_deal(lanes, 1);
	while (live() > 0 || away.ops->waiting(away.arg) > 0)
		collect_in_order();
	assert_true(nfv_lanes_close(lanes, 1, false, &out));
	assert_int_equal(mock[1].closed, 0);
}

static void
losses_add_up_and_stay(void **state)
{
	uint64_t lost[NFV_AWAY_LOSSES];
	struct nfv_away out;

	(void)state;
	up(3, 1024, HZ);
	mock[0].full = 1;
	mock[2].full = 10;
	away.ops->lost(away.arg, lost);
	assert_int_equal(lost[NFV_AWAY_FULL], 11);
	traffic(5, 0, FLOWS, 10);
	nfv_lanes_deal(lanes, 2);
	nfv_lanes_purge(lanes);
	assert_int_not_equal(mock[2].head - mock[2].tail, 0);
	assert_false(nfv_lanes_close(lanes, 2, false, &out));
	assert_true(nfv_lanes_close(lanes, 2, true, &out));
	away.ops->lost(away.arg, lost);
	assert_int_equal(lost[NFV_AWAY_FULL], 11);
	assert_int_equal(lost[NFV_AWAY_SWEPT], mock[2].head - mock[2].tail);
}

/* --- what is translated, dropped, passed on --- */

/* An inside endpoint has one lane, whoever it talks to; and so has the one outside that stands for it. */
static void
answers_and_strangers_find_the_translator(void **state)
{
	struct mk m[2];
	struct nfv_pkt last[2];
	uint32_t used = 0;

	(void)state;
	ops.steer = no_steer;
	up(1, 1024, HZ);
	for (uint32_t i = 0; i < LANES; i++)
		mock[i].translates = true;
	for (uint32_t i = 1; i < LANES; i++)
		open_lane(i);
	for (uint32_t f = 0; f < FLOWS; f++) {
		uint16_t in = (uint16_t)(1000 + f), ext;
		uint32_t lane;

		/* Half of them are there when lanes are added. */
		nfv_lanes_deal(lanes, f < FLOWS / 2 ? 1 : LANES);
		send_udp(NFV_OUTWARD, &m[0], "10.1.0.2", in, OUTSIDE, 80);
		lane = seen_by();
		used |= 1u << lane;
		assert_int_equal(collect_all(last), 1);
		ext = be16toh(((struct nfv_udp *)nfv_pkt_l4(&last[NFV_OUTWARD]))->be_sport);
		nfv_lanes_deal(lanes, 1 + f % LANES);
		send_udp(NFV_INWARD, &m[0], OUTSIDE, 80, EXT, ext);
		assert_int_equal(seen_by(), lane);
		send_udp(NFV_INWARD, &m[1], "10.2.0.77", 4711, EXT, ext);
		assert_int_equal(seen_by(), lane);
		assert_int_equal(collect_all(last), 2);
		send_udp(NFV_OUTWARD, &m[0], "10.1.0.2", in, "10.2.0.77", 4711);
		assert_int_equal(seen_by(), lane);
		send_udp(NFV_OUTWARD, &m[1], "10.1.0.2", in, "10.2.0.99", 53);
		assert_int_equal(seen_by(), lane);
		collect_all(NULL);
	}
	assert_int_equal(used, (1u << LANES) - 1);
	assert_int_equal(live(), 3 * FLOWS);
	assert_int_equal(nfv_lanes_key_taken(lanes), 0);
}

static void
flows_of_which_nothing_passes_are_forgotten(void **state)
{
	struct mk m[3];

	(void)state;
	ops.steer = no_steer;
	up(2, 1024, HZ);
	mock[0].drops = mock[1].drops = true;
	for (int i = 0; i < 3; i++)
		send_udp(NFV_INWARD, &m[i], OUTSIDE, 80, "10.1.0.2", 1000);
	assert_int_equal(live(), 1);
	collect_all(NULL);
	assert_int_equal(live(), 0);
	/* If only the first is dropped, the flow goes on. */
	for (int i = 0; i < 2; i++)
		send_udp(NFV_INWARD, &m[i], OUTSIDE, 80, "10.1.0.2", 1000);
	mock[0].drop_first = mock[1].drop_first = true;
	mock[0].drops = mock[1].drops = false;
	collect_all(NULL);
	assert_int_equal(live(), 1);
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
	ops.steer = no_steer;
	up(LANES, MAX, HZ);
	for (uint32_t i = 0; i < LANES; i++)
		mock[i].translates = true;
	for (uint32_t f = 0; f < MAX; f++)
		send_udp(NFV_OUTWARD, &m[f], "10.1.0.2", (uint16_t)(1000 + f), OUTSIDE, 80);
	assert_int_equal(live(), MAX);
	/* Nobody has answered any of them: they give way, in the next tick. */
	for (uint32_t f = MAX; f < 2 * MAX; f++) {
		struct nfv_pkt p = udp(&m[f], "10.1.0.2", (uint16_t)(1000 + f), OUTSIDE, 80, 0);
		struct nfv_burst b = { .tsc = rte_rdtsc() + HZ, .n = 1, .pkt = { p } };

		away.ops->process(away.arg, &b);
	}
	assert_int_equal(live(), MAX);
	assert_int_equal(collect_all(last), 2 * MAX);
	assert_int_equal(live(), MAX);
	/* The answer to each that has a record still finds its lane: mocks know their ports only. */
	for (uint32_t i = 0; i < LANES; i++)
		for (uint32_t k = 0; k < mock[i].n_ports; k++) {
			if (mock[i].in_port[k] < 1000 + MAX)
				continue;
			mock[i].seen = 0;
			send_udp(NFV_INWARD, &one, OUTSIDE, 80, EXT,
				(uint16_t)(10000 + 1000 * i + k));
			assert_int_equal(mock[i].seen, 1);
			collect_all(NULL);
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
	up(3, 1024, HZ);
	for (uint32_t i = 0; i < 3; i++)
		mock[i].passes = true;
	for (uint32_t i = 0; i < NFV_BURST_MAX; i++)
		p[i] = udp(&m[i], "10.1.0.2", (uint16_t)(1000 + i % 8), OUTSIDE, 80,
			(i % 8) << 16 | i / 8);
	give(NFV_OUTWARD, p, NFV_BURST_MAX, &b);
	assert_int_equal(b.n, NFV_BURST_MAX);
	for (uint16_t i = 0; i < b.n; i++) {
		uint32_t word = mock_word(&b.pkt[i]);

		assert_null(b.pkt[i].rec);
		assert_int_equal(word & 0xffff, next[word >> 16]++);
	}
	for (uint32_t i = 0; i < 3; i++)
		mock[i].passes = false;
	assert_int_equal(live(), 8);
	send_udp(NFV_INWARD, &m[0], OUTSIDE, 80, "10.1.0.2", 1000);
	assert_int_equal(live(), 8);
}

/* IPv6 in its table, and a stage that makes an IPv4 packet one. */
static void
families_do_not_mix(void **state)
{
	struct mk m[2];
	struct nfv_pkt p;

	(void)state;
	up(2, 1024, HZ);
	send_udp(NFV_OUTWARD, &m[0], "fd00:1::2", 1000, "fd00:2::2", 80);
	collect_all(NULL);
	send_udp(NFV_INWARD, &m[0], "fd00:2::2", 80, "fd00:1::2", 1000);
	assert_int_equal(live(), 1);
	mock[0].turns = mock[1].turns = true;
	send_udp(NFV_OUTWARD, &m[1], "10.1.0.2", 1000, OUTSIDE, 80);
	collect_all(NULL);
	assert_int_equal(live(), 2);
	mock[0].seen = mock[1].seen = 0;
	/* What belongs to no flow goes to the first. */
	p = mk_ip(&m[0], "10.1.0.2", OUTSIDE, 47, "12345678", 8);
	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
	give1(NFV_OUTWARD, &p);
	assert_int_equal(seen_by(), 0);
	assert_int_equal(live(), 2);
}

static void
who_cannot_be_many_is_refused(void **state)
{
	struct nfv_lanes_conf conf = { .ops = &ops,
		.most = 2,
		.flows = 64,
		.timeouts = { 300, 7440, 240, 60, 600 },
		.tsc_hz = HZ };
	struct nfv_lanes *l = NULL;

	(void)state;
	ops.ends_flows = true;
	ops.steer = no_steer;
	assert_int_equal(nfv_lanes_create(&conf, &l, &err), -EINVAL);
	assert_non_null(strstr(err.text, "workers"));
	ops.ends_flows = false;
	conf.most = NFV_LANES_MAX + 1;
	assert_int_equal(nfv_lanes_create(&conf, &l, &err), -EINVAL);
	conf.most = 0;
	assert_int_equal(nfv_lanes_create(&conf, &l, &err), -EINVAL);
	assert_null(l);
}

static void
each_is_shown(void **state)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	up(2, 1024, HZ);
	away.ops->show(away.arg, f);
	fclose(f);
	assert_non_null(strstr(text, "over 2 of at most 4"));
	assert_non_null(strstr(text, "mock 0"));
	assert_non_null(strstr(text, "mock 1"));
	assert_null(strstr(text, "mock 2"));
	free(text);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, down)
	const struct CMUnitTest tests[] = {
		TEST(flows_keep_to_their_lane),
		TEST(two_beginnings_meet),
		TEST(purged_flows_begin_anew),
		TEST(lanes_end_with_their_flows),
		TEST(losses_add_up_and_stay),
		TEST(answers_and_strangers_find_the_translator),
		TEST(flows_of_which_nothing_passes_are_forgotten),
		TEST(a_record_that_is_anothers_is_left_alone),
		TEST(what_passes_by_goes_on),
		TEST(families_do_not_mix),
		TEST(who_cannot_be_many_is_refused),
		TEST(each_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
