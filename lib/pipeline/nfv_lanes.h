/**
 * @file
 * Several instances of a stage that runs elsewhere, side by side: to its chain they are one (nfv_away).
 * Each has a lane of its own, which is whatever an nfv_away is.
 *
 * A flow keeps to its lane for as long as it lives: the lanes keep flow records of their own, one for each
 * flow, with a second key that is the tuple with which the flow's first packet has come back, mirrored. So
 * answers to what a stage has translated find their way. A stage that has a say in whose a packet is
 * (nfv_stage_ops.steer) keeps something of more than flows, as NAT does of an inside host's ports: all flows
 * of one inside endpoint, an address and a port, share a lane then. New flows and endpoints are dealt out by
 * hash over the first so many lanes; how many may change at any time, and moves none of those there are.
 * What belongs to no flow takes the first lane.
 *
 * Lanes that get nothing new any more end when their flows are over, or at once with their flows, which
 * begin anew in other lanes. The first lane never ends.
 *
 * Records are for as many flows as were asked for; what finds no room takes the first lane. They live a
 * second longer than the same flow's do in its instance.
 *
 * Ownership: lanes own what is in them; a chain that was given nfv_lanes_away destroys them.
 * Threads: create, open, deal, close and purge between two of the worker's bursts (nfv_worker_between) or
 * while it does not run; the others on any.
 */
#ifndef NFV_LANES_H
#define NFV_LANES_H

#include "nfv_away.h"
#include "nfv_flow.h"
#include "nfv_stage.h"

#define NFV_LANES_MAX 8

struct nfv_lanes_conf {
	const struct nfv_stage_ops *ops;
	uint32_t most;  /* lanes there may be; at most NFV_LANES_MAX */
	uint32_t flows; /* of each family */
	struct nfv_flow_timeouts timeouts;
	uint64_t tsc_hz, tsc; /* the second: now */
	uint64_t seed;
};

struct nfv_lane_stats {
	bool open;  /* there is one */
	bool dealt; /* it gets new flows */
	uint32_t flows;
	uint64_t packets, returned;
	/* Of the clock: when it was asked for (0: from the start), joined, gave back its first packet (0: not
	 * yet), and was closed to new flows. */
	uint64_t asked, joined, first, left;
};

struct nfv_lanes;

/** Whether a stage can be in several lanes; if not *why is a sentence's end. */
bool nfv_lanes_can(const struct nfv_stage_ops *ops, const char **why);

/** No lane is open yet; the chain may have it once the first is. Errors: -EINVAL, -ENOMEM. */
int nfv_lanes_create(
	const struct nfv_lanes_conf *conf, struct nfv_lanes **out, struct nfv_err *err);
/** And all that is in them. Takes NULL. */
void nfv_lanes_destroy(struct nfv_lanes *l);
/** The same as chains take it, which destroy it then. */
struct nfv_away nfv_lanes_away(struct nfv_lanes *l);

/** Fill lane `i`, which is not open; asked for at `asked`, 0: at the start. */
void nfv_lanes_open(struct nfv_lanes *l, uint32_t i, struct nfv_away away, uint64_t asked);
/** From now on deal new flows out over the first `n` lanes, which are open; at least one, as long as there are
 * packets. */
void nfv_lanes_deal(struct nfv_lanes *l, uint32_t n);
/** End all flows of lanes that get no new ones; how many. Looks at every record. */
uint32_t nfv_lanes_purge(struct nfv_lanes *l);
/** Take out what is in a lane that has no flow and gets none: the caller's to close. False: it still has
 * flows; or packets are on their way, unless `now`: then they count as lost. */
bool nfv_lanes_close(struct nfv_lanes *l, uint32_t i, bool now, struct nfv_away *out);

uint32_t nfv_lanes_most(const struct nfv_lanes *l);
uint32_t nfv_lanes_dealt(const struct nfv_lanes *l);
/** Answers that were not bound to their flow, since another one has the same tuple. */
uint64_t nfv_lanes_key_taken(const struct nfv_lanes *l);
struct nfv_lane_stats nfv_lane_stats(const struct nfv_lanes *l, uint32_t i);

#endif
