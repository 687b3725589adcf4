#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "nfv_csum.h"
#include "plain.h"
#include "plain_wire.h"

#define BURST     32u
#define FCS       4u /* bytes that the device adds */
#define FRAME_MIN 64u
#define FRAME_MAX 9018u
#define HEAD      80u /* headers, the stamp, and up to a multiple of 16: copied in one go */

_Static_assert(NET_HEAD_MAX + sizeof(struct plain_stamp) <= HEAD, "a frame's head has room");

/* What all frames of a flow and a size have in common. */
struct frame {
	uint8_t head[HEAD];
	uint64_t sum; /* UDP's over pseudo-header, header and stamp, without number and time */
	uint16_t len, stamp; /* without the check sum; where the stamp stands */
};

struct flow {
	uint32_t seq;
	uint32_t turn; /* in the order of sizes */
};

struct plain_sender {
	struct plain_conf conf;
	struct rte_mempool *pool; /* all zeroes behind the heads, which no one else writes to */
	struct frame *frame;      /* [flow][size] */
	struct flow *flow;
	uint32_t at_flow;
	uint32_t at_replay;
	uint8_t mac[12]; /* of replayed frames: to, from */
	struct pace pace;
	uint64_t group_cycles;         /* between two packets of a group */
	uint32_t group;                /* packets that become due together */
	uint32_t group_left;           /* of the one taken last */
	uint64_t group_tsc;            /* intended time of its next packet */
	bool flood;                    /* as fast as can be */
	uint64_t left, end, late;      /* packets; TSC; cycles */
	struct rte_mbuf *burst[BURST]; /* written; at … n wait for the device */
	uint16_t at, n;
	struct plain_stats stats;
};

/* 7:4:1, as even as it can be. */
static const uint8_t imix_order[12] = { 0, 1, 0, 0, 1, 0, 2, 0, 1, 0, 1, 0 };

int
plain_mix_parse(const char *text, struct plain_mix *out, struct nfv_err *err)
{
	char *end;
	unsigned long size;

	if (strcmp(text, "imix") == 0) {
		*out = (struct plain_mix){ { 64, 594, 1518 }, 3 };
		return 0;
	}
	size = strtoul(text, &end, 10);
	if (*text == '\0' || *end != '\0' || size < FRAME_MIN || size > FRAME_MAX)
		return nfv_fail(err, EINVAL,
			"--plain %s: give a frame's size from %u to %u, imix, FILE.pcap, or sink",
			text, FRAME_MIN, FRAME_MAX);
	*out = (struct plain_mix){ { (uint16_t)size }, 1 };
	return 0;
}

static uint32_t
headers(const struct plain_conf *c)
{
	return NFV_ETH_LEN + (c->to.addr.family == NFV_IPV4 ? NFV_IP4_LEN : NFV_IP6_LEN) +
		NFV_UDP_LEN;
}

static void
clear(struct rte_mempool *pool, void *arg, void *object, unsigned int i)
{
	struct rte_mbuf *m = object;

	(void)pool;
	(void)arg;
	(void)i;
	memset(m->buf_addr, 0, m->buf_len);
}

static int
check_sizes(const struct plain_conf *c, struct nfv_err *err)
{
	uint32_t least = headers(c) + (uint32_t)sizeof(struct plain_stamp) + FCS,
		 most = c->mtu + NFV_ETH_LEN + FCS;

	for (uint32_t i = 0; i < c->mix.sizes; i++)
		if (c->mix.size[i] < least || c->mix.size[i] > most)
			return nfv_fail(err, EINVAL,
				"a frame of %u bytes is not between %u, which the headers and a time "
				"stamp take, and %u, which the MTU allows",
				c->mix.size[i], least, most);
	return 0;
}

