#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "natbox.h"

#define HOST   "10.1.2.3"
#define HOST2  "10.1.2.4"
#define REMOTE "203.0.113.9"
#define OTHER  "203.0.113.77"

static struct box box;
static struct mk m;

static void
open_box(const char *yaml)
{
	struct nfv_err err;

	if (natbox_open(&box, yaml, &err) < 0)
		fail_msg("%s", err.text);
}

static int
close_box(void **state)
{
	(void)state;
	box_close(&box);
	return 0;
}

static uint32_t
be(const char *text)
{
	uint8_t a[16];
	uint32_t v;

	mk_addr(text, a);
	memcpy(&v, a, 4);
	return v;
}

static uint16_t
port_of(const struct nfv_pkt *p, bool dst)
{
	const uint8_t *l4 = nfv_pkt_l4(p);
	int at = p->proto == NFV_PROTO_ICMP ? 4 : dst ? 2 : 0;

	return (uint16_t)(l4[at] << 8 | l4[at + 1]);
}

/* Addresses and ports as said, and every checksum right. */
static void
looks(struct nfv_pkt *p, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	assert_int_equal(nfv_pkt_parse(p), NFV_PARSE_OK); /* the IP checksum, too */
	assert_true(nfv_csum_l4_ok(p));
	assert_int_equal(nfv_pkt_ip4(p)->be_src, be(src));
	assert_int_equal(nfv_pkt_ip4(p)->be_dst, be(dst));
	assert_int_equal(port_of(p, false), sport);
	assert_int_equal(port_of(p, true), dport);
}

static struct nfv_pkt
mk_l4(bool tcp, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	return tcp ? mk_tcp(&m, src, sport, dst, dport, NFV_TCP_SYN) :
		     mk_udp(&m, src, sport, dst, dport, "odd", 3);
}

static uint32_t
used(void)
{
	return nat_table_used(natbox_nat(&box)->table);
}

static void
conversation(void **state)
{
	(void)state;
	open_box("nat: {}");
	for (int tcp = 0; tcp < 2; tcp++) {
		for (int round = 0; round < 3; round++) {
			struct nfv_pkt p = mk_l4(tcp, HOST, 80, REMOTE, 443);
			uint16_t ext;

			assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_KEEP);
			ext = port_of(&p, false);
			assert_in_range(ext, 10000, 65535);
			looks(&p, EXT1, ext, REMOTE, 443);
			p = mk_l4(tcp, REMOTE, 443, EXT1, ext);
			assert_int_equal(box_send(&box, NFV_INWARD, &p), NFV_KEEP);
			looks(&p, REMOTE, 443, HOST, 80);
		}
		assert_int_equal(used(), tcp + 1);
	}
	box_end_all(&box);
	assert_int_equal(used(), 0);
}

static void
same_endpoint_for_every_destination(void **state)
{
	struct nfv_pkt p;
	uint16_t ext;

	(void)state;
	open_box("nat: {}");
	p = mk_udp(&m, HOST, 80, REMOTE, 1, "x", 1);
	box_send(&box, NFV_OUTWARD, &p);
	ext = port_of(&p, false);
	p = mk_udp(&m, HOST, 80, OTHER, 2, "x", 1);
	assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_KEEP);
	looks(&p, EXT1, ext, OTHER, 2);
	assert_int_equal(used(), 1);
	box_end(&box, &box.flow[0]);
	assert_int_equal(used(), 1); /* the other flow still holds it */
	p = mk_udp(&m, OTHER, 2, EXT1, ext, "x", 1);
	assert_int_equal(box_send(&box, NFV_INWARD, &p), NFV_KEEP);
	looks(&p, OTHER, 2, HOST, 80);
	box_end(&box, &box.flow[1]);
	assert_int_equal(used(), 0);
}

/* The second packet of a burst finds the slot as the first one left it, though it too is new. */
static void
new_flow_twice_in_a_burst(void **state)
{
	struct mk mem[2];
	struct nfv_pkt p[2];

	(void)state;
	open_box("nat: {}");
	p[0] = mk_udp(&mem[0], HOST, 20000, REMOTE, 1, "x", 1);
	p[1] = mk_udp(&mem[1], HOST, 20000, REMOTE, 1, "y", 1);
	box_burst(&box, NFV_OUTWARD, p, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(p[i].verdict, NFV_KEEP);
		looks(&p[i], EXT1, 20000, REMOTE, 1);
	}
	box_end_all(&box);
	assert_int_equal(used(), 0);
}

