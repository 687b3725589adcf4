#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mkpkt.h"
#include "relay.h"

#define HZ      1000000000ull
#define OWN_IN  "10.1.0.1"
#define OWN_OUT "10.2.0.1"
#define ANN     "10.1.0.5"     /* inside */
#define BOB     "198.51.100.9" /* outside */
#define BASE    3

enum { A, B };

static struct bed {
	struct nfv_pkt p;
	struct nfv_out out;
	struct mk m, made[4];
	struct sip_relay *r;
	struct nfv_pages pages;
	uint64_t now;
	uint32_t id;
	uint16_t port[2];
} bed;

static struct nfv_endpoint
ep(const char *text)
{
	struct nfv_endpoint e = { .port = 0 };

	if (text != NULL)
		assert_int_equal(nfv_endpoint_parse(nfv_sv_str(text), &e), 0);
	return e;
}

static struct nfv_addr
addr(const char *text)
{
	struct nfv_addr a = { .family = NFV_NO_ADDR };

	assert_int_equal(nfv_addr_parse(nfv_sv_str(text), &a), 0);
	return a;
}

static void
begin(uint16_t lo, uint16_t hi, uint32_t streams, bool any)
{
	struct sip_relay_conf conf = { .lo = lo,
		.hi = hi,
		.streams = streams,
		.any = any,
		.drops = BASE,
		.seed = 5,
		.tsc_hz = HZ };
	struct nfv_err err;

	memset(&bed, 0, sizeof(bed));
	bed.now = 1000 * HZ;
	bed.pages = nfv_pages_alloc(sip_relay_pages(&conf));
	assert_int_equal(sip_relay_create(&conf, &bed.pages, &bed.r, &err), 0);
}

static void
place(unsigned int side, const char *own, enum nfv_dir dir)
{
	struct nfv_addr a = addr(own);

	sip_relay_place(bed.r, bed.id, side, &a, dir);
}

static void
announce(unsigned int side, const char *rtp, const char *rtcp, const char *signalling)
{
	struct nfv_endpoint e[2] = { ep(rtp), ep(rtcp) };
	struct nfv_addr a = addr(signalling);

	sip_relay_announce(bed.r, bed.id, side, e, &a, 0);
}

/* Ann inside, Bob outside, both with what their SDP says. */
static void
call(bool any)
{
	begin(20000, 20063, 8, any);
	bed.id = sip_relay_open(bed.r);
	assert_int_not_equal(bed.id, 0);
	for (unsigned int i = 0; i < 2; i++)
		bed.port[i] = sip_relay_stream(bed.r, bed.id)->side[i].port;
	place(A, OWN_IN, NFV_INWARD);
	place(B, OWN_OUT, NFV_OUTWARD);
	announce(A, ANN ":4000", ANN ":4001", ANN);
	announce(B, BOB ":5000", BOB ":5001", "198.51.100.10");
}

static void
end(void)
{
	sip_relay_destroy(bed.r);
	nfv_pages_free(&bed.pages);
}

static void
make(const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	static const uint8_t rtp[33] = { 0x80, 0, 0, 1, [32] = 7 };

	bed.p = mk_udp(&bed.m, src, sport, dst, dport, rtp, sizeof(rtp));
	assert_int_equal(nfv_pkt_parse(&bed.p), NFV_PARSE_OK);
}

static bool
pass(enum nfv_dir dir)
{
	mk_out(&bed.out, bed.made, 4);
	bed.p.verdict = NFV_KEEP;
	return sip_relay(bed.r, &bed.p, dir, bed.now, &bed.out);
}

