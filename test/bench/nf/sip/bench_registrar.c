/**
 * @file
 * The registrar by itself: bench_registrar [USERS [JOURNAL]]. Registers so many users, then refreshes
 * them in an order that no cache can foresee, then finds them; a REGISTER is framed, validated and done
 * as the stage does it. With a JOURNAL, which is created and removed, all of it is noted there too.
 * Times are of the processor; bytes are those of all slots, heads included.
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "nfv_sip_write.h"
#include "registrar.h"

#define HZ 1000000000ull

static const char *const domains[] = { "example.org" };

static struct sip_registrar reg;
static struct sip_location *l;
static struct sip_work work;
static uint32_t users;

static double
cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* All of [0, users) in an order that looks random: the multiplier and a power of two have no common
 * factor, and what lies beyond is passed over. */
static uint32_t
next_user(uint32_t *state)
{
	uint32_t mask = 1;

	while (mask < users)
		mask = mask << 1 | 1;
	do
		*state = *state * 1664525 + 1013904223;
	while ((*state & mask) >= users);
	return *state & mask;
}

static size_t
message(char *to, size_t room, uint32_t user, uint32_t cseq)
{
	static const char digits[] = "0123456789";
	struct nfv_sip_writer w = nfv_sip_writer(to, room);
	char name[8];

	for (unsigned int i = 8, v = user; i-- > 0; v /= 10)
		name[i] = digits[v % 10];
#define NAME nfv_sip_put(&w, nfv_sv(name, sizeof(name)))
	nfv_sip_put_str(&w,
		"REGISTER sip:example.org SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 10.1.2.3:5060;rport;branch=z9hG4bK-");
	NAME;
	nfv_sip_put_str(&w, "\r\nMax-Forwards: 70\r\nFrom: <sip:");
	NAME;
	nfv_sip_put_str(&w, "@example.org>;tag=4711\r\nTo: <sip:");
	NAME;
	nfv_sip_put_str(&w, "@example.org>\r\nCall-ID: ");
	NAME;
	nfv_sip_put_str(&w, "-6d0b4f1c@10.1.2.3\r\nCSeq: ");
	nfv_sip_put_u64(&w, cseq);
	nfv_sip_put_str(&w, " REGISTER\r\nContact: <sip:");
	NAME;
	nfv_sip_put_str(&w,
		"@10.1.2.3:5060;transport=udp;ob>;+sip.instance=\"<urn:uuid:"
		"00000000-0000-1000-8000-0000");
	NAME;
	nfv_sip_put_str(&w,
		">\";reg-id=1\r\nSupported: path, outbound\r\nExpires: 3600\r\n"
		"User-Agent: bench\r\nContent-Length: 0\r\n\r\n");
	return w.n;
}

static void
fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static double
register_all(uint32_t cseq, uint64_t now)
{
	static char text[4096], out[4096];
	struct nfv_sip_writer extra = nfv_sip_writer(out, sizeof(out));
	double start = cpu_time();
	uint32_t state = cseq;
	const char *reason;

	for (uint32_t i = 0; i < users; i++) {
		size_t n = message(text, sizeof(text), next_user(&state), cseq);

		extra.n = 0;
		if (nfv_sip_parse(&work.msg, text, n) != NFV_SIP_MESSAGE_OK ||
			nfv_sip_validate(&work.msg, &work.core, &reason) != 0 ||
			sip_register(&reg, &work, now, &extra, &reason) != 200)
			fail("a REGISTER was refused");
		if (i % 32 == 0 && reg.conf.journal != NULL)
			sip_journal_tick(reg.conf.journal, now, 8);
	}
	return users / (cpu_time() - start);
}

