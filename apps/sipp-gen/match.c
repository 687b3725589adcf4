/* Which call a message belongs to, and which of its steps. */
#define _GNU_SOURCE /* memmem */

#include "call.h"

#define ID_DIGITS 8 /* of slot and of generation in our Call-IDs: SSSSSSSS-GGGGGGGG@… */

static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Fixed digits; false: something else. */
static bool
parse_hex(const char *p, unsigned int digits, uint64_t *out)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < digits; i++) {
		int x = hex(p[i]);

		if (x < 0)
			return false;
		v = v << 4 | (uint64_t)x;
	}
	*out = v;
	return true;
}

/* Of a Call-ID made here: NULL: it is none of ours, or (`*dead`) the call has ended. */
static struct call *
find_own(const struct agent *a, struct nfv_sv id, bool *dead)
{
	uint64_t slot, generation;
	struct call *c;

	if (id.n < 2 * ID_DIGITS + 2 || id.p[ID_DIGITS] != '-' || id.p[2 * ID_DIGITS + 1] != '@' ||
		!parse_hex(id.p, ID_DIGITS, &slot) ||
		!parse_hex(id.p + ID_DIGITS + 1, ID_DIGITS, &generation) || slot >= a->conf.open)
		return NULL;
	c = call_at(a, (uint32_t)slot);
	if (c->state != CALL_FREE && c->caller && c->generation == generation)
		return c;
	*dead = (int32_t)((uint32_t)generation - c->generation) <= 0; /* it goes round */
	return NULL;
}

static struct call *
find_peers(const struct agent *a, struct nfv_sv id, uint64_t hash)
{
	uint32_t i = a->bucket[hash & a->mask];

	while (i != NO_CALL) {
		struct call *c = call_at(a, i);

		if (c->hash == hash && nfv_sv_eq(call_text(c, TEXT_CALL_ID), id))
			return c;
		i = c->chain;
	}
	return NULL;
}

void
match_forget(struct agent *a, struct call *c)
{
	uint32_t *at = &a->bucket[c->hash & a->mask], i = call_index(a, c);

	while (*at != NO_CALL && *at != i)
		at = &call_at(a, *at)->chain;
	if (*at == i)
		*at = c->chain;
}

struct nfv_sv
match_value(const struct nfv_sip_msg *m, enum nfv_sip_field field)
{
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(m, field);

	return h != NULL ? nfv_sv(m->p + h->value, h->value_n) : nfv_sv(NULL, 0);
}

/* "1 INVITE". False: it is none. */
bool
match_cseq(const struct nfv_sip_msg *m, uint32_t *number, uint8_t *method)
{
	struct nfv_sv rest = match_value(m, NFV_SIP_H_CSEQ), word = nfv_sv_word(&rest);
	uint64_t n = 0;

	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] < '0' || word.p[i] > '9' || n > UINT32_MAX)
			return false;
		n = 10 * n + (uint64_t)(word.p[i] - '0');
	}
	if (word.n == 0)
		return false;
	*number = (uint32_t)n;
	*method = nfv_sip_method(nfv_sv_word(&rest));
	return true;
}

static bool
fits(const struct agent *a, uint32_t i, const struct nfv_sip_msg *m, uint8_t method)
{
	const struct step *s = &a->sc->step[i];

	if (s->request != !m->response)
		return false;
	if (m->response)
		return s->status == m->status && a->answers[i] == method;
	if (s->regexp_match && s->regex != NULL) {
		char name[32];

		if (m->method_name.n >= sizeof(name))
			return false;
		memcpy(name, m->method_name.p, m->method_name.n);
		name[m->method_name.n] = '\0';
		return regexec(s->regex, name, 0, NULL, 0) == 0;
	}
	if (s->method != NFV_SIP_OTHER)
		return s->method == m->method;
	return nfv_sv_eq(s->method_name, m->method_name);
}

/* From the step the call stands at, past what is optional; then what is optional everywhere. */
static int
find_step(const struct agent *a, const struct call *c, const struct nfv_sip_msg *m, uint8_t method)
{
	for (uint32_t i = c->pc; i < a->sc->n_steps && a->sc->step[i].kind == STEP_RECV; i++) {
		if (fits(a, i, m, method))
			return (int)i;
		if (a->sc->step[i].optional == NOT_OPTIONAL)
			break;
	}
	for (uint32_t i = 0; a->has_global && i < a->sc->n_steps; i++)
		if (a->sc->step[i].kind == STEP_RECV &&
			a->sc->step[i].optional == OPTIONAL_GLOBAL && fits(a, i, m, method))
			return (int)i;
	return -1;
}

