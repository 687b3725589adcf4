/*
 * The table is made in memory, a line at a time, each cut to the terminal's width, and written at
 * once: the cursor goes up over what stands there, so that what was above it on the screen stays.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "report_text.h"

#define LINES       160
#define COLUMNS_MAX 200
#define BOLD        "\033[1m"
#define DIM         "\033[2m"
#define RED         "\033[31m"
#define GREEN       "\033[32m"
#define YELLOW      "\033[33m"
#define PLAIN       "\033[0m"

struct screen {
	FILE *to;
	unsigned int columns, rows, lines;
	bool colour;
};

void
report_live_init(struct report_live *l, FILE *to)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
	int fd = fileno(to);

	*l = (struct report_live){ .to = to, .terminal = fd >= 0 && isatty(fd) == 1 };
	l->colour = l->terminal && (no == NULL || no[0] == '\0');
	if (term == NULL || strcmp(term, "dumb") == 0)
		l->terminal = l->colour = false;
}

/* A line, cut to the width; escape sequences take no room. All the text is ASCII (text_clean). */
static void __attribute__((format(printf, 3, 4)))
line(struct screen *s, const char *colour, const char *fmt, ...)
{
	char buf[COLUMNS_MAX + 1];
	va_list ap;
	int n;

	if (s->lines + 1 >= s->rows)
		return;
	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	buf[s->columns < COLUMNS_MAX ? s->columns : COLUMNS_MAX] = '\0';
	fprintf(s->to, "%s%s%s\033[K\n", s->colour ? colour : "", buf, s->colour ? PLAIN : "");
	s->lines++;
}

/* A count in at most 7 characters. */
static const char *
brief(char out[16], double v)
{
	static const char unit[] = " kMGTPE";
	unsigned int u = 0;

	if (v < 100000) {
		snprintf(out, 16, "%.0f", v);
		return out;
	}
	for (; v >= 1000 && u + 2 < sizeof(unit); u++)
		v /= 1000;
	snprintf(out, 16, "%.*f%c", v < 10 ? 3 : v < 100 ? 2 : 1, v, unit[u]);
	return out;
}

/* A time in ns in at most 8 characters. */
static const char *
brief_time(char out[16], uint64_t ns)
{
	double v = (double)ns / 1e3;

	if (v < 10000)
		snprintf(out, 16, "%.*f us", v < 10 ? 1 : 0, v);
	else if (v < 1e7)
		snprintf(out, 16, "%.*f ms", v < 1e5 ? 1 : 0, v / 1e3);
	else
		snprintf(out, 16, "%.*f s", v < 1e8 ? 1 : 0, v / 1e6);
	return out;
}

static void
head(struct screen *s, const struct report_run *run, const struct report_moment *m)
{
	uint64_t t = m->now_ns / 1000000000;
	char name[TEXT_MAX], roles[TEXT_MAX], local[TEXT_MAX], remote[TEXT_MAX];

	text_clean(
		name, run->scenario != NULL ? run->scenario->name : nfv_sv(NULL, 0), FOR_TERMINAL);
	text_clean_str(roles, run->roles, FOR_TERMINAL);
	text_clean_str(local, run->local, FOR_TERMINAL);
	text_clean_str(remote, run->remote, FOR_TERMINAL);
	line(s, BOLD, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 "  %s  %s%s%s  %.40s", t / 3600,
		t / 60 % 60, t % 60, roles, local, remote[0] != '\0' ? " -> " : "", remote, name);
	if (run->generator_limited)
		line(s, YELLOW,
			"this program has fallen behind itself: the figures are not the peer's");
}

static void
rates(struct screen *s, const struct report_run *run, const struct report_moment *m)
{
	const struct stats *now = m->now, *before = m->before;
	uint64_t ns = grown(m->now_ns, m->before_ns), bad = failures(now), ended;
	char a[16], b[16], c[16], d[16], e[16];

	ended = now->successful + bad;
	line(s, "", "calls/s     begun %-8s    good %-8s failed %-8s offered %-8s %s %-8s",
		brief(a, rate(grown(attempts(now), attempts(before)), ns)),
		brief(b, rate(grown(now->successful, before->successful), ns)),
		brief(c, rate(grown(bad, failures(before)), ns)),
		brief(d, rate(grown(now->offered, before->offered), ns)),
		run->users > 0 ? " users" : "target",
		brief(e, run->users > 0 ? run->users : run->target_rate));
	line(s, "", "calls       total %-8s    good %-8s failed %-8s    open %-8s   peak %-8s",
		brief(a, (double)attempts(now)), brief(b, (double)now->successful),
		brief(c, (double)bad), brief(d, (double)now->open),
		brief(e, (double)now->open_max));
	line(s, "", "messages     sent %-8s     got %-8s resent %-7s absorbed %-8s  stray %-8s",
		brief(a, (double)now->sent), brief(b, (double)now->received),
		brief(c, (double)now->retransmitted), brief(d, (double)now->absorbed),
		brief(e, (double)(now->out_of_call + now->dead_call)));
	if (bad > 0)
		line(s, RED, "failed     %.4f %% of %" PRIu64 " ended",
			100 * (double)bad / (double)ended, ended);
	else
		line(s, ended > 0 ? GREEN : DIM, ended > 0 ? "none failed" : "none ended yet");
}

