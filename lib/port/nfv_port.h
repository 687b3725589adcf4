/**
 * @file
 * Bring a network device up as a port: one `device:` value names a PCI function (a VF) or a DPDK
 * virtual device. The port is given its mempool; it makes none.
 *
 * A port that does not come up is an error with the reason; nothing goes on with fewer ports.
 * With several queues each is a worker's own. A card is told to choose among them by the hash of addresses and
 * ports under NFV_PORT_HASH_KEY, which is the same for both directions: entry i of its table is for queue
 * i & 127 modulo their number. Other devices choose as they do.
 * Threads: open, close and the queries on the control thread; the worker that owns a queue calls
 * rte_eth_rx_burst and rte_eth_tx_burst on `id` and that queue itself.
 */
#ifndef NFV_PORT_H
#define NFV_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "nfv_err.h"

#define NFV_PORT_QUEUES   64
#define NFV_PORT_HASH_KEY 0x6d5au /* these 16 bits, again and again */

struct rte_mempool;

struct nfv_port_conf {
	const char *name;   /* as the configuration calls it; for messages */
	const char *device; /* "0000:3b:02.1", "net_af_packet0,iface=veth0", or one end of a pair
	                     * within the process: "pair:NAME:a", "pair:NAME:b" */
	uint16_t mtu;       /* of the IP packet */
	uint16_t descriptors;
	struct rte_mempool *pool; /* for received packets; on the port's socket */
	/** Called once the device is there and before it starts, to make known to it what memory the pool
	 * is in; and before it goes. Either may be NULL; the first says why it fails. */
	int (*probed)(void *arg, uint16_t id, struct nfv_err *err);
	void (*closing)(void *arg, uint16_t id);
	void *arg;
	uint16_t queues; /* each way; 0: 1 */
	struct rte_mempool *const
		*pools; /* of each queue, in place of `pool`; NULL: that one's for all */
};

struct nfv_port {
	char name[32], device[128];
	uint16_t id; /* DPDK's port id */
	uint8_t mac[6];
	uint16_t mtu, queues;
	int socket; /* NUMA node of the device; -1 if it has none (virtual devices) */
	bool started;
	bool plugged;                            /* probed here: taken out again at the end */
	void (*closing)(void *arg, uint16_t id); /* NULL: nothing to undo */
	void *arg;
};

/** Room a buffer needs for a frame of this MTU: Ethernet header, a VLAN tag and the check sum. */
static inline uint16_t
nfv_port_frame_max(uint16_t mtu)
{
	return (uint16_t)(mtu + 14 + 4 + 4);
}

/**
 * Probe, configure the queues, start. Errors: no such device, interface or permission, too few queues, no
 * room for the MTU, the driver's own refusal; each as a sentence that names port and device.
 */
int nfv_port_open(const struct nfv_port_conf *conf, struct nfv_port *out, struct nfv_err *err);
/** Stop and take out; safe on a zeroed one. */
void nfv_port_close(struct nfv_port *port);

/** What a `device:` value must look like, checked without touching any hardware. */
int nfv_port_check(const char *device, struct nfv_err *err);

/** NUMA node of a device named in a configuration, before it is opened; -1: none. `sysfs` is "/sys". */
int nfv_port_socket(const char *device, const char *sysfs);

struct nfv_port_stats {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t rx_missed; /* the queue was full: the worker was too slow */
	uint64_t rx_errors, tx_errors, rx_nombuf;
};
void nfv_port_stats(const struct nfv_port *port, struct nfv_port_stats *out);

#endif
