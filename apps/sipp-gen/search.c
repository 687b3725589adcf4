#include <errno.h>

#include "search.h"

const double search_curve[SEARCH_CURVE] = { 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3 };

enum verdict { GOOD, FAILED, LIMITED };

static enum verdict
judge(const struct search_trial *t)
{
	if (t->generator_limited)
		return LIMITED;
	return t->failed > 0 || t->good == 0 ? FAILED : GOOD;
}

bool
search_passed(const struct search_trial *t)
{
	return judge(t) == GOOD;
}

/* The rate to try next; 0: the search is over. */
static double
next_rate(const struct search_conf *c, const struct search_result *r)
{
	double rate;

	if (r->bound == 0) {
		rate = r->rate == 0 ? c->start : r->rate * c->factor;
		rate = rate < c->max ? rate : c->max;
		return rate > r->rate ? rate : 0;
	}
	if (r->bound <= c->min || r->bound - r->rate <= c->resolution * r->bound)
		return 0;
	rate = (r->rate + r->bound) / 2;
	return rate > c->min ? rate : c->min;
}

int
search_ser(const struct search_conf *conf, search_try *trial, void *ctx, struct search_result *out)
{
	struct search_result r = { 0 };
	struct search_trial t;
	double rate;
	int rc = 0;

	if (!(conf->factor > 1) || !(conf->min > 0) || !(conf->start >= conf->min) ||
		!(conf->max >= conf->start) || !(conf->resolution > 0))
		return -EINVAL;
	while (r.trials < SEARCH_TRIALS && (rate = next_rate(conf, &r)) > 0) {
		enum verdict v = LIMITED;

		/* What this program lacked may have been a moment's processor time. */
		for (int i = 0; i < 2 && v == LIMITED && rc == 0; i++, r.trials++) {
			t = (struct search_trial){ .rate = rate };
			rc = trial(ctx, rate, &t);
			v = judge(&t);
		}
		if (rc < 0)
			break;
		if (v == GOOD) {
			r.rate = rate;
		} else {
			r.bound = rate;
			r.generator_limited = v == LIMITED;
		}
	}
	*out = r;
	return rc;
}
