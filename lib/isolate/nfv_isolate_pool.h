/**
 * @file
 * A DPDK pool whose packet data isolated stages can map: mbufs in the manager's own memory, data in a
 * segment (rte_pktmbuf_pool_create_extbuf). The only part of this library that knows DPDK.
 *
 * The segment is made known to DPDK (rte_extmem_register) and not to devices: a port that fetches by
 * IOMMU has to be given it by whoever brings the port up. Buffers are `stride` bytes apart and have
 * that much room, the headroom included.
 *
 * Ownership: the pool owns segment and mempool. Threads: control; its give and take, the worker.
 */
#ifndef NFV_ISOLATE_POOL_H
#define NFV_ISOLATE_POOL_H

#include "nfv_isolated.h"

struct rte_mempool;

struct nfv_isolate_pool {
	struct nfv_segment segment;
	struct rte_mempool *mp;
	struct rte_mempool *
		large; /* the chain's, for packets longer than a buffer, or NULL; whoever has it sets it */
	uint32_t stride, buffers;
	bool registered;
};

/** `stages_write`: one of the stages that will map it writes; else the kernel lets none. */
int nfv_isolate_pool_init(struct nfv_isolate_pool *p, const char *name, uint32_t buffers,
	uint32_t stride, uint32_t cache, bool stages_write, int socket, struct nfv_err *err);
/** All buffers must be back. */
void nfv_isolate_pool_fini(struct nfv_isolate_pool *p);
/** The same for nfv_isolated_conf. */
struct nfv_isolated_pool nfv_isolate_pool_of(struct nfv_isolate_pool *p);

#endif
