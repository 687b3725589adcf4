#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_eth_ring.h>
#include <rte_mbuf.h>

#include "rig.h"

const uint8_t rig_port_mac[2][6] = { { 2, 0, 0, 0, 1, 1 }, { 2, 0, 0, 0, 2, 1 } };
const uint8_t rig_host_mac[2][6] = { { 2, 0, 0, 0, 1, 2 }, { 2, 0, 0, 0, 2, 2 } };
static const char *const host4[2] = { HOST_IN, HOST_OUT };
static const char *const host6[2] = { "fd00:1::2", "fd00:2::2" };
static const char *const port4[2] = { PORT_IN, PORT_OUT };
static const char *const port6[2] = { "fd00:1::1", "fd00:2::1" };

struct arp {
	uint16_t be_hw, be_proto;
	uint8_t hlen, plen;
	uint16_t be_op;
	uint8_t sha[6], spa[4], tha[6], tpa[4];
} __attribute__((packed));

struct nd {
	struct nfv_icmp icmp;
	uint8_t target[16], option[2], mac[6];
} __attribute__((packed));

static struct nfv_prefix
prefix(const char *text)
{
	struct nfv_prefix p;

	assert_int_equal(nfv_prefix_parse(nfv_sv_str(text), &p), 0);
	return p;
}

static struct rte_ring *
ring(const char *what, unsigned int serial, int side, uint32_t size)
{
	char name[RTE_RING_NAMESIZE];
	struct rte_ring *q;

	snprintf(name, sizeof(name), "%s%u_%d", what, serial, side);
	q = rte_ring_create(name, size, SOCKET_ID_ANY, RING_F_EXACT_SZ);
	assert_non_null(q);
	return q;
}

static void
open_port(struct rig *r, int side, unsigned int serial, uint32_t tx_ring)
{
	const struct rte_eth_conf conf = { 0 };
	struct rte_ring *out[RIG_SHARDS];
	uint16_t n = (uint16_t)r->shards;
	char name[32];
	int port;

	r->out[side] = ring("out", serial, side, tx_ring > 0 ? tx_ring : 256);
	for (uint16_t q = 0; q < n; q++) {
		r->in_queue[side][q] = ring("in", serial * RIG_SHARDS + q, side, 512);
		out[q] = r->out[side];
	}
	r->in[side] = r->in_queue[side][0];
	snprintf(name, sizeof(name), "rig%u_%d", serial, side);
	port = rte_eth_from_rings(name, r->in_queue[side], n, out, n, SOCKET_ID_ANY);
	assert_true(port >= 0);
	r->port[side] = (uint16_t)port;
	assert_int_equal(rte_eth_dev_configure(r->port[side], n, n, &conf), 0);
	for (uint16_t q = 0; q < n; q++) {
		assert_int_equal(
			rte_eth_rx_queue_setup(r->port[side], q, 64, SOCKET_ID_ANY, NULL, r->pool),
			0);
		assert_int_equal(
			rte_eth_tx_queue_setup(r->port[side], q, 64, SOCKET_ID_ANY, NULL), 0);
	}
	assert_int_equal(rte_eth_dev_start(r->port[side]), 0);
}

