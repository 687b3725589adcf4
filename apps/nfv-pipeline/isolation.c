#define _GNU_SOURCE /* rte_lcore_cpuset */
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_lcore.h>

#include "isolation.h"
#include "nfv_isolate_pool.h"
#include "scale.h"

#define BACKOFF_MS 10
#define ENDS_MS    5000

struct isolated {
	struct isolated *next;
	struct nfv_isolated *stage;
	const char *name, *chain;
	bool container;
	char program[PATH_MAX], loader[PATH_MAX]; /* the latter's stage is in an object */
	const char *argv[4], *loader_argv[4];
	struct nfv_err told; /* the last sentence that was */
};

/* A chain's pinholes, which a stage elsewhere finds. */
struct shared {
	struct shared *next;
	const struct conf_chain *chain;
	struct nfv_isolated_pinholes pinholes;
};

struct isolation {
	struct nfv_isolate_pool pool[WORKERS_MAX];
	struct shared *shared;
	struct isolated *first;
};

static bool
runs(const struct conf_chain *ch, const struct config *c, uint32_t worker)
{
	for (uint32_t i = 0; i < config_shards(ch); i++)
		if (config_worker(c, *config_shard(ch, i)) == (int)worker)
			return true;
	return false;
}

/* Whether the worker has isolated stages; and whether one of them writes. */
static bool
has_isolated(const struct config *c, uint32_t worker, bool *writes)
{
	bool any = false;

	*writes = false;
	for (uint32_t i = 0; i < c->chains.n; i++) {
		const struct conf_chain *ch = (const struct conf_chain *)c->chains.item + i;

		for (uint32_t k = 0; k < ch->stages.n && runs(ch, c, worker); k++) {
			const char *name = ((const char *const *)ch->stages.item)[k];

			if (config_isolation(c, ch, name) == NULL)
				continue;
			any = true;
			*writes |= nfv_stage_find(name)->access == NFV_WRITES;
		}
	}
	return any;
}

static int
open_isolation(struct app *app, struct nfv_err *err)
{
	if (app->isolation == NULL)
		app->isolation = calloc(1, sizeof(*app->isolation));
	return app->isolation != NULL ? 0 : nfv_fail(err, ENOMEM, "out of memory");
}

int
isolation_pool(struct app *app, uint32_t worker, uint32_t count, uint16_t room, int socket,
	struct nfv_err *err)
{
	struct nfv_isolate_pool *p;
	bool writes;
	char name[32];
	int rc;

	if (app->opt.check || !has_isolated(&app->conf, worker, &writes))
		return 0;
	rc = open_isolation(app, err);
	if (rc < 0)
		return rc;
	p = &app->isolation->pool[worker];
	snprintf(name, sizeof(name), "worker%u", worker);
	rc = nfv_isolate_pool_init(
		p, name, count, (room + 63u) / 64 * 64, POOL_CACHE, writes, socket, err);
	if (rc == 0)
		app->pool[worker] = p->mp;
	return rc;
}

bool
isolation_pool_free(struct app *app, uint32_t worker)
{
	struct nfv_isolate_pool *p = app->isolation != NULL ? &app->isolation->pool[worker] : NULL;

	if (p == NULL || p->mp == NULL)
		return false;
	nfv_isolate_pool_fini(p);
	app->pool[worker] = NULL;
	return true;
}

/* Beside this program, or, as they are built, in the folder beside its own. */
static int
find_program(const char *name, char to[PATH_MAX], struct nfv_err *err)
{
	static const char *const where[] = { "%s/%s", "%s/../nfv-stage/%s" };
	char self[PATH_MAX - 128];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return nfv_fail(err, errno, "/proc/self/exe: %s", strerror(errno));
	self[n] = '\0';
	dirname(self);
	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		snprintf(to, PATH_MAX, where[i], self, name);
		if (access(to, X_OK) == 0)
			return 0;
	}
	return nfv_fail(err, ENOENT,
		"there is no %s in %s; install it there, or name it by `program`", name, self);
}

static const struct nfv_isolated_pinholes *
shared_of(const struct isolation *is, const struct conf_chain *ch)
{
	const struct shared *s = is->shared;

	while (s != NULL && s->chain != ch)
		s = s->next;
	return s != NULL ? &s->pinholes : NULL;
}

