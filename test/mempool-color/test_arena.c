#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "made_up.h"

#define EVEN 0x55555555u
#define ODD  0xaaaaaaaau

static struct made_up it;

static int
setup(void **state)
{
	(void)state;
	made_up_init(&it, 4 << 20);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	made_up_fini(&it);
	return 0;
}

static bool
fresh(const struct mpc_arena *a)
{
	return mpc_arena_usage(a).used == 0;
}

static void
pages_are_of_the_colours_asked(void **state)
{
	uint8_t *page[100], *seen[100];

	(void)state;
	for (unsigned int c = 0; c < CLASSES; c++) {
		uint32_t n = made_up_pages(&it, 1u << c);

		assert_in_range(n, 1, 100);
		assert_int_equal(mpc_arena_free(it.arena, 1u << c), n);
		assert_int_equal(mpc_arena_take(it.arena, 1u << c, n, page, NULL), 0);
		for (uint32_t i = 0; i < n; i++) {
			assert_int_equal(made_up_colour(&it, page[i]), c);
			assert_int_equal(mpc_arena_colour(it.arena, page[i]), c);
			assert_int_equal((uintptr_t)page[i] % MPC_PAGE, 0);
			for (uint32_t k = 0; k < i; k++)
				assert_ptr_not_equal(page[i], page[k]);
		}
		assert_int_equal(mpc_arena_free(it.arena, 1u << c), 0);
		/* The same again once they are back. */
		mpc_arena_give(it.arena, page, n);
		assert_int_equal(mpc_arena_take(it.arena, 1u << c, n, seen, NULL), 0);
		mpc_arena_give(it.arena, seen, n);
	}
	assert_true(fresh(it.arena));
	assert_int_equal(mpc_arena_colour(it.arena, it.region.base), MPC_NO_COLOUR);
}

static void
complements_waste_only_what_has_no_colour(void **state)
{
	uint32_t n[2] = { made_up_pages(&it, EVEN), made_up_pages(&it, ODD) };
	uint32_t none = it.map.pages - n[0] - n[1];
	uint8_t **page = malloc(it.map.pages * sizeof(*page));
	struct mpc_arena_usage u;

	(void)state;
	assert_int_equal(none, (it.map.pages + COLOURLESS - 1) / COLOURLESS);
	assert_int_equal(mpc_arena_take(it.arena, EVEN, n[0], page, NULL), 0);
	assert_int_equal(mpc_arena_take(it.arena, ODD, n[1], page + n[0], NULL), 0);
	u = mpc_arena_usage(it.arena);
	assert_int_equal(u.reserved, it.region.size);
	assert_int_equal(u.used, (n[0] + n[1]) * MPC_PAGE);
	assert_int_equal(u.free, 0);
	assert_int_equal(u.wasted, none * MPC_PAGE);
	/* Who does not care about colour can have the rest. */
	assert_int_equal(
		mpc_arena_take(it.arena, MPC_ALL_COLOURS, none, page + n[0] + n[1], NULL), 0);
	u = mpc_arena_usage(it.arena);
	assert_int_equal(u.used, u.reserved);
	assert_int_equal(u.wasted, 0);
	mpc_arena_give(it.arena, page, it.map.pages);
	assert_true(fresh(it.arena));
	free(page);
}

static void
who_may_have_any_is_given_the_colourless_first(void **state)
{
	uint8_t *page[60];

	(void)state;
	assert_int_equal(mpc_arena_take(it.arena, MPC_ALL_COLOURS, 60, page, NULL), 0);
	for (int i = 0; i < 60; i++)
		assert_int_equal(made_up_colour(&it, page[i]), MPC_NO_COLOUR);
	mpc_arena_give(it.arena, page, 60);
}

static void
too_many_are_refused_in_a_sentence(void **state)
{
	uint32_t n = made_up_pages(&it, EVEN);
	uint8_t *page[1] = { NULL };
	struct nfv_pages pages = { NULL, 7 };
	struct nfv_err err = { "" };
	char there[32];

	(void)state;
	snprintf(there, sizeof(there), "%u are free", n);
	assert_int_equal(mpc_arena_take(it.arena, EVEN, n + 1, page, &err), -ENOSPC);
	if (strstr(err.text, there) == NULL || strstr(err.text, "16 colours") == NULL)
		fail_msg("%s", err.text);
	assert_null(page[0]);
	assert_int_equal(mpc_arena_take(it.arena, 0, 1, page, &err), -ENOSPC);
	assert_int_equal(mpc_pages_take(it.arena, EVEN, n + 1, &pages, &err), -ENOSPC);
	assert_null(pages.page);
	assert_int_equal(pages.n, 7);
	assert_true(fresh(it.arena));
}

