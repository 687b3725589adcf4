/**
 * @file
 * A chain of which one stage runs in a process of its own, and the two networks beside it, all on one thread:
 * user agents that call each other through it (party.h), and plain flows (flows.h).
 *
 *   caller ─┐                                              ┌─ callee
 *           ├─ 10.1.0.1 [firewall, nat, sip] 10.2.0.1 ─────┤
 *   flows ──┘                  └── isolated                └─ flows
 *
 * Ports are rings in memory. What the agents send is copied into the chain's pool, where the isolated stage
 * can see it. Threads: one, but for `iso`, whose control is somebody else's. Errors end the process with a
 * sentence.
 */
#ifndef CROSSING_H
#define CROSSING_H

#include "flows.h"
#include "nfv_isolate_pool.h"
#include "nfv_pipeline.h"
#include "nfv_port.h"
#include "party.h"

#define CROSSING_STAGES 3

struct crossing_conf {
	const char *config;  /* a file with the sections of the stages */
	const char *stage;   /* the one that is isolated */
	const char *program; /* that maps objects */
	const struct nfv_object_file *object;
	const char *caller; /* a scenario */
	double calls;       /* a second */
	uint32_t flows, ring, idle_us, probation_ms;
	int cpu; /* of instances */
};

struct crossing {
	const struct crossing_conf *conf;
	struct nfv_isolate_pool pool;
	struct nfv_port near[2], far[2],
		agents[2]; /* the chain's, the others' ends of them, the agents' */
	struct nfv_conf *doc;
	void *section[CROSSING_STAGES];
	struct nfv_chain *chain;
	struct nfv_isolated *iso;
	const char *argv[4];
	struct party party[2];
	struct flows flows;
	uint64_t hz, next_tick, polled;
	uint64_t wire_full; /* of what is sent: a ring had no room */
};

void crossing_create(struct crossing *x, const struct crossing_conf *conf);
/** Buffers that are not back. */
uint32_t crossing_destroy(struct crossing *x);

/** One turn of all: the chain, the wires, and the agents. */
void crossing_turn(struct crossing *x);
/** Send the next `n` packets of the plain flows. */
void crossing_send(struct crossing *x, uint32_t n);
/** Packets that the chain has lost, for whatever reason, each printed with its number. */
uint64_t crossing_lost(const struct crossing *x);

#endif
