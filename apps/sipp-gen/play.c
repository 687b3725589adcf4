/* Playing a scenario's steps. */
#include "call.h"
#include "names.h"

#define T2_MS 4000 /* RFC 3261 §17.1.2.1 */

static void
start_timers(struct agent *a, struct call *c, const struct step *s)
{
	uint64_t *rtd = call_rtd(a, c);

	if (s->start_rtd != 0)
		rtd[s->start_rtd] = a->now;
	if (s->rtd != 0 && rtd[s->rtd] != 0) {
		hist_add(&a->stats.rtd[s->rtd], (a->now - rtd[s->rtd]) * 1000000 / a->ms);
		if (!s->rtd_repeat)
			rtd[s->rtd] = 0;
	}
}

/* False: the call has ended. */
static bool
do_send(struct agent *a, struct call *c, uint16_t i, const struct nfv_sip_msg *last)
{
	const struct step *s = &a->sc->step[i];
	uint64_t sent;

	/* An ACK of a 2xx, or what follows a pause, goes out now; the first message when the call was
	 * to begin, so that a late start counts against nobody but this program. */
	sent = c->last_send == 0 && c->caller ? c->begun : a->now;
	/* Calls that follow each other in a slot within one turn must not have one branch. */
	c->sent = sent > c->sent ? sent : c->sent + 1;
	if (s->request && s->method != NFV_SIP_ACK && s->method != NFV_SIP_CANCEL &&
		c->last_send != 0 && c->cseq++ >= NAMES_CSEQ_MAX) {
		call_fail(a, c, CAUSE_CANNOT_SEND);
		return false;
	}
	if (s->request && s->method == NFV_SIP_INVITE)
		c->invite_cseq = c->cseq;
	if (!send_step(a, c, i, last, false)) {
		call_fail(a, c, CAUSE_CANNOT_SEND);
		return false;
	}
	a->stats.step[i].messages++;
	c->last_send = (uint16_t)(i + 1);
	if (s->request && s->method == NFV_SIP_ACK)
		c->ack = (uint16_t)(i + 1);
	if (s->request && s->method == NFV_SIP_INVITE) {
		c->invite = (uint16_t)(i + 1);
		c->ack = 0;
		c->answered = c->rang = false;
	}
	if (s->request)
		c->method = s->method;
	if (!s->keeps_message || s->retrans == 0)
		c->out_n = 0;
	c->established |= s->status >= 200 && s->status < 300 && c->peer_method == NFV_SIP_INVITE;
	c->resend = 0;
	c->resent = 0;
	if (s->retrans > 0 && a->conf.retransmit) {
		c->interval_ms = s->retrans;
		c->resend = a->now + s->retrans * a->ms;
	}
	start_timers(a, c, s);
	return true;
}

/* ---- from step to step ---- */

static bool
is_set(struct agent *a, struct call *c, int16_t var)
{
	const struct facts f = call_vars(a, c);

	return facts_is_set(&f, var);
}

/* Where to go on after a step: the following one, or where `next`, `test` and `chance` say. */
static uint16_t
follow(struct agent *a, struct call *c, uint16_t i)
{
	const struct step *s = &a->sc->step[i];

	if (s->next != NO_STEP && (s->next_if == NO_VAR || is_set(a, c, s->next_if)) &&
		(s->chance >= 1 || agent_chance(a, s->chance)))
		return (uint16_t)s->next;
	return (uint16_t)(i + 1);
}

/* False: the call has ended. */
static bool
act(struct agent *a, struct call *c, uint16_t i, const struct nfv_sip_msg *last, int *jump)
{
	const struct step *s = &a->sc->step[i];
	char texts[512];
	struct nfv_sip_writer small = nfv_sip_writer(texts, sizeof(texts));
	struct verdict v;
	struct facts f;

	*jump = NO_STEP;
	if (s->n_actions == 0)
		return true;
	send_facts(a, c, i, last, &small, &f);
	v = actions_run(a->sc, s, &f, &a->actions);
	switch (v.kind) {
	case VERDICT_ERROR:
		a->stats.fatal++;
		agent_stop(a, false);
		/* fall through */
	case VERDICT_FAIL:
		dialog_abandon(a, c);
		call_fail(a, c, v.cause);
		return false;
	case VERDICT_STOP_GRACEFULLY:
		agent_stop(a, false);
		return true;
	case VERDICT_STOP_NOW:
		agent_stop(a, true);
		return true;
	case VERDICT_JUMP:
		*jump = v.step;
		return true;
	default:
		return true;
	}
}

