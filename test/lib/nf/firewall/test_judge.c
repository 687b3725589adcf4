#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "eal.h"
#include "judge.h"
#include "mkpkt.h"

#define IN   "198.51.100.1"
#define HOST "10.1.0.5"

/* A firewall with its rules, and one packet at a time through it. */
struct bed {
	struct firewall fw;
	struct mk m, answer[4];
	struct nfv_burst burst;
	struct nfv_out out;
};

static struct fw_set *
make_set(const char *text, uint32_t generation)
{
	struct fw_rules *rules;
	struct fw_set *set = NULL;
	struct nfv_err err;

	if (fw_rules_parse("t", text, strlen(text), FW_DROP, &rules, &err) < 0 ||
		fw_set_create("t", rules, -1, generation, NULL, &set, &err) < 0)
		fail_msg("%s", err.text);
	return set;
}

static void
bed_init(struct bed *b, const char *rules)
{
	memset(b, 0, sizeof(*b));
	b->fw.set = make_set(rules, 1);
	b->fw.bucket = fw_bucket(1000, 1000000000);
	b->burst.tsc = 5000000000;
	mk_out(&b->out, b->answer, 4);
}

static void
bed_fini(struct bed *b)
{
	fw_set_destroy(b->fw.set);
}

/* Through the firewall as it would come from the runtime; returns the verdict. */
static uint8_t
pass(struct bed *b, struct nfv_pkt p, enum nfv_dir dir, uint16_t flags, struct fw_flow *flow)
{
	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
	p.flags |= flags;
	p.flow = flow;
	b->burst.n = 1;
	b->burst.dir = dir;
	b->burst.pkt[0] = p;
	firewall_process(&b->fw, &b->burst, &b->out);
	return b->burst.pkt[0].verdict;
}

static struct nfv_pkt
tcp(struct bed *b, const char *src, const char *dst, uint8_t flags)
{
	return mk_tcp(&b->m, src, 1000, dst, 80, flags);
}

static struct nfv_pkt
udp(struct bed *b, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	return mk_udp(&b->m, src, sport, dst, dport, "x", 1);
}

static void
a_flow_is_judged_once(void **state)
{
	struct fw_flow flow = { 0 };
	struct bed b;

	(void)state;
	bed_init(&b, "drop tcp from any to any port 81\nallow out tcp from 10.1.0.0/24 to any");
	assert_int_equal(pass(&b, tcp(&b, HOST, IN, NFV_TCP_SYN), NFV_OUTWARD, NFV_PKT_NEW, &flow),
		NFV_KEEP);
	assert_int_equal(flow.generation, 1);
	assert_int_equal(flow.rule, 1);
	/* Back it goes against the rules' direction, and with any flags. */
	assert_int_equal(pass(&b, mk_tcp(&b.m, IN, 80, HOST, 1000, NFV_TCP_SYN | NFV_TCP_ACK),
				 NFV_INWARD, NFV_PKT_REPLY, &flow),
		NFV_KEEP);
	assert_int_equal(pass(&b, tcp(&b, HOST, IN, NFV_TCP_ACK), NFV_OUTWARD, 0, &flow), NFV_KEEP);
	assert_int_equal(b.fw.set->hits[1].packets, 1);
	assert_int_equal(b.fw.set->hits[1].flows, 1);
	assert_int_equal(b.fw.set->hits[0].packets, 0);
	assert_int_equal(b.fw.established, 2);
	/* The same from outside meets no rule. */
	flow = (struct fw_flow){ 0 };
	assert_int_equal(pass(&b, tcp(&b, HOST, IN, NFV_TCP_SYN), NFV_INWARD, NFV_PKT_NEW, &flow),
		NFV_DROP(FW_DROP_DEFAULT));
	assert_int_equal(flow.generation, 0);
	assert_int_equal(b.fw.set->hits[2].packets, 1);
	assert_int_equal(b.out.n, 0);
	/* Nor does a reply of a flow that was never let in. */
	assert_int_equal(pass(&b, tcp(&b, IN, HOST, NFV_TCP_SYN), NFV_INWARD, NFV_PKT_REPLY, &flow),
		NFV_DROP(FW_DROP_DEFAULT));
	bed_fini(&b);
}

