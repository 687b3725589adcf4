#include "net.h"

static struct nfv_icmp *
error_back(struct net *n, enum nfv_dir dir, uint8_t type, uint8_t code, const char *src)
{
	struct nfv_addr from = addr(src);
	struct nfv_icmp *icmp;
	struct nfv_pkt *p;

	assert_int_equal(n->back.n, 1);
	p = net_sent(&n->back, 0, dir);
	icmp = nfv_pkt_l4(p);
	assert_int_equal(icmp->type, type);
	assert_int_equal(icmp->code, code);
	assert_memory_equal(p->family == 4 ? (void *)&nfv_pkt_ip4(p)->be_src : nfv_pkt_ip6(p)->src,
		from.b, p->family == 4 ? 4 : 16);
	return icmp;
}

static struct nfv_pkt
udp(struct net *n, const char *src, const char *dst, size_t len)
{
	static uint8_t payload[3000];

	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + i / 256);
	return mk_udp(&n->in, src, 1000, dst, 2000, payload, len);
}

static struct nfv_pkt
with_ttl(struct nfv_pkt p, uint8_t ttl)
{
	if (p.data[12] == 0x08) {
		nfv_pkt_ip4(&p)->ttl = ttl;
		nfv_csum_ip4_set(nfv_pkt_ip4(&p));
	} else {
		nfv_pkt_ip6(&p)->hops = ttl;
	}
	return p;
}

static void
packets_are_routed(void **state)
{
	static const struct {
		const char *src, *dst;
		uint8_t port;
		const char *mac;
	} t[] = {
		{ "10.0.0.2", "198.51.100.1", 1, MAC_GW },
		{ "10.0.0.2", "192.0.2.254", 1, MAC_GW },
		{ "198.51.100.1", "10.0.0.2", 0, MAC_HOST },
		{ "198.51.100.1", "10.1.2.3", 0, MAC_HOST },
		{ "fd00::2", "2001:db8::1", 1, MAC_GW },
		{ "2001:db8::1", "fd00::2", 0, MAC_HOST },
	};
	struct net *n = *state;

	net_meet(n);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct nfv_pkt *p = &n->burst.pkt[0];

		assert_int_equal(net_out(n, t[i].port, udp(n, t[i].src, t[i].dst, 5)), NFV_KEEP);
		assert_int_equal(p->port, t[i].port);
		assert_mac(p->data, t[i].mac);
		assert_mac(p->data + 6, t[i].port ? MAC_OUT : MAC_IN);
		assert_int_equal(nfv_pkt_parse(p), NFV_PARSE_OK); /* the checksum is right */
		assert_int_equal(p->family == 4 ? nfv_pkt_ip4(p)->ttl : nfv_pkt_ip6(p)->hops, 63);
		assert_true(nfv_csum_l4_ok(p));
	}
}

static void
a_burst_of_both_families(void **state)
{
	struct net *n = *state;
	static struct mk m[NFV_BURST_MAX];

	net_meet(n);
	net_arm(n);
	n->burst = (struct nfv_burst){ .tsc = n->now, .n = NFV_BURST_MAX, .dir = NFV_OUTWARD };
	for (int i = 0; i < NFV_BURST_MAX; i++) {
		bool v6 = i % 3 == 1;

		n->burst.pkt[i] = mk_udp(&m[i], v6 ? "fd00::2" : "10.0.0.2", 1,
			v6                 ? "2001:db8::1" :
				i % 3 == 2 ? "10.0.0.9" :
					     "198.51.100.1",
			2, "x", 1);
		nfv_pkt_parse(&n->burst.pkt[i]);
	}
	n->burst.pkt[5].verdict = NFV_DROP(77); /* somebody else's: stays as it is */
	nfv_l3_output(n->l3, &n->burst, &n->wire, &n->back);
	for (int i = 0; i < NFV_BURST_MAX; i++)
		assert_int_equal(n->burst.pkt[i].verdict,
			i == 5             ? NFV_DROP(77) :
				i % 3 == 2 ? NFV_DROP(NFV_L3_WRONG_WAY) :
					     NFV_KEEP);
}

