#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "register_world.h"
#include "uri_match.h"

#define BOB "sip:bob@example.org"

static struct register_world w;

static void
fresh(void)
{
	register_world_init(&w, 64, 4);
}

static unsigned int
reg(const char *id, unsigned int cseq, const char *lines)
{
	return register_one(&w, BOB, id, cseq, lines);
}

static void
done(void)
{
	register_world_fini(&w);
}

static void
assert_extra(const char *text)
{
	if (strstr(w.extra, text) == NULL)
		fail_msg("no \"%s\" in\n%s", text, w.extra);
}

static void
assert_no(const char *text)
{
	if (strstr(w.extra, text) != NULL)
		fail_msg("\"%s\" in\n%s", text, w.extra);
}

static unsigned int
contacts(void)
{
	unsigned int n = 0;

	for (const char *p = w.extra; (p = strstr(p, "Contact: <")) != NULL; p++)
		n++;
	return n;
}

static unsigned int
find(struct sip_target *t)
{
	return sip_location_find(w.loc.l, NFV_SV("bob"), NFV_SV("example.org"), w.now, t, 8);
}

static void
bind_and_refresh(void **state)
{
	struct sip_target t[8];

	(void)state;
	fresh();
	assert_int_equal(reg("a", 1, "Contact: <sip:bob@10.1.1.1:5090;ob>;x=\"y\"\r\n"), 200);
	assert_string_equal(w.extra,
		"Contact: <sip:bob@10.1.1.1:5090;ob>;x=\"y\";expires=3600\r\nSupported: path\r\n");
	assert_int_equal(find(t), 1);
	assert_true(nfv_sv_eq(t[0].uri, NFV_SV("sip:bob@10.1.1.1:5090;ob")));
	/* Behind a NAT: where the REGISTER came from, out the way that it came in. */
	assert_true(nfv_addr_eq(&t[0].to.addr, &w.in.src.addr));
	assert_int_equal(t[0].to.port, 5090);
	assert_int_equal(t[0].dir, NFV_OUTWARD);
	assert_int_equal(t[0].own, sip_own_find(&w.px, &w.in.dst.addr));
	assert_int_equal(t[0].q, SIP_Q_MAX);

	w.now += 100 * SEC;
	assert_int_equal(reg("a", 2, ""), 200);
	assert_extra(";expires=3500\r\n");
	assert_int_equal(
		reg("a", 3, "Contact: <sip:bob@10.1.1.1:5090;ob>;q=0.25\r\nExpires: 120\r\n"), 200);
	assert_extra("Contact: <sip:bob@10.1.1.1:5090;ob>;q=0.250;expires=120\r\n");
	assert_int_equal(contacts(), 1);
	assert_int_equal(reg("a", 4, "m: <sip:bob@10.1.1.1:5090;ob>;expires=0\r\n"), 200);
	assert_int_equal(contacts(), 0);
	assert_int_equal(sip_location_stats(w.loc.l).aors, 0);
	/* Where the contact is the sender itself, its own port is the one. */
	assert_int_equal(reg("a", 5, "Contact: <sip:bob@203.0.113.7:5062>\r\n"), 200);
	assert_int_equal(find(t), 1);
	assert_int_equal(t[0].to.port, 5062);
	w.now += 3600 * SEC;
	assert_int_equal(find(t), 0);
	assert_int_equal(reg("a", 6, ""), 200);
	assert_int_equal(contacts(), 0);
	assert_int_equal(w.reg.count[SIP_REGISTER_CHANGED], 4);
	assert_int_equal(w.reg.count[SIP_REGISTER_FETCHED], 2);
	done();
}

