/* The stage as several shards: whose a datagram is, and one registrar whom all believe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "guard.h"
#include "mkpkt.h"
#include "nfv_sip.h"
#include "nfv_stage.h"
#include "sip_world.h"

#define SHARDS 3
#define OUTS   8
#define PHONE  "10.0.0.9"
#define FAR    "192.0.2.7"

static const struct nfv_stage_ops *ops;
static void *stage[SHARDS];
static struct nfv_conf *doc;
static uint64_t conf_room[64]; /* for the stage's own struct */
static struct nfv_burst burst;
static struct nfv_out out;
static struct mk in_mk, out_mk[OUTS];
static unsigned int told;
static bool deaf; /* the others cannot be told */

static bool
room(void *arg, size_t n)
{
	(void)arg;
	assert_in_range(n, 1, NFV_FRAME_MAX);
	return !deaf;
}

static void
tell(void *arg, const void *bytes, size_t n)
{
	told++;
	for (uint32_t i = 0; i < SHARDS; i++)
		if (i != *(const uint32_t *)arg)
			ops->told(stage[i], bytes, n, burst.tsc);
}

static int
start_with(const char *yaml, struct nfv_err *err)
{
	static uint32_t self[SHARDS] = { 0, 1, 2 };
	static struct nfv_tell teller[SHARDS];
	int rc = 0;

	ops = nfv_stage_find("sip");
	assert_int_equal(nfv_conf_parse("test", yaml, strlen(yaml), &doc, err), 0);
	assert_int_equal(nfv_conf_read(doc, "sip", ops->conf, conf_room, err), 0);
	for (uint32_t i = 0; i < SHARDS; i++) {
		struct nfv_stage_ctx ctx;

		world_ctx(&ctx);
		teller[i] = (struct nfv_tell){ room, tell, &self[i] };
		ctx.conf = conf_room;
		ctx.doc = doc;
		ctx.tsc = burst.tsc;
		ctx.seed = 1000 + i;
		ctx.shard = i;
		ctx.shards = SHARDS;
		ctx.group_seed = 42;
		ctx.tell = &teller[i];
		stage[i] = calloc(1, ops->state_size);
		if (rc == 0)
			rc = ops->init(stage[i], &ctx, err);
	}
	return rc;
}

static void
start(const char *yaml)
{
	struct nfv_err err = { "" };

	told = 0;
	deaf = false;
	if (start_with(yaml, &err) < 0)
		fail_msg("%s", err.text);
}

static int
stop(void **state)
{
	(void)state;
	for (int i = 0; i < SHARDS; i++) {
		ops->fini(stage[i]);
		free(stage[i]);
	}
	nfv_conf_close(doc);
	return 0;
}

/* All say the same, of the parsed packet. */
static int
steer(struct nfv_pkt *p, enum nfv_dir dir)
{
	int who = ops->steer(stage[0], p, dir);

	for (uint32_t i = 1; i < SHARDS; i++)
		assert_int_equal(ops->steer(stage[i], p, dir), who);
	assert_in_range(who + 1, 0, SHARDS);
	return who;
}

static int
of_text(const char *text, enum nfv_dir dir)
{
	struct nfv_pkt p = mk_udp(&in_mk, dir == NFV_OUTWARD ? PHONE : FAR, 5060,
		dir == NFV_OUTWARD ? IN4 : OUT4, 5060, text, strlen(text));

	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
	return steer(&p, dir);
}

/* --- whose it is --- */

