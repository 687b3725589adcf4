/**
 * @file
 * Stages in processes of their own, as the configuration's `isolation:` says: their workers' pools lie in
 * shared memory, their processes are started with the chain and looked after while it runs.
 *
 * Threads: control; isolation_use's stage is started on its chain's worker, before that runs.
 */
#ifndef ISOLATION_H
#define ISOLATION_H

#include "app.h"

struct nfv_object_file;

/** A stage's place, while its chain is created. */
struct isolation_seat {
	struct app *app;
	const struct conf_isolation *conf;
	const struct conf_chain *chain;
	int worker;
};

/** A worker's pool in memory that its isolated stages can map, into app->pool; untouched if it has none. */
int isolation_pool(struct app *app, uint32_t worker, uint32_t count, uint16_t room, int socket,
	struct nfv_err *err);
/** Whether it was one. All buffers must be back. */
bool isolation_pool_free(struct app *app, uint32_t worker);
/** If the stage is to be isolated, see to it that its chain sends it away. */
void isolation_use(struct app *app, const struct conf_chain *ch, int worker,
	struct nfv_stage_use *use, struct isolation_seat *seat);
/** What a chain lends to stages elsewhere that find its pinholes (nfv_chain_conf.shared); NULL: it has none. For
 * once, behind isolation_pool. */
const struct nfv_lender *isolation_shared(struct app *app, const struct conf_chain *ch);
/** Start the stage's i-th instance; on any thread, one at a time. */
int isolation_start(const struct isolation_seat *seat, const struct nfv_stage_ops *ops,
	const struct nfv_stage_ctx *ctx, uint32_t instance, struct nfv_away *out,
	struct nfv_err *err);
/** One that is about to be closed; from now on nothing is told of it. */
void isolation_forget(struct app *app, const struct nfv_away *away);
/** Whether a stage of this name is isolated in any chain. */
bool isolation_has(const struct app *app, const char *stage);
/** Tell on standard error what has gone wrong since. */
void isolation_tick(struct app *app);
/** Put the stage's spare in the place of the process that works, in all chains that have it isolated. */
void isolation_restart(struct app *app, const char *stage, struct nfv_err *err);
/** Have another version take over in all of them; see replace_stage. `file`: an object; a program, if the stage
 * uses DPDK; NULL: the program it has, as it is by now. */
int isolation_replace(struct app *app, const char *stage, const struct nfv_object_file *file,
	struct nfv_err *err);
void isolation_close(struct app *app);

#endif
