#include <stdlib.h>
#include <string.h>

#include "mpc_calibrate.h"

#define BATCH      64 /* pages tested by one walk, at most */
#define SET_MAX    96
#define LEAD       3  /* votes by which an answer must lead … */
#define VOTES      15 /* … and after so many the majority has it */
#define ATTEMPTS   64 /* targets tried in vain before giving up */
#define PURITY     32 /* members asked whether a new set evicts them */
#define VALIDATION 1024

/* The lines of one colour that stand for it. */
struct set {
	uint8_t *line[SET_MAX];
	unsigned int n;
};

struct run {
	uint32_t batch; /* pages tested at once; so few that they cannot evict each other */
	uint32_t
		strong; /* pages of a set once its colour is known: more than the ways, since one walk
	                  * does not clear a set of exactly as many, and fewer than twice as many,
	                  * so that a set that mixes two colours by mistake gives itself away */
	const struct mpc_calibration *what;
	const struct mpc_probe *probe;
	struct mpc_map map;
	uint64_t random;
	uint32_t *todo, n_todo; /* pages without a colour */
	int8_t *lead;           /* per place in todo: votes for minus votes against */
	uint8_t *votes;
	struct set *set; /* per class */
	uint8_t **pool;  /* lines to look for sets in */
};

static uint32_t
below(struct run *r, uint32_t n)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	return (uint32_t)((r->random >> 11) % n);
}

static uint8_t *
line_of(const struct run *r, uint32_t page)
{
	return r->what->page[page];
}

/* Pages that have no colour yet are of the colours not yet found, so ever fewer of them fit: a
 * quarter of the ways of each. */
static void
set_batch(struct run *r)
{
	uint32_t left = r->what->cache.colours - r->map.classes;
	uint32_t fit = (left > 0 ? left : 1) * r->what->cache.ways / 4;

	r->batch = fit < 1 ? 1 : fit < BATCH ? fit : BATCH;
}

static void
shuffle(struct run *r, uint32_t *v, uint32_t n)
{
	for (uint32_t i = n; i > 1; i--) {
		uint32_t j = below(r, i), x = v[i - 1];

		v[i - 1] = v[j];
		v[j] = x;
	}
}

/* Bring the lines in, walk the set, and see which of them it has pushed out. */
static void
test_batch(struct run *r, uint8_t *const *line, unsigned int n, uint8_t *const *set,
	unsigned int n_set, bool *gone)
{
	uint32_t cycles[BATCH];

	r->probe->walk(r->probe->ctx, line, n);
	r->probe->walk(r->probe->ctx, set, n_set);
	r->probe->time(r->probe->ctx, line, n, cycles);
	for (unsigned int i = 0; i < n; i++)
		gone[i] = cycles[i] > r->map.threshold;
	r->map.timings += n;
}

