#include <errno.h>

#include "nfv_sip.h"
#include "scan.h"

static inline int
param_next(struct nfv_sv *rest, struct nfv_sip_param *out, const char *lim)
{
	struct nfv_sv s = nfv_sv(rest->p, rest->n), value;

	scan_lws(&s);
	if (s.n == 0 || s.p[0] == ',') {
		*rest = s;
		return 0;
	}
	out->text.p = s.p;
	if (!scan_char(&s, ';'))
		return -EINVAL;
	scan_lws(&s);
	out->name = scan_run(&s, CH_TOKEN, lim);
	out->value = nfv_sv(NULL, 0);
	if (out->name.n == 0)
		return -EINVAL;
	if (scan_sep(&s, '=')) {
		if (!scan_quoted(&s, &value))
			value = scan_run(&s, CH_VALUE, lim);
		if (value.n == 0)
			return -EINVAL;
		out->value = value;
	}
	out->text = scan_since(out->text.p, &s);
	*rest = s;
	return 1;
}

int
nfv_sip_param_next(struct nfv_sv *rest, struct nfv_sip_param *out)
{
	return param_next(rest, out, rest->p + rest->n);
}

/* Whether the name of a parameter is this, in lower case. */
static inline bool
is_named(const struct nfv_sip_param *p, const char name[SCAN_WIDE], const char *lim)
{
	size_t n = strlen(name);

	return p->name.n == n && scan_same(p->name.p, n, name, lim);
}

/* Keep the first of its name; a second one would make it a matter of taste which counts. */
static bool
once(struct nfv_sv *at, struct nfv_sv value)
{
	if (at->p != NULL)
		return false;
	*at = value;
	return true;
}

static inline int
via_param(struct nfv_sip_via *v, const struct nfv_sip_param *p, const char *lim)
{
	static const char branch[SCAN_WIDE] = "branch", received[SCAN_WIDE] = "received",
			  rport[SCAN_WIDE] = "rport", maddr[SCAN_WIDE] = "maddr",
			  ttl[SCAN_WIDE] = "ttl";
	struct nfv_sv value = p->value;
	uint64_t u;

	if (is_named(p, branch, lim))
		return value.n > 0 && once(&v->branch, value) ? 0 : -EINVAL;
	if (is_named(p, received, lim)) {
		/* RFC 5118 §4.5: an IPv6 address may stand here with brackets or without */
		if (value.n > 2 && value.p[0] == '[' && value.p[value.n - 1] == ']')
			value = nfv_sv(value.p + 1, value.n - 2);
		nfv_addr_parse(value, &v->received);
		return value.n > 0 && once(&v->received_param, p->text) ? 0 : -EINVAL;
	}
	if (is_named(p, rport, lim)) {
		v->has_rport = true;
		if (value.p != NULL && nfv_sv_u64(value, 1, UINT16_MAX, &u) < 0)
			return -EINVAL;
		v->rport = value.p != NULL ? (uint16_t)u : 0;
		return once(&v->rport_param, p->text) ? 0 : -EINVAL;
	}
	if (is_named(p, maddr, lim))
		return value.n > 0 && once(&v->maddr, value) ? 0 : -EINVAL;
	if (is_named(p, ttl, lim)) {
		if (nfv_sv_u64(value, 0, 255, &u) < 0)
			return -EINVAL;
		v->ttl = (uint8_t)u;
	}
	return 0;
}

