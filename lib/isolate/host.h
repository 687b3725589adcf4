/**
 * @file
 * The inside of an isolated stage at the manager's end.
 *
 * An instance's state goes round. The control thread takes it from FREE to OFFERED, the worker from
 * there to LIVE; either condemns it, the control thread kills it and tells when it is DEAD, and the
 * worker makes that SWEPT, after which it is the control thread's again.
 */
#ifndef HOST_H
#define HOST_H

#include <sys/types.h>

#include "nfv_isolated.h"
#include "nfv_wire.h"

#define INSTANCES   6 /* one live, one spare, one to replace them, three on their way out */
#define EMPTIES     64u
#define GUEST_FILES 4  /* a program finds its socket at the one before, and nothing from here on */
#define HELD        4u /* packets that wait, at most: so many times the ring's places */

/* Of an instance that takes over another's state: HEIR is its WARM, and between OFFERED and LIVE it is
 * TAKING; the other is GIVING meanwhile and then PARKED, from where it can be LIVE again. */
enum state {
	FREE,
	FORKING,
	WARM,
	HEIR,
	OFFERED,
	TAKING,
	LIVE,
	DRAINING,
	GIVING,
	PARKED,
	DRAINED,
	CONDEMNED,
	DEAD,
	SWEPT
};

/* A stage's first process, of one version of the stage. */
struct template
{
	const char *const *argv;
	int object;  /* that it maps; -1: it has the stage linked in */
	int program; /* that is run; -1: what argv[0] names */
	int sock, pidfd, pid;
	uint64_t number; /* the how manieth it is */
	bool spawned;    /* it is our child */
	bool ready;
	char version[NFV_OBJECT_TEXT];
};

/* Packets on their way, as they were, first in, first out; `verdict` is the direction meanwhile, and LARGE if they went
 * by copy. */
#define LARGE 2u
struct flights {
	struct nfv_pkt *at;
	uint32_t size; /* a power of two */
	uint32_t head, tail;
};

struct instance {
	_Atomic int state; /* enum state */
	_Atomic int why;   /* enum nfv_end; once CONDEMNED */
	/* The worker's. */
	struct nfv_ring_end in, out, empty;
	struct nfv_ring_end holes, ended; /* if it may open pinholes */
	struct flights on_way, given;
	const uint8_t *rooms; /* of a stage that only reads: what it originates */
	uint8_t *large;       /* rooms for packets longer than a buffer; NULL: there are none */
	uint32_t large_head, large_tail;
	bool caught; /* what it says is no longer listened to */
	_Atomic uint32_t in_flight;
	_Atomic uint64_t returned;
	/* The control thread's. */
	struct nfv_segment shared, outbox; /* the second is the slot's, for whoever has it */
	struct template *of;
	int sock, pidfd;
	bool hung_up; /* nothing is to be read from `sock` any more */
	bool killed;
	bool filtered; /* ended by the filter of system calls */
	bool ready;    /* it waits, as it has said */
	bool heir;     /* it is to take over another's state */
	bool near;     /* it has written down nearly all of its state */
	bool gone_to;  /* it has been told GO, so it may touch the state */
	bool waits;    /* as long as another of its template may */
	bool told;     /* what it did with the state it found */
	uint32_t serial;
	uint64_t template; /* the how manieth it is of */
	int pid;           /* as the manager sees it */
	int template_pid;  /* as the template does */
	uint64_t since;    /* ns: of the state it is in */
	uint64_t asked;    /* ns: for the fork */
	uint64_t beat, beat_at, done, done_at, polls;
};

struct held {
	struct nfv_pkt pkt;
	enum nfv_dir dir;
};

/* A stage on its way from one version to another. */
struct swap {
	enum nfv_swap state;
	struct instance *giver, *heir;
	struct template *to;
	uint64_t since; /* ns: of the state */
	uint32_t use;   /* of a giver's pipe, so far */
	bool done;      /* this one took over */
};

struct holes; /* host_holes.c's */

