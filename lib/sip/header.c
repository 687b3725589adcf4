#include <errno.h>

#include "nfv_sip.h"
#include "scan.h"

int
nfv_sip_param_next(struct nfv_sv *rest, struct nfv_sip_param *out)
{
	struct nfv_sv s = *rest, value;

	scan_lws(&s);
	if (s.n == 0 || s.p[0] == ',') {
		*rest = s;
		return 0;
	}
	out->text.p = s.p;
	if (!scan_sep(&s, ';'))
		return -EINVAL;
	out->name = scan_span(&s, CH_TOKEN);
	out->value = nfv_sv(NULL, 0);
	if (out->name.n == 0)
		return -EINVAL;
	if (scan_sep(&s, '=')) {
		if (!scan_quoted(&s, &value))
			value = scan_span(&s, CH_VALUE);
		if (value.n == 0)
			return -EINVAL;
		out->value = value;
	}
	out->text = scan_since(out->text.p, &s);
	*rest = s;
	return 1;
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

static int
via_param(struct nfv_sip_via *v, const struct nfv_sip_param *p)
{
	struct nfv_sv value = p->value;
	uint64_t u;

	if (nfv_sv_ieq(p->name, NFV_SV("branch")))
		return value.n > 0 && once(&v->branch, value) ? 0 : -EINVAL;
	if (nfv_sv_ieq(p->name, NFV_SV("received"))) {
		/* RFC 5118 §4.5: an IPv6 address may stand here with brackets or without */
		if (value.n > 2 && value.p[0] == '[' && value.p[value.n - 1] == ']')
			value = nfv_sv(value.p + 1, value.n - 2);
		nfv_addr_parse(value, &v->received);
		return value.n > 0 && once(&v->received_param, p->text) ? 0 : -EINVAL;
	}
	if (nfv_sv_ieq(p->name, NFV_SV("rport"))) {
		v->has_rport = true;
		if (value.p != NULL && nfv_sv_u64(value, 1, UINT16_MAX, &u) < 0)
			return -EINVAL;
		v->rport = value.p != NULL ? (uint16_t)u : 0;
		return once(&v->rport_param, p->text) ? 0 : -EINVAL;
	}
	if (nfv_sv_ieq(p->name, NFV_SV("maddr")))
		return value.n > 0 && once(&v->maddr, value) ? 0 : -EINVAL;
	if (nfv_sv_ieq(p->name, NFV_SV("ttl"))) {
		if (nfv_sv_u64(value, 0, 255, &u) < 0)
			return -EINVAL;
		v->ttl = (uint8_t)u;
	}
	return 0;
}

/* sent-protocol LWS sent-by *( SEMI via-params ), up to a comma or the end. */
static int
via_value(struct nfv_sv *s, struct nfv_sip_via *v)
{
	struct nfv_sip_param param;
	const char *start = s->p;
	struct nfv_sv protocol;
	int rc;

	*v = (struct nfv_sip_via){ .text = { start, 0 } };
	protocol = scan_span(s, CH_TOKEN);
	if (!nfv_sv_ieq(protocol, NFV_SV("SIP")) || !scan_sep(s, '/'))
		return -EINVAL;
	v->version = scan_span(s, CH_TOKEN);
	if (v->version.n == 0 || !scan_sep(s, '/'))
		return -EINVAL;
	v->transport = scan_span(s, CH_TOKEN);
	if (v->transport.n == 0 || s->n == 0 || !scan_is(s->p[0], CH_LWS))
		return -EINVAL;
	scan_lws(s);
	v->sent_by.p = s->p;
	if (!scan_host(s, &v->host))
		return -EINVAL;
	v->sent_by = scan_since(v->sent_by.p, s);
	if (scan_sep(s, ':')) {
		if (!scan_port(s, &v->port))
			return -EINVAL;
		v->sent_by = scan_since(v->sent_by.p, s);
	}
	v->text = scan_since(start, s);
	while ((rc = nfv_sip_param_next(s, &param)) > 0) {
		v->text = scan_since(start, s);
		if (via_param(v, &param) < 0)
			return -EINVAL;
	}
	return rc;
}

/* *( token LWS ) or a quoted string, before "<". */
static int
display_name(struct nfv_sv *s, struct nfv_sv *out)
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
		if (scan_span(s, CH_TOKEN).n == 0)
			return -EINVAL;
		*out = scan_since(start, s);
		scan_lws(s);
	}
	return 0;
}