static double
pause_ms(struct agent *a, struct call *c, const struct duration *d)
{
	const struct facts f = call_vars(a, c);
	const struct value *v;

	if (d->kind == DIST_DEFAULT)
		return a->conf.duration_ms;
	if (d->kind != DIST_VARIABLE)
		return duration_sample(d, &a->actions.random);
	v = facts_value(&f, d->var);
	return v != NULL && v->kind == VALUE_NUMBER ? v->number : 0;
}

static uint64_t
pause_ticks(struct agent *a, struct call *c, const struct duration *d)
{
	double ms = pause_ms(a, c, d);

	return ms <= 0 ? 0 : ms > 1e9 ? 1000000000ull * a->ms : (uint64_t)(ms * (double)a->ms);
}

static void
wait_for_message(struct agent *a, struct call *c)
{
	const struct step *s = &a->sc->step[c->pc];
	uint32_t timeout = s->timeout != 0 ? s->timeout : a->conf.recv_timeout_ms;

	c->state = CALL_RECV;
	c->due = timeout != 0 ? a->now + timeout * a->ms : 0;
	call_arm(a, c);
}

void
play(struct agent *a, struct call *c, const struct nfv_sip_msg *msg)
{
	int jump;

	c->state = CALL_RUNNING;
	for (unsigned int turns = 0; c->pc < a->sc->n_steps; turns++) {
		uint16_t i = c->pc;
		const struct step *s = &a->sc->step[i];
		uint64_t ticks;

		/* A scenario that turns in a circle without waiting would hold up all others. */
		if (turns > 2 * SCENARIO_STEPS) {
			call_fail(a, c, CAUSE_STOPPED);
			return;
		}
		if (s->condexec != NO_VAR && is_set(a, c, s->condexec) == s->condexec_inverse) {
			c->pc = (uint16_t)(i + 1);
			continue;
		}
		switch (s->kind) {
		case STEP_SEND:
			if (!do_send(a, c, i, msg))
				return;
			break;
		case STEP_RECV:
			wait_for_message(a, c);
			return;
		case STEP_PAUSE:
		case STEP_TIMEWAIT:
			ticks = pause_ticks(a, c, &s->pause);
			a->stats.step[i].messages++;
			start_timers(a, c, s);
			if (ticks == 0)
				break;
			if (a->sc->keeps_last && msg != NULL)
				call_keep(a, &c->block_in, nfv_sv(msg->p, msg->n));
			if (s->kind == STEP_TIMEWAIT)
				call_linger(a, c);
			c->state = CALL_PAUSE;
			c->due = a->now + ticks;
			call_arm(a, c);
			return;
		default:
			start_timers(a, c, s);
		}
		if (!act(a, c, i, msg, &jump))
			return;
		c->pc = jump != NO_STEP ? (uint16_t)jump : follow(a, c, i);
	}
	call_succeed(a, c);
}

/* ---- what was received ---- */

/* The tag parameter of the peer's From or To. */
static struct nfv_sv
tag_of(struct nfv_sv value)
{
	const char *end = value.p + value.n, *at = memchr(value.p, '>', value.n);

	for (at = at != NULL ? at : value.p; at + 5 < end; at++) {
		if (*at != ';' || strncasecmp(at + 1, "tag=", 4) != 0)
			continue;
		at += 5;
		return nfv_sv(at,
			strcspn(at, ";, \t\r\n") < (size_t)(end - at) ? strcspn(at, ";, \t\r\n") :
									(size_t)(end - at));
	}
	return nfv_sv(NULL, 0);
}

/* The URI of a name-addr or addr-spec. */
static struct nfv_sv
uri_of(struct nfv_sv value)
{
	const char *open = memchr(value.p, '<', value.n), *close;

	if (open == NULL)
		return nfv_sv_trim(nfv_sv(value.p,
			strcspn(value.p, ";,\r\n") < value.n ? strcspn(value.p, ";,\r\n") :
							       value.n));
	close = memchr(open, '>', (size_t)(value.p + value.n - open));
	return close != NULL ? nfv_sv(open + 1, (size_t)(close - open - 1)) : nfv_sv(NULL, 0);
}

/* The route set (RFC 3261 §12.1): Record-Route as it stands for who answers, the other way round for
 * who calls; and the target, from Contact. */
