#include "overload.h"

#define WINDOW_MS 5
#define PATIENCE  8                    /* windows */
#define FALL      16                   /* a sixteenth a window, if all bursts are full */
#define RISE      512                  /* of SIP_ADMIT_ALL a window, if none is */
#define ADMIT_MIN (SIP_ADMIT_ALL / 64) /* so that it learns when things are better */
#define IDLE      200 /* windows without a packet after which nothing is known any more */

void
sip_overload_init(struct sip_overload *o, uint64_t tsc_hz, double rate, double burst)
{
	*o = (struct sip_overload){
		.admit = SIP_ADMIT_ALL, .limited = rate > 0, .window = tsc_hz / 1000 * WINDOW_MS
	};
	if (o->limited)
		o->rate = sip_bucket(tsc_hz, rate, burst);
}

static bool
out_of_patience(const struct sip_overload *o, uint64_t tsc)
{
	for (int dir = 0; dir < 2; dir++)
		if (o->since[dir] != 0 && tsc - o->since[dir] > PATIENCE * o->window)
			return true;
	return false;
}

/* The share that is let in from this window on: half of the packets in full bursts is right. */
static uint32_t
next_admit(const struct sip_overload *o, uint64_t tsc)
{
	uint32_t half = o->packets / 2, to;

	if (tsc > o->until + IDLE * o->window)
		return SIP_ADMIT_ALL;
	if (o->admit == SIP_ADMIT_ALL)
		return out_of_patience(o, tsc) ? SIP_ADMIT_ALL - SIP_ADMIT_ALL / 8 : SIP_ADMIT_ALL;
	if (o->full > half) {
		to = o->admit -
			(uint32_t)((uint64_t)o->admit * (o->full - half) / (half + 1) / FALL);
		return to > ADMIT_MIN ? to : ADMIT_MIN;
	}
	to = o->admit + (uint32_t)((uint64_t)RISE * (half - o->full) / (half + 1)) + 1;
	return to < SIP_ADMIT_ALL ? to : SIP_ADMIT_ALL;
}

void
sip_overload_burst(
	struct sip_overload *o, unsigned int dir, unsigned int n, unsigned int max, uint64_t tsc)
{
	bool full = n + 4 >= max; /* some of it may have been others' packets, and dropped */

	if (!full)
		o->since[dir] = 0;
	else if (o->since[dir] == 0)
		o->since[dir] = tsc;
	o->packets += n;
	o->full += full ? n : 0;
	if (tsc < o->until)
		return;
	o->admit = next_admit(o, tsc);
	o->packets = o->full = 0;
	o->windows++;
	o->until = tsc + o->window;
}

bool
sip_overload_admit(struct sip_overload *o, uint64_t tsc)
{
	if (o->limited) {
		sip_bucket_fill(&o->rate, tsc);
		if (!sip_bucket_take(&o->rate)) {
			o->shed++;
			return false;
		}
	}
	o->sum += o->admit;
	if (o->sum < SIP_ADMIT_ALL) {
		o->shed++;
		return false;
	}
	o->sum -= SIP_ADMIT_ALL;
	return true;
}
