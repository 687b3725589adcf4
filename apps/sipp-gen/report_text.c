#include <stdio.h>

#include "report_text.h"

const char *const latency_key[LATENCIES] = {
	[LATENCY_RRD] = "rrd",
	[LATENCY_SRD] = "srd",
	[LATENCY_SDD] = "sdd",
	[LATENCY_LAG] = "lag",
};

const char *const latency_name[LATENCIES] = {
	[LATENCY_RRD] = "registration request delay",
	[LATENCY_SRD] = "session request delay",
	[LATENCY_SDD] = "session disconnect delay",
	[LATENCY_LAG] = "lag of this program",
};

/* Bytes of the UTF-8 character that `s` begins with; 0 if it is none (RFC 3629). */
static unsigned int
utf8_length(struct nfv_sv s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	unsigned int n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c = n < 2 ? p[0] : p[0] & (0x7fu >> n);

	if (n == 0 || p[0] > 0xf4 || n > s.n)
		return 0;
	for (unsigned int i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)) ||
		(c >= 0xd800 && c < 0xe000) || c == 0xfffe || c == 0xffff)
		return 0;
	return n;
}

/* The character or what stands for it. */
static struct nfv_sv
harmless(struct nfv_sv c, enum text_for what_for)
{
	unsigned char first = (unsigned char)c.p[0];
	bool control = first < 0x20 || first == 0x7f ||
		(c.n == 2 && first == 0xc2 && (unsigned char)c.p[1] < 0xa0);

	if (what_for == FOR_TERMINAL || what_for == FOR_CSV)
		return control || c.n != 1 || first >= 0x80 ? NFV_SV("?") :
			what_for == FOR_CSV && first == ';' ? NFV_SV("_") :
							      c;
	if (c.n == 0 || control)
		return NFV_SV("\xef\xbf\xbd"); /* U+FFFD */
	if (what_for == FOR_HTML) {
		switch (first) {
		case '&':
			return NFV_SV("&amp;");
		case '<':
			return NFV_SV("&lt;");
		case '>':
			return NFV_SV("&gt;");
		case '"':
			return NFV_SV("&#34;");
		case '\'':
			return NFV_SV("&#39;");
		default:
			break;
		}
	}
	return c;
}

const char *
text_clean(char out[TEXT_MAX], struct nfv_sv s, enum text_for what_for)
{
	size_t at = 0;

	while (s.n > 0) {
		unsigned int n = utf8_length(s);
		struct nfv_sv c = harmless(nfv_sv(s.p, n), what_for);

		if (at + c.n >= TEXT_MAX)
			break;
		memcpy(out + at, c.p, c.n);
		at += c.n;
		n = n > 0 ? n : 1;
		s = nfv_sv(s.p + n, s.n - n);
	}
	out[at] = '\0';
	return out;
}

const char *
text_clean_str(char out[TEXT_MAX], const char *s, enum text_for what_for)
{
	return text_clean(out, nfv_sv_str(s != NULL ? s : ""), what_for);
}

const char *
step_kind_name(const struct step *s)
{
	static const char *const name[] = {
		[STEP_SEND] = "send",
		[STEP_RECV] = "recv",
		[STEP_PAUSE] = "pause",
		[STEP_NOP] = "nop",
		[STEP_TIMEWAIT] = "timewait",
	};

	return s->kind <= STEP_TIMEWAIT ? name[s->kind] : "?";
}

struct nfv_sv
step_name(const struct step *s, char buf[64])
{
	static const char *const pause[] = { "", "", "uniform", "normal", "lognormal",
		"exponential", "weibull", "pareto", "gamma", "negbin", "by variable" };

	if ((s->kind == STEP_SEND || s->kind == STEP_RECV) && s->request)
		return s->method_name;
	if (s->kind == STEP_SEND || s->kind == STEP_RECV)
		snprintf(buf, 64, "%u", s->status);
	else if (s->kind == STEP_NOP)
		snprintf(buf, 64, "nop");
	else if (s->pause.kind == DIST_FIXED)
		snprintf(buf, 64, "%s %.0f ms", step_kind_name(s), s->pause.a);
	else
		snprintf(buf, 64, "%s%s%s", step_kind_name(s),
			s->pause.kind > DIST_FIXED ? " " : "",
			s->pause.kind <= DIST_VARIABLE ? pause[s->pause.kind] : "");
	return nfv_sv_str(buf);
}

unsigned int
rtds_used(const struct scenario *s, uint8_t rtd[SCENARIO_RTDS])
{
	bool seen[SCENARIO_RTDS + 1] = { true };
	unsigned int n = 0;

	for (uint32_t i = 0; s != NULL && i < s->n_steps; i++) {
		const uint8_t used[] = { s->step[i].rtd, s->step[i].start_rtd };

		for (unsigned int k = 0; k < 2; k++) {
			if (used[k] <= SCENARIO_RTDS && !seen[used[k]]) {
				seen[used[k]] = true;
				rtd[n++] = used[k];
			}
		}
	}
	return n;
}

struct nfv_sv
rtd_name(const struct scenario *s, unsigned int rtd, char buf[64])
{
	if (s->rtd_name[rtd].n > 0)
		return s->rtd_name[rtd];
	snprintf(buf, 64, "%u", rtd);
	return nfv_sv_str(buf);
}

struct stats_step
steps_total(const struct stats *s)
{
	struct stats_step sum = { 0 };

	for (unsigned int i = 0; i < SCENARIO_STEPS; i++) {
		sum.messages += s->step[i].messages;
		sum.retransmissions += s->step[i].retransmissions;
		sum.timeouts += s->step[i].timeouts;
		sum.unexpected += s->step[i].unexpected;
		sum.lost += s->step[i].lost;
	}
	return sum;
}

uint64_t
failures(const struct stats *s)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < CAUSES; i++)
		n += s->cause[i];
	return n;
}

uint64_t
answered(const struct stats *s)
{
	uint64_t silent = s->cause[CAUSE_CANNOT_SEND] + s->cause[CAUSE_MAX_RETRANSMISSIONS] +
		s->cause[CAUSE_TIMEOUT_RECV] + s->cause[CAUSE_TIMEOUT_CALL] +
		s->cause[CAUSE_ABORTED];

	return s->successful + grown(failures(s), silent);
}

double
rate(uint64_t n, uint64_t ns)
{
	return ns > 0 ? (double)n * 1e9 / (double)ns : 0;
}

const struct hist *
line_hist(const struct stats *s, unsigned int line)
{
	return line < LATENCIES ? &s->latency[line] : &s->rtd[line - LATENCIES + 1];
}