static bool
learn_routes(struct agent *a, struct call *c, const struct nfv_sip_msg *m)
{
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(m, NFV_SIP_H_RECORD_ROUTE);
	struct nfv_sv contact = match_value(m, NFV_SIP_H_CONTACT), piece[16];
	char text[TEXT_ROUTE_SET];
	size_t n = 0;
	unsigned int pieces = 0;

	if (contact.n > 0 && !call_set_text(a, c, TEXT_NEXT_URL, uri_of(contact)))
		return false;
	for (; h != NULL && pieces < 16; h = nfv_sip_next_hdr(m, h))
		piece[pieces++] = nfv_sv(m->p + h->value, h->value_n);
	for (unsigned int i = 0; i < pieces; i++) {
		struct nfv_sv s = piece[m->response ? pieces - 1 - i : i];

		if (n + s.n + 2 > sizeof(text))
			return false;
		if (i > 0) {
			text[n++] = ',';
			text[n++] = ' ';
		}
		memcpy(text + n, s.p, s.n);
		n += s.n;
	}
	return call_set_text(a, c, TEXT_ROUTES, nfv_sv(text, n));
}

static bool
learn(struct agent *a, struct call *c, const struct step *s, const struct nfv_sip_msg *m)
{
	struct nfv_sv who = match_value(m, m->response ? NFV_SIP_H_TO : NFV_SIP_H_FROM), tag;

	if (who.n > 0 && (tag = tag_of(who)).n > 0 && !call_set_text(a, c, TEXT_PEER_TAG, tag))
		return false;
	if (s->rrs && !learn_routes(a, c, m))
		return false;
	if (m->response && c->method == NFV_SIP_INVITE) {
		c->answered = true;
		c->rang |= m->status >= 180;
		c->established |= m->status >= 200 && m->status < 300;
	}
	if (a->sc->keeps_last && !call_keep(a, &c->block_in, nfv_sv(m->p, m->n)))
		return false;
	return true;
}

void
play_received(struct agent *a, struct call *c, uint16_t i, const struct nfv_sip_msg *m)
{
	const struct step *s = &a->sc->step[i];
	int jump;

	a->stats.step[i].messages++;
	if (s->lost > 0 && agent_chance(a, (double)s->lost)) {
		a->stats.step[i].lost++;
		a->stats.lost_in++;
		return;
	}
	c->last_recv = (uint16_t)(i + 1);
	c->resend = 0;
	c->due = 0;
	c->out_n = 0; /* it was heard */
	call_drop(a, &c->block_out);
	start_timers(a, c, s);
	if (!learn(a, c, s, m)) {
		dialog_abandon(a, c);
		call_fail(a, c, CAUSE_CANNOT_SEND);
		return;
	}
	if (!act(a, c, i, m, &jump))
		return;
	/* What is optional may still be followed by what was waited for before it. */
	if (jump != NO_STEP)
		c->pc = (uint16_t)jump;
	else if (s->optional == NOT_OPTIONAL || s->next != NO_STEP)
		c->pc = follow(a, c, i);
	else if (s->optional == OPTIONAL_HERE)
		c->pc = (uint16_t)(i + 1);
	play(a, c, m);
}

/* ---- timers ---- */

static bool
resend_is_due(const struct agent *a, const struct call *c)
{
	return c->resend != 0 && c->resend <= a->now;
}

/* Of INVITE and of answers to it the interval doubles, of others up to T2. False: too often. */
static bool
resend(struct agent *a, struct call *c)
{
	const struct step *s = &a->sc->step[c->last_send - 1];
	bool invite = s->request && s->method == NFV_SIP_INVITE;
	uint32_t most = invite ? a->conf.retrans_invite : a->conf.retrans_other;

	if (c->resent >= most)
		return false;
	send_again(a, c, NULL);
	c->resent++;
	c->interval_ms *= 2;
	if (!invite && c->interval_ms > T2_MS)
		c->interval_ms = T2_MS;
	c->resend = a->now + c->interval_ms * a->ms;
	return true;
}

void
play_timer(struct agent *a, struct call *c)
{
	if (resend_is_due(a, c) && !resend(a, c)) {
		dialog_abandon(a, c);
		call_fail(a, c, CAUSE_MAX_RETRANSMISSIONS);
		return;
	}
	if (c->due == 0 || c->due > a->now) {
		call_arm(a, c);
		return;
	}
	c->due = 0;
	if (c->state == CALL_PAUSE) {
		int jump;

		if (!act(a, c, c->pc, NULL, &jump))
			return;
		c->pc = jump != NO_STEP ? (uint16_t)jump : follow(a, c, c->pc);
		play(a, c, NULL);
		return;
	}
	a->stats.step[c->pc].timeouts++;
	if (a->sc->step[c->pc].ontimeout != NO_STEP) {
		c->pc = (uint16_t)a->sc->step[c->pc].ontimeout;
		c->resend = 0;
		play(a, c, NULL);
		return;
	}
	dialog_abandon(a, c);
	call_fail(a, c, CAUSE_TIMEOUT_RECV);
}
