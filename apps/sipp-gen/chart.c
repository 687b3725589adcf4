#include <math.h>

#include "chart.h"

#define LEFT   62 /* a label */
#define RIGHT  40 /* half a label */
#define TOP    10
#define BOTTOM 26
#define TICKS  40 /* at most, of an axis */

double
chart_step(double span, unsigned int ticks)
{
	double raw = span / ticks, power = pow(10, floor(log10(raw)));

	if (!(span > 0) || !isfinite(raw))
		return 1;
	return power * (raw <= power ? 1 : raw <= 2 * power ? 2 : raw <= 5 * power ? 5 : 10);
}

/* Where on an axis: 0 … 1. */
static double
place(const struct chart_axis *a, double v)
{
	double f = a->log ? log(fmax(v, a->min) / a->min) / log(a->max / a->min) :
			    (v - a->min) / (a->max - a->min);

	return f > 1 ? 1 : f > 0 ? f : 0;
}

static double
at_x(const struct chart *c, double v)
{
	return LEFT + place(&c->x, v) * (c->width - LEFT - RIGHT);
}

static double
at_y(const struct chart *c, double v)
{
	return c->height - BOTTOM - place(&c->y, v) * (c->height - TOP - BOTTOM);
}

/* Ticks of 1, 2 and 5 to each power of ten, and of 1 alone where there are many. */
static unsigned int
log_ticks(const struct chart_axis *a, double out[TICKS])
{
	static const double in_decade[] = { 1, 2, 5 };
	unsigned int n = 0, each = a->max / a->min < 300 ? 3 : 1;
	int first = (int)floor(log10(a->min) + 1e-9), last = (int)ceil(log10(a->max));

	for (int d = first; d <= last; d++) {
		for (unsigned int k = 0; k < each && n < TICKS; k++) {
			out[n] = pow(10, d) * in_decade[k];
			n += out[n] >= a->min * 0.999 && out[n] <= a->max * 1.001;
		}
	}
	return n;
}

/* The axis' ticks into `out`; returns how many. */
static unsigned int
ticks(const struct chart_axis *a, double out[TICKS])
{
	double first = ceil(a->min / a->step);
	unsigned int n = 0;

	if (a->log)
		return log_ticks(a, out);
	while (n < TICKS && (first + n) * a->step <= a->max + a->step / 1e6) {
		out[n] = (first + n) * a->step;
		n++;
	}
	return n;
}

static void
make_sound(struct chart_axis *a, unsigned int wanted)
{
	if (a->log && !(a->min > 0))
		a->min = 1;
	if (!(a->max > a->min) || !isfinite(a->max))
		a->max = a->log ? a->min * 10 : a->min + 1;
	if (!(a->step > 0) || (a->max - a->min) / a->step > TICKS)
		a->step = chart_step(a->max - a->min, wanted);
}

static void
grid_x(struct chart *c)
{
	double tick[TICKS];
	unsigned int n = ticks(&c->x, tick);
	char label[CHART_LABEL];

	for (unsigned int i = 0; i < n; i++) {
		double x = at_x(c, tick[i]);

		c->x.label(label, tick[i]);
		fprintf(c->to,
			"<path class=\"grid\" d=\"M%.1f %d V%d\"/>"
			"<text class=\"axis\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
			x, TOP, c->height - BOTTOM, x, c->height - BOTTOM + 17, label);
	}
}

static void
grid_y(struct chart *c)
{
	double tick[TICKS];
	unsigned int n = ticks(&c->y, tick);
	char label[CHART_LABEL];

	for (unsigned int i = 0; i < n; i++) {
		double y = at_y(c, tick[i]);

		c->y.label(label, tick[i]);
		fprintf(c->to,
			"<path class=\"grid\" d=\"M%d %.1f H%d\"/>"
			"<text class=\"axis\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
			LEFT, y, c->width - RIGHT, LEFT - 7, y + 4, label);
	}
}

void
chart_begin(struct chart *c, const char *title)
{
	make_sound(&c->x, 8);
	make_sound(&c->y, 5);
	fprintf(c->to,
		"<svg viewBox=\"0 0 %d %d\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\">"
		"<title>%s</title>\n",
		c->width, c->height, title);
	grid_x(c);
	grid_y(c);
}

void
chart_line(struct chart *c, const char *class, const double *x, const double *y, unsigned int n,
	bool area)
{
	double base = at_y(c, c->y.min);
	bool on = false;

	fprintf(c->to, "<path class=\"%s\" d=\"", class);
	for (unsigned int i = 0; i < n; i++) {
		bool here = isfinite(y[i]);

		if (on && !here && area)
			fprintf(c->to, "L%.1f %.1fZ", at_x(c, x[i - 1]), base);
		if (here && !on && area)
			fprintf(c->to, "M%.1f %.1f", at_x(c, x[i]), base);
		if (here)
			fprintf(c->to, "%s%.1f %.1f", on || area ? "L" : "M", at_x(c, x[i]),
				at_y(c, y[i]));
		on = here;
	}
	if (on && area)
		fprintf(c->to, "L%.1f %.1fZ", at_x(c, x[n - 1]), base);
	fputs("\"/>\n", c->to);
}

void
chart_points(struct chart *c, const char *class, const double *x, const double *y, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (isfinite(y[i]))
			fprintf(c->to, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>\n",
				class, at_x(c, x[i]), at_y(c, y[i]));
}

void
chart_end(struct chart *c)
{
	fputs("</svg>\n", c->to);
}