static void
causes(struct screen *s, const struct stats *now)
{
	char text[COLUMNS_MAX] = "          ";
	size_t at = strlen(text);

	for (unsigned int i = 0; i < CAUSES; i++) {
		int n;

		if (now->cause[i] == 0)
			continue;
		n = snprintf(
			text + at, sizeof(text) - at, " %s %" PRIu64, cause_name[i], now->cause[i]);
		if (n < 0 || (size_t)n >= sizeof(text) - at)
			n = 0;
		/* What does not fit stands on a line of its own. */
		if (at + (size_t)n > s->columns || n == 0) {
			text[at] = '\0';
			line(s, RED, "%s", text);
			at = (size_t)snprintf(text, sizeof(text), "           %s %" PRIu64,
				cause_name[i], now->cause[i]);
		} else {
			at += (size_t)n;
		}
	}
	if (failures(now) > 0)
		line(s, RED, "%s", text);
}

static void
step(struct screen *s, const struct step *step, const struct stats_step *n)
{
	char name[TEXT_MAX], buf[64];
	const char *arrow = step->kind == STEP_SEND ? "---------->" :
		step->kind == STEP_RECV             ? "<----------" :
						      "";

	text_clean(name, step_name(step, buf), FOR_TERMINAL);
	if (arrow[0] == '\0')
		line(s, DIM, "  %-28.28s %12" PRIu64, name, n->messages);
	else
		line(s, n->unexpected + n->timeouts > 0 ? YELLOW : "",
			"  %-16.16s %s %12" PRIu64 " %9" PRIu64 " %9" PRIu64 " %10" PRIu64, name,
			arrow, n->messages, n->retransmissions, n->timeouts, n->unexpected);
}

/* Lines that latencies() will take. */
static unsigned int
latency_lines(const struct report_run *run, const struct report_moment *m)
{
	unsigned int n = 1 + (run->loopback_floor > 0);

	for (unsigned int i = 0; i < REPORT_LINES; i++)
		n += line_hist(m->now, i)->n != line_hist(m->before, i)->n;
	return n;
}

/* As many as there is room for. */
static void
steps(struct screen *s, const struct report_run *run, const struct report_moment *m)
{
	const struct scenario *scenario = run->scenario;
	const struct stats *now = m->now;
	uint32_t n = scenario != NULL ? scenario->n_steps : 0;
	uint32_t taken = s->lines + 2 + latency_lines(run, m);
	uint32_t room = s->rows > taken + 4 ? s->rows - taken : 4;
	uint32_t shown = n <= room ? n : room - 1;

	if (n == 0)
		return;
	line(s, BOLD, "%-30s %12s %9s %9s %10s", "step", "messages", "resent", "timeouts",
		"unexpected");
	for (uint32_t i = 0; i < shown && i < SCENARIO_STEPS; i++)
		step(s, &scenario->step[i], &now->step[i]);
	if (shown < n)
		line(s, DIM, "  ... and %u more", n - shown);
}

static void
latency(struct screen *s, const char *name, const struct hist *now, const struct hist *before)
{
	char a[16], b[16], c[16], d[16], e[16], f[16];
	struct hist h;

	if (now->n == before->n)
		return;
	hist_since(now, before, &h);
	line(s, "", "  %-10.10s %9s %9s %9s %9s %9s %9s", name,
		brief_time(a, hist_quantile(&h, 0.5)), brief_time(b, hist_quantile(&h, 0.9)),
		brief_time(c, hist_quantile(&h, 0.99)), brief_time(d, hist_quantile(&h, 0.999)),
		brief_time(e, hist_quantile(&h, 1)), brief(f, (double)h.n));
}