/* Flows take addresses upwards from their own, and must not come to the peer's. */
static int
check_flows(const struct plain_conf *c, struct nfv_err *err)
{
	size_t at = c->to.addr.family == NFV_IPV4 ? 0 : 12;
	uint32_t own, peer;

	memcpy(&own, c->from.addr.b + at, sizeof(own));
	memcpy(&peer, c->to.addr.b + at, sizeof(peer));
	peer = be32toh(peer) - be32toh(own);
	if (memcmp(c->from.addr.b, c->to.addr.b, at) == 0 &&
		peer <= (c->flows - 1) / (65536u - c->from.port))
		return nfv_fail(err, EINVAL,
			"%u flows from port %u on would come to use the peer's own address; give a "
			"lower -p, fewer --flows, or an address (-i) above the peer's",
			c->flows, c->from.port);
	return 0;
}

int
plain_sender_create(const struct plain_conf *conf, struct plain_sender **out, struct nfv_err *err)
{
	struct plain_sender *s;
	static unsigned int serial;
	uint16_t room = 0;
	char name[32];
	int rc = check_sizes(conf, err);

	if (rc == 0)
		rc = check_flows(conf, err);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < conf->mix.sizes; i++)
		room = conf->mix.size[i] > room ? conf->mix.size[i] : room;
	if (conf->replay != NULL)
		room = conf->replay->longest;
	room = room < HEAD ? HEAD : room;
	snprintf(name, sizeof(name), "plain%u", serial++);
	s = rte_zmalloc_socket(name, sizeof(*s), 64, conf->socket);
	if (s == NULL)
		goto no_memory;
	s->conf = *conf;
	s->late = conf->tsc_hz / 1000 * PLAIN_BEHIND_MS;
	s->pool = rte_pktmbuf_pool_create(
		name, conf->buffers, 256, 0, (uint16_t)(RTE_PKTMBUF_HEADROOM + room), conf->socket);
	s->frame = rte_zmalloc_socket(
		name, (size_t)conf->flows * conf->mix.sizes * sizeof(*s->frame), 64, conf->socket);
	s->flow = rte_zmalloc_socket(name, conf->flows * sizeof(*s->flow), 64, conf->socket);
	if (s->pool == NULL || (s->frame == NULL && conf->replay == NULL) || s->flow == NULL)
		goto no_memory;
	rte_mempool_obj_iter(s->pool, clear, NULL);
	for (uint32_t i = 0; i < conf->flows; i++)
		s->flow[i].turn =
			i % sizeof(imix_order); /* flows do not all send long ones at once */
	*out = s;
	return 0;
no_memory:
	plain_sender_destroy(s);
	return nfv_fail(err, ENOMEM,
		"no memory for %u frames of %u flows; give EAL more (-m), or fewer --buffers or --flows",
		conf->buffers, conf->flows);
}

void
plain_sender_destroy(struct plain_sender *s)
{
	if (s == NULL)
		return;
	rte_pktmbuf_free_bulk(s->burst + s->at, (unsigned int)(s->n - s->at));
	rte_mempool_free(s->pool);
	rte_free(s->frame);
	rte_free(s->flow);
	rte_free(s);
}

/* A flow's source: ports upwards, then the next address and the ports again. */
static struct nfv_endpoint
source(const struct nfv_endpoint *first, uint32_t flow)
{
	struct nfv_endpoint e = *first;
	uint32_t ports = 65536u - first->port, low;
	uint8_t *last = e.addr.b + (e.addr.family == NFV_IPV4 ? 0 : 12);

	e.port = (uint16_t)(first->port + flow % ports);
	memcpy(&low, last, sizeof(low));
	low = htobe32(be32toh(low) + flow / ports);
	memcpy(last, &low, sizeof(low));
	return e;
}

