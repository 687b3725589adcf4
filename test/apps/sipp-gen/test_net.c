/* Two hosts joined by rings in memory: datagrams of every length, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_cycles.h>

#include "eal.h"
#include "net.h"

static struct net *net[2];
static struct nfv_endpoint at[2][2]; /* by family and side */
static char text[NET_PAYLOAD_MAX];
static struct {
	unsigned int n, wrong;
	size_t len;
} got;

static void
count(void *ctx, const struct net_datagram *d)
{
	const struct nfv_endpoint *from = ctx;

	got.n++;
	got.len = d->payload.n;
	got.wrong += d->payload.n > sizeof(text) || memcmp(d->payload.p, text, d->payload.n) != 0;
	got.wrong += from != NULL && !nfv_addr_eq(&d->from.addr, &from->addr);
}

static int
open_both(void **state)
{
	static const char *const addr[2][2] = { { "10.0.0.1/24", "10.0.0.2/24" },
		{ "fd00::1/64", "fd00::2/64" } };
	static const char *const device[2] = { "pair:net:a", "pair:net:b" };
	int rc = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7 + i / 253);
	for (int side = 0; side < 2; side++) {
		struct net_conf c = { .device = device[side],
			.n_addr = 2,
			.mtu = 1500,
			.descriptors = 256,
			.buffers = 4095,
			.socket = -1,
			.tsc_hz = rte_get_tsc_hz() };
		struct nfv_err err = { "" };

		for (int f = 0; f < 2; f++) {
			assert_int_equal(
				nfv_prefix_parse(nfv_sv_str(addr[f][side]), &c.addr[f]), 0);
			at[f][side] = (struct nfv_endpoint){ c.addr[f].addr, 5060 };
		}
		if (net_create(&c, &net[side], &err) < 0)
			fail_msg("%s", err.text);
	}
	while (rc != 0) {
		rc = 0;
		for (int side = 0; side < 2; side++)
			for (int f = 0; f < 2; f++)
				rc |= net_reach(net[side], &at[f][!side].addr, rte_rdtsc());
		for (int side = 0; side < 2; side++)
			net_poll(net[side], rte_rdtsc(), count, NULL);
	}
	memset(&got, 0, sizeof(got));
	return 0;
}

static int
close_both(void **state)
{
	(void)state;
	net_destroy(net[0]);
	net_destroy(net[1]);
	return 0;
}

static void
put(int side, int f, size_t len)
{
	char *room = net_begin(net[side], f == 0 ? NFV_IPV4 : NFV_IPV6, len);

	assert_non_null(room);
	memcpy(room, text, len);
	net_commit(net[side], len, 5060, &at[f][!side]);
}

static void
take(int side, int f)
{
	net_flush(net[!side], rte_rdtsc());
	for (int i = 0; i < 20; i++)
		net_poll(net[side], rte_rdtsc(), count, &at[f][!side]);
}

static void
every_length_arrives(void **state)
{
	static const size_t lengths[] = { 0, 1, 1452, 1453, 1472, 1473, NET_PAYLOAD,
		NET_PAYLOAD + 1, 8000, 20000, 60000, NET_PAYLOAD_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (int side = 0; side < 2; side++) {
			for (int f = 0; f < 2; f++) {
				got.n = 0;
				put(side, f, lengths[i]);
				take(!side, f);
				assert_int_equal(got.n, 1);
				assert_int_equal(got.wrong, 0);
				assert_int_equal(got.len, lengths[i]);
			}
		}
	}
	for (int side = 0; side < 2; side++)
		assert_int_equal(net_count(net[side])->l3_in + net_count(net[side])->l3_out, 0);
}

/* Long ones behind each other, and among short ones: each leaves in as many frames as it needs. */
static void
many_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		put(0, i % 2, i % 3 == 0 ? 100 : i % 3 == 1 ? NET_PAYLOAD : 9000);
	net_flush(net[0], rte_rdtsc());
	for (int i = 0; i < 60; i++)
		net_poll(net[1], rte_rdtsc(), count, NULL);
	assert_int_equal(got.n, 100);
	assert_int_equal(got.wrong, 0);
	assert_int_equal(net_count(net[0])->l3_out, 0);
	assert_int_equal(net_count(net[0])->no_buffer, 0);
	assert_int_equal(net_count(net[1])->l3_in, 0);
}

static void
what_was_begun_may_be_given_up(void **state)
{
	(void)state;
	for (int i = 0; i < 10000; i++) {
		assert_non_null(
			net_begin(net[0], NFV_IPV4, i % 2 == 0 ? NET_PAYLOAD : NET_PAYLOAD_MAX));
		net_abandon(net[0]);
	}
	put(0, 0, 50000);
	take(1, 0);
	assert_int_equal(got.n, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_length_arrives, open_both, close_both),
		cmocka_unit_test_setup_teardown(many_at_once, open_both, close_both),
		cmocka_unit_test_setup_teardown(
			what_was_begun_may_be_given_up, open_both, close_both),
	};

	test_eal("256");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
