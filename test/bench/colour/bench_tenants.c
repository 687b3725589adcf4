/**
 * @file
 * What one tenant's flood of new flows costs another on the same worker:
 *
 *   bench_tenants [EAL options] -- --config FILE [--seconds S] [--flows N] [--flood K] [--bytes B]
 *               [--profile FILE[,…]]
 *
 * The configuration's first chain is the tenant who has N flows and sends for them in random order; its
 * second, if it has one, is the one who floods, K packets for each of the first one's, each of a flow
 * of its own. The ports of chain i are "pair:inI:a" at 10.I.0.1/16 and "pair:outI:a" at 10.I+100.0.1/16;
 * this program is what is behind them, on the main lcore, with as many packets on the way as a NIC's
 * ring holds. Nothing is timed but the worker's own cycles, so this side may be slow.
 *
 * Prints one JSON object: work (packets of the first tenant that the worker could carry in a second that
 * it had for them alone), packets and lost (of the first tenant), and pipeline{} as middle.h says.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include "middle.h"
#include "party.h"

#define TENANTS 2
#define BURST   32
#define ON_WAY  1024u
#define SETTLE  0.5 /* seconds before it counts, besides every flow's first packet */

struct tenant {
	struct nfv_port port[2]; /* inside, outside */
	struct rte_ether_addr chain;
	uint64_t sent, back;
	uint64_t fresh; /* flows so far, of who floods */
};

static struct bench {
	const char *config, *profile;
	double seconds;
	uint32_t flows, flood, bytes;
	struct middle middle;
	struct rte_mempool *pool;
	struct tenant tenant[TENANTS];
	uint32_t tenants;
	uint64_t random;
} b = { .seconds = 2, .flows = 4096, .flood = 1, .bytes = 64 };

static uint32_t
option(const char *text, uint32_t most)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text != '\0' && *end == '\0' && v <= most)
		return (uint32_t)v;
	fprintf(stderr, "bench: \"%s\" is not a number up to %u\n", text, most);
	exit(2);
}

static void
parse_options(int argc, char **argv)
{
	static const struct option longs[] = { { "config", required_argument, NULL, 'c' },
		{ "profile", required_argument, NULL, 'p' },
		{ "seconds", required_argument, NULL, 's' },
		{ "flows", required_argument, NULL, 'f' },
		{ "flood", required_argument, NULL, 'k' },
		{ "bytes", required_argument, NULL, 'b' }, { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'c')
			b.config = optarg;
		else if (c == 'p')
			b.profile = optarg;
		else if (c == 's')
			b.seconds = option(optarg, 600);
		else if (c == 'f')
			b.flows = option(optarg, 1 << 24);
		else if (c == 'k')
			b.flood = option(optarg, 16);
		else if (c == 'b')
			b.bytes = option(optarg, 1500);
		else
			exit(2);
	}
	party_need(b.config != NULL && b.flows > 0 && b.bytes >= 64,
		"--config FILE is needed, a flow at least, and 64 bytes a packet");
}

static uint32_t
address(uint32_t tenant, int side, uint32_t host)
{
	return 10u << 24 | (tenant + (side == 1 ? 100 : 0)) << 16 | host;
}

static void
open_ports(uint32_t t)
{
	for (int side = 0; side < 2; side++) {
		char name[16], device[32];
		struct nfv_port_conf conf = { .name = name,
			.device = device,
			.mtu = 1500,
			.descriptors = 1024,
			.pool = b.pool };
		struct nfv_err err;

		snprintf(name, sizeof(name), "%s%u", side == 0 ? "in" : "out", t);
		snprintf(device, sizeof(device), "pair:%s:b", name);
		party_need(nfv_port_open(&conf, &b.tenant[t].port[side], &err) == 0, err.text);
	}
}

static struct rte_mbuf *
frame(uint16_t bytes)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(b.pool);

	party_need(m != NULL, "no packet buffers are left");
	party_need(rte_pktmbuf_append(m, bytes) != NULL, "a packet is longer than a buffer");
	return m;
}

