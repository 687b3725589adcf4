#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "acl.h"
#include "eal.h"

/* A small world, so that random packets meet random rules: addresses differ in few bits. */
static uint32_t
any_of(uint64_t *seed, uint32_t n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % n;
}

static struct nfv_addr
random_addr(uint64_t *seed, uint8_t family)
{
	struct nfv_addr a = { .family = family };
	unsigned int last = family == NFV_IPV4 ? 3 : 15;

	a.b[0] = family == NFV_IPV4 ? 10 : 0xfd;
	a.b[last / 2] = (uint8_t)any_of(seed, 2);
	a.b[last - 1] = (uint8_t)any_of(seed, 4);
	a.b[last] = (uint8_t)(any_of(seed, 4) << 6 | any_of(seed, 4));
	return a;
}

static struct nfv_prefix
random_prefix(uint64_t *seed, uint8_t family)
{
	struct nfv_prefix p = { .addr = random_addr(seed, family) };
	unsigned int bits = nfv_addr_bits(&p.addr);

	p.len = (uint8_t)(any_of(seed, 3) == 0 ? any_of(seed, bits + 1) : bits - any_of(seed, 12));
	for (unsigned int i = p.len; i < bits; i++)
		p.addr.b[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
	return p;
}

static struct fw_range
random_range(uint64_t *seed)
{
	uint16_t lo = (uint16_t)any_of(seed, 8), hi = (uint16_t)(lo + any_of(seed, 4));

	switch (any_of(seed, 6)) {
	case 0:
		return (struct fw_range){ lo, hi };
	case 1:
		return (struct fw_range){ (uint16_t)(65535 - hi), (uint16_t)(65535 - lo) };
	case 2:
		return (struct fw_range){ lo, (uint16_t)(256 + hi) };
	default:
		return (struct fw_range){ 0, UINT16_MAX };
	}
}

static const uint8_t protos[] = { 6, 17, 132, 1, 58, 47, 0, 255 };

static struct fw_rule
random_rule(uint64_t *seed)
{
	static const uint8_t families[] = { FW_IPV4, FW_IPV6, FW_IPV4 | FW_IPV6 };
	struct fw_rule r = { .sport = { 0, UINT16_MAX }, .dport = { 0, UINT16_MAX } };
	uint8_t family;

	r.families = families[any_of(seed, 8) == 0 ? 2 : any_of(seed, 2)];
	family = r.families == FW_IPV4 ? NFV_IPV4 : NFV_IPV6;
	r.dirs = (uint8_t)(1 + any_of(seed, 3));
	r.proto = any_of(seed, 5) == 0 ? FW_PROTO_ANY : protos[any_of(seed, sizeof(protos))];
	if (r.families != (FW_IPV4 | FW_IPV6)) {
		if (any_of(seed, 4) != 0)
			r.from = random_prefix(seed, family);
		if (any_of(seed, 4) != 0)
			r.to = random_prefix(seed, family);
	}
	if (fw_proto_has_ports(r.proto) || fw_proto_is_icmp(r.proto)) {
		r.sport = random_range(seed);
		r.dport = random_range(seed);
	}
	if (r.proto == NFV_PROTO_TCP && any_of(seed, 2) == 0) {
		r.flags_mask = (uint8_t)any_of(seed, 64);
		r.flags = (uint8_t)(any_of(seed, 64) & r.flags_mask);
	}
	return r;
}

struct packet {
	struct nfv_addr src, dst;
	uint16_t sport, dport;
	uint8_t proto, flags;
	enum nfv_dir dir;
};

static uint16_t
random_port(uint64_t *seed)
{
	static const uint16_t base[] = { 0, 0, 254, 65524 };

	return (uint16_t)(base[any_of(seed, 4)] + any_of(seed, 12));
}

static struct packet
random_packet(uint64_t *seed)
{
	uint8_t family = any_of(seed, 2) == 0 ? NFV_IPV4 : NFV_IPV6;
	struct packet p = { .src = random_addr(seed, family),
		.dst = random_addr(seed, family),
		.proto = protos[any_of(seed, sizeof(protos))],
		.dir = any_of(seed, 2) == 0 ? NFV_OUTWARD : NFV_INWARD };

	if (fw_proto_has_ports(p.proto) || fw_proto_is_icmp(p.proto)) {
		p.sport = random_port(seed);
		p.dport = random_port(seed);
	}
	if (p.proto == NFV_PROTO_TCP)
		p.flags = (uint8_t)any_of(seed, 256);
	return p;
}

/* The oracle: rule after rule, condition after condition. */
static uint32_t
first_match(const struct fw_rules *rules, const struct packet *p)
{
	for (uint32_t i = 0; i < rules->n; i++) {
		const struct fw_rule *r = &rules->rule[i];

		if (!(r->families & (p->src.family == NFV_IPV4 ? FW_IPV4 : FW_IPV6)))
			continue;
		if (!(r->dirs & (p->dir == NFV_OUTWARD ? FW_OUT : FW_IN)))
			continue;
		if (r->proto != FW_PROTO_ANY && r->proto != p->proto)
			continue;
		if (r->from.addr.family != NFV_NO_ADDR && !nfv_prefix_has(&r->from, &p->src))
			continue;
		if (r->to.addr.family != NFV_NO_ADDR && !nfv_prefix_has(&r->to, &p->dst))
			continue;
		if (p->sport < r->sport.lo || p->sport > r->sport.hi)
			continue;
		if (p->dport < r->dport.lo || p->dport > r->dport.hi)
			continue;
		if ((p->flags & r->flags_mask) != r->flags)
			continue;
		return i;
	}
	return FW_NO_RULE;
}

static struct fw_key
key_of(const struct packet *p)
{
	struct fw_key key = { .family = p->src.family,
		.proto = p->proto,
		.be_sport = htobe16(p->sport),
		.be_dport = htobe16(p->dport),
		.be_mark = htobe32(fw_mark(p->dir, p->flags)) };

	memcpy(key.src, p->src.b, 16);
	memcpy(key.dst, p->dst.b, 16);
	return key;
}

static void
compare(const struct fw_rules *rules, uint64_t *seed, unsigned int bursts)
{
	struct fw_acl *acl = NULL;
	unsigned int matched = 0;
	struct nfv_err err;

	if (fw_acl_create("t", rules, -1, &acl, &err) < 0)
		fail_msg("%s", err.text);
	for (unsigned int b = 0; b < bursts; b++) {
		uint32_t n = 1 + any_of(seed, NFV_BURST_MAX), first[NFV_BURST_MAX];
		struct packet p[NFV_BURST_MAX];
		struct fw_key key[NFV_BURST_MAX];

		for (uint32_t i = 0; i < n; i++) {
			p[i] = random_packet(seed);
			key[i] = key_of(&p[i]);
		}
		fw_acl_match(acl, key, n, first);
		for (uint32_t i = 0; i < n; i++) {
			assert_int_equal(first[i], first_match(rules, &p[i]));
			matched += first[i] != FW_NO_RULE;
		}
	}
	assert_true(rules->n < 20 || matched > bursts); /* else this tests nothing */
	fw_acl_destroy(acl);
}

static void
agrees_with_trying_one_rule_after_the_other(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 2, 5, 20, 100, 400, 1500 };
	uint64_t seed = 1;

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		for (unsigned int round = 0; round < (sizes[s] < 100 ? 20 : 2); round++) {
			struct fw_rules rules = {
				.rule = calloc(sizes[s] + 1, sizeof(struct fw_rule)), .n = sizes[s]
			};

			for (uint32_t i = 0; i < rules.n; i++)
				rules.rule[i] = random_rule(&seed);
			compare(&rules, &seed, sizes[s] < 100 ? 20 : 200);
			free(rules.rule);
		}
	}
}

