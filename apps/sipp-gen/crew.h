/**
 * @file
 * The workers of a run, a role on each lcore, and the thread beside them: which lcore is whose, how a
 * worker finds its peer before it begins, how the thread waits until all are ready, and what a signal
 * means to them. Runs of calls (run.c) and of plain packets (plain_run.c) are made of it.
 *
 * Ownership: members are the run's. Threads: as said; crew_interrupt in a signal handler, too.
 */
#ifndef CREW_H
#define CREW_H

#include <stdatomic.h>

#include "options.h"

enum crew_state { CREW_STARTING, CREW_READY, CREW_DONE };

struct crew_member {
	const struct options_role *role;
	struct net *net;
	unsigned int lcore;
	_Atomic int state; /* enum crew_state; < 0: -errno, why it cannot */
	struct nfv_err
		err; /* a sentence about that, written before; empty: the peer is not there */
};

struct crew {
	struct crew_member *member[OPTIONS_ROLES];
	uint32_t n;
};

/** Members for all roles, in order, `step` bytes apart; roles take the lcores in order, but for those
 * that name theirs. Errors: -EINVAL. */
int crew_place(struct crew *c, const struct options *o, struct crew_member *first, size_t step,
	struct nfv_err *err);
/** The number of the member whose lcore this is; -1: nobody's. */
int crew_self(const struct crew *c);
/** On the worker: until the next hop has answered, so that nothing waits for that later. 0 too if the
 * run was interrupted meanwhile. Errors: -EHOSTUNREACH, -ENETUNREACH. */
int crew_reach(struct crew_member *m);
/** On the thread beside them: all are ready, or one of them cannot (`rc` and `err`, if they are not set
 * already). */
bool crew_ready(const struct crew *c, int *rc, struct nfv_err *err);
/** Run `work` on every lcore, `control` on a thread beside them, to the end of all. Errors: -EAGAIN. */
int crew_go(int (*work)(void *), void *(*control)(void *), void *ctx, struct nfv_err *err);

/** From a signal handler: end, soon; the second time, now. */
void crew_interrupt(void);
/** How often; nobody waits any longer than that allows. */
unsigned int crew_interrupts(void);
bool crew_interrupted(void);
/** All is in vain: as if it had been interrupted twice. */
void crew_abandon(void);

#endif
