/**
 * @file
 * A stage that does not run in its chain's loop but somewhere else, such as in a process of its own
 * (nfv_isolated.h): the chain hands it bursts, which come back later and in the order they went. The
 * chain goes on meanwhile; it never waits.
 *
 * What is handed over belongs to whoever stands behind this until it has come back; what does not come
 * back is counted by him under one of the reasons below. To its chain such a stage is a segment of its
 * own: it keeps its flows itself.
 *
 * Answers to answers end after so many (`answer-loop`), wherever they are written: a packet brings along how
 * deep it is (nfv_pkt.depth), comes back as deep, and what is originated in answer to it is one deeper.
 *
 * Threads: process, collect, waiting and lost on the chain's worker; close when that does not run;
 * control and show on the control thread.
 */
#ifndef NFV_AWAY_H
#define NFV_AWAY_H

#include <stdio.h>

#include "nfv_pkt.h"

/** Why a packet does not come back; names in nfv_away_lost_name. */
enum nfv_away_lost {
	NFV_AWAY_FULL,       /* it does not keep up */
	NFV_AWAY_DOWN,       /* there is nobody, and packets are not to pass or to wait */
	NFV_AWAY_FOREIGN,    /* the packet lies where it cannot see it */
	NFV_AWAY_UNREADABLE, /* it came back with headers that are none */
	NFV_AWAY_SWEPT,      /* it was there when its process died */
	NFV_AWAY_LOSSES
};
extern const char *const nfv_away_lost_name[NFV_AWAY_LOSSES];

struct nfv_away_ops {
	/** Take a burst. What is left in it the chain goes on with, as if there were no stage. */
	void (*process)(void *arg, struct nfv_burst *burst);
	/** What has come back, by direction, with the stage's verdicts; and in `origin` what the stage
	 * originated. How many packets in all. */
	uint32_t (*collect)(void *arg, struct nfv_burst back[2], struct nfv_burst origin[2]);
	/** How many are still to come back. */
	uint32_t (*waiting)(const void *arg);
	/** Packets lost so far, by reason. */
	void (*lost)(const void *arg, uint64_t lost[NFV_AWAY_LOSSES]);
	/** Look after it; every few milliseconds. */
	void (*control)(void *arg);
	void (*show)(void *arg, FILE *to);
	void (*close)(void *arg);
};

struct nfv_away {
	const struct nfv_away_ops *ops; /* NULL: the stage runs in the loop */
	void *arg;
};

#endif
