/**
 * @file
 * An isolated stage with a pool of buffers that needs no DPDK, and packets that know what they are.
 * Every buffer is accounted for: given back twice, or lost, fails the test.
 */
#ifndef ISO_RIG_H
#define ISO_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nfv_isolated.h"
#include "stages.h"

#define RIG_BUFFERS 1024u
#define RIG_STRIDE  2048u

struct iso_rig {
	struct nfv_segment segment;
	bool out[RIG_BUFFERS]; /* not in the pool */
	uint32_t free[RIG_BUFFERS], n_free;
	struct nfv_isolated_conf conf;
	struct nfv_stage_ctx ctx;
	struct nfv_isolated *iso;
	const struct nfv_isolated_stats *stats;
	struct nfv_err err;
	/* What has come back. */
	uint64_t sent, kept, dropped, consumed, origins, bypassed;
	uint32_t next_seq, last_seq[2];
	void (*see)(
		struct iso_rig *r, const struct nfv_pkt *p); /* each that has come back; or NULL */
	uint32_t flows; /* that packets belong to, in turn; 0: 1 */
	uint8_t first;  /* what the stage has made of the last packet's first byte */
	uint8_t count;  /* of the flow, as `mirror` has written it into the last packet */
};

/** Ready to be started; conf may be changed before iso_rig_start. */
struct iso_rig *iso_rig(const struct nfv_stage_ops *ops, const char *mode);
int iso_rig_start(struct iso_rig *r);
/** Started, and live, or the test fails; `r`. */
struct iso_rig *iso_rig_up(struct iso_rig *r);
/** Everything down; all buffers must be back. */
void iso_rig_end(struct iso_rig *r);
/** Hand over a burst of `n` packets that ask for this, as far as there are buffers. */
void iso_rig_send(struct iso_rig *r, enum ask ask, uint16_t n, enum nfv_dir dir);
/** Take what has come back, and check every byte that is to be known. */
uint32_t iso_rig_collect(struct iso_rig *r);
/** Poll both sides until nothing is on its way, or until `until` of the counter is reached. */
void iso_rig_settle(struct iso_rig *r);
void iso_rig_until(struct iso_rig *r, const uint64_t *counter, uint64_t least);
/** Until an instance is live. */
void iso_rig_live(struct iso_rig *r);
/** Until a spare waits. */
void iso_rig_spare(struct iso_rig *r);
/** Replaced, with packets all the while, until it is so far. */
void iso_rig_traffic(struct iso_rig *r, enum ask ask);
void iso_rig_swapped(struct iso_rig *r, enum nfv_swap swap);
/** What the stage shows is this. */
void iso_rig_shows(struct iso_rig *r, const char *want);
/** The live instance's process. */
int iso_rig_pid(struct iso_rig *r);
/** How many processes of a group there are that have not ended; a template is the first of its own. */
int iso_family(int group);

#endif
