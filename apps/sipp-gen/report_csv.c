/*
 * SIPp's statistics file: its columns, in its order, each ended by a semicolon. (P) is of the interval
 * that ends here, (C) of the run so far.
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "report_text.h"

#define NONE       SIZE_MAX /* no such thing here: 0 */
#define COUNTER(f) offsetof(struct stats, f)
#define COUNTERS   UINT8_MAX /* numbers that a step's counter can have */
#define PER_BOUNDS (sizeof(((struct scenario *)0)->call_length) / sizeof(uint32_t))

/* What is counted, as the sum of up to two counters. */
struct column {
	const char *name;
	size_t a, b;
};

static const struct column created[] = {
	{ "IncomingCall", COUNTER(created_in), NONE },
	{ "OutgoingCall", COUNTER(created_out), NONE },
};

static const struct column counted[] = {
	{ "SuccessfulCall", COUNTER(successful), NONE },
	{ "FailedCall", COUNTER(failed), NONE },
	{ "FailedCannotSendMessage", COUNTER(cause[CAUSE_CANNOT_SEND]), NONE },
	{ "FailedMaxUDPRetrans", COUNTER(cause[CAUSE_MAX_RETRANSMISSIONS]), NONE },
	{ "FailedTcpConnect", NONE, NONE },
	{ "FailedTcpClosed", NONE, NONE },
	{ "FailedUnexpectedMessage", COUNTER(cause[CAUSE_UNEXPECTED]),
		COUNTER(cause[CAUSE_REJECTED]) },
	{ "FailedCallRejected", NONE, NONE },
	{ "FailedCmdNotSent", NONE, NONE },
	{ "FailedRegexpDoesntMatch", COUNTER(cause[CAUSE_REGEXP_NO_MATCH]), NONE },
	{ "FailedRegexpShouldntMatch", COUNTER(cause[CAUSE_REGEXP_MATCH]), NONE },
	{ "FailedRegexpHdrNotFound", COUNTER(cause[CAUSE_HEADER_MISSING]), NONE },
	{ "FailedOutboundCongestion", NONE, NONE },
	{ "FailedTimeoutOnRecv", COUNTER(cause[CAUSE_TIMEOUT_RECV]), NONE },
	{ "FailedTimeoutOnSend", NONE, NONE },
	{ "FailedTestDoesntMatch", COUNTER(cause[CAUSE_TEST]), NONE },
	{ "FailedTestShouldntMatch", NONE, NONE },
	{ "FailedStrcmpDoesntMatch", COUNTER(cause[CAUSE_STRCMP]), NONE },
	{ "FailedStrcmpShouldntMatch", NONE, NONE },
	{ "OutOfCallMsgs", COUNTER(out_of_call), NONE },
	{ "DeadCallMsgs", COUNTER(dead_call), NONE },
	{ "Retransmissions", COUNTER(retransmitted), NONE },
	{ "AutoAnswered", COUNTER(auto_answered), NONE },
	{ "Warnings", COUNTER(warnings), NONE },
	{ "FatalErrors", COUNTER(fatal), NONE },
	{ "WatchdogMajor", NONE, NONE },
	{ "WatchdogMinor", NONE, NONE },
};

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t
value(const struct stats *s, const struct column *c)
{
	const char *p = (const char *)s;

	return (c->a != NONE ? *(const uint64_t *)(const void *)(p + c->a) : 0) +
		(c->b != NONE ? *(const uint64_t *)(const void *)(p + c->b) : 0);
}

/* Numbers of the counters that the scenario's steps have, by first use. */
static unsigned int
counters_used(const struct scenario *s, uint8_t number[COUNTERS])
{
	bool seen[COUNTERS + 1] = { true };
	unsigned int n = 0;

	for (uint32_t i = 0; s != NULL && i < s->n_steps; i++) {
		if (!seen[s->step[i].counter]) {
			seen[s->step[i].counter] = true;
			number[n++] = s->step[i].counter;
		}
	}
	return n;
}

static uint64_t
counter(const struct scenario *s, const struct stats *stats, uint8_t number)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < s->n_steps && i < SCENARIO_STEPS; i++)
		if (s->step[i].counter == number)
			sum += stats->step[i].messages;
	return sum;
}

