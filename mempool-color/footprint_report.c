#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "footprint_report.h"
#include "plot.h"

#define SIZES   160
#define COLUMNS 8 /* classes in the table, at most; JSON has all */

static int
take_curves(const struct mpc_footprint *f, struct footprint_report *r, struct nfv_err *err)
{
	int rc = mpc_footprint_curve(f, MPC_TOGETHER, MPC_TRACE_TIME, MPC_HOTL, &r->together, err);

	for (uint32_t c = 0; c < r->info.classes && rc == 0; c++) {
		rc = mpc_footprint_curve(f, c, MPC_OWN_TIME, MPC_HOTL, &r->alone[c], err);
		if (rc == 0)
			rc = mpc_footprint_curve(
				f, c, MPC_TRACE_TIME, MPC_HOTL, &r->within[c], err);
	}
	return rc;
}

int
footprint_report_read(
	const char *file, double rate, struct footprint_report *out, struct nfv_err *err)
{
	struct mpc_footprint_options o = { .rate = rate };
	struct footprint_report r = { .count = { .accesses = 0 } };
	struct mpc_trace_reader *reader = NULL;
	struct mpc_footprint *f = NULL;
	struct mpc_access a[1024];
	int n = 0, rc = mpc_trace_open(file, NULL, &reader, err);

	if (rc == 0)
		rc = mpc_footprint_create(&o, &f, err);
	while (rc == 0 && (n = mpc_trace_read(reader, a, 1024, err)) > 0)
		rc = mpc_footprint_add(f, a, (size_t)n, err);
	rc = n < 0 ? n : rc;
	if (rc < 0)
		goto fail;
	mpc_footprint_end(f);
	snprintf(r.file, sizeof(r.file), "%s", file);
	r.info = *mpc_trace_info(reader);
	r.count = mpc_footprint_count(f);
	rc = r.count.sampled > 0 ?
		take_curves(f, &r, err) :
		r.count.accesses > 0 ?
		nfv_fail(err, EINVAL,
			"%s: none of its lines is in the sample; give a higher --rate", file) :
		nfv_fail(err, EINVAL, "%s: no accesses are in it", file);
	if (rc < 0)
		goto fail;
	mpc_footprint_destroy(f);
	mpc_trace_close(reader);
	*out = r;
	return 0;
fail:
	footprint_report_fini(&r);
	mpc_footprint_destroy(f);
	mpc_trace_close(reader);
	return rc;
}

