/* A firewall's flows in another firewall: what was let in goes on, or is judged by the other's rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "carry.h"
#include "eal.h"
#include "mkpkt.h"

#define IN   "198.51.100.1"
#define HOST "10.1.0.5"

static struct firewall old, new;
static struct mk m, answer[4];

static struct fw_set *
make_set(const char *text)
{
	struct fw_rules *rules;
	struct fw_set *set = NULL;
	struct nfv_err err;

	if (fw_rules_parse("t", text, strlen(text), FW_DROP, &rules, &err) < 0 ||
		fw_set_create("t", rules, -1, FW_ELSEWHERE + 1, NULL, &set, &err) < 0)
		fail_msg("%s", err.text);
	return set;
}

static void
open_both(const char *rules, const char *others)
{
	old = (struct firewall){ .set = make_set(rules), .bucket = fw_bucket(1000, 1000000000) };
	new = (struct firewall){ .set = make_set(others), .bucket = fw_bucket(1000, 1000000000) };
}

static int
close_both(void **state)
{
	(void)state;
	fw_set_destroy(old.set);
	fw_set_destroy(new.set);
	old.set = new.set = NULL;
	return 0;
}

static uint8_t
pass(struct firewall *fw, struct nfv_pkt p, enum nfv_dir dir, uint16_t flags, struct fw_flow *flow)
{
	struct nfv_burst b = { .n = 1, .dir = dir, .tsc = 5000000000 };
	struct nfv_out out;

	mk_out(&out, answer, 4);
	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
	p.flags |= flags;
	p.flow = flow;
	b.pkt[0] = p;
	firewall_process(fw, &b, &out);
	return b.pkt[0].verdict;
}

static struct nfv_pkt
there(uint8_t flags)
{
	return mk_tcp(&m, HOST, 1000, IN, 80, flags);
}

static struct nfv_pkt
back(void)
{
	return mk_tcp(&m, IN, 80, HOST, 1000, NFV_TCP_ACK);
}

/* From the old one to the new one. */
static int
carry(const struct fw_flow *from, struct fw_flow *to)
{
	uint8_t bytes[NFV_CARRY_MAX];
	size_t n = fw_export_flow(&old, from, bytes, sizeof(bytes));

	memset(to, 0, sizeof(*to));
	return fw_import_flow(&new, FW_CARRY_VERSION, bytes, n, to);
}

static void
with_the_same_rules_nothing_is_judged_anew(void **state)
{
	static const char rules[] = "drop tcp from any to any port 81\n"
				    "allow out tcp from 10.1.0.0/24 to any\n";
	struct fw_flow a = { 0 }, b;

	(void)state;
	/* Lines and spaces are no matter. */
	open_both(rules,
		"# another file\ndrop  tcp from any to any port 81\n\n"
		"allow out tcp from 10.1.0.0/24 to any");
	pass(&old, there(NFV_TCP_SYN), NFV_OUTWARD, NFV_PKT_NEW, &a);
	assert_int_equal(carry(&a, &b), 0);
	assert_int_equal(b.rule, 1);
	assert_int_equal(pass(&new, back(), NFV_INWARD, NFV_PKT_REPLY, &b), NFV_KEEP);
	assert_int_equal(pass(&new, there(NFV_TCP_ACK), NFV_OUTWARD, 0, &b), NFV_KEEP);
	assert_int_equal(new.established, 2);
	assert_int_equal(new.set->hits[1].packets, 0);
}

