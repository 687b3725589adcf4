/* The stage on packets: whole calls through it in both directions, answers, bounds of the buffers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "guard.h"
#include "nfv_sip.h"
#include "stage_world.h"

static int
start(void **state)
{
	struct nfv_err err;

	(void)state;
	return start_with("sip: { mode: stateless, domains: [own.example.org] }", &err);
}

/* Put a datagram through the stage; the packet that comes out, in whichever direction, or NULL. */
static struct nfv_pkt *
pass(enum nfv_dir dir, const char *src, uint16_t sport, const char *dst, const void *data, size_t n,
	enum nfv_dir *went)
{
	mk_out(&out, out_mk, OUTS);
	burst.tsc += 1000;
	burst.n = 1;
	burst.dir = dir;
	burst.pkt[0] = mk_udp(&in_mk, src, sport, dst, 5060, data, n);
	assert_int_equal(nfv_pkt_parse(&burst.pkt[0]), NFV_PARSE_OK);
	ops->process(stage, &burst, &out);
	*went = dir;
	if (burst.pkt[0].verdict == NFV_KEEP) {
		assert_int_equal(out.n, 0);
		return &burst.pkt[0];
	}
	if (burst.pkt[0].verdict == NFV_CONSUMED && out.n == 1) {
		*went = out.dir[0];
		return &out.pkt[0];
	}
	assert_int_equal(out.n, 0);
	return NULL;
}

static const char *
request(char *buf, size_t room, const char *method, const struct party *a, const struct party *b,
	const char *routes, int branch, const char *cseq)
{
	snprintf(buf, room,
		"%s sip:b@%s:%u SIP/2.0\r\nVia: SIP/2.0/UDP %s:%u;branch=z9hG4bK%d;rport\r\n%s"
		"Max-Forwards: 70\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@y>\r\nCall-ID: 1\r\n"
		"CSeq: 1 %s\r\nContact: <sip:a@%s:%u>\r\nContent-Length: 0\r\n\r\n",
		method, b->host, b->port, a->host, a->port, branch, routes, cseq, a->host, a->port);
	return buf;
}

static void
carry(const struct party *from, const struct party *to, enum nfv_dir dir, const char *text,
	struct seen *s)
{
	enum nfv_dir went;
	struct nfv_pkt *p =
		pass(dir, from->addr, from->port, from->proxy, text, strlen(text), &went);

	if (p == NULL)
		fail_msg("verdict %u for:\n%s", burst.pkt[0].verdict, text);
	assert_int_equal(went, dir);
	see(p, s);
	assert_string_equal(s->src, to->proxy);
	assert_int_equal(s->sport, 5060);
	assert_string_equal(s->dst, to->addr);
	assert_int_equal(s->dport, to->port);
}

/* INVITE, CANCEL's and ACK's branch, 180, 200, ACK, BYE from the callee, 200. `dir`: the caller's.
 */
static void
call(const struct party *a, const struct party *b, enum nfv_dir dir)
{
	char text[4096], a_routes[1024], b_routes[1024], branch[64];
	enum nfv_dir back = nfv_dir_back(dir);
	struct seen invite, again, s;
	const char *cut;

	request(text, sizeof(text), "INVITE", a, b, "", 1, "INVITE");
	carry(a, b, dir, text, &invite);
	carry(a, b, dir, text, &again);
	assert_string_equal(
		invite.text, again.text); /* a retransmission is the same, byte by byte */
	snprintf(branch, sizeof(branch), "%.44s", strstr(invite.text, "z9hG4bKnfv"));
	request(text, sizeof(text), "CANCEL", a, b, "", 1, "CANCEL");
	carry(a, b, dir, text, &s);
	assert_non_null(strstr(s.text, branch));
	request(text, sizeof(text), "ACK", a, b, "", 1, "ACK"); /* of a failure: same branch */
	carry(a, b, dir, text, &s);
	assert_non_null(strstr(s.text, branch));

	route_set(invite.text, false, b_routes, sizeof(b_routes));
	carry(b, a, back, response(text, sizeof(text), "100 Trying", invite.text), &s);
	carry(b, a, back, response(text, sizeof(text), "180 Ringing", invite.text), &s);
	carry(b, a, back, response(text, sizeof(text), "200 OK", invite.text), &s);
	assert_null(strstr(s.text, "nfv"));
	route_set(s.text, true, a_routes, sizeof(a_routes));
	assert_int_equal(strlen(a_routes), strlen(b_routes));

	request(text, sizeof(text), "ACK", a, b, a_routes, 2, "ACK");
	carry(a, b, dir, text, &s);
	assert_null(strstr(s.text, "Route"));
	request(text, sizeof(text), "BYE", b, a, b_routes, 3, "BYE");
	carry(b, a, back, text, &s);
	assert_null(strstr(s.text, "Route"));
	carry(a, b, dir, response(text, sizeof(text), "200 OK", s.text), &s);
	cut = strstr(s.text, "Via:");
	assert_non_null(cut);
	assert_null(strstr(cut + 1, "Via:"));
}

