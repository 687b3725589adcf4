#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "mcmf_simplex.h"
#include "mpc_mcmf.h"

#define CHUNK 8 /* arcs of one tail that stay together */

struct mpc_mcmf_solver {
	struct simplex s;
	uint32_t *order; /* number of the caller's arc, of each of ours */
	int64_t *lower;  /* of the caller's arcs; NULL: 0 */
	int64_t back;    /* what the last arc earns, if that is no ordinary cost; else 0 */
};

static uint64_t
dearest(const int64_t *cost, uint32_t arcs)
{
	uint64_t most = 0;

	for (uint32_t e = 0; e < arcs; e++) {
		uint64_t c = cost[e] < 0 ? -(uint64_t)cost[e] : (uint64_t)cost[e];

		most = c > most ? c : most;
	}
	return most;
}

/* More than any path costs, or -EOVERFLOW if a few times as much would leave 64 bits. */
static int
over_any_path(const int64_t *cost, uint32_t arcs, uint32_t nodes, int64_t back, int64_t *out,
	struct nfv_err *err)
{
	uint64_t most = dearest(cost, arcs);
	__int128 path = (__int128)(most + (most < UINT64_MAX)) * ((uint64_t)nodes + 1) + back;

	if (path > INT64_MAX / 8)
		return nfv_fail(err, EOVERFLOW,
			"costs up to %llu on paths through %u nodes are beyond 64 bits; scale them "
			"down",
			(unsigned long long)most, nodes);
	*out = (int64_t)path;
	return 0;
}

static int
check_arcs(const struct mpc_mcmf *p, struct nfv_err *err)
{
	for (uint32_t e = 0; e < p->arcs; e++) {
		int64_t lower = p->lower != NULL ? p->lower[e] : 0;

		if (p->tail[e] >= p->nodes || p->head[e] >= p->nodes)
			return nfv_fail(err, EINVAL, "arc %u goes from node %u to %u of %u", e,
				p->tail[e], p->head[e], p->nodes);
		if (lower < 0 || p->capacity[e] < lower || lower == MPC_MCMF_UNBOUNDED)
			return nfv_fail(err, EINVAL,
				"arc %u can carry no flow of at least %lld and at most %lld", e,
				(long long)lower, (long long)p->capacity[e]);
	}
	return 0;
}

/* Supplies once every arc carries its least flow. */
static int
net_supply(const struct mpc_mcmf *p, int64_t *out, struct nfv_err *err)
{
	__int128 sum = 0;
	int64_t positive = 0;
	bool fits = true;

	for (uint32_t v = 0; v < p->nodes; v++) {
		out[v] = p->supply != NULL ? p->supply[v] : 0;
		sum += out[v];
	}
	if (sum != 0)
		return nfv_fail(err, EINVAL,
			"supplies and demands do not add up to zero: there is %s of %llu",
			sum > 0 ? "an excess" : "a lack",
			(unsigned long long)(sum > 0 ? sum : -sum));
	for (uint32_t e = 0; p->lower != NULL && e < p->arcs; e++)
		fits = fits &&
			!__builtin_sub_overflow(out[p->tail[e]], p->lower[e], &out[p->tail[e]]) &&
			!__builtin_add_overflow(out[p->head[e]], p->lower[e], &out[p->head[e]]);
	for (uint32_t v = 0; v < p->nodes && fits; v++)
		fits = out[v] <= 0 ||
			(!__builtin_add_overflow(positive, out[v], &positive) &&
				positive < INT64_MAX);
	if (!fits)
		return nfv_fail(err, EOVERFLOW,
			"supplies, lower bounds included, add up to more than 64 bits hold");
	return 0;
}

/*
 * Arcs of one tail side by side, so that pricing finds its potential at hand, but in small chunks,
 * and those of the whole network in turn, so that every block offers a bit of everything.
 */
static int
make_order(const struct mpc_mcmf *p, uint32_t *order)
{
	size_t chunks = ((size_t)p->arcs + CHUNK - 1) / CHUNK, turns = 1, n = 0;
	uint32_t *at = calloc((size_t)p->nodes + 1, sizeof(*at));
	uint32_t *sorted = calloc((size_t)p->arcs + 1, sizeof(*sorted));

	if (at == NULL || sorted == NULL) {
		free(at);
		free(sorted);
		return -ENOMEM;
	}
	for (uint32_t e = 0; e < p->arcs; e++)
		at[p->tail[e] + 1]++;
	for (uint32_t v = 0; v < p->nodes; v++)
		at[v + 1] += at[v];
	for (uint32_t e = 0; e < p->arcs; e++)
		sorted[at[p->tail[e]]++] = e;
	while (turns * turns < chunks)
		turns++;
	for (size_t first = 0; first < turns; first++)
		for (size_t c = first; c < chunks; c += turns)
			for (size_t i = c * CHUNK; i < (c + 1) * CHUNK && i < p->arcs; i++)
				order[n++] = sorted[i];
	free(at);
	free(sorted);
	return 0;
}

