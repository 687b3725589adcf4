#include <stdlib.h>
#include <string.h>

#include "sets.h"

#define WORDS 2
#define POOLS (64 * WORDS) /* bits of a signature */
#define AGREE 0.76         /* of two pages of one colour; others agree in half of their bits */
#define VOTES 3
#define TRIES 8 /* of parts of a group */

/* Which pools a page was asked about, and which of them pushed it out. */
struct signature {
	uint64_t asked[WORDS], gone[WORDS];
};

struct member {
	uint32_t page; /* place in the region */
	int group;     /* or -1 */
	struct signature sig;
};

struct sample {
	struct member *member;
	uint32_t n, colours, ways;
	uint32_t pool;   /* pages of a pool */
	uint8_t **walk;  /* the pool's pages */
	uint32_t *order; /* a permutation: the first `pool` are the pool, the others are asked */
	uint32_t *cycles;
};

uint32_t
sets_sample(const struct mpc_cache *cache, uint32_t colours)
{
	return (colours + 2) * (cache->ways * 5 / 2 + 4);
}

static bool
bit_of(const uint64_t word[WORDS], int bit)
{
	return word[bit / 64] >> bit % 64 & 1;
}

static void
set_bit(uint64_t word[WORDS], int bit, bool value)
{
	word[bit / 64] |= (uint64_t)value << bit % 64;
}

static double
agreement(const struct signature *a, const struct signature *b)
{
	int n = 0, same = 0;

	for (int w = 0; w < WORDS; w++) {
		uint64_t both = a->asked[w] & b->asked[w];

		n += __builtin_popcountll(both);
		same += __builtin_popcountll(both & ~(a->gone[w] ^ b->gone[w]));
	}
	return n == 0 ? 0 : (double)same / n;
}

/* One pool: which of the pages outside it does it push out? */
static void
sign(struct meter *m, const struct mpc_calibration *what, struct sample *s, int bit)
{
	uint8_t *asked[METER_BATCH];
	uint32_t threshold, gone = 0;
	uint32_t batch = meter_batch(&what->cache, s->colours);

	meter_shuffle(m, s->order, s->n);
	for (uint32_t i = 0; i < s->pool; i++)
		s->walk[i] = what->page[s->member[s->order[i]].page];
	for (uint32_t i = s->pool; i < s->n; i += batch) {
		uint32_t n = s->n - i < batch ? s->n - i : batch;

		for (uint32_t k = 0; k < n; k++)
			asked[k] = what->page[s->member[s->order[i + k]].page];
		meter_ask(m, asked, n, s->walk, s->pool, s->cycles + i);
	}
	threshold = meter_threshold(m, s->cycles + s->pool, s->n - s->pool, 0.05);
	for (uint32_t i = s->pool; i < s->n; i++) {
		struct signature *sig = &s->member[s->order[i]].sig;

		set_bit(sig->asked, bit, true);
		set_bit(sig->gone, bit, s->cycles[i] > threshold);
		gone += s->cycles[i] > threshold;
	}
	/* A bit tells most when half of the pages have it, whatever the replacement. */
	if (2 * gone > s->n - s->pool)
		s->pool -= s->pool / 32 + 1;
	else if (s->pool + s->pool / 32 < s->n / 2)
		s->pool += s->pool / 32 + 1;
}

/* What most of the group say, pool by pool. */
static struct signature
majority(const struct sample *s, int group)
{
	struct signature mean = { { 0 }, { 0 } };

	for (int bit = 0; bit < POOLS; bit++) {
		int asked = 0, gone = 0;

		for (uint32_t i = 0; i < s->n; i++) {
			if (s->member[i].group != group)
				continue;
			asked += bit_of(s->member[i].sig.asked, bit);
			gone += bit_of(s->member[i].sig.gone, bit);
		}
		set_bit(mean.asked, bit, asked > 0);
		set_bit(mean.gone, bit, 2 * gone > asked);
	}
	return mean;
}

/* Gather what agrees with `sig` into a group; returns how many do. */
static unsigned int
gather(struct sample *s, const struct signature *sig, int group)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		if (s->member[i].group == group)
			s->member[i].group = -1;
		if (s->member[i].group < 0 && agreement(&s->member[i].sig, sig) >= AGREE) {
			s->member[i].group = group;
			n++;
		}
	}
	return n;
}

/* Round some page without a group: those that agree with it, then those that agree with their
 * majority. False if they are too few to fill the ways, or so many that they mix colours. */
static bool
group_around(struct sample *s, uint32_t i, int group)
{
	struct signature mean = s->member[i].sig;
	unsigned int n = gather(s, &mean, group);

	for (int again = 0; again < 2 && n > 1; again++) {
		mean = majority(s, group);
		n = gather(s, &mean, group);
	}
	if (n > s->ways && n <= 2 * s->n / s->colours)
		return true;
	for (uint32_t k = 0; k < s->n; k++)
		if (s->member[k].group == group)
			s->member[k].group = -1;
	return false;
}

static void
add(struct set *to, const struct set *from, unsigned int i)
{
	if (to->n == SETS_MEMBERS)
		return;
	to->index[to->n] = from->index[i];
	to->page[to->n++] = from->page[i];
}

static void
drop(struct set *s, unsigned int i)
{
	s->n--;
	s->index[i] = s->index[s->n];
	s->page[i] = s->page[s->n];
}

