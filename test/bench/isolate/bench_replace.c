/*
 * What packets and calls notice when a stage they pass is replaced by another version of it.
 *
 *   bench_replace --config FILE --caller FILE [--stage NAME] [--times N] [--rate PPS] [--calls CPS]
 *                 [--flows N] [--ring N] [--idle US] [--cpu N] [--steps] [--json] PROGRAM OBJECT OBJECT
 *
 * The demonstration's chain (crossing.h) runs on processor 0, with one of its stages in a process of its own on
 * --cpu; PROGRAM maps OBJECT, and the two objects, versions of it, replace each other N times, while plain flows
 * pass at a given rate, half of it each way, and user agents call each other. All of that is one thread; the one
 * that looks after the processes runs on --cpu, as their templates do. Every packet has to come out again, those
 * of a flow in order, and translated as the flow's first; every call has to succeed.
 *
 * A pause is the time from the last packet handed to the old version until the first one is back from the new
 * one: the longest that a packet waited. The worst gap is what nothing at all came out for, whatever the reason,
 * since the first replacement began; --steps tells where a pause goes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jansson.h>
#include <rte_cycles.h>
#include <rte_mempool.h>

#include "crossing.h"
#include "eal.h"
#include "rig.h"
#include "steps.h"

#define TIMES_MAX 10000u
#define BEHIND_MS                                                                                  \
	20 /* that the generator has to catch up with at most; what is beyond is not sent */
#define DRAIN_S 10
#define SEALS   (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

struct bench {
	struct crossing x;
	struct nfv_object_file object[2];
	struct switch_steps steps;
	uint32_t times;
	double rate;
	int cpu;
	_Atomic bool go, control_ends;
	_Atomic uint32_t done; /* replacements that were begun and have come to an end */
	uint64_t (*took)[STEPS];
	uint32_t took_n;
	uint64_t begun, ended, skipped, worst, offered;
};

