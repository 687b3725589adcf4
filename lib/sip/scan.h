/**
 * @file
 * Character classes of RFC 3261 §25.1 and the few moves that every parser here is made of.
 *
 * Most of a message are letters and digits, which are looked at sixteen at once where so many may
 * be read. What may be read is more than what is parsed: a `lim` is an end of readable bytes, that
 * of the message if it is known, at least that of the view.
 */
#ifndef SCAN_H
#define SCAN_H

#include <endian.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "nfv_sip.h"

#define SCAN_WIDE 16

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

/* What is not there. Structures are cleared with it member by member: for a whole one compilers
 * take a string instruction, which takes longer than a header field. */
static const struct nfv_sv scan_none = { NULL, 0 };

static inline void
scan_skip(struct nfv_sv *s, size_t n)
{
	s->p += n;
	s->n -= n;
}

#if defined(__SSE2__)
/* Bytes in [first, first + n), as -1. */
static inline __m128i
scan_range(__m128i v, char first, int n)
{
	return _mm_cmplt_epi8(_mm_add_epi8(v, _mm_set1_epi8((char)(-128 - first))),
		_mm_set1_epi8((char)(-128 + n)));
}

/* How many of the sixteen bytes at `p` come before one that is no letter, digit, "-" or ".", which
 * are of all classes but CH_HEX, CH_DIGIT and CH_LWS. */
static inline size_t
scan_plain(const char *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)p);
	__m128i letter = scan_range(_mm_or_si128(v, _mm_set1_epi8(0x20)), 'a', 26);
	__m128i other = _mm_or_si128(scan_range(v, '0', 10), scan_range(v, '-', 2));

	return (size_t)__builtin_ctz(~(unsigned int)_mm_movemask_epi8(_mm_or_si128(letter, other)));
}

/* A bit for each of the sixteen bytes at `p` that is `c`. */
static inline unsigned int
scan_mask(const char *p, char c)
{
	__m128i v = _mm_loadu_si128((const __m128i *)p);

	return (unsigned int)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(c)));
}
#else
static inline size_t
scan_plain(const char *p)
{
	size_t n = 0;

	while (n < SCAN_WIDE && scan_is(p[n], CH_SCHEME) && p[n] != '+')
		n++;
	return n;
}

static inline unsigned int
scan_mask(const char *p, char c)
{
	unsigned int mask = 0;

	for (unsigned int i = 0; i < SCAN_WIDE; i++)
		mask |= (unsigned int)(p[i] == c) << i;
	return mask;
}
#endif

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

/* The same, wide; of a class that has what is plain. */
static inline struct nfv_sv
scan_run(struct nfv_sv *s, unsigned int class, const char *lim)
{
	const char *p = s->p, *end = p + s->n;
	struct nfv_sv run;

	for (;;) {
		if (lim - p >= SCAN_WIDE)
			p += scan_plain(p);
		if (p >= end || !scan_is(*p, class))
			break;
		p++;
	}
	p = p < end ? p : end;
	run = nfv_sv(s->p, (size_t)(p - s->p));
	*s = nfv_sv(p, (size_t)(end - p));
	return run;
}

/* Where in [p, end) what is plain ends. */
static inline const char *
scan_past_plain(const char *p, const char *end, const char *lim)
{
	while (lim - p >= SCAN_WIDE) {
		size_t n = scan_plain(p);

		p += n;
		if (n < SCAN_WIDE || p >= end)
			return p < end ? p : end;
	}
	while (p < end && scan_is(*p, CH_SCHEME) && *p != '+')
		p++;
	return p;
}

/* Where `c` is in the view, or its end. */
static inline const char *
scan_find(struct nfv_sv s, char c, const char *lim)
{
	const char *p = s.p, *end = p + s.n;

	while (p < end && lim - p >= SCAN_WIDE) {
		unsigned int mask = scan_mask(p, c);

		if (mask != 0) {
			p += __builtin_ctz(mask);
			return p < end ? p : end;
		}
		p += SCAN_WIDE;
	}
	while (p < end && *p != c)
		p++;
	return p < end ? p : end;
}

/* The same, of either byte. */
static inline const char *
scan_either(struct nfv_sv s, char a, char b, const char *lim)
{
	const char *p = s.p, *end = p + s.n;

	for (; p < end && lim - p >= SCAN_WIDE; p += SCAN_WIDE) {
		unsigned int mask = scan_mask(p, a) | scan_mask(p, b);

		if (mask != 0) {
			p += __builtin_ctz(mask);
			return p < end ? p : end;
		}
	}
	while (p < end && *p != a && *p != b)
		p++;
	return p < end ? p : end;
}

/* The CRs of a text, and LFs that follow none, one after the other; found 64 bytes at a time, so that
 * where a line begins is not waited for to look for its end. */
struct scan_lines {
	const char *lo, *end; /* of the text */
	const char *at;       /* 64 bytes, or the last ones, of which `mask` has those left */
	uint64_t mask;
};

static inline uint64_t
scan_mask64(const char *p, char c)
{
	uint64_t mask = 0;

	for (unsigned int i = 0; i < 64; i += SCAN_WIDE)
		mask |= (uint64_t)scan_mask(p + i, c) << i;
	return mask;
}

static inline uint64_t
scan_lines_look(const struct scan_lines *l)
{
	uint64_t cr = 0, lf = 0, n = (uint64_t)(l->end - l->at);

	if (n >= 64) {
		cr = scan_mask64(l->at, '\r');
		lf = scan_mask64(l->at, '\n');
	} else if (l->end - l->lo >= 64) {
		cr = scan_mask64(l->end - 64, '\r') >> (64 - n);
		lf = scan_mask64(l->end - 64, '\n') >> (64 - n);
	} else {
		for (size_t i = 0; i < n; i++) {
			cr |= (uint64_t)(l->at[i] == '\r') << i;
			lf |= (uint64_t)(l->at[i] == '\n') << i;
		}
	}
	return cr | (lf & ~(cr << 1 | (l->at > l->lo && l->at[-1] == '\r')));
}

