#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_page.h"
#include "report_trials.h"

#define WIDE   1080
#define HEIGHT 280
#define SHOWN  128 /* points of a plot; a search has fewer trials */

/* How a trial went. */
enum end { PASSED, TOO_MUCH, LIMITED, ENDS };

static const struct {
	const char *word, *fill, *legend;
} ends[ENDS] = { [PASSED] = { "good", "fg", "bg" },
	[TOO_MUCH] = { "too much", "fb", "bb" },
	[LIMITED] = { "generator limited", "fm", "bm" } };

static enum end
end_of(const struct report_trial *t)
{
	return t->generator_limited ? LIMITED : t->passed ? PASSED : TOO_MUCH;
}

static const char *
number(char out[40], double v)
{
	return v >= 100 ? grouped(out, (uint64_t)(fmin(v, 1e18) + 0.5)) :
			  (snprintf(out, 40, "%.4g", isfinite(v) ? v : 0), out);
}

static void
label_trial(char out[CHART_LABEL], double v)
{
	snprintf(out, CHART_LABEL, "%.4g", v);
}

/* Trials of one kind: what they asked for, and what is wanted of them. */
struct points {
	unsigned int n;
	double number[SHOWN], rate[SHOWN], achieved[SHOWN], goodput[SHOWN];
	enum end end[SHOWN];
};

static void
take(const struct report_trials *t, bool overload, struct points *p)
{
	p->n = 0;
	for (uint32_t i = 0; i < t->n && p->n < SHOWN; i++) {
		const struct report_trial *a = &t->trial[i];

		if ((a->factor > 0) != overload)
			continue;
		p->number[p->n] = p->n + 1;
		p->rate[p->n] = a->rate;
		p->achieved[p->n] = a->achieved;
		p->goodput[p->n] = a->goodput;
		p->end[p->n++] = end_of(a);
	}
}

static void
swap(double *a, double *b)
{
	double was = *a;

	*a = *b;
	*b = was;
}

/* By rate; their numbers and ends do not matter any more. */
static void
sort(struct points *p)
{
	for (unsigned int i = 1; i < p->n; i++)
		for (unsigned int k = i; k > 0 && p->rate[k - 1] > p->rate[k]; k--) {
			swap(&p->rate[k], &p->rate[k - 1]);
			swap(&p->achieved[k], &p->achieved[k - 1]);
			swap(&p->goodput[k], &p->goodput[k - 1]);
		}
}

static double
highest(const double *v, unsigned int n)
{
	double most = 0;

	for (unsigned int i = 0; i < n; i++)
		most = v[i] > most ? v[i] : most;
	return most;
}

static void
legend(FILE *to, const char *class, const char *text)
{
	fprintf(to, "<span><i class=\"%s\"></i>%s</span>", class, text);
}

/* Trial after trial, the rate asked for and how it ended. */
static void
plot_way(FILE *to, const struct report_trials *t, struct points *p)
{
	struct chart c = { .to = to,
		.width = WIDE,
		.height = HEIGHT,
		.x = { .min = 1, .max = p->n, .step = p->n <= 20 ? 1 : 0, .label = label_trial },
		.y = { .max = highest(p->rate, p->n) * 1.05, .label = label_count } };

	fprintf(to,
		"<section><h2>The search</h2><p class=\"sub\">%s a second asked for, trial after "
		"trial</p>\n",
		t->unit);
	chart_begin(&c, "rates asked for, trial after trial");
	chart_line(&c, "l sm dash", p->number, p->rate, p->n, false);
	for (unsigned int i = 0; i < p->n; i++)
		chart_points(&c, ends[p->end[i]].fill, &p->number[i], &p->rate[i], 1);
	chart_end(&c);
	fputs("<div class=\"legend\">", to);
	for (unsigned int i = 0; i < ENDS; i++)
		legend(to, ends[i].legend, ends[i].word);
	fputs("</div></section>\n", to);
}

/* What came of it, over what was asked for. */
static void
plot_yield(FILE *to, const struct report_trials *t, struct points *p, const char *title)
{
	double most = highest(p->rate, p->n), ideal[2] = { 0, most };
	struct chart c = { .to = to,
		.width = WIDE,
		.height = HEIGHT,
		.x = { .max = most * 1.02, .label = label_count },
		.y = { .max = fmax(most, highest(p->achieved, p->n)) * 1.05,
			.label = label_count } };

	sort(p);
	fprintf(to, "<section><h2>%s</h2><p class=\"sub\">%s a second over those asked for</p>\n",
		title, t->unit);
	chart_begin(&c, title);
	chart_line(&c, "l sm dash", ideal, ideal, 2, false);
	chart_line(&c, "l s0", p->rate, p->achieved, p->n, false);
	chart_points(&c, "f0", p->rate, p->achieved, p->n);
	chart_line(&c, "l s1", p->rate, p->goodput, p->n, false);
	chart_points(&c, "f1", p->rate, p->goodput, p->n);
	chart_end(&c);
	fputs("<div class=\"legend\">", to);
	legend(to, "bm", "asked for");
	legend(to, "b0", "achieved");
	legend(to, "b1", "goodput");
	fputs("</div></section>\n", to);
}

