/**
 * @file
 * The writing end of template_render: a cursor that is fast for short pieces.
 * Threads: plain data.
 */
#ifndef PUT_H
#define PUT_H

#include <stdbool.h>
#include <stdint.h>

#include "nfv_sv.h"

#define PUT_PAD 32 /* see put_literal */

/* Where writing stands. What does not fit leaves `full`, and nothing is written after it. */
struct cursor {
	char *at, *end;
	bool full;
};

/* By two moves that may overlap: a call of memcpy costs more than most pieces are long. */
static inline void
put(struct cursor *c, const char *p, size_t n)
{
	char *at = c->at;

	if (n > (size_t)(c->end - at)) {
		c->full = true;
		c->end = at;
		return;
	}
	c->at = at + n;
	if (n >= 16) {
		if (n > 32) {
			memcpy(at, p, n);
			return;
		}
		memcpy(at, p, 16);
		memcpy(at + n - 16, p + n - 16, 16);
	} else if (n >= 8) {
		memcpy(at, p, 8);
		memcpy(at + n - 8, p + n - 8, 8);
	} else if (n >= 4) {
		memcpy(at, p, 4);
		memcpy(at + n - 4, p + n - 4, 4);
	} else if (n > 0) {
		at[0] = p[0];
		at[n / 2] = p[n / 2];
		at[n - 1] = p[n - 1];
	}
}

static inline void
put_sv(struct cursor *c, struct nfv_sv s)
{
	put(c, s.p, s.n);
}

/* A template's own text may be read beyond its end, up to PUT_PAD. */
static inline void
put_literal(struct cursor *c, const char *p, size_t n)
{
	char *at = c->at;

	if ((size_t)(c->end - at) < n + PUT_PAD) {
		put(c, p, n);
		return;
	}
	c->at = at + n;
	for (size_t i = 0; i < n; i += PUT_PAD)
		memcpy(at + i, p + i, PUT_PAD);
}

static const char put_pairs[] =
	"00010203040506070809101112131415161718192021222324252627282930313233"
	"34353637383940414243444546474849505152535455565758596061626364656667"
	"6869707172737475767778798081828384858687888990919293949596979899";

static inline void
put_u64(struct cursor *c, uint64_t v)
{
	char text[40]; /* the last digit at 19; behind it only room for a copy of fixed size */
	size_t at = 20, n;

	for (; v >= 100; v /= 100)
		memcpy(text + (at -= 2), put_pairs + 2 * (v % 100), 2);
	if (v >= 10)
		memcpy(text + (at -= 2), put_pairs + 2 * v, 2);
	else
		text[--at] = (char)('0' + v);
	n = 20 - at;
	if (c->end - c->at < 20) {
		for (size_t i = 0; i < n; i++)
			put(c, text + at + i, 1);
		return;
	}
	memset(text + 20, 0, 20);
	memcpy(c->at, text + at, 20);
	c->at += n;
}

static inline void
put_i64(struct cursor *c, int64_t v)
{
	if (v < 0)
		put(c, "-", 1);
	put_u64(c, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

/** As "%f" writes it. */
void put_number(struct cursor *c, double v);
/** RFC 3261's Date; or the form of SIPp's logs. Both in UTC, from microseconds since 1970. */
void put_date(struct cursor *c, uint64_t us);
void put_timestamp(struct cursor *c, uint64_t us);

#endif
