#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "guard.h"
#include "mksip.h"
#include "nfv_sip.h"

#define assert_sv(sv, text)                                                                        \
	do {                                                                                       \
		struct nfv_sv got_ = (sv);                                                         \
		if (!nfv_sv_eq(got_, nfv_sv_str(text)))                                            \
			fail_msg("\"%.*s\" is not \"%s\"", NFV_SV_ARG(got_), text);                \
	} while (0)

static struct nfv_sip_msg msg;

static void
parse(const char *text)
{
	assert_int_equal(nfv_sip_parse(&msg, text, strlen(text)), NFV_SIP_MESSAGE_OK);
}

static void
framing(void **state)
{
	(void)state;
	parse(mksip[0]);
	assert_false(msg.response);
	assert_int_equal(msg.method, NFV_SIP_INVITE);
	assert_sv(msg.uri, "sip:bob:pw@[2001:db8::2]:5070;transport=udp;lr?a=b");
	assert_int_equal(msg.n_hdr, 14);
	assert_int_equal(msg.flaws, 0);
	assert_true(msg.has_length);
	assert_sv(nfv_sv(msg.p + msg.body, msg.body_n), "v=0\r\n");
	parse(mksip[1]);
	assert_true(msg.response);
	assert_int_equal(msg.status, 183);
	assert_sv(msg.reason, "Session Progress");
	assert_int_equal(msg.body_n, 0);
	parse(mksip[2]);
	assert_ptr_equal(msg.p, mksip[2] + 2);
	assert_sv(nfv_sv(msg.p + msg.body, msg.body_n), "body");
	assert_false(msg.has_length);
	parse("A sip:b SIP/2.0\r\nContent-Length: 3\r\n\r\nabcdef");
	assert_sv(nfv_sv(msg.p, msg.n), "A sip:b SIP/2.0\r\nContent-Length: 3\r\n\r\nabc");
}

static void
header_index(void **state)
{
	const struct nfv_sip_hdr *h;

	(void)state;
	parse("A sip:b SIP/2.0\r\nVia: 1\r\nX :\r\nv: 2\r\n  folded \r\nVIA:3\r\n\r\n");
	h = nfv_sip_first_hdr(&msg, NFV_SIP_H_VIA);
	assert_sv(nfv_sip_value(&msg, h), "1");
	h = nfv_sip_next_hdr(&msg, h);
	assert_sv(nfv_sip_value(&msg, h), "2\r\n  folded");
	assert_sv(nfv_sv(msg.p + h->at, h->end - h->at), "v: 2\r\n  folded \r\n");
	h = nfv_sip_next_hdr(&msg, h);
	assert_sv(nfv_sip_value(&msg, h), "3");
	assert_null(nfv_sip_next_hdr(&msg, h));
	assert_null(nfv_sip_first_hdr(&msg, NFV_SIP_H_TO));
	assert_int_equal(msg.hdr[1].value_n, 0);
	assert_int_equal(msg.hdr[1].name_n, 1);
}

