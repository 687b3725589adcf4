#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_memory.h>

#include "nfv_isolate_pool.h"

int
nfv_isolate_pool_init(struct nfv_isolate_pool *p, const char *name, uint32_t buffers,
	uint32_t stride, uint32_t cache, bool stages_write, int socket, struct nfv_err *err)
{
	struct rte_pktmbuf_extmem ext;
	int rc;

	*p = (struct nfv_isolate_pool){ .stride = stride, .buffers = buffers };
	if (stride % 64 != 0 || stride <= RTE_PKTMBUF_HEADROOM || stride > UINT16_MAX)
		return nfv_fail(err, EINVAL,
			"pool %s: buffers of %u bytes are not possible: a multiple of 64 between "
			"%u and %u",
			name, stride, RTE_PKTMBUF_HEADROOM, UINT16_MAX);
	rc = nfv_segment_create(name, (size_t)buffers * stride, true, &p->segment, err);
	if (rc == 0)
		rc = nfv_segment_seal(&p->segment, !stages_write, err);
	if (rc < 0)
		goto fail;
	if (rte_extmem_register(p->segment.at, p->segment.size, NULL, 0, p->segment.page) < 0) {
		rc = nfv_fail(err, rte_errno, "pool %s: DPDK does not take its memory: %s", name,
			rte_strerror(rte_errno));
		goto fail;
	}
	p->registered = true;
	ext = (struct rte_pktmbuf_extmem){ .buf_ptr = p->segment.at,
		.buf_iova = rte_eal_iova_mode() == RTE_IOVA_VA ? (rte_iova_t)p->segment.at :
								 RTE_BAD_IOVA,
		.buf_len = (size_t)buffers * stride,
		.elt_size = (uint16_t)stride };
	p->mp = rte_pktmbuf_pool_create_extbuf(
		name, buffers, cache, 0, (uint16_t)stride, socket, &ext, 1);
	if (p->mp != NULL)
		return 0;
	rc = nfv_fail(err, rte_errno, "pool %s of %u buffers: %s", name, buffers,
		rte_strerror(rte_errno));
fail:
	nfv_isolate_pool_fini(p);
	return rc;
}

void
nfv_isolate_pool_fini(struct nfv_isolate_pool *p)
{
	rte_mempool_free(p->mp);
	if (p->registered)
		rte_extmem_unregister(p->segment.at, p->segment.size);
	nfv_segment_fini(&p->segment);
	*p = (struct nfv_isolate_pool){ .mp = NULL };
}

static uint32_t
take(void *arg, struct nfv_pkt *p, uint32_t n)
{
	struct rte_mbuf *m[NFV_BURST_MAX];

	if (n > NFV_BURST_MAX)
		n = NFV_BURST_MAX;
	if (rte_pktmbuf_alloc_bulk(arg, m, n) != 0)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		p[i] = (struct nfv_pkt){ .data = rte_pktmbuf_mtod(m[i], uint8_t *),
			.buf = m[i],
			.len = NFV_ETH_LEN,
			.l3 = NFV_ETH_LEN,
			.headroom = rte_pktmbuf_headroom(m[i]),
			.tailroom = (uint16_t)(rte_pktmbuf_tailroom(m[i]) - NFV_ETH_LEN) };
	return n;
}

/* A large buffer has no room in front: all of its 16 bits of length are the packet's. */
static bool
take_large(void *large, struct nfv_pkt *p)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(large);

	if (m == NULL)
		return false;
	m->data_off = 0;
	*p = (struct nfv_pkt){ .data = rte_pktmbuf_mtod(m, uint8_t *),
		.buf = m,
		.len = NFV_ETH_LEN,
		.l3 = NFV_ETH_LEN,
		.tailroom = (uint16_t)(rte_pktmbuf_tailroom(m) - NFV_ETH_LEN) };
	return true;
}

static void
give(void *arg, void *const *buf, uint32_t n)
{
	(void)arg; /* each knows its pool */
	rte_pktmbuf_free_bulk((struct rte_mbuf **)(uintptr_t)buf, n);
}

struct nfv_isolated_pool
nfv_isolate_pool_of(struct nfv_isolate_pool *p)
{
	return (struct nfv_isolated_pool){ .segment = &p->segment,
		.stride = p->stride,
		.buffers = p->buffers,
		.arg = p->mp,
		.take = take,
		.give = give,
		.take_large = p->large != NULL ? take_large : NULL,
		.large = p->large };
}