static void
our_own_packets(void **state)
{
	struct net *n = *state;
	struct nfv_pkt p = udp(n, "192.0.2.1", "198.51.100.1", 5);

	net_meet(n);
	memset(p.data, 0, NFV_ETH_LEN);
	p.flags = NFV_PKT_OWN;
	nfv_pkt_ip4(&p)->ttl = 1;
	nfv_csum_ip4_set(nfv_pkt_ip4(&p));
	p.family = p.proto = 0; /* nobody has parsed it */
	net_arm(n);
	n->burst = (struct nfv_burst){ .tsc = n->now, .n = 1, .dir = NFV_OUTWARD, .pkt[0] = p };
	nfv_l3_output(n->l3, &n->burst, &n->wire, &n->back);
	assert_int_equal(n->burst.pkt[0].verdict, NFV_KEEP);
	assert_int_equal(nfv_pkt_parse(&n->burst.pkt[0]), NFV_PARSE_OK);
	assert_int_equal(nfv_pkt_ip4(&p)->ttl, 1);
	assert_mac(p.data, MAC_GW);
	/* A broken one is dropped for what is broken. */
	n->burst.pkt[0].flags = NFV_PKT_OWN;
	p.data[24] ^= 1;
	nfv_l3_output(n->l3, &n->burst, &n->wire, &n->back);
	assert_int_equal(n->burst.pkt[0].verdict, NFV_DROP(NFV_PARSE_IP_CHECKSUM));
	/* To a link-local address: out on that side. */
	p = udp(n, LINK_OUT, "fe80::99", 5);
	p.flags = NFV_PKT_OWN;
	assert_int_equal(net_out(n, 1, p), NFV_CONSUMED);
	assert_int_equal(n->wire.n, 1);
	p = udp(n, "fd00::2", "fe80::99", 5);
	assert_int_equal(net_out(n, 1, p), NFV_DROP(NFV_L3_NO_ROUTE));
}

static void
nobody_listens(void **state)
{
	struct net *n = *state;

	assert_int_equal(
		net_out(n, 1, udp(n, "10.0.0.2", "192.0.2.1", 5)), NFV_DROP(NFV_L3_NO_LISTENER));
	error_back(n, NFV_INWARD, NFV_ICMP_UNREACHABLE, 3, "192.0.2.1");
	assert_int_equal(
		net_out(n, 1, udp(n, "10.0.0.2", "10.0.0.1", 5)), NFV_DROP(NFV_L3_NO_LISTENER));
	error_back(n, NFV_INWARD, NFV_ICMP_UNREACHABLE, 3, "10.0.0.1");
	assert_int_equal(
		net_out(n, 0, udp(n, "2001:db8::1", "fd01::1", 5)), NFV_DROP(NFV_L3_NO_LISTENER));
	error_back(n, NFV_OUTWARD, NFV_ICMP6_UNREACHABLE, 4, "fd01::1");
	assert_int_equal(net_out(n, 0, mk_tcp(&n->in, "2001:db8::1", 1, "fd01::1", 2, NFV_TCP_SYN)),
		NFV_DROP(NFV_L3_NO_LISTENER));
	assert_int_equal(n->back.n, 0);
}

static void
nowhere_to_go(void **state)
{
	struct net *n = *state;

	nfv_l3_destroy(n->l3);
	n->conf.n_route = 0;
	net_start(n);
	assert_int_equal(
		net_out(n, 1, udp(n, "10.0.0.2", "198.51.100.1", 5)), NFV_DROP(NFV_L3_NO_ROUTE));
	error_back(n, NFV_INWARD, NFV_ICMP_UNREACHABLE, 0, "192.0.2.1");
	assert_int_equal(
		net_out(n, 1, udp(n, "fd00::2", "2001:db8::1", 5)), NFV_DROP(NFV_L3_NO_ROUTE));
	error_back(n, NFV_INWARD, NFV_ICMP6_UNREACHABLE, 0, "fd01::1");
	assert_int_equal(
		net_out(n, 1, udp(n, "10.0.0.2", "10.0.0.3", 5)), NFV_DROP(NFV_L3_WRONG_WAY));
	assert_int_equal(
		net_out(n, 0, udp(n, "192.0.2.7", "192.0.2.8", 5)), NFV_DROP(NFV_L3_WRONG_WAY));
	assert_int_equal(
		net_out(n, 1, udp(n, "10.0.0.2", "192.0.2.255", 5)), NFV_DROP(NFV_L3_MULTICAST));
	assert_int_equal(
		net_out(n, 1, udp(n, "10.0.0.2", "239.0.0.1", 5)), NFV_DROP(NFV_L3_MULTICAST));
	assert_int_equal(n->back.n, 0);
}

