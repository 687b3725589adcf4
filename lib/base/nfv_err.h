/**
 * @file
 * One sentence about what went wrong, for a person who can act on it.
 *
 * Control calls return 0 or a negative errno and, given a `struct nfv_err *`, fill in the sentence;
 * NULL is accepted and means the caller does not want it. The message has a fixed size, so that
 * reporting an error never allocates; a longer sentence is cut. Threads: plain data, owned by the
 * caller.
 */
#ifndef NFV_ERR_H
#define NFV_ERR_H

#include <errno.h>

struct nfv_err {
	char text[512];
};

/** Fill in the sentence and return -code, so that a function can end with `return nfv_fail(…)`. */
int nfv_fail(struct nfv_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** Put `fmt` and a colon in front of the sentence that stands there; keeps and returns `rc`. */
int nfv_fail_in(struct nfv_err *err, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
