/**
 * @file
 * The machine a plan is made for: the cache that is coloured, sockets, memory, and what misses cost.
 * Read from a small JSON file, or taken from the CPU at hand. Threads: plain data.
 */
#ifndef PLAN_MACHINE_H
#define PLAN_MACHINE_H

#include "mpc_cache.h"

struct plan_machine {
	struct mpc_cache cache;   /* complete, with two colours at least */
	struct mpc_caches caches; /* all of the CPU at hand; none if read from a file */
	uint32_t sockets;
	uint32_t pages;    /* of each colour on each socket; 0: four times what is wanted */
	double miss;       /* cost of one miss; 1: costs are misses */
	double remote;     /* more if the page is on another socket */
	double worthwhile; /* part of off's cost that a plan must save */
	double latency; /* nanoseconds that a miss takes more than a hit; 0: it does not matter */
};

/**
 * An object with `ways` and `sets`, and if it likes `level` (2), `line` (64), `sockets` (1), `pages`,
 * `miss` (1), `remote` (0), `worthwhile` (0.02), `latency` (20). Errors: -EIO; -EINVAL: not such an object, or no
 * cache that could be coloured: the sentence says which key.
 */
int plan_machine_read(const char *file, struct plan_machine *out, struct nfv_err *err);

/** The cache of `cpu` at a level, 0: the last; one socket. Errors: as of mpc_cache_read; -ENOENT. */
int plan_machine_here(const char *sysfs, int cpu, unsigned int level, struct plan_machine *out,
	struct nfv_err *err);

#endif
