#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media.h"
#include "restless.h"

#define HZ      1000000000ull
#define OWN_IN  "10.1.0.1"
#define OWN_OUT "10.2.0.1"
#define ANN     "10.1.0.5"     /* inside */
#define BOB     "198.51.100.9" /* outside */
#define SETUP   180
#define IDLE    60
#define MAX     3600

enum who { A, B };

static struct world {
	struct nfv_stage_ctx ctx;
	struct nfv_prefix own[2];
	struct nfv_toward toward[2];
	struct nfv_pages hole_pages, relay_pages, pages;
	struct nfv_pinholes *holes;
	struct sip_relay *relay;
	struct sip_media *m;
	const struct sip_media_stats *stats;
	uint64_t now;
	struct sip_media_leg leg[2];
	/* The message sent last, and what came out of it. */
	char text[4096], out[4096], ins[1024];
	struct nfv_sip_msg msg;
	struct nfv_sip_core core;
	struct nfv_sv body;
} w;

static struct nfv_addr
addr(const char *text)
{
	struct nfv_addr a = { .family = NFV_NO_ADDR };

	assert_int_equal(nfv_addr_parse(nfv_sv_str(text), &a), 0);
	return a;
}

static void
begin_with(struct sip_media_conf conf, bool relay)
{
	struct sip_relay_conf rc = {
		.lo = 20000, .hi = 20031, .streams = 8, .seed = 3, .tsc_hz = HZ
	};
	struct nfv_err err;

	memset(&w, 0, sizeof(w));
	w.now = 1000 * HZ + 1;
	w.own[NFV_INWARD] = (struct nfv_prefix){ addr(OWN_IN), 24 };
	w.own[NFV_OUTWARD] = (struct nfv_prefix){ addr(OWN_OUT), 24 };
	w.toward[0] = (struct nfv_toward){ { addr(OWN_IN), 24 }, NFV_INWARD };
	w.toward[1] = (struct nfv_toward){ { addr("fd00:1::"), 64 }, NFV_INWARD };
	w.ctx = (struct nfv_stage_ctx){
		.own = { [NFV_INWARD] = &w.own[NFV_INWARD], [NFV_OUTWARD] = &w.own[NFV_OUTWARD] },
		.n_own = { 1, 1 },
		.toward = w.toward,
		.n_toward = 2,
		.tsc_hz = HZ,
		.seed = 9,
	};
	w.leg[A] = (struct sip_media_leg){ addr(ANN), addr(OWN_IN), NFV_INWARD };
	w.leg[B] = (struct sip_media_leg){ addr(BOB), addr(OWN_OUT), NFV_OUTWARD };
	w.hole_pages = restless_alloc(nfv_pinholes_pages(256));
	assert_int_equal(
		nfv_pinholes_create(256, &w.hole_pages, NULL, 1, HZ, w.now, &w.holes, &err), 0);
	if (relay) {
		w.relay_pages = restless_alloc(sip_relay_pages(&rc));
		assert_int_equal(sip_relay_create(&rc, &w.relay_pages, &w.relay, &err), 0);
	}
	conf.calls = conf.calls != 0 ? conf.calls : 64;
	conf.setup = SETUP;
	conf.idle = IDLE;
	conf.max = MAX;
	conf.pinholes = w.holes;
	conf.relay = w.relay;
	w.pages = restless_alloc(sip_media_pages(&conf));
	assert_int_equal(sip_media_create(&conf, &w.ctx, &w.pages, w.now, &w.m, &err), 0);
	w.stats = sip_media_stats(w.m);
}

static void
begin(bool relay)
{
	begin_with((struct sip_media_conf){ 0 }, relay);
}

/* Whoever ends leaves nothing open. */
static void
end(void)
{
	sip_media_destroy(w.m);
	assert_int_equal(w.holes->stats.open, 0);
	assert_int_equal(w.holes->stats.owners, 0);
	if (w.relay != NULL)
		assert_int_equal(sip_relay_stats(w.relay)->open, 0);
	nfv_pinholes_destroy(w.holes);
	sip_relay_destroy(w.relay);
	restless_free(&w.pages);
	restless_free(&w.hole_pages);
	restless_free(&w.relay_pages);
}

