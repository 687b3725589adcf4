#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard.h"
#include "natbox.h"

#define HOST   "10.1.2.3"
#define ROUTER "10.1.0.254"
#define REMOTE "203.0.113.9"
#define HOP    "192.0.2.77"

enum kind { UDP, UDP_PLAIN, TCP, ECHO, KINDS };

/* A packet of 20000 -> 30000, or back; an echo or its reply with identifier 20000. */
static struct nfv_pkt
mk_kind(struct mk *m, enum kind kind, const char *src, const char *dst, bool back)
{
	uint16_t sport = back ? 30000 : 20000, dport = back ? 20000 : 30000;
	struct nfv_pkt p;

	switch (kind) {
	case UDP:
		return mk_udp(m, src, sport, dst, dport, "some payload", 12);
	case UDP_PLAIN:
		p = mk_udp(m, src, sport, dst, dport, "no checksum", 11);
		((struct nfv_udp *)nfv_pkt_l4(&p))->be_csum = 0;
		return p;
	case TCP:
		return mk_tcp(m, src, sport, dst, dport, NFV_TCP_ACK);
	default:
		return mk_icmp(m, src, dst, back ? NFV_ICMP_ECHO_REPLY : NFV_ICMP_ECHO, 0,
			20000u << 16 | 5, "ping ping", 9);
	}
}

static struct nfv_pkt
mk_error(struct mk *m, const char *src, const char *dst, uint8_t type, const void *quote, size_t n)
{
	return mk_icmp(m, src, dst, type, 1, 0, quote, n);
}

static struct box box;

/* Bytes of an IP packet. */
static size_t
ip_len(const struct nfv_pkt *p)
{
	return (size_t)(p->len - p->l3);
}

static uint32_t
be(const char *text)
{
	uint8_t a[16];
	uint32_t v;

	mk_addr(text, a);
	memcpy(&v, a, 4);
	return v;
}

static int
open_box(void **state)
{
	struct nfv_err err;

	(void)state;
	return natbox_open(&box, "nat: {ports: 40000-50000}", &err);
}

static int
close_box(void **state)
{
	(void)state;
	box_close(&box);
	return 0;
}

/* Begin a flow HOST -> REMOTE; gives the packet as it came and as it left. */
static void
begin(enum kind kind, struct mk m[2], struct nfv_pkt p[2])
{
	p[0] = mk_kind(&m[0], kind, HOST, REMOTE, false);
	p[1] = mk_kind(&m[1], kind, HOST, REMOTE, false);
	assert_int_equal(box_send(&box, NFV_OUTWARD, &p[1]), NFV_KEEP);
	assert_int_equal(nfv_pkt_ip4(&p[1])->be_src, be(EXT1));
}

static void
echo_port(struct nfv_pkt *p, const struct nfv_pkt *out)
{
	/* What comes back carries the external port: copy it from the packet that left. */
	uint8_t *to = nfv_pkt_l4(p);
	const uint8_t *from = nfv_pkt_l4(out);

	memcpy(p->proto == NFV_PROTO_ICMP ? to + 4 : to + 2,
		p->proto == NFV_PROTO_ICMP ? from + 4 : from, 2);
	if (p->proto != NFV_PROTO_UDP || ((struct nfv_udp *)to)->be_csum != 0)
		nfv_csum_l4_set(p);
}

/* What the error quotes must become, byte for byte, the packet as its sender had sent it; cut
 * anywhere behind the ports; the frame ends at a page without access. */
static void
quote_inward(void **state)
{
	struct guard g = guard_new();

	(void)state;
	for (int kind = 0; kind < KINDS; kind++) {
		struct mk m[3];
		struct nfv_pkt p[2];

		begin(kind, m, p);
		for (size_t n = NFV_IP4_LEN + 6; n <= ip_len(&p[0]); n++) {
			struct nfv_pkt e = mk_error(
				&m[2], HOP, EXT1, NFV_ICMP_TIME_EXCEEDED, nfv_pkt_ip4(&p[1]), n);

			e.data = guard_tail(&g, e.data, e.len);
			if (n >= NFV_IP4_LEN + 8) {
				assert_int_equal(box_send(&box, NFV_INWARD, &e), NFV_KEEP);
			} else { /* less than the box looks at: as if the runtime knew better */
				assert_int_equal(nfv_pkt_parse(&e), NFV_PARSE_OK);
				assert_int_equal(
					nat_rewrite_quote(p[1].flow, &e, NFV_INWARD), NAT_QUOTE_OK);
				nat_set_dst(&e, be(HOST));
			}
			assert_int_equal(nfv_pkt_parse(&e), NFV_PARSE_OK);
			assert_true(nfv_csum_l4_ok(&e));
			assert_int_equal(nfv_pkt_ip4(&e)->be_src, be(HOP));
			assert_int_equal(nfv_pkt_ip4(&e)->be_dst, be(HOST));
			assert_memory_equal((uint8_t *)nfv_pkt_l4(&e) + NFV_ICMP_LEN,
				nfv_pkt_ip4(&p[0]), n & ~(size_t)1); /* half a checksum is none */
		}
	}
	guard_free(&g);
}

