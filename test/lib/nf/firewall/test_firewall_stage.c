#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "eal.h"
#include "judge.h"
#include "mkpkt.h"
#include "nfv_stage.h"

/* A configuration in a folder of its own, with the rule file beside it. */
struct home {
	char dir[64], rules[96], yaml[96];
	struct nfv_conf *conf;
	void *filled;
};

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
}

static void
home_init(struct home *h, const struct nfv_stage_ops *ops, const char *yaml, const char *rules)
{
	struct nfv_err err;

	strcpy(h->dir, "/tmp/test_firewall_XXXXXX");
	assert_non_null(mkdtemp(h->dir));
	snprintf(h->rules, sizeof(h->rules), "%s/r", h->dir);
	snprintf(h->yaml, sizeof(h->yaml), "%s/y", h->dir);
	write_file(h->yaml, yaml);
	if (rules != NULL)
		write_file(h->rules, rules);
	h->filled = calloc(1, ops->conf->size);
	if (nfv_conf_open(h->yaml, &h->conf, &err) < 0 ||
		nfv_conf_read(h->conf, ops->name, ops->conf, h->filled, &err) < 0)
		fail_msg("%s", err.text);
}

static void
home_fini(struct home *h)
{
	nfv_conf_close(h->conf);
	free(h->filled);
	unlink(h->rules);
	unlink(h->yaml);
	rmdir(h->dir);
}

static const struct nfv_stage_ops *
firewall_ops(void)
{
	const struct nfv_stage_ops *ops = nfv_stage_find("firewall");

	assert_non_null(ops);
	assert_int_equal(ops->access, NFV_READS);
	return ops;
}

static void
from_configuration_to_verdict(void **state)
{
	const struct nfv_stage_ops *ops = firewall_ops();
	struct nfv_stage_ctx ctx = { .chain = "c", .tsc_hz = 1000000000, .socket = -1 };
	struct nfv_prefix own[3];
	uint8_t slot[16] __attribute__((aligned(8))) = { 0 };
	void *st = calloc(1, ops->state_size);
	struct nfv_burst burst = { .n = 1, .dir = NFV_INWARD, .tsc = 1000000000 };
	struct nfv_out out;
	struct mk m, answer;
	struct nfv_err err;
	char *text = NULL;
	struct home h;
	size_t n;
	FILE *to = open_memstream(&text, &n);

	(void)state;
	home_init(&h, ops, "firewall:\n  rules: r\n  default: reject\n",
		"allow in udp from any to any port 5060\n");
	nfv_prefix_parse(NFV_SV("192.0.2.1/24"), &own[0]);
	nfv_prefix_parse(NFV_SV("192.0.2.9/24"), &own[1]);
	nfv_prefix_parse(NFV_SV("fd00::1/64"), &own[2]);
	ctx.conf = h.filled;
	ctx.doc = h.conf;
	ctx.own[NFV_OUTWARD] = own;
	ctx.n_own[NFV_OUTWARD] = 3;
	if (ops->init(st, &ctx, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(ops->flow_size <= sizeof(slot));
	mk_out(&out, &answer, 1);
	burst.pkt[0] = mk_udp(&m, "198.51.100.1", 1, "10.0.0.1", 5060, "x", 1);
	nfv_pkt_parse(&burst.pkt[0]);
	burst.pkt[0].flow = slot;
	ops->process(st, &burst, &out);
	assert_int_equal(burst.pkt[0].verdict, NFV_KEEP);
	burst.pkt[0] = mk_udp(&m, "198.51.100.1", 1, "10.0.0.1", 5061, "x", 1);
	nfv_pkt_parse(&burst.pkt[0]);
	ops->process(st, &burst, &out);
	assert_string_equal(ops->drops[burst.pkt[0].verdict - NFV_DROP_BASE], "rejected");
	assert_int_equal(out.n, 1);
	assert_int_equal(nfv_pkt_ip4(&out.pkt[0])->be_src, inet_addr("192.0.2.1"));
	ops->show(st, to);
	fclose(to);
	assert_non_null(strstr(text, "allow in udp from any to any port 5060"));
	ops->fini(st);
	home_fini(&h);
	free(text);
	free(st);
}

/* Of a stage that has died in the middle: the first three are as they may be, the rest is not. */
static struct fw_flow torn[] = { { 2, 0, 0 }, { 1, 2, 0 }, { 0, 0, 0 }, { 3, 0, 0 }, { 2, 3, 0 },
	{ 2, 0, 7 } };
static uint32_t dropped;

static bool
next_torn(const struct nfv_mend *m, struct nfv_mend_flow *f)
{
	(void)m;
	f->slot = f->next < sizeof(torn) / sizeof(torn[0]) ? &torn[f->next] : NULL;
	f->next++;
	return f->slot != NULL;
}

static void
drop_torn(const struct nfv_mend *m, const struct nfv_mend_flow *f)
{
	(void)m;
	assert_true((struct fw_flow *)f->slot >= &torn[3]);
	dropped++;
}

static void
slots_that_say_what_cannot_be_go(void **state)
{
	const struct nfv_stage_ops *ops = firewall_ops();
	const struct nfv_mend mend = { .next = next_torn, .drop = drop_torn };
	struct nfv_stage_ctx ctx = { .tsc_hz = 1000, .socket = -1 };
	void *st = calloc(1, ops->state_size);
	struct nfv_err err;
	struct home h;

	(void)state;
	home_init(&h, ops, "firewall: {rules: r}\n",
		"allow tcp from any to any\nallow udp from any to any\n");
	ctx.conf = h.filled;
	ctx.doc = h.conf;
	if (ops->init(st, &ctx, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(ops->mend(st, &mend), 0);
	assert_int_equal(dropped, 3);
	ops->fini(st);
	home_fini(&h);
	free(st);
}

static void
mistakes_are_told_with_their_place(void **state)
{
	static const struct {
		const char *yaml, *rules, *told;
	} t[] = {
		{ "firewall:\n  rules: r\n", "\nallow up\n", "/r:2: \"up\" is no protocol" },
		{ "firewall:\n  rules: r\n", NULL, "/y:2:10: " },
		{ "firewall:\n  rules: r\n", NULL, "/r: cannot be opened: No such file" },
		{ "firewall:\n  rules: .\n", NULL, "/y:2:10: " },
	};
	const struct nfv_stage_ops *ops = firewall_ops();

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct nfv_stage_ctx ctx = { .tsc_hz = 1000, .socket = -1 };
		void *st = calloc(1, ops->state_size);
		struct nfv_err err = { "" };
		struct home h;

		home_init(&h, ops, t[i].yaml, t[i].rules);
		ctx.conf = h.filled;
		ctx.doc = h.conf;
		assert_true(ops->init(st, &ctx, &err) < 0);
		if (strstr(err.text, t[i].told) == NULL)
			fail_msg("said \"%s\", not \"%s\"", err.text, t[i].told);
		ops->fini(st);
		free(st);
		home_fini(&h);
	}
}

static void
every_reason_has_a_name(void **state)
{
	const struct nfv_stage_ops *ops = firewall_ops();
	unsigned int n = 0;

	(void)state;
	while (ops->drops[n] != NULL)
		n++;
	assert_int_equal(n, FW_DROPS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_configuration_to_verdict),
		cmocka_unit_test(slots_that_say_what_cannot_be_go),
		cmocka_unit_test(mistakes_are_told_with_their_place),
		cmocka_unit_test(every_reason_has_a_name),
	};

	test_eal("32");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
