/*
 * Cycles of the proxy with transactions for each message of a call, without packets around it:
 *
 *   bench_server [CALLS]
 *
 * CALLS calls (64 Ki) go through it side by side, so that each message finds what its call keeps out of
 * the cache. Messages are timed in batches of 32; the figure is the first quartile of all batches, which
 * interruptions do not reach.
 */
#include <stdio.h>
#include <stdlib.h>
#include <x86intrin.h>

#include "server.h"
#include "sip_world.h"

#define BATCH 32
#define HZ    2600000000ull

static struct sip_server *s;
static struct nfv_sv to_callee; /* what was sent that way last */
static char callee_room[4096];
static struct sip_in in[2]; /* from outside, from inside */

static bool
sink(void *ctx, enum nfv_dir dir, const struct nfv_endpoint *from, const struct nfv_endpoint *to,
	struct nfv_sv text)
{
	(void)ctx;
	(void)from;
	(void)to;
	if (dir == NFV_OUTWARD) {
		memcpy(callee_room, text.p, text.n);
		to_callee = nfv_sv(callee_room, text.n);
	}
	return true;
}

static void
start(uint32_t calls)
{
	const struct sip_txns_conf tc = { .max = 4 * calls, .timer_c = 181, .tsc_hz = HZ };
	struct sip_txns_pages pages;
	struct nfv_stage_ctx ctx;
	struct nfv_err err;
	size_t slots, buckets, texts;

	s = calloc(1, sizeof(*s));
	s->px.port = 5060;
	s->px.record_route = true;
	s->px.key = (struct siphash_key){ { 1, 2 } };
	s->refusals = sip_bucket(HZ, 1000, 1);
	sip_overload_init(&s->overload, HZ, 0, 1);
	world_ctx(&ctx);
	if (sip_proxy_init(&s->px, &ctx, &err) < 0)
		exit(1);
	sip_txns_need(tc.max, &slots, &buckets, &texts);
	pages = (struct sip_txns_pages){ nfv_pages_alloc(slots), nfv_pages_alloc(buckets),
		nfv_pages_alloc(texts) };
	if (pages.slots.page == NULL || pages.texts.page == NULL || pages.buckets.page == NULL)
		exit(1);
	sip_txns_init(&s->txns, &tc, &pages, 7);
	s->sink = (struct sip_sink){ NULL, sink };
	in[0].dir = NFV_INWARD;
	in[1].dir = NFV_OUTWARD;
	nfv_endpoint_parse(NFV_SV("203.0.113.5:5060"), &in[0].src);
	nfv_endpoint_parse(NFV_SV("10.0.0.9:5060"), &in[1].src);
	nfv_endpoint_parse(NFV_SV(OUT4 ":5060"), &in[0].dst);
	nfv_endpoint_parse(NFV_SV(IN4 ":5060"), &in[1].dst);
}

static void
take(bool inside, const char *text, size_t n, uint64_t now)
{
	struct sip_outcome out;

	in[inside].text = nfv_sv(text, n);
	sip_server_take(s, &in[inside], now, &out);
}

static const char sdp[] = "v=0\r\no=user1 53655765 2353687637 IN IP4 10.0.0.9\r\ns=-\r\n"
			  "c=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n"
			  "a=rtpmap:0 PCMU/8000\r\n";

static size_t
request(char *to, size_t room, const char *method, unsigned int call, int step)
{
	bool invite = step == 0;

	return (size_t)snprintf(to, room,
		"%s sip:service@203.0.113.5:5060 SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK-%u-%d\r\n%s"
		"From: sipp <sip:sipp@10.0.0.9:5060>;tag=%uSIPpTag00\r\n"
		"To: service <sip:service@203.0.113.5:5060>%s\r\n"
		"Call-ID: %u-1@10.0.0.9\r\nCSeq: %d %s\r\nContact: sip:sipp@10.0.0.9:5060\r\n"
		"Max-Forwards: 70\r\nSubject: Performance Test\r\n%sContent-Length: %zu\r\n\r\n%s",
		method, call, step == 1 ? 1 : step,
		invite ? "" : "Route: <sip:10.0.0.1:5060;lr>,<sip:198.51.100.1:5060;lr>\r\n", call,
		invite ? "" : ";tag=1SIPpTag01", call, step == 2 ? 2 : 1, method,
		invite ? "Content-Type: application/sdp\r\n" : "", invite ? sizeof(sdp) - 1 : 0,
		invite ? sdp : "");
}

static size_t
response(char *to, size_t room, const char *status, struct nfv_sv request)
{
	const char *eol = memchr(request.p, '\r', request.n);

	return (size_t)snprintf(to, room, "SIP/2.0 %s%.*s", status,
		(int)(request.n - (size_t)(eol - request.p)), eol);
}

enum { INVITE, RINGING, OK, ACK, BYE, BYE_OK, REFUSED, STEPS };
static const char *const names[STEPS] = { "INVITE", "180", "200", "ACK", "BYE", "200 (BYE)",
	"INVITE, refused" };

static int
by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int
main(int argc, char **argv)
{
	unsigned int calls = argc > 1 ? (unsigned int)atoi(argv[1]) : 1u << 16, batches;
	char(*text)[2][1100]; /* of each call: what the callee got; what comes next */
	uint64_t *took, now = 1, sum = 0;

	batches = calls / BATCH;
	if (batches == 0)
		return 2;
	start(calls);
	text = calloc(calls, sizeof(*text));
	took = calloc(batches, sizeof(*took));
	for (int step = 0; step < STEPS; step++) {
		s->overload.admit = step == REFUSED ? 0 : SIP_ADMIT_ALL;
		s->overload.until = UINT64_MAX;
		for (unsigned int b = 0; b < batches; b++) {
			size_t n[BATCH];
			uint64_t t;

			for (unsigned int i = 0; i < BATCH; i++) {
				unsigned int c = b * BATCH + i;
				char(*m)[1100] = text[c];

				n[i] = step == REFUSED ?
					request(m[1], 1100, "INVITE", c + calls, 0) :
					step == INVITE || step == ACK || step == BYE ?
					request(m[1], 1100, names[step], c,
						step == INVITE      ? 0 :
							step == ACK ? 1 :
								      2) :
					response(m[1], 1100,
						step == RINGING ? "180 Ringing" : "200 OK",
						nfv_sv_str(m[0]));
			}
			t = __rdtsc();
			for (unsigned int i = 0; i < BATCH; i++) {
				take(step != RINGING && step != OK && step != BYE_OK,
					text[b * BATCH + i][1], n[i], now);
				if (step == INVITE || step == BYE) {
					memcpy(text[b * BATCH + i][0], to_callee.p, to_callee.n);
					text[b * BATCH + i][0][to_callee.n] = '\0';
				}
			}
			took[b] = (__rdtsc() - t) / BATCH;
			now += HZ / 100000;
		}
		qsort(took, batches, sizeof(*took), by_size);
		printf("%-15s %6lu cycles\n", names[step], took[batches / 4]);
		if (step < REFUSED)
			sum += took[batches / 4];
	}
	printf("a call          %6lu cycles, %.0f calls/s at %.1f GHz\n", sum,
		(double)HZ / (double)sum, HZ / 1e9);
	printf("transactions live: %u %u %u %u, unsent %lu\n", s->txns.live[0], s->txns.live[1],
		s->txns.live[2], s->txns.live[3], s->count.unsent);
	return 0;
}
