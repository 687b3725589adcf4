/**
 * @file
 * Processor time to compile a rule file, and of a look-up in it: bench_acl [RULES].
 *
 * The rules are of the kind people write: mostly hosts and subnets with a port, some ranges, few
 * wide ones; half IPv4, half IPv6. Each key is of a packet that a rule drawn at random matches.
 */
#include <stdlib.h>
#include <time.h>

#include "acl.h"
#include "eal.h"

static uint64_t seed = 1;

static uint32_t
any_of(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

static double
cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
write_addr(FILE *to, bool ip6, uint32_t host)
{
	static const uint8_t len[] = { 16, 20, 24, 24, 28, 32, 32, 32 };
	uint8_t bits = len[any_of(8)];

	host &= bits == 32 ? UINT32_MAX : UINT32_MAX << (32 - bits);
	if (ip6)
		fprintf(to, "fd00:1:%x:%x::/%u", host >> 16, host & 0xffff, 32 + bits);
	else
		fprintf(to, "%u.%u.%u.%u/%u", host >> 24, host >> 16 & 255, host >> 8 & 255,
			host & 255, bits);
}

static void
write_rule(FILE *to)
{
	static const char *const action[] = { "allow", "drop", "reject" };
	static const char *const dir[] = { "in", "out", "any" };
	bool ip6 = any_of(2) == 0;
	uint16_t lo = (uint16_t)any_of(60000);

	fprintf(to, "%s %s %s from ", action[any_of(3)], dir[any_of(3)], any_of(3) ? "tcp" : "udp");
	if (any_of(4) == 0)
		fprintf(to, "any");
	else
		write_addr(to, ip6, 10u << 24 | any_of(1 << 22));
	fprintf(to, " to ");
	write_addr(to, ip6, 172u << 24 | any_of(1 << 22));
	if (any_of(4) == 0)
		fprintf(to, " port %u-%u", lo, lo + any_of(1000));
	else
		fprintf(to, " port %u", any_of(4) ? any_of(1024) : lo);
	fputc('\n', to);
}

static struct fw_key
make_key(const struct fw_rule *r)
{
	struct fw_key key = { .family = r->families & FW_IPV6 ? 6 : 4,
		.proto = (uint8_t)r->proto,
		.be_sport = htobe16((uint16_t)any_of(65536)),
		.be_dport = htobe16(r->dport.lo),
		.be_mark = htobe32(fw_mark(r->dirs & FW_IN ? NFV_INWARD : NFV_OUTWARD, 0)) };

	memcpy(key.src, r->from.addr.b, 16);
	memcpy(key.dst, r->to.addr.b, 16);
	return key;
}

int
main(int argc, char **argv)
{
	enum { KEYS = 1 << 14, ROUNDS = 50 };
	uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100000, hits = 0;
	struct fw_key *key = malloc(KEYS * sizeof(*key));
	struct fw_rules *rules;
	struct fw_acl *acl;
	struct nfv_err err;
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	double t[4];

	test_eal("1024");
	for (uint32_t i = 0; i < n; i++)
		write_rule(to);
	fclose(to);
	t[0] = cpu_time();
	if (fw_rules_parse("bench", text, len, FW_DROP, &rules, &err) < 0)
		goto fail;
	t[1] = cpu_time();
	for (uint32_t i = 0; i < KEYS; i++)
		key[i] = make_key(&rules->rule[any_of(rules->n)]);
	if (fw_acl_create("bench", rules, -1, &acl, &err) < 0)
		goto fail;
	t[2] = cpu_time();
	for (uint32_t i = 0; i < KEYS / NFV_BURST_MAX * ROUNDS; i++) {
		uint32_t first[NFV_BURST_MAX];

		fw_acl_match(acl, &key[i * NFV_BURST_MAX % KEYS], NFV_BURST_MAX, first);
		for (uint32_t k = 0; k < NFV_BURST_MAX; k++)
			hits += first[k] != FW_NO_RULE;
	}
	t[3] = cpu_time();
	printf("%u rules: parsed in %.2f s, compiled in %.2f s; look-up %.0f ns a packet, %.0f %% "
	       "hit\n",
		n, t[1] - t[0], t[2] - t[1], (t[3] - t[2]) * 1e9 / KEYS / ROUNDS,
		100.0 * hits / KEYS / ROUNDS);
	fw_acl_destroy(acl);
	fw_rules_destroy(rules);
	free(text);
	free(key);
	return 0;
fail:
	fprintf(stderr, "%s\n", err.text);
	return 1;
}
