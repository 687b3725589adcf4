#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nfv_topo.h"

/* The first line of a small file, or false. */
static bool
read_line(const char *path, char *line, int size)
{
	FILE *f = fopen(path, "re");
	bool ok = f != NULL && fgets(line, size, f) != NULL;

	if (f != NULL)
		fclose(f);
	return ok;
}

/* Enter the CPUs of a kernel list, "0-3,8", as belonging to `node`. */
static void
enter_cpus(struct nfv_topo *t, const char *list, int node)
{
	while (*list >= '0' && *list <= '9') {
		char *end;
		long lo = strtol(list, &end, 10), hi = lo;

		if (*end == '-')
			hi = strtol(end + 1, &end, 10);
		for (long cpu = lo; cpu <= hi && cpu < NFV_TOPO_CPUS; cpu++) {
			t->node_of[cpu] = (short)node;
			if (cpu >= t->n_cpus)
				t->n_cpus = (int)cpu + 1;
		}
		list = *end == ',' ? end + 1 : end;
	}
}

void
nfv_topo_read(const char *sysfs, struct nfv_topo *out)
{
	char path[512], line[4096];

	*out = (struct nfv_topo){ .n_nodes = 1 };
	memset(out->node_of, 0xff, sizeof(out->node_of));
	snprintf(path, sizeof(path), "%s/devices/system/cpu/online", sysfs);
	if (read_line(path, line, sizeof(line)))
		enter_cpus(out, line, 0);
	for (int node = 0; node < 64; node++) {
		snprintf(path, sizeof(path), "%s/devices/system/node/node%d/cpulist", sysfs, node);
		if (!read_line(path, line, sizeof(line)))
			continue;
		enter_cpus(out, line, node);
		out->n_nodes = node + 1;
	}
}

const char *
nfv_topo_cpus(const struct nfv_topo *t, int node, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (int cpu = 0, last; cpu < t->n_cpus && n < size; cpu = last + 1) {
		for (last = cpu; t->node_of[cpu] == node && last + 1 < t->n_cpus; last++)
			if (t->node_of[last + 1] != node)
				break;
		if (t->node_of[cpu] != node)
			continue;
		n += (size_t)snprintf(buf + n, size - n, last > cpu ? "%s%d-%d" : "%s%d",
			n > 0 ? "," : "", cpu, last);
	}
	return buf;
}

/* As many hexadecimal digits as there are to be, at most `max` as a number, then `stop`. */
static bool
take_hex(const char **text, size_t digits, unsigned long max, char stop)
{
	char *end;

	if (strspn(*text, "0123456789abcdefABCDEF") != digits || strtoul(*text, &end, 16) > max ||
		*end != stop)
		return false;
	*text = end + 1;
	return true;
}

bool
nfv_topo_is_pci(const char *text)
{
	if (strchr(text, ':') != strrchr(text, ':') && !take_hex(&text, 4, 0xffff, ':'))
		return false;
	return take_hex(&text, 2, 0xff, ':') && take_hex(&text, 2, 0x1f, '.') &&
		take_hex(&text, 1, 7, '\0');
}

int
nfv_topo_pci_node(const char *sysfs, const char *address)
{
	char path[512], line[32];
	/* Short form: the domain is 0. */
	const char *domain = strchr(address, ':') == strrchr(address, ':') ? "0000:" : "";

	if (!nfv_topo_is_pci(address))
		return -1;
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s%s/numa_node", sysfs, domain, address);
	return read_line(path, line, sizeof(line)) ? (int)strtol(line, NULL, 10) : -1;
}
