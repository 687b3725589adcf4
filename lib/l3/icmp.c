#include "frag.h"
#include "icmp.h"

#define IP4_ERROR_MAX 576  /* RFC 1812 §4.3.2.3 */
#define IP6_ERROR_MAX 1280 /* RFC 4443 §2.4 c */
#define LIMIT_BURST   50

static const struct {
	uint8_t type4, code4, type6, code6;
} errors[ICMP_ERRORS] = {
	[ICMP_TTL] = { NFV_ICMP_TIME_EXCEEDED, 0, NFV_ICMP6_TIME_EXCEEDED, 0 },
	[ICMP_REASSEMBLY] = { NFV_ICMP_TIME_EXCEEDED, 1, NFV_ICMP6_TIME_EXCEEDED, 1 },
	[ICMP_NET] = { NFV_ICMP_UNREACHABLE, 0, NFV_ICMP6_UNREACHABLE, 0 },
	[ICMP_HOST] = { NFV_ICMP_UNREACHABLE, 1, NFV_ICMP6_UNREACHABLE, 3 },
	[ICMP_PORT] = { NFV_ICMP_UNREACHABLE, 3, NFV_ICMP6_UNREACHABLE, 4 },
	[ICMP_TOO_BIG] = { NFV_ICMP_UNREACHABLE, 4, NFV_ICMP6_TOO_BIG, 0 },
};

void
icmp_limit_init(struct icmp_limit *l, uint64_t hz, uint32_t rate)
{
	*l = (struct icmp_limit){ .cost = 1 };
	if (rate == 0)
		return;
	if (hz > rate)
		l->cost = hz / rate;
	l->depth = l->cost * (rate < LIMIT_BURST ? rate : LIMIT_BURST);
	l->credit = l->depth;
}

static bool
limit_ok(struct icmp_limit *l, uint64_t now)
{
	if ((int64_t)(now - l->last) > 0) {
		l->credit = now - l->last < l->depth - l->credit ? l->credit + (now - l->last) :
								   l->depth;
		l->last = now;
	}
	if (l->credit < l->cost)
		return false;
	l->credit -= l->cost;
	return true;
}

/* Only queries may be answered with an error; unknown types may be errors (RFC 1122 §3.2.2). */
static bool
is_query(const struct nfv_pkt *p)
{
	const struct nfv_icmp *icmp = nfv_pkt_l4(p);
	const uint32_t queries = 1u << 0 | 1u << 8 | 1u << 9 | 1u << 10 | 0x3fu << 13;

	if (nfv_pkt_l4_len(p) < NFV_ICMP_LEN)
		return false;
	if (p->proto == NFV_PROTO_ICMP)
		return icmp->type < 32 && queries >> icmp->type & 1;
	return icmp->type >= 128 && icmp->type != 137; /* a redirect counts as an error */
}

/* RFC 1812 §4.3.2.7, RFC 4443 §2.4 e. Frames sent to a link-layer group never get this far. */
static bool
may_answer(const struct nfv_l3 *l3, const struct nfv_pkt *p)
{
	struct nfv_addr src = host_src_of(p), dst = host_dst_of(p);
	static const uint8_t zero[16];

	if (p->flags & NFV_PKT_FRAGMENT)
		return false;
	if ((p->proto == NFV_PROTO_ICMP || p->proto == NFV_PROTO_ICMP6) && !is_query(p))
		return false;
	if (addr_multicast(&src) || addr_multicast(&dst) || memcmp(src.b, zero, 16) == 0 ||
		(src.family == NFV_IPV4 && (src.b[0] == 0 || src.b[0] == 127 || src.b[0] >= 224)))
		return false;
	return own_find(&l3->own, &src)->kind != OWN_BROADCAST &&
		own_find(&l3->own, &dst)->kind != OWN_BROADCAST;
}

/* The error itself: header, eight bytes, and of the packet as much as may be quoted. */
static struct nfv_pkt *
write_error(const struct turn *t, struct nfv_out *out, enum nfv_dir dir, enum icmp_error what,
	uint32_t rest, const struct nfv_pkt *about, const struct nfv_addr *from)
{
	bool v4 = about->family == 4;
	unsigned int room = v4 ? IP4_ERROR_MAX - NFV_IP4_LEN - NFV_ICMP_LEN :
				 IP6_ERROR_MAX - NFV_IP6_LEN - NFV_ICMP_LEN;
	unsigned int quote = (unsigned int)(about->len - about->l3);
	struct nfv_icmp icmp = { .be_rest = htobe32(rest) };
	struct nfv_addr to = host_src_of(about);
	struct nfv_pkt *p;

	if (quote > room)
		quote = room;
	if (from == NULL || !may_answer(t->l3, about))
		return NULL;
	if (!limit_ok(&t->l3->limit, t->now)) {
		t->l3->count.errors_limited++;
		return NULL;
	}
	p = nfv_out_take(out, dir);
	if (p == NULL)
		return NULL;
	if (!nfv_pkt_ip_header(p, about->family, from->b, to.b,
		    v4 ? NFV_PROTO_ICMP : NFV_PROTO_ICMP6, (uint16_t)(NFV_ICMP_LEN + quote))) {
		host_untake(out);
		return NULL;
	}
	if (v4) {
		nfv_pkt_ip4(p)->tos = 0xc0; /* internetwork control: RFC 1812 §4.3.2.5 */
		nfv_csum_ip4_set(nfv_pkt_ip4(p));
	}
	icmp.type = v4 ? errors[what].type4 : errors[what].type6;
	icmp.code = v4 ? errors[what].code4 : errors[what].code6;
	memcpy(nfv_pkt_l4(p), &icmp, sizeof(icmp));
	memcpy((uint8_t *)nfv_pkt_l4(p) + sizeof(icmp), about->data + about->l3, quote);
	nfv_csum_l4_set(p);
	p->flags = NFV_PKT_OWN;
	t->l3->count.errors++;
	return p;
}