static void
fill_arcs(struct mpc_mcmf_solver *s, const struct mpc_mcmf *p)
{
	for (uint32_t i = 0; i < p->arcs; i++) {
		uint32_t e = s->order[i];

		s->s.arc[i] = (struct simplex_arc){
			.tail = p->tail[e], .head = p->head[e], .cost = p->cost[e]
		};
		s->s.room[i] = p->capacity[e];
		if (p->lower != NULL && p->capacity[e] != MPC_MCMF_UNBOUNDED)
			s->s.room[i] -= p->lower[e];
	}
}

static int
get_memory(struct mpc_mcmf_solver *s, bool lower)
{
	struct simplex *x = &s->s;
	size_t arcs = (size_t)x->arcs + 1, nodes = (size_t)x->nodes + 1;

	x->arc = malloc(arcs * sizeof(*x->arc));
	x->room = malloc(arcs * sizeof(*x->room));
	x->node = malloc(nodes * sizeof(*x->node));
	x->link = malloc(nodes * sizeof(*x->link));
	x->potential = malloc(nodes * sizeof(*x->potential));
	x->name = malloc(nodes * sizeof(*x->name));
	x->number = malloc(nodes * sizeof(*x->number));
	x->scratch = malloc(nodes * sizeof(*x->link));
	s->order = malloc(arcs * sizeof(*s->order));
	s->lower = lower ? malloc(arcs * sizeof(*s->lower)) : NULL;
	return x->arc != NULL && x->room != NULL && x->node != NULL && x->link != NULL &&
			x->potential != NULL && x->name != NULL && x->number != NULL &&
			x->scratch != NULL && s->order != NULL && (s->lower != NULL || !lower) ?
		0 :
		-ENOMEM;
}

/* `back`: see the solver. */
static int
create(const struct mpc_mcmf *p, int64_t back, struct mpc_mcmf_solver **out, struct nfv_err *err)
{
	struct mpc_mcmf_solver *s = calloc(1, sizeof(*s));
	int64_t *supply = NULL;
	int rc = -ENOMEM;

	if (s == NULL)
		goto fail;
	if (p->arcs > MPC_MCMF_ARCS_MAX || p->nodes > MPC_MCMF_NODES_MAX) {
		nfv_fail(err, EINVAL, "%u nodes and %u arcs are too many", p->nodes, p->arcs);
		rc = -EINVAL;
		goto fail;
	}
	rc = check_arcs(p, err);
	if (rc < 0)
		goto fail;
	s->s.nodes = p->nodes;
	s->s.arcs = p->arcs;
	s->back = back;
	supply = malloc(((size_t)p->nodes + 1) * sizeof(*supply));
	rc = supply != NULL ? get_memory(s, p->lower != NULL) : -ENOMEM;
	if (rc == 0)
		rc = make_order(p, s->order);
	if (rc < 0)
		goto fail;
	rc = net_supply(p, supply, err);
	if (rc == 0)
		rc = over_any_path(
			p->cost, p->arcs - (back > 0), p->nodes, back, &s->s.penalty, err);
	if (rc < 0)
		goto fail;
	if (p->lower != NULL && p->arcs > 0)
		memcpy(s->lower, p->lower, p->arcs * sizeof(*s->lower));
	fill_arcs(s, p);
	simplex_start(&s->s, supply);
	simplex_price(&s->s);
	free(supply);
	*out = s;
	return 0;
fail:
	if (rc == -ENOMEM)
		nfv_fail(err, ENOMEM, "no memory for %u nodes and %u arcs", p->nodes, p->arcs);
	free(supply);
	mpc_mcmf_destroy(s);
	return rc;
}

int
mpc_mcmf_create(const struct mpc_mcmf *p, struct mpc_mcmf_solver **out, struct nfv_err *err)
{
	return create(p, 0, out, err);
}

void
mpc_mcmf_destroy(struct mpc_mcmf_solver *s)
{
	if (s == NULL)
		return;
	free(s->s.arc);
	free(s->s.room);
	free(s->s.node);
	free(s->s.link);
	free(s->s.potential);
	free(s->s.name);
	free(s->s.number);
	free(s->s.scratch);
	free(s->order);
	free(s->lower);
	free(s);
}

