/* The proxy with transactions, under a made-up clock: what it sends when, and that it forgets all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "restless.h"
#include "server.h"
#include "sip_world.h"

#define HZ  1000000u
#define MS  (HZ / 1000)
#define MAX 256

#define CALLER "10.0.0.9"
#define CALLEE "203.0.113.5"

struct sent {
	enum nfv_dir dir;
	struct nfv_endpoint from, to;
	char text[4096];
};

static struct sip_server *s;
static struct sip_txns_pages pages;
#define SENT 256

static struct sent sent[SENT];
static unsigned int n_sent;
static uint64_t now;
static struct sip_outcome last;
static bool refuse_to_send;

static bool
sink(void *ctx, enum nfv_dir dir, const struct nfv_endpoint *from, const struct nfv_endpoint *to,
	struct nfv_sv text)
{
	struct sent *o = &sent[n_sent < SENT ? n_sent : SENT - 1]; /* later ones are only counted */

	(void)ctx;
	if (refuse_to_send)
		return false;
	assert_in_range(text.n, 1, sizeof(o->text) - 1);
	*o = (struct sent){ dir, *from, *to, { 0 } };
	memcpy(o->text, text.p, text.n);
	n_sent++;
	return true;
}

static int
start_with(uint32_t max)
{
	const struct sip_txns_conf tc = { .max = max, .timer_c = 181, .tsc_hz = HZ, .now = 0 };
	struct nfv_stage_ctx ctx;
	struct nfv_err err;
	size_t slots, buckets, texts;

	s = calloc(1, sizeof(*s));
	s->px.port = 5060;
	s->px.record_route = true;
	s->px.key = (struct siphash_key){ { 1, 2 } };
	s->failover_ms = 2000;
	sip_overload_init(&s->overload, HZ, 0, 1);
	s->refusals = sip_bucket(HZ, 1000, 1);
	world_ctx(&ctx);
	assert_int_equal(sip_proxy_init(&s->px, &ctx, &err), 0);
	sip_txns_need(max, &slots, &buckets, &texts);
	pages = (struct sip_txns_pages){ restless_alloc(slots), restless_alloc(buckets),
		restless_alloc(texts) };
	sip_txns_init(&s->txns, &tc, &pages, 7);
	s->sink = (struct sip_sink){ NULL, sink };
	now = 1000 * MS;
	n_sent = 0;
	refuse_to_send = false;
	return 0;
}

static int
start(void **state)
{
	(void)state;
	return start_with(MAX);
}

static void
tick_to(uint64_t to)
{
	for (; now < to; now += MS) {
		restless_move(&pages.slots, now / MS % pages.slots.n);
		assert_true(sip_server_tick(s, now, 1000));
	}
}

static void
wait_ms(uint64_t ms)
{
	n_sent = 0;
	tick_to(now + ms * MS);
}

/* After the last timer nothing is left of anything. */
static int
stop(void **state)
{
	(void)state;
	wait_ms(400000);
	assert_int_equal(s->txns.n_free, s->txns.max);
	assert_int_equal(s->txns.texts.n_free, s->txns.texts.blocks);
	for (int i = 0; i < SIP_MACHINES; i++)
		assert_int_equal(s->txns.live[i], 0);
	restless_free(&pages.slots);
	restless_free(&pages.buckets);
	restless_free(&pages.texts);
	free(s);
	return 0;
}

static void
take(enum nfv_dir dir, const char *src, const char *dst, const char *text)
{
	struct sip_in in = { .dir = dir, .src = { .port = 5060 }, .dst = { .port = 5060 } };
	/* At the end of a mapping of its own a read past it would be seen by ASan. */
	size_t n = strlen(text);
	char *copy = malloc(n);

	memcpy(copy, text, n);
	in.text = nfv_sv(copy, n);
	assert_int_equal(nfv_addr_parse(nfv_sv_str(src), &in.src.addr), 0);
	assert_int_equal(nfv_addr_parse(nfv_sv_str(dst), &in.dst.addr), 0);
	n_sent = 0;
	/* Pages may move between any two messages. */
	restless_move_all(&pages.slots);
	restless_move_all(&pages.buckets);
	restless_move_all(&pages.texts);
	sip_server_take(s, &in, now, &last);
	free(copy);
}

static const char *
make(const char *method, const char *uri, const char *branch, const char *cseq)
{
	static char text[2048];

	snprintf(text, sizeof(text),
		"%s %s SIP/2.0\r\nVia: SIP/2.0/UDP " CALLER ";branch=z9hG4bK%s\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@y>\r\nCall-ID: c1\r\n"
		"CSeq: 1 %s\r\nContact: <sip:a@" CALLER ">\r\nContent-Length: 0\r\n\r\n",
		method, uri, branch, cseq);
	return text;
}

static void
request(const char *method, const char *branch)
{
	take(NFV_OUTWARD, CALLER, IN4, make(method, "sip:b@" CALLEE, branch, method));
}

/* The response of whoever has got `to`. */
static void
reply(const char *status, const struct sent *to)
{
	static char text[4096];
	char addr[NFV_ADDR_TEXT];

	snprintf(text, sizeof(text), "SIP/2.0 %s%s", status, strstr(to->text, "\r\n"));
	take(NFV_INWARD, nfv_addr_text(&to->to.addr, addr), OUT4, text);
}

