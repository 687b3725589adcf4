/* Scenarios from text: every element and attribute, what is refused and on which line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "scenario.h"

#define DOCTYPE                                                                                    \
	"<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<!DOCTYPE scenario SYSTEM \"sipp.dtd\">\n"
#define SEND "<send><![CDATA[\nOPTIONS sip:a SIP/2.0\nCall-ID: [call_id]\n]]></send>"
#define RECV "<recv response=\"200\"/>"

static struct scenario *
load(const char *xml)
{
	struct scenario *s = NULL;
	struct nfv_err err;

	if (scenario_load_text(nfv_sv_str(xml), "f.xml", NULL, NULL, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

/* The sentence, up to the length of `want`, must be `want`. */
static void
refused(const char *xml, const char *want)
{
	struct scenario *s = (void *)&s;
	struct nfv_err err;

	assert_true(scenario_load_text(nfv_sv_str(xml), "f.xml", NULL, NULL, &s, &err) < 0);
	assert_ptr_equal(s, &s);
	err.text[strlen(want)] = '\0';
	assert_string_equal(err.text, want);
}

/* The same for one element that stands on line 3, before a scenario that is good. */
static void
refused_in(const char *element, const char *want)
{
	char xml[4096], line[256];

	snprintf(xml, sizeof(xml), "<scenario>\n\n%s\n" SEND "\n</scenario>", element);
	snprintf(line, sizeof(line), "f.xml:3: %s", want);
	refused(xml, line);
}

static void
is(struct nfv_sv got, const char *want)
{
	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.p, want, got.n);
}

static void
test_steps(void **state)
{
	(void)state;
	struct scenario *s = load(DOCTYPE
		"<scenario name=\"All &amp; everything\">\n"
		"<!-- two hyphens -- are -- forgiven -->\n"
		"<send retrans=\"500\" lost=\"10\" start_rtd=\"true\" counter=\"c\" crlf=\"true\"\n"
		" start_txn=\"t\" chance=\"0.25\" next=\"there\" test=\"v\" condexec=\"w\"\n"
		" condexec_inverse=\"true\" hide=\"true\" display=\"x\">"
		"<![CDATA[\n   INVITE sip:a SIP/2.0\n]]></send>\n"
		"<recv response=\"200\" optional=\"global\" rrs=\"true\" auth=\"true\" timeout=\"100\"\n"
		" ontimeout=\"there\" response_txn=\"t\" rtd=\"true\" repeat_rtd=\"true\" lost=\"50\"\n"
		" ignoresdp=\"true\"/>\n"
		"<recv request=\"BYE\" optional=\"true\"/>\n"
		"<recv request=\"IN.*\" regexp_match=\"true\" rtd=\"other\"/>\n"
		"<send ack_txn=\"t\"><![CDATA[SIP/2.0 180 Ringing\n]]></send>\n"
		"<pause/><pause milliseconds=\"100\"/><pause variable=\"v\"/>\n"
		"<pause distribution=\"uniform\" min=\"1\" max=\"2\" sanity_check=\"false\"/>\n"
		"<label id=\"there\"/><nop/>\n"
		"<timewait milliseconds=\"4000\"/>\n"
		"<ResponseTimeRepartition value=\"10, 20\"/><CallLengthRepartition value=\"7\"/>\n"
		"</scenario>");
	const struct step *p = s->step;

	is(s->name, "All & everything");
	assert_int_equal(s->n_steps, 11);
	assert_true(s->caller && !s->keeps_last && !s->uses_auth && !s->uses_fields);
	assert_int_equal(p->line, 5);
	assert_true(p->kind == STEP_SEND && p->request && p->method == NFV_SIP_INVITE);
	assert_true(p->retrans == 500 && p->start_rtd == 1 && p->counter == 1 && p->crlf == 1);
	assert_true(p->txn_start == 1 && p->chance == 0.25 && p->next == 9 && p->condexec_inverse);
	assert_true(p->next_if == 0 && p->condexec == 1 && p->lost > 0.099 && p->lost < 0.101);
	p++;
	assert_true(p->kind == STEP_RECV && !p->request && p->status == 200 && p->rrs && p->auth);
	assert_true(p->optional == OPTIONAL_GLOBAL && p->timeout == 100 && p->ontimeout == 9);
	assert_true(p->txn_response == 1 && p->rtd == 1 && p->rtd_repeat && p->next == NO_STEP);
	p++;
	assert_true(p->method == NFV_SIP_BYE && p->optional == OPTIONAL_HERE);
	p++;
	assert_true(p->request && p->regexp_match && p->regex != NULL && p->rtd == 2);
	assert_int_equal(regexec(p->regex, "INVITE", 0, NULL, 0), 0);
	p++;
	assert_true(!p->request && p->status == 180 && p->txn_ack == 1 && p->lost < 0);
	assert_int_equal(p[1].pause.kind, DIST_DEFAULT);
	assert_true(p[2].pause.kind == DIST_FIXED && p[2].pause.a == 100);
	assert_true(p[3].pause.kind == DIST_VARIABLE && p[3].pause.var == 0);
	assert_true(p[4].pause.kind == DIST_UNIFORM && p[4].pause.a == 1 && p[4].pause.b == 2);
	is(p[5].label, "there");
	assert_true(p[6].kind == STEP_TIMEWAIT && p[6].pause.a == 4000);
	assert_true(s->n_response_time == 2 && s->response_time[1] == 20);
	assert_true(s->n_call_length == 1 && s->call_length[0] == 7);
	is(s->rtd_name[2], "other");
	is(s->counter_name[1], "c");
	scenario_destroy(s);
	scenario_destroy(NULL);
}

