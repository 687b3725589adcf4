/* Ports on devices without hardware; and every way in which one does not come up. */
#define _GNU_SOURCE
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "eal.h"
#include "nfv_port.h"

static struct rte_mempool *pool;

static struct nfv_port_conf
conf_of(const char *device, uint16_t mtu)
{
	return (struct nfv_port_conf){
		.name = "inside", .device = device, .mtu = mtu, .descriptors = 256, .pool = pool
	};
}

static void
refused(const char *device, uint16_t mtu, int code, const char *word)
{
	struct nfv_port_conf conf = conf_of(device, mtu);
	struct nfv_port port, before;
	struct nfv_err err = { "" };
	uint16_t ports = rte_eth_dev_count_avail();
	int rc;

	memset(&port, 0x5a, sizeof(port));
	before = port;
	rc = nfv_port_open(&conf, &port, &err);
	if (code != 0 ? rc != -code : rc >= 0)
		fail_msg("%s: %d: %s", device, rc, err.text);
	assert_memory_equal(&port, &before, sizeof(port));
	if (strstr(err.text, "inside") == NULL || strstr(err.text, word) == NULL ||
		strstr(err.text, device) == NULL)
		fail_msg("%s: not told what and where: %s", device, err.text);
	assert_int_equal(rte_eth_dev_count_avail(), ports);
}

static void
what_does_not_come_up_says_why(void **state)
{
	char overlong[200];

	(void)state;
	refused("eth0", 1500, EINVAL, "virtual device");
	refused("", 1500, EINVAL, "virtual device");
	refused("net_nul0", 1500, EINVAL, "virtual device");
	refused("0000:3b:02", 1500, EINVAL, "PCI");
	refused("net_af_packet0", 1500, EINVAL, "iface=NAME");
	refused("net_af_packet0,iface=", 1500, ENODEV, "no interface");
	refused("net_af_packet0,iface=nowhere9", 1500, ENODEV, "nowhere9");
	refused("net_pcap0,rx_pcap=/nowhere/x.pcap", 1500, ENOENT, "/nowhere/x.pcap");
	refused("net_null0,size", 1500, 0, "come up");
	refused("0000:ff:1f.7", 1500, 0, "vfio-pci");
	memset(overlong, 'x', sizeof(overlong) - 1);
	memcpy(overlong, "net_null", 8);
	overlong[sizeof(overlong) - 1] = '\0';
	refused(overlong, 1500, 0, "xxx");
}

/* A namespace of its own, so that nobody else's interface changes. */
static void
an_mtu_that_is_too_large_is_refused(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET) != 0)
		skip();
	refused("net_af_packet0,iface=lo", 9000, EINVAL, "MTU");
	/* It has left nothing behind. */
	refused("net_af_packet0,iface=lo", 9000, EINVAL, "MTU");
}

static void
comes_up_and_goes_again(void **state)
{
	static const char *const device[] = { "net_null0", "net_null1,size=100", "net_ring0" };

	(void)state;
	for (size_t i = 0; i < 3 * sizeof(device) / sizeof(device[0]); i++) {
		struct nfv_port_conf conf = conf_of(device[i % 3], 1500);
		struct nfv_port port;
		struct nfv_err err = { "" };

		if (nfv_port_open(&conf, &port, &err) < 0)
			fail_msg("%s", err.text);
		assert_string_equal(port.name, "inside");
		assert_string_equal(port.device, device[i % 3]);
		assert_int_equal(port.mtu, 1500);
		assert_true(port.started);
		assert_int_equal(rte_eth_dev_count_avail(), 1);
		/* Twice is once too often. */
		refused(device[i % 3], 1500, EEXIST, "already in use");
		nfv_port_close(&port);
		assert_int_equal(rte_eth_dev_count_avail(), 0);
		nfv_port_close(&port);
	}
}

static void
frames_are_counted(void **state)
{
	struct nfv_port_conf conf = conf_of("net_null0,size=100", 1500);
	unsigned int before = rte_mempool_avail_count(pool);
	struct rte_mbuf *m[32];
	struct nfv_port_stats s;
	struct nfv_port port;
	struct nfv_err err = { "" };
	uint16_t n;

	(void)state;
	assert_int_equal(nfv_port_open(&conf, &port, &err), 0);
	n = rte_eth_rx_burst(port.id, 0, m, 32);
	assert_int_equal(n, 32);
	assert_int_equal(rte_eth_tx_burst(port.id, 0, m, n), n);
	nfv_port_stats(&port, &s);
	assert_int_equal(s.rx_packets, 32);
	assert_int_equal(s.tx_packets, 32);
	assert_int_equal(s.rx_missed + s.rx_errors + s.tx_errors + s.rx_nombuf, 0);
	nfv_port_close(&port);
	assert_int_equal(rte_mempool_avail_count(pool), before);
}

