/**
 * @file
 * Keyed hashes of a few words: whoever does not know the key cannot choose inputs that collide, as
 * far as that goes at a handful of cycles. A word is mixed in by one 64 × 64 bit multiplication
 * folded onto itself, the construction of wyhash. For tables; where an output is shown to others
 * (SIP branches), a pseudorandom function is needed instead. Threads: pure functions.
 */
#ifndef NFV_HASH_H
#define NFV_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct nfv_hash_key {
	uint64_t k[3];
};

static inline uint64_t
nfv_hash_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/** Three well-mixed words, none of them small, from one random one. */
static inline struct nfv_hash_key
nfv_hash_key(uint64_t seed)
{
	struct nfv_hash_key key;

	for (unsigned int i = 0; i < 3; i++) {
		seed = nfv_hash_mix(seed ^ 0x9e3779b97f4a7c15u, 0xd1b54a32d192ed03u + i);
		key.k[i] = seed | 1ull << 63;
	}
	return key;
}

/** Of two words. */
static inline uint64_t
nfv_hash2(const struct nfv_hash_key *key, uint64_t a, uint64_t b)
{
	uint64_t h = nfv_hash_mix(a ^ key->k[0], b ^ key->k[1]);

	return nfv_hash_mix(h ^ key->k[2], 0x9e3779b97f4a7c15u);
}

/** Of two words more, behind the hash of others. */
static inline uint64_t
nfv_hash2_more(const struct nfv_hash_key *key, uint64_t h, uint64_t a, uint64_t b)
{
	return nfv_hash_mix(nfv_hash_mix(a ^ key->k[1], b ^ h) ^ key->k[2], key->k[0]);
}

/** Of bytes. */
static inline uint64_t
nfv_hash_bytes(const struct nfv_hash_key *key, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint64_t h = key->k[0] ^ n, word;

	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&word, p, 8);
		h = nfv_hash_mix(h ^ word, key->k[1]);
	}
	word = 0;
	if (n > 0)
		memcpy(&word, p, n);
	return nfv_hash_mix(h ^ word, key->k[2]);
}

#endif
