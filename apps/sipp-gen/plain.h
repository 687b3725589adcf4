/**
 * @file
 * Plain packets: UDP datagrams of given frame sizes at a given rate, and the sink that counts them.
 * Each carries its flow, its number within the flow and the TSC that its sending was intended for, so
 * that a sink by the same clock tells loss, order, duplicates and latency. Sizes are those of RFC 2544:
 * with Ethernet's header and its 4-byte check sum, which the device adds.
 *
 * Ownership: a sender or sink uses a net that it is given. Threads: create and destroy on the control
 * thread, begin and turns on its worker; statistics may be read beside them and lag then.
 */
#ifndef PLAIN_H
#define PLAIN_H

#include <stdatomic.h>
#include <stdbool.h>

#include "hist.h"
#include "net.h"
#include "pace.h"

#define PLAIN_SIZES     3
#define PLAIN_FLOWS     65536u
#define PLAIN_BEHIND_MS 10 /* a packet this late is not sent any more, and counted as limited */

struct plain_stats {
	uint64_t offered;          /* due by the rate */
	uint64_t sent, sent_bytes; /* taken by the device; bytes as RFC 2544 counts */
	uint64_t limited;          /* given up: this program or its device was too slow */
	uint64_t no_buffer;        /* times there was no buffer to write into */
	uint64_t received, received_bytes, other; /* other: frames not of a sender's */
	uint64_t lost;                            /* numbers left out and not seen since */
	uint64_t reordered, duplicated;
	uint64_t send_begun, send_ended, first_received, last_received; /* TSC */
	struct hist latency;
};

/** What is sent of each size; sizes in turn, so that they mix evenly. */
struct plain_mix {
	uint16_t size[PLAIN_SIZES];
	uint32_t sizes;
};

/** "64", "imix": 64, 594 and 1518 bytes as 7:4:1. Errors: -EINVAL: no size of a frame. */
int plain_mix_parse(const char *text, struct plain_mix *out, struct nfv_err *err);

/** Recorded frames, to be sent in turn as they are but for their Ethernet addresses. They carry no
 * stamp: a sink counts them among the others. */
struct plain_replay {
	uint8_t *data; /* one after another, without check sums */
	uint32_t *at;  /* where each begins; the last: where all end */
	uint32_t frames;
	uint16_t longest;
};

/** Read a capture of Ethernet frames. Errors: no such file, not Ethernet, a frame cut short or too long
 * for the MTU, none at all. */
int plain_replay_load(
	const char *file, uint16_t mtu, struct plain_replay *out, struct nfv_err *err);
void plain_replay_free(struct plain_replay *p);

struct plain_conf {
	struct net *net;
	const struct plain_replay
		*replay; /* instead of the mix; NULL: none. Must outlive the sender */
	struct plain_mix mix;
	struct nfv_endpoint from, to; /* from: the first flow's */
	const uint8_t *mac;           /* next hop; NULL: the neighbour that net_reach has found */
	uint32_t flows, buffers;
	uint8_t sender; /* tells the flows of several senders apart */
	uint16_t mtu;
	uint64_t tsc_hz;
	int socket;
};

struct plain_sender;

/** Errors: a size too small for the headers or too large for the MTU, -ENOMEM. */
int plain_sender_create(
	const struct plain_conf *conf, struct plain_sender **out, struct nfv_err *err);
void plain_sender_destroy(struct plain_sender *s);
/** The frames' headers, once the next hop is known. Errors: -EHOSTUNREACH. */
int plain_sender_prepare(struct plain_sender *s);
/**
 * Send by this pace (rate 0 with PACE_FIXED: as fast as can be) from `tsc` on, `packets` and `cycles`
 * long (0: no such limit). Numbers go on from before. Errors: as pace_init.
 */
int plain_sender_begin(struct plain_sender *s, const struct pace_conf *pace, uint64_t tsc,
	uint64_t packets, uint64_t cycles, struct nfv_err *err);
/** One burst of what is due. false: all is sent. */
bool plain_sender_turn(struct plain_sender *s, uint64_t tsc);
/** Leave off; what the device has not taken is counted as limited. */
void plain_sender_end(struct plain_sender *s);
struct plain_stats *plain_sender_stats(struct plain_sender *s);

struct plain_sink;

int plain_sink_create(
	struct net *net, uint64_t tsc_hz, int socket, struct plain_sink **out, struct nfv_err *err);
void plain_sink_destroy(struct plain_sink *k);
/** One burst; returns the frames of it. */
unsigned int plain_sink_turn(struct plain_sink *k, uint64_t tsc);
struct plain_stats *plain_sink_stats(struct plain_sink *k);

/** Add up; times become the earliest beginning and the latest end. */
void plain_stats_merge(struct plain_stats *into, const struct plain_stats *s);

#endif
