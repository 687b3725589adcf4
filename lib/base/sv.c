#include <errno.h>

#include "nfv_sv.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static unsigned char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : (unsigned char)c;
}

bool
nfv_sv_ieq(struct nfv_sv a, struct nfv_sv b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (a.p[i] != b.p[i] && lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

struct nfv_sv
nfv_sv_trim(struct nfv_sv s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = nfv_sv(s.p + 1, s.n - 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct nfv_sv
nfv_sv_cut(struct nfv_sv *rest, char sep)
{
	const char *at = rest->n > 0 ? memchr(rest->p, sep, rest->n) : NULL;
	struct nfv_sv head = *rest;

	if (at == NULL) {
		*rest = nfv_sv(NULL, 0);
		return head;
	}
	head.n = (size_t)(at - head.p);
	*rest = nfv_sv(at + 1, rest->n - head.n - 1);
	return head;
}

struct nfv_sv
nfv_sv_word(struct nfv_sv *rest)
{
	struct nfv_sv s = nfv_sv_trim(*rest);
	size_t n = 0;

	while (n < s.n && !is_blank(s.p[n]))
		n++;
	*rest = nfv_sv(s.p + n, s.n - n);
	return nfv_sv(s.p, n);
}

int
nfv_sv_u64(struct nfv_sv s, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		unsigned int digit = (unsigned char)s.p[i] - (unsigned int)'0';

		if (digit > 9)
			return -EINVAL;
		/* nineteen digits fit whatever they are */
		if (i >= 19 && v > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		v = 10 * v + digit;
	}
	if (v < min || v > max)
		return -ERANGE;
	*out = v;
	return 0;
}
