#include "net.h"

static const struct arp_frame *
arp_sent(const struct net *n, int i, enum nfv_dir dir)
{
	assert_true(i < n->wire.n);
	assert_int_equal(n->wire.dir[i], dir);
	assert_int_equal(n->wire.pkt[i].len, sizeof(struct arp_frame));
	return (const struct arp_frame *)n->wire.pkt[i].data;
}

static const struct nd_frame *
nd_sent(struct net *n, int i, enum nfv_dir dir)
{
	struct nfv_pkt *p = net_sent(&n->wire, i, dir);

	assert_int_equal(p->len, sizeof(struct nd_frame));
	assert_int_equal(nfv_pkt_ip6(p)->hops, 255);
	return (const struct nd_frame *)p->data;
}

static void
assert_ip(const uint8_t *bytes, const char *want)
{
	struct nfv_addr a = addr(want);

	assert_memory_equal(bytes, a.b, a.family == NFV_IPV4 ? 4 : 16);
}

static uint8_t
to_v4(struct net *n, const char *dst)
{
	return net_out(n, 1, mk_udp(&n->in, "10.0.0.2", 1, dst, 2, "hello", 5));
}

static uint8_t
to_v6(struct net *n, const char *dst)
{
	return net_out(n, 1, mk_udp(&n->in, "fd00::2", 1, dst, 2, "hello", 5));
}

static uint8_t
arp_in(struct net *n, uint16_t op, const char *mac, const char *spa, const char *tpa)
{
	struct mk m;

	return net_in_mac(n, 1, mk_arp(&m, op, mac, spa, tpa), mac, MAC_OUT);
}

static uint8_t
na_in(struct net *n, uint32_t flags, const char *target, const char *mac)
{
	struct mk m;

	return net_in(n, 1, mk_nd(&m, NFV_ICMP6_NA, flags, target, "fd01::1", target, mac));
}

/* Where a packet to `dst` goes now. */
static void
assert_goes_to(struct net *n, const char *dst, const char *mac)
{
	uint8_t verdict = strchr(dst, ':') ? to_v6(n, dst) : to_v4(n, dst);

	assert_int_equal(verdict, NFV_KEEP);
	assert_mac(n->burst.pkt[0].data, mac);
}

static void
arp_requests_are_answered(void **state)
{
	static const struct {
		const char *dst, *spa, *tpa;
		int answers;
	} t[] = {
		{ MAC_ALL, "10.0.0.2", "10.0.0.1", 1 }, { MAC_IN, "10.0.0.2", "10.0.0.1", 1 },
		{ MAC_ALL, "0.0.0.0", "10.0.0.1", 1 },  /* a probe */
		{ MAC_ALL, "10.9.9.9", "10.0.0.1", 1 }, /* off-link, answered, not learned */
		{ MAC_ALL, "10.0.0.2", "10.0.0.3", 0 },
		{ MAC_ALL, "10.0.0.2", "192.0.2.1", 0 }, /* the other port's */
		{ MAC_ALL, "10.0.0.2", "10.0.0.2", 0 },  /* gratuitous */
	};
	struct net *n = *state;
	struct mk m;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const struct arp_frame *f;

		assert_int_equal(net_in_mac(n, 0, mk_arp(&m, 1, MAC_HOST, t[i].spa, t[i].tpa),
					 MAC_HOST, t[i].dst),
			NFV_CONSUMED);
		assert_int_equal(n->wire.n, t[i].answers);
		if (t[i].answers == 0)
			continue;
		f = arp_sent(n, 0, NFV_INWARD);
		assert_mac(f->eth.dst, MAC_HOST);
		assert_mac(f->eth.src, MAC_IN);
		assert_int_equal(f->be_op, htobe16(2));
		assert_mac(f->sha, MAC_IN);
		assert_ip(f->spa, "10.0.0.1");
		assert_mac(f->tha, MAC_HOST);
		assert_ip(f->tpa, t[i].spa);
	}
	assert_shows(n, "stale: 1\n");
}

