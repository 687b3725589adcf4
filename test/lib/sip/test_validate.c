/*
 * What a message deserves: nothing, or a status. The project's own messages make the points of RFC
 * 4475 one by one; where NFV_RFC4475 names a folder with the RFC's messages (name.dat), those are
 * judged too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "nfv_sip.h"
#include "sip_points.h"

static int
judge(const char *p, size_t n, const char **text)
{
	static struct nfv_sip_msg m;
	struct nfv_sip_core core;
	unsigned int status;

	switch (nfv_sip_parse(&m, p, n)) {
	case NFV_SIP_NOT_SIP:
		return NOT_SIP;
	case NFV_SIP_KEEPALIVE:
		return KEEPALIVE;
	case NFV_SIP_STUN:
		return STUN;
	case NFV_SIP_MESSAGE_OK:
		break;
	}
	*text = "";
	status = nfv_sip_validate(&m, &core, text);
	if (status == 0 && !m.response)
		status = nfv_sip_validate_proxy(&m, &core, text);
	return (int)status;
}

static void
own_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < SIP_POINTS; i++) {
		const char *text = "";
		int got = judge(sip_point[i].text, strlen(sip_point[i].text), &text);

		if (got != sip_point[i].status ||
			(sip_point[i].reason != NULL && !strstr(text, sip_point[i].reason)))
			fail_msg("%d \"%s\", not %d, for:\n%s", got, text, sip_point[i].status,
				sip_point[i].text);
	}
}

/* What a proxy looks at of what goes on: of a request with a To tag, and of a response. */
#define TAGGED "To: <sip:bob@example.org>;tag=2\r\n"
#define BYE(via, from, to, rest)                                                                   \
	"BYE sip:bob@example.org SIP/2.0\r\n" via from to ID "CSeq: 2 BYE\r\n" MF rest END
#define OK200(via, from, to, rest) "SIP/2.0 200 OK\r\n" via from to ID "CSeq: 2 BYE\r\n" rest END

static const struct {
	const char *text;
	unsigned int status; /* by nfv_sip_validate_used() */
	unsigned int whole;  /* by nfv_sip_validate() */
} used[] = {
	{ BYE(VIA, FROM, TAGGED, ""), 0, 0 },
	{ OK200(VIA, FROM, TAGGED, ""), 0, 0 },
	/* only passed on, whatever it is (RFC 3261 §16.3 (1)) */
	{ BYE(VIA, FROM, TAGGED, "Contact: sip:a b\r\n"), 0, 400 },
	{ BYE(VIA, FROM, TAGGED, "Route: <sip:a;lr>,,<sip:b>\r\n"), 0, 400 },
	{ BYE(VIA "Via: ;;\r\n", FROM, TAGGED, ""), 0, 400 },
	{ BYE(VIA, "From: <sip:a%4@b>;tag=1\r\n", TAGGED, ""), 0, 400 },
	{ BYE(VIA, FROM, "To: Bell, Al <sip:a@b>;tag=1\r\n", ""), 0, 400 },
	{ OK200(VIA, FROM, TO, "Contact: <\r\n"), 0, 400 },
	{ OK200(VIA "Via: SIP/2.0/UDP\r\n", FROM, TO, ""), 0, 400 },
	/* what begins something, and what the registrar reads */
	{ BYE(VIA, FROM, TO, "Contact: sip:a b\r\n"), 400, 400 },
	{ "REGISTER sip:example.org SIP/2.0\r\n" VIA FROM TAGGED ID
	  "CSeq: 2 REGISTER\r\nContact: sip:a b\r\n" END,
		400, 400 },
	/* what is used */
	{ BYE("", FROM, TAGGED, ""), 400, 400 },
	{ BYE("Via: SIP/2.0/UDP a;;\r\n", FROM, TAGGED, ""), 400, 400 },
	{ BYE("Via: SIP/3.0/UDP a\r\n", FROM, TAGGED, ""), 400, 400 },
	{ BYE(VIA, "", TAGGED, ""), 400, 400 },
	{ BYE(VIA, FROM FROM, TAGGED, ""), 400, 400 },
	{ BYE(VIA, FROM, TAGGED TAGGED, ""), 400, 400 },
	{ BYE(VIA, FROM, "To: <sip:a@b>;tag=1;tag=2\r\n", ""), 400, 400 },
	{ BYE(VIA, FROM, "To: \"open <sip:a@b>;tag=1\r\n", ""), 400, 400 },
	{ BYE(VIA, "From: <sip:a@b>;tag=1 2\r\n", TAGGED, ""), 400, 400 },
	{ BYE(VIA, FROM, TAGGED, "i: again\r\n"), 400, 400 },
	{ BYE(VIA, FROM, TAGGED, "CSeq: 2 BYE\r\n"), 400, 400 },
	{ BYE(VIA, FROM, TAGGED, "Max-Forwards: 5\r\n"), 400, 400 },
	{ BYE(VIA, FROM, TAGGED, "no colon here\r\n"), 400, 400 },
	{ BYE(VIA, FROM, TAGGED, "X: a\nVia: b\r\n"), 400, 400 },
	{ "BYE sip:b@c?h=1 SIP/2.0\r\n" VIA FROM TAGGED ID "CSeq: 2 BYE\r\n" END, 400, 400 },
	{ "BYE sip:b@c SIP/2.0\r\n" VIA FROM TAGGED ID "CSeq: 2 ACK\r\n" END, 400, 400 },
	{ "BYE sip:b@c SIP/2.0\r\n" VIA FROM TAGGED "CSeq: 2 BYE\r\n" END, 400, 400 },
	{ OK200("Via: SIP/2.0/UDP a;branch\r\n", FROM, TO, ""), 400, 400 },
	{ "SIP/2.0 200 OK\r\n" VIA FROM TO ID "CSeq: 2147483648 BYE\r\n" END, 400, 400 },
};

