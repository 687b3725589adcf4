/**
 * @file
 * Inside of authentication: its users. Only for auth*.c.
 */
#ifndef AUTH_USERS_H
#define AUTH_USERS_H

#include "auth.h"
#include "nfv_hash.h"

enum { AUTH_MD5, AUTH_SHA256, AUTH_KINDS };

struct auth_user {
	uint32_t name;  /* offset into the text */
	uint8_t name_n; /* 0: there is nobody here */
	uint8_t has;    /* 1 << AUTH_… */
	uint8_t md5[16], sha256[32];
};

struct sip_auth {
	char *text;
	struct auth_user *slot; /* by hash, then the next free one; a power of two */
	uint32_t mask, n;
	uint8_t any; /* of all users' `has` */
	struct nfv_hash_key key;
	struct nfv_sv realm;
	struct nfv_digest_server server[AUTH_KINDS];
	uint64_t lifetime_ms; /* of their nonces */
	uint64_t count[SIP_AUTH_OUTCOMES];
	const struct nfv_lender *lender;
};

/** The slot of a user, or the free one where it would be. */
struct auth_user *auth_find(const struct sip_auth *a, struct nfv_sv name);

#endif
