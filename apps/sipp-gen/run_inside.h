/**
 * @file
 * The inside of a run: what setting up (run.c) and supervision (run_control.c) share.
 * Threads: workers take `go` and their agent's part; the rest is the control thread's while they run.
 */
#ifndef RUN_INSIDE_H
#define RUN_INSIDE_H

#include "crew.h"
#include "names.h"
#include "report.h"
#include "run.h"
#include "soak.h"

struct worker {
	struct crew_member crew;
	struct scenario *scenario;
	struct users *users[OPTIONS_FILES];
	struct agent *agent;
};

struct run {
	const struct options *o;
	struct worker worker[OPTIONS_ROLES];
	struct crew crew; /* of the workers */
	struct stats now, before;
	struct report_series series;
	struct report_run report;
	struct report_live live;
	struct names names;
	uint64_t start_ns, before_ns, floor_ns;
	uint64_t end_ns; /* when the last caller was done; 0: not yet */
	bool callers;    /* there are roles that call */
	_Atomic bool go;
	struct soak soak;
	int verdict; /* of a search or a soak: 1 is bad */
	struct nfv_err err;
	int rc;
};

/** The thread beside the workers: begins, adds up, reports, ends. `arg`: the run. */
void *run_control(void *arg);

#endif
