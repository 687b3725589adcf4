#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "options.h"

static int
parse(const char *const *argv, struct options *o, struct nfv_err *err)
{
	int argc = 0;

	while (argv[argc] != NULL)
		argc++;
	return options_parse(argc, (char **)(uintptr_t)argv, o, err); /* which only permutes them */
}

static void
what_is_asked_is_understood(void **state)
{
	const char *plain[] = { "mempool-color", "calibrate", NULL };
	const char *full[] = { "mempool-color", "show", "--level", "llc", "--size", "2G", "--pages",
		"thp", "--cpu", "3", "--json", "--svg", "x.svg", NULL };
	const char *bench[] = { "mempool-color", "bench", "--cases", "same-core,retention",
		"--depth", "1024,8192", "--share", "4", "--table", "512K", "--packets", "100",
		NULL };
	const char *mcmf[] = { "mempool-color", "mcmf", "--check", "x.min", "--json", NULL };
	const char *footprint[] = { "mempool-color", "footprint", "w0.trace", "--rate", "0.01",
		NULL };
	const char *plan[] = { "mempool-color", "plan", "--machine", "auto", "--simulate",
		"--memory", "64M", "w0.trace", "--svg", "p.svg", NULL };
	struct nfv_err err = { "" };
	struct options o;

	(void)state;
	assert_int_equal(parse(plan, &o, &err), 0);
	assert_int_equal(o.command, PLAN);
	assert_string_equal(o.file, "w0.trace");
	assert_null(o.machine);
	assert_true(o.simulate);
	assert_int_equal(o.memory, 64 << 20);
	assert_string_equal(o.svg, "p.svg");
	assert_int_equal(parse(mcmf, &o, &err), 0);
	assert_int_equal(o.command, MCMF);
	assert_string_equal(o.file, "x.min");
	assert_true(o.check);
	assert_true(o.json);
	assert_int_equal(parse(plain, &o, &err), 0);
	assert_int_equal(o.command, CALIBRATE);
	assert_int_equal(o.level, 2);
	assert_false(o.size_given);
	assert_int_equal(o.pages, MPC_PAGES_ANY);
	assert_int_equal(o.cpu, -1);
	assert_false(o.json);
	assert_int_equal(parse(full, &o, &err), 0);
	assert_int_equal(o.command, SHOW);
	assert_int_equal(o.level, 0);
	assert_int_equal(o.size, (size_t)2 << 30);
	assert_int_equal(o.pages, MPC_PAGES_THP);
	assert_int_equal(o.cpu, 3);
	assert_true(o.json);
	assert_string_equal(o.svg, "x.svg");
	assert_int_equal(parse(bench, &o, &err), 0);
	assert_int_equal(o.cases, 1 << BENCH_SAME_CORE | 1 << BENCH_RETENTION);
	assert_int_equal(o.depths, 2);
	assert_int_equal(o.depth[1], 8192);
	assert_int_equal(o.shares, 1);
	assert_int_equal(o.table, 512 << 10);
	assert_int_equal(o.packets, 100);
	assert_int_equal(parse(footprint, &o, &err), 0);
	assert_int_equal(o.command, FOOTPRINT);
	assert_string_equal(o.file, "w0.trace");
	assert_true(o.rate == 0.01);
}

static void
what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *argv[6], *says;
	} wrong[] = {
		{ { "mempool-color" }, "--help" },
		{ { "mempool-color", "calibrte" }, "calibrte" },
		{ { "mempool-color", "calibrate", "--level", "l9" }, "l9" },
		{ { "mempool-color", "calibrate", "--size", "64X" }, "64X" },
		{ { "mempool-color", "calibrate", "--size", "-1" }, "-1" },
		{ { "mempool-color", "calibrate", "--size", "64MB" }, "64MB" },
		{ { "mempool-color", "calibrate", "--size", "99999999999999G" },
			"99999999999999G" },
		{ { "mempool-color", "calibrate", "--pages", "any" }, "any" },
		{ { "mempool-color", "calibrate", "--cpu", "x" }, "x" },
		{ { "mempool-color", "calibrate", "--cpu", "" }, "--cpu" },
		{ { "mempool-color", "calibrate", "--size" }, "--size" },
		{ { "mempool-color", "calibrate", "--svg", "f" }, "--svg" },
		{ { "mempool-color", "verify", "now" }, "now" },
		{ { "mempool-color", "verify", "--depth", "4" }, "--depth" },
		{ { "mempool-color", "bench", "--depth", "4,x" }, "x" },
		{ { "mempool-color", "bench", "--depth", "4," }, "--depth" },
		{ { "mempool-color", "bench", "--depth", "1,2,3,4,5,6,7,8,9" }, "at most 8" },
		{ { "mempool-color", "bench", "--cases", "same-core,none" }, "retention" },
		{ { "mempool-color", "bench", "--repetitions", "0" }, "0" },
		{ { "mempool-color", "bench", "--table", "big" }, "768K" },
		{ { "mempool-color", "mcmf" }, "wants a file" },
		{ { "mempool-color", "mcmf", "a", "b" }, "b is one word" },
		{ { "mempool-color", "mcmf", "a", "--cpu", "1" }, "--cpu" },
		{ { "mempool-color", "show", "--check" }, "--check" },
		{ { "mempool-color", "plan", "--simulate" }, "plan wants a file" },
		{ { "mempool-color", "plan", "a", "--memory", "0" }, "--memory 0" },
		{ { "mempool-color", "plan", "a", "--pages", "4k" }, "--pages" },
		{ { "mempool-color", "footprint", "a", "--simulate" }, "--simulate" },
		{ { "mempool-color", "footprint" }, "footprint wants a file" },
		{ { "mempool-color", "footprint", "a", "b" }, "b is one word too many" },
		{ { "mempool-color", "footprint", "a", "--rate", "2" }, "1e-6 to 1" },
		{ { "mempool-color", "footprint", "a", "--rate", "0.1x" }, "0.1x" },
		{ { "mempool-color", "footprint", "a", "--size", "1M" }, "--size" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct nfv_err err = { "" };
		struct options o = { .cpu = 77 };
		const char *argv[7] = { NULL };

		memcpy(argv, wrong[i].argv, sizeof(wrong[i].argv));
		assert_int_equal(parse(argv, &o, &err), -EINVAL);
		if (strstr(err.text, wrong[i].says) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", err.text, wrong[i].says);
		assert_int_equal(o.cpu, 77);
	}
}

/* Every option and command that the parser takes stands in the help. */
static void
help_is_whole(void **state)
{
	static const char *const words[] = { "calibrate", "show", "verify", "footprint", "--rate",
		"--level", "--size", "--pages", "--cpu", "--json", "--svg", "--caches", "--help",
		"mcmf", "--check", "plan", "--machine", "--memory", "--simulate", "examples",
		"Exit status" };
	const char *argv[] = { "mempool-color", "--help", NULL };
	struct nfv_err err = { "" };
	struct options o;
	char *text = NULL;
	size_t n;
	FILE *to;

	(void)state;
	assert_int_equal(parse(argv, &o, &err), 0);
	assert_true(o.help);
	to = open_memstream(&text, &n);
	options_help(to, o.command);
	fclose(to);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(text, words[i]) == NULL)
			fail_msg("the help does not tell of %s", words[i]);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_is_understood),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(help_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
