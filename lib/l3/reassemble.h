/**
 * @file
 * Reassembly of datagrams to our own addresses (RFC 791, 815, 1858, 3128; 8200 §4.5, 5722, 6946).
 *
 * Why not rte_ip_frag: it chains the received buffers, and a stage wants a packet in one piece; it
 * keeps them, which starves the device where an attacker sends first fragments; it knows no limit of
 * a source, and tells neither overlaps from duplicates nor one reason to drop from another.
 */
#ifndef REASSEMBLE_H
#define REASSEMBLE_H

#include "host.h"

/** A parsed fragment that is addressed to us. Returns the verdict: NFV_CONSUMED where it was kept. */
uint8_t reasm_input(const struct turn *t, const struct nfv_pkt *p);

/** An IPv6 packet that is its own only fragment (RFC 6946) loses the fragment header; false: it is
 * not one. It is to be parsed again. */
bool reasm_atomic(struct nfv_pkt *p);

/** The next whole datagram into an empty packet, its place freed; false: it has not the room. */
bool reasm_take(const struct turn *t, struct nfv_pkt *p, unsigned int *first);

/** Give up what is late, and tell its sender (RFC 792, 4443 §3.3). */
void reasm_tick(struct turn *t);

#endif
