#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "guard.h"
#include "mkpkt.h"
#include "reject.h"

static struct nfv_pkt
parsed(struct nfv_pkt p)
{
	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
	return p;
}

/* What is written must parse, with right checksums, from `src` to `dst`. */
static void
assert_sound(struct nfv_pkt *to, const char *src, const char *dst)
{
	uint8_t s[16], d[16];
	bool ip4 = strchr(src, ':') == NULL;

	((struct nfv_eth *)to->data)->be_type = htobe16(ip4 ? NFV_ETH_IP4 : NFV_ETH_IP6);
	assert_int_equal(nfv_pkt_parse(to), NFV_PARSE_OK);
	assert_true(nfv_csum_l4_ok(to));
	mk_addr(src, s);
	mk_addr(dst, d);
	assert_memory_equal(
		ip4 ? (void *)&nfv_pkt_ip4(to)->be_src : nfv_pkt_ip6(to)->src, s, ip4 ? 4 : 16);
	assert_memory_equal(
		ip4 ? (void *)&nfv_pkt_ip4(to)->be_dst : nfv_pkt_ip6(to)->dst, d, ip4 ? 4 : 16);
}

static void
resets(void **state)
{
	static const struct {
		uint8_t flags;
		unsigned int data;
		uint8_t reset;
		uint32_t seq, ack;
	} t[] = {
		{ NFV_TCP_SYN, 0, NFV_TCP_RST | NFV_TCP_ACK, 0, 0 },
		{ NFV_TCP_SYN, 10, NFV_TCP_RST | NFV_TCP_ACK, 0, 10 },
		{ NFV_TCP_SYN | NFV_TCP_FIN, 1, NFV_TCP_RST | NFV_TCP_ACK, 0, 2 },
		{ 0, 7, NFV_TCP_RST | NFV_TCP_ACK, 0, 6 },
		{ NFV_TCP_ACK, 7, NFV_TCP_RST, 0x12345678, 0 },
		{ NFV_TCP_SYN | NFV_TCP_ACK, 0, NFV_TCP_RST, 0x12345678, 0 },
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(t) / sizeof(t[0]); i++) {
		bool ip6 = i & 1;
		const char *src = ip6 ? "fd00::1" : "198.51.100.1",
			   *dst = ip6 ? "fd00::2" : "10.0.0.2";
		uint8_t l4[NFV_TCP_LEN + 4 + 16] = { 0 };
		/* With one word of options; the sequence number wraps. */
		struct nfv_tcp syn = { htobe16(1000), htobe16(80), UINT32_MAX, htobe32(0x12345678),
			6 << 4, t[i / 2].flags, 0, 0, 0 },
			       rst;
		struct nfv_addr own = { .family = 0 };
		struct mk m, a;
		struct nfv_pkt p, to = mk_empty(&a);

		memcpy(l4, &syn, sizeof(syn));
		p = parsed(mk_ip(&m, src, dst, NFV_PROTO_TCP, l4, NFV_TCP_LEN + 4 + t[i / 2].data));
		assert_true(fw_may_answer(&p));
		assert_true(fw_answer(&p, &own, &to));
		assert_sound(&to, dst, src);
		assert_int_equal(to.proto, NFV_PROTO_TCP);
		assert_int_equal(nfv_pkt_l4_len(&to), NFV_TCP_LEN);
		memcpy(&rst, nfv_pkt_l4(&to), sizeof(rst));
		assert_int_equal(be16toh(rst.be_sport), 80);
		assert_int_equal(be16toh(rst.be_dport), 1000);
		assert_int_equal(rst.flags, t[i / 2].reset);
		assert_int_equal(be32toh(rst.be_seq), t[i / 2].seq);
		assert_int_equal(be32toh(rst.be_ack), t[i / 2].ack);
	}
}

