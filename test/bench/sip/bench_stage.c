/**
 * @file
 * Calls a second that something between a caller and a callee carries; one rate, one run:
 *
 *   bench_stage [EAL options] -- [--rate R] [--seconds S] [--drain S] [--caller FILE] [--no-callee]
 *               [--config FILE [--profile FILE[,…]] | --joined] [--inside DEVICE --outside DEVICE]
 *
 * The generator's agents run on the main lcore, both in one thread, and have a device each. Between
 * them runs nfv-pipeline with a configuration, in this process (middle.h), its ports "pair:inside:a"
 * and "pair:outside:a"; or nothing (--joined), for what the agents themselves take; or what is behind
 * two other devices, another program. A chain without stages is passed by calling the callee through it
 * (--to-callee), not the chain. Calls are begun for S seconds, after which those still open have
 * --drain seconds to end.
 *
 * Prints one JSON object: good (see is_good), rate offered skipped limited successful failed causes{}
 * retransmissions, as apps/sipp-gen/report.h has them; cps (successful calls a second, until the last one
 * ended), goodput (those that succeeded while the load was on), limited_by_generator, elapsed_s, hz (of
 * the cycles); srd_us sdd_us rrd_us lag_us, each n p50 p99 p999 max; windows{}: srd_us as windows.h
 * says; pipeline{} as middle.h says, or null.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>

#include "middle.h"
#include "party.h"
#include "windows.h"

#define SOON_MS 100u /* after the load: who needs longer has a queue that grows */

struct bench_options {
	double rate, seconds, drain;
	const char *config, *profile, *caller, *device[2];
	bool joined, to_callee, no_callee;
};

/* What is known of a run besides the agents' own figures. */
struct run {
	struct bench_options opt;
	struct party caller, callee;
	struct middle middle;
	uint64_t hz, begun, ended;
	uint64_t in_time; /* calls that succeeded while the load was on */
	uint64_t soon;    /* or hardly later */
	json_t *pipeline; /* of that time */
	struct windows windows;
};

static double
number(const char *text, double min, double max)
{
	char *end;
	double v = strtod(text, &end);

	if (*text != '\0' && *end == '\0' && v >= min && v <= max)
		return v;
	fprintf(stderr, "bench: \"%s\" is not a number from %g to %g\n", text, min, max);
	exit(2);
}

static void
parse_options(int argc, char **argv, struct bench_options *o)
{
	static const struct option longs[] = { { "rate", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 's' },
		{ "drain", required_argument, NULL, 'd' },
		{ "caller", required_argument, NULL, 'c' }, { "no-callee", no_argument, NULL, 'n' },
		{ "config", required_argument, NULL, 'y' },
		{ "profile", required_argument, NULL, 'p' }, { "joined", no_argument, NULL, 'j' },
		{ "to-callee", no_argument, NULL, 'e' }, { "inside", required_argument, NULL, 'i' },
		{ "outside", required_argument, NULL, 'o' }, { NULL, 0, NULL, 0 } };
	int c;

	*o = (struct bench_options){ .rate = 1000, .seconds = 3, .drain = 2 };
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'r')
			o->rate = number(optarg, 1, 10e6);
		else if (c == 's')
			o->seconds = number(optarg, 0.1, 3600);
		else if (c == 'd')
			o->drain = number(optarg, 0, 60);
		else if (c == 'c')
			o->caller = optarg;
		else if (c == 'n')
			o->no_callee = true;
		else if (c == 'y')
			o->config = optarg;
		else if (c == 'p')
			o->profile = optarg;
		else if (c == 'j')
			o->joined = true;
		else if (c == 'e')
			o->to_callee = true;
		else if (c == 'i' || c == 'o')
			o->device[c == 'o'] = optarg;
		else
			exit(2);
	}
	if ((o->device[0] == NULL) != (o->device[1] == NULL) || optind < argc ||
		(o->config == NULL && !o->joined && o->device[0] == NULL)) {
		fprintf(stderr,
			"bench: --config FILE, --joined, or --inside and --outside say what is between\n");
		exit(2);
	}
}

static void
set_up(struct run *r)
{
	static const char *const ring[2][2] = { { "pair:inside:b", "pair:outside:b" },
		{ "pair:joined:a", "pair:joined:b" } };
	const struct bench_options *o = &r->opt;
	double most = o->rate * 4;
	struct party_conf pc = { .scenario = o->caller,
		.joined = o->joined,
		.to_callee = o->to_callee,
		.rate = o->rate,
		.calls = (uint64_t)(o->rate * o->seconds),
		.open = most < 4096   ? 4096 :
			most > 100000 ? 100000 :
					(uint32_t)most };

	r->hz = rte_get_tsc_hz();
	if (o->config != NULL)
		middle_create(&r->middle, o->config, o->profile);
	pc.device = o->device[0] != NULL ? o->device[0] : ring[o->joined][0];
	party_create(&r->caller, &pc);
	/* It answers, at most so many at once, those included that only linger. */
	pc = (struct party_conf){ .device =
					  o->device[1] != NULL ? o->device[1] : ring[o->joined][1],
		.callee = true,
		.joined = o->joined,
		.open = most < 4096   ? 4096 :
			most > 400000 ? 400000 :
					(uint32_t)most };
	party_create(&r->callee, &pc);
	party_meet(&r->caller, &r->callee);
}

