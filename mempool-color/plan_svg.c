#include <math.h>
#include <string.h>

#include "plan_report.h"
#include "plot.h"

enum {
	LEFT = 150,   /* of the first panel, at least: names of classes stand here */
	PANEL = 400,  /* width of a panel's colours */
	BESIDE = 150, /* misses, to the right of them */
	GAP = 30,
	TOP = 118,
	ROW = 24,
	STRIP = 18, /* misses by colour, under the classes */
	SHADES = 5, /* of the legend */
};

/* From white to a colour; part from 0 to 1. */
static void
shade(double part, const unsigned int full[3], char out[8])
{
	unsigned int c[3];

	part = part < 0 ? 0 : part > 1 ? 1 : part;
	for (int i = 0; i < 3; i++)
		c[i] = (unsigned int)lround(247 - (247 - (double)full[i]) * part);
	snprintf(out, 8, "#%02x%02x%02x", c[0] & 255, c[1] & 255, c[2] & 255);
}

/* Each flow a colour of its own; they are told apart by the colour-blind too. */
static void
flow_shade(const struct plan_report *r, uint32_t class, double part, char out[8])
{
	static const unsigned int full[][3] = { { 0, 114, 178 }, { 213, 94, 0 }, { 0, 158, 115 },
		{ 160, 80, 150 }, { 150, 110, 10 }, { 68, 68, 68 } };
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->class[class].flow; i++)
		n += r->class[i].flow == i;
	shade(part, full[n % (sizeof(full) / sizeof(full[0]))], out);
}

static const unsigned int heat[3] = { 190, 20, 30 };

/* Pages of a class in a colour, on all sockets. */
static double
pages_in(const struct plan_report *r, enum mpc_plan_arm arm, uint32_t class, uint32_t colour)
{
	uint32_t colours = r->machine.cache.colours;
	const uint32_t *row = r->arm[arm].pages + (size_t) class * r->machine.sockets * colours;
	double n = 0;

	for (uint32_t s = 0; s < r->machine.sockets; s++)
		n += row[(size_t)s * colours + colour];
	return n;
}

static double
misses_in(const struct plan_report *r, enum mpc_plan_arm arm, uint32_t colour)
{
	double sum = 0;

	for (uint32_t i = 0; i < r->classes; i++)
		sum += r->arm[arm].miss[(size_t)i * r->machine.cache.colours + colour];
	return sum;
}

/* The most misses that a class has in either of the two arms, and a colour. */
static void
greatest(const struct plan_report *r, double *class, double *colour)
{
	static const enum mpc_plan_arm arm[] = { MPC_PLAN_OFF, MPC_PLAN_MCMF };

	*class = *colour = 0;
	for (int a = 0; a < 2; a++) {
		for (uint32_t i = 0; i < r->classes; i++)
			*class = fmax(*class, plan_report_misses(r, arm[a], i));
		for (uint32_t k = 0; k < r->machine.cache.colours; k++)
			*colour = fmax(*colour, misses_in(r, arm[a], k));
	}
}

/* A number in four characters or so. */
static const char *
brief(double v, char text[16])
{
	static const struct {
		double of;
		const char *name;
	} unit[] = { { 1e9, "G" }, { 1e6, "M" }, { 1e3, "k" } };

	for (size_t i = 0; i < sizeof(unit) / sizeof(unit[0]); i++)
		if (v >= unit[i].of) {
			snprintf(text, 16, "%.3g %s", v / unit[i].of, unit[i].name);
			return text;
		}
	snprintf(text, 16, "%.3g", v);
	return text;
}

static void
draw_class(const struct plan_report *r, enum mpc_plan_arm arm, uint32_t class, double left,
	double most, FILE *out)
{
	uint32_t colours = r->machine.cache.colours;
	double y = TOP + ROW * class, width = (double)PANEL / colours, all = 0;
	double misses = plan_report_misses(r, arm, class), seam = width > 4 ? 1 : 0;
	char colour[8], text[16];

	for (uint32_t k = 0; k < colours; k++)
		all = fmax(all, pages_in(r, arm, class, k));
	for (uint32_t k = 0; k < colours; k++) {
		double n = pages_in(r, arm, class, k);

		/* A few pages are to be seen beside many. */
		flow_shade(r, class, n > 0 ? 0.25 + 0.75 * n / all : 0, colour);
		plot_rect(out, left + k * width, y, width - seam, ROW - 2, colour);
	}
	flow_shade(r, class, 0.55, colour);
	if (most > 0)
		plot_rect(out, left + PANEL + 8, y + 4, 80 * misses / most, ROW - 10, colour);
	plot_text(out, left + PANEL + 96, y + ROW - 8, PLOT_START, 12, PLOT_INK, "%s",
		brief(misses / r->units, text));
}

