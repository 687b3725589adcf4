/**
 * @file
 * What makes a chain's two ports hosts on the wire: ARP (RFC 826) and neighbour discovery (RFC 4861)
 * in both roles, ICMP and ICMPv6 echo and errors (RFC 792, 1812, 4443), static routes by longest
 * prefix, TTL and hop limit, MTU (RFC 1191, 8201), fragmentation of IPv4 packets that allow it and of
 * IPv6 packets of our own, reassembly of what is addressed to us (RFC 791, 815, 8200 §4.5).
 *
 * Works on packets, not on mbufs: what it originates it writes into the `nfv_out` it is given, and a
 * packet that waits for its neighbour's answer (one per neighbour, bounded) or is a fragment is copied
 * aside, so no buffer ever changes owner. Of DPDK only rte_fib and rte_fib6 are used.
 *
 * Port 0 is the chain's inside, port 1 its outside: a packet travelling NFV_OUTWARD came in at port 0.
 * Threads: one nfv_l3 belongs to one worker; nfv_l3_show may run beside it on the control thread.
 */
#ifndef NFV_L3_H
#define NFV_L3_H

#include <stdio.h>

#include "nfv_addr.h"
#include "nfv_err.h"
#include "nfv_pkt.h"

struct nfv_l3;

struct nfv_l3_port {
	uint8_t mac[6];
	uint16_t mtu; /* of the IP packet, in bytes; 576…9000, 1280 at least for IPv6 */
	const struct nfv_prefix *addr; /* own addresses; the prefix is on-link */
	uint32_t n_addr;
};

struct nfv_l3_route {
	struct nfv_prefix to;
	struct nfv_addr via; /* next hop, on-link at `port`; NFV_NO_ADDR: `to` itself is on-link */
	uint8_t port;        /* 0 inside, 1 outside */
};

struct nfv_l3_conf {
	struct nfv_l3_port
		port[2]; /* a host with one port has it outside; port[0] is zeroed then */
	const struct nfv_l3_route *route;
	uint32_t n_route;
	uint32_t neighbours; /* cache entries at most, both ports together */
	uint32_t icmp_rate;  /* ICMP errors a second at most (RFC 1812 §4.3.2.8, 4443 §2.4 f) */
	uint32_t reassembly; /* datagrams put together at once, 64 KiB each; 0: none, fragments are
	                      * dropped. A source has a quarter of them at most */
	uint64_t tsc_hz;
	uint64_t seed;
	int socket; /* NUMA node */
};

/** Why a packet goes no further; the reasons of enum nfv_parse come first, with their numbers. */
enum nfv_l3_drop {
	NFV_L3_NOT_FOR_US = NFV_PARSE_REASONS, /* another host's MAC address */
	NFV_L3_MULTICAST,      /* multicast or broadcast that is not ours to answer */
	NFV_L3_FRAGMENT,       /* of a datagram that is not for us: fragments are not forwarded */
	NFV_L3_FRAG_DUPLICATE, /* had already, byte for byte */
	NFV_L3_FRAG_OVERLAP, /* overlaps another: its datagram is lost, whatever else comes of it */
	NFV_L3_FRAG_LENGTH,  /* ends that contradict each other, no whole units, or too long */
	NFV_L3_FRAG_PIECES,  /* of a datagram in more pieces than any honest one has */
	NFV_L3_FRAG_FULL,    /* every place is taken by a datagram that is whole */
	NFV_L3_ARP_BAD,      /* malformed ARP */
	NFV_L3_ND_BAD, /* malformed neighbour discovery, or hop limit not 255 (RFC 4861 §7.1) */
	NFV_L3_ICMP_CHECKSUM, /* addressed to us, and wrong */
	NFV_L3_SPOOFED,       /* its source is one of our own addresses, or a group's MAC */
	NFV_L3_TTL,           /* time exceeded */
	NFV_L3_NO_ROUTE,      /* or link-local, and so not to be forwarded */
	NFV_L3_WRONG_WAY,     /* the route leads back to where the packet comes from */
	NFV_L3_NO_LISTENER,   /* addressed to us, and no stage took it */
	NFV_L3_TOO_BIG,       /* larger than the MTU and not to be fragmented */
	NFV_L3_NO_NEIGHBOUR,  /* nobody answers at the next hop */
	NFV_L3_QUEUE_FULL,    /* a packet already waits for this neighbour */
	NFV_L3_NO_BUFFER,     /* nothing left to write a fragment or an answer into, or too long
	                        * for the place where packets wait */
	NFV_L3_REASONS
};

extern const char *const nfv_l3_drop_name[NFV_L3_REASONS];

/** Errors: no address on a port, a next hop that is not on-link, too many routes, out of memory. */
int nfv_l3_create(const struct nfv_l3_conf *conf, struct nfv_l3 **out, struct nfv_err *err);
void nfv_l3_destroy(struct nfv_l3 *l3);

