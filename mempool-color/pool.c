#include <stdlib.h>

#include <rte_errno.h>
#include <rte_mbuf.h>

#include "dma.h"
#include "mpc_pool.h"

#define LINE    64u
#define COLOURS 65 /* and none */

struct mpc_pool {
	struct rte_mempool *mp;
	struct mpc_arena *arena;
	struct mpc_pool_fit fit;
	uint8_t **page;
	uint32_t pages, mbufs;
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
 * One entry a page. The stagger counts pages of the same colour: colours come in turns, so counting
 * all pages could give each colour but a few of the starts.
 */
static struct rte_pktmbuf_extmem *
lay_out(const struct mpc_pool *p)
{
	struct rte_pktmbuf_extmem *ext = calloc(p->pages, sizeof(*ext));
	const struct mpc_region *region = mpc_arena_region(p->arena);
	uint32_t before[COLOURS] = { 0 };

	for (uint32_t i = 0; i < p->pages && ext != NULL; i++) {
		uint16_t c = mpc_arena_colour(p->arena, p->page[i]);
		uint32_t nth = before[c == MPC_NO_COLOUR ? COLOURS - 1 : c]++;
		uint32_t at = nth % (p->fit.spare + 1u) * LINE;
		rte_iova_t iova = dma_iova(region, p->page[i]);

		ext[i].buf_ptr = p->page[i] + at;
		ext[i].buf_iova = iova == RTE_BAD_IOVA ? RTE_BAD_IOVA : iova + at;
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

int
mpc_pool_create(const struct mpc_pool_conf *c, struct mpc_pool **out, struct nfv_err *err)
{
	struct mpc_pool_fit fit = mpc_pool_fit(c->data_room, c->per_page);
	struct mpc_pool *p;
	uint8_t **page;
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
	page = calloc(p->pages, sizeof(*page));
	if (page == NULL) {
		rc = nfv_fail(err, ENOMEM, "pool %s: out of memory", c->name);
		goto fail;
	}
	rc = mpc_arena_take(c->arena, c->colours, p->pages, page, err);
	if (rc < 0) {
		free(page);
		rc = nfv_fail_in(err, rc, "pool %s of %u mbufs, %u a page", c->name, c->mbufs,
			p->fit.per_page);
		goto fail;
	}
	p->page = page;
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
	if (p->page != NULL)
		mpc_arena_give(p->arena, p->page, p->pages);
	free(p->page);
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
