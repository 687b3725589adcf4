#include <assert.h>
#include <stdlib.h>

#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "headers.h"
#include "net.h"
#include "nfv_l3.h"
#include "nfv_port.h"

#define HEADERS    (NFV_ETH_LEN + NFV_IP6_LEN + NFV_UDP_LEN)
#define DATA_ROOM  (RTE_PKTMBUF_HEADROOM + HEADERS + NET_PAYLOAD + 2)
#define POOL_CACHE 256
#define RETRIES    16 /* of a device that takes only a part of a burst */
#define REASSEMBLY 32 /* datagrams put together at once */

static_assert(NET_PAYLOAD_MAX == NFV_FRAME_MAX - HEADERS, "what a frame has room for");

struct net {
	struct nfv_burst out;      /* committed, not yet routed */
	struct nfv_out wire, back; /* what l3 originates */
	struct rte_mempool *pool;
	struct nfv_l3 *l3;
	struct rte_mbuf *begun;       /* being written; NULL: nothing, or in `large_tx` */
	uint8_t *large_tx, *large_rx; /* a frame of NFV_FRAME_MAX each */
	struct net_count count;
	uint32_t n_addr;
	struct nfv_port port;
	uint16_t ip_id, mtu;
	uint16_t pieces; /* that committed packets longer than the MTU may leave in */
	uint8_t begun_family;
	struct nfv_addr heard; /* who sent the datagram before; NFV_NO_ADDR: nobody, lately */
	struct nfv_prefix addr[NET_ADDRS];
};

static void
arm_for(struct net *n, struct nfv_out *o, unsigned int want)
{
	struct rte_mbuf *m[NFV_OUT_MAX];
	uint16_t need;

	if (o->n > 0) {
		memmove(&o->pkt[0], &o->pkt[o->n], (size_t)(o->room - o->n) * sizeof(o->pkt[0]));
		o->room = (uint16_t)(o->room - o->n);
		o->n = 0;
	}
	want = want < NFV_OUT_MAX ? want : NFV_OUT_MAX;
	if (o->room >= want)
		return;
	need = (uint16_t)(want - o->room);
	if (rte_pktmbuf_alloc_bulk(n->pool, m, need) != 0)
		return;
	for (uint16_t i = 0; i < need; i++)
		o->pkt[o->room++] = (struct nfv_pkt){ .data = rte_pktmbuf_mtod(m[i], uint8_t *),
			.buf = m[i],
			.len = NFV_ETH_LEN,
			.l3 = NFV_ETH_LEN,
			.headroom = rte_pktmbuf_headroom(m[i]),
			.tailroom = (uint16_t)(rte_pktmbuf_tailroom(m[i]) - NFV_ETH_LEN) };
}

static void
arm(struct net *n, struct nfv_out *o)
{
	arm_for(n, o, NFV_BURST_MAX);
}

static int
create_memory(struct net *n, const struct net_conf *conf, struct nfv_err *err)
{
	uint16_t frame = (uint16_t)(RTE_PKTMBUF_HEADROOM + nfv_port_frame_max(conf->mtu));
	static unsigned int serial;
	char name[32];

	snprintf(name, sizeof(name), "net%u", serial++);
	n->pool = rte_pktmbuf_pool_create(name, conf->buffers, POOL_CACHE, 0,
		frame > DATA_ROOM ? frame : DATA_ROOM, conf->socket);
	n->large_tx = rte_malloc_socket("net", NFV_FRAME_MAX, 64, conf->socket);
	n->large_rx = rte_malloc_socket("net", NFV_FRAME_MAX, 64, conf->socket);
	if (n->pool == NULL || n->large_tx == NULL || n->large_rx == NULL)
		return nfv_fail(err, ENOMEM,
			"no memory for %u packet buffers; give EAL more (-m) or fewer --buffers",
			conf->buffers);
	return 0;
}

