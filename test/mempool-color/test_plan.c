#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "families.h"
#include "mpc_plan.h"
#include "plan_cases.h"

#define TINY_PLACES 4

static struct plan_case it;

/* The model again, as plainly as can be: straight lines between samples, fill times by halving. */
static double
lines_at(const struct mpc_plan_class *c, double time, double *slope)
{
	double w = 0, f = 0;

	for (uint32_t i = 0; i < c->points; i++) {
		double s = (c->footprint[i] - f) / (c->window[i] - w);

		if (time * c->rate < c->window[i]) {
			*slope = s * c->rate;
			return f + (time * c->rate - w) * s;
		}
		w = c->window[i];
		f = c->footprint[i];
	}
	*slope = 0;
	return f;
}

static double
group_cost(const struct plan_case *c, const uint32_t *pages, uint32_t socket, uint32_t colour)
{
	uint32_t colours = c->machine.colours, places = c->machine.sockets * colours;
	double low = 0, high = 1e12, cost = 0, slope;

	for (int step = 0; step < 200; step++) {
		double time = (low + high) / 2, sum = 0;

		for (uint32_t i = 0; i < c->classes; i++)
			for (uint32_t s = 0; s < c->machine.sockets; s++)
				if (c->class[i].socket == socket)
					sum += lines_at(&c->class[i], time, &slope) *
						pages[i * places + s * colours + colour] /
						c->class[i].pages;
		if (sum < c->machine.lines)
			low = time;
		else
			high = time;
	}
	for (uint32_t i = 0; i < c->classes; i++)
		for (uint32_t s = 0; s < c->machine.sockets; s++) {
			if (c->class[i].socket != socket)
				continue;
			lines_at(&c->class[i], high, &slope);
			cost += slope * (c->machine.miss + (s != socket ? c->machine.remote : 0)) *
				pages[i * places + s * colours + colour] / c->class[i].pages;
		}
	return cost;
}

static double
plain_cost(const struct plan_case *c, const uint32_t *pages)
{
	double cost = 0;

	for (uint32_t g = 0; g < c->machine.sockets * c->machine.colours; g++)
		cost += group_cost(c, pages, g / c->machine.colours, g % c->machine.colours);
	return cost;
}

/* The next way to lay so many pages over places, from (n, 0, …) to (0, …, n); false after the last. */
static bool
next_way(uint32_t *row, uint32_t places)
{
	uint32_t i = places - 1, last = row[places - 1];

	row[i] = 0;
	while (i-- > 0)
		if (row[i] > 0) {
			row[i]--;
			row[i + 1] = last + 1;
			return true;
		}
	return false;
}

static bool
fits(const struct plan_case *c, const uint32_t *pages)
{
	uint32_t places = c->machine.sockets * c->machine.colours;

	for (uint32_t p = 0; p < places; p++) {
		uint32_t sum = 0;

		for (uint32_t i = 0; i < c->classes; i++)
			sum += pages[i * places + p];
		if (sum > c->available[p])
			return false;
	}
	return true;
}

static double
best_of_all(const struct plan_case *c)
{
	size_t places = (size_t)c->machine.sockets * c->machine.colours;
	uint32_t i = 0;
	uint32_t pages[CASE_CLASSES * TINY_PLACES] = { 0 };
	double best = INFINITY;

	for (uint32_t k = 0; k < c->classes; k++)
		pages[k * places] = c->class[k].pages;
	while (i < c->classes) {
		if (fits(c, pages)) {
			struct mpc_plan_cost cost;

			assert_int_equal(mpc_plan_evaluate(c->class, c->classes, &c->machine, pages,
						 &cost, NULL),
				0);
			best = cost.total < best ? cost.total : best;
		}
		for (i = 0; i < c->classes && !next_way(&pages[i * places], (uint32_t)places);
			i++) {
			memset(&pages[i * places], 0, places * sizeof(*pages));
			pages[i * places] = c->class[i].pages;
		}
	}
	return best;
}

