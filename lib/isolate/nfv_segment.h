/**
 * @file
 * Memory that two processes share, so that neither can harm the other by it beyond its contents.
 *
 * A segment is a memfd whose size is sealed (F_SEAL_SHRINK, F_SEAL_GROW): nobody can truncate it
 * under the other's feet, which would be a SIGBUS there. Its pages are made at once
 * (MADV_POPULATE_WRITE), since pages that are promised and do not exist are a SIGBUS as well; here
 * they are a sentence. They are huge pages where there are any free, else small ones.
 *
 * Read-only for a peer is the kernel's business: the peer gets a descriptor opened for reading, of
 * which no writable mapping can be made, not by mprotect either; and where nobody but the creator
 * writes (nfv_segment_seal with `alone`), F_SEAL_FUTURE_WRITE sees to it that not even a descriptor
 * opened anew through /proc can write or be mapped for it.
 *
 * Ownership: create/attach own a mapping and a descriptor, both given back by fini. Threads: control.
 */
#ifndef NFV_SEGMENT_H
#define NFV_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nfv_err.h"

struct nfv_segment {
	uint8_t *at;
	size_t size; /* whole pages */
	size_t page; /* bytes of a page: 2 MiB where it is in huge ones */
	int fd;
};

/** A new one, zeroed, mapped for writing, at least `size` bytes; `huge`: in huge pages if possible. */
int nfv_segment_create(
	const char *name, size_t size, bool huge, struct nfv_segment *out, struct nfv_err *err);
/** The last word on its seals. `alone`: nobody else will ever write; the mapping there is remains. */
int nfv_segment_seal(struct nfv_segment *s, bool alone, struct nfv_err *err);
/** A descriptor of it for a peer, the caller's to close: for reading only, or for both. -errno. */
int nfv_segment_lend(const struct nfv_segment *s, bool writable, struct nfv_err *err);
/**
 * Map what a peer has lent. It must be a sealed memfd of `size` bytes, or more to the end of its
 * last page. Takes `fd`, unless it fails.
 */
int nfv_segment_attach(
	int fd, size_t size, bool writable, struct nfv_segment *out, struct nfv_err *err);
/** Unmap and close; harmless on one that is all zero or was given back. */
void nfv_segment_fini(struct nfv_segment *s);

#endif
