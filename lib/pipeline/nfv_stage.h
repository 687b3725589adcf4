/**
 * @file
 * The stage interface: what a network function is to the pipeline.
 *
 * A stage marks packets and rewrites them; it does not free, send, log, lock or allocate while it
 * processes. Its state is per worker and needs no lock. The same object runs fused into a worker's
 * loop, alone in a process, and in a unit test with packets on the stack; so this header and what a
 * stage needs of it are libc only.
 *
 * A stage is one static `struct nfv_stage_ops` and NFV_STAGE_REGISTER. docs/writing-a-stage.md walks
 * through a whole one.
 *
 * What changes after init belongs where a process that dies leaves it to the next: in the state, in slots,
 * in what the lender gave. Other memory that init takes is for what stays as it is.
 *
 * Another version of a stage can take the place of one that runs: it reads what the old one writes of its
 * state, as records of bytes (state_version and what follows it). Records are the stage's own affair but for
 * this: they hold no pointers, a later version reads those of earlier ones, and what is read may be
 * anything. A stage without them can be replaced, too; it begins anew.
 *
 * Threads: init, process, steer, told, tick, flow_end and fini run on the worker's own lcore, one at a time; so
 * memory that init touches first lies on the worker's NUMA node. show and upkeep run on the control
 * thread while process may be running: show reads plain counters and tolerates that they move.
 */
#ifndef NFV_STAGE_H
#define NFV_STAGE_H

#include <stdio.h>

#include "nfv_addr.h"
#include "nfv_conf.h"
#include "nfv_err.h"
#include "nfv_lender.h"
#include "nfv_pinhole.h"
#include "nfv_pkt.h"

enum nfv_access {
	NFV_READS,  /* looks only: where isolated, it gets the packets' pages read-only */
	NFV_WRITES, /* may change packets */
};

/** Which way an address lies, longest prefix first; the pipeline's routes as plain data. */
struct nfv_toward {
	struct nfv_prefix prefix;
	enum nfv_dir dir;
};

/** How a stage tells the others of its place in a chain's other shards; to each its message comes once, in
 * order, and before packets that were received after it was told. */
struct nfv_tell {
	/** Whether there is room to tell them `n` bytes, at most NFV_FRAME_MAX; to be asked before. */
	bool (*room)(void *arg, size_t n);
	void (*tell)(void *arg, const void *bytes, size_t n); /* no more than there is room for */
	void *arg;
};

/** Where a stage's records go when it hands over its state: 0, or -errno if they can go nowhere. */
struct nfv_put {
	int (*put)(void *arg, const void *bytes, size_t n); /* at most NFV_CARRY_MAX bytes */
	void *arg;
};
#define NFV_CARRY_MAX 1024u

/** What a stage keeps beside flows, as records by number: of one kind. It is the stage's. */
struct nfv_items {
	uint32_t n;        /* numbers 0 to n - 1; it stays as it is after init */
	uint64_t *touched; /* a bit for each, of who writes them down; NULL: nobody does */
};
#define NFV_ITEM_KINDS 8u
#define NFV_ITEM_MAX   (160u << 10) /* bytes of one of them */

/** Record `i` is another one now, or new, or no more. */
static inline void
nfv_item_touch(const struct nfv_items *items, uint32_t i)
{
	if (__builtin_expect(items->touched != NULL, 0))
		items->touched[i / 64] |= 1ull << i % 64;
}

