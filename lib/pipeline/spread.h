/** @file  A chain's own part of a spread: what it hands over, takes, tells and hears. */
#ifndef SPREAD_H
#define SPREAD_H

#include "chain.h"

/* Join conf->spread as its shard conf->shard; with no spread there is nothing to do. */
int spread_join(struct nfv_chain *c, const struct nfv_chain_conf *conf, struct nfv_err *err);
void spread_leave(struct nfv_chain *c);
/* Give back the buffers that lie ready, between two bursts. */
void spread_disarm(struct nfv_chain *c);

/* What a stage is to know of it. */
void spread_context(const struct nfv_chain *c, int at, struct nfv_stage_ctx *ctx);

/* Take out of a burst, which is about to enter a segment at stage `at`, what is another shard's. */
void spread_sort(struct nfv_chain *c, int at, struct nfv_burst *b, unsigned int depth);
/* Let what has been handed over go on from where it was; returns how many packets. */
unsigned int spread_take(struct nfv_chain *c);
/* Hear what others have told: before any packet that was received before. */
void spread_hear(struct nfv_chain *c, uint64_t tsc);
/* Send off what is to be handed over. */
void spread_flush(struct nfv_chain *c);

#endif
