/*
 * Calls of a stage that is replaced by another version of itself again and again: whatever happens, what is
 * said is what a stage says that is not replaced.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

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
	const char *x = ((const struct seen *)a)->text, *y = ((const struct seen *)b)->text;
	int rc = strcmp(strstr(x, "Call-ID: "), strstr(y, "Call-ID: "));

	return rc != 0 ? rc : strncmp(x, y, strcspn(x, "\r")); /* before any branch */
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
		if (holes_now.table != NULL)
			nfv_pinholes_expire(holes_now.table, burst.tsc, 32);
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

enum end { ANSWERED, REFUSED, CANCELLED, GIVEN_UP /* before it rings */, ENDS };

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
	} else if ((c->end == CANCELLED && c->step == OK) || c->step == TRYING) {
		like_invite(c, "CANCEL", what);
		say(c->caller, what);
		snprintf(c->last, BYTES, "%s", what);
		c->last_who = c->caller;
	} else if (c->step == (c->end == CANCELLED ? ACK : OK)) {
		answer_like(what, "487 Request Terminated");
		say(callee, what);
	} else {
		like_invite(c, "ACK", what);
		say(c->caller, what);
	}
	c->step++;
	if (c->step > (c->end == CANCELLED ? BYE : ACK))
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
	if ((c->step >= OK && c->end != ANSWERED) || (c->step == TRYING && c->end == GIVEN_UP)) {
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
	if (holes_now.table != NULL)
		assert_int_equal(holes_now.table->stats.open, 0);
	close_holes(&holes_now);
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
	with_holes = NO_HOLES;
	nfv_conf_close(doc);
	for (int i = 0; i < 2; i++) {
		free(said[i]);
		said[i] = NULL;
	}
	return 0;
}

static void
assert_same_said(unsigned int seed)
{
	size_t at = 0, line = 0;

	while (said[0][at] != '\0' && said[0][at] == said[1][at])
		line = said[0][at++] == '\n' && said[0][at] < '2' ? at : line;
	if (said[0][at] != said[1][at])
		fail_msg("seed %u, at %zu of %zu: %.700s\ninstead of: %.700s", seed, at, said_n[0],
			said[1] + line, said[0] + line);
}