static void
later(uint64_t seconds)
{
	for (uint64_t i = 0; i < seconds; i++) {
		w.now += HZ;
		restless_move(&w.pages, i % w.pages.n);
		restless_move(&w.hole_pages, i % w.hole_pages.n);
		for (int j = 0; j < 8; j++) {
			sip_media_tick(w.m, w.now);
			nfv_pinholes_expire(w.holes, w.now, 32);
		}
	}
}

static bool again; /* messages are not new */

/* A message from `who` to the other one; `from` and `to` are tags, `first` its first line. What comes
 * out must be a message again, with its body whole. */
static int
say(enum who who, const char *first, const char *from, const char *to, const char *cseq,
	const char *sdp)
{
	struct nfv_sip_writer ins = nfv_sip_writer(w.ins, sizeof(w.ins));
	struct nfv_sip_writer out = nfv_sip_writer(w.out, sizeof(w.out));
	struct nfv_sip_edits edits = { .n = 0 };
	struct sip_media_in in = { .msg = &w.msg,
		.core = &w.core,
		.from = w.leg[who],
		.to = w.leg[1 - who],
		.tsc = w.now };
	const char *why;
	size_t n;
	int rc;

	n = (size_t)snprintf(w.text, sizeof(w.text),
		"%s\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nMax-Forwards: 70\r\n"
		"From: <sip:a@h>;tag=%s\r\nTo: <sip:b@h>%s%s\r\nCall-ID: c1\r\nCSeq: %s\r\n%s"
		"Content-Length: %zu\r\n\r\n%s",
		first, from, to[0] != '\0' ? ";tag=" : "", to, cseq,
		sdp != NULL ? "Content-Type: application/sdp\r\n" : "",
		sdp != NULL ? strlen(sdp) : 0, sdp != NULL ? sdp : "");
	assert_int_equal(nfv_sip_parse(&w.msg, w.text, n), NFV_SIP_MESSAGE_OK);
	assert_int_equal(nfv_sip_validate(&w.msg, &w.core, &why), 0);
	/* Pages may move between any two messages. */
	restless_move_all(&w.pages);
	restless_move_all(&w.hole_pages);
	restless_move_all(&w.relay_pages);
	rc = (again ? sip_media_again : sip_media)(w.m, &in, &edits, &ins);
	if (rc < 0)
		assert_int_equal(edits.n, 0);
	nfv_sip_edit_apply(&edits, &w.msg, 0, w.msg.n, &out);
	assert_false(edits.full || ins.full || out.full);
	assert_int_equal(nfv_sip_parse(&w.msg, w.out, out.n), NFV_SIP_MESSAGE_OK);
	assert_int_equal(w.msg.flaws, 0);
	assert_int_equal(w.msg.n, out.n);
	w.body = nfv_sv(w.msg.p + w.msg.body, w.msg.body_n);
	return rc;
}

#define SDP(c, m) "v=0\r\no=x 1 1 IN IP4 192.0.2.1\r\ns=-\r\n" c "t=0 0\r\n" m
#define C(a)      "c=IN IP4 " a "\r\n"
#define AUDIO(p)  "m=audio " p " RTP/AVP 0 8\r\n"

static const char offer_ann[] = SDP(C(ANN), AUDIO("4000"));
static const char answer_bob[] = SDP(C(BOB), AUDIO("5000"));

static bool
may(const char *from, const char *to, uint16_t port)
{
	struct nfv_addr f = addr(from), d = addr(to);

	return nfv_pinhole_find(w.holes, NFV_PROTO_UDP, &f, &d, port) != 0;
}

static void
invite(void)
{
	assert_int_equal(say(A, "INVITE sip:b@h SIP/2.0", "ta", "", "1 INVITE", offer_ann), 0);
}