static void
test_distributions(void **state)
{
	static const struct {
		const char *attrs;
		uint8_t kind;
	} t[] = {
		{ "fixed\" value=\"3", DIST_FIXED },
		{ "uniform\" min=\"3\" max=\"4", DIST_UNIFORM },
		{ "normal\" mean=\"3\" stdev=\"4", DIST_NORMAL },
		{ "lognormal\" mean=\"3\" stdev=\"4", DIST_LOGNORMAL },
		{ "exponential\" mean=\"3", DIST_EXPONENTIAL },
		{ "weibull\" lambda=\"3\" k=\"4", DIST_WEIBULL },
		{ "pareto\" k=\"3\" x_m=\"4", DIST_PARETO },
		{ "gamma\" k=\"3\" theta=\"4", DIST_GAMMA },
		{ "negbin\" p=\"0.5\" n=\"4", DIST_NEGBIN },
	};
	char xml[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(xml, sizeof(xml),
			"<scenario>" SEND "<pause distribution=\"%s\"/><nop><action>"
			"<sample assign_to=\"1\" distribution=\"%s\"/></action></nop></scenario>",
			t[i].attrs, t[i].attrs);
		struct scenario *s = load(xml);

		assert_int_equal(s->step[1].pause.kind, t[i].kind);
		assert_true(s->step[1].pause.a == (t[i].kind == DIST_NEGBIN ? 0.5 : 3));
		assert_int_equal(s->action[0].sample.kind, t[i].kind);
		scenario_destroy(s);
	}
}

static void
test_variables(void **state)
{
	(void)state;
	struct scenario *s = load(
		"<scenario>\n<Global variables=\"g, h\"/><User variables=\"u\"/>\n"
		"<Reference variables=\"c\"/>\n"
		"<init><label id=\"x\"/><nop next=\"x\"><action><assign assign_to=\"g\" value=\"1\"/></action>"
		"</nop></init>\n"
		"<send><![CDATA[OPTIONS sip:a SIP/2.0\nX: [$h] [$u] [$new] [field2]\n]]></send>\n"
		"</scenario>");

	assert_int_equal(s->n_vars, 5);
	assert_true(s->n_scope[VAR_CALL] == 2 && s->n_scope[VAR_USER] == 1);
	assert_int_equal(s->n_scope[VAR_GLOBAL], 2);
	assert_true(s->n_init == 1 && s->n_steps == 2 && s->step[0].next == 0 && s->uses_fields);
	assert_int_equal(s->action[0].to[0], VAR_ID(VAR_GLOBAL, 0));
	is(s->var[4].name, "new");
	assert_int_equal(s->var[4].id, VAR_ID(VAR_CALL, 1));
	scenario_destroy(s);
}

