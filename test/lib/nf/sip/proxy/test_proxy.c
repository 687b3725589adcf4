#define _GNU_SOURCE /* memmem */
/* The proxy as a function: a datagram and its addresses in, bytes and addresses out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proxy.h"
#include "sip_world.h"

#define O NFV_OUTWARD
#define I NFV_INWARD

#define FROM "From: <sip:ann@example.org>;tag=1\r\n"
#define TO   "To: <sip:bob@example.org>\r\n"
#define ID   "Call-ID: c1\r\n"
#define MF   "Max-Forwards: 70\r\n"
#define MF1  "Max-Forwards: 69\r\n"
#define END  "Content-Length: 0\r\n\r\n"
#define REQ(method, uri, extra)                                                                    \
	method " " uri " SIP/2.0\r\n" VIA extra FROM TO ID "CSeq: 1 " method "\r\n" MF END
#define FWD(method, uri, top, via, extra)                                                          \
	method " " uri " SIP/2.0\r\n" top via extra FROM TO ID "CSeq: 1 " method "\r\n" MF1 END
#define VIA     "Via: SIP/2.0/UDP 10.0.0.9:5062;branch=z9hG4bKa\r\n"
#define RR4     "Record-Route: <sip:198.51.100.1:5060;lr>\r\nRecord-Route: <sip:10.0.0.1:5060;lr>\r\n"
#define TOP_OUT "Via: SIP/2.0/UDP 198.51.100.1:5060;branch=#\r\n"
#define TOP_IN  "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=#\r\n"

static struct sip_proxy px;
static struct sip_work work;
static char buf[65535];

static int
setup(void **state)
{
	static const char *const domains[] = { "own.example.org" };
	struct nfv_stage_ctx ctx;

	(void)state;
	world_ctx(&ctx);
	px = (struct sip_proxy){ .port = 5060,
		.record_route = true,
		.domains = domains,
		.n_domains = 1,
		.key = { { 1, 2 } } };
	return sip_proxy_init(&px, &ctx, NULL);
}

static struct nfv_endpoint
ep(const char *text)
{
	struct nfv_endpoint e;

	assert_int_equal(nfv_endpoint_parse(nfv_sv_str(text), &e), 0);
	return e;
}

static struct sip_result
run(const char *src, const char *dst, enum nfv_dir dir, struct nfv_sv text)
{
	static struct sip_in in; /* outlives the call: sip_answer reads it through `work` */
	struct sip_result r;

	in = (struct sip_in){ text, ep(src), ep(dst), dir };
	sip_proxy(&px, &in, &work, buf, sizeof(buf), &r);
	return r;
}

static void
expect_endpoint(struct nfv_endpoint e, const char *text)
{
	char got[NFV_ADDR_TEXT];

	assert_string_equal(nfv_endpoint_text(&e, got), text);
}

