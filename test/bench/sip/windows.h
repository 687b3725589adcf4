/**
 * @file
 * Latencies of a run window by window, where the host takes its processors away now and then: a
 * percentile of the whole run is then the host's pauses, whatever is measured. In most windows there is
 * none, so the median of the windows' percentiles is that of what is measured.
 *
 * Pauses are found by what does not move, not by the latencies: a turn of the generator's loop that takes
 * longer than 50 us, or a worker that for 150 us has not gone round its own (two full bursts of 32 take
 * it no longer than 90). A window is quiet if it has no pause, nor had the one before it, whose backlog
 * it would get.
 *
 * Threads: the generator's.
 */
#ifndef WINDOWS_H
#define WINDOWS_H

#include <jansson.h>

#include "hist.h"
#include "nfv_pipeline.h"

struct window {
	uint64_t calls, p50, p99;      /* answered in it; nanoseconds */
	bool generator, worker, quiet; /* the first two: paused */
};

struct windows {
	const struct hist *hist;
	const struct nfv_worker *worker; /* NULL: in another process */
	uint64_t hz, until;              /* TSC: the window ends then, or later */
	uint64_t last, round, moved;     /* the generator's, the worker's last sign of life */
	struct window now, *done;
	uint32_t n, max;
	bool settled, paused;      /* it was, in the window before */
	struct hist before, quiet; /* what was there when the window began; all quiet windows' */
};

/** Of `hist`, from `tsc` on for `seconds`; a window has at least 1,000 calls and 20 ms. */
void windows_init(struct windows *w, const struct hist *hist, const struct nfv_worker *worker,
	uint64_t hz, uint64_t tsc, double seconds);
void windows_fini(struct windows *w);
/** With each turn of the generator's loop. */
void windows_turn(struct windows *w, uint64_t tsc);
/** n, calls (of the median window), p50_us and p99_us (medians of the windows');
 * shares of windows with a pause: generator, worker, disturbed (either); quiet{} n calls p50_us p99_us
 * p999_us, of all calls in quiet windows. */
json_t *windows_json(const struct windows *w);

#endif
