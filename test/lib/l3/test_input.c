#include "guard.h"
#include "net.h"

static uint8_t
udp_in(struct net *n, uint8_t port, const char *src, const char *dst)
{
	return net_in(n, port, mk_udp(&n->in, src, 1000, dst, 2000, "hello", 5));
}

static void
what_goes_where(void **state)
{
	static const struct {
		const char *src, *dst;
		uint8_t port, verdict, flags;
	} t[] = {
		{ "10.0.0.2", "198.51.100.1", 0, NFV_KEEP, 0 },
		{ "10.0.0.2", "10.0.0.1", 0, NFV_KEEP, NFV_PKT_LOCAL },
		{ "10.0.0.2", "192.0.2.1", 0, NFV_KEEP, NFV_PKT_LOCAL },
		{ "198.51.100.1", "192.0.2.1", 1, NFV_KEEP, NFV_PKT_LOCAL },
		{ "fd00::2", "2001:db8::1", 0, NFV_KEEP, 0 },
		{ "fd00::2", "fd01::1", 0, NFV_KEEP, NFV_PKT_LOCAL },
		{ "fe80::2", LINK_IN, 0, NFV_KEEP, NFV_PKT_LOCAL },
		{ "fe80::2", LINK_OUT, 0, NFV_DROP(NFV_L3_NO_ROUTE), 0 },
		{ "fe80::2", "2001:db8::1", 0, NFV_DROP(NFV_L3_NO_ROUTE), 0 },
		{ "fd00::2", "fe80::3", 0, NFV_DROP(NFV_L3_NO_ROUTE), 0 },
		{ "10.0.0.1", "198.51.100.1", 0, NFV_DROP(NFV_L3_SPOOFED), 0 },
		{ "10.0.0.1", "192.0.2.1", 1, NFV_DROP(NFV_L3_SPOOFED), 0 },
		{ "fd01::1", "fd00::1", 0, NFV_DROP(NFV_L3_SPOOFED), 0 },
		{ LINK_IN, "fd00::1", 0, NFV_DROP(NFV_L3_SPOOFED), 0 },
		{ "10.0.0.2", "10.0.0.255", 0, NFV_DROP(NFV_L3_MULTICAST), 0 },
		{ "10.0.0.2", "192.0.2.255", 0, NFV_DROP(NFV_L3_MULTICAST), 0 },
		{ "10.0.0.2", "192.0.2.0", 0, NFV_DROP(NFV_L3_MULTICAST), 0 },
		{ "10.0.0.2", "224.0.0.1", 0, NFV_DROP(NFV_L3_MULTICAST), 0 },
		{ "10.0.0.2", "255.255.255.255", 0, NFV_DROP(NFV_L3_MULTICAST), 0 },
		{ "10.0.0.2", "240.0.0.1", 0, NFV_DROP(NFV_PARSE_IP_ADDRESS), 0 },
		{ "10.0.0.2", "127.0.0.1", 0, NFV_DROP(NFV_PARSE_IP_ADDRESS), 0 },
		{ "10.0.0.2", "0.0.0.1", 0, NFV_DROP(NFV_PARSE_IP_ADDRESS), 0 },
		{ "10.0.0.255", "192.0.2.1", 0, NFV_DROP(NFV_PARSE_IP_ADDRESS), 0 },
		{ "fd00::2", "ff02::1", 0, NFV_DROP(NFV_L3_MULTICAST), 0 },
		{ "fd00::2", "ff02::fb", 0, NFV_DROP(NFV_L3_MULTICAST), 0 },
		{ "fd00::2", "::1", 0, NFV_DROP(NFV_PARSE_IP_ADDRESS), 0 },
		{ "fd00::2", "::", 0, NFV_DROP(NFV_PARSE_IP_ADDRESS), 0 },
		{ "::", "fd00::1", 0, NFV_DROP(NFV_PARSE_IP_ADDRESS), 0 },
	};
	struct net *n = *state;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint8_t verdict = udp_in(n, t[i].port, t[i].src, t[i].dst);

		if (verdict != t[i].verdict || n->burst.pkt[0].flags != t[i].flags)
			fail_msg("%s to %s: verdict %u, not %u", t[i].src, t[i].dst, verdict,
				t[i].verdict);
		assert_int_equal(n->wire.n, 0);
	}
}

