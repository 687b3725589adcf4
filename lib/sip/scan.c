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

size_t
scan_quoted_n(struct nfv_sv s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '"')
			return i + 1;
		/* quoted-pair: any byte but a line end */
		if (s.p[i] == '\\' && (++i == s.n || s.p[i] == '\r' || s.p[i] == '\n'))
			return 0;
	}
	return 0;
}

size_t
scan_ipv6_n(struct nfv_sv s)
{
	struct nfv_sv host, in = nfv_sv(s.p + 1, s.n - 1);
	struct nfv_addr a;

	host = scan_span(&in, CH_HEX | CH_VALUE);
	/* ']' is of CH_VALUE: the run may have gone past it */
	host = nfv_sv_cut(&host, ']');
	if (nfv_addr_parse(host, &a) < 0 || a.family != NFV_IPV6 || host.n + 1 >= s.n ||
		s.p[host.n + 1] != ']')
		return 0;
	return host.n + 2;
}
