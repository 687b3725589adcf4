/** @file  Stages for tests of isolation, known to the test and to the program it starts. */
#ifndef STAGES_H
#define STAGES_H

#include "nfv_stage.h"

/** What a packet's first byte of payload asks of a stage. */
enum ask {
	ASK_KEEP = 'k',
	ASK_DROP = 'd',
	ASK_ANSWER = 'a', /* originate a packet the other way, and consume this one */
	ASK_ECHO = 'E',   /* the same, and let it pass */
	ASK_SPOIL = 's',  /* make an IP header that is none */
	ASK_SPIN = 'S',   /* and never return; the rest are worse */
	ASK_SLEEP = 'Z',
	ASK_FORK = 'f',
	ASK_ALLOCATE = 'A',
	ASK_HEAP = 'H', /* the same by malloc */
	ASK_OPEN = 'o',
	ASK_CONNECT = 'n',
	ASK_EXEC = 'x',
	ASK_GAIN = 'u',   /* become root */
	ASK_KILL = 'K',   /* the manager */
	ASK_CUT = 't',    /* its files */
	ASK_PUNCH = 'p',  /* holes into the packets' memory */
	ASK_UNLOCK = 'l', /* the packets' memory, to write */
	ASK_CRASH = 'c',
	ASK_WRITE = 'w', /* into the packet */
	ASK_EXIT = 'e',
	/* Of `opener` alone: the packet's number is the port's. */
	ASK_HOLE = 'O',    /* a pinhole with an owner of its own, to OPENER_TO and OPENER_PORT on */
	ASK_CLOSE = 'C',   /* the oldest owner */
	ASK_REFRESH = 'R', /* the same; dropped if it has gone */
	ASK_LIVES = 'L',
};
#define OPENER_TO   "10.2.0.2"
#define OPENER_PORT 10000u
#define OPENER_IDLE 60u

struct counts_slot {
	uint64_t packets;
};

/* Swaps the ports of UDP; writes. Counts a flow's packets in its slot and in the payload's second
 * byte. Mends. */
extern struct nfv_stage_ops stage_mirror;
/* Reads only; does not mend. */
extern struct nfv_stage_ops stage_look;
/* Opens pinholes; does not mend. */
extern struct nfv_stage_ops stage_opener;
/* Lets packets pass for which a pinhole is open, as `opener` opens them; reads only. ASK_WRITE: into the table. */
extern struct nfv_stage_ops stage_porter;
/* Counts its packets in a file, `scribe: {file: …, wrong: …}`, which its upkeep syncs; does not mend. `wrong`: its
 * upkeep 1: opens a file; 2: crashes; as soon as it has been asked to ASK_CLOSE. */
extern struct nfv_stage_ops stage_scribe;
/* Does nothing; for speed. `noop` writes, as far as it is known. */
extern struct nfv_stage_ops stage_noop, stage_noop_reader;

#endif
