/**
 * @file
 * Traces: which lines one core touched, for which class, and when.
 *
 * Three parts. A *recorder* belongs to the thread that is watched: it writes accesses into a ring of
 * blocks, without allocation, lock or system call; where no block is free it counts what is lost. A
 * *writer* belongs to a control thread and takes full blocks to the file. A *reader* reads it, or text
 * from elsewhere, an access a line:
 *
 *     # class address; a number, with 0x in front if it is hexadecimal
 *     table 0x7f0012345678
 *
 * The file: a header (caches of the machine, size of a line, clock, classes by name and pages), blocks
 * (of accesses as differences to the last line of the same class, one to three bytes where they are
 * near), and an end that tells how many there were: a file without it is cut off. All parts carry a
 * sum. trace_format.h has the bytes.
 *
 * Threads: as said above; the reader's thread is anyone's.
 */
#ifndef MPC_TRACE_H
#define MPC_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "mpc_access.h"
#include "mpc_cache.h"

#define MPC_TRACE_BLOCK  65536u /* bytes of accesses in a block, at most */
#define MPC_TRACE_RECORD 24u    /* bytes of an access, at most */

struct mpc_class {
	char name[MPC_CLASS_NAME]; /* printing ASCII without spaces, not empty */
	uint32_t pages;            /* that it has; 0: not known */
};

/** What a trace tells of itself. */
struct mpc_trace_info {
	struct mpc_caches caches; /* of the CPU that was watched; none: not known */
	uint32_t line;            /* bytes */
	uint64_t hz;              /* of `time`; 0: not known */
	struct mpc_class class[MPC_CLASSES];
	unsigned int classes;
	/* Known of a file from the beginning; of text only when all of it has been read. */
	uint64_t accesses, lost;
};

struct mpc_trace_block {
	uint64_t time; /* of its first access */
	uint64_t lost; /* accesses before it for which no block was free */
	uint32_t bytes, accesses;
	uint8_t data[MPC_TRACE_BLOCK];
};

struct mpc_recorder {
	/* The watched thread's. */
	uint8_t *at, *limit; /* where the next access goes, if before the limit */
	uint64_t time;       /* as of the last one, as are class and line */
	uint32_t class, shift, accesses, blocks;
	uint64_t line[MPC_CLASSES];
	uint64_t lost, turn;
	struct mpc_trace_block *block;
	/* Blocks so far: written by the watched thread, and by the control thread. */
	_Alignas(64) uint64_t filled;
	_Alignas(64) uint64_t emptied;
};

/**
 * A ring of `blocks` blocks of 64 KiB, for lines of so many bytes. Sixteen blocks hold half a million
 * accesses, more or less. Errors: -EINVAL: fewer than two blocks, or a size that lines do not have;
 * -ENOMEM.
 */
int mpc_recorder_create(
	uint32_t blocks, uint32_t line, struct mpc_recorder **out, struct nfv_err *err);
/** After the writer. */
void mpc_recorder_destroy(struct mpc_recorder *r);

/** The watched thread has done; hands over what is left. It may begin again. */
void mpc_recorder_stop(struct mpc_recorder *r);

/** Hand the block over and begin another; false, and counted as lost, if none is free. */
bool mpc_recorder_turn(struct mpc_recorder *r, uint64_t time);

static inline uint8_t *
mpc_trace_put(uint8_t *p, uint64_t v)
{
	while (v >= 0x80) {
		*p++ = (uint8_t)v | 0x80;
		v >>= 7;
	}
	*p++ = (uint8_t)v;
	return p;
}

/** One line, by any address in it. `class` is one of the trace's; `time` as of the burst will do. */
static inline void
mpc_record(struct mpc_recorder *r, uint32_t class, uint64_t address, uint64_t time)
{
	uint64_t line = address >> r->shift, delta;
	uint8_t *p;

	if (r->at >= r->limit && !mpc_recorder_turn(r, time))
		return;
	p = r->at;
	delta = line - r->line[class];
	delta = delta << 1 ^ (0 - (delta >> 63));
	p = mpc_trace_put(p, delta << 2 | (uint64_t)(class != r->class) << 1 | (time > r->time));
	if (class != r->class)
		*p++ = (uint8_t) class;
	if (time > r->time) {
		p = mpc_trace_put(p, time - r->time);
		r->time = time;
	}
	r->line[class] = line;
	r->class = class;
	r->accesses++;
	r->at = p;
}

/** All lines of `n` > 0 bytes. */
static inline void
mpc_record_bytes(struct mpc_recorder *r, uint32_t class, uint64_t address, size_t n, uint64_t time)
{
	for (uint64_t line = address >> r->shift; line <= (address + n - 1) >> r->shift; line++)
		mpc_record(r, class, line << r->shift, time);
}

struct mpc_trace_writer;

/**
 * A file for what the recorder has and will have; it takes no more blocks when it has `bytes` bytes.
 * Errors: -EINVAL: classes without a proper name, lines of another size than the recorder's; -EIO;
 * -ENOMEM.
 */
int mpc_trace_create(const char *file, const struct mpc_trace_info *info, struct mpc_recorder *r,
	uint64_t bytes, struct mpc_trace_writer **out, struct nfv_err *err);

/** Take the blocks that are full to the file; now and then. What a full disk refuses counts as lost. */
void mpc_trace_drain(struct mpc_trace_writer *w);

/**
 * The last blocks, the end, and goodbye to the writer, errors or not. The recorder has been stopped.
 * `info`, if not NULL, is given what the file has come to. Errors: -EIO: some of it was not written.
 */
int mpc_trace_finish(struct mpc_trace_writer *w, struct mpc_trace_info *info, struct nfv_err *err);

struct mpc_trace_reader;

/**
 * A trace, or text. With `machine`, only one taken on such caches. Errors: -EIO; -EINVAL: neither
 * the one nor the other, cut off, damaged, of another machine: the sentence says which; -ENOMEM.
 */
int mpc_trace_open(const char *file, const struct mpc_caches *machine,
	struct mpc_trace_reader **out, struct nfv_err *err);
/** The same of a stream that can seek, which stays the caller's; `name` is for sentences. */
int mpc_trace_open_stream(FILE *stream, const char *name, const struct mpc_caches *machine,
	struct mpc_trace_reader **out, struct nfv_err *err);
void mpc_trace_close(struct mpc_trace_reader *r);

/** Classes of text are added as they come up. */
const struct mpc_trace_info *mpc_trace_info(const struct mpc_trace_reader *r);

/**
 * The next accesses, at most `n` > 0; how many, 0 at the end. Errors: -EIO; -EINVAL: damaged, or, in
 * text, a line that is none: the sentence says where. An error stays one.
 */
int mpc_trace_read(
	struct mpc_trace_reader *r, struct mpc_access *out, unsigned int n, struct nfv_err *err);

#endif
