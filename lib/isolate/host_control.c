/* The control thread's side: what the processes say, whether they live, who is next. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host.h"

#define MS              1000000ull
#define STABLE_MS       1000 /* an instance that ends sooner has ended early */
#define WARM_MS         5000 /* to be forked and to wait */
#define SHOW_MS         1000
#define DRAIN_MS        1000
#define BACKOFF_MOST_MS 5000

const char *const nfv_end_name[NFV_ENDS] = {
	[NFV_END_GONE] = "gone",
	[NFV_END_RING] = "bad-ring",
	[NFV_END_INDEX] = "bad-index",
	[NFV_END_BOUNDS] = "bad-bounds",
	[NFV_END_VERDICT] = "bad-verdict",
	[NFV_END_BEAT] = "no-heartbeat",
	[NFV_END_PROGRESS] = "no-progress",
	[NFV_END_MESSAGE] = "bad-message",
	[NFV_END_DRAIN] = "not-drained",
	[NFV_END_REPLACED] = "replaced",
	[NFV_END_TAKE] = "not-taken-over",
};

static const char *const sentence[NFV_ENDS] = {
	[NFV_END_GONE] = "its process has ended",
	[NFV_END_RING] = "it has told a count of descriptors that cannot be",
	[NFV_END_INDEX] = "it has returned a buffer that is not the next it was given",
	[NFV_END_BOUNDS] = "it has returned a packet that does not lie as it may in its buffer",
	[NFV_END_VERDICT] = "it has returned a verdict or a direction that there is not",
	[NFV_END_BEAT] = "its heart has stopped beating",
	[NFV_END_PROGRESS] = "it gives back none of the packets it has",
	[NFV_END_MESSAGE] = "it has said what it must not",
	[NFV_END_DRAIN] = "it was replaced and has not given back what it had",
	[NFV_END_REPLACED] = "it was replaced",
	[NFV_END_TAKE] = "it was to take over from another instance, and has not",
};

static const char by_filter[] =
	"it was ended by the filter of system calls, having called one that a "
	"poll loop does not need";

uint64_t
host_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* An instance has ended early: the next one waits, longer each time. */
static void
back_off(struct nfv_isolated *iso, uint64_t now)
{
	uint64_t ms = iso->conf.backoff_ms;

	iso->early++;
	for (uint32_t i = 1; i < iso->early && ms < BACKOFF_MOST_MS; i++)
		ms *= 2;
	iso->not_before = now + (ms < BACKOFF_MOST_MS ? ms : BACKOFF_MOST_MS) * MS;
	if (iso->conf.restarts > 0 && iso->early == iso->conf.restarts)
		nfv_fail(&iso->last, EAGAIN,
			"stage %s: %u instances have ended early one after the other: it is given "
			"up, and its packets are %s",
			iso->ops->name, iso->early,
			iso->on_failure == NFV_FAIL_BYPASS ? "passed on" : "dropped");
}

static bool
given_up(const struct nfv_isolated *iso)
{
	return iso->conf.restarts > 0 && iso->early >= iso->conf.restarts;
}

static bool
has_template(const struct instance *in)
{
	return in->of->sock >= 0 && in->of->number == in->template;
}

/* One that was condemned, whoever did: counted and told once, and killed. */
static void
execute(struct nfv_isolated *iso, struct instance *in)
{
	enum nfv_end why = (enum nfv_end)atomic_load(&in->why);
	uint64_t now = host_now();

	if (in->killed)
		return;
	iso->stats.ends[why]++;
	/* That its template has gone is why, and has been told, or will be. */
	if (why != NFV_END_REPLACED && (why != NFV_END_GONE || has_template(in)))
		nfv_fail(&iso->last, EIO, "stage %s: instance %u (process %d) is ended: %s",
			iso->ops->name, in->serial, in->pid,
			in->filtered ? by_filter : sentence[why]);
	if (why != NFV_END_REPLACED && !in->heir && now - in->since < STABLE_MS * MS)
		back_off(iso, now);
	iso->faults += why != NFV_END_REPLACED && why != NFV_END_GONE;
	instance_kill(iso, in);
}

void
instance_end(struct nfv_isolated *iso, struct instance *in, enum nfv_end why)
{
	condemn(iso, in, why);
	if (atomic_load(&in->state) == CONDEMNED)
		execute(iso, in);
}

/* Its process is gone for certain: buffers may be swept. */
static void
bury(struct nfv_isolated *iso, struct instance *in)
{
	int state = atomic_load(&in->state);

	if (state == FREE || state >= DEAD)
		return;
	instance_end(iso, in, state == DRAINED ? NFV_END_REPLACED : NFV_END_GONE);
	if (in->pidfd >= 0)
		close(in->pidfd);
	in->pidfd = -1;
	atomic_store(&in->state, DEAD);
	atomic_store(&iso->attention, 1);
}

