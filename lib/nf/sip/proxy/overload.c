#include "overload.h"

#define WINDOW_MS 5
#define PATIENCE  8  /* windows */
#define SPARE     32 /* a part in so many of its time is what a worker should have left */
#define FALL      16 /* by a part in so many, a window */
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

/* What share is let in from now on, after `took` cycles with so many `spare`. */
static uint32_t
next_admit(const struct sip_overload *o, uint64_t took, uint64_t spare)
{
	uint64_t wanted = took / SPARE, admit = o->admit;

	if (took > IDLE * o->window)
		return SIP_ADMIT_ALL;
	if (admit == SIP_ADMIT_ALL)
		return o->without >= PATIENCE ? SIP_ADMIT_ALL - SIP_ADMIT_ALL / 8 : SIP_ADMIT_ALL;
	if (spare < wanted)
		admit -= admit * (wanted - spare) / wanted / FALL;
	else
		/* Half of what more there is to spare: the rest of the calls is still to come. */
		admit += admit * (spare - wanted) / took / 2 + 1;
	return admit < ADMIT_MIN      ? ADMIT_MIN :
		admit < SIP_ADMIT_ALL ? (uint32_t)admit :
					SIP_ADMIT_ALL;
}

void
sip_overload_note(struct sip_overload *o, uint64_t idle, uint64_t tsc)
{
	uint64_t took = tsc - o->began, spare = idle - o->idle;

	if (tsc < o->until)
		return;
	o->without = spare < took / SPARE / 4 ? o->without + 1 : 0;
	o->admit = next_admit(o, took, spare);
	o->windows++;
	o->began = tsc;
	o->idle = idle;
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
