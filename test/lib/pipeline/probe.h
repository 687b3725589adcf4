/**
 * @file
 * Stages whose behaviour a test sets: four of them, "probe0" to "probe3", registered like any
 * stage. Each notes every packet it meets, then acts on it.
 */
#ifndef PROBE_H
#define PROBE_H

#include "rig.h"

#define PROBES    4
#define PROBE_MAX 512

/* What is kept in a flow's slot: who it belongs to, so that neighbours' slots are seen to differ. */
struct probe_slot {
	uint64_t owner; /* 1 + the probe's number, once a packet of the flow has passed it */
	uint64_t packets;
	uint32_t be_addr; /* what probe_nat has rewritten, to turn it back */
	uint16_t be_port;
	uint16_t be_nat_port;
};

struct probe_note {
	void *flow;
	uint16_t flags;
	uint16_t n; /* packets in the burst */
	enum nfv_dir dir;
	uint64_t packets; /* of the flow's slot, before this one; all ones without a slot */
};

struct probe {
	struct nfv_stage_ops ops;
	/* Set by the test. */
	void (*act)(struct probe *p, struct nfv_burst *b, struct nfv_out *out);
	void (*on_tick)(struct probe *p, uint64_t tsc, struct nfv_out *out);
	int init_error;
	unsigned int arg;
	/* Seen by the test. */
	unsigned int inits, finis, n_notes;
	unsigned int ends, untouched_ends; /* flow_end, and how often with a slot never filled */
	struct probe_note note[PROBE_MAX];
	struct nfv_stage_ctx ctx;
};

extern struct probe probe[PROBES];
/** Order in which probes were called, a digit each: outward "0", inward "a" for probe0. */
extern char probe_trace[PROBE_MAX];

/** Everything as at the beginning: each keeps a slot and lets everything pass. */
void probe_reset(void);
/** The first n probes as a chain's stages. */
struct rig *probe_rig(uint32_t n, struct rig_conf conf);

/* Behaviours. */
void probe_drop(struct probe *p, struct nfv_burst *b, struct nfv_out *out);   /* verdict: arg */
void probe_answer(struct probe *p, struct nfv_burst *b, struct nfv_out *out); /* and consume */
void probe_echo(struct probe *p, struct nfv_burst *b, struct nfv_out *out);   /* answer and keep */
void probe_nat(struct probe *p, struct nfv_burst *b, struct nfv_out *out); /* source to PORT_OUT */
void probe_proxy(struct probe *p, struct nfv_burst *b, struct nfv_out *out); /* forward as own */
void probe_garbage(struct probe *p, struct nfv_burst *b, struct nfv_out *out);
void probe_flood(struct probe *p, struct nfv_burst *b, struct nfv_out *out); /* takes all of out */

#endif
