#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "guard.h"
#include "rules.h"

static struct fw_rules *
parse(const char *text)
{
	struct fw_rules *rules = NULL;
	struct nfv_err err;

	if (fw_rules_parse("t", text, strlen(text), FW_DROP, &rules, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return rules;
}

static void
assert_prefix(const struct nfv_prefix *p, const char *text)
{
	char buf[NFV_ADDR_TEXT];

	if (text == NULL)
		assert_int_equal(p->addr.family, NFV_NO_ADDR);
	else
		assert_string_equal(nfv_prefix_text(p, buf), text);
}

static void
every_part_of_a_rule(void **state)
{
	struct fw_rules *rules = parse(
		"# comment\n\nallow out tcp from 10.0.0.0/8 port 1024-65535 to 192.0.2.7 port 80 "
		"flags syn,!ack name \"web # 1\" # and more\r\n"
		"\t reject in icmp6 from fd00::/8 to any type 128 code 0\n"
		"default reject\n"
		"drop any any from any to any\n"
		"allow 47 from any to any stateless\n"
		"drop any from ::/0 to any");
	const struct fw_rule *r;

	(void)state;
	assert_int_equal(rules->n, 5);
	assert_int_equal(rules->otherwise, FW_REJECT);
	assert_int_equal(rules->otherwise_line, 5);
	r = &rules->rule[0];
	assert_int_equal(r->line, 3);
	assert_int_equal(r->action, FW_ALLOW);
	assert_int_equal(r->dirs, FW_OUT);
	assert_int_equal(r->families, FW_IPV4);
	assert_int_equal(r->proto, NFV_PROTO_TCP);
	assert_prefix(&r->from, "10.0.0.0/8");
	assert_prefix(&r->to, "192.0.2.7/32");
	assert_int_equal(r->sport.lo, 1024);
	assert_int_equal(r->sport.hi, 65535);
	assert_int_equal(r->dport.lo, 80);
	assert_int_equal(r->dport.hi, 80);
	assert_int_equal(r->flags, NFV_TCP_SYN);
	assert_int_equal(r->flags_mask, NFV_TCP_SYN | NFV_TCP_ACK);
	assert_false(r->stateless);
	assert_string_equal(r->name, "web # 1");
	r = &rules->rule[1];
	assert_int_equal(r->action, FW_REJECT);
	assert_int_equal(r->dirs, FW_IN);
	assert_int_equal(r->families, FW_IPV6);
	assert_int_equal(r->sport.lo, 128);
	assert_int_equal(r->sport.hi, 128);
	assert_int_equal(r->dport.hi, 0);
	r = &rules->rule[2];
	assert_int_equal(r->dirs, FW_OUT | FW_IN);
	assert_int_equal(r->families, FW_IPV4 | FW_IPV6);
	assert_int_equal(r->proto, FW_PROTO_ANY);
	assert_prefix(&r->from, NULL);
	assert_int_equal(rules->rule[3].proto, 47);
	assert_true(rules->rule[3].stateless);
	assert_int_equal(rules->rule[4].families, FW_IPV6);
	assert_int_equal(rules->rule[4].line, 8);
	fw_rules_destroy(rules);
}

static void
an_empty_file_has_the_default_given(void **state)
{
	static const char *const empty[] = { "", "\n", "#", "\r\n\r\n", " \t# x" };

	(void)state;
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		struct fw_rules *rules = parse(empty[i]);

		assert_int_equal(rules->n, 0);
		assert_int_equal(rules->otherwise, FW_DROP);
		assert_int_equal(rules->otherwise_line, 0);
		fw_rules_destroy(rules);
	}
}

static void
mistakes_are_told_with_their_place(void **state)
{
	static const struct {
		const char *text, *told;
	} t[] = {
		{ "\nalow tcp from any to any",
			"t:2: \"alow\" is no action; use allow, drop, reject or" },
		{ "default", "t:1: the end of the line is no action; use allow, drop or reject" },
		{ "default pass", "\"pass\" is no action" },
		{ "default drop all", "\"all\" follows the action of default" },
		{ "default drop\n#\ndefault drop", "t:3: default stands twice; first on line 1" },
		{ "allow", "the end of the line is no protocol" },
		{ "allow any", "the end of the line is no protocol" },
		{ "allow up tcp from any to any", "\"up\" is no protocol; use any, tcp" },
		{ "allow 256 from any to any", "\"256\" is no protocol" },
		{ "allow -1 from any to any", "\"-1\" is no protocol" },
		{ "allow tcp to any from any", "\"to\" stands where \"from\" and an address" },
		{ "allow tcp", "the end of the line stands where \"from\"" },
		{ "allow tcp from any", "the end of the line stands where \"to\"" },
		{ "allow tcp from any port 80 any", "\"any\" stands where \"to\"" },
		{ "allow tcp from", "the end of the line is no address" },
		{ "allow tcp from 10.0.0/8 to any", "\"10.0.0/8\" is no address" },
		{ "allow tcp from 10.0.0.0/33 to any", "\"10.0.0.0/33\" is no address" },
		{ "allow tcp from fd00::/129 to any", "is no address" },
		{ "allow tcp from any to 10.0.0.1/24",
			"\"10.0.0.1/24\" has bits set past its length" },
		{ "allow tcp from any to fd00::1/127", "has bits set past its length" },
		{ "allow tcp from any port 65536 to any", "\"65536\" is no port" },
		{ "allow tcp from any port to any", "\"to\" is no port" },
		{ "allow tcp from any port 1- to any", "\"1-\" is no port" },
		{ "allow tcp from any port 9-1 to any", "the range \"9-1\" runs backwards" },
		{ "allow tcp from any port 80,81 to any", "\"80,81\" is no port" },
		{ "allow any from any port 80 to any",
			"has no ports; port goes with tcp, udp or sctp" },
		{ "allow icmp from any to any port 1", "has no ports" },
		{ "allow udp from any to any flags syn", "flags goes with tcp only" },
		{ "allow tcp from any to any flags", "the end of the line is no TCP flag" },
		{ "allow tcp from any to any flags syn,", "is no TCP flag" },
		{ "allow tcp from any to any flags syn,!", "\"!\" is no TCP flag" },
		{ "allow tcp from any to any flags syn,!syn", "the flag syn stands twice" },
		{ "allow tcp from any to any flags syn, ack", "is no TCP flag" },
		{ "allow tcp from any to any type 8", "type goes with icmp and icmp6 only" },
		{ "allow icmp from any to any type 256",
			"\"256\" is no type; use a number from 0 to 255" },
		{ "allow icmp from any to any type 3 code x", "\"x\" is no code" },
		{ "allow icmp from any to any code 3", "\"code\" is not known here" },
		{ "allow udp from any to any log", "\"log\" is not known here; what may follow" },
		{ "allow udp from any to any stateless stateless", "stateless stands twice" },
		{ "drop udp from any to any stateless", "stateless goes with allow only" },
		{ "drop udp from any to any name x", "name wants a label in double quotes" },
		{ "drop udp from any to any name", "name wants a label in double quotes" },
		{ "drop udp from any to any name \"", "the label does not end" },
		{ "drop udp from any to any name \"x", "the label does not end" },
		{ "drop udp from any to any name \"\"", "the label has 0 characters; 1 to 31" },
		{ "drop udp from any to any name \"0123456789012345678901234567890x\"",
			"the label has 32 characters" },
		{ "drop udp from any to any name \"\x1b[2J\"", "printable ASCII" },
		{ "drop udp from any to any name \"a\"b", "follows the label's closing quote" },
		{ "allow icmp from fd00::/8 to any", "icmp is IPv4's and icmp6 is IPv6's" },
		{ "allow icmp6 from any to 10.0.0.0/8", "not of one family" },
		{ "allow udp from 10.0.0.0/8 to fd00::/8", "not of one family" },
		{ "\x1b[31m", "t:1: \"?[31m\" is no action" },
		{ "allow udp from any to any\nallow", "t:2: " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct fw_rules *rules = NULL;
		struct nfv_err err = { "" };

		if (fw_rules_parse("t", t[i].text, strlen(t[i].text), FW_DROP, &rules, &err) !=
			-EINVAL)
			fail_msg("taken: %s", t[i].text);
		assert_null(rules);
		if (strstr(err.text, t[i].told) == NULL || strncmp(err.text, "t:", 2) != 0)
			fail_msg("said \"%s\", not \"%s\"", err.text, t[i].told);
		assert_int_equal(
			fw_rules_parse("t", t[i].text, strlen(t[i].text), FW_DROP, &rules, NULL),
			-EINVAL);
	}
}

static void
bounds(void **state)
{
	static const char rule[] = "drop udp from any to any\n";
	const size_t n = FW_RULES_MAX + 1, size = sizeof(rule) - 1;
	char line[FW_LINE_MAX + 2], *many = malloc(n * size);
	struct fw_rules *rules = NULL;
	struct nfv_err err;

	(void)state;
	memset(line, '#', sizeof(line));
	assert_int_equal(fw_rules_parse("t", line, FW_LINE_MAX, FW_DROP, &rules, &err), 0);
	fw_rules_destroy(rules);
	assert_int_equal(
		fw_rules_parse("t", line, FW_LINE_MAX + 1, FW_DROP, &rules, &err), -EINVAL);
	assert_string_equal(err.text, "t:1: the line has 513 bytes; at most 512 are taken");
	assert_non_null(many);
	for (size_t i = 0; i < n; i++)
		memcpy(many + i * size, rule, size);
	assert_int_equal(fw_rules_parse("t", many, n * size, FW_DROP, &rules, &err), -E2BIG);
	assert_non_null(strstr(err.text, "t:262145: more than 262144 rules"));
	assert_int_equal(fw_rules_parse("t", many, (n - 1) * size, FW_DROP, &rules, &err), 0);
	assert_int_equal(rules->n, FW_RULES_MAX);
	fw_rules_destroy(rules);
	assert_int_equal(
		fw_rules_parse("t", many, FW_FILE_MAX + 1ul, FW_DROP, &rules, &err), -E2BIG);
	free(many);
	fw_rules_destroy(NULL);
}

/* Printed and parsed again, a rule is the same rule. */
static void
printing_is_the_inverse_of_parsing(void **state)
{
	static const char *const text[] = {
		"allow out tcp from 10.0.0.0/8 port 9-65535 to 192.0.2.7/32 port 80 flags syn,!ack",
		"reject in icmp from any to 10.0.0.0/8 type 3 code 1 name \"a b\"",
		"drop any from any to any",
		"drop icmp6 from fd00::/8 to any type 128",
		"allow sctp from any port 0 to any stateless",
		"allow 47 from ::/0 to 2001:db8::1/128 name \"#\"",
		"drop icmp from any to any",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		struct fw_rules *rules = parse(text[i]), *again;
		char *printed = NULL;
		size_t n;
		FILE *to = open_memstream(&printed, &n);

		fw_rule_print(&rules->rule[0], to);
		fclose(to);
		again = parse(printed);
		assert_memory_equal(&rules->rule[0], &again->rule[0], sizeof(struct fw_rule));
		assert_string_equal(printed, text[i]);
		free(printed);
		fw_rules_destroy(rules);
		fw_rules_destroy(again);
	}
}

/* Every beginning of a rule, and every beginning with one byte changed, ending at a page without
 * access. */
static void
no_byte_is_read_past_the_end(void **state)
{
	static const char text[] = "allow out tcp from 10.0.0.0/8 port 1-2 to any port 3 "
				   "flags syn,!ack stateless name \"x\" # y\r\nicmp";
	static const char odd[] = "\0\"#!,-/\r\n 9:\xff";
	struct guard g = guard_new();

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		for (size_t i = 0; i < sizeof(odd); i++) {
			uint8_t *at = guard_tail(&g, text, n);
			struct fw_rules *rules = NULL;

			if (n > 0 && i > 0)
				at[n - 1] = (uint8_t)odd[i - 1];
			fw_rules_parse("t", (const char *)at, n, FW_DROP, &rules, NULL);
			fw_rules_destroy(rules);
		}
	}
	guard_free(&g);
}

static void
files(void **state)
{
	char path[] = "/tmp/test_rules_XXXXXX";
	struct fw_rules *rules = NULL;
	struct nfv_err err;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "default allow\n", 14), 14);
	assert_int_equal(fw_rules_load(path, FW_DROP, &rules, &err), 0);
	assert_int_equal(rules->otherwise, FW_ALLOW);
	fw_rules_destroy(rules);
	rules = NULL;
	assert_int_equal(write(fd, "oops\n", 5), 5);
	close(fd);
	assert_int_equal(fw_rules_load(path, FW_DROP, &rules, &err), -EINVAL);
	assert_non_null(strstr(err.text, ":2: \"oops\" is no action"));
	unlink(path);
	assert_int_equal(fw_rules_load(path, FW_DROP, &rules, &err), -ENOENT);
	assert_non_null(strstr(err.text, "cannot be opened"));
	assert_int_equal(fw_rules_load("/dev/zero", FW_DROP, &rules, &err), -ENOTSUP);
	assert_int_equal(fw_rules_load("/", FW_DROP, &rules, &err), -ENOTSUP);
	assert_null(rules);
}

static void
the_example_is_right(void **state)
{
	struct fw_rules *rules = NULL;
	struct nfv_err err = { "" };

	(void)state;
	if (fw_rules_load(CONFIG_DIR "/firewall.rules", FW_ALLOW, &rules, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(rules->n >= 8);
	assert_int_equal(rules->otherwise, FW_DROP);
	fw_rules_destroy(rules);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_part_of_a_rule),
		cmocka_unit_test(an_empty_file_has_the_default_given),
		cmocka_unit_test(mistakes_are_told_with_their_place),
		cmocka_unit_test(bounds),
		cmocka_unit_test(printing_is_the_inverse_of_parsing),
		cmocka_unit_test(no_byte_is_read_past_the_end),
		cmocka_unit_test(files),
		cmocka_unit_test(the_example_is_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
