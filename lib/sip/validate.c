/* Every check runs, so that *core is as full as the message allows, which an answer needs; the
 * first fault found is the one that is told. */
#include <errno.h>

#include "nfv_sip.h"
#include "scan.h"

/* From, To: a name whose URI parses, of whatever scheme. */
static int
check_name(struct nfv_sv s, struct nfv_sip_name *out, const char *lim)
{
	struct nfv_sip_uri uri;

	if (scan_name(s, out, lim) < 0 || scan_uri(out->uri, &uri, lim) < 0) {
		*out = (struct nfv_sip_name){ 0 };
		return -EINVAL;
	}
	return 0;
}

static int
check_from(struct nfv_sv s, struct nfv_sip_core *core, const char *lim)
{
	return check_name(s, &core->from, lim);
}

static int
check_to(struct nfv_sv s, struct nfv_sip_core *core, const char *lim)
{
	return check_name(s, &core->to, lim);
}

static int
check_call_id(struct nfv_sv s, struct nfv_sip_core *core, const char *lim)
{
	core->call_id = s;
	return scan_call_id(s, lim);
}

static int
check_cseq(struct nfv_sv s, struct nfv_sip_core *core, const char *lim)
{
	if (scan_cseq(s, &core->cseq, lim) < 0) {
		core->cseq = (struct nfv_sip_cseq){ 0 };
		return -EINVAL;
	}
	return 0;
}

static int
check_max_forwards(struct nfv_sv s, struct nfv_sip_core *core, const char *lim)
{
	uint64_t v;

	(void)lim;
	if (nfv_sv_u64(s, 0, 255, &v) < 0)
		return -EINVAL;
	core->max_forwards = (int16_t)v;
	return 0;
}

#define SINGLE(field, name, must, check)                                                           \
	{                                                                                          \
		field, must, check, "Missing " name, "More Than One " name, "Malformed " name      \
	}

/* Fields that may stand once (RFC 3261 §7.3.1, §20). */
static const struct single {
	uint8_t field;
	bool must;
	int (*check)(struct nfv_sv s, struct nfv_sip_core *core, const char *lim);
	const char *missing, *twice, *bad;
} singles[] = {
	SINGLE(NFV_SIP_H_FROM, "From", true, check_from),
	SINGLE(NFV_SIP_H_TO, "To", true, check_to),
	SINGLE(NFV_SIP_H_CALL_ID, "Call-ID", true, check_call_id),
	SINGLE(NFV_SIP_H_CSEQ, "CSeq", true, check_cseq),
	SINGLE(NFV_SIP_H_MAX_FORWARDS, "Max-Forwards", false, check_max_forwards),
};

static const char *
check_single(const struct nfv_sip_msg *m, const struct single *s, struct nfv_sip_core *core)
{
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(m, s->field);

	if (h == NULL)
		return s->must ? s->missing : NULL;
	if (s->check(nfv_sip_value(m, h), core, m->p + m->n) < 0)
		return s->bad;
	return h->next != 0 ? s->twice : NULL;
}

/* The topmost one: 1, 0 or -EINVAL, as nfv_sip_next_via(). */
static int
top_via(const struct nfv_sip_msg *m, struct nfv_sip_core *core, struct nfv_sip_iter *it)
{
	int rc;

	nfv_sip_iter(it, m, NFV_SIP_H_VIA);
	rc = nfv_sip_next_via(it, &core->via);
	core->via_end = core->n_vias = 0;
	core->via_line_done = false;
	core->via_ok = rc > 0;
	if (rc <= 0) {
		core->via = (struct nfv_sip_via){ 0 };
		return rc;
	}
	core->via_end = it->end;
	core->via_line_done = nfv_sip_iter_line_done(it);
	core->n_vias = 1;
	return rc;
}

/* `topped`: of the topmost one it is known that it is good. */
static const char *
check_vias(const struct nfv_sip_msg *m, struct nfv_sip_core *core, bool topped)
{
	struct nfv_sip_iter it;
	struct nfv_sip_via via;
	int rc;

	if (topped && core->n_vias == 1)
		return NULL;
	rc = top_via(m, core, &it);
	if (rc <= 0)
		return rc < 0 ? "Malformed Via" : "Missing Via";
	while ((rc = nfv_sip_next_via(&it, &via)) > 0)
		if (core->n_vias++ == NFV_SIP_VIAS_MAX)
			return "Too Many Via";
	if (rc < 0)
		return "Malformed Via";
	return nfv_sv_eq(core->via.version, NFV_SV("2.0")) ? NULL : "Via Of Another SIP Version";
}