static void
bad_arp(void **state)
{
	static const struct {
		int at;
		uint8_t value, reason;
	} t[] = {
		{ 15, 2, NFV_L3_ARP_BAD },
		{ 16, 0x86, NFV_L3_ARP_BAD },
		{ 18, 8, NFV_L3_ARP_BAD },
		{ 19, 16, NFV_L3_ARP_BAD },
		{ 21, 3, NFV_L3_ARP_BAD },
		{ 21, 0, NFV_L3_ARP_BAD },
		{ 22, 0xff, NFV_L3_ARP_BAD },
		{ 28, 224, NFV_L3_ARP_BAD },
		{ 28, 127, NFV_L3_ARP_BAD },
		{ 31, 1, NFV_L3_SPOOFED },
	};
	static const char zero[6];
	struct net *n = *state;
	struct mk m;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct nfv_pkt p = mk_arp(&m, 1, MAC_HOST, "10.0.0.2", "10.0.0.1");

		p.data[t[i].at] = t[i].value;
		assert_int_equal(net_in(n, 0, p), NFV_DROP(t[i].reason));
		assert_int_equal(n->wire.n, 0);
	}
	assert_int_equal(net_in(n, 0, mk_arp(&m, 1, zero, "10.0.0.2", "10.0.0.1")),
		NFV_DROP(NFV_L3_ARP_BAD));
	assert_shows(n, "stale: 0\n");
}

/* The whole life: unknown, asked, answered, old, asked again in person, confirmed. */
static void
arp_resolves(void **state)
{
	const struct arp_frame *f;
	struct net *n = *state;
	struct nfv_pkt *p;

	assert_int_equal(to_v4(n, "192.0.2.7"), NFV_CONSUMED);
	f = arp_sent(n, 0, NFV_OUTWARD);
	assert_mac(f->eth.dst, MAC_ALL);
	assert_int_equal(f->be_op, htobe16(1));
	assert_ip(f->spa, "192.0.2.1");
	assert_ip(f->tpa, "192.0.2.7");
	assert_shows(n, "incomplete: 1\n");
	assert_int_equal(to_v4(n, "192.0.2.7"), NFV_DROP(NFV_L3_QUEUE_FULL));

	assert_int_equal(arp_in(n, 2, MAC_GW, "192.0.2.7", "192.0.2.1"), NFV_CONSUMED);
	assert_int_equal(n->wire.n, 1);
	p = net_sent(&n->wire, 0, NFV_OUTWARD);
	assert_mac(p->data, MAC_GW);
	assert_mac(p->data + 6, MAC_OUT);
	assert_int_equal(nfv_pkt_ip4(p)->ttl, 63);
	assert_memory_equal((uint8_t *)nfv_pkt_l4(p) + 8, "hello", 5);
	assert_shows(n, "reachable: 1\n");
	assert_goes_to(n, "192.0.2.7", MAC_GW);
	assert_int_equal(n->wire.n, 0);

	n->now += 31 * HZ;
	assert_goes_to(n, "192.0.2.7", MAC_GW);
	f = arp_sent(n, 0, NFV_OUTWARD);
	assert_mac(f->eth.dst, MAC_GW); /* in person */
	assert_shows(n, "probe: 1\n");
	assert_goes_to(n, "192.0.2.7", MAC_GW);
	assert_int_equal(n->wire.n, 0);
	arp_in(n, 2, MAC_GW, "192.0.2.7", "192.0.2.1");
	assert_shows(n, "reachable: 1\n");

	n->now += 31 * HZ;
	assert_goes_to(n, "192.0.2.7", MAC_GW);
	for (int i = 0; i < 2; i++) {
		net_tick(n, 1);
		assert_int_equal(n->wire.n, 1);
		assert_mac(arp_sent(n, 0, NFV_OUTWARD)->eth.dst, MAC_GW);
	}
	net_tick(n, 1);
	assert_int_equal(n->wire.n, 0);
	assert_shows(n, "  free: 16\n");
}