int
rig_try(struct rig *r, const struct rig_conf *conf, struct nfv_err *err)
{
	static unsigned int serial;
	struct nfv_prefix addr[2][2] = { { prefix(PORT_IN "/24"), prefix("fd00:1::1/64") },
		{ prefix(PORT_OUT "/24"), prefix("fd00:2::1/64") } };
	uint64_t hz = conf->hz > 0 ? conf->hz : RIG_HZ;
	struct nfv_chain_conf c = { .name = "edge",
		.stage = conf->stage,
		.n_stages = conf->n_stages,
		.lender = conf->lender,
		.flows = conf->flows > 0 ? conf->flows : 1024,
		.timeouts = { 300, 7440, 240, 60, 600 },
		.tsc_hz = hz,
		.seed = 7,
		.socket = SOCKET_ID_ANY,
		.l3 = { .neighbours = 64,
			.icmp_rate = 1000,
			.reassembly = conf->reassembly,
			.tsc_hz = hz,
			.seed = 7,
			.socket = SOCKET_ID_ANY } };
	char name[32];
	int rc;

	memset(r, 0, sizeof(*r));
	r->shards = conf->shards > 0 ? conf->shards : 1;
	snprintf(name, sizeof(name), "rig%u", ++serial);
	r->buffers = conf->buffers > 0 ? conf->buffers : 2047;
	r->lent = conf->pool != NULL;
	r->pool = r->lent ? conf->pool :
			    rte_pktmbuf_pool_create(name, r->buffers, 0, 0,
				    RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	assert_non_null(r->pool);
	r->large = conf->large;
	if (conf->large > 0) {
		snprintf(name, sizeof(name), "rig%u_large", serial);
		r->large_pool = rte_pktmbuf_pool_create(
			name, conf->large, 0, 0, NFV_FRAME_MAX, SOCKET_ID_ANY);
		assert_non_null(r->large_pool);
	}
	for (int side = 0; side < 2; side++) {
		open_port(r, side, serial, conf->tx_ring);
		c.port[side] = r->port[side];
		c.l3.port[side] = (struct nfv_l3_port){
			.mtu = conf->mtu > 0 ? conf->mtu : 1500, .addr = addr[side], .n_addr = 2
		};
		memcpy(c.l3.port[side].mac, rig_port_mac[side], 6);
	}
	c.pool = r->pool;
	c.large_pool = r->large_pool;
	if (conf->shards > 0)
		assert_int_equal(nfv_spread_create(conf->shards, conf->slots, 7, SOCKET_ID_ANY,
					 &r->spread, err),
			0);
	c.spread = r->spread;
	for (rc = 0; rc == 0 && c.shard < r->shards; c.shard++)
		rc = nfv_chain_create(&c, &r->shard[c.shard], err);
	r->chain = r->shard[0];
	if (rc == 0)
		r->stats = nfv_chain_stats(r->chain);
	return rc;
}

static void
ask_arp(struct rig *r, int side)
{
	struct mk m;
	struct nfv_pkt p = mk_empty(&m);
	struct arp *a = (struct arp *)(p.data + NFV_ETH_LEN);
	uint8_t addr[16];

	*a = (struct arp){ .be_hw = htobe16(1),
		.be_proto = htobe16(NFV_ETH_IP4),
		.hlen = 6,
		.plen = 4,
		.be_op = htobe16(1) };
	memcpy(a->sha, rig_host_mac[side], 6);
	mk_addr(host4[side], addr);
	memcpy(a->spa, addr, 4);
	mk_addr(port4[side], addr);
	memcpy(a->tpa, addr, 4);
	memset(p.data, 0xff, 6);
	memcpy(p.data + 6, rig_host_mac[side], 6);
	((struct nfv_eth *)p.data)->be_type = htobe16(NFV_ETH_ARP);
	p.len = NFV_ETH_LEN + sizeof(*a);
	rig_send_raw(r, side, &p, 1);
}

static void
ask_nd(struct rig *r, int side)
{
	struct nd nd = { .option = { 1, 1 } };
	struct nfv_pkt p;
	struct mk m;

	mk_addr(port6[side], nd.target);
	memcpy(nd.mac, rig_host_mac[side], 6);
	p = mk_icmp(&m, host6[side], port6[side], NFV_ICMP6_NS, 0, 0, nd.target,
		sizeof(nd) - sizeof(nd.icmp));
	nfv_pkt_ip6(&p)->hops = 255;
	rig_send(r, side, &p);
}

struct rig *
rig_open(const struct rig_conf *conf)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct nfv_err err = { "" };

	if (rig_try(r, conf, &err) < 0)
		fail_msg("%s", err.text);
	for (int side = 0; side < 2; side++) {
		struct arp reply;

		ask_arp(r, side);
		ask_nd(r, side);
		rig_run(r);
		assert_int_equal(r->n_got[side], 2);
		memcpy(&reply, r->got[side][0].bytes + NFV_ETH_LEN, sizeof(reply));
		assert_int_equal(reply.be_op, htobe16(2));
		assert_memory_equal(reply.sha, rig_port_mac[side], 6);
		assert_int_equal(r->got[side][1].bytes[NFV_ETH_LEN + NFV_IP6_LEN], NFV_ICMP6_NA);
	}
	rig_forget(r);
	return r;
}

void
rig_close(struct rig *r)
{
	struct rte_mbuf *m;

	for (uint32_t i = 0; i < r->shards; i++)
		nfv_chain_destroy(r->shard[i]);
	nfv_spread_destroy(r->spread);
	for (int side = 0; side < 2; side++) {
		for (uint32_t q = 0; q < r->shards; q++)
			while (rte_ring_dequeue(r->in_queue[side][q], (void **)&m) == 0)
				rte_pktmbuf_free(m);
		while (rte_ring_dequeue(r->out[side], (void **)&m) == 0)
			rte_pktmbuf_free(m);
		rte_eth_dev_stop(r->port[side]);
		rte_eth_dev_close(r->port[side]);
		for (uint32_t q = 0; q < r->shards; q++)
			rte_ring_free(r->in_queue[side][q]);
		rte_ring_free(r->out[side]);
	}
	assert_int_equal(rte_mempool_avail_count(r->pool), r->buffers);
	if (!r->lent)
		rte_mempool_free(r->pool);
	if (r->large_pool != NULL)
		assert_int_equal(rte_mempool_avail_count(r->large_pool), r->large);
	rte_mempool_free(r->large_pool);
	free(r);
}

