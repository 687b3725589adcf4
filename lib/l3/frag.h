/**
 * @file
 * Fragmentation of IPv4 packets (RFC 791 §2.3, 3.2).
 */
#ifndef FRAG_H
#define FRAG_H

#include "host.h"

/**
 * Send a packet that exceeds the MTU of t->port, and may be cut, to `mac` in pieces through
 * t->wire. All of them or, if there are not enough buffers, none: then false.
 */
bool frag_send(const struct turn *t, const struct nfv_pkt *p, const uint8_t mac[6]);

#endif