static void
latencies(struct screen *s, const struct report_run *run, const struct report_moment *m)
{
	uint8_t rtd[SCENARIO_RTDS];
	unsigned int n = rtds_used(run->scenario, rtd);
	char buf[64], text[TEXT_MAX], name[TEXT_MAX + 8];

	line(s, BOLD, "%-12s %9s %9s %9s %9s %9s %9s", "last interval", "p50", "p90", "p99",
		"p99.9", "max", "times");
	for (unsigned int i = 0; i < LATENCIES; i++)
		latency(s, latency_key[i], &m->now->latency[i], &m->before->latency[i]);
	for (unsigned int i = 0; i < n && s->lines + 3 < s->rows; i++) {
		snprintf(name, sizeof(name), "rtd %s",
			text_clean(text, rtd_name(run->scenario, rtd[i], buf), FOR_TERMINAL));
		latency(s, name, &m->now->rtd[rtd[i]], &m->before->rtd[rtd[i]]);
	}
	if (run->loopback_floor > 0)
		line(s, DIM, "  %-10s %9s  (this program over a loopback of itself)", "floor",
			brief_time(buf, run->loopback_floor));
}

static void
size(const struct report_live *l, struct screen *s)
{
	struct winsize w = { 0 };

	if ((l->columns == 0 || l->rows == 0) && ioctl(fileno(l->to), TIOCGWINSZ, &w) != 0)
		w = (struct winsize){ 0 };
	s->columns = l->columns != 0 ? l->columns : w.ws_col != 0 ? w.ws_col : 80;
	s->rows = l->rows != 0 ? l->rows : w.ws_row != 0 ? w.ws_row : 24;
	s->rows = s->rows < LINES ? s->rows : LINES;
}

/* One line of an interval, for logs. */
static int
plain(FILE *to, const struct report_run *run, const struct report_moment *m)
{
	const struct stats *now = m->now, *before = m->before;
	uint64_t ns = grown(m->now_ns, m->before_ns), bad = failures(now);
	const char *sep = "  (";
	char a[16], b[16];

	fprintf(to, "%.1f s: %s %.0f/s, begun %.0f/s, good %.0f/s, failed %.0f/s, open %" PRIu64,
		(double)m->now_ns / 1e9, run->users > 0 ? "closed loop, offered" : "offered",
		rate(grown(now->offered, before->offered), ns),
		rate(grown(attempts(now), attempts(before)), ns),
		rate(grown(now->successful, before->successful), ns),
		rate(grown(bad, failures(before)), ns), now->open);
	for (unsigned int i = 0; i < LATENCIES; i++) {
		struct hist h;

		if (now->latency[i].n == before->latency[i].n)
			continue;
		hist_since(&now->latency[i], &before->latency[i], &h);
		fprintf(to, ", %s p50 %s p99 %s", latency_key[i],
			brief_time(a, hist_quantile(&h, 0.5)),
			brief_time(b, hist_quantile(&h, 0.99)));
	}
	if (run->loopback_floor > 0)
		fprintf(to, ", floor %s", brief_time(a, run->loopback_floor));
	fprintf(to, "; %" PRIu64 " good, %" PRIu64 " failed", now->successful, bad);
	for (unsigned int i = 0; i < CAUSES; i++) {
		if (now->cause[i] == 0)
			continue;
		fprintf(to, "%s%s %" PRIu64, sep, cause_name[i], now->cause[i]);
		sep = ", ";
	}
	fprintf(to, "%s%s\n", bad > 0 ? ")" : "",
		run->generator_limited ? ", generator limited" : "");
	return fflush(to) != 0 || ferror(to) ? -EIO : 0;
}

int
report_live(struct report_live *l, const struct report_run *run, const struct report_moment *m)
{
	struct screen s = { .colour = l->colour };
	char *text = NULL;
	size_t n = 0;
	bool ok;

	if (!l->terminal)
		return plain(l->to, run, m);
	size(l, &s);
	s.to = open_memstream(&text, &n);
	if (s.to == NULL)
		return -ENOMEM;
	if (l->drawn > 0)
		fprintf(s.to, "\033[%uA\r", l->drawn);
	head(&s, run, m);
	rates(&s, run, m);
	causes(&s, m->now);
	steps(&s, run, m);
	latencies(&s, run, m);
	fputs("\033[J", s.to); /* what is left of a longer one */
	if (fclose(s.to) != 0) {
		free(text);
		return -ENOMEM;
	}
	ok = fwrite(text, 1, n, l->to) == n && fflush(l->to) == 0;
	free(text);
	l->drawn = (uint16_t)s.lines;
	return ok ? 0 : -EIO;
}