static void
test_actions(void **state)
{
	(void)state;
	struct scenario *s = load(
		"<scenario>" SEND "<recv response=\"200\"><action>\n"
		"<ereg regexp=\"tag=(.*);x\\.\" search_in=\"hdr\" header=\"To:\" assign_to=\"a,b\""
		" check_it=\"true\" start_line=\"true\" case_indep=\"true\" occurrence=\"2\"/>\n"
		"<ereg regexp=\"[0-9]+\" search_in=\"var\" variable=\"a\" check_it_inverse=\"true\"/>\n"
		"<ereg regexp=\"abc\" search_in=\"body\"/>\n"
		"<ereg regexp=\".*\" search_in=\"msg\" assign_to=\"a\"/>\n"
		"<log message=\"x [$a]\"/><warning message=\"y\"/><error message=\"z\"/>\n"
		"<assign assign_to=\"a\" value=\"1\"/><assignstr assign_to=\"a\" value=\"[call_id]\"/>\n"
		"<add assign_to=\"a\" value=\"-1.5\"/><subtract assign_to=\"a\" variable=\"b\"/>\n"
		"<multiply assign_to=\"a\" value=\"2\"/><divide assign_to=\"a\" value=\"2\"/>\n"
		"<todouble assign_to=\"a\" variable=\"b\"/><trim assign_to=\"a\"/>\n"
		"<strcmp assign_to=\"a\" variable=\"b\" value=\"q\"/>\n"
		"<test assign_to=\"a\" variable=\"b\" compare=\"less_than_equal\" value=\"2\"/>\n"
		"<jump value=\"1\"/><lookup assign_to=\"a\" file=\"f\" key=\"[$b]\"/>\n"
		"<sample assign_to=\"a\" distribution=\"fixed\" value=\"1\"/>\n"
		"<gettimeofday assign_to=\"a,b\"/>\n"
		"<verifyauth assign_to=\"a\" username=\"u\" password=\"p\"/>\n"
		"<exec int_cmd=\"stop_call\"/><exec int_cmd=\"stop_gracefully\"/>\n"
		"<exec int_cmd=\"stop_now\"/></action></recv></scenario>");
	const struct action *a = s->action;

	assert_int_equal(s->n_actions, 25);
	assert_int_equal(s->step[1].n_actions, 25);
	assert_true(a->plain == PLAIN_ANY && a->plain_group && a->check && a->start_line);
	is(a->plain_before, "tag=");
	is(a->plain_after, ";x.");
	is(a->header, "To:");
	assert_true(a->case_indep && a->occurrence == 2 && a->to[0] == 0 && a->to[1] == 1);
	assert_true(a[1].plain == PLAIN_NO && a[1].search == IN_VAR && a[1].check_inverse);
	assert_true(a[2].plain == PLAIN_TEXT && a[2].to[0] == NO_VAR);
	assert_true(a[3].plain == PLAIN_ANY && !a[3].plain_group);
	assert_int_equal(a[4].text.n, 2);
	for (int i = 4; i < 25; i++)
		assert_int_equal(a[i].kind, ACT_LOG + i - 4);
	assert_true(a[9].value == -1.5 && a[16].compare == CMP_LE && a[15].have_value);
	scenario_destroy(s);
}

