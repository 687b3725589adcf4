#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "mpc_layout.h"

#define CLASSES 256
#define COLOURS MPC_LAYOUT_COLOURS

struct class
{
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
	struct class class[CLASSES];
};

int
mpc_layout_create(struct mpc_arena *a, uint32_t colours, uint32_t level, struct mpc_layout **out,
	struct nfv_err *err)
{
	struct mpc_layout *l;

	if (colours < 2 || colours > COLOURS)
		return nfv_fail(err, EINVAL, "%u colours cannot be laid out: 2 to %d can", colours,
			COLOURS);
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	l->arena = a;
	l->colours = colours;
	l->level = level;
	*out = l;
	return 0;
}

void
mpc_layout_destroy(struct mpc_layout *l)
{
	free(l);
}

static mpc_colours
all_of(const struct mpc_layout *l)
{
	return l->colours == COLOURS ? MPC_ALL_COLOURS : ((mpc_colours)1 << l->colours) - 1;
}

/* Where its pages lie now. */
static void
recount(const struct mpc_layout *l, struct class *c)
{
	if (!c->used)
		return;
	if (c->mover.have != NULL) {
		memset(c->have, 0, sizeof(c->have));
		c->mover.have(c->mover.arg, c->have);
		c->n = 0;
		for (uint32_t k = 0; k < l->colours; k++)
			c->n += c->have[k];
		return;
	}
	memset(c->have, 0, sizeof(c->have));
	c->colourless = 0;
	for (uint32_t i = 0; i < c->n; i++) {
		uint16_t colour = mpc_arena_colour(l->arena, c->pages.page[i]);

		if (colour == MPC_NO_COLOUR)
			c->colourless++;
		else
			c->have[colour]++;
	}
}

static struct class *
find(struct mpc_layout *l, const char *name)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->class[i].used && strcmp(l->class[i].name, name) == 0)
			return &l->class[i];
	return NULL;
}

/* A place under this name, or the name with the first number behind it that is not there yet. */
static struct class *
add(struct mpc_layout *l, const char *name, struct nfv_err *err)
{
	struct class *c;
	uint32_t i = 0;

	while (i < l->n && l->class[i].used)
		i++;
	if (i == CLASSES) {
		nfv_fail(err, ENOSPC, "no more than %d classes of pages are laid out", CLASSES);
		return NULL;
	}
	if (i == l->n)
		l->n++;
	c = &l->class[i];
	*c = (struct class){ .used = false };
	snprintf(c->name, sizeof(c->name), "%s", name);
	for (unsigned int nth = 2; find(l, c->name) != NULL; nth++)
		snprintf(c->name, sizeof(c->name), "%.*s:%u", MPC_PLAN_FILE_NAME_MAX - 12, name,
			nth);
	c->used = true;
	return c;
}

int
mpc_layout_take(struct mpc_layout *l, const char *name, void *owner, uint32_t n,
	struct nfv_pages *out, struct nfv_err *err)
{
	struct class *c = add(l, name, err);
	int rc;

	if (c == NULL)
		return -ENOSPC;
	rc = mpc_pages_take(l->arena, all_of(l), n, &c->pages, err);
	if (rc < 0) {
		c->used = false;
		return rc;
	}
	c->owner = owner;
	c->n = n;
	recount(l, c);
	memcpy(c->want, c->have, sizeof(c->want));
	*out = c->pages;
	return 0;
}

bool
mpc_layout_give(struct mpc_layout *l, struct nfv_pages *pages)
{
	for (uint32_t i = 0; i < l->n; i++) {
		struct class *c = &l->class[i];

		if (c->used && c->pages.page == pages->page && pages->page != NULL) {
			c->used = false;
			mpc_pages_give(l->arena, pages);
			return true;
		}
	}
	return false;
}

int
mpc_layout_add(struct mpc_layout *l, const char *name, const struct mpc_layout_mover *mover,
	struct nfv_err *err)
{
	struct class *c = add(l, name, err);

	if (c == NULL)
		return -ENOSPC;
	c->mover = *mover;
	recount(l, c);
	memcpy(c->want, c->have, sizeof(c->want));
	return 0;
}

void
mpc_layout_forget(struct mpc_layout *l, const void *mover_arg)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->class[i].mover.have != NULL && l->class[i].mover.arg == mover_arg)
			l->class[i].used = false;
}

