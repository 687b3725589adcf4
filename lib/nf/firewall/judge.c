#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "judge.h"
#include "nfv_hash.h"

const char *const fw_drop_name[FW_DROPS + 1] = {
	[FW_DROP_RULE] = "rule",
	[FW_DROP_DEFAULT] = "default",
	[FW_DROP_REJECTED] = "rejected",
	[FW_DROP_TCP_NOT_SYN] = "tcp-not-syn",
	[FW_DROP_ICMP_UNSOLICITED] = "icmp-unsolicited",
	[FW_DROP_ICMP_UNRELATED] = "icmp-unrelated",
	[FW_DROP_NO_STATE] = "no-state",
	[FW_DROP_PINHOLE_CLOSED] = "pinhole-closed",
	[FW_DROP_MALFORMED] = "malformed",
};

/* Rules are the same if they print the same. */
static uint64_t
digest_of(const struct fw_rules *rules)
{
	const struct nfv_hash_key key = nfv_hash_key(1); /* the same everywhere */
	uint64_t h = rules->otherwise;
	char text[FW_LINE_MAX];
	FILE *to = fmemopen(text, sizeof(text), "w");

	for (uint32_t i = 0; to != NULL && i < rules->n; i++) {
		rewind(to);
		fw_rule_print(&rules->rule[i], to);
		fflush(to);
		h = nfv_hash2(&key, h, nfv_hash_bytes(&key, text, (size_t)ftell(to)));
	}
	if (to == NULL)
		return 0;
	fclose(to);
	return h | 1ull << 63;
}

int
fw_set_create(const char *name, struct fw_rules *rules, int socket, uint32_t generation,
	const struct nfv_lender *lender, struct fw_set **out, struct nfv_err *err)
{
	struct fw_set *set = calloc(1, sizeof(*set));
	int rc = -ENOMEM;

	if (set == NULL) {
		fw_rules_destroy(rules);
		return nfv_fail(err, ENOMEM, "%s: out of memory", name);
	}
	*set = (struct fw_set){ .rules = rules,
		.digest = digest_of(rules),
		.generation = generation,
		.lender = lender };
	set->hits = nfv_lender_alloc(lender, (rules->n + 1) * sizeof(*set->hits));
	if (set->hits == NULL || set->digest == 0)
		nfv_fail(err, ENOMEM, "%s: out of memory", name);
	else
		rc = fw_acl_create(name, rules, socket, &set->acl, err);
	if (rc < 0) {
		fw_set_destroy(set);
		return rc;
	}
	*out = set;
	return 0;
}

void
fw_set_destroy(struct fw_set *set)
{
	if (set == NULL)
		return;
	fw_acl_destroy(set->acl);
	fw_rules_destroy(set->rules);
	nfv_lender_free(set->lender, set->hits);
	free(set);
}

/* The flow that the packet itself is of: an ICMP error is only about the one it comes with. */
static struct fw_flow *
own_flow(const struct nfv_pkt *p)
{
	return p->flags & NFV_PKT_RELATED ? NULL : p->flow;
}

/* What let it in by a pinhole, if one did, is still there. */
static bool
still_open(const struct firewall *fw, const struct fw_flow *flow)
{
	return flow->pinhole == 0 || nfv_pinholes_hold(fw->pinholes, flow->pinhole);
}

/* By this rule set or an earlier one. */
static bool
admitted(const struct firewall *fw, const struct fw_flow *flow)
{
	return flow != NULL && flow->generation != 0 && still_open(fw, flow);
}

static bool
fill_ports(const struct nfv_pkt *p, struct fw_key *key)
{
	const uint8_t *l4 = nfv_pkt_l4(p);

	if (fw_proto_has_ports(p->proto)) {
		memcpy(&key->be_sport, l4, 2);
		memcpy(&key->be_dport, l4 + 2, 2);
	} else if (fw_proto_is_icmp(p->proto)) {
		key->be_sport = htobe16(l4[0]);
		key->be_dport = htobe16(l4[1]);
	}
	return true;
}

/* The key of the packet that began the flow, of which `p` is a later one that may travel back. */
static void
as_first(const struct nfv_pkt *p, enum nfv_dir dir, struct fw_key *key)
{
	struct fw_key was = *key;

	if (p->flags & NFV_PKT_REPLY) {
		memcpy(key->src, was.dst, sizeof(key->src));
		memcpy(key->dst, was.src, sizeof(key->dst));
		key->be_sport = was.be_dport;
		key->be_dport = was.be_sport;
		dir = nfv_dir_back(dir);
	}
	if (fw_proto_is_icmp(p->proto)) {
		key->be_sport = htobe16(p->family == 4 ? NFV_ICMP_ECHO : NFV_ICMP6_ECHO);
		key->be_dport = 0;
	}
	key->be_mark = htobe32(fw_mark(dir, p->proto == NFV_PROTO_TCP ? NFV_TCP_SYN : 0));
}

