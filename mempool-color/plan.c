#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plan_search.h"

#define WORK   5000000 /* looks at curves: some 30 ms */
#define STARTS 200     /* with those at random */

struct move {
	uint32_t class, from, to, n;
};

static double
cost_of(struct plan_search *s, const uint32_t *pages, uint32_t socket, uint32_t colour)
{
	struct plan_group *known = &s->group[socket * s->m.machine->colours + colour];
	struct plan_group g =
		plan_group(&s->m, pages, socket, colour, s->m.machine->lines, known->time);

	return g.miss + g.remote;
}

static void
apply(struct plan_search *s, uint32_t *pages, const struct move *v)
{
	uint32_t *row = pages + (size_t)v->class * s->m.places;

	row[v->from] -= v->n;
	row[v->to] += v->n;
	s->room[v->from] += v->n;
	s->room[v->to] -= v->n;
}

/* What the colours of a move cost on the socket where its class is used: nothing else can change. */
static double
cost_around(struct plan_search *s, const uint32_t *pages, const struct move *v)
{
	uint32_t colours = s->m.machine->colours, socket = s->m.class[v->class].socket;
	uint32_t a = v->from % colours, b = v->to % colours;

	return cost_of(s, pages, socket, a) + (a != b ? cost_of(s, pages, socket, b) : 0);
}

/* Do it if it pays; `back`: another class's move the other way, or NULL. */
static bool
try_move(struct plan_search *s, uint32_t *pages, const struct move *v, const struct move *back,
	double *cost)
{
	bool apart = back != NULL && s->m.class[back->class].socket != s->m.class[v->class].socket;
	double before = cost_around(s, pages, v) + (apart ? cost_around(s, pages, back) : 0), after;

	apply(s, pages, v);
	if (back != NULL)
		apply(s, pages, back);
	after = cost_around(s, pages, v) + (apart ? cost_around(s, pages, back) : 0);
	if (after < before - 1e-9 * *cost) {
		*cost += after - before;
		return true;
	}
	if (back != NULL)
		apply(s, pages, &(struct move){ back->class, back->to, back->from, back->n });
	apply(s, pages, &(struct move){ v->class, v->to, v->from, v->n });
	return false;
}

/* All of a class's pages of one place, or half of them, and so on, to another. */
static bool
move_pages(struct plan_search *s, uint32_t *pages, struct move v, double *cost)
{
	uint32_t there = pages[(size_t)v.class * s->m.places + v.from];

	for (v.n = there < s->room[v.to] ? there : s->room[v.to]; v.n > 0; v.n /= 2)
		if (try_move(s, pages, &v, NULL, cost))
			return true;
	return false;
}

/* The same in exchange for pages of another class. */
static bool
swap_pages(struct plan_search *s, uint32_t *pages, struct move v, double *cost)
{
	uint32_t there = pages[(size_t)v.class * s->m.places + v.from];

	for (uint32_t c = 0; c < v.class && s->m.work < s->work; c++) {
		uint32_t other = pages[(size_t)c * s->m.places + v.to];

		for (v.n = there < other ? there : other; v.n > 0; v.n /= 2)
			if (try_move(s, pages, &v, &(struct move){ c, v.to, v.from, v.n }, cost))
				return true;
	}
	return false;
}

static bool
polish_class(struct plan_search *s, uint32_t *pages, uint32_t class, bool swap, double *cost)
{
	const uint32_t *row = pages + (size_t) class * s->m.places;
	bool better = false;

	for (uint32_t from = 0; from < s->m.places; from++)
		for (uint32_t to = 0; to < s->m.places && row[from] > 0; to++) {
			struct move v = { class, from, to, 0 };

			if (from == to || s->m.work > s->work)
				continue;
			better |= swap ? swap_pages(s, pages, v, cost) :
					 move_pages(s, pages, v, cost);
		}
	return better;
}

void
plan_polish(struct plan_search *s, uint32_t *pages, double *cost)
{
	bool better = true;

	memcpy(s->room, s->m.machine->available, s->m.places * sizeof(*s->room));
	for (size_t i = 0; i < (size_t)s->m.classes * s->m.places; i++)
		s->room[i % s->m.places] -= pages[i];
	for (uint32_t g = 0; g < s->m.places; g++)
		s->group[g].time = 0;
	while (better && s->m.work < s->work) {
		better = false;
		for (uint32_t c = 0; c < s->m.classes; c++)
			better |= polish_class(s, pages, c, false, cost);
		for (uint32_t c = 0; c < s->m.classes && !better; c++)
			better |= polish_class(s, pages, c, true, cost);
	}
	*cost = plan_total(&s->m, pages);
}

static void
search_fini(struct plan_search *s)
{
	plan_model_fini(&s->m);
	free(s->room);
	free(s->trial);
	free(s->group);
}

static int
search_init(struct plan_search *s, const struct mpc_plan_class *class, uint32_t classes,
	const struct mpc_plan_machine *machine, struct nfv_err *err)
{
	int rc;

	*s = (struct plan_search){ .work = WORK };
	rc = plan_model_init(&s->m, class, classes, machine, err);
	if (rc < 0)
		return rc;
	s->room = malloc(s->m.places * sizeof(*s->room));
	s->trial = malloc((size_t)classes * s->m.places * sizeof(*s->trial));
	s->group = calloc((size_t)s->m.places * PLAN_LEVELS, sizeof(*s->group));
	if (s->room != NULL && s->trial != NULL && s->group != NULL)
		return 0;
	search_fini(s);
	nfv_fail(err, ENOMEM, "no memory for %u classes", classes);
	return -ENOMEM;
}

