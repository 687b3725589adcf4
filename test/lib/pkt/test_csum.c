#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mkpkt.h"

/* RFC 1071 §3: 00 01 f2 03 f4 f5 f6 f7 sums to ddf2. */
static void
rfc1071_example(void **state)
{
	const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	(void)state;
	assert_int_equal(be16toh(nfv_csum_fold(nfv_csum_add(0, bytes, sizeof(bytes)))), 0xddf2);
}

/* RFC 1624 §4: a checksum of dd2f, field 5555 becomes 3285: the checksum becomes 0000. */
static void
rfc1624_example(void **state)
{
	uint32_t delta = nfv_csum_delta16(htobe16(0x5555), htobe16(0x3285));

	(void)state;
	assert_int_equal(nfv_csum_update(htobe16(0xdd2f), delta), 0);
}

static void
incremental_equals_recomputed(void **state)
{
	uint32_t seed = 1;
	struct mk m;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct nfv_pkt p = mk_udp(&m, "10.0.0.1", 1, "10.0.0.2", 2, "payload", 7);
		struct nfv_ip4 *ip = nfv_pkt_ip4(&p);
		struct nfv_udp *udp = nfv_pkt_l4(&p);
		uint32_t to, delta;
		uint16_t port;

		seed = seed * 1664525u + 1013904223u;
		to = round % 7 == 0 ? 0 : seed;
		port = (uint16_t)(seed >> 7);
		delta = nfv_csum_delta32(ip->be_src, to);
		ip->be_src = to;
		ip->be_csum = nfv_csum_update(ip->be_csum, delta);
		assert_int_equal(nfv_csum(ip, NFV_IP4_LEN), 0);
		delta += nfv_csum_delta16(udp->be_sport, port);
		udp->be_sport = port;
		udp->be_csum = nfv_csum_update_udp(udp->be_csum, delta);
		assert_int_not_equal(udp->be_csum, 0);
		assert_true(nfv_csum_l4_ok(&p));
	}
}

static void
every_protocol_verifies(void **state)
{
	struct nfv_pkt p[4];
	struct mk m[4];

	(void)state;
	p[0] = mk_udp(&m[0], "fd00::1", 1, "fd00::2", 2, "odd", 3);
	p[1] = mk_tcp(&m[1], "10.0.0.1", 1, "10.0.0.2", 2, NFV_TCP_SYN);
	p[2] = mk_icmp(&m[2], "10.0.0.1", "10.0.0.2", NFV_ICMP_ECHO, 0, 1, "x", 1);
	p[3] = mk_icmp(&m[3], "fd00::1", "fd00::2", NFV_ICMP6_ECHO, 0, 1, "x", 1);
	for (int i = 0; i < 4; i++) {
		assert_true(nfv_csum_l4_ok(&p[i]));
		p[i].data[p[i].len - 1] ^= 0x10;
		assert_false(nfv_csum_l4_ok(&p[i]));
	}
}

static void
udp_without_checksum_is_fine_over_ip4_only(void **state)
{
	struct mk m;
	struct nfv_pkt p = mk_udp(&m, "10.0.0.1", 1, "10.0.0.2", 2, "x", 1);

	(void)state;
	((struct nfv_udp *)nfv_pkt_l4(&p))->be_csum = 0;
	assert_true(nfv_csum_l4_ok(&p));
	assert_int_equal(nfv_csum_update_udp(0, 1234), 0);
	p = mk_udp(&m, "fd00::1", 1, "fd00::2", 2, "x", 1);
	((struct nfv_udp *)nfv_pkt_l4(&p))->be_csum = 0;
	assert_false(nfv_csum_l4_ok(&p));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc1071_example),
		cmocka_unit_test(rfc1624_example),
		cmocka_unit_test(incremental_equals_recomputed),
		cmocka_unit_test(every_protocol_verifies),
		cmocka_unit_test(udp_without_checksum_is_fine_over_ip4_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
