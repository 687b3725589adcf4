/**
 * @file
 * Minimum-cost flows in integers: of all flows that obey the arcs' bounds and give every node its
 * supply, one of least cost; or, from a source to a sink, the cheapest of all greatest flows.
 *
 * Method: the network simplex (Ahuja, Magnanti, Orlin, Network Flows, 1993, ch. 11) on strongly
 * feasible trees, so it cannot cycle; the entering arc is the best of a block. Potentials come with
 * the flow and prove that it is optimal: mpc_mcmf_verify asks for nothing else.
 *
 * Numbers: costs, flows and supplies are 64 bits. What could leave them is refused, never wrapped:
 * the sum of positive supplies, lower bounds that add up, nodes times the largest cost, the cost of
 * the answer.
 *
 * Memory of a solver: 28 bytes an arc, 36 with lower bounds, and 80 a node. Ownership: a solver copies what it needs of the
 * problem. Threads: one solver, one thread. libc only; no recursion.
 */
#ifndef MPC_MCMF_H
#define MPC_MCMF_H

#include <stdint.h>

#include "nfv_err.h"

#define MPC_MCMF_UNBOUNDED INT64_MAX /* a capacity without end */
#define MPC_MCMF_ARCS_MAX  (UINT32_MAX - 8)
#define MPC_MCMF_NODES_MAX (UINT32_MAX - 8)

/** A problem; the arrays are the caller's. Nodes count from 0; loops and parallel arcs are welcome. */
struct mpc_mcmf {
	uint32_t nodes, arcs;
	const uint32_t *tail, *head; /* an arc goes from its tail to its head */
	const int64_t *lower;        /* least flow, at least 0; NULL: 0 on all arcs */
	const int64_t *capacity;     /* greatest flow, at least the least */
	const int64_t *cost;         /* of one unit; may be negative */
	const int64_t *supply;       /* of each node; negative: demand. They add up to 0 */
};

/**
 * An answer; the arrays are the caller's. `potential` is the certificate: of every arc from t to h,
 * cost + potential[t] - potential[h] is not negative where flow could grow, not positive where it
 * could shrink.
 */
struct mpc_mcmf_answer {
	int64_t *flow;      /* of each arc */
	int64_t *potential; /* of each node; NULL: not wanted */
	int64_t cost;
	uint64_t pivots;
};

struct mpc_mcmf_solver;

/**
 * Errors of all that follow: -EINVAL: the problem contradicts itself (a node that is not there,
 * crossed bounds, supplies that do not add up to 0); -ENOSPC: no flow obeys the bounds; -ERANGE: the
 * cost falls without end, round a cycle of unbounded capacity; -EOVERFLOW: beyond 64 bits; -ENOMEM.
 * The answer is untouched then.
 */
int mpc_mcmf_solve(const struct mpc_mcmf *p, struct mpc_mcmf_answer *answer, struct nfv_err *err);

/**
 * The cheapest among the greatest flows from one node to another; `supply` is not looked at. If
 * lower bounds are given, the flow obeys them too. A greatest flow without end is refused: -ERANGE.
 */
int mpc_mcmf_max_flow(const struct mpc_mcmf *p, uint32_t source, uint32_t sink,
	struct mpc_mcmf_answer *answer, int64_t *value, struct nfv_err *err);

/**
 * The same problem again and again with other costs: each run begins where the last one ended. When
 * a run ends with -ERANGE or -EOVERFLOW, the solver can only be destroyed.
 */
int mpc_mcmf_create(const struct mpc_mcmf *p, struct mpc_mcmf_solver **out, struct nfv_err *err);
int mpc_mcmf_recost(struct mpc_mcmf_solver *s, const int64_t *cost, struct nfv_err *err);
int mpc_mcmf_run(struct mpc_mcmf_solver *s, struct mpc_mcmf_answer *answer, struct nfv_err *err);
void mpc_mcmf_destroy(struct mpc_mcmf_solver *s);

/**
 * Is this answer feasible, is its cost right, and do its potentials prove that there is no cheaper
 * one? Believes nothing, in 128 bits, in one pass. Errors: -EINVAL, and what is wrong where.
 */
int mpc_mcmf_verify(
	const struct mpc_mcmf *p, const struct mpc_mcmf_answer *answer, struct nfv_err *err);

/** The same for a greatest flow: potentials also prove that `value` is the greatest there is. */
int mpc_mcmf_verify_max_flow(const struct mpc_mcmf *p, uint32_t source, uint32_t sink,
	const struct mpc_mcmf_answer *answer, int64_t value, struct nfv_err *err);

#endif
