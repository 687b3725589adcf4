#include <string.h>

#include "txn_slots.h"

#define T1 500u /* ms (§17.1.1.1) */
#define T2 4000u
#define T4 5000u

_Static_assert(sizeof(struct sip_txn) == 128, "a transaction is two cache lines");

/* What an event does in a state: the state that follows, SIP_FREE for none, and the acts. */
struct rule {
	uint8_t to, acts;
};

/* clang-format off */
static const struct rule rules[SIP_MACHINES][SIP_STATES][SIP_EVENTS] = {
	[SIP_INVITE_SERVER] = { /* §17.2.1, RFC 6026 §7.1 */
		[SIP_PROCEEDING] = {
			[SIP_AGAIN] = { 0, SIP_RESEND },
			[SIP_1XX] = { 0, SIP_PASS },
			[SIP_2XX] = { SIP_ACCEPTED, SIP_PASS },
			[SIP_3XX] = { SIP_COMPLETED, SIP_PASS } },
		[SIP_ACCEPTED] = {
			[SIP_2XX] = { 0, SIP_PASS },
			[SIP_ACKED] = { 0, SIP_PASS },
			[SIP_END_DUE] = { SIP_OVER, SIP_END } },
		[SIP_COMPLETED] = {
			[SIP_AGAIN] = { 0, SIP_RESEND },
			[SIP_ACKED] = { SIP_CONFIRMED, 0 },
			[SIP_RESEND_DUE] = { 0, SIP_RESEND },
			[SIP_END_DUE] = { SIP_OVER, SIP_END } },
		[SIP_CONFIRMED] = {
			[SIP_END_DUE] = { SIP_OVER, SIP_END } } },
	[SIP_SERVER] = { /* §17.2.2 */
		[SIP_TRYING] = {
			[SIP_1XX] = { SIP_PROCEEDING, SIP_PASS },
			[SIP_2XX] = { SIP_COMPLETED, SIP_PASS },
			[SIP_3XX] = { SIP_COMPLETED, SIP_PASS } },
		[SIP_PROCEEDING] = {
			[SIP_AGAIN] = { 0, SIP_RESEND },
			[SIP_1XX] = { 0, SIP_PASS },
			[SIP_2XX] = { SIP_COMPLETED, SIP_PASS },
			[SIP_3XX] = { SIP_COMPLETED, SIP_PASS } },
		[SIP_COMPLETED] = {
			[SIP_AGAIN] = { 0, SIP_RESEND },
			[SIP_END_DUE] = { SIP_OVER, SIP_END } } },
	[SIP_INVITE_CLIENT] = { /* §17.1.1, RFC 6026 §7.2 */
		[SIP_TRYING] = {
			[SIP_1XX] = { SIP_PROCEEDING, SIP_PASS },
			[SIP_2XX] = { SIP_ACCEPTED, SIP_PASS },
			[SIP_3XX] = { SIP_COMPLETED, SIP_PASS | SIP_ACK_IT },
			[SIP_RESEND_DUE] = { 0, SIP_RESEND },
			[SIP_END_DUE] = { 0, SIP_TIMEOUT } },
		[SIP_PROCEEDING] = {
			[SIP_1XX] = { 0, SIP_PASS },
			[SIP_2XX] = { SIP_ACCEPTED, SIP_PASS },
			[SIP_3XX] = { SIP_COMPLETED, SIP_PASS | SIP_ACK_IT },
			[SIP_END_DUE] = { 0, SIP_TIMEOUT } },
		[SIP_ACCEPTED] = {
			[SIP_2XX] = { 0, SIP_PASS },
			[SIP_END_DUE] = { SIP_OVER, SIP_END } },
		[SIP_COMPLETED] = {
			[SIP_3XX] = { 0, SIP_ACK_IT },
			[SIP_END_DUE] = { SIP_OVER, SIP_END } } },
	[SIP_CLIENT] = { /* §17.1.2 */
		[SIP_TRYING] = {
			[SIP_1XX] = { SIP_PROCEEDING, SIP_PASS },
			[SIP_2XX] = { SIP_COMPLETED, SIP_PASS },
			[SIP_3XX] = { SIP_COMPLETED, SIP_PASS },
			[SIP_RESEND_DUE] = { 0, SIP_RESEND },
			[SIP_END_DUE] = { 0, SIP_TIMEOUT } },
		[SIP_PROCEEDING] = {
			[SIP_1XX] = { 0, SIP_PASS },
			[SIP_2XX] = { SIP_COMPLETED, SIP_PASS },
			[SIP_3XX] = { SIP_COMPLETED, SIP_PASS },
			[SIP_RESEND_DUE] = { 0, SIP_RESEND },
			[SIP_END_DUE] = { 0, SIP_TIMEOUT } },
		[SIP_COMPLETED] = {
			[SIP_END_DUE] = { SIP_OVER, SIP_END } } },
};