static void
draw_panel(const struct plan_report *r, enum mpc_plan_arm arm, double left, FILE *out)
{
	uint32_t colours = r->machine.cache.colours, step = colours > 16 ? colours / 8 : 4;
	double width = (double)PANEL / colours, bottom = TOP + ROW * r->classes, most, hot;
	char colour[8], text[16];

	greatest(r, &most, &hot);
	plot_text(out, left, TOP - 30, PLOT_START, 15, PLOT_INK, "%s",
		arm == MPC_PLAN_OFF ? "before: off" : "after: mcmf");
	plot_text(out, left, TOP - 12, PLOT_START, 12, PLOT_GREY, "%s misses a%s %s",
		brief(r->machine.miss > 0 ? (r->arm[arm].cost.total - r->arm[arm].cost.remote) /
					r->machine.miss :
					    0,
			text),
		r->seconds > 0 ? "" : "n", r->seconds > 0 ? "second" : "access");
	plot_text(out, left + PANEL + 8, TOP - 12, PLOT_START, 12, PLOT_GREY, "misses/%s",
		r->seconds > 0 ? "s" : "access");
	for (uint32_t i = 0; i < r->classes; i++)
		draw_class(r, arm, i, left, most, out);
	for (uint32_t k = 0; k < colours; k++) {
		shade(hot > 0 ? misses_in(r, arm, k) / hot : 0, heat, colour);
		plot_rect(out, left + k * width, bottom + 8, width - (width > 4 ? 1 : 0), STRIP,
			colour);
	}
	for (uint32_t k = 0; k<colours; k += step> 0 ? step : 1)
		plot_text(out, left + (k + 0.5) * width, bottom + STRIP + 24, PLOT_MIDDLE, 11,
			PLOT_GREY, "%u", k);
	plot_text(out, left + PANEL / 2.0, bottom + STRIP + 42, PLOT_MIDDLE, 12, PLOT_INK,
		"colour of the level %u cache", r->machine.cache.level);
}

static void
draw_legend(double x, double y, const char *what, const unsigned int full[3], FILE *out)
{
	char colour[8];

	plot_text(out, x, y, PLOT_START, 12, PLOT_GREY, "%s", what);
	x += 6.6 * (double)strlen(what);
	for (int i = 0; i < SHADES; i++) {
		shade(i > 0 ? 0.25 + 0.75 * i / (SHADES - 1) : 0, full, colour);
		plot_rect(out, x + 22 * i, y - 11, 21, 14, colour);
	}
	plot_text(out, x + 22 * SHADES + 6, y, PLOT_START, 12, PLOT_GREY, "most");
}

/* Room for the longest name, at some 6.8 pixels a letter. */
static double
left_of(const struct plan_report *r)
{
	double left = LEFT;

	for (uint32_t i = 0; i < r->classes; i++)
		left = fmax(left, 30 + 6.8 * (double)strlen(r->class[i].name));
	return left;
}

void
plan_report_svg(const struct plan_report *r, FILE *out)
{
	static const unsigned int ink[3] = { 0, 114, 178 };
	double left = left_of(r), second = left + PANEL + BESIDE + GAP,
	       bottom = TOP + ROW * r->classes;
	const struct mpc_plan_cost *off = &r->arm[MPC_PLAN_OFF].cost,
				   *found = &r->arm[MPC_PLAN_MCMF].cost;

	plot_open(out, second + PANEL + BESIDE, bottom + STRIP + 96,
		"Pages of each class by colour, before and after");
	plot_text(out, 24, 32, PLOT_START, 18, PLOT_INK, "Where pages lie: classes by colour");
	plot_text(out, 24, 54, PLOT_START, 12, PLOT_GREY,
		"%s; level %u cache of %u KiB in %u colours; the plan saves %.1f %% of what misses "
		"cost%s",
		r->file, r->machine.cache.level, r->machine.cache.size >> 10,
		r->machine.cache.colours,
		off->total > 0 ? 100 * (1 - found->total / off->total) : 0,
		r->chosen == MPC_PLAN_OFF ? ", too little: colours stay off" : "");
	for (uint32_t i = 0; i < r->classes; i++)
		plot_text(out, left - 10, TOP + ROW * i + ROW - 8, PLOT_END, 12, PLOT_INK, "%s",
			r->class[i].name);
	plot_text(out, left - 10, bottom + 8 + STRIP - 5, PLOT_END, 12, PLOT_GREY,
		"misses by colour");
	draw_panel(r, MPC_PLAN_OFF, left, out);
	draw_panel(r, MPC_PLAN_MCMF, second, out);
	draw_legend(
		left, bottom + STRIP + 76, "pages, of the class's fullest colour: none", ink, out);
	draw_legend(second, bottom + STRIP + 76, "misses, of the worst colour: none", heat, out);
	plot_close(out);
}
