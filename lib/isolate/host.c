/* An isolated stage made and taken down. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "nfv_pipe.h"

#define START_MS   10000
#define CONNECT_MS 30000

static int
check(const struct nfv_isolated_conf *c, struct nfv_err *err)
{
	const struct nfv_isolated_pool *p = &c->pool;

	if (c->ring < EMPTIES || c->ring > NFV_RING_MAX || (c->ring & (c->ring - 1)) != 0)
		return nfv_fail(err, EINVAL,
			"stage %s: a ring of %u places is no power of two from %u to %u",
			c->ops->name, c->ring, EMPTIES, NFV_RING_MAX);
	if (p->stride == 0 || p->stride % 64 != 0 || p->stride > UINT16_MAX || p->buffers == 0 ||
		(uint64_t)p->stride * p->buffers > p->segment->size)
		return nfv_fail(err, EINVAL,
			"stage %s: %u buffers of %u bytes, a multiple of 64, are not what the pool "
			"holds",
			c->ops->name, p->buffers, p->stride);
	if (c->argv == NULL && c->socket == NULL)
		return nfv_fail(err, EINVAL,
			"stage %s: neither a program nor a socket for one to connect to",
			c->ops->name);
	if (strlen(c->ops->name) >= NFV_WIRE_NAME || strlen(c->ctx->chain) >= NFV_WIRE_NAME)
		return nfv_fail(err, EINVAL, "stage %s of chain %s: names have at most %d letters",
			c->ops->name, c->ctx->chain, NFV_WIRE_NAME - 1);
	return 0;
}

static int
pack(struct nfv_isolated *iso, const struct nfv_isolated_conf *c, struct nfv_err *err)
{
	struct nfv_wire_told t = {
		.c = { .access = c->ops->access,
			.buffers = c->pool.buffers,
			.stride = c->pool.stride,
			.pool_size = c->pool.segment->size,
			.ring = c->ring,
			.empties = EMPTIES,
			.tsc_hz = c->ctx->tsc_hz,
			.seed = c->ctx->seed,
			.group_seed = c->ctx->group_seed,
			.shard = c->ctx->shard,
			.shards = c->ctx->shards,
			.timeouts = c->timeouts,
			.flows = c->flows,
			.large = c->pool.take_large != NULL,
			.pinholes = c->ops->pinholes && c->ctx->pinholes != NULL ?
				c->ctx->pinholes->stats.max :
				0,
			.socket = c->ctx->socket,
			.idle_us = c->idle_us,
			.n_own = { c->ctx->n_own[0], c->ctx->n_own[1] },
			.n_toward = c->ctx->n_toward,
			.n_text = c->text != NULL ? (uint32_t)strlen(c->text) : 0 },
		.own = { c->ctx->own[0], c->ctx->own[1] },
		.toward = c->ctx->toward,
		.text = c->text,
	};
	int n;

	finds_tell(c, &t.c);
	iso->finds = t.c.finds > 0;
	snprintf(t.c.stage, sizeof(t.c.stage), "%s", c->ops->name);
	snprintf(t.c.chain, sizeof(t.c.chain), "%s", c->ctx->chain);
	snprintf(t.c.file, sizeof(t.c.file), "%s", c->file != NULL ? c->file : "configuration");
	iso->config = malloc(NFV_WIRE_MAX);
	if (iso->config == NULL)
		return nfv_fail(err, ENOMEM, "stage %s: out of memory", c->ops->name);
	n = nfv_wire_pack(&t, iso->config, err);
	iso->config_len = n > 0 ? (uint32_t)n : 0;
	return n < 0 ? n : 0;
}

/* Until an instance waits, and is offered to the worker. */
static int
first(struct nfv_isolated *iso, struct nfv_err *err)
{
	struct timespec t0, t;

	clock_gettime(CLOCK_MONOTONIC, &t0);
	do {
		nfv_isolated_control(iso, 10);
		if (atomic_load(&iso->next) != NULL)
			return 0;
		clock_gettime(CLOCK_MONOTONIC, &t);
	} while (iso->last.text[0] == 0 && t.tv_sec - t0.tv_sec < START_MS / 1000);
	return nfv_fail(err, EIO, "%s",
		iso->last.text[0] != 0 ? iso->last.text : "an isolated stage does not start");
}

static int
take_object(struct nfv_isolated *iso, const struct nfv_isolated_conf *c, struct nfv_err *err)
{
	if (c->object == NULL)
		return 0;
	iso->now->object = fcntl(c->object->fd, F_DUPFD_CLOEXEC, 3);
	return iso->now->object < 0 ?
		nfv_fail(err, errno, "stage %s: %s", c->ops->name, strerror(errno)) :
		0;
}

/* One for each slot, for ever: what an instance writes when it is replaced. */
static int
make_outboxes(struct nfv_isolated *iso, struct nfv_err *err)
{
	int rc = 0;

	for (int i = 0; i < INSTANCES && rc == 0; i++) {
		struct nfv_segment *s = &iso->slot[i].outbox;

		rc = nfv_segment_create("nfv-state", sizeof(struct nfv_pipe), false, s, err);
		if (rc == 0)
			rc = nfv_segment_seal(s, false, err);
	}
	return rc;
}

static struct nfv_pkt *
flights_alloc(uint32_t n)
{
	struct nfv_pkt *p = aligned_alloc(sizeof(*p), n * sizeof(*p));

	return p != NULL ? memset(p, 0, n * sizeof(*p)) : NULL;
}