/* Each name finds itself in any case; what hashes to the same place does not. */
static void
names(void **state)
{
	static const struct {
		const char *name, *compact;
		enum nfv_sip_field field;
	} t[] = {
		{ "Via", "v", NFV_SIP_H_VIA },
		{ "From", "f", NFV_SIP_H_FROM },
		{ "To", "t", NFV_SIP_H_TO },
		{ "Call-ID", "i", NFV_SIP_H_CALL_ID },
		{ "CSeq", NULL, NFV_SIP_H_CSEQ },
		{ "Contact", "m", NFV_SIP_H_CONTACT },
		{ "Max-Forwards", NULL, NFV_SIP_H_MAX_FORWARDS },
		{ "Content-Length", "l", NFV_SIP_H_CONTENT_LENGTH },
		{ "Content-Type", "c", NFV_SIP_H_CONTENT_TYPE },
		{ "Route", NULL, NFV_SIP_H_ROUTE },
		{ "Record-Route", NULL, NFV_SIP_H_RECORD_ROUTE },
		{ "Require", NULL, NFV_SIP_H_REQUIRE },
		{ "Proxy-Require", NULL, NFV_SIP_H_PROXY_REQUIRE },
		{ "Supported", "k", NFV_SIP_H_SUPPORTED },
		{ "Expires", NULL, NFV_SIP_H_EXPIRES },
		{ "Min-Expires", NULL, NFV_SIP_H_MIN_EXPIRES },
		{ "Path", NULL, NFV_SIP_H_PATH },
		{ "Event", "o", NFV_SIP_H_EVENT },
		{ "Retry-After", NULL, NFV_SIP_H_RETRY_AFTER },
		{ "Authorization", NULL, NFV_SIP_H_AUTHORIZATION },
		{ "Proxy-Authorization", NULL, NFV_SIP_H_PROXY_AUTHORIZATION },
		{ "WWW-Authenticate", NULL, NFV_SIP_H_WWW_AUTHENTICATE },
		{ "Proxy-Authenticate", NULL, NFV_SIP_H_PROXY_AUTHENTICATE },
	};

	(void)state;
	assert_int_equal(sizeof(t) / sizeof(t[0]), NFV_SIP_H_FIELDS - 1);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char other[32];

		assert_int_equal(nfv_sip_field(nfv_sv_str(t[i].name)), t[i].field);
		if (t[i].compact != NULL)
			assert_int_equal(nfv_sip_field(nfv_sv_str(t[i].compact)), t[i].field);
		strcpy(other, t[i].name);
		for (size_t k = 0; other[k] != '\0';
			k++) { /* the bit that is the case of letters */
			other[k] ^= 0x20;
			assert_int_equal(nfv_sip_field(nfv_sv_str(other)),
				t[i].name[k] == '-' ? NFV_SIP_H_OTHER : t[i].field);
			other[k] ^= t[i].name[k] == '-' ? 0x20 : 0;
		}
		other[1] = '!';
		assert_int_equal(nfv_sip_field(nfv_sv_str(other)), NFV_SIP_H_OTHER);
	}
	assert_int_equal(nfv_sip_field(nfv_sv(NULL, 0)), NFV_SIP_H_OTHER);
	assert_int_equal(nfv_sip_field(NFV_SV("Via\r")), NFV_SIP_H_OTHER);
	for (int i = 1; i < NFV_SIP_METHODS; i++)
		assert_int_equal(nfv_sip_method(nfv_sv_str(nfv_sip_method_name[i])), i);
	assert_int_equal(nfv_sip_method(NFV_SV("invite")), NFV_SIP_OTHER);
	assert_int_equal(nfv_sip_method(NFV_SV("")), NFV_SIP_OTHER);
	assert_string_equal(nfv_sip_reason(483), "Too Many Hops");
	assert_string_equal(nfv_sip_reason(299), "Unknown");
}

static void
uris(void **state)
{
	struct nfv_sip_uri u;

	(void)state;
	assert_int_equal(
		nfv_sip_uri(nfv_sv_str("sip:bob:pw@[2001:db8::2]:5070;transport=udp;lr?a=b"), &u),
		0);
	assert_int_equal(u.scheme, NFV_SIP_SCHEME_SIP);
	assert_sv(u.user, "bob");
	assert_sv(u.password, "pw");
	assert_sv(u.host, "2001:db8::2");
	assert_sv(u.port_text, ":5070");
	assert_int_equal(u.port, 5070);
	assert_sv(u.params, ";transport=udp;lr");
	assert_sv(u.headers, "a=b");
	assert_sv(nfv_sip_uri_param(&u, "TRANSPORT"), "udp");
	assert_non_null(nfv_sip_uri_param(&u, "lr").p);
	assert_int_equal(nfv_sip_uri_param(&u, "lr").n, 0);
	assert_null(nfv_sip_uri_param(&u, "l").p);
	assert_int_equal(nfv_sip_uri(NFV_SV("SIPS:h"), &u), 0);
	assert_int_equal(u.scheme, NFV_SIP_SCHEME_SIPS);
	assert_null(u.user.p);
	assert_null(u.password.p);
	assert_null(u.headers.p);
	assert_int_equal(u.port, 0);
	assert_null(nfv_sip_uri_param(&u, "lr").p);
	assert_int_equal(nfv_sip_uri(NFV_SV("tel:+1;x=y"), &u), 0);
	assert_int_equal(u.scheme, NFV_SIP_SCHEME_TEL);
	assert_int_equal(nfv_sip_uri(NFV_SV("http://a/?b"), &u), 0);
	assert_int_equal(u.scheme, NFV_SIP_SCHEME_OTHER);
}