static void
poisoning_fails(void **state)
{
	struct net *n = *state;

	/* Unasked answers make nothing. */
	arp_in(n, 2, MAC_EVIL, "192.0.2.7", "192.0.2.1");
	na_in(n, ND_S | ND_O, "fd01::7", MAC_EVIL);
	na_in(n, ND_O, "fd01::7", MAC_EVIL);
	arp_in(n, 1, MAC_EVIL, "192.0.2.7", "192.0.2.7"); /* gratuitous */
	arp_in(n, 1, MAC_EVIL, "192.0.2.7", "192.0.2.9"); /* a request to another */
	assert_shows(n, "  free: 16\n");
	/* Nor do they change what is known. */
	to_v4(n, "192.0.2.7");
	arp_in(n, 2, MAC_GW, "192.0.2.7", "192.0.2.1");
	arp_in(n, 2, MAC_EVIL, "192.0.2.7", "192.0.2.1");
	arp_in(n, 2, MAC_EVIL, "192.0.2.7", "192.0.2.9");
	arp_in(n, 1, MAC_EVIL, "192.0.2.7", "192.0.2.9");
	assert_goes_to(n, "192.0.2.7", MAC_GW);
	assert_shows(n, "reachable: 1\n");
	to_v6(n, "fd01::7");
	na_in(n, ND_S | ND_O, "fd01::7", MAC_GW);
	na_in(n, ND_S | ND_O, "fd01::7", MAC_EVIL);
	assert_goes_to(n, "fd01::7", MAC_GW);
	assert_int_equal(n->wire.n, 0);
	/* An answer at the other port is none. */
	to_v4(n, "192.0.2.8");
	{
		struct mk m;

		net_in(n, 0, mk_arp(&m, 2, MAC_EVIL, "192.0.2.8", "10.0.0.1"));
	}
	assert_shows(n, "incomplete: 1\n");
}

static void
neighbours_may_move(void **state)
{
	struct net *n = *state;

	to_v4(n, "192.0.2.7");
	arp_in(n, 2, MAC_GW, "192.0.2.7", "192.0.2.1");
	arp_in(n, 2, MAC_HOST, "192.0.2.7", "192.0.2.7"); /* announced, believed, verified */
	assert_shows(n, "stale: 1\n");
	assert_goes_to(n, "192.0.2.7", MAC_HOST);
	assert_mac(arp_sent(n, 0, NFV_OUTWARD)->eth.dst, MAC_HOST);
	/* A request to us from a new place likewise. */
	arp_in(n, 1, MAC_EVIL, "192.0.2.7", "192.0.2.1");
	assert_shows(n, "stale: 1\n");

	to_v6(n, "fd01::7");
	na_in(n, ND_S | ND_O, "fd01::7", MAC_GW);
	na_in(n, 0, "fd01::7", MAC_HOST); /* does not claim to override: doubt, no more */
	assert_shows(n, "stale: 2\n");
	assert_goes_to(n, "fd01::7", MAC_GW);
	na_in(n, ND_S, "fd01::7", NULL); /* still there */
	assert_shows(n, "reachable: 1\n");
	na_in(n, ND_O, "fd01::7", MAC_HOST);
	assert_shows(n, "stale: 2\n");
	assert_goes_to(n, "fd01::7", MAC_HOST);
}

static void
nd_solicitations_are_answered(void **state)
{
	static const struct {
		const char *src, *dst, *dst_mac, *target, *mac;
		int answers;
	} t[] = {
		{ "fd00::2", "ff02::1:ff00:1", "\x33\x33\xff\0\0\1", "fd00::1", MAC_HOST, 1 },
		{ "fd00::2", "fd00::1", MAC_IN, "fd00::1", MAC_HOST, 1 },
		{ "fd00::2", "fd00::1", MAC_IN, "fd00::1", NULL, 1 },
		{ "fe80::2", "ff02::1:ff00:10", "\x33\x33\xff\0\0\x10", LINK_IN, MAC_HOST, 1 },
		{ "::", "ff02::1:ff00:1", "\x33\x33\xff\0\0\1", "fd00::1", NULL, 1 },
		{ "fd00::2", "ff02::1:ff00:1", "\x33\x33\xff\0\0\1", "fd01::1", MAC_HOST, 0 },
		{ "fd00::2", "ff02::1:ff00:3", "\x33\x33\xff\0\0\3", "fd00::3", MAC_HOST, 0 },
	};
	struct net *n = *state;
	struct mk m;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		bool probe = strcmp(t[i].src, "::") == 0;
		const struct nd_frame *f;

		assert_int_equal(net_in_mac(n, 0,
					 mk_nd(&m, NFV_ICMP6_NS, 0, t[i].src, t[i].dst, t[i].target,
						 t[i].mac),
					 MAC_HOST, t[i].dst_mac),
			NFV_CONSUMED);
		assert_int_equal(n->wire.n, t[i].answers);
		if (t[i].answers == 0)
			continue;
		f = nd_sent(n, 0, NFV_INWARD);
		assert_int_equal(f->icmp.type, NFV_ICMP6_NA);
		assert_int_equal(be32toh(f->icmp.be_rest), ND_R | ND_O | (probe ? 0 : ND_S));
		assert_ip(f->ip.src, t[i].target);
		assert_ip(f->ip.dst, probe ? "ff02::1" : t[i].src);
		assert_ip(f->target, t[i].target);
		assert_int_equal(f->opt, 2);
		assert_int_equal(f->words, 1);
		assert_mac(f->mac, MAC_IN);
		assert_mac(f->eth.dst, probe ? "\x33\x33\0\0\0\1" : MAC_HOST);
	}
	assert_shows(n, "stale: 2\n"); /* fd00::2 and fe80::2 */
}

