/**
 * @file
 * The location service (RFC 3261 §10, 16.5): addresses-of-record and the contacts bound to them.
 *
 * A table of fixed slots in pages that the caller hands in, so that they can be laid out by cache
 * colour; one array of pages for each kind of slot:
 *
 *	heads     4 bytes each: a keyed hash of AORs, as many as there are AORs, to a power of two
 *	AORs      64 bytes each: the key, up to 44 bytes of it, and the chain of bindings
 *	bindings  256 bytes each: timer, order, way back, and up to 170 bytes of text
 *	chunks    64 bytes each, of which 60 hold text: what does not fit above, in chains
 *
 * So a user with one contact takes 324 to 328 bytes of heads and slots, and chunks for long texts.
 * Everything is bounded: AORs, bindings, chunks, and bindings of one AOR. What does not fit is refused
 * as a whole, and counted.
 *
 * Times are cycles of the TSC. A binding whose time has come is not found any more, whether
 * sip_location_expire has taken it away yet or not.
 *
 * Ownership: pages are the caller's and outlive the location. Threads: one, and nothing but create
 * allocates; sip_location_aor_at, _binding and _stats may be called by another to show what there
 * is, and may then show a binding that is half of one and half of another.
 */
#ifndef LOCATION_H
#define LOCATION_H

#include "nfv_addr.h"
#include "nfv_err.h"
#include "nfv_hash.h"
#include "nfv_lender.h"
#include "nfv_sip.h"
#include "nfv_stage.h"
#include "nfv_sv.h"

#define SIP_NONE             UINT32_MAX
#define SIP_NO_OWN           UINT8_MAX
#define SIP_BINDING_TEXT_MAX 4096u /* URI, parameters and path together */
#define SIP_PER_AOR_MAX      32u
#define SIP_AOR_TEXT_MAX     (NFV_SIP_URI_MAX + 64u) /* a key: user@host */
#define SIP_Q_MAX            1000u

enum sip_location_part {
	SIP_LOCATION_HEADS,
	SIP_LOCATION_AORS,
	SIP_LOCATION_BINDINGS,
	SIP_LOCATION_CHUNKS,
	SIP_LOCATION_PARTS
};

struct sip_location_conf {
	uint32_t aors, bindings, chunks; /* at most; rounded up to whole pages */
	uint32_t per_aor;                /* bindings of one AOR at most, up to SIP_PER_AOR_MAX */
	uint64_t tsc_hz, now;
	uint64_t seed;                   /* of the table's hash; random */
	uint64_t identity;               /* of hashes that are kept: the same after a restart */
	const struct nfv_lender *lender; /* of what changes beside the pages; NULL: the heap */
};

/** A binding as a view. */
struct sip_binding {
	struct nfv_sv uri;    /* as written in the Contact, without angle brackets */
	struct nfv_sv params; /* of the Contact, but expires and q; from the first semicolon on */
	struct nfv_sv path;   /* Path values, parted by commas (RFC 3327) */
	uint64_t expires;
	uint64_t call_id;       /* sip_location_identity of it */
	uint64_t flow;          /* the same of +sip.instance and reg-id (RFC 5626); 0: none */
	struct nfv_endpoint to; /* where it is reached */
	uint32_t cseq;
	uint16_t q;  /* 0…SIP_Q_MAX */
	uint8_t own; /* the own address it came in on, as an index; or SIP_NO_OWN */
	uint8_t dir; /* enum nfv_dir: the way from here to it */
};

/** Where a request for an AOR goes. */
struct sip_target {
	struct nfv_sv uri, path;
	struct nfv_endpoint to;
	uint16_t q;
	uint8_t own, dir;
};

struct sip_location;

/** How many pages a part takes. */
size_t sip_location_pages(const struct sip_location_conf *conf, enum sip_location_part part);
/** `part`: zeroed pages for each. Errors: -EINVAL, -ENOMEM. */
int sip_location_create(const struct sip_location_conf *conf,
	const struct nfv_pages part[SIP_LOCATION_PARTS], struct sip_location **out,
	struct nfv_err *err);
void sip_location_destroy(struct sip_location *l);

/* --- reading --- */

/** The bindings of an AOR that live, highest q first, of equal ones the newest binding first; up to
 * `max`. Returns how many. Views are valid until the next find or change. */
unsigned int sip_location_find(struct sip_location *l, struct nfv_sv user, struct nfv_sv domain,
	uint64_t now, struct sip_target *out, unsigned int max);

/** For bursts: the hash of an AOR, after which its head is being loaded; then, all of the burst later,
 * sip_location_prefetch for its AOR and again for its first binding. */
uint64_t sip_location_hash(struct sip_location *l, struct nfv_sv user, struct nfv_sv domain);
void sip_location_prefetch(const struct sip_location *l, uint64_t hash);
void sip_location_prefetch_binding(const struct sip_location *l, uint64_t hash);