static void
same_with(const char *yaml)
{
	prepare(yaml);
	for (unsigned int seed = 1; seed <= 6; seed++) {
		struct sip_count count;
		uint64_t absorbed;

		script(seed, false);
		count = ((struct sip_state *)stage)->count;
		absorbed = ((struct sip_state *)stage)->server.count.absorbed;
		nothing_is_left();
		script(seed, true);
		assert_same_said(seed);
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

/* --- users ----------------------------------------------------------------------------------------- */

#define USERS 400
#define OF_USERS                                                                                              \
	"sip: { relay: true, error-rate: 1000000, registrations: 2000, contacts: 3, domains: [example.org], " \
	"min-expires: 1, journal-sync: 0, "

static char folder[64], with_journal[512];
static bool lasting; /* nobody's time runs out */

/* Somebody comes, with a long contact now and then, or goes, or is called. */
static void
somebody(void)
{
	static char what[BYTES];
	unsigned int user = (unsigned int)random() % USERS,
		     who = (unsigned int)random() % 2 * 2 + 1;
	bool leaves = random() % 4 == 0, asks = random() % 12 == 0;
	const char *method = random() % 2 ? "INVITE" : "OPTIONS";
	int path = random() % 8 == 0 ? (int)(random() % 300) : 1;

	if (asks)
		snprintf(what, sizeof(what),
			"%s sip:u%u@example.org SIP/2.0\r\nVia: SIP/2.0/UDP %s:5070;branch=z9hG4bKo%ld\r\n"
			"Max-Forwards: 70\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:u%u@example.org>\r\n"
			"Call-ID: %ld\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
			method, user, party[who].host, random(), user, random(), method);
	else
		snprintf(what, sizeof(what),
			"REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP %s:5070;branch=z9hG4bKr%ld\r\n"
			"Max-Forwards: 70\r\nFrom: <sip:u%u@example.org>;tag=a\r\n"
			"To: <sip:u%u@example.org>\r\nCall-ID: %ld\r\nCSeq: 1 REGISTER\r\n"
			"Contact: <sip:c%0*ld@%s:5070>;q=0.%ld;expires=%ld\r\nContent-Length: 0\r\n\r\n",
			party[who].host, random(), user, user, random(), path, random() % 4,
			party[who].host, random() % 2 + 4,
			leaves ? 0 : random() % 60 + (lasting ? 3000 : 1));
	say(who, what);
}

static struct sip_location_stats
users(void)
{
	return sip_location_stats(sip_users_location(((struct sip_state *)stage)->server.users));
}

static void
with_users(bool replaced)
{
	unsigned int left = 0;

	side = replaced;
	said_n[side] = 0;
	burst = (struct nfv_burst){ .tsc = 1000 * MS };
	stage = new_stage(false, 42);
	srandom(5);
	for (int i = 0; i < 4000; i++) {
		unsigned int how = (unsigned int)random();

		somebody();
		if (i % 50 == 0)
			time_goes_on(how % 3000);
		if (!replaced)
			continue;
		if (left > 0 && --left > 0)
			give_some(how % 200000);
		else if (heir != NULL)
			give_end();
		else if (how % 20 == 1) {
			left = how / 8 % 60 + 1;
			give_begin();
		}
	}
	if (heir != NULL)
		give_end();
}

static void
stay_registered(const char *yaml)
{
	struct sip_location_stats was, is;

	prepare(yaml);
	with_users(false);
	was = users();
	ops->fini(stage);
	free(stage);
	if (with_journal[0] != '\0')
		unlink(with_journal);
	with_users(true);
	is = users();
	assert_same_said(0);
	assert_in_range(is.aors, 100, USERS);
	assert_int_equal(is.bindings, was.bindings);
	assert_int_equal(is.chunks, was.chunks);
	assert_int_equal(is.added, was.added);
	assert_int_equal(is.removed, was.removed);
	assert_int_equal(is.expired, was.expired);
}

static void
users_stay_registered(void **state)
{
	(void)state;
	with_journal[0] = '\0';
	stay_registered(OF_USERS "}");
	ops->fini(stage);
	free(stage);
}

static const char *
journal_yaml(void)
{
	static char yaml[1024];

	lasting = true;
	snprintf(folder, sizeof(folder), "/dev/shm/test_carry.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(with_journal, sizeof(with_journal), "%s/journal", folder);
	snprintf(yaml, sizeof(yaml), OF_USERS "journal: \"%s\" }", with_journal);
	return yaml;
}

static int
finish_journal(void **state)
{
	lasting = false;
	unlink(with_journal);
	rmdir(folder);
	return finish(state);
}

/* What a new start finds in the file is what there was. */
static void
assert_is_in_the_file(void)
{
	struct sip_location_stats was = users(), is;

	ops->fini(stage);
	free(stage);
	stage = new_stage(false, 99);
	is = users();
	assert_int_equal(is.aors, was.aors);
	assert_int_equal(is.bindings, was.bindings);
}

static void
the_journal_goes_on(void **state)
{
	(void)state;
	stay_registered(journal_yaml());
	assert_is_in_the_file();
	ops->fini(stage);
	free(stage);
}

/* The one that has handed over works on: what the other one has done meanwhile is void. */
static void
the_journal_goes_back(void **state)
{
	void *old;

	(void)state;
	prepare(journal_yaml());
	burst = (struct nfv_burst){ .tsc = 1000 * MS };
	stage = new_stage(false, 42);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 300; i++)
			somebody();
		give_begin();
		give_last();
		old = stage;
		stage = heir;
		heir = NULL;
		said_n[side] = 0;
		for (int i = 0; i < round * 100; i++)
			somebody();
		ops->fini(stage);
		free(stage);
		stage = old;
		said_n[side] = 0;
		for (int i = 0; i < 20; i++)
			somebody();
		assert_is_in_the_file();
	}
	ops->fini(stage);
	free(stage);
}

/* Nobody hands anything over: what is in the file is what there is. */
static void
the_journal_is_read_where_nobody_hands_over(void **state)
{
	struct sip_location_stats was, is;
	void *old;

	(void)state;
	prepare(journal_yaml());
	burst = (struct nfv_burst){ .tsc = 1000 * MS };
	stage = new_stage(false, 42);
	for (int i = 0; i < 3000; i++)
		somebody();
	was = users();
	heir = new_stage(true, 43);
	old = stage;
	stage = heir;
	heir = NULL;
	assert_int_equal(users().bindings, 0);
	time_goes_on(1);
	is = users();
	assert_int_equal(is.bindings, was.bindings);
	for (int i = 0; i < 3000; i++)
		somebody();
	ops->fini(old); /* it has the file open, and nobody begins with it beside it */
	free(old);
	assert_is_in_the_file();
	ops->fini(stage);
	free(stage);
}

/* --- strangers ------------------------------------------------------------------------------------ */

struct noted {
	uint32_t kind, i;
	size_t n;
	uint8_t bytes[4096];
};

#define NOTED 4096
static struct noted *noted;
static uint32_t n_noted, n_items;

static bool
note_item(void *arg, uint32_t kind, uint32_t i, const uint8_t *bytes, size_t n)
{
	struct noted *to = &noted[n_noted++];

	(void)arg;
	assert_true(n_noted <= NOTED && n <= sizeof(to->bytes));
	to->kind = kind;
	to->i = i;
	to->n = n;
	memcpy(to->bytes, bytes, n);
	return true;
}

static int
note_record(void *arg, const void *bytes, size_t n)
{
	return note_item(arg, 0, 0, bytes, n) ? 0 : -1;
}

static size_t
spoil(uint8_t *bytes, size_t n)
{
	for (int k = (int)(random() % 4); k >= 0 && n > 0; k--)
		switch (random() % 5) {
		case 0:
			n = (size_t)random() % n;
			break;
		case 1:
			bytes[(size_t)random() % n] = (uint8_t)random();
			break;
		case 2:
			bytes[(size_t)random() % (n < 96 ? n : 96)] ^=
				(uint8_t)(1u << random() % 8);
			break;
		case 3: /* a number of a neighbour's */
			bytes[(size_t)random() % (n < 96 ? n : 96)] += (uint8_t)(random() % 3);
			break;
		default:
			bytes[(size_t)random() % (n < 96 ? n : 96)] = random() % 2 ? 0 : 0xff;
		}
	return n;
}

/* Some in any order, some twice, some never, some of other numbers, and many not as they were. */
static void
take_from_a_stranger(unsigned int how)
{
	uint8_t *bytes = malloc(sizeof(noted->bytes));

	assert_non_null(bytes);
	for (uint32_t k = 0; k < n_items + n_items / 4; k++) {
		const struct noted *from =
			&noted[random() % 3 ? k % n_items : (uint32_t)random() % n_items];
		uint8_t *exact;
		size_t n = from->n;
		uint32_t i = from->i;

		memcpy(bytes, from->bytes, n);
		if ((unsigned int)random() % 100 < how)
			n = spoil(bytes, n);
		if ((unsigned int)random() % 100 < how / 4)
			i = (uint32_t)random() % 200;
		exact = malloc(n + 1); /* not a byte more is there */
		assert_non_null(exact);
		memcpy(exact, bytes, n);
		ops->import_item(stage, 1, from->kind, i, exact, n);
		free(exact);
	}
	for (uint32_t k = n_items; k < n_noted; k++) {
		memcpy(bytes, noted[k].bytes, noted[k].n);
		ops->import(stage, 1, bytes,
			(unsigned int)random() % 100 < how ? spoil(bytes, noted[k].n) : noted[k].n);
	}
	ops->import(stage, 1, NULL, 0);
	free(bytes);
}

static void
strangers(const char *yaml)
{
	const struct nfv_put to = { note_record, NULL };

	prepare(yaml);
	noted = malloc(NOTED * sizeof(*noted));
	assert_non_null(noted);
	script(3, false);
	for (int i = 0; i < 250; i++)
		any_call();
	for (int i = 0; i < 20; i++)
		somebody();
	n_noted = 0;
	assert_int_equal(nfv_items_init(&giving, ops, stage, &carry_err), 0);
	nfv_items_start(&giving);
	assert_int_equal(nfv_items_write(&giving, SIZE_MAX, note_item, NULL), 1);
	nfv_items_stop(&giving);
	nfv_items_fini(&giving);
	n_items = n_noted;
	assert_true(n_items > 50);
	assert_int_equal(ops->export_(stage, &to), 0);
	ops->fini(stage);
	free(stage);
	for (unsigned int round = 0; round < 60; round++) {
		const struct sip_state *s;

		said_n[side] = 0;
		srandom(round);
		s = stage = new_stage(true, round);
		take_from_a_stranger(round % 3 == 0 ? 100 : round);
		for (int i = 0; i < 100; i++)
			any_call();
		for (int i = 0; i < 10; i++)
			somebody();
		for (int i = 0; i < 90; i++) {
			said_n[side] = 0;
			burst.tsc += 60000 * MS;
			time_goes_on(300);
		}
		assert_int_equal(s->server.txns.n_free, s->server.txns.max);
		assert_int_equal(s->server.txns.texts.n_free, s->server.txns.texts.blocks);
		ops->fini(stage);
		free(stage);
	}
	free(noted);
}

static void
strangers_do_no_harm(void **state)
{
	(void)state;
	strangers(
		"sip: { transactions: 1024, error-rate: 1000000, registrations: 100, "
		"domains: [example.org], trunks: [{to: \"203.0.113.9:5999\"}], probe-interval: 0, "
		"media: relay, media-calls: 64, media-setup: 30, media-idle: 5 }");
}

static void
calls_with_pinholes_go_on(void **state)
{
	static const char yaml[] =
		"sip: { transactions: 4096, error-rate: 1000000, media: pinholes, "
		"media-calls: 256, media-setup: 30, media-idle: 5 }";

	(void)state;
	with_holes = OWN_HOLES;
	same_with(yaml);
	nfv_conf_close(doc);
	with_holes = SHARED_HOLES;
	same_with(yaml);
	with_holes = NO_HOLES;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(calls_go_on, finish),
		cmocka_unit_test_teardown(calls_with_media_go_on, finish),
		cmocka_unit_test_teardown(calls_with_pinholes_go_on, finish),
		cmocka_unit_test_teardown(users_stay_registered, finish),
		cmocka_unit_test_teardown(the_journal_goes_on, finish_journal),
		cmocka_unit_test_teardown(the_journal_goes_back, finish_journal),
		cmocka_unit_test_teardown(
			the_journal_is_read_where_nobody_hands_over, finish_journal),
		cmocka_unit_test_teardown(strangers_do_no_harm, finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
