/* Packets to lanes by their flows, and back. */
#include <string.h>

#include <rte_cycles.h>

#include "lanes.h"
#include "records.h"

/* --- records --- */

static uint32_t
tick_of(const struct nfv_lanes *l, uint64_t tsc)
{
	return (uint32_t)((tsc - l->tsc_zero) / l->tsc_per_tick);
}

static struct stay *
stay_of(const struct nfv_lanes *l, int v6, const struct nfv_flow *end)
{
	return nfv_flow_slot(l->ends[v6], end);
}

/* A flow is over, and with its last one its endpoint. */
void
lanes_flow_end(void *arg, void *slots)
{
	const struct side *s = arg;
	struct nfv_lanes *l = s->lanes;
	const struct place *at = slots;

	if (at->lane == 0)
		return;
	l->lane[at->lane - 1].stats.flows--;
	if (at->end != NULL && --stay_of(l, s->v6, at->end)->flows == 0)
		nfv_flow_del(l->ends[s->v6], at->end);
}

/* What of a flow's key is the inside's, or goes there. */
static struct nfv_flow_key
endpoint_of(const struct nfv_flow_key *k, int v6)
{
	struct nfv_flow_key e = { .proto = k->proto, .dir = k->dir };
	bool outward = k->dir == NFV_OUTWARD;

	e.be_sport = outward ? k->be_sport : 0;
	e.be_dport = outward ? 0 : k->be_dport;
	if (!v6 && outward)
		e.v4.be_src = k->v4.be_src;
	else if (!v6)
		e.v4.be_dst = k->v4.be_dst;
	else if (outward)
		memcpy(e.v6.src, k->v6.src, sizeof(e.v6.src));
	else
		memcpy(e.v6.dst, k->v6.dst, sizeof(e.v6.dst));
	return e;
}

/* The same for either direction: both may begin before a packet of one has come back. */
static uint8_t
deal(const struct nfv_lanes *l, const struct nfv_flow_table *t, struct nfv_flow_key k, int v6)
{
	if (k.dir == NFV_INWARD)
		k = nfv_flow_mirror(&k, v6 ? 6 : 4);
	return (uint8_t)((nfv_flow_hash(t, &k) >> 32) % l->dealt);
}

/* A new flow is given its lane: its endpoint's, if that has one. There is room for its record, since each
 * has a flow at least. */
static void
settle_down(struct nfv_lanes *l, int v6, const struct nfv_flow *f, uint32_t now)
{
	const struct nfv_flow_key *key = nfv_flow_key_of(l->flows[v6], f, 0);
	struct place *at = place_of(l, v6, f);
	uint8_t lane;

	if (l->ends[v6] == NULL) {
		lane = deal(l, l->flows[v6], *key, v6);
	} else {
		struct nfv_flow_key k = endpoint_of(key, v6);
		uint64_t hash = nfv_flow_hash(l->ends[v6], &k);
		struct nfv_flow *end = nfv_flow_find1(l->ends[v6], &k, hash);

		if (end == NULL && (end = nfv_flow_add(l->ends[v6], &k, hash, now)) != NULL)
			stay_of(l, v6, end)->lane = deal(l, l->ends[v6], k, v6);
		if (end != NULL)
			stay_of(l, v6, end)->flows++;
		lane = end != NULL ? stay_of(l, v6, end)->lane : deal(l, l->ends[v6], k, v6);
		at->end = end;
	}
	at->lane = (uint8_t)(lane + 1);
	l->lane[lane].stats.flows++;
}

/* The tuples that answers carry, and others that come to the same endpoint. */
static void
expect_answers(
	struct nfv_lanes *l, int v6, struct nfv_flow *f, const struct nfv_pkt *p, enum nfv_dir dir)
{
	struct nfv_flow *end = place_of(l, v6, f)->end;
	struct nfv_flow_key key;

	if (f->flags & NFV_FLOW_ALIASED || nfv_flow_key(p, dir, &key) != NFV_FLOW_PACKET)
		return;
	key = nfv_flow_mirror(&key, p->family);
	if (nfv_flow_alias(l->flows[v6], f, &key) < 0)
		l->key_taken++;
	if (end == NULL || end->flags & NFV_FLOW_ALIASED)
		return;
	/* Another endpoint may lead to the same one inside: each of its flows is found by its own key. */
	key = endpoint_of(&key, v6);
	nfv_flow_alias(l->ends[v6], end, &key);
}

/* --- there --- */

/*
 * Packets of a flow of which none has come back yet carry its record with them. It may be another's by
 * then, so it is looked at closely; and the stage may have made the packet one of the other family, so
 * whose table it is in goes along in its lowest bit.
 */
static void *
ticket(struct nfv_flow *f, int v6)
{
	return (uint8_t *)f + v6;
}

/* The record behind a ticket, if it is still that flow's, and that in this lane. */
static struct nfv_flow *
redeem(const struct nfv_lanes *l, const struct nfv_pkt *p, uint32_t lane, int *v6)
{
	const struct nfv_flow_key *key;
	struct nfv_flow *f;

	if (p->rec == NULL)
		return NULL;
	*v6 = (int)((uintptr_t)p->rec & 1);
	f = (struct nfv_flow *)((uint8_t *)p->rec - *v6);
	if (!(f->flags & NFV_FLOW_LIVE) || place_of(l, *v6, f)->lane != lane + 1)
		return NULL;
	key = nfv_flow_key_of(l->flows[*v6], f, 0);
	return (uint32_t)nfv_flow_hash(l->flows[*v6], key) == p->hash ? f : NULL;
}