/* Whether `p` is a good packet between these two, with the payload it had. */
static void
is(struct nfv_pkt *p, const char *src, const char *dst)
{
	char text[NFV_ADDR_TEXT];
	struct nfv_endpoint e;
	const struct nfv_udp *udp;

	assert_int_equal(nfv_pkt_parse_ip(p), NFV_PARSE_OK);
	assert_true(nfv_csum_l4_ok(p));
	udp = nfv_pkt_l4(p);
	assert_int_equal(be16toh(udp->be_len), NFV_UDP_LEN + 33);
	assert_int_equal(nfv_pkt_l4_len(p), NFV_UDP_LEN + 33);
	assert_int_equal(((const uint8_t *)(udp + 1))[32], 7);
	e = (struct nfv_endpoint){ p->family == 4 ? nfv_addr4(nfv_pkt_ip4(p)->be_src) :
						    nfv_addr6(nfv_pkt_ip6(p)->src),
		be16toh(udp->be_sport) };
	assert_string_equal(nfv_endpoint_text(&e, text), src);
	e = (struct nfv_endpoint){ p->family == 4 ? nfv_addr4(nfv_pkt_ip4(p)->be_dst) :
						    nfv_addr6(nfv_pkt_ip6(p)->dst),
		be16toh(udp->be_dport) };
	assert_string_equal(nfv_endpoint_text(&e, text), dst);
}

static char text_a[64], text_b[64];

static const char *
own(const char *host, unsigned int side, unsigned int rtcp)
{
	char *to = side == A ? text_a : text_b;

	snprintf(to, sizeof(text_a), "%s:%u", host, bed.port[side] + rtcp);
	return to;
}

/* The packet on its way from `src` must have been relayed to `dst`, from the other side. */
static void
relayed(enum nfv_dir dir, const char *from, const char *to)
{
	assert_true(pass(dir));
	assert_int_equal(bed.p.verdict, NFV_KEEP);
	assert_true(bed.p.flags & NFV_PKT_OWN);
	is(&bed.p, from, to);
}

static void
dropped(enum nfv_dir dir, enum sip_relay_drop why)
{
	assert_true(pass(dir));
	assert_int_equal(bed.p.verdict, NFV_DROP(BASE + why));
	assert_int_equal(bed.out.n, 0);
}

static void
both_ways(void **state)
{
	(void)state;
	call(false);
	make(ANN, 4000, OWN_IN, bed.port[A]);
	nfv_pkt_ip4(&bed.p)->tos = 0xb8;
	nfv_csum_ip4_set(nfv_pkt_ip4(&bed.p));
	relayed(NFV_OUTWARD, own(OWN_OUT, B, 0), BOB ":5000");
	assert_int_equal(nfv_pkt_ip4(&bed.p)->tos, 0xb8);
	assert_int_equal(nfv_pkt_ip4(&bed.p)->ttl, 63);
	make(BOB, 5000, OWN_OUT, bed.port[B]);
	relayed(NFV_INWARD, own(OWN_IN, A, 0), ANN ":4000");
	make(BOB, 5001, OWN_OUT, bed.port[B] + 1);
	relayed(NFV_INWARD, own(OWN_IN, A, 1), ANN ":4001");
	assert_int_equal(sip_relay_stats(bed.r)->packets, 3);
	assert_int_equal(sip_relay_stats(bed.r)->octets, 99);
	assert_int_equal(sip_relay_stream(bed.r, bed.id)->side[A].rtp.packets, 1);
	assert_int_equal(sip_relay_stream(bed.r, bed.id)->side[B].rtp.rtcp, 1);
	assert_int_equal(sip_relay_stream(bed.r, bed.id)->heard, bed.now);
	end();
}

