/**
 * @file
 * Messages a second that lib/sip frames and validates, beside libosip2's osip_message_parse():
 *
 *   bench_parser [--json] [--rounds N] [--quick]
 *
 * The message is an INVITE of 523 bytes; there are many of it that differ in their identifiers, so that
 * nobody learns one by heart. lib/sip's part is what the proxy does before it decides: framing, every
 * check of nfv_sip_validate() and nfv_sip_validate_proxy(). libosip2's is to make its tree of the
 * message and to free it. Both take turns on one core, a round each.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <osip2/osip.h>

#include "nfv_sip.h"

#define MESSAGE    523
#define MESSAGES   256
#define ROUNDS_MAX 99

static const char sdp[] = "v=0\r\n"
			  "o=alice 2890844526 2890844526 IN IP4 10.1.0.2\r\n"
			  "s=-\r\n"
			  "c=IN IP4 10.1.0.2\r\n"
			  "t=0 0\r\n"
			  "m=audio 49172 RTP/AVP 0\r\n"
			  "a=rtpmap:0 PCMU/8000\r\n";

static char message[MESSAGES][MESSAGE + 1];

struct parser {
	const char *name;
	bool (*parse)(const char *text);
	double rate[ROUNDS_MAX];
};

static void
make_messages(void)
{
	for (int i = 0; i < MESSAGES; i++) {
		int n = snprintf(message[i], sizeof(message[i]),
			"INVITE sip:bob@10.2.0.2:5060 SIP/2.0\r\n"
			"Via: SIP/2.0/UDP 10.1.0.2:5060;branch=z9hG4bK%08x;rport\r\n"
			"Max-Forwards: 70\r\n"
			"From: \"Alice\" <sip:alice@example.org>;tag=%08x\r\n"
			"To: Bob <sip:bob@example.org>\r\n"
			"Call-ID: %08x@10.1.0.2\r\n"
			"CSeq: 1 INVITE\r\n"
			"Contact: <sip:alice@10.1.0.2:5060>\r\n"
			"Allow: INVITE, ACK, BYE, CANCEL\r\n"
			"User-Agent: phone/1.0.12\r\n"
			"Content-Type: application/sdp\r\n"
			"Content-Length: %zu\r\n\r\n%s",
			(unsigned int)i * 2654435761u, (unsigned int)i * 40503u,
			(unsigned int)i * 69069u, sizeof(sdp) - 1, sdp);

		if (n != MESSAGE) {
			fprintf(stderr, "bench: the message has %d bytes, not %d\n", n, MESSAGE);
			exit(1);
		}
	}
}

static bool
parse_ours(const char *text)
{
	static struct nfv_sip_msg m;
	struct nfv_sip_core core;
	const char *why;

	return nfv_sip_parse(&m, text, MESSAGE) == NFV_SIP_MESSAGE_OK &&
		nfv_sip_validate(&m, &core, &why) == 0 &&
		nfv_sip_validate_proxy(&m, &core, &why) == 0;
}

static bool
parse_osip(const char *text)
{
	osip_message_t *m;
	bool good;

	if (osip_message_init(&m) != OSIP_SUCCESS)
		return false;
	good = osip_message_parse(m, text, MESSAGE) == OSIP_SUCCESS;
	osip_message_free(m);
	return good;
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Messages a second, of about so many seconds. */
static double
measure(const struct parser *p, double seconds)
{
	double begun = now(), took;
	uint64_t done = 0;

	do {
		for (int i = 0; i < MESSAGES; i++) {
			if (p->parse(message[i]))
				continue;
			fprintf(stderr, "bench: %s does not take the message\n", p->name);
			exit(1);
		}
		done += MESSAGES;
		took = now() - begun;
	} while (took < seconds);
	return (double)done / took;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), by_value);
	return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = { { "json", no_argument, NULL, 'j' },
		{ "quick", no_argument, NULL, 'q' }, { "rounds", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 } };
	struct parser parser[] = { { .name = "lib/sip", .parse = parse_ours },
		{ .name = "libosip2", .parse = parse_osip } };
	double seconds = 0.5, rate[2], ratio[ROUNDS_MAX];
	bool json = false;
	int rounds = 5, c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c == 'q')
			seconds = 0.05;
		else if (c == 'r')
			rounds = atoi(optarg);
		else
			return 2;
	}
	if (rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "bench: --rounds takes 1 to %d\n", ROUNDS_MAX);
		return 2;
	}
	make_messages();
	parser_init();
	for (int i = 0; i < 2; i++)
		measure(&parser[i], seconds / 10);
	for (int r = 0; r < rounds; r++) {
		for (int i = 0; i < 2; i++)
			parser[i].rate[r] = measure(&parser[i], seconds);
		ratio[r] = parser[0].rate[r] / parser[1].rate[r];
	}
	for (int i = 0; i < 2; i++) {
		rate[i] = median(parser[i].rate, rounds);
		printf("%-9s %9.0f messages/s of %d bytes, one core, median of %d\n",
			parser[i].name, rate[i], MESSAGE, rounds);
	}
	printf("ratio     %9.2f, median of the rounds'\n", median(ratio, rounds));
	if (json)
		printf("{\"bytes\": %d, \"rounds\": %d, \"parser_mps\": %.0f, \"osip_mps\": %.0f, "
		       "\"ratio\": %.3f}\n",
			MESSAGE, rounds, rate[0], rate[1], median(ratio, rounds));
	return 0;
}