/** What a stage is told when it starts. Valid during init only, but for what it points to. */
struct nfv_stage_ctx {
	const void *conf;           /* the filled struct of ops->conf, NULL if there is no schema */
	const struct nfv_conf *doc; /* for nfv_conf_fail; NULL in tests */
	const char *chain;          /* name of the chain it is part of */
	/** The chain's own addresses: of the port that packets leave by in a direction. */
	const struct nfv_prefix *own[2];
	uint32_t n_own[2];
	const struct nfv_toward *toward; /* longest prefix first */
	uint32_t n_toward;
	struct nfv_pinholes *pinholes; /* to open some; NULL if none of its stages opens any */
	const struct nfv_pinhole_set *pinhole_set; /* to find some, all shards' */
	/** For tables in pages: whose, under what name (nfv_lender.h); NULL: plain ones. Outlives the stage. */
	const struct nfv_lender *lender;
	uint64_t tsc_hz;
	uint64_t tsc;  /* now */
	uint64_t seed; /* random; for keyed hashes */
	/* Of a chain that is spread over workers each runs a shard, with stages of its own. */
	uint32_t shard, shards; /* which one of how many; 0 of 1 (tests: or of 0) if it is not */
	uint64_t group_seed;    /* the same in all of them */
	const struct nfv_tell *tell; /* NULL if there is nobody to tell */
	/** Another version still works, and will hand its state over before there is a packet: what one alone
	 * may have, a file for instance, is still the other's. */
	bool succeeds;
	int socket; /* NUMA node of the worker, for libraries that ask for one */
};

/** A flow that is left when a stage mends its state; all zero to begin with. */
struct nfv_mend_flow {
	void *slot;                     /* this stage's part of the record */
	const struct nfv_flow_key *key; /* of the packet that began the flow (nfv_flow.h) */
	uint8_t family;
	uint32_t next; /* for `next` alone */
};

/** What a stage is told when it is to mend its state. */
struct nfv_mend {
	uint64_t tsc; /* now */
	/** The next flow, in any order; false: there are no more. Only flows of which a packet has passed. */
	bool (*next)(const struct nfv_mend *mend, struct nfv_mend_flow *f);
	/** Its slot says what cannot be: the flow goes, without flow_end. */
	void (*drop)(const struct nfv_mend *mend, const struct nfv_mend_flow *f);
	void *arg;
};

struct nfv_stage_ops {
	const char *name; /* in `stages:`, and of its section in the configuration */
	enum nfv_access access;
	/** It is an end of flows, as a proxy is: packets it forwards are its own (NFV_PKT_OWN). The
	 * chain's flow record ends here; on its other side a new one begins. */
	bool ends_flows;
	bool dpdk; /* it uses DPDK's tables: isolated, it takes a program with an EAL (nfv-stage-dpdk) */
	bool finds;        /* it lets flows in by pinholes */
	bool pinholes;     /* it opens pinholes, for what it knows to come (nfv_pinhole.h) */
	size_t state_size; /* zeroed memory handed to init as `state` */
	size_t flow_size;  /* bytes of per-flow state it keeps in nfv_pkt.flow; 0 if none */
	const struct nfv_conf_schema *conf; /* may be NULL */
	const char *const *drops; /* names of its drop reasons, NULL-terminated, or NULL */

	/** Errors: 0 or -errno with a sentence in *err; fini is called either way. */
	int (*init)(void *state, const struct nfv_stage_ctx *ctx, struct nfv_err *err);
	/** Look at every packet of the burst and set verdicts. */
	void (*process)(void *state, struct nfv_burst *burst, struct nfv_out *out);
	/** Whose a packet is: the shard that has to see it, since it keeps what belongs to it; -1: any. Asked
	 * before process, of a chain that is spread only, and in whichever shard the packet comes; may be
	 * NULL. */
	int (*steer)(const void *state, const struct nfv_pkt *p, enum nfv_dir dir);
	/** Another shard's stage has told this; may be NULL. */
	void (*told)(void *state, const void *bytes, size_t n, uint64_t tsc);
	/** About once a millisecond, for timers; may be NULL. */
	void (*tick)(void *state, uint64_t tsc, struct nfv_out *out);
	/** On the control thread, every few milliseconds, beside all the others: what may have to wait,
	 * for a disk for instance; may be NULL. Isolated, it has a process of its own, which may sync what init
	 * has mapped (msync) and opens nothing. */
	void (*upkeep)(void *state, uint64_t tsc);
	/** Whether it keeps on a disk what it reads again in init. Asked once, behind init; may be NULL. Isolated,
	 * one that does not has no upkeep, and one that does begins afresh by starting anew. */
	bool (*on_disk)(const void *state);
	/** A flow is over; `slot` is this stage's part of its record, still zeroed if its packets were
	 * dropped before they reached the stage. Once for each record; may be NULL. */
	void (*flow_end)(void *state, void *slot);
	/** The process that ran the stage has died in the middle of a call, and this one goes on with its
	 * state, the pages and the slots it had (docs/containers.md): make them consistent, whatever is found
	 * there, or say by -errno that it cannot be done. Flows' records are mended before; what came of flows
	 * that are gone is to be counted anew, flow_end is not called for them. Must not allocate, nor call
	 * the system. NULL: it cannot be done, such a stage begins afresh. */
	int (*mend)(void *state, const struct nfv_mend *mend);
	/** Counters and tables for a person (`show stage NAME`); may be NULL. */
	void (*show)(const void *state, FILE *to);
	void (*fini)(void *state); /* may be NULL */

