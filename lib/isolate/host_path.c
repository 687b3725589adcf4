/*
 * The worker's side: bursts into an instance's ring, and out of it what comes back, each descriptor
 * checked against the list of what is on its way.
 */
#include <stdlib.h>

#include "host.h"
#include "nfv_tsc.h"

static struct flight *
oldest(struct flights *f)
{
	return f->head != f->tail ? &f->at[f->tail & (f->size - 1)] : NULL;
}

/* It is on its way out, and what it has put out until now is still to be taken before anything newer,
 * so that no packet overtakes another. */
static bool
leaves(const struct instance *in, int state)
{
	return state == DRAINING || state == GIVING ||
		((state == CONDEMNED || state == DEAD) && !in->caught);
}

static void
give_one(struct nfv_isolated *iso, void *buf)
{
	iso->pool.give(iso->pool.arg, &buf, 1);
}

/* The number of the buffer that the packet lies in; false: it does not lie in the pool. */
static inline bool
index_of(const struct nfv_isolated *iso, const struct nfv_pkt *p, uint32_t *index)
{
	uint64_t at = (uint64_t)(p->data - p->headroom - iso->base);

	*index = (uint32_t)(at / 64 * iso->reciprocal >> 32);
	return at < iso->pool.segment->size && (uint64_t)*index * iso->pool.stride == at &&
		*index < iso->pool.buffers && p->headroom + p->len <= (int)iso->pool.stride;
}

/* Hand `n` packets to the live instance; those it has no room for are dropped. */
static void
hand(struct nfv_isolated *iso, struct instance *in, struct nfv_pkt *pkt, uint32_t n,
	enum nfv_dir dir)
{
	struct flights *f = &in->on_way;
	uint32_t room = f->size - (f->head - f->tail), k = 0;

	room = nfv_ring_room(&in->in, n < room ? n : room);
	for (uint32_t i = 0; i < n; i++) {
		const struct nfv_pkt *p = &pkt[i];
		struct flight *to = &f->at[(f->head + k) & (f->size - 1)];
		struct nfv_desc d;
		uint32_t index;

		if (!index_of(iso, p, &index)) {
			iso->stats.foreign++;
			give_one(iso, p->buf);
			continue;
		}
		if (k == room) {
			iso->stats.full++;
			give_one(iso, p->buf);
			continue;
		}
		*to = (struct flight){ .buf = p->buf,
			.rec = p->rec,
			.index = index,
			.hash = p->hash,
			.off = p->headroom,
			.len = p->len,
			.l3 = p->l3,
			.l4 = p->l4,
			.flags = p->flags,
			.family = p->family,
			.proto = p->proto,
			.dir = (uint8_t)dir,
			.port = p->port };
		d = (struct nfv_desc){ .index = index,
			.off = p->headroom,
			.len = p->len,
			.l3 = p->l3,
			.l4 = p->l4,
			.flags = p->flags,
			.family = p->family,
			.proto = p->proto,
			.hash = p->hash,
			.dir = (uint8_t)dir };
		nfv_ring_write(&in->in, k++, &d);
	}
	if (k == 0) {
		if (in->in.bad)
			condemn(iso, in, NFV_END_RING);
		return;
	}
	f->head += k;
	iso->stats.handed += k;
	nfv_ring_publish(&in->in, k);
	atomic_store_explicit(&in->in_flight, f->head - f->tail, memory_order_relaxed);
}

/* Keep the instance in empty buffers, or in rooms if it cannot fill any. */
static void
feed(struct nfv_isolated *iso, struct instance *in)
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
		f->at[f->head++ & (f->size - 1)] = (struct flight){ .buf = p[i].buf,
			.index = d.index,
			.off = p[i].headroom,
			.len = p[i].len,
			.l3 = p[i].l3 };
		nfv_ring_put(&in->empty, &d, 1);
	}
	if (in->empty.bad)
		condemn(iso, in, NFV_END_RING);
}

