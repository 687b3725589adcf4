/**
 * @file
 * The headers of a UDP datagram of ours: IP's of both families, and UDP's checksum.
 * Threads: pure functions.
 */
#ifndef HEADERS_H
#define HEADERS_H

#include "nfv_addr.h"
#include "nfv_pkt.h"

/** An IP header in front of `udp_len` bytes; `id`: of IPv4, should it leave in fragments. */
void headers_ip(void *to, const struct nfv_addr *src, const struct nfv_addr *dst, uint16_t udp_len,
	uint16_t id);
/** UDP's checksum with its pseudo-header, of a datagram whose checksum is 0; over one that has its own,
 * 0xffff if that is right. */
uint16_t headers_udp_csum(const struct nfv_addr *src, const struct nfv_addr *dst,
	const struct nfv_udp *udp, uint16_t len);

#endif
