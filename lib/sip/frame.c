/* Framing: where the lines are. A message is walked once; what stands in the lines is looked at
 * when somebody asks. */
#include <errno.h>

#include "nfv_sip.h"
#include "scan.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * The end of the line that breaks first at `q`: the offset behind its CRLF, and in *text the offset of
 * the CRLF. A CR or LF alone ends no line for us but may for the next hop, so it is a flaw. If there is
 * no line end, the line is all that is left.
 */
static size_t
line_end(struct nfv_sip_msg *m, struct scan_lines *l, const char *q, size_t *text)
{
	for (;; q = scan_break(l)) {
		*text = (size_t)(q - l->lo);
		if (l->end - q >= 2 && q[0] == '\r' && q[1] == '\n')
			return *text + 2;
		m->flaws |= NFV_SIP_FLAW_LINE_END;
		if (q == l->end)
			return *text;
	}
}

/* The number of a Status-Line as nearly all are; 0: it is not. */
static inline unsigned int
usual_status(struct nfv_sv line)
{
	const char *p = line.p + 8;

	if (line.n < 12 || memcmp(line.p, "SIP/2.0 ", 8) != 0 || p[0] < '1' || p[0] > '6' ||
		!scan_is(p[1], CH_DIGIT) || !scan_is(p[2], CH_DIGIT) || p[3] != ' ')
		return 0;
	return (unsigned int)((p[0] - '0') * 100 + (p[1] - '0') * 10 + p[2] - '0');
}

/* Status-Line: SIP-Version SP 3DIGIT SP phrase. Lenient about a missing last space, as many are. */
static void
status_line(struct nfv_sip_msg *m, struct nfv_sv line)
{
	struct nfv_sv code;
	uint64_t v;

	m->response = true;
	m->status = (uint16_t)usual_status(line);
	if (m->status != 0) {
		m->version = nfv_sv(line.p, 7);
		m->reason = nfv_sv(line.p + 12, line.n - 12);
		return;
	}
	m->version = nfv_sv_cut(&line, ' ');
	code = nfv_sv_cut(&line, ' ');
	if (code.n == 3 && nfv_sv_u64(code, 100, 699, &v) == 0)
		m->status = (uint16_t)v;
	else
		m->flaws |= NFV_SIP_FLAW_START_LINE;
	m->reason = line;
}

static bool
starts_sip(struct nfv_sv s)
{
	return s.n > 4 && (s.p[0] | 0x20) == 's' && nfv_sv_ieq(nfv_sv(s.p, 4), NFV_SV("SIP/"));
}

static bool
is_sip2(struct nfv_sv s)
{
	return s.n == 7 && (memcmp(s.p, "SIP/2.0", 7) == 0 || nfv_sv_ieq(s, NFV_SV("SIP/2.0")));
}

/* Where the last word of a line begins, which nearly always is this one. */
static size_t
last_word(struct nfv_sv s)
{
	size_t n = s.n;

	if (n >= 8 && memcmp(s.p + n - 8, " SIP/2.0", 8) == 0)
		return n - 7;
	while (n > 0 && !is_blank(s.p[n - 1]))
		n--;
	return n;
}

/* Request-Line: Method SP Request-URI SP SIP-Version; false if it is none even by goodwill. */
static bool
request_line(struct nfv_sip_msg *m, struct nfv_sv line, const char *lim)
{
	struct nfv_sv rest = line;
	size_t n;

	while (rest.n > 0 && is_blank(rest.p[rest.n - 1]))
		rest.n--;
	if (rest.n != line.n)
		m->flaws |= NFV_SIP_FLAW_START_LINE;
	m->method_name = scan_run(&rest, CH_TOKEN, lim);
	if (m->method_name.n == 0 || rest.n == 0 || !is_blank(rest.p[0]))
		return false;
	n = last_word(rest);
	m->version = nfv_sv(rest.p + n, rest.n - n);
	if (!is_sip2(m->version) && !starts_sip(m->version))
		return false;
	m->uri = nfv_sv_trim(nfv_sv(rest.p, n));
	if (m->uri.n + 2 != n || rest.p[0] != ' ' || rest.p[n - 1] != ' ')
		m->flaws |= NFV_SIP_FLAW_START_LINE;
	m->method = (uint8_t)nfv_sip_method(m->method_name);
	return true;
}

