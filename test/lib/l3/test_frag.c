#include "net.h"

#define BIG 4000

static uint8_t payload[BIG];

/* The fragments in n->wire put together again (RFC 815 in its simplest form). Returns the bytes. */
static unsigned int
reassemble(struct net *n, uint8_t out[BIG + 64])
{
	uint8_t seen[BIG / 8 + 8] = { 0 };
	unsigned int total = 0, bytes = 0;

	for (int i = 0; i < n->wire.n; i++) {
		struct nfv_pkt *p = net_sent(&n->wire, i, NFV_OUTWARD);
		const struct nfv_ip4 *ip = nfv_pkt_ip4(p);
		unsigned int at = (be16toh(ip->be_frag) & NFV_IP4_OFFSET) * 8u;
		unsigned int size = be16toh(ip->be_len) - nfv_ip4_hlen(ip);

		assert_true(be16toh(ip->be_len) <= n->conf.port[1].mtu);
		assert_int_equal(p->len, NFV_ETH_LEN + be16toh(ip->be_len));
		assert_mac(p->data, MAC_GW);
		assert_int_equal(ip->be_id, nfv_pkt_ip4(&n->wire.pkt[0])->be_id);
		assert_false(be16toh(ip->be_frag) & NFV_IP4_DF);
		assert_true(at + size <= BIG + 64);
		for (unsigned int k = at / 8; k < (at + size + 7) / 8; k++) {
			assert_false(seen[k]);
			seen[k] = 1;
		}
		memcpy(out + at, (const uint8_t *)ip + nfv_ip4_hlen(ip), size);
		bytes += size;
		if (be16toh(ip->be_frag) & NFV_IP4_MF)
			assert_int_equal(size % 8, 0);
		else
			total = at + size;
	}
	assert_int_equal(bytes, total);
	return total;
}

static struct nfv_pkt
big(struct net *n, size_t len)
{
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + i / 256);
	return mk_udp(&n->in, "10.0.0.2", 1, "198.51.100.1", 2, payload, len);
}

/* Neighbours known, and the question that comes with their first use asked. */
static void
meet(struct net *n)
{
	net_meet(n);
	assert_int_equal(net_out(n, 1, big(n, 5)), NFV_KEEP);
	assert_int_equal(n->wire.n, 1);
}

static void
pieces_make_the_whole(void **state)
{
	struct net *n = *state;
	uint8_t whole[BIG + 64];

	meet(n);
	for (size_t len = 1473; len < BIG - 64; len += len < 1500 || len > 2930 ? 1 : 97) {
		struct nfv_pkt p = big(n, len);

		if (len > 2990)
			len += 61;
		nfv_pkt_ip4(&p)->be_id = htobe16(0x1234);
		nfv_csum_ip4_set(nfv_pkt_ip4(&p));
		assert_int_equal(net_out(n, 1, p), NFV_CONSUMED);
		assert_int_equal(n->wire.n, (nfv_pkt_l4_len(&n->burst.pkt[0]) + 1479) / 1480);
		assert_int_equal(nfv_pkt_ip4(&n->wire.pkt[0])->be_id, htobe16(0x1234));
		assert_int_equal(nfv_pkt_ip4(&n->wire.pkt[0])->ttl, 63);
		assert_int_equal(reassemble(n, whole), nfv_pkt_l4_len(&n->burst.pkt[0]));
		assert_memory_equal(
			whole, nfv_pkt_l4(&n->burst.pkt[0]), nfv_pkt_l4_len(&n->burst.pkt[0]));
	}
	assert_int_equal(n->back.n, 0);
}

/* Options: all in the first fragment, those marked for copying in the others. */
static void
options_are_copied(void **state)
{
	static const uint8_t opt[12] = { 7, 3, 4, /* record route: not copied */
		148, 4, 0, 0,                     /* router alert: copied */
		1, 1, 1, 1, 0 };
	struct net *n = *state;
	uint8_t whole[BIG + 64];
	struct nfv_pkt p;

	meet(n);
	p = big(n, 3000);
	memmove(p.data + 34 + sizeof(opt), p.data + 34, 3008);
	memcpy(p.data + 34, opt, sizeof(opt));
	nfv_pkt_resize(&p, sizeof(opt));
	nfv_pkt_ip4(&p)->version_ihl = 0x48;
	nfv_pkt_ip4(&p)->be_len = htobe16(20 + 12 + 3008);
	nfv_csum_ip4_set(nfv_pkt_ip4(&p));
	assert_int_equal(net_out(n, 1, p), NFV_CONSUMED);
	assert_int_equal(n->wire.n, 3);
	assert_int_equal(reassemble(n, whole), 3008);
	assert_memory_equal(whole + 8, payload, 3000);
	assert_int_equal(nfv_ip4_hlen(nfv_pkt_ip4(&n->wire.pkt[0])), 32);
	assert_memory_equal(nfv_pkt_ip4(&n->wire.pkt[0]) + 1, opt, 12);
	for (int i = 1; i < 3; i++) {
		assert_int_equal(nfv_ip4_hlen(nfv_pkt_ip4(&n->wire.pkt[i])), 24);
		assert_memory_equal(nfv_pkt_ip4(&n->wire.pkt[i]) + 1, opt + 3, 4);
	}
}

