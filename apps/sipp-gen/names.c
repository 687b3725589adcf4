#include <math.h>
#include <stdarg.h>

#include "names.h"

#define PORT_MAX   65535
#define AUTO_STEP  4 /* ports of a call, as template_render.c gives them */
#define AUTO_CALLS 2500u
#define NEARLY     (AUTO_CALLS * 9 / 10)
#define LOOPED     1000000u /* requests that a call with a loop is taken to send */

/* The lowest and the highest number that a keyword with +N and -N has added to it. */
struct reach {
	bool used;
	int64_t low, high;
};

static void
stretch(struct reach *r, int64_t by)
{
	r->low = !r->used || by < r->low ? by : r->low;
	r->high = !r->used || by > r->high ? by : r->high;
	r->used = true;
}

static void
look(const struct template *t, enum keyword kw, int64_t base, struct reach *r)
{
	for (uint16_t i = 0; i < t->n; i++)
		if (t->piece[i].keyword == kw)
			stretch(r, base + t->piece[i].offset);
}

static struct reach
find(const struct scenario *s, enum keyword kw)
{
	struct reach r = { false, 0, 0 };

	for (uint32_t i = 0; i < s->n_steps; i++)
		if (s->step[i].kind == STEP_SEND)
			look(&s->step[i].message, kw, 0, &r);
	return r;
}

static void __attribute__((format(printf, 3, 4)))
say(struct names *n, enum names_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (n->n == NAMES_WARNINGS || n->kinds & 1u << kind)
		return;
	va_start(ap, fmt);
	vsnprintf(n->said[n->n].text, sizeof(n->said[n->n].text), fmt, ap);
	va_end(ap);
	n->n++;
	n->kinds |= 1u << kind;
}

/* Milliseconds that a call lasts at least, in the mean, before it only waits for strays. */
static double
length(const struct options_role *r, const struct scenario *s)
{
	double ms = 0;

	for (uint32_t i = 0; i < s->n_steps; i++) {
		const struct duration *d = &s->step[i].pause;

		if (s->step[i].kind != STEP_PAUSE)
			continue;
		if (d->kind == DIST_DEFAULT)
			ms += r->duration_ms;
		else if (d->kind == DIST_UNIFORM)
			ms += (d->a + d->b) / 2;
		else if (d->kind == DIST_FIXED || d->kind == DIST_NORMAL ||
			d->kind == DIST_EXPONENTIAL)
			ms += d->a;
	}
	return ms;
}

static double
highest_rate(const struct options_role *r)
{
	return r->pace.shape == PACE_BURST ? r->pace.burst / r->pace.seconds :
					     fmax(r->pace.rate, r->pace.rate_to);
}

/* Calls that the run makes at most. */
static double
calls(const struct options_role *r, double seconds)
{
	double n = r->calls > 0 ? (double)r->calls : INFINITY;

	return seconds > 0 && r->users == 0 ? fmin(n, highest_rate(r) * seconds + 1) : n;
}

static int
check_ports(
	const struct options_role *r, double seconds, const struct scenario *s, struct nfv_err *err)
{
	struct reach one = find(s, KW_MEDIA_PORT), each = find(s, KW_AUTO_MEDIA_PORT);
	/* Who answers does not know how many will call. */
	double most = s->caller ? fmin(calls(r, seconds), AUTO_CALLS) : AUTO_CALLS;
	int64_t room = AUTO_STEP * ((int64_t)most - 1);

	if (one.used && (r->media_port + one.low < 1 || r->media_port + one.high > PORT_MAX))
		return nfv_fail(err, EINVAL,
			"-mp %u: the scenario's [media_port+N] leaves the ports 1 to 65535; give %lld to "
			"%lld",
			r->media_port, (long long)(one.low < 0 ? 1 - one.low : 1),
			(long long)(PORT_MAX - (one.high > 0 ? one.high : 0)));
	if (each.used && r->media_port + each.low < 1)
		return nfv_fail(err, EINVAL,
			"-mp %u: the scenario's [auto_media_port-N] leads below port 1; give %lld or more",
			r->media_port, (long long)(1 - each.low));
	if (each.used && r->media_port + room + each.high > PORT_MAX)
		return nfv_fail(err, EINVAL,
			"-mp %u: [auto_media_port] gives each call four ports, for %.0f calls, and would "
			"leave the ports up to 65535; give %lld or less",
			r->media_port, most, (long long)(PORT_MAX - room - each.high));
	return 0;
}