int
mpc_mcmf_recost(struct mpc_mcmf_solver *s, const int64_t *cost, struct nfv_err *err)
{
	int rc = over_any_path(cost, s->s.arcs, s->s.nodes, 0, &s->s.penalty, err);

	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < s->s.arcs; i++) {
		int64_t c = cost[s->order[i]];

		s->s.arc[i].cost = s->s.room[i] < 0 ? -c : c;
	}
	simplex_price(&s->s);
	return 0;
}

/* Flow over the least one, of arc i as if it were not in the tree; and of the arc in v's link. */
static int64_t
flow_aside(const struct simplex *x, uint32_t i)
{
	return x->room[i] < 0 ? ~x->room[i] : 0;
}

static int64_t
flow_in_tree(const struct simplex *x, uint32_t v)
{
	const struct simplex_link *l = &x->link[v];
	bool upward = (x->arc[l->arc].tail == v) == (x->room[l->arc] >= 0);

	return upward ? l->down : l->up;
}

/* Add flow times cost; false: beyond 128 bits. */
static bool
add_cost(const struct mpc_mcmf_solver *s, uint32_t i, __int128 flow, __int128 *sum)
{
	int64_t cost = s->s.room[i] < 0 ? -s->s.arc[i].cost : s->s.arc[i].cost;

	if (s->back > 0 && s->order[i] == s->s.arcs - 1)
		return true; /* what the arc back earns is no part of the cost */
	return !__builtin_add_overflow(*sum, flow * cost, sum);
}

/* Is there a flow, and can it be told in 64 bits? */
static int
evaluate(const struct mpc_mcmf_solver *s, int64_t *cost, struct nfv_err *err)
{
	const struct simplex *x = &s->s;
	bool fits = true;
	__int128 sum = 0;

	for (uint32_t i = 0; i < x->arcs; i++)
		fits &= add_cost(s, i,
			flow_aside(x, i) + (__int128)(s->lower != NULL ? s->lower[s->order[i]] : 0),
			&sum);
	for (uint32_t v = 0; v < x->nodes; v++) {
		const struct simplex_link *l = &x->link[v];
		int64_t flow;

		if (l->arc == SIMPLEX_IN && l->up > 0)
			return nfv_fail(err, ENOSPC,
				"no flow obeys all bounds: node %u, counted from 0, would get %lld units "
				"too few",
				x->name[v], (long long)l->up);
		if (l->arc >= SIMPLEX_IN)
			continue;
		flow = flow_in_tree(x, v);
		fits &= add_cost(s, l->arc, (__int128)flow - flow_aside(x, l->arc), &sum);
		if (s->lower != NULL)
			fits &= !__builtin_add_overflow(flow, s->lower[s->order[l->arc]], &flow);
	}
	if (!fits || sum > INT64_MAX || sum < INT64_MIN)
		return nfv_fail(err, EOVERFLOW, "the cost of the cheapest flow is beyond 64 bits");
	*cost = (int64_t)sum;
	return 0;
}

int
mpc_mcmf_run(struct mpc_mcmf_solver *s, struct mpc_mcmf_answer *answer, struct nfv_err *err)
{
	const struct simplex *x = &s->s;
	uint64_t before = x->pivots;
	int64_t cost = 0;
	int rc = simplex_run(&s->s, err);

	if (rc < 0)
		return rc;
	rc = evaluate(s, &cost, err);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < x->arcs; i++)
		answer->flow[s->order[i]] = flow_aside(x, i);
	for (uint32_t v = 0; v < x->nodes; v++)
		if (x->link[v].arc < SIMPLEX_IN)
			answer->flow[s->order[x->link[v].arc]] = flow_in_tree(x, v);
	for (uint32_t e = 0; s->lower != NULL && e < x->arcs; e++)
		answer->flow[e] += s->lower[e];
	for (uint32_t v = 0; answer->potential != NULL && v < x->nodes; v++)
		answer->potential[x->name[v]] = x->potential[v];
	answer->cost = cost;
	answer->pivots = x->pivots - before;
	return 0;
}

int
mpc_mcmf_solve(const struct mpc_mcmf *p, struct mpc_mcmf_answer *answer, struct nfv_err *err)
{
	struct mpc_mcmf_solver *s;
	int rc = create(p, 0, &s, err);

	if (rc < 0)
		return rc;
	rc = mpc_mcmf_run(s, answer, err);
	mpc_mcmf_destroy(s);
	return rc;
}

