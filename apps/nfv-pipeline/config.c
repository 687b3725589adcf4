#include <stdlib.h>
#include <string.h>

#include "config.h"

#define FIELD(type, member, name_, help_, ...)                                                     \
	{                                                                                          \
		.name = name_, .help = help_, .offset = offsetof(struct type, member), __VA_ARGS__ \
	}
#define NAME .type = NFV_CONF_STRING, .min = 1, .max = 31

static const struct nfv_conf_field port_fields[] = {
	FIELD(conf_port, name, "name", "what the port is called in this file", NAME),
	FIELD(conf_port, device, "device",
		"PCI address (0000:3b:02.1) or DPDK virtual device (net_af_packet0,iface=eth0)",
		.type = NFV_CONF_STRING, .min = 1, .max = 127),
	FIELD(conf_port, addresses, "addresses", "own addresses; their prefixes are on-link",
		.type = NFV_CONF_PREFIX, .list = true),
	FIELD(conf_port, mtu, "mtu", "largest IP packet", .type = NFV_CONF_UINT, .min = 576,
		.max = 9000, .def = "1500"),
	FIELD(conf_port, descriptors, "descriptors", "length of the device's queues",
		.type = NFV_CONF_UINT, .min = 32, .max = 16384, .def = "1024"),
	{ .name = NULL },
};

static const struct nfv_conf_schema port_schema = {
	.size = sizeof(struct conf_port),
	.help = "network ports",
	.fields = port_fields,
};

static const struct nfv_conf_field route_fields[] = {
	FIELD(conf_route, to, "to", "destinations", .type = NFV_CONF_PREFIX),
	FIELD(conf_route, via, "via", "next hop; without it the destinations are on-link",
		.type = NFV_CONF_ADDR, .def = ""),
	FIELD(conf_route, port, "port", "the port it leaves by", NAME),
	{ .name = NULL },
};

static const struct nfv_conf_schema route_schema = {
	.size = sizeof(struct conf_route),
	.help = "static routes, longest prefix first",
	.fields = route_fields,
};

static const struct nfv_conf_field worker_fields[] = {
	FIELD(conf_worker, name, "name", "what the worker is called in this file", NAME),
	FIELD(conf_worker, lcore, "lcore", "the EAL lcore it runs on; not the main lcore",
		.type = NFV_CONF_UINT, .max = 1023),
	FIELD(conf_worker, allow_remote, "allow-remote",
		"run although a port of it sits on another NUMA node", .type = NFV_CONF_BOOL,
		.def = "false"),
	{ .name = NULL },
};

static const struct nfv_conf_schema worker_schema = {
	.size = sizeof(struct conf_worker),
	.help = "polling threads, one lcore each",
	.fields = worker_fields,
};

static const struct nfv_conf_field chain_fields[] = {
	FIELD(conf_chain, name, "name", "what the chain is called in this file", NAME),
	FIELD(conf_chain, worker, "worker", "the worker that runs it", .def = "", NAME),
	FIELD(conf_chain, workers, "workers",
		"in place of that one several, over which its traffic is spread", .list = true,
		.def = "", NAME),
	FIELD(conf_chain, inside, "inside", "the port towards the protected network", NAME),
	FIELD(conf_chain, outside, "outside", "the port towards the other network", NAME),
	FIELD(conf_chain, stages, "stages", "what packets pass, inside first", .list = true, NAME),
	{ .name = NULL },
};

static const struct nfv_conf_schema chain_schema = {
	.size = sizeof(struct conf_chain),
	.help = "stages between two ports",
	.fields = chain_fields,
};

static const struct nfv_conf_field capture_fields[] = {
	FIELD(conf_capture, at, "at",
		"a port's name, or a seam: CHAIN:0 before the first stage, CHAIN:firewall-nat between "
		"two",
		.type = NFV_CONF_STRING, .min = 1, .max = 127),
	FIELD(conf_capture, file, "file", "pcapng file to write", .type = NFV_CONF_PATH),
	FIELD(conf_capture, filter, "filter", "as tcpdump takes it", .type = NFV_CONF_STRING,
		.max = 1023, .def = ""),
	FIELD(conf_capture, snaplen, "snaplen", "bytes kept of a packet", .type = NFV_CONF_UINT,
		.min = 64, .max = 9216, .def = "2048"),
	{ .name = NULL },
};

