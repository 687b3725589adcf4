/**
 * @file
 * Pictures as SVG, in one file that needs nothing else: a handful of shapes in pixels, and scales
 * with round ticks from which plots are put together. Text is escaped. Errors of writing are found
 * by who owns the stream (ferror). Threads: pure functions on the caller's stream.
 */
#ifndef PLOT_H
#define PLOT_H

#include <stdbool.h>
#include <stdio.h>

#define PLOT_TICKS 16

#define PLOT_INK  "#222222"
#define PLOT_GREY "#767676"
#define PLOT_PALE "#e4e4e4"

enum plot_anchor { PLOT_START, PLOT_MIDDLE, PLOT_END };

/** A light background of this size; `title` is for who cannot see the picture. */
void plot_open(FILE *out, double width, double height, const char *title);
void plot_close(FILE *out);

void plot_line(FILE *out, double x0, double y0, double x1, double y1, const char *colour,
	double width, bool dashed);
/** Through n points; nothing if there are fewer than two. */
void plot_path(FILE *out, const double *x, const double *y, unsigned int n, const char *colour,
	double width);
void plot_rect(FILE *out, double x, double y, double width, double height, const char *fill);
void plot_dot(FILE *out, double x, double y, double radius, const char *fill);
void plot_text(FILE *out, double x, double y, enum plot_anchor anchor, double size,
	const char *colour, const char *fmt, ...) __attribute__((format(printf, 7, 8)));
/** As plot_text, read from below to above. */
void plot_text_up(FILE *out, double x, double y, double size, const char *colour, const char *text);

/** Numbers to pixels: lo is at `from`, hi at `to`, which may be above it. */
struct plot_scale {
	double lo, hi, from, to;
	bool log; /* both are positive */
};

double plot_at(const struct plot_scale *s, double v);
/** Round numbers from lo to hi, about `wanted` of them, at most PLOT_TICKS; how many. */
unsigned int plot_ticks(const struct plot_scale *s, unsigned int wanted, double tick[PLOT_TICKS]);
/** Grid lines from x0 to x1, numbers left of them, the label along the axis. */
void plot_axis_y(FILE *out, const struct plot_scale *y, double x0, double x1, const char *label);
/** Grid lines from y0 (above) to y1, numbers under them, the label under these. */
void plot_axis_x(FILE *out, const struct plot_scale *x, double y0, double y1, const char *label);
/** From lo to hi at x, with bars at the ends; arrows where it goes on beyond the scale. */
void plot_whisker(
	FILE *out, const struct plot_scale *y, double x, double lo, double hi, const char *colour);

/** Colours of a few series that are told apart by the colour-blind too; they repeat after seven. */
const char *plot_colour(unsigned int i);
/** For many kinds: around the wheel, so that i and i + 1 differ well; "#rrggbb". */
const char *plot_hue(unsigned int i, char buf[8]);

#endif
