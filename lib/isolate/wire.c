#define _GNU_SOURCE /* MSG_CMSG_CLOEXEC */
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "nfv_wire.h"

struct head {
	uint32_t abi, type;
};

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(int) * NFV_WIRE_FDS)];
};

/* Least and most bytes of a body, and of descriptors that come with it. */
static const struct {
	uint32_t least, most, fds, fds_most;
} shape[NFV_WIRE_TYPES] = {
	[NFV_WIRE_HELLO] = { sizeof(struct nfv_wire_hello), sizeof(struct nfv_wire_hello), 0, 0 },
	[NFV_WIRE_CONFIG] = { sizeof(struct nfv_wire_config), NFV_WIRE_MAX, 1, 4 },
	[NFV_WIRE_READY] = { sizeof(struct nfv_wire_ready), sizeof(struct nfv_wire_ready), 0, 0 },
	[NFV_WIRE_FAILED] = { 1, sizeof(((struct nfv_err *)NULL)->text) - 1, 0, 0 },
	[NFV_WIRE_FORK] = { sizeof(uint32_t), sizeof(uint32_t), 3, 4 },
	[NFV_WIRE_FORKED] = { sizeof(struct nfv_wire_forked), sizeof(struct nfv_wire_forked), 1,
		1 },
	[NFV_WIRE_EXITED] = { sizeof(struct nfv_wire_forked), sizeof(struct nfv_wire_forked), 0,
		0 },
	[NFV_WIRE_GO] = { sizeof(struct nfv_wire_go), sizeof(struct nfv_wire_go), 0, 0 },
	[NFV_WIRE_STATE] = { sizeof(struct nfv_wire_state), sizeof(struct nfv_wire_state), 0, 0 },
	[NFV_WIRE_SHOW] = { 0, 0, 0, 0 },
	[NFV_WIRE_SHOWN] = { 0, NFV_WIRE_MAX, 0, 0 },
	[NFV_WIRE_STOP] = { 0, 0, 0, 0 },
	[NFV_WIRE_GIVE] = { sizeof(struct nfv_wire_give), sizeof(struct nfv_wire_give), 0, 0 },
	[NFV_WIRE_TAKE] = { sizeof(struct nfv_wire_give), sizeof(struct nfv_wire_give), 0, 0 },
	[NFV_WIRE_NEAR] = { 0, 0, 0, 0 },
	[NFV_WIRE_RESUME] = { 0, 0, 0, 0 },
};

static size_t
on_a_line(size_t at)
{
	return (at + 127) / 128 * 128;
}

struct nfv_wire_layout
nfv_wire_layout(const struct nfv_wire_config *c)
{
	struct nfv_wire_layout l = { .in = sizeof(struct nfv_wire_shared) };

	l.out = on_a_line(l.in + nfv_ring_bytes(c->ring));
	l.empty = on_a_line(l.out + nfv_ring_bytes(c->empties));
	l.rooms = on_a_line(l.empty + nfv_ring_bytes(c->empties));
	l.holes = on_a_line(
		l.rooms + (c->access == NFV_READS ? (size_t)c->empties * NFV_WIRE_ROOM : 0));
	l.ended = on_a_line(l.holes + (c->pinholes > 0 ? nfv_ring_bytes(NFV_HOLE_RING) : 0));
	l.large = on_a_line(l.ended + (c->pinholes > 0 ? nfv_ring_bytes(NFV_HOLE_ENDED) : 0));
	l.size = l.large + (c->large != 0 ? (size_t)2 * NFV_LARGE_MAX * NFV_WIRE_LARGE : 0);
	return l;
}

int
nfv_wire_send(int sock, enum nfv_wire_type type, const void *body, uint32_t len, const int *fd,
	uint32_t n_fd, struct nfv_err *err)
{
	struct head head = { NFV_WIRE_ABI, type };
	struct iovec part[2] = { { &head, sizeof(head) }, { (void *)(uintptr_t)body, len } };
	struct msghdr msg = { .msg_iov = part, .msg_iovlen = 2 };
	union control control = { .room = { 0 } };

	if (n_fd > 0) {
		struct cmsghdr *c = &control.align;

		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fd);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fd);
		memcpy(CMSG_DATA(c), fd, sizeof(int) * n_fd);
	}
	if (sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return nfv_fail(err, errno, "a message cannot be sent: %s", strerror(errno));
	return 0;
}

/* All descriptors that came, however they were parcelled, so that none leaks. */
static void
take_fds(struct msghdr *msg, struct nfv_wire_msg *m)
{
	m->n_fd = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (m->n_fd < NFV_WIRE_FDS)
				m->fd[m->n_fd++] = fd;
			else
				close(fd);
		}
	}
}

