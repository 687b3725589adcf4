#include <math.h>
#include <string.h>

#include "hist.h"

/* The smallest value of a bucket, and how many it holds. */
static uint64_t
lowest(unsigned int i, uint64_t *width)
{
	unsigned int bits = i >> HIST_SUB_BITS;

	*width = 1;
	if (bits == 0)
		return i;
	*width = 1ull << (bits - 1);
	return (uint64_t)((i & ((1u << HIST_SUB_BITS) - 1)) | 1u << HIST_SUB_BITS) << (bits - 1);
}

static uint64_t
highest(const struct hist *h, unsigned int i)
{
	uint64_t width, low = lowest(i, &width), high = low + width - 1;

	/* The last bucket has everything that is too large as well. */
	if (high > h->max || i == HIST_BUCKETS - 1)
		return h->max;
	return high < h->min ? h->min : high;
}

uint64_t
hist_quantile(const struct hist *h, double q)
{
	double rank = ceil(q * (double)h->n);
	uint64_t seen = 0;

	if (h->n == 0)
		return 0;
	if (!(rank > 1))
		rank = 1;
	for (unsigned int i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if ((double)seen >= rank)
			return highest(h, i);
	}
	return h->max;
}

double
hist_mean(const struct hist *h)
{
	return h->n > 0 ? (double)h->sum / (double)h->n : 0;
}

double
hist_stdev(const struct hist *h)
{
	double mean = hist_mean(h), sum = 0, off;

	for (unsigned int i = 0; i < HIST_BUCKETS; i++) {
		uint64_t width, low = lowest(i, &width);

		if (h->bucket[i] == 0)
			continue;
		off = (double)low + (double)(width - 1) / 2 - mean;
		sum += off * off * (double)h->bucket[i];
	}
	return h->n > 0 ? sqrt(sum / (double)h->n) : 0;
}

void
hist_merge(struct hist *into, const struct hist *h)
{
	if (h->n == 0)
		return;
	if (into->n == 0 || h->min < into->min)
		into->min = h->min;
	if (h->max > into->max)
		into->max = h->max;
	into->n += h->n;
	into->sum += h->sum;
	for (unsigned int i = 0; i < HIST_BUCKETS; i++)
		into->bucket[i] += h->bucket[i];
}

void
hist_since(const struct hist *now, const struct hist *before, struct hist *out)
{
	uint64_t min = now->min, max = now->max, width;
	unsigned int first = HIST_BUCKETS, last = 0;

	out->n = now->n - before->n;
	out->sum = now->sum - before->sum;
	for (unsigned int i = 0; i < HIST_BUCKETS; i++) {
		out->bucket[i] = now->bucket[i] - before->bucket[i];
		if (out->bucket[i] == 0)
			continue;
		last = i;
		if (first == HIST_BUCKETS)
			first = i;
	}
	out->min = out->max = 0;
	if (first == HIST_BUCKETS)
		return;
	/* Of what came since, known as well as the buckets tell. */
	out->max = max;
	out->min = lowest(first, &width) > min ? lowest(first, &width) : min;
	out->max = highest(out, last);
}
