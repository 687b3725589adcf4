#include <stdlib.h>

#include "nfv_items.h"

static uint32_t
words_of(const struct nfv_items *items)
{
	return (items->n + 63) / 64;
}

int
nfv_items_init(
	struct nfv_items_out *o, const struct nfv_stage_ops *ops, void *state, struct nfv_err *err)
{
	struct nfv_items *items;

	*o = (struct nfv_items_out){ .ops = ops, .state = state };
	if (ops->items == NULL || ops->state_version == 0)
		return 0;
	o->room = malloc(NFV_ITEM_MAX);
	while (o->room != NULL && o->kinds < NFV_ITEM_KINDS &&
		(items = ops->items(state, o->kinds)) != NULL) {
		uint32_t k = o->kinds++;

		o->items[k] = items;
		o->changed[k] = calloc(words_of(items) + 1, 8);
		o->sent[k] = calloc(words_of(items) + 1, 8);
		if (o->changed[k] == NULL || o->sent[k] == NULL)
			goto fail;
	}
	if (o->room != NULL)
		return 0;
fail:
	nfv_items_fini(o);
	return nfv_fail(err, ENOMEM, "out of memory");
}

void
nfv_items_fini(struct nfv_items_out *o)
{
	for (uint32_t k = 0; k < NFV_ITEM_KINDS; k++) {
		free(o->changed[k]);
		free(o->sent[k]);
	}
	free(o->room);
	*o = (struct nfv_items_out){ .kinds = 0 };
}

void
nfv_items_start(struct nfv_items_out *o)
{
	for (uint32_t k = 0; k < o->kinds; k++) {
		uint32_t n = o->items[k]->n;

		memset(o->changed[k], 0xff, (size_t)words_of(o->items[k]) * 8);
		if (n % 64 != 0)
			o->changed[k][n / 64] = (1ull << n % 64) - 1;
		memset(o->sent[k], 0, (size_t)words_of(o->items[k]) * 8);
		o->items[k]->touched = o->changed[k];
	}
	o->kind = o->word = 0;
}

void
nfv_items_stop(struct nfv_items_out *o)
{
	for (uint32_t k = 0; k < o->kinds; k++)
		o->items[k]->touched = NULL;
}

/* Those of one word; the bytes they took, or -EAGAIN. */
static int64_t
write_word(struct nfv_items_out *o, nfv_item_take *take, void *arg)
{
	uint64_t *changed = &o->changed[o->kind][o->word], *sent = &o->sent[o->kind][o->word];
	int64_t total = 0;

	while (*changed != 0) {
		uint64_t bit = *changed & -*changed;
		uint32_t i = o->word * 64 + (uint32_t)__builtin_ctzll(bit);
		size_t n = o->ops->export_item(o->state, o->kind, i, o->room);

		/* What is not there, and was not, is nothing to tell. */
		if ((n > 0 || *sent & bit) && !take(arg, o->kind, i, o->room, n))
			return -EAGAIN;
		*changed &= ~bit;
		*sent = n > 0 ? *sent | bit : *sent & ~bit;
		total += (int64_t)n + 8;
	}
	return total;
}

int
nfv_items_write(struct nfv_items_out *o, size_t budget, nfv_item_take *take, void *arg)
{
	for (size_t spent = 0; o->kind < o->kinds; o->kind++, o->word = 0)
		for (; o->word < words_of(o->items[o->kind]); o->word++) {
			int64_t n;

			if (spent >= budget)
				return 0;
			n = write_word(o, take, arg);
			if (n < 0)
				return (int)n;
			spent += (size_t)n + 1;
		}
	o->kind = o->word = 0;
	return 1;
}

static uint64_t
count(const struct nfv_items_out *o, uint64_t *const bits[NFV_ITEM_KINDS])
{
	uint64_t n = 0;

	for (uint32_t k = 0; k < o->kinds; k++)
		for (uint32_t w = 0; w < words_of(o->items[k]); w++)
			n += (uint64_t)__builtin_popcountll(bits[k][w]);
	return n;
}

uint32_t
nfv_items_left(const struct nfv_items_out *o)
{
	return (uint32_t)count(o, o->changed);
}

uint64_t
nfv_items_sent(const struct nfv_items_out *o)
{
	return count(o, o->sent);
}
