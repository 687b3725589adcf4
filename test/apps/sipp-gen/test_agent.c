/* Two agents joined by rings in memory, under a clock that the test turns. */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_cycles.h>

#include "agent.h"
#include "eal.h"

#define MS 1000000ull /* ticks of the made-up clock */

struct side {
	struct scenario *scenario;
	struct net *net;
	struct agent *agent;
};

struct bed {
	struct side a, b;
	uint64_t now;
};

static struct nfv_addr
address(uint8_t last)
{
	return (struct nfv_addr){ { 10, 0, 0, last }, NFV_IPV4 };
}

static struct agent_conf
defaults(void)
{
	return (struct agent_conf){ .service = NFV_SV("service"),
		.pace = { .shape = PACE_FIXED, .rate = 1000, .workers = 1 },
		.open = 1000,
		.retrans_invite = 5,
		.retrans_other = 10,
		.base_cseq = 1,
		.retransmit = true,
		.tsc_hz = 1000 * MS,
		.seed = 1,
		.socket = -1 };
}

static void
open_net(struct net **n, const char *device, uint8_t last)
{
	struct net_conf c = { .device = device,
		.addr = { { address(last), 24 } },
		.n_addr = 1,
		.mtu = 1500,
		.descriptors = 256,
		.buffers = 4095,
		.socket = -1,
		.tsc_hz = 1000 * MS };
	struct nfv_err err = { "" };

	if (net_create(&c, n, &err) < 0)
		fail_msg("%s", err.text);
}

