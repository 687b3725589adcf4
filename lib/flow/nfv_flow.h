/**
 * @file
 * Flow tables: bounded, expiring, owned by one worker, in pages that somebody else laid out.
 *
 * A record is found by either of two keys: the tuple of the packet that began the flow, and the
 * tuple that return packets carry, translated or not. Both keys of an IPv4 flow stand with the
 * record's head in one cache line, the stages' slots in the next. A bucket is a cache line of eight
 * 16-bit tags and eight references, compared at once; look-ups prefetch bucket and record across a
 * burst. A key goes to its first bucket, or, if that is full, to a second one that follows from the
 * tag; the first remembers how many it sent there, so a miss rarely looks twice.
 *
 * Expiry: a timing wheel that is corrected lazily: packets only note the time; when the wheel comes
 * by, a record that was used since moves on. When all records are taken, one that never saw an
 * answer is evicted, an open flow never.
 *
 * Time is counted in ticks of 1/8 s from the table's beginning. Threads: one owner.
 */
#ifndef NFV_FLOW_H
#define NFV_FLOW_H

#include <stdbool.h>

#include "nfv_err.h"
#include "nfv_lender.h"
#include "nfv_pkt.h"

#define NFV_FLOW_HZ 8u

/** The first 16 bytes are an IPv4 key, all 40 an IPv6 key. Network order; what is unused is zero. */
struct nfv_flow_key {
	uint16_t be_sport, be_dport; /* ICMP echo: the id, as source of a request, as
	                              * destination of a reply */
	uint8_t proto;
	uint8_t dir; /* which way packets with this key travel, enum nfv_dir */
	uint16_t zero;
	union {
		struct {
			uint32_t be_src, be_dst;
		} v4;
		struct {
			uint8_t src[16], dst[16];
		} v6;
	};
};

enum nfv_flow_state {
	NFV_FLOW_OPENING, /* seen from one side only, or a TCP handshake that is not complete */
	NFV_FLOW_OPEN,
	NFV_FLOW_CLOSING, /* TCP: both sides have sent FIN, or one RST */
};

/** Head of a record; keys and slots follow. Stages never see it, they see their slot. */
struct nfv_flow {
	uint32_t next, prev; /* in its wheel slot; next also links free records */
	uint32_t last;       /* tick of the last packet that passed */
	uint32_t timeout;    /* ticks */
	uint32_t index;
	uint32_t packets[2]; /* by direction */
	uint8_t state : 2;   /* enum nfv_flow_state; set by nfv_flow_track */
	uint8_t dir : 1;     /* of the packet that began it */
	uint8_t seen : 4;    /* TCP events so far; nfv_flow_track's */
	uint8_t flags;       /* NFV_FLOW_… */
	uint8_t held;        /* low bits of the tick in which a burst last held on to it */
	uint8_t zero;
};

#define NFV_FLOW_CONFIRMED 1 /* a packet has passed; the owner's to set */
#define NFV_FLOW_ALIASED   2 /* the second key is there */
#define NFV_FLOW_LIVE      4 /* not on the free list */

/** Seconds; the RFCs' numbers are the least that conforming middleboxes may use. */
struct nfv_flow_timeouts {
	uint32_t udp;      /* RFC 4787 REQ-5: 300 recommended, at least 120 */
	uint32_t tcp_open; /* RFC 5382 REQ-5: at least 7440 */
	uint32_t tcp;      /* opening and closing TCP: at least 240 */
	uint32_t icmp;     /* RFC 5508 REQ-1: at least 60 */
	uint32_t other;
};

struct nfv_flow_conf {
	uint8_t family; /* 4 or 6 */
	uint32_t max;   /* records */
	uint16_t slot;  /* bytes of slots a record carries */
	uint64_t seed;  /* of the keyed hash */
	struct nfv_flow_timeouts timeouts;
	/** Called with a record's slots before it goes, for whatever reason; may be NULL. */
	void (*end)(void *arg, void *slots);
	void *arg;
	const struct nfv_lender *lender; /* of what changes beside the pages; NULL: the heap */
};

/** A flow as it goes over to another table, of another process perhaps; no pointers, no padding. */
struct nfv_flow_carried {
	struct nfv_flow_key key[2]; /* the second one with NFV_FLOW_ALIASED */
	uint32_t idle, timeout;     /* ticks */
	uint32_t packets[2];
	uint8_t family, state, dir, seen, flags; /* the last: NFV_FLOW_CONFIRMED and _ALIASED */
	uint8_t zero[3];
};

struct nfv_flow_table;

struct nfv_flow_stats {
	uint64_t added, expired, evicted;
	uint64_t refused; /* table full of open flows, or both buckets of a key full */
	uint32_t live, max;
};

/** How many pages a table of this shape needs. */
size_t nfv_flow_pages(const struct nfv_flow_conf *conf);
/** The pages are zeroed and stay the caller's, for as long as the table lives. */
int nfv_flow_create(const struct nfv_flow_conf *conf, const struct nfv_pages *pages,
	struct nfv_flow_table **out, struct nfv_err *err);
