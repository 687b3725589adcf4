#include <string.h>

#include "nfv_csum.h"
#include "nfv_pkt.h"

bool
nfv_pkt_resize(struct nfv_pkt *p, int n)
{
	if (n > (int)p->tailroom || -n > (int)p->len)
		return false;
	p->len = (uint16_t)(p->len + n);
	p->tailroom = (uint16_t)(p->tailroom - n);
	return true;
}

bool
nfv_pkt_ip_header(struct nfv_pkt *p, uint8_t family, const void *src, const void *dst,
	uint8_t proto, uint16_t payload)
{
	unsigned int hlen = family == 4 ? NFV_IP4_LEN : NFV_IP6_LEN;

	if (!nfv_pkt_resize(p, (int)(p->l3 + hlen + payload) - p->len))
		return false;
	if (family == 4) {
		struct nfv_ip4 *ip = nfv_pkt_ip4(p);

		*ip = (struct nfv_ip4){ .version_ihl = 0x45,
			.be_len = htobe16((uint16_t)(hlen + payload)),
			.ttl = 64,
			.proto = proto };
		memcpy(&ip->be_src, src, 4);
		memcpy(&ip->be_dst, dst, 4);
		ip->be_csum = nfv_csum(ip, NFV_IP4_LEN);
	} else {
		struct nfv_ip6 *ip = nfv_pkt_ip6(p);

		*ip = (struct nfv_ip6){ .be_vtf = htobe32(6u << 28),
			.be_len = htobe16(payload),
			.next = proto,
			.hops = 64 };
		memcpy(ip->src, src, 16);
		memcpy(ip->dst, dst, 16);
	}
	p->family = family;
	p->proto = proto;
	p->l4 = (uint16_t)(p->l3 + hlen);
	return true;
}
