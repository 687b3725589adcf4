/*
 * From a file to a document tree.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tree.h"

#define FILE_MAX (16u << 20) /* a configuration is written by hand */

int
conf_fail_at(const struct nfv_conf *c, const yaml_node_t *node, struct nfv_err *err,
	const char *fmt, ...)
{
	char text[sizeof(err->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return nfv_fail(err, EINVAL, "%s:%zu:%zu: %s", c->name, node->start_mark.line + 1,
		node->start_mark.column + 1, text);
}

int
conf_check_keys(const struct nfv_conf *c, const yaml_node_t *map, struct nfv_err *err)
{
	for (const yaml_node_pair_t *p = map->data.mapping.pairs.start;
		p < map->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = yaml_document_get_node(&c->tree->doc, p->key);

		if (key->type != YAML_SCALAR_NODE)
			return conf_fail_at(c, key, err, "a key must be a plain word");
		for (const yaml_node_pair_t *q = map->data.mapping.pairs.start; q < p; q++) {
			const yaml_node_t *other = yaml_document_get_node(&c->tree->doc, q->key);

			if (nfv_sv_eq(conf_scalar(other), conf_scalar(key)))
				return conf_fail_at(c, key, err,
					"key \"%.*s\" stands twice; first on line %zu",
					NFV_SV_ARG(conf_scalar(key)), other->start_mark.line + 1);
		}
	}
	return 0;
}

/* The document with its root checked, in c->tree. */
static int
load(struct nfv_conf *c, const char *text, size_t len, struct nfv_err *err)
{
	const yaml_node_t *root;
	yaml_parser_t parser;
	int rc = 0;

	if (yaml_parser_initialize(&parser) == 0)
		return nfv_fail(err, ENOMEM, "%s: out of memory", c->name);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (yaml_parser_load(&parser, &c->tree->doc) == 0) {
		rc = nfv_fail(err, EINVAL, "%s:%zu:%zu: not YAML: %s", c->name,
			parser.problem_mark.line + 1, parser.problem_mark.column + 1,
			parser.problem != NULL ? parser.problem : "unreadable");
		memset(&c->tree->doc, 0, sizeof(c->tree->doc));
	}
	yaml_parser_delete(&parser);
	if (rc < 0)
		return rc;
	root = yaml_document_get_root_node(&c->tree->doc);
	if (root == NULL)
		return nfv_fail(err, EINVAL, "%s: the file is empty", c->name);
	if (root->type != YAML_MAPPING_NODE)
		return conf_fail_at(c, root, err, "the top level must be `key: value` lines");
	c->tree->asked =
		calloc((size_t)(root->data.mapping.pairs.top - root->data.mapping.pairs.start) + 1,
			sizeof(bool));
	if (c->tree->asked == NULL)
		return nfv_fail(err, ENOMEM, "%s: out of memory", c->name);
	return conf_check_keys(c, root, err);
}

int
nfv_conf_parse(
	const char *name, const char *text, size_t len, struct nfv_conf **out, struct nfv_err *err)
{
	struct nfv_conf *c = calloc(1, sizeof(*c));
	int rc = -ENOMEM;

	if (c == NULL)
		return nfv_fail(err, ENOMEM, "%s: out of memory", name);
	c->name = strdup(name);
	c->text = malloc(len + 1);
	c->tree = calloc(1, sizeof(*c->tree));
	if (c->name == NULL || c->text == NULL || c->tree == NULL) {
		nfv_fail(err, ENOMEM, "%s: out of memory", name);
		goto fail;
	}
	memcpy(c->text, text, len);
	c->text[len] = '\0';
	c->len = len;
	rc = load(c, text, len, err);
	if (rc < 0)
		goto fail;
	*out = c;
	return 0;
fail:
	nfv_conf_close(c);
	return rc;
}

static int
read_file(const char *path, char **text, size_t *len, struct nfv_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	char *buf = NULL;
	struct stat st;
	ssize_t got = 0;

	if (fd < 0)
		return nfv_fail(err, errno, "%s: cannot be opened: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		rc = nfv_fail(err, EINVAL, "%s: not a regular file of at most %u MiB", path,
			FILE_MAX >> 20);
	else if ((buf = malloc((size_t)st.st_size + 1)) == NULL)
		rc = nfv_fail(err, ENOMEM, "%s: out of memory", path);
	else if ((got = read(fd, buf, (size_t)st.st_size)) < 0)
		rc = nfv_fail(err, EIO, "%s: cannot be read: %s", path, strerror(errno));
	close(fd);
	if (rc < 0) {
		free(buf);
		return rc;
	}
	*text = buf;
	*len = got > 0 ? (size_t)got : 0;
	return 0;
}

int
nfv_conf_open(const char *path, struct nfv_conf **out, struct nfv_err *err)
{
	char *text = NULL;
	size_t len = 0;
	int rc = read_file(path, &text, &len, err);

	if (text == NULL)
		return rc;
	rc = nfv_conf_parse(path, text, len, out, err);
	free(text);
	return rc;
}

void
nfv_conf_close(struct nfv_conf *c)
{
	struct block *next;

	if (c == NULL)
		return;
	for (struct block *b = c->blocks; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	if (c->tree != NULL) {
		yaml_document_delete(&c->tree->doc);
		free(c->tree->asked);
	}
	free(c->tree);
	free(c->place);
	free(c->text);
	free(c->name);
	free(c);
}

const char *
nfv_conf_name(const struct nfv_conf *c)
{
	return c->name;
}

const char *
nfv_conf_text(const struct nfv_conf *c)
{
	return c->text;
}
