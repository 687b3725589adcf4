/* How many pages of each class are wanted in each colour. */
#include <inttypes.h>

#include "layout.h"

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

int
draft_make(struct draft *d, const struct mpc_layout *l, enum mpc_plan_arm arm,
	const struct mpc_plan_file *plan, struct nfv_err *err)
{
	for (uint32_t k = 0; k < l->colours; k++) {
		d->there[k] = mpc_arena_free(l->arena, (mpc_colours)1 << k);
		for (uint32_t i = 0; i < l->n; i++)
			d->there[k] += l->class[i].used ? l->class[i].have[k] : 0;
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
	return draft_check(l, d, err);
}
