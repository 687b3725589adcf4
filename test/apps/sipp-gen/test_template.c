/* Templates: every keyword, what is absent, lengths, what does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "facts.h"
#include "guard.h"

static struct nfv_sip_msg last;

static int
variable(void *ctx, struct nfv_sv name)
{
	(void)ctx;
	return name.n == 1 ? name.p[0] - '0' : -1;
}

static struct nfv_sv
generic(void *ctx, struct nfv_sv name)
{
	(void)ctx;
	if (nfv_sv_eq(name, NFV_SV("my-key")))
		return NFV_SV("given");
	return nfv_sv_eq(name, NFV_SV("empty")) ? NFV_SV("") : nfv_sv(NULL, 0);
}

static const struct template_names names = { NULL, variable, generic, NULL };

/* Rendered at the end of all room there is: `fits` bytes. */
static const char *
rendered(const char *text, bool message, struct facts *f, size_t room, bool *ok)
{
	static struct guard guard;
	static char out[8192];
	struct nfv_sip_writer w;
	struct template t;
	struct nfv_err err;

	if (guard.base == NULL)
		guard = guard_new();
	w = nfv_sip_writer((char *)guard.base + GUARD_ROOM - room, room);
	if (template_compile(nfv_sv_str(text), message, &names, &t, &err) < 0)
		fail_msg("%s", err.text);
	*ok = template_render(&t, f, &w);
	assert_true(w.n <= room);
	memcpy(out, w.p, w.n);
	out[w.n] = '\0';
	template_fini(&t);
	return out;
}

static void
gives_with(struct facts *f, const char *text, const char *want)
{
	bool ok;

	assert_string_equal(rendered(text, false, f, 4096, &ok), want);
	assert_true(ok);
	assert_string_equal(rendered(text, false, f, strlen(want) + 5, &ok), want);
}

static void
gives(const char *text, const char *want)
{
	struct facts f = call_facts(&last);

	gives_with(&f, text, want);
}

static void
message(struct facts *f, const char *text, const char *want)
{
	bool ok;

	assert_string_equal(rendered(text, true, f, 4096, &ok), want);
	assert_true(ok);
}

static void
test_keywords(void **state)
{
	(void)state;
	gives("[service] [call_id] [call_number] [pid]", "bob 1-2@h 3 99");
	gives("[cseq] [cseq+2] [cseq-1]", "5 7 4");
	gives("[branch] [branch-2] [branch+1]", "z9hG4bK-9-8-4 z9hG4bK-9-8-2 z9hG4bK-9-8-5");
	gives("[local_ip]:[local_port] [local_port+10] [local_ip_type]", "10.0.0.1:5061 5071 4");
	gives("[remote_ip]:[remote_port] [remote_host]", "10.0.0.2:5062 10.0.0.2");
	gives("[media_ip] [media_ip_type] [media_port] [media_port+2]", "10.0.0.3 4 6000 6002");
	gives("[auto_media_port] [auto_media_port+1]", "6008 6009");
	gives("[transport] [peer_tag_param] [routes] [next_url]",
		"UDP ;tag=pt Route: <sip:r;lr> sip:next");
	gives("[msg_index] [clock_tick] [users] [userid]", "4 1234 11 12");
	gives("[date]", "Sat, 21 Nov 2026 13:09:39 GMT");
	gives("[timestamp]", "2026-11-21\t13:09:39.347898\t1795266579.347898");
	gives("[my-key]|[empty]|[sipp_version]", "given||sipp-gen");
	gives("[$0] [$1] [$2] [$3].", "text 5.500000 true .");
	gives("\\x5Ba\\x5d\\n\\xZZ", "[a]\\n\\xZZ");
	gives("", "");
}

static void
test_last(void **state)
{
	(void)state;
	gives("[last_From:] [last_from]",
		"From: <sip:alice@a.example>;tag=1 "
		"From: <sip:alice@a.example>;tag=1");
	gives("[last_Via:]",
		"Via: SIP/2.0/UDP a;branch=z9hG4bKa\r\n"
		"v: SIP/2.0/UDP b;branch=z9hG4bKb");
	gives("[last_Via:value]", "SIP/2.0/UDP a;branch=z9hG4bKa, SIP/2.0/UDP b;branch=z9hG4bKb");
	gives("[last_X-Note:]|[last_X-Other:]", "X-Note: one\r\nx-note: two|");
	gives("[last_Request_URI] [last_cseq_number] [last_CSeq_number+1] [last_branch]",
		"sip:bob@b.example 7 8 z9hG4bKa");
	gives("[last_message]", CALL_LAST);
}

static void
test_fields(void **state)
{
	(void)state;
	gives("[field0] [field12 file=\"a b.csv\"]", "< -1 0> <a b.csv -1 12>");
	gives("[field1 file=a.csv line=3] [field1 line=\"[$1]\"]", "<a.csv 3 1> < 5 1>");
	gives("[fill variable=\"1\" text=\"ab\"]|[fill variable=1]|[fill variable=0]",
		"ababa|XXXXX|");
}

static void
test_absent(void **state)
{
	struct facts f = call_facts(&last);
	bool ok;

	(void)state;
	f.last = NULL;
	f.routes = f.peer_tag = nfv_sv(NULL, 0);
	message(&f,
		"A\n[routes]\n[last_Via:]\n[$3]\nB: c[peer_tag_param]\n[empty][routes]\n[$3]\n\nbody\n",
		"A\r\nB: c\r\n\r\nbody\r\n");
	message(&f, "A\nB: [last_Via:]\n", "A\r\nB: \r\n\r\n");
	gives_with(&f, "[last_message][last_Request_URI][last_branch][last_cseq_number]", "0");
	rendered("[field9]", false, &f, 100, &ok);
	assert_false(ok);
}

