/* The configuration: what is read, and what is told about each mistake, and where. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"

static char path[64];

/* Right as it is; every mistake replaces one line of it. */
static const char *const good[] = {
	"ports:",
	"  - {name: inside, device: net_null0, addresses: [10.1.0.1/24, \"fd00:1::1/64\"]}",
	"  - {name: outside, device: net_null1, addresses: [10.2.0.1/24], mtu: 9000}",
	"routes:",
	"  - {to: 0.0.0.0/0, via: 10.2.0.2, port: outside}",
	"workers:",
	"  - {name: w0, lcore: 1}",
	"chains:",
	"  - {name: edge, worker: w0, inside: inside, outside: outside, stages: [firewall, nat]}",
	"capture:",
	"  - {at: 'edge:firewall-nat', file: x.pcapng, filter: udp port 5060}",
	"flows: {max: 128, udp: 120}",
	"firewall: {rules: fw.rules}",
	"nat: {addresses: [10.2.0.1]}",
};

#define LINES (sizeof(good) / sizeof(good[0]))

static int
setup(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/test_config.%d.yaml", (int)getpid());
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

/* Write the good file with lines [first, last] replaced by `text`; NULL: as it is. */
static void
write_file(unsigned int first, unsigned int last, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	for (unsigned int i = 1; i <= LINES; i++) {
		if (text == NULL || i < first || i > last)
			fprintf(f, "%s\n", good[i - 1]);
		else if (i == first)
			fprintf(f, "%s\n", text);
	}
	fclose(f);
}

static int
load(struct config *c, struct nfv_err *err)
{
	err->text[0] = '\0';
	return config_load(path, c, err);
}

static void
a_good_file_is_read(void **state)
{
	struct config c;
	struct nfv_err err;
	const struct conf_port *p;
	const struct conf_chain *ch;
	const struct conf_capture *cap;

	(void)state;
	write_file(0, 0, NULL);
	if (load(&c, &err) < 0)
		fail_msg("%s", err.text);
	p = c.ports.item;
	assert_int_equal(c.ports.n, 2);
	assert_string_equal(p[0].device, "net_null0");
	assert_int_equal(p[0].mtu, 1500);
	assert_int_equal(p[0].descriptors, 1024);
	assert_int_equal(p[0].addresses.n, 2);
	assert_int_equal(p[1].mtu, 9000);
	assert_int_equal(config_port(&c, "outside"), 1);
	assert_int_equal(config_port(&c, "outsid"), -1);
	assert_int_equal(config_worker(&c, "w0"), 0);
	assert_int_equal(config_chain(&c, "edge"), 0);
	assert_int_equal(config_chain(&c, "inside"), -1);
	ch = c.chains.item;
	assert_int_equal(ch->stages.n, 2);
	cap = c.captures.item;
	assert_int_equal(cap->snaplen, 2048);
	/* Beside the file that names it. */
	assert_string_equal(cap->file, "/tmp/x.pcapng");
	assert_int_equal(c.flows.max, 128);
	assert_int_equal(c.flows.udp, 120);
	assert_int_equal(c.flows.tcp_open, 7440);
	assert_int_equal(c.l3.neighbours, 1024);
	assert_int_equal(c.buffers, 16384);
	assert_non_null(config_section(&c, nfv_stage_find("nat")));
	assert_non_null(config_section(&c, nfv_stage_find("firewall")));
	assert_null(config_section(&c, nfv_stage_find("sip")));
	config_free(&c);
	config_free(&c);
}

struct mistake {
	unsigned int first, last; /* lines that are replaced */
	const char *text;         /* by this; the place that is told stands behind the first ^ */
	const char *words;        /* that the sentence holds, cut by | */
};

static const struct mistake mistake[] = {
	/* ports */
	{ 1, 3, "ports: ^[]", "port|between 1 and 32" },
	{ 1, 3, "ports: ^7", "ports must be a list" },
	{ 1, 3, "ports: [^7]", "mapping" },
	{ 2, 2, "  - ^{name: inside, addresses: [10.1.0.1/24]}", "device is missing|PCI" },
	{ 2, 2, "  - {name: ^'', device: net_null0, addresses: [10.1.0.1/24]}", "name|1 to 31" },
	{ 2, 2, "  - {name: ^abcdefghijklmnopqrstuvwxyz012345, device: net_null0, addresses: []}",
		"name|1 to 31" },
	{ 2, 2, "  - {name: inside, device: ^eth0, addresses: [10.1.0.1/24]}",
		"eth0|virtual device" },
	{ 2, 2, "  - {name: inside, device: net_null0, addresses: ^[]}", "addresses|at least one" },
	{ 2, 2, "  - {name: inside, device: net_null0, addresses: [^10.1.0.]}", "10.1.0.|length" },
	{ 2, 2, "  - {name: inside, device: net_null0, addresses: [^10.1.0.1/33]}", "10.1.0.1/33" },
	{ 2, 2, "  - {name: inside, device: net_null0, addresses: [10.1.0.1/24, ^10.1.0.1/8]}",
		"10.1.0.1 already|inside" },
	{ 2, 2, "  - {name: inside, device: net_null0, addresses: ^10.1.0.1/24}", "list" },
	{ 2, 2, "  - {name: inside, device: net_null0, addresses: [10.1.0.1/24], mtu: ^575}",
		"576|9000" },
	{ 2, 2, "  - {name: inside, device: net_null0, addresses: [10.1.0.1/24], mtu: ^9001}",
		"9000" },
	{ 2, 2, "  - {name: inside, device: net_null0, addresses: [10.1.0.1/24], mtu: ^-1}", "-1" },
	{ 2, 2, "  - {name: inside, device: net_null0, addresses: [10.1.0.1/24], mtu: ^1500.0}",
		"number" },
	{ 2, 2, "  - {name: inside, device: net_null0, addresses: [10.1.0.1/24], mtu: ^0x600}",
		"number" },
	{ 2, 2, "  - {name: inside, device: net_null0, addresses: [10.1.0.1/24], mtu: ^}",
		"number" },
	{ 2, 2, "  - {name: inside, device: net_null0, addresses: ['fd00::1/64'], mtu: ^1279}",
		"1280|IPv6" },
	{ 2, 2, "  - {name: inside, device: net_null0, addresses: [10.1.0.1/24], ^colour: red}",
		"unknown key \"colour\"|known here: name device" },
	{ 2, 2, "  - {name: inside, device: net_null0, addresses: [10.1.0.1/24], ^name: x}",
		"stands twice|line 2" },
	{ 3, 3, "  - {name: ^inside, device: net_null1, addresses: [10.2.0.1/24]}",
		"already a port named \"inside\"" },
	{ 3, 3, "  - {name: outside, device: ^net_null0, addresses: [10.2.0.1/24]}",
		"net_null0 already|\"inside\"" },
	{ 3, 3, "  - {name: outside, device: net_null1, addresses: [^10.1.0.1/16]}",
		"10.1.0.1 already|\"inside\"" },
	{ 4, 4, "  - {name: ^spare, device: net_null2, addresses: [10.3.0.1/24]}\nroutes:",
		"spare|in no chain" },
	/* routes */
	{ 5, 5, "  - {to: ^default, via: 10.2.0.2, port: outside}", "to is|length" },
	{ 5, 5, "  - {to: 0.0.0.0/0, via: ^10.3.0.2, port: outside}",
		"10.3.0.2|prefixes|\"outside\"" },
	{ 5, 5, "  - {to: 0.0.0.0/0, via: ^'fd00::1', port: outside}", "family" },
	{ 5, 5, "  - {to: 0.0.0.0/0, via: 10.2.0.2, port: ^nowhere}", "no port named \"nowhere\"" },
	{ 5, 5, "  - ^{to: 0.0.0.0/0, via: 10.2.0.2}", "port is missing" },
	{ 5, 5, "  - {to: ^10.1.0.0/24, via: 10.2.0.2, port: outside}", "already a route" },
	{ 5, 5,
		"  - {to: 0.0.0.0/0, via: 10.2.0.2, port: outside}\n"
		"  - {to: ^0.0.0.0/0, via: 10.1.0.2, port: inside}",
		"already a route to 0.0.0.0/0" },
	{ 5, 5, "  - {to: 0.0.0.0/0, via: ^10.2.0.1, port: outside}", "10.2.0.1|itself" },
	{ 3, 3, "  - {name: outside, device: net_null1, addresses: [10.2.0.1/24, ^10.1.0.9/24]}",
		"10.1.0.9/24|\"inside\"" },
	/* workers */
	{ 7, 7, "  - {name: w0, lcore: ^1024}", "0 to 1023" },
	{ 7, 7, "  - ^{name: w0}", "lcore is missing" },
	{ 7, 7, "  - {name: w0, lcore: 1, allow-remote: ^yes}", "true or false" },
	{ 7, 7, "  - {name: w0, lcore: 1}\n  - {name: w1, lcore: ^1}", "lcore 1 already|\"w0\"" },
	{ 7, 7, "  - {name: w0, lcore: 1}\n  - {name: ^w0, lcore: 2}", "already a worker" },
	/* chains */
	{ 8, 9, "chains: ^[]", "chain|between 1 and 16" },
	{ 8, 9, "chains:^", "chains must be a list" },
	{ 9, 9, "  - {name: edge, worker: w0, workers: ^[w0], inside: inside, outside: outside, stages: []}",
		"either worker or workers" },
	{ 9, 9, "  - {name: ^edge, inside: inside, outside: outside, stages: []}",
		"\"edge\" has no worker" },
	{ 9, 9, "  - {name: edge, workers: [w0, ^w9], inside: inside, outside: outside, stages: []}",
		"no worker named \"w9\"" },
	{ 9, 9, "  - {name: edge, workers: [w0, ^w0], inside: inside, outside: outside, stages: []}",
		"\"w0\" stands twice" },
	{ 9, 9, "  - {name: edge, worker: ^w9, inside: inside, outside: outside, stages: []}",
		"no worker named \"w9\"" },
	{ 9, 9, "  - {name: edge, worker: w0, inside: ^nowhere, outside: outside, stages: []}",
		"no port named \"nowhere\"" },
	{ 9, 9, "  - {name: edge, worker: w0, inside: inside, outside: ^inside, stages: []}",
		"same port \"inside\"" },
	{ 9, 9, "  - {name: edge, worker: w0, inside: inside, outside: outside, stages: ^nat}",
		"list" },
	{ 9, 9, "  - {name: edge, worker: w0, inside: inside, outside: outside, stages: [nat, ^gnat]}",
		"no stage \"gnat\"|known: firewall nat sip" },
	{ 9, 9,
		"  - {name: edge, worker: w0, inside: inside, outside: outside, stages: ^[nat, nat, nat, "
		"nat, nat, nat, nat, nat, nat, nat, nat, nat, nat, nat, nat, nat, nat]}",
		"at most 16 stages" },
	{ 10, 10,
		"  - {name: back, worker: w0, inside: ^outside, outside: inside, stages: []}\ncapture:",
		"\"outside\" is already|\"edge\"" },
	/* captures */
	{ 11, 11, "  - {at: ^nowhere, file: x}", "nowhere|port|SEAM" },
	{ 11, 11, "  - {at: ^edge, file: x}", "edge:0" },
	{ 11, 11, "  - {at: ^'edge:3', file: x}", "no seam \"3\"|0 to 2" },
	{ 11, 11, "  - {at: ^'edge:nat-firewall', file: x}", "no seam" },
	{ 11, 11, "  - ^{at: inside}", "file is missing" },
	{ 11, 11, "  - {at: inside, file: ^''}", "file" },
	{ 11, 11, "  - {at: inside, file: x, filter: ^udp and and}", "udp and and|syntax" },
	{ 11, 11, "  - {at: inside, file: x, snaplen: ^63}", "64 to 9216" },
	{ 11, 11, "  - {at: 'edge:1', file: x}\n  - {at: ^'edge:firewall-nat', file: y}",
		"already" },
	{ 11, 11, "  - {at: inside, file: x}\n  - {at: ^inside, file: y}", "already" },
	/* stages in processes of their own */
	{ 12, 12, "isolation: ^{stage: nat}", "list" },
	{ 12, 12, "isolation: [{stage: ^gnat}]", "no chain has a stage \"gnat\"" },
	{ 12, 12, "isolation: [{stage: ^sip}]", "no chain has a stage \"sip\"" },
	{ 12, 12, "isolation: [{stage: nat}, {stage: ^nat, chain: edge}]", "isolated already" },
	{ 12, 12, "isolation: [{stage: nat, chain: ^hedge}]", "no chain named \"hedge\"" },
	{ 12, 12, "isolation: [{stage: nat, run: ^pod}]", "one of process container" },
	{ 12, 12, "isolation: [{stage: nat, run: ^container}]", "`socket`" },
	{ 12, 12, "isolation: [{stage: nat, socket: /run/nat, run: ^process}]", "`socket`" },
	{ 12, 12, "isolation: [{stage: nat, run: container, socket: ^/run/nat, program: /x}]",
		"starts its own" },
	{ 12, 12, "isolation: [{stage: nat, on-failure: ^pass}]", "drop bypass hold" },
	{ 12, 12, "isolation: [{stage: nat, ring: ^100}]", "no power of two" },
	{ 12, 12, "isolation: [{stage: nat, ring: ^32}]", "64 to 65536" },
	{ 12, 12, "isolation: [{stage: nat, cpus: [^1024]}]", "0 to 1023" },
	{ 7, 9,
		"  - {name: w0, lcore: 1}\n  - {name: w1, lcore: 2}\nchains:\n  - {name: edge, workers: "
		"[w0, w1], inside: inside, outside: outside, stages: [firewall, nat]}\n"
		"isolation: [{stage: ^nat}]",
		"its other workers know|one worker" },
	/* instances */
	{ 12, 12, "isolation: [{stage: nat, instances: ^0}]", "instances|1 to 8" },
	{ 12, 12, "isolation: [{stage: nat, instances-most: ^9}]", "instances-most|0 to 8" },
	{ 12, 12, "isolation: [{stage: nat, instances: 4, instances-most: ^2}]",
		"2 are fewer|4 instances" },
	{ 12, 12, "isolation: [{stage: nat, run: container, socket: /x, instances: ^2}]",
		"container|run: process" },
	{ 9, 9,
		"  - {name: edge, worker: w0, inside: inside, outside: outside, stages: [firewall, nat, "
		"sip]}\nisolation: [{stage: sip, instances-most: ^2}]",
		"one instance only|workers" },
	{ 12, 12, "isolation: [{stage: nat, probation: ^0}]", "1 to 3600" },
	{ 12, 12, "objects: {folders: ^/usr/lib/nfv, allowed: /etc/x}", "list" },
	/* the rest */
	{ 12, 12, "flows: {max: ^63}", "64 to" },
	{ 12, 12, "flows: {udp: ^0}", "udp" },
	{ 12, 12, "flows: ^7", "mapping" },
	{ 12, 12, "l3: {icmp-rate: ^0}", "icmp-rate" },
	{ 12, 12, "buffers: ^2047", "2048" },
	{ 12, 12, "^natt: {}", "unknown section \"natt\"" },
	{ 12, 12, "^ports: []", "stands twice|line 1" },
	{ 12, 12, "^[a, b]: c", "plain word" },
	{ 12, 12, "sip: {port: ^0}", "1 to 65535" },
	{ 13, 13, "firewall: {^rule: fw.rules}", "unknown key \"rule\"" },
	{ 14, 14, "nat: {addresses: [^10.2.0.0.1]}", "10.2.0.0.1" },
	{ 14, 14, "nat: {addresses: [10.2.0.1], ports: ^2000-1000}", "A-B" },
	{ 1, LINES, "^- a", "top level" },
	{ 1, LINES, "^just words", "top level" },
};

/* Whether `text` holds each of the words, which are cut by |. */
static bool
holds(const char *text, const char *words)
{
	char copy[256], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *w = strtok_r(copy, "|", &save); w != NULL; w = strtok_r(NULL, "|", &save))
		if (strstr(text, w) == NULL)
			return false;
	return true;
}

