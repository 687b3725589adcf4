/**
 * @file
 * Pages that do not stay where they are: what a lender may do to them between two calls
 * (nfv_lender.h), done as often as a test likes. What was left is spoilt and given back, so that a
 * pointer into it is seen.
 */
#ifndef RESTLESS_H
#define RESTLESS_H

#include <stdlib.h>
#include <string.h>

#include "nfv_pages.h"

static inline uint8_t *
restless_page(const uint8_t *from)
{
	uint8_t *page = aligned_alloc(NFV_PAGE, NFV_PAGE);

	if (page == NULL)
		abort();
	if (from != NULL)
		memcpy(page, from, NFV_PAGE);
	else
		memset(page, 0, NFV_PAGE);
	return page;
}

/** As nfv_pages_alloc; back with restless_free, which accepts none. */
static inline struct nfv_pages
restless_alloc(size_t n)
{
	struct nfv_pages p = { calloc(n, sizeof(*p.page)), n };

	for (size_t i = 0; i < n; i++)
		p.page[i] = restless_page(NULL);
	return p;
}

static inline void
restless_move(struct nfv_pages *p, size_t i)
{
	uint8_t *old = p->page[i];

	p->page[i] = restless_page(old);
	memset(old, 0xdb, NFV_PAGE);
	free(old);
}

static inline void
restless_move_all(struct nfv_pages *p)
{
	for (size_t i = 0; i < p->n; i++)
		restless_move(p, i);
}

static inline void
restless_free(struct nfv_pages *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->page[i]);
	free(p->page);
	*p = (struct nfv_pages){ NULL, 0 };
}

#endif