int
nfv_wire_recv(int sock, bool wait, struct nfv_wire_msg *m, struct nfv_err *err)
{
	struct head head = { 0 };
	struct iovec part[2] = { { &head, sizeof(head) }, { m->body, NFV_WIRE_MAX } };
	union control control;
	struct msghdr msg = { .msg_iov = part,
		.msg_iovlen = 2,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
	const char *why;

	m->n_fd = 0;
	if (n < 0 && errno == ECONNRESET)
		return 0;
	if (n < 0)
		return nfv_fail(err, errno, "no message can be taken: %s", strerror(errno));
	take_fds(&msg, m);
	/* An empty message reads like the end, and nobody here sends one. */
	if (n == 0 && m->n_fd == 0)
		return 0;
	m->type = head.type;
	m->len = n > (ssize_t)sizeof(head) ? (uint32_t)n - (uint32_t)sizeof(head) : 0;
	m->body[m->len] = 0;
	if ((size_t)n < sizeof(head))
		why = "it is shorter than its head";
	else if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		why = "it is longer than any";
	else if (head.abi != NFV_WIRE_ABI)
		why = "it is of another version of the programs";
	else if (head.type == 0 || head.type >= NFV_WIRE_TYPES)
		why = "its type is unknown";
	else if (m->len < shape[head.type].least || m->len > shape[head.type].most)
		why = "its length is wrong";
	else if (m->n_fd < shape[head.type].fds || m->n_fd > shape[head.type].fds_most)
		why = "it has not the descriptors that belong to it";
	else
		return 1;
	nfv_wire_close(m);
	return nfv_fail(err, EPROTO, "a message is refused: %s", why);
}

void
nfv_wire_close(struct nfv_wire_msg *m)
{
	for (uint32_t i = 0; i < m->n_fd; i++)
		if (m->fd[i] >= 0)
			close(m->fd[i]);
	m->n_fd = 0;
}

/* Offsets of the parts behind the head; false: one of them is too long. */
static bool
parts(const struct nfv_wire_config *c, size_t at[5])
{
	const size_t size[4] = { sizeof(struct nfv_prefix), sizeof(struct nfv_prefix),
		sizeof(struct nfv_toward), 1 };
	const uint32_t n[4] = { c->n_own[0], c->n_own[1], c->n_toward, c->n_text };

	at[0] = sizeof(*c);
	for (int i = 0; i < 4; i++) {
		if (n[i] > (i < 3 ? NFV_WIRE_LIST : NFV_WIRE_MAX))
			return false;
		at[i + 1] = at[i] + (n[i] * size[i] + 7) / 8 * 8;
	}
	return at[4] <= NFV_WIRE_MAX;
}

int
nfv_wire_pack(const struct nfv_wire_told *told, uint8_t to[NFV_WIRE_MAX], struct nfv_err *err)
{
	const struct nfv_wire_config *c = &told->c;
	size_t at[5];

	if (!parts(c, at))
		return nfv_fail(err, E2BIG,
			"stage %s: its configuration of %u bytes, %u addresses and %u routes is "
			"too much to hand over: at most %u bytes in all, %u of each",
			c->stage, c->n_text, c->n_own[0] + c->n_own[1], c->n_toward, NFV_WIRE_MAX,
			NFV_WIRE_LIST);
	memset(to, 0, at[4]);
	memcpy(to, c, sizeof(*c));
	for (int i = 0; i < 2; i++)
		if (c->n_own[i] > 0)
			memcpy(to + at[i], told->own[i], c->n_own[i] * sizeof(*told->own[i]));
	if (c->n_toward > 0)
		memcpy(to + at[2], told->toward, c->n_toward * sizeof(*told->toward));
	if (c->n_text > 0)
		memcpy(to + at[3], told->text, c->n_text);
	return (int)at[4];
}

static bool
is_name(const char *s, size_t size)
{
	return memchr(s, 0, size) != NULL;
}

static bool
is_prefix(const struct nfv_prefix *p)
{
	return (p->addr.family == 4 && p->len <= 32) || (p->addr.family == 6 && p->len <= 128);
}

static bool
is_power(uint32_t n, uint32_t most)
{
	return n > 0 && n <= most && (n & (n - 1)) == 0;
}

static const char *
wrong(const struct nfv_wire_told *t)
{
	const struct nfv_wire_config *c = &t->c;

	if (!is_name(c->stage, sizeof(c->stage)) || !is_name(c->chain, sizeof(c->chain)) ||
		!is_name(c->file, sizeof(c->file)))
		return "a name has no end";
	if (c->access > NFV_WRITES || c->tsc_hz == 0)
		return "access or clock is wrong";
	if (c->shards > 0 && c->shard >= c->shards)
		return "there is no such shard";
	if (c->stride == 0 || c->stride > UINT16_MAX || c->buffers == 0 ||
		(uint64_t)c->buffers * c->stride > c->pool_size)
		return "the pool is smaller than its buffers";
	if (!is_power(c->ring, NFV_RING_MAX) || !is_power(c->empties, c->ring))
		return "the rings' sizes are no powers of two";
	for (int i = 0; i < 2; i++)
		for (uint32_t k = 0; k < c->n_own[i]; k++)
			if (!is_prefix(&t->own[i][k]))
				return "an address is wrong";
	for (uint32_t k = 0; k < c->n_toward; k++)
		if (!is_prefix(&t->toward[k].prefix) || t->toward[k].dir > NFV_INWARD)
			return "a route is wrong";
	return NULL;
}

int
nfv_wire_unpack(const struct nfv_wire_msg *m, struct nfv_wire_told *told, struct nfv_err *err)
{
	struct nfv_wire_told t;
	const char *why = "its parts are longer than it is";
	size_t at[5];

	memcpy(&t.c, m->body, sizeof(t.c));
	if (!parts(&t.c, at) || at[4] != m->len)
		goto fail;
	for (int i = 0; i < 2; i++)
		t.own[i] = (const struct nfv_prefix *)(m->body + at[i]);
	t.toward = (const struct nfv_toward *)(m->body + at[2]);
	t.text = (const char *)m->body + at[3];
	why = wrong(&t);
	if (why != NULL)
		goto fail;
	*told = t;
	return 0;
fail:
	return nfv_fail(err, EPROTO, "the stage's configuration is refused: %s", why);
}
