/**
 * @file
 * Does colour pay on this machine, and for what? A hot table is looked into beside rotating packet
 * buffers, once on pages of any colour and once with the buffers confined to a few colours and the
 * table in the others; packets per second are compared, pair by pair of repetitions.
 *
 * Arms: `off`: random pages; `even`: table and buffers spread evenly over all colours, as in memory
 * that lies together, so that what even spreading alone gains is not taken for colour's gain; `nt`:
 * pages as in `off`, copies by stores that go around the cache (retention only), the rival that needs
 * no colours; `static`: buffers in k colours, the table in the others, for several k.
 *
 * Too few colours are dear: where the next cache's index takes in the same bits, each colour has its
 * share of that cache too, and buffers that outgrow the share come from memory. (A Zen 4 whose
 * 32 colours had 1 MiB each of the last level lost where the buffers of a colour were more than that.)
 * So the best share is looked for, depth by depth, and all of them are shown; being the best of
 * several, its ratio is a little too good.
 *
 * All arms do the same work on the same region, and take turns within each repetition; each takes
 * other pages every time, in random order, so that translation costs the same in all of them.
 *
 * Ownership: the arena is the caller's, and has the same pages free afterwards. Threads: one run at
 * a time; the caller's thread is pinned meanwhile.
 */
#ifndef BENCH_H
#define BENCH_H

#include <jansson.h>
#include <stdio.h>

#include "mpc_arena.h"

#define BENCH_DEPTHS 8
#define BENCH_SHARES 16
#define BENCH_ARMS   (3 + BENCH_SHARES)

enum bench_case {
	BENCH_SAME_CORE,  /* this core writes the packets' lines anew */
	BENCH_OTHER_CORE, /* another core wrote them just before, as a device would */
	BENCH_RETENTION,  /* this core keeps copies of packets it received in few buffers */
	BENCH_CASES
};

/** "same-core", "other-core", "retention". */
const char *bench_case_name(enum bench_case which);

struct bench_options {
	struct mpc_arena *arena;      /* of a calibrated region; nothing else takes from it */
	const struct mpc_map *map;    /* its map */
	struct mpc_cache cache;       /* whose colours they are */
	uint32_t table;               /* bytes of the hot table */
	uint32_t lookups;             /* a packet, each dependent on the one before */
	uint32_t lines;               /* of a packet that are written, read or copied: 1 … 32 */
	uint32_t depth[BENCH_DEPTHS]; /* buffers in rotation, of 2 KiB each */
	unsigned int depths;
	uint32_t share[BENCH_SHARES]; /* colours for the buffers */
	unsigned int shares;
	uint32_t repetitions;
	uint32_t packets;   /* that are timed, a repetition */
	int cpu;            /* -1: where the caller runs */
	int helper;         /* the other core; -1: any other */
	unsigned int cases; /* set of 1 << enum bench_case */
	uint64_t seed;
	/** Called after each repetition with how many are done, of `all`; may be NULL. */
	void (*progress)(void *arg, unsigned int done, unsigned int all);
	void *arg;
};

/** Options for a cache, but for arena and map: a table of three quarters of it, and so on. */
struct bench_options bench_defaults(const struct mpc_cache *cache);

/** Bytes of the region that these options need; arena and map are not looked at. */
uint64_t bench_memory(const struct bench_options *o);

struct bench_spread {
	double median, min, max;
};

struct bench_arm {
	char name[16];
	uint32_t colours; /* that buffers are confined to; 0: none */
	struct bench_spread pps, cycles;
	struct bench_spread ratio; /* pps to that of `off`, pair by pair */
	uint32_t won;              /* pairs in which it was faster */
};

struct bench_row {
	enum bench_case which;
	uint32_t depth;
	char skipped[128];                     /* why nothing was measured, else empty */
	struct bench_arm arm[BENCH_ARMS];      /* off, even, nt if it fits, static by share */
	unsigned int arms, first_static, best; /* indices of arms */
};

/** What came out. Plain data: it may be copied, and has nothing to free. */
struct bench_result {
	struct bench_options options; /* with cpu and helper as they came to be; arena, map NULL */
	char model[64];               /* of the CPU */
	double tsc_hz;
	bool confident; /* the map */
	struct bench_row row[BENCH_CASES * BENCH_DEPTHS];
	unsigned int rows;
};

/**
 * Errors: -EINVAL: options that make no sense; -ENOSPC: the arena is too small, the sentence says
 * for what and what would do; -ENOMEM; -EIO: two arms came to different results, so they cannot be
 * compared.
 */
int bench_run(const struct bench_options *o, struct bench_result *out, struct nfv_err *err);

/** What an arm's pairs say: "gains", "loses", or "undecided" where fewer than nine in ten agree. */
const char *bench_verdict(const struct bench_result *r, const struct bench_arm *a);

void bench_table(const struct bench_result *r, FILE *out);
/** The caller's to release; NULL: out of memory. */
json_t *bench_json(const struct bench_result *r);
void bench_svg(const struct bench_result *r, FILE *out);

/** Of n > 0 numbers, which are sorted by this. */
struct bench_spread bench_spread(double *v, uint32_t n);

/** Of a[i] / b[i], which are left in `ratio`, sorted. */
struct bench_spread bench_paired(const double *a, const double *b, uint32_t n, double *ratio);

#endif
