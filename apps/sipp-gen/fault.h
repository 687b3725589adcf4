/**
 * @file
 * Impairments of one's own packets, on purpose: which packet is lost, held back, sent twice or sent
 * behind the next one. Only decided here, by chance from a seed: the same seed and the same sequence of
 * packets give the same decisions. Each kind draws from numbers of its own, so that changing the rate
 * of one leaves the others' decisions as they are.
 *
 * Threads: one for each; nothing allocates.
 */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "nfv_err.h"
#include "rnd.h"

enum fault_kind { FAULT_LOSS, FAULT_DELAY, FAULT_DUPLICATE, FAULT_SWAP, FAULT_KINDS };

struct fault_conf {
	double chance[FAULT_KINDS];    /* 0 … 1, of a packet */
	uint32_t delay_min, delay_max; /* ms; anything between, evenly */
	uint64_t seed, stream;         /* stream: of one seed, one for each worker and direction */
};

/** What to do with a packet. A lost one is not anything else as well. */
struct fault {
	bool drop;
	bool dup;          /* send it twice */
	bool swap;         /* send it behind the next packet */
	uint32_t delay_ms; /* 0: at once */
};

struct faults {
	uint64_t below[FAULT_KINDS]; /* chance in 2^-53 */
	uint32_t delay_min, delay_n;
	struct rnd rnd[FAULT_KINDS];
	uint64_t packets, count[FAULT_KINDS];
};

/** Errors: -ERANGE: a chance is none, or the delays are the wrong way round. */
int fault_init(struct faults *f, const struct fault_conf *conf, struct nfv_err *err);

struct fault fault_decide(struct faults *f);

/** The same where a scenario's step has a chance of loss of its own (lost="…"), 0 … 1; < 0: it has
 * none. */
struct fault fault_decide_lost(struct faults *f, double loss);

/** Whether anything can happen at all. */
bool fault_any(const struct faults *f);

#endif
