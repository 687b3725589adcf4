#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "crew.h"
#include "plain_report.h"
#include "plain_run.h"

#define POLL_US   100     /* how often a sender looks for questions to it */
#define QUIET_US  50000   /* nothing came for so long: what was on its way has come */
#define SETTLE_US 2000000 /* but no longer than this (RFC 2544 §23) */

/* What the thread beside them tells senders to do; written before `order` is counted up. */
struct order {
	double share; /* of each sender's rate */
	bool steady;  /* whatever the shape of their load is */
	uint64_t cycles;
	bool limit; /* by -m */
};

struct role {
	struct crew_member crew;
	struct plain_sender *sender; /* one of them */
	struct plain_sink *sink;
	struct plain_replay replay;
	uint64_t poll, tick;   /* TSC when due */
	_Atomic uint32_t done; /* orders carried out */
};

struct run {
	const struct options *o;
	struct role role[OPTIONS_ROLES];
	struct crew crew; /* of the roles */
	uint64_t hz;
	struct order order;
	_Atomic uint32_t orders;
	_Atomic bool leave, quit; /* senders leave off; all end */
	struct plain_stats now, before;
	struct plain_report report;
	struct timespec start;
	struct nfv_err err;
	int rc;
};

/* ---- setting up ---- */

static int
set_up_sender(struct run *r, uint32_t i, struct nfv_err *err)
{
	struct role *w = &r->role[i];
	const struct options_role *o = w->crew.role;
	struct plain_conf pc = { .net = w->crew.net,
		.to = o->remote,
		.mac = o->mac_given ? o->mac : NULL,
		.flows = o->flows,
		.buffers = o->buffers,
		.sender = (uint8_t)i,
		.mtu = o->mtu,
		.tsc_hz = r->hz,
		.socket = (int)rte_lcore_to_socket_id(w->crew.lcore) };
	const struct nfv_addr *from;
	const char *end = strrchr(o->plain, '.');
	int rc;

	if (end != NULL && strncmp(end, ".pcap", 5) == 0) {
		rc = plain_replay_load(o->plain, o->mtu, &w->replay, err);
		pc.replay = &w->replay;
		pc.flows = 1;
		r->report.unmarked = true;
	} else {
		rc = plain_mix_parse(o->plain, &pc.mix, err);
	}
	if (rc < 0)
		return rc;
	if (o->remote.addr.family == NFV_NO_ADDR)
		return nfv_fail(err, EINVAL,
			"role %u sends packets: give the address that they go to", i + 1);
	from = net_source(w->crew.net, &o->remote.addr);
	if (from == NULL)
		return nfv_fail(
			err, EINVAL, "role %u has no address of its peer's family (-i)", i + 1);
	if (r->o->search != NULL && o->pace.rate == 0)
		return nfv_fail(err, EINVAL, "a search wants the highest rate to try: -r");
	pc.from = (struct nfv_endpoint){ *from, o->port };
	r->report.frame = o->plain;
	r->report.flows += pc.flows;
	r->report.rate += o->pace.rate;
	return plain_sender_create(&pc, &w->sender, err);
}

static int
set_up(struct run *r, uint32_t i, struct nfv_err *err)
{
	struct role *w = &r->role[i];
	const struct options_role *o = w->crew.role;
	struct net_conf nc = { .device = o->device,
		.n_addr = o->n_addr,
		.gateway = o->gateway,
		.mtu = o->mtu,
		.descriptors = 1024,
		.buffers = o->buffers,
		.socket = (int)rte_lcore_to_socket_id(w->crew.lcore),
		.tsc_hz = r->hz,
		.seed = r->o->seed + i };
	int rc;

	if (o->plain == NULL)
		return nfv_fail(err, EINVAL,
			"role %u: calls and plain packets are not for one run; start two", i + 1);
	memcpy(nc.addr, o->addr, sizeof(nc.addr));
	rc = net_create(&nc, &w->crew.net, err);
	if (rc < 0)
		return rc;
	if (strcmp(o->plain, "sink") != 0)
		return set_up_sender(r, i, err);
	r->report.sinks = true;
	return plain_sink_create(w->crew.net, r->hz, nc.socket, &w->sink, err);
}

