/**
 * @file
 * Packets for tests: a buffer with room at both ends, and builders with right checksums.
 */
#ifndef MKPKT_H
#define MKPKT_H

#include <arpa/inet.h>
#include <stdarg.h>
#include <string.h>

#include "nfv_csum.h"
#include "nfv_pkt.h"

#define MK_HEADROOM 256
#define MK_ROOM     4096

struct mk {
	uint8_t bytes[MK_HEADROOM + MK_ROOM];
};

/** An empty packet in `m`, as nfv_out hands them out. */
static inline struct nfv_pkt
mk_empty(struct mk *m)
{
	memset(m, 0, sizeof(*m));
	return (struct nfv_pkt){ .data = m->bytes + MK_HEADROOM,
		.len = NFV_ETH_LEN,
		.l3 = NFV_ETH_LEN,
		.headroom = MK_HEADROOM,
		.tailroom = MK_ROOM - NFV_ETH_LEN };
}

static inline void
mk_addr(const char *text, uint8_t out[16])
{
	memset(out, 0, 16);
	inet_pton(strchr(text, ':') != NULL ? AF_INET6 : AF_INET, text, out);
}

/** An IP packet of `proto` whose payload (transport header included) is copied from `l4`. */
static inline struct nfv_pkt
mk_ip(struct mk *m, const char *src, const char *dst, uint8_t proto, const void *l4, size_t n)
{
	struct nfv_pkt p = mk_empty(m);
	struct nfv_eth *eth = (struct nfv_eth *)p.data;
	uint8_t s[16], d[16], family = strchr(src, ':') != NULL ? 6 : 4;

	mk_addr(src, s);
	mk_addr(dst, d);
	*eth = (struct nfv_eth){ .dst = { 2, 0, 0, 0, 0, 1 },
		.src = { 2, 0, 0, 0, 0, 2 },
		.be_type = htobe16(family == 4 ? NFV_ETH_IP4 : NFV_ETH_IP6) };
	nfv_pkt_ip_header(&p, family, s, d, proto, (uint16_t)n);
	memcpy(nfv_pkt_l4(&p), l4, n);
	nfv_csum_l4_set(&p);
	return p;
}

static inline struct nfv_pkt
mk_udp(struct mk *m, const char *src, uint16_t sport, const char *dst, uint16_t dport,
	const void *data, size_t n)
{
	uint8_t l4[MK_ROOM];
	struct nfv_udp udp = { htobe16(sport), htobe16(dport), htobe16((uint16_t)(NFV_UDP_LEN + n)),
		0 };

	memcpy(l4, &udp, sizeof(udp));
	if (n > 0)
		memcpy(l4 + sizeof(udp), data, n);
	return mk_ip(m, src, dst, NFV_PROTO_UDP, l4, sizeof(udp) + n);
}

static inline struct nfv_pkt
mk_tcp(struct mk *m, const char *src, uint16_t sport, const char *dst, uint16_t dport,
	uint8_t flags)
{
	struct nfv_tcp tcp = { .be_sport = htobe16(sport),
		.be_dport = htobe16(dport),
		.be_seq = htobe32(1000),
		.offset = 5 << 4,
		.flags = flags,
		.be_window = htobe16(65535) };

	return mk_ip(m, src, dst, NFV_PROTO_TCP, &tcp, sizeof(tcp));
}

/** ICMP or ICMPv6 by the addresses' family; `rest` is the second word (id and seq, MTU …). */
static inline struct nfv_pkt
mk_icmp(struct mk *m, const char *src, const char *dst, uint8_t type, uint8_t code, uint32_t rest,
	const void *data, size_t n)
{
	uint8_t l4[MK_ROOM];
	struct nfv_icmp icmp = { .type = type, .code = code, .be_rest = htobe32(rest) };

	memcpy(l4, &icmp, sizeof(icmp));
	if (n > 0)
		memcpy(l4 + sizeof(icmp), data, n);
	return mk_ip(m, src, dst, strchr(src, ':') != NULL ? NFV_PROTO_ICMP6 : NFV_PROTO_ICMP, l4,
		sizeof(icmp) + n);
}

/** `out` with `n` empty packets in `m[0…n)`. */
static inline void
mk_out(struct nfv_out *out, struct mk *m, uint16_t n)
{
	*out = (struct nfv_out){ .room = n };
	for (uint16_t i = 0; i < n; i++)
		out->pkt[i] = mk_empty(&m[i]);
}

#endif
