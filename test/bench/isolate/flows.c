#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "flows.h"
#include "mkpkt.h"
#include "party.h"

#define PORT    10000u /* inside, of the first */
#define DISCARD 9
#define LEN     64

struct payload {
	uint32_t flow, not_flow, seq, not_seq;
	uint16_t be_not_port;
	uint8_t rest[4];
} __attribute__((packed));
_Static_assert(NFV_ETH_LEN + NFV_IP4_LEN + NFV_UDP_LEN + sizeof(struct payload) == LEN, "a frame");

struct frame {
	struct nfv_eth eth;
	struct nfv_ip4 ip;
	struct nfv_udp udp;
	struct payload payload;
} __attribute__((packed));

void
flows_init(struct flows *f, uint32_t n, struct rte_mempool *pool, const uint8_t *const mac[4])
{
	static const struct payload none = { 0 };
	struct mk m;

	*f = (struct flows){ .n = n, .pool = pool, .flow = calloc(n, sizeof(*f->flow)) };
	party_need(f->flow != NULL, "out of memory");
	for (int dir = 0; dir < 2; dir++) {
		struct nfv_pkt p = dir == NFV_OUTWARD ?
			mk_udp(&m, "10.1.0.2", 0, "10.2.0.2", DISCARD, &none, sizeof(none)) :
			mk_udp(&m, "10.2.0.2", DISCARD, "10.2.0.1", 0, &none, sizeof(none));

		memcpy(f->frame[dir], p.data, LEN);
		memcpy(f->frame[dir], mac[2 * dir + 1], 6);
		memcpy(f->frame[dir] + 6, mac[2 * dir], 6);
	}
}

void
flows_fini(struct flows *f)
{
	free(f->flow);
	f->flow = NULL;
}

static void
write_frame(struct frame *to, const struct flows *f, uint32_t i, enum nfv_dir dir)
{
	struct flow *flow = &f->flow[i];
	uint16_t be_port = dir == NFV_OUTWARD ? htobe16((uint16_t)(PORT + i)) : flow->be_port;

	memcpy(to, f->frame[dir], LEN);
	if (dir == NFV_OUTWARD)
		to->udp.be_sport = be_port;
	else
		to->udp.be_dport = be_port;
	to->payload.be_not_port = (uint16_t)~be_port;
	to->payload.flow = i;
	to->payload.not_flow = ~i;
	to->payload.seq = ++flow->sent[dir];
	to->payload.not_seq = ~flow->sent[dir];
}

void
flows_make(struct flows *f, uint32_t n, struct rte_mbuf *m[2][NFV_BURST_MAX], uint16_t k[2])
{
	struct rte_mbuf *room[NFV_BURST_MAX];

	k[0] = k[1] = 0;
	n = n < NFV_BURST_MAX ? n : NFV_BURST_MAX;
	if (rte_pktmbuf_alloc_bulk(f->pool, room, n) != 0)
		return;
	for (uint32_t i = 0; i < n; i++, f->next++) {
		uint32_t of = (uint32_t)(f->next % f->n);
		/* One round outward, one back in, once the port is known. */
		enum nfv_dir dir = f->next / f->n % 2 == 1 && f->flow[of].be_port != 0 ?
			NFV_INWARD :
			NFV_OUTWARD;

		room[i]->data_len = LEN;
		room[i]->pkt_len = LEN;
		write_frame(rte_pktmbuf_mtod(room[i], struct frame *), f, of, dir);
		m[dir][k[dir]++] = room[i];
	}
	f->sent += n;
}

bool
flows_see(struct flows *f, const struct rte_mbuf *m, enum nfv_dir dir)
{
	const struct frame *p = rte_pktmbuf_mtod(m, const struct frame *);
	uint16_t be_port = dir == NFV_OUTWARD ? p->udp.be_sport : p->udp.be_dport;
	struct flow *flow;

	if (m->data_len != LEN || be16toh(p->eth.be_type) != NFV_ETH_IP4 ||
		p->ip.proto != NFV_PROTO_UDP || p->payload.flow != ~p->payload.not_flow ||
		p->payload.seq != ~p->payload.not_seq || p->payload.flow >= f->n)
		return false;
	flow = &f->flow[p->payload.flow];
	if (dir == NFV_OUTWARD && flow->be_port == 0)
		flow->be_port = be_port;
	f->strange += be_port !=
		(dir == NFV_OUTWARD ? flow->be_port : htobe16((uint16_t)(PORT + p->payload.flow)));
	f->reordered += p->payload.seq <= flow->arrived[dir];
	flow->arrived[dir] = p->payload.seq;
	f->arrived++;
	return true;
}
