#include <errno.h>
#include <rte_malloc.h>

#include "neigh.h"

int
neigh_init(struct neigh_cache *c, uint32_t n, size_t frame, uint64_t hz, uint64_t seed, int socket)
{
	uint64_t buckets = 8;

	while (buckets < 2ull * n)
		buckets *= 2;
	*c = (struct neigh_cache){ .mask = buckets - 1,
		.key = nfv_hash_key(seed),
		.hz = hz,
		.n = n,
		.max_unresolved = n < NEIGH_WAITING ? n : NEIGH_WAITING,
		.wait_size = (sizeof(struct neigh_wait) + frame + 63) & ~(size_t)63 };
	TAILQ_INIT(&c->empty);
	TAILQ_INIT(&c->unresolved);
	TAILQ_INIT(&c->settled);
	TAILQ_INIT(&c->asking);
	c->entry = rte_zmalloc_socket("l3_neigh", n * sizeof(*c->entry), 64, socket);
	c->bucket = rte_zmalloc_socket("l3_neigh", buckets * sizeof(*c->bucket), 64, socket);
	c->waits = rte_zmalloc_socket("l3_wait", c->max_unresolved * c->wait_size, 64, socket);
	if (c->entry == NULL || c->bucket == NULL || c->waits == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		TAILQ_INSERT_TAIL(&c->empty, &c->entry[i], order);
	while (c->n_wait < c->max_unresolved) {
		c->wait[c->n_wait] = (struct neigh_wait *)(c->waits + c->n_wait * c->wait_size);
		c->n_wait++;
	}
	return 0;
}

void
neigh_fini(struct neigh_cache *c)
{
	rte_free(c->entry);
	rte_free(c->bucket);
	rte_free(c->waits);
}

static struct neigh_list *
list_of(struct neigh_cache *c, const struct neigh *e)
{
	return e->state == NEIGH_FREE ? &c->empty :
		neigh_is_settled(e)   ? &c->settled :
					&c->unresolved;
}

/* The one place where an entry changes its state: it goes to the end of the list of that kind. */
static void
enter(struct neigh_cache *c, struct neigh *e, enum neigh_state state)
{
	if (neigh_is_asked(e))
		TAILQ_REMOVE(&c->asking, e, timer);
	if (list_of(c, e) == &c->unresolved)
		c->n_unresolved--;
	TAILQ_REMOVE(list_of(c, e), e, order);
	e->state = state;
	TAILQ_INSERT_TAIL(list_of(c, e), e, order);
	if (list_of(c, e) == &c->unresolved)
		c->n_unresolved++;
	if (neigh_is_asked(e))
		TAILQ_INSERT_TAIL(&c->asking, e, timer);
}

static void
start_asking(struct neigh_cache *c, struct neigh *e, enum neigh_state state, uint64_t now)
{
	enter(c, e, state);
	e->tries = 1;
	e->due = now + c->hz;
}

void
neigh_remove(struct neigh_cache *c, struct neigh *e)
{
	uint32_t *at = &c->bucket[neigh_hash(c, e->port, &e->addr) & c->mask];
	uint32_t index = (uint32_t)(e - c->entry) + 1;

	while (*at != index)
		at = &c->entry[*at - 1].next;
	*at = e->next;
	if (e->wait != NULL)
		c->lost++;
	neigh_wait_end(c, e);
	enter(c, e, NEIGH_FREE);
}

static void
make_room(struct neigh_cache *c, bool unresolved)
{
	if (unresolved && c->n_unresolved == c->max_unresolved)
		neigh_remove(c, TAILQ_FIRST(&c->unresolved));
	else if (TAILQ_EMPTY(&c->empty))
		neigh_remove(c,
			TAILQ_EMPTY(&c->unresolved) ? TAILQ_FIRST(&c->settled) :
						      TAILQ_FIRST(&c->unresolved));
}

struct neigh *
neigh_add(struct neigh_cache *c, uint8_t port, const struct nfv_addr *a, const uint8_t *mac,
	uint64_t now)
{
	uint32_t *bucket = &c->bucket[neigh_hash(c, port, a) & c->mask];
	struct neigh *e;

	make_room(c, mac == NULL);
	e = TAILQ_FIRST(&c->empty);
	e->addr = *a;
	e->port = port;
	e->next = *bucket;
	*bucket = (uint32_t)(e - c->entry) + 1;
	if (mac != NULL)
		neigh_settle(c, e, mac, NEIGH_STALE, now);
	else
		start_asking(c, e, NEIGH_INCOMPLETE, now);
	return e;
}

void
neigh_settle(struct neigh_cache *c, struct neigh *e, const uint8_t mac[6], enum neigh_state state,
	uint64_t now)
{
	memmove(e->mac, mac, sizeof(e->mac));
	enter(c, e, state);
	e->used = now;
	e->due = now + NEIGH_REACHABLE_S * c->hz;
}

void
neigh_give_up(struct neigh_cache *c, struct neigh *e, uint64_t now)
{
	neigh_wait_end(c, e);
	start_asking(c, e, NEIGH_UNREACHABLE, now);
}

void
neigh_probe(struct neigh_cache *c, struct neigh *e, uint64_t now)
{
	start_asking(c, e, NEIGH_PROBE, now);
}

void
neigh_again(struct neigh_cache *c, struct neigh *e, uint64_t now)
{
	e->tries++;
	e->due = now + c->hz;
	TAILQ_REMOVE(&c->asking, e, timer);
	TAILQ_INSERT_TAIL(&c->asking, e, timer);
}

struct neigh *
neigh_due(const struct neigh_cache *c, uint64_t now)
{
	struct neigh *e = TAILQ_FIRST(&c->asking);

	return e != NULL && (int64_t)(now - e->due) >= 0 ? e : NULL;
}

void
neigh_forget(struct neigh_cache *c, uint64_t now)
{
	struct neigh *e = TAILQ_FIRST(&c->settled);

	if (e != NULL && (int64_t)(now - e->used) > (int64_t)(NEIGH_FORGET_S * c->hz))
		neigh_remove(c, e);
}

void
neigh_touch(struct neigh_cache *c, struct neigh *e, uint64_t now)
{
	/* Once a second is order enough, and spares the line a write with every packet. */
	if ((int64_t)(now - e->used) < (int64_t)c->hz)
		return;
	e->used = now;
	TAILQ_REMOVE(&c->settled, e, order);
	TAILQ_INSERT_TAIL(&c->settled, e, order);
}

bool
neigh_wait(struct neigh_cache *c, struct neigh *e, const struct nfv_pkt *p)
{
	size_t len = (size_t)NFV_ETH_LEN + p->len - p->l3;
	struct neigh_wait *w;

	if (e->wait != NULL || sizeof(*w) + len > c->wait_size)
		return false;
	w = e->wait = c->wait[--c->n_wait];
	w->pkt = (struct nfv_pkt){ .data = w->bytes,
		.len = (uint16_t)len,
		.l3 = NFV_ETH_LEN,
		.l4 = (uint16_t)(p->l4 - p->l3 + NFV_ETH_LEN),
		.flags = p->flags,
		.family = p->family,
		.proto = p->proto };
	memcpy(w->bytes + NFV_ETH_LEN, p->data + p->l3, len - NFV_ETH_LEN);
	return true;
}

void
neigh_wait_end(struct neigh_cache *c, struct neigh *e)
{
	if (e->wait == NULL)
		return;
	c->wait[c->n_wait++] = e->wait;
	e->wait = NULL;
}
