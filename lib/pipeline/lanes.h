/** @file  The inside of lanes, shared by their data path and their control. */
#ifndef LANES_H
#define LANES_H

#include "nfv_lanes.h"

/* A flow's slot. */
struct place {
	struct nfv_flow *end; /* its inside endpoint's record; NULL: it has none */
	uint16_t sent;        /* packets on their way that none of the flow has come back before */
	uint8_t lane;         /* counted from 1; 0: not yet */
};

/* An endpoint's. */
struct stay {
	uint32_t flows;
	uint8_t lane; /* from 0 */
};

struct lane {
	struct nfv_away away; /* without ops: it is not open */
	struct nfv_lane_stats stats;
};

struct side {
	struct nfv_lanes *lanes;
	int v6;
};

struct nfv_lanes {
	const struct nfv_stage_ops *ops;
	struct nfv_flow_table *flows[2]; /* IPv4, IPv6 */
	struct nfv_flow_table *ends[2];  /* both NULL: flows alone matter */
	struct nfv_pages flow_pages[2], end_pages[2];
	struct side side[2];
	uint32_t most, dealt, turn;
	uint64_t tsc_hz, tsc_zero, tsc_per_tick, next_expiry;
	uint64_t key_taken;
	uint64_t lost[NFV_AWAY_LOSSES]; /* by lanes that are no more */
	struct lane lane[NFV_LANES_MAX];
};

static inline struct place *
place_of(const struct nfv_lanes *l, int v6, const struct nfv_flow *f)
{
	return nfv_flow_slot(l->flows[v6], f);
}

/* As nfv_away_ops has them, and nfv_flow_conf; `arg` of the last is a struct side. */
void lanes_process(void *arg, struct nfv_burst *b);
uint32_t lanes_collect(void *arg, struct nfv_burst back[2], struct nfv_burst origin[2]);
void lanes_flow_end(void *arg, void *slots);

#endif
