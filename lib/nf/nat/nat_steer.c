/*
 * Whose a packet is, where the chain is spread over shards. Each has its part of the ports, and inside
 * endpoints are dealt out by hash; so a mapping and all packets that need it are one shard's, either way,
 * and no shard has to ask another. The same for inside endpoints that are not translated: what comes in
 * to them is answered by them.
 */
#include "nat.h"

#define ANY (-1)

/* With one external address hosts need not stay together, unless their mappings are counted. */
static int
of_inside(const struct nat *nat, struct nat_endpoint in)
{
	const struct nat_share *s = &nat->share;

	return (int)((nfv_hash2(&s->key, in.be_addr, s->by_port ? in.be_port : 0) >> 32) %
		s->shards);
}

static int
of_external(const struct nat *nat, enum nat_proto proto, struct nat_endpoint ext)
{
	const struct nat_share *s = &nat->share;
	const struct nat_mapping *m = nat_find_external(nat->table, proto, ext);
	uint32_t port = be16toh(ext.be_port), part;

	if (m != NULL && m->is_static)
		return of_inside(nat, m->in);
	if (!nat_table_has(nat->table, ext.be_addr) || port < s->lo || port > s->hi)
		return ANY;
	part = (port - s->lo) / ((s->hi - s->lo + 1) / s->shards);
	return (int)(part < s->shards ? part : s->shards - 1);
}

/* Of an endpoint that a packet which travels in `dir` comes from, outward, or goes to, inward; what an
 * error quotes travelled the other way. */
static int
of_endpoint(const struct nat *nat, enum nat_proto proto, struct nat_endpoint e, enum nfv_dir dir)
{
	int who = dir == NFV_INWARD ? of_external(nat, proto, e) : ANY;

	return who == ANY && nat_is_inside(nat, e.be_addr) ? of_inside(nat, e) : who;
}

int
nat_steer(const struct nat *nat, const struct nfv_pkt *p, enum nfv_dir dir)
{
	const struct nfv_icmp *icmp = nfv_pkt_l4(p);
	struct nat_endpoint e;
	enum nat_proto of;
	int proto;

	if (p->family != 4 || nat->share.shards <= 1)
		return ANY;
	if (p->proto == NFV_PROTO_ICMP && nat_icmp_is_error(icmp->type))
		return nat_quoted(p, dir, &of, &e) ? of_endpoint(nat, of, e, dir) : ANY;
	proto = nat_pkt_proto(p);
	if (proto >= 0)
		e = dir == NFV_OUTWARD ? nat_pkt_src(p, proto) : nat_pkt_dst(p, proto);
	else
		e = (struct nat_endpoint){
			dir == NFV_OUTWARD ? nfv_pkt_ip4(p)->be_src : nfv_pkt_ip4(p)->be_dst, 0
		};
	/* What has no ports has no mapping. */
	return of_endpoint(nat, proto >= 0 ? (enum nat_proto)proto : NAT_ICMP, e, dir);
}