static void
prohibitions(void **state)
{
	static const struct {
		const char *src, *dst, *own;
		size_t data, quoted;
		uint8_t type, code;
	} t[] = {
		{ "198.51.100.1", "10.0.0.2", "192.0.2.1", 5, 20 + 8 + 5, 3, 13 },
		{ "198.51.100.1", "10.0.0.2", NULL, 5, 20 + 8 + 5, 3, 13 },
		{ "198.51.100.1", "10.0.0.2", "192.0.2.1", 1400, 576 - 28, 3, 13 },
		{ "fd00::1", "fd00::2", "fd00::3", 5, 40 + 8 + 5, 1, 1 },
		{ "fd00::1", "fd00::2", NULL, 1400, 1280 - 48, 1, 1 },
		{ "fd00::1", "fd00::2", "192.0.2.1", 0, 40 + 8, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint8_t data[1400] = { 1, 2, 3 };
		struct nfv_addr own = { .family = 0 };
		struct nfv_icmp *icmp;
		struct mk m, a;
		struct nfv_pkt p, to = mk_empty(&a);
		const char *from = t[i].dst;

		if (t[i].own != NULL)
			assert_int_equal(nfv_addr_parse(nfv_sv_str(t[i].own), &own), 0);
		p = parsed(mk_udp(&m, t[i].src, 1, t[i].dst, 2, data, t[i].data));
		if (own.family == p.family)
			from = t[i].own;
		assert_true(fw_may_answer(&p));
		assert_true(fw_answer(&p, &own, &to));
		assert_sound(&to, from, t[i].src);
		icmp = nfv_pkt_l4(&to);
		assert_int_equal(to.proto, p.family == 4 ? NFV_PROTO_ICMP : NFV_PROTO_ICMP6);
		assert_int_equal(icmp->type, t[i].type);
		assert_int_equal(icmp->code, t[i].code);
		assert_int_equal(icmp->be_rest, 0);
		assert_int_equal(nfv_pkt_l4_len(&to), NFV_ICMP_LEN + t[i].quoted);
		assert_memory_equal(icmp + 1, p.data + p.l3, t[i].quoted);
		/* Nothing that is not there gets quoted. */
		to = mk_empty(&a);
		to.tailroom = (uint16_t)(NFV_IP4_LEN + NFV_ICMP_LEN + t[i].quoted - 1);
		assert_false(fw_answer(&p, &own, &to));
	}
}

static void
some_things_are_never_answered(void **state)
{
	struct mk m;
	struct nfv_pkt p;

	(void)state;
	p = parsed(mk_tcp(&m, "10.0.0.1", 1, "10.0.0.2", 2, NFV_TCP_RST | NFV_TCP_ACK));
	assert_false(fw_may_answer(&p));
	p = parsed(mk_tcp(&m, "10.0.0.1", 1, "10.0.0.2", 2, NFV_TCP_SYN));
	((struct nfv_tcp *)nfv_pkt_l4(&p))->be_window ^= 1; /* the checksum is wrong now */
	assert_false(fw_may_answer(&p));
	p = parsed(mk_udp(&m, "10.0.0.1", 1, "224.0.0.5", 2, "x", 1));
	assert_false(fw_may_answer(&p));
	p = parsed(mk_udp(&m, "10.0.0.1", 1, "255.255.255.255", 2, "x", 1));
	assert_false(fw_may_answer(&p));
	p = parsed(mk_udp(&m, "fd00::1", 1, "ff02::1", 2, "x", 1));
	assert_false(fw_may_answer(&p));
	p = parsed(mk_udp(&m, "::", 1, "fd00::1", 2, "x", 1));
	assert_false(fw_may_answer(&p));
	p = parsed(mk_udp(&m, "10.0.0.1", 1, "10.0.0.2", 2, "x", 1));
	assert_true(fw_may_answer(&p));
	p.flags |= NFV_PKT_OWN;
	assert_false(fw_may_answer(&p));
	p.flags = 0;
	p.data[0] |= 1; /* to a multicast MAC address */
	assert_false(fw_may_answer(&p));
	for (unsigned int type = 0; type < 256; type++) {
		bool error4 = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;

		p = parsed(mk_icmp(&m, "10.0.0.1", "10.0.0.2", (uint8_t)type, 0, 0, "x", 1));
		if (error4 || type == 0)
			assert_false(fw_may_answer(&p));
		if (type == 8)
			assert_true(fw_may_answer(&p));
		p = parsed(mk_icmp(&m, "fd00::1", "fd00::2", (uint8_t)type, 0, 0, "x", 1));
		if (type < 128)
			assert_false(fw_may_answer(&p));
		if (type == 128)
			assert_true(fw_may_answer(&p));
	}
}

static void
buckets(void **state)
{
	struct fw_bucket b = fw_bucket(100, 1000); /* ten ticks a token, ten at once */
	unsigned int got = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		got += fw_bucket_take(&b, 0);
	assert_int_equal(got, 10);
	assert_false(fw_bucket_take(&b, 9));
	assert_true(fw_bucket_take(&b, 10));
	assert_false(fw_bucket_take(&b, 10));
	for (uint64_t t = 11; t < 1011; t++)
		got += fw_bucket_take(&b, t);
	assert_int_equal(got, 10 + 100);
	b = fw_bucket(100, 1000); /* idle for long, it holds no more than it can */
	for (int i = 0; i < 100; i++)
		got += fw_bucket_take(&b, UINT64_MAX / 2);
	assert_int_equal(got, 110 + 10);
	b = fw_bucket(0, 1000);
	assert_false(fw_bucket_take(&b, 1000000));
	b = fw_bucket(1, 1000); /* less than one in a tenth of a second is still one */
	assert_true(fw_bucket_take(&b, 0));
	assert_false(fw_bucket_take(&b, 999));
	assert_true(fw_bucket_take(&b, 1000));
	b = fw_bucket(UINT32_MAX, 1000);
	assert_true(fw_bucket_take(&b, 0));
}

/* Every length of a packet, ending at a page without access. */
static void
no_byte_is_read_past_the_end(void **state)
{
	struct nfv_addr own = { .family = 0 };
	struct guard g = guard_new();

	(void)state;
	for (size_t n = 0; n < 700; n++) {
		uint8_t l4[NFV_TCP_LEN + 700] = { [12] = 5 << 4, [13] = NFV_TCP_SYN };
		uint8_t protos[] = { NFV_PROTO_TCP, NFV_PROTO_UDP, NFV_PROTO_ICMP, 47 };
		struct mk m, a;

		for (size_t i = 0; i < sizeof(protos); i++) {
			struct nfv_pkt p = mk_ip(&m, "10.0.0.1", "10.0.0.2", protos[i], l4, n);
			struct nfv_pkt to = mk_empty(&a);

			p.data = guard_tail(&g, p.data, p.len);
			if (nfv_pkt_parse(&p) == NFV_PARSE_OK && fw_may_answer(&p))
				assert_true(fw_answer(&p, &own, &to));
		}
	}
	guard_free(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resets),
		cmocka_unit_test(prohibitions),
		cmocka_unit_test(some_things_are_never_answered),
		cmocka_unit_test(buckets),
		cmocka_unit_test(no_byte_is_read_past_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
