#include <math.h>
#include <stdlib.h>

#include "bench_layout.h"

#define RECEIVE_PAGES (WORK_RECEIVE * WORK_BUFFER / MPC_PAGE)

/* What is looked at for every packet: the table, and the buffers that packets are received in. */
static uint32_t
hot_pages(const struct bench_options *o)
{
	return o->table / MPC_PAGE + (o->table % MPC_PAGE > 0) + RECEIVE_PAGES;
}

static uint32_t
buffer_pages(uint32_t depth)
{
	return depth / 2 + depth % 2;
}

static uint32_t
deepest(const struct bench_options *o)
{
	uint32_t most = 0;

	for (unsigned int i = 0; i < o->depths; i++)
		most = o->depth[i] > most ? o->depth[i] : most;
	return most;
}

/* Pages a region needs for `n` of them to be of `k` colours: colours are not equally frequent. */
static uint64_t
pages_for(uint32_t n, uint32_t k, uint32_t colours)
{
	double each = (double)n / k;

	return (uint64_t)((each + 4 * sqrt(each) + 16) * colours);
}

uint64_t
bench_memory(const struct bench_options *o)
{
	uint32_t hot = hot_pages(o), buffers = buffer_pages(deepest(o)), colours = o->cache.colours;
	uint64_t need = pages_for(hot + buffers, colours, colours);

	for (unsigned int i = 0; i < o->shares; i++) {
		uint32_t k = o->share[i];
		uint64_t a, b;

		if (k == 0 || k >= colours)
			continue;
		a = pages_for(buffers, k, colours);
		b = pages_for(hot, colours - k, colours);
		need = a > need ? a : need;
		need = b > need ? b : need;
	}
	return need * MPC_PAGE;
}

/* Colours by the pages they have, most first: the buffers get those, as they need most. */
static void
rank_colours(const struct bench_options *o, uint16_t *fullest)
{
	for (uint16_t c = 0; c < o->map->classes; c++) {
		uint32_t pages = mpc_arena_free(o->arena, 1ull << c), at = c;

		while (at > 0 && mpc_arena_free(o->arena, 1ull << fullest[at - 1]) < pages) {
			fullest[at] = fullest[at - 1];
			at--;
		}
		fullest[at] = c;
	}
}

/* Another way to lay pages out is another entry here. */
unsigned int
layout_plans(const struct bench_options *o, enum bench_case which, struct plan plan[BENCH_ARMS])
{
	mpc_colours all = MPC_ALL_COLOURS >> (64 - o->map->classes);
	uint16_t fullest[64] = { 0 };
	unsigned int n = 0;

	plan[n++] = (struct plan){ .name = "off", .random = true };
	plan[n++] = (struct plan){ .name = "even", .table = all, .buffers = all };
	if (which == BENCH_RETENTION)
		plan[n++] = (struct plan){ .name = "nt", .random = true, .streaming = true };
	rank_colours(o, fullest);
	for (unsigned int i = 0; i < o->shares; i++) {
		struct plan p = { .name = "static", .colours = o->share[i] };

		for (uint32_t k = 0; k < p.colours; k++)
			p.buffers |= 1ull << fullest[k];
		p.table = all & ~p.buffers;
		plan[n++] = p;
	}
	return n;
}

int
layout_check(
	const struct bench_options *o, const struct plan *plan, unsigned int n, struct nfv_err *err)
{
	uint32_t hot = hot_pages(o), buffers = buffer_pages(deepest(o));
	uint32_t all = mpc_arena_free(o->arena, MPC_ALL_COLOURS);
	uint64_t need = (bench_memory(o) >> 20) + 1;

	for (unsigned int i = 0; i < n; i++) {
		const struct plan *p = &plan[i];
		uint32_t a = p->random ? all : mpc_arena_free(o->arena, p->buffers);
		uint32_t b = p->random ? all : mpc_arena_free(o->arena, p->table);

		if (p->colours > 0 && (a < buffers || b < hot))
			return nfv_fail(err, ENOSPC,
				"with %u of %u colours for the buffers, %u pages are free of the %u that these "
				"need, and %u of the %u that the table needs; give a region of %zu MiB, fewer "
				"buffers or other shares",
				p->colours, o->map->classes, a, buffers, b, hot, (size_t)need);
		if (p->colours == 0 && a < (uint64_t)hot + buffers)
			return nfv_fail(err, ENOSPC,
				"the table needs %u pages and the buffers %u, but only %u are free; give a region "
				"of %zu MiB, fewer buffers or a smaller table",
				hot, buffers, a, (size_t)need);
	}
	return 0;
}