static void
times(void **state)
{
	static const struct {
		const char *lines;
		unsigned int status;
		const char *extra;
	} t[] = {
		{ "Contact: <sip:a@b>\r\nExpires: 61\r\n", 200, ";expires=61\r\n" },
		{ "Contact: <sip:a@b>;expires=61\r\nExpires: 99\r\n", 200, ";expires=61\r\n" },
		{ "Contact: <sip:a@b>;EXPIRES=7201\r\n", 200, ";expires=7200\r\n" },
		{ "Contact: <sip:a@b>;expires=99999999999999999999\r\n", 200, ";expires=7200\r\n" },
		{ "Contact: <sip:a@b>;expires=abc\r\n", 200, ";expires=3600\r\n" },
		{ "Contact: <sip:a@b>;expires\r\n", 200, ";expires=3600\r\n" },
		{ "Contact: <sip:a@b>\r\nExpires: soon\r\n", 200, ";expires=3600\r\n" },
		{ "Contact: <sip:a@b>;expires=59\r\n", 423, "Min-Expires: 60\r\n" },
		{ "Contact: <sip:a@b>;expires=60\r\n", 200, ";expires=60\r\n" },
		{ "Contact: <sip:c@b>, <sip:a@b>;expires=1\r\n", 423, "Min-Expires: 60\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		fresh();
		if (reg("a", 1, t[i].lines) != t[i].status)
			fail_msg("not %u: %s", t[i].status, t[i].lines);
		assert_extra(t[i].extra);
		assert_int_equal(location_count(w.loc.l, w.now), t[i].status == 200);
		done();
	}
}

static void
refused(void **state)
{
	static const struct {
		const char *to, *lines;
		unsigned int status;
		const char *reason;
	} t[] = {
		{ "sip:bob@example.net", "Contact: <sip:a@b>\r\n", 404, NULL },
		{ "sip:example.org", "Contact: <sip:a@b>\r\n", 404, NULL },
		{ "sip:bob@example.org:5070", "Contact: <sip:a@b>\r\n", 404, NULL },
		{ "tel:+15551234", "Contact: <sip:a@b>\r\n", 400, "To Is Not A SIP URI" },
		{ BOB, "Contact: <sip:a@b>\r\nRequire: path, outbound\r\nRequire: gruu\r\n", 420,
			NULL },
		{ BOB, "Contact: <sip:a@b>\r\nRequire: a b\r\n", 400, "Malformed Require" },
		{ BOB, "Contact: <sip:a@b>\r\nPath: sip:p;lr\r\n", 400, "Malformed Path" },
		{ BOB, "Contact: <sip:a@b>\r\nPath: <sip:p;lr>,\r\n", 400, "Malformed Path" },
		{ BOB, "Contact: *\r\n", 400, "Contact * Without Expires 0" },
		{ BOB, "Contact: *\r\nExpires: 1\r\n", 400, "Contact * Without Expires 0" },
		{ BOB, "Contact: *\r\nExpires: x\r\n", 400, "Contact * Without Expires 0" },
		{ BOB, "Contact: <sip:a@b>;q=1.001\r\n", 400, "Malformed q Of Contact" },
		{ BOB, "Contact: <sip:a@b>;q=0.1234\r\n", 400, "Malformed q Of Contact" },
		{ BOB, "Contact: <sip:a@b>;q=2\r\n", 400, "Malformed q Of Contact" },
		{ BOB, "Contact: <sip:a@b>;q\r\n", 400, "Malformed q Of Contact" },
		{ BOB, "Contact: <sip:a@b>, <sip:c@d>, <sip:a@B>\r\n", 400, "Same Contact Twice" },
		{ BOB, "Contact: <sip:a@1>,<sip:a@2>,<sip:a@3>,<sip:a@4>,<sip:a@5>\r\n", 403,
			"Too Many Contacts" },
	};

	(void)state;
	fresh();
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		unsigned int status = register_one(&w, t[i].to, "a", 1, t[i].lines);

		if (status != t[i].status)
			fail_msg("%u, not %u: %s %s", status, t[i].status, t[i].to, t[i].lines);
		if (t[i].reason == NULL)
			assert_null(w.reason);
		else
			assert_string_equal(w.reason, t[i].reason);
		if (status == 420)
			assert_string_equal(
				w.extra, "Unsupported: outbound\r\nUnsupported: gruu\r\n");
		assert_int_equal(location_count(w.loc.l, w.now), 0);
	}
	done();
}

