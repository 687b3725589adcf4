/**
 * @file
 * What is said between the manager and a stage's process: messages on a SOCK_SEQPACKET unix socket,
 * descriptors beside them (SCM_RIGHTS), and the layout of what they share. Packets do not go here.
 *
 * A stage has one template process, which is told everything once, starts the stage, and then forks
 * instances on request; each instance has a socket of its own. Template: HELLO, then CONFIG is
 * answered by READY or FAILED, then each FORK by FORKED, and EXITED follows for each that has ended.
 * Instance: READY when it waits; GO, and GO again when one that ran before it is dead; STATE, where the
 * state it found was torn; SHOW at any time; STOP or end-of-file ends it.
 *
 * Where a stage is replaced by another version of it, that has a template of its own, whose CONFIG comes with
 * the object it is to map. GIVE tells the instance that is live to write its state into its pipe while it
 * works on, TAKE the new one to read it; NEAR says that little is left, the order NFV_WIRE_LAST in shared memory
 * that there will be no packet any more. The new one, which has never had GO, says in shared memory when it
 * has all, and goes on by itself; the old one waits, and works again if packets come, or RESUME.
 *
 * Every length is checked on arrival; what is malformed is refused with a sentence, and whoever sent
 * it is not spoken to again. Descriptors that nobody asked for are closed.
 *
 * Both sides are of one machine and of one build of this header (NFV_WIRE_ABI), so structs go over as
 * they lie in memory. libc only. Threads: control.
 */
#ifndef NFV_WIRE_H
#define NFV_WIRE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "nfv_flow.h"
#include "nfv_object.h"
#include "nfv_ring.h"
#include "nfv_stage.h"

#define NFV_WIRE_ABI   6u
#define NFV_WIRE_MAX   98304u /* bytes of a message's body: a configuration, mostly */
#define NFV_WIRE_FDS   4
#define NFV_WIRE_NAME  64
#define NFV_WIRE_ROOM  1536u /* bytes that a stage which only reads has for one packet of its own */
#define NFV_WIRE_LARGE 65536u /* bytes of a room for a packet that is longer than a buffer */
#define NFV_WIRE_LIST  1024   /* own addresses, or routes, that a stage is told of */

enum nfv_wire_type {
	NFV_WIRE_HELLO = 1, /* template: struct nfv_wire_hello */
	NFV_WIRE_CONFIG, /* manager: struct nfv_wire_config and what follows it; the pool, the chain's pinholes
	                  * and their marks if it finds some, an object */
	NFV_WIRE_READY,  /* struct nfv_wire_ready */
	NFV_WIRE_FAILED, /* a sentence */
	NFV_WIRE_FORK, /* manager: uint32_t serial; the instance's segment, its socket, the pipe it
	                     * writes its state into, the pipe of whoever it is to replace */
	NFV_WIRE_FORKED, /* template: struct nfv_wire_forked; a pidfd */
	NFV_WIRE_EXITED, /* template: struct nfv_wire_forked */
	NFV_WIRE_GO,     /* manager: struct nfv_wire_go */
	NFV_WIRE_STATE,  /* struct nfv_wire_state */
	NFV_WIRE_SHOW,   /* manager: no body */
	NFV_WIRE_SHOWN,  /* text */
	NFV_WIRE_STOP,   /* manager: no body */
	NFV_WIRE_GIVE,   /* manager: struct nfv_wire_give */
	NFV_WIRE_TAKE,   /* manager: the same */
	NFV_WIRE_NEAR,   /* instance: no body */
	NFV_WIRE_RESUME, /* manager: no body */
	NFV_WIRE_TYPES
};

struct nfv_wire_hello {
	uint32_t abi, zero;
};

/** What the stage's process says of its stage; it must be what the manager knows. */
struct nfv_wire_ready {
	char stage[NFV_WIRE_NAME];
	uint32_t access; /* enum nfv_access */
	uint32_t drops;
	char version[NFV_OBJECT_TEXT]; /* "" if it is linked in */
};

/** An instance of the same template may still run, and the state is both's: `after` is its serial. The new
 * one waits until it has stepped back, or for another GO. */
struct nfv_wire_go {
	uint32_t after;  /* 0: nobody runs; NFV_WIRE_NEVER: nobody who will step back */
	uint32_t afresh; /* begin as if there had been nothing */
};
#define NFV_WIRE_NEVER UINT32_MAX

struct nfv_wire_give {
	uint32_t use;    /* of the pipe */
	uint32_t shares; /* the two are to have one processor between them */
};

/** What an instance found, and did. */
struct nfv_wire_state {
	enum nfv_wire_how {
		NFV_STATE_MENDED,
		NFV_STATE_AFRESH,
		NFV_STATE_LOST, /* its template is to start anew, and to read what is on the disk */
	} how;
	uint32_t kept, dropped; /* flows */
	uint32_t zero;
	uint64_t cycles;
};

struct nfv_wire_forked {
	uint32_t serial; /* of EXITED: 0, or NFV_WIRE_NEVER: of who does the stage's upkeep */
	int32_t pid;     /* as the template sees it */
	int32_t status;  /* waitpid's; of EXITED */
};

