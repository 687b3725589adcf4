/*
 * Plain packets over pairs of ports in memory: what leaves the sender is taken from the wire by hand,
 * looked at, and given on to the sink as it came, or not.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>

#include "eal.h"
#include "nfv_csum.h"
#include "plain.h"
#include "plain_report.h"

#define HZ   2000000000ull /* of a clock that the tests turn by hand */
#define MOST 4000

static const uint8_t anywhere[6] = { 2, 0, 0, 0, 0, 1 };

/* The sender's port, the wire by hand, the sink's port. */
struct bench {
	struct net *from, *near, *far, *to;
	struct plain_sender *sender;
	struct plain_sink *sink;
	struct rte_mbuf *caught[MOST];
	uint32_t n;
	uint64_t now;
};

static struct bench bench;

static struct nfv_addr
address(const char *text)
{
	struct nfv_addr a;

	assert_int_equal(nfv_addr_parse(nfv_sv_str(text), &a), 0);
	return a;
}

static struct net *
host(const char *device, const char *v4, const char *v6)
{
	struct net_conf c = { .device = device,
		.addr = { { address(v4), 24 }, { address(v6), 64 } },
		.n_addr = 2,
		.mtu = 1500,
		.descriptors = 512,
		.buffers = 511,
		.tsc_hz = rte_get_tsc_hz() };
	struct nfv_err err = { "" };
	struct net *n = NULL;

	if (net_create(&c, &n, &err) < 0)
		fail_msg("%s", err.text);
	return n;
}

/* Hosts are dear, for their routing tables: all tests share these. */
static int
set_up_hosts(void **state)
{
	(void)state;
	bench.from = host("pair:x:a", "10.0.0.1", "fd00::1");
	bench.near = host("pair:x:b", "10.0.0.2", "fd00::2");
	bench.far = host("pair:y:a", "10.0.1.1", "fd01::1");
	bench.to = host("pair:y:b", "10.0.1.2", "fd01::2");
	bench.now = 1;
	return 0;
}

static int
take_down_hosts(void **state)
{
	(void)state;
	net_destroy(bench.from);
	net_destroy(bench.near);
	net_destroy(bench.far);
	net_destroy(bench.to);
	return 0;
}

static int
set_up(void **state)
{
	struct nfv_err err;

	bench.sender = NULL;
	bench.n = 0;
	*state = &bench;
	return plain_sink_create(bench.to, rte_get_tsc_hz(), 0, &bench.sink, &err);
}

static int
take_down(void **state)
{
	struct bench *b = *state;

	rte_pktmbuf_free_bulk(b->caught, b->n);
	plain_sink_destroy(b->sink);
	plain_sender_destroy(b->sender);
	return 0;
}

static int
make_sender(struct bench *b, const char *mix, const char *to, uint32_t flows, struct nfv_err *err)
{
	struct plain_conf c = { .net = b->from,
		.to = { address(to), 5060 },
		.mac = anywhere,
		.flows = flows,
		.buffers = 4095,
		.mtu = 1500,
		.tsc_hz = HZ };

	assert_int_equal(plain_mix_parse(mix, &c.mix, err), 0);
	c.from = (struct nfv_endpoint){ *net_source(b->from, &c.to.addr), 65530 };
	return plain_sender_create(&c, &b->sender, err);
}

static void
begin(struct bench *b, double rate, uint64_t packets, uint64_t cycles)
{
	const struct pace_conf pace = { .shape = PACE_FIXED, .rate = rate, .workers = 1 };
	struct nfv_err err = { "" };

	if (plain_sender_begin(b->sender, &pace, b->now, packets, cycles, &err) < 0)
		fail_msg("%s", err.text);
}

static uint16_t catch (void *ctx, struct rte_mbuf **m, uint16_t count)
{
	struct bench *b = ctx;

	for (uint16_t i = 0; i < count; i++) {
		assert_true(b->n < MOST);
		b->caught[b->n++] = m[i];
	}
	return 0;
}

