/**
 * @file
 * Any text as a configuration, read by a schema that has every type in it, alone, in lists and
 * nested, as the top level and as a section.
 *
 * Besides the sanitizers' own findings: what was taken keeps the limits it was taken under, what was
 * refused has a sentence, and a mistake found later has a place.
 */
#include <stdlib.h>
#include <string.h>

#include "nfv_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct inner {
	const char *name;
	uint32_t n;
	struct nfv_conf_list deep; /* struct innermost */
};

struct innermost {
	struct nfv_addr addr;
};

struct outer {
	const char *text, *path;
	bool yes;
	uint32_t number, choice;
	struct nfv_addr addr;
	struct nfv_prefix prefix;
	struct nfv_endpoint endpoint;
	struct nfv_conf_range range;
	struct inner section;
	struct nfv_conf_list texts, numbers, prefixes, ranges, sections;
};

static const char *const choices[] = { "red", "green", "blue", NULL };

#define FIELD(type_, member, ...)                                                                  \
	{                                                                                          \
		.name = #member, .help = "-", .offset = offsetof(struct type_, member),            \
		__VA_ARGS__                                                                        \
	}

static const struct nfv_conf_field innermost_fields[] = {
	FIELD(innermost, addr, .type = NFV_CONF_ADDR, .def = "::1"),
	{ .name = NULL },
};

static const struct nfv_conf_schema innermost_schema = {
	.size = sizeof(struct innermost),
	.help = "-",
	.fields = innermost_fields,
};

static const struct nfv_conf_field inner_fields[] = {
	FIELD(inner, name, .type = NFV_CONF_STRING, .min = 1, .max = 8, .def = "x"),
	FIELD(inner, n, .type = NFV_CONF_UINT, .min = 3, .max = 5, .def = "4"),
	FIELD(inner, deep, .type = NFV_CONF_SECTION, .list = true, .section = &innermost_schema,
		.def = ""),
	{ .name = NULL },
};

static const struct nfv_conf_schema inner_schema = {
	.size = sizeof(struct inner),
	.help = "-",
	.fields = inner_fields,
};

static const struct nfv_conf_field schema_fields[] = {
	FIELD(outer, text, .type = NFV_CONF_STRING, .max = 16, .def = ""),
	FIELD(outer, path, .type = NFV_CONF_PATH, .def = "/x"),
	FIELD(outer, yes, .type = NFV_CONF_BOOL, .def = "true"),
	FIELD(outer, number, .type = NFV_CONF_UINT, .min = 10, .max = UINT32_MAX, .def = "10"),
	FIELD(outer, choice, .type = NFV_CONF_CHOICE, .choices = choices, .def = "red"),
	FIELD(outer, addr, .type = NFV_CONF_ADDR, .def = ""),
	FIELD(outer, prefix, .type = NFV_CONF_PREFIX, .def = "10.0.0.1/8"),
	FIELD(outer, endpoint, .type = NFV_CONF_ENDPOINT, .def = "[::1]:80"),
	FIELD(outer, range, .type = NFV_CONF_RANGE, .min = 5, .max = 50, .def = "5-50"),
	FIELD(outer, section, .type = NFV_CONF_SECTION, .section = &inner_schema, .def = ""),
	FIELD(outer, texts, .type = NFV_CONF_STRING, .list = true, .def = ""),
	FIELD(outer, numbers, .type = NFV_CONF_UINT, .list = true, .max = 9, .def = ""),
	FIELD(outer, prefixes, .type = NFV_CONF_PREFIX, .list = true, .def = ""),
	FIELD(outer, ranges, .type = NFV_CONF_RANGE, .list = true, .min = 1, .max = 9, .def = ""),
	FIELD(outer, sections, .type = NFV_CONF_SECTION, .list = true, .section = &inner_schema,
		.def = ""),
	{ .name = NULL },
};

static const struct nfv_conf_schema schema = {
	.size = sizeof(struct outer),
	.help = "-",
	.fields = schema_fields,
};

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static void
check_prefix(const struct nfv_prefix *p)
{
	check(p->addr.family == NFV_IPV4 || p->addr.family == NFV_IPV6);
	check(p->len <= (p->addr.family == NFV_IPV4 ? 32 : 128));
}

static void
check_inner(const struct inner *i)
{
	check(strlen(i->name) >= 1 && strlen(i->name) <= 8 && i->n >= 3 && i->n <= 5);
	for (uint32_t k = 0; k < i->deep.n; k++)
		check(((const struct innermost *)i->deep.item)[k].addr.family != NFV_NO_ADDR);
}

static void
check_outer(const struct outer *o)
{
	const uint32_t *number = o->numbers.item;
	const struct nfv_conf_range *range = o->ranges.item;

	check(o->text == NULL || strlen(o->text) <= 16);
	check(o->path[0] != '\0' && o->number >= 10 && o->choice < 3);
	check_prefix(&o->prefix);
	check(o->range.lo >= 5 && o->range.lo <= o->range.hi && o->range.hi <= 50);
	check_inner(&o->section);
	for (uint32_t i = 0; i < o->texts.n; i++)
		check(strlen(((const char *const *)o->texts.item)[i]) < SIZE_MAX);
	for (uint32_t i = 0; i < o->numbers.n; i++)
		check(number[i] <= 9);
	for (uint32_t i = 0; i < o->prefixes.n; i++)
		check_prefix((const struct nfv_prefix *)o->prefixes.item + i);
	for (uint32_t i = 0; i < o->ranges.n; i++)
		check(range[i].lo >= 1 && range[i].lo <= range[i].hi && range[i].hi <= 9);
	for (uint32_t i = 0; i < o->sections.n; i++)
		check_inner((const struct inner *)o->sections.item + i);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nfv_conf *c = NULL;
	struct nfv_err err = { "" };
	struct outer o;
	struct inner i;

	if (nfv_conf_parse("dir/f.yaml", (const char *)data, size, &c, &err) < 0) {
		check(c == NULL && strncmp(err.text, "dir/f.yaml", 10) == 0);
		return 0;
	}
	if (nfv_conf_read(c, NULL, &schema, &o, &err) == 0) {
		check_outer(&o);
		check(nfv_conf_fail(c, &o.number, &err, "no") == -EINVAL);
		check(strncmp(err.text, "dir/f.yaml:", 11) == 0);
	} else {
		check(strncmp(err.text, "dir/f.yaml", 10) == 0);
	}
	if (nfv_conf_read(c, "inner", &inner_schema, &i, &err) == 0)
		check_inner(&i);
	err.text[0] = '\0';
	check(nfv_conf_unread(c, &err) == 0 || err.text[0] != '\0');
	nfv_conf_close(c);
	return 0;
}
