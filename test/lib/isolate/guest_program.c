/*
 * The program that tests start as a stage's process: the real one, or one of those that do what no
 * stage of ours would, without any jail around them.
 */
#define _GNU_SOURCE /* fallocate */
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "nfv_guest.h"
#include "nfv_segment.h"
#include "nfv_wire.h"
#include "stages.h"

#define SOCK 3

/* A crash is to be one, without a report for which there are no system calls. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "handle_segv=0:detect_leaks=0";
}

static struct nfv_wire_msg msg, config;
static struct nfv_wire_told told;
static struct nfv_segment pool, shared;
static struct nfv_wire_shared *word;
static struct nfv_ring_end in, out, empty;
static int sock;

/* Alive, and gives back what there is as it came; `spoil` says how to change it. */
static void
move(void (*spoil)(struct nfv_desc *))
{
	uint32_t n = nfv_ring_filled(&in, 32);

	atomic_fetch_add(&word->beat, 1);
	for (uint32_t i = 0; i < n; i++) {
		struct nfv_desc d = nfv_ring_read(&in, i);

		d.kind = 99; /* nobody is to look at that */
		if (spoil != NULL)
			spoil(&d);
		nfv_ring_answer(&in, i, &d);
	}
	nfv_ring_release(&in, n);
}

static void
wild_index(struct nfv_desc *d)
{
	d->index = 0xfffffff0u;
}

static void
other_index(struct nfv_desc *d)
{
	d->index ^= 1;
}

static void
wild_offset(struct nfv_desc *d)
{
	d->off = 0xffff;
}

static void
wild_length(struct nfv_desc *d)
{
	d->len = (uint16_t)(told.c.stride - d->off + 1);
}

static void
no_length(struct nfv_desc *d)
{
	d->len = 0;
}

static void
wild_verdict(struct nfv_desc *d)
{
	d->verdict = 200;
}

static void
wild_kind(struct nfv_desc *d)
{
	d->kind = 77;
}

static void
moved(struct nfv_desc *d)
{
	d->off += 2;
}

static const struct {
	const char *mode;
	void (*spoil)(struct nfv_desc *);
} spoilers[] = {
	{ "honest", NULL },
	{ "wild-offset", wild_offset },
	{ "wild-length", wild_length },
	{ "no-length", no_length },
	{ "wild-verdict", wild_verdict },
	{ "moved", moved },
};

/* What it has to say of pinholes, over and over, and packets besides; `random`: whatever it may be. */
static _Noreturn void
holes(bool random_kind, uint32_t kind)
{
	struct nfv_wire_layout l = nfv_wire_layout(&told.c);
	struct nfv_ring_end to = nfv_ring_end(shared.at + l.holes, NFV_HOLE_RING);

	for (uint32_t n = 0;; n++) {
		struct nfv_desc d[NFV_HOLE_PLACES];
		struct nfv_wire_hole r;

		move(NULL);
		for (size_t i = 0; i < sizeof(r); i++)
			((uint8_t *)&r)[i] = (uint8_t)random();
		r.kind = random_kind ? (uint32_t)random() % (NFV_HOLE_END + 1) : kind;
		r.owner = (uint64_t)(n % 5 != 0 ? (uint32_t)random() % 40 : (uint32_t)random())
			<< 32;
		r.idle = n % 3 != 0 ? 60 : r.idle;
		if (n % 4 != 0) {
			r.hole.to.family = r.hole.from.family = n % 8 < 4 ? 4 : 6;
			r.hole.proto = 17;
		}
		if (n == 0)
			r = (struct nfv_wire_hole){ .kind = NFV_HOLE_BEGIN };
		memcpy(d, &r, sizeof(r));
		nfv_ring_put(
			&to, d, nfv_ring_room(&to, NFV_HOLE_PLACES) == NFV_HOLE_PLACES ? 3 : 0);
	}
}

static void
long_origin(struct nfv_desc *d)
{
	d->len = NFV_WIRE_ROOM + 1;
}

static void
wild_direction(struct nfv_desc *d)
{
	d->dir = 2;
}

static void
wild_room(struct nfv_desc *d)
{
	d->off = 0;
	d->l3 = NFV_LARGE_MAX + 1;
}

static void
false_room(struct nfv_desc *d)
{
	d->off = 0;
	d->l3 = 1;
}

static const struct {
	const char *mode;
	void (*spoil)(struct nfv_desc *);
} writers[] = {
	{ "long-origin", long_origin },
	{ "short-origin", no_length },
	{ "moved-origin", moved },
	{ "wild-origin", wild_index },
	{ "other-origin", other_index },
	{ "wild-kind", wild_kind },
	{ "wild-room", wild_room },
	{ "false-room", false_room },
	{ "wild-direction", wild_direction },
};

/* Packets move; and an empty one is given back as if it were filled. */
static void
originate(void (*spoil)(struct nfv_desc *))
{
	struct nfv_desc d;

	move(NULL);
	if (nfv_ring_get(&empty, &d, 1) == 0)
		return;
	d.kind = NFV_DESC_ORIGIN;
	d.l3 = 0;
	spoil(&d);
	nfv_ring_put(&out, &d, 1);
}

static void
cut(int fd)
{
	if (ftruncate(fd, 0) == 0)
		raise(SIGUSR1); /* seen as an end nobody expects */
	fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1 << 20);
}