/* A call that the peer begins, if the scenario waits for this message first. */
static struct call *
begin(struct agent *a, const struct nfv_sip_msg *m, const struct net_datagram *d, struct nfv_sv id,
	uint64_t hash)
{
	const struct call first = { .pc = a->first_recv };
	bool stopped = atomic_load_explicit(&a->stop, memory_order_relaxed) != 0;
	struct call *c;

	if (a->sc->caller || m->response || stopped || find_step(a, &first, m, m->method) < 0 ||
		(a->conf.calls != 0 && a->stats.created_in >= a->conf.calls))
		return NULL;
	c = call_take(a, 0);
	if (c == NULL) {
		a->stats.skipped++;
		return NULL;
	}
	a->stats.created_in++;
	c->peer = d->from;
	c->begun = a->now;
	call_start_rtds(a, c);
	c->hash = hash;
	c->chain = a->bucket[hash & a->mask];
	a->bucket[hash & a->mask] = call_index(a, c);
	if (!call_set_text(a, c, TEXT_CALL_ID, id)) {
		call_fail(a, c, CAUSE_CANNOT_SEND);
		return NULL;
	}
	/* What stands before the first message it waits for: labels, actions. */
	play(a, c, NULL);
	return c->state == CALL_RECV ? c : NULL;
}

/* Our branch is z9hG4bK-SSSSSSSS-TTTTTTTTTTTTTTTT-…: T is when the request was to be sent. */
static void
time_answer(struct agent *a, const struct call *c, const struct nfv_sip_msg *m, uint8_t method)
{
	static const char mark[] = "branch=" NFV_SIP_COOKIE "-";
	struct nfv_sv via = match_value(m, NFV_SIP_H_VIA);
	const char *at = via.n > 0 ? memmem(via.p, via.n, mark, sizeof(mark) - 1) : NULL;
	uint64_t tsc;
	int which = method == NFV_SIP_REGISTER ? LATENCY_RRD :
		method == NFV_SIP_INVITE       ? LATENCY_SRD :
		method == NFV_SIP_BYE          ? LATENCY_SDD :
						 -1;

	if (at == NULL || which < 0 || m->status < 180 || (m->status < 200 && which != LATENCY_SRD))
		return;
	if (which == LATENCY_SRD && c->rang)
		return; /* timed by the 18x before */
	at += sizeof(mark) - 1 + ID_DIGITS + 1;
	if (at + 16 > via.p + via.n || !parse_hex(at, 16, &tsc) || tsc > a->now)
		return;
	hist_add(&a->stats.latency[which], (a->now - tsc) * 1000000 / a->ms);
}

void
match_datagram(void *agent, const struct net_datagram *d)
{
	struct agent *a = agent;
	struct nfv_sip_msg *m = &a->msg;
	enum nfv_sip_kind kind;
	uint8_t method = NFV_SIP_OTHER;
	bool dead = false;
	uint32_t cseq = 0;
	struct nfv_sv id;
	struct call *c;
	int step;

	if (a->conf.loss_in > 0 && agent_chance(a, a->conf.loss_in)) {
		a->stats.lost_in++;
		return;
	}
	if (d->to.port != a->conf.local.port) {
		a->stats.garbage++;
		return;
	}
	kind = nfv_sip_parse(m, d->payload.p, d->payload.n);
	if (kind == NFV_SIP_KEEPALIVE)
		return;
	id = kind == NFV_SIP_MESSAGE_OK ? match_value(m, NFV_SIP_H_CALL_ID) : nfv_sv(NULL, 0);
	if (id.n == 0 || !match_cseq(m, &cseq, &method)) {
		a->stats.garbage++;
		return;
	}
	a->stats.received++;
	a->heard = a->now;
	c = a->sc->caller ? find_own(a, id, &dead) : NULL;
	if (!a->sc->caller) {
		uint64_t hash = nfv_hash_bytes(&a->hash_key, id.p, id.n);

		c = find_peers(a, id, hash);
		if (c == NULL)
			c = begin(a, m, d, id, hash);
	}
	if (c == NULL) {
		if (dead)
			a->stats.dead_call++;
		else if (!dialog_out_of_call(a, m, d))
			a->stats.out_of_call++;
		return;
	}
	step = c->state == CALL_RECV ? find_step(a, c, m, method) : -1;
	/* A request seen before is no news, even where the scenario waits for another of its kind. */
	if (!m->response && c->last_recv != 0 && c->peer_method == m->method &&
		c->peer_cseq == cseq && m->method != NFV_SIP_ACK)
		step = -1;
	if (step < 0) {
		dialog_unexpected(a, c, m, d);
		return;
	}
	if (m->response) {
		c->answer_cseq = cseq;
		time_answer(a, c, m, method);
	} else {
		c->peer_cseq = cseq;
	}
	if (!m->response)
		c->peer_method = m->method;
	play_received(a, c, (uint16_t)step, m);
}
