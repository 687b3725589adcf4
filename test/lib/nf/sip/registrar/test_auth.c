#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth.h"
#include "register_world.h"

#define REALM "example.org"
#define R_URI "sip:example.org"
#define LIFE  60000u

static struct register_world w;
static struct sip_auth *auth;
static struct nfv_err err;
static struct sip_auth_conf conf = { .key = { 1, 2, 3 }, .lifetime_ms = LIFE };

/* A line of the file, with the hashes that are asked for. */
static size_t
line(char *to, const char *user, const char *password, bool md5, bool sha)
{
	char hash[NFV_DIGEST_HEX_MAX];
	size_t n = (size_t)sprintf(to, "%s:" REALM ":", user), hex;

	if (md5) {
		hex = nfv_digest_ha1(NFV_DIGEST_MD5, nfv_sv_str(user), NFV_SV(REALM),
			nfv_sv_str(password), hash);
		n += (size_t)sprintf(to + n, "%.*s", (int)hex, hash);
	}
	if (sha) {
		hex = nfv_digest_ha1(NFV_DIGEST_SHA256, nfv_sv_str(user), NFV_SV(REALM),
			nfv_sv_str(password), hash);
		n += (size_t)sprintf(to + n, ":%.*s", (int)hex, hash);
	}
	return n + (size_t)sprintf(to + n, "\n");
}

static int
parse(const char *text)
{
	return sip_auth_parse("users", strdup(text), strlen(text), &conf, &auth, &err);
}

static void
fresh(void)
{
	char text[2048];
	size_t n = (size_t)sprintf(text, "# who may\r\n\n");

	n += line(text + n, "bob", "secret", true, true);
	n += line(text + n, "old", "secret", true, false);
	n += line(text + n, "new", "secret", false, true);
	n += line(text + n, "ann@example.com", "s2", true, true);
	line(text + n, "q\"u", "s3", true, true);
	register_world_init(&w, 16, 4);
	assert_int_equal(parse(text), 0);
}

static void
done(void)
{
	sip_auth_destroy(auth);
	register_world_fini(&w);
}

static unsigned int
ask(const char *method, const char *from, const char *to, const char *lines, bool proxy,
	uint64_t now)
{
	struct nfv_sip_writer extra = nfv_sip_writer(w.extra, sizeof(w.extra) - 1);
	unsigned int status;
	int n = snprintf(w.text, sizeof(w.text),
		"%s " R_URI " SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.7;branch=z9hG4bK1\r\n"
		"From: <%s>;tag=1\r\nTo: <%s>\r\nCall-ID: x\r\nCSeq: 1 %s\r\n%s"
		"Content-Length: 0\r\n\r\n",
		method, from, to, method, lines);

	assert_int_equal(register_read(&w, w.text, (size_t)n), 0);
	status = sip_auth(auth, &w.work, proxy, now, &extra, &w.reason);
	w.extra[extra.n] = '\0';
	assert_false(extra.full);
	return status;
}

/* A header field that answers the challenge of that kind in w.extra. */
static const char *
answer(const char *field, const char *kind, const char *method, const char *user,
	const char *password, const char *uri)
{
	static char out[2048];
	struct nfv_sip_writer to = nfv_sip_writer(out, sizeof(out) - 1);
	struct nfv_digest_request r = { .user = nfv_sv_str(user),
		.password = nfv_sv_str(password),
		.method = nfv_sv_str(method),
		.uri = nfv_sv_str(uri),
		.cnonce = NFV_SV("abc"),
		.nc = 1 };
	struct nfv_digest_challenge c;
	const char *at = strstr(w.extra, kind), *start = at, *end;

	assert_non_null(at);
	while (start > w.extra && start[-1] != '\n')
		start--;
	start = strstr(start, ": ") + 2;
	end = strstr(start, "\r\n");
	assert_int_equal(nfv_digest_challenge_parse(nfv_sv(start, (size_t)(end - start)), &c), 0);
	nfv_sip_put_str(&to, field);
	nfv_sip_put_str(&to, ": ");
	nfv_digest_answer(&c, &r, &to);
	nfv_sip_put_str(&to, "\r\n");
	out[to.n] = '\0';
	return out;
}

