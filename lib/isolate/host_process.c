/* Processes of a stage: the template spawned and told, instances forked of it, ended, given back. */
#define _GNU_SOURCE /* addclosefrom_np, prlimit, sched_setaffinity */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"

#define ANSWER_MS 10000 /* to start a stage; its configuration may be large */

/* Everything is closed but its socket; what it is run from, by the start itself. */
static int
spawn(const struct template *t, int sock, pid_t *pid)
{
	const char *path = t->argv[0];
	char *none[] = { NULL }, opened[32];
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t set;
	int rc;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, sock, 3);
	for (int fd = GUEST_FILES; fd < t->program; fd++)
		posix_spawn_file_actions_addclose(&files, fd);
	posix_spawn_file_actions_addclosefrom_np(
		&files, t->program < 0 ? GUEST_FILES : t->program + 1);
	if (t->program >= 0) {
		snprintf(opened, sizeof(opened), "/proc/self/fd/%d", t->program);
		path = opened;
	}
	posix_spawnattr_init(&attr);
	/* A group of its own: what a terminal sends the manager is not for it, and it can be ended as one. */
	posix_spawnattr_setflags(
		&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attr, &set);
	sigaddset(&set, SIGPIPE);
	sigaddset(&set, SIGCHLD);
	posix_spawnattr_setsigdefault(&attr, &set);
	rc = posix_spawn(pid, path, &files, &attr, (char *const *)(uintptr_t)t->argv, none);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return rc;
}

/* Who is at the door: at the start one waits for him, later he has knocked, or not. */
static int
let_in(struct nfv_isolated *iso, struct template *t, struct nfv_err *err)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);
	int wait = iso->stats.templates == 0 ? (int)iso->conf.connect_ms : 0;
	int sock = door_await(iso->door, wait);

	/* Another version's, while this one works. */
	for (uint32_t ms = 0; t != iso->now && sock == -EAGAIN && ms < iso->conf.connect_ms; ms++) {
		nfv_isolated_control(iso, 0);
		sock = door_await(iso->door, 1);
	}

	if (sock < 0)
		return nfv_fail(err, -sock,
			"stage %s: nobody has connected to %s; start nfv-stage "
			"--socket there",
			iso->ops->name, iso->conf.socket);
	t->sock = sock;
	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.pid <= 0)
		return nfv_fail(err, ENOTCONN,
			"stage %s: who has connected to %s is in another PID namespace, where it could "
			"not be ended; share it (docker: --pid container:NAME)",
			iso->ops->name, iso->conf.socket);
	t->pid = peer.pid;
	return 0;
}

/* Not where the worker runs, and neither are those it forks until they are to work. */
static void
place(const struct nfv_isolated *iso, pid_t pid)
{
	cpu_set_t set;

	memset(&set, 0xff, sizeof(set));
	if (iso->conf.worker_cpu >= 0)
		CPU_CLR((unsigned int)iso->conf.worker_cpu, &set);
	sched_setaffinity(pid, sizeof(set), &set);
}

/* The template's socket, and its process by pid and pidfd. */
static int
connect_template(struct nfv_isolated *iso, struct template *t, struct nfv_err *err)
{
	const struct nfv_isolated_conf *c = &iso->conf;
	int pair[2], rc;

	if (t->argv == NULL) {
		rc = let_in(iso, t, err);
		if (rc < 0)
			return rc;
	} else {
		pid_t pid;

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			return nfv_fail(err, errno, "stage %s: no socket: %s", iso->ops->name,
				strerror(errno));
		rc = reap_begin();
		if (rc == 0) {
			rc = spawn(t, pair[1], &pid);
			reap_started(rc == 0 ? pid : -1);
		}
		close(pair[1]);
		t->sock = pair[0];
		if (rc != 0)
			return nfv_fail(err, rc, "stage %s: %s cannot be started: %s",
				iso->ops->name, t->argv[0], strerror(rc));
		t->spawned = true;
		t->pid = pid;
		place(iso, pid);
		if (c->memory > 0) {
			struct rlimit l = { c->memory, c->memory };

			prlimit(pid, RLIMIT_AS, &l, NULL);
		}
	}
	t->pidfd = (int)syscall(SYS_pidfd_open, t->pid, 0);
	if (t->pidfd < 0)
		return nfv_fail(err, errno, "stage %s: its process has no handle: %s",
			iso->ops->name, strerror(errno));
	if (syscall(SYS_pidfd_send_signal, t->pidfd, 0, NULL, 0) < 0)
		return nfv_fail(err, errno,
			"stage %s: its process could not be ended: %s; run it as the same user as the "
			"pipeline",
			iso->ops->name, strerror(errno));
	t->number = ++iso->stats.templates;
	return 0;
}

