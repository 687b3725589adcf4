/**
 * @file
 * Two ports of one process joined by rings in memory: `pair:NAME:a` and `pair:NAME:b`. What one sends
 * the other receives, queue by queue; between two workers it is the fastest wire there is. Threads: control thread.
 */
#ifndef PAIR_H
#define PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "nfv_err.h"

bool pair_is(const char *device);
int pair_check(const char *device, struct nfv_err *err);
/** Errors: -EEXIST: this end is in use; -EINVAL: the other end has not as many queues; -ENOMEM. */
int pair_open(
	const char *device, uint16_t queues, uint16_t *id, uint8_t mac[6], struct nfv_err *err);

#endif
