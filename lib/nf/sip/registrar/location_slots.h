/**
 * @file
 * Inside of the location service: its slots, and how texts lie in them. Only for location*.c.
 */
#ifndef LOCATION_SLOTS_H
#define LOCATION_SLOTS_H

#include "location.h"
#include "nfv_watch.h"
#include "nfv_wheel.h"

struct aor {
	uint32_t hash; /* upper half: the lower has chosen the head */
	uint32_t next; /* in its chain, or among the free */
	uint32_t first, chunk;
	uint16_t key_n; /* 0: the slot is free */
	uint8_t n;      /* bindings */
	uint8_t mark;
	char key[44];
};

struct binding {
	struct nfv_wheel_timer timer;
	uint64_t expires, call_id, flow;
	uint32_t aor, next, chunk, cseq;
	uint8_t addr[16];
	uint16_t port, q, n_uri, n_params, n_path;
	uint8_t family, own, dir;
	uint8_t live;
	char text[170]; /* URI, parameters, path */
};

struct chunk {
	uint32_t next; /* of this text, or of the free ones */
	char text[60];
};

_Static_assert(sizeof(struct aor) == 64, "one cache line");
_Static_assert(sizeof(struct binding) == 256, "whole cache lines, whole slots in a page");
_Static_assert(sizeof(struct chunk) == 64, "one cache line");

struct slots {
	uint8_t **page;
	uint32_t n, used;
	uint32_t fresh;      /* from here on none has been in use yet */
	uint32_t free;       /* head of those that have been and are not */
	uint16_t size, link; /* bytes of a slot; where in it the index of the next stands */
};

struct sip_location {
	struct nfv_items items; /* AORs */
	struct slots heads, aors, bindings, chunks;
	uint32_t mask; /* of heads */
	uint32_t per_aor;
	struct nfv_hash_key key, identity;
	uint64_t added, updated, removed, expired;
	uint64_t refused[SIP_REFUSALS];
	char aor_key[SIP_AOR_TEXT_MAX];
	char *text; /* per_aor texts in one piece */
	struct nfv_wheel wheel;
	const struct nfv_lender *lender;
};

#define SLOT(slots, type, i)                                                                       \
	((type *)(void *)((slots)->page[(i) / (NFV_PAGE / sizeof(type))] +                         \
		(i) % (NFV_PAGE / sizeof(type)) * sizeof(type)))

static inline uint32_t *
head_at(const struct sip_location *l, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & l->mask, *head = SLOT(&l->heads, uint32_t, i);

	nfv_watch(head, sizeof(*head));
	return head;
}

static inline struct aor *
aor_at(const struct sip_location *l, uint32_t i)
{
	struct aor *a = SLOT(&l->aors, struct aor, i);

	nfv_watch(a, sizeof(*a));
	return a;
}

static inline struct binding *
binding_at(const struct sip_location *l, uint32_t i)
{
	struct binding *b = SLOT(&l->bindings, struct binding, i);

	nfv_watch(b, sizeof(*b));
	return b;
}

static inline struct chunk *
chunk_at(const struct sip_location *l, uint32_t i)
{
	struct chunk *c = SLOT(&l->chunks, struct chunk, i);

	nfv_watch(c, sizeof(*c));
	return c;
}

/** Chunks that a text of `n` bytes takes behind the first `room`. */
static inline uint32_t
chunks_of(size_t n, size_t room)
{
	size_t each = sizeof(((struct chunk *)0)->text);

	return n <= room ? 0 : (uint32_t)((n - room + each - 1) / each);
}

static inline size_t
binding_text_n(const struct binding *b)
{
	return (size_t)b->n_uri + b->n_params + b->n_path;
}

/** A text in one piece: in place, or in `buf`, which has room for `max`. Bounded whatever stands in the
 * slots, since it may be read while they change. */
struct nfv_sv location_text(const struct sip_location *l, const char *in_place, size_t room,
	uint32_t chunk, size_t n, char *buf, size_t max);
uint64_t location_hash_key(const struct sip_location *l, struct nfv_sv key);
/** The AOR, or SIP_NONE. */
uint32_t location_lookup(const struct sip_location *l, struct nfv_sv key, uint64_t hash);
void location_view(const struct sip_location *l, const struct binding *b, struct sip_binding *out,
	char buf[SIP_BINDING_TEXT_MAX]);

#endif
