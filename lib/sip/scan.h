/**
 * @file
 * Character classes of RFC 3261 §25.1 and the few moves that every parser here is made of.
 */
#ifndef SCAN_H
#define SCAN_H

#include "nfv_sv.h"

enum {
	CH_TOKEN = 1 << 0,
	CH_WORD = 1 << 1,
	CH_USER = 1 << 2, /* unreserved and user-unreserved */
	CH_PASSWORD = 1 << 3,
	CH_PARAM = 1 << 4, /* of a URI: unreserved and param-unreserved */
	CH_HNV = 1 << 5,   /* of a URI's headers: unreserved and hnv-unreserved */
	CH_HOST = 1 << 6,
	CH_HEX = 1 << 7,
	CH_DIGIT = 1 << 8,
	CH_SCHEME = 1 << 9,
	CH_LWS = 1 << 10,
	CH_VALUE = 1 << 11, /* of a header parameter: token, host, IPv6 with or without brackets */
};

extern const uint16_t scan_class[256];

static inline bool
scan_is(char c, unsigned int class)
{
	return scan_class[(unsigned char)c] & class;
}

static inline void
scan_skip(struct nfv_sv *s, size_t n)
{
	s->p += n;
	s->n -= n;
}

/* The longest run of the class at the front, cut off. */
static inline struct nfv_sv
scan_span(struct nfv_sv *s, unsigned int class)
{
	struct nfv_sv run = { s->p, 0 };

	while (run.n < s->n && scan_is(s->p[run.n], class))
		run.n++;
	scan_skip(s, run.n);
	return run;
}

static inline void
scan_lws(struct nfv_sv *s)
{
	while (s->n > 0 && scan_is(s->p[0], CH_LWS))
		scan_skip(s, 1);
}

static inline bool
scan_char(struct nfv_sv *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	scan_skip(s, 1);
	return true;
}

/* A separator with white space around it (SLASH, COMMA, SEMI … of the grammar); if it is not there,
 * nothing is taken. */
static inline bool
scan_sep(struct nfv_sv *s, char c)
{
	struct nfv_sv r = *s;

	scan_lws(&r);
	if (!scan_char(&r, c))
		return false;
	scan_lws(&r);
	*s = r;
	return true;
}

/* What lies from `from` up to where `s` has come to. */
static inline struct nfv_sv
scan_since(const char *from, const struct nfv_sv *s)
{
	return nfv_sv(from, (size_t)(s->p - from));
}

/* A quoted string at the front, quotes included; false if it is not closed. */
bool scan_quoted(struct nfv_sv *s, struct nfv_sv *out);

/* A host name or address, an IPv6 address without its brackets; false if there is none. */
bool scan_host(struct nfv_sv *s, struct nfv_sv *out);

/* A port: digits, 1…65535. */
bool scan_port(struct nfv_sv *s, uint16_t *out);

/* Every byte is of the class, or a percent sign with two hexadecimal digits ("escaped"). */
bool scan_escaped(struct nfv_sv s, unsigned int class);

#endif
