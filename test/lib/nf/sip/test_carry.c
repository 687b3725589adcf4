/*
 * Calls of a stage that is replaced by another version of itself again and again: whatever happens, what is
 * said is what a stage says that is not replaced.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nfv_sip.h"
#include "sip_stage.h"

#include "call_world.h"
#include "carry_world.h"

/* --- what is said, but for what may differ -------------------------------------------------------- */

#define LOG_MAX (64u << 20)

static char *said[2]; /* of the stage that stays; of the one that is replaced */
static size_t said_n[2];
static int side;

/* Branches name slots, and the relay's ports are drawn by lot. */
static void
note(enum nfv_dir dir, const struct seen *s)
{
	char *at = said[side] + said_n[side];
	const char *t = s->text;

	at += sprintf(at, "%d %s:%u %s:%u\n", dir, s->src, s->sport, s->dst, s->dport);
	while (*t != '\0') {
		if (strncmp(t, "z9hG4bKnf", 9) == 0) {
			t += strspn(t,
				"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");
			*at++ = '#';
		} else if (strncmp(t, "m=audio ", 8) == 0 || strncmp(t, "a=rtcp:", 7) == 0) {
			t += strcspn(t, "\r");
			*at++ = '#';
		} else {
			*at++ = *t++;
		}
	}
	*at++ = '\n';
	*at = '\0';
	said_n[side] = (size_t)(at - said[side]);
	assert_in_range(said_n[side], 0, LOG_MAX - (1 << 18));
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(((const struct seen *)a)->text, ((const struct seen *)b)->text);
}

/* What is due in the same instant comes in any order. */
static void
time_goes_on(uint64_t ms)
{
	static struct seen now[2][OUTS];

	for (; ms > 0; ms--) {
		unsigned int n[2] = { 0, 0 };

		rearm();
		burst.tsc += MS;
		burst.idle += MS / 2;
		ops->tick(stage, burst.tsc, &out);
		for (uint16_t i = 0; i < out.n; i++)
			see(&out.pkt[i], &now[out.dir[i]][n[out.dir[i]]++]);
		for (int dir = 0; dir < 2; dir++) {
			qsort(now[dir], n[dir], sizeof(now[0][0]), by_text);
			for (unsigned int i = 0; i < n[dir]; i++)
				note((enum nfv_dir)dir, &now[dir][i]);
		}
	}
}

static void
say(unsigned int who, const char *what)
{
	time_goes_on(1);
	deliver(who, what, strlen(what));
	for (unsigned int i = 0; i < went.n; i++)
		note(went.dir[i], &went.pkt[i]);
}

/* --- several calls, by lot ------------------------------------------------------------------------ */

#define CALLS 12

enum end { ANSWERED, REFUSED, CANCELLED, ENDS };

struct one {
	unsigned int no, caller, last_who;
	enum end end;
	int step;
	char invite[BYTES], last[BYTES], asked[BYTES], tag[32], routes[2][1024];
};

static struct one call[CALLS];
static unsigned int calls;

/* A request made of the INVITE, with its branch: ACK of a refusal, CANCEL. */
static void
like_invite(const struct one *c, const char *method, char *to)
{
	const char *rest = strchr(c->invite, ' '), *cseq = strstr(rest, "CSeq: 1 INVITE");
	const char *to_end = strstr(rest, "To: <sip:b@y>") + strlen("To: <sip:b@y>");

	sprintf(to, "%s%.*s%s%.*sCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n", method,
		(int)(to_end - rest), rest, method[0] == 'A' ? ";tag=b" : "", (int)(cseq - to_end),
		to_end, method);
}

static void
answer_like(char *to, const char *status)
{
	const char *rest = strstr(text, "\r\n");

	sprintf(to, "SIP/2.0 %s%s", status, rest);
}

/* What is said next in a call that does not come to anything. */
static void
fails_on(struct one *c)
{
	static char what[BYTES];
	unsigned int callee = c->caller ^ 1;

	compose(RINGING);
	if (c->end == REFUSED && c->step == OK) {
		answer_like(what, "486 Busy Here");
		say(callee, what);
		snprintf(c->last, BYTES, "%s", what);
		c->last_who = callee;
	} else if (c->end == CANCELLED && c->step == OK) {
		like_invite(c, "CANCEL", what);
		say(c->caller, what);
		snprintf(c->last, BYTES, "%s", what);
		c->last_who = c->caller;
	} else if (c->end == CANCELLED && c->step == ACK) {
		answer_like(what, "487 Request Terminated");
		say(callee, what);
	} else {
		like_invite(c, "ACK", what);
		say(c->caller, what);
	}
	c->step++;
	if (c->step > (c->end == REFUSED ? ACK : BYE))
		c->step = STEPS;
}

