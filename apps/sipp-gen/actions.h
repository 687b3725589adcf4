/**
 * @file
 * A step's actions, run for one call: variables are set and compared, expressions matched in the
 * last message received, jumps taken. Nothing is allocated but what regexec takes by itself, for
 * expressions that are not plain.
 *
 * Ownership: everything is the caller's. Threads: whoever owns the call; the callbacks are called
 * within actions_run.
 */
#ifndef ACTIONS_H
#define ACTIONS_H

#include "rnd.h"
#include "scenario.h"
#include "stats.h"

struct actions_env {
	void *ctx;
	/** ACT_LOG, ACT_WARNING or ACT_ERROR, by the scenario or about it; NULL: not wanted, then
	 * the texts are not even put together. Must not block: the text is to be handed on. */
	void (*say)(void *ctx, enum action_kind kind, uint32_t line, struct nfv_sv text);
	/** Line of `file` whose first field is `key`, from 0; -1: none. */
	int64_t (*lookup)(void *ctx, struct nfv_sv file, struct nfv_sv key);
	/** Whether the request's credentials are right. */
	bool (*verify)(
		void *ctx, const struct nfv_sip_msg *m, struct nfv_sv user, struct nfv_sv password);
	struct rnd random;
	char *scratch; /* for texts, scratch_n bytes: NFV_SIP_BYTES_MAX are always enough */
	size_t scratch_n;
};

enum verdict_kind {
	VERDICT_GO_ON,
	VERDICT_JUMP,            /* to `step` */
	VERDICT_FAIL,            /* the call, by `cause` */
	VERDICT_ERROR,           /* <error>: the call by `cause`, and the run as a whole */
	VERDICT_STOP_GRACEFULLY, /* no new calls; this one goes on */
	VERDICT_STOP_NOW,
};

struct verdict {
	uint8_t kind;  /* enum verdict_kind */
	uint8_t cause; /* enum cause */
	bool no_room; /* a text did not fit into the call's variables, or `scratch`; the cause is then
	                * CAUSE_CANNOT_SEND */
	int16_t step;
};

/**
 * Run what `step` has, in its order; the first action that fails is the last. `vars` of `f` are
 * changed; `f->last` is the message that expressions are matched in.
 */
struct verdict actions_run(const struct scenario *s, const struct step *step, struct facts *f,
	struct actions_env *env);

/** Match an expression in a text; groups as regexec has them. False: no match. */
bool ereg_match(const struct action *a, struct nfv_sv in, regmatch_t match[EREG_GROUPS]);

/** A value of a distribution, in its own unit; never negative. DIST_DEFAULT and DIST_VARIABLE are for the caller to know: 0. */
double duration_sample(const struct duration *d, struct rnd *rnd);

#endif
