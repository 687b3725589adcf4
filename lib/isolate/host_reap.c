/* Whose child is whose: templates are waited for by who has started them, what falls to us by nobody else. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	pid_t *pid;
	uint32_t n;
} ours;

int
reap_begin(void)
{
	pid_t *more;

	pthread_mutex_lock(&lock);
	more = realloc(ours.pid, (ours.n + 1) * sizeof(*more));
	if (more != NULL)
		ours.pid = more;
	else
		pthread_mutex_unlock(&lock);
	return more != NULL ? 0 : ENOMEM;
}

void
reap_started(pid_t pid)
{
	if (pid > 0)
		ours.pid[ours.n++] = pid;
	pthread_mutex_unlock(&lock);
}

void
reap_ended(pid_t pid)
{
	pthread_mutex_lock(&lock);
	for (uint32_t i = 0; i < ours.n; i++)
		if (ours.pid[i] == pid) {
			ours.pid[i] = ours.pid[--ours.n];
			break;
		}
	if (ours.n == 0) {
		free(ours.pid);
		ours.pid = NULL;
	}
	pthread_mutex_unlock(&lock);
}

static bool
is_ours(pid_t pid)
{
	for (uint32_t i = 0; i < ours.n; i++)
		if (ours.pid[i] == pid)
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
