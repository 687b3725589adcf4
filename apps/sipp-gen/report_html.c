/*
 * The page: well-formed as XML too, nothing in it from elsewhere, and of a size that does not depend on
 * how long the run was. Tiles, plots over time (report_plot.c), tables.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "report_page.h"

static const char style[] =
	":root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--fg:#17202b;--mute:#5d6b7a;"
	"--line:#e0e5ea;--warn:#fff1d6;--warnfg:#7a4b00;--c0:#2468c8;--c1:#d9632a;--c2:#12936c;"
	"--c3:#8a4fc4;--c4:#b8860b;--c5:#c2388a;--bad:#cf3333;--good:#12936c}\n"
	"@media (prefers-color-scheme:dark){:root{--bg:#11161c;--card:#1a2129;--fg:#e4e9ee;"
	"--mute:#93a1af;--line:#2c3640;--warn:#3d2e0e;--warnfg:#ffd58a;--c0:#69a5f5;--c1:#f0905c;"
	"--c2:#43c59b;--c3:#b98bea;--c4:#dfb44a;--c5:#ec7fbd;--bad:#f26d6d;--good:#43c59b}}\n"
	"*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);"
	"font:15px/1.45 system-ui,'Segoe UI','DejaVu Sans',sans-serif}"
	"main{max-width:1120px;margin:0 auto;padding:28px 20px 48px}"
	"h1{font-size:24px;margin:0 0 2px;overflow-wrap:anywhere}"
	"h2{font-size:16px;margin:0 0 2px}p{margin:0}.sub{color:var(--mute);font-size:13px}\n"
	".warn{background:var(--warn);color:var(--warnfg);border-radius:8px;padding:10px 14px;"
	"margin:16px 0 0}\n"
	".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(158px,1fr));gap:12px;"
	"margin:20px 0 12px}.tile,section{background:var(--card);border:1px solid var(--line);"
	"border-radius:10px;padding:14px 16px}.tile b{display:block;font-size:23px;line-height:1.3;"
	"font-weight:650;font-variant-numeric:tabular-nums;white-space:nowrap}"
	".bad{color:var(--bad)}.good{color:var(--good)}\n"
	".two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));"
	"gap:12px;margin-bottom:12px;align-items:start}section{margin-bottom:12px;min-width:0}"
	".two section{margin-bottom:0}\n"
	"svg{display:block;width:100%;height:auto;margin-top:8px}"
	".grid{stroke:var(--line);fill:none}.axis{fill:var(--mute);font-size:12px}"
	".l{fill:none;stroke-width:1.7;stroke-linejoin:round}.area{opacity:.22;stroke:none}"
	".dash{stroke-dasharray:5 4;stroke-width:1.4}.thin{stroke-width:1.1}\n"
	".legend{display:flex;flex-wrap:wrap;gap:2px 16px;color:var(--mute);font-size:13px;"
	"margin-top:4px}.legend i{display:inline-block;width:14px;height:3px;border-radius:2px;"
	"margin-right:6px;vertical-align:middle}\n"
	".wide{overflow-x:auto}.wide svg{min-width:640px}.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:14px;"
	"font-variant-numeric:tabular-nums;margin-top:8px}td,th{padding:5px 10px 5px 0;"
	"text-align:right;border-top:1px solid var(--line);white-space:nowrap}"
	"tr:first-child>*{border-top:0}th{font-weight:500;color:var(--mute)}"
	"td:first-child,th:first-child{text-align:left}"
	".words td{text-align:left;white-space:normal;overflow-wrap:anywhere}"
	".bar{display:block;height:12px;min-width:2px;border-radius:3px;background:var(--bad)}"
	".bars td:nth-child(2){width:60%}\n"
	".s0{stroke:var(--c0)}.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}.s3{stroke:var(--c3)}"
	".s4{stroke:var(--c4)}.s5{stroke:var(--c5)}.sb{stroke:var(--bad)}.sm{stroke:var(--mute)}"
	".f0{fill:var(--c0)}.f1{fill:var(--c1)}.fb{fill:var(--bad)}.fg{fill:var(--good)}"
	".fm{fill:var(--mute)}.bg{background:var(--good)}.b0{background:var(--c0)}.b1{background:var(--c1)}"
	".b2{background:var(--c2)}.b3{background:var(--c3)}.b4{background:var(--c4)}"
	".b5{background:var(--c5)}.bb{background:var(--bad)}.bm{background:var(--mute)}\n";

const char *
grouped(char out[40], uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	size_t at = 0;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0) {
			memcpy(out + at, "\xe2\x80\xaf", 3); /* narrow space that does not break */
			at += 3;
		}
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