bool
set_has(const struct set *s, uint32_t page)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (s->index[i] == page)
			return true;
	return false;
}

/* Add to `out` the members of `from`, but for those of `core`, that the pages of `core` evict. */
static void
evicted_by(struct meter *m, const struct mpc_calibration *what, const struct set *core,
	const struct set *from, struct set *out)
{
	for (unsigned int i = 0; i < from->n; i++)
		if (!set_has(core, from->index[i]) &&
			meter_evicts(m, what, from->page[i], core->page, core->n, VOTES))
			add(out, from, i);
}

/* The members of a set that the others evict. */
static void
evicted_by_the_others(
	struct meter *m, const struct mpc_calibration *what, const struct set *s, struct set *out)
{
	for (unsigned int i = 0; i < s->n; i++) {
		struct set others = *s;

		drop(&others, i);
		if (meter_evicts(m, what, s->page[i], others.page, others.n, VOTES))
			add(out, s, i);
	}
}

static void
choose(struct meter *m, const struct set *from, unsigned int n, struct set *out)
{
	struct set left = *from;

	for (out->n = 0; out->n < n && left.n > 0;) {
		unsigned int i = meter_below(m, left.n);

		add(out, &left, i);
		drop(&left, i);
	}
}

/*
 * A group that agrees may still mix colours whose signatures are alike. So a core of it is chosen at
 * random, of more pages than there are ways, but so few that of two colours at most one can have
 * enough in it to evict anything: what it evicts is of one colour. A core of that stands the test if
 * it evicts all the rest.
 */
static bool
purify(struct meter *m, const struct mpc_calibration *what, struct set *set)
{
	unsigned int ways = what->cache.ways;

	for (int i = 0; i < TRIES && set->n > ways; i++) {
		struct set core, some = { .n = 0 };

		choose(m, set, ways * 3 / 2, &core);
		evicted_by(m, what, &core, set, &some);
		if (some.n == 0 && core.n < set->n)
			continue;
		evicted_by_the_others(m, what, &core, &some);
		if (some.n <= ways)
			continue;
		choose(m, &some, ways * 3 / 2, &core);
		*set = core;
		set->walk = core.n;
		evicted_by(m, what, &core, &some, set);
		if (10 * set->n < 9 * some.n)
			continue;
		return true;
	}
	return false;
}

/* Whether one of them evicts members of the other: then it is one colour that was found twice. */
static bool
same_colour(struct meter *m, const struct mpc_calibration *what, const struct set *a,
	const struct set *b)
{
	int evicted = 0;

	for (unsigned int i = 0; i < 3; i++)
		evicted += meter_evicts(m, what, b->page[i], a->page, a->walk, VOTES);
	return evicted >= 2;
}

static void
fill(const struct mpc_calibration *what, const struct sample *s, int group, struct set *set)
{
	set->n = 0;
	for (uint32_t i = 0; i < s->n && set->n < SETS_MEMBERS; i++) {
		if (s->member[i].group != group)
			continue;
		set->index[set->n] = s->member[i].page;
		set->page[set->n++] = what->page[s->member[i].page];
	}
}

/* Members of the group that are not of the set's colour may yet find theirs. */
static void
release(struct sample *s, int group, const struct set *set)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->member[i].group == group && !set_has(set, s->member[i].page))
			s->member[i].group = -1;
}

static uint32_t
collect(struct meter *m, const struct mpc_calibration *what, struct sample *s, struct set *out,
	uint32_t max)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < s->n && found < max; i++) {
		struct set *set = &out[found];
		bool known = false;

		if (s->member[i].group >= 0 || !group_around(s, i, (int)i))
			continue;
		fill(what, s, (int)i, set);
		if (!purify(m, what, set))
			set->n = 0;
		release(s, (int)i, set);
		s->member[i].group = (int)i; /* as a start it has been tried */
		if (set->n == 0)
			continue;
		for (uint32_t k = 0; k < found && !known; k++)
			known = same_colour(m, what, &out[k], set);
		found += !known;
	}
	return found;
}

int
sets_find(struct meter *m, const struct mpc_calibration *what, uint32_t *todo, uint32_t n,
	uint32_t colours, struct set *out, uint32_t max)
{
	struct sample s = { .n = sets_sample(&what->cache, colours),
		.colours = colours,
		.ways = what->cache.ways,
		.pool = colours * what->cache.ways };

	if (s.n > n)
		s.n = n;
	if (s.pool > s.n / 2)
		s.pool = s.n / 2;
	/* One block, owned by the meter: a fault may end this function at any load. */
	free(m->scratch);
	m->scratch = calloc(
		s.n, sizeof(*s.member) + sizeof(*s.walk) + sizeof(*s.order) + sizeof(*s.cycles));
	if (m->scratch == NULL)
		return -ENOMEM;
	s.member = m->scratch;
	s.walk = (uint8_t **)(s.member + s.n);
	s.order = (uint32_t *)(s.walk + s.n);
	s.cycles = s.order + s.n;
	meter_shuffle(m, todo, n);
	for (uint32_t i = 0; i < s.n; i++) {
		s.member[i] = (struct member){ .page = todo[i], .group = -1 };
		s.order[i] = i;
	}
	for (int bit = 0; bit < POOLS; bit++)
		sign(m, what, &s, bit);
	return (int)collect(m, what, &s, out, max);
}
