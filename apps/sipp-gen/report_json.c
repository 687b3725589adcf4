/*
 * The summary. Whatever could not be made becomes a missing key inside jansson, so that the one check
 * is at the end: an object that lacks a key for want of memory is not written.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include <jansson.h>

#include "report_text.h"

struct object {
	json_t *json;
	bool broken; /* something could not be made */
};

static struct object
object(void)
{
	json_t *json = json_object();

	return (struct object){ json, json == NULL };
}

static void
put(struct object *o, const char *key, json_t *value)
{
	/* jansson takes the value over, and NULL as a failure. */
	o->broken |= json_object_set_new(o->json, key, value) != 0;
}

static void
put_object(struct object *o, const char *key, struct object value)
{
	o->broken |= value.broken;
	put(o, key, value.json);
}

static void
put_count(struct object *o, const char *key, uint64_t n)
{
	put(o, key, json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n));
}

static void
put_real(struct object *o, const char *key, double v)
{
	put(o, key, isfinite(v) ? json_real(v) : json_null());
}

static void
put_text(struct object *o, const char *key, const char *text)
{
	char clean[TEXT_MAX];

	put(o, key, json_string(text_clean_str(clean, text, FOR_JSON)));
}

static void
put_quantile(struct object *o, const char *key, const struct hist *h, double q)
{
	put(o, key, h->n > 0 ? json_real((double)hist_quantile(h, q) / 1e3) : json_null());
}

static struct object
latency(const struct hist *h)
{
	struct object o = object();

	put_count(&o, "n", h->n);
	put(&o, "min", h->n > 0 ? json_real((double)h->min / 1e3) : json_null());
	put(&o, "mean", h->n > 0 ? json_real(hist_mean(h) / 1e3) : json_null());
	put_quantile(&o, "p50", h, 0.5);
	put_quantile(&o, "p90", h, 0.9);
	put_quantile(&o, "p99", h, 0.99);
	put_quantile(&o, "p999", h, 0.999);
	put_quantile(&o, "p9999", h, 0.9999);
	put(&o, "max", h->n > 0 ? json_real((double)h->max / 1e3) : json_null());
	return o;
}

static void
put_run(struct object *o, const struct report_run *run, uint64_t ns)
{
	struct object param = object();
	json_t *warnings = json_array();
	char text[TEXT_MAX], start[32] = "";
	struct tm tm;

	if (gmtime_r(&run->start.tv_sec, &tm) != NULL)
		strftime(start, sizeof(start), "%Y-%m-%dT%H:%M:%SZ", &tm);
	put_text(o, "program", "sipp-gen");
	put_text(o, "version", run->version);
	put(o, "scenario",
		json_string(text_clean(text,
			run->scenario != NULL ? run->scenario->name : nfv_sv(NULL, 0), FOR_JSON)));
	put_text(o, "file", run->scenario != NULL ? run->scenario->file : NULL);
	put_text(o, "roles", run->roles);
	put_text(o, "local", run->local);
	put_text(o, "remote", run->remote);
	put_text(o, "load", run->load);
	put_text(o, "start", start);
	put_real(o, "elapsed_s", (double)ns / 1e9);
	put_count(o, "workers", run->workers);
	for (uint32_t i = 0; i < run->n_params; i++) {
		text_clean_str(text, run->param[i].name, FOR_JSON);
		put_text(&param, text, run->param[i].value);
	}
	put_object(o, "parameters", param);
	for (uint32_t i = 0; i < run->n_warnings; i++)
		o->broken |= json_array_append_new(warnings,
				     json_string(text_clean_str(
					     text, run->warning[i].text, FOR_JSON))) != 0;
	put(o, "warnings", warnings);
}

static void
put_calls(struct object *o, const struct report_run *run, const struct stats *s, uint64_t ns)
{
	struct object causes = object();
	uint64_t failed = failures(s), ended = s->successful + failed;

	for (unsigned int i = 0; i < CAUSES; i++)
		if (s->cause[i] > 0)
			put_count(&causes, cause_name[i], s->cause[i]);
	put_count(o, "attempts", attempts(s));
	put_count(o, "attempts_out", s->created_out);
	put_count(o, "attempts_in", s->created_in);
	put_count(o, "successful", s->successful);
	put_count(o, "failed", failed);
	put_object(o, "causes", causes);
	put_count(o, "open", s->open);
	put_count(o, "open_max", s->open_max);
	put(o, "success_ratio",
		ended > 0 ? json_real((double)s->successful / (double)ended) : json_null());
	put(o, "closed_loop", json_boolean(run->users > 0));
	put(o, "users", run->users > 0 ? json_integer(run->users) : json_null());
	put_real(o, "target_rate", run->users > 0 ? NAN : run->target_rate);
	put_count(o, "offered", s->offered);
	put_real(o, "offered_rate", rate(s->offered, ns));
	put_count(o, "skipped", s->skipped);
	put_count(o, "limited", s->limited);
	put_count(o, "sent", s->created_out);
	put_real(o, "achieved_rate", rate(attempts(s), ns));
	put_count(o, "answered", answered(s));
	put(o, "generator_limited", json_boolean(run->generator_limited));
}