/* `scenario`: a built-in's name, or XML. */
static void
start(struct side *s, uint64_t now, const char *scenario, struct agent_conf conf, uint8_t own,
	uint8_t peer)
{
	struct nfv_err err = { "" };
	int rc = scenario[0] == '<' ?
		scenario_load_text(nfv_sv_str(scenario), "text", NULL, NULL, &s->scenario, &err) :
		scenario_builtin(scenario, &s->scenario, &err);

	if (rc < 0)
		fail_msg("%s", err.text);
	conf.scenario = s->scenario;
	conf.net = s->net;
	conf.local = conf.media = (struct nfv_endpoint){ address(own), 5060 };
	conf.remote = (struct nfv_endpoint){ address(peer), 5060 };
	if (agent_create(&conf, &s->agent, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(agent_begin(s->agent, now), 0);
}

static void
nobody(void *ctx, const struct net_datagram *d)
{
	(void)d;
	if (ctx != NULL)
		++*(unsigned int *)ctx;
}

static void
bed_init(struct bed *t)
{
	struct nfv_addr to_a = address(1), to_b = address(2);
	int rc;

	memset(t, 0, sizeof(*t));
	t->now = rte_rdtsc();
	open_net(&t->a.net, "pair:test:a", 1);
	open_net(&t->b.net, "pair:test:b", 2);
	do {
		rc = net_reach(t->a.net, &to_b, t->now) | net_reach(t->b.net, &to_a, t->now);
		net_poll(t->b.net, t->now, nobody, NULL);
		net_poll(t->a.net, t->now, nobody, NULL);
	} while (rc != 0);
}

static void
bed_fini(struct bed *t)
{
	struct side *side[] = { &t->a, &t->b };

	/* What nobody has read would be the next bed's, out of memory that is not there any more. */
	while (net_poll(t->a.net, t->now, nobody, NULL) + net_poll(t->b.net, t->now, nobody, NULL) >
		0)
		;
	for (int i = 0; i < 2; i++) {
		agent_destroy(side[i]->agent);
		net_destroy(side[i]->net);
		scenario_destroy(side[i]->scenario);
	}
}

static void
turn(struct bed *t, uint64_t step)
{
	t->now += step;
	if (t->a.agent != NULL)
		agent_turn(t->a.agent, t->now);
	if (t->b.agent != NULL)
		agent_turn(t->b.agent, t->now);
}

/* Until the caller is done, or so many milliseconds have passed. */
static void
run(struct bed *t, unsigned int ms, bool until_done)
{
	for (unsigned int i = 0; i < ms * 4; i++) {
		turn(t, MS / 4);
		if (until_done && agent_is_done(t->a.agent))
			return;
	}
	if (until_done)
		fail_msg("not done after %u ms", ms);
}

static uint64_t
sum_of_causes(const struct stats *s)
{
	uint64_t n = 0;

	for (int i = 0; i < CAUSES; i++)
		n += s->cause[i];
	return n;
}

static void
assert_adds_up(const struct agent *a)
{
	const struct stats *s = agent_stats(a);

	assert_int_equal(s->created_out + s->created_in, s->successful + s->failed + s->open);
	assert_int_equal(s->failed, sum_of_causes(s));
	assert_int_equal(s->offered, s->created_out + s->skipped);
}

static void
calls_succeed(void **state)
{
	struct agent_conf c = defaults();
	const struct stats *a, *b;
	struct bed t;

	(void)state;
	bed_init(&t);
	c.calls = 500;
	c.duration_ms = 20;
	start(&t.a, t.now, "uac", c, 1, 2);
	start(&t.b, t.now, "uas", c, 2, 1);
	run(&t, 5000, true);
	run(&t, 40000, false); /* the callee waits for strays */
	a = agent_stats(t.a.agent);
	b = agent_stats(t.b.agent);
	assert_int_equal(a->successful, 500);
	assert_int_equal(b->successful, 500);
	assert_int_equal(a->sent, 1500);
	assert_int_equal(a->received, 1500);
	assert_int_equal(b->sent, 1500);
	assert_int_equal(b->received, 1500);
	assert_int_equal(a->retransmitted + b->retransmitted + a->absorbed + b->absorbed, 0);
	assert_int_equal(a->latency[LATENCY_SRD].n, 500);
	assert_int_equal(a->latency[LATENCY_SDD].n, 500);
	assert_true(a->call_length.min >= 20000000);
	assert_int_equal(a->open + b->open, 0);
	assert_adds_up(t.a.agent);
	assert_adds_up(t.b.agent);
	bed_fini(&t);
}

/* RFC 3261 §17.1.1.2: after 0.5, 1, 2, 4, 8 seconds more; then it is over. */
static void
nobody_answers(void **state)
{
	struct agent_conf c = defaults();
	const struct stats *s;
	unsigned int heard = 0;
	struct bed t;

	(void)state;
	bed_init(&t);
	c.calls = 10;
	start(&t.a, t.now, "uac", c, 1, 2);
	for (int ms = 0; ms < 40000 && !agent_is_done(t.a.agent); ms++) {
		turn(&t, MS);
		net_poll(t.b.net, t.now, nobody, &heard);
	}
	s = agent_stats(t.a.agent);
	assert_int_equal(s->failed, 10);
	assert_int_equal(s->cause[CAUSE_MAX_RETRANSMISSIONS], 10);
	assert_int_equal(s->retransmitted, 50);
	assert_int_equal(heard, 60);
	assert_adds_up(t.a.agent);
	bed_fini(&t);
}

#define ANSWER(status)                                                                             \
	"<send><![CDATA[\n SIP/2.0 " status                                                        \
	"\n [last_Via:]\n [last_From:]\n [last_To:];tag=[call_number]\n"                           \
	" [last_Call-ID:]\n [last_CSeq:]\n Contact: <sip:[local_ip]:[local_port]>\n"               \
	" Content-Length: 0\n\n]]></send>"
#define SCENARIO(steps) "<?xml version=\"1.0\"?><scenario name=\"x\">" steps "</scenario>"

static void
the_busy_are_acknowledged(void **state)
{
	static const char busy[] = SCENARIO(
		"<recv request=\"INVITE\"/>" ANSWER("486 Busy Here") "<recv request=\"ACK\"/>");
	struct agent_conf c = defaults();
	struct bed t;

	(void)state;
	bed_init(&t);
	c.calls = 100;
	start(&t.a, t.now, "uac", c, 1, 2);
	start(&t.b, t.now, busy, c, 2, 1);
	run(&t, 3000, true);
	run(&t, 100, false);
	assert_int_equal(agent_stats(t.a.agent)->cause[CAUSE_REJECTED], 100);
	assert_int_equal(agent_stats(t.b.agent)->successful, 100);
	assert_adds_up(t.a.agent);
	bed_fini(&t);
}

/* A callee that hangs up before it is asked: its BYE is answered, and the call has failed. */
static void
what_is_unexpected_is_answered(void **state)
{
	static const char rude[] = SCENARIO("<recv request=\"INVITE\"/>" ANSWER(
		"200 OK") "<recv request=\"ACK\"/>"
			  "<send retrans=\"500\"><![CDATA[\n BYE sip:[remote_ip]:[remote_port] SIP/2.0\n"
			  " Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]\n From: <sip:b>;tag=[call_number]\n"
			  " To: <sip:a>[peer_tag_param]\n Call-ID: [call_id]\n CSeq: 5 BYE\n Content-Length: 0\n\n]]></send>"
			  "<recv response=\"200\"/>");
	struct agent_conf c = defaults();
	struct bed t;

	(void)state;
	bed_init(&t);
	c.calls = 50;
	c.duration_ms = 100;
	start(&t.a, t.now, "uac", c, 1, 2);
	start(&t.b, t.now, rude, c, 2, 1);
	run(&t, 3000, true);
	run(&t, 100, false);
	assert_int_equal(agent_stats(t.a.agent)->cause[CAUSE_UNEXPECTED], 50);
	assert_int_equal(agent_stats(t.b.agent)->successful, 50);
	assert_adds_up(t.a.agent);
	bed_fini(&t);
}

static void
losses_are_made_up_for(void **state)
{
	struct agent_conf c = defaults();
	const struct stats *a;
	struct bed t;

	(void)state;
	bed_init(&t);
	c.calls = 1000;
	c.fault.chance[FAULT_LOSS] = 0.05;
	c.fault.seed = 7;
	c.loss_in = 0.05;
	start(&t.a, t.now, "uac", c, 1, 2);
	start(&t.b, t.now, "uas", c, 2, 1);
	run(&t, 60000, true);
	a = agent_stats(t.a.agent);
	assert_int_equal(a->successful, 1000);
	assert_true(a->lost_out > 100 && a->lost_in > 100);
	assert_true(a->retransmitted > 50);
	assert_adds_up(t.a.agent);
	bed_fini(&t);
}

static void
chaos_is_survived(void **state)
{
	static const enum fault_kind kinds[] = { FAULT_DELAY, FAULT_DUPLICATE, FAULT_SWAP };
	struct agent_conf c = defaults();
	struct bed t;

	(void)state;
	bed_init(&t);
	c.calls = 500;
	for (int i = 0; i < 3; i++)
		c.fault.chance[kinds[i]] = 0.15;
	c.fault.delay_min = 1;
	c.fault.delay_max = 50;
	start(&t.a, t.now, "uac", c, 1, 2);
	start(&t.b, t.now, "uas", c, 2, 1);
	run(&t, 60000, true);
	assert_int_equal(agent_stats(t.a.agent)->successful, 500);
	assert_true(agent_stats(t.a.agent)->reordered > 0);
	bed_fini(&t);
}

/* More calls than may be open are not begun, and counted; nothing is lost silently. */
static void
room_runs_out(void **state)
{
	struct agent_conf c = defaults();
	struct bed t;

	(void)state;
	bed_init(&t);
	c.calls = 200;
	c.open = 10;
	c.duration_ms = 50;
	start(&t.a, t.now, "uac", c, 1, 2);
	c.open = 1000;
	start(&t.b, t.now, "uas", c, 2, 1);
	run(&t, 5000, true);
	assert_true(agent_stats(t.a.agent)->skipped > 100);
	assert_int_equal(agent_stats(t.a.agent)->open_max, 10);
	assert_int_equal(agent_stats(t.a.agent)->failed, 0);
	assert_adds_up(t.a.agent);
	bed_fini(&t);
}

static void
garbage_is_counted(void **state)
{
	static const char *const text[] = { "", "\r\n\r\n", "hello", "INVITE",
		"SIP/2.0 200 OK\r\n\r\n",
		"SIP/2.0 200 OK\r\nCall-ID: 00000000-00000001@10.0.0.1\r\nCSeq: 1 INVITE\r\n\r\n",
		"SIP/2.0 200 OK\r\nCall-ID: 00000000-99999999@10.0.0.1\r\nCSeq: 1 INVITE\r\n\r\n",
		"SIP/2.0 200 OK\r\nCall-ID: ffffffff-00000001@10.0.0.1\r\nCSeq: 99999999999 INVITE\r\n\r\n",
		"BYE sip:x SIP/2.0\r\nCall-ID: abc\r\nCSeq: 1 BYE\r\nVia: x\r\nFrom: x\r\nTo: x\r\n\r\n",
		"INVITE sip:x SIP/2.0\r\nCall-ID: abc\r\nCSeq: 1 INVITE\r\n\r\n" };
	const struct nfv_endpoint to = { address(1), 5060 };
	struct agent_conf c = defaults();
	struct bed t;

	(void)state;
	for (int caller = 0; caller < 2; caller++) {
		const struct stats *s;

		bed_init(&t);
		c.calls = 1;
		start(&t.a, t.now, caller ? "uac" : "uas", c, 1, 2);
		for (int round = 0; round < 100; round++) {
			for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
				char *room = net_begin(t.b.net, NFV_IPV4, strlen(text[i]));

				memcpy(room, text[i], strlen(text[i]));
				net_commit(t.b.net, strlen(text[i]), 5060, &to);
			}
			net_flush(t.b.net, t.now);
			turn(&t, MS / 10);
			net_poll(t.b.net, t.now, nobody, NULL);
		}
		s = agent_stats(t.a.agent);
		assert_true(s->garbage > 100);
		assert_true(s->out_of_call > 0);
		assert_int_equal(s->successful, 0);
		agent_stop(t.a.agent, true);
		turn(&t, MS);
		assert_int_equal(s->open, 0);
		assert_true(agent_is_done(t.a.agent));
		assert_adds_up(t.a.agent);
		bed_fini(&t);
	}
}

static void
stopped_calls_are_told(void **state)
{
	struct agent_conf c = defaults();
	struct bed t;

	(void)state;
	bed_init(&t);
	c.duration_ms = 100000;
	start(&t.a, t.now, "uac", c, 1, 2);
	start(&t.b, t.now, "uas", c, 2, 1);
	run(&t, 200, false);
	agent_stop(t.a.agent, false);
	run(&t, 100, false);
	assert_false(agent_is_done(t.a.agent));
	agent_stop(t.a.agent, true);
	run(&t, 100, true);
	assert_true(agent_stats(t.a.agent)->cause[CAUSE_ABORTED] > 100);
	run(&t, 40000, false);
	/* The peer was told by BYE. */
	assert_int_equal(agent_stats(t.b.agent)->open, 0);
	assert_int_equal(agent_stats(t.b.agent)->failed, 0);
	assert_adds_up(t.a.agent);
	bed_fini(&t);
}

/* Who answers may have been started anew, under load: its first answers leave before any neighbour has
 * told it their addresses. */
static void
first_answers_are_not_lost(void **state)
{
	struct agent_conf c = defaults();
	struct bed t;

	(void)state;
	bed_init(&t);
	net_destroy(t.b.net);
	open_net(&t.b.net, "pair:test:b", 2);
	c.calls = 100;
	c.pace =
		(struct pace_conf){ .shape = PACE_BURST, .burst = 100, .seconds = 1, .workers = 1 };
	start(&t.a, t.now, "uac", c, 1, 2);
	for (int i = 0; i < 8; i++)
		agent_turn(t.a.agent, t.now += MS / 10);
	start(&t.b, t.now, "uas", c, 2, 1);
	run(&t, 5000, true);
	assert_int_equal(agent_stats(t.a.agent)->successful, 100);
	assert_int_equal(agent_stats(t.a.agent)->retransmitted, 0);
	assert_int_equal(net_count(t.b.net)->l3_out, 0);
	bed_fini(&t);
}

/* Scenarios that only send: many calls in one slot within one turn, and at one instant. */
struct branches {
	char text[64][80];
	unsigned int n;
};

static void
collect(void *ctx, const struct net_datagram *d)
{
	struct branches *b = ctx;
	const char *at = memmem(d->payload.p, d->payload.n, "branch=", 7);

	assert_non_null(at);
	assert_true(b->n < 64);
	snprintf(b->text[b->n++], sizeof(b->text[0]), "%.*s",
		(int)((const char *)memchr(at, '\r', 80) - at), at);
}

static void
branches_are_never_the_same(void **state)
{
	static const char xml[] = SCENARIO(
		"<send><![CDATA[\n OPTIONS sip:x@[remote_ip] SIP/2.0\n"
		" Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]\n From: <sip:a>;tag=[call_number]\n"
		" To: <sip:b>\n Call-ID: [call_id]\n CSeq: 1 OPTIONS\n Content-Length: 0\n\n]]></send>");

	(void)state;
	for (int crowd = 0; crowd < 2; crowd++) {
		struct agent_conf c = defaults();
		struct branches b = { .n = 0 };
		struct bed t;

		bed_init(&t);
		c.calls = 64;
		c.crowd = crowd ? 10 : 0;
		c.pace = (struct pace_conf){
			.shape = PACE_BURST, .burst = 32, .seconds = 0.01, .workers = 1
		};
		start(&t.a, t.now, xml, c, 1, 2);
		for (int i = 0; i < 100 && b.n < 64; i++) {
			turn(&t, MS / 4);
			while (net_poll(t.b.net, t.now, collect, &b) > 0)
				;
		}
		assert_int_equal(b.n, 64);
		for (unsigned int i = 0; i < b.n; i++)
			for (unsigned int k = 0; k < i; k++)
				assert_string_not_equal(b.text[i], b.text[k]);
		bed_fini(&t);
	}
}

/* What RFC 3261 has no number for is not sent. */
static void
numbers_of_requests_end(void **state)
{
	static const char xml[] = SCENARIO(
		"<label id=\"1\"/><send next=\"1\"><![CDATA[\n OPTIONS sip:x@[remote_ip] SIP/2.0\n"
		" Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]\n From: <sip:a>;tag=[call_number]\n"
		" To: <sip:b>\n Call-ID: [call_id]\n CSeq: [cseq] OPTIONS\n Content-Length: 0\n\n]]></send>");
	struct agent_conf c = defaults();
	struct bed t;

	(void)state;
	bed_init(&t);
	c.calls = 1;
	c.base_cseq = 0x7fffffff - 5;
	start(&t.a, t.now, xml, c, 1, 2);
	run(&t, 100, true);
	assert_int_equal(agent_stats(t.a.agent)->sent, 6);
	assert_int_equal(agent_stats(t.a.agent)->cause[CAUSE_CANNOT_SEND], 1);
	bed_fini(&t);
}

#define USERS 7u

/* What each user of a closed loop has said: "userid/users/field/variable", the variable counting. */
struct heard {
	unsigned int calls[USERS + 1], wrong;
};

static void
hear(void *ctx, const struct net_datagram *d)
{
	static const char *const name[] = { "", "ann", "ben", "cay", "dan", "eve", "fay", "gil" };
	struct heard *h = ctx;
	char text[2048], field[8] = "";
	const char *at;
	unsigned int user, users;
	double before = 0;

	snprintf(text, sizeof(text), "%.*s", NFV_SV_ARG(d->payload));
	at = strstr(text, "Subject: ");
	if (at == NULL ||
		sscanf(at, "Subject: %u/%u/%7[a-z]/%lf", &user, &users, field, &before) < 3 ||
		user < 1 || user > USERS || users != USERS || strcmp(field, name[user]) != 0 ||
		before != h->calls[user]) {
		h->wrong++;
		return;
	}
	h->calls[user]++;
}

static const char users_text[] = "USER\nann\nben\ncay\ndan\neve\nfay\ngil\nhal\n";
static const char users_xml[] = SCENARIO(
	"<User variables=\"n\"/>"
	"<send><![CDATA[\n OPTIONS sip:x@[remote_ip] SIP/2.0\n"
	" Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]\n From: <sip:a>;tag=[call_number]\n"
	" To: <sip:b>\n Call-ID: [call_id]\n CSeq: 1 OPTIONS\n"
	" Subject: [userid]/[users]/[field0]/[$n]\n Content-Length: 0\n\n]]></send>"
	"<nop><action><add assign_to=\"n\" value=\"1\"/></action></nop><pause milliseconds=\"10\"/>");

/* N calls at a time, each user with its own line and its own variables, call after call. */
static void
a_closed_loop_keeps_its_calls_up(void **state)
{
	struct agent_conf c = defaults();
	struct heard heard = { { 0 }, 0 };
	const struct stats *s;
	struct nfv_err err;
	struct users *file;
	struct bed t;

	(void)state;
	assert_int_equal(
		users_parse("users.csv", nfv_sv(users_text, sizeof(users_text) - 1), &file, &err),
		0);
	bed_init(&t);
	c.crowd = USERS;
	c.calls = 50 * USERS + 3;
	c.users = &file;
	c.n_users = 1;
	start(&t.a, t.now, users_xml, c, 1, 2);
	s = agent_stats(t.a.agent);
	while (!agent_is_done(t.a.agent)) {
		turn(&t, MS / 4);
		while (net_poll(t.b.net, t.now, hear, &heard) > 0)
			;
		if (s->offered < c.calls)
			assert_int_equal(s->open, USERS);
		assert_true(s->open <= USERS);
	}
	assert_int_equal(heard.wrong, 0);
	for (unsigned int i = 1; i <= USERS; i++)
		assert_in_range(heard.calls[i], 50, 51);
	assert_int_equal(s->successful, c.calls);
	assert_int_equal(s->skipped + s->limited + s->latency[LATENCY_LAG].n, 0);
	assert_adds_up(t.a.agent);
	bed_fini(&t);
	users_destroy(file);
}

/* The rate of a closed loop is the peer's doing: calls of 100 ms are ten a second of each user, and
 * what only waits for strays is nobody's call any more. */
static void
a_closed_loop_waits_for_the_peer(void **state)
{
	static const char slow[] =
		SCENARIO("<recv request=\"INVITE\"/><pause milliseconds=\"50\"/>" ANSWER(
			"200 OK") "<recv request=\"ACK\"/><recv request=\"BYE\"/>"
				  "<pause milliseconds=\"50\"/>" ANSWER(
					  "200 OK") "<timewait milliseconds=\"4000\"/>");
	struct agent_conf c = defaults();
	const struct stats *s;
	struct bed t;

	(void)state;
	bed_init(&t);
	start(&t.b, t.now, slow, c, 2, 1);
	c.crowd = 20;
	c.open = 30;
	start(&t.a, t.now, "uac", c, 1, 2);
	s = agent_stats(t.a.agent);
	run(&t, 2000, false);
	assert_in_range(s->created_out, 20 * 19, 20 * 21);
	assert_true(s->open_max <= 30);
	agent_stop(t.a.agent, false);
	run(&t, 10000, true);
	assert_int_equal(s->failed, 0);
	assert_int_equal(s->open, 0);
	assert_adds_up(t.a.agent);
	bed_fini(&t);
}

/* Whoever fails at once tries again, without an end: the loop must not hold up the rest. */
static void
a_closed_loop_survives_failures(void **state)
{
	static const char busy[] = SCENARIO(
		"<recv request=\"INVITE\"/>" ANSWER("486 Busy Here") "<recv request=\"ACK\"/>");
	struct agent_conf c = defaults();
	struct bed t;

	(void)state;
	bed_init(&t);
	start(&t.b, t.now, busy, c, 2, 1);
	c.crowd = 50;
	c.calls = 1000;
	start(&t.a, t.now, "uac", c, 1, 2);
	run(&t, 5000, true);
	assert_int_equal(agent_stats(t.a.agent)->cause[CAUSE_REJECTED], 1000);
	assert_true(agent_stats(t.a.agent)->open_max <= 50);
	assert_adds_up(t.a.agent);
	bed_fini(&t);
}

static void
a_crowd_that_cannot_be_is_refused(void **state)
{
	struct agent_conf c = defaults();
	struct nfv_err err = { "" };
	struct agent *a = NULL;
	struct users *file;
	struct bed t;

	(void)state;
	bed_init(&t);
	assert_int_equal(users_parse("few.csv", NFV_SV("USER\na\nb\n"), &file, &err), 0);
	assert_int_equal(scenario_builtin("uac", &t.a.scenario, &err), 0);
	c.scenario = t.a.scenario;
	c.net = t.a.net;
	c.users = &file;
	c.n_users = 1;
	c.crowd = 3;
	assert_int_equal(agent_create(&c, &a, &err), -EINVAL);
	assert_non_null(strstr(err.text, "few.csv has 2 lines for 3 users"));
	c.crowd = c.open + 1;
	assert_int_equal(agent_create(&c, &a, &err), -EINVAL);
	assert_non_null(strstr(err.text, "may be open"));
	bed_fini(&t);
	users_destroy(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_succeed),
		cmocka_unit_test(nobody_answers),
		cmocka_unit_test(the_busy_are_acknowledged),
		cmocka_unit_test(what_is_unexpected_is_answered),
		cmocka_unit_test(losses_are_made_up_for),
		cmocka_unit_test(chaos_is_survived),
		cmocka_unit_test(room_runs_out),
		cmocka_unit_test(garbage_is_counted),
		cmocka_unit_test(stopped_calls_are_told),
		cmocka_unit_test(first_answers_are_not_lost),
		cmocka_unit_test(branches_are_never_the_same),
		cmocka_unit_test(numbers_of_requests_end),
		cmocka_unit_test(a_closed_loop_keeps_its_calls_up),
		cmocka_unit_test(a_closed_loop_waits_for_the_peer),
		cmocka_unit_test(a_closed_loop_survives_failures),
		cmocka_unit_test(a_crowd_that_cannot_be_is_refused),
	};

	test_eal("512");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
