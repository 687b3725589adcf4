/**
 * @file
 * Who lies where in an arena: classes of pages (tables, pools), laid out by a plan, and moved to
 * another layout while they are in use.
 *
 * Pages are taken evenly over all colours. mpc_layout_set then says how many of each class are wanted
 * in which colour, and what lies elsewhere moves, a few pages at a time: a page of a table is copied
 * to a free one by the thread that uses the table (mpc_move), a pool moves by itself (mpc_pool.h).
 * Where two classes wait for each other's colours, a page steps aside to any free one first.
 *
 * What is wanted of a class of n pages:
 *  - off: as many in each colour as its part of the arena's pages;
 *  - static: the same in every class's own, disjoint share of the colours, in the order in which they
 *    were taken; shares are equal but for classes that need a larger one, and with more classes than
 *    colours neighbours share one;
 *  - a plan: n divided as the plan divides the class. One that the plan does not name gets the
 *    eighth of the colours that are taken least.
 *
 * Ownership: the layout uses the arena, which outlives it, and nobody else takes pages of it.
 * Threads: one at a time, but for mpc_move_all.
 */
#ifndef MPC_LAYOUT_H
#define MPC_LAYOUT_H

#include <string.h>

#include "mpc_arena.h"
#include "mpc_plan_file.h"

#define MPC_LAYOUT_COLOURS 64

struct mpc_layout;

/** What moves by itself, a pool for instance. */
struct mpc_layout_mover {
	void *arg;
	/** Its pages by colour; of one that is moving, the colour where it goes. */
	void (*have)(void *arg, uint32_t have[MPC_LAYOUT_COLOURS]);
	/**
	 * Move on, with a bounded amount of work; returns the pages that are still to move. `aside`: of
	 * these colours a page may go anywhere, if there is none free where it should.
	 */
	uint32_t (*move)(void *arg, const uint32_t want[MPC_LAYOUT_COLOURS], mpc_colours aside);
};

struct mpc_layout_class {
	const char *name;
	void *owner;           /* what was handed in, so that it can be told who uses the pages */
	uint32_t pages;        /* in all; 0: it was given back */
	uint32_t left;         /* of them: lie where they should not */
	bool mover, unplanned; /* unplanned: the plan does not name it */
	uint32_t want[MPC_LAYOUT_COLOURS], have[MPC_LAYOUT_COLOURS];
};

/** `colours` of the arena's map; `level` is that of the cache. Errors: -EINVAL, -ENOMEM. */
int mpc_layout_create(struct mpc_arena *a, uint32_t colours, uint32_t level,
	struct mpc_layout **out, struct nfv_err *err);
/** All tables have been given back, all pools forgotten. */
void mpc_layout_destroy(struct mpc_layout *l);

/**
 * Zeroed pages for a table, and a class of their own for them; the array may change in place until
 * they are given back. A name that is there already gets a number behind it. Errors: -ENOSPC, -ENOMEM.
 */
int mpc_layout_take(struct mpc_layout *l, const char *name, void *owner, uint32_t n,
	struct nfv_pages *out, struct nfv_err *err);
/** False: they are not from here. */
bool mpc_layout_give(struct mpc_layout *l, struct nfv_pages *pages);

/** A class that moves by itself. Errors: -ENOSPC: too many classes. */
int mpc_layout_add(struct mpc_layout *l, const char *name, const struct mpc_layout_mover *mover,
	struct nfv_err *err);
void mpc_layout_forget(struct mpc_layout *l, const void *mover_arg);

/**
 * Have all classes laid out anew. `plan`: of MPC_PLAN_MCMF, else NULL. Errors, and then everything
 * stays as it is: -EINVAL: the plan is for another cache; -ENOSPC: a colour has too few pages, with
 * the class that wants most of it.
 */
int mpc_layout_set(struct mpc_layout *l, enum mpc_plan_arm arm, const struct mpc_plan_file *plan,
	struct nfv_err *err);

/** Class i, i from 0; false: there are no more. */
bool mpc_layout_get(const struct mpc_layout *l, uint32_t i, struct mpc_layout_class *out);
/** Pages that are still to move, of all classes. */
uint32_t mpc_layout_left(const struct mpc_layout *l);

/** A page of a table that is to lie elsewhere. */
struct mpc_move {
	uint8_t **at;  /* its place in the table's array */
	uint8_t *page; /* the new one; once it has moved, the old one */
};

/** Copy the pages and exchange them: on the thread that uses the table, while it holds nothing of it. */
static inline void
mpc_move_all(struct mpc_move *m, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *old = *m[i].at;

		memcpy(m[i].page, old, NFV_PAGE);
		__atomic_store_n(m[i].at, m[i].page, __ATOMIC_RELEASE); /* for who only reads */
		m[i].page = old;
	}
}

#define MPC_MOVES 8 /* at once, so that nobody waits for long */

/**
 * Move on: up to `batches` times MPC_MOVES pages of tables, and a bit of each pool. `run` has
 * mpc_move_all done where the owner of the table says, and returns when it is, and when nobody reads
 * the old pages any more; NULL: right here.
 * Returns the pages that are still to move, of all classes.
 */
uint32_t mpc_layout_step(struct mpc_layout *l, uint32_t batches,
	void (*run)(void *owner, struct mpc_move *m, uint32_t n));

#endif
