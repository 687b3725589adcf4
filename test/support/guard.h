/**
 * @file
 * Memory that ends, or begins, at a page without access: reading one byte too many crashes.
 */
#ifndef GUARD_H
#define GUARD_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define GUARD_ROOM (16u * 4096u)

struct guard {
	uint8_t *base; /* GUARD_ROOM usable bytes between two guard pages */
};

static inline struct guard
guard_new(void)
{
	uint8_t *m =
		mmap(NULL, GUARD_ROOM + 2 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED || mprotect(m + 4096, GUARD_ROOM, PROT_READ | PROT_WRITE) != 0)
		abort();
	return (struct guard){ m + 4096 };
}

/** A copy of `n` bytes whose end touches the guard page behind. */
static inline uint8_t *
guard_tail(const struct guard *g, const void *data, size_t n)
{
	uint8_t *at = g->base + GUARD_ROOM - n;

	if (n > 0)
		memcpy(at, data, n);
	return at;
}

static inline void
guard_free(struct guard *g)
{
	munmap(g->base - 4096, GUARD_ROOM + 2 * 4096);
}

#endif