static void
each_mistake_is_told_with_its_place(void **state)
{
	unsigned int wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(mistake) / sizeof(mistake[0]); i++) {
		const struct mistake *m = &mistake[i];
		const char *mark = strchr(m->text, '^'), *line = m->text;
		char text[512], place[128];
		unsigned int lines = 0;
		struct config c;
		struct nfv_err err;
		int rc;

		assert_non_null(mark);
		snprintf(text, sizeof(text), "%.*s%s", (int)(mark - m->text), m->text, mark + 1);
		for (const char *p = m->text; p < mark; p++) {
			if (*p == '\n') {
				lines++;
				line = p + 1;
			}
		}
		snprintf(place, sizeof(place), "%s:%u:%d: ", path, m->first + lines,
			(int)(mark - line) + 1);
		write_file(m->first, m->last, text);
		rc = load(&c, &err);
		config_free(&c);
		if (rc == -EINVAL && strncmp(err.text, place, strlen(place)) == 0 &&
			holds(err.text, m->words))
			continue;
		print_error("%s\n  wanted %s… %s\n  got    %s\n", text, place, m->words,
			rc < 0 ? err.text : "nothing");
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

/* Where the place is the parser's to choose, or the file is not there at all. */
static void
what_is_no_file_or_no_yaml_is_told(void **state)
{
	static const struct {
		const char *text, *words;
	} row[] = { { "", "the file is empty" }, { "# nothing\n", "the file is empty" },
		{ "ports: [", "not YAML" }, { "ports:\n\t- a", ":2:1: not YAML" },
		{ "ports: 'a", "not YAML" }, { "a: *b", "not YAML" }, { "a: \x01", "not YAML" },
		{ "a: \xff\xfe", "not YAML" },
		{ "ports: &a [*a]\nworkers: *a\nchains: *a", "ports must be" },
		{ "ports: &a {ports: *a}", "list" }, { "a: !!binary x", "missing" } };
	struct config c;
	struct nfv_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		FILE *f = fopen(path, "w");

		fputs(row[i].text, f);
		fclose(f);
		assert_true(load(&c, &err) < 0);
		config_free(&c);
		if (strncmp(err.text, path, strlen(path)) != 0 ||
			strstr(err.text, row[i].words) == NULL)
			fail_msg("%s: %s", row[i].text, err.text);
	}
	unlink(path);
	assert_int_equal(load(&c, &err), -ENOENT);
	assert_non_null(strstr(err.text, path));
	config_free(&c);
	assert_int_equal(config_load("/tmp", &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, "/tmp"));
	config_free(&c);
}

