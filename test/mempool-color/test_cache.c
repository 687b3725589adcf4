#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mpc_cache.h"

static char root[64];

/* A cache's folder in a made-up machine. */
static void
make(int index, const char *level, const char *type, const char *line, const char *ways,
	const char *sets, const char *shared)
{
	const char *name[] = { "level", "type", "coherency_line_size", "ways_of_associativity",
		"number_of_sets", "shared_cpu_list" };
	const char *text[] = { level, type, line, ways, sets, shared };
	char path[256];

	snprintf(path, sizeof(path), "mkdir -p %s/devices/system/cpu/cpu3/cache/index%d", root,
		index);
	assert_int_equal(system(path), 0);
	for (int i = 0; i < 6; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/devices/system/cpu/cpu3/cache/index%d/%s", root,
			index, name[i]);
		f = fopen(path, "w");
		assert_non_null(f);
		fprintf(f, "%s\n", text[i]);
		fclose(f);
	}
}

static int
setup(void **state)
{
	(void)state;
	strcpy(root, "/tmp/test_cache.XXXXXX");
	return mkdtemp(root) == NULL;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static void
a_machine_is_described(void **state)
{
	struct nfv_err err = { "" };
	struct mpc_caches all;
	const struct mpc_cache *l2;

	(void)state;
	make(0, "1", "Data", "64", "12", "64", "3");
	make(1, "1", "Instruction", "64", "8", "64", "3");
	make(2, "2", "Unified", "64", "16", "2048", "2-3");
	make(3, "3", "Unified", "64", "15", "524288", "0-15,32-47");
	assert_int_equal(mpc_cache_read(root, 3, &all, &err), 0);
	assert_int_equal(all.n, 4);
	assert_int_equal(mpc_cache_level(&all, 1)->type, MPC_CACHE_DATA);
	assert_int_equal(mpc_cache_level(&all, 1)->colours, 1);
	l2 = mpc_cache_level(&all, 2);
	assert_int_equal(l2->size, 2 << 20);
	assert_int_equal(l2->colours, 32);
	assert_int_equal(l2->shared, 2);
	assert_int_equal(mpc_cache_level(&all, 3)->shared, 32);
	assert_null(mpc_cache_level(&all, 4));
}

static void
what_makes_no_cache_is_refused(void **state)
{
	struct nfv_err err = { "" };
	struct mpc_caches all = { .n = 77 };

	(void)state;
	assert_int_equal(mpc_cache_read(root, 3, &all, &err), -ENOENT);
	make(0, "2", "Unified", "64", "0", "2048", "3");
	assert_int_equal(mpc_cache_read(root, 3, &all, &err), -EINVAL);
	assert_non_null(strstr(err.text, "0 ways"));
	make(0, "2", "Unified", "48", "16", "2048", "3");
	assert_int_equal(mpc_cache_read(root, 3, &all, &err), -EINVAL);
	make(0, "2", "Unified", "64", "65536", "65536", "3");
	assert_int_equal(mpc_cache_read(root, 3, &all, &err), -EINVAL);
	assert_int_equal(all.n, 77);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_machine_is_described, setup, teardown),
		cmocka_unit_test_setup_teardown(what_makes_no_cache_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
