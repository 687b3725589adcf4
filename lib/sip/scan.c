#include "nfv_addr.h"
#include "scan.h"

#define UNRESERVED (CH_USER | CH_PASSWORD | CH_PARAM | CH_HNV)
#define ALPHA      (CH_TOKEN | CH_WORD | UNRESERVED | CH_HOST | CH_SCHEME | CH_VALUE)

const uint16_t scan_class[256] = {
	['0' ... '9'] = ALPHA | CH_HEX | CH_DIGIT,
	['A' ... 'F'] = ALPHA | CH_HEX,
	['a' ... 'f'] = ALPHA | CH_HEX,
	['G' ... 'Z'] = ALPHA,
	['g' ... 'z'] = ALPHA,
	['-'] = ALPHA,
	['.'] = ALPHA,
	['_'] = CH_TOKEN | CH_WORD | UNRESERVED | CH_HOST | CH_VALUE, /* seen in host names */
	['!'] = CH_TOKEN | CH_WORD | UNRESERVED | CH_VALUE,
	['*'] = CH_TOKEN | CH_WORD | UNRESERVED | CH_VALUE,
	['~'] = CH_TOKEN | CH_WORD | UNRESERVED | CH_VALUE,
	['\''] = CH_TOKEN | CH_WORD | UNRESERVED | CH_VALUE,
	['%'] = CH_TOKEN | CH_WORD | CH_VALUE,
	['`'] = CH_TOKEN | CH_WORD | CH_VALUE,
	['+'] = CH_TOKEN | CH_WORD | UNRESERVED | CH_SCHEME | CH_VALUE,
	['('] = CH_WORD | UNRESERVED,
	[')'] = CH_WORD | UNRESERVED,
	['<'] = CH_WORD,
	['>'] = CH_WORD,
	['\\'] = CH_WORD,
	['"'] = CH_WORD,
	['{'] = CH_WORD,
	['}'] = CH_WORD,
	[':'] = CH_WORD | CH_PARAM | CH_HNV | CH_VALUE,
	['['] = CH_WORD | CH_PARAM | CH_HNV | CH_VALUE,
	[']'] = CH_WORD | CH_PARAM | CH_HNV | CH_VALUE,
	['/'] = CH_WORD | CH_USER | CH_PARAM | CH_HNV,
	['?'] = CH_WORD | CH_USER | CH_HNV,
	['&'] = CH_USER | CH_PASSWORD | CH_PARAM,
	['='] = CH_USER | CH_PASSWORD,
	['$'] = CH_USER | CH_PASSWORD | CH_PARAM | CH_HNV,
	[','] = CH_USER | CH_PASSWORD,
	[';'] = CH_USER,
	[' '] = CH_LWS,
	['\t'] = CH_LWS,
	['\r'] = CH_LWS,
	['\n'] = CH_LWS,
};

bool
scan_quoted(struct nfv_sv *s, struct nfv_sv *out)
{
	struct nfv_sv r = *s;

	if (!scan_char(&r, '"'))
		return false;
	while (r.n > 0 && r.p[0] != '"') {
		/* quoted-pair: any byte but a line end */
		if (r.p[0] == '\\') {
			if (r.n < 2 || r.p[1] == '\r' || r.p[1] == '\n')
				return false;
			scan_skip(&r, 1);
		}
		scan_skip(&r, 1);
	}
	if (!scan_char(&r, '"'))
		return false;
	*out = scan_since(s->p, &r);
	*s = r;
	return true;
}

bool
scan_host(struct nfv_sv *s, struct nfv_sv *out)
{
	struct nfv_sv host, in;
	struct nfv_addr a;

	if (s->n == 0 || s->p[0] != '[') {
		host = scan_span(s, CH_HOST);
		*out = host;
		return host.n > 0 && host.p[0] != '.' && host.p[0] != '-';
	}
	in = nfv_sv(s->p + 1, s->n - 1);
	host = scan_span(&in, CH_HEX | CH_VALUE);
	/* ']' is of CH_VALUE: the run may have gone past it */
	host = nfv_sv_cut(&host, ']');
	if (nfv_addr_parse(host, &a) < 0 || a.family != NFV_IPV6 || host.n + 1 >= s->n ||
		s->p[host.n + 1] != ']')
		return false;
	*out = host;
	scan_skip(s, host.n + 2);
	return true;
}

bool
scan_port(struct nfv_sv *s, uint16_t *out)
{
	uint64_t v;

	if (nfv_sv_u64(scan_span(s, CH_DIGIT), 1, UINT16_MAX, &v) < 0)
		return false;
	*out = (uint16_t)v;
	return true;
}

bool
scan_escaped(struct nfv_sv s, unsigned int class)
{
	while (s.n > 0) {
		if (s.p[0] == '%') {
			if (s.n < 3 || !scan_is(s.p[1], CH_HEX) || !scan_is(s.p[2], CH_HEX))
				return false;
			scan_skip(&s, 3);
		} else {
			if (!scan_is(s.p[0], class))
				return false;
			scan_skip(&s, 1);
		}
	}
	return true;
}