static void
mac_addresses(void **state)
{
	static const struct {
		const char *src, *dst;
		uint8_t verdict;
	} t[] = {
		{ MAC_HOST, MAC_IN, NFV_KEEP },
		{ MAC_HOST, MAC_OUT, NFV_DROP(NFV_L3_NOT_FOR_US) },
		{ MAC_HOST, MAC_ALL, NFV_DROP(NFV_L3_MULTICAST) },
		{ MAC_HOST, "\x01\0\x5e\0\0\1", NFV_DROP(NFV_L3_MULTICAST) },
		{ MAC_HOST, "\x33\x33\0\0\0\1", NFV_DROP(NFV_L3_MULTICAST) },
		{ MAC_IN, MAC_IN, NFV_DROP(NFV_L3_SPOOFED) },
		{ MAC_ALL, MAC_IN, NFV_DROP(NFV_L3_SPOOFED) },
	};
	struct net *n = *state;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(
			net_in_mac(n, 0, mk_udp(&n->in, "10.0.0.2", 1, "198.51.100.1", 2, "x", 1),
				t[i].src, t[i].dst),
			t[i].verdict);
		if (strcmp(t[i].dst, MAC_ALL) != 0)
			assert_int_equal(
				net_in_mac(n, 0,
					mk_udp(&n->in, "fd00::2", 1, "2001:db8::1", 2, "x", 1),
					t[i].src, t[i].dst),
				t[i].verdict);
	}
}

static void
fragments_go_no_further(void **state)
{
	struct net *n = *state;
	struct nfv_pkt p = mk_udp(&n->in, "10.0.0.2", 1, "198.51.100.1", 2, "x", 1);

	nfv_pkt_ip4(&p)->be_frag = htobe16(NFV_IP4_MF);
	nfv_csum_ip4_set(nfv_pkt_ip4(&p));
	assert_int_equal(net_in(n, 0, p), NFV_DROP(NFV_L3_FRAGMENT));
	p = mk_ip(&n->in, "fd00::2", "2001:db8::1", NFV_PROTO_FRAGMENT,
		"\x3a\0\0\0\0\0\0\1\x80\0\0\0\0\0\0\0", 16);
	assert_int_equal(net_in(n, 0, p), NFV_DROP(NFV_L3_FRAGMENT));
	assert_int_equal(n->wire.n, 0);
}

static void
echo_is_answered(void **state)
{
	static const struct {
		const char *src, *dst;
		uint8_t port;
	} t[] = {
		{ "10.0.0.2", "10.0.0.1", 0 },
		{ "10.0.0.2", "192.0.2.1", 0 },
		{ "198.51.100.1", "192.0.2.1", 1 },
		{ "fd00::2", "fd00::1", 0 },
		{ "2001:db8::1", "fd01::1", 1 },
		{ "fe80::2", LINK_IN, 0 },
	};
	struct net *n = *state;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		bool v4 = strchr(t[i].src, ':') == NULL;
		struct nfv_addr src = addr(t[i].src), dst = addr(t[i].dst);
		struct nfv_pkt p = mk_icmp(&n->in, t[i].src, t[i].dst,
				       v4 ? NFV_ICMP_ECHO : NFV_ICMP6_ECHO, 0, 0x12345678,
				       "payload", 7),
			       *r;
		const struct nfv_icmp *icmp;

		assert_int_equal(net_in(n, t[i].port, p), NFV_CONSUMED);
		assert_int_equal(n->wire.n, 1);
		r = net_sent(&n->wire, 0, t[i].port == 0 ? NFV_INWARD : NFV_OUTWARD);
		assert_mac(((struct nfv_eth *)r->data)->dst, t[i].port == 0 ? MAC_HOST : MAC_GW);
		assert_mac(((struct nfv_eth *)r->data)->src, t[i].port == 0 ? MAC_IN : MAC_OUT);
		icmp = nfv_pkt_l4(r);
		assert_int_equal(icmp->type, v4 ? NFV_ICMP_ECHO_REPLY : NFV_ICMP6_ECHO_REPLY);
		assert_int_equal(be32toh(icmp->be_rest), 0x12345678);
		assert_int_equal(nfv_pkt_l4_len(r), NFV_ICMP_LEN + 7);
		assert_memory_equal(icmp + 1, "payload", 7);
		if (v4) {
			assert_memory_equal(&nfv_pkt_ip4(r)->be_src, dst.b, 4);
			assert_memory_equal(&nfv_pkt_ip4(r)->be_dst, src.b, 4);
		} else {
			assert_memory_equal(nfv_pkt_ip6(r)->src, dst.b, 16);
			assert_memory_equal(nfv_pkt_ip6(r)->dst, src.b, 16);
		}
	}
	assert_shows(n, "echo replies sent: 6");
}

