/**
 * @file
 * A host with one port, speaking UDP: what a worker sends and receives by. ARP, neighbour discovery,
 * echo, routing and fragments are lib/l3's. Datagrams are written in place into buffers of the port's
 * pool; long ones into memory of which there is one, and leave at once.
 *
 * Ownership: net_create takes device and memory, net_destroy gives them back. Threads: create and
 * destroy on the control thread, the rest on the worker that owns it.
 */
#ifndef NET_H
#define NET_H

#include "nfv_addr.h"
#include "nfv_err.h"
#include "nfv_sv.h"

#define NET_PAYLOAD     3900u  /* bytes of a datagram, usually */
#define NET_PAYLOAD_MAX 65473u /* at most; what exceeds the MTU leaves in fragments */
#define NET_ADDRS       4
#define NET_BURST       32u /* frames of a poll, at most */
#define NET_HEAD_MAX    62u /* Ethernet, IPv6 and UDP headers */

struct net;
struct rte_mbuf;

struct net_conf {
	const char *device; /* lib/port's */
	struct nfv_prefix addr[NET_ADDRS];
	uint32_t n_addr;
	struct nfv_addr gateway; /* NFV_NO_ADDR: none */
	uint16_t mtu, descriptors;
	uint32_t buffers;
	int socket;
	uint64_t tsc_hz, seed;
};

struct net_datagram {
	struct nfv_sv payload;
	struct nfv_endpoint from, to;
};

struct net_count {
	uint64_t rx_frames, tx_frames, tx_full, no_buffer, not_udp, bad_checksum;
	uint64_t l3_in;  /* frames that were none for us, or broken, or of a kind not taken */
	uint64_t l3_out; /* datagrams that could not leave: no neighbour, no route, too long */
};

int net_create(const struct net_conf *conf, struct net **out, struct nfv_err *err);
void net_destroy(struct net *n);

/** Receive a burst; `deliver` is called for each datagram to one of our addresses. Returns frames. */
unsigned int net_poll(struct net *n, uint64_t tsc,
	void (*deliver)(void *ctx, const struct net_datagram *d), void *ctx);

/** Room for the next datagram's payload, `room` bytes: NET_PAYLOAD where that is enough, since more takes
 * longer, NET_PAYLOAD_MAX at most. NULL: no buffer is left (counted). */
char *net_begin(struct net *n, enum nfv_family family, size_t room);
/** Send what was begun. The source address is chosen by the route. */
void net_commit(struct net *n, size_t len, uint16_t from_port, const struct nfv_endpoint *to);
/** Give up what was begun. */
void net_abandon(struct net *n);
/** Hand everything committed to the device. */
void net_flush(struct net *n, uint64_t tsc);

/** 0: packets to `to` can leave; else as nfv_l3_reach. Needs net_poll and net_tick meanwhile. */
int net_reach(struct net *n, const struct nfv_addr *to, uint64_t tsc);
/** About once a millisecond. */
void net_tick(struct net *n, uint64_t tsc);

/* ---- frames without a datagram's ceremony, for who makes its own ---- */

/**
 * The headers of a frame whose datagram carries `payload` bytes, written to `head`; the UDP checksum is
 * left zero. `mac` says where frames go; NULL: to the neighbour, which net_reach must have found.
 * Returns the headers' length. Errors: -EHOSTUNREACH: no neighbour is known.
 */
int net_frame_template(struct net *n, const struct nfv_endpoint *from,
	const struct nfv_endpoint *to, uint16_t payload, const uint8_t *mac,
	uint8_t head[NET_HEAD_MAX]);
/** Hand frames to the device once; returns how many it took, the rest stays the caller's. */
uint16_t net_send(struct net *n, struct rte_mbuf **m, uint16_t count);
/** As net_poll, but `take` sees the frames first: it takes out (and gives back) what it knows, moves the
 * rest to the front and returns their number. */
unsigned int net_receive(struct net *n, uint64_t tsc,
	uint16_t (*take)(void *ctx, struct rte_mbuf **m, uint16_t count), void *ctx);

/** The address that packets to `to` have as their source; NULL: none of this family. */
const struct nfv_addr *net_source(const struct net *n, const struct nfv_addr *to);
const struct net_count *net_count(const struct net *n);

#endif
