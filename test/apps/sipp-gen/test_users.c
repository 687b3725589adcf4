#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "users.h"

static char scratch[USERS_FIELD_MAX];

static struct users *
parse(const char *text)
{
	struct nfv_err err = { "" };
	struct users *u = NULL;

	if (users_parse("users.csv", nfv_sv_str(text), &u, &err) < 0)
		print_error("%s\n", err.text);
	assert_non_null(u);
	return u;
}

static void
expect(const struct users *u, uint32_t line, unsigned int field, const char *text)
{
	struct nfv_sv s = users_field(u, line, field, scratch);

	if (text == NULL) {
		assert_null(s.p);
		return;
	}
	assert_non_null(s.p);
	assert_int_equal(s.n, strlen(text));
	assert_memory_equal(s.p, text, s.n);
}

static void
refuse(const char *text, const char *says)
{
	struct nfv_err err = { "" };
	struct users *u;

	assert_true(users_parse("users.csv", nfv_sv_str(text), &u, &err) < 0);
	if (strstr(err.text, says) == NULL)
		print_error("\"%s\" does not say \"%s\"\n", err.text, says);
	assert_non_null(strstr(err.text, says));
}

static void
fields_by_line_and_column(void **state)
{
	struct users *u =
		parse("# users\r\n\r\nSEQUENTIAL\r\nalice;[authentication username=a];1\r\n"
		      "# not bob\r\nbob;;2;\r\n\r\ncarol");

	(void)state;
	assert_int_equal(users_order(u), USERS_SEQUENTIAL);
	assert_string_equal(users_name(u), "users.csv");
	assert_int_equal(users_lines(u), 3);
	expect(u, 0, 0, "alice");
	expect(u, 0, 1, "[authentication username=a]");
	expect(u, 0, 2, "1");
	expect(u, 0, 3, NULL);
	expect(u, 0, 30000, NULL);
	expect(u, 1, 0, "bob");
	expect(u, 1, 1, "");
	expect(u, 1, 2, "2");
	expect(u, 1, 3, "");
	expect(u, 1, 4, NULL);
	expect(u, 2, 0, "carol");
	expect(u, 2, 1, NULL);
	expect(u, 3, 0, NULL);
	assert_int_equal(users_lookup(u, NFV_SV("bob")), -1);
	users_destroy(u);
	users_destroy(NULL);
}

static void
a_percent_sign_is_one_without_printf(void **state)
{
	struct users *u = parse("\xef\xbb\xbfRANDOM\n%s%d%n;%");

	(void)state;
	assert_int_equal(users_order(u), USERS_RANDOM);
	expect(u, 0, 0, "%s%d%n");
	expect(u, 0, 1, "%");
	users_destroy(u);
}

static void
printf_makes_lines(void **state)
{
	struct users *u = parse(
		"USER,PRINTF=1000, PRINTFMULTIPLE=3,PRINTFOFFSET=10\nu%d;%05d;%x;50%%\nv%4d;plain;%03X");

	(void)state;
	assert_int_equal(users_order(u), USERS_USER);
	assert_int_equal(users_lines(u), 1000);
	expect(u, 0, 0, "u10");
	expect(u, 0, 1, "00010");
	expect(u, 0, 2, "a");
	expect(u, 0, 3, "50%");
	expect(u, 1, 0, "v  13");
	expect(u, 1, 1, "plain");
	expect(u, 1, 2, "00D");
	expect(u, 1, 3, NULL);
	expect(u, 998, 0, "u3004");
	expect(u, 1000, 0, NULL);
	assert_int_equal(users_index(u, 0, NULL), 0);
	assert_int_equal(users_lookup(u, NFV_SV("u3004")), 998);
	assert_int_equal(users_lookup(u, NFV_SV("u3005")), -1);
	users_destroy(u);
}

