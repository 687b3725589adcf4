#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "options.h"

enum key {
	LEVEL,
	SIZE,
	PAGES,
	CPU,
	JSON,
	SVG,
	CACHES,
	CASES,
	TABLE,
	DEPTH,
	SHARE,
	LOOKUPS,
	REPETITIONS,
	PACKETS,
	HELPER,
	CHECK,
	RATE,
	MACHINE,
	MEMORY,
	SIMULATE,
	HELP,
	KEYS
};

static const struct {
	const char *name, *summary;
} command[COMMANDS] = {
	[CALIBRATE] = { "calibrate", "measure which pages share a colour, twice, and compare" },
	[SHOW] = { "show", "this machine's caches, and a picture of a region by colour" },
	[VERIFY] = { "verify", "prove by timing that colours keep out of each other's way" },
	[BENCH] = { "bench", "what colours gain or lose: a hot table beside buffers that stream" },
	[MCMF] = { "mcmf", "solve a min-cost flow problem, a FILE in DIMACS's format" },
	[FOOTPRINT] = { "footprint", "misses by size of the cache, from the trace that is named" },
	[PLAN] = { "plan", "from a trace, which class's pages should have which colours" },
};

#define EVERY   ((1u << COMMANDS) - 1)
#define ALL     (1u << CALIBRATE | 1u << SHOW | 1u << VERIFY | 1u << BENCH)
#define OF_FILE (1u << MCMF | 1u << FOOTPRINT | 1u << PLAN)
#define TRACES  (1u << FOOTPRINT | 1u << PLAN)

static const struct {
	const char *name, *argument;
	unsigned int commands; /* that take it */
	const char *help;
} row[KEYS] = {
	[LEVEL] = { "level", "l2|llc", ALL | 1u << PLAN,
		"the cache whose colours are meant (default l2)" },
	[SIZE] = { "size", "SIZE", ALL,
		"memory to measure, such as 64M or 1G (default 64M; bench: what it needs)" },
	[PAGES] = { "pages", "huge|thp|4k", ALL, "its pages (default huge, else 4k)" },
	[CPU] = { "cpu", "N", ALL | 1u << PLAN,
		"the CPU whose cache is meant (default: where it starts)" },
	[JSON] = { "json", NULL, EVERY, "one JSON object on standard output, and nothing else" },
	[SVG] = { "svg", "FILE", 1u << SHOW | 1u << BENCH | TRACES,
		"write the picture, or the plot, to a file" },
	[CACHES] = { "caches", NULL, 1u << SHOW, "tell of the caches only, and measure nothing" },
	[CASES] = { "cases", "LIST", 1u << BENCH,
		"of same-core,other-core,retention (default all)" },
	[TABLE] = { "table", "SIZE", 1u << BENCH, "the hot table (default 3/4 of the cache)" },
	[DEPTH] = { "depth", "LIST", 1u << BENCH,
		"buffers of 2 KiB in rotation (1024,2048,4096,8192)" },
	[SHARE] = { "share", "LIST", 1u << BENCH, "colours for the buffers (default five shares)" },
	[LOOKUPS] = { "lookups", "N", 1u << BENCH, "look-ups in the table a packet (default 6)" },
	[REPETITIONS] = { "repetitions", "N", 1u << BENCH, "turns of all arms (default 15)" },
	[PACKETS] = { "packets", "N", 1u << BENCH, "timed in each turn (default 30000)" },
	[HELPER] = { "helper", "N", 1u << BENCH,
		"the CPU that writes in other-core (default any other)" },
	[CHECK] = { "check", NULL, 1u << MCMF, "prove the answer by its potentials" },
	[RATE] = { "rate", "R", TRACES, "sample this part of the lines (default 1: all)" },
	[MACHINE] = { "machine", "FILE|auto", 1u << PLAN,
		"whom the plan is for, as JSON (default auto: this CPU)" },
	[MEMORY] = { "memory", "SIZE", 1u << PLAN,
		"that pages are taken from (default four times what is wanted)" },
	[SIMULATE] = { "simulate", NULL, 1u << PLAN,
		"check the prediction on a simulated cache, by the same trace" },
	[HELP] = { "help", NULL, EVERY, "this text" },
};