/* Which of these rules is the first for an address at the edge of a prefix. */
static void
edges_of_prefixes(void **state)
{
	static const char text[] = "drop udp from 10.0.0.0/31 to any\n"
				   "drop udp from 10.0.0.0/9 to any\n"
				   "drop udp from 10.0.0.0/8 to any\n"
				   "drop udp from fd00::/127 to any\n"
				   "drop udp from fd00::/33 to any\n"
				   "drop udp from fd00::/32 to any\n"
				   "drop udp from fd00::/31 to any\n"
				   "drop udp from 0.0.0.0/0 to any\n"
				   "drop udp from ::/0 to 2001:db8::1\n";
	static const struct {
		const char *src;
		uint32_t first;
	} t[] = {
		{ "10.0.0.0", 0 },
		{ "10.0.0.1", 0 },
		{ "10.0.0.2", 1 },
		{ "10.127.255.255", 1 },
		{ "10.128.0.0", 2 },
		{ "10.255.255.255", 2 },
		{ "11.0.0.0", 7 },
		{ "9.255.255.255", 7 },
		{ "fd00::", 3 },
		{ "fd00::1", 3 },
		{ "fd00::2", 4 },
		{ "fd00:0:7fff:ffff:ffff:ffff:ffff:ffff", 4 },
		{ "fd00:0:8000::", 5 },
		{ "fd00:0:ffff::", 5 },
		{ "fd00:1::", 6 },
		{ "fd00:2::", FW_NO_RULE },
		{ "::2", FW_NO_RULE },
	};
	struct fw_rules *rules = NULL;
	struct fw_acl *acl = NULL;
	struct nfv_err err;

	(void)state;
	assert_int_equal(fw_rules_parse("t", text, strlen(text), FW_DROP, &rules, &err), 0);
	assert_int_equal(fw_acl_create("t", rules, -1, &acl, &err), 0);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct packet p = { .proto = NFV_PROTO_UDP };
		struct fw_key key;
		uint32_t first;

		assert_int_equal(nfv_addr_parse(nfv_sv_str(t[i].src), &p.src), 0);
		key = key_of(&p);
		fw_acl_match(acl, &key, 1, &first);
		if (first != t[i].first)
			fail_msg("%s: rule %u, not %u", t[i].src, first, t[i].first);
	}
	fw_acl_destroy(acl);
	fw_rules_destroy(rules);
}

static void
too_little_memory_is_a_sentence(void **state)
{
	const uint32_t n = FW_RULES_MAX; /* for which rte_acl alone wants more than the test has */
	struct fw_rules rules = { .rule = calloc(n, sizeof(struct fw_rule)), .n = n };
	struct fw_acl *acl = NULL;
	struct nfv_err err = { "" };

	(void)state;
	for (uint32_t i = 0; i < n; i++)
		rules.rule[i] = (struct fw_rule){ .families = FW_IPV6, .dirs = FW_OUT | FW_IN };
	assert_int_equal(fw_acl_create("a.rules", &rules, -1, &acl, &err), -ENOMEM);
	assert_null(acl);
	assert_non_null(
		strstr(err.text, "a.rules: no memory for its 262144 IPv6 rules; give DPDK"));
	free(rules.rule);
	fw_acl_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_trying_one_rule_after_the_other),
		cmocka_unit_test(edges_of_prefixes),
		cmocka_unit_test(too_little_memory_is_a_sentence),
	};

	test_eal("32");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
