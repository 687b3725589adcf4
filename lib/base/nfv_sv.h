/**
 * @file
 * String views: a pointer and a length into text that somebody else owns. Nothing here allocates
 * or reads past `n`; a view need not end in NUL. Threads: plain data.
 */
#ifndef NFV_SV_H
#define NFV_SV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct nfv_sv {
	const char *p;
	size_t n;
};

/** For printf's "%.*s". */
#define NFV_SV_ARG(sv) (int)(sv).n, (sv).p
/** A view of a string literal. */
#define NFV_SV(lit) ((struct nfv_sv){ (lit), sizeof(lit) - 1 })

static inline struct nfv_sv
nfv_sv(const char *p, size_t n)
{
	return (struct nfv_sv){ p, n };
}

static inline struct nfv_sv
nfv_sv_str(const char *s)
{
	return (struct nfv_sv){ s, strlen(s) };
}

static inline bool
nfv_sv_eq(struct nfv_sv a, struct nfv_sv b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/** Equal when ASCII letters' case is ignored; the locale has no say. */
bool nfv_sv_ieq(struct nfv_sv a, struct nfv_sv b);

/** Without spaces and tabs at either end. */
struct nfv_sv nfv_sv_trim(struct nfv_sv s);

/**
 * Cut `*rest` at the first `sep`: returns what stood before it and leaves what stands after.
 * Without a `sep` all of it is returned and `*rest` becomes empty with p == NULL.
 */
struct nfv_sv nfv_sv_cut(struct nfv_sv *rest, char sep);

/** The next word of `*rest`, words being parted by spaces and tabs; n == 0 at the end. */
struct nfv_sv nfv_sv_word(struct nfv_sv *rest);

/**
 * A decimal number that fills all of `s` and lies in [min, max].
 * Returns 0, -EINVAL (no number) or -ERANGE; `*out` is untouched on failure.
 */
int nfv_sv_u64(struct nfv_sv s, uint64_t min, uint64_t max, uint64_t *out);

#endif