static void
put_messages(struct object *o, const struct stats *s)
{
	struct object purpose = object(), frames = object();
	struct stats_step sum = steps_total(s);

	put_count(o, "messages_sent", s->sent);
	put_count(o, "messages_received", s->received);
	put_count(o, "retransmissions", s->retransmitted);
	put_count(o, "absorbed", s->absorbed);
	put_count(o, "reordered", s->reordered);
	put_count(o, "out_of_call", s->out_of_call);
	put_count(o, "dead_call", s->dead_call);
	put_count(o, "unexpected", sum.unexpected);
	put_count(o, "timeouts", sum.timeouts);
	put_count(o, "auto_answered", s->auto_answered);
	put_count(o, "garbage", s->garbage);
	put_count(o, "call_warnings", s->warnings);
	put_count(o, "fatal", s->fatal);
	put_count(&purpose, "lost_out", s->lost_out);
	put_count(&purpose, "lost_in", s->lost_in);
	put_count(&purpose, "duplicated", s->duplicated);
	put_count(&purpose, "delayed", s->delayed);
	put_count(&purpose, "swapped", s->swapped);
	put_object(o, "on_purpose", purpose);
	put_count(&frames, "tx_full", s->tx_full);
	put_count(&frames, "no_buffer", s->no_buffer);
	put_count(&frames, "l3_in", s->l3_in);
	put_count(&frames, "l3_out", s->l3_out);
	put_count(&frames, "rx_other", s->rx_other);
	put_object(o, "frames", frames);
}

static void
put_latencies(struct object *o, const struct report_run *run, const struct stats *s)
{
	struct object latencies = object(), timers = object();
	uint8_t rtd[SCENARIO_RTDS];
	unsigned int n = rtds_used(run->scenario, rtd);

	put(o, "loopback_floor_us",
		run->loopback_floor > 0 ? json_real((double)run->loopback_floor / 1e3) :
					  json_null());
	for (unsigned int i = 0; i < LATENCIES; i++)
		put_object(&latencies, latency_key[i], latency(&s->latency[i]));
	for (unsigned int i = 0; i < n; i++) {
		char buf[64], text[TEXT_MAX];

		text_clean(text, rtd_name(run->scenario, rtd[i], buf), FOR_JSON);
		put_object(&timers, text, latency(&s->rtd[rtd[i]]));
	}
	put_object(o, "latency_us", latencies);
	put_object(o, "response_time_us", timers);
	put_object(o, "call_length_us", latency(&s->call_length));
}

static void
put_steps(struct object *o, const struct scenario *scenario, const struct stats *s)
{
	json_t *steps = json_array();

	for (uint32_t i = 0; scenario != NULL && i < scenario->n_steps && i < SCENARIO_STEPS; i++) {
		const struct step *step = &scenario->step[i];
		struct object one = object();
		char buf[64], text[TEXT_MAX];

		put_count(&one, "step", i);
		put_text(&one, "kind", step_kind_name(step));
		put(&one, "name", json_string(text_clean(text, step_name(step, buf), FOR_JSON)));
		put_count(&one, "messages", s->step[i].messages);
		put_count(&one, "retransmissions", s->step[i].retransmissions);
		put_count(&one, "timeouts", s->step[i].timeouts);
		put_count(&one, "unexpected", s->step[i].unexpected);
		put_count(&one, "lost", s->step[i].lost);
		o->broken |= json_array_append_new(steps, one.json) != 0 || one.broken;
	}
	put(o, "steps", steps);
}

int
report_json(
	FILE *to, const struct report_run *run, const struct report_moment *m, struct nfv_err *err)
{
	struct object o = object();
	int rc = 0;

	put_run(&o, run, m->now_ns);
	put_calls(&o, run, m->now, m->now_ns);
	put_messages(&o, m->now);
	put_latencies(&o, run, m->now);
	put_steps(&o, run->scenario, m->now);
	if (o.broken)
		rc = nfv_fail(err, ENOMEM, "there is no memory for the JSON summary");
	else if (json_dumpf(o.json, to, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) != 0 ||
		fputc('\n', to) == EOF || fflush(to) != 0)
		rc = nfv_fail(
			err, EIO, "the JSON summary could not be written: %s", strerror(errno));
	json_decref(o.json);
	return rc;
}
