/* A stage whose program somebody else starts: it connects, and connects again when it has ended. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "iso_rig.h"

static pid_t *program; /* the one that runs, as told by who starts it */
static char folder[] = "/tmp/test_door.XXXXXX", path[64];

/* A child that ends with its parent, however that ends. */
static pid_t
fork_bound(void)
{
	pid_t pid = fork();

	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static pid_t
start_program(void)
{
	pid_t pid = fork_bound();

	if (pid == 0) {
		execl(GUEST_PROGRAM, GUEST_PROGRAM, "connect", path, (char *)NULL);
		_exit(127);
	}
	return pid;
}

/* One that tries until the door is open. */
static pid_t
start_impatient(void)
{
	pid_t pid = fork_bound();

	if (pid > 0)
		return pid;
	for (;;) {
		int status;

		*program = start_program();
		waitpid(*program, &status, 0);
		usleep(10000);
	}
}

static struct iso_rig *
at_door(void)
{
	struct iso_rig *r = iso_rig(&stage_mirror, "stage");

	r->conf.argv = NULL;
	r->conf.socket = path;
	r->conf.connect_ms = 20000;
	return r;
}

static void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
who_connects_is_the_stage(void **state)
{
	pid_t pid = start_impatient();
	struct iso_rig *r = at_door();

	(void)state;
	iso_rig_up(r);
	iso_rig_send(r, ASK_KEEP, 32, NFV_OUTWARD);
	iso_rig_settle(r);
	assert_int_equal(r->kept, 32);
	end(pid);
	iso_rig_end(r);
	assert_int_equal(access(path, F_OK), -1);
}

/* The whole program is killed, and somebody starts it again, as docker would. */
static void
one_that_ends_may_come_back(void **state)
{
	pid_t pid = start_impatient();
	struct iso_rig *r = at_door();

	(void)state;
	r->conf.on_failure = NFV_FAIL_HOLD;
	if (iso_rig_start(r) < 0)
		fail_msg("%s", r->err.text);
	for (uint64_t round = 1; round <= 3; round++) {
		int instance;

		iso_rig_live(r);
		iso_rig_send(r, ASK_KEEP, 32, NFV_OUTWARD);
		iso_rig_settle(r);
		assert_int_equal(r->kept, 32 * round);
		assert_true(nfv_isolated_live(r->iso, &instance));
		kill(*program, SIGKILL);
		kill(instance, SIGKILL);
		for (int i = 0; i < 20000 && r->stats->templates == round; i++) {
			iso_rig_collect(r);
			nfv_isolated_control(r->iso, 1);
		}
		assert_int_equal(r->stats->templates, round + 1);
	}
	end(pid);
	iso_rig_end(r);
}

/* Another version is whoever has come meanwhile and waits. */
static void
the_next_one_takes_over(void **state)
{
	const struct nfv_isolated_version next = { .object = NULL };
	pid_t pid = start_impatient(), other;
	struct iso_rig *r = at_door();

	(void)state;
	r->conf.connect_ms = 5000; /* it is waited for so long, too */
	iso_rig_up(r);
	assert_int_equal(nfv_isolated_replace_by(r->iso, &next, &r->err), -EAGAIN);
	assert_non_null(strstr(r->err.text, "nobody has connected"));
	other = start_program();
	for (int i = 0; i < 2000 && nfv_isolated_replace_by(r->iso, &next, &r->err) == -EAGAIN;
		i++) {
		iso_rig_send(r, ASK_KEEP, 4, NFV_OUTWARD);
		iso_rig_settle(r);
		usleep(5000);
	}
	for (int i = 0; i < 20000 && r->stats->replaced == 0; i++) {
		iso_rig_send(r, ASK_KEEP, 4, NFV_OUTWARD);
		iso_rig_collect(r);
		nfv_isolated_control(r->iso, 1);
	}
	assert_int_equal(r->stats->replaced, 1);
	iso_rig_settle(r);
	assert_int_equal(r->stats->swept, 0);
	assert_int_equal(r->kept, r->stats->handed);
	end(pid);
	end(other);
	iso_rig_end(r);
}

static void
nobody_comes(void **state)
{
	struct iso_rig *r = at_door();

	(void)state;
	r->conf.connect_ms = 20;
	assert_int_equal(iso_rig_start(r), -EAGAIN);
	assert_non_null(strstr(r->err.text, "nobody has connected to /tmp/test_door"));
	assert_int_equal(access(path, F_OK), -1);
	iso_rig_end(r);
}

static void
a_door_is_for_one(void **state)
{
	pid_t pid = start_impatient();
	struct iso_rig *r = at_door(), *other = at_door();
	int fd;

	(void)state;
	if (iso_rig_start(r) < 0)
		fail_msg("%s", r->err.text);
	assert_int_equal(iso_rig_start(other), -EADDRINUSE);
	assert_non_null(strstr(other->err.text, "another pipeline has it"));
	iso_rig_live(r); /* which has not been harmed */
	end(pid);
	iso_rig_end(r);
	/* What is no socket is not removed; a socket that was left behind is. */
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	assert_int_equal(iso_rig_start(other), -EEXIST);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mknod(path, S_IFSOCK | 0600, 0), 0);
	other->conf.connect_ms = 20;
	assert_int_equal(iso_rig_start(other), -EAGAIN);
	other->conf.socket = "/nowhere/at-all";
	assert_int_equal(iso_rig_start(other), -ENOENT);
	iso_rig_end(other);
}

/* What is left of a third is in their way, which each removes: one has the door, whoever was first. */
static void
of_many_at_once_one_gets_in(void **state)
{
	enum { MANY = 4, ROUNDS = 25 };
	atomic_uint *n = mmap(
		NULL, 2 * sizeof(*n), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(n != MAP_FAILED);
	for (int round = 0; round < ROUNDS; round++) {
		unsigned int in = 0;
		pid_t pid[MANY];

		n[0] = n[1] = 0;
		assert_int_equal(mknod(path, S_IFSOCK | 0600, 0), 0);
		for (int i = 0; i < MANY; i++) {
			int fd;

			pid[i] = fork_bound();
			if (pid[i] > 0)
				continue;
			for (n[0]++; n[0] < MANY;)
				sched_yield();
			fd = door_open(path, NULL);
			for (n[1]++; n[1] < MANY;)
				sched_yield();
			_exit(fd >= 0 ? 1 : fd == -EADDRINUSE ? 0 : 2);
		}
		for (int i = 0; i < MANY; i++) {
			int status;

			assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
			assert_in_range(WEXITSTATUS(status), 0, 1);
			in += (unsigned int)WEXITSTATUS(status);
		}
		assert_int_equal(in, 1);
		unlink(path);
	}
	munmap(n, 2 * sizeof(*n));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_connects_is_the_stage),
		cmocka_unit_test(one_that_ends_may_come_back),
		cmocka_unit_test(the_next_one_takes_over),
		cmocka_unit_test(nobody_comes),
		cmocka_unit_test(a_door_is_for_one),
		cmocka_unit_test(of_many_at_once_one_gets_in),
	};
	int rc;

	signal(SIGPIPE, SIG_IGN);
	program = mmap(
		NULL, sizeof(*program), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (program == MAP_FAILED || mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/stage", folder);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return rc;
}
