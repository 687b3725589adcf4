/**
 * @file
 * Whose a datagram is, where a proxy runs as several shards, each with transactions, dialogs and media of
 * its own and all with one registrar: that of the first.
 *
 * A message's Call-ID decides, since all messages of a dialog have it, from either side: so both legs of a
 * call, its retransmissions, CANCEL and ACK are one shard's. It is looked for without a parse, in long and
 * compact form (RFC 3261 §7.3.3), before and behind folds (§7.3.1). REGISTER, and answers to it, are the
 * first's. So is what has no Call-ID. The hash is keyed, so that nobody outside can choose a shard.
 *
 * Media: the relay's ports are dealt out in parts.
 *
 * Threads: pure functions.
 */
#ifndef SHARE_H
#define SHARE_H

#include "nfv_sv.h"
#include "siphash.h"

struct sip_share {
	uint32_t shard, shards;  /* which one of how many; at most one: there are no others */
	struct siphash_key key;  /* the same in all */
	uint16_t rtp_lo, rtp_hi; /* all ports of relays, lo even and hi odd; 0: there is none */
};

uint32_t sip_share_of_call(const struct sip_share *s, struct nfv_sv call_id);
uint32_t sip_share_of_text(const struct sip_share *s, struct nfv_sv text);
/** Of a port from rtp_lo to rtp_hi. */
uint32_t sip_share_of_port(const struct sip_share *s, uint16_t port);
/** The ports of this shard; false: there is not a pair for each. */
bool sip_share_ports(const struct sip_share *s, uint16_t *lo, uint16_t *hi);

/** An even part of a limit that all shards share, and at least `least`. */
static inline uint32_t
sip_share_part(const struct sip_share *s, uint32_t limit, uint32_t least)
{
	uint32_t part = s->shards > 1 ? (limit + s->shards - 1) / s->shards : limit;

	return part > least ? part : least;
}

#endif
