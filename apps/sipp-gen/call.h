/**
 * @file
 * The inside of an agent: a call's slot, and what the parts share. agent.c is the
 * loop: timers, and when calls begin and end; slots.c is the room for them; match.c finds the call and
 * the step a message belongs to; play.c plays steps: waits, acts, goes on; send.c makes a step's message
 * and sends it; dialog.c answers where the scenario has no word (retransmissions, what is unexpected).
 */
#ifndef CALL_H
#define CALL_H

#include "actions.h"
#include "agent.h"
#include "crowd.h"
#include "impair.h"
#include "nfv_hash.h"
#include "nfv_wheel.h"

#define NO_CALL        UINT32_MAX
#define NO_BLOCK       UINT32_MAX
#define BLOCK_BYTES    2042u
#define SLOT_LINES     4u   /* cache lines of a slot, where a scenario needs nothing special */
#define TEXT_CALL_IDS  128u /* bytes: a peer's Call-ID */
#define TEXT_ROUTE_SET 448u /* bytes */

enum text { TEXT_CALL_ID, TEXT_PEER_TAG, TEXT_NEXT_URL, TEXT_ROUTES, TEXTS };

enum call_state {
	CALL_FREE,
	CALL_RUNNING, /* steps are being played, for a moment */
	CALL_RECV,    /* waits for a message */
	CALL_PAUSE,   /* waits for a time */
};

/** A message that is kept: as sent, or as received; a long one in several. */
struct block {
	uint32_t next; /* of the same message, or of the free list; NO_BLOCK: it is the last */
	uint16_t n;
	char bytes[BLOCK_BYTES];
};

struct call {
	struct nfv_wheel_timer timer;
	uint64_t begun;  /* TSC: when it was to begin */
	uint64_t sent;   /* TSC in the branch of the message last sent; in a slot it only grows */
	uint64_t resend; /* TSC; 0: nothing is to be sent again */
	uint64_t due;    /* TSC of the pause's end or the wait's; 0: none */
	uint64_t number; /* of the call, from 1 */
	uint64_t hash;   /* of the peer's Call-ID */
	struct nfv_endpoint peer;
	uint32_t chain; /* next call of the bucket */
	uint32_t generation;
	uint32_t interval_ms; /* of the next retransmission */
	uint32_t cseq;        /* of our last request */
	uint32_t invite_cseq; /* of our INVITE, and its ACK */
	uint32_t answer_cseq; /* of the response last dealt with */
	uint32_t peer_cseq;   /* of the request last received */
	uint32_t block_in, block_out;
	uint32_t user; /* of the crowd; 0: of none */
	uint16_t pc;   /* step to be played next; in CALL_RECV the first one waited for */
	uint16_t last_send, last_recv; /* steps + 1; 0: none */
	uint16_t invite, ack;          /* steps + 1 of our INVITE, and of the ACK for its 2xx */
	uint16_t out_n;                /* bytes of the last message sent, if it had to be kept */
	uint16_t text[TEXTS + 1];      /* ends of the texts in the slot's room */
	uint8_t state, resent;
	uint8_t peer_method, method; /* of the request last received; of ours, last sent */
	bool lingering;              /* over, but for strays: in a timewait */
	bool caller, established;
	bool answered, rang; /* our INVITE had an answer at all; one of 18x or a final one */
};

struct agent {
	struct agent_conf conf;
	const struct scenario *sc;
	struct net *net;
	uint64_t ms;    /* TSC ticks a millisecond */
	uint8_t *slots; /* struct call, text, variables, starts of rtds: `stride` bytes each */
	size_t stride, vars_at, rtd_at, lines_at, text_room;
	unsigned int rtds; /* timers that the scenario has */
	uint32_t *free_slot, n_free;
	/* Calls that linger, oldest first; one that has ended meanwhile has another generation. */
	struct linger {
		uint32_t slot, generation;
	} * linger;
	uint64_t linger_from, linger_to; /* places taken and given, modulo conf.open */
	uint64_t lingering, heard;       /* calls; TSC of the last message */
	struct block *block;
	/* Those that have never been used are not in the list: the kernel has not given them yet. */
	uint32_t blocks, free_block, touched_blocks;
	uint32_t *bucket; /* calls of peers, by Call-ID */
	uint64_t mask;
	struct vars *global;
	struct crowd crowd;
	struct impair *impair; /* NULL: nothing is done on purpose */
	struct users_cursor cursor[AGENT_FILES];
	const struct call *current;     /* whose message is being made */
	char field[2][USERS_FIELD_MAX]; /* fields that have to be made up, in turn */
	unsigned int field_at;
	uint64_t wall_us, created; /* the time of day at a TSC */
	struct nfv_wheel wheel;
	struct pace pace;
	uint64_t number, next_tick;
	struct rnd random;
	struct nfv_hash_key hash_key;
	uint16_t first_recv; /* the step that a call of a peer's begins with */
	bool has_global;     /* there are steps that are optional everywhere */
	uint8_t answers
		[SCENARIO_STEPS]; /* of a step that expects a response: the request's method */
	struct actions_env actions;
	struct nfv_sip_msg msg, own;    /* the message at hand; one of ours */
	const struct nfv_sip_msg *last; /* that the message being made answers */
	char scratch[NFV_SIP_BYTES_MAX];
	char local_ip[64], media_ip[64];
	_Atomic double rate; /* asked for by the control thread; < 0: nothing new */
	_Atomic int stop;    /* 1: no more calls; 2: end them */
	bool ended;
	uint64_t now;
	struct stats stats;
};