static void
what_is_used(void **state)
{
	static struct nfv_sip_msg m;

	(void)state;
	for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++) {
		struct nfv_sip_core core;
		const char *text = "";
		unsigned int got, whole;

		assert_int_equal(
			nfv_sip_parse(&m, used[i].text, strlen(used[i].text)), NFV_SIP_MESSAGE_OK);
		whole = nfv_sip_validate(&m, &core, &text);
		got = nfv_sip_validate_used(&m, &core, false, &text);
		if (got != used[i].status || whole != used[i].whole)
			fail_msg("%u and %u, not %u and %u, for:\n%s", got, whole, used[i].status,
				used[i].whole, used[i].text);
		if (got != 0)
			continue;
		assert_true(nfv_sv_eq(core.call_id, NFV_SV("a@192.0.2.9")));
		assert_true(nfv_sv_eq(core.from.tag, NFV_SV("1")));
		assert_int_equal(core.cseq.number, 2);
		assert_true(nfv_sv_eq(core.via.branch, NFV_SV("z9hG4bKa1")));
	}
}

/* What is known of a request before it is read, if it can be. */
static void
what_is_on_top(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} t[] = {
		{ WITH("Contact: sip:a b\r\n"), true },
		{ WITH("no colon here\r\n"), false },
		{ WITH(TO), false },
		{ WITH(CSEQ), false },
		{ START VIA TO ID CSEQ END, false },
		{ START VIA FROM ID CSEQ END, false },
		{ START VIA FROM TO CSEQ END, false },
		{ START "Via: SIP/2.0/UDP a;branch=old\r\n" REST, false },
		{ START "Via: SIP/2.0/UDP a;;\r\n" REST, false },
		{ START REST, false },
	};
	static struct nfv_sip_msg m;
	struct nfv_sip_core core;
	const char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(
			nfv_sip_parse(&m, t[i].text, strlen(t[i].text)), NFV_SIP_MESSAGE_OK);
		if (nfv_sip_read_top(&m, &core) != t[i].good)
			fail_msg("%sgood: %s", t[i].good ? "not " : "", t[i].text);
	}
	/* It is judged as if it had not been read before. */
	nfv_sip_parse(&m, t[0].text, strlen(t[0].text));
	assert_true(nfv_sip_read_top(&m, &core));
	assert_true(core.to.tag.p == NULL);
	assert_int_equal(nfv_sip_validate_used(&m, &core, true, &text), 400);
	assert_string_equal(text, "Malformed Contact");
}

static void
nul_bytes(void **state)
{
	static const char quoted[] =
		START VIA "From: \"a\\\0b\" <sip:a@b>;tag=1\r\n" TO ID CSEQ MF END;
	static const char naked[] = START VIA "From: a\0b <sip:a@b>;tag=1\r\n" TO ID CSEQ MF END;
	static const char stun[20] = { 0, 1, 0, 0, 0x21, 0x12, (char)0xa4, 0x42 };
	const char *text;

	(void)state;
	assert_int_equal(judge(quoted, sizeof(quoted) - 1, &text), 0);
	assert_int_equal(judge(naked, sizeof(naked) - 1, &text), 400);
	assert_int_equal(judge(stun, sizeof(stun), &text), STUN);
	assert_int_equal(judge(stun, sizeof(stun) - 1, &text), NOT_SIP);
}

/* A start line, `n` times `line`, and the rest. */
static int
judge_many(const char *line, unsigned int n)
{
	static char buf[NFV_SIP_BYTES_MAX + 1];
	size_t len = (size_t)sprintf(buf, START);
	const char *text;

	while (n-- > 0)
		len += (size_t)sprintf(buf + len, "%s", line);
	len += (size_t)sprintf(buf + len, REST);
	return judge(buf, len, &text);
}