/* n in proportion to the weights, one of which is not 0; rounded so that nothing is left over. */
static void
divide(uint32_t n, const uint64_t *weight, uint32_t colours, uint32_t *out)
{
	uint64_t sum = 0, before = 0;

	for (uint32_t k = 0; k < colours; k++)
		sum += weight[k];
	for (uint32_t k = 0; k < colours; k++) {
		uint64_t upto = before + weight[k];

		/* Sums are below 2^44, so the product needs more than 64 bits at worst. */
		out[k] = sum == 0 ? 0 :
				    (uint32_t)((unsigned __int128)n * upto / sum -
					    (unsigned __int128)n * before / sum);
		before = upto;
	}
}

/* What is being worked out: adopted only when all of it is good. */
struct draft {
	uint32_t want[CLASSES][COLOURS];
	bool unplanned[CLASSES];
	uint64_t there[COLOURS], taken[COLOURS]; /* pages */
};

static void
draft_take(struct draft *d, uint32_t i, uint32_t colours)
{
	for (uint32_t k = 0; k < colours; k++)
		d->taken[k] += d->want[i][k];
}

/* How many colours each class gets: equal shares of what is left by those that need more than one.
 * Returns what is to be shared equally: colours, and among how many classes. */
static uint32_t
share_out(const struct mpc_layout *l, const struct draft *d, uint32_t *need, uint32_t *sharers)
{
	uint64_t least = UINT64_MAX;
	uint32_t colours = l->colours, classes = 0;
	bool again = true;

	for (uint32_t k = 0; k < l->colours; k++)
		least = d->there[k] < least ? d->there[k] : least;
	for (uint32_t i = 0; i < l->n; i++)
		classes += l->class[i].used;
	while (again && least > 0) {
		again = false;
		for (uint32_t i = 0; i < l->n; i++) {
			uint64_t n = (l->class[i].n + least - 1) / least;

			if (!l->class[i].used || need[i] > 0 || n * classes <= colours ||
				n > colours - (classes - 1) || classes == 1)
				continue;
			need[i] = (uint32_t)n;
			colours -= need[i];
			classes--;
			again = true;
		}
	}
	*sharers = classes;
	return colours;
}

static void
draft_static(const struct mpc_layout *l, struct draft *d)
{
	uint32_t need[CLASSES] = { 0 }, sharers, at = 0, nth = 0;
	uint32_t equal = share_out(l, d, need, &sharers);

	for (uint32_t i = 0; i < l->n; i++) {
		uint64_t weight[COLOURS] = { 0 };
		uint32_t from, to;

		if (!l->class[i].used)
			continue;
		from = at + nth * equal / sharers;
		if (need[i] > 0)
			at += need[i];
		else
			nth++;
		to = at + nth * equal / sharers;
		for (uint32_t k = from; k < to || k == from; k++)
			weight[k] = d->there[k];
		divide(l->class[i].n, weight, l->colours, d->want[i]);
		draft_take(d, i, l->colours);
	}
}

/* Of the colours that are taken least: an eighth of them, or as many more as it needs. */
static void
draft_least(const struct mpc_layout *l, struct draft *d, uint32_t i)
{
	uint64_t weight[COLOURS] = { 0 }, room = 0;

	for (uint32_t n = 0; n < l->colours && (n < (l->colours + 7) / 8 || room < l->class[i].n);
		n++) {
		uint32_t best = COLOURS;

		/* Compared by what is taken of what is there. */
		for (uint32_t k = 0; k < l->colours; k++)
			if (weight[k] == 0 && d->there[k] > d->taken[k] &&
				(best == COLOURS ||
					d->taken[k] * d->there[best] <
						d->taken[best] * d->there[k]))
				best = k;
		if (best == COLOURS)
			break;
		weight[best] = d->there[best] - d->taken[best];
		room += weight[best];
	}
	if (room == 0)
		memcpy(weight, d->there, sizeof(weight)); /* which will be found to be too few */
	divide(l->class[i].n, weight, l->colours, d->want[i]);
}

static void
draft_plan(const struct mpc_layout *l, const struct mpc_plan_file *plan, struct draft *d)
{
	for (uint32_t i = 0; i < l->n; i++) {
		const struct mpc_plan_file_class *p = mpc_plan_file_find(plan, l->class[i].name);
		uint64_t weight[COLOURS];

		d->unplanned[i] = l->class[i].used && p == NULL;
		if (!l->class[i].used || p == NULL)
			continue;
		for (uint32_t k = 0; k < l->colours; k++)
			weight[k] = p->pages[k];
		divide(l->class[i].n, weight, l->colours, d->want[i]);
		draft_take(d, i, l->colours);
	}
	for (uint32_t i = 0; i < l->n; i++) {
		if (!d->unplanned[i])
			continue;
		draft_least(l, d, i);
		draft_take(d, i, l->colours);
	}
}

