#include <string.h>

#include "nfv_csum.h"
#include "rewrite.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

enum side { SRC, DST };

/* Where a transport header holds its ports and its checksum. */
static const struct layout {
	uint8_t port[2], csum;
} layout[NAT_PROTOS] = {
	[NAT_UDP] = { { 0, 2 }, 6 },
	[NAT_TCP] = { { 0, 2 }, 16 },
	[NAT_ICMP] = { { 4, 4 }, 2 },
};

/* An IP header and as much of its transport header as there is. */
struct headers {
	struct nfv_ip4 *ip;
	uint8_t *l4;
	unsigned int l4_len;
	enum nat_proto proto;
};

static uint16_t
get16(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static void
put16(uint8_t *at, uint16_t v)
{
	memcpy(at, &v, sizeof(v));
}

static ALWAYS_INLINE struct nat_endpoint
endpoint(const struct headers *h, enum side side)
{
	return (struct nat_endpoint){ side == SRC ? h->ip->be_src : h->ip->be_dst,
		get16(h->l4 + layout[h->proto].port[side]) };
}

/* The quoted transport header may end before its checksum. */
static ALWAYS_INLINE void
replace(const struct headers *h, enum side side, struct nat_endpoint to, uint16_t ip_delta,
	uint16_t l4_delta)
{
	const struct layout *at = &layout[h->proto];
	uint8_t *csum = h->l4 + at->csum;

	if (side == SRC)
		h->ip->be_src = to.be_addr;
	else
		h->ip->be_dst = to.be_addr;
	h->ip->be_csum = nfv_csum_update(h->ip->be_csum, ip_delta);
	put16(h->l4 + at->port[side], to.be_port);
	if (h->l4_len < at->csum + 2u)
		return;
	if (h->proto == NAT_UDP)
		put16(csum, nfv_csum_update_udp(get16(csum), l4_delta));
	else
		put16(csum, nfv_csum_update(get16(csum), l4_delta));
}

void
nat_slot_fill(struct nat_slot *slot, uint32_t id, const struct nat_mapping *m)
{
	uint32_t addr = nfv_csum_delta32(m->in.be_addr, m->ext.be_addr);
	uint32_t port = nfv_csum_delta16(m->in.be_port, m->ext.be_port);

	*slot = (struct nat_slot){ .in = m->in,
		.ext = m->ext,
		.mapping = id,
		.ip_delta = nfv_csum_fold(addr),
		/* ICMP has no pseudo header. */
		.l4_delta = nfv_csum_fold(m->proto == NAT_ICMP ? port : addr + port) };
}

static int
translatable(uint8_t proto, const uint8_t *l4)
{
	switch (proto) {
	case NFV_PROTO_UDP:
		return NAT_UDP;
	case NFV_PROTO_TCP:
		return NAT_TCP;
	case NFV_PROTO_ICMP:
		return l4[0] == NFV_ICMP_ECHO || l4[0] == NFV_ICMP_ECHO_REPLY ? NAT_ICMP : -1;
	default:
		return -1;
	}
}

int
nat_pkt_proto(const struct nfv_pkt *p)
{
	return translatable(p->proto, nfv_pkt_l4(p));
}

bool
nat_icmp_is_error(uint8_t type)
{
	enum { SOURCE_QUENCH = 4 };

	return type == NFV_ICMP_UNREACHABLE || type == SOURCE_QUENCH || type == NFV_ICMP_REDIRECT ||
		type == NFV_ICMP_TIME_EXCEEDED || type == NFV_ICMP_PARAMETER;
}

static struct headers
headers(const struct nfv_pkt *p, enum nat_proto proto)
{
	return (struct headers){ nfv_pkt_ip4(p), nfv_pkt_l4(p), nfv_pkt_l4_len(p), proto };
}

struct nat_endpoint
nat_pkt_src(const struct nfv_pkt *p, enum nat_proto proto)
{
	struct headers h = headers(p, proto);

	return endpoint(&h, SRC);
}

struct nat_endpoint
nat_pkt_dst(const struct nfv_pkt *p, enum nat_proto proto)
{
	struct headers h = headers(p, proto);

	return endpoint(&h, DST);
}

/* Either way a packet carries `from` on one side, which becomes `to`. */
static ALWAYS_INLINE bool
translate(const struct nat_slot *slot, const struct headers *h, enum side side, enum nfv_dir dir)
{
	bool outward = dir == NFV_OUTWARD;
	struct nat_endpoint from = outward ? slot->in : slot->ext, has = endpoint(h, side);

	if (has.be_addr != from.be_addr || has.be_port != from.be_port)
		return false;
	/* Negating a one's complement number inverts its bits. */
	replace(h, side, outward ? slot->ext : slot->in,
		outward ? slot->ip_delta : (uint16_t)~slot->ip_delta,
		outward ? slot->l4_delta : (uint16_t)~slot->l4_delta);
	return true;
}

static ALWAYS_INLINE bool
rewrite(const struct nat_slot *slot, const struct nfv_pkt *p, enum nat_proto proto,
	enum nfv_dir dir)
{
	struct headers h = headers(p, proto);

	return dir == NFV_OUTWARD ? translate(slot, &h, SRC, NFV_OUTWARD) :
				    translate(slot, &h, DST, NFV_INWARD);
}

/* What every packet passes: inlined by protocol and side, so that the layout is constant in each. */
bool
nat_rewrite(const struct nat_slot *slot, struct nfv_pkt *p, enum nfv_dir dir)
{
	switch (nat_pkt_proto(p)) {
	case NAT_UDP:
		return rewrite(slot, p, NAT_UDP, dir);
	case NAT_TCP:
		return rewrite(slot, p, NAT_TCP, dir);
	case NAT_ICMP:
		return rewrite(slot, p, NAT_ICMP, dir);
	default:
		return false;
	}
}

/* What stands behind the error's own eight bytes, as far as it reaches. */
static enum nat_quote
quoted(const struct nfv_pkt *p, struct headers *h)
{
	unsigned int room = nfv_pkt_l4_len(p) - NFV_ICMP_LEN, hlen;
	int proto;

	h->ip = (struct nfv_ip4 *)((uint8_t *)nfv_pkt_l4(p) + NFV_ICMP_LEN);
	if (room < NFV_IP4_LEN)
		return NAT_QUOTE_SHORT;
	hlen = nfv_ip4_hlen(h->ip);
	if (h->ip->version_ihl >> 4 != 4 || hlen < NFV_IP4_LEN)
		return NAT_QUOTE_OTHER;
	if (room < hlen)
		return NAT_QUOTE_SHORT;
	if (nfv_csum(h->ip, hlen) != 0)
		return NAT_QUOTE_CHECKSUM;
	if ((be16toh(h->ip->be_frag) & NFV_IP4_OFFSET) != 0)
		return NAT_QUOTE_OTHER; /* no transport header in it */
	h->l4 = (uint8_t *)h->ip + hlen;
	h->l4_len = room - hlen;
	/* Ports and an echo's identifier end at the sixth byte at the latest. */
	if (h->l4_len < 6)
		return NAT_QUOTE_SHORT;
	proto = translatable(h->ip->proto, h->l4);
	if (proto < 0)
		return NAT_QUOTE_OTHER;
	h->proto = (enum nat_proto)proto;
	return NAT_QUOTE_OK;
}

bool
nat_quoted(
	const struct nfv_pkt *p, enum nfv_dir dir, enum nat_proto *proto, struct nat_endpoint *out)
{
	struct headers h;

	if (nfv_pkt_l4_len(p) < NFV_ICMP_LEN || quoted(p, &h) != NAT_QUOTE_OK)
		return false;
	*proto = h.proto;
	*out = endpoint(&h, dir == NFV_OUTWARD ? DST : SRC);
	return true;
}

enum nat_quote
nat_rewrite_quote(const struct nat_slot *slot, struct nfv_pkt *p, enum nfv_dir dir)
{
	struct nfv_icmp *icmp = nfv_pkt_l4(p);
	enum nat_quote why;
	uint16_t before;
	struct headers h;
	size_t n;

	if (!nfv_csum_l4_ok(p))
		return NAT_QUOTE_CHECKSUM;
	why = quoted(p, &h);
	if (why != NAT_QUOTE_OK)
		return why;
	/* It starts at an even place, so its own sum changes as the error's does. */
	n = nfv_ip4_hlen(h.ip) + (h.l4_len < NFV_TCP_LEN ? h.l4_len : NFV_TCP_LEN);
	before = nfv_csum_fold(nfv_csum_add(0, h.ip, n));
	/* The quoted packet went the other way. */
	if (!translate(slot, &h, dir == NFV_OUTWARD ? DST : SRC, dir))
		return NAT_QUOTE_OTHER;
	icmp->be_csum = nfv_csum_update(
		icmp->be_csum, nfv_csum_delta16(before, nfv_csum_fold(nfv_csum_add(0, h.ip, n))));
	return NAT_QUOTE_OK;
}

void
nat_set_src(struct nfv_pkt *p, uint32_t be_addr)
{
	struct nfv_ip4 *ip = nfv_pkt_ip4(p);

	ip->be_csum = nfv_csum_update(ip->be_csum, nfv_csum_delta32(ip->be_src, be_addr));
	ip->be_src = be_addr;
}

void
nat_set_dst(struct nfv_pkt *p, uint32_t be_addr)
{
	struct nfv_ip4 *ip = nfv_pkt_ip4(p);

	ip->be_csum = nfv_csum_update(ip->be_csum, nfv_csum_delta32(ip->be_dst, be_addr));
	ip->be_dst = be_addr;
}
