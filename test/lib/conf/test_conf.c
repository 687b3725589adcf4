#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "nfv_conf.h"

struct door {
	const char *name;
	struct nfv_prefix addr;
};

struct house {
	const char *file;
	bool lit;
	uint32_t rooms, colour;
	struct nfv_endpoint bell;
	struct nfv_conf_range range;
	struct nfv_conf_list doors, words;
};

static const char *const colours[] = { "red", "green", NULL };

static const struct nfv_conf_field door_fields[] = {
	{ .name = "name",
		.help = "what it is called",
		.type = NFV_CONF_STRING,
		.min = 1,
		.max = 8,
		.offset = offsetof(struct door, name) },
	{ .name = "addr",
		.help = "where it is",
		.type = NFV_CONF_PREFIX,
		.offset = offsetof(struct door, addr),
		.def = "10.0.0.1/24" },
	{ .name = NULL },
};

static const struct nfv_conf_schema door_schema = {
	.size = sizeof(struct door),
	.fields = door_fields,
};

static const struct nfv_conf_field house_fields[] = {
	{ .name = "file",
		.type = NFV_CONF_PATH,
		.offset = offsetof(struct house, file),
		.def = "" },
	{ .name = "lit",
		.type = NFV_CONF_BOOL,
		.offset = offsetof(struct house, lit),
		.def = "true" },
	{ .name = "rooms",
		.type = NFV_CONF_UINT,
		.min = 1,
		.max = 9,
		.def = "3",
		.offset = offsetof(struct house, rooms) },
	{ .name = "colour",
		.type = NFV_CONF_CHOICE,
		.choices = colours,
		.def = "green",
		.offset = offsetof(struct house, colour) },
	{ .name = "bell",
		.type = NFV_CONF_ENDPOINT,
		.offset = offsetof(struct house, bell),
		.def = "" },
	{ .name = "range",
		.type = NFV_CONF_RANGE,
		.min = 1,
		.max = 65535,
		.def = "5-10",
		.offset = offsetof(struct house, range) },
	{ .name = "doors",
		.type = NFV_CONF_SECTION,
		.section = &door_schema,
		.list = true,
		.def = "",
		.offset = offsetof(struct house, doors) },
	{ .name = "words",
		.type = NFV_CONF_STRING,
		.list = true,
		.def = "",
		.offset = offsetof(struct house, words) },
	{ .name = NULL },
};

static const struct nfv_conf_schema house_schema = {
	.size = sizeof(struct house),
	.fields = house_fields,
};