static void
ranges(void **state)
{
	struct nfv_err err = { "" };
	struct users *u;

	(void)state;
	assert_int_equal(users_load("0998-12000", &u, &err), 0);
	assert_int_equal(users_lines(u), 12000 - 998 + 1);
	assert_int_equal(users_order(u), USERS_USER);
	expect(u, 0, 0, "0998");
	expect(u, 2, 0, "1000");
	expect(u, 9002, 0, "10000");
	expect(u, 11002, 0, "12000");
	expect(u, 11003, 0, NULL);
	expect(u, 0, 1, NULL);
	assert_int_equal(users_index(u, 0, NULL), 0);
	assert_int_equal(users_index(u, 1, &err), -EINVAL);
	assert_int_equal(users_lookup(u, NFV_SV("0998")), 0);
	assert_int_equal(users_lookup(u, NFV_SV("998")), -1);
	assert_int_equal(users_lookup(u, NFV_SV("12000")), 11002);
	assert_int_equal(users_lookup(u, NFV_SV("012000")), -1);
	assert_int_equal(users_lookup(u, NFV_SV("12001")), -1);
	users_destroy(u);
	assert_int_equal(users_load("10-9", &u, &err), -EINVAL);
	assert_int_equal(users_load("1-99999999999", &u, &err), -EINVAL);
	assert_int_equal(users_load("1-", &u, &err), -ENOENT);
	assert_int_equal(users_load("no/such.csv", &u, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no/such.csv"));
	assert_int_equal(users_load("/", &u, &err), -EISDIR);
}

static void
what_is_wrong_is_said_with_its_line(void **state)
{
	(void)state;
	refuse("", "no line of fields");
	refuse("SEQUENTIAL\n", "no line of fields");
	refuse("# x\nalice;bob\n", "users.csv:2: the first line must say");
	refuse("SEQUENTIAL,PRINT=3\na", "users.csv:1: expected PRINTF");
	refuse("SEQUENTIAL,PRINTF=0\na", "users.csv:1: expected PRINTF");
	refuse("SEQUENTIAL,PRINTF=4294967296\na", "users.csv:1: expected PRINTF");
	refuse("USER,PRINTF=5\na%d\n\nb%s", "users.csv:4: with PRINTF");
	refuse("USER,PRINTF=5\n%", "users.csv:2: with PRINTF");
	refuse("USER,PRINTF=5\n%021d", "users.csv:2: with PRINTF");
	refuse("USER,PRINTF=5\n%5%", "users.csv:2: with PRINTF");
	refuse("USER,PRINTF=5\n%20d%20d%20d%20d%20d%20d%20d%20d%20d%20d%20d%20d", "2: with PRINTF");
}

static void
a_nul_is_refused(void **state)
{
	struct nfv_err err = { "" };
	struct users *u;

	(void)state;
	assert_int_equal(users_parse("x", nfv_sv("USER\na\0b", 8), &u, &err), -EINVAL);
	assert_non_null(strstr(err.text, "x:2: a NUL byte"));
}

/* From a file, many lines, every one found again by its field. */
static void
a_large_file_and_its_index(void **state)
{
	enum { LINES = 100000 };
	char path[] = "/tmp/users-XXXXXX", text[64];
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");
	struct users *u;

	(void)state;
	assert_non_null(f);
	fprintf(f, "SEQUENTIAL\n");
	for (unsigned int i = 0; i < LINES; i++)
		fprintf(f, "user%u;192.0.2.%u;same\n", i, i % 256);
	fclose(f);
	assert_int_equal(users_load(path, &u, NULL), 0);
	unlink(path);
	assert_int_equal(users_lines(u), LINES);
	expect(u, LINES - 1, 0, "user99999");
	assert_int_equal(users_index(u, 3, NULL), -EINVAL);
	assert_int_equal(users_index(u, 2, NULL), 0);
	assert_int_equal(users_lookup(u, NFV_SV("same")), 0);
	assert_int_equal(users_index(u, 0, NULL), 0);
	for (unsigned int i = 0; i < LINES; i++) {
		snprintf(text, sizeof(text), "user%u", i);
		assert_int_equal(users_lookup(u, nfv_sv_str(text)), i);
	}
	assert_int_equal(users_lookup(u, NFV_SV("user")), -1);
	assert_int_equal(users_lookup(u, nfv_sv(NULL, 0)), -1);
	users_destroy(u);
}

static void
workers_share_no_line(void **state)
{
	struct users *u = parse("SEQUENTIAL\na\nb\nc\nd\ne\nf\ng");
	struct users_cursor c;
	unsigned int taken[7] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		users_cursor_init(&c, u, i, 3, 1);
		assert_int_equal(c.own, i == 0 ? 3 : 2);
		for (uint32_t k = 0; k < 3 * c.own; k++) {
			uint32_t line = users_next(u, &c);

			assert_int_equal(line % 3, i);
			assert_int_equal(line, users_line(&c, k % c.own));
			taken[line]++;
		}
	}
	for (unsigned int i = 0; i < 7; i++)
		assert_int_equal(taken[i], 3);
	/* more workers than lines */
	for (uint32_t i = 0; i < 20; i++) {
		users_cursor_init(&c, u, i, 20, 1);
		assert_int_equal(c.own, 1);
		assert_int_equal(users_next(u, &c), i % 7);
		assert_int_equal(users_next(u, &c), i % 7);
	}
	users_destroy(u);
}

static void
random_takes_every_line_alike(void **state)
{
	struct users *u = parse("RANDOM\na\nb\nc\nd\n");
	unsigned int taken[4] = { 0 };
	struct users_cursor c, again;

	(void)state;
	users_cursor_init(&c, u, 1, 2, 7);
	users_cursor_init(&again, u, 1, 2, 7);
	for (unsigned int i = 0; i < 40000; i++) {
		uint32_t line = users_next(u, &c);

		assert_int_equal(users_next(u, &again), line);
		taken[line]++;
	}
	for (unsigned int i = 0; i < 4; i++)
		assert_in_range(taken[i], 9700, 10300);
	users_destroy(u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_by_line_and_column),
		cmocka_unit_test(a_percent_sign_is_one_without_printf),
		cmocka_unit_test(printf_makes_lines),
		cmocka_unit_test(ranges),
		cmocka_unit_test(what_is_wrong_is_said_with_its_line),
		cmocka_unit_test(a_nul_is_refused),
		cmocka_unit_test(a_large_file_and_its_index),
		cmocka_unit_test(workers_share_no_line),
		cmocka_unit_test(random_takes_every_line_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
