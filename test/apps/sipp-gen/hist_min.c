/* What hist.h promises, as plainly as can be, so that reports are tested without the load generator. */
#include <math.h>

#include "hist.h"

static uint64_t
bucket_low(unsigned int i)
{
	unsigned int bits = i >> HIST_SUB_BITS;
	uint64_t low = i & ((1u << HIST_SUB_BITS) - 1);

	return bits == 0 ? low : (low | 1u << HIST_SUB_BITS) << (bits - 1);
}

uint64_t
hist_quantile(const struct hist *h, double q)
{
	uint64_t rank = (uint64_t)ceil(q * (double)h->n), seen = 0;

	if (h->n == 0)
		return 0;
	for (unsigned int i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank && seen > 0)
			return bucket_low(i + 1) - 1 < h->max ? bucket_low(i + 1) - 1 : h->max;
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
	double mean = hist_mean(h), sum = 0;

	for (unsigned int i = 0; i < HIST_BUCKETS; i++)
		sum += (double)h->bucket[i] * pow((double)bucket_low(i) - mean, 2);
	return h->n > 0 ? sqrt(sum / (double)h->n) : 0;
}

void
hist_merge(struct hist *into, const struct hist *h)
{
	if (h->n == 0)
		return;
	into->min = into->n == 0 || h->min < into->min ? h->min : into->min;
	into->max = h->max > into->max ? h->max : into->max;
	into->n += h->n;
	into->sum += h->sum;
	for (unsigned int i = 0; i < HIST_BUCKETS; i++)
		into->bucket[i] += h->bucket[i];
}

void
hist_since(const struct hist *now, const struct hist *before, struct hist *out)
{
	*out = (struct hist){ .n = now->n - before->n, .sum = now->sum - before->sum };
	for (unsigned int i = 0; i < HIST_BUCKETS; i++) {
		out->bucket[i] = now->bucket[i] - before->bucket[i];
		if (out->bucket[i] == 0)
			continue;
		out->min = out->max == 0 ? bucket_low(i) : out->min;
		out->max = bucket_low(i + 1) - 1;
	}
}
