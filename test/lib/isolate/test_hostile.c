/*
 * Stages and programs that mean harm. Whatever they do, the manager goes on, every buffer comes back
 * to the pool, nothing wrong is delivered, and it is counted and told what they did.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "iso_rig.h"

void __asan_init(void) __attribute__((weak));

/* --- in the jail: a stage's code goes astray ----------------------------------------------------- */

static void
in_jail(enum ask ask, enum nfv_end end, bool filtered, const char *why)
{
	struct iso_rig *r = iso_rig(&stage_look, "stage");

	r->conf.beat_ms = 200;
	r->conf.progress_ms = 5000;
	assert_int_equal(iso_rig_start(r), 0);
	for (uint64_t n = 1; n <= 2; n++) {
		iso_rig_live(r);
		iso_rig_send(r, ASK_KEEP, 10, NFV_OUTWARD);
		iso_rig_settle(r);
		iso_rig_send(r, ask, 1, NFV_OUTWARD);
		iso_rig_send(r, ASK_KEEP, 10, NFV_OUTWARD);
		iso_rig_until(r, &r->stats->ends[end], n);
		iso_rig_settle(r);
		if (filtered)
			iso_rig_until(r, &r->stats->filtered, n);
		/* A sanitizer's last words are system calls. */
		if (__asan_init == NULL)
			assert_non_null(strstr(nfv_isolated_last(r->iso), why));
	}
	/* Until there is one again that works. */
	iso_rig_live(r);
	r->kept = 0;
	iso_rig_send(r, ASK_KEEP, 10, NFV_OUTWARD);
	iso_rig_settle(r);
	assert_int_equal(r->kept, 10);
	if (__asan_init == NULL)
		assert_int_equal(r->stats->filtered, filtered ? 2 : 0);
	iso_rig_end(r);
}

#define IN_JAIL(name, ask, end, filtered, why)                                                     \
	static void name(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		in_jail(ask, end, filtered, why);                                                  \
	}

#define FILTERED "it was ended by the filter of system calls"
IN_JAIL(one_that_spins, ASK_SPIN, NFV_END_BEAT, false, "its heart has stopped beating")
IN_JAIL(one_that_sleeps, ASK_SLEEP, NFV_END_BEAT, false, "its heart has stopped beating")
IN_JAIL(one_that_crashes, ASK_CRASH, NFV_END_GONE, false, "its process has ended")
IN_JAIL(one_that_leaves, ASK_EXIT, NFV_END_GONE, false, "its process has ended")
IN_JAIL(one_that_writes_what_it_may_only_read, ASK_WRITE, NFV_END_GONE, false,
	"its process has ended")
IN_JAIL(one_that_forks, ASK_FORK, NFV_END_GONE, true, FILTERED)
IN_JAIL(one_that_allocates, ASK_ALLOCATE, NFV_END_GONE, true, FILTERED)
IN_JAIL(one_whose_heap_grows, ASK_HEAP, NFV_END_GONE, true, FILTERED)
IN_JAIL(one_that_opens_files, ASK_OPEN, NFV_END_GONE, true, FILTERED)
IN_JAIL(one_that_opens_sockets, ASK_CONNECT, NFV_END_GONE, true, FILTERED)
IN_JAIL(one_that_runs_programs, ASK_EXEC, NFV_END_GONE, true, FILTERED)
IN_JAIL(one_that_wants_to_be_root, ASK_GAIN, NFV_END_GONE, true, FILTERED)
IN_JAIL(one_that_kills_others, ASK_KILL, NFV_END_GONE, true, FILTERED)
IN_JAIL(one_that_cuts_files, ASK_CUT, NFV_END_GONE, true, FILTERED)
IN_JAIL(one_that_punches_holes, ASK_PUNCH, NFV_END_GONE, true, FILTERED)
IN_JAIL(one_that_unlocks_what_it_may_only_read, ASK_UNLOCK, NFV_END_GONE, true, FILTERED)

/* --- without one: programs that only look like a stage ------------------------------------------- */

