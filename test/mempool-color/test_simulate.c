/* The simulated cache, by hand and against others: an exact LRU, and footprints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesses.h"
#include "mpc_footprint.h"
#include "mpc_simulate.h"

static struct mpc_sim *
sim_new(uint32_t sets, uint32_t ways, enum mpc_policy policy)
{
	struct mpc_cache cache = { .level = 2, .line = 64, .ways = ways, .sets = sets };
	struct nfv_err err = { "" };
	struct mpc_sim *s = NULL;

	if (mpc_sim_create(&cache, policy, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

/* A letter a load, a capital where it is to hit; -2 drops way 2. */
static void
play(struct mpc_sim *s, const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '-') {
			mpc_sim_drop(s, 0, (uint32_t)(*++p - '0'));
			continue;
		}
		if (mpc_sim_load(s, 0, (uint64_t)(*p | 0x20)) != (*p < 'a'))
			fail_msg("%s: letter %ld", text, (long)(p - text));
	}
	mpc_sim_destroy(s);
}

static void
replacement_by_hand(void **state)
{
	(void)state;
	play(sim_new(1, 1, MPC_LRU), "aAAbBa");
	play(sim_new(1, 2, MPC_LRU), "abABcBaBc");
	play(sim_new(1, 4, MPC_LRU), "abcdAeCDAEbc");
	play(sim_new(1, 4, MPC_LRU), "abcdADebc");
	play(sim_new(1, 4, MPC_PLRU), "abcdADeBc"); /* the tree forgot that b is older than c */
	play(sim_new(1, 1, MPC_PLRU), "aAAbBa");
	play(sim_new(1, 3, MPC_LRU), "abc-1ACdACb");
	play(sim_new(1, 4, MPC_PLRU), "abcd-2ACDb");
}

static void
what_is_no_cache_is_refused(void **state)
{
	struct mpc_cache c = { .level = 2, .line = 64, .ways = 12, .sets = 64 };
	struct mpc_sim *s = NULL;
	struct nfv_err err = { "" };

	(void)state;
	assert_int_equal(mpc_sim_create(&c, MPC_PLRU, &s, &err), -EINVAL);
	assert_non_null(strstr(err.text, "12"));
	c.sets = 0;
	assert_int_equal(mpc_sim_create(&c, MPC_LRU, &s, &err), -EINVAL);
	assert_null(s);
	mpc_sim_destroy(NULL);
}

/* A table of 48 pages that is looked into at random, and packets of twelve lines that
 * stream through 192 pages: all of them, as footprints take lines to be spread over the sets evenly. */
static void
table_and_stream(struct accesses *t, uint32_t packets)
{
	struct zipf z = zipf_new(48 * 64, 0.6);

	for (uint32_t i = 0; i < packets; i++) {
		for (int k = 0; k < 6; k++)
			accesses_add(t, 0, zipf_next(&z, t) * 37u % (48 * 64));
		for (uint32_t k = 0; k < 12; k++)
			accesses_add(t, 1, 48 * 64 + i % 1024 * 12 + k);
	}
	free(z.sum);
}

/* One set of as many ways as there are lines is the exact LRU. */
static void
one_set_is_exact(void **state)
{
	struct accesses t = { .random = 4 };
	struct mpc_sim_count count[MPC_CLASSES] = { { 0 } };
	struct mpc_palette none = { { 0 } };
	struct mpc_place place = mpc_place_palette(&none);
	struct mpc_sim *s = sim_new(1, 300, MPC_LRU);
	struct lru l;

	(void)state;
	table_and_stream(&t, 500);
	l = lru_of(&t, 48 * 64 + 1024 * 12, 0);
	mpc_sim_run(s, t.a, t.n, &place, count);
	for (int k = 0; k < 2; k++) {
		uint64_t hits = 0;

		for (int d = 0; d < 300; d++)
			hits += l.hits_of[k][d];
		assert_int_equal(count[k].accesses, l.accesses_of[k]);
		assert_int_equal(count[k].accesses - count[k].misses, hits);
	}
	assert_int_equal(count[0].misses + count[1].misses - 300,
		count[0].evicted[0] + count[0].evicted[1] + count[1].evicted[0] +
			count[1].evicted[1]);
	mpc_sim_destroy(s);
	lru_free(&l);
	free(t.a);
}

