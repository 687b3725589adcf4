/**
 * @file
 * Whether a long run ends as it began: the last tenth of its time against the first. Of each latency
 * the 99th percentile counts, of memory the mean of the open calls and of the resident set. Something
 * has grown when it is more than `factor` times, and by more than a slack that keeps small numbers from
 * mattering: 100 µs, 16 calls, 4 MB. Threads: the control thread alone.
 */
#ifndef SOAK_H
#define SOAK_H

#include "nfv_err.h"
#include "stats.h"

struct soak_tenth {
	double open, rss; /* sums over the samples */
	uint32_t samples;
};

struct soak {
	double seconds;
	struct soak_tenth first, last;
	/* Histograms at the end of the first tenth, at the start of the last, and at its end. */
	struct hist begin[LATENCY_LAG], before[LATENCY_LAG], end[LATENCY_LAG];
};

/** A sample, `t_ns` after the start: at least one should fall into each tenth. Begins as zeros but for
 * `seconds`. */
void soak_add(struct soak *s, uint64_t t_ns, const struct stats *now, uint64_t rss);
/** 0: steady; 1: something has grown; -EAGAIN: it did not last long enough. A sentence in any case. */
int soak_verdict(const struct soak *s, double factor, struct nfv_err *sentence);
/** Bytes of this process in memory; 0: unknown. */
uint64_t soak_rss(void);

#endif