static void
bad_uris(void **state)
{
	static const char *const t[] = { "", "sip", "sip:", ":a", "sip:@h", "sip:a@", "sip:a@b@c",
		"sip:a b@c", "sip:a@b c", "sip:h:", "sip:h:0", "sip:h:65536", "sip:h:5060x",
		"sip:[::1", "sip:[]", "sip:[1.2.3.4]", "sip:h;", "sip:h;;lr", "sip:h;=x",
		"sip:h;a=%4", "sip:h;a=%zz", "sip:h?", "sip:h?a", "sip:h?=b", "sip:h?a=b&",
		"sip:%4g@h", "sip:-h", "sip:.h", "sip:a:p;w@h", "sip:\xc3\xa4@h", "tel:", "tel:1 2",
		"x:<y>", "s ip:h" };
	struct nfv_sip_uri u;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (nfv_sip_uri(nfv_sv_str(t[i]), &u) == 0)
			fail_msg("\"%s\" is no URI", t[i]);
}

static void
vias(void **state)
{
	struct nfv_sip_iter it;
	struct nfv_sip_via v;

	(void)state;
	parse(mksip[0]);
	nfv_sip_iter(&it, &msg, NFV_SIP_H_VIA);
	assert_int_equal(nfv_sip_next_via(&it, &v), 1);
	assert_false(nfv_sip_iter_line_done(&it));
	assert_sv(v.version, "2.0");
	assert_sv(v.transport, "UDP");
	assert_sv(v.sent_by, "192.0.2.1:5062");
	assert_sv(v.host, "192.0.2.1");
	assert_int_equal(v.port, 5062);
	assert_sv(v.branch, "z9hG4bKabc");
	assert_sv(v.maddr, "h.x");
	assert_int_equal(v.ttl, 3);
	assert_true(v.has_rport);
	assert_int_equal(v.rport, 0);
	assert_sv(v.rport_param, ";rport");
	assert_sv(v.received_param, ";received=192.0.2.9");
	assert_int_equal(v.received.family, NFV_IPV4);
	assert_int_equal(v.text.p - msg.p, it.at);
	assert_sv(nfv_sv(msg.p + it.end, 3), "SIP");
	assert_int_equal(nfv_sip_next_via(&it, &v), 1);
	assert_true(nfv_sip_iter_line_done(&it));
	assert_sv(v.host, "2001:db8::1");
	assert_int_equal(v.port, 5060);
	assert_int_equal(v.received.family, NFV_IPV6);
	assert_int_equal(v.rport, 77);
	assert_null(v.branch.p);
	assert_int_equal(nfv_sip_next_via(&it, &v), 0);
}

static void
behind_the_topmost_via(void **state)
{
	static const int with_vias[] = { 0, 1, 2 };

	(void)state;
	for (size_t i = 0; i < sizeof(with_vias) / sizeof(with_vias[0]); i++) {
		struct nfv_sip_iter it, behind;
		struct nfv_sip_core c;
		struct nfv_sip_via v;
		const char *text;
		int rc;

		parse(mksip[with_vias[i]]);
		nfv_sip_validate(&msg, &c, &text);
		assert_true(c.via_ok);
		nfv_sip_iter(&it, &msg, NFV_SIP_H_VIA);
		assert_int_equal(nfv_sip_next_via(&it, &v), 1);
		nfv_sip_iter_behind(&behind, &msg, &c);
		do {
			assert_ptr_equal(behind.hdr, it.hdr);
			assert_ptr_equal(behind.rest.p, it.rest.p);
			assert_int_equal(behind.rest.n, it.rest.n);
			assert_int_equal(behind.at, it.at);
			assert_int_equal(behind.end, it.end);
			rc = nfv_sip_next_via(&it, &v);
			assert_int_equal(nfv_sip_next_via(&behind, &v), rc);
		} while (rc > 0);
	}
}

