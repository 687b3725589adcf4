/* Actions as a call runs them; variables and their room; expressions with and without the engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "actions.h"
#include "facts.h"

static struct nfv_sip_msg last;
static char said[256];
static unsigned int warnings;

static void
say(void *ctx, enum action_kind kind, uint32_t line, struct nfv_sv text)
{
	(void)ctx, (void)line;
	if (kind == ACT_WARNING)
		warnings++;
	snprintf(said, sizeof(said), "%.*s", NFV_SV_ARG(text));
}

static int64_t
lookup(void *ctx, struct nfv_sv file, struct nfv_sv key)
{
	(void)ctx;
	return nfv_sv_eq(file, NFV_SV("f")) && nfv_sv_eq(key, NFV_SV("text")) ? 42 : -1;
}

static bool
verify(void *ctx, const struct nfv_sip_msg *m, struct nfv_sv user, struct nfv_sv password)
{
	(void)ctx;
	return m == &last && nfv_sv_eq(user, NFV_SV("bob")) && nfv_sv_eq(password, NFV_SV("pw"));
}

static char scratch[1024];
static struct facts facts;
static struct scenario *loaded;

/* Run actions with variables 0 "text", 1 5.5, 2 true, 3 … 7 unset. */
static struct verdict
run(const char *actions)
{
	struct actions_env env = { .say = say,
		.lookup = lookup,
		.verify = verify,
		.random = { 1 },
		.scratch = scratch,
		.scratch_n = sizeof(scratch) };
	char xml[2048];
	struct nfv_err err;

	snprintf(xml, sizeof(xml),
		"<scenario><Reference variables=\"0,1,2,3,4,5,6,7\"/><init><nop/></init><nop><action>"
		"%s</action></nop><recv request=\"A\"/><pause/></scenario>",
		actions);
	scenario_destroy(loaded);
	loaded = NULL;
	if (scenario_load_text(nfv_sv_str(xml), "f", NULL, NULL, &loaded, &err) < 0)
		fail_msg("%s", err.text);
	facts = call_facts(&last);
	warnings = 0;
	said[0] = '\0';
	return actions_run(loaded, &loaded->step[1], &facts, &env);
}

static void
goes_on(const char *actions)
{
	assert_int_equal(run(actions).kind, VERDICT_GO_ON);
}

static void
fails(const char *actions, enum cause cause)
{
	struct verdict v = run(actions);

	assert_int_equal(v.kind, VERDICT_FAIL);
	assert_int_equal(v.cause, cause);
}

static void
text_is(int id, const char *want)
{
	const struct value *v = facts_value(&facts, id);

	assert_int_equal(v->kind, VALUE_TEXT);
	assert_int_equal(v->n, strlen(want));
	assert_memory_equal(v->text, want, v->n);
}

static void
number_is(int id, double want)
{
	const struct value *v = facts_value(&facts, id);

	assert_int_equal(v->kind, VALUE_NUMBER);
	assert_true(v->number == want);
}

static void
test_ereg(void **state)
{
	(void)state;
	goes_on("<ereg regexp=\".*\" search_in=\"hdr\" header=\"From:\" assign_to=\"3\"/>");
	text_is(3, " <sip:alice@a.example>;tag=1");
	goes_on("<ereg regexp=\"sip:(.*)@(.*)>\" search_in=\"hdr\" header=\"From: \" assign_to=\"3,4,5\"/>");
	text_is(3, "sip:alice@a.example>");
	text_is(4, "alice");
	text_is(5, "a.example");
	goes_on("<ereg regexp=\"sip:(.*)>\" search_in=\"hdr\" header=\"To:\" assign_to=\"3,4,5\"/>");
	text_is(4, "bob@b.example");
	assert_int_equal(facts_value(&facts, 5)->kind, VALUE_UNSET);
	goes_on("<ereg regexp=\".*\" search_in=\"hdr\" header=\"X-Note:\" case_indep=\"true\""
		" occurrence=\"2\" assign_to=\"3\"/>");
	text_is(3, " two");
	/* anywhere in the message, as SIPp looks for it, or at the front of lines */
	goes_on("<ereg regexp=\".*\" search_in=\"hdr\" header=\"branch=\" assign_to=\"3\"/>");
	text_is(3, "z9hG4bKa");
	goes_on("<ereg regexp=\".*\" search_in=\"hdr\" header=\"branch=\" start_line=\"true\" assign_to=\"3\"/>");
	text_is(3, "");
	goes_on("<ereg regexp=\"^v=(.)\" search_in=\"body\" assign_to=\"3,4\"/>");
	text_is(4, "0");
	goes_on("<ereg regexp=\"INVITE\" search_in=\"msg\" assign_to=\"3\"/>");
	text_is(3, "INVITE");
	goes_on("<ereg regexp=\"t(.*)t\" search_in=\"var\" variable=\"0\" assign_to=\"0,3\"/>");
	text_is(3, "ex");
	goes_on("<ereg regexp=\"nothing\" search_in=\"msg\" assign_to=\"0\"/>");
	assert_int_equal(facts_value(&facts, 0)->kind, VALUE_UNSET);
	fails("<ereg regexp=\"nothing\" search_in=\"msg\" check_it=\"true\"/>",
		CAUSE_REGEXP_NO_MATCH);
	fails("<ereg regexp=\"INVITE\" search_in=\"msg\" check_it_inverse=\"true\"/>",
		CAUSE_REGEXP_MATCH);
	fails("<ereg regexp=\".*\" search_in=\"hdr\" header=\"Absent:\" check_it=\"true\"/>",
		CAUSE_HEADER_MISSING);
	fails("<ereg regexp=\".*\" search_in=\"var\" variable=\"3\" check_it=\"true\"/>",
		CAUSE_REGEXP_NO_MATCH);
}