static void
table(FILE *to, const struct report_trials *t)
{
	char a[40], b[40], c[40], d[40], e[40], f[40];

	fprintf(to,
		"<section><h2>Trials</h2><p class=\"sub\">Rates are %s a second.</p>"
		"<div class=\"scroll\"><table><tr><th>trial</th><th></th><th>asked for</th>"
		"<th>achieved</th><th>goodput</th><th>good</th><th>%s</th><th>skipped</th><th></th>"
		"</tr>\n",
		t->unit, t->bad);
	for (uint32_t i = 0; i < t->n; i++) {
		const struct report_trial *r = &t->trial[i];
		char kind[32] = "search";

		if (r->factor > 0)
			snprintf(kind, sizeof(kind), "%g &#215;", r->factor);
		fprintf(to,
			"<tr><td>%u</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td>"
			"<td>%s</td><td>%s</td><td>%s</td></tr>\n",
			i + 1, kind, number(a, r->rate), number(b, r->achieved),
			number(c, r->goodput), grouped(d, r->good), grouped(e, r->bad),
			grouped(f, r->skipped),
			r->factor > 0 && !r->generator_limited ? "" : ends[end_of(r)].word);
	}
	fputs("</table></div></section>\n", to);
}

static void
tiles(FILE *to, const struct report_trials *t)
{
	char a[40], beside[80];

	fputs("<div class=\"tiles\">\n", to);
	snprintf(beside, sizeof(beside), "%s a second%s", t->unit,
		t->found > 0 ? "" : ": none was proven");
	page_tile(to, t->searched ? "found" : "knee, as given", t->found > 0 ? "good" : "bad",
		number(a, t->found), beside);
	if (t->searched) {
		snprintf(beside, sizeof(beside), "%s",
			t->bound == 0      ? "no rate was" :
				t->limited ? "for this program itself" :
					     "for the peer");
		page_tile(
			to, "too much", "", t->bound > 0 ? number(a, t->bound) : "&#8211;", beside);
	}
	page_tile(to, "trials", "", grouped(a, t->n), t->complete ? "" : "cut short");
	fputs("</div>\n", to);
}

int
report_trials_html(
	FILE *to, const struct report_run *run, const struct report_trials *t, struct nfv_err *err)
{
	struct points *p = malloc(sizeof(*p));
	struct report_run shown = *run;

	if (p == NULL)
		return nfv_fail(err, ENOMEM, "there is no memory for the HTML report");
	shown.generator_limited = t->limited;
	page_begin(to, &shown, nfv_sv_str(t->what), t->ns);
	tiles(to, t);
	take(t, false, p);
	if (p->n > 0) {
		plot_way(to, t, p);
		plot_yield(to, t, p, "What came of it");
	}
	take(t, true, p);
	if (p->n > 0)
		plot_yield(to, t, p, "Overload");
	free(p);
	table(to, t);
	page_parameters(to, run);
	return page_end(to, err);
}

int
report_trials_csv(FILE *to, const struct report_trials *t)
{
	fprintf(to,
		"Trial;Kind;Factor;Rate;Achieved;Goodput;Good;%s;Skipped;GeneratorLimited;Passed;\n",
		t->bad_name);
	for (uint32_t i = 0; i < t->n; i++) {
		const struct report_trial *r = &t->trial[i];

		fprintf(to,
			"%u;%s;%g;%.12g;%.12g;%.12g;%" PRIu64 ";%" PRIu64 ";%" PRIu64 ";%d;%d;\n",
			i + 1, r->factor > 0 ? "overload" : "search", r->factor, r->rate,
			r->achieved, r->goodput, r->good, r->bad, r->skipped, r->generator_limited,
			r->passed);
	}
	return fflush(to) != 0 || ferror(to) ? -EIO : 0;
}

int
report_trials_write(const char *html, FILE *csv, const struct report_run *run,
	const struct report_trials *t, struct nfv_err *err)
{
	FILE *page;
	int rc;

	if (csv != NULL && report_trials_csv(csv, t) < 0)
		return nfv_fail(err, EIO, "the trials' file could not be written");
	if (html == NULL)
		return 0;
	page = fopen(html, "we");
	if (page == NULL)
		return nfv_fail(err, errno, "%s: %s", html, strerror(errno));
	rc = report_trials_html(page, run, t, err);
	fclose(page);
	return rc;
}