/* A message of one type, or a sentence why there is none. */
static int
await(struct nfv_isolated *iso, const struct template *t, uint32_t type, struct nfv_err *err)
{
	struct pollfd p = { .fd = t->sock, .events = POLLIN };
	uint64_t until = host_now() + ANSWER_MS * 1000000ull;
	int rc;

	/* What is live meanwhile is looked after. */
	while (poll(&p, 1, t == iso->now ? ANSWER_MS : 1) <= 0) {
		if (host_now() > until)
			return nfv_fail(err, ETIMEDOUT, "its process does not answer");
		if (t != iso->now)
			nfv_isolated_control(iso, 0);
	}
	rc = nfv_wire_recv(t->sock, false, &iso->msg, err);
	if (rc == 0)
		return nfv_fail(err, ECONNRESET, "its process has ended before it was ready");
	if (rc < 0)
		return rc;
	if (iso->msg.type == type)
		return 0;
	nfv_wire_close(&iso->msg);
	if (iso->msg.type == NFV_WIRE_FAILED)
		return nfv_fail(err, EINVAL, "%s", (const char *)iso->msg.body);
	return nfv_fail(err, EPROTO, "its process says what it must not");
}

static int
tell(struct nfv_isolated *iso, struct template *t, struct nfv_err *err)
{
	struct nfv_wire_ready ready;
	int fd[4], n = 1, rc = await(iso, t, NFV_WIRE_HELLO, err);

	if (rc < 0)
		return rc;
	fd[0] = nfv_segment_lend(iso->pool.segment, iso->ops->access == NFV_WRITES, err);
	if (fd[0] < 0)
		return fd[0];
	((struct nfv_wire_config *)(void *)iso->config)->succeeds = t != iso->now;
	rc = finds_lend(iso, fd + 1, err);
	n += rc > 0 ? rc : 0;
	fd[n] = t->object;
	if (rc >= 0)
		rc = nfv_wire_send(t->sock, NFV_WIRE_CONFIG, iso->config, iso->config_len, fd,
			t->object >= 0 ? n + 1 : n, err);
	while (n > 0)
		close(fd[--n]);
	if (rc == 0)
		rc = await(iso, t, NFV_WIRE_READY, err);
	if (rc < 0)
		return rc;
	memcpy(&ready, iso->msg.body, sizeof(ready));
	if (strncmp(ready.stage, iso->ops->name, sizeof(ready.stage)) != 0 ||
		ready.access != iso->ops->access || ready.drops != iso->drops)
		return nfv_fail(err, EPROTO,
			"its process has another stage than the manager, or one with other reasons to "
			"drop packets: programs of two versions?");
	if (ready.version[0] != 0)
		memcpy(t->version, ready.version, sizeof(t->version));
	t->version[sizeof(t->version) - 1] = 0;
	return 0;
}

int
template_start(struct nfv_isolated *iso, struct template *t, struct nfv_err *err)
{
	struct nfv_err why = { "" };
	int rc = connect_template(iso, t, err);

	if (rc == 0) {
		rc = tell(iso, t, &why);
		if (rc < 0)
			nfv_fail(err, -rc, "stage %s, isolated: %s", iso->ops->name, why.text);
	}
	if (rc < 0)
		template_end(t);
	t->ready = rc == 0;
	return rc;
}

void
template_end(struct template *t)
{
	if (t->sock >= 0)
		close(t->sock);
	if (t->pidfd >= 0) {
		if (t->spawned) {
			kill(-t->pid, SIGKILL); /* whoever is left of its group */
			reap_ended(t->pid);
		} else {
			syscall(SYS_pidfd_send_signal, t->pidfd, SIGKILL, NULL, 0);
		}
		close(t->pidfd);
	}
	t->sock = t->pidfd = -1;
	t->pid = 0;
	t->spawned = t->ready = false;
}

void
template_forget(struct template *t)
{
	if (t->object >= 0)
		close(t->object);
	if (t->program >= 0)
		close(t->program);
	t->object = t->program = -1;
	t->version[0] = 0;
}