static const char *
check_names(const struct nfv_sip_msg *m, enum nfv_sip_field field, const char *fault)
{
	struct nfv_sip_iter it;
	struct nfv_sip_name name;
	struct nfv_sip_uri uri;
	int rc;

	nfv_sip_iter(&it, m, field);
	while ((rc = nfv_sip_next_name(&it, &name)) > 0)
		if (scan_uri(name.uri, &uri, m->p + m->n) < 0)
			return fault;
	return rc < 0 ? fault : NULL;
}

static const char *
check_contact(const struct nfv_sip_msg *m)
{
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(m, NFV_SIP_H_CONTACT);

	if (h != NULL && nfv_sv_eq(nfv_sip_value(m, h), NFV_SV("*")))
		return h->next != 0 ? "Malformed Contact" : NULL;
	return check_names(m, NFV_SIP_H_CONTACT, "Malformed Contact");
}

/* A Request-URI is bare, of one piece and without header fields (§19.1.1, table 1). */
static const char *
check_request(const struct nfv_sip_msg *m, struct nfv_sip_core *core)
{
	if (m->response) {
		scan_no_uri(&core->uri, scan_none);
		return NULL;
	}
	if (scan_uri(m->uri, &core->uri, m->p + m->n) < 0 || core->uri.headers.p != NULL) {
		scan_no_uri(&core->uri, m->uri);
		return "Malformed Request-URI";
	}
	if (core->cseq.method.p != NULL && !nfv_sv_eq(core->cseq.method, m->method_name))
		return "CSeq Does Not Match Method";
	return NULL;
}

static const char *
check_framing(const struct nfv_sip_msg *m)
{
	static const struct {
		uint16_t flaw;
		const char *fault;
	} t[] = {
		{ NFV_SIP_FLAW_START_LINE, "Malformed Start Line" },
		{ NFV_SIP_FLAW_HEADER, "Malformed Header Field" },
		{ NFV_SIP_FLAW_LENGTH, "Malformed Content-Length" },
		{ NFV_SIP_FLAW_CUT, "Body Shorter Than Content-Length" },
		{ NFV_SIP_FLAW_LINE_END, "Line Without CRLF" },
	};

	for (size_t i = 0; m->flaws != 0 && i < sizeof(t) / sizeof(t[0]); i++)
		if (m->flaws & t[i].flaw)
			return t[i].fault;
	return NULL;
}

/* "SIP" "/" 1*DIGIT "." 1*DIGIT */
static bool
is_version(struct nfv_sv s)
{
	scan_skip(&s, 4); /* framing has seen "SIP/" */
	return scan_span(&s, CH_DIGIT).n > 0 && scan_char(&s, '.') &&
		scan_span(&s, CH_DIGIT).n > 0 && s.n == 0;
}

static void
first_of(const char **fault, const char *found)
{
	if (*fault == NULL)
		*fault = found;
}

static unsigned int
validate(const struct nfv_sip_msg *m, struct nfv_sip_core *core, bool topped, const char **text)
{
	const char *fault = check_framing(m);

	core->from = (struct nfv_sip_name){ 0 };
	core->to = (struct nfv_sip_name){ 0 };
	core->call_id = scan_none;
	core->cseq = (struct nfv_sip_cseq){ 0 };
	core->max_forwards = -1;
	first_of(&fault, check_vias(m, core, topped));
	for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]); i++)
		first_of(&fault, check_single(m, &singles[i], core));
	first_of(&fault, check_request(m, core));
	first_of(&fault, check_contact(m));
	first_of(&fault, check_names(m, NFV_SIP_H_ROUTE, "Malformed Route"));
	if ((m->flaws & NFV_SIP_FLAW_VERSION) && is_version(m->version)) {
		*text = nfv_sip_reason(505);
		return 505;
	}
	if (m->flaws & NFV_SIP_FLAW_TOO_LARGE) {
		*text = nfv_sip_reason(513);
		return 513;
	}
	if (m->uri.n > NFV_SIP_URI_MAX) {
		*text = nfv_sip_reason(414);
		return 414;
	}
	if (m->flaws & NFV_SIP_FLAW_VERSION)
		first_of(&fault, "Malformed SIP Version");
	if (fault == NULL)
		return 0;
	*text = fault;
	return 400;
}

unsigned int
nfv_sip_validate(const struct nfv_sip_msg *m, struct nfv_sip_core *core, const char **text)
{
	return validate(m, core, false, text);
}