static void
ok(void)
{
	assert_int_equal(say(B, "SIP/2.0 200 OK", "ta", "tb", "1 INVITE", answer_bob), 0);
	assert_int_equal(say(A, "ACK sip:b@h SIP/2.0", "ta", "tb", "1 ACK", NULL), 0);
}

static void
open_for_the_calls_life(void **state)
{
	(void)state;
	begin(false);
	invite();
	assert_true(nfv_sv_eq(w.body, nfv_sv_str(offer_ann)));
	assert_int_equal(w.holes->stats.open, 0); /* nobody knows yet from whom */
	ok();
	assert_int_equal(w.holes->stats.open, 4);
	assert_true(may(BOB, ANN, 4000));
	assert_true(may(BOB, ANN, 4001));
	assert_true(may(ANN, BOB, 5000));
	assert_true(may(ANN, BOB, 5001));
	assert_false(may("198.51.100.66", ANN, 4000));
	assert_false(may(BOB, ANN, 4002));
	assert_int_equal(say(B, "BYE sip:a@h SIP/2.0", "tb", "ta", "7 BYE", NULL), 0);
	assert_true(may(BOB, ANN, 4000));
	assert_int_equal(say(A, "SIP/2.0 200 OK", "tb", "ta", "7 BYE", NULL), 0);
	assert_int_equal(w.holes->stats.open, 0);
	assert_int_equal(w.stats->calls, 0);
	assert_int_equal(w.stats->ended, 1);
	end();
}

static void
failures(void **state)
{
	(void)state;
	begin(true);
	invite();
	assert_int_equal(sip_relay_stats(w.relay)->open, 1);
	assert_int_equal(say(B, "SIP/2.0 183 P", "ta", "tb", "1 INVITE", answer_bob), 0);
	assert_true(w.holes->stats.open > 0);
	assert_int_equal(say(B, "SIP/2.0 486 Busy", "ta", "tb", "1 INVITE", NULL), 0);
	assert_int_equal(w.holes->stats.open, 0);
	assert_int_equal(w.stats->calls, 0);
	assert_int_equal(sip_relay_stats(w.relay)->open, 0);
	/* Asked again with credentials: what refused the first one comes too late to end the second. */
	assert_int_equal(say(A, "INVITE sip:b@h SIP/2.0", "ta", "", "1 INVITE", offer_ann), 0);
	assert_int_equal(say(A, "INVITE sip:b@h SIP/2.0", "ta", "", "2 INVITE", offer_ann), 0);
	assert_int_equal(say(B, "SIP/2.0 407 Auth", "ta", "tx", "1 INVITE", NULL), 0);
	assert_int_equal(w.stats->calls, 1);
	assert_int_equal(sip_relay_stats(w.relay)->open, 1);
	/* The proxy gives up. */
	sip_media_end(w.m, &w.core);
	assert_int_equal(w.stats->calls, 0);
	/* Nobody answers at all. */
	invite();
	later(SETUP - 1);
	assert_int_equal(w.stats->calls, 1);
	later(3);
	assert_int_equal(w.stats->calls, 0);
	assert_int_equal(w.stats->expired, 1);
	end();
}

static void
lost_ends(void **state)
{
	(void)state;
	/* The BYE comes, its answer does not. */
	begin(false);
	invite();
	ok();
	say(A, "BYE sip:b@h SIP/2.0", "ta", "tb", "2 BYE", NULL);
	assert_int_equal(say(B, "SIP/2.0 407 Auth", "ta", "tb", "2 BYE", NULL), 0);
	later(30);
	assert_true(may(BOB, ANN, 4000));
	later(4);
	assert_false(may(BOB, ANN, 4000));
	assert_int_equal(w.stats->calls, 0);
	/* None comes; media fall silent. */
	invite();
	ok();
	for (int i = 0; i < 10; i++) {
		struct nfv_addr f = addr(BOB), d = addr(ANN);

		later(IDLE / 2);
		assert_true(nfv_pinhole_holds(
			w.holes, nfv_pinhole_find(w.holes, NFV_PROTO_UDP, &f, &d, 4000)));
	}
	later(2 * IDLE + 5);
	assert_false(may(BOB, ANN, 4000));
	assert_int_equal(w.stats->calls, 0);
	/* They never do: there is an end nevertheless. */
	invite();
	ok();
	for (int i = 0; i < MAX / 30 + 5; i++) {
		struct nfv_addr f = addr(BOB), d = addr(ANN);
		uint64_t owner = nfv_pinhole_find(w.holes, NFV_PROTO_UDP, &f, &d, 4000);

		if (owner != 0)
			nfv_pinhole_holds(w.holes, owner);
		later(30);
	}
	assert_int_equal(w.stats->calls, 0);
	assert_int_equal(w.holes->stats.open, 0);
	end();
}

