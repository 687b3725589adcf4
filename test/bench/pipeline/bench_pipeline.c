/**
 * @file
 * Cycles a packet costs in each part of a chain, on one core, without a kernel or a device in the way:
 *
 *   bench_pipeline [--json] [--rounds N] [--chain NAME] [--flows N] [--sip YAML] [--beside NAME=CYCLES]…
 *
 * 64-byte UDP packets of established flows, half of them each way, visited in shuffled order; then
 * the messages of SIP calls. All chains are there from the start and take turns, a round each.
 * --chain and --flows pick one of them, for profiling or for who wants `sip` alone. --sip is the SIP
 * stage's section, of one that forwards without state: messages are sent again and again. --beside
 * puts a figure of another program into the output.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "eal.h"
#include "sip_call.h"
#include "table.h"

#define PAYLOAD 18 /* makes a frame of 60 bytes, 64 with its check sum */
#define CALLS   256

struct flow {
	struct rig_tuple out, back;
	uint32_t index;
};

static const struct {
	const char *name;
	const char *stage[RIG_STAGES];
	uint32_t n;
} chain_kind[] = {
	{ "no stages", { NULL }, 0 },
	{ "firewall", { "firewall" }, 1 },
	{ "nat", { "nat" }, 1 },
	{ "firewall+nat", { "firewall", "nat" }, 2 },
};
static const uint32_t sizes[] = { 1 << 10, 1 << 16, 1 << 19 };
static const char *const sip_stage[] = { "sip" };

#define KINDS  (sizeof(chain_kind) / sizeof(chain_kind[0]))
#define SIZES  (sizeof(sizes) / sizeof(sizes[0]))
#define BESIDE 16

/* One chain, its flows, its line of the table. */
struct lane {
	struct rig_chain chain;
	struct flow *flow;
	uint32_t at[2]; /* where the next packet of either direction is taken from */
	struct line line;
};

struct options {
	bool json;
	uint32_t rounds, flows;
	const char *chain, *sip;
	struct {
		const char *name;
		double cycles;
	} beside[BESIDE];
	int n_beside;
};

static bool
has_calls(const struct options *o)
{
	return o->chain == NULL || strcmp(o->chain, "sip") == 0;
}

static uint64_t random_state = 1;

static uint32_t
below(uint32_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((random_state >> 33) % n);
}

/* Flow i is from one of the hosts inside, 32 flows each, to some host outside. */
static struct flow
make_flow(uint32_t i)
{
	struct rig_tuple t = { .be_src = htobe32(0x0a000100 + i / 32),
		.be_dst = htobe32(0xc6120000 + below(1 << 16)),
		.be_sport = htobe16((uint16_t)(20000 + i % 32 + 32 * below(1000))),
		.be_dport = htobe16((uint16_t)(1024 + below(60000))) };

	return (struct flow){
		.out = t, .back = { t.be_dst, t.be_src, t.be_dport, t.be_sport }, .index = i
	};
}

static void
send(struct rig *rig, const struct flow *f, enum nfv_dir dir)
{
	uint8_t data[PAYLOAD] = { 0 };

	memcpy(data, &f->index, sizeof(f->index));
	rig_udp(rig, dir == NFV_OUTWARD ? 0 : 1, dir == NFV_OUTWARD ? &f->out : &f->back, data,
		sizeof(data));
}

/* Answers go to where the packet seems to come from outside. */
static void
learn(void *arg, unsigned int port, const uint8_t *frame, uint16_t len)
{
	const struct nfv_ip4 *ip = (const struct nfv_ip4 *)(frame + NFV_ETH_LEN);
	const struct nfv_udp *udp = (const struct nfv_udp *)(ip + 1);
	struct lane *lane = arg;
	uint32_t index;

	if (port != 1 || len < NFV_ETH_LEN + NFV_IP4_LEN + NFV_UDP_LEN + PAYLOAD)
		return;
	memcpy(&index, udp + 1, sizeof(index));
	lane->flow[index].back.be_dst = ip->be_src;
	lane->flow[index].back.be_dport = udp->be_sport;
}

static void
establish(struct rig *rig, struct lane *lane, enum nfv_dir dir)
{
	for (uint32_t i = 0; i < lane->line.flows;) {
		unsigned int n = 0;

		for (; n < RIG_BATCH / 2 && i < lane->line.flows; n++)
			send(rig, &lane->flow[i++], dir);
		if (rig_run(rig, &lane->chain, NULL, learn, lane) != n)
			rig_give_up(&lane->chain, "not all flows could be established");
	}
}

static void
shuffle(struct flow *f, uint32_t n)
{
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t j = below(i + 1);
		struct flow t = f[i];

		f[i] = f[j];
		f[j] = t;
	}
}

