/* Neighbour discovery, RFC 4861 §4.3, 4.4, 7; without router discovery and redirects. */
#include "resolve.h"

struct nd {
	struct nfv_icmp icmp; /* be_rest: the advertisement's flags */
	uint8_t target[16];
} __attribute__((packed));

struct nd_lla {
	uint8_t type, words;
	uint8_t mac[6];
} __attribute__((packed));

enum { ND_SOURCE_LLA = 1, ND_TARGET_LLA = 2 };
enum { ND_ROUTER = 1u << 31, ND_SOLICITED = 1u << 30, ND_OVERRIDE = 1u << 29 };

static const struct nfv_addr unspecified = { .family = NFV_IPV6 };
static const struct nfv_addr any_link_local = { { 0xfe, 0x80 }, NFV_IPV6 };
static const struct nfv_addr all_nodes = { { 0xff, 2, [15] = 1 }, NFV_IPV6 };

static struct nfv_addr
solicited_node(const struct nfv_addr *a)
{
	struct nfv_addr group = { { 0xff, 2, [11] = 1, 0xff }, NFV_IPV6 };

	memcpy(group.b + 13, a->b + 13, 3);
	return group;
}

static void
send_nd(const struct turn *t, uint8_t type, uint32_t flags, const struct nfv_addr *target,
	uint8_t option, const struct nfv_addr *from, const struct nfv_addr *to, const uint8_t *mac)
{
	struct nd_lla lla = { option, 1, { 0 } };
	struct nd nd = { .icmp = { .type = type, .be_rest = htobe32(flags) } };
	uint8_t group[6] = { 0x33, 0x33 };
	struct nfv_pkt *p = host_take(t);

	if (p == NULL)
		return;
	if (!nfv_pkt_ip_header(p, 6, from->b, to->b, NFV_PROTO_ICMP6, sizeof(nd) + sizeof(lla))) {
		host_untake(t->wire);
		return;
	}
	memcpy(nd.target, target->b, sizeof(nd.target));
	memcpy(lla.mac, t->l3->port[t->port].mac, sizeof(lla.mac));
	memcpy(nfv_pkt_l4(p), &nd, sizeof(nd));
	memcpy((uint8_t *)nfv_pkt_l4(p) + sizeof(nd), &lla, sizeof(lla));
	nfv_pkt_ip6(p)->hops = 255;
	nfv_csum_l4_set(p);
	memcpy(group + 2, to->b + 12, 4);
	host_frame(t, p, mac != NULL ? mac : group, NFV_ETH_IP6);
}

void
nd_ask(const struct turn *t, const struct neigh *e)
{
	const struct nfv_addr *from = host_source(t->l3, t->port, &e->addr);
	struct nfv_addr group = solicited_node(&e->addr);
	bool known = neigh_is_settled(e);

	if (from == NULL)
		from = host_source(t->l3, t->port, &any_link_local);
	if (from == NULL)
		return;
	t->l3->count.ns++;
	send_nd(t, NFV_ICMP6_NS, 0, &e->addr, ND_SOURCE_LLA, from, known ? &e->addr : &group,
		known ? e->mac : NULL);
}

/* The link-layer address of `type` among the options; `*mac` is NULL if there is none. False if
 * the options do not fill the message, or the address is no host's. */
static bool
find_lla(const struct nfv_pkt *p, uint8_t type, const uint8_t **mac)
{
	const uint8_t *at = (const uint8_t *)nfv_pkt_l4(p) + sizeof(struct nd);
	unsigned int n = nfv_pkt_l4_len(p) - (unsigned int)sizeof(struct nd), size;

	*mac = NULL;
	for (; n > 0; at += size, n -= size) {
		if (n < 8 || at[1] == 0 || at[1] * 8u > n)
			return false;
		size = at[1] * 8u;
		if (at[0] == type && size == sizeof(struct nd_lla))
			*mac = at + 2;
	}
	return *mac == NULL || mac_is_host(*mac);
}

static uint8_t
solicitation(const struct turn *t, const struct nfv_pkt *p)
{
	const struct nfv_eth *eth = (const struct nfv_eth *)p->data;
	const struct nd *nd = nfv_pkt_l4(p);
	struct nfv_addr src = host_src_of(p), dst = host_dst_of(p), target = nfv_addr6(nd->target);
	struct nfv_addr group = solicited_node(&target);
	bool probe =
		nfv_addr_eq(&src, &unspecified); /* duplicate address detection, RFC 4862 §5.4 */
	const uint8_t *mac;

	if (!find_lla(p, ND_SOURCE_LLA, &mac) ||
		(probe && (mac != NULL || !nfv_addr_eq(&dst, &group))))
		return NFV_DROP(NFV_L3_ND_BAD);
	if (!own_host_on(&t->l3->own, &target, t->port))
		return NFV_CONSUMED;
	if (!probe && mac != NULL)
		resolve_hear(t, &src, mac, NFV_L3_ASKED);
	t->l3->count.na++;
	if (probe)
		send_nd(t, NFV_ICMP6_NA, ND_ROUTER | ND_OVERRIDE, &target, ND_TARGET_LLA, &target,
			&all_nodes, NULL);
	else
		send_nd(t, NFV_ICMP6_NA, ND_ROUTER | ND_SOLICITED | ND_OVERRIDE, &target,
			ND_TARGET_LLA, &target, &src, eth->src);
	return NFV_CONSUMED;
}

static uint8_t
advertisement(const struct turn *t, const struct nfv_pkt *p)
{
	const struct nd *nd = nfv_pkt_l4(p);
	uint32_t flags = be32toh(nd->icmp.be_rest);
	struct nfv_addr target = nfv_addr6(nd->target), dst = host_dst_of(p);
	const uint8_t *mac;

	if (!find_lla(p, ND_TARGET_LLA, &mac) || (addr_multicast(&dst) && flags & ND_SOLICITED))
		return NFV_DROP(NFV_L3_ND_BAD);
	if (own_host_at(&t->l3->own, &target, t->port))
		return NFV_DROP(NFV_L3_SPOOFED);
	resolve_hear(t, &target, mac,
		(flags & ND_SOLICITED ? NFV_L3_SOLICITED : 0u) |
			(flags & ND_OVERRIDE ? NFV_L3_OVERRIDE : 0u));
	return NFV_CONSUMED;
}

bool
nd_is_ours(const struct nfv_pkt *p)
{
	const struct nfv_icmp *icmp = nfv_pkt_l4(p);

	return p->proto == NFV_PROTO_ICMP6 && !(p->flags & NFV_PKT_FRAGMENT) &&
		(icmp->type == NFV_ICMP6_NS || icmp->type == NFV_ICMP6_NA);
}

uint8_t
nd_input(const struct turn *t, const struct nfv_pkt *p)
{
	const struct nd *nd = nfv_pkt_l4(p);
	struct nfv_addr target;

	if (nfv_pkt_l4_len(p) < sizeof(*nd) || nfv_pkt_ip6(p)->hops != 255 || nd->icmp.code != 0)
		return NFV_DROP(NFV_L3_ND_BAD);
	if (!nfv_csum_l4_ok(p))
		return NFV_DROP(NFV_L3_ICMP_CHECKSUM);
	target = nfv_addr6(nd->target);
	if (addr_multicast(&target))
		return NFV_DROP(NFV_L3_ND_BAD);
	return nd->icmp.type == NFV_ICMP6_NS ? solicitation(t, p) : advertisement(t, p);
}