static void
rtcp(void **state)
{
	(void)state;
	begin(false);
	/* One of them does not know about multiplexing: two ports. */
	say(A, "INVITE sip:b@h SIP/2.0", "ta", "", "1 INVITE",
		SDP(C(ANN), AUDIO("4000") "a=rtcp-mux\r\na=rtcp:4000\r\n"));
	say(B, "SIP/2.0 183 P", "ta", "tb", "1 INVITE",
		SDP(C(BOB), AUDIO("5000") "a=rtcp:5555 IN IP4 198.51.100.99\r\n"));
	assert_true(may(ANN, BOB, 5000));
	assert_false(may(ANN, BOB, 5001));
	assert_true(may(ANN, "198.51.100.99", 5555));
	assert_true(may("198.51.100.99", ANN, 4000));
	/* Both do: one. */
	say(B, "SIP/2.0 200 OK", "ta", "tb", "1 INVITE",
		SDP(C(BOB), AUDIO("5000") "a=rtcp-mux\r\n"));
	assert_int_equal(w.holes->stats.open, 2);
	end();
}

static void
offers_later_and_elsewhere(void **state)
{
	(void)state;
	begin(false);
	/* In the 200, answered in the ACK. */
	assert_int_equal(say(A, "INVITE sip:b@h SIP/2.0", "ta", "", "1 INVITE", NULL), 0);
	assert_int_equal(w.stats->calls, 0);
	say(B, "SIP/2.0 200 OK", "ta", "tb", "1 INVITE", answer_bob);
	assert_int_equal(w.holes->stats.open, 0);
	say(A, "ACK sip:b@h SIP/2.0", "ta", "tb", "1 ACK", offer_ann);
	assert_int_equal(w.holes->stats.open, 4);
	/* Bob moves his media by an UPDATE. */
	say(B, "UPDATE sip:a@h SIP/2.0", "tb", "ta", "9 UPDATE",
		SDP(C("198.51.100.20"), AUDIO("6000")));
	assert_true(may(BOB, ANN, 4000));
	say(A, "SIP/2.0 200 OK", "tb", "ta", "9 UPDATE", offer_ann);
	assert_false(may(BOB, ANN, 4000));
	assert_true(may("198.51.100.20", ANN, 4000));
	assert_int_equal(w.holes->stats.open, 4);
	/* Ann would move hers, and is refused: nothing changes. */
	say(A, "INVITE sip:b@h SIP/2.0", "ta", "tb", "2 INVITE", SDP(C(ANN), AUDIO("4444")));
	say(B, "SIP/2.0 488 No", "ta", "tb", "2 INVITE", NULL);
	assert_true(may("198.51.100.20", ANN, 4000));
	assert_false(may("198.51.100.20", ANN, 4444));
	/* A second stream; then the first one ends. */
	say(A, "INVITE sip:b@h SIP/2.0", "ta", "tb", "3 INVITE",
		SDP(C(ANN), AUDIO("4000") "m=video 4100 RTP/AVP 31\r\n"));
	say(B, "SIP/2.0 200 OK", "ta", "tb", "3 INVITE",
		SDP(C(BOB), AUDIO("0") "m=video 5100 RTP/AVP 31\r\n"));
	assert_false(may(BOB, ANN, 4000));
	assert_true(may(BOB, ANN, 4100));
	assert_int_equal(w.holes->stats.open, 4);
	end();
}

