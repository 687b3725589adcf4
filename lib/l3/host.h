/**
 * @file
 * The inside of struct nfv_l3, and what its parts share: own addresses, frames, one call's
 * circumstances. See nfv_l3.h for the contract.
 *
 * own.c knows which addresses are ours, route.c where others lie, neigh.c which MAC address a next
 * hop has; resolve.c finds out what neigh.c does not know, by way of arp.c and nd.c; icmp.c answers
 * echoes and writes errors; frag.c cuts, reassemble.c puts together; input.c and output.c judge packets with all of these.
 */
#ifndef HOST_H
#define HOST_H

#include <string.h>

#include "nfv_csum.h"
#include "nfv_l3.h"

#include "neigh.h"
#include "own.h"
#include "reasm.h"
#include "route.h"

struct host_port {
	uint8_t mac[6];
	uint16_t mtu;
	struct nfv_prefix *addr; /* own addresses, the derived link-local one last */
	uint32_t n_addr;
};

/** A token bucket in TSC ticks: an error costs `cost`, at most `depth` are saved up. */
struct icmp_limit {
	uint64_t cost, depth; /* depth 0: no errors at all */
	uint64_t credit, last;
};

struct host_count {
	uint64_t arp_replies, arp_requests, na, ns, echo_replies;
	uint64_t errors, errors_limited, fragments;
	uint64_t whole;        /* datagrams put together */
	uint64_t frag_late;    /* given up, since a part of them did not come in time */
	uint64_t frag_evicted; /* given up for newer ones, of all; of the same source */
	uint64_t frag_evicted_source;
	uint64_t unanswered; /* neighbours that did not answer */
	uint64_t wait_lost;  /* waiting packets that were evicted, or found no buffer to leave in */
};

struct nfv_l3 {
	struct host_port port[2];
	struct own own;
	struct routes routes;
	struct neigh_cache neigh;
	struct icmp_limit limit;
	struct host_count count;
	uint64_t now; /* of the last call, for show */
	struct reasm_table reasm;
	void (*tell)(
		void *arg, const struct nfv_l3_news *news); /* NULL: nobody else is interested */
	void *tell_arg;
	uint32_t ip6_id;
	uint16_t ip_id;
};

/** The circumstances of one call. */
struct turn {
	struct nfv_l3 *l3;
	uint64_t now;
	uint8_t port; /* input: where the frames came in; output: where they are to leave */
	struct nfv_out *wire, *back;
};

/** The direction of what leaves by `port`. */
static inline enum nfv_dir
host_dir(uint8_t port)
{
	return port == 1 ? NFV_OUTWARD : NFV_INWARD;
}

static inline bool
mac_is_group(const uint8_t mac[6])
{
	return mac[0] & 1;
}

/** An address that a host can have: neither a group's nor all zeroes. */
static inline bool
mac_is_host(const uint8_t mac[6])
{
	static const uint8_t none[6];

	return !mac_is_group(mac) && memcmp(mac, none, sizeof(none)) != 0;
}

/** Write the Ethernet header in front of the IP header or ARP message at NFV_ETH_LEN. */
static inline void
host_frame(const struct turn *t, struct nfv_pkt *p, const uint8_t dst[6], enum nfv_ethertype type)
{
	struct nfv_eth *eth = (struct nfv_eth *)p->data;

	memcpy(eth->dst, dst, sizeof(eth->dst));
	memcpy(eth->src, t->l3->port[t->port].mac, sizeof(eth->src));
	eth->be_type = htobe16(type);
	p->port = t->port;
}

/** An empty frame that will leave by t->port; NULL, and counted as starved, if there is none. */
static inline struct nfv_pkt *
host_take(const struct turn *t)
{
	return nfv_out_take(t->wire, host_dir(t->port));
}

/** Hand back the packet taken last: it turned out to be too small. */
static inline void
host_untake(struct nfv_out *out)
{
	out->n--;
	out->starved++;
}

/**
 * An own address of `port` to speak to `to` from: one whose prefix holds it, else the first that is
 * not link-local; NULL if the port has none of that family.
 */
const struct nfv_addr *host_source(
	const struct nfv_l3 *l3, uint8_t port, const struct nfv_addr *to);

static inline struct nfv_addr
host_src_of(const struct nfv_pkt *p)
{
	return p->family == 4 ? nfv_addr4(nfv_pkt_ip4(p)->be_src) : nfv_addr6(nfv_pkt_ip6(p)->src);
}

static inline struct nfv_addr
host_dst_of(const struct nfv_pkt *p)
{
	return p->family == 4 ? nfv_addr4(nfv_pkt_ip4(p)->be_dst) : nfv_addr6(nfv_pkt_ip6(p)->dst);
}

#endif
