#include <stdlib.h>
#include <string.h>

#include "tree.h"

#define ITEMS_MAX 65536u

static void *
keep(struct nfv_conf *c, size_t n)
{
	struct block *b = calloc(1, sizeof(*b) + n);

	if (b == NULL)
		return NULL;
	b->next = c->blocks;
	c->blocks = b;
	return b->bytes;
}

static int
remember(struct nfv_conf *c, const void *at, const yaml_node_t *node, struct nfv_err *err)
{
	if ((c->n_place & (c->n_place - 1)) == 0) { /* full at each power of two: double */
		size_t room = c->n_place == 0 ? 1 : 2 * c->n_place;
		struct place *p = realloc(c->place, room * sizeof(*p));

		if (p == NULL)
			return nfv_fail(err, ENOMEM, "%s: out of memory", c->name);
		c->place = p;
	}
	c->place[c->n_place++] = (struct place){ at, (unsigned int)node->start_mark.line + 1,
		(unsigned int)node->start_mark.column + 1 };
	return 0;
}

static const char *
keep_text(struct nfv_conf *c, const struct nfv_conf_field *f, struct nfv_sv s)
{
	const char *slash =
		f->type == NFV_CONF_PATH && s.p[0] != '/' ? strrchr(c->name, '/') : NULL;
	size_t dir = slash != NULL ? (size_t)(slash + 1 - c->name) : 0;
	char *text = keep(c, dir + s.n + 1);

	if (text != NULL) {
		memcpy(text, c->name, dir);
		memcpy(text + dir, s.p, s.n);
	}
	return text;
}

/* What a value of this field has to look like, for the second half of an error message. */
static const char *
expected(const struct nfv_conf_field *f, char *buf, size_t size)
{
	size_t n = 0;

	switch (f->type) {
	case NFV_CONF_STRING:
	case NFV_CONF_PATH:
		snprintf(buf, size, f->max > 0 ? "text of %u to %u characters" : "text", f->min,
			f->max);
		break;
	case NFV_CONF_BOOL:
		snprintf(buf, size, "true or false");
		break;
	case NFV_CONF_UINT:
		snprintf(buf, size, "a number from %u to %u", f->min, f->max);
		break;
	case NFV_CONF_CHOICE:
		n = (size_t)snprintf(buf, size, "one of");
		for (size_t i = 0; f->choices[i] != NULL && n < size; i++)
			n += (size_t)snprintf(buf + n, size - n, " %s", f->choices[i]);
		break;
	case NFV_CONF_ADDR:
		snprintf(buf, size, "an address such as 10.0.0.1 or fd00::1");
		break;
	case NFV_CONF_PREFIX:
		snprintf(buf, size, "an address and length such as 10.0.0.1/24 or fd00::1/64");
		break;
	case NFV_CONF_ENDPOINT:
		snprintf(buf, size, "an address and port such as 10.0.0.1:5060 or [fd00::1]:5060");
		break;
	case NFV_CONF_RANGE:
		snprintf(buf, size, "a range A-B within %u-%u", f->min, f->max);
		break;
	case NFV_CONF_SECTION:
		snprintf(buf, size, "a mapping (indented `key: value` lines)");
		break;
	}
	return buf;
}

static int
read_range(const struct nfv_conf_field *f, struct nfv_sv s, struct nfv_conf_range *out)
{
	struct nfv_sv lo = nfv_sv_cut(&s, '-');
	uint64_t a, b;

	if (nfv_sv_u64(nfv_sv_trim(lo), f->min, f->max, &a) < 0 ||
		nfv_sv_u64(nfv_sv_trim(s), a, f->max, &b) < 0)
		return -EINVAL;
	*out = (struct nfv_conf_range){ (uint32_t)a, (uint32_t)b };
	return 0;
}

/* Returns 0, -EINVAL if the text is not a value of this field, or -ENOMEM. */
static int
read_scalar(struct nfv_conf *c, const struct nfv_conf_field *f, struct nfv_sv s, void *to)
{
	uint64_t u;

	switch (f->type) {
	case NFV_CONF_STRING:
	case NFV_CONF_PATH:
		if ((f->max > 0 && (s.n < f->min || s.n > f->max)) ||
			memchr(s.p, '\0', s.n) != NULL || (f->type == NFV_CONF_PATH && s.n == 0))
			return -EINVAL;
		*(const char **)to = keep_text(c, f, s);
		return *(const char **)to != NULL ? 0 : -ENOMEM;
	case NFV_CONF_BOOL:
		if (!nfv_sv_eq(s, NFV_SV("true")) && !nfv_sv_eq(s, NFV_SV("false")))
			return -EINVAL;
		*(bool *)to = nfv_sv_eq(s, NFV_SV("true"));
		return 0;
	case NFV_CONF_UINT:
		if (nfv_sv_u64(s, f->min, f->max, &u) < 0)
			return -EINVAL;
		*(uint32_t *)to = (uint32_t)u;
		return 0;
	case NFV_CONF_CHOICE:
		for (uint32_t i = 0; f->choices[i] != NULL; i++) {
			if (nfv_sv_eq(s, nfv_sv_str(f->choices[i]))) {
				*(uint32_t *)to = i;
				return 0;
			}
		}
		return -EINVAL;
	case NFV_CONF_ADDR:
		return nfv_addr_parse(s, to);
	case NFV_CONF_PREFIX:
		return nfv_prefix_parse(s, to);
	case NFV_CONF_ENDPOINT:
		return nfv_endpoint_parse(s, to);
	case NFV_CONF_RANGE:
		return read_range(f, s, to);
	case NFV_CONF_SECTION:
		break;
	}
	return -EINVAL;
}