/* In whichever direction the next packet goes, and though it could not begin the flow. */
static void
other_rules_judge_it_as_its_first_packet(void **state)
{
	struct fw_flow a = { 0 }, b;

	(void)state;
	open_both("allow out tcp from any to any", "allow out tcp from 10.1.0.0/24 to any port 80");
	pass(&old, there(NFV_TCP_SYN), NFV_OUTWARD, NFV_PKT_NEW, &a);
	assert_int_equal(carry(&a, &b), 0);
	assert_int_equal(b.generation, FW_ELSEWHERE);
	assert_int_equal(pass(&new, back(), NFV_INWARD, NFV_PKT_REPLY, &b), NFV_KEEP);
	assert_int_equal(new.set->hits[0].flows, 1);
	assert_int_equal(pass(&new, there(NFV_TCP_ACK), NFV_OUTWARD, 0, &b), NFV_KEEP);
	assert_int_equal(new.established, 1);
	close_both(NULL);

	open_both("allow out tcp from any to any", "drop tcp from any to any port 80");
	pass(&old, there(NFV_TCP_SYN), NFV_OUTWARD, NFV_PKT_NEW, &a);
	assert_int_equal(carry(&a, &b), 0);
	assert_int_equal(pass(&new, back(), NFV_INWARD, NFV_PKT_REPLY, &b), NFV_DROP(FW_DROP_RULE));
	close_both(NULL);

	/* One that waited to be judged still does, though these are the first rules again. */
	open_both("allow tcp from any to any", "allow tcp from any to any");
	a = (struct fw_flow){ FW_ELSEWHERE, 0, 0 };
	assert_int_equal(carry(&a, &b), 0);
	assert_int_equal(b.generation, FW_ELSEWHERE);
}

static void
what_was_not_let_in_is_not(void **state)
{
	struct fw_flow a = { 0 }, b;

	(void)state;
	open_both("default drop", "default drop");
	assert_int_equal(carry(&a, &b), 0);
	assert_int_equal(b.generation, 0);
	assert_int_equal(
		pass(&new, back(), NFV_INWARD, NFV_PKT_REPLY, &b), NFV_DROP(FW_DROP_DEFAULT));
}

static void
pinholes_are_the_same_ones(void **state)
{
	struct nfv_pages pages = nfv_pages_alloc(nfv_pinholes_pages(16));
	struct nfv_pinhole hole = { .port = 4000, .proto = NFV_PROTO_UDP };
	struct nfv_pinhole_set set = { .n = 1 };
	struct fw_flow a = { 0 }, b;
	struct nfv_pinholes *t;
	uint64_t call;

	(void)state;
	assert_int_equal(nfv_pinholes_create(16, &pages, NULL, 1, 1000000000, 0, &t, NULL), 0);
	set.table[0] = t;
	open_both("default drop", "default drop");
	old.pinholes = new.pinholes = &set;
	mk_addr(HOST, hole.to.b);
	hole.to.family = NFV_IPV4;
	call = nfv_pinhole_owner(t, 60, 0);
	nfv_pinhole_open(t, call, &hole);
	assert_int_equal(
		pass(&old, mk_udp(&m, IN, 7, HOST, 4000, "x", 1), NFV_INWARD, NFV_PKT_NEW, &a),
		NFV_KEEP);
	assert_int_equal(carry(&a, &b), 0);
	assert_int_equal(b.pinhole, call);
	assert_int_equal(
		pass(&new, mk_udp(&m, HOST, 4000, IN, 7, "x", 1), NFV_OUTWARD, NFV_PKT_REPLY, &b),
		NFV_KEEP);
	assert_int_equal(new.established, 1);
	/* The call ends, and what it had let in with it. */
	nfv_pinhole_close(t, call);
	assert_int_equal(pass(&new, mk_udp(&m, IN, 7, HOST, 4000, "x", 1), NFV_INWARD, 0, &b),
		NFV_DROP(FW_DROP_PINHOLE_CLOSED));
	assert_int_equal(carry(&a, &b), 0);
	assert_int_equal(pass(&new, mk_udp(&m, IN, 7, HOST, 4000, "x", 1), NFV_INWARD, 0, &b),
		NFV_DROP(FW_DROP_PINHOLE_CLOSED));
	/* Tokens that name nobody are none, and so are all where there are no pinholes. */
	for (int i = 0; i < 4; i++) {
		static const uint64_t none[] = { 1, 1ull << 56 | 1ull << 32, 17ull << 32, ~0ull };

		a.pinhole = none[i];
		assert_int_equal(carry(&a, &b), -ENOENT);
		assert_int_equal(b.generation, 0);
	}
	a.pinhole = call;
	new.pinholes = NULL;
	assert_int_equal(carry(&a, &b), -ENOENT);
	nfv_pinholes_destroy(t);
	nfv_pages_free(&pages);
}

