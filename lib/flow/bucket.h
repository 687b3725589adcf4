/** @file  From key to hash, from hash to buckets and tag, from tag to places in a bucket. */
#ifndef BUCKET_H
#define BUCKET_H

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "table.h"

static inline uint64_t
hash_key(const struct nfv_flow_table *t, const struct nfv_flow_key *key, unsigned int len)
{
	uint64_t w[5], h;

	memcpy(w, key, len);
	h = nfv_hash2(&t->hash_key, w[0], w[1]);
	if (len > 16) {
		h = nfv_hash2_more(&t->hash_key, h, w[2], w[3]);
		h = nfv_hash2_more(&t->hash_key, h, w[4], 0);
	}
	return h;
}

/* 0 marks a free place, so no tag is 0. */
static inline uint16_t
tag_of(uint64_t hash)
{
	uint16_t tag = (uint16_t)(hash >> 48);

	return tag != 0 ? tag : 1;
}

static inline uint32_t
first_bucket(const struct nfv_flow_table *t, uint64_t hash)
{
	return (uint32_t)hash & t->bucket_mask;
}

static inline uint32_t
second_bucket(const struct nfv_flow_table *t, uint32_t first, uint16_t tag)
{
	return (first ^ (tag * 0x5bd1e995u) ^ 1) & t->bucket_mask;
}

/* A bit for each of the eight places whose tag is this one. */
static inline unsigned int
match(const struct bucket *b, uint16_t tag)
{
#if defined(__SSE2__)
	__m128i eq = _mm_cmpeq_epi16(
		_mm_load_si128((const __m128i *)b->tag), _mm_set1_epi16((short)tag));

	return (unsigned int)_mm_movemask_epi8(_mm_packs_epi16(eq, _mm_setzero_si128()));
#else
	unsigned int bits = 0;

	for (unsigned int i = 0; i < WAYS; i++)
		bits |= (unsigned int)(b->tag[i] == tag) << i;
	return bits;
#endif
}

#endif
