#include <stdlib.h>
#include <string.h>

#include "mpc_arena.h"

#define COLOURS    64
#define COLOURLESS COLOURS /* the list of pages without a colour */

/* Pages of one colour: a stack of indices, those above `n` are handed out. */
struct stack {
	uint32_t *page;
	uint32_t n;
};

struct mpc_arena {
	const struct mpc_region *region;
	uint16_t *colour; /* per page: the stack it belongs on */
	uint8_t *taken;   /* per page */
	uint32_t *room;   /* of all stacks */
	struct stack stack[COLOURS + 1];
};

/* In random order, so that neighbours in a stack are none in memory: a prefetcher that crosses pages
 * would else bring in the wrong colours. */
static void
shuffle(uint32_t *v, uint32_t n)
{
	uint64_t x = 0x9e3779b97f4a7c15u;

	for (uint32_t i = n; i > 1; i--) {
		uint32_t j, y = v[i - 1];

		x = x * 6364136223846793005u + 1442695040888963407u;
		j = (uint32_t)((x >> 33) % i);
		v[i - 1] = v[j];
		v[j] = y;
	}
}

static void
fill(struct mpc_arena *a)
{
	uint32_t count[COLOURS + 1] = { 0 }, *room = a->room;

	for (uint32_t i = 0; i < a->region->pages; i++)
		count[a->colour[i]]++;
	for (unsigned int c = 0; c <= COLOURS; c++) {
		a->stack[c].page = room;
		room += count[c];
	}
	for (uint32_t i = 0; i < a->region->pages; i++) {
		struct stack *s = &a->stack[a->colour[i]];

		s->page[s->n++] = i;
	}
	for (unsigned int c = 0; c <= COLOURS; c++)
		shuffle(a->stack[c].page, a->stack[c].n);
}

/* Every page is of a colour the map has, or of none. */
static bool
sound(const struct mpc_map *map, uint32_t pages)
{
	if (map->pages != pages || map->classes > COLOURS)
		return false;
	for (uint32_t i = 0; i < pages; i++)
		if (map->colour[i] >= map->classes && map->colour[i] != MPC_NO_COLOUR)
			return false;
	return true;
}

int
mpc_arena_create(const struct mpc_region *region, const struct mpc_map *map, struct mpc_arena **out,
	struct nfv_err *err)
{
	struct mpc_arena *a;

	if (map != NULL && !sound(map, region->pages))
		return nfv_fail(err, EINVAL,
			"the map does not fit the region of %u pages: it tells of %u pages in %u "
			"colours (%d at most), or names others; measure the colours of this region",
			region->pages, map->pages, map->classes, COLOURS);
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		goto fail;
	a->region = region;
	a->colour = malloc(region->pages * sizeof(*a->colour));
	a->taken = calloc(region->pages, 1);
	a->room = malloc(region->pages * sizeof(*a->room));
	if (a->colour == NULL || a->taken == NULL || a->room == NULL)
		goto fail;
	for (uint32_t i = 0; i < region->pages; i++)
		a->colour[i] = map == NULL || map->colour[i] == MPC_NO_COLOUR ? COLOURLESS :
										map->colour[i];
	fill(a);
	*out = a;
	return 0;
fail:
	mpc_arena_destroy(a);
	return nfv_fail(err, ENOMEM, "out of memory");
}

void
mpc_arena_destroy(struct mpc_arena *a)
{
	if (a == NULL)
		return;
	free(a->colour);
	free(a->taken);
	free(a->room);
	free(a);
}

static bool
in(mpc_colours colours, unsigned int c)
{
	return c == COLOURLESS ? colours == MPC_ALL_COLOURS : colours >> c & 1;
}

uint32_t
mpc_arena_free(const struct mpc_arena *a, mpc_colours colours)
{
	uint32_t n = 0;

	for (unsigned int c = 0; c <= COLOURS; c++)
		if (in(colours, c))
			n += a->stack[c].n;
	return n;
}

static uint8_t *
pop(struct mpc_arena *a, unsigned int c)
{
	uint32_t page = a->stack[c].page[--a->stack[c].n];

	a->taken[page] = 1;
	return a->region->page[page];
}

int
mpc_arena_take(
	struct mpc_arena *a, mpc_colours colours, uint32_t n, uint8_t **page, struct nfv_err *err)
{
	uint32_t there = mpc_arena_free(a, colours), got = 0;

	if (there < n) {
		nfv_fail(err, ENOSPC,
			"%u pages of %u colours are wanted, %u are free; give a larger region", n,
			(unsigned int)__builtin_popcountll(colours), there);
		return -ENOSPC;
	}
	if (in(colours, COLOURLESS))
		while (got < n && a->stack[COLOURLESS].n > 0)
			page[got++] = pop(a, COLOURLESS);
	/* Round after round, so that every colour bears its share. */
	while (got < n)
		for (unsigned int c = 0; c < COLOURS && got < n; c++)
			if (in(colours, c) && a->stack[c].n > 0)
				page[got++] = pop(a, c);
	return 0;
}

static uint32_t
index_of(const struct mpc_arena *a, const uint8_t *page)
{
	return (uint32_t)((size_t)(page - a->region->base) / MPC_PAGE);
}

void
mpc_arena_give(struct mpc_arena *a, uint8_t *const *page, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = index_of(a, page[i]);
		struct stack *s = &a->stack[a->colour[k]];

		if (!a->taken[k])
			continue; /* given back before */
		a->taken[k] = 0;
		s->page[s->n++] = k;
	}
}

int
mpc_pages_take(struct mpc_arena *a, mpc_colours colours, uint32_t n, struct nfv_pages *out,
	struct nfv_err *err)
{
	uint8_t **page = calloc(n > 0 ? n : 1, sizeof(*page));
	int rc;

	if (page == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	rc = mpc_arena_take(a, colours, n, page, err);
	if (rc < 0) {
		free(page);
		return rc;
	}
	for (uint32_t i = 0; i < n; i++)
		memset(page[i], 0, MPC_PAGE);
	*out = (struct nfv_pages){ page, n };
	return 0;
}

void
mpc_pages_give(struct mpc_arena *a, struct nfv_pages *pages)
{
	mpc_arena_give(a, pages->page, (uint32_t)pages->n);
	free(pages->page);
	*pages = (struct nfv_pages){ NULL, 0 };
}

uint16_t
mpc_arena_colour(const struct mpc_arena *a, const uint8_t *page)
{
	uint16_t c = a->colour[index_of(a, page)];

	return c == COLOURLESS ? MPC_NO_COLOUR : c;
}

struct mpc_arena_usage
mpc_arena_usage(const struct mpc_arena *a)
{
	uint64_t unused = mpc_arena_free(a, MPC_ALL_COLOURS);
	struct mpc_arena_usage u = { .reserved = a->region->size };

	u.wasted = (uint64_t)a->stack[COLOURLESS].n * MPC_PAGE;
	u.free = unused * MPC_PAGE - u.wasted;
	u.used = u.reserved - unused * MPC_PAGE;
	return u;
}

const struct mpc_region *
mpc_arena_region(const struct mpc_arena *a)
{
	return a->region;
}
