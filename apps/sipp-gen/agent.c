#include <stdlib.h>
#include <time.h>

#include <rte_malloc.h>

#include "call.h"
#include "nfv_digest.h"

#define RX_BURSTS  4    /* a turn */
#define EXPIRED    32   /* timers a turn */
#define BEGIN_MAX  32   /* calls a turn: after a stall they are made up for, not thrown at once */
#define QUIET_MS   4500 /* a message is sent again after four seconds, at the latest */
#define BEHIND_MS  100  /* a call this late is not begun any more, and counted as limited */
#define BLOCKS_MIN 2048u
#define BLOCKS_MAX 65536u

#define CALL_VARS_TEXT   512u /* bytes for the texts of a call's variables */
#define GLOBAL_VARS_TEXT 4096u

static size_t
align(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

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

static bool
needs_blocks(const struct scenario *sc)
{
	for (uint32_t i = 0; i < sc->n_steps; i++)
		if (sc->step[i].kind == STEP_SEND && sc->step[i].keeps_message)
			return true;
	return sc->keeps_last || sc->uses_auth;
}

/* A call's variables and the room for their texts. */
static size_t
vars_bytes(const struct scenario *sc)
{
	return sc->n_scope[VAR_CALL] > 0 ? vars_size(sc->n_scope[VAR_CALL], CALL_VARS_TEXT) : 0;
}

static void
lay_out(struct agent *a)
{
	for (int i = 1; i <= SCENARIO_RTDS; i++)
		a->rtds = a->sc->rtd_name[i].n > 0 ? (unsigned int)i : a->rtds;
	/* Texts take what is left of four cache lines, and more where routes have to be kept. */
	a->text_room =
		(size_t)SLOT_LINES * 64 - sizeof(struct call) - (a->rtds + 1) * sizeof(uint64_t);
	if (!a->sc->caller)
		a->text_room += TEXT_CALL_IDS;
	for (uint32_t i = 0; i < a->sc->n_steps; i++)
		if (a->sc->step[i].rrs) {
			a->text_room += TEXT_ROUTE_SET;
			break;
		}
	a->vars_at = align(sizeof(struct call) + a->text_room, 8);
	a->rtd_at = align(a->vars_at + vars_bytes(a->sc), 8);
	a->lines_at = a->rtd_at + (a->rtds + 1) * sizeof(uint64_t);
	a->stride = align(a->lines_at + a->conf.n_users * sizeof(uint32_t), 64);
	a->blocks = 0;
	if (needs_blocks(a->sc)) {
		uint32_t some = a->conf.open / 4;

		some = some < BLOCKS_MIN ? BLOCKS_MIN : some > BLOCKS_MAX ? BLOCKS_MAX : some;
		a->blocks = a->sc->keeps_last ? 2 * a->conf.open : some;
	}
}

size_t
agent_call_size(const struct agent *a)
{
	return a->stride + sizeof(uint32_t) * 3 + sizeof(struct linger) +
		(size_t)a->blocks * sizeof(struct block) / (a->conf.open ? a->conf.open : 1);
}

static int
allocate(struct agent *a, struct nfv_err *err)
{
	const struct agent_conf *c = &a->conf;
	uint64_t buckets = 1;
	/* A peer that lingers must not take this run's calls for those of the one before. */
	uint32_t first = (uint32_t)(rte_rdtsc() * 0x9e3779b97f4a7c15u >> 33);

	while (buckets < 2ull * c->open)
		buckets *= 2;
	a->mask = buckets - 1;
	a->slots = rte_malloc_socket("calls", a->stride * c->open, 64, c->socket);
	a->free_slot = rte_malloc_socket("free", sizeof(uint32_t) * c->open, 64, c->socket);
	a->linger = rte_malloc_socket("linger", sizeof(*a->linger) * c->open, 64, c->socket);
	a->bucket = rte_malloc_socket("bucket", sizeof(uint32_t) * buckets, 64, c->socket);
	a->block = rte_malloc_socket("kept", sizeof(struct block) * (a->blocks + 1), 64, c->socket);
	a->global = rte_malloc_socket(
		"globals", vars_size(a->sc->n_scope[VAR_GLOBAL], GLOBAL_VARS_TEXT), 8, c->socket);
	if (a->global != NULL)
		vars_init(a->global, a->sc->n_scope[VAR_GLOBAL], GLOBAL_VARS_TEXT);
	if (a->slots == NULL || a->global == NULL || a->linger == NULL || a->free_slot == NULL ||
		a->bucket == NULL || a->block == NULL)
		return nfv_fail(err, ENOMEM,
			"no memory for %u calls at once, %zu bytes each; give EAL more (-m) or a lower -l",
			c->open, agent_call_size(a));
	for (uint32_t i = 0; i < c->open; i++) {
		memset(call_at(a, i), 0, sizeof(struct call));
		call_at(a, i)->generation = first;
		a->free_slot[i] = c->open - 1 - i;
	}
	a->n_free = c->open;
	memset(a->bucket, 0xff, sizeof(uint32_t) * buckets);
	a->free_block = NO_BLOCK;
	return 0;
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
	lay_out(a);
	rc = allocate(a, err);
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
	rte_free(a->slots);
	rte_free(a->free_slot);
	rte_free(a->linger);
	rte_free(a->bucket);
	rte_free(a->block);
	rte_free(a->global);
	rte_free(a->impair);
	rte_free(a);
}

void
call_linger(struct agent *a, struct call *c)
{
	if (c->lingering)
		return;
	c->lingering = true;
	a->lingering++;
	a->linger[a->linger_to++ % a->conf.open] =
		(struct linger){ call_index(a, c), c->generation };
}

/* Room for a new call: the one that has lingered for longest has waited in vain. */
static bool
end_oldest(struct agent *a)
{
	while (a->linger_from < a->linger_to) {
		struct linger l = a->linger[a->linger_from++ % a->conf.open];
		struct call *c = call_at(a, l.slot);

		if (c->state == CALL_FREE || c->generation != l.generation)
			continue;
		call_succeed(a, c);
		return true;
	}
	return false;
}

struct call *
call_take(struct agent *a)
{
	struct call *c;
	uint32_t generation;

	if (a->n_free == 0 && !end_oldest(a))
		return NULL;
	c = call_at(a, a->free_slot[--a->n_free]);
	generation = c->generation + 1;
	memset(c, 0, sizeof(*c));
	c->generation = generation;
	c->state = CALL_RUNNING;
	c->chain = NO_CALL;
	c->block_in = c->block_out = NO_BLOCK;
	c->cseq = a->conf.base_cseq;
	c->number = ++a->number;
	if (a->sc->n_scope[VAR_CALL] > 0)
		vars_init((uint8_t *)c + a->vars_at, a->sc->n_scope[VAR_CALL], CALL_VARS_TEXT);
	memset(call_rtd(a, c), 0, (a->rtds + 1) * sizeof(uint64_t));
	for (uint32_t i = 0; i < a->conf.n_users; i++)
		call_lines(a, c)[i] = users_next(a->conf.users[i], &a->cursor[i]);
	a->stats.open++;
	if (a->stats.open > a->stats.open_max)
		a->stats.open_max = a->stats.open;
	return c;
}

static void
give_back(struct agent *a, struct call *c)
{
	uint32_t i = call_index(a, c);

	nfv_wheel_cancel(&a->wheel, i);
	if (!c->caller)
		match_forget(a, c);
	call_drop(a, &c->block_in);
	call_drop(a, &c->block_out);
	a->lingering -= c->lingering;
	c->state = CALL_FREE;
	a->free_slot[a->n_free++] = i;
	a->stats.open--;
}

void
call_succeed(struct agent *a, struct call *c)
{
	a->stats.successful++;
	hist_add(&a->stats.call_length, (a->now - c->begun) * 1000000 / a->ms);
	give_back(a, c);
}

void
call_fail(struct agent *a, struct call *c, enum cause cause)
{
	a->stats.failed++;
	a->stats.cause[cause]++;
	give_back(a, c);
}

bool
call_set_text(struct agent *a, struct call *c, enum text t, struct nfv_sv s)
{
	char *room = call_text_room(c);
	size_t old = (size_t)(c->text[t + 1] - c->text[t]), tail = c->text[TEXTS] - c->text[t + 1];

	if (c->text[TEXTS] - old + s.n > a->text_room)
		return false;
	memmove(room + c->text[t] + s.n, room + c->text[t + 1], tail);
	memcpy(room + c->text[t], s.p, s.n);
	for (int i = t + 1; i <= TEXTS; i++)
		c->text[i] = (uint16_t)(c->text[i] + s.n - old);
	return true;
}

void
call_arm(struct agent *a, struct call *c)
{
	uint64_t at = c->due;

	if (c->resend != 0 && (at == 0 || c->resend < at))
		at = c->resend;
	if (at != 0)
		nfv_wheel_add(&a->wheel, call_index(a, c), at);
	else
		nfv_wheel_cancel(&a->wheel, call_index(a, c));
}

static uint32_t
take_block(struct agent *a)
{
	uint32_t i = a->free_block;

	if (i != NO_BLOCK)
		a->free_block = a->block[i].next;
	else if (a->touched_blocks < a->blocks)
		i = a->touched_blocks++;
	return i;
}

bool
call_keep(struct agent *a, uint32_t *block, struct nfv_sv bytes)
{
	uint32_t *link = block, i;
	size_t at = 0;

	call_drop(a, block);
	do {
		size_t n = bytes.n - at < BLOCK_BYTES ? bytes.n - at : BLOCK_BYTES;

		i = take_block(a);
		if (i == NO_BLOCK) {
			call_drop(a, block);
			return false;
		}
		*link = i;
		memcpy(a->block[i].bytes, bytes.p + at, n);
		a->block[i].n = (uint16_t)n;
		a->block[i].next = NO_BLOCK;
		link = &a->block[i].next;
		at += n;
	} while (at < bytes.n);
	return true;
}

struct nfv_sv
call_kept(const struct agent *a, uint32_t block, char *room)
{
	const struct block *b = &a->block[block];
	size_t n = 0;

	if (b->next == NO_BLOCK)
		return nfv_sv(b->bytes, b->n);
	for (;; b = &a->block[b->next]) {
		memcpy(room + n, b->bytes, b->n);
		n += b->n;
		if (b->next == NO_BLOCK)
			return nfv_sv(room, n);
	}
}

void
call_drop(struct agent *a, uint32_t *block)
{
	uint32_t last = *block;

	if (last == NO_BLOCK)
		return;
	while (a->block[last].next != NO_BLOCK)
		last = a->block[last].next;
	a->block[last].next = a->free_block;
	a->free_block = *block;
	*block = NO_BLOCK;
}

static void
begin_call(struct agent *a, uint64_t intended)
{
	struct call *c;

	a->stats.offered++;
	if (a->now > intended + BEHIND_MS * a->ms) {
		a->stats.skipped++;
		a->stats.limited++;
		return;
	}
	c = call_take(a);
	if (c == NULL) {
		a->stats.skipped++;
		return;
	}
	a->stats.created_out++;
	hist_add(&a->stats.latency[LATENCY_LAG],
		a->now > intended ? (a->now - intended) * 1000000 / a->ms : 0);
	c->caller = true;
	c->begun = intended;
	call_start_rtds(a, c);
	c->peer = a->conf.remote;
	play(a, c, NULL);
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
	due = pace_take(&a->pace, a->now, intended, left < BEGIN_MAX ? (uint32_t)left : BEGIN_MAX);
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
