#include <stdio.h>
#include <stdlib.h>

#include "mpc_calibrate.h"

#define TRIES 4 /* for each inner colour */

/* The pages of one inner colour, as places in the region and as memory. */
struct part {
	uint32_t *index, n;
	uint8_t **page;
	uint64_t *frame;
};

static void
gather(const struct mpc_calibration *what, const struct mpc_map *inner, uint32_t class,
	struct part *p)
{
	p->n = 0;
	for (uint32_t i = 0; i < what->pages; i++) {
		if (inner->colour[i] != class)
			continue;
		p->index[p->n] = i;
		if (what->frame != NULL)
			p->frame[p->n] = what->frame[i];
		p->page[p->n++] = what->page[i];
	}
}

static void
merge(struct mpc_map *all, const struct mpc_map *one, const struct part *p, uint32_t class,
	uint32_t colours)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (one->colour[i] != MPC_NO_COLOUR)
			all->colour[p->index[i]] = (uint16_t)(class * colours + one->colour[i]);
	all->classified += one->classified;
	all->classes += one->classes;
	all->hit = one->hit;
	all->miss = one->miss;
	all->timings += one->timings;
	all->repeated += one->repeated;
	all->formula = one->formula;
	if (class == 0 || one->true_positive < all->true_positive)
		all->true_positive = one->true_positive;
	if (class == 0 || one->false_positive > all->false_positive)
		all->false_positive = one->false_positive;
}

int
mpc_calibrate_within(const struct mpc_calibration *what, const struct mpc_map *inner,
	const struct mpc_probe *probe, struct mpc_map *out, struct nfv_err *err)
{
	struct mpc_calibration some = *what;
	struct mpc_map all = { .pages = what->pages, .confident = true };
	struct part p = { .n = 0 };
	int rc = 0;

	if (inner->classes == 0 || what->cache.colours % inner->classes != 0)
		return nfv_fail(err, EINVAL,
			"the %u colours of the level %u cache do not refine the %u of the one before it",
			what->cache.colours, what->cache.level, inner->classes);
	some.cache.colours = what->cache.colours / inner->classes;
	some.progress = NULL;
	all.colour = malloc(what->pages * sizeof(*all.colour));
	p.index = malloc(what->pages * sizeof(*p.index));
	p.page = malloc(what->pages * sizeof(*p.page));
	p.frame = malloc(what->pages * sizeof(*p.frame));
	if (all.colour == NULL || p.index == NULL || p.page == NULL || p.frame == NULL) {
		rc = nfv_fail(err, ENOMEM, "out of memory");
		goto out;
	}
	for (uint32_t i = 0; i < what->pages; i++)
		all.colour[i] = MPC_NO_COLOUR;
	for (uint32_t c = 0; c < inner->classes && rc == 0 && all.confident; c++) {
		struct mpc_map one = { .pages = 0 };

		gather(what, inner, c, &p);
		some.page = p.page;
		some.pages = p.n;
		some.frame = what->frame != NULL ? p.frame : NULL;
		for (int i = 0; i < TRIES && rc == 0 && !one.confident; i++) {
			free(one.colour);
			some.seed = what->seed + (uint64_t)c * TRIES + (unsigned int)i;
			rc = mpc_calibrate(&some, probe, &one, err);
		}
		if (rc < 0)
			break;
		merge(&all, &one, &p, c, some.cache.colours);
		all.confident = one.confident;
		if (!one.confident)
			snprintf(all.why, sizeof(all.why),
				"in colour %u of the cache before it: %.80s", c, one.why);
		free(one.colour);
		if (what->progress != NULL)
			what->progress(what->arg, all.classified, all.pages);
	}
out:
	free(p.index);
	free(p.page);
	free(p.frame);
	if (rc < 0) {
		free(all.colour);
		return rc;
	}
	*out = all;
	return 0;
}