/** The head of CONFIG; own[0], own[1] and `toward` follow, then the text of the configuration. */
struct nfv_wire_config {
	char stage[NFV_WIRE_NAME], chain[NFV_WIRE_NAME];
	char file[256]; /* the configuration's name, in messages and for relative paths */
	uint32_t access;
	uint32_t buffers, stride; /* of the pool; a buffer's room is its stride */
	uint64_t pool_size;
	uint32_t ring, empties; /* places in the rings */
	uint64_t tsc_hz, seed, group_seed;
	uint32_t shard, shards; /* as nfv_stage_ctx has them */
	struct nfv_flow_timeouts timeouts;
	uint32_t flows;    /* records of each family */
	uint32_t pinholes; /* that it may have open at once; 0: it is to open none */
	uint32_t succeeds; /* as nfv_stage_ctx has it */
	uint32_t large;    /* 1: there are rooms for packets longer than a buffer */
	int32_t socket;    /* NUMA node */
	uint32_t idle_us;  /* of nothing to do, until it naps between looks; 0: it never does */
	uint32_t n_own[2], n_toward, n_text;
	uint32_t finds, finds_number; /* the chain's table: its room, 0: none; its number */
	struct nfv_hash_key finds_key;
};

/** The same with its pointers; they point into what was parsed. */
struct nfv_wire_told {
	struct nfv_wire_config c;
	const struct nfv_prefix *own[2];
	const struct nfv_toward *toward;
	const char *text;
};

/** At the beginning of an instance's segment; the stage's process writes it, so the manager believes
 * none of it. Rings follow at the offsets that nfv_wire_layout tells. */
struct nfv_wire_shared {
	_Alignas(128) _Atomic uint64_t beat; /* counts on as long as it lives */
	_Atomic uint64_t bursts, packets, cycles;
	_Atomic uint64_t key_taken, flows;
	_Atomic uint32_t taken,
		refused; /* it has all of the old one's state; flows it did not take */
	_Alignas(128) _Atomic uint32_t order; /* the manager's: enum nfv_wire_order */
};

enum nfv_wire_order {
	NFV_WIRE_WORK,
	NFV_WIRE_LAST,  /* behind what is in the ring nothing follows for now: hand over */
	NFV_WIRE_LEAVE, /* it has all that was on its way: step back */
};

/**
 * What a stage does to its pinholes: a ring of its own, of which each record takes NFV_HOLE_PLACES places, as
 * bytes. What is put in before a packet is put out is heard before that packet. The stage has a table of its own,
 * by whose tokens it speaks; who begins to work tells all that is in it, between BEGIN and END, and what
 * it has not told then is closed. Back come, in `ended`, descriptors of owners that have expired: `index` and
 * `hash` are the two halves of the token.
 */
struct nfv_wire_hole {
	uint32_t kind; /* enum nfv_pinhole_what, or one of these */
	uint32_t idle; /* seconds */
	uint64_t owner;
	struct nfv_pinhole hole;
};
enum nfv_wire_hole_kind { NFV_HOLE_BEGIN = NFV_PINHOLE_CLOSED + 1, NFV_HOLE_END };
#define NFV_HOLE_PLACES 3u
#define NFV_HOLE_RING   2048u
#define NFV_HOLE_ENDED  256u
_Static_assert(
	sizeof(struct nfv_wire_hole) <= NFV_HOLE_PLACES * sizeof(struct nfv_desc), "it fits");

struct nfv_wire_layout {
	size_t in, out, empty;
	size_t rooms;        /* if it only reads */
	size_t holes, ended; /* if it may open pinholes */
	size_t large;        /* if there are such */
	size_t size;
};

/** By `ring` and `empties`, places, which are powers of two, `access`, `pinholes` and `large`. In out there is a place
 * for each buffer that can be filled. A stage that only reads cannot write into buffers: for what it originates it has
 * `empties` rooms here, and the manager copies what it finds in one before it looks at it. So it does with packets longer than a buffer:
 * there are NFV_LARGE_MAX rooms for those that go there and back, used in turn, whose index in a descriptor is that
 * of the pool's last buffer and more, and behind them as many for those that a stage originates, whose descriptor has
 * the room's number and 1 more as `l3` beside the index of the buffer that it was exchanged for. */
struct nfv_wire_layout nfv_wire_layout(const struct nfv_wire_config *c);

struct nfv_wire_msg {
	uint32_t type, len;
	int fd[NFV_WIRE_FDS];
	uint32_t n_fd;
	_Alignas(8) uint8_t body[NFV_WIRE_MAX + 1]; /* NUL behind its `len` bytes */
};

/** Send a message, with up to NFV_WIRE_FDS descriptors. -EAGAIN: the peer does not read. */
int nfv_wire_send(int sock, enum nfv_wire_type type, const void *body, uint32_t len, const int *fd,
	uint32_t n_fd, struct nfv_err *err);

/**
 * Take a message. 1: there is one, its descriptors are the caller's (nfv_wire_close for those not
 * taken over); 0: the peer has closed; -EAGAIN: nothing yet (`wait` false); -EPROTO: malformed.
 */
int nfv_wire_recv(int sock, bool wait, struct nfv_wire_msg *m, struct nfv_err *err);
/** Close the descriptors that came with it. */
void nfv_wire_close(struct nfv_wire_msg *m);

/** Write CONFIG's body into `to` from its parts; its length, or -E2BIG with a sentence. */
int nfv_wire_pack(const struct nfv_wire_told *told, uint8_t to[NFV_WIRE_MAX], struct nfv_err *err);
/** Check all of it and point into it. */
int nfv_wire_unpack(const struct nfv_wire_msg *m, struct nfv_wire_told *told, struct nfv_err *err);

#endif
