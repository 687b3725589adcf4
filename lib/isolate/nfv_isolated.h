/**
 * @file
 * An isolated stage, as the manager sees it: its processes, the rings to them, what is on its way.
 *
 * A template process starts the stage once and forks instances: one that is live, and a warm spare
 * that waits. Packets are handed over and come back later, in the order they went (nfv_isolated_process,
 * nfv_isolated_collect); nothing ever waits for a stage. The manager keeps, in its own memory, a list
 * of what is on its way in that order, and packets come back in their places of the ring they went by; what a
 * stage originates must be in the next buffer it was given, or the instance is ended on the spot. So buffers
 * cannot be lost, kept, given back twice or exchanged by a stage.
 *
 * An instance whose process is gone, whose heart has stopped, that gives back nothing, or that was
 * caught is killed; when its process is really gone, what it had given back is still taken, the rest
 * goes back to the pool, and the spare is live meanwhile. Until there is one, `on_failure` says what
 * becomes of packets. Every end has its counter, and its sentence (nfv_isolated_last).
 *
 * The instances of a template share the stage's state, and go on with it, one after the other. One that
 * died in the middle of a burst leaves it torn: the next one mends it, or puts it back to how it was at
 * first where the stage cannot mend, or has ended three times in a row by its own fault.
 *
 * A stage that reads only has the pool mapped read-only; what it originates it writes into rooms beside its
 * rings, and it is copied from there. One that writes could write at any time into
 * any buffer of its pool, even those of others: give stages that you do not trust pools of their own.
 * Packets that such a one returns have their headers read again.
 *
 * A stage that opens pinholes (ops->pinholes) has them opened in its chain's table (ctx->pinholes, which outlives
 * this), each checked; one that finds some (ops->finds) reads that table where it is in shared memory
 * (nfv_isolated_pinholes).
 *
 * Threads: process and collect on the worker that runs the chain; everything else on the control
 * thread, with create before and destroy after the worker's time. Counters may be read by any.
 */
#ifndef NFV_ISOLATED_H
#define NFV_ISOLATED_H

#include "nfv_away.h"
#include "nfv_flow.h"
#include "nfv_object_file.h"
#include "nfv_segment.h"
#include "nfv_stage.h"

/** Where packets lie; who gives and takes buffers. `take` and `give` are called by the worker. */
struct nfv_isolated_pool {
	const struct nfv_segment *segment;
	uint32_t stride, buffers; /* buffer i lies at i * stride */
	void *arg;
	/** Up to `n` empty packets as nfv_out has them; how many. */
	uint32_t (*take)(void *arg, struct nfv_pkt *p, uint32_t n);
	void (*give)(void *arg, void *const *buf, uint32_t n);
	/** An empty packet with room for NFV_FRAME_MAX bytes, which need not lie in the segment; false: none now.
	 * NULL: packets that do not lie in the segment are dropped. Else they are copied there and back. */
	bool (*take_large)(void *large, struct nfv_pkt *p);
	void *large;
};

/** Where a chain's pinholes lie, for stages that find some in a process of their own: they have the table
 * read-only, and marks to write. `lender` is nfv_chain_conf's `shared`; it has what it was asked for last. */
struct nfv_isolated_pinholes {
	struct nfv_lender lender;
	struct nfv_segment table, marks;
};
/** Nothing yet; `p` stays where it is. What it lends it has back before it goes. */
void nfv_isolated_pinholes_init(struct nfv_isolated_pinholes *p);

enum nfv_on_failure {
	NFV_FAIL_DROP,   /* dropped and counted */
	NFV_FAIL_BYPASS, /* they go on as if the stage were not there */
	NFV_FAIL_HOLD, /* they wait for the next instance, four times as many as the ring has places */
};

