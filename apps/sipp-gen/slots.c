/* The room of calls: a slot for each, blocks for messages that are kept. */
#include <stdlib.h>

#include <rte_malloc.h>

#include "call.h"

#define BLOCKS_MIN 2048u
#define BLOCKS_MAX 65536u

#define CALL_VARS_TEXT   512u /* bytes for the texts of a call's variables */
#define GLOBAL_VARS_TEXT 4096u

static size_t
align(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
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

int
slots_init(struct agent *a, struct nfv_err *err)
{
	const struct agent_conf *c = &a->conf;
	uint64_t buckets = 1;
	/* A peer that lingers must not take this run's calls for those of the one before. */
	uint32_t first = (uint32_t)(rte_rdtsc() * 0x9e3779b97f4a7c15u >> 33);

	lay_out(a);
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

void
slots_fini(struct agent *a)
{
	rte_free(a->slots);
	rte_free(a->free_slot);
	rte_free(a->linger);
	rte_free(a->bucket);
	rte_free(a->block);
	rte_free(a->global);
}

/* The user that a call was of may call again. */
static void
set_free(struct agent *a, const struct call *c)
{
	if (c->user != 0 && !c->lingering)
		crowd_give(&a->crowd, c->user);
}

void
call_linger(struct agent *a, struct call *c)
{
	if (c->lingering)
		return;
	set_free(a, c);
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

/* The lines that the call's fields come from: of a USER file each user has its own. */
static void
take_lines(struct agent *a, struct call *c)
{
	for (uint32_t i = 0; i < a->conf.n_users; i++)
		call_lines(a, c)[i] = c->user != 0 && users_order(a->conf.users[i]) == USERS_USER ?
			c->user - 1 :
			users_next(a->conf.users[i], &a->cursor[i]);
}

struct call *
call_take(struct agent *a, uint32_t user)
{
	struct call *c;
	uint32_t generation;
	uint64_t sent;

	if (a->n_free == 0 && !end_oldest(a))
		return NULL;
	c = call_at(a, a->free_slot[--a->n_free]);
	generation = c->generation + 1;
	sent = c->sent;
	memset(c, 0, sizeof(*c));
	c->generation = generation;
	c->sent = sent;
	c->state = CALL_RUNNING;
	c->chain = NO_CALL;
	c->block_in = c->block_out = NO_BLOCK;
	c->cseq = a->conf.base_cseq;
	c->number = ++a->number;
	c->user = user;
	if (a->sc->n_scope[VAR_CALL] > 0)
		vars_init((uint8_t *)c + a->vars_at, a->sc->n_scope[VAR_CALL], CALL_VARS_TEXT);
	memset(call_rtd(a, c), 0, (a->rtds + 1) * sizeof(uint64_t));
	take_lines(a, c);
	a->stats.open++;
	if (a->stats.open > a->stats.open_max)
		a->stats.open_max = a->stats.open;
	return c;
}

static void
give_back(struct agent *a, struct call *c)
{
	uint32_t i = call_index(a, c);

	set_free(a, c);
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
