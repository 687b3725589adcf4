#define _GNU_SOURCE /* pidfd_open */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "jail.h"
#include "nfv_guest.h"
#include "nfv_tsc.h"

int
nfv_guest_connect(const char *path, struct nfv_err *err)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int sock;

	if (strlen(path) >= sizeof(to.sun_path))
		return nfv_fail(err, ENAMETOOLONG, "socket %s: the path is longer than %zu bytes",
			path, sizeof(to.sun_path) - 1);
	strcpy(to.sun_path, path);
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&to, sizeof(to)) < 0) {
		int rc = nfv_fail(
			err, errno, "socket %s: cannot connect: %s", path, strerror(errno));

		if (sock >= 0)
			close(sock);
		return rc;
	}
	return sock;
}

/* --- the template -------------------------------------------------------------------------------- */

static void
flow_end(void *arg, void *slots)
{
	struct guest *const *of = arg, *g = *of;
	unsigned int six = of == &g->of_table[1];

	if (g->ops->flow_end != NULL && !g->mending)
		g->ops->flow_end(g->state, slots);
	if (g->giver.on)
		nfv_giver_gone(&g->giver, six, nfv_flow_of(g->table[six], slots)->index);
}

static int
create_tables(struct guest *g, struct nfv_err *err)
{
	static const uint8_t family[2] = { 4, 6 };

	for (int i = 0; i < 2 && g->ops->flow_size > 0; i++) {
		struct nfv_flow_conf flow = { .family = family[i],
			.max = g->told.c.flows,
			.slot = (uint16_t)((g->ops->flow_size + 7) / 8 * 8),
			.seed = g->told.c.seed,
			.timeouts = g->told.c.timeouts,
			.end = flow_end,
			.arg = &g->of_table[i],
			.lender = &g->kept.lender };
		int rc;

		g->of_table[i] = g;
		g->pages[i] = nfv_lender_take(&g->kept.lender, "flows", nfv_flow_pages(&flow));
		if (g->pages[i].page == NULL)
			return nfv_fail(err, ENOMEM, "flows: max: no memory for %u", flow.max);
		rc = nfv_flow_create(&flow, &g->pages[i], &g->table[i], err);
		if (rc < 0)
			return nfv_fail_in(err, rc, "flows: max: %u", g->told.c.flows);
	}
	return 0;
}

