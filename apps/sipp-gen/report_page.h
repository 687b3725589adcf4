/**
 * @file
 * The parts of the HTML reports: frame, and tables of a run (report_html.c), its plots (report_plot.c);
 * report_trials.c makes another page in the same frame.
 * Threads: the control thread alone.
 */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include "chart.h"
#include "report_text.h"

/** Calls per second and open calls over time. */
void plot_calls(FILE *to, const struct report_series *s);
/** Percentiles over time of every latency that was measured, and as curves. */
void plot_latencies(FILE *to, const struct report_run *run, const struct report_moment *m,
	const struct report_series *s);

/** From the first byte to the header's end; `title` is escaped here. `ns`: the run took. */
void page_begin(FILE *to, const struct report_run *run, struct nfv_sv title, uint64_t ns);
/** A figure, its name above it and what to compare it with below. */
void page_tile(
	FILE *to, const char *name, const char *class, const char *figure, const char *beside);
void page_parameters(FILE *to, const struct report_run *run);
/** Errors: -EIO. */
int page_end(FILE *to, struct nfv_err *err);

/** A count on an axis: 5k. */
void label_count(char out[CHART_LABEL], double v);
/** A number with its digits in threes. */
const char *grouped(char out[40], uint64_t n);
/** A time with its unit. */
const char *time_text(char out[CHART_LABEL], double ns);
/** What a latency is called on the page, escaped. */
const char *line_title(const struct scenario *s, unsigned int line, char out[TEXT_MAX]);
/** The loopback floor of a latency in ns; 0: none was measured, or it goes through no network. */
uint64_t floor_of(const struct report_run *run, unsigned int line);

#endif
