#include <arpa/inet.h>
#include <string.h>

#include "sip_call.h"

#define CALLER "10.0.0.9"
#define CALLEE "198.51.100.9"

const char *const sip_message_name[CALL_MESSAGES] = { "INVITE", "200", "ACK", "BYE", "200 to BYE" };

static const char sdp[] =
	"v=0\r\no=user1 53655765 2353687637 IN IP4 " CALLER "\r\ns=-\r\nc=IN IP4 " CALLER
	"\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

/* What came out of the chain last. */
static void
receive(void *arg, unsigned int port, const uint8_t *frame, uint16_t len)
{
	struct sip_text *t = arg;
	uint16_t head = NFV_ETH_LEN + NFV_IP4_LEN + NFV_UDP_LEN;

	(void)port;
	if (len <= head || len - head >= SIP_TEXT)
		return;
	t->n = (uint16_t)(len - head);
	memcpy(t->text, frame + head, t->n);
	t->text[t->n] = '\0';
}

/* Append the header fields of this name, each with `more` at its end; the last first if `back`. */
static void
copy(struct sip_text *to, const struct sip_text *from, const char *name, const char *as,
	const char *more, bool back)
{
	const char *line[8];
	size_t skip = strlen(name);
	int n = 0;

	for (const char *at = from->text; at != NULL && n < 8; at = strstr(at + 1, "\r\n"))
		if (strncmp(at + 2, name, skip) == 0)
			line[n++] = at + 2;
	for (int i = 0; i < n; i++) {
		const char *l = line[back ? n - 1 - i : i] + skip;

		to->n = (uint16_t)(to->n +
			snprintf(to->text + to->n, (size_t)(SIP_TEXT - to->n), "%s%.*s%s\r\n", as,
				(int)(strstr(l, "\r\n") - l), l, more));
	}
}

static void
put(struct sip_text *to, const char *text)
{
	to->n = (uint16_t)(to->n +
		snprintf(to->text + to->n, (size_t)(SIP_TEXT - to->n), "%s", text));
}

static void
put_body(struct sip_text *to, bool has)
{
	char head[80];

	if (has)
		put(to, "Content-Type: application/sdp\r\n");
	snprintf(head, sizeof(head), "Content-Length: %zu\r\n\r\n", has ? sizeof(sdp) - 1 : 0);
	put(to, head);
	if (has)
		put(to, sdp);
}

static void
make_invite(struct sip_text *m, uint32_t id)
{
	m->n = (uint16_t)snprintf(m->text, SIP_TEXT,
		"INVITE sip:service@" CALLEE ":5060 SIP/2.0\r\n"
		"Via: SIP/2.0/UDP " CALLER ":5060;branch=z9hG4bK-%u-1\r\n"
		"From: sipp <sip:sipp@" CALLER ":5060>;tag=%uSIPpTag001\r\n"
		"To: service <sip:service@" CALLEE ":5060>\r\n"
		"Call-ID: %u-12345@" CALLER "\r\n"
		"CSeq: 1 INVITE\r\n"
		"Contact: sip:sipp@" CALLER ":5060\r\n"
		"Max-Forwards: 70\r\n"
		"Subject: Performance Test\r\n",
		id, id, id);
	put_body(m, true);
}

static void
make_ok(struct sip_text *m, const struct sip_text *asked, bool invite)
{
	m->n = 0;
	put(m, "SIP/2.0 200 OK\r\n");
	copy(m, asked, "Via: ", "Via: ", "", false);
	copy(m, asked, "Record-Route: ", "Record-Route: ", "", false);
	copy(m, asked, "From: ", "From: ", "", false);
	copy(m, asked, "To: ", "To: ", invite ? ";tag=1SIPpTag011" : "", false);
	copy(m, asked, "Call-ID: ", "Call-ID: ", "", false);
	copy(m, asked, "CSeq: ", "CSeq: ", "", false);
	put(m, "Contact: <sip:" CALLEE ":5060;transport=UDP>\r\n");
	put_body(m, invite);
}

static void
make_request(struct sip_text *m, const struct sip_text *answer, const char *method, uint32_t id,
	int cseq)
{
	m->n = (uint16_t)snprintf(m->text, SIP_TEXT,
		"%s sip:" CALLEE ":5060;transport=UDP SIP/2.0\r\n"
		"Via: SIP/2.0/UDP " CALLER ":5060;branch=z9hG4bK-%u-%d\r\n",
		method, id, cseq + 5);
	copy(m, answer, "Record-Route: ", "Route: ", "", true);
	copy(m, answer, "From: ", "From: ", "", false);
	copy(m, answer, "To: ", "To: ", "", false);
	copy(m, answer, "Call-ID: ", "Call-ID: ", "", false);
	m->n = (uint16_t)(m->n +
		snprintf(m->text + m->n, (size_t)(SIP_TEXT - m->n),
			"CSeq: %d %s\r\nContact: sip:sipp@" CALLER ":5060\r\nMax-Forwards: 70\r\n",
			cseq, method));
	put_body(m, false);
}

void
sip_call_send(struct rig *rig, const struct sip_call *call, enum sip_message which)
{
	bool back = which == CALL_OK || which == CALL_BYE_OK;
	struct rig_tuple t = { .be_sport = htobe16(5060), .be_dport = htobe16(5060) };

	t.be_src = inet_addr(back ? CALLEE : CALLER);
	t.be_dst = inet_addr(back ? "192.0.2.1" : "192.168.0.1");
	rig_udp(rig, back ? 1 : 0, &t, call->message[which].text, call->message[which].n);
}

void
sip_call_make(struct rig *rig, struct rig_chain *chain, struct sip_call *call, uint32_t id)
{
	struct sip_text got = { .n = 0 };

	for (int i = 0; i < CALL_MESSAGES; i++) {
		struct sip_text *m = &call->message[i];

		if (i == CALL_INVITE)
			make_invite(m, id);
		else if (i == CALL_OK || i == CALL_BYE_OK)
			make_ok(m, &got, i == CALL_OK);
		else if (i == CALL_ACK)
			make_request(m, &got, "ACK", id, 1);
		else
			make_request(m, &call->message[CALL_OK], "BYE", id, 2);
		sip_call_send(rig, call, (enum sip_message)i);
		if (rig_run(rig, chain, NULL, receive, &got) != 1)
			rig_give_up(chain, sip_message_name[i]);
	}
}
