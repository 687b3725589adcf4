/**
 * @file
 * NAT44: what becomes of each packet. IPv6 passes.
 *
 * Outward, packets from inside addresses leave with an external address and port as their source;
 * inward, packets for an external endpoint that is mapped get the inside endpoint as their
 * destination. A flow's first packet finds or makes the mapping and fills the flow's slot; all
 * later ones, either way, are rewritten by the slot alone. A flow whose first packet passed
 * untranslated stays so both ways.
 *
 * Threads: one owner.
 */
#ifndef NAT_H
#define NAT_H

#include "mapping.h"
#include "nfv_hash.h"
#include "nfv_pkt.h"
#include "rewrite.h"

enum nat_drop {
	NAT_DROP_TABLE_FULL = NAT_TABLE_FULL,
	NAT_DROP_NO_PORT = NAT_NO_PORT,
	NAT_DROP_HOST_LIMIT = NAT_HOST_LIMIT,
	NAT_DROP_NO_STATE,       /* needs translation, but has no flow to keep it in */
	NAT_DROP_PROTOCOL,       /* would leave with an inside address */
	NAT_DROP_HAIRPIN,        /* from inside to a mapped external endpoint */
	NAT_DROP_FILTERED,       /* for a mapping, but from a stranger */
	NAT_DROP_MISMATCH,       /* on a flow, but not with the addresses that belong there */
	NAT_DROP_ICMP_UNRELATED, /* an error about nothing that was sent */
	NAT_DROP_ICMP_TRUNCATED, /* an error that quotes too little */
	NAT_DROP_ICMP_CHECKSUM,
	NAT_DROPS
};

/** Names as they appear in counters; ends with NULL. */
extern const char *const nat_drop_name[NAT_DROPS + 1];

/** Who may send to a mapping from outside (RFC 4787 §5). */
enum nat_filtering {
	NAT_FILTER_ENDPOINT,     /* everybody */
	NAT_FILTER_ADDRESS_PORT, /* whoever the inside has sent to, from that port */
};

struct nat_net {
	uint32_t be_net, be_mask;
};

/** What shards of one chain have in common, and must have equal. */
struct nat_share {
	uint32_t shards; /* 0 or 1: there are no others */
	uint32_t lo, hi; /* all ports, of which each has a part; the last one has the rest */
	bool by_port;    /* an inside address's endpoints are several shards' */
	struct nfv_hash_key key;
};

struct nat {
	struct nat_table *table;
	struct nat_share share;
	enum nat_filtering filtering;
	struct nat_net *inside; /* whose sources are translated; none: all */
	uint32_t n_inside;
	uint32_t *be_own; /* the chain's own addresses, those of the outside port first */
	uint32_t n_own, n_own_outside;
};

/* Both return the packet's verdict. */
uint8_t nat_outward(struct nat *nat, struct nfv_pkt *p);
uint8_t nat_inward(struct nat *nat, struct nfv_pkt *p);

/** Whether packets with this source must not leave as they are. */
bool nat_is_inside(const struct nat *nat, uint32_t be_src);

/** Whose the packet is (nfv_stage_ops.steer). */
int nat_steer(const struct nat *nat, const struct nfv_pkt *p, enum nfv_dir dir);

/** The flow of this slot is over. */
void nat_flow_end(struct nat *nat, struct nat_slot *slot);

#endif
