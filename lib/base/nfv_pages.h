/**
 * @file
 * Memory as an array of 4 KiB pages that need not lie together. Tables that can live in such pages
 * can be laid out by whoever hands them out. Ownership: whoever made the array keeps it.
 */
#ifndef NFV_PAGES_H
#define NFV_PAGES_H

#include <stddef.h>
#include <stdint.h>

#define NFV_PAGE 4096u

struct nfv_pages {
	uint8_t **page; /* each NFV_PAGE bytes, aligned to its size, zeroed */
	size_t n;
};

/**
 * `n` zeroed pages that do lie together, in transparent huge pages where the kernel grants them,
 * touched by the calling thread and so local to it;
 * `page` is NULL if there is no memory. Give them back with nfv_pages_free.
 */
struct nfv_pages nfv_pages_alloc(size_t n);
void nfv_pages_free(struct nfv_pages *pages);

#endif