static bool
begins(const struct sent *o, const char *with)
{
	return strncmp(o->text, with, strlen(with)) == 0;
}

static bool
has_sent(const char *beginning)
{
	for (unsigned int i = 0; i < n_sent && i < SENT; i++)
		if (begins(&sent[i], beginning))
			return true;
	return false;
}

static struct sent
invite(const char *branch)
{
	request("INVITE", branch);
	assert_int_equal(n_sent, 2);
	assert_true(begins(&sent[0], "SIP/2.0 100 Trying\r\n"));
	assert_null(strstr(sent[0].text, "To: <sip:b@y>;tag"));
	assert_int_equal(sent[0].dir, NFV_INWARD);
	assert_true(begins(&sent[1], "INVITE sip:b@" CALLEE " SIP/2.0\r\n"));
	assert_int_equal(sent[1].dir, NFV_OUTWARD);
	return sent[1];
}

/* ---- what should happen ---- */

static void
a_call(void **state)
{
	struct sent inv, bye;

	(void)state;
	inv = invite("1");
	reply("180 Ringing", &inv);
	assert_int_equal(n_sent, 1);
	assert_true(begins(&sent[0], "SIP/2.0 180 Ringing\r\n"));
	assert_null(strstr(sent[0].text, "z9hG4bKnft"));
	reply("200 OK", &inv);
	assert_int_equal(n_sent, 1);
	reply("200 OK", &inv); /* once more: its sender has not seen the ACK */
	assert_int_equal(n_sent, 1);
	request("INVITE", "1"); /* overtaken by its answer: absorbed (RFC 6026) */
	assert_int_equal(n_sent, 0);
	request("ACK", "2");
	assert_int_equal(n_sent, 1);
	assert_true(begins(&sent[0], "ACK sip:b@" CALLEE));
	request("BYE", "3");
	assert_int_equal(n_sent, 1);
	bye = sent[0];
	reply("200 OK", &bye);
	assert_int_equal(n_sent, 1);
	request("BYE", "3");
	assert_int_equal(n_sent, 1);
	assert_true(begins(&sent[0], "SIP/2.0 200 OK\r\n"));
	reply("200 OK", &bye);
	assert_int_equal(n_sent, 0);
	assert_int_equal(s->count.absorbed, 3);
}

static void
retransmissions_are_absorbed_and_made(void **state)
{
	static const unsigned int at[] = { 500, 1500, 3500, 7500, 15500, 31500 };
	struct sent inv;
	char first[4096];
	uint64_t begin;

	(void)state;
	inv = invite("1");
	memcpy(first, inv.text, sizeof(first));
	begin = now;
	request("INVITE", "1");
	assert_int_equal(n_sent, 1);
	assert_true(begins(&sent[0], "SIP/2.0 100 Trying\r\n"));
	for (unsigned int i = 0; i < 6; i++) {
		n_sent = 0;
		tick_to(begin + (at[i] - 2) * MS);
		assert_int_equal(n_sent, 0);
		tick_to(begin + (at[i] + 4) * MS);
		assert_int_equal(n_sent, 1);
		assert_string_equal(sent[0].text, first);
	}
	n_sent = 0;
	tick_to(begin + 32005 * MS);
	assert_int_equal(n_sent, 1); /* timer B */
	assert_true(begins(&sent[0], "SIP/2.0 408 Request Timeout\r\n"));
	assert_int_equal(sent[0].dir, NFV_INWARD);
	wait_ms(600); /* timer G: until it is acknowledged */
	assert_int_equal(n_sent, 1);
	assert_true(begins(&sent[0], "SIP/2.0 408"));
	request("ACK", "1");
	assert_int_equal(n_sent, 0);
	wait_ms(5000);
	assert_int_equal(n_sent, 0);
}

static void
others_end_silently(void **state)
{
	(void)state;
	request("OPTIONS", "1");
	assert_int_equal(n_sent, 1);
	wait_ms(31900);
	assert_int_equal(n_sent, 10); /* 0.5, 1.5, 3.5, 7.5, 11.5 … 31.5 s (timer E) */
	wait_ms(1000);
	assert_int_equal(n_sent, 0); /* RFC 4320: no 408 to a non-INVITE request */
}

static void
a_refusal_is_acknowledged_here(void **state)
{
	struct sent inv;

	(void)state;
	inv = invite("1");
	reply("486 Busy Here", &inv);
	assert_int_equal(n_sent, 2);
	assert_true(begins(&sent[0], "ACK sip:b@" CALLEE " SIP/2.0\r\nVia: SIP/2.0/UDP " OUT4));
	assert_non_null(strstr(sent[0].text, "CSeq: 1 ACK\r\n"));
	assert_true(strncmp(strstr(sent[0].text, "branch="), strstr(inv.text, "branch="), 57) == 0);
	assert_true(begins(&sent[1], "SIP/2.0 486 Busy Here\r\n"));
	reply("486 Busy Here", &inv); /* the ACK was lost */
	assert_int_equal(n_sent, 1);
	assert_true(begins(&sent[0], "ACK "));
	wait_ms(520);
	assert_int_equal(n_sent, 1); /* ours was lost too */
	assert_true(begins(&sent[0], "SIP/2.0 486"));
	request("INVITE", "1");
	assert_int_equal(n_sent, 1);
	request("ACK", "1");
	assert_int_equal(n_sent, 0);
	request("ACK", "1");
	assert_int_equal(n_sent, 0);
	wait_ms(8000);
	assert_int_equal(n_sent, 0);
}