/** The key of an AOR, in `buf`: escapes in the user are undone (§10.3 (5)), the domain is in lower case,
 * and an address in its usual form. Empty if it is too long, or has no user. */
struct nfv_sv sip_aor_key(struct nfv_sv user, struct nfv_sv domain, char buf[SIP_AOR_TEXT_MAX]);
/** Call-IDs and flows, told apart by 64 bits of keyed hash; never 0. */
uint64_t sip_location_identity(const struct sip_location *l, struct nfv_sv a, struct nfv_sv b);

/** Its key, which a journal keeps with the hashes. */
struct nfv_hash_key sip_location_get_identity(const struct sip_location *l);
void sip_location_set_identity(struct sip_location *l, const struct nfv_hash_key *key);

struct sip_aor {
	struct nfv_sv key;
	uint32_t first; /* binding */
	uint32_t n;
	uint8_t mark;
};

/** Slots of AORs that have been in use: `i` of sip_location_aor_at lies below. */
uint32_t sip_location_slots(const struct sip_location *l);
/** False if there is no AOR in slot `i`. `buf` is for a key that is not in one piece. */
bool sip_location_aor_at(
	const struct sip_location *l, uint32_t i, struct sip_aor *out, char buf[SIP_AOR_TEXT_MAX]);
/** Fill in binding `i` of an AOR and return its next, or SIP_NONE. `buf` as above. */
uint32_t sip_location_binding(const struct sip_location *l, uint32_t i, struct sip_binding *out,
	char buf[SIP_BINDING_TEXT_MAX]);

/** What the journal has noted of an AOR. */
void sip_location_mark(struct sip_location *l, uint32_t aor, uint8_t mark);

/* --- changing --- */

/** The AOR of this key, or SIP_NONE; its bindings that have expired are taken away. */
uint32_t sip_location_open(struct sip_location *l, struct nfv_sv key, uint64_t now);

enum sip_change_kind { SIP_ADD, SIP_UPDATE, SIP_REMOVE, SIP_KEEP };

struct sip_change {
	enum sip_change_kind kind;
	uint32_t at; /* binding to update or remove */
	struct sip_binding to;
};

enum sip_refusal {
	SIP_REFUSED_NOT,
	SIP_REFUSED_PER_AOR,
	SIP_REFUSED_AORS,
	SIP_REFUSED_BINDINGS,
	SIP_REFUSED_CHUNKS,
	SIP_REFUSED_TEXT, /* longer than SIP_BINDING_TEXT_MAX or the key too long */
	SIP_REFUSALS
};

/** All of the changes to an AOR or none; no binding may stand in two of them. `*aor` is what
 * sip_location_open has said, and becomes what is true then: SIP_NONE if no binding is left. */
enum sip_refusal sip_location_apply(struct sip_location *l, struct nfv_sv key, uint32_t *aor,
	const struct sip_change *change, unsigned int n);

/** Take away up to `max` bindings whose time has come, and do as much of the timers' upkeep as goes
 * with that. Returns how many. */
uint32_t sip_location_expire(struct sip_location *l, uint64_t now, uint32_t max);

/* --- for another version of the stage (location_carry.c) --- */

/** Users as items, by slot. */
struct nfv_items *sip_location_items(struct sip_location *l);
/** Write what there is of the AOR in slot `i`, as replica.h has it, at most NFV_ITEM_MAX bytes; 0: none. */
size_t sip_location_export(
	const struct sip_location *l, uint32_t i, char text[SIP_BINDING_TEXT_MAX], uint8_t *to);
/** Have that in slot `i`, in a location from which nothing has been found yet; n 0: nothing. -EINVAL: it is no
 * AOR, of a stage with `n_own` own addresses; -ENOSPC; then there is none. */
int sip_location_import(struct sip_location *l, uint32_t i, uint32_t n_own,
	char text[SIP_BINDING_TEXT_MAX], const uint8_t *bytes, size_t n);

struct sip_location_stats {
	uint32_t aors, bindings, chunks;             /* in use */
	uint32_t max_aors, max_bindings, max_chunks; /* that there are */
	uint64_t added, updated, removed, expired;
	uint64_t refused[SIP_REFUSALS];
};

extern const char *const sip_refusal_name[SIP_REFUSALS];
struct sip_location_stats sip_location_stats(const struct sip_location *l);
/** Counts of before: what has been added, updated, removed, expired. */
void sip_location_counted(struct sip_location *l, const uint64_t count[4]);
uint32_t sip_location_per_aor(const struct sip_location *l);
/** Bytes of all texts at most. */
size_t sip_location_text_max(const struct sip_location *l);

#endif