/* Row by row: what goes in from `src` to `dst`, and what must come out. */
static const struct {
	const char *what, *src, *dst;
	enum nfv_dir dir;
	const char *in;
	enum nfv_dir out_dir;
	const char *from, *to, *out;
} forward[] = {
	{ "an INVITE from inside to outside", "10.0.0.9:5062", "10.0.0.1:5060", O,
		REQ("INVITE", "sip:bob@203.0.113.5:5070", ""), O, "198.51.100.1:5060",
		"203.0.113.5:5070",
		FWD("INVITE", "sip:bob@203.0.113.5:5070", TOP_OUT RR4, VIA, "") },
	{ "what is not used of a request in a dialog is passed on as it is", "10.0.0.9:5062",
		"10.0.0.1:5060", O,
		"BYE sip:b@203.0.113.5 SIP/2.0\r\n" VIA
		"From: a, b <sip:%>;tag=1\r\nTo: <sip:%>;tag=2\r\nContact: <\r\n" ID
		"CSeq: 1 BYE\r\n" MF END,
		O, "198.51.100.1:5060", "203.0.113.5:5060",
		"BYE sip:b@203.0.113.5 SIP/2.0\r\n" TOP_OUT VIA
		"From: a, b <sip:%>;tag=1\r\nTo: <sip:%>;tag=2\r\nContact: <\r\n" ID
		"CSeq: 1 BYE\r\n" MF1 END },
	{ "an INVITE from outside to inside", "203.0.113.5:5060", "198.51.100.1:5060", I,
		REQ("INVITE", "sip:ann@10.0.0.9", ""), I, "10.0.0.1:5060", "10.0.0.9:5060",
		FWD("INVITE", "sip:ann@10.0.0.9",
			TOP_IN "Record-Route: <sip:10.0.0.1:5060;lr>\r\n"
			       "Record-Route: <sip:198.51.100.1:5060;lr>\r\n",
			"Via: SIP/2.0/UDP 10.0.0.9:5062;branch=z9hG4bKa;received=203.0.113.5\r\n",
			"") },
	{ "one address on both sides: one Record-Route", "10.0.0.9:5062", "198.51.100.1:5060", O,
		REQ("INVITE", "sip:bob@203.0.113.5", ""), O, "198.51.100.1:5060",
		"203.0.113.5:5060",
		FWD("INVITE", "sip:bob@203.0.113.5",
			TOP_OUT "Record-Route: <sip:198.51.100.1:5060;lr>\r\n", VIA, "") },
	{ "IPv4 to IPv6", "10.0.0.9:5062", "10.0.0.1:5060", O,
		REQ("SUBSCRIBE", "sip:bob@[2001:db8::5]:5070", ""), O, "[2001:db8:f::1]:5060",
		"[2001:db8::5]:5070",
		FWD("SUBSCRIBE", "sip:bob@[2001:db8::5]:5070",
			"Via: SIP/2.0/UDP [2001:db8:f::1]:5060;branch=#\r\n"
			"Record-Route: <sip:[2001:db8:f::1]:5060;lr>\r\n"
			"Record-Route: <sip:10.0.0.1:5060;lr>\r\n",
			VIA, "") },
	{ "no Record-Route for a BYE; both our Routes go", "10.0.0.9:5062", "10.0.0.1:5060", O,
		REQ("BYE", "sip:bob@203.0.113.5",
			"Route: <sip:10.0.0.1:5060;lr>,<sip:198.51.100.1;lr>\r\n"),
		O, "198.51.100.1:5060", "203.0.113.5:5060",
		FWD("BYE", "sip:bob@203.0.113.5", TOP_OUT, VIA, "") },
	{ "ours go, theirs stays and leads", "10.0.0.9:5062", "10.0.0.1:5060", O,
		REQ("BYE", "sip:bob@b.example.org",
			"Route: <sip:10.0.0.1:5060;lr>\r\n"
			"Route: <sip:198.51.100.1;lr> , <sip:203.0.113.7;lr>;x=1,<sip:c;lr>\r\n"),
		O, "198.51.100.1:5060", "203.0.113.7:5060",
		FWD("BYE", "sip:bob@b.example.org", TOP_OUT, VIA,
			"Route: <sip:203.0.113.7;lr>;x=1,<sip:c;lr>\r\n") },
	{ "from a strict router: the last Route is the Request-URI", "10.0.0.9:5062",
		"10.0.0.1:5060", O,
		REQ("BYE", "sip:10.0.0.1:5060;lr",
			"Route: <sip:203.0.113.7;lr>, <sip:203.0.113.8;lr>\r\nRoute: "
			"<sip:bob@b>\r\n"),
		O, "198.51.100.1:5060", "203.0.113.7:5060",
		FWD("BYE", "sip:bob@b", TOP_OUT, VIA,
			"Route: <sip:203.0.113.7;lr>, <sip:203.0.113.8;lr>\r\n") },
	{ "the same with one line", "10.0.0.9:5062", "10.0.0.1:5060", O,
		REQ("BYE", "sip:10.0.0.1:5060;lr",
			"Route: <sip:198.51.100.1;lr>,<sip:203.0.113.7;lr> , "
			"<sip:bob@203.0.113.8:7>\r\n"),
		O, "198.51.100.1:5060", "203.0.113.7:5060",
		FWD("BYE", "sip:bob@203.0.113.8:7", TOP_OUT, VIA,
			"Route: <sip:203.0.113.7;lr>\r\n") },
	{ "the same with nothing left", "10.0.0.9:5062", "10.0.0.1:5060", O,
		REQ("BYE", "sip:10.0.0.1:5060;lr", "Route: <sip:bob@203.0.113.8:7>\r\n"), O,
		"198.51.100.1:5060", "203.0.113.8:7",
		FWD("BYE", "sip:bob@203.0.113.8:7", TOP_OUT, VIA, "") },
	{ "to a strict router: its URI is the Request-URI", "10.0.0.9:5062", "10.0.0.1:5060", O,
		REQ("BYE", "sip:bob@b",
			"Route: <sip:10.0.0.1;lr>, <sip:203.0.113.7>\r\nRoute: <sip:c>\r\n"),
		O, "198.51.100.1:5060", "203.0.113.7:5060",
		FWD("BYE", "sip:203.0.113.7", TOP_OUT, VIA,
			"Route: <sip:c>\r\nRoute: <sip:bob@b>\r\n") },
	{ "to a strict router that is the only Route", "10.0.0.9:5062", "10.0.0.1:5060", O,
		REQ("BYE", "sip:bob@b", "Route: <sip:203.0.113.7:5>\r\n"), O, "198.51.100.1:5060",
		"203.0.113.7:5",
		FWD("BYE", "sip:203.0.113.7:5", TOP_OUT, VIA, "Route: <sip:bob@b>\r\n") },
	{ "maddr of another leads", "10.0.0.9:5062", "10.0.0.1:5060", O,
		REQ("BYE", "sip:bob@b;maddr=203.0.113.9", ""), O, "198.51.100.1:5060",
		"203.0.113.9:5060", FWD("BYE", "sip:bob@b;maddr=203.0.113.9", TOP_OUT, VIA, "") },
	{ "maddr of ours has done its work", "10.0.0.9:5062", "10.0.0.1:5060", O,
		REQ("BYE", "sip:bob@203.0.113.9:5060;a;maddr=10.0.0.1;transport=UDP;b=c", ""), O,
		"198.51.100.1:5060", "203.0.113.9:5060",
		FWD("BYE", "sip:bob@203.0.113.9;a;b=c", TOP_OUT, VIA, "") },
	{ "a next hop behind the NAT is inward", "203.0.113.5:5060", "198.51.100.1:5060", I,
		"BYE sip:ann@198.51.100.1:20000 SIP/2.0\r\nVia: SIP/2.0/UDP "
		"203.0.113.5;branch=z9hG4bKa\r\n" FROM TO ID "CSeq: 1 BYE\r\n" MF END,
		I, "10.0.0.1:5060", "198.51.100.1:20000",
		"BYE sip:ann@198.51.100.1:20000 SIP/2.0\r\n" TOP_IN
		"Via: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bKa\r\n" FROM TO ID
		"CSeq: 1 BYE\r\n" MF1 END },
	{ "from behind the NAT: rport unasked", "198.51.100.1:20000", "10.0.0.1:5060", O,
		REQ("BYE", "sip:bob@203.0.113.5", ""), O, "198.51.100.1:5060", "203.0.113.5:5060",
		FWD("BYE", "sip:bob@203.0.113.5", TOP_OUT,
			"Via: SIP/2.0/UDP "
			"10.0.0.9:5062;branch=z9hG4bKa;received=198.51.100.1;rport=20000\r\n",
			"") },
	{ "inside to inside turns back", "10.0.0.9:5062", "10.0.0.1:5060", O,
		REQ("BYE", "sip:bob@10.0.0.8", ""), I, "10.0.0.1:5060", "10.0.0.8:5060",
		FWD("BYE", "sip:bob@10.0.0.8", TOP_IN, VIA, "") },
	{ "received of somebody else's is replaced, rport filled in", "10.0.0.9:5063",
		"10.0.0.1:5060", O,
		"BYE sip:b@203.0.113.5 SIP/2.0\r\n"
		"v: SIP/2.0/UDP 10.0.0.9;received=1.2.3.4;rport;branch=z9hG4bKa , SIP/2.0/UDP "
		"x\r\n" FROM TO ID "CSeq: 1 BYE\r\n" MF END,
		O, "198.51.100.1:5060", "203.0.113.5:5060",
		"BYE sip:b@203.0.113.5 SIP/2.0\r\n" TOP_OUT
		"v: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKa;received=10.0.0.9;rport=5063 , "
		"SIP/2.0/UDP x\r\n" FROM TO ID "CSeq: 1 BYE\r\n" MF1 END },
	{ "RFC 2543: no Max-Forwards, no branch; octets behind the body go", "10.0.0.9:5060",
		"10.0.0.1:5060", O,
		"\r\nBYE sip:b@203.0.113.5 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9\r\n" FROM TO ID
		"CSeq: 1 BYE\r\nl: 2\r\n\r\nhi there",
		O, "198.51.100.1:5060", "203.0.113.5:5060",
		"BYE sip:b@203.0.113.5 SIP/2.0\r\n" TOP_OUT "Max-Forwards: 70\r\n"
		"Via: SIP/2.0/UDP 10.0.0.9\r\n" FROM TO ID "CSeq: 1 BYE\r\nl: 2\r\n\r\nhi" },
};