/* Hundreds of ports: more than are taken, told before anything of them is. */
static void
too_many_ports_are_refused(void **state)
{
	FILE *f = fopen(path, "w");
	struct config c;
	struct nfv_err err;

	(void)state;
	fputs("workers: [{name: w0, lcore: 1}]\nchains: []\nports:\n", f);
	for (int i = 0; i < 33; i++)
		fprintf(f, "  - {name: p%d, device: net_null%d, addresses: [10.%d.0.1/24]}\n", i, i,
			i);
	fclose(f);
	assert_int_equal(load(&c, &err), -EINVAL);
	assert_non_null(strstr(err.text, ":4:3: "));
	assert_non_null(strstr(err.text, "between 1 and 32"));
	config_free(&c);
}

static void
a_section_of_a_stage_may_be_there_unused(void **state)
{
	struct config c;
	struct nfv_err err;

	(void)state;
	write_file(12, 12, "sip: {port: 5070}");
	assert_int_equal(load(&c, &err), 0);
	assert_non_null(config_section(&c, nfv_stage_find("sip")));
	config_free(&c);
	/* But one that is used and has no default must be given. */
	write_file(13, 13, "");
	assert_int_equal(load(&c, &err), -EINVAL);
	assert_non_null(strstr(err.text, "`firewall:` is missing"));
	config_free(&c);
}

