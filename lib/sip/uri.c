#include <errno.h>

#include "nfv_sip.h"
#include "scan.h"

/* *( ";" name [ "=" value ] ), no white space, none of them empty. */
static bool
params_ok(struct nfv_sv s)
{
	while (s.n > 0) {
		struct nfv_sv param, name;

		if (!scan_char(&s, ';'))
			return false;
		param.p = s.p;
		for (param.n = 0; param.n < s.n && s.p[param.n] != ';'; param.n++)
			;
		scan_skip(&s, param.n);
		name = nfv_sv_cut(&param, '=');
		if (name.n == 0 || !scan_escaped(name, CH_PARAM) || !scan_escaped(param, CH_PARAM))
			return false;
	}
	return true;
}

/* name "=" value *( "&" name "=" value ) */
static bool
headers_ok(struct nfv_sv s)
{
	do {
		struct nfv_sv value = nfv_sv_cut(&s, '&'), name = nfv_sv_cut(&value, '=');

		if (name.n == 0 || value.p == NULL || !scan_escaped(name, CH_HNV) ||
			!scan_escaped(value, CH_HNV))
			return false;
	} while (s.p != NULL);
	return true;
}

/* userinfo "@": an unescaped "@" can stand nowhere else in a SIP URI. */
static bool
userinfo(struct nfv_sv *s, struct nfv_sip_uri *u)
{
	const char *at = s->n > 0 ? memchr(s->p, '@', s->n) : NULL;
	struct nfv_sv info;

	if (at == NULL)
		return true;
	info = nfv_sv(s->p, (size_t)(at - s->p));
	scan_skip(s, info.n + 1);
	u->user = nfv_sv_cut(&info, ':');
	u->password = info;
	return u->user.n > 0 && scan_escaped(u->user, CH_USER) &&
		scan_escaped(u->password, CH_PASSWORD);
}

static int
sip_uri(struct nfv_sv s, struct nfv_sip_uri *u)
{
	struct nfv_sv query;

	if (!userinfo(&s, u) || !scan_host(&s, &u->host))
		return -EINVAL;
	u->port_text = nfv_sv(s.p, 0);
	if (scan_char(&s, ':')) {
		if (!scan_port(&s, &u->port))
			return -EINVAL;
		u->port_text = scan_since(u->port_text.p, &s);
	}
	query = s;
	u->params = nfv_sv_cut(&query, '?');
	u->headers = query;
	if (!params_ok(u->params) || (query.p != NULL && !headers_ok(query)))
		return -EINVAL;
	return 0;
}

/* Any other scheme is opaque: visible characters that do not end it (RFC 3986 §2). */
static int
other_uri(struct nfv_sv s)
{
	if (s.n == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '<' || s.p[i] == '>' ||
			s.p[i] == '"')
			return -EINVAL;
	return 0;
}

int
nfv_sip_uri(struct nfv_sv s, struct nfv_sip_uri *out)
{
	struct nfv_sip_uri u = { .text = s };
	struct nfv_sv scheme;

	if (s.n > NFV_SIP_URI_MAX)
		return -EINVAL;
	scheme = scan_span(&s, CH_SCHEME);
	if (scheme.n == 0 || !scan_char(&s, ':'))
		return -EINVAL;
	if (nfv_sv_ieq(scheme, NFV_SV("sip")))
		u.scheme = NFV_SIP_SCHEME_SIP;
	else if (nfv_sv_ieq(scheme, NFV_SV("sips")))
		u.scheme = NFV_SIP_SCHEME_SIPS;
	else if (nfv_sv_ieq(scheme, NFV_SV("tel")))
		u.scheme = NFV_SIP_SCHEME_TEL;
	*out = u;
	if (u.scheme == NFV_SIP_SCHEME_SIP || u.scheme == NFV_SIP_SCHEME_SIPS)
		return sip_uri(s, out);
	return other_uri(s);
}

struct nfv_sv
nfv_sip_uri_param(const struct nfv_sip_uri *uri, const char *name)
{
	struct nfv_sv rest = uri->params;

	if (rest.n > 0)
		scan_skip(&rest, 1);
	while (rest.n > 0) {
		struct nfv_sv value = nfv_sv_cut(&rest, ';'), key = nfv_sv_cut(&value, '=');

		if (nfv_sv_ieq(key, nfv_sv_str(name)))
			return value.p != NULL ? value : nfv_sv(key.p + key.n, 0);
	}
	return nfv_sv(NULL, 0);
}
