/**
 * @file
 * The floor under every latency: what this program itself takes from a datagram's beginning to its
 * delivery, over a wire that takes no time, a pair of rings in memory.
 */
#ifndef FLOOR_H
#define FLOOR_H

#include <stdint.h>

#include "nfv_err.h"

/** The median of a thousand, in nanoseconds. Errors: no memory for two small ports. */
int floor_measure(uint64_t *ns, struct nfv_err *err);

#endif
