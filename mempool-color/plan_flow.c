#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mpc_mcmf.h"
#include "plan_search.h"

#define LEVELS PLAN_LEVELS
#define MOBILE 16  /* classes that are laid anew at once, at most */
#define SCALE  1e9 /* integer cost of the dearest page */

/* Parts of a group's cache that what comes may have taken. */
static const double level[LEVELS] = { 0, 0.06, 0.12, 0.2, 0.3, 0.42, 0.56, 0.7, 0.85, 0.97 };

/*
 * The network that lays some classes anew while all others stay. Nodes: those classes, the places,
 * the sink. From class to place as many parallel arcs as the cost has steps, ever dearer.
 */
struct network {
	struct mpc_mcmf p;
	uint32_t *tail, *head;
	int64_t *capacity, *cost, *supply, *flow;
	double *price; /* of a page; costs before they are integers */
	double dearest;
	uint32_t *mobile, n; /* classes */
};

/* The arrays lie in one piece of memory, which is the caller's to free; NULL: there is none. */
static void *
network_init(const struct plan_search *s, struct network *n)
{
	size_t most = s->m.classes < MOBILE ? s->m.classes : MOBILE;
	size_t arcs = (most * LEVELS + 1) * s->m.places, nodes = most + s->m.places + 1;
	size_t wide = 3 * sizeof(int64_t) + sizeof(double), narrow = 2 * sizeof(uint32_t);
	int64_t *memory =
		malloc(arcs * (wide + narrow) + nodes * sizeof(int64_t) + most * sizeof(uint32_t));

	if (memory == NULL)
		return NULL;
	*n = (struct network){ .capacity = memory,
		.cost = memory + arcs,
		.flow = memory + 2 * arcs,
		.price = (double *)(memory + 3 * arcs),
		.supply = memory + 4 * arcs,
		.tail = (uint32_t *)(memory + 4 * arcs + nodes) };
	n->head = n->tail + arcs;
	n->mobile = n->head + arcs;
	return memory;
}

/* Groups without the mobile classes, at every level of cache that these might leave them. */
static void
measure_groups(struct plan_search *s, const uint32_t *pages)
{
	const struct mpc_plan_machine *machine = s->m.machine;

	for (uint32_t g = 0; g < s->m.places; g++) {
		uint32_t socket = g / machine->colours, colour = g % machine->colours;
		struct plan_group *to = &s->group[(size_t)g * LEVELS];

		if (colour > 0 && plan_same_column(&s->m, pages, socket, colour - 1, colour)) {
			memcpy(to, to - LEVELS, LEVELS * sizeof(*to));
			continue;
		}
		for (int i = 0; i < LEVELS; i++)
			to[i] = plan_group(&s->m, pages, socket, colour,
				machine->lines * (1 - level[i]), i > 0 ? to[i - 1].time : 0);
	}
}

static void
add_arc(struct network *n, uint32_t tail, uint32_t head, int64_t capacity, double price)
{
	uint32_t e = n->p.arcs++;

	n->tail[e] = tail;
	n->head[e] = head;
	n->capacity[e] = capacity;
	n->price[e] = price;
	n->dearest = price > n->dearest ? price : n->dearest;
}

/*
 * If what comes takes so much of the cache, the group behaves as if it had that much less, and what
 * comes misses as its age there says. That is exact for one class; its lower convex hull is what
 * parallel arcs can tell.
 */
static void
add_pair(const struct plan_search *s, struct network *n, uint32_t i, uint32_t place)
{
	const struct mpc_plan_machine *machine = s->m.machine;
	uint32_t class = n->mobile[i], points = 1;
	const struct mpc_plan_class *c = &s->m.class[class];
	uint32_t g = c->socket * machine->colours + place % machine->colours;
	const struct plan_group *at = &s->group[(size_t)g * LEVELS];
	double share[LEVELS + 1] = { 0 }, cost[LEVELS + 1] = { 0 }, miss = machine->miss;
	int64_t laid = 0;

	if (place / machine->colours != c->socket)
		miss += machine->remote;
	for (int k = 1; k < LEVELS && share[points - 1] < 1; k++) {
		double lines = plan_lines(&s->m, class, at[k].time), x, y;

		x = lines > 0 ? machine->lines * level[k] / lines : 1;
		y = at[k].miss + at[k].remote - at[0].miss - at[0].remote +
			x * miss * plan_slope(&s->m, class, at[k].time);
		while (points > 1 &&
			(y - cost[points - 1]) * (share[points - 1] - share[points - 2]) <=
				(cost[points - 1] - cost[points - 2]) * (x - share[points - 1]))
			points--;
		share[points] = x;
		cost[points++] = y;
	}
	for (uint32_t k = 1; k < points; k++) {
		double slope = (cost[k] - cost[k - 1]) / (share[k] - share[k - 1]) / c->pages;
		int64_t end =
			k + 1 < points && share[k] < 1 ? llrint(share[k] * c->pages) : c->pages;

		if (end > laid)
			add_arc(n, i, n->n + place, end - laid, slope);
		laid = end > laid ? end : laid;
	}
}

