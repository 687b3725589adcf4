#include <string.h>

#include "nfv_csum.h"
#include "nfv_pkt.h"

const char *const nfv_parse_name[NFV_PARSE_REASONS] = { NFV_PARSE_NAMES };

/* What lies past the IP packet is the link's padding: room to grow into. */
static void
cut_padding(struct nfv_pkt *p, unsigned int total)
{
	p->tailroom = (uint16_t)(p->tailroom + p->len - p->l3 - total);
	p->len = (uint16_t)(p->l3 + total);
}

static enum nfv_parse
parse_l4(struct nfv_pkt *p)
{
	unsigned int room = nfv_pkt_l4_len(p);
	const struct nfv_udp *udp = nfv_pkt_l4(p);
	const struct nfv_tcp *tcp = nfv_pkt_l4(p);

	switch (p->proto) {
	case NFV_PROTO_UDP:
		if (room < NFV_UDP_LEN)
			return NFV_PARSE_L4_TRUNCATED;
		/* The sum a fragment's length field speaks of lies in other packets. */
		if (be16toh(udp->be_len) < NFV_UDP_LEN ||
			(be16toh(udp->be_len) > room && !(p->flags & NFV_PKT_FRAGMENT)))
			return NFV_PARSE_UDP_LENGTH;
		break;
	case NFV_PROTO_TCP:
		if (room < NFV_TCP_LEN)
			return NFV_PARSE_L4_TRUNCATED;
		if (nfv_tcp_hlen(tcp) < NFV_TCP_LEN || nfv_tcp_hlen(tcp) > room)
			return NFV_PARSE_TCP_OFFSET;
		break;
	case NFV_PROTO_ICMP:
	case NFV_PROTO_ICMP6:
		if (room < NFV_ICMP_LEN)
			return NFV_PARSE_L4_TRUNCATED;
		break;
	case NFV_PROTO_SCTP:
		if (room < NFV_SCTP_LEN)
			return NFV_PARSE_L4_TRUNCATED;
		break;
	default:
		break;
	}
	return NFV_PARSE_OK;
}

/* A fragment: only the first may be looked into, and it must hold the transport header, else
 * filters by port could be slipped past (RFC 1858, 3128). */
static enum nfv_parse
parse_fragment(struct nfv_pkt *p, unsigned int offset, bool more)
{
	enum nfv_parse why;

	p->flags |= NFV_PKT_FRAGMENT;
	if (offset == 0) {
		why = parse_l4(p);
		return why == NFV_PARSE_L4_TRUNCATED || why == NFV_PARSE_TCP_OFFSET ?
			NFV_PARSE_FRAGMENT_TINY :
			why;
	}
	if ((offset == 8 && p->proto == NFV_PROTO_TCP) || offset + nfv_pkt_l4_len(p) > 65535 ||
		(more && nfv_pkt_l4_len(p) % 8 != 0))
		return NFV_PARSE_FRAGMENT_TINY;
	return NFV_PARSE_OK;
}

/* Options that route are refused, others pass if they stay within the header (RFC 7126 §4). */
static bool
ip4_options_ok(const uint8_t *opt, unsigned int n)
{
	enum { END = 0, NOP = 1, LSRR = 131, SSRR = 137 };

	for (unsigned int i = 0; i < n && opt[i] != END; i += opt[i] == NOP ? 1 : opt[i + 1]) {
		if (opt[i] == NOP)
			continue;
		if (i + 1 >= n || opt[i + 1] < 2 || opt[i + 1] > n - i)
			return false;
		if (opt[i] == LSRR || opt[i] == SSRR)
			return false;
	}
	return true;
}

static enum nfv_parse
parse_ip4(struct nfv_pkt *p)
{
	unsigned int room = (unsigned int)(p->len - p->l3), hlen, total, offset;
	const struct nfv_ip4 *ip = nfv_pkt_ip4(p);
	uint8_t src0;

	if (room < NFV_IP4_LEN)
		return NFV_PARSE_RUNT;
	if (ip->version_ihl >> 4 != 4)
		return NFV_PARSE_IP_VERSION;
	hlen = nfv_ip4_hlen(ip);
	total = be16toh(ip->be_len);
	if (hlen < NFV_IP4_LEN || hlen > total)
		return NFV_PARSE_IP_HEADER;
	if (total > room)
		return NFV_PARSE_IP_LENGTH;
	if (nfv_csum_ip4(ip) != 0)
		return NFV_PARSE_IP_CHECKSUM;
	if (hlen > NFV_IP4_LEN && !ip4_options_ok((const uint8_t *)(ip + 1), hlen - NFV_IP4_LEN))
		return NFV_PARSE_IP_OPTIONS;
	src0 = (uint8_t)(be32toh(ip->be_src) >> 24);
	if (src0 == 0 || src0 == 127 || src0 >= 224)
		return NFV_PARSE_IP_ADDRESS;
	cut_padding(p, total);
	p->l4 = (uint16_t)(p->l3 + hlen);
	p->proto = ip->proto;
	offset = (be16toh(ip->be_frag) & NFV_IP4_OFFSET) * 8u;
	if (offset != 0 || (be16toh(ip->be_frag) & NFV_IP4_MF))
		return parse_fragment(p, offset, be16toh(ip->be_frag) & NFV_IP4_MF);
	return parse_l4(p);
}

