/* Classes of pages in an arena of made-up colours, laid out and moved while their content is watched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "made_up.h"
#include "mpc_layout.h"

#define TABLES 5

static struct made_up it;
static struct mpc_layout *layout;
static struct nfv_pages table[TABLES];
static const uint32_t size_of[TABLES] = { 300, 40, 7, 1, 200 };
static int runs;

static int
setup(void **state)
{
	char name[16];

	(void)state;
	made_up_init(&it, 8 << 20);
	assert_int_equal(mpc_layout_create(it.arena, CLASSES, 2, &layout, NULL), 0);
	for (uint32_t i = 0; i < TABLES; i++) {
		snprintf(name, sizeof(name), "edge.t%u", i);
		assert_int_equal(
			mpc_layout_take(layout, name, &table[i], size_of[i], &table[i], NULL), 0);
		for (uint32_t k = 0; k < size_of[i]; k++)
			memset(table[i].page[k], (int)(i * 31 + k), MPC_PAGE);
	}
	runs = 0;
	return 0;
}

static void
check_content(void)
{
	uint8_t *seen[2048];
	uint32_t n = 0;

	for (uint32_t i = 0; i < TABLES; i++) {
		for (uint32_t k = 0; k < size_of[i]; k++) {
			const uint8_t *page = table[i].page[k];

			assert_int_equal(page[0], (i * 31 + k) & 255);
			assert_memory_equal(page, page + 1, MPC_PAGE - 1);
			for (uint32_t j = 0; j < n; j++)
				assert_ptr_not_equal(seen[j], page);
			seen[n++] = table[i].page[k];
		}
	}
	assert_int_equal(mpc_arena_usage(it.arena).used, (uint64_t)n * MPC_PAGE);
}

static int
teardown(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < TABLES; i++)
		assert_true(mpc_layout_give(layout, &table[i]));
	assert_int_equal(mpc_arena_usage(it.arena).used, 0);
	mpc_layout_destroy(layout);
	made_up_fini(&it);
	return 0;
}

static void
run(void *owner, struct mpc_move *m, uint32_t n)
{
	const struct nfv_pages *t = owner;

	assert_in_range(n, 1, MPC_MOVES);
	for (uint32_t i = 0; i < n; i++)
		assert_in_range(m[i].at - t->page, 0, t->n - 1);
	mpc_move_all(m, n);
	runs++;
}

/* Until nothing is left, a bit at a time. */
static void
settle(void)
{
	int steps = 0;

	while (mpc_layout_step(layout, 4, run) > 0)
		assert_true(++steps < 10000);
	check_content();
}

static mpc_colours
colours_of(uint32_t i)
{
	mpc_colours set = 0;

	for (uint32_t k = 0; k < size_of[i]; k++) {
		uint16_t c = made_up_colour(&it, table[i].page[k]);

		assert_int_not_equal(c, MPC_NO_COLOUR);
		set |= 1ull << c;
	}
	return set;
}

static void
shares_are_disjoint(void **state)
{
	mpc_colours all = 0;

	(void)state;
	/* The largest wants more than an equal share of colours has. */
	assert_int_equal(mpc_layout_set(layout, MPC_PLAN_STATIC, NULL, NULL), 0);
	assert_true(mpc_layout_left(layout) > 0);
	settle();
	for (uint32_t i = 0; i < TABLES; i++) {
		mpc_colours set = colours_of(i);

		assert_int_equal(set & all, 0);
		all |= set;
		if (size_of[i] > 6)
			assert_in_range(__builtin_popcountll(set), 5, 7);
	}
	assert_true(runs > 0);
	/* And back: over all of them. */
	assert_int_equal(mpc_layout_set(layout, MPC_PLAN_OFF, NULL, NULL), 0);
	settle();
	assert_int_equal(__builtin_popcountll(colours_of(0)), CLASSES);
	assert_int_equal(__builtin_popcountll(colours_of(4)), CLASSES);
}

static struct mpc_plan_file_class planned[2];
static uint32_t pages[2][CLASSES];

static struct mpc_plan_file
plan_of(const char *a, const char *b)
{
	memset(pages, 0, sizeof(pages));
	snprintf(planned[0].name, sizeof(planned[0].name), "%s", a);
	snprintf(planned[1].name, sizeof(planned[1].name), "%s", b);
	for (int i = 0; i < 2; i++)
		planned[i].pages = pages[i];
	return (struct mpc_plan_file){ 2, CLASSES, MPC_PLAN_MCMF, "m", 2, planned };
}

