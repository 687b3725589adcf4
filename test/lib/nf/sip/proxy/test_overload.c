/* A worker made up of costs, offered calls at a pace: what it refuses, what it carries, how long its
 * queues grow. Time is counted, not taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "overload.h"

#define HZ    2600000000ull
#define MS    (HZ / 1000)
#define BURST 32
#define ROUND (MS / 10) /* until what was sent is answered */
#define QUEUE 16384u
#define LINE  (1u << 20)

enum message { INVITE, RINGING, OK, ACK, BYE, BYE_OK, ACK_REFUSED };

/* Cycles: those of test/bench/sip/bench_server.c and what is around it. */
static const unsigned int cost[] = { [INVITE] = 4800,
	[RINGING] = 3200,
	[OK] = 2800,
	[ACK] = 4100,
	[BYE] = 5700,
	[BYE_OK] = 3000,
	[ACK_REFUSED] = 2300 };
#define COST_REFUSED 2800
#define POLL         150
#define COST_CALL    23600
#define CAPACITY     (HZ / COST_CALL)

struct fifo {
	uint8_t message[LINE];
	uint64_t due[LINE];
	unsigned int head, n;
};

static struct worker {
	struct sip_overload o;
	struct fifo queue[2], line; /* the line: what others will have sent */
	uint64_t now, next, idle;
	unsigned int offered, carried, refused, lost, longest;
} * w;

static void
put(struct fifo *f, enum message m, uint64_t due)
{
	unsigned int i = (f->head + f->n++) % LINE;

	assert_true(f->n <= LINE);
	f->message[i] = (uint8_t)m;
	f->due[i] = due;
}

static enum message
take(struct fifo *f)
{
	enum message m = f->message[f->head];

	f->head = (f->head + 1) % LINE;
	f->n--;
	return m;
}

static void
arrive(enum message m)
{
	struct fifo *q = &w->queue[m == RINGING || m == OK || m == BYE_OK];

	if (q->n < QUEUE)
		put(q, m, 0);
	else
		w->lost++;
}

static void
answer(enum message m)
{
	put(&w->line, m, w->now + ROUND);
}

static unsigned int
work(enum message m)
{
	if (m == INVITE && !sip_overload_admit(&w->o, w->now)) {
		w->refused++;
		answer(ACK_REFUSED);
		return COST_REFUSED;
	}
	if (m == INVITE) {
		answer(RINGING);
		answer(OK);
	} else if (m == OK) {
		answer(ACK);
		answer(BYE);
	} else if (m == BYE) {
		answer(BYE_OK);
	}
	w->carried += m == BYE_OK;
	return cost[m];
}

/* `pause` of `each` it does not have its core. */
static void
run(unsigned int ms, double rate, uint64_t pause, uint64_t each)
{
	uint64_t end = w->now + ms * MS, paused = w->now + each;

	w->offered = w->carried = w->refused = w->lost = w->longest = 0;
	w->next = w->now;
	while (w->now < end) {
		bool idle = true;

		if (pause > 0 && w->now > paused) {
			w->now += pause;
			paused += each;
		}
		for (; w->next <= w->now; w->next += (uint64_t)((double)HZ / rate), w->offered++)
			arrive(INVITE);
		while (w->line.n > 0 && w->line.due[w->line.head] <= w->now)
			arrive(take(&w->line));
		for (unsigned int dir = 0; dir < 2; dir++) {
			struct fifo *q = &w->queue[dir];
			unsigned int n = q->n < BURST ? q->n : BURST;

			w->longest = q->n > w->longest ? q->n : w->longest;
			if (n == 0)
				continue;
			idle = false;
			sip_overload_note(&w->o, w->idle, w->now);
			for (unsigned int i = 0; i < n; i++)
				w->now += work(take(q));
		}
		w->now += idle ? POLL : 0;
		w->idle += idle ? POLL : 0;
	}
}

static int
start(void **state)
{
	(void)state;
	w = calloc(1, sizeof(*w));
	assert_non_null(w);
	w->now = 1;
	sip_overload_init(&w->o, HZ, 0, 1);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	free(w);
	return 0;
}

static void
pauses_are_no_overload(void **state)
{
	(void)state;
	run(3000, CAPACITY * .8, 6 * MS, 300 * MS);
	assert_int_equal(w->refused + w->lost, 0);
}

/* What could be carried at best, each refusal having its cost. */
static double
best(double rate)
{
	double refusal = COST_REFUSED + cost[ACK_REFUSED];

	return ((double)HZ - rate * refusal) / (COST_CALL - refusal);
}

static void
what_can_be_carried_is(void **state)
{
	static const double times[] = { 1.2, 1.5, 2, 3 };

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		double rate = (double)CAPACITY * times[i];

		run(500, rate, 0, 0);
		run(1000, rate, 0, 0);
		assert_true(w->carried >= .85 * best(rate));
		assert_int_equal(w->lost, 0);
		assert_true(w->longest < QUEUE / 4);
		/* And when it is over all are let in again. */
		run(2000, CAPACITY * .5, 0, 0);
		run(100, CAPACITY * .5, 0, 0);
		assert_int_equal(w->refused, 0);
	}
}

static void
what_is_refused_is_a_few_more(void **state)
{
	(void)state;
	run(1000, CAPACITY * 1.1, 0, 0);
	run(1000, CAPACITY * 1.1, 0, 0);
	assert_in_range(w->refused, w->offered / 20, w->offered / 4);
}

static void
it_has_patience(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 7; i++)
		sip_overload_note(&w->o, 0, w->now += 5 * MS);
	assert_int_equal(w->o.admit, SIP_ADMIT_ALL);
	sip_overload_note(&w->o, MS, w->now += 5 * MS);
	for (unsigned int i = 0; i < 7; i++)
		sip_overload_note(&w->o, MS, w->now += 5 * MS);
	assert_int_equal(w->o.admit, SIP_ADMIT_ALL);
	sip_overload_note(&w->o, MS, w->now += 5 * MS);
	assert_int_equal(w->o.admit, SIP_ADMIT_ALL / 8 * 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pauses_are_no_overload, start, stop),
		cmocka_unit_test_setup_teardown(what_can_be_carried_is, start, stop),
		cmocka_unit_test_setup_teardown(what_is_refused_is_a_few_more, start, stop),
		cmocka_unit_test_setup_teardown(it_has_patience, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
