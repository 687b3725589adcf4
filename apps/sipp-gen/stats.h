/**
 * @file
 * What a load generator counts. Each worker has one `struct stats`, which it alone writes; the
 * control thread adds them up now and then and gives the sum to report.h. Threads: as said.
 */
#ifndef STATS_H
#define STATS_H

#include <stdint.h>

#include "hist.h"
#include "scenario.h"

/** Why a call failed: disjoint, and together the failed calls. Names in cause_name. */
enum cause {
	CAUSE_CANNOT_SEND,         /* no buffer, no neighbour, or the message did not fit */
	CAUSE_MAX_RETRANSMISSIONS, /* nobody answered */
	CAUSE_UNEXPECTED,          /* a message that the scenario has no place for */
	CAUSE_REJECTED,            /* 4xx–6xx where a 2xx was expected */
	CAUSE_REGEXP_NO_MATCH,
	CAUSE_REGEXP_MATCH, /* check_it_inverse */
	CAUSE_HEADER_MISSING,
	CAUSE_TIMEOUT_RECV,
	CAUSE_TIMEOUT_CALL, /* -timeout_call or the end of the run with calls still open */
	CAUSE_TEST,
	CAUSE_STRCMP,
	CAUSE_FIELD_MISSING, /* a CSV has not enough columns */
	CAUSE_AUTH,          /* no challenge to answer, or one that cannot be answered */
	CAUSE_STOPPED,       /* <exec int_cmd="stop_call"/>, error action */
	CAUSE_ABORTED,       /* the run was ended by a signal */
	CAUSES
};
extern const char *const cause_name[CAUSES];

/** RFC 6076: registration request delay, session request delay, session disconnect delay; the lag is
 * how much later than intended a call was begun, by this program's own fault. */
enum latency { LATENCY_RRD, LATENCY_SRD, LATENCY_SDD, LATENCY_LAG, LATENCIES };

struct stats_step {
	uint64_t messages, retransmissions, timeouts, unexpected, lost;
};

struct stats {
	/* offered, sent, answered: apart */
	uint64_t offered; /* calls that were due by the load's shape */
	uint64_t
		skipped; /* of these, not begun: the limit of open calls (-l) or this program's own */
	uint64_t limited; /* of these, by this program: it had fallen behind, or had no room */
	uint64_t created_out, created_in; /* attempts begun here, and by the peer */
	uint64_t successful, failed, cause[CAUSES];
	uint64_t open, open_max;
	uint64_t sent, received,
		retransmitted,          /* messages; retransmitted: sent again, part of sent */
		absorbed,               /* the peer's retransmissions */
		reordered,              /* answers that overtook each other, counted, not failed */
		out_of_call, dead_call, /* for no call; for one that has ended */
		auto_answered, garbage, /* garbage: not SIP */
		lost_out, lost_in, duplicated, delayed, swapped; /* on purpose */
	uint64_t warnings, fatal;
	uint64_t tx_full, no_buffer, l3_in, l3_out, rx_other; /* frames */
	struct hist latency[LATENCIES];
	struct hist rtd[SCENARIO_RTDS + 1]; /* SIPp's response time durations, by number from 1 */
	struct hist call_length;
	struct stats_step step[SCENARIO_STEPS];
};

/** Add a worker's counters to a sum, in which `failed` is what the causes add up to. `open_max` is
 * then an upper bound: the workers' peaks need not have come together. */
void stats_merge(struct stats *into, const struct stats *s);

#endif
