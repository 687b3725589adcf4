/**
 * @file
 * What a layout costs: footprints composed within each group, that is each colour of each socket's
 * cache. Threads: one at a time, as it counts its work.
 */
#ifndef PLAN_MODEL_H
#define PLAN_MODEL_H

#include "mpc_plan.h"

/* A class's footprint over time: concave, from 0 at 0, constant after the last point. It takes up
 * `dense` times as many lines of cache. */
struct plan_curve {
	double *time, *lines, *slope; /* slope[i] from point i to i + 1; the last is 0 */
	uint32_t n;
	double dense;
};

struct plan_model {
	const struct mpc_plan_class *class;
	const struct mpc_plan_machine *machine;
	uint32_t classes, places; /* places: sockets times colours */
	struct plan_curve *curve;
	double *memory;
	uint32_t *user, *first_user; /* classes by the socket they are used on */
	double *share;               /* scratch: of the users of a group, and of some of them */
	uint64_t work;               /* looks at curves so far */
};

/* A group at its fill time. */
struct plan_group {
	double time;         /* INFINITY: everything fits */
	double miss, remote; /* cost */
};

/** Checks what is given. Errors: as in mpc_plan.h. */
int plan_model_init(struct plan_model *m, const struct mpc_plan_class *class, uint32_t classes,
	const struct mpc_plan_machine *machine, struct nfv_err *err);
void plan_model_fini(struct plan_model *m);

/** The lines of cache that a class takes up at an age, and its footprint's growth there. */
double plan_lines(const struct plan_model *m, uint32_t class, double time);
double plan_slope(const struct plan_model *m, uint32_t class, double time);

/** When `n` classes with these shares have filled `lines` of cache; `guess`: anything, or 0. */
double plan_fill_time(struct plan_model *m, const uint32_t *user, const double *share, uint32_t n,
	double lines, double guess);

/** Group of classes used on `socket`, in `colour`, with so many lines of cache, under a layout. */
struct plan_group plan_group(struct plan_model *m, const uint32_t *pages, uint32_t socket,
	uint32_t colour, double lines, double guess);

/** Do two colours hold the same of all classes that are used on this socket? */
bool plan_same_column(
	const struct plan_model *m, const uint32_t *pages, uint32_t socket, uint32_t a, uint32_t b);

double plan_total(struct plan_model *m, const uint32_t *pages);
/** Misses by class and colour. */
void plan_misses(struct plan_model *m, const uint32_t *pages, double *miss);
void plan_split(struct plan_model *m, const uint32_t *pages, struct mpc_plan_cost *out);

#endif