/** Ends every flow first. */
void nfv_flow_destroy(struct nfv_flow_table *t);

enum nfv_flow_kind {
	NFV_FLOW_NONE,   /* nothing to track: other protocols, cut-off quotes */
	NFV_FLOW_PACKET, /* the packet's own tuple */
	NFV_FLOW_QUOTE, /* an ICMP error: the tuple that packets of the quoted flow carry this way */
};

/** The key under which a parsed packet that travels in `dir` is to be looked up. */
enum nfv_flow_kind nfv_flow_key(
	const struct nfv_pkt *p, enum nfv_dir dir, struct nfv_flow_key *key);
/** The key that answers carry. */
struct nfv_flow_key nfv_flow_mirror(const struct nfv_flow_key *key, uint8_t family);
uint64_t nfv_flow_hash(const struct nfv_flow_table *t, const struct nfv_flow_key *key);

/** Find records for a burst: flow[i] for key[i], or NULL; hash[i] as nfv_flow_hash. n <= 32. */
void nfv_flow_find(struct nfv_flow_table *t, const struct nfv_flow_key *key, uint64_t *hash,
	struct nfv_flow **flow, unsigned int n);
/** One look-up. */
struct nfv_flow *nfv_flow_find1(
	struct nfv_flow_table *t, const struct nfv_flow_key *key, uint64_t hash);
/** A new record with zeroed slots, or NULL (counted). `key` must not be there yet. */
struct nfv_flow *nfv_flow_add(
	struct nfv_flow_table *t, const struct nfv_flow_key *key, uint64_t hash, uint32_t now);
/** A burst holds on to the record: nothing evicts it in this tick. Does not prolong its life. */
static inline void
nfv_flow_hold(struct nfv_flow *flow, uint32_t now)
{
	flow->held = (uint8_t)now;
}

/** Give the record its second key. 0; -EEXIST: some record has it; -ENOSPC: its buckets are full. */
int nfv_flow_alias(struct nfv_flow_table *t, struct nfv_flow *flow, const struct nfv_flow_key *key);
void nfv_flow_del(struct nfv_flow_table *t, struct nfv_flow *flow);
/** The record's slots. */
void *nfv_flow_slot(const struct nfv_flow_table *t, const struct nfv_flow *flow);
/** The record's first or second key; NULL if there is no second. */
const struct nfv_flow_key *nfv_flow_key_of(
	const struct nfv_flow_table *t, const struct nfv_flow *flow, unsigned int which);

/** Note a packet of the flow that has passed: time, count, TCP state, timeout. */
void nfv_flow_track(const struct nfv_flow_table *t, struct nfv_flow *flow, const struct nfv_pkt *p,
	enum nfv_dir dir, uint32_t now);

/** Turn the wheel to `now`, ending at most `budget` flows in this call; the rest follows later. */
void nfv_flow_expire(struct nfv_flow_table *t, uint32_t now, unsigned int budget);

/** The record of this number, if it is live. */
struct nfv_flow *nfv_flow_at(const struct nfv_flow_table *t, uint32_t index);
/** The record that has these slots. */
struct nfv_flow *nfv_flow_of(const struct nfv_flow_table *t, const void *slots);
/** Write a flow down, but for its slots. */
void nfv_flow_save(const struct nfv_flow_table *t, const struct nfv_flow *flow, uint32_t now,
	struct nfv_flow_carried *to);
/**
 * Make the flow that is written there, or, where *flow is not NULL, bring that one up to date. Nothing is
 * evicted for it, and the wheel may come by a minute late. -EEXIST: one of its keys is another flow's; -ENOSPC; -EINVAL: no flow of this table.
 */
int nfv_flow_restore(struct nfv_flow_table *t, const struct nfv_flow_carried *from, uint32_t now,
	struct nfv_flow **flow);

/** What mending has come to, and how it says that it is getting on. */
struct nfv_flow_mend {
	uint32_t now;            /* tick */
	void (*beat)(void *arg); /* every few thousand records; may be NULL */
	void *arg;
	uint32_t kept;
	uint32_t vain;    /* gone: no packet of theirs had passed yet */
	uint32_t dropped; /* gone: made no sense, or another record has the same key */
};

/**
 * Make everything anew that leads to the records, which are the truth: for a table whose owner has died
 * in the middle of a call, or has written where it must not. Whatever is found in its pages and heads,
 * it is consistent afterwards. Flows that are CONFIRMED and make sense are found by the keys they had
 * and keep their slots; those that go are not ended (conf.end), since what their slots say may not be
 * true: who keeps something for them counts it anew.
 */
void nfv_flow_mend(struct nfv_flow_table *t, struct nfv_flow_mend *mend);

/** Live records in order: start with *at == 0, ends with NULL. */
const struct nfv_flow *nfv_flow_each(const struct nfv_flow_table *t, uint32_t *at);
struct nfv_flow_stats nfv_flow_stats(const struct nfv_flow_table *t);

#endif
