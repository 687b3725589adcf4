/* One instance's rings: bursts go in, and what has become of them is checked and taken out. */
#include "host.h"

/* The number of the buffer that the packet lies in; false: it does not lie in the pool. */
static inline bool
index_of(const struct nfv_isolated *iso, const struct nfv_pkt *p, uint32_t *index)
{
	uint64_t at = (uint64_t)(p->data - p->headroom - iso->base);

	*index = (uint32_t)(at / 64 * iso->reciprocal >> 32);
	return at < iso->pool.segment->size && (uint64_t)*index * iso->pool.stride == at &&
		*index < iso->pool.buffers && p->headroom + p->len <= (int)iso->pool.stride;
}

void
path_hand(struct nfv_isolated *iso, struct instance *in, const struct nfv_pkt *pkt, uint32_t n,
	enum nfv_dir dir)
{
	struct flights *f = &in->on_way;
	uint32_t room = f->size - (f->head - f->tail), k = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct nfv_pkt *p = &pkt[i];
		struct nfv_pkt *to = &f->at[(f->head + k) & (f->size - 1)];
		struct nfv_desc d;
		uint32_t index;
		bool large = !index_of(iso, p, &index);

		if (__builtin_expect(large, 0) && in->large == NULL) {
			iso->stats.foreign++;
			give_one(iso, p->buf);
			continue;
		}
		if (k == room || (large && !large_fits(in))) {
			iso->stats.full++;
			give_one(iso, p->buf);
			continue;
		}
		*to = *p;
		to->verdict = (uint8_t)dir;
		d = (struct nfv_desc){ .index = index,
			.off = p->headroom,
			.len = p->len,
			.l3 = p->l3,
			.l4 = p->l4,
			.flags = p->flags,
			.family = p->family,
			.proto = p->proto,
			.hash = p->hash,
			.dir = (uint8_t)dir,
			.depth = p->depth };
		if (__builtin_expect(large, 0)) {
			to->verdict |= LARGE;
			large_hand(iso, in, p, &d);
		}
		nfv_ring_write(&in->in, k++, &d);
	}
	if (k == 0)
		return;
	f->head += k;
	iso->stats.handed += k;
	nfv_ring_publish(&in->in, k);
	atomic_store_explicit(&in->in_flight, f->head - f->tail, memory_order_relaxed);
}

/* In rooms, if it cannot fill buffers. */
void
path_feed(struct nfv_isolated *iso, struct instance *in)
{
	struct flights *f = &in->given;
	uint32_t want = EMPTIES - (f->head - f->tail), n;
	struct nfv_pkt p[EMPTIES];

	if (want < EMPTIES / 4)
		return;
	want = nfv_ring_room(&in->empty, want);
	if (iso->ops->access == NFV_READS) {
		rooms_feed(in, want);
		want = 0;
	}
	n = want > 0 ? iso->pool.take(iso->pool.arg, p, want) : 0;
	for (uint32_t i = 0; i < n; i++) {
		struct nfv_desc d = {
			.off = p[i].headroom, .len = p[i].len, .l3 = p[i].l3, .kind = NFV_DESC_EMPTY
		};

		if (!index_of(iso, &p[i], &d.index)) {
			iso->stats.foreign++;
			give_one(iso, p[i].buf);
			continue;
		}
		f->at[f->head++ & (f->size - 1)] = p[i];
		nfv_ring_put(&in->empty, &d, 1);
	}
	if (in->empty.bad)
		condemn(iso, in, NFV_END_RING);
}

/* What is wrong with a packet that has come back; NFV_ENDS: nothing. `was`: what it was when it went. */
static inline enum nfv_end
check(const struct nfv_isolated *iso, const struct nfv_desc *d, const struct nfv_pkt *was)
{
	if (__builtin_expect(was->verdict & LARGE, 0))
		return large_check(iso, d, was);
	if (iso->ops->access == NFV_READS ?
			d->off != was->headroom || d->len != was->len :
			d->off + d->len > (int)iso->pool.stride || d->len < NFV_ETH_LEN)
		return NFV_END_BOUNDS;
	return d->verdict >= NFV_DROP_BASE + iso->drops ? NFV_END_VERDICT : NFV_ENDS;
}

/* The same with what the stage has written of its own, into `given`. */
static enum nfv_end
check_origin(const struct nfv_isolated *iso, const struct nfv_desc *d, const struct flights *given)
{
	const struct nfv_pkt *was = flights_first(given);
	uint32_t room = iso->pool.stride, index = given->tail & (EMPTIES - 1);

	if (d->kind != NFV_DESC_ORIGIN || d->dir > NFV_INWARD)
		return NFV_END_VERDICT;
	if (was == NULL || (was->buf != NULL && !index_of(iso, was, &index)) || d->index != index)
		return NFV_END_INDEX;
	if (d->l3 != 0) /* exchanged for a large one */
		return iso->pool.take_large == NULL || was->buf == NULL || d->l3 > NFV_LARGE_MAX ||
				d->off != 0 || d->len < NFV_ETH_LEN ?
			NFV_END_BOUNDS :
			NFV_ENDS;
	if (was->buf == NULL)
		room = NFV_WIRE_ROOM;
	return d->off != was->headroom || d->off + d->len > (int)room || d->len < NFV_ETH_LEN ?
		NFV_END_BOUNDS :
		NFV_ENDS;
}