	/* Handing over to another version: all may be NULL, on the worker's lcore, or where it is started. */
	uint32_t state_version; /* of the records it writes; 0: it hands nothing over */
	uint32_t state_since;   /* the oldest version whose records it reads */
	/** What it keeps of one flow in its slot, `room` being NFV_CARRY_MAX: how many bytes. */
	size_t (*export_flow)(const void *state, const void *slot, void *to, size_t room);
	/** The same read into a zeroed slot. -errno: this flow cannot go on, and the slot is zero still. */
	int (*import_flow)(void *state, uint32_t version, const void *bytes, size_t n, void *slot);
	/** What it keeps beside flows by number, kind by kind; NULL: there are no more kinds. It says of each
	 * that changes so by nfv_item_touch. All three or none. */
	struct nfv_items *(*items)(void *state, uint32_t kind);
	/** One of them in full, between two bursts; `to` has NFV_ITEM_MAX bytes. How many; 0: there is none. */
	size_t (*export_item)(const void *state, uint32_t kind, uint32_t i, uint8_t *to);
	/** The same read: as it is now, whatever came of that number before. They come in any order, again, and
	 * what one names of another may not be there yet. n 0: it is no more. -errno: it cannot be had, and there
	 * is none of that number then. `i` may be anything. */
	int (*import_item)(void *state, uint32_t version, uint32_t kind, uint32_t i,
		const void *bytes, size_t n);
	/** What else it keeps; the last thing it does, when it has its last packet behind it. Should the other
	 * not take over, it goes on. */
	int (*export_)(void *state, const struct nfv_put *to);
	/** One of those records, when all flows and items have come; and, of a stage with items, n 0: that was
	 * all. */
	int (*import)(void *state, uint32_t version, const void *bytes, size_t n);
	/** Once behind init, before there is a packet: whether it works. It leaves the state as it was. */
	int (*selftest)(void *state, struct nfv_err *err);

	struct nfv_stage_ops *next; /* the registry's */
};

/** The direction in which `addr` lies, by longest prefix; `otherwise` if no prefix has it. */
enum nfv_dir nfv_stage_toward(const struct nfv_toward *toward, uint32_t n,
	const struct nfv_addr *addr, enum nfv_dir otherwise);

void nfv_stage_register(struct nfv_stage_ops *ops);
/** By name; NULL if there is none. */
const struct nfv_stage_ops *nfv_stage_find(const char *name);
/** All of them, in alphabetical order: start with NULL, ends with NULL. */
const struct nfv_stage_ops *nfv_stage_next(const struct nfv_stage_ops *after);

#define NFV_STAGE_REGISTER(ops)                                                                    \
	__attribute__((constructor)) static void ops##_register(void)                              \
	{                                                                                          \
		nfv_stage_register(&(ops));                                                        \
	}

#endif