static void
forwarded_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(forward) / sizeof(forward[0]); i++) {
		struct sip_result r = run(
			forward[i].src, forward[i].dst, forward[i].dir, nfv_sv_str(forward[i].in));
		char out[4096];

		if (r.action != SIP_FORWARD)
			fail_msg("%s: action %d, status %u, drop %d", forward[i].what, r.action,
				r.status, r.drop);
		if (strcmp(world_mask(r.text, out), forward[i].out) != 0)
			fail_msg("%s:\n%s\nis not\n%s", forward[i].what, out, forward[i].out);
		expect_endpoint(r.from, forward[i].from);
		expect_endpoint(r.to, forward[i].to);
		assert_int_equal(r.dir, forward[i].out_dir);
	}
}

enum { DROPPED = 1000 }; /* and the reason */

static const struct {
	const char *src;
	enum nfv_dir dir;
	const char *in;
	int status;
} refused[] = {
	{ "10.0.0.9:5062", O, REQ("OPTIONS", "sip:10.0.0.1", ""), 200 },
	/* 19.1.1: no headers in a Route value, which may become the Request-URI. */
	{ "10.0.0.9:5062", O,
		REQ("BYE", "sip:10.0.0.1:5060;lr", "Route: <sip:bob@203.0.113.8?a=b>\r\n"), 400 },
	{ "10.0.0.9:5062", O, REQ("BYE", "sip:bob@b", "Route: <sip:203.0.113.7?a=>\r\n"), 400 },
	{ "10.0.0.9:5062", O, REQ("OPTIONS", "sip:own.example.org:5060", ""), 200 },
	{ "10.0.0.9:5062", O, REQ("OPTIONS", "sip:bob@OWN.example.org", ""), 404 },
	{ "10.0.0.9:5062", O, REQ("REGISTER", "sip:10.0.0.1", ""), 501 },
	{ "10.0.0.9:5062", O, REQ("CANCEL", "sip:bob@10.0.0.1", ""), 481 },
	{ "10.0.0.9:5062", O, REQ("INVITE", "sip:bob@10.0.0.1", ""), 404 },
	{ "10.0.0.9:5062", O, REQ("INVITE", "sip:10.0.0.1;lr", ""), 404 },
	{ "10.0.0.9:5062", O, REQ("INVITE", "sip:bob@elsewhere.example.org", ""), 503 },
	{ "10.0.0.9:5062", O, REQ("INVITE", "sips:bob@203.0.113.5", ""), 416 },
	{ "10.0.0.9:5062", O, REQ("INVITE", "tel:+123", ""), 416 },
	{ "10.0.0.9:5062", O, REQ("INVITE", "sip:bob@203.0.113.5;transport=tcp", ""), 503 },
	{ "10.0.0.9:5062", O, REQ("INVITE", "sip:bob@255.255.255.255", ""), 503 },
	{ "10.0.0.9:5062", O, REQ("INVITE", "sip:bob@127.0.0.1", ""), 503 },
	{ "10.0.0.9:5062", O, REQ("INVITE", "sip:bob@[ff02::1]", ""), 503 },
	{ "10.0.0.9:5062", O, REQ("INVITE", "sip:bob@[::ffff:10.0.0.1]", ""), 503 },
	{ "10.0.0.9:5062", O, REQ("INVITE", "sip:bob@b;maddr=224.0.1.75", ""), 503 },
	{ "10.0.0.9:5062", O,
		REQ("INVITE", "sip:b@c", "Route: <sip:203.0.113.5;lr;maddr=10.0.0.1>\r\n"), 482 },
	{ "203.0.113.5:5060", I, REQ("INVITE", "sip:bob@203.0.113.6", ""), 403 },
	{ "10.0.0.9:5062", O, REQ("INVITE", "sip:bob@203.0.113.5", "Proxy-Require: x\r\n"), 420 },
	{ "10.0.0.9:5062", O, REQ("ACK", "sip:bob@10.0.0.1", ""),
		DROPPED + SIP_DROP_ACK_UNROUTABLE },
	{ "10.0.0.9:5062", O, REQ("ACK", "sip:bob@b c", ""), DROPPED + SIP_DROP_MALFORMED },
	{ "10.0.0.9:5062", O,
		"BYE sip:b@203.0.113.5 SIP/2.0\r\n" VIA
		"Route: <sip:10.0.0.1:5060;lr>,,<sip:c;lr>\r\n" FROM "To: <sip:b@c>;tag=2\r\n" ID
		"CSeq: 1 BYE\r\n" MF END,
		400 },
	{ "10.0.0.9:5062", O, "hello", DROPPED + SIP_DROP_NOT_SIP },
	{ "10.0.0.1:5060", O, "OPTIONS sip:10.0.0.1 SIP/2.0\r\n\r\n",
		DROPPED + SIP_DROP_NO_NEXT_HOP },
	{ "203.0.113.5:5060", I, "SIP/2.0 200 OK\r\n" VIA FROM TO ID "CSeq: 1 BYE\r\n" END,
		DROPPED + SIP_DROP_RESPONSE_STRAY },
	{ "203.0.113.5:5060", I, "SIP/2.0 200 OK\r\n" FROM TO ID "CSeq: 1 BYE\r\n" END,
		DROPPED + SIP_DROP_MALFORMED },
};