/* Bounds of a repartition in ascending order. */
static unsigned int
sorted(const uint32_t *bound, unsigned int n, uint32_t out[PER_BOUNDS])
{
	n = n > PER_BOUNDS ? PER_BOUNDS : n;
	for (unsigned int i = 0; i < n; i++) {
		unsigned int k = i;

		for (; k > 0 && out[k - 1] > bound[i]; k--)
			out[k] = out[k - 1];
		out[k] = bound[i];
	}
	return n;
}

static void
name_twice(FILE *to, const char *name, const char *more)
{
	fprintf(to, "%s%s(P);%s%s(C);", name, more, name, more);
}

static void
repartition_names(FILE *to, const char *name, const uint32_t *bound, unsigned int n)
{
	uint32_t up[PER_BOUNDS];

	n = sorted(bound, n, up);
	if (n == 0)
		return;
	fprintf(to, "%s;", name);
	for (unsigned int i = 0; i < n; i++)
		fprintf(to, "%s_<%u;", name, up[i]);
	fprintf(to, "%s_>=%u;", name, up[n - 1]);
}

static int
end_line(FILE *to)
{
	fputc('\n', to);
	return fflush(to) != 0 || ferror(to) ? -EIO : 0;
}

FILE *
report_csv_open(const char *file, struct nfv_sv name, struct nfv_err *err)
{
	char made[256];
	FILE *f;

	if (file == NULL) {
		snprintf(made, sizeof(made), "%.*s_%d_.csv", name.n < 200 ? (int)name.n : 200,
			name.p, (int)getpid());
		for (char *c = made; *c != '\0'; c++)
			if (*c == '/' || *c == ' ')
				*c = '_';
		file = made;
	}
	f = fopen(file, "we");
	if (f == NULL)
		nfv_fail(err, errno, "%s: %s", file, strerror(errno));
	return f;
}

int
report_csv_names(FILE *to, const struct report_run *run)
{
	const struct scenario *s = run->scenario;
	uint8_t rtd[SCENARIO_RTDS], number[COUNTERS];
	unsigned int n = rtds_used(s, rtd), counters = counters_used(s, number);
	char buf[64], text[TEXT_MAX], name[TEXT_MAX + 32];

	fputs("StartTime;LastResetTime;CurrentTime;ElapsedTime(P);ElapsedTime(C);TargetRate;"
	      "CallRate(P);CallRate(C);",
		to);
	for (unsigned int i = 0; i < N_OF(created); i++)
		name_twice(to, created[i].name, "");
	fputs("TotalCallCreated;CurrentCall;", to);
	for (unsigned int i = 0; i < N_OF(counted); i++)
		name_twice(to, counted[i].name, "");
	for (unsigned int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "ResponseTime%s",
			text_clean(text, rtd_name(s, rtd[i], buf), FOR_CSV));
		name_twice(to, name, "");
		name_twice(to, name, "StDev");
	}
	name_twice(to, "CallLength", "");
	name_twice(to, "CallLength", "StDev");
	for (unsigned int i = 0; i < counters; i++) {
		snprintf(name, sizeof(name), "GenericCounter%u", number[i]);
		name_twice(to, name, "");
	}
	for (unsigned int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "ResponseTimeRepartition%s",
			text_clean(text, rtd_name(s, rtd[i], buf), FOR_CSV));
		repartition_names(to, name, s->response_time, s->n_response_time);
	}
	if (s != NULL)
		repartition_names(to, "CallLengthRepartition", s->call_length, s->n_call_length);
	return end_line(to);
}

/* A moment as SIPp writes it: local time, a tab, and seconds since the epoch. */
static void
moment(FILE *to, const struct timespec *start, uint64_t ns)
{
	uint64_t us = (uint64_t)start->tv_nsec / 1000 + ns / 1000;
	time_t t = start->tv_sec + (time_t)(us / 1000000);
	char day[32] = "", hour[32] = "";
	struct tm tm;

	us %= 1000000;
	if (localtime_r(&t, &tm) != NULL) {
		strftime(day, sizeof(day), "%Y-%m-%d", &tm);
		strftime(hour, sizeof(hour), "%H:%M:%S", &tm);
	}
	fprintf(to, "%s\t%s.%06" PRIu64 "\t%" PRId64 ".%06" PRIu64 ";", day, hour, us, (int64_t)t,
		us);
}

