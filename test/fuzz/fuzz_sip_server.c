/*
 * A conversation with the proxy with transactions: requests, answers to what it has sent, raw datagrams
 * and time, as the input says. What it sends must be valid messages, and when all timers have run out
 * nothing may be left of any of it.
 */
#include <stdlib.h>

#include "server.h"
#include "sip_world.h"

#define HZ  1000000u
#define MAX 64

static struct sip_server *s;
static struct sip_txns_pages pages;
static uint64_t now;
static struct sent {
	char text[4096];
	size_t n;
} sent[16];
static unsigned int n_sent;

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static bool
sink(void *ctx, enum nfv_dir dir, const struct nfv_endpoint *from, const struct nfv_endpoint *to,
	struct nfv_sv text)
{
	static struct nfv_sip_msg m;
	struct nfv_sip_core core;
	const char *reason;

	(void)ctx;
	(void)from;
	(void)to;
	must(dir == NFV_INWARD || dir == NFV_OUTWARD);
	must(nfv_sip_parse(&m, text.p, text.n) == NFV_SIP_MESSAGE_OK);
	must(m.response || nfv_sip_validate(&m, &core, &reason) == 0 ||
		core.n_vias > NFV_SIP_VIAS_MAX || (m.flaws & NFV_SIP_FLAW_TOO_LARGE));
	if (!m.response && text.n <= sizeof(sent[0].text)) {
		struct sent *o = &sent[n_sent++ % 16];

		memcpy(o->text, text.p, text.n);
		o->n = text.n;
	}
	return text.n % 17 != 0; /* now and then there is no room */
}

static unsigned int
locate(void *ctx, struct nfv_sv user, struct nfv_sv domain, struct sip_hop *hop, unsigned int max)
{
	static const struct nfv_sv uri[] = { { "sip:u@203.0.113.7;x", 19 }, { NULL, 0 },
		{ "sip:203.0.113.8", 15 } };
	unsigned int n = user.n % 4;

	(void)ctx;
	(void)domain;
	for (unsigned int i = 0; i < n && i < max; i++) {
		hop[i] = (struct sip_hop){ .uri = uri[i],
			.q = (uint16_t)(1000 - user.n % 3 * i),
			.path = i == 2 ? nfv_sv_str("<sip:203.0.113.9;lr>") : nfv_sv(NULL, 0),
			.failover = user.n % 5 == 0 };
		nfv_addr_parse(nfv_sv_str("203.0.113.7"), &hop[i].to.addr);
		hop[i].to.port = (uint16_t)(5060 + i);
	}
	return n < max ? n : max;
}

static void
start(void)
{
	static const char *const domains[] = { "a.b" };
	struct nfv_stage_ctx ctx;
	struct nfv_err err;
	size_t slots, buckets, texts;

	s = calloc(1, sizeof(*s));
	must(s != NULL);
	s->px.port = 5060;
	s->px.record_route = true;
	s->px.relay = true;
	s->px.key = (struct siphash_key){ { 1, 2 } };
	s->px.locate = locate;
	s->px.domains = domains;
	s->px.n_domains = 1;
	s->failover_ms = 2000;
	s->refusals = sip_bucket(HZ, 1000, 1);
	s->px.overload = &s->overload;
	s->sink = (struct sip_sink){ NULL, sink };
	sip_overload_init(&s->overload, HZ, 0, 1);
	world_ctx(&ctx);
	must(sip_proxy_init(&s->px, &ctx, &err) == 0);
	sip_txns_need(MAX, &slots, &buckets, &texts);
	pages = (struct sip_txns_pages){ nfv_pages_alloc(slots), nfv_pages_alloc(buckets),
		nfv_pages_alloc(texts) };
}

static void
take(bool inside, const char *text, size_t n)
{
	struct sip_in in = { .dir = inside ? NFV_OUTWARD : NFV_INWARD };
	struct sip_outcome out;
	char *copy = malloc(n + 1);

	must(copy != NULL);
	memcpy(copy, text, n);
	in.text = nfv_sv(copy, n);
	nfv_addr_parse(nfv_sv_str(inside ? "10.0.0.9" : "203.0.113.5"), &in.src.addr);
	nfv_addr_parse(nfv_sv_str(inside ? IN4 : OUT4), &in.dst.addr);
	in.src.port = in.dst.port = 5060;
	sip_server_take(s, &in, now, &out);
	free(copy);
}

static void
request(uint8_t what)
{
	static const char *const methods[] = { "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS",
		"REGISTER", "MESSAGE", "X" };
	static const char *const uris[] = { "sip:b@203.0.113.5", "sip:u@a.b", "sip:uu@a.b",
		"sip:uuuuuu@a.b" };
	char text[1024];
	int n = snprintf(text, sizeof(text),
		"%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK%d%s\r\nMax-Forwards: 9\r\n"
		"From: <sip:a@x>;tag=a\r\nTo: <sip:b@y>\r\nCall-ID: c\r\nCSeq: 1 %s\r\n"
		"Contact: <sip:a@10.0.0.9>\r\nSubject: %*s\r\nContent-Length: 0\r\n\r\n",
		methods[what & 7], uris[what >> 3 & 3], what >> 5, what & 32 ? ";oc" : "",
		methods[what & 7], what & 64 ? 400 : 1, "x");

	take(true, text, (size_t)n);
}

static void
reply(uint8_t what, uint8_t status)
{
	static const char *const statuses[] = { "100", "180", "200", "302", "401", "486", "503",
		"603" };
	const struct sent *o = &sent[what % 16];
	const char *eol = memchr(o->text, '\r', o->n);
	char text[sizeof(o->text) + 32];
	size_t rest;

	if (o->n == 0 || eol == NULL)
		return;
	rest = o->n - (size_t)(eol - o->text);
	memcpy(text, "SIP/2.0 ", 8);
	memcpy(text + 8, statuses[status % 8], 3);
	memcpy(text + 11, " x", 2);
	memcpy(text + 13, eol, rest);
	take(false, text, 13 + rest);
}

static void
pass(uint64_t ms, uint64_t step)
{
	for (uint64_t end = now + ms * (HZ / 1000); now < end; now += step * (HZ / 1000))
		while (!sip_server_tick(s, now, 64))
			;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct sip_txns_conf tc = { .max = MAX, .timer_c = 1, .tsc_hz = HZ, .now = now };

	if (s == NULL)
		start();
	sip_txns_init(&s->txns, &tc, &pages, 7);
	n_sent = 0;
	memset(sent, 0, sizeof(sent));
	while (n >= 3) {
		size_t part = 3;

		switch (data[0] & 7) {
		case 0:
		case 1:
			part = 3u + data[1] + (data[2] & 7) * 256u;
			part = part < n ? part : n;
			take(data[0] & 1, (const char *)data + 3, part - 3);
			break;
		case 2:
		case 3:
			request(data[1]);
			break;
		case 4:
			pass((uint64_t)data[1] * data[2], 50);
			break;
		default:
			reply(data[1], data[2]);
		}
		data += part;
		n -= part;
	}
	pass(300000, 400);
	must(s->txns.n_free == MAX && s->txns.texts.n_free == s->txns.texts.blocks);
	return 0;
}