int
net_create(const struct net_conf *conf, struct net **out, struct nfv_err *err)
{
	struct nfv_port_conf pc = { .name = "generator",
		.device = conf->device,
		.mtu = conf->mtu,
		.descriptors = conf->descriptors };
	struct nfv_l3_route route = { .via = conf->gateway, .port = 1 };
	struct nfv_l3_conf lc = { .neighbours = 1024,
		.icmp_rate = 10,
		.reassembly = REASSEMBLY,
		.tsc_hz = conf->tsc_hz,
		.seed = conf->seed,
		.socket = conf->socket };
	struct net *n = rte_zmalloc_socket("net", sizeof(*n), 64, conf->socket);
	int rc;

	if (n == NULL)
		return nfv_fail(err, ENOMEM, "no memory for a port; give EAL more (-m)");
	rc = create_memory(n, conf, err);
	if (rc < 0)
		goto fail;
	pc.pool = n->pool;
	rc = nfv_port_open(&pc, &n->port, err);
	if (rc < 0)
		goto fail;
	memcpy(n->addr, conf->addr, sizeof(n->addr));
	n->n_addr = conf->n_addr;
	n->mtu = conf->mtu;
	lc.port[1] = (struct nfv_l3_port){ .mtu = conf->mtu, .addr = n->addr, .n_addr = n->n_addr };
	memcpy(lc.port[1].mac, n->port.mac, sizeof(lc.port[1].mac));
	if (conf->gateway.family != NFV_NO_ADDR) {
		route.to.addr.family = conf->gateway.family;
		lc.route = &route;
		lc.n_route = 1;
	}
	rc = nfv_l3_create(&lc, &n->l3, err);
	if (rc < 0)
		goto fail;
	arm(n, &n->wire);
	arm(n, &n->back);
	*out = n;
	return 0;
fail:
	net_destroy(n);
	return rc;
}

static void
disarm(struct nfv_out *o)
{
	for (uint16_t i = 0; i < o->room; i++)
		rte_pktmbuf_free(o->pkt[i].buf);
}

void
net_destroy(struct net *n)
{
	if (n == NULL)
		return;
	disarm(&n->wire);
	disarm(&n->back);
	for (uint16_t i = 0; i < n->out.n; i++)
		rte_pktmbuf_free(n->out.pkt[i].buf);
	rte_pktmbuf_free(n->begun);
	nfv_l3_destroy(n->l3);
	nfv_port_close(&n->port);
	rte_mempool_free(n->pool);
	rte_free(n->large_tx);
	rte_free(n->large_rx);
	rte_free(n);
}

static void
transmit(struct net *n, struct rte_mbuf **m, uint16_t count)
{
	uint16_t sent = rte_eth_tx_burst(n->port.id, 0, m, count);

	/* A device in memory may need a moment to make room; a load generator had better wait. */
	for (int i = 0; i < RETRIES && sent < count; i++)
		sent = (uint16_t)(sent +
			rte_eth_tx_burst(n->port.id, 0, m + sent, (uint16_t)(count - sent)));
	n->count.tx_frames += sent;
	n->count.tx_full += (uint64_t)(count - sent);
	rte_pktmbuf_free_bulk(m + sent, (unsigned int)(count - sent));
}

static struct rte_mbuf *
finished(const struct nfv_pkt *p)
{
	struct rte_mbuf *m = p->buf;

	m->data_off = (uint16_t)(p->data - (uint8_t *)m->buf_addr);
	m->data_len = p->len;
	m->pkt_len = p->len;
	return m;
}

/* Frames of l3's own: answers and questions to neighbours, fragments. */
static void
send_wire(struct net *n)
{
	struct rte_mbuf *m[NFV_OUT_MAX];

	if (n->wire.n == 0)
		return;
	for (uint16_t i = 0; i < n->wire.n; i++)
		m[i] = finished(&n->wire.pkt[i]);
	transmit(n, m, n->wire.n);
	n->count.no_buffer += n->wire.starved;
	n->wire.starved = 0;
	arm(n, &n->wire);
}

/* ICMP errors of l3 about our own packets tell nobody anything. */
static void
drop_back(struct net *n)
{
	for (uint16_t i = 0; i < n->back.n; i++)
		rte_pktmbuf_free(n->back.pkt[i].buf);
	if (n->back.n > 0)
		arm(n, &n->back);
}