/* Our own packets get an identity when they need one, each another. */
static void
own_packets_get_an_identity(void **state)
{
	struct net *n = *state;
	uint16_t first;

	meet(n);
	for (int i = 0; i < 2; i++) {
		struct nfv_pkt p = big(n, 2000);

		p.flags = NFV_PKT_OWN;
		assert_int_equal(net_out(n, 1, p), NFV_CONSUMED);
		assert_int_not_equal(nfv_pkt_ip4(&n->wire.pkt[0])->be_id, 0);
		if (i == 1)
			assert_int_not_equal(nfv_pkt_ip4(&n->wire.pkt[0])->be_id, first);
		first = nfv_pkt_ip4(&n->wire.pkt[0])->be_id;
	}
}

/* IPv6's source may cut, nobody else; a frame of any length, into all the places it takes. */
static void
own_ip6_packets_are_cut(void **state)
{
	static struct mk wire_mem[NFV_OUT_MAX];
	static uint8_t mem[NFV_FRAME_MAX];
	struct net *n = *state;
	uint8_t src[16], dst[16];
	uint32_t id[2] = { 0 };

	meet(n);
	net_out(n, 1, mk_udp(&n->in, "fd00::2", 1, "2001:db8::7", 2, "x", 1)); /* asks */
	mk_addr("fd00::2", src);
	mk_addr("2001:db8::7", dst);
	for (size_t i = 0; i < sizeof(mem); i++)
		mem[i] = (uint8_t)(i * 7 + i / 256);
	for (unsigned int len = 1461; len <= NFV_FRAME_MAX - 54; len += len < 65000 ? 6403 : 1) {
		struct nfv_udp udp = { .be_len = htobe16((uint16_t)len) };
		struct nfv_pkt p = { .data = mem, .l3 = NFV_ETH_LEN, .tailroom = NFV_FRAME_MAX };
		unsigned int sum = 0;

		nfv_pkt_ip_header(&p, 6, src, dst, NFV_PROTO_UDP, (uint16_t)len);
		memcpy(nfv_pkt_l4(&p), &udp, sizeof(udp));
		((struct nfv_eth *)mem)->be_type = htobe16(NFV_ETH_IP6);
		p.flags = NFV_PKT_OWN;
		mk_out(&n->wire, wire_mem, nfv_l3_pieces(p.len, 1500));
		n->burst = (struct nfv_burst){ .tsc = n->now, .n = 1, .dir = NFV_OUTWARD };
		n->burst.pkt[0] = p;
		nfv_l3_output(n->l3, &n->burst, &n->wire, &n->back);
		assert_int_equal(n->burst.pkt[0].verdict, NFV_CONSUMED);
		for (int i = 0; i < n->wire.n; i++) {
			struct nfv_pkt *q = net_sent(&n->wire, i, NFV_OUTWARD);
			const uint8_t *frag = q->data + NFV_ETH_LEN + NFV_IP6_LEN;
			unsigned int more = i + 1 < n->wire.n, size = nfv_pkt_l4_len(q);

			assert_true(q->len <= NFV_ETH_LEN + 1500);
			assert_mac(q->data, MAC_GW);
			assert_int_equal(q->l4, NFV_ETH_LEN + NFV_IP6_LEN + 8);
			assert_int_equal(frag[0], NFV_PROTO_UDP);
			assert_int_equal(frag[1], 0);
			assert_int_equal(frag[2] << 8 | frag[3], sum | more);
			assert_memory_equal(frag + 4,
				wire_mem[0].bytes + (frag - q->data) + 4 + MK_HEADROOM, 4);
			assert_memory_equal(nfv_pkt_l4(q), (uint8_t *)nfv_pkt_l4(&p) + sum, size);
			sum += size;
		}
		assert_int_equal(sum, len);
		memcpy(&id[len % 2],
			wire_mem[0].bytes + MK_HEADROOM + NFV_ETH_LEN + NFV_IP6_LEN + 4, 4);
		assert_int_not_equal(id[0], id[1]);
	}
	/* With a header that each fragment would have to repeat, nobody's. */
	for (int i = 0; i < 2; i++) {
		struct nfv_pkt p = mk_ip(
			&n->in, "fd00::2", "2001:db8::7", NFV_PROTO_HOPOPTS, "\x3b\0\1\4\0\0\0", 8);

		if (i == 0)
			p = mk_udp(&n->in, "fd00::2", 1, "2001:db8::7", 2, payload, 2000);
		nfv_pkt_resize(&p, 2062 - p.len);
		nfv_pkt_ip6(&p)->be_len = htobe16(2062 - 54);
		p.flags = i == 0 ? 0 : NFV_PKT_OWN;
		assert_int_equal(net_out(n, 1, p), NFV_DROP(NFV_L3_TOO_BIG));
	}
}

