/**
 * @file
 * Any frames through a whole chain: firewall, NAT and SIP between two ports, as the configuration
 * below has it.
 *
 * Input: frames one behind the other, each with three bytes before it: a byte whose bit 0 is the side
 * it comes from, bit 1 whether its checksums are left as they are, bit 2 whether its MAC addresses
 * are, bit 3 whether it lies in two buffers, bit 4 whether timers run behind it; and its length,
 * network order. The chain lives on from input to input; its clock runs fast, so that flows end.
 *
 * Besides the sanitizers' own findings and what the rig asserts of whatever is sent: no buffer is
 * lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "config.h"
#include "eal.h"
#include "rig.h"

#define BUFFERS 2047
#define LARGE   (2 * NFV_LARGE_MAX)
#define ARMED   (9 * NFV_BURST_MAX) /* what a chain holds ready to be originated, at most */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
	"ports:\n"
	"  - {name: inside, device: net_null0, addresses: [10.1.0.1/24, 'fd00:1::1/64']}\n"
	"  - {name: outside, device: net_null1, addresses: [10.2.0.1/24, 'fd00:2::1/64']}\n"
	"workers: [{name: w0, lcore: 1}]\n"
	"chains:\n"
	"  - {name: edge, worker: w0, inside: inside, outside: outside, stages: [firewall, nat, sip]}\n"
	"firewall: {rules: fuzz_chain.rules}\n"
	"nat: {addresses: [10.2.0.1], ports: 10000-10063}\n";
static const char rules[] = "allow out any from any to any\n"
			    "allow in udp from any to any port 5060\n"
			    "reject in tcp from any to any\n"
			    "default drop\n";

static struct config config; /* the stages read it as long as they live */
static struct rig *rig;

static void
write_file(const char *path, const char *what)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || fputs(what, f) < 0 || fclose(f) != 0)
		abort();
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const name[] = { "firewall", "nat", "sip" };
	char dir[] = "/tmp/fuzz_chain.XXXXXX", conf_path[64], rules_path[64];
	struct nfv_stage_use use[3] = { { .ops = NULL } };
	struct rig_conf conf = { .stage = use,
		.n_stages = 3,
		.flows = 64,
		.buffers = BUFFERS,
		.hz = 10000000,
		.large = LARGE,
		.reassembly = 8 };
	struct nfv_err err;

	(void)argc;
	(void)argv;
	if (mkdtemp(dir) == NULL)
		abort();
	snprintf(conf_path, sizeof(conf_path), "%s/fuzz_chain.yaml", dir);
	snprintf(rules_path, sizeof(rules_path), "%s/fuzz_chain.rules", dir);
	write_file(conf_path, text);
	write_file(rules_path, rules);
	if (config_load(conf_path, &config, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	test_eal("256");
	for (int i = 0; i < 3; i++) {
		use[i].ops = nfv_stage_find(name[i]);
		use[i].conf = config_section(&config, use[i].ops);
	}
	rig = rig_open(&conf);
	unlink(conf_path);
	unlink(rules_path);
	rmdir(dir);
	return 0;
}

/* As a sender would have: addresses of the link, checksums. */
static void
mend(struct nfv_pkt *p, unsigned int how, int side)
{
	struct nfv_pkt parsed = *p;

	if (!(how & 4) && p->len >= NFV_ETH_LEN) {
		/* A group address stays one. */
		if (!(p->data[0] & 1))
			memcpy(p->data, rig_port_mac[side], 6);
		memcpy(p->data + 6, rig_host_mac[side], 6);
	}
	if (how & 2)
		return;
	if (p->len >= NFV_ETH_LEN + NFV_IP4_LEN && p->data[NFV_ETH_LEN] >> 4 == 4) {
		struct nfv_ip4 *ip = (struct nfv_ip4 *)(p->data + NFV_ETH_LEN);

		if (NFV_ETH_LEN + nfv_ip4_hlen(ip) <= p->len)
			nfv_csum_ip4_set(ip);
	}
	if (nfv_pkt_parse(&parsed) == NFV_PARSE_OK && parsed.family != 0 &&
		!(parsed.flags & NFV_PKT_FRAGMENT))
		nfv_csum_l4_set(&parsed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int frames = 0;

	while (size > 3 && frames++ < 64) {
		size_t len = (size_t)data[1] << 8 | data[2];
		struct nfv_pkt p;
		struct mk m;

		if (len > size - 3)
			len = size - 3;
		if (len > 1600)
			len = 1600;
		p = mk_empty(&m);
		memcpy(p.data, data + 3, len);
		p.len = (uint16_t)len;
		mend(&p, data[0], data[0] & 1);
		rig_send_raw(rig, data[0] & 1, &p, data[0] & 8 && len > 1 ? 2 : 1);
		if (data[0] & 16) {
			rig_run(rig);
			nfv_chain_tick(rig->chain, rte_rdtsc());
			rig_forget(rig);
		}
		data += 3 + len;
		size -= 3 + len;
	}
	rig_run(rig);
	rig_forget(rig);
	nfv_chain_tick(rig->chain, rte_rdtsc());
	rig_run(rig);
	rig_forget(rig);
	if (rte_mempool_avail_count(rig->pool) + ARMED < BUFFERS ||
		rte_mempool_avail_count(rig->large_pool) + NFV_LARGE_MAX < LARGE)
		abort();
	return 0;
}