void
net_flush(struct net *n, uint64_t tsc)
{
	struct rte_mbuf *m[NFV_BURST_MAX], *dead[NFV_BURST_MAX];
	uint16_t ready = 0;
	unsigned int gone = 0;

	if (n->out.n == 0)
		return;
	n->out.tsc = tsc;
	n->out.dir = NFV_OUTWARD;
	if (n->pieces > 0)
		arm_for(n, &n->wire, n->pieces + NFV_BURST_MAX); /* beside questions */
	n->pieces = 0;
	nfv_l3_output(n->l3, &n->out, &n->wire, &n->back);
	for (uint16_t i = 0; i < n->out.n; i++) {
		struct nfv_pkt *p = &n->out.pkt[i];

		if (p->verdict == NFV_KEEP) {
			m[ready++] = finished(p);
			continue;
		}
		n->count.l3_out += p->verdict >= NFV_DROP_BASE;
		dead[gone++] = p->buf;
	}
	n->out.n = 0;
	rte_pktmbuf_free_bulk(dead, gone);
	transmit(n, m, ready);
	send_wire(n);
	drop_back(n);
}

char *
net_begin(struct net *n, enum nfv_family family, size_t room)
{
	size_t ip_len = family == NFV_IPV4 ? NFV_IP4_LEN : NFV_IP6_LEN;
	uint8_t *frame = n->large_tx;

	n->begun_family = (uint8_t)family;
	n->begun = NULL;
	if (room <= NET_PAYLOAD) {
		n->begun = rte_pktmbuf_alloc(n->pool);
		if (n->begun == NULL) {
			n->count.no_buffer++;
			return NULL;
		}
		frame = rte_pktmbuf_mtod(n->begun, uint8_t *);
	}
	return (char *)frame + NFV_ETH_LEN + ip_len + NFV_UDP_LEN;
}

void
net_abandon(struct net *n)
{
	rte_pktmbuf_free(n->begun);
	n->begun = NULL;
}

const struct nfv_addr *
net_source(const struct net *n, const struct nfv_addr *to)
{
	const struct nfv_addr *any = NULL;

	for (uint32_t i = 0; i < n->n_addr; i++) {
		if (nfv_prefix_has(&n->addr[i], to))
			return &n->addr[i].addr;
		if (any == NULL && n->addr[i].addr.family == to->family)
			any = &n->addr[i].addr;
	}
	return any;
}

void
net_commit(struct net *n, size_t len, uint16_t from_port, const struct nfv_endpoint *to)
{
	const struct nfv_addr *src = net_source(n, &to->addr);
	size_t ip_len = n->begun_family == NFV_IPV4 ? NFV_IP4_LEN : NFV_IP6_LEN;
	bool large = n->begun == NULL;
	uint8_t *frame = large ? n->large_tx : rte_pktmbuf_mtod(n->begun, uint8_t *);
	uint8_t *ip = frame + NFV_ETH_LEN;
	struct nfv_udp *udp = (struct nfv_udp *)(ip + ip_len);
	uint16_t udp_len = (uint16_t)(len + NFV_UDP_LEN), frame_len;

	if (src == NULL || len > (large ? NET_PAYLOAD_MAX : NET_PAYLOAD)) {
		n->count.l3_out++;
		net_abandon(n);
		return;
	}
	udp->be_sport = htobe16(from_port);
	udp->be_dport = htobe16(to->port);
	udp->be_len = htobe16(udp_len);
	udp->be_csum = 0;
	udp->be_csum = headers_udp_csum(src, &to->addr, udp, udp_len);
	headers_ip(ip, src, &to->addr, udp_len, n->ip_id++);
	frame_len = (uint16_t)(NFV_ETH_LEN + ip_len + udp_len);
	if (frame_len > NFV_ETH_LEN + n->mtu) {
		uint16_t pieces = nfv_l3_pieces(frame_len, n->mtu);

		if (n->pieces > 0 && n->pieces + pieces > NFV_OUT_MAX - NFV_BURST_MAX)
			net_flush(n, n->out.tsc);
		n->pieces = (uint16_t)(n->pieces + pieces);
	}
	n->out.pkt[n->out.n++] = (struct nfv_pkt){ .data = frame,
		.buf = n->begun,
		.len = frame_len,
		.l3 = NFV_ETH_LEN,
		.flags = NFV_PKT_OWN };
	n->begun = NULL;
	if (large || n->out.n == NFV_BURST_MAX)
		net_flush(n, n->out.tsc);
}

