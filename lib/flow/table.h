/** @file  The inside of a flow table, shared by its sources. */
#ifndef TABLE_H
#define TABLE_H

#include "nfv_flow.h"
#include "nfv_hash.h"

#define NIL        UINT32_MAX
#define WAYS       8
#define WHEEL      512u        /* slots; 64 s of ticks, longer timers pass by more than once */
#define WHEEL_HEAD 0x80000000u /* in `prev`: first of wheel slot (prev & ~WHEEL_HEAD) */

struct bucket {
	uint16_t tag[WAYS]; /* 0: free */
	uint32_t ref[WAYS]; /* record index * 2 + which of its keys */
	uint16_t overflow;  /* keys whose first bucket this is, that went to their second */
	uint8_t pad[14];
};

_Static_assert(sizeof(struct bucket) == 64, "a bucket is a cache line");
_Static_assert(sizeof(struct nfv_flow) == 32, "head and two IPv4 keys share a cache line");

/* Beside the pages all that changes; made of the records again by nfv_flow_mend. */
struct heads {
	uint32_t free, hand;
	uint32_t tick; /* the wheel has been turned up to here */
	struct nfv_flow_stats stats;
	uint32_t wheel[WHEEL];
};

struct nfv_flow_table {
	struct heads *heads;
	const struct nfv_lender *lender;
	uint8_t **bucket_page, **record_page;
	uint32_t bucket_mask;
	uint32_t per_page;    /* records a page */
	uint32_t record_size; /* bytes, whole cache lines */
	uint32_t per_magic;   /* index / per_page as a multiplication */
	uint16_t key_len, slot_off;
	uint8_t family;
	struct nfv_hash_key hash_key;
	uint32_t max;
	struct nfv_flow_timeouts timeouts; /* ticks */
	void (*end)(void *arg, void *slots);
	void *arg;
};

/* Put a reference into the key's first bucket, or the second. -ENOSPC if both are full. */
int flow_insert(struct nfv_flow_table *t, uint64_t hash, uint32_t ref);
void flow_withdraw(struct nfv_flow_table *t, const struct nfv_flow_key *key, uint32_t ref);
/* Put a record on the wheel, at least one tick after `base`. */
void flow_arm(struct nfv_flow_table *t, struct nfv_flow *f, uint32_t base);

static inline struct bucket *
bucket_at(const struct nfv_flow_table *t, uint32_t i)
{
	return (struct bucket *)(t->bucket_page[i >> 6] + (size_t)(i & 63) * sizeof(struct bucket));
}

static inline struct nfv_flow *
record_at(const struct nfv_flow_table *t, uint32_t i)
{
	/* Exact for i < 2^26 and per_page <= 32: the error of the rounded-up reciprocal stays
	 * below 1 / per_page. */
	uint32_t page = (uint32_t)(((uint64_t)i * t->per_magic) >> 32);

	return (struct nfv_flow *)(t->record_page[page] +
		(size_t)(i - page * t->per_page) * t->record_size);
}

static inline struct nfv_flow_key *
key_at(const struct nfv_flow_table *t, const struct nfv_flow *f, unsigned int which)
{
	return (struct nfv_flow_key *)((uint8_t *)(uintptr_t)(f + 1) + (size_t)which * t->key_len);
}

#endif
