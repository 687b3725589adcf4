#define _GNU_SOURCE /* rte_lcore_cpuset */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "app.h"
#include "colour.h"
#include "isolation.h"
#include "replace.h"
#include "scale.h"

/* Of 64 KiB, for each chain. */
#define LARGE_BUFFERS 16

static const struct conf_chain *
chain_conf(const struct app *app, uint32_t i)
{
	return (const struct conf_chain *)app->conf.chains.item + i;
}

static const struct conf_port *
port_conf(const struct app *app, int i)
{
	return (const struct conf_port *)app->conf.ports.item + i;
}

static const struct conf_worker *
worker_conf(const struct app *app, uint32_t i)
{
	return (const struct conf_worker *)app->conf.workers.item + i;
}

/* The chain whose end this port is; each has one. */
static const struct conf_chain *
chain_of_port(const struct app *app, const char *name)
{
	for (uint32_t i = 0; i < app->conf.chains.n; i++) {
		const struct conf_chain *ch = chain_conf(app, i);

		if (strcmp(ch->inside, name) == 0 || strcmp(ch->outside, name) == 0)
			return ch;
	}
	return NULL;
}

/* A worker runs on an lcore that EAL was given and that is not the control thread's. */
static int
check_lcore(const struct app *app, const struct conf_worker *w, struct nfv_err *err)
{
	if (!rte_lcore_is_enabled(w->lcore))
		return nfv_conf_fail(app->conf.doc, &w->lcore, err,
			"lcore %u is not among EAL's; start with `-l` or `--lcores` naming it",
			w->lcore);
	if (w->lcore == rte_get_main_lcore())
		return nfv_conf_fail(app->conf.doc, &w->lcore, err,
			"lcore %u is EAL's main lcore, which controls the workers; use another or move "
			"`--main-lcore`",
			w->lcore);
	return 0;
}

/* Of the first CPU that the lcore may run on. */
static int
node_of_lcore(const struct app *app, unsigned int lcore)
{
	rte_cpuset_t cpus = rte_lcore_cpuset(lcore);
	int cpu = 0;

	while (cpu < NFV_TOPO_CPUS - 1 && !CPU_ISSET(cpu, &cpus))
		cpu++;
	return app->topo.node_of[cpu];
}

/* What belongs together sits on one node: the worker's lcore and its ports. */
static int
check_node(const struct app *app, const struct conf_port *p, const struct conf_worker *w,
	struct nfv_err *err)
{
	int lcore = node_of_lcore(app, w->lcore);
	int node = nfv_port_socket(p->device, "/sys");
	char cpus[128];

	if (node < 0 || node == lcore || w->allow_remote)
		return 0;
	return nfv_conf_fail(app->conf.doc, &w->lcore, err,
		"worker \"%s\" would run on NUMA node %d, but port \"%s\" sits on node %d; use a CPU of "
		"that node (%s), or say `allow-remote: true`",
		w->name, lcore, p->name, node, nfv_topo_cpus(&app->topo, node, cpus, sizeof(cpus)));
}

static bool
runs(const struct app *app, uint32_t worker, const struct conf_chain *ch)
{
	for (uint32_t i = 0; i < config_shards(ch); i++)
		if (config_worker(&app->conf, *config_shard(ch, i)) == (int)worker)
			return true;
	return false;
}

/* For datagrams longer than the usual buffers: what a chain holds ready, and as many again in use. */
static int
create_large_pool(struct app *app, uint32_t worker, int socket, struct nfv_err *err)
{
	uint32_t count = 0;
	char name[32];

	for (uint32_t i = 0; i < app->conf.chains.n; i++)
		if (runs(app, worker, chain_conf(app, i)))
			count += LARGE_BUFFERS;
	if (count == 0)
		return 0;
	snprintf(name, sizeof(name), "large%u", worker);
	app->large_pool[worker] = rte_pktmbuf_pool_create(name, count, 0, 0, NFV_FRAME_MAX, socket);
	if (app->large_pool[worker] == NULL)
		return nfv_fail(err, ENOMEM,
			"no memory for %u buffers of 64 KiB on NUMA node %d: give more memory (huge "
			"pages, or `--no-huge -m MiB`)",
			count, socket);
	return 0;
}