static void
not_for_the_relay(void **state)
{
	uint16_t port;

	(void)state;
	call(false);
	make(ANN, 4000, OWN_IN, 19999);
	assert_false(pass(NFV_OUTWARD));
	make(ANN, 4000, OWN_IN, 20064);
	assert_false(pass(NFV_OUTWARD));
	make(ANN, 4000, BOB, bed.port[A]); /* the port, at another's address */
	assert_false(pass(NFV_OUTWARD));
	make(ANN, 4000, OWN_OUT, bed.port[A]);
	assert_false(pass(NFV_OUTWARD));
	bed.p = mk_tcp(&bed.m, ANN, 4000, OWN_IN, bed.port[A], NFV_TCP_SYN);
	assert_int_equal(nfv_pkt_parse(&bed.p), NFV_PARSE_OK);
	assert_false(pass(NFV_OUTWARD));
	/* A port of nobody's. */
	for (port = 20000; port == bed.port[A] || port == bed.port[B]; port += 2)
		;
	make(ANN, 4000, OWN_IN, port);
	assert_false(pass(NFV_OUTWARD));
	sip_relay_close(bed.r, bed.id);
	make(ANN, 4000, OWN_IN, bed.port[A]);
	assert_false(pass(NFV_OUTWARD));
	assert_int_equal(bed.p.verdict, NFV_KEEP);
	end();
}

static void
who_may_send(void **state)
{
	(void)state;
	call(false);
	/* Nobody else, and nobody from the other direction. */
	make("198.51.100.66", 5000, OWN_OUT, bed.port[B]);
	dropped(NFV_INWARD, SIP_RELAY_STRANGER);
	make(BOB, 5000, OWN_OUT, bed.port[B]);
	dropped(NFV_OUTWARD, SIP_RELAY_STRANGER);
	/* Where his signalling comes from: latched, and answered there. */
	make("198.51.100.10", 777, OWN_OUT, bed.port[B]);
	relayed(NFV_INWARD, own(OWN_IN, A, 0), ANN ":4000");
	make(ANN, 4000, OWN_IN, bed.port[A]);
	relayed(NFV_OUTWARD, own(OWN_OUT, B, 0), "198.51.100.10:777");
	/* The same rank: not while the latched one is heard, */
	bed.now += HZ;
	make("198.51.100.10", 778, OWN_OUT, bed.port[B]);
	dropped(NFV_INWARD, SIP_RELAY_STRANGER);
	bed.now += HZ;
	relayed(NFV_INWARD, own(OWN_IN, A, 0), ANN ":4000");
	/* but a better one takes over at once, and gives way to nobody. */
	make(BOB, 5000, OWN_OUT, bed.port[B]);
	relayed(NFV_INWARD, own(OWN_IN, A, 0), ANN ":4000");
	bed.now += 100 * HZ;
	make("198.51.100.10", 778, OWN_OUT, bed.port[B]);
	dropped(NFV_INWARD, SIP_RELAY_STRANGER);
	make(ANN, 4000, OWN_IN, bed.port[A]);
	relayed(NFV_OUTWARD, own(OWN_OUT, B, 0), BOB ":5000");
	/* The same SDP again changes nothing, another one lets go. */
	announce(B, BOB ":5000", BOB ":5001", "198.51.100.10");
	make("198.51.100.10", 778, OWN_OUT, bed.port[B]);
	dropped(NFV_INWARD, SIP_RELAY_STRANGER);
	announce(B, BOB ":6000", BOB ":6001", "198.51.100.10");
	make(ANN, 4000, OWN_IN, bed.port[A]);
	relayed(NFV_OUTWARD, own(OWN_OUT, B, 0), BOB ":6000");
	make("198.51.100.10", 778, OWN_OUT, bed.port[B]);
	relayed(NFV_INWARD, own(OWN_IN, A, 0), ANN ":4000");
	assert_int_equal(sip_relay_stream(bed.r, bed.id)->side[B].dropped, 5);
	end();
}

static void
anybody(void **state)
{
	(void)state;
	call(true);
	make("198.51.100.66", 1, OWN_OUT, bed.port[B]);
	relayed(NFV_INWARD, own(OWN_IN, A, 0), ANN ":4000");
	bed.now += 100 * HZ;
	make("198.51.100.67", 1, OWN_OUT, bed.port[B]);
	dropped(NFV_INWARD, SIP_RELAY_STRANGER);
	make(BOB, 1, OWN_OUT, bed.port[B]);
	relayed(NFV_INWARD, own(OWN_IN, A, 0), ANN ":4000");
	make("198.51.100.66", 1, OWN_OUT, bed.port[B]);
	dropped(NFV_INWARD, SIP_RELAY_STRANGER);
	end();
}