static int read_mapping(struct nfv_conf *c, const yaml_node_t *node,
	const struct nfv_conf_schema *schema, bool open, void *to, struct nfv_err *err);

static int
read_value(struct nfv_conf *c, const struct nfv_conf_field *f, const yaml_node_t *node, void *to,
	struct nfv_err *err)
{
	char want[256];
	int rc;

	if (f->type == NFV_CONF_SECTION) {
		if (node->type != YAML_MAPPING_NODE)
			return conf_fail_at(c, node, err, "%s must be %s", f->name,
				expected(f, want, sizeof(want)));
		/* Before its members: the first of them has the same address and is found first. */
		rc = remember(c, to, node, err);
		return rc < 0 ? rc : read_mapping(c, node, f->section, false, to, err);
	}
	if (node->type != YAML_SCALAR_NODE)
		return conf_fail_at(
			c, node, err, "%s must be %s", f->name, expected(f, want, sizeof(want)));
	rc = read_scalar(c, f, conf_scalar(node), to);
	if (rc == -ENOMEM)
		return nfv_fail(err, ENOMEM, "%s: out of memory", c->name);
	if (rc < 0)
		return conf_fail_at(c, node, err, "%s is \"%.*s\", but must be %s", f->name,
			(int)(conf_scalar(node).n > 64 ? 64 : conf_scalar(node).n),
			conf_scalar(node).p, expected(f, want, sizeof(want)));
	return remember(c, to, node, err);
}

static size_t
item_size(const struct nfv_conf_field *f)
{
	switch (f->type) {
	case NFV_CONF_STRING:
	case NFV_CONF_PATH:
		return sizeof(const char *);
	case NFV_CONF_BOOL:
		return sizeof(bool);
	case NFV_CONF_UINT:
	case NFV_CONF_CHOICE:
		return sizeof(uint32_t);
	case NFV_CONF_ADDR:
		return sizeof(struct nfv_addr);
	case NFV_CONF_PREFIX:
		return sizeof(struct nfv_prefix);
	case NFV_CONF_ENDPOINT:
		return sizeof(struct nfv_endpoint);
	case NFV_CONF_RANGE:
		return sizeof(struct nfv_conf_range);
	case NFV_CONF_SECTION:
		return f->section->size;
	}
	return 0;
}

static int
read_list(struct nfv_conf *c, const struct nfv_conf_field *f, const yaml_node_t *node,
	struct nfv_conf_list *to, struct nfv_err *err)
{
	const yaml_node_item_t *first, *top;
	size_t n, size = item_size(f);
	uint8_t *item;
	int rc;

	if (node->type != YAML_SEQUENCE_NODE)
		return conf_fail_at(c, node, err, "%s must be a list, such as [a, b]", f->name);
	first = node->data.sequence.items.start;
	top = node->data.sequence.items.top;
	n = (size_t)(top - first);
	if (n > ITEMS_MAX)
		return conf_fail_at(c, node, err, "%s has %zu items; at most %u are taken", f->name,
			n, ITEMS_MAX);
	item = keep(c, n * size);
	if (item == NULL)
		return nfv_fail(err, ENOMEM, "%s: out of memory", c->name);
	for (size_t i = 0; i < n; i++) {
		rc = read_value(c, f, yaml_document_get_node(&c->tree->doc, first[i]),
			item + i * size, err);
		if (rc < 0)
			return rc;
	}
	*to = (struct nfv_conf_list){ item, (uint32_t)n };
	return remember(c, to, node, err);
}

static int
read_default(struct nfv_conf *c, const struct nfv_conf_field *f, void *to, struct nfv_err *err)
{
	static yaml_node_t nothing = { .type = YAML_MAPPING_NODE };

	if (f->type == NFV_CONF_SECTION && !f->list)
		return read_mapping(c, &nothing, f->section, false, to, err);
	if (f->list || f->def[0] == '\0')
		return 0;
	if (read_scalar(c, f, nfv_sv_str(f->def), to) < 0)
		return nfv_fail(
			err, EINVAL, "the default \"%s\" of %s is not valid", f->def, f->name);
	return 0;
}

static const struct nfv_conf_field *
find_field(const struct nfv_conf_schema *schema, struct nfv_sv key)
{
	const struct nfv_conf_field *f = schema->fields;

	while (f->name != NULL && !nfv_sv_eq(key, nfv_sv_str(f->name)))
		f++;
	return f->name != NULL ? f : NULL;
}

