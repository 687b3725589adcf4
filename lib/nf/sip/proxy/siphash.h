/**
 * @file
 * SipHash-1-3 (Aumasson, Bernstein: SipHash, a fast short-input PRF, 2012): a hash whose values
 * nobody can foretell without the key. In steps, because what is hashed lies in several places.
 *
 * One round a word and three at the end, where the paper's choice is two and four: no attack on the
 * shorter one is known that beats guessing, and what hangs on it here is not worth more than that. Tables
 * keep their values to themselves; branches and tags show 32 or 64 bits, of which a right guess
 * buys one response to be carried, to where the request came from.
 *
 * Threads: plain data.
 */
#ifndef SIPHASH_H
#define SIPHASH_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct siphash_key {
	uint64_t k[2];
};

struct siphash {
	uint64_t v[4];
	uint64_t tail; /* bytes that do not fill a word yet */
	uint64_t n;    /* bytes so far */
};

static inline uint64_t
siphash_rotl(uint64_t x, unsigned int n)
{
	return x << n | x >> (64 - n);
}

static inline void
siphash_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = siphash_rotl(v[1], 13) ^ v[0];
	v[3] = siphash_rotl(v[3], 16) ^ v[2];
	v[0] = siphash_rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = siphash_rotl(v[1], 17) ^ v[2];
	v[3] = siphash_rotl(v[3], 21) ^ v[0];
	v[2] = siphash_rotl(v[2], 32);
}

static inline void
siphash_word(struct siphash *h, uint64_t m)
{
	h->v[3] ^= m;
	siphash_round(h->v);
	h->v[0] ^= m;
}

static inline void
siphash_init(struct siphash *h, const struct siphash_key *key)
{
	h->v[0] = key->k[0] ^ 0x736f6d6570736575;
	h->v[1] = key->k[1] ^ 0x646f72616e646f6d;
	h->v[2] = key->k[0] ^ 0x6c7967656e657261;
	h->v[3] = key->k[1] ^ 0x7465646279746573;
	h->tail = h->n = 0;
}

/* The `n` <= 8 low bytes of `w` behind what is in the tail; its other bytes are zero. */
static inline void
siphash_push(struct siphash *h, uint64_t w, unsigned int n)
{
	unsigned int used = h->n % 8;

	h->n += n;
	if (used == 0 && n == 8) {
		siphash_word(h, w);
		return;
	}
	h->tail |= w << 8 * used;
	if (used + n < 8)
		return;
	siphash_word(h, h->tail);
	h->tail = used > 0 ? w >> (64 - 8 * used) : 0;
}

/* Eight bytes. */
static inline void
siphash_push8(struct siphash *h, const void *p)
{
	uint64_t w;

	memcpy(&w, p, 8);
	siphash_push(h, le64toh(w), 8);
}

/* The last n < 8 bytes before `end`, of which `all` may be read. */
static inline uint64_t
siphash_rest(const uint8_t *end, unsigned int n, size_t all)
{
	uint64_t w = 0;

	if (all >= 8) {
		memcpy(&w, end - 8, 8);
		return le64toh(w) >> (64 - 8 * n);
	}
	for (unsigned int i = 0; i < n; i++)
		w |= (uint64_t)end[(int)i - (int)n] << 8 * i;
	return w;
}

static inline void
siphash_add(struct siphash *h, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t all = n;

	for (; n >= 8; n -= 8, p += 8)
		siphash_push8(h, p);
	if (n > 0)
		siphash_push(h, siphash_rest(p + n, (unsigned int)n, all), (unsigned int)n);
}

static inline uint64_t
siphash_end(struct siphash *h)
{
	siphash_word(h, h->tail | h->n << 56);
	h->v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		siphash_round(h->v);
	return h->v[0] ^ h->v[1] ^ h->v[2] ^ h->v[3];
}

/** Two words. */
static inline void
siphash_end2(struct siphash *h, uint64_t out[2])
{
	out[0] = siphash_end(h);
	h->v[1] ^= 0xdd;
	for (int i = 0; i < 3; i++)
		siphash_round(h->v);
	out[1] = h->v[0] ^ h->v[1] ^ h->v[2] ^ h->v[3];
}

#endif
