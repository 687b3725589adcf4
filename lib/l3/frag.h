/**
 * @file
 * Fragmentation: of IPv4 packets that allow it (RFC 791 §2.3, 3.2), and of IPv6 packets that are our
 * own, since only their source may (RFC 8200 §4.5).
 */
#ifndef FRAG_H
#define FRAG_H

#include "host.h"

/** Whether the packet may be cut. */
static inline bool
frag_may(const struct nfv_pkt *p)
{
	if (p->family == 4)
		return !(be16toh(nfv_pkt_ip4(p)->be_frag) & NFV_IP4_DF);
	/* With extension headers it is the question which of them each fragment repeats; ours have
	 * none. */
	return p->flags & NFV_PKT_OWN && p->l4 == p->l3 + NFV_IP6_LEN;
}

/**
 * Send a packet that exceeds the MTU of t->port, and may be cut, to `mac` in pieces through
 * t->wire. All of them or, if there are not enough buffers, none: then false.
 */
bool frag_send(const struct turn *t, const struct nfv_pkt *p, const uint8_t mac[6]);

#endif
