#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nfv_csum.h"
#include "nfv_hash.h"
#include "relay_slots.h"

#define RELATCH_SECONDS 2
#define RANK_ANY        1

size_t
sip_relay_pages(const struct sip_relay_conf *conf)
{
	return (conf->streams + RELAY_PER_PAGE - 1) / RELAY_PER_PAGE;
}

/* In an order that cannot be foretold, so that ports are hard to guess; later, the one that has been
 * free the longest is taken, so that a late packet of an old call meets nobody. */
static void
shuffle(struct sip_relay *r, uint64_t seed)
{
	struct nfv_hash_key key = nfv_hash_key(seed);

	for (uint32_t i = 0; i < r->n_pairs; i++) {
		uint32_t j = (uint32_t)(nfv_hash2(&key, i, 0) % (i + 1));

		r->free_pair[i] = r->free_pair[j];
		r->free_pair[j] = (uint16_t)i;
	}
}

int
sip_relay_create(const struct sip_relay_conf *conf, const struct nfv_pages *pages,
	struct sip_relay **out, struct nfv_err *err)
{
	struct sip_relay *r;

	if (conf->lo % 2 != 0 || conf->hi % 2 != 1 || conf->lo > conf->hi || conf->lo < 1024)
		return nfv_fail(err, EINVAL,
			"ports for media are pairs from 1024 on: an even first and an odd last one, "
			"not %u-%u",
			conf->lo, conf->hi);
	if (conf->streams == 0)
		return nfv_fail(err, EINVAL, "a relay of no streams relays nothing");
	r = pages->page != NULL ? nfv_lender_alloc(conf->lender, sizeof(*r)) : NULL;
	if (r == NULL)
		return nfv_fail(err, ENOMEM, "out of memory for %u streams", conf->streams);
	r->conf = *conf;
	r->page = pages->page;
	r->n_streams = conf->streams;
	r->n_pairs = r->n_free = (conf->hi - conf->lo + 1u) / 2;
	r->of_pair = nfv_lender_alloc(conf->lender, r->n_pairs * sizeof(*r->of_pair));
	r->free_pair = nfv_lender_alloc(conf->lender, r->n_pairs * sizeof(*r->free_pair));
	if (r->of_pair == NULL || r->free_pair == NULL) {
		sip_relay_destroy(r);
		return nfv_fail(
			err, ENOMEM, "out of memory for the ports %u-%u", conf->lo, conf->hi);
	}
	shuffle(r, conf->seed);
	for (uint32_t i = conf->streams; i > 0; i--) {
		stream_at(r, i)->next_free = r->free_stream;
		r->free_stream = i;
	}
	*out = r;
	return 0;
}

void
sip_relay_destroy(struct sip_relay *r)
{
	if (r == NULL)
		return;
	nfv_lender_free(r->conf.lender, r->of_pair);
	nfv_lender_free(r->conf.lender, r->free_pair);
	nfv_lender_free(r->conf.lender, r);
}

static uint16_t
take_pair(struct sip_relay *r, uint32_t whose)
{
	uint16_t pair = r->free_pair[r->free_first];

	r->free_first = (r->free_first + 1) % r->n_pairs;
	r->n_free--;
	r->of_pair[pair] = whose;
	return (uint16_t)(r->conf.lo + 2 * pair);
}

static void
give_pair(struct sip_relay *r, uint16_t port)
{
	uint16_t pair = (uint16_t)((port - r->conf.lo) / 2);

	r->of_pair[pair] = 0;
	r->free_pair[(r->free_first + r->n_free++) % r->n_pairs] = pair;
}

uint32_t
sip_relay_open(struct sip_relay *r)
{
	uint32_t id = r->free_stream;
	struct sip_relay_stream *s;

	if (id == 0 || r->n_free < 2) {
		r->stats.refused++;
		return 0;
	}
	s = stream_at(r, id);
	r->free_stream = s->next_free;
	memset(s, 0, sizeof(*s));
	s->open = true;
	for (uint32_t side = 0; side < 2; side++)
		s->side[side].port = take_pair(r, id * 2 + side);
	r->stats.opened++;
	r->stats.open++;
	return id;
}

