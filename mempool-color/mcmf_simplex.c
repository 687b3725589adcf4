#include <stdbool.h>
#include <string.h>

#include "mcmf_simplex.h"

#define BLOCK_MIN   32
#define BLOCK_GROWS 4   /* times the root of the number of arcs, at most */
#define BLOCK_TERM  256 /* pivots between changes of the block's size */
#define AHEAD       128 /* arcs: far enough for the third-level cache */
#define RENUMBER    10  /* times nodes and arcs walked pay for a renumbering */
#define HUGE_FLOW   (INT64_C(1) << 62)

void
simplex_start(struct simplex *s, const int64_t *supply)
{
	uint32_t root = s->nodes;

	for (uint32_t v = 0; v < s->nodes; v++) {
		struct simplex_link *l = &s->link[v];

		s->node[v] = (struct simplex_node){
			.next = v + 1, .prev = v > 0 ? v - 1 : root, .depth = 1, .parent = root
		};
		s->name[v] = v;
		l->arc = supply[v] >= 0 ? SIMPLEX_OUT : SIMPLEX_IN;
		l->up = supply[v] >= 0 ? INT64_MAX - supply[v] : -supply[v];
		l->down = INT64_MAX - l->up;
	}
	s->node[root] = (struct simplex_node){
		.next = 0, .prev = root > 0 ? root - 1 : root, .depth = 0, .parent = SIMPLEX_NONE
	};
	s->name[root] = root;
	s->at = 0;
	s->pivots = s->walked = 0;
}

/* What reaching a node from its parent costs. */
static int64_t
step_cost(const struct simplex *s, uint32_t v)
{
	uint32_t e = s->link[v].arc;

	if (e == SIMPLEX_OUT)
		return 0;
	if (e == SIMPLEX_IN)
		return s->penalty;
	return s->arc[e].head == v ? s->arc[e].cost : -s->arc[e].cost;
}

void
simplex_price(struct simplex *s)
{
	uint32_t root = s->nodes;

	s->potential[root] = 0;
	for (uint32_t v = s->node[root].next; v != root; v = s->node[v].next)
		s->potential[v] = s->potential[s->node[v].parent] + step_cost(s, v);
}

/* The most negative reduced cost of a block that has any, from where the last search ended. */
static uint32_t
find_entering(struct simplex *s, uint32_t block, int64_t *reduced)
{
	const struct simplex_arc *arc = s->arc;
	const int64_t *pi = s->potential;
	uint32_t at = s->at, best = SIMPLEX_NONE, left = s->arcs;
	int64_t least = 0;

	while (left > 0 && best == SIMPLEX_NONE) {
		uint32_t n = block < left ? block : left, end;

		n = n < s->arcs - at ? n : s->arcs - at;
		for (end = at + n; at < end; at++) {
			int64_t r = arc[at].cost + pi[arc[at].tail] - pi[arc[at].head];

			__builtin_prefetch(&arc[at + AHEAD]);
			if (r < least) {
				least = r;
				best = at;
			}
		}
		left -= n;
		at = at < s->arcs ? at : 0;
	}
	s->at = at;
	*reduced = least;
	return best;
}

/* An arc that leaves the tree, or went from one bound to the other: it can be pushed from `tail`. */
static bool
put_aside(struct simplex *s, uint32_t e, uint32_t tail, uint32_t head)
{
	struct simplex_arc *a = &s->arc[e];

	if (a->tail != tail) {
		*a = (struct simplex_arc){ .tail = tail, .head = head, .cost = -a->cost };
		s->room[e] = ~s->room[e];
	}
	return s->room[e] != ~INT64_MAX; /* else it has no end, and is full */
}

/*
 * Change potentials and depths from node u on, in preorder, up to node `stop` or the first that is no
 * deeper than `depth`; returns that node, and the last one before it. Where nodes were numbered in
 * preorder not long ago, the next one is mostly u + 1: asking first whether it is spares the wait for
 * the load.
 */
static uint32_t
shift(struct simplex *s, uint32_t u, uint32_t stop, uint32_t depth, int64_t by, uint32_t deeper,
	uint32_t *last)
{
	struct simplex_node *node = s->node;
	int64_t *pi = s->potential;
	uint64_t walked = 0;
	uint32_t v;

	do {
		uint32_t first = u;

		do {
			v = u++;
			pi[v] += by;
			node[v].depth += deeper;
		} while (node[v].next == u && u != stop && node[u].depth > depth);
		walked += u - first;
		u = node[v].next;
	} while (u != stop && node[u].depth > depth);
	s->walked += walked;
	*last = v;
	return u;
}

