#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mpc_region.h"

static void
small_pages_are_there(void **state)
{
	static const enum mpc_page_kind kinds[] = { MPC_PAGES_4K, MPC_PAGES_THP, MPC_PAGES_ANY };

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct nfv_err err = { "" };
		struct mpc_region r;

		assert_int_equal(mpc_region_create(3000000, kinds[i], &r, &err), 0);
		assert_int_equal(r.size, 4 << 20);
		assert_int_equal(r.pages, 1024);
		assert_int_equal((uintptr_t)r.base % (2 << 20), 0);
		assert_int_not_equal(r.kind, MPC_PAGES_ANY);
		for (uint32_t k = 0; k < r.pages; k++) {
			assert_ptr_equal(r.page[k], r.base + (size_t)k * MPC_PAGE);
			assert_int_equal(*r.page[k], 0);
			*r.page[k] = 1;
		}
		mpc_region_destroy(&r);
		mpc_region_destroy(&r); /* twice does no harm */
	}
}

/* Who shares the memory must be able to rely on its size: else a load would end in SIGBUS. */
static void
a_memfd_cannot_change_its_size(void **state)
{
	struct nfv_err err = { "" };
	struct mpc_region r;
	struct stat st;

	(void)state;
	assert_int_equal(mpc_region_create(2 << 20, MPC_PAGES_4K, &r, &err), 0);
	assert_int_equal(fstat(r.fd, &st), 0);
	assert_int_equal(st.st_size, 2 << 20);
	assert_int_equal(ftruncate(r.fd, 0), -1);
	assert_int_equal(ftruncate(r.fd, 4 << 20), -1);
	mpc_region_destroy(&r);
}

static void
what_is_not_there_is_told(void **state)
{
	struct nfv_err err = { "" };
	struct mpc_region r = { .fd = -1 };

	(void)state;
	assert_int_equal(mpc_region_create(0, MPC_PAGES_4K, &r, &err), -EINVAL);
	assert_int_equal(mpc_region_create((size_t)1 << 40, MPC_PAGES_HUGE, &r, &err), -ENOMEM);
	assert_non_null(strstr(err.text, "huge pages"));
	assert_null(r.base);
}

static void
frames_are_distinct_where_known(void **state)
{
	struct nfv_err err = { "" };
	struct mpc_region r;
	uint64_t *frame;

	(void)state;
	assert_int_equal(mpc_region_create(2 << 20, MPC_PAGES_4K, &r, &err), 0);
	frame = malloc(r.pages * sizeof(*frame));
	if (mpc_region_frames(&r, frame))
		for (uint32_t i = 0; i < r.pages; i++)
			for (uint32_t k = 0; k < i; k++)
				assert_int_not_equal(frame[i], frame[k]);
	free(frame);
	mpc_region_destroy(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_pages_are_there),
		cmocka_unit_test(a_memfd_cannot_change_its_size),
		cmocka_unit_test(what_is_not_there_is_told),
		cmocka_unit_test(frames_are_distinct_where_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