static void
test_refused(void **state)
{
	(void)state;
	refused_in("<sendCmd/>", "<sendCmd> is not supported");
	refused_in("<recvCmd/>", "<recvCmd> is not supported");
	refused_in("<foo/>", "a scenario has no element <foo>");
	refused_in("<pause foo=\"1\"/>", "<pause> has no attribute \"foo\"");
	refused_in("<pause milliseconds=\"x\"/>", "milliseconds=\"x\" is no number");
	refused_in("<pause milliseconds=\"-1\"/>", "milliseconds=\"-1\" is not between");
	refused_in("<pause milliseconds=\"1\" variable=\"2\"/>", "<pause> takes one of");
	refused_in("<pause distribution=\"odd\"/>", "the distribution \"odd\" is not supported");
	refused_in("<pause distribution=\"gamma\" k=\"0\" theta=\"1\"/>", "no gamma distribution");
	refused_in("<pause distribution=\"normal\" mean=\"0\"/>", "<pause> needs stdev=");
	refused_in("<recv/>", "<recv> needs either request= or response=");
	refused_in("<recv response=\"2x\"/>", "response=\"2x\" is no number");
	refused_in("<recv response=\"200\" optional=\"maybe\"/>", "optional=\"maybe\" is neither");
	refused_in("<recv request=\"(\" regexp_match=\"true\"/>", "the regular expression \"(\"");
	refused_in("<recv request=\"A\" response_txn=\"t\"/>", "response_txn= needs");
	refused_in("<send/>", "<send> needs a message");
	refused_in("<send lost=\"101\"/>", "lost=\"101\" is not between");
	refused_in("<nop next=\"nowhere\"/>", "there is no label \"nowhere\"");
	refused_in("<recv response=\"200\" ontimeout=\"no\"/>", "there is no label \"no\"");
	refused_in("<nop chance=\"2\"/>", "chance=\"2\" is not between");
	refused_in("<recv response=\"200\" optional=\"true\"/><nop/>", "after an optional <recv>");
	refused_in("<recv response=\"200\" advance_state=\"false\"/>", "advance_state=");
	refused_in("<label/>", "<label> needs id=");
	refused_in("<label id=\"a\"/><label id=\"a\"/>", "the label \"a\" stands twice");
	refused_in("<label id=\"_unexp.main\"/>", "the label \"_unexp.main\"");
	refused_in("<timewait milliseconds=\"1\"/>", "<timewait> must be");
	refused_in("<init><pause/></init>", "<init> can have no <pause>");
	refused_in("<init><what/></init>", "<what> cannot stand in <init>");
	refused_in("<Global variables=\"a,a\"/>", "the variable \"a\" is declared twice");
	refused_in("<ResponseTimeRepartition value=\"2,1\"/>", "value=\"2,1\" is no list");
	refused_in("<nop><pause/></nop>", "<pause> cannot stand in <nop>");
}

static void
test_refused_actions(void **state)
{
	static const char *const t[][2] = {
		{ "<exec command=\"rm\"/>", "<exec command=> is not supported" },
		{ "<exec rtp_stream=\"a\"/>", "<exec rtp_stream=> is not supported" },
		{ "<exec play_pcap_audio=\"a\"/>", "<exec play_pcap_audio=> is not supported" },
		{ "<exec int_cmd=\"dance\"/>", "<exec> needs int_cmd=" },
		{ "<index assign_to=\"1\"/>", "the action <index> is not supported" },
		{ "<lookup assign_to=\"1\" file=\"[x]\" key=\"1\"/>", "keywords in file=" },
		{ "<setdest/>", "the action <setdest> is not supported" },
		{ "<closecon/>", "the action <closecon> is not supported" },
		{ "<dance/>", "there is no action <dance>" },
		{ "<ereg/>", "<ereg> needs regexp=" },
		{ "<ereg regexp=\"a{2,1}\"/>", "the regular expression" },
		{ "<ereg regexp=\"a\" search_in=\"hdr\"/>", "<ereg> needs header=" },
		{ "<ereg regexp=\"a\" search_in=\"sky\"/>", "search_in=\"sky\"" },
		{ "<ereg regexp=\"a\" assign_to=\"1,2,3,4,5,6,7,8,9,10,11\"/>",
			"assign_to= names" },
		{ "<log/>", "<log> needs message=" },
		{ "<log message=\"[nonsense]\"/>", "\"[nonsense]\" is no keyword" },
		{ "<add assign_to=\"1\"/>", "<add> needs either" },
		{ "<add value=\"1\"/>", "<add> needs assign_to=" },
		{ "<test assign_to=\"1\" variable=\"2\" compare=\"like\" value=\"1\"/>",
			"compare=\"like\"" },
		{ "<jump value=\"-1\"/>", "no step has the number -1" },
		{ "<gettimeofday assign_to=\"1\"/>", "<gettimeofday> needs" },
		{ "<log message=\"a\" colour=\"red\"/>", "<log> has no attribute \"colour\"" },
	};
	char element[256];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(element, sizeof(element), "<nop><action>%s</action></nop>", t[i][0]);
		refused_in(element, t[i][1]);
	}
}

