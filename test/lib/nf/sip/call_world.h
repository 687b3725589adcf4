/**
 * @file
 * Whole calls through one SIP stage under a made-up clock (stage_world.h), step by step: what each side
 * says is made of what it has heard. One call at a time, between a party and its neighbour in the table.
 * Whatever comes out is looked at: right in lengths and sums, and no buffer wanted that there was not.
 * After cmocka.h.
 */
#ifndef CALL_WORLD_H
#define CALL_WORLD_H

#include "stage_world.h"

#define MS      1000ull /* of the world's clock */
#define PARTIES 4
#define BYTES   (MK_ROOM - 128) /* of a message */

/* Even ones are inside. Hostile messages come from where good ones do. */
static const struct party party[PARTIES] = {
	{ "10.0.0.9", 5062, IN4, "10.0.0.9" },
	{ "203.0.113.5", 5070, OUT4, "203.0.113.5" },
	{ "fd00::9", 5062, IN6, "[fd00::9]" },
	{ "2001:db8::5", 5070, OUT6, "[2001:db8::5]" },
};

static inline enum nfv_dir
toward(unsigned int who)
{
	return who & 1 ? NFV_OUTWARD : NFV_INWARD;
}

static struct {
	unsigned int n;
	enum nfv_dir dir[OUTS];
	struct seen pkt[OUTS];
} went;
static char after[256]; /* what the last hostile message was */
static bool stateful;   /* the stage: it says 100 itself */
static uint64_t handed; /* messages, so far */

