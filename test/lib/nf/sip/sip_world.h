/**
 * @file
 * A chain for tests of the SIP stage: two addresses on either side, and which way the rest lies.
 */
#ifndef SIP_WORLD_H
#define SIP_WORLD_H

#include <string.h>

#include "nfv_stage.h"

#define OUT4 "198.51.100.1"
#define OUT6 "2001:db8:f::1"
#define IN4  "10.0.0.1"
#define IN6  "fd00::1"

static inline struct nfv_prefix
world_prefix(const char *text)
{
	struct nfv_prefix p = { 0 };

	nfv_prefix_parse(nfv_sv_str(text), &p);
	return p;
}

/** Fill in addresses and directions; they live in static memory. */
static inline void
world_ctx(struct nfv_stage_ctx *ctx)
{
	static struct nfv_prefix out[2], in[2];
	static struct nfv_toward toward[4];

	out[0] = world_prefix(OUT4 "/24");
	out[1] = world_prefix(OUT6 "/64");
	in[0] = world_prefix(IN4 "/24");
	in[1] = world_prefix(IN6 "/64");
	toward[0] = (struct nfv_toward){ world_prefix("fd00::/16"), NFV_INWARD };
	toward[1] = (struct nfv_toward){ world_prefix("10.0.0.0/8"), NFV_INWARD };
	toward[2] = (struct nfv_toward){ world_prefix("::/0"), NFV_OUTWARD };
	toward[3] = (struct nfv_toward){ world_prefix("0.0.0.0/0"), NFV_OUTWARD };
	*ctx = (struct nfv_stage_ctx){ .chain = "test",
		.own = { [NFV_OUTWARD] = out, [NFV_INWARD] = in },
		.n_own = { 2, 2 },
		.toward = toward,
		.n_toward = 4,
		.tsc_hz = 1000000,
		.seed = 42 };
}

/** A copy of `in` with the hashes of our branches, which tests do not know, as `#`; NUL-terminated.
 */
static inline char *
world_mask(struct nfv_sv in, char *out)
{
	static const char mark[] = "z9hG4bKnfv";
	size_t n = 0;

	for (size_t i = 0; i < in.n;) {
		if (in.n - i >= sizeof(mark) + 33 &&
			memcmp(in.p + i, mark, sizeof(mark) - 1) == 0) {
			out[n++] = '#';
			i += sizeof(mark) - 1 + 34;
		} else {
			out[n++] = in.p[i++];
		}
	}
	out[n] = '\0';
	return out;
}

#endif