static void
prepare_frame(struct plain_sender *s, const struct nfv_endpoint *from, uint16_t flow,
	const uint8_t mac[6], uint16_t size, struct frame *f)
{
	const struct plain_conf *c = &s->conf;
	struct plain_stamp stamp = { .magic = PLAIN_MAGIC, .sender = c->sender, .flow = flow };
	size_t ip = c->to.addr.family == NFV_IPV4 ? 4 : 16;
	uint16_t payload = (uint16_t)(size - FCS - headers(c)),
		 udp_len = (uint16_t)(payload + NFV_UDP_LEN),
		 tail[2] = { htobe16(udp_len), htobe16(NFV_PROTO_UDP) };

	f->len = (uint16_t)(size - FCS);
	f->stamp = (uint16_t)net_frame_template(c->net, from, &c->to, payload, mac, f->head);
	memcpy(f->head + f->stamp, &stamp, sizeof(stamp));
	f->sum = nfv_csum_add(0, from->addr.b, ip);
	f->sum = nfv_csum_add(f->sum, c->to.addr.b, ip);
	f->sum = nfv_csum_add(f->sum, tail, sizeof(tail));
	f->sum = nfv_csum_fold(nfv_csum_add(
		f->sum, f->head + f->stamp - NFV_UDP_LEN, NFV_UDP_LEN + sizeof(stamp)));
}

int
plain_sender_prepare(struct plain_sender *s)
{
	const struct plain_conf *c = &s->conf;
	uint8_t head[NET_HEAD_MAX];
	int rc = net_frame_template(c->net, &c->from, &c->to, 0, c->mac, head);

	if (rc < 0)
		return rc;
	memcpy(s->mac, head, sizeof(s->mac));
	/* One look for the next hop serves all: the destination's address begins the frame. */
	for (uint32_t i = 0; i < c->flows; i++) {
		struct nfv_endpoint from = source(&c->from, i);

		for (uint32_t k = 0; k < c->mix.sizes; k++)
			prepare_frame(s, &from, (uint16_t)i, head, c->mix.size[k],
				&s->frame[i * c->mix.sizes + k]);
	}
	return 0;
}

int
plain_sender_begin(struct plain_sender *s, const struct pace_conf *pace, uint64_t tsc,
	uint64_t packets, uint64_t cycles, struct nfv_err *err)
{
	struct pace_conf pc = *pace;

	s->flood = pace->shape == PACE_FIXED && pace->rate == 0;
	s->group = 1;
	/* A pace costs a division of wide numbers each time. Fast steady ones take packets by groups,
	 * due when the last of a group is; within it, times are an even way apart. */
	if (pace->shape == PACE_FIXED && pace->rate > 1e6)
		s->group = pace->rate > 8e6 ? BURST : 8;
	pc.rate /= s->group;
	s->group_left = 0;
	s->group_cycles = s->group > 1 ? (uint64_t)((double)s->conf.tsc_hz / pace->rate) : 0;
	s->left = packets > 0 ? packets : UINT64_MAX;
	s->end = cycles > 0 ? tsc + cycles : UINT64_MAX;
	s->stats.send_begun = s->stats.send_ended = tsc;
	return s->flood ? 0 : pace_init(&s->pace, &pc, s->conf.tsc_hz, tsc, err);
}

/* The intended times of packets that are due, oldest first. */
static uint32_t
due(struct plain_sender *s, uint64_t tsc, uint64_t *intended, uint32_t max)
{
	uint32_t n = 0;

	if (s->flood) {
		for (; n < max; n++)
			intended[n] = tsc;
		return n;
	}
	if (s->group == 1)
		return pace_take(&s->pace, tsc, intended, max);
	while (n < max) {
		if (s->group_left == 0) {
			uint64_t last;

			if (pace_take(&s->pace, tsc, &last, 1) == 0)
				break;
			s->group_left = s->group;
			s->group_tsc = last - (s->group - 1) * s->group_cycles;
		}
		intended[n++] = s->group_tsc;
		s->group_tsc += s->group_cycles;
		s->group_left--;
	}
	return n;
}

