#include "overload.h"

#define FULL      128 /* bursts: some milliseconds of work */
#define FULL_MORE 32
#define FALL      16 /* a sixteenth */
#define RISE      8  /* of SIP_ADMIT_ALL */
#define WINDOW_MS 5
#define ADMIT_MIN 16  /* so that it learns when things are better */
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

void
sip_overload_burst(
	struct sip_overload *o, unsigned int dir, unsigned int n, unsigned int max, uint64_t tsc)
{
	/* Some of a burst may have been others' packets, and dropped. */
	o->full[dir] = n + 4 >= max ? o->full[dir] + 1 : 0;
	if (o->full[dir] == FULL + FULL_MORE) {
		o->full[dir] = FULL;
		o->until = tsc + o->window;
		o->admit -= o->admit > ADMIT_MIN ? (o->admit + FALL - 1) / FALL : 0;
	}
	if (tsc < o->until)
		return;
	if (tsc > o->until + IDLE * o->window)
		o->admit = SIP_ADMIT_ALL;
	else
		o->admit = o->admit + RISE < SIP_ADMIT_ALL ? o->admit + RISE : SIP_ADMIT_ALL;
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
