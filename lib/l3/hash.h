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
	uint64_t b = hash_fold(a, 0x8cb92ba72f3d8dd7);

	return (struct hash_key){ { a | 1ull << 63, b | 1ull << 62 } };
}

static inline uint64_t
hash_addr(const struct hash_key *key, const struct nfv_addr *a, uint8_t tweak)
{
	uint64_t w[2];

	memcpy(w, a->b, sizeof(w));
	return hash_fold(w[0] ^ key->k[0], w[1] ^ key->k[1] ^ tweak ^ (uint64_t)a->family << 8);
}

/*
 * Addresses are written and read here as two 64-bit words: a load that is wider than the stores
 * before it waits for them to reach the cache, and this happens several times a packet.
 */

static inline struct nfv_addr
addr_of4(uint32_t be)
{
	struct nfv_addr a = { .family = NFV_IPV4 };
	uint64_t w[2] = { 0, 0 };

	memcpy(w, &be, sizeof(be));
	memcpy(a.b, &w[0], 8);
	memcpy(a.b + 8, &w[1], 8);
	return a;
}

static inline struct nfv_addr
addr_of6(const uint8_t bytes[16])
{
	struct nfv_addr a = { .family = NFV_IPV6 };
	uint64_t w[2];

	memcpy(w, bytes, sizeof(w));
	memcpy(a.b, &w[0], 8);
	memcpy(a.b + 8, &w[1], 8);
	return a;
}

/** Byte for byte, as equal addresses are. */
static inline bool
addr_same(const struct nfv_addr *a, const struct nfv_addr *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a->b, sizeof(x));
	memcpy(y, b->b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0 && a->family == b->family;
}

#endif
