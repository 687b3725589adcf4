/**
 * @file
 * A pool of port numbers: which of a range [lo, hi] are free, as a bitmap with a summary above it.
 *
 * Taking a given port, giving one back and finding the next free one from a given place are all of
 * bounded cost however full the pool is: at most two words of the bitmap and the sixteen of the
 * summary are looked at. Whoever takes a port passes a random place, so that ports are hard to
 * guess (RFC 6056 §3.3.1). Threads: one owner.
 */
#ifndef NAT_PORTS_H
#define NAT_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#define NAT_PORTS_WORDS   (65536 / 64)
#define NAT_PORTS_SUMMARY (NAT_PORTS_WORDS / 64)

struct nat_ports {
	uint64_t summary[NAT_PORTS_SUMMARY]; /* a bit for each word that has a free port */
	uint64_t word[NAT_PORTS_WORDS];      /* a bit for each free port, by its number */
	uint32_t lo, hi;
	uint32_t n_free;
};

/** All ports of [lo, hi] are free, lo <= hi <= 65535; others never are. */
void nat_ports_init(struct nat_ports *p, uint32_t lo, uint32_t hi);

/** Take this very port; false if it is in use or outside the range. */
bool nat_ports_take(struct nat_ports *p, uint16_t port);

/** Take the first free port at or after `from`, round the corner if need be; -1 if none is left. */
int32_t nat_ports_take_from(struct nat_ports *p, uint16_t from);

/** Give back a port that was taken; one outside the range is nobody's and stays so. */
void nat_ports_give(struct nat_ports *p, uint16_t port);

#endif
