#include <stdlib.h>
#include <string.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_memory.h>

#include "dma.h"
#include "mpc_pool.h"

#define HUGE (2u << 20)

static bool
physical(void)
{
	return rte_eal_iova_mode() == RTE_IOVA_PA;
}

rte_iova_t
dma_iova(const struct mpc_region *r, const uint8_t *page)
{
	if (!physical())
		return (uintptr_t)page;
	/* The kernel may move any but the huge pages of a memfd. */
	return r->kind == MPC_PAGES_HUGE ? rte_mem_virt2iova(page) : RTE_BAD_IOVA;
}

int
mpc_pool_region_attach(const struct mpc_region *r, struct nfv_err *err)
{
	size_t size = r->kind == MPC_PAGES_HUGE ? HUGE : MPC_PAGE;
	uint32_t n = (uint32_t)(r->size / size);
	rte_iova_t *iova = malloc(n * sizeof(*iova));
	int code = 0;

	if (iova == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	for (uint32_t i = 0; i < n; i++)
		iova[i] = dma_iova(r, r->base + i * size);
	if (rte_extmem_register(r->base, r->size, iova, n, size) < 0)
		code = rte_errno;
	free(iova);
	/* DPDK says so of the very same stretch only. */
	if (code == 0 || code == EEXIST)
		return 0;
	return nfv_fail(err, code, "DPDK does not take the region of %zu MiB: %s", r->size >> 20,
		rte_strerror(code));
}

/* NULL: there is no such port. */
static struct rte_device *
device_of(uint16_t port)
{
	struct rte_eth_dev_info info;

	return rte_eth_dev_is_valid_port(port) && rte_eth_dev_info_get(port, &info) == 0 ?
		info.device :
		NULL;
}

/* Where the IOMMU translates, the region is in one piece; physically only a huge page is. */
static size_t
piece(const struct mpc_region *r)
{
	return physical() ? HUGE : r->size;
}

static void
unmap(const struct mpc_region *r, struct rte_device *dev, size_t end)
{
	for (size_t at = 0; at < end; at += piece(r))
		rte_dev_dma_unmap(dev, r->base + at, dma_iova(r, r->base + at), piece(r));
}

int
mpc_pool_region_map(const struct mpc_region *r, uint16_t port, struct nfv_err *err)
{
	struct rte_device *dev = device_of(port);

	if (dev == NULL)
		return nfv_fail(err, ENODEV, "there is no port %u to map memory for", port);
	/* Virtual devices go by virtual addresses, whatever the mode. */
	if (physical() && strcmp(rte_bus_name(rte_dev_bus(dev)), "vdev") == 0)
		return 0;
	for (size_t at = 0; at < r->size; at += piece(r)) {
		rte_iova_t iova = dma_iova(r, r->base + at);
		int code;

		if (iova == RTE_BAD_IOVA) {
			unmap(r, dev, at);
			return nfv_fail(err, ENOTSUP,
				"%s needs physical addresses, and these pages (%s) have none that stay "
				"or may be known; use vfio-pci with an IOMMU, or 2 MiB huge pages as "
				"root",
				rte_dev_name(dev), mpc_page_kind_name(r->kind));
		}
		rte_errno = 0;
		if (rte_dev_dma_map(dev, r->base + at, iova, piece(r)) == 0 || rte_errno == EEXIST)
			continue;
		code = rte_errno != 0 ? rte_errno : EIO;
		if (code == ENOTSUP) /* the driver finds its own way to the memory */
			return 0;
		unmap(r, dev, at);
		return nfv_fail(err, code,
			"%s cannot be given %zu MiB of packet memory: %s; is the region attached, "
			"and the limit of locked memory (ulimit -l) high enough?",
			rte_dev_name(dev), r->size >> 20, rte_strerror(code));
	}
	return 0;
}

void
mpc_pool_region_unmap(const struct mpc_region *r, uint16_t port)
{
	struct rte_device *dev = device_of(port);

	if (dev != NULL)
		unmap(r, dev, r->size);
}

void
mpc_pool_region_detach(const struct mpc_region *r)
{
	rte_extmem_unregister(r->base, r->size);
}