static void
bad_nd(void **state)
{
	static const struct {
		const char *src, *dst, *mac;
		uint8_t type;
		uint32_t flags;
		int at; /* from the frame's start, 0: nothing is changed */
		uint8_t value;
		bool keep_csum;
		uint8_t reason;
	} t[] = {
		{ "fd00::2", "fd00::1", MAC_HOST, 135, 0, 21, 254, false,
			NFV_L3_ND_BAD },                                                 /* hops */
		{ "fd00::2", "fd00::1", MAC_HOST, 135, 0, 55, 1, false, NFV_L3_ND_BAD }, /* code */
		{ "fd00::2", "fd00::1", MAC_HOST, 135, 0, 70, 1, true, NFV_L3_ICMP_CHECKSUM },
		{ "fd00::2", "fd00::1", MAC_HOST, 135, 0, 62, 0xff, false,
			NFV_L3_ND_BAD }, /* target */
		{ "fd00::2", "fd00::1", MAC_HOST, 135, 0, 79, 0, false,
			NFV_L3_ND_BAD }, /* option: 0 */
		{ "fd00::2", "fd00::1", MAC_HOST, 135, 0, 79, 2, false,
			NFV_L3_ND_BAD }, /* too long */
		{ "fd00::2", "fd00::1", MAC_HOST, 135, 0, 80, 1, false,
			NFV_L3_ND_BAD }, /* group MAC */
		{ "fd00::2", "fd00::1", MAC_HOST, 136, ND_S, 79, 0, false, NFV_L3_ND_BAD },
		{ "fd00::2", "fd00::1", MAC_HOST, 136, ND_S, 62, 0xff, false, NFV_L3_ND_BAD },
		{ "fd00::2", "ff02::1", MAC_HOST, 136, ND_S, 0, 0, false, NFV_L3_ND_BAD },
		{ "::", "ff02::1:ff00:1", MAC_HOST, 135, 0, 0, 0, false, NFV_L3_ND_BAD },
		{ "::", "ff02::1", NULL, 135, 0, 0, 0, false, NFV_L3_ND_BAD },
		{ "fd00::1", "fd00::1", MAC_HOST, 135, 0, 0, 0, false, NFV_L3_SPOOFED },
	};
	struct net *n = *state;
	struct mk m;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct nfv_pkt p =
			mk_nd(&m, t[i].type, t[i].flags, t[i].src, t[i].dst, "fd00::1", t[i].mac);
		bool group = strncmp(t[i].dst, "ff", 2) == 0;
		uint8_t verdict;

		if (t[i].at != 0)
			p.data[t[i].at] = t[i].value;
		if (!t[i].keep_csum)
			nfv_csum_l4_set(&p);
		verdict = net_in_mac(n, 0, p, MAC_HOST, group ? "\x33\x33\0\0\0\1" : MAC_IN);
		if (verdict != NFV_DROP(t[i].reason))
			fail_msg("row %zu: verdict %u, not %u", i, verdict, NFV_DROP(t[i].reason));
		assert_int_equal(n->wire.n, 0);
	}
	assert_shows(n, "  free: 16\n");
	/* Somebody else claims to have our address. */
	assert_int_equal(
		net_in(n, 0,
			mk_nd(&m, NFV_ICMP6_NA, ND_O, "fd00::2", "fd00::1", "fd00::1", MAC_EVIL)),
		NFV_DROP(NFV_L3_SPOOFED));
}

