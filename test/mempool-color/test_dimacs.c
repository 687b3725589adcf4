#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "families.h"
#include "mpc_dimacs.h"

static char *
print(const struct mpc_mcmf *p)
{
	char *text = NULL;
	size_t n;
	FILE *to = open_memstream(&text, &n);

	assert_non_null(to);
	assert_int_equal(mpc_dimacs_write(p, to, NULL), 0);
	fclose(to);
	return text;
}

static void
what_is_written_is_read(void **state)
{
	(void)state;
	for (enum family f = 0; f < FAMILIES; f++) {
		struct mpc_mcmf p, again;
		struct nfv_err err = { "" };
		char *text, *text_again;

		family_make(f, 300, 1000, 7, &p);
		text = print(&p);
		assert_int_equal(mpc_dimacs_parse("x", text, strlen(text), &again, &err), 0);
		assert_int_equal(again.nodes, p.nodes);
		assert_int_equal(again.arcs, p.arcs);
		assert_memory_equal(again.cost, p.cost, p.arcs * sizeof(*p.cost));
		assert_memory_equal(again.supply, p.supply, p.nodes * sizeof(*p.supply));
		text_again = print(&again);
		assert_string_equal(text, text_again);
		free(text);
		free(text_again);
		mpc_dimacs_free(&again);
		family_free(&p);
	}
}

static void
a_line_says_what_it_says(void **state)
{
	static const char text[] = "c a comment\n\np min 3 2\r\nn 1 5\nn 3 -5\n"
				   "a 1 2 0 -1 -9223372036854775807\na  2\t3 1 9 7";
	struct nfv_err err = { "" };
	struct mpc_mcmf p;

	(void)state;
	assert_int_equal(mpc_dimacs_parse("x", text, sizeof(text) - 1, &p, &err), 0);
	assert_int_equal(p.nodes, 3);
	assert_int_equal(p.arcs, 2);
	assert_int_equal(p.supply[0], 5);
	assert_int_equal(p.supply[1], 0);
	assert_int_equal(p.supply[2], -5);
	assert_int_equal(p.tail[1], 1);
	assert_int_equal(p.head[1], 2);
	assert_int_equal(p.lower[1], 1);
	assert_int_equal(p.capacity[0], MPC_MCMF_UNBOUNDED);
	assert_int_equal(p.capacity[1], 9);
	assert_int_equal(p.cost[0], -INT64_MAX);
	mpc_dimacs_free(&p);
}

#define P "p min 2 1                                \n"

static void
what_is_wrong_is_named_with_its_line(void **state)
{
	static const struct {
		const char *text, *says;
	} wrong[] = {
		{ "", "x: there is no line p" },
		{ "c\nn 1 2\n", "x:2: expected a line p" },
		{ "p max 2 1\n", "x:1: expected a problem of the kind min" },
		{ "p min 2\n", "x:1: expected p min and" },
		{ "p min 2 -1\n", "x:1: expected p min and" },
		{ "p min 4294967295 0\n", "x:1: expected p min and" },
		{ "p min 4000000000 0\n", "x:1: the text is too short" },
		{ "p min 2 1000\n", "x:1: the text is too short" },
		{ "p min 2 0 0\n", "x:1: one word too many" },
		{ P P, "x:2: there is a line p already" },
		{ P, "x: 0 arcs, and line p promised 1" },
		{ P "n 0 1\n", "x:2: expected the number of a node" },
		{ P "n 3 1\n", "x:2: expected the number of a node" },
		{ P "n 1 1\nn 1 1\n", "x:3: this node's supply was given already" },
		{ P "n 1 9223372036854775808\n", "x:2: expected n" },
		{ P "n 1 1 1\n", "x:2: expected n" },
		{ P "n 1 --1\n", "x:2: expected n" },
		{ P "a 1 3 0 1 1\n", "x:2: expected the numbers of two nodes" },
		{ P "a 1 2 0 1\n", "x:2: expected a, two nodes" },
		{ P "a 1 2 0 1 1 1\n", "x:2: expected a, two nodes" },
		{ P "a 1 2 0 1 1e3\n", "x:2: expected a, two nodes" },
		{ P "a 1 2 5 1 1\n", "x:2: no flow is between" },
		{ P "a 1 2 -1 1 1\n", "x:2: no flow is between" },
		{ P "a 1 2 0 1 1\na 1 2 0 1 1\n", "x:3: one arc more" },
		{ P "b\n", "x:2: expected a line that begins with" },
		{ P "arc 1 2 0 1 1\n", "x:2: expected a line that begins with" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct mpc_mcmf p = { .nodes = 77 };
		struct nfv_err err = { "" };

		assert_int_equal(
			mpc_dimacs_parse("x", wrong[i].text, strlen(wrong[i].text), &p, &err),
			-EINVAL);
		if (strncmp(err.text, wrong[i].says, strlen(wrong[i].says)) != 0)
			fail_msg("\"%s\" does not begin with \"%s\"", err.text, wrong[i].says);
		assert_int_equal(p.nodes, 77);
	}
}

static void
a_file_that_is_not_there(void **state)
{
	struct nfv_err err = { "" };
	struct mpc_mcmf p;

	(void)state;
	assert_int_equal(mpc_dimacs_read("/nonexistent.min", &p, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent.min: "));
	assert_int_equal(mpc_dimacs_read("/", &p, &err), -EIO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_line_says_what_it_says),
		cmocka_unit_test(what_is_wrong_is_named_with_its_line),
		cmocka_unit_test(a_file_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
