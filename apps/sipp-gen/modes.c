#include <math.h>
#include <time.h>

#include <jansson.h>

#include "crew.h"
#include "modes.h"
#include "search.h"

#define STEP_NS     20000000u
#define DRAIN_S     60 /* longer than any request is sent again (64 T1, RFC 3261), beyond the call */
#define RATE_MIN    1.0
#define RATE_FACTOR 2.0

struct modes {
	const struct options *o;
	const struct modes_run *run;
	double rate, most; /* calls/s: asked for at first; never exceeded */
	double hold_s;     /* what a call lasts at least */
	struct report_trial trial[SEARCH_TRIALS + SEARCH_CURVE];
	uint32_t n;
	struct nfv_err *err;
};

struct counts {
	uint64_t offered, begun, skipped, limited, successful, failed, open;
};

static struct counts
count(const struct modes *m)
{
	const struct stats *s = m->run->sum(m->run->ctx);

	return (struct counts){ s->offered, s->created_out, s->skipped, s->limited, s->successful,
		s->failed, s->open };
}

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
wait_until(double end)
{
	for (double left; (left = end - now_s()) > 0;) {
		struct timespec t = { 0, STEP_NS };

		if (crew_interrupted())
			return -EINTR;
		if (left < STEP_NS / 1e9)
			t.tv_nsec = (long)(left * 1e9);
		nanosleep(&t, NULL);
	}
	return 0;
}

/* Calls of this trial must not weigh on the next: until none is open, and none comes any more. */
static int
drain(const struct modes *m, struct counts *after)
{
	double end = now_s() + m->hold_s + DRAIN_S;
	struct counts c = count(m), before;

	do {
		before = c;
		if (wait_until(now_s() + 0.1) < 0)
			return -EINTR;
		c = count(m);
		if (now_s() > end)
			return nfv_fail(m->err, ETIMEDOUT,
				"%llu calls do not end; give the scenario's waits an end (-recv_timeout)",
				(unsigned long long)c.open);
	} while (c.open > 0 || c.offered != before.offered || c.begun != before.begun);
	*after = c;
	return 0;
}

static int
try_rate(void *ctx, double rate, struct search_trial *out)
{
	struct modes *m = ctx;
	struct counts before = count(m), during, after = before;
	double from, seconds;
	int rc;

	from = now_s();
	m->run->set_rate(m->run->ctx, rate);
	rc = wait_until(from + m->o->trial_s);
	m->run->set_rate(m->run->ctx, 0);
	seconds = now_s() - from;
	/* Calls that last succeed as much later as they last. */
	if (rc == 0)
		rc = wait_until(now_s() + m->hold_s);
	during = count(m);
	if (rc == 0)
		rc = drain(m, &after);
	if (rc < 0)
		return rc;
	*out = (struct search_trial){ .rate = rate,
		.achieved = (double)(after.begun - before.begun) / seconds,
		.goodput = (double)(during.successful - before.successful) / seconds,
		.good = after.successful - before.successful,
		.failed = after.failed - before.failed,
		.skipped = after.skipped - before.skipped };
	/* Calls not begun for want of room (-l) were kept from the peer too, unless it is what fails. */
	out->generator_limited =
		after.limited > before.limited || (out->skipped > 0 && out->failed == 0);
	return 0;
}

/* As it is told; `factor` 0: of the search. */
static void
keep(struct modes *m, const struct search_trial *t, double factor)
{
	if (m->n < sizeof(m->trial) / sizeof(m->trial[0]))
		m->trial[m->n++] = (struct report_trial){ .rate = t->rate,
			.achieved = t->achieved,
			.goodput = t->goodput,
			.good = t->good,
			.bad = t->failed,
			.skipped = t->skipped,
			.factor = factor,
			.generator_limited = t->generator_limited,
			.passed = search_passed(t) };
}

static void
print_names(const struct modes *m, const char *what)
{
	if (!m->o->json)
		printf("%s\n  %10s %10s %10s %10s %10s %10s\n", what, "calls/s", "achieved",
			"goodput/s", "good", "failed", "skipped");
}

static void
print(const struct modes *m, const struct search_trial *t)
{
	if (m->o->json)
		return;
	printf("  %10.1f %10.1f %10.1f %10llu %10llu %10llu%s\n", t->rate, t->achieved, t->goodput,
		(unsigned long long)t->good, (unsigned long long)t->failed,
		(unsigned long long)t->skipped, t->generator_limited ? "  generator_limited" : "");
	fflush(stdout);
}

static int
search_trial(void *ctx, double rate, struct search_trial *out)
{
	struct modes *m = ctx;
	int rc = try_rate(m, rate, out);

	if (rc < 0)
		return rc;
	print(m, out);
	keep(m, out, 0);
	return 0;
}