/* The most that a node's arcs can carry away from it, or to it. */
static int64_t
most_through(const struct mpc_mcmf *p, const uint32_t *end, uint32_t v)
{
	int64_t sum = 0;

	for (uint32_t e = 0; e < p->arcs; e++)
		if (end[e] == v && p->tail[e] != p->head[e] &&
			(p->capacity[e] == MPC_MCMF_UNBOUNDED ||
				__builtin_add_overflow(sum, p->capacity[e], &sum)))
			return MPC_MCMF_UNBOUNDED;
	return sum;
}

/* The problem with an arc back from sink to source, which is never full. */
static int
close_ring(const struct mpc_mcmf *p, uint32_t source, uint32_t sink, int64_t back,
	struct mpc_mcmf *out)
{
	size_t n = p->arcs, all = n + 1;
	uint32_t *tail = malloc(all * sizeof(*tail)), *head = malloc(all * sizeof(*head));
	int64_t *cost = malloc(all * sizeof(*cost)), *capacity = malloc(all * sizeof(*capacity));
	int64_t *lower = p->lower != NULL ? malloc(all * sizeof(*lower)) : NULL;
	int64_t away, to;

	*out = (struct mpc_mcmf){ p->nodes, p->arcs + 1, tail, head, lower, capacity, cost, NULL };
	if (tail == NULL || head == NULL || cost == NULL || capacity == NULL ||
		(p->lower != NULL && lower == NULL))
		return -ENOMEM;
	if (n > 0) {
		memcpy(tail, p->tail, n * sizeof(*tail));
		memcpy(head, p->head, n * sizeof(*head));
		memcpy(cost, p->cost, n * sizeof(*cost));
		memcpy(capacity, p->capacity, n * sizeof(*capacity));
	}
	if (lower != NULL && n > 0)
		memcpy(lower, p->lower, n * sizeof(*lower));
	if (lower != NULL)
		lower[n] = 0;
	away = most_through(p, p->tail, source);
	to = most_through(p, p->head, sink);
	away = away < to ? away : to;
	tail[n] = sink;
	head[n] = source;
	cost[n] = -back;
	capacity[n] = away < MPC_MCMF_UNBOUNDED ? away + 1 : away;
	return 0;
}

int
mpc_mcmf_max_flow(const struct mpc_mcmf *p, uint32_t source, uint32_t sink,
	struct mpc_mcmf_answer *answer, int64_t *value, struct nfv_err *err)
{
	struct mpc_mcmf ring = { .nodes = 0 };
	struct mpc_mcmf_solver *s = NULL;
	struct mpc_mcmf_answer a = { .flow = NULL };
	int64_t back = 0;
	int rc;

	if (source >= p->nodes || sink >= p->nodes || source == sink)
		return nfv_fail(err, EINVAL,
			"a flow needs a source and a sink among the %u nodes, not %u and %u",
			p->nodes, source, sink);
	if (p->arcs >= MPC_MCMF_ARCS_MAX)
		return nfv_fail(err, EINVAL, "%u arcs are too many", p->arcs);
	/* More than a path costs, so that none is left out for its price. */
	rc = over_any_path(p->cost, p->arcs, p->nodes, 0, &back, err);
	if (rc < 0)
		return rc;
	rc = close_ring(p, source, sink, back, &ring);
	a = (struct mpc_mcmf_answer){ .flow = calloc((size_t)p->arcs + 1, sizeof(*a.flow)),
		.potential = answer->potential };
	if (rc < 0 || a.flow == NULL) {
		nfv_fail(err, ENOMEM, "no memory for %u arcs", p->arcs);
		rc = -ENOMEM;
		goto done;
	}
	rc = create(&ring, back, &s, err);
	if (rc < 0)
		goto done;
	rc = mpc_mcmf_run(s, &a, err);
	if (rc < 0)
		goto done;
	for (uint32_t e = 0; e < p->arcs; e++)
		answer->flow[e] = a.flow[e];
	answer->cost = a.cost;
	answer->pivots = a.pivots;
	*value = a.flow[p->arcs];
done:
	mpc_mcmf_destroy(s);
	free((void *)(uintptr_t)ring.tail);
	free((void *)(uintptr_t)ring.head);
	free((void *)(uintptr_t)ring.lower);
	free((void *)(uintptr_t)ring.capacity);
	free((void *)(uintptr_t)ring.cost);
	free(a.flow);
	return rc;
}
