/**
 * @file
 * A small region with a made-up map: pages have random colours, every so many none.
 */
#ifndef MADE_UP_H
#define MADE_UP_H

#include <stdlib.h>

#include "mpc_arena.h"

#define CLASSES    32
#define COLOURLESS 17 /* one page of so many has no colour */

struct made_up {
	struct mpc_region region;
	struct mpc_map map;
	struct mpc_arena *arena;
};

static inline void
made_up_init(struct made_up *m, size_t size)
{
	uint32_t seed = 1;

	if (mpc_region_create(size, MPC_PAGES_4K, &m->region, NULL) < 0)
		abort();
	m->map = (struct mpc_map){ .pages = m->region.pages, .classes = CLASSES };
	m->map.colour = malloc(m->map.pages * sizeof(*m->map.colour));
	for (uint32_t i = 0; i < m->map.pages; i++) {
		seed = seed * 1664525u + 1013904223u;
		m->map.colour[i] =
			i % COLOURLESS == 0 ? MPC_NO_COLOUR : (uint16_t)((seed >> 16) % CLASSES);
	}
	if (mpc_arena_create(&m->region, &m->map, &m->arena, NULL) < 0)
		abort();
}

static inline void
made_up_fini(struct made_up *m)
{
	mpc_arena_destroy(m->arena);
	free(m->map.colour);
	mpc_region_destroy(&m->region);
}

/** Of the page that `at` lies in. */
static inline uint16_t
made_up_colour(const struct made_up *m, const void *at)
{
	return m->map.colour[(size_t)((const uint8_t *)at - m->region.base) / MPC_PAGE];
}

/** Pages of these colours that there are, free or not. */
static inline uint32_t
made_up_pages(const struct made_up *m, mpc_colours colours)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->map.pages; i++)
		n += m->map.colour[i] != MPC_NO_COLOUR && colours >> m->map.colour[i] & 1;
	return n;
}

#endif
