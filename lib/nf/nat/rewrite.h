/**
 * @file
 * What is written into packets: one endpoint for another, in headers and in the packets that ICMP
 * errors quote, with checksums by increment (RFC 1624), so that a wrong checksum stays wrong.
 *
 * A slot is the NAT's part of a flow record: all that an established packet needs. Outward, the
 * source becomes `ext`; inward, the destination becomes `in`; that holds whoever began the flow.
 * The checksum deltas are those of the way outward; inward it is their complement.
 * Threads: pure functions of packet and slot.
 */
#ifndef NAT_REWRITE_H
#define NAT_REWRITE_H

#include "mapping.h"
#include "nfv_pkt.h"

struct nat_slot {
	struct nat_endpoint in, ext;
	uint32_t mapping; /* number of the mapping it holds; 0: this flow is not translated */
	uint16_t ip_delta, l4_delta;
};

void nat_slot_fill(struct nat_slot *slot, uint32_t id, const struct nat_mapping *m);

/** The protocol of a packet that can be translated: UDP, TCP, ICMP echo or its reply; else -1. */
int nat_pkt_proto(const struct nfv_pkt *p);

/** Whether this ICMP type is an error's, which quotes a packet (RFC 1122 §3.2.2). */
bool nat_icmp_is_error(uint8_t type);

/* Endpoints of a packet that nat_pkt_proto knows. An echo's identifier is the port of both. */
struct nat_endpoint nat_pkt_src(const struct nfv_pkt *p, enum nat_proto proto);
struct nat_endpoint nat_pkt_dst(const struct nfv_pkt *p, enum nat_proto proto);

/** Translate a packet of the slot's flow, other than an error. False, and nothing changed, if it
 * does not carry the endpoint that packets of this flow carry in this direction. */
bool nat_rewrite(const struct nat_slot *slot, struct nfv_pkt *p, enum nfv_dir dir);

enum nat_quote {
	NAT_QUOTE_OK,
	NAT_QUOTE_CHECKSUM, /* the error's checksum or that of the quoted IP header is wrong */
	NAT_QUOTE_SHORT,    /* cut off before the port */
	NAT_QUOTE_OTHER,    /* not a packet of this flow that travelled the other way */
};

/**
 * Translate the packet that an ICMP error quotes, and the error's checksum (RFC 5508 REQ-3 to 5).
 * The error's own addresses are left to nat_set_src and nat_set_dst. On failure nothing changed.
 */
enum nat_quote nat_rewrite_quote(const struct nat_slot *slot, struct nfv_pkt *p, enum nfv_dir dir);

/** The endpoint that an error's quoted packet came from (of an error that travels inward) or went to
 * (outward): the one that is translated. False if it cannot be told. */
bool nat_quoted(
	const struct nfv_pkt *p, enum nfv_dir dir, enum nat_proto *proto, struct nat_endpoint *out);

/* Replace an IP address alone; for ICMP, whose checksum does not cover it. */
void nat_set_src(struct nfv_pkt *p, uint32_t be_addr);
void nat_set_dst(struct nfv_pkt *p, uint32_t be_addr);

#endif