/* "SIP" SLASH version SLASH transport, and the white space behind it. */
static inline bool
sent_protocol(struct nfv_sv *s, struct nfv_sip_via *v, const char *lim)
{
	static const char usual[] = "SIP/2.0/UDP ";
	struct nfv_sv protocol;

	if (s->n >= sizeof(usual) - 1 && memcmp(s->p, usual, sizeof(usual) - 1) == 0) {
		v->version = nfv_sv(s->p + 4, 3);
		v->transport = nfv_sv(s->p + 8, 3);
		scan_skip(s, sizeof(usual) - 1);
	} else {
		protocol = scan_run(s, CH_TOKEN, lim);
		if (!nfv_sv_ieq(protocol, NFV_SV("SIP")) || !scan_sep(s, '/'))
			return false;
		v->version = scan_run(s, CH_TOKEN, lim);
		if (v->version.n == 0 || !scan_sep(s, '/'))
			return false;
		v->transport = scan_run(s, CH_TOKEN, lim);
		if (v->transport.n == 0 || s->n == 0 || !scan_is(s->p[0], CH_LWS))
			return false;
	}
	scan_lws(s);
	return true;
}

/* A branch as nearly all are, without white space or quotes; false, and nothing taken: it is none. */
static inline bool
usual_branch(struct nfv_sv *s, struct nfv_sip_via *v, const char *lim)
{
	static const struct nfv_sv name = { ";branch=", 8 };
	struct nfv_sv rest, value;

	if (s->n <= name.n || v->branch.p != NULL || memcmp(s->p, name.p, name.n) != 0)
		return false;
	rest = nfv_sv(s->p + name.n, s->n - name.n);
	value = scan_run(&rest, CH_VALUE, lim);
	if (value.n == 0)
		return false;
	v->branch = value;
	*s = rest;
	return true;
}

/* sent-protocol LWS sent-by *( SEMI via-params ), up to a comma or the end. */
static int
via_value(struct nfv_sv *rest, struct nfv_sip_via *v, const char *lim)
{
	struct nfv_sip_param param;
	const char *start = rest->p;
	struct nfv_sv s = nfv_sv(rest->p, rest->n);
	int rc;

	v->port = v->rport = 0;
	v->branch = scan_none;
	v->maddr = scan_none;
	v->received_param = scan_none;
	v->rport_param = scan_none;
	v->received = (struct nfv_addr){ 0 };
	v->has_rport = false;
	v->ttl = 0;
	if (!sent_protocol(&s, v, lim))
		return -EINVAL;
	v->sent_by.p = s.p;
	if (!scan_host(&s, &v->host, lim))
		return -EINVAL;
	v->sent_by = scan_since(v->sent_by.p, &s);
	if (scan_sep(&s, ':')) {
		if (!scan_port(&s, &v->port))
			return -EINVAL;
		v->sent_by = scan_since(v->sent_by.p, &s);
	}
	usual_branch(&s, v, lim);
	v->text = scan_since(start, &s);
	while ((rc = param_next(&s, &param, lim)) > 0) {
		if (via_param(v, &param, lim) < 0)
			return -EINVAL;
		usual_branch(&s, v, lim);
		v->text = scan_since(start, &s);
	}
	*rest = s;
	return rc;
}

/* *( token LWS ) or a quoted string, before "<". */
static inline int
display_name(struct nfv_sv *s, struct nfv_sv *out, const char *lim)
{
	const char *start = s->p;

	if (s->n > 0 && s->p[0] == '"') {
		if (!scan_quoted(s, out))
			return -EINVAL;
		scan_lws(s);
		return s->n > 0 && s->p[0] == '<' ? 0 : -EINVAL;
	}
	*out = nfv_sv(start, 0);
	while (s->n > 0 && s->p[0] != '<') {
		if (scan_run(s, CH_TOKEN, lim).n == 0)
			return -EINVAL;
		*out = scan_since(start, s);
		scan_lws(s);
	}
	return 0;
}

/* Without brackets the URI ends where header parameters begin, and may hold no question mark, since
 * nobody could tell whose it is (RFC 3261 §20.10). */
