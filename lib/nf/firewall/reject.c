#include <string.h>

#include "nfv_csum.h"
#include "reject.h"

enum { ICMP4_MAX = 576, ICMP6_MAX = 1280, PROHIBITED4 = 13, PROHIBITED6 = 1 };

enum fw_icmp
fw_icmp_kind(const struct nfv_pkt *p)
{
	/* RFC 792, 950, 6633, 6918. Redirects and router advertisements are for one link. */
	static const uint8_t kind4[256] = {
		[NFV_ICMP_ECHO_REPLY] = FW_ICMP_REPLY,
		[NFV_ICMP_UNREACHABLE] = FW_ICMP_ERROR,
		[4] = FW_ICMP_REPLY, /* source quench */
		[NFV_ICMP_REDIRECT] = FW_ICMP_REPLY,
		[9] = FW_ICMP_REPLY, /* router advertisement */
		[NFV_ICMP_TIME_EXCEEDED] = FW_ICMP_ERROR,
		[NFV_ICMP_PARAMETER] = FW_ICMP_ERROR,
		[14] = FW_ICMP_REPLY, /* timestamp */
		[16] = FW_ICMP_REPLY, /* information */
		[18] = FW_ICMP_REPLY, /* address mask */
	};
	const struct nfv_icmp *icmp = nfv_pkt_l4(p);

	if (p->family == 4 && p->proto == NFV_PROTO_ICMP)
		return (enum fw_icmp)kind4[icmp->type];
	if (p->family != 6 || p->proto != NFV_PROTO_ICMP6)
		return FW_ICMP_QUERY;
	if (icmp->type < 128) /* RFC 4443 §2.1 */
		return FW_ICMP_ERROR;
	switch (icmp->type) {
	case NFV_ICMP6_ECHO_REPLY:
	case 134: /* router advertisement */
	case NFV_ICMP6_NA:
	case 137: /* redirect */
	case 140: /* node information */
		return FW_ICMP_REPLY;
	default:
		return FW_ICMP_QUERY;
	}
}

struct fw_bucket
fw_bucket(uint32_t rate, uint64_t tsc_hz)
{
	uint64_t interval = rate > 0 ? tsc_hz / rate : 0;

	if (rate > 0 && interval == 0)
		interval = 1;
	return (struct fw_bucket){ .interval = interval,
		.depth = tsc_hz / 10 > interval ? tsc_hz / 10 : interval };
}

bool
fw_bucket_take(struct fw_bucket *b, uint64_t tsc)
{
	uint64_t full_at = b->full_at > tsc ? b->full_at : tsc;

	if (b->interval == 0 || full_at + b->interval - tsc > b->depth)
		return false;
	b->full_at = full_at + b->interval;
	return true;
}

static bool
to_many(const struct nfv_pkt *p)
{
	static const uint8_t nobody[16];

	if (((const struct nfv_eth *)p->data)->dst[0] & 1)
		return true;
	if (p->family == 4)
		return be32toh(nfv_pkt_ip4(p)->be_dst) >> 28 >= 14;
	return nfv_pkt_ip6(p)->dst[0] == 0xff || memcmp(nfv_pkt_ip6(p)->src, nobody, 16) == 0;
}

bool
fw_may_answer(const struct nfv_pkt *p)
{
	const struct nfv_tcp *tcp = nfv_pkt_l4(p);

	if ((p->flags & (NFV_PKT_OWN | NFV_PKT_RELATED)) || to_many(p) ||
		fw_icmp_kind(p) != FW_ICMP_QUERY)
		return false;
	/* A reset in answer to a broken packet would end a connection that goes on. */
	return p->proto != NFV_PROTO_TCP || (!(tcp->flags & NFV_TCP_RST) && nfv_csum_l4_ok(p));
}

static const void *
ip_src(const struct nfv_pkt *p)
{
	return p->family == 4 ? (const void *)&nfv_pkt_ip4(p)->be_src : nfv_pkt_ip6(p)->src;
}

static const void *
ip_dst(const struct nfv_pkt *p)
{
	return p->family == 4 ? (const void *)&nfv_pkt_ip4(p)->be_dst : nfv_pkt_ip6(p)->dst;
}

static bool
write_reset(const struct nfv_pkt *p, struct nfv_pkt *to)
{
	const struct nfv_tcp *tcp = nfv_pkt_l4(p);
	uint32_t len = nfv_pkt_l4_len(p) - nfv_tcp_hlen(tcp) + !!(tcp->flags & NFV_TCP_SYN) +
		!!(tcp->flags & NFV_TCP_FIN);
	struct nfv_tcp reset = { .be_sport = tcp->be_dport,
		.be_dport = tcp->be_sport,
		.offset = (NFV_TCP_LEN / 4) << 4,
		.flags = NFV_TCP_RST };

	if (tcp->flags & NFV_TCP_ACK) {
		reset.be_seq = tcp->be_ack;
	} else {
		reset.flags |= NFV_TCP_ACK;
		reset.be_ack = htobe32(be32toh(tcp->be_seq) + len);
	}
	if (!nfv_pkt_ip_header(to, p->family, ip_dst(p), ip_src(p), NFV_PROTO_TCP, NFV_TCP_LEN))
		return false;
	memcpy(nfv_pkt_l4(to), &reset, sizeof(reset));
	nfv_csum_l4_set(to);
	return true;
}

static bool
write_prohibited(const struct nfv_pkt *p, const struct nfv_addr *own, struct nfv_pkt *to)
{
	bool ip4 = p->family == 4;
	unsigned int quote = p->len - p->l3;
	unsigned int most = ip4 ? ICMP4_MAX - NFV_IP4_LEN - NFV_ICMP_LEN :
				  ICMP6_MAX - NFV_IP6_LEN - NFV_ICMP_LEN;
	struct nfv_icmp icmp = { .type = ip4 ? NFV_ICMP_UNREACHABLE : NFV_ICMP6_UNREACHABLE,
		.code = ip4 ? PROHIBITED4 : PROHIBITED6 };

	if (quote > most)
		quote = most;
	if (!nfv_pkt_ip_header(to, p->family, own->family == p->family ? own->b : ip_dst(p),
		    ip_src(p), ip4 ? NFV_PROTO_ICMP : NFV_PROTO_ICMP6,
		    (uint16_t)(NFV_ICMP_LEN + quote)))
		return false;
	memcpy(nfv_pkt_l4(to), &icmp, sizeof(icmp));
	memcpy((uint8_t *)nfv_pkt_l4(to) + NFV_ICMP_LEN, p->data + p->l3, quote);
	nfv_csum_l4_set(to);
	return true;
}

bool
fw_answer(const struct nfv_pkt *p, const struct nfv_addr *own, struct nfv_pkt *to)
{
	return p->proto == NFV_PROTO_TCP ? write_reset(p, to) : write_prohibited(p, own, to);
}