static void
refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct sip_result r = run(refused[i].src,
			refused[i].dir == O ? "10.0.0.1:5060" : "198.51.100.1:5060", refused[i].dir,
			nfv_sv_str(refused[i].in));
		int got = r.action == SIP_ANSWER ? r.status :
			r.action == SIP_DROP     ? DROPPED + (int)r.drop :
						   -(int)r.action;

		if (got != refused[i].status)
			fail_msg("%d, not %d, for:\n%s", got, refused[i].status, refused[i].in);
		if (r.action == SIP_ANSWER)
			assert_int_equal(r.dir, nfv_dir_back(refused[i].dir));
	}
}

static void
answer_bytes(void **state)
{
	struct sip_result r = run("10.0.0.9:6000", "10.0.0.1:5060", O,
		NFV_SV("INVITE sip:bob@b SIP/2.0\r\nv:SIP/2.0/UDP "
		       "ann.example.org:5066;branch=z9hG4bKa,\r\n"
		       " SIP/2.0/UDP x\r\nVia: SIP/2.0/TCP y\r\nProxy-Require: a, b\r\nf: \"Ann\" "
		       "<sip:a@b>;tag=1\r\n"
		       "t: <sip:b@c>\r\ni: c1\r\nCSeq: 1 INVITE\r\nProxy-Require: c\r\n\r\nbody"));
	char tag[17] = "", expect[1024];
	const char *at;

	(void)state;
	assert_int_equal(r.action, SIP_ANSWER);
	expect_endpoint(r.from, "10.0.0.1:5060");
	expect_endpoint(r.to, "10.0.0.9:5066");
	buf[r.text.n] = '\0';
	at = strstr(buf, "<sip:b@c>;tag=");
	assert_non_null(at);
	memcpy(tag, at + 14, 16);
	snprintf(expect, sizeof(expect),
		"SIP/2.0 420 Bad Extension\r\n"
		"v:SIP/2.0/UDP ann.example.org:5066;branch=z9hG4bKa;received=10.0.0.9,\r\n"
		" SIP/2.0/UDP x\r\nVia: SIP/2.0/TCP y\r\nf: \"Ann\" <sip:a@b>;tag=1\r\n"
		"t: <sip:b@c>;tag=%s\r\ni: c1\r\nCSeq: 1 INVITE\r\nUnsupported: a, b\r\n"
		"Unsupported: c\r\nContent-Length: 0\r\n\r\n",
		tag);
	assert_string_equal(buf, expect);
}

