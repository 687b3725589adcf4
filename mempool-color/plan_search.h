/**
 * @file
 * The search for a plan: layouts to begin with, and what makes them better. A layout is pages by class,
 * socket, colour. Threads: one at a time.
 */
#ifndef PLAN_SEARCH_H
#define PLAN_SEARCH_H

#include "plan_model.h"

#define PLAN_LEVELS 10 /* of cache, at which a group's cost is known */

struct plan_search {
	struct plan_model m;
	uint32_t *room;           /* scratch: pages left in each place */
	uint32_t *trial;          /* scratch: a layout */
	struct plan_group *group; /* scratch: of each place at each level */
	uint64_t work;            /* looks at curves allowed; m.work counts */
	uint32_t flows, accepted;
};

/** Layouts to begin with. -ENOMEM. */
int plan_start_even(struct plan_search *s, uint32_t *pages);
int plan_start_static(struct plan_search *s, uint32_t *pages);
int plan_start_bisect(struct plan_search *s, uint32_t *pages);
int plan_start_random(struct plan_search *s, uint64_t *random, uint32_t *pages);

/** Better by min-cost flows over the slopes of the costs, `cost` is that of `pages`. Errors: -ENOMEM. */
int plan_flow(struct plan_search *s, uint32_t *pages, double *cost, struct nfv_err *err);

/** Better by single moves, as far as the work allowed goes. */
void plan_polish(struct plan_search *s, uint32_t *pages, double *cost);

#endif
