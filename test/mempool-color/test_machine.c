/*
 * The machine this runs on: what is measured twice must agree, and what is confident must stand the
 * proof. A machine that cannot be measured now, for what reason it may, is no failure: the reason is
 * printed, and the test counts as skipped.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ground.h"
#include "verify.h"

enum { GOOD = 0, BAD = 1, SKIPPED = 77 };

static int
skip(const char *reason)
{
	printf("skipped: %s\n", reason);
	return SKIPPED;
}

static int
bad(const char *what, double value)
{
	printf("FAILED: %s: %f\n", what, value);
	return BAD;
}

static int
examine(struct ground *g, const struct ground_run run[2])
{
	struct mpc_probe machine = mpc_probe_machine();
	double agreement = mpc_agreement(&run[0].map, &run[1].map);
	struct mpc_arena *arena = NULL;
	struct verify_result v;
	struct nfv_err err = { "" };
	int rc;

	for (int i = 0; i < 2; i++)
		if (!run[i].map.confident)
			return skip(run[i].map.why);
	printf("%u colours, agreement %.4f\n", run[0].map.classes, agreement);
	if (run[0].map.classes != g->cache.colours)
		return bad("number of colours", run[0].map.classes);
	if (agreement < 0.95)
		return bad("agreement of two confident maps", agreement);
	rc = mpc_arena_create(&g->region, &run[0].map, &arena, &err);
	if (rc == 0)
		rc = verify_run(arena, &g->cache, run[0].map.classes, &machine, &v, &err);
	mpc_arena_destroy(arena);
	if (rc < 0)
		return skip(err.text);
	printf("alone %.0f, same colour %.0f, others %.0f\n", v.all.alone, v.all.same,
		v.all.others);
	if (v.all.same <= v.all.alone || v.all.others >= v.all.same)
		return bad("a stream of another colour is as bad as one of the same", v.all.others);
	return GOOD;
}

int
main(void)
{
	struct options o = { .level = 2, .size = 32u << 20, .pages = MPC_PAGES_4K, .cpu = -1 };
	struct ground_run run[2] = { { .seconds = 0 }, { .seconds = 0 } };
	struct nfv_err err = { "" };
	struct ground g;
	int rc = ground_init(&g, &o, &err);

	if (rc == 0)
		rc = ground_region(&g, &o, &err);
	for (int i = 0; i < 2 && rc == 0; i++)
		rc = ground_calibrate(&g, &run[i], &err);
	rc = rc < 0 ? skip(err.text) : examine(&g, run);
	for (int i = 0; i < 2; i++)
		free(run[i].map.colour);
	ground_fini(&g);
	return rc;
}