static void
cancelled_before_and_after_it_rings(void **state)
{
	struct sent inv, cancel;

	(void)state;
	for (int early = 0; early < 2; early++) {
		const char *branch = early ? "e" : "l";

		inv = invite(branch);
		if (!early)
			reply("180 Ringing", &inv);
		request("CANCEL", branch);
		assert_int_equal(n_sent, early ? 1 : 2);
		assert_true(begins(&sent[0], "SIP/2.0 200 OK\r\n"));
		assert_non_null(strstr(sent[0].text, "CSeq: 1 CANCEL"));
		if (early) {
			reply("180 Ringing", &inv);
			assert_int_equal(n_sent, 2);
		}
		cancel = sent[early ? 0 : 1];
		assert_true(begins(&cancel, "CANCEL sip:b@" CALLEE " SIP/2.0\r\n"));
		request("CANCEL", branch);
		assert_int_equal(n_sent, 1); /* answered again, not sent again */
		wait_ms(510);
		assert_int_equal(n_sent, 1); /* but by its own timer */
		assert_true(begins(&sent[0], "CANCEL "));
		reply("200 OK", &cancel);
		assert_int_equal(n_sent, 0);
		assert_int_equal(last.action, SIP_ABSORB);
		wait_ms(3000);
		assert_int_equal(n_sent, 0);
		reply("487 Request Terminated", &inv);
		assert_int_equal(n_sent, 2);
		assert_true(begins(&sent[0], "ACK "));
		assert_true(begins(&sent[1], "SIP/2.0 487"));
		request("ACK", branch);
	}
	assert_int_equal(s->count.cancels, 2);
}

/* One that is kept in several blocks. */
static void
a_long_request_is_kept_whole(void **state)
{
	static char text[4096], body[1200];
	struct sent inv;

	(void)state;
	memset(body, 'x', sizeof(body) - 1);
	snprintf(text, sizeof(text), "%s", make("INVITE", "sip:b@" CALLEE, "1", "INVITE"));
	snprintf(strstr(text, "Content-Length"), 2048, "Subject: %s\r\nContent-Length: 0\r\n\r\n",
		body);
	take(NFV_OUTWARD, CALLER, IN4, text);
	assert_int_equal(n_sent, 2);
	inv = sent[1];
	wait_ms(510);
	assert_int_equal(n_sent, 1);
	assert_string_equal(sent[0].text, inv.text);
	reply("180 Ringing", &inv);
	request("CANCEL", "1");
	assert_int_equal(n_sent, 2);
	assert_true(begins(&sent[1], "CANCEL sip:b@" CALLEE " SIP/2.0\r\n"));
	reply("200 OK", &sent[1]);
	reply("487 Request Terminated", &inv);
	assert_int_equal(n_sent, 2);
	request("ACK", "1");
}

static void
a_cancel_that_comes_too_late(void **state)
{
	struct sent inv;

	(void)state;
	inv = invite("1");
	reply("180 Ringing", &inv);
	reply("200 OK", &inv);
	request("CANCEL", "1");
	assert_int_equal(n_sent, 1);
	assert_true(begins(&sent[0], "SIP/2.0 200 OK\r\n"));
	/* Of nothing we know: it passes (§16.10). */
	request("CANCEL", "9");
	assert_int_equal(n_sent, 1);
	assert_true(begins(&sent[0], "CANCEL sip:b@"));
	reply("481 Call/Transaction Does Not Exist", &sent[0]);
	assert_int_equal(n_sent, 1);
	assert_true(begins(&sent[0], "SIP/2.0 481"));
}

static void
rings_too_long(void **state)
{
	struct sent inv;

	(void)state;
	inv = invite("1");
	reply("180 Ringing", &inv);
	wait_ms(100000);
	reply("180 Ringing", &inv); /* sets timer C anew */
	wait_ms(180000);
	assert_int_equal(n_sent, 0);
	wait_ms(1010);
	assert_int_equal(n_sent, 1);
	assert_true(begins(&sent[0], "CANCEL "));
	wait_ms(40000); /* and then it does not even say 487 */
	assert_true(n_sent > 3);
	for (unsigned int i = 0, final = 0; i < n_sent; i++) {
		final += begins(&sent[i], "SIP/2.0 487");
		if (i == n_sent - 1)
			assert_true(final >= 1);
	}
	request("ACK", "1");
}

/* ---- several targets ---- */

static const char *const users[3] = { "203.0.113.11", "203.0.113.12", "203.0.113.13" };
static uint16_t q[3];
static bool failover;

static unsigned int
locate(void *ctx, struct nfv_sv user, struct nfv_sv domain, struct sip_hop *hop, unsigned int max)
{
	static char uri[3][64];

	(void)ctx;
	(void)domain;
	(void)max;
	if (!nfv_sv_eq(user, NFV_SV("bob")))
		return 0;
	for (int i = 0; i < 3; i++) {
		hop[i] =
			(struct sip_hop){ .q = q[i], .failover = failover, .to = { .port = 5060 } };
		nfv_addr_parse(nfv_sv_str(users[i]), &hop[i].to.addr);
		snprintf(uri[i], sizeof(uri[i]), "sip:bob@%s;line=%d", users[i], i);
		hop[i].uri = nfv_sv_str(uri[i]);
	}
	return 3;
}

