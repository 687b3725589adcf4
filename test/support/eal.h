/**
 * @file
 * DPDK's environment for unit tests: no huge pages, no devices, nothing left behind.
 */
#ifndef TEST_EAL_H
#define TEST_EAL_H

#include <stdio.h>
#include <stdlib.h>

#include <rte_eal.h>

/** Start it with `mib` MiB of memory; a test without it cannot go on. */
static inline void
test_eal(const char *mib)
{
	const char *argv[] = { "test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"--log-level=error", "-l", "0", "-m", mib };

	if (rte_eal_init(sizeof(argv) / sizeof(argv[0]), (char **)(uintptr_t)argv) < 0) {
		fprintf(stderr, "EAL does not start\n");
		exit(1);
	}
}

#endif
