/**
 * @file
 * Pinholes: which flows may begin, beyond what rules say, because a stage has read that they are to
 * come (media announced in SDP); and when they end.
 *
 * A chain with a stage that opens pinholes (nfv_stage_ops.pinholes) has one table of them; every stage
 * finds it in its nfv_stage_ctx. The opener takes an owner for each call and opens pinholes under it:
 * (protocol, destination address and port, and who may send there). The firewall asks once for the
 * first packet of a flow that no rule knows, and keeps the owner's token with the flow; for later
 * packets it asks only whether the owner is still there, one word that the packets of a call share.
 * Closing the owner closes its pinholes and ends every flow that they let in: its next packet is judged
 * anew. So pinholes of a call are replaced (after a re-INVITE) by closing its owner and taking another
 * one: a flow that is announced still passes without a gap.
 *
 * An owner lives `idle` seconds beyond its last use: nfv_pinhole_refresh, or a packet of a flow. So one
 * that was forgotten, since the end of its call was lost, closes by itself when media end, and a call
 * whose signalling is silent for hours stays up. How long a call may last at all is its opener's to say.
 * Several owners may hold the same pinhole; it is there until the last of them has gone.
 *
 * Addresses are those that the firewall sees, and it sees the inside's own: outward, a packet passes
 * it before the NAT, inward behind the NAT (`stages: [firewall, nat, sip]`, inside first). So the
 * private address that a telephone writes into its SDP is the right one for a pinhole; that nobody
 * outside can send there is another matter, for which the SIP stage has its relay
 * (lib/nf/sip/relay.h): media then go to and from the chain's own addresses, and the pinholes are
 * those between the telephone's SDP address and the relay's port.
 *
 * A chain that is spread over workers has a table for each of its shards, written by that shard's stages
 * alone, and all of them in a set: the firewall of every shard finds the pinholes of all, and keeps their
 * owners in use, while their writers go on. It takes no lock: a table counts its changes, at their begin
 * and at their end, and who has looked meanwhile looks again, a bounded number of times.
 *
 * All memory lies in the given pages; opening, closing, finding take constant time. Hashes are keyed.
 * Threads: opening, closing, refreshing, expiring: one owner, that of the shard; finding and holding, and
 * reading statistics: any, beside it. libc only.
 */
#ifndef NFV_PINHOLE_H
#define NFV_PINHOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "nfv_addr.h"
#include "nfv_err.h"
#include "nfv_hash.h"
#include "nfv_lender.h"
#include "nfv_wheel.h"

#define NFV_PINHOLES_PER_OWNER 128u
#define NFV_PINHOLE_TABLES     64u /* of a set */

struct nfv_pinhole {
	struct nfv_addr to, from; /* from: NFV_NO_ADDR for anybody */
	uint16_t port;            /* of `to`, host order */
	uint8_t proto;
};

struct nfv_pinhole_stats {
	uint64_t opened, closed; /* pinholes */
	uint64_t refused;        /* no room for a pinhole or an owner */
	uint64_t expired;        /* owners that nobody closed */
	uint32_t open, owners, max;
};

/** Of an owner; the rest of it is the table's. */
struct nfv_pinhole_owner {
	uint32_t epoch; /* changes with its end, so that old tokens are told */
	uint32_t first; /* of its pinholes; of a free one: the next free one */
	uint32_t idle;  /* seconds */
	uint16_t n;
	bool live;
	struct nfv_wheel_timer timer;
};

/** Something that an opener has done. */
struct nfv_pinhole_deed {
	enum nfv_pinhole_what {
		NFV_PINHOLE_TAKEN, /* an owner */
		NFV_PINHOLE_OPENED,
		NFV_PINHOLE_REFRESHED,
		NFV_PINHOLE_CLOSED,
	} what;
	uint32_t idle; /* of an owner that is taken */
	uint64_t owner;
	struct nfv_pinhole hole; /* that is opened */
};

/** Who repeats elsewhere what is done to a table, and hears of it in the order it is done. */
struct nfv_pinhole_ear {
	void (*told)(void *arg, const struct nfv_pinhole_deed *deed);
	void *arg;
};

struct nfv_pinholes {
	uint32_t number; /* in its set; part of tokens */
	uint8_t **hole_page, **owner_page, **head_page, **base_page;
	uint8_t *marks; /* of each owner: used since its timer was set */
	uint8_t *own_marks;
	uint32_t n_owners, free_hole, free_owner, mask;
	uint64_t tsc_hz;
	struct nfv_hash_key key;
	struct nfv_pages owner_pages;
	struct nfv_pinhole_stats stats;
	struct nfv_wheel wheel;
	const struct nfv_pinhole_ear *ear; /* NULL, as it is made: nobody */
	const struct nfv_lender *lender;
};

/** The tables of a chain, by shard; where one is missing there is NULL. They outlive the set's use. */
struct nfv_pinhole_set {
	struct nfv_pinholes *table[NFV_PINHOLE_TABLES];
	uint32_t n;
};

/** Pages that a table of at most `max` pinholes and half as many owners needs. */
size_t nfv_pinholes_pages(uint32_t max);
/** The pages are zeroed and stay the caller's, for as long as the table lives; `lender`: of what else it
 * changes, NULL: the heap. Errors: -EINVAL (max is 0 or past 2^24), -ENOMEM. */