static struct instance *
in_state(struct nfv_isolated *iso, enum state a, enum state b)
{
	for (int i = 0; i < INSTANCES; i++) {
		int s = atomic_load(&iso->slot[i].state);

		if (s == (int)a || s == (int)b)
			return &iso->slot[i];
	}
	return NULL;
}

/* --- what is said -------------------------------------------------------------------------------- */

void
template_lost(struct nfv_isolated *iso, struct template *t, const char *why)
{
	nfv_fail(&iso->last, EIO,
		"stage %s: its template (process %d) is ended, and the next one begins afresh: %s",
		iso->ops->name, t->pid, why);
	template_end(t);
	/* What it was asked for will not come; what lives, lives on, if it is let. */
	for (int i = 0; i < INSTANCES; i++) {
		struct instance *in = &iso->slot[i];

		if (atomic_load(&in->state) != FORKING || in->of != t)
			continue;
		atomic_store(&in->why, NFV_END_GONE);
		instance_free(in);
	}
	if (t == iso->now)
		back_off(iso, host_now());
}

/* It waits, and its process is known: which of the two is heard first is chance. */
static void
warm(struct nfv_isolated *iso, struct instance *in)
{
	int was = FORKING;

	if (!in->ready || in->pidfd < 0)
		return;
	in->since = host_now();
	iso->stats.fork_ns = in->since - in->asked;
	atomic_compare_exchange_strong(&in->state, &was, in->heir ? HEIR : WARM);
}

static void
forked(struct nfv_isolated *iso, struct template *t)
{
	struct nfv_wire_forked f;

	memcpy(&f, iso->msg.body, sizeof(f));
	for (int i = 0; i < INSTANCES; i++) {
		struct instance *in = &iso->slot[i];
		int pid;

		if (atomic_load(&in->state) != FORKING || in->serial != f.serial ||
			in->pidfd >= 0 || in->of != t)
			continue;
		pid = instance_pid(iso->msg.fd[0], t->pid);
		if (pid == -EPERM) {
			template_lost(iso, t, "it has named a process that is not its child");
			return;
		}
		in->pid = pid;
		in->template_pid = f.pid;
		in->pidfd = iso->msg.fd[0];
		iso->msg.n_fd = 0;
		iso->stats.forks++;
		warm(iso, in);
		return;
	}
}

/* Only to tell more about an end that is known by then, or soon. */
static void
exited(struct nfv_isolated *iso, const struct template *t)
{
	struct nfv_wire_forked f;

	memcpy(&f, iso->msg.body, sizeof(f));
	if (f.serial == NFV_WIRE_NEVER) {
		iso->stats.upkeep_ends++;
		nfv_fail(&iso->last, EIO,
			"stage %s: process %d, which does its upkeep, is ended; another one is "
			"started",
			iso->ops->name, f.pid);
		return;
	}
	/* SIGKILL comes from elsewhere. */
	iso->faults += WIFSIGNALED(f.status) ? WTERMSIG(f.status) != SIGKILL : f.status != 0;
	if (!WIFSIGNALED(f.status) || WTERMSIG(f.status) != SIGSYS)
		return;
	iso->stats.filtered++;
	nfv_fail(&iso->last, EIO, "stage %s: process %d is ended: %s", iso->ops->name, f.pid,
		by_filter);
	/* If its end is still to be told, it is to be told like this. */
	for (int i = 0; i < INSTANCES; i++)
		if (iso->slot[i].template_pid == f.pid && iso->slot[i].of == t)
			iso->slot[i].filtered = true;
}

static void
hear_template(struct nfv_isolated *iso, struct template *t)
{
	struct nfv_err err = { "" };
	int rc;

	while (t->sock >= 0 && (rc = nfv_wire_recv(t->sock, false, &iso->msg, &err)) != -EAGAIN) {
		if (rc <= 0)
			template_lost(iso, t, rc == 0 ? "it has closed its socket" : err.text);
		else if (iso->msg.type == NFV_WIRE_FORKED)
			forked(iso, t);
		else if (iso->msg.type == NFV_WIRE_EXITED)
			exited(iso, t);
		else
			template_lost(iso, t, "it has said what it must not");
		nfv_wire_close(&iso->msg);
	}
}

