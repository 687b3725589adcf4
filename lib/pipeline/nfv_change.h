/**
 * @file
 * A stage of a chain that runs replaced by another version of it, between two bursts and with all its flows.
 *
 * Prepared on the control thread while the old version works: state taken, started, tested by itself. Then one
 * errand of the worker (nfv_worker_between) does the rest: each flow's slot is written down by the old version
 * and read by the new one in place, and so is what it keeps beside flows. Packets wait for as long as that
 * takes, which goes by the number of flows. What a stage keeps by number (nfv_stage_ops.items) goes over in
 * errands before it, some in each, until only what has changed since is left. The version that is out then ends on the control thread, and only
 * after that its code may be unmapped.
 *
 * Records are as long as they are: the new version may keep no more bytes of a flow than the old one, rounded
 * up to 8. It has the same name and access, as many reasons to drop packets, and is no other kind of
 * stage. Of a chain that is spread each shard is changed by itself.
 *
 * Errors leave all as it was. Flows that the new version does not take are ended, and counted. Threads:
 * control, but for the switch.
 */
#ifndef NFV_CHANGE_H
#define NFV_CHANGE_H

#include "nfv_pipeline.h"

struct nfv_change;

/** Start the version `use` beside the one at place `at`; `doc` as in nfv_chain_conf. `ops` has to live until
 * the chain ends, or another change takes it out. */
int nfv_change_prepare(struct nfv_chain *chain, uint32_t at, const struct nfv_stage_use *use,
	const struct nfv_conf *doc, struct nfv_change **out, struct nfv_err *err);
/** On the worker, between two bursts: `change` is a struct nfv_change. Some of what the old version keeps by
 * number goes over, a fraction of a millisecond's; as often as wanted, and not at all if not. Once it has begun
 * there has to be a switch. */
void nfv_change_some(void *change);
/** Whether little of it is left. */
bool nfv_change_near(const struct nfv_change *change);
/** The same, and all that is left: the new version works from then on. */
void nfv_change_switch(void *change);

struct nfv_change_result {
	int rc; /* 0, or why the old version goes on */
	uint32_t flows,
		refused; /* that went over; that were ended, and items that were not taken */
	uint64_t items;  /* of those kept by number: how many there were */
	uint64_t cycles; /* that packets waited */
};

/** End the version that is out: the old one, or the new one if there was no switch, or it failed. Tells how it
 * went: result.rc, with a sentence. Takes NULL. */
struct nfv_change_result nfv_change_finish(struct nfv_change *change, struct nfv_err *err);

#endif