static void
test_lines_of_keywords(void **state)
{
	(void)state;
	refused("<scenario>\n<send>\n<![CDATA[\n\n  A sip:b SIP/2.0\n  C: [d]\n]]></send></scenario>",
		"f.xml:6: \"[d]\" is no keyword");
	refused("<scenario>\n<send><![CDATA[A sip:b SIP/2.0\r\n  C: [last_:]\n]]></send></scenario>",
		"f.xml:3: \"[last_:]\" names no header field");
	refused("<scenario><send><![CDATA[A\nB\nC: [authentication username=[fieldx]]\n]]></send></scenario>",
		"f.xml:3: \"[fieldx]\" names no field");
	refused("<scenario><send><![CDATA[A\nB [server_ip]\n]]></send></scenario>",
		"f.xml:2: the keyword \"[server_ip]\" is not supported");
	refused("<scenario><send><![CDATA[A\nB [len\n]]></send></scenario>",
		"f.xml:2: a bracket is not closed");
}

static void
test_report(void **state)
{
	char *text = NULL;
	size_t n = 0;
	struct scenario_report report = { .to = open_memstream(&text, &n) };
	struct scenario *s;
	struct nfv_err err;

	(void)state;
	assert_int_equal(
		scenario_load_text(NFV_SV("<scenario>\n<sendCmd/>\n<foo/>\n<send><![CDATA[\n"
					  "A [x] [y]\n]]></send>\n</scenario>"),
			"f.xml", NULL, &report, &s, &err),
		-EINVAL);
	fclose(report.to);
	assert_int_equal(report.unsupported, 4);
	assert_string_equal(text,
		"f.xml:2: <sendCmd> is not supported\n"
		"f.xml:3: a scenario has no element <foo>\n"
		"f.xml:5: \"[x]\" is no keyword, and no -key gives it a value\n"
		"f.xml:5: \"[y]\" is no keyword, and no -key gives it a value\n");
	free(text);
}

static void
test_keys(void **state)
{
	const struct scenario_key key = { "x", "value" };
	const struct scenario_keys keys = { &key, 1 };
	struct scenario *s;

	(void)state;
	assert_int_equal(
		scenario_load_text(NFV_SV("<scenario><send><![CDATA[A [x]]]></send></scenario>"),
			"f", &keys, NULL, &s, NULL),
		0);
	is(s->step[0].message.piece[1].text, "value");
	scenario_destroy(s);
}

static void
test_xml(void **state)
{
	(void)state;
	refused("<scenario>\n<send>\n</scenario>", "f.xml:3: this is not XML: mismatched tag");
	refused("", "f.xml:1: this is not XML");
	refused("<sipp/>", "f.xml:1: this is no <scenario> but <sipp>");
	refused("<scenario>\n<pause/></scenario>", "f.xml:1: the scenario neither sends");
	refused("<!DOCTYPE scenario [\n<!ENTITY a \"aa\">\n]><scenario>&a;</scenario>",
		"f.xml:2: entities cannot be declared");
	refused("<!DOCTYPE scenario [\n<!ENTITY a SYSTEM \"/etc/passwd\">\n]><scenario/>",
		"f.xml:2: entities cannot be declared");
	refused("<scenario><send><![CDATA[A]]>\n<![CDATA[B]]></send></scenario>",
		"f.xml:2: an element has more than one CDATA section");
	/* markup in attributes, a DTD that is nowhere, bytes that are no UTF-8 */
	struct scenario *s = load(
		"\n" DOCTYPE "<scenario name=\"a<b>&c;\"><send><![CDATA[A sip:\xe9\xff SIP/2.0\n"
		"]]></send></scenario>");
	is(s->name, "a<b>&c;");
	is(s->step[0].message.piece[0].text, "A sip:\xe9\xff SIP/2.0\r\n\r\n");
	scenario_destroy(s);
}

