#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "nfv_csum.h"
#include "rig.h"

#define RING    (2 * RIG_BATCH)
#define BUFFERS 8191
#define ROOM    (RTE_PKTMBUF_HEADROOM + 2048)

struct arp {
	struct nfv_eth eth;
	uint16_t be_hw, be_proto;
	uint8_t hw_len, proto_len;
	uint16_t be_op;
	uint8_t smac[6];
	uint32_t be_sip;
	uint8_t tmac[6];
	uint32_t be_tip;
} __attribute__((packed));

static const uint8_t own_mac[2][6] = { { 2, 0, 0, 0, 0, 1 }, { 2, 0, 0, 0, 1, 1 } };
static const uint8_t router_mac[2][6] = { { 2, 0, 0, 0, 0, 2 }, { 2, 0, 0, 0, 1, 2 } };

static void
need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

/* Packet data in transparent huge pages, as the pipeline's own would be in huge ones. */
static struct rte_mempool *
create_pool(struct rig *rig)
{
	struct rte_pktmbuf_extmem mem = { .elt_size = ROOM };

	rig->data = nfv_pages_alloc((size_t)BUFFERS * ROOM / NFV_PAGE + 1);
	need(rig->data.page != NULL, "no memory for packets");
	mem.buf_ptr = rig->data.page[0];
	mem.buf_iova = (rte_iova_t)(uintptr_t)mem.buf_ptr;
	mem.buf_len = rig->data.n * NFV_PAGE;
	return rte_pktmbuf_pool_create_extbuf("bench", BUFFERS, 512, 0, ROOM, -1, &mem, 1);
}

void
rig_init(struct rig *rig)
{
	static const char *const name[2][2] = { { "in0", "in1" }, { "out0", "out1" } };

	*rig = (struct rig){ .tsc_hz = rte_get_tsc_hz() };
	rig->pool = create_pool(rig);
	need(rig->pool != NULL, "no memory for packet buffers");
	for (int p = 0; p < 2; p++) {
		struct rte_eth_conf conf = { 0 };
		int id;

		rig->in[p] = rte_ring_create(name[0][p], RING, -1, RING_F_SP_ENQ | RING_F_SC_DEQ);
		rig->out[p] = rte_ring_create(name[1][p], RING, -1, RING_F_SP_ENQ | RING_F_SC_DEQ);
		need(rig->in[p] != NULL && rig->out[p] != NULL, "no memory for rings");
		id = rte_eth_from_rings(
			p == 0 ? "inside" : "outside", &rig->in[p], 1, &rig->out[p], 1, 0);
		need(id >= 0, "no port from rings");
		rig->port[p] = (uint16_t)id;
		need(rte_eth_dev_configure(rig->port[p], 1, 1, &conf) == 0 &&
				rte_eth_rx_queue_setup(rig->port[p], 0, RING, SOCKET_ID_ANY, NULL,
					rig->pool) == 0 &&
				rte_eth_tx_queue_setup(
					rig->port[p], 0, RING, SOCKET_ID_ANY, NULL) == 0 &&
				rte_eth_dev_start(rig->port[p]) == 0,
			"a port does not start");
	}
}

static struct nfv_prefix
prefix(const char *text)
{
	struct nfv_prefix p = { 0 };

	need(nfv_prefix_parse(nfv_sv_str(text), &p) == 0, text);
	return p;
}

static void
read_sections(
	struct rig_chain *c, struct nfv_stage_use *use, const char *const *stage, const char *yaml)
{
	struct nfv_err err;

	need(nfv_conf_parse("bench", yaml, strlen(yaml), &c->doc, &err) == 0, "configuration");
	for (uint32_t i = 0; i < c->n; i++) {
		const struct nfv_stage_ops *ops = nfv_stage_find(stage[i]);

		need(ops != NULL, stage[i]);
		c->section[i] = calloc(1, ops->conf->size);
		need(c->section[i] != NULL, "no memory");
		if (nfv_conf_read(c->doc, stage[i], ops->conf, c->section[i], &err) < 0)
			need(false, err.text);
		use[i] = (struct nfv_stage_use){ .ops = ops, .conf = c->section[i] };
	}
}

void
rig_chain_destroy(struct rig_chain *c)
{
	nfv_chain_destroy(c->chain);
	nfv_conf_close(c->doc);
	for (uint32_t i = 0; i < c->n; i++)
		free(c->section[i]);
}