static void
calls(void **state)
{
	static const struct party in4 = { "10.0.0.9", 5062, IN4, "10.0.0.9" };
	static const struct party out4 = { "203.0.113.5", 5070, OUT4, "203.0.113.5" };
	static const struct party in6 = { "fd00::9", 5062, IN6, "[fd00::9]" };
	static const struct party out6 = { "2001:db8::5", 5070, OUT6, "[2001:db8::5]" };

	(void)state;
	call(&in4, &out4, NFV_OUTWARD);
	call(&out4, &in4, NFV_INWARD);
	call(&in6, &out6, NFV_OUTWARD);
	call(&out6, &in6, NFV_INWARD);
	call(&in4, &out6, NFV_OUTWARD);
	call(&out4, &in6, NFV_INWARD);
}

/* The same out of a NAT: the proxy sees its mapping, an own address at another port. */
static void
call_from_behind_a_nat(void **state)
{
	static const struct party client = { OUT4, 20000, IN4, "10.1.0.2" };
	static const struct party out4 = { "203.0.113.5", 5070, OUT4, "203.0.113.5" };
	char text[4096];
	struct seen s;

	(void)state;
	request(text, sizeof(text), "INVITE", &client, &out4, "", 1, "INVITE");
	carry(&client, &out4, NFV_OUTWARD, text, &s);
	/* `client.proxy` is where it was sent: the answer must come from there */
	carry(&out4, &client, NFV_INWARD, response(text, sizeof(text), "200 OK", s.text), &s);
}

static void
answers_turn_back(void **state)
{
	static const char options[] = "OPTIONS sip:10.0.0.1 SIP/2.0\r\n"
				      "Via: SIP/2.0/UDP x;rport;branch=z9hG4bK1\r\nFrom: "
				      "<sip:a@x>;tag=1\r\nTo: <sip:b@y>\r\n"
				      "Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n";
	enum nfv_dir went;
	struct seen s, t;

	(void)state;
	see(pass(NFV_OUTWARD, "10.0.0.9", 6000, IN4, options, strlen(options), &went), &s);
	assert_int_equal(went, NFV_INWARD);
	assert_string_equal(s.src, IN4);
	assert_string_equal(s.dst, "10.0.0.9");
	assert_int_equal(s.sport, 5060);
	assert_int_equal(s.dport, 6000);
	assert_int_equal(memcmp(s.text, "SIP/2.0 200 OK\r\n", 16), 0);
	see(pass(NFV_OUTWARD, "10.0.0.9", 6000, IN4, options, strlen(options), &went), &t);
	assert_string_equal(s.text, t.text);
	see(pass(NFV_INWARD, "2001:db8::5", 6000, OUT6, options, strlen(options), &went), &s);
	assert_int_equal(went, NFV_OUTWARD);
	assert_string_equal(s.dst, "2001:db8::5");
	assert_non_null(strstr(s.text, "received=2001:db8::5;rport=6000"));
}

static void
others_pass_untouched(void **state)
{
	static const struct {
		const char *dst;
		uint16_t port;
	} t[] = { { "203.0.113.5", 5060 }, { IN4, 5061 }, { "fd00::2", 5060 } };
	struct mk before;
	struct nfv_pkt p;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		mk_out(&out, out_mk, OUTS);
		burst.n = 1;
		burst.dir = NFV_OUTWARD;
		p = i < 3 ? mk_udp(&in_mk, strchr(t[i].dst, ':') ? "fd00::9" : "10.0.0.9", 5060,
				    t[i].dst, t[i].port, "not SIP", 7) :
			    mk_tcp(&in_mk, "10.0.0.9", 5060, IN4, 5060, NFV_TCP_SYN);
		assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
		burst.pkt[0] = p;
		before = in_mk;
		ops->process(stage, &burst, &out);
		assert_memory_equal(&burst.pkt[0], &p, sizeof(p));
		assert_memory_equal(&before, &in_mk, sizeof(before));
		assert_int_equal(out.n, 0);
	}
}

