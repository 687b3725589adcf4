/**
 * @file
 * YAML into typed structs by tables. A table is the schema, the defaults, the limits and the manual
 * at once; whatever is wrong in a file is told as `file:line:column: what, and what would be right`.
 *
 * Built on libyaml's document tree, because it keeps the place of every value: a mistake that only
 * shows later (a name that does not exist, a rule file that does not parse) is still told with its
 * place, through nfv_conf_fail() and the address of the field that was filled.
 *
 * Ownership: strings and lists in the filled structs belong to the nfv_conf and live as long as it.
 * Threads: control thread only.
 */
#ifndef NFV_CONF_H
#define NFV_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "nfv_addr.h"
#include "nfv_err.h"

enum nfv_conf_type {
	NFV_CONF_STRING,   /* const char *; min and max bound its length if max > 0 */
	NFV_CONF_PATH,     /* const char *; a relative one is taken from the file's own folder */
	NFV_CONF_BOOL,     /* bool; true or false */
	NFV_CONF_UINT,     /* uint32_t in [min, max] */
	NFV_CONF_CHOICE,   /* uint32_t; index into `choices` */
	NFV_CONF_ADDR,     /* struct nfv_addr */
	NFV_CONF_PREFIX,   /* struct nfv_prefix */
	NFV_CONF_ENDPOINT, /* struct nfv_endpoint */
	NFV_CONF_RANGE,    /* struct nfv_conf_range; `A-B` with min <= A <= B <= max */
	NFV_CONF_SECTION,  /* the struct that `section` describes, in place */
};

struct nfv_conf_range {
	uint32_t lo, hi;
};

/** What a list field is filled with: `n` items of the field's type, one behind the other. */
struct nfv_conf_list {
	void *item;
	uint32_t n;
};

struct nfv_conf_field {
	const char *name;
	const char *help; /* one line for the manual */
	const char *def;  /* the default as it would be written; NULL: the field must be given; "":
	                   * it may be left out and stays zero (sections, lists: all defaults) */
	enum nfv_conf_type type;
	bool list; /* a YAML sequence; the struct's member is a struct nfv_conf_list */
	size_t offset;
	uint32_t min, max;          /* limits as the type says; of a list: of each item */
	const char *const *choices; /* NULL-terminated */
	const struct nfv_conf_schema *section; /* of NFV_CONF_SECTION */
};

struct nfv_conf_schema {
	size_t size;                         /* of the struct that is filled */
	const char *help;                    /* one line for the manual */
	const struct nfv_conf_field *fields; /* ends with name == NULL */
};

struct nfv_conf;

/** Read and parse a file. The caller closes what it gets. */
int nfv_conf_open(const char *path, struct nfv_conf **out, struct nfv_err *err);
/** The same from memory; `name` stands in messages in place of a path. */
int nfv_conf_parse(
	const char *name, const char *text, size_t len, struct nfv_conf **out, struct nfv_err *err);
void nfv_conf_close(struct nfv_conf *conf);
/** What it was called, and all of its text; for those who have to read it elsewhere. */
const char *nfv_conf_name(const struct nfv_conf *conf);
const char *nfv_conf_text(const struct nfv_conf *conf);

/**
 * Fill `*to` from the top-level mapping `section`, or, if NULL, from the top level itself. A
 * section that is missing is filled with defaults (and fails if one of its fields must be given).
 * Unknown keys inside a section are errors.
 */
int nfv_conf_read(struct nfv_conf *conf, const char *section, const struct nfv_conf_schema *schema,
	void *to, struct nfv_err *err);

/** Whether the file has the top-level key `section`. */
bool nfv_conf_has(const struct nfv_conf *conf, const char *section);

/** Error on the first top-level key that no nfv_conf_read() asked for. */
int nfv_conf_unread(const struct nfv_conf *conf, struct nfv_err *err);

/**
 * An error at the place of the value that was read into `at` (the address of a struct's member, or
 * of a list's item); falls back to the file's name alone for a default. Returns -EINVAL.
 */
int nfv_conf_fail(const struct nfv_conf *conf, const void *at, struct nfv_err *err, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));

/** The manual of a schema: a line for each field with type, default, limits and help. */
void nfv_conf_manual(FILE *to, const char *section, const struct nfv_conf_schema *schema);

#endif
