/**
 * @file
 * Media of calls: from the offers and answers (RFC 3264) that pass the SIP stage, pinholes are opened
 * for the call's life, and, where there is a relay, SDP is rewritten so that media come to it.
 *
 * A call is known by its Call-ID and the tag of who began it. In RFC 3261 §13.2, 14 and RFC 3311, 3262
 * terms: an INVITE, UPDATE or PRACK with SDP offers, a response to it with SDP answers; a response to
 * an INVITE without SDP offers, and its ACK (or PRACK) answers. Of several answers from forks the last
 * one counts; so of early media of several branches the last one is heard, and of several 2xx the last
 * one has the call.
 *
 * Pinholes are opened with the answer, when both ends are known, and only for what those ends have
 * announced: each end may send to where the other one wants to have it. Replaced by the next answer.
 * They close with the final response to BYE; 32 s after a BYE that nobody answers; with the failure of
 * a call that was never established; when media are silent for `idle`; `setup` after an offer that is
 * never answered; `max` after the last that was heard of the call by SIP.
 *
 * What is announced is not believed blindly: no port below 1024, no multicast, loopback or unspecified
 * address is opened or sent to, and a party outside cannot announce an address inside. With a relay
 * such a party's media are taken, as they are those of somebody behind a NAT with the same private
 * addresses, and answered where they come from; see relay.h.
 *
 * Wiring, in the stage:
 *  - ops.pinholes = true; ctx->pinholes to sip_media_conf; sip_media_create() in init, with pages
 *    from nfv_lender_take(ctx->lender, …, sip_media_pages()); the relay first, if configured.
 *  - for each request and response that is forwarded for the first time, before sip_request_write()
 *    and sip_response_write(): sip_media() with the work's edits and ins (both may be full then). Of
 *    several branches, for each: the same offer may come again.
 *  - before the same writers where a request is made anew from what is kept (sent again, or to make its
 *    ACK or CANCEL of): sip_media_again(), which edits as the call stands and changes nothing of it.
 *  - legs: `from.peer` is the datagram's source, `from.own` its destination, `from.dir` the way back
 *    to it; `to.peer`, `to.own`, `to.dir` are the result's to, from and dir.
 *  - where the proxy itself ends an INVITE (408, 503, a CANCEL that nobody answers): sip_media_end().
 *  - in tick: sip_media_tick(); in fini: sip_media_destroy(), then the relay, then pages.
 *
 * Memory lies in the given pages, each call in 512 bytes. Constant time. Threads: one owner.
 */
#ifndef MEDIA_H
#define MEDIA_H

#include <stdio.h>

#include "nfv_pinhole.h"
#include "nfv_sdp.h"
#include "nfv_sip.h"
#include "nfv_sip_write.h"
#include "nfv_stage.h"
#include "relay.h"

#define SIP_MEDIA_STREAMS 4u /* of a call; more are passed on, but nothing is opened for them */

struct sip_media_conf {
	uint32_t calls;            /* at most */
	uint32_t setup, idle, max; /* seconds */
	bool any_source;           /* pinholes for anybody, not only for the other end's address */
	struct nfv_pinholes *pinholes; /* NULL: none are opened */
	struct sip_relay *relay;       /* NULL: media go their own way */
};

/** One side of a message that passes. */
struct sip_media_leg {
	struct nfv_addr peer; /* where it comes from, or goes to */
	struct nfv_addr own;  /* of the proxy, towards that peer */
	enum nfv_dir dir;     /* the peer lies there */
};

struct sip_media_in {
	const struct nfv_sip_msg *msg;
	const struct nfv_sip_core *core;
	struct sip_media_leg from, to; /* who sends it, who gets it */
	uint64_t tsc;
};

struct sip_media_stats {
	uint64_t offers, answers, ended, expired;
	uint64_t refused;    /* no room for a call or a relayed stream */
	uint64_t unreadable; /* SDP */
	uint64_t foreign;    /* endpoints that a party has no business with */
	uint64_t unopened;   /* pinholes for which there was no room */
	uint32_t calls, max;
};

struct sip_media;

size_t sip_media_pages(const struct sip_media_conf *conf);
/** Of ctx: own addresses, directions, clock, seed. Errors: -EINVAL, -ENOMEM. */
int sip_media_create(const struct sip_media_conf *conf, const struct nfv_stage_ctx *ctx,
	const struct nfv_pages *pages, uint64_t now, struct sip_media **out, struct nfv_err *err);
/** Ends every call first. */
void sip_media_destroy(struct sip_media *m);

/**
 * A message that is going to be forwarded. With a relay, `edits` get what has to be changed in the
 * body and its length, with texts in `ins`, whose room limits it; what is `full` then is the caller's
 * to look at, as for his own edits.
 * 0; -EINVAL: it has SDP that cannot be read: nothing was opened, and what becomes of the message is
 * the caller's choice (pass it, or 488); -ENOSPC: no room (503). Edits are untouched on failure.
 */
int sip_media(struct sip_media *m, const struct sip_media_in *in, struct nfv_sip_edits *edits,
	struct nfv_sip_writer *ins);

/** Edit a request as sip_media() has done when it was sent; 0, or -EINVAL as there. */
int sip_media_again(struct sip_media *m, const struct sip_media_in *in, struct nfv_sip_edits *edits,
	struct nfv_sip_writer *ins);

/** The call of this message is over, unless a 2xx has established it: the proxy has ended it. */
void sip_media_end(struct sip_media *m, const struct nfv_sip_core *core);

void sip_media_tick(struct sip_media *m, uint64_t now);

const struct sip_media_stats *sip_media_stats(const struct sip_media *m);
void sip_media_show(const struct sip_media *m, FILE *to);

#endif
