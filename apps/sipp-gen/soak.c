#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "soak.h"

#define SLACK_NS   100000.0
#define SLACK_OPEN 16.0
#define SLACK_RSS  4e6

uint64_t
soak_rss(void)
{
	unsigned long long all, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f == NULL)
		return 0;
	if (fscanf(f, "%llu %llu", &all, &resident) != 2)
		resident = 0;
	fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
sample(struct soak_tenth *t, const struct stats *now, uint64_t rss)
{
	t->open += (double)now->open;
	t->rss += (double)rss;
	t->samples++;
}

void
soak_add(struct soak *s, uint64_t t_ns, const struct stats *now, uint64_t rss)
{
	double part = (double)t_ns / 1e9 / s->seconds;

	/* A sample is taken a little after its time; what follows the end, while calls run out, is not
	 * the soak any more. */
	if (part <= 0.105) {
		memcpy(s->begin, now->latency, sizeof(s->begin));
		sample(&s->first, now, rss);
	} else if (part <= 0.905) {
		memcpy(s->before, now->latency, sizeof(s->before));
	} else if (part <= 1.05) {
		memcpy(s->end, now->latency, sizeof(s->end));
		sample(&s->last, now, rss);
	}
}

static bool
has_grown(double first, double last, double factor, double slack)
{
	return last > first * factor && last - first > slack;
}

int
soak_verdict(const struct soak *s, double factor, struct nfv_err *sentence)
{
	static const char *const name[LATENCY_LAG] = { [LATENCY_RRD] = "registration request delay",
		[LATENCY_SRD] = "session request delay",
		[LATENCY_SDD] = "session disconnect delay" };
	double open[2], rss[2];
	struct hist tail;

	if (s->first.samples == 0 || s->last.samples == 0) {
		nfv_fail(sentence, EAGAIN, "the soak ended before its last tenth");
		return -EAGAIN;
	}
	open[0] = s->first.open / s->first.samples;
	open[1] = s->last.open / s->last.samples;
	rss[0] = s->first.rss / s->first.samples;
	rss[1] = s->last.rss / s->last.samples;
	for (unsigned int i = 0; i < LATENCY_LAG; i++) {
		double a = (double)hist_quantile(&s->begin[i], 0.99), b;

		hist_since(&s->end[i], &s->before[i], &tail);
		b = (double)hist_quantile(&tail, 0.99);
		if (s->begin[i].n > 0 && tail.n > 0 && has_grown(a, b, factor, SLACK_NS)) {
			nfv_fail(sentence, ERANGE,
				"the %s has grown: p99 %.0f us in the first tenth, %.0f us in the last",
				name[i], a / 1e3, b / 1e3);
			return 1;
		}
	}
	if (has_grown(open[0], open[1], factor, SLACK_OPEN)) {
		nfv_fail(sentence, ERANGE,
			"open calls have grown: %.0f in the first tenth, %.0f in the last", open[0],
			open[1]);
		return 1;
	}
	if (has_grown(rss[0], rss[1], factor, SLACK_RSS)) {
		nfv_fail(sentence, ERANGE,
			"memory has grown: %.1f MB in the first tenth, %.1f MB in the last",
			rss[0] / 1e6, rss[1] / 1e6);
		return 1;
	}
	nfv_fail(sentence, 0, "steady: open calls %.0f and %.0f, memory %.1f and %.1f MB", open[0],
		open[1], rss[0] / 1e6, rss[1] / 1e6);
	return 0;
}
