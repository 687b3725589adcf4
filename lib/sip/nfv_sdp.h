/**
 * @file
 * Session descriptions (SDP, RFC 8866; offer and answer RFC 3264): read in place, nothing copied,
 * nothing allocated, everything bounded. What media needs of them: addresses and ports, and the
 * views that an edit (nfv_sip_write.h) has to replace to make them others.
 *
 * Read are `c=` of the session and of each stream, `m=`, the directions, `a=rtcp` (RFC 3605),
 * `a=rtcp-mux` (RFC 5761, 8858) and the clock rate of the first format; all other lines, those of ICE
 * among them, are passed over. Lines end in CRLF or LF.
 *
 * Errors: 0 or -EINVAL; what two readers could read differently is refused: a CR alone, a NUL, two
 * `c=` or `a=rtcp` of one stream, a line that is not `letter=`, a letter that RFC 8866 does not know,
 * a port past the end, more than NFV_SDP_MEDIA_MAX streams. On failure the output is unspecified.
 * Ownership: views point into the text, which must outlive them. Threads: pure functions.
 */
#ifndef NFV_SDP_H
#define NFV_SDP_H

#include "nfv_addr.h"
#include "nfv_sip.h"
#include "nfv_sv.h"

#define NFV_SDP_MEDIA_MAX 16u

enum nfv_sdp_dir { NFV_SDP_SENDRECV, NFV_SDP_SENDONLY, NFV_SDP_RECVONLY, NFV_SDP_INACTIVE };

struct nfv_sdp_conn {
	struct nfv_sv text;   /* `IP4 10.0.0.1`; p == NULL: there is no such line */
	struct nfv_addr addr; /* NFV_NO_ADDR: a host name */
};

struct nfv_sdp_media {
	struct nfv_sv type, proto, formats; /* `audio`, `RTP/AVP`, `0 8 101` */
	struct nfv_sv port_text;            /* without `/2` */
	uint16_t port;                      /* host order; 0: the stream is refused or over */
	uint16_t ports; /* at least 1; each has an RTP and an RTCP port (RFC 8866 §5.14) */
	struct nfv_sdp_conn conn; /* its own; else the session's holds */
	struct nfv_sv conn_at;    /* empty: where a `c=` line can be put; p == NULL: nowhere */
	struct nfv_sv rtcp;       /* the value of `a=rtcp`; p == NULL: none */
	uint16_t rtcp_port;
	struct nfv_addr rtcp_addr; /* NFV_NO_ADDR: that of the stream */
	bool rtcp_mux;
	bool udp;       /* its transport is UDP, as far as `proto` tells */
	uint8_t dir;    /* enum nfv_sdp_dir */
	uint32_t clock; /* Hz, of the first format; 0: not known */
};

struct nfv_sdp {
	struct nfv_sdp_conn conn; /* the session's */
	uint8_t dir;
	uint32_t n_media;
	struct nfv_sdp_media media[NFV_SDP_MEDIA_MAX];
};

int nfv_sdp_parse(struct nfv_sv text, struct nfv_sdp *out);

/** Where a stream wants its RTP: false if it wants none, or names no address. */
bool nfv_sdp_rtp(const struct nfv_sdp *s, uint32_t media, struct nfv_endpoint *out);
/** Where it wants RTCP if that is not multiplexed: `a=rtcp`, else the next port. */
bool nfv_sdp_rtcp(const struct nfv_sdp *s, uint32_t media, struct nfv_endpoint *out);

/**
 * The session description in a message's body: all of it (`application/sdp`), or the first part of
 * that type of a multipart body (RFC 2046 §5.1; not of one in another).
 * 1, or 0 if there is none, or -EINVAL if it is there and cannot be read: encoded, or a body without
 * an end.
 */
int nfv_sdp_find(const struct nfv_sip_msg *m, struct nfv_sv *out);

#endif