static void
broken_records_are_refused(void **state)
{
	static const struct fw_flow none;
	struct fw_flow b = none;
	uint8_t noise[64];

	(void)state;
	open_both("allow tcp from any to any", "allow tcp from any to any");
	for (size_t n = 1; n < sizeof(noise); n++) {
		for (size_t i = 0; i < n; i++)
			noise[i] = (uint8_t)(i * 151 + n * 7 + 1);
		assert_true(fw_import_flow(&new, 1, noise, n, &b) < 0);
		assert_memory_equal(&b, &none, sizeof(b));
		if (n != sizeof(struct fw_counts))
			assert_int_equal(fw_import(&new, 1, noise, n), -EINVAL);
	}
	for (uint32_t rule = 0; rule < 4; rule++) {
		const struct fw_carried c = { .digest = new.set->digest, .rule = rule };

		b = none;
		assert_int_equal(
			fw_import_flow(&new, 1, &c, sizeof(c), &b), rule <= 1 ? 0 : -EINVAL);
	}
	assert_int_equal(fw_export_flow(&old, &b, noise, sizeof(struct fw_carried) - 1), 0);
}

static uint8_t put[sizeof(struct fw_counts)];

static int
put_one(void *arg, const void *bytes, size_t n)
{
	(void)arg;
	assert_int_equal(n, sizeof(put));
	memcpy(put, bytes, n);
	return 0;
}

static void
counters_go_on(void **state)
{
	const struct nfv_put to = { put_one, NULL };

	(void)state;
	open_both("default drop", "default drop");
	old.established = 7;
	old.unanswered = 2;
	new.established = 1;
	assert_int_equal(fw_export(&old, &to), 0);
	assert_int_equal(fw_import(&new, 1, put, sizeof(put)), 0);
	assert_int_equal(new.established, 8);
	assert_int_equal(new.unanswered, 2);
	assert_int_equal(new.answered, 0);
}

static void
it_tests_itself(void **state)
{
	static const char *const rules[] = { "default drop",
		"allow icmp from any to any type 3 code 4\nallow icmp6 from any to any\n"
		"reject in tcp from 192.0.2.0/24 to any port 22-80 flags syn,!ack\n"
		"drop 47 from any to any\nallow out any from fd00:1::/64 to fd00:2::9\n"
		"allow sctp from any port 9 to any\ndrop any from any to any\n"
		"allow udp from any to any" };
	struct nfv_err err = { "" };
	struct fw_acl *acl;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		open_both(rules[i], "drop udp from 192.0.2.1 to any");
		if (fw_selftest(&old, &err) < 0)
			fail_msg("%s", err.text);
		if (i == 0)
			close_both(NULL);
	}
	/* With other rules' tables it does not. */
	acl = old.set->acl;
	old.set->acl = new.set->acl;
	assert_int_equal(fw_selftest(&old, &err), -EIO);
	assert_non_null(strstr(err.text, "does not match what it says"));
	old.set->acl = acl;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(with_the_same_rules_nothing_is_judged_anew, close_both),
		cmocka_unit_test_teardown(other_rules_judge_it_as_its_first_packet, close_both),
		cmocka_unit_test_teardown(what_was_not_let_in_is_not, close_both),
		cmocka_unit_test_teardown(pinholes_are_the_same_ones, close_both),
		cmocka_unit_test_teardown(broken_records_are_refused, close_both),
		cmocka_unit_test_teardown(counters_go_on, close_both),
		cmocka_unit_test_teardown(it_tests_itself, close_both),
	};

	test_eal("64");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