static void
echo_that_is_not_answered(void **state)
{
	struct net *n = *state;
	struct nfv_pkt p = mk_icmp(&n->in, "10.0.0.2", "10.0.0.1", NFV_ICMP_ECHO, 0, 1, "x", 1);

	p.data[p.len - 1] ^= 1;
	assert_int_equal(net_in(n, 0, p), NFV_DROP(NFV_L3_ICMP_CHECKSUM));
	assert_int_equal(n->wire.n, 0);
	/* Smurf: to everybody. */
	p = mk_icmp(&n->in, "10.0.0.2", "10.0.0.255", NFV_ICMP_ECHO, 0, 1, "x", 1);
	assert_int_equal(net_in_mac(n, 0, p, MAC_HOST, MAC_ALL), NFV_DROP(NFV_L3_MULTICAST));
	p = mk_icmp(&n->in, "fd00::2", "ff02::1", NFV_ICMP6_ECHO, 0, 1, "x", 1);
	assert_int_equal(
		net_in_mac(n, 0, p, MAC_HOST, "\x33\x33\0\0\0\1"), NFV_DROP(NFV_L3_MULTICAST));
	/* Replies and errors are the chain's. */
	p = mk_icmp(&n->in, "10.0.0.2", "192.0.2.1", NFV_ICMP_ECHO_REPLY, 0, 1, "x", 1);
	assert_int_equal(net_in(n, 0, p), NFV_KEEP);
	assert_true(n->burst.pkt[0].flags & NFV_PKT_LOCAL);
	p = mk_icmp(&n->in, "fd00::2", "fd00::1", NFV_ICMP6_UNREACHABLE, 0, 1, "x", 1);
	assert_int_equal(net_in(n, 0, p), NFV_KEEP);
	/* Longer than anything that may leave. */
	p = mk_icmp(&n->in, "10.0.0.2", "10.0.0.1", NFV_ICMP_ECHO, 0, 1, n->wire_mem, 2000);
	assert_int_equal(net_in(n, 0, p), NFV_DROP(NFV_L3_TOO_BIG));
}

static void
echo_without_a_buffer(void **state)
{
	struct net *n = *state;
	struct nfv_pkt p = mk_icmp(&n->in, "10.0.0.2", "10.0.0.1", NFV_ICMP_ECHO, 0, 1, "x", 1);

	memcpy(p.data, MAC_IN MAC_HOST, 12);
	net_arm(n);
	n->wire.room = 0;
	n->burst = (struct nfv_burst){ .tsc = n->now, .n = 1, .dir = NFV_OUTWARD };
	n->burst.pkt[0] = p;
	nfv_l3_input(n->l3, &n->burst, &n->wire);
	assert_int_equal(n->burst.pkt[0].verdict, NFV_DROP(NFV_L3_NO_BUFFER));
	n->wire.room = 1;
	n->wire.pkt[0].tailroom = 20; /* a buffer too small */
	n->burst.pkt[0] = p;
	nfv_l3_input(n->l3, &n->burst, &n->wire);
	assert_int_equal(n->burst.pkt[0].verdict, NFV_DROP(NFV_L3_NO_BUFFER));
	assert_int_equal(n->wire.n, 0);
	assert_int_equal(n->wire.starved, 2);
}

