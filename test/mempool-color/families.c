#include <stdlib.h>
#include <string.h>

#include "families.h"

struct maker {
	struct mpc_mcmf *p;
	uint32_t room;
	uint32_t *tail, *head;
	int64_t *capacity, *cost, *supply;
	uint64_t state;
};

uint32_t
family_random(uint64_t *state, uint32_t n)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return (uint32_t)((z >> 32) * n >> 32);
}

static uint32_t
random_below(struct maker *m, uint32_t n)
{
	return family_random(&m->state, n);
}

static int64_t
random_cost(struct maker *m, int64_t most)
{
	return 1 + (int64_t)random_below(m, (uint32_t)most);
}

static void *
need(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	if (p == NULL)
		abort();
	return p;
}

static void
begin(struct maker *m, uint32_t nodes, uint32_t arcs)
{
	m->p->nodes = nodes;
	m->p->arcs = 0;
	m->room = arcs;
	m->tail = need(arcs, sizeof(*m->tail));
	m->head = need(arcs, sizeof(*m->head));
	m->capacity = need(arcs, sizeof(*m->capacity));
	m->cost = need(arcs, sizeof(*m->cost));
	m->supply = need(nodes, sizeof(*m->supply));
}

static void
add(struct maker *m, uint32_t tail, uint32_t head, int64_t capacity, int64_t cost)
{
	uint32_t e = m->p->arcs;

	if (e == m->room)
		abort();
	m->tail[e] = tail;
	m->head[e] = head;
	m->capacity[e] = capacity;
	m->cost[e] = cost;
	m->p->arcs++;
}

static uint32_t
root(uint32_t n)
{
	uint32_t r = 1;

	while ((uint64_t)(r + 1) * (r + 1) <= n)
		r++;
	return r;
}

/* Move an amount from one node to another along a path of wide and rather dear arcs. */
static void
lay_path(struct maker *m, uint32_t from, uint32_t to, uint32_t hops, int64_t amount, int64_t most)
{
	uint32_t at = from;

	m->supply[from] += amount;
	m->supply[to] -= amount;
	for (uint32_t i = 0; i + 1 < hops; i++) {
		uint32_t next = random_below(m, m->p->nodes);

		add(m, at, next, amount, random_cost(m, most));
		at = next;
	}
	add(m, at, to, amount, random_cost(m, most));
}

static void
make_scattered(struct maker *m, uint32_t arcs, int64_t most)
{
	uint32_t nodes = arcs / 8 + 3, pairs = root(nodes), hops = nodes / pairs / 2 + 1;

	begin(m, nodes, arcs + pairs * hops);
	for (uint32_t i = 0; i < pairs; i++)
		lay_path(m, i, nodes - 1 - i, hops, 500 + random_below(m, 1000), most);
	while (m->p->arcs < arcs)
		add(m, random_below(m, nodes), random_below(m, nodes), 1 + random_below(m, 1000),
			random_cost(m, most));
}

static void
make_grid(struct maker *m, uint32_t arcs, int64_t most)
{
	uint32_t width = root(arcs / 8) + 2, nodes = width * width, pairs = root(nodes);

	begin(m, nodes, 8 * nodes + 2 * width * pairs + arcs);
	for (uint32_t v = 0, x = 0; v < nodes; v++, x = x + 1 < width ? x + 1 : 0) {
		if (x + 1 < width) {
			add(m, v, v + 1, 1 + random_below(m, 1000), random_cost(m, most));
			add(m, v + 1, v, 1 + random_below(m, 1000), random_cost(m, most));
		}
		if (v + width < nodes) {
			add(m, v, v + width, 1 + random_below(m, 1000), random_cost(m, most));
			add(m, v + width, v, 1 + random_below(m, 1000), random_cost(m, most));
		}
	}
	for (uint32_t i = 0; i < pairs; i++)
		lay_path(m, random_below(m, nodes), random_below(m, nodes), width / 2 + 1,
			1 + random_below(m, 1000), most);
	while (m->p->arcs < arcs)
		add(m, random_below(m, nodes), random_below(m, nodes), 1 + random_below(m, 1000),
			random_cost(m, most));
}

/*
 * Columns round a torus. What leaps farther costs more, but less a column, and holds less: everything
 * is wanted, and nothing suffices. One source, one sink, half way round.
 */