static void
deliver_udp(struct net *n, const struct nfv_pkt *p,
	void (*deliver)(void *ctx, const struct net_datagram *d), void *ctx)
{
	const struct nfv_udp *udp = nfv_pkt_l4(p);
	uint16_t len = be16toh(udp->be_len);
	struct net_datagram d;

	if (p->family == 4) {
		d.from.addr = nfv_addr4(nfv_pkt_ip4(p)->be_src);
		d.to.addr = nfv_addr4(nfv_pkt_ip4(p)->be_dst);
	} else {
		d.from.addr = nfv_addr6(nfv_pkt_ip6(p)->src);
		d.to.addr = nfv_addr6(nfv_pkt_ip6(p)->dst);
	}
	if (udp->be_csum != 0 && headers_udp_csum(&d.from.addr, &d.to.addr, udp, len) != 0xffff) {
		n->count.bad_checksum++;
		return;
	}
	/* Answers may leave before a neighbour's answer comes, behind all that has come already. */
	if (!nfv_addr_eq(&d.from.addr, &n->heard)) {
		n->heard = d.from.addr;
		nfv_l3_heard(n->l3, &n->heard, ((const struct nfv_eth *)p->data)->src, n->out.tsc,
			&n->wire);
	}
	d.from.port = be16toh(udp->be_sport);
	d.to.port = be16toh(udp->be_dport);
	d.payload = nfv_sv((const char *)(udp + 1), len - sizeof(*udp));
	deliver(ctx, &d);
}

static void
hand_over(struct net *n, const struct nfv_pkt *p,
	void (*deliver)(void *ctx, const struct net_datagram *d), void *ctx)
{
	if (p->verdict >= NFV_DROP_BASE)
		n->count.l3_in++;
	else if (p->verdict == NFV_KEEP && p->proto == NFV_PROTO_UDP && deliver != NULL &&
		(p->flags & NFV_PKT_LOCAL))
		deliver_udp(n, p, deliver, ctx);
	else if (p->verdict == NFV_KEEP)
		n->count.not_udp++;
}

/* What the last fragments have made whole. */
static void
input_whole(struct net *n, void (*deliver)(void *ctx, const struct net_datagram *d), void *ctx)
{
	uint32_t len;

	while ((len = nfv_l3_whole(n->l3)) > 0) {
		struct nfv_pkt p = { .data = n->large_rx,
			.len = NFV_ETH_LEN,
			.l3 = NFV_ETH_LEN,
			.tailroom = NFV_FRAME_MAX - NFV_ETH_LEN };

		arm_for(n, &n->wire, nfv_l3_pieces(len, n->mtu) + 1u);
		nfv_l3_take_whole(n->l3, &p, &n->wire);
		hand_over(n, &p, deliver, ctx);
		send_wire(n);
	}
}

static void
input(struct net *n, uint64_t tsc, struct rte_mbuf **m, uint16_t got,
	void (*deliver)(void *ctx, const struct net_datagram *d), void *ctx)
{
	unsigned int whole;
	struct nfv_burst b;

	b.tsc = tsc;
	b.dir = NFV_INWARD;
	b.n = got;
	for (uint16_t i = 0; i < got; i++)
		b.pkt[i] = (struct nfv_pkt){ .data = rte_pktmbuf_mtod(m[i], uint8_t *),
			.buf = m[i],
			.len = m[i]->data_len,
			.verdict = m[i]->nb_segs == 1 ? NFV_KEEP : NFV_DROP(0) };
	whole = nfv_l3_input(n->l3, &b, &n->wire);
	for (uint16_t i = 0; i < got; i++)
		hand_over(n, &b.pkt[i], deliver, ctx);
	rte_pktmbuf_free_bulk(m, got);
	send_wire(n);
	if (__builtin_expect(whole > 0, 0))
		input_whole(n, deliver, ctx);
}