static void
what_cannot_begin_a_flow(void **state)
{
	static const struct {
		uint8_t flags, verdict;
	} t[] = {
		{ NFV_TCP_SYN, NFV_KEEP },
		{ NFV_TCP_SYN | NFV_TCP_PSH | NFV_TCP_URG, NFV_KEEP },
		{ NFV_TCP_SYN | 0xc0, NFV_KEEP }, /* ECN setup, RFC 3168 */
		{ NFV_TCP_SYN | NFV_TCP_ACK, NFV_DROP(FW_DROP_TCP_NOT_SYN) },
		{ NFV_TCP_SYN | NFV_TCP_RST, NFV_DROP(FW_DROP_TCP_NOT_SYN) },
		{ NFV_TCP_SYN | NFV_TCP_FIN, NFV_DROP(FW_DROP_TCP_NOT_SYN) },
		{ NFV_TCP_ACK, NFV_DROP(FW_DROP_TCP_NOT_SYN) },
		{ NFV_TCP_RST, NFV_DROP(FW_DROP_TCP_NOT_SYN) },
		{ NFV_TCP_FIN, NFV_DROP(FW_DROP_TCP_NOT_SYN) },
		{ 0, NFV_DROP(FW_DROP_TCP_NOT_SYN) },
	};
	static const struct {
		bool ip6;
		uint8_t type, verdict;
	} icmp[] = {
		{ false, 8, NFV_KEEP },
		{ false, 13, NFV_KEEP },
		{ true, 128, NFV_KEEP },
		{ false, 0, NFV_DROP(FW_DROP_ICMP_UNSOLICITED) },
		{ false, 14, NFV_DROP(FW_DROP_ICMP_UNSOLICITED) },
		{ false, 5, NFV_DROP(FW_DROP_ICMP_UNSOLICITED) },
		{ true, 129, NFV_DROP(FW_DROP_ICMP_UNSOLICITED) },
		{ true, 137, NFV_DROP(FW_DROP_ICMP_UNSOLICITED) },
		{ false, 3, NFV_DROP(FW_DROP_ICMP_UNRELATED) },
		{ false, 11, NFV_DROP(FW_DROP_ICMP_UNRELATED) },
		{ false, 12, NFV_DROP(FW_DROP_ICMP_UNRELATED) },
		{ true, 1, NFV_DROP(FW_DROP_ICMP_UNRELATED) },
		{ true, 2, NFV_DROP(FW_DROP_ICMP_UNRELATED) },
		{ true, 4, NFV_DROP(FW_DROP_ICMP_UNRELATED) },
	};
	struct bed b;

	(void)state;
	bed_init(&b, "default allow");
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct fw_flow flow = { 0 };

		assert_int_equal(
			pass(&b, tcp(&b, IN, HOST, t[i].flags), NFV_INWARD, NFV_PKT_NEW, &flow),
			t[i].verdict);
		assert_int_equal(flow.generation, t[i].verdict == NFV_KEEP);
	}
	for (size_t i = 0; i < sizeof(icmp) / sizeof(icmp[0]); i++) {
		struct fw_flow flow = { 0 };
		struct nfv_pkt p = mk_icmp(&b.m, icmp[i].ip6 ? "fd00::1" : IN,
			icmp[i].ip6 ? "fd00::2" : HOST, icmp[i].type, 0, 1, NULL, 0);

		assert_int_equal(pass(&b, p, NFV_INWARD, NFV_PKT_NEW, &flow), icmp[i].verdict);
		assert_int_equal(flow.generation, icmp[i].verdict == NFV_KEEP);
	}
	bed_fini(&b);
}