struct nfv_isolated {
	/* Read by both, written by neither. */
	const struct nfv_stage_ops *ops;
	struct nfv_isolated_pool pool;
	uint8_t *base;
	uint64_t reciprocal; /* of stride / 64 */
	uint32_t ring, drops;
	uint64_t tsc_hz;
	enum nfv_on_failure on_failure;
	/* Between them. */
	_Atomic uint32_t attention; /* states have changed */
	_Atomic(struct instance *) next;
	_Atomic uint64_t polls;           /* collects so far */
	_Atomic(struct instance *) shown; /* the one in use, for the control thread to see */
	struct instance slot[INSTANCES];
	/* The worker's. */
	struct instance *cur;
	struct instance *giver; /* whose state `cur` took over */
	uint64_t given_since;
	uint32_t others;     /* instances beside it that still have packets */
	bool finds;          /* it looks into the chain's pinholes */
	struct holes *holes; /* NULL: the stage opens none */
	struct held *held;
	uint32_t held_head, held_tail;
	uint64_t down_since;
	struct nfv_isolated_stats stats;
	/* The control thread's. */
	struct nfv_isolated_conf conf;
	uint8_t *config; /* as it goes over */
	uint32_t config_len;
	int door; /* where templates connect that are not spawned here, or -1 */
	struct template tmpl[2], *now; /* the second is the one in use */
	struct swap swap;
	uint32_t serial, early;
	uint32_t faults;     /* ends in a row that were the stage's own fault */
	uint64_t not_before; /* ns: no fork until then */
	struct nfv_err last;
	char *text; /* what was shown last */
	uint32_t n_text;
	bool answered;
	struct nfv_wire_msg msg;
};

/* Worker: one instance. Packets are handed to it, those that there is no room for dropped; it is kept in empty
 * buffers; what it has put out is taken, as much as there is room for, and how many that were. */
void path_hand(struct nfv_isolated *iso, struct instance *in, const struct nfv_pkt *pkt, uint32_t n,
	enum nfv_dir dir);
void path_feed(struct nfv_isolated *iso, struct instance *in);
uint32_t path_collect(struct nfv_isolated *iso, struct instance *in, struct nfv_burst back[2],
	struct nfv_burst origin[2]);
/* What it still has goes back to the pool. */
void path_sweep(struct nfv_isolated *iso, struct instance *in);
/* All of them, and what is held. */
void worker_fini(struct nfv_isolated *iso);
/* Of a stage that only reads: give it `n` rooms; and what lies in the one that `d` is of, which is checked, copied
 * into a buffer that nobody but us writes. False: there is none, or it is too small; counted. */
void rooms_feed(struct instance *in, uint32_t n);
bool rooms_fetch(struct nfv_isolated *iso, const struct instance *in, const struct nfv_desc *d,
	struct nfv_pkt *p);

/* The chain's pinholes, which the stage finds: what it is told of them, if it is; and descriptors of table and
 * marks: how many. */
void finds_tell(const struct nfv_isolated_conf *c, struct nfv_wire_config *to);
int finds_lend(const struct nfv_isolated *iso, int fd[2], struct nfv_err *err);

/* Pinholes that the stage opens in the chain's table. */
int holes_init(struct nfv_isolated *iso, const struct nfv_stage_ctx *ctx, struct nfv_err *err);
void holes_fini(struct nfv_isolated *iso);
void holes_instance(struct instance *in, const struct nfv_wire_layout *l);
/* Worker: hear what it has said, as much as is due in a poll, if all that it may say may be heard then; false: there is
 * more, or it has been caught, and what it has put out is to wait. */
bool holes_follow(struct nfv_isolated *iso, struct instance *in);
/* Worker: once a poll; what has gone. */
void holes_look(struct nfv_isolated *iso, uint64_t now);

/* Packets that do not lie in the pool, by copy: whether there is a room; into the next one, which `d` tells of then;
 * what has come back in the oldest, and what is originated in room `d->l3`. False: there is no buffer for it, counted. */