static void
nd_resolves(void **state)
{
	const struct nd_frame *f;
	struct net *n = *state;
	struct nfv_pkt *p;

	assert_int_equal(to_v6(n, "fd01::7:89ab"), NFV_CONSUMED);
	f = nd_sent(n, 0, NFV_OUTWARD);
	assert_int_equal(f->icmp.type, NFV_ICMP6_NS);
	assert_mac(f->eth.dst, "\x33\x33\xff\x07\x89\xab");
	assert_ip(f->ip.src, "fd01::1");
	assert_ip(f->ip.dst, "ff02::1:ff07:89ab");
	assert_ip(f->target, "fd01::7:89ab");
	assert_int_equal(f->opt, 1);
	assert_mac(f->mac, MAC_OUT);
	na_in(n, ND_S | ND_O, "fd01::7:89ab", NULL); /* without an address it says nothing */
	assert_shows(n, "incomplete: 1\n");
	na_in(n, ND_S | ND_O | ND_R, "fd01::7:89ab", MAC_GW);
	p = net_sent(&n->wire, 0, NFV_OUTWARD);
	assert_mac(p->data, MAC_GW);
	assert_int_equal(nfv_pkt_ip6(p)->hops, 63);
	assert_shows(n, "reachable: 1\n");
	n->now += 31 * HZ;
	assert_goes_to(n, "fd01::7:89ab", MAC_GW);
	f = nd_sent(n, 0, NFV_OUTWARD);
	assert_mac(f->eth.dst, MAC_GW);
	assert_ip(f->ip.dst, "fd01::7:89ab");
	/* An advertisement that was not solicited resolves too, but has to be verified. */
	to_v6(n, "fd01::8");
	na_in(n, ND_O, "fd01::8", MAC_GW);
	assert_int_equal(n->wire.n, 1);
	assert_shows(n, "stale: 1\n");
}

static void
nobody_answers(void **state)
{
	struct net *n = *state;
	struct nfv_pkt *p;

	for (int v6 = 0; v6 < 2; v6++) {
		const char *dst = v6 ? "fd01::7" : "192.0.2.7";
		struct nfv_pkt sent;

		assert_int_equal(v6 ? to_v6(n, dst) : to_v4(n, dst), NFV_CONSUMED);
		sent = n->burst.pkt[0];
		for (int i = 0; i < 2; i++) {
			net_tick(n, 1);
			assert_int_equal(n->wire.n, 1);
			assert_int_equal(n->back.n, 0);
			net_tick(n, 0);
			assert_int_equal(n->wire.n, 0);
		}
		net_tick(n, 1);
		assert_int_equal(n->wire.n, 0);
		p = net_sent(&n->back, 0, NFV_INWARD);
		assert_true(p->flags & NFV_PKT_OWN);
		assert_int_equal(((struct nfv_icmp *)nfv_pkt_l4(p))->type, v6 ? 1 : 3);
		assert_int_equal(((struct nfv_icmp *)nfv_pkt_l4(p))->code, v6 ? 3 : 1);
		assert_ip(v6 ? nfv_pkt_ip6(p)->src : (uint8_t *)&nfv_pkt_ip4(p)->be_src,
			v6 ? "fd01::1" : "192.0.2.1");
		assert_ip(v6 ? nfv_pkt_ip6(p)->dst : (uint8_t *)&nfv_pkt_ip4(p)->be_dst,
			v6 ? "fd00::2" : "10.0.0.2");
		assert_int_equal(nfv_pkt_l4_len(p), 8 + sent.len - sent.l3);
		assert_memory_equal((uint8_t *)nfv_pkt_l4(p) + 8 + (v6 ? 8 : 12),
			sent.data + sent.l3 + (v6 ? 8 : 12), sent.len - sent.l3 - (v6 ? 8 : 12));
		/* For a while senders are told at once. */
		assert_shows(n, "unreachable: 1\n");
		assert_int_equal(v6 ? to_v6(n, dst) : to_v4(n, dst), NFV_DROP(NFV_L3_NO_NEIGHBOUR));
		assert_int_equal(n->back.n, 1);
		for (int i = 0; i < 3; i++)
			net_tick(n, 1);
		assert_shows(n, "  free: 16\n");
		assert_int_equal(v6 ? to_v6(n, dst) : to_v4(n, dst), NFV_CONSUMED);
		assert_int_equal(n->wire.n, 1);
		if (!v6)
			arp_in(n, 2, MAC_GW, dst, "192.0.2.1");
		n->now += 700 * HZ;
		net_tick(n, 1);
	}
	assert_shows(n, "neighbours that did not answer: 2\n");
}

