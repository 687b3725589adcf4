/*
 * Look-ups: three passes over the burst, each touching only what the pass before has prefetched:
 * hash and bucket, tag and record, key.
 */
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "table.h"

/* One multiplication to 128 bits, both halves folded: with a secret seed, good against collisions
 * made on purpose; the construction is wyhash's. */
static inline uint64_t
mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t
hash_key(const struct nfv_flow_table *t, const struct nfv_flow_key *key, unsigned int len)
{
	uint64_t w[5];

	memcpy(w, key, len);
	uint64_t h = mix(w[0] ^ t->seed[0], w[1] ^ t->seed[1]);

	if (len > 16)
		h = mix(mix(w[2] ^ t->seed[1], w[3] ^ h) ^ t->seed[2], w[4] ^ t->seed[0]);
	return mix(h ^ t->seed[2], 0x9e3779b97f4a7c15u);
}

uint64_t
nfv_flow_hash(const struct nfv_flow_table *t, const struct nfv_flow_key *key)
{
	return hash_key(t, key, t->key_len);
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
	__m128i eq = _mm_cmpeq_epi16(_mm_load_si128((const __m128i *)b->tag),
		_mm_set1_epi16((short)tag));

	return (unsigned int)_mm_movemask_epi8(_mm_packs_epi16(eq, _mm_setzero_si128()));
#else
	unsigned int bits = 0;

	for (unsigned int i = 0; i < WAYS; i++)
		bits |= (unsigned int)(b->tag[i] == tag) << i;
	return bits;
#endif
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
search(const struct nfv_flow_table *t, uint64_t hash, const struct nfv_flow_key *key, unsigned int len)
{
	uint32_t first = first_bucket(t, hash);
	const struct bucket *b = bucket_at(t, first);
	struct nfv_flow *f = search_bucket(t, b, tag_of(hash), key, len);

	if (f == NULL && b->overflow > 0)
		f = search_bucket(t, bucket_at(t, second_bucket(t, first, tag_of(hash))), tag_of(hash),
			key, len);
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

void
nfv_flow_find(struct nfv_flow_table *t, const struct nfv_flow_key *key, uint64_t *hash,
	struct nfv_flow **flow, unsigned int n)
{
	if (t->family == 4)
		find(t, key, hash, flow, n, 16);
	else
		find(t, key, hash, flow, n, sizeof(*key));
}

/* Put a reference into the key's first bucket, or the second. -ENOSPC if both are full. */
static int
insert(struct nfv_flow_table *t, uint64_t hash, uint32_t ref)
{
	uint32_t first = first_bucket(t, hash);
	struct bucket *home = bucket_at(t, first), *b = home;
	uint16_t tag = tag_of(hash);
	unsigned int space = match(b, 0);

	if (space == 0) {
		b = bucket_at(t, second_bucket(t, first, tag));
		space = match(b, 0);
		if (space == 0 || b == home)
			return -ENOSPC;
		home->overflow++;
	}
	b->tag[__builtin_ctz(space)] = tag;
	b->ref[__builtin_ctz(space)] = ref;
	return 0;
}

static void
withdraw(struct nfv_flow_table *t, const struct nfv_flow_key *key, uint32_t ref)
{
	uint64_t hash = hash_key(t, key, t->key_len);
	uint32_t first = first_bucket(t, hash);
	struct bucket *home = bucket_at(t, first), *b = home;

	for (int round = 0; round < 2; round++) {
		for (unsigned int bits = match(b, tag_of(hash)); bits != 0; bits &= bits - 1) {
			unsigned int i = (unsigned int)__builtin_ctz(bits);

			if (b->ref[i] == ref) {
				b->tag[i] = 0;
				if (round == 1)
					home->overflow--;
				return;
			}
		}
		b = bucket_at(t, second_bucket(t, first, tag_of(hash)));
	}
}

/* The wheel. A record waits in the slot of its deadline, or as far ahead as the wheel reaches; at
 * least one tick after `base`, whose slot is being emptied or has been. */
static void
arm(struct nfv_flow_table *t, struct nfv_flow *f, uint32_t base)
{
	int32_t wait = (int32_t)(f->last + f->timeout - base);
	uint32_t slot;

	wait = wait < 1 ? 1 : wait > (int32_t)WHEEL - 1 ? (int32_t)WHEEL - 1 : wait;
	slot = (base + (uint32_t)wait) % WHEEL;
	f->next = t->wheel[slot];
	f->prev = slot | WHEEL_HEAD;
	if (f->next != NIL)
		record_at(t, f->next)->prev = f->index;
	t->wheel[slot] = f->index;
}

static void
disarm(struct nfv_flow_table *t, struct nfv_flow *f)
{
	if (f->prev & WHEEL_HEAD)
		t->wheel[f->prev & ~WHEEL_HEAD] = f->next;
	else
		record_at(t, f->prev)->next = f->next;
	if (f->next != NIL)
		record_at(t, f->next)->prev = f->prev;
}

void
nfv_flow_del(struct nfv_flow_table *t, struct nfv_flow *f)
{
	if (t->end != NULL)
		t->end(t->arg, f);
	withdraw(t, key_at(t, f, 0), f->index * 2);
	if (f->flags & NFV_FLOW_ALIASED)
		withdraw(t, key_at(t, f, 1), f->index * 2 + 1);
	disarm(t, f);
	f->flags = 0;
	f->next = t->free;
	t->free = f->index;
	t->stats.live--;
}

/*
 * Make room: among the next records under the clock's hand, the one unused for longest that never
 * got an answer or is closing. Records used in this tick stay: a burst may hold on to them.
 */
static void
evict(struct nfv_flow_table *t, uint32_t now)
{
	enum { LOOK = 16 };
	struct nfv_flow *victim = NULL;

	for (int i = 0; i < LOOK; i++) {
		struct nfv_flow *f = record_at(t, t->hand);

		t->hand = t->hand + 1 < t->max ? t->hand + 1 : 0;
		if (!(f->flags & NFV_FLOW_LIVE) || f->state == NFV_FLOW_OPEN || f->last == now)
			continue;
		if (victim == NULL || now - f->last > now - victim->last)
			victim = f;
	}
	if (victim != NULL) {
		nfv_flow_del(t, victim);
		t->stats.evicted++;
	}
}

struct nfv_flow *
nfv_flow_add(struct nfv_flow_table *t, const struct nfv_flow_key *key, uint64_t hash, uint32_t now)
{
	struct nfv_flow *f;

	if (t->free == NIL)
		evict(t, now);
	if (t->free == NIL) {
		t->stats.refused++;
		return NULL;
	}
	f = record_at(t, t->free);
	if (insert(t, hash, f->index * 2) < 0) {
		t->stats.refused++;
		return NULL;
	}
	t->free = f->next;
	*f = (struct nfv_flow){ .index = f->index,
		.last = now,
		.timeout = t->timeouts.tcp,
		.dir = key->dir,
		.flags = NFV_FLOW_LIVE };
	memcpy(key_at(t, f, 0), key, t->key_len);
	memset(nfv_flow_slot(t, f), 0, t->record_size - t->slot_off);
	arm(t, f, t->tick);
	t->stats.added++;
	t->stats.live++;
	return f;
}

int
nfv_flow_alias(struct nfv_flow_table *t, struct nfv_flow *f, const struct nfv_flow_key *key)
{
	uint64_t hash = hash_key(t, key, t->key_len);
	int rc;

	if (f->flags & NFV_FLOW_ALIASED || search(t, hash, key, t->key_len) != NULL)
		return -EEXIST;
	rc = insert(t, hash, f->index * 2 + 1);
	if (rc < 0)
		return rc;
	memcpy(key_at(t, f, 1), key, t->key_len);
	f->flags |= NFV_FLOW_ALIASED;
	return 0;
}

void
nfv_flow_expire(struct nfv_flow_table *t, uint32_t now, unsigned int budget)
{
	/* After a long pause one whole turn meets every record. */
	if ((int32_t)(now - t->tick) > (int32_t)WHEEL)
		t->tick = now - WHEEL;
	while ((int32_t)(now - t->tick) > 0) {
		uint32_t due = t->tick + 1, *head = &t->wheel[due % WHEEL];

		for (; *head != NIL; budget--) {
			struct nfv_flow *f = record_at(t, *head);

			if (budget == 0)
				return;
			if ((int32_t)(f->last + f->timeout - due) <= 0) {
				nfv_flow_del(t, f);
				t->stats.expired++;
			} else {
				disarm(t, f);
				arm(t, f, due);
			}
		}
		t->tick = due;
	}
}
