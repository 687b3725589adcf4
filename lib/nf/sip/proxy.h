/**
 * @file
 * A stateless record-routing SIP proxy (RFC 3261 §16.11) as a function from a datagram and its
 * addresses to what is to be sent where. Knows nothing of packets; libc, lib/base and lib/sip only.
 *
 * Everything that has to be remembered travels in the messages. The branch of the Via that the
 * proxy adds holds the own address that the request was sent to, so that the response leaves from
 * there and a NAT in front of the client sees it come from where the request went; a hash that is
 * the same for a request, its retransmissions, its CANCEL and its ACK (§16.11); and a keyed hash of
 * where the response has to go, so that nobody can make up a response and have it sent through the
 * proxy to an address of his choice.
 *
 * Threads: pure functions; struct sip_proxy is not changed after sip_proxy_init().
 */
#ifndef PROXY_H
#define PROXY_H

#include "nfv_err.h"
#include "nfv_sip.h"
#include "nfv_sip_write.h"
#include "nfv_stage.h"
#include "siphash.h"

#define SIP_OWN_MAX 32

struct sip_own {
	struct nfv_prefix prefix; /* the address with its network */
	enum nfv_dir dir;         /* packets that travel so leave from it */
};

struct sip_proxy {
	uint16_t port;
	bool record_route;
	bool relay;                /* forward from outside to outside */
	struct nfv_endpoint trunk; /* NFV_NO_ADDR: none */
	const char *const *domains;
	uint32_t n_domains;
	struct sip_own own[SIP_OWN_MAX];
	uint32_t n_own;
	const struct nfv_toward *toward;
	uint32_t n_toward;
	struct siphash_key key;
};

/** A datagram that was sent to one of the proxy's own addresses. */
struct sip_in {
	struct nfv_sv text;
	struct nfv_endpoint src, dst;
	enum nfv_dir dir; /* it travels so */
};

enum sip_drop {
	SIP_DROP_UDP_CHECKSUM,
	SIP_DROP_NOT_SIP,
	SIP_DROP_MALFORMED,      /* a response or an ACK that cannot be trusted */
	SIP_DROP_RESPONSE_STRAY, /* to no request that went through here */
	SIP_DROP_ACK_UNROUTABLE, /* an ACK is never answered (§17.1.1.3) */
	SIP_DROP_NO_NEXT_HOP,    /* nowhere to send a response or an answer */
	SIP_DROP_TOO_LARGE,
	SIP_DROP_ERROR_LIMITED,
	SIP_DROPS
};

enum sip_action {
	SIP_FORWARD,
	SIP_ANSWER,    /* with `status` */
	SIP_DROP,      /* for `drop` */
	SIP_KEEPALIVE, /* nothing to do */
	SIP_STUN,
};

struct sip_result {
	enum sip_action action;
	enum sip_drop drop;
	uint16_t status;
	enum nfv_dir dir; /* the way the datagram goes */
	struct nfv_endpoint from, to;
	struct nfv_sv text; /* in the caller's buffer */
};

/** What the functions below hand to each other about one message. */
struct sip_work {
	const struct sip_proxy *px;
	const struct sip_in *in;
	struct nfv_sip_msg msg;
	struct nfv_sip_core core;
	struct nfv_sip_edits edits;
	struct nfv_sip_writer ins; /* texts the edits insert, in ins_room */
	char ins_room[1024 + NFV_SIP_URI_MAX];
};

/** Take own addresses and directions from `ctx`; the other members are the caller's to set. */
int sip_proxy_init(struct sip_proxy *px, const struct nfv_stage_ctx *ctx, struct nfv_err *err);

/** Decide about a datagram and write what is to be sent into `buf`; `work` is scratch. */
void sip_proxy(const struct sip_proxy *px, const struct sip_in *in, struct sip_work *work,
	char *buf, size_t room, struct sip_result *r);

/** Answer the request in `work` with `status` (`text` NULL: its usual phrase). */
void sip_answer(struct sip_work *work, unsigned int status, const char *text, char *buf,
	size_t room, struct sip_result *r);

static inline void
sip_edits_reset(struct sip_work *work)
{
	work->edits.n = 0;
	work->edits.full = false;
	work->ins = nfv_sip_writer(work->ins_room, sizeof(work->ins_room));
}

/* request.c and response.c: a message that has been framed. */
void sip_request(struct sip_work *work, char *buf, size_t room, struct sip_result *r);
void sip_response(struct sip_work *work, char *buf, size_t room, struct sip_result *r);

static inline void
sip_drop(struct sip_result *r, enum sip_drop why)
{
	r->action = SIP_DROP;
	r->drop = why;
}

/* where.c: addresses. */

/** Index into px->own, or -1. */
int sip_own_find(const struct sip_proxy *px, const struct nfv_addr *addr);
/** Whether it is the proxy itself: own address and its port. */
bool sip_is_self(const struct sip_proxy *px, const struct nfv_endpoint *e);
/** Which way it lies: an own address at another port is a NAT's mapping, on the inside of here. */
enum nfv_dir sip_dir_of(const struct sip_proxy *px, const struct nfv_addr *addr);
/** The own address to send from to `to` in `dir`; -1 if none is of its family. */
int sip_own_toward(const struct sip_proxy *px, enum nfv_dir dir, const struct nfv_addr *to);
/** A unicast address that can be a next hop. */
bool sip_is_host(const struct nfv_addr *addr);
/** Whether a URI names the proxy: own address or, with `domains`, own domain, and its port. */
bool sip_uri_is_self(const struct sip_proxy *px, const struct nfv_sip_uri *uri, bool domains);
bool sip_is_domain(const struct sip_proxy *px, struct nfv_sv host);

/* via.c: branches, and where responses go. */

/** Where a response goes by the Via of the one who asked; false if that is no address. */
bool sip_via_target(const struct nfv_sip_via *via, struct nfv_endpoint *out);
/** Where responses to the request in `work` go, once sip_via_fix() has completed its Via. */
struct nfv_endpoint sip_via_back(const struct sip_work *work);
/** Add received and rport to the topmost Via (RFC 3261 §18.2.1, 3581 §4). */
void sip_via_fix(struct sip_work *work);
/** Write the branch for the request in `work`. */
void sip_branch_put(struct sip_work *work, struct nfv_sip_writer *w);
/** The own address a request came in on, if `branch` is ours for a response to `to`; else -1. */
int sip_branch_check(
	const struct sip_proxy *px, struct nfv_sv branch, const struct nfv_endpoint *to);
/** A To tag for an answer: the same for every retransmission (§8.2.7). */
uint64_t sip_tag(const struct sip_work *work);

#endif
