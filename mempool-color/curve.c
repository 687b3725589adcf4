#include <math.h>
#include <stdlib.h>

#include "footprint.h"
#include "mpc_footprint.h"

void
mpc_curve_fini(struct mpc_curve *c)
{
	free(c->fp);
	*c = (struct mpc_curve){ .n = 0 };
}

/* The window that point i is of. */
static double
window(const struct mpc_curve *c, unsigned int i)
{
	return i + 1 < c->points ? (double)bucket_end(i) : c->n;
}

double
mpc_curve_at(const struct mpc_curve *c, double w)
{
	unsigned int i;
	double lo;

	if (c->points < 2 || !(w > 0))
		return 0;
	if (w >= c->n)
		return c->fp[c->points - 1];
	i = bucket_of((uint64_t)ceil(w));
	lo = window(c, i - 1);
	return c->fp[i - 1] + (c->fp[i] - c->fp[i - 1]) * (w - lo) / (window(c, i) - lo);
}

double
mpc_curve_slope(const struct mpc_curve *c, double w)
{
	unsigned int i;

	if (c->points < 2 || !(w < c->n))
		return 0;
	i = bucket_of((uint64_t)floor(w > 0 ? w : 0) + 1);
	return (c->fp[i] - c->fp[i - 1]) / (window(c, i) - window(c, i - 1));
}

double
mpc_curve_fill(const struct mpc_curve *c, double lines)
{
	unsigned int below = 0, reached = c->points;
	double lo;

	if (!(lines > 0))
		return 0;
	if (c->points < 2 || c->fp[c->points - 1] < lines)
		return INFINITY;
	/* fp[below] < lines ≤ fp[reached] */
	reached--;
	while (reached - below > 1) {
		unsigned int i = below + (reached - below) / 2;

		if (c->fp[i] < lines)
			below = i;
		else
			reached = i;
	}
	lo = window(c, below);
	return lo +
		(lines - c->fp[below]) / (c->fp[reached] - c->fp[below]) *
		(window(c, reached) - lo);
}

double
mpc_curve_miss(const struct mpc_curve *c, double lines)
{
	double miss = c->accesses > 0 ?
		mpc_curve_slope(c, mpc_curve_fill(c, lines)) * c->n / c->accesses :
		0;

	return miss < 1 ? miss : 1;
}

static double
occupied(const struct mpc_member *m, unsigned int n, double time)
{
	double sum = 0;

	for (unsigned int i = 0; i < n; i++)
		sum += m[i].share * mpc_curve_at(m[i].curve, m[i].rate * time);
	return sum;
}

double
mpc_corun(struct mpc_member *m, unsigned int n, double lines)
{
	double lo = 0, hi = 0;

	for (unsigned int i = 0; i < n; i++)
		if (m[i].rate > 0)
			hi = fmax(hi, m[i].curve->n / m[i].rate);
	if (occupied(m, n, hi) <= lines)
		hi = INFINITY;
	/* To the precision of the numbers: some fifty steps. */
	while (isfinite(hi)) {
		double mid = lo + (hi - lo) / 2;

		if (mid <= lo || mid >= hi)
			break;
		if (occupied(m, n, mid) < lines)
			lo = mid;
		else
			hi = mid;
	}
	for (unsigned int i = 0; i < n; i++) {
		const struct mpc_curve *c = m[i].curve;
		double w = m[i].rate > 0 ? m[i].rate * hi : 0;

		m[i].lines = m[i].share * mpc_curve_at(c, w);
		m[i].miss =
			c->accesses > 0 ? fmin(1, mpc_curve_slope(c, w) * c->n / c->accesses) : 0;
	}
	return hi;
}