static int
unknown_key(const struct nfv_conf *c, const yaml_node_t *key, const struct nfv_conf_schema *schema,
	struct nfv_err *err)
{
	char known[256] = "";
	size_t n = 0;

	for (const struct nfv_conf_field *f = schema->fields; f->name != NULL && n < sizeof(known);
		f++)
		n += (size_t)snprintf(known + n, sizeof(known) - n, " %s", f->name);
	return conf_fail_at(c, key, err, "unknown key \"%.*s\"; known here:%s",
		(int)(conf_scalar(key).n > 64 ? 64 : conf_scalar(key).n), conf_scalar(key).p,
		known);
}

/* The value of `name` in a mapping, or NULL; a key that stands twice is the caller's to find. */
static const yaml_node_t *
lookup(const struct nfv_conf *c, const yaml_node_t *map, const char *name)
{
	for (const yaml_node_pair_t *p = map->data.mapping.pairs.start;
		p < map->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = yaml_document_get_node(&c->tree->doc, p->key);

		if (key->type == YAML_SCALAR_NODE && nfv_sv_eq(conf_scalar(key), nfv_sv_str(name)))
			return yaml_document_get_node(&c->tree->doc, p->value);
	}
	return NULL;
}

static int
check_known(const struct nfv_conf *c, const yaml_node_t *map, const struct nfv_conf_schema *schema,
	struct nfv_err *err)
{
	for (const yaml_node_pair_t *p = map->data.mapping.pairs.start;
		p < map->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = yaml_document_get_node(&c->tree->doc, p->key);

		if (find_field(schema, conf_scalar(key)) == NULL)
			return unknown_key(c, key, schema, err);
	}
	return 0;
}

static int
read_mapping(struct nfv_conf *c, const yaml_node_t *node, const struct nfv_conf_schema *schema,
	bool open, void *to, struct nfv_err *err)
{
	int rc = conf_check_keys(c, node, err);

	if (rc == 0 && !open)
		rc = check_known(c, node, schema, err);
	if (rc < 0)
		return rc;
	for (const struct nfv_conf_field *f = schema->fields; f->name != NULL; f++) {
		void *member = (uint8_t *)to + f->offset;
		const yaml_node_t *value = lookup(c, node, f->name);

		if (value != NULL)
			rc = f->list ? read_list(c, f, value, member, err) :
				       read_value(c, f, value, member, err);
		else if (f->def == NULL)
			rc = conf_fail_at(c, node, err, "%s is missing here: %s", f->name, f->help);
		else
			rc = read_default(c, f, member, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int
nfv_conf_read(struct nfv_conf *c, const char *section, const struct nfv_conf_schema *schema,
	void *to, struct nfv_err *err)
{
	const yaml_node_t *root = yaml_document_get_root_node(&c->tree->doc);
	const yaml_node_pair_t *pairs = root->data.mapping.pairs.start;
	size_t n = (size_t)(root->data.mapping.pairs.top - pairs);
	struct nfv_conf_field whole = {
		.name = section, .type = NFV_CONF_SECTION, .section = schema
	};
	const yaml_node_t *node;

	memset(to, 0, schema->size);
	for (size_t i = 0; i < n; i++) {
		const yaml_node_t *key = yaml_document_get_node(&c->tree->doc, pairs[i].key);

		if (section != NULL ? nfv_sv_eq(conf_scalar(key), nfv_sv_str(section)) :
				      find_field(schema, conf_scalar(key)) != NULL)
			c->tree->asked[i] = true;
	}
	if (section == NULL)
		return read_mapping(c, root, schema, true, to, err);
	node = lookup(c, root, section);
	if (node != NULL)
		return read_value(c, &whole, node, to, err);
	if (read_default(c, &whole, to, err) < 0)
		return nfv_fail(err, EINVAL,
			"%s: section `%s:` is missing and has fields without a default", c->name,
			section);
	return 0;
}

bool
nfv_conf_has(const struct nfv_conf *c, const char *section)
{
	return lookup(c, yaml_document_get_root_node(&c->tree->doc), section) != NULL;
}

int
nfv_conf_unread(const struct nfv_conf *c, struct nfv_err *err)
{
	const yaml_node_t *root = yaml_document_get_root_node(&c->tree->doc);
	const yaml_node_pair_t *pairs = root->data.mapping.pairs.start;
	size_t n = (size_t)(root->data.mapping.pairs.top - pairs);

	for (size_t i = 0; i < n; i++) {
		const yaml_node_t *key = yaml_document_get_node(&c->tree->doc, pairs[i].key);

		if (!c->tree->asked[i])
			return conf_fail_at(c, key, err, "unknown section \"%.*s\"",
				(int)(conf_scalar(key).n > 64 ? 64 : conf_scalar(key).n),
				conf_scalar(key).p);
	}
	return 0;
}