/* A neighbour that is in use is asked now and then whether it is still there. */
static bool
answer(uint32_t t, int side, struct rte_mbuf *m)
{
	const struct nfv_port *p = &b.tenant[t].port[side];
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_arp_hdr *arp = (struct rte_arp_hdr *)(eth + 1);
	struct rte_arp_ipv4 *data = &arp->arp_data;
	uint32_t asked = data->arp_tip;

	if (eth->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP) ||
		arp->arp_opcode != rte_cpu_to_be_16(RTE_ARP_OP_REQUEST))
		return false;
	arp->arp_opcode = rte_cpu_to_be_16(RTE_ARP_OP_REPLY);
	data->arp_tha = data->arp_sha;
	data->arp_tip = data->arp_sip;
	data->arp_sip = asked;
	memcpy(&data->arp_sha, p->mac, 6);
	eth->dst_addr = data->arp_tha;
	memcpy(&eth->src_addr, p->mac, 6);
	return rte_eth_tx_burst(p->id, 0, &m, 1) == 1;
}

/* Ask the chain who it is, so that it knows who we are (RFC 826). */
static void
meet(uint32_t t, int side)
{
	const struct nfv_port *p = &b.tenant[t].port[side];
	uint64_t end = rte_rdtsc() + 2 * rte_get_tsc_hz();
	struct rte_mbuf *m = frame(sizeof(struct rte_ether_hdr) + sizeof(struct rte_arp_hdr));
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_arp_hdr *arp = (struct rte_arp_hdr *)(eth + 1);
	bool known = false;

	memset(&eth->dst_addr, 0xff, sizeof(eth->dst_addr));
	memcpy(&eth->src_addr, p->mac, 6);
	eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP);
	*arp = (struct rte_arp_hdr){ .arp_hardware = rte_cpu_to_be_16(RTE_ARP_HRD_ETHER),
		.arp_protocol = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4),
		.arp_hlen = 6,
		.arp_plen = 4,
		.arp_opcode = rte_cpu_to_be_16(RTE_ARP_OP_REQUEST),
		.arp_data = { .arp_sip = rte_cpu_to_be_32(address(t, side, 2)),
			.arp_tip = rte_cpu_to_be_32(address(t, side, 1)) } };
	memcpy(&arp->arp_data.arp_sha, p->mac, 6);
	party_need(rte_eth_tx_burst(p->id, 0, &m, 1) == 1, "a port takes no packet");
	while (!known) {
		party_need(rte_rdtsc() < end, "the chain does not answer ARP");
		if (rte_eth_rx_burst(p->id, 0, &m, 1) == 0)
			continue;
		eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
		arp = (struct rte_arp_hdr *)(eth + 1);
		known = eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP) &&
			arp->arp_opcode == rte_cpu_to_be_16(RTE_ARP_OP_REPLY);
		if (known && side == 0)
			b.tenant[t].chain = eth->src_addr;
		rte_pktmbuf_free(m);
	}
}

/* Host and port of a flow: neither is all of it, as with real ones. */
static void
send_one(struct rte_mbuf **m, uint32_t t, uint64_t flow)
{
	struct rte_ether_hdr *eth;
	struct rte_ipv4_hdr *ip;
	struct rte_udp_hdr *udp;

	*m = frame((uint16_t)b.bytes);
	eth = rte_pktmbuf_mtod(*m, struct rte_ether_hdr *);
	ip = (struct rte_ipv4_hdr *)(eth + 1);
	udp = (struct rte_udp_hdr *)(ip + 1);
	eth->dst_addr = b.tenant[t].chain;
	memcpy(&eth->src_addr, b.tenant[t].port[0].mac, 6);
	eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	*ip = (struct rte_ipv4_hdr){ .version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16((uint16_t)(b.bytes - sizeof(*eth))),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = rte_cpu_to_be_32(address(t, 0, 256 + (uint32_t)(flow / 256 % 60000))),
		.dst_addr = rte_cpu_to_be_32(address(t, 1, 2)) };
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	*udp = (struct rte_udp_hdr){ .src_port = rte_cpu_to_be_16((uint16_t)(1024 + flow % 256)),
		.dst_port = rte_cpu_to_be_16((uint16_t)(5000 + flow / (256 * 60000) % 50000)),
		.dgram_len = rte_cpu_to_be_16((uint16_t)(b.bytes - sizeof(*eth) - sizeof(*ip))) };
}

static uint64_t
next_random(void)
{
	b.random = b.random * 6364136223846793005u + 1442695040888963407u;
	return b.random >> 33;
}

