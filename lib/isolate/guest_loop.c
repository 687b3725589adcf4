/*
 * An instance's loop. Bursts of one direction come out of a ring, are given their flow records, run
 * through the stage, and go back in their places, dropped ones too: the
 * manager frees. About once a millisecond: timers, the heartbeat, and a look at the socket.
 */
#include <time.h>

#include "guest.h"
#include "nfv_tsc.h"
#include "records.h"

/* Of a stage's state that is handed over: at least, and while there is nothing else to do. */
#define RECORDS_A_MS   1024u
#define RECORDS_A_REST 128u

static bool
open_packet(const struct guest *g, const struct nfv_desc *d, struct nfv_pkt *p)
{
	const struct nfv_wire_config *c = &g->told.c;
	uint8_t *at = g->pool.at + (size_t)d->index * c->stride;
	uint32_t room = c->stride;

	if (__builtin_expect(d->index >= c->buffers, 0)) {
		if (g->large == NULL || d->index - c->buffers >= NFV_LARGE_MAX)
			return false;
		at = g->large + (size_t)(d->index - c->buffers) * NFV_WIRE_LARGE;
		room = NFV_FRAME_MAX;
	}
	if (d->off + d->len > (int)room)
		return false;
	*p = (struct nfv_pkt){ .data = at + d->off,
		.len = d->len,
		.headroom = d->off,
		.tailroom = (uint16_t)(room - d->off - d->len),
		.l3 = d->l3,
		.l4 = d->l4,
		.flags = d->flags,
		.family = d->family,
		.proto = d->proto,
		.hash = d->hash,
		.depth = d->depth };
	return true;
}

/* An empty one, to be filled. */
static bool
open_empty(const struct guest *g, const struct nfv_desc *d, struct nfv_pkt *p)
{
	if (g->rooms == NULL)
		return open_packet(g, d, p);
	if (d->index >= g->told.c.empties || d->off + d->len > (int)NFV_WIRE_ROOM)
		return false;
	*p = (struct nfv_pkt){ .data = g->rooms + (size_t)d->index * NFV_WIRE_ROOM + d->off,
		.len = d->len,
		.headroom = d->off,
		.tailroom = (uint16_t)(NFV_WIRE_ROOM - d->off - d->len),
		.l3 = d->l3 };
	return true;
}

/* Where the manager has taken all that was put out, all rooms are free. */
static void
arm_large(struct guest *g)
{
	struct nfv_large *l = &g->larges;

	if (l->room - l->n == NFV_LARGE_MAX || nfv_ring_room(&g->out, g->out.size) < g->out.size)
		return;
	for (uint32_t i = 0; i < NFV_LARGE_MAX; i++)
		l->pkt[i] = (struct nfv_pkt){ .data = g->large +
				(size_t)(NFV_LARGE_MAX + i) * NFV_WIRE_LARGE,
			.len = NFV_ETH_LEN,
			.l3 = NFV_ETH_LEN,
			.tailroom = NFV_FRAME_MAX - NFV_ETH_LEN };
	l->n = 0;
	l->room = NFV_LARGE_MAX;
}

/* The number of the room that a packet lies in, and 1 more; 0: in none. */
static uint16_t
large_of(const struct guest *g, const struct nfv_pkt *p)
{
	const uint8_t *first = g->large + (size_t)NFV_LARGE_MAX * NFV_WIRE_LARGE;

	if (g->room.large == NULL || p->data < first ||
		p->data >= first + (size_t)NFV_LARGE_MAX * NFV_WIRE_LARGE)
		return 0;
	return (uint16_t)((size_t)(p->data - first) / NFV_WIRE_LARGE + 1);
}

/* Empty buffers for what the stage may originate: what was taken is gone, more come from the ring. */
static void
arm(struct guest *g)
{
	struct nfv_out *out = &g->room;
	uint16_t left = (uint16_t)(out->room - out->n);

	for (uint16_t i = 0; i < left && out->n > 0; i++) {
		out->pkt[i] = out->pkt[out->n + i];
		g->armed[i] = g->armed[out->n + i];
	}
	out->n = 0;
	out->starved = 0;
	out->room = left;
	while (out->room < NFV_BURST_MAX) {
		struct nfv_pkt *p = &out->pkt[out->room];
		struct nfv_desc d;

		if (nfv_ring_get(&g->empty, &d, 1) == 0 || !open_empty(g, &d, p))
			return;
		g->armed[out->room++] = d.index;
	}
}

