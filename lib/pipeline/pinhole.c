#include "pinhole_table.h"

static void
change_begin(struct nfv_pinholes *t)
{
	poke(changes(t), *changes(t) + 1);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void
change_end(struct nfv_pinholes *t)
{
	__atomic_store_n(changes(t), *changes(t) + 1, __ATOMIC_RELEASE);
}

/* The owner of a token, or NULL: it is nobody's, or has gone. */
static struct nfv_pinhole_owner *
owner_of(const struct nfv_pinholes *t, uint64_t token)
{
	uint32_t i = index_of(token);
	struct nfv_pinhole_owner *o;

	if (i >= t->n_owners || token >> 56 != t->number)
		return NULL;
	o = owner_at(t, i);
	return o->live && o->epoch == (uint32_t)token ? o : NULL;
}

/* The place that names the key's pinhole in the bucket, or the chain's end. Heads are one more than
 * an index, since pages are zeroed. */
static uint32_t *
find_place(const struct nfv_pinholes *t, const struct nfv_pinhole *key)
{
	uint32_t *at = head_of(t, key);

	while (*at != 0 && !same(&hole_at(t, *at - 1)->key, key))
		at = &hole_at(t, *at - 1)->chain;
	return at;
}

int
nfv_pinholes_create(uint32_t max, const struct nfv_pages *pages, const struct nfv_lender *lender,
	uint64_t seed, uint64_t tsc_hz, uint64_t now, struct nfv_pinholes **out,
	struct nfv_err *err)
{
	struct nfv_pinholes *t;

	if (max == 0 || max > 1u << 24)
		return nfv_fail(
			err, EINVAL, "a table holds 1 to %u pinholes, not %u", 1u << 24, max);
	t = pages->page != NULL ? nfv_lender_alloc(lender, sizeof(*t)) : NULL;
	if (t == NULL)
		return nfv_fail(err, ENOMEM, "out of memory for %u pinholes", max);
	*t = (struct nfv_pinholes){ .n_owners = nfv_pinholes_owners(max),
		.tsc_hz = tsc_hz,
		.key = nfv_hash_key(seed),
		.free_hole = NONE,
		.free_owner = NONE,
		.stats.max = max,
		.lender = lender };
	t->marks = t->own_marks = nfv_lender_alloc(lender, t->n_owners);
	if (t->marks == NULL) {
		nfv_lender_free(lender, t);
		return nfv_fail(err, ENOMEM, "out of memory for %u pinholes", max);
	}
	pinhole_lay_out(t, pages);
	for (uint32_t i = max; i-- > 0; t->free_hole = i)
		hole_at(t, i)->chain = t->free_hole;
	for (uint32_t i = t->n_owners; i-- > 0; t->free_owner = i)
		owner_at(t, i)->first = t->free_owner;
	nfv_wheel_init_pages(&t->wheel, &t->owner_pages, sizeof(struct nfv_pinhole_owner),
		offsetof(struct nfv_pinhole_owner, timer), tsc_hz, now);
	*out = t;
	return 0;
}

void
nfv_pinholes_destroy(struct nfv_pinholes *t)
{
	if (t == NULL)
		return;
	nfv_lender_free(t->lender, t->own_marks);
	nfv_lender_free(t->lender, t);
}

void
nfv_pinholes_mark_in(struct nfv_pinholes *t, uint8_t *marks)
{
	t->marks = marks;
}

static void
tell(const struct nfv_pinholes *t, enum nfv_pinhole_what what, uint64_t owner)
{
	const struct nfv_pinhole_deed deed = { .what = what, .owner = owner };

	if (t->ear != NULL)
		t->ear->told(t->ear->arg, &deed);
}

static void
tell_taken(const struct nfv_pinhole_ear *ear, uint64_t owner, uint32_t idle)
{
	const struct nfv_pinhole_deed deed = {
		.what = NFV_PINHOLE_TAKEN, .owner = owner, .idle = idle
	};

	if (ear != NULL)
		ear->told(ear->arg, &deed);
}

static void
tell_opened(const struct nfv_pinhole_ear *ear, uint64_t owner, const struct nfv_pinhole *hole)
{
	const struct nfv_pinhole_deed deed = {
		.what = NFV_PINHOLE_OPENED, .owner = owner, .hole = *hole
	};

	if (ear != NULL)
		ear->told(ear->arg, &deed);
}

uint64_t
nfv_pinhole_owner(struct nfv_pinholes *t, uint32_t idle, uint64_t now)
{
	uint32_t i = t->free_owner;
	struct nfv_pinhole_owner *o;

	if (i == NONE) {
		t->stats.refused++;
		return 0;
	}
	o = owner_at(t, i);
	t->free_owner = o->first;
	o->first = NONE;
	o->idle = idle;
	o->n = 0;
	o->live = true;
	__atomic_store_n(&t->marks[i], 0, __ATOMIC_RELAXED);
	nfv_wheel_add(&t->wheel, i, now + idle * t->tsc_hz);
	t->stats.owners++;
	tell_taken(t->ear, token_of(t, i, o->epoch), idle);
	return token_of(t, i, o->epoch);
}

int
nfv_pinhole_open(struct nfv_pinholes *t, uint64_t token, const struct nfv_pinhole *key)
{
	struct nfv_pinhole_owner *o = owner_of(t, token);
	uint32_t owner = index_of(token), i = t->free_hole, *at;
	struct hole *h, new;

	if (o == NULL)
		return -ESTALE;
	for (uint32_t own = o->first; own != NONE; own = hole_at(t, own)->of_owner)
		if (same(&hole_at(t, own)->key, key))
			return 0;
	if (i == NONE || o->n == NFV_PINHOLES_PER_OWNER) {
		t->stats.refused++;
		return -ENOSPC;
	}
	at = find_place(t, key);
	h = hole_at(t, i);
	t->free_hole = h->chain;
	new = (struct hole){
		.key = *key, .owner = owner, .next = i, .prev = i, .of_owner = o->first
	};
	change_begin(t);
	poke_hole(h, &new);
	if (*at == 0) {
		poke(at, i + 1);
	} else {
		struct hole *first = hole_at(t, *at - 1);

		poke(&h->prev, *at - 1);
		poke(&h->next, first->next);
		poke(&hole_at(t, first->next)->prev, i);
		poke(&first->next, i);
	}
	change_end(t);
	o->first = i;
	o->n++;
	t->stats.opened++;
	t->stats.open++;
	tell_opened(t->ear, token, key);
	return 0;
}

/* Out of its ring; if the bucket names it, another of the ring takes its place there. */
static void
drop_hole(struct nfv_pinholes *t, uint32_t i)
{
	struct hole *h = hole_at(t, i);
	uint32_t *at = find_place(t, &h->key);

	if (*at == i + 1 && h->next == i) {
		poke(at, h->chain);
	} else if (*at == i + 1) {
		poke(&hole_at(t, h->next)->chain, h->chain);
		poke(at, h->next + 1);
	}
	poke(&hole_at(t, h->next)->prev, h->prev);
	poke(&hole_at(t, h->prev)->next, h->next);
	poke(&h->chain, t->free_hole);
	t->free_hole = i;
	t->stats.closed++;
	t->stats.open--;
}

bool
nfv_pinhole_refresh(struct nfv_pinholes *t, uint64_t token, uint64_t now)
{
	struct nfv_pinhole_owner *o = owner_of(t, token);

	if (o == NULL)
		return false;
	nfv_wheel_add(&t->wheel, index_of(token), now + o->idle * t->tsc_hz);
	tell(t, NFV_PINHOLE_REFRESHED, token);
	return true;
}

uint32_t
nfv_pinhole_list(
	const struct nfv_pinholes *t, uint64_t token, struct nfv_pinhole *out, uint32_t max)
{
	const struct nfv_pinhole_owner *o = owner_of(t, token);
	uint32_t n = 0;

	for (uint32_t i = o != NULL ? o->first : NONE; i != NONE && n < max;
		i = hole_at(t, i)->of_owner)
		out[n++] = hole_at(t, i)->key;
	return n;
}

bool
nfv_pinhole_lives(const struct nfv_pinholes *t, uint64_t token)
{
	return owner_of(t, token) != NULL;
}

static void
end_owner(struct nfv_pinholes *t, uint32_t i)
{
	struct nfv_pinhole_owner *o = owner_at(t, i);

	tell(t, NFV_PINHOLE_CLOSED, token_of(t, i, o->epoch));
	change_begin(t);
	for (uint32_t hole = o->first, next; hole != NONE; hole = next) {
		next = hole_at(t, hole)->of_owner;
		drop_hole(t, hole);
	}
	poke(&o->epoch, o->epoch + 1);
	change_end(t);
	nfv_wheel_cancel(&t->wheel, i);
	o->live = false;
	o->first = t->free_owner;
	t->free_owner = i;
	t->stats.owners--;
}

void
nfv_pinhole_close(struct nfv_pinholes *t, uint64_t token)
{
	if (owner_of(t, token) != NULL)
		end_owner(t, index_of(token));
}

void
nfv_pinholes_expire(struct nfv_pinholes *t, uint64_t now, uint32_t budget)
{
	enum { AT_ONCE = 32 };
	uint32_t due[AT_ONCE];
	uint32_t n = nfv_wheel_advance(&t->wheel, now, due, budget < AT_ONCE ? budget : AT_ONCE);

	for (uint32_t i = 0; i < n; i++) {
		struct nfv_pinhole_owner *o = owner_at(t, due[i]);

		if (__atomic_load_n(&t->marks[due[i]], __ATOMIC_RELAXED) != 0) {
			__atomic_store_n(&t->marks[due[i]], 0, __ATOMIC_RELAXED);
			nfv_wheel_add(&t->wheel, due[i], now + o->idle * t->tsc_hz);
		} else {
			t->stats.expired++;
			end_owner(t, due[i]);
		}
	}
}

bool
nfv_pinholes_repeat(const struct nfv_pinholes *t, uint32_t *at, const struct nfv_pinhole_ear *ear)
{
	const struct nfv_pinhole_owner *o;
	uint64_t token;

	while (*at < t->n_owners && !owner_at(t, *at)->live)
		++*at;
	if (*at >= t->n_owners)
		return false;
	o = owner_at(t, *at);
	token = token_of(t, (*at)++, o->epoch);
	tell_taken(ear, token, o->idle);
	for (uint32_t i = o->first; i != NONE; i = hole_at(t, i)->of_owner)
		tell_opened(ear, token, &hole_at(t, i)->key);
	return true;
}
