/* The NAT in shards: what one of them has begun comes to it, whichever way, and whoever is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "natbox.h"

#define SHARDS 3
#define REMOTE "203.0.113.9"

static struct box box[SHARDS];
static struct mk m;

static void
open_boxes(const char *yaml)
{
	struct nfv_err err = { "" };

	for (uint32_t i = 0; i < SHARDS; i++)
		if (natbox_open_shard(&box[i], yaml, i, SHARDS, &err) < 0)
			fail_msg("%s", err.text);
}

static int
close_boxes(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < SHARDS; i++)
		box_close(&box[i]);
	return 0;
}

/* All shards say the same. */
static int
steer(const struct nfv_pkt *p, enum nfv_dir dir)
{
	int who = box[0].ops->steer(box[0].state, p, dir);

	for (uint32_t i = 1; i < SHARDS; i++)
		assert_int_equal(box[i].ops->steer(box[i].state, p, dir), who);
	assert_in_range(who + 1, 0, SHARDS);
	return who;
}

static uint16_t
port_of(const struct nfv_pkt *p, int at)
{
	const uint8_t *l4 = nfv_pkt_l4(p);

	return (uint16_t)(l4[at] << 8 | l4[at + 1]);
}

static struct nfv_pkt
udp(const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	return mk_udp(&m, src, sport, dst, dport, "x", 1);
}

static const char *
host(int i)
{
	static char text[32];

	snprintf(text, sizeof(text), "10.1.%d.%d", i / 250, 1 + i % 250);
	return text;
}

/* Packets out, their answers, and errors about them, from outside and from inside. */
static void
follow(const char *in, uint16_t in_port, int proto, unsigned int used[SHARDS])
{
	uint8_t seen[64];
	struct nfv_pkt p, e;
	struct mk m2;
	char ext[32];
	int who, at = proto == NFV_PROTO_ICMP ? 4 : 0;
	uint16_t port;

	p = proto == NFV_PROTO_ICMP ?
		mk_icmp(&m, in, REMOTE, NFV_ICMP_ECHO, 0, (uint32_t)in_port << 16, "x", 1) :
		proto == NFV_PROTO_TCP ? mk_tcp(&m, in, in_port, REMOTE, 80, NFV_TCP_SYN) :
					 udp(in, in_port, REMOTE, 80);
	who = steer(&p, NFV_OUTWARD);
	assert_true(who >= 0);
	used[who]++;
	assert_int_equal(box_send(&box[who], NFV_OUTWARD, &p), NFV_KEEP);
	port = port_of(&p, at);
	memcpy(seen, p.data + p.l3, NFV_IP4_LEN + 8);
	inet_ntop(AF_INET, &nfv_pkt_ip4(&p)->be_src, ext, sizeof(ext));

	e = mk_icmp(&m2, "203.0.113.1", ext, NFV_ICMP_TIME_EXCEEDED, 0, 0, seen, NFV_IP4_LEN + 8);
	assert_int_equal(steer(&e, NFV_INWARD), who);
	p = proto == NFV_PROTO_ICMP ?
		mk_icmp(&m, REMOTE, ext, NFV_ICMP_ECHO_REPLY, 0, (uint32_t)port << 16, "x", 1) :
		proto == NFV_PROTO_TCP ? mk_tcp(&m, REMOTE, 80, ext, port, NFV_TCP_SYN) :
					 udp(REMOTE, 80, ext, port);
	assert_int_equal(steer(&p, NFV_INWARD), who);
	assert_int_equal(box_send(&box[who], NFV_INWARD, &p), NFV_KEEP);
	/* An error by a router inside about what has come in. */
	e = mk_icmp(&m2, "10.0.0.77", REMOTE, NFV_ICMP_UNREACHABLE, 1, 0, p.data + p.l3,
		NFV_IP4_LEN + 8);
	assert_int_equal(steer(&e, NFV_OUTWARD), who);
}

static void
both_ways_and_errors(void **state)
{
	static const int proto[] = { NFV_PROTO_UDP, NFV_PROTO_TCP, NFV_PROTO_ICMP };
	unsigned int used[SHARDS] = { 0 };

	(void)state;
	open_boxes("nat: {ports: 20000-20999}");
	for (int i = 0; i < 240; i++)
		follow(host(i), (uint16_t)(19990 + 5 * i), proto[i % 3], used);
	for (int i = 0; i < SHARDS; i++)
		assert_in_range(used[i], 40, 160);
	for (uint32_t i = 0; i < SHARDS; i++) {
		box_end_all(&box[i]);
		assert_int_equal(nat_table_used(natbox_nat(&box[i])->table), 0);
	}
}

/* Where a host must keep its external address, or its mappings are counted, it is one shard's. */
static void
a_host_is_one_shards(void **state)
{
	static const char *const yaml[] = { "nat: {addresses: [" EXT1 ", " EXT2 "]}",
		"nat: {ports-per-host: 5}" };

	(void)state;
	for (int y = 0; y < 2; y++) {
		int who;
		struct nfv_pkt p = udp("10.9.9.9", 5, REMOTE, 80);

		open_boxes(yaml[y]);
		who = steer(&p, NFV_OUTWARD);
		for (uint16_t port = 6; port < 60; port++) {
			p = udp("10.9.9.9", port, REMOTE, port);
			assert_int_equal(steer(&p, NFV_OUTWARD), who);
		}
		if (y == 0)
			close_boxes(state);
	}
}

