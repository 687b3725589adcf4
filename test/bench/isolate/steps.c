#include "steps.h"

#include "host.h"
#include "nfv_pipe.h"

const char *const switch_step_name[STEPS] = {
	[STEP_NEAR] = "offered",
	[STEP_LAST] = "last packet handed to the old one",
	[STEP_READ] = "it has taken that",
	[STEP_WRITTEN] = "it has written all",
	[STEP_LIVE] = "the new one has read all",
	[STEP_HANDED] = "the first packet is handed to it",
	[STEP_BACK] = "its first packet is back",
};

void
steps_near(struct switch_steps *s, uint64_t tsc)
{
	atomic_store(&s->near, tsc);
}

static void
begin(struct switch_steps *s, const struct nfv_isolated *iso)
{
	s->busy = true;
	s->given_since = iso->given_since;
	s->t[STEP_LAST] = iso->given_since;
	s->t[STEP_READ] = s->t[STEP_WRITTEN] = s->t[STEP_LIVE] = s->t[STEP_HANDED] = 0;
	s->prod = 0;
}

bool
steps_look(struct switch_steps *s, const struct nfv_isolated *iso, uint64_t tsc)
{
	const struct instance *heir = iso->cur, *giver = iso->giver;
	const struct nfv_pipe *pipe;
	uint32_t prod;

	if (!s->busy && iso->given_since == s->given_since)
		return false;
	if (!s->busy)
		begin(s, iso);
	/* It did not come to it. */
	if (heir == NULL || giver == NULL) {
		s->busy = false;
		return false;
	}
	if (s->t[STEP_READ] == 0 && atomic_load(&giver->in.ring->cons) == giver->in.mine)
		s->t[STEP_READ] = tsc;
	pipe = (const struct nfv_pipe *)(const void *)giver->outbox.at;
	prod = atomic_load(&pipe->prod);
	if (prod != s->prod && s->t[STEP_LIVE] == 0) {
		s->prod = prod;
		s->t[STEP_WRITTEN] = tsc;
	}
	if (s->t[STEP_LIVE] == 0 && atomic_load(&heir->state) == LIVE)
		s->t[STEP_LIVE] = iso->given_since + iso->stats.switch_tsc;
	if (s->t[STEP_HANDED] == 0 && heir->on_way.head != 0)
		s->t[STEP_HANDED] = tsc;
	if (s->t[STEP_LIVE] == 0 || atomic_load(&heir->returned) == 0)
		return false;
	s->t[STEP_BACK] = tsc;
	s->t[STEP_NEAR] = atomic_load(&s->near);
	s->busy = false;
	return true;
}
