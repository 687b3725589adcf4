/**
 * @file
 * Charts as inline SVG: one plane with two axes, and lines on it. Colours, fonts and dark mode are the
 * page's, by CSS classes: .grid, .axis (text), and a class of the caller's for each line.
 *
 * Nothing is kept. Threads: plain data.
 */
#ifndef CHART_H
#define CHART_H

#include <stdbool.h>
#include <stdio.h>

#define CHART_LABEL 32

struct chart_axis {
	double min, max; /* max <= min is made a plane of height 1 */
	bool log;        /* both above 0 */
	double step;     /* between ticks of a linear axis; 0: 1, 2 or 5 times a power of ten */
	void (*label)(char out[CHART_LABEL], double v);
};

struct chart {
	FILE *to;
	int width, height; /* in the units of the drawing; the page scales it */
	struct chart_axis x, y;
};

/** Frame, grid, ticks and their labels. `title` is what is read aloud, escaped by the caller. */
void chart_begin(struct chart *c, const char *title);
/** A line through n points, broken where y is NaN; what lies outside the axes is drawn at their ends.
 * `area`: filled down to the x axis. */
void chart_line(struct chart *c, const char *class, const double *x, const double *y,
	unsigned int n, bool area);
/** Dots, at those of n points that are not NaN. */
void chart_points(
	struct chart *c, const char *class, const double *x, const double *y, unsigned int n);
void chart_end(struct chart *c);

/** A round distance between about `ticks` ticks. */
double chart_step(double span, unsigned int ticks);

#endif
