/**
 * @file
 * What the forms of a report share: texts made harmless, names of steps, figures out of the counters.
 * Threads: the control thread alone.
 */
#ifndef REPORT_TEXT_H
#define REPORT_TEXT_H

#include "report.h"

#define TEXT_MAX 512 /* of a text shown, with its NUL; a longer one is cut */

/** What a text may contain, each a subset of the one before. */
enum text_for {
	FOR_JSON,     /* UTF-8, without control characters */
	FOR_HTML,     /* with & < > " ' escaped */
	FOR_TERMINAL, /* printable ASCII */
	FOR_CSV,      /* nor ; */
};

/** Copy `s` into `out` as harmless text, cut where it does not fit; returns `out`. */
const char *text_clean(char out[TEXT_MAX], struct nfv_sv s, enum text_for what_for);
const char *text_clean_str(char out[TEXT_MAX], const char *s, enum text_for what_for);

/** What a step does: "INVITE", "200", "pause 1000 ms". */
struct nfv_sv step_name(const struct step *s, char buf[64]);
const char *step_kind_name(const struct step *s);

/** Numbers of the timers that a scenario uses, in order of their first use; returns how many. */
unsigned int rtds_used(const struct scenario *s, uint8_t rtd[SCENARIO_RTDS]);
/** A timer's name: what the scenario calls it, else its number. */
struct nfv_sv rtd_name(const struct scenario *s, unsigned int rtd, char buf[64]);

/** Sums over all steps, and over all causes. */
struct stats_step steps_total(const struct stats *s);
uint64_t failures(const struct stats *s);
static inline uint64_t
attempts(const struct stats *s)
{
	return s->created_out + s->created_in;
}
/** Calls that ended otherwise than by silence. */
uint64_t answered(const struct stats *s);
/** n per second of `ns`; 0 if no time went by. */
double rate(uint64_t n, uint64_t ns);
/** a - b, and 0 where counters of running workers were seen in another order. */
static inline uint64_t
grown(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

extern const char *const latency_key[LATENCIES];  /* "srd" */
extern const char *const latency_name[LATENCIES]; /* "session request delay (SRD)" */
/** A plotted line's histogram: enum latency, then the timers. */
const struct hist *line_hist(const struct stats *s, unsigned int line);

#endif
