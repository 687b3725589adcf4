#include <x86intrin.h>

#include "mpc_calibrate.h"

/* Forwards and back, because replacement is not LRU: a line that survives one order falls in the
 * other. */
#define WALKS 2
#define LINE  64
#define LINES 12

/*
 * One line tells little where the time stamp counter counts in steps longer than a miss (26 cycles
 * on some virtual machines), so a page is timed by several lines at once, each in its own sets. Their
 * order follows no stride that a prefetcher could learn, and no two are neighbours.
 */
static inline unsigned int
line_at(unsigned int k)
{
	return k * (k + 1) / 2 % (MPC_PAGE / LINE) * LINE;
}

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

/* All lines of a page: where index bits are parities of many address bits, the lines of two pages
 * that meet in a set stand at different places in their pages. */
static inline void
touch(const uint8_t *page)
{
	for (unsigned int at = 0; at < MPC_PAGE; at += 64)
		load(page + at);
}

static void
walk(void *ctx, uint8_t *const *page, unsigned int n)
{
	(void)ctx;
	for (int round = 0; round < WALKS; round++) {
		for (unsigned int i = 0; i < n; i++)
			touch(page[i]);
		for (unsigned int i = n; i-- > 0;)
			touch(page[i]);
	}
	_mm_lfence();
}

/* The translation is fetched first, by a line that is not timed: else it would be the page tables
 * whose time is taken. The loads depend on each other, so that their times add up. */
static bool
time_pages(void *ctx, uint8_t *const *page, unsigned int n, uint32_t *cycles)
{
	unsigned int first, cpu;

	(void)ctx;
	__rdtscp(&first);
	cpu = first;
	for (unsigned int i = 0; i < n && cpu == first; i++) {
		uint64_t t0, x = load(page[i] + 0xfc0);

		_mm_lfence();
		t0 = __rdtscp(&cpu);
		_mm_lfence();
		for (unsigned int k = 0; k < LINES; k++)
			x = chained(page[i] + line_at(k), x);
		_mm_lfence();
		cycles[i] = (uint32_t)(__rdtscp(&cpu) - t0);
		_mm_lfence();
	}
	return cpu == first;
}

struct mpc_probe
mpc_probe_machine(void)
{
	return (struct mpc_probe){ NULL, walk, time_pages };
}
