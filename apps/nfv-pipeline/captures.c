#include <stdio.h>
#include <string.h>

#include "app.h"

/* The chain, and the end of it, that a port is. */
static const struct app_chain *
chain_of_port(const struct app *app, int port, unsigned int *end)
{
	for (uint32_t i = 0; i < app->conf.chains.n; i++) {
		const struct conf_chain *ch = (const struct conf_chain *)app->conf.chains.item + i;

		*end = config_port(&app->conf, ch->outside) == port;
		if (*end || config_port(&app->conf, ch->inside) == port)
			return &app->chain[i];
	}
	return NULL;
}

static void
set_tap(struct app *app, const struct tap_point *at, struct nfv_tap *tap)
{
	const struct app_chain *chain;
	unsigned int end = 0;

	chain = at->port < 0 ? &app->chain[at->chain] : chain_of_port(app, at->port, &end);
	for (uint32_t i = 0; i < chain->n; i++) {
		if (at->port < 0)
			nfv_chain_tap_seam(chain->shard[i], at->seam, tap);
		else
			nfv_chain_tap_port(chain->shard[i], end, tap);
	}
}

int
capture_start(struct app *app, const char *at, const char *file, const char *filter,
	uint32_t snaplen, struct nfv_err *err)
{
	struct nfv_tap_conf conf = { .file = file,
		.filter = filter,
		.comment = at,
		.snaplen = (uint16_t)snaplen,
		.socket = -1 };
	struct app_tap *t = &app->tap[app->n_taps];
	const struct conf_chain *ch;
	struct tap_point point;
	int rc = config_tap_point(&app->conf, at, &point, err);

	if (rc < 0)
		return rc;
	if (app->n_taps == TAPS_MAX)
		return nfv_fail(err, ENOSPC, "%d captures run already; stop one", TAPS_MAX);
	for (uint32_t i = 0; i < app->n_taps; i++)
		if (config_same_point(&app->tap[i].at, &point))
			return nfv_fail(err, EEXIST, "%s is already being captured, to %s", at,
				app->tap[i].file);
	if (point.port < 0) {
		ch = (const struct conf_chain *)app->conf.chains.item + point.chain;
		conf.port = app->port[config_port(&app->conf, ch->inside)].id;
	} else {
		conf.port = app->port[point.port].id;
	}
	rc = nfv_tap_open(&conf, &t->tap, err);
	if (rc < 0)
		return rc;
	t->at = point;
	snprintf(t->where, sizeof(t->where), "%s", at);
	snprintf(t->file, sizeof(t->file), "%s", file);
	app->n_taps++;
	set_tap(app, &point, t->tap);
	return 0;
}

static void
stop(struct app *app, uint32_t i)
{
	set_tap(app, &app->tap[i].at, NULL);
	for (uint32_t w = 0; w < app->n_workers; w++)
		nfv_worker_sync(&app->worker[w]);
	nfv_tap_close(app->tap[i].tap);
	app->tap[i] = app->tap[--app->n_taps];
}

int
capture_stop(struct app *app, const char *at, struct nfv_err *err)
{
	struct tap_point point;
	int rc = config_tap_point(&app->conf, at, &point, err);

	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < app->n_taps; i++) {
		if (config_same_point(&app->tap[i].at, &point)) {
			stop(app, i);
			return 0;
		}
	}
	return nfv_fail(err, ENOENT, "nothing is being captured at %s", at);
}

int
captures_from_config(struct app *app, struct nfv_err *err)
{
	const struct conf_capture *c = app->conf.captures.item;

	for (uint32_t i = 0; i < app->conf.captures.n; i++) {
		struct nfv_err why;

		if (capture_start(app, c[i].at, c[i].file, c[i].filter, c[i].snaplen, &why) < 0)
			return nfv_conf_fail(app->conf.doc, &c[i].at, err, "%s", why.text);
	}
	return 0;
}

void
captures_drain(struct app *app)
{
	for (uint32_t i = 0; i < app->n_taps; i++) {
		struct app_tap *t = &app->tap[i];

		if (nfv_tap_drain(t->tap) == 0 || t->told)
			continue;
		t->told = true;
		fprintf(stderr,
			"nfv-pipeline: %s cannot be written any more, packets captured at %s are lost; is the disk full?\n",
			t->file, t->where);
	}
}

void
captures_show(const struct app *app, FILE *to)
{
	if (app->n_taps == 0)
		fputs("nothing is being captured\n", to);
	for (uint32_t i = 0; i < app->n_taps; i++) {
		struct nfv_tap_stats s = nfv_tap_stats(app->tap[i].tap);

		fprintf(to, "%s -> %s: %lu matched, %lu written, %lu lost\n", app->tap[i].where,
			app->tap[i].file, (unsigned long)s.matched, (unsigned long)s.written,
			(unsigned long)s.lost);
	}
}

void
captures_stop_all(struct app *app)
{
	while (app->n_taps > 0)
		stop(app, app->n_taps - 1);
}
