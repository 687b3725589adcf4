/**
 * @file
 * The neighbour cache: which MAC address a next hop at a port has, and what waits for it.
 *
 * Bounded twice: at most `n` entries, of which at most NEIGH_WAITING are unresolved, each with room
 * for one waiting packet. What is new pushes out the oldest unresolved entry, and only where there
 * is none the settled one unused for longest, so that a scan of empty addresses cannot push out
 * neighbours that are in use. Unresolved and probed entries stand in a queue by the time their next
 * second is over; nothing else needs a timer, since reachability ends by looking at the clock.
 */
#ifndef NEIGH_H
#define NEIGH_H

#include <sys/queue.h>

#include "nfv_pkt.h"

#include "hash.h"

#define NEIGH_WAITING 256

#define NEIGH_TRIES       3   /* one a second (RFC 4861 §10: MAX_MULTICAST_SOLICIT) */
#define NEIGH_REACHABLE_S 30  /* REACHABLE_TIME of RFC 4861 §10 */
#define NEIGH_FORGET_S    600 /* unused for as long: not worth remembering */

enum neigh_state {
	NEIGH_FREE,
	NEIGH_INCOMPLETE,  /* asked, no answer yet */
	NEIGH_UNREACHABLE, /* asked in vain; remembered for a while, to tell senders at once */
	NEIGH_REACHABLE,   /* answered within the last NEIGH_REACHABLE_S */
	NEIGH_STALE,       /* known, but not confirmed lately: asked when next used */
	NEIGH_PROBE,       /* known, used and being asked */
	NEIGH_STATES
};

/** A packet copied aside. `pkt.data` points to `bytes`. */
struct neigh_wait {
	struct nfv_pkt pkt;
	uint8_t bytes[];
};

struct neigh {
	struct nfv_addr addr;
	uint8_t port, state, tries;
	uint8_t mac[6];
	uint32_t next; /* in its bucket: index + 1, 0 ends */
	uint64_t due;  /* REACHABLE: until; others: end of the current second of asking */
	uint64_t used; /* to the second */
	struct neigh_wait *wait;
	TAILQ_ENTRY(neigh) order; /* in the list of its kind */
	TAILQ_ENTRY(neigh) timer; /* in `asking`, for INCOMPLETE, UNREACHABLE and PROBE */
} __attribute__((aligned(64)));

TAILQ_HEAD(neigh_list, neigh);

struct neigh_cache {
	struct neigh *entry;
	uint32_t *bucket; /* index + 1 */
	uint64_t mask;
	struct nfv_hash_key key;
	uint64_t hz;
	uint32_t n;
	uint32_t n_unresolved, max_unresolved;
	/* free; INCOMPLETE and UNREACHABLE, oldest first; the others, least recently used first */
	struct neigh_list empty, unresolved, settled, asking;
	uint8_t *waits; /* max_unresolved of them, wait_size apart */
	size_t wait_size;
	struct neigh_wait *wait[NEIGH_WAITING]; /* stack of unused ones */
	uint32_t n_wait;
	uint64_t lost; /* waiting packets that left with their entry */
};

/** `frame` is the longest that can wait. Returns 0 or -ENOMEM. */
int neigh_init(
	struct neigh_cache *c, uint32_t n, size_t frame, uint64_t hz, uint64_t seed, int socket);
void neigh_fini(struct neigh_cache *c);

static inline uint64_t
neigh_hash(const struct neigh_cache *c, uint8_t port, const struct nfv_addr *a)
{
	return hash_addr(&c->key, a, port);
}

static inline void
neigh_prefetch(const struct neigh_cache *c, uint64_t hash)
{
	__builtin_prefetch(&c->bucket[hash & c->mask]);
}

static inline struct neigh *
neigh_find(const struct neigh_cache *c, uint64_t hash, uint8_t port, const struct nfv_addr *a)
{
	uint32_t i = c->bucket[hash & c->mask];

	while (i != 0) {
		struct neigh *e = &c->entry[i - 1];

		if (nfv_addr_eq(&e->addr, a) && e->port == port)
			return e;
		i = e->next;
	}
	return NULL;
}

static inline bool
neigh_is_settled(const struct neigh *e)
{
	return e->state >= NEIGH_REACHABLE;
}

/** We have asked, and wait for an answer or have just ceased to. */
static inline bool
neigh_is_asked(const struct neigh *e)
{
	return e->state == NEIGH_INCOMPLETE || e->state == NEIGH_UNREACHABLE ||
		e->state == NEIGH_PROBE;
}

/** A new entry, INCOMPLETE or (with `mac`) STALE, in place of another if need be. */
struct neigh *neigh_add(struct neigh_cache *c, uint8_t port, const struct nfv_addr *a,
	const uint8_t *mac, uint64_t now);
/** Forget an entry and what waits for it. */
void neigh_remove(struct neigh_cache *c, struct neigh *e);
/** Its MAC address is known, in `state` REACHABLE or STALE; a packet that waits goes on waiting. */
void neigh_settle(struct neigh_cache *c, struct neigh *e, const uint8_t mac[6],
	enum neigh_state state, uint64_t now);
/** It does not answer. */
void neigh_give_up(struct neigh_cache *c, struct neigh *e, uint64_t now);
/** A settled entry is to be asked again. */
void neigh_probe(struct neigh_cache *c, struct neigh *e, uint64_t now);
/** Another second of asking begins. */
void neigh_again(struct neigh_cache *c, struct neigh *e, uint64_t now);
/** The entry whose second was over first, if it is over; NULL otherwise. */
struct neigh *neigh_due(const struct neigh_cache *c, uint64_t now);
/** Forget one settled entry unused for NEIGH_FORGET_S, if there is one. */
void neigh_forget(struct neigh_cache *c, uint64_t now);
/** A settled entry is used. */
void neigh_touch(struct neigh_cache *c, struct neigh *e, uint64_t now);

/** Copy an IP packet aside for an unresolved entry; false: too long, or one waits already. */
bool neigh_wait(struct neigh_cache *c, struct neigh *e, const struct nfv_pkt *p);
/** Give the place of the waiting packet, if there is one, back. */
void neigh_wait_end(struct neigh_cache *c, struct neigh *e);

#endif
