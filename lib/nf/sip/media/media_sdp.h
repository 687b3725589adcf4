/** @file  Between media.c and media_sdp.c: what a description says of streams, and its rewriting. */
#ifndef MEDIA_SDP_H
#define MEDIA_SDP_H

#include "media.h"

/* What one party wants of a stream. */
struct media_stream {
	/* By [is RTCP]. Port 0: nothing; no address: where its own packets come from. */
	struct nfv_endpoint want[2];
	uint32_t clock;
	bool offered; /* the port in `m=` is not 0 */
	bool mux;
	bool anchor; /* the relay's address can stand in its place */
};

/* Who may announce what. */
struct media_rules {
	const struct nfv_prefix *own[2];
	uint32_t n_own[2];
	const struct nfv_toward *toward;
	uint32_t n_toward;
	const struct sip_relay *relay; /* NULL: none */
	uint64_t *foreign;             /* counter */
};

/* The first SIP_MEDIA_STREAMS streams of a party that lies in `dir`. */
void media_read(const struct media_rules *rules, const struct nfv_sdp *sdp, enum nfv_dir dir,
	struct media_stream stream[SIP_MEDIA_STREAMS]);

/* Put the relay's endpoints of `side` in the place of those of the streams that have one (id not 0,
 * anchor), and correct the body's length. */
void media_edit(const struct nfv_sip_msg *msg, const struct nfv_sdp *sdp,
	const struct media_stream stream[SIP_MEDIA_STREAMS], const struct sip_relay *relay,
	const uint32_t id[SIP_MEDIA_STREAMS], unsigned int side, struct nfv_sip_edits *edits,
	struct nfv_sip_writer *ins);

#endif