unsigned int
net_poll(struct net *n, uint64_t tsc, void (*deliver)(void *ctx, const struct net_datagram *d),
	void *ctx)
{
	struct rte_mbuf *m[NFV_BURST_MAX];
	uint16_t got = rte_eth_rx_burst(n->port.id, 0, m, NFV_BURST_MAX);

	n->out.tsc = tsc;
	if (got == 0)
		return 0;
	n->count.rx_frames += got;
	input(n, tsc, m, got, deliver, ctx);
	return got;
}

unsigned int
net_receive(struct net *n, uint64_t tsc,
	uint16_t (*take)(void *ctx, struct rte_mbuf **m, uint16_t count), void *ctx)
{
	struct rte_mbuf *m[NFV_BURST_MAX];
	uint16_t got = rte_eth_rx_burst(n->port.id, 0, m, NFV_BURST_MAX), left;

	n->out.tsc = tsc;
	if (got == 0)
		return 0;
	n->count.rx_frames += got;
	left = take(ctx, m, got);
	if (left > 0)
		input(n, tsc, m, left, NULL, NULL);
	return got;
}

uint16_t
net_send(struct net *n, struct rte_mbuf **m, uint16_t count)
{
	uint16_t sent = rte_eth_tx_burst(n->port.id, 0, m, count);

	n->count.tx_frames += sent;
	return sent;
}

/* An empty datagram goes where the frames are to go, and comes back with its Ethernet header. */
static int
next_hop(struct net *n, const struct nfv_endpoint *from, const struct nfv_endpoint *to,
	uint8_t head[NET_HEAD_MAX])
{
	struct nfv_burst b = { .dir = NFV_OUTWARD, .n = 1, .tsc = n->out.tsc };
	int len = net_frame_template(n, from, to, 0, n->port.mac, head);

	b.pkt[0] = (struct nfv_pkt){
		.data = head, .len = (uint16_t)len, .l3 = NFV_ETH_LEN, .flags = NFV_PKT_OWN
	};
	nfv_l3_output(n->l3, &b, &n->wire, &n->back);
	send_wire(n);
	drop_back(n);
	return b.pkt[0].verdict == NFV_KEEP ? 0 : -EHOSTUNREACH;
}

int
net_frame_template(struct net *n, const struct nfv_endpoint *from, const struct nfv_endpoint *to,
	uint16_t payload, const uint8_t *mac, uint8_t head[NET_HEAD_MAX])
{
	bool v4 = to->addr.family == NFV_IPV4;
	uint16_t ip_len = v4 ? NFV_IP4_LEN : NFV_IP6_LEN,
		 udp_len = (uint16_t)(NFV_UDP_LEN + payload);
	uint8_t *ip = head + NFV_ETH_LEN;
	struct nfv_udp udp = { htobe16(from->port), htobe16(to->port), htobe16(udp_len), 0 };
	struct nfv_eth eth = { .be_type = htobe16(v4 ? NFV_ETH_IP4 : NFV_ETH_IP6) };
	uint8_t found[NET_HEAD_MAX];

	if (mac == NULL) {
		if (next_hop(n, from, to, found) < 0)
			return -EHOSTUNREACH;
		mac = found;
	}
	memcpy(eth.dst, mac, sizeof(eth.dst));
	memcpy(eth.src, n->port.mac, sizeof(eth.src));
	memcpy(head, &eth, sizeof(eth));
	headers_ip(ip, &from->addr, &to->addr, udp_len, n->ip_id++);
	memcpy(ip + ip_len, &udp, sizeof(udp));
	return NFV_ETH_LEN + ip_len + NFV_UDP_LEN;
}

int
net_reach(struct net *n, const struct nfv_addr *to, uint64_t tsc)
{
	int rc = nfv_l3_reach(n->l3, to, tsc, &n->wire);

	send_wire(n);
	return rc;
}

void
net_tick(struct net *n, uint64_t tsc)
{
	n->heard.family = NFV_NO_ADDR; /* it may be forgotten meanwhile */
	nfv_l3_tick(n->l3, tsc, &n->wire, &n->back);
	send_wire(n);
	drop_back(n);
}

const struct net_count *
net_count(const struct net *n)
{
	return &n->count;
}