static void
order(void **state)
{
	struct sip_target t[8];
	char again[sizeof(w.extra)];

	(void)state;
	fresh();
	assert_int_equal(reg("a", 10, "Contact: <sip:a@10.1.1.1>, <sip:b@10.1.1.1>\r\n"), 200);
	strcpy(again, w.extra);
	/* Heard again: the same answer, and the time goes on. */
	assert_int_equal(reg("a", 10, "Contact: <sip:a@10.1.1.1>, <sip:b@10.1.1.1>\r\n"), 200);
	assert_string_equal(w.extra, again);
	assert_int_equal(w.reg.count[SIP_REGISTER_REPEATED], 1);
	w.now += 10 * SEC;
	assert_int_equal(reg("a", 10, "Contact: <sip:a@10.1.1.1>, <sip:b@10.1.1.1>\r\n"), 200);
	assert_extra("expires=3590");
	/* Older: nothing of it is done, not even what is new. */
	assert_int_equal(reg("a", 9, "Contact: <sip:c@10.1.1.1>, <sip:a@10.1.1.1>\r\n"), 500);
	assert_int_equal(find(t), 2);
	assert_int_equal(reg("a", 9, "Contact: *\r\nExpires: 0\r\n"), 500);
	assert_int_equal(reg("a", 10, "Contact: *\r\nExpires: 0\r\n"), 500);
	assert_int_equal(find(t), 2);
	/* Another Call-ID has an order of its own. */
	assert_int_equal(reg("b", 1, "Contact: <sip:a@10.1.1.1>;expires=0\r\n"), 200);
	assert_int_equal(find(t), 1);
	assert_int_equal(reg("b", 2, "Contact: *\r\nExpires: 0\r\n"), 200);
	assert_int_equal(find(t), 0);
	assert_int_equal(reg("b", 2, "Contact: *\r\nExpires: 0\r\n"), 200);
	assert_int_equal(contacts(), 0);
	done();
}

static void
many(void **state)
{
	char lines[256];

	(void)state;
	fresh();
	assert_int_equal(
		reg("a", 1, "Contact: <sip:a@1>, <sip:a@2>;q=0.5\r\nContact: <sip:a@3>\r\n"), 200);
	assert_int_equal(contacts(), 3);
	assert_int_equal(reg("a", 2, "Contact: <sip:a@4>, <sip:a@5>\r\n"), 403);
	assert_int_equal(location_count(w.loc.l, w.now), 3);
	/* One goes, two come. */
	assert_int_equal(
		reg("a", 3, "Contact: <sip:a@4>, <sip:a@5>, <sip:a@1>;expires=0\r\n"), 200);
	assert_int_equal(contacts(), 4);
	assert_no("<sip:a@1>");
	for (unsigned int i = 0; i < 60; i++) {
		snprintf(lines, sizeof(lines), "sip:u%u@example.org", i);
		assert_int_equal(register_one(&w, lines, "a", 1, "Contact: <sip:a@b>\r\n"), 200);
	}
	assert_int_equal(
		register_one(&w, "sip:x@example.org", "a", 1, "Contact: <sip:a@b>\r\n"), 503);
	assert_string_equal(w.extra, "Retry-After: 30\r\n");
	/* Those that are bound can refresh. */
	assert_int_equal(
		register_one(&w, "sip:u7@example.org", "a", 2, "Contact: <sip:a@b>\r\n"), 200);
	done();
}

static void
no_room_for_the_answer(void **state)
{
	(void)state;
	fresh();
	w.room = 130;
	assert_int_equal(reg("a", 1, "Contact: <sip:a@10.1.1.1>\r\n"), 200);
	assert_int_equal(reg("a", 2, "Contact: <sip:b@10.1.1.1>\r\n"), 513);
	assert_int_equal(location_count(w.loc.l, w.now), 1);
	assert_int_equal(reg("a", 3, "Contact: <sip:a@10.1.1.1>\r\n"), 200);
	w.room = 50;
	assert_int_equal(reg("a", 4, ""), 513);
	done();
}