/* An answer to what can hardly be answered goes to where it came from, with what there is. */
static void
answer_to_a_broken_via(void **state)
{
	struct sip_result r = run("10.0.0.9:6000", "10.0.0.1:5060", O,
		NFV_SV("INVITE sip:bob@b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.15;;,;,,\r\nTo: "
		       "<sip:b\r\n\r\n"));

	(void)state;
	assert_int_equal(r.status, 400);
	expect_endpoint(r.to, "10.0.0.9:6000");
	assert_true(nfv_sv_eq(r.text,
		NFV_SV("SIP/2.0 400 Malformed Via\r\n"
		       "Via: SIP/2.0/UDP 192.0.2.15;;,;,,\r\nTo: <sip:b\r\nContent-Length: "
		       "0\r\n\r\n")));
}

static void
trunk(void **state)
{
	struct sip_result r;

	(void)state;
	px.trunks =
		(struct sip_trunks){ .trunk = { { .to = ep("203.0.113.99:5080"), .weight = 1 } },
			.n = 1 };
	r = run("10.0.0.9:5062", "10.0.0.1:5060", O, nfv_sv_str(REQ("INVITE", "tel:+123", "")));
	assert_int_equal(r.action, SIP_FORWARD);
	expect_endpoint(r.to, "203.0.113.99:5080");
	r = run("10.0.0.9:5062", "10.0.0.1:5060", O, nfv_sv_str(REQ("INVITE", "sip:b@c.org", "")));
	expect_endpoint(r.to, "203.0.113.99:5080");
	r = run("10.0.0.9:5062", "10.0.0.1:5060", O,
		nfv_sv_str(REQ("INVITE", "sip:b@10.0.0.1", "")));
	assert_int_equal(r.action, SIP_FORWARD);
	expect_endpoint(r.to, "203.0.113.99:5080");
	r = run("203.0.113.99:5080", "198.51.100.1:5060", I,
		nfv_sv_str(REQ("INVITE", "sip:b@198.51.100.1", "")));
	assert_int_equal(r.status, 404);
	r = run("10.0.0.9:5062", "10.0.0.1:5060", O,
		nfv_sv_str(REQ("INVITE", "sip:b@own.example.org", "")));
	assert_int_equal(r.status, 404);
	r = run("10.0.0.9:5062", "10.0.0.1:5060", O,
		nfv_sv_str(REQ("OPTIONS", "sip:10.0.0.1", "")));
	assert_int_equal(r.status, 200);
}