static void
bounds(void **state)
{
	static char long_line[NFV_SIP_LINE_MAX + 512], long_uri[2 * NFV_SIP_URI_MAX + 512];
	const char *text;

	(void)state;
	assert_int_equal(judge_many(VIA, NFV_SIP_VIAS_MAX), 0);
	assert_int_equal(judge_many(VIA, NFV_SIP_VIAS_MAX + 1), 400);
	assert_int_equal(judge_many(VIA "X: 1\r\n", 70), 0);
	assert_int_equal(judge_many(VIA "X: 1\r\nX: 1\r\nX: 1\r\nX: 1\r\n", 60), 513);
	memset(long_line, 'x', sizeof(long_line));
	memcpy(long_line, VIA "X: ", strlen(VIA "X: "));
	strcpy(long_line + NFV_SIP_LINE_MAX - 100, "\r\n");
	assert_int_equal(judge_many(long_line, 1), 0);
	memset(long_line + NFV_SIP_LINE_MAX - 100, 'x', 3);
	strcpy(long_line + NFV_SIP_LINE_MAX + 100, "\r\n");
	assert_int_equal(judge_many(long_line, 1), 513);
	for (size_t n = NFV_SIP_URI_MAX - 20; n < NFV_SIP_URI_MAX + 20; n++) {
		int len =
			sprintf(long_uri, "OPTIONS sip:%0*d@b SIP/2.0\r\n" VIA REST, (int)n - 6, 0);

		assert_int_equal(
			judge(long_uri, (size_t)len, &text), n > NFV_SIP_URI_MAX ? 414 : 0);
	}
}

static const struct {
	const char *name;
	int status; /* of a response: anything but 0 means it is dropped */
} rfc4475[] = {
	{ "wsinv", 0 },
	{ "intmeth", 0 },
	{ "esc01", 0 },
	{ "escnull", 0 },
	{ "esc02", 0 },
	{ "lwsdisp", 0 },
	{ "longreq", 0 },
	{ "dblreq", 0 },
	{ "semiuri", 0 },
	{ "transports", 0 },
	{ "mpart01", 0 },
	{ "unreason", 0 },
	{ "noreason", 0 },
	{ "badinv01", 400 },
	{ "clerr", 400 },
	{ "ncl", 400 },
	{ "scalar02", 400 },
	{ "scalarlg", 400 },
	{ "quotbal", 400 },
	{ "ltgtruri", 400 },
	{ "lwsruri", 400 },
	{ "lwsstart", 400 },
	{ "trws", 400 },
	{ "escruri", 400 },
	{ "baddate", 0 },
	{ "regbadct", 400 },
	{ "badaspec", 400 },
	{ "baddn", 400 },
	{ "badvers", 505 },
	{ "mismatch01", 400 },
	{ "mismatch02", 400 },
	{ "bigcode", 400 },
	{ "badbranch", 0 },
	{ "insuf", 400 },
	{ "unkscm", 416 },
	{ "novelsc", 416 },
	{ "unksm2", 0 },
	{ "bext01", 420 },
	{ "invut", 0 },
	{ "regaut01", 0 },
	{ "multi01", 400 },
	{ "mcl01", 400 },
	{ "bcast", 0 },
	{ "zeromf", 483 },
	{ "cparam01", 0 },
	{ "cparam02", 0 },
	{ "regescrt", 0 },
	{ "sdp01", 0 },
	{ "inv2543", 0 },
};

static void
rfc4475_messages(void **state)
{
	const char *dir = getenv("NFV_RFC4475");

	(void)state;
	if (dir == NULL || access(dir, X_OK) != 0) {
		print_message("NFV_RFC4475 names no folder with the messages of RFC 4475\n");
		skip();
	}
	assert_int_equal(sizeof(rfc4475) / sizeof(rfc4475[0]), 49);
	for (size_t i = 0; i < sizeof(rfc4475) / sizeof(rfc4475[0]); i++) {
		static char buf[NFV_SIP_BYTES_MAX];
		const char *text = "";
		char path[512];
		size_t n;
		FILE *f;
		int got;

		snprintf(path, sizeof(path), "%s/%s.dat", dir, rfc4475[i].name);
		f = fopen(path, "rb");
		if (f == NULL)
			fail_msg("%s cannot be opened", path);
		n = fread(buf, 1, sizeof(buf), f);
		fclose(f);
		got = judge(buf, n, &text);
		if (got != rfc4475[i].status)
			fail_msg("%s: %d \"%s\", not %d", path, got, text, rfc4475[i].status);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_messages),
		cmocka_unit_test(what_is_used),
		cmocka_unit_test(what_is_on_top),
		cmocka_unit_test(nul_bytes),
		cmocka_unit_test(bounds),
		cmocka_unit_test(rfc4475_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
