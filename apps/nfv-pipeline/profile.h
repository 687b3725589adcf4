/**
 * @file
 * Profiles: for a while, each worker's touches of memory are recorded into a trace, with the names of
 * those whose pages they are: "CHAIN.TABLE" as tables ask for them (nfv_lender.h), "WORKER.packets".
 * docs/footprint.md says what a trace is good for.
 *
 * Threads: the control thread; lenders on workers while the control thread waits for them.
 */
#ifndef PROFILE_H
#define PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "nfv_err.h"
#include "nfv_lender.h"

struct app;
struct nfv_worker;

struct profile_spec {
	char file[256]; /* "": none; with several workers, ".WORKER" goes behind */
	uint32_t seconds;
	uint64_t bytes; /* of each file, at most */
};

/** "FILE[,seconds=S][,bytes=N]". Errors: -EINVAL. */
int profile_parse(const char *text, struct profile_spec *out, struct nfv_err *err);

/** A lender that notes who has which pages, and has them from `inner`, which may be NULL. */
const struct nfv_lender *profile_lender(
	struct app *app, const char *name, struct nfv_worker *w, const struct nfv_lender *inner);

/** Record as the options say: from a second after the first packet on. */
void profile_plan(struct app *app, const struct profile_spec *spec);
/** Record from now on. Errors: -EBUSY: one goes on; -EAGAIN: no worker runs; those of the files. */
int profile_start(struct app *app, const struct profile_spec *spec, struct nfv_err *err);
/** Before its time. Errors: -ENOENT: none goes on; -EIO. */
int profile_stop(struct app *app, struct nfv_err *err);
/** Every few milliseconds: begin, take along, end. */
void profile_tick(struct app *app);
/** Before workers are stopped. */
void profile_end(struct app *app);
/** After all that was lent is back. */
void profile_close(struct app *app);

#endif
