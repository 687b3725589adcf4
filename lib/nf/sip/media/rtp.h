/**
 * @file
 * What can be told of an RTP stream by watching it pass (RFC 3550): packets and octets, what is lost
 * by the sequence numbers (appendix A.1, A.3), how unevenly it comes (A.8), what comes out of order.
 * Of one source; when another SSRC takes over, what the last one had is added up and counting begins
 * anew. Threads: plain data.
 */
#ifndef RTP_H
#define RTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIP_RTP_LEN 12

struct sip_rtp {
	uint64_t packets, octets; /* octets of payload, behind the header and its extension */
	uint64_t disordered;      /* with a number below the highest so far */
	uint64_t rtcp;            /* packets */
	uint32_t sources;         /* SSRCs so far */
	uint32_t ssrc;
	int64_t lost_before;   /* of sources before this one */
	uint32_t received;     /* of this source, since base */
	uint32_t base, cycles; /* first number; 65536 times the wraps */
	uint32_t
		bad; /* the number that would prove that the sender began anew; above 65535: none */
	uint16_t max;      /* highest number seen */
	uint8_t probation; /* packets in sequence still to come before it is believed in */
	bool timed;        /* transit is set */
	uint32_t transit;  /* of the last packet, in units of its clock */
	uint32_t jitter;   /* 16 times the estimate, in units of its clock */
};

enum sip_rtp_kind {
	SIP_RTP_OTHER, /* not RTP: STUN, DTLS, ZRTP share the port (RFC 7983) */
	SIP_RTP_DATA,
	SIP_RTP_CONTROL,   /* RTCP, by its type where both share a port (RFC 5761 §4) */
	SIP_RTP_MALFORMED, /* its header is longer than the packet */
};

/** Tell by the first bytes of a UDP payload, and count it. `arrival` is in units of `clock` of its
 * payload, modulo 2^32; what it counts from does not matter. */
enum sip_rtp_kind sip_rtp_seen(struct sip_rtp *r, const uint8_t *p, size_t n, uint32_t arrival);

/** Packets that never came, less those that came twice: may be below 0 (A.3). */
int64_t sip_rtp_lost(const struct sip_rtp *r);

/** The jitter's estimate in units of the clock. */
static inline uint32_t
sip_rtp_jitter(const struct sip_rtp *r)
{
	return r->jitter >> 4;
}

#endif
