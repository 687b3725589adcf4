/** @file  Calls whose media are watched: how they lie in memory, how they are found, how they end. */
#ifndef MEDIA_CALL_H
#define MEDIA_CALL_H

#include "media_sdp.h"
#include "nfv_wheel.h"
#include "siphash.h"

struct call {
	struct nfv_wheel_timer timer;
	uint64_t id;           /* of Call-ID and the tag of who began it */
	uint64_t other;        /* of the other party's tag; 0: not known yet */
	uint64_t holes;        /* owner of its pinholes; 0: none */
	uint64_t answer;       /* of the answer that was acted upon; 0: the offer is newer */
	uint64_t until, fresh; /* tsc: it ends then; SIP has been heard of it then */
	uint32_t next;         /* in its bucket, or among the free */
	uint32_t invite_cseq, offer_cseq;
	uint8_t offerer;  /* party: 0 is who began the call */
	bool pending;     /* an offer is not answered yet */
	bool answered;    /* there has been an answer */
	bool established; /* by a 2xx */
	bool ending;      /* by a BYE */
	struct sip_media_leg party[2];
	uint32_t relay[SIP_MEDIA_STREAMS];
	struct media_stream offer[SIP_MEDIA_STREAMS];
} __attribute__((aligned(512)));

_Static_assert(sizeof(struct call) == 512, "a timer wheel in pages wants a power of two");

struct sip_media {
	struct nfv_items items; /* calls; number 0 is call 1 */
	bool given;             /* pinholes are another version's now */
	bool shares;            /* what it takes over has its pinholes in the same table */
	uint8_t **head_page, **call_page;
	struct sip_media_conf conf;
	struct media_rules rules;
	uint32_t mask, free; /* calls are numbered from 1 */
	uint64_t tsc_hz;
	struct siphash_key key;
	struct nfv_pages call_pages;
	struct nfv_wheel wheel;
	struct sip_media_stats stats;
	const struct nfv_lender *lender;
};

/* Calls are numbered from 1; 0 is none. */
struct call *media_call(const struct sip_media *m, uint32_t i);
/* The call of a message; `*begun_by_from`: the party in From is who began it, or begins it. */
uint32_t media_find(
	const struct sip_media *m, const struct nfv_sip_core *core, bool *begun_by_from);
/* A new one, begun by the party in From; 0 if there is no room. */
uint32_t media_new(struct sip_media *m, const struct nfv_sip_core *core);
/* Have it found by `id`. */
void media_put(struct sip_media *m, uint32_t i, uint64_t id);
/* Look again soon enough to tell silence from a pause of the media's. */
void media_rearm(struct sip_media *m, uint32_t i, uint64_t now);
/* Close what it has and give it back. */
void media_end(struct sip_media *m, uint32_t i);

void media_close_holes(struct sip_media *m, struct call *c);
void media_close_stream(struct sip_media *m, struct call *c, uint32_t stream);

/* Never 0. */
uint64_t media_hash(const struct sip_media *m, struct nfv_sv a, struct nfv_sv b);
/* 0 for no tag. */
uint64_t media_tag_hash(const struct sip_media *m, struct nfv_sv tag);

static inline uint64_t
media_after(const struct sip_media *m, uint64_t now, uint32_t seconds)
{
	return now + seconds * m->tsc_hz;
}

#endif
