/**
 * @file
 * The SIP stage's state on its way to another version of it.
 *
 * Version 1. Items, of three kinds: transactions (server/txn_carry.h), users with their contacts
 * (registrar/replica.h), calls with media and the relay's streams (media/media_carry.h). And, each as a
 * struct carry_…: keys, by which branches, nonces, hashes are ours; trunks, whether they are there; counters; of
 * users what is not of one of them, and where the journal goes on.
 *
 * What is read may be anything: an item that cannot be is not taken, and the runtime counts it; a record that
 * cannot be ends the handing over. What does not hold together in the end goes, and is counted.
 *
 * What overload has measured, rates, and what the relay has counted of RTP streams begin anew. Threads: the
 * stage's.
 */
#ifndef SIP_CARRY_H
#define SIP_CARRY_H

#include "sip_stage.h"

#define SIP_CARRY_VERSION 1u

enum carry_what { CARRY_KEYS = 1, CARRY_TRUNK, CARRY_COUNTS, CARRY_USERS };

struct carry_keys {
	uint32_t what;
	uint16_t ip_id, zero;
	uint64_t proxy[2], media[2];
	uint64_t probe_next; /* TSC */
};

struct carry_trunk {
	uint32_t what;
	uint32_t dead;
	uint64_t absences;
	struct nfv_endpoint to;
};

struct carry_counts {
	uint32_t what;
	uint16_t which, first; /* a place in sip_counters; of that the first that follows */
	uint64_t n[96];        /* as many as there are */
};

struct carry_users {
	uint32_t what, zero;
	struct sip_users_carried users;
};

struct nfv_items *sip_items(void *state, uint32_t kind);
size_t sip_export_item(const void *state, uint32_t kind, uint32_t i, uint8_t *to);
int sip_import_item(
	void *state, uint32_t version, uint32_t kind, uint32_t i, const void *bytes, size_t n);
int sip_export(void *state, const struct nfv_put *to);
int sip_import(void *state, uint32_t version, const void *bytes, size_t n);
/** It has a packet, or its time: it is the one that works, whatever was handed over before. */
void sip_works(struct sip_state *s);

#endif