static void
before_and_on_hold(void **state)
{
	(void)state;
	call(false);
	sip_relay_close(bed.r, bed.id);
	bed.id = sip_relay_open(bed.r);
	for (unsigned int i = 0; i < 2; i++)
		bed.port[i] = sip_relay_stream(bed.r, bed.id)->side[i].port;
	place(A, OWN_IN, NFV_INWARD);
	place(B, OWN_OUT, NFV_OUTWARD);
	announce(A, ANN ":4000", ANN ":4001", ANN);
	make(BOB, 5000, OWN_OUT, bed.port[B]);
	dropped(NFV_INWARD, SIP_RELAY_EARLY);
	make(ANN, 4000, OWN_IN, bed.port[A]);
	dropped(NFV_OUTWARD, SIP_RELAY_NO_TARGET);
	/* No address: where his packets come from. */
	announce(B, NULL, NULL, BOB);
	make(ANN, 4000, OWN_IN, bed.port[A]);
	dropped(NFV_OUTWARD, SIP_RELAY_NO_TARGET);
	struct nfv_endpoint latch[2] = { { .port = 9 }, { .port = 10 } };
	struct nfv_addr bob = addr(BOB);

	sip_relay_announce(bed.r, bed.id, B, latch, &bob, 0);
	make(ANN, 4000, OWN_IN, bed.port[A]);
	dropped(NFV_OUTWARD, SIP_RELAY_NO_TARGET);
	make(BOB, 5123, OWN_OUT, bed.port[B]);
	relayed(NFV_INWARD, own(OWN_IN, A, 0), ANN ":4000");
	make(ANN, 4000, OWN_IN, bed.port[A]);
	relayed(NFV_OUTWARD, own(OWN_OUT, B, 0), BOB ":5123");
	/* On hold he is not sent to, wherever he sends from. */
	announce(B, NULL, NULL, BOB);
	make(BOB, 5123, OWN_OUT, bed.port[B]);
	relayed(NFV_INWARD, own(OWN_IN, A, 0), ANN ":4000");
	make(ANN, 4000, OWN_IN, bed.port[A]);
	dropped(NFV_OUTWARD, SIP_RELAY_NO_TARGET);
	end();
}