/* However its writers write it, in whichever direction, request or response. */
static void
a_dialog_is_one_shards(void **state)
{
	static const char *const form[] = {
		"INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP x\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\n\r\n",
		"ACK sip:b@x SIP/2.0\r\ni:%s\r\nCSeq: 1 ACK\r\n\r\n",
		"BYE sip:b@x SIP/2.0\r\nCSeq: 2 BYE\r\nI \t:  %s  \r\n\r\n",
		"CANCEL sip:b@x SIP/2.0\r\nSubject: a\r\n i: other\r\ncall-id :\r\n\t %s\r\n\r\n",
		"SIP/2.0 200 OK\r\nCALL-ID: %s\r\nCSeq: 1 INVITE\r\n\r\n",
		"SIP/2.0 180 Ringing\r\nCSeq:\r\n 1\r\n INVITE\r\nCall-ID:%s\r\n\r\ni: body",
		"\r\n\r\nOPTIONS sip:b@x SIP/2.0\r\nCall-IDs: no\r\nin: no\r\nCall-ID: %s\n\n",
		"INVITE sip:b@x SIP/2.0\r\nCall-ID: %s\r\nCall-ID: second\r\n\r\n",
	};
	unsigned int calls[SHARDS] = { 0 };
	char id[64], text[512];

	(void)state;
	start("sip: {}");
	for (int call = 0; call < 300; call++) {
		int who = -1;

		snprintf(id, sizeof(id), "%d-%x@192.0.2.%d", call, call * 7919, call % 250);
		for (size_t i = 0; i < sizeof(form) / sizeof(form[0]); i++) {
			for (int dir = 0; dir < 2; dir++) {
				int this;

				snprintf(text, sizeof(text), form[i], id);
				this = of_text(text, (enum nfv_dir)dir);
				if (who >= 0 && this != who)
					fail_msg("%d in place of %d:\n%s", this, who, text);
				who = this;
			}
		}
		calls[who]++;
	}
	for (int i = 0; i < SHARDS; i++)
		assert_in_range(calls[i], 60, 140);
}

static void
the_first_ones(void **state)
{
	static const char *const text[] = {
		"REGISTER sip:x SIP/2.0\r\nCall-ID: %d\r\nCSeq: 1 REGISTER\r\n\r\n",
		"SIP/2.0 401 Unauthorized\r\nCall-ID: %d\r\nCSeq: 1 REGISTER\r\n\r\n",
		"SIP/2.0 200 OK\r\nCSeq: 1\r\n REGISTER\r\ni: %d\r\n\r\n",
		"INVITE sip:b@x SIP/2.0\r\nCSeq: %d INVITE\r\n\r\nCall-ID: body",
		"INVITE sip:b@x SIP/2.0\r\nCall-ID\r\nCall-ID %d\r\n\r\n",
		"\r\n\r\n",
		"",
		"noise %d",
		"\r",
		"i: %d",
	};
	char buf[256];

	(void)state;
	start("sip: {}");
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		for (int n = 0; n < 30; n++) {
			snprintf(buf, sizeof(buf), text[i], n);
			assert_int_equal(of_text(buf, NFV_INWARD), 0);
		}
	}
}

static void
what_is_not_ours_is_anybodys(void **state)
{
	struct nfv_pkt p;

	(void)state;
	start("sip: {media: relay, rtp-ports: 20000-20009}");
	p = mk_udp(&in_mk, FAR, 5060, OUT4, 5061, "x", 1);
	assert_int_equal(steer(&p, NFV_INWARD), -1);
	p = mk_udp(&in_mk, FAR, 5060, PHONE, 5060, "x", 1);
	assert_int_equal(steer(&p, NFV_INWARD), -1);
	p = mk_udp(&in_mk, FAR, 5060, PHONE, 20000, "x", 1);
	assert_int_equal(steer(&p, NFV_INWARD), -1);
	p = mk_tcp(&in_mk, FAR, 5060, OUT4, 5060, 2);
	assert_int_equal(steer(&p, NFV_INWARD), -1);
	/* The relay's ports in pairs; the odd pairs are the last one's. */
	for (uint16_t port = 20000; port < 20010; port++) {
		p = mk_udp(&in_mk, FAR, 7, port % 4 < 2 ? OUT4 : IN4, port, "x", 1);
		assert_int_equal(steer(&p, NFV_INWARD), port < 20002 ? 0 : port < 20004 ? 1 : 2);
	}
	p = mk_udp(&in_mk, "2001:db8::9", 7, OUT6, 20003, "x", 1);
	assert_int_equal(steer(&p, NFV_INWARD), 1);
	p = mk_udp(&in_mk, FAR, 5060, OUT4, 20010, "x", 1);
	assert_int_equal(steer(&p, NFV_INWARD), -1);
}

static void
a_pair_for_each(void **state)
{
	struct nfv_err err = { "" };

	(void)state;
	assert_int_equal(start_with("sip: {media: relay, rtp-ports: 20000-20003}", &err), -EINVAL);
	assert_non_null(strstr(err.text, "no pair for each of 3 workers"));
}