static void
warn_of_ports(
	struct names *out, const struct options_role *r, double seconds, const struct scenario *s)
{
	double hold = length(r, s) / 1000, rate = highest_rate(r),
	       open = r->users > 0 ? r->users : fmin(rate * hold, r->open);

	if (!s->caller || !find(s, KW_AUTO_MEDIA_PORT).used ||
		fmin(open, calls(r, seconds)) <= AUTO_CALLS)
		return;
	if (r->users > 0)
		say(out, NAMES_MEDIA,
			"%u users call at once, but [auto_media_port] has ports for %u calls: "
			"beyond, calls share them",
			r->users, AUTO_CALLS);
	else
		say(out, NAMES_MEDIA,
			"at %g calls/s of %g s about %.0f are open at once, but [auto_media_port] has "
			"ports for %u calls: %.3g s after the start calls begin to share them",
			rate, hold, open, AUTO_CALLS, AUTO_CALLS / rate);
}

/* A step that is gone on with before what leads to it may be played without an end. */
static bool
has_loop(const struct scenario *s)
{
	for (uint32_t i = 0; i < s->n_steps; i++)
		if ((s->step[i].next != NO_STEP && s->step[i].next <= (int)i) ||
			(s->step[i].ontimeout != NO_STEP && s->step[i].ontimeout <= (int)i))
			return true;
	for (uint32_t i = 0; i < s->n_actions; i++)
		if (s->action[i].kind == ACT_JUMP)
			return true;
	return false;
}

static int
check_cseq(struct names *out, const struct options_role *r, const struct scenario *s,
	struct nfv_err *err)
{
	struct reach first = { false, 0, 0 }, all = { false, 0, 0 };
	int64_t requests = 0;

	for (uint32_t i = 0; i < s->n_steps; i++) {
		const struct step *step = &s->step[i];

		if (step->kind != STEP_SEND || !step->request)
			continue;
		/* An ACK has its INVITE's number, CANCEL too; else each request has the next. */
		requests += step->method != NFV_SIP_ACK && step->method != NFV_SIP_CANCEL;
		look(&step->message, KW_CSEQ, requests > 0 ? requests - 1 : 0, &all);
		if (requests <= 1)
			look(&step->message, KW_CSEQ, 0, &first);
	}
	if (first.used && r->base_cseq + first.high > NAMES_CSEQ_MAX)
		return nfv_fail(err, EINVAL,
			"-base_cseq %u: the scenario's first [cseq] would be %lld, past 2147483647, "
			"where RFC 3261 ends; give a lower one",
			r->base_cseq, r->base_cseq + (long long)first.high);
	if (all.used && has_loop(s))
		all.high += LOOPED;
	if (all.used && r->base_cseq + all.high > NAMES_CSEQ_MAX)
		say(out, NAMES_CSEQ,
			"-base_cseq %u: a call's [cseq] may come to 2147483647, where RFC 3261 ends, "
			"and what it would send then is not sent: the call fails",
			r->base_cseq);
	return 0;
}

int
names_check(struct names *out, const struct options_role *r, double seconds,
	const struct scenario *s, struct nfv_err *err)
{
	int rc = check_ports(r, seconds, s, err);

	if (rc == 0)
		rc = check_cseq(out, r, s, err);
	if (rc < 0)
		return rc;
	warn_of_ports(out, r, seconds, s);
	if (s->n_scope[VAR_USER] > 0 && r->users == 0)
		say(out, NAMES_USERS,
			"the scenario has variables of users (<User>), but without -users there are no "
			"users: they stay unset");
	return 0;
}

const char *
names_watch(struct names *out, const struct scenario *s, uint64_t open)
{
	uint32_t before = out->n;

	if (open >= NEARLY && !(out->kinds & 1u << NAMES_MEDIA) && find(s, KW_AUTO_MEDIA_PORT).used)
		say(out, NAMES_MEDIA,
			"%llu calls are open, and [auto_media_port] has ports for %u: beyond, calls "
			"share them",
			(unsigned long long)open, AUTO_CALLS);
	return out->n > before ? out->said[before].text : NULL;
}