static const struct nfv_conf_schema capture_schema = {
	.size = sizeof(struct conf_capture),
	.help = "packets to write to pcapng files from the start",
	.fields = capture_fields,
};

static const char *const isolation_runs[] = { "process", "container", NULL };
static const char *const isolation_failures[] = { "drop", "bypass", "hold", NULL };

static const struct nfv_conf_field isolation_fields[] = {
	FIELD(conf_isolation, stage, "stage", "the stage's name", NAME),
	FIELD(conf_isolation, chain, "chain",
		"in this chain; without it in all that have the stage", .def = "", NAME),
	FIELD(conf_isolation, run, "run",
		"process: started by the pipeline; container: started by somebody else, who has it connect "
		"to `socket`",
		.type = NFV_CONF_CHOICE, .choices = isolation_runs, .def = "process"),
	FIELD(conf_isolation, program, "program",
		"what to start in place of the nfv-stage that stands beside nfv-pipeline",
		.type = NFV_CONF_PATH, .def = ""),
	FIELD(conf_isolation, socket, "socket", "where nfv-stage --socket connects; made anew",
		.type = NFV_CONF_PATH, .def = ""),
	FIELD(conf_isolation, cpus, "cpus",
		"the processors that its instances run on, one each; without: any",
		.type = NFV_CONF_UINT, .max = 1023, .list = true, .def = ""),
	FIELD(conf_isolation, instances, "instances",
		"processes side by side, over which flows are spread; `scale` changes how many",
		.type = NFV_CONF_UINT, .min = 1, .max = NFV_LANES_MAX, .def = "1"),
	FIELD(conf_isolation, most, "instances-most",
		"how many `scale` may make of them; each has such a part of what is counted, as NAT's "
		"ports; 0: no more than `instances`",
		.type = NFV_CONF_UINT, .max = NFV_LANES_MAX, .def = "0"),
	FIELD(conf_isolation, ring, "ring", "packets on their way to it and back; a power of two",
		.type = NFV_CONF_UINT, .min = 64, .max = 65536, .def = "1024"),
	FIELD(conf_isolation, idle, "idle",
		"microseconds without a packet after which it naps between two looks; 0: never",
		.type = NFV_CONF_UINT, .max = 1000000, .def = "0"),
	FIELD(conf_isolation, on_failure, "on-failure",
		"what becomes of packets while no process lives: drop; bypass: they go on without the "
		"stage; hold: they wait, four times `ring` at most",
		.type = NFV_CONF_CHOICE, .choices = isolation_failures, .def = "drop"),
	FIELD(conf_isolation, memory, "memory",
		"MiB of address space for each process; 0: no limit", .type = NFV_CONF_UINT,
		.max = 1 << 20, .def = "0"),
	FIELD(conf_isolation, restarts, "restarts",
		"processes in a row that may end within a second, until it is given up; 0: any number",
		.type = NFV_CONF_UINT, .max = 1000, .def = "0"),
	FIELD(conf_isolation, probation, "probation",
		"seconds after it was replaced in which an end of the new version brings the old one back",
		.type = NFV_CONF_UINT, .min = 1, .max = 3600, .def = "10"),
	{ .name = NULL },
};

static const struct nfv_conf_schema isolation_schema = {
	.size = sizeof(struct conf_isolation),
	.help = "stages in processes of their own, without privileges",
	.fields = isolation_fields,
};

