/* Whose turn it is: the instances of a template share the stage's state, and one at a time may touch it. */
#include <string.h>

#include "host.h"

#define FAULTS 3 /* in a row: the state itself may be what ends them */

/* Who of its template may touch the state until it is dead. */
static uint32_t
before(const struct nfv_isolated *iso, const struct instance *in)
{
	uint32_t serial = 0;

	for (int i = 0; i < INSTANCES; i++) {
		const struct instance *o = &iso->slot[i];
		int state = atomic_load(&o->state);

		if (o != in && o->gone_to && state != FREE && state < DEAD &&
			o->template == in->template)
			serial = serial == 0 ? o->serial : NFV_WIRE_NEVER;
	}
	return serial;
}

bool
turn_go(struct nfv_isolated *iso, struct instance *in)
{
	struct nfv_wire_go go = { .after = before(iso, in), .afresh = iso->faults >= FAULTS };

	instance_place(iso, in);
	in->gone_to = true;
	in->waits = go.after != 0;
	return nfv_wire_send(in->sock, NFV_WIRE_GO, &go, sizeof(go), NULL, 0, NULL) == 0;
}

void
turn_pass(struct nfv_isolated *iso)
{
	for (int i = 0; i < INSTANCES; i++) {
		struct instance *in = &iso->slot[i];
		int state = atomic_load(&in->state);

		if (in->waits && state >= OFFERED && state <= DRAINED && before(iso, in) == 0)
			turn_go(iso, in);
	}
}

/* What the stage keeps on a disk is read by another template; those of this one have nothing to go on with. */
static void
lose(struct nfv_isolated *iso, struct template *t)
{
	for (int i = 0; i < INSTANCES; i++) {
		int state = atomic_load(&iso->slot[i].state);

		if (iso->slot[i].of == t && state > FORKING && state < CONDEMNED)
			instance_end(iso, &iso->slot[i], NFV_END_REPLACED);
	}
	iso->faults = 0;
	template_lost(iso, t, "its state was torn, and is read from the disk again");
}

void
turn_told(struct nfv_isolated *iso, struct instance *in)
{
	struct nfv_wire_state s;
	char why[sizeof(iso->last.text)];

	memcpy(&s, iso->msg.body, sizeof(s));
	in->told = true;
	if (s.how == NFV_STATE_LOST) {
		lose(iso, in->of);
		return;
	}
	if (s.how == NFV_STATE_MENDED) {
		iso->stats.mended++;
		iso->stats.mend_dropped += s.dropped;
		if (s.cycles < 1ull << 44)
			iso->stats.mend_ns =
				(uint64_t)((double)s.cycles * 1e9 / (double)iso->tsc_hz);
		return;
	}
	iso->stats.afresh++;
	/* Behind what is said of the end that it comes from. */
	snprintf(why, sizeof(why), "%s", iso->last.text);
	nfv_fail(&iso->last, EIO, "%s; instance %u begins afresh, %s", why, in->serial,
		iso->faults >= FAULTS ? "those that went on with its state having ended, too" :
					"its state having been torn and not to be mended");
	iso->faults = 0;
}
