/**
 * @file
 * A run: each role on its lcore, and a thread beside them that adds up, reports, and ends it.
 * Threads: the main thread.
 */
#ifndef RUN_H
#define RUN_H

#include "agent.h"
#include "options.h"

struct run;

/** Ports, calls, memory. Errors: with a sentence; nothing is left behind. */
int run_create(const struct options *o, struct run **out, struct nfv_err *err);
/** Run to the end: calls made, time over, or a signal. Errors: a peer that is not there, a report that
 * cannot be written. */
int run_go(struct run *r, struct nfv_err *err);
/** SIPp's: 0 all calls were good, 1 a call failed, 99 there was none. */
int run_status(const struct run *r);
void run_destroy(struct run *r);

#endif
