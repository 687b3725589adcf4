/* What a stage originates that has packets to read only: it writes into rooms of its own, beside its rings. */
#include <string.h>

#include "host.h"

/* They come back in the order they went, so the next one is free. */
void
rooms_feed(struct instance *in, uint32_t n)
{
	struct flights *f = &in->given;

	for (; n > 0; n--) {
		struct nfv_desc d = { .index = f->head & (EMPTIES - 1),
			.len = NFV_ETH_LEN,
			.l3 = NFV_ETH_LEN,
			.kind = NFV_DESC_EMPTY };

		f->at[f->head++ & (f->size - 1)] = (struct nfv_pkt){ .len = d.len, .l3 = d.l3 };
		nfv_ring_put(&in->empty, &d, 1);
	}
}

bool
rooms_fetch(struct nfv_isolated *iso, const struct instance *in, const struct nfv_desc *d,
	struct nfv_pkt *p)
{
	uint16_t more = (uint16_t)(d->len - NFV_ETH_LEN);

	if (iso->pool.take(iso->pool.arg, p, 1) == 0) {
		iso->stats.no_buffer++;
		return false;
	}
	if (p->tailroom < more) {
		iso->pool.give(iso->pool.arg, &p->buf, 1);
		iso->stats.no_buffer++;
		return false;
	}
	memcpy(p->data, in->rooms + (size_t)d->index * NFV_WIRE_ROOM, d->len);
	p->len = d->len;
	p->tailroom = (uint16_t)(p->tailroom - more);
	return true;
}