static void
garbage(void)
{
	static const char junk[500] = "junk";

	for (int i = 0; i < 100; i++)
		send(sock, junk, 1 + (size_t)random() % sizeof(junk), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static _Noreturn void
evil(const char *mode)
{
	srandom((unsigned int)getpid());
	for (size_t i = 0; i < sizeof(spoilers) / sizeof(spoilers[0]); i++)
		while (strcmp(mode, spoilers[i].mode) == 0)
			move(spoilers[i].spoil);
	for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++)
		while (strcmp(mode, writers[i].mode) == 0)
			originate(writers[i].spoil);
	if (strcmp(mode, "holes-random") == 0)
		holes(true, 0);
	if (strcmp(mode, "holes-taken") == 0)
		holes(false, NFV_PINHOLE_TAKEN);
	if (strcmp(mode, "holes-wild") == 0)
		holes(false, 0x99);
	if (strcmp(mode, "scribble") == 0)
		for (;; atomic_fetch_add(&word->beat, 1))
			memset(shared.at + 128, 0xff, shared.size - 128);
	if (strcmp(mode, "noise") == 0)
		for (;;)
			for (size_t i = 128; i < shared.size; i++)
				shared.at[i] = (uint8_t)random();
	if (strcmp(mode, "twice") == 0)
		for (;; atomic_fetch_add(&word->beat, 1))
			nfv_ring_release(&in, 2 * nfv_ring_filled(&in, 8));
	if (strcmp(mode, "hoard") == 0)
		for (;;)
			atomic_fetch_add(&word->beat, 1);
	if (strcmp(mode, "false-origin") == 0)
		for (struct nfv_desc d = { .kind = NFV_DESC_ORIGIN, .index = 0x1234 };;) {
			move(NULL);
			nfv_ring_put(&out, &d, 1);
		}
	if (strcmp(mode, "dead") == 0)
		for (;;)
			pause();
	if (strcmp(mode, "cut") == 0) {
		cut(pool.fd);
		cut(shared.fd);
		for (;;)
			move(NULL);
	}
	if (strcmp(mode, "garbage") == 0) {
		garbage();
		for (;;)
			move(NULL);
	}
	if (strcmp(mode, "fork") == 0) {
		for (int i = 0; i < 20; i++)
			if (fork() == 0)
				for (int k = 0; k < 50; k++)
					usleep(100000);
		_exit(0);
	}
	if (strcmp(mode, "allocate") == 0)
		for (;;) {
			char *volatile p = malloc(1 << 20); /* a compiler may do without */

			if (p == NULL)
				abort();
			memset(p, 1, 1 << 20);
		}
	if (strcmp(mode, "random") == 0)
		for (;;) {
			move(NULL);
			if (random() % 100000 == 0)
				raise(random() % 2 ? SIGKILL : SIGSEGV);
		}
	_exit(1);
}

static void
instance(const char *mode)
{
	struct nfv_wire_ready ready = { .access = told.c.access, .drops = 1 };
	struct nfv_wire_layout l = nfv_wire_layout(&told.c);

	sock = msg.fd[1];
	close(SOCK);
	if (nfv_segment_attach(msg.fd[0], l.size, true, &shared, NULL) < 0)
		_exit(2);
	word = (struct nfv_wire_shared *)shared.at;
	in = nfv_ring_end(shared.at + l.in, told.c.ring);
	out = nfv_ring_end(shared.at + l.out, told.c.empties);
	empty = nfv_ring_end(shared.at + l.empty, told.c.empties);
	memcpy(ready.stage, told.c.stage, sizeof(ready.stage));
	nfv_wire_send(sock, NFV_WIRE_READY, &ready, sizeof(ready), NULL, 0, NULL);
	if (nfv_wire_recv(sock, true, &msg, NULL) != 1)
		_exit(0);
	evil(mode);
}

/* `stranger`: a handle of a process that is not its child. */
static void
fork_one(const char *mode)
{
	struct nfv_wire_forked f = { .serial = *(uint32_t *)msg.body };
	pid_t pid = strcmp(mode, "stranger") == 0 ? getppid() : fork();
	int fd;

	if (pid == 0)
		instance(mode);
	f.pid = pid;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	nfv_wire_send(SOCK, NFV_WIRE_FORKED, &f, sizeof(f), &fd, 1, NULL);
	close(fd);
}

static int template(const char *mode)
{
	const struct nfv_wire_hello hello = { .abi = NFV_WIRE_ABI };
	struct nfv_wire_ready ready = { .drops = 1 };

	if (strcmp(mode, "mute") == 0)
		return 0;
	if (strcmp(mode, "babble") == 0)
		return (int)send(SOCK, "blah", 4, 0);
	signal(SIGCHLD, SIG_IGN);
	nfv_wire_send(SOCK, NFV_WIRE_HELLO, &hello, sizeof(hello), NULL, 0, NULL);
	if (nfv_wire_recv(SOCK, true, &config, NULL) != 1 ||
		nfv_wire_unpack(&config, &told, NULL) < 0 ||
		nfv_segment_attach(config.fd[0], told.c.pool_size, told.c.access == NFV_WRITES,
			&pool, NULL) < 0)
		return 1;
	ready.access = strcmp(mode, "liar") == 0 ? 1 - told.c.access : told.c.access;
	memcpy(ready.stage, told.c.stage, sizeof(ready.stage));
	nfv_wire_send(SOCK, NFV_WIRE_READY, &ready, sizeof(ready), NULL, 0, NULL);
	while (nfv_wire_recv(SOCK, true, &msg, NULL) == 1) {
		if (msg.type == NFV_WIRE_FORK)
			fork_one(mode);
		nfv_wire_close(&msg);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct nfv_err err = { "" };

	if (argc > 2 && strcmp(argv[1], "connect") == 0) {
		int to = nfv_guest_connect(argv[2], &err);

		return to < 0 || nfv_guest_run(to, &err) < 0;
	}
	if (argc > 1 && strcmp(argv[1], "stage") != 0)
		return template(argv[1]);
	return nfv_guest_run(SOCK, &err) < 0;
}