/* Whether walking the set evicts this line, by majority with early stop. */
static bool
evicts(struct run *r, uint8_t *line, uint8_t *const *set, unsigned int n_set)
{
	int lead = 0;
	bool gone;

	for (int v = 0; v < VOTES && abs(lead) < LEAD; v++) {
		test_batch(r, &line, 1, set, n_set, &gone);
		lead += gone ? 1 : -1;
	}
	return lead > 0;
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * What a hit and a miss take now: the clock's frequency and the neighbours change it from hour to
 * hour. A hit is timed after as many other lines as a batch has, so that it comes from the cache in
 * question and not from a smaller one before it; a miss after everything has been walked over.
 */
static int
measure_threshold(struct run *r, struct nfv_err *err)
{
	enum { SAMPLES = 8 };
	uint32_t hit[SAMPLES * BATCH], miss[SAMPLES * BATCH], n = r->map.pages, sweep, samples;
	uint8_t *line[BATCH];

	samples = SAMPLES * r->batch;
	sweep = 3 * r->what->cache.colours * r->what->cache.ways;
	for (uint32_t i = 0; i < sweep; i++)
		r->pool[i] = line_of(r, below(r, n));
	for (int s = 0; s < SAMPLES; s++) {
		for (uint32_t i = 0; i < r->batch; i++)
			line[i] = line_of(r, below(r, n));
		r->probe->walk(r->probe->ctx, line, r->batch);
		r->probe->time(r->probe->ctx, line, r->batch, hit + (size_t)s * r->batch);
		r->probe->walk(r->probe->ctx, r->pool, sweep);
		r->probe->time(r->probe->ctx, line, r->batch, miss + (size_t)s * r->batch);
	}
	qsort(hit, samples, sizeof(hit[0]), by_value);
	qsort(miss, samples, sizeof(miss[0]), by_value);
	r->map.hit = hit[samples / 2];
	/* The nearest misses: from the next cache, not from memory. */
	r->map.miss = miss[samples / 10];
	r->map.threshold = (r->map.hit + r->map.miss) / 2;
	if (hit[samples * 9 / 10] >= r->map.threshold || r->map.miss <= r->map.hit + r->map.hit / 4)
		return nfv_fail(err, EAGAIN,
			"hits (%u cycles) and misses (%u cycles) of the level %u cache cannot be told apart now; "
			"try again when the machine is quieter",
			r->map.hit, r->map.miss, r->what->cache.level);
	return 0;
}

/* The smallest prefix of pool[0, n) that evicts the line, given that all of it does. */
static unsigned int
smallest_prefix(struct run *r, uint8_t *line, unsigned int from, unsigned int n)
{
	unsigned int lo = from, hi = n;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;

		if (evicts(r, line, r->pool, mid))
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* Take out of pool[0, n) what the set evicts as well without; returns how many stay. */
static unsigned int
prune(struct run *r, uint8_t *line, unsigned int n)
{
	for (unsigned int i = 0; i < n;) {
		uint8_t *out = r->pool[i];

		r->pool[i] = r->pool[n - 1];
		r->pool[n - 1] = out;
		if (evicts(r, line, r->pool, n - 1))
			n--;
		else
			i++;
	}
	return n;
}

/*
 * An eviction set for a page: the last line of the smallest prefix that evicts is one of the page's
 * colour; it goes to the front, and the search begins again, until the front alone evicts.
 */
static bool
find_set(struct run *r, uint32_t target, struct set *out)
{
	uint32_t want = 3 * r->what->cache.colours * r->what->cache.ways;
	unsigned int n = 0, found = 0;
	uint8_t *line = line_of(r, target);

	for (uint32_t i = 0; i < r->n_todo && n < want; i++)
		if (r->todo[i] != target)
			r->pool[n++] = line_of(r, r->todo[i]);
	if (!evicts(r, line, r->pool, n))
		return false;
	while (found < SET_MAX / 2) {
		unsigned int end = smallest_prefix(r, line, found, n);
		uint8_t *last;

		if (end == 0 || end > n)
			return false;
		if (end <= found)
			break;
		last = r->pool[end - 1];
		r->pool[end - 1] = r->pool[found];
		r->pool[found++] = last;
		/* Everything past it is no longer needed: the prefix held enough. */
		n = end > found ? end : found;
		if (found >= r->what->cache.ways / 2 && evicts(r, line, r->pool, found))
			break;
	}
	if (found >= SET_MAX / 2 || !evicts(r, line, r->pool, found))
		return false;
	found = prune(r, line, found);
	memcpy(out->line, r->pool, found * sizeof(out->line[0]));
	out->line[found] = line;
	out->n = found + 1;
	return true;
}

static bool
in_set(const struct set *s, const uint8_t *line)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (s->line[i] == line)
			return true;
	return false;
}

/*
 * Ask every page that has no colour about this set, in batches and by sequential votes. lead[i] > 0
 * afterwards: todo[i] is of its colour. A page that is itself in the set has nothing to be asked.
 */
static void
ask_all(struct run *r, const struct set *s)
{
	uint32_t at[BATCH];
	uint8_t *line[BATCH];
	bool gone[BATCH], open = true;

	memset(r->lead, 0, r->n_todo);
	memset(r->votes, 0, r->n_todo);
	for (uint32_t i = 0; i < r->n_todo; i++)
		if (in_set(s, line_of(r, r->todo[i])))
			r->lead[i] = LEAD;
	while (open) {
		unsigned int n = 0;

		open = false;
		for (uint32_t i = 0; i < r->n_todo; i++) {
			if (abs(r->lead[i]) < LEAD && r->votes[i] < VOTES) {
				at[n] = i;
				line[n++] = line_of(r, r->todo[i]);
				open = true;
			}
			if (n == r->batch || (n > 0 && i + 1 == r->n_todo)) {
				test_batch(r, line, n, s->line, s->n, gone);
				for (unsigned int k = 0; k < n; k++) {
					r->lead[at[k]] =
						(int8_t)(r->lead[at[k]] + (gone[k] ? 1 : -1));
					r->votes[at[k]]++;
				}
				n = 0;
			}
		}
	}
}

/*
 * Replace the set's lines by pages that were found to be of its colour, chosen at random, and see
 * whether they are of one colour: then they evict the others that were found.
 */
static bool
strengthen(struct run *r, struct set *s)
{
	uint32_t seen = 0, asked = 0, agreed = 0;
	struct set strong = { .n = r->strong };

	for (uint32_t i = 0; i < r->n_todo; i++) {
		uint32_t place = seen < r->strong ? seen : below(r, seen + 1);

		if (r->lead[i] <= 0)
			continue;
		if (place < r->strong)
			strong.line[place] = line_of(r, r->todo[i]);
		seen++;
	}
	if (seen < r->strong)
		return false;
	for (uint32_t i = 0; i < r->n_todo && asked < PURITY; i++) {
		uint8_t *line = line_of(r, r->todo[i]);

		if (r->lead[i] <= 0 || in_set(&strong, line))
			continue;
		asked++;
		agreed += evicts(r, line, strong.line, strong.n);
	}
	*s = strong;
	return 10 * agreed >= 9 * asked;
}

/* Give the pages that lead their colour, and take them off the list. */
static uint32_t
settle(struct run *r, uint16_t class)
{
	uint32_t left = 0, taken = 0;

	for (uint32_t i = 0; i < r->n_todo; i++) {
		if (r->lead[i] > 0) {
			r->map.colour[r->todo[i]] = class;
			taken++;
		} else {
			r->todo[left++] = r->todo[i];
		}
	}
	r->n_todo = left;
	r->map.classified += taken;
	if (r->what->progress != NULL)
		r->what->progress(r->what->arg, r->map.classified, r->map.pages);
	return taken;
}

/* The class whose set evicts most of these lines; -1: none does. */
static int
known_class(struct run *r, const struct set *s)
{
	unsigned int n = s->n < r->batch ? s->n : r->batch;
	bool gone[BATCH];

	for (uint32_t c = 0; c < r->map.classes; c++) {
		unsigned int hits = 0;

		test_batch(r, s->line, n, r->set[c].line, r->set[c].n, gone);
		for (unsigned int i = 0; i < n; i++)
			hits += gone[i];
		if (2 * hits > n)
			return (int)c;
	}
	return -1;
}

/* One more class, or more pages of a known one. False: this target led to nothing. */
static bool
next_class(struct run *r)
{
	struct set s;
	int known;

	shuffle(r, r->todo, r->n_todo);
	if (!find_set(r, r->todo[0], &s))
		return false;
	known = known_class(r, &s);
	if (known < 0 && r->map.classes == r->what->cache.colours)
		return false;
	ask_all(r, known >= 0 ? &r->set[known] : &s);
	if (known < 0) {
		if (!strengthen(r, &s))
			return false;
		ask_all(r, &s);
		if (!strengthen(r, &s))
			return false;
		r->set[r->map.classes] = s;
		known = (int)r->map.classes++;
		settle(r, (uint16_t)known);
		set_batch(r);
		return true;
	}
	return settle(r, (uint16_t)known) > 0;
}

/* What is left over is asked about every class again, whose sets are strong by now. */
static void
mop_up(struct run *r)
{
	for (uint32_t c = 0; c < r->map.classes && r->n_todo > 0; c++) {
		ask_all(r, &r->set[c]);
		settle(r, (uint16_t)c);
	}
}

/* Fresh rounds on random pages: against their own class's set, and against another's. */
static void
validate(struct run *r)
{
	uint32_t own = 0, own_gone = 0, other = 0, other_gone = 0;

	for (int i = 0; i < VALIDATION && r->map.classes > 1; i++) {
		uint32_t page = below(r, r->map.pages), c = r->map.colour[page];
		uint8_t *line = line_of(r, page);
		uint32_t d;

		if (c == MPC_NO_COLOUR || in_set(&r->set[c], line))
			continue;
		d = (c + 1 + below(r, r->map.classes - 1)) % r->map.classes;
		own++;
		own_gone += evicts(r, line, r->set[c].line, r->set[c].n);
		other++;
		other_gone += evicts(r, line, r->set[d].line, r->set[d].n);
	}
	r->map.true_positive = own > 0 ? (double)own_gone / own : 0;
	r->map.false_positive = other > 0 ? (double)other_gone / other : 0;
	r->map.confident = r->map.classes == r->what->cache.colours &&
		r->map.classified >= r->map.pages - r->map.pages / 100 &&
		r->map.true_positive >= 0.99 && r->map.false_positive <= 0.001;
}

static int
measure(struct run *r, struct nfv_err *err)
{
	int rc = measure_threshold(r, err);

	if (rc < 0)
		return rc;
	for (int vain = 0; vain < ATTEMPTS && r->n_todo > 2 * r->what->cache.ways;) {
		if (next_class(r)) {
			vain = 0;
		} else {
			vain++;
			rc = vain % 8 == 0 ? measure_threshold(r, err) : 0;
			if (rc < 0)
				return rc;
		}
		if (r->map.classes == r->what->cache.colours)
			break;
	}
	mop_up(r);
	mop_up(r);
	validate(r);
	return 0;
}

int
mpc_calibrate(const struct mpc_calibration *what, const struct mpc_probe *probe,
	struct mpc_map *out, struct nfv_err *err)
{
	uint32_t need = 4 * what->cache.colours * what->cache.ways;
	struct run r = { .what = what,
		.probe = probe,
		.random = what->seed * 0x9e3779b97f4a7c15u | 1,
		.n_todo = what->pages };
	int rc;

	r.strong = what->cache.ways * 7 / 4;
	set_batch(&r);
	if (r.strong > SET_MAX / 2)
		return nfv_fail(err, EINVAL,
			"a cache of %u ways is more than this program can fill", what->cache.ways);
	if (what->cache.colours < 2)
		return nfv_fail(err, EINVAL,
			"the level %u cache has one colour only: nothing to find",
			what->cache.level);
	if (what->pages < need)
		return nfv_fail(err, EINVAL,
			"%u pages are too few for a cache of %u colours and %u ways; give at least %u MiB",
			what->pages, what->cache.colours, what->cache.ways, need * 4 / 1024 + 1);
	r.map.pages = what->pages;
	r.map.colour = malloc(what->pages * sizeof(*r.map.colour));
	r.todo = malloc(what->pages * sizeof(*r.todo));
	r.lead = malloc(what->pages);
	r.votes = malloc(what->pages);
	r.pool = malloc(need * sizeof(*r.pool));
	r.set = calloc(what->cache.colours, sizeof(*r.set));
	if (r.map.colour == NULL || r.todo == NULL || r.lead == NULL || r.votes == NULL ||
		r.pool == NULL || r.set == NULL) {
		rc = nfv_fail(err, ENOMEM, "out of memory");
	} else {
		for (uint32_t i = 0; i < what->pages; i++) {
			r.todo[i] = i;
			r.map.colour[i] = MPC_NO_COLOUR;
		}
		rc = measure(&r, err);
	}
	free(r.todo);
	free(r.lead);
	free(r.votes);
	free(r.pool);
	free(r.set);
	if (rc < 0)
		free(r.map.colour);
	else
		*out = r.map;
	return rc;
}
