/**
 * @file
 * When there is more than can be done, less is begun: new requests are refused while they are still
 * cheap, so that calls that are under way go on. Two limits: a rate that is configured, and one that
 * finds itself.
 *
 * A worker that keeps up comes to the end of its queue now and then; one that was kept from its core
 * for a while does so soon. One that has received nothing but full bursts from a side for PATIENCE does
 * not: it refuses an eighth of new requests, and from then on looks at what part of the packets comes in
 * full bursts. That is little while the worker has time to spare and everything as soon as it has none, so
 * a worker that keeps it near a half is used up and has no queue to speak of. Over a half, the
 * share of new requests that is let in falls by up to a sixteenth every WINDOW; below it, it rises, until all are.
 * What is refused is reported upstream as a loss (RFC 7339 §6), to whoever has said that he listens.
 *
 * Threads: one.
 */
#ifndef OVERLOAD_H
#define OVERLOAD_H

#include "bucket.h"

#define SIP_ADMIT_ALL 65536u

struct sip_overload {
	struct sip_bucket rate;
	bool limited;           /* there is a rate */
	uint32_t admit;         /* of SIP_ADMIT_ALL */
	uint32_t sum;           /* admitted so far, less those that were let in */
	uint32_t packets, full; /* in this window; of them, in full bursts */
	uint64_t since[2];      /* TSC; bursts of a direction have been full; 0: the last was not */
	uint64_t window, until; /* TSC cycles; TSC */
	uint64_t windows;       /* so far */
	uint64_t shed;
};

/** `rate`: new requests a second, 0: no limit; `burst`: at once, in seconds of the rate. */
void sip_overload_init(struct sip_overload *o, uint64_t tsc_hz, double rate, double burst);
/** A burst of `n` out of `max` packets has been received from side `dir`, 0 or 1. */
void sip_overload_burst(
	struct sip_overload *o, unsigned int dir, unsigned int n, unsigned int max, uint64_t tsc);
/** Whether one more request is to be let in. */
bool sip_overload_admit(struct sip_overload *o, uint64_t tsc);
/** Percent of new requests that upstream should keep to itself. */
static inline unsigned int
sip_overload_loss(const struct sip_overload *o)
{
	return (SIP_ADMIT_ALL - o->admit) * 100 / SIP_ADMIT_ALL;
}

#endif
