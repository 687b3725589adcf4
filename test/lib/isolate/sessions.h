/**
 * @file
 * Sessions through an isolated NAT: UDP from inside hosts to one remote, told apart by what their packets
 * carry. Whatever happens to the NAT's process, a session keeps the external endpoint that it got first,
 * and is answered there. Knows no pool: packets are empty ones as nfv_isolated_pool.take has them.
 */
#ifndef SESSIONS_H
#define SESSIONS_H

#include "nfv_isolated.h"

#define SESSIONS_MAX 4096u

/* The chain's addresses that the NAT needs, and its configuration. */
extern const struct nfv_prefix sessions_own[1];
extern const char sessions_conf[];

struct sessions {
	uint32_t n; /* those to be kept; others, of higher numbers, come and go */
	struct {
		uint32_t be_addr;
		uint16_t be_port;
		bool kept; /* answered since it was last asked */
	} s[SESSIONS_MAX];
	bool taken[65536]; /* by port, as it lies in packets */
	uint64_t wrong;    /* packets with what is not theirs */
};

/** Send a burst of sessions from `first` on, or beginning with it if it is none to be kept; inward only of
 * those that have been out. How many. */
uint16_t sessions_send(struct sessions *x, struct nfv_isolated *iso,
	const struct nfv_isolated_pool *pool, uint32_t first, enum nfv_dir dir);
/** Look at what has come back, and give it back to the pool; how many. */
uint32_t sessions_collect(
	struct sessions *x, struct nfv_isolated *iso, const struct nfv_isolated_pool *pool);
/** Forget what was answered; how many were. */
void sessions_ask(struct sessions *x);
uint32_t sessions_kept(const struct sessions *x);

#endif