static void
hours(FILE *to, uint64_t s)
{
	fprintf(to, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ";", s / 3600, s / 60 % 60, s % 60);
}

/* A time in ns as hours:minutes:seconds:microseconds. */
static void
duration(FILE *to, double ns)
{
	uint64_t us = ns > 0 && ns < 9e18 ? (uint64_t)(ns / 1e3 + 0.5) : 0, s = us / 1000000;

	fprintf(to, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ":%06" PRIu64 ";", s / 3600,
		s / 60 % 60, s % 60, us % 1000000);
}

static void
mean_and_deviation(FILE *to, const struct hist *now, const struct hist *before)
{
	struct hist since;

	hist_since(now, before, &since);
	duration(to, hist_mean(&since));
	duration(to, hist_mean(now));
	duration(to, hist_stdev(&since));
	duration(to, hist_stdev(now));
}

/* Middle of what a bucket holds, in ns: the inverse of hist_index. */
static uint64_t
bucket_middle(unsigned int i)
{
	unsigned int bits = i >> HIST_SUB_BITS;
	uint64_t low = i & ((1u << HIST_SUB_BITS) - 1);

	if (bits == 0)
		return low;
	return ((low | 1u << HIST_SUB_BITS) << (bits - 1)) + (1ull << (bits - 1)) / 2;
}

static void
repartition(FILE *to, const struct hist *h, const uint32_t *bound, unsigned int n)
{
	uint32_t up[PER_BOUNDS];
	uint64_t count[PER_BOUNDS + 1] = { 0 };
	unsigned int k = 0;

	n = sorted(bound, n, up);
	if (n == 0)
		return;
	for (unsigned int i = 0; i < HIST_BUCKETS; i++) {
		while (k < n && bucket_middle(i) >= (uint64_t)up[k] * 1000000)
			k++;
		count[k] += h->bucket[i];
	}
	fputc(';', to);
	for (unsigned int i = 0; i <= n; i++)
		fprintf(to, "%" PRIu64 ";", count[i]);
}

static void
twice(FILE *to, uint64_t now, uint64_t before)
{
	fprintf(to, "%" PRIu64 ";%" PRIu64 ";", grown(now, before), now);
}

int
report_csv_line(FILE *to, const struct report_run *run, const struct report_moment *m)
{
	const struct scenario *s = run->scenario;
	const struct stats *now = m->now, *before = m->before;
	uint64_t period = grown(m->now_ns, m->before_ns);
	uint8_t rtd[SCENARIO_RTDS], number[COUNTERS];
	unsigned int n = rtds_used(s, rtd), counters = counters_used(s, number);

	moment(to, &run->start, 0);
	moment(to, &run->start, m->before_ns);
	moment(to, &run->start, m->now_ns);
	hours(to, period / 1000000000);
	hours(to, m->now_ns / 1000000000);
	/* SIPp, too, writes the users there. */
	fprintf(to, "%.12g;%g;%g;", run->users > 0 ? run->users : run->target_rate,
		rate(grown(attempts(now), attempts(before)), period),
		rate(attempts(now), m->now_ns));
	for (unsigned int i = 0; i < N_OF(created); i++)
		twice(to, value(now, &created[i]), value(before, &created[i]));
	fprintf(to, "%" PRIu64 ";%" PRIu64 ";", attempts(now), now->open);
	for (unsigned int i = 0; i < N_OF(counted); i++)
		twice(to, value(now, &counted[i]), value(before, &counted[i]));
	for (unsigned int i = 0; i < n; i++)
		mean_and_deviation(to, &now->rtd[rtd[i]], &before->rtd[rtd[i]]);
	mean_and_deviation(to, &now->call_length, &before->call_length);
	for (unsigned int i = 0; i < counters; i++)
		twice(to, counter(s, now, number[i]), counter(s, before, number[i]));
	for (unsigned int i = 0; i < n; i++)
		repartition(to, &now->rtd[rtd[i]], s->response_time, s->n_response_time);
	if (s != NULL)
		repartition(to, &now->call_length, s->call_length, s->n_call_length);
	return end_line(to);
}
