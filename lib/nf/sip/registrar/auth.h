/**
 * @file
 * Who a request is from: digest authentication (RFC 3261 §22, 8760) against a file of users.
 *
 * The file has a user a line, `user:realm:MD5[:SHA-256]`, where the last two are the hashes H(user:
 * realm:password) in hexadecimal; htdigest(1) writes such lines. There are no passwords in it, but who
 * reads it can pass for its users, so it is refused where others than its owner and group may. MD5 may be
 * left empty. All lines have the same realm. Empty lines, and lines that begin with #, are passed over.
 *
 * A challenge offers SHA-256 before MD5: each if the user has it, and to a user that is not in the file
 * each that any user has. Nonces are not stored (lib/sip/nfv_digest.h): one that is too old is answered
 * with stale=true, and what was heard can be played back while it lasts. Answers without qop are wrong.
 *
 * The one who has proven who he is may act for himself alone: the user of the To of a REGISTER, of the
 * From of any other request, at a domain of the proxy, must be the user name, or both together
 * (user@domain) must be. That ACK and CANCEL cannot be challenged (§22.1) is for the caller to know.
 *
 * Ownership: it owns its text. Threads: one; nothing but create allocates. Changing users: create
 * another.
 */
#ifndef AUTH_H
#define AUTH_H

#include "nfv_digest.h"
#include "nfv_lender.h"
#include "proxy.h"

#define SIP_AUTH_USER_MAX  128u
#define SIP_AUTH_REALM_MAX 128u

enum sip_auth_outcome {
	SIP_AUTH_OK,
	SIP_AUTH_NONE,  /* no credentials for our realm: challenged */
	SIP_AUTH_WRONG, /* challenged again */
	SIP_AUTH_STALE, /* right, but for its nonce: challenged again */
	SIP_AUTH_URI,   /* 400: for another Request-URI */
	SIP_AUTH_OTHER, /* 403: for another user */
	SIP_AUTH_OUTCOMES
};

extern const char *const sip_auth_name[SIP_AUTH_OUTCOMES];

struct sip_auth;

struct sip_auth_conf {
	uint8_t key[NFV_DIGEST_KEY];     /* of nonces; random */
	uint64_t lifetime_ms;            /* of a nonce */
	const struct nfv_lender *lender; /* of what changes; NULL: the heap */
};

/** Errors: as open and read; -EACCES: others may read it; -EINVAL, -E2BIG with file:line. */
int sip_auth_create(const char *path, const struct sip_auth_conf *conf, struct sip_auth **out,
	struct nfv_err *err);
/** The same of a file's text, which becomes the object's own; free(3) must take it, on failure too. */
int sip_auth_parse(const char *name, char *text, size_t n, const struct sip_auth_conf *conf,
	struct sip_auth **out, struct nfv_err *err);
void sip_auth_destroy(struct sip_auth *a);
/** Nonces are of another key from now on. */
void sip_auth_rekey(struct sip_auth *a, const uint8_t key[NFV_DIGEST_KEY]);

/** Whether the sender of a request that has passed nfv_sip_validate may go on: 0; or the status to
 * answer with, its reason phrase (`*text`; NULL: the usual one), and in `extra` the challenges; those of
 * a proxy (407) or of a server (401). */
unsigned int sip_auth(struct sip_auth *a, const struct sip_work *work, bool proxy, uint64_t now_ms,
	struct nfv_sip_writer *extra, const char **text);

uint32_t sip_auth_users(const struct sip_auth *a);
struct nfv_sv sip_auth_realm(const struct sip_auth *a);
uint64_t sip_auth_count(const struct sip_auth *a, enum sip_auth_outcome o);

#endif