/* What is planned without the engine gives what the engine gives. */
static void
test_plain(void **state)
{
	static const char *const expression[] = { ".*", "(.*)", "a", "ab", "a(.*)b", "a.*b",
		"(.*)b", "a(.*)", "\\.", "b.*", "ab(.*)ab", "\\(.*\\)", "", "a\\.(.*)\\.b",
		"a-_=;:/ ", "aa.*aa", "a.*a", "a[^b]*", "a([^b]*)b", "a[^b]+", "a([^b]+)",
		"a([^ab]+)bY", "aa[^x;]*", "ab[^a]+a", "a([^.]+)\\." };
	static const char *const text[] = { "", "a", "ab", "aab", "abab", "ba", "xaxbxb", "a.x.b.b",
		"(a)", "aXbYa\nb", "a-_=;:/ ", "aaa", "aaaa", "abxab", "b\r\na", "aaxxabY",
		"ababcabca", "axa.aa.", "aaxx;yaa" };

	(void)state;
	for (size_t i = 0; i < sizeof(expression) / sizeof(expression[0]); i++) {
		char action[256];

		snprintf(action, sizeof(action), "<ereg regexp=\"%s\"/>", expression[i]);
		if (expression[i][0] == '\0')
			continue;
		run(action);
		assert_true(loaded->action[0].plain != PLAIN_NO);
		for (size_t k = 0; k < sizeof(text) / sizeof(text[0]); k++) {
			struct nfv_sv in = nfv_sv_str(text[k]);
			regmatch_t plain[EREG_GROUPS], engine[EREG_GROUPS];
			struct action a = loaded->action[0];
			bool matched = ereg_match(&a, in, plain);

			a.plain = PLAIN_NO;
			assert_int_equal(ereg_match(&a, in, engine), matched);
			if (matched)
				assert_memory_equal(plain, engine, sizeof(plain));
		}
	}
}

static void
test_not_plain(void **state)
{
	static const char *const t[] = { "a*", "ab?", "a+", "^a", "a$", "a|b", "[a]", "a.b", "(a)",
		"(.*)*", ".*+", "a{2}", ".*(b)", "\\w", "\\<a", "(.*)(.*)", "a.*b.*c" };
	char action[256];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(action, sizeof(action), "<ereg regexp=\"%s\"/>", t[i]);
		run(action);
		assert_int_equal(loaded->action[0].plain, PLAIN_NO);
	}
}

static void
test_numbers(void **state)
{
	(void)state;
	goes_on("<assign assign_to=\"3\" value=\"2\"/><assign assign_to=\"4\" variable=\"1\"/>"
		"<add assign_to=\"3\" value=\"1\"/><multiply assign_to=\"3\" variable=\"4\"/>"
		"<subtract assign_to=\"3\" value=\"0.5\"/><divide assign_to=\"3\" value=\"2\"/>");
	number_is(3, 8);
	goes_on("<divide assign_to=\"1\" value=\"0\"/>");
	number_is(1, 5.5);
	assert_int_equal(warnings, 1);
	goes_on("<assignstr assign_to=\"3\" value=\"12.5\"/><todouble assign_to=\"4\" variable=\"3\"/>"
		"<todouble assign_to=\"5\" variable=\"2\"/><todouble assign_to=\"6\" variable=\"1\"/>");
	number_is(4, 12.5);
	number_is(5, 1);
	number_is(6, 5.5);
	goes_on("<todouble assign_to=\"3\" variable=\"0\"/>");
	assert_int_equal(warnings, 1);
	goes_on("<test assign_to=\"3\" variable=\"1\" compare=\"greater_than\" value=\"5\"/>"
		"<test assign_to=\"4\" variable=\"1\" compare=\"equal\" variable2=\"7\"/>");
	assert_true(facts_is_set(&facts, 3) && !facts_is_set(&facts, 4));
	fails("<test assign_to=\"3\" variable=\"1\" compare=\"less_than\" value=\"5\" check_it=\"true\"/>",
		CAUSE_TEST);
	goes_on("<gettimeofday assign_to=\"3,4\"/><sample assign_to=\"5\" distribution=\"fixed\" value=\"3\"/>");
	number_is(3, 1795266579);
	number_is(4, 347898);
	number_is(5, 3);
}