static void
forks(void **state)
{
	(void)state;
	begin(false);
	invite();
	say(B, "SIP/2.0 183 P", "ta", "tb", "1 INVITE", answer_bob);
	say(B, "SIP/2.0 200 OK", "ta", "tc", "1 INVITE", SDP(C("198.51.100.30"), AUDIO("7000")));
	assert_false(may(BOB, ANN, 4000));
	assert_true(may("198.51.100.30", ANN, 4000));
	/* The other branch is hung up; this one is not. */
	say(A, "BYE sip:b@h SIP/2.0", "ta", "tb", "2 BYE", NULL);
	say(B, "SIP/2.0 200 OK", "ta", "tb", "2 BYE", NULL);
	assert_true(may("198.51.100.30", ANN, 4000));
	say(A, "BYE sip:b@h SIP/2.0", "ta", "tc", "3 BYE", NULL);
	say(B, "SIP/2.0 481 Gone", "ta", "tc", "3 BYE", NULL);
	assert_int_equal(w.holes->stats.open, 0);
	end();
}

static void
what_is_not_believed(void **state)
{
	static const struct {
		const char *sdp;
		uint32_t open;
	} t[] = {
		{ SDP(C("10.1.0.9"), AUDIO("5000")), 0 }, /* an address inside, from outside */
		{ SDP(C(OWN_OUT), AUDIO("5000")), 0 }, { SDP(C("224.0.0.9"), AUDIO("5000")), 0 },
		{ SDP(C("127.0.0.1"), AUDIO("5000")), 0 }, { SDP(C(BOB), AUDIO("53")), 0 },
		{ SDP(C(BOB), AUDIO("5060")), 4 },
		{ SDP("c=IN IP4 pbx.example.org\r\n", AUDIO("5000")), 0 },
		{ SDP("", AUDIO("5000")), 0 }, { SDP(C(BOB), "m=audio 5000 TCP/RTP/AVP 0\r\n"), 0 },
		{ SDP("c=IN IP6 fd00:9::9\r\n", AUDIO("5000")), 0 }, /* not Ann's family */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		begin(false);
		invite();
		assert_int_equal(say(B, "SIP/2.0 200 OK", "ta", "tb", "1 INVITE", t[i].sdp), 0);
		/* On hold Ann's own ports are not open either: nobody is known who may send. */
		if (w.holes->stats.open != t[i].open)
			fail_msg("%u open: %s", w.holes->stats.open, t[i].sdp);
		end();
	}
	begin(false);
	assert_int_equal(
		say(A, "INVITE sip:b@h SIP/2.0", "ta", "", "1 INVITE", "v=0\r\nbad\r\n"), -EINVAL);
	assert_int_equal(w.stats->unreadable, 1);
	assert_int_equal(w.stats->calls, 0);
	/* No offer at all. */
	assert_int_equal(say(A, "MESSAGE sip:b@h SIP/2.0", "ta", "", "1 MESSAGE", offer_ann), 0);
	assert_int_equal(say(A, "ACK sip:b@h SIP/2.0", "ta", "tb", "1 ACK", offer_ann), 0);
	assert_int_equal(say(B, "SIP/2.0 488 No", "ta", "tb", "1 INVITE", offer_ann), 0);
	assert_int_equal(say(B, "SIP/2.0 200 OK", "ta", "tb", "1 BYE", NULL), 0);
	assert_int_equal(w.stats->calls, 0);
	end();
}

static bool
mentions(const char *what)
{
	char text[sizeof(w.out)];

	snprintf(text, sizeof(text), "%.*s", NFV_SV_ARG(w.body));
	return strstr(text, what) != NULL;
}

static struct nfv_sdp sdp;