/* Any bytes, up to the last before memory ends. */
static void
hostile(void **state)
{
	static const char *const word[] = { "\r\n", "\n", " ", ":", "Call-ID", "i", "CSeq: 1",
		"SIP/2.0", "REGISTER", "\t", "a", "\r", "\xff" };
	struct guard g = guard_new();
	uint32_t seed = 7;

	(void)state;
	start("sip: {}");
	for (int round = 0; round < 20000; round++) {
		char text[300];
		struct nfv_pkt p;
		size_t n = 0;

		while (n < 200 && (seed = seed * 1664525 + 1013904223) >> 28 != 0) {
			const char *w = word[(seed >> 16) % (sizeof(word) / sizeof(word[0]))];

			memcpy(text + n, w, strlen(w));
			n += strlen(w);
		}
		p = mk_udp(&in_mk, FAR, 5060, OUT4, 5060, text, n);
		assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
		p.data = guard_tail(&g, p.data, p.len);
		steer(&p, NFV_INWARD);
	}
	guard_free(&g);
}

/* --- one registrar --- */

/* Through the shard whose it is; what comes out, as text. */
static const char *
pass(enum nfv_dir dir, const char *text)
{
	static char got[4096];
	const struct nfv_pkt *p = NULL;
	const struct nfv_udp *udp;
	int who = of_text(text, dir);

	mk_out(&out, out_mk, OUTS);
	burst.tsc += 1000;
	burst.idle += 900; /* nobody is in a hurry */
	burst.n = 1;
	burst.dir = dir;
	burst.pkt[0] = mk_udp(&in_mk, dir == NFV_OUTWARD ? PHONE : FAR, 5060,
		dir == NFV_OUTWARD ? IN4 : OUT4, 5060, text, strlen(text));
	assert_int_equal(nfv_pkt_parse(&burst.pkt[0]), NFV_PARSE_OK);
	ops->process(stage[who], &burst, &out);
	if (burst.pkt[0].verdict == NFV_KEEP)
		p = &burst.pkt[0];
	else if (out.n > 0)
		p = &out.pkt[out.n - 1]; /* behind a 100 */
	if (p == NULL)
		return "";
	udp = nfv_pkt_l4(p);
	snprintf(got, sizeof(got), "%.*s", be16toh(udp->be_len) - NFV_UDP_LEN,
		(const char *)(udp + 1));
	return got;
}

static const char *
enroll(const char *user, int cseq, int expires)
{
	char text[512];

	snprintf(text, sizeof(text),
		"REGISTER sip:own.example.org SIP/2.0\r\nVia: SIP/2.0/UDP " PHONE
		":5060;branch=z9hG4bKr%s%d\r\nMax-Forwards: 70\r\nFrom: <sip:%s@own.example.org>;tag=1\r\n"
		"To: <sip:%s@own.example.org>\r\nCall-ID: r-%s\r\nCSeq: %d REGISTER\r\n"
		"Contact: <sip:%s@" PHONE ">\r\nExpires: %d\r\nContent-Length: 0\r\n\r\n",
		user, cseq, user, user, user, cseq, user, expires);
	return pass(NFV_OUTWARD, text);
}

/* Calls with different Call-IDs, so by all shards; how many find the user. */
static unsigned int
found(const char *user)
{
	unsigned int n = 0;
	bool by[SHARDS] = { false };
	static int call;

	for (int i = 0; i < 24; i++) {
		char text[512], want[64];

		call++;

		snprintf(text, sizeof(text),
			"OPTIONS sip:%s@own.example.org SIP/2.0\r\nVia: SIP/2.0/UDP " FAR
			":5060;branch=z9hG4bKc%d\r\nMax-Forwards: 70\r\nFrom: <sip:x@" FAR
			">;tag=1\r\nTo: <sip:%s@own.example.org>\r\nCall-ID: c-%d\r\nCSeq: 1 OPTIONS\r\n"
			"Content-Length: 0\r\n\r\n",
			user, call, user, call);
		by[of_text(text, NFV_INWARD)] = true;
		snprintf(want, sizeof(want), "OPTIONS sip:%s@" PHONE, user);
		n += strncmp(pass(NFV_INWARD, text), want, strlen(want)) == 0;
	}
	assert_true(by[0] && by[1] && by[2]);
	return n;
}

