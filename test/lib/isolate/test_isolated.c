/* A stage in a process of its own: what goes over, what comes back, what becomes of it when it ends. */
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "iso_rig.h"

static void
packets_go_and_come_back(void **state)
{
	struct iso_rig *r = iso_rig_up(iso_rig(&stage_mirror, "stage"));

	(void)state;
	for (int i = 0; i < 200; i++) {
		iso_rig_send(r, ASK_KEEP, 32, i % 3 == 0 ? NFV_INWARD : NFV_OUTWARD);
		iso_rig_settle(r);
	}
	assert_int_equal(r->kept, 6400);
	assert_int_equal(r->stats->handed, 6400);
	assert_string_equal(nfv_isolated_last(r->iso), "");
	iso_rig_end(r);
}

/* A stage that only reads answers, too. */
static void
verdicts_and_answers_come_back(void **state)
{
	struct iso_rig *r = iso_rig_up(iso_rig(*state, "stage"));

	for (int i = 0; i < 50; i++) {
		iso_rig_send(r, ASK_DROP, 10, NFV_OUTWARD);
		iso_rig_send(r, ASK_ANSWER, 20, NFV_INWARD);
		iso_rig_send(r, ASK_KEEP, 5, NFV_INWARD);
		iso_rig_settle(r);
	}
	iso_rig_until(r, &r->origins, 1000);
	assert_int_equal(r->dropped, 500);
	assert_int_equal(r->consumed, 1000);
	assert_int_equal(r->kept, 250);
	assert_int_equal(r->origins, 1000);
	iso_rig_end(r);
}

/* They do not hold up what comes behind them. */
static void
answers_without_a_buffer_are_counted(void **state)
{
	struct iso_rig *r = iso_rig_up(iso_rig(&stage_look, "stage"));
	static struct nfv_pkt all[RIG_BUFFERS];
	uint32_t n;

	(void)state;
	iso_rig_send(r, ASK_ANSWER, 20, NFV_INWARD);
	iso_rig_send(r, ASK_KEEP, 5, NFV_INWARD);
	n = r->conf.pool.take(r, all, r->n_free);
	iso_rig_until(r, &r->kept, 5);
	assert_int_equal(r->stats->no_buffer, 20);
	assert_int_equal(r->origins, 0);
	for (uint32_t i = 0; i < n; i++)
		r->conf.pool.give(r, &all[i].buf, 1);
	iso_rig_send(r, ASK_ANSWER, 20, NFV_INWARD);
	iso_rig_until(r, &r->origins, 20);
	iso_rig_settle(r);
	iso_rig_end(r);
}

/* Slots are the flow's, in the process of the stage. */
static void
flows_are_kept_over_there(void **state)
{
	struct iso_rig *r = iso_rig_up(iso_rig(&stage_mirror, "stage"));

	(void)state;
	for (int i = 1; i <= 20; i++) {
		iso_rig_send(r, ASK_KEEP, 1, NFV_OUTWARD);
		iso_rig_settle(r);
		assert_int_equal(r->count, i);
	}
	/* A flow whose only packet is dropped has never been. */
	iso_rig_end(r);
}

static void
a_packet_that_is_none_any_more_is_dropped(void **state)
{
	struct iso_rig *r = iso_rig_up(iso_rig(&stage_mirror, "stage"));

	(void)state;
	iso_rig_send(r, ASK_SPOIL, 7, NFV_OUTWARD);
	iso_rig_send(r, ASK_KEEP, 1, NFV_OUTWARD);
	iso_rig_settle(r);
	assert_int_equal(r->stats->unreadable, 7);
	assert_int_equal(r->kept, 1);
	iso_rig_end(r);
}

static void
it_shows_what_it_has(void **state)
{
	struct iso_rig *r = iso_rig(&stage_look, "stage");

	(void)state;
	r->conf.text = "other: {a: 1}\nlook: {limit: 42}\n";
	iso_rig_up(r);
	iso_rig_send(r, ASK_KEEP, 3, NFV_OUTWARD);
	iso_rig_settle(r);
	iso_rig_shows(r, "limit 42, packets 3\n");
	iso_rig_end(r);
}

