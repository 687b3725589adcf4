/** @file  A folder of objects with their list, as an administrator would have it; needs root. */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>

#include "nfv_object_file.h"

struct store {
	char dir[64], list[96];
	struct nfv_object_policy policy;
};

/** False: not root, or nowhere to put it; the test is to be skipped. */
bool store_open(struct store *s);
void store_close(struct store *s);
/** Copy a file there under a name, and put it on the list. */
void store_add(struct store *s, const char *file, const char *name, bool listed);
/** The path of a name there; valid until the next call. */
const char *store_path(const struct store *s, const char *name);
/** A file of this content. */
void store_write(const struct store *s, const char *name, const void *bytes, size_t n);
/** An object of that name, open; the test is skipped where there is no store. */
struct nfv_object_file store_object(const struct store *s, const char *name);
/** All of a file, malloc'd. */
char *store_read(const char *path, size_t *n);

#endif
