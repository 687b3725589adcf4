/**
 * @file
 * Instances of a stage that are made up: they hand packets back in order, when the test collects them.
 */
#ifndef MOCK_AWAY_H
#define MOCK_AWAY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mkpkt.h"
#include "nfv_away.h"

#define LANES  4u
#define ON_WAY 256u
#define FLOWS  64u
#define EXT    "10.2.0.1"

/* An instance: first in, first out. It translates an inside endpoint to EXT and a port of its own. */
struct mock {
	struct nfv_pkt pkt[ON_WAY];
	enum nfv_dir dir[ON_WAY];
	uint32_t head, tail;
	uint32_t number, closed, seen;
	bool translates, passes, drops, drop_first, turns; /* the last: IPv4 comes back as IPv6 */
	uint64_t full;
	uint16_t in_port[512];
	uint32_t n_ports;
};

extern struct mock mock[LANES];
extern const struct nfv_away_ops mock_ops;
/* The lane that a flow has been seen in; -1: none yet. That it is one is asserted where `mock_tracks`. */
extern int mock_lane_of[FLOWS];
extern bool mock_tracks;

/* A packet's flow << 16 and number, as the test has written them into it. */
uint32_t mock_word(const struct nfv_pkt *p);

#endif
