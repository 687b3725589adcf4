#include <string.h>

#include "nfv_pinhole.h"
#include "nfv_watch.h"

#define NONE  UINT32_MAX
#define TRIES 64 /* of who looks while another changes */
#define WALK                                                                                       \
	64 /* keys of a bucket, far more than there ever are: of a chain that is being changed */

/*
 * Pinholes of one key (several calls that announce the same port) lie in a ring behind one of them,
 * which alone is in its bucket's chain: so nobody makes chains long by announcing what others have.
 */
struct hole {
	struct nfv_pinhole key;
	uint32_t owner;
	uint32_t chain;      /* next key in the bucket; of a free one: the next free one */
	uint32_t next, prev; /* ring of one key */
	uint32_t of_owner;
};

#define HOLES  (NFV_PAGE / sizeof(struct hole))
#define OWNERS (NFV_PAGE / sizeof(struct nfv_pinhole_owner))
#define HEADS  (NFV_PAGE / sizeof(uint32_t))

_Static_assert(sizeof(struct hole) <= 64, "a pinhole fits a cache line");
_Static_assert(sizeof(struct hole) % sizeof(uint32_t) == 0, "a pinhole is read by words");
_Static_assert(
	sizeof(struct nfv_pinhole_owner) == 32, "a timer wheel in pages wants a power of two");

static struct hole *
hole_at(const struct nfv_pinholes *t, uint32_t i)
{
	struct hole *h = (struct hole *)(void *)t->hole_page[i / HOLES] + i % HOLES;

	nfv_watch(h, sizeof(*h));
	return h;
}

static struct nfv_pinhole_owner *
owner_at(const struct nfv_pinholes *t, uint32_t i)
{
	struct nfv_pinhole_owner *o =
		(struct nfv_pinhole_owner *)(void *)t->owner_page[i / OWNERS] + i % OWNERS;

	nfv_watch(o, sizeof(*o));
	return o;
}

/*
 * What others read while it is written. They may read what never was as a whole, and throw it away: the
 * count of changes tells them. Only the count has to be seen in order (a sequence lock's two fences).
 */
typedef uint32_t word __attribute__((may_alias));

