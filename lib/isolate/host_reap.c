/* Whose child is whose: templates are waited for by who has started them, what falls to us by nobody else. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	struct child {
		pid_t pid;
		bool ended;
	} * at;
	uint32_t n;
} ours;

int
reap_begin(void)
{
	struct child *more;

	pthread_mutex_lock(&lock);
	more = realloc(ours.at, (ours.n + 1) * sizeof(*more));
	if (more != NULL)
		ours.at = more;
	else
		pthread_mutex_unlock(&lock);
	return more != NULL ? 0 : ENOMEM;
}

void
reap_started(pid_t pid)
{
	if (pid > 0)
		ours.at[ours.n++] = (struct child){ .pid = pid };
	pthread_mutex_unlock(&lock);
}

uint32_t
reap_look(void)
{
	uint32_t left = 0;

	pthread_mutex_lock(&lock);
	for (uint32_t i = ours.n; i-- > 0;) {
		if (ours.at[i].ended && waitpid(ours.at[i].pid, NULL, WNOHANG) != 0)
			ours.at[i] = ours.at[--ours.n];
		else
			left += ours.at[i].ended;
	}
	if (ours.n == 0) {
		free(ours.at);
		ours.at = NULL;
	}
	pthread_mutex_unlock(&lock);
	return left;
}

void
reap_ended(pid_t pid)
{
	pthread_mutex_lock(&lock);
	for (uint32_t i = 0; i < ours.n; i++)
		ours.at[i].ended |= ours.at[i].pid == pid;
	pthread_mutex_unlock(&lock);
	reap_look();
}

void
nfv_isolated_await_ends(uint32_t ms)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	uint64_t until = host_now() + ms * 1000000ull;

	while (reap_look() > 0 && host_now() < until)
		nanosleep(&nap, NULL);
}

static bool
is_ours(pid_t pid)
{
	for (uint32_t i = 0; i < ours.n; i++)
		if (ours.at[i].pid == pid)
			return true;
	return false;
}

static bool
orphans_fall_to_us(void)
{
	int subreaper = 0;

	return getpid() == 1 ||
		(prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0) == 0 && subreaper != 0);
}

uint32_t
nfv_isolated_reap(void)
{
	uint32_t n = 0;

	if (!orphans_fall_to_us())
		return 0;
	pthread_mutex_lock(&lock);
	for (;; n++) {
		siginfo_t dead = { .si_pid = 0 };

		/* A look first. One of ours is about to be waited for, and those behind it are after that. */
		if (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT) < 0 || dead.si_pid == 0 ||
			is_ours(dead.si_pid))
			break;
		waitid(P_PID, (id_t)dead.si_pid, &dead, WEXITED | WNOHANG);
	}
	pthread_mutex_unlock(&lock);
	return n;
}
