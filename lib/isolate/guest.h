/** @file  The inside of a stage's process, shared by its template and its loop. */
#ifndef GUEST_H
#define GUEST_H

#include <stdio.h>

#include "guest_state.h"
#include "nfv_handover.h"
#include "nfv_object_map.h"
#include "nfv_segment.h"
#include "nfv_wire.h"

#define GUEST_SOCK 3 /* an instance's only file */
#define SHOW_MAX   65536u
#define GUEST_SOON 10000 /* ns: the shortest nap, for which another has the processor */

#define HOLES_LOG 1024u /* of a burst or a tick; far more than 32 calls that are answered take */

/* The pinholes that the stage opens (guest_holes.c). */
struct guest_holes {
	struct nfv_pinholes *table; /* its own, in what is kept; the chain's is told of it */
	struct nfv_pages pages;
	struct nfv_pinhole_ear ear;
	struct nfv_ring_end out, ended;
	bool anew; /* all of it is to be told */
	uint32_t n;
	struct nfv_wire_hole log[HOLES_LOG];
};

struct guest {
	struct nfv_wire_told told;
	const struct nfv_stage_ops *ops;
	void *state;
	struct nfv_conf *doc;
	void *conf; /* the filled struct of ops->conf */
	struct nfv_segment pool, shared, outbox, inbox;
	struct nfv_flow_table *table[2];
	struct nfv_pages pages[2];
	uint64_t tsc_zero, tsc_per_tick;
	struct guest_state kept; /* `state` and the tables lie in it */
	uint32_t serial;         /* an instance's; 0: the template */
	bool mending;            /* flows that go are not ended */
	bool on_disk;            /* the stage keeps something there */
	int keeper;              /* in the template: process that does its upkeep; 0: none */
	uint64_t keeper_after;   /* tsc: none is started until then */
	struct nfv_wire_state report;
	struct nfv_wire_shared *word;
	struct nfv_ring_end in, out, empty;
	uint8_t *rooms;                  /* that `empty` tells of; NULL: the pool's buffers */
	struct nfv_segment finds, marks; /* the chain's pinholes, if it finds some */
	struct nfv_pages finds_pages;
	struct nfv_pinhole_set finds_set;
	struct guest_holes *holes; /* NULL: it opens none */
	uint8_t *large;          /* rooms for packets longer than a buffer; NULL: there are none */
	struct nfv_large larges; /* armed with the second half of them */
	struct nfv_out room;     /* armed from `empty` */
	uint32_t armed[NFV_BURST_MAX]; /* the buffers' indices, by place in `room` */
	FILE *show;
	char *shown;
	struct nfv_wire_msg
		config; /* `told` points into it, and the stage may keep such pointers */
	struct nfv_wire_msg msg;
	/* Replacing (guest_replace.c). */
	struct nfv_object_map object; /* `ops` may be its */
	struct guest *of_table[2];    /* by its place an end of a flow says of which table */
	struct nfv_giver giver;
	struct nfv_taker taker;
	size_t warmed; /* guest_warm */
	bool near;     /* the manager has been told */
	bool shares;   /* its processor with the one that takes over */
	bool parked;   /* it has handed over, and does nothing by itself */
};

/* In the template: map the object behind `fd`, which is taken. */
int guest_map(struct guest *g, int fd, struct nfv_err *err);
void guest_unmap(struct guest *g);
/* What replacing needs of memory. */
int guest_replace_init(struct guest *g, struct nfv_err *err);
void guest_replace_fini(struct guest *g);
/* In an instance: begin, as `msg` says; give up again; some of it, looking at so many records. */
void guest_give(struct guest *g);
void guest_resume(struct guest *g);
void guest_give_some(struct guest *g, uint32_t records);
/* The flows of a burst have changed. */
void guest_touch(struct guest *g, const struct nfv_burst *b);
/* The last packet has passed. */
void guest_last(struct guest *g);
/* In an instance that replaces another, as `msg` says: false: it is not to be. */
bool guest_take(struct guest *g);

/* In the template: a table for the stage, if it may open pinholes. */
int guest_holes_create(struct guest *g, struct nfv_err *err);
void guest_holes_destroy(struct guest *g);
/* In the template: the chain's, to find some; takes the two descriptors. */
int guest_finds_open(struct guest *g, const int fd[2], struct nfv_err *err);
void guest_finds_close(struct guest *g);
/* Tell what has been done since the last time; outside of calls, and before the packets of that time. */
void guest_holes_flush(struct guest *g);
/* In a tick: those that have ended elsewhere. */
void guest_holes_ended(struct guest *g);

/* In the template: see that there is a process for the stage's upkeep, if it wants any; ms until it is to be asked
 * again, -1: when something has happened. */
int guest_keeper_look(struct guest *g);
/* Whether it is that one that has ended. */
bool guest_keeper_ended(struct guest *g, int pid);

static inline uint32_t
guest_tick(const struct guest *g, uint64_t tsc)
{
	return (uint32_t)((tsc - g->tsc_zero) / g->tsc_per_tick);
}

/* In an instance that waits: have some more of its memory at hand, no faults later. False: all of it is. */
bool guest_warm(struct guest *g);
/* Nobody else touches the state any more: make it good, or `afresh`, if need be, and tell. */
void guest_take_turn(struct guest *g, bool afresh);
/* Move bursts until the manager stops it or is gone, or speaks nonsense. */
void guest_loop(struct guest *g);

#endif
