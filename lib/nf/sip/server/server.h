/**
 * @file
 * A transaction-stateful SIP proxy (RFC 3261 §16, with 4320, 5393, 6026): datagrams and the passing of
 * time go in, datagrams come out through a sink. Knows nothing of packets.
 *
 * A request opens a server transaction and a client transaction for each target that is tried at once;
 * the rest waits for those to fail. Kept of it is the request as it came: whatever has to be sent later
 * (again, acknowledged, cancelled, answered) is made from that by the same code as the first time. An
 * ACK for a 2xx passes statelessly (RFC 6026 §6), as does a CANCEL that matches nothing (§16.10).
 * Refusals cost nothing: they are answered statelessly, before anything is allocated. What belongs to a
 * dialog goes on, statelessly, also when no transaction is free.
 *
 * What cannot be done is not begun (overload.h).
 *
 * server.c: requests; branch.c: client transactions, from being tried to having failed; reply.c:
 * responses; cancel.c: messages made from others; probe.c: questions of its own.
 *
 * Ownership: pages are the caller's. Threads: one; nothing allocates.
 */
#ifndef SERVER_H
#define SERVER_H

#include "bucket.h"
#include "media.h"
#include "overload.h"
#include "proxy.h"
#include "share.h"
#include "txn.h"
#include "users.h"

#define SIP_TEXT_MAX 65535u

/** Where datagrams go. False: there is no room for it now; whoever sends again tries again. */
struct sip_sink {
	void *ctx;
	bool (*send)(void *ctx, enum nfv_dir dir, const struct nfv_endpoint *from,
		const struct nfv_endpoint *to, struct nfv_sv text);
};

struct sip_server_count {
	uint64_t absorbed;      /* requests and responses that had come before */
	uint64_t resent;        /* messages sent again */
	uint64_t timeouts;      /* client transactions without a final response */
	uint64_t acks, cancels; /* made here */
	uint64_t full;          /* requests without a transaction because a table is full */
	uint64_t loops, forks, failovers;
	uint64_t shed;   /* new requests refused because there is too much to do */
	uint64_t unsent; /* the sink had no room */
};

struct sip_server {
	struct sip_proxy px;
	struct sip_txns txns;
	struct sip_share share;  /* of several; no more than one: all is this one's */
	struct sip_users *users; /* NULL: none */
	struct sip_media *media; /* NULL: bodies pass as they are */
	bool again;              /* what is being written has been sent before */
	uint16_t refusal;        /* why it could not be, if not for its length */
	struct sip_sink sink;
	uint64_t now;
	struct sip_overload overload;
	uint64_t probe_every, probe_next; /* TSC cycles, 0: never; TSC */
	uint32_t probes;                  /* made so far */
	struct sip_bucket refusals;       /* answers of its own that say no, a second */
	uint32_t failover_ms; /* without any answer for so long, the next trunk is tried */
	struct sip_work work; /* the message at hand */
	struct sip_work kept; /* one that is made from a request we keep */
	struct sip_in kept_in;
	struct nfv_sip_msg sent; /* one as it was sent */
	struct sip_server_count count;
	char buf[SIP_TEXT_MAX];   /* what is being sent */
	char text[SIP_TEXT_MAX];  /* a kept text put together */
	char made[SIP_TEXT_MAX];  /* a request as it was sent, to make another of */
	char lines[SIP_TEXT_MAX]; /* header fields of an answer */
	char reply[SIP_TEXT_MAX]; /* a response on its way */
};

/** What has become of a datagram. */
struct sip_outcome {
	enum sip_action action;
	enum sip_drop drop;
	uint16_t status; /* of an answer */
};

/** Deal with a datagram at time `now` (TSC). */
void sip_server_take(
	struct sip_server *s, const struct sip_in *in, uint64_t now, struct sip_outcome *out);
/** Deal with at most `max` timers; true if that was enough. */
bool sip_server_tick(struct sip_server *s, uint64_t now, unsigned int max);

/* ---- between the parts ---- */

bool sip_send(struct sip_server *s, uint8_t dir, uint8_t own, const struct nfv_endpoint *to,
	struct nfv_sv text);
/** Answer the request in `work`. */
void sip_say(struct sip_server *s, struct sip_work *work, unsigned int status, const char *text,
	struct nfv_sv lines, struct sip_result *r);
/** Read the request that a server transaction keeps into s->kept; NULL: it is kept no more. */
struct sip_work *sip_reopen(struct sip_server *s, const struct sip_txn *server);

/* branch.c */

/** Try the hops with the highest q, keep the others for later. */
void sip_fork(struct sip_server *s, uint32_t server, struct sip_work *work,
	struct sip_course *course, const struct sip_hop *hop, unsigned int n);
/** Whether a kept text is of at most `max` targets, as sip_fork writes them. */
bool sip_targets_check(const struct sip_server *s, struct nfv_sv text, unsigned int max);
/** A branch has ended with this status; `text` n == 0: with nothing. What follows from that. */
void sip_branch_failed(
	struct sip_server *s, uint32_t client, unsigned int status, struct nfv_sv text);
/** Write what a client transaction sends into `room`: its request, as at first. */
struct nfv_sv sip_branch_request(struct sip_server *s, uint32_t client, char *room);
void sip_branch_resend(struct sip_server *s, uint32_t client);
void sip_branch_timeout(struct sip_server *s, uint32_t client);

/* body.c */

/** Have `media` see bodies. */
void sip_body_init(struct sip_server *s, struct sip_media *media);

/* probe.c: whether trunks are there */

/** Ask them, if it is time. */
void sip_probe_tick(struct sip_server *s);
/** One at `to` has answered, or has not. */
void sip_probe_seen(struct sip_server *s, const struct nfv_endpoint *to, bool there);

/* reply.c */

void sip_reply_take(struct sip_server *s, struct sip_outcome *out);
/** Send a response on a server transaction and note it; its text is kept if it may be needed. */
void sip_reply_send(struct sip_server *s, uint32_t server, unsigned int status, struct nfv_sv text);
/** The same with a response of our own. */
void sip_reply_own(struct sip_server *s, uint32_t server, unsigned int status);

/* cancel.c */

/** Acknowledge a final response, whose To is `to` (§17.1.1.3). */
void sip_ack_it(struct sip_server *s, uint32_t client, struct nfv_sv to);
/** Cancel a client transaction: now, or once it has been heard of (§9.1). */
void sip_cancel(struct sip_server *s, uint32_t client);
/** Cancel all branches of a server transaction that have no final response, but `except`. */
void sip_cancel_others(struct sip_server *s, uint32_t server, uint32_t except);

#endif