/* The value of a field that stands once; n == 0: of any other. */
static struct nfv_sv
the_one(const struct nfv_sip_msg *m, enum nfv_sip_field field)
{
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(m, field);

	return h != NULL && h->next == 0 ? nfv_sip_value(m, h) : nfv_sv(m->p, 0);
}

/* A From or To as nearly all are: what stands in brackets, and a tag or nothing. */
static bool
read_tag(struct nfv_sv s, struct nfv_sip_name *out, const char *lim)
{
	static const char tag[] = ";tag=";
	const char *end = s.p + s.n, *p = scan_either(s, '>', '"', lim);

	if (p == end || *p != '>')
		return scan_name(s, out, lim) == 0;
	out->text = s;
	out->display = out->uri = out->params = out->tag = scan_none;
	if (++p == end)
		return true;
	s = nfv_sv(p, (size_t)(end - p));
	if (s.n < sizeof(tag) || memcmp(p, tag, sizeof(tag) - 1) != 0)
		return scan_name(out->text, out, lim) == 0;
	scan_skip(&s, sizeof(tag) - 1);
	out->tag = scan_run(&s, CH_TOKEN, lim);
	return s.n == 0 || scan_name(out->text, out, lim) == 0;
}

/* The lines, the topmost Via, and the To's tag. */
static bool
read_top(const struct nfv_sip_msg *m, struct nfv_sip_core *core)
{
	struct nfv_sip_iter it;

	if (m->flaws != 0 || !read_tag(the_one(m, NFV_SIP_H_TO), &core->to, m->p + m->n) ||
		top_via(m, core, &it) <= 0 || !nfv_sv_eq(core->via.version, NFV_SV("2.0")))
		return false;
	core->n_vias += !core->via_line_done || it.next != 0;
	return true;
}

bool
nfv_sip_read_top(const struct nfv_sip_msg *m, struct nfv_sip_core *core)
{
	static const struct nfv_sv cookie = { NFV_SIP_COOKIE, sizeof(NFV_SIP_COOKIE) - 1 };
	struct nfv_sv branch;

	if (the_one(m, NFV_SIP_H_FROM).n == 0 || the_one(m, NFV_SIP_H_CALL_ID).n == 0 ||
		the_one(m, NFV_SIP_H_CSEQ).n == 0 || !read_top(m, core))
		return false;
	branch = core->via.branch;
	return branch.n > cookie.n && memcmp(branch.p, cookie.p, cookie.n) == 0;
}

/* Whether it is part of something that goes on, and good in what is used of it. */
static bool
read_used(const struct nfv_sip_msg *m, struct nfv_sip_core *core, bool topped)
{
	const struct nfv_sip_hdr *hops = nfv_sip_first_hdr(m, NFV_SIP_H_MAX_FORWARDS);
	const char *lim = m->p + m->n;

	if (m->method == NFV_SIP_REGISTER || (!topped && !read_top(m, core)) ||
		(core->to.tag.n == 0 && !m->response) ||
		!read_tag(the_one(m, NFV_SIP_H_FROM), &core->from, lim))
		return false;
	core->max_forwards = -1;
	core->call_id = the_one(m, NFV_SIP_H_CALL_ID);
	if (scan_call_id(core->call_id, lim) < 0 ||
		scan_cseq(the_one(m, NFV_SIP_H_CSEQ), &core->cseq, lim) < 0)
		return false;
	if (hops != NULL &&
		(hops->next != 0 || check_max_forwards(nfv_sip_value(m, hops), core, lim) < 0))
		return false;
	return check_request(m, core) == NULL;
}

unsigned int
nfv_sip_validate_used(
	const struct nfv_sip_msg *m, struct nfv_sip_core *core, bool topped, const char **text)
{
	return read_used(m, core, topped) ? 0 : validate(m, core, topped, text);
}

unsigned int
nfv_sip_validate_proxy(
	const struct nfv_sip_msg *m, const struct nfv_sip_core *core, const char **text)
{
	unsigned int status = 0;

	if (core->uri.scheme == NFV_SIP_SCHEME_OTHER)
		status = 416;
	else if (core->max_forwards == 0)
		status = 483;
	else if (nfv_sip_first_hdr(m, NFV_SIP_H_PROXY_REQUIRE) != NULL &&
		m->method != NFV_SIP_ACK && m->method != NFV_SIP_CANCEL) /* §8.2.2.3 */
		status = 420;
	if (status != 0)
		*text = nfv_sip_reason(status);
	return status;
}
