/**
 * @file
 * Rings of packet descriptors between two processes that share memory and do not trust each other.
 *
 * One producer, one consumer. Each side keeps its own index, and what it last read of the peer's, in
 * private memory (nfv_ring_end); the shared words only tell the peer. So whatever a peer writes into
 * the ring, the worst it can do is to tell a count that cannot be, which ends its use: `bad` is set
 * and the ring holds nothing and takes nothing from then on. Descriptors are copied out once, word
 * by word, before anything of them is looked at; what they say is for the reader to check.
 *
 * Packets go there and back through one ring: who has worked on some of them writes what has become of each over the
 * first word of its descriptor, and gives their places back, oldest first. So there is nothing to say of which
 * packet it is about, and nothing to be said wrong.
 *
 * A descriptor names a buffer by its index in a shared pool, and the packet in it. The pool and the
 * ring hold no pointers: both sides map them where they like. libc only.
 *
 * Threads: one at each end. The ring's memory is the manager's (nfv_segment.h).
 */
#ifndef NFV_RING_H
#define NFV_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NFV_RING_MAX   65536u
#define NFV_DESC_WORDS 3

enum nfv_desc_kind {
	NFV_DESC_PACKET, /* handed over, and given back in its place */
	NFV_DESC_EMPTY,  /* an empty buffer for what the stage originates */
	NFV_DESC_ORIGIN, /* such a buffer, filled; they are filled in the order they were given */
	NFV_DESC_KINDS
};

struct nfv_desc {
	/* The word of which a packet comes back. */
	uint16_t off, len; /* of the packet in the buffer */
	uint16_t flags;    /* struct nfv_pkt's; on the way back NFV_PKT_OWN alone */
	uint8_t verdict;   /* enum nfv_verdict */
	uint8_t kind;      /* enum nfv_desc_kind; of no meaning on the way back */
	/* The others: struct nfv_pkt's, but for the first and `dir`. */
	uint32_t index; /* of the buffer in the pool */
	uint32_t hash;
	uint16_t l3, l4;
	uint8_t family, proto;
	uint8_t dir;   /* enum nfv_dir */
	uint8_t depth; /* struct nfv_pkt's; on the way back of an origin's */
};
_Static_assert(sizeof(struct nfv_desc) == 8 * NFV_DESC_WORDS, "copied in words");
_Static_assert(offsetof(struct nfv_desc, index) == 8, "what comes back is one word");

/** In shared memory; all zero to begin with. The indices run freely and are masked on use. */
struct nfv_ring {
	_Alignas(128) _Atomic uint32_t prod;
	_Alignas(128) _Atomic uint32_t cons;
	_Alignas(128) _Atomic uint64_t desc[][NFV_DESC_WORDS];
};

/** One side's view; private. */
struct nfv_ring_end {
	struct nfv_ring *ring;
	uint32_t size; /* a power of two */
	uint32_t mine, other;
	bool bad; /* the peer's index cannot be */
};

static inline size_t
nfv_ring_bytes(uint32_t size)
{
	return sizeof(struct nfv_ring) + (size_t)size * sizeof(struct nfv_desc);
}

/** Look at a new ring, from either side. `size` comes from the configuration, not from the ring. */
static inline struct nfv_ring_end
nfv_ring_end(void *memory, uint32_t size)
{
	return (struct nfv_ring_end){ .ring = memory, .size = size };
}

/** Producer: how many of `want` there is room for. */
static inline uint32_t
nfv_ring_room(struct nfv_ring_end *e, uint32_t want)
{
	uint32_t used = e->mine - e->other;

	if (e->size - used < want && !e->bad) {
		e->other = atomic_load_explicit(&e->ring->cons, memory_order_acquire);
		used = e->mine - e->other;
		e->bad = used > e->size;
	}
	if (__builtin_expect(e->bad, 0))
		return 0;
	return e->size - used < want ? e->size - used : want;
}