static int
create_pool(struct app *app, uint32_t worker, int socket, uint32_t count, struct nfv_err *err)
{
	uint16_t room = RTE_MBUF_DEFAULT_DATAROOM;
	char name[32];
	int rc;

	for (uint32_t i = 0; i < app->conf.ports.n; i++) {
		const struct conf_port *p = port_conf(app, (int)i);
		uint16_t frame = nfv_port_frame_max((uint16_t)p->mtu);

		if (runs(app, worker, chain_of_port(app, p->name)) && frame > room)
			room = frame;
	}
	room = (uint16_t)(room + RTE_PKTMBUF_HEADROOM);
	rc = isolation_pool(app, worker, count, room, socket, err);
	if (rc == 0 && app->pool[worker] == NULL)
		rc = colour_pool(
			app, &app->worker[worker], count, room, socket, &app->pool[worker], err);
	if (rc < 0)
		return rc;
	snprintf(name, sizeof(name), "worker%u", worker);
	if (app->pool[worker] == NULL)
		app->pool[worker] =
			rte_pktmbuf_pool_create(name, count, POOL_CACHE, 0, room, socket);
	if (app->pool[worker] == NULL)
		return nfv_fail(err, ENOMEM,
			"no memory for %u buffers of %u bytes on NUMA node %d: lower `buffers:`, or give "
			"more memory (huge pages, or `--no-huge -m MiB`)",
			count, room, socket);
	return create_large_pool(app, worker, socket, err);
}

/* The l3 part of a chain: its ports' addresses and the routes by them. The caller frees *routes. */
static int
fill_l3(const struct app *app, const struct conf_chain *ch, struct nfv_l3_conf *l3,
	struct nfv_l3_route **routes, struct nfv_err *err)
{
	const struct conf_route *r = app->conf.routes.item;
	int side[2] = { config_port(&app->conf, ch->inside), config_port(&app->conf, ch->outside) };
	uint32_t n = 0;

	*routes = calloc(app->conf.routes.n + 1, sizeof(**routes));
	if (*routes == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	for (uint32_t i = 0; i < app->conf.routes.n; i++) {
		int port = config_port(&app->conf, r[i].port);

		if (port == side[0] || port == side[1])
			(*routes)[n++] =
				(struct nfv_l3_route){ r[i].to, r[i].via, port == side[1] };
	}
	*l3 = (struct nfv_l3_conf){ .route = *routes,
		.n_route = n,
		.neighbours = app->conf.l3.neighbours,
		.icmp_rate = app->conf.l3.icmp_rate,
		.reassembly = app->conf.l3.reassembly,
		.tsc_hz = app->tsc_hz };
	for (int i = 0; i < 2; i++) {
		const struct conf_port *p = port_conf(app, side[i]);
		const struct nfv_port *port = &app->port[side[i]];

		l3->port[i] = (struct nfv_l3_port){
			.mtu = (uint16_t)p->mtu, .addr = p->addresses.item, .n_addr = p->addresses.n
		};
		memcpy(l3->port[i].mac, port->mac, sizeof(port->mac));
	}
	return 0;
}

/* Handed to the worker's lcore, so that what a chain allocates is local to it. */
struct creation {
	const struct nfv_chain_conf *conf;
	struct nfv_chain *chain;
	struct nfv_err *err;
};

static int
create_on_worker(void *arg)
{
	struct creation *c = arg;

	return nfv_chain_create(c->conf, &c->chain, c->err);
}

static int
destroy_on_worker(void *arg)
{
	nfv_chain_destroy(arg);
	return 0;
}

/* An even part of what all shards of a chain have together. */
static uint32_t
part(uint32_t limit, uint32_t shards, uint32_t least)
{
	uint32_t n = (limit + shards - 1) / shards;

	return n > least ? n : least;
}

static int
random_word(uint64_t *out, struct nfv_err *err)
{
	if (getrandom(out, sizeof(*out), 0) != sizeof(*out))
		return nfv_fail(err, errno, "the kernel gives no random numbers");
	return 0;
}

/* What one shard of a chain is made of, but for its stages; the caller frees *routes. */
static int
fill_chain(const struct app *app, const struct conf_chain *ch, uint32_t shard,
	struct nfv_chain_conf *conf, struct nfv_l3_route **routes, struct nfv_err *err)
{
	int worker = config_worker(&app->conf, *config_shard(ch, shard));
	const struct conf_flows *f = &app->conf.flows;
	uint32_t shards = config_shards(ch);
	int rc = random_word(&conf->seed, err);

