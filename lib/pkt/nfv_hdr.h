/**
 * @file
 * Protocol headers as they lie on the wire: packed, big-endian, safe at any alignment.
 *
 * Only what this project reads or writes. Fields named `be_…` are in network order; read them with
 * be16toh/be32toh. The flexible bits (version, header length) are bytes with accessors, since C's
 * bit-fields have no defined order. libc only; threads: plain data.
 */
#ifndef NFV_HDR_H
#define NFV_HDR_H

#include <endian.h>
#include <stdint.h>

#define NFV_ETH_LEN  14
#define NFV_IP4_LEN  20
#define NFV_IP6_LEN  40
#define NFV_UDP_LEN  8
#define NFV_TCP_LEN  20
#define NFV_ICMP_LEN 8
#define NFV_SCTP_LEN 12 /* the common header; ports lie where UDP's do */

enum nfv_ethertype {
	NFV_ETH_IP4 = 0x0800,
	NFV_ETH_ARP = 0x0806,
	NFV_ETH_IP6 = 0x86dd,
};

enum nfv_proto {
	NFV_PROTO_HOPOPTS = 0,
	NFV_PROTO_ICMP = 1,
	NFV_PROTO_TCP = 6,
	NFV_PROTO_UDP = 17,
	NFV_PROTO_ROUTING = 43,
	NFV_PROTO_FRAGMENT = 44,
	NFV_PROTO_AH = 51,
	NFV_PROTO_ICMP6 = 58,
	NFV_PROTO_NONE = 59,
	NFV_PROTO_DSTOPTS = 60,
	NFV_PROTO_SCTP = 132,
};

struct nfv_eth {
	uint8_t dst[6], src[6];
	uint16_t be_type;
} __attribute__((packed));

struct nfv_ip4 {
	uint8_t version_ihl;
	uint8_t tos;
	uint16_t be_len;
	uint16_t be_id;
	uint16_t be_frag; /* NFV_IP4_DF, NFV_IP4_MF and the offset in units of eight bytes */
	uint8_t ttl;
	uint8_t proto;
	uint16_t be_csum;
	uint32_t be_src, be_dst;
} __attribute__((packed));

#define NFV_IP4_DF     0x4000
#define NFV_IP4_MF     0x2000
#define NFV_IP4_OFFSET 0x1fff

struct nfv_ip6 {
	uint32_t be_vtf; /* version, traffic class, flow label */
	uint16_t be_len; /* of what follows this header */
	uint8_t next;
	uint8_t hops;
	uint8_t src[16], dst[16];
} __attribute__((packed));

struct nfv_udp {
	uint16_t be_sport, be_dport, be_len, be_csum;
} __attribute__((packed));

struct nfv_tcp {
	uint16_t be_sport, be_dport;
	uint32_t be_seq, be_ack;
	uint8_t offset; /* header length in words, in the upper four bits */
	uint8_t flags;
	uint16_t be_window, be_csum, be_urgent;
} __attribute__((packed));

enum nfv_tcp_flag {
	NFV_TCP_FIN = 0x01,
	NFV_TCP_SYN = 0x02,
	NFV_TCP_RST = 0x04,
	NFV_TCP_PSH = 0x08,
	NFV_TCP_ACK = 0x10,
	NFV_TCP_URG = 0x20,
};

/* ICMP and ICMPv6 share their first eight bytes; `be_id` and `be_seq` are the echo's, errors use
 * the same four bytes as `be_rest` (RFC 792, 4443: MTU, pointer or zero). */
struct nfv_icmp {
	uint8_t type, code;
	uint16_t be_csum;
	union {
		struct {
			uint16_t be_id, be_seq;
		} __attribute__((packed));
		uint32_t be_rest;
	};
} __attribute__((packed));

enum nfv_icmp_type {
	NFV_ICMP_ECHO_REPLY = 0,
	NFV_ICMP_UNREACHABLE = 3,
	NFV_ICMP_REDIRECT = 5,
	NFV_ICMP_ECHO = 8,
	NFV_ICMP_TIME_EXCEEDED = 11,
	NFV_ICMP_PARAMETER = 12,
};

enum nfv_icmp6_type {
	NFV_ICMP6_UNREACHABLE = 1,
	NFV_ICMP6_TOO_BIG = 2,
	NFV_ICMP6_TIME_EXCEEDED = 3,
	NFV_ICMP6_PARAMETER = 4,
	NFV_ICMP6_ECHO = 128,
	NFV_ICMP6_ECHO_REPLY = 129,
	NFV_ICMP6_NS = 135,
	NFV_ICMP6_NA = 136,
};

/** Bytes of an IPv4 header with its options. */
static inline unsigned int
nfv_ip4_hlen(const struct nfv_ip4 *ip)
{
	return (ip->version_ihl & 0xfu) * 4;
}

/** Bytes of a TCP header with its options. */
static inline unsigned int
nfv_tcp_hlen(const struct nfv_tcp *tcp)
{
	return (tcp->offset >> 4) * 4u;
}

#endif