void
sip_relay_close(struct sip_relay *r, uint32_t id)
{
	struct sip_relay_stream *s;

	if (id == 0 || id > r->n_streams || !stream_at(r, id)->open)
		return;
	s = stream_at(r, id);
	for (int side = 0; side < 2; side++) {
		const struct sip_rtp *rtp = &s->side[side].rtp;

		give_pair(r, s->side[side].port);
		r->stats.rtp_packets += rtp->packets;
		r->stats.rtp_disordered += rtp->disordered;
		r->stats.rtp_lost += sip_rtp_lost(rtp);
	}
	s->open = false;
	s->next_free = r->free_stream;
	r->free_stream = id;
	r->stats.open--;
}

void
sip_relay_owned(struct sip_relay *r, uint32_t id, const struct nfv_items *items, uint32_t owner)
{
	stream_at(r, id)->items = items;
	stream_at(r, id)->owner = owner;
}

const struct sip_relay_stream *
sip_relay_stream(const struct sip_relay *r, uint32_t id)
{
	return stream_at(r, id);
}

void
sip_relay_place(struct sip_relay *r, uint32_t id, unsigned int side, const struct nfv_addr *own,
	enum nfv_dir dir)
{
	stream_at(r, id)->side[side].own = *own;
	stream_at(r, id)->side[side].dir = (uint8_t)dir;
}

static bool
same(const struct nfv_endpoint *a, const struct nfv_endpoint *b)
{
	return a->port == b->port && nfv_addr_eq(&a->addr, &b->addr);
}

void
sip_relay_announce(struct sip_relay *r, uint32_t id, unsigned int side,
	const struct nfv_endpoint rtp_rtcp[2], const struct nfv_addr *signalling, uint32_t clock)
{
	struct sip_relay_side *s = &stream_at(r, id)->side[side];

	for (int i = 0; i < 2; i++) {
		if (!s->ready || !same(&s->announced[i], &rtp_rtcp[i])) {
			s->rank[i] = 0;
			s->latched[i] = (struct nfv_endpoint){ .port = 0 };
		}
		s->announced[i] = rtp_rtcp[i];
	}
	s->signalling = *signalling;
	s->clock = clock != 0 ? clock : 8000;
	s->ready = true;
}

bool
sip_relay_has_port(const struct sip_relay *r, uint16_t port)
{
	return port >= r->conf.lo && port <= r->conf.hi;
}

static uint8_t
rank_of(const struct sip_relay *r, const struct sip_relay_side *s, bool rtcp,
	const struct nfv_endpoint *src)
{
	const struct nfv_endpoint *said = &s->announced[rtcp];

	if (nfv_addr_eq(&said->addr, &src->addr))
		return said->port == src->port ? 3 : 2;
	if (nfv_addr_eq(&s->signalling, &src->addr))
		return 2;
	return r->conf.any ? RANK_ANY : 0;
}

/* Whether the source may send here; latches it if it is to be latched. */
static bool
may_send(struct sip_relay *r, const struct sip_relay_stream *of, struct sip_relay_side *s,
	bool rtcp, const struct nfv_endpoint *src, uint64_t tsc)
{
	uint8_t rank;

	if (s->rank[rtcp] == 0 || !same(&s->latched[rtcp], src)) {
		rank = rank_of(r, s, rtcp, src);
		if (rank < s->rank[rtcp] || rank == 0)
			return false;
		if (rank == s->rank[rtcp] &&
			(rank == RANK_ANY ||
				tsc - s->heard[rtcp] < RELATCH_SECONDS * r->conf.tsc_hz))
			return false;
		if (s->rank[rtcp] == 0)
			r->stats.latched++;
		else
			r->stats.relatched++;
		s->latched[rtcp] = *src;
		s->rank[rtcp] = rank;
		if (of->items != NULL)
			nfv_item_touch(of->items, of->owner - 1);
	}
	s->heard[rtcp] = tsc;
	return true;
}

