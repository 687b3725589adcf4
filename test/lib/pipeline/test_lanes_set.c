/* Instances of a stage side by side: made, ended, purged, shown. */
#include <stdlib.h>

#include <rte_cycles.h>

#include "lanes_rig.h"

/* Those of lanes that are to end are forgotten and begin anew elsewhere; what was on its way comes back,
 * and changes nothing. */
static void
purged_flows_begin_anew(void **state)
{
	struct nfv_away out;
	uint32_t n = 0;

	for (int steers = 0; steers < 2; steers++) {
		lanes_setup(state);
		lanes_ops.steer = steers ? lanes_no_steer : NULL;
		lanes_up(3, 1024, HZ);
		lanes_traffic(5, 0, FLOWS, 30);
		assert_true(lanes_away.ops->waiting(lanes_away.arg) > 0);
		nfv_lanes_deal(lanes, 1);
		assert_false(nfv_lanes_close(lanes, 2, true, &out));
		n = nfv_lane_stats(lanes, 1).flows + nfv_lane_stats(lanes, 2).flows;
		assert_true(n > 0);
		assert_int_equal(nfv_lanes_purge(lanes), n);
		assert_int_equal(nfv_lane_stats(lanes, 1).flows, 0);
		assert_int_equal(nfv_lane_stats(lanes, 2).flows, 0);
		n = nfv_lane_stats(lanes, 0).flows;
		lanes_settle();
		assert_true(nfv_lane_stats(lanes, 0).flows <= n);
		mock[0].seen = mock[1].seen = mock[2].seen = 0;
		lanes_traffic(6, 0, FLOWS, 300);
		assert_int_equal(lanes_seen_by(), 0);
		/* A few twice: neither side waited for the other. */
		assert_in_range(lanes_live(), FLOWS, FLOWS + FLOWS / 4);
		lanes_settle();
		lanes_down(state);
	}
}

/* A port inside whose flows the third lane has. */
static uint16_t
port_of_third(void)
{
	uint32_t who = 0;
	struct mk m;

	for (uint16_t port = 1000; port < 1000 + FLOWS; port++) {
		lanes_send(NFV_OUTWARD, &m, "10.1.0.2", port, OUTSIDE, 80);
		who = lanes_seen_by();
		nfv_lanes_deal(lanes, 0);
		nfv_lanes_purge(lanes);
		nfv_lanes_deal(lanes, 3);
		lanes_collect_all(NULL);
		if (who == 2)
			return port;
	}
	fail();
	return 0;
}

/* The flow of a packet that comes back is gone, or has begun anew elsewhere. */
static void
late_packets_change_nothing(void **state)
{
	struct mk m[3];
	struct nfv_pkt last[2];
	uint16_t port, ext;
	uint32_t head;

	(void)state;
	lanes_up(3, 1024, HZ);
	port = port_of_third();
	assert_int_equal(lanes_live(), 0);
	lanes_send(NFV_OUTWARD, &m[0], "10.1.0.2", port, OUTSIDE, 80);
	assert_int_equal(lanes_seen_by(), 2);
	nfv_lanes_deal(lanes, 1);
	assert_int_equal(nfv_lanes_purge(lanes), 1);
	assert_int_equal(lanes_collect_all(NULL), 1);
	lanes_send(NFV_INWARD, &m[1], OUTSIDE, 80, "10.1.0.2", port);
	assert_int_equal(lanes_live(), 1);
	nfv_lanes_deal(lanes, 0);
	assert_int_equal(nfv_lanes_purge(lanes), 1);
	lanes_collect_all(NULL);

	nfv_lanes_deal(lanes, 3);
	for (uint32_t i = 0; i < 3; i++)
		mock[i].translates = true;
	lanes_send(NFV_OUTWARD, &m[0], "10.1.0.2", port, OUTSIDE, 80);
	nfv_lanes_deal(lanes, 1);
	nfv_lanes_purge(lanes);
	lanes_send(NFV_OUTWARD, &m[1], "10.1.0.2", port, OUTSIDE, 80);
	/* The older one first, by a port that is not the flow's any more. */
	head = mock[0].head;
	mock[0].head = mock[0].tail;
	assert_int_equal(lanes_collect_all(NULL), 1);
	mock[0].head = head;
	assert_int_equal(lanes_collect_all(last), 1);
	ext = be16toh(((struct nfv_udp *)nfv_pkt_l4(&last[NFV_OUTWARD]))->be_sport);
	assert_in_range(ext, 10000, 10999);
	lanes_send(NFV_INWARD, &m[2], OUTSIDE, 80, EXT, ext);
	assert_int_equal(lanes_live(), 1);
}

