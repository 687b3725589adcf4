/*
 * Packets that do not lie in the shared pool, since they are longer than its buffers: they go by copy, in rooms behind
 * the rings, a few at a time. They are rare: messages that came in fragments, or are to leave so.
 */
#include <string.h>

#include "host.h"

static uint8_t *
room(const struct instance *in, uint32_t i)
{
	return in->large + (size_t)i * NFV_WIRE_LARGE;
}

/* They come back in the order they went, so rooms are used in turn. */
void
large_hand(const struct nfv_isolated *iso, struct instance *in, const struct nfv_pkt *p,
	struct nfv_desc *d)
{
	uint32_t i = in->large_head++ % NFV_LARGE_MAX;

	memcpy(room(in, i), p->data, p->len);
	d->index = iso->pool.buffers + i;
	d->off = 0;
}

enum nfv_end
large_check(const struct nfv_isolated *iso, const struct nfv_desc *d, const struct nfv_pkt *was)
{
	if (iso->ops->access == NFV_READS ? d->off != 0 || d->len != was->len :
					    d->off + d->len > NFV_FRAME_MAX || d->len < NFV_ETH_LEN)
		return NFV_END_BOUNDS;
	return d->verdict >= NFV_DROP_BASE + iso->drops ? NFV_END_VERDICT : NFV_ENDS;
}

bool
large_reopen(struct nfv_isolated *iso, struct instance *in, const struct nfv_desc *d,
	const struct nfv_pkt *was, struct nfv_pkt *p)
{
	const uint8_t *from = room(in, in->large_tail++ % NFV_LARGE_MAX) + d->off;
	uint32_t most = (uint32_t)was->len + was->tailroom;

	*p = *was;
	p->flow = NULL;
	p->verdict = d->verdict;
	p->flags |= d->flags & NFV_PKT_OWN;
	if (iso->ops->access == NFV_READS || d->verdict != NFV_KEEP)
		return true;
	if (d->len > most)
		return false;
	memcpy(p->data, from, d->len);
	p->len = d->len;
	p->tailroom = (uint16_t)(most - d->len);
	return true;
}

bool
large_fetch(struct nfv_isolated *iso, const struct instance *in, const struct nfv_desc *d,
	struct nfv_pkt *p)
{
	uint16_t more = (uint16_t)(d->len - NFV_ETH_LEN);

	if (!iso->pool.take_large(iso->pool.large, p)) {
		iso->stats.no_buffer++;
		return false;
	}
	memcpy(p->data, room(in, NFV_LARGE_MAX + d->l3 - 1u), d->len);
	p->len = d->len;
	p->tailroom = (uint16_t)(p->tailroom - more);
	return true;
}