/* How long a state lasts, and after how long something is sent again the first time; ms. */
struct span {
	uint32_t end, again, again_max; /* end 0: as long as the clients want, or as it was */
};

static const struct span spans[SIP_MACHINES][SIP_STATES] = {
	[SIP_INVITE_SERVER] = {
		[SIP_ACCEPTED] = { 64 * T1, 0, 0 },    /* L */
		[SIP_COMPLETED] = { 64 * T1, T1, T2 }, /* H, G */
		[SIP_CONFIRMED] = { T4, 0, 0 } },      /* I */
	[SIP_SERVER] = {
		[SIP_COMPLETED] = { 64 * T1, 0, 0 } }, /* J */
	[SIP_INVITE_CLIENT] = {
		[SIP_TRYING] = { 64 * T1, T1, 64 * T1 }, /* B, A */
		[SIP_PROCEEDING] = { UINT32_MAX, 0, 0 }, /* C, which is configured */
		[SIP_ACCEPTED] = { 64 * T1, 0, 0 },      /* M */
		[SIP_COMPLETED] = { 64 * T1, 0, 0 } },   /* D */
	[SIP_CLIENT] = {
		[SIP_TRYING] = { 64 * T1, T1, T2 },    /* F, E */
		[SIP_PROCEEDING] = { 0, T2, T2 },      /* F goes on */
		[SIP_COMPLETED] = { T4, 0, 0 } },      /* K */
};
/* clang-format on */

#define BUCKETS_A_PAGE (NFV_PAGE / sizeof(uint32_t))

static inline uint32_t *
bucket_of(const struct sip_txns *t, uint64_t key)
{
	uint32_t i = (uint32_t)key & t->mask;
	uint32_t *b = (uint32_t *)(void *)t->bucket[i / BUCKETS_A_PAGE] + i % BUCKETS_A_PAGE;

	nfv_watch(b, sizeof(*b));
	return b;
}

static uint32_t
buckets_for(uint32_t max)
{
	uint32_t n = BUCKETS_A_PAGE;

	/* Half of the transactions are servers. */
	while (n < max)
		n *= 2;
	return n;
}

void
sip_txns_need(uint32_t max, size_t *slots, size_t *buckets, size_t *texts)
{
	size_t per_page = NFV_PAGE / sizeof(struct sip_txn);

	*slots = (max + per_page - 1) / per_page;
	*buckets = buckets_for(max) / BUCKETS_A_PAGE;
	/* A request is two blocks, its response one, for two transactions. */
	*texts = sip_store_pages(max + max / 2);
}

void
sip_txns_init(struct sip_txns *t, const struct sip_txns_conf *conf,
	const struct sip_txns_pages *pages, uint32_t first)
{
	memset(t, 0, sizeof(*t));
	t->slot = pages->slots.page;
	t->bucket = pages->buckets.page;
	t->mask = buckets_for(conf->max) - 1;
	t->ms = conf->tsc_hz / 1000;
	t->timer_c_ms = conf->timer_c * 1000;
	t->max = t->n_free = t->items.n = conf->max;
	t->free = SIP_NO_TXN;
	sip_store_init(&t->texts, &pages->texts);
	for (size_t i = 0; i < pages->buckets.n; i++)
		memset(pages->buckets.page[i], 0xff, NFV_PAGE);
	for (uint32_t i = conf->max; i-- > 0;) {
		struct sip_txn *x = sip_txn_at(t, i);

		memset(x, 0, sizeof(*x));
		x->generation = first;
		x->next = t->free;
		x->server = i - 1; /* the free one before, for txn_carry.c alone */
		x->sibling = SIP_NO_TXN;
		t->free = i;
	}
	nfv_wheel_init_pages(&t->wheel, &pages->slots, sizeof(struct sip_txn),
		offsetof(struct sip_txn, timer), conf->tsc_hz, conf->now);
}

