#include <math.h>

#include "report_page.h"

#define WIDE    1080
#define HALF    530
#define HEIGHT  250
#define COLOURS 6
#define CURVE   40 /* points to a decade of a percentile curve */
#define DECADES 9  /* at most */

/* Corners of a staircase: an interval's value holds from its begin to its end. */
struct stairs {
	unsigned int n;
	double x[2 * REPORT_POINTS], y[2 * REPORT_POINTS];
};

const char *
line_title(const struct scenario *s, unsigned int line, char out[TEXT_MAX])
{
	static const char timer[] = "timer ";
	char buf[64], name[TEXT_MAX];

	if (line < LATENCIES) {
		snprintf(out, TEXT_MAX, "%s", latency_name[line]);
		return out;
	}
	text_clean(
		name, s != NULL ? rtd_name(s, line - LATENCIES + 1, buf) : NFV_SV("?"), FOR_HTML);
	/* Not cut: an escaped character must not lose its end. */
	if (strlen(name) + sizeof(timer) > TEXT_MAX)
		snprintf(out, TEXT_MAX, "%s", name);
	else
		snprintf(out, TEXT_MAX, "%s%.*s", timer, (int)(TEXT_MAX - sizeof(timer)), name);
	return out;
}

uint64_t
floor_of(const struct report_run *run, unsigned int line)
{
	return line != LATENCY_LAG ? run->loopback_floor : 0;
}

void
label_count(char out[CHART_LABEL], double v)
{
	static const char unit[] = " kMGTPE";
	unsigned int u = 0;

	for (; v >= 1000 && u + 2 < sizeof(unit); u++)
		v /= 1000;
	snprintf(out, CHART_LABEL, u > 0 ? "%.4g%c" : "%.4g", v, unit[u]);
}

static void
label_clock(char out[CHART_LABEL], double s)
{
	unsigned long t = (unsigned long)(s + 0.5);

	if (s < 60 && s != floor(s))
		snprintf(out, CHART_LABEL, "%.4g", s);
	else if (t < 3600)
		snprintf(out, CHART_LABEL, "%lu:%02lu", t / 60, t % 60);
	else
		snprintf(out, CHART_LABEL, "%lu:%02lu:%02lu", t / 3600, t / 60 % 60, t % 60);
}

static void
label_time(char out[CHART_LABEL], double ns)
{
	time_text(out, ns);
}

/* 3 is 99.9 %. */
static void
label_percentile(char out[CHART_LABEL], double decades)
{
	if (decades < 0.5)
		snprintf(out, CHART_LABEL, "0 %%");
	else
		snprintf(out, CHART_LABEL, "%.*f %%", decades < 2.5 ? 0 : (int)(decades - 1.5),
			100 * (1 - pow(10, -decades)));
}

/* Time as people count it. */
static double
clock_step(double span)
{
	static const double step[] = { 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600,
		7200, 10800, 21600, 43200, 86400 };

	for (unsigned int i = 0; i < sizeof(step) / sizeof(step[0]); i++)
		if (span > 4 && span / step[i] <= 9)
			return step[i];
	return chart_step(span, 8);
}

static struct chart
over_time(FILE *to, const struct report_series *s, int width)
{
	double from = (double)s->point[0].from_ns / 1e9,
	       end = (double)s->point[s->n - 1].to_ns / 1e9;

	return (struct chart){
		.to = to,
		.width = width,
		.height = HEIGHT,
		.x = { .min = from,
			.max = end,
			.step = clock_step(end - from),
			.label = label_clock },
		.y = { .label = label_count },
	};
}

static uint64_t
field(const struct report_point *p, size_t offset)
{
	return *(const uint64_t *)(const void *)((const char *)p + offset);
}

/* A field's staircase, per second or as it is; NaN where `n_at`, a field too, is 0. */
static void
climb(const struct report_series *s, size_t offset, bool per_second, size_t n_at,
	struct stairs *out)
{
	out->n = 0;
	for (uint32_t i = 0; i < s->n; i++) {
		const struct report_point *p = &s->point[i];
		double v = (double)field(p, offset);

		if (per_second)
			v = rate(field(p, offset), grown(p->to_ns, p->from_ns));
		if (n_at != SIZE_MAX && field(p, n_at) == 0)
			v = NAN;
		for (unsigned int k = 0; k < 2; k++, out->n++) {
			out->x[out->n] = (double)(k == 0 ? p->from_ns : p->to_ns) / 1e9;
			out->y[out->n] = v;
		}
	}
}

