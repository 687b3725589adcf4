#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "rtp.h"

static struct sip_rtp rtp;

static enum sip_rtp_kind
seen(uint32_t ssrc, uint16_t seq, uint32_t stamp, uint32_t arrival)
{
	uint8_t p[SIP_RTP_LEN + 20] = { 0x80, 8, (uint8_t)(seq >> 8), (uint8_t)seq,
		(uint8_t)(stamp >> 24), (uint8_t)(stamp >> 16), (uint8_t)(stamp >> 8),
		(uint8_t)stamp, (uint8_t)(ssrc >> 24), (uint8_t)(ssrc >> 16), (uint8_t)(ssrc >> 8),
		(uint8_t)ssrc };

	return sip_rtp_seen(&rtp, p, sizeof(p), arrival);
}

static void
run(uint32_t ssrc, uint16_t first, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(seen(ssrc, (uint16_t)(first + i), 160 * i, 160 * i), SIP_RTP_DATA);
}

static void
counts_and_wraps(void **state)
{
	(void)state;
	memset(&rtp, 0, sizeof(rtp));
	run(1, 65000, 2000);
	assert_int_equal(rtp.packets, 2000);
	assert_int_equal(rtp.octets, 40000);
	assert_int_equal(sip_rtp_lost(&rtp), 0);
	assert_int_equal(rtp.disordered, 0);
	assert_int_equal(sip_rtp_jitter(&rtp), 0);
	assert_int_equal(rtp.cycles, 1 << 16);
	assert_int_equal(rtp.sources, 1);
}

static void
losses(void **state)
{
	(void)state;
	memset(&rtp, 0, sizeof(rtp));
	run(1, 100, 10);
	run(1, 115, 10); /* 110 to 114 are missing */
	assert_int_equal(sip_rtp_lost(&rtp), 5);
	run(1, 112, 1); /* late */
	assert_int_equal(sip_rtp_lost(&rtp), 4);
	assert_int_equal(rtp.disordered, 1);
	run(1, 124, 1); /* twice */
	assert_int_equal(sip_rtp_lost(&rtp), 3);
	assert_int_equal(rtp.disordered, 2);
	/* One far away is no loss; two in sequence are a sender that began anew. */
	run(1, 40000, 1);
	assert_int_equal(sip_rtp_lost(&rtp), 3);
	run(1, 40001, 5);
	assert_int_equal(sip_rtp_lost(&rtp), 3);
	run(1, 40007, 1);
	assert_int_equal(sip_rtp_lost(&rtp), 4);
	/* What one source has lost stays when another follows. */
	run(2, 7, 10);
	assert_int_equal(sip_rtp_lost(&rtp), 4);
	assert_int_equal(rtp.sources, 2);
	run(2, 18, 1);
	assert_int_equal(sip_rtp_lost(&rtp), 5);
}

/* Against numbers worked out by hand from J += (|D| - J) / 16. */
static void
jitter(void **state)
{
	double expected = 0;
	uint32_t arrival = 0;

	(void)state;
	memset(&rtp, 0, sizeof(rtp));
	for (unsigned int i = 0; i < 500; i++) {
		uint32_t late = i % 2 != 0 ? 80 : 0;

		arrival = 160 * i + late;
		seen(1, (uint16_t)i, 160 * i, arrival);
		if (i > 0)
			expected += (80 - expected) / 16;
	}
	assert_in_range(
		sip_rtp_jitter(&rtp), (unsigned long)expected - 1, (unsigned long)expected + 1);
	/* Both clocks wrap. */
	memset(&rtp, 0, sizeof(rtp));
	for (unsigned int i = 0; i < 100; i++)
		seen(1, (uint16_t)i, UINT32_MAX - 5000 + 160 * i, UINT32_MAX - 300 + 160 * i);
	assert_int_equal(sip_rtp_jitter(&rtp), 0);
}

static void
kinds(void **state)
{
	static const struct {
		uint8_t bytes[20];
		enum sip_rtp_kind kind;
		size_t n;
	} t[] = {
		{ { 0 }, SIP_RTP_OTHER, 0 },
		{ { 0x80 }, SIP_RTP_OTHER, 1 },
		{ { 0x00, 0x01 }, SIP_RTP_OTHER, 20 }, /* STUN */
		{ { 22, 0xfe }, SIP_RTP_OTHER, 13 },   /* DTLS */
		{ { 0x80, 200 }, SIP_RTP_CONTROL, 8 },
		{ { 0x81, 223 }, SIP_RTP_CONTROL, 8 },
		{ { 0x80, 0 }, SIP_RTP_MALFORMED, 11 },
		{ { 0x80, 0 }, SIP_RTP_DATA, 12 },
		{ { 0x82, 0 }, SIP_RTP_MALFORMED, 19 }, /* two CSRCs */
		{ { 0x82, 0 }, SIP_RTP_DATA, 20 },
		{ { 0x90, 0 }, SIP_RTP_MALFORMED, 15 }, /* an extension */
		{ { 0x90, 0 }, SIP_RTP_DATA, 16 },
		{ { 0x90, 0, [15] = 2 }, SIP_RTP_MALFORMED, 20 },
	};
	struct guard g = guard_new();

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		memset(&rtp, 0, sizeof(rtp));
		assert_int_equal(sip_rtp_seen(&rtp, guard_tail(&g, t[i].bytes, t[i].n), t[i].n, 0),
			t[i].kind);
		assert_int_equal(rtp.packets, t[i].kind == SIP_RTP_DATA);
	}
	guard_free(&g);
}

/* Losses at random: what is told is what was lost, but for the first packet and the ends. */
static void
random_losses(void **state)
{
	uint32_t x = 12345;
	int64_t lost = 0, since = 0;

	(void)state;
	memset(&rtp, 0, sizeof(rtp));
	run(1, 0, 2);
	for (unsigned int i = 2; i < 200000; i++) {
		x = x * 1664525 + 1013904223;
		if (x >> 16 & 7) {
			run(1, (uint16_t)i, 1);
			lost += since;
			since = 0;
		} else {
			since++;
		}
	}
	assert_int_equal(sip_rtp_lost(&rtp), lost);
	assert_true(lost > 20000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_and_wraps),
		cmocka_unit_test(losses),
		cmocka_unit_test(jitter),
		cmocka_unit_test(kinds),
		cmocka_unit_test(random_losses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
