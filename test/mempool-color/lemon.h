/**
 * @file
 * LEMON's network simplex, as an oracle and a rival. Threads: plain functions.
 */
#ifndef LEMON_H
#define LEMON_H

#include "mpc_mcmf.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Solve; seconds are those of LEMON's own run() and the copying of the problem into it, without
 * building its graph. `narrow`: with 32-bit numbers, its default. False: no answer.
 */
int lemon_solve(const struct mpc_mcmf *p, int narrow, int64_t *cost, double *seconds);

#ifdef __cplusplus
}
#endif

#endif
