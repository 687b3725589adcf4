/** @file  What the benches of isolated stages have in common. */
#ifndef RIG_H
#define RIG_H

#ifndef _GNU_SOURCE
#error "_GNU_SOURCE: sched_setaffinity"
#endif
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

static inline void
give_up(const char *why)
{
	fprintf(stderr, "bench: %s\n", why);
	exit(1);
}

static inline void
run_on(int n)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned int)n, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/** For qsort, of doubles. */
static inline int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

#endif
