#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard.h"
#include "mkpkt.h"

static void
good_packets(void **state)
{
	struct mk m;
	struct nfv_pkt p = mk_udp(&m, "10.0.0.1", 1, "10.0.0.2", 2, "hello", 5);

	(void)state;
	p.len += 13; /* Ethernet padding */
	p.tailroom -= 13;
	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
	assert_int_equal(p.len, NFV_ETH_LEN + NFV_IP4_LEN + NFV_UDP_LEN + 5);
	assert_int_equal(p.len + p.tailroom, MK_ROOM);
	assert_int_equal(p.l4, NFV_ETH_LEN + NFV_IP4_LEN);
	assert_int_equal(p.proto, NFV_PROTO_UDP);
	p = mk_tcp(&m, "fd00::1", 1, "fd00::2", 2, NFV_TCP_SYN);
	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
	assert_int_equal(p.family, 6);
	assert_int_equal(p.l4, NFV_ETH_LEN + NFV_IP6_LEN);
}

/* Each row breaks one byte or word of a good packet and names what must be found. */
static void
lying_headers(void **state)
{
	static const struct {
		int at; /* from the frame's start */
		uint8_t value;
		bool fix_csum;
		enum nfv_parse why;
	} t[] = {
		{ 12, 0x81, false, NFV_PARSE_ETHERTYPE }, { 14, 0x65, true, NFV_PARSE_IP_VERSION },
		{ 14, 0x44, true, NFV_PARSE_IP_HEADER }, { 14, 0x4f, false, NFV_PARSE_IP_HEADER },
		{ 16, 0xff, true, NFV_PARSE_IP_LENGTH }, { 17, 19, true, NFV_PARSE_IP_HEADER },
		{ 24, 0xaa, false, NFV_PARSE_IP_CHECKSUM }, { 26, 127, true, NFV_PARSE_IP_ADDRESS },
		{ 26, 224, true, NFV_PARSE_IP_ADDRESS }, { 26, 0, true, NFV_PARSE_IP_ADDRESS },
		{ 38, 0xff, false, NFV_PARSE_UDP_LENGTH }, { 39, 7, false, NFV_PARSE_UDP_LENGTH },
		{ 17, 27, true, NFV_PARSE_L4_TRUNCATED },
		{ 20, 0x20, true, NFV_PARSE_OK }, /* a first fragment */
		{ 21, 0x01, true, NFV_PARSE_OK }, /* a later one */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct mk m;
		struct nfv_pkt p = mk_udp(&m, "10.0.0.1", 1, "10.0.0.2", 2, "hello", 5);

		p.data[t[i].at] = t[i].value;
		if (t[i].fix_csum) {
			nfv_pkt_ip4(&p)->be_csum = 0;
			nfv_pkt_ip4(&p)->be_csum = nfv_csum(nfv_pkt_ip4(&p),
				nfv_ip4_hlen(nfv_pkt_ip4(&p)) < 20 ? 20 :
								     nfv_ip4_hlen(nfv_pkt_ip4(&p)));
		}
		assert_int_equal(nfv_pkt_parse(&p), t[i].why);
	}
}

static void
fragments(void **state)
{
	struct mk m;
	struct nfv_pkt p = mk_tcp(&m, "10.0.0.1", 1, "10.0.0.2", 2, NFV_TCP_SYN);

	(void)state;
	nfv_pkt_ip4(&p)->be_frag = htobe16(1); /* RFC 3128: would overwrite the TCP flags */
	nfv_csum_ip4_set(nfv_pkt_ip4(&p));
	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_FRAGMENT_TINY);
	p = mk_ip(&m, "10.0.0.1", "10.0.0.2", NFV_PROTO_TCP, "12345678", 8);
	nfv_pkt_ip4(&p)->be_frag = htobe16(NFV_IP4_MF);
	nfv_csum_ip4_set(nfv_pkt_ip4(&p));
	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_FRAGMENT_TINY);
	p = mk_ip(&m, "10.0.0.1", "10.0.0.2", NFV_PROTO_UDP, "12345678", 8);
	nfv_pkt_ip4(&p)->be_frag = htobe16(100);
	nfv_csum_ip4_set(nfv_pkt_ip4(&p));
	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
	assert_true(p.flags & NFV_PKT_FRAGMENT);
	nfv_pkt_ip4(&p)->be_frag = htobe16(NFV_IP4_OFFSET); /* the ping of death */
	nfv_csum_ip4_set(nfv_pkt_ip4(&p));
	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_FRAGMENT_TINY);
}