static void
next_step(struct one *c)
{
	unsigned int from;
	size_t n;

	call_no = c->no;
	caller = c->caller;
	memcpy(asked, c->asked, sizeof(asked));
	memcpy(routes, c->routes, sizeof(routes));
	if (c->step >= OK && c->end != ANSWERED) {
		fails_on(c);
		return;
	}
	from = c->caller ^ by_callee((enum step)c->step);
	n = compose((enum step)c->step);
	text[n] = '\0';
	snprintf(c->last, BYTES, "%s", text);
	c->last_who = from;
	if (c->step == INVITE)
		snprintf(c->invite, BYTES, "%s", text);
	time_goes_on(1);
	play((enum step)c->step);
	for (unsigned int i = 0; i < went.n; i++)
		note(went.dir[i], &went.pkt[i]);
	memcpy(c->asked, asked, sizeof(asked));
	memcpy(c->routes, routes, sizeof(routes));
	c->step++;
}

static void
any_call(void)
{
	struct one *c = &call[random() % CALLS];
	bool lost = random() % 8 == 0, again = random() % 4 == 0;

	if (c->no == 0 || c->step >= STEPS || lost) {
		*c = (struct one){ .no = ++calls,
			.caller = (unsigned int)random() % PARTIES,
			.end = (enum end)(random() % ENDS) };
		return;
	}
	if (again && c->step > 0)
		say(c->last_who, c->last);
	else
		next_step(c);
}

static void
script(unsigned int seed, bool replaced)
{
	unsigned int left = 0;

	side = replaced;
	said_n[side] = 0;
	memset(call, 0, sizeof(call));
	memset(routes, 0, sizeof(routes));
	calls = 0;
	burst = (struct nfv_burst){ .tsc = 1000 * MS };
	stage = new_stage(false, 42);
	srandom(seed);
	for (int i = 0; i < 600; i++) {
		unsigned int lot = (unsigned int)random() % 100, how = (unsigned int)random();

		if (lot < 90)
			any_call();
		else
			time_goes_on(lot < 97 ? how % 700 : how % 9000);
		if (!replaced)
			continue;
		/* At once, or over some of what happens next. */
		if (left > 0 && --left > 0)
			give_some(how % 4000);
		else if (heir != NULL)
			give_end();
		else if (how % 3 == 0)
			replace();
		else if (how % 3 == 1) {
			left = how / 8 % 40 + 1;
			give_begin();
		}
	}
	if (heir != NULL)
		give_end();
	for (int i = 0; i < 60; i++)
		time_goes_on(5000);
}

static void
nothing_is_left(void)
{
	const struct sip_state *s = stage;

	assert_int_equal(s->server.txns.n_free, s->server.txns.max);
	assert_int_equal(s->server.txns.texts.n_free, s->server.txns.texts.blocks);
	for (int i = 0; i < SIP_MACHINES; i++)
		assert_int_equal(s->server.txns.live[i], 0);
	if (s->relay != NULL)
		assert_int_equal(sip_relay_stats(s->relay)->open, 0);
	assert_int_equal(s->lost, 0);
	ops->fini(stage);
	free(stage);
}

static void
prepare(const char *yaml)
{
	if (start_with(yaml, &carry_err) < 0)
		fail_msg("%s", carry_err.text);
	ops->fini(stage);
	free(stage);
	stateful = true;
	mk_out(&out, out_mk, OUTS);
	for (int i = 0; i < 2; i++)
		if (said[i] == NULL)
			said[i] = malloc(LOG_MAX);
}

static int
finish(void **state)
{
	(void)state;
	nfv_conf_close(doc);
	for (int i = 0; i < 2; i++) {
		free(said[i]);
		said[i] = NULL;
	}
	return 0;
}

static void
same_with(const char *yaml)
{
	prepare(yaml);
	for (unsigned int seed = 1; seed <= 12; seed++) {
		size_t at = 0, line = 0;
		struct sip_count count;
		uint64_t absorbed;

		script(seed, false);
		count = ((struct sip_state *)stage)->count;
		absorbed = ((struct sip_state *)stage)->server.count.absorbed;
		nothing_is_left();
		script(seed, true);
		while (said[0][at] != '\0' && said[0][at] == said[1][at])
			line = said[0][at++] == '\n' && said[0][at] < '2' ? at : line;
		if (said[0][at] != said[1][at])
			fail_msg("seed %u, at %zu of %zu: %.700s\ninstead of: %.700s", seed, at,
				said_n[0], said[1] + line, said[0] + line);
		assert_true(said_n[0] > 100000);
		assert_memory_equal(&count, &((struct sip_state *)stage)->count, sizeof(count));
		assert_int_equal(absorbed, ((struct sip_state *)stage)->server.count.absorbed);
		nothing_is_left();
	}
}

static void
calls_go_on(void **state)
{
	(void)state;
	same_with("sip: { transactions: 4096, error-rate: 1000000, ring-time: 181 }");
}

static void
calls_with_media_go_on(void **state)
{
	(void)state;
	same_with("sip: { transactions: 4096, error-rate: 1000000, media: relay, media-calls: 256, "
		  "media-setup: 30, media-idle: 5, registrations: 100, domains: [example.org] }");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(calls_go_on, finish),
		cmocka_unit_test_teardown(calls_with_media_go_on, finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
