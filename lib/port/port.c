#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
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
		rc = pair_open(conf->device, port->queues, &port->id, port->mac, err);
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

/* Both directions of a flow to one queue, whose number follows from the hash as nfv_port.h says. */
static void
choose_by_hash(const struct rte_eth_dev_info *info, uint8_t key[64], struct rte_eth_conf *eth)
{
	uint64_t types = info->flow_type_rss_offloads &
		(RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP);

	if (types == 0)
		return;
	for (int i = 0; i < 64; i++)
		key[i] = (uint8_t)(NFV_PORT_HASH_KEY >> (i % 2 == 0 ? 8 : 0));
	eth->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	eth->rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){ .rss_key = key,
		.rss_key_len = info->hash_key_size > 0 && info->hash_key_size <= 64 ?
			info->hash_key_size :
			40,
		.rss_hf = types };
}

/* Some take a key only when they run. Where a card keeps its own key or table, packets come to some queue
 * all the same. */
static void
fill_table(const struct nfv_port *port, const struct rte_eth_dev_info *info,
	struct rte_eth_rss_conf *conf)
{
	struct rte_eth_rss_reta_entry64 *table;

	rte_eth_dev_rss_hash_update(port->id, conf);
	table = calloc(info->reta_size / RTE_ETH_RETA_GROUP_SIZE + 1, sizeof(*table));
	for (uint16_t i = 0; table != NULL && i < info->reta_size; i++) {
		table[i / RTE_ETH_RETA_GROUP_SIZE].mask = UINT64_MAX;
		table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] =
			(uint16_t)(i % 128 % port->queues);
	}
	if (table != NULL && info->reta_size > 0)
		rte_eth_dev_rss_reta_update(port->id, table, info->reta_size);
	free(table);
}

static int
check_queues(const struct nfv_port_conf *conf, const struct nfv_port *port,
	const struct rte_eth_dev_info *info, struct nfv_err *err)
{
	bool af_packet = strncmp(conf->device, "net_af_packet", 13) == 0;
	uint16_t has = info->max_rx_queues < info->max_tx_queues ? info->max_rx_queues :
								   info->max_tx_queues;

	/* The kernel deals packets out to all queues it was asked for. */
	if (af_packet && has != port->queues)
		return nfv_fail(err, EINVAL,
			"the device has %u queue%s, and %u worker%s it; say `qpairs=%u`", has,
			has == 1 ? "" : "s", port->queues, port->queues == 1 ? " polls" : "s poll",
			port->queues);
	if (has < port->queues)
		return nfv_fail(err, EINVAL,
			"the device has %u queue%s, and %u workers want one each", has,
			has == 1 ? "" : "s", port->queues);
	return 0;
}

static int
setup_queues(const struct nfv_port_conf *conf, const struct nfv_port *port)
{
	uint16_t rx = conf->descriptors, tx = conf->descriptors;
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx, &tx);

	for (uint16_t q = 0; q < port->queues && rc == 0; q++) {
		rc = rte_eth_rx_queue_setup(port->id, q, rx, (unsigned int)port->socket, NULL,
			conf->pools != NULL ? conf->pools[q] : conf->pool);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(
				port->id, q, tx, (unsigned int)port->socket, NULL);
	}
	return rc;
}

/* Drivers that have no say in the MTU are given their frames as they come. */
static int
set_mtu(const struct nfv_port *port, uint16_t mtu, struct nfv_err *err)
{
	int rc = rte_eth_dev_set_mtu(port->id, mtu);

	if (rc < 0 && rc != -ENOTSUP)
		return nfv_fail(err, -rc,
			"the device does not take an MTU of %u: %s; on an interface of the kernel's that "
			"needs the capability NET_ADMIN",
			mtu, strerror(-rc));
	return 0;
}

static int
configure(const struct nfv_port_conf *conf, struct nfv_port *port, struct nfv_err *err)
{
	struct rte_eth_conf eth = { .rxmode = { .mtu = conf->mtu } };
	struct rte_ether_addr mac;
	struct rte_eth_dev_info info;
	uint8_t key[64];
	int rc = rte_eth_dev_info_get(port->id, &info);

	if (rc < 0)
		return nfv_fail(
			err, -rc, "the device does not say what it can do: %s", strerror(-rc));
	port->socket = rte_eth_dev_socket_id(port->id);
	if (info.max_mtu != 0 && conf->mtu > info.max_mtu)
		return nfv_fail(err, EINVAL, "the device takes an MTU of at most %u, not %u",
			info.max_mtu, conf->mtu);
	rc = check_queues(conf, port, &info, err);
	if (rc < 0)
		return rc;
	if (port->queues > 1)
		choose_by_hash(&info, key, &eth);
	rc = rte_eth_dev_configure(port->id, port->queues, port->queues, &eth);
	if (rc == 0)
		rc = setup_queues(conf, port);
	if (rc == 0) {
		rc = set_mtu(port, conf->mtu, err);
		if (rc < 0)
			return rc;
		rc = rte_eth_dev_start(port->id);
	}
	if (rc < 0)
		return nfv_fail(err, -rc, "the device cannot be started with an MTU of %u: %s",
			conf->mtu, strerror(-rc));
	port->started = true;
	if (eth.rxmode.mq_mode == RTE_ETH_MQ_RX_RSS)
		fill_table(port, &info, &eth.rx_adv_conf.rss_conf);
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
	struct nfv_port port = { .mtu = conf->mtu, .queues = conf->queues > 0 ? conf->queues : 1 };
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