/* All that the sender has to send, onto the wire; time goes on by `step` each turn. */
static void
send_all(struct bench *b, uint64_t step)
{
	while (plain_sender_turn(b->sender, b->now)) {
		while (net_receive(b->near, b->now, catch, b) > 0)
			;
		b->now += step;
	}
}

/* Frames from `i` up to before `end`, to the sink. */
static void
give(struct bench *b, uint32_t i, uint32_t end)
{
	for (; i < end; i++) {
		assert_int_equal(net_send(b->far, &b->caught[i], 1), 1);
		b->caught[i] = NULL;
		assert_int_equal(plain_sink_turn(b->sink, b->now), 1);
	}
}

static void
sent(struct bench *b, const char *mix, uint32_t flows, uint32_t packets)
{
	struct nfv_err err = { "" };

	if (make_sender(b, mix, "10.0.0.9", flows, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(plain_sender_prepare(b->sender), 0);
	begin(b, 0, packets, 0);
	send_all(b, 1);
	assert_int_equal(b->n, packets);
}

static void
counts_every_packet(void **state)
{
	struct bench *b = *state;
	const struct plain_stats *s, *k = plain_sink_stats(b->sink);

	sent(b, "64", 7, 1001);
	give(b, 0, b->n);
	s = plain_sender_stats(b->sender);
	assert_int_equal(s->offered, 1001);
	assert_int_equal(s->sent, 1001);
	assert_int_equal(s->sent_bytes, 1001 * 64);
	assert_int_equal(s->limited, 0);
	assert_int_equal(k->received, 1001);
	assert_int_equal(k->received_bytes, 1001 * 64);
	assert_int_equal(k->lost + k->reordered + k->duplicated + k->other, 0);
}

static void
frames_are_whole(void **state, const char *mix, const char *to, uint32_t headers)
{
	struct bench *b = *state;
	struct nfv_err err = { "" };
	uint32_t size;

	if (make_sender(b, mix, to, 9, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(plain_sender_prepare(b->sender), 0);
	begin(b, 0, 100, 0);
	send_all(b, 12345);
	size = (uint32_t)atoi(mix);
	for (uint32_t i = 0; i < b->n; i++) {
		struct nfv_pkt p = { .data = rte_pktmbuf_mtod(b->caught[i], uint8_t *),
			.len = b->caught[i]->data_len,
			.l3 = NFV_ETH_LEN };

		assert_int_equal(b->caught[i]->pkt_len, size - 4);
		assert_int_equal(nfv_pkt_parse_ip(&p), NFV_PARSE_OK);
		assert_int_equal(p.len, size - 4);
		assert_int_equal(
			be16toh(((struct nfv_udp *)nfv_pkt_l4(&p))->be_len), size - 4 - headers);
		assert_true(nfv_csum_l4_ok(&p));
		assert_memory_equal(p.data, anywhere, 6);
		if (p.family == 4)
			assert_int_equal(nfv_csum(nfv_pkt_ip4(&p), NFV_IP4_LEN), 0);
	}
	give(b, 0, b->n);
	assert_int_equal(plain_sink_stats(b->sink)->received, 100);
}

static void
ip4_frames_are_whole(void **state)
{
	frames_are_whole(state, "64", "10.0.0.9", NFV_ETH_LEN + NFV_IP4_LEN);
}

static void
long_ip4_frames_are_whole(void **state)
{
	frames_are_whole(state, "1517", "10.0.0.9", NFV_ETH_LEN + NFV_IP4_LEN);
}

static void
ip6_frames_are_whole(void **state)
{
	frames_are_whole(state, "82", "fd00::9", NFV_ETH_LEN + NFV_IP6_LEN);
}

static void
flows_have_their_own_sources(void **state)
{
	struct bench *b = *state;

	/* Six ports are left from 65530 on; then comes the next address. */
	sent(b, "64", 8, 16);
	for (uint32_t i = 0; i < 16; i++) {
		const uint8_t *data = rte_pktmbuf_mtod(b->caught[i], const uint8_t *);
		const struct nfv_ip4 *ip = (const struct nfv_ip4 *)(data + NFV_ETH_LEN);
		const struct nfv_udp *udp = (const struct nfv_udp *)(ip + 1);

		assert_int_equal(be32toh(ip->be_src), 0x0a000001 + (i % 8) / 6);
		assert_int_equal(be16toh(udp->be_sport), 65530 + (i % 8) % 6);
	}
}

static void
imix_is_7_to_4_to_1(void **state)
{
	struct bench *b = *state;
	uint32_t small = 0, middle = 0, large = 0;

	sent(b, "imix", 3, 360);
	for (uint32_t i = 0; i < b->n; i++) {
		small += b->caught[i]->pkt_len == 60;
		middle += b->caught[i]->pkt_len == 590;
		large += b->caught[i]->pkt_len == 1514;
	}
	assert_int_equal(small, 210);
	assert_int_equal(middle, 120);
	assert_int_equal(large, 30);
	assert_int_equal(
		plain_sender_stats(b->sender)->sent_bytes, 210 * 64 + 120 * 594 + 30 * 1518);
}

static void
sees_loss(void **state)
{
	struct bench *b = *state;
	const struct plain_stats *k = plain_sink_stats(b->sink);

	sent(b, "64", 1, 1000);
	give(b, 0, 100);
	give(b, 103, 400);
	give(b, 900, 1000);
	assert_int_equal(k->received, 497);
	assert_int_equal(k->lost, 503);
	assert_int_equal(k->reordered + k->duplicated, 0);
	for (uint32_t i = 0; i < b->n; i++)
		rte_pktmbuf_free(b->caught[i]);
	b->n = 0;
}

static void
sees_reordering(void **state)
{
	struct bench *b = *state;
	const struct plain_stats *k = plain_sink_stats(b->sink);
	struct rte_mbuf *m;

	sent(b, "64", 1, 1000);
	m = b->caught[10];
	b->caught[10] = b->caught[11];
	b->caught[11] = m;
	give(b, 0, 500);
	assert_int_equal(k->reordered, 1);
	/* The first of many comes last: further back than numbers are remembered. */
	give(b, 501, 1000);
	assert_int_equal(k->lost, 1);
	give(b, 500, 501);
	assert_int_equal(k->reordered, 2);
	assert_int_equal(k->received, 1000);
	assert_int_equal(k->lost, 0);
	assert_int_equal(k->duplicated, 0);
}

static void
sees_duplicates(void **state)
{
	struct bench *b = *state;
	const struct plain_stats *k = plain_sink_stats(b->sink);
	struct rte_mbuf *again;

	sent(b, "64", 1, 100);
	again = rte_pktmbuf_copy(b->caught[42], b->caught[42]->pool, 0, UINT32_MAX);
	assert_non_null(again);
	give(b, 0, 100);
	b->caught[0] = again;
	give(b, 0, 1);
	assert_int_equal(k->received, 101);
	assert_int_equal(k->duplicated, 1);
	assert_int_equal(k->lost + k->reordered, 0);
}

static void
order_is_each_flow_s_own(void **state)
{
	struct bench *b = *state;
	const struct plain_stats *k = plain_sink_stats(b->sink);

	sent(b, "64", 2, 200);
	/* One flow's packets first, then the other's. */
	for (uint32_t i = 0; i < 200; i += 2)
		give(b, i, i + 1);
	for (uint32_t i = 1; i < 200; i += 2)
		give(b, i, i + 1);
	assert_int_equal(k->received, 200);
	assert_int_equal(k->lost + k->reordered + k->duplicated, 0);
}

static void
keeps_the_rate(void **state)
{
	static const double rates[] = { 1000, 1e6, 2e6, 20e6 };
	struct bench *b = *state;
	struct nfv_err err = { "" };

	assert_int_equal(make_sender(b, "64", "10.0.0.9", 1, &err), 0);
	assert_int_equal(plain_sender_prepare(b->sender), 0);
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint64_t before = plain_sender_stats(b->sender)->sent;
		uint64_t cycles = (uint64_t)(1000 * (double)HZ / rates[i]);

		begin(b, rates[i], 0, cycles);
		send_all(b, HZ / 10000000); /* 100 ns */
		/* A thousand packets' time; the last of a group may just not be due. */
		assert_in_range(plain_sender_stats(b->sender)->sent - before, 968, 1000);
		assert_int_equal(plain_sender_stats(b->sender)->limited, 0);
		rte_pktmbuf_free_bulk(b->caught, b->n);
		b->n = 0;
	}
}

static void
times_are_those_intended(void **state)
{
	struct bench *b = *state;
	struct nfv_err err = { "" };
	uint64_t start, gap = HZ / 2000000;

	assert_int_equal(make_sender(b, "64", "10.0.0.9", 1, &err), 0);
	assert_int_equal(plain_sender_prepare(b->sender), 0);
	start = b->now;
	begin(b, 2e6, 800, 0);
	send_all(b, 7777); /* sent when the clock comes by, stamped with when it was due */
	assert_int_equal(b->n, 800);
	for (uint32_t i = 0; i < b->n; i++) {
		uint64_t tsc;

		memcpy(&tsc, rte_pktmbuf_mtod_offset(b->caught[i], void *, 50), sizeof(tsc));
		assert_in_range(tsc, start + (i + 1) * gap - 2, start + (i + 1) * gap + 2);
	}
}

static void
gives_up_what_is_too_late(void **state)
{
	struct bench *b = *state;
	struct nfv_err err = { "" };
	const struct plain_stats *s;

	assert_int_equal(make_sender(b, "64", "10.0.0.9", 1, &err), 0);
	assert_int_equal(plain_sender_prepare(b->sender), 0);
	begin(b, 10000, 1000, 0);
	b->now += HZ / 20; /* nothing happens for 50 ms, 40 of which are too many */
	send_all(b, HZ / 1000000);
	s = plain_sender_stats(b->sender);
	assert_int_equal(s->offered, 1000);
	assert_in_range(s->limited, 398, 401);
	assert_int_equal(s->sent, 1000 - s->limited);
	assert_int_equal(b->n, s->sent);
}

static void
nobody(void *ctx, const struct net_datagram *d)
{
	(void)ctx;
	(void)d;
}

static void
finds_its_neighbour(void **state)
{
	struct bench *b = *state;
	struct plain_conf c = { .net = b->far,
		.mix = { { 64 }, 1 },
		.from = { address("10.0.1.1"), 1000 },
		.to = { address("10.0.1.2"), 5060 },
		.flows = 1,
		.buffers = 511,
		.mtu = 1500,
		.tsc_hz = HZ };
	struct nfv_err err;

	assert_int_equal(plain_sender_create(&c, &b->sender, &err), 0);
	assert_int_equal(plain_sender_prepare(b->sender), -EHOSTUNREACH);
	/* It asks; the sink's host answers; it hears that. */
	for (int i = 0; i < 4 && net_reach(b->far, &c.to.addr, b->now) != 0; i++) {
		plain_sink_turn(b->sink, b->now);
		net_poll(b->far, b->now, nobody, NULL);
		b->now++;
	}
	assert_int_equal(plain_sender_prepare(b->sender), 0);
	begin(b, 0, 10, 0);
	while (plain_sender_turn(b->sender, b->now))
		plain_sink_turn(b->sink, b->now);
	assert_int_equal(plain_sink_stats(b->sink)->received, 10);
}

static void
refuses_sizes_that_cannot_be(void **state)
{
	struct bench *b = *state;
	struct nfv_err err;
	struct plain_mix mix;

	assert_int_equal(plain_mix_parse("63", &mix, &err), -EINVAL);
	assert_int_equal(plain_mix_parse("9019", &mix, &err), -EINVAL);
	assert_int_equal(plain_mix_parse("", &mix, &err), -EINVAL);
	assert_int_equal(plain_mix_parse("64x", &mix, &err), -EINVAL);
	assert_int_equal(plain_mix_parse("-1", &mix, &err), -EINVAL);
	assert_int_equal(make_sender(b, "1519", "10.0.0.9", 1, &err), -EINVAL);
	assert_int_equal(make_sender(b, "81", "fd00::9", 1, &err), -EINVAL);
	assert_int_equal(make_sender(b, "imix", "fd00::9", 1, &err), -EINVAL);
	/* Six flows have their ports, the seventh comes to the next address, which is the peer's. */
	assert_int_equal(make_sender(b, "64", "10.0.0.2", 7, &err), -EINVAL);
	assert_non_null(strstr(err.text, "the peer's own address"));
	assert_int_equal(make_sender(b, "82", "fd00::2", 7, &err), -EINVAL);
	assert_null(b->sender);
	assert_int_equal(make_sender(b, "64", "10.0.0.2", 6, &err), 0);
}

/* A capture of two frames, of 60 bytes of 0xaa and 1000 of 0xbb; the last but `cut` bytes of it. */
static const char *
capture(uint32_t cut)
{
	static char name[] = "/tmp/test_plain.XXXXXX";
	static const uint32_t head[6] = { 0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1 };
	const uint32_t first[4] = { 0, 0, 60, 60 }, second[4] = { 0, 0, 1000 - cut, 1000 };
	uint8_t frame[1000];
	FILE *f;
	int fd;

	strcpy(name + strlen("/tmp/test_plain."), "XXXXXX");
	fd = mkstemp(name);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	assert_non_null(f);
	fwrite(head, sizeof(head), 1, f);
	memset(frame, 0xaa, sizeof(frame));
	fwrite(first, sizeof(first), 1, f);
	fwrite(frame, 60, 1, f);
	memset(frame, 0xbb, sizeof(frame));
	fwrite(second, sizeof(second), 1, f);
	fwrite(frame, 1000 - cut, 1, f);
	fclose(f);
	return name;
}

static void
sends_a_capture_again(void **state)
{
	struct bench *b = *state;
	struct plain_replay replay;
	struct plain_conf c = { .net = b->from,
		.replay = &replay,
		.from = { address("10.0.0.1"), 5060 },
		.to = { address("10.0.0.2"), 5060 },
		.mac = anywhere,
		.flows = 1,
		.buffers = 511,
		.mtu = 1500,
		.tsc_hz = HZ };
	const char *name = capture(0);
	struct nfv_err err = { "" };

	assert_int_equal(plain_replay_load(name, 900, &replay, &err), -EINVAL);
	if (plain_replay_load(name, 1500, &replay, &err) < 0)
		fail_msg("%s", err.text);
	remove(name);
	assert_int_equal(plain_sender_create(&c, &b->sender, &err), 0);
	assert_int_equal(plain_sender_prepare(b->sender), 0);
	begin(b, 0, 101, 0);
	send_all(b, 1);
	assert_int_equal(b->n, 101);
	for (uint32_t i = 0; i < b->n; i++) {
		const uint8_t *data = rte_pktmbuf_mtod(b->caught[i], const uint8_t *);

		assert_int_equal(b->caught[i]->pkt_len, i % 2 == 0 ? 60 : 1000);
		assert_memory_equal(data, anywhere, 6);
		for (uint32_t k = 12; k < b->caught[i]->pkt_len; k++)
			assert_int_equal(data[k], i % 2 == 0 ? 0xaa : 0xbb);
	}
	plain_replay_free(&replay);
	give(b, 0, 1);
	assert_int_equal(plain_sink_stats(b->sink)->received, 0);
	assert_int_equal(plain_sink_stats(b->sink)->other, 1);
}

static void
refuses_captures_that_cannot_be(void **state)
{
	struct plain_replay replay;
	struct nfv_err err;
	const char *name = capture(1);

	(void)state;
	assert_int_equal(plain_replay_load(name, 1500, &replay, &err), -EINVAL);
	assert_non_null(strstr(err.text, "frame 2 was not recorded whole"));
	remove(name);
	assert_int_equal(plain_replay_load(name, 1500, &replay, &err), -EINVAL);
}

static json_t *
json_of(const struct plain_report *r)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);
	struct nfv_err err;
	json_t *j;

	assert_int_equal(plain_report_json(f, r, &err), 0);
	fclose(f);
	j = json_loads(text, 0, NULL);
	free(text);
	assert_non_null(j);
	return j;
}

static void
summary_has_its_keys(void **state)
{
	static const char *const keys[] = { "sent", "received", "lost", "reordered", "duplicated",
		"offered_pps", "achieved_pps", "received_pps", "generator_limited" };
	static const char *const quantiles[] = { "p50", "p90", "p99", "p999", "max" };
	static struct plain_stats s;
	struct plain_report r = {
		.frame = "64", .flows = 1, .sinks = true, .rate = 1000, .tsc_hz = HZ, .stats = &s
	};
	json_t *j, *search;

	(void)state;
	s = (struct plain_stats){ .offered = 110,
		.sent = 100,
		.limited = 10,
		.received = 96,
		.duplicated = 1,
		.send_begun = 1,
		.send_ended = 1 + HZ / 10 };
	hist_add(&s.latency, 5000);
	j = json_of(&r);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_non_null(json_object_get(j, keys[i]));
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		assert_true(json_number_value(json_object_get(
				    json_object_get(j, "latency_us"), quantiles[i])) >= 4.9);
	assert_int_equal(json_integer_value(json_object_get(j, "lost")), 5);
	assert_true(json_number_value(json_object_get(j, "achieved_pps")) == 1000);
	assert_true(json_number_value(json_object_get(j, "offered_pps")) == 1100);
	assert_true(json_is_true(json_object_get(j, "generator_limited")));
	assert_null(json_object_get(j, "search"));
	json_decref(j);

	r.search = "ndr";
	r.found = (struct ndr_result){ .rate = 500, .trials = 2 };
	r.trials = 2;
	r.trial[0] = (struct ndr_trial){ .rate = 1000, .sent = 10, .lost = 1 };
	r.trial[1] = (struct ndr_trial){ .rate = 500, .sent = 5, .good = true };
	j = json_of(&r);
	search = json_object_get(j, "search");
	assert_int_equal(json_array_size(json_object_get(search, "trials")), 2);
	assert_true(json_number_value(json_object_get(search, "rate_pps")) == 500);
	assert_true(json_is_false(json_object_get(j, "generator_limited")));
	json_decref(j);

	/* Nobody counts: what came is unknown. */
	r.search = NULL;
	r.sinks = false;
	j = json_of(&r);
	assert_true(json_is_null(json_object_get(j, "lost")));
	json_decref(j);
}

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, set_up, take_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(counts_every_packet),
		ON_BENCH(ip4_frames_are_whole),
		ON_BENCH(long_ip4_frames_are_whole),
		ON_BENCH(ip6_frames_are_whole),
		ON_BENCH(flows_have_their_own_sources),
		ON_BENCH(imix_is_7_to_4_to_1),
		ON_BENCH(sees_loss),
		ON_BENCH(sees_reordering),
		ON_BENCH(sees_duplicates),
		ON_BENCH(order_is_each_flow_s_own),
		ON_BENCH(keeps_the_rate),
		ON_BENCH(times_are_those_intended),
		ON_BENCH(gives_up_what_is_too_late),
		ON_BENCH(finds_its_neighbour),
		ON_BENCH(refuses_sizes_that_cannot_be),
		ON_BENCH(sends_a_capture_again),
		cmocka_unit_test(refuses_captures_that_cannot_be),
		cmocka_unit_test(summary_has_its_keys),
	};

	test_eal("768");
	return cmocka_run_group_tests(tests, set_up_hosts, take_down_hosts);
}