static inline uint16_t
write_packet(struct plain_sender *s, struct rte_mbuf *m, uint64_t intended)
{
	uint32_t i = s->at_flow, sizes = s->conf.mix.sizes, k = 0;
	struct flow *flow = &s->flow[i];
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
	const struct frame *f;
	uint32_t seq = flow->seq++;
	uint16_t csum;

	if (sizes > 1) {
		k = imix_order[flow->turn];
		flow->turn = flow->turn + 1 == sizeof(imix_order) ? 0 : flow->turn + 1;
	}
	s->at_flow = i + 1 == s->conf.flows ? 0 : i + 1;
	f = &s->frame[i * sizes + k];
	memcpy(data, f->head, HEAD);
	memcpy(data + f->stamp + offsetof(struct plain_stamp, seq), &seq, sizeof(seq));
	memcpy(data + f->stamp + offsetof(struct plain_stamp, tsc), &intended, sizeof(intended));
	csum = (uint16_t)~nfv_csum_fold(f->sum + seq + (intended & 0xffffffff) + (intended >> 32));
	csum = csum != 0 ? csum : 0xffff;
	memcpy(data + f->stamp - sizeof(csum), &csum, sizeof(csum));
	m->data_len = f->len;
	m->pkt_len = f->len;
	return (uint16_t)(f->len + FCS);
}

static uint16_t
replay_packet(struct plain_sender *s, struct rte_mbuf *m)
{
	const struct plain_replay *p = s->conf.replay;
	const uint32_t *at = &p->at[s->at_replay];
	uint16_t len = (uint16_t)(at[1] - at[0]);
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);

	memcpy(data, p->data + at[0], len);
	memcpy(data, s->mac, sizeof(s->mac));
	m->data_len = len;
	m->pkt_len = len;
	s->at_replay = s->at_replay + 1 == p->frames ? 0 : s->at_replay + 1;
	return (uint16_t)(len + FCS);
}

/* What is due, written into s->burst. What is far too late, or finds no buffer, is given up. */
static void
fill(struct plain_sender *s, uint64_t tsc)
{
	uint64_t intended[BURST];
	uint32_t n, gone = 0;

	s->at = s->n = 0;
	n = due(s, tsc < s->end ? tsc : s->end, intended,
		s->left < BURST ? (uint32_t)s->left : BURST);
	while (gone < n && tsc > intended[gone] + s->late)
		gone++;
	if (n > gone && rte_pktmbuf_alloc_bulk(s->pool, s->burst, n - gone) != 0) {
		s->stats.no_buffer++;
		if (s->flood)
			return; /* nothing is due by itself */
		gone = n;
	}
	s->stats.offered += n;
	s->stats.limited += gone;
	s->left -= n;
	for (uint32_t i = gone; i < n; i++, s->n++)
		s->stats.sent_bytes += s->conf.replay != NULL ?
			replay_packet(s, s->burst[s->n]) :
			write_packet(s, s->burst[s->n], intended[i]);
}

static bool
is_over(const struct plain_sender *s, uint64_t tsc)
{
	return s->left == 0 ||
		(tsc >= s->end && s->group_left == 0 && (s->flood || pace_next(&s->pace) > s->end));
}

bool
plain_sender_turn(struct plain_sender *s, uint64_t tsc)
{
	uint16_t sent;

	if (s->at == s->n) {
		if (is_over(s, tsc))
			return false;
		fill(s, tsc);
		if (s->n == 0)
			return true;
	}
	sent = net_send(s->conf.net, s->burst + s->at, (uint16_t)(s->n - s->at));
	s->at = (uint16_t)(s->at + sent);
	s->stats.sent += sent;
	s->stats.send_ended = tsc;
	if (tsc > s->end && tsc - s->end > s->late) {
		plain_sender_end(s);
		return false;
	}
	return true;
}

void
plain_sender_end(struct plain_sender *s)
{
	for (uint16_t i = s->at; i < s->n; i++)
		s->stats.sent_bytes -= s->burst[i]->pkt_len + FCS;
	s->stats.limited += (uint64_t)(s->n - s->at);
	rte_pktmbuf_free_bulk(s->burst + s->at, (unsigned int)(s->n - s->at));
	s->at = s->n = 0;
	s->left = 0;
}

struct plain_stats *
plain_sender_stats(struct plain_sender *s)
{
	return &s->stats;
}
