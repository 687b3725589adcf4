/** @file  The inside of a stage's process, shared by its template and its loop. */
#ifndef GUEST_H
#define GUEST_H

#include <stdio.h>

#include "nfv_segment.h"
#include "nfv_wire.h"

#define GUEST_SOCK 3 /* an instance's only file */
#define SHOW_MAX   65536u

struct guest {
	struct nfv_wire_told told;
	const struct nfv_stage_ops *ops;
	void *state;
	struct nfv_conf *doc;
	void *conf; /* the filled struct of ops->conf */
	struct nfv_segment pool, shared;
	struct nfv_flow_table *table[2];
	struct nfv_pages pages[2];
	uint64_t tsc_zero, tsc_per_tick;
	uint64_t key_taken;
	uint64_t idle; /* cycles with nothing to do */
	struct nfv_wire_shared *word;
	struct nfv_ring_end in, out, empty;
	struct nfv_out room;           /* armed from `empty` */
	uint32_t armed[NFV_BURST_MAX]; /* the buffers' indices, by place in `room` */
	FILE *show;
	char *shown;
	struct nfv_wire_msg
		config; /* `told` points into it, and the stage may keep such pointers */
	struct nfv_wire_msg msg;
};

/* Move bursts until the manager stops it or is gone, or speaks nonsense. */
void guest_loop(struct guest *g);

#endif
