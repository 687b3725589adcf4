/**
 * @file
 * One chain on several workers: each runs a shard of it, a whole chain with stages, tables and l3 of its
 * own, on one queue of both ports.
 *
 * Whose a packet is, is asked where it enters a segment (chain.h): the first stage that says so decides
 * (nfv_stage_ops.steer), else the tuple's hash where the segment keeps flows, else it stays. Another
 * shard's is handed over by a ring between the two, and goes on there at that very place without being
 * asked again; a ring that is full drops it, as `handover-full`. What shards have to tell each other, of
 * neighbours and between stages of one place (nfv_tell), goes by rings of its own, and is heard before any
 * packet that is taken after it was told: so who has been answered is known everywhere.
 *
 * The hash is that of receive-side scaling under NFV_SPREAD_KEY, by which both directions of a flow are
 * one; so behind a card that does that (nfv_port.h) flows that nobody rewrites arrive where they belong.
 *
 * Ownership: a chain is created into its place (nfv_chain_conf.spread) and destroyed before the spread.
 * Threads: create and destroy on the control thread, while no shard runs. One writer and one reader a ring.
 */
#ifndef NFV_SPREAD_H
#define NFV_SPREAD_H

#include <stdint.h>

#include "nfv_err.h"
#include "nfv_pkt.h"

#define NFV_SHARDS_MAX 64

/** The key of receive-side scaling, by 16 bits: it repeats, so it makes no difference which of two
 * addresses, or of two ports, comes first. */
#define NFV_SPREAD_KEY     0x6d5au
#define NFV_SPREAD_ENTRIES 128u /* of the table from hash to shard: entry i is for shard i % n */

struct nfv_spread;

/** `slots`: packets that may be on the way between two shards, a power of two; 0: 2048. `seed` is for what
 * has to be equal in all shards. Errors: -EINVAL, -ENOMEM. */
int nfv_spread_create(uint32_t shards, uint32_t slots, uint64_t seed, int socket,
	struct nfv_spread **out, struct nfv_err *err);
/** Frees what is still on its way. */
void nfv_spread_destroy(struct nfv_spread *s);

/** The hash of a packet's addresses and ports; of an ICMP error, of the packet it quotes. */
uint32_t nfv_spread_hash(const struct nfv_pkt *p, enum nfv_dir dir);

#endif
