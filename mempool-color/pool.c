#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_mbuf.h>

#include "dma.h"
#include "mpc_pool.h"

#define LINE    64u
#define COLOURS 65 /* and none */

/* A page of the pool, and the one that takes its place, into which its buffers move one by one. */
struct place {
	uint8_t *page, *to;        /* to: NULL if it stays */
	uint16_t start, to_start;  /* bytes in the page to its first buffer */
	uint16_t buffers, to_move; /* of the pool's mbufs; of them: still in `page` */
};

struct mpc_pool {
	struct rte_mempool *mp;
	struct mpc_arena *arena;
	struct mpc_pool_fit fit;
	struct place *place;
	uint32_t *
		place_of; /* by the region's pages: the place + 1 whose page, or page to be, it is */
	uint32_t pages, mbufs;
	uint32_t nth[COLOURS]; /* pages of a colour so far, for the stagger */
	uint32_t leaving;      /* places that move */
	uint16_t data_room;
};

struct mpc_pool_fit
mpc_pool_fit(uint16_t data_room, uint32_t per_page)
{
	uint32_t lines = (data_room + LINE - 1u) / LINE, all = MPC_PAGE / LINE, n;

	if (lines == 0 || lines > all)
		return (struct mpc_pool_fit){ 0, 0, 0 };
	n = all / lines;
	if (per_page > 0 && per_page < n)
		n = per_page;
	return (struct mpc_pool_fit){ .per_page = (uint16_t)n,
		.stride = (uint16_t)(lines * LINE),
		.spare = (uint16_t)(all - n * lines) };
}

static int
check(const struct mpc_pool_conf *c, struct nfv_err *err)
{
	if (c->data_room <= RTE_PKTMBUF_HEADROOM)
		return nfv_fail(err, EINVAL,
			"pool %s: a data room of %u bytes is all headroom, which takes %u", c->name,
			c->data_room, RTE_PKTMBUF_HEADROOM);
	if (c->mbufs == 0)
		return nfv_fail(err, EINVAL, "pool %s: no mbufs are asked for", c->name);
	if (c->cache > RTE_MEMPOOL_CACHE_MAX_SIZE || c->cache + c->cache / 2 > c->mbufs)
		return nfv_fail(err, EINVAL,
			"pool %s: a cache of %u mbufs is too large: at most %u, and two thirds of "
			"the %u mbufs",
			c->name, c->cache, RTE_MEMPOOL_CACHE_MAX_SIZE, c->mbufs);
	if (c->priv % RTE_MBUF_PRIV_ALIGN != 0)
		return nfv_fail(err, EINVAL,
			"pool %s: private room of %u bytes is no multiple of %u", c->name, c->priv,
			RTE_MBUF_PRIV_ALIGN);
	return 0;
}

/*
 * Where in a page that is new to the pool its first buffer starts. The stagger counts pages of the
 * same colour: colours come in turns, so counting all pages could give each colour but a few of the
 * starts.
 */
static uint16_t
stagger(struct mpc_pool *p, const uint8_t *page)
{
	uint16_t c = mpc_arena_colour(p->arena, page);
	uint32_t nth = p->nth[c == MPC_NO_COLOUR ? COLOURS - 1 : c]++;

	return (uint16_t)(nth % (p->fit.spare + 1u) * LINE);
}

static rte_iova_t
iova_of(const struct mpc_pool *p, uint8_t *page, uint16_t at)
{
	rte_iova_t iova = dma_iova(mpc_arena_region(p->arena), page);

	return iova == RTE_BAD_IOVA ? RTE_BAD_IOVA : iova + at;
}

static uint32_t *
place_of(const struct mpc_pool *p, const void *at)
{
	const struct mpc_region *r = mpc_arena_region(p->arena);

	return &p->place_of[(size_t)((const uint8_t *)at - r->base) / MPC_PAGE];
}

/* One entry a page, whose buffers the mbufs take in this order. */
static struct rte_pktmbuf_extmem *
lay_out(struct mpc_pool *p)
{
	struct rte_pktmbuf_extmem *ext = calloc(p->pages, sizeof(*ext));
	uint32_t left = p->mbufs;

	for (uint32_t i = 0; i < p->pages && ext != NULL; i++) {
		struct place *at = &p->place[i];

		at->start = stagger(p, at->page);
		at->buffers = (uint16_t)(left < p->fit.per_page ? left : p->fit.per_page);
		left -= at->buffers;
		*place_of(p, at->page) = i + 1;
		ext[i].buf_ptr = at->page + at->start;
		ext[i].buf_iova = iova_of(p, at->page, at->start);
		ext[i].buf_len = (size_t)p->fit.per_page * p->fit.stride;
		ext[i].elt_size = p->fit.stride;
	}
	return ext;
}