static bool
fill_key(const struct firewall *fw, const struct nfv_pkt *p, enum nfv_dir dir, struct fw_key *key)
{
	const struct nfv_tcp *tcp = nfv_pkt_l4(p);

	*key = (struct fw_key){ .family = p->family, .proto = p->proto };
	if ((p->family != 4 && p->family != 6) || (p->flags & NFV_PKT_FRAGMENT))
		return false;
	key->be_mark = htobe32(fw_mark(dir, p->proto == NFV_PROTO_TCP ? tcp->flags : 0));
	if (p->family == 4) {
		memcpy(key->src, &nfv_pkt_ip4(p)->be_src, 4);
		memcpy(key->dst, &nfv_pkt_ip4(p)->be_dst, 4);
	} else {
		memcpy(key->src, nfv_pkt_ip6(p)->src, 16);
		memcpy(key->dst, nfv_pkt_ip6(p)->dst, 16);
	}
	if (!fill_ports(p, key))
		return false;
	if (admitted(fw, own_flow(p)))
		as_first(p, dir, key);
	return true;
}

static bool
is_echo(const struct nfv_pkt *p)
{
	const struct nfv_icmp *icmp = nfv_pkt_l4(p);

	return (p->family == 4 && p->proto == NFV_PROTO_ICMP && icmp->type == NFV_ICMP_ECHO) ||
		(p->family == 6 && p->proto == NFV_PROTO_ICMP6 && icmp->type == NFV_ICMP6_ECHO);
}

/* Why a packet that the rules allow cannot begin a flow; FW_DROPS if it can. */
static enum fw_drop
cannot_begin(const struct nfv_pkt *p)
{
	const uint8_t opening = NFV_TCP_SYN | NFV_TCP_ACK | NFV_TCP_RST | NFV_TCP_FIN;
	const struct nfv_tcp *tcp = nfv_pkt_l4(p);

	if (p->proto == NFV_PROTO_TCP && (tcp->flags & opening) != NFV_TCP_SYN)
		return FW_DROP_TCP_NOT_SYN;
	switch (fw_icmp_kind(p)) {
	case FW_ICMP_ERROR:
		return FW_DROP_ICMP_UNRELATED;
	case FW_ICMP_REPLY:
		return FW_DROP_ICMP_UNSOLICITED;
	case FW_ICMP_QUERY:
		break;
	}
	/* Of these the runtime keeps records, so there was no room for one. */
	if (p->flow == NULL &&
		(p->proto == NFV_PROTO_TCP || p->proto == NFV_PROTO_UDP || is_echo(p)))
		return FW_DROP_NO_STATE;
	return FW_DROPS;
}

static void
reject(struct firewall *fw, const struct nfv_burst *burst, const struct nfv_pkt *p,
	struct nfv_out *out)
{
	enum nfv_dir back = nfv_dir_back(burst->dir);
	struct nfv_pkt *to = NULL;

	if (fw_may_answer(p) && fw_bucket_take(&fw->bucket, burst->tsc))
		to = nfv_out_take(out, back);
	if (to != NULL && !fw_answer(p, &fw->own[back][p->family == 6], to)) {
		out->n--;
		to = NULL;
	}
	if (to != NULL)
		fw->answered++;
	else
		fw->unanswered++;
}

/* The owner of a pinhole for the packet that `key` is of, or 0. */
static uint64_t
find_pinhole(const struct firewall *fw, const struct fw_key *key)
{
	struct nfv_addr from, to;
	uint32_t be;

	if (fw->pinholes == NULL || key->proto != NFV_PROTO_UDP)
		return 0;
	if (key->family == 4) {
		memcpy(&be, key->src, sizeof(be));
		from = nfv_addr4(be);
		memcpy(&be, key->dst, sizeof(be));
		to = nfv_addr4(be);
	} else {
		from = nfv_addr6(key->src);
		to = nfv_addr6(key->dst);
	}
	return nfv_pinholes_find(fw->pinholes, key->proto, &from, &to, be16toh(key->be_dport));
}

/* No rule knows the packet, and the default would not let it in; `flow` may be NULL. */
static uint8_t
let_in(struct firewall *fw, struct fw_flow *flow, uint64_t pinhole)
{
	if (flow == NULL)
		return NFV_DROP(FW_DROP_NO_STATE);
	*flow = (struct fw_flow){ fw->set->generation, fw->set->rules->n, pinhole };
	fw->by_pinhole++;
	return NFV_KEEP;
}

