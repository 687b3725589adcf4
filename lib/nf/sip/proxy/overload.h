/**
 * @file
 * When there is more than can be done, less is begun: new requests are refused while they are still
 * cheap, so that calls that are under way go on. Two limits: a rate that is configured, and one that
 * finds itself.
 *
 * A worker that keeps up has time to spare now and then; one that was kept from its core for a while
 * soon has. One that has had next to none for 40 ms does not keep up: it refuses an eighth of new
 * requests, and from then on lets in as many as leave it a little time. Without any, the share that is
 * let in falls by a sixteenth every 5 ms; with more than that little it rises, until all are let in.
 * (Full bursts would tell the same, did senders not send in bursts themselves.) What is refused is
 * reported upstream as a loss (RFC 7339 §6), to whoever has said that he listens.
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
	uint32_t without;       /* windows in succession without time to spare */
	uint64_t window, until; /* TSC cycles; TSC */
	uint64_t began, idle;   /* of this window: TSC, and the worker's idle cycles until then */
	uint64_t windows;       /* so far */
	uint64_t shed;
};

/** `rate`: new requests a second, 0: no limit; `burst`: at once, in seconds of the rate. */
void sip_overload_init(struct sip_overload *o, uint64_t tsc_hz, double rate, double burst);
/** With each burst: for how many cycles the worker has had nothing to do since it began. */
void sip_overload_note(struct sip_overload *o, uint64_t idle, uint64_t tsc);
/** Whether one more request is to be let in. */
bool sip_overload_admit(struct sip_overload *o, uint64_t tsc);
/** Percent of new requests that upstream should keep to itself. */
static inline unsigned int
sip_overload_loss(const struct sip_overload *o)
{
	return (SIP_ADMIT_ALL - o->admit) * 100 / SIP_ADMIT_ALL;
}

#endif