const char *
time_text(char out[CHART_LABEL], double ns)
{
	static const struct {
		double ns;
		const char *unit;
	} unit[] = { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "\xc2\xb5s" }, { 1, "ns" } };
	unsigned int u = 0;
	double v;

	while (u < 3 && ns < unit[u].ns)
		u++;
	v = ns / unit[u].ns;
	/* Three digits that count, and no exponent. */
	snprintf(out, CHART_LABEL, "%.*f %s",
		v < 9.995 && v != floor(v)         ? 2 :
			v < 99.95 && v != floor(v) ? 1 :
						     0,
		v, unit[u].unit);
	return out;
}

void
page_tile(FILE *to, const char *name, const char *class, const char *figure, const char *beside)
{
	fprintf(to,
		"<div class=\"tile\"><span class=\"sub\">%s</span><b class=\"%s\">%s</b>"
		"<span class=\"sub\">%s</span></div>\n",
		name, class, figure, beside);
}

/* Never rounded up to a hundred per cent that it was not. */
static void
success(FILE *to, const struct stats *s, uint64_t bad)
{
	uint64_t ended = s->successful + bad;
	char a[40], beside[64], figure[32] = "&#8211;";

	if (ended > 0 && bad == 0)
		snprintf(figure, sizeof(figure), "100 %%");
	else if (ended > 0)
		snprintf(figure, sizeof(figure), "%.3f %%",
			floor(1e5 * (double)s->successful / (double)ended) / 1e3);
	snprintf(beside, sizeof(beside), "%s calls", grouped(a, s->successful));
	page_tile(to, "successful", ended > 0 && bad == 0 ? "good" : "", figure, beside);
}

static void
tiles(FILE *to, const struct report_run *run, const struct report_moment *m)
{
	const struct stats *s = m->now;
	uint64_t bad = failures(s);
	unsigned int shown = s->latency[LATENCY_SRD].n == 0 && s->latency[LATENCY_RRD].n > 0 ?
		LATENCY_RRD :
		LATENCY_SRD;
	char a[40], b[40], t[CHART_LABEL], beside[64];

	fputs("<div class=\"tiles\">\n", to);
	snprintf(beside, sizeof(beside), "%s still open", grouped(b, s->open));
	page_tile(to, "calls attempted", "", grouped(a, attempts(s)), beside);
	snprintf(beside, sizeof(beside), "%s offered",
		grouped(b, (uint64_t)fmin(rate(s->offered, m->now_ns) + 0.5, 1e19)));
	page_tile(to, "calls per second", "",
		grouped(a, (uint64_t)fmin(rate(attempts(s), m->now_ns) + 0.5, 1e19)), beside);
	success(to, s, bad);
	snprintf(beside, sizeof(beside), "%s unexpected", grouped(b, steps_total(s).unexpected));
	page_tile(to, "failed", bad > 0 ? "bad" : "", grouped(a, bad), beside);
	snprintf(beside, sizeof(beside), "%s by the peer", grouped(b, s->absorbed));
	page_tile(to, "sent again", "", grouped(a, s->retransmitted), beside);
	if (s->latency[shown].n > 0) {
		snprintf(beside, sizeof(beside), "loopback floor %s",
			run->loopback_floor > 0 ? time_text(t, (double)run->loopback_floor) :
						  "not measured");
		page_tile(to, shown == LATENCY_SRD ? "p99 of SRD" : "p99 of RRD", "",
			time_text(a, (double)hist_quantile(&s->latency[shown], 0.99)), beside);
	}
	fputs("</div>\n", to);
}