/* Walk the extension headers to the transport; eight are more than anyone needs (RFC 8504 §5.3). */
static enum nfv_parse
parse_ip6_chain(struct nfv_pkt *p, uint8_t next)
{
	unsigned int at = p->l3 + NFV_IP6_LEN;

	for (int depth = 0; depth < 8; depth++) {
		const uint8_t *ext = p->data + at;
		unsigned int frag, size;

		p->l4 = (uint16_t)at;
		p->proto = next;
		switch (next) {
		case NFV_PROTO_HOPOPTS:
		case NFV_PROTO_DSTOPTS:
		case NFV_PROTO_ROUTING:
		case NFV_PROTO_AH:
			if (p->len - at < 8)
				return NFV_PARSE_EXTENSION;
			size = next == NFV_PROTO_AH ? (ext[1] + 2u) * 4 : (ext[1] + 1u) * 8;
			if (next == NFV_PROTO_ROUTING && ext[2] == 0)
				return NFV_PARSE_EXTENSION;
			if (size > p->len - at)
				return NFV_PARSE_EXTENSION;
			break;
		case NFV_PROTO_FRAGMENT:
			if (p->len - at < 8)
				return NFV_PARSE_EXTENSION;
			frag = (unsigned int)ext[2] << 8 | ext[3];
			p->proto = ext[0];
			p->l4 = (uint16_t)(at + 8);
			return parse_fragment(p, frag & 0xfff8, frag & 1);
		default:
			return parse_l4(p);
		}
		next = ext[0];
		at += size;
	}
	return NFV_PARSE_EXTENSION;
}

static enum nfv_parse
parse_ip6(struct nfv_pkt *p)
{
	static const uint8_t loopback[16] = { [15] = 1 };
	unsigned int room = (unsigned int)(p->len - p->l3), total;
	const struct nfv_ip6 *ip = nfv_pkt_ip6(p);

	if (room < NFV_IP6_LEN)
		return NFV_PARSE_RUNT;
	if (be32toh(ip->be_vtf) >> 28 != 6)
		return NFV_PARSE_IP_VERSION;
	total = NFV_IP6_LEN + be16toh(ip->be_len);
	if (total > room)
		return NFV_PARSE_IP_LENGTH;
	if (ip->src[0] == 0xff || memcmp(ip->src, loopback, 16) == 0)
		return NFV_PARSE_IP_ADDRESS;
	cut_padding(p, total);
	return parse_ip6_chain(p, ip->next);
}

enum nfv_parse
nfv_pkt_parse_ip(struct nfv_pkt *p)
{
	p->flags &= (uint16_t)~NFV_PKT_FRAGMENT;
	if (p->len <= p->l3)
		return NFV_PARSE_RUNT;
	p->family = p->data[p->l3] >> 4;
	switch (p->family) {
	case 4:
		return parse_ip4(p);
	case 6:
		return parse_ip6(p);
	default:
		return NFV_PARSE_IP_VERSION;
	}
}

enum nfv_parse
nfv_pkt_parse(struct nfv_pkt *p)
{
	const struct nfv_eth *eth = (const struct nfv_eth *)p->data;

	p->l3 = NFV_ETH_LEN;
	p->family = 0;
	if (p->len < NFV_ETH_LEN)
		return NFV_PARSE_RUNT;
	p->flags &= (uint16_t)~NFV_PKT_FRAGMENT;
	switch (be16toh(eth->be_type)) {
	case NFV_ETH_IP4:
		p->family = 4;
		return parse_ip4(p);
	case NFV_ETH_IP6:
		p->family = 6;
		return parse_ip6(p);
	case NFV_ETH_ARP:
		return NFV_PARSE_OK;
	default:
		return NFV_PARSE_ETHERTYPE;
	}
}