static void
colours_bear_even_shares(void **state)
{
	uint32_t count[CLASSES] = { 0 };
	uint8_t *page[160];

	(void)state;
	assert_int_equal(mpc_arena_take(it.arena, EVEN, 160, page, NULL), 0);
	for (int i = 0; i < 160; i++)
		count[made_up_colour(&it, page[i])]++;
	for (unsigned int c = 0; c < CLASSES; c++)
		assert_int_equal(count[c], c % 2 == 0 ? 10 : 0);
	mpc_arena_give(it.arena, page, 160);
}

static void
giving_twice_does_not_hand_out_twice(void **state)
{
	uint32_t n = made_up_pages(&it, 1);
	uint8_t *page[100];

	(void)state;
	assert_int_equal(mpc_arena_take(it.arena, 1, 2, page, NULL), 0);
	mpc_arena_give(it.arena, page, 2);
	mpc_arena_give(it.arena, page, 2);
	assert_int_equal(mpc_arena_free(it.arena, 1), n);
	assert_int_equal(mpc_arena_take(it.arena, 1, n, page, NULL), 0);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < i; k++)
			assert_ptr_not_equal(page[i], page[k]);
	mpc_arena_give(it.arena, page, n);
}

static void
maps_that_do_not_fit_are_refused(void **state)
{
	uint16_t *colour = malloc(it.map.pages * sizeof(*colour));
	struct mpc_map map = it.map;
	struct mpc_arena *a = NULL;
	struct nfv_err err = { "" };
	uint8_t *page;

	(void)state;
	memcpy(colour, it.map.colour, it.map.pages * sizeof(*colour));
	map.colour = colour;
	map.pages--;
	assert_int_equal(mpc_arena_create(&it.region, &map, &a, &err), -EINVAL);
	map.pages++;
	map.classes = 65;
	assert_int_equal(mpc_arena_create(&it.region, &map, &a, &err), -EINVAL);
	map.classes = CLASSES;
	colour[5] = CLASSES; /* a colour it has not */
	assert_int_equal(mpc_arena_create(&it.region, &map, &a, &err), -EINVAL);
	assert_non_null(strstr(err.text, "does not fit"));
	assert_null(a);

	/* Sixty-four are the most; the last is a colour like any other. */
	map.classes = 64;
	colour[5] = 63;
	assert_int_equal(mpc_arena_create(&it.region, &map, &a, &err), 0);
	assert_int_equal(mpc_arena_take(a, 1ull << 63, 1, &page, &err), 0);
	assert_ptr_equal(page, it.region.page[5]);
	mpc_arena_destroy(a);

	assert_int_equal(mpc_arena_create(&it.region, NULL, &a, &err), 0);
	assert_int_equal(mpc_arena_free(a, UINT32_MAX), 0);
	assert_int_equal(mpc_arena_free(a, MPC_ALL_COLOURS), it.region.pages);
	mpc_arena_destroy(a);
	mpc_arena_destroy(NULL);
	free(colour);
}

static void
page_arrays_are_zeroed(void **state)
{
	static const uint8_t zero[NFV_PAGE];
	struct nfv_pages pages = { NULL, 0 };

	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		assert_int_equal(mpc_pages_take(it.arena, ODD, 64, &pages, NULL), 0);
		assert_int_equal(pages.n, 64);
		for (size_t i = 0; i < pages.n; i++) {
			assert_int_equal(made_up_colour(&it, pages.page[i]) % 2, 1);
			assert_memory_equal(pages.page[i], zero, sizeof(zero));
			memset(pages.page[i], 0xff, NFV_PAGE);
		}
		mpc_pages_give(it.arena, &pages);
		assert_null(pages.page);
		assert_int_equal(pages.n, 0);
		mpc_pages_give(it.arena, &pages);
	}
	assert_true(fresh(it.arena));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_of_the_colours_asked),
		cmocka_unit_test(complements_waste_only_what_has_no_colour),
		cmocka_unit_test(who_may_have_any_is_given_the_colourless_first),
		cmocka_unit_test(too_many_are_refused_in_a_sentence),
		cmocka_unit_test(colours_bear_even_shares),
		cmocka_unit_test(giving_twice_does_not_hand_out_twice),
		cmocka_unit_test(maps_that_do_not_fit_are_refused),
		cmocka_unit_test(page_arrays_are_zeroed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
