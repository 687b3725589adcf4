/**
 * @file
 * How long a plan takes, and what it gains by the model's own account: classes made up at random,
 * half of them streams, on 64 colours of two sockets.
 *
 *   bench_plan [--json] [--rounds N] [--classes N] [--colours N] [--sockets N]
 *
 * Milliseconds are of processor time; every round plans for other classes. Gains are the cost of each
 * arm over that of `off`, medians of all rounds.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "plan_cases.h"

#define ROUNDS 99

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *v, uint32_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	return (v[(n - 1) / 2] + v[n / 2]) / 2;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = { { "json", no_argument, NULL, 'j' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "classes", required_argument, NULL, 'c' },
		{ "colours", required_argument, NULL, 'k' },
		{ "sockets", required_argument, NULL, 's' }, { NULL, 0, NULL, 0 } };
	static double ms[ROUNDS], of_static[ROUNDS], of_mcmf[ROUNDS];
	static struct plan_case it;
	uint32_t rounds = 9, classes = 64, colours = 64, sockets = 2;
	uint64_t random = 1;
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		uint32_t n = optarg != NULL ? (uint32_t)strtoul(optarg, NULL, 10) : 0;

		if (c == 'j')
			json = true;
		else if (c == 'r')
			rounds = n;
		else if (c == 'c')
			classes = n;
		else if (c == 'k')
			colours = n;
		else if (c == 's')
			sockets = n;
		else
			return 2;
	}
	if (rounds == 0 || rounds > ROUNDS || classes == 0 || classes > CASE_CLASSES ||
		(uint64_t)sockets * colours == 0 || (uint64_t)sockets * colours > CASE_PLACES) {
		fprintf(stderr, "bench: 1 to %d rounds, %d classes, %d places\n", ROUNDS,
			CASE_CLASSES, CASE_PLACES);
		return 2;
	}
	for (uint32_t r = 0; r < rounds; r++) {
		struct nfv_err err;
		struct mpc_plan p;
		double begin;

		plan_case_begin(&it, sockets, colours, 700, 1024);
		for (uint32_t i = 0; i < classes; i++)
			plan_case_random(&it, &random, 16, 900);
		begin = now();
		if (mpc_plan_make(it.class, it.classes, &it.machine, &p, &err) < 0) {
			fprintf(stderr, "bench: %s\n", err.text);
			return 1;
		}
		ms[r] = (now() - begin) * 1e3;
		of_static[r] = p.cost[MPC_PLAN_STATIC].total / p.cost[MPC_PLAN_OFF].total;
		of_mcmf[r] = p.cost[MPC_PLAN_MCMF].total / p.cost[MPC_PLAN_OFF].total;
		if (!json)
			printf("%8.2f ms  static %.3f  mcmf %.3f of off  %u of %u flows\n", ms[r],
				of_static[r], of_mcmf[r], p.accepted, p.flows);
		mpc_plan_free(&p);
	}
	if (json) {
		json_t *o = json_pack("{s:f,s:f,s:f,s:i}", "ms", median(ms, rounds), "static",
			median(of_static, rounds), "mcmf", median(of_mcmf, rounds), "rounds",
			(int)rounds);

		json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(5));
		putchar('\n');
		json_decref(o);
	} else {
		printf("medians of %u rounds, %u classes, %u colours, %u sockets:\n"
		       "%8.2f ms  static %.3f  mcmf %.3f of off\n",
			rounds, classes, colours, sockets, median(ms, rounds),
			median(of_static, rounds), median(of_mcmf, rounds));
	}
	return 0;
}
