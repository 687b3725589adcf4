#include "nat.h"

const char *const nat_drop_name[NAT_DROPS + 1] = {
	[NAT_DROP_TABLE_FULL] = "table-full",
	[NAT_DROP_NO_PORT] = "no-port",
	[NAT_DROP_HOST_LIMIT] = "host-limit",
	[NAT_DROP_NO_STATE] = "no-state",
	[NAT_DROP_PROTOCOL] = "unsupported-protocol",
	[NAT_DROP_HAIRPIN] = "hairpin",
	[NAT_DROP_FILTERED] = "filtered",
	[NAT_DROP_MISMATCH] = "flow-mismatch",
	[NAT_DROP_ICMP_UNRELATED] = "icmp-unrelated",
	[NAT_DROP_ICMP_TRUNCATED] = "icmp-truncated",
	[NAT_DROP_ICMP_CHECKSUM] = "icmp-checksum",
};

static const uint8_t quote_verdict[] = {
	[NAT_QUOTE_OK] = NFV_KEEP,
	[NAT_QUOTE_CHECKSUM] = NFV_DROP(NAT_DROP_ICMP_CHECKSUM),
	[NAT_QUOTE_SHORT] = NFV_DROP(NAT_DROP_ICMP_TRUNCATED),
	[NAT_QUOTE_OTHER] = NFV_DROP(NAT_DROP_ICMP_UNRELATED),
};

static bool
has(const uint32_t *be_addr, uint32_t n, uint32_t be)
{
	for (uint32_t i = 0; i < n; i++)
		if (be_addr[i] == be)
			return true;
	return false;
}

bool
nat_is_inside(const struct nat *nat, uint32_t be_src)
{
	if (has(nat->be_own, nat->n_own, be_src))
		return false;
	for (uint32_t i = 0; i < nat->n_inside; i++)
		if ((be_src & nat->inside[i].be_mask) == nat->inside[i].be_net)
			return true;
	return nat->n_inside == 0;
}

static bool
translated(const struct nat_slot *slot)
{
	return slot != NULL && slot->mapping != 0;
}

static uint8_t
established(const struct nat_slot *slot, struct nfv_pkt *p, enum nfv_dir dir)
{
	return nat_rewrite(slot, p, dir) ? NFV_KEEP : NFV_DROP(NAT_DROP_MISMATCH);
}

/* The mapping is held for this slot. */
static uint8_t
begin(struct nat *nat, const struct nat_mapping *m, struct nfv_pkt *p, enum nfv_dir dir)
{
	nat_slot_fill(p->flow, nat_mapping_id(nat->table, m), m);
	nat_rewrite(p->flow, p, dir);
	return NFV_KEEP;
}

/* An error's sender may be a router on the way, with an address that tells nothing of the flow. One
 * inside must not be seen: it takes the mapping's external address (RFC 5508 REQ-5). */
static uint8_t
error_outward(struct nat *nat, struct nfv_pkt *p)
{
	const struct nat_slot *slot = p->flow;
	enum nat_quote why = nat_rewrite_quote(slot, p, NFV_OUTWARD);

	if (why == NAT_QUOTE_OK && !has(nat->be_own, nat->n_own_outside, nfv_pkt_ip4(p)->be_src))
		nat_set_src(p, slot->ext.be_addr);
	return quote_verdict[why];
}

static uint8_t
error_inward(struct nfv_pkt *p)
{
	const struct nat_slot *slot = p->flow;
	enum nat_quote why;

	if (nfv_pkt_ip4(p)->be_dst != slot->ext.be_addr)
		return NFV_DROP(NAT_DROP_ICMP_UNRELATED);
	why = nat_rewrite_quote(slot, p, NFV_INWARD);
	if (why == NAT_QUOTE_OK)
		nat_set_dst(p, slot->in.be_addr);
	return quote_verdict[why];
}

/* No translation has been agreed on for this packet yet. */
static uint8_t
first_outward(struct nat *nat, struct nfv_pkt *p)
{
	const struct nfv_icmp *icmp = nfv_pkt_l4(p);
	const struct nat_mapping *m;
	enum nat_refusal why;
	int proto;

	if (!nat_is_inside(nat, nfv_pkt_ip4(p)->be_src))
		return NFV_KEEP;
	/* What came in untranslated is answered so, or the asker would not know the answer. */
	if (p->flow != NULL && (p->flags & NFV_PKT_REPLY))
		return NFV_KEEP;
	if (p->proto == NFV_PROTO_ICMP && nat_icmp_is_error(icmp->type))
		return p->flow != NULL ? NFV_KEEP : NFV_DROP(NAT_DROP_ICMP_UNRELATED);
	proto = nat_pkt_proto(p);
	if (proto < 0)
		return NFV_DROP(NAT_DROP_PROTOCOL);
	if (p->flow == NULL || (proto == NAT_ICMP && icmp->type != NFV_ICMP_ECHO))
		return NFV_DROP(NAT_DROP_NO_STATE);
	if (nat_find_external(nat->table, proto, nat_pkt_dst(p, proto)) != NULL)
		return NFV_DROP(NAT_DROP_HAIRPIN);
	m = nat_map_outward(nat->table, proto, nat_pkt_src(p, proto), &why);
	return m != NULL ? begin(nat, m, p, NFV_OUTWARD) : NFV_DROP(why);
}

static uint8_t
first_inward(struct nat *nat, struct nfv_pkt *p)
{
	int proto = nat_pkt_proto(p);
	struct nat_mapping *m;

	/* Echo identifiers are mapped for those who answer, not for those who ask. */
	if (proto < 0 || proto == NAT_ICMP || (p->flags & NFV_PKT_REPLY))
		return NFV_KEEP;
	m = nat_find_external(nat->table, proto, nat_pkt_dst(p, proto));
	if (m == NULL)
		return NFV_KEEP;
	if (p->flow == NULL)
		return NFV_DROP(NAT_DROP_NO_STATE);
	if (nat->filtering == NAT_FILTER_ADDRESS_PORT && !m->is_static)
		return NFV_DROP(NAT_DROP_FILTERED);
	nat_hold(m);
	return begin(nat, m, p, NFV_INWARD);
}

uint8_t
nat_outward(struct nat *nat, struct nfv_pkt *p)
{
	if (p->family != 4)
		return NFV_KEEP;
	if (!translated(p->flow))
		return first_outward(nat, p);
	if (p->flags & NFV_PKT_RELATED)
		return error_outward(nat, p);
	return established(p->flow, p, NFV_OUTWARD);
}

uint8_t
nat_inward(struct nat *nat, struct nfv_pkt *p)
{
	if (p->family != 4)
		return NFV_KEEP;
	if (!translated(p->flow))
		return first_inward(nat, p);
	if (p->flags & NFV_PKT_RELATED)
		return error_inward(p);
	return established(p->flow, p, NFV_INWARD);
}

void
nat_flow_end(struct nat *nat, struct nat_slot *slot)
{
	if (!translated(slot))
		return;
	nat_release(nat->table, nat_mapping_by_id(nat->table, slot->mapping));
	slot->mapping = 0;
}
