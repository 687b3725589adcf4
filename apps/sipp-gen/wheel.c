#include <string.h>

#include "wheel.h"

/*
 * Level 0 has a slot for each tick, level 1 for each block of 256 ticks, level 2 for each block of
 * 65536. A level holds what belongs to the current and to the next block of the level above: the next
 * block's timers can move down into it at any time during the current one, and are spread over it.
 */
#define BLOCK_BITS 8u
#define BLOCK      (1u << BLOCK_BITS)
#define FAR        INT32_MAX

_Static_assert(sizeof(struct wheel_timer) == 16, "a million timers are meant to be 16 MB");
_Static_assert(WHEEL_SLOTS == 2 * BLOCK, "a level is the current and the next block");

static inline uint64_t
block(uint64_t tick, unsigned int level)
{
	return tick >> BLOCK_BITS * level;
}

void
wheel_init(
	struct wheel *w, void *items, size_t stride, size_t offset, uint64_t tsc_hz, uint64_t now)
{
	memset(w, 0, sizeof(*w));
	w->timers = (char *)items + offset;
	w->stride = stride;
	while (2ull << w->shift <= tsc_hz / 1000)
		w->shift++;
	w->tick = now >> w->shift;
	for (unsigned int i = 0; i < WHEEL_LEVELS * WHEEL_SLOTS; i++)
		w->slot[i].head = WHEEL_NONE;
}

/* The slot that a time not before the current tick belongs into. */
static unsigned int
place(const struct wheel *w, uint64_t when)
{
	unsigned int level = 0;
	uint64_t b;

	while (level < WHEEL_LEVELS - 1 && block(when, level + 1) - block(w->tick, level + 1) > 1)
		level++;
	b = block(when, level);
	/* Beyond the last slot: it is looked at again when that one's turn has come. */
	if (b - block(w->tick, level) >= WHEEL_SLOTS)
		b = block(w->tick, level) + WHEEL_SLOTS - 1;
	return level * WHEEL_SLOTS + (unsigned int)(b % WHEEL_SLOTS);
}

static void
link_in(struct wheel *w, struct wheel_timer *t, uint32_t item, uint64_t when)
{
	unsigned int i = place(w, when);
	struct wheel_slot *s = &w->slot[i];

	t->when = (uint32_t)when;
	t->slot = (uint16_t)(i + 1);
	t->prev = WHEEL_NONE;
	t->next = s->head;
	if (s->head != WHEEL_NONE)
		wheel_timer(w, s->head)->prev = item;
	s->head = item;
	s->n++;
	if (i < WHEEL_SLOTS)
		w->full[i / 64] |= 1ull << i % 64;
}

static void
emptied(struct wheel *w, unsigned int slot)
{
	if (slot < WHEEL_SLOTS)
		w->full[slot / 64] &= ~(1ull << slot % 64);
}

void
wheel_cancel(struct wheel *w, uint32_t item)
{
	struct wheel_timer *t = wheel_timer(w, item);
	struct wheel_slot *s;

	if (t->slot == 0)
		return;
	s = &w->slot[t->slot - 1];
	if (t->prev != WHEEL_NONE)
		wheel_timer(w, t->prev)->next = t->next;
	else
		s->head = t->next;
	if (t->next != WHEEL_NONE)
		wheel_timer(w, t->next)->prev = t->prev;
	if (--s->n == 0)
		emptied(w, t->slot - 1u);
	t->slot = 0;
	w->n--;
}

void
wheel_add(struct wheel *w, uint32_t item, uint64_t tsc)
{
	uint64_t when = (tsc >> w->shift) + ((tsc & ((1ull << w->shift) - 1)) != 0);

	wheel_cancel(w, item);
	if (when < w->tick)
		when = w->tick;
	if (when - w->tick > FAR)
		when = w->tick + FAR;
	link_in(w, wheel_timer(w, item), item, when);
	w->n++;
}

/* Take up to `max` timers out of the current tick's slot. */
static uint32_t
expire(struct wheel *w, uint32_t *out, uint32_t max)
{
	unsigned int i = (unsigned int)(w->tick % WHEEL_SLOTS);
	struct wheel_slot *s = &w->slot[i];
	uint32_t item = s->head, n;

	for (n = 0; n < max && item != WHEEL_NONE; n++) {
		struct wheel_timer *t = wheel_timer(w, item);

		out[n] = item;
		t->slot = 0;
		item = t->next;
	}
	s->head = item;
	s->n -= n;
	w->n -= n;
	if (item != WHEEL_NONE)
		wheel_timer(w, item)->prev = WHEEL_NONE;
	else
		emptied(w, i);
	return n;
}

/* The next tick of this block that has timers; at most the block's last, or the next block's first
 * after that. */
static uint64_t
next_tick(const struct wheel *w)
{
	unsigned int at = (unsigned int)((w->tick + 1) % WHEEL_SLOTS);
	uint64_t last = w->tick | (BLOCK - 1), next = w->tick + 1;

	while (next < last) {
		uint64_t bits = w->full[at / 64] >> at % 64;
		unsigned int step = 64 - at % 64;

		if (bits != 0) {
			next += (unsigned int)__builtin_ctzll(bits);
			return next < last ? next : last;
		}
		next += step;
		at = (at + step) % WHEEL_SLOTS;
	}
	return w->tick == last ? last + 1 : last;
}

/* Move down as much of a level's next block as must be by the tick `until`, if the time that is left
 * shall have the rest in equal parts. False: the budget is used up. */
static bool
move_down(struct wheel *w, unsigned int level, uint64_t until, uint32_t *budget)
{
	uint64_t next = block(w->tick, level) + 1, start = next << BLOCK_BITS * level;
	struct wheel_slot *s = &w->slot[(uint64_t)level * WHEEL_SLOTS + next % WHEEL_SLOTS];
	uint64_t keep = s->n * (start - until) / (start - w->tick);

	while (s->n > keep) {
		uint32_t item = s->head;
		struct wheel_timer *t = wheel_timer(w, item);

		if (*budget == 0)
			return false;
		--*budget;
		s->head = t->next;
		s->n--;
		if (t->next != WHEEL_NONE)
			wheel_timer(w, t->next)->prev = WHEEL_NONE;
		link_in(w, t, item, w->tick + (t->when - (uint32_t)w->tick));
	}
	return true;
}

uint32_t
wheel_advance(struct wheel *w, uint64_t now, uint32_t *out, uint32_t max)
{
	uint64_t to = now >> w->shift;
	uint32_t n = 0, budget = 4 * max;

	for (;;) {
		uint64_t next;

		if (w->slot[w->tick % WHEEL_SLOTS].n > 0) {
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
		for (unsigned int level = WHEEL_LEVELS; --level > 0;)
			if (!move_down(w, level, next, &budget))
				return n;
		w->tick = next;
	}
}
