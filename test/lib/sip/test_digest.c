#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nfv_digest.h"
#include "guard.h"

/* Computed by other means, as RFC 7616 §3.4 says. */
#define RESPONSE_2069   "a5ab98b67b05aaa80de5f9f7e4fa3b79"
#define RESPONSE_SESS   "0708c5ef06c55bcdd0540148dec96c71"
#define RESPONSE_INT    "a5e775cf5a517eb2cff68081dc6871261b27dc9f2f6420b9e851de99cdccfa3e"
#define RESPONSE_QUOTES "e0c9f41cca96c739c11a8af3b4b5d509"

static char buf[4096];

static struct nfv_sv
answer(const char *challenge, const struct nfv_digest_request *r)
{
	struct nfv_sip_writer w = nfv_sip_writer(buf, sizeof(buf));
	struct nfv_digest_challenge c;

	assert_int_equal(nfv_digest_challenge_parse(nfv_sv_str(challenge), &c), 0);
	nfv_digest_answer(&c, r, &w);
	assert_false(w.full);
	buf[w.n] = '\0';
	return nfv_sv(buf, w.n);
}

static void
says(struct nfv_sv value, const char *part)
{
	if (strstr(value.p, part) == NULL)
		print_error("%s\nlacks %s\n", value.p, part);
	assert_non_null(strstr(value.p, part));
}

