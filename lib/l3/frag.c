#include "frag.h"

#define IP4_OPTIONS_MAX 40

struct frag6 {
	uint8_t next, zero;
	uint16_t be_offset; /* in bytes, a multiple of eight; the last bit says that more follows */
	uint32_t be_id;
} __attribute__((packed));

/* The options that every fragment repeats are those with the first bit set (RFC 791 §3.1).
 * Returns their bytes, padded. The parser has seen that they stay inside the header. */
static unsigned int
copied_options(const uint8_t *opt, unsigned int n, uint8_t out[IP4_OPTIONS_MAX])
{
	enum { END = 0, NOP = 1 };
	unsigned int len = 0, size;

	memset(out, END, IP4_OPTIONS_MAX);
	for (unsigned int i = 0; i < n && opt[i] != END; i += size) {
		size = opt[i] == NOP || i + 1 == n ? 1 : opt[i + 1];
		if (size == 0 || size > n - i)
			break;
		if (opt[i] & 0x80) {
			memcpy(out + len, opt + i, size);
			len += size;
		}
	}
	return (len + 3) & ~3u;
}

struct plan {
	unsigned int mtu, payload;
	unsigned int from;     /* of the payload in the packet, from its IP header on */
	unsigned int hlen[2];  /* of the first fragment, of the others */
	unsigned int chunk[2]; /* payload of each but the last */
	const uint8_t *options;
	uint32_t be_id; /* IPv4: the 16 bits of its field */
};

static unsigned int
pieces(const struct plan *plan)
{
	unsigned int rest = plan->payload - plan->chunk[0];

	return 1 + (rest + plan->chunk[1] - 1) / plan->chunk[1];
}

static void
write_ip4(struct nfv_pkt *out, const struct nfv_ip4 *ip, const struct plan *plan,
	unsigned int offset, unsigned int size)
{
	unsigned int hlen = plan->hlen[offset > 0];
	struct nfv_ip4 *head = nfv_pkt_ip4(out);
	bool more = offset + size < plan->payload || be16toh(ip->be_frag) & NFV_IP4_MF;
	unsigned int units = (be16toh(ip->be_frag) & NFV_IP4_OFFSET) + offset / 8;

	memcpy(head, ip, NFV_IP4_LEN);
	memcpy(head + 1, offset > 0 ? plan->options : (const uint8_t *)(ip + 1),
		hlen - NFV_IP4_LEN);
	head->version_ihl = (uint8_t)(0x40 | hlen / 4);
	head->be_len = htobe16((uint16_t)(hlen + size));
	head->be_id = (uint16_t)plan->be_id;
	head->be_frag = htobe16((uint16_t)(units | (more ? NFV_IP4_MF : 0)));
	nfv_csum_ip4_set(head);
	out->proto = ip->proto;
}

static void
write_ip6(struct nfv_pkt *out, const struct nfv_ip6 *ip, const struct plan *plan,
	unsigned int offset, unsigned int size)
{
	struct nfv_ip6 *head = nfv_pkt_ip6(out);
	struct frag6 frag = { .next = ip->next,
		.be_offset = htobe16((uint16_t)(offset | (offset + size < plan->payload))),
		.be_id = plan->be_id };

	memcpy(head, ip, NFV_IP6_LEN);
	head->be_len = htobe16((uint16_t)(sizeof(frag) + size));
	head->next = NFV_PROTO_FRAGMENT;
	memcpy(head + 1, &frag, sizeof(frag));
	out->proto = ip->next;
}

static void
plan_ip4(const struct turn *t, const struct nfv_pkt *p, struct plan *plan,
	uint8_t later[IP4_OPTIONS_MAX])
{
	const struct nfv_ip4 *ip = nfv_pkt_ip4(p);

	plan->from = plan->hlen[0] = nfv_ip4_hlen(ip);
	plan->hlen[1] = NFV_IP4_LEN +
		copied_options((const uint8_t *)(ip + 1), plan->hlen[0] - NFV_IP4_LEN, later);
	plan->options = later;
	plan->be_id = ip->be_id;
	/* What we wrote ourselves has no identity until it needs one (RFC 6864 §4.1). */
	if (p->flags & NFV_PKT_OWN && plan->be_id == 0)
		plan->be_id = htobe16(++t->l3->ip_id);
}

/* Identities count, from where nobody can guess for another destination (RFC 7739 §5.3). */
static void
plan_ip6(const struct turn *t, const struct nfv_pkt *p, struct plan *plan)
{
	struct nfv_addr to = host_dst_of(p);
	uint64_t from = hash_addr(&t->l3->neigh.key, &to, 6);

	plan->from = NFV_IP6_LEN;
	plan->hlen[0] = plan->hlen[1] = NFV_IP6_LEN + sizeof(struct frag6);
	plan->be_id = htobe32((uint32_t)from + ++t->l3->ip6_id);
}

bool
frag_send(const struct turn *t, const struct nfv_pkt *p, const uint8_t mac[6])
{
	const uint8_t *ip = p->data + p->l3;
	struct plan plan = { .mtu = t->l3->port[t->port].mtu };
	uint16_t before = t->wire->n;
	uint8_t later[IP4_OPTIONS_MAX];

	if (p->family == 4)
		plan_ip4(t, p, &plan, later);
	else
		plan_ip6(t, p, &plan);
	plan.payload = (unsigned int)(p->len - p->l3) - plan.from;
	for (int i = 0; i < 2; i++)
		plan.chunk[i] = (plan.mtu - plan.hlen[i]) & ~7u;
	if (pieces(&plan) > (unsigned int)(t->wire->room - t->wire->n)) {
		t->wire->starved++;
		return false;
	}
	for (unsigned int offset = 0, size; offset < plan.payload; offset += size) {
		struct nfv_pkt *out = host_take(t);
		unsigned int hlen = plan.hlen[offset > 0];

		size = plan.chunk[offset > 0];
		if (size > plan.payload - offset)
			size = plan.payload - offset;
		if (!nfv_pkt_resize(out, (int)(out->l3 + hlen + size) - out->len)) {
			t->wire->n = before;
			t->wire->starved++;
			return false;
		}
		if (p->family == 4)
			write_ip4(out, (const void *)ip, &plan, offset, size);
		else
			write_ip6(out, (const void *)ip, &plan, offset, size);
		memcpy(out->data + out->l3 + hlen, ip + plan.from + offset, size);
		out->family = p->family;
		out->l4 = (uint16_t)(out->l3 + hlen);
		host_frame(t, out, mac, p->family == 4 ? NFV_ETH_IP4 : NFV_ETH_IP6);
	}
	t->l3->count.fragments += (uint64_t)(t->wire->n - before);
	return true;
}