static int
find_knee(struct modes *m, struct search_result *r)
{
	const struct search_conf c = { .start = fmin(fmax(m->rate, RATE_MIN), m->most),
		.min = fmin(RATE_MIN, m->most),
		.max = m->most,
		.factor = RATE_FACTOR,
		.resolution = m->o->resolution / 100 };
	int rc;

	print_names(m, "search for the session establishment rate (RFC 7502)");
	rc = search_ser(&c, search_trial, m, r);
	if (m->o->json)
		return rc;
	printf("session establishment rate: %.1f calls/s", r->rate);
	if (r->bound > 0)
		printf("; %.1f is too much%s", r->bound,
			r->generator_limited ? " for this program: generator_limited" : "");
	else
		printf("; no rate was too much");
	printf("%s\n", rc < 0 ? "; the search was cut short" : "");
	return rc;
}

static int
curve(struct modes *m, double knee)
{
	struct search_trial t;

	print_names(m, "overload");
	for (int i = 0; i < SEARCH_CURVE; i++) {
		double rate = fmax(fmin(search_curve[i] * knee, PACE_RATE_MAX), PACE_RATE_MIN);
		int rc = try_rate(m, rate, &t);

		if (rc < 0)
			return rc;
		print(m, &t);
		keep(m, &t, search_curve[i]);
	}
	return 0;
}

static void
take_roles(struct modes *m)
{
	m->most = PACE_RATE_MAX;
	for (uint32_t i = 0; i < m->o->roles; i++) {
		const struct options_role *r = &m->o->role[i];

		if (r->remote.addr.family == NFV_NO_ADDR)
			continue;
		m->rate += r->pace.rate;
		m->hold_s = fmax(m->hold_s, r->duration_ms / 1e3);
		if (r->pace.shape != PACE_RAMP && r->pace.rate_to > 0)
			m->most = fmin(m->most, r->pace.rate_to);
	}
}

/* Those of the search, or of the curve. */
static json_t *
trials_json(const struct modes *m, bool overload)
{
	json_t *all = json_array();

	for (uint32_t i = 0; i < m->n; i++) {
		const struct report_trial *t = &m->trial[i];
		json_t *one;

		if ((t->factor > 0) != overload)
			continue;
		one = json_pack("{s:f, s:f, s:f, s:I, s:I, s:I, s:b}", "rate", t->rate, "achieved",
			t->achieved, "goodput", t->goodput, "good", (json_int_t)t->good, "failed",
			(json_int_t)t->bad, "skipped", (json_int_t)t->skipped, "generator_limited",
			(int)t->generator_limited);
		if (overload)
			json_object_set_new(one, "factor", json_real(t->factor));
		json_array_append_new(all, one);
	}
	return all;
}

static void
print_json(const struct modes *m, const struct search_result *r, bool complete)
{
	json_t *all = json_pack("{s:o, s:o, s:o}", "trials", trials_json(m, false), "search",
		r == NULL ? json_null() :
			    json_pack("{s:f, s:f, s:b, s:b}", "rate", r->rate, "bound", r->bound,
				    "generator_limited", (int)r->generator_limited, "complete",
				    (int)complete),
		"overload", trials_json(m, true));

	json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(all);
}

int
modes_go(const struct options *o, const struct modes_run *run, struct nfv_err *err)
{
	struct modes m = { .o = o, .run = run, .err = err };
	bool searches = o->search != NULL || !o->rate_given;
	struct search_result r = { 0 };
	struct report_trials told = { .what = searches ? "Session establishment rate (RFC 7502)" :
							 "Overload",
		.unit = "calls",
		.bad = "failed",
		.bad_name = "Failed",
		.searched = searches,
		.trial = m.trial };
	double begun = now_s(), knee;
	int rc = 0, written;

	take_roles(&m);
	knee = m.rate;
	if (searches) {
		rc = find_knee(&m, &r);
		knee = r.rate;
	}
	if (rc == 0 && o->overload && knee > 0)
		rc = curve(&m, knee);
	if (o->json)
		print_json(&m, searches ? &r : NULL, rc == 0);
	told.found = knee;
	told.bound = r.bound;
	told.limited = r.generator_limited;
	told.complete = rc == 0;
	told.n = m.n;
	told.ns = (uint64_t)((now_s() - begun) * 1e9);
	if (rc == -EINTR)
		rc = 0;
	/* Also of a search that failed; what it failed by is said in the first place. */
	written = report_trials_write(o->html, run->csv, run->report, &told, rc < 0 ? NULL : err);
	if (rc == 0)
		rc = written;
	return rc < 0 ? rc : knee == 0;
}
