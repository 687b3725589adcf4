#include <stdlib.h>
#include <sys/mman.h>

#include "nfv_pages.h"

/* Aligned to a huge page, so that the kernel can back it with whole ones. */
#define HUGE (2u << 20)

struct nfv_pages
nfv_pages_alloc(size_t n)
{
	size_t bytes = (n * NFV_PAGE + HUGE - 1) & ~(size_t)(HUGE - 1);
	struct nfv_pages p = { calloc(n, sizeof(*p.page)), n };
	uint8_t *m = NULL;

	if (p.page == NULL || n == 0)
		goto fail;
	m = mmap(NULL, bytes + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		goto fail;
	/* Cut the mapping to an aligned piece, so that page[0] and n are all there is to unmap. */
	size_t skip = (HUGE - (uintptr_t)m % HUGE) % HUGE;

	if (skip > 0)
		munmap(m, skip);
	if (skip < HUGE)
		munmap(m + skip + bytes, HUGE - skip);
	madvise(m + skip, bytes, MADV_HUGEPAGE); /* a wish; without it the pages are small ones */
	for (size_t i = 0; i < n; i++) {
		p.page[i] = m + skip + i * NFV_PAGE;
		*(volatile uint8_t *)p.page[i] = 0; /* now, not under the first packet */
	}
	return p;
fail:
	free(p.page);
	return (struct nfv_pages){ NULL, 0 };
}

void
nfv_pages_free(struct nfv_pages *p)
{
	if (p->page != NULL)
		munmap(p->page[0], (p->n * NFV_PAGE + HUGE - 1) & ~(size_t)(HUGE - 1));
	free(p->page);
	*p = (struct nfv_pages){ NULL, 0 };
}