int
layout_init(struct layout *l, const struct bench_options *o, struct nfv_err *err)
{
	*l = (struct layout){ .arena = o->arena, .random = o->seed };
	l->page = calloc(mpc_arena_region(o->arena)->pages, sizeof(*l->page));
	l->buffer = calloc((size_t)deepest(o) + 1, sizeof(*l->buffer)); /* never of nothing */
	if (l->page == NULL || l->buffer == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	return 0;
}

void
layout_fini(struct layout *l)
{
	free(l->page);
	free(l->buffer);
}

static uint32_t
below(struct layout *l, uint32_t n)
{
	l->random = l->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((l->random >> 32) * n >> 32);
}

/* The first `hot` pages of l->page are the table's and the receive buffers', the others the rotating
 * buffers'. What is free is shuffled before. */
static int
take_pages(
	struct layout *l, const struct plan *p, uint32_t hot, uint32_t buffers, struct nfv_err *err)
{
	uint32_t n = mpc_arena_free(l->arena, MPC_ALL_COLOURS);
	int rc = mpc_arena_take(l->arena, MPC_ALL_COLOURS, n, l->page, err);

	if (rc < 0)
		return rc;
	for (uint32_t i = n; i > 1; i--) {
		uint32_t k = below(l, i);
		uint8_t *x = l->page[i - 1];

		l->page[i - 1] = l->page[k];
		l->page[k] = x;
	}
	if (p->random) {
		mpc_arena_give(l->arena, l->page + hot + buffers, n - hot - buffers);
		return 0;
	}
	mpc_arena_give(l->arena, l->page, n);
	rc = mpc_arena_take(l->arena, p->table, hot, l->page, err);
	if (rc < 0)
		return rc;
	rc = mpc_arena_take(l->arena, p->buffers, buffers, l->page + hot, err);
	if (rc < 0)
		mpc_arena_give(l->arena, l->page, hot);
	return rc;
}

/*
 * A buffer starts somewhere in its half of a page, as those of a pool do whose size is no power of
 * two: else all first lines would meet in a few sets, and spare the others.
 */
static void
lay_buffers(struct layout *l, uint32_t lines, uint8_t **buffer, uint8_t *const *page, uint32_t n)
{
	uint32_t spare = WORK_BUFFER / WORK_LINE - lines + 1;

	for (uint32_t i = 0; i < n; i++)
		buffer[i] = page[i / 2] + (size_t)(i % 2) * WORK_BUFFER +
			(size_t)below(l, spare) * WORK_LINE;
}

int
layout_take(struct layout *l, const struct bench_options *o, const struct plan *p, uint32_t depth,
	struct nfv_err *err)
{
	uint32_t hot = hot_pages(o), buffers = buffer_pages(depth);
	int rc = take_pages(l, p, hot, buffers, err);

	if (rc < 0)
		return nfv_fail_in(err, rc, "%s", p->name);
	lay_buffers(l, o->lines, l->receive, l->page + hot - RECEIVE_PAGES, WORK_RECEIVE);
	lay_buffers(l, o->lines, l->buffer, l->page + hot, depth);
	l->taken = hot + buffers;
	return 0;
}

void
layout_give(struct layout *l)
{
	mpc_arena_give(l->arena, l->page, l->taken);
	l->taken = 0;
}