static double
highest(const struct stairs *st, double than)
{
	for (unsigned int i = 0; i < st->n; i++)
		than = st->y[i] > than ? st->y[i] : than;
	return than;
}

static void
legend(FILE *to, const char *colour, const char *name)
{
	fprintf(to, "<span><i class=\"%s\"></i>%s</span>", colour, name);
}

struct drawn {
	const char *name, *line, *legend;
	size_t field;
};

/* A section with some counters per second, or as they are. */
static void
plot_counts(FILE *to, const struct report_series *s, const char *title, const struct drawn *d,
	unsigned int n, bool per_second, int width)
{
	struct chart c = over_time(to, s, width);
	struct stairs st;

	for (unsigned int i = 0; i < n; i++) {
		climb(s, d[i].field, per_second, SIZE_MAX, &st);
		c.y.max = highest(&st, c.y.max);
	}
	c.y.max *= 1.05;
	fprintf(to, "<section%s><h2>%s</h2>", width == WIDE ? " class=\"wide\"" : "", title);
	if (n > 1) {
		fputs("<div class=\"legend\">", to);
		for (unsigned int i = 0; i < n; i++)
			legend(to, d[i].legend, d[i].name);
		fputs("</div>", to);
	}
	chart_begin(&c, title);
	for (unsigned int i = 0; i < n; i++) {
		climb(s, d[i].field, per_second, SIZE_MAX, &st);
		if (n == 1)
			chart_line(&c, "area f0", st.x, st.y, st.n, true);
		chart_line(&c, d[i].line, st.x, st.y, st.n, false);
	}
	chart_end(&c);
	fputs("</section>\n", to);
}

void
plot_calls(FILE *to, const struct report_series *s)
{
	static const struct drawn calls[] = {
		{ "offered", "l dash sm", "bm", offsetof(struct report_point, offered) },
		{ "begun", "l s0", "b0", offsetof(struct report_point, attempts) },
		{ "successful", "l s2", "b2", offsetof(struct report_point, successful) },
		{ "failed", "l sb", "bb", offsetof(struct report_point, failed) },
	};
	static const struct drawn open = { "open", "l s0", "b0",
		offsetof(struct report_point, open) };
	static const struct drawn again = { "sent again", "l s0", "b0",
		offsetof(struct report_point, retransmitted) };

	if (s->n == 0) {
		fputs("<section><h2>Over time</h2><p class=\"sub\">The run ended before its first "
		      "interval.</p></section>\n",
			to);
		return;
	}
	plot_counts(to, s, "Calls per second", calls, 4, true, WIDE);
	fputs("<div class=\"two\">\n", to);
	plot_counts(to, s, "Open calls", &open, 1, false, HALF);
	plot_counts(to, s, "Messages sent again per second", &again, 1, true, HALF);
	fputs("</div>\n", to);
}

/* The next of 1, 2, 5 times a power of ten, at or above `v`. */
static double
round_up(double v)
{
	double power = pow(10, floor(log10(v)));

	return power * (v <= power ? 1 : v <= 2 * power ? 2 : v <= 5 * power ? 5 : 10);
}

/* Latencies' axis, around what is shown. */
static void
around(struct chart_axis *a, double low, double high)
{
	low = fmax(low, 1);
	a->min = 1e18 / round_up(1e18 / low);
	a->max = round_up(fmax(high, low * 1.001));
	a->log = true;
	a->label = label_time;
}

static void
draw_floor(struct chart *c, uint64_t floor_ns)
{
	double x[] = { c->x.min, c->x.max }, y[] = { (double)floor_ns, (double)floor_ns };

	if (floor_ns > 0)
		chart_line(c, "l dash sm", x, y, 2, false);
}

static double
lowest(uint64_t floor_ns, double v)
{
	return floor_ns > 0 ? fmin(v, (double)floor_ns) : v;
}

