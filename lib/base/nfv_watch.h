/**
 * @file
 * Who wants to know what memory the data path touches. Where it reads or writes a packet's bytes, a
 * record, a bucket, it says so by nfv_watch: once a record or a burst, not once a byte. Nobody
 * watching, which is as good as always, that is a load and a branch that is foretold. What is done
 * with it is the watcher's affair: lib/ knows of no caches.
 *
 * Not told: what drivers and other libraries touch by themselves, what lies on the stack, and small
 * private state that is hot anyway.
 *
 * Threads: a watcher is its thread's own; it is called there and must not allocate, lock or wait.
 */
#ifndef NFV_WATCH_H
#define NFV_WATCH_H

#include <stdbool.h>
#include <stddef.h>

struct nfv_watcher {
	/** `n` bytes, at least one, at `p` are read or written now. */
	void (*touch)(struct nfv_watcher *w, const void *p, size_t n);
};

/** This thread's; NULL: nobody's watching. Set between two bursts. */
extern __thread struct nfv_watcher *nfv_watching __attribute__((tls_model("initial-exec")));

/** For loops that are only about telling. */
static inline bool
nfv_watched(void)
{
	return __builtin_expect(nfv_watching != NULL, 0);
}

/** Tell who is watching; apart, so that little of it stands in the way of those who are not watched. */
__attribute__((cold)) void nfv_watch_tell(const void *p, size_t n);

static inline void
nfv_watch(const void *p, size_t n)
{
	if (nfv_watched())
		nfv_watch_tell(p, n);
}

#endif
