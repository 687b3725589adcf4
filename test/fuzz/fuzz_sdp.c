/* Any bytes, as a session description and as a message that has one in its body. Besides what the
 * sanitizers find: views lie in the text and in the order of their lines, and what is read of them is
 * what stands there. */
#include <stdlib.h>

#include "nfv_sdp.h"

static struct nfv_sdp sdp;

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
inside(struct nfv_sv s, struct nfv_sv in)
{
	must(s.p == NULL || (s.p >= in.p && s.p + s.n <= in.p + in.n));
}

static void
describe(struct nfv_sv text)
{
	const char *at = text.p;

	if (nfv_sdp_parse(text, &sdp) < 0)
		return;
	must(sdp.n_media <= NFV_SDP_MEDIA_MAX);
	inside(sdp.conn.text, text);
	for (uint32_t i = 0; i < sdp.n_media; i++) {
		const struct nfv_sdp_media *m = &sdp.media[i];
		struct nfv_endpoint e;
		uint64_t port;

		inside(m->type, text);
		inside(m->port_text, text);
		inside(m->formats, text);
		inside(m->conn.text, text);
		inside(m->conn_at, text);
		inside(m->rtcp, text);
		must(m->port_text.p > at && m->ports > 0);
		at = m->port_text.p;
		must(nfv_sv_u64(m->port_text, 0, UINT16_MAX, &port) == 0 && port == m->port);
		must(m->conn_at.p == NULL || m->conn_at.p[-1] == '\n');
		if (nfv_sdp_rtp(&sdp, i, &e))
			must(e.port == m->port && e.port != 0 && e.addr.family != NFV_NO_ADDR);
		if (nfv_sdp_rtcp(&sdp, i, &e))
			must(e.port != 0 && e.addr.family != NFV_NO_ADDR);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct nfv_sip_msg m;
	struct nfv_sv text = nfv_sv((const char *)data, n), part;

	describe(text);
	if (nfv_sip_parse(&m, text.p, n) == NFV_SIP_MESSAGE_OK && nfv_sdp_find(&m, &part) > 0) {
		inside(part, text);
		describe(part);
	}
	return 0;
}