static void
between_families(void **state)
{
	uint8_t extended[8 + NFV_UDP_LEN + 33] = { NFV_PROTO_UDP, 0, 1, 4 };
	struct nfv_udp *udp;

	(void)state;
	call(false);
	place(B, "fd00:2::1", NFV_OUTWARD);
	announce(B, "[fd00:9::9]:5000", "[fd00:9::9]:5001", "fd00:9::9");
	make(ANN, 4000, OWN_IN, bed.port[A]);
	nfv_pkt_ip4(&bed.p)->tos = 0xb8;
	nfv_csum_ip4_set(nfv_pkt_ip4(&bed.p));
	snprintf(text_b, sizeof(text_b), "[fd00:2::1]:%u", bed.port[B]);
	relayed(NFV_OUTWARD, text_b, "[fd00:9::9]:5000");
	assert_int_equal(be32toh(nfv_pkt_ip6(&bed.p)->be_vtf), 0x6b800000);
	assert_int_equal(nfv_pkt_ip6(&bed.p)->hops, 63);
	/* Without a checksum on IPv4: on IPv6 there is one. */
	make(ANN, 4000, OWN_IN, bed.port[A]);
	((struct nfv_udp *)nfv_pkt_l4(&bed.p))->be_csum = 0;
	relayed(NFV_OUTWARD, text_b, "[fd00:9::9]:5000");
	assert_int_not_equal(((struct nfv_udp *)nfv_pkt_l4(&bed.p))->be_csum, 0);
	/* Back, with an extension header that stays behind. */
	udp = (struct nfv_udp *)(extended + 8);
	*udp = (struct nfv_udp){ htobe16(5000), htobe16(bed.port[B]), htobe16(NFV_UDP_LEN + 33),
		0 };
	extended[8 + NFV_UDP_LEN] = 0x80;
	extended[sizeof(extended) - 1] = 7;
	bed.p = mk_ip(
		&bed.m, "fd00:9::9", "fd00:2::1", NFV_PROTO_DSTOPTS, extended, sizeof(extended));
	assert_int_equal(nfv_pkt_parse(&bed.p), NFV_PARSE_OK);
	assert_int_equal(bed.p.proto, NFV_PROTO_UDP);
	nfv_csum_l4_set(&bed.p);
	relayed(NFV_INWARD, own(OWN_IN, A, 0), ANN ":4000");
	assert_int_equal(bed.p.len, NFV_ETH_LEN + NFV_IP4_LEN + NFV_UDP_LEN + 33);
	assert_int_equal(be16toh(((struct nfv_eth *)bed.p.data)->be_type), NFV_ETH_IP4);
	/* IPv6 without one is not taken. */
	bed.p = mk_udp(&bed.m, "fd00:9::9", 5000, "fd00:2::1", bed.port[B], "\x80           ", 12);
	assert_int_equal(nfv_pkt_parse(&bed.p), NFV_PARSE_OK);
	((struct nfv_udp *)nfv_pkt_l4(&bed.p))->be_csum = 0;
	dropped(NFV_INWARD, SIP_RELAY_MALFORMED);
	end();
}

static void
hostile(void **state)
{
	(void)state;
	call(false);
	/* A wrong checksum stays wrong, none stays none. */
	make(ANN, 4000, OWN_IN, bed.port[A]);
	((struct nfv_udp *)nfv_pkt_l4(&bed.p))->be_csum ^= htobe16(0x1234);
	assert_true(pass(NFV_OUTWARD));
	assert_int_equal(nfv_pkt_parse_ip(&bed.p), NFV_PARSE_OK);
	assert_false(nfv_csum_l4_ok(&bed.p));
	make(ANN, 4000, OWN_IN, bed.port[A]);
	((struct nfv_udp *)nfv_pkt_l4(&bed.p))->be_csum = 0;
	relayed(NFV_OUTWARD, own(OWN_OUT, B, 0), BOB ":5000");
	assert_int_equal(((struct nfv_udp *)nfv_pkt_l4(&bed.p))->be_csum, 0);
	/* The last hop. */
	make(ANN, 4000, OWN_IN, bed.port[A]);
	nfv_pkt_ip4(&bed.p)->ttl = 1;
	dropped(NFV_OUTWARD, SIP_RELAY_HOPS);
	/* RTP that is cut off; no payload at all. */
	bed.p = mk_udp(&bed.m, ANN, 4000, OWN_IN, bed.port[A], "\x80\0\0\0", 4);
	nfv_pkt_parse(&bed.p);
	dropped(NFV_OUTWARD, SIP_RELAY_MALFORMED);
	bed.p = mk_udp(&bed.m, ANN, 4000, OWN_IN, bed.port[A], "", 0);
	nfv_pkt_parse(&bed.p);
	assert_true(pass(NFV_OUTWARD));
	assert_int_equal(bed.p.verdict, NFV_KEEP);
	/* From port 0 nothing can be answered. */
	make(ANN, 0, OWN_IN, bed.port[A]);
	dropped(NFV_OUTWARD, SIP_RELAY_STRANGER);
	/* Bytes behind the datagram's end do not travel. */
	make(ANN, 4000, OWN_IN, bed.port[A]);
	((struct nfv_udp *)nfv_pkt_l4(&bed.p))->be_len = htobe16(NFV_UDP_LEN + 12);
	assert_true(pass(NFV_OUTWARD));
	assert_int_equal(bed.p.len, NFV_ETH_LEN + NFV_IP4_LEN + NFV_UDP_LEN + 12);
	end();
}

