/**
 * @file
 * A keyed hash of addresses: one 64 × 64 bit multiplication folded onto itself. Whoever does not
 * know the key cannot choose addresses that collide.
 */
#ifndef HASH_H
#define HASH_H

#include <string.h>

#include "nfv_addr.h"

struct hash_key {
	uint64_t k[2];
};

static inline uint64_t
hash_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/** Two well-mixed words, neither of them small, out of a seed. */
static inline struct hash_key
hash_key(uint64_t seed)
{
	uint64_t a = hash_fold(seed ^ 0x9e3779b97f4a7c15, 0xd1b54a32d192ed03);

	return (struct hash_key){ { a | 1ull << 63, hash_fold(a, 0x8cb92ba72f3d8dd7) | 1ull << 62 } };
}

static inline uint64_t
hash_addr(const struct hash_key *key, const struct nfv_addr *a, uint8_t tweak)
{
	uint64_t w[2];

	memcpy(w, a->b, sizeof(w));
	return hash_fold(w[0] ^ key->k[0], w[1] ^ key->k[1] ^ tweak ^ (uint64_t)a->family << 8);
}

/** Byte for byte, as equal addresses are. */
static inline bool
addr_same(const struct nfv_addr *a, const struct nfv_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0 && a->family == b->family;
}

#endif
