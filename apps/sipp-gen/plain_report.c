#include <jansson.h>

#include "plain_report.h"

static double
per_second(const struct plain_report *r, uint64_t n, uint64_t from, uint64_t to)
{
	return to > from ? (double)n * (double)r->tsc_hz / (double)(to - from) : 0;
}

/* Over all of a search a rate means nothing; the trials have theirs. */
static json_t *
rate(const struct plain_report *r, uint64_t n, uint64_t from, uint64_t to)
{
	return r->search == NULL ? json_real(per_second(r, n, from, to)) : json_null();
}

uint64_t
plain_report_lost(const struct plain_report *r)
{
	const struct plain_stats *s = r->stats;
	uint64_t came = s->received - s->duplicated;

	if (r->frame == NULL || !r->sinks || r->unmarked)
		return s->lost;
	return s->sent > came ? s->sent - came : 0;
}

void
plain_report_line(FILE *to, const struct plain_report *r, const struct plain_stats *before,
	double at_s, double seconds)
{
	const struct plain_stats *s = r->stats;

	fprintf(to, "%8.1f s", at_s);
	if (r->frame != NULL)
		fprintf(to, "  sent %.0f/s  too late %.0f/s",
			(double)(s->sent - before->sent) / seconds,
			(double)(s->limited - before->limited) / seconds);
	if (r->sinks)
		fprintf(to, "  received %.0f/s  lost %llu  reordered %llu  duplicated %llu",
			(double)(s->received - before->received) / seconds,
			(unsigned long long)s->lost, (unsigned long long)s->reordered,
			(unsigned long long)s->duplicated);
	fputc('\n', to);
	fflush(to);
}

void
plain_report_trial(FILE *to, const struct plain_report *r, const struct ndr_trial *t)
{
	fprintf(to, "trial %2u: %12.0f packets/s  sent %llu  lost %llu (%.4f %%)  %s\n", r->trials,
		t->rate, (unsigned long long)t->sent, (unsigned long long)t->lost,
		t->sent > 0 ? 100.0 * (double)t->lost / (double)t->sent : 0,
		t->good            ? "good" :
			t->limited ? "the generator was too slow" :
				     "too much lost");
	fflush(to);
}

void
plain_report_text(FILE *to, const struct plain_report *r)
{
	const struct plain_stats *s = r->stats;
	const struct hist *h = &s->latency;

	if (r->search != NULL) {
		fprintf(to, "%s: %.0f packets/s with %.4f %% lost, after %u trials%s\n", r->search,
			r->found.rate, 100 * r->found.lost, r->found.trials,
			r->found.limited ? "; what stood in the way is the generator" : "");
		return;
	}
	if (r->frame != NULL)
		fprintf(to, "sent %llu packets of %llu due, %.0f/s, in %u flows\n",
			(unsigned long long)s->sent, (unsigned long long)s->offered,
			per_second(r, s->sent, s->send_begun, s->send_ended), r->flows);
	if (r->sinks)
		fprintf(to,
			"received %llu packets, %.0f/s; lost %llu, reordered %llu, duplicated %llu; %llu others\n",
			(unsigned long long)s->received,
			per_second(r, s->received, s->first_received, s->last_received),
			(unsigned long long)plain_report_lost(r), (unsigned long long)s->reordered,
			(unsigned long long)s->duplicated, (unsigned long long)s->other);
	if (h->n > 0)
		fprintf(to, "latency p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f us\n",
			(double)hist_quantile(h, 0.5) / 1e3, (double)hist_quantile(h, 0.9) / 1e3,
			(double)hist_quantile(h, 0.99) / 1e3, (double)hist_quantile(h, 0.999) / 1e3,
			(double)h->max / 1e3);
	if (s->limited > 0)
		fprintf(to,
			"%llu packets were not sent: the generator or its device was too slow\n",
			(unsigned long long)s->limited);
}

static json_t *
quantile(const struct hist *h, double q)
{
	return h->n > 0 ? json_real((double)hist_quantile(h, q) / 1e3) : json_null();
}

