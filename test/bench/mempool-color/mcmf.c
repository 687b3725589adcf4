/**
 * @file
 * Seconds to solve min-cost flow problems: ours against LEMON's network simplex, where that is
 * installed, with its default of 32-bit numbers and with 64 bits, which are ours.
 *
 *   bench_mcmf [--json] [--rounds N] [--arcs N] [--family NAME]
 *
 * Four families of networks (test/mempool-color/families.h). Seconds are of the thread's processor
 * time, of solving and of copying the problem into the solver; LEMON's graph is built outside of them.
 * The solvers take turns, who begins changes from round to round; the ratio is that of the medians.
 * `again`: ours once more, from where it ended, after a tenth of the costs has changed. Costs that
 * differ end the bench. Where potentials need more than 32 bits, LEMON is not asked with those.
 */
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "families.h"
#ifdef HAVE_LEMON
#include "lemon.h"
#endif

#define ROUNDS 99

enum arm { OURS, AGAIN, LEMON32, LEMON64, ARMS };

static const char *const arm_name[ARMS] = { "ours", "again", "lemon32", "lemon64" };

struct bench {
	struct mpc_mcmf p;
	struct mpc_mcmf_answer answer;
	int64_t *changed;
	uint32_t rounds;
	bool json, narrow;
	double seconds[ARMS][ROUNDS];
};

static void
give_up(const char *why)
{
	fprintf(stderr, "bench: %s\n", why);
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double
ours(struct bench *b)
{
	struct nfv_err err;
	double begin = now();

	if (mpc_mcmf_solve(&b->p, &b->answer, &err) < 0)
		give_up(err.text);
	return now() - begin;
}

static double
again(struct bench *b)
{
	struct mpc_mcmf_solver *s;
	struct mpc_mcmf_answer a = { .flow = b->answer.flow, .potential = NULL };
	struct nfv_err err;
	double begin;

	if (mpc_mcmf_create(&b->p, &s, &err) < 0 || mpc_mcmf_run(s, &a, &err) < 0)
		give_up(err.text);
	begin = now();
	if (mpc_mcmf_recost(s, b->changed, &err) < 0 || mpc_mcmf_run(s, &a, &err) < 0)
		give_up(err.text);
	begin = now() - begin;
	mpc_mcmf_destroy(s);
	return begin;
}

#ifdef HAVE_LEMON
static double
rival(struct bench *b, bool narrow)
{
	double seconds;
	int64_t cost;

	if (!lemon_solve(&b->p, narrow, &cost, &seconds))
		give_up("LEMON finds no flow");
	if (cost != b->answer.cost)
		give_up("LEMON finds another cost");
	return seconds;
}
#endif

static void
run_round(struct bench *b, uint32_t round)
{
	for (uint32_t i = 0; i < ARMS; i++) {
		uint32_t arm = (i + round) % ARMS;

		if (arm == OURS)
			b->seconds[arm][round] = ours(b);
		else if (arm == AGAIN)
			b->seconds[arm][round] = again(b);
#ifdef HAVE_LEMON
		else if (arm == LEMON64 || b->narrow)
			b->seconds[arm][round] = rival(b, arm == LEMON32);
#endif
	}
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
evaluate(struct bench *b, enum family f)
{
	double median[ARMS];
	json_t *o = json_pack("{s:s,s:I,s:I,s:I,s:I}", "family", family_name(f), "nodes",
		(json_int_t)b->p.nodes, "arcs", (json_int_t)b->p.arcs, "pivots",
		(json_int_t)b->answer.pivots, "rounds", (json_int_t)b->rounds);

	for (int a = 0; a < ARMS; a++) {
		double *s = b->seconds[a];

		qsort(s, b->rounds, sizeof(*s), by_value);
		median[a] = (s[(b->rounds - 1) / 2] + s[b->rounds / 2]) / 2;
		json_object_set_new(o, arm_name[a],
			json_pack("{s:f,s:f,s:f}", "median", median[a], "min", s[0], "max",
				s[b->rounds - 1]));
	}
	if (b->json) {
		json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(5));
		putchar('\n');
	} else {
		printf("%-10s %8u %8u %8llu", family_name(f), b->p.nodes, b->p.arcs,
			(unsigned long long)b->answer.pivots);
		for (int a = 0; a < ARMS; a++)
			printf(" %9.6f", median[a]);
		if (median[LEMON64] > 0)
			printf("  %5.2f %5.2f", b->narrow ? median[OURS] / median[LEMON32] : NAN,
				median[OURS] / median[LEMON64]);
		putchar('\n');
	}
	fflush(stdout);
	json_decref(o);
}

static void
run(struct bench *b, enum family f, uint32_t arcs)
{
	uint64_t random = 1;
	int64_t most = 0;

	family_make(f, arcs, 10000, 1, &b->p);
	b->answer.flow = calloc(b->p.arcs, sizeof(*b->answer.flow));
	b->answer.potential = calloc(b->p.nodes, sizeof(*b->answer.potential));
	b->changed = malloc(b->p.arcs * sizeof(*b->changed));
	if (b->answer.flow == NULL || b->answer.potential == NULL || b->changed == NULL)
		give_up("out of memory");
	memcpy(b->changed, b->p.cost, b->p.arcs * sizeof(*b->changed));
	for (uint32_t i = 0; i < b->p.arcs / 10; i++)
		b->changed[family_random(&random, b->p.arcs)] += family_random(&random, 1000);
	for (uint32_t e = 0; e < b->p.arcs; e++)
		most = b->p.cost[e] > most ? b->p.cost[e] : most;
	b->narrow = (most + 1) * b->p.nodes < INT32_MAX;
	ours(b);
	memset(b->seconds, 0, sizeof(b->seconds));
	for (uint32_t r = 0; r < b->rounds; r++)
		run_round(b, r);
	evaluate(b, f);
	free(b->answer.flow);
	free(b->answer.potential);
	free(b->changed);
	family_free(&b->p);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = { { "json", no_argument, NULL, 'j' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "arcs", required_argument, NULL, 'a' },
		{ "family", required_argument, NULL, 'f' }, { NULL, 0, NULL, 0 } };
	static struct bench b = { .rounds = 9 };
	uint32_t arcs = 0;
	const char *only = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'j')
			b.json = true;
		else if (c == 'r')
			b.rounds = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'a')
			arcs = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'f')
			only = optarg;
		else
			exit(2);
	}
	if (b.rounds == 0 || b.rounds > ROUNDS)
		give_up("--rounds takes 1 to 99");
	if (!b.json)
		printf("median of %u rounds, seconds\n%-10s %8s %8s %8s %9s %9s %9s %9s  %s\n",
			b.rounds, "family", "nodes", "arcs", "pivots", arm_name[OURS],
			arm_name[AGAIN], arm_name[LEMON32], arm_name[LEMON64],
			"ours to lemon32, lemon64");
	for (enum family f = 0; f < FAMILIES; f++) {
		if (only != NULL && strcmp(only, family_name(f)) != 0)
			continue;
		run(&b, f, arcs > 0 ? arcs : 10000);
		if (arcs == 0)
			run(&b, f, 100000);
	}
	return 0;
}