/* Better, and the best so far, from a layout. */
static int
improve(struct plan_search *s, uint32_t *pages, uint32_t *best, double *best_cost,
	struct nfv_err *err)
{
	double cost = plan_total(&s->m, pages);
	int rc = plan_flow(s, pages, &cost, err);

	if (rc < 0)
		return rc;
	plan_polish(s, pages, &cost);
	if (cost < *best_cost) {
		*best_cost = cost;
		memcpy(best, pages, (size_t)s->m.classes * s->m.places * sizeof(*best));
	}
	return 0;
}

/* The best of what all starts lead to, as far as the work allowed goes. */
static int
search(struct plan_search *s, uint32_t *pages, uint32_t *best, struct nfv_err *err)
{
	double cost = INFINITY;
	uint64_t random = 1;

	for (int start = 0; start < STARTS && (start == 0 || s->m.work < s->work); start++) {
		int rc = start == 0 ? plan_start_bisect(s, pages) :
			start == 1  ? plan_start_even(s, pages) :
			start == 2  ? plan_start_static(s, pages) :
				      plan_start_random(s, &random, pages);

		if (rc < 0)
			return nfv_fail(err, ENOMEM, "no memory for %u classes", s->m.classes);
		rc = improve(s, pages, best, &cost, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int
mpc_plan_make(const struct mpc_plan_class *class, uint32_t classes,
	const struct mpc_plan_machine *machine, struct mpc_plan *out, struct nfv_err *err)
{
	struct mpc_plan p = { .arm = MPC_PLAN_MCMF };
	struct plan_search s;
	uint32_t *pages = NULL, *best = NULL;
	size_t size;
	int rc = search_init(&s, class, classes, machine, err);

	if (rc < 0)
		return rc;
	size = (size_t)classes * s.m.places;
	best = malloc(size * sizeof(*best));
	pages = malloc(size * sizeof(*pages));
	if (best == NULL || pages == NULL) {
		nfv_fail(err, ENOMEM, "no memory for %u classes", classes);
		rc = -ENOMEM;
		goto fail;
	}
	rc = search(&s, pages, best, err);
	if (rc < 0)
		goto fail;
	plan_split(&s.m, best, &p.cost[MPC_PLAN_MCMF]);
	plan_start_static(&s, pages);
	plan_split(&s.m, pages, &p.cost[MPC_PLAN_STATIC]);
	plan_start_even(&s, pages);
	plan_split(&s.m, pages, &p.cost[MPC_PLAN_OFF]);
	p.flows = s.flows;
	p.accepted = s.accepted;
	if (p.cost[MPC_PLAN_MCMF].total >= p.cost[MPC_PLAN_OFF].total * (1 - machine->worthwhile)) {
		p.arm = MPC_PLAN_OFF;
		memcpy(best, pages, size * sizeof(*pages));
	}
	p.pages = best;
	*out = p;
	free(pages);
	search_fini(&s);
	return 0;
fail:
	free(pages);
	free(best);
	search_fini(&s);
	return rc;
}

void
mpc_plan_free(struct mpc_plan *p)
{
	free(p->pages);
	p->pages = NULL;
}

/* Has every class as many pages as it wants? */
static int
check_layout(const struct plan_model *m, const uint32_t *pages, struct nfv_err *err)
{
	for (uint32_t c = 0; c < m->classes; c++) {
		uint64_t sum = 0;

		for (uint32_t p = 0; p < m->places; p++)
			sum += pages[(size_t)c * m->places + p];
		if (sum != m->class[c].pages)
			return nfv_fail(err, EINVAL, "a layout with %llu pages of %u of class %s",
				(unsigned long long)sum, m->class[c].pages,
				m->class[c].name != NULL ? m->class[c].name : "without a name");
	}
	return 0;
}

int
mpc_plan_evaluate(const struct mpc_plan_class *class, uint32_t classes,
	const struct mpc_plan_machine *machine, const uint32_t *pages, struct mpc_plan_cost *out,
	struct nfv_err *err)
{
	struct plan_model m;
	int rc = plan_model_init(&m, class, classes, machine, err);

	if (rc < 0)
		return rc;
	rc = check_layout(&m, pages, err);
	if (rc == 0)
		plan_split(&m, pages, out);
	plan_model_fini(&m);
	return rc;
}

int
mpc_plan_misses(const struct mpc_plan_class *class, uint32_t classes,
	const struct mpc_plan_machine *machine, const uint32_t *pages, double *miss,
	struct nfv_err *err)
{
	struct plan_model m;
	int rc = plan_model_init(&m, class, classes, machine, err);

	if (rc < 0)
		return rc;
	rc = check_layout(&m, pages, err);
	if (rc == 0)
		plan_misses(&m, pages, miss);
	plan_model_fini(&m);
	return rc;
}

int
mpc_plan_layout(const struct mpc_plan_class *class, uint32_t classes,
	const struct mpc_plan_machine *machine, enum mpc_plan_arm arm, uint32_t *pages,
	struct nfv_err *err)
{
	struct plan_search s;
	int rc;

	if (arm != MPC_PLAN_OFF && arm != MPC_PLAN_STATIC)
		return nfv_fail(err, EINVAL, "only off and static are layouts without a search");
	rc = search_init(&s, class, classes, machine, err);
	if (rc < 0)
		return rc;
	rc = arm == MPC_PLAN_OFF ? plan_start_even(&s, pages) : plan_start_static(&s, pages);
	search_fini(&s);
	return rc;
}
