#include <errno.h>
#include <stdlib.h>

#include "nfv_hash.h"
#include "plan_pages.h"

#define FIRST 1024
#define BITS  64

static uint64_t
hash(uint32_t class, uint64_t page)
{
	return nfv_hash_mix(page ^ 0xd1b54a32d192ed03u, 0x9e3779b97f4a7c15u + 2ull * class);
}

/* Where it is, or would be. */
static struct plan_page *
slot(struct plan_page *at, uint64_t mask, uint32_t class, uint64_t page)
{
	uint64_t i = hash(class, page) & mask;

	while (at[i].class != 0 && (at[i].class != class + 1 || at[i].page != page))
		i = (i + 1) & mask;
	return &at[i];
}

static int
grow(struct plan_pages *p)
{
	uint64_t mask = p->at != NULL ? 2 * p->mask + 1 : FIRST - 1;
	struct plan_page *at = calloc(mask + 1, sizeof(*at));

	if (at == NULL)
		return -ENOMEM;
	for (uint64_t i = 0; p->at != NULL && i <= p->mask; i++)
		if (p->at[i].class != 0)
			*slot(at, mask, p->at[i].class - 1, p->at[i].page) = p->at[i];
	free(p->at);
	p->at = at;
	p->mask = mask;
	return 0;
}

int
plan_pages_add(struct plan_pages *p, uint32_t class, uint64_t page, uint32_t line)
{
	struct plan_page *to;

	if ((p->at == NULL || 2 * p->n > p->mask) && grow(p) < 0)
		return -ENOMEM;
	to = slot(p->at, p->mask, class, page);
	if (to->class == 0) {
		*to = (struct plan_page){ .page = page, .class = class + 1 };
		p->n++;
		p->of[class]++;
	}
	to->lines |= 1ull << line % BITS;
	return 0;
}

/* The places that lines have in their pages, counted as if all were used alike (Simpson's index). */
double
plan_pages_crowding(const struct plan_pages *p, uint32_t class, uint32_t lines)
{
	double at[BITS] = { 0 }, sum = 0, squares = 0;

	for (uint64_t i = 0; p->at != NULL && i <= p->mask; i++)
		for (uint64_t l = p->at[i].class == class + 1 ? p->at[i].lines : 0; l != 0;
			l &= l - 1)
			at[__builtin_ctzll(l)]++;
	for (int k = 0; k < BITS; k++) {
		sum += at[k];
		squares += at[k] * at[k];
	}
	return sum > 0 ? lines * squares / (sum * sum) : 1;
}

struct plan_page *
plan_pages_find(const struct plan_pages *p, uint32_t class, uint64_t page)
{
	struct plan_page *at = p->at != NULL ? slot(p->at, p->mask, class, page) : NULL;

	return at != NULL && at->class != 0 ? at : NULL;
}

/* Pages in an order of no meaning. */
struct order {
	uint64_t hash;
	struct plan_page *page;
};

static int
by_hash(const void *a, const void *b)
{
	uint64_t x = ((const struct order *)a)->hash, y = ((const struct order *)b)->hash;

	return (x > y) - (x < y);
}

int
plan_pages_lay(struct plan_pages *p, uint32_t class, enum mpc_plan_arm arm, const uint32_t *row,
	uint32_t sockets, uint32_t colours)
{
	struct order *list = malloc((p->of[class] + 1) * sizeof(*list));
	uint64_t n = 0, wanted = 0, below = 0;
	uint32_t place = 0;

	if (list == NULL)
		return -ENOMEM;
	for (uint64_t i = 0; p->at != NULL && i <= p->mask; i++)
		if (p->at[i].class == class + 1)
			list[n++] = (struct order){ hash(~class, p->at[i].page), &p->at[i] };
	qsort(list, n, sizeof(*list), by_hash);
	for (uint32_t k = 0; k < sockets * colours; k++)
		wanted += row[k];
	/* The k-th of n pages is the one at (k + 1/2) / n of those that the row counts. */
	for (uint64_t k = 0; k < n && wanted > 0; k++) {
		double at = ((double)k + 0.5) * (double)wanted / (double)n;

		while (place + 1 < sockets * colours && (double)(below + row[place]) <= at)
			below += row[place++];
		list[k].page->colour[arm] = (uint16_t)(place % colours);
	}
	free(list);
	return 0;
}

void
plan_pages_fini(struct plan_pages *p)
{
	free(p->at);
	*p = (struct plan_pages){ .n = 0 };
}
