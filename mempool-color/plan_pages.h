/**
 * @file
 * The distinct pages of a trace, and the colour each has in each arm, to simulate them. Threads: one at
 * a time.
 */
#ifndef PLAN_PAGES_H
#define PLAN_PAGES_H

#include "mpc_access.h"
#include "mpc_plan.h"

struct plan_page {
	uint64_t page;
	uint64_t lines; /* of it that were touched, a bit each */
	uint32_t class; /* of the trace; plus one, 0: nothing is here */
	uint16_t colour[MPC_PLAN_ARMS];
};

struct plan_pages {
	struct plan_page *at; /* a hash table of mask + 1 places, half of them free at least */
	uint64_t mask, n;
	uint64_t of[MPC_CLASSES];
};

/** A zeroed one is empty. `line`: in the page, below 64. -ENOMEM. */
int plan_pages_add(struct plan_pages *p, uint32_t class, uint64_t page, uint32_t line);
/** How many times as densely as if spread over whole pages, of so many lines, a class's lines lie. */
double plan_pages_crowding(const struct plan_pages *p, uint32_t class, uint32_t lines);
/** NULL if it was not added. */
struct plan_page *plan_pages_find(const struct plan_pages *p, uint32_t class, uint64_t page);
/**
 * Give a class's pages the colours of a row (pages by socket, colour) of an arm, in the row's
 * proportions exactly, in an order that has nothing to do with addresses. -ENOMEM.
 */
int plan_pages_lay(struct plan_pages *p, uint32_t class, enum mpc_plan_arm arm, const uint32_t *row,
	uint32_t sockets, uint32_t colours);
void plan_pages_fini(struct plan_pages *p);

#endif
