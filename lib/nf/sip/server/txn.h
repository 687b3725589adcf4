/**
 * @file
 * SIP transactions: RFC 3261 §17 with the accepted state of RFC 6026 and without the late 408 of RFC
 * 4320. The four machines are one table in txn.c; what an event asks of the transaction user comes
 * back as a set of acts.
 *
 * A transaction is a slot of 128 bytes in pages of the caller's. Server transactions are found by a
 * keyed 128-bit hash of what RFC 3261 §17.2.3 matches by; client transactions by their index, which
 * travels in the branch. All that a proxied request has in common hangs on its server transaction: the
 * request as received, the last response, the targets not yet tried, and its client transactions.
 *
 * Times are TSC cycles. Ownership: pages are the caller's and outlive the table. Threads: one; nothing
 * allocates.
 */
#ifndef TXN_H
#define TXN_H

#include "nfv_addr.h"
#include "nfv_stage.h"
#include "nfv_watch.h"
#include "nfv_wheel.h"
#include "store.h"

#define SIP_NO_TXN UINT32_MAX

enum sip_machine { SIP_INVITE_SERVER, SIP_SERVER, SIP_INVITE_CLIENT, SIP_CLIENT, SIP_MACHINES };

enum sip_txn_state {
	SIP_FREE,
	SIP_TRYING, /* of an INVITE client: calling */
	SIP_PROCEEDING,
	SIP_ACCEPTED,
	SIP_COMPLETED,
	SIP_CONFIRMED,
	SIP_OVER, /* of a server transaction whose clients are not: it is found no more */
	SIP_STATES
};

enum sip_event {
	SIP_AGAIN, /* the request has come once more */
	SIP_ACKED,
	SIP_1XX, /* a response: received by a client, to be sent by a server */
	SIP_2XX,
	SIP_3XX, /* any other final one */
	SIP_RESEND_DUE,
	SIP_END_DUE,
	SIP_EVENTS
};

/** What the transaction user has to do. */
enum sip_act {
	SIP_PASS = 1 << 0,    /* deal with the message: carry it on */
	SIP_RESEND = 1 << 1,  /* a client: the request; a server: the last response */
	SIP_ACK_IT = 1 << 2,  /* a client: acknowledge hop by hop (§17.1.1.3) */
	SIP_TIMEOUT = 1 << 3, /* a client: nothing has come */
	SIP_END = 1 << 4,     /* the transaction is over: sip_txn_end */
};

enum sip_txn_flag {
	SIP_CANCELLED = 1
		<< 0, /* server: nothing more is tried; client: has to be, or has been cancelled */
	SIP_PROBE = 1 << 2,    /* client: asks whether a trunk is there */
	SIP_FAILOVER = 1 << 1, /* client: others are tried only if this one is not there */
};

struct sip_txn {
	struct nfv_wheel_timer timer;
	uint64_t key[2];          /* server: its identity */
	uint64_t end, again;      /* TSC; 0: none */
	struct nfv_endpoint peer; /* where a server's responses, a client's requests go */
	uint32_t next;            /* of the bucket, or of the free slots */
	uint32_t generation;      /* counted up with every use of the slot */
	uint32_t server;          /* client: its server, or SIP_NO_TXN */
	uint32_t sibling;         /* client: the next of its server; server: its first client */
	uint32_t cancel;          /* client: the one that cancels it */
	uint32_t request;  /* text: server: as received; client: its target's, if it has one */
	uint32_t response; /* text: server: sent last, or the best so far */
	uint32_t targets;  /* text: server: not tried yet */
	uint32_t interval; /* ms until it is sent again */
	uint16_t status;   /* of `response` */
	uint8_t machine, state, method, flags;
	uint8_t own; /* index of the own address it uses */
	uint8_t dir; /* client: the way its request goes; server: the way its request came */
	uint8_t clients, open; /* server: its clients, and those without a final response */
} __attribute__((aligned(64)));

struct sip_txns_conf {
	uint32_t max;     /* transactions */
	uint32_t timer_c; /* seconds that a call may ring; at least 180 (§16.6 (11)) */
	uint64_t tsc_hz, now;
};

struct sip_txns {
	struct nfv_items items; /* by slot */
	struct sip_store texts;
	uint8_t **slot;
	uint8_t **bucket;
	uint32_t mask, free, n_free, max;
	uint32_t live[SIP_MACHINES];
	uint64_t ms; /* TSC cycles a millisecond */
	uint32_t timer_c_ms;
	struct nfv_wheel wheel;
	uint32_t astray,
		idle; /* while they come from elsewhere: clients without their server, servers
				* that wait for nobody and nothing (txn_carry.h) */
};

/** What the table needs: pages for slots, for buckets, for texts. */
struct sip_txns_pages {
	struct nfv_pages slots, buckets, texts;
};

void sip_txns_need(uint32_t max, size_t *slots, size_t *buckets, size_t *texts);
/** `first`: generations begin there, so that what belongs to an earlier run is not taken for ours. */
void sip_txns_init(struct sip_txns *t, const struct sip_txns_conf *conf,
	const struct sip_txns_pages *pages, uint32_t first);

static inline struct sip_txn *
sip_txn_at(const struct sip_txns *t, uint32_t i)
{
	struct sip_txn *x =
		(struct sip_txn *)(void *)(t->slot[i / (NFV_PAGE / sizeof(struct sip_txn))] +
			i % (NFV_PAGE / sizeof(struct sip_txn)) * sizeof(struct sip_txn));

	nfv_watch(x, sizeof(*x));
	return x;
}

/** It will be needed. */
static inline void
sip_txn_prefetch(const struct sip_txns *t, uint32_t i)
{
	const char *x = (const char *)sip_txn_at(t, i);

	__builtin_prefetch(x, 1);
	__builtin_prefetch(x + 64, 1);
}

/** A server transaction by its key, or SIP_NO_TXN. */
uint32_t sip_txn_find(const struct sip_txns *t, const uint64_t key[2]);
/** A new one in its first state, its timers not running; SIP_NO_TXN: none is free. */
uint32_t sip_txn_server(struct sip_txns *t, bool invite, const uint64_t key[2]);
uint32_t sip_txn_client(struct sip_txns *t, bool invite, uint32_t server);
/** Begin the first state's timers. */
void sip_txn_start(struct sip_txns *t, uint32_t i, uint64_t now);

/** Something has happened: go on to the next state. Returns acts; 0: it is to be ignored. */
unsigned int sip_txn_event(struct sip_txns *t, uint32_t i, enum sip_event e, uint64_t now);
/** End it at another time than its state's. */
void sip_txn_end_at(struct sip_txns *t, uint32_t i, uint64_t end);
/** The transaction is over. A server's slot is kept as long as it has clients. */
void sip_txn_end(struct sip_txns *t, uint32_t i);

/** What is not the table's business has changed of it, and none of the above follows. */
static inline void
sip_txn_touch(const struct sip_txns *t, uint32_t i)
{
	nfv_item_touch(&t->items, i);
}

/** Up to `max` transactions whose timer has run out; ask sip_txn_due of each what for. */
uint32_t sip_txns_expired(struct sip_txns *t, uint64_t now, uint32_t *out, uint32_t max);
static inline enum sip_event
sip_txn_due(const struct sip_txn *x, uint64_t now)
{
	return x->end != 0 && x->end <= now ? SIP_END_DUE : SIP_RESEND_DUE;
}

#endif