static void
take_down(struct run *r)
{
	for (uint32_t i = 0; i < r->crew.n; i++) {
		plain_sender_destroy(r->role[i].sender);
		plain_sink_destroy(r->role[i].sink);
		plain_replay_free(&r->role[i].replay);
		net_destroy(r->role[i].crew.net);
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

/* What a host owes its neighbours. */
static void
be_a_host(struct run *r, struct role *w, uint64_t tsc)
{
	if (tsc < w->poll)
		return;
	w->poll = tsc + r->hz / 1000000 * POLL_US;
	if (w->sender != NULL)
		net_poll(w->crew.net, tsc, nobody, NULL);
	if (tsc < w->tick)
		return;
	w->tick = tsc + r->hz / 1000;
	net_tick(w->crew.net, tsc);
}

static void
carry_out(struct run *r, struct role *w)
{
	struct pace_conf pace = w->crew.role->pace;
	uint64_t tsc = rte_rdtsc();

	pace.rate *= r->order.share;
	if (r->order.steady)
		pace.shape = PACE_FIXED;
	pace.workers = 1;
	pace.seed = r->o->seed + w->crew.lcore;
	if (plain_sender_begin(w->sender, &pace, tsc, r->order.limit ? w->crew.role->calls : 0,
		    r->order.cycles, &w->crew.err) < 0) {
		atomic_store(&w->crew.state, -EINVAL);
		return;
	}
	while (plain_sender_turn(w->sender, tsc) &&
		!atomic_load_explicit(&r->leave, memory_order_relaxed)) {
		tsc = rte_rdtsc();
		be_a_host(r, w, tsc);
	}
	plain_sender_end(w->sender);
}

static int
work(void *arg)
{
	struct run *r = arg;
	int self = crew_self(&r->crew), rc = 0;
	struct role *w = &r->role[self >= 0 ? self : 0];

	if (self < 0)
		return 0;
	if (w->sender != NULL && !w->crew.role->mac_given)
		rc = crew_reach(&w->crew);
	if (w->sender != NULL && rc == 0 && !crew_interrupted())
		rc = plain_sender_prepare(w->sender);
	atomic_store(&w->crew.state, rc < 0 ? rc : CREW_READY);
	while (!atomic_load_explicit(&r->quit, memory_order_acquire)) {
		uint64_t tsc = rte_rdtsc();

		be_a_host(r, w, tsc);
		if (w->sink != NULL) {
			plain_sink_turn(w->sink, tsc);
		} else if (atomic_load_explicit(&r->orders, memory_order_acquire) != w->done) {
			carry_out(r, w);
			atomic_fetch_add_explicit(&w->done, 1, memory_order_release);
		}
	}
	return 0;
}

/* ---- the thread beside them ---- */

static void
add_up(struct run *r)
{
	memset(&r->now, 0, sizeof(r->now));
	for (uint32_t i = 0; i < r->crew.n; i++)
		plain_stats_merge(&r->now,
			r->role[i].sender != NULL ? plain_sender_stats(r->role[i].sender) :
						    plain_sink_stats(r->role[i].sink));
}

static bool
senders_done(const struct run *r)
{
	bool any = false;

	for (uint32_t i = 0; i < r->crew.n; i++)
		if (r->role[i].sender != NULL) {
			any = true;
			if (atomic_load_explicit(&r->role[i].done, memory_order_acquire) !=
				r->orders)
				return false;
		}
	return any;
}

static uint64_t
received(const struct run *r)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < r->crew.n; i++)
		if (r->role[i].sink != NULL)
			n += plain_sink_stats(r->role[i].sink)->received;
	return n;
}

/* What is on its way comes in. */
static void
settle(const struct run *r)
{
	uint64_t had = received(r), now;

	for (int t = 0; r->report.sinks && t < SETTLE_US; t += QUIET_US, had = now) {
		usleep(QUIET_US);
		now = received(r);
		if (now == had)
			return;
	}
}

static void
give(struct run *r, struct order order)
{
	r->order = order;
	atomic_fetch_add_explicit(&r->orders, 1, memory_order_release);
}

static void
load(struct run *r)
{
	const struct options *o = r->o;
	uint64_t begun = rte_rdtsc(), shown = begun, now, hz = r->hz,
		 step = (uint64_t)(o->interval_s * (double)hz),
		 limit = (uint64_t)(o->timeout_s * (double)hz);

	give(r, (struct order){ .share = 1, .cycles = limit, .limit = true });
	while (!senders_done(r)) {
		usleep(1000);
		now = rte_rdtsc();
		if (!o->json && now - shown >= step) {
			add_up(r);
			plain_report_line(stdout, &r->report, &r->before,
				(double)(now - begun) / (double)hz,
				(double)(now - shown) / (double)hz);
			r->before = r->now;
			shown = now;
		}
		/* Senders know their time themselves; who only counts does not. */
		if (crew_interrupted() ||
			(limit > 0 && r->report.frame == NULL && now - begun > limit))
			break;
	}
	atomic_store(&r->leave, true);
	while (r->report.frame != NULL && !senders_done(r))
		usleep(1000);
	settle(r);
}

