/*
 * After every message meant to harm a good call succeeds, through the same stage, and of every such
 * message there is a trace: it was dropped for a reason, answered, forwarded, or is one of which nothing
 * more is to be said. At the end nothing is left of any of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>

#include "mksip.h"
#include "nfv_sip.h"
#include "sip_points.h"
#include "sip_stage.h"

#include "call_world.h"

static struct {
	uint64_t hostile, dropped[SIP_DROPS], sent, quiet;
} fates; /* of hostile messages */

/* Of which nothing more is to be said: it has done what it is for, or has been here before. */
static bool
may_be_quiet(const void *data, size_t n, uint64_t absorbed_before)
{
	static struct nfv_sip_msg m;
	const struct sip_state *s = stage;

	if (s->server.count.absorbed > absorbed_before)
		return true;
	if (nfv_sip_parse(&m, data, n) != NFV_SIP_MESSAGE_OK)
		return nfv_sip_parse(&m, data, n) != NFV_SIP_NOT_SIP;
	return m.response ? m.status == 100 : m.method == NFV_SIP_ACK;
}

static void
hostile(unsigned int who, const void *data, size_t n)
{
	const struct sip_state *s = stage;
	uint64_t before = s->server.count.absorbed;
	uint8_t verdict;

	deliver(who, data, n);
	verdict = burst.pkt[0].verdict;
	fates.hostile++;
	if (verdict >= NFV_DROP_BASE) {
		must(verdict - NFV_DROP_BASE < SIP_DROPS && went.n == 0);
		fates.dropped[verdict - NFV_DROP_BASE]++;
	} else if (went.n > 0) {
		fates.sent++;
	} else {
		must(may_be_quiet(data, n, before));
		fates.quiet++;
	}
	good_call(fates.hostile % PARTIES);
}

static void
from_everywhere(const char *name, const void *data, size_t n)
{
	snprintf(after, sizeof(after), "%s", name);
	for (unsigned int who = 0; who < PARTIES; who++)
		hostile(who, data, n < BYTES ? n : BYTES);
}

/* The files there are; how many. */
static unsigned int
files(const char *folder, const char *pattern)
{
	char path[512];
	glob_t g;
	unsigned int n;

	snprintf(path, sizeof(path), "%s/%s", folder, pattern);
	if (glob(path, 0, NULL, &g) != 0)
		return 0;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		FILE *f = fopen(g.gl_pathv[i], "rb");
		static char data[BYTES];
		size_t got;

		if (f == NULL)
			fail_msg("%s cannot be opened", g.gl_pathv[i]);
		got = fread(data, 1, sizeof(data), f);
		fclose(f);
		/* Some seeds have in front a byte, or three, that say where they come from. */
		for (size_t from = 0; from <= 3 && from < got; from++)
			from_everywhere(g.gl_pathv[i], data + from, got - from);
	}
	n = (unsigned int)g.gl_pathc;
	globfree(&g);
	return n;
}

/* What a registrar is asked, RFC 4475 §3.1.2.11, 3.1.2.15, 3.3.8, 3.3.13 to 3.3.15. */
static void
registrations(void)
{
	static const char *const t[][2] = {
		{ "zzz:9876", "<who:me>" },
		{ "sip:bob@example.org", "sip:+15551000@gw.example.net;odd" },
		{ "sip:bob@example.org", "<sip:+15551000@gw.example.net;odd>" },
		{ "sip:bob@example.org", "<sip:b@example.org?Route=%3Csip:r.example%3E>" },
		{ "sip:bob@example.org", "sip:b@example.org?Route=%3Csip:r.example%3E" },
		{ "sip:bob@example.org", "Lee, Ann <sip:b@example.org>" },
	};
	char room[1024];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		int n = snprintf(room, sizeof(room),
			"REGISTER sip:example.org SIP/2.0\r\n" VIA FROM
			"To: <%s>\r\nCall-ID: a\r\nCSeq: %zu REGISTER\r\nContact: %s\r\n" MF END,
			t[i][0], i, t[i][1]);

		from_everywhere(t[i][1], room, (size_t)n);
	}
}

/* More than is read of one. */
static void
too_much(void)
{
	static const struct {
		const char *many;
		unsigned int n;
	} t[] = { { "X: 1\r\n", NFV_SIP_HDRS_MAX },
		{ "v:SIP/2.0/UDP a\r\n", NFV_SIP_VIAS_MAX + 1 } };
	static char room[BYTES];
	int n;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		n = snprintf(room, sizeof(room), START);
		for (unsigned int k = 0; k < t[i].n; k++)
			n += snprintf(room + n, sizeof(room) - (size_t)n, "%s", t[i].many);
		n += snprintf(room + n, sizeof(room) - (size_t)n, VIA REST);
		from_everywhere(t[i].many, room, (size_t)n);
	}
	n = snprintf(
		room, sizeof(room), "OPTIONS sip:%0*d@b SIP/2.0\r\n" VIA REST, NFV_SIP_URI_MAX, 0);
	from_everywhere("a long URI", room, (size_t)n);
	n = snprintf(room, sizeof(room), START VIA "X: %0*d\r\n" REST, (int)sizeof(room) - 300, 0);
	from_everywhere("a full packet", room, (size_t)n);
}