static void
echo(void **state)
{
	struct nfv_pkt p;
	uint16_t id;

	(void)state;
	open_box("nat: {}");
	p = mk_icmp(&m, HOST, REMOTE, NFV_ICMP_ECHO, 0, 0x00070001, "ping", 4);
	assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_KEEP);
	id = port_of(&p, false);
	assert_in_range(id, 10000, 65535);
	looks(&p, EXT1, id, REMOTE, id);
	p = mk_icmp(&m, REMOTE, EXT1, NFV_ICMP_ECHO_REPLY, 0, (uint32_t)id << 16 | 1, "ping", 4);
	assert_int_equal(box_send(&box, NFV_INWARD, &p), NFV_KEEP);
	looks(&p, REMOTE, 7, HOST, 7);
	/* A question with the mapped identifier is for the chain itself. */
	p = mk_icmp(&m, OTHER, EXT1, NFV_ICMP_ECHO, 0, (uint32_t)id << 16, NULL, 0);
	assert_int_equal(box_send(&box, NFV_INWARD, &p), NFV_KEEP);
	looks(&p, OTHER, id, EXT1, id);
	p = mk_icmp(&m, HOST, OTHER, NFV_ICMP_ECHO_REPLY, 0, 0x00090001, NULL, 0);
	assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_DROP(NAT_DROP_NO_STATE));
}

static void
udp_without_checksum(void **state)
{
	static const uint8_t l4[] = { 0x4e, 0x20, 0, 53, 0, 10, 0, 0, 'h', 'i' };
	struct nfv_pkt p;

	(void)state;
	open_box("nat: {}");
	p = mk_ip(&m, HOST, REMOTE, NFV_PROTO_UDP, l4, sizeof(l4));
	((struct nfv_udp *)nfv_pkt_l4(&p))->be_csum = 0;
	assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_KEEP);
	assert_int_equal(((struct nfv_udp *)nfv_pkt_l4(&p))->be_csum, 0);
	looks(&p, EXT1, 20000, REMOTE, 53);
}

/* Among 65536 payloads there is one whose translated checksum computes to 0: 0xffff is sent. */
static void
udp_checksum_never_becomes_zero(void **state)
{
	int ffff = 0;

	(void)state;
	open_box("nat: {}");
	for (uint32_t v = 0; v < 65536; v++) {
		uint16_t payload = (uint16_t)v;
		struct nfv_pkt p = mk_udp(&m, HOST, 20000, REMOTE, 53, &payload, 2);

		assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_KEEP);
		assert_int_not_equal(((struct nfv_udp *)nfv_pkt_l4(&p))->be_csum, 0);
		assert_true(nfv_csum_l4_ok(&p));
		ffff += ((struct nfv_udp *)nfv_pkt_l4(&p))->be_csum == 0xffff;
	}
	assert_in_range(ffff, 1, 2);
}

/* Increments carry an error along where a new sum would hide it. */
static void
wrong_checksum_stays_wrong(void **state)
{
	struct nfv_pkt p;

	(void)state;
	open_box("nat: {}");
	p = mk_udp(&m, HOST, 20000, REMOTE, 53, "hello", 5);
	p.data[p.len - 1] ^= 0x10;
	assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_KEEP);
	assert_false(nfv_csum_l4_ok(&p));
}

