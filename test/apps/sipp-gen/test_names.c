/* What runs out is said before it does; what cannot work is refused; what cannot happen is not said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "names.h"
#include "pace.h"

#define SEND(method, more)                                                                         \
	"<send><![CDATA[\n " method " sip:x@[remote_ip] SIP/2.0\n"                                 \
	" Via: SIP/2.0/UDP [local_ip];branch=[branch]\n From: <sip:a>;tag=[call_number]\n"         \
	" To: <sip:b>\n Call-ID: [call_id]\n" more " Content-Length: [len]\n\n v=0\n]]></send>"
#define CSEQ             " CSeq: [cseq] OPTIONS\n"
#define SCENARIO(steps)  "<?xml version=\"1.0\"?><scenario name=\"x\">" steps "</scenario>"
#define AUTO(more)       SCENARIO(SEND("INVITE", " X: [auto_media_port" more "]\n") "<pause/>")
#define MEDIA_PORT(more) SCENARIO(SEND("INVITE", " X: [media_port" more "]\n"))

static struct names said;

/* What it returns; `says`: part of the warning or the refusal, NULL: there must be none. */
static int
check(const char *xml, const struct options_role *r, double seconds, const char *says)
{
	struct scenario *s = NULL;
	struct nfv_err err = { "" };
	int rc = scenario_load_text(nfv_sv_str(xml), "x", NULL, NULL, &s, &err);
	const char *text;

	if (rc < 0)
		fail_msg("%s", err.text);
	memset(&said, 0, sizeof(said));
	rc = names_check(&said, r, seconds, s, &err);
	text = rc < 0 ? err.text : said.n > 0 ? said.said[0].text : "";
	if (says == NULL ? text[0] != '\0' : strstr(text, says) == NULL)
		fail_msg("\"%s\" instead of \"%s\"", text, says != NULL ? says : "");
	scenario_destroy(s);
	return rc;
}

static struct options_role
role(double rate, uint32_t duration_ms)
{
	return (struct options_role){ .pace = { .shape = PACE_FIXED, .rate = rate },
		.duration_ms = duration_ms,
		.open = 1000000,
		.media_port = 6000,
		.base_cseq = 1 };
}

static void
media_ports_are_enough_or_it_is_said(void **state)
{
	struct options_role r = role(1000, 2000), users = role(10, 10);

	(void)state;
	check(AUTO(""), &r, 0, NULL); /* 2,000 calls at once */
	r.duration_ms = 5000;
	check(AUTO(""), &r, 0, "2.5 s after the start");
	check(MEDIA_PORT("+2"), &r, 0, NULL);
	/* As few calls, as short a run, as low a limit. */
	r.calls = 2500;
	check(AUTO(""), &r, 0, NULL);
	r.calls = 0;
	check(AUTO(""), &r, 2, NULL);
	r.open = 2500;
	check(AUTO(""), &r, 0, NULL);
	users.users = 2501;
	check(AUTO(""), &users, 0, "2501 users");
	users.users = 2500;
	check(AUTO(""), &users, 0, NULL);
	/* A ramp's end and a burst count. */
	r = role(1, 5000);
	r.pace = (struct pace_conf){ .shape = PACE_RAMP, .rate_to = 1000, .seconds = 10 };
	check(AUTO(""), &r, 0, "calls/s");
	r.pace = (struct pace_conf){ .shape = PACE_BURST, .burst = 6000, .seconds = 1 };
	check(AUTO(""), &r, 0, "at 6000 calls/s");
}

static void
ports_that_are_none_are_refused(void **state)
{
	struct options_role r = role(10, 10);

	(void)state;
	r.media_port = 65535;
	assert_int_equal(check(MEDIA_PORT(""), &r, 0, NULL), 0);
	assert_int_equal(check(MEDIA_PORT("+1"), &r, 0, "give 1 to 65534"), -EINVAL);
	r.media_port = 1;
	assert_int_equal(check(MEDIA_PORT("-1"), &r, 0, "give 2 to 65535"), -EINVAL);
	r.media_port = 55540;
	assert_int_equal(check(AUTO(""), &r, 0, "give 55539 or less"), -EINVAL);
	assert_int_equal(check(AUTO("+2"), &r, 0, "give 55537 or less"), -EINVAL);
	r.media_port = 55539;
	assert_int_equal(check(AUTO(""), &r, 0, NULL), 0);
	r.media_port = 65000;
	r.calls = 100;
	assert_int_equal(check(AUTO(""), &r, 0, NULL), 0);
	r.calls = 200;
	assert_int_equal(check(AUTO(""), &r, 0, "for 200 calls"), -EINVAL);
}

static void
numbers_of_requests_are_enough_or_it_is_said(void **state)
{
	static const char two[] =
		SCENARIO(SEND("INVITE", CSEQ) SEND("ACK", CSEQ) SEND("BYE", CSEQ));
	static const char loop[] =
		SCENARIO("<label id=\"1\"/>" SEND("OPTIONS", CSEQ) "<pause next=\"1\"/>");
	static const char fixed[] = SCENARIO(SEND("INVITE", " CSeq: 1 INVITE\n"));
	struct options_role r = role(10, 10);

	(void)state;
	check(two, &r, 0, NULL);
	check(loop, &r, 0, NULL);
	r.base_cseq = 0x7fffffff - 1;
	check(two, &r, 0, NULL);
	check(loop, &r, 0, "-base_cseq 2147483646");
	r.base_cseq = 0x7fffffff;
	assert_int_equal(check(two, &r, 0, "the call fails"), 0);
	assert_int_equal(said.n, 1);
	check(fixed, &r, 0, NULL);
	assert_int_equal(check(SCENARIO(SEND("INVITE", " CSeq: [cseq+1] INVITE\n")), &r, 0,
				 "would be 2147483648"),
		-EINVAL);
}

/* A run that lasts longer than was known is told so once, before ports are shared. */
static void
open_calls_are_watched(void **state)
{
	struct names n = { .n = 0 };
	struct scenario *s = NULL;
	struct nfv_err err;
	const char *text;

	(void)state;
	assert_int_equal(scenario_load_text(nfv_sv_str(AUTO("")), "x", NULL, NULL, &s, &err), 0);
	assert_null(names_watch(&n, s, 2000));
	text = names_watch(&n, s, 2300);
	assert_non_null(text);
	assert_non_null(strstr(text, "2300 calls are open"));
	assert_null(names_watch(&n, s, 2400));
	scenario_destroy(s);
	assert_int_equal(scenario_builtin("uac", &s, &err), 0);
	n.kinds = 0;
	assert_null(names_watch(&n, s, 100000));
	scenario_destroy(s);
}

static void
users_that_are_not_there_are_missed(void **state)
{
	static const char xml[] = SCENARIO("<User variables=\"n\"/>" SEND("OPTIONS", ""));
	struct options_role r = role(10, 10);

	(void)state;
	check(xml, &r, 0, "-users");
	r.users = 5;
	check(xml, &r, 0, NULL);
}

/* The header's claim: no Call-ID comes again while somebody may remember it. */
static void
call_ids_last(void **state)
{
	(void)state;
	assert_true(PACE_RATE_MAX * 32 < 0x1p32);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(media_ports_are_enough_or_it_is_said),
		cmocka_unit_test(ports_that_are_none_are_refused),
		cmocka_unit_test(numbers_of_requests_are_enough_or_it_is_said),
		cmocka_unit_test(open_calls_are_watched),
		cmocka_unit_test(users_that_are_not_there_are_missed),
		cmocka_unit_test(call_ids_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
