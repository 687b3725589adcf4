#define _GNU_SOURCE /* CPU sets */

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_pause.h>

#include "floor.h"
#include "modes.h"
#include "report.h"
#include "run.h"
#include "soak.h"

#define REACH_S  5 /* seconds that a peer's neighbour has to answer */
#define GRACE_NS 2000000000ull
#define ECHO_NS  200000000ull

struct worker {
	const struct options_role *role;
	struct scenario *scenario;
	struct users *users[OPTIONS_FILES];
	struct net *net;
	struct agent *agent;
	unsigned int lcore;
	_Atomic int state; /* 0: not yet, 1: running, 2: done, < 0: -errno */
};

struct run {
	const struct options *o;
	struct worker worker[OPTIONS_ROLES];
	uint32_t n;
	struct stats now, before;
	struct report_series series;
	struct report_run report;
	struct report_live live;
	uint64_t start_ns, before_ns, floor_ns;
	uint64_t end_ns; /* when the last caller was done; 0: not yet */
	bool callers;    /* there are roles that call */
	_Atomic bool go;
	pthread_t control;
	struct soak soak;
	int verdict; /* of a search or a soak: 1 is bad */
	struct nfv_err err;
	int rc;
};

static volatile sig_atomic_t interrupts;

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Who sends a signal to a process and then to its group, as timeout(1) does, means it once. */
void
run_interrupt(void)
{
	static volatile uint64_t last;
	uint64_t now = now_ns();

	if (interrupts == 0 || now > last + ECHO_NS)
		interrupts++;
	last = now;
}

bool
run_interrupted(void)
{
	return interrupts > 0;
}

/* ---- setting up ---- */

static int
load_scenario(const struct options_role *r, struct scenario **out, struct nfv_err *err)
{
	const struct scenario_keys keys = { r->key, r->n_keys };

	return r->file != NULL ? scenario_load(r->file, &keys, NULL, out, err) :
				 scenario_builtin(r->builtin, out, err);
}

static struct nfv_addr
own_address(const struct options_role *r, const struct nfv_addr *like)
{
	for (uint32_t i = 0; i < r->n_addr; i++)
		if (like->family == NFV_NO_ADDR || r->addr[i].addr.family == like->family)
			return r->addr[i].addr;
	return r->addr[0].addr;
}

static int
set_up(struct run *r, uint32_t i, struct nfv_err *err)
{
	struct worker *w = &r->worker[i];
	const struct options_role *o = w->role;
	int socket = (int)rte_lcore_to_socket_id(w->lcore);
	struct net_conf nc = { .device = o->device,
		.n_addr = o->n_addr,
		.gateway = o->gateway,
		.mtu = o->mtu,
		.descriptors = 1024,
		.buffers = o->buffers,
		.socket = socket,
		.tsc_hz = rte_get_tsc_hz(),
		.seed = r->o->seed + i };
	struct agent_conf ac = { .remote = o->remote,
		.local = { own_address(o, &o->remote.addr), o->port },
		.service = nfv_sv_str(o->service),
		.auth_user = nfv_sv_str(o->user),
		.auth_password = nfv_sv_str(o->password),
		.pace = o->pace,
		.calls = o->calls,
		.open = o->open,
		.duration_ms = o->duration_ms,
		.recv_timeout_ms = o->recv_timeout_ms,
		.retrans_invite = o->retrans_invite,
		.retrans_other = o->retrans_other,
		.base_cseq = o->base_cseq,
		.retransmit = o->retransmit,
		.auto_answer = o->auto_answer,
		.fault = { .delay_min = o->delay_min,
			.delay_max = o->delay_max,
			.seed = r->o->seed,
			.stream = i },
		.users = w->users,
		.n_users = o->n_inf,
		.loss_in = o->loss_in,
		.tsc_hz = nc.tsc_hz,
		.seed = nc.seed,
		.socket = socket,
		.worker = i };
	int rc = load_scenario(o, &w->scenario, err);

	memcpy(ac.fault.chance, o->fault, sizeof(ac.fault.chance));
	for (uint32_t k = 0; k < o->n_inf && rc == 0; k++) {
		rc = users_load(o->inf[k], &w->users[k], err);
		if (rc == 0 && o->index[k] >= 0)
			rc = users_index(w->users[k], (unsigned int)o->index[k], err);
	}
	if (rc == 0 && w->scenario->uses_fields && o->n_inf == 0)
		rc = nfv_fail(err, EINVAL,
			"role %u: the scenario has fields; give their file with -inf", i + 1);

	if (rc < 0)
		return rc;
	if (w->scenario->caller && o->remote.addr.family == NFV_NO_ADDR)
		return nfv_fail(err, EINVAL,
			"role %u makes calls: give the address that they go to", i + 1);
	if (o->remote.addr.family != NFV_NO_ADDR && ac.local.addr.family != o->remote.addr.family)
		return nfv_fail(
			err, EINVAL, "role %u has no address of its peer's family (-i)", i + 1);
	ac.media = (struct nfv_endpoint){ o->media.family != NFV_NO_ADDR ? o->media : ac.local.addr,
		o->media_port };
	memcpy(nc.addr, o->addr, sizeof(nc.addr));
	if (options_has_trials(r->o))
		/* Trials set the rate; until then there is none. */
		ac.pace = (struct pace_conf){
			.shape = o->pace.shape == PACE_POISSON ? PACE_POISSON : PACE_FIXED,
		};
	rc = net_create(&nc, &w->net, err);
	if (rc < 0)
		return rc;
	ac.scenario = w->scenario;
	ac.net = w->net;
	ac.pace.seed = nc.seed;
	ac.pace.workers = 1;
	return agent_create(&ac, &w->agent, err);
}

