#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "app.h"

#define SHORTS ":c:is:h"

enum { CHECK = 256, JSON, INTERACTIVE, INTERVAL, MANUAL, PROFILE };

void
options_help(FILE *to)
{
	fputs("usage: nfv-pipeline [EAL options] -- --config FILE [options]\n"
	      "\n"
	      "Runs chains of network functions between ports, each on a polling lcore.\n"
	      "\n"
	      "  -c, --config FILE       what to run (YAML); see --manual\n"
	      "      --check             validate the file and all it names without touching\n"
	      "                          hardware; exit 0 or 1\n"
	      "  -i, --interactive       prompt for commands (help lists them)\n"
	      "  -s, --stats-interval S  print a table every S seconds; 0: only at the end (default 1)\n"
	      "      --json              one JSON object an interval instead, the last with \"final\": true\n"
	      "      --profile FILE[,seconds=S][,bytes=N]\n"
	      "                          record what memory the workers touch, for S seconds (default 1)\n"
	      "                          from a second after the first packet on, N bytes at most; for\n"
	      "                          mempool-color footprint and plan\n"
	      "      --manual            list every key of the configuration file, and exit\n"
	      "  -h, --help              this text\n"
	      "\n"
	      "Exit status: 0 after SIGINT, SIGTERM or quit, 1 on an error, 2 on wrong usage.\n"
	      "\n"
	      "examples:\n"
	      "  nfv-pipeline -- --config config/nfv-pipeline.yaml --check\n"
	      "  nfv-pipeline -l 0-1 --no-huge --no-shconf -m 512 -- -c config/nfv-pipeline.yaml\n"
	      "  nfv-pipeline -l 0-1 -a 0000:3b:02.1 -a 0000:3b:02.2 -- -c config/vf.yaml -i\n"
	      "EAL options: nfv-pipeline --help\n",
		to);
}

/* The option that getopt stumbled over: one letter of several, or a whole word. */
static const char *
culprit(char **argv, char buf[3])
{
	const char *word = argv[optind - 1];

	if (optopt <= 0 || optopt >= CHECK || (strchr(SHORTS, optopt) != NULL && word[1] == '-'))
		return word;
	snprintf(buf, 3, "-%c", optopt);
	return buf;
}

int
options_parse(int argc, char **argv, struct options *out, struct nfv_err *err)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, CHECK },
		{ "json", no_argument, NULL, JSON },
		{ "interactive", no_argument, NULL, 'i' },
		{ "stats-interval", required_argument, NULL, 's' },
		{ "profile", required_argument, NULL, PROFILE },
		{ "manual", no_argument, NULL, MANUAL },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .interval = 1 };
	uint64_t seconds;
	char letter[3];
	int c;

	opterr = 0;
	optind = 0; /* anew, though the last call stopped amid letters */
	while ((c = getopt_long(argc, argv, SHORTS, longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o.config = optarg;
			break;
		case CHECK:
			o.check = true;
			break;
		case JSON:
			o.json = true;
			break;
		case 'i':
			o.interactive = true;
			break;
		case 's':
			if (nfv_sv_u64(nfv_sv_str(optarg), 0, 86400, &seconds) < 0)
				return nfv_fail(err, EINVAL,
					"--stats-interval takes seconds from 0 to 86400, not \"%s\"",
					optarg);
			o.interval = (uint32_t)seconds;
			break;
		case PROFILE:
			if (profile_parse(optarg, &o.profile, err) < 0)
				return nfv_fail_in(err, -EINVAL, "--profile %s", optarg);
			break;
		case MANUAL:
			config_manual(stdout);
			return 1;
		case 'h':
			options_help(stdout);
			return 1;
		case ':':
			return nfv_fail(err, EINVAL, "%s needs a value", culprit(argv, letter));
		default:
			return nfv_fail(
				err, EINVAL, "there is no option %s", culprit(argv, letter));
		}
	}
	if (optind < argc)
		return nfv_fail(err, EINVAL, "\"%s\" is more than was asked for", argv[optind]);
	if (o.config == NULL)
		return nfv_fail(err, EINVAL, "--config FILE is needed");
	*out = o;
	return 0;
}