/* Each case: one packet into a fresh NAT with one flow HOST:20000 -> REMOTE:53, UDP. */
static void
strangers(void **state)
{
	static const struct {
		const char *yaml, *src, *dst;
		uint16_t sport, dport;
		bool full;
		uint8_t verdict;
		const char *becomes;
	} t[] = {
		{ "nat: {}", REMOTE, EXT1, 53, 20000, false, NFV_KEEP, HOST },
		{ "nat: {}", OTHER, EXT1, 53, 20000, false, NFV_KEEP, HOST },
		{ "nat: {}", OTHER, EXT1, 53, 20001, false, NFV_KEEP, EXT1 }, /* not mapped */
		{ "nat: {}", OTHER, EXT2, 53, 20000, false, NFV_KEEP, EXT2 },
		{ "nat: {}", OTHER, HOST, 53, 20000, false, NFV_KEEP, HOST }, /* routed */
		{ "nat: {}", OTHER, EXT1, 53, 20000, true, NFV_DROP(NAT_DROP_NO_STATE), NULL },
		{ "nat: {filtering: address-port}", REMOTE, EXT1, 53, 20000, false, NFV_KEEP,
			HOST },
		{ "nat: {filtering: address-port}", REMOTE, EXT1, 54, 20000, false,
			NFV_DROP(NAT_DROP_FILTERED), NULL },
		{ "nat: {filtering: address-port}", OTHER, EXT1, 53, 20000, false,
			NFV_DROP(NAT_DROP_FILTERED), NULL },
		/* Pretending to be the inside host. */
		{ "nat: {}", HOST, REMOTE, 20000, 53, false, NFV_DROP(NAT_DROP_MISMATCH), NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct nfv_pkt p;

		open_box(t[i].yaml);
		p = mk_udp(&m, HOST, 20000, REMOTE, 53, "x", 1);
		assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_KEEP);
		box.full = t[i].full;
		p = mk_udp(&m, t[i].src, t[i].sport, t[i].dst, t[i].dport, "x", 1);
		assert_int_equal(box_send(&box, NFV_INWARD, &p), t[i].verdict);
		if (t[i].becomes != NULL)
			looks(&p, t[i].src, t[i].sport, t[i].becomes, t[i].dport);
		box_close(&box);
	}
}

/* A flow begun by a stranger holds the mapping; answers leave by it. */
static void
flow_begun_outside(void **state)
{
	struct nfv_pkt p;
	uint16_t ext;

	(void)state;
	open_box("nat: {}");
	p = mk_udp(&m, HOST, 80, REMOTE, 53, "x", 1);
	box_send(&box, NFV_OUTWARD, &p);
	ext = port_of(&p, false);
	p = mk_udp(&m, OTHER, 99, EXT1, ext, "x", 1);
	assert_int_equal(box_send(&box, NFV_INWARD, &p), NFV_KEEP);
	looks(&p, OTHER, 99, HOST, 80);
	box_end(&box, &box.flow[0]); /* the one that made the mapping */
	for (int round = 0; round < 2; round++) {
		p = mk_udp(&m, HOST, 80, OTHER, 99, "x", 1);
		assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_KEEP);
		looks(&p, EXT1, ext, OTHER, 99);
		p = mk_udp(&m, OTHER, 99, EXT1, ext, "x", 1);
		assert_int_equal(box_send(&box, NFV_INWARD, &p), NFV_KEEP);
		looks(&p, OTHER, 99, HOST, 80);
	}
	assert_int_equal(used(), 1);
	box_end_all(&box);
	assert_int_equal(used(), 0);
}

static void
forwards(void **state)
{
	struct nfv_pkt p;

	(void)state;
	open_box("nat:\n  addresses: [" EXT1 ", " EXT2 "]\n  filtering: address-port\n  forward:\n"
		 "  - {proto: tcp, outside: '" EXT2 ":80', inside: '" HOST ":8080'}\n"
		 "  - {proto: tcp, outside: '" EXT1 ":81', inside: '" HOST ":8080'}\n");
	for (int round = 0; round < 2; round++) {
		p = mk_tcp(&m, REMOTE, 5555, EXT2, 80, NFV_TCP_SYN);
		assert_int_equal(box_send(&box, NFV_INWARD, &p), NFV_KEEP);
		looks(&p, REMOTE, 5555, HOST, 8080);
		p = mk_tcp(&m, HOST, 8080, REMOTE, 5555, NFV_TCP_SYN | NFV_TCP_ACK);
		assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_KEEP);
		looks(&p, EXT2, 80, REMOTE, 5555);
	}
	/* By the other door, at the same time: the answer goes out where the question came in. */
	p = mk_tcp(&m, REMOTE, 5556, EXT1, 81, NFV_TCP_SYN);
	assert_int_equal(box_send(&box, NFV_INWARD, &p), NFV_KEEP);
	looks(&p, REMOTE, 5556, HOST, 8080);
	p = mk_tcp(&m, HOST, 8080, REMOTE, 5556, NFV_TCP_SYN | NFV_TCP_ACK);
	assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_KEEP);
	looks(&p, EXT1, 81, REMOTE, 5556);
	/* Of its own accord it leaves by the first. */
	p = mk_tcp(&m, HOST, 8080, OTHER, 1, NFV_TCP_SYN);
	assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_KEEP);
	looks(&p, EXT2, 80, OTHER, 1);
	p = mk_udp(&m, REMOTE, 5555, EXT2, 80, "x", 1); /* another protocol */
	assert_int_equal(box_send(&box, NFV_INWARD, &p), NFV_KEEP);
	looks(&p, REMOTE, 5555, EXT2, 80);
	box_end_all(&box);
	assert_int_equal(used(), 2);
}

