#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <rte_lcore.h>
#include <rte_mempool.h>

#include "app.h"
#include "colour.h"
#include "colour_ground.h"
#include "mpc_layout.h"
#include "mpc_pool.h"

#define BATCHES 64   /* of pages, a tick */
#define MBUFS   4096 /* of each pool, a tick */
#define LENDERS 256

struct lender {
	struct nfv_lender lender;
	struct app *app;
	struct nfv_worker *worker;
	char name[64];
};

struct colour {
	struct colour_ground ground;
	struct mpc_arena *arena;
	struct mpc_layout *layout;
	bool attached; /* DPDK knows the region */
	enum mpc_plan_arm arm;
	char plan[256]; /* the file, where arm is MPC_PLAN_MCMF */
	struct mpc_pool *pool[WORKERS_MAX];
	struct lender lender[LENDERS];
	uint32_t n_lenders;
};

static void
say(const char *what, const char *why)
{
	fprintf(stderr, "nfv-pipeline: colour: %s: %s\n", what, why);
}

/* A sentence where the program goes on without colour, an error where it must not. */
static int
do_without(
	const struct app *app, int rc, const char *what, struct nfv_err *why, struct nfv_err *err)
{
	if (app->conf.colour.required)
		return nfv_fail(err, -rc, "colour: %s", why->text);
	say(what, why->text);
	return 0;
}

static int
read_plan(const char *file, struct mpc_plan_file *plan, struct nfv_err *err)
{
	return mpc_plan_file_read(file, plan, err);
}

int
colour_check(const struct app *app, struct nfv_err *err)
{
	const struct conf_colour *c = &app->conf.colour;
	struct mpc_plan_file plan;
	struct nfv_err why;

	if (c->mode != COLOUR_MCMF)
		return 0;
	if (read_plan(c->plan, &plan, &why) < 0)
		return nfv_conf_fail(app->conf.doc, &c->plan, err, "plan: %s", why.text);
	mpc_plan_file_free(&plan);
	return 0;
}

struct measuring {
	const struct conf_colour *conf;
	struct colour_ground *ground;
	struct nfv_err *err;
};

/* On the lcore whose cache is meant, and so in memory local to it. */
static int
measure(void *arg)
{
	const struct measuring *m = arg;

	return colour_ground_make(
		(size_t)m->conf->memory << 20, m->conf->level == 0 ? 2 : 0, m->ground, m->err);
}

static int
get_memory(struct app *app, struct colour *c, struct nfv_err *err)
{
	struct measuring m = { &app->conf.colour, &c->ground, err };
	const struct mpc_map *map = &c->ground.map;
	int rc = nfv_worker_call(&app->worker[0], measure, &m);

	if (rc == 0)
		rc = mpc_arena_create(&c->ground.region, map, &c->arena, err);
	if (rc == 0)
		rc = mpc_layout_create(c->arena, map->classes, c->ground.level, &c->layout, err);
	if (rc == 0)
		rc = mpc_pool_region_attach(&c->ground.region, err);
	if (rc < 0)
		return rc;
	c->attached = true;
	fprintf(stderr,
		"nfv-pipeline: colour: %u colours of the level %u cache in %u of %u pages (%s), "
		"measured in %.1f s\n",
		map->classes, c->ground.level, map->classified, map->pages,
		mpc_page_kind_name((enum mpc_page_kind)c->ground.region.kind), c->ground.seconds);
	return 0;
}

/* Then pages that lie scattered would cost something and save nothing. */
static bool
plan_is_off(const struct conf_colour *c)
{
	struct mpc_plan_file plan;
	bool off;

	if (c->mode != COLOUR_MCMF || read_plan(c->plan, &plan, NULL) < 0)
		return false;
	off = plan.arm == MPC_PLAN_OFF;
	mpc_plan_file_free(&plan);
	if (off)
		say(c->plan, "the plan is off, so memory is taken as it comes");
	return off;
}

