/**
 * @file
 * What a plain packet's payload begins with. The clock is the sender's own: fields are in host order.
 * Threads: plain data.
 */
#ifndef PLAIN_WIRE_H
#define PLAIN_WIRE_H

#include <stdint.h>

#define PLAIN_MAGIC 0xc9u

struct plain_stamp {
	uint8_t magic, sender;
	uint16_t flow;
	uint32_t seq; /* within the flow, from 0, going round */
	uint64_t tsc; /* that its sending was intended for */
} __attribute__((packed));

#endif