/* A class for which no place was found, or l->n. */
static uint32_t
draft_homeless(const struct mpc_layout *l, const struct draft *d)
{
	for (uint32_t i = 0; i < l->n; i++) {
		uint64_t n = 0;

		for (uint32_t k = 0; k < l->colours; k++)
			n += d->want[i][k];
		if (l->class[i].used && n != l->class[i].n)
			return i;
	}
	return l->n;
}

static int
draft_check(const struct mpc_layout *l, const struct draft *d, struct nfv_err *err)
{
	uint64_t there = mpc_arena_free(l->arena, MPC_ALL_COLOURS), taken = 0;
	uint32_t homeless = draft_homeless(l, d);

	if (homeless < l->n)
		return nfv_fail(err, ENOSPC,
			"the colours of %s have no pages; give `colour:` more `memory`",
			l->class[homeless].name);

	for (uint32_t k = 0; k < l->colours; k++) {
		uint32_t most = 0;

		taken += d->taken[k];
		there += d->there[k] - mpc_arena_free(l->arena, (mpc_colours)1 << k);
		if (d->taken[k] <= d->there[k])
			continue;
		for (uint32_t i = 0; i < l->n; i++)
			if (d->want[i][k] > d->want[most][k])
				most = i;
		return nfv_fail(err, ENOSPC,
			"colour %u has %" PRIu64 " pages, but %" PRIu64
			" are wanted, %u of them by %s; give `colour:` more `memory`",
			k, d->there[k], d->taken[k], d->want[most][k], l->class[most].name);
	}
	/* One page must be free for others to be exchanged through it. */
	return taken < there ?
		0 :
		nfv_fail(err, ENOSPC,
			"all pages are taken, so that none can move; give `colour:` more `memory`");
}

static int
check_plan(const struct mpc_layout *l, const struct mpc_plan_file *plan, struct nfv_err *err)
{
	if (plan->level == l->level && plan->colours == l->colours)
		return 0;
	return nfv_fail(err, EINVAL,
		"the plan is for %u colours of a level %u cache%s%s, and here are %u of level %u; "
		"make one for this machine",
		plan->colours, plan->level, plan->machine[0] != '\0' ? ", " : "", plan->machine,
		l->colours, l->level);
}

int
mpc_layout_set(struct mpc_layout *l, enum mpc_plan_arm arm, const struct mpc_plan_file *plan,
	struct nfv_err *err)
{
	struct draft *d;
	int rc = arm == MPC_PLAN_MCMF ? check_plan(l, plan, err) : 0;

	if (rc < 0)
		return rc;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	for (uint32_t k = 0; k < l->colours; k++)
		d->there[k] = mpc_arena_free(l->arena, (mpc_colours)1 << k);
	for (uint32_t i = 0; i < l->n; i++) {
		recount(l, &l->class[i]);
		for (uint32_t k = 0; l->class[i].used && k < l->colours; k++)
			d->there[k] += l->class[i].have[k];
	}
	if (arm == MPC_PLAN_MCMF)
		draft_plan(l, plan, d);
	else if (arm == MPC_PLAN_STATIC)
		draft_static(l, d);
	for (uint32_t i = 0; i < l->n && arm == MPC_PLAN_OFF; i++) {
		if (l->class[i].used)
			divide(l->class[i].n, d->there, l->colours, d->want[i]);
		draft_take(d, i, l->colours);
	}
	rc = draft_check(l, d, err);
	for (uint32_t i = 0; i < l->n && rc == 0; i++) {
		memcpy(l->class[i].want, d->want[i], sizeof(l->class[i].want));
		l->class[i].unplanned = d->unplanned[i];
		l->class[i].hand = 0;
	}
	free(d);
	return rc;
}

static uint32_t
left_of(const struct mpc_layout *l, const struct class *c)
{
	uint32_t n = c->colourless;

	for (uint32_t k = 0; k < l->colours && c->used; k++)
		if (c->have[k] > c->want[k])
			n += c->have[k] - c->want[k];
	return !c->used ? 0 : n > c->pending ? n : c->pending;
}

bool
mpc_layout_get(const struct mpc_layout *l, uint32_t i, struct mpc_layout_class *out)
{
	const struct class *c = &l->class[i];

	if (i >= l->n)
		return false;
	*out = (struct mpc_layout_class){ .name = c->name,
		.owner = c->owner,
		.pages = c->used ? c->n : 0,
		.left = left_of(l, c),
		.mover = c->mover.have != NULL,
		.unplanned = c->unplanned };
	memcpy(out->want, c->want, sizeof(out->want));
	memcpy(out->have, c->have, sizeof(out->have));
	return true;
}