/* The longest IPv4 packet by the least MTU, with the longest header: as many pieces as there can be. */
static void
as_many_pieces_as_there_can_be(void **state)
{
	static struct mk wire_mem[NFV_OUT_MAX];
	static uint8_t mem[NFV_FRAME_MAX];
	struct net *n = *state;
	struct nfv_pkt p = { .data = mem, .l3 = NFV_ETH_LEN, .len = NFV_FRAME_MAX, .family = 4 };
	struct nfv_ip4 *ip = (struct nfv_ip4 *)(mem + NFV_ETH_LEN);
	uint8_t addr[16];

	nfv_l3_destroy(n->l3);
	for (int i = 0; i < 2; i++) {
		n->conf.port[i].mtu = 576;
		n->conf.port[i].n_addr = 1; /* IPv6 wants more */
	}
	n->conf.n_route = 1;
	net_start(n);
	net_in_mac(n, 1, mk_arp(&n->in, 1, MAC_GW, "192.0.2.254", "192.0.2.1"), MAC_GW, MAC_ALL);
	assert_int_equal(net_out(n, 1, big(n, 5)), NFV_KEEP); /* asks */
	*ip = (struct nfv_ip4){ .version_ihl = 0x4f,
		.be_len = htobe16(NFV_FRAME_MAX - NFV_ETH_LEN),
		.ttl = 9,
		.proto = 200 };
	memset(ip + 1, 0, 40);
	memset(ip + 1, 148, 1); /* router alert, copied; then as one long option */
	((uint8_t *)(ip + 1))[1] = 40;
	mk_addr("10.0.0.2", addr);
	memcpy(&ip->be_src, addr, 4);
	mk_addr("198.51.100.1", addr);
	memcpy(&ip->be_dst, addr, 4);
	nfv_csum_ip4_set(ip);
	((struct nfv_eth *)mem)->be_type = htobe16(NFV_ETH_IP4);
	mk_out(&n->wire, wire_mem, nfv_l3_pieces(p.len, 576));
	n->burst = (struct nfv_burst){ .tsc = n->now, .n = 1, .dir = NFV_OUTWARD };
	n->burst.pkt[0] = p;
	assert_int_equal(nfv_pkt_parse(&n->burst.pkt[0]), NFV_PARSE_OK);
	nfv_l3_output(n->l3, &n->burst, &n->wire, &n->back);
	assert_int_equal(n->burst.pkt[0].verdict, NFV_CONSUMED);
	assert_int_equal(n->wire.n, (NFV_FRAME_MAX - NFV_ETH_LEN - 60 + 511) / 512);
}

/* All or nothing. */
static void
too_few_buffers(void **state)
{
	struct net *n = *state;
	struct nfv_pkt p;

	meet(n);
	p = big(n, 3500);
	nfv_pkt_parse(&p);
	for (int small = 0; small < 2; small++) {
		net_arm(n);
		n->wire.room = small ? 3 : 2;
		if (small)
			n->wire.pkt[1].tailroom = 100;
		n->burst = (struct nfv_burst){ .tsc = n->now, .n = 1, .dir = NFV_OUTWARD };
		n->burst.pkt[0] = p;
		nfv_l3_output(n->l3, &n->burst, &n->wire, &n->back);
		assert_int_equal(n->burst.pkt[0].verdict, NFV_DROP(NFV_L3_NO_BUFFER));
		assert_int_equal(n->wire.n, 0);
		assert_int_equal(n->wire.starved, 1);
	}
}

/* What waits is cut when it leaves, where there was room for it to wait. */
static void
cut_after_waiting(void **state)
{
	struct net *n = *state;
	uint8_t whole[BIG + 64];
	struct mk m;

	nfv_l3_destroy(n->l3);
	n->conf.port[0].mtu = 3000;
	net_start(n);
	assert_int_equal(net_out(n, 1, big(n, 2972)), NFV_CONSUMED);
	assert_int_equal(n->wire.n, 1);
	net_in(n, 1, mk_arp(&m, 2, MAC_GW, "192.0.2.254", "192.0.2.1"));
	assert_int_equal(n->wire.n, 3);
	assert_int_equal(reassemble(n, whole), 2980);
	assert_memory_equal(whole + 8, payload, 2972);
	/* Longer than both ports' MTU: nowhere to wait. */
	nfv_l3_destroy(n->l3);
	net_start(n);
	assert_int_equal(net_out(n, 1, big(n, 3500)), NFV_DROP(NFV_L3_NO_BUFFER));
	assert_int_equal(n->wire.n, 1);
	assert_int_equal(net_out(n, 1, big(n, 5)), NFV_CONSUMED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		net_test(pieces_make_the_whole),
		net_test(options_are_copied),
		net_test(own_packets_get_an_identity),
		net_test(own_ip6_packets_are_cut),
		net_test(as_many_pieces_as_there_can_be),
		net_test(too_few_buffers),
		net_test(cut_after_waiting),
	};

	test_eal("256");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
