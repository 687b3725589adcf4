#include <math.h>
#include <string.h>

#include "bench.h"
#include "plot.h"

#define PANEL  330.0 /* width of a case's plot */
#define HEIGHT 300.0
#define LEFT   70.0
#define TOP    118.0
#define GAP    70.0
#define TALL   2.5 /* ratios beyond are shown as arrows */

const char *
bench_verdict(const struct bench_result *r, const struct bench_arm *a)
{
	uint32_t n = r->options.repetitions;

	if (10 * a->won >= 9 * n)
		return "gains";
	return 10 * a->won <= n ? "loses" : "undecided";
}

static void
arm_name(const struct bench_arm *a, char *buf, size_t size)
{
	if (a->colours > 0)
		snprintf(buf, size, "%s %u", a->name, a->colours);
	else
		snprintf(buf, size, "%s", a->name);
}

static void
table_row(const struct bench_result *r, const struct bench_row *row, FILE *out)
{
	fprintf(out, "%-10s  %7u  ", bench_case_name(row->which), row->depth);
	if (row->skipped[0] != '\0') {
		fprintf(out, "skipped: %s\n", row->skipped);
		return;
	}
	for (unsigned int i = 0; i < row->arms; i++) {
		const struct bench_arm *a = &row->arm[i];
		char name[32];

		arm_name(a, name, sizeof(name));
		if (i > 0)
			fprintf(out, "%21s", "");
		fprintf(out, "%-10s %6.2f [%6.2f %6.2f]  %6.0f [%5.0f %6.0f]", name,
			a->pps.median / 1e6, a->pps.min / 1e6, a->pps.max / 1e6, a->cycles.median,
			a->cycles.min, a->cycles.max);
		if (i > 0)
			fprintf(out, "  %5.2f [%4.2f %4.2f]  %s%s", a->ratio.median, a->ratio.min,
				a->ratio.max, bench_verdict(r, a),
				i == row->best ? ", best share" : "");
		fputc('\n', out);
	}
}

static void
summary(const struct bench_result *r, const struct bench_row *row, FILE *out)
{
	const struct bench_arm *best = &row->arm[row->best];
	const char *verdict = bench_verdict(r, best);

	if (row->skipped[0] != '\0')
		return;
	fprintf(out, "%s, %u buffers: with %u of %u colours for the buffers %.2f times off; %s",
		bench_case_name(row->which), row->depth, best->colours, r->options.cache.colours,
		best->ratio.median,
		strcmp(verdict, "gains") == 0         ? "colour gains" :
			strcmp(verdict, "loses") == 0 ? "colour loses whatever the share" :
							"the pairs disagree");
	for (unsigned int i = 2; i < row->first_static; i++)
		fprintf(out, "; without colour, %s: %.2f times off", row->arm[i].name,
			row->arm[i].ratio.median);
	fputc('\n', out);
}

void
bench_table(const struct bench_result *r, FILE *out)
{
	const struct bench_options *o = &r->options;

	fprintf(out, "%s, CPU %d", r->model, o->cpu);
	if (o->helper >= 0)
		fprintf(out, ", helper on CPU %d", o->helper);
	fprintf(out,
		"; level %u cache: %u KiB, %u ways, %u colours%s\n"
		"table of %u KiB, %u look-ups and %u lines a packet; medians of %u repetitions of %u "
		"packets, [least most]\n\n",
		o->cache.level, o->cache.size >> 10, o->cache.ways, o->cache.colours,
		r->confident ? "" : " (the map is not confident)", o->table >> 10, o->lookups,
		o->lines, o->repetitions, o->packets);
	fprintf(out, "%-10s  %7s  %-10s %-22s  %-21s  %s\n", "case", "buffers", "arm",
		"million packets/s", "cycles a packet", "times off, pair by pair");
	for (unsigned int i = 0; i < r->rows; i++)
		table_row(r, &r->row[i], out);
	fputc('\n', out);
	for (unsigned int i = 0; i < r->rows; i++)
		summary(r, &r->row[i], out);
}

static json_t *
spread_json(const struct bench_spread *s)
{
	return json_pack("{s:f, s:f, s:f}", "median", s->median, "min", s->min, "max", s->max);
}

