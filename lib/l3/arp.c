/* ARP, RFC 826, as cautious as RFC 5227 and experience ask for: see note_answer in resolve.c. */
#include "resolve.h"

struct arp {
	uint16_t be_hardware, be_protocol;
	uint8_t hlen, plen;
	uint16_t be_op;
	uint8_t sha[6]; /* sender */
	uint32_t be_spa;
	uint8_t tha[6]; /* target */
	uint32_t be_tpa;
} __attribute__((packed));

enum { ARP_ETHERNET = 1, ARP_REQUEST = 1, ARP_REPLY = 2 };

static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static void
send_arp(const struct turn *t, uint16_t op, const uint8_t dst[6], const struct nfv_addr *from,
	const uint8_t tha[6], const struct nfv_addr *to)
{
	struct nfv_pkt *p = host_take(t);
	struct arp *arp;

	if (p == NULL)
		return;
	if (!nfv_pkt_resize(p, NFV_ETH_LEN + (int)sizeof(*arp) - p->len)) {
		host_untake(t->wire);
		return;
	}
	arp = (struct arp *)(p->data + NFV_ETH_LEN);
	*arp = (struct arp){ .be_hardware = htobe16(ARP_ETHERNET),
		.be_protocol = htobe16(NFV_ETH_IP4),
		.hlen = 6,
		.plen = 4,
		.be_op = htobe16(op) };
	memcpy(arp->sha, t->l3->port[t->port].mac, sizeof(arp->sha));
	memcpy(&arp->be_spa, from->b, sizeof(arp->be_spa));
	memcpy(arp->tha, tha, sizeof(arp->tha));
	memcpy(&arp->be_tpa, to->b, sizeof(arp->be_tpa));
	host_frame(t, p, dst, NFV_ETH_ARP);
	p->family = 0;
}

void
arp_ask(const struct turn *t, const struct neigh *e)
{
	static const uint8_t unknown[6];
	const struct nfv_addr *from = host_source(t->l3, t->port, &e->addr);

	if (from == NULL)
		return;
	t->l3->count.arp_requests++;
	send_arp(t, ARP_REQUEST, neigh_is_settled(e) ? e->mac : broadcast, from, unknown, &e->addr);
}

static bool
is_well_formed(const struct arp *arp)
{
	struct nfv_addr from = nfv_addr4(arp->be_spa);

	return be16toh(arp->be_hardware) == ARP_ETHERNET &&
		be16toh(arp->be_protocol) == NFV_ETH_IP4 && arp->hlen == 6 && arp->plen == 4 &&
		(be16toh(arp->be_op) == ARP_REQUEST || be16toh(arp->be_op) == ARP_REPLY) &&
		mac_is_host(arp->sha) && from.b[0] != 127 && from.b[0] < 224;
}

uint8_t
arp_input(const struct turn *t, const struct nfv_pkt *p)
{
	const struct arp *arp = (const struct arp *)(p->data + NFV_ETH_LEN);
	const struct nfv_eth *eth = (const struct nfv_eth *)p->data;
	const struct own *own = &t->l3->own;
	struct nfv_addr from, to;
	bool for_us;

	if (p->len < NFV_ETH_LEN + sizeof(*arp) || !is_well_formed(arp))
		return NFV_DROP(NFV_L3_ARP_BAD);
	from = nfv_addr4(arp->be_spa);
	to = nfv_addr4(arp->be_tpa);
	if (own_find(own, &from)->kind == OWN_HOST)
		return NFV_DROP(NFV_L3_SPOOFED);
	for_us = own_host_on(own, &to, t->port);
	if (arp->be_spa == arp->be_tpa) {
		resolve_hear(t, &from, arp->sha, NFV_L3_OVERRIDE);
		return NFV_CONSUMED;
	}
	if (be16toh(arp->be_op) == ARP_REPLY) {
		if (for_us)
			resolve_hear(t, &from, arp->sha, NFV_L3_SOLICITED | NFV_L3_OVERRIDE);
		return NFV_CONSUMED;
	}
	if (!for_us)
		return NFV_CONSUMED;
	if (arp->be_spa != 0 && own_find(own, &from)->kind == OWN_NO) /* 0: a probe, RFC 5227 */
		resolve_hear(t, &from, arp->sha, NFV_L3_ASKED);
	t->l3->count.arp_replies++;
	send_arp(t, ARP_REPLY, eth->src, &to, arp->sha, &from);
	return NFV_CONSUMED;
}
