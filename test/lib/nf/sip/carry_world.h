/**
 * @file
 * The SIP stage of call_world.h handed over to another version of itself, at once or while it works on. The
 * other one has another seed, so that what is keyed has to come with the rest. After call_world.h.
 */
#ifndef CARRY_WORLD_H
#define CARRY_WORLD_H

#include "nfv_items.h"

static void *heir;
static struct nfv_items_out giving;
static struct nfv_err carry_err;
static uint64_t items_refused;

/* Pinholes: none, a table for each version, as where it is isolated, or one for all, as in a chain. */
static enum { NO_HOLES, OWN_HOLES, SHARED_HOLES } with_holes;
static struct holes {
	struct nfv_pages pages;
	struct nfv_pinholes *table;
} holes_now, holes_heir;

static inline void
open_holes(struct holes *h)
{
	h->pages = nfv_pages_alloc(nfv_pinholes_pages(4096));
	assert_int_equal(nfv_pinholes_create(4096, &h->pages, NULL, 1, 1000000, burst.tsc,
				 &h->table, &carry_err),
		0);
}

static inline void
close_holes(struct holes *h)
{
	if (h->table != NULL)
		nfv_pinholes_destroy(h->table);
	nfv_pages_free(&h->pages);
	*h = (struct holes){ .table = NULL };
}

static inline void *
new_stage(bool succeeds, uint64_t seed)
{
	struct nfv_stage_ctx ctx;
	void *s = calloc(1, ops->state_size);

	world_ctx(&ctx);
	ctx.conf = conf_room;
	ctx.doc = doc;
	ctx.seed = seed;
	ctx.tsc = burst.tsc;
	ctx.succeeds = succeeds;
	if (with_holes != NO_HOLES && !succeeds)
		open_holes(&holes_now);
	/* Somebody has some already, by which a table is known to be shared. */
	if (with_holes == SHARED_HOLES && !succeeds)
		nfv_pinhole_owner(holes_now.table, 1000000, burst.tsc);
	if (with_holes == OWN_HOLES && succeeds)
		open_holes(&holes_heir);
	ctx.pinholes = with_holes == OWN_HOLES && succeeds ? holes_heir.table : holes_now.table;
	if (s == NULL || ops->init(s, &ctx, &carry_err) < 0)
		fail_msg("%s", carry_err.text);
	return s;
}

static inline bool
into_heir(void *arg, uint32_t kind, uint32_t i, const uint8_t *bytes, size_t n)
{
	(void)arg;
	items_refused += ops->import_item(heir, 1, kind, i, bytes, n) < 0;
	return true;
}

static inline int
into_heir_too(void *arg, const void *bytes, size_t n)
{
	(void)arg;
	assert_in_range(n, 1, NFV_CARRY_MAX);
	return ops->import(heir, 1, bytes, n);
}

/* Every record of one is the other's. */
static inline void
assert_same_state(void *a, void *b)
{
	static uint8_t is[NFV_ITEM_MAX], was[NFV_ITEM_MAX];
	const struct nfv_items *items;

	for (uint32_t k = 0; (items = ops->items(a, k)) != NULL; k++)
		for (uint32_t i = 0; i < items->n; i++) {
			size_t n = ops->export_item(a, k, i, was);

			/* In a table of its own an owner's time begins anew. */
			if (with_holes == OWN_HOLES && k == 2)
				continue;
			if (ops->export_item(b, k, i, is) != n || memcmp(is, was, n) != 0)
				fail_msg("kind %u: record %u of %zu bytes is another", k, i, n);
		}
}

static inline void
give_begin(void)
{
	heir = new_stage(true, 7 + burst.tsc);
	items_refused = 0;
	assert_int_equal(nfv_items_init(&giving, ops, stage, &carry_err), 0);
	nfv_items_start(&giving);
}

static inline void
give_some(size_t budget)
{
	nfv_items_write(&giving, budget, into_heir, NULL);
}

static inline void
give_last(void)
{
	const struct nfv_put to = { into_heir_too, NULL };

	nfv_items_stop(&giving);
	giving.kind = giving.word = 0;
	assert_int_equal(nfv_items_write(&giving, SIZE_MAX, into_heir, NULL), 1);
	assert_int_equal(items_refused, 0);
	assert_int_equal(ops->export_(stage, &to), 0);
	assert_int_equal(ops->import(heir, 1, NULL, 0), 0);
	assert_same_state(stage, heir);
	nfv_items_fini(&giving);
}

/* The heir works from now on, and the other one is gone. */
static inline void
give_end(void)
{
	uint32_t open;

	give_last();
	if (with_holes == OWN_HOLES) {
		assert_true(holes_now.table->stats.open <= holes_heir.table->stats.open);
		close_holes(&holes_now);
		holes_now = holes_heir;
	}
	open = holes_now.table != NULL ? holes_now.table->stats.open : 0;
	ops->fini(stage);
	free(stage);
	if (holes_now.table != NULL)
		assert_int_equal(holes_now.table->stats.open, open);
	stage = heir;
	heir = NULL;
}

static inline void
replace(void)
{
	give_begin();
	give_end();
}

#endif
