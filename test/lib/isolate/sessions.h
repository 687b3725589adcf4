/**
 * @file
 * Sessions through an isolated NAT: UDP from inside hosts to one remote, told apart by what their packets
 * carry. Whatever happens to the NAT's process, a session keeps the external endpoint that it got first,
 * and is answered there. Knows no pool: packets are empty ones as nfv_isolated_pool.take has them.
 */
#ifndef SESSIONS_H
#define SESSIONS_H

#include "nfv_stage.h"

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
	uint64_t wrong; /* packets with what is not theirs */
};

/** Write a packet of session `i` into an empty one; inward only of one that has been out. */
void sessions_write(const struct sessions *x, struct nfv_pkt *p, uint32_t i, enum nfv_dir dir);
/** Look at one that has come back. */
void sessions_read(struct sessions *x, const struct nfv_pkt *p, enum nfv_dir dir);
/** Forget what was answered; how many were. */
void sessions_ask(struct sessions *x);
uint32_t sessions_kept(const struct sessions *x);

#endif
