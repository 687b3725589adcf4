#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_ethdev.h>

#include "nfv_port.h"
#include "nfv_topo.h"
#include "pair.h"

/* The value of `key=` in a device's arguments, or false. */
static bool
devarg(const char *device, const char *key, char *value, size_t size)
{
	size_t n = strlen(key);
	const char *at = strchr(device, ',');

	for (; at != NULL; at = strchr(at + 1, ',')) {
		if (strncmp(at + 1, key, n) == 0 && at[1 + n] == '=') {
			size_t len = strcspn(at + n + 2, ",");

			if (len >= size)
				return false;
			memcpy(value, at + n + 2, len);
			value[len] = '\0';
			return true;
		}
	}
	return false;
}

/* The device's name for EAL: what stands before the first comma; of a PCI function with its domain. */
static void
device_name(const char *device, char *name, size_t size)
{
	int len = (int)strcspn(device, ",");

	snprintf(name, size, "%.*s", len, device);
	if (nfv_topo_is_pci(name) && strchr(name, ':') == strrchr(name, ':'))
		snprintf(name, size, "0000:%.*s", len, device);
}

int
nfv_port_check(const char *device, struct nfv_err *err)
{
	static const char *const drivers[] = { "net_af_packet", "net_memif", "net_tap", "net_pcap",
		"net_ring", "net_null", "net_af_xdp", "net_virtio_user", "eth_vhost", NULL };
	char name[64];

	if (pair_is(device))
		return pair_check(device, err);
	device_name(device, name, sizeof(name));
	if (nfv_topo_is_pci(name))
		return 0;
	for (size_t i = 0; drivers[i] != NULL; i++)
		if (strncmp(name, drivers[i], strlen(drivers[i])) == 0)
			return 0;
	return nfv_fail(err, EINVAL,
		"\"%s\" is neither a PCI address (0000:3b:02.1) nor a virtual device "
		"(net_af_packet0,iface=eth0; net_memif0,…; net_tap0; net_pcap0,…; net_ring0; net_null0), "
		"nor an end of a pair (pair:NAME:a)",
		device);
}

int
nfv_port_socket(const char *device, const char *sysfs)
{
	char name[64];

	device_name(device, name, sizeof(name));
	return nfv_topo_pci_node(sysfs, name);
}

/* What drivers only say in their log, found out beforehand. */
static int
foresee(const struct nfv_port_conf *conf, struct nfv_err *err)
{
	char iface[64], pcap[256];
	uint16_t id;

	device_name(conf->device, iface, sizeof(iface));
	if (rte_eth_dev_get_port_by_name(iface, &id) == 0)
		return nfv_fail(err, EEXIST, "the device is already in use");
	if (strncmp(conf->device, "net_af_packet", 13) == 0 ||
		strncmp(conf->device, "net_af_xdp", 10) == 0) {
		if (!devarg(conf->device, "iface", iface, sizeof(iface)))
			return nfv_fail(err, EINVAL, "it needs an interface: add `,iface=NAME`");
		if (if_nametoindex(iface) == 0)
			return nfv_fail(err, ENODEV,
				"there is no interface %s in this network namespace; `ip link` lists them",
				iface);
		if (geteuid() != 0)
			return 0; /* capabilities may do; the driver will tell */
	}
	if (devarg(conf->device, "rx_pcap", pcap, sizeof(pcap)) && access(pcap, R_OK) != 0)
		return nfv_fail(err, errno, "%s cannot be read: %s", pcap, strerror(errno));
	return 0;
}

static int
probe(const struct nfv_port_conf *conf, struct nfv_port *port, struct nfv_err *err)
{
	char name[64];
	int rc;

	if (pair_is(conf->device)) {
		rc = pair_open(conf->device, &port->id, port->mac, err);
		port->plugged = rc == 0;
		return rc;
	}
	rc = foresee(conf, err);
	if (rc < 0)
		return rc;
	rc = rte_dev_probe(conf->device);
	device_name(conf->device, name, sizeof(name));
	if (rc == 0)
		rc = rte_eth_dev_get_port_by_name(name, &port->id);
	if (rc == 0) {
		port->plugged = true;
		return 0;
	}
	if (nfv_topo_is_pci(name))
		return nfv_fail(err, -rc,
			"no driver takes PCI function %s: %s; is it bound to vfio-pci "
			"(`dpdk-devbind.py --status`)?",
			name, strerror(-rc));
	return nfv_fail(err, -rc, "the device does not come up: %s%s", strerror(-rc),
		rc == -EPERM || geteuid() != 0 ?
			"; it may need the capability NET_RAW or NET_ADMIN" :
			"");
}

