/* A NAT's flows in another NAT: the same endpoints, the same packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nat_carry.h"
#include "natbox.h"

#define HOST   "10.1.2.3"
#define REMOTE "203.0.113.9"

static struct box old, new;
static struct mk m;

static void
open_box(struct box *b, const char *yaml)
{
	struct nfv_err err;

	if (natbox_open(b, yaml, &err) < 0)
		fail_msg("%s", err.text);
}

static void
open_both(const char *yaml, const char *other)
{
	open_box(&old, yaml);
	open_box(&new, other);
}

static int
close_both(void **state)
{
	(void)state;
	box_close(&old);
	box_close(&new);
	return 0;
}

/* All flows; how many were not taken. */
static int
carry(void)
{
	uint8_t bytes[NFV_CARRY_MAX];
	int refused = 0;

	for (int i = 0; i < BOX_FLOWS; i++) {
		size_t n;

		if (!old.flow[i].used)
			continue;
		n = nat_export_flow(old.state, old.flow[i].slot, bytes, sizeof(bytes));
		new.flow[i] = old.flow[i];
		memset(new.flow[i].slot, 0, sizeof(new.flow[i].slot));
		refused += nat_import_flow(new.state, 1, bytes, n, new.flow[i].slot) < 0;
	}
	return refused;
}

static uint32_t
used(struct box *b)
{
	return nat_table_used(natbox_nat(b)->table);
}

static void
sessions_go_on(void **state)
{
	enum { N = 100 };
	uint16_t ext[N];
	struct nfv_pkt p;

	(void)state;
	open_both("nat: {ports: 10000-10200}", "nat: {ports: 10000-10200}");
	for (int i = 0; i < N; i++) {
		/* All from port 80, so that each gets another. */
		char host[16];

		snprintf(host, sizeof(host), "10.1.2.%d", i + 1);
		p = mk_udp(&m, host, 80, REMOTE, 53, "x", 1);
		assert_int_equal(box_send(&old, NFV_OUTWARD, &p), NFV_KEEP);
		memcpy(&ext[i], nfv_pkt_l4(&p), 2);
	}
	assert_int_equal(carry(), 0);
	assert_int_equal(used(&new), used(&old));
	for (int i = 0; i < N; i++) {
		uint8_t host[4] = { 10, 1, 2, (uint8_t)(i + 1) };
		struct nfv_udp *u;

		p = mk_udp(&m, REMOTE, 53, EXT1, be16toh(ext[i]), "y", 1);
		nfv_pkt_ip4(&p)->be_dst = natbox_nat(&old)->be_own[0];
		if (box_send(&new, NFV_INWARD, &p) != NFV_KEEP ||
			memcmp(&nfv_pkt_ip4(&p)->be_dst, host, 4) != 0) {
			/* Of the other external address. */
			p = mk_udp(&m, REMOTE, 53, EXT2, be16toh(ext[i]), "y", 1);
			assert_int_equal(box_send(&new, NFV_INWARD, &p), NFV_KEEP);
		}
		assert_memory_equal(&nfv_pkt_ip4(&p)->be_dst, host, 4);
		assert_true(nfv_csum_l4_ok(&p));
		u = nfv_pkt_l4(&p);
		assert_int_equal(u->be_dport, htobe16(80));
	}
	box_end_all(&new);
	assert_int_equal(used(&new), 0);
	box_end_all(&old);
}

/* Several flows of one mapping, and those that are not translated at all. */
static void
mappings_are_held_by_each_flow(void **state)
{
	struct nfv_pkt p;

	(void)state;
	open_both("nat: {inside: [10.1.0.0/16]}", "nat: {inside: [10.1.0.0/16]}");
	p = mk_udp(&m, HOST, 80, REMOTE, 1, "x", 1);
	box_send(&old, NFV_OUTWARD, &p);
	p = mk_udp(&m, HOST, 80, REMOTE, 2, "x", 1);
	box_send(&old, NFV_OUTWARD, &p);
	p = mk_udp(&m, "10.2.2.2", 80, REMOTE, 2, "x", 1);
	box_send(&old, NFV_OUTWARD, &p);
	assert_int_equal(carry(), 0);
	assert_int_equal(used(&new), 1);
	box_end(&new, &new.flow[0]);
	assert_int_equal(used(&new), 1);
	box_end_all(&new);
	assert_int_equal(used(&new), 0);
	box_end_all(&old);
}

