/**
 * @file
 * The inside of a layout, shared by what moves pages (layout.c) and what says where they should be
 * (layout_draft.c).
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include "mpc_layout.h"

#define CLASSES 256
#define COLOURS MPC_LAYOUT_COLOURS

struct layout_class {
	char name[MPC_PLAN_FILE_NAME_MAX];
	void *owner;
	struct nfv_pages pages; /* of a table; none: a mover, or given back */
	struct mpc_layout_mover mover;
	bool used, unplanned;
	uint32_t n, hand; /* pages; where the search for the next to move goes on */
	uint32_t want[COLOURS], have[COLOURS], colourless;
	uint32_t pending; /* of a mover: what it said last is still to move */
};

struct mpc_layout {
	struct mpc_arena *arena;
	uint32_t colours, level, n;
	struct layout_class class[CLASSES];
};

/* What is being worked out: adopted only when all of it is good. */
struct draft {
	uint32_t want[CLASSES][COLOURS];
	bool unplanned[CLASSES];
	uint64_t there[COLOURS], taken[COLOURS]; /* pages */
};

/** Fill in a zeroed draft. Errors: -ENOSPC: it does not fit, as mpc_layout_set says. */
int draft_make(struct draft *d, const struct mpc_layout *l, enum mpc_plan_arm arm,
	const struct mpc_plan_file *plan, struct nfv_err *err);

#endif