static void
causes(FILE *to, const struct stats *s)
{
	uint64_t bad = failures(s), most = 1;
	char a[40];

	fputs("<section><h2>Causes of failure</h2>\n", to);
	for (unsigned int i = 0; i < CAUSES; i++)
		most = s->cause[i] > most ? s->cause[i] : most;
	if (bad == 0) {
		fputs("<p class=\"sub\">No call failed.</p></section>\n", to);
		return;
	}
	fprintf(to, "<p class=\"sub\">%s calls, each with one cause</p><table class=\"bars\">\n",
		grouped(a, bad));
	for (unsigned int i = 0; i < CAUSES; i++) {
		if (s->cause[i] == 0)
			continue;
		fputs("<tr><td>", to);
		for (const char *p = cause_name[i]; *p != '\0'; p++)
			fputc(*p == '_' ? ' ' : *p, to);
		fprintf(to,
			"</td><td><span class=\"bar\" style=\"width:%.1f%%\"></span></td><td>%s</td>"
			"<td>%.1f %%</td></tr>\n",
			100 * (double)s->cause[i] / (double)most, grouped(a, s->cause[i]),
			100 * (double)s->cause[i] / (double)bad);
	}
	fputs("</table></section>\n", to);
}

static void
latency_row(FILE *to, const char *name, const struct hist *h, uint64_t floor_ns)
{
	static const double q[] = { 0.5, 0.9, 0.99, 0.999, 0.9999, 1 };
	char t[CHART_LABEL], a[40];

	if (h->n == 0)
		return;
	fprintf(to, "<tr><td>%s</td>", name);
	for (unsigned int i = 0; i < sizeof(q) / sizeof(q[0]); i++)
		fprintf(to, "<td>%s</td>",
			time_text(t, q[i] < 1 ? (double)hist_quantile(h, q[i]) : (double)h->max));
	fprintf(to, "<td>%s</td><td>%s</td></tr>\n",
		floor_ns > 0 ? time_text(t, (double)floor_ns) : "&#8211;", grouped(a, h->n));
}

static void
latency_table(FILE *to, const struct report_run *run, const struct stats *s)
{
	char name[TEXT_MAX];

	fputs("<section><h2>Latencies</h2><p class=\"sub\">The floor is what they come to over a "
	      "loopback of this program itself; time counts from the intended send.</p>"
	      "<div class=\"scroll\"><table><tr><th></th><th>p50</th><th>p90</th><th>p99</th>"
	      "<th>p99.9</th><th>p99.99</th><th>max</th><th>floor</th><th>times</th></tr>\n",
		to);
	for (unsigned int i = 0; i < REPORT_LINES; i++)
		if (line_hist(s, i)->n > 0)
			latency_row(to, line_title(run->scenario, i, name), line_hist(s, i),
				floor_of(run, i));
	latency_row(to, "length of a call", &s->call_length, 0);
	fputs("</table></div></section>\n", to);
}

static void
steps(FILE *to, const struct scenario *scenario, const struct stats *s)
{
	char buf[64], text[TEXT_MAX], n[4][40];

	if (scenario == NULL || scenario->n_steps == 0)
		return;
	fputs("<section><h2>Steps</h2><div class=\"scroll\"><table><tr><th>step</th><th></th>"
	      "<th>messages</th><th>sent again</th><th>timeouts</th><th>unexpected</th></tr>\n",
		to);
	for (uint32_t i = 0; i < scenario->n_steps && i < SCENARIO_STEPS; i++) {
		const struct step *step = &scenario->step[i];
		const struct stats_step *c = &s->step[i];

		fprintf(to,
			"<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td>"
			"</tr>\n",
			text_clean(text, step_name(step, buf), FOR_HTML),
			step->kind == STEP_SEND         ? "&#8594;" :
				step->kind == STEP_RECV ? "&#8592;" :
							  "",
			grouped(n[0], c->messages), grouped(n[1], c->retransmissions),
			grouped(n[2], c->timeouts), grouped(n[3], c->unexpected));
	}
	fputs("</table></div></section>\n", to);
}

