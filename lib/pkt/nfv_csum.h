/**
 * @file
 * The Internet checksum: RFC 1071 (sums), RFC 1624 (incremental update), pseudo headers.
 *
 * Sums are kept unfolded in 32 or 64 bits, in the order the bytes lie in memory, so nothing is
 * swapped anywhere: a 16-bit one's complement sum does not care about byte order as long as all
 * parts agree. Threads: pure functions.
 */
#ifndef NFV_CSUM_H
#define NFV_CSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "nfv_pkt.h"

static inline uint16_t
nfv_csum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/** Add `len` bytes to a running sum; an odd last byte counts as the first of a pair (RFC 1071). */
uint64_t nfv_csum_add(uint64_t sum, const void *data, size_t len);

/** The checksum to store over `len` bytes whose checksum field is zero; over a right one: 0. */
static inline uint16_t
nfv_csum(const void *data, size_t len)
{
	return (uint16_t)~nfv_csum_fold(nfv_csum_add(0, data, len));
}

/** What changing a field from `from` to `to` adds to a sum; deltas add up (RFC 1624, eqn. 3). */
static inline uint32_t
nfv_csum_delta16(uint16_t from, uint16_t to)
{
	return (uint32_t)(uint16_t)~from + to;
}

static inline uint32_t
nfv_csum_delta32(uint32_t from, uint32_t to)
{
	return nfv_csum_delta16((uint16_t)from, (uint16_t)to) +
		nfv_csum_delta16((uint16_t)(from >> 16), (uint16_t)(to >> 16));
}

/** The checksum after a change of `delta` (any sum of the deltas above). */
static inline uint16_t
nfv_csum_update(uint16_t csum, uint32_t delta)
{
	return (uint16_t)~nfv_csum_fold((uint64_t)(uint16_t)~csum + delta);
}

/** As above for UDP, where 0 means there is none and a computed 0 is sent as 0xffff (RFC 768). */
static inline uint16_t
nfv_csum_update_udp(uint16_t csum, uint32_t delta)
{
	if (csum == 0)
		return 0;
	csum = nfv_csum_update(csum, delta);
	return csum == 0 ? 0xffff : csum;
}

/** Sum of the pseudo header of the packet's transport payload (RFC 768, 9293, 8200 §8.1). */
uint64_t nfv_csum_pseudo(const struct nfv_pkt *p);

/** Whether the transport checksum (UDP, TCP, ICMP, ICMPv6) is right; UDP over IPv4 may have none. */
bool nfv_csum_l4_ok(const struct nfv_pkt *p);

/** Compute and store the transport checksum (UDP, TCP, ICMP, ICMPv6) of a whole packet. */
void nfv_csum_l4_set(struct nfv_pkt *p);

/** nfv_csum of an IPv4 header; one without options, as nearly all are, takes no loop. */
static inline uint16_t
nfv_csum_ip4(const struct nfv_ip4 *ip)
{
	uint32_t w[NFV_IP4_LEN / 4];

	if (__builtin_expect(nfv_ip4_hlen(ip) != NFV_IP4_LEN, 0))
		return nfv_csum(ip, nfv_ip4_hlen(ip));
	memcpy(w, ip, sizeof(w));
	return (uint16_t)~nfv_csum_fold((uint64_t)w[0] + w[1] + w[2] + w[3] + w[4]);
}

/** Recompute and store the IPv4 header checksum. */
static inline void
nfv_csum_ip4_set(struct nfv_ip4 *ip)
{
	ip->be_csum = 0;
	ip->be_csum = nfv_csum_ip4(ip);
}

#endif