static void
the_example_of_rfc_2617(void **state)
{
	struct nfv_digest_request r = { .user = NFV_SV("Mufasa"),
		.password = NFV_SV("Circle Of Life"),
		.method = NFV_SV("GET"),
		.uri = NFV_SV("/dir/index.html"),
		.cnonce = NFV_SV("0a4f113b"),
		.nc = 1 };
	struct nfv_sv v = answer("Digest\r\n realm=\"testrealm@host.com\",\r\n"
				 " qop=\"auth,auth-int\",\r\n"
				 " nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\",\r\n"
				 " opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
		&r);

	(void)state;
	says(v,
		"Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
		"nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\"");
	says(v, "response=\"6629fae49393a05397450978507c4ef1\"");
	says(v, "qop=auth, nc=00000001");
	says(v, "cnonce=\"0a4f113b\"");
	says(v, "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"");
}

#define RFC_7616(ALGORITHM)                                                                        \
	"Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", "                         \
	"algorithm=" ALGORITHM ", "                                                                \
	"nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "                                 \
	"opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""

static const struct nfv_digest_request mufasa = { .user = { "Mufasa", 6 },
	.password = { "Circle of Life", 14 },
	.method = { "GET", 3 },
	.uri = { "/dir/index.html", 15 },
	.cnonce = { "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", 44 },
	.nc = 1 };

static void
the_examples_of_rfc_7616(void **state)
{
	struct nfv_digest_request r = mufasa;
	struct nfv_digest_credentials c;
	char ha1[NFV_DIGEST_HEX_MAX];

	(void)state;
	says(answer(RFC_7616("MD5"), &mufasa), "response=\"8ca523f5e9506fed4657c9700eebdbec\"");
	says(answer(RFC_7616("SHA-256"), &mufasa),
		"response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"");
	/* the same from the hash of the password */
	r.ha1 = nfv_sv(ha1,
		nfv_digest_ha1(NFV_DIGEST_SHA256, r.user, NFV_SV("http-auth@example.org"),
			r.password, ha1));
	r.password = nfv_sv(NULL, 0);
	assert_int_equal(r.ha1.n, 64);
	says(answer(RFC_7616("SHA-256"), &r), "response=\"753927fa0e85d155564e2e272a28d1802ca10d");
	assert_int_equal(nfv_digest_credentials_parse(nfv_sv_str(buf), &c), 0);
	assert_true(nfv_digest_matches(&c, &mufasa));
	assert_true(nfv_digest_matches(&c, &r));
}

static void
without_qop_as_rfc_2069(void **state)
{
	struct nfv_digest_request r = { .user = NFV_SV("alice"),
		.password = NFV_SV("secret"),
		.method = NFV_SV("REGISTER"),
		.uri = NFV_SV("sip:example.com") };
	struct nfv_sv v =
		answer("Digest realm=\"example.com\", nonce=\"Y2FmZQ==\", algorithm=MD5", &r);

	(void)state;
	says(v, "response=\"" RESPONSE_2069 "\"");
	assert_null(strstr(v.p, "qop"));
	assert_null(strstr(v.p, "cnonce"));
	assert_null(strstr(v.p, "nc="));
	assert_null(strstr(v.p, "opaque"));
}

static void
sessions_and_bodies_differ(void **state)
{
	struct nfv_digest_request r = { .user = NFV_SV("alice"),
		.password = NFV_SV("secret"),
		.method = NFV_SV("REGISTER"),
		.uri = NFV_SV("sip:example.com"),
		.cnonce = NFV_SV("c0ffee"),
		.nc = 10,
		.body = NFV_SV("v=0\r\n") };
	struct nfv_sv v;

	(void)state;
	says(answer("Digest realm=\"example.com\",nonce=\"n\",qop=\"auth\",algorithm=MD5-sess", &r),
		"response=\"" RESPONSE_SESS "\"");
	says(nfv_sv_str(buf), "nc=0000000a");
	v = answer(
		"Digest realm=\"example.com\",nonce=\"n\",qop=\"auth-int\",algorithm=SHA-256", &r);
	says(v, "response=\"" RESPONSE_INT "\"");
	says(v, "qop=auth-int");
	/* -sess without qop: the other side needs cnonce nevertheless */
	says(answer("Digest realm=\"example.com\",nonce=\"n\",algorithm=md5-SESS", &r),
		"cnonce=\"c0ffee\"");
}

static void
challenges_of_several_makes(void **state)
{
	struct nfv_digest_challenge c;

	(void)state;
	/* as Kamailio writes them */
	assert_int_equal(nfv_digest_challenge_parse(
				 NFV_SV("Digest realm=\"sip.example.org\", "
					"nonce=\"ZVxyz2VccKOmBh4/AxPpq8Zb1pZ2g0dq\", qop=\"auth\""),
				 &c),
		0);
	assert_int_equal(c.algorithm, NFV_DIGEST_MD5);
	assert_int_equal(c.qop, NFV_DIGEST_AUTH);
	assert_null(c.opaque.p);
	assert_false(c.stale);
	/* as SIPp scenarios and Asterisk do */
	assert_int_equal(nfv_digest_challenge_parse(
				 NFV_SV("digest algorithm=\"MD5\",realm=asterisk,stale=TRUE,"
					"nonce=4d3b/+==,opaque=\"\",domain=\"sip:x\",qop=\"\""),
				 &c),
		0);
	assert_int_equal(c.qop, NFV_DIGEST_NO_QOP);
	assert_true(c.stale);
	assert_true(nfv_sv_eq(c.realm, NFV_SV("asterisk")));
	assert_true(nfv_sv_eq(c.nonce, NFV_SV("4d3b/+==")));
	assert_non_null(c.opaque.p);
	/* white space, also over lines, and a comma too many */
	assert_int_equal(
		nfv_digest_challenge_parse(
			NFV_SV("Digest  realm = \"a, b\" ,\r\n\tnonce\t=\t\"n\",, qop=auth,"), &c),
		0);
	assert_true(nfv_sv_eq(c.realm, NFV_SV("a, b")));
	assert_int_equal(c.qop, NFV_DIGEST_AUTH);
}

static void
what_cannot_be_answered_is_refused(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} bad[] = {
		{ "", -ENOTSUP },
		{ "Basic realm=\"x\"", -ENOTSUP },
		{ "Digest", -EINVAL },
		{ "Digest ", -EINVAL },
		{ "Digestrealm=\"x\", nonce=\"y\"", -ENOTSUP },
		{ "Digest realm=\"x\"", -EINVAL },
		{ "Digest nonce=\"x\"", -EINVAL },
		{ "Digest realm=\"x\", nonce=\"y", -EINVAL },
		{ "Digest realm=\"x\", nonce=\"y\\\"", -EINVAL },
		{ "Digest realm=\"x\" nonce=\"y\"", -EINVAL },
		{ "Digest realm=\"x\", nonce=", -EINVAL },
		{ "Digest realm=\"x\", nonce", -EINVAL },
		{ "Digest realm=\"x\", =\"y\"", -EINVAL },
		{ "Digest realm=\"x\", nonce=\"y\", nonce=\"z\"", -EINVAL },
		{ "Digest realm=\"x\r\n y\", nonce=\"z\"", -EINVAL },
		{ "Digest realm=\"x\", nonce=\"z\", algorithm=SHA-512-256", -ENOTSUP },
		{ "Digest realm=\"x\", nonce=\"z\", qop=\"auth-conf\"", -ENOTSUP },
	};
	struct nfv_digest_challenge c;

	(void)state;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int rc = nfv_digest_challenge_parse(nfv_sv_str(bad[i].text), &c);

		if (rc != bad[i].rc)
			print_error("%s\n", bad[i].text);
		assert_int_equal(rc, bad[i].rc);
	}
}

