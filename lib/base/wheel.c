#include <string.h>

#include "nfv_wheel.h"

/*
 * Level 0 has a slot for each tick, level 1 for each block of 256 ticks, level 2 for each block of
 * 65536. A level holds what belongs to the current and to the next block of the level above: the next
 * block's timers can move down into it at any time during the current one, and are spread over it.
 */
#define BLOCK_BITS 8u
#define BLOCK      (1u << BLOCK_BITS)
#define FAR        INT32_MAX

_Static_assert(sizeof(struct nfv_wheel_timer) == 16, "a million timers are meant to be 16 MB");
_Static_assert(NFV_WHEEL_SLOTS == 2 * BLOCK, "a level is the current and the next block");

static inline uint64_t
block(uint64_t tick, unsigned int level)
{
	return tick >> BLOCK_BITS * level;
}

void
nfv_wheel_init(struct nfv_wheel *w, void *items, size_t stride, size_t offset, uint64_t tsc_hz,
	uint64_t now)
{
	memset(w, 0, sizeof(*w));
	w->array = items;
	w->chunk = &w->array;
	w->mask = INT32_MAX;
	w->bits = 31;
	w->stride = stride;
	w->offset = offset;
	while (2ull << w->shift <= tsc_hz / 1000)
		w->shift++;
	w->tick = now >> w->shift;
	for (unsigned int i = 0; i < NFV_WHEEL_LEVELS * NFV_WHEEL_SLOTS; i++)
		w->slot[i].head = NFV_WHEEL_NONE;
}

void
nfv_wheel_init_pages(struct nfv_wheel *w, const struct nfv_pages *pages, size_t stride,
	size_t offset, uint64_t tsc_hz, uint64_t now)
{
	nfv_wheel_init(w, NULL, stride, offset, tsc_hz, now);
	w->chunk = pages->page;
	w->bits = (uint8_t)__builtin_ctzll(NFV_PAGE / stride);
	w->mask = NFV_PAGE / (uint32_t)stride - 1;
}

/* The slot that a time not before the current tick belongs into. */
static unsigned int
place(const struct nfv_wheel *w, uint64_t when)
{
	unsigned int level = 0;
	uint64_t b;

	while (level < NFV_WHEEL_LEVELS - 1 &&
		block(when, level + 1) - block(w->tick, level + 1) > 1)
		level++;
	b = block(when, level);
	/* Beyond the last slot: it is looked at again when that one's turn has come. */
	if (b - block(w->tick, level) >= NFV_WHEEL_SLOTS)
		b = block(w->tick, level) + NFV_WHEEL_SLOTS - 1;
	return level * NFV_WHEEL_SLOTS + (unsigned int)(b % NFV_WHEEL_SLOTS);
}

static void
link_in(struct nfv_wheel *w, struct nfv_wheel_timer *t, uint32_t item, uint64_t when)
{
	unsigned int i = place(w, when);
	struct nfv_wheel_slot *s = &w->slot[i];

	t->when = (uint32_t)when;
	t->slot = (uint16_t)(i + 1);
	t->prev = NFV_WHEEL_NONE;
	t->next = s->head;
	if (s->head != NFV_WHEEL_NONE)
		nfv_wheel_timer(w, s->head)->prev = item;
	s->head = item;
	s->n++;
	if (i < NFV_WHEEL_SLOTS)
		w->full[i / 64] |= 1ull << i % 64;
}

static void
emptied(struct nfv_wheel *w, unsigned int slot)
{
	if (slot < NFV_WHEEL_SLOTS)
		w->full[slot / 64] &= ~(1ull << slot % 64);
}

void
nfv_wheel_cancel(struct nfv_wheel *w, uint32_t item)
{
	struct nfv_wheel_timer *t = nfv_wheel_timer(w, item);
	struct nfv_wheel_slot *s;

	if (t->slot == 0)
		return;
	s = &w->slot[t->slot - 1];
	if (t->prev != NFV_WHEEL_NONE)
		nfv_wheel_timer(w, t->prev)->next = t->next;
	else
		s->head = t->next;
	if (t->next != NFV_WHEEL_NONE)
		nfv_wheel_timer(w, t->next)->prev = t->prev;
	if (--s->n == 0)
		emptied(w, t->slot - 1u);
	t->slot = 0;
	w->n--;
}