static void
send_burst(uint32_t t, bool in_order)
{
	struct tenant *who = &b.tenant[t];
	struct rte_mbuf *m[BURST];
	uint16_t n;

	for (int i = 0; i < BURST; i++)
		send_one(&m[i], t, t > 0 || in_order ? who->fresh++ : next_random() % b.flows);
	n = rte_eth_tx_burst(who->port[0].id, 0, m, BURST);
	who->sent += n;
	rte_pktmbuf_free_bulk(m + n, BURST - n);
}

static void
drain(void)
{
	for (uint32_t t = 0; t < b.tenants; t++)
		for (int side = 0; side < 2; side++) {
			struct rte_mbuf *m[BURST];
			uint16_t n = rte_eth_rx_burst(b.tenant[t].port[side].id, 0, m, BURST);

			for (uint16_t i = 0; i < n; i++) {
				bool data = m[i]->pkt_len == b.bytes;

				b.tenant[t].back += side == 1 && data;
				if (data || !answer(t, side, m[i]))
					rte_pktmbuf_free(m[i]);
			}
		}
}

/* What is lost on the way stays on the way; so losses end the run soon, and are seen. Of the flood much
 * may be refused, once the table is full. */
static void
run(double seconds)
{
	uint64_t end = rte_rdtsc() + (uint64_t)(seconds * (double)rte_get_tsc_hz());

	while (rte_rdtsc() < end) {
		bool room = b.tenant[0].sent - b.tenant[0].back < ON_WAY;

		for (uint32_t t = 0; room && t < b.tenants; t++)
			for (uint32_t k = 0; k < (t == 0 ? 1 : b.flood); k++)
				send_burst(t, false);
		drain();
		middle_tick(&b.middle);
	}
}

/* All of the first tenant's flows begin, so that what follows is their going on. */
static void
begin_flows(void)
{
	struct tenant *who = &b.tenant[0];

	while (who->fresh < b.flows) {
		if (who->sent - who->back < ON_WAY)
			send_burst(0, true);
		drain();
	}
}

static void
print(uint64_t sent, uint64_t lost)
{
	json_t *pipeline = middle_json(&b.middle), *all;
	const char *name = nfv_chain_name(b.middle.app.chain[0].shard[0]);
	json_t *cycles = json_object_get(
		json_object_get(
			json_object_get(json_object_get(pipeline, "chains"), name), "cycles"),
		"all");

	all = json_pack("{s:f, s:I, s:I, s:o}", "work",
		(double)rte_get_tsc_hz() / json_real_value(cycles), "packets", (json_int_t)sent,
		"lost", (json_int_t)lost, "pipeline", pipeline);
	json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(7));
	putchar('\n');
	json_decref(all);
}

int
main(int argc, char **argv)
{
	uint64_t sent;
	int own = 0;

	while (own < argc && strcmp(argv[own], "--") != 0)
		own++;
	party_need(own < argc, "EAL's options come first, then --");
	parse_options(argc - own, argv + own);
	party_need(rte_eal_init(own, argv) >= 0, "DPDK's environment does not start; see above");
	middle_create(&b.middle, b.config, b.profile);
	b.tenants = b.middle.app.conf.chains.n;
	party_need(b.tenants <= TENANTS, "there are at most two tenants");
	b.pool = rte_pktmbuf_pool_create(
		"tenants", 65535, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, (int)rte_socket_id());
	party_need(b.pool != NULL, "no memory for packet buffers; give EAL more (-m)");
	for (uint32_t t = 0; t < b.tenants; t++) {
		open_ports(t);
		for (int side = 0; side < 2; side++)
			meet(t, side);
	}
	begin_flows();
	run(SETTLE);
	middle_mark(&b.middle);
	sent = b.tenant[0].sent;
	run(b.seconds);
	sent = b.tenant[0].sent - sent;
	for (int i = 0; i < 100000; i++)
		drain();
	print(sent, b.tenant[0].sent - b.tenant[0].back);
	middle_destroy(&b.middle);
	for (uint32_t t = 0; t < b.tenants; t++)
		for (int side = 0; side < 2; side++)
			nfv_port_close(&b.tenant[t].port[side]);
	rte_mempool_free(b.pool);
	rte_eal_cleanup();
	return 0;
}
