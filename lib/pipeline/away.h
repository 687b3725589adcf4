/** @file  A chain's dealings with its stages that run elsewhere. */
#ifndef AWAY_H
#define AWAY_H

#include "chain.h"

/* Hand a burst to stage `at`; what is left of it passes as if the stage were not there. Packets take along how
 * deep they are. */
void away_process(struct nfv_chain *c, int at, struct nfv_burst *b, unsigned int depth);
/* Let all that has come back go on; returns how many packets. */
unsigned int away_collect(struct nfv_chain *c);
/* The same until nothing is to come back any more, but not for long. */
unsigned int away_settle(struct nfv_chain *c);

#endif
