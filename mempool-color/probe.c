#include <x86intrin.h>

#include "mpc_calibrate.h"

/* Forwards and back, because replacement is not LRU: a line that survives one order falls in the
 * other. */
#define WALKS 4

/*
 * One line tells little where the time stamp counter counts in steps longer than a miss (26 cycles
 * on some virtual machines), so a page is timed by several lines at once, each in its own sets. Their
 * order follows no stride that a prefetcher could learn, and no two are neighbours.
 */
static const uint16_t offset[MPC_PROBE_LINES] = { 0x000, 0x980, 0x400, 0xd00, 0x200, 0xb80, 0x600,
	0xf00, 0x100, 0x880, 0x500, 0xc00, 0x300, 0xa80, 0x700, 0xe00 };

static inline uint64_t
load(const uint8_t *line)
{
	return *(const volatile uint8_t *)line;
}

/* A load that cannot begin before `after` is there. */
static inline uint64_t
chained(const uint8_t *line, uint64_t after)
{
	__asm__ volatile("" : "+r"(after));
	after &= 0x8000;
	__asm__ volatile("" : "+r"(after));
	return load(line + after);
}

static void
walk(void *ctx, uint8_t *const *page, unsigned int n)
{
	(void)ctx;
	for (int round = 0; round < WALKS; round++) {
		for (unsigned int k = 0; k < MPC_PROBE_LINES; k++)
			for (unsigned int i = 0; i < n; i++)
				load(page[i] + offset[k]);
		for (unsigned int k = 0; k < MPC_PROBE_LINES; k++)
			for (unsigned int i = n; i-- > 0;)
				load(page[i] + offset[k]);
	}
	_mm_lfence();
}

/* The translation is fetched first, by a line that is not timed: else it would be the page tables
 * whose time is taken. The loads depend on each other, so that their times add up. */
static void
time_pages(void *ctx, uint8_t *const *page, unsigned int n, uint32_t *cycles)
{
	unsigned int cpu;

	(void)ctx;
	for (unsigned int i = 0; i < n; i++) {
		uint64_t t0, x = load(page[i] + 0xfc0);

		_mm_lfence();
		t0 = __rdtscp(&cpu);
		_mm_lfence();
		for (unsigned int k = 0; k < MPC_PROBE_LINES; k++)
			x = chained(page[i] + offset[k], x);
		_mm_lfence();
		cycles[i] = (uint32_t)(__rdtscp(&cpu) - t0);
		_mm_lfence();
	}
}

struct mpc_probe
mpc_probe_machine(void)
{
	return (struct mpc_probe){ NULL, walk, time_pages };
}