static void
hear(struct nfv_isolated *iso, struct instance *in)
{
	struct nfv_err err = { "" };
	int rc = 0;

	/* A few at a time: one that talks without end is not to keep us. */
	for (int i = 0; i < 8 && !in->hung_up; i++) {
		rc = nfv_wire_recv(in->sock, false, &iso->msg, &err);
		if (rc == -EAGAIN)
			return;
		in->hung_up = rc <= 0;
		if (rc < 0)
			instance_end(iso, in, NFV_END_MESSAGE);
		if (rc <= 0)
			break;
		nfv_wire_close(&iso->msg);
		if (iso->msg.type == NFV_WIRE_READY && !in->ready) {
			in->ready = true;
			warm(iso, in);
		} else if (iso->msg.type == NFV_WIRE_STATE && in->gone_to && !in->told) {
			turn_told(iso, in);
		} else if (iso->msg.type == NFV_WIRE_SHOWN) {
			free(iso->text);
			iso->text = malloc(iso->msg.len + 1);
			iso->n_text = iso->text != NULL ? iso->msg.len : 0;
			if (iso->text != NULL)
				memcpy(iso->text, iso->msg.body, iso->n_text);
			iso->answered = true;
		} else if (iso->msg.type == NFV_WIRE_NEAR) {
			in->near = true;
		} else if (iso->msg.type == NFV_WIRE_FAILED) {
			in->hung_up = true;
			instance_end(iso, in, NFV_END_GONE);
			nfv_fail(&iso->last, EIO, "stage %s: %s", iso->ops->name,
				(const char *)iso->msg.body);
		} else {
			in->hung_up = true;
			instance_end(iso, in, NFV_END_MESSAGE);
		}
	}
	/* A closed socket is an end too, whoever still runs; and what is expected of one that steps back. */
	if (in->hung_up)
		instance_end(iso, in,
			atomic_load(&in->state) == DRAINED ? NFV_END_REPLACED : NFV_END_GONE);
}

/* --- whether it lives ---------------------------------------------------------------------------- */

static void
feel(struct nfv_isolated *iso, struct instance *in, uint64_t now)
{
	const struct nfv_wire_shared *word = (const struct nfv_wire_shared *)in->shared.at;
	uint64_t beat = atomic_load_explicit(&word->beat, memory_order_relaxed);
	uint64_t done = atomic_load_explicit(&in->returned, memory_order_relaxed);
	uint64_t polls = atomic_load_explicit(&iso->polls, memory_order_relaxed);

	if (beat != in->beat) {
		in->beat = beat;
		in->beat_at = now;
	}
	/* Without a worker that collects nothing can come back. */
	if (done != in->done || polls == in->polls ||
		atomic_load_explicit(&in->in_flight, memory_order_relaxed) == 0) {
		in->done = done;
		in->done_at = now;
	}
	in->polls = polls;
	if (now - in->beat_at > iso->conf.beat_ms * MS)
		instance_end(iso, in, NFV_END_BEAT);
	else if (now - in->done_at > iso->conf.progress_ms * MS)
		instance_end(iso, in, NFV_END_PROGRESS);
}

static void
look_after(struct nfv_isolated *iso, struct instance *in, uint64_t now)
{
	switch (atomic_load(&in->state)) {
	case FORKING:
		if (now - in->asked > WARM_MS * MS)
			instance_end(iso, in, NFV_END_BEAT);
		break;
	case HEIR:
		if (iso->swap.state == NFV_SWAP_COPYING)
			feel(iso, in, now);
		break;
	case PARKED:
	case OFFERED:
	case TAKING:
	case LIVE:
		feel(iso, in, now);
		if (now - in->since > STABLE_MS * MS)
			iso->early = iso->faults = 0;
		break;
	case DRAINING:
	case GIVING:
		feel(iso, in, now);
		if (in->done_at == 0 || now - in->done_at > DRAIN_MS * MS)
			instance_end(iso, in, NFV_END_DRAIN);
		break;
	case DRAINED:
		/* It steps back and ends by itself. */
		if (now - in->done_at > DRAIN_MS * MS)
			instance_end(iso, in, NFV_END_DRAIN);
		break;
	case CONDEMNED:
		execute(iso, in);
		/* The next one waits for its death. Never forked, as far as we know: nothing could run. */
		if (in->pidfd < 0 || poll(&(struct pollfd){ in->pidfd, POLLIN, 0 }, 1, 1) > 0)
			bury(iso, in);
		break;
	case SWEPT:
		instance_free(in);
		break;
	default:
		break;
	}
}

/* --- who is next --------------------------------------------------------------------------------- */