void
nfv_wheel_add(struct nfv_wheel *w, uint32_t item, uint64_t tsc)
{
	uint64_t when = (tsc >> w->shift) + ((tsc & ((1ull << w->shift) - 1)) != 0);

	nfv_wheel_cancel(w, item);
	if (when < w->tick)
		when = w->tick;
	if (when - w->tick > FAR)
		when = w->tick + FAR;
	link_in(w, nfv_wheel_timer(w, item), item, when);
	w->n++;
}

/* Take up to `max` timers out of the current tick's slot. */
static uint32_t
expire(struct nfv_wheel *w, uint32_t *out, uint32_t max)
{
	unsigned int i = (unsigned int)(w->tick % NFV_WHEEL_SLOTS);
	struct nfv_wheel_slot *s = &w->slot[i];
	uint32_t item = s->head, n;

	for (n = 0; n < max && item != NFV_WHEEL_NONE; n++) {
		struct nfv_wheel_timer *t = nfv_wheel_timer(w, item);

		out[n] = item;
		t->slot = 0;
		item = t->next;
	}
	s->head = item;
	s->n -= n;
	w->n -= n;
	if (item != NFV_WHEEL_NONE)
		nfv_wheel_timer(w, item)->prev = NFV_WHEEL_NONE;
	else
		emptied(w, i);
	return n;
}

/* The next tick of this block that has timers; at most the block's last, or the next block's first
 * after that. */
static uint64_t
next_tick(const struct nfv_wheel *w)
{
	unsigned int at = (unsigned int)((w->tick + 1) % NFV_WHEEL_SLOTS);
	uint64_t last = w->tick | (BLOCK - 1), next = w->tick + 1;

	while (next < last) {
		uint64_t bits = w->full[at / 64] >> at % 64;
		unsigned int step = 64 - at % 64;

		if (bits != 0) {
			next += (unsigned int)__builtin_ctzll(bits);
			return next < last ? next : last;
		}
		next += step;
		at = (at + step) % NFV_WHEEL_SLOTS;
	}
	return w->tick == last ? last + 1 : last;
}

/* Move down as much of a level's next block as must be by the tick `until`, if the time that is left
 * shall have the rest in equal parts. False: the budget is used up. */
static bool
move_down(struct nfv_wheel *w, unsigned int level, uint64_t until, uint32_t *budget)
{
	uint64_t next = block(w->tick, level) + 1, start = next << BLOCK_BITS * level;
	struct nfv_wheel_slot *s =
		&w->slot[(uint64_t)level * NFV_WHEEL_SLOTS + next % NFV_WHEEL_SLOTS];
	uint64_t keep = s->n * (start - until) / (start - w->tick);

	while (s->n > keep) {
		uint32_t item = s->head;
		struct nfv_wheel_timer *t = nfv_wheel_timer(w, item);

		if (*budget == 0)
			return false;
		--*budget;
		s->head = t->next;
		s->n--;
		if (t->next != NFV_WHEEL_NONE)
			nfv_wheel_timer(w, t->next)->prev = NFV_WHEEL_NONE;
		link_in(w, t, item, w->tick + (t->when - (uint32_t)w->tick));
	}
	return true;
}

uint32_t
nfv_wheel_advance(struct nfv_wheel *w, uint64_t now, uint32_t *out, uint32_t max)
{
	uint64_t to = now >> w->shift;
	uint32_t n = 0, budget = 4 * max;

	for (;;) {
		uint64_t next;

		if (w->slot[w->tick % NFV_WHEEL_SLOTS].n > 0) {
			n += expire(w, out + n, max - n);
			if (n == max)
				return n;
		}
		if (w->tick >= to)
			return n;
		if (w->n == 0) {
			w->tick = to;
			return n;
		}
		next = next_tick(w);
		next = next < to ? next : to;
		for (unsigned int level = NFV_WHEEL_LEVELS; --level > 0;)
			if (!move_down(w, level, next, &budget))
				return n;
		w->tick = next;
	}
}