/* `index` is that of the first rule that matches, rules->n if none does. */
static uint8_t
decide(struct firewall *fw, const struct nfv_burst *burst, struct nfv_pkt *p,
	const struct fw_key *key, uint32_t index, struct nfv_out *out)
{
	struct fw_set *set = fw->set;
	const struct fw_rule *rule = index < set->rules->n ? &set->rules->rule[index] : NULL;
	enum fw_action action = rule != NULL ? (enum fw_action)rule->action : set->rules->otherwise;
	bool stateless = rule != NULL && rule->stateless;
	struct fw_flow *flow = own_flow(p);

	if (rule == NULL && action != FW_ALLOW) {
		uint64_t pinhole = find_pinhole(fw, key);

		if (pinhole != 0)
			return let_in(fw, flow, pinhole);
	}
	if (action == FW_ALLOW && !stateless && !admitted(fw, flow)) {
		enum fw_drop why = cannot_begin(p);

		if (why != FW_DROPS)
			return NFV_DROP(why);
	}
	set->hits[index].packets++;
	switch (action) {
	case FW_ALLOW:
		if (flow != NULL && !stateless) {
			*flow = (struct fw_flow){ set->generation, index, 0 };
			set->hits[index].flows++;
		}
		return NFV_KEEP;
	case FW_REJECT:
		reject(fw, burst, p, out);
		return NFV_DROP(FW_DROP_REJECTED);
	case FW_DROP:
		break;
	}
	if (rule != NULL)
		return NFV_DROP(FW_DROP_RULE);
	return NFV_DROP(
		flow != NULL && flow->pinhole != 0 ? FW_DROP_PINHOLE_CLOSED : FW_DROP_DEFAULT);
}

static bool
is_established(const struct firewall *fw, const struct nfv_pkt *p)
{
	const struct fw_flow *flow = own_flow(p);

	return flow != NULL && flow->generation == fw->set->generation && still_open(fw, flow);
}

/* Packets of no known flow, `n` of them: burst->pkt[at[i]]. */
static void
judge(struct firewall *fw, struct nfv_burst *burst, const uint8_t *at, uint32_t n,
	struct nfv_out *out)
{
	struct fw_key key[NFV_BURST_MAX];
	uint32_t first[NFV_BURST_MAX];
	uint8_t ask[NFV_BURST_MAX];
	uint32_t m = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct nfv_pkt *p = &burst->pkt[at[i]];

		if (fill_key(fw, p, burst->dir, &key[m]))
			ask[m++] = at[i];
		else
			p->verdict = NFV_DROP(FW_DROP_MALFORMED);
	}
	if (m == 0)
		return;
	fw_acl_match(fw->set->acl, key, m, first);
	for (uint32_t i = 0; i < m; i++) {
		struct nfv_pkt *p = &burst->pkt[ask[i]];

		if (is_established(fw, p)) /* by a packet before it in this burst */
			fw->established++;
		else
			p->verdict = decide(fw, burst, p, &key[i],
				first[i] == FW_NO_RULE ? fw->set->rules->n : first[i], out);
	}
}

void
firewall_process(struct firewall *fw, struct nfv_burst *burst, struct nfv_out *out)
{
	uint8_t at[NFV_BURST_MAX];
	uint32_t n = 0;

	for (uint16_t i = 0; i < burst->n; i++)
		__builtin_prefetch(burst->pkt[i].flow);
	for (uint16_t i = 0; i < burst->n; i++) {
		struct nfv_pkt *p = &burst->pkt[i];

		if (is_established(fw, p))
			fw->established++;
		else if ((p->flags & NFV_PKT_RELATED) && admitted(fw, p->flow) &&
			fw_icmp_kind(p) == FW_ICMP_ERROR)
			fw->related++;
		else
			at[n++] = (uint8_t)i;
	}
	if (n > 0)
		judge(fw, burst, at, n, out);
}

static void
show_line(FILE *to, const struct fw_hits *hits)
{
	fprintf(to, " %12" PRIu64 " %12" PRIu64 "  ", hits->packets, hits->flows);
}

void
firewall_show(const struct firewall *fw, FILE *to)
{
	const struct fw_set *set = fw->set;
	const struct fw_rules *rules = set->rules;
	const struct nfv_pinholes *holes = fw->own_pinholes;

	fprintf(to,
		"established %" PRIu64 "  related %" PRIu64 "  rejected: answered %" PRIu64
		" silent %" PRIu64 "\n",
		fw->established, fw->related, fw->answered, fw->unanswered);
	if (holes != NULL)
		fprintf(to,
			"pinholes open %u of %u, owners %u, opened %" PRIu64 ", refused %" PRIu64
			", expired %" PRIu64 "; flows let in %" PRIu64 "\n",
			holes->stats.open, holes->stats.max, holes->stats.owners,
			holes->stats.opened, holes->stats.refused, holes->stats.expired,
			fw->by_pinhole);
	else if (fw->pinholes != NULL) /* the table is another process's to tell of */
		fprintf(to, "flows let in by pinholes %" PRIu64 "\n", fw->by_pinhole);
	fprintf(to, "%6s %12s %12s  %s\n", "line", "packets", "flows", "rule");
	for (uint32_t i = 0; i < rules->n; i++) {
		fprintf(to, "%6u", rules->rule[i].line);
		show_line(to, &set->hits[i]);
		fw_rule_print(&rules->rule[i], to);
		fputc('\n', to);
	}
	if (rules->otherwise_line != 0)
		fprintf(to, "%6u", rules->otherwise_line);
	else
		fprintf(to, "%6s", "-");
	show_line(to, &set->hits[rules->n]);
	fprintf(to, "default %s\n", fw_action_name[rules->otherwise]);
}
