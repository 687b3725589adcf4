/**
 * @file
 * Media of calls on their way to another version of the stage: each call is a record by its number, and behind
 * it one for each of its streams that the relay has, and its pinholes. Ports stay: parties send to them. Pinholes
 * are taken over where both versions have the same table of them, else opened anew. What has been counted of RTP
 * begins anew.
 *
 * A record is a stranger's: what cannot be of a call is refused. Times are TSC cycles, of this machine.
 * Threads: the media's.
 */
#ifndef MEDIA_CARRY_H
#define MEDIA_CARRY_H

#include "media.h"

struct media_record_party {
	struct nfv_addr peer, own;
	uint8_t dir, zero[5];
};

struct media_record_stream {
	struct nfv_endpoint want[2];
	uint32_t clock;
	uint8_t offered, mux, anchor;
	uint8_t relayed; /* a struct relay_record follows */
};

struct media_record {
	uint64_t id, other, holes, answer, until, fresh;
	uint32_t invite_cseq, offer_cseq;
	uint8_t offerer, pending, answered, established, ending, n_holes, zero[2];
	struct media_record_party party[2];
	struct media_record_stream stream[SIP_MEDIA_STREAMS];
};

struct relay_record_side {
	uint64_t heard[2];
	struct nfv_endpoint announced[2], latched[2];
	struct nfv_addr signalling, own;
	uint8_t rank[2], dir, ready;
	uint16_t port;
	uint32_t clock;
	uint32_t zero;
};

struct relay_record {
	uint64_t heard;
	struct relay_record_side side[2];
};

struct nfv_items *sip_media_items(struct sip_media *m);
/** Write call `i`, from 0; 0: there is none. */
size_t sip_media_export(const struct sip_media *m, uint32_t i, uint8_t *to);
/** Have that call there, in a table from which nothing has been taken yet; n 0: none. -EINVAL: it is none;
 * -ENOSPC: the relay has no place for it; then there is none. */
int sip_media_import(struct sip_media *m, uint32_t i, const uint8_t *bytes, size_t n);
/** All have come. */
void sip_media_settle(struct sip_media *m);
/** What has been handed over is not closed when `m` ends; or it is, since it has not been after all. */
void sip_media_given(struct sip_media *m, bool given);
/** The hash's key, by which calls are found. */
struct siphash_key *sip_media_key(struct sip_media *m);

/** The first counters of the statistics, which lie in one piece. */
#define SIP_MEDIA_COUNTS 8u
#define SIP_RELAY_COUNTS 9u
uint64_t *sip_media_counts(struct sip_media *m);
uint64_t *sip_relay_counts(struct sip_relay *r);

/* relay_carry.c */

void relay_export(const struct sip_relay *r, uint32_t stream, struct relay_record *to);
/** A stream with the ports that it had; 0: it is none, or they are not to be had. */
uint32_t relay_import(struct sip_relay *r, const struct relay_record *rec);
/** Whose the port is: what relay_owned was told; 0: nobody's. */
uint32_t relay_owner(const struct sip_relay *r, uint16_t port);
/** Give one back that has been imported. */
void relay_forget(struct sip_relay *r, uint32_t stream);
void relay_settle(struct sip_relay *r);

#endif
