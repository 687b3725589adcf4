/**
 * @file
 * The process of an isolated stage: no EAL, no DPDK, and in the end no privileges.
 *
 * The template is told the configuration over its socket, finds the stage among those linked in,
 * starts it, and forks an instance whenever the manager asks. An instance maps its rings, gives up
 * what it does not need (jail.h), waits, and then moves bursts from ring to ring until the manager
 * stops it or goes. The stage's object is the one that runs fused; its flow records are here.
 *
 * Pinholes that the stage opens go to the chain's table by way of the manager; those that it finds lie in memory
 * it maps read-only. Its upkeep has a process of its own, a child of the template.
 *
 * What a stage has less here than in a chain: no system calls.
 *
 * Threads: none; one process each.
 */
#ifndef NFV_GUEST_H
#define NFV_GUEST_H

#include "nfv_err.h"

/**
 * Be the template at a connected socket, which it takes. Returns 0 when the manager has stopped it or
 * is gone, or what was wrong, which the manager has been told too. In instances it does not return.
 */
int nfv_guest_run(int sock, struct nfv_err *err);

/** A socket connected to the manager's at `path`; -errno with a sentence. */
int nfv_guest_connect(const char *path, struct nfv_err *err);

#endif