static const struct nfv_conf_field flows_fields[] = {
	FIELD(conf_flows, max, "max", "flows of each family and chain", .type = NFV_CONF_UINT,
		.min = 64, .max = 1 << 25, .def = "65536"),
	FIELD(conf_flows, udp, "udp", "UDP (RFC 4787: at least 120)", .type = NFV_CONF_UINT,
		.min = 1, .max = 86400, .def = "300"),
	FIELD(conf_flows, tcp_open, "tcp-open", "open TCP (RFC 5382: at least 7440)",
		.type = NFV_CONF_UINT, .min = 1, .max = 864000, .def = "7440"),
	FIELD(conf_flows, tcp, "tcp", "opening and closing TCP (RFC 5382: at least 240)",
		.type = NFV_CONF_UINT, .min = 1, .max = 86400, .def = "240"),
	FIELD(conf_flows, icmp, "icmp", "ICMP echo (RFC 5508: at least 60)", .type = NFV_CONF_UINT,
		.min = 1, .max = 86400, .def = "60"),
	FIELD(conf_flows, other, "other", "SCTP", .type = NFV_CONF_UINT, .min = 1, .max = 86400,
		.def = "600"),
	{ .name = NULL },
};

static const struct nfv_conf_schema flows_schema = {
	.size = sizeof(struct conf_flows),
	.help = "flow tables: size and seconds of silence after which a flow is over",
	.fields = flows_fields,
};

static const struct nfv_conf_field l3_fields[] = {
	FIELD(conf_l3, neighbours, "neighbours", "ARP and ND entries a chain keeps",
		.type = NFV_CONF_UINT, .min = 16, .max = 65536, .def = "1024"),
	FIELD(conf_l3, icmp_rate, "icmp-rate", "ICMP errors sent a second at most",
		.type = NFV_CONF_UINT, .min = 1, .max = 1000000, .def = "1000"),
	FIELD(conf_l3, reassembly, "reassembly",
		"datagrams a chain puts together at once, 64 KiB each; 0: fragments are dropped",
		.type = NFV_CONF_UINT, .max = 1024, .def = "32"),
	{ .name = NULL },
};

static const struct nfv_conf_schema l3_schema = {
	.size = sizeof(struct conf_l3),
	.help = "the ports as hosts",
	.fields = l3_fields,
};

static const char *const colour_modes[] = { "off", "static", "mcmf", NULL };
static const char *const colour_levels[] = { "l2", "llc", NULL };

static const struct nfv_conf_field colour_fields[] = {
	FIELD(conf_colour, mode, "mode",
		"off: memory as it comes; static: equal shares of the colours; mcmf: by a plan",
		.type = NFV_CONF_CHOICE, .choices = colour_modes, .def = "off"),
	FIELD(conf_colour, plan, "plan", "the plan, as mempool-color prints it",
		.type = NFV_CONF_PATH, .def = ""),
	FIELD(conf_colour, memory, "memory", "MiB to be measured, for pools and tables",
		.type = NFV_CONF_UINT, .min = 8, .max = 1 << 20, .def = "256"),
	FIELD(conf_colour, level, "level", "the cache that is meant: second level, or the last",
		.type = NFV_CONF_CHOICE, .choices = colour_levels, .def = "l2"),
	FIELD(conf_colour, required, "required",
		"end if colours cannot be told or memory is too little, instead of going on without",
		.type = NFV_CONF_BOOL, .def = "false"),
	{ .name = NULL },
};

static const struct nfv_conf_schema colour_schema = {
	.size = sizeof(struct conf_colour),
	.help = "pools and tables in pages of chosen cache colours",
	.fields = colour_fields,
};

static const struct nfv_conf_field objects_fields[] = {
	FIELD(conf_objects, folders, "folders",
		"where objects may lie; root's, as all above them, and not writable by others",
		.type = NFV_CONF_PATH, .list = true, .def = ""),
	FIELD(conf_objects, allowed, "allowed", "the list of their SHA-256, as sha256sum prints it",
		.type = NFV_CONF_PATH, .def = ""),
	{ .name = NULL },
};

static const struct nfv_conf_schema objects_schema = {
	.size = sizeof(struct conf_objects),
	.help = "which shared objects may be mapped when a stage is replaced",
	.fields = objects_fields,
};

