/* The door for stages that somebody else starts: a socket in the file system, where they connect. */
#define _GNU_SOURCE /* accept4 */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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

int
door_open(const char *path, struct nfv_err *err)
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
