/**
 * @file
 * Timers of calls: a hierarchical timing wheel. A timer lies inside an item of the caller's array
 * and is named by the item's index, so a million of them cost 16 MB and no pointers.
 *
 * Time is cut into ticks, the largest power of two of TSC cycles below a millisecond. A timer never
 * expires before its time; it does so at the first wheel_advance in a later tick. Timers move from
 * coarse slots to fine ones a few at a time while the time before passes, so that no tick has to move
 * a whole slot of them. What one call does is bounded; what is left is done by the next.
 *
 * Ownership: items are the caller's and must not move. Threads: one; nothing allocates.
 */
#ifndef WHEEL_H
#define WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEEL_SLOTS  512u /* of a level: of one slot of the level above, and of the next */
#define WHEEL_LEVELS 3u
#define WHEEL_NONE   UINT32_MAX

/** All zero is a timer that is not running. */
struct wheel_timer {
	uint32_t next, prev; /* items; WHEEL_NONE: the end */
	uint32_t when;       /* tick, modulo 2^32 */
	uint16_t slot;       /* + 1; 0: not running */
	uint16_t spare;
};

struct wheel_slot {
	uint32_t head, n;
};

struct wheel {
	char *timers; /* timer of item 0 */
	size_t stride;
	uint64_t tick; /* everything before is done */
	uint32_t n;    /* running */
	uint8_t shift; /* cycles per tick, as a power of two */
	uint64_t full[WHEEL_SLOTS /
		64]; /* of the finest level: bits of the slots that are not empty */
	struct wheel_slot slot[WHEEL_LEVELS * WHEEL_SLOTS];
};

/** `items`: an array of things of `stride` bytes, each with a wheel_timer at `offset`. */
void wheel_init(
	struct wheel *w, void *items, size_t stride, size_t offset, uint64_t tsc_hz, uint64_t now);

static inline struct wheel_timer *
wheel_timer(const struct wheel *w, uint32_t item)
{
	return (struct wheel_timer *)(void *)(w->timers + item * w->stride);
}

static inline bool
wheel_running(const struct wheel *w, uint32_t item)
{
	return wheel_timer(w, item)->slot != 0;
}

/** Start a timer, or give a running one another time. One that lies in the past expires with the next
 * wheel_advance; one farther away than 2^31 ticks (three weeks) expires then. */
void wheel_add(struct wheel *w, uint32_t item, uint64_t tsc);
/** Stop it, if it is running. */
void wheel_cancel(struct wheel *w, uint32_t item);

/**
 * Take up to `max` expired timers: their items are written to `out` and run no more. Fewer than `max`
 * does not mean that none are left: after a jump of time, moving timers has its bound as well, of four
 * for each of `max`. Go on calling; wheel_done tells if the wheel has come up to now.
 */
uint32_t wheel_advance(struct wheel *w, uint64_t now, uint32_t *out, uint32_t max);

static inline bool
wheel_done(const struct wheel *w, uint64_t now)
{
	return w->tick >= now >> w->shift && w->slot[w->tick % WHEEL_SLOTS].n == 0;
}

#endif