/* Two parties on one side: the packet turns back, in a buffer of its own. */
static void
turns_back(void **state)
{
	(void)state;
	call(false);
	place(B, OWN_IN, NFV_INWARD);
	announce(B, "10.1.0.6:5000", "10.1.0.6:5001", "10.1.0.6");
	make(ANN, 4000, OWN_IN, bed.port[A]);
	assert_true(pass(NFV_OUTWARD));
	assert_int_equal(bed.p.verdict, NFV_CONSUMED);
	assert_int_equal(bed.out.n, 1);
	assert_int_equal(bed.out.dir[0], NFV_INWARD);
	is(&bed.out.pkt[0], own(OWN_IN, B, 0), "10.1.0.6:5000");
	/* No buffer: the runtime is told. */
	make(ANN, 4000, OWN_IN, bed.port[A]);
	mk_out(&bed.out, bed.made, 0);
	assert_true(sip_relay(bed.r, &bed.p, NFV_OUTWARD, bed.now, &bed.out));
	assert_int_equal(bed.p.verdict, NFV_CONSUMED);
	assert_int_equal(bed.out.starved, 1);
	end();
}

/* Ports come in pairs, no two streams share one, each comes back, and not at once. */
static void
ports(void **state)
{
	enum { PAIRS = 16 };
	bool used[64] = { false };
	uint32_t id[PAIRS];
	struct nfv_err err;
	uint16_t first;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		static const uint16_t bad[4][2] = { { 20001, 20064 }, { 20000, 20062 },
			{ 20010, 20001 }, { 1000, 2001 } };
		struct sip_relay_conf conf = { .lo = bad[i][0], .hi = bad[i][1], .streams = 1 };

		assert_int_equal(sip_relay_create(&conf, &bed.pages, &bed.r, &err), -EINVAL);
	}
	begin(20000, 20063, 20, false);
	for (unsigned int i = 0; i < PAIRS; i++) {
		id[i] = sip_relay_open(bed.r);
		assert_int_not_equal(id[i], 0);
		for (unsigned int s = 0; s < 2; s++) {
			uint16_t p = sip_relay_stream(bed.r, id[i])->side[s].port;

			assert_int_equal(p % 2, 0);
			assert_in_range(p, 20000, 20062);
			assert_false(used[p - 20000]);
			used[p - 20000] = true;
		}
	}
	assert_int_equal(sip_relay_open(bed.r), 0);
	assert_int_equal(sip_relay_stats(bed.r)->refused, 1);
	first = sip_relay_stream(bed.r, id[3])->side[0].port;
	sip_relay_close(bed.r, id[3]);
	sip_relay_close(bed.r, id[3]);
	sip_relay_close(bed.r, 0);
	sip_relay_close(bed.r, id[5]);
	id[5] = sip_relay_open(bed.r);
	assert_int_equal(sip_relay_stream(bed.r, id[5])->side[0].port, first);
	assert_int_equal(sip_relay_stats(bed.r)->open, PAIRS - 1);
	end();
}

static void
shows(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	call(false);
	make(BOB, 5000, OWN_OUT, bed.port[B]);
	pass(NFV_INWARD);
	sip_relay_show(bed.r, to, 5);
	fclose(to);
	assert_non_null(strstr(text, "streams 1 of 8, ports free 60"));
	assert_non_null(strstr(text, "<- " BOB ":5000 rank 3: packets 1 octets 21"));
	free(text);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(not_for_the_relay),
		cmocka_unit_test(who_may_send),
		cmocka_unit_test(anybody),
		cmocka_unit_test(before_and_on_hold),
		cmocka_unit_test(between_families),
		cmocka_unit_test(hostile),
		cmocka_unit_test(turns_back),
		cmocka_unit_test(ports),
		cmocka_unit_test(shows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
