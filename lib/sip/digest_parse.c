#include <errno.h>

#include "nfv_digest.h"
#include "scan.h"

enum param {
	REALM,
	NONCE,
	OPAQUE,
	ALGORITHM,
	QOP,
	STALE,
	USERNAME,
	URI,
	RESPONSE,
	CNONCE,
	NC,
	PARAMS
};

static const char *const param_name[PARAMS] = {
	[REALM] = "realm",
	[NONCE] = "nonce",
	[OPAQUE] = "opaque",
	[ALGORITHM] = "algorithm",
	[QOP] = "qop",
	[STALE] = "stale",
	[USERNAME] = "username",
	[URI] = "uri",
	[RESPONSE] = "response",
	[CNONCE] = "cnonce",
	[NC] = "nc",
};

/* Of a value only what may stand in a quoted string on one line. */
static bool
harmless(struct nfv_sv s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
			return false;
	return true;
}

/* A quoted string, or everything up to a comma or white space: not all put quotes where they must. */
static bool
value(struct nfv_sv *s, struct nfv_sv *out)
{
	struct nfv_sv quoted;
	size_t n = 0;

	if (s->n > 0 && s->p[0] == '"') {
		if (!scan_quoted(s, &quoted))
			return false;
		*out = nfv_sv(quoted.p + 1, quoted.n - 2);
		return harmless(*out);
	}
	while (n < s->n && s->p[n] != ',' && !scan_is(s->p[n], CH_LWS)) {
		if (s->p[n] == '"' || s->p[n] == '\\')
			return false;
		n++;
	}
	*out = nfv_sv(s->p, n);
	scan_skip(s, n);
	return n > 0 && harmless(*out);
}

static int
params(struct nfv_sv s, struct nfv_sv out[PARAMS])
{
	struct nfv_sv name, v;

	memset(out, 0, PARAMS * sizeof(*out));
	scan_lws(&s);
	if (!nfv_sv_ieq(scan_span(&s, CH_TOKEN), NFV_SV("Digest")))
		return -ENOTSUP;
	if (s.n == 0 || !scan_is(s.p[0], CH_LWS))
		return -EINVAL;
	for (;;) {
		while (scan_sep(&s, ','))
			;
		scan_lws(&s);
		if (s.n == 0)
			return 0;
		name = scan_span(&s, CH_TOKEN);
		if (name.n == 0 || !scan_sep(&s, '=') || !value(&s, &v))
			return -EINVAL;
		for (unsigned int i = 0; i < PARAMS; i++) {
			if (!nfv_sv_ieq(name, nfv_sv_str(param_name[i])))
				continue;
			if (out[i].p != NULL)
				return -EINVAL;
			out[i] = v;
		}
		scan_lws(&s);
		if (s.n > 0 && s.p[0] != ',')
			return -EINVAL;
	}
}

static int
algorithm(struct nfv_sv s, uint8_t *out)
{
	for (unsigned int i = 0; i < NFV_DIGEST_ALGORITHMS; i++) {
		if (s.p == NULL || nfv_sv_ieq(s, nfv_sv_str(nfv_digest_algorithm_name[i]))) {
			*out = (uint8_t)i;
			return 0;
		}
	}
	return -ENOTSUP;
}

static int
qop(struct nfv_sv s, uint8_t *out)
{
	bool auth = false, auth_int = false, any = false;

	while (s.p != NULL) {
		struct nfv_sv word = nfv_sv_trim(nfv_sv_cut(&s, ','));

		any |= word.n > 0;
		auth |= nfv_sv_ieq(word, NFV_SV("auth"));
		auth_int |= nfv_sv_ieq(word, NFV_SV("auth-int"));
	}
	if (any && !auth && !auth_int)
		return -ENOTSUP;
	*out = auth ? NFV_DIGEST_AUTH : auth_int ? NFV_DIGEST_AUTH_INT : NFV_DIGEST_NO_QOP;
	return 0;
}

int
nfv_digest_challenge_parse(struct nfv_sv s, struct nfv_digest_challenge *out)
{
	struct nfv_digest_challenge c = { 0 };
	struct nfv_sv p[PARAMS];
	int rc = params(s, p);

	if (rc < 0)
		return rc;
	if (p[REALM].p == NULL || p[NONCE].p == NULL)
		return -EINVAL;
	if (algorithm(p[ALGORITHM], &c.algorithm) < 0 || qop(p[QOP], &c.qop) < 0)
		return -ENOTSUP;
	c.realm = p[REALM];
	c.nonce = p[NONCE];
	c.opaque = p[OPAQUE];
	c.stale = nfv_sv_ieq(p[STALE], NFV_SV("true"));
	*out = c;
	return 0;
}

int
nfv_digest_choose(
	const struct nfv_sip_msg *m, enum nfv_sip_field field, struct nfv_digest_challenge *out)
{
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(m, field);
	int first = -ENOENT;

	for (; h != NULL; h = nfv_sip_next_hdr(m, h)) {
		int rc = nfv_digest_challenge_parse(nfv_sip_value(m, h), out);

		if (rc == 0)
			return 0;
		first = first == -ENOENT ? rc : first;
	}
	return first;
}

int
nfv_digest_credentials_parse(struct nfv_sv s, struct nfv_digest_credentials *out)
{
	struct nfv_digest_credentials c = { 0 };
	struct nfv_sv p[PARAMS], hex;
	int rc = params(s, p);

	if (rc < 0)
		return rc;
	if (p[USERNAME].p == NULL || p[REALM].p == NULL || p[NONCE].p == NULL || p[URI].p == NULL ||
		p[RESPONSE].p == NULL)
		return -EINVAL;
	if (algorithm(p[ALGORITHM], &c.algorithm) < 0 || qop(p[QOP], &c.qop) < 0)
		return -ENOTSUP;
	hex = p[NC];
	if (c.qop != NFV_DIGEST_NO_QOP &&
		(p[CNONCE].p == NULL || scan_span(&hex, CH_HEX).n != 8 || hex.n > 0))
		return -EINVAL;
	c.user = p[USERNAME];
	c.realm = p[REALM];
	c.nonce = p[NONCE];
	c.uri = p[URI];
	c.response = p[RESPONSE];
	c.opaque = p[OPAQUE];
	c.cnonce = p[CNONCE];
	c.nc = p[NC];
	*out = c;
	return 0;
}

struct nfv_sv
nfv_digest_unquote(struct nfv_sv s, char *buf, size_t room)
{
	size_t n = 0;

	if (s.n == 0 || memchr(s.p, '\\', s.n) == NULL)
		return s;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		if (n == room)
			return nfv_sv(NULL, 0);
		buf[n++] = s.p[i];
	}
	return nfv_sv(buf, n);
}
