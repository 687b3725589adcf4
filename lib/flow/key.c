#include <string.h>

#include "nfv_flow.h"

struct ports {
	uint16_t be_src, be_dst;
} __attribute__((packed));

/* Ports, or an echo's id in the place of the requester's port. False: not trackable. */
static bool
read_ports(uint8_t proto, const uint8_t *l4, struct nfv_flow_key *key)
{
	const struct ports *ports = (const struct ports *)l4;
	const struct nfv_icmp *icmp = (const struct nfv_icmp *)l4;

	switch (proto) {
	case NFV_PROTO_UDP:
	case NFV_PROTO_TCP:
	case NFV_PROTO_SCTP:
		key->be_sport = ports->be_src;
		key->be_dport = ports->be_dst;
		return true;
	case NFV_PROTO_ICMP:
	case NFV_PROTO_ICMP6:
		if (icmp->type == NFV_ICMP_ECHO || icmp->type == NFV_ICMP6_ECHO) {
			key->be_sport = icmp->be_id;
			key->be_dport = 0;
		} else if (icmp->type ==
			(proto == NFV_PROTO_ICMP ? NFV_ICMP_ECHO_REPLY : NFV_ICMP6_ECHO_REPLY)) {
			key->be_sport = 0;
			key->be_dport = icmp->be_id;
		} else {
			return false;
		}
		return true;
	default:
		return false;
	}
}

static bool
is_error(const struct nfv_pkt *p)
{
	const struct nfv_icmp *icmp = nfv_pkt_l4(p); /* without ICMP nothing may stand there */

	if (p->proto == NFV_PROTO_ICMP)
		return icmp->type == NFV_ICMP_UNREACHABLE || icmp->type == NFV_ICMP_TIME_EXCEEDED ||
			icmp->type == NFV_ICMP_PARAMETER;
	return p->proto == NFV_PROTO_ICMP6 && icmp->type >= NFV_ICMP6_UNREACHABLE &&
		icmp->type <= NFV_ICMP6_PARAMETER;
}

/* The tuple of the packet that an ICMP error quotes: at least its IP header and eight bytes. */
static bool
read_quote(const struct nfv_pkt *p, struct nfv_flow_key *key)
{
	const uint8_t *quote = (const uint8_t *)nfv_pkt_l4(p) + NFV_ICMP_LEN;
	unsigned int room = nfv_pkt_l4_len(p) - NFV_ICMP_LEN, hlen;

	if (p->family == 4) {
		const struct nfv_ip4 *ip = (const struct nfv_ip4 *)quote;

		if (room < NFV_IP4_LEN)
			return false;
		hlen = nfv_ip4_hlen(ip);
		if (ip->version_ihl >> 4 != 4 || hlen < NFV_IP4_LEN || room < hlen + 8 ||
			(be16toh(ip->be_frag) & NFV_IP4_OFFSET) != 0)
			return false;
		key->proto = ip->proto;
		key->v4.be_src = ip->be_src;
		key->v4.be_dst = ip->be_dst;
	} else {
		const struct nfv_ip6 *ip = (const struct nfv_ip6 *)quote;

		hlen = NFV_IP6_LEN;
		if (room < hlen + 8)
			return false;
		key->proto = ip->next;
		memcpy(key->v6.src, ip->src, 16);
		memcpy(key->v6.dst, ip->dst, 16);
	}
	return read_ports(key->proto, quote + hlen, key);
}

enum nfv_flow_kind
nfv_flow_key(const struct nfv_pkt *p, enum nfv_dir dir, struct nfv_flow_key *key)
{
	memset(key, 0, sizeof(*key));
	if (is_error(p)) {
		/* The quoted packet went the other way, so its answers come this way. */
		key->dir = (uint8_t)nfv_dir_back(dir);
		if (!read_quote(p, key))
			return NFV_FLOW_NONE;
		*key = nfv_flow_mirror(key, p->family);
		return NFV_FLOW_QUOTE;
	}
	key->dir = (uint8_t)dir;
	key->proto = p->proto;
	if (p->family == 4) {
		key->v4.be_src = nfv_pkt_ip4(p)->be_src;
		key->v4.be_dst = nfv_pkt_ip4(p)->be_dst;
	} else {
		memcpy(key->v6.src, nfv_pkt_ip6(p)->src, 16);
		memcpy(key->v6.dst, nfv_pkt_ip6(p)->dst, 16);
	}
	return read_ports(p->proto, nfv_pkt_l4(p), key) ? NFV_FLOW_PACKET : NFV_FLOW_NONE;
}

struct nfv_flow_key
nfv_flow_mirror(const struct nfv_flow_key *key, uint8_t family)
{
	struct nfv_flow_key m = { .be_sport = key->be_dport,
		.be_dport = key->be_sport,
		.proto = key->proto,
		.dir = (uint8_t)nfv_dir_back(key->dir) };

	if (family == 4) {
		m.v4.be_src = key->v4.be_dst;
		m.v4.be_dst = key->v4.be_src;
	} else {
		memcpy(m.v6.src, key->v6.dst, 16);
		memcpy(m.v6.dst, key->v6.src, 16);
	}
	return m;
}
