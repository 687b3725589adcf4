/**
 * @file
 * A run to report on: a scenario as it would have been loaded from `xml`, and counters of `calls`
 * calls at a rate, of which one in a hundred failed.
 */
#ifndef REPORT_RUN_H
#define REPORT_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report.h"

#define RUN_MESSAGE                                                                                \
	"<![CDATA[\n\nOPTIONS sip:a@[remote_ip] SIP/2.0\nVia: SIP/2.0/UDP "                        \
	"[local_ip];branch=[branch]\nCall-ID: [call_id]\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n]]>"

/* Sends only, so that SIPp runs it to its end without a peer. */
static const char run_xml[] = "<?xml version=\"1.0\"?>\n"
			      "<scenario name=\"report\">\n"
			      "<send start_rtd=\"setup\" counter=\"1\">" RUN_MESSAGE "</send>\n"
			      "<send start_rtd=\"2\">" RUN_MESSAGE "</send>\n"
			      "<send rtd=\"2\" counter=\"2\">" RUN_MESSAGE "</send>\n"
			      "<send rtd=\"setup\">" RUN_MESSAGE "</send>\n"
			      "<pause milliseconds=\"5\"/>\n"
			      "<ResponseTimeRepartition value=\"50, 10, 200\"/>\n"
			      "<CallLengthRepartition value=\"10, 1000\"/>\n"
			      "</scenario>\n";

static struct step run_step[] = {
	{ .kind = STEP_SEND,
		.request = true,
		.method = NFV_SIP_INVITE,
		.start_rtd = 1,
		.counter = 1 },
	{ .kind = STEP_RECV, .status = 200, .start_rtd = 2 },
	{ .kind = STEP_SEND, .request = true, .method = NFV_SIP_ACK, .rtd = 2, .counter = 2 },
	{ .kind = STEP_RECV, .request = true, .method = NFV_SIP_BYE, .rtd = 1 },
	{ .kind = STEP_PAUSE, .pause = { .kind = DIST_FIXED, .a = 5 } },
};

static struct scenario run_scenario = {
	.file = "report.xml",
	.step = run_step,
	.n_steps = sizeof(run_step) / sizeof(run_step[0]),
	.response_time = { 50, 10, 200 },
	.n_response_time = 3,
	.call_length = { 10, 1000 },
	.n_call_length = 2,
};

static inline struct report_run
a_run(void)
{
	run_step[0].method_name = NFV_SV("INVITE");
	run_step[2].method_name = NFV_SV("ACK");
	run_step[3].method_name = NFV_SV("BYE");
	run_scenario.name = NFV_SV("report");
	run_scenario.rtd_name[1] = NFV_SV("setup");
	run_scenario.rtd_name[2] = nfv_sv(NULL, 0);
	return (struct report_run){
		.version = "0.1.0",
		.scenario = &run_scenario,
		.roles = "uac",
		.local = "192.0.2.1:5060",
		.remote = "192.0.2.2:5060",
		.load = "fixed",
		.start = { 1700000000, 250000000 },
		.target_rate = 1000,
		.workers = 2,
		.loopback_floor = 12000,
	};
}

static inline struct stats *
new_stats(void)
{
	struct stats *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	return s;
}

/* `calls` calls more, all of which have ended. */
static inline void
have_calls(struct stats *s, uint64_t calls)
{
	uint64_t bad = calls / 100;

	s->offered += calls + 3;
	s->skipped += 3;
	s->limited += 1;
	s->created_out += calls;
	s->successful += calls - bad;
	s->failed += bad;
	s->cause[CAUSE_TIMEOUT_RECV] += bad - bad / 3;
	s->cause[CAUSE_REJECTED] += bad / 3;
	s->sent += 2 * calls;
	s->received += 2 * calls;
	s->retransmitted += bad;
	s->open_max = calls > s->open_max ? calls : s->open_max;
	for (uint32_t i = 0; i < run_scenario.n_steps; i++)
		s->step[i].messages += calls;
	for (uint64_t i = 0; i < calls; i++) {
		/* 1 to 100 ms, a few much longer. */
		uint64_t ns = 1000000 + i * 7919 % 99000000;

		hist_add(&s->latency[LATENCY_SRD], i % 997 == 0 ? ns * 20 : ns);
		hist_add(&s->latency[LATENCY_LAG], 500 + i % 3000);
		hist_add(&s->rtd[1], ns);
		hist_add(&s->rtd[2], 2 * ns);
		hist_add(&s->call_length, 3 * ns);
	}
}

#endif