/* What one end of a pair sends the other receives; each end can be had once. */
static void
a_pair_is_a_wire(void **state)
{
	struct nfv_port_conf ca = conf_of("pair:wire:a", 1500), cb = conf_of("pair:wire:b", 1500);
	unsigned int before = rte_mempool_avail_count(pool);
	struct nfv_port a, b, again;
	struct nfv_err err = { "" };
	struct rte_mbuf *m;

	(void)state;
	for (int round = 0; round < 2; round++) {
		assert_int_equal(nfv_port_open(&ca, &a, &err), 0);
		assert_int_equal(nfv_port_open(&cb, &b, &err), 0);
		assert_true(nfv_port_open(&ca, &again, &err) < 0);
		assert_memory_not_equal(a.mac, b.mac, 6);
		m = rte_pktmbuf_alloc(pool);
		assert_int_equal(rte_eth_tx_burst(a.id, 0, &m, 1), 1);
		assert_int_equal(rte_eth_rx_burst(a.id, 0, &m, 1), 0);
		assert_int_equal(rte_eth_rx_burst(b.id, 0, &m, 1), 1);
		assert_int_equal(rte_eth_tx_burst(b.id, 0, &m, 1), 1);
		assert_int_equal(rte_eth_rx_burst(a.id, 0, &m, 1), 1);
		rte_pktmbuf_free(m);
		nfv_port_close(&a);
		nfv_port_close(&b);
	}
	assert_int_equal(rte_mempool_avail_count(pool), before);
	assert_int_equal(nfv_port_check("pair:x:a", NULL), 0);
	assert_int_equal(nfv_port_check("pair:x:c", NULL), -EINVAL);
	assert_int_equal(nfv_port_check("pair::a", NULL), -EINVAL);
	assert_int_equal(nfv_port_check("pair:far-too-long-a-name:a", NULL), -EINVAL);
}

/* Queue by queue; both ends have as many. */
static void
a_pair_has_queues(void **state)
{
	struct nfv_port_conf ca = conf_of("pair:wide:a", 1500), cb = conf_of("pair:wide:b", 1500);
	struct nfv_err err = { "" };
	struct nfv_port a, b;
	struct rte_mbuf *m;

	(void)state;
	ca.queues = cb.queues = 2;
	assert_int_equal(nfv_port_open(&ca, &a, &err), 0);
	assert_int_equal(a.queues, 2);
	cb.queues = 1;
	assert_int_equal(nfv_port_open(&cb, &b, &err), -EINVAL);
	assert_non_null(strstr(err.text, "2 queues, not 1"));
	cb.queues = 2;
	assert_int_equal(nfv_port_open(&cb, &b, &err), 0);
	for (uint16_t q = 0; q < 2; q++) {
		m = rte_pktmbuf_alloc(pool);
		assert_int_equal(rte_eth_tx_burst(a.id, q, &m, 1), 1);
		assert_int_equal(rte_eth_rx_burst(b.id, !q, &m, 1), 0);
		assert_int_equal(rte_eth_rx_burst(b.id, q, &m, 1), 1);
		rte_pktmbuf_free(m);
	}
	nfv_port_close(&a);
	nfv_port_close(&b);
	ca.queues = 17;
	assert_int_equal(nfv_port_open(&ca, &a, &err), -EINVAL);
	assert_non_null(strstr(err.text, "at most 16"));
}

/* A device that can is told to hash both directions alike; one with too few queues is refused. */
static void
queues_are_chosen_by_a_symmetric_hash(void **state)
{
	struct nfv_port_conf conf = conf_of("net_null0", 1500);
	struct rte_eth_rss_reta_entry64 *table;
	struct rte_eth_dev_info info;
	uint8_t key[40] = { 0 };
	struct rte_eth_rss_conf rss = { .rss_key = key, .rss_key_len = sizeof(key) };
	struct nfv_err err = { "" };
	struct nfv_port port;

	(void)state;
	conf.queues = 3;
	assert_int_equal(nfv_port_open(&conf, &port, &err), 0);
	assert_int_equal(rte_eth_dev_rss_hash_conf_get(port.id, &rss), 0);
	for (size_t i = 0; i < sizeof(key); i++)
		assert_int_equal(key[i], i % 2 == 0 ? 0x6d : 0x5a);
	assert_int_equal(rte_eth_dev_info_get(port.id, &info), 0);
	table = test_calloc(info.reta_size / 64, sizeof(*table));
	for (uint16_t i = 0; i < info.reta_size / 64; i++)
		table[i].mask = UINT64_MAX;
	assert_int_equal(rte_eth_dev_rss_reta_query(port.id, table, info.reta_size), 0);
	for (uint16_t i = 0; i < info.reta_size; i++)
		assert_int_equal(table[i / 64].reta[i % 64], i % 128 % 3);
	test_free(table);
	nfv_port_close(&port);
}

