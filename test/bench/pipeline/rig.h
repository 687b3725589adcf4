/**
 * @file
 * A chain between two ports that need no kernel and no wire: rings in memory, of which the bench
 * holds the other ends. It plays the networks on both sides: it hands frames in, takes them out, and
 * answers ARP for the one router on each side, behind which all other hosts lie.
 *
 *   inside: 10.0.0.0/8 by way of 192.168.0.2      outside: everything by way of 192.0.2.2
 *           the chain's own is 192.168.0.1                 own are 192.0.2.1, 192.0.2.3 and on
 *
 * Only what the chain does is measured, with the time stamp counter: a batch of frames is written
 * and queued first, then the chain is polled until it has taken all of them, then its output is
 * read. Threads: one.
 */
#ifndef RIG_H
#define RIG_H

#include "nfv_pages.h"
#include "nfv_pipeline.h"

#define RIG_BATCH                                                                                  \
	1024 /* frames queued before the chain runs, as a device with that many descriptors */
#define RIG_ADDRESSES 16 /* own addresses outside at most */
#define RIG_STAGES    3

struct rte_mbuf;
struct rte_mempool;
struct rte_ring;

struct rig {
	uint16_t port[2];
	struct rte_ring *in[2], *out[2];
	struct nfv_pages data; /* of the pool's packets */
	struct rte_mempool *pool;
	struct rte_mbuf *staged[2][RIG_BATCH];
	unsigned int n_staged[2];
	uint64_t tsc_hz, next_tick;
};

/** A chain and what it was made of. */
struct rig_chain {
	struct nfv_chain *chain;
	struct nfv_conf *doc;
	void *section[RIG_STAGES];
	uint32_t n;
};

/** Cycles of one batch, all packets together. */
struct rig_cycles {
	uint64_t packets;
	uint64_t total, part[NFV_PARTS], stage[RIG_STAGES], tick;
};

struct rig_tuple {
	uint32_t be_src, be_dst;
	uint16_t be_sport, be_dport;
};

/** Called with every IP frame that comes out at port 0 or 1. */
typedef void rig_seen(void *arg, unsigned int port, const uint8_t *frame, uint16_t len);

/** EAL is there. Ends the process if it cannot be made. */
void rig_init(struct rig *rig);

/** A chain of `n` stages by name, `yaml` being their configuration. Ends the process on an error. */
void rig_chain_create(struct rig *rig, struct rig_chain *out, const char *const *stage, uint32_t n,
	const char *yaml, uint32_t flows, uint32_t addresses);
void rig_chain_destroy(struct rig_chain *chain);

/** Queue a datagram for port 0 or 1, from the router there; addresses and ports in network order. */
void rig_udp(struct rig *rig, unsigned int port, const struct rig_tuple *from, const void *data,
	uint16_t len);

/** Run the chain over what is queued. Returns how many IP frames came out; `seen` may be NULL. */
unsigned int rig_run(struct rig *rig, struct rig_chain *chain, struct rig_cycles *cycles,
	rig_seen *seen, void *arg);

/** Print the chain's counters of drops and end the process. */
void rig_give_up(const struct rig_chain *chain, const char *what) __attribute__((noreturn));

#endif
