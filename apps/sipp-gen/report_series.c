#include "report_text.h"

static uint64_t
higher(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Put `b`, which follows, into `a`. */
static void
join(struct report_point *a, const struct report_point *b)
{
	a->to_ns = b->to_ns;
	a->offered += b->offered;
	a->attempts += b->attempts;
	a->successful += b->successful;
	a->failed += b->failed;
	a->retransmitted += b->retransmitted;
	a->open = higher(a->open, b->open);
	for (unsigned int i = 0; i < REPORT_LINES; i++) {
		a->n[i] += b->n[i];
		a->p50[i] = higher(a->p50[i], b->p50[i]);
		a->p99[i] = higher(a->p99[i], b->p99[i]);
		a->max[i] = higher(a->max[i], b->max[i]);
	}
}

static void
interval(const struct report_moment *m, struct report_point *p)
{
	const struct stats *now = m->now, *before = m->before;

	*p = (struct report_point){
		.from_ns = m->before_ns,
		.to_ns = m->now_ns,
		.offered = grown(now->offered, before->offered),
		.attempts = grown(attempts(now), attempts(before)),
		.successful = grown(now->successful, before->successful),
		.failed = grown(failures(now), failures(before)),
		.retransmitted = grown(now->retransmitted, before->retransmitted),
		.open = now->open,
	};
	for (unsigned int i = 0; i < REPORT_LINES; i++) {
		const struct hist *h = line_hist(now, i), *h0 = line_hist(before, i);
		struct hist since;

		if (h->n == h0->n)
			continue;
		hist_since(h, h0, &since);
		p->n[i] = since.n;
		p->p50[i] = hist_quantile(&since, 0.5);
		p->p99[i] = hist_quantile(&since, 0.99);
		p->max[i] = hist_quantile(&since, 1);
	}
}

/* Half the points, each of twice the time; the last one is complete by now. */
static void
halve(struct report_series *s)
{
	uint32_t pairs = s->n / 2;

	for (size_t i = 0; i < pairs; i++) {
		struct report_point p = s->point[2 * i];

		join(&p, &s->point[2 * i + 1]);
		s->point[i] = p;
	}
	s->n = pairs;
	s->per_point *= 2;
	s->in_last = s->per_point;
}

/* What is left of the last second when a run ends is too short to tell a rate. */
static bool
is_rest(const struct report_series *s, const struct report_point *p)
{
	uint64_t usual = grown(s->point[0].to_ns, s->point[0].from_ns) / s->per_point;

	return grown(p->to_ns, p->from_ns) < usual / 2;
}

void
report_series_add(struct report_series *s, const struct report_moment *m)
{
	struct report_point p;

	_Static_assert(REPORT_POINTS % 2 == 0, "halved when full, without a rest");
	interval(m, &p);
	if (s->per_point == 0)
		s->per_point = 1;
	if (s->n > 0 && is_rest(s, &p)) {
		join(&s->point[s->n - 1], &p);
		return;
	}
	if (s->n > 0 && s->in_last < s->per_point) {
		join(&s->point[s->n - 1], &p);
		s->in_last++;
		return;
	}
	if (s->n == REPORT_POINTS)
		halve(s);
	s->point[s->n++] = p;
	s->in_last = 1;
}
