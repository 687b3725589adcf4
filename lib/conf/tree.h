/** @file  A loaded configuration and its document tree, as the sources of this library share them. */
#ifndef TREE_H
#define TREE_H

#include <stddef.h>

#include <yaml.h>

#include "place.h"

/* Memory of the filled structs: strings and lists. */
struct block {
	struct block *next;
	max_align_t bytes[];
};

struct tree {
	yaml_document_t doc;
	bool *asked; /* per top-level key: some nfv_conf_read wanted it */
};

static inline struct nfv_sv
conf_scalar(const yaml_node_t *node)
{
	return nfv_sv((const char *)node->data.scalar.value, node->data.scalar.length);
}

/* An error at a node's place; returns -EINVAL. */
int conf_fail_at(const struct nfv_conf *c, const yaml_node_t *node, struct nfv_err *err,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Keys must be plain words and stand once. */
int conf_check_keys(const struct nfv_conf *c, const yaml_node_t *map, struct nfv_err *err);

#endif
