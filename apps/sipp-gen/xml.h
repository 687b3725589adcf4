/**
 * @file
 * XML read into a tree. Entities are neither declared nor fetched, bytes are taken as they are
 * whatever encoding is claimed, and what SIPp's own reader forgives is forgiven: two hyphens in
 * comments, `<` and `&` in attributes.
 *
 * Ownership: the tree lies in the store given. Threads: one at a time.
 */
#ifndef XML_H
#define XML_H

#include "nfv_err.h"
#include "nfv_sv.h"
#include "store.h"

#define XML_BYTES 4194304u
#define XML_DEPTH 16u
#define XML_NODES 65536u

struct xml_attr {
	const char *name, *value;
	struct xml_attr *next;
};

struct xml_node {
	const char *name;
	unsigned int line, text_line; /* of its tag; of its first CDATA section's first byte */
	struct nfv_sv text;           /* of its CDATA sections; p == NULL: it has none */
	struct xml_attr *attr;
	struct xml_node *child, *next;
	struct xml_node *parent, *last; /* while it is read */
};

/** Errors: -EINVAL, the sentence begins with `file:line:`; -E2BIG; -ENOMEM. */
int xml_read(struct nfv_sv text, const char *file, struct store *s, struct xml_node **root,
	struct nfv_err *err);

/** Value of an attribute, or NULL. */
const char *xml_attr(const struct xml_node *n, const char *name);

#endif