/* The processor of the i-th instance. */
static int
cpu_of(const struct conf_isolation *c, uint32_t i)
{
	return i < c->cpus.n ? (int)((const uint32_t *)c->cpus.item)[i] : -1;
}

/* Where a worker runs, if that is one processor. */
static int
cpu_of_worker(const struct nfv_worker *w)
{
	rte_cpuset_t set = rte_lcore_cpuset(w->lcore);
	int cpu = 0;

	while (cpu < CPU_SETSIZE && !CPU_ISSET(cpu, &set))
		cpu++;
	return CPU_COUNT(&set) == 1 ? cpu : -1;
}

int
isolation_start(const struct isolation_seat *seat, const struct nfv_stage_ops *ops,
	const struct nfv_stage_ctx *ctx, uint32_t instance, struct nfv_away *out,
	struct nfv_err *err)
{
	const struct conf_isolation *c = seat->conf;
	struct app *app = seat->app;
	struct isolation *is = app->isolation;
	const struct conf_flows *f = &app->conf.flows;
	struct isolated *s = calloc(1, sizeof(*s));
	struct nfv_isolate_pool *pool = &is->pool[seat->worker];
	struct nfv_isolated_conf conf = { .ops = ops,
		.ctx = ctx,
		.file = nfv_conf_name(app->conf.doc),
		.text = nfv_conf_text(app->conf.doc),
		.flows = f->max,
		.timeouts = { f->udp, f->tcp_open, f->tcp, f->icmp, f->other },
		.pinholes = shared_of(is, seat->chain),
		.socket = c->socket,
		.cpu = cpu_of(c, instance),
		.worker_cpu = cpu_of_worker(&app->worker[seat->worker]),
		.ring = c->ring,
		.idle_us = c->idle,
		.on_failure = (enum nfv_on_failure)c->on_failure,
		.backoff_ms = BACKOFF_MS,
		.restarts = c->restarts,
		.probation_ms = c->probation * 1000,
		.memory = (uint64_t)c->memory << 20 };
	struct nfv_err why = { "" };
	int rc = 0;

	if (s == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	pool->large = app->large_pool[seat->worker];
	conf.pool = nfv_isolate_pool_of(pool);
	*s = (struct isolated){ .next = is->first,
		.name = ops->name,
		.chain = seat->chain->name,
		.container = c->run == ISOLATION_CONTAINER,
		.argv = { c->program != NULL && c->program[0] != '\0' ? c->program : NULL, "--fd",
			"3" } };
	if (c->run == ISOLATION_PROCESS && s->argv[0] == NULL) {
		rc = find_program(ops->dpdk ? "nfv-stage-dpdk" : "nfv-stage", s->program, &why);
		s->argv[0] = s->program;
	}
	if (c->run == ISOLATION_PROCESS)
		conf.argv = s->argv;
	else
		fprintf(stderr,
			"nfv-pipeline: chain %s, stage %s: waiting for nfv-stage to connect to %s\n",
			s->chain, s->name, c->socket);
	if (rc == 0)
		rc = nfv_isolated_create(&conf, &s->stage, &why);
	if (rc < 0) {
		free(s);
		return nfv_conf_fail(app->conf.doc, &c->stage, err, "%s", why.text);
	}
	is->first = s;
	*out = nfv_isolated_away(s->stage);
	return 0;
}

void
isolation_forget(struct app *app, const struct nfv_away *away)
{
	struct isolated **at = &app->isolation->first, *s;

	while (*at != NULL && (*at)->stage != away->arg)
		at = &(*at)->next;
	s = *at;
	if (s != NULL)
		*at = s->next;
	free(s);
}

static int
send_away(void *arg, const struct nfv_stage_ops *ops, const struct nfv_stage_ctx *ctx,
	struct nfv_away *out, struct nfv_err *err)
{
	const struct isolation_seat *seat = arg;

	return config_instances(seat->conf) > 1 ? scale_start(seat, ops, ctx, out, err) :
						  isolation_start(seat, ops, ctx, 0, out, err);
}

void
isolation_use(struct app *app, const struct conf_chain *ch, int worker, struct nfv_stage_use *use,
	struct isolation_seat *seat)
{
	const struct conf_isolation *c = config_isolation(&app->conf, ch, use->ops->name);

