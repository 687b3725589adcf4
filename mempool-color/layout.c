#include <stdio.h>
#include <stdlib.h>

#include "layout.h"

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
recount(const struct mpc_layout *l, struct layout_class *c)
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

static struct layout_class *
find(struct mpc_layout *l, const char *name)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->class[i].used && strcmp(l->class[i].name, name) == 0)
			return &l->class[i];
	return NULL;
}

/* A place under this name, or the name with the first number behind it that is not there yet. */
static struct layout_class *
add(struct mpc_layout *l, const char *name, struct nfv_err *err)
{
	struct layout_class *c;
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
	*c = (struct layout_class){ .used = false };
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
	struct layout_class *c = add(l, name, err);
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
		struct layout_class *c = &l->class[i];

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
	struct layout_class *c = add(l, name, err);

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
	for (uint32_t i = 0; i < l->n; i++)
		recount(l, &l->class[i]);
	rc = draft_make(d, l, arm, plan, err);
	for (uint32_t i = 0; i < l->n && rc == 0; i++) {
		memcpy(l->class[i].want, d->want[i], sizeof(l->class[i].want));
		l->class[i].unplanned = d->unplanned[i];
		l->class[i].hand = 0;
	}
	free(d);
	return rc;
}

static uint32_t
left_of(const struct mpc_layout *l, const struct layout_class *c)
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
	const struct layout_class *c = &l->class[i];

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
wanting(const struct mpc_layout *l, const struct layout_class *c, uint32_t from)
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
move_one(struct mpc_layout *l, struct layout_class *c, uint8_t **at, mpc_colours aside,
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
find_moves(struct mpc_layout *l, struct layout_class *c, mpc_colours aside, struct mpc_move *m,
	uint32_t max)
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
step_class(struct mpc_layout *l, struct layout_class *c, mpc_colours aside,
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

		b++; /* whatever happens, it comes to an end */
		for (uint32_t i = 0; i < l->n; i++) {
			uint32_t n = step_class(l, &l->class[i], 0, run);

			moved += n;
			b += n > 0;
		}
		/* All wait for each other: one page steps aside, and makes room. */
		for (uint32_t i = 0; i < l->n && moved == 0; i++)
			moved += step_class(l, &l->class[i], all_sought(l), run);
		if (moved == 0)
			break; /* they wait for packets to come home */
	}
	return mpc_layout_left(l);
}