static void
what_is_wrong_with_its_configuration_is_told(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "look: {limit: 1000}\n", "a.yaml:1:15: " },
		{ "look: {limit: 99}\n", "99 is not to my liking" },
		{ "look: [\n", "a.yaml:" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct iso_rig *r = iso_rig(&stage_look, "stage");

		r->conf.text = bad[i].text;
		r->conf.file = "a.yaml";
		assert_int_equal(iso_rig_start(r), -EINVAL);
		if (strstr(r->err.text, bad[i].why) == NULL)
			fail_msg("%s", r->err.text);
		assert_non_null(strstr(r->err.text, "stage look, isolated: "));
		iso_rig_end(r);
	}
}

static void
what_cannot_be_started_is_told(void **state)
{
	static const char *const nowhere[] = { "/nowhere/nfv-stage", NULL };
	static const char *const nothing[] = { "/bin/true", NULL };
	struct nfv_stage_ops unknown = stage_look;
	struct iso_rig *r = iso_rig(&stage_look, "stage");

	(void)state;
	r->conf.argv = nowhere;
	assert_int_equal(iso_rig_start(r), -ENOENT);
	assert_non_null(strstr(r->err.text, "/nowhere/nfv-stage cannot be started"));
	r->conf.argv = nothing;
	assert_int_equal(iso_rig_start(r), -ECONNRESET);
	assert_non_null(strstr(r->err.text, "has ended before it was ready"));
	r->conf.argv = NULL;
	assert_int_equal(iso_rig_start(r), -EINVAL);
	r->conf.ring = 100;
	assert_int_equal(iso_rig_start(r), -EINVAL);
	iso_rig_end(r);

	unknown.name = "unknown";
	r = iso_rig(&unknown, "stage");
	assert_int_equal(iso_rig_start(r), -EINVAL);
	assert_non_null(strstr(r->err.text, "stage unknown is not in this program"));
	iso_rig_end(r);
}

/* Killed at any moment: nothing is lost but what it had, and the next one goes on. */
static void
a_killed_one_is_followed_by_its_spare(void **state)
{
	struct iso_rig *r = iso_rig_up(iso_rig(&stage_mirror, "stage"));

	(void)state;
	for (uint64_t kill_n = 1; kill_n <= 10; kill_n++) {
		int pid;

		iso_rig_live(r);
		iso_rig_spare(r);
		for (int i = 0; i < 20; i++)
			iso_rig_send(r, ASK_KEEP, 16, NFV_OUTWARD);
		assert_true(nfv_isolated_live(r->iso, &pid));
		assert_int_equal(kill(pid, SIGKILL), 0);
		iso_rig_until(r, &r->stats->ends[NFV_END_GONE], kill_n);
		iso_rig_settle(r);
	}
	assert_int_equal(r->stats->handed, r->stats->returned + r->stats->swept);
	assert_int_equal(r->sent, r->stats->handed + r->stats->down + r->stats->full);
	assert_non_null(strstr(nfv_isolated_last(r->iso), "its process has ended"));
	iso_rig_live(r);
	r->kept = 0;
	iso_rig_send(r, ASK_KEEP, 32, NFV_OUTWARD);
	iso_rig_settle(r);
	assert_int_equal(r->kept, 32);
	iso_rig_end(r);
}

