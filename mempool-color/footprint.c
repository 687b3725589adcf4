#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "footprint.h"
#include "mpc_footprint.h"
#include "nfv_hash.h"
#include "nfv_pages.h"

#define BATCH         32   /* accesses whose places in the table are fetched together */
#define LINES_FIRST   1024 /* places of the table in the beginning: whole pages, as ever after */
#define LINES_DEFAULT (4u << 20)
#define SEEN_BITS     (1u << 20)
#define SEEN_FULL     8 /* lines a bit, beyond which too few bits are left to tell how many there are */

struct line {
	uint64_t line;
	uint64_t time; /* of its last access, from 1 on; 0: none is kept here */
	uint64_t own;  /* the same by its class's clock */
	uint32_t class;
};

/* Gaps by length, each counted for as many lines as it stands for. */
struct bucket {
	double n, sum;
};

struct gaps {
	struct bucket reuse[BUCKETS];
	struct bucket edge[BUCKETS]; /* before first accesses and after last ones */
};

struct tally {
	uint64_t accesses;
	double first; /* accesses that were a line's first */
	struct gaps clock[2];
	/* Where not all lines are sampled: by hash which were seen, and so about how many. */
	uint64_t seen[SEEN_BITS / 64];
	double distinct; /* at the end; 0: not known */
};

struct mpc_footprint {
	struct nfv_hash_key key;
	uint64_t limit;         /* lines are sampled whose hash is not above */
	double weight;          /* what a sampled line stands for */
	struct nfv_pages pages; /* that lie together: the table's */
	struct line *table;
	uint64_t mask;
	uint32_t lines, lines_max;
	uint64_t time, sampled, shared;
	bool ended;
	struct tally *tally[MPC_CLASSES]; /* by class, once it has been seen */
};

static struct nfv_pages
table_alloc(uint64_t lines)
{
	return nfv_pages_alloc(lines * sizeof(struct line) / NFV_PAGE);
}

static struct line *
table_of(const struct nfv_pages *pages)
{
	return (struct line *)(void *)pages->page[0];
}

int
mpc_footprint_create(
	const struct mpc_footprint_options *o, struct mpc_footprint **out, struct nfv_err *err)
{
	double rate = o->rate != 0 ? o->rate : 1;
	struct mpc_footprint *f;

	if (!(rate >= 1e-6 && rate <= 1))
		return nfv_fail(
			err, EINVAL, "a sampling rate of %g: give one from 1e-6 to 1", rate);
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		goto fail;
	f->key = nfv_hash_key(o->seed);
	f->limit = rate < 1 ? (uint64_t)ldexp(rate, 64) : UINT64_MAX;
	f->weight = 1 / rate;
	f->lines_max = o->lines != 0 ? o->lines : LINES_DEFAULT;
	f->mask = LINES_FIRST - 1;
	f->pages = table_alloc(LINES_FIRST);
	if (f->pages.page == NULL)
		goto fail;
	f->table = table_of(&f->pages);
	*out = f;
	return 0;
fail:
	mpc_footprint_destroy(f);
	return nfv_fail(err, ENOMEM, "no memory for a footprint");
}

void
mpc_footprint_destroy(struct mpc_footprint *f)
{
	if (f == NULL)
		return;
	for (unsigned int i = 0; i < MPC_CLASSES; i++)
		free(f->tally[i]);
	nfv_pages_free(&f->pages);
	free(f);
}

static inline uint64_t
hash(const struct mpc_footprint *f, uint64_t line)
{
	return nfv_hash2(&f->key, line, 0);
}

/* Where the line is, or would be. */
static inline struct line *
find(const struct mpc_footprint *f, struct line *table, uint64_t mask, uint64_t line)
{
	uint64_t at = hash(f, line) & mask;

	while (table[at].time != 0 && table[at].line != line)
		at = (at + 1) & mask;
	return &table[at];
}

static inline void
mark(struct tally *c, uint64_t h)
{
	c->seen[h % SEEN_BITS / 64] |= 1ull << h % 64;
}

/* By linear counting: the part of the bits that stayed empty is e to the power of minus lines a bit. */
static double
seen(const struct tally *c)
{
	unsigned int n = 0;
	double a_bit;

	for (size_t i = 0; i < SEEN_BITS / 64; i++)
		n += (unsigned int)__builtin_popcountll(c->seen[i]);
	a_bit = -log(1 - (double)n / SEEN_BITS);
	return a_bit < SEEN_FULL ? a_bit * SEEN_BITS : 0;
}

/*
 * Room for another line: a larger table, or, at the bound, half the rate. A line that is let go of
 * leaves the gaps it has closed, and one of those that stay, now counting twice, stands for its open
 * one; so sums over gaps remain estimates without bias.
 */
