#include "frag.h"
#include "icmp.h"
#include "resolve.h"

/* The packets of a burst that have to be routed, of one family, and what became of it. */
struct lookup {
	struct nfv_pkt *p[NFV_BURST_MAX];
	uint64_t hop[NFV_BURST_MAX];
	unsigned int n;
};

struct lookups {
	struct lookup v4, v6;
	uint32_t ip4[NFV_BURST_MAX];
	uint8_t ip6[NFV_BURST_MAX][16];
};

/* Where a packet goes next. */
struct step {
	struct nfv_pkt *p;
	uint64_t hash;
	const struct nfv_addr *to; /* the gateway, the same for all that take it, or dst */
	struct nfv_addr dst;
};

static uint8_t
for_us(const struct turn *t, const struct nfv_pkt *p)
{
	if (p->proto == NFV_PROTO_UDP)
		icmp_error_back(t, ICMP_PORT, 0, p);
	return NFV_DROP(NFV_L3_NO_LISTENER);
}

static bool
is_spent(const struct nfv_pkt *p)
{
	if (p->flags & NFV_PKT_OWN)
		return false;
	return (p->family == 4 ? nfv_pkt_ip4(p)->ttl : nfv_pkt_ip6(p)->hops) <= 1;
}

/* What can be said without a route. NFV_KEEP: nothing yet. */
static uint8_t
judge(const struct turn *t, struct nfv_pkt *p)
{
	enum nfv_parse why;
	struct nfv_addr dst;
	enum own_kind kind;

	if (p->flags & NFV_PKT_OWN) {
		/* Nobody has looked at it yet. */
		why = nfv_pkt_parse_ip(p);
		if (why != NFV_PARSE_OK)
			return NFV_DROP(why);
	}
	dst = host_dst_of(p);
	kind = own_find(&t->l3->own, &dst)->kind;
	if (kind == OWN_HOST)
		return for_us(t, p);
	if (kind == OWN_BROADCAST || addr_multicast(&dst))
		return NFV_DROP(NFV_L3_MULTICAST);
	if (is_spent(p)) {
		icmp_error_back(t, ICMP_TTL, 0, p);
		return NFV_DROP(NFV_L3_TTL);
	}
	return NFV_KEEP;
}

static void
gather(struct lookups *l, struct nfv_pkt *p)
{
	if (p->family == 4) {
		l->ip4[l->v4.n] = be32toh(nfv_pkt_ip4(p)->be_dst);
		l->v4.p[l->v4.n++] = p;
	} else {
		memcpy(l->ip6[l->v6.n], nfv_pkt_ip6(p)->dst, sizeof(l->ip6[0]));
		l->v6.p[l->v6.n++] = p;
	}
}

/* What the route says; the next hop into s->to. NFV_KEEP: it can go there. */
static uint8_t
follow(const struct turn *t, const struct nfv_pkt *p, uint64_t hop, struct step *s)
{
	const struct next_hop *next = &t->l3->routes.hop[hop];
	uint16_t mtu = t->l3->port[t->port].mtu;

	s->dst = host_dst_of(p);
	s->to = &s->dst;
	if (addr_link_local(&s->dst)) {
		/* Only our own packets, to the link they are leaving by. */
		if (!(p->flags & NFV_PKT_OWN))
			return NFV_DROP(NFV_L3_NO_ROUTE);
	} else if (hop == HOP_NONE) {
		icmp_error_back(t, ICMP_NET, 0, p);
		return NFV_DROP(NFV_L3_NO_ROUTE);
	} else if (next->port != t->port) {
		return NFV_DROP(NFV_L3_WRONG_WAY);
	} else if (next->via.family != NFV_NO_ADDR) {
		s->to = &next->via;
	}
	if (p->len - p->l3 > mtu && !frag_may(p)) {
		icmp_error_back(t, ICMP_TOO_BIG, mtu, p);
		return NFV_DROP(NFV_L3_TOO_BIG);
	}
	return NFV_KEEP;
}

static unsigned int
plan(const struct turn *t, const struct lookup *l, struct step *step)
{
	const struct neigh_cache *c = &t->l3->neigh;
	unsigned int n = 0;

	for (unsigned int i = 0; i < l->n; i++) {
		struct step *s = &step[n];

		l->p[i]->verdict = follow(t, l->p[i], l->hop[i], s);
		if (l->p[i]->verdict != NFV_KEEP)
			continue;
		s->p = l->p[i];
		if (n > 0 && s->to == step[n - 1].to) {
			s->hash = step[n - 1].hash;
		} else {
			s->hash = neigh_hash(c, t->port, s->to);
			neigh_prefetch(c, s->hash);
		}
		n++;
	}
	return n;
}

void
nfv_l3_output(
	struct nfv_l3 *l3, struct nfv_burst *burst, struct nfv_out *wire, struct nfv_out *back)
{
	const struct turn t = { .l3 = l3,
		.now = burst->tsc,
		.port = burst->dir == NFV_OUTWARD ? 1 : 0,
		.wire = wire,
		.back = back };
	struct resolve_last last = { NULL, NULL };
	struct step step[NFV_BURST_MAX];
	struct lookups l;
	unsigned int n;

	l3->now = burst->tsc;
	l.v4.n = l.v6.n = 0;
	for (uint16_t i = 0; i < burst->n; i++) {
		struct nfv_pkt *p = &burst->pkt[i];

		if (p->verdict != NFV_KEEP)
			continue;
		p->verdict = judge(&t, p);
		if (p->verdict == NFV_KEEP)
			gather(&l, p);
	}
	if (l.v4.n > 0)
		routes_find4(&l3->routes, l.ip4, l.v4.hop, l.v4.n);
	if (l.v6.n > 0)
		routes_find6(&l3->routes, l.ip6, l.v6.hop, l.v6.n);
	n = plan(&t, &l.v4, step);
	n += plan(&t, &l.v6, step + n);
	for (unsigned int i = 0; i < n; i++)
		step[i].p->verdict = resolve_send(&t, step[i].p, step[i].to, step[i].hash, &last);
}
