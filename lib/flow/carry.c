/* Flows on their way from one table to another. */
#include <string.h>

#include "table.h"

void
nfv_flow_save(const struct nfv_flow_table *t, const struct nfv_flow *f, uint32_t now,
	struct nfv_flow_carried *to)
{
	*to = (struct nfv_flow_carried){ .idle = now - f->last,
		.timeout = f->timeout,
		.packets = { f->packets[0], f->packets[1] },
		.family = t->family,
		.state = f->state,
		.dir = f->dir,
		.seen = f->seen,
		.flags = f->flags & (NFV_FLOW_CONFIRMED | NFV_FLOW_ALIASED) };
	for (unsigned int i = 0; i < 2; i++)
		if (i == 0 || f->flags & NFV_FLOW_ALIASED)
			memcpy(&to->key[i], key_at(t, f, i), t->key_len);
}

/* A new flow with its keys, or NULL: *rc says why. */
static struct nfv_flow *
make(struct nfv_flow_table *t, const struct nfv_flow_carried *from, uint32_t now, int *rc)
{
	uint64_t hash = nfv_flow_hash(t, &from->key[0]);
	struct nfv_flow *f = NULL;

	if (nfv_flow_find1(t, &from->key[0], hash) != NULL) {
		*rc = -EEXIST;
		return NULL;
	}
	if (nfv_flow_stats(t).live < t->max)
		f = nfv_flow_add(t, &from->key[0], hash, now);
	*rc = f != NULL ? 0 : -ENOSPC;
	return f;
}

int
nfv_flow_restore(struct nfv_flow_table *t, const struct nfv_flow_carried *from, uint32_t now,
	struct nfv_flow **flow)
{
	const uint32_t most = 1u << 30;
	struct nfv_flow *f = *flow;
	int rc = 0;

	if (from->family != t->family || from->state > NFV_FLOW_CLOSING || from->dir > 1 ||
		from->seen > 15 || from->idle > most || from->timeout > most)
		return -EINVAL;
	if (f != NULL && memcmp(key_at(t, f, 0), &from->key[0], t->key_len) != 0)
		return -EINVAL;
	if (f == NULL)
		f = make(t, from, now, &rc);
	if (f == NULL)
		return rc;
	/* The second key of a flow may have come after the first. */
	if (from->flags & NFV_FLOW_ALIASED && !(f->flags & NFV_FLOW_ALIASED))
		rc = nfv_flow_alias(t, f, &from->key[1]);
	if (rc < 0) {
		if (*flow == NULL)
			nfv_flow_del(t, f);
		return rc;
	}
	f->last = now - from->idle;
	f->timeout = from->timeout;
	f->packets[0] = from->packets[0];
	f->packets[1] = from->packets[1];
	f->state = from->state & 3;
	f->dir = from->dir & 1;
	f->seen = from->seen & 15;
	f->flags |= from->flags & NFV_FLOW_CONFIRMED;
	*flow = f;
	return 0;
}
