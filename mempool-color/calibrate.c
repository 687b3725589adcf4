#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formula.h"
#include "sets.h"

#define SEARCHES   6     /* for the sets of colours still missing */
#define ROUNDS     8     /* in which a page may be asked before it is left over */
#define VALIDATION 64    /* batches */
#define VOTES      3     /* of which two decide, in validation */
#define MOVED      0.999 /* fewer true positives: pages may have been moved meanwhile */
#define CONFIRM    16    /* batches that a formula must foretell */
#define NONE       MPC_NO_COLOUR
#define SEVERAL    (MPC_NO_COLOUR - 1) /* as a guess: more than one set evicts it */

struct run {
	const struct mpc_calibration *what;
	struct meter meter;
	struct mpc_map map;
	uint32_t *todo, n_todo;  /* pages without a colour */
	unsigned int rounds;     /* of sorting so far */
	bool stuck;              /* the last round hardly shortened the list */
	uint16_t *guess;         /* per page: what the last round said */
	struct set *set, *fresh; /* per class, and room for as many */
	sigjmp_buf lost;         /* where to go when the memory goes away */
	uint64_t *known_frame;   /* of pages that have a colour, for the formula */
	uint16_t *known_colour;
	uint8_t **room; /* for the meter */
};

static void
tell(const struct run *r, uint32_t done)
{
	if (r->what->progress != NULL)
		r->what->progress(r->what->arg, done, r->map.pages);
}

/* Ask these pages about every class: gone[i] has a bit for each class whose set evicts page i. */
static void
ask_all(struct run *r, const uint32_t *page, unsigned int n, uint64_t *gone)
{
	uint8_t *asked[METER_BATCH];
	uint32_t cycles[METER_BATCH];

	for (unsigned int i = 0; i < n; i++) {
		asked[i] = r->what->page[page[i]];
		gone[i] = 0;
	}
	for (uint32_t c = 0; c < r->map.classes; c++) {
		uint32_t threshold;

		meter_ask(&r->meter, asked, n, r->set[c].page, r->set[c].walk, cycles);
		threshold = meter_threshold(&r->meter, cycles, n, 0.25);
		for (unsigned int i = 0; i < n; i++)
			gone[i] |= (uint64_t)(cycles[i] > threshold) << c;
	}
}

static void
give(struct run *r, uint32_t page, uint16_t class)
{
	r->map.colour[page] = class;
	r->map.classified++;
}

/* Take the pages that have a colour by now off the list. */
static void
compact(struct run *r)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < r->n_todo; i++)
		if (r->map.colour[r->todo[i]] == NONE)
			r->todo[left++] = r->todo[i];
	r->n_todo = left;
}

/*
 * One round: a page that exactly one set evicts, the same as in the round before, is of its colour.
 */
static void
sort_round(struct run *r)
{
	uint64_t gone[METER_BATCH];
	uint32_t fit = meter_batch(&r->what->cache, r->what->cache.colours);
	uint32_t few = meter_batch(&r->what->cache, 4);
	uint32_t batch = r->stuck && few < fit ? few : fit, before = r->n_todo;

	/* Pages that stay left over may all be of one colour, and too many of them would evict each
	 * other: then most of a batch are others, for comparison. */
	meter_shuffle(&r->meter, r->todo, r->n_todo);
	for (uint32_t i = 0; i < r->n_todo; i += batch) {
		uint32_t n = r->n_todo - i < batch ? r->n_todo - i : batch;
		uint32_t page[METER_BATCH] = { 0 };

		for (uint32_t k = 0; k < fit; k++)
			page[k] = k < n ? r->todo[i + k] : meter_below(&r->meter, r->map.pages);
		ask_all(r, page, fit, gone);
		for (uint32_t k = 0; k < n; k++) {
			int sets = __builtin_popcountll(gone[k]);
			uint16_t guess = sets == 0 ? NONE :
				sets > 1           ? SEVERAL :
						     (uint16_t)__builtin_ctzll(gone[k]);

			if (sets == 1 && guess == r->guess[page[k]])
				give(r, page[k], guess);
			r->guess[page[k]] = guess;
		}
		tell(r, r->map.classified);
	}
	compact(r);
	/* The first round settles nothing. */
	r->stuck = ++r->rounds > 2 && 2 * r->n_todo > before;
}

