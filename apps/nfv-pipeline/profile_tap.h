/**
 * @file
 * What one worker touches, as a trace (mempool-color/mpc_trace.h): a watcher that knows by its page
 * whose a line is. Pages that nobody owns are of class "other".
 *
 * Bounded: a ring of blocks, and a file of so many bytes; what finds no room is counted as lost. A line
 * that is touched again right away counts once.
 *
 * Threads: the watcher's touch on the worker; all else on the control thread. The worker watches from
 * after profile_tap_open until before profile_tap_close.
 */
#ifndef PROFILE_TAP_H
#define PROFILE_TAP_H

#include "mpc_trace.h"
#include "nfv_watch.h"

#define PROFILE_OTHER 0u /* class */

struct profile_tap_conf {
	const char *file;
	uint64_t bytes;                  /* of the file, at most */
	const struct mpc_caches *caches; /* of the worker's CPU; NULL: not known */
	uint64_t hz;                     /* of the time stamp counter */
	uint32_t blocks;                 /* of the ring; 0: enough for a busy worker */
};

struct profile_tap;

/** Errors: -ENOMEM. */
int profile_tap_create(
	const struct profile_tap_conf *conf, struct profile_tap **out, struct nfv_err *err);

/** The class of this name, new if it is; PROFILE_OTHER if there is no room for it, or no name. */
uint32_t profile_tap_class(struct profile_tap *t, const char *name);
/** The pages that `n` bytes at `p` lie in are the class's; of several that say so, the last. -ENOMEM. */
int profile_tap_own(struct profile_tap *t, uint32_t class, const void *p, size_t n);

/** Everybody is known: begin the file. Errors: as mpc_trace_create. */
int profile_tap_open(struct profile_tap *t, struct nfv_err *err);
struct nfv_watcher *profile_tap_watcher(struct profile_tap *t);
/** To the file, now and then. */
void profile_tap_drain(struct profile_tap *t);
/** The file's end, if it has a beginning, and what it has come to; goodbye. Accepts NULL. Errors: -EIO. */
int profile_tap_close(struct profile_tap *t, struct mpc_trace_info *info, struct nfv_err *err);

#endif