static int
read_conf(struct guest *g, struct nfv_err *err)
{
	const struct nfv_wire_config *c = &g->told.c;
	/* No configuration at all: defaults. */
	int rc = nfv_conf_parse(c->file, c->n_text > 0 ? g->told.text : "{}",
		c->n_text > 0 ? c->n_text : 2, &g->doc, err);

	if (rc < 0 || g->ops->conf == NULL)
		return rc;
	g->conf = calloc(1, g->ops->conf->size);
	if (g->conf == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	return nfv_conf_read(g->doc, g->ops->name, g->ops->conf, g->conf, err);
}

static int
start_stage(struct guest *g, struct nfv_err *err)
{
	const struct nfv_wire_config *c = &g->told.c;
	struct nfv_stage_ctx ctx = { .doc = g->doc,
		.chain = c->chain,
		.own = { g->told.own[0], g->told.own[1] },
		.n_own = { c->n_own[0], c->n_own[1] },
		.toward = g->told.toward,
		.n_toward = c->n_toward,
		.tsc_hz = c->tsc_hz,
		.tsc = nfv_tsc(),
		.seed = c->seed,
		.shard = c->shard,
		.shards = c->shards,
		.group_seed = c->group_seed,
		.lender = &g->kept.lender,
		.pinhole_set = g->finds_set.n > 0 ? &g->finds_set : NULL,
		.pinholes = g->holes != NULL ? g->holes->table : NULL,
		.succeeds = c->succeeds != 0,
		.socket = c->socket };
	int rc;

	ctx.conf = g->conf;
	g->state = nfv_lender_alloc(&g->kept.lender, g->ops->state_size + 1);
	g->shown = calloc(1, SHOW_MAX);
	g->show = g->shown != NULL ? fmemopen(g->shown, SHOW_MAX, "w") : NULL;
	if (g->state == NULL || g->show == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	rc = g->ops->init != NULL ? g->ops->init(g->state, &ctx, err) : 0;
	if (rc == 0 && g->ops->selftest != NULL)
		rc = g->ops->selftest(g->state, err);
	if (rc == 0)
		rc = guest_replace_init(g, err);
	g->on_disk = rc == 0 && g->ops->on_disk != NULL && g->ops->on_disk(g->state);
	/* Once while there still are system calls: what printing needs of memory it has from then on. */
	if (rc == 0 && g->ops->show != NULL)
		g->ops->show(g->state, g->show);
	return rc;
}

/* From the words of a CONFIG to a stage that has started. */
static int
set_up(struct guest *g, struct nfv_err *err)
{
	int rc = nfv_wire_unpack(&g->config, &g->told, err);
	uint32_t at = 1;

	if (rc < 0)
		return rc;
	rc = nfv_segment_attach(g->config.fd[0], g->told.c.pool_size,
		g->told.c.access == NFV_WRITES, &g->pool, err);
	if (rc < 0)
		return rc;
	if (g->told.c.finds > 0) {
		rc = g->config.n_fd < at + 2 ? nfv_fail(err, EPROTO, "no pinholes have come") :
					       guest_finds_open(g, g->config.fd + at, err);
		at += 2;
		if (rc < 0) {
			g->config.n_fd = 0;
			return rc;
		}
	}
	if (at < g->config.n_fd) {
		rc = guest_map(g, g->config.fd[at], err);
		g->config.n_fd = 0;
		if (rc < 0)
			return nfv_fail_in(err, rc, "stage %s", g->told.c.stage);
	}
	g->config.n_fd = 0; /* segment and object have them */
	g->ops = g->object.object != NULL ? g->object.object->ops : nfv_stage_find(g->told.c.stage);
	if (g->ops == NULL)
		return nfv_fail(err, ENOENT, "stage %s is not in this program", g->told.c.stage);
	g->tsc_zero = nfv_tsc();
	g->tsc_per_tick = g->told.c.tsc_hz / NFV_FLOW_HZ + 1;
	rc = state_init(&g->kept, err);
	if (rc == 0)
		rc = read_conf(g, err);
	if (rc == 0)
		rc = create_tables(g, err);
	if (rc == 0)
		rc = guest_holes_create(g, err);
	if (rc == 0)
		rc = start_stage(g, err);
	if (rc == 0)
		rc = state_keep(&g->kept, err);
	return rc < 0 ? nfv_fail_in(err, rc, "stage %s", g->told.c.stage) : 0;
}

static int
report_ready(const struct guest *g, int sock, struct nfv_err *err)
{
	struct nfv_wire_ready ready = { .access = g->ops->access };

	snprintf(ready.stage, sizeof(ready.stage), "%s", g->ops->name);
	if (g->object.object != NULL)
		memcpy(ready.version, g->object.object->version, sizeof(ready.version));
	while (g->ops->drops != NULL && g->ops->drops[ready.drops] != NULL)
		ready.drops++;
	return nfv_wire_send(sock, NFV_WIRE_READY, &ready, sizeof(ready), NULL, 0, err);
}

static void
report_failed(int sock, const struct nfv_err *err)
{
	nfv_wire_send(sock, NFV_WIRE_FAILED, err->text, (uint32_t)strlen(err->text), NULL, 0, NULL);
}

/* --- instances ----------------------------------------------------------------------------------- */

/* Its rings, the pipe for its state, and, if it is to replace another, that one's. */
static int
attach_all(struct guest *g, const int *fd, uint32_t n_fd, struct nfv_err *err)
{
	const struct nfv_wire_config *c = &g->told.c;
	struct nfv_wire_layout l = nfv_wire_layout(c);
	int rc = nfv_segment_attach(fd[0], l.size, true, &g->shared, err);

	if (rc == 0)
		rc = nfv_segment_attach(fd[2], sizeof(struct nfv_pipe), true, &g->outbox, err);
	if (rc == 0 && n_fd > 3)
		rc = nfv_segment_attach(fd[3], sizeof(struct nfv_pipe), true, &g->inbox, err);
	if (rc < 0)
		return rc;
	g->word = (struct nfv_wire_shared *)g->shared.at;
	g->in = nfv_ring_end(g->shared.at + l.in, c->ring);
	g->out = nfv_ring_end(g->shared.at + l.out, c->empties);
	g->empty = nfv_ring_end(g->shared.at + l.empty, c->empties);
	g->rooms = g->ops->access == NFV_READS ? g->shared.at + l.rooms : NULL;
	g->large = c->large != 0 ? g->shared.at + l.large : NULL;
	g->room.large = g->large != NULL && g->rooms == NULL ? &g->larges : NULL;
	if (g->holes != NULL) {
		g->holes->out = nfv_ring_end(g->shared.at + l.holes, NFV_HOLE_RING);
		g->holes->ended = nfv_ring_end(g->shared.at + l.ended, NFV_HOLE_ENDED);
	}
	return 0;
}

/* A nap ends when it should, and who wakes has its processor at once, even if one that gets ready, or reads
 * what another hands over, is there (Linux 6.12; before, as the kernel likes). */
static void
be_prompt(void)
{
	/* Its first version: libc has none, and the kernel's header does not go with libc's. */
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} a = { .size = 0 };

	prctl(PR_SET_TIMERSLACK, 1000ul);
	if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) < 0 || a.policy != SCHED_OTHER)
		return;
	a.runtime = 100000; /* ns: a slice */
	syscall(SYS_sched_setattr, 0, &a, 0);
}

