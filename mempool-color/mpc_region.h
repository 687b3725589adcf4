/**
 * @file
 * Memory to be coloured: a stretch of pages, present, of one kind. Ownership: whoever creates it
 * destroys it. Threads: pages are local to the NUMA node of the thread that creates the region.
 */
#ifndef MPC_REGION_H
#define MPC_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mpc_cache.h"

enum mpc_page_kind {
	MPC_PAGES_ANY,  /* huge, else 4 KiB */
	MPC_PAGES_HUGE, /* 2 MiB pages of a sealed memfd: shareable, physically whole */
	MPC_PAGES_THP,  /* transparent huge pages: private */
	MPC_PAGES_4K,   /* 4 KiB pages of a sealed memfd: shareable */
};

struct mpc_region {
	uint8_t *base;  /* aligned to a huge page */
	size_t size;    /* bytes, a multiple of a huge page */
	uint32_t pages; /* of MPC_PAGE bytes */
	uint8_t **page; /* where each is */
	int fd;         /* the memfd, sealed against change of size; -1: private memory */
	uint8_t kind;   /* enum mpc_page_kind: what it came to be, never MPC_PAGES_ANY */
};

/** "huge", "thp", "4k". */
const char *mpc_page_kind_name(enum mpc_page_kind kind);

/**
 * `size` bytes, rounded up to huge pages, zeroed and faulted in. Errors: -EINVAL: no size; -ENOMEM:
 * not so many pages, with what to do in the sentence.
 */
int mpc_region_create(
	size_t size, enum mpc_page_kind kind, struct mpc_region *out, struct nfv_err *err);

/** Accepts a zeroed or half-made region. */
void mpc_region_destroy(struct mpc_region *r);

/** Frame numbers by /proc/self/pagemap, one a page; false where the kernel keeps them to itself. */
bool mpc_region_frames(const struct mpc_region *r, uint64_t *frame);

#endif
