/** @file  The addresses by which devices know pages of a region. */
#ifndef DMA_H
#define DMA_H

#include <rte_common.h>

#include "mpc_region.h"

/** RTE_BAD_IOVA: devices are given physical addresses, and this page has none that stays. */
rte_iova_t dma_iova(const struct mpc_region *r, const uint8_t *page);

#endif
