/*
 * The process that does the stage's upkeep, which may wait for a disk: a child of the template beside the
 * instances, with the same state, as the control thread is beside a worker. What is in that state an
 * instance may have written that somebody has taken over; so it is locked in as they are, and may sync its
 * memory on top. It has no file at all.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "jail.h"
#include "nfv_tsc.h"

#define EVERY_NS 5000000
#define AGAIN_MS 1000 /* until there is another */

static _Noreturn void
keep(struct guest *g, int template)
{
	const struct timespec nap = { .tv_nsec = EVERY_NS };
	struct state_head *head = g->kept.head;

	if (jail_privileges(STDERR_FILENO, NULL) < 0)
		_exit(1);
	/* It ends with the template, who may be gone already. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != template || jail_calls(-1, true, NULL) < 0)
		_exit(1);
	for (;;) {
		uint32_t doing;

		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
		atomic_store(&head->keeping, 1);
		doing = atomic_load(&head->doing);
		if (doing == STATE_NOTHING || doing == STATE_CALL)
			g->ops->upkeep(g->state, nfv_tsc());
		atomic_store(&head->keeping, 0);
	}
}

int
guest_keeper_look(struct guest *g)
{
	uint64_t now = nfv_tsc(), ms = g->told.c.tsc_hz / 1000;
	int self = getpid();
	sigset_t none;
	pid_t pid;

	if (g->keeper != 0 || !g->on_disk || g->ops->upkeep == NULL)
		return -1;
	if (now < g->keeper_after)
		return (int)((g->keeper_after - now) / ms) + 1;
	g->keeper_after = now + AGAIN_MS * ms;
	pid = fork();
	if (pid == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		keep(g, self);
	}
	g->keeper = pid > 0 ? pid : 0;
	return pid > 0 ? -1 : AGAIN_MS;
}

bool
guest_keeper_ended(struct guest *g, int pid)
{
	if (pid != g->keeper)
		return false;
	g->keeper = 0;
	atomic_store(&g->kept.head->keeping, 0);
	return true;
}
