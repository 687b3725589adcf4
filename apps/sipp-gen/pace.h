/**
 * @file
 * When calls are due. The load is open: a call's time follows from the load's shape alone, never from
 * how earlier calls fare, and latencies count from that intended time.
 *
 * A shape is a rate over time. Its integral says how many calls are due; it is kept in integers, 2^-64
 * calls fine, so an hour of load is not a call off. Regular shapes make a call wherever the integral
 * comes to a whole number, the first therefore after one gap, as SIPp does; Poisson's shape wherever
 * it comes to a sum of exponential gaps; bursts wherever it comes to a multiple of their size.
 *
 * Workers share a shape: of n, worker i makes the calls i, i + n, …, so they take turns evenly. Of
 * Poisson each makes an n-th of the rate by itself; together that is Poisson again.
 *
 * Threads: one for each pace; nothing allocates.
 */
#ifndef PACE_H
#define PACE_H

#include <stdint.h>

#include "nfv_err.h"
#include "rnd.h"

#define PACE_RATE_MIN  0.001 /* calls/s; 0 is allowed besides, no calls */
#define PACE_RATE_MAX  10e6
#define PACE_BURST_MAX 1000000u
#define PACE_NEVER     UINT64_MAX

enum pace_shape {
	PACE_FIXED,
	PACE_RAMP,    /* from `rate` to `rate_to` in `seconds`, steadily, and on at that */
	PACE_STEPS,   /* from `rate` to `rate_to`, changed by `step` every `seconds` */
	PACE_POISSON, /* `rate` in the mean */
	PACE_BURST,   /* `burst` calls at once every `seconds`, beginning at the start */
};

struct pace_conf {
	enum pace_shape shape;
	double rate, rate_to; /* calls/s, all workers together; rate is not used by BURST */
	double step, seconds;
	uint32_t burst;
	uint32_t worker, workers; /* 0 … workers - 1 */
	uint64_t seed;            /* of Poisson */
};

struct pace {
	struct pace_conf conf;
	uint64_t hz;
	/* The stretch of time that the next call lies in; its rate is a straight line. */
	uint64_t start, end;      /* TSC; end: PACE_NEVER if there is none */
	double rate;              /* calls/s at its start, all workers */
	uint64_t slope;           /* calls per cycle at its start, in 2^-64 */
	double bend;              /* half of the slope's change per cycle, in calls */
	unsigned __int128 before; /* integral at its start, in 2^-64 calls */
	/* A change from outside that lies ahead. */
	uint64_t change_at; /* PACE_NEVER: none */
	double change_rate;
	/* The next call. */
	uint64_t next;        /* TSC; PACE_NEVER: none, ever */
	uint64_t made;        /* before it, by this worker */
	unsigned __int128 at; /* integral that it is due at */
	struct rnd rnd;
};

/** Errors: -EINVAL, -ERANGE: the sentence says what is wrong with the shape. */
int pace_init(struct pace *p, const struct pace_conf *conf, uint64_t tsc_hz, uint64_t start,
	struct nfv_err *err);

/** When the next call is due. */
static inline uint64_t
pace_next(const struct pace *p)
{
	return p->next;
}

/**
 * Take up to `max` of the calls that are due: returns how many, and writes the TSC that each was
 * intended for, oldest first. With NULL they are only passed over.
 */
uint32_t pace_take(struct pace *p, uint64_t now, uint64_t *intended, uint32_t max);

/**
 * Go on at another rate from `at` on; ramps and steps end there, bursts come as often as makes the
 * rate. What has been counted up stays, so no call is lost or doubled. For workers to keep taking
 * turns, all of them must be given the same `at`. Errors: -ERANGE.
 */
int pace_change(struct pace *p, uint64_t at, double rate, struct nfv_err *err);

/** Calls/s of all workers at the next call's time. */
double pace_rate(const struct pace *p);

#endif
