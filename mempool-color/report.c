#include <jansson.h>
#include <string.h>

#include "report.h"

#define ROW 64 /* pages a line of the picture */

static const char *
level_name(const struct ground *g)
{
	static const char *const name[] = { "l0", "l1", "l2", "l3", "l4" };

	return g->cache.level < 5 ? name[g->cache.level] : "llc";
}

static void
put_json(json_t *o)
{
	json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(o);
}

void
report_calibration(const struct ground *g, const struct ground_run run[2], bool json)
{
	const struct mpc_map *m = &run[0].map;
	double agreement = mpc_agreement(m, &run[1].map);
	bool confident = m->confident && run[1].map.confident;
	const char *why = m->confident ? run[1].map.why : m->why;

	if (json) {
		put_json(json_pack("{s:s,s:i,s:i,s:i,s:f,s:f,s:f,s:f,s:b,s:s,s:i,s:f,s:i,s:i,s:i,"
				   "s:i,s:s,s:i,s:b,s:I}",
			"level", level_name(g), "classes", m->classes, "pages", m->pages,
			"classified", m->classified, "agreement", agreement, "true_positive",
			m->true_positive, "false_positive", m->false_positive, "seconds",
			run[0].seconds, "confident", confident, "why", why, "refused",
			run[0].refused + run[1].refused, "seconds_both",
			run[0].seconds + run[1].seconds, "repeated",
			m->repeated + run[1].map.repeated, "hit", m->hit, "miss", m->miss, "cpu",
			g->cpu, "page_kind", mpc_page_kind_name(g->region.kind), "ways",
			g->cache.ways, "formula", m->formula, "timings", (json_int_t)m->timings));
		return;
	}
	printf("level %u cache of CPU %d: %u KiB, %u ways, %u colours by its geometry\n",
		g->cache.level, g->cpu, g->cache.size >> 10, g->cache.ways, g->cache.colours);
	printf("%u pages (%s) of %zu MiB: %u in %u colours, %s\n", m->pages,
		mpc_page_kind_name(g->region.kind), g->region.size >> 20, m->classified, m->classes,
		m->formula ? "by a formula that a sample confirmed" : "each one measured");
	printf("a page takes %u cycles in the cache, %u just out of it\n", m->hit, m->miss);
	printf("fresh rounds: %.2f %% evicted by their own colour, %.3f %% by others\n",
		100 * m->true_positive, 100 * m->false_positive);
	printf("a second, independent run agrees on %.2f %% of the pages\n", 100 * agreement);
	printf("%.2f s and %.2f s", run[0].seconds, run[1].seconds);
	if (run[0].refused + run[1].refused > 0)
		printf(", %u tries refused", run[0].refused + run[1].refused);
	if (confident)
		printf("; confident\n");
	else
		printf("; not confident: %s; try again when the machine is quieter\n", why);
}

static json_t *
caches_json(const struct ground *g)
{
	static const char *const type[] = { "data", "instruction", "unified" };
	json_t *all = json_array();

	for (unsigned int i = 0; i < g->caches.n; i++) {
		const struct mpc_cache *c = &g->caches.cache[i];

		json_array_append_new(all,
			json_pack("{s:i,s:s,s:I,s:i,s:i,s:i,s:i,s:i}", "level", c->level, "type",
				type[c->type], "size", (json_int_t)c->size, "line", c->line, "ways",
				c->ways, "sets", c->sets, "shared", c->shared, "colours",
				c->colours));
	}
	return all;
}

void
report_caches(const struct ground *g, const struct mpc_map *map, bool json)
{
	static const char *const type[] = { "data", "code", "unified" };

	if (json) {
		json_t *o = json_pack("{s:i,s:o}", "cpu", g->cpu, "caches", caches_json(g));
		json_t *colour = map != NULL ? json_array() : NULL;

		for (uint32_t i = 0; map != NULL && i < map->pages; i++)
			json_array_append_new(colour,
				map->colour[i] == MPC_NO_COLOUR ? json_null() :
								  json_integer(map->colour[i]));
		if (map != NULL)
			json_object_set_new(o, "confident", json_boolean(map->confident));
		if (map != NULL)
			json_object_set_new(o, "colour", colour);
		put_json(o);
		return;
	}
	printf("caches of CPU %d\nlevel  type        size  ways   sets  line  shared  colours\n",
		g->cpu);
	for (unsigned int i = 0; i < g->caches.n; i++) {
		const struct mpc_cache *c = &g->caches.cache[i];

		printf("%5u  %-8s %4u KiB  %4u  %5u  %4u  %6u  %7u\n", c->level, type[c->type],
			c->size >> 10, c->ways, c->sets, c->line, c->shared, c->colours);
	}
}

static json_t *
latency_json(const struct verify_latency *l)
{
	return json_pack("{s:f,s:f,s:f}", "alone", l->alone, "same", l->same, "others", l->others);
}

