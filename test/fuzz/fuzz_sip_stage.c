/*
 * Any datagram at the proxy's port, from inside, outside or a NAT. What comes out must be a right
 * packet; a forwarded request must be a valid message, and its response must find the way back.
 */
#include <stdlib.h>

#include "mkpkt.h"
#include "nfv_sip.h"
#include "nfv_stage.h"
#include "sip_world.h"

static const struct nfv_stage_ops *ops;
static void *stage;

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
start(void)
{
	static const char yaml[] =
		"sip: { mode: stateless, domains: [a.b], trunk: \"203.0.113.9:5060\", error-rate: 1000000 }";
	static uint64_t conf[64];
	struct nfv_stage_ctx ctx;
	static struct nfv_conf *doc; /* what the stage points to */
	struct nfv_err err;

	ops = nfv_stage_find("sip");
	must(ops->conf->size <= sizeof(conf));
	world_ctx(&ctx);
	ctx.conf = conf;
	must(nfv_conf_parse("fuzz", yaml, strlen(yaml), &doc, &err) == 0);
	must(nfv_conf_read(doc, "sip", ops->conf, conf, &err) == 0);
	stage = calloc(1, ops->state_size);
	must(stage != NULL && ops->init(stage, &ctx, &err) == 0);
}

/* The datagram that came out, or an empty view. */
static struct nfv_sv
through(struct nfv_pkt p, enum nfv_dir dir, struct nfv_pkt *result)
{
	static struct nfv_burst burst;
	static struct nfv_out out;
	static struct mk room;

	mk_out(&out, &room, 1);
	must(nfv_pkt_parse(&p) == NFV_PARSE_OK);
	burst = (struct nfv_burst){ .tsc = burst.tsc + 1000, .n = 1, .dir = dir };
	burst.pkt[0] = p;
	ops->process(stage, &burst, &out);
	if (burst.pkt[0].verdict == NFV_KEEP)
		*result = burst.pkt[0];
	else if (out.n == 1)
		*result = out.pkt[0];
	else
		return nfv_sv(NULL, 0);
	((struct nfv_eth *)result->data)->be_type =
		htobe16(result->family == 4 ? NFV_ETH_IP4 : NFV_ETH_IP6);
	must(nfv_pkt_parse(result) == NFV_PARSE_OK && nfv_csum_l4_ok(result));
	return nfv_sv((const char *)nfv_pkt_l4(result) + NFV_UDP_LEN,
		nfv_pkt_l4_len(result) - NFV_UDP_LEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct {
		const char *src, *dst;
		enum nfv_dir dir;
	} from[] = { { "10.0.0.9", IN4, NFV_OUTWARD }, { "203.0.113.5", OUT4, NFV_INWARD },
		{ OUT4, IN4, NFV_OUTWARD }, { "fd00::9", IN6, NFV_OUTWARD } };
	static struct nfv_sip_msg m;
	static char text[MK_ROOM];
	struct nfv_sip_core core;
	const char *reason, *eol;
	bool valid;
	struct nfv_pkt p;
	struct nfv_sv s;
	struct mk mk;
	size_t i, len;

	if (stage == NULL)
		start();
	if (n < 1 || n > 3000)
		return 0;
	i = data[0] % 4;
	/* Of what goes on, only what is used is checked (docs/sip.md): it is as good as it was. */
	valid = nfv_sip_parse(&m, (const char *)data + 1, n - 1) == NFV_SIP_MESSAGE_OK &&
		nfv_sip_validate(&m, &core, &reason) == 0;
	s = through(mk_udp(&mk, from[i].src, 6000, from[i].dst, 5060, data + 1, n - 1), from[i].dir,
		&p);
	if (s.n == 0)
		return 0;
	must(nfv_sip_parse(&m, s.p, s.n) == NFV_SIP_MESSAGE_OK);
	if (m.response)
		return 0;
	must(nfv_sip_validate(&m, &core, &reason) == 0 || !valid ||
		core.n_vias > NFV_SIP_VIAS_MAX || (m.flaws & NFV_SIP_FLAW_TOO_LARGE));
	eol = memchr(s.p, '\r', s.n);
	memcpy(text, "SIP/2.0 200 OK", 14);
	len = 14 + s.n - (size_t)(eol - s.p);
	/* Without transactions no response is known, and all are looked at in full. */
	if (len > 3000 || core.n_vias > NFV_SIP_VIAS_MAX || m.flaws != 0 || !valid)
		return 0;
	memcpy(text + 14, eol, len - 14);
	s = through(mk_udp(&mk, "203.0.113.5", 5060, OUT4, 5060, text, len), NFV_INWARD, &p);
	must(s.n > 0 && nfv_sip_parse(&m, s.p, s.n) == NFV_SIP_MESSAGE_OK && m.response);
	return 0;
}