/* Without brackets the URI ends where header parameters begin, and may hold no question mark, since
 * nobody could tell whose it is (RFC 3261 §20.10). */
static int
bare_uri(struct nfv_sv *s, struct nfv_sv *out)
{
	size_t n = 0;

	while (n < s->n && !scan_is(s->p[n], CH_LWS) && s->p[n] != ';' && s->p[n] != ',')
		if (s->p[n++] == '?')
			return -EINVAL;
	*out = nfv_sv(s->p, n);
	scan_skip(s, n);
	return n > 0 ? 0 : -EINVAL;
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
name_value(struct nfv_sv *s, struct nfv_sip_name *v)
{
	struct nfv_sip_param param;
	const char *start = s->p;
	int rc;

	*v = (struct nfv_sip_name){ .text = { start, 0 } };
	if (is_name_addr(*s)) {
		if (display_name(s, &v->display) < 0 || !scan_char(s, '<'))
			return -EINVAL;
		v->uri = nfv_sv_cut(s, '>');
		if (s->p == NULL || v->uri.n == 0)
			return -EINVAL;
	} else if (bare_uri(s, &v->uri) < 0) {
		return -EINVAL;
	}
	v->params = nfv_sv(s->p, 0);
	v->text = scan_since(start, s);
	while ((rc = nfv_sip_param_next(s, &param)) > 0) {
		if (v->params.n == 0)
			v->params.p = param.text.p;
		v->params = scan_since(v->params.p, s);
		v->text = scan_since(start, s);
		if (nfv_sv_ieq(param.name, NFV_SV("tag")) &&
			(param.value.n == 0 || !once(&v->tag, param.value)))
			return -EINVAL;
	}
	return rc;
}

int
nfv_sip_name(struct nfv_sv s, struct nfv_sip_name *out)
{
	return name_value(&s, out) == 0 && s.n == 0 ? 0 : -EINVAL;
}

void
nfv_sip_iter(struct nfv_sip_iter *it, const struct nfv_sip_msg *m, enum nfv_sip_field field)
{
	*it = (struct nfv_sip_iter){ .m = m, .next = m->first[field] };
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
	return via_value(&it->rest, out) < 0 ? -EINVAL : iter_end(it);
}

int
nfv_sip_next_name(struct nfv_sip_iter *it, struct nfv_sip_name *out)
{
	int rc = iter_begin(it);

	if (rc <= 0)
		return rc;
	return name_value(&it->rest, out) < 0 ? -EINVAL : iter_end(it);
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
nfv_sip_cseq(struct nfv_sv s, struct nfv_sip_cseq *out)
{
	uint64_t number;

	if (nfv_sv_u64(scan_span(&s, CH_DIGIT), 0, INT32_MAX, &number) < 0 || s.n == 0 ||
		!scan_is(s.p[0], CH_LWS))
		return -EINVAL;
	scan_lws(&s);
	out->number = (uint32_t)number;
	out->method = scan_span(&s, CH_TOKEN);
	return out->method.n > 0 && s.n == 0 ? 0 : -EINVAL;
}

int
nfv_sip_call_id(struct nfv_sv s)
{
	if (scan_span(&s, CH_WORD).n == 0)
		return -EINVAL;
	if (scan_char(&s, '@') && scan_span(&s, CH_WORD).n == 0)
		return -EINVAL;
	return s.n == 0 ? 0 : -EINVAL;
}