/* Until it has ended for this reason `times` times; packets are sent all the while. */
static void
outside(const struct nfv_stage_ops *ops, const char *mode, enum nfv_end end, const char *why)
{
	struct iso_rig *r = iso_rig(ops, mode);

	r->conf.beat_ms = 500;
	r->conf.progress_ms = 1000; /* the beat is missed first */
	r->conf.memory = strcmp(mode, "allocate") == 0 ? 64u << 20 : 0;
	if (iso_rig_start(r) < 0)
		fail_msg("%s", r->err.text);
	for (int i = 0; r->stats->ends[end] < 3; i++) {
		iso_rig_send(r, ASK_KEEP, 8, i % 2 == 0 ? NFV_OUTWARD : NFV_INWARD);
		iso_rig_collect(r);
		nfv_isolated_control(r->iso, 1);
		if (i == 100000)
			fail_msg("%s: %s", mode, nfv_isolated_last(r->iso));
	}
	if (strstr(nfv_isolated_last(r->iso), why) == NULL)
		fail_msg("%s: %s", mode, nfv_isolated_last(r->iso));
	iso_rig_end(r);
}

static void
wild_descriptors_end_it(void **state)
{
	static const struct {
		const char *mode;
		enum nfv_end end;
	} wild[] = {
		{ "wild-origin", NFV_END_INDEX },
		{ "other-origin", NFV_END_INDEX },
		{ "false-origin", NFV_END_INDEX },
		{ "wild-offset", NFV_END_BOUNDS },
		{ "wild-length", NFV_END_BOUNDS },
		{ "no-length", NFV_END_BOUNDS },
		{ "wild-verdict", NFV_END_VERDICT },
		{ "wild-kind", NFV_END_VERDICT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++)
		outside(&stage_mirror, wild[i].mode, wild[i].end, "it has returned a ");
	outside(&stage_look, "moved", NFV_END_BOUNDS, "it has returned a packet that does not lie");
}

/* What a stage that only reads has written of its own lies beside the rings; or so it says. */
static void
wild_origins_end_it(void **state)
{
	static const struct {
		const char *mode;
		enum nfv_end end;
	} wild[] = {
		{ "long-origin", NFV_END_BOUNDS },
		{ "short-origin", NFV_END_BOUNDS },
		{ "moved-origin", NFV_END_BOUNDS },
		{ "other-origin", NFV_END_INDEX },
		{ "false-origin", NFV_END_INDEX },
		{ "wild-direction", NFV_END_VERDICT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++)
		outside(&stage_look, wild[i].mode, wild[i].end, "it has returned a ");
}

static void
one_that_scribbles_over_its_rings(void **state)
{
	(void)state;
	outside(&stage_mirror, "scribble", NFV_END_RING, "a count of descriptors that cannot be");
	outside(&stage_look, "scribble", NFV_END_RING, "a count of descriptors that cannot be");
	outside(&stage_mirror, "twice", NFV_END_RING, "a count of descriptors that cannot be");
}

static void
one_that_gives_nothing_back(void **state)
{
	(void)state;
	outside(&stage_look, "hoard", NFV_END_PROGRESS, "it gives back none of the packets");
	outside(&stage_look, "dead", NFV_END_BEAT, "its heart has stopped beating");
}

static void
one_that_says_what_it_must_not(void **state)
{
	(void)state;
	outside(&stage_mirror, "garbage", NFV_END_MESSAGE, "it has said what it must not");
}

/* Its processes are more than are known; they end with the stage. */
static void
one_that_forks_outside(void **state)
{
	(void)state;
	outside(&stage_mirror, "fork", NFV_END_GONE, "its process has ended");
}

static void
one_that_takes_all_memory(void **state)
{
	(void)state;
	/* A sanitizer reserves more than the limit before it begins. */
	if (__asan_init == NULL)
		outside(&stage_mirror, "allocate", NFV_END_GONE, "its process has ended");
}

/* Cutting is refused by the kernel; holes read as zeros, which is its own loss. */
static void
one_that_cuts_its_files(void **state)
{
	struct iso_rig *r = iso_rig(&stage_mirror, "cut");

	(void)state;
	iso_rig_up(r);
	for (int i = 0; i < 300; i++) {
		iso_rig_send(r, ASK_KEEP, 8, NFV_OUTWARD);
		iso_rig_collect(r);
		nfv_isolated_control(r->iso, 1);
	}
	iso_rig_end(r);
}

/* Whatever stands in shared memory at whatever moment. */
static void
noise_is_survived(void **state)
{
	struct iso_rig *r = iso_rig(&stage_mirror, "noise");
	uint64_t ends = 0;

	(void)state;
	r->conf.beat_ms = 50;
	assert_int_equal(iso_rig_start(r), 0);
	for (int i = 0; ends < 10; i++) {
		iso_rig_send(r, ASK_KEEP, 8, NFV_OUTWARD);
		iso_rig_collect(r);
		nfv_isolated_control(r->iso, 1);
		ends = 0;
		for (int e = 0; e < NFV_ENDS; e++)
			ends += r->stats->ends[e];
		assert_true(i < 100000);
	}
	iso_rig_end(r);
}

static void
one_that_dies_at_random(void **state)
{
	struct iso_rig *r = iso_rig(&stage_look, "random");

	(void)state;
	assert_int_equal(iso_rig_start(r), 0);
	for (int i = 0; r->stats->ends[NFV_END_GONE] < 20; i++) {
		iso_rig_send(r, ASK_KEEP, 8, NFV_OUTWARD);
		iso_rig_collect(r);
		nfv_isolated_control(r->iso, 0);
		assert_true(i < 50000000);
	}
	iso_rig_settle(r);
	assert_true(r->kept > 0);
	iso_rig_end(r);
}

/* --- templates ----------------------------------------------------------------------------------- */

static void
templates_are_not_believed(void **state)
{
	static const struct {
		const char *mode, *why;
	} bad[] = {
		{ "mute", "its process has ended before it was ready" },
		{ "babble", "a message is refused: it is shorter than its head" },
		{ "liar", "its process has another stage than the manager" },
		{ "stranger", "it has named a process that is not its child" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct iso_rig *r = iso_rig(&stage_look, bad[i].mode);

		assert_true(iso_rig_start(r) < 0);
		if (strstr(r->err.text, bad[i].why) == NULL)
			fail_msg("%s: %s", bad[i].mode, r->err.text);
		iso_rig_end(r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_spins),
		cmocka_unit_test(one_that_sleeps),
		cmocka_unit_test(one_that_crashes),
		cmocka_unit_test(one_that_leaves),
		cmocka_unit_test(one_that_writes_what_it_may_only_read),
		cmocka_unit_test(one_that_forks),
		cmocka_unit_test(one_that_allocates),
		cmocka_unit_test(one_whose_heap_grows),
		cmocka_unit_test(one_that_opens_files),
		cmocka_unit_test(one_that_opens_sockets),
		cmocka_unit_test(one_that_runs_programs),
		cmocka_unit_test(one_that_wants_to_be_root),
		cmocka_unit_test(one_that_kills_others),
		cmocka_unit_test(one_that_cuts_files),
		cmocka_unit_test(one_that_punches_holes),
		cmocka_unit_test(one_that_unlocks_what_it_may_only_read),
		cmocka_unit_test(wild_descriptors_end_it),
		cmocka_unit_test(wild_origins_end_it),
		cmocka_unit_test(one_that_scribbles_over_its_rings),
		cmocka_unit_test(one_that_gives_nothing_back),
		cmocka_unit_test(one_that_says_what_it_must_not),
		cmocka_unit_test(one_that_forks_outside),
		cmocka_unit_test(one_that_takes_all_memory),
		cmocka_unit_test(one_that_cuts_its_files),
		cmocka_unit_test(noise_is_survived),
		cmocka_unit_test(one_that_dies_at_random),
		cmocka_unit_test(templates_are_not_believed),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