static void
late_answers_count(void **state)
{
	struct net *n = *state;

	to_v4(n, "192.0.2.7");
	for (int i = 0; i < 3; i++)
		net_tick(n, 1);
	assert_shows(n, "unreachable: 1\n");
	arp_in(n, 2, MAC_GW, "192.0.2.7", "192.0.2.1");
	assert_goes_to(n, "192.0.2.7", MAC_GW);
}

/* A scan of empty addresses churns through unresolved entries and leaves known neighbours alone. */
static void
a_scan_does_no_harm(void **state)
{
	struct net *n = *state;
	char dst[32];

	net_meet(n);
	for (int i = 10; i < 200; i++) {
		snprintf(dst, sizeof(dst), "192.0.2.%d", i);
		assert_int_equal(to_v4(n, dst), NFV_CONSUMED);
		assert_int_equal(n->wire.n, 1);
	}
	assert_shows(n, "incomplete: 12\n");
	assert_shows(n, "stale: 4\n");
	assert_goes_to(n, "198.51.100.1", MAC_GW);
	assert_goes_to(n, "2001:db8::1", MAC_GW);
	/* The newest are still being asked. */
	arp_in(n, 2, MAC_EVIL, "192.0.2.10", "192.0.2.1");
	assert_int_equal(n->wire.n, 0);
	arp_in(n, 2, MAC_HOST, "192.0.2.199", "192.0.2.1");
	assert_int_equal(n->wire.n, 1);
}

/* Of a large cache only a part may be unresolved. */
static void
the_unresolved_are_bounded(void **state)
{
	struct net *n = *state;
	char dst[32];

	nfv_l3_destroy(n->l3);
	n->conf.neighbours = 1000;
	net_start(n);
	for (int i = 0; i < 600; i++) {
		snprintf(dst, sizeof(dst), "fd01::%x", 0x100 + i);
		assert_int_equal(to_v6(n, dst), NFV_CONSUMED);
	}
	assert_shows(n, "incomplete: 256\n");
	assert_shows(n, "waiting packets lost: 344\n");
	na_in(n, ND_S, "fd01::100", MAC_GW);
	assert_int_equal(n->wire.n, 0);
	na_in(n, ND_S, "fd01::357", MAC_GW);
	assert_int_equal(n->wire.n, 1);
}

/* With only known neighbours left, the one unused for longest goes. */
static void
a_full_cache(void **state)
{
	struct net *n = *state;
	char src[32];

	for (int i = 0; i < 16; i++) {
		n->now += HZ;
		snprintf(src, sizeof(src), "192.0.2.%d", 10 + i);
		assert_int_equal(to_v4(n, src), NFV_CONSUMED);
		assert_int_equal(arp_in(n, 2, MAC_GW, src, "192.0.2.1"), NFV_CONSUMED);
	}
	assert_shows(n, "reachable: 16\n");
	assert_goes_to(n, "192.0.2.10", MAC_GW);
	assert_int_equal(n->wire.n, 0);
	assert_int_equal(to_v4(n, "192.0.2.99"), NFV_CONSUMED);
	assert_shows(n, "  free: 0\n");
	assert_goes_to(n, "192.0.2.10", MAC_GW);
	assert_null(strstr(net_show(n), "192.0.2.11 "));
	assert_non_null(strstr(net_show(n), "192.0.2.12 "));
	/* A neighbour that introduces itself takes the place of one not known yet. */
	arp_in(n, 1, MAC_GW, "192.0.2.50", "192.0.2.1");
	assert_null(strstr(net_show(n), "192.0.2.99 "));
	assert_shows(n, "waiting packets lost: 1\n");
}

static void
the_unused_is_forgotten(void **state)
{
	struct net *n = *state;

	net_meet(n);
	n->now += 599 * HZ;
	assert_goes_to(n, "198.51.100.1", MAC_GW);
	arp_in(n, 2, MAC_GW, "192.0.2.254", "192.0.2.1");
	n->now += 2 * HZ;
	for (int i = 0; i < 8; i++)
		net_tick(n, 0);
	assert_shows(n, "  free: 15\n");
}

