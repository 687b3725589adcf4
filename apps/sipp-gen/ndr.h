/**
 * @file
 * The search for the highest rate at which no more than a tolerated share of packets is lost: RFC 2544
 * §26.1 with a tolerance of 0 (NDR), the partial drop rate (PDR) else. Binary, between 0 and a highest
 * rate, which is tried first. A search is only logic: who calls it makes the trials.
 *
 * Ownership: nothing is kept. Threads: pure functions.
 */
#ifndef NDR_H
#define NDR_H

#include <stdbool.h>
#include <stdint.h>

struct ndr_conf {
	double rate;       /* packets/s, the highest */
	double resolution; /* share of that rate; the search ends when it knows it so well */
	double tolerance;  /* share of a trial's packets that may be lost */
};

struct ndr_trial {
	double rate; /* asked for */
	uint64_t sent, lost;
	bool limited; /* the rate was not kept up: such a trial proves nothing good */
	bool good;    /* the search's verdict */
};

struct ndr_result {
	double rate; /* highest good one; 0: none was */
	double lost; /* share lost there */
	uint32_t trials;
	bool limited; /* what it was lowered by may be the generator */
};

/** One trial at `t->rate`: fills in the rest but `good`. Errors (-errno) end the search. */
typedef int ndr_try(void *ctx, struct ndr_trial *t);

int ndr_search(const struct ndr_conf *conf, ndr_try *try,
	void (*tell)(void *, const struct ndr_trial *), void *ctx, struct ndr_result *out);

#endif
