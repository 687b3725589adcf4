/**
 * @file
 * Records of bytes from one process to another through memory they share, without trust: as nfv_ring.h, but
 * of any length.
 *
 * One writer, one reader; each keeps its own index in private memory and tells the other by the shared
 * words. A record is a word that says its type and length, and its bytes, rounded up to words. A pipe
 * may be used again with another reader: each use has a number that neither side has used before. The
 * writer begins at 0 and says the number; the reader waits for it, begins at 0 too, and says it back; until
 * then the writer takes the pipe to be unread. What is read is copied out once, then looked at.
 *
 * All zero to begin with. Threads: one at each end.
 */
#ifndef NFV_PIPE_H
#define NFV_PIPE_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NFV_PIPE_WORDS  32768u /* a power of two */
#define NFV_PIPE_RECORD 2048u  /* bytes of a record at most */

struct nfv_pipe {
	_Alignas(128) _Atomic uint32_t writer, prod;
	_Alignas(128) _Atomic uint32_t reader, cons;
	_Alignas(128) _Atomic uint64_t word[NFV_PIPE_WORDS];
};

/** One side's view; private. */
struct nfv_pipe_end {
	struct nfv_pipe *pipe;
	uint32_t use, mine;
	bool bad; /* the peer's index cannot be */
};

/** Writer: a new use, unequal to 0. */
static inline struct nfv_pipe_end
nfv_pipe_write(struct nfv_pipe *p, uint32_t use)
{
	atomic_store_explicit(&p->prod, 0, memory_order_relaxed);
	atomic_store_explicit(&p->writer, use, memory_order_release);
	return (struct nfv_pipe_end){ .pipe = p, .use = use };
}

/** Reader: whether that use has begun; then its end is ready. */
static inline bool
nfv_pipe_read(struct nfv_pipe *p, uint32_t use, struct nfv_pipe_end *out)
{
	if (atomic_load_explicit(&p->writer, memory_order_acquire) != use)
		return false;
	atomic_store_explicit(&p->cons, 0, memory_order_relaxed);
	atomic_store_explicit(&p->reader, use, memory_order_release);
	*out = (struct nfv_pipe_end){ .pipe = p, .use = use };
	return true;
}

/** Writer: words that are free. */
static inline uint32_t
nfv_pipe_room(struct nfv_pipe_end *e)
{
	uint32_t cons = 0, used;

	if (atomic_load_explicit(&e->pipe->reader, memory_order_acquire) == e->use)
		cons = atomic_load_explicit(&e->pipe->cons, memory_order_acquire);
	used = e->mine - cons;
	e->bad |= used > NFV_PIPE_WORDS;
	return e->bad ? 0 : NFV_PIPE_WORDS - used;
}

static inline uint32_t
nfv_pipe_words(size_t n)
{
	return 1 + (uint32_t)((n + 7) / 8);
}

static inline void
nfv_pipe_set(struct nfv_pipe_end *e, uint32_t i, uint64_t word)
{
	atomic_store_explicit(
		&e->pipe->word[(e->mine + i) & (NFV_PIPE_WORDS - 1)], word, memory_order_relaxed);
}

/** Writer: one record of two parts behind each other, of NFV_PIPE_RECORD bytes at most, the first of whole
 * words; false: no room. */
static inline bool
nfv_pipe_put(
	struct nfv_pipe_end *e, uint32_t type, const void *a, size_t n_a, const void *b, size_t n_b)
{
	uint32_t words = nfv_pipe_words(n_a + n_b), at = 0;

	if (nfv_pipe_room(e) < words)
		return false;
	nfv_pipe_set(e, at++, (uint64_t)type << 32 | (uint32_t)(n_a + n_b));
	for (int part = 0; part < 2; part++) {
		const uint8_t *from = part == 0 ? a : b;
		size_t n = part == 0 ? n_a : n_b;

		for (size_t i = 0; i < n; i += 8) {
			uint64_t word = 0;

			memcpy(&word, from + i, n - i < 8 ? n - i : 8);
			nfv_pipe_set(e, at++, word);
		}
	}
	e->mine += words;
	atomic_store_explicit(&e->pipe->prod, e->mine, memory_order_release);
	return true;
}

/** Reader: the next record into `to`, which has NFV_PIPE_RECORD bytes; how many it has. -EAGAIN: none yet;
 * -EPROTO: what is there is none. */
static inline int
nfv_pipe_get(struct nfv_pipe_end *e, uint32_t *type, uint8_t *to)
{
	struct nfv_pipe *p = e->pipe;
	uint32_t filled = atomic_load_explicit(&p->prod, memory_order_acquire) - e->mine, n;
	uint64_t head, word;

	if (filled == 0)
		return -EAGAIN;
	head = atomic_load_explicit(&p->word[e->mine & (NFV_PIPE_WORDS - 1)], memory_order_relaxed);
	n = (uint32_t)head;
	if (filled > NFV_PIPE_WORDS || n > NFV_PIPE_RECORD || nfv_pipe_words(n) > filled)
		return -EPROTO;
	for (uint32_t i = 0; i < n; i += 8) {
		word = atomic_load_explicit(&p->word[(e->mine + 1 + i / 8) & (NFV_PIPE_WORDS - 1)],
			memory_order_relaxed);
		memcpy(to + i, &word, n - i < 8 ? n - i : 8);
	}
	*type = (uint32_t)(head >> 32);
	e->mine += nfv_pipe_words(n);
	atomic_store_explicit(&p->cons, e->mine, memory_order_release);
	return (int)n;
}

#endif
