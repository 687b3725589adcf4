#include <math.h>

#include "actions.h"

/* In (0, 1): neither end, so that logarithms are finite. The generator is splitmix64. */
static double
uniform(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return ((double)(z >> 12) + 0.5) * 0x1p-52;
}

static double
normal(uint64_t *state)
{
	double r = sqrt(-2 * log(uniform(state)));

	return r * cos(2 * M_PI * uniform(state));
}

/* Marsaglia and Tsang, 2000; a shape below 1 by way of one that is larger by 1. */
static double
gamma_of(double shape, uint64_t *state)
{
	double boost = shape < 1 ? pow(uniform(state), 1 / shape) : 1;
	double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3, c = 1 / sqrt(9 * d), x, v;

	do {
		do {
			x = normal(state);
			v = 1 + c * x;
		} while (v <= 0);
		v = v * v * v;
	} while (log(uniform(state)) >= 0.5 * x * x + d - d * v + d * log(v));
	return boost * d * v;
}

/* Knuth's product while the mean is small, else the normal distribution close to it. */
static double
poisson(double mean, uint64_t *state)
{
	double limit, p = 1, n = -1;

	if (mean > 500)
		return fmax(0, rint(mean + sqrt(mean) * normal(state)));
	limit = exp(-mean);
	do {
		p *= uniform(state);
		n++;
	} while (p > limit);
	return n;
}

double
duration_sample(const struct duration *d, uint64_t *random)
{
	double v = 0;

	switch (d->kind) {
	case DIST_FIXED:
		v = d->a;
		break;
	case DIST_UNIFORM:
		v = d->a + (d->b - d->a) * uniform(random);
		break;
	case DIST_NORMAL:
		v = d->a + d->b * normal(random);
		break;
	case DIST_LOGNORMAL:
		v = exp(d->a + d->b * normal(random));
		break;
	case DIST_EXPONENTIAL:
		v = -d->a * log(uniform(random));
		break;
	case DIST_WEIBULL:
		v = d->a * pow(-log(uniform(random)), 1 / d->b);
		break;
	case DIST_PARETO:
		v = d->b / pow(uniform(random), 1 / d->a);
		break;
	case DIST_GAMMA:
		v = d->b * gamma_of(d->a, random);
		break;
	case DIST_NEGBIN: /* failures before the n-th success: Poisson with a mean that is gamma */
		v = d->a < 1 ? poisson(gamma_of(d->b, random) * (1 - d->a) / d->a, random) : 0;
		break;
	default:
		break;
	}
	return v > 0 ? v : 0;
}
