#include <stdlib.h>
#include <time.h>

#include <rte_malloc.h>

#include "call.h"
#include "nfv_digest.h"

#define RX_BURSTS 4    /* a turn */
#define EXPIRED   32   /* timers a turn */
#define BEGIN_MAX 32   /* calls a turn: after a stall they are made up for, not thrown at once */
#define QUIET_MS  4500 /* a message is sent again after four seconds, at the latest */
#define BEHIND_MS 100  /* a call this late is not begun any more, and counted as limited */

/* A response is expected to the request that the scenario sent last before; scenarios branch, but
 * do not wait for responses in another order than they ask. */
static void
find_requests(struct agent *a)
{
	uint8_t method = NFV_SIP_OTHER;

	for (uint32_t i = a->sc->n_steps; i-- > 0;)
		if (a->sc->step[i].kind == STEP_RECV)
			a->first_recv = (uint16_t)i;
	for (uint32_t i = 0; i < a->sc->n_steps; i++) {
		const struct step *s = &a->sc->step[i];

		a->has_global |= s->kind == STEP_RECV && s->optional == OPTIONAL_GLOBAL;
		if (s->kind == STEP_SEND && s->request && s->method != NFV_SIP_ACK)
			method = s->method;
		a->answers[i] = method;
	}
}

static int
make_impair(struct agent *a, struct nfv_err *err)
{
	struct faults f;
	int rc = fault_init(&f, &a->conf.fault, err);
	bool steps = false;

	for (uint32_t i = 0; i < a->sc->n_steps; i++)
		steps |= a->sc->step[i].kind == STEP_SEND && a->sc->step[i].lost > 0;
	if (rc < 0 || (!fault_any(&f) && !steps))
		return rc;
	a->impair = rte_zmalloc_socket("impair", sizeof(*a->impair), 64, a->conf.socket);
	if (a->impair == NULL)
		return nfv_fail(err, ENOMEM, "no memory for messages held back");
	a->impair->faults = f;
	return 0;
}

static int
make_crowd(struct agent *a, struct nfv_err *err)
{
	const struct agent_conf *c = &a->conf;

	if (c->crowd > c->open)
		return nfv_fail(err, EINVAL, "%u users call, but only %u calls may be open (-l)",
			c->crowd, c->open);
	for (uint32_t i = 0; i < c->n_users && c->crowd > 0; i++)
		if (users_order(c->users[i]) == USERS_USER && users_lines(c->users[i]) < c->crowd)
			return nfv_fail(err, EINVAL,
				"%s has %u lines for %u users, each of whom has its own (USER)",
				users_name(c->users[i]), users_lines(c->users[i]), c->crowd);
	return crowd_init(&a->crowd, c->crowd, a->sc->n_scope[VAR_USER], c->socket, err);
}

/* Of the files given by name; without a name the first. NULL: there is no such. */
static int
find_users(const struct agent *a, struct nfv_sv file)
{
	for (uint32_t i = 0; i < a->conf.n_users; i++)
		if (file.n == 0 || nfv_sv_eq(file, nfv_sv_str(users_name(a->conf.users[i]))))
			return (int)i;
	return -1;
}

static int64_t
lookup(void *ctx, struct nfv_sv file, struct nfv_sv key)
{
	const struct agent *a = ctx;
	int i = find_users(a, file);

	return i >= 0 ? users_lookup(a->conf.users[i], key) : -1;
}

static bool
verify(void *ctx, const struct nfv_sip_msg *m, struct nfv_sv user, struct nfv_sv password)
{
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(m, NFV_SIP_H_AUTHORIZATION);
	struct nfv_digest_request r = { .user = user,
		.password = password,
		.method = m->method_name,
		.uri = m->uri,
		.body = nfv_sv(m->p + m->body, m->body_n) };
	struct nfv_digest_credentials c;

	(void)ctx;
	if (h == NULL)
		h = nfv_sip_first_hdr(m, NFV_SIP_H_PROXY_AUTHORIZATION);
	return h != NULL &&
		nfv_digest_credentials_parse(nfv_sv(m->p + h->value, h->value_n), &c) == 0 &&
		nfv_digest_matches(&c, &r);
}