	conf->name = ch->name;
	conf->n_stages = ch->stages.n;
	conf->pool = app->pool[worker];
	conf->large_pool = app->large_pool[worker];
	conf->flows = part(f->max, shards, 64);
	conf->timeouts =
		(struct nfv_flow_timeouts){ f->udp, f->tcp_open, f->tcp, f->icmp, f->other };
	conf->doc = app->conf.doc;
	conf->at = &ch->name;
	conf->tsc_hz = app->tsc_hz;
	conf->shard = shard;
	if (rc == 0)
		rc = fill_l3(app, ch, &conf->l3, routes, err);
	conf->l3.seed = conf->seed;
	conf->l3.socket = conf->socket;
	conf->l3.icmp_rate = part(conf->l3.icmp_rate, shards, 1);
	conf->l3.reassembly = part(conf->l3.reassembly, shards, 0);
	conf->port[0] = app->port[config_port(&app->conf, ch->inside)].id;
	conf->port[1] = app->port[config_port(&app->conf, ch->outside)].id;
	return rc;
}

/* Whose tables are laid out: the chain's, or one shard's of it. */
struct owner {
	char name[64];
};

static struct owner
owner(const struct conf_chain *ch, const struct nfv_worker *w)
{
	struct owner o;

	snprintf(o.name, sizeof(o.name), config_shards(ch) > 1 ? "%s.%s" : "%s", ch->name, w->name);
	return o;
}

static int
create_shard(struct app *app, uint32_t i, uint32_t shard, bool here, struct nfv_err *err)
{
	const struct conf_chain *ch = chain_conf(app, i);
	int worker = config_worker(&app->conf, *config_shard(ch, shard));
	struct nfv_worker *w = &app->worker[worker];
	struct nfv_stage_use stage[NFV_STAGES_MAX] = { { .ops = NULL } };
	struct isolation_seat seat[NFV_STAGES_MAX];
	struct nfv_l3_route *routes = NULL;
	struct owner who = owner(ch, w);
	struct nfv_chain_conf conf = { .stage = stage,
		.spread = app->chain[i].spread,
		.lender = profile_lender(app, who.name, w, colour_lender(app, who.name, w)),
		.socket = here ? (int)rte_socket_id() : (int)rte_lcore_to_socket_id(w->lcore) };
	struct creation c = { .conf = &conf, .err = err };
	int rc;

	for (uint32_t s = 0; s < ch->stages.n; s++) {
		stage[s].ops = nfv_stage_find(((const char *const *)ch->stages.item)[s]);
		stage[s].conf = config_section(&app->conf, stage[s].ops);
		/* A configuration is checked without starting anything: here it runs like any other. */
		if (!here)
			isolation_use(app, ch, worker, &stage[s], &seat[s]);
		else
			stage[s].parts = config_instances(
				config_isolation(&app->conf, ch, stage[s].ops->name));
	}
	if (!here)
		conf.shared = isolation_shared(app, ch);
	rc = fill_chain(app, ch, shard, &conf, &routes, err);
	if (rc == 0)
		rc = here ? create_on_worker(&c) : nfv_worker_call(w, create_on_worker, &c);
	free(routes);
	if (rc < 0)
		return rc;
	app->chain[i].shard[app->chain[i].n++] = c.chain;
	w->chain[w->n_chains++] = c.chain;
	return 0;
}

/* One chain, or its first `most` shards: the first of all alone opens what there can be only one of. */
static int
create_chain(struct app *app, uint32_t i, uint32_t most, bool here, struct nfv_err *err)
{
	uint32_t shards = config_shards(chain_conf(app, i));
	uint64_t seed = 0;
	int rc = 0;

	if (shards > 1)
		rc = random_word(&seed, err);
	if (rc == 0 && shards > 1)
		rc = nfv_spread_create(
			shards, 0, seed, (int)rte_socket_id(), &app->chain[i].spread, err);
	for (uint32_t k = 0; rc == 0 && k < shards && k < most; k++)
		rc = create_shard(app, i, k, here, err);
	return rc;
}

static void
destroy_chain(struct app *app, uint32_t i, bool here)
{
	const struct conf_chain *ch = chain_conf(app, i);
	struct app_chain *c = &app->chain[i];

	for (uint32_t k = 0; k < c->n; k++) {
		int w = config_worker(&app->conf, *config_shard(ch, k));

		if (here)
			nfv_chain_destroy(c->shard[k]);
		else
			nfv_worker_call(&app->worker[w], destroy_on_worker, c->shard[k]);
	}
	nfv_spread_destroy(c->spread);
	*c = (struct app_chain){ .n = 0 };
}

int
wiring_check(struct app *app, struct nfv_err *err)
{
	int rc = 0;

	rc = colour_check(app, err);
	app->tsc_hz = rte_get_tsc_hz();
	/* One small pool stands for all: nothing will be received. And two shards for all. */
	for (uint32_t i = 0; rc == 0 && i < app->conf.workers.n; i++)
		rc = create_pool(app, i, (int)rte_socket_id(), 2047, err);
	for (uint32_t i = 0; rc == 0 && i < app->conf.chains.n; i++) {
		rc = create_chain(app, i, 2, true, err);
		destroy_chain(app, i, true);
	}
	return rc;
}

static int
open_ports(struct app *app, struct nfv_err *err)
{
	for (uint32_t i = 0; i < app->conf.ports.n; i++) {
		const struct conf_port *p = port_conf(app, (int)i);
		const struct conf_chain *ch = chain_of_port(app, p->name);
		struct rte_mempool *pool[WORKERS_MAX] = { NULL };
		struct nfv_port_conf conf = { .name = p->name,
			.device = p->device,
			.mtu = (uint16_t)p->mtu,
			.descriptors = (uint16_t)p->descriptors,
			.queues = (uint16_t)config_shards(ch),
			.pools = pool };
		int rc = 0;

		for (uint32_t k = 0; rc == 0 && k < config_shards(ch); k++) {
			int worker = config_worker(&app->conf, *config_shard(ch, k));

			rc = check_node(app, p, worker_conf(app, (uint32_t)worker), err);
			pool[k] = app->pool[worker];
		}
		if (rc < 0)
			return rc;
		conf.pool = pool[0];
		colour_port(app, &conf);
		rc = nfv_port_open(&conf, &app->port[i], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int
wiring_up(struct app *app, struct nfv_err *err)
{
	int rc = 0;

	app->tsc_hz = rte_get_tsc_hz();
	app->start_tsc = rte_rdtsc();
	nfv_topo_read("/sys", &app->topo);
	for (uint32_t i = 0; i < app->conf.workers.n; i++) {
		const struct conf_worker *c = worker_conf(app, i);
		struct nfv_worker *w = &app->worker[i];

		rc = check_lcore(app, c, err);
		if (rc < 0)
			return rc;
		snprintf(w->name, sizeof(w->name), "%s", c->name);
		w->lcore = c->lcore;
		w->tsc_hz = app->tsc_hz;
	}
	rc = colour_open(app, err);
	for (uint32_t i = 0; rc == 0 && i < app->conf.workers.n; i++)
		rc = create_pool(app, i, (int)rte_lcore_to_socket_id(app->worker[i].lcore),
			app->conf.buffers - 1, err);
	if (rc == 0)
		rc = open_ports(app, err);
	for (uint32_t i = 0; rc == 0 && i < app->conf.chains.n; i++)
		rc = create_chain(app, i, WORKERS_MAX, false, err);
	if (rc == 0)
		rc = colour_start(app, err);
	if (rc == 0)
		rc = captures_from_config(app, err);
	for (uint32_t i = 0; rc == 0 && i < app->conf.workers.n; i++) {
		app->worker[i].state = NFV_WORKER_RUNNING;
		rc = nfv_worker_start(&app->worker[i], err);
		if (rc == 0)
			app->n_workers++;
	}
	return rc;
}

static int
settle_on_worker(void *arg)
{
	return (int)nfv_chain_settle(arg);
}

/* What shards have handed over to each other while they ended, one after the other. */
static void
settle(struct app *app, uint32_t i)
{
	const struct conf_chain *ch = chain_conf(app, i);
	int more = 1;

	while (more > 0) {
		more = 0;
		for (uint32_t k = 0; k < app->chain[i].n; k++) {
			int w = config_worker(&app->conf, *config_shard(ch, k));

			more += nfv_worker_call(
				&app->worker[w], settle_on_worker, app->chain[i].shard[k]);
		}
	}
}

void
wiring_stop(struct app *app)
{
	profile_end(app);
	for (uint32_t i = 0; i < app->n_workers; i++)
		atomic_store_explicit(&app->worker[i].state, NFV_WORKER_QUIT, memory_order_release);
	for (uint32_t i = 0; i < app->n_workers; i++)
		nfv_worker_stop(&app->worker[i]);
	for (uint32_t i = 0; app->n_workers > 0 && i < app->conf.chains.n; i++)
		settle(app, i);
	app->n_workers = 0;
}

void
wiring_down(struct app *app)
{
	wiring_stop(app);
	captures_stop_all(app);
	for (uint32_t i = 0; i < app->conf.chains.n; i++)
		destroy_chain(app, i, false);
	scale_close(app);
	for (uint32_t i = 0; i < app->conf.ports.n; i++)
		nfv_port_close(&app->port[i]);
	for (uint32_t i = 0; i < app->conf.workers.n; i++)
		if (!isolation_pool_free(app, i))
			colour_pool_free(app, app->pool[i]);
	for (uint32_t i = 0; i < app->conf.workers.n; i++)
		rte_mempool_free(app->large_pool[i]);
	isolation_close(app);
	replace_close(app);
	colour_close(app);
	profile_close(app);
}
