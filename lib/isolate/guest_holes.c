/*
 * The stage's pinholes: a table of its own, in the memory that outlives an instance, and word of all that is
 * done to it for the manager, who has the chain's. It is written down during a call of the stage and
 * told behind it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"
#include "nfv_tsc.h"

#define PATIENCE_MS 200 /* with a manager that does not listen; afterwards all is told once more */

static struct nfv_wire_hole
record_of(const struct nfv_pinhole_deed *d)
{
	return (struct nfv_wire_hole){
		.kind = d->what, .idle = d->idle, .owner = d->owner, .hole = d->hole
	};
}

static void
note(void *arg, const struct nfv_pinhole_deed *d)
{
	struct guest_holes *h = arg;

	h->anew |= h->n == HOLES_LOG;
	if (!h->anew)
		h->log[h->n++] = record_of(d);
}

int
guest_holes_create(struct guest *g, struct nfv_err *err)
{
	const struct nfv_wire_config *c = &g->told.c;
	struct guest_holes *h;

	if (c->pinholes == 0 || !g->ops->pinholes)
		return 0;
	h = g->holes = calloc(1, sizeof(*h));
	if (h == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	h->anew = true;
	h->ear = (struct nfv_pinhole_ear){ note, h };
	h->pages = nfv_lender_take(&g->kept.lender, "pinholes", nfv_pinholes_pages(c->pinholes));
	if (nfv_pinholes_create(c->pinholes, &h->pages, &g->kept.lender, c->seed, c->tsc_hz,
		    nfv_tsc(), &h->table, err) < 0)
		return nfv_fail(err, ENOMEM, "no memory for %u pinholes", c->pinholes);
	h->table->ear = &h->ear;
	return 0;
}

void
guest_holes_destroy(struct guest *g)
{
	if (g->holes == NULL)
		return;
	nfv_pinholes_destroy(g->holes->table);
	nfv_lender_give(&g->kept.lender, &g->holes->pages);
}

int
guest_finds_open(struct guest *g, const int fd[2], struct nfv_err *err)
{
	const struct nfv_wire_config *c = &g->told.c;
	const struct nfv_pinholes like = {
		.number = c->finds_number, .key = c->finds_key, .stats.max = c->finds
	};
	size_t n = c->finds <= 1u << 24 ? nfv_pinholes_pages(c->finds) : 0;
	int rc = nfv_segment_attach(fd[0], n * NFV_PAGE, false, &g->finds, err);

	if (rc < 0) {
		close(fd[0]);
		close(fd[1]);
		return rc;
	}
	rc = nfv_segment_attach(fd[1], nfv_pinholes_owners(c->finds), true, &g->marks, err);
	if (rc < 0) {
		close(fd[1]);
		return rc;
	}
	g->finds_pages = (struct nfv_pages){ calloc(n + 1, sizeof(*g->finds_pages.page)), n };
	if (g->finds_pages.page == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		g->finds_pages.page[i] = g->finds.at + i * NFV_PAGE;
	g->finds_set.n = 1;
	return nfv_pinholes_view(&like, &g->finds_pages, g->marks.at, &g->finds_set.table[0], err);
}

void
guest_finds_close(struct guest *g)
{
	nfv_pinholes_destroy(g->finds_set.table[0]);
	free(g->finds_pages.page);
	nfv_segment_fini(&g->finds);
	nfv_segment_fini(&g->marks);
}

/* Room for another record; false: it is not to be had. */
static bool
room(struct guest *g)
{
	struct nfv_ring_end *out = &g->holes->out;
	uint64_t until = nfv_tsc() + g->told.c.tsc_hz / 1000 * PATIENCE_MS;

	while (nfv_ring_room(out, NFV_HOLE_PLACES) < NFV_HOLE_PLACES) {
		if (out->bad || nfv_tsc() > until ||
			atomic_load_explicit(&g->word->order, memory_order_relaxed) ==
				NFV_WIRE_LEAVE)
			return false;
		atomic_fetch_add_explicit(&g->word->beat, 1, memory_order_relaxed);
	}
	return true;
}

static void
say(struct guest *g, const struct nfv_wire_hole *r)
{
	struct nfv_desc d[NFV_HOLE_PLACES] = { { .index = 0 } };
	struct guest_holes *h = g->holes;

	h->anew |= !room(g);
	if (h->anew)
		return;
	memcpy(d, r, sizeof(*r));
	nfv_ring_put(&h->out, d, NFV_HOLE_PLACES);
}

static void
say_deed(void *arg, const struct nfv_pinhole_deed *d)
{
	const struct nfv_wire_hole r = record_of(d);

	say(arg, &r);
}

static void
say_all(struct guest *g)
{
	static const struct nfv_wire_hole begin = { .kind = NFV_HOLE_BEGIN };
	static const struct nfv_wire_hole end = { .kind = NFV_HOLE_END };
	const struct nfv_pinhole_ear ear = { say_deed, g };
	struct guest_holes *h = g->holes;
	uint32_t at = 0;

	h->anew = false;
	say(g, &begin);
	while (!h->anew && nfv_pinholes_repeat(h->table, &at, &ear))
		;
	say(g, &end);
}

void
guest_holes_flush(struct guest *g)
{
	struct guest_holes *h = g->holes;

	if (h->anew)
		say_all(g);
	else
		for (uint32_t i = 0; i < h->n; i++)
			say(g, &h->log[i]);
	h->n = 0;
}

void
guest_holes_ended(struct guest *g)
{
	struct guest_holes *h = g->holes;
	struct nfv_desc d;

	while (nfv_ring_get(&h->ended, &d, 1) == 1)
		nfv_pinhole_close(h->table, (uint64_t)d.index << 32 | d.hash);
}