/* RFC 8760: several challenges, the one preferred first. */
static void
the_topmost_that_is_supported(void **state)
{
	static const char text[] = "SIP/2.0 401 Unauthorized\r\n"
				   "WWW-Authenticate: Basic realm=\"x\"\r\n"
				   "WWW-Authenticate: Digest realm=\"x\",nonce=\"1\","
				   "algorithm=SHA-512-256,qop=\"auth\"\r\n"
				   "WWW-Authenticate: Digest realm=\"x\",nonce=\"2\","
				   "algorithm=SHA-256,qop=\"auth\"\r\n"
				   "WWW-Authenticate: Digest realm=\"x\",nonce=\"3\","
				   "algorithm=MD5,qop=\"auth\"\r\n"
				   "Content-Length: 0\r\n\r\n";
	static struct nfv_sip_msg m;
	struct nfv_digest_challenge c;

	(void)state;
	assert_int_equal(nfv_sip_parse(&m, text, sizeof(text) - 1), NFV_SIP_MESSAGE_OK);
	assert_int_equal(nfv_digest_choose(&m, NFV_SIP_H_WWW_AUTHENTICATE, &c), 0);
	assert_int_equal(c.algorithm, NFV_DIGEST_SHA256);
	assert_true(nfv_sv_eq(c.nonce, NFV_SV("2")));
	assert_int_equal(nfv_digest_choose(&m, NFV_SIP_H_PROXY_AUTHENTICATE, &c), -ENOENT);
}

static void
quotes_are_escaped_and_hashed_without(void **state)
{
	struct nfv_digest_request r = { .user = NFV_SV("al\"ice\\"),
		.password = NFV_SV("p\\\""),
		.method = NFV_SV("INVITE"),
		.uri = NFV_SV("sip:bob@example.com") };
	struct nfv_digest_credentials c;
	char plain[16];
	struct nfv_sv v = answer("Digest realm=\"a \\\"b\\\\c\\\"\", nonce=\"\\n\"", &r);

	(void)state;
	says(v, "username=\"al\\\"ice\\\\\", realm=\"a \\\"b\\\\c\\\"\", nonce=\"\\n\"");
	says(v, "response=\"" RESPONSE_QUOTES "\"");
	assert_int_equal(nfv_digest_credentials_parse(v, &c), 0);
	assert_true(nfv_digest_matches(&c, &r));
	assert_true(nfv_sv_eq(nfv_digest_unquote(c.user, plain, sizeof(plain)), r.user));
	assert_null(nfv_digest_unquote(c.user, plain, 3).p);
	assert_ptr_equal(nfv_digest_unquote(c.uri, plain, 3).p, c.uri.p);
	r.user = NFV_SV("al\"ice");
	assert_false(nfv_digest_matches(&c, &r));
}

