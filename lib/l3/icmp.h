/**
 * @file
 * ICMP and ICMPv6: echo replies, and errors with their limits (RFC 792, 1812 §4.3, 4443 §2.4).
 */
#ifndef ICMP_H
#define ICMP_H

#include "host.h"

enum icmp_error {
	ICMP_TTL,        /* time exceeded in transit */
	ICMP_REASSEMBLY, /* time exceeded while fragments were awaited */
	ICMP_NET,        /* no route */
	ICMP_HOST,       /* nobody answers there */
	ICMP_PORT,       /* nobody listens there */
	ICMP_TOO_BIG,    /* `rest` is the MTU */
	ICMP_ERRORS
};

void icmp_limit_init(struct icmp_limit *l, uint64_t hz, uint32_t rate);

/** Answer an echo request, whose checksum is right, straight to its sender. Returns the verdict. */
uint8_t icmp_echo(const struct turn *t, const struct nfv_pkt *p);
/** The same for one that was put together: it becomes the answer, and leaves in pieces if need be. */
uint8_t icmp_echo_whole(const struct turn *t, struct nfv_pkt *p);
bool icmp_is_echo(const struct nfv_pkt *p);

/** An error about a frame just received at t->port, straight to its sender. */
void icmp_error_wire(
	const struct turn *t, enum icmp_error what, uint32_t rest, const struct nfv_pkt *about);

/** An error about a packet that was to leave by t->port, back through the chain. */
void icmp_error_back(
	const struct turn *t, enum icmp_error what, uint32_t rest, const struct nfv_pkt *about);

#endif
