#include "icmp.h"
#include "reassemble.h"
#include "resolve.h"

static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* Addressed to us: what we answer ourselves, or the chain's. */
static uint8_t
local(const struct turn *t, struct nfv_pkt *p)
{
	if (p->proto == NFV_PROTO_ICMP || p->proto == NFV_PROTO_ICMP6) {
		if (!nfv_csum_l4_ok(p))
			return NFV_DROP(NFV_L3_ICMP_CHECKSUM);
		if (icmp_is_echo(p))
			return icmp_echo(t, p);
	}
	p->flags |= NFV_PKT_LOCAL;
	return NFV_KEEP;
}

static uint8_t
judge4(const struct turn *t, struct nfv_pkt *p, bool group)
{
	struct nfv_addr src = host_src_of(p), dst = host_dst_of(p);
	enum own_kind from = own_find(&t->l3->own, &src)->kind;
	enum own_kind to = own_find(&t->l3->own, &dst)->kind;

	if (from == OWN_HOST)
		return NFV_DROP(NFV_L3_SPOOFED);
	if (group || to == OWN_BROADCAST || addr_multicast(&dst) ||
		nfv_pkt_ip4(p)->be_dst == UINT32_MAX)
		return NFV_DROP(NFV_L3_MULTICAST);
	if (from == OWN_BROADCAST || dst.b[0] == 0 || dst.b[0] == 127 || dst.b[0] >= 240)
		return NFV_DROP(NFV_PARSE_IP_ADDRESS);
	if (p->flags & NFV_PKT_FRAGMENT)
		return to == OWN_HOST ? reasm_input(t, p) : NFV_DROP(NFV_L3_FRAGMENT);
	if (to == OWN_HOST)
		return local(t, p);
	if (nfv_pkt_ip4(p)->ttl <= 1) {
		icmp_error_wire(t, ICMP_TTL, 0, p);
		return NFV_DROP(NFV_L3_TTL);
	}
	return NFV_KEEP;
}

/* All nodes, and the solicited-node groups; which of those are ours the target tells. */
static bool
is_heard_group(const struct nfv_addr *a)
{
	static const uint8_t all_nodes[16] = { 0xff, 2, [15] = 1 };
	static const uint8_t solicited[13] = { 0xff, 2, [11] = 1, 0xff };

	return memcmp(a->b, all_nodes, sizeof(all_nodes)) == 0 ||
		memcmp(a->b, solicited, sizeof(solicited)) == 0;
}

/* What routers and hosts tell each other on a link (RFC 4861 §4.1, 4.2, 4.5). */
static bool
is_router_discovery(const struct nfv_pkt *p)
{
	enum { SOLICITATION = 133, ADVERTISEMENT = 134, REDIRECT = 137 };
	const struct nfv_icmp *icmp = nfv_pkt_l4(p);

	return p->proto == NFV_PROTO_ICMP6 &&
		(icmp->type == SOLICITATION || icmp->type == ADVERTISEMENT ||
			icmp->type == REDIRECT);
}

/* A packet that came as fragments, now whole: what it is, and what may not come that way. */
static uint8_t
judge_whole(struct nfv_pkt *p)
{
	enum nfv_parse why;

	p->flags = 0;
	why = nfv_pkt_parse(p);
	if (why != NFV_PARSE_OK)
		return NFV_DROP(why);
	if (p->flags & NFV_PKT_FRAGMENT) /* in fragments again */
		return NFV_DROP(NFV_PARSE_EXTENSION);
	if (nd_is_ours(p) || is_router_discovery(p)) /* RFC 6980 §5 */
		return NFV_DROP(NFV_L3_ND_BAD);
	return NFV_KEEP;
}

static uint8_t
fragment6(const struct turn *t, struct nfv_pkt *p)
{
	uint8_t verdict;

	if (!reasm_atomic(p))
		return reasm_input(t, p);
	verdict = judge_whole(p);
	return verdict == NFV_KEEP ? local(t, p) : verdict;
}

