#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nfv_addr.h"

static void
text_and_back(void **state)
{
	static const char *const good[] = { "10.0.0.1/24", "0.0.0.0/0", "fd00::1/64", "::/0",
		"255.255.255.255/32", "fd00::1/128" };
	char buf[NFV_ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct nfv_prefix p;

		assert_int_equal(nfv_prefix_parse(nfv_sv_str(good[i]), &p), 0);
		assert_string_equal(nfv_prefix_text(&p, buf), good[i]);
	}
}

static void
bad_text_leaves_the_output(void **state)
{
	static const char *const bad[] = { "", "10.0.0", "10.0.0.1/33", "10.0.0.1/", "fd00::1/129",
		"10.0.0.1/-1", "10.0.0.256", "1.2.3.4/8x", "::g", "/24" };
	struct nfv_prefix p = { .len = 77 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(nfv_prefix_parse(nfv_sv_str(bad[i]), &p), -EINVAL);
		assert_int_equal(p.len, 77);
	}
}

/* IPv4 is read by hand: no more and no less than the library reads. */
static void
as_the_library_reads(void **state)
{
	static const char *const parts[] = { "0", "1", "00", "01", "10", "99", "255", "256", "300",
		"1000", "", "x", "-1", "1 ", "+1", "." };
	const size_t n = sizeof(parts) / sizeof(parts[0]);

	(void)state;
	for (size_t i = 0; i < n * n * n * n * 5; i++) {
		size_t dots = i % 5, k = i / 5;
		struct nfv_addr a = { 0 };
		char text[64] = "";
		uint8_t b[4];

		for (size_t d = 0; d <= dots; d++, k /= n) {
			strcat(text, parts[k % n]);
			strcat(text, d < dots ? "." : "");
		}
		assert_int_equal(nfv_addr_parse(nfv_sv_str(text), &a) == 0,
			inet_pton(AF_INET, text, b) == 1);
		if (a.family != NFV_NO_ADDR)
			assert_memory_equal(a.b, b, 4);
	}
}

static void
endpoints(void **state)
{
	static const char *const bad[] = { "10.0.0.1", "10.0.0.1:0", "10.0.0.1:65536",
		"fd00::1:5060", "[fd00::1]", "[10.0.0.1]:5060", "[fd00::1]5060", ":5060" };
	struct nfv_endpoint e;
	char buf[NFV_ADDR_TEXT];

	(void)state;
	assert_int_equal(nfv_endpoint_parse(NFV_SV("10.0.0.1:5060"), &e), 0);
	assert_string_equal(nfv_endpoint_text(&e, buf), "10.0.0.1:5060");
	assert_int_equal(nfv_endpoint_parse(NFV_SV("[fd00::1]:65535"), &e), 0);
	assert_string_equal(nfv_endpoint_text(&e, buf), "[fd00::1]:65535");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(nfv_endpoint_parse(nfv_sv_str(bad[i]), &e), -EINVAL);
}

static void
membership(void **state)
{
	static const struct {
		const char *prefix, *addr;
		bool in;
	} t[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "10.0.0.128/25", "10.0.0.127", false },
		{ "10.0.0.128/25", "10.0.0.129", true },
		{ "0.0.0.0/0", "1.2.3.4", true },
		{ "0.0.0.0/0", "::1", false },
		{ "fd00::/7", "fc00::1", true },
		{ "fd00::/8", "fc00::1", false },
		{ "10.0.0.1/32", "10.0.0.1", true },
		{ "10.0.0.1/32", "10.0.0.0", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct nfv_prefix p;
		struct nfv_addr a;

		assert_int_equal(nfv_prefix_parse(nfv_sv_str(t[i].prefix), &p), 0);
		assert_int_equal(nfv_addr_parse(nfv_sv_str(t[i].addr), &a), 0);
		assert_int_equal(nfv_prefix_has(&p, &a), t[i].in);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_and_back),
		cmocka_unit_test(bad_text_leaves_the_output),
		cmocka_unit_test(as_the_library_reads),
		cmocka_unit_test(endpoints),
		cmocka_unit_test(membership),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
