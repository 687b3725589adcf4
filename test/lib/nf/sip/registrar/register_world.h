/**
 * @file
 * A registrar over a small location service, and requests to it, for tests.
 */
#ifndef REGISTER_WORLD_H
#define REGISTER_WORLD_H

#include <stdio.h>

#include "location_world.h"
#include "registrar.h"
#include "sip_world.h"

#define HZ  1000000u
#define SEC (uint64_t) HZ
#define UA  "203.0.113.7:5090"

struct register_world {
	struct location_world loc;
	struct sip_registrar reg;
	struct sip_proxy px;
	struct sip_in in;
	struct sip_work work;
	uint64_t now;
	char text[NFV_SIP_BYTES_MAX + 1];
	char extra[16384];
	size_t room; /* of it */
	const char *reason;
};

static const char *const register_domains[] = { "example.org", "example.com" };

static inline void
register_world_init(struct register_world *w, uint32_t bindings, uint32_t per_aor)
{
	struct sip_location_conf loc = { .aors = bindings,
		.bindings = bindings,
		.chunks = 8 * bindings,
		.per_aor = per_aor,
		.tsc_hz = HZ,
		.seed = 1,
		.identity = 2 };
	struct sip_registrar_conf conf = { .min_expires = 60,
		.max_expires = 7200,
		.default_expires = 3600,
		.retry_after = 30,
		.tsc_hz = HZ };
	struct nfv_stage_ctx ctx;

	memset(w, 0, sizeof(*w));
	world_ctx(&ctx);
	w->px.port = 5060;
	w->px.domains = register_domains;
	w->px.n_domains = 2;
	location_world_init(&w->loc, &loc);
	conf.location = w->loc.l;
	w->room = sizeof(w->extra) - 1;
	if (sip_proxy_init(&w->px, &ctx, NULL) < 0 || sip_registrar_init(&w->reg, &conf, NULL) < 0)
		abort();
	w->in.dir = NFV_INWARD;
	nfv_endpoint_parse(NFV_SV(UA), &w->in.src);
	nfv_endpoint_parse(NFV_SV(OUT4 ":5060"), &w->in.dst);
}

static inline void
register_world_fini(struct register_world *w)
{
	location_world_fini(&w->loc);
}

/** Frame and validate; 0 or the status that is due before any registrar is asked. */
static inline unsigned int
register_read(struct register_world *w, const char *p, size_t n)
{
	const char *text = NULL;

	w->in.text = nfv_sv(p, n);
	w->work.px = &w->px;
	w->work.in = &w->in;
	if (nfv_sip_parse(&w->work.msg, p, n) != NFV_SIP_MESSAGE_OK || w->work.msg.response)
		return 1;
	return nfv_sip_validate(&w->work.msg, &w->work.core, &text);
}

/** The status that a whole message gets; w->extra is what the answer is to have. */
static inline unsigned int
register_message(struct register_world *w, const char *p, size_t n)
{
	struct nfv_sip_writer extra = nfv_sip_writer(w->extra, w->room);
	unsigned int status = register_read(w, p, n);

	w->extra[0] = '\0';
	if (status != 0)
		return status;
	status = sip_register(&w->reg, &w->work, w->now, &extra, &w->reason);
	if (extra.full)
		abort();
	w->extra[extra.n] = '\0';
	return status;
}

/** Of a REGISTER for `to` with these header lines. */
static inline unsigned int
register_one(struct register_world *w, const char *to, const char *id, unsigned int cseq,
	const char *lines)
{
	int n = snprintf(w->text, sizeof(w->text),
		"REGISTER sip:example.org SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 203.0.113.7:5090;branch=z9hG4bK%u\r\n"
		"From: <%s>;tag=1\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: %u REGISTER\r\n"
		"%sContent-Length: 0\r\n\r\n",
		cseq, to, to, id, cseq, lines);

	return register_message(w, w->text, (size_t)n);
}

#endif
