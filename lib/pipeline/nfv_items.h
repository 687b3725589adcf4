/**
 * @file
 * What a stage keeps beside flows, written down while it works on: records of its own by number, of several
 * kinds (nfv_stage_ops.items). Whoever hands them over keeps a bit for each that has changed since it was
 * written, and goes round them; the stage sets the bits (nfv_item_touch).
 *
 * To whom they are written, through shared memory (lib/isolate/nfv_handover.h) or at once into another
 * version's state (nfv_change.h), is the caller's. Memory is taken by init alone. Threads: the stage's.
 */
#ifndef NFV_ITEMS_H
#define NFV_ITEMS_H

#include "nfv_stage.h"

struct nfv_items_out {
	const struct nfv_stage_ops *ops;
	void *state;
	struct nfv_items *items[NFV_ITEM_KINDS];
	uint64_t *changed[NFV_ITEM_KINDS], *sent[NFV_ITEM_KINDS]; /* a bit for each */
	uint32_t kinds, kind, word;                               /* where it is */
	uint8_t *room;                                            /* for one of them */
};

/** Take an item: false: there is no room now. `n` 0: it is no more. */
typedef bool nfv_item_take(void *arg, uint32_t kind, uint32_t i, const uint8_t *bytes, size_t n);

/** A stage without items, or that hands nothing over, is one of no kinds. -ENOMEM. */
int nfv_items_init(
	struct nfv_items_out *o, const struct nfv_stage_ops *ops, void *state, struct nfv_err *err);
void nfv_items_fini(struct nfv_items_out *o);

/** All have changed, and the stage tells from now on. */
void nfv_items_start(struct nfv_items_out *o);
/** It need not tell any more. */
void nfv_items_stop(struct nfv_items_out *o);
/** Write what has changed, of `budget` bytes and words of bits about. 1: it has been round; 0: there is more;
 * -EAGAIN: there was no room. */
int nfv_items_write(struct nfv_items_out *o, size_t budget, nfv_item_take *take, void *arg);
/** How many have changed, and how many have been written and are. */
uint32_t nfv_items_left(const struct nfv_items_out *o);
uint64_t nfv_items_sent(const struct nfv_items_out *o);

#endif