static bool
start_line(struct nfv_sip_msg *m, struct nfv_sv line, const char *lim)
{
	m->response = false;
	m->status = 0;
	m->method = NFV_SIP_OTHER;
	m->method_name = scan_none;
	m->uri = scan_none;
	m->reason = scan_none;
	if (line.n > NFV_SIP_LINE_MAX)
		m->flaws |= NFV_SIP_FLAW_TOO_LARGE;
	if (starts_sip(line))
		status_line(m, line);
	else if (!request_line(m, line, lim))
		return false;
	if (!is_sip2(m->version))
		m->flaws |= NFV_SIP_FLAW_VERSION;
	return true;
}

/* Part a line into name and value; false if it is no header field, which too has a value. */
static bool
split_line(struct nfv_sv line, struct nfv_sv *name, struct nfv_sv *value, const char *lim)
{
	bool good;

	*name = scan_run(&line, CH_TOKEN, lim);
	while (line.n > 0 && is_blank(line.p[0]))
		scan_skip(&line, 1);
	good = name->n > 0 && scan_char(&line, ':');
	scan_lws(&line);
	while (line.n > 0 && scan_is(line.p[line.n - 1], CH_LWS))
		line.n--;
	*value = line;
	return good;
}

/* Whether there is room for a field of this length. */
static inline bool
has_room(struct nfv_sip_msg *m, size_t n)
{
	if (m->n_hdr < NFV_SIP_HDRS_MAX && n <= NFV_SIP_LINE_MAX)
		return true;
	m->flaws |= NFV_SIP_FLAW_TOO_LARGE;
	return false;
}

/* Index a field: its line, of n bytes from `at` on and up to `end`, and parts of it. `last` has the one
 * before it of each name. */
static inline void
add_header(struct nfv_sip_msg *m, uint16_t last[], size_t at, size_t end, size_t name_n,
	struct nfv_sv value, enum nfv_sip_field field)
{
	struct nfv_sip_hdr *h = &m->hdr[m->n_hdr];
	uint16_t i = ++m->n_hdr;

	h->at = (uint16_t)at;
	h->end = (uint16_t)end;
	h->name_n = (uint16_t)name_n;
	h->value = (uint16_t)(value.p - m->p);
	h->value_n = (uint16_t)value.n;
	h->next = 0;
	h->field = (uint8_t)field;
	if (field == NFV_SIP_H_OTHER)
		return;
	if (m->first[field] == 0)
		m->first[field] = i;
	else
		m->hdr[last[field] - 1].next = i;
	last[field] = i;
}

/* A line as nearly all are: a short name that is known or plain, a colon, one space, and no space at
 * the end. False: it is not. */
static inline bool
usual_line(struct nfv_sip_msg *m, uint16_t last[], const char *p, size_t n, const char *lim)
{
	unsigned int colons = lim - p >= SCAN_WIDE ? scan_mask(p, ':') : 0;
	enum nfv_sip_field field;
	const char *value;
	size_t name_n, at;

	if (colons == 0 || (colons & 1))
		return false;
	name_n = (size_t)__builtin_ctz(colons);
	value = p + name_n + 2;
	if (n <= name_n + 2 || value[-1] != ' ' || value[0] <= ' ' || p[n - 1] <= ' ')
		return false;
	field = scan_field(nfv_sv(p, name_n), lim);
	if (field == NFV_SIP_H_OTHER && scan_plain(p) != name_n)
		return false;
	at = (size_t)(p - m->p);
	if (has_room(m, n))
		add_header(m, last, at, at + n + 2, name_n, nfv_sv(value, n - name_n - 2), field);
	return true;
}