static void
call_bob(uint16_t q0, uint16_t q1, uint16_t q2)
{
	static const char *const domains[] = { "own.example.org" };

	s->px.locate = locate;
	s->px.domains = domains;
	s->px.n_domains = 1;
	q[0] = q0;
	q[1] = q1;
	q[2] = q2;
	take(NFV_OUTWARD, CALLER, IN4, make("INVITE", "sip:bob@own.example.org", "f", "INVITE"));
	assert_true(begins(&sent[0], "SIP/2.0 100"));
}

static void
forks_and_the_first_to_answer_wins(void **state)
{
	struct sent branch[3];

	(void)state;
	call_bob(500, 500, 500);
	assert_int_equal(n_sent, 4);
	memcpy(branch, &sent[1], sizeof(branch));
	assert_true(begins(&branch[1], "INVITE sip:bob@203.0.113.12;line=1 SIP/2.0\r\n"));
	reply("180 Ringing", &branch[0]);
	reply("183 Session Progress", &branch[1]);
	assert_int_equal(n_sent, 1);
	reply("404 Not Found", &branch[2]);
	assert_int_equal(n_sent, 1); /* the ACK; the rest is still open */
	/* Its caller is not told of the refusal yet. */
	take(NFV_OUTWARD, CALLER, IN4, make("INVITE", "sip:bob@own.example.org", "f", "INVITE"));
	assert_int_equal(n_sent, 1);
	assert_true(begins(&sent[0], "SIP/2.0 1"));
	reply("200 OK", &branch[1]);
	assert_int_equal(n_sent, 2);
	assert_true(begins(&sent[0], "SIP/2.0 200"));
	assert_true(begins(&sent[1], "CANCEL sip:bob@203.0.113.11;line=0 SIP/2.0\r\n"));
	reply("200 OK", &sent[1]);
	reply("200 OK", &branch[0]); /* both have picked up: both are for the caller (§16.7 (5)) */
	assert_int_equal(n_sent, 1);
	assert_true(begins(&sent[0], "SIP/2.0 200"));
	assert_int_equal(s->count.forks, 1);
}

static void
tries_one_after_the_other(void **state)
{
	struct sent branch;

	(void)state;
	call_bob(1000, 500, 100);
	assert_int_equal(n_sent, 2);
	branch = sent[1];
	reply("486 Busy Here", &branch);
	assert_int_equal(n_sent, 2);
	branch = sent[1];
	assert_true(begins(&branch, "INVITE sip:bob@203.0.113.12;line=1 SIP/2.0\r\n"));
	wait_ms(510);
	assert_int_equal(n_sent, 1);
	assert_string_equal(sent[0].text, branch.text);
	reply("404 Not Found", &branch);
	branch = sent[1];
	assert_true(begins(&branch, "INVITE sip:bob@203.0.113.13;line=2 SIP/2.0\r\n"));
	reply("500 Server Internal Error", &branch);
	assert_int_equal(n_sent, 2);
	assert_true(begins(&sent[1], "SIP/2.0 4")); /* the lowest class (§16.7 (6)) */
	take(NFV_OUTWARD, CALLER, IN4, make("ACK", "sip:bob@own.example.org", "f", "ACK"));
	assert_int_equal(n_sent, 0);
}

static void
a_decline_ends_it(void **state)
{
	struct sent branch[2];

	(void)state;
	call_bob(500, 500, 100);
	assert_int_equal(n_sent, 3);
	memcpy(branch, &sent[1], sizeof(branch));
	reply("180 Ringing", &branch[0]);
	reply("603 Decline", &branch[1]);
	assert_int_equal(n_sent, 2);
	assert_true(begins(&sent[0], "ACK "));
	assert_true(begins(&sent[1], "CANCEL "));
	reply("487 Request Terminated", &branch[0]);
	assert_int_equal(n_sent, 2);
	assert_true(begins(&sent[1], "SIP/2.0 603")); /* not 487, and the third is not tried */
	take(NFV_OUTWARD, CALLER, IN4, make("ACK", "sip:bob@own.example.org", "f", "ACK"));
}

static void
the_next_one_is_for_absence(void **state)
{
	struct sent branch;

	(void)state;
	failover = true;
	call_bob(3, 2, 1);
	wait_ms(2010); /* nobody there */
	assert_int_equal(n_sent, 3);
	branch = sent[2];
	assert_true(begins(&branch, "INVITE sip:bob@203.0.113.12"));
	reply("503 Service Unavailable", &branch);
	assert_int_equal(n_sent, 2);
	branch = sent[1];
	assert_true(begins(&branch, "INVITE sip:bob@203.0.113.13"));
	reply("486 Busy Here", &branch);
	assert_true(begins(&sent[1], "SIP/2.0 486"));
	take(NFV_OUTWARD, CALLER, IN4, make("ACK", "sip:bob@own.example.org", "f", "ACK"));
	assert_int_equal(s->count.failovers, 2);
	failover = false;
}

static void
someone_elses_overload_is_not_ours(void **state)
{
	struct sent inv;

	(void)state;
	inv = invite("1");
	reply("503 Service Unavailable", &inv);
	assert_int_equal(n_sent, 2);
	assert_true(begins(&sent[1], "SIP/2.0 500"));
	request("ACK", "1");
}

