/**
 * @file
 * What a run of plain packets tells: lines for a person, one JSON object for programs.
 * Ownership: what it points at is the caller's. Threads: one.
 */
#ifndef PLAIN_REPORT_H
#define PLAIN_REPORT_H

#include <stdio.h>

#include "ndr.h"
#include "plain.h"
#include "report_trials.h"

#define PLAIN_TRIALS 64

struct plain_report {
	const char *frame; /* --plain's word; NULL: nobody sends */
	uint32_t flows;
	bool sinks;    /* somebody counts */
	bool unmarked; /* some packets are recorded ones, which a sink cannot tell from others */
	double rate;   /* packets/s asked for, all senders; 0: as fast as can be */
	uint64_t tsc_hz;
	const struct plain_stats *stats; /* all roles' together */
	const char *search;              /* NULL: none */
	struct ndr_result found;
	struct ndr_trial trial[PLAIN_TRIALS];
	uint32_t trials;
};

/** Packets that did not come: of those sent, if this run sends and counts, else by their numbers. */
uint64_t plain_report_lost(const struct plain_report *r);

void plain_report_line(FILE *to, const struct plain_report *r, const struct plain_stats *before,
	double at_s, double seconds);
void plain_report_trial(FILE *to, const struct plain_report *r, const struct ndr_trial *t);
/** What is left to say at the end. */
void plain_report_text(FILE *to, const struct plain_report *r);
/** Trials of a search as a page and as CSV, where they are wanted (NULL: not); `seconds`: of each.
 * Errors: -EIO, or the page's file. */
int plain_report_trials(const char *html, FILE *csv, const struct plain_report *r,
	const struct report_run *run, double seconds, struct nfv_err *err);
/** Errors: -EIO, -ENOMEM. */
int plain_report_json(FILE *to, const struct plain_report *r, struct nfv_err *err);

#endif
