/* Plans as files: what is written is read again; whatever is no plan is refused with a sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "mpc_plan_file.h"

#define HEAD(version, level, colours, arm)                                                         \
	"{\"version\": " version ", \"level\": " level ", \"colours\": " colours                   \
	", \"machine\": \"m\", \"arm\": " arm ", \"classes\": "
#define GOOD HEAD("1", "2", "4", "\"mcmf\"")

static void
what_is_written_is_read(void **state)
{
	uint32_t pages[2][4] = { { 0, 7, 0, 1 }, { 3, 0, 3, 0 } };
	struct mpc_plan_file_class class[2] = { { "edge.flow4", pages[0] },
		{ "w0.packets", pages[1] } };
	struct mpc_plan_file p = { 2, 4, MPC_PLAN_MCMF, "a machine", 2, class }, got;
	json_t *o = mpc_plan_file_json(&p);
	struct nfv_err err;
	char *text;

	(void)state;
	/* A writer adds what it likes. */
	json_object_set_new(o, "cost", json_real(1.5));
	text = json_dumps(o, JSON_INDENT(1));
	assert_int_equal(mpc_plan_file_parse(text, strlen(text), "it", &got, &err), 0);
	assert_int_equal(got.level, 2);
	assert_int_equal(got.colours, 4);
	assert_int_equal(got.arm, MPC_PLAN_MCMF);
	assert_string_equal(got.machine, "a machine");
	assert_int_equal(got.classes, 2);
	for (int i = 0; i < 2; i++) {
		const struct mpc_plan_file_class *c = mpc_plan_file_find(&got, class[i].name);

		assert_non_null(c);
		assert_memory_equal(c->pages, pages[i], sizeof(pages[i]));
	}
	assert_null(mpc_plan_file_find(&got, "edge.flow6"));
	mpc_plan_file_free(&got);
	/* No part of it is one. */
	for (size_t n = 0; n < strlen(text); n++) {
		assert_int_equal(mpc_plan_file_parse(text, n, "part", &got, &err), -EINVAL);
		assert_non_null(strstr(err.text, "part"));
	}
	free(text);
	json_decref(o);
}

static void
what_is_no_plan_is_refused(void **state)
{
	static const struct {
		const char *text, *word;
	} t[] = {
		{ "", "cut off" },
		{ "{", "cut off in line 1" },
		{ "{\n\n\"version\": 1,", "cut off in line 3" },
		{ "hello", "JSON" },
		{ "{\"a\": \"\x1b[31m\"}", "JSON" },
		{ "[]", "version" },
		{ "{\"version\": 1, \"version\": 1}", "duplicate" },
		{ HEAD("2", "2", "4", "\"mcmf\"") "[]}", "version 2" },
		{ HEAD("\"1\"", "2", "4", "\"mcmf\"") "[]}", "version" },
		{ HEAD("1", "0", "4", "\"mcmf\"") "[]}", "level" },
		{ HEAD("1", "2", "1", "\"mcmf\"") "[]}", "colours" },
		{ HEAD("1", "2", "4e9", "\"mcmf\"") "[]}", "colours" },
		{ HEAD("1", "2", "100000000", "\"mcmf\"") "[]}", "colours" },
		{ HEAD("1", "2", "4", "\"best\"") "[]}", "arm" },
		{ HEAD("1", "2", "4", "7") "[]}", "arm" },
		{ GOOD "[]}", "classes" },
		{ GOOD "{}}", "classes" },
		{ GOOD "[7]}", "name" },
		{ GOOD "[{\"pages\": [1, 1, 1, 1]}]}", "name" },
		{ GOOD "[{\"name\": \"\", \"pages\": [1, 1, 1, 1]}]}", "name" },
		{ GOOD "[{\"name\": \"a b\", \"pages\": [1, 1, 1, 1]}]}", "name" },
		{ GOOD "[{\"name\": \"a\\u001bb\", \"pages\": [1, 1, 1, 1]}]}", "name" },
		{ GOOD "[{\"name\": \"a\"}]}", "0 colours, and there are 4" },
		{ GOOD "[{\"name\": \"a\", \"pages\": [1, 1, 1]}]}", "3 colours, and there are 4" },
		{ GOOD "[{\"name\": \"a\", \"pages\": [1, 1, 1, 1, 1]}]}",
			"5 colours, and there are 4" },
		{ GOOD "[{\"name\": \"a\", \"pages\": [1, -1, 1, 1]}]}", "colour 1" },
		{ GOOD "[{\"name\": \"a\", \"pages\": [1, 1, 0.5, 1]}]}", "colour 2" },
		{ GOOD "[{\"name\": \"a\", \"pages\": [1, 1, 1, 4000000000]}]}", "colour 3" },
		{ GOOD "[{\"name\": \"a\", \"pages\": [0, 0, 0, 0]}]}", "no pages" },
		{ GOOD "[{\"name\": \"a\", \"pages\": [2147483647, 1, 0, 0]}]}", "too many" },
		{ GOOD "[{\"name\": \"a\", \"pages\": [1, 0, 0, 0]},"
		       " {\"name\": \"a\", \"pages\": [1, 0, 0, 0]}]}",
			"twice" },
		{ GOOD "[{\"name\": \"a\", \"pages\": [1, 0, 0, 0]}]} more", "JSON" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct mpc_plan_file p = { .classes = 77 };
		struct nfv_err err = { "" };

		assert_int_equal(
			mpc_plan_file_parse(t[i].text, strlen(t[i].text), "bad.json", &p, &err),
			-EINVAL);
		assert_int_equal(p.classes, 77);
		assert_null(strchr(err.text, 27));
		if (strstr(err.text, t[i].word) == NULL || strstr(err.text, "bad.json") == NULL)
			fail_msg("%s: %s", t[i].text, err.text);
	}
}

static void
files_are_read(void **state)
{
	static const char text[] = GOOD "[{\"name\": \"a\", \"pages\": [1, 0, 0, 0]}]}";
	char path[] = "/tmp/test-plan-XXXXXX";
	int fd = mkstemp(path);
	struct mpc_plan_file p;
	struct nfv_err err;

	(void)state;
	assert_int_equal(mpc_plan_file_read("/nowhere/plan", &p, &err), -ENOENT);
	assert_int_equal(mpc_plan_file_read("/", &p, &err), -EISDIR);
	assert_int_equal(mpc_plan_file_read(path, &p, &err), -EINVAL);
	assert_non_null(strstr(err.text, "empty"));
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	assert_int_equal(mpc_plan_file_read(path, &p, &err), 0);
	assert_int_equal(p.class[0].pages[0], 1);
	mpc_plan_file_free(&p);
	mpc_plan_file_free(&p);
	assert_int_equal(ftruncate(fd, MPC_PLAN_FILE_SIZE_MAX + 1), 0);
	assert_int_equal(mpc_plan_file_read(path, &p, &err), -EFBIG);
	close(fd);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(what_is_no_plan_is_refused),
		cmocka_unit_test(files_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
