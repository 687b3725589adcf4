/**
 * @file
 * Who gives tables their pages. A table asks for an array of pages under a name for what it keeps
 * there, "flow4" or "sip.messages"; whoever stands behind the lender decides where they lie, and may
 * go on deciding: see below. Without a lender they are plain ones (nfv_pages.h).
 *
 * While an array is out, its lender may exchange a page of it for another with the same content:
 * on the borrower's thread, between two bursts or ticks. So a borrower keeps the array, never
 * another copy of its pointers, and no pointer into a page beyond the burst at hand. Other workers
 * that read the table find what they began to read where it was until their burst is over.
 *
 * What a table changes beside its pages, the heads of its lists, counters, it takes in one piece by
 * nfv_lender_alloc: that stays where it is, but may lie in memory that outlives the process. Whatever a
 * stage changes after init is in one of the two, in its state, or in its flows' slots; so who holds these
 * holds the stage (docs/containers.md).
 *
 * Ownership: pages belong to the lender and go back to it; the lender outlives what borrows of it.
 * Threads: take and give on whatever thread makes and destroys the table, one at a time.
 */
#ifndef NFV_LENDER_H
#define NFV_LENDER_H

#include <stdlib.h>
#include <string.h>

#include "nfv_pages.h"

struct nfv_lender {
	void *arg;
	/** `n` zeroed pages; `page` is NULL if there are none to be had. */
	struct nfv_pages (*take)(void *arg, const char *class_name, size_t n);
	/** Accepts an array of none. */
	void (*give)(void *arg, struct nfv_pages *pages);
	/** Zeroed memory in one piece, aligned to a cache line; NULL if there is none. Both may be NULL: the
	 * heap's. */
	void *(*alloc)(void *arg, size_t bytes);
	void (*free)(void *arg, void *piece);
};

/** NULL for `l`: plain pages. */
static inline struct nfv_pages
nfv_lender_take(const struct nfv_lender *l, const char *class_name, size_t n)
{
	return l != NULL ? l->take(l->arg, class_name, n) : nfv_pages_alloc(n);
}

static inline void
nfv_lender_give(const struct nfv_lender *l, struct nfv_pages *pages)
{
	if (l != NULL)
		l->give(l->arg, pages);
	else
		nfv_pages_free(pages);
}

/** Zeroed, or NULL. `l` may be NULL. */
static inline void *
nfv_lender_alloc(const struct nfv_lender *l, size_t bytes)
{
	enum { LINE = 64 };
	size_t n = (bytes + LINE - 1) / LINE * LINE;
	void *piece;

	if (l != NULL && l->alloc != NULL)
		return l->alloc(l->arg, bytes);
	piece = aligned_alloc(LINE, n);
	return piece != NULL ? memset(piece, 0, n) : NULL;
}

/** Takes NULL. */
static inline void
nfv_lender_free(const struct nfv_lender *l, void *piece)
{
	if (l != NULL && l->alloc != NULL)
		l->free(l->arg, piece);
	else
		free(piece);
}

#endif
