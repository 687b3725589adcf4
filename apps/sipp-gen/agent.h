/**
 * @file
 * The user agents of one worker: all calls that run one scenario over one port. Calls are begun when
 * the load's shape says so, when a user of a crowd has none, or when the peer begins them; messages and
 * timers carry them on.
 *
 * Everything is allocated when the agent is created, by the number of calls that may be open: a slot
 * for each, and blocks for messages that must be kept. A call made here has its slot and the slot's
 * generation in its Call-ID, so an answer finds it without a look-up; the time when a message was to
 * be sent travels in its Via branch, so an answer is timed by itself. Calls of peers are found by hash.
 *
 * Threads: create, destroy and agent_stop on the control thread; agent_turn on the worker. The
 * control thread reads agent_stats while it runs.
 */
#ifndef AGENT_H
#define AGENT_H

#include <stdatomic.h>

#include "fault.h"
#include "net.h"
#include "pace.h"
#include "scenario.h"
#include "stats.h"
#include "users.h"

#define AGENT_FILES 8

struct agent;

struct agent_conf {
	const struct scenario *scenario;
	struct net *net;
	struct nfv_endpoint local,
		remote; /* remote: where calls go; NFV_NO_ADDR for one that answers */
	struct nfv_endpoint media;
	struct nfv_sv service, auth_user, auth_password;
	struct pace_conf pace;
	uint32_t crowd;                         /* not by the pace: users who call anew as their
	                                         * call ends (crowd.h); 0: none */
	uint64_t calls;                         /* to be begun here, at most; 0: no end */
	uint32_t open;                          /* calls at once, at most */
	uint32_t duration_ms;                   /* of <pause/> without anything */
	uint32_t recv_timeout_ms;               /* 0: none */
	uint32_t retrans_invite, retrans_other; /* times, at most */
	uint32_t base_cseq;
	bool retransmit, auto_answer;
	struct fault_conf fault;    /* of messages sent, on purpose */
	double loss_in;             /* of those received */
	struct users *const *users; /* for [fieldN], the first where no file is named */
	uint32_t n_users;
	uint64_t tsc_hz, seed;
	int socket;
	uint32_t worker;
};

/** Errors: -ENOMEM, with what would do; -EINVAL. */
int agent_create(const struct agent_conf *conf, struct agent **out, struct nfv_err *err);
void agent_destroy(struct agent *a);

/** The load begins now; what was set up before does not count as late. */
int agent_begin(struct agent *a, uint64_t tsc);

/** One turn of the worker's loop: receive, act on timers, begin calls, send. False: nothing was done. */
bool agent_turn(struct agent *a, uint64_t tsc);

/** No more calls are begun; with `now`, open ones are ended as aborted. */
void agent_stop(struct agent *a, bool now);
/** All calls asked for have been made and have ended, or it was stopped and none is open but those that
 * only wait for strays. On the worker, between turns. */
bool agent_is_done(struct agent *a);
/** While it runs: calls a second from now on. Of a crowd it means nothing. */
void agent_set_rate(struct agent *a, double rate);

const struct stats *agent_stats(const struct agent *a);
/** Bytes a call takes, of slots and blocks together. */
size_t agent_call_size(const struct agent *a);

#endif
