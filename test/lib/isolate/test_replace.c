/* A stage replaced by other versions of it while packets pass. */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "iso_rig.h"
#include "nfv_tsc.h"
#include "store.h"

void __asan_init(void) __attribute__((weak));

/* As far as the manager knows it. */
static const char *const drops[] = { "asked", NULL };
static struct nfv_stage_ops tally = { .name = "tally", .access = NFV_WRITES, .drops = drops };

static struct store store;
static uint32_t beat_ms = 10000, probation_ms = 300;

static int
open_store(void **state)
{
	static const struct {
		const char *name, *file;
	} objects[] = {
		{ "tally1.so", OBJECT_TALLY_1_0 },
		{ "tally2.so", OBJECT_TALLY_2_0 },
		{ "selftest.so", OBJECT_TALLY_2_1 },
		{ "import.so", OBJECT_TALLY_2_2 },
		{ "frail.so", OBJECT_TALLY_2_3 },
		{ "young.so", OBJECT_TALLY_2_4 },
		{ "slow.so", OBJECT_TALLY_2_5 },
		{ "hoards.so", OBJECT_TALLY_2_6 },
		{ "bad.so", OBJECT_BAD_1 },
		{ "nat.so", OBJECT_NAT },
	};

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (!store_open(&store))
		return 0;
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		store_add(&store, objects[i].file, objects[i].name, true);
	return 0;
}

static int
reset(void **state)
{
	(void)state;
	beat_ms = 10000;
	probation_ms = 300;
	return 0;
}

static int
close_store(void **state)
{
	(void)state;
	store_close(&store);
	return 0;
}

static struct iso_rig *
started(const char *name, uint32_t flows)
{
	static const char *const argv[] = { STAGE_PROGRAM, "--fd", "3", NULL };
	struct nfv_object_file f = store_object(&store, name);
	struct iso_rig *r = iso_rig(&tally, "stage");

	r->conf.argv = argv;
	r->conf.object = &f;
	r->conf.flows = flows > 256 ? 2 * flows : 512;
	r->conf.probation_ms = probation_ms;
	r->conf.beat_ms = beat_ms;
	r->flows = flows;
	iso_rig_up(r);
	nfv_object_close(&f);
	return r;
}

static int
replace(struct iso_rig *r, const char *name)
{
	struct nfv_object_file f = store_object(&store, name);
	const struct nfv_isolated_version v = { .object = &f };
	int rc = nfv_isolated_replace_by(r->iso, &v, &r->err);

	nfv_object_close(&f);
	return rc;
}

/* Everything sent has come back, in order (the rig checks that), and no flow has begun anew. */
static void
nothing_is_lost(struct iso_rig *r)
{
	iso_rig_until(r, &r->kept, r->sent);
	assert_int_equal(r->stats->swept, 0);
	assert_int_equal(r->stats->down, 0);
	assert_int_equal(r->stats->full, 0);
	assert_int_equal(r->kept, r->sent);
	assert_int_equal(r->count, (uint8_t)((r->next_seq - 1) / r->flows + 1));
}

static void
versions_follow_each_other(void **state)
{
	static const char *const next[] = { "tally2.so", "tally2.so", "tally2.so" };
	struct iso_rig *r = started("tally1.so", 100);

	(void)state;
	assert_string_equal(nfv_isolated_version(r->iso), "1.0");
	for (uint64_t n = 0; n < 3; n++) {
		int before, after;

		for (int i = 0; i < 200; i++)
			iso_rig_traffic(r, ASK_KEEP);
		assert_true(nfv_isolated_live(r->iso, &before));
		if (replace(r, next[n]) < 0)
			fail_msg("%s", r->err.text);
		assert_int_equal(replace(r, next[n]), -EAGAIN);
		assert_int_equal(nfv_isolated_replace(r->iso, &r->err), -EAGAIN);
		iso_rig_swapped(r, NFV_SWAP_PROBATION);
		assert_string_equal(nfv_isolated_version(r->iso), "2.0");
		iso_rig_swapped(r, NFV_SWAP_NONE);
		assert_int_equal(r->stats->replaced, n + 1);
		nothing_is_lost(r);
		assert_int_equal(r->first, 2);
		assert_true(nfv_isolated_live(r->iso, &after));
		assert_int_not_equal(before, after);
	}
	assert_int_equal(r->stats->rolled_back, 0);
	assert_int_equal(r->stats->not_replaced, 0);
	assert_int_equal(r->stats->flows_refused, 0);
	assert_in_range(r->stats->ends[NFV_END_REPLACED], 3, 6); /* with their spares */
	if (strcmp(nfv_isolated_last(r->iso), "") != 0)
		fail_msg("%s", nfv_isolated_last(r->iso));
	iso_rig_end(r);
}