static void
all_that_there_are(void)
{
	static const char nul[] = START VIA "From: a\0b <sip:a@b>;tag=1\r\n" TO ID CSEQ MF END;
	static const uint8_t stun[20] = { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42 };
	const char *rfc4475 = getenv("NFV_RFC4475");

	for (size_t i = 0; i < SIP_POINTS; i++)
		from_everywhere(sip_point[i].text, sip_point[i].text, strlen(sip_point[i].text));
	for (size_t i = 0; i < MKSIP_N; i++)
		from_everywhere(mksip[i], mksip[i], strlen(mksip[i]));
	from_everywhere("an empty byte", nul, sizeof(nul) - 1);
	from_everywhere("STUN", stun, sizeof(stun));
	registrations();
	too_much();
	assert_true(files(CORPUS "/sip", "*") > 0);
	assert_true(files(CORPUS "/sip_register", "*") > 0);
	assert_true(files(CORPUS "/media", "*") > 0);
	if (rfc4475 == NULL || files(rfc4475, "*.dat") == 0)
		print_message("NFV_RFC4475 names no folder with the messages of RFC 4475\n");
}

/* What is to be said in step i of a call that has come so far. */
static size_t
come_to(enum step i, unsigned int who)
{
	begin(who);
	for (enum step k = 0; k < i; k++)
		if (k != TRYING && k != RINGING)
			play(k);
	return compose(i);
}

static void
cut_anywhere(void)
{
	for (size_t n = 0; n < come_to(INVITE, 0); n++)
		for (unsigned int who = 0; who < 2; who++) {
			come_to(INVITE, who);
			snprintf(after, sizeof(after), "an INVITE of party %u, cut at %zu", who, n);
			hostile(who, text, n);
		}
}

/* From either side, of calls from either side. */
static void
spoil(enum step i, size_t at, char with)
{
	static char spoilt[BYTES];

	for (unsigned int k = 0; k < 4; k++) {
		size_t n = come_to(i, k & 1);

		if (at >= n || text[at] == with)
			continue;
		memcpy(spoilt, text, n);
		spoilt[at] = with;
		snprintf(after, sizeof(after), "%s with 0x%02x at %zu, %u", step[i].first,
			(uint8_t)with, at, k);
		hostile(k / 2 ^ caller ^ by_callee(i), spoilt, n);
	}
}

static void
every_byte_is_another(void)
{
	static const char with[] = { '\0', '\n', '\r', ' ', '"', ':', '9', '\xff' };
	static const enum step of[] = { INVITE, OK, ACK, BYE };

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		size_t longest = come_to(of[i], 1);

		for (size_t at = 0; at < longest; at++)
			for (size_t v = 0; v < sizeof(with); v++)
				spoil(of[i], at, with[v]);
	}
}

/* --- and at the end --- */

/* When all timers have run out nothing is left, and every message that came is counted once. */
static void
nothing_is_left(void)
{
	const struct sip_state *s = stage;
	const struct sip_count *c = &s->count;
	uint64_t all = c->keepalives + c->stun + fates.dropped[SIP_DROP_NOT_SIP];

	for (int i = 0; i < 7000; i++) /* transactions */
		pass_time(10);
	for (int i = 0; i < 25 * 3600; i++) /* calls of which nobody says that they are over */
		pass_time(1000);
	for (int i = 0; i < NFV_SIP_METHODS; i++)
		all += c->requests[i];
	for (int i = 0; i < 7; i++)
		all += c->responses[i];
	assert_int_equal(all, handed);
	all = fates.sent + fates.quiet;
	for (int i = 0; i < SIP_DROPS; i++)
		all += fates.dropped[i];
	assert_int_equal(all, fates.hostile);
	assert_true(fates.sent > 0 && fates.dropped[SIP_DROP_NOT_SIP] > 0 &&
		fates.dropped[SIP_DROP_MALFORMED] > 0);
	if (!stateful)
		return;
	assert_int_equal(s->server.count.unsent, 0);
	assert_int_equal(s->server.count.full, 0);
	assert_int_equal(s->server.count.shed, 0);
	assert_int_equal(s->server.txns.n_free, s->server.txns.max);
	assert_int_equal(s->server.txns.texts.n_free, s->server.txns.texts.blocks);
	for (int i = 0; i < SIP_MACHINES; i++)
		assert_int_equal(s->server.txns.live[i], 0);
	if (s->server.media != NULL) {
		assert_int_equal(sip_media_stats(s->server.media)->calls, 0);
		assert_int_equal(sip_relay_stats(s->relay)->open, 0);
	}
}

static void
survives(const char *yaml, bool with_transactions)
{
	struct nfv_err err = { "" };

	if (start_with(yaml, &err) < 0)
		fail_msg("%s", err.text);
	stateful = with_transactions;
	burst = (struct nfv_burst){ .tsc = 1000 * MS };
	mk_out(&out, out_mk, OUTS);
	memset(&fates, 0, sizeof(fates));
	call_no = 0;
	handed = 0;
	all_that_there_are();
	cut_anywhere();
	every_byte_is_another();
	nothing_is_left();
	print_message(
		"%lu hostile messages: %lu forwarded or answered, %lu quiet, the rest dropped\n",
		fates.hostile, fates.sent, fates.quiet);
}

#define DOMAINS "domains: [example.org, example.com], error-rate: 1000000"
#define TRUNK   "trunk: \"203.0.113.9:5999\", probe-interval: 0"

static void
a_stage_that_keeps_transactions(void **state)
{
	(void)state;
	survives("sip: { transactions: 16384, " DOMAINS ", " TRUNK " }", true);
}

static void
one_with_users_and_media(void **state)
{
	(void)state;
	survives("sip: { transactions: 16384, " DOMAINS
		 ", registrations: 4096, media: relay, media-setup: 30, media-idle: 5 }",
		true);
}

static void
one_that_keeps_nothing(void **state)
{
	(void)state;
	survives("sip: { mode: stateless, " DOMAINS ", " TRUNK " }", false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_stage_that_keeps_transactions, stop),
		cmocka_unit_test_teardown(one_with_users_and_media, stop),
		cmocka_unit_test_teardown(one_that_keeps_nothing, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
