/**
 * @file
 * The RTP relay: media of a call go by way of the chain's own addresses, so that parties behind NATs,
 * or of different address families, reach each other (RFC 3550; symmetric RTP, RFC 4961).
 *
 * A relayed stream has two sides, each with a pair of ports on one of the chain's own addresses: an
 * even one for RTP, the next for RTCP. What comes to a side's port from that side's party leaves from
 * the other side's port to the other side's party. Between IPv4 and IPv6 the header is written anew;
 * the hop limit falls by one, so that two relays that were pointed at each other come to rest. Where
 * RTP and RTCP share a port (RFC 5761), they stay on the even one.
 *
 * Who may send, and where it is sent to. Each side knows the endpoint that the party's SDP announced
 * and the address its signalling comes from. A source is ranked:
 *   3  the announced endpoint itself,
 *   2  the announced address, or that of the signalling, with another port (a NAT is between),
 *   1  anybody else, from the party's direction; only with `any`, and only while nobody is latched.
 * The first that comes is latched: the other party's packets go there from now on. A higher rank takes
 * over at once, the same rank when the latched one has been silent for two seconds (rank 1: never), a
 * lower one never; all others are dropped and counted. A new endpoint in the party's SDP lets go of
 * what was latched. Until a source is latched, packets go to the announced endpoint. Before the party's
 * SDP has been read nothing of its is taken: the first packets after the answer are the first that
 * can latch.
 *
 * Behind the chain's own NAT, a telephone's packets come from the NAT's address, as its signalling
 * does: rank 2; what is sent back there finds the NAT's mapping. The ports of the relay must not be
 * among the NAT's (`nat: ports:`) on the same address.
 *
 * Wiring: sip_relay() first, for every packet of a burst; true: the packet was the relay's and has its
 * verdict. Streams are opened, announced and closed by media.h.
 *
 * All memory is taken by sip_relay_create() and the given pages. Constant time for each packet: the
 * destination port is an index. Threads: one owner; counters may be read beside it.
 */
#ifndef RELAY_H
#define RELAY_H

#include <stdio.h>

#include "nfv_addr.h"
#include "nfv_err.h"
#include "nfv_lender.h"
#include "nfv_pkt.h"
#include "nfv_stage.h"
#include "rtp.h"

enum sip_relay_drop {
	SIP_RELAY_STRANGER,  /* not from who may send there */
	SIP_RELAY_EARLY,     /* the party has not said yet where its media come from */
	SIP_RELAY_NO_TARGET, /* the other party has announced nothing that can be sent to */
	SIP_RELAY_MALFORMED, /* RTP whose header is longer than the packet; IPv6 without a checksum */
	SIP_RELAY_HOPS,      /* hop limit at its end */
	SIP_RELAY_NO_ROOM,   /* no room in front for a longer header */
	SIP_RELAY_DROPS
};

/** Names as they appear in counters, for a stage's table that has these reasons from `base` on. */
/* clang-format off */
#define SIP_RELAY_DROP_NAMES(base) \
	[(base) + SIP_RELAY_STRANGER] = "media-stranger", \
	[(base) + SIP_RELAY_EARLY] = "media-early", \
	[(base) + SIP_RELAY_NO_TARGET] = "media-no-target", \
	[(base) + SIP_RELAY_MALFORMED] = "media-malformed", \
	[(base) + SIP_RELAY_HOPS] = "media-hops", \
	[(base) + SIP_RELAY_NO_ROOM] = "media-no-room"
/* clang-format on */

struct sip_relay_conf {
	uint16_t lo, hi;  /* ports; lo even, hi odd, below it */
	uint32_t streams; /* at most; more than half the pairs are never used */
	bool any;         /* a source of rank 1 may latch */
	uint8_t drops;    /* index of the stage's first drop reason of these */
	uint64_t seed, tsc_hz;
	const struct nfv_lender *lender; /* of what changes beside the pages; NULL: the heap */
};

struct sip_relay_side {
	/* Of the party, by [is RTCP]. */
	struct nfv_endpoint announced[2], latched[2];
	struct nfv_addr signalling;
	struct nfv_addr own;
	uint64_t heard[2]; /* tsc of the last packet of the latched source */
	uint16_t port;     /* own, of RTP; RTCP is the next */
	uint8_t rank[2];   /* of the latched source; 0: none yet */
	uint8_t dir;       /* the party lies there; enum nfv_dir */
	bool ready;        /* its SDP has been read */
	uint32_t clock;    /* of RTP timestamps, Hz */
	uint64_t dropped;  /* strangers and early ones */
	struct sip_rtp rtp;
};

struct sip_relay_stream {
	struct sip_relay_side side[2];
	uint64_t heard; /* tsc of the last packet relayed, either way; 0: none */
	const struct nfv_items
		*items; /* who is told that somebody has been latched; NULL: nobody */
	uint32_t owner; /* of these, from 1 */
	uint32_t next_free;
	bool open;
};

struct sip_relay_stats {
	uint64_t opened, refused; /* streams; refused: no ports, no place */
	uint64_t packets, octets; /* relayed; octets of UDP payload */
	uint64_t latched, relatched;
	/* Of streams that are over. */
	uint64_t rtp_packets, rtp_disordered;
	int64_t rtp_lost;
	uint32_t open;
};

struct sip_relay;

size_t sip_relay_pages(const struct sip_relay_conf *conf);
/** The pages are zeroed and stay the caller's. Errors: -EINVAL (the range), -ENOMEM. */
int sip_relay_create(const struct sip_relay_conf *conf, const struct nfv_pages *pages,
	struct sip_relay **out, struct nfv_err *err);
void sip_relay_destroy(struct sip_relay *r);

/** A stream with a pair of ports for each side; 0 if there are none left (counted). */
uint32_t sip_relay_open(struct sip_relay *r);
/** Its ports go to the end of the queue of free ones. */
void sip_relay_close(struct sip_relay *r, uint32_t stream);
/** It is number `owner` of these, from 1, which is touched when somebody is latched. */
void sip_relay_owned(
	struct sip_relay *r, uint32_t stream, const struct nfv_items *items, uint32_t owner);
/** What a stream knows; the caller reads. */
const struct sip_relay_stream *sip_relay_stream(const struct sip_relay *r, uint32_t stream);

/** A side's own address, and in which direction its party lies. */
void sip_relay_place(struct sip_relay *r, uint32_t stream, unsigned int side,
	const struct nfv_addr *own, enum nfv_dir dir);
/** What the party's SDP says: where it wants RTP and RTCP (port 0: nowhere; no address: only where its
 * own packets come from), where its signalling comes from, its clock (0: 8000). */
void sip_relay_announce(struct sip_relay *r, uint32_t stream, unsigned int side,
	const struct nfv_endpoint rtp_rtcp[2], const struct nfv_addr *signalling, uint32_t clock);
/** Whether a port is of the relay's range. */
bool sip_relay_has_port(const struct sip_relay *r, uint16_t port);

/**
 * A packet that travels in `dir`: false if it is not for the relay. Else it has been rewritten and
 * goes on; or, if its way leads back, has been copied to `out` and is consumed; or is dropped.
 */
bool sip_relay(struct sip_relay *r, struct nfv_pkt *p, enum nfv_dir dir, uint64_t tsc,
	struct nfv_out *out);

const struct sip_relay_stats *sip_relay_stats(const struct sip_relay *r);
/** Counters, and the first `n` open streams. */
void sip_relay_show(const struct sip_relay *r, FILE *to, uint32_t n);

#endif
