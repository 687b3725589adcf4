/*
 * On a simulated cache, where the truth is known: frames of pages scattered as a hypervisor does or
 * in a row as on bare metal, an index of parities that permutes the lines within a page, pseudo-LRU
 * replacement, neighbours that throw lines out, and a clock that now and then tells the time of
 * something else. Pages have sixteen lines here, which is as good as 64 and faster.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "mpc_calibrate.h"
#include "mpc_simulate.h"

enum { LINES = 16, COLOURS_MAX = 64, HIT = 20, MISS = 44, TIMED = 8 };
enum { PAGES_MAX = 8192 };

struct sim {
	uint8_t *base;
	uint32_t colours, ways;
	bool scattered;
	uint64_t random;
	uint32_t noise; /* of 65536 accesses so many lose a line, and so many times are wrong */
	struct mpc_sim *cache;
	struct {
		uint32_t colour, shift; /* of its lines within the colour's sets */
	} of[PAGES_MAX];
};

static uint32_t
next(struct sim *s)
{
	s->random = s->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(s->random >> 33);
}

static uint64_t
frame_of(const struct sim *s, const uint8_t *page)
{
	uint64_t n = (uint64_t)(page - s->base) / MPC_PAGE + 1;

	return s->scattered ? n * 0x9e3779b97f4a7c15u >> 30 : n;
}

/* Each bit the parity of the frame's bits under a mask. */
static uint32_t
parities(uint64_t frame, const uint64_t *mask, uint32_t values)
{
	uint32_t x = 0;

	for (unsigned int bit = 0; 1u << bit < values; bit++)
		x |= (uint32_t)__builtin_parityll(frame & mask[bit]) << bit;
	return x;
}

static size_t
number_of(const struct sim *s, const uint8_t *page)
{
	return (size_t)(page - s->base) / MPC_PAGE;
}

static uint32_t
colour_of(const struct sim *s, const uint8_t *page)
{
	return s->of[number_of(s, page)].colour;
}

static void
place_pages(struct sim *s, uint32_t pages)
{
	static const uint64_t colour[] = { 0x1111, 0x2a42, 0x0484, 0x3308, 0x2010, 0x1520 };
	static const uint64_t shift[] = { 0x0124, 0x0a11, 0x1048, 0x2482 };

	for (uint32_t i = 0; i < pages; i++) {
		uint64_t frame = frame_of(s, s->base + (size_t)i * MPC_PAGE);

		s->of[i].colour = parities(frame, colour, s->colours);
		s->of[i].shift = parities(frame, shift, LINES);
	}
}

static bool
chance(struct sim *s)
{
	return (next(s) & 0xffff) < s->noise;
}

/* Load a line; whether it was there. */
static bool
load(struct sim *s, const uint8_t *page, uint32_t line)
{
	size_t n = number_of(s, page);
	uint32_t set = s->of[n].colour * LINES + (line ^ s->of[n].shift);

	if (chance(s))
		mpc_sim_drop(s->cache, set, next(s) % s->ways);
	return mpc_sim_load(s->cache, set, n * LINES + line + 1);
}

static void
sim_walk(void *ctx, uint8_t *const *page, unsigned int n)
{
	for (int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < n * LINES; i++)
			load(ctx, page[i / LINES], i % LINES);
		for (unsigned int i = n * LINES; i-- > 0;)
			load(ctx, page[i / LINES], i % LINES);
	}
}

static bool
sim_time(void *ctx, uint8_t *const *page, unsigned int n, uint32_t *cycles)
{
	struct sim *s = ctx;

	for (unsigned int i = 0; i < n; i++) {
		cycles[i] = next(s) % 30;
		for (uint32_t k = 0; k < TIMED; k++)
			cycles[i] += load(s, page[i], k * 5 % LINES) ? HIT : MISS;
		if (chance(s))
			cycles[i] += 2 * TIMED * MISS;
	}
	return next(s) % 1000 != 0; /* moved to another CPU meanwhile */
}

struct bed {
	struct sim sim;
	struct mpc_probe probe;
	struct mpc_calibration what;
	uint8_t **page;
	uint64_t *frame;
};

