/* All processes of a stage: they end with their manager, whatever they do; stopped, they go on; none is left. */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "iso_rig.h"

#define PATIENCE_S 60

void __asan_init(void) __attribute__((weak));

static void
until_none(int group)
{
	time_t t0 = time(NULL);

	while (iso_family(group) > 0) {
		if (time(NULL) - t0 > PATIENCE_S) {
			kill(-group, SIGKILL);
			fail_msg("processes are left");
		}
		usleep(10000);
	}
}

/* --- the manager is killed ------------------------------------------------------------------------ */

/* In a process of its own: which group its stage's are, as soon as it has asked for that. */
static _Noreturn void
manage(enum ask ask, volatile int *group)
{
	struct iso_rig *r = iso_rig(&stage_mirror, "stage");

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	iso_rig_up(r);
	iso_rig_spare(r);
	iso_rig_send(r, ask, 8, NFV_OUTWARD);
	if (ask == ASK_KEEP)
		iso_rig_settle(r);
	else
		usleep(50000);
	*group = getpgid(iso_rig_pid(r));
	for (;;)
		pause();
}

static void
with_the_manager_all_end(void **state)
{
	static const enum ask does[] = { ASK_KEEP, ASK_SPIN, ASK_SLEEP };
	volatile int *group = mmap(
		NULL, sizeof(*group), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(group != MAP_FAILED);
	for (size_t i = 0; i < sizeof(does) / sizeof(does[0]); i++) {
		time_t t0 = time(NULL);
		pid_t pid;

		*group = 0;
		pid = fork();
		if (pid == 0)
			manage(does[i], group);
		while (*group == 0 && time(NULL) - t0 < PATIENCE_S)
			usleep(1000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		assert_true(*group > 0 && *group != getpgid(0));
		until_none(*group);
	}
	munmap((void *)(uintptr_t)group, sizeof(*group));
}

/* --- all are stopped, as by `docker pause` --------------------------------------------------------- */

static void
one_that_is_stopped_goes_on(void **state)
{
	struct iso_rig *r = iso_rig(&stage_mirror, "stage");
	int group;

	(void)state;
	r->conf.on_failure = NFV_FAIL_HOLD;
	r->conf.beat_ms = 300;
	iso_rig_up(r);
	iso_rig_spare(r);
	iso_rig_send(r, ASK_KEEP, 10, NFV_OUTWARD);
	iso_rig_settle(r);
	group = getpgid(iso_rig_pid(r));
	assert_int_equal(iso_family(group), 3);
	/* For less than a missed heartbeat nobody notices, but that packets wait. */
	kill(-group, SIGSTOP);
	iso_rig_send(r, ASK_KEEP, 10, NFV_OUTWARD);
	iso_rig_collect(r);
	assert_int_equal(r->kept, 10);
	kill(-group, SIGCONT);
	iso_rig_until(r, &r->kept, 20);
	/* For longer: those that are stopped are ended, and the template's next one goes on with what was. */
	kill(-group, SIGSTOP);
	iso_rig_until(r, &r->stats->ends[NFV_END_BEAT], 2);
	assert_non_null(strstr(nfv_isolated_last(r->iso), "its heart has stopped beating"));
	iso_rig_send(r, ASK_KEEP, 10, NFV_OUTWARD);
	kill(-group, SIGCONT);
	iso_rig_until(r, &r->kept, 30);
	iso_rig_settle(r);
	assert_int_equal(r->stats->templates, 1);
	assert_int_equal(r->stats->down, 0);
	assert_int_equal(r->kept, r->sent);
	iso_rig_end(r);
	until_none(group);
}

/* --- without a jail -------------------------------------------------------------------------------- */

/* Twenty for each instance, which nobody knows of. */
static void
of_one_that_forks_nobody_is_left(void **state)
{
	struct iso_rig *r = iso_rig(&stage_mirror, "fork");
	int group = 0;

	(void)state;
	assert_int_equal(iso_rig_start(r), 0);
	for (int i = 0; r->stats->ends[NFV_END_GONE] < 3; i++) {
		int pid = -1;

		if (group <= 0 && nfv_isolated_live(r->iso, &pid))
			group = getpgid(pid);
		iso_rig_send(r, ASK_KEEP, 8, NFV_OUTWARD);
		iso_rig_collect(r);
		nfv_isolated_control(r->iso, 1);
		assert_true(i < 100000);
	}
	assert_true(group > 0);
	iso_rig_end(r);
	until_none(group);
}

/* Its limit is in force before it is told what to start. */
static void
one_that_allocates_at_its_start(void **state)
{
	struct iso_rig *r;

	(void)state;
	if (__asan_init != NULL) /* which reserves more than any limit */
		skip();
	r = iso_rig(&stage_look, "stage");
	r->conf.memory = 64u << 20;
	r->conf.text = "look: {limit: 96}\n";
	assert_int_equal(iso_rig_start(r), -EINVAL);
	if (strstr(r->err.text, "stage look, isolated: stage look: no memory for 96") == NULL)
		fail_msg("%s", r->err.text);
	/* And with as little there is enough for one that does not. */
	r->conf.text = NULL;
	iso_rig_up(r);
	iso_rig_send(r, ASK_KEEP, 10, NFV_OUTWARD);
	iso_rig_settle(r);
	assert_int_equal(r->kept, 10);
	iso_rig_end(r);
}

/* --- who waits for whom ----------------------------------------------------------------------------- */

/* Whether there is a child that has ended and is waited for by nobody: any, or that one. */
static int
dead_child(int pid)
{
	siginfo_t i = { .si_pid = 0 };

	return waitid(pid > 0 ? P_PID : P_ALL, (id_t)pid, &i, WEXITED | WNOHANG | WNOWAIT) == 0 ?
		i.si_pid :
		0;
}

static void
orphans_are_waited_for(void **state)
{
	struct iso_rig *r = iso_rig(&stage_mirror, "stage");
	time_t t0 = time(NULL);
	uint32_t reaped = 0;
	int group;

	(void)state;
	iso_rig_up(r);
	iso_rig_spare(r);
	while (nfv_isolated_reap() > 0) /* the other tests' */
		;
	group = getpgid(iso_rig_pid(r));
	kill(group, SIGKILL);
	while (dead_child(group) != group)
		usleep(1000);
	/* The template is for who has started it, however often one asks. */
	usleep(100000);
	reaped += nfv_isolated_reap();
	assert_int_equal(dead_child(group), group);
	iso_rig_until(r, &r->stats->templates, 2);
	/* Its instances are nobody's. */
	while (iso_family(group) > 0 || dead_child(0) != 0 || reaped == 0) {
		reaped += nfv_isolated_reap();
		if (time(NULL) - t0 > PATIENCE_S)
			fail_msg("%u have been waited for", reaped);
		usleep(1000);
	}
	iso_rig_live(r);
	iso_rig_send(r, ASK_KEEP, 10, NFV_OUTWARD);
	iso_rig_settle(r);
	iso_rig_end(r);
	while (nfv_isolated_reap() > 0)
		;
}

/* Where orphans fall to somebody else there is nothing to do. */
static void
nobody_else_is_waited_for(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
	while (dead_child(pid) != pid)
		usleep(1000);
	if (getpid() != 1)
		assert_int_equal(nfv_isolated_reap(), 0);
	assert_int_equal(dead_child(pid), pid);
	waitpid(pid, NULL, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_the_manager_all_end),
		cmocka_unit_test(one_that_is_stopped_goes_on),
		cmocka_unit_test(of_one_that_forks_nobody_is_left),
		cmocka_unit_test(one_that_allocates_at_its_start),
		cmocka_unit_test(nobody_else_is_waited_for),
		cmocka_unit_test(orphans_are_waited_for),
	};

	signal(SIGPIPE, SIG_IGN);
	/* As for the first process of a container: all that lose their parents are ours. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
