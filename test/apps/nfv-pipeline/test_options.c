#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app.h"

#define ARGS 8

struct row {
	const char *arg[ARGS];
	const char *word; /* NULL: taken */
};

static int
parse(const char *const *arg, struct options *o, struct nfv_err *err)
{
	char copy[ARGS][64], *argv[ARGS + 1];
	int argc = 0;

	/* getopt may put them in another order. */
	for (; argc < ARGS && arg[argc] != NULL; argc++) {
		snprintf(copy[argc], sizeof(copy[argc]), "%s", arg[argc]);
		argv[argc] = copy[argc];
	}
	argv[argc] = NULL;
	err->text[0] = '\0';
	return options_parse(argc, argv, o, err);
}

static void
defaults(void **state)
{
	static char name[] = "nfv-pipeline", c[] = "-c", file[] = "x.yaml";
	char *argv[] = { name, c, file, NULL };
	struct options o;
	struct nfv_err err;

	(void)state;
	assert_int_equal(options_parse(3, argv, &o, &err), 0);
	assert_string_equal(o.config, "x.yaml");
	assert_false(o.check || o.json || o.interactive);
	assert_int_equal(o.interval, 1);
}

static void
all_of_them(void **state)
{
	static char name[] = "nfv-pipeline", file[] = "--config=x.yaml", s[] = "--stats-interval",
		    zero[] = "0", json[] = "--json", i[] = "-i", check[] = "--check";
	char *argv[] = { name, file, s, zero, json, i, check, NULL };
	struct options o;
	struct nfv_err err;

	(void)state;
	assert_int_equal(options_parse(7, argv, &o, &err), 0);
	assert_string_equal(o.config, "x.yaml");
	assert_true(o.check && o.json && o.interactive);
	assert_int_equal(o.interval, 0);
}

static void
what_is_wrong_is_named(void **state)
{
	static const struct row row[] = {
		{ { "p" }, "--config" },
		{ { "p", "--check" }, "--config" },
		{ { "p", "-c" }, "-c needs a value" },
		{ { "p", "--config" }, "--config needs a value" },
		{ { "p", "-c", "x", "--cheque" }, "--cheque" },
		{ { "p", "-x", "-c", "x" }, "-x" },
		{ { "p", "-c", "x", "-xi" }, "-x" },
		{ { "p", "-ix", "-c", "x" }, "option -x" },
		{ { "p", "--json", "-xi", "-c", "x" }, "option -x" },
		{ { "p", "-c", "x", "--interactive=yes" }, "--interactive=yes" },
		{ { "p", "-ic" }, "-c needs a value" },
		{ { "p", "-c", "x", "--x" }, "option --x" },
		{ { "p", "-c", "x", "y.yaml" }, "y.yaml" },
		{ { "p", "y.yaml", "-c", "x" }, "y.yaml" },
		{ { "p", "-c", "x", "-s", "-1" }, "-1" },
		{ { "p", "-c", "x", "-s", "" }, "0 to 86400" },
		{ { "p", "-c", "x", "-s", "1.5" }, "1.5" },
		{ { "p", "-c", "x", "-s", "86401" }, "86401" },
		{ { "p", "-c", "x", "-s", "99999999999999999999" }, "86400" },
		{ { "p", "-c", "x", "--check=yes" }, "--check" },
		{ { "p", "-c", "x", "-s" }, "-s needs a value" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct options o = { .interval = 77 };
		struct nfv_err err;

		if (parse(row[i].arg, &o, &err) != -EINVAL || strstr(err.text, row[i].word) == NULL)
			fail_msg("row %zu: wanted %s, got \"%s\"", i, row[i].word, err.text);
		assert_int_equal(o.interval, 77);
	}
}

static void
help_names_every_option(void **state)
{
	static const char *const word[] = { "--config", "--check", "--interactive",
		"--stats-interval", "--json", "--manual", "--help", "Exit status" };
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	options_help(to);
	fclose(to);
	for (size_t i = 0; i < sizeof(word) / sizeof(word[0]); i++)
		assert_non_null(strstr(text, word[i]));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(all_of_them),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(help_names_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
