/**
 * @file
 * The bytes of a trace file. Numbers are little-endian; sums are of all that the part has before them,
 * and, in a block, of its accesses after it.
 *
 *     header  "mpctrace", version:4, bytes of the rest:4, then: line:4 hz:8
 *             caches:4, each: level:4 type:4 line:4 ways:4 sets:4 shared:4
 *             classes:4, each: length:1 name pages:4
 *             sum:8
 *     block   "acce" bytes:4 accesses:8 time:8 lost:8 sum:8, then the bytes:
 *             an access: varint of (difference << 2 | other class << 1 | later), [class:1], [varint of
 *             the time since]; the difference is that to the last line of the class in this block, from
 *             0 on, zigzag; the class before the first access is 0
 *     end     "end." 0:4 accesses:8 blocks:8 lost:8 sum:8
 *
 * Threads: pure functions.
 */
#ifndef TRACE_FORMAT_H
#define TRACE_FORMAT_H

#include "mpc_trace.h"
#include "nfv_sv.h"

#define TRACE_MAGIC      0x656361727463706dull
#define TRACE_VERSION    1
#define TRACE_START      16   /* bytes of the header before the rest */
#define TRACE_HEADER_MAX 4096 /* bytes */
#define TRACE_MARK       40   /* bytes of a block's head, and of the end */
#define TRACE_BLOCK      0x65636361u
#define TRACE_END        0x2e646e65u

/** The head of a block, or the end. */
struct trace_mark {
	uint32_t what, bytes;
	uint64_t accesses, time, lost; /* the end: time is the number of blocks */
};

/** Bytes to be read or written one after the other; `bad` once there are too few. */
struct trace_bytes {
	uint8_t *at, *end;
	bool bad;
};

void trace_put(struct trace_bytes *b, uint64_t v, unsigned int bytes);
uint64_t trace_get(struct trace_bytes *b, unsigned int bytes);

uint64_t trace_sum(uint64_t begin, const uint8_t *p, size_t n);

void trace_put_mark(uint8_t out[TRACE_MARK], const struct trace_mark *m, const uint8_t *data);
/** All but the sum, which is returned, to be compared when the data are there. */
uint64_t trace_get_mark(const uint8_t in[TRACE_MARK], struct trace_mark *out);
/** What the sum should be. */
uint64_t trace_mark_sum(const uint8_t in[TRACE_MARK], const uint8_t *data, size_t n);

/** Bytes of the header in `out`. */
size_t trace_put_header(uint8_t out[TRACE_HEADER_MAX], const struct mpc_trace_info *info);
/** All of the header, whose size is right. Errors: -EINVAL, without the file's name. */
int trace_get_header(uint8_t *in, size_t n, struct mpc_trace_info *out, struct nfv_err *err);

/** Whether this can be the name of a class. */
bool trace_name_good(struct nfv_sv name);
/** Bytes of a line: a power of two from 16 on, of a page at most. */
bool trace_line_good(uint32_t line);

#endif
