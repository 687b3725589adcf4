/*
 * Look-ups: three passes over the burst, each touching only what the pass before has prefetched:
 * hash and bucket, tag and record, key.
 */
#include <string.h>

#include "bucket.h"
#include "nfv_watch.h"

uint64_t
nfv_flow_hash(const struct nfv_flow_table *t, const struct nfv_flow_key *key)
{
	return hash_key(t, key, t->key_len);
}

static inline bool
same_key(const struct nfv_flow_key *a, const struct nfv_flow_key *b, unsigned int len)
{
	return memcmp(a, b, 16) == 0 &&
		(len == 16 || memcmp((const uint8_t *)a + 16, (const uint8_t *)b + 16, 24) == 0);
}

static inline struct nfv_flow *
search_bucket(const struct nfv_flow_table *t, const struct bucket *b, uint16_t tag,
	const struct nfv_flow_key *key, unsigned int len)
{
	for (unsigned int bits = match(b, tag); bits != 0; bits &= bits - 1) {
		uint32_t ref = b->ref[__builtin_ctz(bits)];
		struct nfv_flow *f = record_at(t, ref >> 1);

		if (same_key(key_at(t, f, ref & 1), key, len))
			return f;
	}
	return NULL;
}

static inline struct nfv_flow *
search(const struct nfv_flow_table *t, uint64_t hash, const struct nfv_flow_key *key,
	unsigned int len)
{
	uint32_t first = first_bucket(t, hash);
	const struct bucket *b = bucket_at(t, first);
	struct nfv_flow *f = search_bucket(t, b, tag_of(hash), key, len);

	if (f == NULL && b->overflow > 0)
		f = search_bucket(t, bucket_at(t, second_bucket(t, first, tag_of(hash))),
			tag_of(hash), key, len);
	return f;
}

struct nfv_flow *
nfv_flow_find1(struct nfv_flow_table *t, const struct nfv_flow_key *key, uint64_t hash)
{
	return search(t, hash, key, t->key_len);
}

/* Inlined twice, so that the key's length is a constant in each. */
static inline __attribute__((always_inline)) void
find(struct nfv_flow_table *t, const struct nfv_flow_key *key, uint64_t *hash,
	struct nfv_flow **flow, unsigned int n, unsigned int len)
{
	for (unsigned int i = 0; i < n; i++) {
		hash[i] = hash_key(t, &key[i], len);
		__builtin_prefetch(bucket_at(t, first_bucket(t, hash[i])));
	}
	for (unsigned int i = 0; i < n; i++) {
		const struct bucket *b = bucket_at(t, first_bucket(t, hash[i]));
		unsigned int bits = match(b, tag_of(hash[i]));

		if (bits != 0) {
			uint8_t *f = (uint8_t *)record_at(t, b->ref[__builtin_ctz(bits)] >> 1);

			__builtin_prefetch(f, 1);
			__builtin_prefetch(f + 64, 1);
			if (len > 16)
				__builtin_prefetch(f + 128, 1);
		}
	}
	for (unsigned int i = 0; i < n; i++)
		flow[i] = search(t, hash[i], &key[i], len);
}

/* Of a burst: the first buckets, and the records that were found, with their slots. */
static __attribute__((noinline, cold)) void
watch(const struct nfv_flow_table *t, const uint64_t *hash, struct nfv_flow *const *flow,
	unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		nfv_watch(bucket_at(t, first_bucket(t, hash[i])), sizeof(struct bucket));
		if (flow[i] != NULL)
			nfv_watch(flow[i], t->record_size);
	}
}

void
nfv_flow_find(struct nfv_flow_table *t, const struct nfv_flow_key *key, uint64_t *hash,
	struct nfv_flow **flow, unsigned int n)
{
	if (t->family == 4)
		find(t, key, hash, flow, n, 16);
	else
		find(t, key, hash, flow, n, sizeof(*key));
	if (nfv_watched())
		watch(t, hash, flow, n);
}
