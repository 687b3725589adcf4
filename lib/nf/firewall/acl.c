#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <rte_acl.h>
#include <rte_errno.h>

#include "acl.h"

/* Fields in the order in which rte_acl walks them: the protocol, alone in the first byte, then
 * groups of four bytes; an address is one or four such words. */
enum { WORDS4 = 1, WORDS6 = 4, FIELDS_MAX = 1 + 2 * WORDS6 + 3 };

RTE_ACL_RULE_DEF(acl_rule, FIELDS_MAX);

struct fw_acl {
	struct rte_acl_ctx *ip4, *ip6; /* NULL: no rule speaks of the family */
};

static unsigned int
n_fields(unsigned int words)
{
	return 1 + 2 * words + 3;
}

static void
add_field(struct rte_acl_config *cfg, uint8_t type, uint8_t size, uint8_t group, size_t offset)
{
	cfg->defs[cfg->num_fields] = (struct rte_acl_field_def){ .type = type,
		.size = size,
		.field_index = (uint8_t)cfg->num_fields,
		.input_index = group,
		.offset = (uint32_t)offset };
	cfg->num_fields++;
}

static struct rte_acl_config
layout(unsigned int words)
{
	struct rte_acl_config cfg = { .num_categories = 1 };
	uint8_t group = 1;

	add_field(&cfg, RTE_ACL_FIELD_TYPE_BITMASK, 1, 0, offsetof(struct fw_key, proto));
	for (unsigned int i = 0; i < words; i++)
		add_field(&cfg, RTE_ACL_FIELD_TYPE_MASK, 4, group++,
			offsetof(struct fw_key, src) + i * sizeof(uint32_t));
	for (unsigned int i = 0; i < words; i++)
		add_field(&cfg, RTE_ACL_FIELD_TYPE_MASK, 4, group++,
			offsetof(struct fw_key, dst) + i * sizeof(uint32_t));
	add_field(&cfg, RTE_ACL_FIELD_TYPE_RANGE, 2, group, offsetof(struct fw_key, be_sport));
	add_field(&cfg, RTE_ACL_FIELD_TYPE_RANGE, 2, group++, offsetof(struct fw_key, be_dport));
	add_field(&cfg, RTE_ACL_FIELD_TYPE_BITMASK, 4, group, offsetof(struct fw_key, be_mark));
	return cfg;
}

/* A prefix as one word-wide prefix after the other; the words past its end match anything. */
static struct rte_acl_field *
fill_addr(struct rte_acl_field *f, const struct nfv_prefix *p, unsigned int words)
{
	unsigned int left = p->addr.family == NFV_NO_ADDR ? 0 : p->len;

	for (unsigned int i = 0; i < words; i++, f++) {
		unsigned int bits = left < 32 ? left : 32;
		uint32_t be;

		memcpy(&be, p->addr.b + i * sizeof(be), sizeof(be));
		f->value.u32 = be32toh(be);
		f->mask_range.u32 = bits;
		left -= bits;
	}
	return f;
}

static struct acl_rule
compile(const struct fw_rule *r, uint32_t index, unsigned int words)
{
	struct acl_rule to = { .data = { .category_mask = 1,
				       .priority = (int32_t)(RTE_ACL_MAX_PRIORITY - index),
				       .userdata = index + 1 } };
	struct rte_acl_field *f = to.field;

	if (r->proto != FW_PROTO_ANY) {
		f->value.u8 = (uint8_t)r->proto;
		f->mask_range.u8 = 0xff;
	}
	f = fill_addr(f + 1, &r->from, words);
	f = fill_addr(f, &r->to, words);
	f->value.u16 = r->sport.lo;
	f->mask_range.u16 = r->sport.hi;
	f++;
	f->value.u16 = r->dport.lo;
	f->mask_range.u16 = r->dport.hi;
	f++;
	f->value.u32 = fw_mark(r->dirs == FW_IN ? NFV_INWARD : NFV_OUTWARD, r->flags);
	f->mask_range.u32 = r->flags_mask;
	if (r->dirs != (FW_OUT | FW_IN))
		f->mask_range.u32 |= fw_mark(NFV_INWARD, 0);
	return to;
}