static int
make_room(struct mpc_footprint *f)
{
	bool full = f->lines >= f->lines_max;
	uint64_t mask = full ? f->mask : 2 * f->mask + 1, limit = full ? f->limit / 2 : f->limit;
	struct nfv_pages pages = table_alloc(mask + 1);
	struct line *table;
	uint32_t kept = 0;

	if (pages.page == NULL)
		return -ENOMEM;
	table = table_of(&pages);
	for (uint64_t i = 0; i <= f->mask; i++) {
		const struct line *l = &f->table[i];

		if (l->time != 0 && full)
			mark(f->tally[l->class], hash(f, l->line));
		if (l->time == 0 || hash(f, l->line) > limit)
			continue;
		*find(f, table, mask, l->line) = *l;
		kept++;
	}
	nfv_pages_free(&f->pages);
	f->pages = pages;
	f->table = table;
	f->mask = mask;
	f->lines = kept;
	f->limit = limit;
	f->weight *= full ? 2 : 1;
	return 0;
}

static inline void
count(struct bucket *bucket, uint64_t gap, double weight)
{
	struct bucket *b = &bucket[bucket_of(gap)];

	b->n += weight;
	b->sum += weight * (double)gap;
}

/* A sampled access; `own` is its class's clock. */
static void
see(struct mpc_footprint *f, struct line *l, const struct mpc_access *a, uint64_t time,
	uint64_t own)
{
	struct tally *c = f->tally[a->class];

	if (l->time == 0) {
		*l = (struct line){ a->line, time, own, a->class };
		f->lines++;
		c->first += f->weight;
		count(c->clock[MPC_TRACE_TIME].edge, time, f->weight);
		count(c->clock[MPC_OWN_TIME].edge, own, f->weight);
		return;
	}
	if (l->class != a->class) {
		f->shared++;
		c = f->tally[l->class];
		own = c->accesses; /* which this access is not one of */
		own = own > l->own ? own : l->own;
	}
	count(c->clock[MPC_TRACE_TIME].reuse, time - l->time, f->weight);
	count(c->clock[MPC_OWN_TIME].reuse, own - l->own, f->weight);
	l->time = time;
	l->own = own;
}

static int
add_batch(struct mpc_footprint *f, const struct mpc_access *a, unsigned int n, struct nfv_err *err)
{
	uint64_t own[BATCH], begin = f->time;
	uint8_t chosen[BATCH];
	unsigned int sampled = 0;

	for (unsigned int i = 0; i < n; i++) {
		uint32_t class = a[i].class;
		uint64_t h = hash(f, a[i].line);

		if (class >= MPC_CLASSES)
			return nfv_fail(
				err, EINVAL, "class %u: there are %d at most", class, MPC_CLASSES);
		if (f->tally[class] == NULL &&
			(f->tally[class] = calloc(1, sizeof(struct tally))) == NULL)
			return nfv_fail(err, ENOMEM, "no memory for another class's footprint");
		own[i] = ++f->tally[class]->accesses;
		f->time++;
		if (f->limit != UINT64_MAX)
			mark(f->tally[class], h);
		if (h > f->limit)
			continue;
		chosen[sampled++] = (uint8_t)i;
		__builtin_prefetch(&f->table[h & f->mask], 1);
	}
	for (unsigned int k = 0; k < sampled; k++) {
		unsigned int i = chosen[k];

		/* One place in two is free, so that what is looked for is near. */
		if (2 * (uint64_t)f->lines > f->mask || f->lines >= f->lines_max)
			if (make_room(f) < 0)
				return nfv_fail(err, ENOMEM,
					"no memory for the footprint of %u lines; give a lower rate",
					f->lines);
		if (hash(f, a[i].line) > f->limit)
			continue; /* the rate has been halved since */
		f->sampled++;
		see(f, find(f, f->table, f->mask, a[i].line), &a[i], begin + i + 1, own[i]);
	}
	return 0;
}