static void
ip6_extensions(void **state)
{
	uint8_t l4[8 + 8 + NFV_UDP_LEN] = { [0] = NFV_PROTO_DSTOPTS, [8] = NFV_PROTO_UDP };
	uint8_t frag[8 + NFV_UDP_LEN] = { NFV_PROTO_UDP, 0, 0, 1 };
	struct mk m;
	struct nfv_pkt p;

	(void)state;
	l4[16 + 5] = NFV_UDP_LEN;
	p = mk_ip(&m, "fd00::1", "fd00::2", NFV_PROTO_HOPOPTS, l4, sizeof(l4));
	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
	assert_int_equal(p.proto, NFV_PROTO_UDP);
	assert_int_equal(p.l4, NFV_ETH_LEN + NFV_IP6_LEN + 16);
	l4[9] = 200; /* the second header claims more than there is */
	p = mk_ip(&m, "fd00::1", "fd00::2", NFV_PROTO_HOPOPTS, l4, sizeof(l4));
	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_EXTENSION);
	p = mk_ip(&m, "fd00::1", "fd00::2", NFV_PROTO_ROUTING, "\x11\0\0\0\0\0\0\0", 8);
	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_EXTENSION);
	frag[8 + 5] = NFV_UDP_LEN;
	p = mk_ip(&m, "fd00::1", "fd00::2", NFV_PROTO_FRAGMENT, frag, sizeof(frag));
	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
	assert_true(p.flags & NFV_PKT_FRAGMENT);
	assert_int_equal(p.proto, NFV_PROTO_UDP);
}

static void
source_route_is_refused(void **state)
{
	static const struct {
		uint8_t opt[4];
		enum nfv_parse why;
	} t[] = {
		{ { 1, 1, 1, 0 }, NFV_PARSE_OK },
		{ { 131, 3, 4, 0 }, NFV_PARSE_IP_OPTIONS },
		{ { 137, 3, 4, 0 }, NFV_PARSE_IP_OPTIONS },
		{ { 7, 9, 4, 0 }, NFV_PARSE_IP_OPTIONS },
		{ { 7, 0, 0, 0 }, NFV_PARSE_IP_OPTIONS },
		{ { 1, 1, 1, 7 }, NFV_PARSE_IP_OPTIONS },
		{ { 148, 4, 0, 0 }, NFV_PARSE_OK },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct mk m;
		struct nfv_pkt p = mk_empty(&m);
		uint8_t src[4] = { 10, 0, 0, 1 }, dst[4] = { 10, 0, 0, 2 };

		((struct nfv_eth *)p.data)->be_type = htobe16(NFV_ETH_IP4);
		assert_true(nfv_pkt_ip_header(&p, 4, src, dst, 200, 4 + 8));
		memcpy(nfv_pkt_l4(&p), t[i].opt, 4);
		nfv_pkt_ip4(&p)->version_ihl = 0x46;
		nfv_csum_ip4_set(nfv_pkt_ip4(&p));
		assert_int_equal(nfv_pkt_parse(&p), t[i].why);
	}
}

static unsigned int
l4_least(uint8_t proto)
{
	switch (proto) {
	case NFV_PROTO_TCP:
		return NFV_TCP_LEN;
	case NFV_PROTO_ICMP:
		return NFV_ICMP_LEN;
	case NFV_PROTO_SCTP:
		return NFV_SCTP_LEN;
	default:
		return UINT16_MAX; /* UDP's own length field gives the cut away */
	}
}

/* Every prefix of every kind of packet, ending at a page without access. */
static void
every_prefix_stays_inside(void **state)
{
	uint8_t ext[8 + 8 + NFV_UDP_LEN] = {
		[0] = NFV_PROTO_DSTOPTS, [8] = NFV_PROTO_UDP, [16 + 5] = NFV_UDP_LEN
	};
	struct guard g = guard_new();
	struct nfv_pkt p[6];
	struct mk m[6];

	(void)state;
	p[5] = mk_ip(&m[5], "10.0.0.1", "10.0.0.2", NFV_PROTO_SCTP, "twelve bytes", 12);
	p[0] = mk_udp(&m[0], "10.0.0.1", 1, "10.0.0.2", 2, "hello", 5);
	p[1] = mk_tcp(&m[1], "10.0.0.1", 1, "10.0.0.2", 2, NFV_TCP_SYN);
	p[2] = mk_udp(&m[2], "fd00::1", 1, "fd00::2", 2, "hello", 5);
	p[3] = mk_icmp(&m[3], "10.0.0.1", "10.0.0.2", NFV_ICMP_ECHO, 0, 1, "x", 1);
	p[4] = mk_ip(&m[4], "fd00::1", "fd00::2", NFV_PROTO_HOPOPTS, ext, sizeof(ext));
	for (int i = 0; i < 6; i++) {
		for (uint16_t n = 0; n <= p[i].len; n++) {
			struct nfv_pkt cut = { .data = guard_tail(&g, p[i].data, n), .len = n };
			enum nfv_parse why = nfv_pkt_parse(&cut);

			assert_int_equal(why == NFV_PARSE_OK, n == p[i].len);
			/* The same, with lengths that agree to have been cut. */
			if (n >= NFV_ETH_LEN + NFV_IP4_LEN && p[i].family == 4) {
				struct nfv_ip4 *ip = (struct nfv_ip4 *)(cut.data + NFV_ETH_LEN);

				ip->be_len = htobe16((uint16_t)(n - NFV_ETH_LEN));
				nfv_csum_ip4_set(ip);
				cut.len = n;
				why = nfv_pkt_parse(&cut);
				assert_int_equal(why == NFV_PARSE_OK && p[i].proto != NFV_PROTO_UDP,
					n >= p[i].l4 + l4_least(p[i].proto));
			}
		}
	}
	guard_free(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_packets),
		cmocka_unit_test(lying_headers),
		cmocka_unit_test(fragments),
		cmocka_unit_test(ip6_extensions),
		cmocka_unit_test(source_route_is_refused),
		cmocka_unit_test(every_prefix_stays_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