/* Packets a second at the top, as what is asked for first. */
static json_t *
arm_json(const struct bench_result *r, const struct bench_arm *a, bool is_off)
{
	json_t *j = spread_json(&a->pps);

	json_object_set_new(j, "cycles", spread_json(&a->cycles));
	if (a->colours > 0)
		json_object_set_new(j, "colours", json_integer(a->colours));
	else if (!is_off)
		json_object_set_new(j, "name", json_string(a->name));
	if (is_off)
		return j;
	json_object_set_new(j, "ratio", json_real(a->ratio.median));
	json_object_set_new(j, "ratio_min", json_real(a->ratio.min));
	json_object_set_new(j, "ratio_max", json_real(a->ratio.max));
	json_object_set_new(j, "verdict", json_string(bench_verdict(r, a)));
	return j;
}

static json_t *
row_json(const struct bench_result *r, const struct bench_row *row)
{
	json_t *j = json_pack(
		"{s:s, s:i}", "name", bench_case_name(row->which), "depth", (int)row->depth);
	json_t *rivals = json_array(), *shares = json_array();

	if (row->skipped[0] != '\0') {
		json_object_set_new(j, "skipped", json_string(row->skipped));
		json_decref(rivals);
		json_decref(shares);
		return j;
	}
	json_object_set_new(j, "off", arm_json(r, &row->arm[0], true));
	for (unsigned int i = 1; i < row->arms; i++)
		json_array_append_new(
			i < row->first_static ? rivals : shares, arm_json(r, &row->arm[i], false));
	json_object_set_new(j, "rivals", rivals);
	json_object_set_new(j, "static", shares);
	json_object_set_new(j, "best_share", json_integer(row->arm[row->best].colours));
	json_object_set_new(j, "ratio", json_real(row->arm[row->best].ratio.median));
	return j;
}

static json_t *
numbers(const uint32_t *v, unsigned int n)
{
	json_t *j = json_array();

	for (unsigned int i = 0; i < n; i++)
		json_array_append_new(j, json_integer(v[i]));
	return j;
}

json_t *
bench_json(const struct bench_result *r)
{
	const struct bench_options *o = &r->options;
	char level[8];
	json_t *j, *cases = json_array();

	snprintf(level, sizeof(level), "l%u", o->cache.level);
	for (unsigned int i = 0; i < r->rows; i++)
		json_array_append_new(cases, row_json(r, &r->row[i]));
	j = json_pack(
		"{s:s, s:i, s:f, s:b, s:{s:i, s:i, s:i}, s:{s:I, s:i, s:i, s:o, s:o, s:i, s:i, "
		"s:i, s:i, s:I}, s:o}",
		"model", r->model, "cpu", o->cpu, "tsc_hz", r->tsc_hz, "confident", r->confident,
		level, "size", (int)o->cache.size, "ways", (int)o->cache.ways, "colours",
		(int)o->cache.colours, "options", "table_bytes", (json_int_t)o->table, "lookups",
		(int)o->lookups, "lines", (int)o->lines, "depths", numbers(o->depth, o->depths),
		"shares", numbers(o->share, o->shares), "repetitions", (int)o->repetitions,
		"packets", (int)o->packets, "cpu", o->cpu, "helper", o->helper, "seed",
		(json_int_t)o->seed, "cases", cases);
	return j;
}

/* Where an arm stands in a panel: shares from left to right, then the rivals, set apart. */
static double
column(const struct bench_row *row, unsigned int arm, double left)
{
	unsigned int shares = row->arms - row->first_static, rivals = row->first_static - 1;
	double step = PANEL / (shares + rivals + 0.5);

	if (arm >= row->first_static)
		return left + (arm - row->first_static + 0.5) * step;
	return left + (shares + arm) * step;
}

/* Series of one case lie side by side, so that their whiskers do not cover each other. */
static double
beside(const struct bench_result *r, unsigned int series)
{
	return 9 * (series - (r->options.depths - 1) / 2.0);
}

static void
draw_series(const struct bench_result *r, const struct bench_row *row, unsigned int series,
	const struct plot_scale *y, double left, FILE *out)
{
	double px[BENCH_ARMS], py[BENCH_ARMS];
	unsigned int n = 0;

	for (unsigned int i = row->first_static; i < row->arms; i++) {
		px[n] = column(row, i, left) + beside(r, series);
		py[n++] = plot_at(y, row->arm[i].ratio.median);
	}
	plot_path(out, px, py, n, plot_colour(series), 1.6);
	for (unsigned int i = 1; i < row->arms; i++) {
		const struct bench_arm *a = &row->arm[i];
		double x = column(row, i, left) + beside(r, series);
		double v = a->ratio.median > y->hi ? y->hi : a->ratio.median;

		plot_whisker(out, y, x, a->ratio.min, a->ratio.max, plot_colour(series));
		plot_dot(out, x, plot_at(y, v), 3.6, plot_colour(series));
	}
}