/* Inside hosts and routers report on packets that came in. */
static void
quote_outward(void **state)
{
	static const char *const reporter[][2] = { { HOST, EXT1 }, { ROUTER, EXT1 },
		{ "10.0.0.1", EXT1 }, { EXT2, EXT2 } };

	(void)state;
	for (int kind = 0; kind < KINDS; kind++) {
		struct mk m[4];
		struct nfv_pkt p[2], in[2];

		begin(kind, m, p);
		in[0] = mk_kind(&m[0], kind, REMOTE, EXT1, true);
		echo_port(&in[0], &p[1]);
		m[2] = m[0];
		in[1] = in[0];
		in[1].data = m[2].bytes + MK_HEADROOM;
		assert_int_equal(box_send(&box, NFV_INWARD, &in[1]), NFV_KEEP);
		assert_int_equal(nfv_pkt_ip4(&in[1])->be_dst, be(HOST));
		for (int r = 0; r < 4; r++) {
			for (size_t n = NFV_IP4_LEN + 8; n <= ip_len(&in[0]); n++) {
				struct nfv_pkt e = mk_error(&m[3], reporter[r][0], REMOTE,
					NFV_ICMP_UNREACHABLE, nfv_pkt_ip4(&in[1]), n);

				assert_int_equal(box_send(&box, NFV_OUTWARD, &e), NFV_KEEP);
				assert_int_equal(nfv_pkt_parse(&e), NFV_PARSE_OK);
				assert_true(nfv_csum_l4_ok(&e));
				assert_int_equal(nfv_pkt_ip4(&e)->be_src, be(reporter[r][1]));
				assert_int_equal(nfv_pkt_ip4(&e)->be_dst, be(REMOTE));
				assert_memory_equal((uint8_t *)nfv_pkt_l4(&e) + NFV_ICMP_LEN,
					nfv_pkt_ip4(&in[0]), n & ~(size_t)1);
			}
		}
	}
}

/* A quoted header with options: the transport header stands further back (RFC 5508 REQ-3 b). */
static void
quoted_options(void **state)
{
	struct mk m[3];
	struct nfv_pkt p[2], e;
	uint8_t quote[128];
	struct nfv_ip4 *ip = (struct nfv_ip4 *)quote;

	(void)state;
	begin(TCP, m, p);
	memcpy(quote, nfv_pkt_ip4(&p[1]), NFV_IP4_LEN);
	memset(quote + NFV_IP4_LEN, 1, 4);
	memcpy(quote + NFV_IP4_LEN + 4, nfv_pkt_l4(&p[1]), NFV_TCP_LEN);
	ip->version_ihl = 0x46;
	nfv_csum_ip4_set(ip);
	e = mk_error(&m[2], HOP, EXT1, NFV_ICMP_PARAMETER, quote, 24 + NFV_TCP_LEN);
	assert_int_equal(box_send(&box, NFV_INWARD, &e), NFV_KEEP);
	assert_true(nfv_csum_l4_ok(&e));
	assert_memory_equal(
		(uint8_t *)nfv_pkt_l4(&e) + NFV_ICMP_LEN + 24, nfv_pkt_l4(&p[0]), NFV_TCP_LEN);
	ip = (struct nfv_ip4 *)((uint8_t *)nfv_pkt_l4(&e) + NFV_ICMP_LEN);
	assert_int_equal(ip->be_src, be(HOST));
	assert_int_equal(nfv_csum(ip, 24), 0);
}

