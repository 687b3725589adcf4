/**
 * @file
 * Mempools of packets whose data lies only in pages of given colours: an ordinary rte_mempool of
 * mbufs, for any driver. The mbufs are dense in the mempool's own memory, the data is in pages of
 * an arena. The only part of mempool-color that knows DPDK.
 *
 * A buffer never crosses a page. Its room is rounded up to whole lines, as many buffers as fit (or
 * as few as `per_page` says) stand back to back, and what is left over of the page's 64 lines is
 * the *stagger*: from page to page of a colour, the first buffer starts one line later, until that
 * room is used up. It counts because all pages of a colour compete for the same 64 line positions,
 * and a short packet is one or two lines of its buffer: at a fixed start, most of the colour's
 * cache lies idle.
 *
 *   data room        a page   stagger   positions of 64 where packets begin
 *   256                  16         0   16
 *   1024                  4         0    4
 *   1646 (MTU 1500)       2        12   26
 *   1984                  2         2    6
 *   2048                  2         0    2: a full page cannot be staggered; prefer 1984 or less
 *   2048, per_page 1      1        32   33, for twice the pages
 *   2176 (DPDK default)   1        30   31
 *   4096                  1         0    1
 *
 * The mbufs are of DPDK's kind with *pinned external* data: allocating, freeing, bulk calls, chains
 * and reference counts work as ever. Clones may be attached *to* them (rte_pktmbuf_clone), and the
 * packet then returns to its pool with the last one; that goes by RTE_MBUF_F_EXTERNAL, which is set
 * in all of them unless a driver clears it on receiving: where that is not known, copy instead. The
 * clones themselves must come from an ordinary pool, since a pinned mbuf cannot let go of its
 * buffer. Freeing reads one line more, behind the mbuf, where the buffer's count of references is:
 * some six cycles, more if it is not at hand (test/bench/mempool-color/pool.c).
 * rte_mempool_put_bulk, which drivers use with fast free, does not.
 *
 * Devices that read and write memory themselves must be told of the region: attach it once, then
 * map it for each port, between finding the port and starting it. Where they use physical addresses
 * (no IOMMU), only huge pages serve.
 *
 * Ownership: the pool uses the arena, which outlives it. Threads: control thread; the mempool
 * itself as any other.
 */
#ifndef MPC_POOL_H
#define MPC_POOL_H

#include "mpc_arena.h"

#define MPC_POOL_COLOURS 64

struct rte_mempool;
struct mpc_pool;

struct mpc_pool_conf {
	const char *name; /* unique among DPDK's mempools */
	struct mpc_arena *arena;
	mpc_colours colours;
	uint32_t mbufs;
	uint32_t cache;     /* mbufs each lcore keeps at hand */
	uint32_t per_page;  /* buffers a page holds at most; 0: as many as fit */
	uint16_t priv;      /* bytes behind each mbuf for the application, a multiple of 8 */
	uint16_t data_room; /* bytes of a buffer with its headroom; MPC_PAGE at most */
	int socket;         /* NUMA node of the mbufs; those of the pages is the region's */
};

/** How buffers lie in a page. */
struct mpc_pool_fit {
	uint16_t per_page; /* 0: not even one fits */
	uint16_t stride;   /* bytes from one to the next */
	uint16_t spare;    /* lines by which the first can be staggered */
};

struct mpc_pool_fit mpc_pool_fit(uint16_t data_room, uint32_t per_page);

/** Where the pages went, in bytes: pages = data + stagger + rest. */
struct mpc_pool_usage {
	uint64_t pages;
	uint64_t data;    /* rooms of the mbufs there are */
	uint64_t stagger; /* lines left over in each page so that starts can vary */
	uint64_t rest;    /* rooms rounded up to lines, and what the last page could still hold */
};

/**
 * Errors: -EINVAL: sizes that cannot be; -ENOSPC: too few pages of these colours are free; -EEXIST:
 * a mempool of this name exists; -ENOMEM: no memory for the mbufs. Nothing stays taken then.
 */
int mpc_pool_create(const struct mpc_pool_conf *conf, struct mpc_pool **out, struct nfv_err *err);

/** Gives the pages back. All mbufs must be back in the pool, and no port use it any more. */
void mpc_pool_destroy(struct mpc_pool *p);

struct rte_mempool *mpc_pool_mempool(const struct mpc_pool *p);
struct mpc_pool_usage mpc_pool_usage(const struct mpc_pool *p);

/** Pages by colour; of one that is being left, the colour where its buffers go. */
void mpc_pool_have(const struct mpc_pool *p, uint32_t have[MPC_POOL_COLOURS]);

/**
 * Move towards so many pages in each colour (together as many as the pool has), while the pool is in
 * use. Buffers lie still while a packet is in them; an mbuf that lies free in the pool, outside of
 * lcores' caches, is given a buffer in a page of the new colours, and a page that all its mbufs have
 * left goes back to the arena. Looks at up to `budget` mbufs, leaving the pool at least three
 * quarters of what is free. A cache that gives out what it took last can keep an mbuf from ever coming
 * home: flush caches now and then (rte_mempool_cache_flush, on their lcores) at moments when packets
 * have been freed. `aside`: pages of these colours may go to any other, if
 * none is free where they should go; one each call.
 * Returns how many pages are still to move. Threads: one at a time, beside any use of the mempool.
 */
uint32_t mpc_pool_recolour(struct mpc_pool *p, const uint32_t want[MPC_POOL_COLOURS],
	mpc_colours aside, uint32_t budget);

/** Make DPDK know the region as external memory; again does no harm. Errors: DPDK's own. */
int mpc_pool_region_attach(const struct mpc_region *r, struct nfv_err *err);

/**
 * Let a port's device reach an attached region. Drivers that need no such call are passed over.
 * Errors: -ENODEV: no such port; -ENOTSUP: the device uses physical addresses and the region has
 * none that stay; else what the device's bus says.
 */
int mpc_pool_region_map(const struct mpc_region *r, uint16_t port, struct nfv_err *err);
/** To be called before the port is closed. */
void mpc_pool_region_unmap(const struct mpc_region *r, uint16_t port);

/** Before the region is destroyed, after its pools are and its ports are unmapped. */
void mpc_pool_region_detach(const struct mpc_region *r);

#endif
