#include "net.h"

static void
no_address(struct net *n)
{
	n->conf.port[1].n_addr = 0;
}

static void
small_mtu(struct net *n)
{
	n->conf.port[0].mtu = 1279;
}

static void
large_mtu(struct net *n)
{
	n->conf.port[1].mtu = 9001;
}

static void
no_cache(struct net *n)
{
	n->conf.neighbours = 0;
}

static void
group_mac(struct net *n)
{
	n->conf.port[1].mac[0] = 3;
}

static void
network_address(struct net *n)
{
	net_addr(n, 0, "172.16.0.0/24");
}

static void
broadcast_address(struct net *n)
{
	net_addr(n, 0, "172.16.0.255/24");
}

static void
multicast_address(struct net *n)
{
	net_addr(n, 0, "ff02::1/64");
}

static void
zero_prefix(struct net *n)
{
	net_addr(n, 0, "172.16.0.1/0");
}

static void
same_address(struct net *n)
{
	net_addr(n, 1, "10.0.0.1/32");
}

static void
same_network(struct net *n)
{
	net_addr(n, 1, "10.0.0.77/24");
}

static void
off_link(struct net *n)
{
	net_route(n, "172.16.0.0/12", "172.16.0.1", 1);
}

static void
other_port(struct net *n)
{
	net_route(n, "172.16.0.0/12", "10.0.0.2", 1);
}

static void
own_gateway(struct net *n)
{
	net_route(n, "172.16.0.0/12", "10.0.0.1", 0);
}

static void
broadcast_gateway(struct net *n)
{
	net_route(n, "172.16.0.0/12", "10.0.0.255", 0);
}

static void
mixed_families(struct net *n)
{
	net_route(n, "172.16.0.0/12", "fd01::2", 1);
}

static void
same_route(struct net *n)
{
	net_route(n, "10.1.0.0/16", "10.0.0.3", 0);
}

static void
same_default(struct net *n)
{
	net_route(n, "::/0", "fd01::2", 1);
}

static void
connected_again(struct net *n)
{
	net_route(n, "10.0.0.0/24", "192.0.2.2", 1);
}

static void
multicast_route(struct net *n)
{
	net_route(n, "239.0.0.0/8", "192.0.2.2", 1);
}

static void
third_port(struct net *n)
{
	net_route(n, "172.16.0.0/12", "192.0.2.2", 2);
}

static void
too_many(struct net *n)
{
	n->conf.n_route = 5000; /* refused by their number alone */
}

static void
bad_configurations(void **state)
{
	static const struct {
		void (*spoil)(struct net *n);
		int rc;
		const char *says;
	} t[] = {
		{ no_address, -EINVAL, "the outside port has no address" },
		{ small_mtu, -ERANGE, "inside port's MTU is 1279" },
		{ large_mtu, -ERANGE, "outside port's MTU is 9001" },
		{ no_cache, -ERANGE, "neighbours" },
		{ group_mac, -EINVAL, "MAC" },
		{ network_address, -EINVAL, "172.16.0.0/24" },
		{ broadcast_address, -EINVAL, "172.16.0.255/24" },
		{ multicast_address, -EINVAL, "ff02::1/64" },
		{ zero_prefix, -EINVAL, "172.16.0.1/0" },
		{ same_address, -EEXIST, "10.0.0.1" },
		{ same_network, -EEXIST, "10.0.0.0/24" },
		{ off_link, -EINVAL, "172.16.0.1" },
		{ other_port, -EINVAL, "10.0.0.2 is not in any network of the outside port" },
		{ own_gateway, -EINVAL, "10.0.0.1" },
		{ broadcast_gateway, -EINVAL, "10.0.0.255" },
		{ mixed_families, -EINVAL, "fd01::2" },
		{ same_route, -EEXIST, "10.1.0.0/16" },
		{ same_default, -EEXIST, "default" },
		{ connected_again, -EEXIST, "10.0.0.0/24" },
		{ multicast_route, -EINVAL, "239.0.0.0/8" },
		{ third_port, -EINVAL, "port 2" },
		{ too_many, -E2BIG, "5004" },
	};
	static struct net n;
	struct nfv_l3 *untouched = (struct nfv_l3 *)&n;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct nfv_err err = { "" };
		int rc;

		net_conf(&n);
		n.l3 = untouched;
		t[i].spoil(&n);
		rc = nfv_l3_create(&n.conf, &n.l3, &err);
		if (rc != t[i].rc || strstr(err.text, t[i].says) == NULL)
			fail_msg("\"%s\": %d, \"%s\"", t[i].says, rc, err.text);
		assert_ptr_equal(n.l3, untouched);
	}
	nfv_l3_destroy(NULL);
}