/**
 * Frames as they came from the port (burst->dir says which). Parses and judges them. Verdicts:
 * NFV_KEEP: for the chain, NFV_PKT_LOCAL set where the destination is our own; NFV_CONSUMED: ARP,
 * neighbour discovery, echo, answered into `wire` where it needed an answer, or a fragment that was
 * copied aside; NFV_DROP(reason).
 * `wire` takes whole frames; their dir says by which port they leave: NFV_OUTWARD by port 1.
 * Returns how many datagrams have become whole: see nfv_l3_whole.
 */
unsigned int nfv_l3_input(struct nfv_l3 *l3, struct nfv_burst *burst, struct nfv_out *wire);

/**
 * Datagrams that the fragments of a burst have made whole: to be taken before the next burst comes.
 * nfv_l3_whole: bytes of the next one's frame, 0: there is none. nfv_l3_take_whole writes it into an
 * empty packet, parses and judges it as nfv_l3_input does, verdicts as there; NFV_L3_NO_BUFFER if it
 * has not the room. An echo is answered into `wire`, in as many pieces as it needs.
 */
uint32_t nfv_l3_whole(const struct nfv_l3 *l3);
void nfv_l3_take_whole(struct nfv_l3 *l3, struct nfv_pkt *p, struct nfv_out *wire);

/** Places in `wire` that a packet of `len` bytes may take when it leaves in pieces. */
static inline uint16_t
nfv_l3_pieces(uint32_t len, uint16_t mtu)
{
	/* The longest IPv4 header; a piece is a multiple of eight bytes. */
	uint32_t n = len / ((mtu - 60u) & ~7u) + 1;

	return n < NFV_OUT_MAX ? (uint16_t)n : NFV_OUT_MAX;
}

/**
 * Packets that have come through the chain in direction burst->dir. Routes them, takes one from TTL
 * or hop limit (not of NFV_PKT_OWN), checks the MTU, writes the Ethernet header. A packet longer than
 * the MTU may need nfv_l3_pieces places in `wire`. Verdicts: NFV_KEEP:
 * ready, leaves by port p->port; NFV_CONSUMED: copied aside for its neighbour, or sent as fragments
 * through `wire`; NFV_DROP(reason). ICMP errors are written into `back`: they have to travel back
 * through the chain so that it can translate them (dir is set to the way back).
 */
void nfv_l3_output(
	struct nfv_l3 *l3, struct nfv_burst *burst, struct nfv_out *wire, struct nfv_out *back);

/**
 * Find the neighbour by which `to` is reached through the outside port, before packets wait for it: at
 * most one can. 0: known; -EINPROGRESS: asked through `wire`, call again after input and tick;
 * -EHOSTUNREACH: it does not answer; -ENETUNREACH: no route leads there.
 */
int nfv_l3_reach(struct nfv_l3 *l3, const struct nfv_addr *to, uint64_t tsc, struct nfv_out *wire);

/**
 * For who answers what comes to it, and at once: a packet to us came in at the outside port from this
 * address, sent by this MAC address. Where the neighbour that answers go by is not known, they go back
 * there until it is: everybody is asked for it at the same time, and who answers is believed instead. A
 * router had better not: it answers nobody, and a packet's source proves nothing.
 */
void nfv_l3_heard(struct nfv_l3 *l3, const struct nfv_addr *from, const uint8_t mac[6],
	uint64_t tsc, struct nfv_out *wire);

/**
 * What a neighbour has said of itself, by ARP or neighbour discovery. Several hosts that are one on the
 * wire, each with a queue of the same ports, tell each other: what one is told the others have to know.
 */
struct nfv_l3_news {
	struct nfv_addr who;
	uint8_t mac[6];
	uint8_t port;
	uint8_t what; /* enum nfv_l3_what */
};

enum nfv_l3_what {
	NFV_L3_ASKED =
		1, /* it asks for one of our addresses; else it answers, or announces itself: */
	NFV_L3_SOLICITED = 2, /* to somebody's question */
	NFV_L3_OVERRIDE = 4,  /* in place of what was known */
	NFV_L3_HAS_MAC = 8,
};

/** Have `tell` called with all such news; from nfv_l3_input, and no other call. */
void nfv_l3_on_news(
	struct nfv_l3 *l3, void (*tell)(void *arg, const struct nfv_l3_news *news), void *arg);
/** News that another has heard. It is believed as if it had come here, and not told again; nobody is
 * answered. A packet that has waited for it leaves through `wire`. */
void nfv_l3_told(
	struct nfv_l3 *l3, const struct nfv_l3_news *news, uint64_t tsc, struct nfv_out *wire);

/** About once a millisecond: asks again, gives up, forgets; of neighbours and of fragments. */
void nfv_l3_tick(struct nfv_l3 *l3, uint64_t tsc, struct nfv_out *wire, struct nfv_out *back);

/** Addresses, routes and neighbours for a person. */
void nfv_l3_show(const struct nfv_l3 *l3, FILE *to);

#endif
