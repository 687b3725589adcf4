#include <stdlib.h>
#include <string.h>

#include "nfv_pinhole.h"
#include "nfv_watch.h"

#define NONE UINT32_MAX

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

/* The owner of a token, or NULL: it is nobody's, or has gone. */
static struct nfv_pinhole_owner *
owner_of(const struct nfv_pinholes *t, uint64_t token)
{
	uint32_t i = (uint32_t)(token >> 32);
	struct nfv_pinhole_owner *o;

	if (i == 0 || i > t->n_owners)
		return NULL;
	o = owner_at(t, i - 1);
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
nfv_pinholes_create(uint32_t max, const struct nfv_pages *pages, uint64_t seed, uint64_t tsc_hz,
	uint64_t now, struct nfv_pinholes **out, struct nfv_err *err)
{
	uint32_t heads = heads_for(max);
	struct nfv_pinholes *t;

	if (max == 0 || max > 1u << 24)
		return nfv_fail(
			err, EINVAL, "a table holds 1 to %u pinholes, not %u", 1u << 24, max);
	t = pages->page != NULL ? malloc(sizeof(*t)) : NULL;
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
		.stats.max = max };
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
	free(t);
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
	o->used = false;
	nfv_wheel_add(&t->wheel, i, now + idle * t->tsc_hz);
	t->stats.owners++;
	return (uint64_t)(i + 1) << 32 | o->epoch;
}

int
nfv_pinhole_open(struct nfv_pinholes *t, uint64_t token, const struct nfv_pinhole *key)
{
	struct nfv_pinhole_owner *o = owner_of(t, token);
	uint32_t owner = (uint32_t)(token >> 32) - 1, i = t->free_hole, *at;
	struct hole *h;

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
	*h = (struct hole){
		.key = *key, .owner = owner, .next = i, .prev = i, .of_owner = o->first
	};
	if (*at == 0) {
		*at = i + 1;
	} else {
		struct hole *first = hole_at(t, *at - 1);

		h->prev = *at - 1;
		h->next = first->next;
		hole_at(t, first->next)->prev = i;
		first->next = i;
	}
	o->first = i;
	o->n++;
	t->stats.opened++;
	t->stats.open++;
	return 0;
}

/* Out of its ring; if the bucket names it, another of the ring takes its place there. */
static void
drop_hole(struct nfv_pinholes *t, uint32_t i)
{
	struct hole *h = hole_at(t, i);
	uint32_t *at = find_place(t, &h->key);

	if (*at == i + 1 && h->next == i) {
		*at = h->chain;
	} else if (*at == i + 1) {
		hole_at(t, h->next)->chain = h->chain;
		*at = h->next + 1;
	}
	hole_at(t, h->next)->prev = h->prev;
	hole_at(t, h->prev)->next = h->next;
	h->chain = t->free_hole;
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
	nfv_wheel_add(&t->wheel, (uint32_t)(token >> 32) - 1, now + o->idle * t->tsc_hz);
	return true;
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

	for (uint32_t hole = o->first, next; hole != NONE; hole = next) {
		next = hole_at(t, hole)->of_owner;
		drop_hole(t, hole);
	}
	nfv_wheel_cancel(&t->wheel, i);
	o->epoch++;
	o->live = false;
	o->first = t->free_owner;
	t->free_owner = i;
	t->stats.owners--;
}

void
nfv_pinhole_close(struct nfv_pinholes *t, uint64_t token)
{
	if (owner_of(t, token) != NULL)
		end_owner(t, (uint32_t)(token >> 32) - 1);
}

uint64_t
nfv_pinhole_find(const struct nfv_pinholes *t, uint8_t proto, const struct nfv_addr *from,
	const struct nfv_addr *to, uint16_t port)
{
	struct nfv_pinhole key = { .to = *to, .from = *from, .port = port, .proto = proto };
	uint32_t i = *find_place(t, &key);

	if (i == 0) {
		key.from = (struct nfv_addr){ .family = NFV_NO_ADDR };
		i = *find_place(t, &key);
	}
	if (i == 0)
		return 0;
	i = hole_at(t, i - 1)->owner;
	return (uint64_t)(i + 1) << 32 | owner_at(t, i)->epoch;
}

void
nfv_pinholes_expire(struct nfv_pinholes *t, uint64_t now, uint32_t budget)
{
	enum { AT_ONCE = 32 };
	uint32_t due[AT_ONCE];
	uint32_t n = nfv_wheel_advance(&t->wheel, now, due, budget < AT_ONCE ? budget : AT_ONCE);

	for (uint32_t i = 0; i < n; i++) {
		struct nfv_pinhole_owner *o = owner_at(t, due[i]);

		if (o->used) {
			o->used = false;
			nfv_wheel_add(&t->wheel, due[i], now + o->idle * t->tsc_hz);
		} else {
			t->stats.expired++;
			end_owner(t, due[i]);
		}
	}
}