static void
lane_init(struct rig *rig, struct lane *lane, size_t kind, uint32_t flows)
{
	char file[] = "/tmp/bench_rules_XXXXXX", yaml[512];
	int fd = mkstemp(file), n;

	dprintf(fd, "allow out udp from 10.0.0.0/8 to any\ndefault drop\n");
	n = snprintf(yaml, sizeof(yaml),
		"firewall: {rules: %s}\nnat: {mappings: %u, addresses: [192.0.2.1", file, 1 << 20);
	for (int i = 1; i < RIG_ADDRESSES; i++)
		n += snprintf(yaml + n, sizeof(yaml) - (size_t)n, ", 192.0.2.%d", i + 2);
	snprintf(yaml + n, sizeof(yaml) - (size_t)n, "]}\n");
	rig_chain_create(rig, &lane->chain, chain_kind[kind].stage, chain_kind[kind].n, yaml,
		flows + flows / 8, RIG_ADDRESSES);
	unlink(file);
	close(fd);
	snprintf(lane->line.what, sizeof(lane->line.what), "%s", chain_kind[kind].name);
	lane->line.stage = chain_kind[kind].stage;
	lane->line.n_stages = chain_kind[kind].n;
	lane->line.flows = flows;
	lane->flow = malloc(flows * sizeof(*lane->flow));
	if (lane->flow == NULL)
		abort();
	for (uint32_t i = 0; i < flows; i++)
		lane->flow[i] = make_flow(i);
	establish(rig, lane, NFV_OUTWARD);
	establish(rig, lane, NFV_INWARD);
	shuffle(lane->flow, flows);
	lane->at[1] = flows / 2;
}

/* Every flow once at least; few flows often enough for a median. */
static void
lane_round(struct rig *rig, struct lane *lane)
{
	uint32_t flows = lane->line.flows, packets = flows < 1 << 17 ? 1 << 17 : flows;

	for (uint32_t done = 0; done < packets; done += RIG_BATCH) {
		struct rig_cycles c;

		for (unsigned int i = 0; i < RIG_BATCH; i++) {
			uint32_t *at = &lane->at[i % 2];

			send(rig, &lane->flow[*at], i % 2 == 0 ? NFV_OUTWARD : NFV_INWARD);
			*at = *at + 1 < flows ? *at + 1 : 0;
		}
		if (rig_run(rig, &lane->chain, &c, NULL, NULL) != RIG_BATCH)
			rig_give_up(&lane->chain, "packets were lost");
		line_add(&lane->line, &c);
	}
	line_end_round(&lane->line);
}

static void
lane_fini(struct lane *lane)
{
	rig_chain_destroy(&lane->chain);
	line_fini(&lane->line);
	free(lane->flow);
}

struct calls {
	struct rig_chain chain;
	struct sip_call *call;
	struct line line[CALL_MESSAGES];
};

static void
calls_init(struct rig *rig, struct calls *calls, const char *yaml)
{
	calls->call = calloc(CALLS, sizeof(*calls->call));
	if (calls->call == NULL)
		abort();
	rig_chain_create(rig, &calls->chain, sip_stage, 1, yaml, 1024, 1);
	for (uint32_t i = 0; i < CALLS; i++)
		sip_call_make(rig, &calls->chain, &calls->call[i], i);
	for (int m = 0; m < CALL_MESSAGES; m++) {
		struct line *l = &calls->line[m];

		snprintf(l->what, sizeof(l->what), "%s", sip_message_name[m]);
		l->stage = sip_stage;
		l->n_stages = 1;
		l->flows = calls->call[0].message[m].n;
	}
}

static void
calls_round(struct rig *rig, struct calls *calls)
{
	for (int m = 0; m < CALL_MESSAGES; m++) {
		for (int batch = 0; batch < 32; batch++) {
			struct rig_cycles c;

			for (int i = 0; i < CALLS; i++)
				sip_call_send(rig, &calls->call[i], (enum sip_message)m);
			if (rig_run(rig, &calls->chain, &c, NULL, NULL) != CALLS)
				rig_give_up(&calls->chain, "SIP messages were lost");
			line_add(&calls->line[m], &c);
		}
		line_end_round(&calls->line[m]);
	}
}

static void
calls_fini(struct calls *calls)
{
	rig_chain_destroy(&calls->chain);
	for (int m = 0; m < CALL_MESSAGES; m++)
		line_fini(&calls->line[m]);
	free(calls->call);
}

/* Cycles of a whole call: five messages. */
static double
call_cycles(const struct calls *calls, enum column col)
{
	double sum = 0;

	for (int m = 0; m < CALL_MESSAGES; m++)
		sum += line_median(&calls->line[m], col);
	return sum;
}

