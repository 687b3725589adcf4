/*
 * An EAL for this process alone, for stages that use DPDK's tables: ordinary memory, no device, no file, no
 * socket. The template has it before it forks, so instances have its tables and never its threads.
 */
#include <rte_eal.h>
#include <rte_errno.h>

#include "environment.h"

int
environment_start(const char *name, struct nfv_err *err)
{
	static const char *const args[] = { "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "--log-level=error", "-m", "1024" };
	enum { N = sizeof(args) / sizeof(args[0]) };
	char *argv[N + 2] = { (char *)(uintptr_t)name };

	/* Memory is taken when it is written to: the size is a bound. */
	for (size_t i = 0; i < N; i++)
		argv[i + 1] = (char *)(uintptr_t)args[i];
	if (rte_eal_init(N + 1, argv) < 0)
		return nfv_fail(err, rte_errno, "EAL does not start: %s", rte_strerror(rte_errno));
	return 0;
}