#define must(holds)                                                                                \
	do {                                                                                       \
		if (!(holds))                                                                      \
			fail_msg("%s: not so after %s", #holds, after);                            \
	} while (0)

/* The packets that have been taken are empty ones again. */
static inline void
rearm(void)
{
	must(out.starved == 0);
	for (uint16_t i = 0; i < out.n; i++)
		out.pkt[i] = mk_empty(&out_mk[i]);
	out.n = 0;
}

static inline void
gather(enum nfv_dir dir, struct nfv_pkt *p)
{
	must(went.n < OUTS && p->flags & NFV_PKT_OWN);
	went.dir[went.n] = dir;
	see(p, &went.pkt[went.n++]);
}

static inline void
pass_time(uint64_t ms)
{
	rearm();
	burst.tsc += ms * MS;
	burst.idle += ms * MS / 2; /* it is not overload that this is about */
	if (ops->tick != NULL)
		ops->tick(stage, burst.tsc, &out);
	for (uint16_t i = 0; i < out.n; i++) {
		went.n = 0;
		gather(out.dir[i], &out.pkt[i]);
	}
}

/* Hand a datagram to the stage; what comes of it is in `went` and burst.pkt[0].verdict. */
static inline void
deliver(unsigned int who, const void *data, size_t n)
{
	const struct party *from = &party[who];
	struct nfv_pkt *p = &burst.pkt[0];

	pass_time(1);
	rearm();
	went.n = 0;
	burst.n = 1;
	burst.dir = nfv_dir_back(toward(who));
	*p = mk_udp(&in_mk, from->addr, from->port, from->proxy, 5060, data, n);
	assert_int_equal(nfv_pkt_parse(p), NFV_PARSE_OK);
	ops->process(stage, &burst, &out);
	handed++;
	must(out.starved == 0 && burst.n == 1);
	if (p->verdict == NFV_KEEP)
		gather(burst.dir, p);
	for (uint16_t i = 0; i < out.n; i++)
		gather(out.dir[i], &out.pkt[i]);
}

enum step { INVITE, TRYING, RINGING, OK, ACK, BYE, GONE, STEPS };

static const struct {
	const char *first, *cseq;
	bool callee; /* says it */
	bool media;  /* and where it wants to hear */
} step[STEPS] = {
	[INVITE] = { "INVITE", "1 INVITE", false, true },
	[TRYING] = { "SIP/2.0 100 Trying", "1 INVITE", true, false },
	[RINGING] = { "SIP/2.0 180 Ringing", "1 INVITE", true, false },
	[OK] = { "SIP/2.0 200 OK", "1 INVITE", true, true },
	[ACK] = { "ACK", "1 ACK", false, false },
	[BYE] = { "BYE", "2 BYE", false, false },
	[GONE] = { "SIP/2.0 200 OK", "2 BYE", true, false },
};

static unsigned int call_no;           /* written octal: a spoilt one is no other call's */
static unsigned int caller;            /* a party; its neighbour in the table is the callee */
static char text[BYTES], asked[BYTES]; /* what is said; what the request was that it is said to */
static char routes[2][1024];           /* the caller's, the callee's */

/* Every other call is ended by its callee. */
static inline bool
by_callee(enum step i)
{
	return step[i].callee != ((i == BYE || i == GONE) && (call_no >> 2) % 2 == 1);
}

/* The header fields of `from` that begin so, as they are. */
static inline size_t
copy_lines(char *to, size_t room, const char *from, const char *name)
{
	size_t n = 0;

	for (const char *l = from; (l = strstr(l, "\r\n")) != NULL && l[2] != '\r'; l += 2)
		if (strncmp(l + 2, name, strlen(name)) == 0)
			n += (size_t)snprintf(
				to + n, room - n, "%.*s\r\n", (int)strcspn(l + 2, "\r"), l + 2);
	return n;
}

/* Put together what is said in a step; its length. */
static inline size_t
compose(enum step i)
{
	bool callee = by_callee(i), reply = step[i].first[3] == '/';
	const struct party *me = &party[caller ^ callee], *you = &party[caller ^ !callee];
	/* Who asked is in From; a BYE may be the callee's. */
	bool turned = i >= BYE && callee != reply;
	const char *a = "<sip:a@x>;tag=a",
		   *b = i == INVITE || i == TRYING ? "<sip:b@y>" : "<sip:b@y>;tag=b";
	char sdp[256] = "";
	size_t n;

	if (step[i].media)
		snprintf(sdp, sizeof(sdp),
			"v=0\r\no=- 1 1 IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
			caller < 2 ? "IP4" : "IP6", me->addr, caller < 2 ? "IP4" : "IP6", me->addr);
	if (reply) {
		n = (size_t)snprintf(text, BYTES, "%s\r\n", step[i].first);
		n += copy_lines(text + n, BYTES - n, asked, "Via: ");
		n += copy_lines(text + n, BYTES - n, asked, "Record-Route: ");
	} else {
		n = (size_t)snprintf(text, BYTES,
			"%s sip:x@%s:%u SIP/2.0\r\nVia: SIP/2.0/UDP %s:%u;branch=z9hG4bK%s%08o;rport\r\n"
			"%sMax-Forwards: 70\r\n",
			step[i].first, you->host, you->port, me->host, me->port, step[i].first,
			call_no, i == INVITE ? "" : routes[callee]);
	}
	n += (size_t)snprintf(text + n, BYTES - n,
		"From: %s\r\nTo: %s\r\nCall-ID: %08o\r\nCSeq: %s\r\nContact: <sip:x@%s:%u>\r\n%s"
		"Content-Length: %zu\r\n\r\n%s",
		turned ? b : a, turned ? a : b, call_no, step[i].cseq, me->host, me->port,
		step[i].media ? "Content-Type: application/sdp\r\n" : "", strlen(sdp), sdp);
	assert_in_range(n, 1, BYTES - 1);
	return n;
}

/* What has come out for who begins so; NULL: nothing. */
static inline const struct seen *
find(unsigned int who, const char *begins)
{
	for (unsigned int i = 0; i < went.n; i++)
		if (went.dir[i] == toward(who) &&
			strncmp(went.pkt[i].text, begins, strlen(begins)) == 0)
			return &went.pkt[i];
	return NULL;
}

static inline void
arrived(unsigned int who, const char *begins, const char *cseq)
{
	const struct seen *s = find(who, begins);
	char line[64];

	if (s == NULL)
		fail_msg("call %u: no \"%s\" (%u other messages) after %s", call_no, begins, went.n,
			after);
	must(strcmp(s->src, party[who].proxy) == 0 && s->sport == 5060);
	must(strcmp(s->dst, party[who].addr) == 0 && s->dport == party[who].port);
	snprintf(line, sizeof(line), "\r\nCSeq: %s\r\n", cseq);
	must(strstr(s->text, line) != NULL);
	snprintf(line, sizeof(line), "\r\nCall-ID: %08o\r\n", call_no);
	must(strstr(s->text, line) != NULL);
}

/* Say what is said in a step, and hear it on the other side, if it comes there. */
static inline void
play(enum step i)
{
	unsigned int from = caller ^ by_callee(i), to = from ^ 1;
	const struct seen *s;

	deliver(from, text, compose(i));
	s = find(to, step[i].first);
	if (s != NULL && (i == INVITE || i == BYE))
		memcpy(asked, s->text, sizeof(asked));
	if (s != NULL && (i == INVITE || i == OK))
		route_set(s->text, i == OK, routes[i == INVITE], sizeof(routes[0]));
}

static inline void
begin(unsigned int who)
{
	call_no++;
	caller = who;
	memset(routes, 0, sizeof(routes));
}

/* A whole one; what is to arrive does, on the right side, and nothing besides. */
static inline void
good_call(unsigned int who)
{
	begin(who);
	for (enum step i = 0; i < STEPS; i++) {
		play(i);
		if (stateful && i == INVITE)
			arrived(caller, "SIP/2.0 100 ", step[i].cseq);
		if (stateful && i == TRYING)
			must(went.n == 0); /* it has said so itself */
		else
			arrived(caller ^ !by_callee(i), step[i].first, step[i].cseq);
		must(went.n <= 1u + (stateful && i == INVITE));
	}
	for (int i = 0; i < 10; i++)
		pass_time(1);
}

#endif