/** Producer: write the i-th behind those published; nfv_ring_room() has said that there is room. */
static inline void
nfv_ring_write(struct nfv_ring_end *e, uint32_t i, const struct nfv_desc *d)
{
	_Atomic uint64_t *to = e->ring->desc[(e->mine + i) & (e->size - 1)];
	uint64_t word[NFV_DESC_WORDS];

	memcpy(word, d, sizeof(word));
	for (int w = 0; w < NFV_DESC_WORDS; w++)
		atomic_store_explicit(&to[w], word[w], memory_order_relaxed);
}

/** Producer: the peer may have `n` more. */
static inline void
nfv_ring_publish(struct nfv_ring_end *e, uint32_t n)
{
	e->mine += n;
	atomic_store_explicit(&e->ring->prod, e->mine, memory_order_release);
}

/** Consumer: how many of `want` there are. */
static inline uint32_t
nfv_ring_filled(struct nfv_ring_end *e, uint32_t want)
{
	uint32_t n = e->other - e->mine;

	if (n < want && !e->bad) {
		e->other = atomic_load_explicit(&e->ring->prod, memory_order_acquire);
		n = e->other - e->mine;
		e->bad = n > e->size;
	}
	if (__builtin_expect(e->bad, 0))
		return 0;
	return n < want ? n : want;
}

/** Consumer: a copy of the i-th; nfv_ring_filled() has said that it is there. */
static inline struct nfv_desc
nfv_ring_read(const struct nfv_ring_end *e, uint32_t i)
{
	const _Atomic uint64_t *from = e->ring->desc[(e->mine + i) & (e->size - 1)];
	uint64_t word[NFV_DESC_WORDS];
	struct nfv_desc d;

	for (int w = 0; w < NFV_DESC_WORDS; w++)
		word[w] = atomic_load_explicit(&from[w], memory_order_relaxed);
	memcpy(&d, word, sizeof(d));
	return d;
}

/** Consumer: the peer may have the places of `n` again. */
static inline void
nfv_ring_release(struct nfv_ring_end *e, uint32_t n)
{
	e->mine += n;
	atomic_store_explicit(&e->ring->cons, e->mine, memory_order_release);
}

/** Consumer: what has become of the i-th, before its place is released. */
static inline void
nfv_ring_answer(struct nfv_ring_end *e, uint32_t i, const struct nfv_desc *d)
{
	uint64_t word;

	memcpy(&word, d, sizeof(word));
	atomic_store_explicit(
		&e->ring->desc[(e->mine + i) & (e->size - 1)][0], word, memory_order_relaxed);
}

/** Producer of a ring with answers, which nobody asks for room: of those from `from` on how many of `want` have
 * been answered. Its owner puts nothing where he has not taken the answer yet. */
static inline uint32_t
nfv_ring_answered(struct nfv_ring_end *e, uint32_t from, uint32_t want)
{
	uint32_t n = e->other - from;

	if (n < want && !e->bad) {
		e->other = atomic_load_explicit(&e->ring->cons, memory_order_acquire);
		n = e->other - from;
		e->bad = n > e->mine - from;
	}
	if (__builtin_expect(e->bad, 0))
		return 0;
	return n < want ? n : want;
}

/** Producer: one answer; only its first word is one. */
static inline struct nfv_desc
nfv_ring_answer_at(const struct nfv_ring_end *e, uint32_t at)
{
	struct nfv_desc d = { .verdict = 0 };
	uint64_t word =
		atomic_load_explicit(&e->ring->desc[at & (e->size - 1)][0], memory_order_relaxed);

	memcpy(&d, &word, sizeof(word));
	return d;
}

/** Put up to `n` in; how many. */
static inline uint32_t
nfv_ring_put(struct nfv_ring_end *e, const struct nfv_desc *d, uint32_t n)
{
	n = nfv_ring_room(e, n);
	for (uint32_t i = 0; i < n; i++)
		nfv_ring_write(e, i, &d[i]);
	if (n > 0)
		nfv_ring_publish(e, n);
	return n;
}

/** Take up to `n` out; how many. */
static inline uint32_t
nfv_ring_get(struct nfv_ring_end *e, struct nfv_desc *d, uint32_t n)
{
	n = nfv_ring_filled(e, n);
	for (uint32_t i = 0; i < n; i++)
		d[i] = nfv_ring_read(e, i);
	if (n > 0)
		nfv_ring_release(e, n);
	return n;
}

#endif