void
rig_send_raw(struct rig *r, int side, const struct nfv_pkt *p, unsigned int segs)
{
	struct rte_mbuf *head = NULL;
	uint16_t at = 0;

	for (unsigned int i = 0; i < segs; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(r->pool);
		uint16_t n = i + 1 < segs ? (uint16_t)(p->len / segs) : (uint16_t)(p->len - at);

		assert_non_null(m);
		memcpy(rte_pktmbuf_append(m, n), p->data + at, n);
		at = (uint16_t)(at + n);
		if (head == NULL)
			head = m;
		else
			assert_int_equal(rte_pktmbuf_chain(head, m), 0);
	}
	assert_int_equal(rte_ring_enqueue(r->in_queue[side][r->queue], head), 0);
	r->n_sent[side]++;
}

void
rig_send(struct rig *r, int side, const struct nfv_pkt *p)
{
	struct nfv_eth *eth = (struct nfv_eth *)p->data;

	memcpy(eth->dst, rig_port_mac[side], 6);
	memcpy(eth->src, rig_host_mac[side], 6);
	rig_send_raw(r, side, p, 1);
}

void
rig_send_pieces(struct rig *r, int side, const struct nfv_pkt *p, uint16_t id, uint16_t size)
{
	bool v4 = p->family == 4;
	unsigned int n = nfv_pkt_l4_len(p), hlen = v4 ? NFV_IP4_LEN : NFV_IP6_LEN;

	for (unsigned int at = 0; at < n; at += size) {
		unsigned int len = n - at < size ? n - at : size, more = at + len < n;
		struct mk m;
		struct nfv_pkt f = mk_empty(&m);
		uint8_t *to;

		memcpy(f.data, p->data, p->l3 + hlen);
		f.len = (uint16_t)(p->l3 + hlen + (v4 ? 0 : 8) + len);
		to = f.data + p->l3 + hlen;
		if (v4) {
			nfv_pkt_ip4(&f)->be_len = htobe16((uint16_t)(hlen + len));
			nfv_pkt_ip4(&f)->be_id = htobe16(id);
			nfv_pkt_ip4(&f)->be_frag =
				htobe16((uint16_t)(at / 8 | (more ? NFV_IP4_MF : 0)));
			nfv_csum_ip4_set(nfv_pkt_ip4(&f));
		} else {
			uint8_t frag[8] = { p->proto, 0, (uint8_t)(at >> 8), (uint8_t)(at | more),
				0, 0, (uint8_t)(id >> 8), (uint8_t)id };

			nfv_pkt_ip6(&f)->be_len = htobe16((uint16_t)(8 + len));
			nfv_pkt_ip6(&f)->next = NFV_PROTO_FRAGMENT;
			memcpy(to, frag, sizeof(frag));
			to += sizeof(frag);
		}
		memcpy(to, (uint8_t *)nfv_pkt_l4(p) + at, len);
		rig_send(r, side, &f);
	}
}

uint32_t
rig_gather(struct rig *r, int side, uint8_t to[NFV_FRAME_MAX])
{
	uint32_t total = 0, have = 0, id = 0;

	for (unsigned int i = 0; i < r->n_got[side]; i++) {
		struct nfv_pkt p = rig_got(r, side, i);
		uint32_t n = nfv_pkt_l4_len(&p), at, more, this;

		assert_true(p.flags & NFV_PKT_FRAGMENT);
		if (p.family == 4) {
			at = (be16toh(nfv_pkt_ip4(&p)->be_frag) & NFV_IP4_OFFSET) * 8u;
			more = be16toh(nfv_pkt_ip4(&p)->be_frag) & NFV_IP4_MF;
			this = nfv_pkt_ip4(&p)->be_id;
		} else {
			at = (p.data[p.l4 - 6] << 8 | p.data[p.l4 - 5]) & 0xfff8u;
			more = p.data[p.l4 - 5] & 1;
			memcpy(&this, p.data + p.l4 - 4, sizeof(this));
		}
		assert_int_equal(this, i == 0 ? this : id);
		id = this;
		assert_in_range(at + n, 1, NFV_FRAME_MAX);
		memcpy(to + at, nfv_pkt_l4(&p), n);
		have += n;
		if (!more)
			total = at + n;
	}
	assert_int_equal(have, total);
	return total;
}