void
options_help(FILE *to, enum command c)
{
	fputs("usage: mempool-color COMMAND [options]\n\n"
	      "Finds out by timing which pages of memory compete for the same sets of a cache: their\n"
	      "colour. Needs no privilege, no huge pages and no page map, and works in virtual\n"
	      "machines and containers.\n\ncommands:\n",
		to);
	for (int i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-12s%s\n", command[i].name, command[i].summary);
	if (c < COMMANDS)
		fprintf(to, "\noptions of %s:\n", command[c].name);
	else
		fputs("\noptions:\n", to);
	for (int i = 0; i < KEYS; i++) {
		char left[40];

		if (c < COMMANDS && !(row[i].commands >> c & 1))
			continue;
		snprintf(left, sizeof(left), "--%s %s", row[i].name,
			row[i].argument != NULL ? row[i].argument : "");
		fprintf(to, "  %-21s%s\n", left, row[i].help);
	}
	fputs("\nExit status: 0 good, 1 no, with the reason, 2 wrong usage.\n"
	      "\n"
	      "examples:\n"
	      "  mempool-color calibrate\n"
	      "  mempool-color calibrate --size 256M --pages thp --json\n"
	      "  mempool-color show --svg region.svg\n"
	      "  mempool-color verify --cpu 3\n"
	      "  mempool-color bench --cases same-core --depth 1024,4096 --svg bench.svg\n"
	      "  mempool-color mcmf network.min --check\n"
	      "  mempool-color footprint worker.trace --rate 0.01\n"
	      "  mempool-color plan worker.trace --simulate --svg plan.svg\n"
	      "  mempool-color plan worker.trace --machine server.json --json >plan.json\n",
		to);
}

/* A number with K, M or G behind it. */
static int
parse_size(const char *text, size_t *out)
{
	static const char unit[] = "KMG";
	char *end;
	unsigned long long n = strtoull(text, &end, 10);
	const char *u = *end != '\0' ? strchr(unit, *end) : NULL;
	unsigned int shift = u != NULL ? 10 * (unsigned int)(u - unit + 1) : 0;

	if (text[0] < '0' || text[0] > '9' || (u != NULL ? end[1] : *end) != '\0' ||
		n > SIZE_MAX >> 1 >> shift)
		return -EINVAL;
	*out = (size_t)n << shift;
	return 0;
}

static int
parse_choice(const char *text, const char *const *choice, int n)
{
	for (int i = 0; i < n; i++)
		if (choice[i] != NULL && strcmp(text, choice[i]) == 0)
			return i;
	return -1;
}

static int
parse_number(const char *option, const char *text, uint32_t *out, struct nfv_err *err)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || n == 0 || n > UINT32_MAX)
		return nfv_fail(err, EINVAL, "--%s %s: give a number of at least 1", option, text);
	*out = (uint32_t)n;
	return 0;
}

/* Numbers with commas between them. */
static int
parse_list(const char *option, const char *text, uint32_t out[OPTIONS_LIST], unsigned int *n,
	struct nfv_err *err)
{
	char word[16];
	unsigned int got = 0;
	int rc;

	for (const char *at = text; at != NULL; at = strchr(at, ',')) {
		size_t len;

		at += *at == ',';
		len = strcspn(at, ",");
		if (got == OPTIONS_LIST || len >= sizeof(word))
			return nfv_fail(err, EINVAL, "--%s %s: give at most %d numbers", option,
				text, OPTIONS_LIST);
		memcpy(word, at, len);
		word[len] = '\0';
		rc = parse_number(option, word, &out[got++], err);
		if (rc < 0)
			return rc;
	}
	*n = got;
	return 0;
}

static int
parse_cases(const char *text, unsigned int *out, struct nfv_err *err)
{
	unsigned int set = 0;

	for (const char *at = text; at != NULL; at = strchr(at, ',')) {
		unsigned int c = 0;
		size_t len;

		at += *at == ',';
		len = strcspn(at, ",");
		while (c < BENCH_CASES &&
			(strlen(bench_case_name(c)) != len ||
				memcmp(bench_case_name(c), at, len) != 0))
			c++;
		if (c == BENCH_CASES)
			return nfv_fail(err, EINVAL,
				"--cases %s: give some of same-core,other-core,retention", text);
		set |= 1u << c;
	}
	*out = set;
	return 0;
}

static int
parse_cpu(const char *option, const char *text, int *out, struct nfv_err *err)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n < 0 || n > INT16_MAX)
		return nfv_fail(err, EINVAL, "--%s %s: give a CPU's number", option, text);
	*out = (int)n;
	return 0;
}

static int
parse_rate(const char *text, double *out, struct nfv_err *err)
{
	char *end;
	double rate = strtod(text, &end);

	if (*text == '\0' || *end != '\0' || !(rate >= 1e-6 && rate <= 1))
		return nfv_fail(err, EINVAL, "--rate %s: give a number from 1e-6 to 1", text);
	*out = rate;
	return 0;
}