int
mpc_footprint_add(
	struct mpc_footprint *f, const struct mpc_access *a, size_t n, struct nfv_err *err)
{
	if (f->ended)
		return nfv_fail(err, EINVAL, "a footprint that is complete takes no more accesses");
	if (n >> GAP_BITS != 0 || (f->time + n) >> GAP_BITS != 0)
		return nfv_fail(
			err, EINVAL, "a footprint is of fewer than 2^%d accesses", GAP_BITS);
	for (size_t i = 0; i < n; i += BATCH) {
		int rc = add_batch(f, a + i, n - i < BATCH ? (unsigned int)(n - i) : BATCH, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

void
mpc_footprint_end(struct mpc_footprint *f)
{
	for (uint64_t i = 0; i <= f->mask && !f->ended; i++) {
		const struct line *l = &f->table[i];
		struct tally *c = f->tally[l->class];

		if (l->time == 0)
			continue;
		count(c->clock[MPC_TRACE_TIME].edge, f->time + 1 - l->time, f->weight);
		count(c->clock[MPC_OWN_TIME].edge, c->accesses + 1 - l->own, f->weight);
	}
	for (unsigned int i = 0; i < MPC_CLASSES && !f->ended; i++)
		if (f->tally[i] != NULL && f->limit != UINT64_MAX && f->shared == 0)
			f->tally[i]->distinct = seen(f->tally[i]);
	f->ended = true;
}

struct mpc_footprint_count
mpc_footprint_count(const struct mpc_footprint *f)
{
	return (struct mpc_footprint_count){ .accesses = f->time,
		.sampled = f->sampled,
		.shared = f->shared,
		.rate = 1 / f->weight };
}

uint64_t
mpc_footprint_accesses(const struct mpc_footprint *f, uint32_t class)
{
	return class < MPC_CLASSES && f->tally[class] != NULL ? f->tally[class]->accesses : 0;
}

/* fp at the bounds of buckets, from the longest gaps down, which loses no digits. */
static void
draw_hotl(struct mpc_curve *c, const struct bucket *gap)
{
	double over_n = 0, over_sum = 0, total = 0;

	for (unsigned int i = 0; i < BUCKETS; i++)
		total += gap[i].sum;
	c->lines = total / (c->n + 1);
	for (unsigned int i = BUCKETS; i-- > c->points;) {
		over_n += gap[i].n;
		over_sum += gap[i].sum;
	}
	for (unsigned int i = c->points; i-- > 0;) {
		double w = i + 1 < c->points ? (double)bucket_end(i) : c->n;

		c->fp[i] = c->lines - (over_sum - w * over_n) / (c->n - w + 1);
		over_n += gap[i].n;
		over_sum += gap[i].sum;
	}
	/* What a sample, or rounding, has let fall would else have no inverse. */
	c->fp[0] = 0;
	for (unsigned int i = 1; i < c->points; i++)
		c->fp[i] = c->fp[i] < c->fp[i - 1] ? c->fp[i - 1] : c->fp[i];
}

/* The sum over t < w of the probability that a line is not used again within t. */
static void
draw_aet(struct mpc_curve *c, const struct bucket *reuse, double first)
{
	double sum = 0, over = 0;

	for (unsigned int i = 0; i < BUCKETS; i++)
		over += reuse[i].n;
	for (unsigned int i = 0; i < c->points; i++) {
		double w = i + 1 < c->points ? (double)bucket_end(i) : c->n;

		sum += reuse[i].sum;
		over -= reuse[i].n;
		c->fp[i] = (sum + w * (over + first)) / c->n;
	}
	c->lines = first;
}

/* How many lines a line of a class's sample stands for, compared to what its rate says. */
static double
correction(const struct tally *c, enum mpc_clock clock, double n)
{
	double total = 0;

	for (unsigned int i = 0; i < BUCKETS; i++)
		total += c->clock[clock].reuse[i].sum + c->clock[clock].edge[i].sum;
	return c->distinct > 0 && total > 0 ? c->distinct * (n + 1) / total : 1;
}

/* Add gaps; those at the edges only count for HOTL. */
static void
gather(struct bucket *sum, const struct gaps *g, double scale, enum mpc_model model)
{
	for (unsigned int i = 0; i < BUCKETS; i++) {
		sum[i].n += scale * g->reuse[i].n;
		sum[i].sum += scale * g->reuse[i].sum;
		if (model == MPC_HOTL) {
			sum[i].n += scale * g->edge[i].n;
			sum[i].sum += scale * g->edge[i].sum;
		}
	}
}

int
mpc_footprint_curve(const struct mpc_footprint *f, uint32_t class, enum mpc_clock clock,
	enum mpc_model model, struct mpc_curve *out, struct nfv_err *err)
{
	struct mpc_curve c = { .n = 0 };
	struct bucket *sum;
	double first = 0;

	if (!f->ended)
		return nfv_fail(
			err, EINVAL, "a footprint has no curve before the end of its trace");
	if (class == MPC_TOGETHER)
		clock = MPC_TRACE_TIME;
	c.accesses =
		class == MPC_TOGETHER ? (double)f->time : (double)mpc_footprint_accesses(f, class);
	c.n = clock == MPC_TRACE_TIME ? (double)f->time : c.accesses;
	if (c.accesses == 0) {
		*out = (struct mpc_curve){ .n = 0 };
		return 0;
	}
	c.points = bucket_of((uint64_t)c.n) + 1;
	c.fp = calloc(c.points, sizeof(*c.fp));
	sum = calloc(BUCKETS, sizeof(*sum));
	if (c.fp == NULL || sum == NULL) {
		free(c.fp);
		free(sum);
		return nfv_fail(err, ENOMEM, "no memory for a curve");
	}
	for (uint32_t i = 0; i < MPC_CLASSES; i++) {
		const struct tally *of = f->tally[i];
		double scale;

		if (of == NULL || (class != MPC_TOGETHER && class != i))
			continue;
		scale = correction(of, clock,
			clock == MPC_TRACE_TIME ? (double)f->time : (double)of->accesses);
		gather(sum, &of->clock[clock], scale, model);
		first += scale * of->first;
	}
	if (model == MPC_HOTL)
		draw_hotl(&c, sum);
	else
		draw_aet(&c, sum, first);
	free(sum);
	*out = c;
	return 0;
}
