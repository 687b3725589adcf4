/** @file  Where DPDK 22.11 and 24.11 differ: the only place with #if on DPDK's version. */
#ifndef COMPAT_H
#define COMPAT_H

#include <rte_pcapng.h>
#include <rte_version.h>

#if RTE_VERSION < RTE_VERSION_NUM(23, 11, 0, 0)

static inline struct rte_mbuf *
compat_pcapng_copy(uint16_t port, const struct rte_mbuf *m, struct rte_mempool *mp, uint32_t len,
	uint64_t tsc, enum rte_pcapng_direction dir)
{
	return rte_pcapng_copy(port, 0, m, mp, len, tsc, dir);
}

/* Interfaces are written as packets mention them. */
static inline int
compat_pcapng_interface(rte_pcapng_t *file, uint16_t port, const char *filter)
{
	(void)file;
	(void)port;
	(void)filter;
	return 0;
}

#else

static inline struct rte_mbuf *
compat_pcapng_copy(uint16_t port, const struct rte_mbuf *m, struct rte_mempool *mp, uint32_t len,
	uint64_t tsc, enum rte_pcapng_direction dir)
{
	(void)tsc; /* it reads the clock itself */
	return rte_pcapng_copy(port, 0, m, mp, len, dir, NULL);
}

static inline int
compat_pcapng_interface(rte_pcapng_t *file, uint16_t port, const char *filter)
{
	return rte_pcapng_add_interface(file, port, NULL, NULL, filter);
}

#endif

#endif