static void
static_ones_stand_in_the_configuration(void **state)
{
	static const char yaml[] = "nat: {forward: [{proto: udp, outside: \"" EXT1
				   ":5060\", inside: \"" HOST ":5060\"}]}";
	struct nfv_pkt p;

	(void)state;
	open_both(yaml, yaml);
	p = mk_udp(&m, REMOTE, 9, EXT1, 5060, "x", 1);
	assert_int_equal(box_send(&old, NFV_INWARD, &p), NFV_KEEP);
	assert_int_equal(carry(), 0);
	assert_int_equal(used(&new), 1);
	box_end_all(&new);
	assert_int_equal(used(&new), 1);
	close_both(NULL);
	/* Where it stands there no more, its flows end. */
	open_both(yaml, "nat: {}");
	p = mk_udp(&m, REMOTE, 9, EXT1, 5060, "x", 1);
	assert_int_equal(box_send(&old, NFV_INWARD, &p), NFV_KEEP);
	assert_int_equal(carry(), 1);
}

static void
what_cannot_be_is_refused(void **state)
{
	struct nat_carried c = { .be_in_addr = htobe32(0x0a010203), .be_in_port = htobe16(1000) };
	struct nat_slot slot = { .mapping = 0 };
	struct nat *nat;

	(void)state;
	open_both("nat: {}", "nat: {mappings: 2}");
	nat = natbox_nat(&new);
	c.be_ext_addr = nat->be_own[0];
	c.be_ext_port = htobe16(20000);
	assert_int_equal(nat_import_flow(nat, 1, &c, sizeof(c) - 1, &slot), -EINVAL);
	c.proto = NAT_PROTOS;
	assert_int_equal(nat_import_flow(nat, 1, &c, sizeof(c), &slot), -EINVAL);
	c.proto = NAT_UDP;
	c.be_ext_port = htobe16(80); /* not one of its ports */
	assert_int_equal(nat_import_flow(nat, 1, &c, sizeof(c), &slot), -EADDRNOTAVAIL);
	c.be_ext_port = htobe16(20000);
	c.be_ext_addr++;
	assert_int_equal(nat_import_flow(nat, 1, &c, sizeof(c), &slot), -EADDRNOTAVAIL);
	c.be_ext_addr--;
	assert_int_equal(nat_import_flow(nat, 1, &c, sizeof(c), &slot), 0);
	assert_true(slot.mapping != 0);
	c.be_in_port = htobe16(1001); /* the external endpoint is another's */
	assert_int_equal(nat_import_flow(nat, 1, &c, sizeof(c), &slot), -EADDRNOTAVAIL);
	c.be_ext_port = htobe16(20001);
	assert_int_equal(nat_import_flow(nat, 1, &c, sizeof(c), &slot), 0);
	c.be_in_port = htobe16(1002); /* one too many */
	c.be_ext_port = htobe16(20002);
	assert_int_equal(nat_import_flow(nat, 1, &c, sizeof(c), &slot), -EADDRNOTAVAIL);
	assert_int_equal(nat_import(nat, 1, "x", 1), -EINVAL);
}

static void
it_tests_itself(void **state)
{
	struct nfv_err err = { "" };

	(void)state;
	open_both("nat: {}", "nat: {mappings: 1, ports: 10000-10000}");
	assert_int_equal(nat_selftest(old.state, &err), 0);
	assert_int_equal(nat_selftest(new.state, &err), 0);
	assert_int_equal(used(&new), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(sessions_go_on, close_both),
		cmocka_unit_test_teardown(mappings_are_held_by_each_flow, close_both),
		cmocka_unit_test_teardown(static_ones_stand_in_the_configuration, close_both),
		cmocka_unit_test_teardown(what_cannot_be_is_refused, close_both),
		cmocka_unit_test_teardown(it_tests_itself, close_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