/* Every class has its pages, no place more than it has, the parts add up, and plain sums agree. */
static void
check_plan(const struct plan_case *c, const struct mpc_plan *p)
{
	uint32_t places = c->machine.sockets * c->machine.colours;
	const struct mpc_plan_cost *cost = &p->cost[p->arm];

	for (uint32_t i = 0; i < c->classes; i++) {
		uint64_t sum = 0;

		for (uint32_t k = 0; k < places; k++)
			sum += p->pages[i * places + k];
		assert_int_equal(sum, c->class[i].pages);
	}
	assert_true(fits(c, p->pages));
	for (int a = 0; a < MPC_PLAN_ARMS; a++) {
		const struct mpc_plan_cost *x = &p->cost[a];

		assert_true(
			x->alone >= 0 && x->intra >= -1e-6 && x->inter >= -1e-6 && x->remote >= 0);
		assert_true(fabs(x->alone + x->intra + x->inter + x->remote - x->total) <=
			1e-9 * x->total);
	}
	assert_true(fabs(plain_cost(c, p->pages) - cost->total) <= 1e-3 * cost->total + 1e-6);
}

static void
small_ones_are_within_a_hundredth_of_the_best(void **state)
{
	uint64_t random = 11;
	uint32_t shared = 0, worst = 0;

	(void)state;
	for (uint32_t i = 0; i < 150; i++) {
		uint32_t sockets = 1 + (i % 3 == 0), colours = sockets == 2 ? 2 : 2 + i % 2;
		uint32_t classes = sockets == 2 ? 2 + i % 2 : 2 + i % 3;
		struct nfv_err err = { "" };
		struct mpc_plan p;
		double best;

		plan_case_begin(
			&it, sockets, colours, 4 + i % 9, 32.37 + family_random(&random, 200));
		it.machine.worthwhile = 0;
		for (uint32_t k = 0; k < classes; k++)
			plan_case_random(&it, &random, 2, 4);
		if (mpc_plan_make(it.class, it.classes, &it.machine, &p, &err) < 0) {
			assert_non_null(strstr(err.text, "pages"));
			continue;
		}
		best = best_of_all(&it);
		check_plan(&it, &p);
		if (p.cost[p.arm].total > best * 1.01 + 1e-6) {
			worst++;
			print_message(
				"%d: %g, and the best is %g\n", (int)i, p.cost[p.arm].total, best);
		}
		shared += best > 0;
		mpc_plan_free(&p);
	}
	assert_int_equal(worst, 0);
	assert_in_range(shared, 60, 150);
}

/* A table that the cache holds, and a stream that would flood it. */
static void
a_stream_is_kept_away_from_a_table(void **state)
{
	struct nfv_err err = { "" };
	struct mpc_plan p;
	uint32_t both = 0;

	(void)state;
	plan_case_begin(&it, 1, 32, 400, 1024);
	plan_case_table(&it, 0, 0, 400, 6);
	plan_case_stream(&it, 1, 0, 4000, 12);
	assert_int_equal(mpc_plan_make(it.class, 2, &it.machine, &p, &err), 0);
	assert_int_equal(p.arm, MPC_PLAN_MCMF);
	check_plan(&it, &p);
	for (uint32_t k = 0; k < 32; k++)
		both += p.pages[k] > 0 && p.pages[32 + k] > 0;
	assert_in_range(both, 0, 8);
	assert_true(p.cost[MPC_PLAN_MCMF].total < 0.95 * p.cost[MPC_PLAN_OFF].total);
	assert_true(p.cost[MPC_PLAN_MCMF].total < p.cost[MPC_PLAN_STATIC].total);
	assert_true(p.cost[MPC_PLAN_OFF].inter > 0);
	assert_true(p.cost[MPC_PLAN_OFF].intra == 0);
	mpc_plan_free(&p);
	/* Of one flow, the same is intra-flow overhead. */
	it.class[1].flow = 0;
	assert_int_equal(mpc_plan_make(it.class, 2, &it.machine, &p, &err), 0);
	assert_true(p.cost[MPC_PLAN_OFF].inter == 0);
	assert_true(p.cost[MPC_PLAN_OFF].intra > 0);
	mpc_plan_free(&p);
}

static void
what_fits_anyway_is_left_off(void **state)
{
	struct nfv_err err = { "" };
	struct mpc_plan p;

	(void)state;
	plan_case_begin(&it, 2, 32, 100, 1024);
	plan_case_table(&it, 0, 0, 200, 6);
	plan_case_stream(&it, 1, 0, 200, 12);
	plan_case_table(&it, 2, 1, 100, 6);
	assert_int_equal(mpc_plan_make(it.class, 3, &it.machine, &p, &err), 0);
	assert_int_equal(p.arm, MPC_PLAN_OFF);
	check_plan(&it, &p);
	mpc_plan_free(&p);
}