struct nfv_sv
agent_field(void *ctx, struct nfv_sv file, int64_t line, unsigned int field)
{
	struct agent *a = ctx;
	int i = find_users(a, file);

	if (i < 0)
		return nfv_sv(NULL, 0);
	if (line < 0 || line >= users_lines(a->conf.users[i]))
		line = call_lines(a, a->current)[i];
	return users_field(a->conf.users[i], (uint32_t)line, field, a->field[a->field_at++ % 2]);
}

static uint64_t
wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000;
}

int
agent_begin(struct agent *a, uint64_t tsc)
{
	a->now = tsc;
	return pace_init(&a->pace, &a->conf.pace, a->conf.tsc_hz, tsc, NULL);
}

int
agent_create(const struct agent_conf *conf, struct agent **out, struct nfv_err *err)
{
	struct agent *a = rte_zmalloc_socket("agent", sizeof(*a), 64, conf->socket);
	uint64_t now = rte_rdtsc();
	int rc = -ENOMEM;

	if (a == NULL) {
		nfv_fail(err, ENOMEM, "no memory for a worker; give EAL more (-m)");
		goto fail;
	}
	a->conf = *conf;
	a->sc = conf->scenario;
	a->net = conf->net;
	a->ms = conf->tsc_hz / 1000;
	a->random = rnd_init(conf->seed, 0);
	a->hash_key = nfv_hash_key(conf->seed);
	a->rate = -1;
	for (uint32_t i = 0; i < conf->n_users; i++)
		users_cursor_init(&a->cursor[i], conf->users[i], 0, 1, conf->seed + i);
	rc = make_impair(a, err);
	if (rc < 0)
		goto fail;
	a->actions = (struct actions_env){ .ctx = a,
		.lookup = lookup,
		.verify = verify,
		.random = rnd_init(conf->seed, 1),
		.scratch = a->scratch,
		.scratch_n = sizeof(a->scratch) };
	rc = make_crowd(a, err);
	if (rc == 0)
		rc = slots_init(a, err);
	if (rc < 0)
		goto fail;
	find_requests(a);
	nfv_addr_text(&conf->local.addr, a->local_ip);
	nfv_addr_text(&conf->media.addr, a->media_ip);
	nfv_wheel_init(
		&a->wheel, a->slots, a->stride, offsetof(struct call, timer), conf->tsc_hz, now);
	rc = pace_init(&a->pace, &conf->pace, conf->tsc_hz, now, err);
	if (rc < 0)
		goto fail;
	a->wall_us = wall_us();
	a->created = now;
	*out = a;
	return 0;
fail:
	agent_destroy(a);
	return rc;
}

void
agent_destroy(struct agent *a)
{
	if (a == NULL)
		return;
	slots_fini(a);
	crowd_fini(&a->crowd);
	rte_free(a->impair);
	rte_free(a);
}

static bool
start_call(struct agent *a, uint64_t begun, uint32_t user)
{
	struct call *c = call_take(a, user);

	if (c == NULL)
		return false;
	a->stats.created_out++;
	c->caller = true;
	c->begun = begun;
	call_start_rtds(a, c);
	c->peer = a->conf.remote;
	play(a, c, NULL);
	return true;
}

static void
begin_call(struct agent *a, uint64_t intended)
{
	a->stats.offered++;
	if (a->now > intended + BEHIND_MS * a->ms) {
		a->stats.skipped++;
		a->stats.limited++;
		return;
	}
	if (!start_call(a, intended, 0)) {
		a->stats.skipped++;
		return;
	}
	hist_add(&a->stats.latency[LATENCY_LAG],
		a->now > intended ? (a->now - intended) * 1000000 / a->ms : 0);
}