/* ---- what should not ---- */

static void
strays(void **state)
{
	struct sent inv;
	char *branch;

	(void)state;
	inv = invite("1");
	branch = strstr(inv.text, "z9hG4bKnft");
	branch[17]++; /* another transaction: its seal does not fit */
	reply("200 OK", &inv);
	assert_int_equal(n_sent, 0);
	assert_int_equal(last.action, SIP_DROP);
	assert_int_equal(last.drop, SIP_DROP_RESPONSE_STRAY);
	branch[17]--;
	reply("200 OK", &inv);
	assert_int_equal(n_sent, 1);
	wait_ms(33000); /* RFC 6026 §7.3: what comes after that passes no more */
	reply("200 OK", &inv);
	assert_int_equal(n_sent, 0);
	assert_int_equal(last.drop, SIP_DROP_RESPONSE_STRAY);
}

static void
a_loop_is_ended(void **state)
{
	struct sent inv;

	(void)state;
	inv = invite("1");
	/* It comes back from outside as it left. */
	s->px.relay = true;
	take(NFV_INWARD, CALLEE, OUT4, inv.text);
	assert_int_equal(n_sent, 1);
	assert_true(begins(&sent[0], "SIP/2.0 482"));
	/* With another Request-URI it is a spiral, which is allowed (RFC 5393 §4.2). */
	memcpy(strstr(inv.text, "sip:b@"), "sip:c@", 6);
	take(NFV_INWARD, CALLEE, OUT4, inv.text);
	assert_int_equal(n_sent, 2);
	assert_true(begins(&sent[1], "INVITE sip:c@"));
}

static void
full_tables_refuse_before_they_allocate(void **state)
{
	static const char bye[] =
		"BYE sip:b@" CALLEE " SIP/2.0\r\nVia: SIP/2.0/UDP " CALLER ";branch=z9hG4bKbye\r\n"
		"From: <sip:a@x>;tag=1\r\nTo: <sip:b@y>;tag=2\r\nCall-ID: 1\r\nCSeq: 2 BYE\r\n\r\n";
	struct sent first;
	char branch[16];
	unsigned int taken = 0;

	(void)state;
	for (int i = 0; i < 300; i++) {
		snprintf(branch, sizeof(branch), "x%d", i);
		request("INVITE", branch);
		if (n_sent == 2) {
			taken++;
			continue;
		}
		assert_int_equal(n_sent, 1);
		assert_true(begins(&sent[0], "SIP/2.0 503"));
		assert_non_null(strstr(sent[0].text, "Retry-After: "));
	}
	assert_int_equal(taken, MAX / 2);
	assert_int_equal(s->count.full, 300 - MAX / 2);
	/* Calls go on: without a transaction, by the same branch every time. */
	take(NFV_OUTWARD, CALLER, IN4, bye);
	assert_int_equal(n_sent, 1);
	assert_true(begins(&sent[0], "BYE sip:b@" CALLEE));
	first = sent[0];
	take(NFV_OUTWARD, CALLER, IN4, bye);
	assert_int_equal(n_sent, 1);
	assert_string_equal(sent[0].text, first.text);
	reply("200 OK", &first);
	assert_int_equal(n_sent, 1);
	assert_true(begins(&sent[0], "SIP/2.0 200 OK\r\n"));
	assert_int_equal(sent[0].dir, NFV_INWARD);
	n_sent = 0;
	for (uint64_t end = now + 70000 * MS; now < end; now += MS) {
		n_sent = 0;
		while (!sip_server_tick(s, now, 20))
			n_sent = 0;
	}
}

/* ---- users of our own domain ---- */

static void
users_up(const char *journal, const char *credentials)
{
	static const char *const domains[] = { "own.example.org" };
	const struct sip_users_conf uc = { .registrations = 64,
		.contacts = 4,
		.min_expires = 60,
		.default_expires = 600,
		.max_expires = 7200,
		.journal = journal,
		.credentials = credentials,
		.authenticate = SIP_AUTH_CALLS,
		.own = s->px.own,
		.n_own = s->px.n_own,
		.tsc_hz = HZ,
		.now = now,
		.seed = 3 };
	struct nfv_err err;

	if (sip_users_create(&uc, &s->users, &err) < 0)
		fail_msg("%s", err.text);
	s->px.locate = sip_users_locate;
	s->px.locate_ctx = s->users;
	s->px.domains = domains;
	s->px.n_domains = 1;
}

static void
users_down(void)
{
	sip_users_destroy(s->users);
	s->users = NULL;
}

static void
add_contact(unsigned int cseq, const char *extra)
{
	char text[1024];

	snprintf(text, sizeof(text),
		"REGISTER sip:own.example.org SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 192.168.7.7;branch=z9hG4bKr%u;rport\r\nMax-Forwards: 70\r\n"
		"From: <sip:bob@own.example.org>;tag=a\r\nTo: <sip:bob@own.example.org>\r\n"
		"Call-ID: reg\r\nCSeq: %u REGISTER\r\n%s"
		"Contact: <sip:bob@192.168.7.7;line=9>\r\nContent-Length: 0\r\n\r\n",
		cseq, cseq, extra);
	take(NFV_OUTWARD, CALLER, IN4, text);
	assert_int_equal(n_sent, 1);
}