static void
make_torus(struct maker *m, uint32_t arcs, int64_t most)
{
	uint32_t degree = 6, nodes = arcs / degree + 4, height = root(root(nodes)) * 2 + 1;
	uint32_t columns = nodes / height + 2, last;
	int64_t through = 0;

	nodes = columns * height;
	begin(m, nodes, nodes * degree + 2 * columns);
	for (uint32_t v = 0; v < nodes; v++) {
		uint32_t column = v / height, leap = 1;

		for (uint32_t k = 0; k < degree; k++) {
			uint32_t to = (column + leap) % columns * height + random_below(m, height);
			int64_t wide = 16384 / (1 + leap), dear = most * (1 + k) / degree;

			add(m, v, k == 0 ? column * height + (v + 1) % height : to,
				1 + random_below(m, (uint32_t)wide),
				1 + dear * (50 + random_below(m, 50)) / 100);
			leap += k % 2 == 0 ? 1 : leap;
		}
	}
	/* A ring that always suffices, at a price. */
	last = columns / 2 * height;
	for (uint32_t k = 0; k < degree; k++)
		through += 16384 / (2 + k);
	through = through * height / 3;
	for (uint32_t c = 0; c < columns; c++)
		add(m, c * height, (c + 1) % columns * height, through, most * 2);
	m->supply[0] = through;
	m->supply[last] = -through;
}

static void
make_colour(struct maker *m, uint32_t arcs, int64_t most)
{
	uint32_t steps = 8, classes = 4, places = 4, nodes;
	int64_t pages = 0;

	while (classes * places * steps * 2 <= arcs) {
		places *= 2;
		if (classes * places * steps * 2 <= arcs)
			classes *= 2;
	}
	while ((classes + 1) * places * steps <= arcs)
		classes++;
	nodes = classes + places + 1;
	begin(m, nodes, classes * places * steps + places * steps);
	for (uint32_t c = 0; c < classes; c++) {
		int64_t demand = 1 + random_below(m, 200), slope = random_cost(m, most / 16 + 1);
		uint32_t socket = random_below(m, 2);

		m->supply[c] = demand;
		pages += demand;
		for (uint32_t i = 0; i < places; i++) {
			int64_t cost = (i & 1) == socket ? 0 : most / 4;

			for (uint32_t k = 0; k < steps; k++) {
				cost += (int64_t)random_below(m, (uint32_t)slope) + 1;
				add(m, c, classes + i, demand / 2 / steps + 1, cost);
			}
		}
	}
	for (uint32_t i = 0; i < places; i++) {
		int64_t cost = 0, share = pages / places / steps + 1;

		for (uint32_t k = 0; k < steps; k++) {
			add(m, classes + i, nodes - 1, share * (k + 1 < steps ? 1 : 4), cost);
			cost += random_cost(m, most / 16 + 1);
		}
	}
	m->supply[nodes - 1] = -pages;
}

const char *
family_name(enum family f)
{
	static const char *const name[FAMILIES] = { "scattered", "grid", "torus", "colour" };

	return name[f];
}

void
family_make(enum family f, uint32_t arcs, int64_t most, uint64_t seed, struct mpc_mcmf *out)
{
	static void (*const make[FAMILIES])(struct maker *, uint32_t, int64_t) = {
		[FAMILY_SCATTERED] = make_scattered,
		[FAMILY_GRID] = make_grid,
		[FAMILY_TORUS] = make_torus,
		[FAMILY_COLOUR] = make_colour,
	};
	struct maker m = { .p = out, .state = seed * 1000003 + f };

	memset(out, 0, sizeof(*out));
	make[f](&m, arcs, most);
	out->tail = m.tail;
	out->head = m.head;
	out->capacity = m.capacity;
	out->cost = m.cost;
	out->supply = m.supply;
}

void
family_free(struct mpc_mcmf *p)
{
	free((void *)(uintptr_t)p->tail);
	free((void *)(uintptr_t)p->head);
	free((void *)(uintptr_t)p->capacity);
	free((void *)(uintptr_t)p->cost);
	free((void *)(uintptr_t)p->supply);
	memset(p, 0, sizeof(*p));
}
