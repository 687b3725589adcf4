#include <math.h>
#include <stdarg.h>

#include "plot.h"

static void
escaped(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '&' || *text == '<' || *text == '>')
			fprintf(out, "&#%d;", *text);
		else
			fputc(*text, out);
}

void
plot_open(FILE *out, double width, double height, const char *title)
{
	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
		"viewBox=\"0 0 %.0f %.0f\" font-family=\"Helvetica, Arial, sans-serif\">\n",
		width, height, width, height);
	fputs("<title>", out);
	escaped(out, title);
	fputs("</title>\n", out);
	plot_rect(out, 0, 0, width, height, "#ffffff");
}

void
plot_close(FILE *out)
{
	fputs("</svg>\n", out);
}

void
plot_line(FILE *out, double x0, double y0, double x1, double y1, const char *colour, double width,
	bool dashed)
{
	fprintf(out,
		"<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
		"stroke-width=\"%.1f\"%s/>\n",
		x0, y0, x1, y1, colour, width, dashed ? " stroke-dasharray=\"5 4\"" : "");
}

void
plot_path(FILE *out, const double *x, const double *y, unsigned int n, const char *colour,
	double width)
{
	if (n < 2)
		return;
	fputs("<polyline points=\"", out);
	for (unsigned int i = 0; i < n; i++)
		fprintf(out, "%s%.1f,%.1f", i > 0 ? " " : "", x[i], y[i]);
	fprintf(out, "\" fill=\"none\" stroke=\"%s\" stroke-width=\"%.1f\"/>\n", colour, width);
}

void
plot_rect(FILE *out, double x, double y, double width, double height, const char *fill)
{
	fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n",
		x, y, width, height, fill);
}

void
plot_dot(FILE *out, double x, double y, double radius, const char *fill)
{
	fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\"/>\n", x, y, radius,
		fill);
}

void
plot_text(FILE *out, double x, double y, enum plot_anchor anchor, double size, const char *colour,
	const char *fmt, ...)
{
	static const char *const where[] = { "start", "middle", "end" };
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(out,
		"<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%.0f\" fill=\"%s\">", x,
		y, where[anchor], size, colour);
	escaped(out, text);
	fputs("</text>\n", out);
}

void
plot_text_up(FILE *out, double x, double y, double size, const char *colour, const char *text)
{
	fprintf(out,
		"<text transform=\"translate(%.1f %.1f) rotate(-90)\" text-anchor=\"middle\" "
		"font-size=\"%.0f\" fill=\"%s\">",
		x, y, size, colour);
	escaped(out, text);
	fputs("</text>\n", out);
}

double
plot_at(const struct plot_scale *s, double v)
{
	double part = s->log ? log(v / s->lo) / log(s->hi / s->lo) : (v - s->lo) / (s->hi - s->lo);

	return s->from + part * (s->to - s->from);
}

/* 1, 2, 5, 10, 20, …: the smallest that is not below v. */
static double
round_up(double v)
{
	double ten = pow(10, floor(log10(v)));

	for (int i = 0; i < 3; i++) {
		static const double of[] = { 1, 2, 5 };

		if (of[i] * ten >= v * (1 - 1e-9))
			return of[i] * ten;
	}
	return 10 * ten;
}

unsigned int
plot_ticks(const struct plot_scale *s, unsigned int wanted, double tick[PLOT_TICKS])
{
	unsigned int n = 0;

	if (!(s->hi > s->lo))
		return 0;
	if (s->log) {
		tick[0] = round_up(s->lo);
		while (n < PLOT_TICKS && tick[n] <= s->hi * (1 + 1e-9)) {
			double next = round_up(tick[n] * 1.5);

			if (++n < PLOT_TICKS)
				tick[n] = next;
		}
		return n;
	}
	if (wanted == 0 || wanted > PLOT_TICKS - 1)
		wanted = PLOT_TICKS - 1;
	double step = round_up((s->hi - s->lo) / wanted);
	double first = ceil(s->lo / step - 1e-9);

	/* By multiplication: sums of rounded steps would drift away from round numbers. */
	while (n < PLOT_TICKS && (first + n) * step <= s->hi + step * 1e-9) {
		tick[n] = (first + n) * step;
		n++;
	}
	return n;
}

void
plot_axis_y(FILE *out, const struct plot_scale *y, double x0, double x1, const char *label)
{
	double tick[PLOT_TICKS];
	unsigned int n = plot_ticks(y, 8, tick);

	for (unsigned int i = 0; i < n; i++) {
		double at = plot_at(y, tick[i]);

		plot_line(out, x0, at, x1, at, PLOT_PALE, 1, false);
		plot_text(out, x0 - 8, at + 4, PLOT_END, 12, PLOT_INK, "%.6g", tick[i]);
	}
	plot_text_up(out, x0 - 46, (y->from + y->to) / 2, 13, PLOT_INK, label);
}

void
plot_axis_x(FILE *out, const struct plot_scale *x, double y0, double y1, const char *label)
{
	double tick[PLOT_TICKS];
	unsigned int n = plot_ticks(x, 8, tick);

	for (unsigned int i = 0; i < n; i++) {
		double at = plot_at(x, tick[i]);

		plot_line(out, at, y0, at, y1, PLOT_PALE, 1, false);
		plot_text(out, at, y1 + 18, PLOT_MIDDLE, 12, PLOT_INK, "%.6g", tick[i]);
	}
	plot_text(out, (x->from + x->to) / 2, y1 + 38, PLOT_MIDDLE, 13, PLOT_INK, "%s", label);
}

void
plot_whisker(
	FILE *out, const struct plot_scale *y, double x, double lo, double hi, const char *colour)
{
	double end[2] = { lo, hi }, at[2];

	for (int i = 0; i < 2; i++) {
		bool beyond = i == 0 ? lo < y->lo : hi > y->hi;
		/* Away from the middle of the whisker: up or down, as the scale runs. */
		double out_by = (i == 0 ? y->from > y->to : y->from < y->to) ? 5 : -5;

		at[i] = plot_at(y, beyond ? (i == 0 ? y->lo : y->hi) : end[i]);
		if (beyond) {
			plot_line(out, x - 3, at[i] - out_by, x, at[i], colour, 1.2, false);
			plot_line(out, x + 3, at[i] - out_by, x, at[i], colour, 1.2, false);
		} else {
			plot_line(out, x - 3, at[i], x + 3, at[i], colour, 1.2, false);
		}
	}
	plot_line(out, x, at[0], x, at[1], colour, 1.2, false);
}

const char *
plot_colour(unsigned int i)
{
	static const char *const colour[] = { "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b",
		"#56b4e9", "#444444" };

	return colour[i % (sizeof(colour) / sizeof(colour[0]))];
}

const char *
plot_hue(unsigned int i, char buf[8])
{
	/* By the golden ratio around the wheel, lighter and darker in turn. */
	double hue = fmod(i * 0.61803398875, 1) * 6, level = i % 2 == 0 ? 0.92 : 0.66;
	unsigned int c[3];

	for (int k = 0; k < 3; k++) {
		double from = fabs(fmod(hue + 6 - 2 * k, 6) - 3) - 1; /* the wheel's triangle */
		double part = from < 0 ? 0 : from > 1 ? 1 : from;

		c[k] = (unsigned int)(255 * level * (0.25 + 0.75 * part));
	}
	snprintf(buf, 8, "#%02x%02x%02x", c[0] & 255, c[1] & 255, c[2] & 255);
	return buf;
}
