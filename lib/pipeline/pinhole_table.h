/** @file  The inside of a table of pinholes, for who changes it and for who finds in it. */
#ifndef PINHOLE_TABLE_H
#define PINHOLE_TABLE_H

#include <string.h>

#include "nfv_pinhole.h"
#include "nfv_watch.h"

#define NONE UINT32_MAX

/*
 * Pinholes of one key (several calls that announce the same port) lie in a ring behind one of them,
 * which alone is in its bucket's chain: so nobody makes chains long by announcing what others have.
 */
struct hole {
	struct nfv_pinhole key;
	uint32_t owner;
	uint32_t chain;      /* next key in the bucket; of a free one: the next free one */
	uint32_t next, prev; /* ring of one key */
	uint32_t of_owner;
};

#define HOLES  (NFV_PAGE / sizeof(struct hole))
#define OWNERS (NFV_PAGE / sizeof(struct nfv_pinhole_owner))
#define HEADS  (NFV_PAGE / sizeof(uint32_t))

_Static_assert(sizeof(struct hole) <= 64, "a pinhole fits a cache line");
_Static_assert(sizeof(struct hole) % sizeof(uint32_t) == 0, "a pinhole is read by words");
_Static_assert(
	sizeof(struct nfv_pinhole_owner) == 32, "a timer wheel in pages wants a power of two");

static inline struct hole *
hole_at(const struct nfv_pinholes *t, uint32_t i)
{
	struct hole *h = (struct hole *)(void *)t->hole_page[i / HOLES] + i % HOLES;

	nfv_watch(h, sizeof(*h));
	return h;
}

static inline struct nfv_pinhole_owner *
owner_at(const struct nfv_pinholes *t, uint32_t i)
{
	struct nfv_pinhole_owner *o =
		(struct nfv_pinhole_owner *)(void *)t->owner_page[i / OWNERS] + i % OWNERS;

	nfv_watch(o, sizeof(*o));
	return o;
}

/*
 * What others read while it is written. They may read what never was as a whole, and throw it away: the
 * count of changes tells them. Only the count has to be seen in order (a sequence lock's two fences).
 */
typedef uint32_t word __attribute__((may_alias));

static inline uint32_t
peek(const word *at)
{
	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

static inline void
poke(word *at, uint32_t v)
{
	__atomic_store_n(at, v, __ATOMIC_RELAXED);
}

static inline struct hole
peek_hole(const struct hole *h)
{
	uint32_t part[sizeof(*h) / sizeof(word)];
	struct hole out;

	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		part[i] = peek((const word *)(const void *)h + i);
	memcpy(&out, part, sizeof(out));
	return out;
}

static inline void
poke_hole(struct hole *h, const struct hole *v)
{
	uint32_t part[sizeof(*h) / sizeof(word)];

	memcpy(part, v, sizeof(part));
	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		poke((word *)(void *)h + i, part[i]);
}

/* Odd while something is being changed. */
static inline uint32_t *
changes(const struct nfv_pinholes *t)
{
	return (uint32_t *)(void *)t->base_page[0];
}

static inline uint32_t
index_of(uint64_t token)
{
	return ((uint32_t)(token >> 32) & 0xffffff) - 1;
}

static inline uint64_t
token_of(const struct nfv_pinholes *t, uint32_t i, uint32_t epoch)
{
	return (uint64_t)t->number << 56 | (uint64_t)(i + 1) << 32 | epoch;
}

static inline uint32_t *
head_of(const struct nfv_pinholes *t, const struct nfv_pinhole *k)
{
	uint64_t to[2], from[2], h;
	uint32_t i, *head;

	memcpy(to, k->to.b, sizeof(to));
	memcpy(from, k->from.b, sizeof(from));
	h = nfv_hash2(&t->key, to[0], to[1]);
	h = nfv_hash2_more(&t->key, h, from[0], from[1]);
	h = nfv_hash2_more(&t->key, h, (uint64_t)k->port << 8 | k->proto, k->from.family);
	i = (uint32_t)h & t->mask;
	head = (uint32_t *)(void *)t->head_page[i / HEADS] + i % HEADS;
	nfv_watch(head, sizeof(*head));
	return head;
}

static inline bool
same(const struct nfv_pinhole *a, const struct nfv_pinhole *b)
{
	return a->port == b->port && a->proto == b->proto && nfv_addr_eq(&a->to, &b->to) &&
		nfv_addr_eq(&a->from, &b->from);
}

/* Where in the pages is what. */
void pinhole_lay_out(struct nfv_pinholes *t, const struct nfv_pages *pages);

#endif