/* Outward packets that are not translated, or not let out. */
static void
who_is_translated(void **state)
{
	static const struct {
		const char *yaml, *src, *dst, *becomes; /* NULL: dropped */
	} t[] = {
		{ "nat: {}", HOST, REMOTE, EXT1 },
		{ "nat: {}", "192.0.2.1", REMOTE, EXT1 },
		{ "nat: {}", "10.0.0.1", REMOTE, "10.0.0.1" }, /* own, inside */
		{ "nat: {}", EXT2, REMOTE, EXT2 },             /* own, outside */
		{ "nat: {}", HOST, EXT1, EXT1 },               /* to a service of the chain's own */
		{ "nat: {}", HOST, "10.0.0.1", EXT1 },
		{ "nat: {inside: [10.1.0.0/16]}", HOST, REMOTE, EXT1 },
		{ "nat: {inside: [10.2.0.0/16, 10.1.2.3]}", HOST, REMOTE, EXT1 },
		{ "nat: {inside: [10.2.0.0/16]}", HOST, REMOTE, HOST },
		{ "nat: {inside: [0.0.0.0/0]}", HOST, REMOTE, EXT1 },
		{ "nat: {inside: [0.0.0.0/0]}", EXT1, REMOTE, EXT1 },
		{ "nat: {addresses: [" EXT2 "]}", HOST, REMOTE, EXT2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct nfv_pkt p = mk_udp(&m, t[i].src, 20000, t[i].dst, 5060, "x", 1);

		open_box(t[i].yaml);
		assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_KEEP);
		looks(&p, t[i].becomes, 20000, t[i].dst, 5060);
		p = mk_udp(&m, t[i].dst, 5060, t[i].becomes, 20000, "x", 1);
		assert_int_equal(box_send(&box, NFV_INWARD, &p), NFV_KEEP);
		looks(&p, t[i].dst, 5060, t[i].src, 20000);
		box_close(&box);
	}
}

/* What came in routed is answered with the address that was asked. */
static void
routed_flow_stays_untranslated(void **state)
{
	struct nfv_pkt p;

	(void)state;
	open_box("nat: {}");
	for (int i = 0; i < 2; i++) {
		p = mk_udp(&m, EXT1, 5060, HOST, 5060, "x", 1);
		assert_int_equal(box_send(&box, NFV_INWARD, &p), NFV_KEEP);
		looks(&p, EXT1, 5060, HOST, 5060);
		p = mk_udp(&m, HOST, 5060, EXT1, 5060, "x", 1);
		assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_KEEP);
		looks(&p, HOST, 5060, EXT1, 5060);
	}
	assert_int_equal(used(), 0);
}

static void
nothing_private_leaks(void **state)
{
	struct nfv_pkt p;

	(void)state;
	open_box("nat: {}");
	p = mk_ip(&m, HOST, REMOTE, 47, "gre gre", 8);
	assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_DROP(NAT_DROP_PROTOCOL));
	p = mk_ip(&m, HOST, REMOTE, NFV_PROTO_SCTP, "sctp sctp sc", 12);
	assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_DROP(NAT_DROP_PROTOCOL));
	p = mk_icmp(&m, HOST, REMOTE, 13, 0, 1, "timestamps  ", 12);
	assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_DROP(NAT_DROP_PROTOCOL));
	p = mk_ip(&m, "10.0.0.1", REMOTE, 47, "gre gre", 8); /* own: as it is */
	assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_KEEP);
	p = mk_ip(&m, REMOTE, EXT1, 47, "gre gre", 8);
	assert_int_equal(box_send(&box, NFV_INWARD, &p), NFV_KEEP);
	box.full = true;
	for (int tcp = 0; tcp < 2; tcp++) {
		p = mk_l4(tcp, HOST, 20000, REMOTE, 53);
		assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_DROP(NAT_DROP_NO_STATE));
	}
	p = mk_icmp(&m, HOST, REMOTE, NFV_ICMP_ECHO, 0, 1, NULL, 0);
	assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_DROP(NAT_DROP_NO_STATE));
	assert_int_equal(used(), 0);
}