static void
only_what_gets_nothing_is_closed(void **state)
{
	struct nfv_away out;

	(void)state;
	lanes_up(3, 1024, HZ);
	nfv_lanes_deal(lanes, 2);
	assert_false(nfv_lanes_close(lanes, 0, true, &out));
	assert_false(nfv_lanes_close(lanes, 1, true, &out));
	assert_false(nfv_lanes_close(lanes, 3, true, &out));
	assert_true(nfv_lanes_close(lanes, 2, false, &out));
	assert_ptr_equal(out.arg, &mock[2]);
	assert_false(nfv_lane_stats(lanes, 2).open);
	/* It may come again. */
	lanes_open(2);
	assert_true(nfv_lane_stats(lanes, 2).open);
}

/* The clock runs a million times as fast: flows are over soon, and with them what a lane is kept for. */
static void
lanes_end_with_their_flows(void **state)
{
	struct nfv_away out;

	(void)state;
	lanes_ops.steer = lanes_no_steer; /* endpoints, too */
	lanes_up(2, 1024, 8000);
	lanes_traffic(9, 0, FLOWS, 300);
	nfv_lanes_deal(lanes, 1);
	while (lanes_live() > 0 || lanes_away.ops->waiting(lanes_away.arg) > 0)
		lanes_collect_in_order();
	assert_true(nfv_lanes_close(lanes, 1, false, &out));
	assert_int_equal(mock[1].closed, 0);
}

/* The same clock; but a packet of the flow's has come long after now. */
static void
flows_in_use_stay(void **state)
{
	struct mk m;
	struct nfv_pkt p = lanes_udp(&m, "10.1.0.2", 1000, OUTSIDE, 80, 0);
	struct nfv_burst b = { .tsc = rte_rdtsc() + (1ull << 40), .n = 1, .pkt = { p } };
	uint64_t until;

	(void)state;
	lanes_up(1, 1024, 8000);
	lanes_give1(NFV_OUTWARD, &p);
	lanes_collect_all(NULL);
	lanes_away.ops->process(lanes_away.arg, &b);
	lanes_collect_all(NULL);
	for (until = rte_rdtsc() + (1ull << 26); rte_rdtsc() < until;)
		lanes_collect_all(NULL);
	assert_int_equal(lanes_live(), 1);
}

static void
losses_add_up_and_stay(void **state)
{
	uint64_t lost[NFV_AWAY_LOSSES];
	struct nfv_away out;

	(void)state;
	lanes_up(3, 1024, HZ);
	mock[0].full = 1;
	mock[2].full = 10;
	lanes_away.ops->lost(lanes_away.arg, lost);
	assert_int_equal(lost[NFV_AWAY_FULL], 11);
	lanes_traffic(5, 0, FLOWS, 10);
	nfv_lanes_deal(lanes, 2);
	nfv_lanes_purge(lanes);
	assert_int_not_equal(mock[2].head - mock[2].tail, 0);
	assert_false(nfv_lanes_close(lanes, 2, false, &out));
	assert_true(nfv_lanes_close(lanes, 2, true, &out));
	lanes_away.ops->lost(lanes_away.arg, lost);
	assert_int_equal(lost[NFV_AWAY_FULL], 11);
	assert_int_equal(lost[NFV_AWAY_SWEPT], mock[2].head - mock[2].tail);
}

static void
who_cannot_be_many_is_refused(void **state)
{
	struct nfv_lanes_conf conf = { .ops = &lanes_ops,
		.most = 2,
		.flows = 64,
		.timeouts = { 300, 7440, 240, 60, 600 },
		.tsc_hz = HZ };
	struct nfv_lanes *l = NULL;
	struct nfv_err err;

	(void)state;
	lanes_ops.ends_flows = true;
	lanes_ops.steer = lanes_no_steer;
	assert_int_equal(nfv_lanes_create(&conf, &l, &err), -EINVAL);
	assert_non_null(strstr(err.text, "workers"));
	lanes_ops.ends_flows = false;
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
	lanes_up(2, 1024, HZ);
	lanes_away.ops->show(lanes_away.arg, f);
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
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, lanes_setup, lanes_down)
	const struct CMUnitTest tests[] = {
		TEST(purged_flows_begin_anew),
		TEST(late_packets_change_nothing),
		TEST(only_what_gets_nothing_is_closed),
		TEST(lanes_end_with_their_flows),
		TEST(flows_in_use_stay),
		TEST(losses_add_up_and_stay),
		TEST(who_cannot_be_many_is_refused),
		TEST(each_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