static int
worker_init(struct nfv_isolated *iso, struct nfv_err *err)
{
	iso->held = calloc((size_t)HELD * iso->ring, sizeof(*iso->held));
	for (int i = 0; i < INSTANCES && iso->held != NULL; i++) {
		struct instance *in = &iso->slot[i];

		in->on_way = (struct flights){ .at = flights_alloc(iso->ring), .size = iso->ring };
		in->given = (struct flights){ .at = flights_alloc(EMPTIES), .size = EMPTIES };
		if (in->on_way.at == NULL || in->given.at == NULL)
			return nfv_fail(err, ENOMEM, "stage %s: out of memory", iso->ops->name);
	}
	if (iso->held == NULL)
		return nfv_fail(err, ENOMEM, "stage %s: out of memory", iso->ops->name);
	return 0;
}

int
nfv_isolated_create(
	const struct nfv_isolated_conf *c, struct nfv_isolated **out, struct nfv_err *err)
{
	int rc = check(c, err);
	struct nfv_isolated *iso;

	if (rc < 0)
		return rc;
	iso = aligned_alloc(64, (sizeof(*iso) + 63) / 64 * 64);
	if (iso == NULL)
		return nfv_fail(err, ENOMEM, "stage %s: out of memory", c->ops->name);
	memset(iso, 0, sizeof(*iso));
	iso->conf = *c;
	iso->conf.ctx = NULL;
	iso->conf.text = iso->conf.file = NULL;
	if (iso->conf.beat_ms == 0)
		iso->conf.beat_ms = 1000;
	if (iso->conf.connect_ms == 0)
		iso->conf.connect_ms = CONNECT_MS;
	if (iso->conf.progress_ms == 0)
		iso->conf.progress_ms = 1000;
	if (iso->conf.probation_ms == 0)
		iso->conf.probation_ms = 10000;
	iso->conf.object = NULL;
	iso->ops = c->ops;
	iso->pool = c->pool;
	iso->base = c->pool.segment->at;
	iso->reciprocal = ((1ull << 32) + c->pool.stride / 64 - 1) / (c->pool.stride / 64);
	iso->ring = c->ring;
	iso->tsc_hz = c->ctx->tsc_hz;
	iso->on_failure = c->on_failure;
	while (c->ops->drops != NULL && c->ops->drops[iso->drops] != NULL)
		iso->drops++;
	iso->door = -1;
	for (int i = 0; i < 2; i++)
		iso->tmpl[i] =
			(struct template){ .sock = -1, .pidfd = -1, .object = -1, .program = -1 };
	iso->now = &iso->tmpl[0];
	iso->now->argv = c->argv;
	for (int i = 0; i < INSTANCES; i++)
		iso->slot[i].sock = iso->slot[i].pidfd = -1;
	rc = take_object(iso, c, err);
	if (rc == 0)
		rc = make_outboxes(iso, err);
	if (rc == 0)
		rc = pack(iso, c, err);
	if (rc == 0)
		rc = worker_init(iso, err);
	if (rc == 0 && c->ops->pinholes && c->ctx->pinholes != NULL)
		rc = holes_init(iso, c->ctx, err);
	if (rc == 0 && c->argv == NULL)
		rc = iso->door = door_open(c->socket, err);
	if (rc >= 0)
		rc = template_start(iso, iso->now, err);
	if (rc == 0)
		rc = first(iso, err);
	if (rc < 0) {
		nfv_isolated_destroy(iso);
		return rc;
	}
	*out = iso;
	return 0;
}

/* Waited for: a process that still ran could write into buffers that are others' by then. */
static void
stop(struct instance *in)
{
	struct pollfd gone = { .fd = in->pidfd, .events = POLLIN };

	if (in->pidfd >= 0)
		poll(&gone, 1, 1000);
	if (atomic_load(&in->state) != FREE)
		instance_free(in);
}

void
nfv_isolated_destroy(struct nfv_isolated *iso)
{
	if (iso == NULL)
		return;
	for (int i = 0; i < INSTANCES; i++)
		instance_kill(iso, &iso->slot[i]);
	for (int i = 0; i < INSTANCES; i++)
		stop(&iso->slot[i]);
	for (int i = 0; i < 2; i++) {
		template_end(&iso->tmpl[i]);
		template_forget(&iso->tmpl[i]);
	}
	for (int i = 0; i < INSTANCES; i++)
		nfv_segment_fini(&iso->slot[i].outbox);
	door_close(iso->door, iso->conf.socket);
	worker_fini(iso);
	holes_fini(iso);
	free(iso->config);
	free(iso->text);
	free(iso);
}

bool
nfv_isolated_live(const struct nfv_isolated *iso, int *pid)
{
	const struct instance *in = atomic_load(&iso->shown);

	if (in != NULL && pid != NULL)
		*pid = in->pid;
	return in != NULL;
}

bool
nfv_isolated_spare(const struct nfv_isolated *iso)
{
	for (int i = 0; i < INSTANCES; i++)
		if (atomic_load(&iso->slot[i].state) == WARM)
			return true;
	return false;
}

const char *
nfv_isolated_last(const struct nfv_isolated *iso)
{
	return iso->last.text;
}

const struct nfv_isolated_stats *
nfv_isolated_stats(const struct nfv_isolated *iso)
{
	return &iso->stats;
}