static int
trial(void *ctx, struct ndr_trial *t)
{
	struct run *r = ctx;
	uint64_t came;

	add_up(r);
	r->before = r->now;
	give(r,
		(struct order){ .share = t->rate / r->report.rate,
			.steady = true,
			.cycles = (uint64_t)(r->o->trial_s * (double)r->hz) });
	while (!senders_done(r)) {
		usleep(1000);
		if (crew_interrupted())
			atomic_store(&r->leave, true);
	}
	settle(r);
	if (crew_interrupted())
		return nfv_fail(&r->err, EINTR, "the search was interrupted");
	if (!crew_ready(&r->crew, &r->rc, &r->err) || r->rc < 0)
		return r->rc;
	add_up(r);
	t->sent = r->now.sent - r->before.sent;
	came = r->now.received - r->now.duplicated - (r->before.received - r->before.duplicated);
	t->lost = t->sent > came ? t->sent - came : 0;
	t->limited = r->now.limited > r->before.limited;
	return 0;
}

static void
tell(void *ctx, const struct ndr_trial *t)
{
	struct run *r = ctx;

	if (r->report.trials < PLAIN_TRIALS)
		r->report.trial[r->report.trials] = *t;
	r->report.trials++;
	if (!r->o->json)
		plain_report_trial(stdout, &r->report, t);
}

static void *
control(void *arg)
{
	struct run *r = arg;
	const struct options *o = r->o;
	bool go;

	while (r->rc == 0 && !crew_ready(&r->crew, &r->rc, &r->err) && !crew_interrupted())
		usleep(1000);
	/* Who was interrupted so early has senders that may not even know where to. */
	go = r->rc == 0 && !crew_interrupted();
	if (go && o->search != NULL) {
		const struct ndr_conf nc = { .rate = r->report.rate,
			.resolution = o->resolution / 100,
			.tolerance = strcmp(o->search, "pdr") == 0 ? o->loss_tolerance / 100 : 0 };

		r->rc = ndr_search(&nc, trial, tell, r, &r->report.found);
	} else if (go) {
		load(r);
		crew_ready(&r->crew, &r->rc, &r->err); /* a load that could not begin */
	}
	atomic_store_explicit(&r->quit, true, memory_order_release);
	return NULL;
}

/* A search that was cut short has its trials told as well. */
static int
write_trials(struct run *r, struct nfv_err *err)
{
	const struct options *o = r->o;
	const struct options_role *sender = NULL;
	char local[NFV_ADDR_TEXT], remote[NFV_ADDR_TEXT], load[128];
	struct report_run run = { .version = "0.1.0",
		.roles = "plain packets",
		.local = local,
		.remote = remote,
		.load = load,
		.start = r->start,
		.workers = r->crew.n };
	FILE *csv = NULL;
	int rc;

	for (uint32_t i = 0; i < r->crew.n && sender == NULL; i++)
		if (r->role[i].sender != NULL)
			sender = r->role[i].crew.role;
	if (sender == NULL || (o->html == NULL && o->stat_file == NULL && !o->trace_stat))
		return 0;
	nfv_addr_text(&sender->addr[0].addr, local);
	nfv_endpoint_text(&sender->remote, remote);
	snprintf(load, sizeof(load), "frames: %.20s, at most %.12g packets/s, flows: %u",
		r->report.frame, r->report.rate, r->report.flows);
	if (o->stat_file != NULL || o->trace_stat) {
		csv = report_csv_open(o->stat_file, NFV_SV("plain"), err);
		if (csv == NULL)
			return -EIO;
	}
	rc = plain_report_trials(o->html, csv, &r->report, &run, o->trial_s, err);
	if (csv != NULL)
		fclose(csv);
	return rc;
}

int
plain_run(const struct options *o, struct nfv_err *err)
{
	struct run *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	r->o = o;
	r->hz = rte_get_tsc_hz();
	r->report.tsc_hz = r->hz;
	r->report.stats = &r->now;
	r->report.search = o->search;
	clock_gettime(CLOCK_REALTIME, &r->start);
	rc = crew_place(&r->crew, o, &r->role[0].crew, sizeof(r->role[0]), err);
	for (uint32_t i = 0; i < r->crew.n && rc == 0; i++)
		rc = set_up(r, i, err);
	if (rc == 0 && o->search != NULL && (r->report.frame == NULL || !r->report.sinks))
		rc = nfv_fail(
			err, EINVAL, "a search wants a role that sends and one with --plain sink");
	if (rc == 0 && o->search != NULL && r->report.unmarked)
		rc = nfv_fail(err, EINVAL,
			"a search wants packets that can be counted; recorded ones cannot");
	if (rc < 0)
		goto end;
	rc = crew_go(work, control, r, err);
	if (rc < 0)
		goto end;
	add_up(r);
	rc = r->rc;
	if (rc < 0)
		*err = r->err;
	else if (o->json)
		rc = plain_report_json(stdout, &r->report, err);
	else
		plain_report_text(stdout, &r->report);
	if (o->search != NULL && r->report.trials > 0) {
		int written = write_trials(r, rc < 0 ? NULL : err);

		rc = rc < 0 ? rc : written;
	}
	if (rc == 0 && r->now.sent + r->now.received == 0)
		rc = 99;
end:
	take_down(r);
	return rc;
}
