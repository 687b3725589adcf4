/**
 * @file
 * Inside of the journal: what stands in its file, in the machine's byte order. Only for journal*.c and
 * tests.
 *
 *	page 0           struct journal_head
 *	half 0, half 1   struct journal_half, then records, then eight bytes of 0
 *
 * A record is struct journal_record, `n` struct journal_item, the key, and of each item URI, parameters
 * and path, padded with 0 to a multiple of eight. Sequence numbers go up by one within a half.
 */
#ifndef JOURNAL_FILE_H
#define JOURNAL_FILE_H

#include "journal.h"

#define JOURNAL_MAGIC   0x6e66767369706a6cull
#define JOURNAL_VERSION 1u
#define JOURNAL_HEAD    4096u

struct journal_head {
	uint64_t magic;
	uint32_t version;
	uint32_t crc; /* of this structure, with 0 here */
	uint64_t half;
	uint64_t identity[3]; /* key of call_id and flow */
	/* The location service it was made for. */
	uint32_t aors, bindings, chunks, per_aor;
};

struct journal_half {
	uint64_t first; /* sequence number of its first record; 0: it has never been begun */
	uint32_t crc;   /* of `first` */
	uint32_t zero;
};

struct journal_record {
	uint32_t crc;   /* of all that follows */
	uint32_t bytes; /* all of it; 0: here is the end */
	uint64_t seq;
	uint16_t key_n, n;
	uint32_t zero;
};

struct journal_item {
	uint64_t expires_ms, call_id, flow;
	uint8_t to[16], own[16];
	uint32_t cseq;
	uint16_t q, port, n_uri, n_params, n_path;
	uint8_t to_family, own_family; /* own_family 0: not known */
	uint8_t dir;
	uint8_t zero[7];
};

_Static_assert(sizeof(struct journal_record) == 24, "no holes");
_Static_assert(sizeof(struct journal_item) == 80, "no holes");

#define JOURNAL_RECORD_MAX                                                                         \
	(sizeof(struct journal_record) + SIP_AOR_TEXT_MAX + 8 +                                    \
		SIP_PER_AOR_MAX * (sizeof(struct journal_item) + SIP_BINDING_TEXT_MAX))

struct sip_journal {
	struct sip_journal_conf conf;
	struct sip_location *location;
	uint8_t *map;
	size_t bytes, half; /* of the file and of a half */
	size_t slack;       /* of a half: what may be noted before the copy has to be done */
	int fd;
	enum { JOURNAL_OURS, JOURNAL_AWAITED, JOURNAL_GIVEN } turn;
	uint8_t active;         /* half */
	uint8_t mark;           /* of AORs that have a record in it */
	size_t at;              /* in it */
	uint64_t seq;           /* of the next record; read by sync */
	uint64_t copied_seq;    /* this half stands for itself when this is synced */
	uint64_t synced;        /* everything before is; written by sync */
	int64_t wall_offset;    /* ms; written by clock */
	uint32_t slots, cursor; /* of the location: to be copied, and how far that is */
	uint64_t noted_here;    /* bytes since the half was begun, without copies */
	size_t sync_at;         /* of sync: where it was last time */
	struct sip_journal_stats stats;
	char text[SIP_BINDING_TEXT_MAX], key[SIP_AOR_TEXT_MAX];
};

uint32_t journal_crc(uint32_t crc, const void *data, size_t n);
/** The same without the processor's help. */
uint32_t journal_crc_portable(uint32_t crc, const void *data, size_t n);
/** Bytes that all slots of a location service can need. */
size_t journal_worst(const struct sip_location *l);
uint64_t journal_ms(uint64_t tsc_hz, uint64_t now);
/** Begin a half. */
void journal_begin(struct sip_journal *j, uint8_t half);

/** Sequence number of a half's first record; 0: there is none. */
uint64_t journal_first(const uint8_t *half);
/** -EINVAL with what is wrong with the head of a file of `n` bytes. */
int journal_head_check(const uint8_t *map, size_t n, const char *path, struct nfv_err *err);
/** Put what is in a file whose head is good into `l`. */
void journal_replay(const uint8_t *map, const struct sip_journal_conf *conf, struct sip_location *l,
	struct sip_replay *out);

#endif