static void
time_runs_out(void **state)
{
	struct net *n = *state;

	net_meet(n);
	assert_int_equal(net_out(n, 0, with_ttl(udp(n, "198.51.100.1", "10.0.0.2", 5), 1)),
		NFV_DROP(NFV_L3_TTL));
	error_back(n, NFV_OUTWARD, NFV_ICMP_TIME_EXCEEDED, 0, "10.0.0.1");
	assert_int_equal(net_out(n, 0, with_ttl(udp(n, "2001:db8::1", "fd00::2", 5), 0)),
		NFV_DROP(NFV_L3_TTL));
	error_back(n, NFV_OUTWARD, NFV_ICMP6_TIME_EXCEEDED, 0, "fd00::1");
	assert_int_equal(
		net_out(n, 0, with_ttl(udp(n, "198.51.100.1", "10.0.0.2", 5), 2)), NFV_KEEP);
	assert_int_equal(nfv_pkt_ip4(&n->burst.pkt[0])->ttl, 1);
}

/* Every TTL: the checksum by increment is the one by recomputation, as the parser checks. */
static void
checksum_by_increment(void **state)
{
	struct net *n = *state;

	net_meet(n);
	for (int ttl = 2; ttl < 256; ttl++) {
		struct nfv_pkt p = with_ttl(udp(n, "10.0.0.2", "198.51.100.1", 5), (uint8_t)ttl);

		assert_int_equal(net_out(n, 1, p), NFV_KEEP);
		assert_int_equal(nfv_pkt_parse(&n->burst.pkt[0]), NFV_PARSE_OK);
		assert_int_equal(nfv_pkt_ip4(&p)->ttl, ttl - 1);
	}
}

/* The other port's address, where the one it was to leave by has none of the family. */
static void
whose_address_errors_come_from(void **state)
{
	struct net *n = *state;
	struct nfv_addr from;

	nfv_l3_destroy(n->l3);
	net_conf(n);
	n->conf.port[1].n_addr = 1; /* IPv4 only */
	n->conf.n_route = 1;
	net_start(n);
	assert_int_equal(
		net_out(n, 1, udp(n, "fd00::2", "2001:db8::1", 5)), NFV_DROP(NFV_L3_NO_ROUTE));
	error_back(n, NFV_INWARD, NFV_ICMP6_UNREACHABLE, 0, "fd00::1");
	/* The same for what is answered at the door. */
	assert_int_equal(net_in(n, 1, with_ttl(udp(n, "2001:db8::1", "fd00::2", 5), 1)),
		NFV_DROP(NFV_L3_TTL));
	assert_int_equal(n->wire.n, 1);
	from = addr("fd00::1");
	assert_memory_equal(nfv_pkt_ip6(&n->wire.pkt[0])->src, from.b, 16);
}

static void
too_big(void **state)
{
	struct net *n = *state;
	struct nfv_icmp *icmp;
	struct nfv_pkt p;

	net_meet(n);
	for (size_t over = 0; over < 2; over++) {
		p = udp(n, "10.0.0.2", "198.51.100.1", 1472 + over);
		nfv_pkt_ip4(&p)->be_frag = htobe16(NFV_IP4_DF);
		nfv_csum_ip4_set(nfv_pkt_ip4(&p));
		assert_int_equal(net_out(n, 1, p), over ? NFV_DROP(NFV_L3_TOO_BIG) : NFV_KEEP);
		if (over) {
			icmp = error_back(n, NFV_INWARD, NFV_ICMP_UNREACHABLE, 4, "192.0.2.1");
			assert_int_equal(be32toh(icmp->be_rest), 1500);
			assert_int_equal(n->back.pkt[0].len, NFV_ETH_LEN + 576);
			assert_memory_equal(icmp + 1, p.data + p.l3, 576 - 28);
		}
		p = udp(n, "fd00::2", "2001:db8::1", 1452 + over);
		assert_int_equal(net_out(n, 1, p), over ? NFV_DROP(NFV_L3_TOO_BIG) : NFV_KEEP);
		if (over) {
			icmp = error_back(n, NFV_INWARD, NFV_ICMP6_TOO_BIG, 0, "fd01::1");
			assert_int_equal(be32toh(icmp->be_rest), 1500);
			assert_int_equal(n->back.pkt[0].len, NFV_ETH_LEN + 1280);
		}
	}
}

