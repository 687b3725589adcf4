/**
 * @file
 * A burst and its flow records: found or made, given their second keys, kept or taken back.
 *
 * `table` is a pair, of IPv4 and of IPv6; both are NULL where no stage keeps anything. Knows neither
 * chains nor mbufs, since a stage in a process of its own has records too.
 */
#ifndef RECORDS_H
#define RECORDS_H

#include "nfv_flow.h"

/* Records made for a burst, until it is known whether a packet of theirs came through. */
struct fresh {
	struct nfv_flow *flow[NFV_BURST_MAX];
	struct nfv_flow_table *table[NFV_BURST_MAX];
	unsigned int n;
};

/* Give each packet its flow record; packets that begin a flow get a new one, kept in `fresh`. */
void records_attach(struct nfv_flow_table *const table[2], struct nfv_burst *b, uint32_t now,
	struct fresh *fresh);
/* Register the tuple that answers will carry: that of the packet as it is now, turned around.
 * `answered`: only for packets that go no further, since a stage has just answered them. Tuples that
 * another flow holds are counted in *key_taken. */
void records_alias(struct nfv_flow_table *const table[2], uint64_t *key_taken,
	const struct nfv_burst *b, bool answered);
/* The end of a segment: what has come this far is true; what was begun in vain goes again. */
void records_settle(struct nfv_flow_table *const table[2], uint64_t *key_taken,
	const struct nfv_burst *b, struct fresh *fresh, uint32_t now);

#endif
