/* Where a table's parts lie, and finding in it, beside its writer, from another process, too. */
#include "pinhole_table.h"

#define TRIES 64 /* of who looks while another changes */
#define WALK                                                                                       \
	64 /* keys of a bucket, far more than there ever are: of a chain that is being changed */

static uint32_t
heads_for(uint32_t max)
{
	uint32_t n = HEADS;

	while (n < max)
		n *= 2;
	return n;
}

uint32_t
nfv_pinholes_owners(uint32_t max)
{
	return max / 2 + max % 2;
}

size_t
nfv_pinholes_pages(uint32_t max)
{
	return heads_for(max) / HEADS + (max + HOLES - 1) / HOLES +
		(nfv_pinholes_owners(max) + OWNERS - 1) / OWNERS + 1;
}

/* Where in the pages is what. */
void
pinhole_lay_out(struct nfv_pinholes *t, const struct nfv_pages *pages)
{
	uint32_t heads = heads_for(t->stats.max);
	size_t owners = (t->n_owners + OWNERS - 1) / OWNERS;

	t->mask = heads - 1;
	t->head_page = pages->page;
	t->hole_page = t->head_page + heads / HEADS;
	t->owner_page = t->hole_page + (t->stats.max + HOLES - 1) / HOLES;
	t->base_page = t->owner_page + owners;
	t->owner_pages = (struct nfv_pages){ t->owner_page, owners };
}

int
nfv_pinholes_view(const struct nfv_pinholes *like, const struct nfv_pages *pages, uint8_t *marks,
	struct nfv_pinholes **out, struct nfv_err *err)
{
	uint32_t max = like->stats.max;
	struct nfv_pinholes *t;

	if (max == 0 || max > 1u << 24 || pages->n < nfv_pinholes_pages(max))
		return nfv_fail(err, EINVAL, "no table of %u pinholes", max);
	t = nfv_lender_alloc(NULL, sizeof(*t));
	if (t == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	*t = (struct nfv_pinholes){ .number = like->number,
		.n_owners = nfv_pinholes_owners(max),
		.key = like->key,
		.stats.max = max,
		.marks = marks };
	pinhole_lay_out(t, pages);
	*out = t;
	return 0;
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
		uint32_t before = __atomic_load_n(changes(t), __ATOMIC_ACQUIRE);
		uint64_t owner = 0;
		bool whole;

		if (before & 1)
			continue;
		whole = look_up(t, &key, &owner) && look_up(t, &anybody, &owner);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (peek(changes(t)) == before)
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