/* New memory and a new socket each time: who still has the old ones has nothing. */
int
instance_ask(struct nfv_isolated *iso, struct template *t, struct instance *in,
	const struct instance *giver, struct nfv_err *err)
{
	struct nfv_wire_config c = { .ring = iso->ring,
		.empties = EMPTIES,
		.access = iso->ops->access,
		.large = iso->pool.take_large != NULL,
		.pinholes = iso->holes != NULL };
	struct nfv_wire_layout l = nfv_wire_layout(&c);
	int pair[2] = { -1, -1 }, fd[4], rc;

	rc = nfv_segment_create("nfv-rings", l.size, false, &in->shared, err);
	if (rc == 0)
		rc = nfv_segment_seal(&in->shared, false, err);
	if (rc < 0)
		goto fail;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		rc = nfv_fail(err, errno, "no socket: %s", strerror(errno));
		goto fail;
	}
	fd[0] = in->shared.fd;
	fd[1] = pair[1];
	fd[2] = in->outbox.fd;
	fd[3] = giver != NULL ? giver->outbox.fd : -1;
	in->serial = ++iso->serial;
	rc = nfv_wire_send(t->sock, NFV_WIRE_FORK, &in->serial, sizeof(in->serial), fd,
		giver != NULL ? 4 : 3, err);
	if (rc < 0)
		goto fail;
	close(pair[1]);
	in->sock = pair[0];
	in->pidfd = -1;
	in->pid = in->template_pid = 0;
	in->of = t;
	in->heir = giver != NULL;
	in->near = false;
	in->hung_up = in->killed = in->caught = in->ready = in->filtered = false;
	in->gone_to = in->waits = in->told = false;
	in->template = t->number;
	in->beat = in->done = in->polls = 0;
	in->in = nfv_ring_end(in->shared.at + l.in, iso->ring);
	in->out = nfv_ring_end(in->shared.at + l.out, EMPTIES);
	in->empty = nfv_ring_end(in->shared.at + l.empty, EMPTIES);
	in->rooms = in->shared.at + l.rooms;
	if (iso->holes != NULL)
		holes_instance(in, &l);
	in->large = c.large != 0 ? in->shared.at + l.large : NULL;
	in->large_head = in->large_tail = 0;
	in->on_way.head = in->on_way.tail = in->given.head = in->given.tail = 0;
	atomic_store(&in->in_flight, 0);
	atomic_store(&in->returned, 0);
	atomic_store(&in->state, FORKING);
	return 0;
fail:
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
	nfv_segment_fini(&in->shared);
	return nfv_fail_in(err, rc, "stage %s: no instance", iso->ops->name);
}

/* The number that stands behind `key` in a file of /proc; -1. */
static long
number_in(const char *path, const char *key)
{
	FILE *f = fopen(path, "re");
	char line[256];
	long n = -1;

	while (f != NULL && n < 0 && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			n = strtol(line + strlen(key), NULL, 10);
	if (f != NULL)
		fclose(f);
	return n;
}

/* Anyone may have a handle of anyone; killing is for the template's own children. */
int
instance_pid(int pidfd, int parent)
{
	char path[64];
	long pid;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	pid = number_in(path, "Pid:");
	if (pid <= 0)
		return -EPERM;
	snprintf(path, sizeof(path), "/proc/%ld/status", pid);
	return number_in(path, "PPid:") == parent ? (int)pid : -EPERM;
}

void
instance_place(const struct nfv_isolated *iso, const struct instance *in)
{
	cpu_set_t set;

	if (iso->conf.cpu < 0 || in->pid <= 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((unsigned int)iso->conf.cpu, &set);
	sched_setaffinity(in->pid, sizeof(set), &set);
}

void
instance_kill(struct nfv_isolated *iso, struct instance *in)
{
	if (in->killed)
		return;
	in->killed = true;
	if (in->pidfd < 0)
		return;
	if (syscall(SYS_pidfd_send_signal, in->pidfd, SIGKILL, NULL, 0) == 0)
		iso->stats.kills++;
}

void
instance_free(struct instance *in)
{
	if (in->sock >= 0)
		close(in->sock);
	if (in->pidfd >= 0)
		close(in->pidfd);
	in->sock = in->pidfd = -1;
	nfv_segment_fini(&in->shared);
	atomic_store(&in->state, FREE);
}