int
plain_report_trials(const char *html, FILE *csv, const struct plain_report *r,
	const struct report_run *run, double seconds, struct nfv_err *err)
{
	struct report_trial trial[PLAIN_TRIALS];
	uint32_t n = r->trials < PLAIN_TRIALS ? r->trials : PLAIN_TRIALS;
	struct report_trials t = { .what = strcmp(r->search, "pdr") == 0 ?
			"Partial drop rate" :
			"Throughput: no packet lost (RFC 2544)",
		.unit = "packets",
		.bad = "lost",
		.bad_name = "Lost",
		.searched = true,
		.found = r->found.rate,
		.limited = r->found.limited,
		.complete = r->found.trials > 0,
		.ns = (uint64_t)(seconds * 1e9) * r->trials,
		.trial = trial,
		.n = n };

	for (uint32_t i = 0; i < n; i++) {
		const struct ndr_trial *a = &r->trial[i];

		trial[i] = (struct report_trial){ .rate = a->rate,
			.achieved = (double)a->sent / seconds,
			.goodput = (double)(a->sent - a->lost) / seconds,
			.good = a->sent - a->lost,
			.bad = a->lost,
			.generator_limited = a->limited,
			.passed = a->good };
		if (!a->good && (t.bound == 0 || a->rate < t.bound))
			t.bound = a->rate;
	}
	return report_trials_write(html, csv, run, &t, err);
}

static json_t *
search(const struct plain_report *r)
{
	json_t *trials = json_array();

	for (uint32_t i = 0; i < r->trials && i < PLAIN_TRIALS; i++) {
		const struct ndr_trial *t = &r->trial[i];

		json_array_append_new(trials,
			json_pack("{s:f, s:I, s:I, s:b, s:b}", "rate_pps", t->rate, "sent",
				(json_int_t)t->sent, "lost", (json_int_t)t->lost,
				"generator_limited", t->limited, "good", t->good));
	}
	return json_pack("{s:s, s:f, s:f, s:b, s:o}", "kind", r->search, "rate_pps", r->found.rate,
		"loss_percent", 100 * r->found.lost, "generator_limited", r->found.limited,
		"trials", trials);
}

int
plain_report_json(FILE *to, const struct plain_report *r, struct nfv_err *err)
{
	const struct plain_stats *s = r->stats;
	const struct hist *h = &s->latency;
	json_t *latency = json_pack("{s:o, s:o, s:o, s:o, s:o}", "p50", quantile(h, 0.5), "p90",
		       quantile(h, 0.9), "p99", quantile(h, 0.99), "p999", quantile(h, 0.999),
		       "max", h->n > 0 ? json_real((double)h->max / 1e3) : json_null()),
	       *o;
	bool counts = r->sinks;
	int rc;

	o = json_pack("{s:s, s:s?, s:i, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "mode",
		"plain", "frame", r->frame, "flows", (int)r->flows, "target_pps", r->rate,
		"offered", (json_int_t)s->offered, "sent", (json_int_t)s->sent, "sent_bytes",
		(json_int_t)s->sent_bytes, "limited", (json_int_t)s->limited, "no_buffer",
		(json_int_t)s->no_buffer, "received", (json_int_t)s->received, "received_bytes",
		(json_int_t)s->received_bytes, "received_other", (json_int_t)s->other);
	if (o == NULL || latency == NULL)
		goto fail;
	/* What nobody counts is not zero but unknown. */
	rc = json_object_set_new(
		o, "lost", counts ? json_integer((json_int_t)plain_report_lost(r)) : json_null());
	rc |= json_object_set_new(
		o, "reordered", counts ? json_integer((json_int_t)s->reordered) : json_null());
	rc |= json_object_set_new(
		o, "duplicated", counts ? json_integer((json_int_t)s->duplicated) : json_null());
	rc |= json_object_set_new(
		o, "offered_pps", rate(r, s->offered, s->send_begun, s->send_ended));
	rc |= json_object_set_new(
		o, "achieved_pps", rate(r, s->sent, s->send_begun, s->send_ended));
	rc |= json_object_set_new(
		o, "received_pps", rate(r, s->received, s->first_received, s->last_received));
	rc |= json_object_set(o, "latency_us", latency);
	rc |= json_object_set_new(o, "generator_limited",
		json_boolean(r->search != NULL ? r->found.limited : s->limited > 0));
	if (r->search != NULL)
		rc |= json_object_set_new(o, "search", search(r));
	if (rc != 0)
		goto fail;
	rc = json_dumpf(o, to, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	rc |= fputc('\n', to) == EOF || fflush(to) != 0;
	json_decref(latency);
	json_decref(o);
	return rc == 0 ? 0 : nfv_fail(err, EIO, "the summary cannot be written");
fail:
	json_decref(latency);
	json_decref(o);
	return nfv_fail(err, ENOMEM, "no memory for the summary");
}
