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

enum command { CALIBRATE, SHOW, VERIFY, COMMANDS };

struct options {
	enum command command;
	unsigned int level; /* 2, or 0: the last */
	size_t size;        /* bytes */
	uint8_t pages;      /* enum mpc_page_kind */
	int cpu;            /* -1: the one we are on */
	bool json, help, caches_only;
	const char *svg; /* file, or NULL */
};

/** Errors: -EINVAL, with a sentence. With `help` set, out->command is COMMANDS or the one asked for. */
int options_parse(int argc, char **argv, struct options *out, struct nfv_err *err);

/** Help for one command, or for all. */
void options_help(FILE *to, enum command command);

#endif
