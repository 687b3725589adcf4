/* A stage replaced by another version of it: control's part. What happens to packets is in host_path.c. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

#define MS        1000000ull
#define FORK_MS   5000
#define COPY_MS   60000
#define SWITCH_MS 500

const char *
version_of(const struct template *t)
{
	return t->version[0] != 0 ? t->version : "built in";
}

static struct template *
other(struct nfv_isolated *iso)
{
	return iso->now == &iso->tmpl[0] ? &iso->tmpl[1] : &iso->tmpl[0];
}

static void
step(struct nfv_isolated *iso, enum nfv_swap state, uint64_t now)
{
	iso->swap.state = state;
	iso->swap.since = now;
}

static void
drop_template(struct template *t)
{
	template_end(t);
	template_forget(t);
}

/* Everything of the template that still lives is ended with it. */
static void
end_all_of(struct nfv_isolated *iso, struct template *t, enum nfv_end why)
{
	for (int i = 0; i < INSTANCES; i++) {
		int state = atomic_load(&iso->slot[i].state);

		if (iso->slot[i].of == t && state >= FORKING && state < CONDEMNED)
			instance_end(iso, &iso->slot[i], why);
	}
	drop_template(t);
}

static void
tell(struct instance *in, enum nfv_wire_type type, const struct nfv_wire_give *give)
{
	nfv_wire_send(in->sock, type, give, give != NULL ? sizeof(*give) : 0, NULL, 0, NULL);
}

/* --- how it may end ------------------------------------------------------------------------------- */

/* The old version goes on; why stands in `last` already, if there is anything to say. */
static void
call_off(struct nfv_isolated *iso, const char *why)
{
	struct swap *s = &iso->swap;
	struct template *to = s->to;

	if (why != NULL)
		nfv_fail(&iso->last, EIO, "stage %s: %s", iso->ops->name, why);
	if (s->done) {
		iso->stats.rolled_back++;
		nfv_fail_in(&iso->last, 0,
			"version %s is rolled back, and version %s goes on with the flows it had",
			version_of(to), version_of(iso->now));
	} else {
		iso->stats.not_replaced++;
		nfv_fail_in(&iso->last, 0, "version %s does not take over, and version %s goes on",
			version_of(to), version_of(iso->now));
	}
	end_all_of(iso, to, NFV_END_TAKE);
	if (atomic_load(&s->giver->state) == LIVE)
		tell(s->giver, NFV_WIRE_RESUME, NULL);
	step(iso, NFV_SWAP_NONE, 0);
}

/* It has lasted: nothing of the old version is needed any more. */
static void
commit(struct nfv_isolated *iso)
{
	struct template *old = iso->now;
	struct instance *giver = iso->swap.giver;
	int parked = PARKED;

	atomic_store(&giver->why, NFV_END_REPLACED);
	if (!atomic_compare_exchange_strong(&giver->state, &parked, CONDEMNED) && parked == GIVING)
		return;
	iso->now = iso->swap.to;
	iso->swap.heir->heir = false;
	end_all_of(iso, old, NFV_END_REPLACED);
	step(iso, NFV_SWAP_NONE, 0);
}

/* --- its course ----------------------------------------------------------------------------------- */

static bool
ended(const struct instance *in)
{
	int state = atomic_load(&in->state);

	return state >= CONDEMNED || state == FREE;
}

static void
copy(struct nfv_isolated *iso, uint64_t now)
{
	struct swap *s = &iso->swap;
	const struct nfv_wire_give give = { ++s->use, iso->conf.cpu >= 0 };

	s->giver->near = false;
	instance_place(iso, s->heir);
	tell(s->giver, NFV_WIRE_GIVE, &give);
	tell(s->heir, NFV_WIRE_TAKE, &give);
	s->heir->gone_to = true; /* nobody else of its template has been */
	s->heir->since = s->heir->beat_at = s->heir->done_at = now;
	step(iso, NFV_SWAP_COPYING, now);
}

static void
hand_over(struct nfv_isolated *iso, uint64_t now)
{
	struct swap *s = &iso->swap;
	int heir = HEIR;

	if (!atomic_compare_exchange_strong(&s->heir->state, &heir, OFFERED))
		return;
	s->heir->gone_to = true; /* nobody else of its template has been */
	s->heir->since = s->heir->beat_at = s->heir->done_at = now;
	step(iso, NFV_SWAP_SWITCHING, now);
	atomic_store(&iso->next, s->heir);
	atomic_store(&iso->attention, 1);
}

static void
taken(struct nfv_isolated *iso, uint64_t now)
{
	const struct nfv_wire_shared *word =
		(const struct nfv_wire_shared *)iso->swap.heir->shared.at;

	iso->stats.replaced++;
	iso->stats.flows_refused += atomic_load_explicit(&word->refused, memory_order_relaxed);
	iso->swap.done = true;
	step(iso, NFV_SWAP_PROBATION, now);
}

/* Until the worker has gone back to the old one, or there is none to go back to. */
static bool
gone_back(const struct swap *s)
{
	int state = atomic_load(&s->giver->state);

	return state == LIVE || state >= CONDEMNED || state == FREE;
}

