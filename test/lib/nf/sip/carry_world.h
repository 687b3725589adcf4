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
	give_last();
	ops->fini(stage);
	free(stage);
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
