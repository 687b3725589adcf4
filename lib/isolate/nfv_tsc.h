/** @file  The time stamp counter, which the manager's rte_rdtsc reads too. Threads: any. */
#ifndef NFV_TSC_H
#define NFV_TSC_H

#include <stdint.h>

static inline uint64_t
nfv_tsc(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t t;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
	return t;
#else
#error "no time stamp counter is known for this processor"
#endif
}

#endif