static void
test_bounds(void **state)
{
	char *xml = calloc(1, 8u << 20);
	size_t n;

	(void)state;
	assert_non_null(xml);
	n = (size_t)sprintf(xml, "<scenario>");
	for (int i = 0; i < 100000; i++)
		n += (size_t)sprintf(xml + n, "<nop>");
	refused(xml, "f.xml:1: elements are nested too deeply");
	n = (size_t)sprintf(xml, "<scenario>\n");
	for (int i = 0; i <= SCENARIO_STEPS; i++)
		n += (size_t)sprintf(xml + n, "<nop/>\n");
	sprintf(xml + n, "</scenario>");
	refused(xml, "f.xml:514: there are more than 512 steps");
	n = (size_t)sprintf(xml, "<scenario>" SEND "<nop><action>\n");
	for (int i = 0; i <= SCENARIO_VARS; i++)
		n += (size_t)sprintf(xml + n, "<trim assign_to=\"%d\"/>\n", i);
	sprintf(xml + n, "</action></nop></scenario>");
	refused(xml, "f.xml:133: there are more than 128 variables");
	memset(xml, ' ', 5u << 20);
	xml[5u << 20] = '\0';
	refused(xml, "f.xml:1: a scenario of more than");
	free(xml);
}

static void
test_keeps_last(void **state)
{
	static const char answer[] = "<send><![CDATA[SIP/2.0 200 OK\n[last_Via:]\n]]></send>";
	static const struct {
		const char *steps;
		bool keeps;
	} t[] = {
		{ "<recv request=\"A\"/>%s<pause/>", false },
		{ "<recv request=\"A\"/><pause/>%s", true },
		{ "<recv request=\"A\"/><pause/><recv request=\"B\"/>%s", false },
		{ "<recv request=\"A\"/><pause/><recv request=\"B\" optional=\"global\"/>%s",
			true },
		{ "<label id=\"1\"/><recv request=\"A\" ontimeout=\"2\"/><label id=\"2\"/>%s"
		  "<pause next=\"1\"/>",
			true },
	};
	char xml[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		size_t n = (size_t)sprintf(xml, "<scenario>");

		n += (size_t)snprintf(xml + n, sizeof(xml) - n, t[i].steps, answer);
		snprintf(xml + n, sizeof(xml) - n, "</scenario>");
		struct scenario *s = load(xml);

		assert_int_equal(s->keeps_last, t[i].keeps);
		assert_false(s->caller);
		scenario_destroy(s);
	}
}

static void
test_builtins(void **state)
{
	static const char *const names[] = { "uac", "uas", "regexp", "branchc", "branchs",
		"register", "registrar" };
	struct scenario *s;
	struct nfv_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_non_null(scenario_builtin_xml(names[i]));
		if (scenario_builtin(names[i], &s, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(s->caller,
			strchr("sr", names[i][strlen(names[i]) - 1]) == NULL ||
				strcmp(names[i], "register") == 0);
		assert_false(s->keeps_last);
		scenario_destroy(s);
	}
	assert_null(scenario_builtin_xml("none"));
	assert_int_equal(scenario_builtin("none", &s, &err), -ENOENT);
	assert_non_null(strstr(err.text, "register and registrar"));
	assert_int_equal(scenario_load("/nowhere.xml", NULL, NULL, &s, &err), -ENOENT);
}

/* What SIPp prints loads, or is refused for what it needs. */
static void
test_sipp(void **state)
{
	static const struct {
		const char *name;
		bool loads;
	} t[] = { { "uac", true }, { "uas", true }, { "regexp", true }, { "branchc", true },
		{ "branchs", true }, { "ooc_default", true }, { "uac_pcap", false },
		{ "3pcc-C-A", false }, { "3pcc-C-B", false } };
	static char xml[65536];
	char command[64];

	(void)state;
	if (system("command -v sipp >/dev/null") != 0)
		skip();
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct scenario *s = NULL;
		struct nfv_err err = { "" };
		FILE *p;
		size_t n;

		snprintf(command, sizeof(command), "sipp -sd %s 2>/dev/null", t[i].name);
		p = popen(command, "r");
		assert_non_null(p);
		n = fread(xml, 1, sizeof(xml), p);
		pclose(p);
		if (scenario_load_text(nfv_sv(xml, n), "sipp", NULL, NULL, &s, &err) < 0) {
			assert_false(t[i].loads);
			assert_non_null(strstr(err.text, "is not supported"));
		} else {
			assert_true(t[i].loads);
		}
		scenario_destroy(s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_distributions),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_actions),
		cmocka_unit_test(test_lines_of_keywords),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_xml),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_keeps_last),
		cmocka_unit_test(test_builtins),
		cmocka_unit_test(test_sipp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