int nfv_pinholes_create(uint32_t max, const struct nfv_pages *pages,
	const struct nfv_lender *lender, uint64_t seed, uint64_t tsc_hz, uint64_t now,
	struct nfv_pinholes **out, struct nfv_err *err);
void nfv_pinholes_destroy(struct nfv_pinholes *t);

/* For who lets flows in from another process. All that it reads lies in the table's pages, which it needs for
 * reading alone; all that it writes in marks, a byte for each owner, which can do no more than keep an owner alive. */

/** Marks are to lie in `marks`, all zero, of nfv_pinholes_owners(max) bytes; before the first owner. */
void nfv_pinholes_mark_in(struct nfv_pinholes *t, uint8_t *marks);
uint32_t nfv_pinholes_owners(uint32_t max);
/** A table that is somebody else's, by its max, key and number: to find and to hold, nothing else. */
int nfv_pinholes_view(const struct nfv_pinholes *like, const struct nfv_pages *pages,
	uint8_t *marks, struct nfv_pinholes **out, struct nfv_err *err);

/* For who opens. All take 0, the token of nobody. */

/** A new owner's token, which begins with the table's number; 0 if there is no room, which is counted. */
uint64_t nfv_pinhole_owner(struct nfv_pinholes *t, uint32_t idle, uint64_t now);
/** Open one. The same one twice is one. -ESTALE: the owner has gone; -ENOSPC (counted): no room, or the
 * owner has NFV_PINHOLES_PER_OWNER. */
int nfv_pinhole_open(struct nfv_pinholes *t, uint64_t owner, const struct nfv_pinhole *hole);
/** Its time begins anew; false if the owner has gone. */
bool nfv_pinhole_refresh(struct nfv_pinholes *t, uint64_t owner, uint64_t now);
/** Whether the owner is still there; unlike nfv_pinhole_holds this is no use of it. */
bool nfv_pinhole_lives(const struct nfv_pinholes *t, uint64_t owner);
/** Its pinholes, at most `max`; how many. */
uint32_t nfv_pinhole_list(
	const struct nfv_pinholes *t, uint64_t owner, struct nfv_pinhole *out, uint32_t max);
/** The owner goes, and its pinholes with it. One that has gone may be closed again. */
void nfv_pinhole_close(struct nfv_pinholes *t, uint64_t owner);

/* For who lets flows in; from any thread. */

/** The owner by whose pinhole a packet may begin a flow, or 0; also 0 where the table's writer changed it
 * over and over meanwhile: the flow's next packet asks again. */
uint64_t nfv_pinhole_find(const struct nfv_pinholes *t, uint8_t proto, const struct nfv_addr *from,
	const struct nfv_addr *to, uint16_t port);
/** The same, in all tables of a set. */
uint64_t nfv_pinholes_find(const struct nfv_pinhole_set *set, uint8_t proto,
	const struct nfv_addr *from, const struct nfv_addr *to, uint16_t port);

/** Whether the owner is still there; and a packet of a flow of its has come. */
static inline bool
nfv_pinhole_holds(const struct nfv_pinholes *t, uint64_t owner)
{
	enum { PER_PAGE = NFV_PAGE / sizeof(struct nfv_pinhole_owner) };
	uint32_t i = ((uint32_t)(owner >> 32) & 0xffffff) - 1;
	const struct nfv_pinhole_owner *o =
		(const struct nfv_pinhole_owner *)(void *)t->owner_page[i / PER_PAGE] +
		i % PER_PAGE;

	if (__atomic_load_n(&o->epoch, __ATOMIC_RELAXED) != (uint32_t)owner)
		return false;
	/* A call's packets write here once in a while only. */
	if (__atomic_load_n(&t->marks[i], __ATOMIC_RELAXED) == 0)
		__atomic_store_n(&t->marks[i], 1, __ATOMIC_RELAXED);
	return true;
}

/** The same of an owner that nfv_pinholes_find has told. */
static inline bool
nfv_pinholes_hold(const struct nfv_pinhole_set *set, uint64_t owner)
{
	return nfv_pinhole_holds(set->table[owner >> 56], owner);
}

/** Whether a token, which may be anything, is one that these two can be asked about. */
static inline bool
nfv_pinholes_know(const struct nfv_pinhole_set *set, uint64_t owner)
{
	uint32_t table = (uint32_t)(owner >> 56), i = ((uint32_t)(owner >> 32) & 0xffffff) - 1;

	return set != NULL && table < set->n && table < NFV_PINHOLE_TABLES &&
		set->table[table] != NULL && i < set->table[table]->n_owners;
}

/** End owners that are due, at most `budget` of them; the rest follows with the next call. */
void nfv_pinholes_expire(struct nfv_pinholes *t, uint64_t now, uint32_t budget);

/** Tell `ear` of an owner and its pinholes as if they were made now: of the next from the *at-th on. False:
 * there is none. */
bool nfv_pinholes_repeat(
	const struct nfv_pinholes *t, uint32_t *at, const struct nfv_pinhole_ear *ear);

#endif
