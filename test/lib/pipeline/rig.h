/**
 * @file
 * A chain between two ports whose far ends the test holds: rings in place of wires, and a host
 * behind each that answers ARP and neighbour solicitations.
 *
 * Inside: port 10.1.0.1/24, fd00:1::1/64; the host is 10.1.0.2, fd00:1::2.
 * Outside: port 10.2.0.1/24, fd00:2::1/64; the host is 10.2.0.2, fd00:2::2.
 */
#ifndef RIG_H
#define RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "mkpkt.h"
#include "nfv_pipeline.h"

#define RIG_GOT    256
#define RIG_SHARDS 4
#define RIG_HZ     1000000000ull /* what the chain is told the clock runs at */
#define INSIDE     0
#define OUTSIDE    1
#define HOST_IN    "10.1.0.2"
#define HOST_OUT   "10.2.0.2"
#define PORT_IN    "10.1.0.1"
#define PORT_OUT   "10.2.0.1"

struct rig_frame {
	uint16_t len;
	uint8_t bytes[MK_ROOM];
};

struct rig_conf {
	const struct nfv_stage_use *stage;
	uint32_t n_stages;
	uint32_t flows;   /* 0: 1024 */
	uint32_t buffers; /* 0: 2047 */
	uint32_t large;   /* buffers of 64 KiB; 0: none at all */
	uint32_t reassembly;
	uint32_t tx_ring; /* places towards each host; 0: 256 */
	uint16_t mtu;     /* 0: 1500 */
	uint64_t hz;      /* of the chain's clock; 0: RIG_HZ */
	const struct nfv_lender *lender;
	struct rte_mempool *pool; /* instead of one of its own; stays the caller's */
	uint32_t shards;          /* 0: one chain, and no spread */
	uint32_t slots;           /* between shards */
};

struct rig {
	struct rte_ring *in[2], *out[2]; /* what the ports receive, what they have sent */
	uint16_t port[2];
	struct rte_mempool *pool, *large_pool; /* the second may be NULL */
	bool lent;                             /* the pool */
	uint32_t buffers, large;
	struct nfv_chain *chain; /* the first shard */
	struct nfv_chain *shard[RIG_SHARDS];
	struct rte_ring
		*in_queue[2][RIG_SHARDS]; /* `in` is the first; what they send is in one ring */
	uint32_t shards, queue;           /* the queue by which frames come in */
	struct nfv_spread *spread;
	const struct nfv_chain_stats *stats;
	bool deaf; /* hosts do not answer who asks for them */
	/* What has reached the hosts, but for requests they have answered. */
	struct rig_frame got[2][RIG_GOT];
	unsigned int n_got[2];
	unsigned int n_sent[2], n_taken[2]; /* frames in all, by the host's side */
};

extern const uint8_t rig_port_mac[2][6], rig_host_mac[2][6];

/** Ports, pool, chain; returns what nfv_chain_create returned. */
int rig_try(struct rig *r, const struct rig_conf *conf, struct nfv_err *err);
/** The same, and the chain has come up and its ports know the hosts, and the hosts them. */
struct rig *rig_open(const struct rig_conf *conf);
/** Take the chain down. Every buffer must be back in the pool. */
void rig_close(struct rig *r);

/** Put a packet's frame on the wire from the host at `side` to the chain's port. */
void rig_send(struct rig *r, int side, const struct nfv_pkt *p);
/** The same with the addresses it has, cut into `segs` buffers. */
void rig_send_raw(struct rig *r, int side, const struct nfv_pkt *p, unsigned int segs);
/** A packet that may be as long as NFV_FRAME_MAX, in fragments of `size` bytes of payload, a multiple of
 * eight; of IPv4 and, without extension headers, IPv6. */
void rig_send_pieces(struct rig *r, int side, const struct nfv_pkt *p, uint16_t id, uint16_t size);
/** The payloads of all fragments a host has got, put together by their offsets into `to`; that they are
 * one datagram's and that nothing is missing is asserted. Returns the payload's length. */
uint32_t rig_gather(struct rig *r, int side, uint8_t to[NFV_FRAME_MAX]);
/** Poll until nothing moves any more; empty what has reached the hosts into `got`. */
void rig_run(struct rig *r);
/** Forget what has been got. */
void rig_forget(struct rig *r);
/** The i-th frame that reached a host, parsed. It must be there and be a valid packet. */
struct nfv_pkt rig_got(struct rig *r, int side, unsigned int i);

#endif