/* No memory at any step: an error, and all given back. */
static void
out_of_memory(void **state)
{
	static struct net n;

	(void)state;
	net_conf(&n);
	n.conf.neighbours = 1u << 20; /* more than there is */
	n.conf.port[0].mtu = 9000;
	for (int i = 0; i < 50; i++) {
		struct nfv_err err = { "" };

		n.l3 = NULL;
		assert_int_equal(nfv_l3_create(&n.conf, &n.l3, &err), -ENOMEM);
		assert_null(n.l3);
	}
	n.conf.neighbours = 16;
	net_start(&n);
	nfv_l3_destroy(n.l3);
}

static void
longest_prefix_wins(void **state)
{
	static const struct {
		const char *dst;
		uint8_t port;
		uint8_t via; /* last byte of the gateway's MAC address */
	} t[] = {
		{ "172.16.1.1", 1, 0xfe },
		{ "172.20.1.1", 1, 10 },
		{ "172.20.5.1", 0, 20 },
		{ "172.20.5.77", 1, 10 },
		{ "172.20.5.78", 0, 20 },
		{ "203.0.113.1", 1, 0xfe },
		{ "2001:db8:1::1", 1, 30 },
		{ "2001:db8:1:2::1", 0, 40 },
		{ "2001:db8:1:2::2", 1, 30 },
		{ "2001:db9::1", 1, 0xfe },
	};
	static const struct {
		const char *addr;
		uint8_t port, id;
	} gw[] = {
		{ "192.0.2.254", 1, 0xfe },
		{ "192.0.2.10", 1, 10 },
		{ "10.0.0.20", 0, 20 },
		{ "fd01::fe", 1, 0xfe },
		{ "fd01::30", 1, 30 },
		{ "fd00::40", 0, 40 },
	};
	static struct net n;
	struct mk m;

	(void)state;
	net_conf(&n);
	net_route(&n, "172.20.0.0/16", "192.0.2.10", 1);
	net_route(&n, "172.20.5.0/24", "10.0.0.20", 0);
	net_route(&n, "172.20.5.77/32", "192.0.2.10", 1);
	net_route(&n, "2001:db8:1::/48", "fd01::30", 1);
	net_route(&n, "2001:db8:1:2::/64", "fd00::40", 0);
	net_route(&n, "2001:db8:1:2::2/127", "fd01::30", 1);
	net_start(&n);
	for (size_t i = 0; i < sizeof(gw) / sizeof(gw[0]); i++) {
		char mac[6] = { 2, 0, 0, 0, 0, (char)gw[i].id };
		bool v6 = strchr(gw[i].addr, ':') != NULL;
		const char *us = v6 ? gw[i].port ? "fd01::1" : "fd00::1" :
			gw[i].port  ? "192.0.2.1" :
				      "10.0.0.1";

		assert_int_equal(net_in(&n, gw[i].port,
					 v6 ? mk_nd(&m, NFV_ICMP6_NS, 0, gw[i].addr, us, us, mac) :
					      mk_arp(&m, 1, mac, gw[i].addr, us)),
			NFV_CONSUMED);
	}
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char *src = strchr(t[i].dst, ':') ? "2001:db8:9::9" : "198.51.100.99";

		for (uint8_t port = 0; port < 2; port++)
			assert_int_equal(
				net_out(&n, port, mk_udp(&n.in, src, 1, t[i].dst, 2, "x", 1)),
				port == t[i].port ? NFV_KEEP : NFV_DROP(NFV_L3_WRONG_WAY));
		net_out(&n, t[i].port, mk_udp(&n.in, src, 1, t[i].dst, 2, "x", 1));
		assert_int_equal(n.burst.pkt[0].data[5], t[i].via);
	}
	nfv_l3_destroy(n.l3);
}

