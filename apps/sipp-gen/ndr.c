#include <stddef.h>

#include "ndr.h"

static double
share(const struct ndr_trial *t)
{
	return t->sent > 0 ? (double)t->lost / (double)t->sent : 1;
}

int
ndr_search(const struct ndr_conf *conf, ndr_try *try,
	void (*tell)(void *, const struct ndr_trial *), void *ctx, struct ndr_result *out)
{
	struct ndr_result r = { 0 };
	double high = conf->rate, rate = high;
	int rc;

	while (high - r.rate > conf->resolution * conf->rate) {
		struct ndr_trial t = { .rate = rate };

		rc = try(ctx, &t);
		if (rc < 0)
			return rc;
		r.trials++;
		t.good = !t.limited && share(&t) <= conf->tolerance;
		if (t.good) {
			r.rate = rate;
			r.lost = share(&t);
		} else {
			/* The lowest rate that was no good says what stands in the way of more. */
			high = rate;
			r.limited = t.limited;
		}
		if (tell != NULL)
			tell(ctx, &t);
		rate = (r.rate + high) / 2;
	}
	*out = r;
	return 0;
}