static void
print_table(const struct options *opt, const struct lane *lane, uint32_t lanes,
	const struct calls *calls, uint64_t hz)
{
	printf("64-byte UDP packets, one core: cycles a packet at %.0f MHz of the time stamp counter,\n"
	       "medians of %u rounds. Flows are established; half of the packets travel each way;\n"
	       "flows are visited in shuffled order. rx, tx: rings in memory, no device. l3-in, l3-out:\n"
	       "checks, ARP, routes. flow: look-up and state, once for the chain. rest: between the\n"
	       "parts. tick: timers. total: all but tick. work: total without rx and tx; best: work in\n"
	       "the round that other programs disturbed least.\n",
		(double)hz / 1e6, opt->rounds);
	table_head(stdout, "chain");
	for (uint32_t i = 0; i < lanes; i++)
		table_line(stdout, &lane[i].line);
	if (has_calls(opt)) {
		printf("\nSIP messages through a chain of the stage sip; `flows` is the message's length.\n");
		table_head(stdout, "message");
		for (int m = 0; m < CALL_MESSAGES; m++)
			table_line(stdout, &calls->line[m]);
		printf("a call (five messages): %.0f cycles; %.0f calls a second, %.2f M messages a second\n",
			call_cycles(calls, COL_TOTAL), (double)hz / call_cycles(calls, COL_TOTAL),
			5 * (double)hz / call_cycles(calls, COL_TOTAL) / 1e6);
	}
	if (opt->n_beside > 0)
		printf("\nbeside it, in the same run, cycles a packet:\n");
	for (int i = 0; i < opt->n_beside; i++)
		printf("%-40s %8.1f\n", opt->beside[i].name, opt->beside[i].cycles);
}

static void
print_json(const struct options *opt, const struct lane *lane, uint32_t lanes,
	const struct calls *calls, uint64_t hz)
{
	json_t *chains = json_array(), *sip = json_array(), *beside = json_object(), *all;

	for (uint32_t i = 0; i < lanes; i++)
		json_array_append_new(chains, line_json(&lane[i].line));
	for (int m = 0; has_calls(opt) && m < CALL_MESSAGES; m++)
		json_array_append_new(sip, line_json(&calls->line[m]));
	for (int i = 0; i < opt->n_beside; i++)
		json_object_set_new(beside, opt->beside[i].name, json_real(opt->beside[i].cycles));
	all = json_pack("{s:f, s:i, s:i, s:o, s:o, s:o}", "tsc_mhz", (double)hz / 1e6, "rounds",
		(int)opt->rounds, "frame", 64, "chains", chains, "sip", sip, "beside", beside);
	if (has_calls(opt)) {
		double calls_s = (double)hz / call_cycles(calls, COL_TOTAL);

		json_object_set_new(all, "calls_per_second", json_real(calls_s));
		json_object_set_new(
			all, "sip_messages_per_second", json_real(CALL_MESSAGES * calls_s));
	}
	json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(7));
	putchar('\n');
	json_decref(all);
}

static void
parse_beside(struct options *o, char *arg)
{
	char *eq = strchr(arg, '=');

	if (eq == NULL || o->n_beside == BESIDE)
		return;
	*eq = '\0';
	o->beside[o->n_beside].name = arg;
	o->beside[o->n_beside++].cycles = strtod(eq + 1, NULL);
}

static void
parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = { { "json", no_argument, NULL, 'j' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "chain", required_argument, NULL, 'c' },
		{ "flows", required_argument, NULL, 'f' }, { "sip", required_argument, NULL, 's' },
		{ "beside", required_argument, NULL, 'b' }, { NULL, 0, NULL, 0 } };
	int c;

	*o = (struct options){ .rounds = 5, .sip = "sip: {mode: stateless, port: 5060}\n" };
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'j':
			o->json = true;
			break;
		case 'r':
			o->rounds = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'c':
			o->chain = optarg;
			break;
		case 'f':
			o->flows = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 's':
			o->sip = optarg;
			break;
		case 'b':
			parse_beside(o, optarg);
			break;
		default:
			exit(2);
		}
	}
	if (o->rounds == 0 || o->rounds > TABLE_ROUNDS) {
		fprintf(stderr, "bench: --rounds takes 1 to %d\n", TABLE_ROUNDS);
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	static struct lane lane[KINDS * SIZES];
	static struct calls calls;
	struct options opt;
	uint32_t lanes = 0;
	static struct rig rig;

	parse_options(argc, argv, &opt);
	test_eal("2048");
	rig_init(&rig);
	for (size_t k = 0; k < KINDS; k++)
		for (size_t s = 0; s < SIZES; s++)
			if ((opt.chain == NULL || strcmp(opt.chain, chain_kind[k].name) == 0) &&
				(opt.flows == 0 || opt.flows == sizes[s]))
				lane_init(&rig, &lane[lanes++], k, sizes[s]);
	if (has_calls(&opt))
		calls_init(&rig, &calls, opt.sip);
	for (uint32_t r = 0; r < opt.rounds; r++) {
		for (uint32_t i = 0; i < lanes; i++)
			lane_round(&rig, &lane[i]);
		if (has_calls(&opt))
			calls_round(&rig, &calls);
	}
	print_table(&opt, lane, lanes, &calls, rig.tsc_hz);
	if (opt.json)
		print_json(&opt, lane, lanes, &calls, rig.tsc_hz);
	for (uint32_t i = 0; i < lanes; i++)
		lane_fini(&lane[i]);
	if (has_calls(&opt))
		calls_fini(&calls);
	return 0;
}
