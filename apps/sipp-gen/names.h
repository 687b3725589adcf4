/**
 * @file
 * Whether what a run tells its calls apart by is enough, said before it is not.
 *
 * Can run out: the ports of [auto_media_port] (four to a call, 10,000 in all, as SIPp has it), ports
 * past 65535, numbers of CSeq (below 2^31, RFC 3261 §8.1.1.5).
 * Cannot: Call-IDs, which have their slot and 32 bits of its generation in them: for one to come again
 * within 64·T1 (32 s, for as long a transaction may still be remembered) 2^32 calls would have to begin
 * in that time. Branches, which have their slot and 64 bits of a clock that never stands still in one
 * slot: it goes round in more than a century. Numbers of calls, of 64 bits.
 *
 * Ownership: nothing is kept. Threads: the control thread.
 */
#ifndef NAMES_H
#define NAMES_H

#include "nfv_err.h"
#include "options.h"
#include "scenario.h"

#define NAMES_WARNINGS 4
#define NAMES_CSEQ_MAX 0x7fffffffu

enum names_kind { NAMES_MEDIA, NAMES_CSEQ, NAMES_USERS };

/** Sentences that were said of a run, each once. */
struct names {
	struct nfv_err said[NAMES_WARNINGS];
	uint32_t n;
	uint32_t kinds; /* bits of enum names_kind */
};

/** What can be told before a role's first call, from rate, duration and number of calls: adds to `out`.
 * `seconds`: of the run, 0: no end. Errors: -EINVAL: it cannot work. */
int names_check(struct names *out, const struct options_role *r, double seconds,
	const struct scenario *s, struct nfv_err *err);
/** What shows while it runs: so many calls are open. The sentence, if there is a new one, or NULL. */
const char *names_watch(struct names *out, const struct scenario *s, uint64_t open);

#endif
