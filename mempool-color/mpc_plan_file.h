/**
 * @file
 * A plan as a file: what `mempool-color plan --json` prints and a pipeline lays itself out by. The
 * format is told in docs/plan.md:
 *
 *   {"version": 1, "level": 2, "colours": 4, "machine": "…", "arm": "mcmf",
 *    "classes": [{"name": "edge.flow4", "pages": [0, 0, 96, 32]}, …]}
 *
 * Colours are abstract: that two classes meet in colour 3 counts, which pages of which machine's
 * memory that is does not. Pages are shares: whoever has more or fewer pages of a class divides them
 * in the same proportion. Keys that are not known are passed over, so that a writer may add figures.
 *
 * A file may be anybody's: all of it is bounded and checked. Ownership: mpc_plan_file_free gives back
 * what was read. Threads: plain functions, any thread.
 */
#ifndef MPC_PLAN_FILE_H
#define MPC_PLAN_FILE_H

#include <stddef.h>

#include "mpc_plan.h"

#define MPC_PLAN_FILE_VERSION  1
#define MPC_PLAN_FILE_NAME_MAX 96 /* bytes of a class's name, with its end */
#define MPC_PLAN_FILE_SIZE_MAX (16u << 20)

struct json_t;

struct mpc_plan_file_class {
	char name[MPC_PLAN_FILE_NAME_MAX];
	uint32_t *pages; /* by colour; at least one is not 0, and together they are below 2^31 */
};

struct mpc_plan_file {
	uint32_t level;   /* of the cache whose colours are meant */
	uint32_t colours; /* 2 to MPC_PLAN_COLOURS_MAX */
	enum mpc_plan_arm arm;
	char machine[128]; /* what it was made for, for people; may be empty */
	uint32_t classes;  /* names differ */
	struct mpc_plan_file_class *class;
};

/** "off", "static", "mcmf". */
extern const char *const mpc_plan_arm_name[MPC_PLAN_ARMS];

/** The object to be printed; a writer may add to it. NULL: out of memory, or a name is not UTF-8. */
struct json_t *mpc_plan_file_json(const struct mpc_plan_file *p);

/**
 * `text` of `n` bytes; `name` is what messages call it. Errors: -EINVAL: it is no plan, cut off, of
 * another version, or its numbers cannot be; -ENOMEM.
 */
int mpc_plan_file_parse(const char *text, size_t n, const char *name, struct mpc_plan_file *out,
	struct nfv_err *err);
/** The same of a file. Errors: also those of open and read; -EFBIG. */
int mpc_plan_file_read(const char *path, struct mpc_plan_file *out, struct nfv_err *err);
void mpc_plan_file_free(struct mpc_plan_file *p);

/** The class of this name, or NULL. */
const struct mpc_plan_file_class *mpc_plan_file_find(
	const struct mpc_plan_file *p, const char *name);

#endif