static const struct nfv_conf_field root_fields[] = {
	FIELD(config, ports, "ports", "network ports", .type = NFV_CONF_SECTION,
		.section = &port_schema, .list = true),
	FIELD(config, routes, "routes", "static routes", .type = NFV_CONF_SECTION,
		.section = &route_schema, .list = true, .def = ""),
	FIELD(config, workers, "workers", "polling threads", .type = NFV_CONF_SECTION,
		.section = &worker_schema, .list = true),
	FIELD(config, chains, "chains", "stages between two ports", .type = NFV_CONF_SECTION,
		.section = &chain_schema, .list = true),
	FIELD(config, captures, "capture", "captures from the start", .type = NFV_CONF_SECTION,
		.section = &capture_schema, .list = true, .def = ""),
	FIELD(config, isolation, "isolation", "stages in processes of their own",
		.type = NFV_CONF_SECTION, .section = &isolation_schema, .list = true, .def = ""),
	FIELD(config, flows, "flows", "flow tables", .type = NFV_CONF_SECTION,
		.section = &flows_schema, .def = ""),
	FIELD(config, l3, "l3", "the ports as hosts", .type = NFV_CONF_SECTION,
		.section = &l3_schema, .def = ""),
	FIELD(config, colour, "colour", "cache colours", .type = NFV_CONF_SECTION,
		.section = &colour_schema, .def = ""),
	FIELD(config, objects, "objects", "shared objects that may be mapped",
		.type = NFV_CONF_SECTION, .section = &objects_schema, .def = ""),
	FIELD(config, buffers, "buffers", "packet buffers of a worker", .type = NFV_CONF_UINT,
		.min = 2048, .max = 1 << 22, .def = "16384"),
	{ .name = NULL },
};

static const struct nfv_conf_schema root_schema = {
	.size = sizeof(struct config),
	.help = "",
	.fields = root_fields,
};

int
config_find(const struct nfv_conf_list *l, size_t size, const char *name)
{
	for (uint32_t i = 0; i < l->n; i++) {
		const char *const *item = (const void *)((const uint8_t *)l->item + i * size);

		if (strcmp(*item, name) == 0)
			return (int)i;
	}
	return -1;
}

int
config_port(const struct config *c, const char *name)
{
	return config_find(&c->ports, sizeof(struct conf_port), name);
}

int
config_worker(const struct config *c, const char *name)
{
	return config_find(&c->workers, sizeof(struct conf_worker), name);
}

int
config_chain(const struct config *c, const char *name)
{
	return config_find(&c->chains, sizeof(struct conf_chain), name);
}

uint32_t
config_shards(const struct conf_chain *ch)
{
	return ch->workers.n > 0 ? ch->workers.n : 1;
}

const char *const *
config_shard(const struct conf_chain *ch, uint32_t i)
{
	return ch->workers.n > 0 ? (const char *const *)ch->workers.item + i : &ch->worker;
}

const struct conf_isolation *
config_isolation(const struct config *c, const struct conf_chain *ch, const char *stage)
{
	const struct conf_isolation *iso = c->isolation.item;

	for (uint32_t i = 0; i < c->isolation.n; i++)
		if (strcmp(iso[i].stage, stage) == 0 &&
			(iso[i].chain == NULL || iso[i].chain[0] == '\0' ||
				strcmp(iso[i].chain, ch->name) == 0))
			return &iso[i];
	return NULL;
}

uint32_t
config_instances(const struct conf_isolation *iso)
{
	if (iso == NULL)
		return 1;
	return iso->most > iso->instances ? iso->most : iso->instances;
}

static bool
is_used(const struct config *c, const char *stage)
{
	for (uint32_t i = 0; i < c->chains.n; i++) {
		const struct conf_chain *ch = (const struct conf_chain *)c->chains.item + i;

		for (uint32_t j = 0; j < ch->stages.n; j++)
			if (strcmp(((const char *const *)ch->stages.item)[j], stage) == 0)
				return true;
	}
	return false;
}