/* Whoever has no call makes one. It is due when it is made: there is no lag, and none is left out. */
static uint32_t
keep_up(struct agent *a, uint32_t most)
{
	uint32_t user, n = 0;

	for (; n < most && (user = crowd_take(&a->crowd)) != 0; n++) {
		a->stats.offered++;
		if (!start_call(a, a->now, user)) {
			a->stats.skipped++;
			crowd_give(&a->crowd, user);
		}
	}
	return n;
}

static bool
begin_calls(struct agent *a)
{
	uint64_t intended[BEGIN_MAX], left = UINT64_MAX;
	double rate = atomic_exchange_explicit(&a->rate, -1, memory_order_relaxed);
	uint32_t due;

	if (!a->sc->caller || atomic_load_explicit(&a->stop, memory_order_relaxed) != 0)
		return false;
	if (rate >= 0)
		pace_change(&a->pace, a->now, rate, NULL);
	if (a->conf.calls != 0)
		left = a->conf.calls - a->stats.offered;
	left = left < BEGIN_MAX ? left : BEGIN_MAX;
	if (a->crowd.n > 0)
		return keep_up(a, (uint32_t)left) > 0;
	due = pace_take(&a->pace, a->now, intended, (uint32_t)left);
	for (uint32_t k = 0; k < due; k++)
		begin_call(a, intended[k]);
	return due > 0;
}

/* What is still open when the run is over ends here. */
static void
end_all(struct agent *a)
{
	for (uint32_t i = 0; i < a->conf.open; i++) {
		struct call *c = call_at(a, i);

		if (c->state == CALL_FREE)
			continue;
		if (c->lingering) {
			call_succeed(a, c);
			continue;
		}
		dialog_abandon(a, c);
		call_fail(a, c, CAUSE_ABORTED);
	}
	a->ended = true;
}

static void
count_impaired(struct agent *a)
{
	impair_tick(a->impair, a->net, a->now);
	a->stats.lost_out = a->impair->lost;
	a->stats.duplicated = a->impair->duplicated;
	a->stats.delayed = a->impair->delayed;
	a->stats.swapped = a->impair->swapped;
}

bool
agent_turn(struct agent *a, uint64_t tsc)
{
	uint32_t expired[EXPIRED], n;
	unsigned int got = 0;
	bool busy;

	a->now = tsc;
	for (int i = 0; i < RX_BURSTS; i++) {
		unsigned int now = net_poll(a->net, tsc, match_datagram, a);

		got += now;
		if (now < NET_BURST)
			break;
	}
	n = nfv_wheel_advance(&a->wheel, tsc, expired, EXPIRED);
	for (uint32_t i = 0; i < n; i++) {
		struct call *c = call_at(a, expired[i]);

		if (c->state != CALL_FREE)
			play_timer(a, c);
	}
	busy = begin_calls(a) || got > 0 || n > 0;
	if (atomic_load_explicit(&a->stop, memory_order_relaxed) == 2 && !a->ended)
		end_all(a);
	net_flush(a->net, tsc);
	if (tsc >= a->next_tick) {
		a->next_tick = tsc + a->ms;
		net_tick(a->net, tsc);
		if (a->impair != NULL)
			count_impaired(a);
	}
	return busy;
}

void
agent_stop(struct agent *a, bool now)
{
	atomic_store_explicit(&a->stop, now ? 2 : 1, memory_order_relaxed);
}

bool
agent_is_done(struct agent *a)
{
	const struct stats *s = &a->stats;
	bool enough =
		a->conf.calls != 0 && (a->sc->caller ? s->offered : s->created_in) >= a->conf.calls;

	if (!enough && atomic_load_explicit(&a->stop, memory_order_relaxed) == 0)
		return false;
	if (s->open > a->lingering)
		return false;
	/* Strays come soon, if at all: when it has been quiet for a while, nobody waits any more. */
	if (s->open > 0 && a->now < a->heard + QUIET_MS * a->ms)
		return false;
	end_all(a);
	return true;
}

void
agent_set_rate(struct agent *a, double rate)
{
	atomic_store_explicit(&a->rate, rate, memory_order_relaxed);
}

const struct stats *
agent_stats(const struct agent *a)
{
	return &a->stats;
}