/* RFC 1812 §4.3.2.7, RFC 4443 §2.4 e: each of these meets no route, and no error is sent. */
static void
errors_that_must_not_be(void **state)
{
	static const struct {
		const char *src;
		uint8_t type;
		int errors;
	} t[] = {
		{ "10.0.0.2", NFV_ICMP_ECHO, 1 },
		{ "10.0.0.2", NFV_ICMP_ECHO_REPLY, 1 },
		{ "10.0.0.2", NFV_ICMP_UNREACHABLE, 0 },
		{ "10.0.0.2", NFV_ICMP_TIME_EXCEEDED, 0 },
		{ "10.0.0.2", NFV_ICMP_REDIRECT, 0 },
		{ "10.0.0.2", NFV_ICMP_PARAMETER, 0 },
		{ "10.0.0.2", 4, 0 },
		{ "10.0.0.2", 200, 0 },
		{ "10.0.0.255", NFV_ICMP_ECHO, 0 },
		{ "fd00::2", NFV_ICMP6_ECHO, 1 },
		{ "fd00::2", NFV_ICMP6_UNREACHABLE, 0 },
		{ "fd00::2", NFV_ICMP6_TOO_BIG, 0 },
		{ "fd00::2", 127, 0 },
		{ "fd00::2", 137, 0 },
		{ "::", NFV_ICMP6_ECHO, 0 },
	};
	struct net *n = *state;

	nfv_l3_destroy(n->l3);
	n->conf.n_route = 0;
	net_start(n);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char *dst = strchr(t[i].src, ':') ? "2001:db8::1" : "198.51.100.1";
		struct nfv_pkt p = mk_icmp(&n->in, t[i].src, dst, t[i].type, 0, 0, "x", 1);

		assert_int_equal(net_out(n, 1, p), NFV_DROP(NFV_L3_NO_ROUTE));
		assert_int_equal(n->back.n, t[i].errors);
	}
}

static int
errors_of(struct net *n, int packets)
{
	int sent = 0;

	for (int i = 0; i < packets; i++) {
		net_out(n, 1, udp(n, "10.0.0.2", "192.0.2.1", 5));
		sent += n->back.n;
	}
	return sent;
}

static void
errors_are_rationed(void **state)
{
	struct net *n = *state;

	assert_int_equal(errors_of(n, 100), 20);
	n->now += HZ / 2;
	assert_int_equal(errors_of(n, 100), 10);
	n->now += HZ / 20 - 1;
	assert_int_equal(errors_of(n, 1), 0);
	n->now += 1;
	assert_int_equal(errors_of(n, 2), 1);
	n->now -= HZ; /* a clock that steps back gives nothing */
	assert_int_equal(errors_of(n, 2), 0);
	n->now += 1000 * HZ;
	assert_int_equal(errors_of(n, 100), 20);
	assert_shows(n, "icmp errors sent: 51\n");
	assert_shows(n, "icmp errors over the limit: 254\n");
	nfv_l3_destroy(n->l3);
	n->conf.icmp_rate = 0;
	net_start(n);
	assert_int_equal(errors_of(n, 3), 0);
}

static void
errors_without_buffers(void **state)
{
	struct net *n = *state;
	struct nfv_pkt p = udp(n, "10.0.0.2", "192.0.2.1", 5);

	net_arm(n);
	n->back.room = 1;
	n->back.pkt[0].tailroom = 30;
	nfv_pkt_parse(&p);
	n->burst = (struct nfv_burst){ .tsc = n->now, .n = 1, .dir = NFV_OUTWARD, .pkt[0] = p };
	nfv_l3_output(n->l3, &n->burst, &n->wire, &n->back);
	assert_int_equal(n->burst.pkt[0].verdict, NFV_DROP(NFV_L3_NO_LISTENER));
	assert_int_equal(n->back.n, 0);
	assert_int_equal(n->back.starved, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		net_test(packets_are_routed),
		net_test(a_burst_of_both_families),
		net_test(our_own_packets),
		net_test(nobody_listens),
		net_test(nowhere_to_go),
		net_test(time_runs_out),
		net_test(checksum_by_increment),
		net_test(whose_address_errors_come_from),
		net_test(too_big),
		net_test(errors_that_must_not_be),
		net_test(errors_are_rationed),
		net_test(errors_without_buffers),
	};

	test_eal("256");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