/*
 * Hang the part of the tree below `top` up by its node `q`, from `p`, through arc e; its potentials
 * change by `by`. The nodes from q to top, the stem, become each other's parents. In preorder each of
 * them comes after the one before, and what was in front of that one in its subtree, and what was
 * behind it, follow.
 */
static void
rehang(struct simplex *s, uint32_t top, uint32_t q, uint32_t p, struct simplex_link link,
	int64_t by)
{
	struct simplex_node *node = s->node;
	uint32_t v = q, parent = p, child = SIMPLEX_NONE, depth = node[p].depth + 1;
	uint32_t before = node[top].prev, last = SIMPLEX_NONE, next = SIMPLEX_NONE;

	for (;; depth++) {
		struct simplex_link old = s->link[v];
		uint32_t above = node[v].parent, was = node[v].depth, after;

		if (v != q) {
			node[last].next = v;
			node[v].prev = last;
		}
		after = shift(s, v, child, was, by, depth - was, &last);
		if (v == q)
			next = after;
		else if (node[next].depth > was) {
			node[last].next = next;
			node[next].prev = last;
			next = shift(s, next, SIMPLEX_NONE, was, by, depth - was, &last);
		}
		node[v].parent = parent;
		s->link[v] = link;
		if (v == top)
			break;
		link = (struct simplex_link){ .up = old.down, .down = old.up, .arc = old.arc };
		child = parent = v;
		v = above;
	}
	node[before].next = next;
	node[next].prev = before;
	next = node[p].next;
	node[p].next = q;
	node[q].prev = p;
	node[last].next = next;
	node[next].prev = last;
}

/* The cycle that an entering arc closes, and where it is cut. */
struct cycle {
	uint32_t tail, head, join;
	uint32_t cut; /* node whose arc to its parent leaves; NONE: the entering arc itself */
	bool at_tail; /* cut is on the tail's side */
	int64_t amount;
};

/*
 * How much can be pushed round, and which arc stops it: of several, the last one on the way from the
 * join along the cycle. That keeps the tree strongly feasible.
 */
static void
measure(const struct simplex *s, struct cycle *c)
{
	const struct simplex_node *node = s->node;
	const struct simplex_link *link = s->link;
	uint32_t a = c->tail, b = c->head;

	while (a != b) {
		bool deeper_a = node[a].depth >= node[b].depth;
		bool deeper_b = node[b].depth >= node[a].depth;

		if (deeper_a) {
			if (link[a].down < c->amount) {
				c->amount = link[a].down;
				c->cut = a;
				c->at_tail = true;
				if (c->amount == 0)
					return;
			}
			a = node[a].parent;
		}
		if (deeper_b) {
			if (link[b].up <= c->amount) {
				c->amount = link[b].up;
				c->cut = b;
				c->at_tail = false;
			}
			b = node[b].parent;
		}
	}
	c->join = a;
}

static void
push(struct simplex *s, const struct cycle *c)
{
	for (uint32_t v = c->tail; v != c->join; v = s->node[v].parent) {
		s->link[v].down -= c->amount;
		s->link[v].up += c->amount;
	}
	for (uint32_t v = c->head; v != c->join; v = s->node[v].parent) {
		s->link[v].up -= c->amount;
		s->link[v].down += c->amount;
	}
}

/* Does nothing on the cycle end what can be pushed round it? */
static bool
is_endless(const struct simplex *s, const struct cycle *c, uint32_t e)
{
	bool endless = s->room[e] == INT64_MAX;

	for (uint32_t v = c->tail; v != c->join && endless; v = s->node[v].parent) {
		uint32_t up = s->link[v].arc;

		endless = up < SIMPLEX_IN && (s->arc[up].head == v) == (s->room[up] >= 0) &&
			(s->room[up] == INT64_MAX || s->room[up] == ~INT64_MAX);
	}
	for (uint32_t v = c->head; v != c->join && endless; v = s->node[v].parent) {
		uint32_t up = s->link[v].arc;

		endless = up < SIMPLEX_IN && (s->arc[up].tail == v) == (s->room[up] >= 0) &&
			(s->room[up] == INT64_MAX || s->room[up] == ~INT64_MAX);
	}
	return endless;
}