static void
a_server_takes_what_it_asked_for(void **state)
{
	static const uint8_t key[2][NFV_DIGEST_KEY] = { "one", "another" };
	struct nfv_digest_request r = { .user = NFV_SV("alice"),
		.password = NFV_SV("secret"),
		.method = NFV_SV("REGISTER"),
		.uri = NFV_SV("sip:x"),
		.body = NFV_SV("body"),
		.cnonce = NFV_SV("abc"),
		.nc = 1 };
	struct nfv_digest_server s, other;
	struct nfv_digest_credentials c;

	(void)state;
	for (unsigned int i = 0; i < NFV_DIGEST_ALGORITHMS * 3; i++) {
		char text[512] = "";
		struct nfv_sip_writer w = nfv_sip_writer(text, sizeof(text) - 1);
		struct nfv_digest_request wrong = r;

		nfv_digest_server_init(&s, NFV_SV("realm"), i / 3, i % 3, key[0], 1000);
		nfv_digest_server_init(&other, NFV_SV("realm"), i / 3, i % 3, key[1], 1000);
		nfv_digest_server_challenge(&s, 123456, i % 2 == 0, &w);
		assert_int_equal(nfv_digest_credentials_parse(answer(text, &r), &c), 0);
		assert_int_equal(nfv_digest_server_verify(&s, &c, &r, 123456), NFV_DIGEST_OK);
		assert_int_equal(nfv_digest_server_verify(&s, &c, &r, 124456), NFV_DIGEST_OK);
		assert_int_equal(nfv_digest_server_verify(&s, &c, &r, 124457), NFV_DIGEST_STALE);
		assert_int_equal(nfv_digest_server_verify(&s, &c, &r, 123455), NFV_DIGEST_STALE);
		assert_int_equal(
			nfv_digest_server_verify(&other, &c, &r, 123456), NFV_DIGEST_STALE);
		wrong.password = NFV_SV("Secret");
		assert_int_equal(
			nfv_digest_server_verify(&s, &c, &wrong, 123456), NFV_DIGEST_WRONG);
		wrong = r;
		wrong.method = NFV_SV("INVITE");
		assert_int_equal(
			nfv_digest_server_verify(&s, &c, &wrong, 123456), NFV_DIGEST_WRONG);
		wrong = r;
		wrong.body = NFV_SV("Body");
		assert_int_equal(nfv_digest_server_verify(&s, &c, &wrong, 123456),
			i % 3 == NFV_DIGEST_AUTH_INT ? NFV_DIGEST_WRONG : NFV_DIGEST_OK);
		other.realm = NFV_SV("else");
		assert_int_equal(
			nfv_digest_server_verify(&other, &c, &r, 123456), NFV_DIGEST_WRONG);
	}
}

static void
credentials_with_parts_missing(void **state)
{
	static const char *const bad[] = {
		"Digest username=\"a\", realm=\"b\", nonce=\"c\", uri=\"d\"",
		"Digest username=\"a\", realm=\"b\", nonce=\"c\", response=\"d\"",
		"Digest realm=\"b\", nonce=\"c\", uri=\"d\", response=\"e\"",
		"Digest username=\"a\", realm=\"b\", nonce=\"c\", uri=\"d\", response=\"e\", qop=auth",
		"Digest username=\"a\", realm=\"b\", nonce=\"c\", uri=\"d\", response=\"e\", qop=auth, "
		"cnonce=\"f\", nc=1",
		"Digest username=\"a\", realm=\"b\", nonce=\"c\", uri=\"d\", response=\"e\", qop=auth, "
		"cnonce=\"f\", nc=0000000g",
	};
	struct nfv_digest_credentials c;

	(void)state;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(nfv_digest_credentials_parse(nfv_sv_str(bad[i]), &c), -EINVAL);
}

/* Every beginning of an answer, against the end of readable memory; and every room for it. */
static void
nothing_beyond_the_ends(void **state)
{
	struct guard g = guard_new();
	struct nfv_digest_credentials cred;
	struct nfv_digest_challenge c;
	struct nfv_sv v = answer(RFC_7616("MD5"), &mufasa);

	(void)state;
	for (size_t n = 0; n <= v.n; n++) {
		const char *at = (const char *)guard_tail(&g, v.p, n);

		nfv_digest_credentials_parse(nfv_sv(at, n), &cred);
		nfv_digest_challenge_parse(nfv_sv(at, n), &c);
	}
	assert_int_equal(nfv_digest_challenge_parse(NFV_SV(RFC_7616("MD5")), &c), 0);
	for (size_t n = 0; n <= v.n; n++) {
		struct nfv_sip_writer w = nfv_sip_writer((char *)guard_tail(&g, v.p, n), n);

		nfv_digest_answer(&c, &mufasa, &w);
		assert_int_equal(w.full, n < v.n);
	}
	guard_free(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_rfc_2617),
		cmocka_unit_test(the_examples_of_rfc_7616),
		cmocka_unit_test(without_qop_as_rfc_2069),
		cmocka_unit_test(sessions_and_bodies_differ),
		cmocka_unit_test(challenges_of_several_makes),
		cmocka_unit_test(what_cannot_be_answered_is_refused),
		cmocka_unit_test(the_topmost_that_is_supported),
		cmocka_unit_test(quotes_are_escaped_and_hashed_without),
		cmocka_unit_test(a_server_takes_what_it_asked_for),
		cmocka_unit_test(credentials_with_parts_missing),
		cmocka_unit_test(nothing_beyond_the_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