static void
expect_drop(const void *data, size_t n, const char *name)
{
	enum nfv_dir went;

	assert_null(pass(NFV_OUTWARD, "10.0.0.9", 6000, IN4, data, n, &went));
	if (name == NULL)
		assert_int_equal(burst.pkt[0].verdict, NFV_CONSUMED);
	else
		assert_string_equal(ops->drops[burst.pkt[0].verdict - NFV_DROP_BASE], name);
}

static void
drops_and_silence(void **state)
{
	static const uint8_t stun[20] = { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42 };

	(void)state;
	expect_drop("hello", 5, "not-sip");
	expect_drop("SIP/2.0 200 OK\r\n\r\n", 18, "malformed");
	expect_drop("ACK sip:a SIP/2.0\r\n\r\n", 21, "malformed");
	expect_drop("\r\n\r\n", 4, NULL);
	expect_drop("", 0, NULL);
	expect_drop(stun, sizeof(stun), NULL);
}

static void
checksum_is_verified(void **state)
{
	(void)state;
	mk_out(&out, out_mk, OUTS);
	burst.n = 1;
	burst.dir = NFV_OUTWARD;
	burst.pkt[0] = mk_udp(&in_mk, "10.0.0.9", 5060, IN4, 5060, "\r\n\r\n", 4);
	burst.pkt[0].data[burst.pkt[0].len - 1] ^= 1;
	assert_int_equal(nfv_pkt_parse(&burst.pkt[0]), NFV_PARSE_OK);
	ops->process(stage, &burst, &out);
	assert_string_equal(ops->drops[burst.pkt[0].verdict - NFV_DROP_BASE], "udp-checksum");
	/* octets between the datagram's end and the packet's are nobody's */
	burst.pkt[0] = mk_udp(&in_mk, "10.0.0.9", 5060, IN4, 5060, "\r\n\r\nxx", 6);
	((struct nfv_udp *)nfv_pkt_l4(&burst.pkt[0]))->be_len = htobe16(NFV_UDP_LEN + 4);
	((struct nfv_udp *)nfv_pkt_l4(&burst.pkt[0]))->be_csum = 0;
	assert_int_equal(nfv_pkt_parse(&burst.pkt[0]), NFV_PARSE_OK);
	ops->process(stage, &burst, &out);
	assert_int_equal(burst.pkt[0].verdict, NFV_CONSUMED);
}

static void
answers_are_limited(void **state)
{
	static const char bad[] = "OPTIONS sip:a SIP/2.0\r\n\r\n";
	enum nfv_dir went;
	struct nfv_err err;

	(void)state;
	assert_int_equal(start_with("sip: { mode: stateless, error-rate: 2 }", &err), 0);
	for (int second = 0; second < 3; second++) {
		assert_non_null(pass(NFV_OUTWARD, "10.0.0.9", 6000, IN4, bad, strlen(bad), &went));
		assert_non_null(pass(NFV_OUTWARD, "10.0.0.9", 6000, IN4, bad, strlen(bad), &went));
		expect_drop(bad, strlen(bad), "error-limited");
		burst.tsc += 1000000; /* the world's clock runs at 1 MHz */
	}
}

static const char bye[] =
	"BYE sip:b@203.0.113.5 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9\r\n"
	"From: <sip:a@x>;tag=1\r\nTo: <sip:b@y>\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\n\r\n";

/* Whatever room there is before and after the packet, it is used, and nothing besides; then another
 * packet. */
static void
growth_uses_both_ends(void **state)
{
	struct guard g = guard_new();
	int kept = 0, moved = 0, dropped = 0;

	(void)state;
	for (uint16_t head = 0; head <= 160; head += 16) {
		for (uint16_t tail = 0; tail <= 160; tail += 16) {
			struct nfv_pkt p =
				mk_udp(&in_mk, "10.0.0.9", 5060, IN4, 5060, bye, strlen(bye));
			uint8_t *base = g.base + GUARD_ROOM - head - p.len - tail;

			mk_out(&out, out_mk, OUTS);
			memset(g.base, 0x5a, GUARD_ROOM);
			memcpy(base + head, p.data, p.len);
			p.data = base + head;
			p.headroom = head;
			p.tailroom = tail;
			assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
			burst = (struct nfv_burst){
				.n = 1, .dir = NFV_OUTWARD, .tsc = burst.tsc + 1000
			};
			burst.pkt[0] = p;
			ops->process(stage, &burst, &out);
			assert_int_equal(base[-1], 0x5a);
			if (burst.pkt[0].verdict == NFV_KEEP) {
				struct seen s;

				see(&burst.pkt[0], &s);
				assert_ptr_equal(burst.pkt[0].data - burst.pkt[0].headroom, base);
				assert_int_equal(burst.pkt[0].headroom + burst.pkt[0].len +
						burst.pkt[0].tailroom,
					head + p.len + tail);
				assert_non_null(strstr(s.text, "\r\nMax-Forwards: 70\r\n"));
				kept++;
			} else if (out.n == 1) {
				struct seen s;

				see(&out.pkt[0], &s);
				assert_int_equal(out.dir[0], NFV_OUTWARD);
				assert_int_equal(burst.pkt[0].verdict, NFV_CONSUMED);
				assert_non_null(strstr(s.text, "\r\nMax-Forwards: 70\r\n"));
				moved++;
			} else {
				dropped++;
			}
		}
	}
	assert_true(kept > 0 && moved > 0);
	assert_int_equal(dropped, 0);
	guard_free(&g);
}