struct nfv_isolated_conf {
	const struct nfv_stage_ops *ops;
	/** Chain, addresses, clock, seed, node; read during create only. */
	const struct nfv_stage_ctx *ctx;
	const char *file, *text; /* the configuration's name, and all of it; may be NULL */
	uint32_t flows;
	struct nfv_flow_timeouts timeouts;
	struct nfv_isolated_pool pool;
	/** Of the chain, if the stage finds some (ctx->pinhole_set is of one table, there); or NULL. Outlives this. */
	const struct nfv_isolated_pinholes *pinholes;
	/** The stage's program, by its path, which finds its socket at descriptor 3; outlives this. */
	const char *const *argv;
	/** The object that has the stage, where the program has not; read during create only. */
	const struct nfv_object_file *object;
	/** If argv is NULL: where a program that somebody else starts connects, and connects again should
	 * it end (`nfv-stage --socket`); outlives this. It has to run as the same user and to be seen by its
	 * process id, since it is ended by it. */
	const char *socket;
	uint32_t connect_ms; /* for it to connect, at the start; 0: 30 s */
	int cpu;             /* for instances; -1: any */
	int worker_cpu; /* where its worker runs, and none of its processes that it starts; -1: unknown */
	uint32_t ring;    /* packets on their way at most; a power of two */
	uint32_t idle_us; /* until an instance naps; 0: never */
	enum nfv_on_failure on_failure;
	uint32_t beat_ms;     /* without a heartbeat: dead; 0: 1000 */
	uint32_t progress_ms; /* with packets on their way and none returned; 0: 1000 */
	/** Until the next fork after an early end, doubled each time; 0: none. */
	uint32_t backoff_ms;
	uint32_t restarts;     /* early ends in a row until it is given up; 0: never */
	uint32_t probation_ms; /* of a version that has replaced another; 0: 10000 */
	uint64_t memory;       /* bytes of address space for each of its processes; 0: no limit */
};

/** Why instances end; names in nfv_end_name. */
enum nfv_end {
	NFV_END_GONE,     /* the process ended or was killed by somebody else */
	NFV_END_RING,     /* an index in shared memory that cannot be */
	NFV_END_INDEX,    /* originated in a buffer that is not the next it was given */
	NFV_END_BOUNDS,   /* a packet outside its buffer; moved or cut by a stage that reads only */
	NFV_END_VERDICT,  /* a verdict or a direction that there is not */
	NFV_END_BEAT,     /* no heartbeat */
	NFV_END_PROGRESS, /* a heartbeat, but nothing comes back */
	NFV_END_MESSAGE,  /* it says what it must not */
	NFV_END_DRAIN,    /* replaced, and did not give back what it had */
	NFV_END_REPLACED, /* replaced, as it was asked to be */
	NFV_END_TAKE,     /* it was to take over from another, and has not */
	NFV_ENDS
};
extern const char *const nfv_end_name[NFV_ENDS];

struct nfv_isolated_stats {
	/* The worker's. */
	uint64_t handed, returned, originated;
	uint64_t full;             /* dropped: the stage does not keep up */
	uint64_t down;             /* dropped: no instance */
	uint64_t bypassed;         /* passed on: no instance */
	uint64_t held;             /* had to wait for one */
	uint64_t foreign;          /* dropped: not in the shared pool, and not to be copied */
	uint64_t unreadable;       /* dropped: returned with headers that are none */
	uint64_t swept;            /* packets that were lost with an instance */
	uint64_t swept_empty;      /* its empty buffers */
	uint64_t pinholes;         /* opened for it, in the chain's table */
	uint64_t pinholes_refused; /* not: they may not be, there is no room, nobody has them */
	/* Originated where it only reads, and no buffer was free, or large enough. */
	uint64_t no_buffer;
	uint64_t pause_tsc; /* longest time without an instance, in cycles */
	/* Replaced by another version: for how long packets had to wait, the last time and at most. */
	uint64_t switch_tsc, switch_most_tsc;
	/* The control thread's. */
	uint64_t ends[NFV_ENDS];
	uint64_t upkeep_ends; /* of processes that do its upkeep */
	uint64_t filtered;    /* of these: ended by the filter of system calls */
	uint64_t forks, templates, kills;
	uint64_t replaced, rolled_back; /* by other versions; of these: those that did not last */
	uint64_t not_replaced;          /* attempts after which the old version went on */
	uint64_t flows_refused;         /* that a new version did not take over */
	uint64_t fork_ns;      /* the last one: from the request until it waited for packets */
	uint64_t mended;       /* state found in the middle of a change, and made consistent */
	uint64_t mend_dropped; /* flows that did not survive that */
	uint64_t mend_ns;      /* the last one */
	uint64_t afresh; /* state put back to how it was at first, or lost with its template */
};

struct nfv_isolated;

/** Start the template and the first instance, which may take a second; waits for it. */
int nfv_isolated_create(
	const struct nfv_isolated_conf *conf, struct nfv_isolated **out, struct nfv_err *err);
