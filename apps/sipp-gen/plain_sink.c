#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "nfv_hdr.h"
#include "plain.h"
#include "plain_wire.h"

#define FCS      4u
#define SENDERS  8u
#define SEEN     256u /* numbers of a flow that are remembered one by one */
#define TRUST_S  60   /* a longer way is none: the stamp is by another clock */
#define NS_SHIFT 32

struct seen {
	uint64_t next; /* the number after the highest seen */
	uint64_t bit[SEEN / 64];
};

struct plain_sink {
	struct net *net;
	struct seen *seen; /* [sender][flow] */
	uint64_t trust, ns_factor;
	struct plain_stats stats;
};

int
plain_sink_create(
	struct net *net, uint64_t tsc_hz, int socket, struct plain_sink **out, struct nfv_err *err)
{
	struct plain_sink *k = rte_zmalloc_socket("sink", sizeof(*k), 64, socket);

	if (k == NULL)
		return nfv_fail(err, ENOMEM, "no memory for a sink; give EAL more (-m)");
	/* Only what flows use of it becomes memory: zeroed pages come when they are touched. */
	k->seen = calloc((size_t)SENDERS * PLAIN_FLOWS, sizeof(*k->seen));
	if (k->seen == NULL) {
		rte_free(k);
		return nfv_fail(err, ENOMEM, "no memory for a sink's flows");
	}
	k->net = net;
	k->trust = tsc_hz * TRUST_S;
	k->ns_factor = (uint64_t)(1e9 * (double)(1ull << NS_SHIFT) / (double)tsc_hz);
	*out = k;
	return 0;
}

void
plain_sink_destroy(struct plain_sink *k)
{
	if (k == NULL)
		return;
	free(k->seen);
	rte_free(k);
}

static inline uint64_t *
seen_word(struct seen *f, uint64_t seq)
{
	return &f->bit[seq % SEEN / 64];
}

/* Numbers from `f->next` on to `seq` come within what is remembered; those left out are not there. */
static void
go_on(struct plain_sink *k, struct seen *f, uint64_t seq)
{
	uint64_t gap = seq - f->next;

	k->stats.lost += gap;
	if (gap >= SEEN)
		memset(f->bit, 0, sizeof(f->bit));
	else
		for (uint64_t i = f->next; i <= seq; i++)
			*seen_word(f, i) &= ~(1ull << i % 64);
	f->next = seq + 1;
}

static inline void
count_number(struct plain_sink *k, struct seen *f, uint32_t number)
{
	/* The nearest of the numbers that end so. */
	uint64_t seq = f->next + (uint64_t)(int64_t)(int32_t)(number - (uint32_t)f->next),
		 bit = 1ull << seq % 64;

	if (seq >= f->next && seq - f->next < 1ull << 31) {
		go_on(k, f, seq);
	} else if (f->next - seq <= SEEN && (*seen_word(f, seq) & bit)) {
		k->stats.duplicated++;
		return;
	} else {
		/* Out of order, so not lost. What comes later than is remembered is taken for that. */
		k->stats.reordered++;
		k->stats.lost -= k->stats.lost > 0;
		if (f->next - seq > SEEN)
			return;
	}
	*seen_word(f, seq) |= bit;
}

/* The stamp of one of our packets, or NULL. */
static inline const struct plain_stamp *
stamp_of(const struct rte_mbuf *m)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct nfv_eth *eth = (const struct nfv_eth *)data;
	const struct nfv_ip4 *ip4 = (const struct nfv_ip4 *)(eth + 1);
	const struct nfv_ip6 *ip6 = (const struct nfv_ip6 *)(eth + 1);
	const struct plain_stamp *stamp;
	uint32_t at;

	if (m->data_len < NFV_ETH_LEN + NFV_IP4_LEN + NFV_UDP_LEN + sizeof(*stamp))
		return NULL;
	if (eth->be_type == htobe16(NFV_ETH_IP4) && ip4->version_ihl == 0x45 &&
		ip4->proto == NFV_PROTO_UDP)
		at = NFV_ETH_LEN + NFV_IP4_LEN + NFV_UDP_LEN;
	else if (eth->be_type == htobe16(NFV_ETH_IP6) && ip6->next == NFV_PROTO_UDP &&
		m->data_len >= NFV_ETH_LEN + NFV_IP6_LEN + NFV_UDP_LEN + sizeof(*stamp))
		at = NFV_ETH_LEN + NFV_IP6_LEN + NFV_UDP_LEN;
	else
		return NULL;
	stamp = (const struct plain_stamp *)(data + at);
	return stamp->magic == PLAIN_MAGIC && stamp->sender < SENDERS ? stamp : NULL;
}

static uint16_t
take(void *ctx, struct rte_mbuf **m, uint16_t count)
{
	struct plain_sink *k = ctx;
	struct rte_mbuf *done[NET_BURST];
	uint16_t left = 0;
	unsigned int n = 0;
	/* Not the turn's: what came with this burst may have been sent since. */
	uint64_t now = rte_rdtsc();

	for (uint16_t i = 0; i < count; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	for (uint16_t i = 0; i < count; i++) {
		const struct plain_stamp *stamp = stamp_of(m[i]);

		if (stamp == NULL) {
			k->stats.other++;
			m[left++] = m[i];
			continue;
		}
		k->stats.received++;
		k->stats.received_bytes += m[i]->pkt_len + FCS;
		count_number(k, &k->seen[stamp->sender * PLAIN_FLOWS + stamp->flow], stamp->seq);
		if (now - stamp->tsc < k->trust)
			hist_add(&k->stats.latency,
				(uint64_t)((unsigned __int128)(now - stamp->tsc) * k->ns_factor >>
					NS_SHIFT));
		done[n++] = m[i];
	}
	if (n > 0) {
		if (k->stats.first_received == 0)
			k->stats.first_received = now;
		k->stats.last_received = now;
	}
	rte_pktmbuf_free_bulk(done, n);
	return left;
}

unsigned int
plain_sink_turn(struct plain_sink *k, uint64_t tsc)
{
	return net_receive(k->net, tsc, take, k);
}

struct plain_stats *
plain_sink_stats(struct plain_sink *k)
{
	return &k->stats;
}

void
plain_stats_merge(struct plain_stats *into, const struct plain_stats *s)
{
	into->offered += s->offered;
	into->sent += s->sent;
	into->sent_bytes += s->sent_bytes;
	into->limited += s->limited;
	into->no_buffer += s->no_buffer;
	into->received += s->received;
	into->received_bytes += s->received_bytes;
	into->other += s->other;
	into->lost += s->lost;
	into->reordered += s->reordered;
	into->duplicated += s->duplicated;
	if (s->send_begun != 0 && (into->send_begun == 0 || s->send_begun < into->send_begun))
		into->send_begun = s->send_begun;
	if (s->send_ended > into->send_ended)
		into->send_ended = s->send_ended;
	if (s->first_received != 0 &&
		(into->first_received == 0 || s->first_received < into->first_received))
		into->first_received = s->first_received;
	if (s->last_received > into->last_received)
		into->last_received = s->last_received;
	hist_merge(&into->latency, &s->latency);
}