static bool
offer(struct nfv_isolated *iso, uint64_t now)
{
	struct instance *in = in_state(iso, WARM, WARM);
	int was = WARM;

	if (in == NULL || !turn_go(iso, in))
		return false;
	in->since = in->beat_at = in->done_at = now;
	if (!atomic_compare_exchange_strong(&in->state, &was, OFFERED))
		return false;
	atomic_store(&iso->next, in);
	atomic_store(&iso->attention, 1);
	return true;
}

static void
provide(struct nfv_isolated *iso, uint64_t now)
{
	struct instance *in;

	if (swap_look(iso, now))
		return;
	if (in_state(iso, OFFERED, LIVE) == NULL)
		offer(iso, now);
	turn_pass(iso);
	if (iso->swap.state != NFV_SWAP_NONE || in_state(iso, FORKING, WARM) != NULL ||
		now < iso->not_before || given_up(iso))
		return;
	if (iso->now->sock < 0) {
		struct nfv_err why = { "" };
		int rc = template_start(iso, iso->now, &why);

		/* That nobody is at the door yet is nothing to tell. */
		if (rc < 0 && rc != -EAGAIN) {
			iso->last = why;
			back_off(iso, now);
		}
		if (rc < 0)
			return;
		iso->stats.afresh++;
	}
	in = in_state(iso, FREE, FREE);
	if (in == NULL)
		return;
	in->asked = in->since = now;
	if (instance_ask(iso, iso->now, in, NULL, &iso->last) < 0)
		back_off(iso, now);
}

void
nfv_isolated_control(struct nfv_isolated *iso, int timeout_ms)
{
	enum { TEMPLATES = 2 * INSTANCES, ALL = TEMPLATES + 2 };
	struct pollfd p[ALL];
	uint64_t now;

	/* One that is not ready yet is waited for by who started it. */
	for (int i = 0; i < 2; i++)
		p[TEMPLATES + i] =
			(struct pollfd){ .fd = iso->tmpl[i].ready ? iso->tmpl[i].sock : -1,
				.events = POLLIN };
	for (int i = 0; i < INSTANCES; i++) {
		const struct instance *in = &iso->slot[i];

		p[i] = (struct pollfd){ .fd = in->hung_up ? -1 : in->sock, .events = POLLIN };
		p[INSTANCES + i] = (struct pollfd){ .fd = in->pidfd, .events = POLLIN };
	}
	/* What the worker has noticed is not to wait for the time to be over. */
	if (in_state(iso, CONDEMNED, SWEPT) != NULL || in_state(iso, DRAINED, DRAINED) != NULL ||
		iso->swap.state == NFV_SWAP_SWITCHING)
		timeout_ms = timeout_ms > 1 ? 1 : timeout_ms;
	if (poll(p, ALL, timeout_ms) < 0)
		return;
	now = host_now();
	reap_look();
	for (int i = 0; i < 2; i++)
		if (p[TEMPLATES + i].revents != 0)
			hear_template(iso, &iso->tmpl[i]);
	for (int i = 0; i < INSTANCES; i++) {
		struct instance *in = &iso->slot[i];

		if (p[i].revents != 0 && in->sock >= 0)
			hear(iso, in);
		if (p[INSTANCES + i].revents != 0 && in->pidfd >= 0)
			bury(iso, in);
		look_after(iso, in, now);
	}
	provide(iso, now);
}

int
nfv_isolated_replace(struct nfv_isolated *iso, struct nfv_err *err)
{
	const char *name = iso->ops->name;

	if (iso->swap.state != NFV_SWAP_NONE)
		return nfv_fail(err, EAGAIN, "stage %s: it is being replaced already", name);
	if (in_state(iso, OFFERED, OFFERED) != NULL || in_state(iso, DRAINING, DRAINED) != NULL ||
		!offer(iso, host_now()))
		return nfv_fail(err, EAGAIN, "stage %s: no spare is ready to take over", name);
	return 0;
}

int
nfv_isolated_show(struct nfv_isolated *iso, FILE *to, struct nfv_err *err)
{
	struct instance *in = atomic_load(&iso->shown);
	uint64_t until = host_now() + SHOW_MS * MS;

	iso->answered = false;
	if (in == NULL || nfv_wire_send(in->sock, NFV_WIRE_SHOW, NULL, 0, NULL, 0, err) < 0)
		return nfv_fail(err, EAGAIN, "stage %s: no instance is live", iso->ops->name);
	while (!iso->answered && host_now() < until)
		nfv_isolated_control(iso, 1);
	if (!iso->answered)
		return nfv_fail(err, ETIMEDOUT, "stage %s: it does not answer", iso->ops->name);
	fwrite(iso->text, 1, iso->n_text, to);
	return 0;
}