#define AUTH "Authorization"
#define PRAU "Proxy-Authorization"
#define BOB  "sip:bob@example.org"
#define ANY  "sip:any@example.net"
#define MD5  "algorithm=MD5"
#define SHA  "algorithm=SHA-256"

static void
good(void **state)
{
	const char *sha, *md5;

	(void)state;
	fresh();
	assert_int_equal(ask("REGISTER", ANY, BOB, "", false, 1000), 401);
	sha = strstr(w.extra, "WWW-Authenticate: Digest realm=\"example.org\", nonce=");
	assert_ptr_equal(sha, w.extra);
	sha = strstr(w.extra, SHA);
	md5 = strstr(w.extra, MD5);
	assert_true(sha != NULL && md5 != NULL && sha < md5);
	assert_null(strstr(w.extra, "stale"));
	assert_int_equal(
		ask("REGISTER", ANY, BOB, answer(AUTH, SHA, "REGISTER", "bob", "secret", R_URI),
			false, 2000),
		0);
	assert_string_equal(w.extra, "");
	ask("REGISTER", ANY, BOB, "", false, 1000);
	assert_int_equal(
		ask("REGISTER", ANY, BOB, answer(AUTH, MD5, "REGISTER", "bob", "secret", R_URI),
			false, 2000),
		0);
	/* The proxy's side: From counts, and other fields. */
	assert_int_equal(ask("INVITE", BOB, ANY, "", true, 1000), 407);
	assert_int_equal(strncmp(w.extra, "Proxy-Authenticate: ", 20), 0);
	assert_int_equal(ask("INVITE", BOB, ANY,
				 answer(PRAU, SHA, "INVITE", "bob", "secret", R_URI), true, 2000),
		0);
	ask("INVITE", BOB, ANY, "", true, 1000);
	assert_int_equal(ask("INVITE", BOB, ANY,
				 answer(AUTH, SHA, "INVITE", "bob", "secret", R_URI), true, 2000),
		407);
	/* Escapes, on either side; a user name that is an AOR. */
	ask("REGISTER", ANY, "sip:%62ob@EXAMPLE.org", "", false, 0);
	assert_int_equal(ask("REGISTER", ANY, "sip:%62ob@EXAMPLE.org",
				 answer(AUTH, SHA, "REGISTER", "bob", "secret", R_URI), false, 0),
		0);
	ask("REGISTER", ANY, "sip:q%22u@example.org", "", false, 0);
	assert_int_equal(ask("REGISTER", ANY, "sip:q%22u@example.org",
				 answer(AUTH, MD5, "REGISTER", "q\"u", "s3", R_URI), false, 0),
		0);
	ask("REGISTER", ANY, "sip:ann@example.com", "", false, 0);
	assert_int_equal(
		ask("REGISTER", ANY, "sip:ann@example.com",
			answer(AUTH, SHA, "REGISTER", "ann@example.com", "s2", R_URI), false, 0),
		0);
	/* Others' credentials stand before. */
	ask("REGISTER", ANY, BOB, "", false, 0);
	{
		char lines[4096];

		snprintf(lines, sizeof(lines),
			AUTH ": Other x=y\r\n" AUTH
			     ": Digest username=\"bob\", realm=\"elsewhere\", "
			     "nonce=\"1\", uri=\"sip:x\", response=\"2\"\r\n%s",
			answer(AUTH, SHA, "REGISTER", "bob", "secret", R_URI));
		assert_int_equal(ask("REGISTER", ANY, BOB, lines, false, 0), 0);
	}
	/* Another way to write the same URI. */
	ask("REGISTER", ANY, BOB, "", false, 0);
	assert_int_equal(ask("REGISTER", ANY, BOB,
				 answer(AUTH, SHA, "REGISTER", "bob", "secret", "SIP:EXAMPLE.org"),
				 false, 0),
		0);
	done();
}