/* More routes than the smallest tables can number, each looked up. */
static void
many_routes(void **state)
{
	static struct nfv_l3_route route[1000];
	static struct net n;

	(void)state;
	net_conf(&n);
	for (unsigned int i = 0; i < 1000; i++) {
		char to[64];

		snprintf(to, sizeof(to), i % 2 ? "172.16.%u.%u/30" : "2001:db8:%x::%x00/120", i / 8,
			i % 8 * 16);
		route[i] = (struct nfv_l3_route){ prefix(to), { .family = NFV_NO_ADDR },
			(uint8_t)(i % 3 == 0) };
	}
	n.conf.route = route;
	n.conf.n_route = 1000;
	net_start(&n);
	for (unsigned int i = 0; i < 1000; i++) {
		struct nfv_addr a = route[i].to.addr;
		char dst[NFV_ADDR_TEXT];

		a.b[a.family == NFV_IPV4 ? 3 : 15] |= 2;
		nfv_addr_text(&a, dst);
		assert_int_equal(
			net_out(&n, route[i].port,
				mk_udp(&n.in, i % 2 ? "10.9.9.9" : "fd99::9", 1, dst, 2, "x", 1)),
			NFV_CONSUMED);
	}
	nfv_l3_destroy(n.l3);
}

static void
two_at_once(void **state)
{
	static struct net a, b;

	(void)state;
	net_conf(&a);
	net_start(&a);
	net_conf(&b);
	net_start(&b);
	net_meet(&a);
	net_meet(&b);
	nfv_l3_destroy(a.l3);
	nfv_l3_destroy(b.l3);
}

/* IPv4 alone: no IPv6 table, no link-local address, nobody at home for IPv6. */
static void
one_family(void **state)
{
	static struct net n;
	struct mk m;

	(void)state;
	net_conf(&n);
	n.conf.port[0].n_addr = n.conf.port[1].n_addr = n.conf.n_route = 1;
	n.conf.port[0].mtu = 576;
	net_start(&n);
	assert_int_equal(net_in(&n, 0, mk_udp(&m, "fe80::2", 1, LINK_IN, 2, "x", 1)),
		NFV_DROP(NFV_L3_NO_ROUTE));
	assert_int_equal(net_out(&n, 1, mk_udp(&m, "fd00::2", 1, "2001:db8::1", 2, "x", 1)),
		NFV_DROP(NFV_L3_NO_ROUTE));
	assert_int_equal(n.back.n, 0); /* no address to speak from */
	assert_null(strstr(net_show(&n), "fe80"));
	nfv_l3_destroy(n.l3);
	/* And IPv6 alone, by way of link-local addresses on one side. */
	net_conf(&n);
	n.conf.port[0].addr = &n.addr[0][1];
	n.conf.port[0].n_addr = 1;
	n.addr[1][0] = prefix("fe80::1/64");
	n.conf.port[1].n_addr = 1;
	n.conf.n_route = 0;
	net_route(&n, "::/0", "fe80::fe", 1);
	net_start(&n);
	assert_int_equal(
		net_out(&n, 1, mk_udp(&m, "fd00::2", 1, "2001:db8::1", 2, "x", 1)), NFV_CONSUMED);
	assert_int_equal(n.wire.n, 1);
	nfv_l3_destroy(n.l3);
}

static void
show(void **state)
{
	struct net *n = *state;

	net_meet(n);
	assert_shows(n, "inside 02:00:00:00:00:10 mtu 1500\n");
	assert_shows(n, "  fe80::ff:fe00:11/64\n");
	assert_shows(n, "  0.0.0.0/0 via 192.0.2.254 outside\n");
	assert_shows(n, "  10.0.0.2 02:00:00:00:00:02 stale inside\n");
	assert_shows(n, "  stale: 4\n");
	assert_shows(n, "  arp replies sent: 2\n");
	assert_shows(n, "  neighbour advertisements sent: 2\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_configurations),
		cmocka_unit_test(out_of_memory),
		cmocka_unit_test(longest_prefix_wins),
		cmocka_unit_test(many_routes),
		cmocka_unit_test(two_at_once),
		cmocka_unit_test(one_family),
		net_test(show),
	};

	test_eal("176"); /* little enough to run out of */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
