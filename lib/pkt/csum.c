#include "nfv_csum.h"

uint64_t
nfv_csum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (; len >= 16; p += 16, len -= 16) {
		uint32_t word[4];

		memcpy(word, p, 16);
		sum += (uint64_t)word[0] + word[1] + word[2] + word[3];
	}
	for (; len >= 4; p += 4, len -= 4) {
		uint32_t word;

		memcpy(&word, p, 4);
		sum += word; /* 2^32 words of carry room in 64 bits */
	}
	if (len >= 2) {
		uint16_t half;

		memcpy(&half, p, 2);
		sum += half;
		p += 2;
		len -= 2;
	}
	if (len == 1) {
		uint16_t last = 0;

		memcpy(&last, p, 1);
		sum += last;
	}
	return sum;
}

uint64_t
nfv_csum_pseudo(const struct nfv_pkt *p)
{
	uint64_t sum;

	if (p->family == 4)
		sum = nfv_csum_add(0, &nfv_pkt_ip4(p)->be_src, 8);
	else
		sum = nfv_csum_add(0, nfv_pkt_ip6(p)->src, 32);
	sum += htobe16((uint16_t)nfv_pkt_l4_len(p));
	return sum + htobe16(p->proto);
}

/* Where the checksum field lies in the transport header, or NULL for protocols without one here. */
static uint8_t *
csum_field(const struct nfv_pkt *p)
{
	uint8_t *l4 = nfv_pkt_l4(p);

	switch (p->proto) {
	case NFV_PROTO_UDP:
		return l4 + offsetof(struct nfv_udp, be_csum);
	case NFV_PROTO_TCP:
		return l4 + offsetof(struct nfv_tcp, be_csum);
	case NFV_PROTO_ICMP:
	case NFV_PROTO_ICMP6:
		return l4 + offsetof(struct nfv_icmp, be_csum);
	default:
		return NULL;
	}
}

static uint16_t
l4_sum(const struct nfv_pkt *p)
{
	uint64_t sum = p->proto == NFV_PROTO_ICMP ? 0 : nfv_csum_pseudo(p);

	return (uint16_t)~nfv_csum_fold(nfv_csum_add(sum, nfv_pkt_l4(p), nfv_pkt_l4_len(p)));
}

bool
nfv_csum_l4_ok(const struct nfv_pkt *p)
{
	const struct nfv_udp *udp = nfv_pkt_l4(p);

	if (p->proto == NFV_PROTO_UDP && p->family == 4 && udp->be_csum == 0)
		return true;
	return csum_field(p) == NULL || l4_sum(p) == 0;
}

void
nfv_csum_l4_set(struct nfv_pkt *p)
{
	uint8_t *field = csum_field(p);
	uint16_t csum = 0;

	if (field == NULL)
		return;
	memcpy(field, &csum, sizeof(csum));
	csum = l4_sum(p);
	if (csum == 0 && p->proto == NFV_PROTO_UDP)
		csum = 0xffff;
	memcpy(field, &csum, sizeof(csum));
}