static void
capture_points(void **state)
{
	static const struct {
		const char *at;
		int port, chain;
		uint32_t seam;
	} row[] = { { "inside", 0, -1, 0 }, { "outside", 1, -1, 0 }, { "edge:0", -1, 0, 0 },
		{ "edge:1", -1, 0, 1 }, { "edge:2", -1, 0, 2 }, { "edge:firewall-nat", -1, 0, 1 } };
	static const char *const bad[] = { "", ":", "edge", "edge:", "edge:3", "edge:-1", "edge: 1",
		"edge:1x", "edge:firewall", "edge:firewall-", "edge:-nat", "edge:firewall-nat-sip",
		"edge:nat-firewall", "edge:0:0", "edg:0", "edge0:0", "inside:0",
		"edge:99999999999999999999", "edgeedgeedgeedgeedgeedgeedgeedgeedge:0" };
	struct tap_point p;
	struct config c;
	struct nfv_err err;

	(void)state;
	write_file(0, 0, NULL);
	assert_int_equal(load(&c, &err), 0);
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		assert_int_equal(config_tap_point(&c, row[i].at, &p, &err), 0);
		assert_int_equal(p.port, row[i].port);
		assert_int_equal(p.chain, row[i].chain);
		if (p.port < 0)
			assert_int_equal(p.seam, row[i].seam);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct tap_point before = { .seam = 77 };

		p = before;
		if (config_tap_point(&c, bad[i], &p, &err) != -EINVAL)
			fail_msg("%s is taken", bad[i]);
		assert_int_equal(p.seam, 77);
	}
	config_free(&c);
}

