#include "overload.h"

#define WINDOW_MS 5
#define FALL      16  /* a sixteenth */
#define RISE      8   /* of SIP_ADMIT_ALL */
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
sip_overload_burst(struct sip_overload *o, unsigned int n, unsigned int max, uint64_t tsc)
{
	o->bursts++;
	o->full += n + 4 >= max;
	if (tsc < o->until)
		return;
	if (tsc > o->until + IDLE * o->window)
		o->admit = SIP_ADMIT_ALL;
	else if (2 * o->full > o->bursts)
		o->admit -= o->admit > ADMIT_MIN ? (o->admit + FALL - 1) / FALL : 0;
	else
		o->admit = o->admit + RISE < SIP_ADMIT_ALL ? o->admit + RISE : SIP_ADMIT_ALL;
	o->windows++;
	o->bursts = o->full = 0;
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
