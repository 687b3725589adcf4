/**
 * @file
 * The two halves of the HTML report: its frame and tables (report_html.c), its plots (report_plot.c).
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

/** A number with its digits in threes. */
const char *grouped(char out[40], uint64_t n);
/** A time with its unit. */
const char *time_text(char out[CHART_LABEL], double ns);
/** What a latency is called on the page, escaped. */
const char *line_title(const struct scenario *s, unsigned int line, char out[TEXT_MAX]);
/** The loopback floor of a latency in ns; 0: none was measured, or it goes through no network. */
uint64_t floor_of(const struct report_run *run, unsigned int line);

#endif