static inline int
bare_uri(struct nfv_sv *s, struct nfv_sv *out, const char *lim)
{
	const char *p = s->p, *end = p + s->n;

	for (;; p++) {
		if (lim - p >= SCAN_WIDE)
			p += scan_plain(p);
		if (p >= end || scan_is(*p, CH_LWS) || *p == ';' || *p == ',')
			break;
		if (*p == '?')
			return -EINVAL;
	}
	*out = nfv_sv(s->p, p < end ? (size_t)(p - s->p) : s->n);
	scan_skip(s, out->n);
	return out->n > 0 ? 0 : -EINVAL;
}

/* "<" begins a name-addr unless a colon comes first outside of quotes, which no token has. */
static bool
is_name_addr(struct nfv_sv s)
{
	if (s.n > 0 && s.p[0] == '"')
		return true;
	for (size_t i = 0; i < s.n && s.p[i] != ':' && s.p[i] != ','; i++)
		if (s.p[i] == '<')
			return true;
	return false;
}

/* ( name-addr / addr-spec ) *( SEMI generic-param ), up to a comma or the end. */
static int
name_value(struct nfv_sv *rest, struct nfv_sip_name *v, const char *lim)
{
	static const char tag[SCAN_WIDE] = "tag";
	struct nfv_sip_param param;
	const char *start = rest->p, *end;
	struct nfv_sv s = nfv_sv(rest->p, rest->n);
	int rc;

	v->display = scan_none;
	v->tag = scan_none;
	if (is_name_addr(s)) {
		if (display_name(&s, &v->display, lim) < 0 || !scan_char(&s, '<'))
			return -EINVAL;
		end = scan_find(s, '>', lim);
		v->uri = nfv_sv(s.p, (size_t)(end - s.p));
		if (v->uri.n == 0 || v->uri.n == s.n)
			return -EINVAL;
		scan_skip(&s, v->uri.n + 1);
	} else if (bare_uri(&s, &v->uri, lim) < 0) {
		return -EINVAL;
	}
	v->params = nfv_sv(s.p, 0);
	v->text = scan_since(start, &s);
	while ((rc = param_next(&s, &param, lim)) > 0) {
		if (v->params.n == 0)
			v->params.p = param.text.p;
		v->params = scan_since(v->params.p, &s);
		v->text = scan_since(start, &s);
		if (is_named(&param, tag, lim) &&
			(param.value.n == 0 || !once(&v->tag, param.value)))
			return -EINVAL;
	}
	*rest = s;
	return rc;
}

/* A name as nearly all are: words that are plain or none, a URI in brackets, and a tag or nothing. */
static inline bool
usual_name(struct nfv_sv s, struct nfv_sip_name *v, const char *lim)
{
	const char *p = s.p, *end = p + s.n, *q = p, *uri;

	while (q < end && *q != '<') {
		const char *word = q;

		q = scan_past_plain(word, end, lim);
		if (q == word || q == end)
			return false;
		v->display = nfv_sv(p, (size_t)(q - p));
		q += *q == ' ';
	}
	if (q == p)
		v->display = scan_none;
	uri = q + 1;
	if (uri >= end)
		return false;
	q = scan_find(nfv_sv(uri, (size_t)(end - uri)), '>', lim);
	if (q == uri || q == end)
		return false;
	v->uri = nfv_sv(uri, (size_t)(q - uri));
	v->text = s;
	v->params = nfv_sv(q + 1, (size_t)(end - q - 1));
	v->tag = scan_none;
	if (v->params.n == 0)
		return true;
	if (v->params.n < sizeof(";tag=") || memcmp(q + 1, ";tag=", 5) != 0 ||
		scan_past_plain(q + 6, end, lim) != end)
		return false;
	v->tag = nfv_sv(q + 6, (size_t)(end - q - 6));
	return true;
}

int
scan_name(struct nfv_sv s, struct nfv_sip_name *out, const char *lim)
{
	if (usual_name(s, out, lim))
		return 0;
	return name_value(&s, out, lim) == 0 && s.n == 0 ? 0 : -EINVAL;
}