/* A chain whose name is as long as names may be is not meant by a longer one. */
static void
names_are_compared_whole(void **state)
{
	struct tap_point p;
	struct config c;
	struct nfv_err err;

	(void)state;
	write_file(9, 11,
		"  - {name: abcdefghijklmnopqrstuvwxyz01234, worker: w0, inside: inside, "
		"outside: outside, stages: [firewall, nat]}");
	assert_int_equal(load(&c, &err), 0);
	assert_int_equal(config_tap_point(&c, "abcdefghijklmnopqrstuvwxyz01234:0", &p, &err), 0);
	assert_int_equal(
		config_tap_point(&c, "abcdefghijklmnopqrstuvwxyz012345:0", &p, &err), -EINVAL);
	config_free(&c);
}

static void
every_example_is_in_order(void **state)
{
	DIR *d = opendir(CONFIG_DIR);
	unsigned int n = 0;

	(void)state;
	assert_non_null(d);
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
		size_t len = strlen(e->d_name);
		char file[512];
		struct config c;
		struct nfv_err err;

		if (len < 5 || strcmp(e->d_name + len - 5, ".yaml") != 0)
			continue;
		snprintf(file, sizeof(file), "%s/%s", CONFIG_DIR, e->d_name);
		if (config_load(file, &c, &err) < 0)
			fail_msg("%s", err.text);
		config_free(&c);
		n++;
	}
	closedir(d);
	assert_true(n > 0);
}