static int
make(struct mpc_pool *p, const struct mpc_pool_conf *c, struct nfv_err *err)
{
	struct rte_pktmbuf_extmem *ext = lay_out(p);
	int code;

	if (ext == NULL)
		return nfv_fail(err, ENOMEM, "pool %s: out of memory", c->name);
	/* It reads the entries while it sets the mbufs up, and not later. */
	p->mp = rte_pktmbuf_pool_create_extbuf(
		c->name, c->mbufs, c->cache, c->priv, c->data_room, c->socket, ext, p->pages);
	code = rte_errno;
	free(ext);
	if (p->mp != NULL)
		return 0;
	if (code == EEXIST)
		return nfv_fail(err, EEXIST, "pool %s: there is a mempool of this name", c->name);
	if (code == ENOMEM)
		return nfv_fail(err, ENOMEM,
			"pool %s: DPDK has no memory for %u mbufs; give it more, or ask for fewer",
			c->name, c->mbufs);
	return nfv_fail(err, code, "pool %s: %s", c->name, rte_strerror(code));
}

static int
take_pages(struct mpc_pool *p, const struct mpc_pool_conf *c, struct nfv_err *err)
{
	uint8_t **page = calloc(p->pages, sizeof(*page));
	int rc = -ENOMEM;

	p->place = calloc(p->pages, sizeof(*p->place));
	p->place_of = calloc(mpc_arena_region(c->arena)->pages, sizeof(*p->place_of));
	if (page == NULL || p->place == NULL || p->place_of == NULL)
		nfv_fail(err, ENOMEM, "pool %s: out of memory", c->name);
	else if ((rc = mpc_arena_take(c->arena, c->colours, p->pages, page, err)) < 0)
		rc = nfv_fail_in(err, rc, "pool %s of %u mbufs, %u a page", c->name, c->mbufs,
			p->fit.per_page);
	for (uint32_t i = 0; i < p->pages && rc == 0; i++)
		p->place[i].page = page[i];
	free(page);
	return rc;
}

int
mpc_pool_create(const struct mpc_pool_conf *c, struct mpc_pool **out, struct nfv_err *err)
{
	struct mpc_pool_fit fit = mpc_pool_fit(c->data_room, c->per_page);
	struct mpc_pool *p;
	int rc = check(c, err);

	if (rc < 0)
		return rc;
	if (fit.per_page == 0)
		return nfv_fail(err, EINVAL,
			"pool %s: a buffer of %u bytes does not lie in one page of %u", c->name,
			c->data_room, MPC_PAGE);
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return nfv_fail(err, ENOMEM, "pool %s: out of memory", c->name);
	p->arena = c->arena;
	p->data_room = c->data_room;
	p->mbufs = c->mbufs;
	p->fit = fit;
	p->pages = (c->mbufs - 1) / fit.per_page + 1;
	rc = take_pages(p, c, err);
	if (rc == 0)
		rc = make(p, c, err);
	if (rc < 0)
		goto fail;
	*out = p;
	return 0;
fail:
	mpc_pool_destroy(p);
	return rc;
}

void
mpc_pool_destroy(struct mpc_pool *p)
{
	if (p == NULL)
		return;
	rte_mempool_free(p->mp);
	for (uint32_t i = 0; i < p->pages && p->place != NULL; i++) {
		mpc_arena_give(p->arena, &p->place[i].page, p->place[i].page != NULL);
		mpc_arena_give(p->arena, &p->place[i].to, p->place[i].to != NULL);
	}
	free(p->place);
	free(p->place_of);
	free(p);
}

struct rte_mempool *
mpc_pool_mempool(const struct mpc_pool *p)
{
	return p->mp;
}

struct mpc_pool_usage
mpc_pool_usage(const struct mpc_pool *p)
{
	struct mpc_pool_usage u = { .pages = (uint64_t)p->pages * MPC_PAGE,
		.data = (uint64_t)p->mbufs * p->data_room,
		.stagger = (uint64_t)p->pages * p->fit.spare * LINE };

	u.rest = u.pages - u.data - u.stagger;
	return u;
}

