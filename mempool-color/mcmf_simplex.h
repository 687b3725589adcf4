/**
 * @file
 * The network simplex itself, on a residual network: what mcmf.c makes of a problem that holds
 * water. Threads: one at a time.
 *
 * Every arc stands in `arc` the way in which flow can still be pushed along it: an arc that is full
 * stands there turned round, its cost negated. So pricing needs no state, and arcs of the tree, whose
 * reduced cost is zero, never enter. Flows of tree arcs live with the nodes, as what can still be
 * pushed `up` to the parent and `down` from it. Strongly feasible: `up` is never 0. The root is node
 * number `nodes`.
 *
 * Nodes are renumbered in preorder of the tree now and then, so that a subtree is mostly one stretch
 * of memory: changing the potentials of subtrees is most of the work on hard networks. `name` says
 * which node of the problem one is.
 */
#ifndef MCMF_SIMPLEX_H
#define MCMF_SIMPLEX_H

#include <stdint.h>

#include "nfv_err.h"

#define SIMPLEX_NONE UINT32_MAX
/* Made-up arcs between a node and the root, in place of a number of an arc. */
#define SIMPLEX_OUT (UINT32_MAX - 1) /* node to root, costs nothing */
#define SIMPLEX_IN  (UINT32_MAX - 2) /* root to node, costs `penalty` */

struct simplex_arc {
	uint32_t tail, head;
	int64_t cost;
};

struct simplex_node {
	uint32_t next, prev; /* in preorder, a ring through the root */
	uint32_t depth, parent;
};

struct simplex_link { /* of a node to its parent */
	int64_t up, down;
	uint32_t arc;
};

struct simplex {
	uint32_t nodes, arcs;
	struct simplex_arc *arc;
	int64_t *room; /* capacity of each arc; of one that stands turned round: its complement */
	struct simplex_node *node; /* these three and name: nodes + 1 */
	struct simplex_link *link;
	int64_t *potential;
	uint32_t *name;
	uint32_t *number; /* nodes + 1, for renumbering; scratch: as many links */
	void *scratch;
	int64_t penalty;
	uint32_t at; /* where pricing goes on */
	uint64_t pivots;
	uint64_t walked; /* nodes of subtrees */
};

/** All arcs empty and the root joined to all nodes, by the sign of their supply. */
void simplex_start(struct simplex *s, const int64_t *supply);

/** Potentials, made anew from the tree and the costs. */
void simplex_price(struct simplex *s);

/**
 * Until no arc is worth entering. Errors: -ERANGE, -EOVERFLOW, as in mpc_mcmf.h; the tree is not to
 * be used any more then.
 */
int simplex_run(struct simplex *s, struct nfv_err *err);

#endif