	if (c == NULL)
		return;
	*seat = (struct isolation_seat){ app, c, ch, worker };
	use->send_away = send_away;
	use->arg = seat;
}

const struct nfv_lender *
isolation_shared(struct app *app, const struct conf_chain *ch)
{
	bool wanted = false;
	struct shared *s;

	/* Of a chain that is spread a stage would have to see the tables of all shards. */
	for (uint32_t k = 0; k < ch->stages.n && config_shards(ch) == 1; k++) {
		const char *name = ((const char *const *)ch->stages.item)[k];

		wanted |= config_isolation(&app->conf, ch, name) != NULL &&
			nfv_stage_find(name)->finds;
	}
	s = wanted ? calloc(1, sizeof(*s)) : NULL;
	if (s == NULL)
		return NULL;
	s->chain = ch;
	s->next = app->isolation->shared;
	app->isolation->shared = s;
	nfv_isolated_pinholes_init(&s->pinholes);
	return &s->pinholes.lender;
}

static struct isolated *
first(const struct app *app)
{
	return app->isolation != NULL ? app->isolation->first : NULL;
}

bool
isolation_has(const struct app *app, const char *stage)
{
	for (const struct isolated *s = first(app); s != NULL; s = s->next)
		if (strcmp(s->name, stage) == 0)
			return true;
	return false;
}

void
isolation_tick(struct app *app)
{
	nfv_isolated_reap();
	for (struct isolated *s = first(app); s != NULL; s = s->next) {
		const char *last = nfv_isolated_last(s->stage);

		if (strcmp(last, s->told.text) == 0)
			continue;
		snprintf(s->told.text, sizeof(s->told.text), "%s", last);
		fprintf(stderr, "nfv-pipeline: chain %s, %s\n", s->chain, last);
	}
}

void
isolation_restart(struct app *app, const char *stage, struct nfv_err *err)
{
	bool any = false;

	for (const struct isolated *s = first(app); s != NULL; s = s->next) {
		if (strcmp(s->name, stage) != 0)
			continue;
		any = true;
		if (nfv_isolated_replace(s->stage, err) < 0)
			return;
	}
	if (!any)
		nfv_fail(err, ENOENT, "no chain has a stage \"%s\" in a process of its own", stage);
}

/* By an object, by another program where the stage uses DPDK, by the same program as it is now. */
static int
replace_one(struct isolated *s, const struct nfv_object_file *file, struct nfv_err *err)
{
	bool dpdk = nfv_stage_find(s->name)->dpdk;
	struct nfv_isolated_version v = { .object = dpdk ? NULL : file,
		.program = dpdk ? file : NULL,
		.argv = s->container ? NULL : s->argv };
	int rc = 0;

	if (s->container && file != NULL)
		return nfv_fail(err, EINVAL,
			"stage \"%s\" of chain %s is in a container: start one with the new version, and "
			"say `replace %s`",
			s->name, s->chain, s->name);
	if (v.object != NULL) {
		rc = find_program("nfv-stage-object", s->loader, err);
		memcpy(s->loader_argv, (const char *const[]){ s->loader, "--fd", "3", NULL },
			sizeof(s->loader_argv));
		v.argv = s->loader_argv;
	}
	if (rc == 0)
		rc = nfv_isolated_replace_by(s->stage, &v, err);
	if (rc == 0)
		printf("chain %s: another version of %s is ready to take over\n", s->chain,
			s->name);
	return rc;
}

int
isolation_replace(
	struct app *app, const char *stage, const struct nfv_object_file *file, struct nfv_err *err)
{
	int rc = 0;

	for (struct isolated *s = first(app); rc == 0 && s != NULL; s = s->next)
		if (strcmp(s->name, stage) == 0)
			rc = replace_one(s, file, err);
	return rc;
}

void
isolation_close(struct app *app)
{
	for (struct isolated *s = first(app), *next; s != NULL; s = next) {
		next = s->next;
		free(s);
	}
	for (struct shared *s = app->isolation != NULL ? app->isolation->shared : NULL, *next;
		s != NULL; s = next) {
		next = s->next;
		free(s);
	}
	free(app->isolation);
	app->isolation = NULL;
	nfv_isolated_await_ends(ENDS_MS);
}