static int
set(struct options *o, enum key key, const char *value, struct nfv_err *err)
{
	static const char *const pages[] = { NULL, "huge", "thp", "4k" };
	static const char *const levels[] = { "llc", NULL, "l2" };
	int choice;

	switch (key) {
	case LEVEL:
		choice = parse_choice(value, levels, 3);
		if (choice < 0)
			return nfv_fail(err, EINVAL, "--level %s: give l2 or llc", value);
		o->level = (unsigned int)choice;
		break;
	case SIZE:
		if (parse_size(value, &o->size) < 0)
			return nfv_fail(err, EINVAL, "--size %s: give a number such as 64M", value);
		o->size_given = true;
		break;
	case PAGES:
		choice = parse_choice(value, pages, 4);
		if (choice < 0)
			return nfv_fail(err, EINVAL, "--pages %s: give huge, thp or 4k", value);
		o->pages = (uint8_t)choice;
		break;
	case CPU:
		return parse_cpu("cpu", value, &o->cpu, err);
	case HELPER:
		return parse_cpu("helper", value, &o->helper, err);
	case CASES:
		return parse_cases(value, &o->cases, err);
	case TABLE:
		if (parse_size(value, &o->table) < 0 || o->table == 0)
			return nfv_fail(err, EINVAL, "--table %s: give a size such as 768K", value);
		break;
	case DEPTH:
		return parse_list("depth", value, o->depth, &o->depths, err);
	case SHARE:
		return parse_list("share", value, o->share, &o->shares, err);
	case LOOKUPS:
		return parse_number("lookups", value, &o->lookups, err);
	case REPETITIONS:
		return parse_number("repetitions", value, &o->repetitions, err);
	case PACKETS:
		return parse_number("packets", value, &o->packets, err);
	case RATE:
		return parse_rate(value, &o->rate, err);
	case MACHINE:
		o->machine = strcmp(value, "auto") != 0 ? value : NULL;
		break;
	case MEMORY:
		if (parse_size(value, &o->memory) < 0 || o->memory == 0)
			return nfv_fail(err, EINVAL, "--memory %s: give a size such as 64M", value);
		break;
	case SIMULATE:
		o->simulate = true;
		break;
	case JSON:
		o->json = true;
		break;
	case SVG:
		o->svg = value;
		break;
	case CHECK:
		o->check = true;
		break;
	case CACHES:
		o->caches_only = true;
		break;
	default:
		o->help = true;
	}
	return 0;
}

static int
find_command(const char *word)
{
	for (int i = 0; i < COMMANDS; i++)
		if (strcmp(word, command[i].name) == 0)
			return i;
	return -1;
}

int
options_parse(int argc, char **argv, struct options *out, struct nfv_err *err)
{
	struct options o = { .command = COMMANDS, .level = 2, .cpu = -1, .helper = -1 };
	struct option longs[KEYS + 1] = { { NULL, 0, NULL, 0 } };
	int c, n = 0, rc, found = -1;

	if (argc < 2)
		return nfv_fail(err, EINVAL, "no command; mempool-color --help lists them");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		o.help = true;
		*out = o;
		return 0;
	}
	found = find_command(argv[1]);
	if (found < 0)
		return nfv_fail(
			err, EINVAL, "%s is no command; mempool-color --help lists them", argv[1]);
	o.command = (enum command)found;
	for (int i = 0; i < KEYS; i++)
		if (row[i].commands >> o.command & 1)
			longs[n++] =
				(struct option){ row[i].name, row[i].argument != NULL, NULL, i };
	opterr = 0;
	optind = 2;
	while ((c = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
		if (c == ':')
			return nfv_fail(err, EINVAL, "%s wants a value", argv[optind - 1]);
		if (c == '?')
			return nfv_fail(err, EINVAL,
				"%s is no option of %s; see mempool-color %s --help",
				argv[optind - 1], argv[1], argv[1]);
		rc = set(&o, c == 'h' ? HELP : (enum key)c, optarg, err);
		if (rc < 0)
			return rc;
	}
	if (OF_FILE >> o.command & 1 && optind < argc)
		o.file = argv[optind++];
	if (OF_FILE >> o.command & 1 && o.file == NULL && !o.help)
		return nfv_fail(err, EINVAL, "%s wants a file", argv[1]);
	if (optind < argc)
		return nfv_fail(err, EINVAL, "%s is one word too many", argv[optind]);
	*out = o;
	return 0;
}
