/**
 * @file
 * The plan: how many pages of each buffer class go to each colour on each socket, so that caches miss
 * least for what misses cost.
 *
 * The model (docs/plan.md): a class's pages are used alike, so a share s of them has a share s of its
 * footprint. Classes used on one socket whose pages have one colour share `lines` lines of cache; the
 * time T in which their footprints together fill them is the age at which lines are lost, and each
 * class then misses at the rate at which its footprint still grows (Xiang et al., HOTL, ASPLOS 2013).
 * The search minimises the sum of misses times their cost: a start by bisection of the colours, then
 * min-cost flows that lay some classes anew around all others, each accepted only if the model's true
 * cost falls, then moves and swaps; as many starts as a fixed amount of work allows.
 *
 * Units: time in whatever unit `rate` counts accesses by; costs in the unit of `miss`, per unit of
 * time. Ownership: what is given stays the caller's. Threads: plain functions, any thread.
 */
#ifndef MPC_PLAN_H
#define MPC_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "nfv_err.h"

#define MPC_PLAN_COLOURS_MAX 1024
#define MPC_PLAN_SOCKETS_MAX 64
#define MPC_PLAN_CLASSES_MAX 4096

/** What one stage or one flow (tenant, port's queue) keeps in pages: packets, state, a table. */
struct mpc_plan_class {
	const char *name;
	uint32_t flow;   /* classes of one flow: what they cost each other is intra-flow overhead */
	uint32_t pages;  /* wanted, at least 1 */
	uint16_t socket; /* where it is used */
	double rate;     /* accesses to lines a unit of time */
	/*
	 * The footprint of all its pages, in lines, at windows of so many accesses; both grow, from
	 * anywhere above 0. Beyond the last window the footprint stays: the class has been read whole.
	 */
	const double *window, *footprint;
	uint32_t points;
	/*
	 * How many times as densely as lines spread over whole pages its lines lie: packets that fill a
	 * quarter of their pages, all the same quarter, crowd a quarter of the sets and compete
	 * there as if they were four times as many. 1 or more; 0 is taken for 1.
	 */
	double crowding;
};

struct mpc_plan_machine {
	uint32_t sockets, colours;
	double lines;              /* of cache that a colour has, at each socket */
	const uint32_t *available; /* pages, by socket, then colour */
	double miss;               /* cost of one miss */
	double remote;             /* more if the page is on another socket */
	double worthwhile;         /* part of off's cost that a plan must save, such as 0.02 */
};

/** What misses cost a unit of time; the parts add up to the total. */
struct mpc_plan_cost {
	double alone;  /* each class's own misses in its colours, had it them to itself */
	double intra;  /* more through other classes of the same flow */
	double inter;  /* more through classes of other flows */
	double remote; /* for pages on another socket */
	double total;
};

enum mpc_plan_arm {
	MPC_PLAN_OFF,    /* all classes over all colours evenly, as without colour */
	MPC_PLAN_STATIC, /* equal, disjoint shares of the colours: ordinary page colouring */
	MPC_PLAN_MCMF,   /* what the search finds */
	MPC_PLAN_ARMS
};

struct mpc_plan {
	enum mpc_plan_arm arm; /* MCMF, or OFF: nothing found is worthwhile */
	uint32_t *pages;       /* by class, socket, colour: of that arm */
	struct mpc_plan_cost cost[MPC_PLAN_ARMS];
	uint32_t flows;    /* min-cost flows solved */
	uint32_t accepted; /* of them: made the true cost fall */
};

/**
 * Errors: -EINVAL: numbers that cannot be, with the class's name; -ENOSPC: more pages are wanted than
 * there are; -ENOMEM.
 */
int mpc_plan_make(const struct mpc_plan_class *class, uint32_t classes,
	const struct mpc_plan_machine *machine, struct mpc_plan *out, struct nfv_err *err);
void mpc_plan_free(struct mpc_plan *p);

/** What the model says of any layout, by class, socket, colour. Errors: as above. */
int mpc_plan_evaluate(const struct mpc_plan_class *class, uint32_t classes,
	const struct mpc_plan_machine *machine, const uint32_t *pages, struct mpc_plan_cost *out,
	struct nfv_err *err);

/** The layout of OFF or STATIC, by class, socket, colour. Errors: as above. */
int mpc_plan_layout(const struct mpc_plan_class *class, uint32_t classes,
	const struct mpc_plan_machine *machine, enum mpc_plan_arm arm, uint32_t *pages,
	struct nfv_err *err);

/**
 * Misses a unit of time, before they cost anything, of every class in every colour of the cache of the
 * socket it is used on: `miss` by class, then colour. Errors: as above.
 */
int mpc_plan_misses(const struct mpc_plan_class *class, uint32_t classes,
	const struct mpc_plan_machine *machine, const uint32_t *pages, double *miss,
	struct nfv_err *err);

#endif
