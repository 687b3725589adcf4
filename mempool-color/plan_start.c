#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plan_search.h"

#define KEYS   3
#define PIECES 8

/* Classes side by side in an order, on colours side by side. */
struct part {
	uint32_t first, n, colour, width;
	double cost;
};

struct bisection {
	struct plan_search *s;
	uint32_t socket;
	uint32_t *order, *best_order; /* classes */
	double *key, *one;
	struct part *part;
	uint32_t parts;
};

/* Spread what is left of a class evenly over those of `width` places from `first` that have room. */
static uint64_t
spread_over(struct plan_search *s, uint32_t *row, uint32_t first, uint32_t width, uint32_t offset,
	uint64_t left)
{
	while (left > 0) {
		uint64_t open = 0, before = left, each;

		for (uint32_t i = 0; i < width; i++)
			open += s->room[first + i] > 0;
		each = open > 0 ? left / open : 0;
		each += each == 0;
		for (uint32_t i = 0; i < width && left > 0; i++) {
			uint32_t p = first + (i + offset) % width;
			uint64_t n = each < s->room[p] ? each : s->room[p];

			n = n < left ? n : left;
			row[p] += (uint32_t)n;
			s->room[p] -= (uint32_t)n;
			left -= n;
		}
		if (left == before)
			break;
	}
	return left;
}

/* At home in these colours; else at home anywhere; else in these colours elsewhere; else anywhere. */
static void
spread(struct plan_search *s, uint32_t *pages, uint32_t class, uint32_t colour, uint32_t width,
	uint64_t left)
{
	const struct mpc_plan_machine *machine = s->m.machine;
	uint32_t *row = pages + (size_t) class * s->m.places;
	uint32_t home = s->m.class[class].socket * machine->colours;

	left = spread_over(s, row, home + colour, width, class % width, left);
	left = spread_over(s, row, home, machine->colours, 0, left);
	for (uint32_t k = 0; k < machine->sockets && left > 0; k++)
		left = spread_over(s, row, k * machine->colours + colour, width, 0, left);
	spread_over(s, row, 0, s->m.places, 0, left);
}

static void
clear(struct plan_search *s, uint32_t *pages)
{
	memset(pages, 0, (size_t)s->m.classes * s->m.places * sizeof(*pages));
	memcpy(s->room, s->m.machine->available, s->m.places * sizeof(*s->room));
}

int
plan_start_even(struct plan_search *s, uint32_t *pages)
{
	clear(s, pages);
	for (uint32_t i = 0; i < s->m.classes; i++)
		spread(s, pages, i, 0, s->m.machine->colours, s->m.class[i].pages);
	return 0;
}

int
plan_start_static(struct plan_search *s, uint32_t *pages)
{
	uint32_t colours = s->m.machine->colours;

	clear(s, pages);
	for (uint32_t k = 0; k < s->m.machine->sockets; k++) {
		uint32_t first = s->m.first_user[k], n = s->m.first_user[k + 1] - first;

		for (uint32_t i = 0; i < n; i++) {
			uint32_t from = (uint32_t)((uint64_t)i * colours / n);
			uint32_t to = (uint32_t)((uint64_t)(i + 1) * colours / n);

			spread(s, pages, s->m.user[first + i], from, to > from ? to - from : 1,
				s->m.class[s->m.user[first + i]].pages);
		}
	}
	return 0;
}

static uint32_t
random_below(uint64_t *state, uint32_t n)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((*state >> 32) * n >> 32);
}

/* Some classes spread over colours side by side, some strewn in pieces, on any socket. */
int
plan_start_random(struct plan_search *s, uint64_t *random, uint32_t *pages)
{
	uint32_t colours = s->m.machine->colours;

	clear(s, pages);
	for (uint32_t i = 0; i < s->m.classes; i++) {
		uint32_t *row = pages + (size_t)i * s->m.places, left = s->m.class[i].pages;
		uint32_t width = 1 + random_below(random, colours), piece = left / PIECES + 1;
		bool strewn = random_below(random, 2) == 0;

		for (uint32_t k = 0; k < PIECES && strewn && left > 0; k++) {
			uint32_t n = piece < left ? piece : left;

			n -= (uint32_t)spread_over(
				s, row, random_below(random, s->m.places), 1, 0, n);
			left -= n;
		}
		spread(s, pages, i, random_below(random, colours - width + 1), width, left);
	}
	return 0;
}

/* What classes cost that are spread evenly over so many colours of their own. */
static double
part_cost(struct bisection *b, const uint32_t *user, uint32_t n, uint32_t width, double *time)
{
	struct plan_model *m = &b->s->m;
	double cost = 0;

	*time = plan_fill_time(m, user, b->one, n, m->machine->lines * width, *time);
	for (uint32_t i = 0; i < n && isfinite(*time); i++)
		cost += plan_slope(m, user[i], *time);
	return cost * m->machine->miss;
}

