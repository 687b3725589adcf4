/**
 * @file
 * Memory that grows by pieces and is given back all at once: what is compiled once and never
 * changes. Threads: one at a time.
 */
#ifndef STORE_H
#define STORE_H

#include "nfv_sv.h"

struct store;

/** NULL: no memory. */
struct store *store_create(void);
void store_destroy(struct store *s);
/** `n` zeroed bytes, aligned for anything; NULL: no memory. */
void *store_take(struct store *s, size_t n);
/** A copy with a NUL behind it; p == NULL: no memory. */
struct nfv_sv store_text(struct store *s, struct nfv_sv text);

#endif