/* New sets from pages that have a colour by now, at random: what one set gets wrong, because a page
 * of it is special, the next one mends. */
static void
renew_sets(struct run *r)
{
	unsigned int full = r->what->cache.ways * 3 / 2, wanted = r->map.classes;

	for (uint32_t c = 0; c < r->map.classes; c++)
		r->fresh[c].n = 0;
	for (uint32_t i = 0; i < 4 * r->map.pages && wanted > 0; i++) {
		uint32_t page = meter_below(&r->meter, r->map.pages);
		uint16_t c = r->map.colour[page];

		if (c == NONE || r->fresh[c].n == full || set_has(&r->fresh[c], page))
			continue;
		r->fresh[c].index[r->fresh[c].n] = page;
		r->fresh[c].page[r->fresh[c].n++] = r->what->page[page];
		wanted -= r->fresh[c].n == full;
	}
	for (uint32_t c = 0; c < r->map.classes; c++) {
		r->fresh[c].walk = r->fresh[c].n;
		if (r->fresh[c].n == full)
			r->set[c] = r->fresh[c];
	}
}

/* Sets for the colours still missing, among pages that no known set evicts. */
static int
find_sets(struct run *r)
{
	uint32_t missing = r->what->cache.colours - r->map.classes, n = 0, *free_pages = r->todo;
	int found;

	/* Pages that a known set seems to evict go to the end of the list. */
	for (uint32_t i = 0; i < r->n_todo; i++) {
		uint32_t page = r->todo[i];

		if (r->guess[page] != NONE)
			continue;
		r->todo[i] = r->todo[n];
		r->todo[n++] = page;
	}
	found = sets_find(
		&r->meter, r->what, free_pages, n, missing, r->set + r->map.classes, missing);
	for (int k = 0; k < found; k++) {
		const struct set *s = &r->set[r->map.classes];

		for (unsigned int i = 0; i < s->n; i++)
			give(r, s->index[i], (uint16_t)r->map.classes);
		r->map.classes++;
	}
	compact(r);
	return found;
}

/* The majority of three. */
static void
ask_thrice(struct run *r, const uint32_t *page, unsigned int n, uint64_t *gone)
{
	uint64_t vote[VOTES][METER_BATCH];

	for (int v = 0; v < VOTES; v++)
		ask_all(r, page, n, vote[v]);
	for (unsigned int i = 0; i < n; i++)
		gone[i] = (vote[0][i] & vote[1][i]) | (vote[0][i] & vote[2][i]) |
			(vote[1][i] & vote[2][i]);
}

/* Add a page that is not there yet: one that is timed twice is a hit the second time. */
static unsigned int
add_distinct(uint32_t *page, unsigned int n, uint32_t p)
{
	for (unsigned int i = 0; i < n; i++)
		if (page[i] == p)
			return n;
	page[n] = p;
	return n + 1;
}

/* Fresh rounds of random pages: against their own class's set, and against all others. */
static void
validate(struct run *r)
{
	uint64_t own = 0, own_gone = 0, other = 0, other_gone = 0, gone[METER_BATCH];
	uint32_t page[METER_BATCH], fit = meter_batch(&r->what->cache, r->map.classes);

	for (int i = 0; i < VALIDATION && r->map.classes > 1; i++) {
		unsigned int n = 0;

		for (unsigned int k = 0; k < fit; k++) {
			uint32_t p = meter_below(&r->meter, r->map.pages);

			if (r->map.colour[p] != NONE && !set_has(&r->set[r->map.colour[p]], p))
				n = add_distinct(page, n, p);
		}
		if (n == 0)
			continue;
		ask_thrice(r, page, n, gone);
		for (unsigned int k = 0; k < n; k++) {
			uint64_t mine = 1ull << r->map.colour[page[k]];

			own++;
			own_gone += (gone[k] & mine) != 0;
			other += r->map.classes - 1;
			other_gone += (uint64_t)__builtin_popcountll(gone[k] & ~mine);
		}
	}
	r->map.true_positive = own > 0 ? (double)own_gone / (double)own : 0;
	r->map.false_positive = other > 0 ? (double)other_gone / (double)other : 0;
}