/* A layout of pages that a class does not have is none. */
static void
only_whole_layouts_are_judged(void **state)
{
	uint32_t pages[4] = { 5, 5, 5, 5 };
	struct mpc_plan_cost cost = { .total = 77 };
	struct nfv_err err = { "" };

	(void)state;
	plan_case_begin(&it, 1, 4, 10, 100);
	plan_case_table(&it, 0, 0, 20, 6);
	assert_int_equal(mpc_plan_evaluate(it.class, 1, &it.machine, pages, &cost, &err), 0);
	assert_true(cost.total > 77);
	pages[2] = 4;
	cost.total = 77;
	assert_int_equal(mpc_plan_evaluate(it.class, 1, &it.machine, pages, &cost, &err), -EINVAL);
	assert_non_null(strstr(err.text, "19 pages of 20"));
	assert_true(cost.total == 77);
}

static void
a_full_socket_spills(void **state)
{
	struct nfv_err err = { "" };
	struct mpc_plan p;
	uint32_t away = 0;

	(void)state;
	plan_case_begin(&it, 2, 4, 10, 100);
	plan_case_table(&it, 0, 0, 45, 6);
	assert_int_equal(mpc_plan_make(it.class, 1, &it.machine, &p, &err), 0);
	check_plan(&it, &p);
	for (uint32_t k = 4; k < 8; k++)
		away += p.pages[k];
	assert_int_equal(away, 5);
	assert_true(p.cost[p.arm].remote > 0);
	mpc_plan_free(&p);
}

static void
large_ones_beat_static_shares(void **state)
{
	uint64_t random = 5;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct nfv_err err = { "" };
		struct mpc_plan p;

		plan_case_begin(&it, 2, 64, 700, 1024);
		for (uint32_t k = 0; k < 64; k++)
			plan_case_random(&it, &random, 16, 900);
		assert_int_equal(mpc_plan_make(it.class, it.classes, &it.machine, &p, &err), 0);
		check_plan(&it, &p);
		assert_true(p.cost[p.arm].total < p.cost[MPC_PLAN_STATIC].total);
		assert_true(p.cost[p.arm].total <= p.cost[MPC_PLAN_OFF].total);
		mpc_plan_free(&p);
	}
}

static void
numbers_that_cannot_be_are_refused(void **state)
{
	struct nfv_err err;
	struct mpc_plan p = { .flows = 77 };

	(void)state;
#define REFUSED(rc, says, change)                                                                  \
	do {                                                                                       \
		plan_case_begin(&it, 1, 4, 10, 100);                                               \
		plan_case_table(&it, 0, 0, 20, 6);                                                 \
		change;                                                                            \
		assert_int_equal(mpc_plan_make(it.class, it.classes, &it.machine, &p, &err), rc);  \
		if (strstr(err.text, says) == NULL)                                                \
			fail_msg("\"%s\" does not say \"%s\"", err.text, says);                    \
		assert_int_equal(p.flows, 77);                                                     \
	} while (0)
	REFUSED(-EINVAL, "sockets", it.machine.sockets = 0);
	REFUSED(-EINVAL, "colours", it.machine.colours = 100000);
	REFUSED(-EINVAL, "classes", it.classes = 0);
	REFUSED(-EINVAL, "lines of cache", it.machine.lines = 0);
	REFUSED(-EINVAL, "lines of cache", it.machine.miss = NAN);
	REFUSED(-EINVAL, "worthwhile", it.machine.worthwhile = 1);
	REFUSED(-EINVAL, "class made up has no pages", it.class[0].pages = 0);
	REFUSED(-EINVAL, "or no footprint", it.class[0].points = 0);
	REFUSED(-EINVAL, "socket 1 of 1", it.class[0].socket = 1);
	REFUSED(-EINVAL, "rate above 0", it.class[0].rate = 0);
	REFUSED(-EINVAL, "rate above 0", it.class[0].rate = INFINITY);
	REFUSED(-EINVAL, "number 3", it.window[0][3] = it.window[0][2]);
	REFUSED(-EINVAL, "number 3", it.footprint[0][3] = NAN);
	REFUSED(-EINVAL, "number 0", it.footprint[0][0] = -1);
	REFUSED(-ENOSPC, "want 41 pages, and there are 40", it.class[0].pages = 41);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_ones_are_within_a_hundredth_of_the_best),
		cmocka_unit_test(a_stream_is_kept_away_from_a_table),
		cmocka_unit_test(what_fits_anyway_is_left_off),
		cmocka_unit_test(only_whole_layouts_are_judged),
		cmocka_unit_test(a_full_socket_spills),
		cmocka_unit_test(large_ones_beat_static_shares),
		cmocka_unit_test(numbers_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
