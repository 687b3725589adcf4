#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nfv_sip_write.h"

static void
values(void **state)
{
	struct nfv_endpoint e4, e6;
	struct nfv_sip_writer w;
	char buf[256];

	(void)state;
	assert_int_equal(nfv_endpoint_parse(NFV_SV("10.0.0.1:5060"), &e4), 0);
	assert_int_equal(nfv_endpoint_parse(NFV_SV("[fd00::1]:1"), &e6), 0);
	w = nfv_sip_writer(buf, sizeof(buf));
	nfv_sip_put_u64(&w, 0);
	nfv_sip_put_str(&w, " ");
	nfv_sip_put_u64(&w, UINT64_MAX);
	nfv_sip_put_str(&w, " ");
	nfv_sip_put_hex(&w, 0xabcdef, 4);
	nfv_sip_put_hex(&w, 1, 2);
	nfv_sip_put_str(&w, " ");
	nfv_sip_put_hostport(&w, &e4);
	nfv_sip_put_str(&w, " ");
	nfv_sip_put_hostport(&w, &e6);
	nfv_sip_put_str(&w, " ");
	nfv_sip_put_header(&w, "To", NFV_SV("x"));
	assert_false(w.full);
	assert_true(nfv_sv_eq(nfv_sip_written(&w, 0),
		NFV_SV("0 18446744073709551615 cdef01 10.0.0.1:5060 [fd00::1]:1 To: x\r\n")));
}

/* Nothing is written behind the room, and nothing after the first text that did not fit. */
static void
full(void **state)
{
	char buf[8] = "#######";
	struct nfv_sip_writer w = nfv_sip_writer(buf, 5);

	(void)state;
	nfv_sip_put_str(&w, "abc");
	nfv_sip_put_str(&w, "def");
	assert_true(w.full);
	nfv_sip_put_str(&w, "g");
	assert_int_equal(w.n, 3);
	assert_string_equal(buf, "abc####");
}

static struct nfv_sip_msg msg = { .p = "0123456789", .n = 10 };

static void
apply(struct nfv_sip_edits *e, size_t from, size_t to, const char *expect)
{
	char buf[64];
	struct nfv_sip_writer w = nfv_sip_writer(buf, sizeof(buf));

	nfv_sip_edit_apply(e, &msg, from, to, &w);
	if (!nfv_sv_eq(nfv_sip_written(&w, 0), nfv_sv_str(expect)))
		fail_msg("\"%.*s\" is not \"%s\"", NFV_SV_ARG(nfv_sip_written(&w, 0)), expect);
}

static void
edits(void **state)
{
	struct nfv_sip_edits e = { 0 };

	(void)state;
	apply(&e, 0, 10, "0123456789");
	nfv_sip_edit(&e, 10, 0, NFV_SV("end"));
	nfv_sip_edit(&e, 4, 2, NFV_SV("xy"));
	nfv_sip_edit(
		&e, 4, 0, NFV_SV("!")); /* overlaps nothing, but comes behind what replaced 4 */
	assert_true(e.full);
	e = (struct nfv_sip_edits){ 0 };
	nfv_sip_edit(&e, 10, 0, NFV_SV("end"));
	nfv_sip_edit(&e, 4, 0, NFV_SV("<"));
	nfv_sip_edit(&e, 4, 0, NFV_SV("!"));
	nfv_sip_edit(&e, 4, 2, NFV_SV("xy"));
	nfv_sip_edit(&e, 0, 1, nfv_sv(NULL, 0));
	nfv_sip_edit_view(&e, &msg, nfv_sv(msg.p + 6, 1), NFV_SV("six"));
	assert_false(e.full);
	apply(&e, 0, 10, "123<!xysix789end");
	apply(&e, 3, 6, "3<!xy");
	apply(&e, 7, 9, "78");
	nfv_sip_edit(&e, 3, 2, nfv_sv(NULL, 0));
	assert_true(e.full);
	e = (struct nfv_sip_edits){ 0 };
	for (int i = 0; i < NFV_SIP_EDITS_MAX; i++)
		nfv_sip_edit(&e, 5, 0, NFV_SV("i"));
	assert_false(e.full);
	nfv_sip_edit(&e, 5, 0, NFV_SV("i"));
	assert_true(e.full);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(full),
		cmocka_unit_test(edits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