int
colour_open(struct app *app, struct nfv_err *err)
{
	struct nfv_err why = { "" };
	int rc;

	if (app->conf.colour.mode == COLOUR_OFF || plan_is_off(&app->conf.colour))
		return 0;
	app->colour = calloc(1, sizeof(*app->colour));
	if (app->colour == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	app->colour->ground.region.fd = -1;
	rc = get_memory(app, app->colour, &why);
	if (rc == 0)
		return 0;
	colour_close(app);
	return do_without(app, rc, "going on without", &why, err);
}

void
colour_close(struct app *app)
{
	struct colour *c = app->colour;

	if (c == NULL)
		return;
	mpc_layout_destroy(c->layout);
	mpc_arena_destroy(c->arena);
	if (c->attached)
		mpc_pool_region_detach(&c->ground.region);
	colour_ground_free(&c->ground);
	free(c);
	app->colour = NULL;
}

static void
pool_have(void *arg, uint32_t have[MPC_LAYOUT_COLOURS])
{
	mpc_pool_have(arg, have);
}

static uint32_t
pool_move(void *arg, const uint32_t want[MPC_LAYOUT_COLOURS], mpc_colours aside)
{
	return mpc_pool_recolour(arg, want, aside, MBUFS);
}

int
colour_pool(struct app *app, const struct nfv_worker *w, uint32_t mbufs, uint16_t data_room,
	int socket, struct rte_mempool **out, struct nfv_err *err)
{
	struct colour *c = app->colour;
	uint32_t at = (uint32_t)(w - app->worker);
	struct nfv_err why = { "" };
	struct mpc_pool_conf conf = {
		.mbufs = mbufs, .cache = POOL_CACHE, .data_room = data_room, .socket = socket
	};
	struct mpc_layout_mover mover = { .have = pool_have, .move = pool_move };
	char name[32], class_name[64];
	int rc;

	*out = NULL;
	if (c == NULL)
		return 0;
	snprintf(name, sizeof(name), "worker%u", at);
	snprintf(class_name, sizeof(class_name), "%s.packets", w->name);
	if (data_room > MPC_PAGE) {
		say(class_name, "in ordinary memory, since a buffer is larger than a page");
		return 0;
	}
	conf.name = name;
	conf.arena = c->arena;
	conf.colours = MPC_ALL_COLOURS >> (MPC_LAYOUT_COLOURS - c->ground.map.classes);
	rc = mpc_pool_create(&conf, &c->pool[at], &why);
	mover.arg = c->pool[at];
	if (rc == 0)
		rc = mpc_layout_add(c->layout, class_name, &mover, &why);
	if (rc < 0) {
		mpc_pool_destroy(c->pool[at]);
		c->pool[at] = NULL;
		return do_without(app, rc, class_name, &why, err);
	}
	*out = mpc_pool_mempool(c->pool[at]);
	return 0;
}

void
colour_pool_free(struct app *app, struct rte_mempool *mp)
{
	struct colour *c = app->colour;

	for (uint32_t i = 0; c != NULL && mp != NULL && i < WORKERS_MAX; i++) {
		if (c->pool[i] == NULL || mpc_pool_mempool(c->pool[i]) != mp)
			continue;
		mpc_layout_forget(c->layout, c->pool[i]);
		mpc_pool_destroy(c->pool[i]);
		c->pool[i] = NULL;
		return;
	}
	rte_mempool_free(mp);
}

static struct nfv_pages
lend(void *arg, const char *class_name, size_t n)
{
	struct lender *l = arg;
	struct nfv_err why = { "" };
	struct nfv_pages pages;
	char name[128];

	snprintf(name, sizeof(name), "%s.%s", l->name, class_name);
	if (n <= UINT32_MAX &&
		mpc_layout_take(l->app->colour->layout, name, l, (uint32_t)n, &pages, &why) == 0)
		return pages;
	if (l->app->conf.colour.required)
		return (struct nfv_pages){ NULL, 0 };
	say(name, why.text);
	return nfv_pages_alloc(n);
}

static void
take_back(void *arg, struct nfv_pages *pages)
{
	struct lender *l = arg;

	if (!mpc_layout_give(l->app->colour->layout, pages))
		nfv_pages_free(pages);
}

const struct nfv_lender *
colour_lender(struct app *app, const char *name, struct nfv_worker *w)
{
	struct colour *c = app->colour;
	struct lender *l;

	if (c == NULL || c->n_lenders == LENDERS)
		return NULL;
	l = &c->lender[c->n_lenders++];
	*l = (struct lender){
		.lender = { .arg = l, .take = lend, .give = take_back }, .app = app, .worker = w
	};
	snprintf(l->name, sizeof(l->name), "%s", name);
	return &l->lender;
}

static int
port_probed(void *arg, uint16_t id, struct nfv_err *err)
{
	const struct app *app = arg;

	return mpc_pool_region_map(&app->colour->ground.region, id, err);
}

static void
port_closing(void *arg, uint16_t id)
{
	const struct app *app = arg;

	mpc_pool_region_unmap(&app->colour->ground.region, id);
}

void
colour_port(struct app *app, struct nfv_port_conf *conf)
{
	if (app->colour == NULL)
		return;
	conf->probed = port_probed;
	conf->closing = port_closing;
	conf->arg = app;
}

struct batch {
	struct mpc_move *move;
	uint32_t n;
};

static void
move_batch(void *arg)
{
	const struct batch *b = arg;

	mpc_move_all(b->move, b->n);
}

static void
move_on_worker(void *owner, struct mpc_move *m, uint32_t n)
{
	const struct lender *l = owner;
	const struct app *app = l->app;
	struct batch b = { m, n };

	nfv_worker_between(l->worker, move_batch, &b);
	/* Others may be looking into a table of his: until they have finished their bursts the old pages
	 * stay as they were. */
	for (uint32_t i = 0; i < app->conf.workers.n; i++)
		if (&app->worker[i] != l->worker)
			nfv_worker_sync(&app->worker[i]);
}

struct homecoming {
	struct app *app;
	struct nfv_worker *worker;
};

/* What a worker keeps at hand goes back to the pools, where it can be given other buffers. */
static void
send_home(void *arg)
{
	const struct homecoming *h = arg;

	for (uint32_t i = 0; i < h->worker->n_chains; i++)
		nfv_chain_disarm(h->worker->chain[i]);
	for (uint32_t i = 0; i < WORKERS_MAX; i++) {
		struct mpc_pool *p = h->app->colour->pool[i];
		struct rte_mempool *mp = p != NULL ? mpc_pool_mempool(p) : NULL;
		struct rte_mempool_cache *cache =
			mp != NULL ? rte_mempool_default_cache(mp, h->worker->lcore) : NULL;

		if (cache != NULL)
			rte_mempool_cache_flush(cache, mp);
	}
}

static bool
pools_move(const struct colour *c)
{
	struct mpc_layout_class class;

	for (uint32_t i = 0; mpc_layout_get(c->layout, i, &class); i++)
		if (class.mover && class.left > 0)
			return true;
	return false;
}

void
colour_tick(struct app *app)
{
	struct colour *c = app->colour;

	if (c == NULL || mpc_layout_left(c->layout) == 0)
		return;
	for (uint32_t i = 0; i < app->conf.workers.n && pools_move(c); i++) {
		struct homecoming h = { app, &app->worker[i] };

		nfv_worker_between(&app->worker[i], send_home, &h);
	}
	mpc_layout_step(c->layout, BATCHES, move_on_worker);
}

static int
lay_out(struct colour *c, enum mpc_plan_arm arm, const char *file, struct nfv_err *err)
{
	struct mpc_plan_file plan = { .arm = arm };
	int rc = arm == MPC_PLAN_MCMF ? read_plan(file, &plan, err) : 0;

	if (rc == 0)
		rc = mpc_layout_set(c->layout, plan.arm == MPC_PLAN_OFF ? MPC_PLAN_OFF : arm,
			arm == MPC_PLAN_MCMF ? &plan : NULL, err);
	if (rc == 0) {
		c->arm = arm;
		snprintf(c->plan, sizeof(c->plan), "%s", arm == MPC_PLAN_MCMF ? file : "");
	} else if (arm == MPC_PLAN_MCMF && strstr(err->text, file) == NULL) {
		nfv_fail_in(err, rc, "%s", file);
	}
	mpc_plan_file_free(&plan);
	return rc;
}

/* Classes that the plan does not know, in one line. */
static void
tell_unplanned(const struct colour *c, FILE *to)
{
	struct mpc_layout_class class;
	const char *sep = "not in the plan, in the colours least taken:";

	for (uint32_t i = 0; mpc_layout_get(c->layout, i, &class); i++) {
		if (class.pages == 0 || !class.unplanned)
			continue;
		fprintf(to, "%s %s", sep, class.name);
		sep = ",";
	}
	if (sep[0] == ',')
		fputc('\n', to);
}

int
colour_start(struct app *app, struct nfv_err *err)
{
	const struct conf_colour *conf = &app->conf.colour;
	struct colour *c = app->colour;
	struct nfv_err why = { "" };
	uint32_t left, before = UINT32_MAX;
	int rc;

	if (c == NULL)
		return 0;
	rc = lay_out(
		c, conf->mode == COLOUR_STATIC ? MPC_PLAN_STATIC : MPC_PLAN_MCMF, conf->plan, &why);
	if (rc < 0)
		return do_without(app, rc, "laid out evenly, as off", &why, err);
	tell_unplanned(c, stderr);
	/* Nothing runs, so all but what devices hold already moves at once. */
	for (left = mpc_layout_left(c->layout); left > 0 && left < before;) {
		before = left;
		colour_tick(app);
		left = mpc_layout_left(c->layout);
	}
	return 0;
}

int
colour_replan(struct app *app, const char *to, struct nfv_err *err)
{
	struct colour *c = app->colour;
	enum mpc_plan_arm arm = strcmp(to, "off") == 0 ? MPC_PLAN_OFF :
		strcmp(to, "static") == 0              ? MPC_PLAN_STATIC :
							 MPC_PLAN_MCMF;
	int rc;

	if (c == NULL)
		return nfv_fail(err, ENOENT,
			"there is no memory of known colours: start with `colour: {mode: static}` or "
			"`mcmf`");
	rc = lay_out(c, arm, to, err);
	if (rc < 0)
		return rc;
	printf("%u pages move\n", mpc_layout_left(c->layout));
	if (arm == MPC_PLAN_MCMF)
		tell_unplanned(c, stdout);
	return 0;
}

/* Runs of colours of which as many are wanted, and there; those without any are left out. */
static void
show_colours(const struct mpc_layout_class *class, uint32_t colours, FILE *to)
{
	for (uint32_t k = 0, end; k < colours; k = end) {
		end = k + 1;
		while (end < colours && class->want[end] == class->want[k] &&
			class->have[end] == class->have[k])
			end++;
		if (class->want[k] == 0 && class->have[k] == 0)
			continue;
		fprintf(to, end == k + 1 ? "  %u" : "  %u-%u", k, end - 1);
		fprintf(to, class->want[k] == class->have[k] ? ": %u" : ": %u of %u",
			class->have[k], class->want[k]);
	}
	fputc('\n', to);
}

void
colour_show(const struct app *app, FILE *to)
{
	const struct colour *c = app->colour;
	struct mpc_layout_class class;
	struct mpc_arena_usage u;

	if (c == NULL) {
		fputs("colour off: memory is as it comes\n", to);
		return;
	}
	u = mpc_arena_usage(c->arena);
	fprintf(to,
		"colour %s%s%s, %u colours of level %u; %" PRIu64 " of %" PRIu64
		" pages used, %u to move\n",
		mpc_plan_arm_name[c->arm], c->plan[0] != '\0' ? " by " : "", c->plan,
		c->ground.map.classes, c->ground.level, u.used / MPC_PAGE, u.reserved / MPC_PAGE,
		mpc_layout_left(c->layout));
	fprintf(to, "  %-28s %8s %8s  pages by colour\n", "class", "pages", "to move");
	for (uint32_t i = 0; mpc_layout_get(c->layout, i, &class); i++) {
		if (class.pages == 0)
			continue;
		fprintf(to, "  %-28s %8u %8u", class.name, class.pages, class.left);
		show_colours(&class, c->ground.map.classes, to);
	}
}
