#include <math.h>

#include "actions.h"

/* In (0, 1): neither end, so that logarithms are finite, also of what is raised to a power. */
static double
uniform(struct rnd *rnd)
{
	return ((double)(rnd_u64(rnd) >> 12) + 0.5) * 0x1p-52;
}

static double
normal(struct rnd *rnd)
{
	double r = sqrt(-2 * log(uniform(rnd)));

	return r * cos(2 * M_PI * uniform(rnd));
}

/* Marsaglia and Tsang, 2000; a shape below 1 by way of one that is larger by 1. */
static double
gamma_of(double shape, struct rnd *rnd)
{
	double boost = shape < 1 ? pow(uniform(rnd), 1 / shape) : 1;
	double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3, c = 1 / sqrt(9 * d), x, v;

	do {
		do {
			x = normal(rnd);
			v = 1 + c * x;
		} while (v <= 0);
		v = v * v * v;
	} while (log(uniform(rnd)) >= 0.5 * x * x + d - d * v + d * log(v));
	return boost * d * v;
}

/* Knuth's product while the mean is small, else the normal distribution close to it. */
static double
poisson(double mean, struct rnd *rnd)
{
	double limit, p = 1, n = -1;

	if (mean > 500)
		return fmax(0, rint(mean + sqrt(mean) * normal(rnd)));
	limit = exp(-mean);
	do {
		p *= uniform(rnd);
		n++;
	} while (p > limit);
	return n;
}

double
duration_sample(const struct duration *d, struct rnd *rnd)
{
	double v = 0;

	switch (d->kind) {
	case DIST_FIXED:
		v = d->a;
		break;
	case DIST_UNIFORM:
		v = d->a + (d->b - d->a) * uniform(rnd);
		break;
	case DIST_NORMAL:
		v = d->a + d->b * normal(rnd);
		break;
	case DIST_LOGNORMAL:
		v = exp(d->a + d->b * normal(rnd));
		break;
	case DIST_EXPONENTIAL:
		v = -d->a * log(uniform(rnd));
		break;
	case DIST_WEIBULL:
		v = d->a * pow(-log(uniform(rnd)), 1 / d->b);
		break;
	case DIST_PARETO:
		v = d->b / pow(uniform(rnd), 1 / d->a);
		break;
	case DIST_GAMMA:
		v = d->b * gamma_of(d->a, rnd);
		break;
	case DIST_NEGBIN: /* failures before the n-th success: Poisson with a mean that is gamma */
		v = d->a < 1 ? poisson(gamma_of(d->b, rnd) * (1 - d->a) / d->a, rnd) : 0;
		break;
	default:
		break;
	}
	return v > 0 ? v : 0;
}
