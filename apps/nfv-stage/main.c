/* nfv-stage: the process of an isolated stage. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "environment.h"
#include "nfv_guest.h"
#include "nfv_stage.h"

static void
usage(FILE *to)
{
	fputs("usage: nfv-stage --socket PATH | --fd N | --list\n"
	      "The process of one isolated stage. The manager starts it, or it connects to the\n"
	      "manager's socket, is told what stage it is to be, gives up all privileges, and\n"
	      "processes packets in shared memory until the manager stops it or goes.\n"
	      "  -s, --socket PATH   connect to the manager there\n"
	      "  -f, --fd N          be connected at descriptor N\n"
	      "  -l, --list          the stages in this program, one a line\n"
	      "  -h, --help\n"
	      "Exit status: 0, 1 if something is wrong, 2 for wrong usage.\n",
		to);
}

static int
list(void)
{
	for (const struct nfv_stage_ops *s = nfv_stage_next(NULL); s != NULL; s = nfv_stage_next(s))
		puts(s->name);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "socket", required_argument, NULL, 's' },
		{ "fd", required_argument, NULL, 'f' }, { "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	struct nfv_err err = { "" };
	int sock = -1, c;

	while ((c = getopt_long(argc, argv, "s:f:lh", options, NULL)) != -1) {
		uint64_t n = 0;

		switch (c) {
		case 's':
			sock = nfv_guest_connect(optarg, &err);
			if (sock < 0)
				goto fail;
			break;
		case 'f':
			if (nfv_sv_u64(nfv_sv_str(optarg), 3, 1 << 20, &n) < 0) {
				usage(stderr);
				return 2;
			}
			sock = (int)n;
			break;
		case 'l':
			return list();
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (sock < 0 || optind < argc) {
		usage(stderr);
		return 2;
	}
	if (environment_start(argv[0], &err) == 0 && nfv_guest_run(sock, &err) == 0)
		return 0;
fail:
	fprintf(stderr, "nfv-stage: %s\n", err.text);
	return 1;
}
