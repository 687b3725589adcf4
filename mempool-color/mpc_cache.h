/**
 * @file
 * The caches of a CPU as plain data, and what a colour is there.
 *
 * A colour is a set of pages that compete for the same sets of a physically indexed cache: a page
 * covers 4096 / line consecutive sets, so a cache of S sets has S × line / 4096 colours. Pages of
 * different colours never evict each other from that cache. Threads: plain data.
 */
#ifndef MPC_CACHE_H
#define MPC_CACHE_H

#include <stdint.h>

#include "nfv_err.h"

#define MPC_PAGE   4096u
#define MPC_CACHES 8

enum mpc_cache_type { MPC_CACHE_DATA, MPC_CACHE_INSTRUCTION, MPC_CACHE_UNIFIED };

struct mpc_cache {
	uint8_t level;
	uint8_t type;  /* enum mpc_cache_type */
	uint16_t line; /* bytes */
	uint32_t ways;
	uint32_t sets;
	uint32_t size;    /* bytes: line × ways × sets */
	uint32_t shared;  /* CPUs that use it together, this one included */
	uint32_t colours; /* at least 1: a cache of one colour cannot be coloured */
};

struct mpc_caches {
	struct mpc_cache cache[MPC_CACHES];
	unsigned int n;
};

/**
 * The caches of `cpu` as sysfs tells them (`sysfs` is "/sys" but in tests). Errors: -ENOENT: nothing
 * is told; -EINVAL: what is told contradicts itself. Figures of a virtual machine may be made up:
 * calibration finds out.
 */
int mpc_cache_read(const char *sysfs, int cpu, struct mpc_caches *out, struct nfv_err *err);

/** The unified or data cache of a level; NULL if there is none. */
const struct mpc_cache *mpc_cache_level(const struct mpc_caches *caches, unsigned int level);

/** Fill in size and colours from line, ways and sets; false if they make no cache. */
int mpc_cache_complete(struct mpc_cache *c, struct nfv_err *err);

#endif
