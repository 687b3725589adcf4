/** @file  Addresses as keys of the neighbour cache and the table of own addresses. */
#ifndef HASH_H
#define HASH_H

#include <string.h>

#include "nfv_addr.h"
#include "nfv_hash.h"

static inline uint64_t
hash_addr(const struct nfv_hash_key *key, const struct nfv_addr *a, uint8_t tweak)
{
	uint64_t w[2];

	memcpy(w, a->b, sizeof(w));
	return nfv_hash2(key, w[0], w[1] ^ tweak ^ (uint64_t)a->family << 8);
}

#endif