void
mpc_pool_have(const struct mpc_pool *p, uint32_t have[MPC_POOL_COLOURS])
{
	memset(have, 0, MPC_POOL_COLOURS * sizeof(*have));
	for (uint32_t i = 0; i < p->pages; i++) {
		const struct place *at = &p->place[i];
		uint16_t c = mpc_arena_colour(p->arena, at->to != NULL ? at->to : at->page);

		if (c != MPC_NO_COLOUR)
			have[c]++;
	}
}

/* A free page of some colour of which there are too few; NULL: there is none. */
static uint8_t *
page_wanted(const struct mpc_pool *p, const uint32_t *want, const uint32_t *have)
{
	uint8_t *page = NULL;

	for (unsigned int c = 0; c < MPC_POOL_COLOURS && page == NULL; c++)
		if (have[c] < want[c])
			mpc_arena_take(p->arena, (mpc_colours)1 << c, 1, &page, NULL);
	return page;
}

/* Have places whose pages are of colours of which there are too many move; how many pages are too
 * many in the end. */
static uint32_t
choose(struct mpc_pool *p, const uint32_t *want, mpc_colours aside)
{
	uint32_t have[MPC_POOL_COLOURS], too_many = 0;

	mpc_pool_have(p, have);
	for (uint32_t i = 0; i < p->pages; i++) {
		struct place *at = &p->place[i];
		uint16_t c = mpc_arena_colour(p->arena, at->page), will;

		if (at->to != NULL || (c != MPC_NO_COLOUR && have[c] <= want[c]))
			continue;
		at->to = page_wanted(p, want, have);
		if (at->to == NULL && c != MPC_NO_COLOUR && aside >> c & 1) {
			mpc_arena_take(p->arena, MPC_ALL_COLOURS, 1, &at->to, NULL);
			aside = 0;
		}
		if (at->to == NULL) {
			too_many++;
			if (c != MPC_NO_COLOUR)
				have[c]--; /* counted */
			continue;
		}
		at->to_start = stagger(p, at->to);
		at->to_move = at->buffers;
		*place_of(p, at->to) = i + 1;
		p->leaving++;
		if (c != MPC_NO_COLOUR)
			have[c]--;
		will = mpc_arena_colour(p->arena, at->to);
		if (will != MPC_NO_COLOUR)
			have[will]++;
	}
	return too_many;
}

/* Nobody has this mbuf, so it can be given another buffer. */
static void
re_point(struct mpc_pool *p, struct rte_mbuf *m)
{
	struct place *at = &p->place[*place_of(p, m->buf_addr) - 1];
	uint16_t offset = (uint16_t)((uintptr_t)m->buf_addr % MPC_PAGE);

	if (at->to == NULL || (uint8_t *)m->buf_addr < at->page ||
		(uint8_t *)m->buf_addr >= at->page + MPC_PAGE)
		return; /* it stays, or has moved already */
	offset = (uint16_t)(offset - at->start + at->to_start);
	m->buf_addr = at->to + offset;
	rte_mbuf_iova_set(m, iova_of(p, at->to, offset));
	if (--at->to_move > 0)
		return;
	*place_of(p, at->page) = 0;
	mpc_arena_give(p->arena, &at->page, 1);
	at->page = at->to;
	at->start = at->to_start;
	at->to = NULL;
	p->leaving--;
}

uint32_t
mpc_pool_recolour(struct mpc_pool *p, const uint32_t want[MPC_POOL_COLOURS], mpc_colours aside,
	uint32_t budget)
{
	enum { AT_ONCE = 32 };
	uint32_t too_many = choose(p, want, aside);
	void *m[AT_ONCE];

	/* The mempool is a ring: what is put back comes round last. */
	while (p->leaving > 0 && budget > 0) {
		/* Outside of caches, unlike rte_mempool_avail_count. */
		uint32_t n = rte_mempool_get_ops(p->mp->ops_index)->get_count(p->mp) / 4;

		n = n < AT_ONCE ? n : AT_ONCE;
		n = n < budget ? n : budget;
		if (n == 0 || rte_mempool_generic_get(p->mp, m, n, NULL) < 0)
			break;
		for (uint32_t i = 0; i < n; i++)
			re_point(p, m[i]);
		rte_mempool_generic_put(p->mp, m, n, NULL);
		budget -= n;
	}
	return too_many + p->leaving;
}