static void
who_registers_is_known_to_all(void **state)
{
	(void)state;
	start("sip: {domains: [own.example.org], registrations: 64}");
	assert_int_equal(found("ann"), 0);
	assert_non_null(strstr(enroll("ann", 1, 600), "SIP/2.0 200"));
	assert_int_equal(told, 1);
	assert_int_equal(found("ann"), 24);
	assert_int_equal(found("ben"), 0);
	/* Again: nothing has changed, nobody is told. */
	assert_non_null(strstr(enroll("ann", 1, 600), "SIP/2.0 200"));
	assert_int_equal(told, 1);
	assert_non_null(strstr(enroll("ann", 2, 900), "expires=900"));
	assert_int_equal(found("ann"), 24);
	assert_non_null(strstr(enroll("ann", 3, 0), "SIP/2.0 200"));
	assert_int_equal(told, 3);
	assert_int_equal(found("ann"), 0);
	/* Each has the same clock. */
	assert_non_null(strstr(enroll("ben", 1, 60), "SIP/2.0 200"));
	burst.tsc += 61 * 1000000ull;
	assert_int_equal(found("ben"), 0);
}

static void
who_cannot_be_told_of_is_refused(void **state)
{
	(void)state;
	start("sip: {domains: [own.example.org], registrations: 64}");
	deaf = true;
	assert_non_null(strstr(enroll("ann", 1, 600), "SIP/2.0 503"));
	assert_int_equal(told, 0);
	assert_int_equal(found("ann"), 0);
	deaf = false;
	assert_non_null(strstr(enroll("ann", 2, 600), "SIP/2.0 200"));
	assert_int_equal(found("ann"), 24);
}

static void
all_know_after_a_restart(void **state)
{
	char name[] = "/tmp/shards-XXXXXX", yaml[256];
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	close(fd);
	unlink(name);
	snprintf(yaml, sizeof(yaml),
		"sip: {domains: [own.example.org], registrations: 64, journal: %s}", name);
	start(yaml);
	assert_non_null(strstr(enroll("ann", 1, 600), "SIP/2.0 200"));
	assert_non_null(strstr(enroll("ben", 1, 600), "SIP/2.0 200"));
	assert_non_null(strstr(enroll("ben", 2, 0), "SIP/2.0 200"));
	stop(state);
	start(yaml);
	assert_int_equal(found("ann"), 24);
	assert_int_equal(found("ben"), 0);
	assert_non_null(strstr(enroll("ann", 2, 0), "SIP/2.0 200"));
	assert_int_equal(found("ann"), 0);
	unlink(name);
}

/* --- what shards begin --- */

static void
answers_to_probes_come_back(void **state)
{
	(void)state;
	start("sip: {trunk: '192.0.2.200:5060', probe-interval: 1}");
	for (int round = 0; round < 20; round++) {
		burst.tsc += 1100000;
		for (int i = 0; i < SHARDS; i++) {
			const struct nfv_udp *udp;
			char text[1024];

			mk_out(&out, out_mk, OUTS);
			ops->tick(stage[i], burst.tsc, &out);
			assert_true(out.n > 0);
			udp = nfv_pkt_l4(&out.pkt[0]);
			snprintf(text, sizeof(text), "%.*s", be16toh(udp->be_len) - NFV_UDP_LEN,
				(const char *)(udp + 1));
			assert_memory_equal(text, "OPTIONS", 7);
			assert_int_equal(of_text(text, NFV_INWARD), i);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_dialog_is_one_shards, stop),
		cmocka_unit_test_teardown(the_first_ones, stop),
		cmocka_unit_test_teardown(what_is_not_ours_is_anybodys, stop),
		cmocka_unit_test_teardown(a_pair_for_each, stop),
		cmocka_unit_test_teardown(hostile, stop),
		cmocka_unit_test_teardown(who_registers_is_known_to_all, stop),
		cmocka_unit_test_teardown(who_cannot_be_told_of_is_refused, stop),
		cmocka_unit_test_teardown(all_know_after_a_restart, stop),
		cmocka_unit_test_teardown(answers_to_probes_come_back, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