static uint8_t *
add_frame(struct rig *rig, unsigned int port, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig->pool);
	struct nfv_eth *eth;

	need(m != NULL && rig->n_staged[port] < RIG_BATCH, "out of buffers");
	m->data_len = len;
	m->pkt_len = len;
	eth = rte_pktmbuf_mtod(m, struct nfv_eth *);
	memcpy(eth->dst, own_mac[port], 6);
	memcpy(eth->src, router_mac[port], 6);
	eth->be_type = htobe16(NFV_ETH_IP4);
	rig->staged[port][rig->n_staged[port]++] = m;
	return (uint8_t *)eth;
}

void
rig_udp(struct rig *rig, unsigned int port, const struct rig_tuple *from, const void *data,
	uint16_t len)
{
	uint16_t udp_len = (uint16_t)(NFV_UDP_LEN + len);
	struct nfv_udp udp = { from->be_sport, from->be_dport, htobe16(udp_len), 0 };
	struct nfv_pkt p = { .data = add_frame(rig, port, NFV_ETH_LEN + NFV_IP4_LEN + udp_len),
		.len = NFV_ETH_LEN,
		.l3 = NFV_ETH_LEN,
		.tailroom = (uint16_t)(NFV_IP4_LEN + udp_len) };

	nfv_pkt_ip_header(&p, 4, &from->be_src, &from->be_dst, NFV_PROTO_UDP, udp_len);
	memcpy(nfv_pkt_l4(&p), &udp, sizeof(udp));
	memcpy((uint8_t *)nfv_pkt_l4(&p) + sizeof(udp), data, len);
	nfv_csum_l4_set(&p);
}

static void
answer_arp(struct rig *rig, unsigned int port, const struct arp *q)
{
	struct arp *a;

	if (be16toh(q->be_op) != 1)
		return;
	a = (struct arp *)add_frame(rig, port, sizeof(*a));
	*a = *q;
	memcpy(a->eth.dst, own_mac[port], 6);
	memcpy(a->eth.src, router_mac[port], 6);
	a->be_op = htobe16(2);
	memcpy(a->smac, router_mac[port], 6);
	a->be_sip = q->be_tip;
	memcpy(a->tmac, q->smac, 6);
	a->be_tip = q->be_sip;
}

/* Read what the chain has sent. Answers to ARP are staged for the next run. */
static unsigned int
drain(struct rig *rig, rig_seen *seen, void *arg)
{
	struct rte_mbuf *m[NFV_BURST_MAX];
	unsigned int n, frames = 0;

	for (unsigned int p = 0; p < 2; p++) {
		while ((n = rte_ring_dequeue_burst(rig->out[p], (void **)m, NFV_BURST_MAX, NULL)) >
			0) {
			for (unsigned int i = 0; i < n; i++) {
				const uint8_t *frame = rte_pktmbuf_mtod(m[i], uint8_t *);

				if (be16toh(((const struct nfv_eth *)frame)->be_type) ==
					NFV_ETH_ARP) {
					answer_arp(rig, p, (const struct arp *)frame);
					continue;
				}
				frames++;
				if (seen != NULL)
					seen(arg, p, frame, m[i]->data_len);
			}
			rte_pktmbuf_free_bulk(m, n);
		}
	}
	return frames;
}

static void
note(struct rig_cycles *c, const struct rig_chain *chain, int sign)
{
	const struct nfv_chain_stats *s = nfv_chain_stats(chain->chain);

	for (int i = 0; i < NFV_PARTS; i++)
		c->part[i] += sign > 0 ? s->part[i].cycles : -s->part[i].cycles;
	for (uint32_t i = 0; i < chain->n; i++)
		c->stage[i] += sign > 0 ? s->stage[i].cycles : -s->stage[i].cycles;
}

unsigned int
rig_run(struct rig *rig, struct rig_chain *chain, struct rig_cycles *cycles, rig_seen *seen,
	void *arg)
{
	struct rig_cycles c = { 0 };
	uint64_t t0, t1;

	for (int p = 0; p < 2; p++) {
		need(rte_ring_enqueue_bulk(rig->in[p], (void **)rig->staged[p], rig->n_staged[p],
			     NULL) == rig->n_staged[p],
			"a ring is full");
		c.packets += rig->n_staged[p];
		rig->n_staged[p] = 0;
	}
	note(&c, chain, -1);
	t0 = rte_rdtsc();
	for (uint64_t done = 0; done < c.packets;)
		done += nfv_chain_poll(chain->chain);
	t1 = rte_rdtsc();
	c.total = t1 - t0;
	note(&c, chain, 1);
	if (t1 >= rig->next_tick) {
		nfv_chain_tick(chain->chain, t1);
		c.tick = rte_rdtsc() - t1;
		rig->next_tick = t1 + rig->tsc_hz / 1000;
	}
	if (cycles != NULL)
		*cycles = c;
	return drain(rig, seen, arg);
}