static void
the_manual_names_every_key(void **state)
{
	static const char *const key[] = { "ports", "name", "device", "addresses", "mtu",
		"descriptors", "routes", "to", "via", "port", "workers", "lcore", "allow-remote",
		"chains", "worker", "inside", "outside", "stages", "capture", "at", "file",
		"filter", "snaplen", "flows", "max", "udp", "tcp-open", "tcp", "icmp", "other",
		"l3", "neighbours", "icmp-rate", "buffers" };
	char *text = NULL, word[64];
	size_t size;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	config_manual(to);
	fclose(to);
	for (size_t i = 0; i < sizeof(key) / sizeof(key[0]); i++) {
		snprintf(word, sizeof(word), "%s:", key[i]);
		if (strstr(text, word) == NULL)
			fail_msg("%s is not in the manual", key[i]);
	}
	for (const struct nfv_stage_ops *o = nfv_stage_next(NULL); o != NULL;
		o = nfv_stage_next(o)) {
		for (const struct nfv_conf_field *f = o->conf->fields; f->name != NULL; f++) {
			snprintf(word, sizeof(word), "    %s:", f->name);
			assert_non_null(strstr(text, word));
			assert_non_null(strstr(text, f->help));
		}
	}
	assert_null(strstr(text, "of ,"));
	assert_null(strstr(text, "of \n"));
	free(text);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_file_is_read),
		TEST(each_mistake_is_told_with_its_place),
		TEST(what_is_no_file_or_no_yaml_is_told),
		TEST(too_many_ports_are_refused),
		TEST(a_section_of_a_stage_may_be_there_unused),
		TEST(capture_points),
		TEST(names_are_compared_whole),
		TEST(every_example_is_in_order),
		TEST(the_manual_names_every_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
