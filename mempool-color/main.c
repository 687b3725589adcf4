/* mempool-color: the colours of this machine's caches, measured, shown, and put to the proof. */
#include <stdlib.h>

#include "report.h"
#include "verify.h"

static int
calibrate(struct ground *g, const struct options *o, struct nfv_err *err)
{
	struct ground_run run[2];
	bool confident;
	int rc = ground_calibrate(g, &run[0], err);

	if (rc < 0)
		return rc;
	rc = ground_calibrate(g, &run[1], err);
	if (rc < 0) {
		free(run[0].map.colour);
		return rc;
	}
	report_calibration(g, run, o->json);
	confident = run[0].map.confident && run[1].map.confident;
	free(run[0].map.colour);
	free(run[1].map.colour);
	return confident ? 0 : 1;
}

static int
show(struct ground *g, const struct options *o, struct nfv_err *err)
{
	struct ground_run run;
	int rc;

	if (o->caches_only) {
		report_caches(g, NULL, o->json);
		return 0;
	}
	rc = ground_calibrate(g, &run, err);
	if (rc < 0)
		return rc;
	report_caches(g, &run.map, o->json);
	if (!o->json && o->svg == NULL)
		report_picture(stdout, &run.map);
	if (o->svg != NULL)
		rc = report_svg(o->svg, g, &run.map, err);
	if (rc == 0 && !run.map.confident) {
		nfv_fail(err, EAGAIN, "the picture is not to be relied on: %s", run.map.why);
		rc = -EAGAIN;
	}
	free(run.map.colour);
	return rc;
}

static int
verify(struct ground *g, const struct options *o, struct nfv_err *err)
{
	struct mpc_probe machine = mpc_probe_machine();
	struct mpc_arena *arena = NULL;
	struct verify_result result = { .good = false };
	struct ground_run run;
	int rc = ground_calibrate(g, &run, err);

	if (rc < 0)
		return rc;
	if (!run.map.confident)
		rc = nfv_fail(err, EAGAIN, "the colours are not certain: %s", run.map.why);
	if (rc == 0)
		rc = mpc_arena_create(&g->region, &run.map, &arena, err);
	if (rc == 0)
		rc = verify_run(arena, &g->cache, run.map.classes, &machine, &result, err);
	if (rc == 0)
		report_verification(g, &result, o->json);
	mpc_arena_destroy(arena);
	free(run.map.colour);
	return rc < 0 ? rc : result.good ? 0 : 1;
}

int
main(int argc, char **argv)
{
	static int (*const run[COMMANDS])(
		struct ground *, const struct options *, struct nfv_err *) = {
		[CALIBRATE] = calibrate,
		[SHOW] = show,
		[VERIFY] = verify,
	};
	struct nfv_err err = { "" };
	struct options o;
	struct ground g;
	int rc;

	if (options_parse(argc, argv, &o, &err) < 0) {
		fprintf(stderr, "mempool-color: %s\n", err.text);
		return 2;
	}
	if (o.help) {
		options_help(stdout, o.command);
		return 0;
	}
	rc = ground_init(&g, &o, &err);
	if (rc == 0 && !o.caches_only)
		rc = ground_region(&g, &o, &err);
	if (rc == 0)
		rc = run[o.command](&g, &o, &err);
	ground_fini(&g);
	if (rc < 0)
		fprintf(stderr, "mempool-color: %s\n", err.text);
	return rc == 0 ? 0 : 1;
}
