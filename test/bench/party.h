/**
 * @file
 * One of the generator's roles for a bench that runs them itself: a port of its own, a scenario, and
 * the user agents that play it (apps/sipp-gen). Caller and callee take turns on one thread, so that
 * what stands between them can have the other core.
 *
 *   caller 10.1.0.2 --- 10.1.0.1 (what is measured) 10.2.0.1 --- 10.2.0.2 callee
 *
 * Each goes by the address next to it; with `joined` they are on one network instead, and nothing is
 * between them. Threads: one. Errors end the process with a sentence.
 */
#ifndef PARTY_H
#define PARTY_H

#include "agent.h"

struct party_conf {
	const char *device;   /* lib/port's */
	const char *scenario; /* a file; NULL: the built-in callee */
	bool callee, joined;
	bool to_callee; /* the caller sends to it, by way of what is between */
	double rate;    /* calls/s */
	uint64_t calls; /* to be begun */
	uint32_t open;  /* calls at once, at most */
};

struct party {
	struct scenario *scenario;
	struct net *net;
	struct agent *agent;
	struct nfv_addr next; /* what it sends to */
};

void party_create(struct party *p, const struct party_conf *conf);
void party_destroy(struct party *p);

/** Have both know the hardware addresses they send to, and be known. `b` may be NULL. */
void party_meet(struct party *a, struct party *b);

/** Say what is wrong and end the process. */
void party_fail(const char *what) __attribute__((noreturn));

static inline void
party_need(bool ok, const char *what)
{
	if (!ok)
		party_fail(what);
}

#endif
