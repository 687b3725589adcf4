/**
 * @file
 * Isolated stages of which there may be several instances side by side (nfv_lanes.h), and how many there
 * are: as the configuration says at the start, later as the prompt does, in all chains and shards that have
 * the stage.
 *
 * Threads: control; scale_start on the chain's worker, before that runs.
 */
#ifndef SCALE_H
#define SCALE_H

#include "isolation.h"
#include "nfv_lanes.h"

/** Start a stage's first instances, for its chain to have (nfv_stage_use.send_away). */
int scale_start(const struct isolation_seat *seat, const struct nfv_stage_ops *ops,
	const struct nfv_stage_ctx *ctx, struct nfv_away *out, struct nfv_err *err);
/** Have `n` instances of a stage. Those that are too many end when their flows are over, or `now`: then
 * their flows begin anew in the others. Says what was done. */
void scale_to(
	struct app *app, const char *stage, const char *n, bool now, FILE *to, struct nfv_err *err);
/** End instances whose flows are over. */
void scale_tick(struct app *app);
/** The k-th instances of a chain's stage, by the order of its shards; NULL: there are no more. */
const struct nfv_lanes *scale_lanes(
	const struct app *app, uint32_t chain, const char *stage, uint32_t k);
/** Forget all, once those that end have; chains are destroyed before, pools after. */
void scale_close(struct app *app);

#endif
