/**
 * @file
 * A chain with one stage in it, for tests: parses packets, keeps flow records as the runtime does
 * and hands the stage its slots. A handful of flows, found by walking; nothing expires by itself.
 */
#ifndef BOX_H
#define BOX_H

#include <stdlib.h>
#include <string.h>

#include "mkpkt.h"
#include "nfv_stage.h"

#define BOX_FLOWS 256
#define BOX_SLOT  128

struct box_key {
	uint32_t src, dst;
	uint16_t sport, dport; /* an echo's identifier in both */
	uint8_t proto;
};

struct box_flow {
	bool used, passed;
	struct box_key key[2]; /* of its first packet as it came; of what answers what it became */
	uint64_t slot[BOX_SLOT / 8];
};

struct box {
	const struct nfv_stage_ops *ops;
	void *state;
	struct box_flow flow[BOX_FLOWS];
	struct nfv_out out;
	bool full; /* no new flows */
};

static inline struct box_key
box_back(struct box_key k)
{
	return (struct box_key){ k.dst, k.src, k.dport, k.sport, k.proto };
}

static inline bool
box_key_eq(const struct box_key *a, const struct box_key *b)
{
	return a->src == b->src && a->dst == b->dst && a->sport == b->sport &&
		a->dport == b->dport && a->proto == b->proto;
}

/* Of the headers at `ip`; false if they cannot be tracked or are cut off. */
static inline bool
box_key_of(const uint8_t *ip, unsigned int room, struct box_key *k)
{
	const struct nfv_ip4 *h = (const struct nfv_ip4 *)ip;
	const uint8_t *l4;

	if (room < NFV_IP4_LEN || room < nfv_ip4_hlen(h) + 8 || nfv_ip4_hlen(h) < NFV_IP4_LEN)
		return false;
	l4 = ip + nfv_ip4_hlen(h);
	*k = (struct box_key){ .src = h->be_src, .dst = h->be_dst, .proto = h->proto };
	if (h->proto == NFV_PROTO_UDP || h->proto == NFV_PROTO_TCP) {
		memcpy(&k->sport, l4, 2);
		memcpy(&k->dport, l4 + 2, 2);
		return true;
	}
	memcpy(&k->sport, l4 + 4, 2);
	k->dport = k->sport;
	return h->proto == NFV_PROTO_ICMP &&
		(l4[0] == NFV_ICMP_ECHO || l4[0] == NFV_ICMP_ECHO_REPLY);
}

static inline bool
box_is_error(const struct nfv_pkt *p)
{
	uint8_t type;

	if (p->proto != NFV_PROTO_ICMP)
		return false;
	type = p->data[p->l4];
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

static inline struct box_flow *
box_find(struct box *b, const struct box_key *k, int *which)
{
	for (int i = 0; i < BOX_FLOWS; i++) {
		for (*which = 0; *which < 2; (*which)++)
			if (b->flow[i].used && box_key_eq(&b->flow[i].key[*which], k))
				return &b->flow[i];
	}
	return NULL;
}

static inline struct box_flow *
box_add(struct box *b, const struct box_key *k)
{
	for (int i = 0; i < BOX_FLOWS && !b->full; i++) {
		if (b->flow[i].used)
			continue;
		b->flow[i] = (struct box_flow){ .used = true, .key = { *k, box_back(*k) } };
		return &b->flow[i];
	}
	return NULL;
}

static inline void
box_look_up(struct box *b, struct nfv_pkt *p)
{
	struct box_flow *f = NULL;
	struct box_key k;
	int which = 0;

	p->flags = 0;
	p->flow = NULL;
	p->rec = NULL;
	if (p->family != 4)
		return;
	if (box_is_error(p)) {
		uint8_t *quote = p->data + p->l4 + NFV_ICMP_LEN;

		p->flags |= NFV_PKT_RELATED;
		/* It travels as answers to the quoted packet do. */
		if (box_key_of(quote, nfv_pkt_l4_len(p) - NFV_ICMP_LEN, &k)) {
			k = box_back(k);
			f = box_find(b, &k, &which);
		}
		if (f != NULL && which == 1)
			p->flags |= NFV_PKT_REPLY;
	} else if (box_key_of(p->data + p->l3, (unsigned int)(p->len - p->l3), &k)) {
		f = box_find(b, &k, &which);
		if (f != NULL && which == 1)
			p->flags |= NFV_PKT_REPLY;
		if (f == NULL)
			f = box_add(b, &k);
		if (f != NULL && !f->passed)
			p->flags |= NFV_PKT_NEW;
	}
	p->rec = f;
	p->flow = f != NULL ? f->slot : NULL;
}

static inline void
box_end(struct box *b, struct box_flow *f)
{
	if (f->passed && b->ops->flow_end != NULL)
		b->ops->flow_end(b->state, f->slot);
	f->used = false;
}

/** End every flow. */
static inline void
box_end_all(struct box *b)
{
	for (int i = 0; i < BOX_FLOWS; i++)
		if (b->flow[i].used)
			box_end(b, &b->flow[i]);
}

/* Once per kept packet: only a new flow's first one has something to register. */
static inline void
box_passed(struct nfv_pkt *p)
{
	struct box_flow *f = p->rec;
	struct box_key k;

	if (f == NULL || f->passed || (p->flags & NFV_PKT_RELATED) ||
		!box_key_of(p->data + p->l3, (unsigned int)(p->len - p->l3), &k))
		return;
	f->key[1] = box_back(k);
	f->passed = true;
}

/** Send `n` packets, which nfv_pkt_parse must accept, through the stage; verdicts stay in them. */
static inline void
box_burst(struct box *b, enum nfv_dir dir, struct nfv_pkt *p, uint16_t n)
{
	struct nfv_burst *burst = aligned_alloc(64, sizeof(*burst));

	memset(burst, 0, sizeof(*burst));
	burst->n = n;
	burst->dir = dir;
	for (uint16_t i = 0; i < n; i++) {
		if (nfv_pkt_parse(&p[i]) != NFV_PARSE_OK)
			abort();
		p[i].verdict = NFV_KEEP;
		box_look_up(b, &p[i]);
		burst->pkt[i] = p[i];
	}
	b->ops->process(b->state, burst, &b->out);
	for (uint16_t i = 0; i < n; i++) {
		p[i] = burst->pkt[i];
		if (p[i].verdict == NFV_KEEP)
			box_passed(&p[i]);
	}
	for (int i = 0; i < BOX_FLOWS; i++)
		b->flow[i].used &= b->flow[i].passed;
	free(burst);
}

/** One packet; returns its verdict. */
static inline uint8_t
box_send(struct box *b, enum nfv_dir dir, struct nfv_pkt *p)
{
	box_burst(b, dir, p, 1);
	return p->verdict;
}

static inline void
box_close(struct box *b)
{
	if (b->ops == NULL)
		return;
	box_end_all(b);
	b->ops->fini(b->state);
	free(b->state);
	b->state = NULL;
	b->ops = NULL;
}

#endif
