#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "pace.h"

typedef unsigned __int128 calls; /* in 2^-64 */

#define ONE ((calls)1 << 64)

/* Calls due within the first cycles of this stretch. */
static calls
rise(const struct pace *p, uint64_t cycles)
{
	double t = (double)cycles, n;

	if (p->bend == 0)
		return (calls)p->slope * cycles;
	n = ((double)p->slope + p->bend * 0x1p64 * t) * t;
	return n > 0 ? (calls)n : 0;
}

/* Cycles of this stretch until `n` more calls are due. */
static uint64_t
cycles_to(const struct pace *p, calls n)
{
	double a, d, t;
	calls cycles;

	if (p->bend == 0) {
		if (p->slope == 0)
			return n == 0 ? 0 : PACE_NEVER;
		cycles = (n + p->slope - 1) / p->slope;
		return cycles < PACE_NEVER ? (uint64_t)cycles : PACE_NEVER;
	}
	/* The smaller root of bend t² + slope t = n, without a difference of nearly equal numbers. */
	a = (double)p->slope * 0x1p-64;
	d = (double)n * 0x1p-64;
	t = fma(4 * p->bend, d, a * a);
	t = a + sqrt(t > 0 ? t : 0);
	t = t > 0 ? ceil(2 * d / t) : 0x1p63;
	return t < 0x1p63 ? (uint64_t)t : PACE_NEVER;
}

static void
set_line(struct pace *p, double from, double to, double seconds)
{
	/* Each worker has a Poisson load of its own. */
	double share = p->conf.shape == PACE_POISSON ? 1.0 / p->conf.workers : 1;
	double hz = (double)p->hz, cycles = seconds * hz;

	p->rate = from;
	p->slope = (uint64_t)rint(from * share / hz * 0x1p64);
	p->bend = seconds > 0 ? (to - from) * share / hz / cycles / 2 : 0;
	p->end = seconds > 0 && cycles < 0x1p62 ? p->start + (uint64_t)rint(cycles) : PACE_NEVER;
}

static void
next_stretch(struct pace *p)
{
	const struct pace_conf *c = &p->conf;
	double rate = p->rate + c->step;

	if (p->start == p->change_at) {
		if (c->shape == PACE_RAMP || c->shape == PACE_STEPS)
			p->conf.shape = PACE_FIXED;
		set_line(p, p->change_rate, 0, 0);
		p->change_at = PACE_NEVER;
	} else if (c->shape == PACE_RAMP ||
		(c->step > 0 ? rate >= c->rate_to : rate <= c->rate_to)) {
		set_line(p, c->rate_to, 0, 0);
	} else {
		set_line(p, rate, rate, c->seconds);
	}
}

/* Where the integral meets `at`, through as many stretches as it takes. */
static void
find_next(struct pace *p)
{
	uint64_t end, cycles;
	calls total;

	for (;;) {
		/* It may have been wanted for a time that is over. */
		if (p->change_at < p->start)
			p->change_at = p->start;
		end = p->end < p->change_at ? p->end : p->change_at;
		if (end == PACE_NEVER)
			break;
		total = rise(p, end - p->start);
		if (p->at <= p->before + total)
			break;
		p->before += total;
		p->start = end;
		next_stretch(p);
	}
	cycles = p->at > p->before ? cycles_to(p, p->at - p->before) : 0;
	p->next = cycles < PACE_NEVER - p->start ? p->start + cycles : PACE_NEVER;
	if (p->next > end)
		p->next = end;
}

static void
set_target(struct pace *p)
{
	uint64_t n = p->made * p->conf.workers + p->conf.worker;

	switch (p->conf.shape) {
	case PACE_POISSON:
		p->at += (calls)(-log(rnd_unit(&p->rnd)) * 0x1p64);
		break;
	case PACE_BURST:
		p->at = (calls)(n - n % p->conf.burst) << 64;
		break;
	default:
		p->at = (calls)(n + 1) << 64;
	}
}

static int
check_rate(double rate, struct nfv_err *err)
{
	if (rate == 0 || (rate >= PACE_RATE_MIN && rate <= PACE_RATE_MAX))
		return 0;
	return nfv_fail(err, ERANGE, "a rate of %g calls/s is not between %g and %g", rate,
		PACE_RATE_MIN, PACE_RATE_MAX);
}

static int
check(const struct pace_conf *c, uint64_t hz, struct nfv_err *err)
{
	bool ends = c->shape == PACE_RAMP || c->shape == PACE_STEPS;

	if (c->workers == 0 || c->worker >= c->workers)
		return nfv_fail(err, EINVAL, "there is no worker %u of %u", c->worker, c->workers);
	if (hz < 2 * (uint64_t)PACE_RATE_MAX)
		return nfv_fail(err, EINVAL, "a clock of %llu Hz is too slow to keep a rate by",
			(unsigned long long)hz);
	if ((ends || c->shape == PACE_BURST) && !(c->seconds >= 1e-6 && c->seconds <= 1e8))
		return nfv_fail(err, ERANGE,
			"a time of %g s for a ramp, a step or a burst is not between 1e-6 and 1e8",
			c->seconds);
	if (c->shape == PACE_BURST) {
		if (c->burst == 0 || c->burst > PACE_BURST_MAX)
			return nfv_fail(err, ERANGE, "a burst is of 1 to %u calls, not of %u",
				PACE_BURST_MAX, c->burst);
		return check_rate(c->burst / c->seconds, err);
	}
	if (c->shape == PACE_STEPS && !(c->step != 0 && (c->rate_to - c->rate) / c->step >= 0))
		return nfv_fail(err, EINVAL, "steps of %g calls/s do not lead from %g to %g",
			c->step, c->rate, c->rate_to);
	if (ends && check_rate(c->rate_to, err) < 0)
		return -ERANGE;
	return check_rate(c->rate, err);
}

int
pace_init(struct pace *p, const struct pace_conf *conf, uint64_t tsc_hz, uint64_t start,
	struct nfv_err *err)
{
	int rc = check(conf, tsc_hz, err);

	if (rc < 0)
		return rc;
	*p = (struct pace){ .conf = *conf, .hz = tsc_hz, .start = start, .change_at = PACE_NEVER };
	p->rnd = rnd_init(conf->seed, conf->worker);
	if (conf->shape == PACE_RAMP)
		set_line(p, conf->rate, conf->rate_to, conf->seconds);
	else if (conf->shape == PACE_STEPS)
		set_line(p, conf->rate, conf->rate, conf->seconds);
	else
		set_line(p, conf->shape == PACE_BURST ? conf->burst / conf->seconds : conf->rate, 0,
			0);
	set_target(p);
	find_next(p);
	return 0;
}

uint32_t
pace_take(struct pace *p, uint64_t now, uint64_t *intended, uint32_t max)
{
	uint32_t n = 0;

	for (; n < max && p->next <= now && p->next != PACE_NEVER; n++) {
		if (intended != NULL)
			intended[n] = p->next;
		p->made++;
		set_target(p);
		find_next(p);
	}
	return n;
}

int
pace_change(struct pace *p, uint64_t at, double rate, struct nfv_err *err)
{
	int rc = check_rate(rate, err);

	if (rc < 0)
		return rc;
	p->change_at = at;
	p->change_rate = rate;
	find_next(p);
	return 0;
}

double
pace_rate(const struct pace *p)
{
	double share = p->conf.shape == PACE_POISSON ? p->conf.workers : 1, hz = (double)p->hz;

	if (p->bend == 0 || p->next == PACE_NEVER)
		return p->rate;
	return p->rate + 2 * p->bend * (double)(p->next - p->start) * hz * share;
}
