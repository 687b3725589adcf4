#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "natbox.h"

#define FORWARD "nat:\n  forward:\n  - {"

static struct box box;

static void
mistakes_are_told_with_their_place(void **state)
{
	static const struct {
		const char *yaml, *told;
	} t[] = {
		{ "nat:\n  addresses: [192.0.2.1]\n",
			"t.yaml:2:15: 192.0.2.1 is not an address of the outside port; add" },
		{ "nat:\n  addresses: [10.0.0.1]\n", ":2:15: 10.0.0.1 is not an address of" },
		{ "nat:\n  addresses: ['2001:db8::1']\n", ":2:15: 2001:db8::1 is not an IPv4" },
		{ "nat:\n  addresses: [" EXT1 ", " EXT1 "]\n", ":2:29: " EXT1 " stands twice" },
		{ "nat:\n  inside: [fd00::/8]\n", ":2:12: inside takes IPv4 prefixes" },
		{ "nat:\n  ports: 0-10\n", ":2:10: ports is \"0-10\", but must be a range" },
		{ "nat:\n  mappings: 0\n", ":2:13: mappings is \"0\"" },
		{ "nat:\n  filtering: address\n", "must be one of endpoint address-port" },
		{ FORWARD "proto: tcp, outside: '" EXT1 ":80'}\n", "inside is missing here" },
		{ FORWARD "proto: icmp, outside: '1.1.1.1:80', inside: '1.1.1.1:1'}\n",
			"must be one of udp tcp" },
		{ FORWARD "proto: tcp, outside: '1.1.1.1:80', inside: '10.1.1.1:1'}\n",
			":3:27: 1.1.1.1 is not one of nat's external addresses" },
		{ FORWARD "proto: tcp, outside: '[fd00::1]:80', inside: '10.1.1.1:1'}\n",
			":3:27: outside must be an IPv4 address and port" },
		{ FORWARD "proto: tcp, outside: '" EXT1 ":80', inside: '[fd00::1]:1'}\n",
			"inside must be an IPv4 address and port" },
		{ FORWARD "proto: tcp, outside: '" EXT1 ":80', inside: '10.1.1.1:1'}\n"
			  "  - {proto: tcp, outside: '" EXT1 ":80', inside: '10.1.1.2:1'}\n",
			":3:27: tcp port " EXT1 ":80 is forwarded twice" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct nfv_err err = { "" };

		assert_int_equal(natbox_open(&box, t[i].yaml, &err), -EINVAL);
		if (strstr(err.text, t[i].told) == NULL)
			fail_msg("said \"%s\", not \"%s\"", err.text, t[i].told);
	}
}

static void
too_many_addresses(void **state)
{
	static struct nfv_addr a[NAT_ADDRESSES_MAX + 1];
	struct nat_conf conf = { .addresses = { a, NAT_ADDRESSES_MAX + 1 }, .mappings = 1 };
	struct nfv_stage_ctx ctx = { .conf = &conf };
	struct nat nat = { 0 };
	struct nfv_err err;

	(void)state;
	assert_int_equal(nat_init(&nat, &ctx, &err), -EINVAL);
	assert_non_null(strstr(err.text, "addresses has 257 items; at most 256 are taken"));
	nat_fini(&nat);
}

static void
outside_without_ip4(void **state)
{
	struct nat_conf conf = { .mappings = 1 };
	struct nfv_stage_ctx ctx = { .conf = &conf,
		.chain = "edge",
		.own = { [NFV_OUTWARD] = &natbox_outside[2], [NFV_INWARD] = natbox_inside },
		.n_own = { 1, 1 } };
	struct nat nat = { 0 };
	struct nfv_err err;

	(void)state;
	assert_int_equal(nat_init(&nat, &ctx, &err), -EINVAL);
	assert_non_null(strstr(err.text, "chain edge: nat needs an IPv4 address"));
	nat_fini(&nat);
}

static void
defaults(void **state)
{
	struct nfv_err err;
	struct nat *nat;

	(void)state;
	assert_int_equal(natbox_open(&box, "other: 1", &err), 0);
	nat = natbox_nat(&box);
	assert_int_equal(nat->filtering, NAT_FILTER_ENDPOINT);
	assert_int_equal(nat->n_inside, 0);
	assert_int_equal(nat->n_own, 3);
	assert_int_equal(nat->n_own_outside, 2);
	box_close(&box);
}

/* Each reason has a name, and the list ends. */
static void
drops_are_named(void **state)
{
	const struct nfv_stage_ops *ops = nfv_stage_find("nat");

	(void)state;
	assert_non_null(ops);
	assert_int_equal(ops->access, NFV_WRITES);
	for (int i = 0; i < NAT_DROPS; i++)
		assert_non_null(ops->drops[i]);
	assert_null(ops->drops[NAT_DROPS]);
	assert_string_equal(ops->drops[NAT_DROP_ICMP_UNRELATED], "icmp-unrelated");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_told_with_their_place),
		cmocka_unit_test(too_many_addresses),
		cmocka_unit_test(outside_without_ip4),
		cmocka_unit_test(defaults),
		cmocka_unit_test(drops_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
