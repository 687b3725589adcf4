#include <errno.h>
#include <string.h>

#include <nettle/md5.h>
#include <nettle/sha2.h>

#include "nfv_digest.h"
#include "scan.h"

const char *const nfv_digest_algorithm_name[NFV_DIGEST_ALGORITHMS] = {
	[NFV_DIGEST_MD5] = "MD5",
	[NFV_DIGEST_MD5_SESS] = "MD5-sess",
	[NFV_DIGEST_SHA256] = "SHA-256",
	[NFV_DIGEST_SHA256_SESS] = "SHA-256-sess",
};

/* --- hashes --- */

struct hash {
	bool sha;
	union {
		struct md5_ctx md5;
		struct sha256_ctx sha256;
	};
};

struct hex {
	size_t n;
	char text[NFV_DIGEST_HEX_MAX];
};

static bool
is_sess(unsigned int algorithm)
{
	return algorithm == NFV_DIGEST_MD5_SESS || algorithm == NFV_DIGEST_SHA256_SESS;
}

static void
hash_init(struct hash *h, unsigned int algorithm)
{
	h->sha = algorithm >= NFV_DIGEST_SHA256;
	if (h->sha)
		sha256_init(&h->sha256);
	else
		md5_init(&h->md5);
}

static void
hash_add(struct hash *h, struct nfv_sv s)
{
	if (s.n == 0)
		return;
	if (h->sha)
		sha256_update(&h->sha256, s.n, (const uint8_t *)s.p);
	else
		md5_update(&h->md5, s.n, (const uint8_t *)s.p);
}

/* What stands in quotes, without its backslashes. */
static void
hash_add_quoted(struct hash *h, struct nfv_sv s)
{
	const char *at;

	while (s.n > 0 && (at = memchr(s.p, '\\', s.n)) != NULL) {
		size_t before = (size_t)(at - s.p);

		hash_add(h, nfv_sv(s.p, before));
		scan_skip(&s, before + 1);
		if (s.n > 0) {
			hash_add(h, nfv_sv(s.p, 1));
			scan_skip(&s, 1);
		}
	}
	hash_add(h, s);
}

static void
hash_colon(struct hash *h)
{
	hash_add(h, NFV_SV(":"));
}

static void
hash_end(struct hash *h, struct hex *out)
{
	uint8_t raw[SHA256_DIGEST_SIZE];
	size_t n = h->sha ? SHA256_DIGEST_SIZE : MD5_DIGEST_SIZE;

	if (h->sha)
		sha256_digest(&h->sha256, n, raw);
	else
		md5_digest(&h->md5, n, raw);
	for (size_t i = 0; i < n; i++) {
		out->text[2 * i] = "0123456789abcdef"[raw[i] >> 4];
		out->text[2 * i + 1] = "0123456789abcdef"[raw[i] & 15];
	}
	out->n = 2 * n;
}

static struct nfv_sv
hex_view(const struct hex *hex)
{
	return nfv_sv(hex->text, hex->n);
}

size_t
nfv_digest_ha1(enum nfv_digest_algorithm algorithm, struct nfv_sv user, struct nfv_sv realm,
	struct nfv_sv password, char out[NFV_DIGEST_HEX_MAX])
{
	struct hash h;
	struct hex hex;

	hash_init(&h, algorithm);
	hash_add(&h, user);
	hash_colon(&h);
	hash_add_quoted(&h, realm);
	hash_colon(&h);
	hash_add(&h, password);
	hash_end(&h, &hex);
	memcpy(out, hex.text, hex.n);
	return hex.n;
}

/* What both sides know when the response is made; as it stands in the field. */
struct facts {
	unsigned int algorithm, qop;
	struct nfv_sv realm, nonce, cnonce, nc, uri;
};

static const struct nfv_sv qop_name[] = {
	[NFV_DIGEST_AUTH] = { "auth", 4 },
	[NFV_DIGEST_AUTH_INT] = { "auth-int", 8 },
};

