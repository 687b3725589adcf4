/**
 * @file
 * A run of roles that send plain packets or count them, each on its lcore, with a thread beside them
 * that reports, searches, and ends it. Threads: the main thread.
 */
#ifndef PLAIN_RUN_H
#define PLAIN_RUN_H

#include "options.h"

/** Returns the exit status: 0, or 99 if no packet was sent or received. Errors: -errno. */
int plain_run(const struct options *o, struct nfv_err *err);

#endif
