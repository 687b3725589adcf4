#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "families.h"
#include "mpc_mcmf.h"
#include "oracle.h"

#define ARCS_MAX  4096
#define NODES_MAX 4096

static int64_t flow[ARCS_MAX], potential[NODES_MAX];

static struct mpc_mcmf_answer
fresh(void)
{
	return (struct mpc_mcmf_answer){ .flow = flow, .potential = potential, .cost = 77 };
}

/* A tiny network, small enough to try every flow. */
#define TINY_ARCS  6
#define TINY_NODES 5

struct tiny {
	struct mpc_mcmf p;
	uint32_t tail[TINY_ARCS], head[TINY_ARCS];
	int64_t lower[TINY_ARCS], capacity[TINY_ARCS], cost[TINY_ARCS], supply[TINY_NODES];
};

static void
make_tiny(struct tiny *t, uint64_t *state)
{
	uint32_t moves = family_random(state, 4);

	memset(t, 0, sizeof(*t));
	t->p = (struct mpc_mcmf){ .nodes = 2 + family_random(state, TINY_NODES - 1),
		.arcs = family_random(state, TINY_ARCS + 1),
		.tail = t->tail,
		.head = t->head,
		.lower = t->lower,
		.capacity = t->capacity,
		.cost = t->cost,
		.supply = t->supply };
	for (uint32_t e = 0; e < t->p.arcs; e++) {
		t->tail[e] = family_random(state, t->p.nodes);
		t->head[e] = family_random(state, t->p.nodes);
		t->capacity[e] = family_random(state, 4);
		t->lower[e] = family_random(state, 6) == 0 ? t->capacity[e] / 2 : 0;
		t->cost[e] = (int64_t)family_random(state, 9) - 3;
	}
	for (uint32_t i = 0; i < moves; i++) {
		t->supply[family_random(state, t->p.nodes)]++;
		t->supply[family_random(state, t->p.nodes)]--;
	}
}

/*
 * The least cost over all flows there are, among the greatest from node 0 to node 1 if `value` is
 * given; false: there is none.
 */
static bool
try_all(const struct tiny *t, int64_t *cost, int64_t *value)
{
	int64_t f[TINY_ARCS];
	bool found = false;

	memcpy(f, t->lower, sizeof(f));
	for (;;) {
		int64_t rest[TINY_NODES] = { 0 }, sum = 0, through;
		uint32_t e = 0, bad = 0;

		for (uint32_t i = 0; i < t->p.arcs; i++) {
			rest[t->tail[i]] -= f[i];
			rest[t->head[i]] += f[i];
			sum += f[i] * t->cost[i];
		}
		through = rest[1];
		for (uint32_t v = value != NULL ? 2 : 0; v < t->p.nodes; v++)
			bad += rest[v] + (value != NULL ? 0 : t->supply[v]) != 0;
		bad += value != NULL && (through < 0 || rest[0] != -through);
		if (bad == 0 &&
			(!found || (value != NULL && through > *value) ||
				(sum < *cost && (value == NULL || through == *value)))) {
			*cost = sum;
			if (value != NULL)
				*value = through;
			found = true;
		}
		while (e < t->p.arcs && f[e] == t->capacity[e]) {
			f[e] = t->lower[e];
			e++;
		}
		if (e == t->p.arcs)
			return found;
		f[e]++;
	}
}

static void
tiny_ones_are_as_good_as_all_flows_tried(void **state)
{
	uint64_t seed = 1;
	uint32_t solved = 0, refused = 0;

	(void)state;
	for (uint32_t i = 0; i < 4000; i++) {
		struct mpc_mcmf_answer a = fresh();
		struct nfv_err err = { "" };
		struct tiny t;
		int64_t best = 0;
		int rc;

		make_tiny(&t, &seed);
		rc = mpc_mcmf_solve(&t.p, &a, &err);
		if (!try_all(&t, &best, NULL)) {
			assert_int_equal(rc, -ENOSPC);
			assert_int_equal(a.cost, 77);
			refused++;
			continue;
		}
		assert_int_equal(rc, 0);
		assert_int_equal(a.cost, best);
		assert_int_equal(mpc_mcmf_verify(&t.p, &a, &err), 0);
		solved++;
	}
	assert_in_range(solved, 1000, 4000);
	assert_in_range(refused, 100, 4000);
}