static bool
answer_arp(struct rig *r, int side, const uint8_t *frame)
{
	const struct arp *ask = (const struct arp *)(frame + NFV_ETH_LEN);
	struct mk m;
	struct nfv_pkt p = mk_empty(&m);
	struct arp *a = (struct arp *)(p.data + NFV_ETH_LEN);
	uint8_t host[16];

	mk_addr(host4[side], host);
	if (ask->be_op != htobe16(1) || memcmp(ask->tpa, host, 4) != 0)
		return false;
	if (r->deaf)
		return true;
	*a = (struct arp){ .be_hw = htobe16(1),
		.be_proto = htobe16(NFV_ETH_IP4),
		.hlen = 6,
		.plen = 4,
		.be_op = htobe16(2) };
	memcpy(a->sha, rig_host_mac[side], 6);
	memcpy(a->spa, host, 4);
	memcpy(a->tha, ask->sha, 6);
	memcpy(a->tpa, ask->spa, 4);
	((struct nfv_eth *)p.data)->be_type = htobe16(NFV_ETH_ARP);
	p.len = NFV_ETH_LEN + sizeof(*a);
	rig_send(r, side, &p);
	return true;
}

static bool
answer_nd(struct rig *r, int side, const uint8_t *frame)
{
	const struct nfv_ip6 *ip = (const struct nfv_ip6 *)(frame + NFV_ETH_LEN);
	const struct nd *ask = (const struct nd *)(ip + 1);
	struct nd nd = { .option = { 2, 1 } };
	uint8_t host[16];
	char src[INET6_ADDRSTRLEN];
	struct nfv_pkt p;
	struct mk m;

	mk_addr(host6[side], host);
	if (ip->next != NFV_PROTO_ICMP6 || ask->icmp.type != NFV_ICMP6_NS ||
		memcmp(ask->target, host, 16) != 0)
		return false;
	if (r->deaf)
		return true;
	inet_ntop(AF_INET6, ip->src, src, sizeof(src));
	memcpy(nd.target, host, 16);
	memcpy(nd.mac, rig_host_mac[side], 6);
	p = mk_icmp(&m, host6[side], src, NFV_ICMP6_NA, 0, 0x60000000, nd.target,
		sizeof(nd) - sizeof(nd.icmp));
	nfv_pkt_ip6(&p)->hops = 255;
	rig_send(r, side, &p);
	return true;
}

/* Take one frame off the wire; whether there was one. */
static bool
collect(struct rig *r, int side)
{
	struct rig_frame *f = &r->got[side][r->n_got[side]];
	struct rte_mbuf *m;
	uint16_t type;

	if (rte_ring_dequeue(r->out[side], (void **)&m) != 0)
		return false;
	r->n_taken[side]++;
	assert_in_range(r->n_got[side], 0, RIG_GOT - 1);
	assert_int_equal(m->nb_segs, 1);
	assert_int_equal(m->pkt_len, m->data_len);
	assert_in_range(m->data_len, NFV_ETH_LEN, sizeof(f->bytes));
	rte_mbuf_sanity_check(m, 1);
	f->len = m->data_len;
	memcpy(f->bytes, rte_pktmbuf_mtod(m, void *), m->data_len);
	rte_pktmbuf_free(m);
	type = be16toh(((struct nfv_eth *)f->bytes)->be_type);
	if ((type == NFV_ETH_ARP && answer_arp(r, side, f->bytes)) ||
		(type == NFV_ETH_IP6 && answer_nd(r, side, f->bytes)))
		return true;
	r->n_got[side]++;
	return true;
}

void
rig_run(struct rig *r)
{
	bool more = true;

	while (more) {
		more = false;
		for (uint32_t i = 0; i < r->shards; i++)
			more |= nfv_chain_poll(r->shard[i]) > 0;
		for (int side = 0; side < 2; side++)
			while (collect(r, side))
				more = true;
	}
}

void
rig_forget(struct rig *r)
{
	r->n_got[INSIDE] = r->n_got[OUTSIDE] = 0;
}

struct nfv_pkt
rig_got(struct rig *r, int side, unsigned int i)
{
	struct rig_frame *f = &r->got[side][i];
	struct nfv_pkt p = { .data = f->bytes, .len = f->len };

	if (i >= r->n_got[side])
		fail_msg("only %u frames have reached the host at side %d", r->n_got[side], side);
	assert_memory_equal(f->bytes, rig_host_mac[side], 6);
	assert_memory_equal(f->bytes + 6, rig_port_mac[side], 6);
	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
	if (p.family != 0 && !(p.flags & NFV_PKT_FRAGMENT))
		assert_true(nfv_csum_l4_ok(&p));
	return p;
}