static void
judge(struct mpc_map *m, uint32_t colours)
{
	if (m->classes != colours)
		snprintf(m->why, sizeof(m->why), "%u colours found of %u", m->classes, colours);
	else if (m->classified < m->pages - m->pages / 100)
		snprintf(m->why, sizeof(m->why), "only %u of %u pages found their colour",
			m->classified, m->pages);
	else if (m->true_positive < 0.99 || m->false_positive > 0.001)
		snprintf(m->why, sizeof(m->why),
			"validation: %.2f %% of pages evicted by their own colour, %.2f %% by others",
			100 * m->true_positive, 100 * m->false_positive);
	m->confident = m->why[0] == '\0';
}

/*
 * Frame numbers that are known may say it all. The formula is fitted to the sets' members, and used
 * only if it foretells what is then measured of other pages.
 */
static void
try_formula(struct run *r)
{
	uint32_t n = 0, asked = 0, right = 0, page[METER_BATCH];
	unsigned int fit = meter_batch(&r->what->cache, r->map.classes);
	const uint64_t *frame = r->what->frame;
	struct formula f;

	for (uint32_t i = 0; i < r->map.pages; i++) {
		if (frame[i] == 0)
			return;
		if (r->map.colour[i] == NONE)
			continue;
		r->known_frame[n] = frame[i];
		r->known_colour[n++] = r->map.colour[i];
	}
	if (!formula_fit(&f, r->known_frame, r->known_colour, n, r->map.classes))
		return;
	for (int i = 0; i < CONFIRM; i++) {
		uint64_t gone[METER_BATCH];
		unsigned int here = 0;

		for (unsigned int k = 0; k < fit; k++)
			here = add_distinct(page, here, r->todo[meter_below(&r->meter, r->n_todo)]);
		ask_thrice(r, page, here, gone);
		for (unsigned int k = 0; k < here; k++) {
			uint16_t c = formula_colour(&f, frame[page[k]]);

			asked++;
			right += c < f.colours && gone[k] == 1ull << c;
		}
	}
	if (1000 * right < 995 * asked)
		return;
	for (uint32_t i = 0; i < r->n_todo; i++) {
		uint16_t c = formula_colour(&f, frame[r->todo[i]]);

		if (c < f.colours)
			give(r, r->todo[i], c);
	}
	compact(r);
	r->map.formula = true;
}

static void
sort(struct run *r)
{
	for (int i = 0; i < ROUNDS && r->n_todo > 0 && r->map.classes > 1; i++) {
		if (i > 1)
			renew_sets(r);
		sort_round(r);
	}
	renew_sets(r);
}

/*
 * Pages whose own set does not evict them any more lose their colour, to be sorted anew: beneath a
 * virtual machine pages are moved now and then, some hundreds at a time.
 */
static void
recheck(struct run *r)
{
	uint32_t fit = meter_batch(&r->what->cache, r->map.classes), page[METER_BATCH], n = 0;
	uint64_t gone[METER_BATCH];

	for (uint32_t i = 0; i < r->map.pages; i++) {
		uint16_t c = r->map.colour[i];

		if (c != NONE && !set_has(&r->set[c], i))
			page[n++] = i;
		if (n < fit && (n == 0 || i + 1 < r->map.pages))
			continue;
		ask_all(r, page, n, gone);
		for (uint32_t k = 0; k < n; k++) {
			if (gone[k] == 1ull << r->map.colour[page[k]])
				continue;
			r->map.colour[page[k]] = r->guess[page[k]] = NONE;
			r->map.classified--;
			r->todo[r->n_todo++] = page[k];
		}
		n = 0;
	}
	r->rounds = 0;
	r->stuck = false;
}

static int
measure(struct run *r, const struct mpc_probe *probe, struct nfv_err *err)
{
	uint32_t colours = r->what->cache.colours;
	int rc = meter_init(&r->meter, r->what, probe, r->room, err);

	if (rc < 0)
		return rc;
	for (int i = 0; i < SEARCHES && r->map.classes < colours; i++) {
		if (find_sets(r) < 0)
			return nfv_fail(err, ENOMEM, "out of memory");
		/* What the first sets leave over holds the colours they miss. */
		if (r->map.classes < colours)
			sort_round(r);
	}
	if (r->what->frame != NULL && r->map.classes == colours && r->n_todo > 0)
		try_formula(r);
	sort(r);
	validate(r);
	if (r->map.true_positive < MOVED) {
		recheck(r);
		sort(r);
		validate(r);
	}
	return 0;
}