static inline bool
large_fits(const struct instance *in)
{
	return in->large != NULL && in->large_head - in->large_tail < NFV_LARGE_MAX;
}
void large_hand(const struct nfv_isolated *iso, struct instance *in, const struct nfv_pkt *p,
	struct nfv_desc *d);
enum nfv_end large_check(
	const struct nfv_isolated *iso, const struct nfv_desc *d, const struct nfv_pkt *was);
bool large_reopen(struct nfv_isolated *iso, struct instance *in, const struct nfv_desc *d,
	const struct nfv_pkt *was, struct nfv_pkt *p);
bool large_fetch(struct nfv_isolated *iso, const struct instance *in, const struct nfv_desc *d,
	struct nfv_pkt *p);

/* Processes: the template started and told, or -errno with a sentence. */
int template_start(struct nfv_isolated *iso, struct template *t, struct nfv_err *err);
void template_end(struct template *t);
/* What it is started from. */
void template_forget(struct template *t);
/* The door at `path`: a descriptor or -errno with a sentence; who has knocked, or -EAGAIN; and shut. */
int door_open(const char *path, struct nfv_err *err);
int door_await(int fd, int timeout_ms);
void door_close(int fd, const char *path);
/* Ask for an instance in a free slot; `giver`: whose state it is to take over, or NULL. */
int instance_ask(struct nfv_isolated *iso, struct template *t, struct instance *in,
	const struct instance *giver, struct nfv_err *err);
/* The process that `pidfd` is of, if it is a child of `parent`; -EPERM if not. */
int instance_pid(int pidfd, int parent);
/* To its processor, now that it is to work: whoever polls there would keep one that still gets ready waiting.
 * Where that is not to be had it runs where it may. */
void instance_place(const struct nfv_isolated *iso, const struct instance *in);
void instance_kill(struct nfv_isolated *iso, struct instance *in);
/* Give back all a slot has; its buffers are swept already. */
void instance_free(struct instance *in);

/* A child of ours is about to be started: 0 or a positive error, and a lock is taken until reap_started; which it
 * was, or -1. It is killed: nobody waits for it to be gone, since each of its threads has to be given time to end,
 * which takes long where there is much else to do; but there is a look at it now and then: how many are left. */
int reap_begin(void);
void reap_started(pid_t pid);
void reap_ended(pid_t pid);
uint32_t reap_look(void);

/* Replacing by another version, a look at it: whether nothing else is to be done about who is next. */
bool swap_look(struct nfv_isolated *iso, uint64_t now);
/* A version of a template, for sentences. */
const char *version_of(const struct template *t);
/* Ended, and killed. */
void instance_end(struct nfv_isolated *iso, struct instance *in, enum nfv_end why);
uint64_t host_now(void);

/* Turns: tell one GO, or that it has to wait for its turn; those that wait, as soon as they need not; and
 * hear what one has done with the state that it found. */
bool turn_go(struct nfv_isolated *iso, struct instance *in);
void turn_pass(struct nfv_isolated *iso);
void turn_told(struct nfv_isolated *iso, struct instance *in);
/* A template is ended, and its instances, if they are spawned, with it; the next one begins afresh. */
void template_lost(struct nfv_isolated *iso, struct template *t, const char *why);

static inline struct nfv_pkt *
flights_first(const struct flights *f)
{
	return f->head != f->tail ? &f->at[f->tail & (f->size - 1)] : NULL;
}

static inline void
give_one(const struct nfv_isolated *iso, void *buf)
{
	iso->pool.give(iso->pool.arg, &buf, 1);
}

static inline bool
condemn(struct nfv_isolated *iso, struct instance *in, enum nfv_end why)
{
	int was = atomic_load(&in->state);

	while (was >= FORKING && was < CONDEMNED) {
		int before = was;

		/* The reason may be told by the one who wins only; the other's is as good. */
		atomic_store(&in->why, why);
		if (atomic_compare_exchange_strong(&in->state, &before, CONDEMNED)) {
			atomic_store(&iso->attention, 1);
			return true;
		}
		was = before;
	}
	return false;
}

#endif