/* Put the entering arc e into the tree in place of the one that is cut. */
static bool
exchange(struct simplex *s, const struct cycle *c, uint32_t e, int64_t room, int64_t reduced)
{
	uint32_t out = s->link[c->cut].arc, parent = s->node[c->cut].parent;
	struct simplex_link link = { .up = room - c->amount, .down = c->amount, .arc = e };
	bool bounded = true;

	if (c->at_tail) {
		if (out < SIMPLEX_IN)
			bounded = put_aside(s, out, c->cut, parent);
		rehang(s, c->cut, c->tail, c->head, link, -reduced);
		return bounded;
	}
	link.up = c->amount;
	link.down = room - c->amount;
	if (out < SIMPLEX_IN)
		bounded = put_aside(s, out, parent, c->cut);
	rehang(s, c->cut, c->head, c->tail, link, reduced);
	return bounded;
}

static int
pivot(struct simplex *s, uint32_t e, int64_t reduced, struct nfv_err *err)
{
	int64_t room = s->room[e] < 0 ? ~s->room[e] : s->room[e];
	struct cycle c = {
		.tail = s->arc[e].tail, .head = s->arc[e].head, .cut = SIMPLEX_NONE, .amount = room
	};
	bool bounded;

	measure(s, &c);
	if (c.amount >= HUGE_FLOW && is_endless(s, &c, e))
		return nfv_fail(err, ERANGE,
			"the cost falls without end round a cycle of unbounded capacity through "
			"nodes %u and %u, counted from 0",
			s->name[c.tail], s->name[c.head]);
	if (c.amount > 0)
		push(s, &c);
	if (c.cut != SIMPLEX_NONE) {
		bounded = exchange(s, &c, e, room, reduced);
	} else {
		s->arc[e] = (struct simplex_arc){
			.tail = c.head, .head = c.tail, .cost = -s->arc[e].cost
		};
		s->room[e] = ~s->room[e];
		bounded = s->room[e] != ~INT64_MAX;
	}
	if (!bounded)
		return nfv_fail(err, EOVERFLOW,
			"the flow of an arc of unbounded capacity is beyond 64 bits");
	return 0;
}

/*
 * Number the nodes anew, in preorder: one array after the other by way of the scratch memory.
 */
static void
renumber(struct simplex *s)
{
	uint32_t root = s->nodes, n = 0, *number = s->number;
	size_t all = (size_t)root + 1;
	const struct simplex_node *node = s->scratch;
	const struct simplex_link *link = s->scratch;
	const int64_t *potential = s->scratch;
	const uint32_t *name = s->scratch;

	number[root] = root;
	for (uint32_t v = s->node[root].next; v != root; v = s->node[v].next)
		number[v] = n++;
	memcpy(s->scratch, s->node, all * sizeof(*node));
	for (uint32_t v = 0; v <= root; v++)
		s->node[number[v]] = (struct simplex_node){ .next = number[node[v].next],
			.prev = number[node[v].prev],
			.depth = node[v].depth,
			.parent = v != root ? number[node[v].parent] : SIMPLEX_NONE };
	memcpy(s->scratch, s->link, all * sizeof(*link));
	for (uint32_t v = 0; v < root; v++)
		s->link[number[v]] = link[v];
	memcpy(s->scratch, s->potential, all * sizeof(*potential));
	for (uint32_t v = 0; v < root; v++)
		s->potential[number[v]] = potential[v];
	memcpy(s->scratch, s->name, all * sizeof(*name));
	for (uint32_t v = 0; v < root; v++)
		s->name[number[v]] = name[v];
	for (uint32_t e = 0; e < s->arcs; e++) {
		s->arc[e].tail = number[s->arc[e].tail];
		s->arc[e].head = number[s->arc[e].head];
	}
}

int
simplex_run(struct simplex *s, struct nfv_err *err)
{
	uint64_t enough = RENUMBER * ((uint64_t)s->nodes + s->arcs);
	uint64_t walked = s->walked, renumbered = s->walked, pivots = 0;
	uint32_t least = BLOCK_MIN, block, e;
	int64_t reduced;

	while ((uint64_t)least * least < s->arcs)
		least++;
	block = least;
	while ((e = find_entering(s, block, &reduced)) != SIMPLEX_NONE) {
		int rc = pivot(s, e, reduced, err);

		if (rc < 0)
			return rc;
		s->pivots++;
		/* Where a pivot walks far, one that is better chosen is worth a longer search. */
		if (++pivots % BLOCK_TERM == 0) {
			uint64_t mean = (s->walked - walked) / BLOCK_TERM;

			block = mean < least                         ? least :
				mean > (uint64_t)BLOCK_GROWS * least ? BLOCK_GROWS * least :
								       (uint32_t)mean;
			walked = s->walked;
		}
		if (s->walked - renumbered > enough) {
			renumber(s);
			renumbered = s->walked;
		}
	}
	return 0;
}