static void
path(void **state)
{
	struct sip_target t[8];

	(void)state;
	fresh();
	assert_int_equal(reg("a", 1,
				 "Contact: <sip:a@10.1.1.1>\r\nSupported: path\r\n"
				 "Path: <sip:p1.example.org;lr>,\r\n <sip:p2;lr>;x\r\n"
				 "Path: \"P\" <sip:p3;lr>\r\n"),
		200);
	assert_extra("Path: <sip:p1.example.org;lr>, <sip:p2;lr>;x, \"P\" <sip:p3;lr>\r\n");
	assert_int_equal(find(t), 1);
	assert_true(nfv_sv_eq(
		t[0].path, NFV_SV("<sip:p1.example.org;lr>, <sip:p2;lr>;x, \"P\" <sip:p3;lr>")));
	/* A refresh by another way. */
	assert_int_equal(reg("a", 2, "Contact: <sip:a@10.1.1.1>\r\n"), 200);
	assert_int_equal(find(t), 1);
	assert_int_equal(t[0].path.n, 0);
	assert_no("Path:");
	done();
}

#define INSTANCE ";+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000a95a0e128>\""

static void
flows(void **state)
{
	(void)state;
	fresh();
	assert_int_equal(
		reg("a", 1, "Contact: <sip:a@10.1.1.1:5061>" INSTANCE ";reg-id=1\r\n"), 200);
	assert_extra(INSTANCE ";reg-id=1;expires=3600\r\n");
	assert_int_equal(
		reg("a", 2, "Contact: <sip:a@10.1.1.1:5062>" INSTANCE ";reg-id=2\r\n"), 200);
	assert_int_equal(contacts(), 2);
	/* Another address, another Call-ID: the same phone after a restart. */
	assert_int_equal(reg("b", 1, "Contact: <sip:a@10.1.1.9>" INSTANCE ";reg-id=1\r\n"), 200);
	assert_int_equal(contacts(), 2);
	assert_no("10.1.1.1:5061");
	/* The same URI on another flow is another binding, in one request too. */
	assert_int_equal(reg("b", 2,
				 "Contact: <sip:a@10.1.1.9>" INSTANCE ";reg-id=3, "
				 "<sip:a@10.1.1.9>" INSTANCE ";reg-id=1\r\n"),
		200);
	assert_int_equal(contacts(), 3);
	assert_int_equal(reg("b", 3,
				 "Contact: <sip:a@1>" INSTANCE ";reg-id=4, "
				 "<sip:a@2>" INSTANCE ";reg-id=4\r\n"),
		400);
	/* Without reg-id the URI is what counts. */
	assert_int_equal(reg("b", 4, "Contact: <sip:a@10.1.1.1:5062>" INSTANCE "\r\n"), 200);
	assert_int_equal(contacts(), 3);
	/* One that had no flow gets one. */
	assert_int_equal(
		reg("b", 5, "Contact: <sip:a@10.1.1.1:5062>" INSTANCE ";reg-id=9\r\n"), 200);
	assert_int_equal(contacts(), 3);
	done();
}

static void
same_user(void **state)
{
	(void)state;
	fresh();
	assert_int_equal(reg("a", 1, "Contact: <sip:a@1>\r\n"), 200);
	assert_int_equal(register_one(&w, "sip:%62ob@EXAMPLE.org;user=ip", "a", 2, ""), 200);
	assert_int_equal(contacts(), 1);
	assert_int_equal(register_one(&w, "sips:bob@example.org", "a", 3, ""), 200);
	assert_int_equal(contacts(), 1);
	assert_int_equal(register_one(&w, "sip:Bob@example.org", "a", 4, ""), 200);
	assert_int_equal(contacts(), 0);
	assert_int_equal(register_one(&w, "sip:bob@" OUT4, "a", 5, "Contact: <sip:a@2>\r\n"), 200);
	assert_int_equal(
		register_one(&w, "sip:bob@[2001:db8:f:0::1]", "a", 5, "Contact: <sip:a@2>\r\n"),
		200);
	done();
}

