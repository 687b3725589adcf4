/**
 * @file
 * Networks to solve: four families of random min-cost flow problems, for tests and benches. The same
 * family, size and seed make the same problem anywhere. Every problem has an answer. Threads: plain
 * functions.
 */
#ifndef FAMILIES_H
#define FAMILIES_H

#include "mpc_mcmf.h"

enum family {
	FAMILY_SCATTERED, /* NETGEN's kind: a path from each supply, else arcs anywhere; 8 a node */
	FAMILY_GRID,      /* GRIDGEN's: a grid with arcs to the neighbours, and some that leap */
	FAMILY_TORUS,     /* GOTO's: rings of a torus, near arcs dear and narrow; tight all over */
	FAMILY_COLOUR,    /* classes to colours on sockets, convex costs in parallel arcs */
	FAMILIES
};

const char *family_name(enum family f);

/** About `arcs` arcs, at least a few; costs up to `most`. Aborts without memory. */
void family_make(enum family f, uint32_t arcs, int64_t most, uint64_t seed, struct mpc_mcmf *out);
void family_free(struct mpc_mcmf *p);

/** A random number below n. */
uint32_t family_random(uint64_t *state, uint32_t n);

#endif
