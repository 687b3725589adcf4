/* What of a stage's state survives the process it was in, and what the next one does where nothing can. */
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "iso_rig.h"
#include "nfv_tsc.h"
#include "sessions.h"

static struct iso_rig *
started(const struct nfv_stage_ops *ops, const char *text)
{
	struct iso_rig *r = iso_rig(ops, "stage");

	r->conf.text = text;
	return iso_rig_up(r);
}

/* One packet of the one flow there is; which one of it that was, as its stage has counted. */
static uint8_t
count_one(struct iso_rig *r)
{
	uint64_t kept = r->kept;

	iso_rig_send(r, ASK_KEEP, 1, NFV_OUTWARD);
	iso_rig_until(r, &r->kept, kept + 1);
	return r->count;
}

static void
end_live(struct iso_rig *r, enum ask ask)
{
	uint64_t n = r->stats->ends[NFV_END_GONE];
	int pid;

	iso_rig_live(r);
	iso_rig_spare(r);
	if (ask == ASK_KEEP) {
		assert_true(nfv_isolated_live(r->iso, &pid));
		kill(pid, SIGKILL);
	} else {
		iso_rig_send(r, ask, 1, NFV_OUTWARD);
	}
	iso_rig_until(r, &r->stats->ends[NFV_END_GONE], n + 1);
	iso_rig_settle(r);
	iso_rig_live(r);
}

static void
one_that_is_replaced_hands_over_all_it_knows(void **state)
{
	struct iso_rig *r = started(&stage_mirror, NULL);

	(void)state;
	for (uint8_t i = 1; i <= 10; i++) {
		assert_int_equal(count_one(r), i);
		iso_rig_spare(r);
		assert_int_equal(nfv_isolated_replace(r->iso, &r->err), 0);
		iso_rig_until(r, &r->stats->ends[NFV_END_REPLACED], i);
	}
	assert_int_equal(r->stats->mended + r->stats->afresh, 0);
	assert_int_equal(r->stats->ends[NFV_END_DRAIN], 0); /* each has stepped back by itself */
	iso_rig_end(r);
}

/* Whether or not the stage could mend: nothing is torn. */
static void
one_that_dies_between_two_bursts_leaves_it_whole(void **state)
{
	struct iso_rig *r = started(&stage_look, NULL);

	(void)state;
	for (int i = 0; i < 5; i++) {
		iso_rig_send(r, ASK_KEEP, 3, NFV_OUTWARD);
		iso_rig_settle(r);
		end_live(r, ASK_KEEP);
	}
	iso_rig_shows(r, "limit 7, packets 15\n");
	assert_int_equal(r->stats->mended + r->stats->afresh, 0);
	iso_rig_end(r);
}

static void
one_that_dies_in_the_middle_is_mended(void **state)
{
	struct iso_rig *r = started(&stage_mirror, NULL);

	(void)state;
	assert_int_equal(count_one(r), 1);
	assert_int_equal(count_one(r), 2);
	end_live(r, ASK_CRASH); /* it has counted that one */
	assert_int_equal(count_one(r), 4);
	iso_rig_until(r, &r->stats->mended, 1);
	assert_int_equal(r->stats->afresh, 0);
	assert_int_equal(r->stats->mend_dropped, 0);
	assert_true(r->stats->mend_ns > 0);
	iso_rig_end(r);
}

static void
one_that_cannot_mend_begins_afresh(void **state)
{
	struct iso_rig *r = started(&stage_look, NULL);

	(void)state;
	iso_rig_send(r, ASK_KEEP, 3, NFV_OUTWARD);
	iso_rig_settle(r);
	end_live(r, ASK_EXIT);
	iso_rig_until(r, &r->stats->afresh, 1);
	assert_non_null(strstr(nfv_isolated_last(r->iso), "begins afresh"));
	iso_rig_send(r, ASK_KEEP, 2, NFV_OUTWARD);
	iso_rig_settle(r);
	iso_rig_shows(r, "limit 7, packets 2\n");
	assert_int_equal(r->stats->mended, 0);
	iso_rig_end(r);
}

/* It says that it cannot; or dies over it. */
static void
one_that_fails_to_mend_begins_afresh(void **state)
{
	static const char *const how[] = { "mirror: {limit: 98}\n", "mirror: {limit: 97}\n" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct iso_rig *r = started(&stage_mirror, how[i]);

		assert_int_equal(count_one(r), 1);
		end_live(r, ASK_CRASH);
		iso_rig_until(r, &r->stats->afresh, 1);
		iso_rig_live(r);
		assert_int_equal(count_one(r), 1);
		assert_int_equal(r->stats->mended, 0);
		assert_int_equal(r->stats->afresh, 1);
		iso_rig_end(r);
	}
}

/* The state may be what they die of. */
static void
those_that_end_again_and_again_begin_afresh(void **state)
{
	struct iso_rig *r = started(&stage_mirror, NULL);

	(void)state;
	for (uint64_t i = 1; i < 20 && r->stats->afresh == 0; i++) {
		end_live(r, ASK_CRASH);
		while (r->stats->mended + r->stats->afresh < i)
			nfv_isolated_control(r->iso, 1);
	}
	assert_int_equal(r->stats->afresh, 1);
	assert_true(r->stats->mended >= 2);
	if (strstr(nfv_isolated_last(r->iso), "having ended, too") == NULL)
		fail_msg("%s", nfv_isolated_last(r->iso));
	assert_int_equal(count_one(r), 1);
	iso_rig_end(r);
}