static void
described(uint32_t media, const char *rtp, uint16_t rtcp)
{
	char text[NFV_ADDR_TEXT];
	struct nfv_endpoint e;

	assert_int_equal(nfv_sdp_parse(w.body, &sdp), 0);
	assert_true(nfv_sdp_rtp(&sdp, media, &e));
	assert_string_equal(nfv_endpoint_text(&e, text), rtp);
	assert_true(nfv_sdp_rtcp(&sdp, media, &e));
	assert_int_equal(e.port, rtcp);
}

static const struct sip_relay_side *
side(uint32_t stream, enum who who)
{
	return &sip_relay_stream(w.relay, stream)->side[who];
}

static const char *
at(const char *host, uint16_t port)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s:%u", host, port);
	return text;
}

static void
by_way_of_the_relay(void **state)
{
	char text[NFV_ADDR_TEXT];

	(void)state;
	begin(true);
	invite();
	described(0, at(OWN_OUT, side(1, B)->port), side(1, B)->port + 1);
	assert_true(side(1, A)->ready);
	assert_false(side(1, B)->ready);
	ok();
	say(B, "SIP/2.0 200 OK", "ta", "tb", "1 INVITE", answer_bob); /* once more */
	described(0, at(OWN_IN, side(1, A)->port), side(1, A)->port + 1);
	assert_string_equal(nfv_endpoint_text(&side(1, B)->announced[1], text), BOB ":5001");
	assert_string_equal(nfv_endpoint_text(&side(1, A)->announced[0], text), ANN ":4000");
	assert_int_equal(sip_relay_stats(w.relay)->open, 1);
	/* Ann and the relay, the relay and Bob. */
	assert_int_equal(w.holes->stats.open, 8);
	assert_true(may(ANN, OWN_IN, side(1, A)->port));
	assert_true(may(OWN_IN, ANN, 4000));
	assert_true(may(OWN_OUT, BOB, 5001));
	assert_false(may(BOB, ANN, 4000));
	/* What is offered and refused changes nothing, what is agreed on does. */
	say(A, "INVITE sip:b@h SIP/2.0", "ta", "tb", "2 INVITE", SDP(C(ANN), AUDIO("4444")));
	assert_string_equal(nfv_endpoint_text(&side(1, A)->announced[0], text), ANN ":4000");
	say(B, "SIP/2.0 488 No", "ta", "tb", "2 INVITE", NULL);
	assert_true(may(OWN_IN, ANN, 4000));
	say(A, "INVITE sip:b@h SIP/2.0", "ta", "tb", "3 INVITE", SDP(C(ANN), AUDIO("4444")));
	say(B, "SIP/2.0 200 OK", "ta", "tb", "3 INVITE", answer_bob);
	assert_string_equal(nfv_endpoint_text(&side(1, A)->announced[0], text), ANN ":4444");
	assert_false(may(OWN_IN, ANN, 4000));
	assert_int_equal(sip_relay_stats(w.relay)->open, 1);
	/* Silence, and the call is over. */
	later(2 * IDLE + 2);
	assert_int_equal(w.stats->calls, 0);
	assert_int_equal(sip_relay_stats(w.relay)->open, 0);
	end();
}