void
icmp_error_wire(
	const struct turn *t, enum icmp_error what, uint32_t rest, const struct nfv_pkt *about)
{
	const struct nfv_eth *eth = (const struct nfv_eth *)about->data;
	struct nfv_addr to = host_src_of(about);
	const struct nfv_addr *from = host_source(t->l3, t->port, &to);
	struct nfv_pkt *p;

	if (from == NULL)
		from = host_source(t->l3, !t->port, &to);
	p = write_error(t, t->wire, host_dir(t->port), what, rest, about, from);
	if (p != NULL)
		host_frame(t, p, eth->src, p->family == 4 ? NFV_ETH_IP4 : NFV_ETH_IP6);
}

void
icmp_error_back(
	const struct turn *t, enum icmp_error what, uint32_t rest, const struct nfv_pkt *about)
{
	struct nfv_addr to = host_src_of(about), addressed = host_dst_of(about);
	const struct nfv_addr *from = host_source(t->l3, t->port, &to);

	if (from == NULL)
		from = host_source(t->l3, !t->port, &to);
	if (own_find(&t->l3->own, &addressed)->kind == OWN_HOST)
		from = &addressed; /* who was spoken to answers */
	write_error(t, t->back, nfv_dir_back(host_dir(t->port)), what, rest, about, from);
}

bool
icmp_is_echo(const struct nfv_pkt *p)
{
	const struct nfv_icmp *icmp = nfv_pkt_l4(p);

	return (p->proto == NFV_PROTO_ICMP && icmp->type == NFV_ICMP_ECHO) ||
		(p->proto == NFV_PROTO_ICMP6 && icmp->type == NFV_ICMP6_ECHO);
}

/* Exchanged addresses leave the pseudo header's sum as it is: only the type counts. */
static void
make_reply(struct nfv_icmp *icmp, uint8_t family)
{
	uint16_t before, after;

	memcpy(&before, icmp, sizeof(before));
	icmp->type = family == 4 ? NFV_ICMP_ECHO_REPLY : NFV_ICMP6_ECHO_REPLY;
	memcpy(&after, icmp, sizeof(after));
	icmp->be_csum = nfv_csum_update(icmp->be_csum, nfv_csum_delta16(before, after));
}

uint8_t
icmp_echo(const struct turn *t, const struct nfv_pkt *p)
{
	const struct nfv_eth *eth = (const struct nfv_eth *)p->data;
	struct nfv_addr src = host_src_of(p), dst = host_dst_of(p);
	struct nfv_pkt *out;

	if (p->len - p->l3 > t->l3->port[t->port].mtu)
		return NFV_DROP(NFV_L3_TOO_BIG);
	out = host_take(t);
	if (out == NULL)
		return NFV_DROP(NFV_L3_NO_BUFFER);
	if (!nfv_pkt_ip_header(
		    out, p->family, dst.b, src.b, p->proto, (uint16_t)nfv_pkt_l4_len(p))) {
		host_untake(t->wire);
		return NFV_DROP(NFV_L3_NO_BUFFER);
	}
	if (p->family == 4) {
		nfv_pkt_ip4(out)->tos = nfv_pkt_ip4(p)->tos; /* RFC 1122 §3.2.2.6 */
		nfv_csum_ip4_set(nfv_pkt_ip4(out));
	}
	memcpy(nfv_pkt_l4(out), nfv_pkt_l4(p), nfv_pkt_l4_len(p));
	make_reply(nfv_pkt_l4(out), p->family);
	host_frame(t, out, eth->src, p->family == 4 ? NFV_ETH_IP4 : NFV_ETH_IP6);
	t->l3->count.echo_replies++;
	return NFV_CONSUMED;
}

uint8_t
icmp_echo_whole(const struct turn *t, struct nfv_pkt *p)
{
	struct nfv_addr src = host_src_of(p), dst = host_dst_of(p);
	unsigned int n = nfv_pkt_l4_len(p), hlen = p->family == 4 ? NFV_IP4_LEN : NFV_IP6_LEN;
	uint8_t tos = p->family == 4 ? nfv_pkt_ip4(p)->tos : 0, mac[6];

	if (p->len - p->l3 <= t->l3->port[t->port].mtu)
		return icmp_echo(t, p);
	memcpy(mac, ((const struct nfv_eth *)p->data)->src, sizeof(mac));
	/* Options and extension headers are the request's alone. */
	memmove(p->data + p->l3 + hlen, nfv_pkt_l4(p), n);
	nfv_pkt_ip_header(p, p->family, dst.b, src.b, p->proto, (uint16_t)n);
	if (p->family == 4)
		nfv_pkt_ip4(p)->tos = tos;
	make_reply(nfv_pkt_l4(p), p->family);
	p->flags = NFV_PKT_OWN;
	if (!frag_send(t, p, mac))
		return NFV_DROP(NFV_L3_NO_BUFFER);
	t->l3->count.echo_replies++;
	return NFV_CONSUMED;
}