/* As nfv_object_open would have it, but from the build's own folder. */
static void
load(const char *path, struct nfv_object_file *f)
{
	char buf[65536];
	ssize_t n;
	int from = open(path, O_RDONLY | O_CLOEXEC);

	f->fd = memfd_create("object", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	party_need(from >= 0 && f->fd >= 0, path);
	while ((n = read(from, buf, sizeof(buf))) > 0)
		party_need(write(f->fd, buf, (size_t)n) == n, path);
	close(from);
	party_need(fcntl(f->fd, F_ADD_SEALS, SEALS) == 0, "an object is not sealed");
}

/* --- the control thread --------------------------------------------------------------------------- */

static void
replace(struct bench *b, uint32_t i)
{
	const struct nfv_isolated_version v = { .object = &b->object[(i + 1) % 2] };
	struct nfv_isolated *iso = b->x.iso;
	struct nfv_err err;
	int rc;

	while ((rc = nfv_isolated_replace_by(iso, &v, &err)) == -EAGAIN)
		nfv_isolated_control(iso, 1);
	if (rc < 0)
		fprintf(stderr, "bench: %s\n", err.text);
	while (nfv_isolated_swap(iso) == NFV_SWAP_COPYING)
		nfv_isolated_control(iso, 1);
	steps_near(&b->steps, rte_rdtsc());
	while (nfv_isolated_swap(iso) != NFV_SWAP_NONE)
		nfv_isolated_control(iso, 1);
	/* As it is in use: with a spare. */
	while (!nfv_isolated_spare(iso))
		nfv_isolated_control(iso, 1);
}

static void *
control(void *arg)
{
	struct bench *b = arg;

	run_on(b->cpu);
	while (!atomic_load(&b->control_ends)) {
		uint32_t done = atomic_load(&b->done);

		nfv_isolated_control(b->x.iso, 1);
		nfv_chain_upkeep(b->x.chain, rte_rdtsc());
		if (!atomic_load(&b->go) || done == b->times || !nfv_isolated_spare(b->x.iso))
			continue;
		replace(b, done);
		atomic_store(&b->done, done + 1);
	}
	return NULL;
}

/* --- the data thread ------------------------------------------------------------------------------ */

/* Packets that are due. */
static void
send_due(struct bench *b, uint64_t now)
{
	struct flows *f = &b->x.flows;
	double due = (double)(now - b->begun) * b->rate / (double)b->x.hz;
	uint64_t most = (uint64_t)(b->rate * BEHIND_MS / 1000), sent = f->sent + b->skipped, n;

	if (due <= (double)sent)
		return;
	n = (uint64_t)due - sent;
	if (n > most) {
		b->skipped += n - most;
		n = most;
	}
	crossing_send(&b->x, (uint32_t)n);
}

static void
turn(struct bench *b, bool send)
{
	struct flows *f = &b->x.flows;
	uint64_t now = rte_rdtsc(), arrived = f->arrived;

	if (send)
		send_due(b, now);
	crossing_turn(&b->x);
	if (f->arrived == arrived)
		return;
	now = rte_rdtsc();
	if (atomic_load(&b->go) && now - f->last_tsc > b->worst)
		b->worst = now - f->last_tsc;
	f->last_tsc = now;
}

static void
look(struct bench *b)
{
	if (!steps_look(&b->steps, b->x.iso, rte_rdtsc()) || b->took_n == b->times)
		return;
	memcpy(b->took[b->took_n++], b->steps.t, sizeof(b->steps.t));
}

/* All flows and some calls first; then the replacements; then all that is open comes to its end. */
static void
run(struct bench *b)
{
	struct agent *caller = b->x.party[0].agent, *callee = b->x.party[1].agent;
	uint64_t late;

	b->begun = rte_rdtsc();
	agent_begin(callee, b->begun);
	agent_begin(caller, b->begun);
	while (b->x.flows.arrived < 4ull * b->x.flows.n || agent_stats(caller)->successful == 0)
		turn(b, true);
	atomic_store(&b->go, true);
	while (atomic_load(&b->done) < b->times) {
		turn(b, true);
		look(b);
	}
	b->ended = rte_rdtsc();
	b->offered = b->x.flows.sent;
	atomic_store(&b->go, false);
	agent_stop(caller, false);
	late = b->ended + DRAIN_S * b->x.hz;
	while (rte_rdtsc() < late &&
		(!agent_is_done(caller) || b->x.flows.arrived < b->x.flows.sent))
		turn(b, false);
	agent_stop(caller, true);
	agent_stop(callee, true);
	turn(b, false);
}

/* --- what it says --------------------------------------------------------------------------------- */

struct spread {
	double median, p99, most; /* ms */
};

static struct spread
spread(const struct bench *b, enum switch_step from, enum switch_step to)
{
	double *ms = calloc(b->took_n + 1, sizeof(*ms));
	struct spread s = { 0 };

	party_need(ms != NULL, "out of memory");
	for (uint32_t i = 0; i < b->took_n; i++)
		ms[i] = ((double)b->took[i][to] - (double)b->took[i][from]) * 1e3 / (double)b->x.hz;
	qsort(ms, b->took_n, sizeof(*ms), by_size);
	if (b->took_n > 0)
		s = (struct spread){ ms[b->took_n / 2], ms[(b->took_n - 1) * 99 / 100],
			ms[b->took_n - 1] };
	free(ms);
	return s;
}

static void
print_steps(const struct bench *b)
{
	for (int i = STEP_LAST; i < STEPS; i++) {
		struct spread s = spread(b, (enum switch_step)(i - 1), (enum switch_step)i);

		printf("  %-36s %9.3f ms later, median, %.3f the 99th of 100, %.3f at most\n",
			switch_step_name[i], s.median, s.p99, s.most);
	}
}

struct verdict {
	uint64_t lost, dropped, buffers, refused, failed;
	double pps, ms_gap;
};

static void
print(const struct bench *b, const struct verdict *v, const struct stats *calls, uint64_t replaced,
	bool json)
{
	struct spread pause = spread(b, STEP_LAST, STEP_BACK);
	const struct flows *f = &b->x.flows;

	printf("replacements       %8lu, %lu packets lost, %lu reordered, %lu translated otherwise, "
	       "%lu flows, %lu buffers lost\n"
	       "                   %8.3f ms pause, median, %.3f the 99th of 100, %.3f at most; "
	       "%.1f the worst gap\n"
	       "                   %8.0f packets/s in %u flows, both ways, %lu not sent; %lu calls at "
	       "%.0f/s, %lu failed, %lu messages again\n",
		(unsigned long)replaced, (unsigned long)v->lost, (unsigned long)f->reordered,
		(unsigned long)f->strange, (unsigned long)v->refused, (unsigned long)v->buffers,
		pause.median, pause.p99, pause.most, v->ms_gap, v->pps, f->n,
		(unsigned long)b->skipped, (unsigned long)calls->offered, b->x.conf->calls,
		(unsigned long)v->failed, (unsigned long)calls->retransmitted);
	for (int i = 0; i < CAUSES; i++)
		if (calls->cause[i] > 0)
			fprintf(stderr, "  calls %s %lu\n", cause_name[i],
				(unsigned long)calls->cause[i]);
	if (json) {
		json_t *o = json_pack("{s:I s:I s:I s:I s:f s:f s:f s:f s:f s:I s:I s:I}",
			"replacements", (json_int_t)replaced, "replace_lost_packets",
			(json_int_t)v->lost, "replace_reordered", (json_int_t)f->reordered,
			"replace_translated_otherwise", (json_int_t)f->strange,
			"replace_median_pause_ms", pause.median, "replace_p99_pause_ms", pause.p99,
			"replace_max_pause_ms", pause.most, "replace_max_gap_ms", v->ms_gap,
			"replace_packets_per_s", v->pps, "replace_flows", (json_int_t)f->n,
			"replace_calls", (json_int_t)calls->offered, "replace_failed_calls",
			(json_int_t)v->failed);

		json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
		putchar('\n');
		json_decref(o);
	}
}

static bool
measure(struct bench *b, const struct crossing_conf *conf, bool steps, bool json)
{
	const struct nfv_isolated_stats *s;
	struct verdict v = { 0 };
	struct stats calls;
	uint64_t replaced;
	pthread_t thread;

	b->took = calloc(b->times, sizeof(*b->took));
	party_need(b->took != NULL, "out of memory");
	crossing_create(&b->x, conf);
	party_need(pthread_create(&thread, NULL, control, b) == 0, "no thread");
	run(b);
	atomic_store(&b->control_ends, true);
	pthread_join(thread, NULL);
	s = nfv_isolated_stats(b->x.iso);
	calls = *agent_stats(b->x.party[0].agent);
	replaced = s->replaced - s->rolled_back;
	if (nfv_isolated_last(b->x.iso)[0] != '\0')
		fprintf(stderr, "bench: %s\n", nfv_isolated_last(b->x.iso));
	v.dropped = crossing_lost(&b->x);
	v.lost = b->x.flows.sent - b->x.flows.arrived;
	v.refused = s->flows_refused;
	v.failed = calls.failed + calls.skipped;
	v.pps = (double)b->offered * (double)b->x.hz / (double)(b->ended - b->begun);
	v.ms_gap = (double)b->worst * 1e3 / (double)b->x.hz;
	v.buffers = crossing_destroy(&b->x);
	print(b, &v, &calls, replaced, json);
	if (steps)
		print_steps(b);
	free(b->took);
	return v.lost + v.dropped + v.buffers + v.refused + v.failed + b->x.flows.reordered +
			b->x.flows.strange ==
		0 &&
		replaced == b->times;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'C' },
		{ "caller", required_argument, NULL, 'P' },
		{ "stage", required_argument, NULL, 'S' },
		{ "times", required_argument, NULL, 'n' }, { "rate", required_argument, NULL, 'r' },
		{ "calls", required_argument, NULL, 'k' },
		{ "flows", required_argument, NULL, 'f' }, { "ring", required_argument, NULL, 'R' },
		{ "idle", required_argument, NULL, 'i' }, { "cpu", required_argument, NULL, 'c' },
		{ "steps", no_argument, NULL, 's' }, { "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 } };
	static struct bench b = { .times = 100, .rate = 1e6, .cpu = 1 };
	struct crossing_conf conf = { .stage = "nat",
		.calls = 1000,
		.flows = 10000,
		.ring = 65536,
		.idle_us = 20,
		.probation_ms = 20 };
	bool json = false, steps = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'C')
			conf.config = optarg;
		else if (c == 'P')
			conf.caller = optarg;
		else if (c == 'S')
			conf.stage = optarg;
		else if (c == 'n')
			b.times = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'r')
			b.rate = strtod(optarg, NULL);
		else if (c == 'k')
			conf.calls = strtod(optarg, NULL);
		else if (c == 'f')
			conf.flows = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'R')
			conf.ring = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'i')
			conf.idle_us = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'c')
			b.cpu = (int)strtol(optarg, NULL, 10);
		else if (c == 's' || c == 'j')
			*(c == 's' ? &steps : &json) = true;
		else
			return 2;
	}
	if (optind + 3 != argc || conf.config == NULL || conf.caller == NULL || b.times == 0 ||
		b.times > TIMES_MAX || conf.flows == 0 || conf.flows > FLOWS_MAX)
		return 2;
	load(argv[optind + 1], &b.object[0]);
	load(argv[optind + 2], &b.object[1]);
	conf.program = argv[optind];
	conf.object = &b.object[0];
	conf.cpu = b.cpu;
	signal(SIGPIPE, SIG_IGN);
	test_eal("1024");
	run_on(0);
	return measure(&b, &conf, steps, json) ? 0 : 1;
}
