#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nfv_err.h"
#include "nfv_sv.h"

static void
cutting(void **state)
{
	struct nfv_sv rest = NFV_SV("a,,b");

	(void)state;
	assert_true(nfv_sv_eq(nfv_sv_cut(&rest, ','), NFV_SV("a")));
	assert_int_equal(nfv_sv_cut(&rest, ',').n, 0);
	assert_true(nfv_sv_eq(nfv_sv_cut(&rest, ','), NFV_SV("b")));
	assert_null(rest.p);
	assert_int_equal(nfv_sv_cut(&rest, ',').n, 0);
}

static void
words(void **state)
{
	struct nfv_sv rest = NFV_SV("  one\ttwo  ");

	(void)state;
	assert_true(nfv_sv_eq(nfv_sv_word(&rest), NFV_SV("one")));
	assert_true(nfv_sv_eq(nfv_sv_word(&rest), NFV_SV("two")));
	assert_int_equal(nfv_sv_word(&rest).n, 0);
	assert_true(nfv_sv_ieq(NFV_SV("Call-ID"), NFV_SV("cALL-id")));
	assert_false(nfv_sv_ieq(NFV_SV("a"), NFV_SV("b")));
	assert_false(nfv_sv_ieq(NFV_SV("@"), NFV_SV("`"))); /* differ by 0x20, but are no letters */
}

static void
numbers(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_int_equal(nfv_sv_u64(NFV_SV("18446744073709551615"), 0, UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(nfv_sv_u64(NFV_SV("18446744073709551616"), 0, UINT64_MAX, &v), -ERANGE);
	assert_int_equal(nfv_sv_u64(NFV_SV("99999999999999999999"), 0, UINT64_MAX, &v), -ERANGE);
	assert_int_equal(nfv_sv_u64(NFV_SV(""), 0, 9, &v), -EINVAL);
	assert_int_equal(nfv_sv_u64(NFV_SV("-1"), 0, 9, &v), -EINVAL);
	assert_int_equal(nfv_sv_u64(NFV_SV("1 "), 0, 9, &v), -EINVAL);
	assert_int_equal(nfv_sv_u64(NFV_SV("10"), 0, 9, &v), -ERANGE);
	assert_true(v == UINT64_MAX);
}

static void
errors_nest_and_are_cut(void **state)
{
	struct nfv_err err;
	char longer[1024];

	(void)state;
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(nfv_fail(&err, EINVAL, "no %s", "port"), -EINVAL);
	assert_int_equal(nfv_fail_in(&err, -EINVAL, "chain %d", 3), -EINVAL);
	assert_string_equal(err.text, "chain 3: no port");
	nfv_fail(&err, EINVAL, "%s", longer);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	nfv_fail_in(&err, -EINVAL, "%s", longer);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_int_equal(nfv_fail(NULL, EIO, "nobody listens"), -EIO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cutting),
		cmocka_unit_test(words),
		cmocka_unit_test(numbers),
		cmocka_unit_test(errors_nest_and_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
