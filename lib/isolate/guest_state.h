/**
 * @file
 * What outlives an instance: the stage's state, its flow tables and all that it takes of its lender lie in
 * memory that the instances of a template share, at the same addresses in each, so that one goes on where
 * the one before it stopped. Only one at a time touches it: one that is live gives up its turn when it is
 * asked to (state_leave), or is dead for certain, as the manager knows, before the next begins.
 *
 * The template keeps an image of how it was at first. An instance that cannot go on with what it finds puts
 * that back; no other process has to do anything for it.
 *
 * Threads: none. take and give before the first fork only; afterwards nothing here allocates or calls the
 * system, but for state_own.
 */
#ifndef GUEST_STATE_H
#define GUEST_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "nfv_err.h"
#include "nfv_lender.h"

/* What somebody is at in the state; more than these is nonsense, found after a wild write. */
enum state_doing {
	STATE_NOTHING,
	STATE_CALL,   /* in the middle of a burst, a tick: whoever dies now leaves it torn */
	STATE_MEND,   /* it is being mended */
	STATE_AFRESH, /* it is being put back to how it was at first */
};

/* In the shared memory, too. */
struct state_head {
	_Atomic uint32_t doing;
	_Atomic uint32_t keeping; /* the stage's upkeep is at work */
	_Atomic uint32_t left;    /* the instance that has given up its turn of its own accord */
	uint64_t key_taken, idle;
};

struct state_region {
	uint8_t *at;
	size_t size;
	uint64_t *used; /* a bit for each page that is in the image */
	uint8_t *image; /* these, one behind the other */
	size_t n_used;
};

struct guest_state {
	struct nfv_lender lender;
	struct state_region *region;
	uint32_t n;
	bool kept; /* there is an image */
	struct state_head *head;
};

int state_init(struct guest_state *s, struct nfv_err *err);
void state_fini(struct guest_state *s);
/* The template is done with starting: note how all is. */
int state_keep(struct guest_state *s, struct nfv_err *err);
/* Back to how it was at first. */
void state_restore(const struct guest_state *s);
/* The template alone: what it has is its own from now on, as it was at first. False: it cannot be had. */
bool state_own(const struct guest_state *s);

/* The compiler is not to move anything of a call out of it. */
static inline void
state_begin(const struct guest_state *s)
{
	atomic_store_explicit(&s->head->doing, STATE_CALL, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

static inline void
state_end(const struct guest_state *s)
{
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&s->head->doing, STATE_NOTHING, memory_order_relaxed);
}

static inline void
state_leave(const struct guest_state *s, uint32_t serial)
{
	atomic_store_explicit(&s->head->left, serial, memory_order_release);
}

#endif