/** Stop everything; buffers on their way go back to the pool. Takes NULL. Its first process is killed and may take
 * a while to be gone. */
void nfv_isolated_destroy(struct nfv_isolated *iso);
/** Wait until all such processes of this program's are gone, with the memory they had, but no longer than `ms`. */
void nfv_isolated_await_ends(uint32_t ms);

/**
 * Hand a burst over. What is left in it is for the chain to go on with: nothing, as a rule, or
 * all of it (bypassed). Everything else is this one's, dropped packets too.
 */
void nfv_isolated_process(struct nfv_isolated *iso, struct nfv_burst *burst);
/**
 * What has come back, by direction: `back` with the stage's verdicts, to be swept and run on; and in
 * `origin` what it originated (NFV_PKT_OWN, to be parsed). How many packets in all.
 */
uint32_t nfv_isolated_collect(
	struct nfv_isolated *iso, struct nfv_burst back[2], struct nfv_burst origin[2]);

/** The same as chains take it, which destroy it then. */
struct nfv_away nfv_isolated_away(struct nfv_isolated *iso);

/** Look after its processes: whenever there is something to do, or after `timeout_ms`. */
void nfv_isolated_control(struct nfv_isolated *iso, int timeout_ms);
/** Put the spare in the place of the live instance, without losing a packet. -EAGAIN: none yet. */
int nfv_isolated_replace(struct nfv_isolated *iso, struct nfv_err *err);

/** Where replacing by another version is. */
enum nfv_swap {
	NFV_SWAP_NONE,
	NFV_SWAP_FORKING,   /* the new version's template works; an instance is forked */
	NFV_SWAP_COPYING,   /* the old one writes its state down while it works on */
	NFV_SWAP_SWITCHING, /* packets wait */
	NFV_SWAP_PROBATION, /* the new version works, the old one is kept as it was then */
};

/** Another version of the stage: from an object, or another program's. Files are read during the call only. */
struct nfv_isolated_version {
	/** NULL: the program has it. */
	const struct nfv_object_file *object;
	/** To be run in place of the file that argv[0] names. NULL: that file, as it is by then. */
	const struct nfv_object_file *program;
	/** Outlives the stage. NULL: the program it has; where that is started by somebody else, the next
	 * one that connects. */
	const char *const *argv;
};

/**
 * Put another version in the place of the one that works, without losing a packet, and with all flows. Starts
 * it beside the old one and has it test itself, which may take a second, and looks after the old one
 * meanwhile; 0 when it is ready to take over. The rest is nfv_isolated_control's: the old one writes down
 * its flows, at a burst's boundary packets wait until the new one has the last of them, and for
 * probation_ms the old one is kept: should the new one end in that time, whatever the reason, the old one
 * goes on with what it had. How it went, nfv_isolated_stats and nfv_isolated_last tell.
 * Errors, with a sentence, and the old one goes on: -EAGAIN: not now; or what is wrong with the new one.
 */
int nfv_isolated_replace_by(
	struct nfv_isolated *iso, const struct nfv_isolated_version *version, struct nfv_err *err);
enum nfv_swap nfv_isolated_swap(const struct nfv_isolated *iso);
/** The version that works, as its object has it; "built in" if it is none's. */
const char *nfv_isolated_version(const struct nfv_isolated *iso);
/** Ask the live instance what it has to show, and wait a little for it. */
int nfv_isolated_show(struct nfv_isolated *iso, FILE *to, struct nfv_err *err);
/**
 * Wait for processes that are nobody's any more and have fallen to this one: instances of a template that was
 * killed. Does so only where such fall to it, as to the first process of a container (PID 1, or
 * PR_SET_CHILD_SUBREAPER), and leaves templates to who waits for them; other children the program must not
 * have. Every now and then, on any thread; how many.
 */
uint32_t nfv_isolated_reap(void);
/** Whether an instance is live; pid, unless NULL, is its process. */
bool nfv_isolated_live(const struct nfv_isolated *iso, int *pid);
/** Whether a spare waits. */
bool nfv_isolated_spare(const struct nfv_isolated *iso);
/** The last thing that went wrong, a sentence; "" if nothing has. */
const char *nfv_isolated_last(const struct nfv_isolated *iso);
const struct nfv_isolated_stats *nfv_isolated_stats(const struct nfv_isolated *iso);

#endif