/* A call from outside to a user behind a NAT reaches him where he registered from, from the address that
 * he registered at, and it does so after a restart. */
static void
a_user_is_found_where_he_registered_from(void **state)
{
	char path[] = "/tmp/test_server.XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	for (int run = 0; run < 2; run++) {
		users_up(path, "");
		if (run == 0) {
			add_contact(1, "");
			assert_true(begins(&sent[0], "SIP/2.0 200 OK\r\n"));
			assert_non_null(strstr(sent[0].text, ";line=9>;expires=600"));
		}
		take(NFV_INWARD, CALLEE, OUT4,
			make("INVITE", "sip:bob@own.example.org", run == 0 ? "in0" : "in1",
				"INVITE"));
		assert_int_equal(n_sent, 2);
		assert_true(begins(&sent[1], "INVITE sip:bob@192.168.7.7;line=9 SIP/2.0\r\n"));
		assert_int_equal(sent[1].dir, NFV_INWARD);
		assert_memory_equal(
			&sent[1].from.addr, &s->px.own[2].prefix.addr, sizeof(sent[1].from.addr));
		wait_ms(510); /* and again, though all that is kept is the request and his place */
		assert_true(has_sent("INVITE sip:bob@192.168.7.7;line=9 SIP/2.0\r\n"));
		take(NFV_INWARD, CALLEE, OUT4,
			make("INVITE", "sip:nobody@own.example.org", "no", "INVITE"));
		assert_true(begins(&sent[0], "SIP/2.0 480"));
		if (run == 1)
			wait_ms(600000);
		take(NFV_INWARD, CALLEE, OUT4,
			make("OPTIONS", "sip:bob@own.example.org", run == 0 ? "o0" : "o1",
				"OPTIONS"));
		assert_true(begins(&sent[0], run == 0 ? "OPTIONS " : "SIP/2.0 480")); /* expired */
		users_down();
	}
	s->px.locate = NULL;
	unlink(path);
}

static void
who_cannot_prove_who_he_is(void **state)
{
	char path[] = "/tmp/test_server.XXXXXX";
	/* H(bob:own.example.org:secret) */
	static const char user[] = "bob:own.example.org:d2d18bd5ff0dbf9a8ae2c5b4b7e2c0ea\n";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, user, sizeof(user) - 1), sizeof(user) - 1);
	close(fd);
	users_up("", path);
	add_contact(1, "");
	assert_true(begins(&sent[0], "SIP/2.0 401 Unauthorized\r\n"));
	assert_non_null(strstr(sent[0].text, "WWW-Authenticate: Digest realm=\"own.example.org\""));
	/* Callers from our domain are asked too, others are not. */
	take(NFV_OUTWARD, CALLER, IN4,
		"OPTIONS sip:b@" CALLEE " SIP/2.0\r\nVia: SIP/2.0/UDP " CALLER
		";branch=z9hG4bKa\r\n"
		"From: <sip:bob@own.example.org>;tag=1\r\nTo: <sip:b@y>\r\nCall-ID: 1\r\nCSeq: 2 OPTIONS\r\n\r\n");
	assert_int_equal(n_sent, 1);
	assert_true(begins(&sent[0], "SIP/2.0 407"));
	assert_non_null(strstr(sent[0].text, "Proxy-Authenticate: Digest"));
	request("OPTIONS", "other");
	assert_true(begins(&sent[0], "OPTIONS "));
	users_down();
	s->px.locate = NULL;
	unlink(path);
}

/* Long messages fill the store before the table: what cannot be kept is said once. */
static void
a_full_store_keeps_nothing(void **state)
{
	static char text[4096], body[1400];
	struct sent inv, cancelled;
	char branch[8];

	(void)state;
	cancelled = invite("c");
	reply("180 Ringing", &cancelled);
	inv = invite("1");
	memset(body, 'x', sizeof(body) - 1);
	for (int i = 0; s->txns.texts.n_free > 0 && i < 300; i++) {
		/* Long ones, and then short ones into what they leave. */
		body[s->txns.texts.n_free > 6 ? sizeof(body) - 1 : 1] = '\0';
		snprintf(branch, sizeof(branch), "f%d", i);
		snprintf(text, sizeof(text), "%s",
			make("INVITE", "sip:b@" CALLEE, branch, "INVITE"));
		snprintf(strstr(text, "Content-Length"), 2048,
			"Subject: %s\r\nContent-Length: 0\r\n\r\n", body);
		take(NFV_OUTWARD, CALLER, IN4, text);
	}
	assert_int_equal(s->txns.texts.n_free, 0);
	reply("486 Busy Here", &inv);
	assert_true(begins(&sent[n_sent - 1], "SIP/2.0 486"));
	request("CANCEL", "c");
	for (int i = 0; i < 4; i++) {
		wait_ms(600);
		request("INVITE", "1");
	}
	request("ACK", "1");
	n_sent = 0;
	for (uint64_t end = now + 70000 * MS; now < end; now += MS) {
		n_sent = 0;
		sip_server_tick(s, now, 1000);
	}
}

/* ---- when there is too much, and when others are not there ---- */

/* So many milliseconds in which the worker is busy, but for so many microseconds in each. */
static void
busy(unsigned int ms, unsigned int spare_us)
{
	static uint64_t idle;

	for (unsigned int i = 0; i < 10 * ms; i++) {
		now += MS / 10;
		idle += spare_us * (MS / 1000) / 10;
		sip_overload_note(&s->overload, idle, now);
	}
}

