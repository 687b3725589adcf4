#include <string.h>

#include "carry.h"
#include "nfv_csum.h"

size_t
fw_export_flow(const void *state, const void *slot, void *to, size_t room)
{
	const struct firewall *fw = state;
	const struct fw_flow *f = slot;
	struct fw_carried c;

	if (f->generation == 0 || room < sizeof(c))
		return 0;
	c = (struct fw_carried){ .digest =
					 f->generation == fw->set->generation ? fw->set->digest : 0,
		.pinhole = f->pinhole,
		.rule = f->rule };
	memcpy(to, &c, sizeof(c));
	return sizeof(c);
}

int
fw_import_flow(void *state, uint32_t version, const void *bytes, size_t n, void *slot)
{
	const struct firewall *fw = state;
	const struct fw_set *set = fw->set;
	struct fw_flow *f = slot;
	struct fw_carried c;
	bool same;

	(void)version; /* there has been no other yet */
	if (n == 0)
		return 0;
	if (n != sizeof(c))
		return -EINVAL;
	memcpy(&c, bytes, sizeof(c));
	same = c.digest != 0 && c.digest == set->digest;
	if (c.zero != 0 || (same && c.rule > set->rules->n))
		return -EINVAL;
	if (c.pinhole != 0 && !nfv_pinholes_know(fw->pinholes, c.pinhole))
		return -ENOENT;
	*f = (struct fw_flow){ .generation = same ? set->generation : FW_ELSEWHERE,
		.rule = same ? c.rule : set->rules->n,
		.pinhole = c.pinhole };
	return 0;
}

int
fw_export(void *state, const struct nfv_put *to)
{
	const struct firewall *fw = state;
	const struct fw_counts c = { fw->established, fw->related, fw->answered, fw->unanswered,
		fw->by_pinhole };

	return to->put(to->arg, &c, sizeof(c));
}

int
fw_import(void *state, uint32_t version, const void *bytes, size_t n)
{
	struct firewall *fw = state;
	struct fw_counts c;

	(void)version;
	if (n != sizeof(c))
		return -EINVAL;
	memcpy(&c, bytes, sizeof(c));
	fw->established += c.established;
	fw->related += c.related;
	fw->answered += c.answered;
	fw->unanswered += c.unanswered;
	fw->by_pinhole += c.by_pinhole;
	return 0;
}

/* --- whether it works ---------------------------------------------------------------------------- */

/* Of a packet that the rule is made for: the first address, port and flags of each that it takes. */
static struct fw_key
key_for(const struct fw_rule *r)
{
	struct fw_key k = { .family = r->families & FW_IPV4 ? 4 : 6,
		.proto = r->proto == FW_PROTO_ANY ? NFV_PROTO_UDP : (uint8_t)r->proto,
		.be_sport = htobe16(r->sport.lo),
		.be_dport = htobe16(r->dport.lo),
		.be_mark =
			htobe32(fw_mark(r->dirs & FW_OUT ? NFV_OUTWARD : NFV_INWARD, r->flags)) };

	memcpy(k.src, r->from.addr.b, sizeof(k.src));
	memcpy(k.dst, r->to.addr.b, sizeof(k.dst));
	return k;
}

static const char *
rules_wrong(const struct fw_set *set)
{
	uint32_t n = set->rules->n < NFV_BURST_MAX ? set->rules->n : NFV_BURST_MAX;
	uint32_t at[NFV_BURST_MAX], first[NFV_BURST_MAX];
	struct fw_key key[NFV_BURST_MAX] = { { 0 } };

	for (uint32_t i = 0; i < n; i++) {
		at[i] = (uint32_t)((uint64_t)i * set->rules->n / n);
		key[i] = key_for(&set->rules->rule[at[i]]);
	}
	fw_acl_match(set->acl, key, n, first);
	for (uint32_t i = 0; i < n; i++)
		if (first[i] > at[i]) /* FW_NO_RULE is */
			return "a rule does not match what it says";
	return NULL;
}

/* To a SYN; from RFC 5737's addresses. */
static const char *
reset_wrong(void)
{
	const uint32_t be_from = htobe32(0xc0000201), be_to = htobe32(0xcb007109);
	uint8_t frame[2][64] = { { 0 } };
	struct nfv_pkt
		p = { .data = frame[0], .len = NFV_ETH_LEN, .l3 = NFV_ETH_LEN, .tailroom = 50 },
		to = { .data = frame[1], .len = NFV_ETH_LEN, .l3 = NFV_ETH_LEN, .tailroom = 50 };
	const struct nfv_addr own = { .family = NFV_NO_ADDR };
	const struct nfv_tcp syn = { .be_sport = htobe16(9),
		.be_dport = htobe16(80),
		.be_seq = htobe32(7),
		.offset = (NFV_TCP_LEN / 4) << 4,
		.flags = NFV_TCP_SYN };
	const struct nfv_tcp *reset;

	nfv_pkt_ip_header(&p, 4, &be_from, &be_to, NFV_PROTO_TCP, NFV_TCP_LEN);
	memcpy(nfv_pkt_l4(&p), &syn, sizeof(syn));
	nfv_csum_l4_set(&p);
	if (!fw_may_answer(&p) || !fw_answer(&p, &own, &to))
		return "a SYN is not answered";
	reset = nfv_pkt_l4(&to);
	if (reset->flags != (NFV_TCP_RST | NFV_TCP_ACK) || reset->be_ack != htobe32(8) ||
		nfv_pkt_ip4(&to)->be_dst != be_from || !nfv_csum_l4_ok(&to))
		return "a SYN is answered by something else than its reset";
	return NULL;
}

int
fw_selftest(void *state, struct nfv_err *err)
{
	const struct firewall *fw = state;
	const char *what = rules_wrong(fw->set);

	if (what == NULL)
		what = reset_wrong();
	return what == NULL ? 0 : nfv_fail(err, EIO, "the firewall's test of itself: %s", what);
}
