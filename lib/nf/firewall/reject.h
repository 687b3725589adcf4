/**
 * @file
 * The answer to a packet that is rejected: a TCP reset, or ICMP administratively prohibited.
 *
 * libc only. Threads: pure functions; a bucket belongs to one worker.
 */
#ifndef REJECT_H
#define REJECT_H

#include "nfv_addr.h"
#include "nfv_pkt.h"

/** How ICMP messages are seen by a firewall. */
enum fw_icmp {
	FW_ICMP_QUERY, /* may open a flow */
	FW_ICMP_REPLY, /* means something only after a query, or only on a link */
	FW_ICMP_ERROR, /* about another packet, which it quotes */
};

/** The kind of an ICMP or ICMPv6 packet; FW_ICMP_QUERY if it is neither. */
enum fw_icmp fw_icmp_kind(const struct nfv_pkt *p);

/** A token bucket, kept as the time at which it will be full again (GCRA, ITU-T I.371). */
struct fw_bucket {
	uint64_t interval; /* ticks a token costs; 0: there are none */
	uint64_t depth;    /* ticks until an empty bucket is full */
	uint64_t full_at;
};

/** `rate` tokens a second, of which a tenth of a second's worth (one at least) may go at once. */
struct fw_bucket fw_bucket(uint32_t rate, uint64_t tsc_hz);
bool fw_bucket_take(struct fw_bucket *b, uint64_t tsc);

/**
 * Whether `p` may be answered with an error at all: never an ICMP error or reply, a TCP reset, what
 * was sent to many (RFC 1122 §3.2.2, RFC 4443 §2.4 e), or what was written here.
 */
bool fw_may_answer(const struct nfv_pkt *p);

/**
 * Write the answer to `p` into the empty packet `to`. TCP: a reset with the sequence numbers of RFC
 * 9293 §3.10.7.1. Else ICMP type 3 code 13 (RFC 1812 §5.2.7.1) or ICMPv6 type 1 code 1 (RFC 4443
 * §3.1) from `own`, or from the address that was sent to if `own` is of another family, quoting as
 * much as 576 or 1280 bytes allow. False, with `to` unspecified, if the room does not suffice.
 */
bool fw_answer(const struct nfv_pkt *p, const struct nfv_addr *own, struct nfv_pkt *to);

#endif