/* Who is to be told when memory goes away under a load of this thread. */
static __thread sigjmp_buf *guard;

static void
on_fault(int sig)
{
	if (guard != NULL)
		siglongjmp(*guard, 1);
	signal(sig,
		SIG_DFL); /* not ours: the load is repeated, and ends the process as it should */
}

static int
measure_guarded(struct run *r, const struct mpc_probe *probe, struct nfv_err *err)
{
	struct sigaction ours = { .sa_handler = on_fault }, segv, bus;
	int rc;

	sigaction(SIGSEGV, &ours, &segv);
	sigaction(SIGBUS, &ours, &bus);
	if (sigsetjmp(r->lost, 1) == 0) {
		guard = &r->lost;
		rc = measure(r, probe, err);
	} else {
		rc = nfv_fail(err, EFAULT,
			"the memory went away while it was measured; nothing is known of its colours");
	}
	guard = NULL;
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	r->map.hit = r->meter.hit;
	r->map.miss = r->meter.miss;
	r->map.timings = r->meter.timings;
	r->map.repeated = r->meter.repeated;
	free(r->meter.scratch);
	return rc;
}

uint32_t
mpc_calibrate_min(const struct mpc_cache *cache)
{
	uint32_t sample = sets_sample(cache, cache->colours),
		 sweep = 3 * cache->colours * cache->ways;

	return sample > sweep ? sample : sweep;
}

int
mpc_calibrate(const struct mpc_calibration *what, const struct mpc_probe *probe,
	struct mpc_map *out, struct nfv_err *err)
{
	uint32_t need = mpc_calibrate_min(&what->cache);
	struct run r = { .what = what, .n_todo = what->pages, .map = { .pages = what->pages } };
	int rc;

	if (what->cache.colours < 2 || what->cache.colours > 64)
		return nfv_fail(err, EINVAL,
			"the level %u cache has %u colours; this can be measured from 2 to 64",
			what->cache.level, what->cache.colours);
	if (what->cache.ways > SETS_MEMBERS / 3)
		return nfv_fail(err, EINVAL,
			"the level %u cache has %u ways; this can be measured up to %u",
			what->cache.level, what->cache.ways, SETS_MEMBERS / 3);
	if (what->pages < need)
		return nfv_fail(err, EINVAL,
			"%u pages are too few for a cache of %u colours and %u ways; give at least %u MiB",
			what->pages, what->cache.colours, what->cache.ways, need * 4 / 1024 + 1);
	r.map.colour = malloc(what->pages * sizeof(*r.map.colour));
	r.guess = malloc(what->pages * sizeof(*r.guess));
	r.todo = malloc(what->pages * sizeof(*r.todo));
	r.known_colour = malloc(what->pages * sizeof(*r.known_colour));
	r.known_frame = malloc(what->pages * sizeof(*r.known_frame));
	r.set = calloc(what->cache.colours, sizeof(*r.set));
	r.fresh = calloc(what->cache.colours, sizeof(*r.fresh));
	r.room = calloc(need, sizeof(*r.room));
	if (r.map.colour == NULL || r.guess == NULL || r.todo == NULL || r.known_colour == NULL ||
		r.known_frame == NULL || r.set == NULL || r.fresh == NULL || r.room == NULL) {
		rc = nfv_fail(err, ENOMEM, "out of memory");
	} else {
		for (uint32_t i = 0; i < what->pages; i++) {
			r.todo[i] = i;
			r.map.colour[i] = r.guess[i] = NONE;
		}
		rc = measure_guarded(&r, probe, err);
	}
	free(r.guess);
	free(r.todo);
	free(r.known_colour);
	free(r.known_frame);
	free(r.set);
	free(r.fresh);
	free(r.room);
	if (rc < 0) {
		free(r.map.colour);
		return rc;
	}
	judge(&r.map, what->cache.colours);
	*out = r.map;
	return 0;
}