/* A packet as it was, but for the little that a stage may change. */
static inline void
reopen(const struct nfv_isolated *iso, struct nfv_pkt *p, const struct nfv_pkt *was,
	const struct nfv_desc *d)
{
	*p = *was;
	p->data += d->off - was->headroom;
	p->flow = NULL;
	p->headroom = d->off;
	p->len = d->len;
	p->tailroom = (uint16_t)(iso->pool.stride - d->off - d->len);
	p->verdict = d->verdict;
	p->flags |= d->flags & NFV_PKT_OWN;
}

static uint32_t
take_origins(struct nfv_isolated *iso, struct instance *in, uint32_t n, struct nfv_burst origin[2],
	enum nfv_end *why)
{
	uint32_t k = 0;

	for (; k < n; k++) {
		struct nfv_desc d = nfv_ring_read(&in->out, k);
		const struct nfv_pkt *was;
		struct nfv_burst *to;
		struct nfv_pkt *p;

		*why = check_origin(iso, &d, &in->given);
		if (*why != NFV_ENDS)
			break;
		to = &origin[d.dir];
		if (to->n == NFV_BURST_MAX)
			break;
		p = &to->pkt[to->n];
		was = flights_first(&in->given);
		in->given.tail++;
		if (d.l3 != 0)
			give_one(iso, was->buf);
		else if (iso->ops->access == NFV_WRITES)
			reopen(iso, p, was, &d);
		if (d.l3 != 0 ? !large_fetch(iso, in, &d, p) :
				iso->ops->access == NFV_READS && !rooms_fetch(iso, in, &d, p))
			continue;
		p->verdict = NFV_KEEP;
		p->depth = d.depth;
		iso->stats.originated++;
		to->n++;
	}
	nfv_ring_release(&in->out, k);
	return k;
}

static uint32_t
take_packets(struct nfv_isolated *iso, struct instance *in, uint32_t n, struct nfv_burst back[2],
	enum nfv_end *why)
{
	enum { AHEAD = 4 };
	bool writes = iso->ops->access == NFV_WRITES;
	struct flights *f = &in->on_way;
	uint32_t k = 0;

	for (; k < n; k++) {
		const struct nfv_pkt *was = &f->at[(f->tail + k) & (f->size - 1)];
		struct nfv_desc d = nfv_ring_answer_at(&in->in, f->tail + k);
		struct nfv_burst *to = &back[was->verdict & NFV_INWARD];
		struct nfv_pkt *p = &to->pkt[to->n];

		if (to->n == NFV_BURST_MAX)
			break;
		*why = check(iso, &d, was);
		if (__builtin_expect(*why != NFV_ENDS, 0))
			break;
		if (__builtin_expect(was->verdict & LARGE, 0) &&
			!large_reopen(iso, in, &d, was, p)) {
			iso->stats.unreadable++;
			give_one(iso, was->buf);
			continue;
		}
		if (!(was->verdict & LARGE))
			reopen(iso, p, was, &d);
		if (writes && k + AHEAD < n)
			__builtin_prefetch(f->at[(f->tail + k + AHEAD) & (f->size - 1)].data);
		if (writes && p->verdict == NFV_KEEP && nfv_pkt_parse_ip(p) != NFV_PARSE_OK) {
			iso->stats.unreadable++;
			give_one(iso, p->buf);
			continue;
		}
		to->n++;
	}
	if (k == 0)
		return 0;
	f->tail += k;
	iso->stats.returned += k;
	atomic_store_explicit(&in->returned,
		atomic_load_explicit(&in->returned, memory_order_relaxed) + k,
		memory_order_relaxed);
	atomic_store_explicit(&in->in_flight, f->head - f->tail, memory_order_relaxed);
	return k;
}

/* Packets are looked at first, what was said before them is heard before them. */
uint32_t
path_collect(struct nfv_isolated *iso, struct instance *in, struct nfv_burst back[2],
	struct nfv_burst origin[2])
{
	enum nfv_end why = NFV_ENDS;
	uint32_t n, own;

	if (in->caught)
		return 0;
	n = nfv_ring_answered(&in->in, in->on_way.tail, NFV_BURST_MAX);
	own = nfv_ring_filled(&in->out, NFV_BURST_MAX);
	if (__builtin_expect(iso->holes != NULL, 0) && !holes_follow(iso, in))
		n = own = 0;
	if (own > 0) {
		own = take_origins(iso, in, own, origin, &why);
		if (why != NFV_ENDS || nfv_ring_filled(&in->out, 1) > 0)
			n = 0;
	}
	n = take_packets(iso, in, n, back, &why);
	if (__builtin_expect(why != NFV_ENDS || in->in.bad || in->out.bad, 0)) {
		in->caught = true;
		condemn(iso, in, why != NFV_ENDS ? why : NFV_END_RING);
	}
	return n + own;
}

static void
give_all(struct nfv_isolated *iso, struct flights *f, uint64_t *count)
{
	const struct nfv_pkt *p;

	for (; (p = flights_first(f)) != NULL; f->tail++, (*count)++)
		give_one(iso, p->buf);
}

void
path_sweep(struct nfv_isolated *iso, struct instance *in)
{
	give_all(iso, &in->on_way, &iso->stats.swept);
	if (iso->ops->access == NFV_READS)
		in->given.tail = in->given.head;
	give_all(iso, &in->given, &iso->stats.swept_empty);
	atomic_store(&in->in_flight, 0);
}