static uint8_t
judge6(const struct turn *t, struct nfv_pkt *p, bool group)
{
	static const uint8_t zero[15];
	struct nfv_addr src = host_src_of(p), dst = host_dst_of(p);

	if (own_host_at(&t->l3->own, &src, t->port))
		return NFV_DROP(NFV_L3_SPOOFED);
	if (addr_multicast(&dst))
		return is_heard_group(&dst) && nd_is_ours(p) ? nd_input(t, p) :
							       NFV_DROP(NFV_L3_MULTICAST);
	if (group)
		return NFV_DROP(NFV_L3_MULTICAST);
	/* :: and ::1 go nowhere; what comes from :: is duplicate address detection, to a group. */
	if ((memcmp(dst.b, zero, 15) == 0 && dst.b[15] <= 1) ||
		(memcmp(src.b, zero, 15) == 0 && src.b[15] == 0))
		return NFV_DROP(NFV_PARSE_IP_ADDRESS);
	if (p->flags & NFV_PKT_FRAGMENT)
		return own_host_at(&t->l3->own, &dst, t->port) ? fragment6(t, p) :
								 NFV_DROP(NFV_L3_FRAGMENT);
	if (own_host_at(&t->l3->own, &dst, t->port)) {
		if (nd_is_ours(p))
			return nd_input(t, p);
		/* Routes are configured, not heard; that is nothing for the chain either. */
		return is_router_discovery(p) ? NFV_CONSUMED : local(t, p);
	}
	if (addr_link_local(&src) || addr_link_local(&dst)) /* RFC 4291 §2.5.6 */
		return NFV_DROP(NFV_L3_NO_ROUTE);
	if (nfv_pkt_ip6(p)->hops <= 1) {
		icmp_error_wire(t, ICMP_TTL, 0, p);
		return NFV_DROP(NFV_L3_TTL);
	}
	return NFV_KEEP;
}

static uint8_t
judge(const struct turn *t, struct nfv_pkt *p)
{
	const struct nfv_eth *eth = (const struct nfv_eth *)p->data;
	const uint8_t *mac = t->l3->port[t->port].mac;
	enum nfv_parse why;
	bool group;

	if (p->len < NFV_ETH_LEN)
		return NFV_DROP(NFV_PARSE_RUNT);
	group = mac_is_group(eth->dst);
	if (!group && memcmp(eth->dst, mac, 6) != 0)
		return NFV_DROP(NFV_L3_NOT_FOR_US);
	if (mac_is_group(eth->src) || memcmp(eth->src, mac, 6) == 0)
		return NFV_DROP(NFV_L3_SPOOFED);
	if (group && memcmp(eth->dst, broadcast, 6) != 0 && memcmp(eth->dst, "\x33\x33", 2) != 0)
		return NFV_DROP(NFV_L3_MULTICAST);
	why = nfv_pkt_parse(p);
	if (why != NFV_PARSE_OK)
		return NFV_DROP(why);
	switch (p->family) {
	case 4:
		return judge4(t, p, group);
	case 6:
		return judge6(t, p, group);
	default:
		return arp_input(t, p);
	}
}

unsigned int
nfv_l3_input(struct nfv_l3 *l3, struct nfv_burst *burst, struct nfv_out *wire)
{
	const struct turn t = {
		.l3 = l3, .now = burst->tsc, .port = burst->dir == NFV_OUTWARD ? 0 : 1, .wire = wire
	};

	l3->now = burst->tsc;
	for (uint16_t i = 0; i < burst->n; i++)
		__builtin_prefetch(burst->pkt[i].data);
	for (uint16_t i = 0; i < burst->n; i++) {
		struct nfv_pkt *p = &burst->pkt[i];

		if (p->verdict != NFV_KEEP)
			continue;
		p->flags = 0;
		p->verdict = judge(&t, p);
	}
	return (unsigned int)(l3->reasm.n_whole - l3->reasm.n_taken);
}

void
nfv_l3_take_whole(struct nfv_l3 *l3, struct nfv_pkt *p, struct nfv_out *wire)
{
	const uint16_t i = l3->reasm.whole[l3->reasm.n_taken];
	const struct turn t = {
		.l3 = l3, .now = l3->now, .port = l3->reasm.reasm[i].key.port, .wire = wire
	};
	unsigned int first;

	if (!reasm_take(&t, p, &first)) {
		p->verdict = NFV_DROP(NFV_L3_NO_BUFFER);
		return;
	}
	p->port = t.port;
	p->verdict = judge_whole(p);
	if (p->verdict != NFV_KEEP)
		return;
	/* All headers, the transport's too, lie in the first piece (RFC 7112, 8200 §4.5). */
	if (first < p->l4 + (p->proto == NFV_PROTO_TCP ? NFV_TCP_LEN : 8u) && first < p->len)
		p->verdict = NFV_DROP(NFV_PARSE_FRAGMENT_TINY);
	else if (icmp_is_echo(p))
		p->verdict =
			nfv_csum_l4_ok(p) ? icmp_echo_whole(&t, p) : NFV_DROP(NFV_L3_ICMP_CHECKSUM);
	else
		p->verdict = local(&t, p);
}
