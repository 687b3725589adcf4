/* A call as templates and actions see it, and a message that it has received. */
#ifndef FACTS_H
#define FACTS_H

#include "template.h"

#define CALL_LAST                                                                                  \
	"INVITE sip:bob@b.example SIP/2.0\r\n"                                                     \
	"Via: SIP/2.0/UDP a;branch=z9hG4bKa\r\n"                                                   \
	"v: SIP/2.0/UDP b;branch=z9hG4bKb \r\n"                                                    \
	"From: <sip:alice@a.example>;tag=1\r\n"                                                    \
	"To: <sip:bob@b.example>\r\n"                                                              \
	"Call-ID: abc\r\n"                                                                         \
	"CSeq: 7 INVITE\r\n"                                                                       \
	"X-Note: one\r\n"                                                                          \
	"x-note: two\r\n"                                                                          \
	"Content-Length: 6\r\n\r\nv=0\r\nm"

static uint64_t call_mem[1024];

static struct nfv_sv
call_field(void *ctx, struct nfv_sv file, int64_t line, unsigned int field)
{
	static char text[64];

	(void)ctx;
	if (field == 9)
		return nfv_sv(NULL, 0);
	if (field == 8)
		return NFV_SV("[authentication username=joe password=\"s w\"]");
	snprintf(text, sizeof(text), "<%.*s %d %u>", NFV_SV_ARG(file), (int)line, field);
	return nfv_sv_str(text);
}

static void
call_authenticate(void *ctx, struct nfv_sv user, struct nfv_sv password, struct nfv_sv body,
	struct nfv_sip_writer *w)
{
	if (ctx != NULL) /* no challenge */
		return;
	nfv_sip_put_str(w, "Authorization: ");
	nfv_sip_put(w, user);
	nfv_sip_put_str(w, "/");
	nfv_sip_put(w, password);
	nfv_sip_put_str(w, "/");
	nfv_sip_put_u64(w, body.n);
}

/* Variables: 0 a text, 1 a number, 2 true, 3 unset. */
static inline struct facts
call_facts(struct nfv_sip_msg *m)
{
	static const char last[] = CALL_LAST;
	struct facts f = {
		.service = NFV_SV("bob"),
		.call_id = NFV_SV("1-2@h"),
		.next_url = NFV_SV("sip:next"),
		.routes = NFV_SV("<sip:r;lr>"),
		.peer_tag = NFV_SV("pt"),
		.local_ip = NFV_SV("10.0.0.1"),
		.remote_ip = NFV_SV("10.0.0.2"),
		.media_ip = NFV_SV("10.0.0.3"),
		.branch = NFV_SV("z9hG4bK-9-8"),
		.auth_user = NFV_SV("au"),
		.auth_password = NFV_SV("ap"),
		.call_number = 3,
		.users = 11,
		.userid = 12,
		.clock_ms = 1234,
		.wall_us = 1795266579347898,
		.cseq = 5,
		.msg_index = 4,
		.pid = 99,
		.local_port = 5061,
		.remote_port = 5062,
		.media_port = 6000,
		.last = m,
		.field = call_field,
		.authenticate = call_authenticate,
	};

	if (nfv_sip_parse(m, last, sizeof(last) - 1) != NFV_SIP_MESSAGE_OK)
		abort();
	f.vars[VAR_CALL] = vars_init(call_mem, 8, 64);
	vars_set_text(f.vars[VAR_CALL], 0, NFV_SV("text"));
	f.vars[VAR_CALL]->value[1] = (struct value){ .kind = VALUE_NUMBER, .number = 5.5 };
	f.vars[VAR_CALL]->value[2] = (struct value){ .kind = VALUE_BOOL, .truth = true };
	return f;
}

#endif