/* What stands beside the flows goes over, too. */
static void
it_shows_what_the_old_one_had(void **state)
{
	struct iso_rig *r = started("tally1.so", 10);
	char want[64];

	(void)state;
	for (int i = 0; i < 100; i++)
		iso_rig_traffic(r, ASK_KEEP);
	assert_int_equal(replace(r, "tally2.so"), 0);
	iso_rig_swapped(r, NFV_SWAP_PROBATION);
	iso_rig_until(r, &r->kept, r->sent);
	snprintf(want, sizeof(want), "version 2, flows 10, packets %lu\n", (unsigned long)r->sent);
	iso_rig_shows(r, want);
	iso_rig_end(r);
}

static void
goes_on(struct iso_rig *r, uint64_t not_replaced)
{
	for (int i = 0; i < 100; i++)
		iso_rig_traffic(r, ASK_KEEP);
	nothing_is_lost(r);
	assert_int_equal(r->first, 1);
	assert_int_equal(r->stats->replaced, 0);
	assert_int_equal(r->stats->not_replaced, not_replaced);
	assert_string_equal(nfv_isolated_version(r->iso), "1.0");
}

/* One that cannot even be started. */
static void
what_is_wrong_before_it_begins(void **state)
{
	static const struct {
		const char *name, *why;
	} bad[] = {
		{ "selftest.so", "two and two make five" },
		{ "bad.so", "was built for another version of the programs" },
		{ "nat.so", "it is the stage nat, not tally" },
	};
	static const char *const none[] = { GUEST_PROGRAM, "mute", NULL };
	const struct nfv_isolated_version v = { .argv = none };
	struct iso_rig *r = started("tally1.so", 50);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (int k = 0; k < 100; k++)
			iso_rig_traffic(r, ASK_KEEP);
		assert_true(replace(r, bad[i].name) < 0);
		if (strstr(r->err.text, bad[i].why) == NULL ||
			strstr(r->err.text, "stage tally, isolated: ") == NULL)
			fail_msg("%s", r->err.text);
		assert_int_equal(nfv_isolated_swap(r->iso), NFV_SWAP_NONE);
	}
	assert_int_equal(nfv_isolated_replace_by(r->iso, &v, &r->err), -ECONNRESET);
	goes_on(r, 0);
	iso_rig_end(r);
}

