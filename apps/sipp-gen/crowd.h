/**
 * @file
 * Users who call again as soon as their call is over (-users): a closed loop, in which the peer's
 * slowness slows the load down. Each has a number, from 1 on, and variables that outlive its calls.
 *
 * Ownership: crowd_init allocates, crowd_fini gives back. Threads: one each; only init and fini
 * allocate.
 */
#ifndef CROWD_H
#define CROWD_H

#include <stdint.h>

#include "nfv_err.h"
#include "vars.h"

struct crowd {
	uint32_t n;        /* 0: there is none */
	uint32_t *idle;    /* users without a call; who has been so for longest calls next */
	uint64_t from, to; /* places taken and given, modulo n */
	uint8_t *vars;     /* NULL: the scenario has none of users */
	size_t stride;
};

/** `vars`: values that each user has. All are idle, in order. Errors: -ENOMEM. */
int crowd_init(struct crowd *c, uint32_t n, uint32_t vars, int socket, struct nfv_err *err);
void crowd_fini(struct crowd *c);

/** Whose turn it is to call; 0: nobody's. */
static inline uint32_t
crowd_take(struct crowd *c)
{
	return c->from < c->to ? c->idle[c->from++ % c->n] : 0;
}

/** A user's call is over. */
static inline void
crowd_give(struct crowd *c, uint32_t user)
{
	c->idle[c->to++ % c->n] = user;
}

/** NULL: none, or no user. */
static inline struct vars *
crowd_vars(const struct crowd *c, uint32_t user)
{
	return user != 0 && c->vars != NULL ?
		(struct vars *)(void *)(c->vars + (user - 1) * c->stride) :
		NULL;
}

#endif