/* Long texts, folded lines and other schemes are stored as written. */
static void
texts(void **state)
{
	static char lines[16384], uri[3000];
	struct sip_target t[8];

	(void)state;
	fresh();
	assert_int_equal(reg("a", 1, "Contact: <mailto:bob@example.net?subject=a%20b>\r\n"), 200);
	assert_extra("Contact: <mailto:bob@example.net?subject=a%20b>;expires=3600\r\n");
	assert_int_equal(
		reg("a", 2, "Contact: \"Bob, B\" <sip:a@1>\r\n ;x=1 ; y=\"a\r\n b\"\r\n"), 200);
	assert_extra("Contact: <sip:a@1>;x=1; y=\"a   b\";expires=3600\r\n");
	memset(uri, 'u', sizeof(uri) - 1);
	uri[1900] = '\0';
	snprintf(lines, sizeof(lines), "Contact: <sip:%s@1>;z\r\n", uri);
	assert_int_equal(reg("a", 3, lines), 200);
	assert_extra(";z;expires=3600");
	assert_int_equal(find(t), 3);
	assert_int_equal(t[0].uri.n, 1906);
	snprintf(lines, sizeof(lines), "Contact: <sip:a@2>;z=%s;y=%s;x=%s\r\n", uri, uri, uri);
	assert_int_equal(reg("a", 4, lines), 403);
	assert_string_equal(w.reason, "Contact Or Path Too Long");
	done();
}

static void
configuration(void **state)
{
	static struct sip_registrar r;
	struct sip_registrar_conf c = {
		.min_expires = 60, .default_expires = 60, .max_expires = 60
	};
	struct nfv_err err;

	(void)state;
	assert_int_equal(sip_registrar_init(&r, &c, &err), 0);
	c.min_expires = 0;
	assert_int_equal(sip_registrar_init(&r, &c, &err), -EINVAL);
	c.min_expires = 61;
	assert_int_equal(sip_registrar_init(&r, &c, &err), -EINVAL);
	c.min_expires = 3601;
	assert_int_equal(sip_registrar_init(&r, &c, &err), -EINVAL);
	c.min_expires = 60;
	c.max_expires = SIP_EXPIRES_MAX + 1;
	assert_int_equal(sip_registrar_init(&r, &c, &err), -EINVAL);
	for (unsigned int o = 0; o < SIP_REGISTER_OUTCOMES; o++) {
		assert_non_null(sip_register_name(o));
		assert_in_range(sip_register_status(o), 200, 699);
	}
}

/* --- URIs --- */