static void
end_load(struct run *r)
{
	r->in_time = agent_stats(r->caller.agent)->successful;
	r->pipeline = r->opt.config != NULL ? middle_json(&r->middle) : json_null();
}

static void
go(struct run *r)
{
	uint64_t now = r->begun = rte_rdtsc(),
		 load = now + (uint64_t)(r->opt.seconds * (double)r->hz);
	uint64_t late = load + (uint64_t)(r->opt.drain * (double)r->hz);

	if (r->opt.config != NULL)
		middle_mark(&r->middle);
	windows_init(&r->windows, &agent_stats(r->caller.agent)->latency[LATENCY_SRD],
		r->opt.config != NULL ? &r->middle.app.worker[0] : NULL, r->hz, now,
		r->opt.seconds);
	agent_begin(r->callee.agent, now);
	agent_begin(r->caller.agent, now);
	do {
		now = rte_rdtsc();
		if (r->pipeline == NULL)
			windows_turn(&r->windows, now);
		agent_turn(r->caller.agent, now);
		if (!r->opt.no_callee)
			agent_turn(r->callee.agent, now);
		if (r->opt.config != NULL)
			middle_tick(&r->middle);
		if (now >= load && r->pipeline == NULL)
			end_load(r);
		if (now <= load + SOON_MS * r->hz / 1000)
			r->soon = agent_stats(r->caller.agent)->successful;
		if (now >= late)
			agent_stop(r->caller.agent, true);
	} while (!agent_is_done(r->caller.agent));
	r->ended = now;
	if (r->pipeline == NULL)
		end_load(r);
	agent_stop(r->callee.agent, true);
	agent_turn(r->callee.agent, rte_rdtsc());
}

static json_t *
times(const struct hist *h)
{
	return json_pack("{s:I, s:f, s:f, s:f, s:f}", "n", (json_int_t)h->n, "p50",
		(double)hist_quantile(h, 0.5) / 1000, "p99", (double)hist_quantile(h, 0.99) / 1000,
		"p999", (double)hist_quantile(h, 0.999) / 1000, "max", (double)h->max / 1000);
}

/* Whether what was asked for was carried: every call that was due was begun and succeeded; hardly one
 * needed a message sent again; and no queue was growing, so that nearly all ended soon after the load. */
static bool
is_good(const struct run *r)
{
	const struct stats *s = agent_stats(r->caller.agent);

	return s->offered > 0 && s->skipped == 0 && s->failed == 0 &&
		s->retransmitted * 1000 <= s->offered && r->soon * 100 >= s->offered * 98;
}

static void
print(const struct run *r)
{
	const struct stats *s = agent_stats(r->caller.agent);
	double took = (double)(r->ended - r->begun) / (double)r->hz;
	json_t *causes = json_object(), *all;

	for (int i = 0; i < CAUSES; i++)
		if (s->cause[i] > 0)
			json_object_set_new(
				causes, cause_name[i], json_integer((json_int_t)s->cause[i]));
	all = json_pack("{s:b, s:f, s:f, s:f, s:b, s:I, s:I, s:I, s:I, s:I, s:o, s:I}", "good",
		is_good(r), "rate", r->opt.rate, "cps", (double)s->successful / took, "goodput",
		(double)r->in_time / (took < r->opt.seconds ? took : r->opt.seconds),
		"limited_by_generator", s->limited > 0, "offered", (json_int_t)s->offered,
		"skipped", (json_int_t)s->skipped, "limited", (json_int_t)s->limited, "successful",
		(json_int_t)s->successful, "failed", (json_int_t)s->failed, "causes", causes,
		"retransmissions", (json_int_t)s->retransmitted);
	json_object_set_new(all, "elapsed_s", json_real(took));
	json_object_set_new(all, "hz", json_integer((json_int_t)r->hz));
	json_object_set_new(all, "srd_us", times(&s->latency[LATENCY_SRD]));
	json_object_set_new(all, "sdd_us", times(&s->latency[LATENCY_SDD]));
	json_object_set_new(all, "rrd_us", times(&s->latency[LATENCY_RRD]));
	json_object_set_new(all, "lag_us", times(&s->latency[LATENCY_LAG]));
	json_object_set_new(all, "windows", windows_json(&r->windows));
	json_object_set_new(all, "pipeline", r->pipeline);
	json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(7));
	putchar('\n');
	json_decref(all);
}

int
main(int argc, char **argv)
{
	static struct run r;
	int own = 0;

	while (own < argc && strcmp(argv[own], "--") != 0)
		own++;
	party_need(own < argc, "EAL's options come first, then --");
	parse_options(argc - own, argv + own, &r.opt);
	party_need(rte_eal_init(own, argv) >= 0, "DPDK's environment does not start; see above");
	set_up(&r);
	go(&r);
	print(&r);
	if (r.opt.config != NULL)
		middle_destroy(&r.middle);
	windows_fini(&r.windows);
	party_destroy(&r.caller);
	party_destroy(&r.callee);
	rte_eal_cleanup();
	return 0;
}
