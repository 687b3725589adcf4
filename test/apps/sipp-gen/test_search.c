#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rnd.h"
#include "search.h"
#include "soak.h"

/* A peer made up: it fails calls above `cliff`, and now and then by chance; the generator does not
 * come beyond `reach`. */
struct peer {
	double cliff, reach, chance;
	uint32_t stalls;   /* trials that the generator spoils by itself, first of all */
	uint32_t give_up;  /* the trial that cannot be made; 0: none */
	double best, most; /* proven; asked */
	uint32_t trials;
	struct rnd rnd;
};

static struct peer peer;
static struct search_result result;

static int
fresh(void **state)
{
	(void)state;
	peer = (struct peer){ .cliff = 1e9, .reach = 1e9, .rnd = rnd_init(7, 0) };
	memset(&result, 0, sizeof(result));
	return 0;
}

static int
trial(void *ctx, double rate, struct search_trial *out)
{
	struct peer *p = ctx;

	if (++p->trials == p->give_up)
		return -EINTR;
	assert_true(rate > 0);
	assert_true(out->rate == rate);
	p->most = rate > p->most ? rate : p->most;
	out->good = (uint64_t)(10 * rate) + 1;
	out->achieved = rate < p->reach ? rate : p->reach;
	if (rate > p->reach || p->stalls > 0) {
		out->generator_limited = true;
		out->failed = 3; /* no news of the peer */
		p->stalls -= p->stalls > 0;
		return 0;
	}
	if (rate > p->cliff || rnd_unit(&p->rnd) < p->chance)
		out->failed = 1;
	else if (rate > p->best)
		p->best = rate;
	return 0;
}

static int
search(double start)
{
	const struct search_conf c = { start, 1, 1e6, 2, 0.02 };

	return search_ser(&c, trial, &peer, &result);
}

static void
finds_a_cliff(void **state)
{
	static const double cliff[] = { 1.5, 10, 99, 100, 101, 3217, 150000 };

	for (size_t i = 0; i < sizeof(cliff) / sizeof(cliff[0]); i++)
		for (double start = 1; start < 5e5; start *= 7) {
			fresh(state);
			peer.cliff = cliff[i];
			assert_int_equal(search(start), 0);
			assert_true(result.rate <= cliff[i] && result.rate >= cliff[i] * 0.98);
			assert_true(result.rate == peer.best);
			assert_true(result.bound > cliff[i]);
			assert_false(result.generator_limited);
			assert_int_equal(result.trials, peer.trials);
			assert_true(result.trials < 40);
		}
}

static void
a_peer_that_fails_always_proves_nothing(void **state)
{
	(void)state;
	peer.cliff = 0;
	assert_int_equal(search(1000), 0);
	assert_true(result.rate == 0);
	assert_true(result.bound == 1);
	assert_false(result.generator_limited);
}

static void
ends_at_the_highest_rate_allowed(void **state)
{
	(void)state;
	assert_int_equal(search(300), 0);
	assert_true(result.rate == 1e6);
	assert_true(result.bound == 0);
	assert_true(peer.most == 1e6);
}

static void
the_generators_limit_is_not_the_peers(void **state)
{
	(void)state;
	peer.reach = 5000;
	assert_int_equal(search(100), 0);
	assert_true(result.generator_limited);
	assert_true(result.rate == peer.best);
	assert_true(result.rate <= 5000 && result.rate >= 4900);
}

static void
below_the_generators_limit_the_peers_is_found(void **state)
{
	(void)state;
	peer.reach = 5000;
	peer.cliff = 4000;
	assert_int_equal(search(100), 0);
	assert_false(result.generator_limited);
	assert_true(result.rate <= 4000 && result.rate >= 3920);
}

static void
a_stall_is_forgiven_once(void **state)
{
	(void)state;
	peer.cliff = 1000;
	peer.stalls = 1;
	assert_int_equal(search(100), 0);
	assert_false(result.generator_limited);
	assert_true(result.rate >= 980);
}

