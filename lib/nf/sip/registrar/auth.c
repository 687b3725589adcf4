#include "auth_users.h"
#include "location.h"
#include "uri_match.h"

#define TRIES_MAX 2u /* credentials for our realm: one of either hash */

/* Whom the request says to be from, and under what key the location service knows him. */
struct claim {
	char buf[SIP_AOR_TEXT_MAX];
	struct nfv_sv key, user;
};

static void
read_claim(const struct sip_work *work, struct claim *c)
{
	const struct nfv_sip_core *core = &work->core;
	struct nfv_sip_uri uri;
	size_t n;

	c->key = c->user = nfv_sv(NULL, 0);
	if (nfv_sip_uri(work->msg.method == NFV_SIP_REGISTER ? core->to.uri : core->from.uri,
		    &uri) < 0 ||
		(uri.scheme != NFV_SIP_SCHEME_SIP && uri.scheme != NFV_SIP_SCHEME_SIPS))
		return;
	uri.scheme = NFV_SIP_SCHEME_SIP;
	uri.port = uri.port != 0 ? uri.port : work->px->port;
	if (!sip_uri_is_self(work->px, &uri, true))
		return;
	c->key = sip_aor_key(uri.user, uri.host, c->buf);
	for (n = c->key.n; n > 0 && c->key.p[n - 1] != '@'; n--)
		;
	c->user = nfv_sv(c->key.p, n > 0 ? n - 1 : 0);
}

/* --- credentials --- */

static void
put_hex(const uint8_t *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = "0123456789abcdef"[p[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
	}
}

static enum sip_auth_outcome
verify(const struct sip_auth *a, const struct sip_work *work,
	const struct nfv_digest_credentials *c, struct nfv_sv user, uint64_t now_ms)
{
	/* Nobody: for whom no password is right, and it takes as long to find out. */
	static const struct auth_user nobody = { .has = 3 };
	const struct auth_user *u = auth_find(a, user);
	int kind = c->algorithm == NFV_DIGEST_SHA256 ? AUTH_SHA256 : AUTH_MD5;
	bool known = u->name_n > 0 && u->has & 1 << kind;
	char ha1[NFV_DIGEST_HEX_MAX];
	struct nfv_digest_request r = { .user = user, .method = work->msg.method_name };
	size_t n = kind == AUTH_SHA256 ? sizeof(u->sha256) : sizeof(u->md5);

	if (!known)
		u = &nobody;
	put_hex(kind == AUTH_SHA256 ? u->sha256 : u->md5, n, ha1);
	r.ha1 = nfv_sv(ha1, 2 * n);
	switch (nfv_digest_server_verify(&a->server[kind], c, &r, now_ms)) {
	case NFV_DIGEST_OK:
		return known ? SIP_AUTH_OK : SIP_AUTH_WRONG;
	case NFV_DIGEST_STALE:
		return known ? SIP_AUTH_STALE : SIP_AUTH_WRONG;
	default:
		return SIP_AUTH_WRONG;
	}
}

static bool
is_request_uri(const struct sip_work *work, struct nfv_sv value)
{
	char buf[NFV_SIP_URI_MAX];
	struct nfv_sv text = nfv_digest_unquote(value, buf, sizeof(buf));
	struct nfv_sip_uri uri;

	if (text.n == 0)
		return false;
	return nfv_sv_eq(text, work->core.uri.text) ||
		(nfv_sip_uri(text, &uri) == 0 && sip_uri_eq(&uri, &work->core.uri));
}

static enum sip_auth_outcome
check(const struct sip_auth *a, const struct sip_work *work, const struct claim *claim,
	const struct nfv_digest_credentials *c, uint64_t now_ms)
{
	char buf[SIP_AUTH_USER_MAX];
	struct nfv_sv user = nfv_digest_unquote(c->user, buf, sizeof(buf));
	enum sip_auth_outcome o;

	if (user.n == 0)
		return SIP_AUTH_WRONG;
	o = verify(a, work, c, user, now_ms);
	if (o != SIP_AUTH_OK)
		return o;
	if (!is_request_uri(work, c->uri))
		return SIP_AUTH_URI;
	if (claim->user.n == 0 || (!nfv_sv_eq(user, claim->user) && !nfv_sv_eq(user, claim->key)))
		return SIP_AUTH_OTHER;
	return SIP_AUTH_OK;
}

static enum sip_auth_outcome
judge(const struct sip_auth *a, const struct sip_work *work, const struct claim *claim, bool proxy,
	uint64_t now_ms)
{
	const struct nfv_sip_msg *m = &work->msg;
	enum sip_auth_outcome o = SIP_AUTH_NONE;
	const struct nfv_sip_hdr *h;
	unsigned int tries = 0;

	h = nfv_sip_first_hdr(m, proxy ? NFV_SIP_H_PROXY_AUTHORIZATION : NFV_SIP_H_AUTHORIZATION);
	for (; h != NULL && tries < TRIES_MAX; h = nfv_sip_next_hdr(m, h)) {
		struct nfv_digest_credentials c;

		if (nfv_digest_credentials_parse(nfv_sip_value(m, h), &c) < 0 ||
			!nfv_sv_eq(c.realm, a->realm))
			continue;
		tries++;
		o = check(a, work, claim, &c, now_ms);
		if (o != SIP_AUTH_WRONG)
			return o;
	}
	return o;
}

/* --- challenges --- */

static void
put_challenges(const struct sip_auth *a, const struct claim *claim, bool proxy, bool stale,
	uint64_t now_ms, struct nfv_sip_writer *w)
{
	const struct auth_user *u = auth_find(a, claim->user);
	uint8_t has;

	if (u->name_n == 0)
		u = auth_find(a, claim->key);
	has = u->name_n > 0 ? u->has : a->any;
	for (int kind = AUTH_KINDS; kind-- > 0;) {
		if (!(has & 1 << kind))
			continue;
		nfv_sip_put_str(w, proxy ? "Proxy-Authenticate: " : "WWW-Authenticate: ");
		nfv_digest_server_challenge(&a->server[kind], now_ms, stale, w);
		nfv_sip_put_str(w, "\r\n");
	}
}

unsigned int
sip_auth(struct sip_auth *a, const struct sip_work *work, bool proxy, uint64_t now_ms,
	struct nfv_sip_writer *extra, const char **text)
{
	enum sip_auth_outcome o;
	struct claim claim;

	read_claim(work, &claim);
	o = judge(a, work, &claim, proxy, now_ms);
	a->count[o]++;
	*text = NULL;
	switch (o) {
	case SIP_AUTH_OK:
		return 0;
	case SIP_AUTH_URI:
		*text = "Digest URI Is Not The Request-URI";
		return 400;
	case SIP_AUTH_OTHER:
		*text = work->msg.method == NFV_SIP_REGISTER ? "To Is Not Who Is Authenticated" :
							       "From Is Not Who Is Authenticated";
		return 403;
	default:
		put_challenges(a, &claim, proxy, o == SIP_AUTH_STALE, now_ms, extra);
		return proxy ? 407 : 401;
	}
}