static unsigned int
let_in(unsigned int of)
{
	static unsigned int serial;
	unsigned int in = 0;
	char branch[16];

	for (unsigned int i = 0; i < of; i++) {
		snprintf(branch, sizeof(branch), "o%u", serial++);
		request("OPTIONS", branch);
		assert_int_equal(n_sent, 1);
		in += begins(&sent[0], "OPTIONS ");
	}
	return in;
}

static void
new_requests_are_refused_while_there_is_too_much(void **state)
{
	(void)state;
	s->px.overload = &s->overload;
	assert_int_equal(let_in(10), 10);
	for (int i = 0; i < 100; i++) { /* kept from the core for a while, again and again */
		now += 10 * MS;
		busy(25, 0);
		busy(10, 200);
	}
	assert_int_equal(let_in(10), 10);
	busy(42, 0);
	assert_in_range(let_in(40), 34, 36); /* seven eighths */
	busy(50, 0);
	assert_in_range(let_in(40), 15, 22); /* by (15/16)^10 less */
	busy(500, 0);
	assert_in_range(let_in(64), 1, 2);
	assert_true(s->count.shed >= 53);
	/* What goes on is not touched. */
	take(NFV_OUTWARD, CALLER, IN4,
		"BYE sip:b@" CALLEE " SIP/2.0\r\nVia: SIP/2.0/UDP " CALLER
		";oc;branch=z9hG4bKbye\r\n"
		"From: <sip:a@x>;tag=1\r\nTo: <sip:b@y>;tag=2\r\nCall-ID: 1\r\nCSeq: 2 BYE\r\n\r\n");
	assert_int_equal(n_sent, 1);
	/* And who listens is told (RFC 7339). */
	reply("200 OK", &sent[0]);
	assert_non_null(
		strstr(sent[0].text, ";branch=z9hG4bKbye;oc=98;oc-algo=\"loss\";oc-validity"));
	busy(500, 500);
	assert_int_equal(let_in(40), 40);
}

/* What is refused as too much is not read; what has been let in is known again before that. */
static void
a_refusal_looks_no_further(void **state)
{
	static const char odd[] =
		"INVITE sip:b@" CALLEE " SIP/2.0\r\nVia: SIP/2.0/UDP " CALLER
		";rport;branch=z9hG4bKodd\r\nMax-Forwards: 70\r\nf: \"Ann\" <sip:a@x>;tag=1\r\n"
		"Contact: ,,\r\nTo:  <sip:b@y>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n";
	struct sent inv = invite("1");
	char expect[512];
	const char *tag;

	(void)state;
	s->overload.admit = 0;
	request("INVITE", "1");
	assert_int_equal(n_sent, 1); /* as it was answered before */
	assert_true(begins(&sent[0], "SIP/2.0 100"));
	take(NFV_OUTWARD, CALLER, IN4, odd);
	assert_int_equal(n_sent, 1);
	tag = strstr(sent[0].text, "<sip:b@y>;tag=");
	assert_non_null(tag);
	snprintf(expect, sizeof(expect),
		"SIP/2.0 503 Service Unavailable\r\nVia: SIP/2.0/UDP " CALLER
		";branch=z9hG4bKodd;received=" CALLER ";rport=5060\r\n"
		"f: \"Ann\" <sip:a@x>;tag=1\r\nTo:  <sip:b@y>;tag=%.16s\r\nCall-ID: 1\r\n"
		"CSeq: 1 INVITE\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n",
		tag + strlen("<sip:b@y>;tag="));
	assert_string_equal(sent[0].text, expect);
	s->overload.admit = SIP_ADMIT_ALL;
	take(NFV_OUTWARD, CALLER, IN4, odd);
	assert_true(begins(&sent[0], "SIP/2.0 400 Malformed Contact"));
	reply("486 Busy Here", &inv);
	wait_ms(400000);
}

static void
a_rate_is_kept(void **state)
{
	(void)state;
	sip_overload_init(&s->overload, HZ, 100, 0.1);
	assert_int_equal(let_in(40), 10);
	wait_ms(50);
	assert_int_equal(let_in(40), 5);
}

static void
trunks_that_are_gone_are_passed_over(void **state)
{
	struct sip_trunk *t = s->px.trunks.trunk;
	struct sent probe[2];
	unsigned int to_first = 0;

	(void)state;
	for (int i = 0; i < 2; i++) {
		t[i] = (struct sip_trunk){ .to.port = 5060, .weight = i == 0 ? 3 : 1 };
		nfv_addr_parse(nfv_sv_str(users[i]), &t[i].to.addr);
	}
	s->px.trunks.n = 2;
	s->probe_every = 10 * HZ;
	wait_ms(2);
	assert_int_equal(n_sent, 2);
	memcpy(probe, sent, sizeof(probe));
	assert_true(begins(&probe[0], "OPTIONS sip:203.0.113.11:5060 SIP/2.0\r\n"));
	reply("404 Not Found", &probe[1]); /* whatever it says, it is there */
	assert_int_equal(n_sent, 0);
	for (int i = 0; i < 40; i++) {
		char branch[16];

		snprintf(branch, sizeof(branch), "t%d", i);
		take(NFV_OUTWARD, CALLER, IN4,
			make("OPTIONS", "sip:x@example.net", branch, "OPTIONS"));
		assert_int_equal(n_sent, 1);
		if (nfv_addr_eq(&sent[0].to.addr, &t[0].to.addr))
			to_first++;
		else
			reply("200 OK", &sent[0]);
	}
	assert_in_range(to_first, 22, 38); /* three quarters */
	wait_ms(4100);
	assert_true(t[0].dead);
	take(NFV_OUTWARD, CALLER, IN4, make("OPTIONS", "sip:x@example.net", "late", "OPTIONS"));
	assert_true(nfv_addr_eq(&sent[0].to.addr, &t[1].to.addr));
	wait_ms(6500);
	for (unsigned int i = 0; i < n_sent && i < SENT; i++)
		if (begins(&sent[i], "OPTIONS sip:203.0.113.11:5060 ")) {
			probe[0] = sent[i];
			reply("200 OK", &probe[0]);
			break;
		}
	assert_false(t[0].dead);
	s->probe_every = 0;
}