static int
parent_of(int pid)
{
	char path[64], line[256];
	int parent = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "PPid:", 5) == 0)
			parent = (int)strtol(line + 5, NULL, 10);
	if (f != NULL)
		fclose(f);
	return parent;
}

static void
what_is_lost_with_its_template_is_lost(void **state)
{
	struct iso_rig *r = started(&stage_mirror, NULL);
	int before, pid, now;

	(void)state;
	assert_int_equal(count_one(r), 1);
	assert_true(nfv_isolated_live(r->iso, &before));
	pid = parent_of(before);
	assert_true(pid > 1 && pid != getpid());
	kill(pid, SIGKILL);
	iso_rig_until(r, &r->stats->templates, 2);
	assert_int_equal(r->stats->afresh, 1);
	for (now = before; now == before;) {
		iso_rig_collect(r);
		nfv_isolated_control(r->iso, 1);
		nfv_isolated_live(r->iso, &now);
	}
	/* Of all that ends then it is the cause that is told. */
	if (strstr(nfv_isolated_last(r->iso), "its template (process ") == NULL)
		fail_msg("%s", nfv_isolated_last(r->iso));
	assert_int_equal(count_one(r), 1);
	iso_rig_end(r);
}

/* --- sessions of a NAT --------------------------------------------------------------------------- */

static struct sessions sessions;

static void
collect(struct iso_rig *r)
{
	if (sessions_collect(&sessions, r->iso, &r->conf.pool) == 0)
		nfv_isolated_control(r->iso, 0);
}

static void
send(struct iso_rig *r, uint32_t first, enum nfv_dir dir)
{
	sessions_send(&sessions, r->iso, &r->conf.pool, first, dir);
}

static void
drain(struct iso_rig *r)
{
	struct nfv_away away = nfv_isolated_away(r->iso);

	while (away.ops->waiting(away.arg) > 0)
		collect(r);
}

static uint32_t
ask_all(struct iso_rig *r)
{
	sessions_ask(&sessions);
	for (uint32_t i = 0; i < sessions.n; i += NFV_BURST_MAX) {
		send(r, i, NFV_OUTWARD);
		drain(r);
		send(r, i, NFV_INWARD);
		drain(r);
	}
	return sessions_kept(&sessions);
}

static void
sessions_survive_kills_at_any_moment(void **state)
{
	enum { SESSIONS = 128, KILLS = 150, MANY = 20000 };
	struct iso_rig *r = iso_rig(nfv_stage_find("nat"), "stage");
	uint32_t other = SESSIONS;

	(void)state;
	srand(7);
	sessions = (struct sessions){ .n = SESSIONS };
	r->conf.text = sessions_conf;
	r->conf.idle_us = 0;
	r->conf.flows = 1024;
	r->ctx.own[NFV_OUTWARD] = sessions_own;
	r->ctx.n_own[NFV_OUTWARD] = 1;
	iso_rig_up(r);
	assert_int_equal(ask_all(r), SESSIONS);
	/* And at least once in the middle of something. */
	for (uint64_t kills = 1; kills <= (r->stats->mended > 0 ? KILLS : MANY); kills++) {
		uint64_t until;
		int pid;

		for (int i = rand() % 20; i >= 0 || !nfv_isolated_spare(r->iso); i--) {
			send(r, (uint32_t)rand() % SESSIONS, rand() % 2 ? NFV_OUTWARD : NFV_INWARD);
			send(r, other, NFV_OUTWARD);
			other += NFV_BURST_MAX;
			collect(r);
		}
		/* It has something to do, and is somewhere in it. */
		until = nfv_tsc() + (uint64_t)rand() % 50000;
		for (int i = 0; i < 4; i++, other += NFV_BURST_MAX)
			send(r, other, NFV_OUTWARD);
		while (nfv_tsc() < until)
			;
		assert_true(nfv_isolated_live(r->iso, &pid));
		kill(pid, SIGKILL);
		while (r->stats->ends[NFV_END_GONE] < kills || !nfv_isolated_live(r->iso, NULL))
			collect(r);
	}
	drain(r);
	assert_int_equal(ask_all(r), SESSIONS);
	assert_int_equal(sessions.wrong, 0);
	assert_int_equal(r->stats->afresh, 0);
	assert_true(r->stats->mended > 0);
	iso_rig_end(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_is_replaced_hands_over_all_it_knows),
		cmocka_unit_test(one_that_dies_between_two_bursts_leaves_it_whole),
		cmocka_unit_test(one_that_dies_in_the_middle_is_mended),
		cmocka_unit_test(one_that_cannot_mend_begins_afresh),
		cmocka_unit_test(one_that_fails_to_mend_begins_afresh),
		cmocka_unit_test(those_that_end_again_and_again_begin_afresh),
		cmocka_unit_test(what_is_lost_with_its_template_is_lost),
		cmocka_unit_test(sessions_survive_kills_at_any_moment),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
