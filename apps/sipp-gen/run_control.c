#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "modes.h"
#include "run_inside.h"

#define GRACE_NS 2000000000ull

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
add_up(struct run *r)
{
	memset(&r->now, 0, sizeof(r->now));
	for (uint32_t i = 0; i < r->crew.n; i++) {
		const struct net_count *c = net_count(r->worker[i].crew.net);

		/* Calls between two roles of one run are not to be counted twice: who calls counts. */
		if (r->worker[i].scenario->caller != r->callers)
			continue;
		stats_merge(&r->now, agent_stats(r->worker[i].agent));
		r->now.tx_full += c->tx_full;
		r->now.no_buffer += c->no_buffer;
		r->now.l3_in += c->l3_in;
		r->now.l3_out += c->l3_out;
		r->now.rx_other += c->not_udp + c->bad_checksum;
	}
	r->report.generator_limited = r->now.limited > 0;
}

static struct report_moment
moment(const struct run *r)
{
	return (struct report_moment){ .now_ns = (r->end_ns ? r->end_ns : now_ns()) - r->start_ns,
		.before_ns = r->before_ns,
		.now = &r->now,
		.before = &r->before };
}

/* Names that may not last for the calls that are open. */
static void
watch_names(struct run *r)
{
	for (uint32_t i = 0; i < r->crew.n; i++) {
		const struct worker *w = &r->worker[i];
		const char *said = names_watch(&r->names, w->scenario, agent_stats(w->agent)->open);

		if (said != NULL)
			fprintf(stderr, "sipp-gen: warning: %s\n", said);
	}
	r->report.n_warnings = r->names.n;
}

static void
one_interval(struct run *r, FILE *csv)
{
	struct report_moment m;

	add_up(r);
	watch_names(r);
	m = moment(r);
	report_series_add(&r->series, &m);
	if (r->o->soak_s > 0)
		soak_add(&r->soak, m.now_ns, &r->now, soak_rss());
	if (csv != NULL)
		report_csv_line(csv, &r->report, &m);
	if (!r->o->json)
		report_live(&r->live, &r->report, &m);
	r->before = r->now;
	r->before_ns = m.now_ns;
}

static bool
all_done(const struct run *r)
{
	for (uint32_t i = 0; i < r->crew.n; i++) {
		int state = atomic_load(&r->worker[i].crew.state);

		if (state >= 0 && state != CREW_DONE)
			return false;
	}
	return true;
}

/* Who answers goes on as long as anybody calls. */
static bool
callers_done(const struct run *r)
{
	for (uint32_t i = 0; i < r->crew.n; i++) {
		int state = atomic_load(&r->worker[i].crew.state);

		if (r->worker[i].scenario->caller && state != CREW_DONE && state >= 0)
			return false;
	}
	return r->callers;
}

static void
stop_all(struct run *r, bool now)
{
	/* Who answers goes on answering until callers are done: a call begun in time may come late. */
	bool all = now || !r->callers || callers_done(r);

	for (uint32_t i = 0; i < r->crew.n; i++)
		if (all || r->worker[i].scenario->caller)
			agent_stop(r->worker[i].agent, now);
}

static FILE *
open_csv(struct run *r)
{
	FILE *f;

	if (!r->o->trace_stat && r->o->stat_file == NULL)
		return NULL;
	f = report_csv_open(r->o->stat_file, r->report.scenario->name, &r->err);
	if (f == NULL)
		r->rc = -EIO;
	else if (!options_has_trials(r->o))
		report_csv_names(f, &r->report);
	return f;
}

static bool
is_to_end(const struct run *r, uint64_t t)
{
	return crew_interrupts() > 0 ||
		(r->o->timeout_s > 0 && (double)(t - r->start_ns) > r->o->timeout_s * 1e9);
}

