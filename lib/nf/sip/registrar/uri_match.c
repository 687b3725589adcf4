#include "uri_match.h"

enum { EXACT, ANY_CASE };

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next character, cut off; a reserved one that is escaped is another than itself. */
static int
next_char(struct nfv_sv *s, int how)
{
	int c = (unsigned char)s->p[0], hi = -1, lo = -1;
	size_t n = 1;

	if (c == '%' && s->n >= 3) {
		hi = hex(s->p[1]);
		lo = hex(s->p[2]);
	}
	if (hi >= 0 && lo >= 0) {
		n = 3;
		c = hi << 4 | lo;
	}
	*s = nfv_sv(s->p + n, s->n - n);
	if (how == ANY_CASE && c >= 'A' && c <= 'Z')
		c |= 0x20;
	return n == 3 && c != 0 && strchr(";/?:@&=+$,", c) != NULL ? c | 256 : c;
}

static bool
text_eq(struct nfv_sv a, struct nfv_sv b, int how)
{
	if (a.p == NULL || b.p == NULL)
		return a.p == b.p;
	while (a.n > 0 && b.n > 0)
		if (next_char(&a, how) != next_char(&b, how))
			return false;
	return a.n == 0 && b.n == 0;
}

static bool
host_eq(struct nfv_sv a, struct nfv_sv b)
{
	struct nfv_addr x, y;

	if (nfv_sv_ieq(a, b))
		return true;
	return nfv_addr_parse(a, &x) == 0 && nfv_addr_parse(b, &y) == 0 && nfv_addr_eq(&x, &y);
}

static unsigned int
count(struct nfv_sv s, char sep)
{
	unsigned int n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == sep;
	return n;
}

/* A value in `name=value` texts parted by `sep`; p == NULL: it is not there. */
static struct nfv_sv
value_of(struct nfv_sv rest, char sep, struct nfv_sv name)
{
	while (rest.n > 0) {
		struct nfv_sv value = nfv_sv_cut(&rest, sep), key = nfv_sv_cut(&value, '=');

		if (text_eq(key, name, ANY_CASE))
			return value.p != NULL ? value : nfv_sv(key.p + key.n, 0);
	}
	return nfv_sv(NULL, 0);
}

static bool
params_eq(struct nfv_sv a, struct nfv_sv b)
{
	static const char *const both[] = { "transport", "user", "ttl", "method", "maddr" };
	struct nfv_sv rest = a;

	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++)
		if ((value_of(a, ';', nfv_sv_str(both[i])).p == NULL) !=
			(value_of(b, ';', nfv_sv_str(both[i])).p == NULL))
			return false;
	while (rest.n > 0) {
		struct nfv_sv value = nfv_sv_cut(&rest, ';'), key = nfv_sv_cut(&value, '='), other;

		other = value_of(b, ';', key);
		if (other.p != NULL && key.n > 0 &&
			!text_eq(value.p != NULL ? value : nfv_sv(key.p, 0), other, ANY_CASE))
			return false;
	}
	return true;
}

/* Every field of `a` stands in `b` too. */
static bool
headers_in(struct nfv_sv a, struct nfv_sv b)
{
	while (a.n > 0) {
		struct nfv_sv value = nfv_sv_cut(&a, '&'), key = nfv_sv_cut(&value, '='), other;

		other = value_of(b, '&', key);
		if (other.p == NULL || value.n != 0 ? !text_eq(value, other, EXACT) : other.n != 0)
			return false;
	}
	return true;
}

bool
sip_uri_eq(const struct nfv_sip_uri *a, const struct nfv_sip_uri *b)
{
	if (nfv_sv_eq(a->text, b->text))
		return true;
	if (a->scheme != b->scheme ||
		(a->scheme != NFV_SIP_SCHEME_SIP && a->scheme != NFV_SIP_SCHEME_SIPS))
		return false;
	if (a->port != b->port || !host_eq(a->host, b->host) || !text_eq(a->user, b->user, EXACT) ||
		!text_eq(a->password, b->password, EXACT))
		return false;
	if (count(a->params, ';') > SIP_URI_PARTS_MAX ||
		count(b->params, ';') > SIP_URI_PARTS_MAX ||
		count(a->headers, '&') >= SIP_URI_PARTS_MAX ||
		count(b->headers, '&') >= SIP_URI_PARTS_MAX)
		return false;
	return params_eq(a->params, b->params) && headers_in(a->headers, b->headers) &&
		headers_in(b->headers, a->headers);
}