void
report_verification(const struct ground *g, const struct verify_result *r, bool json)
{
	if (json) {
		json_t *o = latency_json(&r->all), *colour = json_array();

		for (uint32_t c = 0; c < r->colours; c++)
			json_array_append_new(colour, latency_json(&r->colour[c]));
		json_object_set_new(o, "level", json_string(level_name(g)));
		json_object_set_new(o, "kept", json_real(r->kept));
		json_object_set_new(o, "good", json_boolean(r->good));
		json_object_set_new(o, "colours", colour);
		put_json(o);
		return;
	}
	printf("a hot set of %u pages of one colour takes, in cycles a page, median of %u colours:\n"
	       "  %6.0f  alone\n"
	       "  %6.0f  after a stream through %u pages of its own colour\n"
	       "  %6.0f  after a stream through %u pages of all other colours, %.0f times the cache\n",
		r->hot, r->colours, r->all.alone, r->all.same, r->stream_same, r->all.others,
		r->stream_others, (double)r->stream_others * MPC_PAGE / g->cache.size);
	printf("%s: the other colours leave it %.0f %% of what its own would take away\n",
		r->good ? "good" : "not good", 100 * r->kept);
}

void
report_bench(const struct bench_result *r, bool json)
{
	if (json)
		put_json(bench_json(r));
	else
		bench_table(r, stdout);
}

void
report_flow(const struct mpc_mcmf *p, const struct mpc_mcmf_answer *a, const struct options *o,
	double seconds)
{
	if (o->json) {
		json_t *flow = json_array();

		for (uint32_t e = 0; e < p->arcs; e++)
			json_array_append_new(flow, json_integer(a->flow[e]));
		put_json(json_pack("{s:I,s:I,s:I,s:I,s:f,s:b,s:o}", "cost", (json_int_t)a->cost,
			"nodes", (json_int_t)p->nodes, "arcs", (json_int_t)p->arcs, "pivots",
			(json_int_t)a->pivots, "seconds", seconds, "checked", o->check, "flow",
			flow));
		return;
	}
	printf("c %u nodes, %u arcs, %llu pivots, %.6f s%s\ns %lld\n", p->nodes, p->arcs,
		(unsigned long long)a->pivots, seconds,
		o->check ? "; potentials prove that it is optimal" : "", (long long)a->cost);
	for (uint32_t e = 0; e < p->arcs; e++)
		if (a->flow[e] != 0)
			printf("f %u %u %lld\n", p->tail[e] + 1, p->head[e] + 1,
				(long long)a->flow[e]);
}

void
report_footprint(const struct footprint_report *r, bool json)
{
	if (json)
		put_json(footprint_report_json(r));
	else
		footprint_report_table(r, stdout);
}

void
report_plan(const struct plan_report *r, bool json)
{
	if (json)
		put_json(plan_report_json(r));
	else
		plan_report_table(r, stdout);
}

void
report_picture(FILE *to, const struct mpc_map *map)
{
	static const char sign[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-";

	for (uint32_t i = 0; i < map->pages; i++) {
		uint16_t c = map->colour[i];

		if (i % ROW == 0)
			fprintf(to, "%s%6u K ", i > 0 ? "\n" : "", i * (MPC_PAGE / 1024));
		fputc(c == MPC_NO_COLOUR ? '.' : c < ROW ? sign[c] : '?', to);
	}
	fputc('\n', to);
}

int
report_svg(const char *file, const struct ground *g, const struct mpc_map *map, struct nfv_err *err)
{
	enum { CELL = 8, SIDE = 10, TOP = 34, PER_ROW = 128 };
	uint32_t rows = (map->pages + PER_ROW - 1) / PER_ROW;
	FILE *to = fopen(file, "we");
	bool bad;

	if (to == NULL)
		return nfv_fail(err, EIO, "%s: %s", file, strerror(errno));
	fprintf(to,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %u %u\" "
		"font-family=\"sans-serif\" font-size=\"14\">\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
		"<text x=\"%d\" y=\"22\">%u MiB by colour of the level %u cache (%u KiB, %u ways): %u "
		"colours, a cell a page, %u KiB a row</text>\n"
		"<g shape-rendering=\"crispEdges\">\n",
		2 * SIDE + PER_ROW * CELL, TOP + rows * CELL + SIDE, SIDE,
		(unsigned int)(g->region.size >> 20), g->cache.level, g->cache.size >> 10,
		g->cache.ways, map->classes, PER_ROW * MPC_PAGE / 1024);
	/* One path a colour: its cells as squares, so that the file stays small. */
	for (uint32_t c = 0; c < map->classes; c++) {
		fprintf(to, "<path fill=\"hsl(%u,%u%%,%u%%)\" d=\"", c * 360 / map->classes,
			c % 2 ? 85 : 60, 35 + c % 3 * 15);
		for (uint32_t i = 0; i < map->pages; i++)
			if (map->colour[i] == c)
				fprintf(to, "M%u,%uh%dv%dh-%dz", SIDE + i % PER_ROW * CELL,
					TOP + i / PER_ROW * CELL, CELL - 1, CELL - 1, CELL - 1);
		fprintf(to, "\"><title>colour %u</title></path>\n", c);
	}
	fputs("</g>\n</svg>\n", to);
	bad = ferror(to) != 0;
	if (fclose(to) != 0 || bad)
		return nfv_fail(err, EIO, "%s: it could not be written", file);
	return 0;
}