static void
uris(void **state)
{
	static const struct {
		bool same;
		const char *a, *b;
	} t[] = {
		{ true, "sip:%61lice@x.example;transport=TCP",
			"sip:alice@X.Example;Transport=tcp" },
		{ true, "sip:ann@x.example", "sip:ann@x.example;new=1" },
		{ true, "sip:ann@x.example;new=1;lr", "sip:ann@x.example;sec=on" },
		{ true, "sip:x;transport=tcp;method=REGISTER?to=sip:a%40x",
			"sip:x;method=REGISTER;transport=tcp?to=sip:a%40x" },
		{ true, "sip:a@x?b=1&c=2", "sip:a@x?c=2&b=1" },
		{ true, "sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]" },
		{ true, "sip:a@x:5061", "sip:a@x:05061" },
		{ true, "mailto:a@x", "mailto:a@x" },
		{ false, "sip:ALICE@x", "sip:alice@x" },
		{ false, "sip:a@x", "sip:a@x:5060" },
		{ false, "sip:a@x", "sip:a@x;transport=udp" },
		{ false, "sip:a@x;maddr=1.1.1.1", "sip:a@x" },
		{ false, "sip:a@x;ttl=1", "sip:a@x" },
		{ false, "sip:a@x;user=ip", "sip:a@x" },
		{ false, "sip:a@x;sec=on", "sip:a@x;sec=off" },
		{ false, "sip:a@x?s=1", "sip:a@x" },
		{ false, "sip:a@x?s=1", "sip:a@x?s=1&t=2" },
		{ false, "sip:a@x?s=1", "sip:a@x?s=2" },
		{ false, "sip:a:p@x", "sip:a@x" },
		{ false, "sip:a:p@x", "sip:a:P@x" },
		{ false, "sip:x", "sip:a@x" },
		{ false, "sips:a@x", "sip:a@x" },
		{ false, "sip:a%3Bb@x", "sip:a;b@x" },
		{ false, "sip:a@x;p=%00", "sip:a@x;p=0" },
		{ false, "mailto:a@x", "mailto:A@x" },
		{ false, "sip:a@x;a;b;c;d;e;f;g;h;i;j;k;l;m;n;o;p;q", "sip:a@x" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct nfv_sip_uri a, b;

		assert_int_equal(nfv_sip_uri(nfv_sv_str(t[i].a), &a), 0);
		assert_int_equal(nfv_sip_uri(nfv_sv_str(t[i].b), &b), 0);
		if (sip_uri_eq(&a, &b) != t[i].same || sip_uri_eq(&b, &a) != t[i].same)
			fail_msg("%s, %s: not %d", t[i].a, t[i].b, t[i].same);
		assert_true(sip_uri_eq(&a, &a));
	}
}

/* --- the points of RFC 4475, in words of our own --- */

static void
torture(void **state)
{
	(void)state;
	fresh();
	/* 3.3.8: an AOR and a contact of schemes that nobody knows */
	assert_int_equal(register_one(&w, "zzz:9876", "a", 1, "Contact: <who:me>\r\n"), 400);
	/* 3.3.13, 3.3.14: where a parameter belongs depends on the brackets */
	assert_int_equal(reg("a", 1, "Contact: sip:+15551000@gw.example.net;odd\r\n"), 200);
	assert_string_equal(w.extra,
		"Contact: <sip:+15551000@gw.example.net>;odd;expires=3600\r\nSupported: path\r\n");
	assert_int_equal(reg("a", 2, "Contact: <sip:+15551000@gw.example.net;odd>\r\n"), 200);
	assert_string_equal(w.extra,
		"Contact: <sip:+15551000@gw.example.net;odd>;expires=3600\r\nSupported: path\r\n");
	/* 3.3.15: header fields in a contact's URI are kept with it */
	assert_int_equal(reg("a", 3, "m: <sip:b@example.org?Route=%3Csip:r.example%3E>\r\n"), 200);
	assert_extra("Contact: <sip:b@example.org?Route=%3Csip:r.example%3E>;expires=3600\r\n");
	/* 3.1.2.11: but not without brackets */
	assert_int_equal(reg("a", 4, "m: sip:b@example.org?Route=%3Csip:r.example%3E\r\n"), 400);
	/* 3.1.2.15: names that would have to be quoted */
	assert_int_equal(reg("a", 5, "Contact: Lee, Ann <sip:b@example.org>\r\n"), 400);
	done();
}

static void
rfc4475(void **state)
{
	static const struct {
		const char *name;
		unsigned int status;
		const char *extra;
	} t[] = {
		{ "unksm2", 400, "" },
		{ "cparam01", 200, "<sip:+19725552222@gw1.example.net>;unknownparam;" },
		{ "cparam02", 200, "<sip:+19725552222@gw1.example.net;unknownparam>;" },
		{ "regescrt", 200, "<sip:user@example.com?Route=%3Csip:sip.example.com%3E>;" },
		{ "regbadct", 400, "" },
		{ "baddn", 400, "" },
	};
	const char *dir = getenv("NFV_RFC4475");

	(void)state;
	if (dir == NULL || access(dir, X_OK) != 0) {
		print_message("NFV_RFC4475 names no folder with the messages of RFC 4475\n");
		skip();
	}
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		static char buf[NFV_SIP_BYTES_MAX];
		unsigned int status;
		char file[512];
		size_t n;
		FILE *f;

		snprintf(file, sizeof(file), "%s/%s.dat", dir, t[i].name);
		f = fopen(file, "rb");
		if (f == NULL)
			fail_msg("%s cannot be opened", file);
		n = fread(buf, 1, sizeof(buf), f);
		fclose(f);
		fresh();
		status = register_message(&w, buf, n);
		if (status != t[i].status)
			fail_msg("%s: %u, not %u", t[i].name, status, t[i].status);
		assert_extra(t[i].extra);
		done();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bind_and_refresh),
		cmocka_unit_test(times),
		cmocka_unit_test(refused),
		cmocka_unit_test(order),
		cmocka_unit_test(many),
		cmocka_unit_test(no_room_for_the_answer),
		cmocka_unit_test(path),
		cmocka_unit_test(flows),
		cmocka_unit_test(same_user),
		cmocka_unit_test(texts),
		cmocka_unit_test(configuration),
		cmocka_unit_test(uris),
		cmocka_unit_test(torture),
		cmocka_unit_test(rfc4475),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