/* Bursts of 32, as the stage gets them; without and with loading ahead. */
static double
find_all(bool ahead)
{
	double start = cpu_time();
	uint32_t state = 7, found = 0;

	for (uint32_t i = 0; i < users / 32; i++) {
		char name[32][9];
		uint64_t hash[32];
		struct sip_target t;

		for (int k = 0; k < 32; k++)
			snprintf(name[k], sizeof(name[k]), "%08u", next_user(&state) % 100000000);
		for (int k = 0; k < 32 && ahead; k++)
			hash[k] = sip_location_hash(l, nfv_sv(name[k], 8), NFV_SV("example.org"));
		for (int k = 0; k < 32 && ahead; k++)
			sip_location_prefetch(l, hash[k]);
		for (int k = 0; k < 32 && ahead; k++)
			sip_location_prefetch_binding(l, hash[k]);
		for (int k = 0; k < 32; k++)
			found += sip_location_find(
				l, nfv_sv(name[k], 8), NFV_SV("example.org"), 0, &t, 1);
	}
	if (found != users / 32 * 32)
		fail("a user was not found");
	return users / (cpu_time() - start);
}

int
main(int argc, char **argv)
{
	struct sip_location_conf conf = { .per_aor = 10, .tsc_hz = HZ, .seed = 1, .identity = 2 };
	struct sip_registrar_conf rc = {
		.min_expires = 60, .max_expires = 7200, .default_expires = 3600, .tsc_hz = HZ
	};
	static struct sip_proxy px = {
		.port = 5060, .domains = domains, .n_domains = 1, .n_own = 1
	};
	struct sip_in in = { .dir = NFV_INWARD };
	struct nfv_pages part[SIP_LOCATION_PARTS];
	struct nfv_err err;
	size_t pages = 0;

	users = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
	if (users < 32 || users > 100000000)
		fail("bench_registrar [USERS [JOURNAL]]: 32 to 100000000 users");
	conf.aors = conf.bindings = users;
	conf.chunks = users / 4;
	for (int i = 0; i < SIP_LOCATION_PARTS; i++) {
		pages += sip_location_pages(&conf, i);
		part[i] = nfv_pages_alloc(sip_location_pages(&conf, i));
	}
	px.own[0] = (struct sip_own){ .dir = NFV_OUTWARD };
	nfv_prefix_parse(NFV_SV("198.51.100.1/24"), &px.own[0].prefix);
	in.dst = (struct nfv_endpoint){ px.own[0].prefix.addr, 5060 };
	nfv_endpoint_parse(NFV_SV("203.0.113.7:5060"), &in.src);
	work.px = &px;
	work.in = &in;
	if (sip_location_create(&conf, part, &l, &err) < 0)
		fail(err.text);
	rc.location = l;
	if (argc > 2) {
		struct sip_journal_conf jc = { .path = argv[2],
			.own = px.own,
			.n_own = 1,
			.tsc_hz = HZ,
			.wall_ms = 1700000000000 };

		if (access(argv[2], F_OK) == 0)
			fail("the journal is there already");
		if (sip_journal_create(&jc, l, &rc.journal, &err) < 0)
			fail(err.text);
	}
	if (sip_registrar_init(&reg, &rc, &err) < 0)
		fail(err.text);
	printf("%u users, %zu bytes each", users, pages * NFV_PAGE / users);
	printf("; registers %.0f/s", register_all(1, 0));
	for (uint32_t cseq = 2; cseq <= 3; cseq++)
		printf("; refreshes %.0f/s", register_all(cseq, (uint64_t)(cseq - 1) * HZ));
	printf("; finds %.0f/s", find_all(false));
	printf(", loaded ahead %.0f/s\n", find_all(true));
	if (rc.journal != NULL) {
		struct sip_journal_stats s = sip_journal_stats(rc.journal);

		printf("journal %zu MB; %lu halves begun, %lu records copied\n",
			(size_t)s.bytes >> 20, s.switches, s.copied);
		unlink(argv[2]);
		sip_journal_destroy(rc.journal);
	}
	sip_location_destroy(l);
	for (int i = 0; i < SIP_LOCATION_PARTS; i++)
		nfv_pages_free(&part[i]);
	return 0;
}