/* The routers ask for the chain, and so are known to it before the first packet. */
static void
meet_routers(struct rig *rig, struct rig_chain *chain)
{
	static const char *const own[2] = { "192.168.0.1/32", "192.0.2.1/32" };
	static const char *const router[2] = { "192.168.0.2/32", "192.0.2.2/32" };

	for (unsigned int p = 0; p < 2; p++) {
		struct arp *a = (struct arp *)add_frame(rig, p, sizeof(*a));

		a->eth.be_type = htobe16(NFV_ETH_ARP);
		a->be_hw = htobe16(1);
		a->be_proto = htobe16(NFV_ETH_IP4);
		a->hw_len = 6;
		a->proto_len = 4;
		a->be_op = htobe16(1);
		memcpy(a->smac, router_mac[p], 6);
		memset(a->tmac, 0, 6);
		memcpy(&a->be_sip, prefix(router[p]).addr.b, 4);
		memcpy(&a->be_tip, prefix(own[p]).addr.b, 4);
	}
	rig_run(rig, chain, NULL, NULL, NULL);
}

void
rig_chain_create(struct rig *rig, struct rig_chain *out, const char *const *stage, uint32_t n,
	const char *yaml, uint32_t flows, uint32_t addresses)
{
	struct nfv_prefix inside = prefix("192.168.0.1/24"), outside[RIG_ADDRESSES];
	struct nfv_l3_route route[2] = { { .to = prefix("10.0.0.0/8"), .port = 0 },
		{ .to = prefix("0.0.0.0/0"), .port = 1 } };
	struct nfv_stage_use use[RIG_STAGES];
	struct nfv_chain_conf conf = { .name = "bench",
		.stage = use,
		.n_stages = n,
		.port = { rig->port[0], rig->port[1] },
		.pool = rig->pool,
		.flows = flows,
		.timeouts = { 300, 7440, 240, 60, 600 },
		.tsc_hz = rig->tsc_hz,
		.seed = 12345,
		.socket = -1,
		.l3 = { .port = { { .mtu = 1500, .addr = &inside, .n_addr = 1 },
				{ .mtu = 1500, .addr = outside, .n_addr = addresses } },
			.route = route,
			.n_route = 2,
			.neighbours = 64,
			.icmp_rate = 1000,
			.tsc_hz = rig->tsc_hz,
			.seed = 12345,
			.socket = -1 } };
	struct nfv_err err;

	route[0].via = prefix("192.168.0.2/32").addr;
	route[1].via = prefix("192.0.2.2/32").addr;
	for (uint32_t i = 0; i < addresses; i++) {
		outside[i] = prefix("192.0.2.1/24");
		outside[i].addr.b[3] = (uint8_t)(i == 0 ? 1 : i + 2);
	}
	for (int p = 0; p < 2; p++)
		memcpy(conf.l3.port[p].mac, own_mac[p], 6);
	*out = (struct rig_chain){ .n = n };
	read_sections(out, use, stage, yaml);
	conf.doc = out->doc;
	if (nfv_chain_create(&conf, &out->chain, &err) < 0)
		need(false, err.text);
	meet_routers(rig, out);
}

void
rig_give_up(const struct rig_chain *chain, const char *what)
{
	const struct nfv_chain_stats *s = nfv_chain_stats(chain->chain);

	fprintf(stderr, "bench: %s\n", what);
	for (int i = 0; i < NFV_LOOP_DROPS; i++)
		if (s->loop_drop[i] > 0)
			fprintf(stderr, "  %s %lu\n", nfv_loop_drop_name[i], s->loop_drop[i]);
	for (int i = 0; i < NFV_L3_REASONS; i++)
		if (s->l3_drop[i] > 0)
			fprintf(stderr, "  l3 %s %lu\n", nfv_l3_drop_name[i], s->l3_drop[i]);
	for (uint32_t i = 0; i < chain->n; i++) {
		const struct nfv_stage_ops *ops = nfv_chain_stage(chain->chain, i);

		for (int r = 0; ops->drops != NULL && ops->drops[r] != NULL; r++)
			if (s->stage[i].drop[r] > 0)
				fprintf(stderr, "  %s %s %lu\n", ops->name, ops->drops[r],
					s->stage[i].drop[r]);
	}
	exit(1);
}