uint32_t
sip_txn_find(const struct sip_txns *t, const uint64_t key[2])
{
	uint32_t i = *bucket_of(t, key[0]);

	while (i != SIP_NO_TXN) {
		const struct sip_txn *x = sip_txn_at(t, i);

		if (x->key[0] == key[0] && x->key[1] == key[1])
			return i;
		i = x->next;
	}
	return SIP_NO_TXN;
}

static uint32_t
take(struct sip_txns *t, enum sip_machine machine, enum sip_txn_state state)
{
	uint32_t i = t->free, generation;
	struct sip_txn *x;

	if (i == SIP_NO_TXN)
		return i;
	x = sip_txn_at(t, i);
	sip_txn_touch(t, i);
	t->free = x->next;
	if (t->free != SIP_NO_TXN) /* the next one: it has not been touched for long */
		sip_txn_prefetch(t, t->free);
	t->n_free--;
	t->live[machine]++;
	generation = x->generation + 1;
	memset(x, 0, sizeof(*x));
	x->generation = generation;
	x->machine = (uint8_t)machine;
	x->state = (uint8_t)state;
	x->server = x->sibling = x->cancel = SIP_NO_TXN;
	x->request = x->response = x->targets = SIP_NO_TEXT;
	return i;
}

void
txn_link_bucket(struct sip_txns *t, uint32_t i, struct sip_txn *x)
{
	uint32_t *bucket = bucket_of(t, x->key[0]);

	x->next = *bucket;
	*bucket = i;
}

uint32_t
sip_txn_server(struct sip_txns *t, bool invite, const uint64_t key[2])
{
	uint32_t i = take(
		t, invite ? SIP_INVITE_SERVER : SIP_SERVER, invite ? SIP_PROCEEDING : SIP_TRYING);
	struct sip_txn *x;

	if (i == SIP_NO_TXN)
		return i;
	x = sip_txn_at(t, i);
	x->key[0] = key[0];
	x->key[1] = key[1];
	txn_link_bucket(t, i, x);
	return i;
}

uint32_t
sip_txn_client(struct sip_txns *t, bool invite, uint32_t server)
{
	uint32_t i = take(t, invite ? SIP_INVITE_CLIENT : SIP_CLIENT, SIP_TRYING);
	struct sip_txn *x, *s;

	if (i == SIP_NO_TXN || server == SIP_NO_TXN)
		return i;
	x = sip_txn_at(t, i);
	s = sip_txn_at(t, server);
	x->server = server;
	x->sibling = s->sibling;
	s->sibling = i;
	s->clients++;
	s->open++;
	return i;
}

bool
txn_is_state(unsigned int machine, unsigned int state)
{
	const struct rule *r;

	if (machine >= SIP_MACHINES || state >= SIP_STATES)
		return false;
	if (state == SIP_OVER)
		return machine <= SIP_SERVER;
	r = rules[machine][state];
	for (int e = 0; e < SIP_EVENTS; e++)
		if (r[e].acts != 0)
			return true;
	return false;
}

bool
txn_repeats(unsigned int machine, unsigned int state)
{
	return spans[machine][state].again != 0;
}

void
txn_arm(struct sip_txns *t, uint32_t i, const struct sip_txn *x)
{
	uint64_t at = x->end;

	sip_txn_touch(t, i);
	if (x->again != 0 && (at == 0 || x->again < at))
		at = x->again;
	if (at != 0)
		nfv_wheel_add(&t->wheel, i, at);
	else
		nfv_wheel_cancel(&t->wheel, i);
}

static void
enter(struct sip_txns *t, uint32_t i, struct sip_txn *x, uint64_t now)
{
	const struct span *s = &spans[x->machine][x->state];
	uint32_t end = s->end == UINT32_MAX ? t->timer_c_ms : s->end;

	if (end != 0)
		x->end = now + end * t->ms;
	x->interval = s->again;
	x->again = s->again != 0 ? now + s->again * t->ms : 0;
	txn_arm(t, i, x);
}