static void
every_place_is_rewritten(void **state)
{
	(void)state;
	begin(true);
	/* Two of three go by the relay: the session's address stays for the third. */
	say(A, "INVITE sip:b@h SIP/2.0", "ta", "", "1 INVITE",
		SDP(C(ANN),
			AUDIO("4000") "i=x\r\na=rtcp:4009\r\n"
				      "m=application 4100 TCP/MSRP *\r\n"
				      "m=video 4200 RTP/AVP 31\r\nc=IN IP4 10.1.0.6\r\n"
				      "a=rtcp-mux\r\na=rtcp:4200 IN IP4 10.1.0.6\r\n"));
	described(0, at(OWN_OUT, side(1, B)->port), side(1, B)->port + 1);
	described(1, ANN ":4100", 4101);
	described(2, at(OWN_OUT, side(2, B)->port), side(2, B)->port);
	assert_int_equal(sdp.media[0].rtcp_port, side(1, B)->port + 1);
	assert_false(mentions("10.1.0.6"));
	end();
	/* All: the session's address goes. */
	begin(true);
	say(A, "INVITE sip:b@h SIP/2.0", "ta", "", "1 INVITE",
		SDP(C(ANN), AUDIO("4000") "m=video 0 RTP/AVP 31\r\nm=audio 4100 RTP/AVP 0\r\n"));
	assert_false(mentions(ANN));
	described(0, at(OWN_OUT, side(1, B)->port), side(1, B)->port + 1);
	assert_int_equal(sdp.media[1].port, 0);
	described(2, at(OWN_OUT, side(2, B)->port), side(2, B)->port + 1);
	/* What is refused gives its ports back. */
	say(B, "SIP/2.0 200 OK", "ta", "tb", "1 INVITE",
		SDP(C(BOB), AUDIO("5000") "m=video 0 RTP/AVP 31\r\nm=audio 0 RTP/AVP 0\r\n"));
	assert_int_equal(sip_relay_stats(w.relay)->open, 1);
	end();
	/* Old hold: the address that says so stays, and the stream too. */
	begin(true);
	invite();
	ok();
	say(A, "INVITE sip:b@h SIP/2.0", "ta", "tb", "2 INVITE", SDP(C("0.0.0.0"), AUDIO("4000")));
	described(0, "0.0.0.0:4000", 4001);
	say(B, "SIP/2.0 200 OK", "ta", "tb", "2 INVITE", answer_bob);
	described(0, at(OWN_IN, side(1, A)->port), side(1, A)->port + 1);
	assert_int_equal(side(1, A)->announced[0].port, 0);
	assert_int_equal(sip_relay_stats(w.relay)->open, 1);
	end();
}

static void
families_and_strangers(void **state)
{
	(void)state;
	begin(true);
	/* Bob is reached by IPv6. */
	w.leg[B] = (struct sip_media_leg){ addr("fd00:9::9"), addr("fd00:2::1"), NFV_OUTWARD };
	invite();
	assert_int_equal(nfv_sdp_parse(w.body, &sdp), 0);
	assert_int_equal(sdp.conn.addr.family, NFV_IPV6);
	say(B, "SIP/2.0 200 OK", "ta", "tb", "1 INVITE",
		SDP("c=IN IP6 fd00:9::9\r\n", AUDIO("5000")));
	described(0, at(OWN_IN, side(1, A)->port), side(1, A)->port + 1);
	end();
	/* Behind a NAT with the same addresses as ours: his packets tell where he is. */
	begin(true);
	invite();
	say(B, "SIP/2.0 200 OK", "ta", "tb", "1 INVITE", SDP(C("10.1.0.9"), AUDIO("5000")));
	described(0, at(OWN_IN, side(1, A)->port), side(1, A)->port + 1);
	assert_int_equal(side(1, B)->announced[0].addr.family, NFV_NO_ADDR);
	assert_int_equal(side(1, B)->announced[0].port, 5000);
	assert_false(may(OWN_OUT, "10.1.0.9", 5000));
	assert_true(w.stats->foreign > 0);
	end();
	/* It has been here before: its media are at the relay already. */
	begin(true);
	say(B, "INVITE sip:a@h SIP/2.0", "ta", "", "1 INVITE", SDP(C(OWN_OUT), AUDIO("20006")));
	described(0, OWN_OUT ":20006", 20007);
	assert_int_equal(sip_relay_stats(w.relay)->open, 0);
	end();
}

/* Made anew from what is kept, a request is what it was, and nothing comes of it. */
static void
made_again(void **state)
{
	char first[sizeof(w.out)];

	(void)state;
	begin(true);
	again = true;
	invite();
	assert_true(nfv_sv_eq(w.body, nfv_sv_str(offer_ann)));
	assert_int_equal(w.stats->calls, 0);
	again = false;
	invite();
	memcpy(first, w.out, sizeof(first));
	ok();
	again = true;
	invite();
	assert_string_equal(w.out, first);
	assert_int_equal(w.stats->offers, 1);
	assert_int_equal(
		say(A, "INVITE sip:b@h SIP/2.0", "ta", "", "1 INVITE", "v=0\r\nbad\r\n"), -EINVAL);
	again = false;
	end();
}

