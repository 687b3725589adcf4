#include <stdlib.h>
#include <string.h>

#include "mpc_simulate.h"
#include "nfv_hash.h"

struct mpc_sim {
	uint32_t sets, ways, lines; /* lines: of a page */
	bool tree;
	uint64_t *way;  /* tags of all sets, 0: empty; LRU: most recent first */
	uint64_t *node; /* PLRU, a word a set: which half is older */
	uint64_t victim;
};

int
mpc_sim_create(const struct mpc_cache *cache, enum mpc_policy policy, struct mpc_sim **out,
	struct nfv_err *err)
{
	struct mpc_cache c = *cache;
	struct mpc_sim *s;

	if (mpc_cache_complete(&c, err) < 0)
		return -EINVAL;
	if (policy == MPC_PLRU && (c.ways > 64 || (c.ways & (c.ways - 1)) != 0))
		return nfv_fail(
			err, EINVAL, "%u ways make no tree: a power of two up to 64 would", c.ways);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		goto fail;
	*s = (struct mpc_sim){ .sets = c.sets,
		.ways = c.ways,
		.lines = MPC_PAGE / c.line,
		.tree = policy == MPC_PLRU };
	s->way = calloc((size_t)c.sets * c.ways, sizeof(*s->way));
	s->node = calloc(c.sets, sizeof(*s->node));
	if (s->way == NULL || s->node == NULL)
		goto fail;
	*out = s;
	return 0;
fail:
	mpc_sim_destroy(s);
	return nfv_fail(err, ENOMEM, "no memory for a cache of %u sets", c.sets);
}

void
mpc_sim_destroy(struct mpc_sim *s)
{
	if (s == NULL)
		return;
	free(s->way);
	free(s->node);
	free(s);
}

/* Point every node on the way to `w` away from it. */
static void
touch(struct mpc_sim *s, uint32_t set, uint32_t w)
{
	for (uint32_t node = 1, half = s->ways / 2; half > 0; half /= 2) {
		uint32_t right = (w & half) != 0;
		uint64_t bit = 1ull << node;

		s->node[set] = right ? s->node[set] & ~bit : s->node[set] | bit;
		node = 2 * node + right;
	}
}

static uint32_t
oldest(const struct mpc_sim *s, uint32_t set)
{
	uint32_t w = 0;

	for (uint32_t node = 1, half = s->ways / 2; half > 0; half /= 2) {
		uint32_t right = s->node[set] >> node & 1;

		w |= right ? half : 0;
		node = 2 * node + right;
	}
	return w;
}

/* Tags that agree under the mask are of one line; the last one stays. */
static inline bool
load(struct mpc_sim *s, uint32_t set, uint64_t tag, uint64_t mask)
{
	uint64_t *way = s->way + (size_t)set * s->ways;
	uint32_t w = 0;
	bool hit;

	while (w < s->ways && ((way[w] ^ tag) & mask) != 0)
		w++;
	hit = w < s->ways;
	if (s->tree) {
		w = hit ? w : oldest(s, set);
		s->victim = way[w];
		way[w] = tag;
		touch(s, set, w);
		return hit;
	}
	w = hit ? w : s->ways - 1;
	s->victim = way[w];
	memmove(way + 1, way, w * sizeof(*way));
	way[0] = tag;
	return hit;
}

bool
mpc_sim_load(struct mpc_sim *s, uint32_t set, uint64_t tag)
{
	return load(s, set, tag, UINT64_MAX);
}

void
mpc_sim_drop(struct mpc_sim *s, uint32_t set, uint32_t way)
{
	uint64_t *at = s->way + (size_t)set * s->ways + way;

	/* In order of age an empty way is the oldest. */
	if (!s->tree) {
		memmove(at, at + 1, (s->ways - 1 - way) * sizeof(*at));
		at += s->ways - 1 - way;
	}
	*at = 0;
}

static uint32_t
palette_colour(void *arg, uint32_t class, uint64_t page)
{
	const struct mpc_palette *p = arg;
	uint64_t set = p->colours[class];
	uint64_t h = nfv_hash_mix(page ^ 0xd1b54a32d192ed03u, 0x9e3779b97f4a7c15u);
	unsigned int n = (unsigned int)__builtin_popcountll(set);

	if (n == 0)
		return 0;
	for (unsigned int skip = (unsigned int)((h >> 32) * n >> 32); skip > 0; skip--)
		set &= set - 1;
	return (uint32_t)__builtin_ctzll(set);
}

struct mpc_place
mpc_place_palette(struct mpc_palette *palette)
{
	return (struct mpc_place){ palette_colour, palette };
}

void
mpc_sim_run(struct mpc_sim *s, const struct mpc_access *a, size_t n, const struct mpc_place *place,
	struct mpc_sim_count count[MPC_CLASSES])
{
	for (size_t i = 0; i < n; i++) {
		struct mpc_sim_count *c = &count[a[i].class];
		uint64_t page = a[i].line / s->lines, within = a[i].line % s->lines;
		uint64_t colour = s->sets > 1 ? place->colour(place->arg, a[i].class, page) : 0;
		uint32_t set = (uint32_t)((colour * s->lines + within) % s->sets);

		c->accesses++;
		if (load(s, set, (a[i].line + 1) * MPC_CLASSES + a[i].class,
			    ~(uint64_t)(MPC_CLASSES - 1)))
			continue;
		c->misses++;
		if (s->victim != 0) {
			uint32_t loser = (uint32_t)(s->victim % MPC_CLASSES);

			count[loser].evicted[loser != a[i].class]++;
		}
	}
}