int
nfv_sip_name(struct nfv_sv s, struct nfv_sip_name *out)
{
	return scan_name(s, out, s.p + s.n);
}

void
nfv_sip_iter(struct nfv_sip_iter *it, const struct nfv_sip_msg *m, enum nfv_sip_field field)
{
	*it = (struct nfv_sip_iter){ .m = m, .next = m->first[field] };
}

void
nfv_sip_iter_behind(
	struct nfv_sip_iter *it, const struct nfv_sip_msg *m, const struct nfv_sip_core *core)
{
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(m, NFV_SIP_H_VIA);

	*it = (struct nfv_sip_iter){ .m = m,
		.hdr = h,
		.rest = { m->p + core->via_end, (size_t)h->value + h->value_n - core->via_end },
		.next = h->next,
		.at = h->value,
		.end = core->via_end };
}

/* Stand before a value: 1, or 0 if there is no more, or -EINVAL for an empty line. */
static int
iter_begin(struct nfv_sip_iter *it)
{
	if (it->rest.n == 0) {
		if (it->next == 0)
			return 0;
		it->hdr = &it->m->hdr[it->next - 1];
		it->next = it->hdr->next;
		it->rest = nfv_sip_value(it->m, it->hdr);
		if (it->rest.n == 0)
			return -EINVAL;
	}
	it->at = (uint16_t)(it->rest.p - it->m->p);
	return 1;
}

/* Behind a value: the end of the line, or a comma and something after it. */
static int
iter_end(struct nfv_sip_iter *it)
{
	scan_lws(&it->rest);
	if (it->rest.n > 0 && (!scan_sep(&it->rest, ',') || it->rest.n == 0))
		return -EINVAL;
	it->end = (uint16_t)(it->rest.p - it->m->p);
	return 1;
}

int
nfv_sip_next_via(struct nfv_sip_iter *it, struct nfv_sip_via *out)
{
	int rc = iter_begin(it);

	if (rc <= 0)
		return rc;
	return via_value(&it->rest, out, it->m->p + it->m->n) < 0 ? -EINVAL : iter_end(it);
}

int
nfv_sip_next_name(struct nfv_sip_iter *it, struct nfv_sip_name *out)
{
	int rc = iter_begin(it);

	if (rc <= 0)
		return rc;
	return name_value(&it->rest, out, it->m->p + it->m->n) < 0 ? -EINVAL : iter_end(it);
}

int
nfv_sip_next_token(struct nfv_sip_iter *it, struct nfv_sv *out)
{
	int rc = iter_begin(it);

	if (rc <= 0)
		return rc;
	*out = scan_span(&it->rest, CH_TOKEN);
	return out->n == 0 ? -EINVAL : iter_end(it);
}

int
scan_cseq(struct nfv_sv s, struct nfv_sip_cseq *out, const char *lim)
{
	uint64_t number;

	if (nfv_sv_u64(scan_span(&s, CH_DIGIT), 0, INT32_MAX, &number) < 0 || s.n == 0 ||
		!scan_is(s.p[0], CH_LWS))
		return -EINVAL;
	scan_lws(&s);
	out->number = (uint32_t)number;
	out->method = scan_run(&s, CH_TOKEN, lim);
	return out->method.n > 0 && s.n == 0 ? 0 : -EINVAL;
}

int
nfv_sip_cseq(struct nfv_sv s, struct nfv_sip_cseq *out)
{
	return scan_cseq(s, out, s.p + s.n);
}

int
scan_call_id(struct nfv_sv s, const char *lim)
{
	if (scan_run(&s, CH_WORD, lim).n == 0)
		return -EINVAL;
	if (scan_char(&s, '@') && scan_run(&s, CH_WORD, lim).n == 0)
		return -EINVAL;
	return s.n == 0 ? 0 : -EINVAL;
}

int
nfv_sip_call_id(struct nfv_sv s)
{
	return scan_call_id(s, s.p + s.n);
}
