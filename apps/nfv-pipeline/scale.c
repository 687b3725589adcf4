#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "scale.h"

#define PATIENCE_S 1 /* for packets of an instance without flows to come back */

/* The end of an instance, by a thread of its own: until the kernel is done with a process may take seconds. */
struct ending {
	struct nfv_away away;
	pthread_t thread;
	bool busy;
	_Atomic bool done;
};

struct scaled {
	struct scaled *next;
	struct isolation_seat seat;
	const struct nfv_stage_ops *ops;
	struct nfv_stage_ctx ctx; /* what it points to the chain has */
	struct nfv_lanes *lanes;  /* the chain's */
	struct ending ending[NFV_LANES_MAX];
};

/* Of the ports and mappings that all instances share each has its part, whether or not it is there. */
static int
start_instance(const struct scaled *s, uint32_t i, struct nfv_away *out, struct nfv_err *err)
{
	uint32_t most = nfv_lanes_most(s->lanes);
	struct nfv_stage_ctx ctx = s->ctx;

	ctx.shard = s->ctx.shard * most + i;
	ctx.shards = (s->ctx.shards > 0 ? s->ctx.shards : 1) * most;
	return isolation_start(&s->seat, s->ops, &ctx, i, out, err);
}

int
scale_start(const struct isolation_seat *seat, const struct nfv_stage_ops *ops,
	const struct nfv_stage_ctx *ctx, struct nfv_away *out, struct nfv_err *err)
{
	const struct conf_flows *f = &seat->app->conf.flows;
	struct nfv_lanes_conf conf = { .ops = ops,
		.most = config_instances(seat->conf),
		.flows = f->max,
		.timeouts = { f->udp, f->tcp_open, f->tcp, f->icmp, f->other },
		.tsc_hz = ctx->tsc_hz,
		.tsc = ctx->tsc,
		.seed = ctx->seed };
	struct scaled *s = calloc(1, sizeof(*s)), **last = &seat->app->scaled;
	int rc;

	if (s == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	*s = (struct scaled){ .seat = *seat, .ops = ops, .ctx = *ctx };
	rc = nfv_lanes_create(&conf, &s->lanes, err);
	for (uint32_t i = 0; rc == 0 && i < seat->conf->instances; i++) {
		struct nfv_away away;

		rc = start_instance(s, i, &away, err);
		if (rc == 0)
			nfv_lanes_open(s->lanes, i, away, 0);
	}
	if (rc < 0) {
		nfv_lanes_destroy(s->lanes);
		free(s);
		return rc;
	}
	nfv_lanes_deal(s->lanes, seat->conf->instances);
	while (*last != NULL)
		last = &(*last)->next;
	*last = s;
	*out = nfv_lanes_away(s->lanes);
	return 0;
}

/* --- what the worker does between two bursts --- */

struct errand {
	struct nfv_lanes *lanes;
	uint32_t n, i, ended;
	bool now, done;
	uint64_t asked, tsc;
	struct nfv_away away;
};

static void
between(const struct scaled *s, void (*fn)(void *arg), struct errand *e)
{
	e->lanes = s->lanes;
	nfv_worker_between(&s->seat.app->worker[s->seat.worker], fn, e);
}

static void
do_open(void *arg)
{
	struct errand *e = arg;

	nfv_lanes_open(e->lanes, e->i, e->away, e->asked);
}

static void
do_deal(void *arg)
{
	struct errand *e = arg;
	uint64_t t0 = rte_rdtsc();

	nfv_lanes_deal(e->lanes, e->n);
	if (e->now)
		e->ended = nfv_lanes_purge(e->lanes);
	e->tsc = rte_rdtsc() - t0;
}

static void
do_close(void *arg)
{
	struct errand *e = arg;

	e->done = nfv_lanes_close(e->lanes, e->i, e->now, &e->away);
}

/* --- asked for at the prompt --- */

/* An instance started by a thread of its own: it may take its time. */
struct start {
	const struct scaled *s;
	uint32_t i;
	struct nfv_away away;
	struct nfv_err err;
	int rc;
	_Atomic bool done;
};

static void *
start_aside(void *arg)
{
	struct start *st = arg;

	st->rc = start_instance(st->s, st->i, &st->away, &st->err);
	atomic_store(&st->done, true);
	return NULL;
}

/* Meanwhile all others are looked after. */
static int
start_and_wait(const struct scaled *s, uint32_t i, struct nfv_away *out, struct nfv_err *err)
{
	struct start st = { .s = s, .i = i };
	const struct app *app = s->seat.app;
	pthread_t thread;
	int rc = pthread_create(&thread, NULL, start_aside, &st);

	if (rc != 0)
		return nfv_fail(err, rc, "no thread to start an instance: %s", strerror(rc));
	while (!atomic_load(&st.done)) {
		for (uint32_t c = 0; c < app->conf.chains.n; c++)
			for (uint32_t k = 0; k < app->chain[c].n; k++)
				nfv_chain_upkeep(app->chain[c].shard[k], rte_rdtsc());
		usleep(1000);
	}
	pthread_join(thread, NULL);
	*out = st.away;
	return st.rc < 0 ? nfv_fail(err, -st.rc, "%s", st.err.text) : 0;
}

static int
grow(const struct scaled *s, uint32_t n, FILE *to, struct nfv_err *err)
{
	for (uint32_t i = nfv_lanes_dealt(s->lanes); i < n; i++) {
		struct errand e = { .i = i, .asked = rte_rdtsc() };
		int rc;

		/* One that was to end has not yet. */
		if (nfv_lane_stats(s->lanes, i).open)
			continue;
		rc = start_and_wait(s, i, &e.away, err);
		if (rc < 0)
			return rc;
		between(s, do_open, &e);
		fprintf(to, "chain %s: instance %u of %s waits after %.1f ms\n",
			s->seat.chain->name, i, s->ops->name,
			(double)(nfv_lane_stats(s->lanes, i).joined - e.asked) * 1000 /
				(double)s->seat.app->tsc_hz);
	}
	return 0;
}

static void
shrink(const struct scaled *s, uint32_t n, const struct errand *e, FILE *to)
{
	for (uint32_t i = n; i < nfv_lanes_most(s->lanes); i++) {
		struct nfv_lane_stats lane = nfv_lane_stats(s->lanes, i);

		if (lane.open && !e->now)
			fprintf(to,
				"chain %s: instance %u of %s gets no new flows, and ends when its %u "
				"are over\n",
				s->seat.chain->name, i, s->ops->name, lane.flows);
	}
	if (e->now)
		fprintf(to,
			"chain %s: %u flows of %s begin anew in other instances; packets waited %.1f ms\n",
			s->seat.chain->name, e->ended, s->ops->name,
			(double)e->tsc * 1000 / (double)s->seat.app->tsc_hz);
}

/* Whether the stage can be had so often everywhere, or a sentence. */
static bool
possible(const struct app *app, const char *stage, const char *text, uint32_t *n,
	struct nfv_err *err)
{
	const struct nfv_stage_ops *ops = nfv_stage_find(stage);
	uint64_t wanted;
	const char *why;

	if (!isolation_has(app, stage)) {
		nfv_fail(err, ENOENT, "no chain has a stage \"%s\" in a process of its own", stage);
		return false;
	}
	if (nfv_sv_u64(nfv_sv_str(text), 1, NFV_LANES_MAX, &wanted) < 0) {
		nfv_fail(err, EINVAL, "\"%s\" is no number from 1 to %d", text, NFV_LANES_MAX);
		return false;
	}
	*n = (uint32_t)wanted;
	if (ops != NULL && *n > 1 && !nfv_lanes_can(ops, &why)) {
		nfv_fail(err, EINVAL, "stage %s has one instance only: %s", stage, why);
		return false;
	}
	for (uint32_t c = 0; c < app->conf.chains.n; c++) {
		const struct conf_chain *ch = (const struct conf_chain *)app->conf.chains.item + c;
		const struct conf_isolation *iso = config_isolation(&app->conf, ch, stage);

		if (iso == NULL || *n <= config_instances(iso))
			continue;
		nfv_fail(err, ERANGE,
			"chain %s: at most %u of %s are possible; give it `instances-most: %u` in "
			"`isolation:`",
			ch->name, config_instances(iso), stage, *n);
		return false;
	}
	return true;
}

void
scale_to(struct app *app, const char *stage, const char *n, bool now, FILE *to, struct nfv_err *err)
{
	struct errand e = { .now = now };

	if (!possible(app, stage, n, &e.n, err))
		return;
	for (const struct scaled *s = app->scaled; s != NULL; s = s->next) {
		if (strcmp(s->ops->name, stage) != 0)
			continue;
		if (grow(s, e.n, to, err) < 0)
			return;
		between(s, do_deal, &e);
		shrink(s, e.n, &e, to);
		fprintf(to, "chain %s: new flows over %u of %s\n", s->seat.chain->name, e.n, stage);
	}
}

static void *
end_aside(void *arg)
{
	struct ending *e = arg;

	e->away.ops->close(e->away.arg);
	atomic_store(&e->done, true);
	return NULL;
}

static void
begin_end(struct app *app, struct ending *e, const struct nfv_away *away)
{
	isolation_forget(app, away);
	e->away = *away;
	atomic_store(&e->done, false);
	e->busy = pthread_create(&e->thread, NULL, end_aside, e) == 0;
	if (!e->busy)
		end_aside(e);
}

static void
join(struct ending *e, bool wait)
{
	if (!e->busy || (!wait && !atomic_load(&e->done)))
		return;
	pthread_join(e->thread, NULL);
	e->busy = false;
}

void
scale_tick(struct app *app)
{
	for (struct scaled *s = app->scaled; s != NULL; s = s->next) {
		for (uint32_t i = 0; i < nfv_lanes_most(s->lanes); i++) {
			struct nfv_lane_stats lane = nfv_lane_stats(s->lanes, i);
			struct errand e = { .i = i,
				.now = rte_rdtsc() - lane.left > PATIENCE_S * app->tsc_hz };

			join(&s->ending[i], false);
			if (!lane.open || lane.dealt || lane.flows > 0 || s->ending[i].busy)
				continue;
			between(s, do_close, &e);
			if (e.done)
				begin_end(app, &s->ending[i], &e.away);
		}
	}
}

const struct nfv_lanes *
scale_lanes(const struct app *app, uint32_t chain, const char *stage, uint32_t k)
{
	const struct conf_chain *ch = (const struct conf_chain *)app->conf.chains.item + chain;

	for (const struct scaled *s = app->scaled; s != NULL; s = s->next)
		if (s->seat.chain == ch && strcmp(s->ops->name, stage) == 0 && k-- == 0)
			return s->lanes;
	return NULL;
}

void
scale_close(struct app *app)
{
	for (struct scaled *s = app->scaled, *next; s != NULL; s = next) {
		next = s->next;
		for (int i = 0; i < NFV_LANES_MAX; i++)
			join(&s->ending[i], true);
		free(s);
	}
	app->scaled = NULL;
}
