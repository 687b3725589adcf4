#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "isolation.h"
#include "nfv_change.h"
#include "nfv_object_file.h"
#include "nfv_object_map.h"
#include "replace.h"

#define SOME 20000u /* errands at most, each of 64 KiB */

/* A version that is mapped into this program, and may be in use. */
struct mapped {
	struct mapped *next;
	char stage[64];
	struct nfv_object_map map;
	void *conf; /* its section, filled by its own schema */
};

static void
unmap(struct mapped *m)
{
	nfv_object_unmap(&m->map);
	free(m->conf);
	free(m);
}

/* NULL with a sentence. */
static struct mapped *
map(struct app *app, const char *stage, const struct nfv_object_file *file, struct nfv_err *err)
{
	struct mapped *m = calloc(1, sizeof(*m));
	int fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 3);
	const struct nfv_conf_schema *schema;

	if (m == NULL || fd < 0) {
		nfv_fail(err, errno, "%s: %s", file->name, strerror(errno));
		if (fd >= 0)
			close(fd);
		free(m);
		return NULL;
	}
	snprintf(m->stage, sizeof(m->stage), "%s", stage);
	if (nfv_object_map(fd, stage, &m->map, err) < 0) {
		free(m);
		return NULL;
	}
	schema = m->map.object->ops->conf;
	if (schema == NULL)
		return m;
	m->conf = calloc(1, schema->size);
	if (m->conf == NULL)
		nfv_fail(err, ENOMEM, "out of memory");
	else if (nfv_conf_read(app->conf.doc, stage, schema, m->conf, err) == 0)
		return m;
	unmap(m);
	return NULL;
}

/* One place of one shard. */
static int
change(struct app *app, struct nfv_worker *w, struct nfv_chain *c, uint32_t at,
	const struct mapped *m, struct nfv_err *err)
{
	const struct nfv_stage_use use = { .ops = m->map.object->ops, .conf = m->conf };
	struct nfv_change_result r;
	struct nfv_change *ch;
	int rc = nfv_change_prepare(c, at, &use, app->conf.doc, &ch, err);

	if (rc < 0)
		return rc;
	/* Where state changes faster than it goes over it will not get better than this. */
	for (uint32_t i = 0; i < SOME && !nfv_change_near(ch); i++)
		nfv_worker_between(w, nfv_change_some, ch);
	nfv_worker_between(w, nfv_change_switch, ch);
	r = nfv_change_finish(ch, err);
	if (r.rc == 0)
		printf("chain %s: %s is version %s now, %u flows and %" PRIu64
		       " records went over, %u were ended, packets waited %.3f ms\n",
			nfv_chain_name(c), m->stage, m->map.object->version, r.flows, r.items,
			r.refused, (double)r.cycles * 1e3 / (double)app->tsc_hz);
	return r.rc;
}

/* Wherever the stage runs in a loop; how many places have changed. */
static int
change_all(struct app *app, const struct mapped *m, uint32_t *changed, struct nfv_err *err)
{
	int rc = 0;

	*changed = 0;
	for (uint32_t i = 0; i < app->conf.chains.n; i++) {
		const struct conf_chain *ch = (const struct conf_chain *)app->conf.chains.item + i;

		if (config_isolation(&app->conf, ch, m->stage) != NULL)
			continue;
		for (uint32_t k = 0; k < app->chain[i].n; k++) {
			int w = config_worker(&app->conf, *config_shard(ch, k));
			struct nfv_chain *c = app->chain[i].shard[k];

			for (uint32_t at = 0; rc == 0 && at < nfv_chain_stages(c); at++) {
				if (strcmp(nfv_chain_stage(c, at)->name, m->stage) != 0)
					continue;
				rc = change(app, &app->worker[w], c, at, m, err);
				*changed += rc == 0;
			}
		}
	}
	return rc;
}

/* The versions that this one has taken the place of everywhere. */
static void
unmap_older(struct mapped *m)
{
	for (struct mapped **at = &m->next, *old; (old = *at) != NULL;) {
		if (strcmp(old->stage, m->stage) == 0) {
			*at = old->next;
			unmap(old);
		} else {
			at = &old->next;
		}
	}
}

static int
replace_here(
	struct app *app, const char *stage, const struct nfv_object_file *file, struct nfv_err *err)
{
	struct mapped *m = map(app, stage, file, err);
	uint32_t changed;
	int rc;

	if (m == NULL)
		return -EINVAL;
	rc = change_all(app, m, &changed, err);
	if (changed == 0) {
		unmap(m);
		return rc;
	}
	m->next = app->mapped;
	app->mapped = m;
	if (rc == 0)
		unmap_older(m);
	return rc;
}

/* Whether some chain has the stage in its worker's loop. */
static bool
runs_here(const struct app *app, const char *stage)
{
	for (uint32_t i = 0; i < app->conf.chains.n; i++) {
		const struct conf_chain *ch = (const struct conf_chain *)app->conf.chains.item + i;

		for (uint32_t k = 0; k < ch->stages.n; k++)
			if (strcmp(((const char *const *)ch->stages.item)[k], stage) == 0 &&
				config_isolation(&app->conf, ch, stage) == NULL)
				return true;
	}
	return false;
}

/* An object, or a program. */
static int
open_version(const struct app *app, const char *file, bool program, struct nfv_object_file *out,
	struct nfv_err *err)
{
	const struct conf_objects *o = &app->conf.objects;
	struct nfv_object_policy policy = { .allowed = o->allowed, .program = program };

	if (o->folders.n == 0)
		return nfv_fail(err, EACCES,
			"no file may be taken: name the folders where they lie, and the list of their "
			"sums, in the configuration (`objects: {folders: [/usr/lib/nfv], allowed: "
			"/etc/nfv/objects.sha256}`)");
	for (; policy.n_dirs < o->folders.n && policy.n_dirs < NFV_OBJECT_DIRS; policy.n_dirs++)
		policy.dir[policy.n_dirs] = ((const char *const *)o->folders.item)[policy.n_dirs];
	return nfv_object_open(&policy, file, out, err);
}

int
replace_stage(struct app *app, const char *stage, const char *file, struct nfv_err *err)
{
	struct nfv_object_file version = { .fd = -1 };
	bool here = runs_here(app, stage), away = isolation_has(app, stage), dpdk;
	int rc = 0;

	if (!here && !away)
		return nfv_fail(err, ENOENT, "no chain has a stage \"%s\"", stage);
	dpdk = nfv_stage_find(stage)->dpdk;
	if (here && dpdk)
		return nfv_fail(err, ENOTSUP,
			"stage \"%s\" runs in its worker's loop and uses DPDK, which no object can bring "
			"along; isolate it (`isolation:`), and it is replaced as a program",
			stage);
	if (file == NULL && here)
		return nfv_fail(err, EINVAL,
			"stage \"%s\" runs in its worker's loop: name the object to replace it by",
			stage);
	if (file != NULL)
		rc = open_version(app, file, dpdk, &version, err);
	if (rc == 0 && here)
		rc = replace_here(app, stage, &version, err);
	if (rc == 0 && away)
		rc = isolation_replace(app, stage, file != NULL ? &version : NULL, err);
	nfv_object_close(&version);
	return rc;
}

void
replace_close(struct app *app)
{
	for (struct mapped *m; (m = app->mapped) != NULL;) {
		app->mapped = m->next;
		unmap(m);
	}
}
