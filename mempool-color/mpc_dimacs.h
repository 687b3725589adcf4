/**
 * @file
 * Minimum-cost flow problems as text: DIMACS's format for them (First DIMACS Implementation
 * Challenge, 1991), `p min NODES ARCS`, `n NODE SUPPLY`, `a TAIL HEAD LEAST MOST COST`, nodes from 1.
 * Besides, a negative MOST is read and written as a capacity without end. Lines may end in CR LF.
 *
 * Ownership: what is read belongs to the caller until mpc_dimacs_free. Threads: any.
 */
#ifndef MPC_DIMACS_H
#define MPC_DIMACS_H

#include <stddef.h>
#include <stdio.h>

#include "mpc_mcmf.h"

/**
 * Errors: -EINVAL with file, line and reason; -ENOMEM. Memory is taken by what the text holds, not by
 * what it promises.
 */
int mpc_dimacs_parse(
	const char *file, const char *text, size_t n, struct mpc_mcmf *out, struct nfv_err *err);

/** The same of a file. Errors: also those of reading it. */
int mpc_dimacs_read(const char *file, struct mpc_mcmf *out, struct nfv_err *err);

/** Errors: -EIO. */
int mpc_dimacs_write(const struct mpc_mcmf *p, FILE *to, struct nfv_err *err);

void mpc_dimacs_free(struct mpc_mcmf *p);

#endif