/* No buffer to ask with, or to let the waiting packet go: nothing breaks, and it is counted. */
static void
without_buffers(void **state)
{
	struct net *n = *state;
	struct mk m;
	struct nfv_pkt p = mk_arp(&m, 2, MAC_GW, "192.0.2.7", "192.0.2.1");

	memcpy(p.data, MAC_OUT MAC_GW, 12);
	to_v4(n, "192.0.2.7");
	n->now += HZ;
	net_arm(n);
	n->wire.room = 0;
	nfv_l3_tick(n->l3, n->now, &n->wire, &n->back);
	assert_int_equal(n->wire.starved, 1);
	n->burst.n = 1;
	n->burst.dir = NFV_INWARD;
	n->burst.pkt[0] = p;
	nfv_l3_input(n->l3, &n->burst, &n->wire);
	assert_int_equal(n->burst.pkt[0].verdict, NFV_CONSUMED);
	assert_shows(n, "waiting packets lost: 1\n");
	assert_goes_to(n, "192.0.2.7", MAC_GW);
}

/* A neighbour can be found before there is anything to send: at most one packet would wait for it. */
static void
reached_beforehand(void **state)
{
	struct net *n = *state;
	struct nfv_addr host = addr("192.0.2.7"), far = addr("203.0.113.1"),
			inside = addr("10.0.0.9");
	struct nfv_addr host6 = addr("fd01::7");

	net_arm(n);
	assert_int_equal(nfv_l3_reach(n->l3, &host, n->now, &n->wire), -EINPROGRESS);
	arp_sent(n, 0, NFV_OUTWARD);
	assert_int_equal(nfv_l3_reach(n->l3, &host, n->now, &n->wire), -EINPROGRESS);
	assert_int_equal(n->wire.n, 1); /* asked once */
	arp_in(n, 2, MAC_HOST, "192.0.2.7", "192.0.2.1");
	assert_int_equal(nfv_l3_reach(n->l3, &host, n->now, &n->wire), 0);
	assert_goes_to(n, "192.0.2.7", MAC_HOST);
	/* Far away is the gateway. */
	assert_int_equal(nfv_l3_reach(n->l3, &far, n->now, &n->wire), -EINPROGRESS);
	arp_in(n, 2, MAC_GW, "192.0.2.254", "192.0.2.1");
	assert_int_equal(nfv_l3_reach(n->l3, &far, n->now, &n->wire), 0);
	assert_int_equal(nfv_l3_reach(n->l3, &host6, n->now, &n->wire), -EINPROGRESS);
	assert_int_equal(nfv_l3_reach(n->l3, &inside, n->now, &n->wire), -ENETUNREACH);
	for (int i = 0; i < 5; i++) {
		net_tick(n, 1);
	}
	assert_int_equal(nfv_l3_reach(n->l3, &host6, n->now, &n->wire), -EHOSTUNREACH);
}

static void
hear(struct net *n, const char *from, const char *mac)
{
	struct nfv_addr a = addr(from);

	net_arm(n);
	nfv_l3_heard(n->l3, &a, (const uint8_t *)mac, n->now, &n->wire);
}