/* What an IP header hands on to the one that takes its place. */
struct hop {
	uint8_t tos, hops;
	uint16_t be_id, be_frag;
};

static struct hop
read_hop(const struct nfv_pkt *p)
{
	const struct nfv_ip4 *ip4 = nfv_pkt_ip4(p);
	const struct nfv_ip6 *ip6 = nfv_pkt_ip6(p);

	if (p->family == 4)
		return (struct hop){ ip4->tos, ip4->ttl, ip4->be_id,
			ip4->be_frag & htobe16(NFV_IP4_DF) };
	/* From IPv6: it was not to be cut on its way, and has no number (RFC 6864 §4.1). */
	return (struct hop){ (uint8_t)(be32toh(ip6->be_vtf) >> 20), ip6->hops, 0,
		htobe16(NFV_IP4_DF) };
}

static uint64_t
sum_of(uint64_t sum, const struct nfv_endpoint *e)
{
	uint16_t be = htobe16(e->port);

	return nfv_csum_add(
		nfv_csum_add(sum, e->addr.b, nfv_addr_bits(&e->addr) / 8), &be, sizeof(be));
}

/*
 * A new IP header in front of the UDP header, which stays where it is: options and extension headers
 * are of the hop that ends here. The checksum changes by what is changed, so a wrong one stays wrong;
 * one that was left out (IPv4) is made up for where IPv6 must have one.
 */
static bool
readdress(struct nfv_pkt *p, const struct nfv_endpoint *from_was, const struct nfv_endpoint *to_was,
	const struct nfv_endpoint *from, const struct nfv_endpoint *to)
{
	struct hop hop = read_hop(p);
	struct nfv_udp *udp = nfv_pkt_l4(p);
	uint16_t udp_len = be16toh(udp->be_len);
	uint8_t family = to->addr.family == NFV_IPV4 ? 4 : 6;
	int front = NFV_ETH_LEN + (family == 4 ? NFV_IP4_LEN : NFV_IP6_LEN);
	int more = front - p->l4, end = p->l4 + udp_len;

	if (more > (int)p->headroom)
		return false;
	/* What stands behind the datagram's end is not of it. */
	if (p->len > end)
		nfv_pkt_resize(p, end - p->len);
	if (udp->be_csum != 0) {
		uint16_t was = nfv_csum_fold(sum_of(sum_of(0, from_was), to_was));
		uint16_t is = nfv_csum_fold(sum_of(sum_of(0, from), to));

		udp->be_csum = nfv_csum_update_udp(udp->be_csum, nfv_csum_delta16(was, is));
	}
	udp->be_sport = htobe16(from->port);
	udp->be_dport = htobe16(to->port);
	memmove(p->data - more, p->data, NFV_ETH_LEN);
	p->data -= more;
	((struct nfv_eth *)p->data)->be_type = htobe16(family == 4 ? NFV_ETH_IP4 : NFV_ETH_IP6);
	p->headroom = (uint16_t)(p->headroom - more);
	p->len = (uint16_t)(p->len + more);
	p->l3 = NFV_ETH_LEN;
	nfv_pkt_ip_header(p, family, from->addr.b, to->addr.b, NFV_PROTO_UDP, udp_len);
	if (family == 4) {
		struct nfv_ip4 *ip = nfv_pkt_ip4(p);

		ip->tos = hop.tos;
		ip->ttl = (uint8_t)(hop.hops - 1);
		ip->be_id = hop.be_id;
		ip->be_frag = hop.be_frag;
		nfv_csum_ip4_set(ip);
	} else {
		nfv_pkt_ip6(p)->be_vtf |= htobe32((uint32_t)hop.tos << 20);
		nfv_pkt_ip6(p)->hops = (uint8_t)(hop.hops - 1);
		if (udp->be_csum == 0)
			nfv_csum_l4_set(p);
	}
	p->flags = NFV_PKT_OWN;
	return true;
}