static void
errors_follow_their_flow(void **state)
{
	struct fw_flow flow = { .generation = 1 }, none = { 0 };
	struct bed b;

	(void)state;
	bed_init(&b, "default drop");
	for (uint8_t type = 1; type <= 4; type++)
		assert_int_equal(pass(&b, mk_icmp(&b.m, "fd00::1", "fd00::2", type, 0, 0, "x", 1),
					 NFV_INWARD, NFV_PKT_RELATED, &flow),
			NFV_KEEP);
	assert_int_equal(pass(&b, mk_icmp(&b.m, IN, HOST, 3, 4, 1400, "x", 1), NFV_INWARD,
				 NFV_PKT_RELATED | NFV_PKT_REPLY, &flow),
		NFV_KEEP);
	assert_int_equal(b.fw.related, 5);
	assert_int_equal(flow.rule, 0);
	/* Of a flow that an earlier rule set let in; of one that nobody did; of none. */
	flow.generation = 7;
	assert_int_equal(pass(&b, mk_icmp(&b.m, IN, HOST, 3, 4, 0, "x", 1), NFV_INWARD,
				 NFV_PKT_RELATED, &flow),
		NFV_KEEP);
	assert_int_equal(flow.generation, 7);
	assert_int_equal(pass(&b, mk_icmp(&b.m, IN, HOST, 3, 4, 0, "x", 1), NFV_INWARD,
				 NFV_PKT_RELATED, &none),
		NFV_DROP(FW_DROP_DEFAULT));
	bed_fini(&b);
	bed_init(&b, "default allow");
	assert_int_equal(pass(&b, mk_icmp(&b.m, IN, HOST, 3, 4, 0, "x", 1), NFV_INWARD,
				 NFV_PKT_RELATED, &none),
		NFV_DROP(FW_DROP_ICMP_UNRELATED));
	assert_int_equal(none.generation, 0);
	assert_int_equal(pass(&b, mk_icmp(&b.m, IN, HOST, 3, 4, 0, "x", 1), NFV_INWARD,
				 NFV_PKT_RELATED, NULL),
		NFV_DROP(FW_DROP_ICMP_UNRELATED));
	flow.generation = 1;
	assert_int_equal(pass(&b, mk_icmp(&b.m, IN, HOST, NFV_ICMP_REDIRECT, 0, 0, "x", 1),
				 NFV_INWARD, NFV_PKT_RELATED, &flow),
		NFV_DROP(FW_DROP_ICMP_UNSOLICITED));
	assert_int_equal(flow.generation, 1);
	bed_fini(&b);
}

static void
a_full_flow_table(void **state)
{
	struct bed b;

	(void)state;
	bed_init(&b,
		"allow udp from any to any port 53 stateless\nallow tcp from any port 80 to any "
		"flags ack stateless\nallow any from any to any");
	assert_int_equal(pass(&b, udp(&b, HOST, 1, IN, 54), NFV_OUTWARD, 0, NULL),
		NFV_DROP(FW_DROP_NO_STATE));
	assert_int_equal(pass(&b, tcp(&b, HOST, IN, NFV_TCP_SYN), NFV_OUTWARD, 0, NULL),
		NFV_DROP(FW_DROP_NO_STATE));
	assert_int_equal(pass(&b, mk_icmp(&b.m, HOST, IN, NFV_ICMP_ECHO, 0, 0, NULL, 0),
				 NFV_OUTWARD, 0, NULL),
		NFV_DROP(FW_DROP_NO_STATE));
	assert_int_equal(pass(&b, udp(&b, HOST, 1, IN, 53), NFV_OUTWARD, 0, NULL), NFV_KEEP);
	assert_int_equal(pass(&b, mk_tcp(&b.m, IN, 80, HOST, 1, NFV_TCP_ACK), NFV_INWARD, 0, NULL),
		NFV_KEEP);
	/* Protocols that nobody tracks are judged by their rules alone. */
	assert_int_equal(
		pass(&b, mk_ip(&b.m, HOST, IN, 47, "x", 1), NFV_OUTWARD, 0, NULL), NFV_KEEP);
	assert_int_equal(
		pass(&b, mk_ip(&b.m, HOST, IN, 132, "123456789012", 12), NFV_OUTWARD, 0, NULL),
		NFV_KEEP);
	bed_fini(&b);
}

static void
stateless_leaves_no_state(void **state)
{
	struct fw_flow flow = { 0 };
	struct bed b;

	(void)state;
	bed_init(&b, "allow out udp from any to any stateless");
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			pass(&b, udp(&b, HOST, 1, IN, 2), NFV_OUTWARD, 0, &flow), NFV_KEEP);
	assert_int_equal(flow.generation, 0);
	assert_int_equal(b.fw.set->hits[0].packets, 3);
	assert_int_equal(b.fw.set->hits[0].flows, 0);
	assert_int_equal(pass(&b, udp(&b, IN, 2, HOST, 1), NFV_INWARD, NFV_PKT_REPLY, &flow),
		NFV_DROP(FW_DROP_DEFAULT));
	bed_fini(&b);
}