static void
secret(const struct facts *f, const struct nfv_digest_request *r, struct hex *out)
{
	struct hash h;

	if (r->ha1.n > 0) {
		out->n = r->ha1.n < sizeof(out->text) ? r->ha1.n : sizeof(out->text);
		memcpy(out->text, r->ha1.p, out->n);
	} else {
		out->n = nfv_digest_ha1(f->algorithm, r->user, f->realm, r->password, out->text);
	}
	if (!is_sess(f->algorithm))
		return;
	hash_init(&h, f->algorithm);
	hash_add(&h, hex_view(out));
	hash_colon(&h);
	hash_add_quoted(&h, f->nonce);
	hash_colon(&h);
	hash_add_quoted(&h, f->cnonce);
	hash_end(&h, out);
}

static void
response(const struct facts *f, const struct nfv_digest_request *r, struct hex *out)
{
	struct hex a1, a2, body;
	struct hash h;

	secret(f, r, &a1);
	if (f->qop == NFV_DIGEST_AUTH_INT) {
		hash_init(&h, f->algorithm);
		hash_add(&h, r->body);
		hash_end(&h, &body);
	}
	hash_init(&h, f->algorithm);
	hash_add(&h, r->method);
	hash_colon(&h);
	hash_add_quoted(&h, f->uri);
	if (f->qop == NFV_DIGEST_AUTH_INT) {
		hash_colon(&h);
		hash_add(&h, hex_view(&body));
	}
	hash_end(&h, &a2);

	hash_init(&h, f->algorithm);
	hash_add(&h, hex_view(&a1));
	hash_colon(&h);
	hash_add_quoted(&h, f->nonce);
	hash_colon(&h);
	if (f->qop != NFV_DIGEST_NO_QOP) {
		hash_add(&h, f->nc);
		hash_colon(&h);
		hash_add_quoted(&h, f->cnonce);
		hash_colon(&h);
		hash_add(&h, qop_name[f->qop]);
		hash_colon(&h);
	}
	hash_add(&h, hex_view(&a2));
	hash_end(&h, out);
}

/* --- the client's side --- */

static void
put_param(struct nfv_sip_writer *w, const char *before, struct nfv_sv value, const char *after)
{
	nfv_sip_put_str(w, before);
	nfv_sip_put(w, value);
	nfv_sip_put_str(w, after);
}

static void
put_escaped(struct nfv_sip_writer *w, struct nfv_sv s)
{
	for (; s.n > 0; scan_skip(&s, 1)) {
		if (s.p[0] == '"' || s.p[0] == '\\')
			nfv_sip_put_str(w, "\\");
		nfv_sip_put(w, nfv_sv(s.p, 1));
	}
}

void
nfv_digest_answer(const struct nfv_digest_challenge *c, const struct nfv_digest_request *r,
	struct nfv_sip_writer *w)
{
	char digits[8];
	struct nfv_sip_writer count = nfv_sip_writer(digits, sizeof(digits));
	struct facts f = { c->algorithm, c->qop, c->realm, c->nonce, r->cnonce,
		nfv_sv(digits, sizeof(digits)), r->uri };
	struct hex hex;

	nfv_sip_put_hex(&count, r->nc, sizeof(digits));
	response(&f, r, &hex);
	nfv_sip_put_str(w, "Digest username=\"");
	put_escaped(w, r->user);
	put_param(w, "\", realm=\"", c->realm, "\"");
	put_param(w, ", nonce=\"", c->nonce, "\"");
	put_param(w, ", uri=\"", r->uri, "\"");
	put_param(w, ", response=\"", hex_view(&hex), "\", algorithm=");
	nfv_sip_put_str(w, nfv_digest_algorithm_name[c->algorithm]);
	/* -sess cannot be checked without it, qop or not. */
	if (c->qop != NFV_DIGEST_NO_QOP || is_sess(c->algorithm))
		put_param(w, ", cnonce=\"", r->cnonce, "\"");
	if (c->opaque.p != NULL)
		put_param(w, ", opaque=\"", c->opaque, "\"");
	if (c->qop != NFV_DIGEST_NO_QOP) {
		put_param(w, ", qop=", qop_name[c->qop], "");
		put_param(w, ", nc=", f.nc, "");
	}
}