/* The kernel deals out to all queues of a socket: there must be as many as are polled. */
static void
a_queue_for_each_worker_and_no_more(void **state)
{
	struct nfv_port_conf conf = conf_of("net_af_packet0,iface=lo", 1400);
	struct nfv_err err = { "" };
	struct nfv_port port;

	(void)state;
	if (unshare(CLONE_NEWNET) != 0)
		skip();
	conf.queues = 2;
	assert_int_equal(nfv_port_open(&conf, &port, &err), -EINVAL);
	assert_non_null(strstr(err.text, "1 queue, and 2 workers poll it; say `qpairs=2`"));
	conf.device = "net_af_packet0,iface=lo,qpairs=2";
	conf.queues = 1;
	assert_int_equal(nfv_port_open(&conf, &port, &err), -EINVAL);
	assert_non_null(strstr(err.text, "2 queues, and 1 worker polls it; say `qpairs=1`"));
	conf.queues = 2;
	assert_int_equal(nfv_port_open(&conf, &port, &err), 0);
	nfv_port_close(&port);
}

static void
names_are_checked_without_hardware(void **state)
{
	static const char *const good[] = { "0000:3b:02.1", "3b:02.1", "0000:3b:02.1,representor=0",
		"net_af_packet0,iface=eth0", "net_memif0,role=client", "net_tap0", "net_null0" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(nfv_port_check(good[i], NULL), 0);
	assert_int_equal(nfv_port_check("eth0", NULL), -EINVAL);
	assert_int_equal(nfv_port_socket("net_null0", "/sys"), -1);
	assert_int_equal(nfv_port_socket("0000:ff:1f.7", "/sys"), -1);
}

/* The short form of a PCI address means the same function, and EAL knows only the long one. */
static void
short_pci_addresses_are_made_long(void **state)
{
	struct nfv_port_conf conf = conf_of("ff:1f.7", 1500);
	struct nfv_port port;
	struct nfv_err err = { "" };

	(void)state;
	assert_true(nfv_port_open(&conf, &port, &err) < 0);
	assert_non_null(strstr(err.text, "0000:ff:1f.7"));
}

struct hook {
	int code;
	unsigned int probed, closed;
};

static int
hook_probed(void *arg, uint16_t id, struct nfv_err *err)
{
	struct hook *h = arg;
	struct rte_eth_link link;

	/* The device is there, and not started. */
	assert_true(rte_eth_dev_is_valid_port(id));
	assert_int_equal(rte_eth_link_get_nowait(id, &link), 0);
	assert_int_equal(link.link_status, RTE_ETH_LINK_DOWN);
	h->probed++;
	return h->code == 0 ? 0 : nfv_fail(err, h->code, "no memory is known to it");
}

static void
hook_closing(void *arg, uint16_t id)
{
	struct hook *h = arg;

	assert_true(rte_eth_dev_is_valid_port(id));
	h->closed++;
}

static void
is_told_of_memory_before_it_starts(void **state)
{
	struct nfv_port_conf conf = conf_of("net_null3", 1500);
	uint16_t ports = rte_eth_dev_count_avail();
	struct hook hook = { .code = ENOTSUP };
	struct nfv_err err = { "" };
	struct nfv_port port;

	(void)state;
	conf.probed = hook_probed;
	conf.closing = hook_closing;
	conf.arg = &hook;
	assert_int_equal(nfv_port_open(&conf, &port, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "no memory is known"));
	assert_int_equal(hook.closed, 0);
	assert_int_equal(rte_eth_dev_count_avail(), ports);
	hook.code = 0;
	assert_int_equal(nfv_port_open(&conf, &port, &err), 0);
	assert_int_equal(hook.probed, 2);
	nfv_port_close(&port);
	assert_int_equal(hook.closed, 1);
	nfv_port_close(&port);
	assert_int_equal(hook.closed, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_does_not_come_up_says_why),
		cmocka_unit_test(an_mtu_that_is_too_large_is_refused),
		cmocka_unit_test(comes_up_and_goes_again),
		cmocka_unit_test(frames_are_counted),
		cmocka_unit_test(is_told_of_memory_before_it_starts),
		cmocka_unit_test(a_pair_is_a_wire),
		cmocka_unit_test(a_pair_has_queues),
		cmocka_unit_test(queues_are_chosen_by_a_symmetric_hash),
		cmocka_unit_test(a_queue_for_each_worker_and_no_more),
		cmocka_unit_test(names_are_checked_without_hardware),
		cmocka_unit_test(short_pci_addresses_are_made_long),
	};
	int rc;

	test_eal("128");
	pool = rte_pktmbuf_pool_create(
		"port", 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (pool == NULL)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	rte_mempool_free(pool);
	return rc;
}