/* Open for the call's life and no longer; rules go before it, the default behind. */
static void
pinholes(void **state)
{
	struct nfv_pages pages = nfv_pages_alloc(nfv_pinholes_pages(16));
	struct nfv_pinhole hole = { .port = 4000, .proto = NFV_PROTO_UDP };
	struct fw_flow flow = { 0 }, back = { 0 };
	struct nfv_pinhole_set set = { .n = 2 };
	struct nfv_pinholes *t;
	uint64_t call, next;
	struct bed b;

	(void)state;
	assert_int_equal(nfv_pinholes_create(16, &pages, NULL, 1, 1000000000, 0, &t, NULL), 0);
	bed_init(&b, "drop in udp from 198.51.100.9 to any");
	t->number = 1; /* another shard's, which has none of its own yet */
	set.table[1] = t;
	b.fw.pinholes = &set;
	mk_addr(HOST, hole.to.b);
	hole.to.family = NFV_IPV4;
	call = nfv_pinhole_owner(t, 60, 0);
	assert_int_equal(nfv_pinhole_open(t, call, &hole), 0);

	assert_int_equal(pass(&b, udp(&b, IN, 7, HOST, 4001), NFV_INWARD, NFV_PKT_NEW, &flow),
		NFV_DROP(FW_DROP_DEFAULT));
	assert_int_equal(
		pass(&b, udp(&b, "198.51.100.9", 7, HOST, 4000), NFV_INWARD, NFV_PKT_NEW, &flow),
		NFV_DROP(FW_DROP_RULE));
	assert_int_equal(pass(&b, mk_tcp(&b.m, IN, 7, HOST, 4000, NFV_TCP_SYN), NFV_INWARD,
				 NFV_PKT_NEW, &flow),
		NFV_DROP(FW_DROP_DEFAULT));
	assert_int_equal(pass(&b, udp(&b, IN, 7, HOST, 4000), NFV_INWARD, NFV_PKT_NEW, NULL),
		NFV_DROP(FW_DROP_NO_STATE));
	assert_int_equal(
		pass(&b, udp(&b, IN, 7, HOST, 4000), NFV_INWARD, NFV_PKT_NEW, &flow), NFV_KEEP);
	assert_int_equal(
		pass(&b, udp(&b, HOST, 4000, IN, 7), NFV_OUTWARD, NFV_PKT_REPLY, &flow), NFV_KEEP);
	assert_int_equal(b.fw.by_pinhole, 1);
	assert_int_equal(b.fw.established, 1);
	assert_int_equal(pass(&b, mk_icmp(&b.m, IN, HOST, 3, 3, 0, "x", 1), NFV_INWARD,
				 NFV_PKT_RELATED, &flow),
		NFV_KEEP);

	/* Another rule set judges it by the pinhole again, whichever way its next packet goes. */
	fw_set_destroy(b.fw.set);
	b.fw.set = make_set("default drop", 2);
	assert_int_equal(
		pass(&b, udp(&b, HOST, 4000, IN, 7), NFV_OUTWARD, NFV_PKT_REPLY, &flow), NFV_KEEP);
	assert_int_equal(flow.generation, 2);

	/* Announced anew: the flow passes without a gap. */
	next = nfv_pinhole_owner(t, 60, 0);
	nfv_pinhole_close(t, call);
	assert_int_equal(nfv_pinhole_open(t, next, &hole), 0);
	assert_int_equal(pass(&b, udp(&b, IN, 7, HOST, 4000), NFV_INWARD, 0, &flow), NFV_KEEP);

	/* The call's end is the flow's end, both ways. */
	nfv_pinhole_close(t, next);
	assert_int_equal(pass(&b, udp(&b, IN, 7, HOST, 4000), NFV_INWARD, 0, &flow),
		NFV_DROP(FW_DROP_PINHOLE_CLOSED));
	assert_int_equal(pass(&b, udp(&b, HOST, 4000, IN, 7), NFV_OUTWARD, NFV_PKT_REPLY, &flow),
		NFV_DROP(FW_DROP_PINHOLE_CLOSED));
	assert_int_equal(pass(&b, mk_icmp(&b.m, IN, HOST, 3, 3, 0, "x", 1), NFV_INWARD,
				 NFV_PKT_RELATED, &flow),
		NFV_DROP(FW_DROP_DEFAULT));
	assert_int_equal(pass(&b, udp(&b, IN, 7, HOST, 4000), NFV_INWARD, NFV_PKT_NEW, &back),
		NFV_DROP(FW_DROP_DEFAULT));
	bed_fini(&b);
	nfv_pinholes_destroy(t);
	nfv_pages_free(&pages);
}