/* Any other, of n bytes, folds and all. */
static void
other_line(struct nfv_sip_msg *m, uint16_t last[], size_t at, size_t n, size_t end, const char *lim)
{
	enum nfv_sip_field field = NFV_SIP_H_OTHER;
	struct nfv_sv name, value;

	if (!has_room(m, n))
		return;
	if (split_line(nfv_sv(m->p + at, n), &name, &value, lim)) {
		field = scan_field(name, lim);
	} else {
		m->flaws |= NFV_SIP_FLAW_HEADER;
		name.n = 0;
	}
	add_header(m, last, at, end, name.n, value, field);
}

/* Whether the line breaks here, and goes on in no other. */
static inline bool
ends_here(const char *q, const char *lim)
{
	return lim - q > 2 && q[0] == '\r' && q[1] == '\n' && (q[2] > ' ' || !is_blank(q[2]));
}

/* Up to the empty line; returns where the body begins. */
static size_t
header_lines(struct nfv_sip_msg *m, struct scan_lines *l, size_t at)
{
	uint16_t last[NFV_SIP_H_FIELDS];
	const char *line = m->p + at, *lim = l->end, *q;
	size_t text, end, n = (size_t)(lim - m->p);

	m->n_hdr = 0;
	memset(m->first, 0, sizeof(m->first));
	while (line < lim) {
		q = scan_break(l);
		if (q != line && ends_here(q, lim) &&
			usual_line(m, last, line, (size_t)(q - line), lim)) {
			line = q + 2;
			continue;
		}
		at = (size_t)(line - m->p);
		end = line_end(m, l, q, &text);
		if (text == at && end > at)
			return end;
		while (end < n && is_blank(m->p[end])) /* folded */
			end = line_end(m, l, scan_break(l), &text);
		other_line(m, last, at, text - at, end, lim);
		line = m->p + end;
	}
	m->flaws |= NFV_SIP_FLAW_LINE_END;
	return n;
}

/* Content-Length cuts the body (RFC 3261 §18.3); without it the body is all that is left. */
static void
cut_body(struct nfv_sip_msg *m, size_t at, size_t n)
{
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(m, NFV_SIP_H_CONTENT_LENGTH);
	uint64_t len = n - at;
	int rc = 0;

	m->has_length = h != NULL;
	if (h != NULL) {
		rc = nfv_sv_u64(nfv_sip_value(m, h), 0, n - at, &len);
		if (rc == -ERANGE)
			m->flaws |= NFV_SIP_FLAW_CUT;
		else if (rc < 0 || h->next != 0)
			m->flaws |= NFV_SIP_FLAW_LENGTH;
	}
	m->body = (uint16_t)at;
	m->body_n = (uint16_t)len;
	m->n = (uint16_t)(at + len);
}

/* RFC 8489 §5: two zero bits, a length of whole words, the magic cookie. */
static bool
is_stun(const char *p, size_t n)
{
	return n >= 20 && (p[0] & 0xc0) == 0 && (p[3] & 3) == 0 &&
		memcmp(p + 4, "\x21\x12\xa4\x42", 4) == 0;
}

enum nfv_sip_kind
nfv_sip_parse(struct nfv_sip_msg *m, const char *p, size_t n)
{
	size_t at = 0, text, end;
	struct scan_lines lines;

	if (n > NFV_SIP_BYTES_MAX)
		return NFV_SIP_NOT_SIP;
	if (is_stun(p, n))
		return NFV_SIP_STUN;
	while (at < n && (p[at] == '\r' || p[at] == '\n'))
		at++;
	if (at == n)
		return NFV_SIP_KEEPALIVE;
	p += at;
	n -= at;
	m->flaws = 0;
	m->p = p;
	lines = scan_lines(p, n);
	end = line_end(m, &lines, scan_break(&lines), &text);
	if (!start_line(m, nfv_sv(p, text), p + n))
		return NFV_SIP_NOT_SIP;
	m->headers = (uint16_t)end;
	cut_body(m, header_lines(m, &lines, end), n);
	return NFV_SIP_MESSAGE_OK;
}