static void
test_message(void **state)
{
	struct facts f = call_facts(&last);

	(void)state;
	message(&f, "\n\n \t A b  \t\n\t  C: d\t\r\n   \n\n e \n  \n f\n \n",
		"A b\r\nC: d\r\n\r\n\r\ne\r\n\r\nf\r\n");
	message(&f, "A\nL: [len]\n\nbody\n", "A\r\nL: 6\r\n\r\nbody\r\n");
	message(&f, "A\nL: [len]\nB: c\n\n[$0][$0]\n", "A\r\nL: 10\r\nB: c\r\n\r\ntexttext\r\n");
	message(&f, "A\nL: [len+3]", "A\r\nL: 3\r\n\r\n");
	message(&f, "A\nL: [len]\n", "A\r\nL: 0\r\n\r\n");
	gives("a\nb", "a\nb");
}

static void
test_authentication(void **state)
{
	struct facts f = call_facts(&last);

	(void)state;
	message(&f, "A\n[authentication]\nL: [len]\n\nbody\n",
		"A\r\nAuthorization: au/ap/6\r\nL: 6\r\n\r\nbody\r\n");
	message(&f,
		"A\nL: [len]\n[authentication username=u[$0] password=\"[field1 line=2]\"]\n\nbody\n",
		"A\r\nL: 6\r\nAuthorization: utext/< 2 1>/6\r\n\r\nbody\r\n");
	message(&f, "A\nL: [len]\n[field8]\n", "A\r\nL: 0\r\nAuthorization: joe/s w/0\r\n\r\n");
	f.ctx = &f;
	message(&f, "A\nL: [len]\n[authentication]\nB: c\n", "A\r\nL: 0\r\nB: c\r\n\r\n");
	f.authenticate = NULL;
	message(&f, "A\n[authentication]\nB: c\n", "A\r\nB: c\r\n\r\n");
}

static void
test_numbers(void **state)
{
	static const double t[] = { 0, -0.0, 1, -1, 0.5, 123456789.25, 1e9, 1e15, -1e300, 1.0 / 3,
		2.9999996 };
	struct facts f = call_facts(&last);
	char want[400];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		f.vars[VAR_CALL]->value[1].number = t[i];
		snprintf(want, sizeof(want), "%f", t[i]);
		gives_with(&f, "[$1]", want);
	}
	for (uint64_t u = 1; u < UINT64_MAX / 10; u = u * 10 + 3) {
		f.call_number = u;
		snprintf(want, sizeof(want), "%llu", (unsigned long long)u);
		gives_with(&f, "[call_number]", want);
	}
}

/* Whatever the room, nothing is written behind it, and only enough of it is enough. */
static void
test_overflow(void **state)
{
	static const char text[] =
		"INVITE sip:[service]@[remote_ip] SIP/2.0\n[last_Via:]\n[routes]\n"
		"[authentication]\nC: [cseq] [$1] [date]\nL: [len]\n\n[$0]\n";
	struct facts f = call_facts(&last);
	bool ok;
	size_t n = strlen(rendered(text, true, &f, 4096, &ok));

	(void)state;
	for (size_t room = 0; room < n; room++) {
		rendered(text, true, &f, room, &ok);
		assert_false(ok);
	}
	rendered(text, true, &f, n + 100, &ok);
	assert_true(ok);
}

static void
test_refused(void **state)
{
	static const char *const t[] = { "[", "[]", "[abc", "[$]", "[$toolong]", "[fieldx]",
		"[field1 line=x]", "[field999]", "[fill]", "[fill variable=1 text=\"\"]", "[file]",
		"[file name=/nowhere]", "[last_]", "[last_Via:x]", "[len][len]", "[tdmmap]",
		"[rtpstream_audio_port]", "[nothing]", "[authentication aka_K=1]",
		"[authentication username=[authentication]]",
		"[authentication username=[authentication username=[field0]]]" };
	struct template out;
	struct nfv_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		out.n = 7;
		err.text[0] = '\0';
		assert_int_equal(
			template_compile(nfv_sv_str(t[i]), false, &names, &out, &err), -EINVAL);
		assert_int_equal(out.n, 7);
		assert_true(err.text[0] != '\0');
	}
}

static void
test_file(void **state)
{
	char path[] = "/tmp/sipp-gen-XXXXXX", text[64];
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");

	(void)state;
	fputs("from\na file", file);
	fclose(file);
	snprintf(text, sizeof(text), "<[file name=\"%s\"]>", path);
	gives(text, "<from\na file>");
	unlink(path);
}

static void
test_uses(void **state)
{
	struct template t;

	(void)state;
	assert_int_equal(template_compile(NFV_SV("[last_Via:]"), true, &names, &t, NULL), 0);
	assert_true(t.uses_last && !t.uses_auth && !t.uses_moment && t.len_at == -1);
	template_fini(&t);
	assert_int_equal(template_compile(NFV_SV("[authentication password=[field1]] [date]"), true,
				 &names, &t, NULL),
		0);
	assert_true(t.uses_auth && t.uses_fields && t.uses_moment);
	template_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keywords),
		cmocka_unit_test(test_last),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_authentication),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_uses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
