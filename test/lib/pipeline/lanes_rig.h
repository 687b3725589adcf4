/**
 * @file
 * Lanes whose instances are made up: they hand packets back in order, when the test collects them. And
 * traffic through them.
 */
#ifndef LANES_RIG_H
#define LANES_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mkpkt.h"
#include "nfv_lanes.h"

#define LANES   4u
#define ON_WAY  256u
#define FLOWS   64u
#define EXT     "10.2.0.1"
#define OUTSIDE "10.2.0.2"
#define HZ      2000000000ull

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

extern struct nfv_lanes *lanes;
extern struct nfv_away lanes_away; /* all of them */
extern struct nfv_stage_ops lanes_ops;

/* For cmocka: nothing is open; and all is closed. */
int lanes_setup(void **state);
int lanes_down(void **state);
int lanes_no_steer(const void *state, const struct nfv_pkt *p, enum nfv_dir dir);
/* `n` lanes, of LANES that there may be. */
void lanes_up(uint32_t n, uint32_t flows, uint64_t hz);
void lanes_open(uint32_t i);
/* Records of flows, all lanes added up. */
uint32_t lanes_live(void);
/* The lane that has got a packet since the last time asked; one only. */
uint32_t lanes_seen_by(void);

struct nfv_pkt lanes_udp(struct mk *m, const char *src, uint16_t sport, const char *dst,
	uint16_t dport, uint32_t word);
void lanes_give(enum nfv_dir dir, const struct nfv_pkt *p, uint16_t n, struct nfv_burst *b);
void lanes_give1(enum nfv_dir dir, const struct nfv_pkt *p);
void lanes_send(enum nfv_dir dir, struct mk *m, const char *src, uint16_t sport, const char *dst,
	uint16_t dport);
/* All that is on its way; the last packet of each direction is in last[]. */
uint32_t lanes_collect_all(struct nfv_pkt last[2]);

/* Bursts of flows from..to - 1 in either direction, numbered; packets come back now and then. Returns how
 * many were sent. */
uint32_t lanes_traffic(uint64_t seed, uint32_t from, uint32_t to, uint32_t rounds);
/* Once; that flows' packets are in their order is asserted. */
uint32_t lanes_collect_in_order(void);
/* The rest; that none is missing is asserted. */
void lanes_settle(void);

#endif
