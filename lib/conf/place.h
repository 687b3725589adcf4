/** @file  Where each value of a loaded configuration stood: shared by the loader and nfv_conf_fail. */
#ifndef PLACE_H
#define PLACE_H

#include <stddef.h>

#include "nfv_conf.h"

struct place {
	const void *at; /* the struct member or list item that was filled */
	unsigned int line, column;
};

struct nfv_conf {
	char *name; /* as in messages */
	char *text; /* all of it, NUL behind its `len` bytes */
	size_t len;
	struct place *place;
	size_t n_place;
	struct block *blocks; /* strings and lists of the filled structs */
	struct tree *tree;    /* the parsed document */
};

#endif