/* Answers go back where requests come from, while everybody is asked; who answers that is believed. */
static void
heard_of(void **state)
{
	struct net *n = *state;

	hear(n, "192.0.2.7", MAC_HOST);
	assert_mac(arp_sent(n, 0, NFV_OUTWARD)->eth.dst, MAC_ALL);
	assert_ip(arp_sent(n, 0, NFV_OUTWARD)->tpa, "192.0.2.7");
	assert_goes_to(n, "192.0.2.7", MAC_HOST);
	assert_int_equal(n->wire.n, 0); /* asked once */
	hear(n, "192.0.2.7", MAC_EVIL); /* known: no news */
	assert_int_equal(n->wire.n, 0);
	assert_goes_to(n, "192.0.2.7", MAC_HOST);
	arp_in(n, 2, MAC_GW, "192.0.2.7", "192.0.2.1");
	assert_goes_to(n, "192.0.2.7", MAC_GW);
	assert_shows(n, "reachable: 1\n");
	hear(n, "192.0.2.7", MAC_EVIL);
	assert_goes_to(n, "192.0.2.7", MAC_GW);
	/* From afar by the gateway. */
	hear(n, "203.0.113.1", MAC_GW);
	assert_ip(arp_sent(n, 0, NFV_OUTWARD)->tpa, "192.0.2.254");
	assert_goes_to(n, "198.51.100.1", MAC_GW);
	hear(n, "fd01::7", MAC_HOST);
	assert_int_equal(nd_sent(n, 0, NFV_OUTWARD)->icmp.type, NFV_ICMP6_NS);
	assert_goes_to(n, "fd01::7", MAC_HOST);
	na_in(n, ND_S | ND_O, "fd01::7", MAC_GW);
	assert_goes_to(n, "fd01::7", MAC_GW);
	/* No neighbours of this port, no MAC addresses of hosts. */
	hear(n, "10.0.0.9", MAC_HOST);
	hear(n, "192.0.2.8", MAC_ALL);
	hear(n, "192.0.2.8", "\0\0\0\0\0\0");
	assert_int_equal(n->wire.n, 0);
	assert_null(strstr(net_show(n), "10.0.0.9 "));
	assert_null(strstr(net_show(n), "192.0.2.8 "));
}

/* What waited leaves; what nobody confirms is forgotten; what is full stays as it is. */
static void
heard_of_in_vain(void **state)
{
	struct net *n = *state;
	char src[32];

	assert_int_equal(to_v4(n, "192.0.2.7"), NFV_CONSUMED);
	hear(n, "192.0.2.7", MAC_HOST);
	assert_int_equal(n->wire.n, 1);
	assert_mac(n->wire.pkt[0].data, MAC_HOST);
	for (int i = 0; i < 4; i++)
		net_tick(n, 1);
	assert_null(strstr(net_show(n), "192.0.2.7 "));
	assert_int_equal(to_v4(n, "192.0.2.7"), NFV_CONSUMED);
	for (int i = 0; i < 4; i++)
		net_tick(n, 1);
	assert_shows(n, "unreachable: 1\n");
	hear(n, "192.0.2.7", MAC_HOST);
	assert_ip(arp_sent(n, 0, NFV_OUTWARD)->tpa, "192.0.2.7");
	assert_goes_to(n, "192.0.2.7", MAC_HOST);
	for (int i = 0; i < 4; i++)
		net_tick(n, 1);
	for (int i = 0; i < 16; i++) {
		snprintf(src, sizeof(src), "192.0.2.%d", 10 + i);
		to_v4(n, src);
		arp_in(n, 2, MAC_GW, src, "192.0.2.1");
	}
	hear(n, "192.0.2.99", MAC_EVIL);
	assert_int_equal(n->wire.n, 0);
	assert_shows(n, "reachable: 16\n");
}

/* A host has one port, the outside one. */
static void
one_port(void **state)
{
	struct net n;
	struct mk m;

	(void)state;
	net_conf(&n);
	n.conf.port[0] = (struct nfv_l3_port){ .mtu = 0 };
	n.conf.n_route = 2;
	net_start(&n);
	assert_int_equal(to_v4(&n, "192.0.2.9"), NFV_CONSUMED);
	arp_sent(&n, 0, NFV_OUTWARD);
	assert_int_equal(
		net_in(&n, 1, mk_udp(&m, "192.0.2.9", 5, "192.0.2.1", 5060, "x", 1)), NFV_KEEP);
	assert_int_equal(
		net_in(&n, 1, mk_udp(&m, "fd01::9", 5, "fd01::1", 5060, "x", 1)), NFV_KEEP);
	nfv_l3_destroy(n.l3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		net_test(arp_requests_are_answered),
		net_test(bad_arp),
		net_test(arp_resolves),
		net_test(poisoning_fails),
		net_test(neighbours_may_move),
		net_test(nd_solicitations_are_answered),
		net_test(bad_nd),
		net_test(nd_resolves),
		net_test(nobody_answers),
		net_test(late_answers_count),
		net_test(a_scan_does_no_harm),
		net_test(the_unresolved_are_bounded),
		net_test(a_full_cache),
		net_test(the_unused_is_forgotten),
		net_test(without_buffers),
		net_test(reached_beforehand),
		net_test(heard_of),
		net_test(heard_of_in_vain),
		cmocka_unit_test(one_port),
	};

	test_eal("256");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