static struct nfv_sv
branch_of(struct nfv_sv text)
{
	const char *at = memmem(text.p, text.n, "z9hG4bKnfv", 10);

	assert_non_null(at);
	return nfv_sv(at, 44);
}

/* RFC 3261 §16.11: one branch for a request, its CANCEL and its ACK, with and without a branch in
 * the received Via; another for another transaction. */
static void
same_branch(void **state)
{
	static const char *const vias[] = { "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK%d\r\n",
		"Via: SIP/2.0/UDP 10.0.0.9;branch=%d\r\n" };
	static const char *const methods[] = { "INVITE", "CANCEL", "ACK", "INVITE" };

	(void)state;
	for (size_t v = 0; v < 2; v++) {
		char branch[2][4][45] = { 0 };

		for (int t = 0; t < 2; t++) {
			for (size_t m = 0; m < 4; m++) {
				char via[128], text[1024];
				struct sip_result r;

				snprintf(via, sizeof(via), vias[v], t);
				snprintf(text, sizeof(text),
					"%s sip:b@203.0.113.5 SIP/2.0\r\n%s" FROM TO ID
					"CSeq: 1 %s\r\n\r\n",
					methods[m], via, methods[m]);
				r = run("10.0.0.9:5060", "10.0.0.1:5060", O, nfv_sv_str(text));
				assert_int_equal(r.action, SIP_FORWARD);
				memcpy(branch[t][m], branch_of(r.text).p, 44);
				assert_string_equal(branch[t][m], branch[t][0]);
			}
		}
		assert_string_not_equal(branch[0][0], branch[1][0]);
	}
}