/* A burst of everything at once: what is established, new, dropped, and twice the same new flow. */
static void
a_whole_burst(void **state)
{
	struct fw_flow flow[NFV_BURST_MAX] = { { 0 } };
	struct mk *m = calloc(NFV_BURST_MAX, sizeof(*m));
	struct bed b;

	(void)state;
	bed_init(&b, "allow udp from any to any port 1\ndrop udp from any to any port 2");
	b.burst.n = NFV_BURST_MAX;
	for (uint16_t i = 0; i < b.burst.n; i++) {
		struct nfv_pkt *p = &b.burst.pkt[i];

		*p = mk_udp(
			&m[i], i & 8 ? "fd00::1" : HOST, i, i & 8 ? "fd00::2" : IN, i % 4, "x", 1);
		assert_int_equal(nfv_pkt_parse(p), NFV_PARSE_OK);
		p->flow = &flow[i & 0x1f];
		if (i % 4 == 3)
			flow[i].generation = 1;
	}
	/* Data right behind its SYN, of which only the SYN could open the flow. */
	b.burst.pkt[0] = mk_tcp(&m[0], HOST, 5, IN, 1, NFV_TCP_SYN);
	b.burst.pkt[4] = mk_tcp(&m[4], HOST, 5, IN, 1, NFV_TCP_ACK);
	nfv_pkt_parse(&b.burst.pkt[0]);
	nfv_pkt_parse(&b.burst.pkt[4]);
	b.burst.pkt[0].flow = b.burst.pkt[4].flow = &flow[0];
	fw_set_destroy(b.fw.set);
	b.fw.set = make_set("allow udp from any to any port 1\ndrop udp from any to any port 2\n"
			    "allow tcp from any to any",
		1);
	firewall_process(&b.fw, &b.burst, &b.out);
	for (uint16_t i = 0; i < b.burst.n; i++) {
		static const uint8_t want[] = { NFV_DROP(FW_DROP_DEFAULT), NFV_KEEP,
			NFV_DROP(FW_DROP_RULE), NFV_KEEP };

		assert_int_equal(b.burst.pkt[i].verdict, i == 0 || i == 4 ? NFV_KEEP : want[i % 4]);
	}
	assert_int_equal(b.fw.established, 9);
	assert_int_equal(b.fw.set->hits[0].flows, 8);
	assert_int_equal(b.fw.set->hits[1].packets, 8);
	assert_int_equal(b.fw.set->hits[2].flows, 1);
	assert_int_equal(b.fw.set->hits[3].packets, 6);
	bed_fini(&b);
	free(m);
}

/* A new rule set judges established flows by what their first packet would have been. */
static void
another_rule_set(void **state)
{
	struct fw_flow t = { .generation = 1 }, u = { .generation = 1 }, e = { .generation = 1 };
	struct bed b;

	(void)state;
	bed_init(&b, "default drop");
	fw_set_destroy(b.fw.set);
	b.fw.set =
		make_set("allow out tcp from 10.1.0.0/24 port 1000 to any port 80 flags syn,!ack\n"
			 "allow out icmp from 10.1.0.0/24 to any type 8",
			2);
	assert_int_equal(pass(&b, mk_tcp(&b.m, IN, 80, HOST, 1000, NFV_TCP_ACK), NFV_INWARD,
				 NFV_PKT_REPLY, &t),
		NFV_KEEP);
	assert_int_equal(t.generation, 2);
	assert_int_equal(b.fw.established, 0);
	assert_int_equal(pass(&b, tcp(&b, HOST, IN, NFV_TCP_FIN), NFV_OUTWARD, 0, &t), NFV_KEEP);
	assert_int_equal(b.fw.established, 1);
	assert_int_equal(
		pass(&b, mk_icmp(&b.m, IN, HOST, 0, 0, 7, NULL, 0), NFV_INWARD, NFV_PKT_REPLY, &e),
		NFV_KEEP);
	assert_int_equal(
		pass(&b, udp(&b, HOST, 1, IN, 2), NFV_OUTWARD, 0, &u), NFV_DROP(FW_DROP_DEFAULT));
	assert_int_equal(u.generation, 1);
	bed_fini(&b);
}