static struct nfv_conf *
parse(const char *text)
{
	struct nfv_conf *c = NULL;
	struct nfv_err err;

	if (nfv_conf_parse("dir/t.yaml", text, strlen(text), &c, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

static void
values_and_defaults(void **state)
{
	struct nfv_conf *c =
		parse("house:\n  rooms: 7\n  colour: red\n  file: a/b\n  range: 1-2\n"
		      "  bell: '[fd00::1]:80'\n  words: [x, 'y z']\n"
		      "  doors:\n    - {name: front, addr: 10.1.0.1/16}\n    - name: back\n");
	struct nfv_err err;
	struct house h;
	struct door *d;

	(void)state;
	assert_int_equal(nfv_conf_read(c, "house", &house_schema, &h, &err), 0);
	assert_int_equal(nfv_conf_unread(c, &err), 0);
	assert_true(h.lit);
	assert_int_equal(h.rooms, 7);
	assert_int_equal(h.colour, 0);
	assert_string_equal(h.file, "dir/a/b");
	assert_int_equal(h.range.hi, 2);
	assert_int_equal(h.bell.port, 80);
	assert_string_equal(((const char **)h.words.item)[1], "y z");
	assert_int_equal(h.doors.n, 2);
	d = h.doors.item;
	assert_string_equal(d[0].name, "front");
	assert_int_equal(d[0].addr.len, 16);
	assert_int_equal(d[1].addr.len, 24);
	nfv_conf_close(c);
	c = parse("other: 1");
	assert_int_equal(nfv_conf_read(c, "house", &house_schema, &h, &err), 0);
	assert_int_equal(h.rooms, 3);
	assert_int_equal(h.range.lo, 5);
	assert_int_equal(nfv_conf_unread(c, &err), -EINVAL);
	assert_string_equal(err.text, "dir/t.yaml:1:1: unknown section \"other\"");
	nfv_conf_close(c);
}

static void
mistakes_are_told_with_their_place(void **state)
{
	static const struct {
		const char *text, *told;
	} t[] = {
		{ "house:\n  rooms: 10\n",
			":2:10: rooms is \"10\", but must be a number from 1 to 9" },
		{ "house:\n  rooms: -1\n", ":2:10: rooms is \"-1\"" },
		{ "house:\n  lit: yes\n", ":2:8: lit is \"yes\", but must be true or false" },
		{ "house:\n  colour: blue\n", "must be one of red green" },
		{ "house:\n  roms: 1\n", ":2:3: unknown key \"roms\"; known here: file lit rooms" },
		{ "house:\n  lit: true\n  lit: false\n",
			":3:3: key \"lit\" stands twice; first on line 2" },
		{ "house:\n  doors:\n    - addr: 1.2.3.4\n",
			":3:7: name is missing here: what it is" },
		{ "house:\n  doors: 5\n", ":2:10: doors must be a list" },
		{ "house:\n  doors: [5]\n", ":2:11: doors must be a mapping" },
		{ "house:\n  rooms: [1]\n", ":2:10: rooms must be a number" },
		{ "house:\n  doors:\n  - {name: front, addr: 10.0.0.300}\n", ":3:25: addr is" },
		{ "house:\n  doors:\n  - {name: muchtoolong}\n", "text of 1 to 8 characters" },
		{ "house:\n  range: 9-3\n", "a range A-B within 1-65535" },
		{ "house: 1\n", ":1:8: house must be a mapping" },
		{ "house:\n  bell: 10.0.0.1\n", "an address and port such as" },
		{ "house: &a\n  doors: [*a]\n", ":" }, /* a cycle through an anchor */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct nfv_conf *c = parse(t[i].text);
		struct nfv_err err = { "" };
		struct house h;

		assert_int_equal(nfv_conf_read(c, "house", &house_schema, &h, &err), -EINVAL);
		if (strstr(err.text, t[i].told) == NULL)
			fail_msg("said \"%s\", not \"%s\"", err.text, t[i].told);
		nfv_conf_close(c);
	}
}

static void
broken_yaml(void **state)
{
	static const char *const bad[] = { "", "a: [", "- 1", "a: 'x", "\x01", "a: b: c",
		"{a: 1, a: 2}", "? [x]\n: 1" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct nfv_conf *c = NULL;
		struct nfv_err err = { "" };

		assert_true(nfv_conf_parse("t.yaml", bad[i], strlen(bad[i]), &c, &err) < 0);
		assert_null(c);
		assert_non_null(strstr(err.text, "t.yaml"));
	}
}

static void
later_mistakes_find_their_place(void **state)
{
	struct nfv_conf *c = parse("house:\n  doors:\n    - name: front\n    - name: back\n");
	struct nfv_err err;
	struct house h;
	struct door *d;

	(void)state;
	assert_int_equal(nfv_conf_read(c, "house", &house_schema, &h, &err), 0);
	d = h.doors.item;
	assert_int_equal(nfv_conf_fail(c, &d[1].name, &err, "no %s", "key"), -EINVAL);
	assert_string_equal(err.text, "dir/t.yaml:4:13: no key");
	nfv_conf_fail(c, &h.rooms, &err, "too few");
	assert_string_equal(err.text, "dir/t.yaml: too few");
	nfv_conf_close(c);
}

static void
files(void **state)
{
	struct nfv_conf *c = NULL;
	struct nfv_err err;

	(void)state;
	assert_true(nfv_conf_open("/nonexistent/x.yaml", &c, &err) < 0);
	assert_non_null(strstr(err.text, "cannot be opened"));
	assert_true(nfv_conf_open("/", &c, &err) < 0);
	assert_true(nfv_conf_open("/dev/zero", &c, &err) < 0);
	assert_null(c);
	nfv_conf_close(NULL);
}

static void
the_manual_names_every_field(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	nfv_conf_manual(f, "house", &house_schema);
	fclose(f);
	assert_non_null(strstr(text, "rooms: number 1..9, default 3"));
	assert_non_null(strstr(text, "colour: red|green, default green"));
	assert_non_null(strstr(text, "name: text, required"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_and_defaults),
		cmocka_unit_test(mistakes_are_told_with_their_place),
		cmocka_unit_test(broken_yaml),
		cmocka_unit_test(later_mistakes_find_their_place),
		cmocka_unit_test(files),
		cmocka_unit_test(the_manual_names_every_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