static void
a_plan_is_followed(void **state)
{
	struct mpc_plan_file plan = plan_of("edge.t4", "edge.t1");
	struct mpc_layout_class c;

	(void)state;
	/* 200 pages in shares of 1 to 3, 40 as 1 to 1, the others where nothing is. */
	pages[0][3] = 10;
	pages[0][5] = 10;
	pages[0][9] = 10;
	pages[0][4] = pages[0][6] = pages[0][7] = 30;
	pages[1][0] = pages[1][31] = 1;
	assert_int_equal(mpc_layout_set(layout, MPC_PLAN_MCMF, &plan, NULL), -ENOSPC);
	for (uint32_t k = 10; k < 16; k++)
		pages[0][k] = 20;
	assert_int_equal(mpc_layout_set(layout, MPC_PLAN_MCMF, &plan, NULL), 0);
	settle();
	assert_int_equal(colours_of(4), 0xfef8u & ~0x100u);
	assert_int_equal(colours_of(1), 0x80000001u);
	for (uint32_t i = 0; i < TABLES; i++) {
		assert_true(mpc_layout_get(layout, i, &c));
		assert_int_equal(c.left, 0);
		assert_int_equal(c.unplanned, i != 4 && i != 1);
		assert_memory_equal(c.want, c.have, sizeof(c.want));
		if (c.unplanned)
			assert_int_equal(colours_of(i) & (0xfef8u | 0x80000001u), 0);
	}
	assert_false(mpc_layout_get(layout, TABLES, &c));
}

static void
what_cannot_be_is_refused(void **state)
{
	struct mpc_plan_file plan = plan_of("edge.t0", "edge.t4");
	struct mpc_layout_class before, after;
	struct nfv_err err = { "" };

	(void)state;
	assert_int_equal(mpc_layout_set(layout, MPC_PLAN_STATIC, NULL, NULL), 0);
	settle();
	assert_true(mpc_layout_get(layout, 0, &before));
	pages[0][7] = pages[1][7] = 1; /* 500 pages in one colour, which has some 60 */
	assert_int_equal(mpc_layout_set(layout, MPC_PLAN_MCMF, &plan, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "colour 7"));
	assert_non_null(strstr(err.text, "edge.t0"));
	plan.colours = 16;
	assert_int_equal(mpc_layout_set(layout, MPC_PLAN_MCMF, &plan, &err), -EINVAL);
	assert_non_null(strstr(err.text, "16 colours"));
	plan.colours = CLASSES;
	plan.level = 3;
	assert_int_equal(mpc_layout_set(layout, MPC_PLAN_MCMF, &plan, &err), -EINVAL);
	assert_non_null(strstr(err.text, "level 3"));
	/* All stays as it was. */
	assert_true(mpc_layout_get(layout, 0, &after));
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(mpc_layout_left(layout), 0);
}

/* Two that fill all there is of two colours, but for a page elsewhere, change places. */
static void
what_waits_for_each_other_steps_aside(void **state)
{
	uint32_t n[2] = { made_up_pages(&it, 1u << 20), made_up_pages(&it, 1u << 21) };
	uint32_t least = n[0] < n[1] ? n[0] : n[1];
	struct nfv_pages full[2];
	struct mpc_plan_file plan = plan_of("a", "b");
	mpc_colours before;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			mpc_layout_take(layout, i == 0 ? "a" : "b", NULL, least, &full[i], NULL),
			0);
		full[i].page[0][9] = (uint8_t)(77 + i);
	}
	for (int turn = 0; turn < 4; turn++) {
		pages[0][20] = pages[1][21] = turn % 2 == 0;
		pages[0][21] = pages[1][20] = turn % 2;
		assert_int_equal(mpc_layout_set(layout, MPC_PLAN_MCMF, &plan, NULL), 0);
		for (int steps = 0; mpc_layout_step(layout, 1000, NULL) > 0;)
			assert_true(++steps < 10000);
		before = 1ull << (turn % 2 == 0 ? 20 : 21);
		for (uint32_t k = 0; k < least; k++)
			assert_int_equal(1ull << made_up_colour(&it, full[0].page[k]), before);
		assert_int_equal(full[0].page[0][9], 77);
		assert_int_equal(full[1].page[0][9], 78);
	}
	for (int i = 0; i < 2; i++)
		assert_true(mpc_layout_give(layout, &full[i]));
	check_content();
}

static void
names_are_told_apart(void **state)
{
	struct nfv_pages more, none = { NULL, 0 };
	struct mpc_layout_class c;
	struct nfv_err err;

	(void)state;
	assert_int_equal(mpc_layout_take(layout, "edge.t1", NULL, 3, &more, NULL), 0);
	assert_true(mpc_layout_get(layout, TABLES, &c));
	assert_string_equal(c.name, "edge.t1:2");
	assert_true(mpc_layout_give(layout, &more));
	assert_false(mpc_layout_give(layout, &none));
	assert_int_equal(mpc_layout_take(layout, "big", NULL, 3000, &more, &err), -ENOSPC);
	assert_int_equal(mpc_layout_create(it.arena, 1, 2, &layout, &err), -EINVAL);
	assert_int_equal(mpc_layout_create(it.arena, 65, 2, &layout, &err), -EINVAL);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(shares_are_disjoint),
		TEST(a_plan_is_followed),
		TEST(what_cannot_be_is_refused),
		TEST(what_waits_for_each_other_steps_aside),
		TEST(names_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