static void
build(struct plan_search *s, const uint32_t *rest, struct network *n)
{
	uint32_t places = s->m.places;
	int64_t all = 0;

	measure_groups(s, rest);
	n->p.arcs = 0;
	n->dearest = 0;
	for (uint32_t i = 0; i < n->n; i++) {
		n->supply[i] = s->m.class[n->mobile[i]].pages;
		all += n->supply[i];
		for (uint32_t p = 0; p < places; p++)
			add_pair(s, n, i, p);
	}
	s->m.work += (uint64_t)LEVELS * n->n * places;
	for (uint32_t p = 0; p < places; p++) {
		int64_t room = s->m.machine->available[p];

		for (uint32_t c = 0; c < s->m.classes; c++)
			room -= rest[(size_t)c * places + p];
		add_arc(n, n->n + p, n->n + places, room, 0);
		n->supply[n->n + p] = 0;
	}
	n->supply[n->n + places] = -all;
	for (uint32_t e = 0; e < n->p.arcs; e++)
		n->cost[e] = n->dearest > 0 ? llrint(n->price[e] / n->dearest * SCALE) : 0;
	n->p = (struct mpc_mcmf){ n->n + places + 1, n->p.arcs, n->tail, n->head, NULL, n->capacity,
		n->cost, n->supply };
}

/* Lay the mobile classes anew; keep it if the true cost falls. 1: it did. */
static int
lay_anew(struct plan_search *s, uint32_t *pages, struct network *n, double *cost,
	struct nfv_err *err)
{
	struct mpc_mcmf_answer a = { .flow = n->flow };
	uint32_t places = s->m.places;
	double now;
	int rc;

	memcpy(s->trial, pages, (size_t)s->m.classes * places * sizeof(*pages));
	for (uint32_t i = 0; i < n->n; i++)
		memset(&s->trial[(size_t)n->mobile[i] * places], 0, places * sizeof(*pages));
	build(s, s->trial, n);
	rc = mpc_mcmf_solve(&n->p, &a, err);
	if (rc < 0)
		return rc;
	s->flows++;
	for (uint32_t e = 0; e < n->p.arcs; e++)
		if (n->tail[e] < n->n)
			s->trial[(size_t)n->mobile[n->tail[e]] * places + n->head[e] - n->n] +=
				(uint32_t)n->flow[e];
	now = plan_total(&s->m, s->trial);
	if (!(now < *cost * (1 - 1e-7)))
		return 0;
	memcpy(pages, s->trial, (size_t)s->m.classes * places * sizeof(*pages));
	*cost = now;
	s->accepted++;
	return 1;
}

int
plan_flow(struct plan_search *s, uint32_t *pages, double *cost, struct nfv_err *err)
{
	uint32_t n = s->m.classes < MOBILE ? s->m.classes : MOBILE;
	struct network net;
	void *memory = network_init(s, &net);
	bool better = true;
	int rc = 0;

	if (memory == NULL)
		return nfv_fail(err, ENOMEM, "no memory for a network");
	/* Many at once first, and again as long as that helps; in the end, one by one. */
	while (rc >= 0 && s->m.work < s->work) {
		better = false;
		for (uint32_t c = 0; c < s->m.classes && rc >= 0 && s->m.work < s->work; c += n) {
			net.n = 0;
			for (uint32_t k = c; k < c + n && k < s->m.classes; k++)
				net.mobile[net.n++] = k;
			rc = lay_anew(s, pages, &net, cost, err);
			better |= rc > 0;
		}
		if (better)
			continue;
		if (n == 1)
			break;
		n = (n + 3) / 4;
	}
	free(memory);
	return rc < 0 ? rc : 0;
}
