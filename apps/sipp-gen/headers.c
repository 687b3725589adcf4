#include <string.h>

#include "headers.h"
#include "nfv_csum.h"

#define TTL 64

static void
write_ip4(struct nfv_ip4 *ip, const struct nfv_addr *src, const struct nfv_addr *dst,
	uint16_t udp_len, uint16_t id)
{
	*ip = (struct nfv_ip4){ .version_ihl = 0x45,
		.be_len = htobe16((uint16_t)(NFV_IP4_LEN + udp_len)),
		.be_id = htobe16(id),
		.ttl = TTL,
		.proto = NFV_PROTO_UDP };
	memcpy(&ip->be_src, src->b, 4);
	memcpy(&ip->be_dst, dst->b, 4);
	ip->be_csum = nfv_csum(ip, sizeof(*ip));
}

static void
write_ip6(struct nfv_ip6 *ip, const struct nfv_addr *src, const struct nfv_addr *dst,
	uint16_t udp_len)
{
	memset(ip, 0, sizeof(*ip));
	ip->be_vtf = htobe32(6u << 28);
	ip->be_len = htobe16(udp_len);
	ip->next = NFV_PROTO_UDP;
	ip->hops = TTL;
	memcpy(ip->src, src->b, 16);
	memcpy(ip->dst, dst->b, 16);
}

void
headers_ip(void *to, const struct nfv_addr *src, const struct nfv_addr *dst, uint16_t udp_len,
	uint16_t id)
{
	if (dst->family == NFV_IPV4)
		write_ip4(to, src, dst, udp_len, id);
	else
		write_ip6(to, src, dst, udp_len);
}

/* UDP's checksum with its pseudo-header (RFC 768, 8200 §8.1), which ends the same for both families:
 * the addresses, the length and the protocol. */
uint16_t
headers_udp_csum(const struct nfv_addr *src, const struct nfv_addr *dst, const struct nfv_udp *udp,
	uint16_t len)
{
	size_t n = src->family == NFV_IPV4 ? 4 : 16;
	uint16_t tail[2] = { htobe16(len), htobe16(NFV_PROTO_UDP) }, csum;
	uint64_t sum = nfv_csum_add(0, src->b, n);

	sum = nfv_csum_add(sum, dst->b, n);
	sum = nfv_csum_add(sum, tail, sizeof(tail));
	csum = (uint16_t)~nfv_csum_fold(nfv_csum_add(sum, udp, len));
	return csum != 0 ? csum : 0xffff;
}
