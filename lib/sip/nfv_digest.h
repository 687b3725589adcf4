/**
 * @file
 * Digest authentication in SIP (RFC 3261 §22, 2617, 7616, 8760), both sides: answer a challenge; make
 * one and check what comes back. MD5 and SHA-256, each with or without -sess; qop auth, auth-int or
 * none.
 *
 * Views are of header fields as they stand there: without quotes, with their backslashes, which are
 * taken out where a value is hashed. Line ends and NUL in a value are refused, so that nothing
 * that is sent back can begin a line. Not done: userhash, several realms at once, and, on the server's
 * side, remembering nonce counts, so that what was heard can be played back while its nonce lasts.
 *
 * Ownership: views point into the caller's text. Threads: pure functions; nothing allocates.
 */
#ifndef NFV_DIGEST_H
#define NFV_DIGEST_H

#include <nettle/hmac.h>

#include "nfv_sip.h"
#include "nfv_sip_write.h"

enum nfv_digest_algorithm {
	NFV_DIGEST_MD5,
	NFV_DIGEST_MD5_SESS,
	NFV_DIGEST_SHA256,
	NFV_DIGEST_SHA256_SESS,
	NFV_DIGEST_ALGORITHMS
};

enum nfv_digest_qop { NFV_DIGEST_NO_QOP, NFV_DIGEST_AUTH, NFV_DIGEST_AUTH_INT };

#define NFV_DIGEST_HEX_MAX 64u /* of a hash, in hexadecimal; MD5's has 32 */

/** "MD5" and so on. */
extern const char *const nfv_digest_algorithm_name[NFV_DIGEST_ALGORITHMS];

struct nfv_digest_challenge {
	struct nfv_sv realm, nonce;
	struct nfv_sv opaque; /* p == NULL: none */
	uint8_t algorithm;    /* enum nfv_digest_algorithm */
	uint8_t qop;          /* enum nfv_digest_qop; of several offered, auth */
	bool stale;
};

/** Value of a WWW- or Proxy-Authenticate field. 0; -ENOTSUP: another scheme, algorithm or qop; -EINVAL. */
int nfv_digest_challenge_parse(struct nfv_sv value, struct nfv_digest_challenge *out);

/** Of the challenges in a response the topmost that is supported (RFC 8760 §2.4); `field` is
 * NFV_SIP_H_WWW_AUTHENTICATE or NFV_SIP_H_PROXY_AUTHENTICATE. 0; -ENOENT: there is none; or what is
 * wrong with the first. */
int nfv_digest_choose(
	const struct nfv_sip_msg *m, enum nfv_sip_field field, struct nfv_digest_challenge *out);

/** Who answers, and what is asked for. */
struct nfv_digest_request {
	struct nfv_sv user, password; /* plain, without backslashes */
	struct nfv_sv ha1; /* if not empty, H(user:realm:password) in place of the password */
	struct nfv_sv method, uri;
	struct nfv_sv body;   /* for auth-int */
	struct nfv_sv cnonce; /* of hexadecimal digits or the like: it is not escaped */
	uint32_t nc;          /* from 1 with every nonce */
};

/** Write the value of an Authorization or Proxy-Authorization field. */
void nfv_digest_answer(const struct nfv_digest_challenge *c, const struct nfv_digest_request *r,
	struct nfv_sip_writer *w);

/** H(user:realm:password) in hexadecimal; returns its length. `realm` may have backslashes. */
size_t nfv_digest_ha1(enum nfv_digest_algorithm algorithm, struct nfv_sv user, struct nfv_sv realm,
	struct nfv_sv password, char out[NFV_DIGEST_HEX_MAX]);

/** What came back. */
struct nfv_digest_credentials {
	struct nfv_sv user, realm, nonce, uri, response;
	struct nfv_sv opaque, cnonce, nc; /* p == NULL: none */
	uint8_t algorithm, qop;
};

/** Value of an Authorization or Proxy-Authorization field; errors as of nfv_digest_challenge_parse. */
int nfv_digest_credentials_parse(struct nfv_sv value, struct nfv_digest_credentials *out);

/** A value without its backslashes: itself, or a copy in `room` bytes at `buf`; NULL if too long. */
struct nfv_sv nfv_digest_unquote(struct nfv_sv value, char *buf, size_t room);

/** Whether the credentials are those of user and password (or ha1) of `r`, of which method and body are
 * used too; the URI is the credentials' own, and comparing it to the request's is the caller's. */
bool nfv_digest_matches(const struct nfv_digest_credentials *c, const struct nfv_digest_request *r);

/** A server's side without state: its nonces say when they were made, and nobody else can make them. */
struct nfv_digest_server {
	struct nfv_sv realm; /* the caller's; no quotes or backslashes */
	uint64_t lifetime;   /* of a nonce, ms */
	uint8_t algorithm, qop;
	struct hmac_sha256_ctx key;
};

#define NFV_DIGEST_KEY 32u

void nfv_digest_server_init(struct nfv_digest_server *s, struct nfv_sv realm,
	enum nfv_digest_algorithm algorithm, enum nfv_digest_qop qop,
	const uint8_t key[NFV_DIGEST_KEY], uint64_t lifetime_ms);
/** Write the value of a WWW- or Proxy-Authenticate field. */
void nfv_digest_server_challenge(
	const struct nfv_digest_server *s, uint64_t now_ms, bool stale, struct nfv_sip_writer *w);

enum nfv_digest_verdict {
	NFV_DIGEST_OK,
	NFV_DIGEST_WRONG, /* another user, password, realm, algorithm or qop */
	NFV_DIGEST_STALE, /* right, but for a nonce that is too old, or not ours */
};

enum nfv_digest_verdict nfv_digest_server_verify(const struct nfv_digest_server *s,
	const struct nfv_digest_credentials *c, const struct nfv_digest_request *r,
	uint64_t now_ms);

#endif