/* Wait for GO, and then until nobody else has its turn: the one before has stepped back, as it leaves word of
 * in shared memory, or is dead, as the manager does by another GO. */
static void
await_turn(struct guest *g)
{
	const struct timespec nap = { .tv_nsec = 10000 };
	struct nfv_wire_go go;
	int heard;

	/* Whoever works may do so on this processor. */
	while ((heard = nfv_wire_recv(GUEST_SOCK, false, &g->msg, NULL)) == -EAGAIN &&
		guest_warm(g))
		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	if (heard == -EAGAIN)
		heard = nfv_wire_recv(GUEST_SOCK, true, &g->msg, NULL);
	if (heard != 1 || (g->msg.type != NFV_WIRE_GO && g->msg.type != NFV_WIRE_TAKE))
		_exit(0);
	if (g->msg.type == NFV_WIRE_TAKE) {
		guest_take_turn(g, false);
		if (!guest_take(g))
			_exit(0);
		return;
	}
	memcpy(&go, g->msg.body, sizeof(go));
	while (go.after != 0 &&
		atomic_load_explicit(&g->kept.head->left, memory_order_acquire) != go.after) {
		int rc = nfv_wire_recv(GUEST_SOCK, false, &g->msg, NULL);

		if (rc == 1 && g->msg.type == NFV_WIRE_GO)
			memcpy(&go, g->msg.body, sizeof(go));
		else if (rc != -EAGAIN && (rc != 1 || g->msg.type == NFV_WIRE_STOP))
			_exit(0);
		atomic_fetch_add_explicit(&g->word->beat, 1, memory_order_relaxed);
		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	}
	guest_take_turn(g, go.afresh != 0);
}

/* Whatever it does at the time, and whoever ends the other: also one that spins leaves nothing behind. Another
 * user's process forgets it, so it comes after that. */
static int
die_with(pid_t parent, struct nfv_err *err)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return nfv_fail(
			err, errno, "it cannot be bound to its template: %s", strerror(errno));
	if (getppid() != parent)
		_exit(0);
	return 0;
}

/* The child: its files are two, and soon one. */
static _Noreturn void
be_instance(struct guest *g, pid_t parent)
{
	struct nfv_err err = { "" };
	int *fd = g->msg.fd;
	sigset_t none;

	for (uint32_t i = 0; i < g->msg.n_fd; i++)
		if (i != 1 && fd[i] == GUEST_SOCK)
			fd[i] = dup(fd[i]);
	if (fd[1] != GUEST_SOCK && dup2(fd[1], GUEST_SOCK) < 0)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	memcpy(&g->serial, g->msg.body, sizeof(g->serial));
	be_prompt();
	if (attach_all(g, fd, g->msg.n_fd, &err) < 0 || jail_privileges(GUEST_SOCK, &err) < 0 ||
		die_with(parent, &err) < 0 || jail_calls(GUEST_SOCK, false, &err) < 0) {
		report_failed(GUEST_SOCK, &err);
		_exit(1);
	}
	if (report_ready(g, GUEST_SOCK, &err) < 0)
		_exit(0);
	await_turn(g);
	guest_loop(g);
	state_leave(&g->kept, g->serial);
	/* Without what a sanitizer does in _exit, for which there are no system calls. */
	syscall(SYS_exit_group, 0);
	_exit(0);
}