void
sip_txn_start(struct sip_txns *t, uint32_t i, uint64_t now)
{
	enter(t, i, sip_txn_at(t, i), now);
}

void
sip_txn_end_at(struct sip_txns *t, uint32_t i, uint64_t end)
{
	struct sip_txn *x = sip_txn_at(t, i);

	x->end = end;
	txn_arm(t, i, x);
}

static void
later(struct sip_txns *t, struct sip_txn *x, uint64_t now)
{
	uint32_t max = spans[x->machine][x->state].again_max;

	x->interval = 2 * x->interval < max ? 2 * x->interval : max;
	/* From when it was due, so that small delays do not add up. */
	x->again += x->interval * t->ms;
	if (x->again <= now)
		x->again = now + x->interval * t->ms;
}

unsigned int
sip_txn_event(struct sip_txns *t, uint32_t i, enum sip_event e, uint64_t now)
{
	struct sip_txn *x = sip_txn_at(t, i);
	struct rule r = rules[x->machine][x->state][e];
	bool timer = e == SIP_RESEND_DUE || e == SIP_END_DUE;

	sip_txn_touch(t, i);
	if (r.to != SIP_FREE && r.to != SIP_OVER) {
		x->state = r.to;
		enter(t, i, x, now);
	} else if (e == SIP_1XX && x->machine == SIP_INVITE_CLIENT && r.acts != 0) {
		enter(t, i, x, now); /* a provisional response sets timer C anew (§16.7 (2)) */
	} else if (timer) {
		if (e == SIP_RESEND_DUE)
			later(t, x, now);
		else
			x->end = 0;
		txn_arm(t, i, x);
	}
	return r.acts;
}

static void
free_slot(struct sip_txns *t, uint32_t i, struct sip_txn *x)
{
	sip_store_drop(&t->texts, x->request);
	sip_store_drop(&t->texts, x->response);
	sip_store_drop(&t->texts, x->targets);
	sip_txn_touch(t, i);
	t->live[x->machine]--;
	x->state = SIP_FREE;
	x->next = t->free;
	t->free = i;
	t->n_free++;
}

void
txn_unlink_bucket(struct sip_txns *t, uint32_t i, const struct sip_txn *x)
{
	uint32_t *link = bucket_of(t, x->key[0]);

	while (*link != i)
		link = &sip_txn_at(t, *link)->next;
	*link = x->next;
}

void
txn_unlink_server(struct sip_txns *t, uint32_t i, const struct sip_txn *x)
{
	uint32_t *link = &sip_txn_at(t, x->server)->sibling;

	while (*link != i)
		link = &sip_txn_at(t, *link)->sibling;
	*link = x->sibling;
}

static void
leave_server(struct sip_txns *t, uint32_t i, const struct sip_txn *x)
{
	struct sip_txn *s = sip_txn_at(t, x->server);

	txn_unlink_server(t, i, x);
	if (--s->clients == 0 && s->state == SIP_OVER)
		free_slot(t, x->server, s);
}

void
sip_txn_end(struct sip_txns *t, uint32_t i)
{
	struct sip_txn *x = sip_txn_at(t, i);
	bool server = x->machine <= SIP_SERVER;

	nfv_wheel_cancel(&t->wheel, i);
	if (server) {
		txn_unlink_bucket(t, i, x);
		sip_txn_touch(t, i);
		x->state = SIP_OVER;
		if (x->clients > 0)
			return;
	} else {
		if (x->cancel != SIP_NO_TXN && sip_txn_at(t, x->cancel)->cancel == i) {
			sip_txn_at(t, x->cancel)->cancel = SIP_NO_TXN;
			sip_txn_touch(t, x->cancel);
		}
		if (x->server != SIP_NO_TXN)
			leave_server(t, i, x);
	}
	free_slot(t, i, x);
}

uint32_t
sip_txns_expired(struct sip_txns *t, uint64_t now, uint32_t *out, uint32_t max)
{
	return nfv_wheel_advance(&t->wheel, now, out, max);
}