/* Several of a host's endpoints are several shards' where nothing is against it; one is always one's. */
static void
an_endpoint_is_one_shards(void **state)
{
	bool seen[SHARDS] = { false };
	struct nfv_pkt p;

	(void)state;
	open_boxes("nat: {}");
	for (uint16_t port = 6; port < 60; port++) {
		int who;

		p = udp("10.9.9.9", port, REMOTE, 1);
		who = steer(&p, NFV_OUTWARD);
		p = udp("10.9.9.9", port, "203.0.113.200", 9);
		assert_int_equal(steer(&p, NFV_OUTWARD), who);
		seen[who] = true;
	}
	assert_true(seen[0] && seen[1] && seen[2]);
}

static void
forwards(void **state)
{
	struct nfv_pkt p, back;
	struct mk m2;
	int who;

	(void)state;
	/* One in the ports that are dealt out, one not. */
	open_boxes("nat:\n  forward:\n"
		   "  - {proto: tcp, outside: '" EXT1 ":80', inside: '10.1.1.1:8080'}\n"
		   "  - {proto: udp, outside: '" EXT1 ":12345', inside: '10.1.1.2:53'}\n");
	for (int i = 0; i < 2; i++) {
		p = i == 0 ? mk_tcp(&m, REMOTE, 7, EXT1, 80, NFV_TCP_SYN) :
			     udp(REMOTE, 7, EXT1, 12345);
		back = i == 0 ? mk_tcp(&m2, "10.1.1.1", 8080, REMOTE, 7, NFV_TCP_SYN) :
				mk_udp(&m2, "10.1.1.2", 53, REMOTE, 7, "x", 1);
		who = steer(&p, NFV_INWARD);
		assert_true(who >= 0);
		assert_int_equal(steer(&back, NFV_OUTWARD), who);
		assert_int_equal(box_send(&box[who], NFV_INWARD, &p), NFV_KEEP);
		assert_int_equal(nfv_pkt_ip4(&p)->be_dst, nfv_pkt_ip4(&back)->be_src);
	}
}

/* What is not translated has one owner both ways, or is anybody's. */
static void
untranslated(void **state)
{
	struct nfv_pkt p, back;
	struct mk m2;

	(void)state;
	open_boxes("nat: {inside: [10.1.0.0/16]}");
	for (uint16_t port = 1; port < 50; port++) {
		p = udp(REMOTE, 9, "10.1.2.3", port); /* straight to an inside address */
		back = mk_udp(&m2, "10.1.2.3", port, REMOTE, 9, "x", 1);
		assert_true(steer(&p, NFV_INWARD) >= 0);
		assert_int_equal(steer(&p, NFV_INWARD), steer(&back, NFV_OUTWARD));
	}
	p = udp("10.2.0.5", 9, REMOTE, 9);
	assert_int_equal(steer(&p, NFV_OUTWARD), -1);
	p = udp(REMOTE, 9, "10.2.0.5", 9);
	assert_int_equal(steer(&p, NFV_INWARD), -1);
	p = udp(REMOTE, 9, EXT1, 5060); /* below all ports: for whoever listens there */
	assert_int_equal(steer(&p, NFV_INWARD), -1);
	p = udp("2001:db8::9", 9, "2001:db8::1", 9);
	assert_int_equal(steer(&p, NFV_INWARD), -1);
	p = mk_ip(&m, "10.1.2.3", REMOTE, 47, "1234567", 8); /* has no ports */
	back = mk_ip(&m2, REMOTE, "10.1.2.3", 47, "1234567", 8);
	assert_int_equal(steer(&p, NFV_OUTWARD), steer(&back, NFV_INWARD));
}

/* Whatever an error quotes. */
static void
broken_quotes(void **state)
{
	uint8_t bytes[64];
	struct nfv_pkt p;

	(void)state;
	open_boxes("nat: {}");
	srand(7);
	for (int i = 0; i < 5000; i++) {
		size_t n = (size_t)rand() % sizeof(bytes);

		for (size_t k = 0; k < n; k++)
			bytes[k] = (uint8_t)rand();
		if (i % 2 == 0 && n > 0)
			bytes[0] = 0x45;
		p = mk_icmp(&m, REMOTE, EXT1, NFV_ICMP_UNREACHABLE, 0, 0, bytes, n);
		steer(&p, (enum nfv_dir)(i % 4 < 2));
	}
}

/* Each its part; the ports that do not divide are the last one's. */
static void
parts(void **state)
{
	struct nfv_err err = { "" };
	struct nfv_pkt p;

	(void)state;
	open_boxes("nat: {ports: 20000-20010, mappings: 10}");
	for (uint16_t port = 20000; port <= 20010; port++) {
		p = udp(REMOTE, 9, EXT1, port);
		assert_int_equal(steer(&p, NFV_INWARD), port < 20003 ? 0 : port < 20006 ? 1 : 2);
	}
	p = udp(REMOTE, 9, EXT1, 20011);
	assert_int_equal(steer(&p, NFV_INWARD), -1);
	close_boxes(state);
	assert_int_equal(
		natbox_open_shard(&box[0], "nat: {ports: 20000-20001}", 0, SHARDS, &err), -EINVAL);
	assert_non_null(strstr(err.text, "2 are too few for 3 workers"));
	open_boxes("nat: {}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(both_ways_and_errors, close_boxes),
		cmocka_unit_test_teardown(a_host_is_one_shards, close_boxes),
		cmocka_unit_test_teardown(an_endpoint_is_one_shards, close_boxes),
		cmocka_unit_test_teardown(forwards, close_boxes),
		cmocka_unit_test_teardown(untranslated, close_boxes),
		cmocka_unit_test_teardown(broken_quotes, close_boxes),
		cmocka_unit_test_teardown(parts, close_boxes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
