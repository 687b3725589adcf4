#include <endian.h>
#include <string.h>

#include "rtp.h"

/* RFC 3550 §A.1: how far a number may jump ahead, or lie behind, and how many packets in sequence
 * make a source. */
enum { DROPOUT = 3000, MISORDER = 100, SEQUENTIAL = 2 };

#define NO_BAD 0x10000u

static uint32_t
get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static void
start_at(struct sip_rtp *r, uint16_t seq)
{
	r->base = seq;
	r->max = seq;
	r->bad = NO_BAD;
	r->cycles = 0;
	r->received = 0;
}

static int64_t
lost_of_source(const struct sip_rtp *r)
{
	if (r->sources == 0 || r->probation > 0)
		return 0;
	return (int64_t)r->cycles + r->max - r->base + 1 - r->received;
}

int64_t
sip_rtp_lost(const struct sip_rtp *r)
{
	return r->lost_before + lost_of_source(r);
}

/* Where the number stands in the source's sequence; §A.1. */
static void
in_sequence(struct sip_rtp *r, uint16_t seq)
{
	uint16_t ahead = (uint16_t)(seq - r->max);

	if (r->probation > 0) {
		if (seq != (uint16_t)(r->max + 1)) {
			r->probation = SEQUENTIAL - 1;
			r->max = seq;
			return;
		}
		r->max = seq;
		if (--r->probation > 0)
			return;
		start_at(r, seq);
	} else if (ahead < DROPOUT) {
		if (seq < r->max)
			r->cycles += 1u << 16;
		if (ahead > 0)
			r->max = seq;
		else if (r->received > 0)
			r->disordered++; /* the same once more */
	} else if (ahead <= UINT16_MAX + 1 - MISORDER) {
		/* A jump: two in sequence tell that the sender has begun anew. */
		if (seq != r->bad) {
			r->bad = (seq + 1u) & UINT16_MAX;
			return;
		}
		r->lost_before += lost_of_source(r);
		start_at(r, seq);
	} else {
		r->disordered++;
	}
	r->received++;
}

/* §A.8, in integers. */
static void
time_it(struct sip_rtp *r, uint32_t arrival, uint32_t stamp)
{
	uint32_t transit = arrival - stamp;
	int32_t d = (int32_t)(transit - r->transit);

	if (r->timed)
		r->jitter += (uint32_t)(d < 0 ? -(int64_t)d : d) - ((r->jitter + 8) >> 4);
	r->transit = transit;
	r->timed = true;
}

static void
change_source(struct sip_rtp *r, uint32_t ssrc, uint16_t seq)
{
	r->lost_before += lost_of_source(r);
	r->sources++;
	r->ssrc = ssrc;
	r->timed = false;
	r->jitter = 0;
	start_at(r, seq);
	r->max = (uint16_t)(seq - 1);
	r->probation = SEQUENTIAL;
}

enum sip_rtp_kind
sip_rtp_seen(struct sip_rtp *r, const uint8_t *p, size_t n, uint32_t arrival)
{
	size_t header;

	if (n < 2 || p[0] >> 6 != 2)
		return SIP_RTP_OTHER;
	if (p[1] >= 192 && p[1] <= 223) {
		r->rtcp++;
		return SIP_RTP_CONTROL;
	}
	header = SIP_RTP_LEN + 4u * (p[0] & 15);
	if (p[0] & 16) {
		if (n < header + 4)
			return SIP_RTP_MALFORMED;
		header += 4u + 4u * ((size_t)p[header + 2] << 8 | p[header + 3]);
	}
	if (n < header)
		return SIP_RTP_MALFORMED;
	r->packets++;
	r->octets += n - header;
	if (r->sources == 0 || get32(p + 8) != r->ssrc)
		change_source(r, get32(p + 8), (uint16_t)(p[2] << 8 | p[3]));
	in_sequence(r, (uint16_t)(p[2] << 8 | p[3]));
	time_it(r, arrival, get32(p + 4));
	return SIP_RTP_DATA;
}
