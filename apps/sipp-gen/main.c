/* sipp-gen: SIP calls by SIPp's scenarios, from polling lcores. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_eal.h>

#include "crew.h"
#include "names.h"
#include "plain_run.h"
#include "run.h"
#include "torture.h"

enum { GOOD = 0, FAILED = 1, INTERNAL = 97, USAGE = 255 };

static void
on_signal(int sig)
{
	(void)sig;
	crew_interrupt();
}

static int
complain(const struct nfv_err *err, int status)
{
	fprintf(stderr, "sipp-gen: %s\n", err->text);
	return status;
}

/* What needs no port: help, the version, a scenario printed or checked. -1: something else. */
static int
without_ports(const struct options *o)
{
	struct scenario_report report = { .to = stdout };
	struct names names = { 0 };
	struct scenario *s = NULL;
	struct nfv_err err = { "" };
	int rc;

	if (o->help) {
		options_help(stdout);
		return GOOD;
	}
	if (o->version) {
		puts("sipp-gen 0.1.0");
		return GOOD;
	}
	if (o->print != NULL) {
		const char *xml = scenario_builtin_xml(o->print);

		if (xml == NULL)
			return scenario_builtin(o->print, &s, &err) < 0 ? complain(&err, USAGE) :
									  USAGE;
		fputs(xml, stdout);
		return GOOD;
	}
	if (o->check == NULL)
		return -1;
	if (scenario_load(o->check, NULL, &report, &s, &err) < 0)
		return complain(&err, FAILED);
	rc = names_check(&names, &o->role[0], o->timeout_s, s, &err);
	scenario_destroy(s);
	for (uint32_t i = 0; i < names.n; i++)
		fprintf(stderr, "sipp-gen: warning: %s\n", names.said[i].text);
	if (rc < 0)
		return complain(&err, FAILED);
	if (report.unsupported == 0)
		printf("%s: good\n", o->check);
	return report.unsupported == 0 ? GOOD : FAILED;
}

static int
with_ports(const struct options *o)
{
	struct nfv_err err = { "" };
	struct run *run = NULL;
	int status;

	if (o->role[0].plain != NULL) {
		status = plain_run(o, &err);
		return status < 0 ? complain(&err, INTERNAL) : status;
	}
	if (o->torture != NULL) {
		status = torture_go(o, crew_interrupted, &err);
		return status < 0 ? complain(&err, INTERNAL) : status;
	}
	if (run_create(o, &run, &err) < 0)
		return complain(&err, INTERNAL);
	status = run_go(run, &err) < 0 ? complain(&err, INTERNAL) : run_status(run);
	run_destroy(run);
	return status;
}

/* EAL's options come first, up to "--"; without any, all are ours. */
int
main(int argc, char **argv)
{
	const struct sigaction sa = { .sa_handler = on_signal };
	struct options o;
	struct nfv_err err = { "" };
	int own = 0, status;

	while (own < argc && strcmp(argv[own], "--") != 0)
		own++;
	if (own == argc)
		own = 0;
	if (options_parse(argc - own, argv + own, &o, &err) < 0)
		return complain(&err, USAGE);
	status = without_ports(&o);
	if (status >= 0)
		return status;
	if (o.seed == 0)
		o.seed = (uint64_t)time(NULL);
	/* EAL takes a while: who interrupts it wants a report, too. */
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	if (rte_eal_init(own > 0 ? own : 1, argv) < 0) {
		nfv_fail(&err, EINVAL, "DPDK's environment does not start; see above");
		return complain(&err, INTERNAL);
	}
	status = with_ports(&o);
	rte_eal_cleanup();
	return status;
}
