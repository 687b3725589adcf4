/* What the header fields of a REGISTER say, taken together into texts that can be stored. */
#include "registrar.h"

#define MALFORMED_EXPIRES 3600u

/* White space that went over a line's end becomes white space within a line. */
static void
put_flat(struct nfv_sip_writer *w, struct nfv_sv s)
{
	size_t from = w->n;

	nfv_sip_put(w, s);
	for (size_t i = from; i < w->n; i++)
		if (w->p[i] == '\r' || w->p[i] == '\n')
			w->p[i] = ' ';
}

static uint32_t
seconds(struct nfv_sv s)
{
	uint64_t v;

	switch (nfv_sv_u64(s, 0, UINT32_MAX, &v)) {
	case 0:
		return (uint32_t)v;
	case -ERANGE:
		return UINT32_MAX;
	default:
		return MALFORMED_EXPIRES;
	}
}

uint32_t
sip_expires_read(const struct nfv_sip_msg *m, uint32_t otherwise)
{
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(m, NFV_SIP_H_EXPIRES);

	return h != NULL ? seconds(nfv_sip_value(m, h)) : otherwise;
}

/* ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ) */
static bool
q_value(struct nfv_sv s, uint16_t *out)
{
	unsigned int v, unit = SIP_Q_MAX / 10;

	if (s.n == 0 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
		return false;
	v = s.p[0] == '1' ? SIP_Q_MAX : 0;
	for (size_t i = 2; i < s.n; i++, unit /= 10) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v += (unsigned int)(s.p[i] - '0') * unit;
	}
	*out = (uint16_t)v;
	return v <= SIP_Q_MAX;
}

/* expires and q are taken out; all others are kept as they stand. */
static enum sip_register_outcome
read_params(struct sip_registrar *r, struct nfv_sv rest, struct nfv_sip_writer *parts,
	struct sip_contact *c)
{
	struct nfv_sv instance = { NULL, 0 }, reg_id = { NULL, 0 };
	struct nfv_sip_param p;
	size_t from = parts->n;
	int rc;

	while ((rc = nfv_sip_param_next(&rest, &p)) > 0) {
		if (nfv_sv_ieq(p.name, NFV_SV("expires"))) {
			c->expires = seconds(p.value);
			continue;
		}
		if (nfv_sv_ieq(p.name, NFV_SV("q"))) {
			if (!q_value(p.value, &c->q))
				return SIP_REGISTER_BAD_Q;
			continue;
		}
		if (nfv_sv_ieq(p.name, NFV_SV("+sip.instance")))
			instance = p.value;
		else if (nfv_sv_ieq(p.name, NFV_SV("reg-id")))
			reg_id = p.value;
		put_flat(parts, p.text);
	}
	if (instance.n > 0 && reg_id.n > 0)
		c->flow = sip_location_identity(r->conf.location, instance, reg_id);
	c->params = nfv_sip_written(parts, from);
	return rc < 0 || parts->full ? SIP_REGISTER_BAD_CONTACT : SIP_REGISTER_CHANGED;
}

/* Where a contact is reached. */
static struct nfv_endpoint
way_to(const struct sip_work *work, const struct nfv_sip_uri *uri)
{
	struct nfv_endpoint e = work->in->src;
	struct nfv_addr host;

	if (uri->scheme == NFV_SIP_SCHEME_SIP && nfv_addr_parse(uri->host, &host) == 0 &&
		nfv_addr_eq(&host, &e.addr))
		e.port = uri->port != 0 ? uri->port : NFV_SIP_PORT;
	return e;
}

enum sip_register_outcome
sip_contacts_read(struct sip_registrar *r, const struct sip_work *work,
	struct nfv_sip_writer *parts, unsigned int *n)
{
	uint32_t expires = sip_expires_read(&work->msg, r->conf.default_expires);
	enum sip_register_outcome bad;
	struct nfv_sip_name name;
	struct nfv_sip_iter it;
	int rc;

	*n = 0;
	nfv_sip_iter(&it, &work->msg, NFV_SIP_H_CONTACT);
	while ((rc = nfv_sip_next_name(&it, &name)) > 0) {
		struct sip_contact *c = &r->contact[*n];

		if (*n == SIP_PER_AOR_MAX)
			return SIP_REGISTER_MANY;
		*c = (struct sip_contact){ .expires = expires, .q = SIP_Q_MAX };
		if (nfv_sip_uri(name.uri, &c->uri) < 0)
			return SIP_REGISTER_BAD_CONTACT;
		bad = read_params(r, name.params, parts, c);
		if (bad != SIP_REGISTER_CHANGED)
			return bad;
		c->to = way_to(work, &c->uri);
		if (c->expires > r->conf.max_expires)
			c->expires = r->conf.max_expires;
		if (c->expires > 0 && c->expires < r->conf.min_expires)
			return SIP_REGISTER_BRIEF;
		++*n;
	}
	return rc < 0 ? SIP_REGISTER_BAD_CONTACT : SIP_REGISTER_CHANGED;
}

enum sip_register_outcome
sip_path_read(const struct sip_work *work, struct nfv_sip_writer *parts, struct nfv_sv *out)
{
	size_t from = parts->n;
	struct nfv_sip_name name;
	struct nfv_sip_iter it;
	struct nfv_sip_uri uri;
	int rc;

	nfv_sip_iter(&it, &work->msg, NFV_SIP_H_PATH);
	while ((rc = nfv_sip_next_name(&it, &name)) > 0) {
		if (nfv_sip_uri(name.uri, &uri) < 0 || name.uri.p == name.text.p)
			return SIP_REGISTER_BAD_PATH;
		if (parts->n > from)
			nfv_sip_put_str(parts, ", ");
		put_flat(parts, name.text);
	}
	*out = nfv_sip_written(parts, from);
	return rc < 0 || parts->full ? SIP_REGISTER_BAD_PATH : SIP_REGISTER_CHANGED;
}
