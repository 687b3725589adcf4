#include <stdlib.h>

#include "colour_ground.h"
#include "ground.h"

int
colour_ground_make(size_t size, unsigned int level, struct colour_ground *out, struct nfv_err *err)
{
	struct options o = {
		.level = level, .pages = MPC_PAGES_HUGE, .size = size, .cpu = -1, .json = true
	};
	struct ground_run run = { .seconds = 0 };
	struct ground g;
	int rc = ground_init(&g, &o, err);

	/* Pages of a class are scattered: in small ones each would need its own translation. */
	if (rc == 0 && ground_region(&g, &o, err) < 0) {
		o.pages = MPC_PAGES_THP;
		rc = ground_region(&g, &o, err);
	}
	if (rc == 0)
		rc = ground_calibrate(&g, &run, err);
	ground_unpin(&g);
	if (rc == 0 && !run.map.confident)
		rc = nfv_fail(err, EAGAIN, "not confident: %s", run.map.why);
	if (rc < 0) {
		ground_fini(&g);
		free(run.map.colour);
		return rc;
	}
	free(g.frame);
	*out = (struct colour_ground){ g.region, run.map, g.cache.level, run.seconds };
	return 0;
}

void
colour_ground_free(struct colour_ground *g)
{
	free(g->map.colour);
	mpc_region_destroy(&g->region);
	*g = (struct colour_ground){ .level = 0 };
}
