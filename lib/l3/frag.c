#include "frag.h"

#define IP4_OPTIONS_MAX 40

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
	unsigned int hlen[2];  /* of the first fragment, of the others */
	unsigned int chunk[2]; /* payload of each but the last */
	const uint8_t *options[2];
};

static unsigned int
pieces(const struct plan *plan)
{
	unsigned int rest = plan->payload - plan->chunk[0];

	return 1 + (rest + plan->chunk[1] - 1) / plan->chunk[1];
}

static void
write_piece(struct nfv_pkt *out, const struct nfv_ip4 *ip, const struct plan *plan,
	unsigned int offset, unsigned int size, uint16_t id)
{
	int later = offset > 0;
	unsigned int hlen = plan->hlen[later];
	struct nfv_ip4 *head = nfv_pkt_ip4(out);
	bool more = offset + size < plan->payload || be16toh(ip->be_frag) & NFV_IP4_MF;
	unsigned int units = (be16toh(ip->be_frag) & NFV_IP4_OFFSET) + offset / 8;

	memcpy(head, ip, NFV_IP4_LEN);
	memcpy(head + 1, plan->options[later], hlen - NFV_IP4_LEN);
	head->version_ihl = (uint8_t)(0x40 | hlen / 4);
	head->be_len = htobe16((uint16_t)(hlen + size));
	head->be_id = id;
	head->be_frag = htobe16((uint16_t)(units | (more ? NFV_IP4_MF : 0)));
	memcpy((uint8_t *)head + hlen, (const uint8_t *)ip + nfv_ip4_hlen(ip) + offset, size);
	nfv_csum_ip4_set(head);
	out->family = 4;
	out->proto = ip->proto;
	out->l4 = (uint16_t)(out->l3 + hlen);
}

bool
frag_send(const struct turn *t, const struct nfv_pkt *p, const uint8_t mac[6])
{
	const struct nfv_ip4 *ip = nfv_pkt_ip4(p);
	struct plan plan = { .mtu = t->l3->port[t->port].mtu };
	uint16_t id = ip->be_id, before = t->wire->n;
	uint8_t later[IP4_OPTIONS_MAX];

	plan.hlen[0] = nfv_ip4_hlen(ip);
	plan.options[0] = (const uint8_t *)(ip + 1);
	plan.hlen[1] =
		NFV_IP4_LEN + copied_options(plan.options[0], plan.hlen[0] - NFV_IP4_LEN, later);
	plan.options[1] = later;
	plan.payload = (unsigned int)(p->len - p->l3) - plan.hlen[0];
	for (int i = 0; i < 2; i++)
		plan.chunk[i] = (plan.mtu - plan.hlen[i]) & ~7u;
	if (pieces(&plan) > (unsigned int)(t->wire->room - t->wire->n)) {
		t->wire->starved++;
		return false;
	}
	/* What we wrote ourselves has no identity until it needs one (RFC 6864 §4.1). */
	if (p->flags & NFV_PKT_OWN && id == 0)
		id = htobe16(++t->l3->ip_id);
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
		write_piece(out, ip, &plan, offset, size, id);
		host_frame(t, out, mac, NFV_ETH_IP4);
	}
	t->l3->count.fragments += (uint64_t)(t->wire->n - before);
	return true;
}
