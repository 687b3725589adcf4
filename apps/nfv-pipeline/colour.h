/**
 * @file
 * Memory of measured colours for a pipeline: pools and tables are laid out in it by `colour:`, and
 * anew by `replan` while they are in use (docs/colour.md). The rest of the program sees mempools and
 * lenders of pages.
 *
 * Threads: the control thread; lenders on workers while the control thread waits for them.
 */
#ifndef COLOUR_H
#define COLOUR_H

#include "nfv_lender.h"
#include "nfv_port.h"

struct app;
struct nfv_worker;
struct rte_mempool;

/** What is read of the configuration alone can be found wrong: the plan. */
int colour_check(const struct app *app, struct nfv_err *err);

/** Get the memory and measure it, if the configuration says so. Without confidence, or memory: said on
 * standard error, and 0 without any, unless colour is required. */
int colour_open(struct app *app, struct nfv_err *err);
/** After all that was lent is back, and all pools are freed. */
void colour_close(struct app *app);

/** A pool of a worker: *out is NULL if it is not to be coloured. */
int colour_pool(struct app *app, const struct nfv_worker *w, uint32_t mbufs, uint16_t data_room,
	int socket, struct rte_mempool **out, struct nfv_err *err);
/** Of either kind; accepts NULL. */
void colour_pool_free(struct app *app, struct rte_mempool *mp);

/** For the tables that `w` uses, of a chain or of a shard of it: the name goes before their classes'.
 * NULL: they are not to be coloured. It lives as long as the memory. */
const struct nfv_lender *colour_lender(struct app *app, const char *name, struct nfv_worker *w);

/** Have a port's device reach the memory. */
void colour_port(struct app *app, struct nfv_port_conf *conf);

/** Once everything is there and nothing runs: lay it out as configured. */
int colour_start(struct app *app, struct nfv_err *err);
/** Every few milliseconds: move on. */
void colour_tick(struct app *app);

/** "off", "static", or a file with a plan. On failure all stays as it was. */
int colour_replan(struct app *app, const char *to, struct nfv_err *err);
void colour_show(const struct app *app, FILE *to);

#endif