/* What is wrong with a descriptor that has come back; NFV_ENDS: nothing. `f`: what it must be about. */
static inline enum nfv_end
check(const struct nfv_isolated *iso, const struct nfv_desc *d, const struct flight *f)
{
	if (d->kind != NFV_DESC_PACKET && d->kind != NFV_DESC_ORIGIN)
		return NFV_END_VERDICT;
	if (f == NULL || d->index != f->index)
		return NFV_END_INDEX;
	if (d->off + d->len > (int)iso->pool.stride || d->len < NFV_ETH_LEN)
		return NFV_END_BOUNDS;
	if (d->kind == NFV_DESC_ORIGIN)
		return d->dir > NFV_INWARD ? NFV_END_VERDICT :
			d->off != f->off || (f->buf == NULL && d->len > NFV_WIRE_ROOM) ?
					     NFV_END_BOUNDS :
					     NFV_ENDS;
	if (iso->ops->access == NFV_READS && (d->off != f->off || d->len != f->len))
		return NFV_END_BOUNDS;
	return d->verdict >= NFV_DROP_BASE + iso->drops || d->dir != f->dir ? NFV_END_VERDICT :
									      NFV_ENDS;
}

/* A packet from what is known here and the little that a stage may change. */
static inline struct nfv_pkt
reopen(const struct nfv_isolated *iso, const struct nfv_desc *d, const struct flight *f)
{
	return (struct nfv_pkt){ .data = iso->base + (size_t)f->index * iso->pool.stride + d->off,
		.buf = f->buf,
		.rec = f->rec,
		.len = d->len,
		.headroom = d->off,
		.tailroom = (uint16_t)(iso->pool.stride - d->off - d->len),
		.verdict = d->verdict,
		.port = f->port,
		.l3 = f->l3,
		.l4 = f->l4,
		.flags = (uint16_t)(f->flags | (d->flags & NFV_PKT_OWN)),
		.family = f->family,
		.proto = f->proto,
		.hash = f->hash };
}

/* Take what an instance has put out, as much as there is room for. */
static uint32_t
collect(struct nfv_isolated *iso, struct instance *in, struct nfv_burst back[2],
	struct nfv_burst origin[2])
{
	bool writes = iso->ops->access == NFV_WRITES;
	uint32_t n = in->caught ? 0 : nfv_ring_filled(&in->out, NFV_BURST_MAX), k = 0, packets = 0;
	enum nfv_end why = NFV_ENDS;

	/* Behind the look at the ring: what was said before a packet is heard before it. */
	if (__builtin_expect(iso->holes != NULL, 0) && !in->caught && !holes_follow(iso, in))
		n = 0;
	for (; k < n; k++) {
		struct nfv_desc d = nfv_ring_read(&in->out, k);
		bool own = d.kind == NFV_DESC_ORIGIN;
		struct flights *from = own ? &in->given : &in->on_way;
		const struct flight *f = oldest(from);
		struct nfv_burst *to;
		struct nfv_pkt *p;

		why = check(iso, &d, f);
		if (__builtin_expect(why != NFV_ENDS, 0))
			break;
		to = own ? &origin[d.dir] : &back[d.dir];
		if (to->n == NFV_BURST_MAX)
			break;
		p = &to->pkt[to->n];
		from->tail++;
		packets += !own;
		if (own && !writes) {
			if (!rooms_fetch(iso, in, &d, p))
				continue;
		} else {
			*p = reopen(iso, &d, f);
		}
		if (own) {
			p->verdict = NFV_KEEP;
			iso->stats.originated++;
		} else if (writes && p->verdict == NFV_KEEP &&
			nfv_pkt_parse_ip(p) != NFV_PARSE_OK) {
			iso->stats.unreadable++;
			give_one(iso, p->buf);
			continue;
		}
		to->n++;
	}
	if (k > 0)
		nfv_ring_release(&in->out, k);
	if (__builtin_expect(why != NFV_ENDS || in->out.bad, 0)) {
		in->caught = true;
		condemn(iso, in, why != NFV_ENDS ? why : NFV_END_RING);
	}
	if (packets > 0) {
		iso->stats.returned += packets;
		atomic_store_explicit(&in->returned,
			atomic_load_explicit(&in->returned, memory_order_relaxed) + packets,
			memory_order_relaxed);
		atomic_store_explicit(
			&in->in_flight, in->on_way.head - in->on_way.tail, memory_order_relaxed);
	}
	return k;
}

