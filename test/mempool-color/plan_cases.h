/**
 * @file
 * Made-up classes to plan for: streams, tables read evenly, and such with a hot part. Threads: plain
 * functions; the curves belong to the case.
 */
#ifndef PLAN_CASES_H
#define PLAN_CASES_H

#include "mpc_plan.h"

#define CASE_CLASSES 128
#define CASE_POINTS  24
#define CASE_PLACES  256

struct plan_case {
	struct mpc_plan_class class[CASE_CLASSES];
	struct mpc_plan_machine machine;
	uint32_t classes;
	uint32_t available[CASE_PLACES];
	double window[CASE_CLASSES][CASE_POINTS], footprint[CASE_CLASSES][CASE_POINTS];
};

/** No classes yet; every colour has that many pages, and that many lines of cache. */
void plan_case_begin(
	struct plan_case *c, uint32_t sockets, uint32_t colours, uint32_t pages, double lines);

/** A stream goes through its pages in turn; a table's lines are read at random, all alike. */
void plan_case_stream(
	struct plan_case *c, uint32_t flow, uint16_t socket, uint32_t pages, double rate);
void plan_case_table(
	struct plan_case *c, uint32_t flow, uint16_t socket, uint32_t pages, double rate);

/** Some class of either kind, of at most that many pages. */
void plan_case_random(struct plan_case *c, uint64_t *state, uint32_t flows, uint32_t pages);

#endif