/* One that starts, and does not take over what there is. */
static void
what_does_not_take_over(void **state)
{
	static const struct {
		const char *name, *why;
	} bad[] = {
		{ "import.so", "its process has ended" },
		{ "young.so", "state is of version 1, and the new one reads 2 to 2" },
		{ "slow.so", "its heart has stopped beating" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct iso_rig *r;

		beat_ms = 400; /* sooner than packets have waited too long */
		r = started("tally1.so", 50);
		for (int k = 0; k < 100; k++)
			iso_rig_traffic(r, ASK_KEEP);
		if (replace(r, bad[i].name) < 0)
			assert_int_equal(nfv_isolated_swap(r->iso), NFV_SWAP_NONE);
		iso_rig_swapped(r, NFV_SWAP_NONE);
		if (__asan_init == NULL && strstr(nfv_isolated_last(r->iso), bad[i].why) == NULL)
			fail_msg("%s", nfv_isolated_last(r->iso));
		assert_non_null(strstr(nfv_isolated_last(r->iso),
			"version 2.0 does not take over, and version 1.0 goes on"));
		goes_on(r, 1);
		/* And after that another one may. */
		assert_int_equal(replace(r, "tally2.so"), 0);
		iso_rig_swapped(r, NFV_SWAP_PROBATION);
		iso_rig_swapped(r, NFV_SWAP_NONE);
		nothing_is_lost(r);
		assert_int_equal(r->first, 2);
		iso_rig_end(r);
	}
}

/* It ends within its probation: the old one goes on with the flows as they were. */
static void
rolled_back(const char *name, enum nfv_end why)
{
	struct iso_rig *r;
	int before, after;

	beat_ms = 500;
	probation_ms = 60000;
	r = started("tally1.so", 50);
	for (int k = 0; k < 100; k++)
		iso_rig_traffic(r, ASK_KEEP);
	assert_true(nfv_isolated_live(r->iso, &before));
	assert_int_equal(replace(r, name), 0);
	iso_rig_swapped(r, NFV_SWAP_PROBATION);
	iso_rig_until(r, &r->kept, r->sent);
	assert_string_equal(nfv_isolated_version(r->iso), "2.0");
	iso_rig_send(r, ASK_ANSWER, 1, NFV_OUTWARD);
	iso_rig_until(r, &r->stats->ends[why], 1);
	while (nfv_isolated_swap(r->iso) != NFV_SWAP_NONE)
		iso_rig_traffic(r, ASK_KEEP);
	iso_rig_settle(r);
	assert_int_equal(r->stats->rolled_back, 1);
	assert_non_null(strstr(nfv_isolated_last(r->iso),
		"version 2.0 is rolled back, and version 1.0 goes on with the flows it had"));
	assert_true(nfv_isolated_live(r->iso, &after));
	assert_int_equal(before, after); /* the very same */
	assert_in_range(r->stats->swept, 1, 400);
	iso_rig_send(r, ASK_KEEP, 16, NFV_OUTWARD);
	iso_rig_settle(r);
	assert_int_equal(r->first, 1);
	/* Flows are as they were at the switch, and packets counted since. */
	iso_rig_shows(r, "version 1, flows 50, ");
	assert_int_equal(r->sent, r->kept + r->stats->swept);
	iso_rig_end(r);
}

static void
one_that_crashes_is_rolled_back(void **state)
{
	(void)state;
	rolled_back("frail.so", NFV_END_GONE);
}

static void
one_that_hangs_is_rolled_back(void **state)
{
	(void)state;
	rolled_back("hoards.so", NFV_END_BEAT);
}

static void
after_its_probation_it_is_on_its_own(void **state)
{
	struct iso_rig *r = started("tally1.so", 50);

	(void)state;
	assert_int_equal(replace(r, "frail.so"), 0);
	iso_rig_swapped(r, NFV_SWAP_PROBATION);
	iso_rig_swapped(r, NFV_SWAP_NONE);
	iso_rig_send(r, ASK_ANSWER, 1, NFV_OUTWARD);
	iso_rig_until(r, &r->stats->ends[NFV_END_GONE], 1);
	iso_rig_live(r);
	assert_int_equal(r->stats->rolled_back, 0);
	assert_string_equal(nfv_isolated_version(r->iso), "2.0");
	iso_rig_send(r, ASK_KEEP, 1, NFV_OUTWARD);
	iso_rig_settle(r);
	assert_int_equal(r->first, 2);
	iso_rig_end(r);
}

/* The old one is killed at any moment of it: one of the two goes on, or the spare. */
static void
the_old_one_dies_meanwhile(void **state)
{
	(void)state;
	for (int when = 0; when < 12; when++) {
		struct iso_rig *r = started("tally1.so", 200);
		int pid;

		for (int k = 0; k < 50; k++)
			iso_rig_traffic(r, ASK_KEEP);
		assert_true(nfv_isolated_live(r->iso, &pid));
		assert_int_equal(replace(r, "tally2.so"), 0);
		for (int k = 0; k < when * 3; k++)
			iso_rig_traffic(r, ASK_KEEP);
		kill(pid, SIGKILL);
		iso_rig_until(r, &r->stats->ends[NFV_END_GONE], 1);
		iso_rig_swapped(r, NFV_SWAP_NONE);
		iso_rig_live(r);
		iso_rig_settle(r);
		/* Some may still meet the one that has died. */
		r->kept = 0;
		for (int i = 0; r->kept < 16; i++) {
			assert_true(i < 50000000);
			iso_rig_traffic(r, ASK_KEEP);
		}
		iso_rig_end(r);
	}
}

/* Many flows, of which few change while they go over. */
static void
many_flows_go_over(void **state)
{
	struct iso_rig *r = started("tally1.so", 20000);

	(void)state;
	while (r->next_seq < 40000)
		iso_rig_traffic(r, ASK_KEEP);
	assert_int_equal(replace(r, "tally2.so"), 0);
	iso_rig_swapped(r, NFV_SWAP_PROBATION);
	nothing_is_lost(r);
	assert_int_equal(r->stats->flows_refused, 0);
	print_message("%u flows: packets waited %.3f ms\n", r->flows,
		(double)r->stats->switch_tsc * 1000 / (double)r->conf.ctx->tsc_hz);
	iso_rig_end(r);
}

/* A program that has its stages linked in maps none, and says so. */
static void
a_static_program_maps_nothing(void **state)
{
	struct nfv_object_file f = store_object(&store, "tally1.so");
	struct iso_rig *r = iso_rig(&tally, "stage");

	(void)state;
	r->conf.object = &f;
	assert_true(iso_rig_start(r) < 0);
	assert_non_null(strstr(r->err.text, "maps no objects"));
	nfv_object_close(&f);
	iso_rig_end(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(versions_follow_each_other, reset),
		cmocka_unit_test_setup(it_shows_what_the_old_one_had, reset),
		cmocka_unit_test_setup(what_is_wrong_before_it_begins, reset),
		cmocka_unit_test_setup(what_does_not_take_over, reset),
		cmocka_unit_test_setup(one_that_crashes_is_rolled_back, reset),
		cmocka_unit_test_setup(one_that_hangs_is_rolled_back, reset),
		cmocka_unit_test_setup(after_its_probation_it_is_on_its_own, reset),
		cmocka_unit_test_setup(the_old_one_dies_meanwhile, reset),
		cmocka_unit_test_setup(many_flows_go_over, reset),
		cmocka_unit_test_setup(a_static_program_maps_nothing, reset),
	};

	return cmocka_run_group_tests(tests, open_store, close_store);
}
