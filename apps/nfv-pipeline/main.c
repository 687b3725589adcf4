#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include "app.h"
#include "colour.h"
#include "isolation.h"
#include "scale.h"

volatile sig_atomic_t app_quit;

static void
on_signal(int sig)
{
	(void)sig;
	app_quit = 1;
}

static void
catch_signals(void)
{
	struct sigaction quit = { .sa_handler = on_signal }, ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGINT, &quit, NULL);
	sigaction(SIGTERM, &quit, NULL);
	sigaction(SIGHUP, &quit, NULL);
	sigaction(SIGPIPE, &ignore, NULL); /* a reader of our output that goes is no reason to */
}

/* EAL as it needs to be to validate a configuration: memory, and nothing of the machine. */
static int
start_eal_for_check(char *name)
{
	static const char *const args[] = { "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "--log-level=error", "-m", "1024" };
	char *argv[1 + sizeof(args) / sizeof(args[0])];

	argv[0] = name;
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
		argv[i + 1] = (char *)(uintptr_t)args[i];
	return rte_eal_init(1 + (int)(sizeof(args) / sizeof(args[0])), argv);
}

/* The arguments behind "--" are ours, those before are EAL's. */
static int
split_args(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0)
			return i;
	return argc;
}

static void
report(struct app *app, bool final)
{
	if (app->opt.json) {
		stats_json(app, stdout, final);
		return;
	}
	stats_table(app, stdout);
	if (final && app->n_taps > 0)
		captures_show(app, stdout);
}

static void
serve(struct app *app)
{
	uint64_t next = rte_rdtsc() + app->opt.interval * app->tsc_hz;
	struct prompt *prompt = NULL;

	if (app->opt.profile.file[0] != '\0')
		profile_plan(app, &app->opt.profile);
	if (app->opt.interactive)
		prompt = prompt_open(app);
	while (!app_quit) {
		if (prompt != NULL) {
			if (!prompt_wait(prompt, 10))
				break;
		} else {
			usleep(10000);
		}
		captures_drain(app);
		colour_tick(app);
		profile_tick(app);
		isolation_tick(app);
		scale_tick(app);
		for (uint32_t i = 0; i < app->conf.chains.n; i++)
			for (uint32_t k = 0; k < app->chain[i].n; k++)
				nfv_chain_upkeep(app->chain[i].shard[k], rte_rdtsc());
		if (app->opt.interval > 0 && prompt == NULL && rte_rdtsc() >= next) {
			report(app, false);
			next += app->opt.interval * app->tsc_hz;
		}
	}
	prompt_close(prompt);
}

static int
check(struct app *app, char *name, struct nfv_err *err)
{
	int rc;

	if (start_eal_for_check(name) < 0)
		return nfv_fail(err, rte_errno, "EAL does not start: %s", rte_strerror(rte_errno));
	rc = wiring_check(app, err);
	if (rc == 0)
		printf("%s: good\n", app->opt.config);
	return rc;
}

/* What EAL means by the two errors of those whose memory is not there. */
static const char *
eal_says(int error)
{
	switch (error) {
	case EACCES:
		return "no huge page is free, or their mount is not ours to write to";
	case ENOMEM:
		return "less memory is free than it wants, or set_mempolicy and mbind are forbidden";
	default:
		return rte_strerror(error);
	}
}

static int
run(struct app *app, int eal_argc, char **argv, struct nfv_err *err)
{
	int rc;

	catch_signals();
	if (rte_eal_init(eal_argc, argv) < 0)
		return nfv_fail(err, rte_errno,
			"EAL does not start: %s; without huge pages give it `--no-huge --no-shconf -m 512`",
			eal_says(rte_errno));
	rc = wiring_up(app, err);
	if (rc == 0 && stats_init(app) < 0)
		rc = nfv_fail(err, ENOMEM, "out of memory");
	if (rc == 0) {
		puts(app->opt.json ? "{\"event\":\"running\"}" : "running");
		fflush(stdout);
		serve(app);
		wiring_stop(app);
		report(app, true);
	}
	wiring_down(app);
	stats_fini(app);
	rte_eal_cleanup();
	return rc;
}

int
main(int argc, char **argv)
{
	static struct app app;
	int cut = split_args(argc, argv), rc;
	struct nfv_err err = { "" };

	/* Without "--" all arguments are ours: for --help and --check EAL need not be mentioned. */
	if (cut == argc)
		rc = options_parse(argc, argv, &app.opt, &err);
	else
		rc = options_parse(argc - cut, argv + cut, &app.opt, &err);
	if (rc == 1)
		return EXIT_SUCCESS;
	if (rc < 0) {
		fprintf(stderr, "nfv-pipeline: %s; see nfv-pipeline --help\n", err.text);
		return 2;
	}
	rc = config_load(app.opt.config, &app.conf, &err);
	if (rc == 0)
		rc = app.opt.check ? check(&app, argv[0], &err) :
				     run(&app, cut == argc ? 1 : cut, argv, &err);
	config_free(&app.conf);
	if (rc < 0)
		fprintf(stderr, "nfv-pipeline: %s\n", err.text);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