static inline struct call *
call_at(const struct agent *a, uint32_t i)
{
	return (struct call *)(void *)(a->slots + i * a->stride);
}

static inline uint32_t
call_index(const struct agent *a, const struct call *c)
{
	return (uint32_t)((size_t)((const uint8_t *)c - a->slots) / a->stride);
}

static inline char *
call_text_room(struct call *c)
{
	return (char *)(c + 1);
}

static inline struct nfv_sv
call_text(struct call *c, enum text t)
{
	return nfv_sv(call_text_room(c) + c->text[t], (size_t)(c->text[t + 1] - c->text[t]));
}

static inline uint64_t *
call_rtd(const struct agent *a, struct call *c)
{
	return (uint64_t *)(void *)((uint8_t *)c + a->rtd_at);
}

/* Whether something of this chance comes to pass. */
static inline bool
agent_chance(struct agent *a, double chance)
{
	return rnd_unit(&a->random) <= chance;
}

/* The call's line of each file of users. */
static inline uint32_t *
call_lines(const struct agent *a, const struct call *c)
{
	return (uint32_t *)(uintptr_t)((const uint8_t *)c + a->lines_at);
}

/* Facts of which only the variables are there. */
static inline struct facts
call_vars(const struct agent *a, struct call *c)
{
	struct facts f = {
		.vars = { [VAR_USER] = crowd_vars(&a->crowd, c->user), [VAR_GLOBAL] = a->global }
	};

	if (a->sc->n_scope[VAR_CALL] > 0)
		f.vars[VAR_CALL] = (struct vars *)(void *)((uint8_t *)c + a->vars_at);
	return f;
}

/* Every timer runs from the call's beginning, until the scenario starts it anew. */
static inline void
call_start_rtds(const struct agent *a, struct call *c)
{
	for (unsigned int i = 1; i <= a->rtds; i++)
		call_rtd(a, c)[i] = c->begun;
}

/* slots.c */

/** Room for conf.open calls of the scenario. Errors: -ENOMEM, with what would do; then, too, it must be
 * given back. */
int slots_init(struct agent *a, struct nfv_err *err);
void slots_fini(struct agent *a);
/** A slot for a new call, of a user of the crowd or (0) of nobody in particular, its timer not running;
 * NULL: none is free. */
struct call *call_take(struct agent *a, uint32_t user);
/** The call has ended, well or by a cause. Frees its slot. */
void call_succeed(struct agent *a, struct call *c);
void call_fail(struct agent *a, struct call *c, enum cause cause);
/** The call is over and waits for strays only; its slot may be needed before. */
void call_linger(struct agent *a, struct call *c);
/** Set a text; false: no room. */
bool call_set_text(struct agent *a, struct call *c, enum text t, struct nfv_sv s);
/** Wake the call at the earlier of c->due and c->resend. */
void call_arm(struct agent *a, struct call *c);
/** Keep bytes in blocks, in place of what was kept there. False, and nothing is: too few are free. */
bool call_keep(struct agent *a, uint32_t *block, struct nfv_sv bytes);
/** What is kept: where it lies, or, if that is in pieces, copied to `room`. */
struct nfv_sv call_kept(const struct agent *a, uint32_t block, char *room);
void call_drop(struct agent *a, uint32_t *block);

/* agent.c */

/** For facts: a field of a file of users. */
struct nfv_sv agent_field(void *agent, struct nfv_sv file, int64_t line, unsigned int field);

/* match.c */

void match_datagram(void *agent, const struct net_datagram *d);
/** Value of a field's first line; a NULL view if there is none. */
struct nfv_sv match_value(const struct nfv_sip_msg *m, enum nfv_sip_field field);
/** "1 INVITE". False: it is none. */
bool match_cseq(const struct nfv_sip_msg *m, uint32_t *number, uint8_t *method);
void match_forget(struct agent *a, struct call *c);

/* play.c */

/** Play steps from c->pc on until the call waits or ends. `msg`: the message just received, or NULL. */
void play(struct agent *a, struct call *c, const struct nfv_sip_msg *msg);
/** The step at `i` has got its message. */
void play_received(struct agent *a, struct call *c, uint16_t i, const struct nfv_sip_msg *msg);
/** A timer of the call has expired. */
void play_timer(struct agent *a, struct call *c);

/* send.c */

/** Send the last message again; `m`: the request, come again, that it answers, or NULL. */
void send_again(struct agent *a, struct call *c, const struct nfv_sip_msg *m);
/** Send the step's message, once more. */
bool send_step(
	struct agent *a, struct call *c, uint16_t step, const struct nfv_sip_msg *last, bool again);
/** Put the step's message together without sending it; 0: it did not fit. */
size_t send_render(struct agent *a, struct call *c, uint16_t step, char *to, size_t room);
/** Everything a template or an action may ask for; texts are written into `w`, and must outlive `f`. */
void send_facts(struct agent *a, struct call *c, uint16_t step, const struct nfv_sip_msg *last,
	struct nfv_sip_writer *w, struct facts *f);

/* dialog.c */

/** A message of a call that no step waits for. */
void dialog_unexpected(
	struct agent *a, struct call *c, const struct nfv_sip_msg *m, const struct net_datagram *d);
/** Answer a request of no call, if it is one that is answered by itself (-aa); false: it is not. */
bool dialog_out_of_call(struct agent *a, const struct nfv_sip_msg *m, const struct net_datagram *d);
/** End a call from our side that the peer believes to be alive: CANCEL or BYE, as it stands. */
void dialog_abandon(struct agent *a, struct call *c);

#endif