/* --- the server's side --- */

static bool
equal(struct nfv_sv value, struct nfv_sv plain)
{
	size_t i = 0;

	for (size_t k = 0; k < value.n; k++, i++) {
		if (value.p[k] == '\\' && k + 1 < value.n)
			k++;
		if (i == plain.n || value.p[k] != plain.p[i])
			return false;
	}
	return i == plain.n;
}

bool
nfv_digest_matches(const struct nfv_digest_credentials *c, const struct nfv_digest_request *r)
{
	struct facts f = { c->algorithm, c->qop, c->realm, c->nonce, c->cnonce, c->nc, c->uri };
	struct hex hex;

	if (!equal(c->user, r->user))
		return false;
	response(&f, r, &hex);
	return nfv_sv_ieq(hex_view(&hex), c->response);
}

void
nfv_digest_server_init(struct nfv_digest_server *s, struct nfv_sv realm,
	enum nfv_digest_algorithm algorithm, enum nfv_digest_qop qop,
	const uint8_t key[NFV_DIGEST_KEY], uint64_t lifetime_ms)
{
	*s = (struct nfv_digest_server){ .realm = realm, .lifetime = lifetime_ms };
	s->algorithm = (uint8_t)algorithm;
	s->qop = (uint8_t)qop;
	hmac_sha256_set_key(&s->key, NFV_DIGEST_KEY, key);
}

#define NONCE 48u /* 16 digits of time, 32 of what proves it */

static void
make_nonce(const struct nfv_digest_server *s, uint64_t at, char nonce[NONCE])
{
	struct nfv_sip_writer w = nfv_sip_writer(nonce, NONCE);
	struct hmac_sha256_ctx ctx = s->key;
	uint8_t mac[16];

	nfv_sip_put_hex(&w, at, 16);
	hmac_sha256_update(&ctx, 16, (const uint8_t *)nonce);
	hmac_sha256_update(&ctx, s->realm.n, (const uint8_t *)s->realm.p);
	hmac_sha256_digest(&ctx, sizeof(mac), mac);
	for (size_t i = 0; i < sizeof(mac); i++)
		nfv_sip_put_hex(&w, mac[i], 2);
}

void
nfv_digest_server_challenge(
	const struct nfv_digest_server *s, uint64_t now_ms, bool stale, struct nfv_sip_writer *w)
{
	char nonce[NONCE];

	make_nonce(s, now_ms, nonce);
	put_param(w, "Digest realm=\"", s->realm, "\"");
	put_param(w, ", nonce=\"", nfv_sv(nonce, NONCE), "\", algorithm=");
	nfv_sip_put_str(w, nfv_digest_algorithm_name[s->algorithm]);
	if (s->qop != NFV_DIGEST_NO_QOP)
		put_param(w, ", qop=\"", qop_name[s->qop], "\"");
	if (stale)
		nfv_sip_put_str(w, ", stale=true");
}

static bool
fresh(const struct nfv_digest_server *s, struct nfv_sv nonce, uint64_t now)
{
	char ours[NONCE];
	uint64_t at = 0;

	if (nonce.n != NONCE)
		return false;
	for (unsigned int i = 0; i < 16; i++) {
		char c = nonce.p[i];

		if (!scan_is(c, CH_HEX))
			return false;
		at = at << 4 | (uint64_t)(scan_is(c, CH_DIGIT) ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	make_nonce(s, at, ours);
	return nfv_sv_eq(nonce, nfv_sv(ours, NONCE)) && at <= now && now - at <= s->lifetime;
}

enum nfv_digest_verdict
nfv_digest_server_verify(const struct nfv_digest_server *s, const struct nfv_digest_credentials *c,
	const struct nfv_digest_request *r, uint64_t now_ms)
{
	if (!nfv_sv_eq(c->realm, s->realm) || c->algorithm != s->algorithm || c->qop != s->qop ||
		!nfv_digest_matches(c, r))
		return NFV_DIGEST_WRONG;
	return fresh(s, c->nonce, now_ms) ? NFV_DIGEST_OK : NFV_DIGEST_STALE;
}