static void
refusals_leave_others_alone(void **state)
{
	static const struct {
		const char *yaml;
		uint8_t verdict;
	} t[] = {
		{ "nat: {ports: 20000-20000}", NFV_DROP(NAT_DROP_NO_PORT) },
		{ "nat: {mappings: 1}", NFV_DROP(NAT_DROP_TABLE_FULL) },
		{ "nat: {ports-per-host: 1}", NFV_DROP(NAT_DROP_HOST_LIMIT) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct nfv_pkt p = mk_udp(&m, HOST, 20000, REMOTE, 1, "x", 1);

		open_box(t[i].yaml);
		assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_KEEP);
		p = mk_udp(&m, HOST, 20001, REMOTE, 1, "x", 1);
		assert_int_equal(box_send(&box, NFV_OUTWARD, &p), t[i].verdict);
		looks(&p, HOST, 20001, REMOTE, 1);
		p = mk_udp(&m, REMOTE, 1, EXT1, 20000, "x", 1);
		assert_int_equal(box_send(&box, NFV_INWARD, &p), NFV_KEEP);
		looks(&p, REMOTE, 1, HOST, 20000);
		box_end_all(&box); /* the refused one's record is gone and took nothing along */
		assert_int_equal(used(), 0);
		p = mk_udp(&m, HOST, 20001, REMOTE, 1, "x", 1);
		assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_KEEP);
		box_close(&box);
	}
}

static void
hairpin_is_counted(void **state)
{
	struct nfv_pkt p;

	(void)state;
	open_box("nat: {}");
	p = mk_udp(&m, HOST, 20000, REMOTE, 1, "x", 1);
	box_send(&box, NFV_OUTWARD, &p);
	p = mk_udp(&m, HOST2, 20001, EXT1, 20000, "x", 1);
	assert_int_equal(box_send(&box, NFV_OUTWARD, &p), NFV_DROP(NAT_DROP_HAIRPIN));
	assert_int_equal(used(), 1);
}

static void
ip6_passes(void **state)
{
	struct nfv_pkt p, before;
	struct mk copy;

	(void)state;
	open_box("nat: {}");
	for (int dir = 0; dir < 2; dir++) {
		p = before = mk_udp(&m, "fd00::1", 1, "2001:db8::1", 20000, "x", 1);
		copy = m;
		assert_int_equal(box_send(&box, (enum nfv_dir)dir, &p), NFV_KEEP);
		assert_memory_equal(&copy, &m, sizeof(m));
		assert_int_equal(p.len, before.len);
	}
}

static void
shows_itself(void **state)
{
	struct nfv_pkt p;
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	open_box("nat: {}");
	p = mk_udp(&m, HOST, 20000, REMOTE, 1, "x", 1);
	box_send(&box, NFV_OUTWARD, &p);
	box.ops->show(box.state, to);
	fclose(to);
	assert_non_null(strstr(text, "udp  " HOST ":20000 -> " EXT1 ":20000, flows 1\n"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(conversation, close_box),
		cmocka_unit_test_teardown(same_endpoint_for_every_destination, close_box),
		cmocka_unit_test_teardown(new_flow_twice_in_a_burst, close_box),
		cmocka_unit_test_teardown(echo, close_box),
		cmocka_unit_test_teardown(udp_without_checksum, close_box),
		cmocka_unit_test_teardown(udp_checksum_never_becomes_zero, close_box),
		cmocka_unit_test_teardown(wrong_checksum_stays_wrong, close_box),
		cmocka_unit_test_teardown(strangers, close_box),
		cmocka_unit_test_teardown(flow_begun_outside, close_box),
		cmocka_unit_test_teardown(forwards, close_box),
		cmocka_unit_test_teardown(who_is_translated, close_box),
		cmocka_unit_test_teardown(routed_flow_stays_untranslated, close_box),
		cmocka_unit_test_teardown(nothing_private_leaks, close_box),
		cmocka_unit_test_teardown(refusals_leave_others_alone, close_box),
		cmocka_unit_test_teardown(hairpin_is_counted, close_box),
		cmocka_unit_test_teardown(ip6_passes, close_box),
		cmocka_unit_test_teardown(shows_itself, close_box),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