/* Forward a request, answer it as the next hop would, and give the answer to the proxy. */
static struct sip_result
answered(const char *src, const char *dst, enum nfv_dir dir, const char *request, const char *find,
	const char *replace)
{
	static char response[4096];
	struct sip_result r = run(src, dst, dir, nfv_sv_str(request));
	const char *end;
	char *at;
	int n;

	assert_int_equal(r.action, SIP_FORWARD);
	end = memmem(r.text.p, r.text.n, "\r\n", 2);
	n = snprintf(response, sizeof(response), "SIP/2.0 180 Ringing%.*s",
		(int)(r.text.n - (size_t)(end - r.text.p)), end);
	at = strstr(response, find);
	assert_non_null(at);
	assert_int_equal(strlen(find), strlen(replace));
	memcpy(at, replace, strlen(replace));
	return run("203.0.113.5:5060", dir == O ? "198.51.100.1:5060" : "10.0.0.1:5060",
		nfv_dir_back(dir), nfv_sv(response, (size_t)n));
}

static void
responses(void **state)
{
	struct sip_result r = answered("10.0.0.9:5062", "10.0.0.1:5060", O,
		REQ("BYE", "sip:b@203.0.113.5", ""), "SIP", "SIP");

	(void)state;
	assert_int_equal(r.action, SIP_FORWARD);
	expect_endpoint(r.from, "10.0.0.1:5060");
	expect_endpoint(r.to, "10.0.0.9:5062");
	assert_int_equal(r.dir, I);
	assert_true(nfv_sv_eq(r.text,
		NFV_SV("SIP/2.0 180 Ringing\r\n" VIA FROM TO ID "CSeq: 1 BYE\r\n" MF1 END)));
	/* by received and rport, from the address that was asked, back through the NAT */
	r = answered("198.51.100.1:20000", "198.51.100.1:5060", O,
		REQ("BYE", "sip:b@203.0.113.5", ""), "SIP", "SIP");
	assert_int_equal(r.action, SIP_FORWARD);
	expect_endpoint(r.from, "198.51.100.1:5060");
	expect_endpoint(r.to, "198.51.100.1:20000");
	assert_int_equal(r.dir, I);
	/* a request that came from outside: its response goes outside */
	r = answered("203.0.113.5:5062", "198.51.100.1:5060", I, REQ("BYE", "sip:b@10.0.0.9", ""),
		"SIP", "SIP");
	assert_int_equal(r.action, SIP_FORWARD);
	expect_endpoint(r.from, "198.51.100.1:5060");
	expect_endpoint(r.to, "203.0.113.5:5062");
	assert_int_equal(r.dir, O);
}