/* What the stage has written of its own goes out before the burst that caused it, which is `depth` answers to
 * answers deep already. */
static void
send_origins(struct guest *g, uint8_t depth)
{
	struct nfv_out *out = &g->room;

	for (uint16_t i = 0; i < out->n; i++) {
		struct nfv_desc d = { .index = g->armed[i],
			.off = out->pkt[i].headroom,
			.len = out->pkt[i].len,
			.l3 = large_of(g, &out->pkt[i]),
			.kind = NFV_DESC_ORIGIN,
			.dir = (uint8_t)out->dir[i],
			.depth = depth < UINT8_MAX ? depth + 1 : depth };

		nfv_ring_put(&g->out, &d, 1);
	}
	if (out->n > 0 || out->starved > 0 || out->room < NFV_BURST_MAX)
		arm(g);
}

/* Dropped packets leave the burst that settles; `b` keeps them for their way back. */
static void
settle(struct guest *g, const struct nfv_burst *b, struct fresh *fresh)
{
	struct nfv_burst kept;

	kept.n = 0;
	kept.dir = b->dir;
	for (uint16_t i = 0; i < b->n; i++)
		if (b->pkt[i].verdict == NFV_KEEP)
			kept.pkt[kept.n++] = b->pkt[i];
	records_settle(g->table, &g->kept.head->key_taken, &kept, fresh, guest_tick(g, b->tsc));
}

static void
run_stage(struct guest *g, struct nfv_burst *b)
{
	struct fresh fresh = { .n = 0 };

	if (g->table[0] != NULL) {
		records_attach(g->table, b, guest_tick(g, b->tsc), &fresh);
		for (uint16_t i = 0; i < b->n; i++)
			if (b->pkt[i].rec != NULL)
				b->pkt[i].flow = nfv_flow_slot(
					g->table[b->pkt[i].family == 6], b->pkt[i].rec);
	}
	b->idle = g->kept.head->idle;
	if (g->room.large != NULL)
		arm_large(g);
	g->ops->process(g->state, b, &g->room);
	if (g->table[0] == NULL)
		return;
	/* Answers to a new flow have to find its record already. */
	if (g->room.n > 0)
		records_alias(g->table, &g->kept.head->key_taken, b, true);
	settle(g, b, &fresh);
	if (__builtin_expect(g->giver.on, 0))
		guest_touch(g, b);
}

/* A burst's packets go back in their places. */
static void
put_back(struct guest *g, const struct nfv_burst *b)
{
	for (uint16_t i = 0; i < b->n; i++) {
		const struct nfv_pkt *p = &b->pkt[i];
		struct nfv_desc d = {
			.off = p->headroom, .len = p->len, .flags = p->flags, .verdict = p->verdict
		};

		nfv_ring_answer(&g->in, i, &d);
	}
	nfv_ring_release(&g->in, b->n);
}

/* One burst of one direction and depth from the ring, if there is one; how many packets. */
static uint32_t
move(struct guest *g, uint64_t tsc)
{
	uint32_t n = nfv_ring_filled(&g->in, NFV_BURST_MAX);
	struct nfv_burst b;
	uint8_t depth = 0;

	if (n == 0)
		return 0;
	b.tsc = tsc;
	b.n = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct nfv_desc d = nfv_ring_read(&g->in, i);

		if (i > 0 && (d.dir != (uint8_t)b.dir || d.depth != depth))
			break;
		b.dir = (enum nfv_dir)d.dir;
		depth = d.depth;
		if (!open_packet(g, &d, &b.pkt[b.n]))
			break;
		__builtin_prefetch(b.pkt[b.n++].data);
	}
	/* The manager sends nothing that does not fit; should it, it notices that nothing comes back. */
	if (b.n == 0)
		return 0;
	/* The first ones may have come after the loop began. */
	if (__builtin_expect(g->room.room < NFV_BURST_MAX, 0))
		arm(g);
	state_begin(&g->kept);
	run_stage(g, &b);
	state_end(&g->kept);
	if (__builtin_expect(g->holes != NULL, 0)) {
		g->holes->anew |= g->parked; /* meanwhile another one has spoken */
		guest_holes_flush(g);
	}
	send_origins(g, depth);
	put_back(g, &b);
	return b.n;
}