/* Each row breaks one byte of an error about HOST's packet, seen from the error's start, with (or
 * without) the checksums mended, and names what must come of it. */
static void
broken_quotes(void **state)
{
	enum { Q = NFV_ICMP_LEN };
	static const struct {
		size_t len; /* of the quote */
		int at;
		uint8_t value;
		bool mend_ip, mend_icmp;
		enum nat_quote why;
	} t[] = {
		{ 28, 0, 3, true, true, NAT_QUOTE_OK },
		{ 28, 1, 99, true, false, NAT_QUOTE_CHECKSUM },
		{ 28, Q + 8, 99, false, true, NAT_QUOTE_CHECKSUM },
		{ 0, 0, 3, false, true, NAT_QUOTE_SHORT },
		{ 19, 0, 3, false, true, NAT_QUOTE_SHORT },
		{ 20, 0, 3, false, true, NAT_QUOTE_SHORT },
		{ 25, 0, 3, false, true, NAT_QUOTE_SHORT }, { 26, 0, 3, false, true, NAT_QUOTE_OK },
		{ 28, Q, 0x4f, false, true, NAT_QUOTE_SHORT },
		{ 28, Q, 0x44, false, true, NAT_QUOTE_OTHER },
		{ 28, Q, 0x65, false, true, NAT_QUOTE_OTHER },
		{ 28, Q + 7, 9, true, true, NAT_QUOTE_OTHER },   /* a later fragment */
		{ 28, Q + 9, 47, true, true, NAT_QUOTE_OTHER },  /* another protocol */
		{ 28, Q + 9, 1, true, true, NAT_QUOTE_OTHER },   /* quotes an error */
		{ 28, Q + 12, 99, true, true, NAT_QUOTE_OTHER }, /* another source */
		{ 28, Q + 20, 99, true, true, NAT_QUOTE_OTHER }, /* another port */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct guard g = guard_new();
		struct mk m[4];
		struct nfv_pkt p[2], e, before;
		struct nfv_ip4 *ip;

		begin(UDP, m, p);
		e = mk_error(&m[2], HOP, EXT1, NFV_ICMP_UNREACHABLE, nfv_pkt_ip4(&p[1]), t[i].len);
		e.data = guard_tail(&g, e.data, e.len);
		((uint8_t *)nfv_pkt_l4(&e))[t[i].at] = t[i].value;
		ip = (struct nfv_ip4 *)((uint8_t *)nfv_pkt_l4(&e) + Q);
		if (t[i].mend_ip)
			nfv_csum_ip4_set(ip);
		if (t[i].mend_icmp)
			nfv_csum_l4_set(&e);
		before = e;
		memcpy(&m[3], e.data, e.len);
		assert_int_equal(nat_rewrite_quote(p[1].flow, &e, NFV_INWARD), t[i].why);
		if (t[i].why != NAT_QUOTE_OK)
			assert_memory_equal(e.data, &m[3], before.len);
		guard_free(&g);
	}
}

static void
errors_about_nothing(void **state)
{
	struct mk m[3];
	struct nfv_pkt p[2], e;

	(void)state;
	begin(UDP, m, p);
	/* No such flow: outward it would leak, inward it is not for us to judge. */
	p[0] = mk_udp(&m[0], REMOTE, 1, HOST, 2, "x", 1);
	e = mk_error(&m[2], HOST, REMOTE, NFV_ICMP_UNREACHABLE, nfv_pkt_ip4(&p[0]), 28);
	assert_int_equal(box_send(&box, NFV_OUTWARD, &e), NFV_DROP(NAT_DROP_ICMP_UNRELATED));
	e = mk_error(&m[2], EXT1, REMOTE, NFV_ICMP_UNREACHABLE, nfv_pkt_ip4(&p[0]), 28);
	assert_int_equal(box_send(&box, NFV_OUTWARD, &e), NFV_KEEP); /* the chain's own */
	p[0] = mk_udp(&m[0], EXT1, 1, REMOTE, 2, "x", 1);
	e = mk_error(&m[2], HOP, EXT1, NFV_ICMP_UNREACHABLE, nfv_pkt_ip4(&p[0]), 28);
	assert_int_equal(box_send(&box, NFV_INWARD, &e), NFV_KEEP);
	assert_int_equal(nfv_pkt_ip4(&e)->be_dst, be(EXT1));
	/* A flow's quote sent to somebody else. */
	e = mk_error(&m[2], HOP, EXT2, NFV_ICMP_UNREACHABLE, nfv_pkt_ip4(&p[1]), 28);
	assert_int_equal(box_send(&box, NFV_INWARD, &e), NFV_DROP(NAT_DROP_ICMP_UNRELATED));
	/* Broken ones keep their own reasons. */
	e = mk_error(&m[2], HOP, EXT1, NFV_ICMP_UNREACHABLE, nfv_pkt_ip4(&p[1]), 28);
	((struct nfv_icmp *)nfv_pkt_l4(&e))->be_csum ^= 1;
	assert_int_equal(box_send(&box, NFV_INWARD, &e), NFV_DROP(NAT_DROP_ICMP_CHECKSUM));
	/* Errors do not end what they are about (RFC 4787 REQ-12, 5382 REQ-10, 5508 REQ-6). */
	assert_int_equal(nat_table_used(natbox_nat(&box)->table), 1);
}

