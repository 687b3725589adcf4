/*
 * An EAL for this process alone, for stages that use DPDK's tables: ordinary memory, no device, no file, no
 * socket. The template has it before it forks, so instances have its tables and never its threads.
 *
 * One lcore, wherever the kernel has room for it, and so are EAL's own threads. Otherwise these would be bound to the
 * processor of whoever has started this one, or to those of the pipeline's workers; and a process has not ended
 * until each of its threads has been given time to.
 */
#define _GNU_SOURCE /* sched_setaffinity */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "environment.h"

/* `0@(0,1,3)`: lcore 0 on all processors that there are for us. */
static void
anywhere(char *to, size_t size)
{
	size_t n = (size_t)snprintf(to, size, "0@(");
	cpu_set_t set;

	memset(&set, 0xff, sizeof(set));
	sched_setaffinity(0, sizeof(set), &set);
	sched_getaffinity(0, sizeof(set), &set);
	for (int cpu = 0; cpu < CPU_SETSIZE && n + 8 < size; cpu++)
		if (CPU_ISSET((unsigned int)cpu, &set))
			n += (size_t)snprintf(to + n, size - n, "%d,", cpu);
	to[n - 1] = ')';
}

int
environment_start(const char *name, struct nfv_err *err)
{
	static char lcores[6 * CPU_SETSIZE];
	const char *const args[] = { "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"--log-level=error", "--lcores", lcores, "-m", "1024" };
	enum { N = sizeof(args) / sizeof(args[0]) };
	char *argv[N + 2] = { (char *)(uintptr_t)name };

	anywhere(lcores, sizeof(lcores));
	/* Memory is taken when it is written to: the size is a bound. */
	for (size_t i = 0; i < N; i++)
		argv[i + 1] = (char *)(uintptr_t)args[i];
	if (rte_eal_init(N + 1, argv) < 0)
		return nfv_fail(err, rte_errno, "EAL does not start: %s", rte_strerror(rte_errno));
	return 0;
}