/* Without any instance: dropped, passed on, or held back, as it is configured. */
static void
packets_without_a_stage_go_as_configured(void **state)
{
	(void)state;
	for (int how = NFV_FAIL_DROP; how <= NFV_FAIL_HOLD; how++) {
		struct iso_rig *r = iso_rig(&stage_look, "stage");
		int pid;

		r->conf.on_failure = (enum nfv_on_failure)how;
		r->conf.restarts = how == NFV_FAIL_HOLD ? 0 : 1;
		iso_rig_up(r);
		if (how != NFV_FAIL_HOLD) {
			/* The spare too, and then it is given up. */
			iso_rig_spare(r);
			for (uint64_t k = 1; k <= 2; k++) {
				assert_true(nfv_isolated_live(r->iso, &pid));
				kill(pid, SIGKILL);
				iso_rig_until(r, &r->stats->ends[NFV_END_GONE], k);
				iso_rig_collect(r);
				assert_int_equal(nfv_isolated_live(r->iso, NULL), k == 1);
			}
			assert_non_null(strstr(nfv_isolated_last(r->iso), "its process has ended"));
		} else {
			assert_true(nfv_isolated_live(r->iso, &pid));
			iso_rig_spare(r);
			kill(pid, SIGKILL);
			while (r->stats->ends[NFV_END_GONE] == 0)
				nfv_isolated_control(r->iso, 1);
			/* Here the spare has taken over already: it is as if nothing had been. */
		}
		iso_rig_collect(r);
		iso_rig_send(r, ASK_KEEP, 10, NFV_OUTWARD);
		if (how == NFV_FAIL_DROP)
			assert_int_equal(r->stats->down, 10);
		else if (how == NFV_FAIL_BYPASS)
			assert_int_equal(r->bypassed, 10);
		else
			iso_rig_until(r, &r->kept, 10);
		iso_rig_end(r);
	}
}

static void
one_that_is_replaced_loses_nothing(void **state)
{
	struct iso_rig *r = iso_rig_up(iso_rig(&stage_mirror, "stage"));

	(void)state;
	for (uint64_t n = 1; n <= 5; n++) {
		int before, after;

		iso_rig_spare(r);
		assert_true(nfv_isolated_live(r->iso, &before));
		iso_rig_send(r, ASK_KEEP, 32, NFV_OUTWARD);
		assert_int_equal(nfv_isolated_replace(r->iso, &r->err), 0);
		assert_int_equal(nfv_isolated_replace(r->iso, &r->err), -EAGAIN);
		for (int i = 0; i < 5; i++)
			iso_rig_send(r, ASK_KEEP, 32, NFV_OUTWARD);
		iso_rig_until(r, &r->stats->ends[NFV_END_REPLACED], n);
		iso_rig_until(r, &r->kept, n * 192);
		iso_rig_settle(r);
		assert_true(nfv_isolated_live(r->iso, &after));
		assert_int_not_equal(before, after);
	}
	assert_int_equal(r->kept, r->sent);
	assert_int_equal(r->stats->swept, 0);
	assert_string_equal(nfv_isolated_last(r->iso), "");
	iso_rig_end(r);
}

/* More than the ring has places for is dropped; nothing waits. */
static void
a_stage_that_does_not_keep_up_gets_no_more(void **state)
{
	struct iso_rig *r = iso_rig_up(iso_rig(&stage_look, "stage"));
	int pid;

	(void)state;
	assert_true(nfv_isolated_live(r->iso, &pid));
	kill(pid, SIGSTOP);
	for (int i = 0; i < 20; i++)
		iso_rig_send(r, ASK_KEEP, 32, NFV_OUTWARD);
	assert_in_range(r->stats->handed, 256, 256 + 32);
	assert_int_equal(r->stats->full, 640 - r->stats->handed);
	kill(pid, SIGCONT);
	iso_rig_settle(r);
	assert_int_equal(r->kept, r->stats->handed);
	iso_rig_end(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_go_and_come_back),
		cmocka_unit_test_prestate(verdicts_and_answers_come_back, &stage_mirror),
		cmocka_unit_test_prestate(verdicts_and_answers_come_back, &stage_look),
		cmocka_unit_test(answers_without_a_buffer_are_counted),
		cmocka_unit_test(flows_are_kept_over_there),
		cmocka_unit_test(a_packet_that_is_none_any_more_is_dropped),
		cmocka_unit_test(it_shows_what_it_has),
		cmocka_unit_test(what_is_wrong_with_its_configuration_is_told),
		cmocka_unit_test(what_cannot_be_started_is_told),
		cmocka_unit_test(a_killed_one_is_followed_by_its_spare),
		cmocka_unit_test(packets_without_a_stage_go_as_configured),
		cmocka_unit_test(one_that_is_replaced_loses_nothing),
		cmocka_unit_test(a_stage_that_does_not_keep_up_gets_no_more),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