static void
no_room(void **state)
{
	(void)state;
	begin_with((struct sip_media_conf){ .calls = 1 }, true);
	invite();
	assert_int_equal(
		say(A, "INVITE sip:b@h SIP/2.0", "tz", "", "1 INVITE", offer_ann), -ENOSPC);
	assert_int_equal(w.stats->refused, 1);
	assert_int_equal(w.stats->calls, 1);
	end();
	/* The relay has sixteen pairs: three streams are six of them. */
	begin(true);
	for (int i = 0; i < 3; i++) {
		static const char *const tag[] = { "t1", "t2", "t3" };
		static const char three[] = SDP(C(ANN), AUDIO("4000") AUDIO("4002") AUDIO("4004"));

		assert_int_equal(say(A, "INVITE sip:b@h SIP/2.0", tag[i], "", "1 INVITE", three),
			i < 2 ? 0 : -ENOSPC);
	}
	assert_int_equal(sip_relay_stats(w.relay)->open, 6);
	assert_int_equal(w.stats->calls, 2);
	end();
}

/* Any messages in any order: nothing is left when all is said. */
static void
nonsense(void **state)
{
	static const char *const first[] = { "INVITE sip:b@h SIP/2.0", "ACK sip:b@h SIP/2.0",
		"BYE sip:b@h SIP/2.0", "UPDATE sip:b@h SIP/2.0", "PRACK sip:b@h SIP/2.0",
		"SIP/2.0 183 P", "SIP/2.0 200 OK", "SIP/2.0 488 No", "SIP/2.0 407 Auth" };
	static const char *const method[] = { "INVITE", "ACK", "BYE", "UPDATE", "PRACK" };
	static const char *const tag[] = { "t1", "t2", "t3", "" };
	static const char *const body[] = { NULL, offer_ann, answer_bob,
		SDP(C("0.0.0.0"), AUDIO("4000")), SDP(C(BOB), AUDIO("0")),
		SDP(C(ANN), AUDIO("4000") AUDIO("4002") "a=rtcp-mux\r\n"), "v=0\r\nx\r\n" };
	uint32_t x = 7;

	(void)state;
	for (int relay = 0; relay < 2; relay++) {
		begin_with((struct sip_media_conf){ .calls = 3 }, relay);
		for (int i = 0; i < 20000; i++) {
			char cseq[32];
			uint32_t f, m;

			x = x * 1664525 + 1013904223;
			f = (x >> 8) % 9;
			m = f < 5 ? f : (x >> 13) % 5;
			snprintf(cseq, sizeof(cseq), "%u %s", 1 + (x >> 16) % 2, method[m]);
			say(x >> 17 & 1, first[f], tag[(x >> 18) % 3], tag[(x >> 20) & 3], cseq,
				body[(x >> 22) % 7]);
			if (i % 50 == 0)
				later(x >> 25 & 63);
			assert_true(w.stats->calls <= 3);
		}
		assert_true(w.stats->answers > 100 && w.stats->ended > 100);
		later(MAX + 10);
		assert_int_equal(w.stats->calls, 0);
		assert_int_equal(w.holes->stats.open, 0);
		end();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_for_the_calls_life),
		cmocka_unit_test(failures),
		cmocka_unit_test(lost_ends),
		cmocka_unit_test(rtcp),
		cmocka_unit_test(offers_later_and_elsewhere),
		cmocka_unit_test(forks),
		cmocka_unit_test(what_is_not_believed),
		cmocka_unit_test(by_way_of_the_relay),
		cmocka_unit_test(every_place_is_rewritten),
		cmocka_unit_test(families_and_strangers),
		cmocka_unit_test(made_again),
		cmocka_unit_test(no_room),
		cmocka_unit_test(nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
