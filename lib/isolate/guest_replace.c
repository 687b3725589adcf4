/* An instance that hands its state over to a new version of its stage, and one that takes it. */
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "jail.h"
#include "nfv_tsc.h"

#define FINISH_MS 400u

/* Programs that map objects have it; a static one cannot. */
#pragma weak nfv_object_map
#pragma weak nfv_object_unmap

int
guest_map(struct guest *g, int fd, struct nfv_err *err)
{
	if (nfv_object_map == NULL) {
		close(fd);
		return nfv_fail(err, ENOSYS,
			"this program is linked statically and maps no objects; name "
			"nfv-stage-object as the program");
	}
	jail_code();
	return nfv_object_map(fd, g->told.c.stage, &g->object, err);
}

void
guest_unmap(struct guest *g)
{
	if (nfv_object_unmap != NULL)
		nfv_object_unmap(&g->object);
}

int
guest_replace_init(struct guest *g, struct nfv_err *err)
{
	const struct nfv_handover_of of = { g->ops, g->state, g->table, g->told.c.flows };
	int rc = nfv_giver_init(&g->giver, &of, err);

	return rc == 0 ? nfv_taker_init(&g->taker, &of, err) : rc;
}

void
guest_replace_fini(struct guest *g)
{
	nfv_giver_fini(&g->giver);
	nfv_taker_fini(&g->taker);
}

static uint32_t
tick_now(const struct guest *g)
{
	return (uint32_t)((nfv_tsc() - g->tsc_zero) / g->tsc_per_tick);
}

static void
beat(struct guest *g)
{
	atomic_fetch_add_explicit(&g->word->beat, 1, memory_order_relaxed);
}

/* --- the old one ---------------------------------------------------------------------------------- */

void
guest_give(struct guest *g)
{
	struct nfv_wire_give give;

	memcpy(&give, g->msg.body, sizeof(give));
	g->near = false;
	g->shares = give.shares != 0;
	if (g->outbox.at != NULL)
		nfv_giver_start(&g->giver, (struct nfv_pipe *)(void *)g->outbox.at, give.use);
}

void
guest_resume(struct guest *g)
{
	nfv_giver_stop(&g->giver);
	if (g->holes != NULL)
		g->holes->anew |= g->parked;
	g->parked = false;
}

void
guest_give_some(struct guest *g, uint32_t records)
{
	if (!g->giver.on || !nfv_giver_step(&g->giver, tick_now(g), records) || g->near)
		return;
	g->near = nfv_wire_send(GUEST_SOCK, NFV_WIRE_NEAR, NULL, 0, NULL, 0, NULL) == 0;
}

void
guest_touch(struct guest *g, const struct nfv_burst *b)
{
	for (uint16_t i = 0; i < b->n; i++)
		if (b->pkt[i].rec != NULL)
			nfv_giver_touch(&g->giver, b->pkt[i].family == 6,
				((const struct nfv_flow *)b->pkt[i].rec)->index);
}

struct wait {
	struct guest *g;
	uint64_t until;
};

static bool
patience(void *arg)
{
	const struct timespec soon = { .tv_nsec = GUEST_SOON };
	const struct wait *w = arg;

	beat(w->g);
	if (w->g->shares)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &soon, NULL);
	return nfv_tsc() < w->until;
}

void
guest_last(struct guest *g)
{
	struct wait w = { g, nfv_tsc() + g->told.c.tsc_hz / 1000 * FINISH_MS };

	/* If it cannot be finished, whoever waits for it will not wait for ever. */
	if (g->giver.on)
		nfv_giver_finish(&g->giver, tick_now(g), patience, &w);
	g->parked = true;
}

/* --- the new one ---------------------------------------------------------------------------------- */

/* Whether the manager still is there. */
static bool
wanted(struct guest *g)
{
	int rc = nfv_wire_recv(GUEST_SOCK, false, &g->msg, NULL);

	if (rc == 1)
		nfv_wire_close(&g->msg);
	return rc == -EAGAIN || (rc == 1 && g->msg.type != NFV_WIRE_STOP);
}

bool
guest_take(struct guest *g)
{
	const struct timespec soon = { .tv_nsec = GUEST_SOON };
	struct nfv_pipe *from = (struct nfv_pipe *)(void *)g->inbox.at;
	struct nfv_err err = { "" };
	struct nfv_wire_give give;
	uint32_t n = 0;
	int rc = -EAGAIN;

	memcpy(&give, g->msg.body, sizeof(give));
	if (from == NULL)
		return false;
	/* The old one works meanwhile: before it writes more than there is room for it waits for a reader. */
	while (guest_warm(g)) {
		beat(g);
		if (give.shares)
			clock_nanosleep(CLOCK_MONOTONIC, 0, &soon, NULL);
		if (!wanted(g))
			return false;
	}
	while (rc != 0) {
		if (g->taker.in.pipe != NULL || nfv_pipe_read(from, give.use, &g->taker.in))
			rc = nfv_taker_step(&g->taker, tick_now(g), &err);
		if (rc == -EAGAIN || ++n % 256 == 0)
			beat(g);
		if (rc == -EAGAIN) {
			if (!wanted(g))
				return false;
			clock_nanosleep(CLOCK_MONOTONIC, 0, &soon, NULL);
		} else if (rc < 0) {
			nfv_wire_send(GUEST_SOCK, NFV_WIRE_FAILED, err.text,
				(uint32_t)strlen(err.text), NULL, 0, NULL);
			return false;
		}
	}
	atomic_store_explicit(&g->word->refused, g->taker.refused, memory_order_relaxed);
	atomic_store_explicit(&g->word->taken, 1, memory_order_release);
	return true;
}
