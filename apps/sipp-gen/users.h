/**
 * @file
 * Where the fields of a scenario come from: SIPp's CSV files (-inf), or a range of numbers.
 *
 * A file begins with a line SEQUENTIAL, RANDOM or USER, which may go on with ,PRINTF=N,
 * ,PRINTFMULTIPLE=N and ,PRINTFOFFSET=N; each other line is one user, fields parted by semicolons.
 * Empty lines and lines that begin with # are passed over, CR before the line end too. PRINTF makes N
 * lines of those that are there, taken in turn: in line i, %d, %5d, %05d and the like with x become
 * i × PRINTFMULTIPLE + PRINTFOFFSET, and %% a percent sign. SIPp itself has only %d, and ends a file at
 * its first empty line. A range such as 0010-9999 is a USER source
 * of lines with one field, padded with zeros as its first number is.
 *
 * Ownership: a source owns its text; views of fields point there, or into the caller's scratch.
 * Threads: read-only after users_index, shared by all; a cursor belongs to one.
 */
#ifndef USERS_H
#define USERS_H

#include "nfv_err.h"
#include "nfv_sv.h"
#include "rnd.h"

#define USERS_FIELD_MAX 256u /* of a field with a % to be filled in */
#define USERS_LINES_MAX 0x7fffffffu

enum users_order { USERS_SEQUENTIAL, USERS_RANDOM, USERS_USER };

struct users;

/** A file, or, if there is none of that name, a range. Errors: as open and read; -EINVAL and -E2BIG
 * with file:line. */
int users_load(const char *name, struct users **out, struct nfv_err *err);
/** The same of a file's text. */
int users_parse(const char *name, struct nfv_sv text, struct users **out, struct nfv_err *err);
void users_destroy(struct users *u);

const char *users_name(const struct users *u);
enum users_order users_order(const struct users *u);
/** Lines, those that PRINTF makes among them; never 0. */
uint32_t users_lines(const struct users *u);

/** Field of a line, both counted from 0; a NULL view if there is no such. `scratch` is for one that has
 * to be made up. */
struct nfv_sv users_field(
	const struct users *u, uint32_t line, unsigned int field, char scratch[USERS_FIELD_MAX]);

/** Make lines findable by a field (-infindex), in place of an earlier one. Errors: -ENOMEM, -EINVAL: no
 * line has that field. */
int users_index(struct users *u, unsigned int field, struct nfv_err *err);
/** The first line whose indexed field is `key`, or -1: none, or no index. */
int64_t users_lookup(const struct users *u, struct nfv_sv key);

/** Which lines a worker takes, one after the other: of n workers, i has the lines i, i + n, …, and
 * begins again behind the last; of a RANDOM file each takes any. With fewer lines than workers some
 * share one. */
struct users_cursor {
	uint32_t worker, workers;
	uint32_t own; /* lines of this worker */
	uint32_t at;
	struct rnd rnd;
};

void users_cursor_init(struct users_cursor *c, const struct users *u, uint32_t worker,
	uint32_t workers, uint64_t seed);

/** Line of this worker's k-th user, k < own. */
static inline uint32_t
users_line(const struct users_cursor *c, uint32_t k)
{
	return c->worker + k * c->workers;
}

uint32_t users_next(const struct users *u, struct users_cursor *c);

#endif