static void
a_trunk_where_it_rings_for_long_is_there(void **state)
{
	struct sip_trunk *t = s->px.trunks.trunk;
	struct sent inv;

	(void)state;
	t[0] = (struct sip_trunk){ .to.port = 5060, .weight = 1 };
	nfv_addr_parse(nfv_sv_str(users[0]), &t[0].to.addr);
	s->px.trunks.n = 1;
	take(NFV_OUTWARD, CALLER, IN4, make("INVITE", "sip:x@example.net", "r", "INVITE"));
	assert_int_equal(n_sent, 2);
	inv = sent[1];
	reply("180 Ringing", &inv);
	wait_ms(181010);
	assert_int_equal(n_sent, 1);
	assert_true(begins(&sent[0], "CANCEL "));
	assert_false(t[0].dead);
	reply("200 OK", &sent[0]);
	reply("487 Request Terminated", &inv);
	take(NFV_OUTWARD, CALLER, IN4, make("ACK", "sip:x@example.net", "r", "ACK"));
	s->px.trunks.n = 0;
}

/* What has no room is sent when its timer says so. */
static void
a_sink_without_room(void **state)
{
	(void)state;
	refuse_to_send = true;
	request("INVITE", "1");
	assert_int_equal(s->count.unsent, 2);
	refuse_to_send = false;
	wait_ms(510);
	assert_int_equal(n_sent, 1);
	assert_true(begins(&sent[0], "INVITE "));
	reply("200 OK", &sent[0]);
}

/* Messages of one call in any order, from both sides, with time passing: it stays whole, and at the end
 * (stop) nothing is left. */
static void
any_order(void **state)
{
	static const char *const methods[] = { "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS" };
	static const char *const statuses[] = { "100 Trying", "180 Ringing", "200 OK", "302 Moved",
		"404 Not Found", "408 Request Timeout", "487 Request Terminated", "503 No",
		"603 Decline" };
	static struct sent seen[64];
	unsigned int n_seen = 0, seed = 1;
	char branch[8];

	(void)state;
	s->px.locate = locate;
	for (int i = 0; i < 20000; i++) {
		seed = seed * 1103515245u + 12345u;
		unsigned int what = seed >> 16 & 15, which = seed >> 20 & 63;

		snprintf(branch, sizeof(branch), "%u", which % 8);
		q[which % 3] = (uint16_t)(which % 2 * 500);
		failover = which % 5 == 0;
		if (what < 4)
			request(methods[which % 5], branch);
		else if (what < 6)
			take(NFV_OUTWARD, CALLER, IN4,
				make(methods[which % 5], "sip:bob@own.example.org", branch,
					methods[which % 5]));
		else if (what < 14 && n_seen > 0)
			reply(statuses[which % 9], &seen[which % n_seen]);
		else
			wait_ms(which * which);
		for (unsigned int k = 0; k < n_sent && k < SENT; k++)
			if (!begins(&sent[k], "SIP/2.0")) {
				seen[n_seen < 64 ? n_seen : which] = sent[k];
				n_seen += n_seen < 64;
			}
	}
	failover = false;
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		CASE(a_call),
		CASE(retransmissions_are_absorbed_and_made),
		CASE(others_end_silently),
		CASE(a_refusal_is_acknowledged_here),
		CASE(cancelled_before_and_after_it_rings),
		CASE(a_long_request_is_kept_whole),
		CASE(a_cancel_that_comes_too_late),
		CASE(rings_too_long),
		CASE(forks_and_the_first_to_answer_wins),
		CASE(tries_one_after_the_other),
		CASE(a_decline_ends_it),
		CASE(the_next_one_is_for_absence),
		CASE(someone_elses_overload_is_not_ours),
		CASE(strays),
		CASE(a_loop_is_ended),
		CASE(full_tables_refuse_before_they_allocate),
		CASE(a_user_is_found_where_he_registered_from),
		CASE(who_cannot_prove_who_he_is),
		CASE(a_full_store_keeps_nothing),
		CASE(new_requests_are_refused_while_there_is_too_much),
		CASE(a_refusal_looks_no_further),
		CASE(a_rate_is_kept),
		CASE(trunks_that_are_gone_are_passed_over),
		CASE(a_trunk_where_it_rings_for_long_is_there),
		CASE(a_sink_without_room),
		CASE(any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