/* The way of the packet leads back: a copy goes, the packet itself stays. */
static void
turn_back(struct nfv_pkt *p, enum nfv_dir dir, struct nfv_out *out)
{
	int n = p->len - p->l3;
	struct nfv_pkt *o = nfv_out_take_for(out, dir, (size_t)n);

	p->verdict = NFV_CONSUMED;
	if (o == NULL)
		return; /* the runtime counts it */
	if (!nfv_pkt_resize(o, o->l3 + n - o->len)) {
		out->n--;
		out->starved++;
		return;
	}
	memcpy(o->data + o->l3, p->data + p->l3, (size_t)n);
}

static bool
drop(struct sip_relay *r, struct nfv_pkt *p, enum sip_relay_drop why)
{
	r->drops[why]++;
	p->verdict = NFV_DROP(r->conf.drops + why);
	return true;
}

/* The stream's number and side, or 0: the packet is not sent to an open port of the relay. */
static uint32_t
whose(const struct sip_relay *r, const struct nfv_pkt *p)
{
	uint16_t port;

	if (p->verdict != NFV_KEEP || p->proto != NFV_PROTO_UDP || p->family == 0 ||
		(p->flags & (NFV_PKT_FRAGMENT | NFV_PKT_RELATED)))
		return 0;
	port = be16toh(((const struct nfv_udp *)nfv_pkt_l4(p))->be_dport);
	return sip_relay_has_port(r, port) ? r->of_pair[(port - r->conf.lo) / 2] : 0;
}

static void
read_ends(const struct nfv_pkt *p, struct nfv_endpoint *src, struct nfv_endpoint *dst)
{
	const struct nfv_udp *udp = nfv_pkt_l4(p);

	if (p->family == 4) {
		src->addr = nfv_addr4(nfv_pkt_ip4(p)->be_src);
		dst->addr = nfv_addr4(nfv_pkt_ip4(p)->be_dst);
	} else {
		src->addr = nfv_addr6(nfv_pkt_ip6(p)->src);
		dst->addr = nfv_addr6(nfv_pkt_ip6(p)->dst);
	}
	src->port = be16toh(udp->be_sport);
	dst->port = be16toh(udp->be_dport);
}

/* Time in units of the side's clock. The product of seconds and rate is what wraps, never early. */
static uint32_t
in_clock(const struct sip_relay *r, uint64_t tsc, uint32_t clock)
{
	uint64_t hz = r->conf.tsc_hz;

	return (uint32_t)(tsc / hz * clock + tsc % hz * clock / hz);
}

static uint8_t
hops_of(const struct nfv_pkt *p)
{
	return p->family == 4 ? nfv_pkt_ip4(p)->ttl : nfv_pkt_ip6(p)->hops;
}

bool
sip_relay(
	struct sip_relay *r, struct nfv_pkt *p, enum nfv_dir dir, uint64_t tsc, struct nfv_out *out)
{
	uint32_t id = whose(r, p);
	struct nfv_endpoint src, dst, from;
	const struct nfv_endpoint *to;
	struct sip_relay_stream *s;
	struct sip_relay_side *here, *there;
	const struct nfv_udp *udp = nfv_pkt_l4(p);
	size_t n;
	bool rtcp;