/* The stages' own sections: needed where the stage is used, checked wherever they stand. */
static int
read_sections(struct config *c, struct nfv_err *err)
{
	for (const struct nfv_stage_ops *o = nfv_stage_next(NULL); o != NULL;
		o = nfv_stage_next(o)) {
		void *filled;
		int rc;

		if (o->conf == NULL ||
			c->n_sections == sizeof(c->section) / sizeof(c->section[0]) ||
			!(is_used(c, o->name) || nfv_conf_has(c->doc, o->name)))
			continue;
		filled = calloc(1, o->conf->size);
		if (filled == NULL)
			return nfv_fail(err, ENOMEM, "out of memory");
		c->section[c->n_sections].ops = o;
		c->section[c->n_sections++].filled = filled;
		rc = nfv_conf_read(c->doc, o->name, o->conf, filled, err);
		if (rc < 0)
			return rc;
	}
	return nfv_conf_unread(c->doc, err);
}

const void *
config_section(const struct config *c, const struct nfv_stage_ops *ops)
{
	for (uint32_t i = 0; i < c->n_sections; i++)
		if (c->section[i].ops == ops)
			return c->section[i].filled;
	return NULL;
}

int
config_load(const char *path, struct config *out, struct nfv_err *err)
{
	struct nfv_conf *doc = NULL;
	int rc = nfv_conf_open(path, &doc, err);

	memset(out, 0, sizeof(*out));
	if (rc < 0)
		return rc;
	rc = nfv_conf_read(doc, NULL, &root_schema, out, err);
	out->doc = doc;
	if (rc == 0)
		rc = config_check(out, err);
	if (rc == 0)
		rc = read_sections(out, err);
	return rc;
}

void
config_free(struct config *c)
{
	for (uint32_t i = 0; i < c->n_sections; i++)
		free(c->section[i].filled);
	nfv_conf_close(c->doc);
	memset(c, 0, sizeof(*c));
}

/* "2", or "firewall-nat": the place between two stages of the chain. */
static int
find_seam(const struct conf_chain *ch, const char *text, uint32_t *out)
{
	const char *const *stage = ch->stages.item;
	uint64_t n;

	if (nfv_sv_u64(nfv_sv_str(text), 0, ch->stages.n, &n) == 0) {
		*out = (uint32_t)n;
		return 0;
	}
	for (uint32_t i = 1; i < ch->stages.n; i++) {
		size_t len = strlen(stage[i - 1]);

		if (strncmp(text, stage[i - 1], len) == 0 && text[len] == '-' &&
			strcmp(text + len + 1, stage[i]) == 0) {
			*out = i;
			return 0;
		}
	}
	return -ENOENT;
}

int
config_tap_point(const struct config *c, const char *at, struct tap_point *out, struct nfv_err *err)
{
	struct tap_point p = { .port = config_port(c, at), .chain = -1 };
	struct nfv_sv rest = nfv_sv_str(at), head = nfv_sv_cut(&rest, ':');
	const struct conf_chain *ch;
	char name[32];

	if (p.port >= 0) {
		*out = p;
		return 0;
	}
	snprintf(name, sizeof(name), "%.*s", NFV_SV_ARG(head));
	p.chain = head.n < sizeof(name) ? config_chain(c, name) : -1;
	if (p.chain < 0 || rest.p == NULL)
		return nfv_fail(err, EINVAL,
			"\"%s\" is neither a port nor CHAIN:SEAM (such as edge:0 or edge:firewall-nat)",
			at);
	ch = (const struct conf_chain *)c->chains.item + p.chain;
	if (find_seam(ch, rest.p, &p.seam) < 0)
		return nfv_fail(err, EINVAL,
			"chain \"%s\" has no seam \"%s\": give 0 to %u, or the names of two neighbours, A-B",
			name, rest.p, ch->stages.n);
	*out = p;
	return 0;
}

bool
config_same_point(const struct tap_point *a, const struct tap_point *b)
{
	return a->port == b->port && a->chain == b->chain && (a->port >= 0 || a->seam == b->seam);
}

void
config_manual(FILE *to)
{
	nfv_conf_manual(to, NULL, &root_schema);
	for (const struct nfv_stage_ops *o = nfv_stage_next(NULL); o != NULL; o = nfv_stage_next(o))
		if (o->conf != NULL)
			nfv_conf_manual(to, o->name, o->conf);
}
