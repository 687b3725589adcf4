/* Machines that do not exist, as sysfs would describe them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "nfv_topo.h"

static char root[64];

static int
setup(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/test_topo.XXXXXX");
	return mkdtemp(root) != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

/* Write a file of the tree, and the folders it lies in. */
static void
put(const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	for (char *slash = strchr(full + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
two_nodes_with_their_cpus_mixed(void **state)
{
	struct nfv_topo t;
	char text[64], tiny[6];

	(void)state;
	put("devices/system/cpu/online", "0-7,16\n");
	put("devices/system/node/node0/cpulist", "0,2,4-5\n");
	put("devices/system/node/node1/cpulist", "1,3,6-7,16\n");
	nfv_topo_read(root, &t);
	assert_int_equal(t.n_nodes, 2);
	assert_int_equal(t.n_cpus, 17);
	for (int cpu = 0; cpu < NFV_TOPO_CPUS; cpu++) {
		int want = cpu == 0 || cpu == 2 || cpu == 4 || cpu == 5 ? 0 :
			cpu < 8 || cpu == 16                            ? 1 :
									  -1;

		assert_int_equal(t.node_of[cpu], want);
	}
	assert_string_equal(nfv_topo_cpus(&t, 0, text, sizeof(text)), "0,2,4-5");
	assert_string_equal(nfv_topo_cpus(&t, 1, text, sizeof(text)), "1,3,6-7,16");
	assert_string_equal(nfv_topo_cpus(&t, 2, text, sizeof(text)), "");
	assert_int_equal(strlen(nfv_topo_cpus(&t, 1, tiny, sizeof(tiny))), sizeof(tiny) - 1);
}

/* Nodes may be missing in between, and may have memory but no CPU. */
static void
nodes_with_gaps(void **state)
{
	struct nfv_topo t;

	(void)state;
	put("devices/system/cpu/online", "0-1\n");
	put("devices/system/node/node0/cpulist", "0\n");
	put("devices/system/node/node3/cpulist", "1\n");
	put("devices/system/node/node4/cpulist", "\n");
	nfv_topo_read(root, &t);
	assert_int_equal(t.n_nodes, 5);
	assert_int_equal(t.n_cpus, 2);
	assert_int_equal(t.node_of[1], 3);
}

static void
a_machine_that_tells_nothing_has_one_node(void **state)
{
	struct nfv_topo t;

	(void)state;
	nfv_topo_read(root, &t);
	assert_int_equal(t.n_nodes, 1);
	assert_int_equal(t.n_cpus, 0);
	assert_int_equal(t.node_of[0], -1);
	nfv_topo_read("/nowhere", &t);
	assert_int_equal(t.n_nodes, 1);
	put("devices/system/cpu/online", "0-3\n");
	nfv_topo_read(root, &t);
	assert_int_equal(t.n_nodes, 1);
	assert_int_equal(t.n_cpus, 4);
	assert_int_equal(t.node_of[3], 0);
}

static void
odd_lists_do_no_harm(void **state)
{
	static const struct {
		const char *list;
		int n_cpus;
	} row[] = {
		{ "", 0 },
		{ "\n", 0 },
		{ "x", 0 },
		{ "-1", 0 },
		{ "3", 4 },
		{ "3-", 0 },
		{ "5-3", 0 },
		{ "0,", 1 },
		{ "0,,5", 1 },
		{ "1022-5000", NFV_TOPO_CPUS },
		{ "0-99999999999999999999", NFV_TOPO_CPUS },
		{ "99999999999999999999", 0 },
		{ "1024", 0 },
		{ "0-1;7", 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct nfv_topo t;

		put("devices/system/cpu/online", row[i].list);
		put("devices/system/node/node0/cpulist", row[i].list);
		nfv_topo_read(root, &t);
		assert_int_equal(t.n_cpus, row[i].n_cpus);
	}
}

static void
pci_functions_and_their_node(void **state)
{
	(void)state;
	put("bus/pci/devices/0000:3b:02.1/numa_node", "1\n");
	put("bus/pci/devices/0001:00:00.0/numa_node", "0\n");
	put("bus/pci/devices/0000:00:1f.6/numa_node", "-1\n");
	put("bus/pci/devices/0000:00:1e.0/vendor", "0x8086\n");
	put("bus/pci/devices/0000:00:1d.0/numa_node", "");
	assert_int_equal(nfv_topo_pci_node(root, "0000:3b:02.1"), 1);
	assert_int_equal(nfv_topo_pci_node(root, "3b:02.1"), 1);
	assert_int_equal(nfv_topo_pci_node(root, "0001:00:00.0"), 0);
	assert_int_equal(nfv_topo_pci_node(root, "0000:00:1f.6"), -1);
	assert_int_equal(nfv_topo_pci_node(root, "0000:00:1e.0"), -1);
	assert_int_equal(nfv_topo_pci_node(root, "0000:00:1d.0"), -1);
	assert_int_equal(nfv_topo_pci_node(root, "0000:3b:02.2"), -1);
	assert_int_equal(nfv_topo_pci_node(root, "net_null0"), -1);
	assert_int_equal(nfv_topo_pci_node(root, ""), -1);
	assert_int_equal(nfv_topo_pci_node(root, "../../../../etc/passwd"), -1);
}

static void
pci_addresses(void **state)
{
	static const char *const good[] = { "0000:3b:02.1", "3b:02.1", "ffff:ff:1f.7", "00:00.0",
		"0000:3B:02.1" };
	static const char *const bad[] = { "", "3b", "3b:02", "3b:02.", "3b:02.1,", "3b:02.1 ",
		" 3b:02.1", "+b:02.1", "-1:02.1", "3b:-2.1", "3b:+2.1", "0x:02.1", "3b: 2.1",
		"0000:3b:02.1x", "00000:3b:02.1", "0000:3b:02.8", "0000:3b:20.1", "0000:3b:02.10",
		"0000:3b:002.1", "0000:3b:02,1", "net_null0" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!nfv_topo_is_pci(good[i]))
			fail_msg("\"%s\" is one", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (nfv_topo_is_pci(bad[i]))
			fail_msg("\"%s\" is none", bad[i]);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(two_nodes_with_their_cpus_mixed),
		TEST(nodes_with_gaps),
		TEST(a_machine_that_tells_nothing_has_one_node),
		TEST(odd_lists_do_no_harm),
		TEST(pci_functions_and_their_node),
		TEST(pci_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