static int
fail_memory(struct nfv_err *err, const char *name, const char *family, uint32_t n, int rc)
{
	if (rc == -ENOMEM)
		return nfv_fail(err, ENOMEM,
			"%s: no memory for its %u %s rules; give DPDK more (-m, "
			"or huge pages on this socket), or join rules",
			name, n, family);
	return nfv_fail(err, -rc, "%s: rte_acl refuses its %u %s rules: %s", name, n, family,
		rte_strerror(-rc));
}

static int
build(const char *name, const struct fw_rules *rules, uint8_t family, int socket,
	struct rte_acl_ctx **out, struct nfv_err *err)
{
	static atomic_uint serial; /* of equal names rte_acl would make one context */
	unsigned int words = family == FW_IPV4 ? WORDS4 : WORDS6;
	const char *text = family == FW_IPV4 ? "IPv4" : "IPv6";
	struct rte_acl_config cfg = layout(words);
	char unique[RTE_ACL_NAMESIZE];
	struct rte_acl_param param = {
		.name = unique, .socket_id = socket, .rule_size = RTE_ACL_RULE_SZ(n_fields(words))
	};
	struct rte_acl_ctx *ctx;
	int rc = 0;

	for (uint32_t i = 0; i < rules->n; i++)
		param.max_rule_num += (rules->rule[i].families & family) != 0;
	if (param.max_rule_num == 0)
		return 0;
	snprintf(unique, sizeof(unique), "firewall-%u", atomic_fetch_add(&serial, 1));
	ctx = rte_acl_create(&param);
	if (ctx == NULL)
		return fail_memory(err, name, text, param.max_rule_num, -ENOMEM);
	for (uint32_t i = 0; i < rules->n && rc == 0; i++) {
		struct acl_rule one = compile(&rules->rule[i], i, words);

		if (rules->rule[i].families & family)
			rc = rte_acl_add_rules(ctx, (const struct rte_acl_rule *)&one, 1);
	}
	if (rc == 0)
		rc = rte_acl_build(ctx, &cfg);
	if (rc != 0) {
		rte_acl_free(ctx);
		return fail_memory(err, name, text, param.max_rule_num, rc);
	}
	*out = ctx;
	return 0;
}

int
fw_acl_create(const char *name, const struct fw_rules *rules, int socket, struct fw_acl **out,
	struct nfv_err *err)
{
	struct fw_acl *acl = calloc(1, sizeof(*acl));
	int rc;

	if (acl == NULL)
		return nfv_fail(err, ENOMEM, "%s: out of memory", name);
	rc = build(name, rules, FW_IPV4, socket, &acl->ip4, err);
	if (rc == 0)
		rc = build(name, rules, FW_IPV6, socket, &acl->ip6, err);
	if (rc < 0) {
		fw_acl_destroy(acl);
		return rc;
	}
	*out = acl;
	return 0;
}

void
fw_acl_destroy(struct fw_acl *acl)
{
	if (acl == NULL)
		return;
	rte_acl_free(acl->ip4);
	rte_acl_free(acl->ip6);
	free(acl);
}

static void
classify(const struct rte_acl_ctx *ctx, uint8_t family, const struct fw_key *key, uint32_t n,
	uint32_t *first)
{
	const uint8_t *data[NFV_BURST_MAX];
	uint32_t result[NFV_BURST_MAX], at[NFV_BURST_MAX], m = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (key[i].family == family) {
			data[m] = (const uint8_t *)&key[i];
			at[m++] = i;
		}
	}
	if (ctx == NULL || m == 0 || rte_acl_classify(ctx, data, result, m, 1) != 0)
		return;
	for (uint32_t i = 0; i < m; i++)
		if (result[i] != 0)
			first[at[i]] = result[i] - 1;
}

void
fw_acl_match(const struct fw_acl *acl, const struct fw_key *key, uint32_t n, uint32_t *first)
{
	for (uint32_t i = 0; i < n; i++)
		first[i] = FW_NO_RULE;
	classify(acl->ip4, 4, key, n, first);
	classify(acl->ip6, 6, key, n, first);
}