static inline struct scan_lines
scan_lines(const char *p, size_t n)
{
	struct scan_lines l = { p, p + n, p, 0 };

	l.mask = scan_lines_look(&l);
	return l;
}

/* The next one, or the end. */
static inline const char *
scan_break(struct scan_lines *l)
{
	const char *p;

	while (l->mask == 0) {
		if (l->end - l->at <= 64)
			return l->end;
		l->at += 64;
		l->mask = scan_lines_look(l);
	}
	p = l->at + __builtin_ctzll(l->mask);
	l->mask &= l->mask - 1;
	return p;
}

/* Whether a token of n bytes is `text`, of which SCAN_WIDE can be read: letters in lower case and
 * "-". What differs from such a byte in the bit of the case alone is its capital, or in no token. */
static inline bool
scan_same(const char *p, size_t n, const char text[SCAN_WIDE], const char *lim)
{
#if defined(__SSE2__)
	if (lim - p >= SCAN_WIDE) {
		__m128i v = _mm_loadu_si128((const __m128i *)p);
		__m128i t = _mm_loadu_si128((const __m128i *)text);
		__m128i eq = _mm_cmpeq_epi8(_mm_or_si128(v, _mm_set1_epi8(0x20)), t);

		return (~(unsigned int)_mm_movemask_epi8(eq) & ((1u << n) - 1)) == 0;
	}
#endif
	return nfv_sv_ieq(nfv_sv(p, n), nfv_sv(text, n));
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
	struct nfv_sv was = nfv_sv(s->p, s->n);

	scan_lws(s);
	if (!scan_char(s, c)) {
		*s = was;
		return false;
	}
	scan_lws(s);
	return true;
}

/* What lies from `from` up to where `s` has come to. */
static inline struct nfv_sv
scan_since(const char *from, const struct nfv_sv *s)
{
	return nfv_sv(from, (size_t)(s->p - from));
}

/* Names of fields, in a perfect hash of length, first and last letter. */
#define SCAN_SLOT(n, first, last) (((n) + ((first) | 32ul) * 13 + ((last) | 32ul) * 21) & 63)

extern const struct scan_name {
	char text[30]; /* in lower case */
	uint8_t n, field;
} scan_names[64];

/* The field whose name is this token, which is not empty. */
static inline enum nfv_sip_field
scan_field(struct nfv_sv s, const char *lim)
{
	size_t slot = SCAN_SLOT(s.n, (unsigned char)s.p[0], (unsigned char)s.p[s.n - 1]);
	const struct scan_name *name = &scan_names[slot];

	if (s.n != name->n)
		return NFV_SIP_H_OTHER;
	if (s.n > SCAN_WIDE)
		return nfv_sv_ieq(s, nfv_sv(name->text, s.n)) ? name->field : NFV_SIP_H_OTHER;
	return scan_same(s.p, s.n, name->text, lim) ? name->field : NFV_SIP_H_OTHER;
}

/* The length of the quoted string, or of the IPv6 address in brackets, that begins here with its
 * quotation mark or bracket; 0: it is none. */
size_t scan_quoted_n(struct nfv_sv s);
size_t scan_ipv6_n(struct nfv_sv s);

/* A quoted string at the front, quotes included; false if it is not closed. */
static inline bool
scan_quoted(struct nfv_sv *s, struct nfv_sv *out)
{
	size_t n = s->n > 0 && s->p[0] == '"' ? scan_quoted_n(*s) : 0;

	if (n == 0)
		return false;
	*out = nfv_sv(s->p, n);
	scan_skip(s, n);
	return true;
}

/* A host name or address, an IPv6 address without its brackets; false if there is none. */
static inline bool
scan_host(struct nfv_sv *s, struct nfv_sv *out, const char *lim)
{
	const char *p = s->p;
	size_t n;

	if (s->n > 0 && *p == '[') {
		n = scan_ipv6_n(*s);
		if (n == 0)
			return false;
		*out = nfv_sv(p + 1, n - 2);
		scan_skip(s, n);
		return true;
	}
	n = scan_run(s, CH_HOST, lim).n;
	*out = nfv_sv(p, n);
	return n > 0 && *p != '.' && *p != '-';
}

/* A port: digits, 1…65535. */
static inline bool
scan_port(struct nfv_sv *s, uint16_t *out)
{
	const char *p = s->p, *end = p + s->n;
	uint32_t v = 0;

	for (; p < end && scan_is(*p, CH_DIGIT); p++)
		if (v <= UINT16_MAX)
			v = 10 * v + (uint32_t)(*p - '0');
	*s = nfv_sv(p, (size_t)(end - p));
	*out = (uint16_t)v;
	return v > 0 && v <= UINT16_MAX;
}

/* What is no URI, but has this text. */
void scan_no_uri(struct nfv_sip_uri *u, struct nfv_sv text);

/* The nfv_sip_…() of the same name, for a view that more may be read behind. */
int scan_uri(struct nfv_sv s, struct nfv_sip_uri *out, const char *lim);
int scan_name(struct nfv_sv s, struct nfv_sip_name *out, const char *lim);
int scan_cseq(struct nfv_sv s, struct nfv_sip_cseq *out, const char *lim);
int scan_call_id(struct nfv_sv s, const char *lim);

#endif
