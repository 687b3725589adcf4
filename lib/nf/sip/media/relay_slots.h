/** @file  Inside of the relay: its streams and ports. Only for relay*.c. */
#ifndef RELAY_SLOTS_H
#define RELAY_SLOTS_H

#include "nfv_watch.h"
#include "relay.h"

#define RELAY_PER_PAGE (NFV_PAGE / sizeof(struct sip_relay_stream))

struct sip_relay {
	uint8_t **page;
	struct sip_relay_conf conf;
	uint32_t n_streams;                   /* numbered from 1 */
	uint32_t n_pairs, free_first, n_free; /* ring of free pairs */
	uint32_t free_stream;
	struct sip_relay_stats stats;
	uint64_t drops[SIP_RELAY_DROPS];
	uint32_t *of_pair; /* stream * 2 + side; 0: none */
	uint16_t *free_pair;
};

static inline struct sip_relay_stream *
stream_at(const struct sip_relay *r, uint32_t stream)
{
	struct sip_relay_stream *s =
		(struct sip_relay_stream *)(void *)r->page[(stream - 1) / RELAY_PER_PAGE] +
		(stream - 1) % RELAY_PER_PAGE;

	nfv_watch(s, sizeof(*s));
	return s;
}

#endif