/* Of each family: a few flows whose time is over. */
static void
tick(struct guest *g, uint64_t tsc)
{
	enum { FLOWS_A_TICK = 64 };
	uint32_t flows = 0;

	if (g->room.room < NFV_BURST_MAX)
		arm(g);
	if (g->table[0] == NULL && g->ops->tick == NULL && g->holes == NULL)
		return;
	state_begin(&g->kept);
	if (g->holes != NULL)
		guest_holes_ended(g);
	for (int f = 0; f < 2; f++)
		if (g->table[f] != NULL) {
			nfv_flow_expire(g->table[f], guest_tick(g, tsc), FLOWS_A_TICK);
			flows += nfv_flow_stats(g->table[f]).live;
		}
	if (g->room.large != NULL)
		arm_large(g);
	if (g->ops->tick != NULL)
		g->ops->tick(g->state, tsc, &g->room);
	state_end(&g->kept);
	if (g->holes != NULL)
		guest_holes_flush(g);
	if (g->ops->tick != NULL)
		send_origins(g, 0);
	atomic_store_explicit(&g->word->flows, flows, memory_order_relaxed);
	atomic_store_explicit(&g->word->key_taken, g->kept.head->key_taken, memory_order_relaxed);
}

static void
show(struct guest *g)
{
	long n = 0;

	rewind(g->show);
	if (g->ops->show != NULL) {
		g->ops->show(g->state, g->show);
		fflush(g->show);
		n = ftell(g->show);
	}
	nfv_wire_send(GUEST_SOCK, NFV_WIRE_SHOWN, g->shown,
		n > 0 && n < (long)SHOW_MAX ? (uint32_t)n : 0, NULL, 0, NULL);
}

/* Whether to go on. */
static bool
listen_to(struct guest *g)
{
	int rc = nfv_wire_recv(GUEST_SOCK, false, &g->msg, NULL);

	if (rc == -EAGAIN)
		return true;
	if (rc != 1)
		return false;
	if (g->msg.type == NFV_WIRE_SHOW) {
		show(g);
	} else if (g->msg.type == NFV_WIRE_GIVE) {
		guest_give(g);
	} else if (g->msg.type == NFV_WIRE_RESUME) {
		guest_resume(g);
	} else if (g->msg.type == NFV_WIRE_STOP) {
		return false;
	}
	nfv_wire_close(&g->msg);
	return true;
}

/* What there is time for while no packet comes; `idle`: for long already. One that waits in case it is needed
 * again is not to take the other's processor, and one that hands over and shares it has to let it have some. */
static void
rest(struct guest *g, bool idle)
{
	const struct timespec nap = { .tv_nsec = 50000 }, soon = { .tv_nsec = GUEST_SOON };

	guest_give_some(g, RECORDS_A_REST);
	if (g->giver.on && (idle || g->shares))
		clock_nanosleep(CLOCK_MONOTONIC, 0, &soon, NULL);
	else if (!g->giver.on && (idle || g->parked))
		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
}

void
guest_loop(struct guest *g)
{
	const uint64_t ms = g->told.c.tsc_hz / 1000 + 1;
	const uint64_t idle = g->told.c.idle_us * (ms / 1000 + 1);
	/* Packets may have waited for this one. */
	uint64_t next = 0, last = nfv_tsc(), busy = last + ms, packets = 0;

	arm(g);
	if (g->holes != NULL)
		guest_holes_flush(g);
	while (!g->in.bad && !g->out.bad && !g->empty.bad) {
		/* Before the look at the ring: what was put there before the order was given is still seen. */
		uint32_t order = atomic_load_explicit(&g->word->order, memory_order_acquire), n;
		uint64_t tsc = nfv_tsc();

		n = move(g, tsc);

		if (n > 0) {
			g->parked = false;
			packets += n;
			busy = tsc;
		} else {
			g->kept.head->idle += tsc - last;
		}
		last = tsc;
		if (__builtin_expect(n == 0 && order != NFV_WIRE_WORK, 0)) {
			if (order == NFV_WIRE_LEAVE)
				return;
			if (!g->parked)
				guest_last(g);
		}
		if (tsc >= next) {
			if (!g->parked)
				tick(g, tsc);
			guest_give_some(g, RECORDS_A_MS);
			atomic_fetch_add_explicit(&g->word->beat, 1, memory_order_relaxed);
			atomic_store_explicit(&g->word->packets, packets, memory_order_relaxed);
			if (!listen_to(g))
				return;
			next = tsc + ms;
		}
		if (n == 0 && (idle > 0 || g->giver.on || g->parked))
			rest(g, idle > 0 && (int64_t)(tsc - busy) > (int64_t)idle);
	}
}