static void
run(struct mpc_sim *s, const struct accesses *t, uint64_t table, uint64_t stream,
	struct mpc_sim_count count[MPC_CLASSES])
{
	struct mpc_palette palette = { { table, stream } };
	struct mpc_place place = mpc_place_palette(&palette);

	mpc_sim_run(s, t->a, t->n / 3, &place, count); /* until it is warm */
	memset(count, 0, MPC_CLASSES * sizeof(*count));
	mpc_sim_run(s, t->a + t->n / 3, t->n - t->n / 3, &place, count);
	mpc_sim_destroy(s);
}

static double
ratio(const struct mpc_sim_count *c)
{
	return (double)c->misses / (double)c->accesses;
}

/*
 * In a cache of 256 KiB, 8 colours of 8 ways: sharing all colours the stream costs the table hits;
 * with colours of its own the table loses none to it, and footprints foretell both.
 */
static void
colours_keep_apart(void **state)
{
	static const enum mpc_policy policy[] = { MPC_LRU, MPC_PLRU };
	struct mpc_footprint_options o = { .rate = 1 };
	struct accesses t = { .random = 4 };
	struct mpc_footprint *f = NULL;
	struct mpc_curve c[2];
	struct mpc_member m[2];

	(void)state;
	table_and_stream(&t, 30000);
	assert_int_equal(mpc_footprint_create(&o, &f, NULL), 0);
	assert_int_equal(mpc_footprint_add(f, t.a, t.n, NULL), 0);
	mpc_footprint_end(f);
	for (uint32_t k = 0; k < 2; k++) {
		assert_int_equal(mpc_footprint_curve(f, k, MPC_OWN_TIME, MPC_HOTL, &c[k], NULL), 0);
		m[k] = (struct mpc_member){ &c[k], c[k].accesses / (double)t.n, 1, 0, 0 };
	}
	mpc_corun(m, 2, 8 * 64 * 8);
	for (int i = 0; i < 2; i++) {
		struct mpc_sim_count shared[MPC_CLASSES] = { { 0 } },
				     apart[MPC_CLASSES] = { { 0 } };
		double alone = mpc_curve_miss(&c[0], 6 * 64 * 8);

		run(sim_new(8 * 64, 8, policy[i]), &t, 0xff, 0xff, shared);
		run(sim_new(8 * 64, 8, policy[i]), &t, 0x3f, 0xc0, apart);
		print_message("table: shared %.3f (composed %.3f), apart %.3f (alone %.3f)\n",
			ratio(&shared[0]), m[0].miss, ratio(&apart[0]), alone);
		assert_true(fabs(ratio(&shared[0]) - m[0].miss) < 0.06);
		assert_true(fabs(ratio(&apart[0]) - alone) < 0.06);
		assert_true(fabs(ratio(&shared[1]) - m[1].miss) < 0.01);
		assert_true(ratio(&apart[0]) < ratio(&shared[0]) / 2);
		assert_int_equal(apart[0].evicted[1], 0);
		assert_int_equal(apart[1].evicted[1], 0);
		assert_true(shared[0].evicted[1] > shared[0].evicted[0]);
	}
	mpc_curve_fini(&c[0]);
	mpc_curve_fini(&c[1]);
	mpc_footprint_destroy(f);
	free(t.a);
}

/* Pages are spread over exactly the colours of a palette, each about as often. */
static void
palettes_are_even(void **state)
{
	struct mpc_palette palette = { { 0, 1ull << 63 | 1 << 5 | 1 } };
	struct mpc_place place = mpc_place_palette(&palette);
	uint32_t seen[64] = { 0 };

	(void)state;
	for (uint64_t page = 0; page < 3000; page++)
		seen[place.colour(place.arg, 1, page)]++;
	assert_int_equal(seen[0] + seen[5] + seen[63], 3000);
	for (int i = 0; i < 64; i++)
		assert_true(seen[i] == 0 || (seen[i] > 880 && seen[i] < 1120));
	assert_int_equal(place.colour(place.arg, 0, 7), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replacement_by_hand),
		cmocka_unit_test(what_is_no_cache_is_refused),
		cmocka_unit_test(one_set_is_exact),
		cmocka_unit_test(colours_keep_apart),
		cmocka_unit_test(palettes_are_even),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
