/**
 * @file
 * SipHash-2-4 (Aumasson, Bernstein: SipHash, a fast short-input PRF, 2012): a hash whose values
 * nobody can foretell without the key. In steps, because what is hashed lies in several places.
 */
#ifndef SIPHASH_H
#define SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t k[2];
};

struct siphash {
	uint64_t v[4];
	uint64_t tail; /* bytes that do not fill a word yet */
	uint64_t n;    /* bytes so far */
};

void siphash_init(struct siphash *h, const struct siphash_key *key);
void siphash_add(struct siphash *h, const void *data, size_t n);
uint64_t siphash_end(struct siphash *h);
/** Two words, the first as of siphash_end. */
void siphash_end2(struct siphash *h, uint64_t out[2]);

#endif