static void
tiny_greatest_flows_too(void **state)
{
	uint64_t seed = 2;
	uint32_t flowing = 0;

	(void)state;
	for (uint32_t i = 0; i < 4000; i++) {
		struct mpc_mcmf_answer a = fresh();
		struct nfv_err err = { "" };
		struct tiny t;
		int64_t best = 0, most = 0, value = 0;
		int rc;

		make_tiny(&t, &seed);
		rc = mpc_mcmf_max_flow(&t.p, 0, 1, &a, &value, &err);
		if (!try_all(&t, &best, &most)) {
			assert_int_equal(rc, -ENOSPC);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_int_equal(value, most);
		assert_int_equal(a.cost, best);
		if (mpc_mcmf_verify_max_flow(&t.p, 0, 1, &a, value, &err) < 0)
			fail_msg("%s", err.text);
		flowing += value > 0;
	}
	assert_in_range(flowing, 500, 4000);
}

/* Over 1,000 networks of all families; the oracles that are there must find the same cost. */
static void
the_oracles_agree(void **state)
{
	uint32_t asked[ORACLES] = { 0 }, n = 0;

	(void)state;
	for (enum family f = 0; f < FAMILIES; f++)
		for (uint64_t seed = 0; seed < 270; seed++) {
			struct mpc_mcmf_answer a = fresh();
			struct nfv_err err = { "" };
			struct mpc_mcmf p;
			int64_t cost = 0;
			int rc;

			family_make(
				f, 10 + (uint32_t)(seed * 3), seed % 3 == 0 ? 20 : 10000, seed, &p);
			assert_in_range(p.arcs, 1, ARCS_MAX);
			rc = mpc_mcmf_solve(&p, &a, &err);
			if (rc < 0)
				fail_msg("%s %d: %s", family_name(f), (int)seed, err.text);
			if (mpc_mcmf_verify(&p, &a, &err) < 0)
				fail_msg("%s %d: %s", family_name(f), (int)seed, err.text);
			for (enum oracle o = 0; o < ORACLES; o++) {
				if (!oracle_ask(o, &p, &cost))
					continue;
				asked[o]++;
				assert_int_equal(a.cost, cost);
			}
			n++;
			family_free(&p);
		}
	assert_in_range(n, 1000, 2000);
	for (enum oracle o = 0; o < ORACLES; o++)
		if (asked[o] == 0)
			print_message("%s is not there and was not asked\n", oracle_name(o));
		else
			assert_int_equal(asked[o], n);
}

/* Big enough for nodes to be renumbered and blocks to grow. */
static void
a_large_one_is_proved(void **state)
{
	(void)state;
	for (enum family f = 0; f < FAMILIES; f++) {
		struct mpc_mcmf_answer a = { .cost = 0 };
		struct nfv_err err = { "" };
		struct mpc_mcmf p;
		int64_t cost;

		family_make(f, 20000, 1000, 5, &p);
		a.flow = calloc(p.arcs, sizeof(*a.flow));
		a.potential = calloc(p.nodes, sizeof(*a.potential));
		assert_non_null(a.flow);
		assert_non_null(a.potential);
		assert_int_equal(mpc_mcmf_solve(&p, &a, &err), 0);
		if (mpc_mcmf_verify(&p, &a, &err) < 0)
			fail_msg("%s: %s", family_name(f), err.text);
		if (oracle_ask(ORACLE_LEMON, &p, &cost))
			assert_int_equal(a.cost, cost);
		free(a.flow);
		free(a.potential);
		family_free(&p);
	}
}

static void
other_costs_begin_where_the_last_ended(void **state)
{
	uint64_t random = 3;

	(void)state;
	for (uint64_t seed = 0; seed < 60; seed++) {
		struct mpc_mcmf_solver *s;
		struct mpc_mcmf p;
		struct nfv_err err = { "" };
		int64_t cost[ARCS_MAX];

		family_make((enum family)(seed % FAMILIES), 600, 500, seed, &p);
		memcpy(cost, p.cost, p.arcs * sizeof(*cost));
		assert_int_equal(mpc_mcmf_create(&p, &s, &err), 0);
		for (uint32_t round = 0; round < 5; round++) {
			struct mpc_mcmf_answer warm = fresh(), cold = fresh();
			struct mpc_mcmf again = p;

			again.cost = cost;
			if (round > 0)
				assert_int_equal(mpc_mcmf_recost(s, cost, &err), 0);
			assert_int_equal(mpc_mcmf_solve(&again, &cold, &err), 0);
			assert_int_equal(mpc_mcmf_run(s, &warm, &err), 0);
			assert_int_equal(warm.cost, cold.cost);
			assert_int_equal(mpc_mcmf_verify(&again, &warm, &err), 0);
			for (uint32_t i = 0; i < p.arcs / 10; i++)
				cost[family_random(&random, p.arcs)] =
					(int64_t)family_random(&random, 600) - 20;
		}
		mpc_mcmf_destroy(s);
		family_free(&p);
	}
}

#define BIG (INT64_MAX / 2)

static void
what_cannot_be_is_refused(void **state)
{
	static const struct {
		int rc;
		const char *says;
		uint32_t nodes, arcs, tail[3], head[3];
		int64_t lower[3], capacity[3], cost[3], supply[3];
	} wrong[] = {
		{ -EINVAL, "an excess of 1", 2, 1, { 0 }, { 1 }, { 0 }, { 9 }, { 1 }, { 2, -1 } },
		{ -EINVAL, "a lack of 5", 2, 1, { 0 }, { 1 }, { 0 }, { 9 }, { 1 }, { 0, -5 } },
		{ -EINVAL, "a lack of 9223372036854775809", 2, 0, { 0 }, { 0 }, { 0 }, { 0 }, { 0 },
			{ INT64_MIN, -1 } },
		{ -EINVAL, "node 0 to 2 of 2", 2, 1, { 0 }, { 2 }, { 0 }, { 9 }, { 1 }, { 0 } },
		{ -EINVAL, "at least 0 and at most -1", 2, 1, { 0 }, { 1 }, { 0 }, { -1 }, { 1 },
			{ 0 } },
		{ -EINVAL, "at least 3 and at most 2", 2, 1, { 0 }, { 1 }, { 3 }, { 2 }, { 1 },
			{ 0 } },
		{ -EINVAL, "at least -1", 2, 1, { 0 }, { 1 }, { -1 }, { 2 }, { 1 }, { 0 } },
		{ -ENOSPC, "node 1, counted from 0, would get 2 units", 2, 1, { 0 }, { 1 }, { 0 },
			{ 3 }, { 1 }, { 5, -5 } },
		{ -ENOSPC, "node 1", 2, 0, { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, { 1, -1 } },
		{ -ENOSPC, "no flow", 2, 1, { 0 }, { 1 }, { 1 }, { 2 }, { 1 }, { 0 } },
		{ -ERANGE, "without end", 2, 2, { 0, 1 }, { 1, 0 }, { 0 },
			{ MPC_MCMF_UNBOUNDED, MPC_MCMF_UNBOUNDED }, { -2, 1 }, { 0 } },
		{ -ERANGE, "without end", 1, 1, { 0 }, { 0 }, { 0 }, { MPC_MCMF_UNBOUNDED }, { -1 },
			{ 0 } },
		{ -ERANGE, "without end", 3, 3, { 0, 1, 2 }, { 1, 2, 0 }, { 1, 2, 0 },
			{ MPC_MCMF_UNBOUNDED, MPC_MCMF_UNBOUNDED, MPC_MCMF_UNBOUNDED },
			{ -2, 0, 1 }, { 0 } },
		{ -EOVERFLOW, "add up to more", 3, 0, { 0 }, { 0 }, { 0 }, { 0 }, { 0 },
			{ BIG + 1, BIG + 1, INT64_MIN } },
		{ -EOVERFLOW, "add up to more", 2, 2, { 0, 0 }, { 1, 1 }, { BIG, BIG },
			{ INT64_MAX - 1, INT64_MAX - 1 }, { 0 }, { -BIG, BIG } },
		{ -EOVERFLOW, "scale them down", 2, 1, { 0 }, { 1 }, { 0 }, { 9 }, { INT64_MIN },
			{ 0 } },
		{ -EOVERFLOW, "scale them down", 3, 1, { 0 }, { 1 }, { 0 }, { 9 }, { BIG }, { 0 } },
		{ -EOVERFLOW, "beyond 64 bits", 2, 1, { 0 }, { 1 }, { 0 }, { INT64_MAX - 1 }, { 9 },
			{ BIG, -BIG } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct mpc_mcmf p = { wrong[i].nodes, wrong[i].arcs, wrong[i].tail, wrong[i].head,
			wrong[i].lower, wrong[i].capacity, wrong[i].cost, wrong[i].supply };
		struct mpc_mcmf_answer a = fresh();
		struct nfv_err err = { "" };

		flow[0] = 4711;
		potential[0] = 4712;
		assert_int_equal(mpc_mcmf_solve(&p, &a, &err), wrong[i].rc);
		if (strstr(err.text, wrong[i].says) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", err.text, wrong[i].says);
		assert_int_equal(flow[0], 4711);
		assert_int_equal(potential[0], 4712);
		assert_int_equal(a.cost, 77);
	}
}

static void
the_largest_numbers_are_borne(void **state)
{
	const uint32_t tail[] = { 0, 0, 2 }, head[] = { 1, 2, 1 };
	const int64_t supply[] = { INT64_MAX - 1, 1 - INT64_MAX, 0 }, cost[] = { 1, 0, 0 };
	const int64_t capacity[] = { MPC_MCMF_UNBOUNDED, BIG, MPC_MCMF_UNBOUNDED };
	const int64_t loop_cost[] = { -5, 3, 0 }, loop_room[] = { 7, 7, 7 };
	const uint32_t none[] = { 0, 0, 0 };
	struct mpc_mcmf p = { 3, 3, tail, head, NULL, capacity, cost, supply };
	struct mpc_mcmf loops = { 1, 3, none, none, NULL, loop_room, loop_cost, NULL };
	struct mpc_mcmf nothing = { .nodes = 0 };
	struct mpc_mcmf_answer a = fresh();
	struct nfv_err err = { "" };

	(void)state;
	assert_int_equal(mpc_mcmf_solve(&p, &a, &err), 0);
	assert_int_equal(a.cost, INT64_MAX - 1 - BIG);
	assert_int_equal(mpc_mcmf_verify(&p, &a, &err), 0);
	assert_int_equal(mpc_mcmf_solve(&loops, &a, &err), 0);
	assert_int_equal(a.cost, -35);
	assert_int_equal(mpc_mcmf_verify(&loops, &a, &err), 0);
	assert_int_equal(mpc_mcmf_solve(&nothing, &a, &err), 0);
	assert_int_equal(a.cost, 0);
	assert_int_equal(mpc_mcmf_verify(&nothing, &a, &err), 0);
}

static void
greatest_flows_without_end_are_refused(void **state)
{
	const uint32_t tail[] = { 0 }, head[] = { 1 };
	const int64_t capacity[] = { MPC_MCMF_UNBOUNDED }, cost[] = { 1 };
	struct mpc_mcmf p = { 2, 1, tail, head, NULL, capacity, cost, NULL };
	struct mpc_mcmf_answer a = fresh();
	struct nfv_err err = { "" };
	int64_t value = 5;

	(void)state;
	assert_int_equal(mpc_mcmf_max_flow(&p, 0, 1, &a, &value, &err), -ERANGE);
	assert_int_equal(mpc_mcmf_max_flow(&p, 0, 0, &a, &value, &err), -EINVAL);
	assert_int_equal(mpc_mcmf_max_flow(&p, 0, 2, &a, &value, &err), -EINVAL);
	assert_int_equal(value, 5);
	assert_int_equal(mpc_mcmf_max_flow(&p, 1, 0, &a, &value, &err), 0);
	assert_int_equal(value, 0);
}

/* Whatever is changed about an answer, the check finds it. */
static void
the_check_believes_nothing(void **state)
{
	uint64_t random = 9;

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		struct mpc_mcmf_answer a = fresh();
		struct nfv_err err = { "" };
		struct mpc_mcmf p;
		uint32_t e;

		family_make((enum family)(i % FAMILIES), 100, 1000, i, &p);
		e = family_random(&random, p.arcs);
		assert_int_equal(mpc_mcmf_solve(&p, &a, &err), 0);
		flow[e]++;
		assert_int_equal(mpc_mcmf_verify(&p, &a, &err), -EINVAL);
		flow[e] -= 2;
		assert_int_equal(mpc_mcmf_verify(&p, &a, &err), -EINVAL);
		flow[e]++;
		a.cost++;
		assert_int_equal(mpc_mcmf_verify(&p, &a, &err), -EINVAL);
		a.cost--;
		potential[p.head[e]] += 100000;
		potential[p.tail[e]] -= 100000;
		if (p.head[e] != p.tail[e] && flow[e] < p.capacity[e])
			assert_int_equal(mpc_mcmf_verify(&p, &a, &err), -EINVAL);
		a.potential = NULL;
		assert_int_equal(mpc_mcmf_verify(&p, &a, &err), -EINVAL);
		family_free(&p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tiny_ones_are_as_good_as_all_flows_tried),
		cmocka_unit_test(tiny_greatest_flows_too),
		cmocka_unit_test(the_oracles_agree),
		cmocka_unit_test(a_large_one_is_proved),
		cmocka_unit_test(other_costs_begin_where_the_last_ended),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(the_largest_numbers_are_borne),
		cmocka_unit_test(greatest_flows_without_end_are_refused),
		cmocka_unit_test(the_check_believes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