static int
configure(const struct nfv_port_conf *conf, struct nfv_port *port, struct nfv_err *err)
{
	struct rte_eth_conf eth = { .rxmode = { .mtu = conf->mtu } };
	uint16_t rx = conf->descriptors, tx = conf->descriptors;
	struct rte_ether_addr mac;
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(port->id, &info);

	if (rc < 0)
		return nfv_fail(
			err, -rc, "the device does not say what it can do: %s", strerror(-rc));
	port->socket = rte_eth_dev_socket_id(port->id);
	if (info.max_mtu != 0 && conf->mtu > info.max_mtu)
		return nfv_fail(err, EINVAL, "the device takes an MTU of at most %u, not %u",
			info.max_mtu, conf->mtu);
	rc = rte_eth_dev_configure(port->id, 1, 1, &eth);
	if (rc == 0)
		rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx, &tx);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(
			port->id, 0, rx, (unsigned int)port->socket, NULL, conf->pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(port->id, 0, tx, (unsigned int)port->socket, NULL);
	/* Drivers that have no say in the MTU are given their frames as they come. */
	if (rc == 0 && (rc = rte_eth_dev_set_mtu(port->id, conf->mtu)) == -ENOTSUP)
		rc = 0;
	if (rc == 0)
		rc = rte_eth_dev_start(port->id);
	if (rc < 0)
		return nfv_fail(err, -rc, "the device cannot be started with an MTU of %u: %s",
			conf->mtu, strerror(-rc));
	port->started = true;
	/* Neighbour discovery comes as multicast; where all cannot be had, promiscuous mode has it. */
	if (rte_eth_allmulticast_enable(port->id) != 0)
		rte_eth_promiscuous_enable(port->id);
	if (pair_is(conf->device))
		return 0; /* its address is made up */
	rc = rte_eth_macaddr_get(port->id, &mac);
	if (rc < 0)
		return nfv_fail(err, -rc, "the device has no MAC address");
	memcpy(port->mac, mac.addr_bytes, sizeof(port->mac));
	return 0;
}

int
nfv_port_open(const struct nfv_port_conf *conf, struct nfv_port *out, struct nfv_err *err)
{
	struct nfv_port port = { .mtu = conf->mtu };
	int rc;

	snprintf(port.name, sizeof(port.name), "%s", conf->name);
	snprintf(port.device, sizeof(port.device), "%s", conf->device);
	rc = nfv_port_check(conf->device, err);
	if (rc == 0)
		rc = probe(conf, &port, err);
	if (rc == 0 && conf->probed != NULL)
		rc = conf->probed(conf->arg, port.id, err);
	if (rc == 0) {
		port.closing = conf->closing;
		port.arg = conf->arg;
	}
	if (rc == 0)
		rc = configure(conf, &port, err);
	if (rc < 0) {
		nfv_port_close(&port);
		return nfv_fail_in(err, rc, "port %s (%s)", conf->name, conf->device);
	}
	*out = port;
	return 0;
}

void
nfv_port_close(struct nfv_port *port)
{
	struct rte_eth_dev_info info;

	if (!port->plugged)
		return;
	if (port->started)
		rte_eth_dev_stop(port->id);
	if (port->closing != NULL)
		port->closing(port->arg, port->id);
	if (rte_eth_dev_info_get(port->id, &info) == 0) {
		rte_eth_dev_close(port->id);
		rte_dev_remove(info.device);
	}
	*port = (struct nfv_port){ .started = false };
}

void
nfv_port_stats(const struct nfv_port *port, struct nfv_port_stats *out)
{
	struct rte_eth_stats s = { 0 };

	rte_eth_stats_get(port->id, &s);
	*out = (struct nfv_port_stats){ s.ipackets, s.ibytes, s.opackets, s.obytes, s.imissed,
		s.ierrors, s.oerrors, s.rx_nombuf };
}