/* Both Vias on one line. */
static void
response_with_a_via_list(void **state)
{
	struct sip_result r = run("10.0.0.9:5062", "10.0.0.1:5060", O,
		nfv_sv_str(REQ("BYE", "sip:b@203.0.113.5", "")));
	char text[1024];

	(void)state;
	snprintf(text, sizeof(text),
		"SIP/2.0 200 OK\r\nv: SIP/2.0/UDP 198.51.100.1:5060;branch=%.*s, SIP/2.0/UDP "
		"10.0.0.9:5062\r\n" FROM TO ID "CSeq: 1 BYE\r\n\r\n",
		NFV_SV_ARG(branch_of(r.text)));
	r = run("203.0.113.5:5060", "198.51.100.1:5060", I, nfv_sv_str(text));
	assert_int_equal(r.action, SIP_FORWARD);
	assert_true(nfv_sv_eq(r.text,
		NFV_SV("SIP/2.0 200 OK\r\nv: SIP/2.0/UDP 10.0.0.9:5062\r\n" FROM TO ID
		       "CSeq: 1 BYE\r\n\r\n")));
}

/* Nobody sends a response through us to where no request has come from. */
static void
forged_responses(void **state)
{
	static const struct {
		const char *find, *replace;
	} t[] = { { "10.0.0.9", "10.0.0.8" }, { ":5062", ":5063" }, { "nfv00", "nfv01" },
		{ "nfv0", "nfv9" }, { "z9hG4bKnfv", "z9hG4bKnfx" },
		{ "198.51.100.1:", "198.51.100.2:" } };

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct sip_result r;

		/* own address 0 is the outside's: a request that came in there */
		r = answered("10.0.0.9:5062", "198.51.100.1:5060", O,
			REQ("BYE", "sip:b@203.0.113.5", ""), t[i].find, t[i].replace);
		assert_int_equal(r.action, SIP_DROP);
		assert_int_equal(r.drop, SIP_DROP_RESPONSE_STRAY);
	}
}

static void
growth_has_an_end(void **state)
{
	static char text[65507];
	int head;
	struct sip_result r;

	(void)state;
	head = snprintf(text, sizeof(text),
		"BYE sip:b@203.0.113.5 SIP/2.0\r\n" VIA FROM TO ID "CSeq: 1 BYE\r\n\r\n");
	memset(text + head, 'x', sizeof(text) - (size_t)head);
	r = run("10.0.0.9:5062", "10.0.0.1:5060", O, nfv_sv(text, 65000));
	assert_int_equal(r.action, SIP_FORWARD);
	assert_true(r.text.n > 65000);
	sip_proxy(&px, work.in, &work, buf, 65000, &r);
	assert_int_equal(r.action, SIP_ANSWER);
	assert_int_equal(r.status, 513);
	sip_proxy(&px, work.in, &work, buf, 20, &r);
	assert_int_equal(r.drop, SIP_DROP_TOO_LARGE);
}

static void
too_many_routes(void **state)
{
	char text[4096];
	int n = snprintf(text, sizeof(text), "BYE sip:b@203.0.113.5 SIP/2.0\r\n" VIA);
	struct sip_result r;

	(void)state;
	for (int i = 0; i < 40; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "Route: <sip:10.0.0.1;lr>\r\n");
	n += snprintf(text + n, sizeof(text) - (size_t)n, FROM TO ID "CSeq: 1 BYE\r\n\r\n");
	r = run("10.0.0.9:5062", "10.0.0.1:5060", O, nfv_sv(text, (size_t)n));
	assert_int_equal(r.action, SIP_ANSWER);
	assert_int_equal(r.status, 513);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(forwarded_bytes, setup),
		cmocka_unit_test_setup(refusals, setup),
		cmocka_unit_test_setup(answer_bytes, setup),
		cmocka_unit_test_setup(answer_to_a_broken_via, setup),
		cmocka_unit_test_setup(trunk, setup),
		cmocka_unit_test_setup(same_branch, setup),
		cmocka_unit_test_setup(responses, setup),
		cmocka_unit_test_setup(response_with_a_via_list, setup),
		cmocka_unit_test_setup(forged_responses, setup),
		cmocka_unit_test_setup(growth_has_an_end, setup),
		cmocka_unit_test_setup(too_many_routes, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
