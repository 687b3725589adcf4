/**
 * @file
 * Digest challenges and credentials: nothing may crash the parsers, and an answer to a challenge that
 * is taken must itself be taken, and be right.
 */
#include <stdlib.h>

#include "nfv_digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char buf[1 << 17];
	struct nfv_sip_writer w = nfv_sip_writer(buf, sizeof(buf));
	struct nfv_sv in = nfv_sv((const char *)data, size);
	struct nfv_digest_request r = { .user = NFV_SV("a\"\\"),
		.password = NFV_SV("p"),
		.method = NFV_SV("INVITE"),
		.uri = NFV_SV("sip:x"),
		.cnonce = NFV_SV("1"),
		.nc = 1 };
	struct nfv_digest_credentials cred;
	struct nfv_digest_challenge c;

	if (nfv_digest_credentials_parse(in, &cred) == 0)
		nfv_digest_matches(&cred, &r);
	if (nfv_digest_challenge_parse(in, &c) < 0 || size > sizeof(buf) / 2)
		return 0;
	nfv_digest_answer(&c, &r, &w);
	if (w.full || memchr(buf, '\n', w.n) != NULL)
		abort();
	if (nfv_digest_credentials_parse(nfv_sv(buf, w.n), &cred) < 0 ||
		!nfv_digest_matches(&cred, &r))
		abort();
	return 0;
}