static void
time_runs_out(void **state)
{
	struct net *n = *state;
	struct nfv_addr us = addr("10.0.0.1");

	for (uint8_t ttl = 0; ttl < 3; ttl++) {
		struct nfv_pkt p = mk_udp(&n->in, "10.0.0.2", 1, "198.51.100.1", 2, "x", 1), *r;

		nfv_pkt_ip4(&p)->ttl = ttl;
		nfv_csum_ip4_set(nfv_pkt_ip4(&p));
		assert_int_equal(net_in(n, 0, p), ttl < 2 ? NFV_DROP(NFV_L3_TTL) : NFV_KEEP);
		assert_int_equal(n->wire.n, ttl < 2);
		if (ttl == 2)
			break;
		r = net_sent(&n->wire, 0, NFV_INWARD);
		assert_mac(r->data, MAC_HOST);
		assert_int_equal(((struct nfv_icmp *)nfv_pkt_l4(r))->type, NFV_ICMP_TIME_EXCEEDED);
		assert_memory_equal(&nfv_pkt_ip4(r)->be_src, us.b, 4);
		assert_memory_equal((uint8_t *)nfv_pkt_l4(r) + 8, p.data + 14, p.len - 14);
	}
	for (uint8_t hops = 0; hops < 2; hops++) {
		struct nfv_pkt p = mk_udp(&n->in, "2001:db8::1", 1, "fd00::2", 2, "x", 1), *r;

		nfv_pkt_ip6(&p)->hops = hops;
		assert_int_equal(net_in(n, 1, p), NFV_DROP(NFV_L3_TTL));
		r = net_sent(&n->wire, 0, NFV_OUTWARD);
		assert_int_equal(((struct nfv_icmp *)nfv_pkt_l4(r))->type, NFV_ICMP6_TIME_EXCEEDED);
		us = addr("fd01::1");
		assert_memory_equal(nfv_pkt_ip6(r)->src, us.b, 16);
	}
}

static void
time_left_does_not_matter_here(void **state)
{
	struct net *n = *state;
	struct nfv_pkt p = mk_udp(&n->in, "10.0.0.2", 1, "10.0.0.1", 2, "x", 1);

	nfv_pkt_ip4(&p)->ttl = 1;
	nfv_csum_ip4_set(nfv_pkt_ip4(&p));
	assert_int_equal(net_in(n, 0, p), NFV_KEEP);
}

static void
broken_frames_keep_their_reason(void **state)
{
	struct net *n = *state;
	struct nfv_pkt p = mk_udp(&n->in, "10.0.0.2", 1, "10.0.0.1", 2, "x", 1);

	p.data[24] ^= 1;
	assert_int_equal(net_in(n, 0, p), NFV_DROP(NFV_PARSE_IP_CHECKSUM));
	p.len = 10;
	assert_int_equal(net_in(n, 0, p), NFV_DROP(NFV_PARSE_RUNT));
	for (int i = 0; i < NFV_PARSE_REASONS; i++)
		assert_string_equal(nfv_l3_drop_name[i], nfv_parse_name[i]);
	for (int i = 0; i < NFV_L3_REASONS; i++)
		assert_non_null(nfv_l3_drop_name[i]);
}