static void
give_all(struct nfv_isolated *iso, struct flights *f, uint64_t *count)
{
	struct flight *o;

	for (; (o = oldest(f)) != NULL; f->tail++, (*count)++)
		give_one(iso, o->buf);
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

static void
hold(struct nfv_isolated *iso, const struct nfv_burst *b)
{
	for (uint16_t i = 0; i < b->n; i++) {
		if (iso->held_head - iso->held_tail == HELD * iso->ring) {
			iso->stats.down++;
			give_one(iso, b->pkt[i].buf);
			continue;
		}
		iso->held[iso->held_head++ & (HELD * iso->ring - 1)] =
			(struct held){ b->pkt[i], b->dir };
		iso->stats.held++;
	}
}

/* One by one, since they are few and may be of either direction; as many as there is room for. */
static void
release(struct nfv_isolated *iso)
{
	const struct flights *f = &iso->cur->on_way;

	for (; iso->held_tail != iso->held_head && f->head - f->tail < f->size &&
		nfv_ring_room(&iso->cur->in, 1) > 0;
		iso->held_tail++) {
		struct held *h = &iso->held[iso->held_tail & (HELD * iso->ring - 1)];

		hand(iso, iso->cur, &h->pkt, 1, h->dir);
	}
}

/* The instance in use, and since when there is none. */
static void
use(struct nfv_isolated *iso, struct instance *in)
{
	uint64_t now = nfv_tsc();

	if (in == NULL && iso->cur != NULL)
		iso->down_since = now;
	if (in != NULL && iso->cur == NULL && iso->down_since > 0 &&
		now - iso->down_since > iso->stats.pause_tsc)
		iso->stats.pause_tsc = now - iso->down_since;
	iso->cur = in;
	atomic_store(&iso->shown, in);
}

/* The one whose state `cur` took over works again, if it is still there. */
static struct instance *
fall_back(struct nfv_isolated *iso)
{
	struct instance *in = iso->giver;

	iso->giver = NULL;
	for (int from = GIVING; in != NULL && from <= PARKED; from++) {
		int was = from;

		if (atomic_compare_exchange_strong(&in->state, &was, LIVE))
			return in;
	}
	return NULL;
}

/* The live one gets word that nothing follows; packets wait until its heir has all of its state. */
static void
give_over(struct nfv_isolated *iso, struct instance *heir)
{
	const struct nfv_desc last = { .kind = NFV_DESC_LAST };
	int live = LIVE, offered = OFFERED;

	/* Whoever offered it sees to it that there is one, or nothing comes of this. */
	if (iso->cur == NULL)
		return;
	if (nfv_ring_room(&iso->cur->in, 1) == 0) {
		atomic_store(&iso->next, heir);
		atomic_store(&iso->attention, 1);
		return;
	}
	if (!atomic_compare_exchange_strong(&heir->state, &offered, TAKING))
		return;
	nfv_ring_put(&iso->cur->in, &last, 1);
	atomic_compare_exchange_strong(&iso->cur->state, &live, GIVING);
	iso->giver = iso->cur;
	iso->given_since = nfv_tsc();
	use(iso, heir);
	feed(iso, heir);
}

/* Whether the heir has all. */
static void
see_taken(struct nfv_isolated *iso)
{
	const struct nfv_wire_shared *word = (const struct nfv_wire_shared *)iso->cur->shared.at;
	int taking = TAKING;

	if (atomic_load_explicit(&word->taken, memory_order_acquire) == 0 ||
		!atomic_compare_exchange_strong(&iso->cur->state, &taking, LIVE))
		return;
	iso->stats.switch_tsc = nfv_tsc() - iso->given_since;
	if (iso->stats.switch_tsc > iso->stats.switch_most_tsc)
		iso->stats.switch_most_tsc = iso->stats.switch_tsc;
}

/* States have changed: leave what is condemned, sweep what is dead, take what is offered. */
static void
attend(struct nfv_isolated *iso)
{
	struct instance *in;

	atomic_store(&iso->attention, 0);
	if (iso->cur != NULL && atomic_load(&iso->cur->state) >= CONDEMNED)
		use(iso, fall_back(iso));
	in = atomic_exchange(&iso->next, NULL);
	if (in != NULL && in->heir) {
		give_over(iso, in);
	} else if (in != NULL) {
		int offered = OFFERED, live = LIVE;

		if (iso->cur != NULL)
			atomic_compare_exchange_strong(&iso->cur->state, &live, DRAINING);
		if (atomic_compare_exchange_strong(&in->state, &offered, LIVE)) {
			use(iso, in);
			feed(iso, in);
		}
	}
	iso->others = 0;
	for (int i = 0; i < INSTANCES; i++) {
		int state = atomic_load(&iso->slot[i].state);

		iso->others += state == DEAD || leaves(&iso->slot[i], state);
	}
}

/* It has nothing to do any more, and the next one waits for the state to be its own. */
static void
step_back(struct instance *in)
{
	struct nfv_wire_shared *word = (struct nfv_wire_shared *)in->shared.at;

	atomic_store_explicit(&word->stop, 1, memory_order_release);
}

/* Instances that leave: what they have put out is still taken, once; then they are done. */
static uint32_t
collect_others(struct nfv_isolated *iso, struct nfv_burst back[2], struct nfv_burst origin[2])
{
	uint32_t n = 0;

	for (int i = 0; i < INSTANCES; i++) {
		struct instance *in = &iso->slot[i];
		int state = atomic_load(&in->state);
		uint32_t k;

		if (state != DEAD && !leaves(in, state))
			continue;
		k = collect(iso, in, back, origin);
		n += k;
		if (k > 0)
			continue;
		if (state == GIVING) { /* until its last packet is back, and its state taken */
			if (oldest(&in->on_way) != NULL || iso->cur == NULL ||
				atomic_load(&iso->cur->state) != LIVE)
				continue;
			atomic_compare_exchange_strong(&in->state, &state, PARKED);
			atomic_store(&iso->attention, 1);
			continue;
		}
		if (state != DRAINING)
			in->caught = true;
		if (state == DEAD) {
			path_sweep(iso, in);
			atomic_store(&in->state, SWEPT);
		} else if (state == DRAINING && oldest(&in->on_way) == NULL) {
			step_back(in);
			atomic_compare_exchange_strong(&in->state, &state, DRAINED);
		} else if (state == DRAINING) {
			continue;
		}
		atomic_store(&iso->attention, 1);
	}
	return n;
}

static bool
draining(const struct nfv_isolated *iso)
{
	for (int i = 0; i < INSTANCES; i++)
		if (leaves(&iso->slot[i], atomic_load(&iso->slot[i].state)))
			return true;
	return false;
}

void
nfv_isolated_process(struct nfv_isolated *iso, struct nfv_burst *b)
{
	if (__builtin_expect(atomic_load_explicit(&iso->attention, memory_order_acquire), 0))
		attend(iso);
	if (__builtin_expect(iso->cur != NULL && iso->held_head == iso->held_tail &&
			    (iso->others == 0 || !draining(iso)),
		    1)) {
		hand(iso, iso->cur, b->pkt, b->n, b->dir);
	} else if (iso->cur != NULL || iso->on_failure == NFV_FAIL_HOLD) {
		hold(iso, b);
	} else if (iso->on_failure == NFV_FAIL_BYPASS) {
		iso->stats.bypassed += b->n;
		return;
	} else {
		iso->stats.down += b->n;
		for (uint16_t i = 0; i < b->n; i++)
			give_one(iso, b->pkt[i].buf);
	}
	b->n = 0;
}

uint32_t
nfv_isolated_collect(struct nfv_isolated *iso, struct nfv_burst back[2], struct nfv_burst origin[2])
{
	uint64_t now = nfv_tsc();
	uint32_t n = 0;

	for (int dir = 0; dir < 2; dir++) {
		back[dir].n = origin[dir].n = 0;
		back[dir].dir = origin[dir].dir = (enum nfv_dir)dir;
		back[dir].tsc = origin[dir].tsc = now;
	}
	atomic_store_explicit(&iso->polls,
		atomic_load_explicit(&iso->polls, memory_order_relaxed) + 1, memory_order_relaxed);
	if (__builtin_expect(atomic_load_explicit(&iso->attention, memory_order_acquire), 0))
		attend(iso);
	if (__builtin_expect(iso->others > 0, 0)) {
		if (iso->cur != NULL && atomic_load(&iso->cur->state) == TAKING)
			see_taken(iso);
		n = collect_others(iso, back, origin);
	}
	if (__builtin_expect(iso->holes != NULL, 0))
		holes_look(iso, now);
	if (iso->cur == NULL)
		return n;
	if (__builtin_expect(iso->held_tail != iso->held_head, 0) && !draining(iso))
		release(iso);
	n += collect(iso, iso->cur, back, origin);
	feed(iso, iso->cur);
	return n;
}

void
path_fini(struct nfv_isolated *iso)
{
	for (; iso->held != NULL && iso->held_tail != iso->held_head; iso->held_tail++)
		give_one(iso, iso->held[iso->held_tail & (HELD * iso->ring - 1)].pkt.buf);
	for (int i = 0; i < INSTANCES; i++) {
		path_sweep(iso, &iso->slot[i]);
		free(iso->slot[i].on_way.at);
		free(iso->slot[i].given.at);
	}
	free(iso->held);
}