static uint32_t
peek(const word *at)
{
	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

static void
poke(word *at, uint32_t v)
{
	__atomic_store_n(at, v, __ATOMIC_RELAXED);
}

static struct hole
peek_hole(const struct hole *h)
{
	uint32_t part[sizeof(*h) / sizeof(word)];
	struct hole out;

	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		part[i] = peek((const word *)(const void *)h + i);
	memcpy(&out, part, sizeof(out));
	return out;
}

static void
poke_hole(struct hole *h, const struct hole *v)
{
	uint32_t part[sizeof(*h) / sizeof(word)];

	memcpy(part, v, sizeof(part));
	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		poke((word *)(void *)h + i, part[i]);
}

static void
change_begin(struct nfv_pinholes *t)
{
	poke(&t->changes, t->changes + 1);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void
change_end(struct nfv_pinholes *t)
{
	__atomic_store_n(&t->changes, t->changes + 1, __ATOMIC_RELEASE);
}

static uint32_t
index_of(uint64_t token)
{
	return ((uint32_t)(token >> 32) & 0xffffff) - 1;
}

static uint64_t
token_of(const struct nfv_pinholes *t, uint32_t i, uint32_t epoch)
{
	return (uint64_t)t->number << 56 | (uint64_t)(i + 1) << 32 | epoch;
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

static uint32_t *
head_of(const struct nfv_pinholes *t, const struct nfv_pinhole *k)
{
	uint64_t to[2], from[2], h;
	uint32_t i, *head;

	memcpy(to, k->to.b, sizeof(to));
	memcpy(from, k->from.b, sizeof(from));
	h = nfv_hash2(&t->key, to[0], to[1]);
	h = nfv_hash2_more(&t->key, h, from[0], from[1]);
	h = nfv_hash2_more(&t->key, h, (uint64_t)k->port << 8 | k->proto, k->from.family);
	i = (uint32_t)h & t->mask;
	head = (uint32_t *)(void *)t->head_page[i / HEADS] + i % HEADS;
	nfv_watch(head, sizeof(*head));
	return head;
}

static bool
same(const struct nfv_pinhole *a, const struct nfv_pinhole *b)
{
	return a->port == b->port && a->proto == b->proto && nfv_addr_eq(&a->to, &b->to) &&
		nfv_addr_eq(&a->from, &b->from);
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

static uint32_t
heads_for(uint32_t max)
{
	uint32_t n = HEADS;

	while (n < max)
		n *= 2;
	return n;
}

static uint32_t
owners_for(uint32_t max)
{
	return max / 2 + max % 2;
}

size_t
nfv_pinholes_pages(uint32_t max)
{
	return heads_for(max) / HEADS + (max + HOLES - 1) / HOLES +
		(owners_for(max) + OWNERS - 1) / OWNERS;
}

int
nfv_pinholes_create(uint32_t max, const struct nfv_pages *pages, const struct nfv_lender *lender,
	uint64_t seed, uint64_t tsc_hz, uint64_t now, struct nfv_pinholes **out,
	struct nfv_err *err)
{
	uint32_t heads = heads_for(max);
	struct nfv_pinholes *t;

	if (max == 0 || max > 1u << 24)
		return nfv_fail(
			err, EINVAL, "a table holds 1 to %u pinholes, not %u", 1u << 24, max);
	t = pages->page != NULL ? nfv_lender_alloc(lender, sizeof(*t)) : NULL;
	if (t == NULL)
		return nfv_fail(err, ENOMEM, "out of memory for %u pinholes", max);
	*t = (struct nfv_pinholes){ .head_page = pages->page,
		.hole_page = pages->page + heads / HEADS,
		.n_owners = owners_for(max),
		.mask = heads - 1,
		.tsc_hz = tsc_hz,
		.key = nfv_hash_key(seed),
		.free_hole = NONE,
		.free_owner = NONE,
		.stats.max = max,
		.lender = lender };
	t->owner_page = t->hole_page + (max + HOLES - 1) / HOLES;
	t->owner_pages = (struct nfv_pages){ t->owner_page, (t->n_owners + OWNERS - 1) / OWNERS };
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
	if (t != NULL)
		nfv_lender_free(t->lender, t);
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
	__atomic_store_n(&o->used, false, __ATOMIC_RELAXED);
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

/* The owner of the key's pinhole, if `*owner` is none; false: the chain has changed while it was walked.
 * No index is followed that leads out of the table. */
static bool
look_up(const struct nfv_pinholes *t, const struct nfv_pinhole *key, uint64_t *owner)
{
	uint32_t at = peek(head_of(t, key));

	for (unsigned int steps = 0; at != 0 && *owner == 0; steps++) {
		struct hole h;

		if (steps == WALK || at > t->stats.max)
			return false;
		h = peek_hole(hole_at(t, at - 1));
		if (!same(&h.key, key))
			at = h.chain;
		else if (h.owner < t->n_owners)
			*owner = token_of(t, h.owner, peek(&owner_at(t, h.owner)->epoch));
		else
			return false;
	}
	return true;
}

uint64_t
nfv_pinhole_find(const struct nfv_pinholes *t, uint8_t proto, const struct nfv_addr *from,
	const struct nfv_addr *to, uint16_t port)
{
	struct nfv_pinhole key = { .to = *to, .from = *from, .port = port, .proto = proto };
	struct nfv_pinhole anybody = { .to = *to, .port = port, .proto = proto };

	for (int i = 0; i < TRIES; i++) {
		uint32_t before = __atomic_load_n(&t->changes, __ATOMIC_ACQUIRE);
		uint64_t owner = 0;
		bool whole;

		if (before & 1)
			continue;
		whole = look_up(t, &key, &owner) && look_up(t, &anybody, &owner);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (peek(&t->changes) == before)
			return whole ? owner : 0;
	}
	return 0;
}

uint64_t
nfv_pinholes_find(const struct nfv_pinhole_set *set, uint8_t proto, const struct nfv_addr *from,
	const struct nfv_addr *to, uint16_t port)
{
	uint64_t owner = 0;

	for (uint32_t i = 0; i < set->n && owner == 0; i++)
		if (set->table[i] != NULL)
			owner = nfv_pinhole_find(set->table[i], proto, from, to, port);
	return owner;
}

void
nfv_pinholes_expire(struct nfv_pinholes *t, uint64_t now, uint32_t budget)
{
	enum { AT_ONCE = 32 };
	uint32_t due[AT_ONCE];
	uint32_t n = nfv_wheel_advance(&t->wheel, now, due, budget < AT_ONCE ? budget : AT_ONCE);

	for (uint32_t i = 0; i < n; i++) {
		struct nfv_pinhole_owner *o = owner_at(t, due[i]);

		if (__atomic_load_n(&o->used, __ATOMIC_RELAXED)) {
			__atomic_store_n(&o->used, false, __ATOMIC_RELAXED);
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