int
run_place(const struct options *o, unsigned int lcore[OPTIONS_ROLES], struct nfv_err *err)
{
	unsigned int next = 0;

	for (uint32_t i = 0; i < o->roles; i++) {
		int asked = o->role[i].lcore;

		if (asked < 0) {
			while (next < RTE_MAX_LCORE && !rte_lcore_is_enabled(next))
				next++;
			asked = (int)next++;
		}
		if (asked >= RTE_MAX_LCORE || !rte_lcore_is_enabled((unsigned int)asked))
			return nfv_fail(err, EINVAL,
				"role %u has no lcore; start with -l naming one for each role",
				i + 1);
		for (uint32_t k = 0; k < i; k++)
			if (lcore[k] == (unsigned int)asked)
				return nfv_fail(
					err, EINVAL, "lcore %d is given to two roles", asked);
		lcore[i] = (unsigned int)asked;
	}
	return 0;
}

int
run_create(const struct options *o, struct run **out, struct nfv_err *err)
{
	struct run *r = calloc(1, sizeof(*r));
	unsigned int lcore[OPTIONS_ROLES] = { 0 };
	int rc;

	if (r == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	r->o = o;
	r->soak.seconds = o->soak_s;
	r->n = o->roles;
	rc = run_place(o, lcore, err);
	for (uint32_t i = 0; i < r->n && rc == 0; i++) {
		r->worker[i].role = &o->role[i];
		r->worker[i].lcore = lcore[i];
	}
	if (rc == 0)
		rc = floor_measure(&r->floor_ns, err);
	for (uint32_t i = 0; i < r->n && rc == 0; i++)
		rc = set_up(r, i, err);
	for (uint32_t i = 0; i < r->n && rc == 0; i++)
		r->callers |= r->worker[i].scenario->caller;
	if (rc == 0 && options_has_trials(o) && !r->callers)
		rc = nfv_fail(err, EINVAL, "--search ser and --overload want a role that calls");
	if (rc < 0) {
		run_destroy(r);
		return rc;
	}
	*out = r;
	return 0;
}

void
run_destroy(struct run *r)
{
	if (r == NULL)
		return;
	for (uint32_t i = 0; i < r->n; i++) {
		agent_destroy(r->worker[i].agent);
		net_destroy(r->worker[i].net);
		scenario_destroy(r->worker[i].scenario);
		for (uint32_t k = 0; k < OPTIONS_FILES; k++)
			users_destroy(r->worker[i].users[k]);
	}
	free(r);
}

/* ---- workers ---- */

static void
nobody(void *ctx, const struct net_datagram *d)
{
	(void)ctx;
	(void)d;
}

/* The next hop answers before the first call is due, so that no call waits for that. */
static int
reach(struct worker *w)
{
	uint64_t hz = rte_get_tsc_hz(), end = rte_rdtsc() + REACH_S * hz, tick = 0;
	int rc = 0;

	if (!w->scenario->caller)
		return 0;
	while ((rc = net_reach(w->net, &w->role->remote.addr, rte_rdtsc())) == -EINPROGRESS) {
		uint64_t now = rte_rdtsc();

		if (interrupts > 0)
			return 0;
		if (now > end)
			return -EHOSTUNREACH;
		net_poll(w->net, now, nobody, NULL);
		if (now > tick) {
			net_tick(w->net, now);
			tick = now + hz / 1000;
		}
	}
	return rc;
}

static int
work(void *arg)
{
	struct run *r = arg;
	struct worker *w = NULL;
	int rc;

	for (uint32_t i = 0; i < r->n; i++)
		if (r->worker[i].lcore == rte_lcore_id())
			w = &r->worker[i];
	if (w == NULL)
		return 0;
	/* Who answers must be polling while others look for it. */
	rc = w->scenario->caller ? reach(w) : 0;
	atomic_store(&w->state, rc < 0 ? rc : 1);
	if (w->scenario->caller)
		while (!atomic_load_explicit(&r->go, memory_order_acquire))
			rte_pause();
	if (rc == 0)
		agent_begin(w->agent, rte_rdtsc());
	while (rc == 0 && !agent_is_done(w->agent))
		agent_turn(w->agent, rte_rdtsc());
	if (rc == 0)
		atomic_store(&w->state, 2);
	return 0;
}

/* ---- the thread beside them ---- */

static void
add_up(struct run *r)
{
	memset(&r->now, 0, sizeof(r->now));
	for (uint32_t i = 0; i < r->n; i++) {
		const struct net_count *c = net_count(r->worker[i].net);

		/* Calls between two roles of one run are not to be counted twice: who calls counts. */
		if (r->worker[i].scenario->caller != r->callers)
			continue;
		stats_merge(&r->now, agent_stats(r->worker[i].agent));
		r->now.tx_full += c->tx_full;
		r->now.no_buffer += c->no_buffer;
		r->now.l3_drops += c->l3_drops;
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

static void
one_interval(struct run *r, FILE *csv)
{
	struct report_moment m;

	add_up(r);
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
	for (uint32_t i = 0; i < r->n; i++) {
		int state = atomic_load(&r->worker[i].state);

		if (state >= 0 && state != 2)
			return false;
	}
	return true;
}

/* Who answers goes on as long as anybody calls. */
static bool
callers_done(const struct run *r)
{
	for (uint32_t i = 0; i < r->n; i++) {
		int state = atomic_load(&r->worker[i].state);

		if (r->worker[i].scenario->caller && state != 2 && state >= 0)
			return false;
	}
	return r->callers;
}

static void
stop_all(struct run *r, bool now)
{
	/* Who answers goes on answering until callers are done: a call begun in time may come late. */
	bool all = now || !r->callers || callers_done(r);

	for (uint32_t i = 0; i < r->n; i++)
		if (all || r->worker[i].scenario->caller)
			agent_stop(r->worker[i].agent, now);
}

static bool
all_ready(struct run *r)
{
	for (uint32_t i = 0; i < r->n; i++) {
		int state = atomic_load(&r->worker[i].state);
		char text[NFV_ADDR_TEXT];

		if (state == 0)
			return false;
		if (state < 0 && r->rc == 0)
			r->rc = nfv_fail(&r->err, -state, "role %u: %s is not there: %s", i + 1,
				nfv_addr_text(&r->worker[i].role->remote.addr, text),
				state == -ENETUNREACH ?
					"no route leads to it; give --gateway" :
					"nobody answers for it on the network of this port");
	}
	return true;
}

static FILE *
open_csv(struct run *r)
{
	char name[256];
	const char *file = r->o->stat_file;
	FILE *f;

	if (!r->o->trace_stat && file == NULL)
		return NULL;
	if (file == NULL) {
		snprintf(name, sizeof(name), "%.*s_%d_.csv", (int)r->report.scenario->name.n,
			r->report.scenario->name.p, (int)getpid());
		for (char *c = name; *c != '\0'; c++)
			if (*c == '/' || *c == ' ')
				*c = '_';
		file = name;
	}
	f = fopen(file, "we");
	if (f == NULL)
		r->rc = nfv_fail(&r->err, errno, "%s: %s", file, strerror(errno));
	else
		report_csv_names(f, &r->report);
	return f;
}

static bool
is_to_end(const struct run *r, uint64_t t)
{
	return interrupts > 0 ||
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
			(interrupts > 1 ||
				t > stopped +
						(interrupts > 0 || r->end_ns != 0 ? 1 : 5) *
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

	for (uint32_t i = 0; i < r->n; i++)
		all += r->worker[i].scenario->caller ? r->worker[i].role->pace.rate : 0;
	for (uint32_t i = 0; i < r->n && all > 0; i++)
		agent_set_rate(r->worker[i].agent, rate * r->worker[i].role->pace.rate / all);
}

static const struct stats *
sum(void *ctx)
{
	struct run *r = ctx;

	add_up(r);
	return &r->now;
}

static void
make_trials(struct run *r)
{
	const struct modes_run mr = { r, set_rate, sum };
	uint64_t end;
	int rc;

	atomic_store_explicit(&r->go, true, memory_order_release);
	rc = modes_go(r->o, &mr, &r->err);
	r->rc = rc < 0 ? rc : 0;
	r->verdict = rc > 0;
	stop_all(r, false);
	for (end = now_ns() + GRACE_NS; !all_done(r); usleep(1000))
		if (now_ns() > end || interrupts > 1)
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

static void *
control(void *arg)
{
	struct run *r = arg;
	FILE *csv = open_csv(r);

	while (r->rc == 0 && !all_ready(r))
		usleep(1000);
	if (r->rc < 0) {
		interrupts += 2;
		stop_all(r, true);
		atomic_store_explicit(&r->go, true, memory_order_release);
	} else if (options_has_trials(r->o)) {
		make_trials(r);
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

int
run_go(struct run *r, struct nfv_err *err)
{
	const struct worker *w = &r->worker[0];
	static char local[NFV_ADDR_TEXT], remote[NFV_ADDR_TEXT], load[64];
	int rc;

	for (uint32_t i = 1; i < r->n && !w->scenario->caller; i++)
		w = &r->worker[i];
	nfv_addr_text(&w->role->addr[0].addr, local);
	if (w->role->remote.addr.family != NFV_NO_ADDR)
		nfv_endpoint_text(&w->role->remote, remote);
	snprintf(load, sizeof(load), "%.12g calls/s", w->role->pace.rate);
	r->report = (struct report_run){ .version = "0.1.0",
		.scenario = w->scenario,
		.roles = w->scenario->caller ? "caller" : "callee",
		.local = local,
		.remote = remote,
		.load = load,
		.target_rate = w->scenario->caller ? w->role->pace.rate : 0,
		.workers = r->n,
		.loopback_floor = r->floor_ns };
	report_live_init(&r->live, stdout);
	if (pthread_create(&r->control, NULL, control, r) != 0)
		return nfv_fail(err, EAGAIN, "no thread can be made");
	rte_eal_mp_remote_launch(work, r, CALL_MAIN);
	rte_eal_mp_wait_lcore();
	rc = pthread_join(r->control, NULL);
	(void)rc;
	if (r->rc < 0 && err != NULL)
		*err = r->err;
	return r->rc;
}

int
run_status(const struct run *r)
{
	if (r->now.successful + r->now.failed == 0)
		return 99;
	if (options_has_trials(r->o))
		return r->verdict;
	if (r->verdict != 0)
		return 1;
	return r->now.failed > 0 ? 1 : 0;
}
