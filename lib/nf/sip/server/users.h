/**
 * @file
 * The users of a proxy's own domains as one thing: where they are (location.h), how they say so
 * (registrar.h), how that outlives the process (journal.h), and who they are (auth.h). Any of it may be
 * left out.
 *
 * Ownership: it owns all of them, and borrows the location's pages. Threads: create and destroy while
 * nothing else runs; sip_users_upkeep and sip_users_show on the control thread, beside all else on the
 * worker's.
 */
#ifndef USERS_H
#define USERS_H

#include <stdio.h>

#include "auth.h"
#include "nfv_lender.h"
#include "registrar.h"

enum sip_authenticate { SIP_AUTH_REGISTER, SIP_AUTH_CALLS };

struct sip_users_conf {
	uint32_t registrations;                             /* bindings at most; 0: no registrar */
	uint32_t contacts;                                  /* of one user at most */
	uint32_t min_expires, default_expires, max_expires; /* s */
	const char *journal;                                /* a path, or "": none */
	uint32_t sync_ms;        /* between syncs; 0: the kernel's to decide */
	const char *credentials; /* a path, or "": nobody is asked */
	enum sip_authenticate authenticate;
	const struct nfv_lender *lender; /* of all that changes; NULL: plain pages */
	const struct sip_own *own;
	uint32_t n_own;
	uint64_t tsc_hz, now, seed;
	bool replica; /* what there is, another registrar tells; the journal is his */
	const struct nfv_tell *tell; /* whom to tell, NULL: nobody */
	bool succeeds;               /* another version still has the journal */
};

struct sip_users;

/** Errors: of what it consists of, with their sentences. */
int sip_users_create(
	const struct sip_users_conf *conf, struct sip_users **out, struct nfv_err *err);
void sip_users_destroy(struct sip_users *u);

/** Whether there is a registrar. */
bool sip_users_register(const struct sip_users *u);

/** Whether the sender of a checked request may go on: 0; else as sip_auth. */
unsigned int sip_users_may(struct sip_users *u, const struct sip_work *work, uint64_t now,
	struct nfv_sip_writer *lines, const char **text);
/** A REGISTER to a domain of ours: the answer to it. */
unsigned int sip_users_take(struct sip_users *u, const struct sip_work *work, uint64_t now,
	struct nfv_sip_writer *lines, const char **text);
/** Where a user is; a sip_locate whose context is sip_users. */
sip_locate sip_users_locate;

/** Of a replica: its registrar has told this. */
void sip_users_told(struct sip_users *u, const void *message, size_t n, uint64_t now);
/** About once a millisecond, on the worker. */
void sip_users_tick(struct sip_users *u, uint64_t now);
/** On the control thread, every few milliseconds: what may wait for a disk. */
void sip_users_upkeep(struct sip_users *u, uint64_t now);
/** Whether there is a journal. */
bool sip_users_on_disk(const struct sip_users *u);

/* For another version of the stage: as location.h and journal.h have it. */

/** NULL: there is no registrar. */
const struct sip_location *sip_users_location(const struct sip_users *u);
struct nfv_items *sip_users_items(struct sip_users *u);
size_t sip_users_export(const struct sip_users *u, uint32_t i, uint8_t *to);
int sip_users_import(struct sip_users *u, uint32_t i, const uint8_t *bytes, size_t n);

/** What is not of one user. */
struct sip_users_carried {
	uint64_t seed;        /* of nonces */
	uint64_t identity[3]; /* of what bindings are told apart by */
	uint64_t bindings[4]; /* counts: sip_location_counted */
	uint64_t registers[SIP_REGISTER_OUTCOMES];
	struct sip_journal_place place;
	uint64_t has_place;
};

/** The last thing it does, at `now`, but for being asked on after all. */
void sip_users_give(struct sip_users *u, uint64_t now, struct sip_users_carried *out);
/** -EINVAL: it is not of this journal. */
int sip_users_take_over(struct sip_users *u, const struct sip_users_carried *in);

void sip_users_show(const struct sip_users *u, FILE *to);

#endif