/* Router discovery and redirects: not ours, and not the chain's. */
static void
routers_are_not_heard(void **state)
{
	struct net *n = *state;
	uint8_t body[32] = { 0 };

	for (uint8_t type = 133; type <= 137; type++) {
		struct nfv_pkt p;

		if (type == NFV_ICMP6_NS || type == NFV_ICMP6_NA)
			continue;
		p = mk_icmp(&n->in, "fe80::2", LINK_IN, type, 0, 0, body, sizeof(body));
		assert_int_equal(net_in(n, 0, p), NFV_CONSUMED);
		p = mk_icmp(&n->in, "fe80::2", "ff02::1", type, 0, 0, body, sizeof(body));
		assert_int_equal(net_in_mac(n, 0, p, MAC_HOST, "\x33\x33\0\0\0\1"),
			NFV_DROP(NFV_L3_MULTICAST));
		assert_int_equal(n->wire.n, 0);
	}
}

/* Every prefix of every kind of frame at the end of a page, and again with lengths that agree. */
static void
every_prefix_stays_inside(void **state)
{
	struct net *n = *state;
	struct guard g = guard_new();
	struct nfv_pkt p[6];
	struct mk m[6];

	p[0] = mk_arp(&m[0], 1, MAC_HOST, "10.0.0.2", "10.0.0.1");
	p[1] = mk_arp(&m[1], 2, MAC_HOST, "10.0.0.2", "10.0.0.1");
	p[2] = mk_nd(&m[2], NFV_ICMP6_NS, 0, "fd00::2", "fd00::1", "fd00::1", MAC_HOST);
	p[3] = mk_nd(&m[3], NFV_ICMP6_NA, ND_S, "fd00::2", "fd00::1", "fd00::2", MAC_HOST);
	p[4] = mk_icmp(&m[4], "10.0.0.2", "10.0.0.1", NFV_ICMP_ECHO, 0, 1, "hello", 5);
	p[5] = mk_icmp(&m[5], "fd00::2", "fd00::1", NFV_ICMP6_ECHO, 0, 1, "hello", 5);
	for (int i = 0; i < 6; i++) {
		memcpy(p[i].data, MAC_IN MAC_HOST, 12);
		for (uint16_t len = 0; len <= p[i].len; len++) {
			for (int agree = 0; agree < 2; agree++) {
				struct nfv_pkt cut = { .data = guard_tail(&g, p[i].data, len),
					.len = len,
					.l3 = NFV_ETH_LEN };

				if (agree && i >= 2 && i != 4 && len >= 54) {
					nfv_pkt_ip6(&cut)->be_len = htobe16((uint16_t)(len - 54));
					cut.family = 6;
					cut.proto = NFV_PROTO_ICMP6;
					cut.l4 = 54;
					if (len >= 62)
						nfv_csum_l4_set(&cut);
				} else if (agree && i == 4 && len >= 34) {
					nfv_pkt_ip4(&cut)->be_len = htobe16((uint16_t)(len - 14));
					nfv_csum_ip4_set(nfv_pkt_ip4(&cut));
					cut.proto = NFV_PROTO_ICMP;
					cut.l4 = 34;
					if (len >= 42)
						nfv_csum_l4_set(&cut);
				}
				net_arm(n);
				n->burst = (struct nfv_burst){ .tsc = n->now, .n = 1 };
				n->burst.pkt[0] = cut;
				nfv_l3_input(n->l3, &n->burst, &n->wire);
				if (len == p[i].len || (agree && i >= 4 && len >= 62))
					assert_int_equal(n->burst.pkt[0].verdict, NFV_CONSUMED);
				else if (!agree)
					assert_true(n->burst.pkt[0].verdict >= NFV_DROP_BASE);
			}
		}
	}
	guard_free(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		net_test(what_goes_where),
		net_test(mac_addresses),
		net_test(fragments_go_no_further),
		net_test(echo_is_answered),
		net_test(echo_that_is_not_answered),
		net_test(echo_without_a_buffer),
		net_test(time_runs_out),
		net_test(time_left_does_not_matter_here),
		net_test(broken_frames_keep_their_reason),
		net_test(routers_are_not_heard),
		net_test(every_prefix_stays_inside),
	};

	test_eal("256");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