static int
fork_instance(struct guest *g, int sock, struct nfv_err *err)
{
	struct nfv_wire_forked forked;
	pid_t pid, parent;
	int pidfd, rc;

	memcpy(&forked.serial, g->msg.body, sizeof(forked.serial));
	parent = getpid();
	pid = fork();
	if (pid < 0)
		return nfv_fail(err, errno, "no instance can be forked: %s", strerror(errno));
	if (pid == 0)
		be_instance(g, parent);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return nfv_fail(err, errno, "an instance has no handle: %s", strerror(errno));
	forked.pid = pid;
	forked.status = 0;
	rc = nfv_wire_send(sock, NFV_WIRE_FORKED, &forked, sizeof(forked), &pidfd, 1, err);
	close(pidfd);
	return rc;
}

static int
reap(struct guest *g, int sock, struct nfv_err *err)
{
	struct nfv_wire_forked ended = { .serial = 0 };
	int rc = 0, status;
	pid_t pid;

	while (rc == 0 && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
		ended.pid = pid;
		ended.status = status;
		ended.serial = guest_keeper_ended(g, pid) ? NFV_WIRE_NEVER : 0;
		rc = nfv_wire_send(sock, NFV_WIRE_EXITED, &ended, sizeof(ended), NULL, 0, err);
	}
	return rc;
}

/* Whatever the manager asks, and word of instances that have ended. */
static int
serve(struct guest *g, int sock, int children, struct nfv_err *err)
{
	struct pollfd at[2] = { { .fd = sock, .events = POLLIN },
		{ .fd = children, .events = POLLIN } };
	struct signalfd_siginfo info;
	int rc = 0;

	while (rc == 0) {
		if (poll(at, 2, guest_keeper_look(g)) < 0)
			continue;
		while (read(children, &info, sizeof(info)) > 0)
			;
		rc = reap(g, sock, err);
		if (rc < 0 || at[0].revents == 0)
			continue;
		rc = nfv_wire_recv(sock, false, &g->msg, err);
		if (rc == -EAGAIN)
			rc = 0;
		else if (rc == 0 || (rc == 1 && g->msg.type == NFV_WIRE_STOP))
			return 0;
		else if (rc == 1)
			rc = g->msg.type == NFV_WIRE_FORK ?
				fork_instance(g, sock, err) :
				nfv_fail(err, EPROTO, "the manager says what it must not");
		nfv_wire_close(&g->msg);
	}
	return rc;
}

static void
free_guest(struct guest *g)
{
	/* Instances may live on: what they share is not the template's to take apart. */
	bool own = state_own(&g->kept);

	for (int i = 0; i < 2 && own; i++) {
		nfv_flow_destroy(g->table[i]);
		if (g->pages[i].page != NULL)
			nfv_lender_give(&g->kept.lender, &g->pages[i]);
	}
	if (own && g->state != NULL && g->ops->fini != NULL)
		g->ops->fini(g->state);
	if (own)
		guest_holes_destroy(g);
	free(g->holes);
	guest_replace_fini(g);
	state_fini(&g->kept);
	if (g->show != NULL)
		fclose(g->show);
	free(g->shown);
	free(g->conf);
	nfv_conf_close(g->doc);
	nfv_segment_fini(&g->pool);
	guest_finds_close(g);
	guest_unmap(g);
	free(g);
}

static int
children_signal(void)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	return signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

int
nfv_guest_run(int sock, struct nfv_err *err)
{
	static const struct nfv_wire_hello hello = { .abi = NFV_WIRE_ABI };
	struct guest *g = aligned_alloc(64, (sizeof(*g) + 63) / 64 * 64);
	int children = children_signal(), rc;

	if (g == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	memset(g, 0, sizeof(*g));
	rc = nfv_wire_send(sock, NFV_WIRE_HELLO, &hello, sizeof(hello), NULL, 0, err);
	if (rc == 0)
		rc = nfv_wire_recv(sock, true, &g->config, err);
	if (rc == 1) {
		rc = g->config.type == NFV_WIRE_CONFIG ?
			set_up(g, err) :
			nfv_fail(err, EPROTO, "the manager says what it must not");
		nfv_wire_close(&g->config);
		if (rc < 0)
			report_failed(sock, err);
		if (rc == 0)
			rc = report_ready(g, sock, err);
		if (rc == 0)
			rc = serve(g, sock, children, err);
	}
	free_guest(g);
	close(children);
	close(sock);
	return rc;
}