/* The packet's lane. Of a flow that goes on, its time is noted here; of one that begins, once it is back. */
static uint8_t
lane_of(struct nfv_lanes *l, struct nfv_pkt *p, enum nfv_dir dir, uint32_t now)
{
	bool begins = (p->flags & (NFV_PKT_NEW | NFV_PKT_REPLY | NFV_PKT_RELATED)) == NFV_PKT_NEW;
	bool goes_on = !(p->flags & (NFV_PKT_NEW | NFV_PKT_RELATED));
	int v6 = p->family == 6;
	struct nfv_flow *f = p->rec;
	struct place *at;

	p->flags &= (uint16_t) ~(NFV_PKT_NEW | NFV_PKT_REPLY | NFV_PKT_RELATED);
	p->rec = NULL;
	if (f == NULL)
		return 0;
	at = place_of(l, v6, f);
	if (goes_on)
		nfv_flow_track(l->flows[v6], f, p, dir, now);
	if (begins) {
		p->rec = ticket(f, v6);
		at->sent = (uint16_t)(at->sent < UINT16_MAX ? at->sent + 1 : UINT16_MAX);
	}
	return (uint8_t)(at->lane - 1);
}

/* What has come back: new flows are confirmed and learn what their answers look like; those of which
 * nothing passes are forgotten. */
static void
came_back(struct nfv_lanes *l, uint32_t lane, struct nfv_burst *b, uint32_t now)
{
	for (uint16_t i = 0; i < b->n; i++) {
		struct nfv_pkt *p = &b->pkt[i];
		int v6 = 0;
		struct nfv_flow *f = redeem(l, p, lane, &v6);
		struct place *at;

		p->rec = NULL;
		if (f == NULL)
			continue;
		at = place_of(l, v6, f);
		at->sent = (uint16_t)(at->sent > 0 ? at->sent - 1 : 0);
		if (p->verdict == NFV_KEEP) {
			f->flags |= NFV_FLOW_CONFIRMED;
			if (p->family != (v6 ? 6 : 4))
				continue;
			expect_answers(l, v6, f, p, b->dir);
			nfv_flow_track(l->flows[v6], f, p, b->dir, now);
		} else if (at->sent == 0 && !(f->flags & NFV_FLOW_CONFIRMED)) {
			nfv_flow_del(l->flows[v6], f);
		}
	}
}

static void
hand(struct nfv_lanes *l, uint32_t lane, struct nfv_burst *b)
{
	struct lane *to = &l->lane[lane];

	to->stats.packets += b->n;
	to->away.ops->process(to->away.arg, b);
	/* What is left passes as it is. */
	if (b->n > 0)
		came_back(l, lane, b, tick_of(l, b->tsc));
}

void
lanes_process(void *arg, struct nfv_burst *b)
{
	struct nfv_lanes *l = arg;
	uint32_t now = tick_of(l, b->tsc), used = 0;
	uint8_t lane[NFV_BURST_MAX];
	struct nfv_burst part, left;
	struct fresh fresh;

	records_attach(l->flows, b, now, &fresh);
	for (unsigned int i = 0; i < fresh.n; i++)
		settle_down(l, fresh.table[i] == l->flows[1], fresh.flow[i], now);
	for (uint16_t i = 0; i < b->n; i++) {
		lane[i] = lane_of(l, &b->pkt[i], b->dir, now);
		used |= 1u << lane[i];
	}
	if ((used & (used - 1)) == 0) {
		if (used != 0)
			hand(l, (uint32_t)__builtin_ctz(used), b);
		return;
	}
	part.tsc = b->tsc;
	part.idle = b->idle;
	part.dir = b->dir;
	left.n = 0;
	for (; used != 0; used &= used - 1) {
		uint32_t k = (uint32_t)__builtin_ctz(used);

		part.n = 0;
		for (uint16_t i = 0; i < b->n; i++)
			if (lane[i] == k)
				part.pkt[part.n++] = b->pkt[i];
		hand(l, k, &part);
		for (uint16_t i = 0; i < part.n; i++)
			left.pkt[left.n++] = part.pkt[i];
	}
	b->n = left.n;
	memcpy(b->pkt, left.pkt, left.n * sizeof(left.pkt[0]));
}

/* --- and back --- */

static void
expire(struct nfv_lanes *l, uint64_t tsc)
{
	enum { FLOWS_A_TICK = 64 };

	if (tsc < l->next_expiry)
		return;
	l->next_expiry = tsc + l->tsc_hz / 1000;
	for (int v6 = 0; v6 < 2; v6++)
		nfv_flow_expire(l->flows[v6], tick_of(l, tsc), FLOWS_A_TICK);
}

/* From the next lane that has anything. */
uint32_t
lanes_collect(void *arg, struct nfv_burst back[2], struct nfv_burst origin[2])
{
	struct nfv_lanes *l = arg;
	uint64_t tsc = rte_rdtsc();

	expire(l, tsc);
	for (uint32_t i = 0; i < l->most; i++) {
		uint32_t k = l->turn;
		struct lane *from = &l->lane[k];
		uint32_t n;

		l->turn = k + 1 < l->most ? k + 1 : 0;
		if (from->away.ops == NULL)
			continue;
		n = from->away.ops->collect(from->away.arg, back, origin);
		if (n == 0)
			continue;
		for (int dir = NFV_OUTWARD; dir <= NFV_INWARD; dir++) {
			from->stats.returned += back[dir].n;
			came_back(l, k, &back[dir], tick_of(l, tsc));
		}
		if (from->stats.first == 0 && from->stats.returned > 0)
			from->stats.first = tsc;
		return n;
	}
	return 0;
}