/* A message that fills its packet goes on in a large one; what no packet holds is refused. */
static void
the_longest_messages(void **state)
{
	static uint8_t mem[NFV_FRAME_MAX], large_mem[NFV_FRAME_MAX];
	static const uint32_t frames[] = { 5000, 60000, NFV_FRAME_MAX - 20 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct nfv_large large = { .room = 1,
			.pkt[0] = { .data = large_mem,
				.len = NFV_ETH_LEN,
				.l3 = NFV_ETH_LEN,
				.tailroom = NFV_FRAME_MAX - NFV_ETH_LEN } };
		struct nfv_pkt p = mk_udp(&in_mk, "10.0.0.9", 5060, IN4, 5060, bye, strlen(bye));
		uint16_t grown = (uint16_t)(frames[i] - p.len);
		const char *text;
		struct nfv_udp *udp;

		memset(mem, 'x', sizeof(mem));
		memcpy(mem, p.data, p.len);
		assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
		p = (struct nfv_pkt){ .data = mem, .len = (uint16_t)frames[i], .l3 = NFV_ETH_LEN };
		nfv_pkt_ip4(&p)->be_len = htobe16((uint16_t)(p.len - p.l3));
		nfv_csum_ip4_set(nfv_pkt_ip4(&p));
		udp = (struct nfv_udp *)(mem + 34);
		udp->be_len = htobe16((uint16_t)(be16toh(udp->be_len) + grown));
		assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
		nfv_csum_l4_set(&p);
		mk_out(&out, out_mk, OUTS);
		out.large = &large;
		burst = (struct nfv_burst){ .n = 1, .dir = NFV_OUTWARD, .tsc = burst.tsc + 1000 };
		burst.pkt[0] = p;
		ops->process(stage, &burst, &out);
		assert_int_equal(burst.pkt[0].verdict, NFV_CONSUMED);
		assert_int_equal(out.n, 1);
		assert_int_equal(large.n, i < 2);
		assert_int_equal(out.dir[0], i < 2 ? NFV_OUTWARD : NFV_INWARD);
		p = out.pkt[0];
		((struct nfv_eth *)p.data)->be_type = htobe16(NFV_ETH_IP4);
		assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
		assert_true(nfv_csum_l4_ok(&p));
		text = (const char *)nfv_pkt_l4(&p) + NFV_UDP_LEN;
		assert_memory_equal(text, i < 2 ? "BYE sip:b@" : "SIP/2.0 51", 10);
		if (i == 2)
			assert_int_equal(text[10], '3');
		else
			assert_memory_equal(p.data + p.len - grown, mem + frames[i] - grown, grown);
	}
}

static void
out_without_room(void **state)
{
	static const char turn[] =
		"BYE sip:b@10.0.0.8 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9\r\n"
		"From: <sip:a@x>;tag=1\r\nTo: <sip:b@y>\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\n\r\n";

	(void)state;
	for (int tail = 0; tail < 3; tail++) {
		mk_out(&out, out_mk, tail == 0 ? 0 : OUTS);
		for (int i = 0; tail == 1 && i < OUTS; i++)
			out.pkt[i].tailroom = out.pkt[i].headroom = 20;
		burst.n = 1;
		burst.dir = NFV_OUTWARD;
		burst.pkt[0] = mk_udp(&in_mk, "10.0.0.9", 5060, IN4, 5060, turn, strlen(turn));
		assert_int_equal(nfv_pkt_parse(&burst.pkt[0]), NFV_PARSE_OK);
		ops->process(stage, &burst, &out);
		assert_int_equal(out.starved, tail == 0);
		assert_int_equal(out.n, tail == 2);
		if (tail == 1)
			assert_string_equal(
				ops->drops[burst.pkt[0].verdict - NFV_DROP_BASE], "too-large");
		else
			assert_int_equal(burst.pkt[0].verdict, NFV_CONSUMED);
	}
}