static void
sort_by_key(struct bisection *b, uint32_t *user, uint32_t n, unsigned int key, double time)
{
	const struct plan_model *m = &b->s->m;

	for (uint32_t i = 0; i < n; i++) {
		double lines = plan_lines(m, user[i], time), slope = plan_slope(m, user[i], time);

		b->key[i] = key == 0 ? slope / (lines + 1e-9) : key == 1 ? slope : lines;
	}
	for (uint32_t i = 1; i < n; i++) {
		uint32_t u = user[i], k = i;
		double value = b->key[i];

		for (; k > 0 && b->key[k - 1] < value; k--) {
			b->key[k] = b->key[k - 1];
			user[k] = user[k - 1];
		}
		b->key[k] = value;
		user[k] = u;
	}
}

/* Colours that the first half of a part may have: all numbers up to 16, then ever fewer. */
static uint32_t
wider(uint32_t width)
{
	return width + 1 + width / 8;
}

/* Are there pages enough at home? */
static bool
has_room(const struct bisection *b, const uint32_t *user, uint32_t n, uint32_t colour,
	uint32_t width)
{
	const struct mpc_plan_machine *machine = b->s->m.machine;
	uint64_t wanted = 0, there = 0;

	for (uint32_t i = 0; i < n; i++)
		wanted += b->s->m.class[user[i]].pages;
	for (uint32_t k = 0; k < width; k++)
		there += machine->available[b->socket * machine->colours + colour + k];
	return wanted <= there;
}

/* Cut a part in two where that costs least, if it costs less than before. */
static bool
cut(struct bisection *b, uint32_t at)
{
	struct part *p = &b->part[at], left = *p, right = *p;
	uint32_t *user = b->order + p->first;
	double whole = 0, best = p->cost * (1 - 1e-9);
	bool found = false;

	part_cost(b, user, p->n, p->width, &whole);
	if (!isfinite(whole))
		return false;
	for (unsigned int key = 0; key < KEYS; key++) {
		sort_by_key(b, user, p->n, key, whole);
		for (uint32_t n = 1; n < p->n; n++) {
			double time[2] = { 0, 0 };

			for (uint32_t w = 1; w < p->width; w = wider(w)) {
				double first, second;

				if (!has_room(b, user, n, p->colour, w) ||
					!has_room(
						b, user + n, p->n - n, p->colour + w, p->width - w))
					continue;
				first = part_cost(b, user, n, w, &time[0]);
				second = part_cost(b, user + n, p->n - n, p->width - w, &time[1]);
				if (first + second >= best)
					continue;
				best = first + second;
				found = true;
				left = (struct part){ p->first, n, p->colour, w, first };
				right = (struct part){ p->first + n, p->n - n, p->colour + w,
					p->width - w, second };
				memcpy(b->best_order, user, p->n * sizeof(*user));
			}
		}
	}
	if (found) {
		memcpy(user, b->best_order, p->n * sizeof(*user));
		*p = left;
		b->part[b->parts++] = right;
	}
	return found;
}

static void
bisect_socket(struct bisection *b, uint32_t *pages)
{
	struct plan_model *m = &b->s->m;
	uint32_t first = m->first_user[b->socket], n = m->first_user[b->socket + 1] - first;
	double time = 0;

	if (n == 0)
		return;
	memcpy(b->order, m->user + first, n * sizeof(*b->order));
	b->part[0] = (struct part){ 0, n, 0, m->machine->colours, 0 };
	b->part[0].cost = part_cost(b, b->order, n, m->machine->colours, &time);
	b->parts = 1;
	for (uint32_t at = 0; at < b->parts && m->work < b->s->work;)
		at += !cut(b, at);
	for (uint32_t at = 0; at < b->parts; at++)
		for (uint32_t i = 0; i < b->part[at].n; i++)
			spread(b->s, pages, b->order[b->part[at].first + i], b->part[at].colour,
				b->part[at].width, m->class[b->order[b->part[at].first + i]].pages);
}

int
plan_start_bisect(struct plan_search *s, uint32_t *pages)
{
	size_t n = s->m.classes;
	uint32_t *order = malloc(2 * n * sizeof(*order));
	double *key = malloc(2 * n * sizeof(*key));
	struct part *part = malloc(n * sizeof(*part));
	struct bisection b = { s, 0, order, order + n, key, key + n, part, 0 };
	int rc = -ENOMEM;

	if (order != NULL && key != NULL && part != NULL) {
		for (size_t i = 0; i < n; i++)
			b.one[i] = 1;
		clear(s, pages);
		for (b.socket = 0; b.socket < s->m.machine->sockets; b.socket++)
			bisect_socket(&b, pages);
		rc = 0;
	}
	free(order);
	free(key);
	free(part);
	return rc;
}
