/**
 * @file
 * What is done to one's own messages on purpose, by fault.h's decisions: lost, sent twice, held back,
 * or sent behind the next one. Held copies are bounded, in number and in length; one too many, or too
 * long, is sent at once.
 * Threads: the worker's.
 */
#ifndef IMPAIR_H
#define IMPAIR_H

#include "fault.h"
#include "net.h"

#define IMPAIR_HELD 256

struct held {
	uint64_t due; /* TSC; 0: free; UINT64_MAX: behind the next message */
	struct nfv_endpoint to;
	uint16_t from_port, n;
	char bytes[NET_PAYLOAD];
};

struct impair {
	struct faults faults;
	struct held held[IMPAIR_HELD];
	uint32_t n_held;
	uint64_t lost, duplicated, delayed, swapped;
};

/** Send what was begun at `room`, or not. */
void impair_commit(struct impair *i, struct net *net, const char *room, size_t n,
	uint16_t from_port, const struct nfv_endpoint *to, double loss, uint64_t now, uint64_t ms);
/** Send what was held long enough. */
void impair_tick(struct impair *i, struct net *net, uint64_t now);

#endif
