/**
 * @file
 * What a run tells its user: a JSON summary, SIPp's statistics file, a live table, a page of HTML.
 * All are made from sums over the workers (stats.h): one as it stands now, one as it stood when the
 * last interval began.
 *
 * Ownership: nothing is kept but what the caller holds; strings, scenario and sums are borrowed for
 * the call. Whatever a scenario or a peer may have written is shown as text: valid UTF-8 without
 * control characters, escaped for where it goes. Threads: the control thread alone.
 *
 * Keys of the summary. None is ever left out but those of causes{}; null stands for what was not
 * measured. Counters are of the whole run; times are in the unit that ends their name.
 *
 *	program version scenario file roles local remote load start (UTC, ISO 8601) elapsed_s workers
 *	parameters{}            report_run.param, name: text
 *	warnings[]              sentences: what the run was warned of, such as names that run out
 *	attempts                calls begun: attempts_out here, attempts_in by the peer
 *	successful failed open  together the attempts; open_max
 *	success_ratio           of the calls that have ended
 *	causes{}                cause_name: calls; only those that happened; they add up to `failed`
 *	closed_loop             calls were begun as others ended: their rate is the peer's doing as well;
 *	                        nothing is skipped or late then, and delays are not those of a given load
 *	users                   who kept calling, of a closed loop, else null
 *	target_rate             calls/s asked for; null of a closed loop
 *	offered                 calls due; offered_rate: per second
 *	skipped                 of them, not begun; limited: of these, by this program
 *	sent                    of them, begun
 *	achieved_rate           attempts per second
 *	answered                calls that ended otherwise than by silence: what did not succeed, yet
 *	                        got an answer, is in it
 *	generator_limited       this program fell behind itself: the figures are not the peer's
 *	messages_sent messages_received retransmissions absorbed reordered out_of_call dead_call
 *	unexpected timeouts     over all steps
 *	auto_answered garbage call_warnings fatal
 *	on_purpose{}            lost_out lost_in duplicated delayed swapped
 *	frames{}                tx_full no_buffer: not sent, since the device or the pool had no room;
 *	                        l3_out: could not leave (no neighbour, no route); l3_in: came, and were
 *	                        broken or none for us; rx_other: for us, but no good UDP datagrams
 *	loopback_floor_us       what a latency over a loopback of this program itself comes to
 *	latency_us{}            rrd srd sdd lag, each n min mean p50 p90 p99 p999 p9999 max
 *	response_time_us{}      the same of the scenario's timers, by their names
 *	call_length_us          the same of a call's length
 *	steps[]                 step kind name messages retransmissions timeouts unexpected lost
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "nfv_err.h"
#include "scenario.h"
#include "stats.h"

/** A parameter of the run that is only shown. */
struct report_param {
	const char *name, *value;
};

/** What a run is. A NULL text is shown as empty. */
struct report_run {
	const char *version; /* of this program */
	const struct scenario *scenario;
	const char *roles;          /* "uac", "uas and registrar" */
	const char *local, *remote; /* addresses, as they are to be shown */
	const char *load;           /* its shape in words: "ramp 0 to 150000 in 60 s" */
	struct timespec start;      /* by the wall clock */
	double target_rate;         /* calls/s, now; 0: it only answers, or has users */
	uint32_t users;             /* of a closed loop, whom calls wait for; 0: an open load */
	uint32_t workers;
	uint64_t loopback_floor; /* ns; 0: not measured */
	bool generator_limited;
	const struct nfv_err *warning; /* sentences about the run, said before */
	uint32_t n_warnings;
	const struct report_param *param;
	uint32_t n_params;
};

/** The run at a moment, and when the last interval began. Times are ns since the run's start. */
struct report_moment {
	uint64_t now_ns, before_ns;
	const struct stats *now, *before;
};

/** The whole run as one JSON object and a line end. Errors: -EIO, -ENOMEM. */
int report_json(
	FILE *to, const struct report_run *run, const struct report_moment *m, struct nfv_err *err);

/**
 * SIPp's statistics file (-trace_stat): the line of names, and the line of one interval. Columns of
 * what does not exist here (TCP, 3PCC's commands, the watchdog) are 0. Like SIPp's, a call that was
 * rejected stands under FailedUnexpectedMessage. Repartitions are read from histograms, so that a time
 * within 1 % of a limit may stand on its other side; no call is counted twice or left out.
 * report_csv_open makes the file, NAME_PID_.csv if `file` is NULL; NULL: it cannot, as the sentence says.
 */
FILE *report_csv_open(const char *file, struct nfv_sv name, struct nfv_err *err);
int report_csv_names(FILE *to, const struct report_run *run);
int report_csv_line(FILE *to, const struct report_run *run, const struct report_moment *m);

/** The live table: drawn over itself on a terminal, else one line per interval. */
struct report_live {
	FILE *to;
	bool terminal, colour;
	uint16_t columns, rows; /* of the terminal; 0: ask it */
	uint16_t drawn;         /* lines that stand there */
};

/** Colours only on a terminal, and not with NO_COLOR or TERM=dumb. */
void report_live_init(struct report_live *l, FILE *to);
int report_live(struct report_live *l, const struct report_run *run, const struct report_moment *m);

/** Latencies that are plotted: enum latency, then the scenario's timers from 1. */
#define REPORT_LINES  (LATENCIES + SCENARIO_RTDS)
#define REPORT_POINTS 600

struct report_point {
	uint64_t from_ns, to_ns;
	uint64_t offered, attempts, successful, failed, retransmitted; /* in this time */
	uint64_t open;                                                 /* most */
	uint64_t n[REPORT_LINES];
	uint64_t p50[REPORT_LINES], p99[REPORT_LINES], max[REPORT_LINES]; /* ns */
};

/**
 * How the run went over time, in bounded room: when it is full, neighbours are put together, two and
 * two. Counts then add up; of a percentile the higher stays, so that a plot never hides a bad second.
 * Begins as zeros.
 */
struct report_series {
	uint32_t n;
	uint32_t per_point; /* intervals to a point; 0: nothing was added yet */
	uint32_t in_last;   /* intervals in the last one */
	struct report_point point[REPORT_POINTS];
};

void report_series_add(struct report_series *s, const struct report_moment *m);

/** One page with everything in it, readable without network or scripts. Errors: -EIO. */
int report_html(FILE *to, const struct report_run *run, const struct report_moment *m,
	const struct report_series *s, struct nfv_err *err);

#endif