	if (id == 0)
		return false;
	s = stream_at(r, id / 2);
	here = &s->side[id % 2];
	there = &s->side[1 - id % 2];
	read_ends(p, &src, &dst);
	if (!nfv_addr_eq(&dst.addr, &here->own))
		return false;
	rtcp = dst.port % 2;
	if (!here->ready) {
		here->dropped++;
		return drop(r, p, SIP_RELAY_EARLY);
	}
	if (dir == here->dir || src.port == 0 || !may_send(r, s, here, rtcp, &src, tsc)) {
		here->dropped++;
		return drop(r, p, SIP_RELAY_STRANGER);
	}
	to = there->rank[rtcp] != 0 ? &there->latched[rtcp] : &there->announced[rtcp];
	if (there->announced[rtcp].port == 0 || to->addr.family == NFV_NO_ADDR ||
		to->addr.family != there->own.family)
		return drop(r, p, SIP_RELAY_NO_TARGET);
	if (hops_of(p) <= 1)
		return drop(r, p, SIP_RELAY_HOPS);
	/* IPv6 has no UDP without a checksum (RFC 8200 §8.1). */
	if (p->family == 6 && udp->be_csum == 0)
		return drop(r, p, SIP_RELAY_MALFORMED);
	n = be16toh(udp->be_len) - NFV_UDP_LEN;
	if (rtcp)
		here->rtp.rtcp++;
	else if (sip_rtp_seen(&here->rtp, (const uint8_t *)(udp + 1), n,
			 in_clock(r, tsc, here->clock)) == SIP_RTP_MALFORMED)
		return drop(r, p, SIP_RELAY_MALFORMED);
	from = (struct nfv_endpoint){ there->own, (uint16_t)(there->port + rtcp) };
	if (!readdress(p, &src, &dst, &from, to))
		return drop(r, p, SIP_RELAY_NO_ROOM);
	s->heard = tsc;
	r->stats.packets++;
	r->stats.octets += n;
	if (there->dir != (uint8_t)dir)
		turn_back(p, (enum nfv_dir)there->dir, out);
	return true;
}

const struct sip_relay_stats *
sip_relay_stats(const struct sip_relay *r)
{
	return &r->stats;
}

static void
show_side(const struct sip_relay_side *s, FILE *to)
{
	const struct nfv_endpoint *peer = s->rank[0] != 0 ? &s->latched[0] : &s->announced[0];
	const struct sip_rtp *rtp = &s->rtp;
	char own[NFV_ADDR_TEXT], text[NFV_ADDR_TEXT];

	fprintf(to,
		"  %s:%u <- %s rank %u: packets %" PRIu64 " octets %" PRIu64 " lost %" PRId64
		" disordered %" PRIu64 " jitter %.1f ms rtcp %" PRIu64 " strangers %" PRIu64 "\n",
		nfv_addr_text(&s->own, own), s->port,
		peer->addr.family != NFV_NO_ADDR ? nfv_endpoint_text(peer, text) : "nobody",
		s->rank[0], rtp->packets, rtp->octets, sip_rtp_lost(rtp), rtp->disordered,
		s->clock != 0 ? 1e3 * sip_rtp_jitter(rtp) / s->clock : 0.0, rtp->rtcp, s->dropped);
}

void
sip_relay_show(const struct sip_relay *r, FILE *to, uint32_t n)
{
	const struct sip_relay_stats *t = &r->stats;

	fprintf(to,
		"relay: streams %u of %u, ports free %u; opened %" PRIu64 " refused %" PRIu64
		"; relayed packets %" PRIu64 " octets %" PRIu64 "; latched %" PRIu64
		" again %" PRIu64 "\nof streams that are over: packets %" PRIu64 " lost %" PRId64
		" disordered %" PRIu64 "\n",
		t->open, r->n_streams, 2 * r->n_free, t->opened, t->refused, t->packets, t->octets,
		t->latched, t->relatched, t->rtp_packets, t->rtp_lost, t->rtp_disordered);
	for (uint32_t i = 1; i <= r->n_streams && n > 0; i++) {
		const struct sip_relay_stream *s = stream_at(r, i);

		if (!s->open)
			continue;
		n--;
		fprintf(to, "stream %u\n", i);
		show_side(&s->side[0], to);
		show_side(&s->side[1], to);
	}
}