bool
swap_look(struct nfv_isolated *iso, uint64_t now)
{
	struct swap *s = &iso->swap;
	uint64_t ms = (now - s->since) / MS;

	switch (s->state) {
	case NFV_SWAP_FORKING:
		if (ended(s->heir))
			call_off(iso, NULL);
		else if (ended(s->giver))
			call_off(iso, "the instance it was to take over from has ended");
		else if (atomic_load(&s->heir->state) == HEIR)
			copy(iso, now);
		else if (ms > FORK_MS)
			call_off(iso, "its instance is not forked in time");
		return false;
	case NFV_SWAP_COPYING:
		if (ended(s->heir))
			call_off(iso, NULL);
		else if (ended(s->giver))
			call_off(iso, "the instance it was to take over from has ended");
		else if (s->giver->near)
			hand_over(iso, now);
		else if (ms > COPY_MS)
			call_off(iso, "the state of the old one is not written down in time");
		return s->state == NFV_SWAP_SWITCHING;
	case NFV_SWAP_SWITCHING:
		if (atomic_load(&s->heir->state) == LIVE)
			taken(iso, now);
		else if (!ended(s->heir) && (ended(s->giver) || ms > SWITCH_MS))
			instance_end(iso, s->heir, NFV_END_TAKE);
		else if (ended(s->heir) && gone_back(s))
			call_off(iso, NULL);
		return s->state != NFV_SWAP_NONE;
	case NFV_SWAP_PROBATION:
		if (ended(s->heir) && gone_back(s))
			call_off(iso, NULL);
		else if (!ended(s->heir) && ms >= iso->conf.probation_ms)
			commit(iso);
		return s->state == NFV_SWAP_PROBATION;
	default:
		return false;
	}
}

/* --- asked for ------------------------------------------------------------------------------------ */

static int
start_version(struct nfv_isolated *iso, struct template *t, const struct nfv_isolated_version *v,
	struct nfv_err *err)
{
	t->argv = v->argv != NULL ? v->argv : iso->now->argv;
	if (v->object != NULL)
		t->object = fcntl(v->object->fd, F_DUPFD_CLOEXEC, 3);
	if (v->program != NULL)
		t->program = fcntl(v->program->fd, F_DUPFD_CLOEXEC, GUEST_FILES);
	if ((v->object != NULL && t->object < 0) || (v->program != NULL && t->program < 0))
		return nfv_fail(err, errno, "stage %s: %s", iso->ops->name, strerror(errno));
	if (v->program != NULL) /* it need not have a version of its own */
		snprintf(t->version, sizeof(t->version), "%.12s", v->program->sum);
	return template_start(iso, t, err);
}

static struct instance *
free_slot(struct nfv_isolated *iso)
{
	for (int i = 0; i < INSTANCES; i++)
		if (atomic_load(&iso->slot[i].state) == FREE)
			return &iso->slot[i];
	return NULL;
}

/* From a template that works to an instance that waits for its flows. */
static int
fork_heir(struct nfv_isolated *iso, struct template *t, struct instance *giver, struct nfv_err *err)
{
	struct instance *in = free_slot(iso);
	int rc;

	if (in == NULL)
		return nfv_fail(err, EAGAIN, "stage %s: it has no place any more", iso->ops->name);
	in->asked = in->since = host_now();
	rc = instance_ask(iso, t, in, giver, err);
	if (rc < 0)
		return rc;
	iso->swap = (struct swap){ .giver = giver, .heir = in, .to = t, .use = iso->swap.use };
	step(iso, NFV_SWAP_FORKING, in->asked);
	while (iso->swap.state == NFV_SWAP_FORKING)
		nfv_isolated_control(iso, 1);
	return iso->swap.state != NFV_SWAP_NONE ? 0 : nfv_fail(err, EIO, "%s", iso->last.text);
}

int
nfv_isolated_replace_by(
	struct nfv_isolated *iso, const struct nfv_isolated_version *version, struct nfv_err *err)
{
	struct template *t = other(iso);
	struct instance *giver;
	int rc;

	if (iso->swap.state != NFV_SWAP_NONE)
		return nfv_fail(err, EAGAIN,
			"stage %s: it has been replaced just now, and its new version is on probation",
			iso->ops->name);
	if (free_slot(iso) == NULL)
		return nfv_fail(err, EAGAIN,
			"stage %s: too many of its instances are on their way out; try again",
			iso->ops->name);
	rc = start_version(iso, t, version, err);
	if (rc < 0)
		goto fail;
	giver = atomic_load(&iso->shown);
	if (giver == NULL || atomic_load(&giver->state) != LIVE) {
		rc = nfv_fail(err, EAGAIN, "stage %s: no instance is live", iso->ops->name);
		goto fail;
	}
	rc = fork_heir(iso, t, giver, err);
	if (rc == 0)
		return 0;
fail:
	drop_template(t);
	return rc;
}

enum nfv_swap
nfv_isolated_swap(const struct nfv_isolated *iso)
{
	return iso->swap.state;
}

const char *
nfv_isolated_version(const struct nfv_isolated *iso)
{
	return version_of(
		iso->swap.done && iso->swap.state == NFV_SWAP_PROBATION ? iso->swap.to : iso->now);
}