static void
bed_init(struct bed *b, uint32_t colours, uint32_t ways, uint32_t pages, uint32_t noise,
	bool scattered)
{
	*b = (struct bed){ .sim = { .base = (uint8_t *)(uintptr_t)0x100000000,
				   .colours = colours,
				   .ways = ways,
				   .scattered = scattered,
				   .random = 7,
				   .noise = noise } };
	place_pages(&b->sim, pages);
	b->page = malloc(pages * sizeof(*b->page));
	b->frame = malloc(pages * sizeof(*b->frame));
	for (uint32_t i = 0; i < pages; i++)
		b->page[i] = b->sim.base + (size_t)i * MPC_PAGE;
	b->probe = (struct mpc_probe){ &b->sim, sim_walk, sim_time };
	b->what = (struct mpc_calibration){ .cache = { .level = 2,
						    .line = MPC_PAGE / LINES,
						    .ways = ways,
						    .sets = colours * LINES,
						    .colours = colours },
		.page = b->page,
		.pages = pages,
		.seed = 3 };
	if (mpc_sim_create(&b->what.cache, MPC_PLRU, &b->sim.cache, NULL) < 0)
		abort();
}

static void
bed_fini(struct bed *b)
{
	mpc_sim_destroy(b->sim.cache);
	free(b->page);
	free(b->frame);
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
calibrate(struct bed *b, struct mpc_map *map)
{
	struct nfv_err err = { "" };

	if (mpc_calibrate(&b->what, &b->probe, map, &err) < 0)
		fail_msg("%s", err.text);
}

static void
colours_are_found(void **state)
{
	static const struct {
		uint32_t colours, ways;
	} cache[] = { { 2, 8 }, { 4, 16 }, { 16, 16 }, { 32, 8 }, { 32, 16 }, { 64, 4 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cache) / sizeof(cache[0]); i++) {
		struct mpc_map map;
		struct bed b;

		bed_init(&b, cache[i].colours, cache[i].ways, 2048, 0, true);
		calibrate(&b, &map);
		assert_int_equal(map.classes, cache[i].colours);
		assert_int_equal(map.classified, 2048);
		assert_int_equal(wrong(&b, &map), 0);
		assert_false(map.formula);
		assert_true(map.confident);
		free(map.colour);
		bed_fini(&b);
	}
}

static void
noise_is_outvoted(void **state)
{
	struct mpc_map map[2];
	struct bed b;

	(void)state;
	bed_init(&b, 32, 8, 4096, 65, true); /* one access in a thousand */
	for (int i = 0; i < 2; i++) {
		b.what.seed = (uint64_t)i + 10;
		calibrate(&b, &map[i]);
		assert_int_equal(map[i].classes, 32);
		assert_true(map[i].classified >= 4096 * 99 / 100);
		assert_true(wrong(&b, &map[i]) <= 4096 / 1000);
		assert_true(map[i].repeated > 0);
	}
	assert_true(mpc_agreement(&map[0], &map[1]) >= 0.995);
	free(map[0].colour);
	free(map[1].colour);
	bed_fini(&b);
}

/* Neighbours that leave nothing in place: refused, or a map that does not call itself good. */
static void
chaos_is_not_answered(void **state)
{
	struct nfv_err err = { "" };
	struct mpc_map map;
	struct bed b;

	(void)state;
	bed_init(&b, 16, 8, 2048, 20000, true);
	if (mpc_calibrate(&b.what, &b.probe, &map, &err) == 0) {
		assert_false(map.confident);
		assert_true(map.why[0] != '\0');
		free(map.colour);
	} else {
		assert_non_null(strstr(err.text, "quieter"));
	}
	bed_fini(&b);
}

/* What is told of the cache is not what it is: the map does not call itself good. */
static void
a_lie_about_the_cache_is_noticed(void **state)
{
	static const uint32_t told[] = { 16, 64 };
	struct nfv_err err = { "" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct mpc_map map;
		struct bed b;

		bed_init(&b, 32, 8, 4096, 0, true);
		b.what.cache.colours = told[i];
		if (mpc_calibrate(&b.what, &b.probe, &map, &err) == 0) {
			assert_false(map.confident);
			free(map.colour);
		}
		bed_fini(&b);
	}
}

/* The colours of an outer cache within those of an inner one, which here are half of their bits. */
static void
an_outer_cache_within_an_inner_one(void **state)
{
	struct nfv_err err = { "" };
	struct mpc_map inner, map;
	struct bed b;

	(void)state;
	bed_init(&b, 32, 8, 4096, 0, true);
	inner = (struct mpc_map){ .pages = 4096, .classes = 4, .classified = 4096 };
	inner.colour = malloc(4096 * sizeof(*inner.colour));
	for (uint32_t i = 0; i < 4096; i++)
		inner.colour[i] = (uint16_t)(colour_of(&b.sim, b.page[i]) % 4);
	assert_int_equal(mpc_calibrate_within(&b.what, &inner, &b.probe, &map, &err), 0);
	assert_true(map.confident);
	assert_int_equal(map.classes, 32);
	assert_int_equal(map.classified, 4096);
	assert_int_equal(wrong(&b, &map), 0);
	free(map.colour);
	inner.classes = 3;
	assert_int_equal(mpc_calibrate_within(&b.what, &inner, &b.probe, &map, &err), -EINVAL);
	assert_non_null(strstr(err.text, "refine"));
	free(inner.colour);
	bed_fini(&b);
}

/* Frames in a row, whose colours are parities: sorting is left out, and nothing is wrong. Frame
 * numbers that mean nothing do no harm. */
static void
formula_where_it_holds(void **state)
{
	uint64_t timings[2];
	struct mpc_map map;
	struct bed b;

	(void)state;
	for (int lie = 0; lie < 2; lie++) {
		bed_init(&b, 32, 8, 8192, 0, false);
		for (uint32_t i = 0; i < 8192; i++)
			b.frame[i] = lie ? next(&b.sim) + 1 : frame_of(&b.sim, b.page[i]);
		b.what.frame = b.frame;
		calibrate(&b, &map);
		assert_int_equal(map.formula, !lie);
		assert_int_equal(map.classified, 8192);
		assert_int_equal(wrong(&b, &map), 0);
		assert_true(map.confident);
		timings[lie] = map.timings;
		free(map.colour);
		bed_fini(&b);
	}
	assert_true(timings[0] < timings[1]);
}

static void
what_cannot_be_is_refused(void **state)
{
	struct nfv_err err = { "" };
	struct mpc_map map;
	struct bed b;

	(void)state;
	bed_init(&b, 16, 16, 512, 0, true);
	assert_int_equal(mpc_calibrate(&b.what, &b.probe, &map, &err), -EINVAL);
	assert_non_null(strstr(err.text, "MiB"));
	b.what.cache.colours = 1;
	assert_int_equal(mpc_calibrate(&b.what, &b.probe, &map, &err), -EINVAL);
	assert_non_null(strstr(err.text, "1 colours"));
	b.what.cache.colours = 16;
	b.what.cache.ways = 64;
	assert_int_equal(mpc_calibrate(&b.what, &b.probe, &map, &err), -EINVAL);
	assert_non_null(strstr(err.text, "64 ways"));
	bed_fini(&b);
}

/* The simulated cache, and a real page beside it that goes away in the midst of the work. */
struct losing {
	struct sim *sim;
	uint8_t *page;
	unsigned int calls;
};

static bool
losing_time(void *ctx, uint8_t *const *page, unsigned int n, uint32_t *cycles)
{
	struct losing *l = ctx;

	if (++l->calls == 1000)
		munmap(l->page, MPC_PAGE);
	*(volatile uint8_t *)l->page;
	return sim_time(l->sim, page, n, cycles);
}

static void
losing_walk(void *ctx, uint8_t *const *page, unsigned int n)
{
	sim_walk(((struct losing *)ctx)->sim, page, n);
}

static void
lost_memory_is_told(void **state)
{
	struct nfv_err err = { "" };
	struct mpc_map map;
	struct losing l;
	struct bed b;

	(void)state;
	bed_init(&b, 16, 8, 2048, 0, true);
	l = (struct losing){ .sim = &b.sim,
		.page = mmap(NULL, MPC_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0) };
	assert_true(l.page != MAP_FAILED);
	b.probe = (struct mpc_probe){ &l, losing_walk, losing_time };
	assert_int_equal(mpc_calibrate(&b.what, &b.probe, &map, &err), -EFAULT);
	assert_int_equal(l.calls, 1000);
	assert_non_null(strstr(err.text, "went away"));
	bed_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(colours_are_found),
		cmocka_unit_test(noise_is_outvoted),
		cmocka_unit_test(chaos_is_not_answered),
		cmocka_unit_test(a_lie_about_the_cache_is_noticed),
		cmocka_unit_test(an_outer_cache_within_an_inner_one),
		cmocka_unit_test(formula_where_it_holds),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(lost_memory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
