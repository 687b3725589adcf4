/*
 * What an isolated stage keeps on a disk: a process of its own syncs it, and it is there again however those that
 * work have ended.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "iso_rig.h"

static char path[64], text[128];
static struct iso_rig *r;

static void
begin(uint32_t wrong)
{
	snprintf(path, sizeof(path), "/tmp/nfv-test-upkeep-%d", getpid());
	snprintf(text, sizeof(text), "scribe: {file: %s, wrong: %u}\n", path, wrong);
	unlink(path);
	r = iso_rig(&stage_scribe, "stage");
	r->conf.text = text;
	if (iso_rig_start(r) < 0)
		fail_msg("%s", r->err.text);
	iso_rig_live(r);
}

static void
end(void)
{
	iso_rig_end(r);
	unlink(path);
}

static void
ask(enum ask what, uint16_t n)
{
	iso_rig_send(r, what, n, NFV_OUTWARD);
	iso_rig_settle(r);
}

/* What the stage shows of what it found when it started, and of what is synced. */
static void
look(uint64_t *found, uint64_t *synced)
{
	char buf[256] = "";
	FILE *f = fmemopen(buf, sizeof(buf), "w");

	assert_non_null(f);
	iso_rig_live(r);
	if (nfv_isolated_show(r->iso, f, &r->err) < 0)
		fail_msg("%s", r->err.text);
	fclose(f);
	assert_int_equal(sscanf(buf, "found %lu synced %lu", found, synced), 2);
}

static void
until_synced(uint64_t n)
{
	uint64_t found, synced = 0;

	for (int i = 0; synced != n; i++) {
		if (i == 10000)
			fail_msg("%lu of %lu are synced", synced, n);
		usleep(1000);
		look(&found, &synced);
	}
}

static void
it_is_done_beside_the_work(void **state)
{
	(void)state;
	begin(0);
	ask(ASK_KEEP, 10);
	until_synced(10);
	ask(ASK_KEEP, 7);
	until_synced(17);
	assert_int_equal(r->stats->upkeep_ends + r->stats->filtered, 0);
	end();
}

/* Also for the next instance, with the same state. */
static void
an_instance_that_is_killed(void **state)
{
	uint64_t found, synced;
	int pid;

	(void)state;
	begin(0);
	ask(ASK_KEEP, 10);
	assert_true(nfv_isolated_live(r->iso, &pid));
	kill(pid, SIGKILL);
	iso_rig_until(r, &r->stats->ends[NFV_END_GONE], 1);
	iso_rig_live(r);
	ask(ASK_KEEP, 5);
	until_synced(15);
	look(&found, &synced);
	assert_int_equal(found, 0);
	assert_int_equal(r->stats->templates, 1);
	end();
}

/* How the template had found it is not how it is now: it is read again. */
static void
state_that_is_torn(void **state)
{
	uint64_t found, synced;

	(void)state;
	begin(0);
	ask(ASK_KEEP, 10);
	until_synced(10);
	iso_rig_send(r, ASK_CRASH, 1, NFV_OUTWARD);
	iso_rig_until(r, &r->stats->templates, 2);
	iso_rig_live(r);
	look(&found, &synced);
	assert_int_equal(found, 11);
	assert_int_equal(r->stats->afresh, 1);
	ask(ASK_KEEP, 4);
	until_synced(15);
	end();
}

static int
parent_of(int pid)
{
	char name[64], line[256];
	int parent = 0;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/status", pid);
	f = fopen(name, "re");
	assert_non_null(f);
	while (parent == 0 && fgets(line, sizeof(line), f) != NULL)
		sscanf(line, "PPid: %d", &parent);
	fclose(f);
	return parent;
}

static void
the_whole_family_is_killed(void **state)
{
	uint64_t found, synced;
	int pid;

	(void)state;
	begin(0);
	ask(ASK_KEEP, 10);
	assert_true(nfv_isolated_live(r->iso, &pid));
	kill(-parent_of(pid), SIGKILL);
	iso_rig_until(r, &r->stats->templates, 2);
	iso_rig_live(r);
	look(&found, &synced);
	assert_int_equal(found, 10);
	ask(ASK_KEEP, 4);
	until_synced(14);
	end();
}

/* It is locked in as instances are, and its end is not theirs. */
static void
upkeep_that_goes_wrong(void **state)
{
	(void)state;
	for (uint32_t wrong = 1; wrong <= 2; wrong++) {
		begin(wrong);
		ask(ASK_KEEP, 10);
		until_synced(10);
		ask(ASK_CLOSE, 1);
		iso_rig_until(r, &r->stats->upkeep_ends, 2);
		assert_non_null(
			strstr(nfv_isolated_last(r->iso), "which does its upkeep, is ended"));
		r->kept = 0;
		ask(ASK_KEEP, 10);
		assert_int_equal(r->kept, 10);
		assert_int_equal(r->stats->ends[NFV_END_GONE], 0);
		end();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_done_beside_the_work),
		cmocka_unit_test(an_instance_that_is_killed),
		cmocka_unit_test(state_that_is_torn),
		cmocka_unit_test(the_whole_family_is_killed),
		cmocka_unit_test(upkeep_that_goes_wrong),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
