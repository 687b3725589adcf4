/**
 * @file
 * The command line of mempool-color: one table of options, which parses, and prints its own help.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "mpc_region.h"

#define OPTIONS_LIST 8 /* numbers in a list, at most */

enum command { CALIBRATE, SHOW, VERIFY, BENCH, MCMF, FOOTPRINT, PLAN, COMMANDS };

struct options {
	enum command command;
	unsigned int level; /* 2, or 0: the last */
	size_t size;        /* bytes; 0: 64 MiB, or what bench needs */
	uint8_t pages;      /* enum mpc_page_kind */
	int cpu;            /* -1: the one we are on */
	bool json, help, caches_only, size_given, check;
	const char *svg;     /* file, or NULL */
	const char *file;    /* of mcmf: the problem; of footprint and plan: the trace */
	const char *machine; /* of plan: a file, or NULL: the one at hand */
	size_t memory;       /* of plan: bytes that there are; 0: see plan_report.h */
	bool simulate;       /* of plan */
	/* Of bench; zero: its default. */
	size_t table; /* bytes */
	uint32_t lookups, repetitions, packets;
	uint32_t depth[OPTIONS_LIST], share[OPTIONS_LIST];
	unsigned int depths, shares, cases; /* cases: a set of 1 << enum bench_case */
	int helper;                         /* CPU, -1: any other */
	double rate;                        /* of footprint, plan; 0: all lines */
};

/** Errors: -EINVAL, with a sentence. With `help` set, out->command is COMMANDS or the one asked for. */
int options_parse(int argc, char **argv, struct options *out, struct nfv_err *err);

/** Help for one command, or for all. */
void options_help(FILE *to, enum command command);

#endif
