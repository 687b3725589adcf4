#include <stddef.h>

#include "stats.h"

const char *const cause_name[CAUSES] = {
	[CAUSE_CANNOT_SEND] = "cannot_send",
	[CAUSE_MAX_RETRANSMISSIONS] = "max_retransmissions",
	[CAUSE_UNEXPECTED] = "unexpected",
	[CAUSE_REJECTED] = "rejected",
	[CAUSE_REGEXP_NO_MATCH] = "regexp_no_match",
	[CAUSE_REGEXP_MATCH] = "regexp_match",
	[CAUSE_HEADER_MISSING] = "header_missing",
	[CAUSE_TIMEOUT_RECV] = "timeout_recv",
	[CAUSE_TIMEOUT_CALL] = "timeout_call",
	[CAUSE_TEST] = "test",
	[CAUSE_STRCMP] = "strcmp",
	[CAUSE_FIELD_MISSING] = "field_missing",
	[CAUSE_AUTH] = "auth",
	[CAUSE_STOPPED] = "stopped",
	[CAUSE_ABORTED] = "aborted",
};

/* Before the histograms there are nothing but 64-bit counters. */
#define COUNTERS (offsetof(struct stats, latency) / sizeof(uint64_t))

static void
add_counters(void *into, const void *s, size_t n)
{
	uint64_t *a = into;
	const uint64_t *b = s;

	for (size_t i = 0; i < n; i++)
		a[i] += b[i];
}

void
stats_merge(struct stats *into, const struct stats *s)
{
	_Static_assert(offsetof(struct stats, latency) % sizeof(uint64_t) == 0, "counters only");
	add_counters(into, s, COUNTERS);
	/* A worker may have been between two increments: the sum is made to agree with itself. */
	into->failed = 0;
	for (unsigned int i = 0; i < CAUSES; i++)
		into->failed += into->cause[i];
	for (unsigned int i = 0; i < LATENCIES; i++)
		hist_merge(&into->latency[i], &s->latency[i]);
	for (unsigned int i = 0; i <= SCENARIO_RTDS; i++)
		hist_merge(&into->rtd[i], &s->rtd[i]);
	hist_merge(&into->call_length, &s->call_length);
	add_counters(
		into->step, s->step, SCENARIO_STEPS * sizeof(struct stats_step) / sizeof(uint64_t));
}