static void
what_cannot_be_judged(void **state)
{
	struct bed b;
	struct nfv_pkt p;

	(void)state;
	bed_init(&b, "default allow");
	p = udp(&b, HOST, 1, IN, 2);
	nfv_pkt_ip4(&p)->be_frag = htobe16(NFV_IP4_MF);
	nfv_csum_ip4_set(nfv_pkt_ip4(&p));
	assert_int_equal(pass(&b, p, NFV_OUTWARD, 0, NULL), NFV_DROP(FW_DROP_MALFORMED));
	p = mk_empty(&b.m);
	p.len = 60;
	((struct nfv_eth *)p.data)->be_type = htobe16(NFV_ETH_ARP);
	assert_int_equal(pass(&b, p, NFV_OUTWARD, 0, NULL), NFV_DROP(FW_DROP_MALFORMED));
	bed_fini(&b);
}

static void
rejecting_answers_at_a_rate(void **state)
{
	struct bed b;

	(void)state;
	bed_init(&b, "default reject");
	b.fw.bucket = fw_bucket(10, 1000); /* one at a time, every 100 ticks */
	b.fw.own[NFV_OUTWARD][0] = nfv_addr4(inet_addr("192.0.2.1"));
	assert_int_equal(
		pass(&b, udp(&b, IN, 1, HOST, 2), NFV_INWARD, 0, NULL), NFV_DROP(FW_DROP_REJECTED));
	assert_int_equal(b.out.n, 1);
	assert_int_equal(b.out.dir[0], NFV_OUTWARD);
	assert_int_equal(nfv_pkt_ip4(&b.out.pkt[0])->be_src, inet_addr("192.0.2.1"));
	assert_int_equal(
		pass(&b, udp(&b, IN, 1, HOST, 2), NFV_INWARD, 0, NULL), NFV_DROP(FW_DROP_REJECTED));
	assert_int_equal(b.out.n, 1);
	b.burst.tsc += 100;
	pass(&b, udp(&b, IN, 1, HOST, 2), NFV_INWARD, 0, NULL);
	assert_int_equal(b.out.n, 2);
	assert_int_equal(b.fw.answered, 2);
	assert_int_equal(b.fw.unanswered, 1);
	b.fw.bucket = fw_bucket(0, 1000);
	b.burst.tsc += 1000;
	pass(&b, udp(&b, IN, 1, HOST, 2), NFV_INWARD, 0, NULL);
	assert_int_equal(b.out.n, 2);
	/* No buffer to write into, or one too small. */
	b.fw.bucket = fw_bucket(1000, 1000000000);
	b.out.room = 2;
	pass(&b, udp(&b, IN, 1, HOST, 2), NFV_INWARD, 0, NULL);
	assert_int_equal(b.out.n, 2);
	assert_int_equal(b.out.starved, 1);
	b.out.room = 3;
	b.out.pkt[2].tailroom = 20;
	assert_int_equal(
		pass(&b, udp(&b, IN, 1, HOST, 2), NFV_INWARD, 0, NULL), NFV_DROP(FW_DROP_REJECTED));
	assert_int_equal(b.out.n, 2);
	bed_fini(&b);
}

static void
show_has_every_rule_with_its_line(void **state)
{
	struct fw_flow flow = { 0 };
	char *text = NULL;
	struct bed b;
	size_t n;
	FILE *to = open_memstream(&text, &n);

	(void)state;
	bed_init(&b, "# one\nallow udp from any to any port 53 name \"dns\"\ndefault drop\n");
	pass(&b, udp(&b, HOST, 1, IN, 53), NFV_OUTWARD, 0, &flow);
	pass(&b, udp(&b, HOST, 1, IN, 53), NFV_OUTWARD, 0, &flow);
	firewall_show(&b.fw, to);
	fclose(to);
	assert_non_null(strstr(text, "established 1 "));
	assert_non_null(strstr(text,
		"     2            1            1  allow udp from any to any port "
		"53 name \"dns\"\n"));
	assert_non_null(strstr(text, "     3            0            0  default drop\n"));
	free(text);
	bed_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_is_judged_once),
		cmocka_unit_test(what_cannot_begin_a_flow),
		cmocka_unit_test(errors_follow_their_flow),
		cmocka_unit_test(a_full_flow_table),
		cmocka_unit_test(stateless_leaves_no_state),
		cmocka_unit_test(pinholes),
		cmocka_unit_test(a_whole_burst),
		cmocka_unit_test(another_rule_set),
		cmocka_unit_test(what_cannot_be_judged),
		cmocka_unit_test(rejecting_answers_at_a_rate),
		cmocka_unit_test(show_has_every_rule_with_its_line),
	};

	test_eal("32");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
