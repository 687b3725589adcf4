/*
 * On a simulated cache, where the truth is known: pages hashed to colours as a hypervisor scatters
 * them, sets of sixteen ways under tree pseudo-LRU, neighbours that throw lines out, and a clock
 * that now and then tells the time of something else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mpc_calibrate.h"

enum { WAYS = 16, COLOURS_MAX = 64, HIT = 180, MISS = 350 };

struct sim {
	uint8_t *base;
	uint32_t colours;
	uint64_t random;
	uint32_t noise; /* of 65536 accesses so many lose a line, and so many times are wrong */
	uint8_t *way[COLOURS_MAX][WAYS];
	uint32_t tree[COLOURS_MAX]; /* a bit per inner node: which half is older */
};

static uint32_t
next(struct sim *s)
{
	s->random = s->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(s->random >> 33);
}

static uint32_t
colour_of(const struct sim *s, const uint8_t *page)
{
	uint64_t frame = (uint64_t)(page - s->base) / MPC_PAGE;

	return (uint32_t)(((frame + 1) * 0x9e3779b97f4a7c15u) >> 40) % s->colours;
}

/* Point every node on the way to `w` away from it. */
static void
touch(struct sim *s, uint32_t c, uint32_t w)
{
	for (uint32_t node = 1, half = WAYS / 2; half > 0; half /= 2) {
		uint32_t right = (w & half) != 0;

		s->tree[c] = right ? s->tree[c] & ~(1u << node) : s->tree[c] | 1u << node;
		node = 2 * node + right;
	}
}

static uint32_t
oldest(const struct sim *s, uint32_t c)
{
	uint32_t w = 0;

	for (uint32_t node = 1, half = WAYS / 2; half > 0; half /= 2) {
		uint32_t right = s->tree[c] >> node & 1;

		w |= right ? half : 0;
		node = 2 * node + right;
	}
	return w;
}

static bool
chance(struct sim *s)
{
	return (next(s) & 0xffff) < s->noise;
}

/* Load a line; whether it was there. */
static bool
load(struct sim *s, uint8_t *page)
{
	uint32_t c = colour_of(s, page), w;

	if (chance(s)) {
		w = next(s) % WAYS;
		s->way[c][w] = NULL;
	}
	for (w = 0; w < WAYS && s->way[c][w] != page; w++)
		;
	if (w < WAYS) {
		touch(s, c, w);
		return true;
	}
	w = oldest(s, c);
	s->way[c][w] = page;
	touch(s, c, w);
	return false;
}

static void
sim_walk(void *ctx, uint8_t *const *line, unsigned int n)
{
	for (int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < n; i++)
			load(ctx, line[i]);
		for (unsigned int i = n; i-- > 0;)
			load(ctx, line[i]);
	}
}

static void
sim_time(void *ctx, uint8_t *const *line, unsigned int n, uint32_t *cycles)
{
	struct sim *s = ctx;

	for (unsigned int i = 0; i < n; i++) {
		bool hit = load(s, line[i]) != chance(s);

		cycles[i] = (hit ? HIT : MISS) + next(s) % 30;
	}
}

struct bed {
	struct sim sim;
	struct mpc_probe probe;
	struct mpc_calibration what;
	uint8_t **page;
};

static void
bed_init(struct bed *b, uint32_t colours, uint32_t pages, uint32_t noise)
{
	*b = (struct bed){ .sim = { .base = (uint8_t *)(uintptr_t)0x100000000,
				   .colours = colours,
				   .random = 7,
				   .noise = noise } };
	b->page = malloc(pages * sizeof(*b->page));
	for (uint32_t i = 0; i < pages; i++)
		b->page[i] = b->sim.base + (size_t)i * MPC_PAGE;
	b->probe = (struct mpc_probe){ &b->sim, sim_walk, sim_time };
	b->what = (struct mpc_calibration){ .cache = { .level = 2,
						    .line = 64,
						    .ways = WAYS,
						    .sets = colours * 64,
						    .colours = colours },
		.page = b->page,
		.pages = pages,
		.seed = 3 };
}

/* Pages of one class have one true colour, and pages of different classes different ones. */
static uint32_t
wrong(const struct bed *b, const struct mpc_map *map)
{
	uint32_t truth[COLOURS_MAX], bad = 0;

	memset(truth, 0xff, sizeof(truth));
	for (uint32_t i = 0; i < map->pages; i++) {
		uint32_t c = map->colour[i];

		if (c == MPC_NO_COLOUR)
			continue;
		if (truth[c] == UINT32_MAX)
			truth[c] = colour_of(&b->sim, b->page[i]);
		bad += truth[c] != colour_of(&b->sim, b->page[i]);
	}
	for (uint32_t c = 0; c < map->classes; c++)
		for (uint32_t d = 0; d < c; d++)
			bad += truth[c] == truth[d];
	return bad;
}

static void
colours_are_found(void **state)
{
	static const uint32_t colours[] = { 2, 16, 32 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct nfv_err err = { "" };
		struct mpc_map map;
		struct bed b;

		bed_init(&b, colours[i], 8192, 0);
		if (mpc_calibrate(&b.what, &b.probe, &map, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(map.classes, colours[i]);
		assert_int_equal(map.classified, 8192);
		assert_int_equal(wrong(&b, &map), 0);
		assert_true(map.confident);
		free(map.colour);
		free(b.page);
	}
}

static void
noise_is_outvoted(void **state)
{
	struct nfv_err err = { "" };
	struct mpc_map map[2];
	struct bed b;

	(void)state;
	bed_init(&b, 32, 8192, 655); /* one in a hundred */
	for (int i = 0; i < 2; i++) {
		b.what.seed = (uint64_t)i + 10;
		if (mpc_calibrate(&b.what, &b.probe, &map[i], &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(map[i].classes, 32);
		assert_true(map[i].classified >= 8192 * 99 / 100);
		assert_true(wrong(&b, &map[i]) <= 8192 / 1000);
	}
	assert_true(mpc_agreement(&map[0], &map[1]) >= 0.995);
	free(map[0].colour);
	free(map[1].colour);
	free(b.page);
}

/* A clock that tells nothing: refused, or a map that does not call itself good. */
static void
chaos_is_not_answered(void **state)
{
	struct nfv_err err = { "" };
	struct mpc_map map;
	struct bed b;

	(void)state;
	bed_init(&b, 16, 4096, 30000);
	if (mpc_calibrate(&b.what, &b.probe, &map, &err) == 0) {
		assert_false(map.confident);
		free(map.colour);
	} else {
		assert_non_null(strstr(err.text, "quieter"));
	}
	free(b.page);
}

static void
what_cannot_be_is_refused(void **state)
{
	struct nfv_err err = { "" };
	struct mpc_map map;
	struct bed b;

	(void)state;
	bed_init(&b, 16, 512, 0);
	assert_int_equal(mpc_calibrate(&b.what, &b.probe, &map, &err), -EINVAL);
	assert_non_null(strstr(err.text, "MiB"));
	b.what.cache.colours = 1;
	assert_int_equal(mpc_calibrate(&b.what, &b.probe, &map, &err), -EINVAL);
	assert_non_null(strstr(err.text, "one colour"));
	free(b.page);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(colours_are_found),
		cmocka_unit_test(noise_is_outvoted),
		cmocka_unit_test(chaos_is_not_answered),
		cmocka_unit_test(what_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
