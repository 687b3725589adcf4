/*
 * Any messages of a few calls, with pinholes and the relay, and datagrams for the relay in between.
 *
 * Input: pieces one behind the other, each with three bytes before it: bit 0 is the side it comes from,
 * bits 1 and 2 make it a datagram for the relay (1: RTP, 2: RTCP, 3: from a stranger), bit 3 lets two
 * minutes pass; and its length, network order.
 *
 * Besides the sanitizers' findings: what is edited is framed as before, its length right; nothing
 * that was opened is left when all calls have ended.
 */
#include <stdlib.h>

#include "media.h"
#include "mkpkt.h"

#define HZ 1000000000ull

static struct nfv_prefix own[2];
static struct nfv_toward toward;
static struct sip_media_leg leg[2];
static const char *const host[2] = { "10.1.0.5", "198.51.100.9" };

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static struct nfv_addr
addr(const char *text)
{
	struct nfv_addr a;

	must(nfv_addr_parse(nfv_sv_str(text), &a) == 0);
	return a;
}

static void
one_message(struct sip_media *m, struct nfv_sv text, unsigned int side, uint64_t now)
{
	static struct nfv_sip_msg msg, again;
	static char out[2 * 65536], room[4096];
	struct nfv_sip_writer ins = nfv_sip_writer(room, sizeof(room));
	struct nfv_sip_writer w = nfv_sip_writer(out, sizeof(out));
	struct nfv_sip_edits edits = { .n = 0 };
	struct nfv_sip_core core;
	struct sip_media_in in = { &msg, &core, leg[side], leg[!side], now };
	const char *why;

	if (nfv_sip_parse(&msg, text.p, text.n) != NFV_SIP_MESSAGE_OK ||
		nfv_sip_validate(&msg, &core, &why) != 0)
		return;
	if (sip_media(m, &in, &edits, &ins) < 0)
		must(edits.n == 0);
	if (edits.full || ins.full)
		return;
	nfv_sip_edit_apply(&edits, &msg, 0, msg.n, &w);
	must(!w.full);
	if (w.n > NFV_SIP_BYTES_MAX)
		return;
	must(nfv_sip_parse(&again, out, w.n) == NFV_SIP_MESSAGE_OK);
	must(again.flaws == msg.flaws && again.n == w.n && again.n_hdr == msg.n_hdr);
}

static void
one_packet(struct sip_relay *r, struct nfv_sv data, unsigned int how, uint64_t now)
{
	unsigned int side = how & 1, kind = how >> 1 & 3;
	struct mk m, made;
	struct nfv_out out;
	struct nfv_pkt p;

	data.n = data.n < 1400 ? data.n : 1400;
	p = mk_udp(&m, kind == 3 ? "192.0.2.77" : host[side], side == 0 ? 4000 : 5000,
		side == 0 ? "10.1.0.1" : "10.2.0.1",
		(uint16_t)(20000 + 2 * (data.n > 0 ? data.p[0] & 7 : 0) + (kind == 2)), data.p,
		data.n);
	must(nfv_pkt_parse(&p) == NFV_PARSE_OK);
	mk_out(&out, &made, 1);
	if (!sip_relay(r, &p, side == 0 ? NFV_OUTWARD : NFV_INWARD, now, &out))
		return;
	if (p.verdict == NFV_KEEP)
		must(nfv_pkt_parse_ip(&p) == NFV_PARSE_OK && nfv_csum_l4_ok(&p));
	if (out.n > 0)
		must(nfv_pkt_parse_ip(&out.pkt[0]) == NFV_PARSE_OK && nfv_csum_l4_ok(&out.pkt[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sip_relay_conf rc = { .lo = 20000, .hi = 20015, .streams = 4, .tsc_hz = HZ };
	struct sip_media_conf mc = { .calls = 3, .setup = 180, .idle = 60, .max = 3600 };
	struct nfv_pages pages[3];
	struct nfv_stage_ctx ctx = { .own = { &own[0], &own[1] },
		.n_own = { 1, 1 },
		.toward = &toward,
		.n_toward = 1,
		.tsc_hz = HZ };
	struct nfv_pinholes *holes;
	struct sip_media *m;
	uint64_t now = HZ;

	own[NFV_INWARD] = (struct nfv_prefix){ addr("10.1.0.1"), 24 };
	own[NFV_OUTWARD] = (struct nfv_prefix){ addr("10.2.0.1"), 24 };
	toward = (struct nfv_toward){ own[NFV_INWARD], NFV_INWARD };
	leg[0] = (struct sip_media_leg){ addr(host[0]), own[NFV_INWARD].addr, NFV_INWARD };
	leg[1] = (struct sip_media_leg){ addr(host[1]), own[NFV_OUTWARD].addr, NFV_OUTWARD };
	pages[0] = nfv_pages_alloc(nfv_pinholes_pages(16));
	must(nfv_pinholes_create(16, &pages[0], NULL, 1, HZ, now, &holes, NULL) == 0);
	mc.pinholes = holes;
	pages[1] = nfv_pages_alloc(sip_relay_pages(&rc));
	must(sip_relay_create(&rc, &pages[1], &mc.relay, NULL) == 0);
	pages[2] = nfv_pages_alloc(sip_media_pages(&mc));
	must(sip_media_create(&mc, &ctx, &pages[2], now, &m, NULL) == 0);
	while (size > 3) {
		size_t n = (size_t)data[1] << 8 | data[2];
		struct nfv_sv piece;

		n = n < size - 3 ? n : size - 3;
		piece = nfv_sv((const char *)data + 3, n);
		if (data[0] & 6)
			one_packet(mc.relay, piece, data[0], now);
		else
			one_message(m, piece, data[0] & 1, now);
		for (int i = 0; i < 120 && (data[0] & 8); i++) {
			now += HZ;
			sip_media_tick(m, now);
			nfv_pinholes_expire(holes, now, 32);
		}
		data += 3 + n;
		size -= 3 + n;
	}
	sip_media_destroy(m);
	must(holes->stats.open == 0 && holes->stats.owners == 0);
	must(sip_relay_stats(mc.relay)->open == 0);
	sip_relay_destroy(mc.relay);
	nfv_pinholes_destroy(holes);
	for (int i = 0; i < 3; i++)
		nfv_pages_free(&pages[i]);
	return 0;
}