static void
test_texts(void **state)
{
	(void)state;
	goes_on("<assignstr assign_to=\"3\" value=\" [$0] \"/><trim assign_to=\"3\"/>");
	text_is(3, "text");
	goes_on("<strcmp assign_to=\"3\" variable=\"0\" value=\"text\"/>"
		"<strcmp assign_to=\"4\" variable=\"0\" value=\"tex\"/>"
		"<strcmp assign_to=\"5\" variable=\"0\" value=\"u\"/>");
	number_is(3, 0);
	number_is(4, 1);
	number_is(5, -1);
	fails("<strcmp variable=\"0\" value=\"a\" check_it=\"true\"/>", CAUSE_STRCMP);
	fails("<strcmp assign_to=\"3\" variable=\"0\" variable2=\"0\" check_it_inverse=\"true\"/>",
		CAUSE_STRCMP);
	goes_on("<log message=\"[$0] [call_number]\"/>");
	assert_string_equal(said, "text 3");
	goes_on("<lookup assign_to=\"3\" file=\"f\" key=\"[$0]\"/><lookup assign_to=\"4\" file=\"g\" key=\"\"/>");
	number_is(3, 42);
	number_is(4, -1);
	goes_on("<verifyauth assign_to=\"3\" username=\"[service]\" password=\"pw\"/>"
		"<verifyauth assign_to=\"4\" username=\"x\" password=\"pw\"/>");
	assert_true(facts_is_set(&facts, 3) && !facts_is_set(&facts, 4));
	fails("<log message=\"[field9]\"/>", CAUSE_FIELD_MISSING);
}

static void
test_verdicts(void **state)
{
	struct verdict v = run("<jump value=\"2\"/><assign assign_to=\"3\" value=\"1\"/>");

	(void)state;
	assert_true(v.kind == VERDICT_JUMP && v.step == 3);
	number_is(3, 1);
	assert_int_equal(
		run("<assign assign_to=\"3\" value=\"1\"/><jump variable=\"3\"/>").step, 2);
	fails("<jump value=\"0\"/>", CAUSE_STOPPED);
	fails("<jump value=\"3\"/>", CAUSE_STOPPED);
	fails("<exec int_cmd=\"stop_call\"/><log message=\"x\"/>", CAUSE_STOPPED);
	assert_string_equal(said, "");
	assert_int_equal(run("<exec int_cmd=\"stop_gracefully\"/>").kind, VERDICT_STOP_GRACEFULLY);
	assert_int_equal(run("<exec int_cmd=\"stop_now\"/>").kind, VERDICT_STOP_NOW);
	v = run("<error message=\"no [$0]\"/>");
	assert_true(v.kind == VERDICT_ERROR && v.cause == CAUSE_STOPPED);
	assert_string_equal(said, "no text");
}

static void
test_room(void **state)
{
	struct verdict v = run("<ereg regexp=\".*\" assign_to=\"3\"/>");

	(void)state;
	assert_true(v.kind == VERDICT_FAIL && v.no_room);
	assert_int_equal(facts_value(&facts, 3)->kind, VALUE_UNSET);
	text_is(0, "text");
	goes_on("<assignstr assign_to=\"0\" value=\"12345678901234567890\"/>"
		"<assignstr assign_to=\"3\" value=\"abcdefghijabcdefghijabcde\"/>"
		"<assignstr assign_to=\"0\" value=\"x[$0]\"/>"
		"<assignstr assign_to=\"0\" value=\"x[$0]\"/>"
		"<assignstr assign_to=\"0\" value=\"x[$0]\"/>");
	text_is(0, "xxx12345678901234567890");
	text_is(3, "abcdefghijabcdefghijabcde");
}

static void
test_samples(void **state)
{
	static const struct {
		struct duration d;
		double mean, slack;
	} t[] = {
		{ { DIST_FIXED, -1, 7, 0 }, 7, 0 },
		{ { DIST_UNIFORM, -1, 10, 20 }, 15, 0.2 },
		{ { DIST_NORMAL, -1, 100, 10 }, 100, 1 },
		{ { DIST_LOGNORMAL, -1, 1, 0.5 }, 3.0802, 0.1 },
		{ { DIST_EXPONENTIAL, -1, 5, 0 }, 5, 0.2 },
		{ { DIST_WEIBULL, -1, 2, 2 }, 1.7725, 0.05 },
		{ { DIST_PARETO, -1, 4, 3 }, 4, 0.1 },
		{ { DIST_GAMMA, -1, 3, 2 }, 6, 0.2 },
		{ { DIST_GAMMA, -1, 0.5, 2 }, 1, 0.1 },
		{ { DIST_NEGBIN, -1, 0.25, 4 }, 12, 0.4 },
		{ { DIST_DEFAULT, -1, 1, 1 }, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct rnd random = { 7 };
		double sum = 0;

		for (int k = 0; k < 40000; k++)
			sum += duration_sample(&t[i].d, &random);
		assert_true(sum / 40000 >= t[i].mean - t[i].slack);
		assert_true(sum / 40000 <= t[i].mean + t[i].slack);
	}
}

static int
finish(void **state)
{
	(void)state;
	scenario_destroy(loaded);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ereg),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_not_plain),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_samples),
	};

	return cmocka_run_group_tests(tests, NULL, finish);
}
