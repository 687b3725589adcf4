#include <errno.h>

#include "nfv_sip.h"
#include "scan.h"

/* The longest run of the class and of percent signs with two hexadecimal digits ("escaped"). */
static inline struct nfv_sv
escaped(struct nfv_sv *s, unsigned int class, const char *lim)
{
	const char *from = s->p;

	for (;;) {
		scan_run(s, class, lim);
		if (s->n < 3 || s->p[0] != '%' || !scan_is(s->p[1], CH_HEX) ||
			!scan_is(s->p[2], CH_HEX))
			return scan_since(from, s);
		scan_skip(s, 3);
	}
}

/* *( ";" name [ "=" value ] ), no white space, no name empty, up to a question mark or the end. */
static bool
params(struct nfv_sv *s, const char *lim)
{
	while (scan_char(s, ';')) {
		if (escaped(s, CH_PARAM, lim).n == 0)
			return false;
		if (scan_char(s, '='))
			escaped(s, CH_PARAM, lim);
	}
	return s->n == 0 || s->p[0] == '?';
}

/* name "=" value *( "&" name "=" value ), and no more */
static bool
headers(struct nfv_sv s, const char *lim)
{
	do {
		if (escaped(&s, CH_HNV, lim).n == 0 || !scan_char(&s, '='))
			return false;
		escaped(&s, CH_HNV, lim);
	} while (scan_char(&s, '&'));
	return s.n == 0;
}

/* userinfo "@": an unescaped "@" can stand nowhere else in a SIP URI. */
static inline bool
userinfo(struct nfv_sv *s, struct nfv_sip_uri *u, const char *lim)
{
	struct nfv_sv info = nfv_sv(s->p, s->n), user = scan_run(&info, CH_USER, lim);
	const char *at;

	if (user.n > 0 && scan_char(&info, '@')) { /* as nearly all are */
		u->user = user;
		*s = info;
		return true;
	}
	at = scan_find(info, '@', lim);
	if (at == info.p + info.n)
		return true;
	info = nfv_sv(s->p, (size_t)(at - s->p));
	scan_skip(s, info.n + 1);
	u->user = escaped(&info, CH_USER, lim);
	if (scan_char(&info, ':'))
		u->password = escaped(&info, CH_PASSWORD, lim);
	return u->user.n > 0 && info.n == 0;
}

/* [user "@"] host as nearly all are, of what is plain. False, and nothing
 * taken: they are not. */
static inline bool
usual_host(struct nfv_sv *s, struct nfv_sip_uri *u, const char *lim)
{
	const char *p = s->p, *end = p + s->n, *q = scan_past_plain(p, end, lim);
	struct nfv_sv user = scan_none;

	if (q > p && q < end && *q == '@') {
		user = nfv_sv(p, (size_t)(q - p));
		p = q + 1;
		q = scan_past_plain(p, end, lim);
	}
	if (q == p || *p == '.' || *p == '-' || (q < end && (user.p == NULL || *q == '_')))
		return false;
	u->user = user;
	u->host = nfv_sv(p, (size_t)(q - p));
	*s = nfv_sv(q, (size_t)(end - q));
	return true;
}

static int
sip_uri(struct nfv_sv s, struct nfv_sip_uri *u, const char *lim)
{
	if (!usual_host(&s, u, lim) && (!userinfo(&s, u, lim) || !scan_host(&s, &u->host, lim)))
		return -EINVAL;
	u->port_text = nfv_sv(s.p, 0);
	if (scan_char(&s, ':')) {
		if (!scan_port(&s, &u->port))
			return -EINVAL;
		u->port_text = scan_since(u->port_text.p, &s);
	}
	u->params.p = s.p;
	if (s.n > 0 && !params(&s, lim))
		return -EINVAL;
	u->params = scan_since(u->params.p, &s);
	if (!scan_char(&s, '?'))
		return 0;
	u->headers = s;
	return headers(s, lim) ? 0 : -EINVAL;
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

static enum nfv_sip_scheme
scheme_of(struct nfv_sv s)
{
	if (nfv_sv_ieq(s, NFV_SV("sip")))
		return NFV_SIP_SCHEME_SIP;
	if (nfv_sv_ieq(s, NFV_SV("sips")))
		return NFV_SIP_SCHEME_SIPS;
	return nfv_sv_ieq(s, NFV_SV("tel")) ? NFV_SIP_SCHEME_TEL : NFV_SIP_SCHEME_OTHER;
}

void
scan_no_uri(struct nfv_sip_uri *u, struct nfv_sv text)
{
	u->text = text;
	u->scheme = NFV_SIP_SCHEME_OTHER;
	u->user = scan_none;
	u->password = scan_none;
	u->host = scan_none;
	u->port_text = scan_none;
	u->params = scan_none;
	u->headers = scan_none;
	u->port = 0;
}

int
scan_uri(struct nfv_sv s, struct nfv_sip_uri *out, const char *lim)
{
	enum nfv_sip_scheme scheme = NFV_SIP_SCHEME_SIP;
	struct nfv_sv text = s, name;

	if (s.n > NFV_SIP_URI_MAX)
		return -EINVAL;
	if (s.n > 4 && memcmp(s.p, "sip:", 4) == 0) {
		scan_skip(&s, 4);
	} else {
		name = scan_run(&s, CH_SCHEME, lim);
		if (name.n == 0 || !scan_char(&s, ':'))
			return -EINVAL;
		scheme = scheme_of(name);
	}
	scan_no_uri(out, text);
	out->scheme = scheme;
	if (scheme == NFV_SIP_SCHEME_SIP || scheme == NFV_SIP_SCHEME_SIPS)
		return sip_uri(s, out, lim);
	return other_uri(s);
}

int
nfv_sip_uri(struct nfv_sv s, struct nfv_sip_uri *out)
{
	return scan_uri(s, out, s.p + s.n);
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