uint32_t
mpc_layout_left(const struct mpc_layout *l)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n; i++)
		n += left_of(l, &l->class[i]);
	return n;
}

/* A colour of which it has too few, and of which there is a free page; COLOURS: none. */
static uint32_t
wanting(const struct mpc_layout *l, const struct class *c, uint32_t from)
{
	for (uint32_t i = 0; i < l->colours; i++) {
		uint32_t k = (from + i) % l->colours;

		if (c->have[k] < c->want[k] && mpc_arena_free(l->arena, (mpc_colours)1 << k) > 0)
			return k;
	}
	return COLOURS;
}

/* Whether some class lacks pages of this colour. */
static bool
sought(const struct mpc_layout *l, uint32_t colour)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->class[i].used && l->class[i].have[colour] < l->class[i].want[colour])
			return true;
	return false;
}

/* As a set. */
static mpc_colours
all_sought(const struct mpc_layout *l)
{
	mpc_colours set = 0;

	for (uint32_t k = 0; k < l->colours; k++)
		if (sought(l, k))
			set |= (mpc_colours)1 << k;
	return set;
}

/* Find the page at `at` another place, if it is where it should not be. */
static bool
move_one(struct mpc_layout *l, struct class *c, uint8_t **at, mpc_colours aside,
	struct mpc_move *out)
{
	uint16_t is = mpc_arena_colour(l->arena, *at), will;
	mpc_colours to = MPC_ALL_COLOURS; /* of those without a colour first */
	uint32_t k;

	if (is != MPC_NO_COLOUR && c->have[is] <= c->want[is])
		return false;
	k = wanting(l, c, is == MPC_NO_COLOUR ? 0 : is);
	if (k < COLOURS)
		to = (mpc_colours)1 << k;
	else if (is == MPC_NO_COLOUR || !(aside >> is & 1))
		return false;
	if (mpc_arena_take(l->arena, to, 1, &out->page, NULL) < 0)
		return false;
	out->at = at;
	if (is == MPC_NO_COLOUR)
		c->colourless--;
	else
		c->have[is]--;
	will = mpc_arena_colour(l->arena, out->page);
	if (will == MPC_NO_COLOUR)
		c->colourless++;
	else
		c->have[will]++;
	return true;
}

/* Up to `max` moves of a table. */
static uint32_t
find_moves(
	struct mpc_layout *l, struct class *c, mpc_colours aside, struct mpc_move *m, uint32_t max)
{
	uint32_t n = 0;

	if (left_of(l, c) == 0 || (aside == 0 && wanting(l, c, 0) == COLOURS))
		return 0;
	for (uint32_t seen = 0; seen < c->n && n < max; seen++) {
		if (c->hand >= c->n)
			c->hand = 0;
		n += move_one(l, c, &c->pages.page[c->hand++], aside, &m[n]);
	}
	return n;
}

/* One batch of a class; how many pages have moved. */
static uint32_t
step_class(struct mpc_layout *l, struct class *c, mpc_colours aside,
	void (*run)(void *owner, struct mpc_move *m, uint32_t n))
{
	struct mpc_move m[MPC_MOVES];
	uint32_t n, before = c->pending;

	if (!c->used)
		return 0;
	if (c->mover.have != NULL) {
		c->pending = c->mover.move(c->mover.arg, c->want, aside);
		recount(l, c);
		return before > c->pending ? before - c->pending : 0;
	}
	n = find_moves(l, c, aside, m, aside != 0 ? 1 : MPC_MOVES);
	if (n > 0 && run != NULL)
		run(c->owner, m, n);
	else
		mpc_move_all(m, n);
	for (uint32_t i = 0; i < n; i++)
		mpc_arena_give(l->arena, &m[i].page, 1);
	return n;
}

uint32_t
mpc_layout_step(struct mpc_layout *l, uint32_t batches,
	void (*run)(void *owner, struct mpc_move *m, uint32_t n))
{
	uint32_t left = mpc_layout_left(l);

	for (uint32_t b = 0; b < batches && left > 0; left = mpc_layout_left(l)) {
		uint32_t moved = 0;

		for (uint32_t i = 0; i < l->n; i++) {
			moved += step_class(l, &l->class[i], 0, run);
			b++;
		}
		/* All wait for each other: one page steps aside, and makes room. */
		for (uint32_t i = 0; i < l->n && moved == 0; i++)
			moved += step_class(l, &l->class[i], all_sought(l), run);
		if (moved == 0)
			break; /* they wait for packets to come home */
	}
	return mpc_layout_left(l);
}