static void
noise_never_yields_an_unproven_rate(void **state)
{
	for (uint64_t seed = 1; seed < 200; seed++) {
		fresh(state);
		peer.rnd = rnd_init(seed, 0);
		peer.cliff = 2000;
		peer.chance = 0.1;
		assert_int_equal(search(50), 0);
		assert_true(result.rate == peer.best);
		assert_true(result.rate <= 2000);
		assert_true(result.rate == 0 || result.bound - result.rate <= 0.02 * result.bound);
	}
}

static void
ends_with_what_it_knows(void **state)
{
	(void)state;
	peer.give_up = 4;
	assert_int_equal(search(100), -EINTR);
	assert_true(result.rate == 400);
	assert_int_equal(result.trials, 4);
}

static void
refuses_nonsense(void **state)
{
	const struct search_conf bad[] = { { 100, 1, 1e6, 1, 0.02 }, { 100, 0, 1e6, 2, 0.02 },
		{ 0, 1, 1e6, 2, 0.02 }, { 100, 1, 50, 2, 0.02 }, { 100, 1, 1e6, 2, 0 },
		{ (double)NAN, 1, 1e6, 2, 0.02 } };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(search_ser(&bad[i], trial, &peer, &result), -EINVAL);
	assert_int_equal(peer.trials, 0);
}

/* ---- drift ---- */

static struct soak soak;
static struct stats stats;

/* A soak of 100 s, sampled each second: the delay, the open calls and the memory grow by `delay`,
 * `open` and `rss` times from the first second to the last. */
static int
soaked(double delay, double open, double rss, int until)
{
	struct nfv_err text = { "" };
	int rc;

	memset(&soak, 0, sizeof(soak));
	memset(&stats, 0, sizeof(stats));
	soak.seconds = 100;
	for (int t = 1; t <= until; t++) {
		double part = t / 100.0;

		for (int i = 0; i < 100; i++)
			hist_add(&stats.latency[LATENCY_SRD],
				(uint64_t)(1e6 * (1 + (delay - 1) * part)));
		stats.open = (uint64_t)(100 * (1 + (open - 1) * part));
		soak_add(&soak, (uint64_t)t * 1000000000u + 1000000u, &stats,
			(uint64_t)(50e6 * (1 + (rss - 1) * part)));
	}
	rc = soak_verdict(&soak, 1.5, &text);
	assert_true(text.text[0] != '\0');
	return rc;
}

static void
tells_drift(void **state)
{
	(void)state;
	assert_int_equal(soaked(1, 1, 1, 100), 0);
	assert_int_equal(soaked(1.2, 1.2, 1.2, 100), 0);
	assert_int_equal(soaked(3, 1, 1, 100), 1);
	assert_int_equal(soaked(1, 3, 1, 100), 1);
	assert_int_equal(soaked(1, 1, 3, 100), 1);
	assert_int_equal(soaked(1, 1, 1, 80), -EAGAIN);
	/* The calls that run out behind it do not count. */
	assert_int_equal(soaked(1, 1, 1, 140), 0);
}

static void
small_numbers_are_no_drift(void **state)
{
	struct nfv_err text;

	(void)state;
	memset(&soak, 0, sizeof(soak));
	memset(&stats, 0, sizeof(stats));
	soak.seconds = 10;
	for (uint64_t t = 1; t <= 10; t++) {
		stats.open = t;
		hist_add(&stats.latency[LATENCY_SRD], 1000 * t);
		soak_add(&soak, t * 1000000000u, &stats, 100000 * t);
	}
	assert_int_equal(soak_verdict(&soak, 1.5, &text), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(finds_a_cliff, fresh),
		cmocka_unit_test_setup(a_peer_that_fails_always_proves_nothing, fresh),
		cmocka_unit_test_setup(ends_at_the_highest_rate_allowed, fresh),
		cmocka_unit_test_setup(the_generators_limit_is_not_the_peers, fresh),
		cmocka_unit_test_setup(below_the_generators_limit_the_peers_is_found, fresh),
		cmocka_unit_test_setup(a_stall_is_forgiven_once, fresh),
		cmocka_unit_test_setup(noise_never_yields_an_unproven_rate, fresh),
		cmocka_unit_test_setup(ends_with_what_it_knows, fresh),
		cmocka_unit_test_setup(refuses_nonsense, fresh),
		cmocka_unit_test(tells_drift),
		cmocka_unit_test(small_numbers_are_no_drift),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