static void
plot_over_time(
	FILE *to, const struct report_run *run, const struct report_series *s, unsigned int line)
{
	static const char *const class[] = { "l s0", "l s1", "l thin s5" };
	const size_t at[] = { offsetof(struct report_point, p50),
		offsetof(struct report_point, p99), offsetof(struct report_point, max) };
	size_t shift = line * sizeof(uint64_t), n_at = offsetof(struct report_point, n) + shift;
	uint64_t floor_ns = floor_of(run, line);
	struct chart c = over_time(to, s, HALF);
	double low = INFINITY, high = 0;
	char name[TEXT_MAX];
	struct stairs st;

	for (uint32_t i = 0; i < s->n; i++)
		if (s->point[i].n[line] > 0)
			low = fmin(low, (double)s->point[i].p50[line]);
	climb(s, at[2] + shift, false, n_at, &st);
	high = highest(&st, high);
	if (high <= 0)
		return;
	around(&c.y, lowest(floor_ns, low), high);
	line_title(run->scenario, line, name);
	fprintf(to, "<section><h2>Over time: %s</h2><div class=\"legend\">", name);
	legend(to, "b0", "p50");
	legend(to, "b1", "p99");
	legend(to, "b5", "max");
	if (floor_ns > 0)
		legend(to, "bm", "loopback floor");
	fputs("</div>", to);
	chart_begin(&c, name);
	draw_floor(&c, floor_ns);
	for (unsigned int k = 3; k-- > 0;) {
		climb(s, at[k] + shift, false, n_at, &st);
		chart_line(&c, class[k], st.x, st.y, st.n, false);
	}
	chart_end(&c);
	fputs("</section>\n", to);
}

/* How far a curve goes: the last percentile that its number of values can tell. */
static double
reach(const struct hist *h)
{
	return h->n > 1 ? fmin(log10((double)h->n), DECADES) : 0;
}

static void
curve(struct chart *c, const struct hist *h, const char *class)
{
	double x[CURVE * DECADES + 2], y[CURVE * DECADES + 2], end = reach(h);
	unsigned int n = 0;

	for (; n <= CURVE * DECADES && (double)n / CURVE < end; n++) {
		x[n] = (double)n / CURVE;
		y[n] = (double)hist_quantile(h, 1 - pow(10, -x[n]));
	}
	x[n] = end;
	y[n++] = (double)h->max;
	chart_line(c, class, x, y, n, false);
}

static void
plot_curves(FILE *to, const struct report_run *run, const struct stats *s)
{
	struct chart c = { .to = to, .width = WIDE, .height = 300 };
	double low = INFINITY, high = 0, end = 0;
	char class[16], name[TEXT_MAX];
	unsigned int k = 0;

	for (unsigned int i = 0; i < REPORT_LINES; i++) {
		const struct hist *h = line_hist(s, i);

		if (h->n == 0)
			continue;
		low = fmin(low, (double)h->min);
		high = fmax(high, (double)h->max);
		end = fmax(end, reach(h));
	}
	if (high <= 0)
		return;
	around(&c.y, lowest(run->loopback_floor, low), high);
	c.x = (struct chart_axis){
		.max = fmax(ceil(end), 1), .step = 1, .label = label_percentile
	};
	fputs("<section class=\"wide\"><h2>Latency by percentile</h2><div class=\"legend\">", to);
	for (unsigned int i = 0; i < REPORT_LINES; i++) {
		if (line_hist(s, i)->n == 0)
			continue;
		snprintf(class, sizeof(class), "b%u", k++ % COLOURS);
		legend(to, class, line_title(run->scenario, i, name));
	}
	if (run->loopback_floor > 0)
		legend(to, "bm", "loopback floor");
	fputs("</div>", to);
	chart_begin(&c, "Latency by percentile");
	draw_floor(&c, run->loopback_floor);
	k = 0;
	for (unsigned int i = 0; i < REPORT_LINES; i++) {
		if (line_hist(s, i)->n == 0)
			continue;
		snprintf(class, sizeof(class), "l s%u", k++ % COLOURS);
		curve(&c, line_hist(s, i), class);
	}
	chart_end(&c);
	fputs("</section>\n", to);
}

void
plot_latencies(FILE *to, const struct report_run *run, const struct report_moment *m,
	const struct report_series *s)
{
	plot_curves(to, run, m->now);
	if (s->n == 0)
		return;
	fputs("<div class=\"two\">\n", to);
	for (unsigned int i = 0; i < REPORT_LINES; i++)
		plot_over_time(to, run, s, i);
	fputs("</div>\n", to);
}
