#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nfv_pages.h"

/* A sanitizer's allocator is to answer like any other when there is no memory. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void
pages_are_there_zeroed_and_one_behind_the_other(void **state)
{
	static const size_t count[] = { 1, 2, 511, 512, 513, 1500 };

	(void)state;
	for (size_t i = 0; i < sizeof(count) / sizeof(count[0]); i++) {
		struct nfv_pages p = nfv_pages_alloc(count[i]);

		assert_non_null(p.page);
		assert_int_equal(p.n, count[i]);
		assert_int_equal((uintptr_t)p.page[0] % (2u << 20), 0);
		for (size_t k = 0; k < p.n; k++) {
			assert_ptr_equal(p.page[k], p.page[0] + k * NFV_PAGE);
			for (size_t b = 0; b < NFV_PAGE; b += 512)
				assert_int_equal(p.page[k][b], 0);
			memset(p.page[k], 0xff, NFV_PAGE);
		}
		nfv_pages_free(&p);
		assert_null(p.page);
		assert_int_equal(p.n, 0);
		nfv_pages_free(&p);
	}
}

static void
no_memory_is_no_pages(void **state)
{
	struct nfv_pages p = nfv_pages_alloc(0);

	(void)state;
	assert_null(p.page);
	nfv_pages_free(&p);
	p = nfv_pages_alloc(SIZE_MAX / NFV_PAGE / 4); /* more than there are addresses */
	assert_null(p.page);
	assert_int_equal(p.n, 0);
	p = nfv_pages_alloc(SIZE_MAX / sizeof(void *)); /* n pages wrap around */
	assert_null(p.page);
}

/* Hundreds of megabytes in turn: what is given back is given back. */
static void
what_is_freed_is_gone(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		struct nfv_pages p = nfv_pages_alloc(2048);

		assert_non_null(p.page);
		nfv_pages_free(&p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_there_zeroed_and_one_behind_the_other),
		cmocka_unit_test(no_memory_is_no_pages),
		cmocka_unit_test(what_is_freed_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
