#include "records.h"
#include "nfv_watch.h"

static void
set_flow(struct nfv_pkt *p, struct nfv_flow *f, enum nfv_flow_kind kind, enum nfv_dir dir)
{
	p->rec = f;
	p->flags &= (uint16_t) ~(NFV_PKT_RELATED | NFV_PKT_REPLY | NFV_PKT_NEW);
	if (kind == NFV_FLOW_QUOTE)
		p->flags |= NFV_PKT_RELATED;
	if (f == NULL)
		return;
	if (f->dir != (uint8_t)dir)
		p->flags |= NFV_PKT_REPLY;
	if (!(f->flags & NFV_FLOW_CONFIRMED))
		p->flags |= NFV_PKT_NEW;
}

/* Give each packet of one family its flow record; packets that begin a flow get a new one. */
static void
attach(struct nfv_flow_table *t, struct nfv_burst *b, uint8_t family, uint32_t now,
	struct fresh *fresh)
{
	struct nfv_flow_key key[NFV_BURST_MAX];
	struct nfv_flow *flow[NFV_BURST_MAX];
	enum nfv_flow_kind kind[NFV_BURST_MAX];
	uint64_t hash[NFV_BURST_MAX];
	struct nfv_pkt *pkt[NFV_BURST_MAX];
	unsigned int n = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		struct nfv_pkt *p = &b->pkt[i];

		if (p->family != family)
			continue;
		kind[n] = nfv_flow_key(p, b->dir, &key[n]);
		if (kind[n] != NFV_FLOW_NONE)
			pkt[n++] = p;
		else
			set_flow(p, NULL, NFV_FLOW_NONE, b->dir);
	}
	if (n == 0)
		return;
	nfv_flow_find(t, key, hash, flow, n);
	for (unsigned int i = 0; i < n; i++)
		if (flow[i] != NULL)
			nfv_flow_hold(flow[i], now); /* what is added below evicts none of them */
	for (unsigned int i = 0; i < n; i++) {
		/* An earlier packet of this burst may have begun the flow meanwhile. */
		if (flow[i] == NULL && fresh->n > 0)
			flow[i] = nfv_flow_find1(t, &key[i], hash[i]);
		if (flow[i] == NULL && kind[i] == NFV_FLOW_PACKET) {
			flow[i] = nfv_flow_add(t, &key[i], hash[i], now);
			if (flow[i] != NULL) {
				fresh->flow[fresh->n] = flow[i];
				fresh->table[fresh->n++] = t;
			}
		}
		pkt[i]->hash = (uint32_t)hash[i];
		set_flow(pkt[i], flow[i], kind[i], b->dir);
	}
}

void
records_attach(struct nfv_flow_table *const table[2], struct nfv_burst *b, uint32_t now,
	struct fresh *fresh)
{
	fresh->n = 0;
	if (table[0] == NULL) {
		for (uint16_t i = 0; i < b->n; i++)
			set_flow(&b->pkt[i], NULL, NFV_FLOW_NONE, b->dir);
		return;
	}
	attach(table[0], b, 4, now, fresh);
	attach(table[1], b, 6, now, fresh);
}

void
records_alias(struct nfv_flow_table *const table[2], uint64_t *key_taken, const struct nfv_burst *b,
	bool answered)
{
	for (uint16_t i = 0; i < b->n; i++) {
		const struct nfv_pkt *p = &b->pkt[i];
		struct nfv_flow *f = p->rec;
		struct nfv_flow_key key;

		if (answered && p->verdict == NFV_KEEP)
			continue; /* it goes on, and may yet be translated */
		if (f == NULL || !(p->flags & NFV_PKT_NEW) || f->flags & NFV_FLOW_ALIASED ||
			p->flags & (NFV_PKT_RELATED | NFV_PKT_REPLY))
			continue;
		if (nfv_flow_key(p, b->dir, &key) != NFV_FLOW_PACKET)
			continue;
		key = nfv_flow_mirror(&key, p->family);
		if (nfv_flow_alias(table[p->family == 6], f, &key) < 0)
			(*key_taken)++;
	}
}

static void
watch_records(const struct nfv_burst *b)
{
	for (uint16_t i = 0; i < b->n; i++)
		if (b->pkt[i].rec != NULL)
			nfv_watch(b->pkt[i].rec, sizeof(struct nfv_flow));
}

void
records_settle(struct nfv_flow_table *const table[2], uint64_t *key_taken,
	const struct nfv_burst *b, struct fresh *fresh, uint32_t now)
{
	if (fresh->n > 0)
		records_alias(table, key_taken, b, false);
	if (nfv_watched())
		watch_records(b);
	for (uint16_t i = 0; i < b->n; i++) {
		struct nfv_flow *f = b->pkt[i].rec;

		if (f == NULL || b->pkt[i].flags & NFV_PKT_RELATED)
			continue;
		/* An answer to a packet that is still on its way: that one decides. */
		if (b->pkt[i].flags & NFV_PKT_REPLY && !(f->flags & NFV_FLOW_CONFIRMED))
			continue;
		f->flags |= NFV_FLOW_CONFIRMED;
		nfv_flow_track(table[b->pkt[i].family == 6], f, &b->pkt[i], b->dir, now);
	}
	for (unsigned int i = 0; i < fresh->n; i++)
		if (!(fresh->flow[i]->flags & NFV_FLOW_CONFIRMED))
			nfv_flow_del(fresh->table[i], fresh->flow[i]);
}