void
footprint_report_fini(struct footprint_report *r)
{
	for (uint32_t c = 0; c < MPC_CLASSES; c++) {
		mpc_curve_fini(&r->alone[c]);
		mpc_curve_fini(&r->within[c]);
	}
	mpc_curve_fini(&r->together);
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sizes of caches in lines: so many an octave, up to what all of it needs, and the machine's own. */
static unsigned int
sizes(const struct footprint_report *r, unsigned int octave, double size[SIZES])
{
	double last = exp2(ceil(log2(fmax(r->together.lines, 16)))), first = fmax(16, last / 1024);
	unsigned int n = 0, kept = 0;

	for (; n < SIZES - MPC_CACHES; n++) {
		size[n] = round(first * exp2((double)n / octave));
		if (size[n] > last)
			break;
	}
	for (unsigned int i = 0; i < r->info.caches.n; i++)
		if (r->info.caches.cache[i].type != MPC_CACHE_INSTRUCTION)
			size[n++] = (double)r->info.caches.cache[i].size / r->info.line;
	qsort(size, n, sizeof(*size), ascending);
	for (unsigned int i = 0; i < n; i++)
		if (kept == 0 || size[i] > size[kept - 1])
			size[kept++] = size[i];
	return kept;
}

/* All classes in one cache: how many lines of it each has, and its misses. */
static void
share(const struct footprint_report *r, double lines, struct mpc_member m[MPC_CLASSES])
{
	for (uint32_t c = 0; c < r->info.classes; c++)
		m[c] = (struct mpc_member){ &r->within[c], 1, 1, 0, 0 };
	mpc_corun(m, r->info.classes, lines);
}

static double
kib(const struct footprint_report *r, double lines)
{
	return lines * r->info.line / 1024;
}

/* The level of a cache of this size, 0: the machine has none such. */
static unsigned int
level_of(const struct footprint_report *r, double lines)
{
	for (unsigned int i = 0; i < r->info.caches.n; i++) {
		const struct mpc_cache *c = &r->info.caches.cache[i];

		if (c->type != MPC_CACHE_INSTRUCTION && (double)c->size / r->info.line == lines)
			return c->level;
	}
	return 0;
}

static void
table_classes(const struct footprint_report *r, FILE *out)
{
	fprintf(out, "%-20s %8s %12s %6s %10s %10s\n", "class", "pages", "accesses", "", "lines",
		"KiB");
	for (uint32_t c = 0; c < r->info.classes; c++) {
		const struct mpc_curve *a = &r->alone[c];

		fprintf(out, "%-20s ", r->info.class[c].name);
		if (r->info.class[c].pages > 0)
			fprintf(out, "%8u ", r->info.class[c].pages);
		else
			fprintf(out, "%8s ", "-");
		fprintf(out, "%12.0f %4.0f %% %10.0f %10.0f\n", a->accesses,
			100 * a->accesses / r->together.accesses, a->lines, kib(r, a->lines));
	}
	fprintf(out, "%-20s %8s %12.0f %6s %10.0f %10.0f\n", "together", "", r->together.accesses,
		"", r->together.lines, kib(r, r->together.lines));
}

static void
table_misses(const struct footprint_report *r, bool alone, FILE *out)
{
	uint32_t columns = r->info.classes < COLUMNS ? r->info.classes : COLUMNS;
	double size[SIZES];
	unsigned int n = sizes(r, 1, size);

	fprintf(out, "\nmisses per access, %s\n%14s",
		alone ? "each class alone in a cache of" : "all together in a cache of", "KiB");
	for (uint32_t c = 0; c < columns; c++)
		fprintf(out, " %12.12s", r->info.class[c].name);
	fprintf(out, "%s\n", alone ? "" : "          all");
	for (unsigned int i = 0; i < n; i++) {
		unsigned int level = level_of(r, size[i]);
		struct mpc_member m[MPC_CLASSES];

		share(r, size[i], m);
		if (level > 0)
			fprintf(out, "level %u ", level);
		fprintf(out, "%*.0f", level > 0 ? 6 : 14, kib(r, size[i]));
		for (uint32_t c = 0; c < columns; c++)
			fprintf(out, " %12.4f",
				alone ? mpc_curve_miss(&r->alone[c], size[i]) : m[c].miss);
		if (!alone)
			fprintf(out, " %12.4f", mpc_curve_miss(&r->together, size[i]));
		fputc('\n', out);
	}
}

void
footprint_report_table(const struct footprint_report *r, FILE *out)
{
	fprintf(out, "%s: %llu accesses to lines of %u bytes", r->file,
		(unsigned long long)r->count.accesses, r->info.line);
	if (r->count.rate < 1)
		fprintf(out, "; %.3g %% of the lines sampled", 100 * r->count.rate);
	fputs("\n\n", out);
	table_classes(r, out);
	table_misses(r, true, out);
	table_misses(r, false, out);
	if (r->info.classes > COLUMNS)
		fprintf(out, "\n%u classes more: --json has them all\n", r->info.classes - COLUMNS);
	if (r->info.lost > 0)
		fprintf(out,
			"\n%llu accesses were lost while it was recorded: reuse across the gaps "
			"looks nearer than it is\n",
			(unsigned long long)r->info.lost);
	if (r->count.shared > 0)
		fprintf(out,
			"\n%llu accesses were to another class's lines: the classes are not "
			"disjoint, and those touching first are charged\n",
			(unsigned long long)r->count.shared);
}

static json_t *
class_json(const struct footprint_report *r, uint32_t c, const double *size, unsigned int n)
{
	json_t *alone = json_array(), *together = json_array();
	struct mpc_member m[MPC_CLASSES];

	for (unsigned int i = 0; i < n; i++) {
		share(r, size[i], m);
		json_array_append_new(alone, json_real(mpc_curve_miss(&r->alone[c], size[i])));
		json_array_append_new(
			together, json_pack("{s:f, s:f}", "miss", m[c].miss, "lines", m[c].lines));
	}
	return json_pack("{s:s, s:I, s:f, s:f, s:o, s:o}", "name", r->info.class[c].name, "pages",
		(json_int_t)r->info.class[c].pages, "accesses", r->alone[c].accesses, "lines",
		r->alone[c].lines, "alone", alone, "together", together);
}

json_t *
footprint_report_json(const struct footprint_report *r)
{
	json_t *classes = json_array(), *bytes = json_array(), *miss = json_array();
	double size[SIZES];
	unsigned int n = sizes(r, 4, size);

	for (unsigned int i = 0; i < n; i++) {
		json_array_append_new(bytes, json_integer((json_int_t)(size[i] * r->info.line)));
		json_array_append_new(miss, json_real(mpc_curve_miss(&r->together, size[i])));
	}
	for (uint32_t c = 0; c < r->info.classes; c++)
		json_array_append_new(classes, class_json(r, c, size, n));
	return json_pack("{s:s, s:i, s:I, s:I, s:I, s:f, s:f, s:o, s:o, s:o}", "file", r->file,
		"line", (int)r->info.line, "accesses", (json_int_t)r->count.accesses, "lost",
		(json_int_t)r->info.lost, "shared", (json_int_t)r->count.shared, "rate",
		r->count.rate, "lines", r->together.lines, "size", bytes, "miss", miss, "classes",
		classes);
}

struct panel {
	struct plot_scale x, y;
};

static void
draw_curve(const struct footprint_report *r, const struct panel *p, uint32_t class, bool alone,
	const char *colour, FILE *out)
{
	double size[SIZES], px[SIZES], py[SIZES];
	unsigned int n = sizes(r, 12, size);

	for (unsigned int i = 0; i < n; i++) {
		struct mpc_member m[MPC_CLASSES];
		double miss;

		if (!alone && class != MPC_TOGETHER)
			share(r, size[i], m);
		miss = class == MPC_TOGETHER ? mpc_curve_miss(&r->together, size[i]) :
			alone                ? mpc_curve_miss(&r->alone[class], size[i]) :
					       m[class].miss;
		px[i] = plot_at(&p->x, kib(r, size[i]));
		py[i] = plot_at(&p->y, miss);
	}
	plot_path(out, px, py, n, colour, 1.8);
}

static void
draw_panel(const struct footprint_report *r, double left, bool alone, FILE *out)
{
	enum { TOP = 100, WIDTH = 380, HEIGHT = 300 };
	struct panel p = { { .from = left, .to = left + WIDTH, .log = true },
		{ .lo = 0, .hi = 1, .from = TOP + HEIGHT, .to = TOP } };
	uint32_t shown = r->info.classes < COLUMNS ? r->info.classes : COLUMNS;
	double size[SIZES];
	unsigned int n = sizes(r, 1, size);

	p.x.lo = kib(r, size[0]);
	p.x.hi = kib(r, size[n - 1]);
	plot_text(out, left, TOP - 14, PLOT_START, 14, PLOT_INK, "%s",
		alone ? "each class alone in the cache" : "all classes in one cache");
	plot_axis_x(out, &p.x, TOP, TOP + HEIGHT, "cache, KiB");
	plot_axis_y(out, &p.y, left, left + WIDTH, "misses per access");
	for (unsigned int i = 0; i < n; i++) {
		double at = plot_at(&p.x, kib(r, size[i]));

		if (level_of(r, size[i]) == 0)
			continue;
		plot_line(out, at, TOP, at, TOP + HEIGHT, PLOT_GREY, 1, true);
		plot_text(out, at + 4, TOP + 12, PLOT_START, 11, PLOT_GREY, "L%u",
			level_of(r, size[i]));
	}
	for (uint32_t c = 0; c < shown; c++)
		draw_curve(r, &p, c, alone, plot_colour(c), out);
	if (!alone)
		draw_curve(r, &p, MPC_TOGETHER, alone, PLOT_INK, out);
	for (uint32_t c = 0; c <= shown && alone; c++) {
		uint32_t row = c / 5;
		double x = 74 + c % 5 * 170, y = TOP + HEIGHT + 64 + row * 20;

		plot_dot(out, x, y, 4, c < shown ? plot_colour(c) : PLOT_INK);
		plot_text(out, x + 10, y + 4, PLOT_START, 12, PLOT_INK, "%s",
			c < shown ? r->info.class[c].name : "all together");
	}
}

void
footprint_report_svg(const struct footprint_report *r, FILE *out)
{
	plot_open(out, 940, 510, "Misses per access by size of the cache");
	plot_text(out, 70, 30, PLOT_START, 17, PLOT_INK, "Misses per access by size of the cache");
	plot_text(out, 70, 52, PLOT_START, 12, PLOT_GREY,
		"%s: %llu accesses, %.0f lines of %u bytes%s; fully associative, least recently used",
		r->file, (unsigned long long)r->count.accesses, r->together.lines, r->info.line,
		r->count.rate < 1 ? " (sampled)" : "");
	draw_panel(r, 70, true, out);
	draw_panel(r, 530, false, out);
	plot_close(out);
}
