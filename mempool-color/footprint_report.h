/**
 * @file
 * What a trace says of caches: misses per access by size, for each class as if it were alone and for
 * all together; as a table, as JSON, as a plot. The curves are those of a fully associative LRU cache
 * in the long run; lines that crowd some of a real cache's sets miss more often. Threads: one at a
 * time; a report is plain data but for its curves.
 */
#ifndef FOOTPRINT_REPORT_H
#define FOOTPRINT_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "mpc_footprint.h"
#include "mpc_trace.h"

struct footprint_report {
	char file[256];
	struct mpc_trace_info info;
	struct mpc_footprint_count count;
	struct mpc_curve alone[MPC_CLASSES];  /* in the class's own time */
	struct mpc_curve within[MPC_CLASSES]; /* in that of the trace */
	struct mpc_curve together;
};

/** Errors: those of reading the trace, of the rate; -ENOMEM; -EINVAL also for a trace of nothing. */
int footprint_report_read(
	const char *file, double rate, struct footprint_report *out, struct nfv_err *err);
/** Accepts a zeroed one. */
void footprint_report_fini(struct footprint_report *r);

void footprint_report_table(const struct footprint_report *r, FILE *out);
/** The caller's to release; NULL: out of memory. */
json_t *footprint_report_json(const struct footprint_report *r);
void footprint_report_svg(const struct footprint_report *r, FILE *out);

#endif
