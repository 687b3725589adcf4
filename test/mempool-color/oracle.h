/**
 * @file
 * Others who solve min-cost flow problems, where they are installed: GLPK's out-of-kilter algorithm
 * and LEMON's network simplex. Threads: one at a time.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>

#include "mpc_mcmf.h"

enum oracle { ORACLE_GLPK, ORACLE_LEMON, ORACLES };

const char *oracle_name(enum oracle o);

/** The least cost; false: it is not installed. Ends the process if it finds no answer. */
bool oracle_ask(enum oracle o, const struct mpc_mcmf *p, int64_t *cost);

#endif