/* A line end that is none, at every offset of whatever is looked at in one step. */
static void
half_line_ends(void **state)
{
	static const char *const odd[] = { "\r", "\n", "\r\r", "\n\r", "\n\n", "\r\n " };
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		bool folded = strcmp(odd[i], "\r\n ") == 0;

		for (int before = 0; before < 70; before++) {
			snprintf(text, sizeof(text),
				"A sip:b SIP/2.0\r\nX:%0*d%sz\r\nt: c\r\n\r\n%s", before, 0, odd[i],
				odd[i]);
			parse(text);
			assert_int_equal(msg.n_hdr, 2);
			assert_int_equal(msg.flaws, folded ? 0 : NFV_SIP_FLAW_LINE_END);
			assert_int_equal(nfv_sip_first_hdr(&msg, NFV_SIP_H_TO) - msg.hdr, 1);
			assert_sv(nfv_sv(msg.p + msg.body, msg.body_n), odd[i]);
		}
	}
}

static void
name_lists(void **state)
{
	struct nfv_sip_iter it;
	struct nfv_sip_name n;
	struct nfv_sv token;

	(void)state;
	parse(mksip[0]);
	nfv_sip_iter(&it, &msg, NFV_SIP_H_ROUTE);
	assert_int_equal(nfv_sip_next_name(&it, &n), 1);
	assert_sv(n.uri, "sip:[2001:db8::1]:5060;lr");
	assert_int_equal(n.params.n, 0);
	assert_int_equal(nfv_sip_next_name(&it, &n), 1);
	assert_sv(n.display, "\"r \\\"q\\\"\"");
	assert_sv(n.uri, "sip:b.example.org;lr");
	assert_sv(n.params, ";x=\"y\"");
	assert_int_equal(nfv_sip_next_name(&it, &n), 0);
	nfv_sip_iter(&it, &msg, NFV_SIP_H_REQUIRE);
	assert_int_equal(nfv_sip_next_token(&it, &token), 1);
	assert_sv(token, "100rel");
	assert_int_equal(nfv_sip_next_token(&it, &token), 1);
	assert_sv(token, "timer");
	assert_int_equal(nfv_sip_next_token(&it, &token), 0);
	parse(mksip[2]);
	nfv_sip_iter(&it, &msg, NFV_SIP_H_CONTACT);
	assert_int_equal(nfv_sip_next_name(&it, &n), 1);
	assert_sv(n.uri, "sip:a@192.0.2.3");
	assert_int_equal(nfv_sip_next_name(&it, &n), 1);
	assert_sv(n.uri, "sip:b@192.0.2.4");
	assert_int_equal(
		nfv_sip_name(NFV_SV("\"A \\\" L\" <sip:a@b;c=d>;tag=a1;x=\"q,;\""), &n), 0);
	assert_sv(n.display, "\"A \\\" L\"");
	assert_sv(n.tag, "a1");
	assert_int_equal(nfv_sip_name(NFV_SV("a b <sip:c>"), &n), 0);
	assert_sv(n.display, "a b");
	assert_null(n.tag.p);
}

static void
core(void **state)
{
	struct nfv_sip_core c;
	const char *text;

	(void)state;
	parse(mksip[1]);
	assert_int_equal(nfv_sip_validate(&msg, &c, &text), 0);
	assert_int_equal(c.n_vias, 2);
	assert_sv(c.via.host, "a.example.org");
	assert_true(c.via_line_done);
	assert_sv(c.from.tag, "1");
	assert_sv(c.to.tag, "2");
	assert_sv(c.call_id, "x");
	assert_int_equal(c.cseq.number, 2);
	assert_sv(c.cseq.method, "INVITE");
	assert_int_equal(c.max_forwards, -1);
}

