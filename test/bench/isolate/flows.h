/**
 * @file
 * Plain UDP flows through a NAT, both ways, each packet with its number in its flow: what is lost, overtaken
 * or translated to another port is noticed.
 *
 *   inside 10.1.0.2:10000+i  ──►  10.2.0.2:9 outside, and back to whatever port flow i has there
 *
 * A payload says its flow and its number in it, and the complements of both and of the port that varies, so that
 * the check sum is the same for all. Threads: one, which owns it. Errors end the process with a sentence.
 */
#ifndef FLOWS_H
#define FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "nfv_pkt.h"

#define FLOWS_MAX 50000u

struct rte_mbuf;
struct rte_mempool;

struct flow {
	uint16_t be_port;    /* outside; 0: not known yet */
	uint32_t sent[2];    /* by enum nfv_dir */
	uint32_t arrived[2]; /* the number of the last one */
};

struct flows {
	uint32_t n;
	struct rte_mempool *pool;
	uint8_t frame[2][64];
	struct flow *flow;
	uint64_t next;               /* of all packets */
	uint64_t sent, arrived;      /* together */
	uint64_t reordered, strange; /* strange: from another port, or to one */
	uint64_t last_tsc;           /* when one arrived */
};

/** `mac[0]`, `mac[1]`: of the inside host and of what is between; `mac[2]`, `mac[3]`: outside likewise. */
void flows_init(struct flows *f, uint32_t n, struct rte_mempool *pool, const uint8_t *const mac[4]);
void flows_fini(struct flows *f);

/** Packets of the next `n` in turn, as long as there are buffers: how many, and their directions' numbers of
 * them in `m[dir]`. */
void flows_make(struct flows *f, uint32_t n, struct rte_mbuf *m[2][NFV_BURST_MAX], uint16_t k[2]);
/** Whether a frame that came out in a direction is one of these; then it is noted. */
bool flows_see(struct flows *f, const struct rte_mbuf *m, enum nfv_dir dir);

#endif
