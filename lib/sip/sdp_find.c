/* Which part of a body is the session description. */
#include <errno.h>

#include "nfv_sdp.h"
#include "scan.h"

struct type {
	struct nfv_sv major, minor, boundary;
};

/* `type "/" subtype *(";" parameter)` (RFC 3261 §25.1) */
static bool
read_type(struct nfv_sv s, struct type *out)
{
	struct nfv_sip_param param;
	int rc;

	*out = (struct type){ .major = scan_span(&s, CH_TOKEN) };
	if (!scan_sep(&s, '/'))
		return false;
	out->minor = scan_span(&s, CH_TOKEN);
	scan_lws(&s);
	while ((rc = nfv_sip_param_next(&s, &param)) > 0)
		if (nfv_sv_ieq(param.name, NFV_SV("boundary")))
			out->boundary = param.value;
	if (out->boundary.n >= 2 && out->boundary.p[0] == '"')
		out->boundary = nfv_sv(out->boundary.p + 1, out->boundary.n - 2);
	return rc == 0;
}

static bool
is_sdp(const struct type *t)
{
	return nfv_sv_ieq(t->major, NFV_SV("application")) && nfv_sv_ieq(t->minor, NFV_SV("sdp"));
}

/* The first delimiter line (RFC 2046 §5.1.1) of `s`: what stands before it, and, moved behind it,
 * `s`. A delimiter begins a line; the line end before it is its own. */
static bool
cut_delimiter(struct nfv_sv *s, struct nfv_sv boundary, struct nfv_sv *before, bool *last)
{
	const char *begin = s->p;
	struct nfv_sv rest = *s;

	while (rest.n > 0) {
		struct nfv_sv line = nfv_sv_cut(&rest, '\n'), tail;

		if (line.n < boundary.n + 2 || memcmp(line.p, "--", 2) != 0 ||
			memcmp(line.p + 2, boundary.p, boundary.n) != 0)
			continue;
		tail = nfv_sv(line.p + boundary.n + 2, line.n - boundary.n - 2);
		*last = tail.n >= 2 && memcmp(tail.p, "--", 2) == 0;
		if (*last)
			scan_skip(&tail, 2);
		scan_lws(&tail);
		if (tail.n > 0)
			continue; /* a longer boundary, of which this one is the beginning */
		*before = nfv_sv(begin, (size_t)(line.p - begin));
		if (before->n > 0 && before->p[before->n - 1] == '\n')
			before->n--;
		if (before->n > 0 && before->p[before->n - 1] == '\r')
			before->n--;
		*s = rest;
		return true;
	}
	return false;
}

/* Header lines of a part: 1 and what stands behind them if it is a description, 0 if it is none,
 * -EINVAL if it is one that is encoded. Without a type it is text. */
static int
read_part(struct nfv_sv part, struct nfv_sv *body)
{
	bool sdp = false, plain = true;

	while (part.n > 0) {
		struct nfv_sv line = nfv_sv_cut(&part, '\n'), name;
		struct type type;

		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0) {
			*body = part;
			return !sdp ? 0 : plain && part.n > 0 ? 1 : -EINVAL;
		}
		name = nfv_sv_trim(nfv_sv_cut(&line, ':'));
		line = nfv_sv_trim(line);
		if (nfv_sv_ieq(name, NFV_SV("Content-Type")))
			sdp = read_type(line, &type) && is_sdp(&type);
		else if (nfv_sv_ieq(name, NFV_SV("Content-Transfer-Encoding")))
			plain = nfv_sv_ieq(line, NFV_SV("binary")) ||
				nfv_sv_ieq(line, NFV_SV("8bit")) ||
				nfv_sv_ieq(line, NFV_SV("7bit"));
		else if (nfv_sv_ieq(name, NFV_SV("Content-Encoding")))
			plain = nfv_sv_ieq(line, NFV_SV("identity"));
	}
	return sdp ? -EINVAL : 0;
}

static int
find_part(struct nfv_sv body, struct nfv_sv boundary, struct nfv_sv *out)
{
	struct nfv_sv part;
	bool last;

	if (boundary.n == 0 || boundary.n > 70 || !cut_delimiter(&body, boundary, &part, &last))
		return -EINVAL;
	while (!last) {
		int rc;

		if (!cut_delimiter(&body, boundary, &part, &last))
			return -EINVAL;
		rc = read_part(part, out);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Content-Encoding, or `e`: the body is packed somehow. */
static bool
is_encoded(const struct nfv_sip_msg *m)
{
	for (uint16_t i = 0; i < m->n_hdr; i++) {
		const struct nfv_sip_hdr *h = &m->hdr[i];
		struct nfv_sv name = nfv_sv(m->p + h->at, h->name_n);

		if (h->field == NFV_SIP_H_OTHER &&
			(nfv_sv_ieq(name, NFV_SV("Content-Encoding")) ||
				nfv_sv_ieq(name, NFV_SV("e"))) &&
			!nfv_sv_ieq(nfv_sip_value(m, h), NFV_SV("identity")))
			return true;
	}
	return false;
}

int
nfv_sdp_find(const struct nfv_sip_msg *m, struct nfv_sv *out)
{
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(m, NFV_SIP_H_CONTENT_TYPE);
	struct nfv_sv body = nfv_sv(m->p + m->body, m->body_n);
	struct type type;
	bool multipart;

	if (h == NULL || body.n == 0 || !read_type(nfv_sip_value(m, h), &type))
		return 0;
	multipart = nfv_sv_ieq(type.major, NFV_SV("multipart"));
	if (!multipart && !is_sdp(&type))
		return 0;
	if (h->next != 0 || is_encoded(m))
		return -EINVAL;
	if (multipart)
		return find_part(body, type.boundary, out);
	*out = body;
	return 1;
}