static void
draw_panel(const struct bench_result *r, const struct bench_row *row, const struct plot_scale *y,
	double left, FILE *out)
{
	static const char *const what[] = { "this core writes the packets anew",
		"another core wrote the packets just before",
		"this core keeps copies of the packets" };
	double right = left + PANEL, one = plot_at(y, 1);

	plot_text(out, left, TOP - 28, PLOT_START, 15, PLOT_INK, "%s", bench_case_name(row->which));
	plot_text(out, left, TOP - 11, PLOT_START, 12, PLOT_GREY, "%s", what[row->which]);
	plot_axis_y(out, y, left, right, "packets/s, times those of off");
	plot_line(out, left, one, right, one, PLOT_INK, 1.2, true);
	if (row->skipped[0] != '\0') {
		plot_text(out, left + PANEL / 2, TOP + HEIGHT / 2, PLOT_MIDDLE, 12, PLOT_GREY,
			"skipped: %s", row->skipped);
		return;
	}
	for (unsigned int i = 1; i < row->arms; i++) {
		const struct bench_arm *a = &row->arm[i];
		double x = column(row, i, left);

		if (a->colours > 0)
			plot_text(out, x, TOP + HEIGHT + 18, PLOT_MIDDLE, 12, PLOT_INK, "%u",
				a->colours);
		else
			plot_text(out, x, TOP + HEIGHT + 18, PLOT_MIDDLE, 12, PLOT_GREY, "%s",
				a->name);
	}
	plot_text(out, left + PANEL / 2, TOP + HEIGHT + 38, PLOT_MIDDLE, 13, PLOT_INK,
		"colours for the buffers, of %u", r->options.cache.colours);
	for (unsigned int d = 0; d < r->options.depths; d++)
		draw_series(r, row + d, d, y, left, out);
}

/* What all panels share: from nothing to the highest whisker, but not beyond TALL. */
static struct plot_scale
ratio_scale(const struct bench_result *r)
{
	struct plot_scale y = { .hi = 1.2, .from = TOP + HEIGHT, .to = TOP };

	for (unsigned int i = 0; i < r->rows; i++)
		for (unsigned int k = 1; k < r->row[i].arms; k++)
			if (r->row[i].arm[k].ratio.max > y.hi)
				y.hi = r->row[i].arm[k].ratio.max;
	y.hi = y.hi > TALL ? TALL : ceil(y.hi * 4) / 4;
	return y;
}

void
bench_svg(const struct bench_result *r, FILE *out)
{
	const struct bench_options *o = &r->options;
	unsigned int panels = o->depths > 0 ? r->rows / o->depths : 0;
	double width = LEFT + panels * (PANEL + GAP) - GAP + 24, x = LEFT;
	struct plot_scale y = ratio_scale(r);

	plot_open(out, width, TOP + HEIGHT + 108, "Packets per second with and without colours");
	plot_text(out, LEFT, 30, PLOT_START, 17, PLOT_INK,
		"Packet buffers confined to some of the colours, beside a hot table of %u KiB",
		o->table >> 10);
	plot_text(out, LEFT, 52, PLOT_START, 12, PLOT_GREY,
		"%s, level %u cache of %u KiB; %u look-ups, %u lines a packet; %u paired repetitions",
		r->model, o->cache.level, o->cache.size >> 10, o->lookups, o->lines,
		o->repetitions);
	for (unsigned int p = 0; p < panels; p++)
		draw_panel(r, &r->row[(size_t)p * o->depths], &y, LEFT + p * (PANEL + GAP), out);
	for (unsigned int d = 0; d < o->depths; d++) {
		plot_dot(out, x + 4, TOP + HEIGHT + 68, 4, plot_colour(d));
		plot_text(out, x + 14, TOP + HEIGHT + 72, PLOT_START, 12, PLOT_INK, "%u buffers",
			o->depth[d]);
		x += 110;
	}
	plot_line(out, x, TOP + HEIGHT + 68, x + 24, TOP + HEIGHT + 68, PLOT_INK, 1.2, true);
	plot_text(out, x + 30, TOP + HEIGHT + 72, PLOT_START, 12, PLOT_INK, "off: random pages");
	plot_text(out, LEFT, TOP + HEIGHT + 94, PLOT_START, 12, PLOT_GREY,
		"even: all colours for both, evenly; nt: random pages, copies by stores that go around "
		"the cache; whiskers: least and most; arrows: further");
	plot_close(out);
}
