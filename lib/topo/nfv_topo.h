/**
 * @file
 * The machine as plain data: CPUs, their NUMA nodes, PCI functions. Read from sysfs, whose root is a
 * parameter, so that a test can hand in a machine that does not exist. Threads: pure functions.
 */
#ifndef NFV_TOPO_H
#define NFV_TOPO_H

#include <stdbool.h>
#include <stddef.h>

#define NFV_TOPO_CPUS 1024

struct nfv_topo {
	int n_nodes;                  /* highest node number + 1; 1 on machines without NUMA */
	int n_cpus;                   /* highest CPU number + 1 */
	short node_of[NFV_TOPO_CPUS]; /* -1: no such CPU */
};

/** Read it; a machine that tells nothing about nodes has one. `sysfs` is "/sys" but in tests. */
void nfv_topo_read(const char *sysfs, struct nfv_topo *out);

/** The CPUs of a node as the kernel writes lists, "0-3,8"; returns buf. */
const char *nfv_topo_cpus(const struct nfv_topo *topo, int node, char *buf, size_t size);

/** Node of a PCI function "0000:3b:02.1"; -1 if it does not say or there is no such function. */
int nfv_topo_pci_node(const char *sysfs, const char *address);

/** Whether `text` is a PCI address, "0000:3b:02.1" or "3b:02.1". */
bool nfv_topo_is_pci(const char *text);

#endif