static void
not_good(void **state)
{
	(void)state;
	fresh();
	ask("REGISTER", ANY, BOB, "", false, 1000);
	assert_int_equal(ask("REGISTER", ANY, BOB,
				 answer(AUTH, SHA, "REGISTER", "bob", "wrong", R_URI), false, 1000),
		401);
	assert_null(strstr(w.extra, "stale"));
	assert_int_equal(ask("REGISTER", ANY, BOB,
				 answer(AUTH, SHA, "INVITE", "bob", "secret", R_URI), false, 1000),
		401);
	assert_int_equal(
		ask("REGISTER", ANY, BOB, answer(AUTH, SHA, "REGISTER", "eve", "secret", R_URI),
			false, 1000),
		401);
	assert_int_equal(sip_auth_count(auth, SIP_AUTH_WRONG), 3);
	assert_int_equal(ask("REGISTER", ANY, BOB,
				 answer(AUTH, SHA, "REGISTER", "bob", "secret", "sip:example.net"),
				 false, 1000),
		400);
	assert_string_equal(w.reason, "Digest URI Is Not The Request-URI");
	/* Others' bindings are not his, nor are others' names. */
	ask("REGISTER", BOB, "sip:old@example.org", "", false, 1000);
	assert_int_equal(
		ask("REGISTER", BOB, "sip:old@example.org",
			answer(AUTH, MD5, "REGISTER", "bob", "secret", R_URI), false, 1000),
		403);
	ask("INVITE", "sip:bob@example.net", BOB, "", true, 1000);
	assert_int_equal(ask("INVITE", "sip:bob@example.net", BOB,
				 answer(PRAU, SHA, "INVITE", "bob", "secret", R_URI), true, 1000),
		403);
	assert_string_equal(w.reason, "From Is Not Who Is Authenticated");
	ask("INVITE", "tel:+15551234", BOB, "", true, 1000);
	assert_int_equal(ask("INVITE", "tel:+15551234", BOB,
				 answer(PRAU, SHA, "INVITE", "bob", "secret", R_URI), true, 1000),
		403);
	/* Stale, but right; a wrong password is never stale. */
	ask("REGISTER", ANY, BOB, "", false, 1000);
	assert_int_equal(
		ask("REGISTER", ANY, BOB, answer(AUTH, SHA, "REGISTER", "bob", "secret", R_URI),
			false, 1001 + LIFE),
		401);
	assert_non_null(strstr(w.extra, MD5 ", qop=\"auth\", stale=true\r\n"));
	assert_int_equal(
		ask("REGISTER", ANY, BOB, answer(AUTH, SHA, "REGISTER", "bob", "secret", R_URI),
			false, 1002 + LIFE),
		0);
	/* A nonce that another server has made. */
	ask("REGISTER", ANY, BOB, "", false, 1000);
	strstr(w.extra, "nonce=\"")[20] ^= 1;
	assert_int_equal(
		ask("REGISTER", ANY, BOB, answer(AUTH, SHA, "REGISTER", "bob", "secret", R_URI),
			false, 1000),
		401);
	assert_non_null(strstr(w.extra, "stale=true"));
	/* Of a scheme that nobody knows (RFC 4475 §3.3.11), and broken ones. */
	assert_int_equal(ask("REGISTER", ANY, BOB, AUTH ": Whatever a=b\r\n", false, 0), 401);
	assert_int_equal(ask("REGISTER", ANY, BOB, AUTH ": Digest\r\n", false, 0), 401);
	assert_int_equal(ask("REGISTER", ANY, BOB, AUTH ":\r\n", false, 0), 401);
	done();
}

/* Who has only one kind of hash is offered that. */
static void
kinds(void **state)
{
	(void)state;
	fresh();
	ask("REGISTER", ANY, "sip:old@example.org", "", false, 0);
	assert_null(strstr(w.extra, SHA));
	assert_int_equal(ask("REGISTER", ANY, "sip:old@example.org",
				 answer(AUTH, MD5, "REGISTER", "old", "secret", R_URI), false, 0),
		0);
	ask("REGISTER", ANY, "sip:new@example.org", "", false, 0);
	assert_null(strstr(w.extra, MD5));
	assert_int_equal(ask("REGISTER", ANY, "sip:new@example.org",
				 answer(AUTH, SHA, "REGISTER", "new", "secret", R_URI), false, 0),
		0);
	/* Whoever is not there is offered both, as most are; and an MD5 he has not got is not right. */
	ask("REGISTER", ANY, "sip:eve@example.org", "", false, 0);
	assert_non_null(strstr(w.extra, MD5));
	assert_int_equal(ask("REGISTER", ANY, "sip:new@example.org",
				 answer(AUTH, MD5, "REGISTER", "new", "secret", R_URI), false, 0),
		401);
	assert_int_equal(sip_auth_users(auth), 5);
	assert_true(nfv_sv_eq(sip_auth_realm(auth), NFV_SV(REALM)));
	done();
}