/* Everything there is to parse in `n` bytes that end at a page without access. */
static void
parse_all(const char *p, size_t n)
{
	struct nfv_sip_param param;
	struct nfv_sip_core c;
	struct nfv_sip_iter it;
	struct nfv_sip_name name;
	struct nfv_sip_cseq cseq;
	struct nfv_sip_uri uri;
	struct nfv_sip_via via;
	struct nfv_sv token, rest;
	const char *text;

	nfv_sip_uri(nfv_sv(p, n), &uri);
	nfv_sip_name(nfv_sv(p, n), &name);
	nfv_sip_cseq(nfv_sv(p, n), &cseq);
	nfv_sip_call_id(nfv_sv(p, n));
	nfv_sip_field(nfv_sv(p, n));
	nfv_sip_method(nfv_sv(p, n));
	rest = nfv_sv(p, n);
	while (nfv_sip_param_next(&rest, &param) > 0)
		;
	if (nfv_sip_parse(&msg, p, n) != NFV_SIP_MESSAGE_OK)
		return;
	if (nfv_sip_validate(&msg, &c, &text) == 0)
		nfv_sip_validate_proxy(&msg, &c, &text);
	for (int f = 0; f < NFV_SIP_H_FIELDS; f++) {
		nfv_sip_iter(&it, &msg, f);
		while (nfv_sip_next_via(&it, &via) > 0)
			;
		nfv_sip_iter(&it, &msg, f);
		while (nfv_sip_next_name(&it, &name) > 0)
			if (nfv_sip_uri(name.uri, &uri) == 0)
				nfv_sip_uri_param(&uri, "lr");
		nfv_sip_iter(&it, &msg, f);
		while (nfv_sip_next_token(&it, &token) > 0)
			;
	}
}

static void
every_prefix_stays_inside(void **state)
{
	static const char *const parts[] = { "sip:u:p@[2001:db8::1]:5060;a=%41;lr?a=b&c=%41",
		"\"q\\\"q\" <sip:a@b>;tag=1;x=\"y\\\"\"", ";a=\"b\";c = [::1] ; d", "1 INVITE",
		"a@b", "Proxy-Authenticate", "SUBSCRIBE" };
	struct guard g = guard_new();

	(void)state;
	for (size_t i = 0; i < MKSIP_N; i++)
		for (size_t n = 0; n <= strlen(mksip[i]); n++)
			parse_all((const char *)guard_tail(&g, mksip[i], n), n);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		for (size_t n = 0; n <= strlen(parts[i]); n++)
			parse_all((const char *)guard_tail(&g, parts[i], n), n);
	guard_free(&g);
}

/* Each byte of each message replaced by those that mean something to a parser. */
static void
every_byte_changed_stays_inside(void **state)
{
	static const char bytes[] = "\0\r\n \t\"\\<>,;:@?=%[]*/\xff";
	struct guard g = guard_new();

	(void)state;
	for (size_t i = 0; i < MKSIP_N; i++) {
		size_t n = strlen(mksip[i]);
		char *at = (char *)guard_tail(&g, mksip[i], n);

		for (size_t j = 0; j < n; j++) {
			for (size_t b = 0; b < sizeof(bytes) - 1; b++) {
				at[j] = bytes[b];
				parse_all(at, n);
			}
			at[j] = mksip[i][j];
		}
	}
	guard_free(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(framing),
		cmocka_unit_test(header_index),
		cmocka_unit_test(names),
		cmocka_unit_test(uris),
		cmocka_unit_test(bad_uris),
		cmocka_unit_test(vias),
		cmocka_unit_test(behind_the_topmost_via),
		cmocka_unit_test(half_line_ends),
		cmocka_unit_test(name_lists),
		cmocka_unit_test(core),
		cmocka_unit_test(every_prefix_stays_inside),
		cmocka_unit_test(every_byte_changed_stays_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