static void
counts(FILE *to, const struct stats *s)
{
	const struct {
		const char *name;
		uint64_t n;
	} row[] = {
		{ "calls due", s->offered },
		{ "not begun", s->skipped },
		{ "&#8195;of these, by this program", s->limited },
		{ "begun here", s->created_out },
		{ "begun by the peer", s->created_in },
		{ "answered", answered(s) },
		{ "successful", s->successful },
		{ "failed", failures(s) },
		{ "still open", s->open },
		{ "open at most", s->open_max },
		{ "messages sent", s->sent },
		{ "messages received", s->received },
		{ "sent again", s->retransmitted },
		{ "sent again by the peer, absorbed", s->absorbed },
		{ "answers that overtook each other", s->reordered },
		{ "unexpected messages", steps_total(s).unexpected },
		{ "messages of no call", s->out_of_call },
		{ "messages of calls that had ended", s->dead_call },
		{ "not SIP", s->garbage },
	};
	char a[40];

	fputs("<section><h2>Summary</h2><table>\n", to);
	for (unsigned int i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		fprintf(to, "<tr><td>%s</td><td>%s</td></tr>\n", row[i].name, grouped(a, row[i].n));
	fputs("</table></section>\n", to);
}

static void
words(FILE *to, const char *name, const char *value)
{
	char text[TEXT_MAX];

	if (value == NULL || value[0] == '\0')
		return;
	fprintf(to, "<tr><td class=\"sub\">%s</td>", text_clean_str(text, name, FOR_HTML));
	fprintf(to, "<td>%s</td></tr>\n", text_clean_str(text, value, FOR_HTML));
}

void
page_parameters(FILE *to, const struct report_run *run)
{
	char text[TEXT_MAX];

	fputs("<section><h2>Parameters</h2><table class=\"words\">\n", to);
	words(to, "scenario", run->scenario != NULL ? run->scenario->file : NULL);
	words(to, "roles", run->roles);
	words(to, "local", run->local);
	words(to, "remote", run->remote);
	words(to, "load", run->load);
	snprintf(text, sizeof(text), "%g calls/s", run->target_rate);
	words(to, "target", run->target_rate > 0 ? text : NULL);
	snprintf(text, sizeof(text), "%u", run->workers);
	words(to, "workers", text);
	for (uint32_t i = 0; i < run->n_params; i++)
		words(to, run->param[i].name, run->param[i].value);
	words(to, "version", run->version);
	fputs("</table></section>\n", to);
}

void
page_begin(FILE *to, const struct report_run *run, struct nfv_sv name, uint64_t ns)
{
	char title[TEXT_MAX], start[40] = "";
	uint64_t s = ns / 1000000000;
	struct tm tm;

	text_clean(title, name, FOR_HTML);
	if (gmtime_r(&run->start.tv_sec, &tm) != NULL)
		strftime(start, sizeof(start), "%Y-%m-%d %H:%M:%S UTC", &tm);
	fprintf(to,
		"<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\"><head>"
		"<meta charset=\"utf-8\"/><meta name=\"viewport\" "
		"content=\"width=device-width,initial-scale=1\"/><title>%s</title>\n<style>%s"
		"</style></head>\n<body><main><header><h1>%s</h1><p class=\"sub\">sipp-gen, %s, ran "
		"%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 "</p>",
		title, style, title, start, s / 3600, s / 60 % 60, s % 60);
	if (run->generator_limited)
		fputs("<p class=\"warn\" role=\"alert\">This program fell behind itself during the "
		      "run: the figures tell its limits, not the peer&#8217;s.</p>",
			to);
	for (uint32_t i = 0; i < run->n_warnings; i++)
		fprintf(to, "<p class=\"warn\" role=\"alert\">%s</p>",
			text_clean_str(title, run->warning[i].text, FOR_HTML));
	fputs("</header>\n", to);
}

int
page_end(FILE *to, struct nfv_err *err)
{
	fputs("</main></body></html>\n", to);
	if (fflush(to) != 0 || ferror(to))
		return nfv_fail(
			err, EIO, "the HTML report could not be written: %s", strerror(errno));
	return 0;
}

int
report_html(FILE *to, const struct report_run *run, const struct report_moment *m,
	const struct report_series *s, struct nfv_err *err)
{
	page_begin(to, run, run->scenario != NULL ? run->scenario->name : NFV_SV("sipp-gen"),
		m->now_ns);
	tiles(to, run, m);
	plot_calls(to, s);
	plot_latencies(to, run, m, s);
	causes(to, m->now);
	latency_table(to, run, m->now);
	steps(to, run->scenario, m->now);
	fputs("<div class=\"two\">\n", to);
	counts(to, m->now);
	page_parameters(to, run);
	fputs("</div>", to);
	return page_end(to, err);
}
