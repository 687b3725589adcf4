#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nfv_addr.h"

bool
nfv_prefix_has(const struct nfv_prefix *p, const struct nfv_addr *a)
{
	uint64_t x[2], y[2];

	if (p->addr.family != a->family)
		return false;
	memcpy(x, p->addr.b, sizeof(x));
	memcpy(y, a->b, sizeof(y));
	x[0] = be64toh(x[0] ^ y[0]);
	x[1] = be64toh(x[1] ^ y[1]);
	if (p->len <= 64)
		return p->len == 0 || x[0] >> (64 - p->len) == 0;
	return x[0] == 0 && x[1] >> (128 - p->len) == 0;
}

/* By hand like write4(), and as strict as inet_pton(): four numbers up to 255 without leading
 * zeros. A NUL ends the text, as it does for the library. */
static bool
read4(struct nfv_sv s, uint8_t b[4])
{
	const char *p = s.p, *end = s.p + s.n;

	for (int i = 0; i < 4; i++) {
		unsigned int v, digit;

		if (p == end || (v = (unsigned char)*p++ - (unsigned int)'0') > 9)
			return false;
		for (; p < end && (digit = (unsigned char)*p - (unsigned int)'0') <= 9; p++) {
			if (v == 0)
				return false;
			v = 10 * v + digit;
			if (v > 255)
				return false;
		}
		b[i] = (uint8_t)v;
		if (i < 3 && (p == end || *p++ != '.'))
			return false;
	}
	return p == end || *p == '\0';
}

int
nfv_addr_parse(struct nfv_sv s, struct nfv_addr *out)
{
	struct nfv_addr a = { 0 };
	char text[INET6_ADDRSTRLEN];

	if (s.n == 0 || s.n >= sizeof(text))
		return -EINVAL;
	if (read4(s, a.b)) {
		a.family = NFV_IPV4;
	} else {
		if (memchr(s.p, ':', s.n) == NULL)
			return -EINVAL;
		memcpy(text, s.p, s.n);
		text[s.n] = '\0';
		if (inet_pton(AF_INET6, text, a.b) != 1)
			return -EINVAL;
		a.family = NFV_IPV6;
	}
	*out = a;
	return 0;
}

int
nfv_prefix_parse(struct nfv_sv s, struct nfv_prefix *out)
{
	struct nfv_sv addr = nfv_sv_cut(&s, '/');
	struct nfv_prefix p;
	uint64_t len;

	if (nfv_addr_parse(addr, &p.addr) < 0)
		return -EINVAL;
	len = nfv_addr_bits(&p.addr);
	if (s.p != NULL && nfv_sv_u64(s, 0, len, &len) < 0)
		return -EINVAL;
	p.len = (uint8_t)len;
	*out = p;
	return 0;
}

int
nfv_endpoint_parse(struct nfv_sv s, struct nfv_endpoint *out)
{
	struct nfv_endpoint e;
	struct nfv_sv addr;
	uint64_t port;

	if (s.n > 0 && s.p[0] == '[') {
		s = nfv_sv(s.p + 1, s.n - 1);
		addr = nfv_sv_cut(&s, ']');
		if (s.n == 0 || s.p[0] != ':')
			return -EINVAL;
		s = nfv_sv(s.p + 1, s.n - 1);
		if (nfv_addr_parse(addr, &e.addr) < 0 || e.addr.family != NFV_IPV6)
			return -EINVAL;
	} else {
		addr = nfv_sv_cut(&s, ':');
		if (nfv_addr_parse(addr, &e.addr) < 0 || e.addr.family != NFV_IPV4)
			return -EINVAL;
	}
	if (nfv_sv_u64(s, 1, UINT16_MAX, &port) < 0)
		return -EINVAL;
	e.port = (uint16_t)port;
	*out = e;
	return 0;
}

/* By hand, since SIP messages are full of them and the library goes through printf. */
static void
write4(const uint8_t b[4], char *to)
{
	for (int i = 0; i < 4; i++) {
		if (b[i] >= 100)
			*to++ = (char)('0' + b[i] / 100);
		if (b[i] >= 10)
			*to++ = (char)('0' + b[i] / 10 % 10);
		*to++ = (char)('0' + b[i] % 10);
		*to++ = i < 3 ? '.' : '\0';
	}
}

const char *
nfv_addr_text(const struct nfv_addr *a, char buf[NFV_ADDR_TEXT])
{
	if (a->family == NFV_IPV4)
		write4(a->b, buf);
	else if (a->family == NFV_NO_ADDR || inet_ntop(AF_INET6, a->b, buf, NFV_ADDR_TEXT) == NULL)
		strcpy(buf, "none");
	return buf;
}

const char *
nfv_prefix_text(const struct nfv_prefix *p, char buf[NFV_ADDR_TEXT])
{
	size_t n = strlen(nfv_addr_text(&p->addr, buf));

	snprintf(buf + n, NFV_ADDR_TEXT - n, "/%u", p->len);
	return buf;
}

const char *
nfv_endpoint_text(const struct nfv_endpoint *e, char buf[NFV_ADDR_TEXT])
{
	char addr[NFV_ADDR_TEXT];

	snprintf(buf, NFV_ADDR_TEXT, e->addr.family == NFV_IPV6 ? "[%.46s]:%u" : "%.46s:%u",
		nfv_addr_text(&e->addr, addr), e->port);
	return buf;
}