static void
configuration(void **state)
{
	struct nfv_err err = { "" };
	struct nfv_stage_ctx ctx;

	(void)state;
	assert_true(start_with("sip: { mode: stateless, trunk: \"198.51.100.1:5060\" }", &err) < 0);
	assert_non_null(strstr(err.text, "test:1:32: the trunk is the proxy itself"));
	world_ctx(&ctx);
	ctx.conf = conf_room;
	ctx.n_own[0] = ctx.n_own[1] = 0;
	memset(stage, 0, ops->state_size);
	assert_true(ops->init(stage, &ctx, &err) < 0);
	assert_non_null(strstr(err.text, "address"));
}

/* Workers and machines that share the key take each other's responses; without it they do not. */
static void
key_is_shared(void **state)
{
	static const char *const yaml[2][2] = {
		{ "sip: { mode: stateless, key: \"secret-1\" }",
			"sip: { mode: stateless, key: \"secret-1\" }" },
		{ "sip: { mode: stateless, key: \"secret-1\" }",
			"sip: { mode: stateless, key: \"secret-2\" }" }
	};
	char text[4096];
	struct nfv_err err;
	enum nfv_dir went;
	struct seen s;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(start_with(yaml[i][0], &err), 0);
		see(pass(NFV_OUTWARD, "10.0.0.9", 5060, IN4, bye, strlen(bye), &went), &s);
		response(text, sizeof(text), "200 OK", s.text);
		stop(NULL);
		assert_int_equal(start_with(yaml[i][1], &err), 0);
		assert_int_equal(pass(NFV_INWARD, "203.0.113.5", 5060, OUT4, text, strlen(text),
					 &went) != NULL,
			i == 0);
		if (i == 0)
			stop(NULL);
	}
}

static void
shows_what_it_did(void **state)
{
	char *text = NULL;
	enum nfv_dir went;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	pass(NFV_OUTWARD, "10.0.0.9", 5060, IN4, bye, strlen(bye), &went);
	pass(NFV_OUTWARD, "10.0.0.9", 5060, IN4, "OPTIONS sip:a SIP/2.0\r\n\r\n", 25, &went);
	pass(NFV_OUTWARD, "10.0.0.9", 5060, IN4, "SIP/2.0 200 OK\r\n\r\n", 18, &went);
	pass(NFV_OUTWARD, "10.0.0.9", 5060, IN4, "\r\n", 2, &went);
	ops->show(stage, f);
	fclose(f);
	assert_string_equal(text,
		"request BYE 1\nrequest OPTIONS 1\nresponse 2xx 1\nforwarded 1\n"
		"answered 400 Bad Request 1\nkeepalives 1\nstun 0\n");
	free(text);
}

/* Every prefix of a request at a page without access, through the whole stage. */
static void
every_prefix_stays_inside(void **state)
{
	struct guard g = guard_new();

	(void)state;
	for (size_t n = 0; n <= strlen(bye); n++) {
		struct nfv_pkt cut = mk_udp(&in_mk, "10.0.0.9", 5060, IN4, 5060, bye, n);

		mk_out(&out, out_mk, OUTS);
		cut.data = guard_tail(&g, cut.data, cut.len);
		cut.headroom = cut.tailroom = 0;
		assert_int_equal(nfv_pkt_parse(&cut), NFV_PARSE_OK);
		burst = (struct nfv_burst){ .n = 1, .dir = NFV_OUTWARD, .tsc = burst.tsc + 1000 };
		burst.pkt[0] = cut;
		ops->process(stage, &burst, &out);
		assert_int_not_equal(burst.pkt[0].verdict, NFV_KEEP);
	}
	guard_free(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(calls, start, stop),
		cmocka_unit_test_setup_teardown(call_from_behind_a_nat, start, stop),
		cmocka_unit_test_setup_teardown(answers_turn_back, start, stop),
		cmocka_unit_test_setup_teardown(others_pass_untouched, start, stop),
		cmocka_unit_test_setup_teardown(drops_and_silence, start, stop),
		cmocka_unit_test_setup_teardown(checksum_is_verified, start, stop),
		cmocka_unit_test_setup_teardown(growth_uses_both_ends, start, stop),
		cmocka_unit_test_setup_teardown(the_longest_messages, start, stop),
		cmocka_unit_test_setup_teardown(out_without_room, start, stop),
		cmocka_unit_test_setup_teardown(shows_what_it_did, start, stop),
		cmocka_unit_test_setup_teardown(every_prefix_stays_inside, start, stop),
		cmocka_unit_test_teardown(answers_are_limited, stop),
		cmocka_unit_test_teardown(configuration, stop),
		cmocka_unit_test_teardown(key_is_shared, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
