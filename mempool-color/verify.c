#include <stdlib.h>

#include "verify.h"

#define ROUNDS 41
#define HOT    32 /* pages of a hot set, at most */
#define GOOD   0.8
/* "Alone" is after so many pages of other colours, which fit in beside it: enough to push the hot
 * set out of the first cache, so that it is this one that is timed. */
#define PAST_L1 32

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
quantile(double *v, unsigned int n, double part)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[(unsigned int)(part * n)];
}

static double
time_hot(const struct mpc_probe *probe, uint8_t *const *hot, uint32_t n)
{
	uint32_t cycles[HOT];
	double sum = 0;

	while (!probe->time(probe->ctx, hot, n, cycles))
		;
	for (uint32_t i = 0; i < n; i++)
		sum += cycles[i];
	return sum / n;
}

/* Bring the hot set in, let the stream pass by, and see what it takes now. */
static double
after(const struct mpc_probe *probe, uint8_t *const *hot, uint32_t n, uint8_t *const *stream,
	uint32_t n_stream)
{
	double took[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		probe->walk(probe->ctx, hot, n);
		probe->walk(probe->ctx, stream, n_stream);
		took[i] = time_hot(probe, hot, n);
	}
	return quantile(took, ROUNDS, 0.25); /* neighbours only ever add */
}

static double
median_of(const struct verify_result *r, size_t field)
{
	double v[VERIFY_COLOURS];

	for (uint32_t c = 0; c < r->colours; c++)
		v[c] = *(const double *)((const char *)&r->colour[c] + field);
	return quantile(v, r->colours, 0.5);
}

int
verify_run(struct mpc_arena *arena, const struct mpc_cache *cache, uint32_t colours,
	const struct mpc_probe *probe, struct verify_result *out, struct nfv_err *err)
{
	uint32_t ways = cache->ways;
	struct verify_result r = { .colours = colours,
		.hot = ways / 2 < 1    ? 1 :
			ways / 2 < HOT ? ways / 2 :
					 HOT,
		.stream_same = 4 * ways };
	uint8_t **room;
	int rc = 0;

	if (colours < 2 || colours > VERIFY_COLOURS)
		return nfv_fail(err, EINVAL, "%u colours leave nothing to verify", colours);
	r.stream_others = 4 * ways * (colours - 1);
	if (r.stream_others < PAST_L1)
		return nfv_fail(err, EINVAL, "a cache of %u ways and %u colours is too small", ways,
			colours);
	room = malloc((r.hot + r.stream_same + r.stream_others) * sizeof(*room));
	if (room == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	for (uint32_t c = 0; c < colours && rc == 0; c++) {
		uint8_t **hot = room, **same = hot + r.hot, **others = same + r.stream_same;
		mpc_colours mine = (mpc_colours)1 << c;
		mpc_colours rest = (colours < 64 ? ((mpc_colours)1 << colours) - 1 : ~0ull) & ~mine;

		rc = mpc_arena_take(arena, mine, r.hot + r.stream_same, room, err);
		if (rc < 0)
			break;
		rc = mpc_arena_take(arena, rest, r.stream_others, others, err);
		if (rc == 0) {
			r.colour[c].alone = after(probe, hot, r.hot, others, PAST_L1);
			r.colour[c].same = after(probe, hot, r.hot, same, r.stream_same);
			r.colour[c].others = after(probe, hot, r.hot, others, r.stream_others);
			mpc_arena_give(arena, others, r.stream_others);
		}
		mpc_arena_give(arena, room, r.hot + r.stream_same);
	}
	free(room);
	if (rc < 0)
		return rc;
	r.all.alone = median_of(&r, offsetof(struct verify_latency, alone));
	r.all.same = median_of(&r, offsetof(struct verify_latency, same));
	r.all.others = median_of(&r, offsetof(struct verify_latency, others));
	r.kept = 1 - (r.all.others - r.all.alone) / (r.all.same - r.all.alone);
	r.good = r.all.same > r.all.alone && r.kept >= GOOD;
	*out = r;
	return 0;
}