/* A flow that came in routed: its errors go out as they are. */
static void
errors_of_untranslated_flows(void **state)
{
	struct mk m[2];
	struct nfv_pkt p = mk_udp(&m[0], REMOTE, 1, HOST, 2, "x", 1), e;

	(void)state;
	assert_int_equal(box_send(&box, NFV_INWARD, &p), NFV_KEEP);
	e = mk_error(&m[1], HOST, REMOTE, NFV_ICMP_UNREACHABLE, nfv_pkt_ip4(&p), 28);
	assert_int_equal(box_send(&box, NFV_OUTWARD, &e), NFV_KEEP);
	assert_int_equal(nfv_pkt_ip4(&e)->be_src, be(HOST));
	assert_true(nfv_csum_l4_ok(&e));
}

/* Packets of every kind with bytes changed, both ways, at a page without access: what was right
 * comes out right, and nothing is held at the end. */
static void
noise(void **state)
{
	struct guard g = guard_new();
	struct mk m[3];
	struct nfv_pkt p[2], e;

	(void)state;
	srand(5);
	for (int round = 0; round < 30000; round++) {
		int kind = rand() % (KINDS + 2), changes = rand() % 4;
		bool out = rand() % 2, right;

		if (kind < KINDS) {
			e = mk_kind(&m[0], (enum kind)kind, out ? HOST : REMOTE,
				out ? REMOTE : EXT1, !out);
		} else {
			begin((enum kind)(rand() % KINDS), m, p);
			e = mk_error(&m[2], out ? HOST : HOP, out ? REMOTE : EXT1,
				NFV_ICMP_UNREACHABLE, nfv_pkt_ip4(&p[kind - KINDS]),
				(size_t)rand() % (ip_len(&p[0]) + 1));
		}
		for (int i = 0; i < changes; i++)
			e.data[e.l3 + rand() % (e.len - e.l3)] = (uint8_t)rand();
		if (rand() % 4 != 0)
			nfv_csum_ip4_set(nfv_pkt_ip4(&e));
		e.data = guard_tail(&g, e.data, e.len);
		if (nfv_pkt_parse(&e) != NFV_PARSE_OK || (e.flags & NFV_PKT_FRAGMENT))
			continue;
		if (rand() % 2)
			nfv_csum_l4_set(&e);
		right = nfv_csum_l4_ok(&e);
		if (box_send(&box, out ? NFV_OUTWARD : NFV_INWARD, &e) == NFV_KEEP) {
			assert_int_equal(nfv_pkt_parse(&e), NFV_PARSE_OK);
			assert_int_equal(nfv_csum_l4_ok(&e), right);
		}
		if (round % 64 == 0)
			box_end_all(&box);
	}
	box_end_all(&box);
	assert_int_equal(nat_table_used(natbox_nat(&box)->table), 0);
	guard_free(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(quote_inward, open_box, close_box),
		cmocka_unit_test_setup_teardown(quote_outward, open_box, close_box),
		cmocka_unit_test_setup_teardown(quoted_options, open_box, close_box),
		cmocka_unit_test_setup_teardown(broken_quotes, open_box, close_box),
		cmocka_unit_test_setup_teardown(errors_about_nothing, open_box, close_box),
		cmocka_unit_test_setup_teardown(errors_of_untranslated_flows, open_box, close_box),
		cmocka_unit_test_setup_teardown(noise, open_box, close_box),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