#define HEX32 "00112233445566778899aabbccddeeff"
#define HEX64 HEX32 "00112233445566778899AABBCCDDEEFF"

static void
bad_files(void **state)
{
	static const struct {
		const char *text, *message;
	} t[] = {
		{ "", "users has no users" },
		{ "# nobody\n\n", "users has no users" },
		{ "bob\n", "users:1: a line is user:realm:MD5 or" },
		{ "#\nbob:r\n", "users:2: a line is" },
		{ "bob:r:" HEX32 ":" HEX64 ":x\n", "users:1: a line is" },
		{ ":r:" HEX32 "\n", "users:1: a user's name" },
		{ "bob::" HEX32 "\n", "users:1: a realm has 1 to" },
		{ "bob:a\"b:" HEX32 "\n", "users:1: a realm has no quotes" },
		{ "bob:r:" HEX32 "0\n", "users:1: a hash of MD5" },
		{ "bob:r:secret\n", "users:1: a hash of MD5" },
		{ "bob:r:" HEX32 ":" HEX32 "\n", "users:1: a hash of SHA-256" },
		{ "bob:r:00112233445566778899aabbccddeefg\n", "users:1: a hash of MD5" },
		{ "bob:r:\n", "users:1: a user has a hash" },
		{ "bob:r::\n", "users:1: a user has a hash" },
		{ "bob:r:" HEX32 "\nann:q:" HEX32 "\n", "users:2: realm \"q\", but" },
		{ "bob:r:" HEX32 "\n\nbob:r:" HEX32 "\n", "users:3: this user has a line" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(parse(t[i].text), -EINVAL);
		if (strncmp(err.text, t[i].message, strlen(t[i].message)) != 0)
			fail_msg("\"%s\", not \"%s\"", err.text, t[i].message);
	}
	assert_int_equal(parse("bob:r:" HEX32 "\r\nann:r::" HEX64), 0);
	assert_int_equal(sip_auth_users(auth), 2);
	sip_auth_destroy(auth);
}

static void
files(void **state)
{
	char path[] = "/tmp/test_auth.XXXXXX", text[256];
	int fd = mkstemp(path);
	size_t n = line(text, "bob", "secret", true, false);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	assert_int_equal(sip_auth_create(path, &conf, &auth, &err), 0);
	assert_int_equal(sip_auth_users(auth), 1);
	sip_auth_destroy(auth);
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_int_equal(sip_auth_create(path, &conf, &auth, &err), -EACCES);
	assert_non_null(strstr(err.text, "chmod"));
	close(fd);
	unlink(path);
	assert_int_equal(sip_auth_create(path, &conf, &auth, &err), -ENOENT);
	assert_int_equal(sip_auth_create("/dev/null", &conf, &auth, &err), -EINVAL);
}

static void
many_users(void **state)
{
	enum { N = 20000 };
	char *text = malloc(N * 64 + 1);
	size_t n = 0;

	(void)state;
	for (unsigned int i = 0; i < N; i++)
		n += (size_t)sprintf(text + n, "u%u:" REALM ":%032x\n", i, i);
	assert_int_equal(sip_auth_parse("users", text, n, &conf, &auth, &err), 0);
	assert_int_equal(sip_auth_users(auth), N);
	sip_auth_destroy(auth);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(not_good),
		cmocka_unit_test(kinds),
		cmocka_unit_test(bad_files),
		cmocka_unit_test(files),
		cmocka_unit_test(many_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
