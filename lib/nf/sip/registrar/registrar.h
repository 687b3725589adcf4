/**
 * @file
 * The registrar (RFC 3261 §10.3): what a REGISTER does to the location service, and what it is answered
 * with. Path (RFC 3327) is stored and given back; a contact with +sip.instance and reg-id (RFC 5626)
 * replaces the one of the same instance and flow, whatever its URI.
 *
 * A stateless server (§8.2.7): a REGISTER that is heard again (same Call-ID, same CSeq) is answered with
 * the bindings as they are and changes nothing. One that comes out of order (same Call-ID, lower CSeq)
 * is answered 500 and changes nothing. Several contacts are all taken or none.
 *
 * A contact is reached where its REGISTER came from, which leads through NATs; if it names the very
 * address that it came from, at the port that it names.
 *
 * `expires` of a contact counts, else the field Expires, else the default; what is no number counts as
 * 3600 (§20.10). More than the maximum is cut, less than the minimum refused (423).
 *
 * Ownership: location and journal are the caller's. Threads: one; nothing allocates.
 */
#ifndef REGISTRAR_H
#define REGISTRAR_H

#include "journal.h"
#include "location.h"
#include "proxy.h"
#include "replica.h"

#define SIP_EXPIRES_MAX (30u * 24 * 3600)

enum sip_register_outcome {
	SIP_REGISTER_CHANGED,
	SIP_REGISTER_FETCHED,  /* nothing was to be changed */
	SIP_REGISTER_REPEATED, /* it has been done before */
	SIP_REGISTER_BAD_AOR,
	SIP_REGISTER_FOREIGN,
	SIP_REGISTER_BAD_REQUIRE,
	SIP_REGISTER_EXTENSION,
	SIP_REGISTER_BAD_PATH,
	SIP_REGISTER_BAD_CONTACT,
	SIP_REGISTER_BAD_STAR,
	SIP_REGISTER_BAD_Q,
	SIP_REGISTER_TWICE,
	SIP_REGISTER_BRIEF,
	SIP_REGISTER_ORDER,
	SIP_REGISTER_MANY,
	SIP_REGISTER_LONG,
	SIP_REGISTER_FULL,
	SIP_REGISTER_NO_JOURNAL,
	SIP_REGISTER_UNTOLD, /* other shards cannot be told now */
	SIP_REGISTER_ANSWER,
	SIP_REGISTER_OUTCOMES
};

struct sip_registrar_conf {
	struct sip_location *location;
	struct sip_journal *journal; /* NULL: none */
	const struct nfv_tell *tell; /* the others that have a replica; NULL: nobody */
	uint32_t min_expires, max_expires, default_expires; /* s; min at most 3600 */
	uint32_t retry_after;                               /* s, of 503 */
	uint64_t tsc_hz;
};

struct sip_contact {
	struct nfv_sip_uri uri;
	struct nfv_sv params;
	struct nfv_endpoint to;
	uint64_t flow;
	uint32_t expires; /* s */
	uint16_t q;
};

struct sip_registrar {
	struct sip_registrar_conf conf;
	uint64_t count[SIP_REGISTER_OUTCOMES];
	/* Scratch, of one REGISTER. */
	char key[SIP_AOR_TEXT_MAX];
	char text[SIP_BINDING_TEXT_MAX]; /* of a binding */
	struct sip_contact contact[SIP_PER_AOR_MAX];
	struct sip_change change[SIP_PER_AOR_MAX];
	char parts[NFV_SIP_BYTES_MAX]; /* parameters and path */
	char told[SIP_REPLICA_MAX];
};

/** -EINVAL: min, default and max are not in order. */
int sip_registrar_init(
	struct sip_registrar *r, const struct sip_registrar_conf *conf, struct nfv_err *err);

/**
 * Do what a REGISTER says that has passed nfv_sip_validate, whose Request-URI is ours, and whose sender
 * may. Returns the status and its reason phrase (`*text`; NULL: the usual one), and writes header
 * fields that the answer is to have: Contact, Path, Supported; Min-Expires, Unsupported, Retry-After.
 * When it returns 200 the bindings are in the journal, and all others are told. `extra` needs room for all contacts of a user:
 * where they do not fit, nothing is changed.
 */
unsigned int sip_register(struct sip_registrar *r, const struct sip_work *work, uint64_t now,
	struct nfv_sip_writer *extra, const char **text);

/** For counters: a name, and the status that goes with it. */
const char *sip_register_name(enum sip_register_outcome o);
unsigned int sip_register_status(enum sip_register_outcome o);

/* contact.c: the Contacts of a REGISTER. 0 or what is wrong. */

/** Fill r->contact; `*n` of them. Their texts are in the message and in `parts`. */
enum sip_register_outcome sip_contacts_read(struct sip_registrar *r, const struct sip_work *work,
	struct nfv_sip_writer *parts, unsigned int *n);
/** The Path values of a request in one text. */
enum sip_register_outcome sip_path_read(
	const struct sip_work *work, struct nfv_sip_writer *parts, struct nfv_sv *out);
/** The field Expires in seconds, or `otherwise`; a malformed one is 3600. */
uint32_t sip_expires_read(const struct nfv_sip_msg *m, uint32_t otherwise);

#endif
