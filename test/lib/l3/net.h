/**
 * @file
 * A chain's two ports as hosts, and frames around them, for the tests of lib/l3.
 *
 *     .2 10.0.0.0/24, fd00::/64 .1 [ inside   outside ] .1 192.0.2.0/24, fd01::/64 .254 — the rest
 */
#ifndef NET_H
#define NET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eal.h"
#include "mkpkt.h"
#include "nfv_l3.h"

/* Packets are passed by value here; what GCC 4.6 changed about that is of no interest. */
#pragma GCC diagnostic ignored "-Wpsabi"

#define HZ   1000000000ull
#define ROOM 32

#define MAC_IN   "\x02\0\0\0\0\x10"
#define MAC_OUT  "\x02\0\0\0\0\x11"
#define MAC_HOST "\x02\0\0\0\0\x02"
#define MAC_GW   "\x02\0\0\0\0\xfe"
#define MAC_EVIL "\x02\0\0\0\x66\x66"
#define MAC_ALL  "\xff\xff\xff\xff\xff\xff"

#define LINK_IN  "fe80::ff:fe00:10" /* of MAC_IN */
#define LINK_OUT "fe80::ff:fe00:11"

struct net {
	struct nfv_prefix addr[2][8];
	struct nfv_l3_route route[16];
	struct nfv_l3_conf conf;
	struct nfv_l3 *l3;
	struct nfv_burst burst;
	struct nfv_out wire, back;
	struct mk in, wire_mem[ROOM], back_mem[ROOM];
	uint64_t now;
};

static inline struct nfv_prefix
prefix(const char *text)
{
	struct nfv_prefix p;

	assert_int_equal(nfv_prefix_parse(nfv_sv_str(text), &p), 0);
	return p;
}

static inline struct nfv_addr
addr(const char *text)
{
	return prefix(text).addr;
}

static inline void
net_addr(struct net *n, int port, const char *text)
{
	n->addr[port][n->conf.port[port].n_addr++] = prefix(text);
}

static inline void
net_route(struct net *n, const char *to, const char *via, uint8_t port)
{
	n->route[n->conf.n_route++] = (struct nfv_l3_route){ prefix(to),
		via == NULL ? (struct nfv_addr){ .family = NFV_NO_ADDR } : addr(via), port };
}

/** The configuration above; a test may change it before net_start. */
static inline void
net_conf(struct net *n)
{
	memset(n, 0, sizeof(*n));
	n->now = 1000 * HZ;
	n->conf = (struct nfv_l3_conf){ .port = { { .mtu = 1500, .addr = n->addr[0] },
						{ .mtu = 1500, .addr = n->addr[1] } },
		.route = n->route,
		.neighbours = 16,
		.icmp_rate = 20,
		.tsc_hz = HZ,
		.seed = 42,
		.socket = -1 };
	memcpy(n->conf.port[0].mac, MAC_IN, 6);
	memcpy(n->conf.port[1].mac, MAC_OUT, 6);
	net_addr(n, 0, "10.0.0.1/24");
	net_addr(n, 0, "fd00::1/64");
	net_addr(n, 1, "192.0.2.1/24");
	net_addr(n, 1, "fd01::1/64");
	net_route(n, "0.0.0.0/0", "192.0.2.254", 1);
	net_route(n, "::/0", "fd01::fe", 1);
	net_route(n, "10.1.0.0/16", "10.0.0.2", 0);
}

static inline void
net_start(struct net *n)
{
	struct nfv_err err = { "" };

	if (nfv_l3_create(&n->conf, &n->l3, &err) != 0)
		fail_msg("%s", err.text);
}

static inline void
net_arm(struct net *n)
{
	mk_out(&n->wire, n->wire_mem, ROOM);
	mk_out(&n->back, n->back_mem, ROOM);
}

/** One packet in a burst at `port`, with these MAC addresses. Returns the verdict. */
static inline uint8_t
net_in_mac(struct net *n, uint8_t port, struct nfv_pkt p, const char *src, const char *dst)
{
	struct nfv_eth *eth = (struct nfv_eth *)p.data;

	net_arm(n);
	memcpy(eth->src, src, 6);
	memcpy(eth->dst, dst, 6);
	n->burst.tsc = n->now;
	n->burst.n = 1;
	n->burst.dir = port == 0 ? NFV_OUTWARD : NFV_INWARD;
	n->burst.pkt[0] = p;
	nfv_l3_input(n->l3, &n->burst, &n->wire);
	return n->burst.pkt[0].verdict;
}

/** The same from the usual neighbour to the port itself. */
static inline uint8_t
net_in(struct net *n, uint8_t port, struct nfv_pkt p)
{
	return net_in_mac(n, port, p, port == 0 ? MAC_HOST : MAC_GW, port == 0 ? MAC_IN : MAC_OUT);
}

/** A packet that comes out of the chain travelling to `port`. */
static inline uint8_t
net_out(struct net *n, uint8_t port, struct nfv_pkt p)
{
	net_arm(n);
	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
	n->burst.tsc = n->now;
	n->burst.n = 1;
	n->burst.dir = port == 1 ? NFV_OUTWARD : NFV_INWARD;
	n->burst.pkt[0] = p;
	nfv_l3_output(n->l3, &n->burst, &n->wire, &n->back);
	return n->burst.pkt[0].verdict;
}

