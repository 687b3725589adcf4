/**
 * @file
 * From a profile to a plan: the footprints of a trace's classes as demands on a machine's colours, the
 * three arms with what the model says they cost, and, if wished, what a simulated cache says. As a
 * table, as JSON, which is the plan that nfv-pipeline loads, and as a picture.
 *
 * Class PLAN_OTHER is memory that nobody can lay out;
 * it is in no arm. Classes are used on socket 0: a trace is of one core.
 *
 * Ownership: the report's memory is its own. Threads: one at a time.
 */
#ifndef PLAN_REPORT_H
#define PLAN_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "mpc_plan.h"
#include "mpc_simulate.h"
#include "mpc_trace.h"
#include "plan_machine.h"

#define PLAN_OTHER "other"

struct plan_report_options {
	double rate;     /* of the lines, the fraction looked at; 0: all */
	uint64_t memory; /* bytes that pages are taken from, over the machine's `pages`; 0: these */
	bool simulate;
};

struct plan_report_arm {
	uint32_t *pages; /* by class, socket, colour */
	double *miss;    /* by class, colour: a unit of time */
	struct mpc_plan_cost cost;
	struct mpc_sim_count count[MPC_CLASSES]; /* simulated, by class here */
};

struct plan_report {
	char file[256];
	struct mpc_trace_info info;
	struct plan_machine machine; /* with `pages` filled in */
	double seconds;              /* that the trace took; 0: it has no clock */
	double units;                /* of time in it: seconds, or accesses if it has no clock */
	uint64_t accesses, other, shared, seen; /* seen: distinct pages */
	uint32_t classes;
	struct mpc_plan_class class[MPC_CLASSES];
	uint64_t class_accesses[MPC_CLASSES];
	double class_lines[MPC_CLASSES];
	uint32_t *available;
	struct plan_report_arm arm[MPC_PLAN_ARMS];
	enum mpc_plan_arm chosen; /* MCMF, or OFF where it does not save what is worthwhile */
	uint32_t flows, accepted;
	bool simulated;
	bool trifle;    /* found, but what it saves is next to nothing of the time that there is */
	bool disproved; /* by simulation: found, but it saves too little there */
};

/**
 * Errors: those of reading the trace; -EINVAL also for a trace of nothing or of another machine;
 * -ENOSPC: more pages are wanted than there are; -ENOMEM.
 */
int plan_report_make(const char *file, const struct plan_machine *machine,
	const struct plan_report_options *o, struct plan_report *out, struct nfv_err *err);
/** Accepts a zeroed one. */
void plan_report_fini(struct plan_report *r);

/** How much of a class's name is its flow's: up to a '/', else up to a '.', else all. */
size_t plan_flow_length(const char *name);
/** The part of its time that the plan saves a worker, INFINITY if the trace has no clock. */
double plan_report_time_saved(const struct plan_report *r);
/** Misses of a class in the whole trace, as predicted. */
double plan_report_misses(const struct plan_report *r, enum mpc_plan_arm arm, uint32_t class);

void plan_report_table(const struct plan_report *r, FILE *out);
/** The caller's to release; NULL: out of memory. */
json_t *plan_report_json(const struct plan_report *r);
void plan_report_svg(const struct plan_report *r, FILE *out);

#endif
