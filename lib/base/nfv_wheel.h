/**
 * @file
 * Timers: a hierarchical timing wheel. A timer lies inside an item of the caller's array, or of the
 * caller's pages, and is named by the item's index, so a million of them cost 16 MB and no pointers.
 *
 * Time is cut into ticks, the largest power of two of TSC cycles below a millisecond. A timer never
 * expires before its time; it does so at the first nfv_wheel_advance in a later tick. Timers move from
 * coarse slots to fine ones a few at a time while the time before passes, so that no tick has to move
 * a whole slot of them. What one call does is bounded; what is left is done by the next.
 *
 * Ownership: items are the caller's; neither they nor the wheel may move, but a whole page of
 * items may be exchanged for a copy in its array between two calls (nfv_lender.h). Threads: one; nothing
 * allocates.
 */
#ifndef NFV_WHEEL_H
#define NFV_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nfv_pages.h"
#include "nfv_watch.h"

#define NFV_WHEEL_SLOTS  512u /* of a level: of one slot of the level above, and of the next */
#define NFV_WHEEL_LEVELS 3u
#define NFV_WHEEL_NONE   UINT32_MAX

/** All zero is a timer that is not running. */
struct nfv_wheel_timer {
	uint32_t next, prev; /* items; NFV_WHEEL_NONE: the end */
	uint32_t when;       /* tick, modulo 2^32 */
	uint16_t slot;       /* + 1; 0: not running */
	uint16_t spare;
};

struct nfv_wheel_slot {
	uint32_t head, n;
};

struct nfv_wheel {
	uint8_t *array;  /* items that lie together */
	uint8_t **chunk; /* where parts of them begin: &array, or pages */
	size_t stride, offset;
	uint32_t mask; /* items of a chunk, less one */
	uint8_t bits;  /* and as a power of two */
	uint64_t tick; /* everything before is done */
	uint32_t n;    /* running */
	uint8_t shift; /* cycles per tick, as a power of two */
	uint64_t full[NFV_WHEEL_SLOTS /
		64]; /* of the finest level: bits of the slots that are not empty */
	struct nfv_wheel_slot slot[NFV_WHEEL_LEVELS * NFV_WHEEL_SLOTS];
};

/** `items`: an array of things of `stride` bytes, each with a nfv_wheel_timer at `offset`. */
void nfv_wheel_init(struct nfv_wheel *w, void *items, size_t stride, size_t offset, uint64_t tsc_hz,
	uint64_t now);
/** The same for items in pages; `stride` is a power of two. */
void nfv_wheel_init_pages(struct nfv_wheel *w, const struct nfv_pages *pages, size_t stride,
	size_t offset, uint64_t tsc_hz, uint64_t now);

static inline struct nfv_wheel_timer *
nfv_wheel_timer(const struct nfv_wheel *w, uint32_t item)
{
	struct nfv_wheel_timer *t = (struct nfv_wheel_timer *)(void *)(w->chunk[item >> w->bits] +
		(item & w->mask) * w->stride + w->offset);

	nfv_watch(t, sizeof(*t));
	return t;
}

static inline bool
nfv_wheel_running(const struct nfv_wheel *w, uint32_t item)
{
	return nfv_wheel_timer(w, item)->slot != 0;
}

/** Start a timer, or give a running one another time. One that lies in the past expires with the next
 * nfv_wheel_advance; one farther away than 2^31 ticks (three weeks) expires then. */
void nfv_wheel_add(struct nfv_wheel *w, uint32_t item, uint64_t tsc);
/** Stop it, if it is running. */
void nfv_wheel_cancel(struct nfv_wheel *w, uint32_t item);

/**
 * Take up to `max` expired timers: their items are written to `out` and run no more. Fewer than `max`
 * does not mean that none are left: after a jump of time, moving timers has its bound as well, of four
 * for each of `max`. Go on calling; nfv_wheel_done tells if the wheel has come up to now.
 */
uint32_t nfv_wheel_advance(struct nfv_wheel *w, uint64_t now, uint32_t *out, uint32_t max);

static inline bool
nfv_wheel_done(const struct nfv_wheel *w, uint64_t now)
{
	return w->tick >= now >> w->shift && w->slot[w->tick % NFV_WHEEL_SLOTS].n == 0;
}

#endif