static void
supervise(struct run *r, FILE *csv)
{
	uint64_t interval = (uint64_t)(r->o->interval_s * 1e9), next, stopped = 0;
	bool ending = false;

	r->start_ns = now_ns();
	clock_gettime(CLOCK_REALTIME, &r->report.start);
	next = r->start_ns + interval;
	atomic_store_explicit(&r->go, true, memory_order_release);
	while (!all_done(r)) {
		uint64_t t = now_ns();

		usleep(t + 20000000 < next ? 20000 : 1000);
		t = now_ns();
		if (r->end_ns == 0 && callers_done(r)) {
			/* Their time is over; what others wait for after it does not count. */
			one_interval(r, csv);
			r->end_ns = t;
			ending = false; /* for the others it only begins */
		}
		if (r->end_ns == 0 && t >= next) {
			one_interval(r, csv);
			next += interval;
		}
		if (!ending && (r->end_ns != 0 || is_to_end(r, t))) {
			stop_all(r, false);
			ending = true;
			stopped = t;
		}
		/* When time is over, calls that are open may end by themselves, with what has to be sent
		 * again; whoever interrupts has less patience. */
		if (ending &&
			(crew_interrupts() > 1 ||
				t > stopped +
						(crew_interrupts() > 0 || r->end_ns != 0 ? 1 : 5) *
							GRACE_NS))
			stop_all(r, true);
	}
	if (r->end_ns == 0)
		one_interval(r, csv);
	else
		add_up(r);
}

static void
write_reports(struct run *r)
{
	struct report_moment m = moment(r);
	static const struct stats none;
	FILE *html;

	m.before = &none;
	m.before_ns = 0;
	if (r->o->html != NULL) {
		html = fopen(r->o->html, "we");
		if (html == NULL)
			r->rc = nfv_fail(&r->err, errno, "%s: %s", r->o->html, strerror(errno));
		else if (report_html(html, &r->report, &m, &r->series, &r->err) < 0)
			r->rc = -EIO;
		if (html != NULL)
			fclose(html);
	}
	if (r->o->json && report_json(stdout, &r->report, &m, &r->err) < 0)
		r->rc = -EIO;
}

/* ---- other ways to run ---- */

static void
set_rate(void *ctx, double rate)
{
	struct run *r = ctx;
	double all = 0;

	for (uint32_t i = 0; i < r->crew.n; i++)
		all += r->worker[i].scenario->caller ? r->worker[i].crew.role->pace.rate : 0;
	for (uint32_t i = 0; i < r->crew.n && all > 0; i++)
		agent_set_rate(r->worker[i].agent, rate * r->worker[i].crew.role->pace.rate / all);
}

static const struct stats *
sum(void *ctx)
{
	struct run *r = ctx;

	add_up(r);
	return &r->now;
}

static void
make_trials(struct run *r, FILE *csv)
{
	const struct modes_run mr = { r, set_rate, sum, &r->report, csv };
	uint64_t end;
	int rc;

	clock_gettime(CLOCK_REALTIME, &r->report.start);
	atomic_store_explicit(&r->go, true, memory_order_release);
	rc = modes_go(r->o, &mr, &r->err);
	r->rc = rc < 0 ? rc : 0;
	r->verdict = rc > 0;
	stop_all(r, false);
	for (end = now_ns() + GRACE_NS; !all_done(r); usleep(1000))
		if (now_ns() > end || crew_interrupts() > 1)
			stop_all(r, true);
}

/* The sentence stands among the summary's parameters too. */
static void
judge_soak(struct run *r)
{
	static struct nfv_err text;
	static const struct report_param said = { "soak", text.text };

	r->verdict = soak_verdict(&r->soak, r->o->drift, &text) != 0;
	r->report.param = &said;
	r->report.n_params = 1;
	fprintf(r->verdict != 0 || r->o->json ? stderr : stdout, "sipp-gen: soak: %s\n", text.text);
}

void *
run_control(void *arg)
{
	struct run *r = arg;
	FILE *csv = open_csv(r);

	while (r->rc == 0 && !crew_ready(&r->crew, &r->rc, &r->err))
		usleep(1000);
	if (r->rc < 0) {
		crew_abandon();
		stop_all(r, true);
		atomic_store_explicit(&r->go, true, memory_order_release);
	} else if (options_has_trials(r->o)) {
		make_trials(r, csv);
	} else {
		supervise(r, csv);
		if (r->o->soak_s > 0)
			judge_soak(r);
		write_reports(r);
	}
	if (csv != NULL)
		fclose(csv);
	return NULL;
}
