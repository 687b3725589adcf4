/* The door for stages that somebody else starts: a socket in the file system, where they connect. */
#define _GNU_SOURCE /* accept4 */
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "host.h"

/* Whether somebody listens there; if not, the file was left behind. */
static bool
is_open(const struct sockaddr_un *at)
{
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Not now: others wait there already. */
	bool open = s >= 0 &&
		(connect(s, (const struct sockaddr *)at, sizeof(*at)) == 0 || errno == EAGAIN);

	if (s >= 0)
		close(s);
	return open;
}

/* One pipeline at a time looks who is there, for two that remove what is left of a third would each have a door.
 * Whoever is let into the folder may lock it, too: nobody is waited for for long. */
static int
lock_folder(const char *path)
{
	enum { TRIES = 100 };
	const struct timespec nap = { .tv_nsec = 10000000 };
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int fd;

	snprintf(folder, sizeof(folder), "%s", path);
	fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; fd >= 0 && i < TRIES && flock(fd, LOCK_EX | LOCK_NB) < 0; i++)
		nanosleep(&nap, NULL);
	return fd;
}

static int
open_alone(const char *path, struct nfv_err *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct stat st;
	int fd, rc;

	if (strlen(path) >= sizeof(at.sun_path))
		return nfv_fail(err, ENAMETOOLONG, "socket %s: the path is longer than %zu bytes",
			path, sizeof(at.sun_path) - 1);
	strcpy(at.sun_path, path);
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return nfv_fail(err, EEXIST,
				"socket %s: there is a file of this name; "
				"remove it, or choose another",
				path);
		if (is_open(&at))
			return nfv_fail(err, EADDRINUSE,
				"socket %s: another pipeline has it; give each a socket of its own",
				path);
		unlink(path);
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Who may connect is who may enter the folder. */
	if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
		chmod(path, 0666) == 0 && listen(fd, 1) == 0)
		return fd;
	rc = nfv_fail(err, errno, "socket %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

int
door_open(const char *path, struct nfv_err *err)
{
	int lock = lock_folder(path), fd = open_alone(path, err);

	if (lock >= 0)
		close(lock);
	return fd;
}

int
door_await(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int sock;

	if (poll(&p, 1, timeout_ms) <= 0)
		return -EAGAIN;
	sock = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	return sock >= 0 ? sock : -errno;
}

void
door_close(int fd, const char *path)
{
	if (fd < 0)
		return;
	close(fd);
	unlink(path);
}