static inline void
net_tick(struct net *n, uint64_t seconds)
{
	n->now += seconds * HZ;
	net_arm(n);
	nfv_l3_tick(n->l3, n->now, &n->wire, &n->back);
}

struct arp_frame {
	struct nfv_eth eth;
	uint16_t be_hw, be_proto;
	uint8_t hlen, plen;
	uint16_t be_op;
	uint8_t sha[6], spa[4], tha[6], tpa[4];
} __attribute__((packed));

static inline struct nfv_pkt
mk_arp(struct mk *m, uint16_t op, const char *sha, const char *spa, const char *tpa)
{
	struct nfv_pkt p = mk_empty(m);
	struct arp_frame *f = (struct arp_frame *)p.data;
	struct nfv_addr from = addr(spa), to = addr(tpa);

	nfv_pkt_resize(&p, (int)sizeof(*f) - p.len);
	*f = (struct arp_frame){ .eth = { .be_type = htobe16(NFV_ETH_ARP) },
		.be_hw = htobe16(1),
		.be_proto = htobe16(0x0800),
		.hlen = 6,
		.plen = 4,
		.be_op = htobe16(op) };
	memcpy(f->sha, sha, 6);
	memcpy(f->spa, from.b, 4);
	memcpy(f->tpa, to.b, 4);
	return p;
}

struct nd_frame {
	struct nfv_eth eth;
	struct nfv_ip6 ip;
	struct nfv_icmp icmp;
	uint8_t target[16];
	uint8_t opt, words, mac[6];
} __attribute__((packed));

/** A solicitation (135) or advertisement (136); no option if `mac` is NULL. */
static inline struct nfv_pkt
mk_nd(struct mk *m, uint8_t type, uint32_t flags, const char *src, const char *dst,
	const char *target, const char *mac)
{
	struct nfv_addr a = addr(target);
	uint8_t body[24];
	struct nfv_pkt p;

	memcpy(body, a.b, 16);
	body[16] = type == NFV_ICMP6_NS ? 1 : 2;
	body[17] = 1;
	if (mac != NULL)
		memcpy(body + 18, mac, 6);
	p = mk_icmp(m, src, dst, type, 0, flags, body, mac == NULL ? 16 : 24);
	nfv_pkt_ip6(&p)->hops = 255;
	return p;
}

enum { ND_R = 1u << 31, ND_S = 1u << 30, ND_O = 1u << 29 };

static inline void
assert_mac(const uint8_t *got, const char *want)
{
	assert_memory_equal(got, want, 6);
}

/** What was written to `wire` or `back` is a packet with right checksums; returns it parsed. */
static inline struct nfv_pkt *
net_sent(struct nfv_out *out, int i, enum nfv_dir dir)
{
	struct nfv_pkt *p = &out->pkt[i];

	assert_true(i < out->n);
	assert_int_equal(out->dir[i], dir);
	assert_int_equal(nfv_pkt_parse_ip(p), NFV_PARSE_OK);
	if (!(p->flags & NFV_PKT_FRAGMENT))
		assert_true(nfv_csum_l4_ok(p));
	return p;
}

/** The usual neighbours are known. */
static inline void
net_meet(struct net *n)
{
	struct mk m;

	assert_int_equal(net_in_mac(n, 0, mk_arp(&m, 1, MAC_HOST, "10.0.0.2", "10.0.0.1"), MAC_HOST,
				 MAC_ALL),
		NFV_CONSUMED);
	assert_int_equal(net_in_mac(n, 1, mk_arp(&m, 1, MAC_GW, "192.0.2.254", "192.0.2.1"), MAC_GW,
				 MAC_ALL),
		NFV_CONSUMED);
	assert_int_equal(
		net_in(n, 0, mk_nd(&m, NFV_ICMP6_NS, 0, "fd00::2", "fd00::1", "fd00::1", MAC_HOST)),
		NFV_CONSUMED);
	assert_int_equal(
		net_in(n, 1, mk_nd(&m, NFV_ICMP6_NS, 0, "fd01::fe", "fd01::1", "fd01::1", MAC_GW)),
		NFV_CONSUMED);
}

/** What nfv_l3_show says, up to 64 kB. */
static inline const char *
net_show(const struct net *n)
{
	static char text[65536];
	FILE *to = fmemopen(text, sizeof(text), "w");

	assert_non_null(to);
	nfv_l3_show(n->l3, to);
	fclose(to);
	return text;
}

static inline void
assert_shows(const struct net *n, const char *line)
{
	if (strstr(net_show(n), line) == NULL)
		fail_msg("\"%s\" is not in:\n%s", line, net_show(n));
}

static inline int
net_setup(void **state)
{
	static struct net n;

	net_conf(&n);
	net_start(&n);
	*state = &n;
	return 0;
}

static inline int
net_teardown(void **state)
{
	struct net *n = *state;

	nfv_l3_destroy(n->l3);
	return 0;
}

#define net_test(f) cmocka_unit_test_setup_teardown(f, net_setup, net_teardown)

#endif
