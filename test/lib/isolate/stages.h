/** @file  Stages for tests of isolation, known to the test and to the program it starts. */
#ifndef STAGES_H
#define STAGES_H

#include "nfv_stage.h"

/** What a packet's first byte of payload asks of a stage. */
enum ask {
	ASK_KEEP = 'k',
	ASK_DROP = 'd',
	ASK_ANSWER = 'a', /* originate a packet the other way, and consume this one */
	ASK_SPOIL = 's',  /* make an IP header that is none */
	ASK_SPIN = 'S',   /* and never return; the rest are worse */
	ASK_SLEEP = 'Z',
	ASK_FORK = 'f',
	ASK_ALLOCATE = 'A',
	ASK_OPEN = 'o',
	ASK_CRASH = 'c',
	ASK_WRITE = 'w', /* into the packet */
	ASK_EXIT = 'e',
};

struct counts_slot {
	uint64_t packets;
};

/* Swaps the ports of UDP; writes. Counts a flow's packets in its slot and in the payload's second
 * byte. Mends. */
extern struct nfv_stage_ops stage_mirror;
/* Reads only; does not mend. */
extern struct nfv_stage_ops stage_look;
/* Does nothing; for speed. `noop` writes, as far as it is known. */
extern struct nfv_stage_ops stage_noop, stage_noop_reader;

#endif
