/**
 * @file
 * What a search or an overload curve tells besides its last line: a page, and a line of CSV for each
 * trial. Of calls (modes.c) and of plain packets (plain_run.c) alike.
 *
 * The file has SIPp's form, each field ended by a semicolon, and one line a trial, in the order they
 * were made: Trial, from 1; Kind: search or overload; Factor of the curve's knee, 0 of a search; Rate
 * asked for, Achieved, Goodput, all a second; Good; Failed (Lost, of packets); Skipped;
 * GeneratorLimited; Passed, 0 or 1.
 *
 * Ownership: nothing is kept. Threads: the control thread alone.
 */
#ifndef REPORT_TRIALS_H
#define REPORT_TRIALS_H

#include "report.h"

struct report_trial {
	double rate;              /* asked for, a second */
	double achieved, goodput; /* begun or sent; and of these, good while the load was on */
	uint64_t good, bad, skipped;
	double factor; /* of the knee, in an overload curve; 0: the search's */
	bool generator_limited, passed;
};

struct report_trials {
	const char *what;       /* "Session establishment rate (RFC 7502)" */
	const char *unit, *bad; /* "calls" that "failed", "packets" "lost" */
	const char *bad_name;   /* the same as a column's name */
	bool searched;          /* else `found` is where the curve has its knee */
	double found, bound;    /* highest rate that passed; lowest that was too much; 0: none */
	bool limited, complete; /* the bound is this program's own; nobody cut it short */
	uint64_t ns;            /* all trials together took */
	const struct report_trial *trial;
	uint32_t n;
};

/** One page, as report_html makes one. Errors: -EIO. */
int report_trials_html(
	FILE *to, const struct report_run *run, const struct report_trials *t, struct nfv_err *err);
int report_trials_csv(FILE *to, const struct report_trials *t);
/** Both, where they are wanted (NULL: not). Errors: the page's file. */
int report_trials_write(const char *html, FILE *csv, const struct report_run *run,
	const struct report_trials *t, struct nfv_err *err);

#endif
